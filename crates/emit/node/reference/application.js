// Puts the application together from its parts: the database it is given, and every API below `apis/`.

import { readFileSync } from 'node:fs';
import * as contactNewsletter from './apis/contact-newsletter-api/endpoints.js';
import { createApplication } from './lib/application.js';
import { createMetrics } from './lib/metrics.js';

/**
 * @param {import('./lib/database.js').Database} database migrated
 * @param {import('./lib/counts.js').Counts} [counts] where rate limits outlive the process
 */
export function buildApplication(database, counts) {
  const metrics = createMetrics();
  const openapi = readFileSync(new URL('documentation/openapi.json', import.meta.url), 'utf8');
  const application = createApplication({ database, metrics, openapi });
  contactNewsletter.registerEndpoints(application, { database, metrics, counts });
  return application;
}
