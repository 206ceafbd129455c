// Calls whose proof does not come with them: certificates made for the tests, and a provider that is asked; as the native server has it.

import assert from 'node:assert/strict';
import { X509Certificate, sign } from 'node:crypto';
import { test } from 'node:test';
import { crc32 } from 'node:zlib';
import { verifyCertificate } from '../provider/certificate.js';
import { Prover } from '../provider/proof.js';
import { mustBeConfirmed } from '../provider/signature.js';
import { Stranger, Unproved, receive } from '../provider/webhook.js';
import { byNoAuthority, chain, elsewhere, other } from './certificates.js';

const BODY = '{"id":"1","type":"paid"}';
// The certificates hold for the year 2023.
const BEGINS = Date.parse('2023-01-01T00:00:00Z');
const ENDS = Date.parse('2024-01-01T00:00:00Z');
const NOW = BEGINS + 15_000_000_000;
const place = { urlHeader: 'Acme-Cert-Url', within: ['provider.example'] };
const way = (webhook) => ({
  ...place, algorithm: 'ecdsa_p256_sha256', header: 'Acme-Signature',
  signed: [{ header: 'Acme-Id' }, { text: '|' }, { value: webhook }, { text: '|' }, 'crc32_of_body'],
});

function signedCall({ key }, { webhook = 'wh1', body = BODY, arrived = NOW, url = 'https://certs.provider.example/1' } = {}) {
  const signature = sign('sha256', Buffer.from(`t-1|${webhook}|${crc32(body)}`), key).toString('base64');
  const headers = [['Acme-Id', 't-1'], ['Acme-Signature', signature], ['Acme-Cert-Url', url]];
  return { method: 'POST', url: 'https://us.example/', headers, body: Buffer.from(body), arrived };
}

function refusal(call, { file }, { root }, more = {}) {
  try {
    verifyCertificate(call, { file: Buffer.from(file), trusted: [new X509Certificate(root)] }, { ...way('wh1'), ...more });
    return undefined;
  } catch (error) {
    assert.ok(error instanceof Stranger, error.stack);
    return error.message.replace('the certificate is not to be trusted: ', '');
  }
}

test('a certificate is believed only with somebody trusted behind it and in its time', () => {
  const made = signedCall(chain);
  assert.equal(refusal(made, chain, chain), undefined);
  assert.equal(refusal(made, chain, other), 'nobody we trust stands behind it');
  assert.equal(refusal(made, other, other), 'the signature is wrong');
  assert.equal(refusal(signedCall(elsewhere), elsewhere, elsewhere), "the name in it is not the provider's");
  assert.equal(refusal(signedCall(byNoAuthority), byNoAuthority, byNoAuthority), 'nobody we trust stands behind it', 'whoever has a certificate may not make others');
  const [leaf] = chain.file.split(/(?<=-----END CERTIFICATE-----\n)/);
  assert.equal(refusal(made, { file: leaf }, chain), 'nobody we trust stands behind it', 'the one between is missing');
  assert.equal(refusal(signedCall(chain, { arrived: ENDS + 1000 }), chain, chain), 'it has ended');
  assert.equal(refusal(signedCall(chain, { arrived: BEGINS - 1000 }), chain, chain), 'it does not hold yet');
  assert.equal(refusal({ ...made, body: Buffer.from('{"id":"2"}') }, chain, chain), 'the signature is wrong');
  assert.equal(refusal(made, { file: 'no certificate' }, chain), 'it cannot be read');
  assert.equal(refusal(made, { file: '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----' }, chain), 'it cannot be read');
  assert.equal(refusal(made, chain, chain, { algorithm: 'rsa_sha256' }), 'the signature is wrong', 'a key of another kind');
  assert.throws(() => verifyCertificate(made, undefined, way('wh1')), Unproved);
});

const webhooks = (more) => ({
  body: 'json', dedup: ({ body }) => [body.id], kind: ({ body }) => body.type, acknowledge: { status: 200 },
  events: [{ kinds: ['paid'], ignored: 'nobody asked' }], ...more,
});

