// Settings are read, or refused without being repeated.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { listenAddress } from '../environment.js';

test('the address to listen on', () => {
  assert.deepEqual(listenAddress({}), { host: '127.0.0.1', port: 8080 });
  assert.deepEqual(listenAddress({ HOST: '::', PORT: '0' }), { host: '::', port: 0 });
  for (const PORT of ['x', '-1', '65536', '1.5']) assert.throws(() => listenAddress({ PORT }), /PORT/);
});
