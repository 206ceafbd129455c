// Answers with one page of a list, as JSON, CSV (RFC 4180) or NDJSON, with its tag and the link to the page behind it. It reads
// no rows: `readPage` of listing.js gives them.

import { weightOf } from './coding.js';
import { etagOfText } from './etag.js';
import { respondText } from './response.js';

const formats = ['application/json', 'text/csv', 'application/x-ndjson'];

/**
 * Of these the one that the caller likes best: the first among equals, and where none of them is liked (RFC 9110, 12.5.1).
 * @param {string} [accept]
 */
export function acceptedFormat(accept = '*/*') {
  const weights = new Map(accept.split(',').map(weightOf).filter(Boolean).reverse());
  // The range that says most of a type counts.
  const weight = (type) => weights.get(type) ?? weights.get(type.replace(/\/.*/, '/*')) ?? weights.get('*/*') ?? 0;
  return formats.reduce((best, type) => (weight(type) > weight(best) ? type : best));
}

/** The page of a list as the caller asks for it. Parameters as for `respondCsv`. */
export function respondList(request, page, listing) {
  const format = acceptedFormat(request.header('accept'));
  const respond = { 'text/csv': respondCsv, 'application/x-ndjson': respondNdjson }[format] ?? respondPage;
  const answer = respond(request, page, listing);
  return { ...answer, headers: { ...answer.headers, Vary: 'Accept' } };
}

/**
 * `{"items": [...], "next": cursor or null}`, with the `total` where it was asked for, and what that is where an estimate was.
 * @param {import('./request.js').Request} request
 * @param {{ items: object[], next: string | null }} page
 */
export function respondPage(request, { items, next, total, total_is }) {
  const text = JSON.stringify({ items, next, total, total_is });
  return respondText(200, 'application/json', text, { ETag: etagOfText(text), ...linkTo(request, next) });
}

/**
 * A header row, then a row for each item. Parameters as for `respondPage`.
 * @param {{ columns: Record<string, { kind: string }> }} listing what `readPage` was asked for
 */
export function respondCsv(request, page, listing) {
  const columns = page.kinds ?? listing.columns;
  const names = page.fields ?? Object.keys(columns);
  const row = (item) => line(names.map((name) => cell(item[name], columns[name]?.kind)));
  return respondRows(request, 'text/csv; charset=utf-8; header=present', page, row, line(names));
}

/** One JSON object a line. Parameters as for `respondPage`. */
export function respondNdjson(request, page) {
  return respondRows(request, 'application/x-ndjson', page, (item) => `${JSON.stringify(item)}\n`);
}

function respondRows(request, contentType, { items, next, rest }, written, header = '') {
  const textOf = (list) => list.map(written).join('');
  const text = header + textOf(items);
  // What it will be in the end nobody knows yet.
  if (rest) return { ...respondText(200, contentType, text), rest: textsOf(rest, textOf) };
  // The cursor does not stand in such a body, and a list that has grown behind this page has another answer.
  return respondText(200, contentType, text, { ETag: etagOfText(text + (next ?? '')), ...linkTo(request, next) });
}

async function* textsOf(lists, textOf) {
  for await (const list of lists) yield textOf(list);
}

function line(cells) {
  return `${cells.join(',')}\r\n`;
}

/** RFC 8288. The target is a query alone: it holds wherever the path was published. */
function linkTo(request, next) {
  if (next === null) return {};
  const { query } = request;
  query.delete('cursor');
  query.delete('offset');
  query.append('cursor', next);
  return { Link: `<?${query}>; rel="next"` };
}

function cell(value, kind) {
  if (value === null) return '';
  const text = typeof value === 'object' && kind !== 'decimal' ? JSON.stringify(value) : String(value);
  const safe = typeof value === 'string' && mayBeRun(text, kind) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

// What a spreadsheet takes for a formula (OWASP, CSV injection). A telephone number begins with `+` and holds nothing that can
// be called.
function mayBeRun(text, kind) {
  return kind !== 'phone' && /^[=+\-@\t\r]/.test(text);
}
