// Those who are told of events at addresses of their own: an event comes in, and goes out as a delivery to each subscription that hears of it,
// and each of those as a signed message (Standard Webhooks, https://www.standardwebhooks.com). No secret, no payload and nothing of what a
// subscriber repeats of one is written down.

import { createHash } from 'node:crypto';
import { uuidv7 } from '../identifiers.js';
import { logError, logWarning } from '../log.js';
import { successorOf } from '../successor.js';
import { deliverTo } from './rounds.js';
import { LONGEST_WAIT_SECONDS, NEWS, RETRY, happenedAt, post } from './signed-message.js';
import { Deliveries } from './worker.js';

/** What the delivery is called that makes those to each subscription. That to a subscription is called by its id. */
const INTEGRATION = 'subscribers';
const TEST = 'webhook_test';
const FAILING = 'webhook_subscription_failing';
const DISABLED = 'webhook_subscription_disabled';
// How often it is looked who subscribes, and for deliveries that another process has made.
const LOOKS = 1000;
const POLL = 5000;
const AT_ONCE = 8;
const RATE = 10;
const MOST = 10_000;

const listSubscriptions = `SELECT id, user_id, url, events, rate_limit, secret_id, old_secret_id, old_secret_until, failing_since, warned_at, created_at FROM webhook_subscriptions WHERE status = 'active' ORDER BY id LIMIT ${MOST}`;
const setWell = `UPDATE webhook_subscriptions SET failing_since = NULL, warned_at = NULL WHERE id = ? AND status = 'active'`;
const setFailing = `UPDATE webhook_subscriptions SET failing_since = ? WHERE id = ? AND status = 'active' AND failing_since IS NULL`;
const setWarned = `UPDATE webhook_subscriptions SET warned_at = ? WHERE id = ? AND status = 'active' AND warned_at IS NULL`;
const setDisabled = `UPDATE webhook_subscriptions SET status = 'disabled', disabled_at = ? WHERE id = ? AND status = 'active'`;
const insertEvent = `INSERT INTO outbox_events (id, name, payload, occurred_at) VALUES (?, ?, ?, ?)`;
const ofSubscription = { events: { kind: 'json' } };

/** Makes the deliveries of events for each subscription, and has a worker for each. */
export class Subscribers extends Deliveries {
  #database;
  #task;
  #offers;
  #disableAfter;
  #secret;
  #isAnywhere;
  #known = new Map();
  // A worker for each subscription, by its id, with what it works by.
  #workers = new Map();
  #looking;
  #isEnding = false;

  /**
   * @param {{ database: import('../database.js').Database, offered: { offers: Record<string, { owner: string | null, without: string[] }>, disableAfter: number }, task: string,
   *   environment?: NodeJS.ProcessEnv }} parts `offered` as `subscribers.json` has it: each event with the field that says whose it is and those that nobody outside hears of; behind how many
   *   seconds of failures a subscription is disabled
   */
  constructor({ database, offered, task, environment = process.env }) {
    const { offers, disableAfter } = offered;
    const names = [...Object.keys(offers), TEST];
    const carrier = {
      tasks: [task],
      events: { names, within: NEWS },
      deliveriesOf: (since, { name, occurred_at: occurredAt }) => {
        const isNews = Date.parse(occurredAt) >= Math.max(since[task].getTime(), Date.now() - NEWS);
        return isNews && names.includes(name) ? [{ integration: INTEGRATION, provider: INTEGRATION, priority: 0, orderKey: null }] : [];
      },
      carry: (delivery) => this.#spread(delivery),
    };
    const service = { title: 'subscribers', retry: RETRY, wait: { mostSeconds: LONGEST_WAIT_SECONDS } };
    const problems = environment.AUTH_SECRET ? [] : ['`AUTH_SECRET` is not set: what messages are signed with is made of it'];
    super({ database, account: { name: INTEGRATION, service, problems }, carrier });
    this.#database = database;
    this.#task = task;
    this.#offers = offers;
    this.#disableAfter = disableAfter * 1000;
    this.#secret = environment.AUTH_SECRET;
    this.#isAnywhere = environment.WEBHOOK_PRIVATE_ADDRESSES?.trim() === 'allow';
  }

