// Query strings, the statements made of them, and pages over a real table.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readPage, validateListing } from '../listing.js';
import { Request } from '../request.js';
import { cursorValue } from '../validation.js';
import { createDatabase, testOnEach } from './engines.js';

const select = `SELECT id, name, active, stock FROM products`;

const products = {
  columns: {
    id: { kind: 'line' },
    name: { kind: 'line', maximum: 20, comparisons: ['eq', 'ne', 'gte'] },
    active: { kind: 'boolean', comparisons: ['eq'] },
    stock: { kind: 'integer', comparisons: ['eq', 'ne', 'lt', 'lte', 'gt', 'gte'] },
    order: { kind: 'integer', comparisons: ['eq'] },
    made_at: { kind: 'timestamp', comparisons: ['gt'] },
  },
  sorts: ['name', 'stock', 'active'],
  order: '-id',
  page: { default: 20, maximum: 100 },
  fields: ['id', 'name', 'active', 'stock'],
  offset: 100,
  total: true,
  position: 'instr(lower(#), lower(?))',
};

function ask(query) {
  const incoming = { headersDistinct: {}, method: 'GET', url: `/products${query}`, socket: {} };
  return validateListing(new Request(incoming, {}), products);
}

function refusal(query) {
  try {
    return ask(query);
  } catch (problem) {
    assert.equal(problem.name, 'validation_failed');
    return problem.errors;
  }
}

/** The statement and its values, without touching a database. */
function composed(query, conditionValues) {
  const statements = [];
  const database = { many: (sql, values) => (statements.push({ sql, values }), []) };
  readPage(database, ask(query), conditionValues ? `${select} WHERE shop = ?` : select, conditionValues);
  return statements[0];
}

const hex = (parts) => Buffer.from(typeof parts === 'string' ? parts : JSON.stringify(parts)).toString('hex');

test('limits', () => {
  assert.equal(ask('').limit, 20);
  assert.equal(ask('?limit=007').limit, 7);
  assert.equal(ask('?limit=100').limit, 100);
  for (const limit of ['0', '-0', '-1', '101', '9007199254740991']) {
    assert.deepEqual(refusal(`?limit=${limit}`), [{ parameter: 'limit', code: 'range', detail: 'must be between 1 and 100' }], limit);
  }
  for (const limit of ['', '1.0', '1e1', '+1', '%201', 'x', '9007199254740992', '00000000000000001']) {
    assert.deepEqual(refusal(`?limit=${limit}`), [{ parameter: 'limit', code: 'type', detail: 'must be a whole number' }], limit);
  }
});

test('fields, offsets and counts', async () => {
  assert.deepEqual(ask('?fields=stock,id,stock').fields, ['stock', 'id']);
  assert.equal(composed('?fields=stock&sort=-name').sql, 'SELECT "id", "name", "stock" FROM products ORDER BY "name" DESC, "id" DESC LIMIT 21');
  for (const fields of ['', 'stock,', 'made_at', 'constructor', 'id"', '*']) {
    assert.deepEqual(refusal(`?fields=${fields}`), [{ parameter: 'fields', code: 'format', detail: 'must be one of id, name, active, stock, or several with commas between' }], fields);
  }
  assert.equal(composed('?offset=100&limit=3').sql, 'SELECT id, name, active, stock FROM products ORDER BY "id" DESC LIMIT 4 OFFSET 100');
  for (const offset of ['101', '-1']) {
    assert.deepEqual(refusal(`?offset=${offset}`), [{ parameter: 'offset', code: 'range', detail: 'must be between 0 and 100' }], offset);
  }
  assert.deepEqual(refusal('?count=yes'), [{ parameter: 'count', code: 'format', detail: 'must be one of exact, estimated' }]);
  const counted = async (query, total) => {
    const { items, next, ...told } = await readPage({ many: async (sql) => (sql.includes('COUNT') ? [{ total }] : []) }, ask(query), select);
    return JSON.parse(JSON.stringify(told));
  };
  assert.deepEqual(await counted('?count=exact', 10_001), { total: 10_001 });
  assert.deepEqual(await counted('?count=estimated', 10_000), { total: 10_000, total_is: 'exact' });
  assert.deepEqual(await counted('?count=estimated', 10_001), { total: 10_000, total_is: 'at_least' });
  const names = (query) => refusal(query).map(({ parameter }) => parameter).join();
  assert.equal(names('?offset=1&limit=0&cursor=00'), 'offset,limit,cursor');
  assert.equal(names('?cursor=00&limit=0&offset=1'), 'cursor,limit,offset');
});

