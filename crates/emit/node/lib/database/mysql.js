// The MySQL or MariaDB database of an application: a pool of connections, prepared statements, transactions that are run again where
// they collide. What the server reports becomes a Problem where the caller can act on it. Values come back exactly as they do from
// any other engine: times in UTC with milliseconds, decimal numbers as such. Nothing here repeats the URL, which holds a password.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import mysql from 'mysql2/promise';
import { Undone, started } from '../database.js';
import { Decimal, parseDecimal } from '../decimal.js';
import { Problem } from '../problem.js';
import { Patience } from './patience.js';
import { oneHostEach, Places } from './places.js';

/**
 * The connections of a program; those of all programs together stay below the server's `max_connections`. Times are in
 * milliseconds: how long a connection stays open without work, how long somebody waits for one, how long a statement may take.
 */
const usualPool = { min: 0, max: 10, idleTimeout: 30_000, acquireTimeout: 5000, statementTimeout: 10_000 };
// Milliseconds. MariaDB gives a statement up in its time, MySQL one that reads; the application does so later, whatever it is.
const ANSWER_GRACE = 2000;
// Nobody waits longer than that for somebody else's lock: everybody else would wait behind it.
const LOCK_TIMEOUT = 5000;
// Seconds.
const MIGRATION_LOCK_TIMEOUT = 30;
// How long a server that is about to start is waited for, and how often it is asked.
const START_TIMEOUT = 30_000;
const START_INTERVAL = 500;
// Requests that may wait for a connection; more are refused at once.
const QUEUE_LIMIT = 1000;
// Statements that a connection keeps prepared; lists are composed at request time, in many forms.
const STATEMENT_LIMIT = 500;
// How often a transaction is begun that collides with another one, and how long it keeps out of the other's way at most.
const ATTEMPTS = 4;
const RETRY_PAUSE = 50;

// Whatever the server's own settings are: wrong values are refused, times are UTC, others see what was committed. Each server reads
// its own word for the time limit: to the other it is a comment.
const sessionSettings = ({ statementTimeout }, lockTimeout = lockSeconds(statementTimeout)) =>
  `SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION', time_zone = '+00:00', group_concat_max_len = 67108864, lock_wait_timeout = ${lockTimeout}, innodb_lock_wait_timeout = ${lockTimeout}; SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED; SET SESSION /*M! max_statement_time = ${statementTimeout / 1000}, idle_transaction_timeout = ${Math.ceil(statementTimeout / 1000)} */ /*!80000 max_execution_time = ${statementTimeout} */`;
// A statement that runs alone keeps nobody waiting, and may wait itself.
const migrationSettings = `SET SESSION /*M! max_statement_time = 0 */ /*!80000 max_execution_time = 0 */`;
const lockMigrations = `SELECT GET_LOCK(?, ?) AS held`;
const createLedger = `CREATE TABLE IF NOT EXISTS schema_migrations (
  scope varchar(191) NOT NULL,
  name varchar(191) NOT NULL,
  checksum char(64) NOT NULL,
  begun int NOT NULL,
  done int NOT NULL,
  applied_at datetime(3),
  PRIMARY KEY (scope, name)
) ENGINE=InnoDB DEFAULT CHARACTER SET ascii COLLATE ascii_bin`;
// The steps that found what they would have made: it is another task's, and stays when they are taken back, which the native server does.
const createFound = `CREATE TABLE IF NOT EXISTS schema_migration_steps (
  scope varchar(191) NOT NULL,
  name varchar(191) NOT NULL,
  step int NOT NULL,
  PRIMARY KEY (scope, name, step)
) ENGINE=InnoDB DEFAULT CHARACTER SET ascii COLLATE ascii_bin`;
const noteFound = `INSERT INTO schema_migration_steps (scope, name, step) VALUES (?, ?, ?)`;
const findStanding = 'SELECT @@global.read_only AS is_replica';
const findTable = `SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = ?`;
const findColumn = `SELECT column_name FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = ? AND column_name = ?`;
const findProgress = `SELECT begun, done FROM schema_migrations WHERE scope = ? AND name = ?`;
const beginMigration = `INSERT INTO schema_migrations (scope, name, checksum, begun, done) VALUES (?, ?, ?, 0, 0)`;
const noteProgress = `UPDATE schema_migrations SET begun = ?, done = ? WHERE scope = ? AND name = ?`;
const finishMigration = `UPDATE schema_migrations SET applied_at = ? WHERE scope = ? AND name = ?`;
// The native server holds the same name in the same way. It is held by the connection, and so must be let go.
const holdName = `SELECT GET_LOCK(SHA2(CONCAT(DATABASE(), '.', ?), 256), 5) AS held`;
const letNamesGo = `DO RELEASE_ALL_LOCKS()`;

