//! Answers as providers give them, and what they mean.

use super::{ItemOutcome, Outcome, items};
use crate::testbed::{Given, account, answered, given};
use serde_json::{Value, json};
use std::time::Duration;

fn refund() -> Given {
    let account = account("stripe", &[("secret_key", "sk_test_1234567890")]);
    given(account, "create_refund", json!({ "payment": "pi_1", "currency": "EUR", "order_id": "o-1" }))
}

fn word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Done { .. } => "done",
        Outcome::Permanent { .. } => "permanent",
        Outcome::Transient { .. } => "transient",
        Outcome::RateLimited { .. } => "rate_limited",
        Outcome::Authentication { .. } => "authentication",
        Outcome::UnknownEffect { .. } => "unknown_effect",
    }
}

fn done(outcome: Outcome) -> Value {
    match outcome {
        Outcome::Done { answer } => Value::Object(answer),
        other => panic!("{other:?}"),
    }
}

fn wait(outcome: &Outcome) -> Option<Duration> {
    match outcome {
        Outcome::RateLimited { wait, .. } | Outcome::Transient { wait, .. } => *wait,
        _ => None,
    }
}

#[test]
fn only_declared_fields_are_kept() {
    let body = r#"{"id":"re_1","object":"refund","status":"succeeded","amount":500,"reason":"ada@example.org"}"#;
    let read = refund().read(200, &[("Request-Id", "req_1")], body);
    assert_eq!(done(read.outcome), json!({ "id": "re_1", "status": "succeeded", "amount": 500 }));
    assert_eq!(read.request_id.as_deref(), Some("req_1"));
}

