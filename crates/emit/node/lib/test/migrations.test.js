// Migrations run once, in order, whole or not at all, and from several processes at the same time.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { migrate } from '../migrations.js';
import { createDatabase, mysql, postgresql, sqlite, temporaryFolder, testOn, testOnEach } from './engines.js';

function createMigrations(context, files) {
  const path = temporaryFolder(context);
  for (const [name, sql] of Object.entries(files)) writeFileSync(join(path, name), sql);
  return { path, folder: pathToFileURL(`${path}/`), scope: 'task_1' };
}

testOnEach('each runs once and is entered in the ledger', async (context, engine) => {
  const database = await createDatabase(context, engine);
  const first = 'CREATE TABLE a (b TEXT);\nCREATE TABLE c (d TEXT);\n';
  const migrations = createMigrations(context, { '0002_more.sql': 'ALTER TABLE a ADD COLUMN e TEXT', '0001_initial.sql': first, 'notes.md': '' });
  assert.deepEqual(await migrate(database, migrations), ['0001_initial', '0002_more']);
  assert.deepEqual(await migrate(database, migrations), []);
  const [entry] = await database.many('SELECT * FROM schema_migrations ORDER BY name');
  assert.equal(entry.scope, 'task_1');
  assert.equal(entry.name, '0001_initial');
  assert.equal(entry.checksum, createHash('sha256').update(first).digest('hex'));
  assert.match(entry.applied_at, /^\d{4}-.*\.\d{3}Z$/);
});

testOnEach('a column that another application has added is not added again', async (context, engine) => {
  const database = await createDatabase(context, engine);
  const first = 'CREATE TABLE a (b TEXT);\n';
  const add = (column) => `-- why; and how\n-- unless a has ${column}\nALTER TABLE a ADD COLUMN ${column} TEXT;\n`;
  const rest = `${add('c')}\n${add('d')}\nCREATE TABLE e (f TEXT);\n\n${add('d')}`;
  const migrations = createMigrations(context, { '0001_initial.sql': first + add('c'), '0002_additions.sql': rest });
  assert.deepEqual(await migrate(database, migrations), ['0001_initial', '0002_additions']);
  assert.deepEqual(await database.many('SELECT b, c, d FROM a'), []);
  assert.deepEqual(await database.many('SELECT f FROM e'), []);
});

test('a table that is made anew takes no rows of others with it', async (context) => {
  const database = await createDatabase(context);
  const first = 'CREATE TABLE a (b TEXT PRIMARY KEY) STRICT;\nCREATE TABLE c (b TEXT REFERENCES a (b) ON DELETE CASCADE) STRICT;\n';
  const anew = (b) => `-- why\n-- keys are checked afterwards\n-- keeps: by_hand\nCREATE TABLE a_new (b TEXT PRIMARY KEY, d TEXT) STRICT;\nINSERT INTO a_new (b) SELECT ${b} FROM a;\nDROP TABLE a;\nALTER TABLE a_new RENAME TO a;\n`;
  const migrations = createMigrations(context, { '0001_initial.sql': first });
  await migrate(database, migrations);
  await database.script(`INSERT INTO a VALUES ('1'); INSERT INTO c VALUES ('1'); CREATE INDEX by_hand ON a (lower(b))`);
  writeFileSync(join(migrations.path, '0002_changes.sql'), anew('b'));
  assert.deepEqual(await migrate(database, migrations), ['0002_changes']);
  assert.equal((await database.many('SELECT b FROM c')).length, 1);
  assert.equal((await database.many(`SELECT name FROM sqlite_schema WHERE name = 'by_hand'`)).length, 1);
  writeFileSync(join(migrations.path, '0003_changes.sql'), anew(`'2'`));
  await assert.rejects(migrate(database, migrations), /`0003_changes` of `task_1` was not applied: a row would lead to one that is not there/);
  assert.equal((await database.many('SELECT b FROM a'))[0].b, '1');
  await assert.rejects(database.script(`INSERT INTO c VALUES ('3')`), { name: 'in_use' });
});

testOn([postgresql], 'what cannot be part of a transaction is run step by step, goes on after an end, and leaves nothing when it fails', async (context, engine) => {
  const database = await createDatabase(context, engine);
  const statement = (sql, undo) => `-- why\n-- locks: nothing; undo: ${undo}\n-- runs alone\n${sql};\n`;
  const index = (name, column) => statement(`CREATE INDEX CONCURRENTLY ${name} ON a (${column})`, `DROP INDEX IF EXISTS ${name}`);
  const migrations = createMigrations(context, {
    '0001_initial.sql': 'CREATE TABLE a (b TEXT, c TEXT);\n',
    '0002_indexes.sql': `${index('on_b', 'b')}\n${index('on_c', 'c')}`,
  });
  const indexes = async () => (await database.many(`SELECT indexname AS name FROM pg_indexes WHERE schemaname = current_schema() AND tablename = 'a' ORDER BY name`)).map(({ name }) => name);
  const events = async () => (await database.many('SELECT step, event FROM schema_migration_steps ORDER BY entry')).map(({ step, event }) => `${step} ${event}`);
  assert.deepEqual(await migrate(database, migrations), ['0001_initial', '0002_indexes']);
  assert.deepEqual(await indexes(), ['on_b', 'on_c']);
  assert.deepEqual(await events(), ['1 begun', '1 done', '2 begun', '2 done']);
  // As if it had been ended in the second step.
  await database.script(`DELETE FROM schema_migrations WHERE name = '0002_indexes'; DELETE FROM schema_migration_steps WHERE step = 2 AND event = 'done'`);
  assert.deepEqual(await migrate(database, migrations), ['0002_indexes']);
  assert.deepEqual(await events(), ['1 begun', '1 done', '2 begun', '2 begun', '2 done']);
  assert.deepEqual(await migrate(database, migrations), []);
  writeFileSync(join(migrations.path, '0003_more.sql'), `${index('again_b', 'b')}\n${index('on_nothing', 'd')}`);
  await assert.rejects(migrate(database, migrations), /"d" does not exist/);
  assert.deepEqual(await indexes(), ['on_b', 'on_c']);
  assert.deepEqual((await events()).slice(-5), ['1 begun', '1 done', '2 begun', '2 undone', '1 undone']);
});

