// What becomes of values on their way to a provider: exact, absent where nothing is left, and refused where nothing fits.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as made from '../provider/transformations.js';

test('what is absent stays absent, and so does what has nothing left', () => {
  for (const change of [made.trim, made.minorUnits, made.unixSeconds, made.count, made.sum]) assert.equal(change(undefined), undefined);
  assert.equal(made.digits('abc'), undefined);
  assert.equal(made.after('abc', '-'), undefined);
  assert.equal(made.otherWords('one'), undefined);
});

test('texts', () => {
  assert.equal(made.after('a-b-c', '-'), 'c');
  assert.equal(made.before('a-b-c', '-'), 'a');
  assert.equal(made.firstWord('  Ada  King '), 'Ada');
  assert.equal(made.otherWords('Ada Augusta  King'), 'Augusta King');
  assert.equal(made.truncate('ä€😀x', 3), 'ä€😀');
  assert.equal(made.letters('a1é-ß'), 'aéß');
  assert.equal(made.md5('a'), '0cc175b9c0f1b6a831c399e269772661');
  assert.equal(made.sha256('abc'), 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
  assert.throws(() => made.trim(1), made.Unfit);
});

test('an address takes one more parameter, and what is not above zero is absent', () => {
  assert.equal(made.withParameter('https://x.org/y', 'order_id', 'a b&c'), 'https://x.org/y?order_id=a%20b%26c');
  assert.equal(made.withParameter('https://x.org/y?z=1#top', 'order_id', 7), 'https://x.org/y?z=1&order_id=7#top');
  assert.equal(made.withParameter('https://x.org/y', 'order_id', undefined), 'https://x.org/y');
  assert.equal(made.unless('a', undefined), 'a');
  assert.equal(made.unless('a', 'b'), undefined);
  assert.equal(made.positive(14), 14);
  assert.equal(made.positive(0), undefined);
});

test('amounts are exact in the smallest unit of their currency', () => {
  const currencies = { withoutDecimals: ['JPY'], withThreeDecimals: ['KWD'], notTaken: ['UGX'] };
  const units = (amount, currency) => made.minorUnits(amount, currency, currencies);
  assert.equal(units('19.99', 'EUR'), 1999);
  assert.equal(units('0.5', 'eur'), 50);
  assert.equal(units('500', 'JPY'), 500);
  assert.equal(units('1.250', 'KWD'), 1250);
  assert.equal(units('-0.07', 'EUR'), -7);
  for (const [amount, currency] of [['1.999', 'EUR'], ['1.5', 'JPY'], ['1', 'UGX'], ['1', ''], ['1e2', 'EUR'], ['99999999999999999', 'EUR']]) {
    assert.throws(() => units(amount, currency), made.Unfit, `${amount} ${currency}`);
  }
  assert.equal(made.majorUnits(1999, 'EUR', currencies), '19.99');
  assert.equal(made.majorUnits(5, 'KWD', currencies), '0.005');
  assert.equal(made.majorUnits(-7, 'EUR', currencies), '-0.07');
  assert.equal(made.majorUnits(500, 'JPY', currencies), '500');
  assert.equal(made.fixed('019.9', 2), '19.90');
});

test('times', () => {
  assert.equal(made.unixSeconds('2026-01-31T00:00:00Z'), 1769817600);
  assert.equal(made.unixSeconds('1969-12-31T23:59:59.5Z'), -1);
  assert.equal(made.fromUnixSeconds(1769817600), '2026-01-31T00:00:00Z');
  assert.equal(made.fromUnixMilliseconds('1769817600120'), '2026-01-31T00:00:00.12Z');
  assert.equal(made.day('2026-01-31T23:30:00-02:00'), '2026-02-01');
  assert.throws(() => made.unixSeconds('2026-01-31'), made.Unfit);
});

test('numbers', () => {
  assert.equal(made.jsonNumber('19.90'), 19.9);
  assert.equal(made.jsonNumber('0.1000000000000000055511151231257827'), '0.1000000000000000055511151231257827');
  assert.deepEqual(made.times([1, 2], [3, 4]), [3, 8]);
  assert.equal(made.sum(['1', 2]), 3);
  assert.throws(() => made.plus(2 ** 53 - 1, 1), made.Unfit);
});
