// Which user a token of another issuer is about: what the token says comes in, who calls goes out. It is the user whom its `sub` was kept
// with; who comes for the first time is the user with the address that the token has proved, or a new one. An address that its account
// has not proved is nobody's: whoever has registered it first would get to see what its owner does.

import { uuidv7 } from './identifiers.js';
import { identityHash } from './issuer.js';

const NO_SESSION = '00000000-0000-0000-0000-000000000000';
const NOWHERE = 'account.invalid';
const ROLE = 'user';
const NAME_LIMIT = 100;

const findIdentity = `SELECT user_id FROM auth_identities WHERE hash = ?`;
const findAccount = `SELECT role, disabled_at FROM auth_accounts WHERE user_id = ?`;
// The column compares addresses without regard to case.
const findUser = `SELECT id FROM users WHERE email = ?`;
const findProof = `SELECT email_verified_at FROM auth_accounts WHERE user_id = ?`;
const insertUser = `INSERT INTO users (id, email, created_at, updated_at, row_version) VALUES (?, ?, ?, ?, ?)`;
const insertNamedUser = `INSERT INTO users (id, email, created_at, updated_at, row_version, name) VALUES (?, ?, ?, ?, ?, ?)`;
const insertAccount = `INSERT INTO auth_accounts (user_id, role, email_verified_at, created_at) VALUES (?, ?, ?, ?)`;
const insertIdentity = `INSERT INTO auth_identities (hash, issuer, subject, user_id, created_at) VALUES (?, ?, ?, ?, ?)`;

export class Identities {
  #database;
  #newcomers;

  /**
   * @param {import('./database.js').Database} database
   * @param {{ newcomers: 'made' | 'made_with_name' | 'refused' }} options what becomes of somebody whom nobody knows
   */
  constructor(database, { newcomers }) {
    this.#database = database;
    this.#newcomers = newcomers;
  }

  /** Who calls, or the problem that tells why that is nobody. */
  async find(issuer, issued, at) {
    const hash = identityHash(issuer, issued.subject);
    const known = (await this.#userOf(hash)) ?? (await this.#begun(issuer, hash, issued, at));
    if (!known) return { problem: 'unknown_user' };
    const account = await this.#database.optional(findAccount, [known]);
    if (!account) return { problem: 'unknown_user' };
    if (account.disabled_at !== null) return { problem: 'account_disabled' };
    return { caller: { identity: `user:${known}`, user_id: known, session_id: NO_SESSION, role: account.role } };
  }

  async #userOf(hash) {
    return (await this.#database.optional(findIdentity, [hash]))?.user_id;
  }

  /** The user, where one could be found or made. */
  async #begun(issuer, hash, issued, at) {
    try {
      if (!(await this.#begin(issuer, hash, issued, at))) return undefined;
    } catch (error) {
      // The first requests of somebody may come at once.
      if (error.name !== 'conflict') throw error;
    }
    return this.#userOf(hash);
  }

  /** Keeps whom the token is about, with a new user where nobody has its address. */
  async #begin(issuer, hash, { subject, email, name }, at) {
    const known = email && (await this.#database.optional(findUser, [email]));
    const account = known && (await this.#database.optional(findProof, [known.id]));
    if (account && account.email_verified_at === null) return false;
    if (!known && this.#newcomers === 'refused') return false;
    const id = known?.id ?? uuidv7();
    const time = new Date(at);
    await this.#database.transaction(async (transaction) => {
      if (!known) {
        const own = [id, email ?? `${id}@${NOWHERE}`, time, time, 1];
        if (this.#newcomers === 'made') await transaction.run(insertUser, own);
        else await transaction.run(insertNamedUser, [...own, nameOf(name, subject)]);
      }
      if (!account) await transaction.run(insertAccount, [id, ROLE, email ? time : null, time]);
      await transaction.run(insertIdentity, [hash, issuer, subject, id, time]);
    });
    return true;
  }
}

/** What a new user is called: as the token says, on one line; else by the subject. */
function nameOf(said, subject) {
  const line = (text) => text.replace(/\p{Cc}/gu, ' ').trim();
  return [...(line(said ?? '') || line(subject))].slice(0, NAME_LIMIT).join('');
}
