// A mail is written: what it says comes in with what is known of the event, subject, text, HTML and recipient go out. A value of the event never
// becomes a header, a second line of one, or markup. The pieces are the producer's; the native server puts values in alike.

import { successorOf } from '../successor.js';

// Longest value of an event that stands in a mail, in characters.
const VALUE_LIMIT = 10_000;
const escapes = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

/** A mail that nobody can be sent; the message names no value. */
export class Unsendable extends Error {}

/**
 * @param {object} mail of `mails.json`
 * @param {object} payload what is known of the event
 * @param {{ site: string, language?: string, secret?: string }} around
 * @returns {{ to: string, unsubscribe?: string, subject: string, text: string, html: string }}
 */
export function writeMail(mail, payload, { site, language, secret }) {
  const to = typeof payload[mail.to] === 'string' ? payload[mail.to].trim() : '';
  if (!/^[^\s@<>"(),:;[\]\\]+@[^\s@<>"(),:;[\]\\]+$/.test(to)) throw new Unsendable(`\`${mail.to}\` of the event is no address that can be written to`);
  const { subject, text, html } = textIn(mail, payload[mail.language] ?? language);
  const link = linkOf(mail, payload, site, secret);
  const unsubscribe = unsubscribeOf(mail, payload, site, secret);
  const filled = (pieces, becomes) => pieces.map((piece) => filledPiece(piece, { payload, site, link, unsubscribe }, becomes)).join('');
  return {
    to,
    unsubscribe,
    subject: filled(subject, String).split(/\s+/).filter(Boolean).join(' '),
    text: filled(text, String),
    html: filled(html, (value) => escaped(value).replaceAll('\n', '<br>')),
  };
}

/** The text for a language, else the first. */
function textIn({ texts }, language = '') {
  const [spoken] = String(language).toLowerCase().split(/[-_]/);
  return texts.find((text) => text.language === spoken) ?? texts[0];
}

/** Where the button leads. The token stands behind the `#`, which no browser sends to any server by itself. */
function linkOf({ link }, payload, site, secret) {
  if (link === undefined) return '';
  const page = `${site}${link.path}`;
  if (link.token === undefined) return page;
  return `${page}#token=${tokenOf(link.token, payload, secret)}`;
}

/** Where it can be told to stop. The token stands in the path, since mail programs post there. */
function unsubscribeOf({ unsubscribe }, payload, site, secret) {
  return unsubscribe && `${site}${unsubscribe.path}${tokenOf(unsubscribe.token, payload, secret)}`;
}

function tokenOf(field, payload, secret) {
  const id = payload[field];
  if (typeof id !== 'string') throw new Unsendable(`\`${field}\` of the event is no id of a token`);
  if (!secret) throw new Unsendable('tokens are made of `AUTH_SECRET`, and this server has none');
  return successorOf(secret, id);
}

function filledPiece(piece, { payload, site, link, unsubscribe }, becomes) {
  if (piece === 'site') return becomes(site);
  if (piece === 'link') return becomes(link);
  if (piece === 'unsubscribe') return becomes(unsubscribe);
  if (piece.words !== undefined) return piece.words;
  return becomes(shown(payload[piece.field]));
}

/** A value for people: without characters that steer something, and not without end. */
function shown(value) {
  if (value === undefined || value === null) return '';
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  const plain = text.replace(/\r\n?/g, '\n').replace(/(?![\n\t])\p{Cc}/gu, '');
  return [...plain].slice(0, VALUE_LIMIT).join('');
}

function escaped(text) {
  return text.replace(/[&<>"']/g, (character) => escapes[character]);
}
