// Who calls with an access token: the token is read, its key is one of the database's, its session lives. Tokens are made here too,
// and the keys that sign them. What the database says of a session is believed for a second, and not at all once a session was ended
// here.

import { createHmac, createPrivateKey, createPublicKey, generateKeyPairSync, randomBytes } from 'node:crypto';
import { decodeProtectedHeader, jwtVerify, SignJWT } from 'jose';
import { forgetEnded } from './ended-accounts.js';
import { uuidOrNull, uuidv7 } from './identifiers.js';
import { logError } from './log.js';
import { verifyPassword } from './passwords.js';
import { Problem } from './problem.js';
import { tried } from './rate-limit.js';
import { anonymous } from './request.js';
import { respond } from './response.js';
import { isForeign, presentedSession, sessionCookie } from './session-cookie.js';
import { derivedKey, digestOf, opened, sealed } from './successor.js';

// A session that was ended elsewhere lives no longer than that.
const MEMORY_MILLISECONDS = 1000;
const KEYS_MEMORY_MILLISECONDS = 60_000;
// A password that was right is not hashed again for so long.
const PASSWORD_MEMORY_MILLISECONDS = 300_000;
const PASSWORD_LIMIT = 256;
const EMAIL_LIMIT = 254;
const NO_SESSION = '00000000-0000-0000-0000-000000000000';
const MEMORY_LIMIT = 10_000;
const TOKEN_LIMIT = 4096;
/** What the key is derived for that seals private keys. */
const SEALS_KEYS = 'signing keys';
const ALGORITHM = 'EdDSA';
// In seconds: how long a key signs, and how long it is public before, so that everybody knows it when it does.
const KEY_SIGNS = 7_776_000;
const KEY_SETTLES = 3600;
const KEYS_KEPT = 300;
// What is over is looked for when somebody signs in or is mailed to, and no more often.
const FORGET_INTERVAL = 3_600_000;

const findSession = `SELECT id, user_id, expires_at, revoked_at FROM auth_sessions WHERE id = ?`;
const findCookie = `SELECT id, user_id, expires_at, revoked_at FROM auth_sessions WHERE token_hash = ?`;
// The column compares addresses without regard to case.
const findUser = `SELECT id FROM users WHERE email = ?`;
const findPassword = `SELECT password_hash, role, disabled_at FROM auth_accounts WHERE user_id = ?`;
const findAccount = `SELECT role, disabled_at FROM auth_accounts WHERE user_id = ?`;
const listKeys = `SELECT id, public_key, private_key, signs_from, signs_until FROM auth_signing_keys ORDER BY id`;
const insertKey = `INSERT INTO auth_signing_keys (id, algorithm, public_key, private_key, created_at, signs_from, signs_until) VALUES (?, ?, ?, ?, ?, ?, ?)`;

export class Accounts {
  #database;
  #issuer;
  #secret;
  #now;
  // { keys, staleAt }: those that sign or have signed.
  #keys;
  // Session -> { caller, staleAt }.
  #sessions = new Map();
  // Passwords that were found right, by a keyed hash of them -> { hash, staleAt }: the hash that they were compared with.
  #passwords = new Map();
  // Tokens whose signature was found right -> what they say.
  #tokens = new Map();
  #forgetsAt = -Infinity;

  /**
   * @param {import('./database.js').Database} database
   * @param {{ issuer: string, secret?: string, now?: () => number }} options `secret` is what the servers of the database share
   */
  constructor(database, { issuer, secret = process.env.AUTH_SECRET, now = () => performance.now() }) {
    if (!secret) throw new Error('`AUTH_SECRET` is not set: `producer secrets export` tells what the servers of this database share');
    this.#database = database;
    this.#issuer = issuer;
    this.#secret = secret;
    this.#now = now;
  }

