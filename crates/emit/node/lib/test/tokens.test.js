// Tokens of a provider that are got with a password: asked for once however many calls wait, kept while they hold, and asked for once more
// where the provider refuses one. What somebody agreed to, and both servers share, is tried beside the native server.

import assert from 'node:assert/strict';
import http from 'node:http';
import { test } from 'node:test';
import { openAccount } from '../provider/account.js';
import { operation } from '../provider/call.js';
import { path } from '../provider/encode.js';
import { Tokens } from '../provider/tokens.js';
import { sealed } from '../successor.js';

const getThing = operation({ name: 'get_thing', effect: 'read', method: 'GET', request: () => ({ path: path`/thing` }), answer: { id: { at: '/id', type: 'text', required: true } } });

const service = {
  name: 'things',
  provider: 'acme',
  title: 'Acme',
  system: 'live',
  baseVariable: 'ACME_API_BASE',
  credentials: { id: { title: 'Id', variable: 'ACME_ID' }, password: { title: 'Password', variable: 'ACME_PASSWORD', secret: true } },
  settings: {},
  hosts: { api: { live: () => 'https://api.acme.example', answers: 'json' } },
  authentication: {
    own: {
      oauth2: {
        scopes: ['read', 'write'],
        tokenUrl: () => 'https://login.acme.example/oauth/token',
        client: 'basic',
        clientId: ({ credential }) => credential.id,
        clientSecret: ({ credential }) => credential.password,
        token: { accessToken: '/access_token', expiresIn: '/expires_in' },
        renew: { beforeSeconds: 10, onStatus: [401] },
      },
    },
  },
  errors: { rules: [], otherwise: 'permanent' },
  wait: { mostSeconds: 60 },
  retry: { answerWithin: 5000 },
};

/** A provider whose tokens hold for so many seconds, until `revoke` is called. */
async function provider(expiresIn = 3600) {
  const state = { asked: [], calls: [], given: 0, good: undefined, status: 200 };
  const server = http.createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    const answer = (status, document) => response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(document));
    if (request.url === '/oauth/token') {
      state.asked.push({ body, authorization: request.headers.authorization });
      if (state.status !== 200) return answer(state.status, { error: 'invalid_client' });
      state.good = `token-${(state.given += 1)}`;
      return answer(200, { access_token: state.good, expires_in: expiresIn });
    }
    state.calls.push(request.headers.authorization);
    return request.headers.authorization === `Bearer ${state.good}` ? answer(200, { id: 'x' }) : answer(401, {});
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const environment = { ACME_ID: 'our id', ACME_PASSWORD: 'p:w', ACME_API_BASE: `http://127.0.0.1:${server.address().port}` };
  const account = openAccount(service, environment, (opened) => new Tokens(opened));
  return { account, state, revoke: () => (state.good = undefined), end: () => server.close() };
}

test('a token is asked for once, however many calls wait for it', async () => {
  const { account, state, end } = await provider();
  const called = await Promise.all(Array.from({ length: 20 }, () => getThing(account)));
  end();
  assert.deepEqual(new Set(called.map(({ outcome }) => outcome.means)), new Set(['done']));
  const [{ body, authorization }, ...others] = state.asked;
  assert.equal(others.length, 0);
  assert.equal(body, 'grant_type=client_credentials&scope=read%20write');
  // Encoded before they are joined, RFC 6749 section 2.3.1.
  assert.equal(authorization, `Basic ${Buffer.from('our%20id:p%3Aw').toString('base64')}`);
  assert.ok(!JSON.stringify(called).includes('token-1'), 'no record holds it');
});

test('one that ends soon is not used', async () => {
  const { account, state, end } = await provider(5);
  await getThing(account);
  await getThing(account);
  end();
  assert.deepEqual(state.calls, ['Bearer token-1', 'Bearer token-2']);
});

test('one that is refused is renewed once', async () => {
  const { account, state, revoke, end } = await provider();
  await getThing(account);
  revoke();
  assert.equal((await getThing(account)).outcome.means, 'done');
  assert.deepEqual(state.calls, ['Bearer token-1', 'Bearer token-1', 'Bearer token-2']);
  end();
});

test('where none is given the call says why, and it is not asked again at once', async () => {
  const { account, state, end } = await provider();
  state.status = 401;
  const [one, other] = [await getThing(account), await getThing(account)];
  end();
  assert.equal(one.outcome.means, 'authentication');
  assert.equal(one.outcome.code, 'invalid_client');
  assert.deepEqual(one.outcome, other.outcome);
  assert.deepEqual([state.asked.length, state.calls.length], [1, 0]);
});

test('what somebody agreed to ends where it leads to no other', async () => {
  const { own } = service.authentication;
  const agreed = { ...service, authentication: { own: { oauth2: { ...own.oauth2, isShared: true } } } };
  const ends = async (token) => {
    const database = { optional: async (_query, [name]) => token && { sealed: sealed('ours', 'provider tokens', name, JSON.stringify(token)) } };
    const open = (account) => new Tokens(account, database, 'ours');
    return openAccount(agreed, { ACME_ID: 'our id', ACME_PASSWORD: 'p:w', AUTH_SECRET: 'ours' }, open).tokens.endings();
  };
  assert.deepEqual(await ends({ access: 'a', ends_at: 1_800_000_000 }), [{ credential: 'own', endsAt: 1_800_000_000 }]);
  assert.deepEqual(await ends({ access: 'a', ends_at: 1_800_000_000, refresh: 'r' }), []);
  assert.deepEqual(await ends({ access: 'a' }), []);
  assert.deepEqual(await ends(undefined), []);
});

test('a credential ends so many days after it was set', () => {
  const { password } = service.credentials;
  const aging = { ...service, credentials: { ...service.credentials, password: { ...password, endsAfterDays: 10 } } };
  const endings = (environment) => openAccount(aging, { ACME_ID: 'our id', ACME_PASSWORD: 'p:w', ...environment }).endings;
  assert.deepEqual(endings({ ACME_PASSWORD_SET_AT: '2026-01-31' }), [{ credential: 'password', endsAt: Date.UTC(2026, 1, 10) / 1000 }]);
  assert.deepEqual([endings({}), endings({ ACME_PASSWORD_SET_AT: 'soon' }), endings({ ACME_ID_SET_AT: '2026-01-31' })], [[], [], []]);
});