test('sorts', () => {
  for (const sort of ['name', '-name', 'id', '-id', 'name,-stock', '-stock,name,-stock,id,name']) assert.equal(ask(`?sort=${sort}`).sort, sort);
  for (const sort of ['', '-', '--name', 'made_at', 'name,', 'name,made_at', 'name, stock', 'Name', 'constructor']) {
    assert.deepEqual(refusal(`?sort=${sort}`), [{ parameter: 'sort', code: 'format', detail: 'must be one of name, stock, active, or several with commas between' }], sort);
  }
});

test('filters are checked as their columns are', () => {
  const filter = (query) => ask(query).filters;
  assert.deepEqual(filter('?name=+Ada+%C3%A4%20&stock[gte]=-3&active=false'), [
    { name: 'name', comparison: 'eq', value: 'Ada ä' },
    { name: 'stock', comparison: 'gte', value: -3 },
    { name: 'active', comparison: 'eq', value: false },
  ]);
  assert.deepEqual(filter('?made_at%5Bgt%5D=2026-01-02T05:04:05%2B02:00')[0].value, '2026-01-02T03:04:05.000Z');
  const wrong = (query) => refusal(query).map(({ parameter, code, detail }) => `${parameter} ${code}: ${detail}`);
  assert.deepEqual(wrong('?name=%20'), ['name required: is required']);
  assert.deepEqual(wrong('?name=a%00'), ['name invalid_character: must not contain control characters']);
  assert.deepEqual(wrong(`?name=${'a'.repeat(21)}`), ['name too_long: must have at most 20 characters']);
  assert.deepEqual(wrong('?active=1'), ['active type: must be true or false']);
  assert.deepEqual(wrong('?stock='), ['stock type: must be a whole number']);
  assert.deepEqual(wrong('?made_at[gt]=now'), ['made_at[gt] format: must be a time such as 2026-01-02T03:04:05Z']);
});

test('an expression is a tree', () => {
  const tree = (text) => ask(`?filter=${encodeURIComponent(text)}`).filters[0];
  const is = (name, value) => ({ name, comparison: 'eq', value });
  assert.deepEqual(tree('stock=1 or stock=2 and not name = "a ""b"""'), {
    any: [is('stock', 1), { all: [is('stock', 2), { not: is('name', 'a "b"') }] }],
  });
  assert.deepEqual(tree("((stock>=-1))and(name in(a,'null'))"), {
    all: [{ name: 'stock', comparison: 'gte', value: -1 }, { name: 'name', values: ['a', 'null'] }],
  });
  assert.deepEqual(tree('name starts A and stock!=null and active=null'), {
    all: [{ name: 'name', place: 'starts', holds: 'A' }, { not: { name: 'stock', isNull: true } }, { name: 'active', isNull: true }],
  });
  const wrong = (text) => refusal(`?filter=${encodeURIComponent(text)}`)[0];
  assert.deepEqual(wrong('id=1'), { parameter: 'filter', code: 'format', detail: 'must have one of name, active, stock, order, made_at at character 1' });
  assert.equal(wrong('constructor=1').code, 'format');
  assert.equal(wrong('stock=1 stock=2').detail, 'must have `and`, `or` or the end at character 9');
  assert.equal(wrong(`name=${'a'.repeat(4092)}`).code, 'too_long');
  assert.equal(wrong(`stock in (${Array(101).fill(1)})`).detail, 'must have at most 100 values in one `in`');
  assert.equal(wrong(Array(33).fill('stock=1').join(' or ')).detail, 'must have at most 32 comparisons');
  assert.equal(wrong(`${'not '.repeat(9)}stock=1`).detail, 'must have `not` and `(` at most 8 deep');
});