  /**
   * @param {string} token
   * @param {string} at when it is used, UTC
   * @returns {Promise<{ identity: string, user_id: string, session_id: string, role: string } | undefined>} who calls, when the
   *   token is a good one; nothing for any other text
   */
  async find(token, at) {
    const claims = await this.#claims(token);
    if (!claims || Math.floor(Date.parse(at) / 1000) >= claims.exp) return undefined;
    const caller = uuidOrNull(claims.sid) && (await this.#session(findSession, claims.sid, at));
    return caller?.user_id === claims.sub ? caller : undefined;
  }

  /** Who calls with the cookie of a session that lives; nothing for any other text. @param {string} token @param {string} at UTC */
  async findSession(token, at) {
    return token.length > TOKEN_LIMIT ? undefined : this.#session(findCookie, digestOf(token), at);
  }

  /**
   * Who calls with address and password, `undefined` where they are wrong. What was right is not compared again for a while, unless the
   * account has another password meanwhile. Nobody takes as long as somebody.
   */
  async findByPassword(email, password) {
    const user = await this.#database.optional(findUser, [email]);
    const account = user && (await this.#database.optional(findPassword, [user.id]));
    const known = account?.password_hash ?? null;
    if (!(await this.#isRight(email, password, known))) return undefined;
    if (account.disabled_at !== null) throw new Problem('account_disabled');
    return { identity: `user:${user.id}`, user_id: user.id, session_id: NO_SESSION, role: account.role };
  }

  /** Whether that pair was found right a while ago. */
  remembersPassword(email, password) {
    return this.#now() < (this.#passwords.get(this.#pair(email, password))?.staleAt ?? 0);
  }

  /** Has the answer hand the browser the token of its session as a cookie; without one it takes the cookie away. */
  setSession(request, token) {
    this.#forgetEnded();
    request.answerHeaders['Set-Cookie'] = sessionCookie(request, token);
  }

  /** A page that signs somebody in as another would get to see what they enter then. */
  refuseOtherOrigins(request) {
    if (isForeign(request)) throw new Problem('cross_origin');
  }

  /** Believes nothing any more that was said of sessions. */
  forget() {
    this.#sessions.clear();
  }

  /** A signed token. @param {object} said @param {number} lifetime in seconds @param {string} at UTC */
  async issue(said, lifetime, at) {
    this.#forgetEnded();
    const key = signingAt(await this.#signing(at), at);
    const issued = Math.floor(Date.parse(at) / 1000);
    const standing = { iss: this.#issuer, aud: this.#issuer, iat: issued, exp: issued + lifetime, jti: uuidv7() };
    // RFC 9068.
    const header = { typ: 'at+jwt', alg: ALGORITHM, kid: key.id };
    return new SignJWT({ ...standing, ...said }).setProtectedHeader(header).sign(key.signs);
  }

  /** The public keys, RFC 7517. */
  async publicKeys(at) {
    return (await this.#signing(at)).map(({ id, x }) => ({ kty: 'OKP', crv: 'Ed25519', use: 'sig', alg: ALGORITHM, kid: id, x }));
  }

  /** Forgets what is over, behind the answer. */
  #forgetEnded() {
    if (this.#now() < this.#forgetsAt) return;
    this.#forgetsAt = this.#now() + FORGET_INTERVAL;
    setImmediate(() => forgetEnded(this.#database).catch((error) => logError('sessions and tokens that are over were not forgotten', error)));
  }

  /** What a token says whose signature is right. */
  async #claims(token) {
    if (token.length > TOKEN_LIMIT || token.split('.').length !== 3) return undefined;
    const known = this.#tokens.get(token);
    if (known) return known;
    try {
      const { kid, alg } = decodeProtectedHeader(token);
      if (alg !== ALGORITHM || typeof kid !== 'string') return undefined;
      const key = (await this.#known(kid)).find(({ id }) => id === kid);
      if (!key) return undefined;
      // Whoever asks says what time it is.
      const { payload } = await jwtVerify(token, key.verifies, { algorithms: [ALGORITHM], currentDate: new Date(0) });
      const { sub, sid, exp } = payload;
      if (typeof sub !== 'string' || typeof sid !== 'string' || !Number.isInteger(exp)) return undefined;
      remember(this.#tokens, token, { sub, sid, exp });
      return { sub, sid, exp };
    } catch (error) {
      if (error.code?.startsWith('ERR_J') || error instanceof TypeError) return undefined;
      throw error;
    }
  }

  async #isRight(email, password, known) {
    const [pair, now] = [this.#pair(email, password), this.#now()];
    const remembered = this.#passwords.get(pair);
    if (known !== null && remembered?.hash === known && now < remembered.staleAt) return true;
    const isRight = await verifyPassword(password, known);
    if (isRight) remember(this.#passwords, pair, { hash: known, staleAt: now + PASSWORD_MEMORY_MILLISECONDS });
    else this.#passwords.delete(pair);
    return isRight;
  }

  /** What a pair is remembered by: nobody reads the password from it. */
  #pair(email, password) {
    return createHmac('sha256', this.#derived('passwords')).update(`${email.toLowerCase()}\0${password}`).digest('base64url');
  }

  async #session(statement, name, at) {
    const known = this.#sessions.get(name);
    const now = this.#now();
    if (known && now < known.staleAt) return known.caller;
    const caller = await this.#caller(statement, name, at);
    remember(this.#sessions, name, { caller, staleAt: now + MEMORY_MILLISECONDS });
    return caller;
  }

  /** Whose session it is, where it lives and the account may be used. */
  async #caller(statement, name, at) {
    const session = await this.#database.optional(statement, [name]);
    if (!session || session.revoked_at !== null || Date.parse(session.expires_at) <= Date.parse(at)) return undefined;
    const account = await this.#database.optional(findAccount, [session.user_id]);
    if (!account || account.disabled_at !== null) return undefined;
    return { identity: `user:${session.user_id}`, user_id: session.user_id, session_id: session.id, role: account.role };
  }

  /** The keys, among them the one of that name where there is one. A name that nobody knows asks the database once a second. */
  async #known(kid) {
    if (this.#keys) {
      const { keys, askedAt } = this.#keys;
      const age = this.#now() - askedAt;
      if (age < (keys.some(({ id }) => id === kid) ? KEYS_MEMORY_MILLISECONDS : MEMORY_MILLISECONDS)) return keys;
    }
    return this.#readKeys();
  }

  /** The keys, among them one that signs at that time. Its successor is made in time for everybody to know it before it signs. */
  async #signing(at) {
    const isFresh = this.#keys && this.#now() - this.#keys.askedAt < KEYS_MEMORY_MILLISECONDS;
    const keys = isFresh ? this.#keys.keys : await this.#readKeys();
    const [now, key] = [Date.parse(at), signingAt(keys, at)];
    if (key && (key.until - 2 * KEY_SETTLES * 1000 > now || keys.some(({ from }) => from > now))) return keys;
    await this.#makeKey(now, key ? now + KEY_SETTLES * 1000 : now);
    return this.#readKeys();
  }

  async #readKeys() {
    const askedAt = this.#now();
    const keys = (await this.#database.many(listKeys)).map((row) => this.#key(row));
    this.#keys = { keys, askedAt };
    return keys;
  }

  #key({ id, public_key, private_key, signs_from, signs_until }) {
    const verifies = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: public_key }, format: 'jwk' });
    const [from, until] = [Date.parse(signs_from), Date.parse(signs_until)];
    return { id, x: public_key, verifies, signs: this.#opened(id, private_key), from, until };
  }

  async #makeKey(now, begins) {
    const id = uuidv7();
    const { publicKey, privateKey } = generateKeyPairSync('ed25519');
    const kept = sealed(this.#secret, SEALS_KEYS, id, privateKey.export({ format: 'der', type: 'pkcs8' }));
    const times = [now, begins, begins + KEY_SIGNS * 1000].map((time) => new Date(time));
    await this.#database.transaction((transaction) =>
      transaction.run(insertKey, [id, ALGORITHM, publicKey.export({ format: 'jwk' }).x, kept, ...times]),
    );
  }

  #derived(purpose) {
    return derivedKey(this.#secret, purpose);
  }

  /** Nothing where the secret of this server did not seal it. */
  #opened(id, kept) {
    try {
      const der = opened(this.#secret, SEALS_KEYS, id, kept);
      return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
    } catch (error) {
      logError('a key that signs was sealed with another AUTH_SECRET: give every server the same', error, { key: id });
      return undefined;
    }
  }
}

/**
 * Who calls, or a 401 that counts against the client's address.
 * @param {import('./request.js').Request} request
 * @param {Accounts} accounts
 * @param {import('./rate-limit.js').RateLimit} [limit] without it, failed attempts count nowhere
 * @param {{ by?: ('token' | 'session' | 'password')[], role?: string | string[], tries?: import('./rate-limit.js').RateLimit }} [asked] `by`: what proves it, where a header that is added on purpose
 *   wins over a cookie; `tries`: what failed passwords count against, for the address that was tried; `role`: what the account must be (one of several), or a 403 that counts for the caller
 */
export async function authorizeUser(request, accounts, limit, { by = ['token'], role, tries } = {}) {
  // Should the lookup fail, its 503 carries the rate limit headers too.
  limit?.describe(request, anonymous(request));
  const { caller, problem } = await proved(request, accounts, by, tries);
  if (!caller) {
    limit?.take(request, anonymous(request));
    throw new Problem(problem);
  }
  if (role !== undefined && ![role].flat().includes(caller.role)) {
    limit?.take(request, caller);
    throw new Problem('insufficient_role', { role });
  }
  return caller;
}

/** Who calls by the first of what is taken that the request brings, or why that is nobody. */
async function proved(request, accounts, by, tries) {
  if (by.includes('password')) return provedByPassword(request, accounts, tries);
  const token = by.includes('token') && /^Bearer +(.+)$/i.exec(request.header('authorization') ?? '')?.[1];
  if (token) return { caller: await accounts.find(token, request.receivedAt), problem: 'invalid_token' };
  if (!by.includes('session')) return { problem: 'missing_token' };
  const cookie = presentedSession(request);
  if (!cookie) return { problem: 'missing_session' };
  if (isForeign(request)) return { problem: 'cross_origin' };
  return { caller: await accounts.findSession(cookie, request.receivedAt), problem: 'invalid_session' };
}

/** The same by address and password. What fails counts for the address that was tried, whether anybody has it or not. */
async function provedByPassword(request, accounts, tries) {
  const sent = /^Basic +([A-Za-z0-9+/=_-]+)$/i.exec(request.header('authorization') ?? '')?.[1];
  const [, email, password] = /^([^:]*):(.*)$/s.exec(sent ? Buffer.from(sent, 'base64').toString() : '') ?? [];
  if (!email || !password) return { problem: sent ? 'invalid_password' : 'missing_password' };
  // Browsers add it by themselves once somebody has typed it in.
  if (isForeign(request)) return { problem: 'cross_origin' };
  if (email.length > EMAIL_LIMIT || password.length > PASSWORD_LIMIT) return { problem: 'invalid_password' };
  if (!accounts.remembersPassword(email, password)) tries.spare(request, tried(email));
  const caller = await accounts.findByPassword(email, password);
  if (!caller) tries.take(request, tried(email));
  return { caller, problem: 'invalid_password' };
}

/** A text that nobody can guess. @param {number} bytes */
export function randomToken(bytes) {
  return randomBytes(bytes).toString('base64url');
}

export async function respondKeys(request, accounts) {
  const keys = await accounts.publicKeys(request.receivedAt);
  request.cacheControl = `public, max-age=${KEYS_KEPT}`;
  return respond(200, { keys });
}

/** The newest key that signs then. */
function signingAt(keys, at) {
  const now = Date.parse(at);
  return keys.filter(({ signs, from, until }) => signs && from <= now && now < until).sort((left, right) => right.from - left.from)[0];
}

function remember(map, name, value) {
  if (map.size >= MEMORY_LIMIT) map.clear();
  map.set(name, value);
}
