// What the application counts, in a registry of its own. Label values come from the program, never from a caller.

import { Counter, Gauge, Histogram, Registry } from 'prom-client';

export function createMetrics() {
  const registry = new Registry();
  const registers = [registry];
  return {
    registry,
    requests: new Counter({
      name: 'http_requests_total',
      help: 'Answered requests.',
      labelNames: ['method', 'route', 'status'],
      registers,
    }),
    durations: new Histogram({
      name: 'http_request_duration_seconds',
      help: 'Time from a request\'s arrival to its answer.',
      labelNames: ['method', 'route'],
      registers,
    }),
    inFlight: new Gauge({ name: 'http_requests_in_flight', help: 'Requests being worked on.', registers }),
    rateLimited: new Counter({
      name: 'rate_limited_total',
      help: 'Requests refused by a rate limit.',
      labelNames: ['policy'],
      registers,
    }),
    keptAnswers: new Counter({
      name: 'kept_answers_total',
      help: 'Questions of which the answer was kept, or was not.',
      labelNames: ['found'],
      registers,
    }),
    outboxEvents: new Counter({
      name: 'outbox_events_total',
      help: 'Events written to the outbox.',
      labelNames: ['event'],
      registers,
    }),
  };
}
