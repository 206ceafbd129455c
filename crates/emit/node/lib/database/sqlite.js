// The SQLite database of an application: one connection, prepared statements, one transaction at a time. What SQLite reports
// becomes a Problem where the caller can act on it. Several processes may use the file at once.

import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DatabaseSync } from '@photostructure/sqlite';
import { Database, Undone } from '../database.js';
import { Decimal } from '../decimal.js';
import { Problem } from '../problem.js';

// Nobody is answered while a statement waits, so it waits no longer than everybody can.
const BUSY_TIMEOUT = 1000;
// After one that waited in vain, the next ones do not wait at all for that long.
const BUSY_PAUSE = 1000;
// Statements kept prepared; lists are composed at request time, in many forms.
const STATEMENT_LIMIT = 500;

const createLedger = `CREATE TABLE IF NOT EXISTS schema_migrations (scope TEXT NOT NULL, name TEXT NOT NULL, checksum TEXT NOT NULL, applied_at TEXT NOT NULL, PRIMARY KEY (scope, name)) STRICT`;
const findLedger = `SELECT name FROM sqlite_schema WHERE type = 'table' AND name = 'schema_migrations'`;
const createSteps = `CREATE TABLE IF NOT EXISTS schema_migration_steps (entry INTEGER PRIMARY KEY, scope TEXT NOT NULL, name TEXT NOT NULL, checksum TEXT NOT NULL, step INTEGER NOT NULL, event TEXT NOT NULL, at TEXT NOT NULL) STRICT`;
const listAdditions = `SELECT name, tbl_name AS place, sql AS text FROM sqlite_schema WHERE type IN ('index', 'trigger') AND sql IS NOT NULL ORDER BY rowid LIMIT 100000`;
const listTables = `SELECT name FROM sqlite_schema WHERE type = 'table' LIMIT 100000`;
const findBrokenKey = `SELECT "table" FROM pragma_foreign_key_check LIMIT 1`;
const findColumn = `SELECT name FROM pragma_table_info(?) WHERE name = ?`;

// https://sqlite.org/rescode.html
const BUSY = 5;
const LOCKED = 6;
const INPUT_OUTPUT = 10;
const FULL = 13;
const CANNOT_OPEN = 14;
const CONSTRAINT_FOREIGN_KEY = 787;
const CONSTRAINT_PRIMARY_KEY = 1555;
const CONSTRAINT_TRIGGER = 1811; // how RESTRICT is carried out, and what a trigger of ours raises
const CONSTRAINT_UNIQUE = 2067;

const locked = new Set([BUSY, LOCKED]);
const unavailable = new Set([INPUT_OUTPUT, FULL, CANNOT_OPEN]);
// Of a read that fails the driver says no code, only SQLite's words for it.
const said = new Map([
  ['database is locked', BUSY],
  ['database table is locked', LOCKED],
  ['disk I/O error', INPUT_OUTPUT],
  ['database or disk is full', FULL],
  ['unable to open database file', CANNOT_OPEN],
]);
const conflicts = new Set([CONSTRAINT_PRIMARY_KEY, CONSTRAINT_UNIQUE]);
const references = new Set([CONSTRAINT_FOREIGN_KEY, CONSTRAINT_TRIGGER]);
// What triggers say of a row whose time is another one's.
const overlaps = 'overlaps with another row';

/**
 * @param {string} url `file:./data/app.sqlite`, or `file:/srv/app.sqlite`; the file's folder is made when it is missing
 * @param {URL} folder where a relative path begins; its URL ends in `/`
 * @param {{ busyTimeout?: number }} [options] how long a statement waits for other processes, in milliseconds
 */
