// The command behind `npm run keys`: creates, lists, rotates and revokes API keys. A new key is printed once and never again;
// nothing else that is printed holds one.

import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { connect } from '../databases/connection-config.js';
import { ApiKeys, HINT_LENGTH } from './api-keys.js';
import { loadEnvironment } from './environment.js';
import { WrongExpiry, endOfOverlap, expiry } from './key-expiry.js';

const usage = `usage: npm run keys -- create --name <name> [--expires <90d, 12h, 30m or a time>] [--scope <products:read> ...]
       npm run keys -- list [--format json]
       npm run keys -- rotate <id> [--overlap <24h>]
       npm run keys -- revoke <id>

A key may also be named by its first characters. Without \`--expires\` it never expires, without \`--scope\` it may do everything.`;

const commands = {
  async create(keys, { name = '', expires, scope }) {
    if (!/^\P{Cc}{1,100}$/u.test(name)) throw new Refused('a key needs a name of 1 to 100 characters');
    if (scope) checkScopes(scope);
    const now = Date.now();
    const expiresAt = expires === undefined ? null : expiry(expires, now);
    const { id, secret } = await keys.create(name, { expiresAt, scopes: scope ?? null, at: new Date(now).toISOString() });
    show(id, secret);
  },
  async list(keys, { format }) {
    const all = (await keys.list()).map((key) => ({ ...key, scopes: key.scopes?.split(' ') ?? null }));
    if (format === 'json') return console.log(JSON.stringify(all, null, 2));
    console.log(row('ID', 'STARTS', 'STATUS', 'CREATED', 'ENDS', 'LAST USED', 'REPLACED BY', 'SCOPES', 'NAME'));
    for (const key of all) {
      const times = [key.created_at, key.revoked_at ?? key.expires_at, key.last_used_at].map((time) => (time ? `${time.slice(0, 16)}Z` : '-'));
      console.log(row(key.id, key.hint, key.status, ...times, key.replaced_by ?? '-', key.scopes?.join(',') ?? 'everything', key.name));
    }
  },
  async rotate(keys, { id, overlap = '24h' }) {
    const until = endOfOverlap(overlap);
    const old = await named(keys, id);
    const made = await keys.rotate(old, until);
    if (!made) throw new Refused(`key ${old.id} has expired, or was replaced already`);
    show(made.id, made.secret);
    console.error(`key ${old.id} works until ${old.expires_at && old.expires_at < until ? old.expires_at : until}`);
  },
  async revoke(keys, { id }) {
    const key = await named(keys, id);
    await keys.revoke(key.id);
    console.error(`key ${key.id} stops working within a second`);
  },
};

/** Its message is for whoever typed the command. */
class Refused extends Error {}

loadEnvironment(new URL('../.env', import.meta.url));
const { command, options } = readArguments();
if (!command) {
  fail(usage);
} else {
  const database = await connect();
  try {
    await command(new ApiKeys(database), options);
  } catch (error) {
    if (!(error instanceof Refused || error instanceof WrongExpiry)) throw error;
    fail(error.message);
  } finally {
    await database.close();
  }
}

function readArguments() {
  try {
    const text = { type: 'string' };
    const { positionals, values } = parseArgs({
      allowPositionals: true,
      options: { name: text, id: text, expires: text, overlap: text, format: text, scope: { type: 'string', multiple: true } },
    });
    const [word, id = values.id, ...more] = positionals;
    const known = more.length === 0 && Object.hasOwn(commands, word ?? '');
    return { command: known ? commands[word] : undefined, options: { ...values, id } };
  } catch {
    return {};
  }
}

async function named(keys, text) {
  if (!text) throw new Refused(usage);
  const found = await keys.named(text);
  if (found.length === 1) return found[0];
  if (found.length > 1) throw new Refused(`several keys begin with \`${text}\`: name one by its id (${found.map((key) => key.id).join(', ')})`);
  throw new Refused(`no key that works has the id \`${shown(text)}\`, or begins so; \`list\` has them all`);
}

// Somebody may have typed a key in the place of an id.
function shown(text) {
  return text.startsWith('ipk_') && text.length > HINT_LENGTH ? `${text.slice(0, HINT_LENGTH)}...` : text;
}

/** A scope that no endpoint needs is a typing error. */
function checkScopes(scopes) {
  const openapi = JSON.parse(readFileSync(new URL('../documentation/openapi.json', import.meta.url), 'utf8'));
  const operations = Object.values(openapi.paths).flatMap((path) => Object.values(path));
  const needed = [...new Set(operations.flatMap((operation) => operation['x-required-scope'] ?? []))].sort();
  if (needed.length === 0) throw new Refused('no endpoint asks for an API key, so none needs a scope');
  const known = [...needed, ...new Set(needed.map((scope) => `*:${scope.split(':')[1]}`))];
  const wrong = scopes.find((scope) => !known.includes(scope));
  if (wrong === undefined) return;
  throw new Refused(`no endpoint needs the scope \`${shown(wrong)}\`; there are ${known.map((scope) => `\`${scope}\``).join(', ')}`);
}

function row(...cells) {
  const widths = [36, 8, 8, 17, 17, 17, 36, 24];
  return cells.map((cell, place) => cell.padEnd(widths[place] ?? 0)).join('  ');
}

function show(id, secret) {
  console.error(`key ${id}; it is shown this once and kept nowhere`);
  console.log(secret);
}

function fail(message) {
  console.error(message);
  process.exitCode = 2;
}
