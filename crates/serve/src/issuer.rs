//! Access tokens of another issuer: a token comes in, whom it is about and what it was granted goes out. What the issuer says of its keys
//! is asked there, by discovery (OpenID Connect Discovery 1.0, RFC 7517), and kept: a key that is known goes on working while the issuer
//! is away, one that is not known is asked for, but not as often as anybody likes. Nothing that a token says of where keys are is believed.

mod cases;
mod keys;

pub use cases::CaseIssuer;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use connect::client::{Bounds, Client, Sent};
use connect::message::HttpRequest;
use jiff::Timestamp;
use jsonwebtoken::Validation;
use keys::{Keys, Named};
use manifest::operation::Method;
use plan::Problem;
use serde::Deserialize;
use serde_json::Value as Json;
use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Longest token that is looked at, in bytes.
const TOKEN_MAX: usize = 16 * 1024;
/// How far the clocks of issuer and server may be apart, in seconds.
const LEEWAY: i64 = 30;
/// How long the keys are not asked for again while the one that is wanted is among them.
const FRESH: Duration = Duration::from_secs(300);
/// How long they are believed while the issuer does not answer.
const KEPT: Duration = Duration::from_secs(24 * 3_600);
/// How often the issuer is asked at most, whatever names of keys are sent here, within [`ASKED_WITHIN`].
const ASKED_AT_MOST: usize = 6;
const ASKED_WITHIN: Duration = Duration::from_secs(60);
/// How long it is left alone when it did not answer.
const LEFT_ALONE: Duration = Duration::from_secs(2);
/// Longest document of an issuer, and how long it may take.
const BOUNDS: Bounds = Bounds { within: Duration::from_secs(5), most_bytes: 256 * 1024 };
/// Longest `sub` and name that are taken, in bytes.
const SUBJECT_MAX: usize = 255;
/// Longest address that is taken, in bytes.
const EMAIL_MAX: usize = 254;
/// Where an issuer says of itself where its keys are.
const DISCOVERY: &str = "/.well-known/openid-configuration";

/// Who issues the tokens that are taken here.
pub struct Issuer {
    name: String,
    audience: String,
    source: Source,
    known: Mutex<Option<Arc<Known>>>,
    asking: tokio::sync::Mutex<Asked>,
    is_renewing: AtomicBool,
}

/// Where its keys come from.
enum Source {
    /// From its own address.
    Address(Client),
    /// They were handed over; nobody is asked.
    Handed,
}

/// The keys as the issuer has said them last.
struct Known {
    keys: Keys,
    began: Instant,
    /// Names that were looked for in them and were not there.
    absent: Mutex<BTreeSet<String>>,
}

/// How often the issuer was asked of late.
#[derive(Default)]
struct Asked {
    times: VecDeque<Instant>,
    failed: Option<Instant>,
}

/// What a good token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Issued {
    pub subject: String,
    pub grants: BTreeSet<String>,
    /// The address, where the issuer has proved it.
    pub email: Option<String>,
    pub name: Option<String>,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    typ: Option<String>,
    kid: Option<String>,
    crit: Option<Json>,
}

#[derive(Deserialize)]
struct Discovered {
    issuer: String,
    jwks_uri: String,
}

impl Issuer {
    /// The issuer of that name, for tokens that are issued for `audience`. Nobody is asked before a token comes.
    ///
    /// # Errors
    /// Why it cannot be one, as a part of a sentence.
    pub fn new(name: &str, audience: &str) -> Result<Self, String> {
        if name.contains(['?', '#']) {
            return Err("it has a query or a fragment, which no issuer has".to_owned());
        }
        if audience.trim().is_empty() {
            return Err("it is not said for whom its tokens must be issued".to_owned());
        }
        Ok(Self::with(name, audience, Source::Address(Client::naming(name)?)))
    }

    fn with(name: &str, audience: &str, source: Source) -> Self {
        Self {
            name: name.to_owned(),
            audience: audience.to_owned(),
            source,
            known: Mutex::default(),
            asking: tokio::sync::Mutex::default(),
            is_renewing: AtomicBool::new(false),
        }
    }

