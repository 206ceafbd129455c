// The command behind `npm run keys`: creates, lists and revokes API keys. A new key is printed once and never again.

import { parseArgs } from 'node:util';
import { connect } from '../databases/connection-config.js';
import { ApiKeys } from './api-keys.js';
import { loadEnvironment } from './environment.js';

const usage = `usage: npm run keys -- create --name <name>
       npm run keys -- list
       npm run keys -- revoke --id <id>`;

const commands = {
  create(keys, { name }) {
    if (!name) return fail(usage);
    console.log(keys.create(name).secret);
  },
  list(keys) {
    for (const key of keys.list()) {
      console.log([key.id, `${key.hint}...`, key.created_at, key.revoked_at ? `revoked ${key.revoked_at}` : 'active', key.name].join('  '));
    }
  },
  revoke(keys, { id }) {
    if (!id) return fail(usage);
    if (!keys.revoke(id)) fail(`no active key has the id \`${id}\``);
  },
};

loadEnvironment(new URL('../.env', import.meta.url));
const { command, options } = readArguments();
if (!command) {
  fail(usage);
} else {
  const database = connect();
  command(new ApiKeys(database), options);
  database.close();
}

function readArguments() {
  try {
    const { positionals, values } = parseArgs({
      allowPositionals: true,
      options: { name: { type: 'string' }, id: { type: 'string' } },
    });
    const known = positionals.length === 1 && Object.hasOwn(commands, positionals[0]);
    return { command: known ? commands[positionals[0]] : undefined, options: values };
  } catch {
    return {};
  }
}

function fail(message) {
  console.error(message);
  process.exitCode = 2;
}
