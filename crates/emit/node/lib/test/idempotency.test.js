// A key's answer is kept with the writes of its transaction, for a day, for one request.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Idempotency } from '../idempotency.js';
import { respond } from '../response.js';
import { createDatabase } from './temporary-database.js';

const DAY = 24 * 60 * 60 * 1000;
const table = `CREATE TABLE idempotency_answers (id TEXT NOT NULL PRIMARY KEY, claim TEXT NOT NULL UNIQUE, fingerprint TEXT NOT NULL, status INTEGER NOT NULL, headers TEXT NOT NULL, body TEXT) STRICT`;

function start(context) {
  const database = createDatabase(context);
  database.exec(table);
  const clock = { now: Date.now() };
  const idempotency = new Idempotency(database, { now: () => clock.now });
  const caller = { identity: 'key:1' };
  /** Sends a request; `work` makes the answer. */
  const send = (key, body, work) => {
    const ends = [];
    const request = {
      method: 'POST',
      target: '/api/orders',
      body: Buffer.from(body),
      header: (name) => (name === 'idempotency-key' ? key : undefined),
      countOf: () => 1,
      whenSettled: (end) => ends.push(end),
    };
    const claim = idempotency.claim(request, caller);
    try {
      return database.transaction((transaction) => claim.recall(transaction) ?? claim.keep(transaction, work()));
    } finally {
      ends.forEach((end) => end());
    }
  };
  return { database, clock, idempotency, send };
}

test('an answer comes back with its own headers, marked as replayed', (context) => {
  const { send } = start(context);
  const headers = { ETag: '"1"', Location: '/api/orders/1' };
  const first = send('k', '{}', () => respond(201, { id: '1' }, headers));
  const second = send('k', '{}', () => assert.fail('done twice'));
  assert.deepEqual(second, { ...first, headers: { ...first.headers, 'Idempotency-Replayed': 'true' } });
});

test('an answer without a body comes back without one', (context) => {
  const { send } = start(context);
  send('k', '', () => respond(204));
  assert.deepEqual(send('k', '', assert.fail), { status: 204, headers: { 'Idempotency-Replayed': 'true' }, text: undefined });
});

test('another body is refused, and so is a key that is none', (context) => {
  const { send } = start(context);
  send('k', '{}', () => respond(201, {}));
  assert.throws(() => send('k', '[]', assert.fail), { name: 'idempotency_key_reused' });
  for (const bad of ['', 'a b', 'k'.repeat(256), 'é']) {
    assert.throws(() => send(bad, '{}', assert.fail), { name: 'malformed_idempotency_key' });
  }
});

test('a key is taken until its request has ended', (context) => {
  const { idempotency } = start(context);
  const ends = [];
  const request = { header: () => 'k', countOf: () => 1, whenSettled: (end) => ends.push(end) };
  idempotency.claim(request, { identity: 'a' });
  assert.throws(() => idempotency.claim(request, { identity: 'a' }), { name: 'request_in_progress' });
  idempotency.claim(request, { identity: 'b' });
  ends.forEach((end) => end());
  idempotency.claim(request, { identity: 'a' });
});

test('a failure keeps nothing, and an answer is forgotten after a day', (context) => {
  const { database, clock, send } = start(context);
  const count = () => database.one('SELECT count(*) AS rows FROM idempotency_answers').rows;
  assert.throws(() => send('k', '{}', () => { throw new Error('broken'); }), { message: 'broken' });
  assert.equal(count(), 0);
  send('k', '{}', () => respond(201, { round: 1 }));
  clock.now += DAY + 61_000;
  assert.equal(send('k', '{}', () => respond(201, { round: 2 })).text, '{"round":2}');
  assert.equal(count(), 1);
});
