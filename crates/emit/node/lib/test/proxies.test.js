// Which proxies are believed, and what they say.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clientOf, trustedProxies } from '../proxies.js';

test('proxies are listed by address or network', () => {
  assert.equal(trustedProxies({}), undefined);
  assert.equal(trustedProxies({ TRUSTED_PROXIES: ' , ' }), undefined);
  trustedProxies({ TRUSTED_PROXIES: '127.0.0.1, 10.0.0.0/8, ::1, fd00::/8' });
  for (const word of ['proxy', '10.0.0.0/33', '10.0.0.0/', '10.0.0.1:80', '10.0.0', '*', '127.0.0.1 ::1', 'fd00::/129', '10.0.0.0/8/8']) {
    assert.throws(() => trustedProxies({ TRUSTED_PROXIES: word }), /is no address and no network/, word);
  }
});

const incoming = (remoteAddress, headersDistinct, encrypted) => ({ socket: { remoteAddress, encrypted }, headersDistinct });

test('the client is the last that is no proxy', () => {
  const proxies = trustedProxies({ TRUSTED_PROXIES: '127.0.0.0/8, 10.0.0.0/8, fd00::/8' });
  for (const [peer, lines, expected] of [
    ['127.0.0.1', ['203.0.113.7'], '203.0.113.7'],
    ['::ffff:127.0.0.1', ['::ffff:203.0.113.7'], '203.0.113.7'],
    ['127.0.0.1', ['198.51.100.1, 203.0.113.7, 10.1.2.3'], '203.0.113.7'],
    ['127.0.0.1', ['198.51.100.1', '203.0.113.7,10.1.2.3'], '203.0.113.7'],
    ['127.0.0.1', ['203.0.113.7:4711'], '203.0.113.7'],
    ['fd00::1', ['[2001:db8::7]:4711'], '2001:db8::7'],
    ['fd00::1', ['[2001:db8::7]'], '2001:db8::7'],
    ['127.0.0.1', ['203.0.113.7, unknown, 10.1.2.3'], '10.1.2.3'],
    ['127.0.0.1', ['10.1.2.3, 10.1.2.4'], '10.1.2.3'],
    ['127.0.0.1', [''], '127.0.0.1'],
    ['127.0.0.1', undefined, '127.0.0.1'],
    ['203.0.113.9', ['198.51.100.1'], '203.0.113.9'],
  ]) {
    assert.equal(clientOf(incoming(peer, { 'x-forwarded-for': lines }), proxies).address, expected, `${peer} ${lines}`);
  }
  assert.equal(clientOf(incoming('127.0.0.1', { 'x-forwarded-for': ['198.51.100.1'] }), undefined).address, '127.0.0.1');
});

test('the scheme is what whoever is believed says', () => {
  for (const [listed, encrypted, said, expected] of [
    ['', false, undefined, 'http'],
    ['', false, 'https', 'https'],
    ['', true, 'http', 'https'],
    ['10.0.0.1', false, 'https', 'http'],
    ['10.0.0.1', true, 'http', 'https'],
    ['127.0.0.1', false, 'https', 'https'],
    ['127.0.0.1', true, 'http', 'http'],
    ['127.0.0.1', true, undefined, 'https'],
  ]) {
    const headers = said === undefined ? {} : { 'x-forwarded-proto': [said] };
    const found = clientOf(incoming('127.0.0.1', headers, encrypted), trustedProxies({ TRUSTED_PROXIES: listed }));
    assert.equal(found.scheme, expected, `${listed} ${encrypted} ${said}`);
  }
});
