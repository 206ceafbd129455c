// The request as a procedure sees it. It holds facts and the headers that the answer will carry; it reads no body.

import { uuidv7 } from './identifiers.js';
import { clientOf } from './proxies.js';

export const requestIdShape = /^[A-Za-z0-9._-]{1,64}$/;

export class Request {
  #callbacks = [];

  /**
   * @param {import('node:http').IncomingMessage} incoming
   * @param {import('node:http').ServerResponse} outgoing
   * @param {ReturnType<import('./proxies.js').trustedProxies>} [proxies]
   */
  constructor(incoming, outgoing, proxies) {
    this.incoming = incoming;
    this.outgoing = outgoing;
    const proposedId = this.header('x-request-id');
    this.id = requestIdShape.test(proposedId ?? '') ? proposedId : uuidv7();
    this.method = incoming.method;
    /** The time of arrival, UTC with milliseconds; rows and events of this request are dated with it. */
    this.receivedAt = new Date().toISOString();
    this.startedAt = performance.now();
    const { address, scheme } = clientOf(incoming, proxies);
    this.address = address;
    /** How the client speaks with this server, or with the proxy before it. */
    this.scheme = scheme;
    /** The pattern of the matched route; `undefined` until one matched. */
    this.route = undefined;
    this.parameters = {};
    /** What the API key that it came with is good for, `null` for everything; `undefined` where it came with none. */
    this.scopes = undefined;
    /** Whose pages may read the answer: `undefined` where only those of its own origin. */
    this.origins = undefined;
    /** Whether they may have a browser add its cookies. */
    this.cookies = false;
    /** How long a successful answer may be kept: a `Cache-Control`. `undefined`: not at all. */
    this.cacheControl = undefined;
    /** Whether an answer that may be kept was there: `hit` or `miss`; `undefined` where none may. */
    this.found = undefined;
    /** What the answer is kept under, where it is; see `kept.js`. */
    this.keeping = undefined;
    /** Headers the answer carries whether the procedure succeeds or fails. */
    this.answerHeaders = {};
    /** The body's bytes, once they were read. */
    this.body = Buffer.alloc(0);
    /** What it says, where it was read and not looked at. */
    this.document = undefined;
  }

  /** The values of a header, as one where it was sent more than once: two keys are no key. */
  header(name) {
    return this.incoming.headersDistinct[name]?.join(', ');
  }

  /** How often the header was sent. */
  countOf(name) {
    return this.incoming.rawHeaders.filter((text, index) => index % 2 === 0 && text.toLowerCase() === name).length;
  }

  /** Path and query as they were sent. */
  get target() {
    return this.incoming.url.split('#')[0];
  }

  /** Calls back once the procedure has ended, however it did. */
  whenSettled(callback) {
    this.#callbacks.push(callback);
  }

  settled() {
    for (const callback of this.#callbacks.splice(0)) callback();
  }

  /** Another request by the same caller, with the same proofs. What it carries in its answer is its own. */
  as({ method, route, parameters }) {
    const whenSettled = (callback) => this.whenSettled(callback);
    return Object.assign(Object.create(this), { method, route, parameters, answerHeaders: {}, whenSettled });
  }

  /** The query string's names and values in the order they were sent, decoded. */
  get query() {
    const start = this.target.indexOf('?');
    return new URLSearchParams(start < 0 ? '' : this.target.slice(start));
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
