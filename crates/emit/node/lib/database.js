// The application's database, whatever its engine: reads, writes, transactions. SQL is a constant of the program with `?` for
// values, which are bound. What an engine reports becomes a Problem where the caller can act on it.
//
// An engine that does not speak SQL takes its own statements from `database/`, composes pages by `lists`, and says the `ending` of the files of
// its migrations.
//
// An engine is one module of `database/`. What it opens is a connection with `transaction(work, options)`, `migrating(work)`,
// `hasLedger()` and `close()`, with `ping(sql)` where a server would be waited for, and with `of(user)` where it can keep whoever asks to the rows of one user. A connection, which is also what its transactions give, has `read(sql, values, columns)`,
// `write(sql, values)`, `insert(sql, values)`, `script(sql)`, `hold(name)` and `hasColumn(table, column)`, some of them only inside a transaction; one
// whose definitions are no part of transactions has `applySteps(migration, statements, isSuperfluous)`. Times are given as `Date`.

import { changed } from './kept.js';
import { Problem } from './problem.js';

const readLedger = `SELECT name FROM schema_migrations LIMIT 1`;

/** Reads and writes, on the database or inside a transaction. */
class Statements {
  #connection;

  constructor(connection) {
    this.#connection = connection;
  }

  /** What composes the statement of a page; nothing where SQL does. */
  get lists() {
    return this.#connection.lists;
  }

  /** @returns {Promise<number>} how many rows were written */
  run(sql, values = []) {
    return this.#connection.write(sql, values);
  }

  /** For `INSERT ... ON CONFLICT DO NOTHING`. @returns {Promise<'inserted' | 'present'>} */
  async insert(sql, values = []) {
    return (await this.run(sql, values)) === 1 ? 'inserted' : 'present';
  }

  /** For an insert that has the database make the key. @returns {Promise<number>} that key */
  insertForKey(sql, values = []) {
    return this.#connection.insert(sql, values);
  }

  /** The row that must be there. */
  async one(sql, values = [], columns = {}) {
    const row = await this.optional(sql, values, columns);
    if (row === null) throw new Error(`no row for: ${sql}`);
    return row;
  }

  /**
   * @param {Record<string, { kind: string, scale?: number }>} [columns] those that the engine keeps in another type: they are
   *   given back as what was written
   * @returns {Promise<object | null>}
   */
  async optional(sql, values = [], columns = {}) {
    const [row = null] = await this.#connection.read(sql, values, columns);
    return row;
  }

  /** All rows; the SQL carries the LIMIT. `columns` as for `optional`. */
  many(sql, values = [], columns = {}) {
    return this.#connection.read(sql, values, columns);
  }

  /** Runs a text of many statements. */
  async script(sql) {
    await this.#connection.script(sql);
  }

  /** @returns {Promise<boolean>} */
  hasColumn(table, column) {
    return this.#connection.hasColumn(table, column);
  }
}

// How many rows are stored at once, the most first: few enough that each statement is prepared once. SQLite takes 32,766 values.
const ROWS = [100, 10, 1];
const MOST_VALUES = 32_000;

class Transaction extends Statements {
  #connection;
  #callbacks = [];
  #changes = [];
  // Statement -> rows.
  #added = new Map();
  // Statement and values -> row, since the last write.
  #known = new Map();
  // The same, found for a list together, for as long as it goes, or until it is asked.
  #ahead = new Map();
  #once = new Map();
  /** Whether it has put an event into the outbox. */
  hasEvents = false;

  constructor(connection) {
    super(connection);
    this.#connection = connection;
  }

