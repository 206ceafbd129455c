// Rows of other tables that come with a row where a request asks for them: `include=category,reviews`. What may come is { name: { select,
// values, isList, columns, scopes } }: the statement that makes one text of them, an array of JSON a line, with its values; whether
// it is a list, or one row or none; the columns with their kinds; and what an API key must be good for besides.

import { Decimal, parseDecimal } from './decimal.js';

/** The names of those that were asked for, in the order of their statements. */
export function includedIn(fields, related = {}) {
  return fields ? Object.keys(related).filter((name) => fields.includes(name)) : [];
}

/** What the statement gives besides columns. @param {string[]} names */
export function outputsOf(names, related) {
  return names.map((name) => `(${related[name].select}) AS "${name}"`);
}

/** The values of those outputs. */
export function valuesOf(names, related) {
  return names.flatMap((name) => related[name].values ?? []);
}

/** The row with documents for texts. */
export function withRelated(row, names, related) {
  for (const name of names) row[name] = rowsIn(row[name], related[name]);
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
