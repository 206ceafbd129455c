// What is PostgreSQL's own: values of its types, connections that break, servers that do not answer, transactions that collide.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { test } from 'node:test';
import { openDatabase } from '../database/postgresql.js';
import { Decimal } from '../decimal.js';
import { createDatabase, postgresql, within } from './engines.js';

const { skip } = postgresql;
const insert = `INSERT INTO words (word) VALUES (?)`;

async function createWords(context, options) {
  const database = await createDatabase(context, postgresql, options);
  await database.script('CREATE TABLE words (word text NOT NULL UNIQUE, uses bigint NOT NULL DEFAULT 0)');
  return database;
}

test('values come back as they were written', { skip }, async (context) => {
  const database = await createDatabase(context, postgresql);
  await database.script(`CREATE TABLE samples (id uuid, day date, at timestamp(3) with time zone, price numeric(15,2), is_good boolean,
    number bigint, document jsonb, list jsonb, line text, absent text)`);
  const sample = {
    id: '01900000-0000-7000-8000-000000000001',
    day: '0001-02-29'.replace('29', '28'),
    at: '2026-01-02T03:04:05.600Z',
    price: new Decimal(-1250, 2),
    is_good: false,
    number: -(2 ** 53 - 1),
    document: { b: [1, null, 'é'], a: { c: 1.5e-7 } },
    list: [1, 'two', { three: 3 }],
    line: `'"\\{1,2}?$1`,
    absent: undefined,
  };
  const names = Object.keys(sample).join(', ');
  await database.run(`INSERT INTO samples (${names}) VALUES (${Object.keys(sample).map(() => '?').join(', ')})`, Object.values(sample));
  assert.deepEqual(await database.one(`SELECT ${names} FROM samples`), { ...sample, absent: null });
  const texts = `SELECT at::text AS at, price::text AS price, document::text AS document FROM samples`;
  assert.deepEqual(await database.one(texts), {
    at: '2026-01-02 03:04:05.6+00',
    price: '-12.50',
    document: '{"a": {"c": 0.00000015}, "b": [1, null, "é"]}',
  });
  for (const [name, value] of Object.entries(sample).filter(([name]) => !['absent', 'document', 'list'].includes(name))) {
    assert.equal((await database.many(`SELECT line FROM samples WHERE ${name} = ?`, [value])).length, 1, name);
  }
});

test('times of any year and any fraction are written alike', { skip }, async (context) => {
  const database = await createDatabase(context, postgresql);
  for (const at of ['0001-01-01T00:00:00.000Z', '1883-11-18T12:03:58.000Z', '2026-01-02T03:04:05.010Z', '9999-12-31T23:59:59.999Z']) {
    assert.equal((await database.one(`SELECT ?::timestamptz(3) AS at`, [at])).at, at);
  }
});

test('a number that JavaScript does not keep exactly is refused', { skip }, async (context) => {
  const database = await createDatabase(context, postgresql);
  await assert.rejects(database.one(`SELECT 9007199254740993::bigint AS number`), /9007199254740993 exactly/);
  await assert.rejects(database.one(`SELECT 12345678901234567.5::numeric AS number`), /12345678901234567.5 has more digits/);
});

test('a statement is prepared once a connection, and those that are composed do not pile up', { skip }, async (context) => {
  const database = await createDatabase(context, postgresql, { max: 1 });
  for (let number = 0; number < 600; number += 1) assert.equal((await database.one(`SELECT ${number} AS number`)).number, number);
  for (let count = 0; count < 3; count += 1) await database.one(`SELECT 0 AS number`);
  assert.equal((await database.one('SELECT count(*) AS number FROM pg_prepared_statements')).number, 500);
});

