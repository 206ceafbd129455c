// Rate limits that outlive the process: no end is announced here, so what is found is what a kill leaves.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Counts } from '../counts.js';
import { RateLimit } from '../rate-limit.js';

const caller = { identity: 'key:1' };

function folder(context) {
  const path = mkdtempSync(join(tmpdir(), 'counts-'));
  context.after(() => rmSync(path, { recursive: true }));
  return `${path}/`;
}

function passing(counts, times, quota = 10) {
  const limit = new RateLimit({ name: 'default', quota, window: 60, counts });
  let passed = 0;
  for (let count = 0; count < times; count += 1) {
    try {
      limit.take({ answerHeaders: {} }, caller);
      passed += 1;
    } catch (problem) {
      assert.equal(problem.name, 'rate_limited');
    }
  }
  return passed;
}

test('what passed counts after any end', (context) => {
  const path = folder(context);
  for (const [asked, passed] of [[3, 3], [4, 4], [5, 3], [1, 0]]) assert.equal(passing(new Counts(path), asked), passed);
  assert.equal(statSync(`${path}rate-limits`).mode & 0o777, 0o600);
});

test('a file that another process keeps is read and left alone, and taken over once that process is gone', (context) => {
  const path = folder(context);
  passing(new Counts(path), 4);
  const logged = context.mock.method(console, 'error', () => {});
  writeFileSync(`${path}rate-limits.lock`, String(process.ppid));
  const before = readFileSync(`${path}rate-limits`, 'utf8');
  const counts = new Counts(path);
  assert.equal(logged.mock.callCount(), 1);
  assert.equal(passing(counts, 3), 3);
  assert.equal(readFileSync(`${path}rate-limits`, 'utf8'), before);
  writeFileSync(`${path}rate-limits.lock`, '999999999');
  counts.upkeep();
  assert.equal(passing(new Counts(path), 20), 3, '4 of the first and 3 of the second');
});

test('lines that are damaged or of another start of the machine harm nothing', (context) => {
  const path = folder(context);
  const counts = new Counts(path);
  const [, wallAtBoot] = readFileSync(`${path}rate-limits`, 'utf8').trimEnd().split(' ');
  // Ten seconds ago, on a machine that was up for an hour less.
  const hour = 3_600_000;
  const time = counts.now() - hour - 10_000;
  const lines = [`other ${Number(wallAtBoot) + hour}`, `${time} default key:1`, '\0\0', 'x y z', `${time} default`, `${time} default k`];
  writeFileSync(`${path}rate-limits`, lines.join('\n'));
  const limit = new RateLimit({ name: 'default', quota: 2, window: 60, counts: new Counts(path) });
  const request = { answerHeaders: {} };
  limit.take(request, caller);
  assert.match(request.answerHeaders.RateLimit, /^"default";r=0;t=(?:50|51|49)$/);
});

test('policies of several tasks may be called alike', (context) => {
  const path = folder(context);
  const counts = new Counts(path);
  assert.deepEqual([passing(counts, 12), passing(counts.of('payments'), 12), passing(counts.of('crm'), 4)], [10, 10, 4]);
  const { length } = readFileSync(`${path}rate-limits`, 'utf8').match(/ payments\/default /g);
  assert.equal(length, 10);
});
