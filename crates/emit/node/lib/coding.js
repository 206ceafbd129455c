// Content codings of answers: which one a caller takes, and the bytes in it. Cheap levels: the answer waits for them.
// Nothing here opens the way to BREACH: that needs a secret and a text of the attacker's in one compressed answer that a
// browser fetches with credentials it attaches by itself. Callers attach keys by hand, answers hold no key, and a problem
// repeats nothing of what was sent.

import { promisify } from 'node:util';
import { brotliCompress, constants, createBrotliCompress, createGzip, gzip } from 'node:zlib';

// Smaller bodies are sent as they are: they fit into one packet either way.
const LEAST_BYTES = 1024;
const GZIP_LEVEL = 4;
const BROTLI_QUALITY = 4;
// Base-2 logarithm of brotli's window: bodies are small.
const BROTLI_WINDOW = 18;

const compressGzip = promisify(gzip);
const compressBrotli = promisify(brotliCompress);

/** The better one first. */
const codings = ['br', 'gzip'];

/** Whether the answer becomes smaller in a coding. */
export function canBeCoded({ headers, text }) {
  if (headers['Content-Encoding'] !== undefined || headers.Vary?.includes('Accept-Encoding')) return false;
  const mediaType = (headers['Content-Type'] ?? '').split(';')[0].trim();
  return /^text\/|(?:json|javascript|xml)$/.test(mediaType) && Buffer.byteLength(text ?? '') >= LEAST_BYTES;
}

/**
 * The coding that the caller likes best, the better one among equals.
 * @param {string} [acceptEncoding] @returns {'br' | 'gzip' | undefined}
 */
export function acceptedCoding(acceptEncoding = '') {
  const weights = new Map(acceptEncoding.split(',').map(weightOf).filter(Boolean).reverse());
  const weight = (coding) => weights.get(coding) ?? weights.get(`x-${coding}`) ?? weights.get('*') ?? 0;
  const best = weight('gzip') > weight('br') ? 'gzip' : 'br';
  return weight(best) > 0 && weight(best) >= (weights.get('identity') ?? 0) ? best : undefined;
}

const gzipOptions = { level: GZIP_LEVEL };
const brotliOptions = { params: { [constants.BROTLI_PARAM_QUALITY]: BROTLI_QUALITY, [constants.BROTLI_PARAM_LGWIN]: BROTLI_WINDOW } };

/** @returns {Promise<Buffer>} */
export function encode(coding, text) {
  return coding === 'gzip' ? compressGzip(text, gzipOptions) : compressBrotli(text, brotliOptions);
}

/** The same of what becomes known bit by bit: a stream, out of which comes what went into it so far. */
export function encoder(coding) {
  if (coding === 'gzip') return createGzip({ ...gzipOptions, flush: constants.Z_SYNC_FLUSH });
  return createBrotliCompress({ ...brotliOptions, flush: constants.BROTLI_OPERATION_FLUSH });
}

/** The tag of the same version in a coding: other bytes need another strong tag (RFC 9110, 8.8.3.3). */
export function codedTag(tag, coding) {
  return tag.replace(/"$/, `-${coding}"`);
}

/** The tag without its coding. */
export function plainTag(tag) {
  return tag.replace(new RegExp(`-(?:${codings.join('|')})"$`), '"');
}

/** `gzip;q=0.5` as its name and weight. */
export function weightOf(text) {
  const [name, ...parameters] = text.split(';').map((part) => part.trim().toLowerCase());
  const quality = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2) ?? '1';
  return name !== '' && /^(?:0(?:\.\d*)?|1(?:\.0*)?)$/.test(quality) ? [name, Number(quality)] : undefined;
}
