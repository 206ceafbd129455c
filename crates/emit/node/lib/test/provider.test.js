// Calls of a provider: requests are written byte for byte and shown without what is personal or secret, answers mean what the rules say, and
// nothing is connected to but the public internet.

import assert from 'node:assert/strict';
import http from 'node:http';
import { test } from 'node:test';
import { openAccount } from '../provider/account.js';
import { read } from '../provider/answer.js';
import { failedItem } from '../provider/batch.js';
import { operation, reconcile } from '../provider/call.js';
import { isPublic, send } from '../provider/client.js';
import { formNested, formRepeated, json, path, percent } from '../provider/encode.js';
import { Reading } from '../provider/paging.js';
import { holds } from '../provider/place.js';
import { render } from '../provider/request.js';
import { Unfit } from '../provider/transformations.js';
import { asSent, hash, personal, secret, text } from '../provider/values.js';

const createThing = operation({
  name: 'create_thing',
  effect: 'write',
  method: 'POST',
  input: { id: { type: 'text', required: true, max: 10 }, email: { type: 'email' }, tags: { type: 'list', of: { name: { type: 'text', required: true } } } },
  request: ({ input, delivery }) => ({
    path: path`/v1/things/${input.id}`,
    query: { 'created[gte]': input.id, none: undefined },
    headers: { 'Idempotency-Key': delivery.key },
    body: formNested({ email: personal(input.email), tags: input.tags?.map((item) => ({ name: item.name })), fixed: 'yes' }),
  }),
  answer: { id: { at: '/id', type: 'text', required: true }, token: { at: '/token', type: 'text', privacy: 'secret' }, email: { at: '/email', type: 'email', privacy: 'personal' } },
  errors: [{ when: { status: [404], code: ['gone'] }, means: 'done' }],
  idempotency: { keyMaxLength: 20, keptHours: 24 },
  ifReplyIsLost: 'repeat',
});

const service = {
  name: 'things',
  provider: 'acme',
  title: 'Acme',
  system: 'live',
  baseVariable: 'ACME_API_BASE',
  webhookSecretVariable: 'ACME_WEBHOOK_SECRET',
  credentials: { key: { title: 'Key', variable: 'ACME_KEY', secret: true, startsWith: ['sk_'] } },
  settings: { back: { type: 'url', default: ({ site }) => site.url } },
  hosts: { api: { live: () => 'https://api.acme.example', answers: 'json', headers: () => ({ 'Acme-Version': '1' }) } },
  authentication: { key: { headers: ({ credential }) => ({ Authorization: text`Bearer ${secret(credential.key)}` }) } },
  errors: {
    code: '/error/code',
    message: '/error/message',
    requestIdHeader: 'Request-Id',
    rules: [
      { when: { status: [429] }, means: 'rate_limited' },
      { when: { status: [400], body: [{ at: '/error/type', is: ['busy'] }] }, means: 'transient' },
      { when: { status: [401] }, means: 'authentication' },
      { when: { status: ['5xx'] }, means: 'unknown_effect' },
    ],
    otherwise: 'permanent',
  },
  wait: { headers: [{ name: 'Retry-After', holds: 'seconds_or_date' }], mostSeconds: 60 },
  retry: { attempts: 3, forHours: 1, firstWait: 10, mostWaitSeconds: 1, answerWithin: 1000 },
  remembers: {},
  listens: {},
  points: {},
};

const account = (more = {}) => openAccount(service, { ACME_KEY: 'sk_123456', PUBLIC_URL: 'https://shop.example/', ...more });
const delivery = { id: 'd', key: 'k-1', time: '2026-01-31T12:00:00Z' };
const rendered = (input, of = account()) => render(createThing.description, of, { input, delivery });

