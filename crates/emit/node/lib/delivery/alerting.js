// Whoever is to be told how an integration stands is told: it is looked again and again how it does, noted in the database, and told by an event once
// it has stood otherwise for long enough. Each change is told once, whichever server sees it first; the native one may be one of them. Nothing is
// sent from here: mails, the webhook and whoever else listens get the event as any other. What is said are numbers and codes, and nothing of anybody.

import { uuidv7 } from '../identifiers.js';
import { logError, logInfo, logWarning } from '../log.js';
import { firstIdOf } from './worker.js';

// Milliseconds: how often it is looked, first and last; in between four times as often as anything is told.
const LOOKS = { least: 500, most: 15_000 };
// How long attempts count; what has waited longer, and a reading that nobody has begun so long after it was due, is late.
const LATELY = 3_600_000;
const LATE = 3_600_000;
const READING_LATE = 1_800_000;
const ATTEMPTS_READ = 1000;
// So many attempts that failed one after the other say that nothing gets there now, however well it went before.
const IN_A_ROW = 3;
/** What tells that an integration stands so. */
export const EVENTS = { well: 'integration_recovered', needs_attention: 'integration_needs_attention', failing: 'integration_failing' };
const LEVELS = { idle: 'well', ok: 'well', first_reading: 'well', needs_attention: 'needs_attention', late: 'failing', failing: 'failing' };
// The later word counts where several hold.
const WORDS = Object.keys(LEVELS);

const countDeliveries = `SELECT state, COUNT(*) AS count, MIN(created_at) AS oldest FROM outbox_deliveries WHERE integration = ? GROUP BY state`;
const listAttempts = `SELECT a.delivery_id, a.outcome, a.code FROM outbox_attempts AS a JOIN outbox_deliveries AS d ON d.id = a.delivery_id WHERE d.integration = ? AND a.id >= ? ORDER BY a.id DESC LIMIT ${ATTEMPTS_READ}`;
const listReadings = `SELECT sync, changed_until, records, left_out, problem_code, failures, due_at FROM sync_states WHERE integration = ? ORDER BY sync`;
const findState = `SELECT told, stands, since FROM integration_alerts WHERE integration = ?`;
const insertState = `INSERT INTO integration_alerts (integration, told, stands, since) VALUES (?, 'well', ?, ?)`;
const changeState = `UPDATE integration_alerts SET stands = ?, since = ? WHERE integration = ? AND stands = ?`;
const tellState = `UPDATE integration_alerts SET told = stands, told_at = ? WHERE integration = ? AND told = ? AND stands = ?`;
const insertEvent = `INSERT INTO outbox_events (id, name, payload, occurred_at) VALUES (?, ?, ?, ?)`;

export class Alerting {
  #database;
  #integration;
  #told;
  #timer;
  #looking = Promise.resolve();

  /**
   * @param {{ database: import('../database.js').Database, integration: string, told: { service: string, email?: string, after: number, reads: boolean } }} parts `told` as `alerts.json` has
   *   it: `after` in seconds; whether it has records that are read
   */
  constructor({ database, integration, told }) {
    this.#database = database;
    this.#integration = integration;
    this.#told = told;
  }

