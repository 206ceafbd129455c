// Routing, time limits and shutdown, with procedures made for the purpose.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { createApplication } from '../application.js';
import { createMetrics } from '../metrics.js';
import { Pressure } from '../pressure.js';
import { Problem } from '../problem.js';
import { Request } from '../request.js';
import { respond } from '../response.js';
import { createServer, listen } from '../server.js';
import { closeServer } from '../shutdown.js';

async function serve(context, addRoutes, options = {}) {
  const parts = { database: {}, metrics: createMetrics(), openapi: '{}', answerTimeout: 50, ...options };
  const application = createApplication(parts);
  addRoutes(application);
  const server = createServer(application.listener());
  const url = await listen(server, { host: '127.0.0.1', port: 0 });
  context.after(() => closeServer(server));
  return { server, url };
}

test('literal segments win over parameters, and parameters are decoded', async (context) => {
  const { url } = await serve(context, (application) => {
    application.route('GET', '/orders/{order-id}', (request) => respond(200, request.parameters));
    application.route('GET', '/orders/recent', () => respond(200, 'recent'));
    application.route('DELETE', '/orders/{order-id}', () => respond(204));
  });
  const get = async (path) => (await fetch(url + path)).json();
  assert.equal(await get('/orders/recent'), 'recent');
  assert.deepEqual(await get('/orders/a%20b%2Fc'), { 'order-id': 'a b/c' });
  assert.equal((await get('/orders/%ff')).title, 'Not found');
  assert.equal((await get('/orders/')).title, 'Not found');
  assert.equal((await fetch(`${url}/orders/1`, { method: 'PATCH' })).headers.get('allow'), 'DELETE, GET, HEAD');
  const deleted = await fetch(`${url}/orders/1`, { method: 'DELETE' });
  assert.equal(deleted.status, 204);
  assert.equal(deleted.headers.get('content-type'), null);
  assert.equal(await (await fetch(`${url}/metrics`)).text().then((text) => text.includes('route="/orders/{order-id}",status="204"} 1')), true);
});

test('pages of other origins read nothing of what is closed', async (context) => {
  const { url } = await serve(context, (application) => {
    application.route('GET', '/open', () => respond(200, {}));
    application.closed().route('GET', '/closed', () => respond(200, {}));
  }, { origins: '*' });
  const allowed = async (path, method = 'GET') => (await fetch(url + path, { method })).headers.get('access-control-allow-origin');
  assert.deepEqual([await allowed('/open'), await allowed('/nowhere'), await allowed('/closed'), await allowed('/closed', 'PUT')], ['*', '*', null, null]);
  assert.deepEqual([(await fetch(`${url}/open`, { method: 'OPTIONS' })).status, (await fetch(`${url}/closed`, { method: 'OPTIONS' })).status], [204, 405]);
});

test('an answer that takes too long is a 503, and what comes later is dropped', async (context) => {
  const logged = context.mock.method(console, 'error', () => {});
  const { url } = await serve(context, (application) => {
    application.route('GET', '/late', () => new Promise((resolve) => setTimeout(resolve, 80, respond(200, {}))));
    application.route('GET', '/failing', () => new Promise((_, reject) => setTimeout(reject, 80, new Error('late'))));
  });
  for (const path of ['/late', '/failing']) {
    const answer = await fetch(url + path);
    assert.equal(answer.status, 503);
    assert.equal(answer.headers.get('retry-after'), '1');
    assert.equal((await answer.json()).detail, 'the answer took too long');
  }
  await new Promise((resolve) => setTimeout(resolve, 60));
  assert.equal(logged.mock.callCount(), 2);
});

test('while more has arrived than can be answered in time, the API sheds it and operations answer', async (context) => {
  context.mock.method(console, 'error', () => {});
  let now = 0;
  const pressure = new Pressure({ now: () => now });
  const { url } = await serve(context, (application) => application.route('GET', '/api', () => respond(200, {})), { pressure });
  const ask = async (path) => {
    pressure.beat();
    now += 501;
    return fetch(url + path);
  };
  pressure.beat = () => {};
  assert.equal((await fetch(`${url}/api`)).status, 200);
  const answer = await ask('/api');
  assert.equal(answer.status, 503);
  assert.equal(answer.headers.get('retry-after'), '1');
  assert.equal((await answer.json()).detail, 'too many requests are at work; try again');
  for (const path of ['/healthz', '/metrics']) assert.equal((await ask(path)).status, 200);
});

test('an own header wins over the standing one', async (context) => {
  const { url } = await serve(context, (application) => {
    application.route('GET', '/page', () => respond(200, {}, { 'content-security-policy': "default-src 'self'" }));
  });
  const answer = await fetch(`${url}/page`);
  assert.equal(answer.headers.get('content-security-policy'), "default-src 'self'");
  assert.equal(answer.headers.get('referrer-policy'), 'no-referrer');
});

