// What follows a token under the secret that the servers of a database share. It is as random as the token, and the same whenever the
// same token is asked about; the native server calculates it alike.

import { createHmac } from 'node:crypto';

/** A key for one purpose alone. @returns {Buffer} */
export function derivedKey(secret, purpose) {
  return createHmac('sha256', secret).update(purpose).digest();
}

/** @param {string} secret `AUTH_SECRET` @param {string} token @returns {string} URL-safe text */
export function successorOf(secret, token) {
  return createHmac('sha256', derivedKey(secret, 'refresh')).update(token).digest('base64url');
}
