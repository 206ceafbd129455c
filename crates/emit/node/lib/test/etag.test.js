// What `If-Match` allows, and what `If-None-Match` spares the caller.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { etag, etagOfText, isCurrent, isKnown } from '../etag.js';
import { respond } from '../response.js';

const asking = (method, headers) => ({ method, header: (name) => headers[name] });

test('a change is allowed without If-Match, with `*`, and with the tag of the version', () => {
  const allows = (value) => isCurrent(asking('PATCH', { 'if-match': value }), 3);
  for (const value of [undefined, '*', ' * ', '"3"', '"2", "3"', '"2","3" ', '"3-br"', '"3-gzip"']) assert.ok(allows(value), value);
  for (const value of ['', '3', '"2"', 'W/"3"', '"33"', '"3', '"2", W/"3"']) assert.ok(!allows(value), value);
});

test('what the caller has is not sent again', () => {
  const answer = respond(200, { id: 1 }, { ETag: etag(3) });
  const knows = (method, value) => isKnown(asking(method, { 'if-none-match': value }), answer);
  for (const value of ['*', '"3"', 'W/"3"', '"1", W/"3"', '"3-gzip"', 'W/"3-br"']) {
    assert.ok(knows('GET', value), value);
    assert.ok(knows('HEAD', value), value);
    assert.ok(!knows('PATCH', value), value);
  }
  for (const value of [undefined, '', '3', '"4"', 'w/"3"', '"3-deflate"']) assert.ok(!knows('GET', value), value);
  assert.ok(!isKnown(asking('GET', { 'if-none-match': '*' }), respond(200, {})));
  assert.ok(!isKnown(asking('GET', { 'if-none-match': '*' }), respond(201, {}, { ETag: etag(3) })));
});

test('the tag of a text', () => {
  assert.equal(etagOfText('{"items":[],"next":null}'), '"9172f6f02ae5ecbbc5a9e487c33e7514"');
});