export async function openDatabase(url, folder, { busyTimeout = BUSY_TIMEOUT } = {}) {
  const file = databaseFile(url, folder);
  mkdirSync(dirname(file), { recursive: true });
  const connection = new DatabaseSync(file);
  connection.exec(`PRAGMA busy_timeout = ${busyTimeout}`);
  connection.exec('PRAGMA journal_mode = WAL');
  connection.exec('PRAGMA synchronous = FULL');
  connection.exec('PRAGMA foreign_keys = ON');
  return new Database(new Sqlite(connection, busyTimeout));
}

/** The file that a `DATABASE_URL` names. */
export function databaseFile(url, folder) {
  // The URL of another kind of database may hold a password, so it is not repeated.
  if (!/^file:[^?#]+$/.test(url)) throw new Error('`DATABASE_URL` must be `file:` and a path');
  return fileURLToPath(new URL(url.slice('file:'.length).replace(/^\/\/(?=\/)/, ''), folder));
}

/** The statements of the one connection. They are done when they return; only who may have a turn is waited for. */
class Connection {
  locksRows = false;
  #connection;
  #prepared = new Map();

  constructor(connection) {
    this.#connection = connection;
  }

  async read(sql, values, columns) {
    return this.#execute('all', sql, values).map((row) => fromColumns(row, columns));
  }

  async write(sql, values) {
    return Number(this.#execute('run', sql, values).changes);
  }

  /** The statement returns the key alone. */
  async insert(sql, values) {
    // Not `all`: of that the driver says no code when it fails, so a conflict would be no conflict.
    return Number(this.#execute('run', sql, values).lastInsertRowid);
  }

  async script(sql) {
    this.exec(sql);
  }

  /** A transaction has the database for itself. */
  async hold() {}

  async hasColumn(table, column) {
    return this.#execute('all', findColumn, [table, column]).length > 0;
  }

  /**
   * A statement that makes a table anew. The indexes and triggers that somebody has added to the table come again as they were
   * written; the native server does the same.
   */
  async anew(sql, keeps) {
    const before = this.#execute('all', listAdditions, []);
    this.exec(sql);
    const after = new Set(this.#execute('all', listAdditions, []).map(({ name }) => name));
    const tables = new Set(this.#execute('all', listTables, []).map(({ name }) => name));
    before.filter(({ name, place }) => keeps.includes(name) && !after.has(name) && tables.has(place)).forEach(({ text }) => this.exec(text));
  }

  async hasBrokenKey() {
    return this.#execute('all', findBrokenKey, []).length > 0;
  }

  exec(sql) {
    translated(() => this.#connection.exec(sql));
  }

  #execute(method, sql, values) {
    return translated(() => {
      const statement = this.#prepared.get(sql) ?? this.#prepare(sql);
      return statement[method](...values.map(toColumn));
    });
  }

  #prepare(sql) {
    const statement = this.#connection.prepare(sql);
    if (this.#prepared.size >= STATEMENT_LIMIT) this.#prepared.delete(this.#prepared.keys().next().value);
    this.#prepared.set(sql, statement);
    return statement;
  }
}

class Sqlite {
  #database;
  #connection;
  #busyTimeout;
  #busyUntil = -Infinity;
  // Settled when the transaction under way has ended: everybody is on one connection, and would be inside of it.
  #underWay;

  constructor(database, busyTimeout) {
    this.#database = database;
    this.#connection = new Connection(database);
    this.#busyTimeout = busyTimeout;
  }

  read(sql, values, columns) {
    return this.#inTurn(() => this.#connection.read(sql, values, columns));
  }

  write(sql, values) {
    return this.#inTurn(() => this.#connection.write(sql, values));
  }

  script(sql) {
    return this.#inTurn(() => this.#connection.script(sql));
  }

  hasColumn(table, column) {
    return this.#inTurn(() => this.#connection.hasColumn(table, column));
  }

  transaction(work, { checksKeys = true } = {}) {
    return this.#inTurn(() => (checksKeys ? this.#transact(work) : this.#transactWithoutKeys(work)));
  }

  async hasLedger() {
    return (await this.read(findLedger, [], {})).length > 0;
  }

  /** A transaction has the write lock: of two processes that start at once the second finds what the first has entered. */
  async migrating(work) {
    await this.write(createLedger, []);
    return work(this);
  }

  async prepareSteps() {
    await this.write(createSteps, []);
  }

  close() {
    return this.#inTurn(() => {
      // Prepared statements live until they are garbage collected, and with them the write-ahead log; what it holds goes
      // into the file now.
      this.#database.exec('PRAGMA wal_checkpoint(PASSIVE)');
      this.#database.close();
    });
  }

  /** Nothing may come between the last look at who is under way and the action. */
  async #inTurn(action) {
    while (this.#underWay) await this.#underWay;
    return action();
  }

  async #transact(work) {
    let end;
    this.#underWay = new Promise((resolve) => {
      end = resolve;
    });
    try {
      this.#begin();
      const result = await work(this.#connection);
      this.#connection.exec(result instanceof Undone ? 'ROLLBACK' : 'COMMIT');
      return result;
    } catch (error) {
      // After some errors SQLite has rolled back by itself.
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
      throw error;
    } finally {
      this.#underWay = undefined;
      end();
    }
  }

  // Inside of the transaction SQLite would not listen.
  async #transactWithoutKeys(work) {
    this.#connection.exec('PRAGMA foreign_keys = OFF');
    try {
      return await this.#transact(work);
    } finally {
      this.#connection.exec('PRAGMA foreign_keys = ON');
    }
  }

  #begin() {
    const waits = performance.now() >= this.#busyUntil;
    if (!waits) this.#connection.exec('PRAGMA busy_timeout = 0');
    try {
      this.#connection.exec('BEGIN IMMEDIATE');
      this.#busyUntil = -Infinity;
    } catch (error) {
      if (waits && error.name === 'unavailable') this.#busyUntil = performance.now() + BUSY_PAUSE;
      throw error;
    } finally {
      if (!waits) this.#connection.exec(`PRAGMA busy_timeout = ${this.#busyTimeout}`);
    }
  }
}

