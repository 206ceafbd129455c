// Keys are well-formed, found while they work, and not found afterwards.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiKeys, generateKey, isWellFormedKey } from '../api-keys.js';
import { authorize } from '../authorization.js';
import { RateLimit } from '../rate-limit.js';
import { createApplicationDatabase, testOnEach } from './engines.js';

test('the checksum is CRC-32 in base 62, most significant digit first', () => {
  assert.ok(isWellFormedKey('ipk_AAAAAAAAAAAAAAAAAAAAAAAA4ElB4I'));
  assert.ok(!isWellFormedKey('ipk_AAAAAAAAAAAAAAAAAAAAAAAA4ElB4J'));
  assert.ok(!isWellFormedKey('ipk_BAAAAAAAAAAAAAAAAAAAAAAA4ElB4I'));
  assert.ok(!isWellFormedKey('ipk_AAAAAAAAAAAAAAAAAAAAAAAA4ElB4I\n'));
  assert.ok(!isWellFormedKey(''));
  for (let count = 0; count < 100; count += 1) assert.ok(isWellFormedKey(generateKey()));
});

testOnEach('a key is stored as its hash, and found until a second after it was revoked', async (context, engine) => {
  const database = await createApplicationDatabase(context, engine);
  let now = 0;
  const keys = new ApiKeys(database, { now: () => now });
  const { id, secret } = await keys.create('website');
  assert.match(secret, /^ipk_[0-9A-Za-z]{30}$/);
  assert.ok(!JSON.stringify(await database.many('SELECT * FROM api_keys')).includes(secret));
  assert.equal((await database.one('SELECT hint FROM api_keys')).hint, secret.slice(0, 8));
  assert.equal((await keys.find(secret)).id, id);
  assert.ok(await keys.revoke(id));
  assert.ok(!(await keys.revoke(id)));
  now = 999;
  assert.equal((await keys.find(secret)).id, id);
  now = 1000;
  assert.equal(await keys.find(secret), undefined);
});

test('a malformed key costs no query', async () => {
  const keys = new ApiKeys({ beforeClose() {}, optional: () => assert.fail('asked the database') });
  assert.equal(await keys.find('ipk_AAAAAAAAAAAAAAAAAAAAAAAA4ElB4J'), undefined);
});

test('when the lookup fails, the answer says where the address stands', async () => {
  const keys = new ApiKeys({ beforeClose() {}, optional: () => { throw new Error('gone'); } });
  const request = { address: '::1', answerHeaders: {}, header: (name) => ({ authorization: 'Bearer ipk_AAAAAAAAAAAAAAAAAAAAAAAA4ElB4I' })[name] };
  await assert.rejects(authorize(request, keys, new RateLimit({ name: 'p', quota: 2, window: 10 })), /gone/);
  assert.equal(request.answerHeaders['RateLimit'], '"p";r=2;t=0');
});

async function createKeys(context, engine, options) {
  const database = await createApplicationDatabase(context, engine);
  return { database, keys: new ApiKeys(database, options) };
}

testOnEach('expiry is exact while a key is remembered', async (context, engine) => {
  const { database, keys } = await createKeys(context, engine, { now: () => 0 });
  const { secret } = await keys.create('website', { expiresAt: '2026-01-02T03:04:05.678Z' });
  assert.ok(await keys.find(secret, '2026-01-02T03:04:05.677Z'));
  assert.equal(await keys.find(secret, '2026-01-02T03:04:05.678Z'), undefined);
  assert.ok(await keys.find(secret, '2026-01-02T03:04:05.677Z'));
  if (engine.name !== 'SQLite') return;
  // No other engine keeps a time that is none.
  await database.run(`UPDATE api_keys SET expires_at = 'soon'`);
  assert.equal(await new ApiKeys(database).find(secret, '2026-01-02T03:04:05.677Z'), undefined);
});

