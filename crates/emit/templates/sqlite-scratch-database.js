// An empty database with the application's schema, for one test.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from '../databases/connection-config.js';

/** @returns {Promise<{ database: import('../lib/database.js').Database, remove: () => Promise<void> }>} */
export async function createScratchDatabase() {
  const folder = mkdtempSync(join(tmpdir(), '{{ api }}-'));
  const database = await connect(`file:${folder}/app.sqlite`);
  return {
    database,
    async remove() {
      await database.close();
      rmSync(folder, { recursive: true });
    },
  };
}
