// Idempotency keys: a request that is sent again with its key is answered as before, and done once. The answer is kept in the
// transaction of the change, so that both are there or neither, also after a crash.

import { createHash } from 'node:crypto';
import { uuidv7, uuidv7Floor } from './identifiers.js';
import { Problem } from './problem.js';

// How long an answer is kept.
const KEPT_MILLISECONDS = 24 * 60 * 60 * 1000;
const FORGET_INTERVAL = 60_000;
const REPLAYED = { 'Idempotency-Replayed': 'true' };
const JSON_TYPE = 'application/json';
// As they are kept -> as they are sent.
const keptHeaders = { etag: 'ETag', location: 'Location' };

const findAnswer = `SELECT fingerprint, status, headers, body FROM idempotency_answers WHERE claim = ? AND id >= ?`;
const keepAnswer = `INSERT INTO idempotency_answers (id, claim, fingerprint, status, headers, body) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (claim) DO UPDATE SET id = excluded.id, fingerprint = excluded.fingerprint, status = excluded.status, headers = excluded.headers, body = excluded.body`;
const forgetAnswers = `DELETE FROM idempotency_answers WHERE id < ?`;

export class Idempotency {
  #database;
  #now;
  #forgottenAt;
  #underWay = new Set();

  /** @param {import('./database.js').Database} database */
  constructor(database, { now = Date.now } = {}) {
    this.#database = database;
    this.#now = now;
    this.#forgottenAt = now();
  }

  /**
   * Takes the request's `Idempotency-Key` until its procedure has ended.
   * @param {import('./request.js').Request} request
   * @param {{ identity: string }} caller
   */
  async claim(request, caller) {
    const key = presentedKey(request);
    if (key === undefined) return new Claim();
    const name = sha256(`${caller.identity}\n${key}`);
    if (this.#underWay.has(name)) throw new Problem('request_in_progress');
    this.#underWay.add(name);
    request.whenSettled(() => this.#underWay.delete(name));
    await this.#forget();
    return new Claim({ name, request, oldest: uuidv7Floor(this.#now() - KEPT_MILLISECONDS) });
  }

  async #forget() {
    const now = this.#now();
    if (now - this.#forgottenAt < FORGET_INTERVAL) return;
    this.#forgottenAt = now;
    await this.#database.run(forgetAnswers, [uuidv7Floor(now - KEPT_MILLISECONDS)]);
  }
}

/** What a procedure does with the key of its request; without one, nothing. */
class Claim {
  #key;

  constructor(key) {
    this.#key = key;
  }

  /**
   * The answer that was given before, if one was. Another server that is at the same request is waited for.
   * @returns {Promise<object | undefined>}
   */
  async recall(transaction) {
    if (!this.#key) return undefined;
    const { name, request, oldest } = this.#key;
    await transaction.hold(name);
    const kept = await transaction.optional(findAnswer, [name, oldest], { headers: { kind: 'json' } });
    if (!kept) return undefined;
    if (kept.fingerprint !== fingerprintOf(request)) throw new Problem('idempotency_key_reused');
    const headers = Object.entries(keptHeaders)
      .filter(([name]) => name in kept.headers)
      .map(([name, sent]) => [sent, kept.headers[name]]);
    const type = kept.body === null ? {} : { 'Content-Type': JSON_TYPE };
    return { status: kept.status, headers: { ...Object.fromEntries(headers), ...type, ...REPLAYED }, text: kept.body ?? undefined };
  }

  /** Keeps the answer for the next time, and gives it back. */
  async keep(transaction, answer) {
    if (!this.#key) return answer;
    const { name, request } = this.#key;
    const headers = Object.entries(keptHeaders)
      .filter(([, sent]) => sent in answer.headers)
      .map(([kept, sent]) => [kept, answer.headers[sent]]);
    const values = [uuidv7(), name, fingerprintOf(request), answer.status, Object.fromEntries(headers), answer.text ?? null];
    await transaction.run(keepAnswer, values);
    return answer;
  }
}

function presentedKey(request) {
  // Node.js joins a header that is sent twice; the raw ones tell.
  const key = request.header('idempotency-key');
  if (key === undefined) return undefined;
  if (!/^[\x21-\x7e]{1,255}$/.test(key) || request.countOf('idempotency-key') > 1) throw new Problem('malformed_idempotency_key');
  return key;
}

function fingerprintOf(request) {
  return sha256(`${request.method} ${request.target}\n${sha256(request.body)}`);
}

function sha256(data) {
  return createHash('sha256').update(data).digest('hex');
}
