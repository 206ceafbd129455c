// What is of MongoDB alone: that it has a command for what `lib/` says in SQL, and turns in the place of transactions.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { MongoClient } from 'mongodb';
import { dropDatabase, openDatabase } from '../database/mongodb.js';
import { ownStatements } from '../database/mongodb-commands.js';
import { Turns } from '../database/mongodb-turn.js';
import { undo } from '../database.js';

const server = process.env.TEST_MONGODB_URL;
const skip = server ? false : 'TEST_MONGODB_URL is not set';

// The ledger is the engine's own business, step by step.
const ofOthers = ['schema_migration_steps', 'INSERT INTO schema_migrations'];

test('there is a command for everything that is said in SQL', () => {
  const files = ['api-keys', 'database', 'idempotency', 'migrations', 'outbox'];
  const texts = files.flatMap((file) => {
    const source = readFileSync(new URL(`../${file}.js`, import.meta.url), 'utf8');
    return [...source.matchAll(/= `((?:SELECT|INSERT|UPDATE|DELETE) [^`]+)`/g)].map(([, text]) => text);
  });
  assert.ok(texts.length > 15);
  for (const text of texts.filter((one) => !ofOthers.some((part) => one.includes(part)))) assert.ok(ownStatements.has(text), text);
});

test('what is undone leaves nothing, and a value that is taken is a conflict', { skip }, async (context) => {
  const database = await openDatabase(place(context));
  context.after(() => database.close());
  const insert = JSON.stringify({ command: { insert: 'things', documents: [{ _id: { $bind: 0 }, count: { $bind: 1 } }] } });
  const raise = JSON.stringify({ command: { update: 'things', updates: [{ q: { _id: { $eq: { $bind: 0 } } }, u: { $inc: { count: 5 } } }] } });
  const counts = async () => (await database.many('{"command":{"find":"things","filter":{},"sort":{"_id":1}},"columns":[["count",""]]}')).map(({ count }) => count);
  await database.run(insert, ['a', 1]);
  await database.transaction(async (transaction) => {
    await transaction.run(raise, ['a']);
    await transaction.run(insert, ['b', 2]);
    return undo();
  });
  assert.deepEqual(await counts(), [1]);
  const collides = database.transaction(async (transaction) => {
    await transaction.run(raise, ['a']);
    await transaction.run(insert, ['a', 2]);
  });
  await assert.rejects(collides, { name: 'conflict' });
  assert.deepEqual(await counts(), [1]);
});

test('what somebody has begun to write who is gone is taken back by whoever comes next', { skip }, async (context) => {
  const client = new MongoClient(place(context), { directConnection: true });
  context.after(() => client.close());
  const things = client.db().collection('things');
  await things.insertOne({ _id: 'a', count: 1 });
  const gone = await new Turns(client.db(), 0).take();
  await gone.note([{ collection: 'things', restore: await things.findOne({ _id: 'a' }, { promoteValues: false }) }, { collection: 'things', remove: 'b' }]);
  await things.updateOne({ _id: 'a' }, { $set: { count: 9 } });
  await things.insertOne({ _id: 'b', count: 2 });
  const turn = await new Turns(client.db(), 0).take();
  assert.deepEqual(await things.find().toArray(), [{ _id: 'a', count: 1 }]);
  await assert.rejects(gone.keep(), { name: 'unavailable' });
  await turn.keep();
});

/** A database of the test's own. */
function place(context) {
  const url = server.replace(/\/[^/]*$/, `/test_${randomBytes(8).toString('hex')}`);
  context.after(() => dropDatabase(url));
  return url;
}
