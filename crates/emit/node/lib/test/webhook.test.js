// Calls of a provider: known by their signature over the bytes as they came, read once, refused with a reason that says no secret.

import assert from 'node:assert/strict';
import { createHmac, generateKeyPairSync, sign } from 'node:crypto';
import { test } from 'node:test';
import { verifyBasic, verifyDigest, verifyHeader, verifyHmac, verifyPublicKey, verifySecretPath } from '../provider/signature.js';
import { NotTaken, Stranger, receive } from '../provider/webhook.js';

const SECRET = 'whsec_1';
const ARRIVED = 1_700_000_000_000;
const call = (body, headers = {}, more = {}) => ({
  method: 'POST', url: 'https://shop.example/webhooks/acme', headers: Object.entries(headers), body: Buffer.from(body), arrived: ARRIVED, ...more,
});
const hmac = (text, key = SECRET) => createHmac('sha256', key).update(text).digest('hex');
const pairs = {
  algorithm: 'sha256', key: SECRET, header: 'Acme-Signature', form: { pairs: { signature: 'v1', timestamp: 't' } }, encoding: 'hex',
  signed: ['timestamp', { text: '.' }, 'body'], timestamp: { unit: 'seconds', past: 300, future: 300 },
};

test('a keyed digest with its time', () => {
  const signed = (at, body = '{}', key) => ({ 'acme-signature': `t=${at},v0=00,v1=${hmac(`${at}.${body}`, key)}` });
  const now = ARRIVED / 1000;
  verifyHmac(call('{}', signed(now)), pairs);
  verifyHmac(call('{}', signed(now - 300)), pairs);
  const refused = (headers, body = '{}') => {
    try {
      verifyHmac(call(body, headers), pairs);
    } catch (error) {
      assert.ok(error instanceof Stranger && !error.message.includes(SECRET));
      return error.message;
    }
    return undefined;
  };
  assert.equal(refused(signed(now), '{ }'), 'the signature is wrong');
  assert.equal(refused(signed(now, '{}', 'another')), 'the signature is wrong');
  assert.equal(refused(signed(now - 301)), 'it was signed 301 s ago, and 300 s are allowed');
  assert.match(refused(signed(now + 302)), /302 s ahead/);
  assert.equal(refused({}), 'the header `Acme-Signature` is missing');
  assert.equal(refused({ 'Acme-Signature': 'nonsense' }), 'the header `Acme-Signature` cannot be read');
  const twice = { ...call('{}'), headers: [...Object.entries(signed(now)), ...Object.entries(signed(now))] };
  assert.throws(() => verifyHmac(twice, pairs), /more than once/);
  assert.throws(() => verifyHmac(call('{}', signed(now)), { ...pairs, key: undefined }), /the secret has no value here/);
});

// twilio/twilio-node, spec/validation.spec.js
test('a keyed digest over the address and the sorted parameters', () => {
  const form = 'To=%2B18005551212&CallSid=CA1234567890ABCDE&Caller=%2B14158675309&Digits=1234&From=%2B14158675309';
  const way = { algorithm: 'sha1', key: '12345', header: 'X-Twilio-Signature', encoding: 'base64', signed: ['url', 'sorted_parameters'], bodyDigestParameter: 'bodySHA256', portEitherWay: true };
  const sent = (url, signature, body, type = 'application/x-www-form-urlencoded; charset=utf-8') =>
    call(body, { 'X-Twilio-Signature': signature, 'Content-Type': type }, { url });
  const [plain, withPort] = ['RSOYDt4T1cUTdK1PDd93/VVr8B8=', 'kvajT1Ptam85bY51eRf/AJRuM3w='];
  const [url, writtenOut] = ['https://mycompany.com/myapp.php?foo=1&bar=2', 'https://mycompany.com:443/myapp.php?foo=1&bar=2'];
  verifyHmac(sent(url, plain, form), way);
  verifyHmac(sent(url, withPort, form), way);
  verifyHmac(sent(writtenOut, plain, form), way);
  assert.throws(() => verifyHmac(sent(url, plain, `${form}&X=1`), way), Stranger);
  assert.throws(() => verifyHmac(sent(url, withPort, form), { ...way, portEitherWay: false }), Stranger);
  const json = ['a9nBmqA0ju/hNViExpshrM61xv4=', '{"property": "value", "boolean": true}', 'application/json'];
  const digest = '0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620';
  verifyHmac(sent(`https://mycompany.com/myapp.php?foo=1&bar=2&bodySHA256=${digest}`, ...json), way);
  assert.throws(() => verifyHmac(sent(url, ...json), way), Stranger);
});

