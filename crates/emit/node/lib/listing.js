// Lists: checks a query string against what an endpoint allows, and reads one page of rows by keyset.
// What an endpoint allows is { columns, sorts, order, key, page, position }: every column with its kind and the comparisons that may
// be asked of it, the columns to sort by, the order where none is asked for (`-id`), the unique column that every order ends with
// where that is not `id`, { default, maximum, rows } rows a page, of which there may be `rows` where they are written one after the other, and where a text begins in a column (0: nowhere), with `#` for the
// column and `?` for the text; where they may be asked for, the `fields` to pick of a row, how many rows an `offset` may pass over, and
// `total`, how many there are, and a `summary` as summary.js reads it. What may come with a row besides is told as in related.js. A column that the engine would sort in another order than others do says by what it is `sorted`,
// with `?` for the column.

import { requireScopes } from './authorization.js';
import { parseJson } from './json.js';
import { logWarning } from './log.js';
import { acceptedFormat } from './page.js';
import { Problem } from './problem.js';
import { includedIn, outputsOf, readFields, takeOfRelated, withRelated } from './related.js';
import { joined, picked } from './selection.js';
import { asksForSummary, readSummary, validateSummary } from './summary.js';
import { checkParameter, cursorValue, ERROR_LIMIT, isRepeated, isUnknownParameter } from './validation.js';
import { condition, giving, isFiltered, ordered, orderOf, sorted, takeColumn, takeFilter, takeLimit, takeSort, toColumn, usual } from './wanted.js';

/** Longest cursor that is looked at. */
const CURSOR_LIMIT = 8192;

/** Rows that are read at once. */
const AT_ONCE = 1000;
/** Rows up to which they are counted where an estimate of them will do. */
const MOST_COUNTED = 10_000;

const isNoCursor = { code: 'format', detail: 'must be the `next` of a page with the same sort' };

const isTwice = { code: 'inconsistent', detail: 'must not be given together with `cursor`' };

/**
 * What the request asks of a list, or a `validation_failed` with every wrong parameter, in the order they were sent.
 * @param {import('./request.js').Request} request
 * @param {object} [related] what may come with a row
 */
export function validateListing(request, listing, related) {
  const { query } = request;
  if (asksForSummary(query, listing)) return validateSummary(query, listing, (parameter) => isOfRows(parameter, listing, related));
  const accept = request.header('accept');
  const asked = { related, ...usual(listing), accept, after: null, offset: 0 };
  const errors = [];
  const seen = new Set();
  let cursor;
  let offset;
  for (const [place, [parameter, text]] of [...query].entries()) {
    const wrong = seen.has(parameter) ? isRepeated : takeParameter(asked, parameter, text);
    if (wrong) errors.push({ place, parameter, ...wrong });
    else if (parameter === 'cursor') cursor = { place, text };
    else if (parameter === 'offset') offset = { place };
    seen.add(parameter);
  }
  // Where a page begins is said once.
  if (cursor && offset) errors.push({ ...offset, parameter: 'offset', ...isTwice });
  // A cursor can be read only once the sort is known, wherever it stood.
  if (cursor) {
    asked.after = readCursor(asked, cursor.text);
    if (!asked.after) errors.push({ place: cursor.place, parameter: 'cursor', ...isNoCursor });
  }
  if (errors.length > 0) {
    const inOrder = errors.sort((left, right) => left.place - right.place).map(({ place, ...error }) => error);
    throw new Problem('validation_failed', { errors: inOrder.slice(0, ERROR_LIMIT) });
  }
  asked.fields = joined(asked.fields, asked.included, listing.fields);
  requireScopes(request, includedIn(asked.fields, related).flatMap((name) => related[name].scopes ?? []));
  return asked;
}

/**
 * The page that was asked for: { items, next }, with the names of the `fields` where not all of them were asked for, and the `total` of
 * all pages where that was, and what it is where an estimate was. Of a long one these are the first items, and `rest` gives the others, some at a time, as they are read.
 * @param {import('./database.js').Database} database or a transaction
 * @param {ReturnType<typeof validateListing>} asked
 * @param {string} select the statement up to its own condition
 * @param {any[]} [conditionValues] the values of that condition; without them it has none
 */
