// Checks what a request brings against a declared shape and gives the input of a procedure: trimmed strings, numbers,
// booleans, decimal numbers, documents, and `null` or the field's default for what is absent. A shape is a list of fields:
// { name, kind, format, required, minimum, maximum, default, of }. Kinds: 'line' (single line), 'text' (multi-line), 'email', 'phone',
// 'url', 'choice' (with `words`), 'code' (with `letters`), 'date', 'timestamp', 'uuid', 'integer', 'decimal' (with `scale`),
// 'boolean', 'json' (with `words`: a list of some of them, each once), 'list' (at most `maximum` records, each a shape of its own in `of`). Minimum and maximum bound the length of a text, and the value of a number (a decimal number is written
// as a text).

import { readJson } from './body.js';
import { typedRecord } from './csv.js';
import { Decimal, decimalOf, parseDecimal } from './decimal.js';
import { Problem } from './problem.js';

export const ERROR_LIMIT = 100;
const changeTypes = ['application/merge-patch+json', 'application/json'];
export const isRepeated = { code: 'repeated', detail: 'must be given once' };
export const isUnknownParameter = { code: 'unknown_parameter', detail: 'is not a known parameter' };
/** RFC 5321 gives a path 256 octets with its brackets. */
const EMAIL_LIMIT = 254;
// 5 TiB, the largest object that the usual stores keep.
const BYTE_COUNT_LIMIT = 5 * 2 ** 40;
const LENGTH_OF_TIMES = '2026-01-02T03:04:05.678Z'.length;
const WHITE_SPACE = ' \t\n\v\f\r';

const controls = /[\u0000-\u001f\u007f]/;
const controlsOfText = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/;

// https://html.spec.whatwg.org/multipage/input.html#valid-e-mail-address, with at least one dot in the domain.
const emailShape =
  /^[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~-]+@[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)+$/;

const kinds = {
  line: { controls },
  text: { controls: controlsOfText },
  // Taken as it stands, white space and all.
  password: { controls: /(?!)/, verbatim: true },
  email: { controls, maximum: EMAIL_LIMIT, accepts: isEmail, detail: 'must be an e-mail address' },
  phone: { controls, accepts: isPhone, detail: 'must be a telephone number' },
  url: { controls, accepts: isUrl, detail: 'must be a URL' },
  // What programs write is taken as it stands: an empty text is none of these.
  choice: {
    controls,
    asItStands: true,
    accepts: (value, { words }) => words.includes(value),
    detail: ({ words }) => `must be one of ${words.join(', ')}`,
  },
  code: {
    controls,
    asItStands: true,
    accepts: (value, { letters }) => value.length === letters && /^[a-z]+$/i.test(value),
    detail: ({ letters }) => `must be a code of ${letters} letters`,
    kept: (value) => value.toUpperCase(),
  },
  date: { controls, asItStands: true, accepts: isDate, detail: 'must be a date such as 2026-01-02' },
  // Kept in one form, so that texts are equal where times are, and in their order.
  timestamp: {
    controls,
    asItStands: true,
    accepts: isTimestamp,
    detail: 'must be a time such as 2026-01-02T03:04:05Z',
    kept: (value) => new Date(value).toISOString(),
  },
  uuid: { controls, asItStands: true, accepts: isUuid, detail: 'must be a UUID', kept: (value) => value.toLowerCase() },
};

// Kinds that are no strings, with how they are read from the text of a parameter. A number beyond 2^53 would not be the one
// that was sent.
const otherTypes = {
  integer: {
    accepts: Number.isSafeInteger,
    detail: 'must be a whole number',
    // `+ 0` makes 0 of -0.
    fromText: (text) => (/^-?[0-9]{1,16}$/.test(text) ? Number(text) + 0 : undefined),
  },
  boolean: {
    accepts: (value) => typeof value === 'boolean',
    detail: 'must be true or false',
    fromText: (text) => new Map([['true', true], ['false', false]]).get(text),
  },
  // One with as many records as it may have is checked record by record.
  list: {
    accepts: Array.isArray,
    detail: 'must be a list',
    outside: ({ maximum }) => ({ code: 'range', detail: `must have between 1 and ${maximum} entries` }),
  },
  json: { accepts: (value) => typeof value === 'object', detail: 'must be an object or a list', refuses: holdsNul },
};

// Kinds that a database may keep as something else than text.
const comparable = { date: isDate, timestamp: isTimestamp, uuid: isUuid };

