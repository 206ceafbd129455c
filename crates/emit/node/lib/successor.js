// What follows a token under the secret that the servers of a database share. It is as random as the token, and the same whenever the
// same token is asked about; the native server calculates it alike.

import { createHash, createHmac } from 'node:crypto';

/** A key for one purpose alone. @returns {Buffer} */
export function derivedKey(secret, purpose) {
  return createHmac('sha256', secret).update(purpose).digest();
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
