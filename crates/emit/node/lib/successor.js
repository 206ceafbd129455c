// What the secret that the servers of a database share is good for: what follows a token, as random as the token and the same whenever
// the same token is asked about, and what is kept sealed in the database. The native server does it alike.

import { createCipheriv, createDecipheriv, createHash, createHmac, randomBytes } from 'node:crypto';

// Of AES-256-GCM, in bytes.
const NONCE_LENGTH = 12;
const TAG_LENGTH = 16;

/** A key for one purpose alone. @returns {Buffer} */
export function derivedKey(secret, purpose) {
  return createHmac('sha256', secret).update(purpose).digest();
}

/** Bytes as only the secret's holders open them, bound to a name. @param {string} purpose of the key @returns {string} URL-safe text */
export function sealed(secret, purpose, name, bytes) {
  const nonce = randomBytes(NONCE_LENGTH);
  const cipher = createCipheriv('aes-256-gcm', sealingKey(secret, purpose), nonce).setAAD(Buffer.from(name));
  return Buffer.concat([nonce, cipher.update(bytes), cipher.final(), cipher.getAuthTag()]).toString('base64url');
}

/** The bytes that were sealed; throws where another secret, or another name, has sealed them. @returns {Buffer} */
export function opened(secret, purpose, name, text) {
  const bytes = Buffer.from(text, 'base64url');
  const [nonce, inner, tag] = [bytes.subarray(0, NONCE_LENGTH), bytes.subarray(NONCE_LENGTH, -TAG_LENGTH), bytes.subarray(-TAG_LENGTH)];
  const cipher = createDecipheriv('aes-256-gcm', sealingKey(secret, purpose), nonce).setAAD(Buffer.from(name)).setAuthTag(tag);
  return Buffer.concat([cipher.update(inner), cipher.final()]);
}

function sealingKey(secret, purpose) {
  return createHmac('sha256', derivedKey(secret, purpose)).update('seal').digest();
}

/** @param {string} secret `AUTH_SECRET` @param {string} token @returns {string} URL-safe text */
export function successorOf(secret, token) {
  return createHmac('sha256', derivedKey(secret, 'refresh')).update(token).digest('base64url');
}

/** What a token is kept by: SHA-256, lower-case hex. @param {string} token */
export function digestOf(token) {
  return createHash('sha256').update(token).digest('hex');
}

/** What calculates the tokens of an API. */
export class Tokens {
  #secret;

  /** @param {string} secret what the servers of the database share */
  constructor(secret = process.env.AUTH_SECRET) {
    if (!secret) throw new Error('`AUTH_SECRET` is not set: `producer secrets export` tells what the servers of this database share');
    this.#secret = secret;
  }

  /** What follows a token: the same whenever the same token is asked about. @param {string} token @returns {string} URL-safe text */
  successor(token) {
    return successorOf(this.#secret, token);
  }
}