// https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html, which MariaDB shares
const conflicts = new Set([1062, 1586]);
// What a trigger raises, and what those say of a row whose time is another one's.
const RAISED = 1644;
const overlaps = 'overlaps with another row';
const references = new Set([1216, 1217, 1451, 1452]);
// Another transaction was in the way, or a table changed after its statement was prepared.
const collisions = new Set([1213, 1412, 1615]);
// Locks that were waited for in vain; a statement, a connection or a server that was stopped; no room; no changes taken.
const unavailable = new Set([...collisions, 1021, 1037, 1038, 1040, 1053, 1114, 1203, 1205, 1226, 1290, 1317, 1792, 1836, 1927, 1969, 3024, 4031]);
/** After these nobody else listens on the connection. */
const endings = new Set([1053, 1158, 1927, 4031]);
// The server takes no changes; it has no connection left, for anybody or for this user.
const READ_ONLY = 1290;
const crowded = new Set([1040, 1203, 1226]);
const late = new Map([
  [1205, 'lock_timeout'],
  [1969, 'statement_timeout'],
  [3024, 'statement_timeout'],
]);
// What is answered to a definition that was made before: a table, a column, an index, a trigger, a constraint that is there, or one
// that is gone.
const isSoAlready = new Set([1050, 1051, 1060, 1061, 1091, 1176, 1359, 1360, 1826, 3821, 3822, 3940]);

// Of the driver: the server has not answered in time.
const SILENCE = 'PROTOCOL_SEQUENCE_TIMEOUT';

// https://mariadb.com/kb/en/result-set-packets/#field-types
const LONGLONG = 8;
const DATETIME = 12;

/**
 * Connects, and waits for a server that is about to start.
 * @param {string} url `mysql://user:password@host:port/database`, of several hosts (`first,second`) the one that takes changes; `ssl-mode` and `ssl-ca` say how TLS is used
 * @param {URL} [folder] for engines whose databases are files
 * @param {Partial<typeof usualPool> & { startTimeout?: number }} [options]
 */
export async function openDatabase(url, folder, { startTimeout = START_TIMEOUT, ...bounds } = {}) {
  return started(new MySql(url, { ...usualPool, ...bounds }), startTimeout);
}

/** The statements of one connection. */
class Connection {
  locksRows = true;
  #client;
  #answerTimeout;
  #holdsNames = false;

  constructor(client, answerTimeout) {
    this.#client = client;
    this.#answerTimeout = answerTimeout;
  }

  async read(sql, values, columns = {}) {
    const [rows, fields] = await this.#execute(sql, values);
    const others = fields.filter(({ columnType }) => columnType === DATETIME || columnType === LONGLONG);
    return rows.map((row) => fromColumns(row, columns, others));
  }

