// A delivery carried by calls of a provider: what earlier attempts have left comes in, the calls of its point are made one after the other,
// and what came of them goes out. What may have happened is settled before anything is sent again.

import { reconcile } from '../provider/call.js';
import { Unfit } from '../provider/transformations.js';
import { asSent, asText, isAbsent, sha256, written } from '../provider/values.js';
import { LeaseLost, remembered as readRemembered } from './rounds.js';

/** What the worker of deliveries carries those of an account by. It makes those of all the application's accounts. */
export function carrierOf(account, accounts = [account]) {
  return {
    tasks: accounts.map(({ name }) => name),
    deliveriesOf: (since, event) => accounts.flatMap((one) => deliveriesOf(one, since[one.name], event)),
    carry: (delivery, hold, database) => carry(database, account, delivery, hold),
  };
}

/** What a service does at an event: under its own name, else under a more general one; `undefined` where nothing. */
export function pointOf(service, event) {
  return service.points[service.listens[event]];
}

/** The delivery to be made of an event, as a list: none where the service is not concerned. */
export function deliveriesOf(account, since, { name, payload, occurred_at: occurredAt }) {
  const { service } = account;
  const point = pointOf(service, name);
  if (point === undefined || Date.parse(occurredAt) < since.getTime()) return [];
  if (point.needs.some((field) => isAbsent(payload?.[field]))) return [];
  const order = written(point.inOrderOf?.({ ...account.scope, event: withoutNulls(payload) }), asSent);
  const orderKey = order === undefined ? null : sha256(asText(order));
  return [{ integration: account.name, provider: service.provider, priority: service.priority, orderKey }];
}

/**
 * Does what is left to do of a delivery.
 * @param {import('../database.js').Database} database
 * @param {object} account see `../provider/account.js`
 * @param {object} delivery as `rounds.js` leases it
 * @param {{ save(progress: object, remembered: object[]): Promise<void> }} hold keeps what the steps so far have left; it throws a
 *   LeaseLost where somebody else may have the delivery
 * @returns {Promise<{ outcome: string, inDoubt: boolean, progress?: object, code?: string, problem?: string, wait?: number,
 *   retry?: object, record?: object[], remembered: object[] }>} `retry` says how it is tried again, where that is not as everything there;
 *   `outcome` is `delivered`, `permanent`, `transient`, `rate_limited`, `authentication`, `unknown_effect`, `put_aside` or `interrupted`
 */
export async function carry(database, account, delivery, hold) {
  const point = pointOf(account.service, delivery.event);
  if (point === undefined) return failed('permanent', 'nothing is done at this event any more');
  if (typeof delivery.payload !== 'object' || delivery.payload === null) return failed('permanent', 'what is known of the event cannot be read');
  const way = new Way(account, delivery);
  try {
    await way.recall(database);
  } catch (error) {
    return failed('transient', `what is remembered was not read: ${error.message}`);
  }
  for (const [number, step] of point.steps.entries()) {
    const stopped = await way.step(number, step);
    if (stopped !== undefined) return stopped;
    const isLast = number + 1 === point.steps.length;
    if (isLast || !(way.keeps.length > 0 || step.name in way.answers)) continue;
    try {
      await hold.save(way.progress(), way.keeps.splice(0));
    } catch (error) {
      if (!(error instanceof LeaseLost)) throw error;
      return way.carried('interrupted');
    }
  }
  return way.carried('delivered');
}

/** One delivery on its way. */
class Way {
  keeps = [];
  answers;
  #account;
  #delivery;
  #event;
  #remembered = {};
  #inDoubt;
  #records = [];
  #retry;

  constructor(account, delivery) {
    this.#account = account;
    this.#delivery = delivery;
    this.#event = withoutNulls(delivery.payload);
    this.#inDoubt = delivery.inDoubt;
    this.answers = { ...delivery.progress?.answers };
  }

