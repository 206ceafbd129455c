// Puts the application together from its parts: the database it is given, and every API below `apis/`.

import { readFileSync } from 'node:fs';
import * as {{ module }} from './apis/{{ api }}-api/endpoints.js';
import { createApplication } from './lib/application.js';
import { createMetrics } from './lib/metrics.js';

/** @param {import('./lib/database.js').Database} database migrated */
export function buildApplication(database) {
  const metrics = createMetrics();
  const openapi = readFileSync(new URL('documentation/openapi.json', import.meta.url), 'utf8');
  const application = createApplication({ database, metrics, openapi });
  {{ module }}.registerEndpoints(application, { database, metrics });
  return application;
}