// Forms that values have beside their kind.
const forms = {
  // A name that stays where it is put: no path, on no system.
  file_name: {
    accepts: (value) => !/[\/\\]/.test(value) && value !== '.' && value !== '..',
    code: 'format',
    detail: 'must be a file name without a path',
  },
  // RFC 6838, 4.2.
  media_type: {
    accepts: (value) => /^[a-z0-9][a-z0-9!#$&^_.+-]*\/[a-z0-9][a-z0-9!#$&^_.+-]*$/i.test(value),
    code: 'format',
    detail: 'must be a media type such as image/png',
  },
  sha256: {
    accepts: (value) => /^[0-9a-f]{64}$/.test(value),
    code: 'format',
    detail: 'must be 64 digits of lower-case hex',
  },
  byte_count: {
    accepts: (value) => value >= 0 && value <= BYTE_COUNT_LIMIT,
    code: 'range',
    detail: `must be between 0 and ${BYTE_COUNT_LIMIT}`,
  },
};

/**
 * Reads the body and checks it.
 * @param {import('./request.js').Request} request
 * @param {{ limit?: number, timeout?: number }} [bounds] see `readJson`
 * @returns {Promise<Record<string, string | number | boolean | null>>}
 */
export async function validate(request, shape, bounds) {
  return check(await readJson(request, bounds), shape);
}

/**
 * Reads a body of changes: every field may be left out and is not in the input then; one that is emptied is `null`.
 * Parameters as for `validate`.
 */
export async function validateChanges(request, shape, bounds) {
  return checkChanges(await readJson(request, { ...bounds, types: changeTypes }), shape);
}

/**
 * Reads a body that is a list of records, and checks each.
 * @param {{ maximum: number, limit?: number, timeout?: number }} bounds `maximum` records; see `readJson`
 */
export async function validateList(request, shape, { maximum, ...bounds }) {
  const list = await readJson(request, bounds);
  const refuse = (errors) => {
    throw new Problem('validation_failed', { errors: errors.slice(0, ERROR_LIMIT) });
  };
  if (!Array.isArray(list)) refuse([{ pointer: '', code: 'type', detail: 'must be a list' }]);
  if (list.length < 1 || list.length > maximum) refuse([{ pointer: '', code: 'range', detail: `must have between 1 and ${maximum} entries` }]);
  const entryOf = (entry) => (request.isCsv ? typedRecord(entry, shape) : entry);
  const checked = list.map((entry) => checkRecord(membersOf(entryOf(entry)), shape, () => true));
  const wrong = checked.flatMap(({ errors }, index) => errors.map((error) => ({ ...error, pointer: `/${index}${error.pointer}` })));
  if (wrong.length > 0) refuse(wrong);
  return { records: checked.map(({ input }) => input) };
}

/** Checks parameters of the path as the fields of a shape; they are texts, and all of them are there. */
export function validateParameters(request, shape) {
  const input = {};
  const errors = [];
  for (const field of shape) {
    const { value, ...wrong } = checkParameter(request.parameters[field.name], field);
    if (wrong.code) errors.push({ parameter: field.name, ...wrong });
    else input[field.name] = value;
  }
  if (errors.length > 0) throw new Problem('validation_failed', { errors });
  return input;
}

/** Checks the query string as the fields of a shape, each of which is given once. */
export function validateQuery(request, shape) {
  const given = new Map();
  const errors = [];
  for (const [parameter, text] of request.query) {
    if (given.has(parameter)) errors.push({ parameter, ...isRepeated });
    else if (shape.some((field) => field.name === parameter)) given.set(parameter, text);
    else errors.push({ parameter, ...isUnknownParameter });
  }
  for (const { name } of shape) {
    if (!given.get(name)) errors.push({ parameter: name, code: 'required', detail: 'is required' });
  }
  if (errors.length > 0) throw new Problem('validation_failed', { errors: errors.slice(0, ERROR_LIMIT) });
  return validateParameters({ parameters: Object.fromEntries(given) }, shape);
}

/** @param {any} document what `parseJson` gave */
export function check(document, shape) {
  return checkFields(document, shape, () => true);
}

/** @param {any} document what `parseJson` gave */
export function checkChanges(document, shape) {
  return checkFields(document, shape, ({ name }) => document.has(name));
}

/** Checks the text of a query parameter as a value of the field. @returns {{ value } | { code, detail }} */
export function checkParameter(text, column) {
  const otherType = otherTypes[column.kind];
  if (!otherType) return checkField(text, { ...column, required: true });
  const value = otherType.fromText(text);
  return otherType.accepts(value) ? { value } : { code: 'type', detail: otherType.detail };
}

/**
 * The value that a cursor holds for a column; `undefined` where it is of another type. Of texts no more is asked than that a
 * database can compare them with the column.
 */
export function cursorValue(value, { kind, scale }) {
  if (kind === 'decimal') return typeof value === 'string' ? parseDecimal(value, scale).value : undefined;
  // `+ 0` makes 0 of -0.
  const plain = typeof value === 'number' ? value + 0 : value;
  if (otherTypes[kind]) return otherTypes[kind].accepts(plain) ? plain : undefined;
  if (typeof plain !== 'string' || plain.includes('\0')) return undefined;
  return !comparable[kind] || comparable[kind](plain) ? plain : undefined;
}

/** The error of a field whose value names no record. */
export function unknownReference(name) {
  const error = { pointer: pointerTo(name), code: 'unknown_reference', detail: 'must name a record that is there' };
  return new Problem('validation_failed', { errors: [error] });
}

/** The error of a field of a record of a list, which may be the body itself: it names no record, or is not as `detail` says. */
export function wrongEntry(list, index, name, detail) {
  const pointer = `${list === undefined ? '' : pointerTo(list)}/${index}${pointerTo(name)}`;
  const [code, words] = detail ? ['inconsistent', detail] : ['unknown_reference', 'must name a record that is there'];
  return new Problem('validation_failed', { errors: [{ pointer, code, detail: words }] });
}

/** The error of a field of a record of a list that asks for more than there is. */
export function outOfStock(list, index, name) {
  const error = { pointer: `${pointerTo(list)}/${index}${pointerTo(name)}`, code: 'out_of_stock', detail: 'must be at most what is there' };
  return new Problem('out_of_stock', { errors: [error] });
}

/** The error of a field that does not stand to another one as it must. */
export function inconsistent(name, detail) {
  return new Problem('validation_failed', { errors: [{ pointer: pointerTo(name), code: 'inconsistent', detail }] });
}

function checkFields(document, shape, isAsked) {
  const { input, errors } = checkRecord(document, shape, isAsked);
  if (errors.length > 0) throw new Problem('validation_failed', { errors: errors.slice(0, ERROR_LIMIT) });
  return input;
}

function checkRecord(document, shape, isAsked) {
  if (!(document instanceof Map)) return { errors: [{ pointer: '', code: 'type', detail: 'must be an object' }] };
  const input = {};
  const errors = [];
  for (const field of shape.filter(isAsked)) {
    const given = document.get(field.name);
    const pointer = pointerTo(field.name);
    if (field.kind === 'list' && Array.isArray(given) && given.length >= 1 && given.length <= field.maximum) {
      const checked = given.map((entry) => checkRecord(membersOf(entry), field.of, () => true));
      input[field.name] = checked.map((entry) => entry.input);
      const wrong = checked.flatMap(({ errors }, index) =>
        errors.map((error) => ({ ...error, pointer: `${pointer}/${index}${error.pointer}` })),
      );
      errors.push(...wrong);
      continue;
    }
    const { value, code, detail } = checkFormed(given, field);
    if (code) errors.push({ pointer, code, detail });
    else input[field.name] = value;
  }
  const declared = new Set(shape.map((field) => field.name));
  for (const name of document.keys()) {
    if (errors.length >= ERROR_LIMIT) break;
    if (!declared.has(name)) errors.push({ pointer: pointerTo(name), code: 'unknown_field', detail: 'is not a known field' });
  }
  return { input, errors };
}

/** The members of an object inside a document; what is none stays as it is. */
function membersOf(value) {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? new Map(Object.entries(value)) : value;
}

/** Checks the value of a field, then the form that it has beside its kind. */
export function checkFormed(given, field) {
  const checked = checkField(given, field);
  if (!checked.code && checked.value !== null && field.isWeak?.(checked.value)) {
    return { code: 'weak', detail: 'must be a password that is not easily guessed' };
  }
  const form = forms[field.format];
  if (!form || checked.code || checked.value === null || form.accepts(checked.value)) return checked;
  return { code: form.code, detail: form.detail };
}

// The order of these checks is part of the API: the first that fails is the one reported.
function checkField(given, field) {
  const { kind, required = false, minimum = 0, maximum = kinds[kind]?.maximum ?? Infinity } = field;
  const absent = required ? { code: 'required', detail: 'is required' } : { value: defaultOf(field) };
  if (given === undefined || given === null) return absent;
  if (kind === 'decimal' && typeof given === 'number') return within(decimalOf(given, field.scale), field);
  const otherType = otherTypes[kind];
  if (otherType && !otherType.accepts(given)) return { code: 'type', detail: otherType.detail };
  if (otherType?.refuses?.(given)) return { code: 'invalid_character', detail: 'must not contain control characters' };
  if (otherType?.outside) return otherType.outside(field);
  if (kind === 'json' && field.words) return listOfWords(given, field.words);
  if (otherType) return within({ value: given }, field);
  if (typeof given !== 'string') return { code: 'type', detail: kind === 'decimal' ? 'must be a decimal number' : 'must be a string' };
  if (kind === 'decimal' && controls.test(given)) return { code: 'invalid_character', detail: 'must not contain control characters' };
  if (kind === 'decimal') return within(parseDecimal(given, field.scale), field);
  // What was sent is counted, as a document's `maxLength` does; the white space goes afterwards.
  if (countCodePoints(given) > maximum) return { code: 'too_long', detail: `must have at most ${maximum} characters` };
  const rules = kinds[kind];
  const value = rules.asItStands || rules.verbatim ? given : trim(given);
  if (value === '' && !rules.asItStands) return absent;
  if (rules.controls.test(value)) return { code: 'invalid_character', detail: 'must not contain control characters' };
  if (countCodePoints(value) < minimum) return { code: 'too_short', detail: `must have at least ${minimum} characters` };
  if (rules.accepts && !rules.accepts(value, field)) {
    return { code: 'format', detail: typeof rules.detail === 'function' ? rules.detail(field) : rules.detail };
  }
  return { value: rules.kept ? rules.kept(value) : value };
}

/** A list of some of the words, each once. */
function listOfWords(given, words) {
  if (!Array.isArray(given)) return { code: 'type', detail: 'must be a list' };
  const isRight = given.length > 0 && given.every((word) => words.includes(word)) && new Set(given).size === given.length;
  return isRight ? { value: given } : { code: 'format', detail: `must be a list of some of ${words.join(', ')}, each once` };
}

function defaultOf({ kind, scale, default: value = null }) {
  return kind === 'decimal' && value !== null ? parseDecimal(value, scale).value : value;
}

/** What was checked so far, if it is between the field's bounds. */
function within(checked, { kind, scale, minimum, maximum }) {
  if (checked.code || (kind !== 'integer' && kind !== 'decimal')) return checked;
  const bound = (text) => (kind === 'decimal' && text !== undefined ? parseDecimal(text, scale).value : text);
  let [least, most] = [bound(minimum), bound(maximum)];
  if (kind === 'decimal') {
    most ??= Decimal.greatest(scale);
    least ??= new Decimal(-Decimal.greatest(scale).units, scale);
  }
  const { value } = checked;
  if (!(value < least) && !(value > most)) return checked;
  if (least === undefined) return { code: 'range', detail: `must be at most ${most}` };
  if (most === undefined) return { code: 'range', detail: `must be at least ${least}` };
  return { code: 'range', detail: `must be between ${least} and ${most}` };
}

// Not a regular expression: `\s+$` takes quadratic time on long runs of white space.
function trim(string) {
  let start = 0;
  let end = string.length;
  while (start < end && WHITE_SPACE.includes(string[start])) start += 1;
  while (end > start && WHITE_SPACE.includes(string[end - 1])) end -= 1;
  return string.slice(start, end);
}

function countCodePoints(string) {
  let count = 0;
  for (const _ of string) count += 1;
  return count;
}

function isEmail(value) {
  return emailShape.test(value);
}

function isPhone(value) {
  const digits = value.replace(/[^0-9]/g, '').length;
  return /^\+?[0-9 .()-]+$/.test(value) && digits >= 5 && digits <= 20;
}

function isUrl(value) {
  // U+0085 is white space in Unicode, and none in JavaScript.
  return /^https?:\/\/[^\s\u0085]+$/i.test(value);
}

const timestampShape =
  /^(\d{4}-\d\d-\d\d)T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,9})?(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)$/;

// RFC 3339. `Date` alone would take 30 February for 2 March, and 24:00 for the next day.
function isTimestamp(value) {
  const parts = timestampShape.exec(value);
  const time = new Date(value);
  // In UTC it may be another year, with another number of digits.
  if (!parts || Number.isNaN(time.getTime()) || time.toISOString().length !== LENGTH_OF_TIMES) return false;
  if (time.toISOString().startsWith('0000')) return false;
  return isDay(parts[1]);
}

// A day that the calendar has, of the years 1 to 9999; texts are in the order of days.
function isDate(value) {
  return /^(?!0000)\d{4}-\d\d-\d\d$/.test(value) && isDay(value);
}

function isDay(value) {
  const day = new Date(`${value}T00:00:00Z`);
  return !Number.isNaN(day.getTime()) && day.toISOString().startsWith(value);
}

function isUuid(value) {
  return /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(value);
}

// No database keeps U+0000 in a document but those that keep it as a text.
export function holdsNul(document) {
  if (typeof document === 'string') return document.includes('\0');
  if (typeof document !== 'object' || document === null) return false;
  return Object.entries(document).some(([name, value]) => name.includes('\0') || holdsNul(value));
}

// RFC 6901.
function pointerTo(name) {
  return `/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`;
}