  /** A conflict is asked once more: an insert that keeps the row that is there could not see the one that was stored meanwhile. */
  async write(sql, values) {
    const run = async () => (await this.#execute(sql, values))[0].affectedRows;
    try {
      return await run();
    } catch (error) {
      if (error.name !== 'conflict') throw error;
    }
    return run();
  }

  /** The key is part of what the server answers. */
  async insert(sql, values) {
    return (await this.#execute(sql, values))[0].insertId;
  }

  /** As long as it takes: a migration may have much to do. */
  async script(sql) {
    await this.#asked(() => this.#client.query({ sql }));
  }

  async transaction(work) {
    await this.command('START TRANSACTION');
    let result;
    try {
      result = await work(this);
      await (result instanceof Undone ? this.command('ROLLBACK') : this.#commit());
    } catch (error) {
      // Where it fails the connection is lost, and with it the transaction.
      await this.command('ROLLBACK').catch(() => {});
      throw error;
    } finally {
      if (this.#holdsNames) await this.#letGo();
    }
    return result;
  }

  async #commit() {
    try {
      await this.command('COMMIT');
    } catch (error) {
      // A server that says nothing may have committed it as well.
      throw error.isLost || error.late ? new Problem('unavailable', { uncertain: true }, { cause: error.cause }) : error;
    }
  }

  async hold(name) {
    this.#holdsNames = true;
    const [{ held }] = await this.read(holdName, [name]);
    if (held !== 1) throw new Problem('unavailable', { late: 'lock_timeout' }, { cause: new Error('a name was held by somebody else for too long') });
  }

  /** Names end with the connection where they cannot be let go. */
  async #letGo() {
    await this.command(letNamesGo).catch(() => this.#client.destroy());
    this.#holdsNames = false;
  }

  /** No key is ever unchecked. */
  async hasBrokenKey() {
    return false;
  }

  async hasLedger() {
    return (await this.read(findTable, ['schema_migrations'])).length > 0;
  }

  async hasColumn(table, column) {
    return (await this.read(findColumn, [table, column])).length > 0;
  }

  /**
   * Definitions are no part of a transaction: each statement is a step that stays. The ledger says how many are done and which one
   * was begun, so that whoever is ended is followed by the next, also by the native server.
   */
  async applySteps({ scope, name, checksum }, statements, isSuperfluous) {
    let [progress] = await this.read(findProgress, [scope, name]);
    if (!progress) {
      await this.write(beginMigration, [scope, name, checksum]);
      progress = { begun: 0, done: 0 };
    }
    for (const [index, statement] of statements.entries()) {
      if (index < progress.done) continue;
      await this.write(noteProgress, [index + 1, index, scope, name]);
      // Who ran it before was ended between the statement and its note.
      const wasBegun = progress.begun === index + 1;
      try {
        const isFound = (await isSuperfluous(statement)) || (await this.#finds(statement));
        if (isFound && !wasBegun) await this.write(noteFound, [scope, name, index]);
      } catch (error) {
        if (!wasBegun || !isSoAlready.has(error.errno)) throw error;
      }
      await this.write(noteProgress, [index + 1, index + 1, scope, name]);
    }
    await this.write(finishMigration, [new Date(), scope, name]);
  }

  /** Runs a statement. Whether it found what it would have made: `IF NOT EXISTS` says so in a note. */
  async #finds(statement) {
    const [{ warningStatus }] = await this.#asked(() => this.#client.query({ sql: statement }));
    if (!warningStatus || !/^CREATE /m.test(statement)) return false;
    const [notes] = await this.#asked(() => this.#client.query({ sql: 'SHOW WARNINGS' }));
    return notes.some(({ Code }) => isSoAlready.has(Code));
  }

  /** A word without values. */
  command(sql) {
    return this.#asked(() => this.#client.query({ sql, timeout: this.#answerTimeout }));
  }

  #execute(sql, values) {
    const asked = { sql: placed(sql, values), values: values.map(toColumn), timeout: this.#answerTimeout };
    return this.#asked(() => this.#client.execute(asked));
  }

  async #asked(ask) {
    try {
      return await ask();
    } catch (error) {
      throw translated(error);
    }
  }
}

function createPool(url, bounds) {
  const pool = mysql.createPool({
    ...place(url),
    connectionLimit: bounds.max,
    maxIdle: Math.min(bounds.min, bounds.max - 1),
    queueLimit: QUEUE_LIMIT,
    idleTimeout: bounds.idleTimeout,
    connectTimeout: bounds.acquireTimeout,
    enableKeepAlive: true,
    charset: 'utf8mb4',
    dateStrings: true,
    jsonStrings: true,
    supportBigNumbers: true,
    maxPreparedStatements: STATEMENT_LIMIT,
    multipleStatements: true,
  });
  const settings = sessionSettings(bounds);
  // Is answered before the first statement, on the same connection; one that could not be set up is not used.
  pool.on('connection', (client) => client.query(settings, (error) => error && client.destroy()));
  return pool;
}

class MySql {
  #places;
  #bounds;
  #patience;
  /** Connections that somebody works with. */
  #taken = 0;

  constructor(url, bounds) {
    this.#bounds = bounds;
    this.#patience = new Patience(bounds.acquireTimeout, isAway);
    this.#places = new Places(oneHostEach(url).map((one) => createPool(one, bounds)));
  }

  read(sql, values, columns) {
    return this.#patience.read(() => this.#connected((connection) => connection.read(sql, values, columns)));
  }

  /** A server that is away is not waited for. */
  ping(sql) {
    return this.#connected((connection) => connection.read(sql, []), { patience: 0 });
  }

  write(sql, values) {
    return this.#connected((connection) => connection.write(sql, values));
  }

  script(sql) {
    return this.#connected((connection) => connection.script(sql));
  }

  async transaction(work) {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#connected((connection) => connection.transaction(work));
      } catch (error) {
        if (attempt === ATTEMPTS || !(error.isLost || collisions.has(error.cause?.errno))) throw error;
      }
      await sleep(Math.random() * RETRY_PAUSE * attempt);
    }
  }

