// Whose turn it is to write, on a server that runs no transactions: one document of the database, which names who writes and holds what
// takes each of their writes back. It is noted before the write. Who writes no more is found out by others, who take back what is there.
// The native server keeps the same document.

import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { BSON } from 'mongodb';
import { Problem } from '../problem.js';

export const TURNS = 'producer_turns';
/** The code of an error: the same work may succeed at once. */
export const TURN_LOST = 'TURN_LOST';
const TURN = 'turn';
const DUPLICATE = 11000;
// Milliseconds. After that long without a step whoever has the turn is taken for dead: longer than a step may take.
const SILENCE = 5000;
const FIRST_PAUSE = 2;
const LONGEST_PAUSE = 50;

/** Takes the turns of one program, and knows what it has seen of others. Clocks of several machines are never compared. */
export class Turns {
  #turns;
  #database;
  #patience;
  #seen;

  constructor(database, patience) {
    this.#database = database;
    this.#turns = database.collection(TURNS);
    this.#patience = Math.max(patience, 2 * SILENCE);
  }

  async take() {
    const holder = randomUUID();
    const end = performance.now() + this.#patience;
    for (let pause = FIRST_PAUSE; ; pause = Math.min(2 * pause, LONGEST_PAUSE)) {
      if (await this.#insert(holder)) break;
      const found = await this.#turns.findOne({ _id: TURN });
      if (found && this.#isDead(found) && (await this.#takeOver(found, holder))) break;
      if (performance.now() > end) throw new Problem('unavailable', { late: 'lock_timeout' }, { cause: new Error('others write all the time') });
      await sleep(pause);
    }
    this.#seen = undefined;
    return new Turn(this.#database, this.#turns, holder);
  }

  async #insert(holder) {
    try {
      await this.#turns.insertOne({ _id: TURN, holder, step: BSON.Long.ZERO });
      return true;
    } catch (error) {
      if (error.code === DUPLICATE) return false;
      throw error;
    }
  }

  #isDead({ holder, step }) {
    const now = performance.now();
    if (this.#seen?.holder === holder && this.#seen.step === step) return now - this.#seen.since >= SILENCE;
    this.#seen = { holder, step, since: now };
    return false;
  }

  /** Of several who find somebody dead one takes the turn, and takes back what it says. */
  async #takeOver({ holder: dead, step, backs = {} }, holder) {
    const seen = { _id: TURN, holder: dead, step };
    const { matchedCount } = await this.#turns.updateOne(seen, { $set: { holder }, $inc: { step: BSON.Long.ONE } });
    if (matchedCount === 0) return false;
    const names = Object.keys(backs).sort().reverse();
    for (const name of names) await carryOut(this.#database, fromDocument(backs[name]));
    await this.#turns.updateOne({ _id: TURN, holder }, { $unset: { backs: '' } });
    return true;
  }
}

/** A turn that was taken. Nobody else writes until it is given up. */
class Turn {
  #database;
  #turns;
  #mine;
  #noted = [];
  #isLost = false;

  constructor(database, turns, holder) {
    this.#database = database;
    this.#turns = turns;
    this.#mine = { _id: TURN, holder };
  }

  /** Before the writes that they take back: `{ collection, remove }` or `{ collection, restore }`. */
  async note(backs) {
    if (backs.length === 0) return;
    const first = this.#noted.length;
    const set = Object.fromEntries(backs.map((back, index) => [`backs.b${String(first + index).padStart(6, '0')}`, toDocument(back)]));
    const { matchedCount } = await this.#turns.updateOne(this.#mine, { $set: set, $inc: { step: BSON.Long.ONE } });
    if (matchedCount === 0) {
      this.#isLost = true;
      throw lost();
    }
    this.#noted.push(...backs);
  }

  /** What was written stays. */
  async keep() {
    const { deletedCount } = await this.#turns.deleteOne(this.#mine);
    if (deletedCount === 0) throw lost();
  }

  /** What was written goes. Where that fails whoever comes next does it. */
  async undo() {
    const { matchedCount } = await this.#turns.updateOne(this.#mine, { $inc: { step: BSON.Long.ONE } });
    if (this.#isLost || matchedCount === 0) return;
    for (const back of this.#noted.reverse()) await carryOut(this.#database, back);
    await this.#turns.deleteOne(this.#mine);
  }
}

function lost() {
  const cause = new Error('it took too long between two writes, and others have taken back what was written');
  return new Problem('unavailable', {}, { cause: Object.assign(cause, { code: TURN_LOST }) });
}

/** A document is kept as its bytes: it may have names in it that mean something to a server. */
function toDocument({ collection, remove, restore }) {
  return restore ? { collection, restore: new BSON.Binary(BSON.serialize(restore)) } : { collection, remove };
}

function fromDocument({ collection, remove, restore }) {
  const bytes = restore instanceof BSON.Binary ? restore.buffer.subarray(0, restore.position) : restore;
  return restore ? { collection, restore: BSON.deserialize(bytes, { promoteValues: false }) } : { collection, remove };
}

/** Does no more when it is done again. */
async function carryOut(database, { collection, remove, restore }) {
  const documents = database.collection(collection);
  if (restore) await documents.replaceOne({ _id: restore._id }, restore, { upsert: true });
  else await documents.deleteOne({ _id: remove });
}
