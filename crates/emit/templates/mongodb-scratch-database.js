// An empty database with the application's collections, for one test: one of its own on the server that `TEST_DATABASE_URL` names, or
// else `DATABASE_URL`. The user may make databases whose names begin with `test_`. What else is on that server is not touched.

import { randomBytes } from 'node:crypto';
import { connect } from '../databases/connection-config.js';
import { dropDatabase } from '../lib/database/mongodb.js';
import { loadEnvironment } from '../lib/environment.js';

loadEnvironment(new URL('../.env', import.meta.url));
const url = process.env.TEST_DATABASE_URL || process.env.DATABASE_URL;
if (!url) throw new Error('the tests need a database: set `TEST_DATABASE_URL`, here or in `.env`');

/** @returns {Promise<{ database: import('../lib/database.js').Database, remove: () => Promise<void> }>} */
export async function createScratchDatabase() {
  const place = beside(`test_${randomBytes(8).toString('hex')}`);
  const database = await connect(place);
  return {
    database,
    async remove() {
      await database.close();
      await dropDatabase(place);
    },
  };
}

/** Another database of the server; who connects is known where they were known before. */
function beside(name) {
  const [, server, own, options = ''] = /^([^/]+:\/\/[^/]+\/)([^?]*)(\?.*)?$/.exec(url);
  const isKnown = !server.includes('@') || /[?&]authSource=/i.test(options);
  const more = isKnown ? options : `${options || '?'}${options ? '&' : ''}authSource=${own}`;
  return `${server}${name}${more}`;
}
