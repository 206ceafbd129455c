// A call becomes a request: an operation, an account and what it is given come in; the request goes out as it is sent, and as it may be
// shown. Nothing is sent here, and no value is ever part of an error.

import { json, percent, percentButBrackets } from './encode.js';
import { check } from './input.js';
import { Unfit } from './transformations.js';
import { asSent, asShown, asText, HIDDEN, secret, text, written } from './values.js';

/**
 * @param {object} operation as a module of `services/` describes it
 * @param {object} account see `account.js`
 * @param {{ input: object, delivery?: { id: string, key: string, time: string }, page?: { next?: any }, token?: import('./tokens.js').Token }} given
 * @returns {{ sent: object, shown: object, hides: { value: string, standsFor: string }[] }}
 */
export function render(operation, account, { input, delivery = {}, page = {}, token }) {
  check(input, operation.input);
  const longest = operation.idempotency?.keyMaxLength;
  if (longest !== undefined && [...(delivery.key ?? '')].length > longest) throw new Unfit(`the key of the delivery has more than ${longest} characters`);
  const scope = { ...account.scope, input, delivery, page, token: token?.kept ?? {} };
  const bearer = token && text`Bearer ${secret(token.access)}`;
  const hides = [];
  const sent = request(operation, account, { scope, bearer }, asSent);
  const shown = shownPlainly(request(operation, account, { scope, bearer }, asShown(hides)));
  return { sent, shown, hides };
}

/** For `Authorization: Basic`: of the pair nothing is shown. */
export function basic(user, password) {
  if (user?.includes(':')) throw new Unfit('a name with a colon cannot be written in `Basic`');
  const isWhole = user !== undefined && password !== undefined;
  return isWhole ? text`Basic ${secret(Buffer.from(`${user}:${password}`).toString('base64'))}` : undefined;
}

function request(operation, account, { scope, bearer }, write) {
  const { service } = account;
  const host = operation.host ?? Object.keys(service.hosts)[0];
  const way = service.authentication[operation.authentication ?? Object.keys(service.authentication)[0]];
  const { path, query = {}, headers = {}, body = way.body && json({}) } = operation.request(scope);
  const parameters = Object.entries(query).flatMap(([name, value]) => parameter(name, value, write, percentButBrackets));
  const proofs = Object.entries(way.query?.(scope) ?? {});
  proofs.forEach(([name, value]) => mustBe(value, name));
  parameters.push(...proofs.flatMap(([name, value]) => parameter(name, value, write, percent)));
  const all = new Headers(write);
  all.add(service.hosts[host].headers?.(scope) ?? {});
  all.add(headers);
  if (body !== undefined && !all.has('Content-Type')) all.add({ 'Content-Type': body.mediaType });
  const proof = bearer ? { Authorization: bearer } : (way.headers?.(scope) ?? {});
  Object.entries(proof).forEach(([name, value]) => mustBe(value, name));
  all.add(proof);
  const mark = parameters.length > 0 ? '?' : '';
  return {
    method: operation.method,
    url: `${account.base(host, scope)}${path.write(write)}${mark}${parameters.join('&')}`,
    headers: all.pairs,
    body: body?.write(write, (document) => proved(way.body, document, scope, write)) ?? '',
  };
}

/** The document with what says who we are before all other members, where that stands in bodies. */
function proved(way, document, scope, write) {
  if (way === undefined) return document;
  const members = (inside) => {
    if (typeof inside !== 'object' || inside === null || Array.isArray(inside)) throw new Unfit('the body has no place for what says who we are');
    return { ...written(way.fields(scope), write), ...inside };
  };
  if (way.into === 'top') return members(document);
  const [[name, inside] = [], ...others] = Object.entries(document);
  return { [name]: members(others.length === 0 ? inside : undefined) };
}

function parameter(name, value, write, encode) {
  const filled = written(value, write);
  return filled === undefined ? [] : [`${encode(name)}=${encode(asText(filled))}`];
}

function mustBe(value, name) {
  if (value === undefined) throw new Unfit(`what proves who we are has no value: \`${name}\``);
}

/** Headers in order; one that is set again is replaced. */
class Headers {
  pairs = [];
  #write;

  constructor(write) {
    this.#write = write;
  }

  has(name) {
    return this.pairs.some(([known]) => known.toLowerCase() === name.toLowerCase());
  }

  add(headers) {
    for (const [name, value] of Object.entries(headers)) {
      const filled = written(value, this.#write);
      if (filled === undefined) continue;
      // What a line break would begin is another header, or another request.
      if (/[\u0000-\u0008\u000a-\u001f\u007f-\u009f]/.test(asText(filled))) throw new Unfit(`the header \`${name}\` cannot hold a control character`);
      this.pairs = this.pairs.filter(([known]) => known.toLowerCase() !== name.toLowerCase());
      this.pairs.push([name, asText(filled)]);
    }
  }
}

/** Marks of what is hidden are read by people: they stand as they are, whatever they stand in. */
function shownPlainly(request) {
  const plain = (value) => value.replaceAll(percent(HIDDEN), HIDDEN).replaceAll('sha256%3A', 'sha256:');
  return { ...request, url: plain(request.url), body: plain(request.body) };
}