test('unknown and repeated parameters, in the order they were sent', () => {
  const errors = refusal('?name[lt]=a&stock[eq]=1&__proto__=1&id=1&limit=5&a=1&limit=x&a=2&%5B%5D=&=1&cursor=00&sort=x');
  assert.deepEqual(errors.map(({ parameter, code }) => [parameter, code]), [
    ['name[lt]', 'unknown_parameter'],
    ['stock[eq]', 'unknown_parameter'],
    ['__proto__', 'unknown_parameter'],
    ['id', 'unknown_parameter'],
    ['a', 'unknown_parameter'],
    ['limit', 'repeated'],
    ['a', 'repeated'],
    ['[]', 'unknown_parameter'],
    ['', 'unknown_parameter'],
    ['cursor', 'format'],
    ['sort', 'format'],
  ]);
  assert.deepEqual(errors[0], { parameter: 'name[lt]', code: 'unknown_parameter', detail: 'is not a known parameter' });
  assert.deepEqual(errors[5], { parameter: 'limit', code: 'repeated', detail: 'must be given once' });
  assert.equal(refusal(`?${Array.from({ length: 101 }, (_, index) => `k${index}=`).join('&')}`).length, 100);
  assert.deepEqual(ask('?&&').filters, []);
});

test('a cursor holds what a database can compare', () => {
  const id = '01900000-0000-7000-8000-000000000001';
  const is = (kind, value) => cursorValue(value, { kind }) === value;
  for (const [kind, value] of [['uuid', id], ['date', '2026-01-02'], ['timestamp', '2026-01-02T03:04:05.678Z'], ['line', ' any ']]) assert.ok(is(kind, value), value);
  for (const [kind, value] of [['uuid', `${id}0`], ['date', '2026-02-30'], ['timestamp', 'now'], ['line', 'a\0']]) assert.ok(!is(kind, value), value);
});

test('a cursor belongs to a sort', () => {
  assert.deepEqual(ask(`?sort=name&cursor=${hex(['name', 'Ada', '1'])}`).after, ['Ada', '1']);
  assert.deepEqual(ask(`?cursor=${hex(['-stock', 7, '1'])}&sort=-stock`).after, [7, '1']);
  assert.deepEqual(ask(`?cursor=${hex(['-id', '1']).toUpperCase()}`).after, ['1']);
  const cursors = [
    '', 'x', '0', '00', hex('['), hex('"-id"'), hex({ 0: '-id', 1: '1' }), hex([]), hex(['-id']), hex(['id', '1']), hex(['-id', 1]),
    hex(['-id', '1', '1']), hex(['-id', null]), 'ff'.repeat(9), hex(['-id', 'x'.repeat(4100)]),
  ];
  const wrong = [{ parameter: 'cursor', code: 'format', detail: 'must be the `next` of a page with the same sort' }];
  for (const cursor of cursors) assert.deepEqual(refusal(`?cursor=${cursor}`), wrong, cursor);
  for (const parts of [['stock', '7', '1'], ['stock', 7.5, '1'], ['stock', null, '1'], ['-stock', 7, '1']]) {
    assert.deepEqual(refusal(`?sort=stock&cursor=${hex(parts)}`), wrong);
  }
});

