// The MongoDB database of an application: a pool of connections, commands, transactions of the server where it has them, and turns where it
// has not. What the server reports becomes a Problem where the caller can act on it. Values come back exactly as they do from any other
// engine: times in UTC with milliseconds, decimal numbers as such. Nothing here repeats the URL, which holds a password.

import { setTimeout as sleep } from 'node:timers/promises';
import { Long, MongoClient, MongoServerError, ObjectId } from 'mongodb';
import { Undone, started } from '../database.js';
import { Problem } from '../problem.js';
import { composeList, filled, ownStatements, rowOf } from './mongodb-commands.js';
import { TURN_LOST, TURNS, Turns } from './mongodb-turn.js';
import { Patience } from './patience.js';

/**
 * The connections of a program. Times are in milliseconds: how long a connection stays open without work, how long somebody waits for
 * one, how long a command may take.
 */
const usualPool = { min: 0, max: 10, idleTimeout: 30_000, acquireTimeout: 5000, statementTimeout: 10_000 };
// Milliseconds. How long a server is looked for, and how long one that is about to start is waited for, and how often it is asked.
const SELECTION_TIMEOUT = 2500;
const START_TIMEOUT = 30_000;
const START_INTERVAL = 500;
// A write in a turn may take less than it takes until others think that nobody writes any more.
const STEP_TIMEOUT = 3000;
const BATCH = 1000;
const ATTEMPTS = 4;
const RETRY_PAUSE = 50;
// Texts that are kept read.
const TEXT_LIMIT = 500;

// https://www.mongodb.com/docs/manual/reference/error-codes/
const conflicts = new Set([11000, 11001]);
const collisions = new Set([112, 251]);
const unavailable = new Set([...collisions, 50, 89, 91, 189, 262, 10107, 11600, 11602, 13435]);
const TIME_LIMIT = 50;
const REFUSED_BY_VALIDATOR = 121;
/** What is there already, or gone already: a collection, an index. */
const isSoAlready = new Set([48, 26, 27]);

const LEDGER = 'schema_migrations';
/** What each collection was made to hold, for servers that keep no validators. */
const VALIDATORS = 'producer_validators';
const COUNTERS = 'producer_counters';
const HOLDS = 'producer_holds';

/**
 * Connects, and waits for a server that is about to start.
 * @param {string} url `mongodb://user:password@host:port/database`
 * @param {URL} [folder] for engines whose databases are files
 * @param {Partial<typeof usualPool> & { startTimeout?: number }} [options]
 */
export async function openDatabase(url, folder, { startTimeout = START_TIMEOUT, ...bounds } = {}) {
  return started(new MongoDb(url, { ...usualPool, ...bounds }), startTimeout);
}

/** Removes a database with all that is in it. */
export async function dropDatabase(url) {
  const client = new MongoClient(checked(url), { serverSelectionTimeoutMS: SELECTION_TIMEOUT, ...(isAlone(url) && { directConnection: true }) });
  try {
    await client.db().dropDatabase();
  } finally {
    await client.close();
  }
}

/** Commands one after the other: alone, in a transaction of the server, or in a turn. */
class Connection {
  locksRows = false;
  lists = composeList;
  #database;
  #texts;
  #timeout;
  #session;
  #turn;

  constructor(database, texts, timeout, { session, turn } = {}) {
    this.#database = database;
    this.#texts = texts;
    this.#timeout = turn ? STEP_TIMEOUT : timeout;
    this.#session = session;
    this.#turn = turn;
  }

