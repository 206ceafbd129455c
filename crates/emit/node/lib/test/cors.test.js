// Whose pages may call the API.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allowedOrigins, corsHeaders } from '../cors.js';

test('origins are listed, or any', () => {
  for (const text of [undefined, '', ' ', '*']) assert.equal(allowedOrigins({ CORS_ORIGINS: text }), '*');
  const listed = allowedOrigins({ CORS_ORIGINS: 'https://a.example, http://localhost:3000' });
  assert.deepEqual([...listed], ['https://a.example', 'http://localhost:3000']);
  for (const text of ['a.example', 'https://a.example/', 'https://A.example', 'https://*.a.example', '*, https://a.example']) {
    assert.throws(() => allowedOrigins({ CORS_ORIGINS: text }), /is not an origin/, text);
  }
});

test('only a listed origin is told that it may', () => {
  const asking = (origin) => ({ header: (name) => (name === 'origin' ? origin : undefined) });
  const allowed = (origins, origin) => corsHeaders(origins, asking(origin))['Access-Control-Allow-Origin'];
  assert.equal(allowed('*', undefined), '*');
  assert.equal(allowed(new Set(['https://a.example']), 'https://a.example'), 'https://a.example');
  for (const origin of [undefined, 'null', 'https://b.example', 'https://a.example.evil.example']) {
    assert.deepEqual(corsHeaders(new Set(['https://a.example']), asking(origin)), {}, origin);
  }
});
