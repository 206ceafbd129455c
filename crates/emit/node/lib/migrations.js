// Brings the database to the application's schema: every `*.sql` of a folder once, in the order of their names, each in
// one transaction with its line in the ledger. A file that changed after it ran is refused, never run again.

import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';

const createLedger = `CREATE TABLE IF NOT EXISTS schema_migrations (scope TEXT NOT NULL, name TEXT NOT NULL, checksum TEXT NOT NULL, applied_at TEXT NOT NULL, PRIMARY KEY (scope, name)) STRICT`;
const findColumn = `SELECT name FROM pragma_table_info(?) WHERE name = ?`;
const findBrokenKey = `SELECT "table" FROM pragma_foreign_key_check LIMIT 1`;
const findEntry = `SELECT checksum FROM schema_migrations WHERE scope = ? AND name = ?`;
const insertEntry = `INSERT INTO schema_migrations (scope, name, checksum, applied_at) VALUES (?, ?, ?, ?)`;

// SQLite has no `ADD COLUMN IF NOT EXISTS`. A statement behind a line `-- unless <table> has <column>` is left out where that is
// so: another application on this database may have added the column.
const guarded = /^(-- unless \w+ has \w+\n[^;]*;)/m;
const guard = /^-- unless (\w+) has (\w+)\n/;

// Such a statement makes a table anew: while it runs, keys between tables are not looked at, or the rows of others would go too.
const keysChecked = /^-- keys are checked afterwards$/m;

/**
 * @param {import('./database.js').Database} database
 * @param {{ scope: string, folder: URL }} migrations the folder's URL ends in `/`
 * @returns {string[]} the names of those that ran now
 */
export function migrate(database, { scope, folder }) {
  const files = readdirSync(folder).filter((file) => file.endsWith('.sql')).sort();
  return files.map((file) => file.slice(0, -'.sql'.length)).filter((name) => {
    const bytes = readFileSync(new URL(`${name}.sql`, folder));
    return apply(database, scope, name, bytes);
  });
}

function apply(database, scope, name, bytes) {
  const checksum = createHash('sha256').update(bytes).digest('hex');
  const text = bytes.toString('utf8');
  if (!keysChecked.test(text)) return note(database, scope, name, text, checksum);
  // Outside of the transaction, inside of which SQLite would not listen.
  database.exec('PRAGMA foreign_keys = OFF');
  try {
    return note(database, scope, name, text, checksum);
  } finally {
    database.exec('PRAGMA foreign_keys = ON');
  }
}

function note(database, scope, name, text, checksum) {
  // The transaction takes the write lock first, so of two processes that start at once the second finds the entry.
  return database.transaction((transaction) => {
    transaction.run(createLedger);
    const entry = transaction.optional(findEntry, [scope, name]);
    if (entry === null) {
      run(database, text);
      if (keysChecked.test(text) && database.optional(findBrokenKey) !== null) {
        throw new Error(`migration \`${name}\` of \`${scope}\` was not applied: a row would lead to one that is not there`);
      }
      transaction.run(insertEntry, [scope, name, checksum, new Date().toISOString()]);
      return true;
    }
    if (entry.checksum !== checksum) {
      throw new Error(`migration \`${name}\` of \`${scope}\` has changed since it was applied: restore the file, and put the change into a new migration`);
    }
    return false;
  });
}

function run(database, text) {
  for (const part of text.split(guarded)) {
    const [, table, column] = guard.exec(part) ?? [];
    if (table === undefined || database.optional(findColumn, [table, column]) === null) database.exec(part);
  }
}
