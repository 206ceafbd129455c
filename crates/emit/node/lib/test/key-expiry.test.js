// Lengths and times are understood, all else is refused with a sentence.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { endOfOverlap, expiry } from '../key-expiry.js';

const now = Date.parse('2026-01-02T03:04:05.678Z');

test('a length of time, or a time', () => {
  assert.equal(expiry('90d', now), '2026-04-02T03:04:05.678Z');
  assert.equal(expiry('12h', now), '2026-01-02T15:04:05.678Z');
  assert.equal(expiry('30m', now), '2026-01-02T03:34:05.678Z');
  assert.equal(expiry('2030-01-31T00:00:00Z', now), '2030-01-31T00:00:00.000Z');
  assert.equal(expiry('2030-01-31T00:00:00+02:00', now), '2030-01-30T22:00:00.000Z');
  assert.equal(expiry('3653d', now), '2036-01-03T03:04:05.678Z');
});

test('what is refused', () => {
  for (const text of ['', 'd', '-1d', '1.5h', '90', '90s', '90 d', '90é', '2030-01-31', 'soon', '2030-13-01T00:00:00Z']) {
    assert.throws(() => expiry(text, now), /a length of time such as/, text);
  }
  for (const text of ['3654d', '99999999999999999999d', '2999-01-01T00:00:00Z']) assert.throws(() => expiry(text, now), /ten years/, text);
  for (const text of ['0d', '2026-01-02T03:04:05.678Z']) assert.throws(() => expiry(text, now), /in the future/, text);
});

test('an overlap may be nothing', () => {
  assert.equal(endOfOverlap('0', now), '2026-01-02T03:04:05.678Z');
  assert.equal(endOfOverlap('24h', now), '2026-01-03T03:04:05.678Z');
  for (const text of ['', '2030-01-31T00:00:00Z', '3654d']) assert.throws(() => endOfOverlap(text, now), /overlap/, text);
});
