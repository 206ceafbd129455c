// The HTTP server around an application: its time limits, and its answer to bytes that are no request.

import http from 'node:http';
import { uuidv7 } from './identifiers.js';
import { Problem } from './problem.js';
import { standingHeaders } from './response.js';

const HEADERS_TIMEOUT = 10_000;
// Headers, the body and the wait before the body is read; it also ends a sender that goes on after it was answered.
const REQUEST_TIMEOUT = 30_000;
const CHECK_INTERVAL = 1000;

/** @param {http.RequestListener} listener */
export function createServer(listener) {
  // Socket -> its latest request and response.
  const latest = new WeakMap();
  const onRequest = (incoming, outgoing) => {
    latest.set(incoming.socket, { incoming, outgoing });
    listener(incoming, outgoing);
  };
  const server = http.createServer({
    headersTimeout: HEADERS_TIMEOUT,
    requestTimeout: REQUEST_TIMEOUT,
    connectionsCheckingInterval: CHECK_INTERVAL,
    // Node.js would answer a missing Host by itself, without a problem document; the application does.
    requireHostHeader: false,
  });
  server.on('request', onRequest);
  // `100 Continue` is sent by whoever reads the body, so that a refused body is never asked for.
  server.on('checkContinue', onRequest);
  server.on('checkExpectation', onRequest);
  server.on('clientError', (error, socket) => refuse(error, socket, latest.get(socket)));
  return server;
}

/** @returns {Promise<string>} the server's URL */
export function listen(server, { host, port }) {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      const { address, family, port: actualPort } = server.address();
      resolve(`http://${family === 'IPv6' ? `[${address}]` : address}:${actualPort}`);
    });
  });
}

function refuse(error, socket, exchange) {
  if (!socket.writable || error.code === 'ECONNRESET' || !isAwaitingAnswer(exchange)) {
    socket.destroy();
    return;
  }
  const problem = new Problem(error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 'request_timeout' : 'malformed_request');
  const requestId = uuidv7();
  const { status, headers, text } = problem.toResponse(requestId);
  const allHeaders = { ...standingHeaders, 'X-Request-Id': requestId, ...headers, 'Content-Length': Buffer.byteLength(text) };
  const lines = Object.entries(allHeaders).map(([name, value]) => `${name}: ${value}\r\n`).join('');
  socket.write(`HTTP/1.1 ${status} ${http.STATUS_CODES[status]}\r\n${lines}\r\n${text}`);
  socket.destroySoon();
}

// An answer written while an earlier request is still being worked on would be taken for that request's answer.
function isAwaitingAnswer(exchange) {
  if (!exchange) return true;
  const { incoming, outgoing } = exchange;
  return incoming.complete ? outgoing.writableFinished : !outgoing.headersSent;
}
