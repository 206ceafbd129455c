// Brings what happens to whom it concerns, a service that the application integrates or people who get mails: looks for events, leases deliveries, has them carried, records what came
// of them. When it is killed nothing is lost; when it is stopped nothing is left in doubt that could be waited for. The native server may
// run on the same database.

import { uuidv7 } from '../identifiers.js';
import { logError, logWarning } from '../log.js';
import { carriedHere, ring } from './awaited.js';
import { Lane, backOff } from './lane.js';
import { LeaseLost, anotherIntegration, backlog, doRound, forget, forgetEvents, forgetHeard, integratedSince } from './rounds.js';

// Milliseconds: for how long deliveries are taken, and how often it is looked for what others have left.
const LEASE = 30_000;
const POLL = 1000;
// How long a round that failed is waited behind, first and at most.
const FIRST_PAUSE = 50;
const LONGEST_PAUSE = 5000;
// How long it is waited for deliveries under way when the worker ends, and for the last results behind that.
const GRACE = 10_000;
const LAST_RECORDS = 5000;
// How often it is counted what waits; how often, and how old, deliveries are forgotten that came out well.
const COUNTING = 10_000;
const FORGETTING = 3_600_000;
const DAY = 24 * 3_600_000;
const KEPT = 30 * DAY;
// How long an event may be on its way into the database: ids are older than their rows.
const OVERLAP = 600_000;
// Results that one round records at most.
const RECORDED_OF_ROUND = 200;
// Into what parts of a second the times are put at which something is due, in milliseconds, and how many are known.
const DUE_PART = 20;
const DUES = 1000;

export class Deliveries {
  #database;
  #account;
  #carrier;
  #poll;
  /** Whether somebody else wakes and stops it. */
  #isKept;
  #lane;
  /** Behind which id its own events are looked for, where it has such. */
  #after;
  #counts = { attempts: new Map(), took: 0, deliveredAt: undefined, backlog: [] };
  #since;
  /** Whether no integration is told of this database's events of which this application knows nothing. */
  #isAlone = true;
  /** Deliveries under way, by their ids. */
  #underWay = new Map();
  #pending = [];
  #abandoned = [];
  #awaitsEvents = true;
  #looks = true;
  // When deliveries are due that are known.
  #dues = new Set();
  #pollsAt = 0;
  #expiresAt = 0;
  #resumesAt = 0;
  #forgetsAt = Date.now() + FORGETTING;
  #failedRounds = 0;
  #isEnding = false;
  #running;
  #upkeep;
  #wake = () => {};
  #leaves = () => {};

  /**
   * @param {{ database: import('../database.js').Database, account: object, carrier: object, poll?: number, random?: () => number }} parts `account` as
   *   `../provider/account.js` or `../mail/mailer.js` opens it; `carrier` makes deliveries of events, for the services of its `tasks`, and
   *   carries those of the account: `steps.js`, `mailer.js`; one with a `poll`, in milliseconds, is woken and stopped by whoever has made it
   */
  constructor({ database, account, carrier, poll, random = Math.random }) {
    this.#poll = poll ?? POLL;
    this.#isKept = poll !== undefined;
    this.#database = database;
    this.#account = account;
    this.#carrier = carrier;
    this.#lane = new Lane(account.service, Date.now(), random);
  }

  /** Begins, unless something of the account is missing: then events wait in the outbox, and the log says for what. */
  start() {
    const { problems, service } = this.#account;
    if (problems.length > 0) {
      logWarning(`nothing is brought to ${service.title}: events wait in the outbox`, { missing: problems });
      return;
    }
    if (!this.#isKept) {
      this.#database.beforeClose(() => this.stop());
      this.#database.whenEmitted(() => this.wake());
    }
    this.#leaves = carriedHere(this.#account.name);
    this.#running = this.#run();
    this.#keepUp();
    this.#upkeep = setInterval(() => this.#keepUp(), COUNTING).unref();
  }

