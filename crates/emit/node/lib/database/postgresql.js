// The PostgreSQL database of an application: a pool of connections, prepared statements, transactions that are run again where
// they collide. What PostgreSQL reports becomes a Problem where the caller can act on it. Values come back exactly as they do
// from any other engine: times in UTC with milliseconds, decimal numbers as such. Nothing here repeats the URL, which holds a
// password.

import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { Undone, started } from '../database.js';
import { Decimal, parseDecimal } from '../decimal.js';
import { logError, logWarning } from '../log.js';
import { Problem } from '../problem.js';
import { Patience } from './patience.js';
import { oneHostEach, Places } from './places.js';
import { connectWithin, findWritten, Replicas } from './replicas.js';

/**
 * The connections of a program; those of all programs together stay below the server's `max_connections`. Times are in
 * milliseconds: how long a connection stays open without work, how long somebody waits for one, how long a statement may take. A `planBudget` is the
 * most that the plan of a read may cost; with `readReplicas` reads go to the replicas among the hosts.
 */
const usualPool = { min: 0, max: 10, idleTimeout: 30_000, acquireTimeout: 5000, statementTimeout: 10_000 };
// Milliseconds. The server gives a statement up in its time; where it does not answer at all, the application does so later.
const ANSWER_GRACE = 2000;
// Nobody waits longer than that for somebody else's lock: everybody else would wait behind it.
const LOCK_TIMEOUT = 5000;
// How often somebody else's migrating is waited for. Asked again and again: who waits in a statement would be waited for by an
// index that is made meanwhile.
const LOCK_TRIES = 100;
const LOCK_PAUSE = 200;
// How long a server that is about to start is waited for, and how often it is asked.
const START_TIMEOUT = 30_000;
const START_INTERVAL = 500;
// Requests that may wait for a connection; more are refused at once.
const QUEUE_LIMIT = 1000;
// Statements that get a name and stay prepared; lists are composed at request time, in many forms.
const STATEMENT_LIMIT = 500;
// How often a transaction is begun that collides with another one, and how long it keeps out of the other's way at most.
const ATTEMPTS = 4;
const RETRY_PAUSE = 50;
/** Of all this product's programs the one that migrates; the native server takes the same lock. */
const MIGRATION_LOCK = 5241713205;

/** Whose rows a session is about that says nothing else: those of all users. */
const ALL_USERS = '*';
const tellWhose = `SELECT set_config('app.user_id', ?, false) AS whose`;

const sessionSettings = ({ statementTimeout }) =>
  `SET TimeZone = 'UTC'; SET DateStyle = 'ISO'; SET app.user_id = '${ALL_USERS}'; SET statement_timeout = ${statementTimeout}; SET lock_timeout = ${Math.min(statementTimeout / 2, LOCK_TIMEOUT)}; SET idle_in_transaction_session_timeout = ${statementTimeout}`;
// A statement that runs alone keeps nobody waiting, and may wait itself.
const migrationSettings = `SET lock_timeout = ${LOCK_TIMEOUT}; SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0`;
const lockMigrations = `SELECT pg_try_advisory_lock(${MIGRATION_LOCK}) AS held`;
const createLedger = `CREATE TABLE IF NOT EXISTS schema_migrations (scope text NOT NULL, name text NOT NULL, checksum text NOT NULL, applied_at timestamp with time zone NOT NULL, PRIMARY KEY (scope, name))`;
const createSteps = `CREATE TABLE IF NOT EXISTS schema_migration_steps (entry bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, scope text NOT NULL, name text NOT NULL, checksum text NOT NULL, step integer NOT NULL, event text NOT NULL, at timestamp with time zone NOT NULL)`;
const findStanding = 'SELECT pg_is_in_recovery() AS is_replica';
const findLedger = `SELECT to_regclass('schema_migrations') AS name`;
const findColumn = `SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(?) AND attname = ? AND NOT attisdropped`;
// The native server takes the same lock for the same name.
const holdName = `SELECT 1 AS held FROM pg_advisory_xact_lock(hashtextextended(?, 0))`;

