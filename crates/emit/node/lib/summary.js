// What a request has worked out of the rows of a list instead of reading them, `aggregate=count,sum(total)&group=status`: checked against what
// the list allows (`summary` of its description: columns whose `values` make groups, `times` of which years, months and days do, with the SQL of
// the day, `numbers` with that of their sum, and `ordered` ones, `#` for the column), and its results made of what the statement gives.

import { Decimal, DIGITS } from './decimal.js';
import { Problem } from './problem.js';
import { ERROR_LIMIT, isRepeated, isUnknownParameter } from './validation.js';
import { condition, giving, isFiltered, mustBeSeveralOf, sorted, takeColumn, takeFilter, takeLimit } from './wanted.js';

const GROUP_LIMIT = 1000;
/** Most decimals of a number, and how many an average has more than its numbers. */
const SCALE_LIMIT = 10;
const MORE_DECIMALS = 4;

const lengths = { year: 4, month: 7, day: 10 };

const needsAggregate = { code: 'inconsistent', detail: 'must be given together with `aggregate`' };
const excludesAggregate = { code: 'inconsistent', detail: 'must not be given together with `aggregate`' };
const hasTooManyDigits = { code: 'range', detail: 'must be of fewer rows: a sum has too many digits' };
const makesTooManyGroups = { code: 'range', detail: `must make at most ${GROUP_LIMIT} groups: ask for fewer rows, or give a \`limit\`` };

/** Whether a query string asks for what is worked out of rows. */
export function asksForSummary(query, { summary }) {
  return summary !== undefined && (query.has('aggregate') || query.has('group'));
}

/**
 * What a query string asks of a list, or a `validation_failed` with every wrong parameter, in the order they were sent.
 * @param {URLSearchParams} query
 * @param {(parameter: string) => boolean} knows parameters that the list has besides
 */
export function validateSummary(query, listing, knows) {
  const pairs = [...query];
  const textOf = (wanted) => pairs.find(([name]) => name === wanted)?.[1];
  const known = { group: groupsOf(listing), aggregate: aggregatesOf(listing) };
  const given = Object.keys(known).map((name) => [name, textOf(name)]);
  const named = Object.fromEntries(given.map(([name, text]) => [name, text === undefined ? [] : picked(known[name], text)]));
  const isRead = named.group && named.aggregate && textOf('aggregate') !== undefined;
  const results = isRead ? [...named.group, ...named.aggregate] : [];
  const asked = { listing, summary: { results, groups: named.group, order: named.group }, filters: [], limit: undefined };
  const take = (parameter, text) => {
    if (parameter === 'group' && textOf('aggregate') === undefined) return needsAggregate;
    if (parameter === 'group' || parameter === 'aggregate') return named[parameter] ? undefined : mustBeOneOf(known[parameter]);
    if (parameter === 'sort') return isRead ? takeOrder(asked.summary, text) : undefined;
    if (parameter === 'limit') return takeLimit(asked, text, { maximum: GROUP_LIMIT });
    if (parameter === 'filter' && isFiltered(listing)) return takeFilter(asked, text);
    const wrong = takeColumn(asked, parameter, text);
    return wrong === isUnknownParameter && knows(parameter) ? excludesAggregate : wrong;
  };
  const errors = [];
  const seen = new Set();
  for (const [parameter, text] of pairs) {
    const wrong = seen.has(parameter) ? isRepeated : take(parameter, text);
    if (wrong) errors.push({ parameter, ...wrong });
    seen.add(parameter);
  }
  if (errors.length > 0) throw new Problem('validation_failed', { errors: errors.slice(0, ERROR_LIMIT) });
  return asked;
}

/** The results as a page. Parameters as for `readPage`. */
export async function readSummary(database, asked, select, conditionValues) {
  const { results } = asked.summary;
  const { sql, values } = compose(asked, select, conditionValues ? 'AND' : 'WHERE');
  const columns = Object.fromEntries(results.flatMap(({ column }, index) => (column ? [[`r${index}`, column]] : [])));
  const rows = await refusingDigits(() => database.many(sql, [...(conditionValues ?? []), ...values], columns));
  if (asked.limit === undefined && rows.length > GROUP_LIMIT) throw wrong('group', makesTooManyGroups);
  const valueOf = (row, { of }, index) => (of === 'avg' ? average(row[`r${index}`], row[`n${index}`]) : kept(row[`r${index}`]));
  const items = rows.map((row) => Object.fromEntries(results.map((result, index) => [result.name, valueOf(row, result, index)])));
  return { items, next: null, fields: results.map(({ name }) => name), kinds: Object.fromEntries(results.map(({ name, of, column }) => [name, of === 'avg' ? { kind: 'decimal' } : column])) };
}