export async function readPage(database, asked, select, conditionValues) {
  if (asked.summary) return readSummary(database, asked, select, conditionValues);
  const lists = database.lists ?? compose;
  const { related } = asked;
  const included = includedIn(asked.fields, related);
  const ofOthers = outputsOf(included, related);
  const read = async (what, columns, before = []) => {
    const wanted = { ...what, outputs: ofOthers.outputs };
    const { sql, values } = lists(select, conditionValues ? 'AND' : 'WHERE', wanted, conditionValues?.length ?? 0);
    const given = [...before, ...(conditionValues ?? []), ...values];
    try {
      return await database.many(sql, given, columns);
    } catch (problem) {
      if (problem.late === 'plan_over_budget') proposeIndex(asked);
      throw problem;
    }
  };
  const readItems = async (what) => {
    const rows = await read(what, asked.listing.columns, ofOthers.values);
    const page = rows.slice(0, what.limit);
    const next = rows.length > what.limit ? writeCursor(asked, page.at(-1)) : null;
    return { items: page.map((row) => picked(withRelated(row, included, related), asked.fields)), next };
  };
  const { items, next } = await readItems({ ...asked, limit: Math.min(asked.limit, AT_ONCE) });
  const counted = asked.counting && (await countedRows(asked.counting, (what) => read({ ...asked, ...what }, {})));
  const isAll = next === null || asked.limit <= AT_ONCE;
  return { items, next, fields: asked.fields, ...counted, rest: isAll ? undefined : itemsBehind(readItems, asked, next) };
}

/** How many rows there are; where an estimate will do no more than some of them are looked at, one more than are told. */
async function countedRows(counting, read) {
  const most = counting === 'estimated' ? MOST_COUNTED + 1 : undefined;
  const [row] = await read({ isCount: true, most });
  // A document database counts nothing where there is nothing.
  const total = row?.total ?? 0;
  if (!most) return { total };
  return { total: Math.min(total, MOST_COUNTED), total_is: total < most ? 'exact' : 'at_least' };
}

/**
 * Says of a read that would take more than its budget which index may keep it within: what must be equal, and behind it a range or what
 * the rows are in the order of.
 */
function proposeIndex({ filters, sort, listing }) {
  const all = [...filters];
  const [equal, ranges] = [[], []];
  for (const { all: inner, name, comparison, values, isNull } of all) {
    if (inner) all.push(...inner);
    else if (comparison === 'eq' || values || isNull) equal.push(name);
    else if (comparison && comparison !== 'ne') ranges.push(name);
  }
  const order = orderOf(sort, listing).map(({ name }) => name);
  const columns = [...equal.sort(), ...(ranges.length > 0 ? ranges.sort().slice(0, 1) : order)];
  if (equal.length > 0 || ranges.length > 0 || order.length > 1) {
    logWarning('an index may keep a read within its budget', { columns: [...new Set(columns)].join(', ') });
  }
}

/** Page by page; no more than one is read ahead of whoever takes them. */
async function* itemsBehind(readItems, asked, cursor) {
  let left = asked.limit - AT_ONCE;
  const begin = (next) => {
    if (next === null || left <= 0) return undefined;
    const page = readItems({ ...asked, after: readCursor(asked, next), offset: 0, limit: Math.min(left, AT_ONCE) });
    left -= AT_ONCE;
    // Whoever takes no more does not hear why it cannot be read.
    page.catch(() => {});
    return page;
  };
  for (let coming = begin(cursor); coming; ) {
    const { items, next } = await coming;
    coming = begin(next);
    yield items;
  }
}

/** Notes what one parameter asks; gives what is wrong with it, if anything is. */
function takeParameter(asked, parameter, text) {
  if (parameter === 'limit') return takeLimit(asked, text, { maximum: mostOf(asked) });
  if (parameter === 'sort') return takeSort(asked, text);
  if (parameter === 'cursor') return undefined;
  if (parameter === 'offset' && asked.listing.offset !== undefined) return takeOffset(asked, text);
  if (parameter === 'count' && asked.listing.total) {
    asked.counting = text;
    return ['exact', 'estimated'].includes(text) ? undefined : { code: 'format', detail: 'must be one of exact, estimated' };
  }
  if (parameter === 'fields' && asked.listing.fields) {
    const { fields, ...wrong } = readFields(text, asked.listing.fields);
    if (!fields) return wrong;
    asked.fields = fields;
    return undefined;
  }
  if (parameter === 'include' && asked.related) {
    const { fields, ...wrong } = readFields(text, Object.keys(asked.related));
    if (!fields) return wrong;
    asked.included = fields;
    return undefined;
  }
  if (parameter === 'filter' && isFiltered(asked.listing)) return takeFilter(asked, text);
  if (parameter.includes('.')) return takeOfRelated(asked.related, parameter, text);
  return takeColumn(asked, parameter, text);
}

