// What the endpoints of this API share: its API keys, its rate limits, its outbox, and the shapes of its bodies.

import { ApiKeys } from '../../lib/api-keys.js';
import { Outbox } from '../../lib/outbox.js';
import { RateLimit } from '../../lib/rate-limit.js';

/**
 * @param {{ database: import('../../lib/database.js').Database, metrics: object,
 *   counts?: import('../../lib/counts.js').Counts }} parts
 */
export function createMiddleware({ database, metrics, counts }) {
  const onRefused = (policy) => metrics.rateLimited.inc({ policy });
  return {
    keys: new ApiKeys(database),
    limits: {
      default: new RateLimit({ name: 'default', quota: 100, window: 60, onRefused, counts }),
    },
    outbox: new Outbox({ onEmitted: (event) => metrics.outboxEvents.inc({ event }) }),
  };
}

/** The body of POST /api/contact. */
export const contactMessage = [
  { name: 'name', kind: 'line', required: true, maximum: 200 },
  { name: 'email', kind: 'email', required: true },
  { name: 'phone', kind: 'phone' },
  { name: 'company', kind: 'line', maximum: 200 },
  { name: 'subject', kind: 'line', maximum: 200 },
  { name: 'message', kind: 'text', required: true, maximum: 5000 },
];

/** The body of POST /api/newsletter. */
export const newsletterSubscription = [
  { name: 'email', kind: 'email', required: true },
  { name: 'name', kind: 'line', maximum: 200 },
];
