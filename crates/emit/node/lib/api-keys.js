// API keys: made here, stored as SHA-256 only. A key that was not made here fails its checksum and costs no query.

import { createHash, randomInt } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { undo } from './database.js';
import { uuidv7 } from './identifiers.js';
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
const listKeys = `SELECT key.id, key.name, key.hint, key.scopes, key.created_at, key.expires_at, key.revoked_at, key.last_used_at, key.replaces, newer.id AS replaced_by FROM api_keys AS key LEFT JOIN api_keys AS newer ON newer.replaces = key.id ORDER BY key.id LIMIT 10000`;
const namedKeys = `SELECT id, name, created_at, expires_at, scopes, coalesce(caller, id) AS caller FROM api_keys WHERE revoked_at IS NULL AND (id = ? OR hash = ? OR hint = ?) ORDER BY id LIMIT 10`;
const endKey = `UPDATE api_keys SET expires_at = min(coalesce(expires_at, ?), ?) WHERE id = ? AND revoked_at IS NULL AND NOT EXISTS (SELECT 1 FROM api_keys AS newer WHERE newer.replaces = ?)`;
const revokeKey = `UPDATE api_keys SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL`;
// Several servers may share the database: the latest use counts.
const noteUse = `UPDATE api_keys SET last_used_at = ? WHERE id = ? AND coalesce(last_used_at, '') < ?`;

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
   * @returns {{ id: string, name: string, caller: string, scopes: string | null } | undefined} the key's record, when it is
   *   known, was not revoked and has not expired. `caller` is the same for a key and those that it was rotated to
   */
  find(secret, at = new Date().toISOString()) {
    if (!isWellFormedKey(secret)) return undefined;
    const hash = hashOf(secret);
    const now = this.#now();
    const cached = this.#cache.get(hash);
    if (cached && now < cached.staleAt) return isGood(cached.key, at) ? cached.key : undefined;
    this.#cache.delete(hash);
    const key = this.#database.optional(findKey, [hash]);
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
   * @returns {{ id: string, secret: string }} the only time the secret is known
   */
  create(name, { expiresAt = null, scopes = null, at = new Date().toISOString() } = {}) {
    return insert(this.#database, { name, expiresAt, scopes: scopes && [...new Set(scopes)].sort().join(' '), createdAt: at });
  }

  /** Oldest first, without the secrets; `status` is `active`, `rotating`, `expired` or `revoked`. */
  list(at = new Date().toISOString()) {
    return this.#database.many(listKeys).map((key) => ({ ...key, status: statusOf(key, at) }));
  }

  /** The keys, not revoked, that a text means: the id, the first characters, or the secret itself. */
  named(text) {
    return this.#database.many(namedKeys, [text, hashOf(text), text]);
  }

  /**
   * Makes a key that may do what `old` may, for as long as that one could from its beginning. `old` goes on working until then.
   * @param {object} old one of `named`
   * @param {string} until UTC
   * @returns {{ id: string, secret: string } | undefined} nothing where `old` has expired, or was revoked or replaced before
   */
  rotate(old, until, at = new Date().toISOString()) {
    if (!isGood(old, at)) return undefined;
    const length = Date.parse(old.expires_at) - Date.parse(old.created_at);
    const expiresAt = old.expires_at && new Date(Date.parse(at) + length).toISOString();
    return this.#database.transaction((transaction) => {
      if (transaction.run(endKey, [until, until, old.id, old.id]) !== 1) return undo();
      return insert(transaction, { name: old.name, expiresAt, scopes: old.scopes, createdAt: at, replaces: old.id, caller: old.caller });
    });
  }

  /** @returns {boolean} whether a working key had this id */
  revoke(id) {
    return this.#database.run(revokeKey, [new Date().toISOString(), id]) === 1;
  }

  // A key in use is looked up once a second, and only then its use is noted: requests answered from the cache pay nothing,
  // and none waits for a write.
  #note(id, at) {
    if (this.#uses.size >= CACHE_LIMIT && !this.#uses.has(id)) return;
    this.#uses.set(id, at);
    this.#writing ??= setTimeout(() => this.writeUses(), WRITE_MILLISECONDS).unref();
  }

  /** Writes when keys were used since the last time; what cannot be written now is kept for the next time. */
  writeUses() {
    clearTimeout(this.#writing);
    this.#writing = undefined;
    if (this.#uses.size === 0) return;
    try {
      this.#database.transaction((transaction) => {
        for (const [id, at] of this.#uses) transaction.run(noteUse, [at, id, at]);
      });
      this.#uses.clear();
    } catch (error) {
      logError('when keys were used last was not written', error, { keys: this.#uses.size });
    }
  }
}

function insert(statements, { name, expiresAt, scopes, createdAt, replaces = null, caller = null }) {
  const id = uuidv7();
  const secret = generateKey();
  const values = [id, name, secret.slice(0, HINT_LENGTH), hashOf(secret), createdAt, expiresAt, scopes, replaces, caller];
  statements.run(insertKey, values);
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
