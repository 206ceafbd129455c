// Calls of a provider: a request comes in with its bytes as they were sent, what it tells is kept once with everything that comes of it, and
// only then it is acknowledged. What it means stands in `services/`; this only reads, runs and answers.

import { readRaw } from './body.js';
import { logWarning } from './log.js';
import { Problem } from './problem.js';
import { Prover } from './provider/proof.js';
import { callOf } from './provider/signature.js';
import { NotTaken, Stranger, Unproved, receive } from './provider/webhook.js';
import { respond, respondText } from './response.js';

/**
 * @param {ReturnType<import('./application.js').createApplication>} application
 * @param {{ account: object, intake: Record<string, (request: object, event: object) => Promise<void>>, prover?: Prover }} parts `account`
 *   as `provider/account.js` opens it; `intake` has what becomes of each event, and `aside` for those that nobody has described; `onHeard` is called
 *   when a call was taken in; `prover` brings what does not come with a call
 */
export function addWebhookRoutes(application, { account, intake, onHeard = () => {}, prover = new Prover(account) }) {
  const { path, handshake = [] } = account.service.webhooks;
  const hearing = async (request) => {
    const answered = await hear(request, { account, intake, prover });
    onHeard();
    return answered;
  };
  const asks = handshake.map(({ answers }) => answers).filter((method) => method !== undefined);
  // The last segment is for providers that know nothing better than an address that nobody can guess.
  for (const at of [path, `${path}/{token}`]) {
    for (const method of new Set(['POST', ...asks])) application.route(method, at, hearing);
  }
}

async function hear(request, { account, intake, prover }) {
  const { title, webhooks } = account.service;
  const body = await readRaw(request, { limit: webhooks.maxBodyBytes });
  const { reply, events } = await read(request, { account, prover }, body);
  for (const { entry, record } of events) {
    if (entry === undefined) logWarning('an event that nobody has described was put aside', { provider: title, kind: record.heard_kind });
    await intake[entry?.becomes ?? 'aside'](request, record);
  }
  return answer(reply);
}

async function read(request, { account, prover }, body) {
  const call = callOf(request, body, account.scope.site.url);
  try {
    const isProvedElsewhere = account.service.webhooks.proofs !== undefined && call.method === 'POST';
    return receive(account, call, isProvedElsewhere ? await prover.bring(call) : {});
  } catch (error) {
    const name = problemOf(error);
    if (name === undefined) throw error;
    logWarning('a call was not taken in', { request_id: request.id, provider: account.service.title, reason: error.message });
    throw new Problem(name);
  }
}

function problemOf(error) {
  if (error instanceof Stranger) return 'invalid_signature';
  if (error instanceof Unproved) return 'unavailable';
  return error instanceof NotTaken ? 'malformed_body' : undefined;
}

function answer({ status, mediaType, body }) {
  if (body === '') return respond(status);
  const isXml = mediaType === 'text/xml' || mediaType === 'application/xml';
  const known = mediaType === 'application/json' ? mediaType : isXml ? 'application/xml' : 'text/plain; charset=utf-8';
  return respondText(status, known, body);
}
