// Which fields of a record a request wants, `fields=id,name`, and which rows of other tables with it, `include=reviews`. Names come in,
// checked against those that there are; records go out with these alone, in the order in which they were asked for.

import { requireScopes } from './authorization.js';
import { etag } from './etag.js';
import { Problem } from './problem.js';
import { includedIn, outputsOf, readFields, takeOfRelated, withRelated } from './related.js';
import { ERROR_LIMIT, isRepeated, isUnknownParameter } from './validation.js';

/**
 * The fields that the query string of one record asks for, or a `validation_failed` with every wrong parameter.
 * @param {import('./request.js').Request} request
 * @param {string[]} known
 * @param {object} [related] what may come with the record
 * @returns {string[] | undefined} with the names of what comes with it; undefined where it is all fields and nothing else
 */
export function validateSelection(request, known, related) {
  const errors = [];
  const seen = new Set();
  const asked = {};
  const names = { fields: known, ...(related && { include: Object.keys(related) }) };
  const take = (parameter, text) => {
    if (parameter.includes('.')) return takeOfRelated(related, parameter, text);
    const isKnown = Object.hasOwn(names, parameter);
    const { fields: named, ...wrong } = isKnown ? readFields(text, names[parameter]) : isUnknownParameter;
    asked[parameter] = named;
    return named ? undefined : wrong;
  };
  for (const [parameter, text] of request.query) {
    const wrong = seen.has(parameter) ? isRepeated : take(parameter, text);
    if (wrong) errors.push({ parameter, ...wrong });
    seen.add(parameter);
  }
  if (errors.length > 0) throw new Problem('validation_failed', { errors: errors.slice(0, ERROR_LIMIT) });
  const fields = joined(asked.fields, asked.include, known);
  requireScopes(request, includedIn(fields, related).flatMap((name) => related[name].scopes ?? []));
  return fields;
}

/** The fields that were asked for, or all of them, and what comes with them behind. */
export function joined(fields, included, known) {
  return included ? [...(fields ?? known), ...included] : fields;
}

/**
 * The record with what was asked for besides.
 * @param {import('./database.js').Database} database or a transaction
 * @param {ReturnType<typeof validateSelection>} fields
 * @param {object} related what may come with it
 * @param {string} select the statement of its columns, with `values`
 * @returns {Promise<object | null>}
 */
export async function readRecord(database, fields, related, select, values, columns) {
  const included = includedIn(fields, related);
  const rows = outputsOf(included, related);
  const sql = included.length > 0 ? select.replace(' FROM ', () => `, ${rows.outputs.join(', ')} FROM `) : select;
  const row = await database.optional(sql, [...rows.values, ...values], columns);
  return row && withRelated(row, included, related);
}

/** The tag of the record's version; none of what holds rows of others, which change without the record. */
export function tagOf(version, fields, related) {
  return includedIn(fields, related).length > 0 ? {} : { ETag: etag(version) };
}

/** The record with these fields alone; whole without them. */
export function picked(record, fields) {
  return fields ? Object.fromEntries(fields.map((name) => [name, record[name]])) : record;
}
