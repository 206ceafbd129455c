// What an operator asks the application: is it alive, can it work, what does it offer, what has it counted.

import { addReferencePage } from './reference-page.js';
import { respond, respondText } from './response.js';

export function addOperationalRoutes(application, { database, metrics, openapi }) {
  application.route('GET', '/healthz', () => respond(200, { status: 'ok' }));

  application.route('GET', '/readyz', async () => {
    await database.ping();
    return respond(200, { status: 'ready', checks: { database: 'ok' } });
  });

  application.route('GET', '/openapi.json', () => respondText(200, 'application/json', openapi));

  addReferencePage(application, openapi);

  application.route('GET', '/metrics', async () =>
    respondText(200, metrics.registry.contentType, await metrics.registry.metrics()));
}
