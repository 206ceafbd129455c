// A call of a provider from what it is given to its outcome: checked, proved, sent, read and written down. What went wrong before anything
// was sent is told apart from what broke behind it.

import { broken, read } from './answer.js';
import { send } from './client.js';
import { recordOf } from './record.js';
import { render } from './request.js';
import { Unfit } from './transformations.js';

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
  let rendered;
  try {
    rendered = render(description, account, given);
  } catch (error) {
    if (!(error instanceof Unfit)) throw error;
    return { outcome: { means: 'permanent', code: 'request', message: error.message }, record: emptyRecord() };
  }
  const began = performance.now();
  const within = (description.retry ?? account.service.retry).answerWithin;
  const sent = await send(rendered.sent, { within, isOurs: account.instead !== undefined });
  const duration = performance.now() - began;
  const { outcome, requestId } = meaning(description, account.service, sent);
  return recordOf({ operation: description, account, rendered, duration, answer: sent.answer, outcome, requestId });
}

/**
 * What is to be done with a call of which nobody knows whether it happened.
 * @param {number} since how long ago it was first sent, in milliseconds
 * @returns {{ isSafe: true } | { stop: string }}
 */
export function reconcile({ effect, idempotency, ifReplyIsLost }, since) {
  if (effect === 'read') return { isSafe: true };
  if (ifReplyIsLost !== 'repeat') return { stop: 'the provider knows no way to tell whether it happened' };
  const hours = idempotency?.keptHours;
  if (hours !== undefined && since >= hours * HOUR) return { stop: `the provider knows the key for ${hours} hours only, and they are over` };
  return { isSafe: true };
}

function meaning(description, service, sent) {
  if (sent.answer) return read(description, service, sent.answer);
  if (sent.broken !== undefined) return { outcome: broken(description, sent.broken) };
  return { outcome: { means: sent.isPermanent ? 'permanent' : 'transient', message: sent.neverConnected } };
}

function emptyRecord() {
  return {
    method: '', url: '', request_headers: [], request_body: '', status: null, answer_headers: [], answer_body: '', duration_ms: 0, request_id: null,
  };
}
