// Signs calls as their provider would, with the secrets of the cases: a request comes in, the same goes out with what proves it. Whoever
// imports it has the application know those secrets too.

import { createHash, createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { isForm, signedBytes } from '../lib/provider/signature.js';

const { environment, ways } = JSON.parse(readFileSync(new URL('signatures.json', import.meta.url), 'utf8'));

Object.assign(process.env, environment);
// Some signatures are over the address: that by which the tests call.
delete process.env.PUBLIC_URL;

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
    makers[kind](made, rule, knows, Date.now() - ago * 1000);
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
    const digest = createHmac(algorithm, Buffer.from(knows(key), keyForm === 'base64' ? 'base64' : 'utf8')).update(bytes).digest(encoding);
    call.headers[header.toLowerCase()] = inForm(form, digest, stamp);
  },
  digest(call, { algorithm, secret, header, encoding, signed: parts }, knows) {
    call.headers[header.toLowerCase()] = createHash(algorithm).update(bytesOf(call, parts, { secret: knows(secret) })).digest(encoding);
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
