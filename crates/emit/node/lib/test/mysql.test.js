// What is MySQL's and MariaDB's own: values of their types, connections that break, servers that do not answer, transactions that collide.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { test } from 'node:test';
import { openDatabase } from '../database/mysql.js';
import { Decimal } from '../decimal.js';
import { createDatabase, mysql } from './engines.js';

const { skip } = mysql;
const insert = `INSERT INTO words (word) VALUES (?)`;

async function createWords(context, options) {
  const database = await createDatabase(context, mysql, options);
  await database.script('CREATE TABLE words (word varchar(40) NOT NULL UNIQUE, uses bigint NOT NULL DEFAULT 0)');
  return database;
}

test('values come back as they were written', { skip }, async (context) => {
  const database = await createDatabase(context, mysql);
  await database.script(`CREATE TABLE samples (id char(36) CHARACTER SET ascii, day date, at datetime(3), price decimal(15,2), is_good tinyint(1),
    number bigint, document json, list json, line text, absent text)`);
  const sample = {
    id: '01900000-0000-7000-8000-000000000001',
    day: '0001-02-28',
    at: new Date('2026-01-02T03:04:05.600Z'),
    price: new Decimal(-123456789012345, 2),
    is_good: false,
    number: -(2 ** 53 - 1),
    document: { b: [1, null, 'é\0'], a: { c: 1.5e-7 } },
    list: [1, 'two', { three: 3 }],
    line: `'"\\{1,2}?$1\0 \u{1f600}`,
    absent: undefined,
  };
  const names = Object.keys(sample).join(', ');
  await database.run(`INSERT INTO samples (${names}) VALUES (${Object.keys(sample).map(() => '?').join(', ')})`, Object.values(sample));
  const columns = { price: { kind: 'decimal', scale: 2 }, is_good: { kind: 'boolean' }, document: { kind: 'json' }, list: { kind: 'json' } };
  const expected = { ...sample, at: '2026-01-02T03:04:05.600Z', absent: null };
  assert.deepEqual(await database.one(`SELECT ${names} FROM samples`, [], columns), expected);
  for (const [name, value] of Object.entries(sample).filter(([name]) => !['absent', 'document', 'list'].includes(name))) {
    assert.equal((await database.many(`SELECT line FROM samples WHERE "${name}" = ?`, [value])).length, 1, name);
  }
  // As doubles they would be equal.
  const greater = new Decimal(-123456789012344, 2);
  assert.equal((await database.many(`SELECT line FROM samples WHERE price < ?`, [greater])).length, 1);
  assert.equal((await database.many(`SELECT line FROM samples WHERE price = ?`, [greater])).length, 0);
});

test('times of any year and any fraction are written alike', { skip }, async (context) => {
  const database = await createDatabase(context, mysql);
  for (const at of ['0001-01-01T00:00:00.000Z', '1883-11-18T12:03:58.000Z', '2026-01-02T03:04:05.010Z', '9999-12-31T23:59:59.999Z']) {
    assert.equal((await database.one(`SELECT CAST(? AS DATETIME(3)) AS at`, [new Date(at)])).at, at);
    assert.equal((await database.one(`SELECT CAST(LEFT(?, 23) AS DATETIME(3)) AS at`, [at])).at, at);
  }
});

test('a number that JavaScript does not keep exactly is refused', { skip }, async (context) => {
  const database = await createDatabase(context, mysql);
  await assert.rejects(database.one(`SELECT 9007199254740993 AS number`), /9007199254740993 exactly/);
  const columns = { number: { kind: 'decimal', scale: 1 } };
  await assert.rejects(database.one(`SELECT 12345678901234567.5 AS number`, [], columns), /12345678901234567.5 has more digits/);
});

test('statements that are composed do not pile up', { skip }, async (context) => {
  const database = await createDatabase(context, mysql, { max: 1 });
  const prepared = async () => Number((await database.one(`SHOW SESSION STATUS LIKE 'Prepared_stmt_count'`)).Value);
  const before = await prepared();
  for (let number = 0; number < 600; number += 1) assert.equal((await database.one(`SELECT ${number} AS number`)).number, number);
  assert.ok((await prepared()) - before <= 500);
});

