// What a request wants of rows: which of them, in which order, and how many at most. Texts come in, checked against what a list allows, and
// go out as SQL. Names are columns of the list's description, never what the caller sent; quotes are for those that are words of SQL.

import { readFilter } from './filter.js';
import { checkParameter, isUnknownParameter } from './validation.js';

/** The usual unique column that every order ends with. */
const KEY = 'id';
const operators = { eq: '=', ne: '<>', lt: '<', lte: '<=', gt: '>', gte: '>=' };

/** What a statement of a list begins with. */
const outputsOfList = /^SELECT .+? FROM /;

/** The statement of a list with other outputs. @param {string[]} outputs */
export function giving(outputs, select) {
  return select.replace(outputsOfList, () => `SELECT ${outputs.join(', ')} FROM `);
}

/** What a text is told that names none of these. @param {string[]} names */
export function mustBeSeveralOf(names) {
  return { code: 'format', detail: `must be one of ${names.join(', ')}, or several with commas between` };
}

/** What is asked of a list where nothing is. */
export function usual(listing) {
  return { listing, filters: [], sort: listing.order, limit: listing.page.default };
}

/** Whether a `filter` may be asked. */
export function isFiltered(listing) {
  return Object.values(listing.columns).some(({ comparisons }) => comparisons);
}

// Each notes what one parameter asks, and gives what is wrong with it, if anything is.

export function takeFilter(asked, text) {
  const { filter, ...wrong } = readFilter(text, asked.listing.columns);
  if (wrong.code) return wrong;
  asked.filters.push(filter);
}

export function takeLimit(asked, text, { maximum } = asked.listing.page) {
  const { value, ...wrong } = checkParameter(text, { kind: 'integer' });
  if (wrong.code) return wrong;
  if (value < 1 || value > maximum) return { code: 'range', detail: `must be between 1 and ${maximum}` };
  asked.limit = value;
}

export function takeSort(asked, text) {
  const { sorts, key = KEY } = asked.listing;
  if (levelsOf(text).some(({ name }) => name !== key && !sorts.includes(name))) {
    return mustBeSeveralOf(sorts);
  }
  asked.sort = text;
}

export function takeColumn(asked, parameter, text) {
  const { columns } = asked.listing;
  const [, name, comparison = 'eq'] = /^(\w+)(?:\[(ne|lt|lte|gt|gte)\])?$/.exec(parameter) ?? [];
  const column = Object.hasOwn(columns, name) ? columns[name] : {};
  if (!column.comparisons?.includes(comparison)) return isUnknownParameter;
  const { value, ...wrong } = checkParameter(text, column);
  if (wrong.code) return wrong;
  asked.filters.push({ name, comparison, value });
}

function levelsOf(sort) {
  return sort.split(',').map((level) => ({ name: level.replace(/^-/, ''), isReverse: level.startsWith('-') }));
}

/**
 * What a sort means: its columns, and the key, which decides among equals in the direction of the last one. A column that comes
 * again, and what comes behind the key, decides nothing.
 */
export function orderOf(sort, { key = KEY }) {
  const order = [];
  for (const level of levelsOf(sort)) {
    if (!order.some(({ name }) => name === level.name || name === key)) order.push(level);
  }
  const last = order.at(-1);
  return last.name === key ? order : [...order, { name: key, isReverse: last.isReverse }];
}

/** The order as SQL. */
export function ordered(sort, listing) {
  const level = ({ name, isReverse }) => `${sorted(`"${name}"`, listing.columns[name])}${isReverse ? ' DESC' : ''}`;
  return orderOf(sort, listing).map(level).join(', ');
}

/** What must hold of a row, in SQL; its values go behind those that are there. */
export function condition(filter, listing, values) {
  const { columns, position } = listing;
  const joined = (parts, word) => `(${parts.map((part) => condition(part, listing, values)).join(word)})`;
  const column = `"${filter.name}"`;
  if (filter.all) return joined(filter.all, ' AND ');
  if (filter.any) return joined(filter.any, ' OR ');
  if (filter.not) return `NOT (${condition(filter.not, listing, values)})`;
  if (filter.isNull) return `${column} IS NULL`;
  if (filter.place) {
    values.push(filter.holds);
    return `${position.replace('#', column)} ${filter.place === 'starts' ? '= 1' : '> 0'}`;
  }
  const given = filter.values ?? [filter.value];
  values.push(...given.map((value) => toColumn(value, columns[filter.name])));
  if (filter.values) return `${column} IN (${given.map(() => '?').join(', ')})`;
  return `${column} ${operators[filter.comparison]} ?`;
}

/** A column, or the placeholder of a value of it, as it is sorted by: engines do not agree about the order of every column. */
export function sorted(text, { sorted: by }) {
  return by === undefined ? text : by.replace('?', text);
}

/** A time is more than a text to some engines. */
export function toColumn(value, { kind }) {
  return kind === 'timestamp' && value !== null ? new Date(value) : value;
}
