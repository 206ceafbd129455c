// Strict JSON: bytes in, value out. Beyond JSON.parse it refuses a byte order mark, bytes that are not UTF-8, lone
// surrogates, numbers that no double holds, and nesting deeper than 32 levels.

import { Problem } from './problem.js';

export const DEPTH_LIMIT = 32;

/**
 * @param {Uint8Array} bytes
 * @returns {any} a top-level object as a Map in the order of the body (a plain object would move keys like `7` to the
 *   front); everything else as JSON.parse gives it
 */
export function parseJson(bytes) {
  let value;
  let keys;
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    value = JSON.parse(text);
    keys = inspect(text);
  } catch {
    // The parser's message quotes the body, so it goes nowhere.
    throw new Problem('malformed_body');
  }
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  return isObject ? new Map(keys.map((key) => [key, value[key]])) : value;
}

// The parts of valid JSON that matter here: a string, a number, a bracket.
const tokens = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d[\d.eE+-]*|[{}[\]]/g;

/** Walks over text that JSON.parse accepted; gives the keys of the top level, in order. */
function inspect(text) {
  const keys = [];
  let depth = 0;
  for (const { 0: token, index } of text.matchAll(tokens)) {
    switch (token[0]) {
      case '{':
      case '[':
        depth += 1;
        if (depth > DEPTH_LIMIT) throw new RangeError('nested too deeply');
        break;
      case '}':
      case ']':
        depth -= 1;
        break;
      case '"': {
        const string = JSON.parse(token);
        if (!string.isWellFormed()) throw new TypeError('lone surrogate');
        if (depth === 1 && isKey(text, index + token.length)) keys.push(string);
        break;
      }
      default:
        if (!Number.isFinite(Number(token))) throw new RangeError('number out of range');
    }
  }
  return keys;
}

function isKey(text, end) {
  while (' \t\n\r'.includes(text[end])) end += 1;
  return text[end] === ':';
}
