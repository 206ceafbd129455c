// Who called, and how: what the connection says, and what proxies before the server say of it, as far as they are believed.

import { BlockList, isIP } from 'node:net';

/** @returns {BlockList | undefined} the proxies of `TRUSTED_PROXIES`; `undefined` where nobody said which */
export function trustedProxies(environment = process.env) {
  const listed = (environment.TRUSTED_PROXIES ?? '').split(',').map((word) => word.trim()).filter((word) => word !== '');
  if (listed.length === 0) return undefined;
  const proxies = new BlockList();
  for (const word of listed) {
    const [address, length, ...rest] = word.split('/');
    const family = isIP(address);
    const bits = length === undefined ? family * 32 - (family === 6 ? 64 : 96) : Number(length);
    if (family === 0 || rest.length > 0 || !/^\d{1,3}$/.test(length ?? '0') || bits > (family === 4 ? 32 : 128)) {
      throw new Error(
        `\`TRUSTED_PROXIES\`: \`${word}\` is no address and no network; write them as \`10.0.0.7\` or \`172.16.0.0/12\`, several with commas between`,
      );
    }
    proxies.addSubnet(address, bits, `ipv${family}`);
  }
  return proxies;
}

/**
 * Where nobody said which proxies are believed, the client is whoever connected; what says that a request came over TLS is taken of anybody,
 * because it makes an answer stricter and no more.
 * @param {import('node:http').IncomingMessage} incoming
 * @param {BlockList | undefined} proxies
 * @returns {{ address: string, scheme: 'http' | 'https' }} the client's address, and how it speaks with this server or the proxy before it
 */
export function clientOf({ socket, headersDistinct }, proxies) {
  const nearest = plainAddress(socket.remoteAddress);
  const own = socket.encrypted ? 'https' : 'http';
  const said = headersDistinct['x-forwarded-proto']?.join(', ');
  if (proxies && has(proxies, nearest)) {
    const address = farthest(nearest, headersDistinct['x-forwarded-for'] ?? [], proxies);
    return { address, scheme: said === undefined ? own : schemeOf(said) };
  }
  return { address: nearest, scheme: proxies || socket.encrypted ? own : schemeOf(said) };
}

// Each proxy writes whom it was called by behind what it was sent: the last address that is no proxy's is the client's, and what stands before
// it anybody may have made up. What is no address ends the way.
function farthest(nearest, lines, proxies) {
  let found = nearest;
  for (const word of lines.join(',').split(',').reverse()) {
    const address = addressOf(word.trim());
    if (address === undefined) break;
    found = address;
    if (!has(proxies, address)) break;
  }
  return found;
}

const has = (proxies, address) => isIP(address) !== 0 && proxies.check(address, `ipv${isIP(address)}`);

const schemeOf = (said) => (said === 'https' ? 'https' : 'http');

// An address, with a port or without it.
function addressOf(word) {
  const bare = /^\[(.+)\](?::\d{1,5})?$/.exec(word)?.[1] ?? /^([\d.]+):\d{1,5}$/.exec(word)?.[1] ?? word;
  return isIP(bare) === 0 ? undefined : plainAddress(bare);
}

// A socket that listens on IPv6 reports IPv4 clients as `::ffff:127.0.0.1`.
function plainAddress(address = 'unknown') {
  return address.replace(/^::ffff:(?=\d+\.)/i, '');
}
