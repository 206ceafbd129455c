// What parseJson accepts and refuses beyond JSON.parse.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseJson } from '../json.js';

const parse = (text) => parseJson(Buffer.from(text));
const refuses = (bytes) => assert.throws(() => parseJson(Buffer.from(bytes)), { name: 'malformed_body' });

test('a top-level object keeps the order of its keys, and the last value of a repeated one', () => {
  assert.deepEqual([...parse('{ "b" :1,"7":{"x":"y"},"__proto__":2,"b":[3]}')], [['b', [3]], ['7', { x: 'y' }], ['__proto__', 2]]);
  assert.equal({}.x, undefined);
});

test('strings that look like structure are strings', () => {
  assert.deepEqual([...parse('{"a":"{[\\"}:","\\\\":"\\\\\\"{"}').keys()], ['a', '\\']);
  assert.deepEqual(parse('["a:", "b"]'), ['a:', 'b']);
});

test('nesting is counted across objects and arrays', () => {
  assert.doesNotThrow(() => parse('[{"a":'.repeat(16) + '1' + '}]'.repeat(16)));
  refuses('[{"a":'.repeat(16) + '[]' + '}]'.repeat(16));
  refuses('['.repeat(30_000) + ']'.repeat(30_000));
});

test('bytes that are not UTF-8 are refused', () => {
  refuses([0x22, 0xff, 0x22]);
  refuses([0x22, 0xc0, 0x80, 0x22]);
  refuses([0x22, 0xed, 0xa0, 0x80, 0x22]);
  refuses([0xef, 0xbb, 0xbf, 0x7b, 0x7d]);
  refuses([]);
});

test('lone surrogates are refused, pairs are not', () => {
  refuses('["\\ud800"]');
  refuses('["\\udc00\\ud800"]');
  refuses('{"\\udfff":1}');
  refuses('{"a":"\\ud800","a":""}');
  assert.deepEqual(parse('["\\ud83d\\ude00", "\\\\ud800"]'), ['😀', '\\ud800']);
});

test('numbers that no double holds are refused', () => {
  refuses('[1e309]');
  refuses('{"a":-1E+400}');
  assert.deepEqual(parse('[1e308, 1e-400, -0.5E-3]'), [1e308, 0, -0.0005]);
});

test('a body of one long string is parsed in little time', () => {
  assert.equal(parse(JSON.stringify('\\"a'.repeat(30_000))).length, 90_000);
});
