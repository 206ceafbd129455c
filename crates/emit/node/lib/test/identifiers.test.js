// UUIDv7: its layout, and its order whatever the clock does.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createUuidv7, uuidv7 } from '../identifiers.js';

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
