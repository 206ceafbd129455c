//! A provider played from its manifest: requests come in, answers and webhooks go out, and what was done is remembered. The time is
//! handed in and chance comes from a seed, so the same calls have the same answers. Nothing here listens or waits, and only `sender` sends.

mod act;
mod authentication;
mod chance;
mod control;
mod fault;
mod given;
mod granting;
mod kept;
mod listing;
mod outbox;
mod page;
mod rate;
mod request;
mod sender;
mod serving;
mod setup;
mod shelf;
mod told;
mod upserting;

#[cfg(test)]
mod tests;

pub use act::NoAct;
pub use authentication::Stranger;
pub use fault::{Mishap, NoMishap};
pub use outbox::Outgoing;
pub use request::Asked;
pub use sender::Sender;
pub use setup::NoSimulator;

use crate::fill::FillError;
use crate::signature::PrivateKey;
use authentication::Shown;
use chance::Chance;
use granting::Grants;
use kept::Kept;
use manifest::Manifest;
use manifest::provider::AnswerFormat;
use manifest::webhook::Verification;
use outbox::{Endpoint, Outbox};
use rate::Rates;
use request::segments;
use serde_json::Value;
use setup::Setup;
use shelf::Shelves;
use told::{Came, Log};
use vocab::Secret;

/// Where it is looked at and led by hand.
pub const CONTROL: &str = "/_simulator";

/// A provider that is played.
pub struct Simulator {
    setup: Setup,
    chance: Chance,
    shelves: Shelves,
    /// Credentials that callers have shown last: what is sent is signed with them.
    shown: Shown,
    grants: Grants,
    kept: Kept,
    rates: Rates,
    mishaps: Vec<Mishap>,
    outbox: Outbox,
    /// Addresses that were given at the start, beside those that are entered through the API.
    addresses: Vec<Endpoint>,
    log: Log,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// What becomes of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Handled {
    /// It is answered.
    Answered(Answer),
    /// It is never answered, and nothing has happened.
    Hangs,
    /// It has happened, and the connection ends without an answer.
    Lost,
}

/// What its manifest says of it, where it can be played at all.
///
/// # Errors
/// [`NoSimulator`] with the reason.
pub fn can_be_simulated(manifest: &Manifest) -> Result<&manifest::simulator::Simulator, NoSimulator> {
    let provider = manifest.provider.provider.to_string();
    let Some(plays) = &manifest.simulator else { return Err(NoSimulator::NotDescribed(provider)) };
    let ways = manifest.provider.authentication.iter();
    let of_way = ways.map(|(_, way)| way).find_map(authentication::beyond);
    let hosts = manifest.provider.hosts.first();
    let is_json = hosts.is_none_or(|(_, host)| host.answers == AnswerFormat::Json);
    let of_answers = (!is_json).then_some("its answers are not JSON");
    let why = of_way.or(of_answers).or_else(|| manifest.webhooks.as_ref().and_then(setup::beyond));
    why.map_or(Ok(plays), |why| Err(NoSimulator::Beyond { provider, why }))
}

impl Simulator {
    /// Begins to play a provider at that address.
    ///
    /// # Errors
    /// [`NoSimulator`] where its manifest does not say how it behaves.
    pub fn new(manifest: Manifest, site: &str, seed: u64) -> Result<Self, NoSimulator> {
        let mut chance = Chance::new(seed);
        let mut setup = Setup::new(manifest, site, &mut chance)?;
        let outbox = Outbox::new(own_key(&mut setup));
        Ok(Self {
            setup,
            chance,
            shelves: Shelves::default(),
            shown: Shown::new(),
            grants: Grants::default(),
            kept: Kept::default(),
            rates: Rates::default(),
            mishaps: Vec::new(),
            outbox,
            addresses: Vec::new(),
            log: Log::default(),
        })
    }

    /// What it calls itself.
    #[must_use]
    pub fn title(&self) -> &str {
        &self.setup.manifest.provider.title
    }

