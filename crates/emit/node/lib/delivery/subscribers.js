// Those who are told of events at addresses of their own: an event comes in, and goes out as a delivery to each subscription that hears of it,
// and each of those as a signed message (Standard Webhooks, https://www.standardwebhooks.com). No secret, no payload and nothing of what a
// subscriber repeats of one is written down.

import { createHash, createHmac } from 'node:crypto';
import { uuidv7 } from '../identifiers.js';
import { logError, logWarning } from '../log.js';
import { send } from '../provider/client.js';
import { successorOf } from '../successor.js';
import { deliverTo } from './rounds.js';
import { Deliveries } from './worker.js';

/** What the delivery is called that makes those to each subscription. That to a subscription is called by its id. */
const INTEGRATION = 'subscribers';
const TEST = 'webhook_test';
const FAILING = 'webhook_subscription_failing';
const DISABLED = 'webhook_subscription_disabled';
// What happened longer ago is not told of any more; how often it is looked who subscribes, and for deliveries that another process has made.
const NEWS = 72 * 3_600_000;
const LOOKS = 1000;
const POLL = 5000;
// As Standard Webhooks recommends it, in seconds: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
const SCHEDULE = [5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400];
const RETRY = { attempts: SCHEDULE.length + 1, forHours: 120, firstWait: 500, mostWaitSeconds: 14_400 };
const AT_ONCE = 8;
const RATE = 10;
const ANSWER_WITHIN = 20_000;
const LONGEST_WAIT_SECONDS = 3600;
// Most bytes of an answer that are kept.
const MOST_KEPT = 1024;
// Texts of an event that are shorter say too little to be looked for in an answer.
const TELLING = 4;
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
    const { headers, body } = this.#message(one, delivery, new Date());
    const startedAt = performance.now();
    const sent = await send({ method: 'POST', url: one.url, headers, body }, { within: ANSWER_WITHIN, isOurs: this.#isAnywhere, mostBytes: MOST_KEPT });
    const { outcome, problem, wait } = meaningOf(sent);
    const record = {
      method: 'POST',
      url: one.url.split('?')[0],
      request_headers: headers.filter(([name]) => name !== 'webhook-signature'),
      request_body: `sha256:${createHash('sha256').update(body).digest('hex').slice(0, 16)}`,
      status: sent.answer?.status ?? null,
      answer_headers: [],
      answer_body: sent.answer ? repeatedOf(sent.answer, delivery.payload) : '',
      duration_ms: Math.round(performance.now() - startedAt),
      request_id: null,
    };
    await this.#keep(one, outcome, sent).catch((error) => logError('how a delivery went was not kept', error, { subscription: one.id }));
    const code = sent.answer && outcome !== 'delivered' ? String(sent.answer.status) : undefined;
    return { outcome, wait, again: waitOf(delivery.attempts), inDoubt: false, code, problem, record: [record], remembered: [] };
  }

  #message(one, { event, eventId, payload }, now) {
    const { without = [] } = this.#offers[event] ?? {};
    const data = Object.fromEntries(Object.entries(payload ?? {}).filter(([name]) => !without.includes(name)));
    const body = JSON.stringify({ type: event, timestamp: happenedAt(eventId).toISOString(), data });
    const time = String(Math.floor(now.getTime() / 1000));
    const isOldGood = one.old_secret_id !== null && one.old_secret_until !== null && now < new Date(one.old_secret_until);
    const ids = isOldGood ? [one.secret_id, one.old_secret_id] : [one.secret_id];
    const signatures = ids.map((id) => signatureOf(this.#secret, id, `${eventId}.${time}.${body}`));
    const headers = [['content-type', 'application/json'], ['webhook-id', eventId], ['webhook-timestamp', time], ['webhook-signature', signatures.join(' ')]];
    return { headers, body };
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
function signatureOf(secret, id, text) {
  const digest = createHash('sha256').update(successorOf(secret, id)).digest('hex');
  return `v1,${createHmac('sha256', Buffer.from(digest, 'base64')).update(text).digest('base64')}`;
}

/** What came of a message. Whoever gets it twice knows it by its id, so what may have arrived is sent again. */
function meaningOf({ neverConnected, isPermanent, broken, answer }) {
  if (neverConnected !== undefined) return { outcome: isPermanent ? 'permanent' : 'transient', problem: neverConnected };
  if (broken !== undefined) return { outcome: 'transient', problem: broken };
  const { status, headers } = answer;
  if (status >= 200 && status < 300) return { outcome: 'delivered' };
  const problem = `it answered ${status}`;
  if (status === 410) return { outcome: 'permanent', problem };
  if (status !== 429) return { outcome: 'transient', problem };
  const seconds = Number.parseInt(headers.find(([name]) => name.toLowerCase() === 'retry-after')?.[1], 10);
  const wait = Number.isNaN(seconds) ? undefined : Math.min(Math.max(seconds, 0), LONGEST_WAIT_SECONDS) * 1000;
  return { outcome: 'rate_limited', problem, wait };
}

/** Behind how many milliseconds it is tried again after so many attempts in vain before this one, not in step with others. */
function waitOf(attempts) {
  const seconds = SCHEDULE[attempts];
  return seconds && seconds * 1000 + Math.floor(Math.random() * seconds * 100);
}

/** What an answer says, without what it repeats of the event. */
function repeatedOf({ body, isCut }, payload) {
  const told = textsOf(payload).sort((left, right) => right.length - left.length);
  const said = told.reduce((text, one) => text.replaceAll(one, '[redacted]'), body.toString().replaceAll(/\p{Cc}/gu, ''));
  if (said.length <= MOST_KEPT && !isCut) return said;
  const kept = said.slice(0, MOST_KEPT);
  // What was cut off may have been one of them.
  const half = Math.max(0, ...told.map((one) => begunIn(kept, one)));
  return `${kept.slice(0, kept.length - half)} ...`;
}

/** How many characters at the end of the text are the beginning of the other one. */
function begunIn(text, other) {
  for (let length = other.length - 1; length > 0; length -= 1) if (text.endsWith(other.slice(0, length))) return length;
  return 0;
}

function textsOf(value) {
  if (typeof value === 'string') return value.length >= TELLING ? [value] : [];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(textsOf) : [];
}

/** When an event happened: its id begins with the time. */
function happenedAt(eventId) {
  return new Date(Number.parseInt(eventId.replaceAll('-', '').slice(0, 12), 16));
}
