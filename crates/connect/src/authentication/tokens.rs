//! Tokens that are got, kept and renewed, one request at a time: a hundred calls that find a token ended ask for one new one. Who keeps them
//! beyond this process is asked first and told before a new one is used; a token never stands in an error. What is under way is
//! finished, even if nobody waits for it any more.

#[cfg(test)]
mod tests;

use super::needed;
use super::oauth2::{Given, read_token, token_request};
use crate::account::{Account, Token};
use crate::answer::{Outcome, clean};
use crate::client::{Bounds, Client, Sent};
use crate::message::HttpAnswer;
use jiff::{SignedDuration, Timestamp};
use manifest::authentication::{Grant, Oauth2, Repeated};
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::OwnedMutexGuard;
use vocab::{Secret, sha256_hex};

/// How much of an answer with a token is read, and for how long.
const BOUNDS: Bounds = Bounds { within: Duration::from_secs(30), most_bytes: 256 * 1024 };
/// How long a failure is believed, so that who waits behind it does not ask the same again.
const FAILURE_HOLDS: SignedDuration = SignedDuration::from_secs(1);

/// Something that is still being done.
pub type Waiting<'w, T> = Pin<Box<dyn Future<Output = Result<T, String>> + Send + 'w>>;

/// Keeps tokens beyond this process, where others find them: a database. Errors say what went wrong, never what was kept.
pub trait TokenKeeper: Send + Sync {
    /// Waits until no other process renews this token; they wait until what comes back is dropped.
    fn lock<'k>(&'k self, name: &'k str) -> Waiting<'k, Box<dyn Send>>;
    /// The token that was kept last.
    fn load<'k>(&'k self, name: &'k str) -> Waiting<'k, Option<Token>>;
    /// Keeps a token: it is durable when this is done.
    fn save<'k>(&'k self, name: &'k str, token: &'k Token) -> Waiting<'k, ()>;
}

/// Keeps nothing: for tokens that can be had again at any time, and for checks.
#[derive(Debug, Clone, Copy, Default)]
pub struct KeepNothing;

impl TokenKeeper for KeepNothing {
    fn lock<'k>(&'k self, _: &'k str) -> Waiting<'k, Box<dyn Send>> {
        Box::pin(async { Ok(Box::new(()) as Box<dyn Send>) })
    }

    fn load<'k>(&'k self, _: &'k str) -> Waiting<'k, Option<Token>> {
        Box::pin(async { Ok(None) })
    }

    fn save<'k>(&'k self, _: &'k str, _: &'k Token) -> Waiting<'k, ()> {
        Box::pin(async { Ok(()) })
    }
}

/// The tokens of a process.
#[derive(Clone)]
pub struct Tokens {
    keeper: Arc<dyn TokenKeeper>,
    places: Arc<Mutex<BTreeMap<String, Arc<Place>>>>,
}

/// Where one token lies: who holds the lock is the one that renews it.
type Place = tokio::sync::Mutex<Held>;

#[derive(Default)]
struct Held {
    token: Option<Token>,
    failed: Option<(Timestamp, Outcome)>,
}

/// A token that is wanted.
#[derive(Clone, Copy)]
pub struct Wanted<'w> {
    /// The account.
    pub account: &'w Account,
    /// The name of the way of authentication.
    pub name: &'w str,
    /// The way.
    pub way: &'w Oauth2,
    /// The token that the provider has just refused: another one is wanted.
    pub refused: Option<&'w Token>,
}

impl Tokens {
    /// No tokens yet.
    #[must_use]
    pub fn new(keeper: Arc<dyn TokenKeeper>) -> Self {
        Self { keeper, places: Arc::default() }
    }