// SQLite has no booleans, no decimal numbers and no documents: they are kept as 0 and 1, in units of the last digit, and as
// JSON text. A field of a record of changes that was not given is `undefined`.
function toColumn(value) {
  if (value === undefined) return null;
  if (typeof value === 'boolean') return Number(value);
  if (value instanceof Decimal) return value.units;
  if (value instanceof Date) return value.toISOString();
  // The driver cuts a text at U+0000, and the rest of it would then name another row. As bytes it stays whole and is equal to
  // no text.
  if (typeof value === 'string' && value.includes('\0')) return Buffer.from(value);
  return typeof value === 'object' && value !== null ? JSON.stringify(value) : value;
}

function fromColumns(row, columns) {
  for (const [name, value] of Object.entries(row)) {
    const column = columns[name];
    if (value === null || column === undefined) continue;
    if (column.kind === 'boolean') row[name] = value !== 0;
    if (column.kind === 'decimal') row[name] = new Decimal(value, column.scale);
    if (column.kind === 'json') row[name] = JSON.parse(value);
  }
  return row;
}

function translated(action) {
  try {
    return action();
  } catch (error) {
    const code = error.errcode ?? said.get(error.message.split(':')[0]);
    if (locked.has(code & 0xff)) throw new Problem('unavailable', { late: 'lock_timeout' }, { cause: error });
    if (unavailable.has(code & 0xff)) throw new Problem('unavailable', {}, { cause: error });
    if (conflicts.has(error.errcode)) throw new Problem('conflict', {}, { cause: error });
    if (error.errcode === CONSTRAINT_TRIGGER && error.message.endsWith(overlaps)) throw new Problem('overlap', {}, { cause: error });
    if (references.has(error.errcode)) throw new Problem('in_use', {}, { cause: error });
    throw error;
  }
}
