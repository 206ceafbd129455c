// The cookie of a session: its name, what a request brings of it, what an answer says of it, and whether a page that may not do so
// had a browser send it along. Who calls is found by accounts.js.

import { isIP } from 'node:net';

// Browsers take it of its own host alone, for every path, over TLS; on this machine itself without TLS some take none of that kind.
const NAME = '__Host-session';
const LOOPBACK_NAME = 'session';
const LIFETIME = 2_592_000;
const safe = new Set(['GET', 'HEAD', 'OPTIONS']);

/** The token of the session that the request brings; two of the name are none. @param {import('./request.js').Request} request */
export function presentedSession(request) {
  const name = isLoopback(request) ? LOOPBACK_NAME : NAME;
  const sent = request.incoming.headersDistinct.cookie ?? [];
  const pairs = sent.flatMap((value) => value.split(';')).map((pair) => pair.trim());
  const found = pairs.filter((pair) => pair.startsWith(`${name}=`)).map((pair) => pair.slice(name.length + 1));
  return found.length === 1 && found[0] !== '' ? found[0] : undefined;
}

/** The `Set-Cookie` that hands a token over; without one it takes the cookie away. */
export function sessionCookie(request, token) {
  const [name, secure] = isLoopback(request) ? [LOOPBACK_NAME, ''] : [NAME, '; Secure'];
  return `${name}=${token ?? ''}; Path=/; Max-Age=${token === undefined ? 0 : LIFETIME}; HttpOnly; SameSite=Lax${secure}`;
}

/**
 * Whether a page of another origin had a browser send the request, and it may change something. What is sent by no browser says
 * nothing of origins, and nobody adds cookies to it. https://developer.mozilla.org/docs/Web/HTTP/Headers/Sec-Fetch-Site
 */
export function isForeign(request) {
  if (safe.has(request.method)) return false;
  const origin = request.header('origin');
  if (request.origins instanceof Set && request.origins.has(origin)) return false;
  const site = request.header('sec-fetch-site');
  if (site !== undefined) return site !== 'same-origin' && site !== 'none';
  return origin !== undefined && origin.split('://')[1] !== request.header('host');
}

/** Whether the request is from this machine to itself and came without TLS, as far as it says. */
function isLoopback(request) {
  const host = (request.header('host') ?? '').toLowerCase();
  const name = host.startsWith('[') ? host.slice(1).split(']')[0] : host.split(':')[0];
  const address = name === '::1' || (isIP(name) === 4 && name.startsWith('127.'));
  const isHere = address || name === 'localhost' || name.endsWith('.localhost');
  return isHere && request.scheme !== 'https';
}