/** Who proves by what lies at addresses; what was fetched. */
function proving(lies) {
  const verify = (call, { scope: { webhook }, proofs }) => verifyCertificate(call, proofs.certificate, way(webhook.id));
  const service = { title: 'Acme', remembers: {}, webhooks: webhooks({ verify, proofs: [{ certificate: place }] }) };
  const account = { service, scope: { webhook: { id: 'wh1' } } };
  const asked = [];
  const fetch = async (url) => {
    asked.push(url);
    return Buffer.from(lies());
  };
  const prover = new Prover(account, { fetch, trusted: [new X509Certificate(chain.root)] });
  return { asked, hear: async (call) => receive(account, call, await prover.bring(call)) };
}

test('a certificate is fetched once and believed for a while', async () => {
  const { asked, hear } = proving(() => chain.file);
  await Promise.all([1, 2, 3].map(() => hear(signedCall(chain))));
  assert.equal(asked.length, 1);
  await hear(signedCall(chain, { arrived: NOW + 3_600_001 }));
  assert.equal(asked.length, 2, 'an hour later it is looked at again');
  await assert.rejects(hear(signedCall(chain, { webhook: 'wh2' })), /the signature is wrong/);
  await assert.rejects(hear(signedCall(other)), /the signature is wrong/);
});

test('strangers cannot have us fetch what they like', async () => {
  let lies = () => {
    throw new Error('no connection');
  };
  const { asked, hear } = proving(() => lies());
  const call = (url, arrived = NOW) => signedCall(chain, { url, arrived });
  for (const url of [
    'https://evil.example/1', 'http://certs.provider.example/1', 'https://certs.provider.example:8443/', 'https://evilprovider.example/', 'https://certs.provider.example@evil.example/',
    'https://evil.example\\.provider.example/', 'https://evil.example#.provider.example/', '',
  ]) await assert.rejects(hear(call(url)), Stranger, url);
  assert.equal(asked.length, 0);
  // What does not come is not asked for again at once, even if it would come by now; later it is.
  const first = 'https://certs.provider.example/1';
  await assert.rejects(hear(call(first)), Unproved);
  lies = () => chain.file;
  await assert.rejects(hear(call(first)), Unproved);
  assert.equal(asked.length, 1);
  await hear(call(first, NOW + 60_001));
  // However many addresses are named, so many are fetched in a minute and no more.
  for (let number = 0; number < 100; number += 1) await hear(call(`https://certs.provider.example/${number}x`, NOW + 200_000)).catch(() => {});
  assert.equal(asked.length, 2 + 20);
});

test('the provider is asked whether a call is its own', async () => {
  const outcome = async (means, calls = 1) => {
    const asked = [];
    let release = () => {};
    const held = calls > 1 ? new Promise((resolve) => { release = resolve; }) : undefined;
    const ask = async (account, input) => {
      asked.push(input);
      await held;
      return { outcome: { means } };
    };
    const verify = (call, { proofs }) => mustBeConfirmed(proofs.isConfirmed);
    const service = { title: 'Acme', remembers: {}, webhooks: webhooks({ verify, proofs: [{ ask, input: ({ body }) => ({ event: body.id }) }] }) };
    const account = { service, scope: {} };
    const prover = new Prover(account);
    const call = { ...signedCall(chain), headers: [] };
    const hear = async () => receive(account, call, await prover.bring(call));
    const all = Promise.allSettled(Array.from({ length: calls }, hear));
    release();
    assert.deepEqual(asked[0], { event: '1' });
    assert.throws(() => receive(account, call), Unproved, 'nobody was asked');
    return (await all).map(({ reason }) => reason?.constructor.name ?? 'taken');
  };
  assert.deepEqual(await outcome('done'), ['taken']);
  assert.deepEqual(await outcome('permanent'), ['Stranger']);
  for (const means of ['transient', 'rate_limited', 'authentication']) assert.deepEqual(await outcome(means), ['Unproved']);
  assert.equal((await outcome('done', 20)).filter((name) => name === 'Unproved').length, 12, 'eight at once');
});
