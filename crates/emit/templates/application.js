// Puts the application together from its parts: the database it is given, {% if speaks %}{% if endpoints or brought %}every API below `apis/`, {% endif %}every service below `services/`{% else %}and every API below `apis/`{% endif %}.

import { readFileSync } from 'node:fs';
{% if endpoints %}
import * as {{ module }} from './apis/{{ api }}-api/endpoints.js';
{% endif %}
{% for one in brought %}
import * as {{ one.name }} from './apis/{{ one.folder }}/endpoints.js';
{% endfor %}
{% if account_pages %}
import { addAccountPages } from './lib/account-page.js';
{% endif %}
import { createApplication } from './lib/application.js';
{% if cors %}
import { allowedOrigins } from './lib/cors.js';
{% endif %}
{% if alert_webhook %}
import { openAlertWebhook } from './lib/delivery/alert-webhook.js';
{% endif %}
{% if alerts %}
import { Alerting } from './lib/delivery/alerting.js';
{% endif %}
{% if mails or speaks or subscribers %}
import { addDeliveryMetrics } from './lib/delivery/metrics.js';
{% if speaks %}
import { carrierOf } from './lib/delivery/steps.js';
{% endif %}
{% if subscribers %}
import { Subscribers } from './lib/delivery/subscribers.js';
{% endif %}
{% if mails or speaks %}
import { Deliveries } from './lib/delivery/worker.js';
{% endif %}
{% endif %}
{% if mails %}
import { openMailer } from './lib/mail/mailer.js';
{% endif %}
import { createMetrics } from './lib/metrics.js';
{% if speaks %}
import { openAccount } from './lib/provider/account.js';
{% if reads %}
import { Sync, addSyncMetrics } from './lib/provider/sync.js';
{% endif %}
{% if tokens %}
import { Tokens } from './lib/provider/tokens.js';
{% endif %}
{% endif %}
{% if returns %}
import { addReturnPages } from './lib/return-page.js';
{% endif %}
{% if listens %}
import { addWebhookRoutes } from './lib/webhooks.js';
{% endif %}
{% for service in services if service.account %}
{% if service.intake %}
import { createIntake as {{ service.create_intake }} } from './services/{{ service.stem }}-events.js';
{% endif %}
import { {{ service.imported }} } from './services/{{ service.stem }}-integration.js';
{% if service.reads %}
import { createRecords as {{ service.create_records }} } from './services/{{ service.stem }}-records.js';
{% endif %}
{% endfor %}

/**
 * @param {import('./lib/database.js').Database} database migrated
{% if endpoints or brought %}
 * @param {import('./lib/counts.js').Counts} [counts] where rate limits outlive the process
{% endif %}
 */
export function buildApplication(database{% if endpoints or brought %}, counts{% endif %}) {
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
{% if cors and services %}
  // Pages of other origins call the API, and nothing of a service.
  const closed = application.closed();
{% endif %}
{% for one in brought %}
  {{ one.name }}.registerEndpoints({{ inner }}, { database, metrics, counts: counts?.of('{{ one.task }}') });
{% endfor %}
{% if returns %}
  addReturnPages({{ inner }}, [
{% for page in returns %}
    { path: '{{ page.path }}', came: '{{ page.came }}', asks: '{{ page.asks }}' },
{% endfor %}
  ]);
{% endif %}
{% for service in services if service.account %}
  const {{ service.opened }} = openAccount({{ service.called }}{% if service.tokens %}, process.env, (account) => new Tokens(account, database){% endif %});
{% if service.intake %}
  addWebhookRoutes({{ inner }}, { account: {{ service.opened }}, intake: {{ service.create_intake }}({ database, metrics }){% if service.reads %}, onHeard: () => syncs.forEach((sync) => sync.wake()){% endif %} });
{% endif %}
{% endfor %}
{% if mails %}
  const mails = JSON.parse(readFileSync(new URL('mails.json', import.meta.url), 'utf8'));
  const mailer = openMailer({ mails, task: '{{ scope }}', folder: new URL('data/mail/', import.meta.url){% if not suppresses %}, suppresses: false{% endif %} });
{% endif %}
{% if subscribers %}
  const subscribers = JSON.parse(readFileSync(new URL('subscribers.json', import.meta.url), 'utf8'));
{% endif %}
{% if alerts %}
  const alerts = JSON.parse(readFileSync(new URL('alerts.json', import.meta.url), 'utf8'));
{% endif %}
{% if alert_webhook %}
  const alertWebhook = openAlertWebhook({ alerts, task: '{{ scope }}' });
{% endif %}
{% if mails or speaks or subscribers %}
{% if speaks %}
  const accounts = [{% for service in services if service.account %}{% if not loop.first %}, {% endif %}{{ service.opened }}{% endfor %}];
{% endif %}
{% if reads %}
  const syncs = [
{% for service in services if service.account and service.reads %}
    ...{{ service.opened }}.service.syncs.map((described) => new Sync({ database, account: {{ service.opened }}, described, records: {{ service.create_records }}({ database }) })),
{% endfor %}
  ];
  addSyncMetrics(metrics.registry, syncs);
{% endif %}
  // They begin when somebody starts them: a test builds applications that send nothing.
  const deliveries = [
{% if speaks %}
    ...accounts.map((account) => new Deliveries({ database, account, carrier: carrierOf(account, accounts) })),
{% endif %}
{% if mails %}
    new Deliveries({ database, account: mailer, carrier: mailer.carrier }),
{% endif %}
{% if subscribers %}
    new Subscribers({ database, offered: subscribers, task: '{{ scope }}' }),
{% endif %}
{% if alert_webhook %}
    new Deliveries({ database, account: alertWebhook, carrier: alertWebhook.carrier }),
{% endif %}
{% if alerts %}
    ...Object.entries(alerts).map(([integration, told]) => new Alerting({ database, integration, told })),
{% endif %}
  ];
  addDeliveryMetrics(metrics.registry, deliveries{% if speaks %}, accounts{% endif %});
  return Object.assign(application, { deliveries{% if reads %}: [...deliveries, ...syncs]{% endif %} });
{% else %}
  return application;
{% endif %}
}
