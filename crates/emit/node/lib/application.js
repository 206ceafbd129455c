// The HTTP application: finds the route of a request, runs its procedure, sends what it returns or the problem it throws.
// Every answer leaves through `send`; no answer ever carries an error's own message.

import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import express from 'express';
import { ClientGone } from './body.js';
import { acceptedCoding, canBeCoded, codedTag, encode, encoder } from './coding.js';
import { corsHeaders, preflight } from './cors.js';
import { isKnown } from './etag.js';
import { keep } from './kept.js';
import { logError } from './log.js';
import { addOperationalRoutes } from './operational-routes.js';
import { Pressure } from './pressure.js';
import { Problem } from './problem.js';
import { trustedProxies } from './proxies.js';
import { Request } from './request.js';
import { respond, standingHeaders, transportSecurity } from './response.js';

export const ANSWER_TIMEOUT = 15_000;
// Of path and query, in bytes.
const TARGET_LIMIT = 56 * 1024;
const FIELD_LIMIT = 100;
// A host with its port (RFC 3986, 3.2.2).
const hostShape = /^[A-Za-z0-9\-._~%!$&'()*+,;=:[\]]*$/;
const methods = new Set(['CONNECT', 'DELETE', 'GET', 'HEAD', 'OPTIONS', 'PATCH', 'POST', 'PUT', 'TRACE']);

// How long a refused body is still taken in, and thrown away, so that its sender gets to read the answer: closing a
// connection with unread data resets it.
const LINGER_MILLISECONDS = 1000;

/**
 * @param {{ database: import('./database.js').Database, metrics: ReturnType<import('./metrics.js').createMetrics>,
 *   openapi: string, origins?: Set<string> | '*', cookies?: boolean, answerTimeout?: number, pressure?: Pressure,
 *   proxies?: import('node:net').BlockList }} parts `openapi` is the
 *   document's text; pages of `origins` may call the API, without it of none but its own, and with `cookies` have a browser add them
 */
export function createApplication({ database, metrics, openapi, origins, cookies = false, answerTimeout = ANSWER_TIMEOUT, pressure = new Pressure(), proxies = trustedProxies() }) {
  // Path -> method -> procedure.
  const routes = new Map();
  // Path -> method -> what is asked there before anything is done.
  const questions = new Map();
  // Path -> the media types of its changes.
  const patchTypes = new Map();
  // Paths that pages of other origins may not read.
  const closed = new Set();

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

    /** As what the changes of a path may come. */
    acceptsPatches(path, types) {
      patchTypes.set(path, types);
    },

    /** What a route asks before it does anything: a procedure that changes nothing and is refused by the same problems. */
    question(method, path, procedure) {
      if (!questions.has(path)) questions.set(path, new Map());
      questions.get(path).set(method, procedure);
    },

    /**
     * Whether who sends this request might send that one.
     * @returns {Promise<{ allowed: boolean, status: number | null, type: string | null, detail: string | null }>}
     */
    async may(request, method, path) {
      const problem = await refusalOf({ routes, questions, request, method, path: path.split('?')[0] });
      if (!problem) return { allowed: true, status: null, type: null, detail: null };
      // Nobody can say.
      if (problem.status >= 500 || problem.name === 'rate_limited') throw problem;
      const { type, detail } = JSON.parse(problem.toResponse(request.id).text);
      return { allowed: false, status: problem.status, type, detail };
    },

    /** The same application, of whose routes pages of other origins may read none. */
    closed() {
      const route = (method, path, procedure) => {
        closed.add(path);
        application.route(method, path, procedure);
      };
      return { ...application, route };
    },

    /** The listener for a server; the routes added so far are the ones it knows. */
    listener() {
      const router = createRouter({ routes, operational, closed, patchTypes, origins, answerTimeout, pressure, metrics });
      const listen = (incoming, outgoing) => {
        const request = new Request(incoming, outgoing, proxies);
        incoming.request = request;
        metrics.inFlight.inc();
        outgoing.once('close', () => metrics.inFlight.dec());
        if (incoming.rawHeaders.length / 2 > FIELD_LIMIT) return fail(request, new Problem('header_fields_too_large'), metrics);
        if (!isWellFormed(incoming)) return fail(request, new Problem('malformed_request'), metrics);
        request.origins = origins;
        request.cookies = cookies;
        if (incoming.url.length > TARGET_LIMIT) return fail(request, new Problem('uri_too_long'), metrics);
        router(incoming, outgoing, (error) => fail(request, error ?? new Problem('not_found'), metrics));
      };
      // The parser of Node.js lets no method through that it does not know; no route has one.
      return Object.assign(listen, { refusalOfMethod: (path) => refusalOfMethod(routes, path) });
    },
  };

  addOperationalRoutes(application, { database, metrics, openapi });
  // They answer however much there is to do, and are nobody's API.
  const operational = new Set(routes.keys());
  return application;
}

