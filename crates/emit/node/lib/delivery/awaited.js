// What a service has answered to an event, for whoever waits for it. Whoever carries deliveries, this process or another, does so
// meanwhile; here their row is looked at until it has ended. Nothing is sent from here.

import { setTimeout as pause } from 'node:timers/promises';

const findDelivery = `SELECT state, in_doubt, progress FROM outbox_deliveries WHERE event_id = ? AND integration = ?`;

// The first pause between two looks; each is twice as long as the one before.
const FIRST_LOOK = 4;
const LAST_LOOK = 200;
// Where nobody has taken up the event by then, nobody carries deliveries at present.
const TAKEN_UP_WITHIN = 500;

/**
 * @param {import('../database.js').Database} database
 * @param {{ event: string, integration: string, gives: Record<string, [string, string]>, within: number }} asked the event's
 *   id, the task of the service, which field of which step's answer is given under each name, and how long it is waited, in
 *   milliseconds
 * @returns {Promise<{ outcome: 'answered' | 'refused' | 'unknown' }>} with the values where it is answered
 */
export async function awaited(database, { event, integration, gives, within }) {
  const begin = performance.now();
  for (let wait = FIRST_LOOK; ; wait = Math.min(wait * 2, LAST_LOOK)) {
    const row = await database.optional(findDelivery, [event, integration], { in_doubt: { kind: 'boolean' } });
    if (row?.state === 'delivered') return answered(row, gives);
    if (row?.state === 'dead') return { outcome: row.in_doubt ? 'unknown' : 'refused' };
    const left = (row ? within : Math.min(within, TAKEN_UP_WITHIN)) - (performance.now() - begin);
    if (left <= 0) return { outcome: 'unknown' };
    await pause(Math.min(wait, left));
  }
}

function answered({ progress }, gives) {
  const { answers = {} } = typeof progress === 'string' ? JSON.parse(progress) : (progress ?? {});
  const values = Object.entries(gives).map(([name, [step, field]]) => [name, answers[step]?.[field]]);
  if (values.some(([, value]) => value === undefined)) return { outcome: 'unknown' };
  return { outcome: 'answered', ...Object.fromEntries(values) };
}
