// Values on their way into a request. How carefully each is handled travels with it, so that the same request is written twice: as it is
// sent, and as logs and records may show it. What is absent stays absent; nothing here knows a provider.

import { createHash } from 'node:crypto';

/** What stands in the place of what opens something or pays. */
export const HIDDEN = '[redacted]';
/** Literally null in a document: a value that is null is absent, and what is absent is left out. */
export const NULL = Symbol('null');
// How many characters of a digest tell people apart in a log.
const HASH_LENGTH = 16;

/** A value that says something about a person, or opens something. */
class Careful {
  constructor(value, privacy) {
    this.value = value;
    this.privacy = privacy;
  }
}

/** Text with values in it, each of which may be shown otherwise than it is sent. */
class Text {
  constructor(strings, values) {
    this.strings = strings;
    this.values = values;
  }
}

export function isAbsent(value) {
  return value === undefined || value === null;
}

/** Says something about a person: records hold its hash. */
export function personal(value) {
  return isAbsent(value) ? undefined : new Careful(value, 'personal');
}

/** Opens something, or pays: records hold nothing of it. */
export function secret(value) {
  return isAbsent(value) ? undefined : new Careful(value, 'secret');
}

/** A template literal: absent where a value in it is. */
export function text(strings, ...values) {
  return values.some(isAbsent) ? undefined : new Text(strings, values);
}

/** The same as plain text, where nothing is to be hidden. */
export function plainText(strings, ...values) {
  const filled = text(strings, ...values);
  return filled && written(filled, asSent);
}

/** What is text is itself, a document is JSON. */
export function asText(value) {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

export function sha256(value) {
  return createHash('sha256').update(value).digest('hex');
}

/** The same for the same value, and no way back for who has not guessed it. */
export function hash(value) {
  return `sha256:${sha256(asText(value)).slice(0, HASH_LENGTH)}`;
}

/** How values are written into what is sent. */
export const asSent = (careful) => careful.value;

/** How values are written into what is shown; `hides` is told what stands for what. */
export function asShown(hides) {
  return ({ value, privacy }) => {
    const standsFor = privacy === 'personal' ? hash(value) : HIDDEN;
    hides.push({ value: asText(value), standsFor });
    return standsFor;
  };
}

/**
 * A document with everything written, members in order; `undefined` where it is one value that is absent.
 * @param {(careful: { value: any, privacy: string }) => any} write
 * @param {(value: any) => any} [encode] what becomes of each value behind that
 */
export function written(document, write, encode = (value) => value) {
  if (document === NULL) return null;
  if (isAbsent(document)) return undefined;
  if (document instanceof Careful) return encode(write(document));
  if (document instanceof Text) {
    const parts = document.values.map((value) => asText(written(value, write, encode)));
    return document.strings.reduce((filled, literal, index) => filled + parts[index - 1] + literal);
  }
  if (Array.isArray(document)) return document.map((item) => written(item, write, encode)).filter((item) => item !== undefined);
  if (typeof document !== 'object') return encode(document);
  const members = Object.entries(document).map(([name, value]) => [name, written(value, write, encode)]);
  return Object.fromEntries(members.filter(([, value]) => value !== undefined));
}
