// Media types. Size and time are tested over the wire, with the reference application.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isJsonMediaType } from '../body.js';

test('JSON media types in UTF-8 are accepted', () => {
  const accepted = ['application/json', 'APPLICATION/JSON', 'application/problem+json', 'application/vnd.a.b+json ; charset=UTF-8', 'application/json;charset="utf-8"', 'application/json; profile=x'];
  for (const mediaType of accepted) assert.ok(isJsonMediaType(mediaType), mediaType);
});

test('everything else is refused', () => {
  const refused = [undefined, '', 'text/json', 'application/jsonp', 'application/+json', 'application/json, text/plain', 'application/json; charset=utf-16', 'application/json; charset=utf8', 'xapplication/json'];
  for (const mediaType of refused) assert.ok(!isJsonMediaType(mediaType), mediaType);
});
