// Records of a provider come into a table of ours: what has changed there is read page by page, each record is put where it belongs, and how
// far that has come is noted behind each page. Of many servers one reads; the native server may be one of them. Records may come twice and
// change nothing then, so a kill at any moment loses nothing and doubles nothing. Nothing that comes in is told to anybody.

import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Counter, Gauge } from 'prom-client';
import { uuidv7 } from '../identifiers.js';
import { logInfo, logWarning } from '../log.js';
import { Problem } from '../problem.js';
import { check } from '../validation.js';
import { readPage } from './call.js';
import { all, at } from './place.js';
import { asText, isAbsent } from './values.js';

// Milliseconds: for how long a reading is taken, how often that is said again, and how often it is looked whether somebody else has left one.
const LEASE = 15_000;
const EXTENDING = 4000;
const LOOKING = 3000;
// Between two readings that the provider's calls bring about.
const BETWEEN = 500;
// How often it is read what is gone, and which fields records have there.
const HOURLY = 3_600_000;
// How long what is gone is not read again that the provider tells of.
const GONE = 10_000;
// How far the provider's clock may be behind ours.
const CLOCKS = 600_000;
const FIRST_WAIT = 1000;
const LONGEST_WAIT = 300_000;
const MINUTE = 60_000;
const DAY = 86_400_000;
// Records of a page that are put where they belong at once.
const AT_ONCE = 16;
// Pages between two lines of the log that tell how far the first reading is.
const TOLD_EACH = 10;
const MAX_PROBLEM = 500;
const LEFT_OUT = 'record_left_out';
const FIELDS_MISSING = 'fields_missing';
const KIND = 'integration.data_synchronization';
// Numbers above this are milliseconds: as seconds they would be in the year 5138.
const MILLISECONDS_FROM = 100_000_000_000;

const COLUMNS = 'changed_until, reading_since, page, records, left_out, problem, problem_code, failures, due_at, ended_at, gone_read_at';
const findState = `SELECT ${COLUMNS} FROM sync_states WHERE integration = ? AND sync = ?`;
const insertState = `INSERT INTO sync_states (integration, sync, records, left_out, failures, due_at) VALUES (?, ?, 0, 0, 0, ?)`;
const leaseState = `UPDATE sync_states SET lease = ?, leased_until = ? WHERE integration = ? AND sync = ? AND (leased_until IS NULL OR leased_until < ?)`;
const leaseDueState = `${leaseState} AND due_at <= ?`;
const extendLease = `UPDATE sync_states SET leased_until = ? WHERE integration = ? AND sync = ? AND lease = ?`;
const noteState = `UPDATE sync_states SET changed_until = ?, reading_since = ?, page = ?, records = ?, left_out = ?, problem = ?, problem_code = ?, failures = ?, due_at = ?, ended_at = ?, gone_read_at = ?, leased_until = ? WHERE integration = ? AND sync = ? AND lease = ?`;

/** Why a reading ends before its end. */
class Stopped extends Error {
  constructor(code, message, wait = 0) {
    super(message);
    Object.assign(this, { code, wait });
  }
}

export class Sync {
  #database;
  #account;
  #described;
  #records;
  #running;
  #isEnding = false;
  #isRung = false;
  #wake = () => {};
  #state;
  // Readings that this process has ended, and how long they took together in milliseconds.
  #counted = { completed: 0, failed: 0, took: 0 };

  /**
   * @param {{ database: import('../database.js').Database, account: object, described: object, records: Record<string, Function> }} parts
   *   `described` is an entry of `syncs` of a module of `services/`; `records` put one record each where it belongs
   */
  constructor({ database, account, described, records }) {
    this.#database = database;
    this.#account = account;
    this.#described = described;
    this.#records = records;
  }

