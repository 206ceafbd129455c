// What a procedure answers with: a status, headers and a text. Sending it is the application's work.

/** Headers of every response. */
export const standingHeaders = {
  'X-Content-Type-Options': 'nosniff',
  'Cache-Control': 'no-store',
};

/** A JSON response; without a body (`respond(204)`) an empty one. */
export function respond(status, body, headers = {}) {
  if (body === undefined) return { status, headers, text: undefined };
  return respondText(status, 'application/json', JSON.stringify(body), headers);
}

/** @param {string | Buffer} text */
export function respondText(status, contentType, text, headers = {}) {
  return { status, headers: { ...headers, 'Content-Type': contentType }, text };
}
