// A statement that we sign, RFC 7523: its parts come in, a JSON Web Token signed with RS256 goes out.

import { createPrivateKey, sign } from 'node:crypto';
import { Unfit } from './transformations.js';

/**
 * @param {{ issuer: string, subject: string, audience: string, lifetimeSeconds: number }} statement
 * @param {string} pem the key
 * @param {number} now seconds since 1970
 */
export function signed({ issuer, subject, audience, lifetimeSeconds }, pem, now) {
  const part = (document) => Buffer.from(JSON.stringify(document)).toString('base64url');
  const claims = { iss: issuer, sub: subject, aud: audience, iat: now, exp: now + lifetimeSeconds };
  const text = `${part({ alg: 'RS256', typ: 'JWT' })}.${part(claims)}`;
  return `${text}.${sign('sha256', Buffer.from(text), rsaKey(pem)).toString('base64url')}`;
}

function rsaKey(pem) {
  let key;
  try {
    key = createPrivateKey(pem);
  } catch {
    // What is wrong with it would be said with a part of it.
  }
  if (key?.asymmetricKeyType !== 'rsa') throw new Unfit('the key that signs is no RSA key in PEM');
  return key;
}
