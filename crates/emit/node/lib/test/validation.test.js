// The rules of single fields; whole bodies are tested with the reference application.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { check } from '../validation.js';

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
  assert.equal(verdict(field, 'abcdef\u0001').code, 'invalid_character');
  assert.equal(verdict(field, 'abcdef').code, 'too_long');
  assert.deepEqual(verdict(field, 'ab'), { pointer: '/field', code: 'too_short', detail: 'must have at least 3 characters' });
  assert.equal(verdict(field, 'abc').code, 'format');
  assert.equal(verdict(field, ' a@b.c '), 'a@b.c');
});

test('URLs', () => {
  for (const url of ['http://a', 'https://a/b?c#d', 'HTTPS://ä']) assert.equal(verdict({ kind: 'url' }, url), url);
  for (const url of ['http://', 'ftp://a', 'https://a b', 'https://a\u00a0b', 'a', 'javascript:http://a']) {
    assert.deepEqual(verdict({ kind: 'url' }, url), { pointer: '/field', code: 'format', detail: 'must be a URL' });
  }
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