test('a request is written byte for byte', () => {
  const { sent } = rendered({ id: 'a/b', email: "ada+1'@example.org", tags: [{ name: 'x [y]' }] });
  assert.equal(sent.url, 'https://api.acme.example/v1/things/a%2Fb?created[gte]=a%2Fb');
  assert.equal(sent.body, 'email=ada%2B1%27%40example.org&tags[0][name]=x%20[y]&fixed=yes');
  assert.deepEqual(sent.headers, [
    ['Acme-Version', '1'],
    ['Idempotency-Key', 'k-1'],
    ['Content-Type', 'application/x-www-form-urlencoded'],
    ['Authorization', 'Bearer sk_123456'],
  ]);
});

test('what is personal is shown as a hash, what is secret not at all', () => {
  const { shown } = rendered({ id: 'a', email: 'ada@example.org' });
  assert.equal(shown.body, `email=${hash('ada@example.org')}&fixed=yes`);
  assert.deepEqual(shown.headers.at(-1), ['Authorization', 'Bearer [redacted]']);
  assert.doesNotMatch(JSON.stringify(shown), /ada|sk_/);
});

test('what cannot be sent is refused before, and no value is said', () => {
  const refused = (input, key = 'k') => {
    try {
      render(createThing.description, account(), { input, delivery: { ...delivery, key } });
      return undefined;
    } catch (error) {
      assert.ok(error instanceof Unfit && !error.message.includes('4711'), error.stack);
      return error.message;
    }
  };
  assert.equal(refused({}), 'the input `id` is missing');
  assert.equal(refused({ id: '4711'.repeat(3) }), 'the input `id` has more than 10 characters');
  assert.equal(refused({ id: 'a', ids: 4711 }), 'the input `ids` is none that the operation takes');
  assert.equal(refused({ id: 'a', tags: [{}] }), 'the input `tags[0].name` is missing');
  assert.equal(refused({ id: '..' }), 'a value in the path is `.` or `..`');
  assert.equal(refused({ id: '' }), 'a value in the path is nothing');
  assert.match(refused({ id: 'a' }, 'k\r\nX-Evil: 1'), /the header `Idempotency-Key` cannot hold/);
  assert.match(refused({ id: 'a' }, 'k'.repeat(21)), /more than 20 characters/);
});

test('forms and JSON', () => {
  assert.equal(percent("a b+c/d[é]'!~"), 'a%20b%2Bc%2Fd%5B%C3%A9%5D%27%21~');
  assert.equal(formNested({ a: [{ b: 1 }, { b: true }], d: { 'e f': 'g&h' }, i: [] }).write(asSent), 'a[0][b]=1&a[1][b]=true&d[e%20f]=g%26h');
  assert.equal(formRepeated({ To: '+1', Url: ['a', 'b'], No: [] }).write(asSent), 'To=%2B1&Url=a&Url=b');
  assert.equal(json({ a: null, b: [1, undefined], c: 'x' }).write(asSent), '{"b":[1],"c":"x"}');
});

function answered(status, body, headers = []) {
  const answer = { status, headers, body: Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)), isCut: false };
  return read(createThing.description, service, answer).outcome;
}

test('answers mean what the rules say', () => {
  assert.deepEqual(answered(200, { id: 7, token: 't', more: 1 }), { means: 'done', answer: { id: '7', token: 't' } });
  assert.deepEqual(answered(404, { error: { code: 'gone' } }), { means: 'done', answer: {} });
  assert.equal(answered(404, {}).means, 'permanent');
  assert.equal(answered(400, { error: { type: 'busy' } }).means, 'transient');
  assert.equal(answered(401, {}).means, 'authentication');
  assert.equal(answered(503, 'x').means, 'unknown_effect');
  assert.deepEqual(answered(400, { error: { code: 'c', message: 'two\nlines' } }), { means: 'permanent', code: 'c', message: 'two lines' });
});

test('a good answer without what it must hold says nothing of what has happened', () => {
  assert.deepEqual(answered(200, {}), { means: 'unknown_effect', message: 'the answer has no `id`' });
  assert.deepEqual(answered(200, '<html>'), { means: 'unknown_effect', message: 'the answer cannot be read' });
});

