// Tokens of OAuth 2.0 that are got, kept and renewed, one request at a time. What came of somebody's agreement is kept in the database, sealed,
// where the native server keeps it too: whoever renews it has leased it, and the new one is there before anybody uses it. No token is ever
// part of what is said.

import { setTimeout as sleep } from 'node:timers/promises';
import { uuidv7 } from '../identifiers.js';
import { opened, sealed } from '../successor.js';
import { signed } from './assertion.js';
import { send } from './client.js';
import { percent } from './encode.js';
import { at } from './place.js';
import { Unfit } from './transformations.js';
import { asSent, asText, isAbsent, sha256, written } from './values.js';

// Milliseconds: for an answer with a token; for how long one is leased, and how often that is said again while the provider is asked: whoever is
// killed meanwhile has others wait no longer than that, and clocks may be eight seconds apart; how long others are waited for, and how often it is
// looked whether they are done.
const WITHIN = 30_000;
const LEASE = 10_000;
const HEARTBEAT = 2000;
const LONGEST_RENEWAL = 60_000;
const LOOK = 20;
// How long a failure is believed, so that who waits behind it does not ask the same again.
const FAILURE_HOLDS = 1000;
const MOST_BYTES = 256 * 1024;
// Longest time for which a token is believed, whatever its answer says, in seconds: a year.
const LONGEST_LIFETIME = 366 * 24 * 3600;
/** What the key is derived for that seals them. */
const PURPOSE = 'provider tokens';

const findToken = `SELECT sealed FROM outbox_tokens WHERE name = ?`;
const leaseToken = `UPDATE outbox_tokens SET lease = ?, leased_until = ? WHERE name = ? AND (leased_until IS NULL OR leased_until < ?)`;
const insertToken = `INSERT INTO outbox_tokens (name, sealed, changed_at, lease, leased_until) VALUES (?, '', ?, ?, ?)`;
const keepToken = `UPDATE outbox_tokens SET sealed = ?, changed_at = ?, lease = NULL, leased_until = NULL WHERE name = ?`;
const extendToken = `UPDATE outbox_tokens SET leased_until = ? WHERE name = ? AND lease = ?`;
const releaseToken = `UPDATE outbox_tokens SET lease = NULL, leased_until = NULL WHERE name = ? AND lease = ?`;

/** Why there is no token, as a call says how it came out. */
export class NoToken extends Error {
  constructor(outcome) {
    super(outcome.message);
    this.outcome = outcome;
  }
}

/**
 * The tokens of an account, by the names of its ways.
 * @typedef {{ access: string, endsAt?: number, refresh?: string, kept: Record<string, string> }} Token `endsAt` in seconds since 1970
 */
export class Tokens {
  #account;
  #database;
  #secret;
  /** Way -> what is held of it, and who waits for it. */
  #places = new Map();

  /** @param {import('../database.js').Database} database @param {string} [secret] what the servers of the database share */
  constructor(account, database, secret = process.env.AUTH_SECRET) {
    this.#account = account;
    this.#database = database;
    this.#secret = secret;
  }

