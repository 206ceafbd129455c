// What `If-Match` allows, and what `If-None-Match` spares the caller.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { etag, etagOfText, isCurrent, unlessKnown } from '../etag.js';
import { respond } from '../response.js';

const asking = (method, headers) => ({ method, header: (name) => headers[name] });

test('a change is allowed without If-Match, with `*`, and with the tag of the version', () => {
  const allows = (value) => isCurrent(asking('PATCH', { 'if-match': value }), 3);
  for (const value of [undefined, '*', ' * ', '"3"', '"2", "3"', '"2","3" ']) assert.ok(allows(value), value);
  for (const value of ['', '3', '"2"', 'W/"3"', '"33"', '"3', '"2", W/"3"']) assert.ok(!allows(value), value);
});

test('what the caller has is not sent again', () => {
  const answer = respond(200, { id: 1 }, { ETag: etag(3) });
  const status = (method, value) => unlessKnown(asking(method, { 'if-none-match': value }), answer).status;
  for (const value of ['*', '"3"', 'W/"3"', '"1", W/"3"']) {
    assert.equal(status('GET', value), 304, value);
    assert.equal(status('HEAD', value), 304, value);
    assert.equal(status('PATCH', value), 200, value);
  }
  for (const value of [undefined, '', '3', '"4"', 'w/"3"']) assert.equal(status('GET', value), 200, value);
  const spared = unlessKnown(asking('GET', { 'if-none-match': '"3"' }), answer);
  assert.deepEqual(spared, { status: 304, headers: { ETag: '"3"' }, text: undefined });
  const untagged = respond(200, {});
  assert.equal(unlessKnown(asking('GET', { 'if-none-match': '*' }), untagged), untagged);
});

test('the tag of a text', () => {
  assert.equal(etagOfText('{"items":[],"next":null}'), '"9172f6f02ae5ecbbc5a9e487c33e7514"');
});
