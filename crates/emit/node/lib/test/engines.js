// The engines that the lib is tried on, and an empty database on each for one test: of SQLite a file, of PostgreSQL a schema, of
// MySQL or MariaDB a database.

import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';

const serverUrl = process.env.TEST_POSTGRESQL_URL;
const mysqlUrl = process.env.TEST_MYSQL_URL;

/** The tables of an application that integrates a service, as the engine's migrations make them. */
const sqliteDeliveries = `
  ALTER TABLE outbox_events ADD COLUMN dispatched_at TEXT;
  CREATE TABLE schema_migrations (scope TEXT NOT NULL, name TEXT NOT NULL, checksum TEXT NOT NULL, applied_at TEXT NOT NULL, PRIMARY KEY (scope, name)) STRICT;
  CREATE TABLE outbox_deliveries (id TEXT PRIMARY KEY NOT NULL, event_id TEXT NOT NULL, event TEXT NOT NULL, integration TEXT NOT NULL, provider TEXT NOT NULL, priority INTEGER NOT NULL, order_key TEXT, state TEXT NOT NULL, attempts INTEGER NOT NULL, due_at TEXT NOT NULL, lease TEXT, leased_at TEXT, leased_until TEXT, in_doubt INTEGER NOT NULL, progress TEXT, problem TEXT, created_at TEXT NOT NULL, tried_since TEXT NOT NULL, ended_at TEXT, UNIQUE (event_id, integration)) STRICT;
  CREATE TABLE outbox_attempts (id TEXT PRIMARY KEY NOT NULL, delivery_id TEXT NOT NULL, started_at TEXT NOT NULL, ended_at TEXT NOT NULL, outcome TEXT NOT NULL, code TEXT, problem TEXT, record TEXT) STRICT;
  CREATE TABLE inbox_events (id TEXT PRIMARY KEY NOT NULL, integration TEXT NOT NULL, received_at TEXT NOT NULL, body TEXT) STRICT;
  CREATE TABLE outbox_remembered (integration TEXT NOT NULL, name TEXT NOT NULL, whose TEXT NOT NULL, value TEXT NOT NULL, updated_at TEXT NOT NULL, PRIMARY KEY (integration, name, whose)) STRICT`;
const postgresqlDeliveries = `
  ALTER TABLE outbox_events ADD COLUMN dispatched_at timestamp(3) with time zone;
  CREATE TABLE schema_migrations (scope text NOT NULL, name text NOT NULL, checksum text NOT NULL, applied_at timestamp(3) with time zone NOT NULL, PRIMARY KEY (scope, name));
  CREATE TABLE outbox_deliveries (id uuid PRIMARY KEY, event_id uuid NOT NULL, event text NOT NULL, integration text NOT NULL, provider text NOT NULL, priority bigint NOT NULL, order_key text, state text NOT NULL, attempts bigint NOT NULL, due_at timestamp(3) with time zone NOT NULL, lease uuid, leased_at timestamp(3) with time zone, leased_until timestamp(3) with time zone, in_doubt boolean NOT NULL, progress jsonb, problem text, created_at timestamp(3) with time zone NOT NULL, tried_since timestamp(3) with time zone NOT NULL, ended_at timestamp(3) with time zone, UNIQUE (event_id, integration));
  CREATE TABLE outbox_attempts (id uuid PRIMARY KEY, delivery_id uuid NOT NULL, started_at timestamp(3) with time zone NOT NULL, ended_at timestamp(3) with time zone NOT NULL, outcome text NOT NULL, code text, problem text, record jsonb);
  CREATE TABLE inbox_events (id uuid PRIMARY KEY, integration text NOT NULL, received_at timestamp(3) with time zone NOT NULL, body jsonb);
  CREATE TABLE outbox_remembered (integration text NOT NULL, name text NOT NULL, whose text NOT NULL, value jsonb NOT NULL, updated_at timestamp(3) with time zone NOT NULL, PRIMARY KEY (integration, name, whose))`;
