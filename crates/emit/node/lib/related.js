// Rows of other tables that come with a row where a request asks for them: `include=category,reviews`. What may come is { name: { select,
// values, isList, columns, scopes } }: the statement that makes one text of them, an array of JSON a line, with its values; whether
// it is a list, or one row or none; the columns with their kinds; what may be asked of a list (`listing`), for which its statement has places; and
// what an API key must be good for besides.

import { Decimal, parseDecimal } from './decimal.js';
import { isUnknownParameter } from './validation.js';
import { condition, isFiltered, mustBeSeveralOf, ordered, takeFilter, takeLimit, takeSort, usual } from './wanted.js';

/**
 * The fields that a text names; one that is named again is there once.
 * @param {string[]} known
 * @returns {{ fields: string[] } | { code: string, detail: string }}
 */
export function readFields(text, known) {
  const fields = [...new Set(text.split(','))];
  if (fields.every((name) => known.includes(name))) return { fields };
  return mustBeSeveralOf(known);
}

/** The names of those that were asked for, in the order of their statements. */
export function includedIn(fields, related = {}) {
  return fields ? Object.keys(related).filter((name) => fields.includes(name)) : [];
}

/** Notes with the rows what a parameter asks of them, `reviews.limit`, where they may come; gives what is wrong with it, if anything is. */
export function takeOfRelated(related, parameter, text) {
  const [name, ...rest] = parameter.split('.');
  if (!related || !Object.hasOwn(related, name)) return isUnknownParameter;
  const { listing, columns } = related[name];
  const asked = (related[name].asked ??= listing ? usual(listing) : {});
  const what = rest.join('.');
  if (what === 'fields') {
    const { fields, ...wrong } = readFields(text, Object.keys(columns));
    if (!fields) return wrong;
    asked.fields = fields;
    return undefined;
  }
  if (listing && what === 'limit') return takeLimit(asked, text);
  if (listing && what === 'sort') return takeSort(asked, text);
  if (listing && what === 'filter' && isFiltered(listing)) return takeFilter(asked, text);
  return isUnknownParameter;
}

/** What the statement gives besides columns, with the values of that. @param {string[]} names */
export function outputsOf(names, related) {
  const all = names.map((name) => rowsOf(related[name]));
  return { outputs: all.map(({ sql }, index) => `(${sql}) AS "${names[index]}"`), values: all.flatMap(({ values }) => values) };
}

// What a list is asked stands in its statement in places of its own.
function rowsOf({ select, values = [], listing, asked }) {
  if (!listing) return { sql: select, values };
  const { filters, sort, limit } = asked ?? usual(listing);
  const more = [];
  const where = filters.map((filter) => ` AND ${condition(filter, listing, more)}`).join('');
  const sql = select.replace('#more', () => where).replace('#order', () => ordered(sort, listing)).replaceAll('#most', limit);
  return { sql, values: [...values, ...more] };
}

/** The row with documents for texts. */
export function withRelated(row, names, related) {
  for (const name of names) {
    const rows = rowsIn(row[name], related[name]);
    const { fields } = related[name].asked ?? {};
    const part = (whole) => (fields && whole ? Object.fromEntries(fields.map((field) => [field, whole[field]])) : whole);
    row[name] = Array.isArray(rows) ? rows.map(part) : part(rows);
  }
  return row;
}

function rowsIn(text, { isList = false, columns }) {
  const rows = text === null ? [] : text.split('\n').map((line) => rowOf(JSON.parse(line), columns));
  return isList ? rows : (rows[0] ?? null);
}

function rowOf(cells, columns) {
  const names = Object.keys(columns);
  if (cells.length !== names.length) throw new Error(`a row of ${names.join(', ')} cannot be read`);
  return Object.fromEntries(names.map((name, place) => [name, valueOf(cells[place], columns[name])]));
}

function valueOf(cell, { kind, scale }) {
  if (cell === null) return null;
  if (kind === 'boolean') return Boolean(cell);
  if (kind === 'decimal') return typeof cell === 'number' ? new Decimal(cell, scale) : parseDecimal(cell, scale).value;
  return kind === 'json' ? JSON.parse(cell) : cell;
}