function refusalOfMethod(routes, path) {
  const { pattern } = routeOf(routes, path);
  return pattern ? new Problem('method_not_allowed', { allow: allowedMethods(routes.get(pattern)) }) : new Problem('not_found');
}

/** The problem that the question of a route ends with; `undefined` where it ends with none. */
async function refusalOf({ routes, questions, request, method, path }) {
  const { pattern, parameters } = routeOf(routes, path);
  const asked = questions.get(pattern);
  if (!asked || !parameters) return new Problem('not_found');
  const question = asked.get(method) ?? (method === 'HEAD' ? asked.get('GET') : undefined);
  if (!question) return new Problem('method_not_allowed', { allow: allowedMethods(routes.get(pattern)) });
  try {
    const answer = await question(request.as({ method, route: pattern, parameters }));
    return answer instanceof Problem ? answer : undefined;
  } catch (error) {
    if (error instanceof Problem) return error;
    throw error;
  }
}

/** The route of a path, with its parameters; without them where they cannot be decoded. */
function routeOf(routes, path) {
  for (const pattern of [...routes.keys()].sort(literalsFirst)) {
    const names = [...pattern.matchAll(/\{([^}]+)\}/g)].map(([, name]) => name);
    const shape = pattern.replace(/[.+]/g, '\\$&').replace(/\{[^}]+\}/g, '([^/]+)');
    const found = new RegExp(`^${shape}$`).exec(path);
    if (found) return { pattern, parameters: decoded(names, found.slice(1)) };
  }
  return {};
}

function decoded(names, values) {
  try {
    return Object.fromEntries(names.map((name, index) => [name, decodeURIComponent(values[index])]));
  } catch {
    return undefined;
  }
}

// What the parser lets through and HTTP does not: RFC 9112, 3.2 (`Host`).
function isWellFormed({ httpVersion, headers, rawHeaders }) {
  const hosts = rawHeaders.filter((name, index) => index % 2 === 0 && name.toLowerCase() === 'host').length;
  const hasHost = hosts === 0 ? httpVersion === '1.0' : hosts === 1 && hostShape.test(headers.host);
  if (httpVersion === '1.0' && headers['transfer-encoding'] !== undefined) return false;
  return hasHost && ['1.0', '1.1'].includes(httpVersion);
}

function createRouter({ routes, operational, closed, patchTypes, origins, answerTimeout, pressure, metrics }) {
  const router = express();
  router.disable('x-powered-by');
  router.enable('strict routing');
  router.enable('case sensitive routing');
  for (const path of [...routes.keys()].sort(literalsFirst)) {
    const procedures = routes.get(path);
    const isOperational = operational.has(path);
    const isClosed = isOperational || closed.has(path);
    if (origins !== undefined && !isClosed) answerPreflights(procedures, patchTypes.get(path));
    const allow = allowedMethods(procedures);
    router.route(path.replace(/\{([^}]+)\}/g, ':"$1"')).all(async (incoming) => {
      const { request } = incoming;
      if (isClosed) request.origins = undefined;
      const procedure = procedures.get(request.method) ?? (request.method === 'HEAD' ? procedures.get('GET') : undefined);
      if (!procedure) throw new Problem('method_not_allowed', { allow });
      request.route = path;
      request.parameters = incoming.params;
      if (!isOperational && pressure.isHigh()) throw new Problem('overloaded', { busy: true });
      const answer = await withinTime(answerTimeout, run(procedure, request));
      if (answer instanceof Problem) throw answer;
      await send(request, answer, metrics);
    });
  }
  return router;
}