test('who asks us to wait is waited for, but not for ever', () => {
  assert.equal(answered(429, {}, [['retry-after', '7']]).wait, 7000);
  assert.equal(answered(429, {}, [['Retry-After', '1.5']]).wait, 2000);
  assert.equal(answered(429, {}, [['Retry-After', '999999']]).wait, 60_000);
  assert.equal(answered(429, {}, [['Retry-After', 'soon']]).wait, undefined);
  const date = new Date(Date.now() + 30_000).toUTCString();
  assert.ok(Math.abs(answered(429, {}, [['Retry-After', date]]).wait - 30_000) < 2000);
});

test('what may have happened is sent again only where that is known to be harmless', async () => {
  const settled = (description, since) => reconcile(description, account(), { input: {}, delivery }, since);
  assert.deepEqual(await settled(createThing.description, 0), { isSafe: true });
  assert.match((await settled(createThing.description, 24 * 3_600_000)).stop, /24 hours/);
  assert.ok('stop' in (await settled({ effect: 'write', ifReplyIsLost: 'stop' }, 0)));
});

test('the provider is asked, page by page, whether something has happened', async (context) => {
  const findThings = operation({
    name: 'find_things', effect: 'read', method: 'GET', input: { name: { type: 'text' } },
    request: ({ input, page }) => ({ path: path`/things`, query: { name: input.name, after: page.next } }),
    answer: { id: { at: '/things/[name=b]/id', type: 'text' } },
    paging: { items: '/things', next: { cursor: { at: '/next' } }, mostPages: 3 },
  });
  const lost = {
    effect: 'write', answer: { id: {} },
    lookUp: { operation: () => findThings, input: ({ input }) => ({ name: input.name }), foundWhen: ({ input }) => ({ status: [200], body: [{ at: '/things/*/name', some: true, is: [input.name] }] }) },
  };
  const pages = { '/things?name=b': { things: [{ name: 'a' }], next: 2 }, '/things?name=b&after=2': { things: [{ name: 'b', id: 'i' }] }, '/things?name=c': { things: [] } };
  const asked = [];
  const there = await served(context, (request, response) => {
    asked.push(request.url);
    response.statusCode = request.url in pages ? 200 : 503;
    response.end(JSON.stringify(pages[request.url] ?? { things: [], next: asked.length }));
  });
  const settled = (name) => reconcile(lost, there, { input: { name }, delivery }, 0);
  assert.deepEqual(await settled('b'), { answer: { id: 'i' } });
  assert.deepEqual(asked, ['/things?name=b', '/things?name=b&after=2']);
  assert.deepEqual(await settled('c'), { didNot: true });
  assert.equal((await settled('d')).notYet.outcome.means, 'transient');
});

test('long answers go on where the provider says so, and nowhere else', () => {
  const page = (next, document, { headers = [], items = '/items', mostPages = 9 } = {}) =>
    new Reading({ items, next, mostPages }).page('https://api.acme.example/v1/things', { headers }, document);
  const items = [{ id: 1 }, { id: 2 }];
  assert.deepEqual(page({ lastItem: { at: '/id', more: '/more' } }, { items, more: true }).next, { value: 2 });
  assert.equal(page({ lastItem: { at: '/id', more: '/more' } }, { items, more: false }).next, undefined);
  assert.deepEqual(page({ offset: { pageSize: 2 } }, { items }).next, { value: 2 });
  assert.equal(page({ offset: { pageSize: 3 } }, { items }).next, undefined);
  assert.deepEqual(page({ number: { first: 0 } }, { items }).next, { value: 1 });
  assert.deepEqual(page({ address: '/next' }, { items, next: '/v1/things?page=2' }).next, { address: 'https://api.acme.example/v1/things?page=2' });
  assert.throws(() => page({ address: '/next' }, { items, next: 'https://evil.example/' }), Unfit);
  const headers = [['link', '<https://api.acme.example/a>; rel="prev", <https://api.acme.example/b>; rel="next"']];
  assert.deepEqual(page({ linkHeader: true }, { items }, { headers }).next, { address: 'https://api.acme.example/b' });
  assert.deepEqual(page({ cursor: { at: '/c' } }, { items, c: 'x' }, { mostPages: 1 }), { items, next: undefined, isCut: true });
  const reading = new Reading({ items: '/items', next: { cursor: { at: '/c' } }, mostPages: 9 });
  const again = () => reading.page('https://a.example/', { headers: [] }, { items, c: 'same' }).next;
  assert.deepEqual([again(), again()], [{ value: 'same' }, undefined]);
});