  start() {
    this.#database.beforeClose(() => this.stop());
    const pause = Math.min(Math.max((this.#told.after * 1000) / 4, LOOKS.least), LOOKS.most);
    let isLooking = false;
    const look = async () => {
      if (isLooking) return;
      isLooking = true;
      try {
        await this.#look(new Date());
      } catch (error) {
        logError('how an integration stands is not known, and told to nobody', error, { integration: this.#integration });
      } finally {
        isLooking = false;
      }
    };
    this.#timer = setInterval(() => (this.#looking = look()), pause).unref();
    this.#looking = look();
  }

  async stop() {
    clearInterval(this.#timer);
    await this.#looking;
  }

  /** It brings nothing anywhere: what is counted of deliveries has nothing of it. */
  snapshots() {
    return [];
  }

  async #look(now) {
    const status = await statusOf(this.#database, this.#integration, this.#told.reads, now);
    const level = LEVELS[status.word];
    const known = await this.#database.optional(findState, [this.#integration]);
    if (known === null) await this.#begin(level, now);
    else if (known.stands !== level) await this.#database.run(changeState, [level, now, this.#integration, known.stands]);
    else if (known.told !== level && now - new Date(known.since) >= this.#told.after * 1000) await this.#tell(known, level, status, now);
  }

  async #begin(level, now) {
    try {
      await this.#database.run(insertState, [this.#integration, level, now]);
    } catch (error) {
      // Another server has begun meanwhile.
      if ((await this.#database.optional(findState, [this.#integration])) === null) throw error;
    }
  }

  /** The event is there with what is noted of it, or neither is. */
  async #tell(known, level, { word, reasons, waiting, dead }, now) {
    const reason = reasons.length > 0 ? reasons.join('; ') : 'nothing has failed lately, and nothing waits for too long';
    const { service, email } = this.#told;
    const since = new Date(known.since).toISOString();
    const payload = { integration: this.#integration, service, status: word, since, reason, waiting, given_up: dead, ...(email && { email }) };
    const isTold = await this.#database.transaction(async (transaction) => {
      if (!(await transaction.run(tellState, [now, this.#integration, known.told, known.stands]))) return false;
      await transaction.run(insertEvent, [uuidv7(), EVENTS[level], JSON.stringify(payload), now]);
      return true;
    });
    if (isTold && level === 'well') logInfo('an integration works again', { integration: this.#integration });
    else if (isTold) logWarning(`an integration is ${level}`, { integration: this.#integration, reasons: reasons.join('; ') });
  }
}

/** How an integration stands, in the words of `producer status`, and why not well. */
async function statusOf(database, integration, reads, now) {
  const states = await database.many(countDeliveries, [integration]);
  const ofState = (...names) => states.filter(({ state }) => names.includes(state));
  const count = (found) => found.reduce((sum, one) => sum + Number(one.count), 0);
  const underWay = ofState('waiting', 'working');
  const [waiting, dead] = [count(underWay), count(ofState('dead'))];
  const oldest = underWay.map((one) => new Date(one.oldest)).sort((left, right) => left - right)[0];
  const attempts = await database.many(listAttempts, [integration, firstIdOf(now - LATELY)]);
  // What has come out well since has not failed; whoever stops has tried nothing.
  const seen = new Set();
  const tried = attempts.filter(({ outcome }) => outcome !== 'returned' && outcome !== 'interrupted');
  const last = tried.filter(({ delivery_id: id }) => !seen.has(id) && seen.add(id));
  const failed = last.filter(({ outcome }) => outcome !== 'delivered');
  const firstWell = tried.findIndex(({ outcome }) => outcome === 'delivered');
  const inARow = firstWell < 0 ? tried.length : firstWell;
  const isLate = oldest !== undefined && now - oldest > LATE;
  let word = 'ok';
  if (failed.length * 2 > last.length || inARow >= IN_A_ROW) word = 'failing';
  else if (isLate) word = 'late';
  else if (dead > 0) word = 'needs_attention';
  const reasons = [];
  if (failed.length > 0) reasons.push(`${failed.length} of ${last.length} deliveries that were tried within an hour have failed, the last one with ${coded(failed[0].code ?? failed[0].outcome)}`);
  if (inARow >= IN_A_ROW) reasons.push(`the last ${inARow} attempts were all in vain`);
  if (word === 'late') reasons.push(`${waiting} deliveries wait, the oldest since ${oldest.toISOString()}`);
  if (dead > 0) reasons.push(`${dead} deliveries were given up`);
  for (const reading of reads ? await database.many(listReadings, [integration]) : []) {
    const { word: itsWord, reason } = readingOf(reading, now);
    if (reason) reasons.push(reason);
    if (WORDS.indexOf(itsWord) > WORDS.indexOf(word)) word = itsWord;
  }
  return { word, reasons, waiting, dead };
}

function readingOf({ sync, changed_until: until, records, left_out: leftOut, problem_code: code, failures, due_at: due }, now) {
  if (Number(failures) > 0) return { word: 'failing', reason: `reading \`${sync}\` has failed ${failures} times in a row, the last time with ${coded(code)}` };
  if (now - new Date(due) > READING_LATE) return { word: 'late', reason: `\`${sync}\` should have been read at ${new Date(due).toISOString()}` };
  if (code === 'record_left_out' || code === 'fields_missing') {
    return { word: 'needs_attention', reason: `of ${records} records of \`${sync}\` ${leftOut} were left out (${coded(code)})` };
  }
  return { word: until === null ? 'first_reading' : 'ok' };
}

/** A word that stands for what went wrong. What is longer or has other characters may be a sentence with something of somebody in it. */
function coded(code) {
  return /^[\w.-]{1,64}$/.test(code ?? '') ? `\`${code}\`` : 'no code';
}