  start() {
    if (!this.#secret) return super.start();
    if (this.#isAnywhere) {
      logWarning('`WEBHOOK_PRIVATE_ADDRESSES=allow`: messages to subscribers may go to addresses of this machine and of private networks');
    }
    super.start();
    const look = () => this.#look().catch((error) => logError('who subscribes to events was not read', error));
    look();
    this.#looking = setInterval(look, LOOKS).unref();
  }

  async stop() {
    this.#isEnding = true;
    clearInterval(this.#looking);
    await Promise.all([super.stop(), ...[...this.#workers.values()].map(({ worker }) => worker.stop())]);
  }

  snapshots() {
    return [...super.snapshots(), ...[...this.#workers.values()].flatMap(({ worker }) => worker.snapshots())];
  }

  /** Who subscribes now: each has a worker, and nobody else. */
  async #look() {
    const found = await this.#database.many(listSubscriptions, [], ofSubscription);
    if (this.#isEnding) return;
    this.#known = new Map(found.map((one) => [one.id, one]));
    for (const [id, { worker, by }] of this.#workers) {
      const known = this.#known.get(id);
      if (known !== undefined && by === rulesOf(known)) continue;
      this.#workers.delete(id);
      worker.stop().catch((error) => logError('deliveries to a subscription did not end', error));
    }
    for (const [id, one] of this.#known) {
      if (this.#workers.has(id)) continue;
      const worker = new Deliveries({ database: this.#database, account: accountOf(one), carrier: this.#carrierOf(id), poll: POLL });
      this.#workers.set(id, { worker, by: rulesOf(one) });
      worker.start();
    }
  }

  #carrierOf(id) {
    return { tasks: [this.#task], carry: (delivery) => this.#send(id, delivery) };
  }

  /** Makes the deliveries of an event, to everybody who hears of it. */
  async #spread(delivery) {
    try {
      await this.#look();
      const hearing = [...this.#known.values()].filter((one) => this.#hears(one, delivery));
      const wanted = hearing.map(({ id }) => ({ integration: id, provider: INTEGRATION, priority: 0, orderKey: null }));
      await deliverTo(this.#database, { id: delivery.eventId, name: delivery.event }, wanted);
      for (const { id } of hearing) this.#workers.get(id)?.worker.look();
      return { outcome: 'delivered', inDoubt: false, remembered: [] };
    } catch (error) {
      return { outcome: 'transient', inDoubt: false, problem: error.message, remembered: [] };
    }
  }

  /** Whether the subscription hears of that event: it has asked for it, was there when it happened, and the event is not somebody else's. */
  #hears(one, { event, eventId, payload }) {
    if (event === TEST) return payload?.subscription_id === one.id;
    if (!Object.hasOwn(this.#offers, event)) return false;
    const { owner } = this.#offers[event];
    const isTheirs = one.user_id === null || (owner !== null && payload?.[owner] === one.user_id);
    return isTheirs && (one.events === null || one.events.includes(event)) && new Date(one.created_at) <= happenedAt(eventId);
  }

  /** Sends a message, and keeps how that went. */
  async #send(id, delivery) {
    const one = this.#known.get(id);
    if (one === undefined) {
      return { outcome: 'rate_limited', wait: POLL, inDoubt: false, problem: 'nobody subscribes there any more, or not now', remembered: [] };
    }
    const { event, eventId, payload, attempts } = delivery;
    const { without = [] } = this.#offers[event] ?? {};
    const data = Object.fromEntries(Object.entries(payload ?? {}).filter(([name]) => !without.includes(name)));
    const isOldGood = one.old_secret_id !== null && one.old_secret_until !== null && new Date() < new Date(one.old_secret_until);
    const keys = (isOldGood ? [one.secret_id, one.old_secret_id] : [one.secret_id]).map((secret) => keyOf(this.#secret, secret));
    const shown = one.url.split('?')[0];
    const { sent, carried } = await post({ url: one.url, shown, event, eventId, data, keys, isAnywhere: this.#isAnywhere, payload, attempts });
    await this.#keep(one, carried.outcome, sent).catch((error) => logError('how a delivery went was not kept', error, { subscription: one.id }));
    return carried;
  }

  /** Where that is not kept the next attempt keeps it. */
  async #keep(one, outcome, { answer }) {
    const now = new Date();
    const failing = one.failing_since === null ? undefined : now - new Date(one.failing_since);
    if (outcome === 'rate_limited' || (outcome === 'delivered' && failing === undefined)) return;
    if (outcome === 'delivered') await this.#database.run(setWell, [one.id]);
    else if (answer?.status === 410 || failing >= this.#disableAfter) await this.#tell(setDisabled, DISABLED, one, now);
    else if (failing === undefined) await this.#database.run(setFailing, [now, one.id]);
    else if (failing >= this.#disableAfter / 2 && one.warned_at === null) await this.#tell(setWarned, FAILING, one, now);
  }

  /** Tells of what is so from now on, where it was not so before. */
  async #tell(change, event, one, now) {
    const payload = { subscription_id: one.id, user_id: one.user_id, url: one.url.split('?')[0], failing_since: new Date(one.failing_since ?? now).toISOString() };
    const isNew = await this.#database.transaction(async (transaction) => {
      if (!(await transaction.run(change, [now, one.id]))) return false;
      await transaction.run(insertEvent, [uuidv7(), event, JSON.stringify(payload), now]);
      return true;
    });
    if (!isNew) return;
    logWarning(event === DISABLED ? 'a subscription was disabled: nothing arrives there' : 'nothing arrives at a subscription', { subscription: one.id });
  }
}

/** How a subscription is treated: with another address it is as good as new. */
function rulesOf({ url, rate_limit: rate }) {
  return `${rate} ${url}`;
}

function accountOf({ id, rate_limit: rate }) {
  const budget = { limit: rate ?? RATE, per: 1000 };
  return { name: id, service: { title: 'a subscription', retry: RETRY, wait: { mostSeconds: LONGEST_WAIT_SECONDS }, atOnce: AT_ONCE, budget }, problems: [] };
}

/** `whsec_` with these 64 digits of hex is read as Base64. */
function keyOf(secret, id) {
  return Buffer.from(createHash('sha256').update(successorOf(secret, id)).digest('hex'), 'base64');
}
