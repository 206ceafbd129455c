// Tokens of another issuer: what is taken, how long keys are believed, and how often the issuer is asked.

import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import { test } from 'node:test';
import { SignJWT } from 'jose';
import { Issuer, openIssuer } from '../issuer.js';

const AUDIENCE = 'https://api.example';
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** An issuer on this machine with one key after the other, that can go away. */
async function startIssuer(context) {
  const issuing = { asked: 0, isAway: false, kid: 'first', pair: generateKeyPairSync('ed25519') };
  const server = http.createServer((request, response) => {
    if (issuing.isAway) return response.writeHead(500).end();
    if (request.url === '/keys') issuing.asked += 1;
    const key = { ...issuing.pair.publicKey.export({ format: 'jwk' }), kid: issuing.kid, use: 'sig' };
    response.end(JSON.stringify(request.url === '/keys' ? { keys: [key] } : { issuer: issuing.name, jwks_uri: `${issuing.name}/keys` }));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  context.after(() => server.close());
  issuing.name = `http://127.0.0.1:${server.address().port}`;
  issuing.rotate = (kid) => Object.assign(issuing, { kid, pair: generateKeyPairSync('ed25519') });
  issuing.token = (said = {}, header = {}) => {
    const claims = { iss: issuing.name, aud: AUDIENCE, sub: 'ada', exp: Math.floor(Date.now() / 1000) + 3600 * 48, ...said };
    return new SignJWT(claims).setProtectedHeader({ alg: 'EdDSA', typ: 'at+jwt', kid: issuing.kid, ...header }).sign(issuing.pair.privateKey);
  };
  return issuing;
}

const now = () => new Date().toISOString();

test('keys are believed for a day while the issuer is away, and asked for again after five minutes', async (context) => {
  const issuing = await startIssuer(context);
  let clock = 0;
  const issuer = new Issuer(issuing.name, AUDIENCE, () => clock);
  const token = await issuing.token();
  assert.equal((await issuer.check(token, now())).subject, 'ada');
  clock = 4 * MINUTE;
  await issuer.check(token, now());
  assert.equal(issuing.asked, 1);
  clock = 6 * MINUTE;
  await issuer.check(token, now());
  await until(() => issuing.asked === 2);
  issuing.isAway = true;
  clock = 23 * HOUR;
  assert.equal((await issuer.check(token, now())).subject, 'ada');
  clock = 25 * HOUR;
  await assert.rejects(issuer.check(token, now()), { name: 'issuer_unavailable' });
});

test('another key of the issuer has it asked at once, and names that are made up have it asked so often and no more', async (context) => {
  const issuing = await startIssuer(context);
  const issuer = new Issuer(issuing.name, AUDIENCE, () => 0);
  await issuer.check(await issuing.token(), now());
  issuing.rotate('second');
  assert.equal((await issuer.check(await issuing.token(), now())).subject, 'ada');
  assert.equal(issuing.asked, 2);
  const made = (number) => issuing.token({}, { kid: `made up ${number}` });
  for (let number = 0; number < 4; number += 1) assert.equal(await issuer.check(await made(number), now()), undefined);
  // One that was looked for already is refused, the next cannot be checked now; nobody was asked for either.
  assert.equal(await issuer.check(await made(3), now()), undefined);
  await assert.rejects(issuer.check(await made(5), now()), { name: 'issuer_unavailable' });
  assert.equal(issuing.asked, 6);
  assert.equal((await issuer.check(await issuing.token(), now())).subject, 'ada');
});

test('a token says what it was granted, and an address only where it is proved', async (context) => {
  const issuing = await startIssuer(context);
  const issuer = new Issuer(issuing.name, AUDIENCE);
  const check = async (said, header) => issuer.check(await issuing.token(said, header), now());
  const issued = await check({ aud: ['other', AUDIENCE], scope: 'a b', scp: ['c'], email: 'ada@example.com' });
  assert.deepEqual([...issued.grants], ['a', 'b', 'c']);
  assert.equal(issued.email, undefined);
  assert.equal((await check({ email: 'ada@example.com', email_verified: true })).email, 'ada@example.com');
  const past = Math.floor(Date.now() / 1000) - 31;
  for (const said of [{ aud: 'other' }, { iss: 'https://other.example' }, { exp: past }, { exp: undefined }, { sub: '' }, { sub: 7 }, { nbf: past + 200 }]) {
    assert.equal(await check(said), undefined, JSON.stringify(said));
  }
  assert.equal(await check({}, { typ: 'logout+jwt' }), undefined);
  assert.notEqual(await check({}, { typ: undefined }), undefined);
});

test('an issuer is named encrypted but on this machine, with for whom its tokens must be issued', () => {
  for (const name of ['http://issuer.example', 'issuer.example', 'https://a:b@issuer.example', 'https://issuer.example?x', 'https://issuer.example#x']) {
    assert.throws(() => new Issuer(name, AUDIENCE), /`OAUTH_ISSUER`/, name);
  }
  assert.doesNotThrow(() => new Issuer('https://issuer.example/realms/a', AUDIENCE));
  assert.throws(() => openIssuer({}), /`OAUTH_ISSUER` is not set/);
  assert.throws(() => openIssuer({ OAUTH_ISSUER: 'https://issuer.example' }), /`OAUTH_AUDIENCE` is not set/);
});

async function until(holds) {
  for (let tries = 0; !holds(); tries += 1) {
    assert.ok(tries < 200, 'it does not come');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
