// UUIDv7: its layout, and its order whatever the clock does. What a path says is an identifier only as it is written here.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createUuidv7, numberOrNull, uuidOrNull, uuidv7 } from '../identifiers.js';

test('the layout is that of version 7', () => {
  assert.match(createUuidv7(() => 0x0123456789ab)(), /^01234567-89ab-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});

test('identifiers only grow, within a millisecond and when the clock steps back', () => {
  let now = 1_000_000;
  const next = createUuidv7(() => now);
  const made = [];
  for (let count = 0; count < 20_000; count += 1) {
    if (count === 10_000) now -= 5000;
    made.push(next());
  }
  assert.deepEqual([...made].sort(), made);
  assert.equal(new Set(made).size, made.length);
  assert.ok(uuidv7() < uuidv7());
});

test('a number of a path has one spelling, and is one that JSON keeps', () => {
  assert.deepEqual(['0', '7', '-7', '9007199254740991'].map(numberOrNull), [0, 7, -7, 9007199254740991]);
  for (const none of ['', ' 7', '7 ', '07', '+7', '-0', '7.0', '7e0', '0x7', '1_000', '9007199254740992', 'NaN', 'Infinity', '７']) {
    assert.equal(numberOrNull(none), null, none);
  }
});

test('so has a UUID', () => {
  const id = '019c0f3e-7b1a-7c3d-8e5f-0123456789ab';
  assert.equal(uuidOrNull(id), id);
  for (const none of ['', id.toUpperCase(), id.replaceAll('-', ''), `{${id}}`, `${id}\n`, id.slice(1)]) {
    assert.equal(uuidOrNull(none), null, none);
  }
});
