// What a body of changes makes of a record. A merge (RFC 7396) says it by itself; operations (RFC 6902) are checked as far as that is
// possible without the record, and applied where its row is held. They change a field only to what a body could have said.

import { BODY_LIMIT, JSON_PATCH, readJson } from './body.js';
import { DEPTH_LIMIT } from './json.js';
import { Problem } from './problem.js';
import { ERROR_LIMIT, checkChanges, checkFormed, holdsNul } from './validation.js';

export const OPERATION_LIMIT = 100;
// The body that could have brought it is one level around a field.
const FIELD_DEPTH_LIMIT = DEPTH_LIMIT - 1;
export const patchTypes = ['application/merge-patch+json', JSON_PATCH, 'application/json'];
const acts = ['add', 'copy', 'move', 'remove', 'replace', 'test'];
const nothing = Symbol('nothing');

const isControl = { code: 'invalid_character', detail: 'must not contain control characters' };
const isMissing = { code: 'missing', detail: 'must lead to something that is there' };
const isNoString = { code: 'type', detail: 'must be a string' };
const isReadOnly = { code: 'read_only', detail: 'must stay as it is' };
const isRequired = { code: 'required', detail: 'is required' };
const isUnknown = { code: 'unknown_field', detail: 'is not a known field' };

/**
 * Reads the body and checks it: changes, or operations.
 * @param {import('./request.js').Request} request
 * @param {object[]} shape the fields that may be changed, see `validation.js`
 * @param {{ kept?: string[], limit?: number }} [options] `kept` are the fields beside them that stay as they are
 * @returns {Promise<{ changesOf: (row: object) => object }>} gives the changes of a row
 */
export async function validatePatch(request, shape, { kept = [], ...bounds } = {}) {
  const document = await readJson(request, { ...bounds, types: patchTypes });
  if (!isJsonPatch(request)) {
    const changes = checkChanges(document, shape);
    return { changesOf: () => changes };
  }
  const record = new Record(shape, kept, bounds.limit ?? BODY_LIMIT);
  const operations = record.operations(document);
  return { changesOf: (row) => record.applied(operations, row) };
}

function isJsonPatch(request) {
  return request.header('content-type').split(';')[0].trim().toLowerCase() === JSON_PATCH;
}

class Record {
  #fields;
  #kept;
  #limit;

  constructor(shape, kept, limit) {
    this.#fields = new Map(shape.map((field) => [field.name, field]));
    this.#kept = new Set(kept);
    this.#limit = limit;
  }

  /** What the body asks for. */
  operations(list) {
    const refuse = (errors) => {
      throw new Problem('validation_failed', { errors: errors.slice(0, ERROR_LIMIT) });
    };
    if (!Array.isArray(list)) refuse([{ pointer: '', code: 'type', detail: 'must be a list' }]);
    if (list.length > OPERATION_LIMIT) {
      refuse([{ pointer: '', code: 'range', detail: `must have at most ${OPERATION_LIMIT} entries` }]);
    }
    const read = list.map((entry) => {
      try {
        return this.#operation(entry);
      } catch (error) {
        if (!(error instanceof Misfit)) throw error;
        return error;
      }
    });
    const wrong = read.flatMap((one, index) => (one instanceof Misfit ? [one.at(index)] : []));
    if (wrong.length > 0) refuse(wrong);
    return read;
  }

