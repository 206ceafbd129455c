// Migrations run once, in order, whole or not at all, and from several processes at the same time.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { test } from 'node:test';
import { migrate } from '../migrations.js';
import { createDatabase, temporaryFolder } from './temporary-database.js';

function createMigrations(context, files) {
  const path = temporaryFolder(context);
  for (const [name, sql] of Object.entries(files)) writeFileSync(join(path, name), sql);
  return { path, folder: pathToFileURL(`${path}/`), scope: 'task_1' };
}

test('each runs once and is entered in the ledger', (context) => {
  const database = createDatabase(context);
  const first = 'CREATE TABLE a (b TEXT) STRICT;\nCREATE TABLE c (d TEXT) STRICT;\n';
  const migrations = createMigrations(context, { '0002_more.sql': 'ALTER TABLE a ADD COLUMN e TEXT', '0001_initial.sql': first, 'notes.md': '' });
  assert.deepEqual(migrate(database, migrations), ['0001_initial', '0002_more']);
  assert.deepEqual(migrate(database, migrations), []);
  const [entry] = database.many('SELECT * FROM schema_migrations ORDER BY name');
  assert.equal(entry.scope, 'task_1');
  assert.equal(entry.name, '0001_initial');
  assert.equal(entry.checksum, createHash('sha256').update(first).digest('hex'));
  assert.match(entry.applied_at, /^\d{4}-.*\.\d{3}Z$/);
});

test('a column that another application has added is not added again', (context) => {
  const database = createDatabase(context);
  const first = 'CREATE TABLE a (b TEXT) STRICT;\n';
  const add = (column) => `-- why; and how\n-- unless a has ${column}\nALTER TABLE a ADD COLUMN ${column} TEXT;\n`;
  const rest = `${add('c')}\n${add('d')}\nCREATE TABLE e (f TEXT) STRICT;\n\n${add('d')}`;
  const migrations = createMigrations(context, { '0001_initial.sql': first + add('c'), '0002_additions.sql': rest });
  assert.deepEqual(migrate(database, migrations), ['0001_initial', '0002_additions']);
  const columns = database.many(`SELECT name FROM pragma_table_info('a')`).map((column) => column.name);
  assert.deepEqual(columns, ['b', 'c', 'd']);
  assert.equal(database.many(`SELECT name FROM pragma_table_info('e')`).length, 1);
});

test('a table that is made anew takes no rows of others with it', (context) => {
  const database = createDatabase(context);
  const first = 'CREATE TABLE a (b TEXT PRIMARY KEY) STRICT;\nCREATE TABLE c (b TEXT REFERENCES a (b) ON DELETE CASCADE) STRICT;\n';
  const anew = (b) => `-- why\n-- keys are checked afterwards\nCREATE TABLE a_new (b TEXT PRIMARY KEY, d TEXT) STRICT;\nINSERT INTO a_new (b) SELECT ${b} FROM a;\nDROP TABLE a;\nALTER TABLE a_new RENAME TO a;\n`;
  const migrations = createMigrations(context, { '0001_initial.sql': first });
  migrate(database, migrations);
  database.exec(`INSERT INTO a VALUES ('1'); INSERT INTO c VALUES ('1')`);
  writeFileSync(join(migrations.path, '0002_changes.sql'), anew('b'));
  assert.deepEqual(migrate(database, migrations), ['0002_changes']);
  assert.equal(database.many('SELECT b FROM c').length, 1);
  writeFileSync(join(migrations.path, '0003_changes.sql'), anew(`'2'`));
  assert.throws(() => migrate(database, migrations), /`0003_changes` of `task_1` was not applied: a row would lead to one that is not there/);
  assert.equal(database.many('SELECT b FROM a')[0].b, '1');
  assert.throws(() => database.exec(`INSERT INTO c VALUES ('3')`), /FOREIGN KEY/);
});

test('one that changed is refused', (context) => {
  const database = createDatabase(context);
  const migrations = createMigrations(context, { '0001_initial.sql': 'CREATE TABLE a (b TEXT) STRICT' });
  migrate(database, migrations);
  writeFileSync(join(migrations.path, '0001_initial.sql'), 'CREATE TABLE a (b TEXT) STRICT;');
  assert.throws(() => migrate(database, migrations), /migration `0001_initial` of `task_1` has changed since it was applied/);
});

test('one that fails leaves nothing behind', (context) => {
  const database = createDatabase(context);
  const migrations = createMigrations(context, { '0001_initial.sql': 'CREATE TABLE a (b TEXT) STRICT; CREATE NONSENSE' });
  assert.throws(() => migrate(database, migrations), /syntax error/);
  assert.deepEqual(database.many('SELECT name FROM sqlite_schema'), []);
});

test('processes that start at once do not collide', async (context) => {
  const { folder, path } = createMigrations(context, { '0001_initial.sql': 'CREATE TABLE a (b TEXT) STRICT' });
  const program = `
    import { openDatabase } from ${JSON.stringify(new URL('../database.js', import.meta.url))};
    import { migrate } from ${JSON.stringify(new URL('../migrations.js', import.meta.url))};
    const database = openDatabase(${JSON.stringify(join(path, 'app.sqlite'))});
    console.log(migrate(database, { scope: 'task_1', folder: new URL(${JSON.stringify(folder)}) }).length);
    database.close();`;
  const start = () => promisify(execFile)(process.execPath, ['--input-type=module', '--eval', program]);
  const ran = await Promise.all(Array.from({ length: 8 }, start));
  assert.equal(ran.filter(({ stdout }) => stdout === '1\n').length, 1);
  assert.equal(ran.filter(({ stdout }) => stdout === '0\n').length, 7);
});
