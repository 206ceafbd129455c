// Puts the application together from its parts: the database it is given, {% if service_of and service_of.account %}{% if endpoints %}every API below `apis/`, {% endif %}the service below `services/`{% else %}and every API below `apis/`{% endif %}.

import { readFileSync } from 'node:fs';
{% if endpoints %}
import * as {{ module }} from './apis/{{ api }}-api/endpoints.js';
{% endif %}
{% if account_pages %}
import { addAccountPages } from './lib/account-page.js';
{% endif %}
import { createApplication } from './lib/application.js';
{% if cors %}
import { allowedOrigins } from './lib/cors.js';
{% endif %}
{% if mails or service_of and service_of.account %}
import { addDeliveryMetrics } from './lib/delivery/metrics.js';
{% if service_of and service_of.account %}
import { carrierOf } from './lib/delivery/steps.js';
{% endif %}
import { Deliveries } from './lib/delivery/worker.js';
{% endif %}
{% if mails %}
import { openMailer } from './lib/mail/mailer.js';
{% endif %}
import { createMetrics } from './lib/metrics.js';
{% if service_of and service_of.returns %}
import { addReturnPages } from './lib/return-page.js';
{% endif %}
{% if service_of and service_of.account %}
import { openAccount } from './lib/provider/account.js';
{% if service_of.intake %}
import { addWebhookRoutes } from './lib/webhooks.js';
import { createIntake } from './services/{{ service_of.provider }}-events.js';
{% endif %}
import { {{ service_of.account }} } from './services/{{ service_of.provider }}-integration.js';
{% endif %}

/**
 * @param {import('./lib/database.js').Database} database migrated
{% if endpoints %}
 * @param {import('./lib/counts.js').Counts} [counts] where rate limits outlive the process
{% endif %}
 */
export function buildApplication(database{% if endpoints %}, counts{% endif %}) {
  const metrics = createMetrics();
  const openapi = readFileSync(new URL('documentation/openapi.json', import.meta.url), 'utf8'){% if issued %}.replaceAll('{{ issued.issuer }}', () => process.env.OAUTH_ISSUER.replace(/\/+$/, '')){% endif %};
  const application = createApplication({ database, metrics, openapi{% if cors %}, origins: allowedOrigins(){% if cookies %}, cookies: true{% endif %}{% endif %} });
{% if endpoints %}
  {{ module }}.registerEndpoints(application, { database, metrics, counts });
{% endif %}
{% if account_pages %}
  addAccountPages(application, [
{% for page in account_pages %}
    { path: '{{ page.path }}', does: '{{ page.does }}', calls: '{{ page.calls }}' },
{% endfor %}
  ]);
{% endif %}
{% if service_of and service_of.returns %}
  addReturnPages(application, [
{% for page in service_of.returns %}
    { path: '{{ page.path }}', came: '{{ page.came }}', asks: '{{ page.asks }}' },
{% endfor %}
  ]);
{% endif %}
{% if service_of and service_of.account %}
  const account = openAccount({{ service_of.account }});
{% if service_of.intake %}
  addWebhookRoutes(application, { account, intake: createIntake({ database, metrics }) });
{% endif %}
{% endif %}
{% if mails %}
  const mails = JSON.parse(readFileSync(new URL('mails.json', import.meta.url), 'utf8'));
  const mailer = openMailer({ mails, task: '{{ scope }}', folder: new URL('data/mail/', import.meta.url) });
{% endif %}
{% if mails or service_of and service_of.account %}
  // They begin when somebody starts them: a test builds applications that send nothing.
  const deliveries = [
{% if service_of and service_of.account %}
    new Deliveries({ database, account, carrier: carrierOf(account) }),
{% endif %}
{% if mails %}
    new Deliveries({ database, account: mailer, carrier: mailer.carrier }),
{% endif %}
  ];
  addDeliveryMetrics(metrics.registry, deliveries);
  return Object.assign(application, { deliveries });
{% else %}
  return application;
{% endif %}
}
