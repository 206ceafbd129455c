// The rules of single fields; whole bodies are tested with the reference application.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { check, checkChanges, validateList, validateParameters } from '../validation.js';

function verdict(field, value) {
  try {
    return check(new Map([['field', value]]), [{ name: 'field', ...field }]).field;
  } catch (problem) {
    assert.equal(problem.name, 'validation_failed');
    assert.equal(problem.errors.length, 1);
    return problem.errors[0];
  }
}

test('the first check that fails is the one reported', () => {
  const field = { kind: 'email', required: true, minimum: 3, maximum: 5 };
  assert.equal(verdict(field, null).code, 'required');
  assert.equal(verdict(field, {}).code, 'type');
  assert.equal(verdict(field, ' ').code, 'required');
  assert.equal(verdict(field, 'abcdef\u0001').code, 'too_long');
  assert.equal(verdict(field, 'a\u0001').code, 'invalid_character');
  assert.deepEqual(verdict(field, 'ab'), { pointer: '/field', code: 'too_short', detail: 'must have at least 3 characters' });
  assert.equal(verdict(field, 'abc').code, 'format');
  assert.equal(verdict(field, ' a@b.c').code, 'too_long');
  assert.equal(verdict({ ...field, maximum: 7 }, ' a@b.c '), 'a@b.c');
});

test('URLs', () => {
  for (const url of ['http://a', 'https://a/b?c#d', 'HTTPS://ä']) assert.equal(verdict({ kind: 'url' }, url), url);
  for (const url of ['http://', 'ftp://a', 'https://a b', 'https://a\u00a0b', 'https://a\u0085b', 'https://a\ufeffb', 'a', 'javascript:http://a']) {
    assert.deepEqual(verdict({ kind: 'url' }, url), { pointer: '/field', code: 'format', detail: 'must be a URL' });
  }
});

test('times', () => {
  const good = {
    '2026-01-02T03:04:05Z': '2026-01-02T03:04:05.000Z',
    '2026-01-02T03:04:05.6789Z': '2026-01-02T03:04:05.678Z',
    '2024-02-29T23:59:59+02:00': '2024-02-29T21:59:59.000Z',
  };
  for (const [time, kept] of Object.entries(good)) assert.equal(verdict({ kind: 'timestamp' }, time), kept);
  const bad = ['2026-01-02', '2026-02-30T00:00:00Z', '2026-01-02T24:00:00Z', '2026-01-02T03:04:05', '2026-01-02 03:04:05Z', '9999-12-31T23:59:59-01:00', 'now', '', ' 2026-01-02T03:04:05Z'];
  for (const time of bad) {
    const detail = 'must be a time such as 2026-01-02T03:04:05Z';
    assert.deepEqual(verdict({ kind: 'timestamp' }, time), { pointer: '/field', code: 'format', detail });
  }
});

test('UUIDs', () => {
  const uuid = '019c0f3e-7b1a-7c3d-8e5f-0123456789aB';
  assert.equal(verdict({ kind: 'uuid' }, uuid), uuid.toLowerCase());
  for (const text of [uuid.slice(1), uuid.replaceAll('-', ''), `{${uuid}}`]) {
    assert.deepEqual(verdict({ kind: 'uuid' }, text), { pointer: '/field', code: 'format', detail: 'must be a UUID' });
  }
});

test('numbers and booleans', () => {
  for (const number of [0, -7, 2 ** 53 - 1]) assert.equal(verdict({ kind: 'integer' }, number), number);
  for (const value of [1.5, 2 ** 53, '1', true]) {
    assert.deepEqual(verdict({ kind: 'integer' }, value), { pointer: '/field', code: 'type', detail: 'must be a whole number' });
  }
  for (const value of [true, false]) assert.equal(verdict({ kind: 'boolean', required: true }, value), value);
  for (const value of [0, 'true', {}]) {
    assert.deepEqual(verdict({ kind: 'boolean' }, value), { pointer: '/field', code: 'type', detail: 'must be true or false' });
  }
  assert.equal(verdict({ kind: 'integer' }, null), null);
  assert.equal(verdict({ kind: 'boolean', required: true }, null).code, 'required');
});

test('control characters', () => {
  assert.equal(verdict({ kind: 'text' }, 'a\t\r\nb'), 'a\t\r\nb');
  for (const character of ['\u0000', '\u000b', '\u000c', '\u001b', '\u007f']) {
    assert.equal(verdict({ kind: 'text' }, `a${character}b`).code, 'invalid_character');
  }
  for (const character of ['\t', '\n', '\r']) assert.equal(verdict({ kind: 'line' }, `a${character}b`).code, 'invalid_character');
  assert.equal(verdict({ kind: 'line' }, 'a\u0085b'), 'a\u0085b');
});