  async read(sql, values, kinds = {}) {
    const { statement, rows = (all) => all } = this.#statement(sql);
    const command = filled(statement.command, values);
    if (statement.hold && this.#session) await this.#holdDocuments(command);
    const documents = await this.#find(command);
    return rows(documents.map((document) => rowOf(document, statement.columns, kinds)));
  }

  async write(sql, values) {
    return (await this.#execute(sql, values)).count;
  }

  /** @returns the key of the new document */
  async insert(sql, values) {
    const { key } = await this.#execute(sql, values);
    return key instanceof Long ? key.toNumber() : key;
  }

  /** One command. */
  async script(text) {
    await this.#execute(text, []);
  }

  /** Of two that write one document the second is told to try again; a turn has the database for itself. */
  async hold(name) {
    if (this.#session) await this.#run({ update: HOLDS, updates: [{ q: { _id: name }, u: { $inc: { held: 1 } }, upsert: true }] });
  }

  async hasColumn() {
    return false;
  }

  async hasBrokenKey() {
    return false;
  }

  async hasLedger() {
    return (await this.#find({ listCollections: 1, filter: { name: LEDGER } })).length > 0;
  }

  /** Whether the server refuses a document that its collection's validator does not let pass. It is tried. */
  async keepsValidators() {
    const create = `trial_${new ObjectId().toHexString()}`;
    try {
      await this.#run({ create, validator: { $jsonSchema: { bsonType: 'object', required: ['wanted'] } } });
      await this.#run({ insert: create, documents: [{ _id: 1 }] });
      return false;
    } catch (error) {
      return (error.cause?.code ?? error.code) === REFUSED_BY_VALIDATOR;
    } finally {
      await this.#run({ drop: create }).catch(() => {});
    }
  }

  /**
   * A definition is no part of a transaction: each statement is a step that stays. The ledger says how many are done, so that whoever is
   * ended is followed by the next, also by the native server.
   */
  async applySteps({ scope, name, checksum }, statements) {
    const ledger = this.#database.collection(LEDGER);
    const entry = { _id: `${scope}/${name}` };
    await translated(() => ledger.updateOne(entry, { $setOnInsert: { scope, name, checksum, done: 0 } }, { upsert: true }));
    const { done } = await translated(() => ledger.findOne(entry));
    const keepsValidators = await this.keepsValidators();
    for (const [index, statement] of statements.entries()) {
      if (index < done) continue;
      for (const command of commandsOf(statement)) await this.#define(command, keepsValidators);
      await translated(() => ledger.updateOne(entry, { $set: { done: index + 1 } }));
    }
    await translated(() => ledger.updateOne(entry, { $set: { applied_at: new Date().toISOString() } }));
  }

  async #define(template, keepsValidators) {
    const [[word, on]] = Object.entries(template);
    const { validator, ...without } = template;
    const notes = this.#database.collection(VALIDATORS);
    let wasSo = false;
    try {
      const command = filled(keepsValidators ? template : without, []);
      if (word === 'renameCollection') await this.#rename(on, template.to);
      else if (word !== 'collMod' || keepsValidators) await this.#run(command);
    } catch (error) {
      if (!isSoAlready.has(error.cause?.code ?? error.code)) throw error;
      wasSo = true;
    }
    if (word === 'drop') await translated(() => notes.deleteOne({ _id: on }));
    if (validator && !(word === 'create' && wasSo)) {
      await translated(() => notes.updateOne({ _id: on }, { $set: { validator: JSON.stringify(validator) } }, { upsert: true }));
    }
  }

  async #rename(from, to) {
    await translated(() => this.#database.renameCollection(from, to));
    const notes = this.#database.collection(VALIDATORS);
    const note = await translated(() => notes.findOneAndDelete({ _id: from }));
    if (note) await translated(() => notes.insertOne({ ...note, _id: to }));
  }

  /** What belongs to the text of a statement. */
  #statement(sql) {
    const own = ownStatements.get(sql);
    if (own) return own;
    if (!sql.startsWith('{')) throw new Error(`MongoDB has no command for: ${sql}`);
    let known = this.#texts.get(sql);
    if (!known) {
      if (this.#texts.size >= TEXT_LIMIT) this.#texts.delete(this.#texts.keys().next().value);
      known = { statement: JSON.parse(sql), counts: sql.includes('"$made":"count"') };
      this.#texts.set(sql, known);
    }
    return known;
  }

  async #run(command, options = {}) {
    const said = await translated(() => inTime(this.#database.command(command, { session: this.#session, ...options }), this.#timeout));
    const [first] = said.writeErrors ?? [];
    if (first) throw problemOf(new MongoServerError({ message: first.errmsg, code: Number(first.code) }));
    return said;
  }

  async #find(command, options = {}) {
    let { cursor } = await this.#run({ ...command, ...(command.find && { batchSize: BATCH }) }, options);
    const found = [...cursor.firstBatch];
    while (Number(cursor.id) !== 0) {
      const id = Long.fromValue(cursor.id);
      ({ cursor } = await this.#run({ getMore: id, collection: command.find, batchSize: BATCH }, options));
      found.push(...cursor.nextBatch);
    }
    return found;
  }

  /** As they are kept, to the last bit. */
  #kept(collection, filter) {
    return this.#find({ find: collection, filter }, { promoteValues: false });
  }

  async #holdDocuments({ find, filter }) {
    await this.#run({ update: find, updates: [{ q: filter, u: { $set: { _held: new ObjectId() } }, multi: true }] });
  }

  async #execute(sql, values) {
    const { statement, counts } = this.#statement(sql);
    const counted = counts ? await this.#count(Object.values(statement.command)[0]) : undefined;
    for (const reference of statement.references ?? []) await this.#mustBeThere(reference, values);
    const command = filled(statement.command, values, counted);
    const [[word, collection]] = Object.entries(command);
    const key = newKey(command);
    const restored = (document) => ({ collection, restore: document });
    if (statement.replaces) {
      const q = filled(statement.replaces, values);
      if (this.#turn) await this.#turn.note((await this.#kept(collection, q)).map(restored));
      await this.#run({ delete: collection, deletes: [{ q, limit: 0 }] });
    }
    const filter = (command.updates ?? command.deletes)?.[0].q;
    if (filter && (this.#turn || word === 'delete')) {
      const found = await this.#kept(collection, filter);
      if (statement.followers) await this.#follow(statement.followers, found);
      const made = key !== undefined && found.length === 0 ? [{ collection, remove: key }] : [];
      await this.#turn?.note([...found.map(restored), ...made]);
    } else if (this.#turn && key !== undefined) {
      // What takes it back must not take what is there already.
      if ((await this.#find({ find: collection, filter: { _id: key }, limit: 1 })).length > 0) throw new Problem('conflict');
      await this.#turn.note([{ collection, remove: key }]);
    }
    const said = await this.#run(command);
    return { key, count: statement.counts === 'upserted' ? (said.upserted ?? []).length : Number(said.n ?? 0) };
  }

  /** A document that another one is to lead to. What has no value leads nowhere, which is no fault. */
  async #mustBeThere({ collection, filter: template }, values) {
    const filter = filled(template, values);
    if (Object.values(filter).every((compared) => compared?.$in !== undefined)) return;
    const found = await this.#find({ find: collection, filter, limit: 1, projection: { _id: 1 } });
    if (found.length === 0) throw new Problem('in_use');
  }

  /** What becomes of the documents that lead to those that go. */
  async #follow(followers, gone) {
    for (const { collection, field, leads, on_delete: way, followers: further = [] } of followers) {
      const keys = gone.map((document) => document[leads]).filter((key) => key !== undefined);
      if (keys.length === 0) continue;
      const q = { [field]: { $in: keys } };
      const found = await this.#kept(collection, q);
      if (found.length === 0) continue;
      const ids = new Set(gone.map(({ _id }) => String(_id)));
      // A document that leads to itself goes with itself.
      if (way === 'restrict' && found.some(({ _id }) => !ids.has(String(_id)))) throw new Problem('in_use');
      if (way === 'cascade') await this.#follow(further, found);
      if (way === 'restrict') continue;
      await this.#turn?.note(found.map((document) => ({ collection, restore: document })));
      if (way === 'cascade') await this.#run({ delete: collection, deletes: [{ q, limit: 0 }] });
      else await this.#run({ update: collection, updates: [{ q, u: { $unset: { [field]: '' } }, multi: true }] });
    }
  }

  /** The next number of a collection; one that was given out is not given out again, whatever comes of it. */
  async #count(collection) {
    const counter = (update) => inTime(this.#database.command({ findAndModify: COUNTERS, query: { _id: collection }, update, new: true, upsert: true }), this.#timeout);
    const documents = this.#database.collection(collection);
    return translated(async () => {
      for (;;) {
        const { value } = await counter({ $inc: { last: Long.ONE } });
        const next = Long.fromValue(value.last);
        if ((await documents.findOne({ _id: next })) === null) return next;
        // Somebody has given documents numbers of their own.
        const [{ _id: last }] = await documents.find().sort({ _id: -1 }).limit(1).toArray();
        await counter({ $max: { last: Long.fromValue(last) } });
      }
    });
  }
}

/** The key of the document that a command may make; it gets one where it has none. */
function newKey({ documents, updates }) {
  if (documents) return (documents[0]._id ??= new ObjectId());
  const [change] = updates ?? [];
  if (!change?.upsert) return undefined;
  // A filter that names the key decides about it.
  if (change.q._id !== undefined) return change.q._id.$eq ?? change.q._id;
  change.u.$setOnInsert ??= {};
  return (change.u.$setOnInsert._id ??= new ObjectId());
}

class MongoDb {
  ending = '.js';
  lists = composeList;
  #client;
  #database;
  #bounds;
  #patience;
  #texts = new Map();
  #turns;
  #hasTransactions;
  /** Those of this program who write, one after the other. */
  #last = Promise.resolve();

  constructor(url, bounds) {
    this.#bounds = bounds;
    this.#client = new MongoClient(checked(url), {
      appName: 'Integration Producer',
      maxPoolSize: bounds.max,
      minPoolSize: bounds.min,
      maxIdleTimeMS: bounds.idleTimeout,
      waitQueueTimeoutMS: bounds.acquireTimeout,
      connectTimeoutMS: bounds.acquireTimeout,
      serverSelectionTimeoutMS: SELECTION_TIMEOUT,
      ignoreUndefined: true,
      ...(isAlone(url) && { directConnection: true }),
    });
    this.#database = this.#client.db();
    this.#patience = new Patience(bounds.acquireTimeout, () => false);
    this.#turns = new Turns(this.#database, bounds.acquireTimeout);
  }

  #connection(way) {
    return new Connection(this.#database, this.#texts, this.#bounds.statementTimeout, way);
  }

  read(sql, values, kinds) {
    return this.#patience.read(() => this.#connection().read(sql, values, kinds));
  }

  ping(sql) {
    return this.#connection().read(sql, []);
  }

  write(sql, values) {
    return this.transaction((connection) => connection.write(sql, values));
  }

  script(text) {
    return this.transaction((connection) => connection.script(text));
  }

  hasLedger() {
    return this.#connection().hasLedger();
  }

  hasColumn() {
    return this.#connection().hasColumn();
  }

  /** Each step is done by whoever comes first, and does no more when another one does it again. */
  migrating(work) {
    return work(this.#connection());
  }

  async transaction(work) {
    for (let attempt = 1; ; attempt += 1) {
      try {
        this.#hasTransactions ??= await this.#trial();
        return await (this.#hasTransactions ? this.#inSession(work) : this.#inTurn(work));
      } catch (error) {
        if (attempt === ATTEMPTS || !hasCollided(error)) throw error;
      }
      await sleep(Math.random() * RETRY_PAUSE * attempt);
    }
  }

  async #inSession(work) {
    const session = this.#client.startSession();
    try {
      session.startTransaction();
      const result = await work(this.#connection({ session }));
      await (result instanceof Undone ? translated(() => session.abortTransaction()) : ended(() => session.commitTransaction()));
      return result;
    } catch (error) {
      if (session.inTransaction()) await session.abortTransaction().catch(() => {});
      throw error;
    } finally {
      await session.endSession();
    }
  }

  async #inTurn(work) {
    const before = this.#last;
    let done;
    this.#last = new Promise((resolve) => (done = resolve));
    try {
      await before;
      const turn = await translated(() => this.#turns.take());
      let result;
      try {
        result = await work(this.#connection({ turn }));
      } catch (error) {
        // Where it fails whoever comes next does it.
        await turn.undo().catch(() => {});
        throw error;
      }
      await (result instanceof Undone ? translated(() => turn.undo()) : ended(() => turn.keep()));
      return result;
    } finally {
      done();
    }
  }

  /** Whether the server takes back what a transaction has written. It is tried, and leaves nothing. */
  async #trial() {
    const turns = this.#database.collection(TURNS);
    const trial = { _id: new ObjectId().toHexString() };
    const session = this.#client.startSession();
    try {
      session.startTransaction();
      await turns.insertOne({ ...trial }, { session });
      await session.abortTransaction();
      return (await translated(() => turns.findOneAndDelete(trial))) === null;
    } catch (error) {
      if (problemOf(error) instanceof Problem) throw problemOf(error);
      return false;
    } finally {
      await session.endSession();
    }
  }

  /** Makes the first connection, or says what keeps it from being made. */
  async start(timeout) {
    const deadline = performance.now() + timeout;
    for (;;) {
      try {
        await this.#database.command({ ping: 1 });
        return;
      } catch (error) {
        if (!isAway(error) || performance.now() + START_INTERVAL > deadline) {
          throw new Error(`the database cannot be reached: ${error.message}`, { cause: error });
        }
        await sleep(START_INTERVAL);
      }
    }
  }

  async close() {
    await this.#client.close();
  }
}

function checked(url) {
  if (!/^mongodb(\+srv)?:\/\/[^/]+\/[^/?]+/.test(url)) throw new Error('`DATABASE_URL` must be `mongodb://user:password@host:port/database`');
  return url;
}

/** A member of a set that is named alone is meant alone. */
function isAlone(url) {
  const [, hosts] = /^mongodb:\/\/([^/]+)/.exec(url) ?? [, ','];
  return !hosts.includes(',') && !/[?&]replicaSet=/i.test(url);
}

/** The commands of a part of a migration. */
function commandsOf(statement) {
  const parts = statement.replace(/^(?:\/\/.*\n)+/, '').split(';\n');
  return parts.map((part) => /^db\.runCommand\(([^]*)\);?$/.exec(part.trim())?.[1]).filter((text) => text !== undefined).map((text) => JSON.parse(text));
}

async function inTime(answer, limit) {
  const patience = new AbortController();
  const late = async () => {
    await sleep(limit, undefined, { signal: patience.signal });
    throw new Problem('unavailable', { late: 'statement_timeout' }, { cause: new Error('no answer in time') });
  };
  const waiting = late();
  // It may end when nobody listens any more.
  answer.catch(() => {});
  waiting.catch(() => {});
  try {
    return await Promise.race([answer, waiting]);
  } finally {
    patience.abort();
  }
}

async function translated(ask) {
  try {
    return await ask();
  } catch (error) {
    throw problemOf(error);
  }
}

/** A server that says nothing to the end of a transaction may have taken it. */
async function ended(end) {
  try {
    await translated(end);
  } catch (error) {
    throw error.isLost || error.late ? new Problem('unavailable', { uncertain: true }, { cause: error.cause }) : error;
  }
}

function problemOf(error) {
  if (error instanceof Problem || error instanceof RangeError || error instanceof TypeError) return error;
  const { code } = error;
  if (conflicts.has(code) || isUniqueBelow(error)) return new Problem('conflict', {}, { cause: error });
  if (isCollision(error)) return new Problem('unavailable', {}, { cause: error });
  if (error.name === 'MongoWaitQueueTimeoutError') return new Problem('unavailable', { late: 'pool_exhausted' }, { cause: error });
  if (code === TIME_LIMIT) return new Problem('unavailable', { late: 'statement_timeout' }, { cause: error });
  if (isAway(error)) return new Problem('unavailable', { isLost: true }, { cause: error });
  return unavailable.has(code) ? new Problem('unavailable', {}, { cause: error }) : error;
}

/** What FerretDB passes on of the database under it, where an update meets a unique value, as if it were a failure of its own. */
function isUniqueBelow({ code, message }) {
  return code === 1 && /UNIQUE constraint failed|duplicate key value violates unique constraint/.test(message);
}

/** Another transaction was in the way, or somebody has taken the turn away. The same work may succeed at once. */
function hasCollided({ cause }) {
  return cause !== undefined && (cause.code === TURN_LOST || isCollision(cause));
}

function isCollision(error) {
  return collisions.has(error.code) || error.hasErrorLabel?.('TransientTransactionError') === true;
}

// A server that does not listen yet, is not known by its name yet, or is ending.
function isAway(error) {
  return ['MongoServerSelectionError', 'MongoNetworkError', 'MongoNetworkTimeoutError', 'MongoPoolClearedError', 'MongoPoolClosedError', 'MongoTopologyClosedError'].includes(error.name);
}
