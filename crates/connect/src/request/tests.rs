//! Operations with what they are given, and the bytes that they come to.

use super::{RequestError, render};
use crate::testbed::{Given, account, given, text};
use serde_json::{Value, json};

#[track_caller]
fn check(given: &Given, expected: &str) {
    let sent = given.sent().map(|request| text(&request));
    assert_eq!(sent.as_deref(), Ok(expected));
}

fn stripe() -> crate::account::Account {
    account("stripe", &[("secret_key", "sk_test_1234567890")])
}

fn checkout(items: Value) -> Given {
    let inputs = json!({ "order_id": "o-1", "email": "ada@example.org", "currency": "EUR", "items": items });
    given(stripe(), "create_checkout_session", inputs)
}

#[test]
fn a_nested_form_has_its_members_in_order_and_nothing_for_what_is_absent() {
    let items = json!([{ "name": "Tea & [milk]", "unit_price": "19.99", "quantity": 2 }]);
    check(
        &checkout(items),
        "POST https://api.stripe.com/v1/checkout/sessions\n\
         Stripe-Version: 2026-07-29.dahlia\n\
         Idempotency-Key: key-1\n\
         Content-Type: application/x-www-form-urlencoded\n\
         Authorization: Bearer sk_test_1234567890\n\
         \n\
         mode=payment&success_url=https%3A%2F%2Fshop.example%2Fcheckout%2Fsuccess%3Forder_id%3Do-1\
         &cancel_url=https%3A%2F%2Fshop.example%2Fcheckout%2Fcancelled%3Forder_id%3Do-1&client_reference_id=o-1\
         &customer_email=ada%40example.org&line_items[0][price_data][currency]=eur\
         &line_items[0][price_data][unit_amount]=1999\
         &line_items[0][price_data][product_data][name]=Tea%20%26%20[milk]&line_items[0][quantity]=2\
         &metadata[order_id]=o-1&payment_intent_data[metadata][order_id]=o-1",
    );
}

#[test]
fn what_is_personal_is_shown_as_a_hash_and_what_is_secret_not_at_all() {
    let given = given(stripe(), "create_customer", json!({ "email": "Ada@example.org", "user_id": "u-1" }));
    let shown = text(&render(&given.call()).unwrap().shown);
    let hash = &vocab::sha256_hex(b"Ada@example.org")[..16];
    assert_eq!(
        shown,
        format!(
            "POST https://api.stripe.com/v1/customers\nStripe-Version: 2026-07-29.dahlia\nIdempotency-Key: key-1\n\
             Content-Type: application/x-www-form-urlencoded\nAuthorization: Bearer [redacted]\n\n\
             email=sha256:{hash}&metadata[user_id]=u-1"
        )
    );
}

#[test]
fn parameters_keep_their_brackets() {
    let mut given = given(stripe(), "list_events", json!({ "since": "2026-01-31T00:00:00Z" }));
    given.page = Some(json!("evt_1"));
    let url = given.sent().unwrap().url;
    assert_eq!(url, "https://api.stripe.com/v1/events?limit=100&created[gte]=1769817600&starting_after=evt_1");
}

#[test]
fn who_we_are_stands_in_the_body_before_all_others() {
    let account = account("authorize_net", &[("login_id", "5KP3u95bQpv"), ("transaction_key", "346HZ32z3fP4hTG2")]);
    let given = given(
        account,
        "create_payment_page",
        json!({ "reference": "r-1", "amount": "19.9", "email": "a@example.org" }),
    );
    check(
        &given,
        "POST https://api2.authorize.net/xml/v1/request.api\nContent-Type: application/json\n\n\
         {\"getHostedPaymentPageRequest\":{\
         \"merchantAuthentication\":{\"name\":\"5KP3u95bQpv\",\"transactionKey\":\"346HZ32z3fP4hTG2\"},\
         \"refId\":\"r-1\",\"transactionRequest\":{\"transactionType\":\"authCaptureTransaction\",\"amount\":\"19.90\",\
         \"order\":{\"invoiceNumber\":\"r-1\"},\"customer\":{\"email\":\"a@example.org\"}},\
         \"hostedPaymentSettings\":{\"setting\":[{\"settingName\":\"hostedPaymentReturnOptions\",\
         \"settingValue\":\"{\\\"showReceipt\\\": false, \\\"url\\\": \\\"https://shop.example/checkout/success\\\", \
         \\\"cancelUrl\\\": \\\"https://shop.example/checkout/cancelled\\\"}\"}]}}}",
    );
    let shown = text(&render(&given.call()).unwrap().shown);
    assert!(!shown.contains("346HZ") && !shown.contains("5KP3") && !shown.contains("a@example.org"), "{shown}");
}

#[test]
fn a_repeated_form_and_basic() {
    let mut account = account(
        "twilio",
        &[("account_sid", "AC00000000000000000000000000000001"), ("auth_token", "12345"), ("sender", "+15550001111")],
    );
    account.webhook.url = Some("https://shop.example/webhooks/twilio".to_owned());
    check(
        &given(account, "send_message", json!({ "to": "+1 (555) 222-3333", "text": "Hi *you*!" })),
        "POST https://api.twilio.com/2010-04-01/Accounts/AC00000000000000000000000000000001/Messages.json\n\
         Content-Type: application/x-www-form-urlencoded\n\
         Authorization: Basic QUMwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMToxMjM0NQ==\n\n\
         To=%2B1%20%28555%29%20222-3333&StatusCallback=https%3A%2F%2Fshop.example%2Fwebhooks%2Ftwilio\
         &From=%2B15550001111&Body=Hi%20%2Ayou%2A%21",
    );
}

