//! Mails: an event comes in, what it says goes to a mail server, or into a folder where there is none. Who is written to and what stands in
//! a mail is logged nowhere, and no token is kept: it is calculated when the mail is written.

mod conversation;
mod kept_open;
mod message;
mod server;

pub use message::{Links, Rendered, Sender, is_address, rendered};
pub use server::{Encryption, Server, WrongServer};

use crate::call::AttemptRecord;
use crate::delivery::{Carried, Carrier, Carrying, Hold, LaneRules, Outcome, from_text, to_text};
use crate::request::hash;
use conversation::Sent;
use jiff::Timestamp;
use kept_open::KeptOpen;
use lettre::Address;
use message::Surroundings;
use plan::mail::{INTEGRATION, Mail};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;
use store::Store;
use store::delivery::{Leased, NewDelivery, OutboxEvent, Routes};
use store::mail_suppression::MailSuppression;
use uuid::Uuid;
use vocab::SuppressionReason;

/// Mails on their way at once. Mail servers shut out who opens many connections.
const AT_ONCE: u32 = 4;
/// What happened longer ago is not written about any more, in milliseconds: three days, as long as a mail is tried.
const NEWS_MS: i64 = 72 * 3_600_000;
/// A mail leaves at some moment within that time behind its event, in milliseconds: what is done for it slows other answers, and at once it
/// would tell whoever asks again and again that an address is written to.
const SPREAD_MS: u32 = 500;
/// What the attempts' records call the way.
const PROVIDER: &str = "smtp";
/// What their code says of a mail that was not sent because its address is not written to.
const SUPPRESSED: &str = "suppressed";

/// The mails that events of a database make.
#[derive(Debug, Clone, Default)]
pub struct Mails(BTreeMap<String, (Mail, i64)>);

impl Mails {
    /// Mails, each with the time since when it is sent, in milliseconds since 1970. Where several are of one event, the first is sent.
    #[must_use]
    pub fn new(mails: impl IntoIterator<Item = (Mail, i64)>) -> Self {
        let mut known = BTreeMap::new();
        for (mail, since_ms) in mails {
            known.entry(mail.event.to_string()).or_insert((mail, since_ms));
        }
        Self(known)
    }

    /// Whether no event makes a mail.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Routes for Mails {
    fn deliveries(&self, event: &OutboxEvent) -> Vec<NewDelivery> {
        let Some((mail, since_ms)) = self.0.get(&event.name) else { return Vec::new() };
        let since = (*since_ms).max(Timestamp::now().as_millisecond() - NEWS_MS);
        let is_ours = from_text(&event.occurred_at).unwrap_or(i64::MAX) >= since;
        let payload: Map<String, Value> = serde_json::from_str(&event.payload).unwrap_or_default();
        let is_addressed = payload.get(mail.to.as_str()).is_some_and(Value::is_string);
        let (integration, provider) = (INTEGRATION.to_owned(), PROVIDER.to_owned());
        let made = || {
            let id = self.new_id();
            // The id's own chance.
            let waits = Uuid::parse_str(&id).map_or(0, |id| id.as_u128() % u128::from(SPREAD_MS));
            let due_at = Some(to_text(Timestamp::now().as_millisecond() + i64::try_from(waits).unwrap_or_default()));
            NewDelivery { id, integration, provider, priority: 0, order_key: None, due_at }
        };
        (is_ours && is_addressed).then(made).into_iter().collect()
    }

    fn overlooked(&self) -> Vec<(&str, Vec<&str>)> {
        let names = || (INTEGRATION, self.0.keys().map(String::as_str).collect());
        (!self.is_empty()).then(names).into_iter().collect()
    }

    fn new_id(&self) -> String {
        Uuid::now_v7().to_string()
    }
}

/// How mails leave.
#[derive(Debug, Clone)]
pub enum Way {
    /// By a mail server.
    Server(Box<Server>),
    /// Not at all: each becomes a file in the folder.
    Folder(PathBuf),
    /// Not until somebody has mended what the text says.
    Wrong(String),
}

/// What follows the id of a token.
pub type Successor = Arc<dyn Fn(&str) -> String + Send + Sync>;

/// What every mail of a server has in common.
#[derive(Clone)]
pub struct Sending {
    /// The address of the site, without a slash at its end.
    pub site: String,
    /// Who writes.
    pub from: Sender,
    /// The language of those of whom nobody knows one.
    pub language: Option<String>,
    /// How they leave.
    pub way: Way,
    /// What makes a token of its id; none where nobody signs in.
    pub successor: Option<Successor>,
}

impl Sending {
    /// How the lane of mails is treated: with another server it is as good as new.
    #[must_use]
    pub fn lane(&self) -> LaneRules {
        let known_as = match &self.way {
            Way::Server(server) => server.known_as(),
            Way::Folder(folder) => folder.display().to_string(),
            Way::Wrong(why) => why.clone(),
        };
        LaneRules { at_once: AT_ONCE, known_as, ..LaneRules::default() }
    }
}

/// Brings mails on their way.
pub struct Mailer {
    mails: Arc<Mails>,
    sending: Sending,
    kept_open: Arc<KeptOpen>,
    /// The database with the addresses that are not written to; none where it has no such table yet.
    suppressions: Option<Store>,
}

impl Mailer {
    /// Sends those mails in this way, and none to whom that database says not to write.
    #[must_use]
    pub fn new(mails: Arc<Mails>, sending: Sending, suppressions: Option<Store>) -> Self {
        Self { mails, sending, kept_open: Arc::default(), suppressions }
    }