    /// Credentials that it takes, by name. They open nothing but this.
    pub fn credentials(&self) -> impl Iterator<Item = (&str, &Secret<String>)> {
        self.setup.credentials()
    }

    /// Lets these mishaps happen from now on, and no others. Each is written `NAME`, `NAME:0.2` or `NAME:3`.
    ///
    /// # Errors
    /// [`NoMishap`] with what could stand there; then nothing has changed.
    pub fn let_happen<'m>(&mut self, mishaps: impl IntoIterator<Item = &'m str>) -> Result<(), NoMishap> {
        let known = &self.setup.plays.faults;
        self.mishaps = mishaps.into_iter().map(|text| Mishap::parse(text, known)).collect::<Result<_, _>>()?;
        Ok(())
    }

    /// Handles a request.
    pub fn handle(&mut self, asked: &Asked<'_>, now_ms: i64) -> Handled {
        let path = asked.target.split('?').next().unwrap_or_default();
        if path == CONTROL || path.strip_prefix(CONTROL).is_some_and(|rest| rest.starts_with('/')) {
            return Handled::Answered(self.control(asked, now_ms));
        }
        if let Some(answer) = self.granting(asked, path, now_ms) {
            let (method, path, status) = (asked.method.to_owned(), path.to_owned(), Some(answer.status));
            self.log.came(Came { method, path, status, ..Came::default() });
            return Handled::Answered(answer);
        }
        let steps = segments(path);
        let page =
            self.setup.plays.pages.iter().position(|page| setup::fits(&setup::pattern(&page.path), &steps).is_some());
        match page {
            Some(number) => Handled::Answered(self.page(number, asked, &steps, now_ms)),
            None => self.serve(asked, now_ms),
        }
    }

    /// When the next webhook is due, in milliseconds since 1970.
    #[must_use]
    pub fn next_webhook_ms(&self) -> Option<i64> {
        self.outbox.next_ms()
    }

    /// The webhooks that are due. Each is told of with [`Self::was_sent`].
    pub fn webhooks_due(&mut self, now_ms: i64) -> Vec<Outgoing> {
        self.outbox.due(&self.setup, &self.shown, now_ms)
    }

    /// How a webhook came out: the status of the answer, where there was one.
    pub fn was_sent(&mut self, number: u64, status: Option<u16>, now_ms: i64) {
        self.outbox.was_sent(number, status, now_ms);
    }
}

/// The key that what it sends is signed with, where that is one of two halves; the public half becomes the credential that is
/// called so.
fn own_key(setup: &mut Setup) -> Option<PrivateKey> {
    let webhooks = setup.manifest.webhooks.as_ref()?;
    let way = webhooks.verify.iter().find_map(|way| match way {
        Verification::PublicKey(way) => Some(way.clone()),
        Verification::Hmac(_)
        | Verification::Digest(_)
        | Verification::Certificate(_)
        | Verification::FixedHeader { .. }
        | Verification::Basic { .. }
        | Verification::BodyHolds { .. }
        | Verification::SecretPath(_)
        | Verification::Ask { .. } => None,
    })?;
    let key = PrivateKey::make(way.algorithm)?;
    setup.publish(&way.key, key.public()?);
    Some(key)
}

/// What stands behind these steps.
fn at_member<'d>(document: &'d Value, steps: &[String]) -> Option<&'d Value> {
    steps.iter().try_fold(document, |value, step| match value {
        Value::Object(members) => members.get(step),
        Value::Array(items) => items.get(step.parse::<usize>().ok()?),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    })
}

/// Where a request made a template come to nothing: a text where a number belongs.
fn place_of(error: &FillError) -> String {
    let expression = match error {
        FillError::Kind { expression, .. }
        | FillError::NotExact { expression, .. }
        | FillError::Currency { expression } => expression,
        FillError::TooLong { list } => list,
    };
    let name = expression.split('|').next().unwrap_or_default().trim();
    name.strip_prefix("body").unwrap_or(name).to_owned()
}