testOn([mysql], 'where definitions are no part of transactions each statement is a step, and one that was ended is gone on with', async (context, engine) => {
  const database = await createDatabase(context, engine);
  const statement = (sql, ...more) => ['-- why', '-- locks: nothing; undo: nothing, it stays', ...more, `${sql};\n`].join('\n');
  const trigger = 'CREATE TRIGGER a_touch BEFORE UPDATE ON a FOR EACH ROW\nBEGIN\n  SET NEW.b = NEW.b + 1;\n  SET NEW.b = NEW.b + 1;\nEND';
  const first = [statement('CREATE TABLE a (b int)'), statement('CREATE TABLE c (d int)'), statement(trigger)].join('\n');
  const migrations = createMigrations(context, { '0001_initial.sql': first });
  const ledger = async () => (await database.many('SELECT name, begun, done, applied_at IS NOT NULL AS whole FROM schema_migrations ORDER BY name')).map(Object.values);
  assert.deepEqual(await migrate(database, migrations), ['0001_initial']);
  assert.deepEqual(await ledger(), [['0001_initial', 3, 3, 1]]);
  // As if it had been ended between its second statement and the note of it.
  await database.script('UPDATE schema_migrations SET begun = 2, done = 1, applied_at = NULL; DROP TRIGGER a_touch');
  assert.deepEqual(await migrate(database, migrations), ['0001_initial']);
  await database.script('INSERT INTO a VALUES (1); UPDATE a SET b = 2');
  assert.deepEqual(await database.many('SELECT b FROM a'), [{ b: 4 }]);
  assert.deepEqual(await migrate(database, migrations), []);
  // What fails stays where it is, and is gone on with when that is mended.
  await database.script('CREATE TABLE e (f int)');
  const second = [statement('CREATE TABLE IF NOT EXISTS e (f int)'), statement('ALTER TABLE a ADD COLUMN b int', '-- unless a has b'), statement('DROP TABLE g')].join('\n');
  writeFileSync(join(migrations.path, '0002_more.sql'), second);
  await assert.rejects(migrate(database, migrations), /g'/);
  assert.deepEqual(await ledger(), [['0001_initial', 3, 3, 1], ['0002_more', 3, 2, 0]]);
  // The native server, which takes steps back, leaves what they found.
  const found = await database.many('SELECT name, step FROM schema_migration_steps ORDER BY step');
  assert.deepEqual(found, [{ name: '0002_more', step: 0 }, { name: '0002_more', step: 1 }]);
  await database.script('CREATE TABLE g (h int)');
  assert.deepEqual(await migrate(database, migrations), ['0002_more']);
  assert.deepEqual(await migrate(database, migrations), []);
});

testOnEach('one that changed is refused', async (context, engine) => {
  const database = await createDatabase(context, engine);
  const migrations = createMigrations(context, { '0001_initial.sql': 'CREATE TABLE a (b TEXT)' });
  await migrate(database, migrations);
  writeFileSync(join(migrations.path, '0001_initial.sql'), 'CREATE TABLE a (b TEXT);');
  await assert.rejects(migrate(database, migrations), /migration `0001_initial` of `task_1` has changed since it was applied/);
});

testOn([sqlite, postgresql], 'one that fails leaves nothing behind', async (context, engine) => {
  const database = await createDatabase(context, engine);
  const migrations = createMigrations(context, { '0001_initial.sql': 'CREATE TABLE a (b TEXT); CREATE NONSENSE' });
  await assert.rejects(migrate(database, migrations), /syntax error/);
  await assert.rejects(database.many('SELECT b FROM a'), /a/);
  assert.deepEqual(await database.many('SELECT name FROM schema_migrations'), []);
});

testOnEach('processes that start at once do not collide', async (context, engine) => {
  const place = await engine.place(context);
  const { folder } = createMigrations(context, { '0001_initial.sql': 'CREATE TABLE a (b TEXT)' });
  const program = `
    import { openDatabase } from ${JSON.stringify(engine.module)};
    import { migrate } from ${JSON.stringify(new URL('../migrations.js', import.meta.url))};
    const database = await openDatabase(${JSON.stringify(place)}, new URL('file:///'));
    console.log((await migrate(database, { scope: 'task_1', folder: new URL(${JSON.stringify(folder)}) })).length);
    await database.close();`;
  const start = () => promisify(execFile)(process.execPath, ['--input-type=module', '--eval', program]);
  const ran = await Promise.all(Array.from({ length: 8 }, start));
  assert.equal(ran.filter(({ stdout }) => stdout === '1\n').length, 1);
  assert.equal(ran.filter(({ stdout }) => stdout === '0\n').length, 7);
});
