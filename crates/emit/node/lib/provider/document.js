// Bodies that providers send, as documents that paths lead into. Bytes and how they are written come in; nothing of what cannot be read goes
// out. In XML an element is a member by its name without the prefix, an attribute has `@` before its name, several of one name are a list, and
// an element that holds only text is that text. Nothing outside of the text is ever fetched: entities are the five of XML itself.

/** A body that is no document. */
export class Unreadable extends Error {}

// Deepest nesting and most elements of XML.
const MAX_DEPTH = 64;
const MAX_ELEMENTS = 200_000;

const entities = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

/**
 * Throws an `Unreadable`. A body of nothing is no document but null; a byte order mark is skipped.
 * @param {'json' | 'form' | 'xml' | 'text'} format
 * @param {Buffer} body
 */
export function read(format, body) {
  const text = body.toString('utf8').replace(/^\ufeff/, '');
  if (/^[\t\n\f\r ]*$/.test(text)) return null;
  if (format === 'text') return text;
  if (format === 'form') return members([...new URLSearchParams(text)]);
  if (format === 'xml') return xml(text);
  try {
    return JSON.parse(text);
  } catch {
    throw new Unreadable('it is no JSON');
  }
}

/** Names and values; a name that stands there more than once has a list. */
function members(pairs) {
  const all = new Map();
  for (const [name, value] of pairs) all.set(name, all.has(name) ? [all.get(name), value].flat() : value);
  return Object.fromEntries(all);
}

// What XML is made of, one after the other: what says nothing, marked text, the end and the beginning of an element, text. A type declaration
// is none of it: it can define entities without end.
const PIECE = /<!--[^]*?-->|<\?[^]*?\?>|<!\[CDATA\[(?<marked>[^]*?)\]\]>|<\/(?<end>[^<>]*?)[\t\n\r ]*>|<(?<start>[^<>/!?\t\n\r ]+)(?<attributes>(?:[\t\n\r ]+[^<>/=\t\n\r ]+[\t\n\r ]*=[\t\n\r ]*(?:"[^"]*"|'[^']*'))*)[\t\n\r ]*(?<empty>\/?)>|(?<text>[^<]+)/y;
const ATTRIBUTE = /([^<>/=\t\n\r ]+)[\t\n\r ]*=[\t\n\r ]*(?:"([^"]*)"|'([^']*)')/g;

function xml(text) {
  const document = [];
  const open = [];
  let elements = 0;
  const add = (name, value) => (open.at(-1)?.members ?? document).push([local(name), value]);
  for (let place = 0; place < text.length; place = PIECE.lastIndex) {
    PIECE.lastIndex = place;
    const piece = PIECE.exec(text)?.groups;
    if (piece === undefined) throw none();
    if (piece.start !== undefined) {
      const element = { name: piece.start, attributes: attributes(piece.attributes), members: [], text: '' };
      elements += 1;
      if (elements > MAX_ELEMENTS) throw none();
      if (piece.empty) add(element.name, valueOf(element));
      else if (open.push(element) > MAX_DEPTH) throw none();
    } else if (piece.end !== undefined) {
      const last = open.pop();
      if (last?.name !== piece.end) throw none();
      add(last.name, valueOf(last));
    } else if (open.length > 0) {
      open.at(-1).text += piece.text === undefined ? lines(piece.marked ?? '') : resolved(lines(piece.text));
    } else if (piece.text !== undefined) resolved(piece.text);
  }
  if (open.length > 0 || document.length === 0) throw none();
  return members(document);
}

function attributes(text) {
  const all = [...text.matchAll(ATTRIBUTE)];
  if (new Set(all.map(([, name]) => name)).size < all.length) throw none();
  return all.map(([, name, double, single]) => [`@${local(name)}`, resolved(lines(double ?? single).replace(/[\t\n]/g, ' '))]);
}

/** Between elements, white space is layout. */
function valueOf({ attributes, members: inside, text }) {
  if (inside.length === 0 && (text !== '' || attributes.length === 0)) return text;
  return { ...Object.fromEntries(attributes), ...members(inside) };
}

function local(name) {
  return name.slice(name.indexOf(':') + 1);
}

/** Lines end with a line feed, https://www.w3.org/TR/xml/#sec-line-ends. */
function lines(text) {
  return text.replace(/\r\n?/g, '\n');
}

function resolved(text) {
  return text.replace(/&([^&;]*;)?/g, (_, reference) => {
    const [, hex, decimal, name] = /^(?:#x([0-9a-fA-F]{1,6})|#(\d{1,7})|(amp|lt|gt|quot|apos));$/.exec(reference ?? '') ?? [];
    if (name !== undefined) return entities[name];
    const code = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16);
    // Not a number is no character either.
    if (!(code > 0 && code <= 0x10ffff) || (code >= 0xd800 && code <= 0xdfff)) throw none();
    return String.fromCodePoint(code);
  });
}

function none() {
  return new Unreadable('it is no XML');
}
