//! Tokens under load, against a server that counts what it is asked.

use super::{KeepNothing, TokenKeeper, Tokens, Waiting, Wanted};
use crate::account::{Account, Token};
use crate::answer::Outcome;
use crate::client::Client;
use crate::testbed::{account, now, served};
use jiff::{SignedDuration, Timestamp};
use manifest::authentication::{Authentication, Oauth2};
use serde_json::json;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use vocab::Secret;

fn paypal(instead: String) -> Account {
    let mut account = account("paypal", &[("client_id", "id"), ("client_secret", "s")]);
    account.instead = Some(instead);
    account
}

fn way(account: &Account) -> &Oauth2 {
    let Some((_, Authentication::Oauth2(way))) = account.manifest.provider.authentication.first() else { panic!() };
    way
}

/// A server that gives a new token each time, and counts.
async fn tokens() -> (Client, String, Arc<AtomicUsize>) {
    let given = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&given);
    let (client, at) = served(move |_| {
        std::thread::sleep(Duration::from_millis(20));
        let number = counted.fetch_add(1, Ordering::SeqCst) + 1;
        (
            200,
            json!({ "access_token": format!("t{number}"), "refresh_token": format!("r{number}"), "expires_in": 3600 })
                .to_string(),
        )
    })
    .await;
    (client, at, given)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_calls_ask_for_one_token() {
    let (client, at, given) = tokens().await;
    let account = Arc::new(paypal(at));
    let tokens = Tokens::new(Arc::new(KeepNothing));
    let all = |refused: Option<Token>, at: Timestamp| {
        let (account, tokens, client) = (Arc::clone(&account), tokens.clone(), client.clone());
        async move {
            let calls = (0..100).map(|_| {
                let (account, tokens, client, refused) =
                    (Arc::clone(&account), tokens.clone(), client.clone(), refused.clone());
                tokio::spawn(async move {
                    let wanted =
                        Wanted { account: &account, name: "app", way: way(&account), refused: refused.as_ref() };
                    tokens.token(&wanted, &client, at).await.unwrap()
                })
            });
            let mut all = Vec::new();
            for call in calls.collect::<Vec<_>>() {
                all.push(call.await.unwrap());
            }
            assert!(all.iter().all(|token| token == &all[0]));
            all.remove(0)
        }
    };
    let first = all(None, now()).await;
    assert_eq!((first.access.expose().as_str(), given.load(Ordering::SeqCst)), ("t1", 1));
    // Not yet five minutes before its end, and then.
    assert_eq!(all(None, now() + SignedDuration::from_secs(3299)).await, first);
    let second = all(None, now() + SignedDuration::from_secs(3300)).await;
    assert_eq!((second.access.expose().as_str(), given.load(Ordering::SeqCst)), ("t2", 2));
    // All of them were refused with it, and all want another one.
    let third = all(Some(second), now()).await;
    assert_eq!((third.access.expose().as_str(), given.load(Ordering::SeqCst)), ("t3", 3));
}

/// Keeps one token, as a database would for several processes.
#[derive(Default)]
struct Shared {
    lock: Arc<tokio::sync::Mutex<()>>,
    token: Mutex<Option<Token>>,
    is_broken: bool,
    seen: Mutex<Vec<String>>,
}

impl TokenKeeper for Shared {
    fn lock<'k>(&'k self, _: &'k str) -> Waiting<'k, Box<dyn Send>> {
        let lock = Arc::clone(&self.lock);
        Box::pin(async move { Ok(Box::new(lock.lock_owned().await) as Box<dyn Send>) })
    }

    fn load<'k>(&'k self, _: &'k str) -> Waiting<'k, Option<Token>> {
        Box::pin(async { Ok(self.token.lock().unwrap().clone()) })
    }

    fn save<'k>(&'k self, name: &'k str, token: &'k Token) -> Waiting<'k, ()> {
        Box::pin(async move {
            if self.is_broken {
                return Err("no room".to_owned());
            }
            self.seen.lock().unwrap().push(name.to_owned());
            *self.token.lock().unwrap() = Some(token.clone());
            Ok(())
        })
    }
}

