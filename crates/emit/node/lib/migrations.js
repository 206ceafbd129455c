// Brings the database to the application's schema: every `*.sql` of a folder once, in the order of their names, each in
// one transaction with its line in the ledger. A file that changed after it ran is refused, never run again.

import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';

const listEntries = `SELECT name, checksum FROM schema_migrations WHERE scope = ? ORDER BY name LIMIT 100000`;
const findEntry = `SELECT checksum FROM schema_migrations WHERE scope = ? AND name = ?`;
const insertEntry = `INSERT INTO schema_migrations (scope, name, checksum, applied_at) VALUES (?, ?, ?, ?)`;

// Not every engine has `ADD COLUMN IF NOT EXISTS`. A statement behind a line `-- unless <table> has <column>` is left out where that is
// so: another application on this database may have added the column.
const guarded = /^(-- unless \w+ has \w+\n[^;]*;)/m;
const guard = /^-- unless (\w+) has (\w+)\n/;

/**
 * A database that has them all is only read, as a program does that may not change its schema.
 * @param {import('./database.js').Database} database
 * @param {{ scope: string, folder: URL }} migrations the folder's URL ends in `/`
 * @returns {Promise<string[]>} the names of those that ran now
 */
export async function migrate(database, { scope, folder }) {
  const files = readdirSync(folder).filter((file) => file.endsWith('.sql')).sort();
  const known = await entries(database, scope);
  const ran = [];
  for (const name of files.map((file) => file.slice(0, -'.sql'.length))) {
    const bytes = readFileSync(new URL(`${name}.sql`, folder));
    const migration = { scope, name, checksum: createHash('sha256').update(bytes).digest('hex') };
    if (known.has(name)) mustBeSame(migration, known.get(name));
    else if (await apply(database, migration, bytes.toString('utf8'))) ran.push(name);
  }
  return ran;
}

/** Name -> checksum of those that ran. */
async function entries(database, scope) {
  if (!(await database.hasLedger())) return new Map();
  return new Map((await database.many(listEntries, [scope])).map(({ name, checksum }) => [name, checksum]));
}

/** Whether it ran now: of two processes that start at once the second finds the entry. */
function apply(database, { scope, name, checksum }, text) {
  return database.migration(async (transaction) => {
    const entry = await transaction.optional(findEntry, [scope, name]);
    if (entry !== null) return mustBeSame({ scope, name, checksum }, entry.checksum);
    await run(transaction, text);
    await transaction.run(insertEntry, [scope, name, checksum, new Date().toISOString()]);
    return true;
  });
}

function mustBeSame({ scope, name, checksum }, applied) {
  if (checksum === applied) return false;
  throw new Error(`migration \`${name}\` of \`${scope}\` has changed since it was applied: restore the file, and put the change into a new migration`);
}

async function run(transaction, text) {
  for (const part of text.split(guarded)) {
    const [, table, column] = guard.exec(part) ?? [];
    if (table === undefined || !(await transaction.hasColumn(table, column))) await transaction.script(part);
  }
}
