// Calls of any sender whose proof an endpoint declares: a request comes in with its bytes as they were sent, the fields that the endpoint keeps
// go out, checked. Every secret that the proof may be made with is tried; what it is stays in the environment.

import { readRaw } from './body.js';
import { forgetHeard } from './delivery/rounds.js';
import { parseJson } from './json.js';
import { logError, logWarning } from './log.js';
import { Problem } from './problem.js';
import { at } from './provider/place.js';
import { Stranger, callOf, verifyHeader, verifyHmac } from './provider/signature.js';
import { asText, isAbsent, sha256 } from './provider/values.js';
import { anonymous } from './request.js';
import { check } from './validation.js';

// Longest name of a type that is kept, in characters.
const LONGEST_TYPE = 200;
// What senders are called in the table of what was heard, and for how long a call is remembered there: the native server forgets the same.
const INTEGRATION = '(senders)';
const KEPT = 30 * 86_400_000;
// How often is looked for what is older, in milliseconds.
const FORGETTING = 3_600_000;

/** When what is old is looked for next, by the database. */
const forgetsAt = new WeakMap();

/**
 * Reads a call. One that its sender has not proved counts against its address.
 * @param {import('./request.js').Request} request
 * @param {{ database?: import('./database.js').Database, sender: string, secrets: string[], proof: { hmac: object } | { header: string }, id?: Place, type?: Place, accepts?: string[],
 *   fields: Record<string, Place>, shape: object[], failures: import('./rate-limit.js').RateLimit, limit: number }} hearing `secrets` are
 *   variables of the environment, one of which the proof is made with; `accepts` are the types that are taken, where not all are
 * @typedef {{ header: string } | { at: string } | { says: string }} Place
 * @returns {Promise<object | undefined>} the fields, with `heard_dedup` and `heard_kind`; `undefined` where the call is of a type that is
 *   not taken
 */
export async function hear(request, { database, sender, secrets, proof, id, type, accepts, fields, shape, failures, limit }) {
  const body = await readRaw(request, { limit });
  const call = callOf(request, body, process.env.PUBLIC_URL);
  mustBeProved(request, call, { sender, secrets, proof, failures });
  if (database) forgetNowAndThen(database);
  const parsed = parseJson(body);
  if (typeof parsed !== 'object' || parsed === null) throw new Problem('malformed_body');
  const document = parsed instanceof Map ? Object.fromEntries(parsed) : parsed;
  const textAt = (place) => asText(found(place, call, document) ?? '');
  const kind = type ? [...textAt(type)].slice(0, LONGEST_TYPE).join('') : '';
  if (accepts && !accepts.includes(kind)) return undefined;
  const which = id ? textAt(id) : body;
  if (which === '') {
    logWarning('a call was not taken in', { request_id: request.id, sender, reason: 'it does not say which event it is' });
    throw new Problem('malformed_body');
  }
  const dedup = sha256(Buffer.concat([`${request.path}\n`, which].map((part) => Buffer.from(part))));
  const values = Object.entries(fields).map(([name, place]) => [name, found(place, call, document)]);
  const given = new Map(values.filter(([, value]) => !isAbsent(value)));
  return { ...check(given, shape), heard_dedup: dedup, heard_kind: kind };
}

/** Forgets, behind the answer, which calls came so long ago that no sender makes them again. */
function forgetNowAndThen(database) {
  if (Date.now() < (forgetsAt.get(database) ?? 0)) return;
  forgetsAt.set(database, Date.now() + FORGETTING);
  setImmediate(async () => {
    try {
      while ((await forgetHeard(database, INTEGRATION, new Date(Date.now() - KEPT))) > 0);
    } catch (error) {
      logError('calls of long ago were not forgotten', error);
    }
  });
}

/** By one of the secrets. Every one is tried, so that the time taken does not tell which was right. */
function mustBeProved(request, call, { sender, secrets, proof, failures }) {
  const refusals = secrets.map((name) => refusalOf(call, proof, process.env[name]));
  if (refusals.includes(undefined)) return;
  logWarning('a call was not taken in', { request_id: request.id, sender, reason: refusals[0].message });
  failures.take(request, anonymous(request));
  throw new Problem('invalid_signature');
}

function refusalOf(call, proof, secret) {
  try {
    if (proof.hmac) verifyHmac(call, { ...proof.hmac, key: secret });
    else verifyHeader(call, proof.header, secret);
    return undefined;
  } catch (error) {
    if (!(error instanceof Stranger)) throw error;
    return error;
  }
}

function found(place, call, document) {
  if (place.says !== undefined) return place.says;
  if (place.header === undefined) return at(document, place.at);
  return call.headers.find(([name]) => name.toLowerCase() === place.header.toLowerCase())?.[1];
}