#[tokio::test]
async fn processes_share_a_token_and_what_leads_to_the_next_one() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let written = Arc::clone(&asked);
    let (client, at) = served(move |request| {
        let mut asked = written.lock().unwrap();
        asked.push(request.rsplit("\r\n\r\n").next().unwrap().to_owned());
        let number = asked.len();
        (
            200,
            json!({ "access_token": format!("t{number}"), "refresh_token": format!("r{number}"), "expires_in": 3600 })
                .to_string(),
        )
    })
    .await;
    let account = paypal(at);
    let mut way = json!(way(&account));
    way["grant"] = json!("authorization_code");
    way["token"]["refresh_token"] = json!("/refresh_token");
    let way: Oauth2 = serde_json::from_value(way).unwrap();
    let shared = Arc::new(Shared::default());
    let wanted = Wanted { account: &account, name: "app", way: &way, refused: None };
    let (one, other) = (Tokens::new(shared.clone()), Tokens::new(shared.clone()));
    // Nobody has agreed yet.
    let refused = one.token(&wanted, &client, now()).await.unwrap_err();
    assert!(matches!(refused, Outcome::Authentication { .. }) && asked.lock().unwrap().is_empty());
    let later = |seconds| now() + SignedDuration::from_secs(seconds);
    *shared.token.lock().unwrap() = Some(Token {
        access: Secret::new("old".to_owned()),
        ends_at: Some(now()),
        refresh: Some(Secret::new("r0".to_owned())),
        kept: Default::default(),
    });
    let first = one.token(&wanted, &client, later(2)).await.unwrap();
    assert_eq!(other.token(&wanted, &client, later(2)).await.unwrap(), first);
    let second = other.token(&wanted, &client, later(4000)).await.unwrap();
    assert_eq!(one.token(&wanted, &client, later(4000)).await.unwrap(), second);
    let form = |token: &str| format!("grant_type=refresh_token&refresh_token={token}");
    assert_eq!(*asked.lock().unwrap(), [form("r0"), form("r1")]);
    assert_eq!(shared.token.lock().unwrap().clone(), Some(second));
    let names = shared.seen.lock().unwrap().clone();
    assert!(names.iter().all(|name| name == &names[0] && !name.contains("id")), "{names:?}");
}

/// The old refresh token is used up: a new one that is not kept would be lost with the process.
#[tokio::test]
async fn a_token_that_cannot_be_kept_is_not_used() {
    let (client, at, _) = tokens().await;
    let account = paypal(at);
    let tokens = Tokens::new(Arc::new(Shared { is_broken: true, ..Shared::default() }));
    let wanted = Wanted { account: &account, name: "app", way: way(&account), refused: None };
    let failed = tokens.token(&wanted, &client, now()).await.unwrap_err();
    let message = "the token cannot be kept: no room".to_owned();
    assert_eq!(failed, Outcome::Transient { code: None, message, wait: None });
}

#[tokio::test]
async fn a_failure_is_told_to_all_who_wait_and_then_asked_again() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let (client, at) = served(move |_| {
        counted.fetch_add(1, Ordering::SeqCst);
        (401, r#"{"error":"invalid_client","error_description":"s3cret"}"#.to_owned())
    })
    .await;
    let account = paypal(at);
    let tokens = Tokens::new(Arc::new(KeepNothing));
    let wanted = Wanted { account: &account, name: "app", way: way(&account), refused: None };
    for _ in 0..5 {
        let failed = tokens.token(&wanted, &client, now()).await.unwrap_err();
        let message = "no token was given: the provider answered with 401".to_owned();
        assert_eq!(failed, Outcome::Authentication { code: Some("invalid_client".to_owned()), message });
    }
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    let _ = tokens.token(&wanted, &client, now() + SignedDuration::from_secs(1)).await;
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}