  #operation(entry) {
    if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) throw new Misfit('', { code: 'type', detail: 'must be an object' });
    const text = (name) => {
      if (!Object.hasOwn(entry, name)) throw new Misfit(`/${name}`, isRequired);
      if (typeof entry[name] !== 'string') throw new Misfit(`/${name}`, isNoString);
      return entry[name];
    };
    const op = text('op');
    if (!acts.includes(op)) throw new Misfit('/op', { code: 'format', detail: `must be one of ${acts.join(', ')}` });
    const path = this.#place('/path', text('path'));
    if (op !== 'test' && !this.#fields.has(path.name)) throw new Misfit('/path', isReadOnly);
    switch (op) {
      case 'copy':
        return { op, path, from: this.#place('/from', text('from')) };
      case 'move': {
        const from = this.#place('/from', text('from'));
        this.#mustBeRemovable('/from', from);
        if (holds(from, path)) throw new Misfit('/from', { code: 'format', detail: 'must not hold the path' });
        return { op, path, from };
      }
      case 'remove':
        this.#mustBeRemovable('/path', path);
        return { op, path };
      default: {
        if (!Object.hasOwn(entry, 'value')) throw new Misfit('/value', isRequired);
        return { op, path, value: op === 'test' ? plain(entry.value) : this.#fitting(path, entry.value) };
      }
    }
  }

  // RFC 6901. The record itself is no place: `PUT` is for that.
  #place(where, text) {
    if (!/^(?:\/(?:[^~/]|~[01])*)+$/.test(text)) {
      throw new Misfit(where, { code: 'format', detail: 'must be the path of a field such as /name' });
    }
    const [name, ...inside] = text.slice(1).split('/').map((segment) => segment.replaceAll('~1', '/').replaceAll('~0', '~'));
    if (inside.some((segment) => segment.includes('\0'))) throw new Misfit(where, isControl);
    const isKnown = this.#fields.has(name) || this.#kept.has(name);
    if (!isKnown || (inside.length > 0 && this.#fields.get(name)?.kind !== 'json')) throw new Misfit(where, isUnknown);
    return { name, inside };
  }

  /** What is removed leaves a field empty, or goes from inside of one. */
  #mustBeRemovable(where, { name, inside }) {
    const field = this.#fields.get(name);
    if (!field) throw new Misfit(where, isReadOnly);
    if (inside.length === 0 && field.required) throw new Misfit(where, isRequired);
  }

  /** The value as it is kept at that place. */
  #fitting({ name, inside }, given) {
    if (inside.length > 0) {
      if (holdsNul(given)) throw new Misfit('/value', isControl);
      return plain(given);
    }
    return plain(valueOf('/value', given, this.#fields.get(name)));
  }

  /** The changes that come of a row. */
  applied(operations, row) {
    const names = [...this.#fields.keys(), ...this.#kept];
    const before = Object.fromEntries(names.map((name) => [name, plain(row[name] ?? null)]));
    const record = plain(before);
    operations.forEach((operation, index) => {
      try {
        this.#apply(operation, record);
      } catch (error) {
        if (error instanceof Misfit) throw new Problem('patch_failed', { errors: [error.at(index)] });
        throw error;
      }
    });
    const changes = {};
    for (const [name, field] of this.#fields) {
      if (!isEqual(record[name], before[name])) changes[name] = checkFormed(record[name], field).value;
    }
    return changes;
  }

  #apply({ op, path, from, value }, record) {
    switch (op) {
      case 'test':
        if (!isEqual(existing('/path', record, path), value)) {
          throw new Misfit('/value', { code: 'test_failed', detail: 'must be what the record has' });
        }
        return;
      case 'add':
        add(record, path, plain(value));
        break;
      case 'replace':
        existing('/path', record, path);
        put(record, path, plain(value));
        break;
      case 'remove':
        remove('/path', record, path);
        break;
      case 'move': {
        const moved = remove('/from', record, from);
        this.#settle('/from', from, record);
        add(record, path, moved);
        break;
      }
      case 'copy': {
        const copied = plain(existing('/from', record, from));
        // Documents that hold copies of themselves would double with each of them.
        const isWhole = from.inside.length === 0 && path.inside.length === 0;
        if (!isWhole && typeof copied === 'object' && copied !== null) {
          throw new Misfit('/from', { code: 'type', detail: 'must lead to no object and no list' });
        }
        add(record, path, copied);
        break;
      }
    }
    this.#settle('/path', path, record);
  }

  /** The field holds what a body could have said, in the form in which it is kept. */
  #settle(where, { name }, record) {
    const field = this.#fields.get(name);
    if (!field) return;
    if (field.kind === 'json' && record[name] !== null) {
      if (depthOf(record[name]) > FIELD_DEPTH_LIMIT) {
        throw new Misfit(where, { code: 'range', detail: `must be at most ${FIELD_DEPTH_LIMIT} levels deep` });
      }
      if (Buffer.byteLength(JSON.stringify(record[name])) > this.#limit) {
        throw new Misfit(where, { code: 'too_long', detail: `must have at most ${this.#limit} bytes` });
      }
    }
    record[name] = plain(valueOf(where, record[name], field));
  }
}

/** What is wrong with an operation, where in it. */
class Misfit extends Error {
  constructor(where, wrong) {
    super(wrong.code);
    this.where = where;
    this.wrong = wrong;
  }

  at(index) {
    const { code, detail } = this.wrong;
    return { pointer: `/${index}${this.where}`, code, detail };
  }
}

function valueOf(where, given, field) {
  const { value, ...wrong } = checkFormed(given, field);
  if (wrong.code) throw new Misfit(where, wrong);
  return value;
}

function existing(where, record, place) {
  const found = find(record, place.name, place.inside);
  if (found === nothing) throw new Misfit(where, isMissing);
  return found;
}

/** The value there; `nothing` where there is none. */
function find(record, name, inside) {
  return inside.reduce((held, segment) => {
    if (Array.isArray(held)) return isIndex(segment, held.length - 1) ? held[Number(segment)] : nothing;
    return isObject(held) && Object.hasOwn(held, segment) ? held[segment] : nothing;
  }, record[name]);
}

function add(record, { name, inside }, value) {
  const [parent, last] = holderOf(record, name, inside);
  if (Array.isArray(parent)) {
    const at = last === '-' ? parent.length : Number(last);
    if (last !== '-' && !isIndex(last, parent.length)) throw new Misfit('/path', isMissing);
    parent.splice(at, 0, value);
  } else if (isObject(parent)) {
    define(parent, last, value);
  } else {
    throw new Misfit('/path', isMissing);
  }
}

/** In the place of what is there. */
function put(record, { name, inside }, value) {
  const [parent, last] = holderOf(record, name, inside);
  if (Array.isArray(parent)) parent[Number(last)] = value;
  else define(parent, last, value);
}

function remove(where, record, place) {
  const removed = existing(where, record, place);
  const [parent, last] = holderOf(record, place.name, place.inside);
  if (place.inside.length === 0) record[place.name] = null;
  else if (Array.isArray(parent)) parent.splice(Number(last), 1);
  else delete parent[last];
  return removed;
}

/** What holds the place, and the last step to it. */
function holderOf(record, name, inside) {
  if (inside.length === 0) return [record, name];
  return [find(record, name, inside.slice(0, -1)), inside.at(-1)];
}

/** A member of its own, whatever it is called. */
function define(object, name, value) {
  Object.defineProperty(object, name, { value, writable: true, enumerable: true, configurable: true });
}

// RFC 6901, 4: without leading zeros.
function isIndex(segment, most) {
  return /^(?:0|[1-9]\d*)$/.test(segment) && Number(segment) <= most;
}

function isObject(value) {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Whether the path lies inside of what is moved. */
function holds(from, path) {
  const isWithin = from.name === path.name && from.inside.every((segment, index) => segment === path.inside[index]);
  return isWithin && path.inside.length > from.inside.length;
}

/** As JSON has it: a copy, with decimal numbers as texts and without -0. */
function plain(value) {
  return JSON.parse(JSON.stringify(value));
}

function isEqual(left, right) {
  if (typeof left !== 'object' || typeof right !== 'object' || left === null || right === null) return left === right;
  if (Array.isArray(left) !== Array.isArray(right)) return false;
  const names = Object.keys(left);
  return names.length === Object.keys(right).length && names.every((name) => Object.hasOwn(right, name) && isEqual(left[name], right[name]));
}

function depthOf(value) {
  if (typeof value !== 'object' || value === null) return 0;
  return 1 + Math.max(0, ...Object.values(value).map(depthOf));
}
