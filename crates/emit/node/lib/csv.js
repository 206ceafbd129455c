// Bodies of CSV (RFC 4180) as lists of records: a text comes in, objects whose members are texts go out; what an empty cell would be is
// null.

import { Problem } from './problem.js';

/** Rows that are read: more than any list may have are too many however many there are. */
const ROW_LIMIT = 1002;
const COLUMN_LIMIT = 1000;

/** The rows behind the header row, or a `validation_failed` with the first thing that is wrong. @param {Buffer} bytes */
export function readCsv(bytes) {
  let rest = textOf(bytes);
  let header;
  const records = [];
  while (rest !== '' && records.length < ROW_LIMIT) {
    const place = header ? `/${records.length}` : '';
    const { cells, behind } = readRow(rest, place);
    rest = behind;
    if (!header) {
      if (new Set(cells).size < cells.length) throw wrong('', 'must name each column once');
      header = cells;
    } else {
      if (cells.length !== header.length) throw wrong(place, `must have ${header.length} cells, as the header has`);
      records.push(Object.fromEntries(header.map((name, index) => [name, cells[index] === '' ? null : cells[index]])));
    }
  }
  return records;
}

/** The record with texts as JSON has values of their kinds; what is none stays as it is, and is told as such. */
export function typedRecord(record, shape) {
  const typed = { ...record };
  for (const { name, kind } of shape) {
    if (typeof typed[name] === 'string') typed[name] = read(typed[name], kind);
  }
  return typed;
}

function read(text, kind) {
  if (kind === 'integer' && /^-?\d+$/.test(text)) return Number(text);
  if (kind === 'boolean' && /^(?:true|false)$/.test(text)) return text === 'true';
  if (kind !== 'json') return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function textOf(bytes) {
  try {
    // The mark that spreadsheets write before it is left out.
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw wrong('', 'must be UTF-8');
  }
}

function readRow(text, place) {
  const cells = [];
  for (let rest = text; ;) {
    if (cells.length === COLUMN_LIMIT) throw wrong(place, `must have at most ${COLUMN_LIMIT} cells`);
    const { cell, behind } = readCell(rest, place);
    cells.push(cell);
    if (!behind.startsWith(',')) return { cells, behind: behind.replace(/^\r?\n/, '') };
    rest = behind.slice(1);
  }
}

// What stands behind a cell is a comma, the end of a line or nothing.
function readCell(text, place) {
  const isQuoted = text.startsWith('"');
  if (!isQuoted) {
    const end = text.search(/,|\r?\n/);
    const cell = end < 0 ? text : text.slice(0, end);
    if (cell.includes('"')) throw wrong(place, 'must have quotes around a cell that has one');
    return { cell, behind: text.slice(cell.length) };
  }
  const quoted = /^"([^"]*(?:""[^"]*)*)"/.exec(text);
  if (!quoted) throw wrong(place, 'must end every quote');
  const behind = text.slice(quoted[0].length);
  if (!/^(?:,|\r?\n|$)/.test(behind)) throw wrong(place, "must have nothing between a quote's end and the comma");
  return { cell: quoted[1].replaceAll('""', '"'), behind };
}

function wrong(pointer, detail) {
  return new Problem('validation_failed', { errors: [{ pointer, code: 'format', detail }] });
}
