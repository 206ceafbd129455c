// What a procedure answers with: a status, headers and a text. Sending it is the application's work.

/**
 * Headers of every response; one of the answer's own wins over the standing one. They are for what no browser shows as a page.
 * https://cheatsheetseries.owasp.org/cheatsheets/REST_Security_Cheat_Sheet.html
 */
export const standingHeaders = {
  'X-Content-Type-Options': 'nosniff',
  'Cache-Control': 'no-store',
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Frame-Options': 'DENY',
};

/** Where the request came over TLS: a year. Not for subdomains, which may be somebody else's. */
export function transportSecurity(request) {
  return request.scheme === 'https' ? { 'Strict-Transport-Security': 'max-age=31536000' } : {};
}

/** A JSON response; without a body (`respond(204)`) an empty one. */
export function respond(status, body, headers = {}) {
  if (body === undefined) return { status, headers, text: undefined };
  return respondText(status, 'application/json', JSON.stringify(body), headers);
}

/** @param {string | Buffer} text */
export function respondText(status, contentType, text, headers = {}) {
  return { status, headers: { ...headers, 'Content-Type': contentType }, text };
}
