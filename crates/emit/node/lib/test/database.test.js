// On every engine the same: transactions keep or undo, errors become problems, nobody reads what is not committed.

import assert from 'node:assert/strict';
import { undo } from '../database.js';
import { Outbox } from '../outbox.js';
import { createApplicationDatabase, createDatabase, mysql, sqlite, testOnEach, testOnServers } from './engines.js';

const insert = `INSERT INTO words (word) VALUES (?)`;
const insertOnce = `INSERT INTO words (word) VALUES (?) ON CONFLICT (word) DO NOTHING`;
const insertUnlessThere = `INSERT INTO words (word) SELECT ? FROM DUAL WHERE NOT EXISTS (SELECT 1 FROM words WHERE word = ?)`;
const all = `SELECT word FROM words ORDER BY word LIMIT 100`;

/** A statement with one place as an application has it. */
const emitted = (engine, sql) => {
  let place = 0;
  return engine.name === 'PostgreSQL' ? sql.replaceAll('?', () => `$${(place += 1)}`) : sql;
};

async function createWords(context, engine, options) {
  const database = await createDatabase(context, engine, options);
  await database.script('CREATE TABLE IF NOT EXISTS words (word varchar(40) NOT NULL UNIQUE)');
  return { database, words: async () => (await database.many(all)).map((row) => row.word) };
}

testOnEach('what a transaction returns is kept, except when it is undone; what it throws is undone', async (context, engine) => {
  const { database, words } = await createWords(context, engine);
  const calls = [];
  const write = (word, end) =>
    database.transaction(async (transaction) => {
      await transaction.run(insert, [word]);
      transaction.whenCommitted(() => calls.push(word));
      return end(word);
    });
  assert.equal(await write('kept', (word) => word), 'kept');
  assert.equal(await write('undone', undo), 'undone');
  await assert.rejects(write('thrown', () => { throw new Error('no'); }), /no/);
  assert.deepEqual(await words(), ['kept']);
  assert.deepEqual(calls, ['kept']);
});

testOnEach('rows that are added go out together, before anything else is asked or changed', async (context, engine) => {
  const { database, words } = await createWords(context, engine);
  const names = Array.from({ length: 123 }, (_, index) => `word ${String(index).padStart(3, '0')}`);
  const find = 'SELECT count(*) AS number FROM words WHERE word = ?';
  await database.transaction(async (transaction) => {
    assert.equal(Number((await transaction.lookUp(find, ['word 007'])).number), 0);
    for (const name of names) await transaction.add(emitted(engine, insert), [name]);
    assert.equal(Number((await transaction.lookUp(find, ['word 007'])).number), 1);
    await transaction.add(insert, ['last']);
  });
  assert.deepEqual((await database.many('SELECT word FROM words ORDER BY word LIMIT 200')).map((row) => row.word), ['last', ...names]);
  const twice = database.transaction(async (transaction) => {
    for (const name of ['once', 'last']) await transaction.add(insert, [name]);
  });
  await assert.rejects(twice, { name: 'conflict' });
  await database.transaction(async (transaction) => {
    await transaction.add(insert, ['undone']);
    return undo();
  });
  assert.ok(!(await words()).some((word) => ['once', 'undone'].includes(word)));
});

testOnEach('what is looked for together is not asked for again', async (context, engine) => {
  const { database } = await createWords(context, engine);
  const find = emitted(engine, 'SELECT word FROM words WHERE word = ? AND word <> ?');
  const names = Array.from({ length: 123 }, (_, index) => `word ${index}`);
  await database.transaction(async (transaction) => {
    for (const name of names) await transaction.add(insert, [name]);
  });
  const ahead = { by: 'word', rest: ['word 5'] };
  const lookUp = async (transaction, word) => (await transaction.lookUp(find, [word, 'word 5']))?.word ?? null;
  await database.transaction(async (transaction) => {
    await transaction.lookAhead(find, [...names, null, 'nobody', 'word 7'], ahead);
    const { optional } = transaction;
    transaction.optional = () => assert.fail('it was asked for again');
    assert.equal(await lookUp(transaction, 'nobody'), null);
    for (const word of names) assert.equal(await lookUp(transaction, word), word === 'word 5' ? null : word);
    transaction.optional = optional;
    transaction.forget();
    await transaction.add(insert, ['nobody']);
    assert.equal(await lookUp(transaction, 'nobody'), 'nobody');
    return undo();
  });
  // Once each, where it is changed; what several have, in whatever case, and what bytes do not tell apart are asked for in their turn.
  await database.transaction(async (transaction) => {
    await transaction.lookAhead(find, ['word 1', 'word 2', 'Word 2', 'word 3', 'word 3', 'new'], { ...ahead, once: true });
    const asked = [];
    const optional = transaction.optional.bind(transaction);
    transaction.optional = (sql, values, columns) => {
      asked.push(values[0]);
      return optional(sql, values, columns);
    };
    for (const word of ['word 1', 'word 1', 'word 2', 'word 3', 'new']) {
      assert.equal(await lookUp(transaction, word), word === 'new' ? null : word);
    }
    assert.deepEqual(asked, ['word 1', 'word 2', 'word 3']);
    await transaction.lookAhead(find, ['n\u00f6', 'nobody'], { ...ahead, once: true });
    assert.equal(await lookUp(transaction, 'nobody'), null);
    assert.deepEqual(asked.slice(3), ['nobody']);
  });
});

