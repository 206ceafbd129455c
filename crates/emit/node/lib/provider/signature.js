// How calls that come in are known to be the provider's, over their bytes as they came. Each mechanism is a function that throws a
// Stranger with the reason, never with what was expected; secrets and the time are handed in.

import { createHash, createHmac, createPublicKey, timingSafeEqual, verify } from 'node:crypto';
import { crc32 } from 'node:zlib';

/** A call that is not known to be the provider's. */
export class Stranger extends Error {}

/** What proves a call has to be brought from elsewhere, and could not be now. */
export class Unproved extends Error {
  constructor() {
    super('what proves it could not be brought from elsewhere');
  }
}

// While a secret is changed, a provider signs with both.
const MOST_SIGNATURES = 10;
// Milliseconds until the year 2286.
const MOST_DIGITS = 13;

/**
 * A request as whoever has signed it knows it.
 * @param {import('../request.js').Request} request
 * @param {Buffer} body
 * @param {string} [site] the address by which others know the server, where it is not the one that the request names
 * @returns {Call}
 */
export function callOf(request, body, site) {
  const { rawHeaders } = request.incoming;
  const headers = rawHeaders.flatMap((name, index) => (index % 2 === 0 ? [[name, rawHeaders[index + 1]]] : []));
  const origin = site || `http://${request.header('host') ?? ''}`;
  return { method: request.method, url: `${origin}${request.target}`, headers, body, arrived: Date.parse(request.receivedAt) };
}

/**
 * A keyed digest, RFC 2104.
 * @param {Call} call
 * @param {{ algorithm: string, key?: string, keyForm?: 'base64', keyBehind?: string, header: string, form?: object, encoding: 'hex' | 'base64',
 *   signed: (string | object)[], timestamp?: object, portEitherWay?: boolean, bodyDigestParameter?: string }} way
 * @typedef {{ method: string, url: string, headers: [string, string][], body: Buffer, arrived: number }} Call `arrived` in
 *   milliseconds since 1970
 */
export function verifyHmac(call, way) {
  const text = needed(way.key, 'the secret');
  const isBehind = way.keyBehind !== undefined && text.startsWith(way.keyBehind);
  const secret = Buffer.from(isBehind ? text.slice(way.keyBehind.length) : text, way.keyForm ?? 'utf8');
  const { signatures, time } = inHeader(way, call);
  const timestamp = way.timestamp && timeOf(call, way, time);
  const withoutParameters = !isForm(call);
  if (way.bodyDigestParameter && withoutParameters && call.body.length > 0) bodyIsThatOf(call, way.bodyDigestParameter);
  let isRight = false;
  for (const url of way.portEitherWay ? eitherWay(call.url) : [call.url]) {
    const expected = createHmac(way.algorithm, secret).update(signedBytes(call, way.signed, { timestamp, url, withoutParameters })).digest();
    // Every one is tried, so that the time taken does not tell which was nearly right.
    for (const signature of signatures) isRight = isSame(signature, expected) || isRight;
  }
  if (!isRight) throw new Stranger('the signature is wrong');
}

/** A digest over a text that holds the secret. */
export function verifyDigest(call, { algorithm, secret, header, encoding, signed }) {
  const told = decoded(headerOf(call, header).trim(), encoding);
  const bytes = signedBytes(call, signed, { secret: needed(secret, 'the secret'), url: call.url, withoutParameters: !isForm(call) });
  if (told === undefined || !isSame(told, createHash(algorithm).update(bytes).digest())) throw new Stranger('the signature is wrong');
}

/** A signature that a public key checks; the key is SubjectPublicKeyInfo, Base64 of DER or PEM. */
export function verifyPublicKey(call, { key, header, signed, timestamp: rule }) {
  const told = decoded(headerOf(call, header).trim(), 'base64');
  const timestamp = rule && timeOf(call, { header, timestamp: rule }, undefined);
  const bytes = signedBytes(call, signed, { timestamp, url: call.url });
  if (told === undefined || !verify('sha256', bytes, publicKey(needed(key, 'the key')), told)) throw new Stranger('the signature is wrong');
}

/** A header that holds what we told the provider. */
export function verifyHeader(call, name, expected) {
  mustBe(headerOf(call, name), expected, name);
}

/** What was told is what we expect, which takes as long whether it is or not. */
export function mustBe(told, expected, what) {
  if (!isSame(Buffer.from(told), Buffer.from(needed(expected, what)))) throw new Stranger('the signature is wrong');
}

/** The provider itself has said that it is its own. */
export function mustBeConfirmed(isConfirmed) {
  if (!isConfirmed) throw new Unproved();
}

/** `Authorization: Basic` with what we told the provider, RFC 7617. */
export function verifyBasic(call, user, password) {
  const [, told] = /^basic +([A-Za-z0-9+/=]+) *$/i.exec(headerOf(call, 'Authorization')) ?? [];
  const expected = Buffer.from(`${needed(user, 'the name')}:${needed(password, 'the password')}`);
  if (told === undefined || !isSame(Buffer.from(told, 'base64'), expected)) throw new Stranger('the signature is wrong');
}

