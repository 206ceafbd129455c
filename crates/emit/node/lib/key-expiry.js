// Until when a key is good, as people write it: `90d`, `12h`, `30m`, or a time. Text and the present go in, a time comes out.

const unitMinutes = { d: 24 * 60, h: 60, m: 1 };
const MINUTE = 60_000;
// Ten years.
const LONGEST = 3653 * 24 * 60 * MINUTE;

const timeShape = /^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})$/;

/** Its message is for whoever typed the text. */
export class WrongExpiry extends Error {}

/** @param {number} now milliseconds since 1970 @returns {string} the time that the text names, UTC */
export function expiry(text, now = Date.now()) {
  const length = lengthOf(text) ?? (timeShape.test(text) ? Date.parse(text) - now : NaN);
  if (Number.isNaN(length)) {
    throw new WrongExpiry('a key expires after a length of time such as `90d`, `12h` or `30m`, or at a time such as `2030-01-31T00:00:00Z`');
  }
  if (length <= 0) throw new WrongExpiry('a key cannot have expired already: name a time in the future');
  if (length > LONGEST) throw new WrongExpiry('a key is good for at most ten years');
  return new Date(now + length).toISOString();
}

/** The end of a length of time that begins now; it may be nothing at all (`0`). */
export function endOfOverlap(text, now = Date.now()) {
  const length = text === '0' ? 0 : lengthOf(text);
  if (length === undefined || length > LONGEST) {
    throw new WrongExpiry('the overlap of two keys is a length of time such as `24h`, `7d` or `30m`, at most ten years, or `0`');
  }
  return new Date(now + length).toISOString();
}

function lengthOf(text) {
  const [, number, unit] = /^(\d+)([dhm])$/.exec(text) ?? [];
  return unit && Number(number) * unitMinutes[unit] * MINUTE;
}
