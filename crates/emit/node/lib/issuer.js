// Access tokens of another issuer: a token comes in, whom it is about and what it was granted goes out. What the issuer says of its keys
// is asked there, by discovery (OpenID Connect Discovery 1.0, RFC 7517), and kept: a key that is known goes on working while the issuer
// is away, one that is not known is asked for, but not as often as anybody likes. Nothing that a token says of where keys are is believed.

import { createHash } from 'node:crypto';
import { isIP } from 'node:net';
import { compactVerify, importJWK } from 'jose';
import { logError } from './log.js';
import { Problem } from './problem.js';
import { send } from './provider/client.js';
import { anonymous } from './request.js';
import { respond } from './response.js';

const TOKEN_LIMIT = 16 * 1024;
// How far the clocks of issuer and server may be apart, in seconds.
const LEEWAY = 30;
// How long the keys are not asked for again while the one that is wanted is among them, and how long they are believed while the
// issuer does not answer.
const FRESH_MILLISECONDS = 300_000;
const KEPT_MILLISECONDS = 24 * 3_600_000;
// How often the issuer is asked at most, whatever names of keys are sent here, and how long it is left alone when it did not answer.
const ASKED_AT_MOST = 6;
const ASKED_WITHIN_MILLISECONDS = 60_000;
const LEFT_ALONE_MILLISECONDS = 2000;
const ANSWER_MILLISECONDS = 5000;
const DOCUMENT_LIMIT = 256 * 1024;
const KEYS_LIMIT = 100;
const SUBJECT_LIMIT = 255;
const EMAIL_LIMIT = 254;
const LEAST_MODULUS_BYTES = 256;
const DISCOVERY = '/.well-known/openid-configuration';
const RESOURCE_PATH = '/.well-known/oauth-protected-resource';
const types = new Set([undefined, 'at+jwt', 'application/at+jwt', 'jwt']);
// None without a signature, and none with a secret that both sides know.
const algorithms = new Set(['RS256', 'PS256', 'ES256', 'EdDSA']);

/** The issuer that the environment names. */
export function openIssuer(environment = process.env) {
  const { OAUTH_ISSUER: name, OAUTH_AUDIENCE: audience } = environment;
  if (!name) throw new Error('`OAUTH_ISSUER` is not set: it names who issues the access tokens, as `https://issuer.example.com`');
  if (!audience) throw new Error('`OAUTH_AUDIENCE` is not set: it names for whom the access tokens must be issued, the `aud` in them');
  return new Issuer(name, audience);
}

export class Issuer {
  #audience;
  #address;
  #now;
  // { keys, began, absent }: as the issuer has said them last, and names that were looked for in them and were not there.
  #known;
  // The question that is under way.
  #asking;
  #times = [];
  #failedAt = -Infinity;

  /**
   * @param {string} name the `iss` of its tokens
   * @param {string} audience for whom they must be issued
   * @param {() => number} [now] milliseconds of a clock that never steps back
   */
  constructor(name, audience, now = () => performance.now()) {
    this.name = name;
    this.#audience = audience;
    this.#address = addressOf(name);
    this.#now = now;
  }

  /**
   * @param {string} token
   * @param {string} at when it is used, UTC
   * @returns {Promise<{ subject: string, grants: Set<string>, email?: string, name?: string } | undefined>} what it says, when it is a
   *   good one; nothing for any other text. A problem where it cannot be checked now.
   */
  async check(token, at) {
    const [header, said] = read(token) ?? [];
    // Whatever is wrong without a key is wrong at once: nobody is asked for the keys of somebody else's tokens.
    const issued = header && said && isAccessToken(header) && this.#issued(said, Math.floor(Date.parse(at) / 1000));
    if (!issued) return undefined;
    const key = await this.#key(header);
    if (!key) return undefined;
    try {
      await compactVerify(token, key, { algorithms: [header.alg] });
      return issued;
    } catch (error) {
      if (error.code?.startsWith('ERR_J') || error instanceof TypeError) return undefined;
      throw error;
    }
  }

  /** What the claims say, where they are of this issuer, for this audience, and of now. */
  #issued(said, now) {
    const { iss, aud, sub, exp, nbf } = said;
    const isForUs = Array.isArray(aud) ? aud.includes(this.#audience) : aud === this.#audience;
    const isOfNow = Number.isFinite(exp) && exp + LEEWAY > now && (nbf === undefined || (Number.isFinite(nbf) && nbf - LEEWAY <= now));
    const isAbout = typeof sub === 'string' && sub !== '' && Buffer.byteLength(sub) <= SUBJECT_LIMIT;
    if (iss !== this.name || !isForUs || !isOfNow || !isAbout) return undefined;
    const { email, email_verified, name } = said;
    const isProved = email_verified === true && typeof email === 'string' && email.includes('@') && Buffer.byteLength(email) <= EMAIL_LIMIT;
    return {
      subject: sub,
      grants: grantsOf(said),
      email: isProved ? email : undefined,
      name: typeof name === 'string' ? name : undefined,
    };
  }

