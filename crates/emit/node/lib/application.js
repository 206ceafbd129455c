// The HTTP application: finds the route of a request, runs its procedure, sends what it returns or the problem it throws.
// Every answer leaves through `send`; no answer ever carries an error's own message.

import express from 'express';
import { ClientGone } from './body.js';
import { unlessKnown } from './etag.js';
import { logError } from './log.js';
import { addOperationalRoutes } from './operational-routes.js';
import { Problem } from './problem.js';
import { Request } from './request.js';
import { standingHeaders } from './response.js';

export const ANSWER_TIMEOUT = 15_000;

// How long a refused body is still taken in, and thrown away, so that its sender gets to read the answer: closing a
// connection with unread data resets it.
const LINGER_MILLISECONDS = 1000;

/**
 * @param {{ database: import('./database.js').Database, metrics: ReturnType<import('./metrics.js').createMetrics>,
 *   openapi: string, answerTimeout?: number }} parts `openapi` is the document's text
 */
export function createApplication({ database, metrics, openapi, answerTimeout = ANSWER_TIMEOUT }) {
  // Path -> method -> procedure.
  const routes = new Map();

  const application = {
    /**
     * @param {string} path as in OpenAPI: `/api/orders/{id}`
     * @param {(request: Request) => object | Promise<object>} procedure gives a response, or throws a Problem; it returns
     *   the Problem where a transaction around it is to be kept
     */
    route(method, path, procedure) {
      if (!routes.has(path)) routes.set(path, new Map());
      routes.get(path).set(method, procedure);
    },

    /** The listener for a server; the routes added so far are the ones it knows. */
    listener() {
      const router = createRouter(routes, answerTimeout, metrics);
      return (incoming, outgoing) => {
        const request = new Request(incoming, outgoing);
        incoming.request = request;
        metrics.inFlight.inc();
        outgoing.once('close', () => metrics.inFlight.dec());
        if (incoming.httpVersion === '1.1' && request.header('host') === undefined) {
          return fail(request, new Problem('malformed_request'), metrics);
        }
        router(incoming, outgoing, (error) => fail(request, error ?? new Problem('not_found'), metrics));
      };
    },
  };

  addOperationalRoutes(application, { database, metrics, openapi });
  return application;
}

function createRouter(routes, answerTimeout, metrics) {
  const router = express();
  router.disable('x-powered-by');
  router.enable('strict routing');
  router.enable('case sensitive routing');
  for (const path of [...routes.keys()].sort(literalsFirst)) {
    const procedures = routes.get(path);
    const allow = allowedMethods(procedures);
    router.route(path.replace(/\{([^}]+)\}/g, ':"$1"')).all(async (incoming) => {
      const { request } = incoming;
      const procedure = procedures.get(request.method) ?? (request.method === 'HEAD' ? procedures.get('GET') : undefined);
      if (!procedure) throw new Problem('method_not_allowed', { allow });
      request.route = path;
      request.parameters = incoming.params;
      const answer = await withinTime(answerTimeout, procedure(request));
      if (answer instanceof Problem) throw answer;
      send(request, unlessKnown(request, answer), metrics);
    });
  }
  return router;
}

// `/orders/recent` is asked before `/orders/{id}`, whatever the order they were added in.
function literalsFirst(left, right) {
  const key = (path) => path.replaceAll('{', '\uffff');
  return key(left) < key(right) ? -1 : 1;
}

function allowedMethods(procedures) {
  const methods = new Set(procedures.keys());
  if (methods.has('GET')) methods.add('HEAD');
  return [...methods].sort().join(', ');
}

async function withinTime(milliseconds, work) {
  let timer;
  const timeout = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Problem('overloaded')), milliseconds);
  });
  try {
    return await Promise.race([work, timeout]);
  } finally {
    clearTimeout(timer);
  }
}

function fail(request, error, metrics) {
  if (error instanceof ClientGone) return;
  const problem = toProblem(request, error);
  if (problem.status >= 500) {
    logError(problem.name, error, { request_id: request.id, method: request.method, route: request.route });
  }
  send(request, problem.toResponse(request.id), metrics);
}

function toProblem(request, error) {
  if (error instanceof Problem) return error;
  // Before a route matched, the router itself fails only over a path that it cannot decode.
  if (request.route === undefined && error?.status === 400) return new Problem('not_found');
  return new Problem('internal_error');
}

function send(request, { status, headers, text }, metrics) {
  const { incoming, outgoing } = request;
  if (outgoing.headersSent || outgoing.destroyed) return;
  outgoing.statusCode = status;
  const allHeaders = { ...standingHeaders, 'X-Request-Id': request.id, ...request.answerHeaders, ...cacheHeaders(request, status), ...headers };
  for (const [name, value] of Object.entries(allHeaders)) outgoing.setHeader(name, value);
  if (text !== undefined) outgoing.setHeader('Content-Length', Buffer.byteLength(text));
  count(request, status, metrics);
  if (headers.Connection === 'close' && !incoming.complete) endAfterBody(incoming, outgoing, text);
  else outgoing.end(text);
}

// Only a success may be kept; what an answer to one caller is must not be given to another.
function cacheHeaders({ cacheControl }, status) {
  if (cacheControl === undefined || (status !== 200 && status !== 304)) return {};
  const headers = { 'Cache-Control': cacheControl };
  return cacheControl.startsWith('private') ? { ...headers, Vary: 'X-API-Key, Authorization' } : headers;
}

function endAfterBody(incoming, outgoing, text) {
  const end = () => {
    clearTimeout(timer);
    outgoing.end();
  };
  const timer = setTimeout(end, LINGER_MILLISECONDS);
  incoming.once('end', end).once('close', end).on('error', () => {});
  outgoing.write(text);
  incoming.resume();
}

function count(request, status, metrics) {
  const labels = { method: request.method, route: request.route ?? 'unmatched' };
  metrics.requests.inc({ ...labels, status });
  metrics.durations.observe(labels, (performance.now() - request.startedAt) / 1000);
}
