// Who calls: the API key of a request, or a 401. A failed attempt counts against the client's address under the route's
// own policy, so keys cannot be guessed faster than requests are allowed.

import { Problem } from './problem.js';
import { anonymous } from './request.js';

/**
 * @param {import('./request.js').Request} request
 * @param {import('./api-keys.js').ApiKeys} keys
 * @param {import('./rate-limit.js').RateLimit} [limit] without it, failed attempts count nowhere
 * @returns {{ identity: string, id: string, name: string }} the caller
 */
export function authorize(request, keys, limit) {
  // Should the lookup fail, its 503 carries the rate limit headers too.
  limit?.describe(request, anonymous(request));
  const secret = presentedKey(request);
  const key = secret && keys.find(secret);
  if (!key) {
    limit?.take(request, anonymous(request));
    throw new Problem(secret ? 'invalid_credentials' : 'missing_credentials');
  }
  return { identity: `key:${key.id}`, id: key.id, name: key.name };
}

/** `X-API-Key` wins where both are sent; an empty one is none. */
function presentedKey(request) {
  const bearer = /^Bearer +(.+)$/i.exec(request.header('authorization') ?? '');
  return request.header('x-api-key') || bearer?.[1];
}