const mysqlDeliveries = `
  ALTER TABLE outbox_events ADD COLUMN dispatched_at datetime(3);
  CREATE TABLE schema_migrations (scope varchar(191) NOT NULL, name varchar(191) NOT NULL, checksum char(64) NOT NULL, begun int NOT NULL DEFAULT 0, done int NOT NULL DEFAULT 0, applied_at datetime(3), PRIMARY KEY (scope, name));
  CREATE TABLE outbox_deliveries (id char(36) CHARACTER SET ascii PRIMARY KEY, event_id char(36) CHARACTER SET ascii NOT NULL, event varchar(63) NOT NULL, integration varchar(100) NOT NULL, provider varchar(63) NOT NULL, priority bigint NOT NULL, order_key varchar(64), state varchar(20) NOT NULL, attempts bigint NOT NULL, due_at datetime(3) NOT NULL, lease char(36) CHARACTER SET ascii, leased_at datetime(3), leased_until datetime(3), in_doubt tinyint(1) NOT NULL, progress json, problem text, created_at datetime(3) NOT NULL, tried_since datetime(3) NOT NULL, ended_at datetime(3), UNIQUE (event_id, integration), KEY (integration, state), KEY (order_key), KEY (state, leased_until));
  CREATE TABLE outbox_attempts (id char(36) CHARACTER SET ascii PRIMARY KEY, delivery_id char(36) CHARACTER SET ascii NOT NULL, started_at datetime(3) NOT NULL, ended_at datetime(3) NOT NULL, outcome varchar(20) NOT NULL, code varchar(200), problem text, record json);
  CREATE TABLE inbox_events (id char(36) CHARACTER SET ascii PRIMARY KEY, integration varchar(64) NOT NULL, received_at datetime(3) NOT NULL, body json);
  CREATE TABLE outbox_remembered (integration varchar(100) NOT NULL, name varchar(63) NOT NULL, whose varchar(64) NOT NULL, value json NOT NULL, updated_at datetime(3) NOT NULL, PRIMARY KEY (integration, name, whose))`;

/** The tables of every application, as the engine's migrations make them. */
const sqliteTables = `
  CREATE TABLE outbox_events (id TEXT PRIMARY KEY NOT NULL, name TEXT NOT NULL, payload TEXT NOT NULL, occurred_at TEXT NOT NULL) STRICT;
  CREATE TABLE api_keys (id TEXT PRIMARY KEY NOT NULL, name TEXT NOT NULL, hint TEXT NOT NULL, hash TEXT NOT NULL UNIQUE, created_at TEXT NOT NULL, revoked_at TEXT, expires_at TEXT, scopes TEXT, last_used_at TEXT, replaces TEXT, caller TEXT) STRICT;
  CREATE TABLE idempotency_answers (id TEXT NOT NULL PRIMARY KEY, claim TEXT NOT NULL UNIQUE, fingerprint TEXT NOT NULL, status INTEGER NOT NULL, headers TEXT NOT NULL, body TEXT) STRICT`;
const postgresqlTables = `
  CREATE TABLE outbox_events (id uuid PRIMARY KEY, name text NOT NULL, payload jsonb NOT NULL, occurred_at timestamp(3) with time zone NOT NULL);
  CREATE TABLE api_keys (id uuid PRIMARY KEY, name text NOT NULL, hint text NOT NULL, hash text NOT NULL UNIQUE, created_at timestamp(3) with time zone NOT NULL, revoked_at timestamp(3) with time zone, expires_at timestamp(3) with time zone, scopes text, last_used_at timestamp(3) with time zone, replaces uuid, caller uuid);
  CREATE TABLE idempotency_answers (id uuid PRIMARY KEY, claim text NOT NULL UNIQUE, fingerprint text NOT NULL, status bigint NOT NULL, headers jsonb NOT NULL, body text)`;
const mysqlTables = `
  CREATE TABLE outbox_events (id char(36) CHARACTER SET ascii PRIMARY KEY, name varchar(63) NOT NULL, payload json NOT NULL, occurred_at datetime(3) NOT NULL);
  CREATE TABLE api_keys (id char(36) CHARACTER SET ascii PRIMARY KEY, name varchar(100) NOT NULL, hint varchar(8) NOT NULL, hash varchar(64) NOT NULL UNIQUE, created_at datetime(3) NOT NULL, revoked_at datetime(3), expires_at datetime(3), scopes text, last_used_at datetime(3), replaces char(36) CHARACTER SET ascii, caller char(36) CHARACTER SET ascii);
  CREATE TABLE idempotency_answers (id char(36) CHARACTER SET ascii PRIMARY KEY, claim varchar(64) NOT NULL UNIQUE, fingerprint varchar(64) NOT NULL, status bigint NOT NULL, headers json NOT NULL, body mediumtext)`;

