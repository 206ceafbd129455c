// Runs the application on a free port with a database of its own, and asks it what `cases.json` says. Every case gets a
// fresh application, so that none depends on what another one counted or stored.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { buildApplication } from '../application.js';
import { connect } from '../databases/connection-config.js';
import { ApiKeys } from '../lib/api-keys.js';
import { createServer, listen } from '../lib/server.js';
import { closeServer } from '../lib/shutdown.js';

/** In an expected header or body: anything, but present. */
const ANYTHING = '${any}';
/** In a request header: a working API key. */
const API_KEY = '${api_key}';
/** In the path of a request, or in an expected body: the id of what the request before made. */
const ID = '${id}';
/** In the path of a request: the id of what the request before that made. */
const PARENT = '${parent}';
/** In a body: another short text in every request, for values that must be unique. */
const UNIQUE = '${unique}';

let requests = 0;

const cases = JSON.parse(readFileSync(new URL('cases.json', import.meta.url), 'utf8'));

for (const { name, repeat = 1, parent, before, request: asked, expect: wanted } of cases) {
  test(name, async (context) => {
    const application = await start(context);
    const parentId = parent && (await make(application, parent));
    const id = before && (await make(application, { ...before, path: withId(before.path, PARENT, parentId) }));
    const request = { ...asked, path: withId(withId(asked.path, PARENT, parentId), ID, id) };
    const expect = { ...wanted, body: withId(wanted.body, ID, id) };
    let answer;
    for (let count = 0; count < repeat; count += 1) answer = await send(application, request);
    assert.equal(answer.status, expect.status, answer.text);
    for (const [header, value] of Object.entries(expect.headers ?? {})) {
      const given = answer.headers[header.toLowerCase()];
      assert.ok(given !== undefined, `no header ${header}`);
      if (value !== ANYTHING) assert.equal(given, value, header);
    }
    if (expect.body !== undefined) assertMatches(JSON.parse(answer.text), expect.body, 'body');
  });
}

async function start(context) {
  const folder = mkdtempSync(join(tmpdir(), '{{ api }}-'));
  const database = connect(`file:${folder}/app.sqlite`);
  const { secret: key } = new ApiKeys(database).create('test');
  const server = createServer(buildApplication(database).listener());
  const url = new URL(await listen(server, { host: '127.0.0.1', port: 0 }));
  context.after(async () => {
    await closeServer(server);
    database.close();
    rmSync(folder, { recursive: true });
  });
  return { url, key };
}

/** Sends what a case asks for first. @returns {Promise<string | undefined>} the id of what it made */
async function make(application, request) {
  const { status, text } = await send(application, request);
  assert.ok(status >= 200 && status < 300, text);
  return text === '' ? undefined : JSON.parse(text).id;
}

/** The text, or every text in the document, with the id in its place. */
function withId(document, place, id) {
  if (document === undefined || id === undefined) return document;
  return JSON.parse(JSON.stringify(document).replaceAll(place, JSON.stringify(String(id)).slice(1, -1)));
}

// Not `fetch`: it adds headers, and refuses to send some.
function send({ url, key }, { method, path, headers = {}, body, text }) {
  const payload = body === undefined ? text : JSON.stringify(body).replaceAll(UNIQUE, String((requests += 1)));
  const all = body === undefined ? {} : { 'content-type': 'application/json' };
  // The client names no length of its own accord where a DELETE has a body.
  if (payload !== undefined) all['content-length'] = Buffer.byteLength(payload);
  for (const [name, value] of Object.entries(headers)) all[name.toLowerCase()] = value.replaceAll(API_KEY, key);
  return new Promise((resolve, reject) => {
    const options = { host: url.hostname, port: url.port, method, path, headers: all, agent: false };
    const outgoing = http.request(options, async (incoming) => {
      const chunks = await incoming.toArray();
      resolve({ status: incoming.statusCode, headers: incoming.headers, text: Buffer.concat(chunks).toString() });
    });
    outgoing.on('error', reject);
    outgoing.end(payload);
  });
}

/** Of objects the expected keys are compared, arrays are compared whole. */
function assertMatches(given, expected, place) {
  if (expected === ANYTHING) {
    assert.notEqual(given, undefined, `${place} is missing`);
  } else if (Array.isArray(expected)) {
    assert.ok(Array.isArray(given), `${place} is no array`);
    assert.equal(given.length, expected.length, `${place} has another length`);
    expected.forEach((element, index) => assertMatches(given[index], element, `${place}/${index}`));
  } else if (typeof expected === 'object' && expected !== null) {
    assert.ok(typeof given === 'object' && given !== null, `${place} is no object`);
    for (const [key, value] of Object.entries(expected)) assertMatches(given[key], value, `${place}/${key}`);
  } else {
    assert.equal(given, expected, place);
  }
}