// https://www.postgresql.org/docs/current/errcodes-appendix.html
const RESTRICT_VIOLATION = '23001';
const FOREIGN_KEY_VIOLATION = '23503';
const EXCLUSION_VIOLATION = '23P01';
const UNIQUE_VIOLATION = '23505';
const SERIALIZATION_FAILURE = '40001';
const DEADLOCK = '40P01';
const LOCK_NOT_AVAILABLE = '55P03';
const READ_ONLY = '25006';
const QUERY_CANCELED = '57014';
const TOO_MANY_CONNECTIONS = '53300';
// Connections, resources, whoever operates the server, the system beneath it.
const unavailableClasses = new Set(['08', '53', '57', '58']);
const unavailable = new Set([SERIALIZATION_FAILURE, DEADLOCK, LOCK_NOT_AVAILABLE, READ_ONLY]);
const collisions = new Set([SERIALIZATION_FAILURE, DEADLOCK]);
const late = new Map([
  [QUERY_CANCELED, 'statement_timeout'],
  [LOCK_NOT_AVAILABLE, 'lock_timeout'],
]);

/**
 * Connects, and waits for a server that is about to start.
 * @param {string} url `postgresql://user:password@host:port/database`, of several hosts (`first,second`) the one that takes changes; `sslmode` and `sslrootcert` say how TLS is used
 * @param {URL} [folder] for engines whose databases are files
 * @param {Partial<typeof usualPool> & { startTimeout?: number }} [options]
 */
export async function openDatabase(url, folder, { startTimeout = START_TIMEOUT, ...bounds } = {}) {
  return started(new PostgreSql(url, { ...usualPool, ...bounds }), startTimeout);
}

function createPool(url, parameters, bounds) {
  const pool = new pg.Pool({
    // Of a parameter that stands there twice the last one counts. Without the first of them the driver has a meaning of its own
    // for the words of `sslmode`; with it they mean what they mean to PostgreSQL's programs.
    connectionString: `${url}${url.includes('?') ? '&' : '?'}uselibpqcompat=true${parameters}`,
    min: Math.min(bounds.min, bounds.max),
    max: bounds.max,
    connectionTimeoutMillis: bounds.acquireTimeout,
    idleTimeoutMillis: bounds.idleTimeout,
    keepAlive: true,
    application_name: process.env.npm_package_name ?? 'node',
    types: { getTypeParser },
  });
  const settings = sessionSettings(bounds);
  // A connection that breaks while nobody uses it is replaced; unheard, its error would end the process.
  pool.on('error', (error) => logError('an idle connection to the database broke', error));
  // Is answered before the first statement, on the same connection; a connection that breaks here breaks for that as well.
  pool.on('connect', (client) => client.query(settings).catch(() => {}));
  return pool;
}

/** Whose rows the sessions are about that were told so. */
const abouts = new WeakMap();

/** The statements of one connection. */
class Connection {
  locksRows = true;
  #client;
  #prepared;
  #answerTimeout;

  constructor(client, prepared, answerTimeout) {
    this.#client = client;
    this.#prepared = prepared;
    this.#answerTimeout = answerTimeout;
  }

