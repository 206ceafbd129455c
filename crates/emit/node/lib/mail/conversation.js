// One conversation with a mail server: a mail comes in, what became of it goes out. It is known at each step whether the server can have the
// mail; a password is said over an encrypted connection, or where somebody has asked for a plain one.

import { Readable } from 'node:stream';
import SMTPConnection from 'nodemailer/lib/smtp-connection';

// Milliseconds: how long a server may take to be there and to answer, and to say that it has the mail.
const ANSWER_TIMEOUT = 30_000;
const MAIL_TIMEOUT = 120_000;
// Most characters that are kept of what a server says.
const SAID_LIMIT = 300;
// How long a connection is kept that nobody uses, and how many mails one carries: servers count connections, and end those that carry many.
const KEPT = 15_000;
const MAILS_LIMIT = 100;
const ASKING_TIMEOUT = 2000;
// The statuses of RFC 3463 (5.1.10: RFC 7505) that say of a recipient that nobody has the address, and nothing of us. Not 5.1.0, which Postfix
// says of a sender too, nor 5.2.1, which Gmail says of who gets too many mails as well: https://support.google.com/a/answer/3726730
const NOBODY = ['5.1.1', '5.1.2', '5.1.3', '5.1.6', '5.1.10'];
const NOT_OFFERED = 'the server does not offer STARTTLS: nothing was said to it; `?tls=none` in `SMTP_URL` speaks with it all the same, for everybody between to read';
const places = {
  reach: 'the mail server was not reached',
  encrypt: 'the conversation was not encrypted',
  signIn: 'the mail server does not let us in',
  sender: 'the mail server does not take the sender',
  recipient: 'the mail server does not take the recipient',
  begin: 'the mail server does not take the mail',
  mail: 'the mail server did not say that it has the mail',
};

/**
 * @param {object} server as `server.js` reads it
 * @param {{ from: string, to: string, bytes: Buffer }} mail
 * @returns {Promise<{ outcome: string, isNobodys?: boolean, status?: number, code?: string, problem?: string, said: string }>} `isNobodys`
 *   where the server says that nobody has the address
 */
export async function sendMail(server, mail, timeouts = { answer: ANSWER_TIMEOUT, mail: MAIL_TIMEOUT }) {
  const conversation = (await keptOpen(server)) ?? new Conversation(server, mail, timeouts);
  try {
    const response = await conversation.hold(mail);
    keepOpen(server, conversation);
    return { outcome: 'delivered', status: statusOf(response), said: scrubbed(withoutStatus(response), server, mail) };
  } catch (error) {
    conversation.end();
    return ended(conversation.step, error, server, mail);
  }
}

/** Conversations in which a server has just taken a mail. */
const kept = new WeakMap();

/** One that still lives, where there is any: the one that was used last. */
async function keptOpen(server) {
  for (let conversation = kept.get(server)?.pop(); conversation; conversation = kept.get(server).pop()) {
    if (await conversation.isAlive()) return conversation;
    conversation.end();
  }
  return undefined;
}

/** Keeps a conversation for the next mail, unless it has carried enough. */
function keepOpen(server, conversation) {
  if (conversation.mails >= MAILS_LIMIT) {
    conversation.end();
    return;
  }
  if (!kept.has(server)) kept.set(server, []);
  kept.get(server).push(conversation);
  conversation.rest(() => kept.set(server, kept.get(server).filter((other) => other !== conversation)));
}

class Conversation {
  step = 'reach';
  /** The mails that it has carried. */
  mails = 0;
  #isConnected = false;
  #hasEnded = false;
  #resting;
  #connection;
  #server;
  #mail;
  #timeouts;

