// Where the application's database is, and how it comes to its schema.

import { openDatabase } from '../lib/database/{{ database_module }}.js';
import { migrate } from '../lib/migrations.js';

/** Under this name the migrations below are entered in the ledger of the database. */
const scope = '{{ scope }}';

const migrations = new URL('migrations/', import.meta.url);
{% if base %}
/** The tables that another task has made, and that these build upon. */
const base = { scope: '{{ base }}', folder: new URL('base/', import.meta.url) };
{% endif %}
{% if beside %}
/** What services that other tasks integrate need in the database besides. */
const beside = [
{% for scope in beside %}
  { scope: '{{ scope }}', folder: new URL('beside/{{ scope }}/', import.meta.url) },
{% endfor %}
];
{% endif %}
{% if pool %}

/** Connections of this program, and how long things may take, in milliseconds. */
const pool = {
  min: {{ pool.min }},
  max: {{ pool.max }},
  idleTimeout: {{ pool.idle_timeout }}_000,
  acquireTimeout: {{ pool.acquire_timeout }}_000,
  statementTimeout: {{ pool.statement_timeout }}_000,
{% if pool.read_replicas is defined %}
  readReplicas: true,
{% endif %}
{% if pool.plan_budget is defined %}
  planBudget: {{ pool.plan_budget }},
{% endif %}
};

{% endif %}
const applicationFolder = new URL('../', import.meta.url);

/** Opens the database and brings it to the newest schema. */
export async function connect(url = process.env.DATABASE_URL{% if default_url %} || '{{ default_url }}'{% endif %}) {
{% if not default_url %}
  if (!url) throw new Error('set `DATABASE_URL`, here or in `.env`: {{ url_form }}');
{% endif %}
  const database = await openDatabase(url, applicationFolder{% if pool %}, pool{% endif %});
  try {
{% if base %}
    await migrate(database, base);
{% endif %}
    await migrate(database, { scope, folder: migrations });
{% if beside %}
    for (const service of beside) await migrate(database, service);
{% endif %}
  } catch (error) {
    await database.close();
    throw error;
  }
  return database;
}
