// Settings are read, or refused without being repeated.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { databaseFile, listenAddress } from '../environment.js';

test('the address to listen on', () => {
  assert.deepEqual(listenAddress({}), { host: '127.0.0.1', port: 8080 });
  assert.deepEqual(listenAddress({ HOST: '::', PORT: '0' }), { host: '::', port: 0 });
  for (const PORT of ['x', '-1', '65536', '1.5']) assert.throws(() => listenAddress({ PORT }), /PORT/);
});

test('the file of the database', () => {
  const folder = new URL('file:///srv/app/');
  assert.equal(databaseFile('file:./data/app.sqlite', folder), '/srv/app/data/app.sqlite');
  assert.equal(databaseFile('file:data/app.sqlite', folder), '/srv/app/data/app.sqlite');
  assert.equal(databaseFile('file:/var/app.sqlite', folder), '/var/app.sqlite');
  assert.equal(databaseFile('file:///var/app.sqlite', folder), '/var/app.sqlite');
  for (const url of ['postgresql://user:secret@host/name', 'file:', 'app.sqlite']) {
    assert.throws(() => databaseFile(url, folder), { message: '`DATABASE_URL` must be `file:` and a path' });
  }
});
