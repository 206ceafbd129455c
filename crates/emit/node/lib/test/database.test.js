// Transactions keep or undo, and SQLite's errors become problems.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { undo } from '../database.js';
import { Decimal } from '../decimal.js';
import { Outbox } from '../outbox.js';
import { createDatabase, temporaryFolder } from './temporary-database.js';

const insert = `INSERT INTO words (word) VALUES (?)`;
const insertOnce = `INSERT INTO words (word) VALUES (?) ON CONFLICT (word) DO NOTHING`;
const all = `SELECT word FROM words ORDER BY word LIMIT 100`;

function createWords(context, file, options) {
  const database = createDatabase(context, file, options);
  database.exec('CREATE TABLE IF NOT EXISTS words (word TEXT NOT NULL UNIQUE) STRICT');
  return { database, words: () => database.many(all).map((row) => row.word) };
}

test('the settings of the connection', (context) => {
  const { database } = createWords(context);
  const setting = (name) => Object.values(database.one(`PRAGMA ${name}`))[0];
  assert.deepEqual(['journal_mode', 'synchronous', 'foreign_keys', 'busy_timeout'].map(setting), ['wal', 2, 1, 1000]);
});

test('what a transaction returns is kept, except when it is undone; what it throws is undone', (context) => {
  const { database, words } = createWords(context);
  const calls = [];
  const write = (word, end) =>
    database.transaction((transaction) => {
      transaction.run(insert, [word]);
      transaction.whenCommitted(() => calls.push(word));
      return end(word);
    });
  assert.equal(write('kept', (word) => word), 'kept');
  assert.equal(write('undone', undo), 'undone');
  assert.throws(() => write('thrown', () => { throw new Error('no'); }), /no/);
  assert.throws(() => write('late', async () => {}), /must not be async/);
  assert.deepEqual(words(), ['kept']);
  assert.deepEqual(calls, ['kept']);
});

test('reads', (context) => {
  const { database } = createWords(context);
  const find = `SELECT word FROM words WHERE word = ?`;
  database.run(insert, ['a']);
  assert.equal(database.one(find, ['a']).word, 'a');
  assert.equal(database.optional(find, ['b']), null);
  assert.throws(() => database.one(find, ['b']), /no row/);
  assert.equal(database.insert(insertOnce, ['a']), 'present');
  assert.equal(database.insert(insertOnce, ['b']), 'inserted');
});

test('booleans and documents are kept as SQLite knows them', (context) => {
  const { database } = createWords(context);
  const asked = database.one(`SELECT ? AS yes, ? AS absent, ? AS document`, [true, null, { a: [1] }]);
  assert.deepEqual({ ...asked }, { yes: 1, absent: null, document: '{"a":[1]}' });
});

test('booleans, decimal numbers and documents are given back as they were written', (context) => {
  const { database } = createWords(context);
  const question = `SELECT ? AS yes, ? AS absent, ? AS document, ? AS number, ? AS price, typeof(?) AS stored`;
  const price = new Decimal(-1250, 2);
  const asked = database.one(question, [true, undefined, { a: [1] }, 1, price, price], {
    yes: { kind: 'boolean' },
    absent: { kind: 'boolean' },
    document: { kind: 'json' },
    number: { kind: 'integer' },
    price: { kind: 'decimal', scale: 2 },
  });
  const expected = { yes: true, absent: null, document: { a: [1] }, number: 1, price: '-12.50', stored: 'integer' };
  assert.deepEqual({ ...asked, price: String(asked.price) }, expected);
  assert.deepEqual(database.many(`SELECT ? AS no`, [false], { no: { kind: 'boolean' } }).map((row) => row.no), [false]);
});

test('of many statements the newest are kept prepared', (context) => {
  const { database } = createWords(context);
  for (let number = 0; number < 1000; number += 1) assert.equal(database.one(`SELECT ${number} AS number`).number, number);
  assert.equal(database.one('SELECT 0 AS number').number, 0);
});

test('a value that must be unique and is not is a conflict', (context) => {
  const { database } = createWords(context);
  database.run(insert, ['a']);
  assert.throws(() => database.run(insert, ['a']), { name: 'conflict', status: 409 });
  assert.throws(() => database.run(insert, [null]), /NOT NULL/);
});

test('a database that is busy is unavailable, and works again', (context) => {
  const file = join(temporaryFolder(context), 'app.sqlite');
  const { database, words } = createWords(context, file, { busyTimeout: 1 });
  const { database: other } = createWords(context, file);
  other.exec('BEGIN IMMEDIATE');
  assert.throws(() => database.transaction(() => {}), { name: 'unavailable', status: 503 });
  assert.deepEqual(words(), []);
  other.exec('COMMIT');
  database.transaction((transaction) => transaction.run(insert, ['a']));
  assert.deepEqual(words(), ['a']);
});

test('after a transaction waited in vain for the database, the next ones do not wait', (context) => {
  const file = join(temporaryFolder(context), 'app.sqlite');
  const { database } = createWords(context, file, { busyTimeout: 300 });
  const { database: other } = createWords(context, file);
  other.exec('BEGIN IMMEDIATE');
  const waited = () => {
    const begun = performance.now();
    assert.throws(() => database.transaction(() => {}), { name: 'unavailable' });
    return performance.now() - begun;
  };
  assert.ok(waited() >= 290);
  for (let count = 0; count < 3; count += 1) assert.ok(waited() < 200);
  other.exec('COMMIT');
  database.transaction((transaction) => transaction.run(insert, ['a']));
  other.exec('BEGIN IMMEDIATE');
  assert.ok(waited() >= 290, 'a success ends the pause');
  other.exec('COMMIT');
});

test('an event is kept with its transaction, and reported afterwards', (context) => {
  const { database } = createWords(context);
  database.exec('CREATE TABLE outbox_events (id TEXT PRIMARY KEY NOT NULL, name TEXT NOT NULL, payload TEXT NOT NULL, occurred_at TEXT NOT NULL) STRICT');
  const reported = [];
  const outbox = new Outbox({ onEmitted: (name) => reported.push(name) });
  const at = '2026-01-02T03:04:05.678Z';
  database.transaction((transaction) => outbox.emit(transaction, 'said', { word: 'a' }, at));
  database.transaction((transaction) => undo(outbox.emit(transaction, 'unsaid', {}, at)));
  assert.deepEqual(reported, ['said']);
  const [event, ...others] = database.many('SELECT name, payload, occurred_at FROM outbox_events');
  assert.deepEqual({ ...event }, { name: 'said', payload: '{"word":"a"}', occurred_at: at });
  assert.deepEqual(others, []);
});

test('a database that does not answer is unavailable', (context) => {
  const { database } = createWords(context);
  database.exec('CREATE TABLE IF NOT EXISTS schema_migrations (name TEXT) STRICT');
  database.ping();
  database.exec('DROP TABLE schema_migrations');
  assert.throws(() => database.ping(), { name: 'unavailable' });
});
