// Events become deliveries once, each is leased by one worker, and nothing is recorded by who lost its lease; a worker brings them, tries again,
// gives up, and gives back what it has when it is stopped.

import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'node:test';
import { awaited, carriedHere, ring } from '../delivery/awaited.js';
import { Lane } from '../delivery/lane.js';
import { anotherIntegration, backlog, doRound, forget, forgetEvents, forgetHeard, integratedSince, remembered } from '../delivery/rounds.js';
import { carrierOf } from '../delivery/steps.js';
import { Deliveries } from '../delivery/worker.js';
import { uuidv7 } from '../identifiers.js';
import { Outbox } from '../outbox.js';
import { createApplicationDatabase, testOnEach } from './engines.js';

async function start(context, engine) {
  const place = await engine.place(context);
  const database = await createApplicationDatabase(context, engine, { place });
  await database.script(engine.deliveries);
  await database.run('INSERT INTO schema_migrations (scope, name, checksum, applied_at) VALUES (?, ?, ?, ?)', ['shop', '0001', 'c', new Date(Date.now() - 60_000)]);
  const outbox = new Outbox();
  const emit = (name, payload) => database.transaction((transaction) => outbox.emit(transaction, name, payload, new Date().toISOString()));
  return { database, emit };
}

function round(more) {
  const now = more.now ?? new Date();
  return { integration: 'shop', now, lease: uuidv7(), leasedUntil: new Date(now.getTime() + 30_000), recorded: [], extended: [], abandoned: [], expires: false, places: 0, ...more };
}

const deliveriesOf = ({ payload }) => [{ integration: 'shop', provider: 'acme', priority: 1, orderKey: payload.order ?? null }];

testOnEach('an event becomes one delivery, which one worker has', async (context, engine) => {
  const { database, emit } = await start(context, engine);
  await emit('sold', { id: 1, words: 'ä' });
  const first = await doRound(database, round({ places: 5, deliveriesOf }));
  assert.deepEqual([first.leased.length, first.leased[0].event, first.leased[0].payload, first.leased[0].inDoubt], [1, 'sold', { id: 1, words: 'ä' }, false]);
  const second = await doRound(database, round({ places: 5, deliveriesOf }));
  assert.deepEqual(second.leased, []);
  await database.run('UPDATE outbox_events SET dispatched_at = NULL');
  assert.deepEqual((await doRound(database, round({ places: 5, deliveriesOf }))).leased, []);
  assert.deepEqual((await backlog(database, 'shop')).map(({ state, count }) => [state, count]), [['working', 1]]);
});

testOnEach('what is due later waits, and is told', async (context, engine) => {
  const { database, emit } = await start(context, engine);
  await emit('sold', { id: 1 });
  const [now, dueAt] = [new Date(), new Date(Date.now() + 10_000)];
  const later = (event) => deliveriesOf(event).map((one) => ({ ...one, dueAt }));
  const made = await doRound(database, round({ now, places: 5, deliveriesOf: later }));
  assert.deepEqual([made.leased, made.awaited], [[], [dueAt]]);
  assert.deepEqual((await doRound(database, round({ now: new Date(dueAt.getTime() - 1), places: 5 }))).leased, []);
  assert.equal((await doRound(database, round({ now: dueAt, places: 5 }))).leased.length, 1);
});

