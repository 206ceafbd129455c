// Runs the application on a free port with a database of its own, and asks it. `cases.json` holds the plain questions;
// below are those that need raw bytes, several answers, or a look into the database. Every case gets a fresh application,
// so that none depends on what another one counted or stored.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { buildApplication } from '../application.js';
import { connect } from '../databases/connection-config.js';
import { ApiKeys } from '../lib/api-keys.js';
import { createServer, listen } from '../lib/server.js';
import { closeServer } from '../lib/shutdown.js';

const ANYTHING = '${any}';
const API_KEY = '${api_key}';
const ID = '${id}';
/** In a body: another short text in every request, for values that must be unique. */
const UNIQUE = '${unique}';

let requests = 0;

const cases = JSON.parse(readFileSync(new URL('cases.json', import.meta.url), 'utf8'));

for (const { name, repeat = 1, before, request: asked, expect: wanted } of cases) {
  test(name, async (context) => {
    const application = await start(context);
    const id = before && (await make(application, before));
    const request = { ...asked, path: withId(asked.path, id) };
    const expect = { ...wanted, body: withId(wanted.body, id) };
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

const message = { name: ' Ada ', email: 'Ada@example.com', message: 'one\ntwo' };

test('a contact message and its event are stored together', async (context) => {
  const application = await start(context);
  const answer = await send(application, { method: 'POST', path: '/api/contact', headers: { 'x-api-key': API_KEY }, body: message });
  const { id, received_at } = JSON.parse(answer.text);
  assert.match(received_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  assert.deepEqual({ ...application.database.one('SELECT * FROM contact_messages') }, {
    id,
    name: 'Ada',
    email: 'Ada@example.com',
    phone: null,
    company: null,
    subject: null,
    message: 'one\ntwo',
    created_at: received_at,
  });
  const event = application.database.one('SELECT name, payload, occurred_at FROM outbox_events');
  assert.equal(event.name, 'contact_form');
  assert.equal(event.occurred_at, received_at);
  assert.equal(
    event.payload,
    `{"id":"${id}","name":"Ada","email":"Ada@example.com","phone":null,"company":null,"subject":null,"message":"one\\ntwo","created_at":"${received_at}"}`,
  );
});

test('the answer does not reveal that an address is subscribed', async (context) => {
  const application = await start(context);
  const subscribe = (email) =>
    send(application, { method: 'POST', path: '/api/newsletter', headers: { 'x-request-id': 'same' }, body: { email } });
  const first = await subscribe('ada@example.com');
  const second = await subscribe('ADA@example.com');
  assert.equal(second.text, first.text);
  assert.deepEqual(comparable(second.headers), comparable(first.headers));
  assert.equal(application.database.one('SELECT count(*) AS rows FROM newsletter_subscribers').rows, 1);
  assert.equal(application.database.one('SELECT count(*) AS rows FROM outbox_events').rows, 1);
});

test('HEAD has the headers of GET and no body', async (context) => {
  const application = await start(context);
  const get = await send(application, { method: 'GET', path: '/healthz', headers: { 'x-request-id': 'same' } });
  const head = await send(application, { method: 'HEAD', path: '/healthz', headers: { 'x-request-id': 'same' } });
  assert.equal(head.text, '');
  assert.deepEqual(comparable(head.headers), comparable(get.headers));
});

test('a chunked body is refused as soon as it passes the limit, while its sender goes on', async (context) => {
  const application = await start(context);
  const chunk = `2000\r\n${'x'.repeat(0x2000)}\r\n`;
  const head = 'POST /api/newsletter HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n';
  const { text, errors } = await converse(application, head, chunk);
  assert.match(text, /^HTTP\/1\.1 413 /);
  assert.match(text, /\r\nConnection: close\r\n/);
  assert.match(text, /the body may have at most 65536 bytes/);
  assert.match(text, /\r\nRateLimit: "default";r=99;t=60\r\n/);
  assert.deepEqual(errors, []);
  assert.equal((await send(application, { method: 'GET', path: '/healthz' })).status, 200);
});

test('a body that is announced too large is refused without being asked for', async (context) => {
  const application = await start(context);
  const { text } = await converse(
    application,
    'POST /api/newsletter HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 65537\r\nExpect: 100-continue\r\n\r\n',
  );
  assert.match(text, /^HTTP\/1\.1 413 /);
});

test('a body that does not arrive is answered 408', { timeout: 20_000 }, async (context) => {
  const application = await start(context);
  const { text } = await converse(
    application,
    'POST /api/newsletter HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"em',
  );
  assert.match(text, /^HTTP\/1\.1 408 /);
  assert.match(text, /\r\nConnection: close\r\n/);
  assert.match(text, /urn:problem-type:request-timeout/);
});

test('what is not HTTP is answered with a problem', async (context) => {
  const application = await start(context);
  for (const bytes of ['nonsense\r\n\r\n', 'GET /healthz HTTP/1.1\r\n\r\n', 'GET / HTTP/1.1\r\nHost a\r\n\r\n']) {
    const { text } = await converse(application, bytes);
    assert.match(text, /^HTTP\/1\.1 400 /, bytes);
    assert.match(text, /\r\nContent-Type: application\/problem\+json\r\n/);
    assert.match(text, /"type":"urn:problem-type:malformed-request","title":"Malformed request","status":400,"detail":"the request is not valid HTTP"/);
  }
});

test('failed attempts to authenticate are limited by address', async (context) => {
  const application = await start(context);
  const attempt = (key) => send(application, { method: 'POST', path: '/api/contact', headers: { 'x-api-key': key }, body: message });
  const first = await attempt('wrong');
  assert.equal(first.status, 401);
  assert.equal(first.headers['ratelimit'], '"default";r=99;t=60');
  for (let count = 0; count < 99; count += 1) await attempt('wrong');
  assert.equal((await attempt('wrong')).status, 429);
  assert.equal((await attempt(API_KEY)).status, 201);
});

test('a revoked key stops working within a second', async (context) => {
  const application = await start(context);
  const attempt = () => send(application, { method: 'POST', path: '/api/contact', headers: { 'x-api-key': API_KEY }, body: message });
  assert.equal((await attempt()).status, 201);
  application.database.run('UPDATE api_keys SET revoked_at = ?', [new Date().toISOString()]);
  await new Promise((resolve) => setTimeout(resolve, 1000));
  assert.equal((await attempt()).status, 401);
});

test('a failure is a 500 that says nothing, and keeps nothing', async (context) => {
  const application = await start(context);
  const logged = context.mock.method(console, 'error', () => {});
  application.database.exec('DROP TABLE outbox_events');
  const answer = await send(application, { method: 'POST', path: '/api/contact', headers: { 'x-api-key': API_KEY }, body: message });
  assert.equal(answer.status, 500);
  const problem = JSON.parse(answer.text);
  assert.equal(problem.detail, 'the server failed; the request id finds the cause in its log');
  assert.equal(answer.headers['ratelimit'], '"default";r=99;t=60');
  assert.equal(application.database.one('SELECT count(*) AS rows FROM contact_messages').rows, 0);
  assert.equal(logged.mock.callCount(), 1);
  const line = JSON.parse(logged.mock.calls[0].arguments[0]);
  assert.equal(line.request_id, problem.request_id);
  assert.match(line.error, /no such table: outbox_events\n +at /);
  assert.ok(!logged.mock.calls[0].arguments[0].includes(application.key));
});

test('a database that does not answer is a 503', async (context) => {
  const application = await start(context);
  context.mock.method(console, 'error', () => {});
  application.database.exec('PRAGMA busy_timeout = 10');
  const other = connect(application.databaseUrl);
  other.exec('BEGIN IMMEDIATE');
  const answer = await send(application, { method: 'POST', path: '/api/newsletter', body: { email: 'ada@example.com' } });
  assert.equal(answer.status, 503);
  assert.equal(answer.headers['retry-after'], '1');
  assert.equal(JSON.parse(answer.text).type, 'urn:problem-type:unavailable');
  other.exec('ROLLBACK');
  other.close();
  application.database.exec('DROP TABLE schema_migrations');
  assert.equal((await send(application, { method: 'GET', path: '/readyz' })).status, 503);
});

test('what happened is counted', async (context) => {
  const application = await start(context);
  await send(application, { method: 'POST', path: '/api/newsletter', body: { email: 'ada@example.com' } });
  await send(application, { method: 'GET', path: '/nowhere' });
  for (let count = 0; count < 100; count += 1) await send(application, { method: 'POST', path: '/api/newsletter' });
  const { text } = await send(application, { method: 'GET', path: '/metrics' });
  const lines = text.split('\n');
  assert.ok(lines.includes('http_requests_total{method="POST",route="/api/newsletter",status="202"} 1'), text);
  assert.ok(lines.includes('http_requests_total{method="GET",route="unmatched",status="404"} 1'));
  assert.ok(lines.includes('http_request_duration_seconds_count{method="GET",route="unmatched"} 1'));
  assert.ok(lines.includes('http_requests_in_flight 1'));
  assert.ok(lines.includes('rate_limited_total{policy="default"} 1'));
  assert.ok(lines.includes('outbox_events_total{event="newsletter_signup"} 1'));
});

async function start(context) {
  const folder = mkdtempSync(join(tmpdir(), 'contact-newsletter-'));
  const databaseUrl = `file:${folder}/app.sqlite`;
  const database = connect(databaseUrl);
  const { secret: key } = new ApiKeys(database).create('test');
  const server = createServer(buildApplication(database).listener());
  const url = new URL(await listen(server, { host: '127.0.0.1', port: 0 }));
  context.after(async () => {
    await closeServer(server);
    database.close();
    rmSync(folder, { recursive: true });
  });
  return { url, database, databaseUrl, key };
}

/** Sends what a case asks for first; gives the id of what it made. */
async function make(application, request) {
  const { status, text } = await send(application, request);
  assert.ok(status >= 200 && status < 300, text);
  return text === '' ? undefined : JSON.parse(text).id;
}

/** The text, or every text in the document, with the id in its place. */
function withId(document, id) {
  if (document === undefined || id === undefined) return document;
  return JSON.parse(JSON.stringify(document).replaceAll(ID, JSON.stringify(String(id)).slice(1, -1)));
}

// Not `fetch`: it adds headers, and refuses to send some.
function send({ url, key }, { method, path, headers = {}, body, text }) {
  const payload = body === undefined ? text : JSON.stringify(body).replaceAll(UNIQUE, String((requests += 1)).padStart(8, '0'));
  const all = body === undefined ? {} : { 'content-type': 'application/json' };
  for (const [name, value] of Object.entries(headers)) all[name.toLowerCase()] = value.replaceAll(API_KEY, key);
  return new Promise((resolve, reject) => {
    const outgoing = http.request({ host: url.hostname, port: url.port, method, path, headers: all, agent: false }, async (incoming) => {
      const chunks = await incoming.toArray();
      resolve({ status: incoming.statusCode, headers: incoming.headers, text: Buffer.concat(chunks).toString() });
    });
    outgoing.on('error', reject);
    outgoing.end(payload);
  });
}

/** Sends bytes, then `more` over and over until an answer comes; gives everything received until the server hangs up. */
function converse({ url }, bytes, more) {
  return new Promise((resolve) => {
    const errors = [];
    let text = '';
    let timer;
    const socket = net.connect(url.port, url.hostname, () => {
      socket.write(bytes);
      if (more) timer = setInterval(() => text === '' && socket.write(more), 1);
    });
    socket.on('data', (data) => (text += data));
    socket.on('error', (error) => errors.push(error));
    socket.on('close', () => {
      clearInterval(timer);
      resolve({ text, errors });
    });
  });
}

function comparable({ date, ratelimit, ...headers }) {
  return headers;
}

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
