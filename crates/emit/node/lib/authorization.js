// Who calls, and whether they may: the API key of a request, or a 401, or a 403. A failed attempt counts against the client's
// address under the route's own policy, so keys cannot be guessed faster than requests are allowed; a good key that must
// not do this counts for itself.

import { Problem } from './problem.js';
import { anonymous } from './request.js';

/**
 * @param {import('./request.js').Request} request
 * @param {import('./api-keys.js').ApiKeys} keys
 * @param {import('./rate-limit.js').RateLimit} [limit] without it, failed attempts count nowhere
 * @param {string} [scope] what the key must have been given: `products:write`
 * @returns {Promise<{ identity: string, id: string, name: string }>} the caller
 */
export async function authorize(request, keys, limit, scope) {
  // Should the lookup fail, its 503 carries the rate limit headers too.
  limit?.describe(request, anonymous(request));
  const secret = presentedKey(request);
  const key = secret && (await keys.find(secret, request.receivedAt));
  if (!key) {
    limit?.take(request, anonymous(request));
    throw new Problem(secret ? 'invalid_credentials' : 'missing_credentials');
  }
  // The same caller before and after a rotation: a new key brings no second quota.
  const caller = { identity: `key:${key.caller}`, id: key.id, name: key.name };
  request.scopes = key.scopes;
  if (scope && !isWithin(scope, key.scopes)) {
    limit?.take(request, caller);
    throw new Problem('insufficient_scope', { scope });
  }
  return caller;
}

/** What the key of the request must be good for besides; who calls without one is not asked. @param {string[]} scopes */
export function requireScopes({ scopes: granted }, scopes) {
  const missing = granted === undefined ? undefined : scopes.find((scope) => !isWithin(scope, granted));
  if (missing) throw new Problem('insufficient_scope', { scope: missing });
}

/** A key without any scopes has them all. The right to write does not include that to read. */
function isWithin(scope, scopes) {
  const [, access] = scope.split(':');
  return scopes === null || scopes.split(' ').some((granted) => granted === scope || granted === `*:${access}`);
}

/** `X-API-Key` wins where both are sent; an empty one is none. */
function presentedKey(request) {
  const bearer = /^Bearer +(.+)$/i.exec(request.header('authorization') ?? '');
  return request.header('x-api-key') || bearer?.[1];
}
