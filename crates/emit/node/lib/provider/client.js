// The way out: a request comes in, and goes out is what became of it. Names are looked up here, and nothing but addresses of the public
// internet is called, save a simulated provider on this machine. No redirect is followed, no proxy is asked, and no answer is read longer or
// for longer than it may be. It is `node:https` and not `fetch`: only so it is known whether a request ever left.

import dns from 'node:dns';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';

// Milliseconds: for a connection, and how much longer a request has at least, so that what was late is always known.
const CONNECT_WITHIN = 5000;
const BEHIND_CONNECTING = 1000;
// Most connections to a host, and how many of them wait for how long for the next request.
const MOST_CONNECTIONS = 64;
const MOST_IDLE = 8;
const IDLE_FOR = 20_000;
// Most bytes of the body of an answer.
const MOST_BYTES = 8 * 1024 * 1024;
/** Some providers refuse requests without a name. */
const USER_AGENT = 'integration-producer-application';

// What is no part of the public internet, https://www.iana.org/assignments/iana-ipv4-special-registry
const closed = new net.BlockList();
for (const [network, prefix] of [
  ['0.0.0.0', 8], ['10.0.0.0', 8], ['100.64.0.0', 10], ['127.0.0.0', 8], ['169.254.0.0', 16], ['172.16.0.0', 12], ['192.0.0.0', 24], ['192.0.2.0', 24],
  ['192.88.99.0', 24], ['192.168.0.0', 16], ['198.18.0.0', 15], ['198.51.100.0', 24], ['203.0.113.0', 24], ['224.0.0.0', 4], ['240.0.0.0', 4],
]) closed.addSubnet(network, prefix, 'ipv4');
// Tunnels and what is written about in books, https://www.iana.org/assignments/iana-ipv6-special-registry
for (const [network, prefix] of [['2001::', 23], ['2001:db8::', 32], ['2002::', 16], ['3fff::', 20]]) closed.addSubnet(network, prefix, 'ipv6');
const open = new net.BlockList();
open.addSubnet('2000::', 3, 'ipv6');

const agents = {
  'http:': new http.Agent({ keepAlive: true, maxSockets: MOST_CONNECTIONS, maxFreeSockets: MOST_IDLE, timeout: IDLE_FOR }),
  'https:': new https.Agent({ keepAlive: true, maxSockets: MOST_CONNECTIONS, maxFreeSockets: MOST_IDLE, timeout: IDLE_FOR, lookup }),
};
// For whom an operator has named: that may be anywhere.
const anywhere = new https.Agent({ keepAlive: true, maxSockets: MOST_CONNECTIONS, maxFreeSockets: MOST_IDLE, timeout: IDLE_FOR });

/** Whether the address is one of the public internet. */
export function isPublic(address) {
  const mapped = /^(?:::ffff:|64:ff9b::)(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (net.isIPv4(mapped ?? address)) return !closed.check(mapped ?? address, 'ipv4');
  return net.isIPv6(address) && open.check(address, 'ipv6') && !closed.check(address, 'ipv6');
}

/**
 * @param {{ method: string, url: string, headers: [string, string][], body: string }} request
 * @param {{ within: number, isOurs: boolean, mostBytes?: number }} bounds milliseconds for everything; whether it is called wherever it is: a
 *   simulated provider, an issuer that an operator has named; how much of the answer's body is read
 * @returns {Promise<{ neverConnected: string, isPermanent: boolean } | { broken: string }
 *   | { answer: { status: number, headers: [string, string][], body: Buffer, isCut: boolean } }>}
 */
export function send({ method, url, headers, body }, { within, isOurs, mostBytes = MOST_BYTES }) {
  const { protocol, hostname, host } = new URL(url);
  const address = hostname.replace(/^\[|\]$/g, '');
  const isClosed = !isOurs && (protocol !== 'https:' || (net.isIP(address) !== 0 && !isPublic(address)));
  if (isClosed) return Promise.resolve({ neverConnected: `\`${host}\` is no address of the public internet`, isPermanent: true });
  return new Promise((resolve) => {
    let isConnected = false;
    const agent = isOurs && protocol === 'https:' ? anywhere : agents[protocol];
    const options = { method, agent, headers: headersOf(headers, body), setDefaultHeaders: true };
    const request = (protocol === 'https:' ? https : http).request(url, options);
    const end = (sent) => {
      clearTimeout(connecting);
      clearTimeout(answering);
      resolve(sent);
    };
    const fail = (error) => {
      const why = error.code ? `${error.message} (${error.code})` : error.message;
      if (isConnected) end({ broken: why });
      else end({ neverConnected: `no connection to \`${host}\`: ${why}`, isPermanent: error.code === 'ECLOSED' });
    };
    const connecting = setTimeout(() => isConnected || request.destroy(new Error('it was not made in time')), CONNECT_WITHIN);
    const answering = setTimeout(() => request.destroy(new Error('no answer came in time')), Math.max(within, CONNECT_WITHIN + BEHIND_CONNECTING));
    request.on('error', fail);
    request.on('socket', (socket) => {
      const connected = () => {
        isConnected = true;
      };
      if (!socket.connecting && request.reusedSocket) connected();
      else socket.once(protocol === 'https:' ? 'secureConnect' : 'connect', connected);
    });
    request.on('response', (response) => readAnswer(response, mostBytes).then((answer) => end({ answer }), fail));
    request.end(body);
  });
}

async function readAnswer(response, mostBytes) {
  const chunks = [];
  let size = 0;
  for await (const chunk of response) {
    chunks.push(chunk.subarray(0, mostBytes - size));
    size += chunk.length;
    if (size > mostBytes) break;
  }
  const headers = response.rawHeaders.flatMap((name, index, raw) => (index % 2 === 0 ? [[name, raw[index + 1]]] : []));
  return { status: response.statusCode, headers, body: Buffer.concat(chunks), isCut: size > mostBytes };
}

function headersOf(pairs, body) {
  const headers = Object.fromEntries(pairs);
  if (!pairs.some(([name]) => name.toLowerCase() === 'user-agent')) headers['User-Agent'] = USER_AGENT;
  if (body !== '') headers['Content-Length'] = Buffer.byteLength(body);
  return headers;
}

/** Nothing else is connected to than what was looked at: one closed address among open ones is refused with them. */
function lookup(name, options, callback) {
  dns.lookup(name, { ...options, all: true }, (error, found) => {
    if (error) return callback(error);
    if (!found.every(({ address }) => isPublic(address))) {
      return callback(Object.assign(new Error('it leads to no address of the public internet'), { code: 'ECLOSED' }));
    }
    return options.all ? callback(null, found) : callback(null, found[0].address, found[0].family);
  });
}
