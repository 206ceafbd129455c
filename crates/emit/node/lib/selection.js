// Which fields of a record a request wants: `fields=id,name`. Names come in, checked against those that there are; records go out with
// these alone, in the order in which they were asked for.

import { Problem } from './problem.js';
import { ERROR_LIMIT, isRepeated, isUnknownParameter } from './validation.js';

/**
 * The fields that a text names; one that is named again is there once.
 * @param {string[]} known
 * @returns {{ fields: string[] } | { code: string, detail: string }}
 */
export function readFields(text, known) {
  const fields = [...new Set(text.split(','))];
  if (fields.every((name) => known.includes(name))) return { fields };
  return { code: 'format', detail: `must be one of ${known.join(', ')}, or several with commas between` };
}

/**
 * The fields that the query string of one record asks for, or a `validation_failed` with every wrong parameter.
 * @param {import('./request.js').Request} request
 * @param {string[]} known
 * @returns {string[] | undefined} undefined where it is all of them
 */
export function validateSelection(request, known) {
  const errors = [];
  const seen = new Set();
  let fields;
  for (const [parameter, text] of request.query) {
    const { fields: named, ...wrong } = parameter === 'fields' ? readFields(text, known) : isUnknownParameter;
    if (seen.has(parameter)) errors.push({ parameter, ...isRepeated });
    else if (named) fields = named;
    else errors.push({ parameter, ...wrong });
    seen.add(parameter);
  }
  if (errors.length > 0) throw new Problem('validation_failed', { errors: errors.slice(0, ERROR_LIMIT) });
  return fields;
}

/** The record with these fields alone; whole without them. */
export function picked(record, fields) {
  return fields ? Object.fromEntries(fields.map((name) => [name, record[name]])) : record;
}
