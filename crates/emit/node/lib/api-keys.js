// API keys: made here, stored as SHA-256 only. A key that was not made here fails its checksum and costs no query.

import { createHash, randomInt } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { undo } from './database.js';
import { uuidOrNull, uuidv7 } from './identifiers.js';
import { logError } from './log.js';

const PREFIX = 'ipk_';
const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const RANDOM_LENGTH = 24;
const CHECKSUM_LENGTH = 6;
export const HINT_LENGTH = 8;

// A revoked key stops working within this time.
const CACHE_MILLISECONDS = 1000;
const CACHE_LIMIT = 10_000;
// How often it is written when keys were used last: lists are accurate to a minute.
const WRITE_MILLISECONDS = 30_000;

const keyShape = new RegExp(`^${PREFIX}[0-9A-Za-z]{${RANDOM_LENGTH + CHECKSUM_LENGTH}}$`);

const insertKey = `INSERT INTO api_keys (id, name, hint, hash, created_at, expires_at, scopes, replaces, caller) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`;
const findKey = `SELECT id, name, expires_at, scopes, coalesce(caller, id) AS caller FROM api_keys WHERE hash = ? AND revoked_at IS NULL`;
const listKeys = `SELECT older.id, older.name, older.hint, older.scopes, older.created_at, older.expires_at, older.revoked_at, older.last_used_at, older.replaces, newer.id AS replaced_by FROM api_keys AS older LEFT JOIN api_keys AS newer ON newer.replaces = older.id ORDER BY older.id LIMIT 10000`;
const namedKeys = `SELECT id, name, created_at, expires_at, scopes, coalesce(caller, id) AS caller FROM api_keys WHERE revoked_at IS NULL AND (id = ? OR hash = ? OR hint = ?) ORDER BY id LIMIT 10`;
const endKey = `UPDATE api_keys SET expires_at = CASE WHEN expires_at < ? THEN expires_at ELSE ? END WHERE id = ? AND revoked_at IS NULL`;
const findNewer = `SELECT id FROM api_keys WHERE replaces = ? LIMIT 1`;
const revokeKey = `UPDATE api_keys SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL`;
// Several servers may share the database: the latest use counts.
const noteUse = `UPDATE api_keys SET last_used_at = ? WHERE id = ? AND (last_used_at IS NULL OR last_used_at < ?)`;

export class ApiKeys {
  #database;
  #now;
  // Hash -> { key, staleAt }. Unknown keys are not kept, so a new key works at once.
  #cache = new Map();
  // Id -> when the key was used last, since that was written last.
  #uses = new Map();
  #writing;

  /** @param {import('./database.js').Database} database */
  constructor(database, { now = () => performance.now() } = {}) {
    this.#database = database;
    this.#now = now;
    database.beforeClose(() => this.writeUses());
  }

