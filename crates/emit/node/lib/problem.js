// Every error a caller can see, by name. A Problem is thrown anywhere in a procedure and becomes an RFC 9457 document in
// one place (application.js). Its detail never repeats what the caller sent.

/** Of a database that answers, and not in time. Nothing was done then. */
const lateDetails = {
  statement_timeout: 'the database took too long for this request',
  pool_exhausted: 'all connections to the database are at work',
  plan_over_budget: 'the database would have to look at too much for this request',
  lock_timeout: 'others kept what this request needs for too long',
};

const problems = {
  malformed_request: {
    status: 400,
    title: 'Malformed request',
    detail: () => 'the request is not valid HTTP',
    headers: () => ({ Connection: 'close' }),
  },
  malformed_body: {
    status: 400,
    title: 'Malformed body',
    detail: () => 'the body is not valid JSON',
  },
  malformed_idempotency_key: {
    status: 400,
    title: 'Malformed idempotency key',
    detail: () => 'an `Idempotency-Key` is sent once and has 1 to 255 visible ASCII characters',
  },
  missing_credentials: {
    status: 401,
    title: 'Authentication required',
    detail: () => 'send an API key in `X-API-Key` or `Authorization: Bearer`',
    headers: () => ({ 'WWW-Authenticate': 'Bearer realm="api"' }),
  },
  invalid_credentials: {
    status: 401,
    title: 'Authentication failed',
    detail: () => 'the API key is unknown, expired or revoked',
    headers: () => ({ 'WWW-Authenticate': 'Bearer realm="api", error="invalid_token"' }),
  },
  missing_token: {
    status: 401,
    title: 'Authentication required',
    detail: () => 'send an access token in `Authorization: Bearer`',
    headers: ({ metadata }) => ({ 'WWW-Authenticate': challenge(undefined, { metadata }) }),
  },
  invalid_token: {
    status: 401,
    title: 'Authentication failed',
    detail: () => 'the token is unknown or malformed, has expired, or its session has ended',
    headers: ({ metadata }) => ({ 'WWW-Authenticate': challenge('invalid_token', { metadata }) }),
  },
  missing_session: {
    status: 401,
    title: 'Authentication required',
    detail: () => 'sign in first: the request brings no session',
    headers: () => ({ 'WWW-Authenticate': 'Cookie realm="api"' }),
  },
  invalid_session: {
    status: 401,
    title: 'Authentication failed',
    detail: () => 'the session is unknown, or it has ended',
    headers: () => ({ 'WWW-Authenticate': 'Cookie realm="api"' }),
  },
  invalid_signature: {
    status: 401,
    title: 'Authentication failed',
    detail: () => 'the call is not proved to be that of its sender',
    headers: () => ({ 'WWW-Authenticate': 'Signature realm="api"' }),
  },
  missing_password: {
    status: 401,
    title: 'Authentication required',
    detail: () => 'send the e-mail address and the password of an account in `Authorization: Basic`',
    headers: () => ({ 'WWW-Authenticate': 'Basic realm="api", charset="UTF-8"' }),
  },
  invalid_password: {
    status: 401,
    title: 'Authentication failed',
    detail: () => 'the e-mail address or the password is wrong',
    headers: () => ({ 'WWW-Authenticate': 'Basic realm="api", charset="UTF-8"' }),
  },
  wrong_credentials: {
    status: 401,
    title: 'Login failed',
    detail: () => 'the e-mail address or the password is wrong',
  },
  account_disabled: {
    status: 403,
    title: 'Account disabled',
    detail: () => 'the account may not be used',
  },
  insufficient_scope: {
    status: 403,
    title: 'Insufficient scope',
    detail: ({ scope, grant }) => (grant ? `the token was not granted the scope \`${grant}\`` : `the API key lacks the scope \`${scope}\``),
    headers: ({ scope, grant, metadata }) => ({ 'WWW-Authenticate': challenge('insufficient_scope', { scope: grant ?? scope, metadata }) }),
  },
  insufficient_role: {
    status: 403,
    title: 'Insufficient role',
    detail: ({ role }) =>
      Array.isArray(role) ? `the account has none of the roles ${role.map((name) => `\`${name}\``).join(', ')}` : `the account has not the role \`${role}\``,
  },
  unknown_user: {
    status: 403,
    title: 'Unknown user',
    detail: () => 'no user here belongs to the token, and none can be made for it',
  },
  cross_origin: {
    status: 403,
    title: 'Cross-origin request',
    detail: () => 'a page of another origin had the browser send this request',
  },
  not_found: {
    status: 404,
    title: 'Not found',
    detail: () => 'no resource has this path',
  },
  method_not_allowed: {
    status: 405,
    title: 'Method not allowed',
    detail: ({ allow }) => `this path answers ${allow}`,
    headers: ({ allow }) => ({ Allow: allow }),
  },
  request_timeout: {
    status: 408,
    title: 'Request timed out',
    detail: () => 'the body did not arrive in time',
    headers: () => ({ Connection: 'close' }),
  },
  conflict: {
    status: 409,
    title: 'Conflict',
    detail: () => 'a record with the same unique value exists',
  },
  overlap: {
    status: 409,
    title: 'Overlap',
    detail: () => 'another record takes some of this time',
  },
  in_use: {
    status: 409,
    title: 'In use',
    detail: () => 'other records lead to this one: change or remove them first',
  },
  out_of_stock: {
    status: 409,
    title: 'Out of stock',
    detail: () => 'there is less of something than was asked for',
  },
  wrong_state: {
    status: 409,
    title: 'Wrong state',
    detail: () => 'the record is in a state in which this cannot be done',
  },
  patch_failed: {
    status: 409,
    title: 'Patch failed',
    detail: () => 'the record is not as the patch takes it to be; nothing has changed',
  },
  link_expired: {
    status: 410,
    title: 'Link expired',
    detail: () => 'the link was used, or is too old: ask for another one',
  },
  request_in_progress: {
    status: 409,
    title: 'Request in progress',
    detail: () => 'another request with this `Idempotency-Key` is still being worked on',
    headers: () => ({ 'Retry-After': '1' }),
  },
  precondition_failed: {
    status: 412,
    title: 'Precondition failed',
    detail: () => 'the record has changed since it was read; read it again',
  },
  body_too_large: {
    status: 413,
    title: 'Body too large',
    detail: ({ limit }) => `the body may have at most ${limit} bytes`,
    headers: () => ({ Connection: 'close' }),
  },
  uri_too_long: {
    status: 414,
    title: 'URI too long',
    detail: () => 'path and query may have at most 57344 bytes together',
    headers: () => ({ Connection: 'close' }),
  },
  unsupported_media_type: {
    status: 415,
    title: 'Unsupported media type',
    detail: ({ coded, types, takesRows }) => {
      if (coded) return 'send the body without `Content-Encoding`';
      if (takesRows) return `send the body as ${oneOf(['application/json', 'text/csv'])}`;
      return types ? `send the body as ${oneOf(types)}` : 'send the body as `application/json`';
    },
    // RFC 9110, 15.5.16: says that it is the coding, and which one would do. RFC 5789, 2.2: which media types would.
    headers: ({ coded, types }) => (coded ? { 'Accept-Encoding': 'identity' } : types ? { 'Accept-Patch': types.join(', ') } : {}),
  },
  validation_failed: {
    status: 422,
    title: 'Validation failed',
    detail: ({ errors }) => (errors.length === 1 ? '1 field is wrong' : `${errors.length} fields are wrong`),
  },
  idempotency_key_reused: {
    status: 422,
    title: 'Idempotency key reused',
    detail: () => 'this `Idempotency-Key` was sent before with another request',
  },
  rate_limited: {
    status: 429,
    title: 'Too many requests',
    detail: ({ quota, window }) => `at most ${quota} requests per ${window} seconds`,
    headers: ({ retryAfter }) => ({ 'Retry-After': String(retryAfter) }),
  },
  header_fields_too_large: {
    status: 431,
    title: 'Header fields too large',
    detail: () => 'the head of a request may have at most 65536 bytes and 100 fields',
    headers: () => ({ Connection: 'close' }),
  },
  internal_error: {
    status: 500,
    title: 'Internal error',
    detail: () => 'the server failed; the request id finds the cause in its log',
  },
  service_refused: {
    status: 502,
    title: 'Refused by a service',
    detail: () => 'a service behind this API does not do what it was asked for; nothing is left of it',
  },
  unavailable: {
    status: 503,
    title: 'Service unavailable',
    detail: ({ late, uncertain }) => {
      if (uncertain) return 'the database was lost while this was stored, so it may be stored or not';
      return lateDetails[late] ?? 'the database does not answer';
    },
    headers: () => ({ 'Retry-After': '1' }),
  },
  issuer_unavailable: {
    status: 503,
    title: 'Issuer unavailable',
    detail: () => 'whoever issues the tokens does not answer, so this one cannot be checked now',
    headers: () => ({ 'Retry-After': '5' }),
  },
  overloaded: {
    status: 503,
    title: 'Service overloaded',
    detail: ({ busy }) => (busy ? 'too many requests are at work; try again' : 'the answer took too long'),
    headers: () => ({ 'Retry-After': '1' }),
  },
};

