// Where something stands in a document, and tests of what stands there. A path is `/error/code`, `/links/[rel=approve]/href` or
// `/results/*/name`; documents come in, what was found goes out.

import { asText, isAbsent } from './values.js';

/** Everything that stands there. */
export function all(document, path) {
  return path.split('/').slice(1).reduce((found, step) => found.flatMap((value) => behind(value, step)), [document]);
}

/** The first thing that stands there; null is nothing. */
export function at(document, path) {
  return all(document, path).find((value) => !isAbsent(value));
}

/** The items of a list in a document; one that stands alone is a list of one. */
export function listed(document, path) {
  const found = all(document, path);
  if (found.length !== 1) return found;
  return Array.isArray(found[0]) ? found[0] : found.filter((value) => value !== null);
}

function behind(value, step) {
  if (step === '*') return Array.isArray(value) ? value : [];
  if (step.startsWith('[')) {
    const [member, texts] = step.slice(1, -1).split(/=(.*)/s);
    const wanted = texts.split(',');
    // What stands alone is a list of one.
    const items = Array.isArray(value) ? value : [value];
    const found = items.find((item) => Object.hasOwn(item ?? {}, member) && wanted.includes(asText(item[member])));
    return found === undefined ? [] : [found];
  }
  return typeof value === 'object' && value !== null && Object.hasOwn(value, step) && step !== 'length' ? [value[step]] : [];
}

/**
 * Whether a test holds. One that asks what a value is fails where there is none; one that asks what it is not holds.
 * @param {{ at: string, some?: boolean, is?: string[], isNot?: string[], contains?: string, atLeast?: number, present?: boolean }} test
 */
export function holds(document, test) {
  const found = all(document, test.at).filter((value) => !isAbsent(value)).map(asText);
  if (test.present !== undefined && test.present !== found.length > 0) return false;
  if (found.length === 0) return test.is === undefined && test.contains === undefined && test.atLeast === undefined;
  const passes = (value) =>
    (test.is?.includes(value) ?? true) &&
    !test.isNot?.includes(value) &&
    (test.contains === undefined || value.includes(test.contains)) &&
    (test.atLeast === undefined || (/^-?\d+(?:\.\d+)?$/.test(value) && Number(value) >= test.atLeast));
  return test.some ? found.some(passes) : found.every(passes);
}
