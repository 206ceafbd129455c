import assert from 'node:assert/strict';
import { test } from 'node:test';
import { randomToken } from '../accounts.js';
import { hashPassword, verifyPassword } from '../passwords.js';
import { digestOf } from '../successor.js';
import { isWeak } from '../weak-passwords.js';

test('a password is known by its hash and no other is', async () => {
  // U+00E9, and `e` with U+0301: one letter by two keyboards.
  const hashed = await hashPassword('caf\u00e9 au lait');
  assert.match(hashed, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
  assert.equal(await verifyPassword('cafe\u0301 au lait', hashed), true);
  assert.equal(await verifyPassword('cafe au lait', hashed), false);
  assert.equal(await verifyPassword('caf\u00e9 au lait ', hashed), false);
  assert.equal(await verifyPassword('anything', null), false);
});

test('a hash of the native server is one here', async () => {
  const hash = '$argon2id$v=19$m=19456,t=2,p=1$aW50ZWdyYXRpb24tY2FzZQ$mc87CIhpNn6hmZF8oHsX4qOtLlw/TyYJS6qV1Zy2rDM';
  assert.equal(await verifyPassword('correct horse, battery & staple', hash), true);
});

test('more than can wait are refused', async () => {
  const asked = Array.from({ length: 200 }, () => verifyPassword('anything', null).catch((problem) => problem.status));
  const answers = await Promise.all(asked);
  assert.ok(answers.includes(503) && answers.includes(false), 'some are done and some are not');
  assert.equal(await verifyPassword('anything', null), false, 'afterwards there is room');
});

test('what leaks are full of is weak', () => {
  for (const weak of ['password', 'Password1', 'P@ssw0rd!', 'drowssap1', '12345678', 'aaaa1111', 'Qwerty123!', 'adminadmin', '1q1q1q1q', 'letmein!!', '1qaz2wsx', 'Elephant', 'elephant2026!', 'gbpltw147']) {
    assert.equal(isWeak(weak), true, weak);
  }
  for (const good of ['correct horse, battery & staple', 'k7#Lm2pQ', 'tr0mb0ne-quilt', 'Zürich im Regen', 'пароль от сейфа', 'elephants in trees']) {
    assert.equal(isWeak(good), false, good);
  }
});

test('tokens are random, and told by their digest', () => {
  assert.equal(randomToken(32).length, 43);
  assert.notEqual(randomToken(32), randomToken(32));
  assert.equal(digestOf('abc'), 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
});
