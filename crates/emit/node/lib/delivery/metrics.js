// What is counted of deliveries, under the names that the native server has for it.

import { Counter, Gauge } from 'prom-client';

/**
 * @param {import('prom-client').Registry} registry
 * @param {import('./worker.js').Deliveries[]} workers
 */
export function addDeliveryMetrics(registry, workers) {
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
}
