// What an answer means: a call and its answer come in, the outcome goes out with the declared fields and no others. Rules are asked in the
// order in which they stand there. Nothing is sent here.

import { Unreadable, read as readDocument } from './document.js';
import { all, at, holds } from './place.js';
import { asText, isAbsent } from './values.js';

// Longest text of a provider that is shown to a person.
const LONGEST_SHOWN = 500;

/**
 * @param {{ status: number, headers: [string, string][], body: Buffer, isCut: boolean }} answer
 * @returns {{ outcome: { means: string, answer?: object, code?: string, message?: string, wait?: number }, requestId?: string, seen: object }}
 *   `means` is `done`, `permanent`, `transient`, `rate_limited`, `authentication` or `unknown_effect`; `wait` is in milliseconds
 */
export function read(operation, service, answer) {
  const { errors } = service;
  const document = parsed(operation.answers ?? service.hosts[operation.host ?? Object.keys(service.hosts)[0]].answers ?? 'json', answer);
  const seen = { answer, document, code: told(document, errors.code), message: told(document, errors.message) };
  const success = operation.successWhen ?? service.successWhen;
  const isGood = success ? fits(success, seen) : answer.status >= 200 && answer.status < 300;
  const requestId = errors.requestIdHeader && header(answer, errors.requestIdHeader);
  return { outcome: isGood ? good(operation, seen) : bad(operation, service, seen), requestId: requestId && clean(requestId), seen };
}

/** What it means that no usable answer came behind a request. */
export function broken(operation, message) {
  return { means: operation.effect === 'read' ? 'transient' : 'unknown_effect', message };
}

/** A provider's words as a person may be shown them: one line, not too long. */
export function clean(text) {
  return [...text.replace(/[\u0000-\u001f\u007f-\u009f]/g, ' ')].slice(0, LONGEST_SHOWN).join('').trim();
}

export function header(answer, name) {
  return answer.headers.find(([known]) => known.toLowerCase() === name.toLowerCase())?.[1];
}

/** Whether all that a test of an answer asks holds. */
export function fits({ status, code, header: headers = {}, body = [] }, { answer, document, code: said }) {
  const isStatus = (known) => (typeof known === 'string' ? `${Math.floor(answer.status / 100)}xx` === known : answer.status === known);
  return (
    (status?.some(isStatus) ?? true) &&
    (code?.includes(said) ?? true) &&
    Object.entries(headers).every(([name, values]) => values.includes(header(answer, name)?.trim())) &&
    body.every((test) => holds(document, test))
  );
}

function parsed(format, { body, isCut }) {
  // A beginning is no document, but as text it says something.
  if (isCut && format !== 'text') return undefined;
  try {
    return readDocument(format, body);
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    return undefined;
  }
}

function told(document, path) {
  const found = path === undefined ? undefined : at(document, path);
  return isAbsent(found) ? undefined : clean(asText(found)) || undefined;
}

/** A good answer must hold what it is declared to hold: otherwise nobody knows what has happened. */
function good(operation, seen) {
  const answer = declared(operation, seen);
  const missing = Object.entries(operation.answer ?? {}).find(([name, { required }]) => required && answer[name] === undefined);
  if (missing === undefined) return { means: 'done', answer };
  if (seen.answer.isCut) return broken(operation, 'the answer is longer than what is read of one');
  return broken(operation, seen.document === undefined ? 'the answer cannot be read' : `the answer has no \`${missing[0]}\``);
}

function bad(operation, service, seen) {
  const { errors, wait } = service;
  const rule = [...(operation.errors ?? []), ...errors.rules].find(({ when }) => fits(when, seen));
  const { code, message = `the provider answered with ${seen.answer.status}` } = seen;
  const means = rule?.means ?? errors.otherwise;
  const asked = waitAsked(wait, seen.answer);
  switch (means) {
    case 'done':
      return { means, answer: declared(operation, seen) };
    case 'rate_limited':
      return { means, code, message, wait: asked ?? (wait.otherwiseSeconds && bounded(wait.otherwiseSeconds * 1000, wait)) };
    case 'transient':
      return { means, code, message, wait: asked };
    case 'unknown_effect':
      return operation.effect === 'read' ? { means: 'transient', code, message, wait: asked } : { means, code, message };
    default:
      return { means, code, message };
  }
}

function declared({ answer = {} }, seen) {
  const found = Object.entries(answer).map(([name, field]) => [name, asDeclared(field, seen)]);
  return Object.fromEntries(found.filter(([, value]) => value !== undefined));
}

function asDeclared({ at: path, header: name, type }, { answer, document }) {
  if (path === undefined) return asKind(header(answer, name), type);
  const isMany = type === 'list' && path.split('/').includes('*');
  return asKind(isMany ? all(document, path) : at(document, path), type);
}

/** Forms and headers know text alone, and some providers write numbers as text. */
function asKind(value, type) {
  if (isAbsent(value)) return undefined;
  // JavaScript has read another number than was written.
  if (typeof value === 'number' && Number.isInteger(value) && !Number.isSafeInteger(value)) return undefined;
  switch (type) {
    case 'json':
      return value;
    case 'list':
      return [value].flat();
    case 'integer':
      return /^[+-]?\d+$/.test(asText(value)) && Number.isSafeInteger(Number(value)) ? Number(value) : undefined;
    case 'boolean':
      return { true: true, false: false }[asText(value)];
    default:
      return typeof value === 'object' ? undefined : asText(value);
  }
}

/** How long the provider says that we shall wait, in milliseconds, never longer than it may. */
function waitAsked(wait, answer) {
  for (const { name, holds: form } of wait.headers ?? []) {
    const text = header(answer, name)?.trim();
    const asked = text === undefined ? undefined : milliseconds(text, form);
    if (asked !== undefined) return bounded(asked, wait);
  }
  return undefined;
}

// Some write `1.5` where whole seconds are meant: half a second more does no harm.
function milliseconds(text, form) {
  const whole = /^\d+(?:\.\d*)?$/.test(text) ? Math.floor(Number(text)) + (text.includes('.') ? 1 : 0) : undefined;
  switch (form) {
    case 'milliseconds':
      return whole;
    case 'unix_seconds':
      return whole === undefined ? undefined : Math.max(0, whole * 1000 - Date.now());
    default: {
      if (whole !== undefined) return whole * 1000;
      const date = form === 'seconds_or_date' ? Date.parse(text) : NaN;
      return Number.isNaN(date) ? undefined : Math.max(0, date - Date.now());
    }
  }
}

function bounded(asked, { mostSeconds }) {
  return Math.min(asked, mostSeconds * 1000);
}