testOnEach('whoever waits is told how a delivery came out', async (context, engine) => {
  const { database } = await start(context, engine);
  const event = uuidv7();
  const look = (within) => awaited(database, { event, integration: 'shop', gives: { url: ['page', 'url'] }, within });
  assert.deepEqual(await look(30), { outcome: 'unknown' }, 'nobody has taken it up');
  // Whoever carries mails here says nothing of the shop, whose deliveries another process may take up within a second.
  const leavesMails = carriedHere('mail');
  const begun = performance.now();
  assert.deepEqual(await look(5000), { outcome: 'unknown' });
  assert.ok(performance.now() - begun > 1000, 'another process had no time to take it up');
  const now = new Date();
  const row = [uuidv7(), event, 'sold', 'shop', 'acme', 1, 'working', 0, now, false, JSON.stringify({ answers: { page: { url: 'https://a' } } }), now, now];
  await database.run('INSERT INTO outbox_deliveries (id, event_id, event, integration, provider, priority, state, attempts, due_at, in_doubt, progress, created_at, tried_since) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)', row);
  const waits = look(5000);
  await sleep(20);
  await database.run("UPDATE outbox_deliveries SET state = 'delivered' WHERE event_id = ?", [event]);
  assert.deepEqual(await waits, { outcome: 'answered', url: 'https://a' });

  // A worker of this process rings, and nobody waits for the next look.
  const leaves = carriedHere('shop');
  await database.run("UPDATE outbox_deliveries SET state = 'working' WHERE event_id = ?", [event]);
  const hears = look(5000);
  await sleep(670);
  await database.run("UPDATE outbox_deliveries SET state = 'delivered' WHERE event_id = ?", [event]);
  const rung = performance.now();
  ring(row[0]);
  assert.deepEqual(await hears, { outcome: 'answered', url: 'https://a' });
  assert.ok(performance.now() - rung < 100, 'it was waited for the next look');
  leaves();
  leavesMails();
  await database.run("UPDATE outbox_deliveries SET state = 'dead' WHERE event_id = ?", [event]);
  assert.deepEqual(await look(0), { outcome: 'refused' });
  await database.run('UPDATE outbox_deliveries SET in_doubt = ? WHERE event_id = ?', [true, event]);
  assert.deepEqual(await look(0), { outcome: 'unknown' }, 'something may have been done there');
});

testOnEach('two workers at once share the events among them', async (context, engine) => {
  const { database, emit } = await start(context, engine);
  for (let count = 0; count < 30; count += 1) await emit('sold', { count });
  const rounds = await Promise.all(Array.from({ length: 4 }, () => doRound(database, round({ places: 10, deliveriesOf }))));
  const ids = rounds.flatMap(({ leased }) => leased.map(({ id }) => id));
  assert.equal(new Set(ids).size, ids.length);
  const rest = await doRound(database, round({ places: 100, deliveriesOf }));
  assert.equal(ids.length + rest.leased.length, 30);
});

testOnEach('a result is recorded with its attempt and what is kept, by who has the lease alone', async (context, engine) => {
  const { database, emit } = await start(context, engine);
  await emit('sold', {});
  const { leased: [one] } = await doRound(database, round({ places: 1, deliveriesOf }));
  const kept = { integration: 'shop', name: 'customer', whose: 'w', value: 'cus_"1"' };
  const result = (lease, more = {}) => ({
    id: one.id, lease, state: 'delivered', attempts: 0, dueAt: new Date(), inDoubt: false, progress: { answers: { a: { id: 'x' } } }, problem: null,
    attempt: { id: uuidv7(), startedAt: new Date(), outcome: 'delivered', code: null, record: [{ method: 'POST' }] }, remembered: [kept], ...more,
  });
  assert.equal((await doRound(database, round({ recorded: [result(uuidv7())] }))).held.size, 0);
  assert.equal(await remembered(database, 'shop', 'customer', 'w'), undefined);
  assert.deepEqual([...(await doRound(database, round({ recorded: [result(one.lease)] }))).held], [one.id]);
  assert.equal(await remembered(database, 'shop', 'customer', 'w'), 'cus_"1"');
  // The lease ended with the delivery.
  assert.equal((await doRound(database, round({ recorded: [result(one.lease)] }))).held.size, 0);
  assert.equal((await database.many('SELECT id FROM outbox_attempts')).length, 1);
  assert.deepEqual(await backlog(database, 'shop'), []);
  const soon = new Date(Date.now() + 1000);
  assert.equal(await forgetEvents(database, soon), 0, 'it has a delivery');
  assert.equal(await forget(database, 'shop', soon), 1);
  assert.deepEqual([await forgetEvents(database, new Date(0)), await forgetEvents(database, soon)], [0, 1]);
  assert.equal((await database.many('SELECT id FROM outbox_attempts')).length, 0);
});