/** The last segment of the address is what nobody can guess. */
export function verifySecretPath(call, expected) {
  mustBe(call.url.split(/[?#]/)[0].split('/').at(-1), expected, 'the secret');
}

/** What the header holds, once: nobody knows which of several is meant. */
export function headerOf(call, name) {
  const found = call.headers.filter(([known]) => known.toLowerCase() === name.toLowerCase());
  if (found.length === 0) throw new Stranger(`the header \`${name}\` is missing`);
  if (found.length > 1) throw new Stranger(`the header \`${name}\` stands there more than once`);
  return found[0][1];
}

function needed(value, what) {
  if (value === undefined || value === null || value === '') throw new Stranger(`${what} has no value here`);
  return value;
}

function isSame(told, expected) {
  return told.length === expected.length && timingSafeEqual(told, expected);
}

function inHeader({ header, form = {}, encoding }, call) {
  const held = headerOf(call, header).trim();
  let [texts, time] = [[held], undefined];
  if (form.behind !== undefined) {
    const isThere = held.slice(0, form.behind.length).toLowerCase() === form.behind.toLowerCase();
    texts = isThere ? [held.slice(form.behind.length)] : [];
  } else if (form.version !== undefined) {
    const versions = held.split(' ').map((one) => one.split(/,(.*)/s));
    texts = versions.filter(([word, text]) => word === form.version && text !== undefined).map(([, text]) => text).slice(0, MOST_SIGNATURES);
  } else if (form.pairs) {
    const pairs = held.split(',').map((pair) => pair.trim().split(/=(.*)/s)).filter(([, text]) => text !== undefined);
    texts = pairs.filter(([name]) => name === form.pairs.signature).map(([, text]) => text).slice(0, MOST_SIGNATURES);
    time = pairs.find(([name]) => name === form.pairs.timestamp)?.[1];
  }
  const signatures = texts.map((text) => decoded(text, encoding)).filter((signature) => signature !== undefined);
  if (signatures.length === 0) throw new Stranger(`the header \`${header}\` cannot be read`);
  return { signatures, time };
}

/** The time as it was sent, where a signature of that time may be taken now. */
function timeOf(call, way, found) {
  const { header, unit, past, future } = way.timestamp;
  const text = header === undefined ? (found ?? '') : headerOf(call, header);
  if (!/^\d+$/.test(text) || text.length > MOST_DIGITS) throw new Stranger(`the header \`${header ?? way.header}\` cannot be read`);
  const age = call.arrived - Number(text) * (unit === 'seconds' ? 1000 : 1);
  if (past !== undefined && age > past * 1000) throw new Stranger(`it was signed ${Math.floor(age / 1000)} s ago, and ${past} s are allowed`);
  if (future !== undefined && -age > future * 1000) {
    throw new Stranger(`it was signed ${Math.floor(-age / 1000)} s ahead of this machine's clock, and ${future} s are allowed`);
  }
  return text;
}

/** What is signed, put together. */
export function signedBytes(call, parts, { timestamp = '', secret = '', url, withoutParameters }) {
  const bytes = parts.map((part) => {
    if (part.text !== undefined) return part.text;
    if (part.header !== undefined) return headerOf(call, part.header);
    if (typeof part === 'object') return needed(part.value, 'what is signed');
    switch (part) {
      case 'body':
        return call.body;
      case 'url':
        return url;
      case 'method':
        return call.method;
      case 'timestamp':
        return timestamp;
      case 'secret':
        return secret;
      case 'crc32_of_body':
        return String(crc32(call.body));
      case 'sorted_parameters':
        return withoutParameters ? '' : sortedParameters(call.body);
      default:
        throw new Error(`\`${part}\` is no part of what is signed`);
    }
  });
  return Buffer.concat(bytes.map((piece) => Buffer.from(piece)));
}

/** Names and values of a form, sorted by name, nothing between them; a value that stands there twice counts once. */
function sortedParameters(body) {
  const pairs = [...new URLSearchParams(body.toString('utf8'))].map(([name, value]) => [Buffer.from(name), Buffer.from(value)]);
  pairs.sort(([left, first], [right, second]) => Buffer.compare(left, right) || Buffer.compare(first, second));
  const once = pairs.filter(([name, value], index) => index === 0 || !(name.equals(pairs[index - 1][0]) && value.equals(pairs[index - 1][1])));
  return once.map(([name, value]) => `${name}${value}`).join('');
}

/** The bytes; `undefined` where the text is none in that encoding. */
export function decoded(text, encoding) {
  if (encoding === 'hex') return /^(?:[0-9a-f]{2})*$/i.test(text) ? Buffer.from(text, 'hex') : undefined;
  return /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text) ? Buffer.from(text, 'base64') : undefined;
}

function publicKey(text) {
  try {
    const isPem = text.trimStart().startsWith('-----BEGIN');
    return isPem ? createPublicKey(text) : createPublicKey({ key: Buffer.from(text, 'base64'), format: 'der', type: 'spki' });
  } catch {
    throw new Stranger('the key is none');
  }
}

/** Whether the body is a form, as its header says. */
export function isForm({ headers }) {
  const type = headers.find(([name]) => name.toLowerCase() === 'content-type')?.[1] ?? '';
  return type.split(';')[0].trim().toLowerCase() === 'application/x-www-form-urlencoded';
}

function bodyIsThatOf(call, parameter) {
  const told = decoded(new URLSearchParams(call.url.split('?')[1] ?? '').get(parameter) ?? '', 'hex');
  if (told === undefined || !isSame(told, createHash('sha256').update(call.body).digest())) throw new Stranger('the signature is wrong');
}

/** The address as it is, and with its port the other way: written out where it was not, left out where it was. */
function eitherWay(url) {
  const [, scheme, authority, path] = /^(\w+):\/\/([^/?]*)(.*)$/s.exec(url) ?? [];
  if (scheme === undefined) return [url];
  const [, host, port] = /^(.*):(\d+)$/.exec(authority) ?? [];
  return [url, port === undefined ? `${scheme}://${authority}:${scheme === 'https' ? 443 : 80}${path}` : `${scheme}://${host}${path}`];
}
