// What becomes of a value on its way: one function each, exact, nothing is rounded. What is absent stays absent, and what has nothing left
// becomes absent. An error says what a value is not, never what it is.

import { createHash } from 'node:crypto';
import { percent } from './encode.js';
import { asText, isAbsent, sha256 as digest } from './values.js';

/** A value cannot become what it should: nothing was sent. */
export class Unfit extends Error {}

const each = (change) => (value, ...more) => (isAbsent(value) ? undefined : change(value, ...more));
const ofText = (change) => each((value, ...more) => {
  if (typeof value !== 'string') throw new Unfit('a value is not text');
  return change(value, ...more);
});
const filled = (value) => (value === '' ? undefined : value);

export const trim = ofText((value) => value.trim());
export const lowercase = ofText((value) => value.toLowerCase());
export const uppercase = ofText((value) => value.toUpperCase());
export const digits = ofText((value) => filled(value.replace(/[^0-9]/g, '')));
export const letters = ofText((value) => filled(value.replace(/\P{Alphabetic}/gu, '')));
export const firstWord = ofText((value) => filled(words(value)[0] ?? ''));
export const otherWords = ofText((value) => filled(words(value).slice(1).join(' ')));
export const truncate = ofText((value, length) => [...value].slice(0, length).join(''));
export const after = ofText((value, mark) => (value.includes(mark) ? filled(value.slice(value.lastIndexOf(mark) + mark.length)) : undefined));
export const before = ofText((value, mark) => (value.includes(mark) ? filled(value.slice(0, value.indexOf(mark))) : undefined));
export const md5 = ofText((value) => createHash('md5').update(value).digest('hex'));
export const sha256 = ofText((value) => digest(value));
export const base64 = ofText((value) => Buffer.from(value).toString('base64'));
export const jsonText = each((value) => JSON.stringify(value));
export const asString = each(asText);
export const integer = each(wholeNumber);
export const count = each((value) => listOf(value).length);
export const sum = each((value) => safe(listOf(value).reduce((total, item) => total + wholeNumber(item), 0)));
export const plus = each((value, other) => safe(wholeNumber(value) + wholeNumber(other ?? 0)));
export const minus = each((value, other) => safe(wholeNumber(value) - wholeNumber(other ?? 0)));
export const equals = each((value, other) => !isAbsent(other) && asText(value) === asText(other));

/** Nothing where another value is there. */
export const unless = (value, other) => (isAbsent(other) ? value : undefined);

export const positive = each((value) => (wholeNumber(value) > 0 ? wholeNumber(value) : undefined));

/** An address with one more parameter, in front of its fragment. */
export const withParameter = ofText((value, name, said) => {
  if (isAbsent(said)) return value;
  const [, address, fragment] = /^([^#]*)(.*)$/s.exec(value);
  return `${address}${address.includes('?') ? '&' : '?'}${name}=${percent(asText(said))}${fragment}`;
});

/** A number times another; or the items of a list, each times its fellow of another list. */
export const times = each((value, other) => {
  if (!Array.isArray(value)) return safe(wholeNumber(value) * wholeNumber(other ?? 0));
  if (listOf(other).length !== value.length) throw new Unfit('a list is not as long as the other one');
  return value.map((item, index) => safe(wholeNumber(item) * wholeNumber(other[index])));
});

/** A number as text with so many digits behind the point: `19.9` with two is `19.90`. */
export const fixed = each((value, places) => {
  const [, sign, whole, fraction = '0'] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(asText(value)) ?? [];
  if (whole === undefined) throw new Unfit('a value is not a number');
  const kept = fraction.replace(/0+$/, '');
  if (kept.length > places) throw new Unfit(`a number has more than ${places} digits behind the point`);
  return `${sign}${whole.replace(/^0+(?=\d)/, '')}${places === 0 ? '' : '.'}${kept.padEnd(places, '0')}`;
});

/** An amount in the smallest unit of its currency: 19.99 EUR is 1999, 500 JPY is 500. */
export const minorUnits = each((value, currency, currencies) =>
  safe(Number(fixed(value, decimals(currency, currencies)).replace('.', ''))));

/** The opposite: 1999 EUR is 19.99. */
export const majorUnits = each((value, currency, currencies) => {
  const places = decimals(currency, currencies);
  const units = wholeNumber(value);
  const text = String(Math.abs(units)).padStart(places + 1, '0');
  const point = text.length - places;
  return `${units < 0 ? '-' : ''}${text.slice(0, point)}${places === 0 ? '' : '.'}${text.slice(point)}`;
});

/** A decimal number as JSON writes numbers, where that loses nothing. */
export const jsonNumber = each((value) => {
  const number = Number(value);
  const kept = String(value).includes('.') ? String(value).replace(/0+$/, '').replace(/\.$/, '') : String(value);
  return String(number) === kept ? number : value;
});

export const unixSeconds = each((value) => Math.floor(time(value) / 1000));
export const unixMilliseconds = each((value) => time(value));
export const unixMicroseconds = each((value) => time(value) * 1000);
export const fromUnixSeconds = each((value) => moment(wholeNumber(value) * 1000));
export const fromUnixMilliseconds = each((value) => moment(wholeNumber(value)));
export const day = each((value) => new Date(time(value)).toISOString().slice(0, 10));

function words(value) {
  return value.split(/\s+/).filter((word) => word !== '');
}

function listOf(value) {
  if (!Array.isArray(value)) throw new Unfit('a value is not a list');
  return value;
}

function wholeNumber(value) {
  const number = /^[+-]?\d+$/.test(asText(value).trim()) ? Number(value) : NaN;
  if (!Number.isSafeInteger(number)) throw new Unfit('a value is not a whole number');
  return number;
}

function safe(number) {
  if (!Number.isSafeInteger(number)) throw new Unfit('a number is too large to be counted with');
  // `0 - 0` and not `-0`.
  return number === 0 ? 0 : number;
}

function decimals(currency, { withoutDecimals = [], withThreeDecimals = [], notTaken = [] } = {}) {
  const code = isAbsent(currency) ? '' : asText(currency).toUpperCase();
  if (!/^[A-Z]{3}$/.test(code) || notTaken.includes(code)) throw new Unfit('an amount is not in a currency that is taken there');
  if (withoutDecimals.includes(code)) return 0;
  return withThreeDecimals.includes(code) ? 3 : 2;
}

function time(value) {
  const isTime = typeof value === 'string' && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/i.test(value);
  const milliseconds = isTime ? Date.parse(value) : NaN;
  if (Number.isNaN(milliseconds)) throw new Unfit('a value is not a point in time');
  return milliseconds;
}

/** As RFC 3339, no more digits behind the seconds than there is something to say. */
function moment(milliseconds) {
  const date = new Date(milliseconds);
  if (Number.isNaN(date.getTime())) throw new Unfit('a value is not a point in time');
  return date.toISOString().replace(/\.?0*Z$/, 'Z');
}