    /// A token that holds, got or renewed where none does.
    ///
    /// # Errors
    /// What it means for the call that wants it: nothing of that has happened.
    pub async fn token(&self, wanted: &Wanted<'_>, client: &Client, now: Timestamp) -> Result<Token, Outcome> {
        let name = kept_name(wanted);
        let held = self.place(&name).lock_owned().await;
        if let Some(token) = held.token.as_ref().filter(|token| holds(token, wanted, now)) {
            return Ok(token.clone());
        }
        if let Some((at, failure)) = &held.failed
            && now.duration_since(*at).abs() < FAILURE_HOLDS
        {
            return Err(failure.clone());
        }
        // Who waits for it may be dropped, and the old token may be used up by then: what comes is kept all the same.
        let (tokens, client) = (self.clone(), client.clone());
        let (account, way) = (wanted.account.clone(), wanted.way.clone());
        let (way_name, refused) = (wanted.name.to_owned(), wanted.refused.cloned());
        let renewing = tokio::spawn(async move {
            let wanted = Wanted { account: &account, name: &way_name, way: &way, refused: refused.as_ref() };
            tokens.renew(held, &name, &wanted, &client, now).await
        });
        renewing.await.unwrap_or_else(|_| Err(transient("the token was not renewed before the end".to_owned())))
    }

    /// Waits until nothing is renewed any more.
    pub async fn settled(&self) {
        let places: Vec<Arc<Place>> =
            self.places.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
        for place in places {
            drop(place.lock().await);
        }
    }

    fn place(&self, name: &str) -> Arc<Place> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(places.entry(name.to_owned()).or_default())
    }

    async fn renew(
        &self,
        mut held: OwnedMutexGuard<Held>,
        name: &str,
        wanted: &Wanted<'_>,
        client: &Client,
        now: Timestamp,
    ) -> Result<Token, Outcome> {
        match self.renewed(name, wanted, held.token.as_ref(), client, now).await {
            Ok(token) => {
                *held = Held { token: Some(token.clone()), failed: None };
                Ok(token)
            }
            Err(failure) => {
                held.failed = Some((now, failure.clone()));
                Err(failure)
            }
        }
    }

    /// Takes a code that a person's agreement brought: the token is kept before anybody uses it.
    ///
    /// # Errors
    /// As [`Tokens::token`].
    pub async fn exchange(
        &self,
        wanted: &Wanted<'_>,
        given: &Given,
        client: &Client,
        now: Timestamp,
    ) -> Result<Token, Outcome> {
        let name = kept_name(wanted);
        let place = self.place(&name);
        let mut held = place.lock().await;
        let _locked = self.keeper.lock(&name).await.map_err(not_kept)?;
        let token = asked(wanted, given, None, client, now).await?;
        self.keeper.save(&name, &token).await.map_err(not_kept)?;
        *held = Held { token: Some(token.clone()), failed: None };
        Ok(token)
    }

    /// Another token, from who keeps them or from the provider. The others wait, here and in other processes.
    async fn renewed(
        &self,
        name: &str,
        wanted: &Wanted<'_>,
        held: Option<&Token>,
        client: &Client,
        now: Timestamp,
    ) -> Result<Token, Outcome> {
        let _locked = self.keeper.lock(name).await.map_err(not_kept)?;
        let kept = self.keeper.load(name).await.map_err(not_kept)?;
        if let Some(token) = kept.as_ref().filter(|token| holds(token, wanted, now)) {
            return Ok(token.clone());
        }
        let known = kept.as_ref().or(held).and_then(|token| token.refresh.clone());
        let before = match (wanted.way.grant, known) {
            (Grant::AuthorizationCode, Some(known)) => Some(known),
            (Grant::AuthorizationCode, None) => brought(wanted),
            (Grant::ClientCredentials | Grant::JwtBearer, _) => None,
        };
        let given = before.clone().map_or(Given::Own, Given::Refresh);
        let token = asked(wanted, &given, before.as_ref(), client, now).await?;
        // The old one may be of no use any more: what is not kept must not be used up.
        self.keeper.save(name, &token).await.map_err(not_kept)?;
        Ok(token)
    }
}

