// The window is exact, answers say where the caller stands, and the number of callers is bounded.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RateLimit } from '../rate-limit.js';

function createLimit(policy) {
  const clock = { now: 0.1 };
  const limit = new RateLimit({ name: 'p', quota: 2, window: 10, now: () => clock.now, ...policy });
  const take = (identity = 'a') => {
    const request = { answerHeaders: {} };
    try {
      limit.take(request, { identity });
      return request.answerHeaders['RateLimit'];
    } catch (problem) {
      assert.equal(problem.name, 'rate_limited');
      assert.equal(problem.detail, 'at most 2 requests per 10 seconds');
      return `${request.answerHeaders['RateLimit']} retry ${problem.headers['Retry-After']}`;
    }
  };
  return { clock, limit, take };
}

test('a request leaves the window after exactly its length, and refused ones are not counted', () => {
  const { clock, take } = createLimit();
  assert.equal(take(), '"p";r=1;t=10');
  clock.now = 3000.1;
  assert.equal(take(), '"p";r=0;t=7');
  clock.now = 9999;
  assert.equal(take(), '"p";r=0;t=1 retry 1');
  clock.now = 10_000.1;
  assert.equal(take(), '"p";r=0;t=3');
  clock.now = 10_001;
  assert.equal(take(), '"p";r=0;t=3 retry 3');
});

test('callers do not count for each other', () => {
  const { take } = createLimit();
  take('a');
  assert.equal(take('b'), '"p";r=1;t=10');
});

test('to describe counts nothing', () => {
  const { limit, take } = createLimit();
  const request = { answerHeaders: {} };
  limit.describe(request, { identity: 'a' });
  assert.deepEqual(request.answerHeaders, { 'RateLimit-Policy': '"p";q=2;w=10', RateLimit: '"p";r=2;t=0' });
  assert.equal(take(), '"p";r=1;t=10');
});

test('the caller that was quiet longest is forgotten first', () => {
  const { take } = createLimit({ callerLimit: 2 });
  take('a');
  take('b');
  take('a');
  take('c');
  assert.equal(take('a'), '"p";r=0;t=10 retry 10');
  assert.equal(take('b'), '"p";r=1;t=10');
});

test('the full length stays the full length at any time of day', () => {
  const { clock, take } = createLimit();
  for (let step = 0; step < 1000; step += 1) {
    clock.now = 12_345.678 + step * 0.377;
    assert.equal(take(`caller ${step}`), '"p";r=1;t=10');
  }
});

test('attempts under way count as if they failed', () => {
  const { limit, take } = createLimit();
  const ends = [];
  const attempt = () => {
    const request = { answerHeaders: {}, whenSettled: (end) => ends.push(end) };
    limit.spare(request, { identity: 'a' });
  };
  assert.equal(take(), '"p";r=1;t=10');
  attempt();
  assert.throws(attempt, { name: 'rate_limited' });
  ends.pop()();
  attempt();
  assert.equal(take(), '"p";r=0;t=10');
  ends.pop()();
  assert.throws(attempt, { name: 'rate_limited' });
});

test('of several at once all are counted, or none', () => {
  const { limit, take } = createLimit({ quota: 4 });
  const request = { answerHeaders: {} };
  take();
  limit.takeSeveral(request, { identity: 'a' }, 2);
  assert.equal(request.answerHeaders['RateLimit'], '"p";r=1;t=10');
  assert.throws(() => limit.takeSeveral(request, { identity: 'a' }, 2), { name: 'rate_limited' });
  assert.equal(take(), '"p";r=0;t=10');
  limit.takeSeveral(request, { identity: 'a' }, 0);
});
