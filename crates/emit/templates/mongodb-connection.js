// How a program in Node.js connects to the database: a client with a pool of connections, with bounds for everything that waits.

import { MongoClient } from 'mongodb';

/** Milliseconds. */
const connectionTimeout = 5_000;
const idleTimeout = 30_000;

/**
 * Opens a client. TLS follows the URL: `tls=true` outside of development.
 * @param {string | undefined} url `mongodb://user:password@host:port/database`
 * @param {object} [options]
 * @param {number} [options.max] connections
 */
export function connect(url = process.env.DATABASE_URL, { max = 10 } = {}) {
  if (!url) throw new Error('set `DATABASE_URL`');
  const client = new MongoClient(url, {
    maxPoolSize: max,
    maxIdleTimeMS: idleTimeout,
    connectTimeoutMS: connectionTimeout,
    serverSelectionTimeoutMS: connectionTimeout,
    retryWrites: false,
  });
  return { client, database: client.db() };
}

/** Whether the database answers. */
export async function isHealthy({ database }) {
  try {
    await database.command({ ping: 1 });
    return true;
  } catch {
    return false;
  }
}