  /** The key that a token was signed with; nothing where the issuer has no such key. */
  async #key(header) {
    const arrived = this.#now();
    const known = this.#known;
    const key = known && find(known.keys, header);
    if (key && arrived - known.began < KEPT_MILLISECONDS) {
      if (arrived - known.began >= FRESH_MILLISECONDS) this.#ask().catch(() => {});
      return key;
    }
    if (known?.absent.has(header.kid)) return undefined;
    // What was begun before this token came need not hold its key; where it does, it is the one.
    if (this.#asking) {
      const asked = await this.#ask();
      const there = asked && find(asked.keys, header);
      if (there) return there;
    }
    const fresh = await this.#ask();
    if (!fresh) throw new Problem('issuer_unavailable');
    const found = find(fresh.keys, header);
    if (!found && typeof header.kid === 'string' && header.kid.length <= SUBJECT_LIMIT && fresh.absent.size < KEYS_LIMIT) fresh.absent.add(header.kid);
    return found;
  }

  /** Asks the issuer, once for everybody who waits, unless it was asked too often or has just failed: then nothing. */
  #ask() {
    this.#asking ??= this.#askNow().finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  async #askNow() {
    const began = this.#now();
    this.#times = this.#times.filter((time) => began - time < ASKED_WITHIN_MILLISECONDS);
    if (began - this.#failedAt < LEFT_ALONE_MILLISECONDS || this.#times.length >= ASKED_AT_MOST) return undefined;
    this.#times.push(began);
    try {
      const keys = await this.#fetched();
      this.#failedAt = -Infinity;
      this.#known = { keys, began, absent: new Set() };
      return this.#known;
    } catch (error) {
      this.#failedAt = this.#now();
      logError('the issuer does not tell its keys', error, { issuer: this.name, has_keys: this.#known !== undefined });
      return undefined;
    }
  }

  async #fetched() {
    const at = `${this.name.replace(/\/+$/, '')}${DISCOVERY}`;
    const { issuer, jwks_uri } = await documentAt(at, this.#address);
    if (issuer !== this.name) throw new Error(`${at} is of another issuer`);
    const { keys: told } = await documentAt(jwks_uri, this.#address);
    const keys = (await Promise.all((Array.isArray(told) ? told : []).slice(0, KEYS_LIMIT).map(keyOf))).filter(Boolean);
    if (keys.length === 0) throw new Error(`${jwks_uri} holds no key that is taken: RSA of 2048 bits or more, P-256, Ed25519`);
    return keys;
  }
}

/**
 * Who calls, or a 401 that counts against the client's address. What cannot be checked counts for nobody.
 * @param {import('./request.js').Request} request
 * @param {Issuer} issuer
 * @param {import('./rate-limit.js').RateLimit} [limit] without it, failed attempts count nowhere
 * @param {{ users?: import('./identities.js').Identities, role?: string, scope?: string }} [asked] `users`: a user must call; `role`: what
 *   the account must be; `scope`: what the token must have been granted
 */
export async function authorizeIssued(request, issuer, limit, { users, role, scope } = {}) {
  limit?.describe(request, anonymous(request));
  const metadata = `${siteOf(request)}${RESOURCE_PATH}`;
  const token = /^Bearer +(.+)$/i.exec(request.header('authorization') ?? '')?.[1];
  const issued = token && (await issuer.check(token, request.receivedAt));
  if (!issued) {
    limit?.take(request, anonymous(request));
    throw new Problem(token ? 'invalid_token' : 'missing_token', { metadata });
  }
  const subject = { identity: `subject:${identityHash(issuer.name, issued.subject)}` };
  if (scope !== undefined && !issued.grants.has(scope)) {
    limit?.take(request, subject);
    throw new Problem('insufficient_scope', { grant: scope, metadata });
  }
  if (!users) return subject;
  const { caller, problem } = await users.find(issuer.name, issued, request.receivedAt);
  if (!caller) {
    limit?.take(request, subject);
    throw new Problem(problem);
  }
  if (role !== undefined && ![role].flat().includes(caller.role)) {
    limit?.take(request, caller);
    throw new Problem('insufficient_role', { role });
  }
  return caller;
}

/** RFC 9728: who issues the tokens that are taken here. */
export function respondResource(request, issuer, scopes) {
  const told = { resource: siteOf(request), authorization_servers: [issuer.name], bearer_methods_supported: ['header'] };
  return respond(200, scopes.length === 0 ? told : { ...told, scopes_supported: scopes });
}

/** What somebody whom an issuer proves is known by. */
export function identityHash(issuer, subject) {
  return createHash('sha256').update(`${issuer}\n${subject}`).digest('hex');
}

/** The address by which the caller knows the server. */
function siteOf(request) {
  const known = process.env.PUBLIC_URL?.replace(/\/+$/, '');
  return known || `${request.scheme}://${request.header('host') ?? 'localhost'}`;
}

/** Where an issuer is: encrypted, or on this machine. */
function addressOf(name) {
  const wrong = (why) => new Error(`\`OAUTH_ISSUER\`: ${why}`);
  if (!URL.canParse(name)) throw wrong('it is no address such as `https://issuer.example.com`');
  if (/[?#]/.test(name)) throw wrong('it has a query or a fragment, which no issuer has');
  const url = new URL(name);
  if (url.username || url.password) throw wrong('a name or a password stands in it');
  if (!isEncrypted(url)) throw wrong('it must begin with `https://`; `http://` will do on this machine alone');
  return url;
}

function isEncrypted({ protocol, hostname }) {
  return protocol === 'https:' || (protocol === 'http:' && isThisMachine(hostname));
}

function isThisMachine(hostname) {
  return hostname === 'localhost' || hostname === '[::1]' || (isIP(hostname) === 4 && hostname.startsWith('127.'));
}

/** A document of JSON. The issuer may be anywhere, since an operator has named it; what it names itself is on the public internet. */
async function documentAt(address, named) {
  const url = new URL(address);
  const isNamed = url.hostname === named.hostname;
  if (isNamed && url.port !== named.port) throw new Error(`${address} is at another port than the issuer`);
  if (!isEncrypted(url)) throw new Error(`${address} is not encrypted`);
  const request = { method: 'GET', url: url.href, headers: [['Accept', 'application/json']], body: '' };
  const { neverConnected, broken, answer } = await send(request, { within: ANSWER_MILLISECONDS, isOurs: isNamed });
  if (!answer) throw new Error(`${address}: ${neverConnected ?? broken}`);
  if (answer.status !== 200) throw new Error(`${address} answered ${answer.status}`);
  if (answer.isCut || answer.body.length > DOCUMENT_LIMIT) throw new Error(`${address} is longer than ${DOCUMENT_LIMIT} bytes`);
  return JSON.parse(answer.body.toString()) ?? {};
}

/** A key for the algorithms that it is of; nothing for one of no kind that is taken: issuers have others beside. */
async function keyOf(jwk) {
  const { kty, crv, kid, use, key_ops: operations, alg } = jwk ?? {};
  if ((use !== undefined && use !== 'sig') || (operations !== undefined && !operations?.includes?.('verify'))) return undefined;
  const own = kty === 'RSA' ? ['RS256', 'PS256'] : kty === 'EC' && crv === 'P-256' ? ['ES256'] : kty === 'OKP' && crv === 'Ed25519' ? ['EdDSA'] : [];
  const fit = alg === undefined ? own : own.filter((known) => known === alg);
  if (fit.length === 0 || (kty === 'RSA' && modulusBytes(jwk.n) < LEAST_MODULUS_BYTES)) return undefined;
  const open = { kty, crv, n: jwk.n, e: jwk.e, x: jwk.x, y: jwk.y };
  try {
    return { kid, keys: Object.fromEntries(await Promise.all(fit.map(async (one) => [one, await importJWK(open, one)]))) };
  } catch {
    return undefined;
  }
}

function modulusBytes(text) {
  const bytes = Buffer.from(String(text), 'base64url');
  const first = bytes.findIndex((byte) => byte !== 0);
  return first < 0 ? 0 : bytes.length - first;
}

/** A token that names no key is of the only one that it can be. */
function find(known, { kid, alg }) {
  const fit = known.filter((key) => key.keys[alg]);
  const key = kid === undefined ? fit.length === 1 && fit[0] : fit.find((one) => one.kid === kid);
  return key ? key.keys[alg] : undefined;
}

/** RFC 9068 wants `at+jwt`; many issuers say `JWT`, or nothing. Tokens of another use say so. */
function isAccessToken({ alg, typ, kid, crit }) {
  const isNamed = kid === undefined || typeof kid === 'string';
  return algorithms.has(alg) && types.has(typeof typ === 'string' ? typ.toLowerCase() : typ) && isNamed && crit === undefined;
}

/** The header and the claims of a token that nobody has checked yet. */
function read(token) {
  const parts = token.split('.');
  if (token.length > TOKEN_LIMIT || parts.length !== 3) return undefined;
  try {
    const read = parts.slice(0, 2).map((part) => JSON.parse(Buffer.from(part, 'base64url').toString()));
    return read.every((part) => typeof part === 'object' && part !== null && !Array.isArray(part)) ? read : undefined;
  } catch {
    return undefined;
  }
}

/** `scope` of RFC 9068, and `scp`, as some issuers call it. */
function grantsOf({ scope, scp }) {
  const words = (claim) => (typeof claim === 'string' ? claim.split(' ') : Array.isArray(claim) ? claim : []);
  return new Set([...words(scope), ...words(scp)].filter((word) => typeof word === 'string' && word !== ''));
}