  /** Says that this process has committed events. */
  wake() {
    this.#awaitsEvents = true;
    this.#wake();
  }

  /** Says that there are deliveries that are due. */
  look() {
    this.#looks = true;
    this.#wake();
  }

  /** Begins nothing more, waits a while for what is under way, and gives the rest back. */
  async stop() {
    clearInterval(this.#upkeep);
    this.#isEnding = true;
    this.#wake();
    const late = setTimeout(() => this.#giveUp(), GRACE);
    const tooLate = new Promise((resolve) => {
      setTimeout(resolve, GRACE + LAST_RECORDS).unref();
    });
    await Promise.race([this.#running, tooLate]);
    clearTimeout(late);
    this.#leaves();
  }

  /**
   * What was counted: attempts by outcome, how long they have taken together and when one came out well last, in milliseconds; what waits;
   * whether the service is spared.
   */
  snapshot() {
    return { integration: this.#account.name, ...this.#counts, isSpared: this.#lane.breaker.isOpen };
  }

  /** Those of everything that it carries. */
  snapshots() {
    return [this.snapshot()];
  }

  async #run() {
    while (!(this.#isEnding && this.#underWay.size === 0 && this.#pending.length === 0 && this.#abandoned.length === 0)) {
      const now = Date.now();
      const round = this.#round(now);
      if (round === undefined) await this.#pause(this.#wakesAt(now) - now);
      else await this.#do(round);
    }
  }

  /** The next round, where there is something to do. */
  #round(now) {
    if (now < this.#resumesAt) return undefined;
    if (this.#pollsAt <= now) {
      this.#pollsAt = now + this.#poll;
      this.#awaitsEvents = true;
      this.#looks = true;
    }
    const makesDeliveries = this.#carrier.deliveriesOf !== undefined && this.#awaitsEvents && !this.#isEnding && (this.#isAlone || this.#carrier.events !== undefined);
    const looks = !this.#isEnding && (this.#looks || this.#dueAt() <= now || makesDeliveries);
    const places = looks ? this.#lane.places(now) : 0;
    const expires = this.#expiresAt <= now;
    const soon = now + (LEASE * 2) / 3;
    const extended = [...this.#underWay.values()].filter((one) => one.leasedUntil < soon && !one.isLost).map(({ id, lease }) => ({ id, lease }));
    const isIdle = !makesDeliveries && !expires && places === 0 && extended.length + this.#pending.length + this.#abandoned.length === 0;
    if (isIdle) return undefined;
    if (expires) this.#expiresAt = now + LEASE / 6;
    if (places > 0) {
      this.#looks = false;
      for (const due of this.#dues) if (due <= now) this.#dues.delete(due);
    }
    this.#awaitsEvents = false;
    return {
      integration: this.#account.name,
      now: new Date(now),
      lease: uuidv7(),
      leasedUntil: new Date(now + LEASE),
      recorded: this.#pending.slice(0, RECORDED_OF_ROUND),
      extended,
      abandoned: [...this.#abandoned],
      expires,
      places,
      makesDeliveries,
      events: this.#ownEvents(now),
    };
  }

  #ownEvents(now) {
    if (this.#carrier.events === undefined) return undefined;
    const { names, within } = this.#carrier.events;
    return { names, after: this.#after ?? firstIdOf(now - within) };
  }

  async #do(round) {
    try {
      this.#since ??= await this.#integratedSince();
      const deliveries = (event) => this.#carrier.deliveriesOf(this.#since, event);
      const done = await doRound(this.#database, { ...round, deliveriesOf: round.makesDeliveries ? deliveries : undefined });
      this.#failedRounds = 0;
      this.#settle(round, done);
    } catch (error) {
      this.#failed(round, error);
    }
  }

  /** Since when each task is there for whose service deliveries are made. */
  async #integratedSince() {
    const since = {};
    for (const task of this.#carrier.tasks) since[task] = await integratedSince(this.#database, task);
    return since;
  }

  /** What was recorded, what has kept its lease, what is to be begun. */
  #settle(round, { held, leased, isMore, areMoreEvents, lastEvent, awaited }) {
    this.#abandoned.splice(0, round.abandoned.length);
    for (const recorded of this.#pending.splice(0, round.recorded.length)) {
      if (recorded.state !== 'working') {
        if (recorded.state !== 'waiting') ring(recorded.id);
        continue;
      }
      if (!held.has(recorded.id)) this.#lose(recorded.id);
      recorded.saved(held.has(recorded.id));
    }
    for (const { id } of round.extended) {
      const one = this.#underWay.get(id);
      if (one && held.has(id)) one.leasedUntil = round.leasedUntil.getTime();
      else if (one) this.#lose(id);
    }
    this.#awaitsEvents ||= areMoreEvents;
    if (round.makesDeliveries && round.events) this.#after = areMoreEvents ? lastEvent : firstIdOf(round.now.getTime() - OVERLAP);
    this.#looks ||= isMore;
    for (const due of awaited) this.#awaits(due.getTime());
    for (const delivery of leased) this.#begin(delivery, round.leasedUntil.getTime());
  }

  /** Nobody knows whether it came about: what it was to record is recorded again, what it may have leased is given back. */
  #failed(round, error) {
    const now = Date.now();
    logError('deliveries wait for the database', error);
    this.#failedRounds += 1;
    this.#resumesAt = now + 1 + backOff(Math.random, FIRST_PAUSE, LONGEST_PAUSE, this.#failedRounds);
    this.#awaitsEvents = true;
    this.#looks = true;
    if (round.places > 0) this.#abandoned.push(round.lease);
    for (const one of this.#underWay.values()) if (one.leasedUntil <= now) this.#lose(one.id);
  }

  #begin(delivery, leasedUntil) {
    const now = Date.now();
    this.#lane.begun(now);
    const one = { ...delivery, leasedUntil, beganAt: new Date(now), isLost: false, isOver: false };
    this.#underWay.set(one.id, one);
    // What ends whoever carries it must not do so for ever.
    if (one.inDoubt && one.attempts >= this.#account.service.retry.attempts) {
      const problem = `it was given up after ${one.attempts} attempts that nobody saw the end of`;
      this.#ended(one, { outcome: 'put_aside', inDoubt: true, problem, remembered: [] });
      return;
    }
    const hold = { save: (progress, remembered) => this.#save(one, progress, remembered) };
    this.#carrier.carry(one, hold, this.#database).then(
      (carried) => this.#ended(one, carried),
      (error) => {
        logError('a delivery failed in a way that nobody has thought of', error, { delivery: one.id });
        this.#ended(one, { outcome: 'interrupted', inDoubt: true, problem: 'it failed inside of the application', remembered: [] });
      },
    );
  }

  /** A step is done and others follow: what it left is durable when this returns. */
  #save(one, progress, remembered) {
    return new Promise((resolve, reject) => {
      const saved = (isHeld) => (isHeld ? resolve() : reject(new LeaseLost('the lease of this delivery is gone')));
      if (one.isOver || one.isLost) {
        saved(false);
        return;
      }
      one.progress = progress;
      const { id, lease, attempts, inDoubt } = one;
      this.#pending.push({ id, lease, state: 'working', attempts, dueAt: new Date(), inDoubt, progress, problem: null, remembered, saved });
      this.#wake();
    });
  }

  #ended(one, carried) {
    if (one.isOver) return;
    one.isOver = true;
    this.#underWay.delete(one.id);
    const { attempts: counted } = this.#counts;
    counted.set(carried.outcome, (counted.get(carried.outcome) ?? 0) + 1);
    this.#counts.took += Date.now() - one.beganAt.getTime();
    if (carried.outcome === 'delivered') this.#counts.deliveredAt = Date.now();
    const { state, attempts, due } = this.#lane.ended(Date.now(), one, carried.outcome, carried);
    if (state === 'waiting') this.#awaits(due);
    else if (one.isOrdered) this.#looks = true;
    this.#pending.push({
      id: one.id,
      lease: one.lease,
      state,
      attempts,
      dueAt: new Date(due),
      inDoubt: carried.outcome !== 'delivered' && carried.inDoubt,
      progress: carried.progress ?? one.progress,
      problem: carried.problem ?? null,
      attempt: { id: uuidv7(), startedAt: one.beganAt, outcome: carried.outcome, code: carried.code ?? null, record: carried.record },
      remembered: carried.remembered,
    });
    this.#wake();
  }

  /** Somebody else may have it: nothing more of it goes out, and what comes of it is not recorded here. */
  #lose(id) {
    const one = this.#underWay.get(id);
    if (one === undefined || one.isLost) return;
    one.isLost = true;
    logWarning('the lease of a delivery was lost', { delivery: id });
    this.#ended(one, { outcome: 'interrupted', inDoubt: true, remembered: [] });
  }

  /** What has not ended in time is left to whoever comes next, who is told that it is in doubt. */
  #giveUp() {
    for (const one of [...this.#underWay.values()]) {
      this.#ended(one, { outcome: 'interrupted', inDoubt: true, problem: 'the server was stopped meanwhile', remembered: [] });
    }
  }

  /** Something is due at that time, which becomes a full part of a second: few rounds look for many deliveries. */
  #awaits(due) {
    // What is not known is found a while later.
    if (this.#dues.size < DUES) this.#dues.add(Math.ceil(due / DUE_PART) * DUE_PART);
  }

  #dueAt() {
    return Math.min(...this.#dues);
  }

  #wakesAt(now) {
    let at = Math.min(this.#pollsAt, this.#expiresAt);
    if (this.#pending.length > 0 || this.#abandoned.length > 0) at = now;
    if (!this.#isEnding && (this.#awaitsEvents || this.#looks)) at = Math.min(at, this.#lane.wakesAt(now + POLL / 10));
    if (!this.#isEnding && this.#dues.size > 0) at = Math.min(at, this.#lane.wakesAt(this.#dueAt()));
    for (const one of this.#underWay.values()) at = Math.min(at, one.leasedUntil - (LEASE * 2) / 3);
    return Math.max(at, this.#resumesAt, now + 1);
  }

  #pause(milliseconds) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, Math.min(milliseconds, this.#poll));
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** Counts what waits, and forgets what is old. */
  async #keepUp() {
    try {
      this.#counts.backlog = await backlog(this.#database, this.#account.name);
      await this.#lookForOthers();
      if (Date.now() < this.#forgetsAt) return;
      this.#forgetsAt = Date.now() + FORGETTING;
      await this.#forget();
    } catch (error) {
      logError('what waits was not counted', error);
    }
  }

  /** Deliveries that came out well, events of which none is left, and calls of the provider that it cannot make again. */
  async #forget() {
    const { name, service } = this.#account;
    const before = (age) => new Date(Date.now() - age);
    while ((await forget(this.#database, name, before(KEPT))) > 0);
    while ((await forgetEvents(this.#database, before(KEPT))) > 0);
    if (service.webhooks === undefined) return;
    while ((await forgetHeard(this.#database, name, before(service.webhooks.keepDays * DAY))) > 0);
  }

  /** Who makes deliveries of an event makes them for everybody: one that does not know everybody makes none. */
  async #lookForOthers() {
    if (this.#carrier.events !== undefined || this.#carrier.deliveriesOf === undefined) return;
    const other = await anotherIntegration(this.#database, this.#carrier.tasks);
    if (other !== undefined && this.#isAlone) {
      logWarning('an integration that this application does not know is told of the events of this database: `producer serve`, or an application written since, has to make the deliveries', { integration: other });
    }
    this.#isAlone = other === undefined;
  }
}

/** The first id that an event of that time can have: ids are UUIDs of version 7, which begin with it. */
export function firstIdOf(milliseconds) {
  const time = milliseconds.toString(16).padStart(12, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-000000000000`;
}
