// An empty schema with the application's tables, for one test: a schema of its own in the database that `TEST_DATABASE_URL`
// names, or else `DATABASE_URL`. What else is in that database is not touched.

import { randomBytes } from 'node:crypto';
import { connect } from '../databases/connection-config.js';
import { openDatabase } from '../lib/database/postgresql.js';
import { loadEnvironment } from '../lib/environment.js';

loadEnvironment(new URL('../.env', import.meta.url));
const url = process.env.TEST_DATABASE_URL || process.env.DATABASE_URL;
if (!url) throw new Error('the tests need a database: set `TEST_DATABASE_URL`, here or in `.env`');

/** @returns {Promise<{ database: import('../lib/database.js').Database, remove: () => Promise<void> }>} */
export async function createScratchDatabase() {
  const schema = `test_${randomBytes(8).toString('hex')}`;
  const owner = await openDatabase(url, undefined, { max: 1 });
  await owner.script(`CREATE SCHEMA ${schema}`);
  const database = await connect(`${url}${url.includes('?') ? '&' : '?'}options=-c%20search_path%3D${schema}`);
  return {
    database,
    async remove() {
      await database.close();
      await owner.script(`DROP SCHEMA ${schema} CASCADE`);
      await owner.close();
    },
  };
}
