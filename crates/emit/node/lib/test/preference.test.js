import assert from 'node:assert/strict';
import { test } from 'node:test';
import { prefers } from '../preference.js';

test('of several preferences for an answer the first counts', () => {
  for (const [header, isMet] of [
    ['return=minimal', true],
    ['wait=10, Return = "minimal"; why=speed', true],
    ['return=minimal, return=representation', true],
    ['return=representation, return=minimal', false],
    ['return=Minimal', false],
    ['minimal', false],
    [undefined, false],
  ]) {
    const request = { header: () => header, answerHeaders: {} };
    assert.equal(prefers(request, 'return=minimal'), isMet, header);
    assert.deepEqual(request.answerHeaders, isMet ? { 'Preference-Applied': 'return=minimal' } : {});
  }
});
