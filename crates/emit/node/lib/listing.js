// Lists: checks a query string against what an endpoint allows, and reads one page of rows by keyset.
// What an endpoint allows is { columns, sorts, order, key, page }: every column with its kind and the comparisons that may be
// asked of it, the columns to sort by, the order where none is asked for (`-id`), the unique column that every order ends with
// where that is not `id`, and { default, maximum } rows a page. A column that the engine would sort in another order than others do
// says by what it is `sorted`, with `?` for the column.

import { parseJson } from './json.js';
import { Problem } from './problem.js';
import { checkParameter, cursorValue, ERROR_LIMIT, isRepeated, isUnknownParameter } from './validation.js';

/** The usual unique column that every order ends with. */
const KEY = 'id';
/** Longest cursor that is looked at. */
const CURSOR_LIMIT = 8192;

const operators = { eq: '=', ne: '<>', lt: '<', lte: '<=', gt: '>', gte: '>=' };

const isNoCursor = { code: 'format', detail: 'must be the `next` of a page with the same sort' };

/**
 * What the request asks of a list, or a `validation_failed` with every wrong parameter, in the order they were sent.
 * @param {import('./request.js').Request} request
 */
export function validateListing(request, listing) {
  const asked = { listing, filters: [], sort: listing.order, limit: listing.page.default, after: null };
  const errors = [];
  const seen = new Set();
  let cursor;
  for (const [parameter, text] of request.query) {
    const wrong = seen.has(parameter) ? isRepeated : takeParameter(asked, parameter, text);
    if (parameter === 'cursor' && !seen.has(parameter)) cursor = { text, position: errors.length };
    if (wrong) errors.push({ parameter, ...wrong });
    seen.add(parameter);
  }
  // A cursor can be read only once the sort is known, wherever it stood.
  if (cursor) {
    asked.after = readCursor(asked, cursor.text);
    if (!asked.after) errors.splice(cursor.position, 0, { parameter: 'cursor', ...isNoCursor });
  }
  if (errors.length > 0) throw new Problem('validation_failed', { errors: errors.slice(0, ERROR_LIMIT) });
  return asked;
}

/**
 * The page that was asked for: { items, next }.
 * @param {import('./database.js').Database} database or a transaction
 * @param {ReturnType<typeof validateListing>} asked
 * @param {string} select the statement up to its own condition
 * @param {any[]} [conditionValues] the values of that condition; without them it has none
 */
export async function readPage(database, asked, select, conditionValues) {
  const lists = database.lists ?? compose;
  const { sql, values } = lists(select, conditionValues ? 'AND' : 'WHERE', asked, conditionValues?.length ?? 0);
  const rows = await database.many(sql, [...(conditionValues ?? []), ...values], asked.listing.columns);
  const items = rows.slice(0, asked.limit);
  return { items, next: rows.length > asked.limit ? writeCursor(asked, items.at(-1)) : null };
}

/** Notes what one parameter asks; gives what is wrong with it, if anything is. */
function takeParameter(asked, parameter, text) {
  if (parameter === 'limit') return takeLimit(asked, text);
  if (parameter === 'sort') return takeSort(asked, text);
  if (parameter === 'cursor') return undefined;
  const [, name, comparison = 'eq'] = /^(\w+)(?:\[(ne|lt|lte|gt|gte)\])?$/.exec(parameter) ?? [];
  const column = Object.hasOwn(asked.listing.columns, name) ? asked.listing.columns[name] : {};
  if (!column.comparisons?.includes(comparison)) return isUnknownParameter;
  const { value, ...wrong } = checkParameter(text, column);
  if (wrong.code) return wrong;
  asked.filters.push({ name, comparison, value });
}

function takeLimit(asked, text) {
  const { maximum } = asked.listing.page;
  const { value, ...wrong } = checkParameter(text, { kind: 'integer' });
  if (wrong.code) return wrong;
  if (value < 1 || value > maximum) return { code: 'range', detail: `must be between 1 and ${maximum}` };
  asked.limit = value;
}

function takeSort(asked, text) {
  const { sorts, key = KEY } = asked.listing;
  const [name] = orderOf(text, asked.listing);
  if (name !== key && !sorts.includes(name)) return { code: 'format', detail: `must be one of ${sorts.join(', ')}` };
  asked.sort = text;
}

/** The columns that a sort means: the key decides among rows of one value. */
export function orderOf(sort, { key = KEY }) {
  const name = sort.replace(/^-/, '');
  return name === key ? [key] : [name, key];
}

// Names are columns of the description, never what the caller sent; quotes are for those that are words of SQL.
function compose(select, firstWord, { listing, filters, sort, after, limit }) {
  const { columns } = listing;
  const order = orderOf(sort, listing);
  const [sign, direction] = sort.startsWith('-') ? ['<', ' DESC'] : ['>', ''];
  const conditions = filters.map(({ name, comparison }) => `"${name}" ${operators[comparison]} ?`);
  const values = filters.map(({ name, value }) => toColumn(value, columns[name]));
  if (after) {
    // (a, b) behind (x, y): a > x, or a = x and b > y.
    const compared = (name, how) => `${sorted(`"${name}"`, columns[name])} ${how} ${sorted('?', columns[name])}`;
    const ways = order.map((name, last) => [
      ...order.slice(0, last).map((equal) => compared(equal, '=')),
      compared(name, sign),
    ].join(' AND '));
    conditions.push(`(${ways.join(' OR ')})`);
    const placed = after.map((value, level) => toColumn(value, columns[order[level]]));
    values.push(...order.flatMap((_, last) => placed.slice(0, last + 1)));
  }
  const condition = conditions.length > 0 ? ` ${firstWord} ${conditions.join(' AND ')}` : '';
  const levels = order.map((name) => `${sorted(`"${name}"`, columns[name])}${direction}`).join(', ');
  // One row more than asked for tells that there is another page.
  return { sql: `${select}${condition} ORDER BY ${levels} LIMIT ${limit + 1}`, values };
}

/** A column, or the placeholder of a value of it, as it is sorted by: engines do not agree about the order of every column. */
function sorted(text, { sorted: by }) {
  return by === undefined ? text : by.replace('?', text);
}

/** A time is more than a text to some engines. */
function toColumn(value, { kind }) {
  return kind === 'timestamp' && value !== null ? new Date(value) : value;
}

function writeCursor({ listing, sort }, row) {
  return Buffer.from(JSON.stringify([sort, ...orderOf(sort, listing).map((name) => row[name])])).toString('hex');
}

/** The values in a cursor that was made for this sort; `null` where it is none. */
function readCursor({ listing, sort }, text) {
  if (text.length > CURSOR_LIMIT || !/^(?:[0-9a-f]{2})+$/i.test(text)) return null;
  const parts = jsonIn(Buffer.from(text, 'hex'));
  if (!Array.isArray(parts) || parts[0] !== sort) return null;
  const order = orderOf(sort, listing);
  if (parts.length - 1 !== order.length) return null;
  const values = order.map((name, index) => cursorValue(parts[index + 1], listing.columns[name]));
  return values.includes(undefined) ? null : values;
}

function jsonIn(bytes) {
  try {
    return parseJson(bytes);
  } catch {
    return undefined;
  }
}