// The same statements as `lower_listing` of crates/dialect makes, where a test holds them to each other.
test('statements', () => {
  assert.deepEqual(composed(''), {
    sql: 'SELECT id, name, active, stock FROM products ORDER BY "id" DESC LIMIT 21',
    values: [],
  });
  assert.deepEqual(composed(`?cursor=${hex(['-id', '7'])}&limit=3`), {
    sql: 'SELECT id, name, active, stock FROM products WHERE ("id" < ?) ORDER BY "id" DESC LIMIT 4',
    values: ['7'],
  });
  assert.deepEqual(composed(`?order=1&stock[ne]=2&sort=name&cursor=${hex(['name', 'x', '7'])}`), {
    sql: 'SELECT id, name, active, stock FROM products WHERE "order" = ? AND "stock" <> ? AND ("name" > ? OR "name" = ? AND "id" > ?) ORDER BY "name", "id" LIMIT 21',
    values: [1, 2, 'x', 'x', '7'],
  });
  assert.deepEqual(composed(`?stock[lt]=9&sort=-stock&cursor=${hex(['-stock', 5, '7'])}`, ['here']), {
    sql: 'SELECT id, name, active, stock FROM products WHERE shop = ? AND "stock" < ? AND ("stock" < ? OR "stock" = ? AND "id" < ?) ORDER BY "stock" DESC, "id" DESC LIMIT 21',
    values: ['here', 9, 5, 5, '7'],
  });
  const filter = encodeURIComponent('stock in (1, 2) and name contains lamp or not (active = null or name starts a)');
  assert.deepEqual(composed(`?filter=${filter}&sort=-stock,name&cursor=${hex(['-stock,name', 5, 'x', '7'])}`), {
    sql: 'SELECT id, name, active, stock FROM products WHERE (("stock" IN (?, ?) AND instr(lower("name"), lower(?)) > 0) OR NOT (("active" IS NULL OR instr(lower("name"), lower(?)) = 1))) AND ("stock" < ? OR "stock" = ? AND "name" > ? OR "stock" = ? AND "name" = ? AND "id" > ?) ORDER BY "stock" DESC, "name", "id" LIMIT 21',
    values: [1, 2, 'lamp', 'a', 5, 5, 'x', 5, 'x', '7'],
  });
});

testOnEach('every row is on one page, in every order', async (context, engine) => {
  const database = await createDatabase(context, engine);
  await database.script('CREATE TABLE products (id varchar(36) PRIMARY KEY NOT NULL, name text NOT NULL, active boolean, stock integer NOT NULL)');
  const rows = Array.from({ length: 45 }, (_, index) => ({
    id: String((index * 17) % 45).padStart(2, '0'),
    name: `name ${index % 4}`,
    active: index % 2 === 0,
    stock: index % 3,
  }));
  for (const row of rows) await database.run('INSERT INTO products VALUES (?, ?, ?, ?)', Object.values(row));
  const pagesOf = async (query) => {
    const pages = [];
    for (let next = ''; next !== null; ) {
      const page = await readPage(database, ask(`?limit=7&${query}${next && `&cursor=${next}`}`), select);
      pages.push(page.items.map((row) => ({ ...row })));
      next = page.next;
    }
    return pages;
  };
  const sorted = (name, sign) =>
    [...rows].sort((left, right) => {
      const isLess = left[name] === right[name] ? left.id < right.id : left[name] < right[name];
      return isLess ? -sign : sign;
    });
  for (const name of ['id', 'name', 'stock', 'active']) {
    for (const [prefix, sign] of [['', 1], ['-', -1]]) {
      const pages = await pagesOf(`sort=${prefix}${name}`);
      assert.deepEqual(pages.map((page) => page.length), [7, 7, 7, 7, 7, 7, 3]);
      assert.deepEqual(pages.flat(), sorted(name, sign), `${prefix}${name}`);
    }
  }
  assert.deepEqual((await pagesOf('')).flat(), sorted('id', -1));
  assert.deepEqual((await pagesOf('stock[gte]=1&stock[lt]=2&active=true')).flat(), sorted('id', -1).filter((row) => row.stock === 1 && row.active));
  assert.deepEqual(await pagesOf('name=nobody'), [[]]);
  // A page that is full and the last has no next one.
  assert.equal((await readPage(database, ask('?limit=45'), select)).next, null);
  assert.equal((await readPage(database, ask('?limit=44'), select)).next, hex(['-id', '01']));
});
