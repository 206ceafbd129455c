// The words of statements for MongoDB. A statement is a text of JSON: `command`, the `columns` that a row gives, and what whoever runs it
// sees to because the server does not: `references`, `followers`, `replaces`. In a command stand `$bind`, `$made` and `$date` in the
// place of values. What `lib/` says in SQL has its command here.

import { Long } from 'mongodb';
import { Decimal } from '../decimal.js';
import { uuidv7 } from '../identifiers.js';
import { columnsOf } from '../listing.js';
import { orderOf } from '../wanted.js';

const COMPARED = new Set(['$eq', '$ne', '$lt', '$lte', '$gt', '$gte']);
/** In the place of a value that is none, and of one that leaves its field as it is. */
const NOTHING = Symbol('nothing');
const LEFT_OUT = Symbol('left out');

/** A document without prototypes of others: names in it are those of the text. */
export function filled(template, values, counted) {
  const document = {};
  for (const [name, value] of Object.entries(template)) {
    if (name === 'u' && isObject(value)) {
      document.u = changed(value, values, counted);
      continue;
    }
    const placed = place(value, values, counted);
    // To null nothing compares.
    if (placed === NOTHING && COMPARED.has(name)) return { $in: [] };
    if (placed !== NOTHING && placed !== LEFT_OUT) document[name] = placed;
  }
  return document;
}

/** What becomes of a document: a field without a value goes. */
function changed(template, values, counted) {
  const change = {};
  const gone = {};
  for (const [operator, fields] of Object.entries(template)) {
    const set = {};
    for (const [name, value] of Object.entries(fields)) {
      const placed = place(value, values, counted);
      if (placed === NOTHING && operator === '$set') gone[name] = '';
      else if (placed !== NOTHING && placed !== LEFT_OUT) set[name] = placed;
    }
    if (Object.keys(set).length > 0) change[operator] = set;
  }
  if (Object.keys(gone).length > 0) change.$unset = gone;
  // A change without operators would be taken for a document in the place of the other.
  return Object.keys(change).length > 0 ? change : { $set: {} };
}

function place(template, values, counted) {
  if (Array.isArray(template)) {
    return template.map((item) => place(item, values, counted)).filter((item) => item !== NOTHING && item !== LEFT_OUT);
  }
  if (!isObject(template)) return Number.isInteger(template) ? whole(template) : template;
  if (Object.hasOwn(template, '$bind')) return bound(template, values);
  if (Object.hasOwn(template, '$made')) return made(template.$made, counted);
  if (Object.hasOwn(template, '$date') && Object.keys(template).length === 1) return new Date(template.$date);
  return filled(template, values, counted);
}

function bound({ $bind: index, as, if: asked, known }, values) {
  if (asked !== undefined && values[asked] !== true) return LEFT_OUT;
  const value = values[index];
  if (value === null || value === undefined) return known ? LEFT_OUT : NOTHING;
  switch (as) {
    case 'date':
      return value instanceof Date ? value : new Date(value);
    case 'folded':
      return String(value).replace(/[a-z]/g, (letter) => letter.toUpperCase());
    // A text is looked for as it stands: nothing in it is a sign of a pattern.
    case 'pattern':
      return asPattern(value);
    case 'beginning':
      return `^${asPattern(value)}`;
    case 'negated':
      return Long.fromNumber(value instanceof Decimal ? -value.units : -value);
    case 'json':
      return renamed(typeof value === 'string' ? JSON.parse(value) : value, keptName);
    default:
      return stored(value);
  }
}

// In names of somebody's own document, what is written for signs that the server keeps for itself, and for the one before them.
const SIGN = '\uff04';
const signs = { $: 's', '.': 'd', [SIGN]: 'e' };
const meant = Object.fromEntries(Object.entries(signs).map(([sign, word]) => [word, sign]));

const keptName = (name) => name.replace(/[$.\uff04]/g, (sign) => SIGN + signs[sign]);
const givenName = (kept) => kept.replace(/\uff04([sde])/g, (_, word) => meant[word]);

