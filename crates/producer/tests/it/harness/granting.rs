//! A provider that gives tokens which rotate, as a server on this machine: each refresh token is good once, or brings the same answer
//! again. What was asked of it comes out; what it holds back is let go by who tests.

use super::listener::listen;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

/// What was asked, and what is good.
#[derive(Default)]
pub struct Granted {
    /// The refresh tokens that it was asked with, in order.
    pub asked_with: Vec<String>,
    /// Refresh tokens that came although they were used up.
    pub used_up: Vec<String>,
    /// The token of each request that was taken, by what it was about.
    pub done: BTreeMap<String, Vec<String>>,
    /// How often a request came with a token that is no longer good.
    pub refused: usize,
    /// How many tokens were given; the last one is good.
    given: usize,
    is_revoked: bool,
    /// What is held back: `token` or `call`.
    holds: Option<&'static str>,
    held: usize,
    /// Whether the password is another one now.
    pub has_new_password: bool,
}

/// The provider.
#[derive(Clone)]
pub struct Granting {
    pub address: SocketAddr,
    state: Arc<State>,
}

#[derive(Default)]
struct State(Mutex<Granted>, Condvar);

impl Granting {
    /// Starts it; the first refresh token is `r0`.
    pub fn start() -> Self {
        let state = Arc::<State>::default();
        let playing = Arc::clone(&state);
        let address = listen(move |came| {
            let path = came.line.split(' ').nth(1).unwrap_or_default();
            let bearer = came.headers.get("authorization").map_or("", |value| value.trim_start_matches("Bearer "));
            let (status, answer) = match path.ends_with("/token") {
                true => playing.token(&came.body),
                false => playing.call(path, bearer),
            };
            (status, "application/json", answer)
        });
        Self { address, state }
    }

    pub fn look<T>(&self, at: impl FnOnce(&mut Granted) -> T) -> T {
        at(&mut self.state.0.lock().unwrap())
    }

    /// No token that was given is good any more.
    pub fn revoke(&self) {
        self.look(|granted| granted.is_revoked = true);
    }

    /// Answers of this kind are held back from now on.
    pub fn hold(&self, what: &'static str) {
        self.look(|granted| (granted.holds, granted.held) = (Some(what), 0));
    }

    /// Waits until an answer is held back that was given all the same.
    pub fn wait_for_held(&self) {
        let granted = self.state.0.lock().unwrap();
        let waited = self.state.1.wait_timeout_while(granted, Duration::from_secs(30), |granted| granted.held == 0);
        assert!(!waited.unwrap().1.timed_out(), "nothing was asked");
    }

    /// Nothing is held back any more.
    pub fn let_go(&self) {
        self.look(|granted| granted.holds = None);
        self.state.1.notify_all();
    }
}

impl State {
    fn token(&self, form: &str) -> (u16, String) {
        let value = |name: &str| {
            form.split('&')
                .find_map(|pair| pair.split_once('=').filter(|(known, _)| *known == name))
                .map_or("", |(_, value)| value)
        };
        let mut granted = self.0.lock().unwrap();
        let (refresh, password) = (value("refresh_token").to_owned(), value("client_secret"));
        if granted.has_new_password && password != "another" {
            return (401, r#"{"error":"invalid_client"}"#.to_owned());
        }
        granted.asked_with.push(refresh.clone());
        let newest = format!("r{}", granted.given);
        let before = format!("r{}", granted.given.saturating_sub(1));
        let number = match () {
            () if refresh == newest => {
                granted.given += 1;
                granted.is_revoked = false;
                granted.given
            }
            // The answer before was lost: it is given again.
            () if refresh == before && granted.holds.is_none() => granted.given,
            () => {
                granted.used_up.push(refresh);
                return (400, r#"{"error":"invalid_grant"}"#.to_owned());
            }
        };
        drop(self.held("token", granted));
        // Long enough for others to come meanwhile.
        thread::sleep(Duration::from_millis(50));
        (
            200,
            format!(
                r#"{{"access_token":"a{number}","refresh_token":"r{number}","instance_url":"https://acme.my.salesforce.com"}}"#
            ),
        )
    }

    fn call(&self, path: &str, bearer: &str) -> (u16, String) {
        let mut granted = self.0.lock().unwrap();
        if granted.is_revoked || bearer != format!("a{}", granted.given) {
            granted.refused += 1;
            return (401, r#"[{"errorCode":"INVALID_SESSION_ID","message":"Session expired or invalid"}]"#.to_owned());
        }
        let about = path.rsplit('/').next().unwrap_or_default().to_owned();
        let mut granted = self.held("call", granted);
        granted.done.entry(about).or_default().push(bearer.to_owned());
        (200, r#"{"id":"003","DailyApiRequests":{"Remaining":100}}"#.to_owned())
    }

    fn held<'g>(
        &'g self,
        what: &str,
        mut granted: std::sync::MutexGuard<'g, Granted>,
    ) -> std::sync::MutexGuard<'g, Granted> {
        if granted.holds == Some(what) {
            granted.held += 1;
            self.1.notify_all();
            granted = self.1.wait_while(granted, |granted| granted.holds.is_some()).unwrap();
        }
        granted
    }
}
