// The `filter` of a list: comparisons that `and`, `or`, `not` and parentheses join, checked against what an endpoint allows.
// What it asks becomes a tree: { all: [...] }, { any: [...] }, { not: ... }, and of one column { name } with { comparison, value },
// { values } of which it is one, { isNull }, or { holds } with { place } for a text in it.

import { checkParameter } from './validation.js';

/** Most characters of a filter. */
const LENGTH_LIMIT = 4096;
/** Most comparisons in one filter. */
const COMPARISON_LIMIT = 32;
/** How deep parentheses and `not` may stand in each other. */
const DEPTH_LIMIT = 8;
/** Most values of one `in`. */
const VALUE_LIMIT = 100;

/** How comparisons are written; of two that begin alike the longer one first. */
const signs = { '=': 'eq', '!=': 'ne', '<=': 'lte', '<': 'lt', '>=': 'gte', '>': 'gt' };
/** Where a text may be looked for. */
const places = ['contains', 'starts'];
/** The kinds of columns of which parts can be looked for. */
const texts = ['line', 'email', 'phone', 'url'];

/** What is wrong with a filter; character 0 is the first, and people count from 1. */
class Misread extends Error {
  constructor({ code, detail }, at) {
    super(detail);
    this.code = code;
    this.detail = at === undefined ? detail : `${detail} at character ${at + 1}`;
  }
}

/**
 * What a filter asks, or the first thing that is wrong with it.
 * @returns {{ filter: object } | { code: string, detail: string }}
 */
export function readFilter(text, columns) {
  const letters = [...text];
  if (letters.length > LENGTH_LIMIT) return { code: 'too_long', detail: `must have at most ${LENGTH_LIMIT} characters` };
  try {
    return { filter: new Reader(letters, columns).whole() };
  } catch (error) {
    if (!(error instanceof Misread)) throw error;
    return { code: error.code, detail: error.detail };
  }
}

class Reader {
  constructor(letters, columns) {
    this.letters = letters;
    this.columns = columns;
    this.at = 0;
    this.comparisons = 0;
    this.depth = 0;
  }

  whole() {
    const filter = this.any();
    this.skip();
    if (this.at < this.letters.length) throw this.missing('`and`, `or` or the end');
    return filter;
  }

  any() {
    return this.joined('or', () => this.all(), 'any');
  }

  all() {
    return this.joined('and', () => this.one(), 'all');
  }

  joined(word, part, joint) {
    const parts = [part()];
    while (this.takesWord(word)) parts.push(part());
    return parts.length === 1 ? parts[0] : { [joint]: parts };
  }

  one() {
    if (this.takesWord('not')) return { not: this.deeper(() => this.one()) };
    if (!this.takes('(')) return this.comparison();
    const inner = this.deeper(() => this.any());
    if (!this.takes(')')) throw this.missing('`and`, `or` or `)`');
    return inner;
  }

  deeper(part) {
    if (this.depth === DEPTH_LIMIT) {
      throw new Misread({ code: 'range', detail: `must have \`not\` and \`(\` at most ${DEPTH_LIMIT} deep` });
    }
    this.depth += 1;
    const inner = part();
    this.depth -= 1;
    return inner;
  }

  comparison() {
    this.skip();
    const begin = this.at;
    const name = this.word();
    const column = Object.hasOwn(this.columns, name) ? this.columns[name] : {};
    if (!column.comparisons) {
      this.at = begin;
      const names = Object.keys(this.columns).filter((known) => this.columns[known].comparisons);
      throw this.missing(`one of ${names.join(', ')}`);
    }
    this.comparisons += 1;
    if (this.comparisons > COMPARISON_LIMIT) {
      throw new Misread({ code: 'range', detail: `must have at most ${COMPARISON_LIMIT} comparisons` });
    }
    const hasEqual = column.comparisons.includes('eq');
    const isText = hasEqual && texts.includes(column.kind);
    if (hasEqual && this.takesWord('in')) return { name, values: this.values(column) };
    const place = isText ? places.find((word) => this.takesWord(word)) : undefined;
    if (place) return { name, place, holds: this.part() };
    // Whoever may ask what is equal may ask what is not.
    const offered = Object.keys(signs).filter((sign) => (sign === '!=' ? hasEqual : column.comparisons.includes(signs[sign])));
    const sign = offered.find((known) => this.takes(known));
    if (!sign) throw this.missing(`one of ${[...offered, ...(hasEqual ? ['in'] : []), ...(isText ? places : [])].join(', ')}`);
    const written = this.value();
    if (written.isQuoted || written.text !== 'null') {
      return { name, comparison: signs[sign], value: this.typed(column, written) };
    }
    if (sign === '=') return { name, isNull: true };
    if (sign === '!=') return { not: { name, isNull: true } };
    throw new Misread({ code: 'format', detail: 'must be a value, which null is not,' }, written.at);
  }

  /** A text that is looked for in a column. */
  part() {
    const { text, at } = this.value();
    if (text === '') throw new Misread({ code: 'required', detail: 'is required' }, at);
    if (text.includes('\0')) throw new Misread({ code: 'invalid_character', detail: 'must not contain control characters' }, at);
    return text;
  }

  values(column) {
    if (!this.takes('(')) throw this.missing('`(`');
    const values = [];
    for (;;) {
      values.push(this.typed(column, this.value()));
      if (values.length > VALUE_LIMIT) {
        throw new Misread({ code: 'range', detail: `must have at most ${VALUE_LIMIT} values in one \`in\`` });
      }
      if (this.takes(')')) return values;
      if (!this.takes(',')) throw this.missing('`,` or `)`');
    }
  }

  typed(column, { text, at }) {
    const { value, ...wrong } = checkParameter(text, column);
    if (wrong.code) throw new Misread(wrong, at);
    return value;
  }

  /** A word, or a text between quotes in which a quote is written twice. */
  value() {
    this.skip();
    const at = this.at;
    const quote = this.letters[at];
    if (quote !== '"' && quote !== "'") {
      const text = this.word();
      if (text === '') throw this.missing('a value');
      return { text, isQuoted: false, at };
    }
    let text = '';
    for (let next = at + 1; ; next += 1) {
      const letter = this.letters[next];
      if (letter === undefined) {
        this.at = next;
        throw this.missing('the quote that ends a text');
      }
      if (letter === quote && this.letters[next + 1] !== quote) {
        this.at = next + 1;
        return { text, isQuoted: true, at };
      }
      if (letter === quote) next += 1;
      text += letter;
    }
  }

  word() {
    const begin = this.at;
    while (this.at < this.letters.length && /[\w.:+-]/.test(this.letters[this.at])) this.at += 1;
    return this.letters.slice(begin, this.at).join('');
  }

  takesWord(word) {
    const begin = this.at;
    this.skip();
    if (this.word() === word) return true;
    this.at = begin;
    return false;
  }

  takes(sign) {
    this.skip();
    if (this.letters.slice(this.at, this.at + sign.length).join('') !== sign) return false;
    this.at += sign.length;
    return true;
  }

  skip() {
    while (this.letters[this.at] === ' ') this.at += 1;
  }

  missing(what) {
    this.skip();
    return new Misread({ code: 'format', detail: `must have ${what}` }, this.at);
  }
}