test('digests, public keys, headers, passwords and addresses', () => {
  verifyDigest(call('ab', { H: 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad' }), {
    algorithm: 'sha256', secret: 'c', header: 'H', encoding: 'hex', signed: ['body', 'secret'],
  });
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const key = publicKey.export({ format: 'der', type: 'spki' }).toString('base64');
  const signature = sign('sha256', Buffer.from('1700000000{}'), privateKey).toString('base64');
  const way = { key, header: 'S', signed: ['timestamp', 'body'], timestamp: { header: 'T', unit: 'seconds', past: 60 } };
  verifyPublicKey(call('{}', { S: signature, T: '1700000000' }), way);
  assert.throws(() => verifyPublicKey(call('{ }', { S: signature, T: '1700000000' }), way), Stranger);
  verifyHeader(call('', { 'X-Token': 'ours' }), 'X-Token', 'ours');
  assert.throws(() => verifyHeader(call('', { 'X-Token': 'ours2' }), 'X-Token', 'ours'), Stranger);
  verifyBasic(call('', { Authorization: `basic ${Buffer.from('u:p').toString('base64')}` }), 'u', 'p');
  assert.throws(() => verifyBasic(call('', { Authorization: 'Bearer x' }), 'u', 'p'), Stranger);
  verifySecretPath(call('', {}, { url: 'https://shop.example/webhooks/acme/s3cret?x=/y' }), 's3cret');
  assert.throws(() => verifySecretPath(call('', {}, { url: 'https://shop.example/webhooks/acme/' }), 's3cret'), Stranger);
});

const account = {
  scope: { webhook: { secret: SECRET } },
  service: {
    remembers: { customer: { of: 'user_id' } },
    webhooks: {
      body: 'json',
      verify: () => {},
      handshake: [{ answers: 'HEAD' }, { ping: 'ping' }, { when: [{ at: '/challenge', present: true }], answer: ({ body }) => ({ said: body.challenge }) }],
      acceptWhen: [{ at: '/object', is: ['event'] }],
      dedup: ({ body }) => [body.id],
      kind: ({ body }) => body.type,
      time: ({ body }) => body.at,
      acknowledge: { status: 202 },
      events: [
        { kinds: ['paid'], when: [{ at: '/live', is: ['true'] }], becomes: 'paid', required: ['user_id'], fields: ({ body }) => ({ user_id: body.user, note: body.note }), remember: ({ body }) => ({ customer: body.customer }) },
        { kinds: ['boring'], ignored: 'it means nothing' },
      ],
    },
  },
};
const heard = (body) => receive(account, call(JSON.stringify({ object: 'event', ...body })));

test('an event is read in our words, with what tells it from others', () => {
  const { reply, events } = heard({ id: 'e1', type: 'paid', live: true, user: 'u', customer: 'c', at: '2026-01-31T00:00:00Z' });
  assert.deepEqual(reply, { status: 202, body: '' });
  const [{ entry, record }] = events;
  assert.equal(entry.becomes, 'paid');
  assert.deepEqual([record.user_id, record.note, record.heard_kind, record.heard_time], ['u', null, 'paid', '2026-01-31T00:00:00.000Z']);
  assert.deepEqual([record.kept_customer, record.whose_customer.length, record.heard_dedup.length], ['"c"', 64, 64]);
  assert.equal(heard({ id: 'e1', type: 'other' }).events[0].record.heard_dedup, record.heard_dedup);
});

test('what nobody has described, or what lacks what it must say, has no entry', () => {
  assert.equal(heard({ id: 'e', type: 'tomorrow' }).events[0].entry, undefined);
  assert.equal(heard({ id: 'e', type: 'paid', live: true }).events[0].entry, undefined);
  assert.deepEqual(heard({ id: 'e', type: 'boring' }).events, []);
  assert.deepEqual(heard({ id: 'e', type: 'ping' }).events, []);
});

test('handshakes are answered, and what is none is not taken', () => {
  assert.deepEqual(receive(account, call('', {}, { method: 'HEAD' })).reply, { status: 200, body: '' });
  assert.deepEqual(heard({ challenge: 'x' }).reply, { status: 200, body: '{"said":"x"}', mediaType: 'application/json' });
  assert.throws(() => receive(account, call('{')), NotTaken);
  assert.throws(() => receive(account, call('{"object":"other"}')), NotTaken);
  assert.throws(() => heard({ type: 'paid' }), /which event it is/);
});

test('while the secret is replaced the one before is taken too', () => {
  const verify = (asked, { scope: { webhook } }) => verifyHeader(asked, 'X-Token', webhook.secret);
  const replaced = (webhookBefore) => ({ ...account, webhookBefore, service: { ...account.service, webhooks: { ...account.service.webhooks, verify } } });
  const told = (token, before) => receive(replaced(before), call('{"object":"event","id":"e","type":"boring"}', { 'X-Token': token })).events;
  assert.deepEqual([told(SECRET, 'old'), told('old', 'old'), told(SECRET)], [[], [], []]);
  for (const before of ['old', undefined]) assert.throws(() => told('other', before), Stranger);
  assert.throws(() => told('old'), Stranger);
});

test('something of ours may stand in the body', () => {
  const holding = { ...account, service: { ...account.service, webhooks: { ...account.service.webhooks, bodyHolds: [{ at: '/ours', value: ({ webhook }) => webhook.secret }] } } };
  const told = (ours) => receive(holding, call(JSON.stringify({ object: 'event', id: 'e', type: 'boring', ours })));
  assert.deepEqual(told(SECRET).events, []);
  assert.throws(() => told('other'), Stranger);
  assert.throws(() => told(undefined), Stranger);
});

test('forms nest', () => {
  const nesting = { ...account, service: { ...account.service, webhooks: { ...account.service.webhooks, body: 'form_nested', dedup: ({ body }) => [body.data.id], kind: ({ body }) => body.type, time: undefined } } };
  const { events } = receive(nesting, call('object=event&type=t&data[id]=7&data[list][0]=a&data[list][1]=b&data[list2][]=c&__proto__[x]=y'));
  const body = JSON.parse(events[0].record.heard_body);
  assert.deepEqual(body.data, { id: '7', list: ['a', 'b'], list2: ['c'] });
  assert.equal({}.x, undefined);
});
