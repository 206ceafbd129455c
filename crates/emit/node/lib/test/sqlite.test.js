// What is SQLite's own: its settings, the types it keeps values in, a file that somebody else has locked.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { DatabaseSync } from '@photostructure/sqlite';
import { databaseFile } from '../database/sqlite.js';
import { Decimal } from '../decimal.js';
import { createDatabase, engines } from './engines.js';

const [sqlite] = engines;
const insert = `INSERT INTO words (word) VALUES (?)`;

async function createWords(context, options) {
  const database = await createDatabase(context, sqlite, options);
  await database.script('CREATE TABLE IF NOT EXISTS words (word TEXT NOT NULL UNIQUE) STRICT');
  return { database, words: async () => (await database.many(`SELECT word FROM words ORDER BY word LIMIT 100`)).map((row) => row.word) };
}

test('the settings of the connection', async (context) => {
  const { database } = await createWords(context);
  const setting = async (name) => Object.values(await database.one(`PRAGMA ${name}`))[0];
  const found = await Promise.all(['journal_mode', 'synchronous', 'foreign_keys', 'busy_timeout'].map(setting));
  assert.deepEqual(found, ['wal', 2, 1, 1000]);
});

test('the file of the database', () => {
  const folder = new URL('file:///srv/app/');
  assert.equal(databaseFile('file:./data/app.sqlite', folder), '/srv/app/data/app.sqlite');
  assert.equal(databaseFile('file:data/app.sqlite', folder), '/srv/app/data/app.sqlite');
  assert.equal(databaseFile('file:/var/app.sqlite', folder), '/var/app.sqlite');
  assert.equal(databaseFile('file:///var/app.sqlite', folder), '/var/app.sqlite');
  for (const url of ['postgresql://user:secret@host/name', 'file:', 'app.sqlite']) {
    assert.throws(() => databaseFile(url, folder), { message: '`DATABASE_URL` must be `file:` and a path' });
  }
});

test('booleans and documents are kept as SQLite knows them', async (context) => {
  const { database } = await createWords(context);
  const asked = await database.one(`SELECT ? AS yes, ? AS absent, ? AS document`, [true, null, { a: [1] }]);
  assert.deepEqual({ ...asked }, { yes: 1, absent: null, document: '{"a":[1]}' });
});

test('booleans, decimal numbers and documents are given back as they were written', async (context) => {
  const { database } = await createWords(context);
  const question = `SELECT ? AS yes, ? AS absent, ? AS document, ? AS number, ? AS price, typeof(?) AS stored`;
  const price = new Decimal(-1250, 2);
  const asked = await database.one(question, [true, undefined, { a: [1] }, 1, price, price], {
    yes: { kind: 'boolean' },
    absent: { kind: 'boolean' },
    document: { kind: 'json' },
    number: { kind: 'integer' },
    price: { kind: 'decimal', scale: 2 },
  });
  const expected = { yes: true, absent: null, document: { a: [1] }, number: 1, price: '-12.50', stored: 'integer' };
  assert.deepEqual({ ...asked, price: String(asked.price) }, expected);
  assert.deepEqual((await database.many(`SELECT ? AS no`, [false], { no: { kind: 'boolean' } })).map((row) => row.no), [false]);
});

test('of many statements the newest are kept prepared', async (context) => {
  const { database } = await createWords(context);
  for (let number = 0; number < 1000; number += 1) assert.equal((await database.one(`SELECT ${number} AS number`)).number, number);
  assert.equal((await database.one('SELECT 0 AS number')).number, 0);
});

test('a database that is busy is unavailable, and works again', async (context) => {
  const place = await sqlite.place(context);
  const { database, words } = await createWords(context, { place, busyTimeout: 1 });
  const { database: other } = await createWords(context, { place });
  await other.script('BEGIN IMMEDIATE');
  await assert.rejects(database.transaction(async () => {}), { name: 'unavailable', status: 503 });
  assert.deepEqual(await words(), []);
  await other.script('COMMIT');
  await database.transaction((transaction) => transaction.run(insert, ['a']));
  assert.deepEqual(await words(), ['a']);
});

test('so it is to whoever reads, while the whole file is another one\'s', async (context) => {
  const place = await sqlite.place(context);
  const { database } = await createWords(context, { place, busyTimeout: 1 });
  await database.script('PRAGMA journal_mode = DELETE');
  const other = new DatabaseSync(fileURLToPath(place));
  context.after(() => other.close());
  other.exec('BEGIN EXCLUSIVE');
  await assert.rejects(database.many('SELECT word FROM words LIMIT 1'), { name: 'unavailable', status: 503 });
  other.exec('COMMIT');
  assert.deepEqual(await database.many('SELECT word FROM words LIMIT 1'), []);
});

test('after a transaction waited in vain for the database, the next ones do not wait', async (context) => {
  const place = await sqlite.place(context);
  const { database } = await createWords(context, { place, busyTimeout: 300 });
  const { database: other } = await createWords(context, { place });
  await other.script('BEGIN IMMEDIATE');
  const waited = async () => {
    const begun = performance.now();
    await assert.rejects(database.transaction(async () => {}), { name: 'unavailable' });
    return performance.now() - begun;
  };
  assert.ok((await waited()) >= 290);
  for (let count = 0; count < 3; count += 1) assert.ok((await waited()) < 200);
  await other.script('COMMIT');
  await database.transaction((transaction) => transaction.run(insert, ['a']));
  await other.script('BEGIN IMMEDIATE');
  assert.ok((await waited()) >= 290, 'a success ends the pause');
  await other.script('COMMIT');
});