test('connections that the server ends are replaced', { skip }, async (context) => {
  const logged = context.mock.method(console, 'error', () => {});
  const place = await postgresql.place(context);
  const database = await createWords(context, { place, max: 2 });
  const other = await createDatabase(context, postgresql, { place });
  const endAll = `SELECT count(pg_terminate_backend(pid)) AS number FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND query LIKE ? AND application_name = 'under test'`;
  const named = await createDatabase(context, postgresql, { place: within(place, { application_name: 'under test' }), max: 1 });
  // While nobody uses it.
  await named.one('SELECT 1 AS idle');
  assert.equal((await other.one(endAll, ['%idle%'])).number, 1);
  while (logged.mock.callCount() === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal((await named.one('SELECT 1 AS number')).number, 1);
  // In the middle of a statement, inside a transaction: nothing is left of it, and it is begun again.
  let attempts = 0;
  const interrupted = named.transaction(async (transaction) => {
    attempts += 1;
    await transaction.run(insert, ['kept']);
    if (attempts === 1) await transaction.one('SELECT pg_sleep(5) AS sleeping');
  });
  while ((await other.one(endAll, ['%sleeping%'])).number === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  await interrupted;
  assert.equal(attempts, 2);
  assert.deepEqual(await database.many('SELECT word FROM words'), [{ word: 'kept' }]);
});

test('transactions that lock each other are begun again', { skip }, async (context) => {
  const database = await createWords(context);
  for (const word of ['a', 'b']) await database.run(insert, [word]);
  let attempts = 0;
  const both = (words) =>
    database.transaction(async (transaction) => {
      attempts += 1;
      for (const word of words) {
        await transaction.run(`UPDATE words SET uses = uses + 1 WHERE word = ?`, [word]);
        if (attempts <= 2) await new Promise((resolve) => setTimeout(resolve, 50));
      }
    });
  await Promise.all([both(['a', 'b']), both(['b', 'a'])]);
  assert.ok(attempts >= 3, `${attempts}`);
  assert.deepEqual(await database.many('SELECT word, uses FROM words ORDER BY word'), [{ word: 'a', uses: 2 }, { word: 'b', uses: 2 }]);
});

test('whose rows are asked for is said before each statement', { skip }, async (context) => {
  const database = await createDatabase(context, postgresql, { max: 2 });
  const said = `SELECT current_setting('app.user_id') AS whose`;
  const heard = async (of, whose) => {
    assert.deepEqual(await of.one(said), { whose });
    assert.deepEqual(await of.transaction((transaction) => transaction.one(said)), { whose });
  };
  const users = [...Array(30).keys()].map((number) => `user'${number % 3}`);
  await Promise.all(users.flatMap((user) => [heard(database.of(user), user), heard(database, '*')]));
  // Events of it are heard of as those of the database are.
  let told = 0;
  database.whenEmitted(() => (told += 1));
  await database.of('ada').transaction(async (transaction) => {
    transaction.hasEvents = true;
  });
  assert.equal(told, 1);
});

test('a statement that takes too long, or waits too long, is unavailable', { skip }, async (context) => {
  const place = await postgresql.place(context);
  const database = await createWords(context, { place });
  const hurried = database.transaction(async (transaction) => {
    await transaction.script(`SET LOCAL statement_timeout = 20`);
    await transaction.one('SELECT pg_sleep(5) AS nothing');
  });
  await assert.rejects(hurried, { name: 'unavailable' });
  assert.equal((await database.one('SHOW statement_timeout')).statement_timeout, '10s');
});

test('the bounds of the pool are kept', { skip }, async (context) => {
  const bounds = { max: 2, acquireTimeout: 100, statementTimeout: 200, idleTimeout: 100 };
  const name = `pool ${process.pid}`;
  const place = within(await postgresql.place(context), { application_name: name });
  const database = await createDatabase(context, postgresql, { place, ...bounds });
  const watcher = await createDatabase(context, postgresql);
  const connections = async () => (await watcher.one(`SELECT count(*) AS count FROM pg_stat_activity WHERE application_name = ?`, [name])).count;
  await assert.rejects(database.one('SELECT pg_sleep(5)'), { name: 'unavailable' });
  let free;
  const isFree = new Promise((resolve) => (free = resolve));
  const held = [1, 2].map((number) => database.transaction(async (transaction) => {
    await transaction.one(`SELECT ${number} AS number`);
    await isFree;
  }));
  await assert.rejects(database.one('SELECT 1 AS number'), { name: 'unavailable' });
  assert.equal(await connections(), 2);
  free();
  await Promise.all(held);
  while ((await connections()) > 0) await new Promise((resolve) => setTimeout(resolve, 20));
});

test('what failed unheard is not taken for done', { skip }, async (context) => {
  const database = await createWords(context);
  const careless = database.transaction(async (transaction) => {
    await transaction.run(insert, ['a']);
    await transaction.run(insert, ['a']).catch(() => {});
  });
  await assert.rejects(careless, /had failed/);
  assert.deepEqual(await database.many('SELECT word FROM words'), []);
});

test('more than can wait for a connection are refused at once', { skip }, async (context) => {
  const database = await createDatabase(context, postgresql, { max: 1 });
  const asked = Array.from({ length: 1100 }, () => database.one('SELECT 1 AS number').then(() => 'answered', (error) => error.name));
  const ends = await Promise.all(asked);
  assert.equal(ends.filter((end) => end === 'answered').length, 1000);
  assert.equal(ends.filter((end) => end === 'overloaded').length, 100);
});

test('what keeps the first connection from being made is said, without the password', { skip }, async (context) => {
  const server = new URL(process.env.TEST_POSTGRESQL_URL);
  const changed = (change) => {
    const url = new URL(server);
    change(url);
    return url.href;
  };
  const cases = [
    [changed((url) => (url.password = 'not-the-secret')), /password authentication failed/],
    [changed((url) => (url.pathname = '/no_such_database')), /database "no_such_database" does not exist/],
    [changed((url) => (url.port = '1')), /ECONNREFUSED/],
    [changed((url) => url.searchParams.set('sslmode', 'require')), /does not support SSL/],
    ['mysql://user:not-the-secret@localhost/shop', /must be `postgresql:/],
  ];
  for (const [url, reason] of cases) {
    const refused = (error) => reason.test(error.message) && !error.message.includes('not-the-secret');
    await assert.rejects(openDatabase(url, undefined, { startTimeout: 100 }), refused, String(reason));
  }
});

test('a server that is about to start is waited for', { skip }, async (context) => {
  const { hostname, port } = new URL(process.env.TEST_POSTGRESQL_URL);
  // Nobody listens on this port yet; then whoever connects is led to the server.
  const probe = net.createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const place = new URL(process.env.TEST_POSTGRESQL_URL);
  place.port = probe.address().port;
  probe.close();
  const opening = openDatabase(place.href);
  await new Promise((resolve) => setTimeout(resolve, 200));
  const proxy = net.createServer((socket) => {
    const behind = net.connect(port || 5432, hostname);
    socket.pipe(behind).pipe(socket);
    for (const one of [socket, behind]) one.on('error', () => {});
  });
  proxy.listen(place.port, '127.0.0.1');
  const database = await opening;
  assert.equal((await database.one('SELECT 1 AS number')).number, 1);
  await database.close();
  proxy.close();
});
