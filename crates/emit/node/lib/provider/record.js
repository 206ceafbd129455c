// What is written down of an attempt: of a value that says something about a person its hash, of a secret nothing; of an answer only the
// declared fields, the code and the message. What a provider repeats of a request in its words is taken out of them.

import { header } from './answer.js';
import { percent } from './encode.js';
import { hash, HIDDEN } from './values.js';

// Most bytes of a body, and of an address or a header, that are written down.
const LONGEST_BODY = 8 * 1024;
const LONGEST_LINE = 2 * 1024;
// A value of fewer characters cannot be told from other words of a sentence.
const SHORTEST_TOLD_APART = 3;

/** The attempt as `producer deliveries show` reads it, whichever server has made it. */
export function recordOf({ operation, account, rendered: { shown, hides }, duration, answer, outcome, requestId }) {
  const scrub = scrubber([...hides, ...account.secrets.map((value) => ({ value, standsFor: HIDDEN }))]);
  const record = {
    method: shown.method,
    url: cut(shown.url, LONGEST_LINE),
    request_headers: shown.headers.map(([name, value]) => [name, cut(value, LONGEST_LINE)]),
    request_body: cut(shown.body, LONGEST_BODY),
    status: answer?.status ?? null,
    answer_headers: [],
    answer_body: '',
    duration_ms: Math.round(duration),
    request_id: requestId ?? null,
  };
  const clean = scrubbed(outcome, scrub);
  if (answer) {
    const told = tellingHeaders(operation, account.service).filter((name) => header(answer, name) !== undefined);
    record.answer_headers = told.map((name) => [name.toLowerCase(), cut(scrub(header(answer, name)), LONGEST_LINE)]);
    const body = outcome.means === 'done' ? shownFields(operation, outcome.answer) : { code: clean.code ?? null, message: clean.message };
    record.answer_body = cut(JSON.stringify(body), LONGEST_BODY);
  }
  return { record, outcome: clean };
}

function scrubbed(outcome, scrub) {
  const { code, message } = outcome;
  return { ...outcome, ...(code !== undefined && { code: scrub(code) }), ...(message !== undefined && { message: scrub(message) }) };
}

/** Takes values out of a text, in capital or small letters, as they are and as addresses, forms and JSON write them. */
function scrubber(hides) {
  const all = hides
    .filter(({ value }) => value.length >= SHORTEST_TOLD_APART)
    .flatMap(({ value, standsFor }) => {
      const forms = [value, percent(value), percent(value).replaceAll('%20', '+'), JSON.stringify(value).slice(1, -1)];
      return [...new Set(forms)].map((form) => ({ form, standsFor }));
    })
    // The longest first, so that no part of a value is left where a shorter one stands in it.
    .sort((left, right) => right.form.length - left.form.length);
  return (text) => all.reduce((clean, { form, standsFor }) => clean.replace(new RegExp(escaped(form), 'gi'), () => standsFor), text);
}

function escaped(text) {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

/** Headers of an answer that say something and nothing about a person. */
function tellingHeaders(operation, service) {
  const plain = Object.values(operation.answer ?? {}).filter(({ header: name, privacy }) => name !== undefined && privacy === undefined);
  const { errors, wait, versionHeader } = service;
  const names = ['Content-Type', errors.requestIdHeader, ...(wait.headers ?? []).map(({ name }) => name), versionHeader, ...plain.map((field) => field.header)];
  return [...new Set(names.filter((name) => name !== undefined))];
}

function shownFields(operation, answer) {
  const shown = Object.entries(answer).flatMap(([name, value]) => {
    switch (operation.answer[name]?.privacy) {
      case undefined:
        return [[name, value]];
      case 'personal':
        return [[name, hash(value)]];
      case 'secret':
        return [[name, HIDDEN]];
      default:
        return [];
    }
  });
  return Object.fromEntries(shown);
}

function cut(text, most) {
  const bytes = Buffer.from(text);
  if (bytes.length <= most) return text;
  return `${bytes.subarray(0, most).toString('utf8').replace(/\ufffd+$/, '')} ... (${bytes.length} bytes in all)`;
}
