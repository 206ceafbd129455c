// Entity tags: which version of a record or of a list an answer shows, and what a caller says it has seen already
// (RFC 9110, sections 8.8.3 and 13.1).

import { createHash } from 'node:crypto';
import { plainTag } from './coding.js';

const DIGEST_LENGTH = 32;

/** The tag of a record's version. */
export function etag(version) {
  return `"${version}"`;
}

/** The tag of an answer that has no version: its bytes decide. */
export function etagOfText(text) {
  return etag(createHash('sha256').update(text).digest('hex').slice(0, DIGEST_LENGTH));
}

/** Whether `If-Match` allows to change this version: it is absent, `*`, or names its tag. A weak tag names nothing. */
export function isCurrent(request, version) {
  const wanted = request.header('if-match');
  return wanted === undefined || isAny(wanted) || tagsIn(wanted).some((tag) => plainTag(tag) === etag(version));
}

/** Whether `If-None-Match` says that the caller has the answer already. Weak tags count as equal. */
export function isKnown(request, { status, headers: { ETag: tag } }) {
  const known = request.header('if-none-match');
  const isRead = status === 200 && (request.method === 'GET' || request.method === 'HEAD');
  if (!isRead || tag === undefined || known === undefined) return false;
  return isAny(known) || tagsIn(known).some((named) => plainTag(named.replace(/^W\//, '')) === plainTag(tag));
}

function isAny(list) {
  return list.trim() === '*';
}

function tagsIn(list) {
  return list.split(',').map((tag) => tag.trim());
}
