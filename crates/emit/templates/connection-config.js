// Where the application's database is, and how it comes to its schema.

import { openDatabase } from '../lib/database.js';
import { databaseFile } from '../lib/environment.js';
import { migrate } from '../lib/migrations.js';

/** Under this name the migrations below are entered in the ledger of the database. */
const scope = '{{ scope }}';

const migrations = new URL('migrations/', import.meta.url);
{% if base %}
/** The tables that another task has made, and that these build upon. */
const base = { scope: '{{ base }}', folder: new URL('base/', import.meta.url) };
{% endif %}
const applicationFolder = new URL('../', import.meta.url);

/** Opens the database and brings it to the newest schema. */
export function connect(url = process.env.DATABASE_URL || '{{ default_url }}') {
  const database = openDatabase(databaseFile(url, applicationFolder));
{% if base %}
  migrate(database, base);
{% endif %}
  migrate(database, { scope, folder: migrations });
  return database;
}
