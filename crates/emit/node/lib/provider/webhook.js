// What providers tell us: a call comes in with its bytes, events in our words go out, or the answer that the call only wanted. Every event is
// told apart from those before by the provider's own key; nothing is kept or sent here.

import { Unreadable, read } from './document.js';
import { all, at, holds } from './place.js';
import { Stranger, Unproved, mustBe } from './signature.js';
import { Unfit } from './transformations.js';
import { asSent, asText, isAbsent, sha256, written } from './values.js';

// Most events of one call, and the longest name of a kind that is kept, in characters.
const MOST_EVENTS = 10_000;
const LONGEST_KIND = 200;
// Of a form whose names nest: how deep, and how long its lists may be.
const MOST_STEPS = 20;
const MOST_ITEMS = 10_000;

/** A call that cannot be read, or is none that is taken in. */
export class NotTaken extends Error {}

export { Stranger, Unproved };

/**
 * @param {object} account see `account.js`
 * @param {import('./signature.js').Call} call
 * @param {object} [proofs] what was brought of what does not come with it, see `proof.js`
 * @returns {{ reply: Reply, events: object[] }} `events` is empty where the call only wanted an answer
 * @typedef {{ status: number, mediaType?: string, body: string }} Reply
 */
export function receive(account, call, proofs = {}) {
  const { service, scope } = account;
  const { webhooks } = service;
  const { handshake = [], acknowledge } = webhooks;
  if (handshake.some(({ answers }) => answers === call.method)) return { reply: { status: 200, body: '' }, events: [] };
  if (call.method !== 'POST') throw new NotTaken('it is none that is taken in');
  verified(call, { ...account, proofs });
  const document = parsed(webhooks.body, call.body);
  for (const { at: where, value } of webhooks.bodyHolds ?? []) mustBe(asText(at(document, where) ?? ''), value({ ...scope, body: document }), 'what the body holds');
  const echo = handshake.find(({ when }) => when?.every((test) => holds(document, test)));
  if (echo) {
    const body = written(echo.answer(told(scope, call, document)), asSent) ?? '';
    return { reply: { status: 200, body: asText(body), ...(typeof body !== 'string' && { mediaType: 'application/json' }) }, events: [] };
  }
  if (!(webhooks.acceptWhen ?? []).every((test) => holds(document, test))) throw new NotTaken('it is none that is taken in');
  const events = eventsIn(webhooks, document).map((event) => heard(service, event, told(scope, call, event))).filter((event) => event !== undefined);
  return { reply: { ...acknowledge, body: acknowledge.body?.(told(scope, call, document)) ?? '' }, events };
}

/** What names stand for in a call. */
export function told(scope, call, body) {
  return { ...scope, body, header: (name) => call.headers.find(([known]) => known.toLowerCase() === name.toLowerCase())?.[1] };
}

/** Known by the secret, or by the one before where that is said. */
function verified(call, account) {
  const { scope, webhookBefore } = account;
  const { verify } = account.service.webhooks;
  try {
    verify(call, account);
  } catch (error) {
    if (!(error instanceof Stranger) || webhookBefore === undefined) throw error;
    verify(call, { ...account, scope: { ...scope, webhook: { ...scope.webhook, secret: webhookBefore } } });
  }
}

function eventsIn({ eventsAt }, document) {
  if (eventsAt === undefined) return [document];
  const found = all(document, eventsAt);
  const events = found.length === 1 && Array.isArray(found[0]) ? found[0] : found;
  if (events.length > MOST_EVENTS) throw new NotTaken(`it holds more than ${MOST_EVENTS} events`);
  return events;
}

/** The event in our words; `undefined` where it means nothing to us, no `entry` where nobody has described it. */
function heard(service, event, told) {
  const { webhooks, remembers } = service;
  try {
    const kind = [...(webhooks.kind(told) ?? '')].slice(0, LONGEST_KIND).join('');
    if ((webhooks.handshake ?? []).some(({ ping }) => ping === kind)) return undefined;
    const key = webhooks.dedup(told);
    if (key.some(isAbsent)) throw new NotTaken('it does not say which event it is');
    const entry = webhooks.events.find(({ kinds, when = [] }) => kinds.includes(kind) && when.every((test) => holds(event, test)));
    if (entry?.ignored) return undefined;
    const fields = entry && nulled(entry.fields(told));
    for (const name of entry?.times ?? []) fields[name] = timeOf(fields[name]);
    const isWhole = fields !== undefined && entry.required.every((name) => fields[name] !== null);
    return {
      entry: isWhole ? entry : undefined,
      record: {
        ...(isWhole && fields),
        heard_dedup: sha256(key.map(asText).join('\n')),
        heard_kind: kind,
        heard_time: timeOf(webhooks.time?.(told)),
        heard_body: JSON.stringify(event),
        ...(isWhole && remembered(entry, remembers, fields, told)),
      },
    };
  } catch (error) {
    if (error instanceof Unfit) throw new NotTaken(error.message);
    throw error;
  }
}

function nulled(fields) {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, value ?? null]));
}

/** What is to be kept of it for later calls of ours: of whom or what it is, and the value as JSON. */
function remembered({ remember }, remembers, fields, told) {
  const kept = Object.entries(remember?.(told) ?? {}).flatMap(([name, value]) => {
    const of = fields[remembers[name].of];
    const isKept = !isAbsent(of) && !isAbsent(value);
    return [[`whose_${name}`, isAbsent(of) ? '' : sha256(asText(of))], [`kept_${name}`, isKept ? JSON.stringify(value) : null]];
  });
  return Object.fromEntries(kept);
}

function timeOf(text) {
  const time = isAbsent(text) ? NaN : Date.parse(text);
  return Number.isNaN(time) ? null : new Date(time).toISOString();
}

/** The body as its form says; throws a `NotTaken`. */
export function parsed(form, bytes) {
  if (form === 'form_nested') return nested(new URLSearchParams(bytes.toString('utf8').replace(/^\ufeff/, '')));
  try {
    if (form.formJson === undefined) return read(form, bytes);
    const json = read('form', bytes)?.[form.formJson];
    if (typeof json !== 'string') throw new Unreadable(`it has no \`${form.formJson}\``);
    return read('json', Buffer.from(json));
  } catch (error) {
    if (error instanceof Unreadable) throw new NotTaken(`its body cannot be read: ${error.message}`);
    throw error;
  }
}

/** `a[0][b]=c` is nested, a name that comes again is a list. */
function nested(pairs) {
  const root = new Map();
  for (const [name, value] of pairs) {
    const steps = /^[^[]+(?:\[[^\]]*\])*$/.test(name) ? name.split('[').map((step) => step.replace(/\]$/, '')) : [name];
    put(root, steps.length > MOST_STEPS ? [name] : steps, value);
  }
  return listed(root);
}

function put(members, [first, ...rest], value) {
  const step = first === '' ? String(members.size) : first;
  const there = members.get(step);
  if (rest.length === 0) members.set(step, there === undefined ? value : [there, value].flat());
  else {
    const inner = there instanceof Map ? there : new Map();
    members.set(step, inner);
    put(inner, rest, value);
  }
}

function listed(value) {
  if (!(value instanceof Map)) return value;
  const isList = value.size > 0 && value.size <= MOST_ITEMS && [...value.keys()].every((_, index) => value.has(String(index)));
  if (isList) return Array.from({ length: value.size }, (_, index) => listed(value.get(String(index))));
  return Object.fromEntries([...value].map(([name, inner]) => [name, listed(inner)]));
}

