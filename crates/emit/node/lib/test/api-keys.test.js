// Keys are well-formed, found while they work, and not found afterwards.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiKeys, generateKey, isWellFormedKey } from '../api-keys.js';
import { authorize } from '../authorization.js';
import { RateLimit } from '../rate-limit.js';
import { createDatabase } from './temporary-database.js';

const table = `CREATE TABLE api_keys (id TEXT PRIMARY KEY NOT NULL, name TEXT NOT NULL, hint TEXT NOT NULL, hash TEXT NOT NULL UNIQUE, created_at TEXT NOT NULL, revoked_at TEXT) STRICT`;

test('the checksum is CRC-32 in base 62, most significant digit first', () => {
  assert.ok(isWellFormedKey('ipk_AAAAAAAAAAAAAAAAAAAAAAAA4ElB4I'));
  assert.ok(!isWellFormedKey('ipk_AAAAAAAAAAAAAAAAAAAAAAAA4ElB4J'));
  assert.ok(!isWellFormedKey('ipk_BAAAAAAAAAAAAAAAAAAAAAAA4ElB4I'));
  assert.ok(!isWellFormedKey('ipk_AAAAAAAAAAAAAAAAAAAAAAAA4ElB4I\n'));
  assert.ok(!isWellFormedKey(''));
  for (let count = 0; count < 100; count += 1) assert.ok(isWellFormedKey(generateKey()));
});

test('a key is stored as its hash, and found until a second after it was revoked', (context) => {
  const database = createDatabase(context);
  database.exec(table);
  let now = 0;
  const keys = new ApiKeys(database, { now: () => now });
  const { id, secret } = keys.create('website');
  assert.match(secret, /^ipk_[0-9A-Za-z]{30}$/);
  assert.ok(!JSON.stringify(database.many('SELECT * FROM api_keys')).includes(secret));
  assert.equal(database.one('SELECT hint FROM api_keys').hint, secret.slice(0, 8));
  assert.equal(keys.find(secret).id, id);
  assert.ok(keys.revoke(id));
  assert.ok(!keys.revoke(id));
  now = 999;
  assert.equal(keys.find(secret).id, id);
  now = 1000;
  assert.equal(keys.find(secret), undefined);
});

test('a malformed key costs no query', () => {
  const keys = new ApiKeys({ optional: () => assert.fail('asked the database') });
  assert.equal(keys.find('ipk_AAAAAAAAAAAAAAAAAAAAAAAA4ElB4J'), undefined);
});

test('when the lookup fails, the answer says where the address stands', () => {
  const keys = new ApiKeys({ optional: () => { throw new Error('gone'); } });
  const request = { address: '::1', answerHeaders: {}, header: (name) => ({ authorization: 'Bearer ipk_AAAAAAAAAAAAAAAAAAAAAAAA4ElB4I' })[name] };
  assert.throws(() => authorize(request, keys, new RateLimit({ name: 'p', quota: 2, window: 10 })), /gone/);
  assert.equal(request.answerHeaders['RateLimit'], '"p";r=2;t=0');
});
