// Puts the application together from its parts: the database it is given, and every API below `apis/`.

import { readFileSync } from 'node:fs';
import * as {{ module }} from './apis/{{ api }}-api/endpoints.js';
import { createApplication } from './lib/application.js';
{% if cors %}
import { allowedOrigins } from './lib/cors.js';
{% endif %}
import { createMetrics } from './lib/metrics.js';

/**
 * @param {import('./lib/database.js').Database} database migrated
 * @param {import('./lib/counts.js').Counts} [counts] where rate limits outlive the process
 */
export function buildApplication(database, counts) {
  const metrics = createMetrics();
  const openapi = readFileSync(new URL('documentation/openapi.json', import.meta.url), 'utf8');
  const application = createApplication({ database, metrics, openapi{% if cors %}, origins: allowedOrigins(){% endif %} });
  {{ module }}.registerEndpoints(application, { database, metrics, counts });
  return application;
}
