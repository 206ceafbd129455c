// Comes in: the address of a provider that is played, and a name and a password that it takes. It is agreed to, its tokens are used, renewed and
// revoked by a client of OAuth 2.0 that knows nothing of us. Goes out: `done`. It speaks with nobody else.
import assert from "node:assert/strict";
import * as oauth from "oauth4webapi";

const [address, id, secret] = process.argv.slice(2);
const issuer = new URL(address);
const plain = { [oauth.allowInsecureRequests]: true };
const found = await oauth.discoveryRequest(issuer, { algorithm: "oauth2", ...plain });
const server = await oauth.processDiscoveryResponse(issuer, found);
const client = { client_id: id };
const proof = oauth.ClientSecretBasic(secret);
const redirect = "http://127.0.0.1:1/back?from=here";

/** What a person is led back with who presses that button. */
async function agrees(button, more = {}) {
  const verifier = oauth.generateRandomCodeVerifier();
  const state = oauth.generateRandomState();
  const url = new URL(server.authorization_endpoint);
  const asked = {
    response_type: "code",
    client_id: id,
    redirect_uri: redirect,
    scope: "read write",
    state,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: "S256",
    ...more,
  };
  for (const [name, value] of Object.entries(asked)) if (value !== undefined) url.searchParams.set(name, value);
  const page = await (await fetch(url, { redirect: "manual" })).text();
  const led = await fetch(url, { method: "POST", redirect: "manual", body: new URLSearchParams({ button }) });
  assert.equal(led.status, 303);
  return { page, back: new URL(led.headers.get("location")), state, verifier };
}

const exchanged = async ({ back, state, verifier }) => {
  const parameters = oauth.validateAuthResponse(server, client, back, state);
  const answer = await oauth.authorizationCodeGrantRequest(server, client, proof, parameters, redirect, verifier, plain);
  return oauth.processAuthorizationCodeResponse(server, client, answer);
};
const renewed = async (token) =>
  oauth.processRefreshTokenResponse(
    server,
    client,
    await oauth.refreshTokenGrantRequest(server, client, proof, token, plain),
  );
const asks = async (token) =>
  (await fetch(new URL("/v1/me", address), { headers: { authorization: `Bearer ${token}` } })).status;
const isRefused = (promise, error) => assert.rejects(promise, (thrown) => thrown.error === error || assert.fail(thrown));

// Somebody agrees.
const agreed = await agrees("agree");
assert.match(agreed.page, /read, write/);
assert.equal(agreed.back.searchParams.get("from"), "here");
const token = await exchanged(agreed);
assert.deepEqual([token.token_type, token.scope, token.expires_in > 0], ["bearer", "read write", true]);
assert.deepEqual([await asks(token.access_token), await asks("another")], [200, 401]);

// The next token, and what was used before is of no use.
const next = await renewed(token.refresh_token);
assert.notEqual(next.refresh_token, token.refresh_token);
assert.equal(await asks(next.access_token), 200);
await isRefused(renewed(token.refresh_token), "invalid_grant");
await isRefused(renewed(next.refresh_token), "invalid_grant");
assert.equal(await asks(next.access_token), 401, "nothing of that agreement holds any more");

// A code is good once, for whoever asked for it.
const once = await agrees("agree");
const first = await exchanged(once);
await isRefused(exchanged(once), "invalid_grant");
assert.equal(await asks(first.access_token), 401);
const stolen = await agrees("agree");
await isRefused(exchanged({ ...stolen, verifier: oauth.generateRandomCodeVerifier() }), "invalid_grant");

// What is revoked.
const ended = await exchanged(await agrees("agree"));
await oauth.processRevocationResponse(await oauth.revocationRequest(server, client, proof, ended.access_token, plain));
assert.equal(await asks(ended.access_token), 401);
const again = await renewed(ended.refresh_token);
await oauth.processRevocationResponse(await oauth.revocationRequest(server, client, proof, again.refresh_token, plain));
assert.equal(await asks(again.access_token), 401);
await isRefused(renewed(again.refresh_token), "invalid_grant");

// Who says no, and what is asked wrongly.
const refusal = await agrees("refuse");
assert.throws(() => oauth.validateAuthResponse(server, client, refusal.back, refusal.state), { error: "access_denied" });
const unbound = await agrees("agree", { code_challenge: undefined, code_challenge_method: undefined });
assert.throws(() => oauth.validateAuthResponse(server, client, unbound.back, unbound.state), { error: "invalid_request" });
const strange = await oauth.refreshTokenGrantRequest(server, client, oauth.ClientSecretBasic("x"), "none", plain);
assert.deepEqual([strange.status, (await strange.json()).error], [401, "invalid_client"]);
const nowhere = new URL(server.authorization_endpoint);
assert.equal((await fetch(nowhere)).status, 400);
console.log("done");
