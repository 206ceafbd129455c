// Stripe's own package as the client of a simulated Stripe. Comes in: the simulator's address and the key that it printed. Goes out:
// `done`, when the package took every answer for the provider's own.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import Stripe from "stripe";

const [address, key] = process.argv.slice(2);
const { hostname, port } = new URL(address);
const place = { host: hostname, port, protocol: "http", telemetry: false, timeout: 1500 };
const stripe = new Stripe(key, { ...place, maxNetworkRetries: 0 });
const persistent = new Stripe(key, { ...place, maxNetworkRetries: 2 });

const control = async (path, body) => {
  const how = body === undefined ? {} : { method: "POST", body: JSON.stringify(body) };
  const answer = await fetch(`${address}/_simulator/${path}`, how);
  assert.equal(answer.status, 200, `${path}: ${await answer.clone().text()}`);
  return answer.json();
};
const faults = (...names) => control("faults", { faults: names });
// The test system takes 25 requests a second.
const calm = () => sleep(1100);

// Who is let in.
assert.equal((await stripe.balance.retrieve()).object, "balance");
for (const wrong of ["sk_live_0123456789abcdef", "sk_test_1"]) {
  await assert.rejects(new Stripe(wrong, place).balance.retrieve(), Stripe.errors.StripeAuthenticationError);
}

// Customers.
const customer = await stripe.customers.create({ email: "ada@example.org", name: "Ada", metadata: { user_id: "u1" } });
assert.match(customer.id, /^cus_/);
assert.deepEqual((await stripe.customers.retrieve(customer.id)).metadata, { user_id: "u1" });
assert.equal((await stripe.customers.update(customer.id, { name: "Ada L." })).email, "ada@example.org");
assert.equal((await stripe.customers.list({ email: "nobody@example.org" })).data.length, 0);
assert.equal(customer.lastResponse.apiVersion, "2026-07-29.dahlia");
assert.match(customer.lastResponse.requestId, /^req_/);

// Where events go.
const received = [];
const hook = createServer((request, answer) => {
  const parts = [];
  request.on("data", (part) => parts.push(part));
  request.on("end", () => {
    received.push({ body: Buffer.concat(parts), signature: request.headers["stripe-signature"] });
    answer.writeHead(200).end();
  });
});
await new Promise((listening) => hook.listen(0, "127.0.0.1", listening));
const url = `http://127.0.0.1:${hook.address().port}/webhooks/stripe`;
const endpoint = await stripe.webhookEndpoints.create({ url, enabled_events: ["checkout.session.completed", "charge.refunded"] });
assert.match(endpoint.secret, /^whsec_/);
assert.equal((await stripe.webhookEndpoints.retrieve(endpoint.id)).secret, undefined);
assert.deepEqual((await stripe.webhookEndpoints.list()).data.map(({ id }) => id), [endpoint.id]);
const kinds = ["checkout.session.completed", "charge.refunded", "customer.subscription.deleted"];
assert.deepEqual((await stripe.webhookEndpoints.update(endpoint.id, { enabled_events: kinds })).enabled_events, kinds);
const next = async () => {
  for (let tries = 0; received.length === 0; tries += 1) {
    assert.ok(tries < 100, "no webhook came");
    await sleep(50);
  }
  const { body, signature } = received.shift();
  assert.throws(() => stripe.webhooks.constructEvent(`${body} `, signature, endpoint.secret), Stripe.errors.StripeSignatureVerificationError);
  return stripe.webhooks.constructEvent(body, signature, endpoint.secret);
};

// A checkout, paid on its page, given back.
const order = {
  mode: "payment",
  success_url: "https://shop.example/ok?session={CHECKOUT_SESSION_ID}",
  cancel_url: "https://shop.example/no",
  client_reference_id: "order-1",
  customer: customer.id,
  line_items: [{ quantity: 2, price_data: { currency: "eur", unit_amount: 1999, product_data: { name: "Tea & cups" } } }],
  metadata: { order_id: "order-1" },
  payment_intent_data: { metadata: { order_id: "order-1" } },
};
const session = await stripe.checkout.sessions.create(order);
assert.deepEqual([session.amount_total, session.status, session.payment_status], [3998, "open", "unpaid"]);
assert.match(await (await fetch(session.url)).text(), /Tea &amp; cups.*39\.98 EUR/s);
const paid = await fetch(session.url, { method: "POST", body: new URLSearchParams({ button: "0" }), redirect: "manual" });
assert.deepEqual([paid.status, paid.headers.get("location")], [303, `https://shop.example/ok?session=${session.id}`]);
const completed = await next();
assert.equal(completed.type, "checkout.session.completed");
assert.equal(completed.data.object.client_reference_id, "order-1");
const seen = await stripe.checkout.sessions.retrieve(session.id);
assert.equal(seen.payment_status, "paid");
const refund = await stripe.refunds.create({ payment_intent: seen.payment_intent, amount: 998, metadata: { order_id: "order-1" } });
assert.deepEqual([refund.amount, refund.status], [998, "succeeded"]);
const refunded = (await next()).data.object;
assert.deepEqual([refunded.amount_refunded, refunded.refunded, refunded.metadata.order_id], [998, false, "order-1"]);
// What Stripe says then has no code, only a parameter.
const beyond = { type: "StripeInvalidRequestError", statusCode: 400, code: undefined, param: "amount" };
await assert.rejects(stripe.refunds.create({ payment_intent: seen.payment_intent, amount: 999_999 }), beyond);
await stripe.refunds.create({ payment_intent: seen.payment_intent });
assert.equal((await next()).data.object.refunded, true);
await assert.rejects(stripe.refunds.create({ payment_intent: seen.payment_intent }), { type: "StripeInvalidRequestError", code: "charge_already_refunded" });
await calm();