#[test]
fn rules_are_asked_in_their_order() {
    let error = |code: &str| format!(r#"{{"error":{{"code":"{code}","message":"no","type":"x"}}}}"#);
    for (status, headers, body, expected) in [
        (429, vec![], error("x"), "rate_limited"),
        (400, vec![], error("rate_limit"), "rate_limited"),
        (401, vec![], error("x"), "authentication"),
        (500, vec![("Stripe-Should-Retry", "false")], error("x"), "permanent"),
        (400, vec![("Stripe-Should-Retry", "true")], error("x"), "transient"),
        (400, vec![], error("charge_already_refunded"), "done"),
        (409, vec![], error("x"), "transient"),
        (500, vec![], "<html>".to_owned(), "unknown_effect"),
        (402, vec![], error("card_declined"), "permanent"),
        (302, vec![], String::new(), "permanent"),
    ] {
        assert_eq!(word(&refund().read(status, &headers, &body).outcome), expected, "{status} {body}");
    }
    let Outcome::Permanent { code, message } = refund().read(402, &[], &error("card_declined")).outcome else {
        panic!()
    };
    assert_eq!((code.as_deref(), message.as_str()), (Some("card_declined"), "no"));
}

/// Where nothing changes, nothing can have happened.
#[test]
fn an_unknown_effect_of_a_reading_is_a_failure_that_passes() {
    let account = account("stripe", &[("secret_key", "sk_test_1234567890")]);
    assert_eq!(word(&given(account, "get_balance", json!({})).read(500, &[], "").outcome), "transient");
}

#[test]
fn a_good_answer_that_lacks_what_it_must_hold_tells_nothing() {
    for (body, why) in [
        (r#"{"id":"re_1"}"#, "the answer has no `status`"),
        ("<html>", "the answer cannot be read"),
        ("", "the answer has no `id`"),
        (r#"{"id":null,"status":"x"}"#, "the answer has no `id`"),
        (r#"{"id":{"a":1},"status":"x"}"#, "the answer has no `id`"),
    ] {
        let expected = Outcome::UnknownEffect { code: None, message: why.to_owned() };
        assert_eq!(refund().read(200, &[], body).outcome, expected, "{body}");
    }
    let mut cut = answered(200, &[], r#"{"id":"re_1","status":"x"}"#);
    cut.is_cut = true;
    let outcome = super::read(&refund().call(), &cut).outcome;
    assert_eq!(word(&outcome), "unknown_effect");
}

#[test]
fn two_hundred_may_be_a_failure() {
    let account = account("authorize_net", &[("login_id", "a"), ("transaction_key", "b"), ("signature_key", "c")]);
    let inputs =
        json!({ "transaction": "1", "amount": "5", "card_ending": "1111", "card_expires": "XXXX", "reference": "r" });
    let refund = given(account, "refund", inputs);
    let body = |result: &str, code: &str| {
        format!(
            "\u{feff}{{\"transactionResponse\":{{\"responseCode\":\"{code}\",\"transId\":\"60\"}},\"messages\":{{\"resultCode\":\"{result}\",\"message\":[{{\"code\":\"E00027\",\"text\":\"The transaction was unsuccessful.\"}}]}}}}"
        )
    };
    assert_eq!(done(refund.read(200, &[], &body("Ok", "1")).outcome), json!({ "id": "60", "result": "1" }));
    let Outcome::Permanent { code, message } = refund.read(200, &[], &body("Error", "3")).outcome else { panic!() };
    assert_eq!((code.as_deref(), message.as_str()), (Some("E00027"), "The transaction was unsuccessful."));
    assert_eq!(word(&refund.read(200, &[], &body("Ok", "2")).outcome), "permanent");
}

#[test]
fn a_wait_is_what_the_provider_says_within_bounds() {
    let users = || given(account("auth0", &[("domain", "acme.auth0.com")]), "list_users", json!({}));
    let limited = |headers: &[(&str, &str)]| wait(&users().read(429, headers, "").outcome);
    let seconds = |seconds| Some(Duration::from_secs(seconds));
    assert_eq!(limited(&[("Retry-After", "7")]), seconds(7));
    assert_eq!(limited(&[("retry-after", "0.5")]), seconds(1));
    assert_eq!(limited(&[("Retry-After", "Sat, 31 Jan 2026 12:00:09 GMT")]), seconds(9));
    assert_eq!(limited(&[("Retry-After", "Sat, 31 Jan 2026 11:00:00 GMT")]), seconds(0));
    assert_eq!(limited(&[("X-RateLimit-Reset", "1769860830")]), seconds(30));
    assert_eq!(limited(&[("Retry-After", "soon"), ("X-RateLimit-Reset", "1769860830")]), seconds(30));
    assert_eq!(limited(&[("Retry-After", "99999999999")]), seconds(60), "no longer than the manifest says");
    assert_eq!(limited(&[("Retry-After", "-1")]), seconds(1), "as the manifest says where nobody does");
    assert_eq!(limited(&[]), seconds(1));
}

#[test]
fn a_header_may_hold_what_is_wanted_and_tell_what_is_meant() {
    let values = [("bucket", "b"), ("access_key_id", "AKIA"), ("secret_access_key", "s")];
    let put = given(
        account("aws_s3", &values),
        "put_object",
        json!({ "key": "a", "content": "b", "media_type": "text/plain" }),
    );
    assert_eq!(done(put.read(200, &[("ETag", "\"1\"")], "").outcome), json!({ "etag": "\"1\"" }));
    let slow = "<?xml version=\"1.0\"?><Error><Code>SlowDown</Code><Message>Reduce</Message></Error>";
    let Outcome::RateLimited { code, message, .. } = put.read(503, &[], slow).outcome else { panic!() };
    assert_eq!((code.as_deref(), message.as_str()), (Some("SlowDown"), "Reduce"));
    let user = given(account("github", &[]), "get_user", json!({}));
    assert_eq!(word(&user.read(403, &[("X-RateLimit-Remaining", "0")], "").outcome), "rate_limited");
    assert_eq!(word(&user.read(403, &[("X-RateLimit-Remaining", "9")], "").outcome), "permanent");
}

#[test]
fn lists_and_choices_of_an_answer() {
    let emails = given(account("github", &[]), "get_emails", json!({}));
    let body = r#"[{"email":"a@x.org","primary":false},{"email":"b@x.org","primary":true}]"#;
    assert_eq!(done(emails.read(200, &[], body).outcome), json!({ "email": "b@x.org" }));
    let values = [("access_token", "t"), ("portal", "1"), ("contact_form", "f")];
    let names = given(account("hubspot", &values), "list_properties", json!({}));
    let body = r#"{"results":[{"name":"email"},{"name":"phone"}]}"#;
    assert_eq!(done(names.read(200, &[], body).outcome), json!({ "names": ["email", "phone"] }));
}

fn failed(code: Option<&str>, message: Option<&str>) -> ItemOutcome {
    ItemOutcome::Failed { code: code.map(str::to_owned), message: message.map(str::to_owned) }
}

#[test]
fn each_item_of_a_batch_has_its_outcome() {
    let contacts = json!({ "contacts": [{ "email": "a@x.org" }, { "email": "b@x.org" }] });
    let hubspot = given(account("hubspot", &[("access_token", "t")]), "upsert_contacts", contacts);
    let body = json!({ "errors": [{ "message": "no", "context": { "objectWriteTraceId": ["b@x.org"] } }] });
    assert_eq!(items(&hubspot.call(), &body), [ItemOutcome::Done, failed(None, Some("no"))]);

    let contacts = json!({ "contacts": [{ "id": "1", "email": "a@x.org" }, { "id": "2", "email": "b@x.org" }, { "id": "3", "email": "c@x.org" }] });
    let values = [("domain", "acme"), ("external_id_field", "Our_Id__c")];
    let salesforce = given(account("salesforce", &values), "upsert_contacts", contacts);
    let body = json!([{ "success": true }, { "success": false, "errors": [{ "statusCode": "INVALID_EMAIL" }] }]);
    let expected = [ItemOutcome::Done, failed(Some("INVALID_EMAIL"), None), failed(None, None)];
    assert_eq!(items(&salesforce.call(), &body), expected);
}
