// Comes in: the port of a server on this machine. Goes out: what the provider's own package sends there for the cases of its manifest, in
// their order. It speaks with nobody else.
import Stripe from "stripe";

const stripe = new Stripe("sk_test_1234567890", {
  apiVersion: "2026-07-29.dahlia",
  host: "127.0.0.1",
  port: process.argv[2],
  protocol: "http",
  telemetry: false,
  maxNetworkRetries: 0,
});
const once = { idempotencyKey: "d-1:0" };

await stripe.balance.retrieve();
await stripe.customers.create(
  { email: "ada+1@example.org", name: "Ada (King) O'Lovelace", metadata: { user_id: "u-1" } },
  once,
);
await stripe.customers.create({ email: "zoë@example.org", metadata: { user_id: "u-2" } }, once);
await stripe.customers.del("cus_1");
await stripe.checkout.sessions.create(
  {
    mode: "payment",
    success_url: "https://shop.example/checkout/success?order_id=o-1",
    cancel_url: "https://shop.example/checkout/cancelled?order_id=o-1",
    client_reference_id: "o-1",
    customer_email: "ada@example.org",
    line_items: [
      { price_data: { currency: "eur", unit_amount: 1999, product_data: { name: "Tea & [milk]" } }, quantity: 2 },
      { price_data: { currency: "eur", unit_amount: 50, product_data: { name: "100% sugar; x=y" } }, quantity: 1 },
    ],
    metadata: { order_id: "o-1" },
    payment_intent_data: { metadata: { order_id: "o-1" } },
  },
  once,
);
for (const trial of [{ trial_period_days: 14 }, {}]) {
  await stripe.checkout.sessions.create(
    {
      mode: "subscription",
      success_url: "https://shop.example/checkout/success?subscription_id=s-1",
      cancel_url: "https://shop.example/checkout/cancelled?subscription_id=s-1",
      client_reference_id: "s-1",
      customer_email: "ada@example.org",
      line_items: [
        {
          price_data: {
            currency: "gbp",
            unit_amount: 2900,
            recurring: { interval: "month" },
            product_data: { name: "Team & more" },
          },
          quantity: 3,
        },
      ],
      metadata: { subscription_id: "s-1" },
      subscription_data: { ...trial, metadata: { subscription_id: "s-1" } },
    },
    once,
  );
}
await stripe.checkout.sessions.create(
  {
    mode: "subscription",
    success_url: "https://shop.example/checkout/success?subscription_id=s-1",
    cancel_url: "https://shop.example/checkout/cancelled?subscription_id=s-1",
    client_reference_id: "s-1",
    customer_email: "ada@example.org",
    line_items: [{ price: "price_1", quantity: 3 }],
    metadata: { subscription_id: "s-1" },
    subscription_data: { metadata: { subscription_id: "s-1" } },
  },
  once,
);
await stripe.checkout.sessions.retrieve("cs_test_1");
await stripe.refunds.create({ payment_intent: "pi_1", amount: 500, metadata: { order_id: "o-1" } }, once);
await stripe.subscriptions.create(
  { customer: "cus_1", items: [{ price: "price_1" }], metadata: { subscription_id: "s-1" } },
  once,
);
await stripe.subscriptions.cancel("sub_1");
await stripe.subscriptions.update("sub_1", { cancel_at_period_end: true }, once);
await stripe.subscriptions.update("sub_1", { cancel_at_period_end: false }, once);
await stripe.billingPortal.sessions.create({ customer: "cus_1", return_url: "https://shop.example/" }, once);
await stripe.events.list({ limit: 100, created: { gte: 1769817600 }, starting_after: "evt_1" });
await stripe.webhookEndpoints.create(
  {
    url: "https://shop.example/webhooks/stripe",
    api_version: "2026-07-29.dahlia",
    enabled_events: ["checkout.session.completed", "charge.refunded"],
  },
  once,
);
await stripe.webhookEndpoints.update(
  "we_1",
  { enabled_events: ["checkout.session.completed", "charge.refunded"] },
  once,
);
await stripe.webhookEndpoints.del("we_1");