/// Whether a token can be used: it was not refused, and does not end soon.
fn holds(token: &Token, wanted: &Wanted<'_>, now: Timestamp) -> bool {
    let before = SignedDuration::from_secs(wanted.way.renew.before_seconds.unwrap_or_default().into());
    wanted.refused.is_none_or(|refused| refused.access != token.access)
        && token.ends_at.is_none_or(|end| end.duration_since(now) > before)
}

/// What the user has brought of somebody's agreement.
fn brought(wanted: &Wanted<'_>) -> Option<Secret<String>> {
    needed(wanted.way.refresh_token.as_ref()?, wanted.account).ok().map(Secret::new)
}

/// The name under which a token is kept: of the account, the way and what proves who we are, so that with another credential comes
/// another token. What a person has agreed to is not lost with a new password of ours.
fn kept_name(wanted: &Wanted<'_>) -> String {
    let Wanted { account, way, .. } = wanted;
    let values: Vec<String> = match way.grant {
        Grant::ClientCredentials | Grant::JwtBearer => {
            account.values.iter().map(|(name, value)| format!("{name}={}", value.expose())).collect()
        }
        Grant::AuthorizationCode => [Some(&way.token_url), Some(&way.client_id), way.refresh_token.as_ref()]
            .into_iter()
            .map(|text| text.and_then(|text| needed(text, *account).ok()).unwrap_or_default())
            .collect(),
    };
    let instead = account.instead.as_deref().unwrap_or_default();
    let digest = sha256_hex(format!("{}\n{instead}", values.join("\n")).as_bytes());
    format!("{}/{}/{:?}/{}", account.name, wanted.name, account.system, &digest[..16])
}

fn not_kept(why: String) -> Outcome {
    transient(format!("the token cannot be kept: {why}"))
}

fn transient(message: String) -> Outcome {
    Outcome::Transient { code: None, message, wait: None }
}

/// Asks the provider for a token.
async fn asked(
    wanted: &Wanted<'_>,
    given: &Given,
    before: Option<&Secret<String>>,
    client: &Client,
    now: Timestamp,
) -> Result<Token, Outcome> {
    let request = token_request(wanted.account, wanted.way, given, now)
        .map_err(|why| Outcome::Authentication { code: None, message: why.to_string() })?;
    match client.send(&request, BOUNDS).await {
        Sent::NeverConnected(why) if why.is_permanent() => {
            Err(Outcome::Permanent { code: None, message: why.to_string() })
        }
        Sent::NeverConnected(why) => Err(transient(why.to_string())),
        Sent::BrokenBehindRequest(why) => Err(transient(format!("no token came: {why}"))),
        Sent::Answered(answer) => match answer.status {
            200..=299 => read_token(wanted.way, &answer, before, now).map_err(|why| refused(&answer, why)),
            429 => Err(Outcome::RateLimited {
                code: None,
                message: "too many tokens were asked for".to_owned(),
                wait: None,
            }),
            500.. => Err(transient(format!("no token came: the provider answered with {}", answer.status))),
            status => {
                let once = match (given, wanted.way.renew.repeated) {
                    (Given::Refresh(_), Some(Repeated::Refused)) => {
                        "; what the last token brought can be used once, and its answer may have been lost: somebody has to agree again"
                    }
                    (Given::Code { .. }, _) => "; a code is good once, and for some minutes: begin again",
                    (Given::Own | Given::Refresh(_), _) => "",
                };
                Err(refused(&answer, format!("no token was given: the provider answered with {status}{once}")))
            }
        },
    }
}

/// An answer that brought no token, with the code of RFC 6749 section 5.2.
fn refused(answer: &HttpAnswer, message: String) -> Outcome {
    let document: serde_json::Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let code = document["error"].as_str().map(clean);
    Outcome::Authentication { code, message }
}