  /**
   * A token that holds, got or renewed where none does. Throws a `NoToken`.
   * @param {string} name of the way
   * @param {Token} [refused] what the provider has just refused: another one is wanted
   * @returns {Promise<Token>}
   */
  token(name, refused) {
    const place = this.#places.get(name) ?? { before: Promise.resolve() };
    this.#places.set(name, place);
    const found = place.before.then(() => this.#found(name, place, refused));
    // Who wants it next waits, however this one comes out.
    place.before = found.catch(() => {});
    return found;
  }

  /** Those that somebody has agreed to and that lead to no other, with when they end, in seconds since 1970. */
  async endings() {
    const ways = Object.entries(this.#account.service.authentication).filter(([, { oauth2 }]) => oauth2?.isShared);
    const endings = [];
    for (const [credential, { oauth2: way }] of ways) {
      const { endsAt, refresh } = (await this.#load(this.#keptAs(credential, way))) ?? {};
      if (endsAt !== undefined && refresh === undefined) endings.push({ credential, endsAt });
    }
    return endings;
  }

  async #found(name, place, refused) {
    const { oauth2: way } = this.#account.service.authentication[name];
    if (holds(place.token, way, refused)) return place.token;
    if (place.failed && Date.now() - place.failed.at < FAILURE_HOLDS) throw place.failed.error;
    try {
      place.token = way.isShared ? await this.#shared(name, way, refused) : await this.#asked(way, undefined);
      place.failed = undefined;
      return place.token;
    } catch (error) {
      if (error instanceof NoToken) place.failed = { at: Date.now(), error };
      throw error;
    }
  }

  /** Another token, from the database or from the provider; the other servers wait. */
  async #shared(name, way, refused) {
    const kept = this.#keptAs(name, way);
    const lease = await this.#lease(kept);
    // Where one beat fails the next one may be in time.
    const beating = setInterval(() => this.#database.run(extendToken, [new Date(Date.now() + LEASE), kept, lease]).catch(() => {}), HEARTBEAT);
    try {
      const known = await this.#load(kept);
      if (holds(known, way, refused)) return known;
      const refresh = known?.refresh ?? this.#filled(way.refreshToken);
      if (refresh === undefined) throw new NoToken({ means: 'authentication', message: 'nobody has agreed at the provider yet' });
      const token = await this.#asked(way, refresh);
      // The old one may be of no use any more: what is not kept must not be used up.
      await this.#database.run(keepToken, [this.#sealed(kept, token), new Date(), kept]).catch(notKept);
      return token;
    } finally {
      clearInterval(beating);
      // Where it cannot be given back it runs out.
      await this.#database.run(releaseToken, [kept, lease]).catch(() => {});
    }
  }

  async #lease(name) {
    const [lease, end] = [uuidv7(), Date.now() + LONGEST_RENEWAL];
    for (;;) {
      const [now, until] = [new Date(), new Date(Date.now() + LEASE)];
      if ((await this.#database.run(leaseToken, [lease, until, name, now]).catch(notKept)) > 0) return lease;
      if (await this.#isNew(name, [name, now, lease, until])) return lease;
      if (Date.now() >= end) throw new NoToken(transient('another server has been renewing the token for too long'));
      await sleep(LOOK);
    }
  }

  /** A token of which nobody knew is leased by whoever writes its row. */
  async #isNew(name, row) {
    if ((await this.#database.optional(findToken, [name]).catch(notKept)) !== null) return false;
    try {
      await this.#database.run(insertToken, row);
      return true;
    } catch (error) {
      if ((await this.#database.optional(findToken, [name]).catch(notKept)) === null) notKept(error);
      return false;
    }
  }

  async #load(name) {
    const row = await this.#database.optional(findToken, [name]).catch(notKept);
    if (!row?.sealed) return undefined;
    try {
      const { access, ends_at: endsAt, refresh, kept } = JSON.parse(opened(this.#secret, PURPOSE, name, row.sealed));
      return { access, endsAt: endsAt ?? undefined, refresh: refresh ?? undefined, kept: kept ?? {} };
    } catch {
      throw new NoToken(transient('the token was sealed with another AUTH_SECRET: give every server of the database the same'));
    }
  }

  #sealed(name, { access, endsAt, refresh, kept }) {
    const text = JSON.stringify({ access, ends_at: endsAt ?? null, refresh: refresh ?? null, kept });
    return sealed(this.#secret, PURPOSE, name, text);
  }

  /** Of the task, the way and what proves who we are; what a person has agreed to is not lost with a new password. */
  #keptAs(name, { tokenUrl, clientId, refreshToken }) {
    const { service, instead = '' } = this.#account;
    const values = [tokenUrl, clientId, refreshToken].map((text) => this.#filled(text) ?? '');
    const system = { live: 'Live', test: 'Test', simulated: 'Simulated' }[service.system];
    return `${service.name}/${name}/${system}/${sha256(`${values.join('\n')}\n${instead}`).slice(0, 16)}`;
  }

  #filled(text) {
    return text && written(text(this.#account.scope), asSent);
  }

  /** Asks the provider. */
  async #asked(way, refresh) {
    const asked = Date.now();
    let request;
    try {
      request = this.#request(way, refresh);
    } catch (error) {
      if (!(error instanceof Unfit)) throw error;
      throw new NoToken({ means: 'authentication', message: error.message });
    }
    const { answer, neverConnected, isPermanent, broken } = await send(request, { within: WITHIN, isOurs: this.#account.instead !== undefined, mostBytes: MOST_BYTES });
    if (neverConnected !== undefined) throw new NoToken({ means: isPermanent ? 'permanent' : 'transient', message: neverConnected });
    if (broken !== undefined) throw new NoToken(transient(`no token came: ${broken}`));
    const { status } = answer;
    if (status === 429) throw new NoToken({ means: 'rate_limited', message: 'too many tokens were asked for' });
    if (status >= 500) throw new NoToken(transient(`no token came: the provider answered with ${status}`));
    const document = parsed(answer);
    if (status < 200 || status > 299) {
      const once = refresh !== undefined && way.renew.repeated === 'refused' ? '; what the last token brought can be used once, and its answer may have been lost: somebody has to agree again' : '';
      throw new NoToken({ means: 'authentication', code: codeOf(document), message: `no token was given: the provider answered with ${status}${once}` });
    }
    return readToken(way.token, document, refresh, asked);
  }

  #request(way, refresh) {
    const form = refresh === undefined ? this.#ours(way) : [['grant_type', 'refresh_token'], ['refresh_token', refresh]];
    if (refresh === undefined && way.scopes) form.push(['scope', way.scopes.join(' ')]);
    const headers = [['Content-Type', 'application/x-www-form-urlencoded'], ['Accept', 'application/json']];
    const [id, password] = [this.#needed(way.clientId, 'the client id'), this.#filled(way.clientSecret)];
    // Encoded before they are joined, RFC 6749 section 2.3.1.
    if (way.client === 'basic') headers.push(['Authorization', `Basic ${Buffer.from(`${percent(id)}:${percent(password ?? '')}`).toString('base64')}`]);
    else form.push(['client_id', id]);
    if (way.client === 'post' && password !== undefined) form.push(['client_secret', password]);
    for (const [name, value] of Object.entries(way.parameters?.(this.#account.scope) ?? {})) {
      if (!isAbsent(value)) form.push([name, asText(written(value, asSent))]);
    }
    const body = form.map(([name, value]) => `${percent(name)}=${percent(value)}`).join('&');
    return { method: 'POST', url: this.#url(way), headers, body };
  }

  /** What we have ourselves: our name and password, or what we sign. */
  #ours({ assertion }) {
    if (assertion === undefined) return [['grant_type', 'client_credentials']];
    const { issuer, subject, audience, key, lifetimeSeconds } = assertion;
    const parts = { issuer: this.#needed(issuer, 'who signs'), subject: this.#needed(subject, 'of whom it is signed'), audience: this.#needed(audience, 'for whom it is signed'), lifetimeSeconds };
    const statement = signed(parts, this.#needed(key, 'the key that signs'), Math.floor(Date.now() / 1000));
    return [['grant_type', 'urn:ietf:params:oauth:grant-type:jwt-bearer'], ['assertion', statement]];
  }

  #url({ tokenUrl, tokenWithin }) {
    const url = this.#needed(tokenUrl, 'the address of tokens');
    const { instead } = this.#account;
    if (instead !== undefined) return url.startsWith(instead) ? url : `${instead}${new URL(url).pathname}`;
    const name = URL.canParse(url) && /^https:\/\/[^?#@\\\s]+$/.test(url) ? new URL(url).hostname.toLowerCase() : '';
    const liesWithin = tokenWithin === undefined || tokenWithin.some((domain) => name === domain || name.endsWith(`.${domain}`));
    if (name === '' || !liesWithin) throw new Unfit('the address of tokens is none, or lies elsewhere than it may');
    return url;
  }

  #needed(text, what) {
    const filled = this.#filled(text);
    if (isAbsent(filled)) throw new Unfit(`${what} has no value`);
    return asText(filled);
  }
}

/** Whether it can be used: it was not refused, and does not end soon. */
function holds(token, { renew }, refused) {
  if (token === undefined || token.access === refused?.access) return false;
  return token.endsAt === undefined || token.endsAt - Date.now() / 1000 > (renew.beforeSeconds ?? 0);
}

/** What leads to the next one is kept from the last one where the answer brings none. */
function readToken(places, document, before, asked) {
  const said = (place) => (place === undefined ? undefined : asTextOrNothing(at(document, place)));
  const access = said(places.accessToken);
  if (access === undefined) throw new NoToken({ means: 'authentication', message: 'the answer holds no token' });
  const expires = said(places.expiresIn);
  const lifetime = /^-?\d+$/.test(expires ?? '') ? Number(expires) : places.lifetimeSeconds;
  const endsAt = lifetime === undefined ? undefined : Math.floor(asked / 1000) + Math.min(lifetime, LONGEST_LIFETIME);
  const kept = Object.entries(places.keep ?? {}).map(([name, place]) => [name, said(place)]);
  return { access, endsAt, refresh: said(places.refreshToken) ?? before, kept: Object.fromEntries(kept.filter(([, value]) => value !== undefined)) };
}

function asTextOrNothing(value) {
  return isAbsent(value) || value === '' ? undefined : asText(value);
}

function parsed({ body }) {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    return undefined;
  }
}

/** The code of RFC 6749 section 5.2. */
function codeOf(document) {
  return typeof document?.error === 'string' ? document.error.slice(0, 100) : undefined;
}

function transient(message) {
  return { means: 'transient', message };
}

function notKept(error) {
  throw new NoToken(transient(`the token cannot be kept: ${error.message}`));
}
