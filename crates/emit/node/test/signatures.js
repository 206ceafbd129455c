// Signs calls as their provider would, with the secrets of the cases: a request comes in, the same goes out with what proves it. Whoever
// imports it has the application know those secrets too.

import { createHash, createHmac, generateKeyPairSync, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { isForm, signedBytes } from '../lib/provider/signature.js';

const { environment, ways } = JSON.parse(readFileSync(new URL('signatures.json', import.meta.url), 'utf8'));

Object.assign(process.env, environment);
// Some signatures are over the address: that by which the tests call.
delete process.env.PUBLIC_URL;

/** A pair of keys for a way of signing. */
const pairOf = ({ algorithm }) =>
  algorithm === 'rsa_sha256' ? generateKeyPairSync('rsa', { modulusLength: 2048 }) : generateKeyPairSync('ec', { namedCurve: 'P-256' });

// Where the provider keeps what it signs with, the application is told the public half of a pair that nobody else has.
const pairs = new Map();
for (const { public_key: rule } of Object.values(ways).flat()) {
  if (rule === undefined) continue;
  const pair = pairOf(rule);
  pairs.set(rule, pair);
  const spki = { type: 'spki', format: rule.is_pem ? 'pem' : 'der' };
  const told = pair.publicKey.export(spki);
  process.env[rule.variable] = rule.is_pem ? told : told.toString('base64');
}

/** Another secret of the same form. */
const another = (secret) => (secret.startsWith('b') ? 'a' : 'b') + secret.slice(1);

/**
 * @param {{ origin: string, method: string, path: string, headers: Record<string, string>, body: string }} call names of headers in lower case
 * @param {{ by: 'provider' | 'stranger', seconds_ago?: number }} signing
 * @returns the call with its signature
 */
export function signed(call, { by, seconds_ago: ago = 0 }) {
  const made = { ...call, headers: { ...call.headers } };
  const knows = by === 'stranger' ? another : (secret) => secret;
  for (const way of ways[call.path]) {
    const [[kind, rule]] = Object.entries(way);
    makers[kind](made, rule, knows, Date.now() - ago * 1000, by);
  }
  return made;
}

const makers = {
  hmac(call, { algorithm, key, key_form: keyForm, header, form, encoding, signed: parts, timestamp, body_digest_parameter: parameter }, knows, time) {
    const stamp = timestamp && String(timestamp.unit === 'seconds' ? Math.floor(time / 1000) : time);
    if (timestamp?.header) call.headers[timestamp.header.toLowerCase()] = stamp;
    if (parameter && !isForm(asTaken(call)) && call.body !== '') {
      call.path += `${call.path.includes('?') ? '&' : '?'}${parameter}=${createHash('sha256').update(call.body).digest('hex')}`;
    }
    const bytes = bytesOf(call, parts, { timestamp: stamp });
    const isBase64 = keyForm === 'base64' || keyForm?.base64_behind !== undefined;
    const digest = createHmac(algorithm, Buffer.from(knows(key), isBase64 ? 'base64' : 'utf8')).update(bytes).digest(encoding);
    call.headers[header.toLowerCase()] = inForm(form, digest, stamp);
  },
  digest(call, { algorithm, secret, header, encoding, signed: parts }, knows) {
    call.headers[header.toLowerCase()] = createHash(algorithm).update(bytesOf(call, parts, { secret: knows(secret) })).digest(encoding);
  },
  public_key(call, rule, knows, time, by) {
    const { header, signed: parts, timestamp } = rule;
    const stamp = timestamp && String(timestamp.unit === 'seconds' ? Math.floor(time / 1000) : time);
    if (timestamp?.header) call.headers[timestamp.header.toLowerCase()] = stamp;
    const { privateKey } = by === 'stranger' ? pairOf(rule) : pairs.get(rule);
    call.headers[header.toLowerCase()] = sign('sha256', bytesOf(call, parts, { timestamp: stamp }), privateKey).toString('base64');
  },
  fixed_header(call, { name, value }, knows) {
    call.headers[name.toLowerCase()] = knows(value);
  },
  basic(call, { user, password }, knows) {
    call.headers.authorization = `Basic ${Buffer.from(`${user}:${knows(password)}`).toString('base64')}`;
  },
  secret_path(call, secret, knows) {
    call.path += `/${knows(secret)}`;
  },
  body_holds() {},
};

function inForm(form, digest, stamp) {
  if (form?.behind !== undefined) return `${form.behind}${digest}`;
  if (form?.versions !== undefined) return `${form.versions},${digest}`;
  if (form?.pairs === undefined) return digest;
  const { signature, timestamp } = form.pairs;
  return timestamp ? `${timestamp}=${stamp},${signature}=${digest}` : `${signature}=${digest}`;
}

function bytesOf(call, parts, known) {
  const taken = asTaken(call);
  return signedBytes(taken, parts, { ...known, url: `${call.origin}${call.path}`, withoutParameters: !isForm(taken) });
}

function asTaken({ headers, body, ...call }) {
  return { ...call, headers: Object.entries(headers), body: Buffer.from(body) };
}