  hasLedger() {
    return this.#connected((connection) => connection.hasLedger());
  }

  /** On a connection that ends with the work, and with it whatever it held. */
  migrating(work) {
    return this.#connected(async (connection) => {
      await connection.script(migrationSettings);
      const [{ name }] = await connection.read(`SELECT DATABASE() AS name`, []);
      const lock = `producer_migration_${createHash('sha256').update(name).digest('hex').slice(0, 32)}`;
      const [{ held }] = await connection.read(lockMigrations, [lock, MIGRATION_LOCK_TIMEOUT]);
      if (held !== 1) throw new Error('another program has been migrating the database for a while');
      await connection.script(`${createLedger}; ${createFound}`);
      return work(connection);
    }, { isLast: true });
  }

  /** Makes the first connection, or says what keeps it from being made. */
  async start(timeout) {
    const deadline = performance.now() + timeout;
    for (;;) {
      try {
        await this.ping('SELECT 1');
        return;
      } catch ({ cause, message }) {
        if (!isAway(cause) || performance.now() + START_INTERVAL > deadline) {
          throw new Error(`the database cannot be reached: ${cause?.message || cause?.code || message}`, { cause });
        }
        await sleep(START_INTERVAL);
      }
    }
  }

  async close() {
    await this.#places.end();
  }

  /** @param {{ isLast?: boolean, patience?: number }} [how] whether the connection is no good for others afterwards */
  async #connected(work, { isLast = false, patience } = {}) {
    const client = await this.#patience.connection(() => this.#connect(), patience);
    this.#taken += 1;
    let isLost = isLast;
    try {
      return await work(new Connection(client, this.#bounds.statementTimeout + ANSWER_GRACE));
    } catch (error) {
      isLost ||= isEnd(error);
      throw error;
    } finally {
      this.#taken -= 1;
      if (isLost) client.destroy();
      else client.release();
    }
  }

  /** One that comes when nobody waits for it any more is given back. */
  async #connect() {
    const { pool } = this.#places;
    const client = await this.#free(pool);
    if (this.#places.mustLook(client.connection)) await this.#mustTakeChanges(client, pool);
    return client;
  }

  async #mustTakeChanges(client, pool) {
    try {
      const [[{ is_replica: isReplica }]] = await client.query(findStanding);
      if (isReplica) throw Object.assign(new Error('it is a replica, which takes no changes'), { errno: READ_ONLY });
    } catch (error) {
      client.destroy();
      this.#places.passOver(pool);
      throw new Problem('unavailable', {}, { cause: error });
    }
    this.#places.isPrimary(client.connection);
  }

  async #free(pool) {
    const coming = pool.getConnection();
    const patience = new AbortController();
    try {
      return await Promise.race([coming, sleep(this.#bounds.acquireTimeout, undefined, { signal: patience.signal }).then(tooLate)]);
    } catch (error) {
      coming.then((client) => client.release(), () => {});
      if (error.message === 'Queue limit reached.') throw new Problem('overloaded', { busy: true });
      const reason = this.#taken >= this.#bounds.max ? 'pool_exhausted' : undefined;
      if (!reason) this.#places.passOver(pool);
      throw new Problem('unavailable', { late: reason }, { cause: error });
    } finally {
      patience.abort();
    }
  }
}

// Less than a statement may take, or that would be said instead. The server counts whole seconds.
function lockSeconds(statementTimeout) {
  return Math.max(1, Math.floor(Math.min(statementTimeout / 2, LOCK_TIMEOUT) / 1000));
}

function tooLate() {
  throw new Error('no connection of the pool was free in time');
}

function place(text) {
  const { protocol, hostname, port, username, password, pathname, searchParams } = URL.canParse(text) ? new URL(text) : {};
  if (!['mysql:', 'mariadb:'].includes(protocol) || !hostname || pathname.length < 2) {
    throw new Error('`DATABASE_URL` must be `mysql://user:password@host:port/database`');
  }
  return {
    host: hostname.replace(/^\[|\]$/g, ''),
    port: Number(port || 3306),
    user: decodeURIComponent(username),
    password: decodeURIComponent(password),
    database: decodeURIComponent(pathname.slice(1)),
    ssl: encryption(searchParams),
  };
}

/** As the server's own programs understand `ssl-mode` and `ssl-ca`. */
function encryption(parameters) {
  const file = parameters.get('ssl-ca');
  const mode = (parameters.get('ssl-mode') ?? (file ? 'VERIFY_IDENTITY' : 'DISABLED')).toUpperCase();
  const ca = file ? readFileSync(file) : undefined;
  switch (mode) {
    case 'DISABLED':
    case 'PREFERRED':
      return undefined;
    case 'REQUIRED':
      return { rejectUnauthorized: false };
    case 'VERIFY_CA':
      return { ca, rejectUnauthorized: true };
    case 'VERIFY_IDENTITY':
      return { ca, rejectUnauthorized: true, verifyIdentity: true };
    default:
      throw new Error('`ssl-mode` must be `DISABLED`, `PREFERRED`, `REQUIRED`, `VERIFY_CA` or `VERIFY_IDENTITY`');
  }
}

/**
 * The statement in the server's own words: nothing in it is a text, so every quote is that of a name. A decimal number is made one
 * before anything is compared with it: the server compares a text with a number as doubles.
 */
function placed(sql, values) {
  let count = 0;
  return sql
    .replaceAll('"', '`')
    .replace(/ ON CONFLICT \(\w+\) DO UPDATE SET /, ' ON DUPLICATE KEY UPDATE ')
    .replace(/\bexcluded\.(\w+)/g, 'VALUES($1)')
    .replaceAll('?', () => {
      const value = values[(count += 1) - 1];
      return value instanceof Decimal ? `CAST(? AS DECIMAL(15,${value.scale}))` : '?';
    });
}

// Times are texts without the zone, which is UTC. A field of a record of changes that was not given is `undefined`.
function toColumn(value) {
  if (value === undefined || value === null) return null;
  if (value instanceof Date) return value.toISOString().slice(0, -1);
  if (value instanceof Decimal) return String(value);
  return typeof value === 'object' ? JSON.stringify(value) : value;
}

function fromColumns(row, columns, others) {
  for (const { name, columnType } of others) {
    const value = row[name];
    if (value === null) continue;
    if (columnType === DATETIME) row[name] = timeInUtc(value);
    else if (typeof value === 'string') throw new RangeError(`JavaScript does not keep the number ${value} exactly`);
  }
  for (const [name, { kind, scale }] of Object.entries(columns)) {
    const value = row[name];
    if (value === null || value === undefined) continue;
    if (kind === 'boolean') row[name] = value !== 0;
    if (kind === 'decimal') row[name] = decimal(value, scale);
    if (kind === 'json') row[name] = JSON.parse(value);
  }
  return row;
}

// `2026-01-02 03:04:05.670`
function timeInUtc(text) {
  const [, day, time, fraction = ''] = /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(?:\.(\d+))?$/.exec(text) ?? [];
  return day === undefined ? text : `${day}T${time}.${fraction.slice(0, 3).padEnd(3, '0')}Z`;
}

function decimal(text, scale) {
  const { value } = parseDecimal(text, scale);
  if (value === undefined) throw new RangeError(`the number ${text} has more digits than are kept exactly`);
  return value;
}

function translated(error) {
  const { errno, sqlState } = error;
  // Of this program, and not of the server or the way to it.
  if (error instanceof RangeError || error instanceof TypeError) return error;
  if (conflicts.has(errno)) return new Problem('conflict', {}, { cause: error });
  if (errno === RAISED && error.message.endsWith(overlaps)) return new Problem('overlap', {}, { cause: error });
  if (references.has(errno)) return new Problem('in_use', {}, { cause: error });
  if (error.code === SILENCE) return new Problem('unavailable', { late: 'statement_timeout' }, { cause: error });
  if (hasEnded(error)) return new Problem('unavailable', { isLost: true }, { cause: error });
  return unavailable.has(errno) ? new Problem('unavailable', { late: late.get(errno) }, { cause: error }) : error;
}

function hasEnded({ sqlState, fatal, errno }) {
  return typeof sqlState !== 'string' || fatal === true || endings.has(errno);
}

/** Whether the connection is of no more use. */
function isEnd(error) {
  const { cause } = error;
  if (!(error instanceof Problem) || cause === undefined) return false;
  return hasEnded(cause);
}

// A server that does not listen yet, is not known by its name yet, or is ending.
function isStarting(error) {
  const codes = [error, ...(error?.errors ?? [])].map((one) => one?.code);
  return ['ECONNREFUSED', 'ENOENT', 'EAI_AGAIN', 'ENOTFOUND', 'ECONNRESET', 'PROTOCOL_CONNECTION_LOST'].some((code) => codes.includes(code));
}

/** The same, or it has no connection left for the moment, or becomes the primary soon. */
function isAway(error) {
  return isStarting(error) || crowded.has(error?.errno) || error?.errno === READ_ONLY;
}
