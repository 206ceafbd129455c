import assert from 'node:assert/strict';
import test from 'node:test';
import { atTimes, everyMinutes } from '../provider/pace.js';

const all = (from, to) => Array.from({ length: to - from + 1 }, (_, index) => from + index);
const cron = { minutes: [0], hours: [3], days: all(1, 31), months: all(1, 12), weekdays: all(0, 6), both: true };
const next = (change, after) => new Date(atTimes({ ...cron, ...change })(Date.parse(after))).toISOString();

test('what comes every few minutes comes that long behind the last time', () => {
  assert.equal(everyMinutes(15)(1_000), 901_000);
});

test('a time of the day is the next one, and never the very moment', () => {
  assert.equal(next({}, '2026-03-01T02:59:59.999Z'), '2026-03-01T03:00:00.000Z');
  assert.equal(next({}, '2026-03-01T03:00:00.000Z'), '2026-03-02T03:00:00.000Z');
  assert.equal(next({ minutes: [0, 30], hours: all(0, 23) }, '2026-12-31T23:45:00.000Z'), '2027-01-01T00:00:00.000Z');
});

test('days are those of the month, of the week, or both', () => {
  // 2026-03-01 is a Sunday.
  assert.equal(next({ days: [13] }, '2026-03-01T04:00:00.000Z'), '2026-03-13T03:00:00.000Z');
  assert.equal(next({ weekdays: [1] }, '2026-03-01T04:00:00.000Z'), '2026-03-02T03:00:00.000Z');
  assert.equal(next({ days: [13], weekdays: [5] }, '2026-03-14T00:00:00.000Z'), '2026-11-13T03:00:00.000Z');
  assert.equal(next({ days: [13], weekdays: [1], both: false }, '2026-03-10T00:00:00.000Z'), '2026-03-13T03:00:00.000Z');
});

test('a day that comes every eight years at the least is found', () => {
  assert.equal(next({ days: [29], months: [2] }, '2096-03-01T00:00:00.000Z'), '2104-02-29T03:00:00.000Z');
});
