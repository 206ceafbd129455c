//! A call of a provider from its inputs to its outcome: checked, proved, sent, read and written down. What went wrong before anything was
//! sent is told apart from what broke behind it; a token that was refused is renewed once. No value that is not plain leaves in a record.

mod record;

#[cfg(test)]
mod tests;

pub use record::AttemptRecord;

use crate::account::{Account, Call, Delivery, Inputs, Rendered, Token};
use crate::answer::{self, ItemOutcome, Outcome, Seen};
use crate::authentication;
use crate::authentication::oauth2::Given;
use crate::authentication::tokens::{TokenKeeper, Tokens, Wanted};
use crate::client::{Bounds, Client, Sent};
use crate::fill;
use crate::message::HttpAnswer;
use crate::paging::{Lead, Page, Reading};
use crate::request::{self, RequestError, render};
use jiff::Timestamp;
use manifest::authentication::{Authentication, Oauth2};
use manifest::operation::{Idempotency, IfReplyIsLost, LookUp, Operation};
use manifest::provider::Check;
use record::Recorder;
use serde_json::Value;
use std::sync::Arc;
use std::time::{Duration, Instant};
use vocab::FieldName;

/// Most bytes of the body of an answer.
const MAX_ANSWER_BYTES: usize = 8 * 1024 * 1024;

/// Tells the time.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Carries operations out. One for the whole process: it keeps connections and tokens.
#[derive(Clone)]
pub struct Caller {
    client: Client,
    tokens: Tokens,
    clock: Clock,
}

/// A call that was made, or could not be.
#[derive(Debug, Clone, PartialEq)]
pub struct Called {
    /// How it came out.
    pub outcome: Outcome,
    /// How each item came out, where the operation is a batch and it was done.
    pub items: Vec<ItemOutcome>,
    /// What is written down of it.
    pub record: AttemptRecord,
}

/// What is to be done with a call of which nobody knows whether it happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Reconciled {
    /// It did: these fields of its answer are known.
    Happened {
        /// Those that the operation and the one that was asked have in common.
        answer: Inputs,
    },
    /// It did not: it may be sent again.
    DidNot,
    /// Whether it did does not matter: sent again, it comes to the same.
    RepeatIsSafe,
    /// Nobody can tell: a person must look.
    Stop {
        /// Why.
        why: String,
    },
    /// The provider could not be asked now: ask again later, and send nothing until then.
    NotKnownYet(Box<Called>),
}

/// What is called.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The account.
    pub account: &'a Account,
    /// The operation.
    pub operation: &'a FieldName,
    /// What it is given.
    pub inputs: &'a Inputs,
    /// The delivery that it is part of.
    pub delivery: Option<&'a Delivery>,
}

impl Caller {
    /// A caller with what keeps its tokens.
    #[must_use]
    pub fn new(client: Client, keeper: Arc<dyn TokenKeeper>, clock: Clock) -> Self {
        Self::sharing(client, Tokens::new(keeper), clock)
    }

    /// A caller that shares the tokens of others.
    #[must_use]
    pub fn sharing(client: Client, tokens: Tokens, clock: Clock) -> Self {
        Self { client, tokens, clock }
    }

    /// Takes what a person's agreement has brought: the token is kept before anybody uses it.
    ///
    /// # Errors
    /// Why there is no token.
    pub async fn exchange(&self, account: &Account, name: &str, way: &Oauth2, given: &Given) -> Result<Token, Outcome> {
        let wanted = Wanted { account, name, way, refused: None };
        self.tokens.exchange(&wanted, given, &self.client, (self.clock)()).await
    }

    /// Carries an operation out.
    pub async fn call(&self, asked: &Asked<'_>) -> Called {
        self.page(asked, None).await.0
    }

    /// Tries the credential as the manifest says. None where that cannot be done without an effect.
    pub async fn check(&self, account: &Account) -> Option<Outcome> {
        let provider = &account.manifest.provider;
        match &provider.check {
            Check::Operation(operation) => {
                let inputs = Inputs::new();
                Some(self.call(&Asked { account, operation, inputs: &inputs, delivery: None }).await.outcome)
            }
            Check::Token => {
                let way = provider.authentication.iter().find_map(|(name, way)| match way {
                    Authentication::Oauth2(way) => Some((name.as_str(), way.as_ref())),
                    _ => None,
                });
                let (name, way) = way?;
                let wanted = Wanted { account, name, way, refused: None };
                let got = self.tokens.token(&wanted, &self.client, (self.clock)()).await;
                Some(got.map_or_else(|failure| failure, |_| Outcome::Done { answer: Inputs::new() }))
            }
            Check::Form(_) => None,
        }
    }

    /// Reads a long answer page by page.
    #[must_use]
    pub fn pages<'a>(&'a self, asked: Asked<'a>) -> Pages<'a> {
        Pages { caller: self, asked, reading: Reading::default(), next: Some(None) }
    }