test('the first item of a batch that is not taken is told', () => {
  const input = { list: [{ email: 'a' }, { email: 'b' }] };
  const failed = (outcome, document) => failedItem({ list: 'list', outcome }, input, document);
  const inOrder = { inOrder: { at: '/r', successWhen: [{ at: '/ok', is: ['true'] }], code: '/code' } };
  assert.equal(failed(inOrder, { r: [{ ok: true }, { ok: true }] }), undefined);
  assert.deepEqual(failed(inOrder, { r: [{ ok: true }, { ok: false, code: 'c' }] }), { code: 'c' });
  assert.deepEqual(failed(inOrder, { r: [{ ok: true }] }), {});
  assert.deepEqual(failed({ byName: { at: '/e', name: '/who', item: 'email', message: '/why' } }, { e: [{ who: 'b', why: 'no' }] }), { message: 'no' });
  assert.deepEqual(failed({ failures: { at: '/e', position: '/at', message: '/why' } }, { e: [{ at: 0, why: 'no' }] }), { message: 'no' });
  assert.equal(failed({}, {}), undefined);
});

test('who we are stands in the body before all others', () => {
  const fields = ({ credential }) => ({ auth: { key: secret(credential.key) } });
  const of = (into) => openAccount({ ...service, authentication: { key: { body: { into, fields } } } }, { ACME_KEY: 'sk_123456' });
  const description = { name: 'x', effect: 'write', method: 'POST', request: () => ({ path: path`/x`, body: json({ pay: { amount: 1 } }) }) };
  const both = (into) => render(description, of(into), { input: {}, delivery });
  assert.equal(both('top').sent.body, '{"auth":{"key":"sk_123456"},"pay":{"amount":1}}');
  assert.equal(both('only_member').sent.body, '{"pay":{"auth":{"key":"sk_123456"},"amount":1}}');
  assert.equal(both('only_member').shown.body, '{"pay":{"auth":{"key":"[redacted]"},"amount":1}}');
});

test('tests of a body', () => {
  const document = { links: [{ rel: 'a', href: 1 }, { rel: 'b', href: 2 }], n: '-1.5', none: null };
  assert.ok(holds(document, { at: '/links/[rel=b]/href', is: ['2'] }));
  assert.ok(holds(document, { at: '/links/*/href', is: ['1', '2'] }) && !holds(document, { at: '/links/*/href', is: ['1'] }));
  assert.ok(holds(document, { at: '/links/*/href', is: ['1'], some: true }));
  assert.ok(!holds(document, { at: '/none', present: true }) && holds(document, { at: '/none', isNot: ['x'] }));
  assert.ok(!holds(document, { at: '/n', atLeast: -1 }) && holds(document, { at: '/n', atLeast: -2 }));
});

test('only addresses of the public internet are called', async () => {
  const near = ['0.0.0.0', '10.0.0.1', '100.64.0.1', '127.0.0.1', '169.254.169.254', '172.31.255.255', '192.168.0.1', '224.0.0.1', '::', '::1', '::ffff:127.0.0.1',
    '64:ff9b::10.0.0.1', 'fc00::1', 'fe80::1', '2001:db8::1', '2002:7f00:1::', 'localhost'];
  for (const address of near) assert.ok(!isPublic(address), address);
  for (const address of ['1.1.1.1', '100.128.0.1', '2606:4700::1111', '::ffff:8.8.8.8']) assert.ok(isPublic(address), address);
  const sent = (url) => send({ method: 'GET', url, headers: [], body: '' }, { within: 1000, isOurs: false });
  for (const url of ['http://1.1.1.1/', 'https://127.0.0.1:1/', 'https://[::1]:1/', 'https://localhost:1/']) {
    assert.equal((await sent(url)).isPermanent, true, url);
  }
});

