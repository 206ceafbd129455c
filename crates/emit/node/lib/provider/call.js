// A call of a provider from what it is given to its outcome: checked, proved, sent, read and written down. What went wrong before anything
// was sent is told apart from what broke behind it.

import { broken, fits, read } from './answer.js';
import { failedItem } from './batch.js';
import { send } from './client.js';
import { Reading } from './paging.js';
import { recordOf } from './record.js';
import { render } from './request.js';
import { Unfit } from './transformations.js';
import { asSent, written } from './values.js';

const HOUR = 3_600_000;

/**
 * An operation as a function: `await createCustomer(account, { email })` gives how it came out.
 * @template {object} Description
 * @param {Description} description
 */
export function operation(description) {
  const carriedOut = (account, input = {}, delivery = undefined) => call(description, account, { input, delivery });
  return Object.assign(carriedOut, { description });
}

/** @returns {Promise<{ outcome: object, record: object }>} see `read` in `answer.js`, and `record.js` */
export async function call(description, account, given) {
  const { outcome, record } = await ask(description, account, given);
  return { outcome, record };
}

/**
 * Reads one page of a long answer: the first, or the one that another page leads to.
 * @returns {Promise<{ outcome: object, page?: { items: any[], next?: object } }>} without a page where it did not come
 */
export async function readPage(description, account, given, lead = undefined) {
  const { outcome, seen, url } = await ask(description, account, given, lead);
  if (outcome.means !== 'done') return { outcome };
  try {
    return { outcome, page: new Reading(description.paging).page(url, seen.answer, seen.document) };
  } catch (error) {
    if (!(error instanceof Unfit)) throw error;
    return { outcome: { means: 'permanent', message: error.message } };
  }
}

/**
 * Says what is to be done with a call of which nobody knows whether it happened.
 * @param {number} since how long ago it was first sent, in milliseconds
 * @returns {Promise<{ isSafe: true } | { didNot: true } | { answer: object } | { stop: string } | { notYet: { outcome: object, record: object } }>}
 *   it may be sent again; it did not happen; it did; nobody can tell; the provider could not be asked now
 */
export async function reconcile(description, account, given, since) {
  const { effect, idempotency, ifReplyIsLost, lookUp } = description;
  if (effect === 'read') return { isSafe: true };
  if (lookUp) return look(description, account, given);
  if (ifReplyIsLost !== 'repeat') return { stop: 'the provider knows no way to tell whether it happened' };
  const hours = idempotency?.keptHours;
  if (hours !== undefined && since >= hours * HOUR) return { stop: `the provider knows the key for ${hours} hours only, and they are over` };
  return { isSafe: true };
}

/** Asks the provider, page by page, whether it has happened. */
async function look({ lookUp, answer: declared = {} }, account, given) {
  const { description } = lookUp.operation();
  const scope = { ...account.scope, ...given };
  const input = written(lookUp.input(scope), asSent);
  const reading = description.paging && new Reading(description.paging);
  for (let lead; ; ) {
    const { outcome, record, seen, url } = await ask(description, account, { input }, lead);
    if (seen === undefined) return { notYet: { outcome, record } };
    if (fits(lookUp.foundWhen(scope), seen)) {
      const known = Object.entries(outcome.answer ?? {}).filter(([name]) => name in declared);
      return { answer: Object.fromEntries(known) };
    }
    if (outcome.means === 'permanent') return [404, 410].includes(seen.answer.status) ? { didNot: true } : { stop: outcome.message };
    if (outcome.means !== 'done') return { notYet: { outcome, record } };
    if (reading === undefined) return { didNot: true };
    try {
      const { next, isCut } = reading.page(url, seen.answer, seen.document);
      if (isCut) return { stop: 'the provider knows more than can be looked through' };
      if (next === undefined) return { didNot: true };
      lead = next;
    } catch (error) {
      if (!(error instanceof Unfit)) throw error;
      return { stop: error.message };
    }
  }
}

/** With a token where its way has such; one that the provider refuses is renewed once. */
async function ask(description, account, given, lead = {}) {
  const { authentication } = account.service;
  const name = description.authentication ?? Object.keys(authentication)[0];
  const way = authentication[name]?.oauth2;
  if (way === undefined) return askWith(description, account, given, lead);
  for (let refused; ; ) {
    let token;
    try {
      token = await account.tokens.token(name, refused);
    } catch (error) {
      if (error.outcome === undefined) throw error;
      return { outcome: error.outcome, record: emptyRecord() };
    }
    const asked = await askWith(description, account, { ...given, token }, lead);
    const isRefused = asked.outcome.means === 'authentication' || (asked.seen !== undefined && fits({ status: way.renew.onStatus ?? [] }, asked.seen));
    if (!isRefused || refused !== undefined) return asked;
    refused = token;
  }
}

async function askWith(description, account, given, lead) {
  let rendered;
  try {
    rendered = render(description, account, { ...given, page: { next: lead.value } });
  } catch (error) {
    if (!(error instanceof Unfit)) throw error;
    return { outcome: { means: 'permanent', code: 'request', message: error.message }, record: emptyRecord() };
  }
  if (lead.address !== undefined) rendered.sent.url = rendered.shown.url = lead.address;
  const began = performance.now();
  const within = (description.retry ?? account.service.retry).answerWithin;
  const sent = await send(rendered.sent, { within, isOurs: account.instead !== undefined });
  const duration = performance.now() - began;
  const { outcome, requestId, seen } = meaning(description, account.service, sent, given.input);
  const recorded = recordOf({ operation: description, account, rendered, duration, answer: sent.answer, outcome, requestId });
  return { ...recorded, seen, url: rendered.sent.url };
}

function meaning(description, service, sent, input) {
  if (sent.broken !== undefined) return { outcome: broken(description, sent.broken) };
  if (!sent.answer) return { outcome: { means: sent.isPermanent ? 'permanent' : 'transient', message: sent.neverConnected } };
  const told = read(description, service, sent.answer);
  const failed = description.batch && told.outcome.means === 'done' ? failedItem(description.batch, input, told.seen.document) : undefined;
  if (failed === undefined) return told;
  return { ...told, outcome: { means: 'permanent', code: failed.code, message: failed.message ?? 'the provider does not take it' } };
}

function emptyRecord() {
  return {
    method: '', url: '', request_headers: [], request_body: '', status: null, answer_headers: [], answer_body: '', duration_ms: 0, request_id: null,
  };
}
