//! The provider that this build describes, played on a clock of the tests' own: what an official client would see, without one.

mod judged;

use super::{Answer, Asked, Handled, NoSimulator, Outgoing, Simulator};
use crate::signature::{Call, verify_hmac};
use manifest::webhook::Verification;
use manifest::{Manifest, Text};
use serde_json::{Value, json};
use vocab::Secret;

const SITE: &str = "http://127.0.0.1:4000";
const NOW_MS: i64 = 1_800_000_000_000;
const KEY: &str = "sk_test_0123456789abcdef";

fn stripe() -> Manifest {
    let folder = catalog::built_in_providers().into_iter().find(|folder| folder.name == "stripe").unwrap();
    folder.read().unwrap()
}

struct World {
    simulator: Simulator,
    now_ms: i64,
    key: &'static str,
}

impl World {
    fn new() -> Self {
        Self { simulator: Simulator::new(stripe(), SITE, 7).unwrap(), now_ms: NOW_MS, key: KEY }
    }

    fn handled(&mut self, method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> Handled {
        // A beat between requests, so that the provider's rates let them through.
        self.now_ms += 100;
        let mut all = vec![("authorization".to_owned(), format!("Bearer {}", self.key))];
        all.push(("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned()));
        all.extend(headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        self.simulator.handle(&Asked { method, target, headers: &all, body: body.as_bytes() }, self.now_ms)
    }

    fn answer(&mut self, method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> (u16, Value) {
        let answer = answered(self.handled(method, target, headers, body));
        (answer.status, serde_json::from_slice(&answer.body).unwrap())
    }

    fn post(&mut self, target: &str, body: &str) -> (u16, Value) {
        self.answer("POST", target, &[], body)
    }

    fn get(&mut self, target: &str) -> Value {
        self.answer("GET", target, &[], "").1
    }

    fn session(&mut self) -> Value {
        let (status, session) = self.post("/v1/checkout/sessions", SESSION);
        assert_eq!(status, 200, "{session}");
        session
    }

    fn act(&mut self, name: &str, of: &Value) -> Value {
        self.simulator.act(name, text(of, "id"), self.now_ms).unwrap()
    }

    /// Everything that is due now.
    fn webhooks(&mut self) -> Vec<(Outgoing, Value)> {
        let due = self.simulator.webhooks_due(self.now_ms);
        due.into_iter().map(|call| (call.clone(), serde_json::from_slice(&call.body).unwrap())).collect()
    }
}

#[test]
fn items_of_a_list_make_objects_or_change_them_and_one_that_is_refused_leaves_the_others() {
    let manifest = crate::testbed::manifest("hubspot");
    let mut simulator = Simulator::new(manifest, SITE, 7).unwrap();
    let headers = ["authorization", "content-type"].map(str::to_owned);
    let headers: Vec<_> =
        headers.into_iter().zip(["Bearer pat-0123456789abcdef0123", "application/json"].map(str::to_owned)).collect();
    let mut ask = |method, target: &str, body: Value| {
        let body = body.to_string();
        let asked = Asked { method, target, headers: &headers, body: body.as_bytes() };
        let answer = answered(simulator.handle(&asked, NOW_MS));
        (answer.status, serde_json::from_slice::<Value>(&answer.body).unwrap())
    };
    let person = |email: &str, properties: Value| json!({ "id": email, "idProperty": "email", "objectWriteTraceId": email, "properties": properties });
    const UPSERT: &str = "/crm/v3/objects/contacts/batch/upsert";
    let ada = person("ada@example.com", json!({ "email": "ada@example.com", "company": "Engines" }));
    let (status, made) = ask("POST", UPSERT, json!({ "inputs": [ada] }));
    assert_eq!((status, &made["results"][0]["new"]), (200, &json!(true)), "{made}");
    let ada = person("ada@example.com", json!({ "email": "ada@example.com", "phone": "1" }));
    let wrong = person("nobody", json!({ "email": "nobody" }));
    let (status, partly) = ask("POST", UPSERT, json!({ "inputs": [wrong, ada] }));
    assert_eq!((status, &partly["numErrors"], &partly["results"][0]["new"]), (207, &json!(1), &json!(false)));
    assert_eq!(partly["errors"][0]["context"]["objectWriteTraceId"], json!(["nobody"]));
    let id = text(&made["results"][0], "id").to_owned();
    let (_, known) = ask("GET", &format!("/crm/v3/objects/contacts/{id}"), json!(null));
    let whole = json!({ "email": "ada@example.com", "company": "Engines", "phone": "1" });
    assert_eq!((&known["properties"], known.get("new")), (&whole, None));
    let property = json!({ "name": "a", "label": "A", "groupName": "g", "type": "string", "fieldType": "text" });
    let property = |ask: &mut dyn FnMut(&'static str, &str, Value) -> (u16, Value)| {
        ask("POST", "/crm/v3/properties/contacts", property.clone()).0
    };
    assert_eq!((property(&mut ask), property(&mut ask)), (201, 409));
}

const SESSION: &str = "mode=payment&success_url=https%3A%2F%2Fshop.example%2Fok&client_reference_id=order_1\
    &line_items[0][price_data][currency]=eur&line_items[0][price_data][unit_amount]=1999\
    &line_items[0][price_data][product_data][name]=Tea&line_items[0][quantity]=2\
    &line_items[1][price_data][currency]=eur&line_items[1][price_data][unit_amount]=500\
    &line_items[1][price_data][product_data][name]=Cup&line_items[1][quantity]=1\
    &metadata[order_id]=order_1&payment_intent_data[metadata][order_id]=order_1";

fn answered(handled: Handled) -> Answer {
    match handled {
        Handled::Answered(answer) => answer,
        Handled::Hangs | Handled::Lost => panic!("{handled:?}"),
    }
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap()
}

#[test]
fn a_key_of_the_right_form_is_let_in_and_a_live_one_never() {
    let mut world = World::new();
    for (key, status) in [
        (KEY, 200),
        ("rk_test_0123456789abcdef", 200),
        ("sk_live_0123456789abcdef", 401),
        ("sk_test_short", 401),
        ("", 401),
    ] {
        world.key = key;
        assert_eq!(world.answer("GET", "/v1/balance", &[], "").0, status, "{key}");
    }
    let told = world.get("/_simulator/requests");
    assert_eq!(told["requests"][2]["because"], "its credential is one of the live system");
    assert!(!told.to_string().contains("sk_live"), "{told}");
}

#[test]
fn what_is_paid_is_counted_and_given_back_once() {
    let mut world = World::new();
    let session = world.session();
    assert_eq!(session["amount_total"], 4498);
    assert_eq!(session["url"], format!("{SITE}/c/pay/{}", text(&session, "id")));
    let paid = world.act("pay", &session);
    assert_eq!((text(&paid, "payment_status"), text(&paid, "status")), ("paid", "complete"));
    // Nobody pays twice.
    assert!(world.simulator.act("pay", text(&session, "id"), NOW_MS).is_err());

    let payment = text(&paid, "payment_intent");
    assert_eq!(world.get(&format!("/v1/payment_intents/{payment}"))["metadata"], json!({ "order_id": "order_1" }));
    let (_, part) = world.post("/v1/refunds", &format!("payment_intent={payment}&amount=498"));
    assert_eq!(part["amount"], 498);
    let charge = format!("/v1/charges/{}", text(&part, "charge"));
    assert_eq!((&world.get(&charge)["amount_refunded"], &world.get(&charge)["refunded"]), (&json!(498), &json!(false)));
    let (_, rest) = world.post("/v1/refunds", &format!("payment_intent={payment}"));
    assert_eq!(rest["amount"], 4000);
    assert_eq!((&world.get(&charge)["amount_refunded"], &world.get(&charge)["refunded"]), (&json!(4498), &json!(true)));
    assert_eq!(world.get(&charge).get("left"), None);

    let (status, refused) = world.post("/v1/refunds", &format!("payment_intent={payment}"));
    assert_eq!((status, text(&refused["error"], "code")), (400, "charge_already_refunded"));
    let (status, refused) = world.post("/v1/refunds", "payment_intent=pi_none");
    assert_eq!((status, text(&refused["error"], "code")), (400, "resource_missing"));
}

#[test]
fn what_is_missing_is_named_as_it_was_written() {
    let mut world = World::new();
    let (_, customer) = world.post("/v1/customers", "email=a%40example.org");
    let (status, refused) = world.post("/v1/subscriptions", &format!("customer={}", text(&customer, "id")));
    assert_eq!((status, text(&refused["error"], "param")), (400, "items[0][price]"));
    let (status, refused) = world.post("/v1/refunds", "payment_intent=pi_1&amount=much");
    assert_eq!((status, text(&refused["error"], "code")), (400, "resource_missing"));
    let session = world.session();
    let paid = world.act("pay", &session);
    let refund = format!("payment_intent={}&amount=much", text(&paid, "payment_intent"));
    let (status, refused) = world.post("/v1/refunds", &refund);
    assert_eq!((status, text(&refused["error"], "param")), (400, "amount"));
}

#[test]
fn a_key_of_idempotency_is_worth_one_effect() {
    let mut world = World::new();
    let key = [("Idempotency-Key", "order-1")];
    let first = answered(world.handled("POST", "/v1/customers", &key, "email=a%40example.org"));
    let again = answered(world.handled("POST", "/v1/customers", &key, "email=a%40example.org"));
    assert_eq!(first.body, again.body);
    let replayed = ("Idempotent-Replayed".to_owned(), "true".to_owned());
    assert!(!first.headers.contains(&replayed) && again.headers.contains(&replayed));

    let (status, refused) = world.answer("POST", "/v1/customers", &key, "email=b%40example.org");
    assert_eq!((status, text(&refused["error"], "type")), (400, "idempotency_error"));
    let long = "k".repeat(256);
    let (status, refused) =
        world.answer("POST", "/v1/customers", &[("Idempotency-Key", &long)], "email=b%40example.org");
    assert_eq!((status, text(&refused["error"], "param")), (400, "Idempotency-Key"));

    let effects = world.get("/_simulator/effects");
    assert_eq!((&effects["total"], &effects["by_key"]["order-1"]["count"]), (&json!(1), &json!(1)));
    // The provider forgets a key after a day.
    world.now_ms += 24 * 3_600_000;
    assert_eq!(world.answer("POST", "/v1/customers", &key, "email=b%40example.org").0, 200);
}

/// What the simulator signs is what the engine takes, with this build's own check of it: the vectors of that check are the vendor's.
#[test]
fn webhooks_are_signed_for_whoever_entered_an_address() {
    let mut world = World::new();
    let hook = "url=http%3A%2F%2F127.0.0.1%3A9%2Fhook&enabled_events[0]=checkout.session.completed";
    let (_, entered) = world.post("/v1/webhook_endpoints", hook);
    let secret = text(&entered, "secret").to_owned();
    assert!(secret.starts_with("whsec_"), "{secret}");
    assert_eq!(world.get(&format!("/v1/webhook_endpoints/{}", text(&entered, "id"))).get("secret"), None);
    let session = world.session();
    world.act("pay", &session);

    let sent = world.webhooks();
    let [(call, event)] = &sent[..] else { panic!("one kind was asked for: {sent:?}") };
    assert_eq!(text(event, "type"), "checkout.session.completed");
    assert_eq!(event["data"]["object"]["payment_status"], "paid");
    let webhooks = stripe().webhooks.unwrap();
    let [Verification::Hmac(way)] = &webhooks.verify[..] else { panic!("{:?}", webhooks.verify) };
    let arrived_ms = world.now_ms;
    let verify = |body: &[u8], secret: &str| {
        let known = Call { method: "POST", url: &call.url, headers: &call.headers, body, arrived_ms };
        verify_hmac(way, &known, &|_: &Text| Some(Secret::new(secret.to_owned())))
    };
    assert_eq!(verify(&call.body, &secret), Ok(()));
    assert!(verify(b"{}", &secret).is_err() && verify(&call.body, "whsec_other").is_err());
}

#[test]
fn a_webhook_that_is_not_taken_comes_again_later() {
    let mut world = World::new();
    assert!(world.simulator.tell("http://127.0.0.1:9/").is_some());
    world.post("/v1/customers", "email=a%40example.org");
    let mut attempts = 0;
    while let Some(at_ms) = world.simulator.next_webhook_ms() {
        assert!(at_ms >= world.now_ms || attempts == 0);
        world.now_ms = world.now_ms.max(at_ms);
        let (call, _) = world.webhooks().pop().unwrap();
        attempts += 1;
        let status = if attempts == 3 { Some(204) } else { Some(500) };
        world.simulator.was_sent(call.number, status, world.now_ms);
    }
    assert_eq!(attempts, 3);
    let told = world.get("/_simulator/webhooks");
    assert_eq!(told["calls"][2]["attempt"], 3);
}

#[test]
fn lists_are_read_page_by_page() {
    let mut world = World::new();
    for number in 0..7 {
        world.now_ms += 1_000;
        world.post("/v1/customers", &format!("email=a{number}%40example.org"));
    }
    let mut seen = Vec::new();
    let mut after = String::new();
    loop {
        let page = world.get(&format!("/v1/customers?limit=3{after}"));
        let items = page["data"].as_array().unwrap().clone();
        seen.extend(items.iter().map(|item| text(item, "email").to_owned()));
        if page["has_more"] != true {
            break;
        }
        after = format!("&starting_after={}", text(items.last().unwrap(), "id"));
    }
    assert_eq!(seen, (0..7).rev().map(|number| format!("a{number}@example.org")).collect::<Vec<_>>());
    // As the sync of the manifest asks: from a time on.
    let seconds = world.get("/v1/events?limit=100")["data"][3]["created"].as_i64().unwrap();
    let since = world.get(&format!("/v1/events?limit=100&created[gte]={seconds}"));
    assert_eq!(since["data"].as_array().unwrap().len(), 4, "{since}");
    assert_eq!(world.answer("GET", "/v1/events?limit=101", &[], "").0, 400);
    assert_eq!(world.answer("GET", "/v1/events?starting_after=evt_none", &[], "").0, 400);
}

#[test]
fn rates_are_those_of_the_test_system() {
    let mut world = World::new();
    let mut ask = |now_ms: i64| {
        world.now_ms = now_ms;
        answered(world.handled("GET", "/v1/balance", &[], ""))
    };
    let statuses: Vec<u16> = (0..26).map(|_| ask(NOW_MS).status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 25);
    let refused = ask(NOW_MS + 400);
    assert!(
        refused.status == 429 && refused.headers.contains(&("Retry-After".to_owned(), "1".to_owned())),
        "{refused:?}"
    );
    assert_eq!(ask(NOW_MS + 1_000).status, 200);
}

#[test]
fn mishaps_happen_when_they_are_asked_for() {
    let mut world = World::new();
    assert!(world.simulator.let_happen(["storm"]).unwrap_err().to_string().contains("`rate_limit`"));
    assert!(world.simulator.let_happen(["hang:1.5"]).is_err() && world.simulator.let_happen(["hang:0"]).is_err());

    world.simulator.let_happen(["hang:2", "rate_limit:3", "server_error:4", "reply_lost:2"]).unwrap();
    let key = [("Idempotency-Key", "k")];
    let all: Vec<Handled> =
        (0..6).map(|_| world.handled("POST", "/v1/customers", &key, "email=a%40b.example")).collect();
    let of = |handled: &Handled| match handled {
        Handled::Answered(answer) => answer.status,
        Handled::Hangs => 1,
        Handled::Lost => 2,
    };
    // Three requests come through: the first makes the customer, the others get its answer, once after it was lost.
    assert_eq!(all.iter().map(of).collect::<Vec<_>>(), [200, 1, 429, 500, 2, 200]);
    assert_eq!(world.get("/_simulator/effects")["total"], 1);
}

#[test]
fn webhooks_come_twice_and_in_another_order() {
    let mut world = World::new();
    world.simulator.tell("http://127.0.0.1:9/");
    world.simulator.let_happen(["duplicate_webhook:1", "reordered_webhooks:2"]).unwrap();
    let (session, other) = (world.session(), world.session());
    world.act("pay", &session);
    world.act("expire", &other);
    let kinds =
        |sent: &[(Outgoing, Value)]| sent.iter().map(|(_, event)| text(event, "type").to_owned()).collect::<Vec<_>>();
    let first = world.webhooks();
    assert_eq!(kinds(&first), ["checkout.session.completed", "checkout.session.completed", "checkout.session.expired"]);
    assert_eq!(first[0].1["id"], first[1].1["id"]);
    world.now_ms += 2_000;
    assert_eq!(kinds(&world.webhooks()), ["payment_intent.succeeded"]);
}

#[test]
fn a_person_sees_what_is_bought_and_nothing_else() {
    let mut world = World::new();
    let (_, session) = world.post(
        "/v1/checkout/sessions",
        &SESSION.replace("=Tea", "=%3Cscript%3E").replace("%2Fok", "%2Fok%3Fid%3D{CHECKOUT_SESSION_ID}"),
    );
    let id = text(&session, "id");
    let page = answered(world.handled("GET", &format!("/c/pay/{id}"), &[], ""));
    let html = String::from_utf8(page.body).unwrap();
    assert!(html.contains("&lt;script&gt;, Cup") && html.contains("44.98 EUR") && !html.contains("<script"), "{html}");
    assert!(html.contains(">Pay</button>") && !html.contains("Subscribe"), "what cannot happen has no button: {html}");
    let paid = answered(world.handled("POST", &format!("/c/pay/{id}"), &[], "button=0"));
    let goes_to = ("Location".to_owned(), format!("https://shop.example/ok?id={id}"));
    assert!(paid.status == 303 && paid.headers.contains(&goes_to), "{paid:?}");
    let again = answered(world.handled("POST", &format!("/c/pay/{id}"), &[], "button=0"));
    assert!(String::from_utf8(again.body).unwrap().contains("role=\"alert\""));
    assert_eq!(answered(world.handled("GET", "/c/pay/cs_none", &[], "")).status, 404);
}

#[test]
fn a_subscription_is_paid_for_again_and_again_until_it_ends() {
    let mut world = World::new();
    world.simulator.tell("http://127.0.0.1:9/");
    let session = "mode=subscription&success_url=https%3A%2F%2Fshop.example%2Fok&line_items[0][price_data][currency]=gbp\
                   &line_items[0][price_data][unit_amount]=2900&line_items[0][price_data][recurring][interval]=month\
                   &line_items[0][price_data][product_data][name]=Team&line_items[0][quantity]=2\
                   &subscription_data[metadata][subscription_id]=s-1";
    let (_, made) = world.post("/v1/checkout/sessions", session);
    let id = text(&made, "id").to_owned();
    assert!(world.simulator.act("pay", &id, world.now_ms).is_err(), "it is no single payment");
    let subscription = text(&world.simulator.act("subscribe", &id, world.now_ms).unwrap(), "subscription").to_owned();
    world.simulator.act("fall_behind", &subscription, world.now_ms).unwrap();
    world.simulator.act("renew", &subscription, world.now_ms).unwrap();
    assert_eq!(world.answer("DELETE", &format!("/v1/subscriptions/{subscription}"), &[], "").0, 200);
    let told: Vec<String> = world
        .webhooks()
        .iter()
        .map(|(_, event)| {
            let object = &event["data"]["object"];
            let metadata = match object["object"].as_str() {
                Some("invoice") => &object["parent"]["subscription_details"]["metadata"],
                _ => &object["metadata"],
            };
            format!(
                "{} {} {} {}",
                text(event, "type"),
                object["status"].as_str().unwrap(),
                object["amount_paid"],
                metadata["subscription_id"]
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            "checkout.session.completed complete null null",
            "customer.subscription.created active null \"s-1\"",
            "invoice.paid paid 5800 \"s-1\"",
            "customer.subscription.updated past_due null \"s-1\"",
            "invoice.payment_failed open 0 \"s-1\"",
            "customer.subscription.updated active null \"s-1\"",
            "invoice.paid paid 5800 \"s-1\"",
            "customer.subscription.deleted canceled null \"s-1\"",
        ]
    );
}

#[test]
fn the_same_seed_plays_the_same() {
    let run = || {
        let mut world = World::new();
        world.simulator.let_happen(["server_error:0.5"]).unwrap();
        (0..20).map(|_| world.post("/v1/customers", "email=a%40example.org")).collect::<Vec<_>>()
    };
    let statuses = run();
    assert_eq!(statuses, run());
    assert!(statuses.iter().any(|(status, _)| *status == 200) && statuses.iter().any(|(status, _)| *status == 500));
}

#[test]
fn a_provider_that_nobody_described_is_not_played() {
    let manifest = Manifest { simulator: None, ..stripe() };
    assert_eq!(Simulator::new(manifest, SITE, 7).err(), Some(NoSimulator::NotDescribed("stripe".to_owned())));
}
