// Which coding a caller gets, and that what was coded can be read again.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { acceptedCoding, canBeCoded, codedTag, encode, plainTag } from '../coding.js';
import { respondText } from '../response.js';

test('the caller decides', () => {
  const expected = {
    'gzip, deflate, br': 'br',
    gzip: 'gzip',
    'x-gzip': 'gzip',
    'br;q=0.5, gzip;q=0.8': 'gzip',
    '*': 'br',
    'br;q=0, *': 'gzip',
    'BR; Q=1': 'br',
    '': undefined,
    identity: undefined,
    deflate: undefined,
    'gzip;q=0': undefined,
    'gzip;q=0.5, identity': undefined,
    'gzip;q=2': undefined,
    'gzip;q=x': undefined,
  };
  for (const [header, coding] of Object.entries(expected)) assert.equal(acceptedCoding(header), coding, header);
  assert.equal(acceptedCoding(undefined), undefined);
});

test('only what becomes smaller is coded', () => {
  const can = (type, length) => canBeCoded(respondText(200, type, 'a'.repeat(length)));
  for (const type of ['application/json', 'application/problem+json', 'text/html; charset=utf-8', 'image/svg+xml']) {
    assert.ok(can(type, 1024), type);
    assert.ok(!can(type, 1023), type);
  }
  for (const type of ['image/png', 'font/woff2', 'application/octet-stream']) assert.ok(!can(type, 5000), type);
  assert.ok(!canBeCoded({ status: 204, headers: {}, text: undefined }));
  assert.ok(!canBeCoded(respondText(200, 'text/css', 'a'.repeat(1024), { 'Content-Encoding': 'gzip' })));
});

test('what was coded can be read again, under a tag of its own', async () => {
  const text = '{"name":"Ada"}'.repeat(100);
  assert.equal(gunzipSync(await encode('gzip', text)).toString(), text);
  assert.equal(brotliDecompressSync(await encode('br', text)).toString(), text);
  assert.equal(codedTag('"3"', 'br'), '"3-br"');
  assert.equal(plainTag('"3-br"'), '"3"');
  assert.equal(plainTag('"3-gzip"'), '"3"');
});