export const sqlite = {
  name: 'SQLite',
  module: new URL('../database/sqlite.js', import.meta.url).href,
  skip: false,
  tables: sqliteTables,
  deliveries: sqliteDeliveries,
  async place(context) {
    return `file:${join(temporaryFolder(context), 'app.sqlite')}`;
  },
};

export const postgresql = {
  name: 'PostgreSQL',
  module: new URL('../database/postgresql.js', import.meta.url).href,
  skip: serverUrl ? false : 'TEST_POSTGRESQL_URL names no server',
  tables: postgresqlTables,
  deliveries: postgresqlDeliveries,
  async place(context) {
    const schema = `lib_test_${randomBytes(8).toString('hex')}`;
    const { openDatabase } = await import(this.module);
    const owner = await openDatabase(serverUrl, undefined, { max: 1 });
    await owner.script(`CREATE SCHEMA ${schema}`);
    atEnd(context, async () => {
      await owner.script(`DROP SCHEMA ${schema} CASCADE`);
      await owner.close();
    });
    return within(serverUrl, { options: `-c search_path=${schema}` });
  },
};

export const mysql = {
  name: 'MySQL or MariaDB',
  module: new URL('../database/mysql.js', import.meta.url).href,
  skip: mysqlUrl ? false : 'TEST_MYSQL_URL names no server',
  tables: mysqlTables,
  deliveries: mysqlDeliveries,
  async place(context) {
    const name = `lib_test_${randomBytes(8).toString('hex')}`;
    const { openDatabase } = await import(this.module);
    const owner = await openDatabase(mysqlUrl, undefined, { max: 1 });
    // Texts are compared as in the tables of migrations.
    await owner.script(`CREATE DATABASE ${name} CHARACTER SET utf8mb4 COLLATE /*M! utf8mb4_nopad_bin */ /*!80017 utf8mb4_0900_bin */`);
    atEnd(context, async () => {
      await owner.script(`DROP DATABASE ${name}`);
      await owner.close();
    });
    return Object.assign(new URL(mysqlUrl), { pathname: `/${name}` }).href;
  },
};

export const engines = [sqlite, postgresql, mysql];

/** Tries the same on each engine. @param {(context: object, engine: typeof sqlite) => Promise<void>} run */
export function testOnEach(name, run) {
  testOn(engines, name, run);
}

/** The same on those of which several programs make use at once. */
export function testOnServers(name, run) {
  testOn([postgresql, mysql], name, run);
}

/** The same on some of them. */
export function testOn(some, name, run) {
  for (const engine of some) test(`${name} (${engine.name})`, { skip: engine.skip }, (context) => run(context, engine));
}

/** An empty database, or another connection to that of a place. */
export async function createDatabase(context, engine = sqlite, { place, ...options } = {}) {
  const { openDatabase } = await import(engine.module);
  const database = await openDatabase(place ?? (await engine.place(context)), pathToFileURL('/'), options);
  atEnd(context, () => database.close());
  return database;
}

/** One with the tables of every application. */
export async function createApplicationDatabase(context, engine, options) {
  const database = await createDatabase(context, engine, options);
  if (!options?.isThere) await database.script(engine.tables);
  return database;
}

export function temporaryFolder(context) {
  const folder = mkdtempSync(join(tmpdir(), 'lib-test-'));
  atEnd(context, () => rmSync(folder, { recursive: true }));
  return folder;
}

/** The URL with parameters added. */
export function within(url, parameters) {
  const words = Object.entries(parameters).map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
  return `${url}${url.includes('?') ? '&' : '?'}${words.join('&')}`;
}

// What was begun last ends first; the runner itself goes the other way.
const endings = new WeakMap();

function atEnd(context, end) {
  if (!endings.has(context)) {
    endings.set(context, []);
    context.after(async () => {
      for (const one of endings.get(context).reverse()) await one();
    });
  }
  endings.get(context).push(end);
}
