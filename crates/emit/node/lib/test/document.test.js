// Bodies as providers write them and statements that we sign, each held against what the native server makes of the same.

import assert from 'node:assert/strict';
import { createPublicKey, generateKeyPairSync, verify } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { signed } from '../provider/assertion.js';
import { Unreadable, read } from '../provider/document.js';
import { bytes, xml } from '../provider/encode.js';
import { Unfit } from '../provider/transformations.js';
import { asSent, asShown, hash, personal } from '../provider/values.js';

const vectors = (name) => JSON.parse(readFileSync(new URL(`./vectors/${name}.json`, import.meta.url), 'utf8'));

test('XML is read as the native server reads it', () => {
  const deep = (depth) => `${'<a>'.repeat(depth)}${'</a>'.repeat(depth)}`;
  read('xml', Buffer.from(deep(64)));
  for (const { body, document, is } of [...vectors('xml'), { body: deep(65), is: 'none' }]) {
    if (is === 'none') assert.throws(() => read('xml', Buffer.from(body)), Unreadable, body);
    else assert.equal(JSON.stringify(read('xml', Buffer.from(body))), JSON.stringify(document), body);
  }
});

test('a megabyte that never ends is refused at once', () => {
  const begun = performance.now();
  for (const piece of ['<a ', '<a b="', '<!--', '<a b="1" ', '<a>&amp;', '</', '<a>   ']) {
    assert.throws(() => read('xml', Buffer.from(piece.repeat(Math.ceil(1e6 / piece.length)))), Unreadable, piece);
  }
  assert.ok(performance.now() - begun < 4000, `${performance.now() - begun} ms`);
});

test('a name that stands in a form more than once has a list', () => {
  assert.deepEqual(read('form', Buffer.from('a=1&b=x%20y+z&a=2')), { a: ['1', '2'], b: 'x y z' });
});

test('no value holds markup, and what is personal is shown as a hash', () => {
  const body = xml`<a b="${'"'}">${personal("<c d='&'>\u0000\n")}</a>`;
  assert.equal(body.mediaType, 'application/xml; charset=utf-8');
  assert.equal(body.write(asSent), '<a b="&quot;">&lt;c d=&apos;&amp;&apos;&gt;\n</a>');
  assert.equal(body.write(asShown([])), `<a b="&quot;">${hash("<c d='&'>\u0000\n")}</a>`);
  assert.throws(() => xml`<a>${undefined}</a>`.write(asSent), Unfit);
  assert.equal(bytes(12, 'text/plain').write(asSent), '12');
});

test('a statement is signed with RS256, byte for byte', () => {
  const { issuer, subject, audience, lifetime_seconds: lifetimeSeconds, now, key, statement } = vectors('assertion');
  assert.equal(signed({ issuer, subject, audience, lifetimeSeconds }, key, now), statement);
  const [header, claims, signature] = statement.split('.');
  assert.ok(verify('sha256', Buffer.from(`${header}.${claims}`), createPublicKey(key), Buffer.from(signature, 'base64url')));
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1', privateKeyEncoding: { type: 'pkcs8', format: 'pem' }, publicKeyEncoding: { type: 'spki', format: 'pem' } });
  for (const none of ['no key', privateKey]) assert.throws(() => signed({ issuer, subject, audience, lifetimeSeconds }, none, now), Unfit);
});
