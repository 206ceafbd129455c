// What a service has answered to an event, for whoever waits for it. A worker carries it meanwhile: one of this process rings when it has
// recorded the end, and for the others the row is looked at until it has ended. Nothing is sent from here.

import { setTimeout as pause } from 'node:timers/promises';

const findDelivery = `SELECT id, state, in_doubt, progress FROM outbox_deliveries WHERE event_id = ? AND integration = ?`;

// The first pause between two looks; each is twice as long as the one before.
const FIRST_LOOK = 4;
const LAST_LOOK = 200;
// Where nobody has taken up the event by then, nobody carries deliveries at present. A worker of this process hears of it at once, one of
// another looks for events every second.
const TAKEN_UP_HERE = 500;
const TAKEN_UP_ELSEWHERE = 1500;

// Who waits for the end of which delivery in this process, and how many workers it has for each integration. An id is that of one delivery in all
// databases.
const waiting = new Map();
const workers = new Map();

/** Deliveries of that integration are carried in this process from now on, until what is returned is called. */
export function carriedHere(integration) {
  const count = (more) => workers.set(integration, (workers.get(integration) ?? 0) + more);
  count(1);
  return () => count(-1);
}

/** A worker of this process has recorded the end of a delivery. */
export function ring(id) {
  for (const bell of waiting.get(id) ?? []) bell();
  waiting.delete(id);
}

/**
 * @param {import('../database.js').Database} database
 * @param {{ event: string, integration: string, gives: Record<string, [string, string]>, within: number }} asked the event's
 *   id, the task of the service, which field of which step's answer is given under each name, and how long it is waited, in
 *   milliseconds
 * @returns {Promise<{ outcome: 'answered' | 'refused' | 'unknown' }>} with the values where it is answered
 */
export async function awaited(database, { event, integration, gives, within }) {
  const begin = performance.now();
  const isCarriedHere = workers.get(integration) > 0;
  const takenUp = Math.min(within, isCarriedHere ? TAKEN_UP_HERE : TAKEN_UP_ELSEWHERE);
  let bell;
  try {
    for (let wait = FIRST_LOOK; ; wait = Math.min(wait * 2, LAST_LOOK)) {
      const row = await database.optional(findDelivery, [event, integration], { in_doubt: { kind: 'boolean' } });
      if (row?.state === 'delivered') return answered(row, gives);
      if (row?.state === 'dead') return { outcome: row.in_doubt ? 'unknown' : 'refused' };
      const left = (row ? within : takenUp) - (performance.now() - begin);
      if (left <= 0) return { outcome: 'unknown' };
      if (bell) await bell.rings(Math.min(wait, left));
      // It may have ended before anybody knew that somebody waits: another look tells.
      else if (row && isCarriedHere) bell = new Bell(row.id);
      else await pause(Math.min(wait, left));
    }
  } finally {
    bell?.put();
  }
}

/** A place among those who wait for the end of a delivery, until it is put away. */
class Bell {
  #id;
  #hasRung = false;
  #wake = () => {};
  #ring = () => {
    this.#hasRung = true;
    this.#wake();
  };

  constructor(id) {
    this.#id = id;
    waiting.set(id, (waiting.get(id) ?? new Set()).add(this.#ring));
  }

  /** When it rings, at the latest after so many milliseconds. */
  rings(milliseconds) {
    if (this.#hasRung) return pause(Math.min(milliseconds, FIRST_LOOK));
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  put() {
    const others = waiting.get(this.#id);
    others?.delete(this.#ring);
    if (others?.size === 0) waiting.delete(this.#id);
  }
}

function answered({ progress }, gives) {
  const { answers = {} } = typeof progress === 'string' ? JSON.parse(progress) : (progress ?? {});
  const values = Object.entries(gives).map(([name, [step, field]]) => [name, answers[step]?.[field]]);
  if (values.some(([, value]) => value === undefined)) return { outcome: 'unknown' };
  return { outcome: 'answered', ...Object.fromEntries(values) };
}