test('a problem may be returned instead of thrown', async (context) => {
  const { url } = await serve(context, (application) => application.route('GET', '/', () => new Problem('invalid_credentials')));
  const answer = await fetch(url);
  assert.equal(answer.status, 401);
  assert.equal((await answer.json()).title, 'Authentication failed');
});

test('what the caller has already is answered 304', async (context) => {
  const { url } = await serve(context, (application) => {
    application.route('GET', '/', () => respond(200, { a: 1 }, { ETag: '"3"' }));
    application.route('POST', '/', () => respond(200, { a: 1 }, { ETag: '"3"' }));
  });
  const ask = (method, tag) => fetch(url, { method, headers: { 'if-none-match': tag, 'x-request-id': 'same' } });
  for (const method of ['GET', 'HEAD']) {
    const answer = await ask(method, 'W/"3"');
    assert.equal(answer.status, 304);
    assert.equal(await answer.text(), '');
    const names = ['etag', 'x-request-id', 'cache-control', 'content-type', 'content-length'];
    assert.deepEqual(names.map((name) => answer.headers.get(name)), ['"3"', 'same', 'no-store', null, null]);
    assert.equal((await ask(method, '"2"')).status, 200);
  }
  assert.equal((await ask('POST', '"3"')).status, 200);
});

test('the query string is decoded as forms are', async (context) => {
  const { url } = await serve(context, (application) => {
    application.route('GET', '/', (request) => respond(200, [...request.query]));
  });
  const query = async (text) => (await fetch(url + text)).json();
  assert.deepEqual(await query('/?a=1+%2B&b%5Blt%5D=&a=%ff?'), [['a', '1 +'], ['b[lt]', ''], ['a', '\ufffd?']]);
  assert.deepEqual(await query('/??a'), [['?a', '']]);
  assert.deepEqual(await query('/'), []);
});

test('what a procedure throws is never told', async (context) => {
  const logged = context.mock.method(console, 'error', () => {});
  const { url } = await serve(context, (application) => {
    application.route('GET', '/uri', () => decodeURIComponent('%'));
    application.route('GET', '/status', () => { throw Object.assign(new Error('secret'), { status: 400 }); });
    application.route('GET', '/nothing', () => undefined);
    application.route('GET', '/null', () => { throw null; });
  });
  for (const path of ['/uri', '/status', '/nothing', '/null']) {
    const answer = await fetch(url + path);
    assert.equal(answer.status, 500, path);
    assert.ok(!(await answer.text()).includes('secret'));
  }
  assert.equal(logged.mock.callCount(), 4);
});

test('a server that closes finishes what is under way', async (context) => {
  let release;
  const started = new Promise((resolve) => (release = resolve));
  const { server, url } = await serve(context, (application) => {
    application.route('GET', '/slow', async () => {
      release();
      await new Promise((resolve) => setTimeout(resolve, 30));
      return respond(200, 'done');
    });
  });
  const answer = fetch(`${url}/slow`);
  await started;
  const closed = once(server, 'close');
  await closeServer(server);
  assert.equal(await (await answer).json(), 'done');
  await closed;
  await assert.rejects(fetch(`${url}/healthz`));
});

test('times after the arrival', () => {
  const request = new Request({ headersDistinct: {}, method: 'GET', socket: {} }, {});
  assert.equal(Date.parse(request.after(900)) - Date.parse(request.receivedAt), 900_000);
});

test('only a success may be kept, and by others only where all callers are answered the same', async (context) => {
  const { url } = await serve(context, (application) => {
    application.route('GET', '/kept/{by}', (request) => {
      request.cacheControl = `${request.parameters.by}, max-age=60`;
      if (request.query.has('fail')) throw new Problem('not_found');
      return respond(200, {}, { ETag: '"1"' });
    });
    application.route('GET', '/plain', () => respond(200, {}));
    application.route('GET', '/long', (request) => {
      request.cacheControl = 'private, max-age=60';
      return respond(200, { text: 'a'.repeat(2000) });
    });
  });
  const headers = async (path, sent = {}) => {
    const { status, headers: got } = await fetch(url + path, { headers: sent });
    return [status, got.get('cache-control'), got.get('vary')];
  };
  assert.deepEqual(await headers('/kept/public'), [200, 'public, max-age=60', null]);
  assert.deepEqual(await headers('/kept/private'), [200, 'private, max-age=60', 'X-API-Key, Authorization']);
  assert.deepEqual(await headers('/kept/private', { 'if-none-match': '"1"' }), [304, 'private, max-age=60', 'X-API-Key, Authorization']);
  assert.deepEqual(await headers('/kept/public?fail'), [404, 'no-store', null]);
  assert.deepEqual(await headers('/plain'), [200, 'no-store', null]);
  assert.deepEqual(await headers('/long'), [200, 'private, max-age=60', 'Accept-Encoding, X-API-Key, Authorization']);
});
