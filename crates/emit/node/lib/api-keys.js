// API keys: made here, stored as SHA-256 only. A key that was not made here fails its checksum and costs no query.

import { createHash, randomInt } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { uuidv7 } from './identifiers.js';

const PREFIX = 'ipk_';
const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const RANDOM_LENGTH = 24;
const CHECKSUM_LENGTH = 6;
const HINT_LENGTH = 8;

// A revoked key stops working within this time.
const CACHE_MILLISECONDS = 1000;
const CACHE_LIMIT = 10_000;

const keyShape = new RegExp(`^${PREFIX}[0-9A-Za-z]{${RANDOM_LENGTH + CHECKSUM_LENGTH}}$`);

const insertKey = `INSERT INTO api_keys (id, name, hint, hash, created_at) VALUES (?, ?, ?, ?, ?)`;
const findKey = `SELECT id, name FROM api_keys WHERE hash = ? AND revoked_at IS NULL`;
const listKeys = `SELECT id, name, hint, created_at, revoked_at FROM api_keys ORDER BY created_at, id LIMIT 1000`;
const revokeKey = `UPDATE api_keys SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL`;

export class ApiKeys {
  #database;
  #now;
  // Hash -> { key, expiresAt }. Unknown keys are not kept, so a new key works at once.
  #cache = new Map();

  /** @param {import('./database.js').Database} database */
  constructor(database, { now = () => performance.now() } = {}) {
    this.#database = database;
    this.#now = now;
  }

  /** @returns {{ id: string, name: string } | undefined} the key's record, when it is known and not revoked */
  find(secret) {
    if (!isWellFormedKey(secret)) return undefined;
    const hash = hashOf(secret);
    const now = this.#now();
    const cached = this.#cache.get(hash);
    if (cached && now < cached.expiresAt) return cached.key;
    this.#cache.delete(hash);
    const key = this.#database.optional(findKey, [hash]);
    if (!key) return undefined;
    if (this.#cache.size >= CACHE_LIMIT) this.#cache.delete(this.#cache.keys().next().value);
    this.#cache.set(hash, { key, expiresAt: now + CACHE_MILLISECONDS });
    return key;
  }

  /** @returns {{ id: string, secret: string }} the only time the secret is known */
  create(name) {
    const id = uuidv7();
    const secret = generateKey();
    const createdAt = new Date().toISOString();
    this.#database.run(insertKey, [id, name, secret.slice(0, HINT_LENGTH), hashOf(secret), createdAt]);
    return { id, secret };
  }

  list() {
    return this.#database.many(listKeys);
  }

  /** @returns {boolean} whether a working key had this id */
  revoke(id) {
    return this.#database.run(revokeKey, [new Date().toISOString(), id]) === 1;
  }
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