#[test]
fn numbers_of_json_are_exact_and_parameters_prove_who_we_are() {
    let account = account("google_analytics", &[("measurement_id", "G-ABC"), ("api_secret", "s/1")]);
    let inputs = json!({ "client": "c-1", "order_id": "o-1", "currency": "EUR", "value": "19.90",
        "items": [{ "name": "Tea", "quantity": 2 }] });
    check(
        &given(account, "purchase", inputs),
        "POST https://www.google-analytics.com/mp/collect?measurement_id=G-ABC&api_secret=s%2F1\n\
         Content-Type: application/json\n\n\
         {\"client_id\":\"c-1\",\"events\":[{\"name\":\"purchase\",\"params\":{\"transaction_id\":\"o-1\",\
         \"currency\":\"EUR\",\"value\":19.9,\"items\":[{\"item_name\":\"Tea\",\"quantity\":2}]}}]}",
    );
}

#[test]
fn a_host_lies_in_its_domains() {
    let mailchimp = |key: &str| given(account("mailchimp", &[("api_key", key), ("audience", "a1")]), "ping", json!({}));
    assert_eq!(mailchimp("abc-us19").sent().unwrap().url, "https://us19.api.mailchimp.com/3.0/ping");
    for key in ["abc-evil.example/", "abc-evil.example#", "abc-evil.example?", "abc-a@evil.example/", "abc-x\\"] {
        let refused = mailchimp(key).sent().unwrap_err();
        assert!(matches!(refused, RequestError::NoAddress(_) | RequestError::Elsewhere { .. }), "{key}: {refused:?}");
    }
    assert_eq!(mailchimp("abc").sent(), Err(RequestError::Absent("the host `api`".to_owned())));
    let within = ["auth0.com".to_owned()];
    let checked = |url: &str| super::checked_address(url, "tenant", &within).is_ok();
    assert!(checked("https://acme.eu.auth0.com") && checked("https://AUTH0.com/"));
    assert!(!checked("https://acme.evil-auth0.com") && !checked("https://auth0.com.evil.example"));
    assert!(!checked("http://acme.auth0.com") && !checked("https://auth0.com:x@evil.example"));
}

#[test]
fn a_value_stays_its_step_of_the_path() {
    let url = |id: &str| given(stripe(), "get_checkout_session", json!({ "id": id })).sent().map(|request| request.url);
    let at = "https://api.stripe.com/v1/checkout/sessions";
    assert_eq!(url("a/../b?c#d e"), Ok(format!("{at}/a%2F..%2Fb%3Fc%23d%20e")));
    for id in [".", "..", ""] {
        assert_eq!(url(id), Err(RequestError::LeavesPath), "{id}");
    }
    // The client underneath resolves nothing of it.
    assert_eq!(reqwest::Url::parse(&url("a/../b").unwrap()).unwrap().as_str(), format!("{at}/a%2F..%2Fb"));
}

#[test]
fn no_value_begins_another_header() {
    let mut given = given(stripe(), "create_customer", json!({ "email": "a@example.org", "user_id": "u" }));
    given.delivery.key = "k\r\nX-Evil: 1".to_owned();
    assert_eq!(given.sent(), Err(RequestError::Header("Idempotency-Key".to_owned())));
    given.delivery.key = "k".repeat(256);
    assert_eq!(given.sent(), Err(RequestError::KeyTooLong(255)));
}

#[test]
fn inputs_are_held_against_what_is_declared() {
    let refused = |inputs: Value| {
        let error = given(stripe(), "create_checkout_session", inputs).sent().unwrap_err().to_string();
        assert!(!error.contains("4711"), "{error}");
        error
    };
    let with = |name: &str, value: Value| {
        let mut all =
            json!({ "order_id": "o", "currency": "EUR", "items": [{ "name": "t", "unit_price": "1", "quantity": 1 }] });
        all[name] = value;
        refused(all)
    };
    assert_eq!(with("order_id", Value::Null), "the input `order_id` is missing");
    assert_eq!(with("order_id", json!("4711".repeat(51))), "the input `order_id` has more than 200 characters");
    assert_eq!(with("order_ids", json!(4711)), "the input `order_ids` is none that the operation takes");
    assert_eq!(with("currency", json!("47110")), "the input `currency` is not of the type `currency`");
    assert_eq!(
        with("items", json!([{ "name": "t", "unit_price": "4711,0", "quantity": 1 }])),
        "the input `items[0].unit_price` is not of the type `decimal`"
    );
    assert_eq!(with("items", json!([{ "name": "t", "quantity": 1 }])), "the input `items[0].unit_price` is missing");
    assert_eq!(with("items", json!([4711])), "the input `items` has no fields in item 0");
    let priced = json!([{ "name": "t", "unit_price": "4711.999", "quantity": 1 }]);
    assert!(with("items", priced).contains("more than 2 digits"));
}

#[test]
fn what_is_simulated_stands_in_for_every_host() {
    let mut account = stripe();
    account.instead = Some("http://127.0.0.1:4".to_owned());
    assert_eq!(given(account, "get_balance", json!({})).sent().unwrap().url, "http://127.0.0.1:4/v1/balance");
}

#[test]
fn the_test_system_has_hosts_of_its_own() {
    let mut account = account("authorize_net", &[("login_id", "a"), ("transaction_key", "b")]);
    account.system = plan::service::System::Test;
    let url = given(account, "test_credential", json!({})).sent().unwrap().url;
    assert_eq!(url, "https://apitest.authorize.net/xml/v1/request.api");
}