// Subscriptions.
const subscription = await stripe.subscriptions.create({ customer: customer.id, items: [{ price: "price_1" }] });
assert.deepEqual([subscription.status, subscription.items.data[0].price.id], ["active", "price_1"]);
for (const isEnding of [true, false]) {
  const changed = await stripe.subscriptions.update(subscription.id, { cancel_at_period_end: isEnding });
  assert.deepEqual([changed.status, changed.cancel_at_period_end, changed.cancel_at !== null], ["active", isEnding, isEnding]);
}
const price = await stripe.prices.create({ currency: "gbp", unit_amount: 2900, recurring: { interval: "month" }, product_data: { name: "Team" } });
const ofPrice = (id) => ({ mode: "subscription", success_url: "https://shop.example/ok", line_items: [{ price: id, quantity: 2 }] });
const priced = await stripe.checkout.sessions.create(ofPrice(price.id));
assert.deepEqual([priced.amount_total, priced.currency], [5800, "gbp"]);
await assert.rejects(stripe.checkout.sessions.create(ofPrice("price_none")), { code: "resource_missing", param: "line_items[0][price]" });
assert.equal((await stripe.subscriptions.cancel(subscription.id)).status, "canceled");
assert.equal((await next()).type, "customer.subscription.deleted");
assert.match((await stripe.billingPortal.sessions.create({ customer: customer.id, return_url: "https://shop.example/" })).url, /^http/);

// What it refuses.
await assert.rejects(stripe.checkout.sessions.create({ mode: "payment" }), { type: "StripeInvalidRequestError", param: "success_url" });
await assert.rejects(stripe.checkout.sessions.create({ ...order, customer: "cus_none" }), { type: "StripeInvalidRequestError", code: "resource_missing" });
await assert.rejects(stripe.customers.retrieve("cus_none"), { type: "StripeInvalidRequestError", statusCode: 404 });
assert.equal((await stripe.customers.del(customer.id)).deleted, true);
await assert.rejects(stripe.customers.retrieve(customer.id), { type: "StripeInvalidRequestError" });

// Idempotency keys.
const once = { idempotencyKey: "order-2" };
const first = await stripe.customers.create({ email: "b@example.org" }, once);
const again = await stripe.customers.create({ email: "b@example.org" }, once);
assert.equal(again.id, first.id);
assert.equal(again.lastResponse.headers["idempotent-replayed"], "true");
await assert.rejects(stripe.customers.create({ email: "c@example.org" }, once), { type: "StripeIdempotencyError" });
await calm();

// Events, page by page.
const events = [];
for await (const event of stripe.events.list({ limit: 3 })) events.push(event);
assert.equal(new Set(events.map(({ id }) => id)).size, events.length);
assert.ok(events.length > 6 && events[0].type === "customer.created", events.map(({ type }) => type).join());
assert.equal((await stripe.events.retrieve(events[0].id)).id, events[0].id);
assert.equal((await stripe.events.list({ type: "charge.refunded" })).data.length, 2);
assert.equal((await stripe.events.list({ created: { gte: Math.floor(Date.now() / 1000) + 60 } })).data.length, 0);
await calm();

// What goes wrong.
await faults("rate_limit:1");
await assert.rejects(stripe.balance.retrieve(), { type: "StripeRateLimitError", statusCode: 429 });
await faults("server_error");
await assert.rejects(stripe.balance.retrieve(), { type: "StripeAPIError", statusCode: 500 });
await faults("hang");
await assert.rejects(stripe.balance.retrieve(), Stripe.errors.StripeConnectionError);
await faults("reply_lost");
const before = (await control("effects")).total;
await assert.rejects(stripe.customers.create({ email: "d@example.org" }), Stripe.errors.StripeConnectionError);
assert.equal((await control("effects")).total, before + 1);
// The package asks again with the key of the first time: one effect, whatever is lost.
await faults("server_error:1", "reply_lost:1", "reply_lost:2");
const lost = await persistent.customers.create({ email: "e@example.org" }).catch((error) => error);
await faults();
const effects = await control("effects");
assert.deepEqual([effects.total, effects.most_of_one_key], [before + 2, 1], JSON.stringify(lost));
await faults("duplicate_webhook:1");
const twice = await stripe.checkout.sessions.create(order).catch((error) => error);
assert.equal(twice.code, "resource_missing");
const other = await stripe.checkout.sessions.create({ ...order, customer: undefined });
await control("acts/pay", { id: other.id });
assert.equal((await next()).id, (await next()).id);
await calm();

// Too fast is refused, as in the test system.
const all = await Promise.allSettled(Array.from({ length: 40 }, () => stripe.balance.retrieve()));
const refused = all.filter(({ status }) => status === "rejected").map(({ reason }) => reason.type);
assert.ok(refused.length >= 10 && refused.every((type) => type === "StripeRateLimitError"), refused.join());
await calm();

assert.equal((await stripe.webhookEndpoints.del(endpoint.id)).deleted, true);
assert.deepEqual((await stripe.webhookEndpoints.list()).data, []);
hook.closeAllConnections();
hook.close();
process.stdout.write("done\n");
