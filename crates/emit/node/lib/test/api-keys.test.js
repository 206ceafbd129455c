// Keys are well-formed, found while they work, and not found afterwards.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiKeys, generateKey, isWellFormedKey } from '../api-keys.js';
import { authorize } from '../authorization.js';
import { RateLimit } from '../rate-limit.js';
import { createDatabase } from './temporary-database.js';

const table = `CREATE TABLE api_keys (id TEXT PRIMARY KEY NOT NULL, name TEXT NOT NULL, hint TEXT NOT NULL, hash TEXT NOT NULL UNIQUE, created_at TEXT NOT NULL, revoked_at TEXT, expires_at TEXT, scopes TEXT, last_used_at TEXT, replaces TEXT, caller TEXT) STRICT`;

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
  const keys = new ApiKeys({ beforeClose() {}, optional: () => assert.fail('asked the database') });
  assert.equal(keys.find('ipk_AAAAAAAAAAAAAAAAAAAAAAAA4ElB4J'), undefined);
});

test('when the lookup fails, the answer says where the address stands', () => {
  const keys = new ApiKeys({ beforeClose() {}, optional: () => { throw new Error('gone'); } });
  const request = { address: '::1', answerHeaders: {}, header: (name) => ({ authorization: 'Bearer ipk_AAAAAAAAAAAAAAAAAAAAAAAA4ElB4I' })[name] };
  assert.throws(() => authorize(request, keys, new RateLimit({ name: 'p', quota: 2, window: 10 })), /gone/);
  assert.equal(request.answerHeaders['RateLimit'], '"p";r=2;t=0');
});

function createKeys(context, options) {
  const database = createDatabase(context);
  database.exec(table);
  return { database, keys: new ApiKeys(database, options) };
}

test('expiry is exact while a key is remembered', (context) => {
  const { database, keys } = createKeys(context, { now: () => 0 });
  const { secret } = keys.create('website', { expiresAt: '2026-01-02T03:04:05.678Z' });
  assert.ok(keys.find(secret, '2026-01-02T03:04:05.677Z'));
  assert.equal(keys.find(secret, '2026-01-02T03:04:05.678Z'), undefined);
  assert.ok(keys.find(secret, '2026-01-02T03:04:05.677Z'));
  database.run(`UPDATE api_keys SET expires_at = 'soon'`);
  assert.equal(new ApiKeys(database).find(secret, '2026-01-02T03:04:05.677Z'), undefined);
});

test('a rotated key and its successor work, as one caller, until the overlap is over', (context) => {
  const { keys } = createKeys(context);
  const begin = Date.now();
  const after = (milliseconds) => new Date(begin + milliseconds).toISOString();
  const old = keys.create('website', { expiresAt: after(100_000), scopes: ['b:read', 'a:write', 'b:read'] });
  const [record] = keys.named(old.secret.slice(0, 8));
  const middle = keys.rotate(record, after(10_000), after(5000));
  assert.equal(keys.rotate(record, after(10_000), after(5000)), undefined);
  const newest = keys.rotate(keys.named(middle.id)[0], after(6000), after(6000));
  const found = [old, middle, newest].map(({ secret }) => keys.find(secret, after(5999)));
  assert.deepEqual(found.map((key) => key.caller), [old.id, old.id, old.id]);
  assert.deepEqual(found.map((key) => key.scopes), Array(3).fill('a:write b:read'));
  assert.deepEqual([old, middle, newest].map(({ secret }) => Boolean(keys.find(secret, after(10_000)))), [false, false, true]);
  const list = keys.list(after(7000));
  assert.deepEqual(list.map((key) => key.status), ['rotating', 'expired', 'active']);
  assert.deepEqual(list.map((key) => key.replaced_by), [middle.id, newest.id, null]);
  const lifetime = Date.parse(list[2].expires_at) - Date.parse(list[2].created_at);
  assert.ok(Math.abs(lifetime - 100_000) < 1000, `${lifetime}`);
  assert.ok(!JSON.stringify(list).includes(newest.secret));
});

test('uses are noted with look-ups and written together, at the end at the latest', (context) => {
  let now = 0;
  const { database, keys } = createKeys(context, { now: () => now });
  const { secret } = keys.create('website');
  const expired = keys.create('website', { expiresAt: '2026-01-01T00:00:00.000Z' });
  const used = () => database.many('SELECT last_used_at FROM api_keys ORDER BY id').map((row) => row.last_used_at);
  keys.find(secret, '2026-01-02T00:00:00.000Z');
  keys.find(secret, '2026-01-03T00:00:00.000Z');
  keys.find(expired.secret, '2026-01-03T00:00:00.000Z');
  assert.deepEqual(used(), [null, null]);
  keys.writeUses();
  assert.deepEqual(used(), ['2026-01-02T00:00:00.000Z', null]);
  now = 1000;
  keys.find(secret, '2026-01-04T00:00:00.000Z');
  const transaction = context.mock.method(database, 'transaction', () => { throw new Error('busy'); });
  const logged = context.mock.method(console, 'error', () => {});
  keys.writeUses();
  assert.equal(logged.mock.callCount(), 1);
  transaction.mock.restore();
  keys.writeUses();
  assert.deepEqual(used(), ['2026-01-04T00:00:00.000Z', null]);
});

test('a key without the scope counts for itself', (context) => {
  const { keys } = createKeys(context);
  const request = (secret) => ({ address: '::1', answerHeaders: {}, receivedAt: new Date().toISOString(), header: (name) => ({ 'x-api-key': secret })[name] });
  const check = (scopes, scope) => {
    const asked = request(keys.create('a', { scopes }).secret);
    authorize(asked, keys, new RateLimit({ name: 'p', quota: 2, window: 10 }), scope);
  };
  for (const scopes of [null, ['a:read'], ['*:read'], ['b:write', 'a:read']]) check(scopes, 'a:read');
  for (const scopes of [[], ['a:write'], ['*:write'], ['b:read'], ['*:*']]) {
    assert.throws(() => check(scopes, 'a:read'), { name: 'insufficient_scope', status: 403 });
  }
  const limit = new RateLimit({ name: 'p', quota: 1, window: 10 });
  const asked = request(keys.create('a', { scopes: [] }).secret);
  assert.throws(() => authorize(asked, keys, limit, 'a:read'), { name: 'insufficient_scope' });
  assert.equal(asked.answerHeaders['RateLimit'], '"p";r=0;t=10');
  assert.throws(() => authorize(asked, keys, limit, 'a:read'), { name: 'rate_limited' });
  const other = request('nobody');
  assert.throws(() => authorize(other, keys, limit, 'a:read'), { name: 'invalid_credentials' });
});