  /** Reads what was kept of earlier events of the same person or thing. */
  async recall(database) {
    for (const [name, { of }] of Object.entries(this.#account.service.remembers)) {
      if (this.#event[of] === undefined) continue;
      this.#remembered[name] = await readRemembered(database, this.#account.name, name, sha256(asText(this.#event[of])));
    }
  }

  /** Makes a call unless it was made, or is to be left out. What ends the delivery is returned. */
  async step(number, step) {
    if (step.name in this.answers) return undefined;
    const { description } = step.operation;
    const delivery = { id: this.#delivery.id, key: this.#key(number, description), time: happenedAt(this.#delivery.eventId), event: this.#delivery.event };
    let input;
    try {
      input = this.#input(step, delivery);
    } catch (error) {
      return this.#refused(error);
    }
    if (input === undefined) return undefined;
    if (this.#inDoubt) {
      const settled = await reconcile(description, this.#account, { input, delivery }, Date.now() - this.#delivery.triedSince.getTime());
      if (settled.answer !== undefined) return this.#done(step, settled.answer, delivery);
      if (settled.stop !== undefined) return this.carried('put_aside', { message: settled.stop });
      if (settled.notYet !== undefined) return this.#notYet(settled.notYet);
      if (settled.didNot) this.#inDoubt = false;
    }
    const { outcome, record } = await step.operation(this.#account, input, delivery);
    this.#records.push(record);
    this.#retry = description.retry;
    if (outcome.means === 'done') return this.#done(step, outcome.answer, delivery);
    if (outcome.means === 'unknown_effect') this.#inDoubt = true;
    const isAsked = outcome.means === 'transient' && outcome.wait !== undefined;
    return this.carried(isAsked ? 'rate_limited' : outcome.means, outcome);
  }

  /** Whether it has happened nobody knows yet: it is asked again, and nothing is sent until then. */
  #notYet({ outcome, record }) {
    this.#records.push(record);
    return this.carried('unknown_effect', outcome);
  }

  /** What the operation is given; `undefined` where the step is left out. */
  #input(step, delivery) {
    const scope = this.#scope(delivery);
    if (step.unless && !isAbsent(written(step.unless(scope), asSent))) return undefined;
    if (step.onlyIf && isAbsent(written(step.onlyIf(scope), asSent))) return undefined;
    return written(step.input(scope), asSent);
  }

  #scope(delivery) {
    return { ...this.#account.scope, event: this.#event, answer: this.answers, remembered: this.#remembered, delivery };
  }

  /** One key for each step: a provider may refuse the same key with another content. */
  #key(number, { idempotency }) {
    const key = `${this.#delivery.id}-${number}`;
    const longest = idempotency?.keyMaxLength ?? Infinity;
    return key.length > longest ? sha256(key).slice(0, longest) : key;
  }

  #done(step, answer, delivery) {
    this.#inDoubt = false;
    this.answers[step.name] = answer;
    try {
      const kept = written(step.remember?.(this.#scope(delivery)) ?? {}, asSent);
      for (const [name, value] of Object.entries(kept)) {
        const of = this.#event[this.#account.service.remembers[name]?.of];
        if (of === undefined) continue;
        this.keeps.push({ integration: this.#account.name, name, whose: sha256(asText(of)), value });
        this.#remembered[name] = value;
      }
    } catch (error) {
      return this.#refused(error);
    }
    return undefined;
  }

  #refused(error) {
    if (!(error instanceof Unfit)) throw error;
    return this.carried('permanent', { code: 'request', message: error.message });
  }

  /** What later attempts need. No secret is kept: a step whose answer holds one is made again. */
  progress() {
    const { points } = this.#account.service;
    const steps = Object.values(points).flatMap((point) => point.steps);
    const isPlain = ([name, answer]) => {
      const declared = steps.find((step) => step.name === name)?.operation.description.answer ?? {};
      return !Object.keys(answer).some((field) => ['secret', 'card'].includes(declared[field]?.privacy));
    };
    return { answers: Object.fromEntries(Object.entries(this.answers).filter(isPlain)) };
  }

  carried(outcome, { code, message, wait } = {}) {
    const inDoubt = this.#inDoubt && outcome !== 'delivered';
    return { outcome, inDoubt, progress: this.progress(), code, problem: message, wait, retry: this.#retry, record: this.#records, remembered: this.keeps };
  }
}

function failed(outcome, problem) {
  return { outcome, inDoubt: false, problem, remembered: [] };
}

/** When an event happened: its id, a UUID of version 7, begins with the time. */
function happenedAt(eventId) {
  const seconds = Math.floor(parseInt(eventId.replaceAll('-', '').slice(0, 12), 16) / 1000);
  return new Date(seconds * 1000).toISOString().replace('.000Z', 'Z');
}

function withoutNulls(payload) {
  return Object.fromEntries(Object.entries(payload ?? {}).filter(([, value]) => value !== null));
}