testOnEach('nobody else sees or joins a transaction under way', async (context, engine) => {
  const { database, words } = await createWords(context, engine);
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  const failing = database.transaction(async (transaction) => {
    await transaction.run(insert, ['undone']);
    await turn();
    await turn();
    throw new Error('no');
  });
  const others = Promise.all([
    words().then((found) => assert.deepEqual(found.filter((word) => word === 'undone'), [])),
    database.run(insert, ['outside']),
    ...['a', 'b', 'c'].map((word) => database.transaction((transaction) => transaction.run(insert, [word]))),
  ]);
  await assert.rejects(failing, /no/);
  await others;
  assert.deepEqual(await words(), ['a', 'b', 'c', 'outside']);
});

testOnServers('a name is held by one transaction at a time, on whatever connection', async (context, engine) => {
  const place = await engine.place(context);
  const servers = [await createWords(context, engine, { place }), await createWords(context, engine, { place })];
  const count = `SELECT count(*) AS number FROM words`;
  const grow = ({ database }) =>
    database.transaction(async (transaction) => {
      await transaction.hold('name');
      const { number } = await transaction.one(count);
      await transaction.run(insert, [`word ${number}`]);
    });
  // A number that two of them had read would be a conflict.
  await Promise.all(Array.from({ length: 20 }, (_, index) => grow(servers[index % 2])));
  assert.equal((await servers[1].database.one(count)).number, 20);
});

testOnEach('the key that the database makes is given back to whoever inserts in a transaction', async (context, engine) => {
  const database = await createDatabase(context, engine);
  const key = {
    [sqlite.name]: 'integer PRIMARY KEY AUTOINCREMENT',
    [mysql.name]: 'bigint AUTO_INCREMENT PRIMARY KEY',
  }[engine.name] ?? 'bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY';
  await database.script(`CREATE TABLE notes (number ${key}, note varchar(40) NOT NULL UNIQUE)`);
  const made = `INSERT INTO notes (note) VALUES (?)${engine === mysql ? '' : ' RETURNING number'}`;
  const insertNote = (note) => database.transaction((transaction) => transaction.insertForKey(made, [note]));
  assert.equal(await insertNote('first'), 1);
  assert.equal(await insertNote('second'), 2);
  assert.equal((await database.one(`SELECT note FROM notes WHERE number = ?`, [2])).note, 'second');
  await assert.rejects(insertNote('first'), { name: 'conflict' });
  assert.ok((await insertNote('third')) > 2);
});

testOnEach('reads', async (context, engine) => {
  const { database } = await createWords(context, engine);
  const find = `SELECT word FROM words WHERE word = ?`;
  await database.run(insert, ['a']);
  assert.equal((await database.one(find, ['a'])).word, 'a');
  assert.equal(await database.optional(find, ['b']), null);
  assert.equal(await database.optional(find, ['a\0b']), null);
  await assert.rejects(database.one(find, ['b']), /no row/);
  const once = (word) => (engine === mysql ? database.insert(insertUnlessThere, [word, word]) : database.insert(insertOnce, [word]));
  assert.equal(await once('a'), 'present');
  assert.equal(await once('b'), 'inserted');
});

testOnEach('a value that must be unique and is not is a conflict, and its transaction is undone', async (context, engine) => {
  const { database, words } = await createWords(context, engine);
  await database.run(insert, ['a']);
  await assert.rejects(database.run(insert, ['a']), { name: 'conflict', status: 409 });
  await assert.rejects(database.run(insert, [null]), /not.(be )?null/i);
  const both = database.transaction(async (transaction) => {
    await transaction.run(insert, ['b']);
    await transaction.run(insert, ['a']);
  });
  await assert.rejects(both, { name: 'conflict' });
  assert.deepEqual(await words(), ['a']);
});

testOnEach('an event is kept with its transaction, and reported afterwards', async (context, engine) => {
  const database = await createApplicationDatabase(context, engine);
  const reported = [];
  const outbox = new Outbox({ onEmitted: (name) => reported.push(name) });
  const at = '2026-01-02T03:04:05.678Z';
  await database.transaction((transaction) => outbox.emit(transaction, 'said', { word: 'a' }, at));
  await database.transaction(async (transaction) => undo(await outbox.emit(transaction, 'unsaid', {}, at)));
  assert.deepEqual(reported, ['said']);
  const [event, ...others] = await database.many('SELECT name, payload, occurred_at FROM outbox_events', [], { payload: { kind: 'json' } });
  assert.deepEqual({ ...event }, { name: 'said', payload: { word: 'a' }, occurred_at: at });
  assert.deepEqual(others, []);
});

testOnEach('a database that does not answer is unavailable', async (context, engine) => {
  const { database } = await createWords(context, engine);
  await database.script('CREATE TABLE IF NOT EXISTS schema_migrations (name text)');
  await database.ping();
  await database.script('DROP TABLE schema_migrations');
  await assert.rejects(database.ping(), { name: 'unavailable' });
});