  constructor(server, mail, timeouts) {
    [this.#server, this.#mail, this.#timeouts] = [server, mail, timeouts];
    const { host, port, encryption } = server;
    this.#connection = new SMTPConnection({
      host,
      port,
      name: mail.from.split('@').at(-1),
      secure: encryption === 'tls',
      requireTLS: encryption === 'starttls',
      ignoreTLS: encryption === 'none',
      allowInternalNetworkInterfaces: true,
      connectionTimeout: timeouts.answer,
      greetingTimeout: timeouts.answer,
      socketTimeout: timeouts.mail,
      logger: false,
    });
    this.#connection.once('end', () => {
      this.#hasEnded = true;
    });
  }

  /** @param {{ from: string, to: string, bytes: Buffer }} mail @returns {Promise<string>} what the server says to the mail */
  async hold(mail) {
    this.#mail = mail;
    if (!this.#isConnected) await this.#connect();
    this.mails += 1;
    this.step = 'sender';
    const { from, to } = this.#mail;
    const { response } = await this.#until((answer) => this.#connection.send({ from, to: [to] }, this.#said(), answer), this.#timeouts.mail);
    return response;
  }

  async #connect() {
    await this.#until((answer) => this.#connection.connect(answer), this.#timeouts.answer);
    const { user, password: pass } = this.#server;
    if (user !== undefined) {
      this.step = 'signIn';
      await this.#until((answer) => this.#connection.login({ user, pass }, answer), this.#timeouts.answer);
    }
    this.#isConnected = true;
  }

  /** Waits for another mail, for a while. @param {() => void} onOver */
  rest(onOver) {
    const over = () => {
      onOver();
      this.end();
    };
    this.#connection.once('error', over);
    const timer = setTimeout(over, KEPT);
    timer.unref();
    this.#resting = () => {
      clearTimeout(timer);
      this.#connection.off('error', over);
    };
  }

  /** Whether the server is still there for another mail. */
  async isAlive() {
    this.#resting?.();
    if (this.#hasEnded) return false;
    try {
      await this.#until((answer) => this.#connection.reset(answer), ASKING_TIMEOUT);
      return true;
    } catch {
      return false;
    }
  }

  /** Good-bye; nothing depends on it. */
  end() {
    this.#connection.on('error', () => {});
    this.#connection.quit();
    setTimeout(() => this.#connection.close(), 2000).unref();
  }

  /** The mail, which is asked for once the server is ready for it. */
  #said() {
    const conversation = this;
    return Readable.from(
      (function* say() {
        conversation.step = 'mail';
        yield conversation.#mail.bytes;
      })(),
    );
  }

  #until(begin, timeout) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('it took too long')), timeout);
      const settle = (error, result) => {
        clearTimeout(timer);
        this.#connection.off('error', settle);
        if (error) reject(error);
        else resolve(result);
      };
      this.#connection.on('error', settle);
      begin(settle);
    });
  }
}

function ended(at, error, server, mail) {
  const step = stepOf(at, error);
  if (step === 'encrypt' && error.responseCode !== undefined) return { outcome: 'transient', problem: `${places.encrypt}: ${NOT_OFFERED}`, said: '' };
  const status = error.responseCode;
  const said = scrubbed(withoutStatus(error.response ?? ''), server, mail);
  const words = said || scrubbed(error.message ?? '', server, mail);
  const [enhanced] = /^[245]\.\d{1,3}\.\d{1,3}(?=\s|$)/.exec(said) ?? [];
  const code = status && [status, enhanced].filter(Boolean).join(' ');
  const outcome = outcomeOf(step, status, error);
  const isNobodys = step === 'recipient' && outcome === 'permanent' && NOBODY.includes(enhanced);
  return { outcome, isNobodys, status, code, problem: `${places[step]}: ${status ? `${status} ` : ''}${words}`, said };
}

function stepOf(at, { code, command = '' }) {
  if (at === 'mail') return 'mail';
  if (code === 'ETLS' || (at === 'reach' && code === 'ESOCKET')) return 'encrypt';
  if (at !== 'sender') return at;
  if (command === 'RCPT TO') return 'recipient';
  return command === 'DATA' ? 'begin' : 'sender';
}

function outcomeOf(step, status, { code }) {
  // 530: it wants to know who we are first; 534, 535, 538: it does not take who we say we are.
  if ([530, 534, 535, 538].includes(status)) return 'authentication';
  const isRefused = status >= 500;
  if (step === 'signIn') return isRefused || code === 'EAUTH' && status === undefined ? 'authentication' : 'transient';
  if (step === 'reach' || step === 'encrypt') return 'transient';
  if (isRefused) return 'permanent';
  // All of the mail may have arrived.
  return step === 'mail' && status === undefined ? 'unknown_effect' : 'transient';
}

function statusOf(response) {
  return Number(/^\d{3}/.exec(response)?.[0]) || undefined;
}

function withoutStatus(response) {
  return response.replace(/^\d{3}[ -]/, '');
}

/** What a server says, without the address that it may repeat, and without who we are there. */
function scrubbed(said, { user, password }, { to }) {
  const hides = [[to, '[recipient]'], [to.split('@')[0], '[recipient]'], [password, '[redacted]'], [user, '[redacted]']];
  const clean = hides.reduce((text, [hidden, by]) => (hidden?.length > 2 ? text.replaceAll(hidden, by) : text), said);
  return clean.replace(/\p{Cc}+/gu, ' ').trim().slice(0, SAID_LIMIT);
}
