// Runs the application on a free port with a database of its own, and asks it what `cases.json` says. Every case gets a
// fresh application, so that none depends on what another one counted or stored.

import assert from 'node:assert/strict';
{% if issued %}
import { createHash, generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
{% endif %}
import { readFileSync } from 'node:fs';
import http from 'node:http';
import { test } from 'node:test';
{% if issued %}
import { SignJWT } from 'jose';
{% endif %}
import { buildApplication } from '../application.js';
{% if accounts %}
import { Accounts } from '../lib/accounts.js';
{% endif %}
import { ApiKeys } from '../lib/api-keys.js';
import { createServer, listen } from '../lib/server.js';
import { closeServer } from '../lib/shutdown.js';
import { createScratchDatabase } from './scratch-database.js';
{% if calls %}
import { signed } from './signatures.js';
{% endif %}

/** In an expected header or body: anything, but present. */
const ANYTHING = '${any}';
/** In a request header: a working API key, one that has expired, and one that works and may do nothing. */
const API_KEY = '${api_key}';
const EXPIRED_API_KEY = '${expired_api_key}';
const POWERLESS_API_KEY = '${powerless_api_key}';
{% if accounts %}
/** In a request header: an access token of the user of the seed, one of the same that has expired, and one of somebody else. */
const ACCESS_TOKEN = '${access_token}';
const EXPIRED_ACCESS_TOKEN = '${expired_access_token}';
const OTHER_ACCESS_TOKEN = '${other_access_token}';
{% endif %}
/** In a path or an expected body: the key of what the first request before made. */
const ID = '${id}';
/** In a path: the cursor in the answer to the last request before. */
const NEXT = '${next}';
/** In a request header: the tag of the answer to the last request before. */
const TAG = '${tag}';
/** In a path: the key of what the request before all others made. */
const PARENT = '${parent}';
/** In a body: another short text in every request, for values that must be unique. */
const UNIQUE = '${unique}';
/** In a body: another day in every request, for times that no two records may share, and one behind it. */
const DAY = '${day}';
const NEXT_DAY = '${next_day}';

{% if shares_secret %}
// Opens what the tests seal, and nothing else.
process.env.AUTH_SECRET = 'a secret of the tests';
{% endif %}
{% if accounts %}
/** Who calls. */
const CALLER = { sub: '{{ caller.sub }}', sid: '{{ caller.sid }}', role: '{{ caller.role }}' };
{% if roles %}
/** Who calls in a role that endpoints ask for, by the placeholder in a request header. */
const ROLES = {
{% for caller in roles %}
  '{{ caller.placeholder }}': { sub: '{{ caller.sub }}', sid: '{{ caller.sid }}', role: '{{ caller.role }}' },
{% endfor %}
};
{% endif %}
const OTHER = { sub: '{{ other.sub }}', sid: '{{ other.sid }}', role: '{{ other.role }}' };
{% endif %}
{% if issued %}
/** Whose tokens of another issuer cases ask for, by the placeholder in a request header. */
const ISSUED = {
{% for token in issued.tokens %}
  '{{ token.placeholder }}': '{{ token.sub }}',
{% endfor %}
};
const AUDIENCE = '{{ issued.audience }}';
const issuing = generateKeyPairSync('ed25519');
const issuer = await startIssuer();
process.env.OAUTH_ISSUER = issuer;
process.env.OAUTH_AUDIENCE = AUDIENCE;
{% endif %}
let requests = 0;

const cases = JSON.parse(readFileSync(new URL('cases.json', import.meta.url), 'utf8'));
{% if seeded %}
/** Rows that the cases take for granted. */
const seed = JSON.parse(readFileSync(new URL('seed.json', import.meta.url), 'utf8'));
{% endif %}

for (const { name, repeat = 1, parent, before = [], request: asked, expect: wanted } of cases) {
  test(name, async (context) => {
    const application = await start(context);
    const known = {};
    if (parent) known[PARENT] = keyIn(await send(application, parent));
    for (const first of before) note(known, await send(application, filled(first, known)));
    const request = filled(asked, known);
    const expect = filled(wanted, known);
    let answer;
    for (let count = 0; count < repeat; count += 1) answer = await send(application, request);
    assert.equal(answer.status, expect.status, answer.text);
    for (const [header, value] of Object.entries(expect.headers ?? {})) {
      const given = answer.headers[header.toLowerCase()];
      assert.ok(given !== undefined, `no header ${header}`);
      if (value !== ANYTHING) assert.equal(given, value, header);
    }
    if (expect.text !== undefined) assert.equal(answer.text, expect.text);
    if (expect.body !== undefined) assertMatches(JSON.parse(answer.text), expect.body, 'body');
{% if calls %}
    if (expect.heard !== undefined) assert.equal(await application.heard(), expect.heard, 'events that were kept');
{% endif %}
  });
}

async function start(context) {
  let scratch = await createScratchDatabase();
  {% if seeded %}
{% if issued %}
  for (const statement of seed) await scratch.database.script(ofIssuer(statement));
{% else %}
  for (const statement of seed) await scratch.database.script(statement);
{% endif %}
  {% endif %}
  const apiKeys = new ApiKeys(scratch.database);
  const keys = {
    [API_KEY]: (await apiKeys.create('test')).secret,
    [EXPIRED_API_KEY]: (await apiKeys.create('test', { expiresAt: new Date().toISOString() })).secret,
    [POWERLESS_API_KEY]: (await apiKeys.create('test', { scopes: [] })).secret,
  };
{% if accounts %}
  const accounts = new Accounts(scratch.database, { issuer: '{{ accounts }}' });
  const now = new Date();
  const expired = { ...CALLER, exp: Math.floor(now.getTime() / 1000) - 1 };
  keys[ACCESS_TOKEN] = await accounts.issue(CALLER, 900, now.toISOString());
  keys[EXPIRED_ACCESS_TOKEN] = await accounts.issue(expired, 900, now.toISOString());
{% if roles %}
  for (const [placeholder, caller] of Object.entries(ROLES)) keys[placeholder] = await accounts.issue(caller, 900, now.toISOString());
{% endif %}
  keys[OTHER_ACCESS_TOKEN] = await accounts.issue(OTHER, 900, now.toISOString());
{% endif %}
{% if issued %}
  Object.assign(keys, await issuedTokens());
{% endif %}
  let server = createServer(buildApplication(scratch.database).listener());
  const url = new URL(await listen(server, { host: '127.0.0.1', port: 0 }));
  context.after(async () => {
    await closeServer(server);
    await scratch.remove();
    // The runner keeps this function until its end; it need not keep an application with each.
    server = scratch = undefined;
  });
{% if calls %}
  const heard = async () => Number((await scratch.database.one('SELECT COUNT(*) AS count FROM inbox_events', [])).count);
  return { url, keys, heard };
{% else %}
  return { url, keys };
{% endif %}
}

{% if issued %}
/** Whoever issues the tokens of the cases: it says where its keys are, and which. */
async function startIssuer() {
  const server = http.createServer((request, response) => {
    const url = `http://127.0.0.1:${server.address().port}`;
    const key = { ...issuing.publicKey.export({ format: 'jwk' }), kid: 'test', use: 'sig' };
    const discovered = request.url === '/.well-known/openid-configuration';
    response.end(JSON.stringify(discovered ? { issuer: url, jwks_uri: `${url}/keys` } : { keys: [key] }));
  });
  server.listen(0, '127.0.0.1').unref();
  await once(server, 'listening');
  return `http://127.0.0.1:${server.address().port}`;
}

async function issuedTokens() {
  const now = Math.floor(Date.now() / 1000);
  const of = (sub, said = {}) => {
    const token = new SignJWT({ iss: issuer, aud: AUDIENCE, sub, exp: now + 900, scope: '{{ issued.scope }}', ...said });
    return token.setProtectedHeader({ alg: 'EdDSA', typ: 'at+jwt', kid: 'test' }).sign(issuing.privateKey);
  };
  const caller = ISSUED['${issued_token}'];
  const tokens = {
    '${expired_issued_token}': of(caller, { exp: now - 900 }),
    '${elsewhere_issued_token}': of(caller, { aud: 'https://elsewhere.invalid' }),
    '${powerless_issued_token}': of(caller, { scope: '' }),
  };
  for (const [placeholder, sub] of Object.entries(ISSUED)) tokens[placeholder] = of(sub);
  return Object.fromEntries(await Promise.all(Object.entries(tokens).map(async ([name, token]) => [name, await token])));
}

/** The statement with the issuer of these tests in the place of the one that the rows name. */
function ofIssuer(statement) {
  const named = '{{ issued.issuer }}';
  const hash = (name, subject) => createHash('sha256').update(`${name}\n${subject}`).digest('hex');
  const known = Object.values(ISSUED).reduce((text, sub) => text.replaceAll(hash(named, sub), hash(issuer, sub)), statement);
  return known.replaceAll(named, issuer);
}

{% endif %}
/** Takes note of the answer to a request before. */
function note(known, answer) {
  const { next } = told(answer);
  known[ID] ??= keyIn(answer);
  known[NEXT] = next;
  known[TAG] = answer.headers.etag;
}

/** The key of what a request has made: its answer says it at the end of `Location`, else as `id`. */
function keyIn(answer) {
  const body = told(answer);
  if (answer.headers.location === undefined) return body.id;
  const segment = decodeURIComponent(answer.headers.location.split('/').at(-1));
  return Object.values(body).find((value) => String(value) === segment);
}

/** What the answer to a request before says, where it is JSON. */
function told({ status, headers, text }) {
  assert.ok(status >= 200 && status < 300, text);
  return headers['content-type']?.startsWith('application/json') ? JSON.parse(text) : {};
}

/** The document with what is known in the place of every placeholder. */
function filled(document, known) {
  let text = JSON.stringify(document);
  for (const [placeholder, said] of Object.entries(known)) {
    if (said === undefined || said === null) continue;
    const isKey = placeholder === ID || placeholder === PARENT;
    text = text.replaceAll(JSON.stringify(placeholder), () => JSON.stringify(said));
    text = text.replaceAll(placeholder, () => (isKey ? encodeURIComponent(said) : JSON.stringify(said).slice(1, -1)));
  }
  return JSON.parse(text);
}

function withKey(value, keys) {
  return Object.entries(keys).reduce((text, [placeholder, key]) => text.replaceAll(placeholder, key), value);
}

/** The body with what is another thing in every request. */
function distinct(body, number) {
  const padded = (digits, length) => String(digits).padStart(length, '0');
  // Days that every month has.
  const day = (at) => `${2100 + Math.floor(at / 336)}-${padded(1 + (Math.floor(at / 28) % 12), 2)}-${padded(1 + (at % 28), 2)}`;
  return body.replaceAll(UNIQUE, padded(number, 8)).replaceAll(DAY, day(2 * number)).replaceAll(NEXT_DAY, day(2 * number + 1));
}

// Not `fetch`: it adds headers, and refuses to send some.
function send({ url, keys }, { method, path, headers = {}, body, text{% if calls %}, signed: by{% endif %} }) {
  const payload = body === undefined ? text : distinct(JSON.stringify(body), (requests += 1));
  const all = body === undefined ? {} : { 'content-type': 'application/json' };
  // The client names no length of its own accord where a DELETE has a body.
  if (payload !== undefined) all['content-length'] = Buffer.byteLength(payload);
  for (const [name, value] of Object.entries(headers)) all[name.toLowerCase()] = withKey(value, keys);
{% if calls %}
  const call = { origin: url.origin, method, path, headers: all, body: payload ?? '' };
  const { path: target, headers: sent } = by ? signed(call, by) : call;
{% endif %}
  return new Promise((resolve, reject) => {
    const options = { host: url.hostname, port: url.port, method, {% if calls %}path: target, headers: sent{% else %}path, headers: all{% endif %}, agent: false };
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
