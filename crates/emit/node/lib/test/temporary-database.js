// A database for one test, in a folder of its own.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDatabase } from '../database.js';

export function temporaryFolder(context) {
  const folder = mkdtempSync(join(tmpdir(), 'lib-test-'));
  context.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

export function createDatabase(context, file = join(temporaryFolder(context), 'app.sqlite'), options) {
  const database = openDatabase(file, options);
  context.after(() => database.close());
  return database;
}