  start() {
    if (this.#account.problems.length > 0) return;
    this.#database.beforeClose(() => this.stop());
    this.#running = this.#run();
  }

  /** Says that the provider has told of something. */
  wake() {
    this.#isRung = true;
    this.#wake();
  }

  /** What is under way goes on from its last page next time. */
  async stop() {
    this.#isEnding = true;
    this.#wake();
    await this.#running;
  }

  /** It brings nothing there: what is counted of deliveries has nothing of it. */
  snapshots() {
    return [];
  }

  /** How it stands, as it was noted last by whichever server. */
  standing() {
    return { integration: this.#account.name, sync: this.#described.name, state: this.#state, counted: this.#counted };
  }

  async #run() {
    while (!this.#isEnding) {
      const waits = !this.#isRung;
      this.#isRung = false;
      let pause = LOOKING;
      try {
        pause = await this.#turn(waits);
      } catch (error) {
        logWarning('what has changed at a provider is not read: the database does not answer', { sync: this.#described.name, reason: error.message });
      }
      if (!this.#isEnding) await sleep(Math.min(BETWEEN, pause), undefined, { ref: false });
      if (!this.#isRung && !this.#isEnding) await this.#pause(pause - BETWEEN);
    }
  }

  #pause(time) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, Math.max(0, time)).unref();
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** One reading, if it is due and nobody else reads. @returns {Promise<number>} how long to wait behind it */
  async #turn(waits) {
    const lease = uuidv7();
    const key = [this.#account.name, this.#described.name];
    if (!(await this.#lease(lease, waits))) {
      // What another server notes is told by this one too.
      const noted = await this.#database.optional(findState, key);
      if (noted !== null) this.#state = stateOf(noted);
      return LOOKING;
    }
    const begun = Date.now();
    // What is said too late is found out when the next page is noted.
    const extending = setInterval(() => this.#database.run(extendLease, [new Date(Date.now() + LEASE), ...key, lease]).catch(() => {}), EXTENDING);
    try {
      const state = stateOf(await this.#database.one(findState, key));
      const error = await this.#reading(lease, state, !waits).catch((failed) => failed);
      this.#count(error, Date.now() - begun);
      return await this.#ended(lease, state, error);
    } finally {
      clearInterval(extending);
    }
  }

  async #lease(lease, waits) {
    const key = [this.#account.name, this.#described.name];
    const now = new Date();
    const values = [lease, new Date(Date.now() + LEASE), ...key, now];
    const take = () => (waits ? this.#database.run(leaseDueState, [...values, now]) : this.#database.run(leaseState, values));
    if ((await take()) > 0) return true;
    if ((await this.#database.optional(findState, key)) !== null) return false;
    // Somebody else may have begun it meanwhile.
    await this.#database.run(insertState, [...key, now]).catch(() => {});
    return (await take()) > 0;
  }

  /** Counts a reading that has ended, unless somebody else reads on. */
  #count(error, took) {
    if (error?.code === 'lease_lost' || error?.code === 'ended') return;
    this.#counted[error === undefined ? 'completed' : 'failed'] += 1;
    this.#counted.took += took;
  }

  async #ended(lease, state, error) {
    const now = Date.now();
    if (error?.code === 'lease_lost') return LOOKING;
    if (error?.code === 'ended') {
      // It is read on from here at once by whoever comes next.
    } else if (error === undefined) {
      state.failures = 0;
      state.dueAt = this.#described.pace(now);
      state.endedAt = now;
    } else {
      state.failures += 1;
      const wait = Math.max(error.wait ?? 0, Math.min(FIRST_WAIT * 2 ** Math.min(state.failures, 20), LONGEST_WAIT));
      state.problem = (error instanceof Stopped ? error.message : `the database: ${error.message}`).slice(0, MAX_PROBLEM);
      state.problemCode = error instanceof Stopped ? error.code : 'database';
      state.dueAt = now + wait;
      logWarning(state.problem, { kind: KIND, code: state.problemCode, task: this.#account.name, sync: this.#described.name, again_in_seconds: Math.round(wait / 1000) });
    }
    await this.#note(lease, state, null).catch((why) => logWarning('how a reading ended was not noted', { reason: why.message }));
    // Another server may read before it is due, when the provider tells of something, and what that notes is told by this one too.
    return Math.min(Math.max(state.dueAt - now, BETWEEN), LOOKING);
  }

  /** Durable when this is done, if this process still reads. */
  async #note(lease, state, until = Date.now() + LEASE) {
    this.#state = { ...state };
    const times = [state.dueAt, state.endedAt, state.goneReadAt, until].map(timeOf);
    const values = [timeOf(state.changedUntil), timeOf(state.readingSince), state.page === undefined ? null : JSON.stringify(state.page), state.records, state.leftOut, state.problem ?? null, state.problemCode ?? null, state.failures, ...times];
    const noted = await this.#database.run(noteState, [...values, this.#account.name, this.#described.name, lease]);
    if (noted === 0) throw new Stopped('lease_lost', 'somebody else reads');
  }

  async #reading(lease, state, isTold) {
    const began = Date.now();
    const looksAround = state.goneReadAt === undefined || began - state.goneReadAt >= (isTold ? GONE : HOURLY);
    const isFirst = state.changedUntil === undefined;
    const missing = looksAround ? await this.#missing() : undefined;
    if (missing !== undefined) {
      logWarning(missing, { kind: KIND, code: FIELDS_MISSING, task: this.#account.name });
      Object.assign(state, { problem: missing, problemCode: FIELDS_MISSING });
    } else if (state.problemCode !== LEFT_OUT && (looksAround || state.problemCode !== FIELDS_MISSING)) {
      Object.assign(state, { problem: undefined, problemCode: undefined });
    }
    await this.#changed(lease, state, began);
    if (isFirst) logInfo('everything is here that is at the provider', { task: this.#account.name, sync: this.#described.name, records: state.records });
    if (!looksAround) return;
    await this.#gone(lease, state);
    state.goneReadAt = began;
  }

  /** Fields that are taken of records and that they have no longer there. */
  async #missing() {
    const { drift, fields } = this.#described;
    if (drift === undefined) return undefined;
    const { outcome } = await drift.operation()(this.#account);
    if (outcome.means !== 'done') throw stoppedBy(outcome, this.#account.service.title);
    const names = outcome.answer[drift.names];
    if (!Array.isArray(names)) return undefined;
    const missing = Object.values(fields).map((path) => path.at.split('/').at(-1)).filter((name) => !names.includes(name));
    if (missing.length === 0) return undefined;
    return `${this.#account.service.title} has no ${missing.map((name) => `\`${name}\``).join(', ')} any more: it is empty in what comes from there`;
  }

  /** Reads what has changed, page by page. */
  async #changed(lease, state, began) {
    const { cursor, read, pause } = this.#described;
    for (let pages = 1; ; pages += 1) {
      const reached = state.readingSince;
      // With an end to what is shown, each page is a reading of its own behind the one before.
      const since = cursor.narrows && reached !== undefined ? reached : this.#begins(state, began);
      const input = since === undefined ? {} : { [cursor.into]: new Date(since).toISOString() };
      const page = await this.#page(read(), input, state.page);
      const newest = latest(reached, await this.#taken(state, page.items));
      const hasMoved = cursor.narrows && newest !== undefined && (since === undefined || newest > since);
      if (page.next === undefined) {
        state.changedUntil = latest(latest(state.changedUntil, newest), began - CLOCKS);
        Object.assign(state, { readingSince: undefined, page: undefined });
        await this.#note(lease, state);
        return;
      }
      if (hasMoved) Object.assign(state, { readingSince: newest, page: undefined });
      else if (JSON.stringify(page.next) === JSON.stringify(state.page)) throw new Stopped('sync_refused', `${this.#account.service.title}: its pages lead in a circle`, MINUTE);
      else Object.assign(state, { page: page.next, readingSince: cursor.narrows ? since : newest });
      await this.#note(lease, state);
      if (state.changedUntil === undefined && pages % TOLD_EACH === 0) {
        logInfo('reading what is at the provider', { task: this.#account.name, sync: this.#described.name, records: state.records });
      }
      if (this.#isEnding) throw new Stopped('ended', 'the server is stopped');
      await sleep(pause);
    }
  }

  /** Where a reading begins; nothing: before everything. */
  #begins({ changedUntil }, began) {
    const { overlap } = this.#described.cursor;
    const { backfill } = this.#described;
    if (changedUntil !== undefined) return changedUntil - overlap;
    if (backfill === 'everything') return undefined;
    return backfill === 'nothing' ? began - overlap : began - backfill * DAY;
  }

  async #page(operation, input, lead) {
    const { page, outcome } = await readPage(operation.description, this.#account, { input }, lead);
    if (page === undefined) throw stoppedBy(outcome, this.#account.service.title);
    return page;
  }

  /** Marks what is gone there. */
  async #gone(lease, state) {
    const { deletes, pause } = this.#described;
    if (deletes?.operation === undefined) return;
    for (let lead; ; ) {
      const page = await this.#page(deletes.operation(), {}, lead);
      const changed = new Date().toISOString();
      const keys = page.items.map((item) => at(item, deletes.key)).filter((key) => !isAbsent(key));
      await this.#all(state, keys.map((key) => ({ key: asText(key), changed })));
      await this.#note(lease, state);
      if (page.next === undefined) return;
      lead = page.next;
      await sleep(pause);
    }
  }

  /** Puts the records of a page where they belong; the last change among them. */
  async #taken(state, items) {
    // Of one record that stands there twice the later word counts.
    const records = new Map();
    let newest;
    for (const item of items) {
      const record = this.#pulled(item);
      if (record.why !== undefined) {
        this.#leftOut(state, record.key ?? '', record.why);
        continue;
      }
      newest = latest(newest, Date.parse(record.changed));
      const known = records.get(record.key);
      if (known === undefined || known.changed <= record.changed) records.set(record.key, record);
    }
    state.records += items.length;
    await this.#all(state, [...records.values()]);
    return newest;
  }

  async #all(state, records) {
    const left = records.values();
    const put = async () => {
      for (const record of left) {
        // What stands in the way may be another record of this page.
        const why = (await this.#put(record)) && (await this.#put(record));
        if (why !== undefined) this.#leftOut(state, record.key, why);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, put));
  }

  /** @returns {Promise<string | undefined>} why it does not fit; what the database cannot take now is thrown */
  async #put({ key, changed, fields, digest }) {
    const request = { receivedAt: new Date().toISOString() };
    try {
      const named = { pulled_key: key, pulled_changed: changed };
      if (fields === undefined) await this.#records[this.#described.gone](request, named);
      else await this.#records[this.#described.take](request, { ...named, pulled_digest: digest, ...check(new Map(Object.entries(fields)), this.#described.shape) });
      return undefined;
    } catch (error) {
      if (!(error instanceof Problem) || error.status >= 500) throw error;
      const errors = error.errors ?? [];
      return errors.length > 0 ? errors.map(({ pointer, detail }) => `\`${pointer}\` ${detail}`).join(', ') : error.title;
    }
  }

  /** Says which record and why; never what is in it. */
  #leftOut(state, key, why) {
    logWarning('a record was left out', { kind: KIND, code: LEFT_OUT, task: this.#account.name, sync: this.#described.name, key, why });
    state.leftOut += 1;
    state.problem = `the record \`${key}\` was left out: ${why}`.slice(0, MAX_PROBLEM);
    state.problemCode = LEFT_OUT;
  }

  #pulled(item) {
    const { key: path, cursor, deletes, fields: taken } = this.#described;
    const found = at(item, path);
    if (isAbsent(found) || asText(found) === '') return { why: `it has no \`${path}\`` };
    const key = asText(found);
    const changed = momentOf(at(item, cursor.at));
    if (changed === undefined) return { key, why: `\`${cursor.at}\` of \`${key}\` is no time` };
    if (deletes?.at !== undefined && asText(at(item, deletes.at) ?? '') === deletes.is) return { key, changed };
    const fields = {};
    for (const [name, { at: place, type }] of Object.entries(taken)) fields[name] = ofKind(all(item, place).find((value) => !isAbsent(value)), type);
    const values = Object.values(fields).map((value) => (value === null ? null : asText(value)));
    return { key, changed, fields, digest: createHash('sha256').update(JSON.stringify(values)).digest('hex') };
  }
}

/** Times are milliseconds; what is not there is `undefined`. */
function stateOf(row) {
  const time = (value) => (isAbsent(value) ? undefined : new Date(value).getTime());
  const number = (value) => Number(value);
  return {
    changedUntil: time(row.changed_until),
    readingSince: time(row.reading_since),
    page: isAbsent(row.page) ? undefined : JSON.parse(row.page),
    records: number(row.records),
    leftOut: number(row.left_out),
    problem: row.problem ?? undefined,
    problemCode: row.problem_code ?? undefined,
    failures: number(row.failures),
    dueAt: time(row.due_at),
    endedAt: time(row.ended_at),
    goneReadAt: time(row.gone_read_at),
  };
}

function timeOf(value) {
  return value === undefined || value === null ? null : new Date(value);
}

function latest(one, other) {
  if (one === undefined || other === undefined) return one ?? other;
  return Math.max(one, other);
}

/** A time as it is kept: of RFC 3339, or of seconds or milliseconds since 1970. */
function momentOf(value) {
  if (isAbsent(value)) return undefined;
  const text = asText(value);
  const number = /^-?\d+$/.test(text) ? Number(text) * (Math.abs(Number(text)) < MILLISECONDS_FROM ? 1000 : 1) : Date.parse(text);
  return Number.isNaN(number) ? undefined : new Date(number).toISOString();
}

/** Providers write numbers as texts and say nothing by an empty one; what is of another kind is left for the check that refuses it. */
function ofKind(value, type) {
  if (value === undefined) return null;
  if (typeof value !== 'string') return value;
  const text = value.trim();
  if (text === '') return null;
  if (type === 'integer' && /^-?\d+$/.test(text)) return Number(text);
  if (type === 'boolean') return { true: true, false: false }[text] ?? text;
  return text;
}

function stoppedBy({ means, code, message, wait }, title) {
  const words = { rate_limited: 'rate_limited', authentication: 'credentials_refused', permanent: 'sync_refused' };
  const least = means === 'authentication' || means === 'permanent' ? MINUTE : (wait ?? 0);
  return new Stopped(words[means] ?? 'service_unavailable', `${title}: ${message}${code === undefined ? '' : ` (${code})`}`, least);
}

/**
 * How they stand, under the names that the native server has for it.
 * @param {import('prom-client').Registry} registry
 * @param {Sync[]} syncs
 */
export function addSyncMetrics(registry, syncs) {
  const seconds = (time) => Math.floor((time ?? 0) / 1000);
  const one = (value) => [[{}, value]];
  const all = {
    sync_records_total: ['Records that were read from a provider, by whichever server.', ({ state }) => one(state.records)],
    sync_records_left_out_total: ['Records that were read and could not be kept, by whichever server.', ({ state }) => one(state.leftOut)],
    sync_last_success_timestamp_seconds: ['When everything that had changed at a provider was here last; 0: never yet.', ({ state }) => one(seconds(state.endedAt))],
    sync_changed_until_timestamp_seconds: ['Changes at a provider up to then are here; 0: not everything is yet that was there at first.', ({ state }) => one(seconds(state.changedUntil))],
    sync_due_timestamp_seconds: ['When a provider is read next, or was to be.', ({ state }) => one(seconds(state.dueAt))],
    sync_failures: ['How often in a row reading from a provider has gone wrong.', ({ state }) => one(state.failures)],
    sync_first_reading: ['Whether not everything is here yet that was at a provider at first.', ({ state }) => one(Number(state.changedUntil === undefined))],
    sync_readings_total: ['Readings from a provider that ended in this process, by outcome.', ({ counted }) => [[{ outcome: 'completed' }, counted.completed], [{ outcome: 'failed' }, counted.failed]], ['outcome']],
    sync_reading_seconds_total: ['How long they have taken together.', ({ counted }) => one(counted.took / 1000)],
  };
  for (const [name, [help, values, labels = []]] of Object.entries(all)) {
    const Kind = name.endsWith('_total') ? Counter : Gauge;
    new Kind({
      name,
      help,
      labelNames: ['integration', 'sync', ...labels],
      registers: [registry],
      collect() {
        this.reset();
        for (const sync of syncs) {
          const standing = sync.standing();
          if (standing.state === undefined) continue;
          // A counter that is reset begins at nothing.
          for (const [label, value] of values(standing)) this.inc({ integration: standing.integration, sync: standing.sync, ...label }, value);
        }
      },
    });
  }
}
