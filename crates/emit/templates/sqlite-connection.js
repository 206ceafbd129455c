// How a program in Node.js connects to the database.

import { fileURLToPath } from 'node:url';
import { DatabaseSync } from '@photostructure/sqlite';

const applicationFolder = new URL('../', import.meta.url);
/** How long a statement waits for another process, in milliseconds. */
const busyTimeout = 5000;

/**
 * Opens the database. Its keys hold on this connection, and what is committed survives a crash of the machine.
 * @param {string} url `file:` and a path; a relative one starts at this folder
 */
export function connect(url = process.env.DATABASE_URL || '{{ default_url }}') {
  if (!/^file:[^?#]+$/.test(url)) throw new Error('`DATABASE_URL` must be `file:` and a path');
  const database = new DatabaseSync(fileURLToPath(new URL(url.slice('file:'.length), applicationFolder)));
  database.exec(`PRAGMA busy_timeout = ${busyTimeout}`);
  database.exec('PRAGMA journal_mode = WAL');
  database.exec('PRAGMA synchronous = FULL');
  database.exec('PRAGMA foreign_keys = ON');
  return database;
}

/** Whether the database answers. */
export function isHealthy(database) {
  try {
    return database.prepare('SELECT 1 AS alive').get().alive === 1;
  } catch {
    return false;
  }
}
