// Messages that tell how integrations stand: an event goes out as a message to the address that the task of its integration names, signed where it
// says by what (Standard Webhooks, https://www.standardwebhooks.com). Neither secret nor address is written down; the address may be all the proof there is.

import { logWarning } from '../log.js';
import { EVENTS } from './alerting.js';
import { LONGEST_WAIT_SECONDS, NEWS, RETRY, post } from './signed-message.js';

/** What their deliveries are called among those of integrations. */
const INTEGRATION = 'alert_webhook';
const AT_ONCE = 4;
// How long it is waited, in milliseconds, where something is missing that somebody has to give.
const MISSING = 60_000;

/**
 * How messages leave, as the environment says it.
 * @param {{ alerts: Record<string, { webhook?: object }>, task: string, environment?: NodeJS.ProcessEnv }} parts `alerts` as `alerts.json` has them; `task` is the application's
 * @returns what the worker of deliveries takes as an account, with its carrier
 */
export function openAlertWebhook({ alerts, task, environment = process.env }) {
  const told = Object.entries(alerts).filter(([, { webhook }]) => webhook !== undefined);
  const targets = new Map(told.map(([integration, { webhook }]) => [integration, targetOf(webhook, environment)]));
  for (const [integration, { missing }] of targets) if (missing) logWarning(`nobody is told by the webhook of alerts yet: ${missing}`, { integration });
  return {
    name: INTEGRATION,
    service: { title: 'the webhook of alerts', retry: RETRY, wait: { mostSeconds: LONGEST_WAIT_SECONDS }, atOnce: AT_ONCE },
    problems: [],
    carrier: {
      tasks: [task],
      events: { names: Object.values(EVENTS), within: NEWS },
      deliveriesOf: (_since, { payload, occurred_at: occurredAt }) => {
        const isTold = targets.has(payload?.integration) && Date.parse(occurredAt) >= Date.now() - NEWS;
        return isTold ? [{ integration: INTEGRATION, provider: INTEGRATION, priority: 0, orderKey: null }] : [];
      },
      carry: (delivery) => carry(targets.get(delivery.payload?.integration), delivery),
    },
  };
}

function targetOf({ url, secret }, environment) {
  const given = ({ value, variable }) => value ?? (environment[variable]?.trim() || undefined);
  const target = { url: given(url), keys: [] };
  if (target.url === undefined) return { ...target, missing: `\`${url.variable}\` is not set` };
  if (secret === undefined) return target;
  if (given(secret) === undefined) return { ...target, missing: `\`${secret.variable}\` is not set` };
  const key = keyOf(given(secret));
  return key ? { ...target, keys: [key] } : { ...target, missing: 'what it is signed with is no secret: `whsec_` and 24 to 64 bytes in Base64' };
}

function keyOf(secret) {
  const [, base64] = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(secret) ?? [];
  const key = base64 && Buffer.from(base64, 'base64');
  return key && key.length >= 24 && key.length <= 64 ? key : undefined;
}

async function carry(target, { event, eventId, payload, attempts }) {
  if (target === undefined) return { outcome: 'permanent', inDoubt: false, problem: 'nobody is told of that integration any more', remembered: [] };
  const { url, keys, missing } = target;
  if (missing) return { outcome: 'rate_limited', wait: MISSING, inDoubt: false, problem: missing, remembered: [] };
  const { email: _email, ...data } = payload;
  const { carried } = await post({ url, shown: hostOf(url), event, eventId, data, keys, isAnywhere: true, payload, attempts });
  return carried;
}

/** The address as far as its host: what follows may be secret. */
function hostOf(url) {
  return URL.canParse(url) ? new URL(url).origin : '';
}