/** How many rows may be asked for, as the caller would have them written. */
function mostOf({ listing, accept }) {
  const { maximum, rows = maximum } = listing.page;
  return acceptedFormat(accept) === 'application/json' ? maximum : rows;
}

/** Whether the list has a parameter that asks for rows, or for how many there are. */
function isOfRows(parameter, listing, related) {
  if (parameter.includes('.')) return takeOfRelated(related, parameter, '') !== isUnknownParameter;
  return { cursor: true, offset: listing.offset, count: listing.total, fields: listing.fields, include: related }[parameter] !== undefined;
}

function takeOffset(asked, text) {
  const { offset: maximum } = asked.listing;
  const { value, ...wrong } = checkParameter(text, { kind: 'integer' });
  if (wrong.code) return wrong;
  if (value < 0 || value > maximum) return { code: 'range', detail: `must be between 0 and ${maximum}` };
  asked.offset = value;
}

/** The columns of a page where not all are asked for, in the order of the list's own: those, and what it is in the order of. */
export function columnsOf({ listing, fields, sort }) {
  const wanted = new Set([...fields, ...orderOf(sort, listing).map(({ name }) => name)]);
  return listing.fields.filter((name) => wanted.has(name));
}

// Names are columns of the description, never what the caller sent; quotes are for those that are words of SQL.
function compose(whole, firstWord, asked) {
  const { listing, filters, sort, after, limit, offset, isCount, most } = asked;
  const { columns } = listing;
  const order = orderOf(sort, listing);
  const given = () => [...columnsOf(asked).map((name) => `"${name}"`), ...asked.outputs];
  const select = asked.fields ? giving(given(), whole) : whole;
  const values = [];
  const conditions = filters.map((filter) => condition(filter, listing, values));
  if (after && !isCount) {
    // (a, b) behind (x, y): a > x, or a = x and b > y.
    const compared = (name, how) => `${sorted(`"${name}"`, columns[name])} ${how} ${sorted('?', columns[name])}`;
    const ways = order.map(({ name, isReverse }, last) => [
      ...order.slice(0, last).map((equal) => compared(equal.name, '=')),
      compared(name, isReverse ? '<' : '>'),
    ].join(' AND '));
    conditions.push(`(${ways.join(' OR ')})`);
    const placed = after.map((value, level) => toColumn(value, columns[order[level].name]));
    values.push(...order.flatMap((_, last) => placed.slice(0, last + 1)));
  }
  const where = conditions.length > 0 ? ` ${firstWord} ${conditions.join(' AND ')}` : '';
  if (isCount && most) {
    return { sql: `SELECT COUNT(*) AS total FROM (${giving(['1 AS counted'], whole)}${where} LIMIT ${most}) AS counted_rows`, values };
  }
  if (isCount) return { sql: `${giving(['COUNT(*) AS total'], whole)}${where}`, values };
  // One row more than asked for tells that there is another page.
  const passed = offset > 0 ? ` OFFSET ${offset}` : '';
  return { sql: `${select}${where} ORDER BY ${ordered(sort, listing)} LIMIT ${limit + 1}${passed}`, values };
}

function writeCursor({ listing, sort }, row) {
  return Buffer.from(JSON.stringify([sort, ...orderOf(sort, listing).map(({ name }) => row[name])])).toString('hex');
}

/** The values in a cursor that was made for this sort; `null` where it is none. */
function readCursor({ listing, sort }, text) {
  if (text.length > CURSOR_LIMIT || !/^(?:[0-9a-f]{2})+$/i.test(text)) return null;
  const parts = jsonIn(Buffer.from(text, 'hex'));
  if (!Array.isArray(parts) || parts[0] !== sort) return null;
  const order = orderOf(sort, listing);
  if (parts.length - 1 !== order.length) return null;
  const values = order.map(({ name }, index) => cursorValue(parts[index + 1], listing.columns[name]));
  return values.includes(undefined) ? null : values;
}

function jsonIn(bytes) {
  try {
    return parseJson(bytes);
  } catch {
    return undefined;
  }
}