  /**
   * Stores a row by `INSERT ... VALUES (...)`: rows of one statement go out together, before anything else is asked or changed. What
   * fails is told then.
   */
  async add(sql, values) {
    this.#known.clear();
    if (!this.#added.has(sql)) this.#added.set(sql, []);
    this.#added.get(sql).push(values);
  }

  /** Stores what was added. */
  async settle() {
    const added = [...this.#added];
    this.#added.clear();
    for (const [sql, rows] of added) {
      // An engine that does not speak SQL takes one after the other.
      const most = this.lists ? 1 : MOST_VALUES / rows[0].length;
      while (rows.length > 0) {
        const part = rows.splice(0, ROWS.find((count) => count === 1 || (count <= rows.length && count <= most)));
        await super.run(forRows(sql, part.length), part.flat());
      }
    }
  }

  /** As `optional`, for a list: what was asked already is not asked again. */
  async lookUp(sql, values, columns) {
    const key = JSON.stringify([sql, values]);
    for (const found of [this.#once, this.#ahead]) {
      if (!found.has(key)) continue;
      const row = found.get(key);
      this.#once.delete(key);
      return row;
    }
    if (!this.#known.has(key)) this.#known.set(key, await this.optional(sql, values, columns));
    return this.#known.get(key);
  }

  /**
   * Looks for many by `SELECT ... WHERE <column> = ? ...` together; what the answer leaves open is asked for by itself when it is needed.
   * `by` is what a row calls the column, `rest` what stands behind the other places. `once`: each is found once, since what is done
   * with it changes the row.
   */
  async lookAhead(sql, values, { by, rest = [], columns = {}, once = false }) {
    const wanted = toldApart(values, once);
    // What is compared by other rules than those of bytes: only then it is known that there is no such row.
    const arePlain = wanted.every((value) => typeof value !== 'string' || !/[^\0-\x7f]/.test(value));
    const [before, filter] = splitAt(unnumbered(sql), ' WHERE ');
    const [column, compared] = splitAt(filter, ' = ');
    const place = compared.split(/ AND | FOR /, 1)[0];
    while (wanted.length > 0) {
      const part = wanted.splice(0, ROWS.find((count) => count <= wanted.length));
      const places = part.map(() => place).join(', ');
      const text = `${before} WHERE ${column} IN (${places})${compared.slice(place.length)}`;
      const rows = await this.many(text, [...part, ...rest], columns);
      const found = new Map(rows.map((row) => [JSON.stringify([sql, [row[by], ...rest]]), row]));
      const asked = new Set(part.map((value) => JSON.stringify([sql, [value, ...rest]])));
      if (arePlain && [...found.keys()].every((key) => asked.has(key))) {
        for (const key of asked) if (!found.has(key)) found.set(key, null);
      }
      for (const [key, row] of found) (once ? this.#once : this.#ahead).set(key, row);
    }
  }

  /** A list is at its end: what was found for it holds no longer. */
  forget() {
    this.#once.clear();
    this.#ahead.clear();
  }

  async run(sql, values) {
    this.#known.clear();
    await this.settle();
    return super.run(sql, values);
  }

  /** The row leads to none of those that were added. */
  insertForKey(sql, values) {
    this.#known.clear();
    return super.insertForKey(sql, values);
  }

  async optional(sql, values, columns) {
    await this.settle();
    return super.optional(sql, values, columns);
  }

  async many(sql, values, columns) {
    await this.settle();
    return super.many(sql, values, columns);
  }

  /** Calls back once the writes are durable; never when they were undone. */
  whenCommitted(callback) {
    this.#callbacks.push(callback);
  }

  /** Says which tables it writes, for answers that tell of them. */
  changes(...tables) {
    this.#changes.push(...tables);
  }

  committed() {
    changed(this.#changes);
    for (const callback of this.#callbacks) callback();
  }

  /** Whether rows are locked one by one: `FOR UPDATE` is understood. */
  get locksRows() {
    return this.#connection.locksRows;
  }

  /** Goes on when no other transaction, on any server, holds this name; it is let go when the transaction ends. */
  async hold(name) {
    await this.#connection.hold(name);
  }

  /** Runs a statement that makes a table anew, after which the indexes and triggers of these names are there again. */
  async anew(sql, keeps) {
    await this.#connection.anew(sql, keeps);
  }

  /** Whether a row leads to one that is not there; a transaction that checks no keys asks it at its end. */
  hasBrokenKey() {
    return this.#connection.hasBrokenKey();
  }
}

/** The database of an engine that is a server, once it answers; where it does not, nothing stays open. */
export async function started(engine, startTimeout) {
  try {
    await engine.start(startTimeout);
  } catch (error) {
    await engine.close();
    throw error;
  }
  return new Database(engine);
}

export class Database extends Statements {
  #engine;
  #endings = [];
  #listeners;

  constructor(engine, listeners = []) {
    super(engine);
    this.#engine = engine;
    this.#listeners = listeners;
  }

  /**
   * The same database for one user: of the rows that are users' it shows, and takes, those of this one alone. For engines that
   * can keep to that.
   */
  of(user) {
    return new Database(this.#engine.of(user), this.#listeners);
  }

  /**
   * Runs `work(transaction)` and gives its result. What it returns is committed, except `undo(result)`; what it throws
   * undoes the writes. `work` reads and writes on its transaction alone and waits for nothing else; where two transactions
   * collide it may be run again.
   * @template T
   * @param {(transaction: Transaction) => Promise<T>} work
   * @param {{ checksKeys?: boolean, again?: boolean }} [options] `again`: a conflict is met with another try
   * @returns {Promise<T>}
   */
  async transaction(work, { again = false, ...options } = {}) {
    try {
      return await this.#once(work, options);
    } catch (error) {
      if (!again || error.name !== 'conflict') throw error;
      return this.#once(work, options);
    }
  }

  async #once(work, options) {
    let transaction;
    const result = await this.#engine.transaction(async (connection) => {
      transaction = new Transaction(connection);
      const result = await work(transaction);
      if (!(result instanceof Undone)) await transaction.settle();
      return result;
    }, options);
    if (result instanceof Undone) return result.result;
    transaction.committed();
    if (transaction.hasEvents) this.#listeners.forEach((listener) => listener());
    return result;
  }

  /**
   * Runs `work(database)` while no other program migrates this database; the ledger is there.
   * @template T
   * @param {(database: Database) => Promise<T>} work
   * @returns {Promise<T>}
   */
  migrating(work) {
    return this.#engine.migrating((engine) => work(new Database(engine)));
  }

  get endingOfMigrations() {
    return this.#engine.ending ?? '.sql';
  }

  /** Whether the engine runs every migration step by step, by `applySteps`. */
  get keepsSteps() {
    return this.#engine.applySteps !== undefined;
  }

  /** Runs those of a migration's statements that were not run yet, and notes each. */
  applySteps(migration, statements, isSuperfluous) {
    return this.#engine.applySteps(migration, statements, isSuperfluous);
  }

  /** Where the steps of migrations are noted that cannot run in a transaction. */
  prepareSteps() {
    return this.#engine.prepareSteps();
  }

  /** Whether a migration was ever run. */
  hasLedger() {
    return this.#engine.hasLedger();
  }

  /** Fails as `unavailable` where the database does not answer. */
  async ping() {
    try {
      await (this.#engine.ping?.(readLedger) ?? this.optional(readLedger));
    } catch (error) {
      throw new Problem('unavailable', {}, { cause: error });
    }
  }

  /** Calls back when an event of this process is durable in the outbox. */
  whenEmitted(listener) {
    this.#listeners.push(listener);
  }

  /** Calls back before the database is closed. */
  beforeClose(callback) {
    this.#endings.push(callback);
  }

  async close() {
    for (const callback of this.#endings) await callback();
    await this.#engine.close();
  }
}

/** The statement that stores one row, for so many. */
function forRows(sql, count) {
  if (count === 1) return sql;
  const plain = unnumbered(sql);
  const row = plain.slice(plain.lastIndexOf(' VALUES (') + ' VALUES '.length);
  return `${plain}${`, ${row}`.repeat(count - 1)}`;
}

/** The values that differ by more than their case, each once; with `alone` none that several have. */
function toldApart(values, alone) {
  const folded = (value) => (typeof value === 'string' ? value.toLowerCase() : value);
  const alike = new Map();
  for (const value of values) {
    if (!alike.has(folded(value))) alike.set(folded(value), []);
    alike.get(folded(value)).push(value);
  }
  return [...new Set(values)].filter((value) => {
    const others = alike.get(folded(value));
    return value !== null && value !== undefined && new Set(others).size === 1 && !(alone && others.length > 1);
  });
}

function splitAt(text, separator) {
  const at = text.indexOf(separator);
  return [text.slice(0, at), text.slice(at + separator.length)];
}

/** The statement with places that have no numbers, as every engine of ours takes them. */
function unnumbered(sql) {
  return sql.replaceAll(/\$\d+/g, '?');
}

export class Undone {
  constructor(result) {
    this.result = result;
  }
}

/** Returned from a transaction's work: gives `result`, and undoes the writes. */
export function undo(result) {
  return new Undone(result);
}
