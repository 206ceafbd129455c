// The HTTP server around an application: its time limits, and its answer to bytes that are no request.

import http from 'node:http';
import https from 'node:https';
import { keepCertificate } from './certificate.js';
import { uuidv7 } from './identifiers.js';
import { Problem } from './problem.js';
import { requestIdShape } from './request.js';
import { standingHeaders } from './response.js';

// Of the head of a request.
const HEAD_LIMIT = 64 * 1024;
const CONNECTION_LIMIT = 10_000;

const HEADERS_TIMEOUT = 10_000;
// Headers, the body and the wait before the body is read; it also ends a sender that goes on after it was answered.
const REQUEST_TIMEOUT = 30_000;
const CHECK_INTERVAL = 1000;
// How long nothing may move on a connection, and how long it may wait for its next request.
const PATIENCE = 30_000;
const KEEP_ALIVE = 10_000;

/**
 * @param {http.RequestListener & { refusalOfMethod(path: string): Problem }} listener what an application gives
 * @param {ReturnType<import('./certificate.js').openCertificate>} [certificate] with which it speaks TLS
 */
export function createServer(listener, certificate) {
  // Socket -> its latest request and response.
  const latest = new WeakMap();
  const onRequest = (incoming, outgoing) => {
    latest.set(incoming.socket, { incoming, outgoing });
    listener(incoming, outgoing);
  };
  const settings = {
    headersTimeout: HEADERS_TIMEOUT,
    requestTimeout: REQUEST_TIMEOUT,
    connectionsCheckingInterval: CHECK_INTERVAL,
    keepAliveTimeout: KEEP_ALIVE,
    maxHeaderSize: HEAD_LIMIT,
    // Node.js would answer a missing Host by itself, without a problem document; the application does.
    requireHostHeader: false,
  };
  const server = certificate
    ? https.createServer({ ...settings, ...certificate, handshakeTimeout: HEADERS_TIMEOUT })
    : http.createServer(settings);
  if (certificate) keepCertificate(server, certificate);
  server.timeout = PATIENCE;
  server.maxConnections = CONNECTION_LIMIT;
  server.on('request', onRequest);
  // `100 Continue` is sent by whoever reads the body, so that a refused body is never asked for.
  server.on('checkContinue', onRequest);
  server.on('checkExpectation', onRequest);
  // A tunnel is nothing that an API offers, and nothing here is a proxy.
  server.on('connect', (_, socket) => {
    socket.on('error', () => {});
    write(socket, new Problem('not_found'), uuidv7());
  });
  server.on('clientError', (error, socket) => refuse(error, socket, latest.get(socket), listener));
  return server;
}

/** @returns {Promise<string>} the server's URL */
export function listen(server, { host, port }) {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      const { address, family, port: actualPort } = server.address();
      resolve(`${server instanceof https.Server ? 'https' : 'http'}://${family === 'IPv6' ? `[${address}]` : address}:${actualPort}`);
    });
  });
}

function refuse(error, socket, exchange, listener) {
  if (!socket.writable || error.code === 'ECONNRESET' || !isAwaitingAnswer(exchange)) {
    socket.destroy();
    return;
  }
  const asked = error.code === 'HPE_INVALID_METHOD' ? headIn(error.rawPacket) : undefined;
  if (asked) return write(socket, listener.refusalOfMethod(asked.path), asked.requestId);
  write(socket, new Problem(problemOf(error)), uuidv7());
}

function problemOf(error) {
  if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT') return 'request_timeout';
  return error.code === 'HPE_HEADER_OVERFLOW' ? 'header_fields_too_large' : 'malformed_request';
}

// The head of a request that is right but for a method that the parser does not know, where the packet begins with it.
function headIn(packet) {
  const [head, ...rest] = packet.toString('latin1').split('\r\n\r\n');
  const [line, ...headers] = head.split('\r\n');
  const [, path] = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+ (\/[^ ?#]*)[^ ]* HTTP\/1\.1$/.exec(line) ?? [];
  const valuesOf = (name) => headers.filter((header) => header.toLowerCase().startsWith(`${name}:`));
  if (rest.length === 0 || path === undefined || valuesOf('host').length === 0) return undefined;
  const proposedId = valuesOf('x-request-id').map((header) => header.slice('x-request-id:'.length).trim()).join(', ');
  return { path, requestId: requestIdShape.test(proposedId) ? proposedId : uuidv7() };
}

function write(socket, problem, requestId) {
  const { status, headers, text } = problem.toResponse(requestId);
  const own = { ...headers, Connection: 'close', 'X-Request-Id': requestId, 'Content-Length': Buffer.byteLength(text) };
  const lines = Object.entries({ ...standingHeaders, ...own }).map(([name, value]) => `${name}: ${value}\r\n`).join('');
  socket.write(`HTTP/1.1 ${status} ${http.STATUS_CODES[status]}\r\n${lines}\r\n${text}`);
  socket.destroySoon();
}

// An answer written while an earlier request is still being worked on would be taken for that request's answer.
function isAwaitingAnswer(exchange) {
  if (!exchange) return true;
  const { incoming, outgoing } = exchange;
  return incoming.complete ? outgoing.writableFinished : !outgoing.headersSent;
}
