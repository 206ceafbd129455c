// How documents are written into requests: forms, JSON, parameters and paths, byte for byte as providers' own packages do it. Bodies are
// written when it is known whether they are sent or only shown.

import { Unfit } from './transformations.js';
import { asText, isAbsent, text, written } from './values.js';

const FORM = 'application/x-www-form-urlencoded';

/** Everything but letters, digits, `-`, `.`, `_` and `~` of ASCII as `%XX`, RFC 3986. */
export function percent(value) {
  return encodeURIComponent(value).replace(/[!'()*]/g, (letter) => `%${letter.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** The same, `[` and `]` as they are: so forms and parameters with brackets are written by those who invented them. */
export function percentButBrackets(value) {
  return percent(value).replaceAll('%5B', '[').replaceAll('%5D', ']');
}

/** A form in which what is nested is written `a[0][b]=c`. */
export function formNested(document) {
  return bodyOf(FORM, document, (value) => nestedPairs('', value).join('&'));
}

/** A form in which the items of a list stand under the same name. */
export function formRepeated(document) {
  return bodyOf(FORM, document, (value) =>
    Object.entries(value)
      .flatMap(([name, items]) => [items].flat().map((item) => `${percent(name)}=${percent(scalar(item))}`))
      .join('&'));
}

/** A form of one name with a JSON document as its value. */
export function formJson(name, document, { base64 = false } = {}) {
  return bodyOf(FORM, document, (value) => {
    const json = JSON.stringify(value);
    return `${percent(name)}=${percent(base64 ? Buffer.from(json).toString('base64') : json)}`;
  });
}

export function json(document) {
  return bodyOf('application/json', document, (value) => JSON.stringify(value));
}

/** JSON documents, a line each. */
export function jsonLines(document) {
  return bodyOf('application/x-ndjson', document, (value) => [value].flat().map((line) => `${JSON.stringify(line)}\n`).join(''));
}

/** XML as a template literal: no value holds markup. */
export function xml(strings, ...values) {
  const document = text(strings, ...values);
  return { mediaType: 'application/xml; charset=utf-8', write: (write) => needed(written(document, write, (value) => inXml(asText(value)))) };
}

/** Text as it is. */
export function bytes(document, mediaType) {
  if (isAbsent(mediaType)) throw new Unfit('the media type has no value');
  return { mediaType, write: (write) => asText(needed(written(document, write))) };
}

/** A path as a template literal: each value stays the one step that it stands for. */
export function path(strings, ...values) {
  return {
    write(write) {
      const steps = values.map((value) => {
        const text = isAbsent(value) ? undefined : asText(written(value, write));
        if (text === undefined) throw new Unfit('the path has no value');
        if (text === '') throw new Unfit('a value in the path is nothing');
        return percent(text);
      });
      const whole = strings.reduce((filled, literal, index) => filled + steps[index - 1] + literal);
      if (whole.split('/').some((step) => step === '.' || step === '..')) throw new Unfit('a value in the path is `.` or `..`');
      return whole;
    },
  };
}

function bodyOf(mediaType, document, encode) {
  return {
    mediaType,
    /** @param {(document: any) => any} [amend] what becomes of the document before it is encoded */
    write(write, amend = (value) => value) {
      return encode(amend(needed(written(document, write))));
    },
  };
}

function needed(value) {
  if (value === undefined) throw new Unfit('the body has no value');
  return value;
}

/** Text inside of an element or an attribute. What XML cannot hold at all is left out. */
function inXml(value) {
  const marks = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&apos;', '\r': '&#13;' };
  return value.replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]/g, '').replace(/[&<>"'\r]/g, (mark) => marks[mark]);
}

function nestedPairs(name, value) {
  if (typeof value !== 'object' || value === null) return [`${percentButBrackets(name)}=${percentButBrackets(scalar(value))}`];
  return Object.entries(value).flatMap(([member, inner]) => nestedPairs(name === '' ? member : `${name}[${member}]`, inner));
}

function scalar(value) {
  return value === null ? '' : asText(value);
}
