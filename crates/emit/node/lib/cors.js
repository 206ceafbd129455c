// Which pages of other origins a browser lets read the answers (the Fetch standard, 3.2). Credentials are allowed
// where an API takes cookies, and to listed origins alone; keys and tokens are attached by hand.

const ALLOWED_HEADERS = 'Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Prefer, X-API-Key, X-Request-Id';
const EXPOSED_HEADERS = 'Accept-Patch, ETag, Idempotency-Replayed, Link, Location, Preference-Applied, RateLimit, RateLimit-Policy, Retry-After, X-Request-Id';
// Seconds for which a browser need not ask again. Short, so that a change of the API is known soon.
const MAX_AGE = '600';

const originShape = /^https?:\/\/[a-z0-9\-._:[\]]+$/;

/** The origins of `CORS_ORIGINS`, or any. @returns {Set<string> | '*'} */
export function allowedOrigins(environment = process.env) {
  const listed = (environment.CORS_ORIGINS ?? '').split(',').map((origin) => origin.trim()).filter((origin) => origin !== '');
  if (listed.length === 0 || (listed.length === 1 && listed[0] === '*')) return '*';
  const wrong = listed.find((origin) => !originShape.test(origin));
  if (wrong !== undefined) {
    throw new Error(`\`CORS_ORIGINS\`: \`${wrong}\` is not an origin; write scheme, host and port as \`https://shop.example.com\`, several with commas between`);
  }
  return new Set(listed);
}

/** The headers of every answer of an API that allows other origins. */
export function corsHeaders(origins, request, { cookies = false } = {}) {
  const origin = request.header('origin');
  const allowed = origins === '*' || origins.has(origin);
  return {
    ...(allowed && {
      'Access-Control-Allow-Origin': origins === '*' ? '*' : origin,
      'Access-Control-Expose-Headers': EXPOSED_HEADERS,
      ...(cookies && origins !== '*' && { 'Access-Control-Allow-Credentials': 'true' }),
    }),
  };
}

/** What a preflight is told of a path that answers these methods. */
export function preflight(methods, allow) {
  return {
    Allow: allow,
    'Access-Control-Allow-Methods': methods,
    'Access-Control-Allow-Headers': ALLOWED_HEADERS,
    'Access-Control-Max-Age': MAX_AGE,
  };
}