function renamed(value, rename) {
  if (Array.isArray(value)) return value.map((item) => renamed(item, rename));
  if (!isObject(value) || value._bsontype !== undefined) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [rename(name), renamed(item, rename)]));
}

function asPattern(text) {
  return text.replace(/[\0-\x7f]/g, (letter) => (/[A-Za-z0-9]/.test(letter) ? letter : `\\${letter}`));
}

/** Decimal numbers are kept in units of their last digit: exact, and in order. */
function stored(value) {
  if (value instanceof Decimal) return Long.fromNumber(value.units);
  return Number.isInteger(value) ? Long.fromNumber(value) : value;
}

function made(what, counted) {
  switch (what) {
    case 'now':
      return new Date();
    case 'today':
      return new Date().toISOString().slice(0, 10);
    case 'id':
      return uuidv7();
    case 'count':
      return counted;
    default:
      throw new Error(`a command asks for \`${what}\`, which nobody can make`);
  }
}

function whole(number) {
  return number === Math.trunc(number) && Math.abs(number) < 2 ** 31 ? number : Long.fromNumber(number);
}

function isObject(value) {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A document as the row of its `columns`; `kinds` are those that the engine keeps in another type. */
export function rowOf(document, columns, kinds) {
  const row = {};
  for (const [field, kind, name = field] of columns) {
    const value = document[field];
    row[name] = value === undefined || value === null ? null : read(value, kind, kinds[name]);
  }
  return row;
}

function read(value, kind, { kind: type, scale } = {}) {
  if (value instanceof Date) return value.toISOString();
  if (value instanceof Long) throw new RangeError(`JavaScript does not keep the number ${value} exactly`);
  if (type === 'decimal') return new Decimal(value, scale);
  if (kind === 'json') return renamed(value, givenName);
  return value?._bsontype === 'ObjectId' ? value.toHexString() : value;
}

const opposites = { eq: 'ne', ne: 'eq', lt: 'gte', gte: 'lt', gt: 'lte', lte: 'gt' };

/** A page of a list: what a request asks is added to the command that always holds. */
export function composeList(text, firstWord, page, first) {
  const { filters, sort, after, limit, offset, isCount, most, listing } = page;
  const { asked, ...find } = JSON.parse(text);
  if (page.fields) {
    const wanted = columnsOf(page);
    find.columns = find.columns.filter(([field, , name = field]) => wanted.includes(name));
    const { _id } = find.command.projection;
    find.command.projection = { _id, ...Object.fromEntries(find.columns.map(([field]) => [field, 1])) };
  }
  const values = [];
  const holder = (value, as) => {
    values.push(value);
    return as === null ? { $bind: first + values.length - 1 } : { $bind: first + values.length - 1, as };
  };
  const compared = (name, comparison, value) => {
    const [field, as] = asked[name];
    const given = holder(value, as);
    return { [field]: comparison === 'ne' ? { $ne: given, $exists: true } : { [`$${comparison}`]: given } };
  };
  // `$nor` would take documents without a value: what is compared with nothing is neither true nor false, so each `not` is brought
  // to the comparisons themselves.
  const wanted = (filter, isHeld) => {
    const inner = filter.all ?? filter.any;
    if (inner) return { [Boolean(filter.all) === isHeld ? '$and' : '$or']: inner.map((part) => wanted(part, isHeld)) };
    if (filter.not) return wanted(filter.not, !isHeld);
    const [field, as] = asked[filter.name];
    if (filter.isNull) return { [field]: isHeld ? null : { $ne: null } };
    if (filter.values) {
      const given = filter.values.map((value) => holder(value, as));
      return { [field]: isHeld ? { $in: given } : { $nin: given, $exists: true } };
    }
    if (filter.place) {
      const part = { $regex: holder(filter.holds, filter.place === 'starts' ? 'beginning' : 'pattern'), $options: 'i' };
      return { [field]: isHeld ? part : { $not: part, $exists: true } };
    }
    return compared(filter.name, isHeld ? filter.comparison : opposites[filter.comparison], filter.value);
  };
  const conditions = Object.keys(find.command.filter).length > 0 ? [find.command.filter] : [];
  conditions.push(...filters.map((filter) => wanted(filter, true)));
  const order = orderOf(sort, listing);
  if (after && !isCount) {
    // (a, b) behind (x, y): a > x, or a = x and b > y.
    const way = ({ name, isReverse }, last) => ({
      $and: [
        ...order.slice(0, last).map((equal, level) => compared(equal.name, 'eq', after[level])),
        compared(name, isReverse ? 'lt' : 'gt', after[last]),
      ],
    });
    conditions.push({ $or: order.map(way) });
  }
  find.command.filter = conditions.length > 0 ? { $and: conditions } : {};
  if (isCount) {
    const pipeline = [{ $match: find.command.filter }, ...(most ? [{ $limit: most }] : []), { $count: 'total' }];
    const command = { aggregate: find.command.find, pipeline, cursor: {} };
    return { sql: JSON.stringify({ command, columns: [['total', '']] }), values };
  }
  find.command.sort = Object.fromEntries(order.map(({ name, isReverse }) => [asked[name][0], isReverse ? -1 : 1]));
  // One row more than asked for tells that there is another page.
  find.command.limit = limit + 1;
  if (offset > 0) find.command.skip = offset;
  return { sql: JSON.stringify(find), values };
}

const at = (index) => ({ $bind: index });
const time = (index) => ({ $bind: index, as: 'date' });
const found = (collection, filter, columns, more = {}) => ({ command: { find: collection, filter, ...more }, columns: columns.map((name) => [name === 'id' ? '_id' : name, '', name]) });
const inserted = (collection, document) => ({ command: { insert: collection, documents: [document] } });
const updated = (collection, q, u) => ({ command: { update: collection, updates: [{ q, u }] } });

const keyOf = (row) => ({ ...row, caller: row.caller ?? row.id });
const isLive = { revoked_at: { $exists: false } };

/** What `lib/` says in SQL, by the text: the statement, and what becomes of its rows. */
export const ownStatements = new Map([
  [
    'INSERT INTO api_keys (id, name, hint, hash, created_at, expires_at, scopes, replaces, caller) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)',
    { statement: inserted('api_keys', { _id: at(0), name: at(1), hint: at(2), hash: at(3), created_at: time(4), expires_at: time(5), scopes: at(6), replaces: at(7), caller: at(8) }) },
  ],
  [
    'SELECT id, name, expires_at, scopes, coalesce(caller, id) AS caller FROM api_keys WHERE hash = ? AND revoked_at IS NULL',
    { statement: found('api_keys', { hash: { $eq: at(0) }, ...isLive }, ['id', 'name', 'expires_at', 'scopes', 'caller']), rows: (rows) => rows.map(keyOf) },
  ],
  [
    'SELECT older.id, older.name, older.hint, older.scopes, older.created_at, older.expires_at, older.revoked_at, older.last_used_at, older.replaces, newer.id AS replaced_by FROM api_keys AS older LEFT JOIN api_keys AS newer ON newer.replaces = older.id ORDER BY older.id LIMIT 10000',
    {
      statement: found('api_keys', {}, ['id', 'name', 'hint', 'scopes', 'created_at', 'expires_at', 'revoked_at', 'last_used_at', 'replaces'], { sort: { _id: 1 }, limit: 10_000 }),
      rows(rows) {
        const newer = new Map(rows.filter(({ replaces }) => replaces !== null).map(({ id, replaces }) => [replaces, id]));
        return rows.map((row) => ({ ...row, replaced_by: newer.get(row.id) ?? null }));
      },
    },
  ],
  [
    'SELECT id, name, created_at, expires_at, scopes, coalesce(caller, id) AS caller FROM api_keys WHERE revoked_at IS NULL AND (id = ? OR hash = ? OR hint = ?) ORDER BY id LIMIT 10',
    {
      statement: found('api_keys', { ...isLive, $or: [{ _id: { $eq: at(0) } }, { hash: { $eq: at(1) } }, { hint: { $eq: at(2) } }] }, ['id', 'name', 'created_at', 'expires_at', 'scopes', 'caller'], { sort: { _id: 1 }, limit: 10 }),
      rows: (rows) => rows.map(keyOf),
    },
  ],
  [
    // The native server finds by `replaced` that somebody has done so.
    'UPDATE api_keys SET expires_at = CASE WHEN expires_at < ? THEN expires_at ELSE ? END WHERE id = ? AND revoked_at IS NULL',
    { statement: updated('api_keys', { _id: { $eq: at(2) }, ...isLive, replaced: { $exists: false } }, { $min: { expires_at: time(1) }, $set: { replaced: 'by another one' } }) },
  ],
  ['SELECT id FROM api_keys WHERE replaces = ? LIMIT 1', { statement: found('api_keys', { replaces: { $eq: at(0) } }, ['id'], { limit: 1 }) }],
  [
    'UPDATE api_keys SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL',
    { statement: updated('api_keys', { _id: { $eq: at(1) }, ...isLive }, { $set: { revoked_at: time(0) } }) },
  ],
  [
    'UPDATE api_keys SET last_used_at = ? WHERE id = ? AND (last_used_at IS NULL OR last_used_at < ?)',
    { statement: updated('api_keys', { _id: { $eq: at(1) }, $or: [{ last_used_at: { $exists: false } }, { last_used_at: { $lt: time(2) } }] }, { $set: { last_used_at: time(0) } }) },
  ],
  [
    'INSERT INTO outbox_events (id, name, payload, occurred_at) VALUES (?, ?, ?, ?)',
    { statement: inserted('outbox_events', { _id: at(0), name: at(1), payload: { $bind: 2, as: 'json' }, occurred_at: time(3) }) },
  ],
  [
    'SELECT fingerprint, status, headers, body FROM idempotency_answers WHERE claim = ? AND id >= ?',
    { statement: found('idempotency_answers', { claim: { $eq: at(0) }, _id: { $gte: at(1) } }, ['fingerprint', 'status', 'headers', 'body']) },
  ],
  [
    'INSERT INTO idempotency_answers (id, claim, fingerprint, status, headers, body) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (claim) DO UPDATE SET id = excluded.id, fingerprint = excluded.fingerprint, status = excluded.status, headers = excluded.headers, body = excluded.body',
    {
      statement: {
        ...inserted('idempotency_answers', { _id: at(0), claim: at(1), fingerprint: at(2), status: at(3), headers: { $bind: 4, as: 'json' }, body: at(5) }),
        replaces: { claim: { $eq: at(1) } },
      },
    },
  ],
  ['DELETE FROM idempotency_answers WHERE id < ?', { statement: { command: { delete: 'idempotency_answers', deletes: [{ q: { _id: { $lt: at(0) } }, limit: 0 }] } } }],
  ['SELECT name FROM schema_migrations LIMIT 1', { statement: found('schema_migrations', {}, ['name'], { limit: 1 }) }],
  [
    'SELECT name, checksum FROM schema_migrations WHERE scope = ? AND applied_at IS NOT NULL ORDER BY name LIMIT 100000',
    { statement: found('schema_migrations', { scope: { $eq: at(0) }, applied_at: { $exists: true } }, ['name', 'checksum'], { sort: { name: 1 } }) },
  ],
  [
    'SELECT checksum, applied_at FROM schema_migrations WHERE scope = ? AND name = ?',
    { statement: found('schema_migrations', { scope: { $eq: at(0) }, name: { $eq: at(1) } }, ['checksum', 'applied_at']) },
  ],
]);