    /// Its name: the `iss` of its tokens.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the token says, where it is a good one at that time; else the problem: it will not do, or it cannot be checked now.
    pub(crate) async fn check(self: &Arc<Self>, token: &str, now: Timestamp) -> Result<Issued, Problem> {
        let (header, said) = read(token).ok_or(Problem::InvalidToken)?;
        // Whatever is wrong without a key is wrong at once: nobody is asked for the keys of somebody else's tokens.
        let issued = self.issued(&said, now).filter(|_| is_access_token(&header)).ok_or(Problem::InvalidToken)?;
        let algorithm = keys::algorithm(&header.alg).ok_or(Problem::InvalidToken)?;
        let named = Named { kid: header.kid.as_deref(), algorithm };
        let known = self.keys_with(named).await?.ok_or(Problem::InvalidToken)?;
        let key = known.keys.find(named).ok_or(Problem::InvalidToken)?;
        let mut rules = Validation::new(algorithm);
        // That was done, with the time of the request.
        rules.validate_exp = false;
        rules.validate_aud = false;
        rules.required_spec_claims.clear();
        let checked = jsonwebtoken::decode::<Json>(token, key, &rules);
        checked.map(|_| issued).map_err(|_| Problem::InvalidToken)
    }

    /// What the claims say, where they are of this issuer, for this audience, and of now.
    fn issued(&self, said: &Json, now: Timestamp) -> Option<Issued> {
        let text = |name: &str| said.get(name).and_then(Json::as_str);
        let time = |name: &str| said.get(name).map(|time| time.as_f64().filter(|time| time.is_finite()));
        // RFC 7519: seconds, which may have a fraction. What is below a second makes no difference.
        #[allow(clippy::cast_precision_loss)]
        let (now, leeway) = (now.as_second() as f64, LEEWAY as f64);
        let is_for_us = match said.get("aud")? {
            Json::String(one) => *one == self.audience,
            Json::Array(several) => several.iter().any(|one| one.as_str() == Some(&self.audience)),
            _ => false,
        };
        let is_of_now = time("exp")?? + leeway > now
            && time("nbf").is_none_or(|from| from.is_some_and(|from| from - leeway <= now));
        let subject = text("sub").filter(|subject| (1..=SUBJECT_MAX).contains(&subject.len()))?;
        if text("iss")? != self.name || !is_for_us || !is_of_now {
            return None;
        }
        let is_proved = said.get("email_verified") == Some(&Json::Bool(true));
        let email = text("email").filter(|email| is_proved && email.len() <= EMAIL_MAX && email.contains('@'));
        Some(Issued {
            subject: subject.to_owned(),
            grants: grants(said),
            email: email.map(ToOwned::to_owned),
            name: text("name").map(ToOwned::to_owned),
        })
    }

    /// The keys, with the wanted one among them; nothing where the issuer has no such key.
    async fn keys_with(self: &Arc<Self>, wanted: Named<'_>) -> Result<Option<Arc<Known>>, Problem> {
        let arrived = Instant::now();
        if let Some(known) = self.usable(wanted) {
            self.renew(&known);
            return Ok(Some(known));
        }
        if self.known().is_some_and(|known| known.lacks(wanted)) {
            return Ok(None);
        }
        let mut asked = self.asking.lock().await;
        // Somebody may have asked meanwhile. That a key is not there counts where it was asked for after the token came.
        let known = self.usable(wanted).or_else(|| self.known().filter(|known| known.began > arrived));
        if let Some(known) = known {
            return Ok(known.with(wanted));
        }
        let known = self.ask(&mut asked).await.ok_or(Problem::IssuerUnavailable)?;
        Ok(known.with(wanted))
    }

    /// The keys, where the wanted one is among them and they are young enough.
    fn usable(&self, wanted: Named<'_>) -> Option<Arc<Known>> {
        self.known().filter(|known| known.keys.find(wanted).is_some() && known.began.elapsed() < KEPT)
    }

    /// Has keys that are known for long asked for again, once, while those that are known are used.
    fn renew(self: &Arc<Self>, known: &Arc<Known>) {
        let is_old = known.began.elapsed() >= FRESH && matches!(self.source, Source::Address(_));
        if !is_old || self.is_renewing.swap(true, Ordering::AcqRel) {
            return;
        }
        let issuer = Arc::clone(self);
        tokio::spawn(async move {
            let mut asked = issuer.asking.lock().await;
            issuer.ask(&mut asked).await;
            issuer.is_renewing.store(false, Ordering::Release);
        });
    }

    /// Asks the issuer, unless it was asked too often or has just failed.
    async fn ask(&self, asked: &mut Asked) -> Option<Arc<Known>> {
        let Source::Address(client) = &self.source else { return self.known() };
        let began = Instant::now();
        if !asked.may(began) {
            return None;
        }
        match self.fetched(client).await {
            Ok(keys) => {
                asked.failed = None;
                let known = Arc::new(Known { keys, began, absent: Mutex::default() });
                *locked(&self.known) = Some(Arc::clone(&known));
                Some(known)
            }
            Err(why) => {
                asked.failed = Some(Instant::now());
                let has_keys = self.known().is_some();
                tracing::warn!(issuer = self.name, has_keys, "the issuer does not tell its keys: {why}");
                None
            }
        }
    }

