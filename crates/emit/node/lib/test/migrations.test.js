// Migrations run once, in order, whole or not at all, and from several processes at the same time.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { migrate } from '../migrations.js';
import { createDatabase, temporaryFolder, testOnEach } from './engines.js';

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

testOnEach('one that changed is refused', async (context, engine) => {
  const database = await createDatabase(context, engine);
  const migrations = createMigrations(context, { '0001_initial.sql': 'CREATE TABLE a (b TEXT)' });
  await migrate(database, migrations);
  writeFileSync(join(migrations.path, '0001_initial.sql'), 'CREATE TABLE a (b TEXT);');
  await assert.rejects(migrate(database, migrations), /migration `0001_initial` of `task_1` has changed since it was applied/);
});

testOnEach('one that fails leaves nothing behind', async (context, engine) => {
  const database = await createDatabase(context, engine);
  const migrations = createMigrations(context, { '0001_initial.sql': 'CREATE TABLE a (b TEXT); CREATE NONSENSE' });
  await assert.rejects(migrate(database, migrations), /syntax error/);
  await assert.rejects(database.many('SELECT b FROM a'), /a/);
  assert.equal(await database.hasLedger(), false);
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
