// What proves a call and does not come with it: a call of a provider comes in, the certificate behind its signature or the provider's own word
// goes out. Only the provider's domains are asked, so often and so long as it is bounded here; nothing is kept but certificates, for a while.

import { logWarning } from '../log.js';
import { certificateUrl, whomWeTrust } from './certificate.js';
import { send } from './client.js';
import { Stranger, Unproved } from './signature.js';
import { asSent, written } from './values.js';
import { parsed, told } from './webhook.js';

// How much of a file with certificates is read, in bytes, and for how long, in milliseconds.
const MOST_BYTES = 64 * 1024;
const WITHIN = 10_000;
// For how long a certificate is taken without asking again, and how many are kept: a provider has a few.
const KEPT = 3_600_000;
const MOST_KEPT = 16;
// For how long it is remembered that an address gave none, so that nobody has us ask again and again.
const REFUSED = 60_000;
// Most files that are fetched in a minute, whatever addresses calls name.
const MOST_FETCHED = 20;
const MINUTE = 60_000;
// Most calls about which the provider is asked at once.
const MOST_ASKED = 8;

export class Prover {
  #account;
  #fetch;
  #trusted;
  /** Address -> its file, or that there is none, and until when that counts. */
  #kept = new Map();
  /** When files were fetched in the last minute. */
  #fetched = [];
  /** The last file that somebody wanted: who wants another one waits. */
  #before = Promise.resolve();
  #asked = 0;

  /** @param {{ fetch?: (url: string) => Promise<Buffer>, trusted?: import('node:crypto').X509Certificate[] }} [parts] for tests */
  constructor(account, { fetch = (url) => fetched(url, account.instead), trusted } = {}) {
    this.#account = account;
    this.#fetch = fetch;
    this.#trusted = trusted;
  }

  /**
   * What proves a call, as its provider's module says. Throws a `Stranger` where it is not the provider's, `Unproved` where nobody can tell now.
   * @returns {Promise<{ certificate?: { file: Buffer, trusted: object[] }, isConfirmed: boolean }>}
   */
  async bring(call) {
    const proofs = { isConfirmed: false };
    for (const { certificate, ask, input } of this.#account.service.webhooks.proofs) {
      if (certificate) {
        const file = await this.#file(certificateUrl(call, certificate), call.arrived);
        proofs.certificate = { file, trusted: (this.#trusted ??= whomWeTrust()) };
      } else {
        proofs.isConfirmed = await this.#confirmed(ask, input, call);
      }
    }
    return proofs;
  }

  #file(url, now) {
    const found = this.#before.then(() => this.#found(url, now));
    this.#before = found.catch(() => {});
    return found;
  }

  async #found(url, now) {
    const known = this.#kept.get(url);
    if (known && now < known.until) return contentOf(known);
    this.#fetched = this.#fetched.filter((at) => now - at < MINUTE);
    if (this.#fetched.length >= MOST_FETCHED) throw new Unproved();
    this.#fetched.push(now);
    let content;
    try {
      content = await this.#fetch(url);
    } catch (error) {
      logWarning('no certificate came', { provider: this.#account.service.title, reason: error.message });
    }
    for (const [address, { until }] of this.#kept) if (now >= until) this.#kept.delete(address);
    if (this.#kept.size >= MOST_KEPT) this.#kept.delete(this.#kept.keys().next().value);
    const file = { content, until: now + (content ? KEPT : REFUSED) };
    this.#kept.set(url, file);
    return contentOf(file);
  }

  async #confirmed(operation, input, call) {
    if (this.#asked >= MOST_ASKED) throw new Unproved();
    this.#asked += 1;
    try {
      const { scope, service } = this.#account;
      const { outcome } = await operation(this.#account, written(input(told(scope, call, parsed(service.webhooks.body, call.body))), asSent));
      if (outcome.means === 'permanent') throw new Stranger('the provider says that it is not its own');
      if (outcome.means !== 'done') throw new Unproved();
      return true;
    } finally {
      this.#asked -= 1;
    }
  }
}

function contentOf({ content }) {
  if (content === undefined) throw new Unproved();
  return content;
}

/** What is simulated stands in for every address of the provider. */
async function fetched(address, instead) {
  const { pathname, search } = new URL(address);
  const url = instead === undefined ? address : `${instead}${pathname}${search}`;
  const { answer, neverConnected, broken } = await send({ method: 'GET', url, headers: [], body: '' }, { within: WITHIN, isOurs: instead !== undefined, mostBytes: MOST_BYTES });
  if (answer === undefined) throw new Error(neverConnected ?? broken);
  if (answer.isCut) throw new Error('its file is longer than a certificate');
  if (answer.status !== 200) throw new Error(`its address answers with ${answer.status}`);
  return answer.body;
}