testOnEach('what a provider told long ago is forgotten, and not what waits for a person', async (context, engine) => {
  const { database } = await start(context, engine);
  const old = new Date(Date.now() - 60_000);
  for (const [integration, received, body] of [['shop', old, null], ['shop', old, '{}'], ['shop', new Date(), null], ['mail', old, null]]) {
    await database.run('INSERT INTO inbox_events (id, integration, received_at, body) VALUES (?, ?, ?, ?)', [uuidv7(), integration, received, body]);
  }
  assert.equal(await forgetHeard(database, 'shop', new Date(Date.now() - 1000)), 1);
  assert.equal((await database.many('SELECT id FROM inbox_events')).length, 3);
});

testOnEach('what is kept of somebody is kept once', async (context, engine) => {
  const { database, emit } = await start(context, engine);
  for (const value of [{ a: 1 }, { a: 1 }, ['b']]) {
    await emit('sold', {});
    const { leased: [one] } = await doRound(database, round({ places: 1, deliveriesOf }));
    const kept = [{ integration: 'shop', name: 'n', whose: 'w', value }];
    const recorded = [{ ...one, state: 'delivered', dueAt: new Date(), problem: null, remembered: kept }];
    assert.equal((await doRound(database, round({ recorded }))).held.size, 1);
    assert.deepEqual(await remembered(database, 'shop', 'n', 'w'), value);
  }
});

testOnEach('who is gone loses its deliveries, and they are in doubt', async (context, engine) => {
  const { database, emit } = await start(context, engine);
  await emit('sold', {});
  const { leased: [one] } = await doRound(database, round({ places: 1, deliveriesOf }));
  const late = new Date(Date.now() + 31_000);
  const kept = await doRound(database, round({ extended: [one], leasedUntil: new Date(late.getTime() + 5000) }));
  assert.deepEqual([...kept.held], [one.id]);
  assert.deepEqual((await doRound(database, round({ now: late, places: 1, expires: true }))).leased, []);
  const later = new Date(late.getTime() + 6000);
  const { leased: [again] } = await doRound(database, round({ now: later, places: 1, expires: true }));
  assert.deepEqual([again.id, again.inDoubt, again.attempts], [one.id, true, 1]);
  assert.equal((await doRound(database, round({ extended: [one] }))).held.size, 0);
  assert.deepEqual((await database.many('SELECT outcome FROM outbox_attempts')).map(({ outcome }) => outcome), ['interrupted']);
  // What a round leased of which nobody knows whether it came about was never begun.
  const { leased: [third] } = await doRound(database, round({ now: later, places: 1, abandoned: [again.lease] }));
  assert.deepEqual([third.id, third.attempts], [one.id, 1]);
});

testOnEach('those with one key go one behind the other', async (context, engine) => {
  const { database, emit } = await start(context, engine);
  for (const order of ['a', 'a', 'b']) await emit('sold', { order });
  const first = await doRound(database, round({ places: 5, deliveriesOf }));
  assert.deepEqual(first.leased.map(({ payload }) => payload.order).sort(), ['a', 'b']);
  const one = first.leased.find(({ payload }) => payload.order === 'a');
  assert.deepEqual((await doRound(database, round({ places: 5 }))).leased, []);
  const recorded = [{ ...one, state: 'dead', dueAt: new Date(), problem: null }];
  const then = await doRound(database, round({ places: 5, recorded }));
  assert.deepEqual(then.leased.map(({ payload }) => payload.order), ['a']);
});

testOnEach('what there is besides is seen', async (context, engine) => {
  const { database, emit } = await start(context, engine);
  assert.ok(Math.abs(Date.now() - 60_000 - (await integratedSince(database, 'shop')).getTime()) < 5000);
  assert.equal(await anotherIntegration(database, ['shop']), undefined);
  await emit('sold', {});
  const to = (integration) => () => [{ integration, provider: 'p', priority: 1, orderKey: null }];
  await doRound(database, round({ deliveriesOf: to('mail') }));
  assert.equal(await anotherIntegration(database, ['shop']), undefined, 'mails are minded by who sends them');
  await emit('sold', {});
  await doRound(database, round({ deliveriesOf: to('crm') }));
  assert.equal(await anotherIntegration(database, ['shop']), 'crm');
  assert.equal(await anotherIntegration(database, ['shop', 'crm']), undefined);
});

