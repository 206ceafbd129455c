// The request as a procedure sees it. It holds facts and the headers that the answer will carry; it reads no body.

import { uuidv7 } from './identifiers.js';

const requestIdShape = /^[A-Za-z0-9._-]{1,64}$/;

export class Request {
  /**
   * @param {import('node:http').IncomingMessage} incoming
   * @param {import('node:http').ServerResponse} outgoing
   */
  constructor(incoming, outgoing) {
    const proposedId = incoming.headers['x-request-id'];
    this.incoming = incoming;
    this.outgoing = outgoing;
    this.id = requestIdShape.test(proposedId ?? '') ? proposedId : uuidv7();
    this.method = incoming.method;
    /** The time of arrival, UTC with milliseconds; rows and events of this request are dated with it. */
    this.receivedAt = new Date().toISOString();
    this.startedAt = performance.now();
    this.address = plainAddress(incoming.socket.remoteAddress);
    /** The pattern of the matched route; `undefined` until one matched. */
    this.route = undefined;
    this.parameters = {};
    /** How long a successful answer may be kept: a `Cache-Control`. `undefined`: not at all. */
    this.cacheControl = undefined;
    /** Headers the answer carries whether the procedure succeeds or fails. */
    this.answerHeaders = {};
  }

  header(name) {
    return this.incoming.headers[name];
  }

  /** The query string's names and values in the order they were sent, decoded. */
  get query() {
    const [target] = this.incoming.url.split('#');
    const start = target.indexOf('?');
    return new URLSearchParams(start < 0 ? '' : target.slice(start));
  }

  /** The time that many seconds after the arrival, in the form of `receivedAt`. */
  after(seconds) {
    return new Date(Date.parse(this.receivedAt) + seconds * 1000).toISOString();
  }
}

/** The caller of a route that asks for no credentials: the client's address. */
export function anonymous(request) {
  return { identity: `address:${request.address}` };
}

// A socket that listens on IPv6 reports IPv4 clients as `::ffff:127.0.0.1`.
function plainAddress(address = 'unknown') {
  return address.replace(/^::ffff:(?=\d+\.)/i, '');
}
