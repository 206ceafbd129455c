// Rows of other tables beside those that are read, over real tables.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readPage, validateListing } from '../listing.js';
import { Request } from '../request.js';
import { readRecord, tagOf, validateSelection } from '../selection.js';
import { createDatabase, testOnEach } from './engines.js';

const select = `SELECT id, name FROM goods`;
const goods = {
  columns: { id: { kind: 'integer' }, name: { kind: 'line' } },
  sorts: ['name'],
  order: 'id',
  page: { default: 20, maximum: 100 },
  fields: ['id', 'name'],
  total: true,
};

const ofSqlite = `SELECT group_concat(line, char(10)) FROM (SELECT json_array(words, price, is_true, document) AS line FROM remarks AS other_rows WHERE writer = ? AND other_rows.good_id = goods.id ORDER BY id LIMIT 20) AS all_lines`;
const ofPostgresql = `SELECT string_agg(line, chr(10)) FROM (SELECT json_build_array(words::text, price::text, is_true, document::text)::text AS line FROM remarks AS other_rows WHERE writer = ? AND other_rows.good_id = goods.id ORDER BY id LIMIT 20) AS all_lines`;

const ofMysql = `SELECT SUBSTRING_INDEX(GROUP_CONCAT(JSON_ARRAY(CONVERT(words USING utf8mb4) COLLATE utf8mb4_bin, CONVERT(CONCAT(price, '') USING utf8mb4) COLLATE utf8mb4_bin, is_true, CONVERT(CONCAT(document, '') USING utf8mb4) COLLATE utf8mb4_bin) ORDER BY id SEPARATOR 0x0A /*M! LIMIT 20 */), CHAR(10 USING utf8mb4), 20) FROM remarks AS other_rows WHERE writer = ? AND other_rows.good_id = goods.id`;

const engines = {
  SQLite: { select: ofSqlite, decimal: 'INTEGER', boolean: 'INTEGER', json: 'TEXT', price: -5 },
  PostgreSQL: { select: ofPostgresql, decimal: 'numeric(15, 2)', boolean: 'boolean', json: 'jsonb', price: '-0.05' },
  'MySQL or MariaDB': { select: ofMysql, decimal: 'decimal(15, 2)', boolean: 'tinyint(1)', json: 'json', price: '-0.05' },
};

const relatedBy = (engine, writer) => ({
  remarks: {
    select: engines[engine.name].select,
    values: [writer],
    isList: true,
    columns: { words: { kind: 'text' }, price: { kind: 'decimal', scale: 2 }, is_true: { kind: 'boolean' }, document: { kind: 'json' } },
    scopes: ['remarks:read'],
  },
});

function request(query, scopes) {
  return Object.assign(new Request({ headersDistinct: {}, method: 'GET', url: `/goods${query}`, socket: {} }, {}), { scopes });
}

testOnEach('rows of others come with a page and with a record', async (context, engine) => {
  const database = await createDatabase(context, engine);
  const { decimal, boolean, json, price } = engines[engine.name];
  await database.script(`CREATE TABLE goods (id bigint PRIMARY KEY, name text NOT NULL)`);
  await database.script(`CREATE TABLE remarks (id bigint PRIMARY KEY, good_id bigint, writer text, words text, price ${decimal}, is_true ${boolean}, document ${json})`);
  for (const good of [[1, 'abacus'], [2, 'bare']]) await database.run(`INSERT INTO goods VALUES (?, ?)`, good);
  for (const remark of [
    [1, 1, 'ada', 'two\nlines "quoted"', price, true, { z: [1, null], a: '1' }],
    [2, 1, 'ada', null, null, null, null],
    [3, 1, 'bob', 'hidden', null, null, null],
  ]) await database.run(`INSERT INTO remarks VALUES (?, ?, ?, ?, ?, ?, ?)`, remark);
  const related = relatedBy(engine, 'ada');
  const remarks = [
    { words: 'two\nlines "quoted"', price: '-0.05', is_true: true, document: { z: [1, null], a: '1' } },
    { words: null, price: null, is_true: null, document: null },
  ];
  const shown = (value) => JSON.parse(JSON.stringify(value));
  const page = async (query) => shown(await readPage(database, validateListing(request(query), goods, related), `${select} WHERE name <> ?`, ['x']));
  assert.deepEqual((await page('')).items, [{ id: 1, name: 'abacus' }, { id: 2, name: 'bare' }]);
  assert.deepEqual(await page('?include=remarks&fields=name&count=exact&limit=1'), {
    items: [{ name: 'abacus', remarks }],
    next: Buffer.from(JSON.stringify(['id', 1])).toString('hex'),
    fields: ['name', 'remarks'],
    total: 2,
  });
  assert.deepEqual((await page('?include=remarks&sort=-name')).items[0], { id: 2, name: 'bare', remarks: [] });

  const record = async (query, id) => {
    const asked = validateSelection(request(query), ['id', 'name'], related);
    const row = await readRecord(database, asked, related, `${select} WHERE id = ?`, [id], {});
    return [shown(row), tagOf(7, asked, related)];
  };
  assert.deepEqual(await record('?include=remarks', 1), [{ id: 1, name: 'abacus', remarks }, {}]);
  assert.deepEqual(await record('', 1), [{ id: 1, name: 'abacus' }, { ETag: '"7"' }]);
  assert.deepEqual(await record('?include=remarks', 9), [null, {}]);
});

test('a key is asked for what it includes', () => {
  const related = relatedBy({ name: 'SQLite' }, 'ada');
  const validate = (query, scopes) => [validateListing(request(query, scopes), goods, related).fields, validateSelection(request(query, scopes), ['id', 'name'], related)];
  for (const scopes of [undefined, null, 'goods:read remarks:read', '*:read']) {
    assert.deepEqual(validate('?include=remarks', scopes), [['id', 'name', 'remarks'], ['id', 'name', 'remarks']]);
  }
  assert.deepEqual(validate('?fields=id', 'goods:read'), [['id'], ['id']]);
  assert.throws(() => validateListing(request('?include=remarks', 'goods:read'), goods, related), { name: 'insufficient_scope' });
  assert.throws(() => validateSelection(request('?include=remarks', 'goods:read'), ['id'], related), { name: 'insufficient_scope' });
});

test('only what may come is asked for', () => {
  const related = relatedBy({ name: 'SQLite' }, 'ada');
  const refusal = (ask) => {
    try {
      return ask();
    } catch (problem) {
      return problem.errors;
    }
  };
  const detail = 'must be one of remarks, or several with commas between';
  for (const query of ['?include=name', '?include=', '?include=remarks,name']) {
    const expected = [{ parameter: 'include', code: 'format', detail }];
    assert.deepEqual(refusal(() => validateListing(request(query), goods, related)), expected, query);
    assert.deepEqual(refusal(() => validateSelection(request(query), ['id'], related)), expected, query);
  }
  const unknown = [{ parameter: 'include', code: 'unknown_parameter', detail: 'is not a known parameter' }];
  assert.deepEqual(refusal(() => validateListing(request('?include=remarks'), goods)), unknown);
  assert.deepEqual(refusal(() => validateSelection(request('?include=remarks'), ['id'])), unknown);
});