testOnEach('a rotated key and its successor work, as one caller, until the overlap is over', async (context, engine) => {
  const { keys } = await createKeys(context, engine);
  const begin = Date.now();
  const after = (milliseconds) => new Date(begin + milliseconds).toISOString();
  const old = await keys.create('website', { expiresAt: after(100_000), scopes: ['b:read', 'a:write', 'b:read'] });
  const [record] = await keys.named(old.secret.slice(0, 8));
  const middle = await keys.rotate(record, after(10_000), after(5000));
  assert.equal(await keys.rotate(record, after(10_000), after(5000)), undefined);
  const newest = await keys.rotate((await keys.named(middle.id))[0], after(6000), after(6000));
  const found = await Promise.all([old, middle, newest].map(({ secret }) => keys.find(secret, after(5999))));
  assert.deepEqual(found.map((key) => key.caller), [old.id, old.id, old.id]);
  assert.deepEqual(found.map((key) => key.scopes), Array(3).fill('a:write b:read'));
  const late = await Promise.all([old, middle, newest].map(({ secret }) => keys.find(secret, after(10_000))));
  assert.deepEqual(late.map(Boolean), [false, false, true]);
  const list = await keys.list(after(7000));
  assert.deepEqual(list.map((key) => key.status), ['rotating', 'expired', 'active']);
  assert.deepEqual(list.map((key) => key.replaced_by), [middle.id, newest.id, null]);
  const lifetime = Date.parse(list[2].expires_at) - Date.parse(list[2].created_at);
  assert.ok(Math.abs(lifetime - 100_000) < 1000, `${lifetime}`);
  assert.ok(!JSON.stringify(list).includes(newest.secret));
});

testOnEach('uses are noted with look-ups and written together, at the end at the latest', async (context, engine) => {
  let now = 0;
  const { database, keys } = await createKeys(context, engine, { now: () => now });
  const { secret } = await keys.create('website');
  const expired = await keys.create('website', { expiresAt: '2026-01-01T00:00:00.000Z' });
  const used = async () => (await database.many('SELECT last_used_at FROM api_keys ORDER BY id')).map((row) => row.last_used_at);
  await keys.find(secret, '2026-01-02T00:00:00.000Z');
  await keys.find(secret, '2026-01-03T00:00:00.000Z');
  await keys.find(expired.secret, '2026-01-03T00:00:00.000Z');
  assert.deepEqual(await used(), [null, null]);
  await keys.writeUses();
  assert.deepEqual(await used(), ['2026-01-02T00:00:00.000Z', null]);
  now = 1000;
  await keys.find(secret, '2026-01-04T00:00:00.000Z');
  const transaction = context.mock.method(database, 'transaction', () => { throw new Error('busy'); });
  const logged = context.mock.method(console, 'error', () => {});
  await keys.writeUses();
  assert.equal(logged.mock.callCount(), 1);
  transaction.mock.restore();
  await keys.writeUses();
  assert.deepEqual(await used(), ['2026-01-04T00:00:00.000Z', null]);
});

testOnEach('a key without the scope counts for itself', async (context, engine) => {
  const { keys } = await createKeys(context, engine);
  const request = (secret) => ({ address: '::1', answerHeaders: {}, receivedAt: new Date().toISOString(), header: (name) => ({ 'x-api-key': secret })[name] });
  const check = async (scopes, scope) => {
    const asked = request((await keys.create('a', { scopes })).secret);
    await authorize(asked, keys, new RateLimit({ name: 'p', quota: 2, window: 10 }), scope);
  };
  for (const scopes of [null, ['a:read'], ['*:read'], ['b:write', 'a:read']]) await check(scopes, 'a:read');
  for (const scopes of [[], ['a:write'], ['*:write'], ['b:read'], ['*:*']]) {
    await assert.rejects(check(scopes, 'a:read'), { name: 'insufficient_scope', status: 403 });
  }
  const limit = new RateLimit({ name: 'p', quota: 1, window: 10 });
  const asked = request((await keys.create('a', { scopes: [] })).secret);
  await assert.rejects(authorize(asked, keys, limit, 'a:read'), { name: 'insufficient_scope' });
  assert.equal(asked.answerHeaders['RateLimit'], '"p";r=0;t=10');
  await assert.rejects(authorize(asked, keys, limit, 'a:read'), { name: 'rate_limited' });
  const other = request('nobody');
  await assert.rejects(authorize(other, keys, limit, 'a:read'), { name: 'invalid_credentials' });
});

testOnEach('of two rotations at once one makes a successor', async (context, engine) => {
  const { database, keys } = await createKeys(context, engine);
  await keys.create('website');
  const [old] = await keys.list();
  const rotations = Array.from({ length: 5 }, () => keys.rotate({ ...old, caller: old.id }, new Date().toISOString()));
  assert.equal((await Promise.all(rotations)).filter(Boolean).length, 1);
  assert.equal((await database.many('SELECT id FROM api_keys')).length, 2);
});

testOnEach('a key is named by its id, its first characters or itself, and by nothing else', async (context, engine) => {
  const { keys } = await createKeys(context, engine);
  const { id, secret } = await keys.create('website');
  for (const text of [id, secret, secret.slice(0, 8)]) assert.deepEqual((await keys.named(text)).map((key) => key.id), [id]);
  for (const text of ['', 'website', id.slice(1), `{${id}}`, "' OR 1 = 1"]) assert.deepEqual(await keys.named(text), []);
});