    async fn fetched(&self, client: &Client) -> Result<Keys, String> {
        let at = format!("{}{DISCOVERY}", self.name.trim_end_matches('/'));
        let Discovered { issuer, jwks_uri } = serde_json::from_slice(&document(client, &at).await?)
            .map_err(|_| format!("`{at}` names no `issuer` with a `jwks_uri`"))?;
        if issuer != self.name {
            return Err(format!("`{at}` is of another issuer"));
        }
        let keys = Keys::read(&document(client, &jwks_uri).await?);
        keys.ok_or_else(|| format!("`{jwks_uri}` holds no key that is taken: RSA of 2048 bits or more, P-256, Ed25519"))
    }

    fn known(&self) -> Option<Arc<Known>> {
        locked(&self.known).clone()
    }
}

impl Known {
    fn lacks(&self, wanted: Named<'_>) -> bool {
        wanted.kid.is_some_and(|kid| locked(&self.absent).contains(kid))
    }

    /// Itself, where the wanted key is among them. That it is not is remembered: the issuer was asked for it.
    fn with(self: Arc<Self>, wanted: Named<'_>) -> Option<Arc<Self>> {
        if self.keys.find(wanted).is_some() {
            return Some(self);
        }
        let mut absent = locked(&self.absent);
        if let Some(kid) = wanted.kid.filter(|kid| kid.len() <= SUBJECT_MAX && absent.len() < keys::MOST) {
            absent.insert(kid.to_owned());
        }
        None
    }
}

impl Asked {
    /// Whether the issuer may be asked now; counts it.
    fn may(&mut self, now: Instant) -> bool {
        while self.times.front().is_some_and(|time| now.duration_since(*time) >= ASKED_WITHIN) {
            self.times.pop_front();
        }
        let is_left_alone = self.failed.is_some_and(|failed| now.duration_since(failed) < LEFT_ALONE);
        let may = !is_left_alone && self.times.len() < ASKED_AT_MOST;
        if may {
            self.times.push_back(now);
        }
        may
    }
}

/// RFC 9068 wants `at+jwt`; many issuers say `JWT`, or nothing. Tokens of another use say so.
fn is_access_token(header: &Header) -> bool {
    let typ = header.typ.as_deref().map(str::to_ascii_lowercase);
    let is_typed = typ.as_deref().is_none_or(|typ| ["at+jwt", "application/at+jwt", "jwt"].contains(&typ));
    is_typed && header.crit.is_none()
}

/// The header and the claims of a token that nobody has checked yet.
fn read(token: &str) -> Option<(Header, Json)> {
    let mut parts = token.split('.');
    let (Some(header), Some(claims), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return None;
    };
    let part = |text: &str| URL_SAFE_NO_PAD.decode(text).ok();
    if token.len() > TOKEN_MAX {
        return None;
    }
    Some((serde_json::from_slice(&part(header)?).ok()?, serde_json::from_slice(&part(claims)?).ok()?))
}

/// `scope` of RFC 9068, and `scp`, as some issuers call it.
fn grants(said: &Json) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for claim in ["scope", "scp"].into_iter().filter_map(|name| said.get(name)) {
        match claim {
            Json::String(words) => {
                found.extend(words.split(' ').filter(|word| !word.is_empty()).map(ToOwned::to_owned))
            }
            Json::Array(words) => found.extend(words.iter().filter_map(Json::as_str).map(ToOwned::to_owned)),
            _ => {}
        }
    }
    found
}

async fn document(client: &Client, url: &str) -> Result<Vec<u8>, String> {
    let headers = vec![("accept".to_owned(), "application/json".to_owned())];
    let request = HttpRequest { method: Method::Get, url: url.to_owned(), headers, body: Vec::new() };
    match client.send(&request, BOUNDS).await {
        Sent::Answered(answer) if answer.status == 200 && !answer.is_cut => Ok(answer.body),
        Sent::Answered(answer) if answer.is_cut => Err(format!("`{url}` is longer than {} bytes", BOUNDS.most_bytes)),
        Sent::Answered(answer) => Err(format!("`{url}` answered {}", answer.status)),
        Sent::NeverConnected(why) => Err(format!("`{url}`: {why}")),
        Sent::BrokenBehindRequest(why) => Err(format!("`{url}`: {why}")),
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
