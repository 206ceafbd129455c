// An empty database with the application's tables, for one test: one of its own on the server that `TEST_DATABASE_URL` names, or
// else `DATABASE_URL`. The user may make databases whose names begin with `test_`. What else is on that server is not touched.

import { randomBytes } from 'node:crypto';
import { connect } from '../databases/connection-config.js';
import { openDatabase } from '../lib/database/mysql.js';
import { loadEnvironment } from '../lib/environment.js';

loadEnvironment(new URL('../.env', import.meta.url));
const url = process.env.TEST_DATABASE_URL || process.env.DATABASE_URL;
if (!url) throw new Error('the tests need a database: set `TEST_DATABASE_URL`, here or in `.env`');

/** @returns {Promise<{ database: import('../lib/database.js').Database, remove: () => Promise<void> }>} */
export async function createScratchDatabase() {
  const name = `test_${randomBytes(8).toString('hex')}`;
  const owner = await openDatabase(url, undefined, { max: 1 });
  await owner.script(`CREATE DATABASE ${name} CHARACTER SET utf8mb4`);
  const place = new URL(url);
  place.pathname = `/${name}`;
  const database = await connect(place.href);
  return {
    database,
    async remove() {
      await database.close();
      await owner.script(`DROP DATABASE ${name}`);
      await owner.close();
    },
  };
}