testOnEach('deliveries of its own events are made once, whoever else was told of them', async (context, engine) => {
  const { database, emit } = await start(context, engine);
  await emit('sold', {});
  await doRound(database, round({ deliveriesOf: () => [] }));
  await emit('sold', {});
  await emit('seen', {});
  const asked = [];
  const deliveriesOf = ({ name }) => {
    asked.push(name);
    return [{ integration: 'mail', provider: 'smtp', priority: 0, orderKey: null }];
  };
  const events = { names: ['sold', 'bought'], after: '00000000-0000-7000-8000-000000000000' };
  const own = () => round({ integration: 'mail', deliveriesOf, events });
  const { areMoreEvents, lastEvent } = await doRound(database, own());
  assert.deepEqual([asked, areMoreEvents], [['sold', 'sold'], false]);
  await doRound(database, own());
  assert.deepEqual(asked, ['sold', 'sold']);
  await emit('sold', {});
  await doRound(database, round({ ...own(), events: { ...events, after: lastEvent } }));
  assert.deepEqual(asked, ['sold', 'sold', 'sold']);
  const waits = await database.many('SELECT id FROM outbox_events WHERE dispatched_at IS NULL');
  assert.equal(waits.length, 3, 'nobody else is kept from them');
});

/** A service whose one operation does what it is told, and the worker that brings it events. */
async function working(context, engine, behave, more = {}) {
  const { database, emit } = await start(context, engine);
  const calls = [];
  const tell = Object.assign(
    async (account, input, delivery) => {
      calls.push({ input, key: delivery.key });
      return { outcome: await behave(calls.length, input), record: {} };
    },
    { description: { effect: 'write', ifReplyIsLost: 'repeat', answer: {}, ...more.description } },
  );
  const step = (name, rest) => ({ name, operation: tell, input: ({ event }) => ({ id: event.id, step: name }), ...rest });
  const service = {
    name: 'shop', provider: 'acme', title: 'Acme', priority: 1, remembers: { customer: { of: 'id' } }, listens: { sold: 'sold' },
    retry: { attempts: 3, forHours: 1, firstWait: 1, mostWaitSeconds: 1 }, wait: { mostSeconds: 1 },
    points: { sold: { needs: ['id'], steps: [step('first', { remember: ({ answer }) => ({ customer: answer.first.id }) }), step('second', { unless: ({ event }) => event.alone })] } },
  };
  const account = { name: 'shop', service, scope: {}, problems: [], secrets: [] };
  const deliveries = new Deliveries({ database, account, carrier: carrierOf(account) });
  deliveries.start();
  context.after(() => deliveries.stop());
  const state = async () => (await database.many('SELECT state, attempts, in_doubt FROM outbox_deliveries')).map((row) => [row.state, Number(row.attempts), Boolean(row.in_doubt)]);
  const until = async (wanted) => {
    for (let count = 0; count < 200; count += 1) {
      if (JSON.stringify(await state()) === JSON.stringify(wanted)) return;
      await sleep(25);
    }
    assert.deepEqual(await state(), wanted);
  };
  return { database, emit, calls, deliveries, until };
}

const done = (id) => ({ means: 'done', answer: { id } });

testOnEach('steps go one behind the other, each with a key of its own, and what is done is not done again', async (context, engine) => {
  const { emit, calls, until, database, deliveries } = await working(context, engine, (count) => (count === 2 ? { means: 'transient', message: 'later' } : done('c1')));
  await emit('sold', { id: 'i' });
  await until([['delivered', 1, false]]);
  assert.deepEqual(calls.map(({ input }) => input.step), ['first', 'second', 'second']);
  assert.deepEqual(calls.map(({ key }) => key.slice(-2)), ['-0', '-1', '-1']);
  const [{ value }] = await database.many('SELECT value FROM outbox_remembered', [], { value: { kind: 'json' } });
  assert.equal(value, 'c1');
  await emit('sold', { no: 'id' });
  await emit('other', { id: 'i' });
  await sleep(200);
  assert.equal(calls.length, 3);
  assert.deepEqual([...deliveries.snapshot().attempts], [['transient', 1], ['delivered', 1]]);
});

