// Brings the database to the application's schema: every `*.sql` of a folder (`*.js` of MongoDB's shell) once, in the order of their names, each in
// one transaction with its line in the ledger. A file that changed after it ran is refused, never run again. One with a statement
// that cannot be part of a transaction is run step by step, and goes on where it was when somebody ended it; so is every one where
// definitions are no part of transactions. The native server keeps the same notes.

import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';

const listEntries = `SELECT name, checksum FROM schema_migrations WHERE scope = ? AND applied_at IS NOT NULL ORDER BY name LIMIT 100000`;
const findEntry = `SELECT checksum, applied_at FROM schema_migrations WHERE scope = ? AND name = ?`;
const insertEntry = `INSERT INTO schema_migrations (scope, name, checksum, applied_at) VALUES (?, ?, ?, ?)`;
const findEvent = `SELECT event FROM schema_migration_steps WHERE scope = ? AND name = ? AND checksum = ? AND step = ? ORDER BY entry DESC LIMIT 1`;
const insertEvent = `INSERT INTO schema_migration_steps (scope, name, checksum, step, event, at) VALUES (?, ?, ?, ?, ?, ?)`;

// Every statement of a file stands behind comments that say why it is there, and how it is run and taken back.
const betweenStatements = /\n\n(?=(?:--|\/\/) )/;
const undoLine = /^-- locks: .*; undo: (?!none, |nothing, )(.*(?:\n--   .*)*)$/m;

// Not every engine has `ADD COLUMN IF NOT EXISTS`. A statement behind a line `-- unless <table> has <column>` is left out where that is
// so: another application on this database may have added the column.
const guarded = /^(-- unless \w+ has \w+\n[^;]*;)/m;
const guard = /^-- unless (\w+) has (\w+)\n/m;

// Such a statement makes a table anew: while it runs, keys between tables are not looked at, or the rows of others would go too.
const keysChecked = /^-- keys are checked afterwards$/m;
// The indexes and triggers that somebody has added to that table, and that it would take with it.
const keeps = /^-- keeps: (.*)$/m;

// What clients of MySQL are told about where a trigger ends; its server finds out by itself.
const delimited = /^DELIMITER \$\$\n([^]*?)\$\$\nDELIMITER ;$/gm;

const runsAlone = /^-- runs alone$/m;

/**
 * A database that has them all is only read, as a program does that may not change its schema.
 * @param {import('./database.js').Database} database
 * @param {{ scope: string, folder: URL }} migrations the folder's URL ends in `/`
 * @returns {Promise<string[]>} the names of those that ran now
 */
export async function migrate(database, { scope, folder }) {
  const ending = database.endingOfMigrations;
  const files = readdirSync(folder).filter((file) => file.endsWith(ending)).sort();
  const known = await entries(database, scope);
  const ran = [];
  for (const name of files.map((file) => file.slice(0, -ending.length))) {
    const bytes = readFileSync(new URL(`${name}${ending}`, folder));
    const text = bytes.toString('utf8').replace(delimited, '$1;');
    const migration = { scope, name, checksum: createHash('sha256').update(bytes).digest('hex'), text };
    if (known.has(name)) mustBeSame(migration, known.get(name));
    else if (await database.migrating((session) => apply(session, migration))) ran.push(name);
  }
  return ran;
}

/** Name -> checksum of those that ran. */
async function entries(database, scope) {
  if (!(await database.hasLedger())) return new Map();
  return new Map((await database.many(listEntries, [scope])).map(({ name, checksum }) => [name, checksum]));
}

/** Whether it ran now: of two processes that start at once the second finds the entry. */
async function apply(session, migration) {
  if (session.keepsSteps) return applyInSteps(session, migration);
  if (runsAlone.test(migration.text)) return applyStepwise(session, migration);
  const checksKeys = keysChecked.test(migration.text);
  const work = async (transaction) => {
    if (await hasRun(transaction, migration)) return false;
    for (const part of migration.text.split(checksKeys ? betweenStatements : guarded)) {
      if (await isSuperfluous(transaction, part)) continue;
      await (keeps.test(part) ? transaction.anew(part, keeps.exec(part)[1].split(', ')) : transaction.script(part));
    }
    if (checksKeys && (await transaction.hasBrokenKey())) {
      throw new Error(`migration \`${migration.name}\` of \`${migration.scope}\` was not applied: a row would lead to one that is not there`);
    }
    await enter(transaction, migration);
    return true;
  };
  return session.transaction(work, { checksKeys: !checksKeys });
}

/** Where definitions are no part of transactions the engine itself notes how far a migration is. */
async function applyInSteps(session, migration) {
  if (await hasRun(session, migration)) return false;
  await session.applySteps(migration, migration.text.split(betweenStatements), (statement) => isSuperfluous(session, statement));
  return true;
}

/** A step that was done is not done again. When one is refused, those before it are taken back: the migration leaves nothing. */
async function applyStepwise(session, migration) {
  if (await hasRun(session, migration)) return false;
  await session.prepareSteps();
  const statements = migration.text.split(betweenStatements);
  for (const [index, statement] of statements.entries()) {
    const last = await session.optional(findEvent, [...named(migration), index + 1]);
    if (last?.event === 'done' || (await isSuperfluous(session, statement))) continue;
    if (last?.event === 'begun') await takeBack(session, statement);
    await note(session, migration, index, 'begun');
    try {
      await session.script(statement);
    } catch (error) {
      for (let undone = index; undone >= 0; undone -= 1) {
        await takeBack(session, statements[undone]);
        await note(session, migration, undone, 'undone');
      }
      throw error;
    }
    await note(session, migration, index, 'done');
  }
  await enter(session, migration);
  return true;
}

async function hasRun(statements, migration) {
  const entry = await statements.optional(findEntry, [migration.scope, migration.name]);
  if (entry !== null) mustBeSame(migration, entry.checksum);
  return entry !== null && entry.applied_at !== null;
}

function mustBeSame({ scope, name, checksum }, applied) {
  if (checksum === applied) return;
  throw new Error(`migration \`${name}\` of \`${scope}\` has changed since it was applied: restore the file, and put the change into a new migration`);
}

async function isSuperfluous(statements, part) {
  const [, table, column] = guard.exec(part) ?? [];
  return table !== undefined && statements.hasColumn(table, column);
}

async function takeBack(session, statement) {
  const [, undo] = undoLine.exec(statement) ?? [];
  if (undo) await session.script(undo.replaceAll('\n--   ', '\n'));
}

async function enter(statements, migration) {
  await statements.run(insertEntry, [...named(migration), new Date()]);
}

async function note(session, migration, index, event) {
  await session.run(insertEvent, [...named(migration), index + 1, event, new Date()]);
}

function named({ scope, name, checksum }) {
  return [scope, name, checksum];
}