    async fn send(&self, delivery: &Leased) -> Carried {
        let Some((mail, _)) = self.mails.0.get(&delivery.event) else {
            return failed(Outcome::Permanent, "no mail is sent at this event any more");
        };
        let Ok(payload) = serde_json::from_str::<Map<String, Value>>(&delivery.payload) else {
            return failed(Outcome::Permanent, "what is known of the event cannot be read");
        };
        let Sending { site, from, language, successor, .. } = &self.sending;
        let around =
            Surroundings { site, from, language: language.as_deref(), successor: successor.as_ref(), id: &delivery.id };
        let message = match message::written(mail, &payload, &around) {
            Ok(message) => message,
            Err(why) => return failed(Outcome::Permanent, &why),
        };
        if let Some(stopped) = self.stopped(mail, &message.to).await {
            return stopped;
        }
        let started = Instant::now();
        let sent = match &self.sending.way {
            Way::Wrong(why) => return failed(Outcome::Authentication, why),
            Way::Folder(folder) => kept(folder, &delivery.id, message.bytes.clone()).await,
            Way::Server(server) => conversation::send(server, &self.kept_open, &message).await,
        };
        let record = AttemptRecord {
            method: "SMTP".to_owned(),
            url: match &self.sending.way {
                Way::Server(server) => server.to_string(),
                Way::Folder(folder) => folder.display().to_string(),
                Way::Wrong(_) => String::new(),
            },
            request_headers: vec![
                ("Message-ID".to_owned(), message.id.clone()),
                ("To".to_owned(), hash(&Value::String(message.to.to_string()))),
            ],
            status: sent.status,
            answer_body: sent.said.clone(),
            duration_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
            ..AttemptRecord::default()
        };
        if sent.is_nobodys {
            self.suppress(&message.to, &sent).await;
        }
        carried(sent, delivery.in_doubt, &record)
    }

    /// What becomes of a mail to an address that is not written to.
    async fn stopped(&self, mail: &Mail, to: &Address) -> Option<Carried> {
        let known = match self.suppressions.as_ref()?.mail_suppressions_of(to.as_ref()).await {
            Ok(known) => known,
            Err(error) => {
                let why = format!("whether the address may be written to was not read: {error}");
                return Some(failed(Outcome::Transient, &why));
            }
        };
        let MailSuppression { reason, suppressed_at, .. } =
            known.into_iter().find(|known| known.reason.stops(mail.essential))?;
        let why = format!(
            "it was not sent: the address is suppressed since {suppressed_at} (`{}`); `producer mail suppressed list` says why",
            reason.as_str()
        );
        Some(Carried { code: Some(SUPPRESSED.to_owned()), ..failed(Outcome::Permanent, &why) })
    }

    /// Keeps that nobody has the address. Where that fails the next mail to it is told the same.
    async fn suppress(&self, address: &Address, sent: &Sent) {
        let Some(store) = &self.suppressions else { return };
        let suppression = MailSuppression {
            address: address.to_string(),
            reason: SuppressionReason::Bounce,
            suppressed_at: to_text(Timestamp::now().as_millisecond()),
            said: sent.status.map(|status| format!("{status} {}", sent.said)),
        };
        if let Err(error) = store.suppress_mail(&suppression).await {
            tracing::warn!(error = %error, "that nobody has an address was not kept");
        }
    }
}

impl Carrier for Mailer {
    fn carry<'a>(&'a self, delivery: &'a Leased, _: &'a Hold) -> Carrying<'a> {
        Box::pin(self.send(delivery))
    }
}

/// A mail that may have gone out is sent again: its `Message-ID` is that of the delivery, so who gets both sees one, and a mail twice is
/// better than none.
fn carried(sent: Sent, was_in_doubt: bool, record: &AttemptRecord) -> Carried {
    let is_sent = sent.outcome == Outcome::Delivered;
    Carried {
        in_doubt: !is_sent && (was_in_doubt || sent.outcome == Outcome::UnknownEffect),
        code: sent.code,
        problem: sent.problem,
        record: serde_json::to_string(&[record]).ok(),
        ..Carried::of(sent.outcome)
    }
}

fn failed(outcome: Outcome, why: &str) -> Carried {
    Carried { problem: Some(why.to_owned()), in_doubt: false, ..Carried::of(outcome) }
}

/// Puts the mail into a file that only we read: it holds what opens accounts.
async fn kept(folder: &Path, id: &str, bytes: Vec<u8>) -> Sent {
    let path = folder.join(format!("{id}.eml"));
    let shown = path.display().to_string();
    let writing = tokio::task::spawn_blocking(move || write(&path, &bytes));
    let problem = match writing.await {
        Ok(Ok(())) => {
            let problem = Some(format!("no mail leaves this machine: it is in `{shown}`"));
            return kept_with(Outcome::Delivered, problem);
        }
        Ok(Err(error)) => format!("`{shown}` cannot be written: {error}"),
        Err(error) => format!("`{shown}` was not written: {error}"),
    };
    kept_with(Outcome::Transient, Some(problem))
}

fn kept_with(outcome: Outcome, problem: Option<String>) -> Sent {
    Sent { outcome, is_nobodys: false, status: None, code: None, problem, said: String::new() }
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let half = path.with_extension("part");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&half)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&half, path)
}
