// Mails: an event comes in, what it says goes to a mail server, or into a folder where there is none. What the environment says comes in
// once. Who is written to and what stands in a mail is logged nowhere.

import { createHash, randomInt } from 'node:crypto';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import addressParser from 'nodemailer/lib/addressparser';
import MailComposer from 'nodemailer/lib/mail-composer';
import { listenAddress } from '../environment.js';
import { logError, logWarning } from '../log.js';
import { sendMail } from './conversation.js';
import { Unsendable, writeMail } from './message.js';
import { readServer, shownServer } from './server.js';
import { suppressBounced, suppressionOf } from './suppressions.js';

// Mails on their way at once. Mail servers shut out who opens many connections.
const AT_ONCE = 4;
// A mail leaves at some moment within that time behind its event, in milliseconds: what is done for it slows other answers, and at once it
// would tell whoever asks again and again that an address is written to.
const SPREAD = 500;
const RETRY = { attempts: 20, forHours: 72, firstWait: 500, mostWaitSeconds: 14_400 };
/** What deliveries of mails are called among those of integrations. */
export const INTEGRATION = 'mail';
/** What happened longer ago is not written about any more, in milliseconds. */
export const NEWS = 72 * 3_600_000;

/**
 * How mails leave, as the environment says it.
 * @param {{ mails: object, task: string, folder: URL, suppresses?: boolean, environment?: NodeJS.ProcessEnv }} parts `mails` as `mails.json`
 *   has them; `task` is whose they are; `folder` is where they are kept without a mail server; `suppresses` says whether the database
 *   knows to whom no mail goes
 * @returns what the worker of deliveries takes as an account
 */
export function openMailer({ mails, task, folder, suppresses = true, environment = process.env }) {
  const said = (name) => environment[name]?.trim() || undefined;
  const problems = [];
  const server = said('SMTP_URL') && readServer(said('SMTP_URL'));
  if (server?.wrong) problems.push(`\`SMTP_URL\`: ${server.wrong}`);
  const from = senderOf(said('MAIL_FROM'), server, problems);
  const around = { site: siteOf(said('PUBLIC_URL'), environment), language: said('MAIL_LANGUAGE'), secret: said('AUTH_SECRET') };
  if (server === undefined && problems.length === 0) {
    logWarning(`no mail leaves this machine: \`SMTP_URL\` is not set, so each becomes a file in ${fileURLToPath(folder)}`);
  }
  const mailer = { mails, server, from, around, suppresses, folder: fileURLToPath(folder) };
  return {
    name: INTEGRATION,
    service: { title: 'the mail server', retry: RETRY, wait: { mostSeconds: 600 }, atOnce: AT_ONCE },
    problems,
    /** What the worker of deliveries carries them by. Deliveries of these events are made whoever else is told of them. */
    carrier: {
      tasks: [task],
      events: { names: Object.keys(mails), within: NEWS },
      deliveriesOf: (since, event) => deliveriesOf(mails, since[task], event),
      carry: (delivery, _hold, database) => carry(mailer, delivery, database),
    },
  };
}

function siteOf(url, environment) {
  if (url) return url.replace(/\/+$/, '');
  const { host, port } = listenAddress(environment);
  return `http://${net.isIPv6(host) ? `[${host}]` : host}:${port}`;
}

/** Who writes: who is named, else who signs in with an address. */
function senderOf(text, server, problems) {
  const [named] = text === undefined ? [] : addressParser(text);
  if (text !== undefined) {
    if (named?.address?.includes('@')) return named;
    problems.push('`MAIL_FROM`: it is no address: write `shop@example.com` or `The shop <shop@example.com>`');
  } else if (server?.host) {
    if (server.user?.includes('@')) return { name: '', address: server.user };
    problems.push('`MAIL_FROM` is not set: it says who writes the mails, as `The shop <shop@example.com>`');
  }
  return { name: '', address: 'no-reply@localhost' };
}

function deliveriesOf(mails, since, { name, payload, occurred_at: occurredAt }) {
  const happened = Date.parse(occurredAt);
  const isNews = happened >= since.getTime() && happened >= Date.now() - NEWS;
  if (!isNews || typeof payload?.[mails[name]?.to] !== 'string') return [];
  const dueAt = new Date(Date.now() + randomInt(SPREAD));
  return [{ integration: INTEGRATION, provider: 'smtp', priority: 0, orderKey: null, dueAt }];
}