test('connections that the server ends are replaced', { skip }, async (context) => {
  const place = await mysql.place(context);
  const database = await createWords(context, { place, max: 1 });
  const other = await createDatabase(context, mysql, { place, max: 1 });
  const threads = async () => (await other.many(`SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()`)).map(({ id }) => id);
  const endAll = async () => {
    for (const id of await threads()) await other.script(`KILL ${id}`);
  };
  // While nobody uses it.
  await endAll();
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal((await database.one('SELECT 1 AS number')).number, 1);
  // In the middle of a statement, inside a transaction: nothing is left of it, and it is begun again.
  let attempts = 0;
  const interrupted = database.transaction(async (transaction) => {
    attempts += 1;
    await transaction.run(insert, ['kept']);
    if (attempts === 1) await transaction.one('SELECT SLEEP(5) AS sleeping');
  });
  await new Promise((resolve) => setTimeout(resolve, 100));
  await endAll();
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

test('of two that insert the same at once one keeps what the other has stored', { skip }, async (context) => {
  const database = await createWords(context);
  const insertUnlessThere = `INSERT INTO words (word) SELECT ? FROM DUAL WHERE NOT EXISTS (SELECT 1 FROM words WHERE word = ?)`;
  for (let round = 0; round < 20; round += 1) {
    const word = `word ${round}`;
    const once = () =>
      database.transaction(async (transaction) => {
        await transaction.one('SELECT 1 AS number');
        return transaction.insert(insertUnlessThere, [word, word]);
      });
    assert.deepEqual((await Promise.all([once(), once(), once()])).sort(), ['inserted', 'present', 'present']);
  }
});

test('a name is let go with its transaction, whatever comes of it', { skip }, async (context) => {
  const place = await mysql.place(context);
  const database = await createDatabase(context, mysql, { place, max: 1 });
  const other = await createDatabase(context, mysql, { place, max: 1 });
  const holding = (work) => database.transaction(async (transaction) => {
    await transaction.hold('name');
    return work();
  });
  await holding(() => {});
  await assert.rejects(holding(() => Promise.reject(new Error('no'))), /no/);
  const begun = performance.now();
  await other.transaction((transaction) => transaction.hold('name'));
  assert.ok(performance.now() - begun < 1000);
});

test('the bounds of the pool are kept', { skip }, async (context) => {
  const place = await mysql.place(context);
  const database = await createDatabase(context, mysql, { place, max: 2, acquireTimeout: 200, statementTimeout: 1000, idleTimeout: 100 });
  const watcher = await createDatabase(context, mysql, { place, max: 1 });
  const connections = async () => (await watcher.one(`SELECT count(*) AS count FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()`)).count;
  // Where it is stopped, MySQL's `SLEEP` only says so.
  const many = 'information_schema.collations';
  const endless = `SELECT count(*) AS number FROM ${many} a, ${many} b, ${many} c, ${many} d WHERE a.id + b.id + c.id + d.id < 0`;
  await assert.rejects(database.one(endless), { name: 'unavailable' });
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
  assert.equal((await database.one('SELECT 1 AS number')).number, 1);
  while ((await connections()) > 0) await new Promise((resolve) => setTimeout(resolve, 20));
});

test('more than can wait for a connection are refused at once', { skip }, async (context) => {
  const database = await createDatabase(context, mysql, { max: 1 });
  const asked = Array.from({ length: 1100 }, () => database.one('SELECT 1 AS number').then(() => 'answered', (error) => error.name));
  const ends = await Promise.all(asked);
  assert.equal(ends.filter((end) => end === 'overloaded').length, 99);
  assert.equal(ends.filter((end) => end === 'answered').length, 1001);
});

test('what keeps the first connection from being made is said, without the password', { skip }, async () => {
  const server = new URL(process.env.TEST_MYSQL_URL);
  const changed = (change) => {
    const url = new URL(server);
    change(url);
    return url.href;
  };
  const cases = [
    [changed((url) => (url.password = 'not-the-secret')), /Access denied/],
    [changed((url) => (url.pathname = '/no_such_database')), /Unknown database/],
    [changed((url) => (url.port = '1')), /ECONNREFUSED/],
    [changed((url) => url.searchParams.set('ssl-mode', 'MAYBE')), /`ssl-mode` must be/],
    ['postgresql://user:not-the-secret@localhost/shop', /must be `mysql:/],
    ['not-the-secret', /must be `mysql:/],
  ];
  for (const [url, reason] of cases) {
    const refused = (error) => reason.test(error.message) && !error.message.includes('not-the-secret');
    await assert.rejects(openDatabase(url, undefined, { startTimeout: 100 }), refused, String(reason));
  }
});

test('a server that is about to start is waited for', { skip }, async () => {
  const { hostname, port } = new URL(process.env.TEST_MYSQL_URL);
  // Nobody listens on this port yet; then whoever connects is led to the server.
  const probe = net.createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const place = new URL(process.env.TEST_MYSQL_URL);
  place.port = probe.address().port;
  probe.close();
  const opening = openDatabase(place.href);
  await new Promise((resolve) => setTimeout(resolve, 200));
  const proxy = net.createServer((socket) => {
    const behind = net.connect(port || 3306, hostname);
    socket.pipe(behind).pipe(socket);
    for (const one of [socket, behind]) one.on('error', () => {});
  });
  proxy.listen(place.port, '127.0.0.1');
  const database = await opening;
  assert.equal((await database.one('SELECT 1 AS number')).number, 1);
  await database.close();
  proxy.close();
});
