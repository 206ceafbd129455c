//! Manifests that are tried, against servers on this machine that are as they say, and others.

use super::{Came, Tried, try_at};
use crate::account::Account;
use crate::authentication::tokens::KeepNothing;
use crate::call::Caller;
use crate::testbed::{account, folder, now, served};
use manifest::cases::Try;
use serde_json::json;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// The first line of each request, in order.
type Lines = Arc<Mutex<Vec<String>>>;

fn tries() -> Vec<Try> {
    let mut tries = folder("stripe").cases().unwrap().tries;
    tries.retain(|one| ["get_balance", "create_customer"].contains(&one.operation.as_str()));
    tries
}

/// Stripe, as this closure has it: told of each customer that is made how many were made before.
async fn stripe(customer: impl Fn(usize) -> (u16, String) + Send + Sync + 'static) -> (Caller, Account, Lines) {
    let (made, came) = (AtomicUsize::new(0), Lines::default());
    let heard = Arc::clone(&came);
    let (client, at) = served(move |request| {
        let line = request.lines().next().unwrap_or_default();
        heard.lock().unwrap().push(line.replace(" HTTP/1.1", ""));
        match line.split(' ').next() {
            Some("GET") => (200, json!({ "livemode": false }).to_string()),
            Some("DELETE") => (200, json!({ "deleted": true }).to_string()),
            _ => customer(made.fetch_add(1, Ordering::Relaxed)),
        }
    })
    .await;
    let mut account = account("stripe", &[("secret_key", "sk_test_1234567890")]);
    account.instead = Some(at);
    (Caller::new(client, Arc::new(KeepNothing), Arc::new(now)), account, came)
}

fn of<'t>(tried: &'t [Tried], operation: &str) -> Vec<(Came, &'t str)> {
    let of = tried.iter().filter(|one| one.operation.as_ref().is_some_and(|name| name.as_str() == operation));
    of.map(|one| (one.came, one.detail.as_str())).collect()
}

#[tokio::test]
async fn what_changes_something_is_sent_twice_and_taken_back() {
    let (caller, account, came) = stripe(|_| (200, json!({ "id": "cus_1" }).to_string())).await;
    let tried = try_at(&caller, &account, &tries(), None).await;
    assert_eq!(of(&tried, "create_customer"), [(Came::AsSaid, "sent twice under one key, done once")]);
    let back = "takes back `create_customer`: sent twice, and it came to the same";
    assert_eq!(of(&tried, "delete_customer"), [(Came::AsSaid, back)]);
    assert_eq!(of(&tried, "create_refund")[0].0, Came::Untried);
    let named: Vec<_> = account.manifest.operations.names();
    assert!(named.iter().all(|name| !of(&tried, name).is_empty()), "each operation is told of");
    let came = came.lock().unwrap().clone();
    assert_eq!(came[came.len() - 2..], ["DELETE /v1/customers/cus_1", "DELETE /v1/customers/cus_1"]);
}

#[tokio::test]
async fn what_is_done_twice_is_said_and_both_are_taken_back() {
    let (caller, account, came) = stripe(|made| (200, json!({ "id": format!("cus_{made}") }).to_string())).await;
    let tried = try_at(&caller, &account, &tries(), None).await;
    let says = "sent twice under one key, it was done twice: `id` is `cus_0`, then `cus_1`";
    assert_eq!(of(&tried, "create_customer"), [(Came::Otherwise, says)]);
    let came = came.lock().unwrap().clone();
    for id in ["cus_0", "cus_1"] {
        assert!(came.contains(&format!("DELETE /v1/customers/{id}")), "{came:?}");
    }
}

#[tokio::test]
async fn the_providers_own_words_are_said_and_no_secret() {
    let words = "no such thing for sk_test_1234567890";
    let refuse = move |_| (400, json!({ "error": { "code": "parameter_unknown", "message": words } }).to_string());
    let (caller, account, _) = stripe(refuse).await;
    let tried = try_at(&caller, &account, &tries(), None).await;
    assert_eq!(of(&tried, "create_customer"), [(Came::Otherwise, "no such thing for [redacted] (parameter_unknown)")]);
    assert_eq!(of(&tried, "delete_customer")[0].0, Came::Untried, "nothing was made");
}

#[tokio::test]
async fn without_a_credential_that_is_taken_nothing_else_is_tried() {
    for (status, says) in [(401, "the credential is not taken: no"), (500, "the provider cannot be asked: no")] {
        let (client, at) = served(move |_| (status, json!({ "error": { "message": "no" } }).to_string())).await;
        let mut account = account("stripe", &[("secret_key", "sk_test_1234567890")]);
        account.instead = Some(at);
        let tried = try_at(&Caller::new(client, Arc::new(KeepNothing), Arc::new(now)), &account, &tries(), None).await;
        assert_eq!((tried[0].came, tried[0].detail.as_str()), (Came::Otherwise, says));
        assert!(tried[1..].iter().all(|tried| tried.came == Came::Untried));
    }
}

#[tokio::test]
async fn nothing_is_changed_where_it_may_not_be() {
    let (caller, account, came) = stripe(|_| (200, json!({ "id": "cus_1" }).to_string())).await;
    let tried = try_at(&caller, &account, &tries(), Some("nobody says that it is for tests")).await;
    assert_eq!(of(&tried, "create_customer"), [(Came::Untried, "nobody says that it is for tests")]);
    assert_eq!(of(&tried, "get_balance"), [(Came::AsSaid, "read")]);
    assert!(came.lock().unwrap().iter().all(|line| line.starts_with("GET ")));
}

#[tokio::test]
async fn an_answer_that_says_something_else_is_told() {
    let (client, at) = served(|_| (200, json!({ "livemode": true, "id": "cus_1", "deleted": true }).to_string())).await;
    let mut account = account("stripe", &[("secret_key", "sk_test_1234567890")]);
    account.instead = Some(at);
    let caller = Caller::new(client, Arc::new(KeepNothing), Arc::new(now));
    let tried = try_at(&caller, &account, &tries(), None).await;
    assert_eq!(of(&tried, "get_balance"), [(Came::Otherwise, "`livemode` is `true` instead of `false`")]);
}
