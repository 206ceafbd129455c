// Arithmetic of exact decimal numbers: what has too many digits is none.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Decimal, sum, times } from '../decimal.js';

const text = (number) => number && number.toString();

test('so many times a number', () => {
  const price = new Decimal(2490, 2);
  assert.deepEqual([text(times(price, 2)), text(times(price, 0)), text(times(new Decimal(-5, 1), 3))], ['49.80', '0.00', '-1.5']);
  assert.equal(text(times(new Decimal(9_007_199_254, 2), 100_000)), '9007199254000.00', 'beyond what a double multiplies exactly');
  assert.equal(times(Decimal.greatest(2), 2), null);
  assert.equal(times(price, Number.MAX_SAFE_INTEGER), null);
});

test('the sum of numbers', () => {
  assert.equal(text(sum([new Decimal(10, 2), new Decimal(20, 2), new Decimal(-5, 2)])), '0.25');
  assert.equal(sum([Decimal.greatest(2), new Decimal(1, 2)]), null);
  assert.equal(text(sum([Decimal.greatest(2), new Decimal(1, 2), new Decimal(-1, 2)])), text(Decimal.greatest(2)));
});