test('what will never be taken is given up at once, what may be is tried so often and no more', async (context) => {
  const { sqlite } = await import('./engines.js');
  const dead = await working(context, sqlite, () => ({ means: 'permanent', code: 'c', message: 'no' }));
  await dead.emit('sold', { id: 'i' });
  await dead.until([['dead', 1, false]]);
  assert.equal(dead.calls.length, 1);
  const vain = await working(context, sqlite, () => ({ means: 'unknown_effect', message: 'lost' }));
  await vain.emit('sold', { id: 'i' });
  await vain.until([['dead', 3, true]]);
  assert.equal(vain.calls.length, 3);
  assert.equal(new Set(vain.calls.map(({ key }) => key)).size, 1);
});

test('what may have happened and cannot be repeated is put aside for a person', async (context) => {
  const { sqlite } = await import('./engines.js');
  const { emit, calls, until, database } = await working(context, sqlite, () => ({ means: 'unknown_effect', message: 'lost' }), { description: { ifReplyIsLost: 'stop' } });
  await emit('sold', { id: 'i' });
  await until([['dead', 2, true]]);
  assert.equal(calls.length, 1);
  const outcomes = await database.many('SELECT outcome FROM outbox_attempts ORDER BY id');
  assert.deepEqual(outcomes.map(({ outcome }) => outcome), ['unknown_effect', 'put_aside']);
});

test('who is stopped waits for what is under way and begins nothing more', async (context) => {
  const { sqlite } = await import('./engines.js');
  let release;
  const held = new Promise((resolve) => {
    release = resolve;
  });
  const { emit, calls, until, deliveries } = await working(context, sqlite, async () => {
    await held;
    return done('c');
  });
  await emit('sold', { id: 'i', alone: true });
  while (calls.length === 0) await sleep(10);
  const stopped = deliveries.stop();
  await emit('sold', { id: 'j', alone: true });
  setTimeout(release, 100);
  await stopped;
  await until([['delivered', 0, false]]);
  assert.equal(calls.length, 1);
});

test('who fails is spared longer each time, and one attempt finds out', () => {
  const service = { retry: { attempts: 99, forHours: 99, firstWait: 0, mostWaitSeconds: 1 }, wait: { mostSeconds: 60 }, budget: { limit: 3, per: 1000 }, atOnce: 2 };
  const lane = new Lane(service, 0, () => 0.5);
  const one = { attempts: 0, triedSince: new Date(0) };
  assert.equal(lane.places(0), 2);
  for (let count = 0; count < 5; count += 1) {
    lane.begun(count * 1000);
    lane.ended(count * 1000, one, 'transient');
  }
  assert.ok(lane.breaker.isOpen && lane.places(4001) === 0);
  const { until } = lane.breaker;
  assert.equal(lane.places(until), 1);
  lane.begun(until);
  assert.equal(lane.places(until), 0);
  lane.ended(until, one, 'transient');
  assert.ok(lane.breaker.until - until > until - 4000);
  lane.begun(lane.breaker.until);
  lane.ended(lane.breaker.until, one, 'delivered');
  assert.ok(!lane.breaker.isOpen);
  // The budget has three in a second.
  const busy = new Lane({ ...service, atOnce: 10 }, 0, () => 0.5);
  for (let count = 0; count < 3; count += 1) busy.begun(0);
  assert.deepEqual([busy.places(0), busy.places(400)], [0, 1]);
  assert.deepEqual(busy.ended(0, one, 'rate_limited', { wait: 120_000 }), { state: 'waiting', attempts: 0, due: 60_000 });
  // What an operation says of itself wins over what is so everywhere.
  assert.equal(busy.ended(0, { attempts: 0, triedSince: new Date(0) }, 'transient', { retry: { ...service.retry, attempts: 1 } }).state, 'dead');
  assert.deepEqual([busy.places(59_999), busy.ended(0, { attempts: 3, triedSince: new Date(-100 * 3_600_000) }, 'transient').state], [0, 'dead']);
});
