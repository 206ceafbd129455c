// The SQLite database of the application: one connection, prepared statements, transactions. What SQLite reports becomes
// a Problem where the caller can act on it. Several processes may use the file at once.

import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from '@photostructure/sqlite';
import { Decimal } from './decimal.js';
import { Problem } from './problem.js';

// Nobody is answered while a statement waits, so it waits no longer than everybody can.
const BUSY_TIMEOUT = 1000;
// After one that waited in vain, the next ones do not wait at all for that long.
const BUSY_PAUSE = 1000;
// Statements kept prepared; lists are composed at request time, in many forms.
const STATEMENT_LIMIT = 500;

// Reads the file; `SELECT 1` would succeed without it.
const readLedger = `SELECT name FROM schema_migrations LIMIT 1`;

// https://sqlite.org/rescode.html
const BUSY = 5;
const LOCKED = 6;
const INPUT_OUTPUT = 10;
const FULL = 13;
const CANNOT_OPEN = 14;
const CONSTRAINT_FOREIGN_KEY = 787;
const CONSTRAINT_PRIMARY_KEY = 1555;
const CONSTRAINT_TRIGGER = 1811; // how RESTRICT is carried out; no trigger of ours raises anything
const CONSTRAINT_UNIQUE = 2067;

const unavailable = new Set([BUSY, LOCKED, INPUT_OUTPUT, FULL, CANNOT_OPEN]);
const conflicts = new Set([CONSTRAINT_PRIMARY_KEY, CONSTRAINT_UNIQUE]);
const references = new Set([CONSTRAINT_FOREIGN_KEY, CONSTRAINT_TRIGGER]);

/** Reads and writes, on the connection or inside a transaction. SQL is a constant of the program; values are bound. */
class Statements {
  #connection;
  #prepared;

  constructor(connection, prepared) {
    this.#connection = connection;
    this.#prepared = prepared;
  }

  /** @returns {number} how many rows were written */
  run(sql, values = []) {
    return Number(this.#execute('run', sql, values).changes);
  }

  /** For `INSERT ... ON CONFLICT DO NOTHING`. @returns {'inserted' | 'present'} */
  insert(sql, values = []) {
    return this.run(sql, values) === 1 ? 'inserted' : 'present';
  }

  /** The row that must be there. */
  one(sql, values = [], columns = {}) {
    const row = this.optional(sql, values, columns);
    if (row === null) throw new Error(`no row for: ${sql}`);
    return row;
  }

  /**
   * @param {Record<string, { kind: string, scale?: number }>} [columns] 'boolean', 'decimal' and 'json' are given back as what
   *   was written
   * @returns {object | null}
   */
  optional(sql, values = [], columns = {}) {
    const row = this.#execute('get', sql, values);
    return row === undefined ? null : fromColumns(row, columns);
  }

  /** All rows; the SQL carries the LIMIT. `columns` as for `optional`. */
  many(sql, values = [], columns = {}) {
    return this.#execute('all', sql, values).map((row) => fromColumns(row, columns));
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

class Transaction extends Statements {
  #callbacks = [];

  /** Calls back once the writes are durable; never when they were undone. */
  whenCommitted(callback) {
    this.#callbacks.push(callback);
  }

  committed() {
    for (const callback of this.#callbacks) callback();
  }
}

export class Database extends Statements {
  #connection;
  #prepared;
  #endings = [];
  #busyTimeout;
  #busyUntil = -Infinity;

  constructor(connection, busyTimeout) {
    const prepared = new Map();
    super(connection, prepared);
    this.#connection = connection;
    this.#prepared = prepared;
    this.#busyTimeout = busyTimeout;
  }

  /**
   * Runs `work(transaction)` and gives its result. What it returns is committed, except `undo(result)`; what it throws
   * undoes the writes. `work` does not wait for anything: everybody else would be inside its transaction.
   */
  transaction(work) {
    const transaction = new Transaction(this.#connection, this.#prepared);
    this.#begin();
    let result;
    try {
      result = work(transaction);
      if (typeof result?.then === 'function') throw new TypeError('the work of a transaction must not be async');
      this.exec(result instanceof Undone ? 'ROLLBACK' : 'COMMIT');
    } catch (error) {
      // After some errors SQLite has rolled back by itself.
      if (this.#connection.isTransaction) this.#connection.exec('ROLLBACK');
      throw error;
    }
    if (result instanceof Undone) return result.result;
    transaction.committed();
    return result;
  }

  /** Fails as `unavailable` where the database does not answer. */
  ping() {
    try {
      this.optional(readLedger);
    } catch (error) {
      throw new Problem('unavailable', {}, { cause: error });
    }
  }

  #begin() {
    const waits = performance.now() >= this.#busyUntil;
    if (!waits) this.exec('PRAGMA busy_timeout = 0');
    try {
      this.exec('BEGIN IMMEDIATE');
      this.#busyUntil = -Infinity;
    } catch (error) {
      if (waits && error.name === 'unavailable') this.#busyUntil = performance.now() + BUSY_PAUSE;
      throw error;
    } finally {
      if (!waits) this.exec(`PRAGMA busy_timeout = ${this.#busyTimeout}`);
    }
  }

  exec(sql) {
    translated(() => this.#connection.exec(sql));
  }

  /** Calls back before the database is closed. */
  beforeClose(callback) {
    this.#endings.push(callback);
  }

  close() {
    for (const callback of this.#endings) callback();
    // Prepared statements live until they are garbage collected, and with them the write-ahead log; what it holds goes
    // into the file now.
    this.#connection.exec('PRAGMA wal_checkpoint(PASSIVE)');
    this.#connection.close();
  }
}

/**
 * @param {string} file its folder is made when it is missing
 * @param {{ busyTimeout?: number }} [options] how long a statement waits for other processes, in milliseconds
 */
export function openDatabase(file, { busyTimeout = BUSY_TIMEOUT } = {}) {
  mkdirSync(dirname(file), { recursive: true });
  const connection = new DatabaseSync(file);
  connection.exec(`PRAGMA busy_timeout = ${busyTimeout}`);
  connection.exec('PRAGMA journal_mode = WAL');
  connection.exec('PRAGMA synchronous = FULL');
  connection.exec('PRAGMA foreign_keys = ON');
  return new Database(connection, busyTimeout);
}

// SQLite has no booleans, no decimal numbers and no documents: they are kept as 0 and 1, in units of the last digit, and as
// JSON text. A field of a record of changes that was not given is `undefined`.
function toColumn(value) {
  if (value === undefined) return null;
  if (typeof value === 'boolean') return Number(value);
  if (value instanceof Decimal) return value.units;
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

class Undone {
  constructor(result) {
    this.result = result;
  }
}

/** Returned from a transaction's work: gives `result`, and undoes the writes. */
export function undo(result) {
  return new Undone(result);
}

function translated(action) {
  try {
    return action();
  } catch (error) {
    if (unavailable.has(error.errcode & 0xff)) throw new Problem('unavailable', {}, { cause: error });
    if (conflicts.has(error.errcode)) throw new Problem('conflict', {}, { cause: error });
    if (references.has(error.errcode)) throw new Problem('in_use', {}, { cause: error });
    throw error;
  }
}
