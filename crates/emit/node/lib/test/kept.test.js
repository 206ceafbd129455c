import assert from 'node:assert/strict';
import test from 'node:test';
import { changed, keep, keptAnswer } from '../kept.js';

const words = { seconds: 60, tables: ['words', 'letters'] };

function ask(target, headers = {}) {
  return { route: '/words', target, header: (name) => headers[name] };
}

function answered(request, answer, keeping = words) {
  const kept = keptAnswer(request, keeping);
  if (!kept) keep(request, answer);
  return kept;
}

test('an answer is kept for whoever asks the same, until a table of it is written', () => {
  const answer = { status: 200, headers: { ETag: '"1"' }, text: 'one' };
  assert.equal(answered(ask('/words'), answer), undefined);
  assert.deepEqual(answered(ask('/words'), answer), { ...answer, headers: { ETag: '"1"', Age: '0' } });
  for (const other of [ask('/words?limit=1'), ask('/words', { accept: 'text/csv' }), ask('/words', { prefer: 'x' })]) {
    assert.equal(keptAnswer(other, words), undefined);
  }
  changed(['others']);
  assert.ok(keptAnswer(ask('/words'), words));
  changed(['letters']);
  assert.equal(keptAnswer(ask('/words'), words), undefined);
});

test('what was written while it was read is not kept as if it had been read', () => {
  const request = ask('/meanwhile');
  assert.equal(keptAnswer(request, words), undefined);
  changed(['words']);
  keep(request, { status: 200, headers: {}, text: 'old' });
  assert.equal(keptAnswer(ask('/meanwhile'), words), undefined);
});

test('what is no whole answer, too long or too old is not kept', async () => {
  const good = { status: 200, headers: {}, text: 'good' };
  for (const [target, answer] of [
    ['/missing', { ...good, status: 404 }],
    ['/long', { ...good, text: 'x'.repeat(1024 * 1024 + 1) }],
    ['/rest', { ...good, rest: [] }],
  ]) {
    answered(ask(target), answer);
    assert.equal(keptAnswer(ask(target), words), undefined, target);
  }
  const brief = { seconds: 0.02, tables: [] };
  answered(ask('/brief'), good, brief);
  assert.ok(keptAnswer(ask('/brief'), brief));
  await new Promise((resolve) => setTimeout(resolve, 40));
  assert.equal(keptAnswer(ask('/brief'), brief), undefined);
});

test('the oldest answers go where there are too many', () => {
  const text = 'x'.repeat(1024 * 1024 - 1);
  for (let number = 0; number < 40; number += 1) answered(ask(`/many/${number}`), { status: 200, headers: {}, text });
  assert.equal(keptAnswer(ask('/many/0'), words), undefined);
  assert.ok(keptAnswer(ask('/many/39'), words));
});