/** Names in words: `a`, `b` or `c`. */
function oneOf(names) {
  const quoted = names.map((name) => `\`${name}\``);
  return `${quoted.slice(0, -1).join(', ')} or ${quoted.at(-1)}`;
}

/** What a bearer is asked for (RFC 6750, 3), and where it is said who issues the tokens that are taken (RFC 9728, 5.1). */
function challenge(error, { scope, metadata }) {
  const said = { realm: 'api', error, scope, resource_metadata: metadata };
  const parts = Object.entries(said).filter(([, value]) => value !== undefined);
  return `Bearer ${parts.map(([name, value]) => `${name}="${value}"`).join(', ')}`;
}

export class Problem extends Error {
  /**
   * @param {keyof typeof problems} name
   * @param {object} [facts] what the detail and the headers of this problem are made from
   * @param {ErrorOptions} [options] `cause` is logged, never sent
   */
  constructor(name, facts = {}, options = {}) {
    super(name, options);
    const problem = problems[name];
    this.name = name;
    this.status = problem.status;
    this.title = problem.title;
    this.detail = problem.detail(facts);
    this.headers = problem.headers?.(facts) ?? {};
    this.errors = facts.errors;
    this.late = facts.late;
    /** Whether the connection to the database ended before anything was done. */
    this.isLost = facts.isLost ?? false;
  }

  /** The response of this problem, in the shape that `respond` gives. */
  toResponse(requestId) {
    return {
      status: this.status,
      headers: { ...this.headers, 'Content-Type': 'application/problem+json' },
      text: JSON.stringify({
        type: `urn:problem-type:${this.name.replaceAll('_', '-')}`,
        title: this.title,
        status: this.status,
        detail: this.detail,
        request_id: requestId,
        errors: this.errors,
      }),
    };
  }
}
