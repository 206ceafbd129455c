// Reads a request's body within bounds of size and time. Nothing is read before the headers passed.

import { readCsv } from './csv.js';
import { parseJson } from './json.js';
import { Problem } from './problem.js';

export const BODY_LIMIT = 65_536;
export const BODY_TIMEOUT = 10_000;
export const JSON_PATCH = 'application/json-patch+json';

/** The client went away before its body was complete: there is nobody to answer. */
export class ClientGone extends Error {}

/**
 * @param {import('./request.js').Request} request
 * @param {{ limit?: number, timeout?: number, types?: string[], takesRows?: boolean }} [bounds] bytes and milliseconds; `types` are the media
 *   types of changes; rows may come as CSV
 * @returns {Promise<any>} see `parseJson`
 */
export async function readJson(request, { limit = BODY_LIMIT, timeout = BODY_TIMEOUT, types, takesRows = false } = {}) {
  if (request.document !== undefined) {
    const { document } = request;
    request.document = undefined;
    return document;
  }
  const announced = request.header('transfer-encoding') === undefined ? Number(request.header('content-length') ?? 0) : undefined;
  if (announced === 0) throw new Problem('malformed_body');
  if (!/^(?:identity)?$/i.test(request.header('content-encoding') ?? '')) throw new Problem('unsupported_media_type', { coded: true });
  const mediaType = request.header('content-type');
  request.isCsv = takesRows && isCsvMediaType(mediaType);
  const isTaken = isJsonMediaType(mediaType) && (!types || types.includes(JSON_PATCH) || !mediaType.toLowerCase().startsWith(JSON_PATCH));
  if (!isTaken && !request.isCsv) throw new Problem('unsupported_media_type', { types, takesRows });
  if (announced > limit) throw new Problem('body_too_large', { limit });
  request.body = await readBytes(request, limit, timeout);
  return request.isCsv ? readCsv(request.body) : parseJson(request.body);
}

/** Reads the body, and says whether it is a list. Whoever reads it next is given it. Parameters as for `readJson`. */
export async function isList(request, bounds) {
  request.document = await readJson(request, { ...bounds, takesRows: true });
  return Array.isArray(request.document);
}

/** The bytes of a body of any kind, as they came. */
export async function readRaw(request, { limit = BODY_LIMIT, timeout = BODY_TIMEOUT } = {}) {
  if (Number(request.header('content-length') ?? 0) > limit) throw new Problem('body_too_large', { limit });
  request.body = await readBytes(request, limit, timeout);
  return request.body;
}

/** `application/json` or `application/<x>+json`, in UTF-8. */
export function isJsonMediaType(contentType) {
  return isInUtf8(contentType, /^application\/([a-z0-9!#$&^_.+-]+\+)?json$/);
}

function isCsvMediaType(contentType) {
  return isInUtf8(contentType, /^text\/csv$/);
}

function isInUtf8(contentType = '', type) {
  const [mediaType, ...parameters] = contentType.split(';').map((part) => part.trim().toLowerCase());
  if (!type.test(mediaType)) return false;
  return parameters
    .filter((parameter) => /^charset\s*=/.test(parameter))
    .every((parameter) => /^charset\s*=\s*("utf-8"|utf-8)$/.test(parameter));
}

function readBytes({ incoming, outgoing }, limit, timeout) {
  return new Promise((resolve, reject) => {
    const chunks = [];
    let size = 0;

    const settle = (finish, result) => {
      clearTimeout(timer);
      incoming.off('data', onData).off('end', onEnd).off('close', onClose).off('error', onClose);
      // A late error of an abandoned request has no other listener and would end the process.
      incoming.on('error', () => {});
      finish(result);
    };
    const onData = (chunk) => {
      size += chunk.length;
      if (size > limit) {
        // Leaving `incoming` flowing would read on; sending the answer decides what becomes of the rest.
        incoming.pause();
        settle(reject, new Problem('body_too_large', { limit }));
      } else {
        chunks.push(chunk);
      }
    };
    const onEnd = () => settle(resolve, Buffer.concat(chunks));
    const onClose = () => settle(reject, new ClientGone());
    const timer = setTimeout(() => settle(reject, new Problem('request_timeout')), timeout);

    if (incoming.destroyed) return onClose();
    if (expectsContinue(incoming)) outgoing.writeContinue();
    incoming.on('data', onData).on('end', onEnd).on('close', onClose).on('error', onClose);
  });
}

function expectsContinue(incoming) {
  return incoming.httpVersion === '1.1' && /^100-continue$/i.test(incoming.headers.expect ?? '');
}