  /**
   * @param {string} [at] when it is used, UTC: expiry is exact, also while the key is remembered
   * @returns {Promise<{ id: string, name: string, caller: string, scopes: string | null } | undefined>} the key's record,
   *   when it is known, was not revoked and has not expired. `caller` is the same for a key and those that it was rotated to
   */
  async find(secret, at = new Date().toISOString()) {
    if (!isWellFormedKey(secret)) return undefined;
    const hash = hashOf(secret);
    const now = this.#now();
    const cached = this.#cache.get(hash);
    if (cached && now < cached.staleAt) return isGood(cached.key, at) ? cached.key : undefined;
    this.#cache.delete(hash);
    const key = await this.#database.optional(findKey, [hash]);
    if (!key) return undefined;
    if (this.#cache.size >= CACHE_LIMIT) this.#cache.delete(this.#cache.keys().next().value);
    this.#cache.set(hash, { key, staleAt: now + CACHE_MILLISECONDS });
    if (!isGood(key, at)) return undefined;
    this.#note(key.id, at);
    return key;
  }

  /**
   * @param {{ expiresAt?: string | null, scopes?: string[] | null, at?: string }} [options] without them it is good for
   *   everything and for ever; `at` is when it was made
   * @returns {Promise<{ id: string, secret: string }>} the only time the secret is known
   */
  create(name, { expiresAt = null, scopes = null, at = new Date().toISOString() } = {}) {
    return insert(this.#database, { name, expiresAt, scopes: scopes && [...new Set(scopes)].sort().join(' '), createdAt: at });
  }

  /** Oldest first, without the secrets; `status` is `active`, `rotating`, `expired` or `revoked`. */
  async list(at = new Date().toISOString()) {
    return (await this.#database.many(listKeys)).map((key) => ({ ...key, status: statusOf(key, at) }));
  }

  /** The keys, not revoked, that a text means: the id, the first characters, or the secret itself. */
  named(text) {
    return this.#database.many(namedKeys, [uuidOrNull(text), hashOf(text), text]);
  }

  /**
   * Makes a key that may do what `old` may, for as long as that one could from its beginning. `old` goes on working until then.
   * @param {object} old one of `named`
   * @param {string} until UTC
   * @returns {Promise<{ id: string, secret: string } | undefined>} nothing where `old` has expired, or was revoked or replaced
   *   before
   */
  async rotate(old, until, at = new Date().toISOString()) {
    if (!isGood(old, at)) return undefined;
    const length = Date.parse(old.expires_at) - Date.parse(old.created_at);
    const expiresAt = old.expires_at && new Date(Date.parse(at) + length).toISOString();
    return this.#database.transaction(async (transaction) => {
      await transaction.hold(old.id);
      if ((await transaction.optional(findNewer, [old.id])) !== null) return undo();
      const end = new Date(until);
      if ((await transaction.run(endKey, [end, end, old.id])) !== 1) return undo();
      return insert(transaction, { name: old.name, expiresAt, scopes: old.scopes, createdAt: at, replaces: old.id, caller: old.caller });
    });
  }

  /** @returns {Promise<boolean>} whether a working key had this id */
  async revoke(id) {
    return (await this.#database.run(revokeKey, [new Date(), id])) === 1;
  }

  // A key in use is looked up once a second, and only then its use is noted: requests answered from the cache pay nothing,
  // and none waits for a write.
  #note(id, at) {
    if (this.#uses.size >= CACHE_LIMIT && !this.#uses.has(id)) return;
    this.#uses.set(id, at);
    this.#writing ??= setTimeout(() => this.writeUses(), WRITE_MILLISECONDS).unref();
  }

  /** Writes when keys were used since the last time; what cannot be written now is kept for the next time. */
  async writeUses() {
    clearTimeout(this.#writing);
    this.#writing = undefined;
    // Always in the same order, so that two servers that write at once do not wait for each other.
    const uses = [...this.#uses].sort(([left], [right]) => (left < right ? -1 : 1));
    if (uses.length === 0) return;
    try {
      await this.#database.transaction(async (transaction) => {
        for (const [id, at] of uses) await transaction.run(noteUse, [new Date(at), id, new Date(at)]);
      });
      // A key that was used meanwhile is written the next time.
      for (const [id, at] of uses) if (this.#uses.get(id) === at) this.#uses.delete(id);
    } catch (error) {
      logError('when keys were used last was not written', error, { keys: uses.length });
    }
  }
}

async function insert(statements, { name, expiresAt, scopes, createdAt, replaces = null, caller = null }) {
  const id = uuidv7();
  const secret = generateKey();
  const times = [createdAt, expiresAt].map((time) => time && new Date(time));
  const values = [id, name, secret.slice(0, HINT_LENGTH), hashOf(secret), ...times, scopes, replaces, caller];
  await statements.run(insertKey, values);
  return { id, secret };
}

// A time that nobody can read compares false: such a key is not trusted.
function isGood(key, at) {
  return key.expires_at === null || Date.parse(at) < Date.parse(key.expires_at);
}

function statusOf(key, at) {
  if (key.revoked_at !== null) return 'revoked';
  if (!isGood(key, at)) return 'expired';
  return key.replaced_by === null ? 'active' : 'rotating';
}

export function generateKey() {
  const random = Array.from({ length: RANDOM_LENGTH }, () => ALPHABET[randomInt(ALPHABET.length)]).join('');
  return PREFIX + random + checksumOf(PREFIX + random);
}

export function isWellFormedKey(secret) {
  return keyShape.test(secret) && secret.slice(-CHECKSUM_LENGTH) === checksumOf(secret.slice(0, -CHECKSUM_LENGTH));
}

function checksumOf(text) {
  let rest = crc32(text);
  let digits = '';
  for (let place = 0; place < CHECKSUM_LENGTH; place += 1) {
    digits = ALPHABET[rest % ALPHABET.length] + digits;
    rest = Math.floor(rest / ALPHABET.length);
  }
  return digits;
}

function hashOf(secret) {
  return createHash('sha256').update(secret).digest('hex');
}