    /// Reads one page of a long answer: the first, or the one that another page leads to.
    ///
    /// # Errors
    /// The call that failed.
    pub async fn read_page(&self, asked: &Asked<'_>, lead: Option<Lead>) -> Result<Page, Box<Called>> {
        let mut pages = Pages { caller: self, asked: *asked, reading: Reading::default(), next: Some(lead) };
        pages.next().await.unwrap_or_else(|| Err(Box::new(not_sent("there is no page".to_owned()))))
    }

    /// An address at which its bearer can send the request of an operation, for as long as it holds. Nothing is sent.
    ///
    /// # Errors
    /// Why there is none.
    pub fn link(&self, asked: &Asked<'_>, holds: Duration) -> Result<String, RequestError> {
        let operation = operation(asked)?;
        request::link(&call_of(asked, operation, None, None, (self.clock)()), holds)
    }

    /// Says what is to be done with a call whose outcome nobody knows, by the manifest's rule; `since` is how long ago it was first sent.
    pub async fn reconcile(&self, asked: &Asked<'_>, since: Duration) -> Reconciled {
        let Ok(operation) = operation(asked) else {
            return Reconciled::Stop { why: format!("no operation is called `{}`", asked.operation) };
        };
        match (&operation.if_reply_is_lost, &operation.idempotency) {
            _ if !operation.effect.changes() => Reconciled::RepeatIsSafe,
            (Some(IfReplyIsLost::Repeat), Some(Idempotency::Key { kept_hours: Some(hours), .. }))
                if since >= Duration::from_secs(u64::from(*hours) * 3600) =>
            {
                Reconciled::Stop {
                    why: format!("the provider knows the key for {hours} hours only, and they are over"),
                }
            }
            (Some(IfReplyIsLost::Repeat), _) => Reconciled::RepeatIsSafe,
            (Some(IfReplyIsLost::LookUp(look_up)), _) => self.look_up(asked, operation, look_up).await,
            (Some(IfReplyIsLost::Stop) | None, _) => {
                Reconciled::Stop { why: "the provider knows no way to tell whether it happened".to_owned() }
            }
        }
    }

    async fn look_up(&self, asked: &Asked<'_>, lost: &Operation, look_up: &LookUp) -> Reconciled {
        let scope = call_of(asked, lost, None, None, (self.clock)());
        let mut inputs = Inputs::new();
        for (name, text) in look_up.input.iter() {
            match fill::value(text, &scope) {
                Ok(Some(value)) => drop(inputs.insert(name.as_str().to_owned(), value)),
                Ok(None) => {}
                Err(why) => return Reconciled::Stop { why: why.to_string() },
            }
        }
        let question = Asked { operation: &look_up.operation, inputs: &inputs, delivery: None, ..*asked };
        let Ok(asking) = operation(&question) else {
            return Reconciled::Stop { why: format!("no operation is called `{}`", look_up.operation) };
        };
        let mut reading = Reading::default();
        let mut lead = None;
        loop {
            let (called, read) = self.page(&question, lead).await;
            let Some(Read { answer, url }) = read else { return Reconciled::NotKnownYet(Box::new(called)) };
            let call = call_of(&question, asking, None, None, (self.clock)());
            let seen = Seen::of(&call, &answer);
            if seen.fits(&look_up.found_when, &scope) {
                let answer = match called.outcome {
                    Outcome::Done { answer } => answer,
                    _ => Inputs::new(),
                };
                let known = answer.into_iter().filter(|(name, _)| lost.answer.get(name).is_some());
                return Reconciled::Happened { answer: known.collect() };
            }
            match called.outcome {
                Outcome::Done { .. } => {}
                Outcome::Permanent { .. } if matches!(answer.status, 404 | 410) => return Reconciled::DidNot,
                Outcome::Permanent { message, .. } => return Reconciled::Stop { why: message },
                _ => return Reconciled::NotKnownYet(Box::new(called)),
            }
            let Some(paging) = &asking.paging else { return Reconciled::DidNot };
            match reading.page(paging, &url, &answer, &seen.document) {
                Ok(Page { is_cut: true, .. }) => {
                    return Reconciled::Stop { why: "the provider knows more than can be looked through".to_owned() };
                }
                Ok(Page { next: Some(next), .. }) => lead = Some(next),
                Ok(Page { next: None, .. }) => return Reconciled::DidNot,
                Err(why) => return Reconciled::Stop { why: why.to_string() },
            }
        }
    }

    /// Calls an operation, or asks for another page of it.
    async fn page(&self, asked: &Asked<'_>, lead: Option<Lead>) -> (Called, Option<Read>) {
        let operation = match operation(asked) {
            Ok(operation) => operation,
            Err(why) => return (not_sent(why.to_string()), None),
        };
        let mut refused: Option<Token> = None;
        loop {
            let page = match &lead {
                Some(Lead::Value(value)) => Some(value),
                Some(Lead::Address(_)) | None => None,
            };
            let now = (self.clock)();
            let mut call = call_of(asked, operation, page, None, now);
            let way = match authentication::named_way(&call) {
                Ok((name, Authentication::Oauth2(way))) => Some((name, way.as_ref())),
                Ok(_) => None,
                Err(why) => return (not_sent(why.to_string()), None),
            };
            let token = match self.token(asked.account, way, refused.as_ref(), now).await {
                Ok(token) => token,
                Err(outcome) => return (Called { outcome, items: Vec::new(), record: AttemptRecord::default() }, None),
            };
            call.token = token.as_ref();
            let mut rendered = match render(&call) {
                Ok(rendered) => rendered,
                Err(why) => return (not_sent(why.to_string()), None),
            };
            if let Some(Lead::Address(address)) = &lead {
                rendered.sent.url.clone_from(address);
                rendered.shown.url.clone_from(address);
            }
            let (called, read) = self.sent(&call, rendered).await;
            let is_refused = matches!(called.outcome, Outcome::Authentication { .. })
                || is_to_be_renewed(way, read.as_ref().map(|read| read.answer.status));
            match (is_refused, token, &refused) {
                (true, Some(token), None) => refused = Some(token),
                _ => return (called, read),
            }
        }
    }

