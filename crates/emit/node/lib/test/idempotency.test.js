// A key's answer is kept with the writes of its transaction, for a day, for one request.

import assert from 'node:assert/strict';
import { Idempotency } from '../idempotency.js';
import { uuidv7 } from '../identifiers.js';
import { respond } from '../response.js';
import { createApplicationDatabase, testOnEach, testOnServers } from './engines.js';

const DAY = 24 * 60 * 60 * 1000;

async function start(context, engine, options) {
  const database = await createApplicationDatabase(context, engine, options);
  const clock = { now: Date.now() };
  const idempotency = new Idempotency(database, { now: () => clock.now });
  const caller = { identity: 'key:1' };
  /** Sends a request; `work` makes the answer. */
  const send = async (key, body, work) => {
    const ends = [];
    const request = {
      method: 'POST',
      target: '/api/orders',
      body: Buffer.from(body),
      header: (name) => (name === 'idempotency-key' ? key : undefined),
      countOf: () => 1,
      whenSettled: (end) => ends.push(end),
    };
    const claim = await idempotency.claim(request, caller);
    try {
      return await database.transaction(async (transaction) => {
        const known = await claim.recall(transaction);
        return known ?? claim.keep(transaction, await work(transaction));
      });
    } finally {
      ends.forEach((end) => end());
    }
  };
  return { database, clock, idempotency, send };
}

testOnEach('an answer comes back with its own headers, marked as replayed', async (context, engine) => {
  const { send } = await start(context, engine);
  const headers = { ETag: '"1"', Location: '/api/orders/1' };
  const first = await send('k', '{}', () => respond(201, { id: '1' }, headers));
  const second = await send('k', '{}', () => assert.fail('done twice'));
  assert.deepEqual(second, { ...first, headers: { ...first.headers, 'Idempotency-Replayed': 'true' } });
});

testOnEach('an answer without a body comes back without one', async (context, engine) => {
  const { send } = await start(context, engine);
  await send('k', '', () => respond(204));
  assert.deepEqual(await send('k', '', assert.fail), { status: 204, headers: { 'Idempotency-Replayed': 'true' }, text: undefined });
});

testOnEach('another body is refused, and so is a key that is none', async (context, engine) => {
  const { send } = await start(context, engine);
  await send('k', '{}', () => respond(201, {}));
  await assert.rejects(send('k', '[]', assert.fail), { name: 'idempotency_key_reused' });
  for (const bad of ['', 'a b', 'k'.repeat(256), 'é']) {
    await assert.rejects(send(bad, '{}', assert.fail), { name: 'malformed_idempotency_key' });
  }
});

testOnEach('a key is taken until its request has ended', async (context, engine) => {
  const { idempotency } = await start(context, engine);
  const ends = [];
  const request = { header: () => 'k', countOf: () => 1, whenSettled: (end) => ends.push(end) };
  await idempotency.claim(request, { identity: 'a' });
  await assert.rejects(idempotency.claim(request, { identity: 'a' }), { name: 'request_in_progress' });
  await idempotency.claim(request, { identity: 'b' });
  ends.forEach((end) => end());
  await idempotency.claim(request, { identity: 'a' });
});

testOnEach('a failure keeps nothing, and an answer is forgotten after a day', async (context, engine) => {
  const { database, clock, send } = await start(context, engine);
  const count = async () => (await database.one('SELECT count(*) AS number FROM idempotency_answers')).number;
  await assert.rejects(send('k', '{}', () => { throw new Error('broken'); }), { message: 'broken' });
  assert.equal(await count(), 0);
  await send('k', '{}', () => respond(201, { round: 1 }));
  clock.now += DAY + 61_000;
  assert.equal((await send('k', '{}', () => respond(201, { round: 2 }))).text, '{"round":2}');
  assert.equal(await count(), 1);
});

testOnServers('of two servers that get the same request at once, one does it and both answer alike', async (context, engine) => {
  const place = await engine.place(context);
  const first = await start(context, engine, { place });
  const second = await start(context, engine, { place, isThere: true });
  let done = 0;
  const insert = `INSERT INTO outbox_events (id, name, payload, occurred_at) VALUES (?, ?, ?, ?)`;
  const work = async (transaction) => {
    done += 1;
    await transaction.run(insert, [uuidv7(), 'done', {}, new Date()]);
    return respond(201, { number: done });
  };
  for (let round = 0; round < 10; round += 1) {
    done = 0;
    const sent = [first, second].map(({ send }) => send(`key-${round}`, '{}', work));
    const answers = await Promise.all(sent);
    assert.deepEqual(answers.map(({ text }) => text), ['{"number":1}', '{"number":1}']);
    assert.equal(answers.filter(({ headers }) => headers['Idempotency-Replayed']).length, 1);
  }
  assert.equal((await first.database.one('SELECT count(*) AS number FROM outbox_events')).number, 10);
});
