// What is counted of deliveries, under the names that the native server has for it.

import { Counter, Gauge } from 'prom-client';
import { logError } from '../log.js';

/**
 * @param {import('prom-client').Registry} registry
 * @param {import('./worker.js').Deliveries[]} workers
 * @param {object[]} [accounts] as `../provider/account.js` opens them: it is told when what is given of them ends
 */
export function addDeliveryMetrics(registry, workers, accounts = []) {
  const registers = [registry];
  const gauge = (name, help, labelNames, values) =>
    new Gauge({
      name,
      help,
      labelNames,
      registers,
      collect() {
        this.reset();
        for (const deliveries of workers) {
          for (const snapshot of deliveries.snapshots()) for (const [labels, value] of values(snapshot)) this.set(labels, value);
        }
      },
    });
  gauge('deliveries', 'Deliveries that have not come out well yet, by integration and state.', ['integration', 'state'], ({ integration, backlog }) =>
    backlog.map(({ state, count }) => [{ integration, state }, count]));
  gauge('delivery_oldest_seconds', 'How long ago the oldest of them was made of its event.', ['integration', 'state'], ({ integration, backlog }) =>
    backlog.map(({ state, oldest }) => [{ integration, state }, Math.max(0, Math.floor((Date.now() - Date.parse(oldest)) / 1000))]));
  gauge('delivery_last_success_timestamp_seconds', 'When a delivery to an integration came out well last, since this process began.', ['integration'], ({ integration, deliveredAt }) =>
    deliveredAt === undefined ? [] : [[{ integration }, Math.floor(deliveredAt / 1000)]]);
  gauge('delivery_breaker_open', 'Whether an integration is spared because it fails.', ['integration'], ({ integration, isSpared }) =>
    [[{ integration }, Number(isSpared)]]);
  new Counter({
    name: 'delivery_attempt_seconds_total',
    help: 'How long the attempts of an integration have taken together.',
    labelNames: ['integration'],
    registers,
    collect() {
      this.reset();
      for (const deliveries of workers) for (const { integration, took } of deliveries.snapshots()) this.inc({ integration }, took / 1000);
    },
  });
  new Counter({
    name: 'delivery_attempts_total',
    help: 'Attempts to deliver that ended, by integration and outcome.',
    labelNames: ['integration', 'outcome'],
    registers,
    collect() {
      this.reset();
      for (const deliveries of workers) {
        for (const { integration, attempts } of deliveries.snapshots()) {
          for (const [outcome, count] of attempts) this.inc({ integration, outcome }, count);
        }
      }
    },
  });
  if (accounts.length === 0) return;
  new Gauge({
    name: 'credential_ends_at_seconds',
    help: 'When a credential ends, in seconds since 1970.',
    labelNames: ['integration', 'credential'],
    registers,
    async collect() {
      this.reset();
      for (const account of accounts) {
        for (const { credential, endsAt } of await endingsOf(account)) this.set({ integration: account.name, credential }, endsAt);
      }
    },
  });
}

async function endingsOf({ name, endings, tokens }) {
  try {
    return [...endings, ...((await tokens?.endings()) ?? [])];
  } catch (error) {
    logError('when a token ends is not known', error, { integration: name });
    return endings;
  }
}
