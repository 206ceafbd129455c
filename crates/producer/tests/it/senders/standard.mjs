// The package of the standard as a sender. Comes in: the address of the server. Goes out: `done`, when every call was answered as it should be.

import assert from "node:assert/strict";
import { Webhook } from "standardwebhooks";

const [address] = process.argv.slice(2);
const SECRET = "whsec_plJ3nmyCDGBKInavdOK15jsl";
const webhook = new Webhook(SECRET);
const send = async ({ id, type = "contact.created", at = new Date(), signature, body, with: signer = webhook }) => {
  const payload = body ?? JSON.stringify({ type, timestamp: at.toISOString(), data: { name: "Ada", note: "žluťoučký 🐎" } });
  const headers = {
    "content-type": "application/json",
    "webhook-id": id,
    "webhook-timestamp": String(Math.floor(at.getTime() / 1000)),
    "webhook-signature": signature?.(signer.sign(id, at, payload)) ?? signer.sign(id, at, payload),
  };
  return (await fetch(`${address}/hooks/events`, { method: "POST", headers, body: payload })).status;
};
const ago = (seconds) => new Date(Date.now() - seconds * 1000);

// Taken, and taken again by another signature of a later time.
assert.equal(await send({ id: "msg_1", at: ago(60) }), 204);
assert.equal(await send({ id: "msg_1" }), 204);

// While a secret is replaced its sender signs with both; what is of another version is not looked at.
const other = new Webhook("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD");
const ofOther = other.sign("msg_2", new Date(), "{}");
assert.equal(await send({ id: "msg_2", signature: (right) => `${ofOther} v1a,AAAA ${right}` }), 204);

// A secret that shows no mark is the same secret.
assert.equal(await send({ id: "msg_3", with: new Webhook(SECRET.slice("whsec_".length)) }), 204);

// Refused: another secret, another version, another id than was signed, too early, too late.
assert.equal(await send({ id: "msg_4", with: other }), 401);
assert.equal(await send({ id: "msg_5", signature: (right) => right.replace("v1,", "v1a,") }), 401);
assert.equal(await send({ id: "msg_6", signature: () => webhook.sign("msg_7", new Date(), "{}") }), 401);
assert.equal(await send({ id: "msg_8", at: ago(360) }), 401);
assert.equal(await send({ id: "msg_9", at: ago(-360) }), 401);

console.log("done");