    async fn token(
        &self,
        account: &Account,
        way: Option<(&str, &Oauth2)>,
        refused: Option<&Token>,
        now: Timestamp,
    ) -> Result<Option<Token>, Outcome> {
        let Some((name, way)) = way else { return Ok(None) };
        self.tokens.token(&Wanted { account, name, way, refused }, &self.client, now).await.map(Some)
    }

    async fn sent(&self, call: &Call<'_>, rendered: Rendered) -> (Called, Option<Read>) {
        let retry = call.operation.retry.as_ref().unwrap_or(&call.account.manifest.provider.retry);
        let within = Duration::from_millis(retry.answer_within_ms.into());
        let began = Instant::now();
        let sent = self.client.send(&rendered.sent, Bounds { within, most_bytes: MAX_ANSWER_BYTES }).await;
        let mut recorder = Recorder::new(call, &rendered, began.elapsed());
        let (outcome, items, read) = match sent {
            Sent::NeverConnected(why) if why.is_permanent() => {
                (Outcome::Permanent { code: None, message: why.to_string() }, Vec::new(), None)
            }
            Sent::NeverConnected(why) => {
                (Outcome::Transient { code: None, message: why.to_string(), wait: None }, Vec::new(), None)
            }
            Sent::BrokenBehindRequest(why) => (answer::broken(call, why), Vec::new(), None),
            Sent::Answered(answer) => {
                let read = answer::read(call, &answer);
                let items = match &read.outcome {
                    Outcome::Done { .. } => answer::items(call, &read.document),
                    _ => Vec::new(),
                };
                recorder.answered(call, &answer, &read);
                (read.outcome, items, Some(Read { answer, url: rendered.sent.url.clone() }))
            }
        };
        let outcome = recorder.scrubbed_outcome(outcome);
        let items = recorder.scrubbed_items(items);
        (Called { outcome, items, record: recorder.record() }, read)
    }
}

/// An answer with the address that it came from.
struct Read {
    answer: HttpAnswer,
    url: String,
}

/// A long answer, page by page.
pub struct Pages<'a> {
    caller: &'a Caller,
    asked: Asked<'a>,
    reading: Reading,
    next: Option<Option<Lead>>,
}

impl Pages<'_> {
    /// The next page, or the call that failed; nothing behind the last one, and nothing behind a failure.
    pub async fn next(&mut self) -> Option<Result<Page, Box<Called>>> {
        let lead = self.next.take()?;
        let (called, read) = self.caller.page(&self.asked, lead).await;
        let operation = operation(&self.asked).ok()?;
        let (Outcome::Done { .. }, Some(Read { answer, url }), Some(paging)) =
            (&called.outcome, read, &operation.paging)
        else {
            return Some(Err(Box::new(called)));
        };
        let call = call_of(&self.asked, operation, None, None, (self.caller.clock)());
        let document = Seen::of(&call, &answer).document;
        Some(match self.reading.page(paging, &url, &answer, &document) {
            Ok(page) => {
                self.next = page.next.clone().map(Some);
                Ok(page)
            }
            Err(why) => {
                let outcome = Outcome::Permanent { code: None, message: why.to_string() };
                Err(Box::new(Called { outcome, ..called }))
            }
        })
    }
}

fn operation<'a>(asked: &Asked<'a>) -> Result<&'a Operation, RequestError> {
    let known = asked.account.manifest.operations.get(asked.operation.as_str());
    known.ok_or_else(|| RequestError::NoOperation(asked.operation.clone()))
}

fn call_of<'a>(
    asked: &Asked<'a>,
    operation: &'a Operation,
    page: Option<&'a Value>,
    token: Option<&'a Token>,
    now: Timestamp,
) -> Call<'a> {
    let Asked { account, operation: name, inputs, delivery } = *asked;
    Call { account, name, operation, inputs, delivery, page, token, now }
}

fn is_to_be_renewed(way: Option<(&str, &Oauth2)>, status: Option<u16>) -> bool {
    let (Some((_, way)), Some(status)) = (way, status) else { return false };
    way.renew.on_status.iter().any(|known| known.is(status))
}

/// A request that could not be made: it will be no better next time.
fn not_sent(message: String) -> Called {
    let outcome = Outcome::Permanent { code: Some("request".to_owned()), message };
    Called { outcome, items: Vec::new(), record: AttemptRecord::default() }
}