test('long runs of white space take little time', () => {
  assert.equal(verdict({ kind: 'text' }, 'a' + ' '.repeat(1_000_000) + 'b').length, 1_000_002);
});

test('changes hold what was given, and nothing else', () => {
  const shape = [{ name: 'name', kind: 'line', required: true }, { name: 'note', kind: 'line' }, { name: 'stock', kind: 'integer' }];
  const changes = (entries) => checkChanges(new Map(entries), shape);
  assert.deepEqual(changes([]), {});
  assert.deepEqual(changes([['note', ' '], ['name', ' a ']]), { name: 'a', note: null });
  assert.deepEqual(changes([['stock', null]]), { stock: null });
  const errors = (entries) => {
    try {
      return changes(entries);
    } catch (problem) {
      return problem.errors.map(({ pointer, code }) => `${pointer} ${code}`);
    }
  };
  assert.deepEqual(errors([['x', 1], ['stock', 'a'], ['name', null]]), ['/name required', '/stock type', '/x unknown_field']);
  assert.throws(() => checkChanges([], shape), ({ errors: [{ code, pointer }] }) => code === 'type' && pointer === '');
});

test('decimal numbers come as numbers and as texts', () => {
  const field = { kind: 'decimal', scale: 2 };
  const good = [[12.5, '12.50'], [12, '12.00'], [-0, '0.00'], [1e3, '1000.00'], ['-0.00', '0.00']];
  for (const [given, kept] of good) assert.equal(String(verdict(field, given)), kept);
  for (const greatest of [9999999999999.99, '9999999999999.99']) assert.equal(String(verdict(field, greatest)), '9999999999999.99');
  assert.equal(JSON.stringify(verdict(field, 12.5)), '"12.50"');
  const bad = [
    [0.1 + 0.2, 'format', 'must have at most 2 decimals'],
    [1e-7, 'format', 'must have at most 2 decimals'],
    [1e300, 'range', 'must be between -9999999999999.99 and 9999999999999.99'],
    ['1e3', 'format', 'must be a decimal number'],
    ['12,50', 'format', 'must be a decimal number'],
    ['.5', 'format', 'must be a decimal number'],
    [' 12.5 ', 'format', 'must be a decimal number'],
    ['', 'format', 'must be a decimal number'],
    ['1\u00001', 'invalid_character', 'must not contain control characters'],
    [true, 'type', 'must be a decimal number'],
  ];
  for (const [given, code, detail] of bad) assert.deepEqual(verdict(field, given), { pointer: '/field', code, detail });
  assert.equal(verdict(field, null), null);
});

test('numbers between their bounds', () => {
  const stars = { kind: 'integer', minimum: 1, maximum: 5 };
  for (const number of [1, 5]) assert.equal(verdict(stars, number), number);
  for (const number of [0, 6]) assert.equal(verdict(stars, number).detail, 'must be between 1 and 5');
  assert.equal(verdict({ kind: 'integer', minimum: 0 }, -1).detail, 'must be at least 0');
  assert.equal(verdict({ kind: 'integer', maximum: 0 }, 1).detail, 'must be at most 0');
  const price = { kind: 'decimal', scale: 2, minimum: '0.00' };
  assert.equal(String(verdict(price, 0)), '0.00');
  assert.deepEqual(verdict(price, '-0.01'), { pointer: '/field', code: 'range', detail: 'must be between 0.00 and 9999999999999.99' });
});

test('days of the calendar', () => {
  for (const day of ['2026-01-02', '2024-02-29', '0001-01-01', '9999-12-31']) assert.equal(verdict({ kind: 'date' }, day), day);
  for (const day of ['2026-02-29', '2026-13-01', '0000-01-01', '2026-1-2', '20260102', '+2026-01-02', '2026-01-02T00:00:00Z']) {
    assert.deepEqual(verdict({ kind: 'date' }, day), { pointer: '/field', code: 'format', detail: 'must be a date such as 2026-01-02' });
  }
});