async function carry(mailer, delivery, database) {
  const mail = mailer.mails[delivery.event];
  if (mail === undefined) return failed('no mail is sent at this event any more');
  if (typeof delivery.payload !== 'object' || delivery.payload === null) return failed('what is known of the event cannot be read');
  let written;
  try {
    written = writeMail(mail, delivery.payload, mailer.around);
  } catch (error) {
    if (!(error instanceof Unsendable)) throw error;
    return failed(error.message);
  }
  const stopped = mailer.suppresses && (await stoppedFor(database, written.to, mail));
  if (stopped) return stopped;
  const messageId = `<${delivery.id}@${mailer.from.address.split('@').at(-1)}>`;
  const bytes = await composed(mailer.from, written, messageId);
  const startedAt = performance.now();
  const sent = await (mailer.server ? sendMail(mailer.server, { from: mailer.from.address, to: written.to, bytes }) : keep(mailer.folder, delivery.id, bytes));
  if (mailer.suppresses && sent.isNobodys) await suppress(database, written.to, sent);
  const record = {
    method: 'SMTP',
    url: mailer.server ? shownServer(mailer.server) : mailer.folder,
    request_headers: [['Message-ID', messageId], ['To', digestOf(written.to)]],
    request_body: '',
    status: sent.status ?? null,
    answer_headers: [],
    answer_body: sent.said,
    duration_ms: Math.round(performance.now() - startedAt),
    request_id: null,
  };
  // One that may have gone out is sent again: its `Message-ID` is that of the delivery, so who gets both sees one.
  const inDoubt = sent.outcome !== 'delivered' && (delivery.inDoubt || sent.outcome === 'unknown_effect');
  return { outcome: sent.outcome, inDoubt, code: sent.code, problem: sent.problem, record: [record], remembered: [] };
}

/** What becomes of a mail to an address that is not written to; `undefined` where it is. */
async function stoppedFor(database, to, { essential = false }) {
  try {
    const suppression = await suppressionOf(database, to, essential);
    if (suppression === undefined) return undefined;
    const { reason, since } = suppression;
    const problem = `it was not sent: the address is suppressed since ${since} (\`${reason}\`); \`producer mail suppressed list\` says why`;
    return { ...failed(problem), code: 'suppressed' };
  } catch (error) {
    return { ...failed(`whether the address may be written to was not read: ${error.message}`), outcome: 'transient' };
  }
}

/** Keeps that nobody has the address. Where that fails the next mail to it is told the same. */
async function suppress(database, address, { status, said }) {
  try {
    await suppressBounced(database, address, `${status} ${said}`);
  } catch (error) {
    logError('that nobody has an address was not kept', error);
  }
}

function composed(from, { to, unsubscribe, subject, text, html }, messageId) {
  // RFC 3834: whoever is away does not answer.
  const headers = { 'Auto-Submitted': 'auto-generated' };
  // RFC 8058: mail programs show a button, and post there when it is pressed.
  if (unsubscribe) Object.assign(headers, { 'List-Unsubscribe': { prepared: true, value: `<${unsubscribe}>` }, 'List-Unsubscribe-Post': 'List-Unsubscribe=One-Click' });
  const composer = new MailComposer({ from, to: { name: '', address: to }, subject, text, html, messageId, date: new Date(), headers, disableFileAccess: true, disableUrlAccess: true });
  return new Promise((resolve, reject) => {
    composer.compile().build((error, bytes) => (error ? reject(error) : resolve(bytes)));
  });
}

/** Puts the mail into a file that only we read: it holds what opens accounts. */
async function keep(folder, id, bytes) {
  const file = path.join(folder, `${id}.eml`);
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await writeFile(`${file}.part`, bytes, { mode: 0o600 });
    await rename(`${file}.part`, file);
    return { outcome: 'delivered', problem: `no mail leaves this machine: it is in \`${file}\``, said: '' };
  } catch (error) {
    return { outcome: 'transient', problem: `\`${file}\` cannot be written: ${error.message}`, said: '' };
  }
}

function digestOf(address) {
  return `sha256:${createHash('sha256').update(address).digest('hex').slice(0, 16)}`;
}

function failed(problem) {
  return { outcome: 'permanent', inDoubt: false, problem, remembered: [] };
}
