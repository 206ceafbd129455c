// UUIDv7 (RFC 9562): sorted by time, and within this process strictly increasing, also inside one millisecond and when
// the clock steps back. The 12 bits after the time are a counter with a random start (section 6.2, method 1).

import { randomBytes, randomInt } from 'node:crypto';

const COUNTER_MAXIMUM = 0xfff;
const COUNTER_START_BELOW = 0x800;

/** @param {() => number} [now] milliseconds since 1970 */
export function createUuidv7(now = Date.now) {
  let lastTime = -1;
  let counter = 0;
  return () => {
    const time = now();
    if (time > lastTime) {
      lastTime = time;
      counter = randomInt(COUNTER_START_BELOW);
    } else if (counter < COUNTER_MAXIMUM) {
      counter += 1;
    } else {
      lastTime += 1;
      counter = randomInt(COUNTER_START_BELOW);
    }
    const bytes = randomBytes(16);
    bytes.writeUIntBE(lastTime, 0, 6);
    bytes.writeUInt16BE(0x7000 | counter, 6);
    bytes[8] = 0x80 | (bytes[8] & 0x3f);
    const hex = bytes.toString('hex');
    return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
  };
}

export const uuidv7 = createUuidv7();

/** What every identifier made at that time or later is greater than: a UUID without its random part. @param {number} time milliseconds since 1970 */
export function uuidv7Floor(time) {
  const hex = Math.max(0, time).toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}-0000-0000-000000000000`;
}

/** The text, where it is a UUID as it is written here; else null, which is equal to no identifier. */
export function uuidOrNull(text) {
  return /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text) ? text : null;
}

/** The whole number, where the text is one as it is written here; else null, which is equal to no number. */
export function numberOrNull(text) {
  const number = Number(text);
  return Number.isSafeInteger(number) && String(number) === text ? number : null;
}