function answerPreflights(procedures, patchTypes) {
  const methods = allowedMethods(procedures);
  const accepted = patchTypes && { 'Accept-Patch': patchTypes.join(', ') };
  procedures.set('OPTIONS', () => respond(204, undefined, { ...preflight(methods, allowedMethods(procedures)), ...accepted }));
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

// A procedure that takes too long goes on behind its answer, and is settled only then.
async function run(procedure, request) {
  try {
    const answer = await procedure(request);
    keep(request, answer);
    return answer;
  } finally {
    request.settled();
  }
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
  delete request.answerHeaders['Preference-Applied'];
  if (problem.status >= 500) {
    const late = problem.late && { kind: 'database.performance', code: problem.late };
    logError(problem.name, error, { request_id: request.id, method: request.method, route: request.route, ...late });
  }
  send(request, problem.toResponse(request.id), metrics).catch((failure) => {
    logError('an answer could not be sent', failure, { request_id: request.id });
    request.outgoing.destroy();
  });
}

function toProblem(request, error) {
  if (error instanceof Problem) return error;
  // Before a route matched, the router itself fails only over a path that it cannot decode.
  if (request.route === undefined && error?.status === 400) return new Problem('not_found');
  return new Problem('internal_error');
}

async function send(request, answer, metrics) {
  const { incoming, outgoing } = request;
  const { status, headers, body, coding } = await onTheWire(request, answer);
  if (outgoing.headersSent || outgoing.destroyed) return;
  outgoing.statusCode = status;
  const allHeaders = {
    ...standingHeaders,
    ...transportSecurity(request),
    ...(request.origins && corsHeaders(request.origins, request, request)),
    'X-Request-Id': request.id,
    ...request.answerHeaders,
    ...headers,
  };
  for (const [name, value] of Object.entries(allHeaders)) outgoing.setHeader(name, value);
  count(request, status, metrics);
  if (answer.rest) return pour(request, answer, coding);
  if (body !== undefined) outgoing.setHeader('Content-Length', Buffer.byteLength(body));
  if (headers.Connection === 'close' && !incoming.complete) endAfterBody(incoming, outgoing, body);
  else outgoing.end(body);
}

/**
 * An answer that is made while it is sent, as fast as it is taken. Where that fails the connection is broken off: no client takes it for
 * the whole.
 */
async function pour({ id, method, outgoing }, { text, rest }, coding) {
  if (method === 'HEAD') return outgoing.end();
  async function* chunks() {
    yield text;
    yield* rest;
  }
  try {
    await pipeline(...[Readable.from(chunks(), { objectMode: false }), coding && encoder(coding), outgoing].filter(Boolean));
  } catch (error) {
    if (error.code !== 'ERR_STREAM_PREMATURE_CLOSE') logError('a long answer was broken off', error, { request_id: id });
  }
}

/** The answer in the coding that the caller likes best, or 304 where it has it already; the tag names these bytes. */
async function onTheWire(request, answer) {
  const canVary = canBeCoded(answer);
  const coding = canVary ? acceptedCoding(request.header('accept-encoding')) : undefined;
  const cached = cacheControl(request, answer);
  const headers = { ...(cached && { 'Cache-Control': cached }), ...answer.headers };
  const vary = [
    ...(canVary ? ['Accept-Encoding'] : []),
    ...(request.origins instanceof Set ? ['Origin'] : []),
    ...(answer.headers.Vary ? [answer.headers.Vary] : []),
    // What an answer to one caller is must not be given to another.
    ...(cached?.startsWith('private') ? ['X-API-Key', 'Authorization'] : []),
  ];
  if (vary.length > 0) headers.Vary = vary.join(', ');
  if (coding && headers.ETag) headers.ETag = codedTag(headers.ETag, coding);
  if (isKnown(request, answer)) {
    for (const name of ['Content-Type', 'Content-Encoding', 'Link']) delete headers[name];
    return { status: 304, headers, body: undefined };
  }
  if (!coding) return { status: answer.status, headers, body: answer.text };
  headers['Content-Encoding'] = coding;
  if (answer.rest) return { status: answer.status, headers, coding };
  return { status: answer.status, headers, body: await encode(coding, answer.text) };
}

/** How long the answer may be kept, where it may; one that becomes 304 is 200 here. */
function cacheControl(request, { status }) {
  return status === 200 ? request.cacheControl : undefined;
}

function endAfterBody(incoming, outgoing, body) {
  const end = () => {
    clearTimeout(timer);
    outgoing.end();
  };
  const timer = setTimeout(end, LINGER_MILLISECONDS);
  incoming.once('end', end).once('close', end).on('error', () => {});
  outgoing.write(body);
  incoming.resume();
}

function count(request, status, metrics) {
  const labels = { method: request.method, route: request.route ?? 'unmatched' };
  metrics.requests.inc({ ...labels, status });
  if (request.found) metrics.keptAnswers.inc({ found: request.found });
  metrics.durations.observe(labels, (performance.now() - request.startedAt) / 1000);
}