test('a simulated provider is on this machine by number, and stands in for every host', () => {
  const { base, problems } = account({ ACME_API_BASE: 'http://127.0.0.1:8090/' });
  assert.deepEqual([base('api'), problems], ['http://127.0.0.1:8090', []]);
  for (const url of ['http://10.0.0.1:1', 'http://localhost:1', 'https://127.0.0.1:1', 'http://127.0.0.1:1/x', 'http://a@127.0.0.1:1', 'x']) {
    assert.match(account({ ACME_API_BASE: url }).problems[0], /http:\/\/127\.0\.0\.1:PORT/, url);
  }
});

test('what is missing of an account is said without what is there', () => {
  assert.deepEqual(openAccount(service, {}).problems, ['`ACME_KEY` is not set (Key)']);
  assert.deepEqual(account({ ACME_KEY: 'pk_4711' }).problems, ['`ACME_KEY` begins with `sk_`']);
});

/** A server on this machine that does with each request what it is told. */
async function served(context, listener) {
  const server = http.createServer(listener);
  await new Promise((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  context.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return account({ ACME_API_BASE: `http://127.0.0.1:${server.address().port}` });
}

test('a call is recorded without what is personal or secret, also in the words of the provider', async (context) => {
  const there = await served(context, (request, response) => {
    response.writeHead(400, { 'Content-Type': 'application/json', 'Request-Id': 'req_1', 'Set-Cookie': 'x' });
    response.end(JSON.stringify({ error: { code: 'bad', message: 'no sk_123456 for Ada@example.org' } }));
  });
  const { outcome, record } = await createThing(there, { id: 'a', email: 'ada@example.org' }, delivery);
  assert.deepEqual([outcome.means, outcome.message], ['permanent', `no [redacted] for ${hash('ada@example.org')}`]);
  assert.deepEqual([record.status, record.request_id], [400, 'req_1']);
  assert.deepEqual(record.answer_headers, [['content-type', 'application/json'], ['request-id', 'req_1']]);
  assert.doesNotMatch(JSON.stringify(record), /ada@|sk_123456|Set-Cookie/i);
});

test('of a good answer the declared fields are recorded, each as carefully as it is declared', async (context) => {
  const there = await served(context, (request, response) => response.end(JSON.stringify({ id: 'i', token: 'tok', email: 'ada@example.org', other: 1 })));
  const { outcome, record } = await createThing(there, { id: 'a' }, delivery);
  assert.equal(outcome.answer.token, 'tok');
  assert.deepEqual(JSON.parse(record.answer_body), { id: 'i', token: '[redacted]', email: hash('ada@example.org') });
});

test('what never left is told apart from what broke behind the request', async (context) => {
  const there = await served(context, (request) => request.socket.destroy());
  assert.equal((await createThing(there, { id: 'a' }, delivery)).outcome.means, 'unknown_effect');
  const nobody = account({ ACME_API_BASE: 'http://127.0.0.1:1' });
  const { outcome } = await createThing(nobody, { id: 'a' }, delivery);
  assert.deepEqual([outcome.means, /no connection to/.test(outcome.message)], ['transient', true]);
  const { outcome: refused } = await createThing(there, {}, delivery);
  assert.deepEqual([refused.means, refused.code], ['permanent', 'request']);
});

test('an answer is read no longer than it may be', async (context) => {
  const there = await served(context, (request, response) => {
    response.write(Buffer.alloc(9 * 1024 * 1024, 0x20));
    response.end('{"id":"i"}');
  });
  assert.deepEqual((await createThing(there, { id: 'a' }, delivery)).outcome, { means: 'unknown_effect', message: 'the answer is longer than what is read of one' });
});
