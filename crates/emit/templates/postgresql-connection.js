// How a program in Node.js connects to the database: a pool of connections, with bounds for everything that waits.

import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';

/** Connections of this program; those of all programs together stay below the server's `max_connections`. */
const mostConnections = {{ pool.max }};
/** Of these, how many stay open without work. */
const fewestConnections = {{ pool.min }};
/** Milliseconds. A statement that takes longer is given up by the server; where that does not answer at all, here a little later. */
const statementTimeout = {{ pool.statement_timeout }}_000;
const answerTimeout = statementTimeout + 2_000;
/** How long somebody waits for a connection, and how long one without work stays open. */
const connectionTimeout = {{ pool.acquire_timeout }}_000;
const idleTimeout = {{ pool.idle_timeout }}_000;
/** How long a server is waited for that is about to start, and how often it is asked. */
const startTimeout = 30_000;
const startPause = 500;

/**
 * Opens a pool, once the server lets us in. `sslmode` and `sslrootcert` of the URL mean what they mean to PostgreSQL's own
 * programs: `sslmode=verify-full` outside of development.
 * @param {string | undefined} url `postgresql://user:password@host:port/database`
 * @param {object} [options]
 * @param {number} [options.max] connections
 * @param {number} [options.wait] milliseconds that a server is waited for
 */
export async function connect(url = process.env.DATABASE_URL, { max = mostConnections, wait = startTimeout } = {}) {
  if (!url) throw new Error('set `DATABASE_URL`');
  const { connectionString, encryptions } = encryption(url);
  const end = Date.now() + wait;
  for (;;) {
    const pool = createPool(connectionString, encryptions[0], max);
    try {
      await pool.query('SELECT 1');
      return pool;
    } catch (error) {
      await pool.end();
      if (encryptions.length > 1 && offersNoEncryption(error)) encryptions.shift();
      else if (isStarting(error) && Date.now() < end) await sleep(startPause);
      else throw error;
    }
  }
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

function createPool(connectionString, ssl, max) {
  const pool = new pg.Pool({
    connectionString,
    ssl,
    max,
    min: Math.min(fewestConnections, max),
    connectionTimeoutMillis: connectionTimeout,
    idleTimeoutMillis: idleTimeout,
    query_timeout: answerTimeout,
    statement_timeout: statementTimeout,
    idle_in_transaction_session_timeout: statementTimeout,
    keepAlive: true,
    application_name: process.env.npm_package_name,
  });
  // A connection that breaks while nobody uses it is replaced; unheard, its error would end the process.
  pool.on('error', (error) => console.error('an idle database connection broke:', error.message));
  return pool;
}

/** The URL without what only this function understands, and the ways to encrypt, the first that the server takes. */
function encryption(url) {
  const [address, query = ''] = url.split('?');
  const parameters = new URLSearchParams(query);
  const roots = parameters.get('sslrootcert');
  const file = roots && roots !== 'system' ? roots : undefined;
  let mode = parameters.get('sslmode') ?? (roots === 'system' ? 'verify-full' : 'prefer');
  if (mode === 'require' && file) mode = 'verify-ca';
  parameters.delete('sslmode');
  parameters.delete('sslrootcert');
  const connectionString = parameters.size > 0 ? `${address}?${parameters}` : address;
  return { connectionString, encryptions: waysToEncrypt(mode, file, new URL(url).hostname) };
}

function waysToEncrypt(mode, file, host) {
  const anybody = { rejectUnauthorized: false };
  // Without `host` an address would be taken for `localhost` when the certificate is looked at.
  const trusted = { host, ...(file && { ca: readFileSync(file) }) };
  switch (mode) {
    case 'disable':
      return [false];
    case 'prefer':
      return [anybody, false];
    case 'require':
      return [anybody];
    case 'verify-ca':
      return [{ ...trusted, checkServerIdentity: () => undefined }];
    case 'verify-full':
      return [trusted];
    default:
      throw new Error('`sslmode` is `disable`, `prefer`, `require`, `verify-ca` or `verify-full`');
  }
}

function offersNoEncryption(error) {
  return error.message === 'The server does not support SSL connections';
}

/** Nobody listens yet, or the server says that it is starting. */
function isStarting(error) {
  return error.code === 'ECONNREFUSED' || error.code === 'ENOENT' || error.code === '57P03';
}
