// What a worker does with the database at once, as one transaction: record what came of deliveries, extend leases, take deliveries from
// workers that have gone, lease what is due, make deliveries of new events. Whoever records must hold the lease; the native server does the
// same on the same tables, so that each event is delivered once whichever of them has it.

import { uuidv7 } from '../identifiers.js';

/** The lease is gone: somebody else may be at the delivery, and nothing more of it may be sent. */
export class LeaseLost extends Error {}

// Of one round: events that become deliveries, and deliveries that are taken from workers that have gone.
const EVENTS_OF_ROUND = 200;
const EXPIRED_OF_ROUND = 200;
/** What is said of an attempt whose worker has gone. */
const GONE = 'whoever worked on it has gone, and nobody knows how far it came';
// Deliveries that one transaction forgets.
const FORGOTTEN_AT_ONCE = 500;

const findHeld = `SELECT id FROM outbox_deliveries WHERE id = ? AND lease = ? AND state = 'working'`;
const recordResult = `UPDATE outbox_deliveries SET state = ?, attempts = ?, due_at = ?, in_doubt = ?, progress = ?, problem = ?, lease = ?, leased_at = ?, leased_until = ?, ended_at = ? WHERE id = ?`;
const insertAttempt = `INSERT INTO outbox_attempts (id, delivery_id, started_at, ended_at, outcome, code, problem, record) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`;
const findRemembered = `SELECT value FROM outbox_remembered WHERE integration = ? AND name = ? AND whose = ?`;
const changeRemembered = `UPDATE outbox_remembered SET value = ?, updated_at = ? WHERE integration = ? AND name = ? AND whose = ?`;
const insertRemembered = `INSERT INTO outbox_remembered (integration, name, whose, value, updated_at) VALUES (?, ?, ?, ?, ?)`;
const giveBack = `UPDATE outbox_deliveries SET state = 'waiting', lease = NULL, leased_at = NULL, leased_until = NULL WHERE state = 'working' AND lease = ?`;
const extendLease = `UPDATE outbox_deliveries SET leased_until = ? WHERE id = ?`;
const listExpired = `SELECT id, attempts, leased_at FROM outbox_deliveries WHERE state = 'working' AND leased_until < ? ORDER BY leased_until LIMIT ${EXPIRED_OF_ROUND}`;
const interrupt = `UPDATE outbox_deliveries SET state = 'waiting', attempts = ?, due_at = ?, in_doubt = ?, problem = ?, lease = NULL, leased_at = NULL, leased_until = NULL WHERE id = ?`;
// Of those with one key only the first can be had, and only when nothing before it is under way.
const listDue = `SELECT d.id, d.event_id, d.event, d.attempts, d.in_doubt, d.progress, d.tried_since, d.order_key, (SELECT e.payload FROM outbox_events AS e WHERE e.id = d.event_id) AS payload FROM outbox_deliveries AS d WHERE d.integration = ? AND d.state = 'waiting' AND d.due_at <= ? AND (d.order_key IS NULL OR NOT EXISTS (SELECT 1 FROM outbox_deliveries AS b WHERE b.order_key = d.order_key AND b.integration = d.integration AND b.state IN ('waiting', 'working') AND b.event_id < d.event_id)) ORDER BY d.priority, d.due_at, d.id`;
const lease = `UPDATE outbox_deliveries SET state = 'working', lease = ?, leased_at = ?, leased_until = ? WHERE id = ?`;
const listEvents = `SELECT id, name, payload, occurred_at FROM outbox_events WHERE dispatched_at IS NULL ORDER BY dispatched_at, id LIMIT ${EVENTS_OF_ROUND}`;
// Those of some names of which this integration has no delivery yet, whoever else was told of them. Between the two halves stand as many `?` as names.
const listOwnEvents = [
  `SELECT e.id, e.name, e.payload, e.occurred_at FROM outbox_events AS e WHERE e.id > ? AND e.name IN (`,
  `) AND NOT EXISTS (SELECT 1 FROM outbox_deliveries AS d WHERE d.event_id = e.id AND d.integration = ?) ORDER BY e.id LIMIT ${EVENTS_OF_ROUND}`,
];
const findDelivery = `SELECT id FROM outbox_deliveries WHERE event_id = ? AND integration = ?`;
const insertDelivery = `INSERT INTO outbox_deliveries (id, event_id, event, integration, provider, priority, order_key, state, attempts, due_at, in_doubt, created_at, tried_since) VALUES (?, ?, ?, ?, ?, ?, ?, 'waiting', 0, ?, ?, ?, ?)`;
const holdEvent = `SELECT id FROM outbox_events WHERE id = ?`;
const markDispatched = `UPDATE outbox_events SET dispatched_at = ? WHERE id = ?`;
const countBacklog = `SELECT state, COUNT(*) AS count, MIN(created_at) AS oldest FROM outbox_deliveries WHERE integration = ? AND state IN ('waiting', 'working', 'dead') GROUP BY state`;
const findNext = `SELECT integration FROM outbox_deliveries WHERE integration > ? ORDER BY integration LIMIT 1`;
const findSince = `SELECT MIN(applied_at) AS since FROM schema_migrations WHERE scope = ?`;
const listOld = `SELECT id FROM outbox_deliveries WHERE state = 'delivered' AND integration = ? AND ended_at < ? LIMIT ${FORGOTTEN_AT_ONCE}`;
const forgetAttempts = `DELETE FROM outbox_attempts WHERE delivery_id = ?`;
const forgetDelivery = `DELETE FROM outbox_deliveries WHERE id = ?`;
const listOldEvents = `SELECT id FROM outbox_events WHERE dispatched_at < ? AND NOT EXISTS (SELECT 1 FROM outbox_deliveries WHERE outbox_deliveries.event_id = outbox_events.id) LIMIT ${FORGOTTEN_AT_ONCE}`;
const forgetEvent = `DELETE FROM outbox_events WHERE id = ?`;
// Subscriptions are called by their ids.
const byThemselves = /^(?:mail|subscribers|alert_webhook|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/;
// What was put aside has a body, and is left to a person.
const listOldHeard = `SELECT id FROM inbox_events WHERE integration = ? AND received_at < ? AND body IS NULL LIMIT ${FORGOTTEN_AT_ONCE}`;
const forgetHearing = `DELETE FROM inbox_events WHERE id = ?`;

// Of the engines that keep them as text or numbers.
const ofDelivery = { in_doubt: { kind: 'boolean' }, progress: { kind: 'json' }, payload: { kind: 'json' } };
const ofEvent = { payload: { kind: 'json' } };
const ofRemembered = { value: { kind: 'json' } };

/**
 * Does a round: all of it stays, or nothing.
 * @param {import('../database.js').Database} database
 * @param {object} round
 * @param {string} round.integration whose deliveries are leased
 * @param {Date} round.now
 * @param {string} round.lease under which deliveries are taken: this round's own
 * @param {Date} round.leasedUntil
 * @param {object[]} round.recorded what came of deliveries; `state` is still `working` where a step is done and others follow
 * @param {{ id: string, lease: string }[]} round.extended deliveries that are still being worked on
 * @param {string[]} round.abandoned leases of rounds of which nobody knows whether they came about: nothing was begun under them
 * @param {boolean} round.expires whether leases that have run out are looked for
 * @param {number} round.places how many deliveries may be begun
 * @param {(event: object) => object[]} [round.deliveriesOf] makes deliveries of an event; absent: not asked for
 * @param {{ names: string[], after: string }} [round.events] the events that the integration makes deliveries of for itself alone, and
 *   the id behind which they are looked for; absent: it makes those of every new event, for everybody
 * @returns {Promise<{ held: Set<string>, leased: object[], isMore: boolean, areMoreEvents: boolean, lastEvent?: string, awaited: Date[] }>} `awaited`: when new
 *   deliveries are due that are not yet
 */
export function doRound(database, round) {
  return database.transaction(async (transaction) => {
    const held = new Set();
    await record(transaction, round, held);
    for (const abandoned of round.abandoned) await transaction.run(giveBack, [abandoned]);
    await extend(transaction, round, held);
    if (round.expires) await expire(transaction, round);
    const made = round.deliveriesOf ? await makeDeliveries(transaction, round) : { areMoreEvents: false, awaited: [] };
    const leased = round.places > 0 ? await leaseDue(transaction, round) : [];
    return { held, leased, isMore: leased.length === round.places && leased.length > 0, ...made };
  });
}

/** Has an event delivered to whom it is not delivered yet, at once. @param {{ id: string, name: string }} event */
export function deliverTo(database, event, wanted) {
  return database.transaction(async (transaction) => {
    // Others may be at it at the same time.
    await transaction.many(holdEvent + lock(transaction), [event.id]);
    const now = new Date();
    for (const made of wanted) await makeDelivery(transaction, event, made, now);
  });
}

/** What an integration has kept of somebody; `undefined` where nothing. */
export async function remembered(database, integration, name, whose) {
  return (await database.optional(findRemembered, [integration, name, whose], ofRemembered))?.value ?? undefined;
}

/** What waits, is worked on or was given up. @returns {Promise<{ state: string, count: number, oldest: string }[]>} */
export async function backlog(database, integration) {
  return (await database.many(countBacklog, [integration])).map((row) => ({ ...row, count: Number(row.count) }));
}

/**
 * An integration that events of this database are delivered to and that is none of these; `undefined` where there is none. Mails and what
 * subscribers hear are looked for by themselves: whoever sends them minds nobody else's deliveries.
 */
export async function anotherIntegration(database, known) {
  // From one name to the next: what lies between is many deliveries.
  for (let last = ''; ; ) {
    const found = (await database.optional(findNext, [last]))?.integration;
    if (found === undefined || !(byThemselves.test(found) || known.includes(found))) return found;
    last = found;
  }
}

/** Since when the task is there: what happened before does not concern its service. @returns {Promise<Date>} */
export async function integratedSince(database, integration) {
  const { since } = await database.one(findSince, [integration]);
  return since === null ? new Date() : new Date(since);
}

/** Forgets deliveries that ended well before a time, with their attempts; a part of them where there are many. Returns how many. */
export function forget(database, integration, before) {
  return database.transaction(async (transaction) => {
    const old = await transaction.many(listOld + freeLock(transaction), [integration, before]);
    for (const { id } of old) {
      await transaction.run(forgetAttempts, [id]);
      await transaction.run(forgetDelivery, [id]);
    }
    return old.length;
  });
}

/** Forgets events whose deliveries were made before a time, and of which none is left; a part of them where there are many. Returns how many. */
export function forgetEvents(database, before) {
  return forgetThose(database, listOldEvents, [before], forgetEvent);
}

/** Forgets what an integration was told before a time; not what was put aside for a person. A part of it where there is much. Returns how many. */
export function forgetHeard(database, integration, before) {
  return forgetThose(database, listOldHeard, [integration, before], forgetHearing);
}

function forgetThose(database, found, parameters, forgetOne) {
  return database.transaction(async (transaction) => {
    const old = await transaction.many(found, parameters);
    for (const { id } of old) await transaction.run(forgetOne, [id]);
    return old.length;
  });
}

function lock(transaction) {
  return transaction.locksRows ? ' FOR UPDATE' : '';
}

/** Leaving out rows that somebody else has. */
function freeLock(transaction) {
  return transaction.locksRows ? ' FOR UPDATE SKIP LOCKED' : '';
}

/** Whether the lease is still good; nobody else can take the delivery until the round ends. */
async function isHeld(transaction, { id, lease: by }) {
  return (await transaction.optional(findHeld + lock(transaction), [id, by])) !== null;
}

async function record(transaction, round, held) {
  for (const ended of round.recorded) {
    if (!(await isHeld(transaction, ended))) continue;
    held.add(ended.id);
    const isWorking = ended.state === 'working';
    const isOver = ended.state === 'delivered' || ended.state === 'dead';
    await transaction.run(recordResult, [
      ended.state, ended.attempts, ended.dueAt, ended.inDoubt, documentOf(ended.progress), ended.problem,
      isWorking ? ended.lease : null, isWorking ? round.now : null, isWorking ? round.leasedUntil : null, isOver ? round.now : null, ended.id,
    ]);
    const { attempt } = ended;
    if (attempt) {
      const values = [attempt.id, ended.id, attempt.startedAt, round.now, attempt.outcome, attempt.code, ended.problem, documentOf(attempt.record)];
      await transaction.run(insertAttempt, values);
    }
    for (const kept of ended.remembered ?? []) await remember(transaction, kept, round.now);
  }
}

async function remember(transaction, { integration, name, whose, value }, now) {
  const known = await transaction.optional(findRemembered + lock(transaction), [integration, name, whose], ofRemembered);
  const text = JSON.stringify(value);
  if (known === null) await transaction.run(insertRemembered, [integration, name, whose, text, now]);
  else await transaction.run(changeRemembered, [text, now, integration, name, whose]);
}

async function extend(transaction, round, held) {
  for (const asked of round.extended) {
    if (!(await isHeld(transaction, asked))) continue;
    held.add(asked.id);
    await transaction.run(extendLease, [round.leasedUntil, asked.id]);
  }
}

/** What nobody works on any more waits again. Nobody knows what became of it, so it is told that it is in doubt. */
async function expire(transaction, { now }) {
  for (const { id, attempts, leased_at: leasedAt } of await transaction.many(listExpired + freeLock(transaction), [now])) {
    await transaction.run(interrupt, [attempts + 1, now, true, GONE, id]);
    const startedAt = leasedAt === null ? now : new Date(leasedAt);
    await transaction.run(insertAttempt, [uuidv7(), id, startedAt, now, 'interrupted', null, GONE, null]);
  }
}

async function leaseDue(transaction, round) {
  const query = `${listDue} LIMIT ${round.places}${freeLock(transaction)}`;
  const due = await transaction.many(query, [round.integration, round.now], ofDelivery);
  for (const { id } of due) await transaction.run(lease, [round.lease, round.now, round.leasedUntil, id]);
  return due.map((row) => ({
    id: row.id,
    eventId: row.event_id,
    event: row.event,
    attempts: row.attempts,
    inDoubt: row.in_doubt,
    progress: row.progress ?? undefined,
    triedSince: new Date(row.tried_since),
    isOrdered: row.order_key !== null,
    // An event that somebody has removed meanwhile says nothing.
    payload: row.payload,
    lease: round.lease,
  }));
}

/** Each event is seen by one round alone: its row is kept from everybody else meanwhile. Returns whether there may be more, and where they go on. */
async function makeDeliveries(transaction, round) {
  const { now, deliveriesOf } = round;
  const events = await newEvents(transaction, round);
  const awaited = [];
  for (const event of events) {
    for (const made of deliveriesOf(event)) {
      const dueAt = await makeDelivery(transaction, event, made, now);
      if (dueAt > now) awaited.push(dueAt);
    }
    if (!round.events) await transaction.run(markDispatched, [now, event.id]);
  }
  return { areMoreEvents: events.length === EVENTS_OF_ROUND, lastEvent: events.at(-1)?.id, awaited };
}

/** When it is due; `undefined` where it is there already, because somebody has made the event new again. */
async function makeDelivery(transaction, event, made, now) {
  if ((await transaction.optional(findDelivery, [event.id, made.integration])) !== null) return undefined;
  const dueAt = made.dueAt ?? now;
  const values = [uuidv7(), event.id, event.name, made.integration, made.provider, made.priority, made.orderKey, dueAt, false, now, now];
  await transaction.run(insertDelivery, values);
  return dueAt;
}

function newEvents(transaction, { events, integration }) {
  if (!events) return transaction.many(listEvents + lock(transaction), [], ofEvent);
  const query = listOwnEvents.join(events.names.map(() => '?').join(', '));
  return transaction.many(query + lock(transaction), [events.after, ...events.names, integration], ofEvent);
}

function documentOf(value) {
  return value === undefined ? null : JSON.stringify(value);
}
