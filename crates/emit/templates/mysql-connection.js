// How a program in Node.js connects to the database: a pool of connections, with bounds for everything that waits.

import { readFileSync } from 'node:fs';
import mysql from 'mysql2/promise';

/** Milliseconds. A statement that takes longer is given up, by the server too. */
const statementTimeout = 10_000;
const connectionTimeout = 5_000;
const idleTimeout = 30_000;
/** Callers that may wait for a connection. */
const queueLimit = 1_000;

/**
 * What each connection is set to, whatever the server's own settings are: wrong values are refused, and times are UTC. Each
 * server reads its own word for the time limit: to the other it is a comment.
 */
const session = `SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION',
  time_zone = '+00:00', innodb_lock_wait_timeout = 10
  /*M!, max_statement_time = ${statementTimeout / 1000} */ /*!80000, max_execution_time = ${statementTimeout} */`;

/**
 * Opens a pool. TLS follows `ssl-mode` of the URL: `VERIFY_IDENTITY` outside of development. Numbers that a double cannot hold
 * come as texts, and so do times, in UTC.
 * @param {string | undefined} url `mysql://user:password@host:port/database`
 * @param {object} [options]
 * @param {number} [options.max] connections; all programs together stay below the server's `max_connections`
 */
export function connect(url = process.env.DATABASE_URL, { max = 10 } = {}) {
  if (!url) throw new Error('set `DATABASE_URL`');
  const pool = mysql.createPool({
    ...place(url),
    connectionLimit: max,
    queueLimit,
    idleTimeout,
    connectTimeout: connectionTimeout,
    enableKeepAlive: true,
    charset: 'utf8mb4',
    timezone: 'Z',
    dateStrings: true,
    supportBigNumbers: true,
  });
  pool.on('connection', (connection) => {
    connection.query(session, (error) => {
      // A connection that could not be set up is not used.
      if (error) connection.destroy();
    });
  });
  return pool;
}

/** Whether the database answers. */
export async function isHealthy(pool) {
  try {
    await pool.query('SELECT 1');
    return true;
  } catch {
    return false;
  }
}

function place(text) {
  const url = new URL(text);
  if (!['mysql:', 'mariadb:'].includes(url.protocol) || !url.hostname || url.pathname.length < 2) {
    throw new Error('`DATABASE_URL` must be `mysql://user:password@host:port/database`');
  }
  return {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: Number(url.port || 3306),
    user: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
    database: decodeURIComponent(url.pathname.slice(1)),
    ssl: encryption(url.searchParams),
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
