// How a program in Node.js connects to the database: a pool of connections, with bounds for everything that waits.

import pg from 'pg';

/** Milliseconds. A statement that takes longer is given up, by the server too. */
const statementTimeout = 10_000;
const connectionTimeout = 5_000;
const idleTimeout = 30_000;

/**
 * Opens a pool. TLS follows `sslmode` of the URL: `verify-full` outside of development.
 * @param {string | undefined} url `postgresql://user:password@host:port/database`
 * @param {object} [options]
 * @param {number} [options.max] connections; all programs together stay below the server's `max_connections`
 */
export function connect(url = process.env.DATABASE_URL, { max = 10 } = {}) {
  if (!url) throw new Error('set `DATABASE_URL`');
  const pool = new pg.Pool({
    connectionString: url,
    max,
    connectionTimeoutMillis: connectionTimeout,
    idleTimeoutMillis: idleTimeout,
    statement_timeout: statementTimeout,
    idle_in_transaction_session_timeout: statementTimeout,
    application_name: process.env.npm_package_name,
  });
  // A connection that breaks while nobody uses it is replaced; unheard, its error would end the process.
  pool.on('error', (error) => console.error('an idle database connection broke:', error.message));
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