  async read(sql, values) {
    return (await this.#query(this.#statement(sql, values))).rows;
  }

  /** What the whole of a plan costs: `Limit  (cost=0.15..3.98 rows=51 width=24)`. */
  async cost(sql, values) {
    const [whole] = await this.read(`EXPLAIN ${sql}`, values);
    return Number(/cost=[\d.]+\.\.(\d+(?:\.\d+)?)/.exec(whole['QUERY PLAN'])?.[1] ?? 0);
  }

  async write(sql, values) {
    return (await this.#query(this.#statement(sql, values))).rowCount;
  }

  /** The statement returns the key alone. */
  async insert(sql, values) {
    const [row] = await this.read(sql, values);
    return Object.values(row)[0];
  }

  /** Has the session be about the rows of one user, or of all, where it is not yet. */
  async about(user) {
    if (this.#isAbout(user)) return;
    // Until it has answered nobody knows.
    abouts.set(this.#client, null);
    await this.read(tellWhose, [user]);
    abouts.set(this.#client, user);
  }

  #isAbout(user) {
    return (abouts.has(this.#client) ? abouts.get(this.#client) : ALL_USERS) === user;
  }

  /** As long as it takes: a migration may have much to do. */
  script(sql) {
    return this.#query({ text: sql });
  }

  /** @param {string} user whose rows it is about */
  async transaction(work, user) {
    const tell = this.#isAbout(user) ? '' : `; SET LOCAL app.user_id = ${pg.escapeLiteral(user)}`;
    await this.command(`BEGIN${tell}`);
    let result;
    try {
      result = await work(this);
    } catch (error) {
      // Where it fails the connection is lost, and with it the transaction.
      await this.command('ROLLBACK').catch(() => {});
      throw error;
    }
    const { command } = await (result instanceof Undone ? this.command('ROLLBACK') : this.#commit());
    // What PostgreSQL does where a statement failed and nobody heard of it.
    if (command === 'ROLLBACK' && !(result instanceof Undone)) throw new Error('a statement of the transaction had failed');
    return result;
  }

  async #commit() {
    try {
      return await this.command('COMMIT');
    } catch (error) {
      throw error.isLost ? new Problem('unavailable', { uncertain: true }, { cause: error.cause }) : error;
    }
  }

  async hasLedger() {
    const [{ name }] = await this.read(findLedger, []);
    return name !== null;
  }

  async prepareSteps() {
    await this.script(createSteps);
  }

  /** A word without values. */
  command(sql) {
    return this.#query({ text: sql, query_timeout: this.#answerTimeout });
  }

  async hold(name) {
    await this.read(holdName, [name]);
  }

  /** No key is ever unchecked. */
  async hasBrokenKey() {
    return false;
  }

  async hasColumn(table, column) {
    return (await this.read(findColumn, [table, column])).length > 0;
  }

  async #query(query) {
    try {
      return await this.#client.query(query);
    } catch (error) {
      throw translated(error);
    }
  }

  #statement(sql, values) {
    let known = this.#prepared.get(sql);
    if (!known) {
      const hasRoom = this.#prepared.size < STATEMENT_LIMIT;
      known = { text: numbered(sql), ...(hasRoom && { name: `s${this.#prepared.size}` }) };
      if (hasRoom) this.#prepared.set(sql, known);
    }
    return { ...known, values: values.map(toColumn), query_timeout: this.#answerTimeout };
  }
}

class PostgreSql {
  #url;
  #bounds;
  #places;
  #replicas;
  #patience;
  /** Connections that somebody works with. */
  #taken = 0;
  /** Statement -> its text and its name, the same on every connection. */
  #prepared = new Map();

  constructor(url, bounds) {
    if (!/^postgres(?:ql)?:\/\//.test(url)) throw new Error('`DATABASE_URL` must be `postgresql://user:password@host:port/database`');
    this.#url = url;
    this.#bounds = bounds;
    this.#patience = new Patience(bounds.acquireTimeout, isAway);
    this.#places = this.#open(this.#prefersTls() ? '&sslmode=prefer' : '');
  }

  #open(parameters) {
    if (this.#bounds.readReplicas && oneHostEach(this.#url).length > 1) {
      const bounds = { ...this.#bounds, acquireTimeout: connectWithin };
      this.#replicas = new Replicas(oneHostEach(this.#url).map((url) => createPool(url, parameters, bounds)));
    }
    return new Places(oneHostEach(this.#url).map((url) => createPool(url, parameters, this.#bounds)));
  }

  read(sql, values) {
    return this.#read(ALL_USERS, sql, values);
  }

  async #read(user, sql, values) {
    const { planBudget } = this.#bounds;
    const asked = (work) => this.#patience.read(() => this.#about(user, work));
    if (planBudget !== undefined) mustBeWithin(planBudget, await asked((connection) => connection.cost(sql, values)));
    return (await this.#fromReplica(user, sql, values)) ?? asked((connection) => connection.read(sql, values));
  }

  /** The rows as a replica has them that knows all that was committed before; `undefined` where none does. */
  async #fromReplica(user, sql, values) {
    if (this.#replicas === undefined || this.#replicas.rests) return undefined;
    let client;
    let broken;
    try {
      const [{ written }] = await this.#about(ALL_USERS, (connection) => connection.read(findWritten, []));
      client = await this.#replicas.knowing(written);
      if (client === undefined) return undefined;
      const connection = new Connection(client, this.#prepared, this.#bounds.statementTimeout + ANSWER_GRACE);
      await connection.about(user);
      return await connection.read(sql, values);
    } catch (error) {
      broken = isLost(error) ? error : undefined;
      // It went away, or had to give the read up for what came from the server that takes changes.
      if (error instanceof Problem && !error.late) return undefined;
      throw error;
    } finally {
      client?.release(broken);
    }
  }

  /** A server that is away is not waited for. */
  ping(sql) {
    return this.#connected((connection) => connection.read(sql, []), { patience: 0 });
  }

  write(sql, values) {
    return this.#about(ALL_USERS, (connection) => connection.write(sql, values));
  }

  /** What reads, and what its transactions do, is about the rows of this user alone. */
  of(user) {
    return {
      read: (sql, values) => this.#read(user, sql, values),
      transaction: (work) => this.#transaction(work, user),
    };
  }

  script(sql) {
    return this.#about(ALL_USERS, (connection) => connection.script(sql));
  }

  transaction(work) {
    return this.#transaction(work, ALL_USERS);
  }

  async #transaction(work, user) {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#connected((connection) => connection.transaction(work, user));
      } catch (error) {
        if (attempt === ATTEMPTS || !(error.isLost || collisions.has(error.cause?.code))) throw error;
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
      for (let count = 0; !(await connection.read(lockMigrations, []))[0].held; count += 1) {
        if (count === LOCK_TRIES) throw new Error('another program has been migrating the database for a while');
        await sleep(LOCK_PAUSE);
      }
      await connection.script(createLedger);
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
        if (this.#prefersTls() && /does not support SSL/.test(cause?.message)) {
          await this.close();
          this.#places = this.#open('&sslmode=disable');
        } else if (!isAway(cause) || performance.now() + START_INTERVAL > deadline) {
          throw new Error(`the database cannot be reached: ${reasonOf(cause) ?? message}`, { cause });
        } else {
          await sleep(START_INTERVAL);
        }
      }
    }
  }

  /** TLS where the server has it, which is what a URL says that does not speak of it. */
  #prefersTls() {
    return !/[?&]sslmode=(?!prefer|allow)/.test(this.#url);
  }

  async close() {
    await this.#replicas?.end();
    await this.#places.end();
  }

  #about(user, work) {
    return this.#connected(async (connection) => {
      await connection.about(user);
      return work(connection);
    });
  }

  /** @param {{ isLast?: boolean, patience?: number }} [how] whether the connection is no good for others afterwards */
  async #connected(work, { isLast = false, patience } = {}) {
    const client = await this.#patience.connection(() => this.#connect(), patience);
    this.#taken += 1;
    // One that breaks while it is used says so to whoever uses it, and besides as an event, which must be heard.
    let broken;
    const onError = (error) => {
      broken = error;
    };
    client.on('error', onError);
    try {
      return await work(new Connection(client, this.#prepared, this.#bounds.statementTimeout + ANSWER_GRACE));
    } catch (error) {
      if (isLost(error)) broken ??= error;
      throw error;
    } finally {
      client.off('error', onError);
      this.#taken -= 1;
      client.release(broken ?? isLast);
    }
  }

  async #connect() {
    const { pool } = this.#places;
    if (pool.waitingCount >= QUEUE_LIMIT) throw new Problem('overloaded', { busy: true });
    try {
      const client = await pool.connect();
      if (this.#places.mustLook(client)) await this.#mustTakeChanges(client);
      return client;
    } catch (error) {
      const late = this.#taken >= this.#bounds.max ? 'pool_exhausted' : undefined;
      if (!late) this.#places.passOver(pool);
      throw new Problem('unavailable', { late }, { cause: error });
    }
  }

  async #mustTakeChanges(client) {
    try {
      const { rows } = await client.query(findStanding);
      if (rows[0].is_replica) throw Object.assign(new Error('it is a replica, which takes no changes'), { code: READ_ONLY });
    } catch (error) {
      client.release(error);
      throw error;
    }
    this.#places.isPrimary(client);
  }
}

/** The statement with `$1`, `$2` ... : values are bound and names have none, so every question mark is a placeholder. */
function numbered(sql) {
  let count = 0;
  return sql.replaceAll('?', () => `$${(count += 1)}`);
}

// As text, which PostgreSQL reads as whatever type the statement needs there. A field of a record of changes that was not given
// is `undefined`. No text of PostgreSQL holds U+0000: such a value is equal to none, as null is.
function toColumn(value) {
  if (value === undefined || value === null) return null;
  if (typeof value === 'string') return value.includes('\0') ? null : value;
  if (value instanceof Date) return value.toISOString();
  return typeof value === 'object' && !(value instanceof Decimal) ? JSON.stringify(value) : String(value);
}

// Object ids of types, https://github.com/postgres/postgres/blob/master/src/include/catalog/pg_type.dat
const parsers = new Map([
  [16, (text) => text === 't'],
  [20, safeInteger],
  [21, Number],
  [23, Number],
  [114, JSON.parse],
  [1184, timeInUtc],
  [1700, decimal],
  [3802, JSON.parse],
]);

/** The driver asks it for every column. What is not known stays as PostgreSQL writes it. */
function getTypeParser(type) {
  return parsers.get(type) ?? String;
}

function safeInteger(text) {
  const number = Number(text);
  if (!Number.isSafeInteger(number)) throw new RangeError(`JavaScript does not keep the number ${text} exactly`);
  return number;
}

// `2026-01-02 03:04:05.67+00`
function timeInUtc(text) {
  const [, day, time, fraction = ''] = /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(?:\.(\d+))?\+00$/.exec(text) ?? [];
  return day === undefined ? text : `${day}T${time}.${fraction.slice(0, 3).padEnd(3, '0')}Z`;
}

// A column's values have all its decimals.
function decimal(text) {
  const { value } = parseDecimal(text, text.split('.')[1]?.length ?? 0);
  if (value === undefined) throw new RangeError(`the number ${text} has more digits than are kept exactly`);
  return value;
}

function translated(error) {
  const { code = '' } = error;
  // Of a parser below.
  if (error instanceof RangeError) return error;
  if (error.message === 'Query read timeout') return new Problem('unavailable', { late: 'statement_timeout' }, { cause: error });
  if (!(error instanceof pg.DatabaseError) || isEnd(error)) return new Problem('unavailable', { isLost: true }, { cause: error });
  if (code === UNIQUE_VIOLATION) return new Problem('conflict', {}, { cause: error });
  if (code === EXCLUSION_VIOLATION) return new Problem('overlap', {}, { cause: error });
  if (code === FOREIGN_KEY_VIOLATION || code === RESTRICT_VIOLATION) return new Problem('in_use', {}, { cause: error });
  const isUnavailable = unavailable.has(code) || unavailableClasses.has(code.slice(0, 2));
  return isUnavailable ? new Problem('unavailable', { late: late.get(code) }, { cause: error }) : error;
}

/** Whether a read may be begun that the plan of it is estimated to cost so much. */
function mustBeWithin(budget, estimate) {
  if (estimate <= budget) return;
  logWarning('a read is over its budget', { estimate: Math.round(estimate), budget });
  throw new Problem('unavailable', { late: 'plan_over_budget' });
}

function isEnd({ severity }) {
  return severity === 'FATAL' || severity === 'PANIC';
}

/** Whether the connection is of no more use. */
function isLost(error) {
  const { cause } = error;
  if (!(error instanceof Problem) || cause === undefined) return false;
  return !(cause instanceof pg.DatabaseError) || isEnd(cause);
}

// A server that does not listen yet, is not known by its name yet, or says that it is starting up.
function isStarting(error) {
  const codes = [error, ...(error?.errors ?? [])].map((one) => one?.code);
  return ['ECONNREFUSED', 'ENOENT', 'EAI_AGAIN', 'ENOTFOUND', 'ECONNRESET', '57P03'].some((code) => codes.includes(code));
}

/** The same, or it has no connection left for the moment, becomes the primary soon, or hung up while it let us in. */
function isAway(error) {
  return isStarting(error) || [TOO_MANY_CONNECTIONS, READ_ONLY].includes(error?.code) || error?.message === 'Connection terminated unexpectedly';
}

function reasonOf(error) {
  return error?.message || error?.errors?.[0]?.message || error?.code;
}
