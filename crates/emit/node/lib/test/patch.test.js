import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { validatePatch } from '../patch.js';

const shape = [
  { name: 'name', kind: 'line', required: true, maximum: 20 },
  { name: 'note', kind: 'text', default: 'none' },
  { name: 'price', kind: 'decimal', scale: 2 },
  { name: 'tags', kind: 'json' },
];
const row = { id: '1', name: 'Lamp', note: 'old', price: null, tags: { list: ['a', 'b'], 'a/b': { n: 1 } }, row_version: 3 };

function requestWith(body, type) {
  const incoming = Readable.from([Buffer.from(JSON.stringify(body))]);
  incoming.headers = {};
  const headers = { 'content-type': type, 'content-length': String(JSON.stringify(body).length) };
  return { incoming, outgoing: {}, header: (name) => headers[name] };
}

test('a merge says its changes by itself', async () => {
  const patch = await validatePatch(requestWith({ note: null }, 'application/merge-patch+json'), shape, { kept: ['id'] });
  assert.deepEqual(patch.changesOf(row), { note: 'none' });
});

// The native server is held to the same file.
for (const { name, operations, changes, status, errors } of JSON.parse(readFileSync(new URL('patches.json', import.meta.url)))) {
  test(`operations: ${name}: ${JSON.stringify(operations).slice(0, 80)}`, async () => {
    const asked = async () => {
      const patch = await validatePatch(requestWith(operations, 'application/json-patch+json'), shape, { kept: ['id'] });
      return patch.changesOf(row);
    };
    if (changes) {
      assert.equal(JSON.stringify(await asked()), JSON.stringify(changes));
      return;
    }
    const problem = await asked().then(() => assert.fail('nothing was refused'), (error) => error);
    assert.equal(problem.status, status);
    assert.deepEqual(problem.errors.map(({ pointer, code }) => `${pointer} ${code}`), errors);
  });
}