test('words, codes and documents', () => {
  const status = { kind: 'choice', words: ['open', 'closed'], default: 'open' };
  assert.equal(verdict(status, 'closed'), 'closed');
  for (const nothing of [undefined, null]) assert.equal(verdict(status, nothing), 'open');
  for (const word of ['Open', 'shut', ' closed ', '']) assert.deepEqual(verdict(status, word), { pointer: '/field', code: 'format', detail: 'must be one of open, closed' });
  assert.equal(verdict({ kind: 'code', letters: 3 }, 'eur'), 'EUR');
  for (const code of ['EU', 'EURO', 'E1R', 'ÄÖÜ']) assert.equal(verdict({ kind: 'code', letters: 3 }, code).detail, 'must be a code of 3 letters');
  for (const document of [[], { a: [1] }]) assert.deepEqual(verdict({ kind: 'json' }, document), document);
  for (const scalar of ['text', 1, true]) assert.equal(verdict({ kind: 'json' }, scalar).detail, 'must be an object or a list');
  assert.equal(String(verdict({ kind: 'decimal', scale: 2, default: '0.10' }, null)), '0.10');
});

test('forms that a value has beside its kind', () => {
  const digest = '0123456789abcdef'.repeat(4);
  for (const [kind, format, right, wrong, code] of [
    ['line', 'file_name', ['a.txt', '..a', 'été 1.tar.gz', '...'], ['a/b', 'a\\b', '.', '..'], 'format'],
    ['line', 'media_type', ['image/svg+xml', 'a/b', 'X/Y.z-1'], ['pdf', 'a/b/c', '/b', 'a/', '+a/b', 'a/b; c=d', 'a b/c'], 'format'],
    ['line', 'sha256', [digest], [digest.toUpperCase(), digest.slice(1), `${digest}0`], 'format'],
    ['integer', 'byte_count', [0, 5 * 2 ** 40], [-1, 5 * 2 ** 40 + 1], 'range'],
  ]) {
    for (const value of right) assert.equal(verdict({ kind, format }, value), value);
    for (const value of wrong) assert.equal(verdict({ kind, format }, value).code, code, `${format} ${value}`);
    assert.equal(verdict({ kind, format }, null), null);
  }
});

test('parameters of a path are checked as fields are', () => {
  const shape = [{ name: 'ticket', kind: 'line', maximum: 3 }];
  assert.deepEqual(validateParameters({ parameters: { ticket: ' é ' } }, shape), { ticket: 'é' });
  for (const [ticket, code] of [['abcd', 'too_long'], ['a\u0000', 'invalid_character'], [' ', 'required']]) {
    assert.throws(() => validateParameters({ parameters: { ticket } }, shape), (problem) => {
      assert.deepEqual([problem.name, problem.errors[0].parameter, problem.errors[0].code], ['validation_failed', 'ticket', code]);
      return true;
    });
  }
});

test('a list of records is checked record by record, each with its place', () => {
  const of = [{ name: 'id', kind: 'uuid', required: true }, { name: 'count', kind: 'integer', minimum: 1, maximum: 9, required: true }];
  const field = { kind: 'list', maximum: 2, of, required: true };
  const id = '019C0F3E-7B1A-7C3D-8E5F-0123456789AB';
  assert.deepEqual(verdict(field, [{ id, count: 2 }]), [{ id: id.toLowerCase(), count: 2 }]);
  const range = { pointer: '/field', code: 'range', detail: 'must have between 1 and 2 entries' };
  for (const given of [[], [1, 2, 3]]) assert.deepEqual(verdict(field, given), range);
  assert.deepEqual(verdict(field, { id }), { pointer: '/field', code: 'type', detail: 'must be a list' });
  assert.equal(verdict(field, null).code, 'required');
  const places = [[{ id, count: 2 }, 7], [{ id, count: 0 }], [{ id }], [{ id, count: 1, price: 0 }]].map((given) => verdict(field, given));
  assert.deepEqual(
    places.map(({ pointer, code }) => [pointer, code]),
    [['/field/1', 'type'], ['/field/0/count', 'range'], ['/field/0/count', 'required'], ['/field/0/price', 'unknown_field']],
  );
});

test('what is wrong with a list is told with its place', async () => {
  const shape = [{ name: 'count', kind: 'integer', required: true, minimum: 1 }];
  const verdict = async (document) => {
    try {
      return await validateList({ document }, shape, { maximum: 3 });
    } catch (problem) {
      return problem.errors.map(({ pointer, code }) => `${pointer} ${code}`);
    }
  };
  const record = (count) => ({ count });
  assert.deepEqual(await verdict([record(1), record(2)]), { records: [{ count: 1 }, { count: 2 }] });
  assert.deepEqual(await verdict([record(1), record('x'), 7]), ['/1/count type', '/2 type']);
  assert.deepEqual(await verdict([]), [' range']);
  assert.deepEqual(await verdict([1, 2, 3, 4]), [' range']);
  assert.deepEqual(await verdict(record(1)), [' type']);
  assert.equal((await verdict([record('x'), ...Array(2).fill(Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`f${index}`, 1])))])).length, 100);
});
