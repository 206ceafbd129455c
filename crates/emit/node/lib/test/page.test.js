// Pages as JSON, CSV and NDJSON: what stands in the body, and how a caller gets to the next page.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Decimal } from '../decimal.js';
import { acceptedFormat, respondCsv, respondNdjson, respondPage } from '../page.js';

const columns = {
  id: { kind: 'uuid' },
  name: { kind: 'line' },
  phone: { kind: 'phone' },
  stock: { kind: 'integer' },
  price: { kind: 'decimal', scale: 2 },
  active: { kind: 'boolean' },
};

/** A request whose query string is read anew each time, as that of the application. */
function asking(query = '') {
  return {
    get query() {
      return new URLSearchParams(query);
    },
  };
}

test('a page as JSON is tagged and leads to the next one', () => {
  const { headers, text } = respondPage(asking('limit=1&cursor=aa&name=a%20%3Eb'), { items: [{ id: '1' }], next: 'ff' });
  assert.equal(text, '{"items":[{"id":"1"}],"next":"ff"}');
  assert.match(headers.ETag, /^"[0-9a-f]{32}"$/);
  assert.equal(headers.Link, '<?limit=1&name=a+%3Eb&cursor=ff>; rel="next"');
});

test('the last page is tagged by its bytes and leads nowhere', () => {
  assert.deepEqual(respondPage(asking(), { items: [{ id: '1' }], next: null }), {
    status: 200,
    headers: { ETag: '"362ff2b3b17964139498d31ae8fb6f57"', 'Content-Type': 'application/json' },
    text: '{"items":[{"id":"1"}],"next":null}',
  });
});

test('cells are quoted where they must be, and never run', () => {
  const items = [
    { id: '1', name: 'a, "b"', phone: '+44 20', stock: -3, price: new Decimal(-1250, 2), active: true },
    { id: '2', name: '=HYPERLINK("x")', phone: null, stock: 0, price: null, active: false },
    { id: '3', name: '-1', phone: null, stock: null, price: null, active: null },
  ];
  const { headers, text } = respondCsv(asking(), { items, next: null }, { columns });
  assert.equal(headers['Content-Type'], 'text/csv; charset=utf-8; header=present');
  assert.equal(
    text,
    [
      'id,name,phone,stock,price,active',
      '1,"a, ""b""",+44 20,-3,-12.50,true',
      `2,"'=HYPERLINK(""x"")",,0,,false`,
      "3,'-1,,,,",
      '',
    ].join('\r\n'),
  );
});

test('a table that has grown has another tag, though the page is the same', () => {
  const tag = (next) => respondCsv(asking(), { items: [{ id: '1' }], next }, { columns: { id: { kind: 'uuid' } } }).headers.ETag;
  assert.notEqual(tag(null), tag('ff'));
});

test('each line of NDJSON is an object', () => {
  const { headers, text } = respondNdjson(asking(), { items: [{ id: '1' }, { id: '2' }], next: null });
  assert.equal(headers['Content-Type'], 'application/x-ndjson');
  assert.equal(text, '{"id":"1"}\n{"id":"2"}\n');
  assert.equal(respondNdjson(asking(), { items: [], next: null }).text, '');
});

test('the caller says how rows are written', () => {
  for (const [accept, expected] of [
    [undefined, 'application/json'],
    ['', 'application/json'],
    ['*/*', 'application/json'],
    ['text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', 'application/json'],
    ['text/csv', 'text/csv'],
    ['Text/CSV; header=present', 'text/csv'],
    ['text/*, */*;q=0.1', 'text/csv'],
    ['application/json;q=0.5, application/x-ndjson', 'application/x-ndjson'],
    ['application/json;q=0, */*', 'text/csv'],
    ['text/csv;q=0, */*;q=0.5, application/x-ndjson;q=0.6', 'application/x-ndjson'],
    ['image/png', 'application/json'],
    ['text/csv;q=2', 'application/json'],
  ]) {
    assert.equal(acceptedFormat(accept), expected, accept);
  }
});