function groupsOf({ columns, summary }) {
  const values = summary.values.map((name) => ({ name, sql: `"${name}"`, by: sorted(`"${name}"`, columns[name]), column: columns[name] }));
  const part = (name, of) => {
    const sql = `substr(${summary.times[name].replace('#', () => `"${name}"`)}, 1, ${lengths[of]})`;
    return { name: `${of}(${name})`, sql, by: sql };
  };
  return [...values, ...Object.keys(summary.times).flatMap((name) => Object.keys(lengths).map((of) => part(name, of)))];
}

function aggregatesOf({ columns, summary }) {
  const count = { name: 'count', of: 'count', sql: 'COUNT(*)', by: 'COUNT(*)' };
  const numbers = Object.entries(summary.numbers).flatMap(([name, word]) => {
    const sql = word.replace('#', () => `"${name}"`);
    const column = columns[name];
    return [
      { name: `sum(${name})`, of: 'sum', sql, by: sql, column },
      { name: `avg(${name})`, of: 'avg', sql, by: `AVG("${name}")`, counts: `COUNT("${name}")`, column },
    ];
  });
  const ordered = summary.ordered.flatMap((name) => ['min', 'max'].map((of) => {
    const sql = `${of.toUpperCase()}("${name}")`;
    return { name: `${of}(${name})`, of, sql, by: sql, column: columns[name] };
  }));
  return [count, ...numbers, ...ordered];
}

/** Those that a text names, where there are such; one that is named again is there once. */
function picked(known, text) {
  const found = [...new Set(text.split(','))].map((name) => known.find((result) => result.name === name));
  return found.includes(undefined) ? undefined : found;
}

function mustBeOneOf(known) {
  return mustBeSeveralOf(known.map(({ name }) => name));
}

function takeOrder(summary, text) {
  const level = (name) => {
    const isReverse = name.startsWith('-');
    const result = summary.results.find((known) => known.name === name.slice(isReverse ? 1 : 0));
    return result && { ...result, isReverse };
  };
  const levels = text.split(',').map(level);
  if (levels.includes(undefined)) return mustBeOneOf(summary.results);
  // Their groups decide among results that are equal otherwise.
  summary.order = [...levels, ...summary.groups];
}

// What is null stands behind the others.
function compose({ listing, summary, filters, limit = GROUP_LIMIT + 1 }, select, firstWord) {
  const { results, groups, order } = summary;
  const outputs = results.flatMap(({ sql, counts }, index) => [`${sql} AS r${index}`, ...(counts ? [`${counts} AS n${index}`] : [])]);
  const values = [];
  const conditions = filters.map((filter) => condition(filter, listing, values));
  const where = conditions.length > 0 ? ` ${firstWord} ${conditions.join(' AND ')}` : '';
  const levels = order.map(({ by, isReverse }) => `(${by} IS NULL), ${by}${isReverse ? ' DESC' : ''}`).join(', ');
  const grouped = ` GROUP BY ${groups.map(({ sql }) => sql).join(', ')} ORDER BY ${levels} LIMIT ${limit}`;
  return { sql: `${giving(outputs, select)}${where}${groups.length > 0 ? grouped : ''}`, values };
}

/** Drivers refuse numbers that JavaScript does not keep exactly. */
async function refusingDigits(work) {
  try {
    return await work();
  } catch (error) {
    throw error instanceof RangeError ? wrong('aggregate', hasTooManyDigits) : error;
  }
}

/** A number, where its digits are kept by everybody. */
function kept(value) {
  const units = value instanceof Decimal ? value.units : 0;
  const isKept = (typeof value !== 'number' || Number.isSafeInteger(value)) && Math.abs(units) < 10 ** DIGITS;
  if (!isKept) throw wrong('aggregate', hasTooManyDigits);
  return value;
}

/** The average of so many values that make this sum, half away from zero; null of none. */
function average(sum, count) {
  if (sum === null) return null;
  const { units, scale } = sum instanceof Decimal ? sum : { units: sum, scale: 0 };
  const more = Math.min(scale + MORE_DECIMALS, SCALE_LIMIT);
  // Twice as many, and one of half a unit, so that nothing is lost before it is rounded.
  const doubled = BigInt(units) * 2n * 10n ** BigInt(more - scale);
  const rounded = (doubled + (doubled < 0n ? -BigInt(count) : doubled > 0n ? BigInt(count) : 0n)) / (2n * BigInt(count));
  return kept(new Decimal(Number(rounded), more));
}

function wrong(parameter, why) {
  return new Problem('validation_failed', { errors: [{ parameter, ...why }] });
}
