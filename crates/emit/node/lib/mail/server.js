// The mail server, as an address says it: `smtp://user:password@host:587` comes in, where to connect and how comes out, or a sentence that
// says what is wrong. Who gives a password gets an encrypted connection or none; no value is part of what is said.

import net from 'node:net';

// The ports where the address names none: that of TLS from the beginning, and that of submission.
const TLS_PORT = 465;
const SUBMISSION_PORT = 587;
const FORM = 'write it as `smtp://user:password@host:587` or `smtps://user:password@host:465`';

/** @returns {{ host: string, port: number, encryption: 'tls' | 'starttls' | 'none', user?: string, password?: string } | { wrong: string }} */
export function readServer(text) {
  const wrong = (why) => ({ wrong: `${why}; ${FORM}` });
  if (!URL.canParse(text)) return wrong('it is no address');
  const { protocol, hostname, port, pathname, search, hash, username, password } = new URL(text);
  const isFromTheBeginning = protocol === 'smtps:';
  if (!isFromTheBeginning && protocol !== 'smtp:') return wrong('it begins with neither `smtp://` nor `smtps://`');
  if ((pathname !== '' && pathname !== '/') || hash !== '') return wrong('something stands behind the host');
  if (hostname === '') return wrong('it names no host');
  const asked = new URLSearchParams(search);
  if ([...asked.keys()].some((name) => name !== 'tls')) return wrong('`tls` is all that can stand behind a `?`');
  const tls = asked.get('tls');
  if (![null, 'none', 'required'].includes(tls)) return wrong('`tls` is `none` or `required`');
  if (isFromTheBeginning && tls === 'none') return wrong('`smtps` is encrypted from the beginning, and `tls=none` says it is not');
  if (username === '' && password !== '') return wrong('it names a password and no user');
  if (username !== '' && password === '') return wrong('it names a user and no password');
  const host = hostname.replace(/^\[|\]$/g, '');
  const server = { host, port: Number(port) || (isFromTheBeginning ? TLS_PORT : SUBMISSION_PORT), encryption: encryption(isFromTheBeginning, tls, host) };
  try {
    return username === '' ? server : { ...server, user: decodeURIComponent(username), password: decodeURIComponent(password) };
  } catch {
    return wrong('user or password is no text');
  }
}

function encryption(isFromTheBeginning, tls, host) {
  if (isFromTheBeginning) return 'tls';
  if (tls !== null) return tls === 'required' ? 'starttls' : 'none';
  // What is said to this machine does not leave it.
  const isHere = host === 'localhost' || (net.isIPv4(host) && host.startsWith('127.')) || host === '::1';
  return isHere ? 'none' : 'starttls';
}

/** Without who we are there. */
export function shownServer({ host, port, encryption: how }) {
  return `${how === 'tls' ? 'smtps' : 'smtp'}://${net.isIPv6(host) ? `[${host}]` : host}:${port}`;
}
