//! Records of a provider come into a table of ours: what has changed there is read page by page, each record is handed to whoever puts
//! it where it belongs, and how far that has come is noted behind each page. Of many servers one reads. Records may come twice and change
//! nothing then; so a kill at any moment loses nothing and doubles nothing. Nothing that comes in is told to anybody.

use crate::account::{Account, Inputs};
use crate::answer::Outcome;
use crate::call::{Asked, Called, Caller};
use crate::delivery::{from_text, to_text};
use crate::fill::{as_text, first, moment};
use crate::paging::{Lead, Page};
use jiff::Timestamp;
use manifest::kind::Kind;
use manifest::pointer::PathStep;
use manifest::sync::{Backfill, Cursor, Deletes, Sync as Described};
use plan::service::SyncPlan;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use store::sync::SyncState;
use store::{Store, StoreError};
use tokio::sync::watch;
use tokio::task::JoinSet;
use vocab::sha256_hex;

/// For how long a reading is taken, and how often that is said again.
const LEASE_MS: i64 = 15_000;
const EXTENDING: Duration = Duration::from_secs(4);
/// How often it is looked whether somebody else has left a reading, or it is due.
const LOOKING: Duration = Duration::from_secs(3);
/// Between two readings that the provider's calls bring about.
const BETWEEN: Duration = Duration::from_millis(500);
/// Records of a page that are put where they belong at once.
const AT_ONCE: usize = 32;
/// How often it is read what is gone, and which fields records have there.
const HOURLY_MS: i64 = 3_600_000;
/// How long what is gone is not read again that the provider tells of.
const GONE_MS: i64 = 10_000;
/// How far the provider's clock may be behind ours.
const CLOCKS_MS: i64 = 600_000;
/// The first wait behind a failure, and the longest.
const FIRST_WAIT_MS: i64 = 1_000;
const LONGEST_WAIT_MS: i64 = 300_000;
/// Pages between two lines of the log that tell how far the first reading is.
const TOLD_EACH: u32 = 10;
/// Longest sentence that is kept about what went wrong.
const MAX_PROBLEM: usize = 500;
/// Before every change.
const BEGINNING: &str = "1970-01-01T00:00:00.000Z";

/// The words by which what goes wrong is told apart.
pub const LEFT_OUT: &str = "record_left_out";
/// Records have no longer a field there that is taken of them.
pub const FIELDS_MISSING: &str = "fields_missing";

/// A record as it is at the provider.
#[derive(Debug, Clone, PartialEq)]
pub struct Pulled {
    /// Which one.
    pub key: String,
    /// When it was changed last; of one that is gone, when that was seen.
    pub changed: String,
    /// What is taken of it; none: it is gone.
    pub fields: Option<Map<String, Value>>,
    /// SHA-256 of that, lower-case hex.
    pub digest: String,
}

/// Why a record was not put where it belongs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotTaken {
    /// It does not fit, and never will as it is.
    #[error("{0}")]
    Unfit(String),
    /// The database cannot take it now.
    #[error("{0}")]
    Later(String),
}

/// What taking comes to.
pub type TakingIn = Pin<Box<dyn Future<Output = Result<(), NotTaken>> + Send>>;

/// Whoever puts records where they belong.
pub trait Taker: Send + Sync {
    /// Puts one there, durable when this is done.
    fn take(&self, record: Pulled) -> TakingIn;
}

/// How a sync stands, for who asks this process.
#[derive(Debug, Clone, Default)]
pub struct Standing {
    /// The task.
    pub integration: String,
    /// Which records.
    pub sync: String,
    /// As it was noted last, by whichever server; none: nobody has begun.
    pub state: Option<SyncState>,
    /// Readings that this process has brought to their end.
    pub completed: u64,
    /// Those that went wrong.
    pub failed: u64,
    /// How long both have taken together.
    pub took: Duration,
}

/// A sync that is carried out.
pub struct Syncing {
    /// The account.
    pub account: Account,
    /// What calls the provider.
    pub caller: Caller,
    /// What is read, and when.
    pub plan: SyncPlan,
    /// The database.
    pub store: Store,
    /// What puts records into it.
    pub taker: Arc<dyn Taker>,
    /// Rung when the provider has told of something.
    pub bell: watch::Receiver<()>,
    /// Where it is said how it stands.
    pub standing: Arc<Mutex<Standing>>,
}

/// Why a reading ends before its end.
enum Stopped {
    /// Somebody else reads.
    LeaseLost,
    Database(StoreError),
    /// A record could not be kept now.
    Later(String),
    Provider(Outcome),
}

impl From<StoreError> for Stopped {
    fn from(error: StoreError) -> Self {
        Self::Database(error)
    }
}

impl From<Box<Called>> for Stopped {
    fn from(called: Box<Called>) -> Self {
        Self::Provider(called.outcome)
    }
}

/// A reading that this process has taken.
struct Reading<'s> {
    sync: &'s Described,
    lease: String,
    state: SyncState,
    pause: Duration,
}

impl Syncing {
    /// Reads again and again, until it is dropped: it may be at any await.
    pub async fn run(mut self) {
        let Some(sync) = self.account.manifest.syncs.get(self.plan.name.as_str()).cloned() else { return };
        let mut waits = true;
        loop {
            let pause = self.turn(&sync, waits).await;
            tokio::time::sleep(BETWEEN.min(pause)).await;
            waits = tokio::select! {
                true = rung(&mut self.bell) => false,
                () = tokio::time::sleep(pause.saturating_sub(BETWEEN)) => true,
            };
        }
    }

    fn id(&self) -> (&str, &str) {
        (&self.account.name, self.plan.name.as_str())
    }

    /// One reading, if it is due and nobody else reads; how long to wait behind it.
    async fn turn(&self, sync: &Described, waits: bool) -> Duration {
        let lease = uuid::Uuid::now_v7().to_string();
        let (now, until) = (to_text(now()), to_text(now() + LEASE_MS));
        let state = match self.store.lease_sync(self.id(), &lease, (&now, &until), waits).await {
            Ok(Some(state)) => state,
            Ok(None) => {
                // What another server notes is told by this one too.
                if let Ok(Some(state)) = self.store.sync_state(self.id()).await {
                    self.stands(&state);
                }
                return LOOKING;
            }
            Err(error) => {
                tracing::warn!(error = %error, sync = %self.plan.name, "what has changed at a provider is not read: the database does not answer");
                return LOOKING;
            }
        };
        let pause = sync.pause(&self.account.manifest);
        let begun = Instant::now();
        let mut reading = Reading { sync, lease: lease.clone(), state, pause };
        let ended = tokio::select! {
            ended = self.reading(&mut reading, !waits) => ended,
            () = self.extending(&lease) => return LOOKING,
        };
        self.counted(&ended, begun.elapsed());
        self.ended(&mut reading, ended).await
    }

    /// Says again and again that somebody reads.
    async fn extending(&self, lease: &str) {
        loop {
            tokio::time::sleep(EXTENDING).await;
            // What is said too late is found out when the next page is noted.
            let _ = self.store.extend_sync(self.id(), lease, &to_text(now() + LEASE_MS)).await;
        }
    }

    /// Counts a reading that has ended, unless somebody else reads on.
    fn counted(&self, ended: &Result<(), Stopped>, took: Duration) {
        let mut standing = self.standing.lock().unwrap_or_else(PoisonError::into_inner);
        match ended {
            Ok(()) => standing.completed += 1,
            Err(Stopped::LeaseLost) => return,
            Err(Stopped::Database(_) | Stopped::Later(_) | Stopped::Provider(_)) => standing.failed += 1,
        }
        standing.took += took;
    }

    /// Notes how a reading ended, and gives it back.
    async fn ended(&self, reading: &mut Reading<'_>, ended: Result<(), Stopped>) -> Duration {
        let (now, title) = (now(), &self.account.manifest.provider.title);
        let state = &mut reading.state;
        let next = self.plan.pace.next(now.div_euclid(1000)) * 1000;
        match ended {
            Ok(()) => {
                state.failures = 0;
                state.due_at = to_text(next);
                state.ended_at = Some(to_text(now));
            }
            Err(Stopped::LeaseLost) => return LOOKING,
            Err(stopped) => {
                state.failures += 1;
                let doubled = FIRST_WAIT_MS << state.failures.clamp(1, 20);
                let (code, problem, wait) = told(stopped, title);
                let wait = wait.unwrap_or(0).max(doubled.min(LONGEST_WAIT_MS));
                tracing::error!(kind = "integration.data_synchronization", code, task = %self.account.name, sync = %self.plan.name, "{problem}; it is read on in {} s", wait / 1000);
                state.problem = Some(problem);
                state.problem_code = Some(code);
                state.due_at = to_text(now + wait);
            }
        }
        let due = from_text(&state.due_at).unwrap_or(now);
        if let Err(error) = self.store.note_sync(state, &reading.lease, None).await {
            tracing::warn!(error = %error, sync = %self.plan.name, "how a reading ended was not noted");
        }
        self.stands(&reading.state);
        // Another server may read before it is due, when the provider tells of something, and what that notes is told by this one too.
        Duration::from_millis(u64::try_from(due - now).unwrap_or_default()).clamp(BETWEEN, LOOKING)
    }

    fn stands(&self, state: &SyncState) {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner).state = Some(state.clone());
    }

    /// Durable when this is done, if this process still reads.
    async fn note(&self, reading: &Reading<'_>) -> Result<(), Stopped> {
        self.stands(&reading.state);
        let until = to_text(now() + LEASE_MS);
        match self.store.note_sync(&reading.state, &reading.lease, Some(&until)).await? {
            true => Ok(()),
            false => Err(Stopped::LeaseLost),
        }
    }

    async fn reading(&self, reading: &mut Reading<'_>, is_told: bool) -> Result<(), Stopped> {
        let began = now();
        let was_read = reading.state.gone_read_at.as_deref().and_then(from_text);
        let looks_around = was_read.is_none_or(|at| began - at >= if is_told { GONE_MS } else { HOURLY_MS });
        let is_first = reading.state.changed_until.is_none();
        let missing = if looks_around { self.missing(reading).await? } else { None };
        match (missing, reading.state.problem_code.as_deref()) {
            (Some(problem), _) => {
                tracing::warn!(kind = "integration.data_synchronization", code = FIELDS_MISSING, task = %self.account.name, "{problem}");
                reading.state.problem = Some(problem);
                reading.state.problem_code = Some(FIELDS_MISSING.to_owned());
            }
            (None, Some(LEFT_OUT)) => {}
            (None, Some(FIELDS_MISSING)) if !looks_around => {}
            (None, _) => (reading.state.problem, reading.state.problem_code) = (None, None),
        }
        self.changed(reading, began).await?;
        if is_first {
            tracing::info!(task = %self.account.name, sync = %self.plan.name, records = reading.state.records, "everything is here that is at the provider");
        }
        if looks_around {
            self.gone(reading).await?;
            reading.state.gone_read_at = Some(to_text(began));
        }
        Ok(())
    }

    /// Fields that are taken of records and that they have no longer there.
    async fn missing(&self, reading: &Reading<'_>) -> Result<Option<String>, Stopped> {
        let provider = &self.account.manifest.provider;
        let Some(fields) = &provider.drift.fields else { return Ok(None) };
        let inputs = Inputs::new();
        let asked = Asked { account: &self.account, operation: &fields.operation, inputs: &inputs, delivery: None };
        let answer = match self.caller.call(&asked).await.outcome {
            Outcome::Done { answer } => answer,
            other => return Err(Stopped::Provider(other)),
        };
        let Some(Value::Array(names)) = answer.get(fields.names.as_str()) else { return Ok(None) };
        let is_there = |name: &str| names.iter().any(|known| known.as_str() == Some(name));
        let taken = reading.sync.fields.iter().filter_map(|(_, taken)| match taken.at.steps().last() {
            Some(PathStep::Name(name)) => Some(name.as_str()),
            _ => None,
        });
        let missing: Vec<String> = taken.filter(|name| !is_there(name)).map(|name| format!("`{name}`")).collect();
        Ok((!missing.is_empty()).then(|| {
            format!("{} has no {} any more: it is empty in what comes from there", provider.title, missing.join(", "))
        }))
    }

    /// Reads what has changed, page by page.
    async fn changed(&self, reading: &mut Reading<'_>, began: i64) -> Result<(), Stopped> {
        let Some(cursor) = &reading.sync.cursor else { return Ok(()) };
        // With an end to what is shown, each page is a reading of its own behind the one before.
        let narrows = cursor.most_records.is_some();
        let mut pages = 0;
        loop {
            let reached = reading.state.reading_since.clone();
            let since = match reached.as_ref().filter(|_| narrows) {
                Some(reached) => Some(reached.clone()),
                None => begins(reading.sync, cursor, &reading.state, began),
            };
            let mut inputs = Inputs::new();
            inputs.extend(since.clone().map(|since| (cursor.into.to_string(), Value::String(since))));
            let lead = reading.state.page.as_deref().and_then(|page| serde_json::from_str::<Lead>(page).ok());
            let asked =
                Asked { account: &self.account, operation: &reading.sync.read, inputs: &inputs, delivery: None };
            let Page { items, next, .. } = self.caller.read_page(&asked, lead.clone()).await?;
            let newest = self.taken(reading, cursor, &items).await?;
            let reached = latest(reached, newest);
            pages += 1;
            let moved = narrows && reached > since;
            match next {
                None => {
                    let quiet = to_text(began - CLOCKS_MS);
                    let until = reading.state.changed_until.take();
                    reading.state.changed_until =
                        latest(latest(until, reached), Some(quiet)).or_else(|| Some(BEGINNING.to_owned()));
                    (reading.state.reading_since, reading.state.page) = (None, None);
                    return self.note(reading).await;
                }
                Some(_) if moved => (reading.state.reading_since, reading.state.page) = (reached, None),
                Some(next) if lead.as_ref() == Some(&next) => {
                    let message = "its pages lead in a circle".to_owned();
                    return Err(Stopped::Provider(Outcome::Permanent { code: None, message }));
                }
                Some(next) => {
                    reading.state.page = serde_json::to_string(&next).ok();
                    reading.state.reading_since = if narrows { since } else { reached };
                }
            }
            self.note(reading).await?;
            if reading.state.changed_until.is_none() && pages % TOLD_EACH == 0 {
                let (records, reached) = (reading.state.records, reading.state.reading_since.as_deref());
                tracing::info!(task = %self.account.name, sync = %self.plan.name, records, reached, "reading what is at the provider");
            }
            tokio::time::sleep(reading.pause).await;
        }
    }

    /// Marks what is gone there.
    async fn gone(&self, reading: &mut Reading<'_>) -> Result<(), Stopped> {
        let Deletes::Read { operation, key } = &reading.sync.deletes else { return Ok(()) };
        let inputs = Inputs::new();
        let asked = Asked { account: &self.account, operation, inputs: &inputs, delivery: None };
        let mut pages = self.caller.pages(asked);
        while let Some(page) = pages.next().await {
            let keys = page?.items.iter().filter_map(|item| first(item, key).map(as_text)).collect::<Vec<_>>();
            let seen = to_text(now());
            let gone = |key: String| Pulled { key, changed: seen.clone(), fields: None, digest: String::new() };
            self.all(reading, keys.into_iter().map(gone).collect()).await?;
            self.note(reading).await?;
            tokio::time::sleep(reading.pause).await;
        }
        Ok(())
    }

    /// Puts the records of a page where they belong; the last change among them.
    async fn taken(
        &self,
        reading: &mut Reading<'_>,
        cursor: &Cursor,
        items: &[Value],
    ) -> Result<Option<String>, Stopped> {
        // Of one record that stands there twice the later word counts.
        let mut records: BTreeMap<String, Pulled> = BTreeMap::new();
        let mut newest = None;
        for item in items {
            match pulled(reading.sync, cursor, item) {
                Ok(record) => {
                    newest = latest(newest, Some(record.changed.clone()));
                    let is_older = records.get(&record.key).is_some_and(|known| known.changed > record.changed);
                    if !is_older {
                        records.insert(record.key.clone(), record);
                    }
                }
                Err(why) => self.left_out(&mut reading.state, "", &why),
            }
        }
        reading.state.records += i64::try_from(items.len()).unwrap_or_default();
        self.all(reading, records.into_values().collect()).await?;
        Ok(newest)
    }

    async fn all(&self, reading: &mut Reading<'_>, records: Vec<Pulled>) -> Result<(), Stopped> {
        let mut records = records.into_iter();
        let mut under_way = JoinSet::new();
        let begin = |under_way: &mut JoinSet<_>, record: Pulled| {
            let taker = Arc::clone(&self.taker);
            under_way.spawn(async move {
                let first = taker.take(record.clone()).await;
                // What stands in the way may be another record of this page.
                let taken =
                    if matches!(first, Err(NotTaken::Unfit(_))) { taker.take(record.clone()).await } else { first };
                (record.key, taken)
            });
        };
        records.by_ref().take(AT_ONCE).for_each(|record| begin(&mut under_way, record));
        while let Some(ended) = under_way.join_next().await {
            let (key, taken) = ended.map_err(|error| Stopped::Later(error.to_string()))?;
            match taken {
                Ok(()) => {}
                Err(NotTaken::Unfit(why)) => self.left_out(&mut reading.state, &key, &why),
                Err(NotTaken::Later(why)) => return Err(Stopped::Later(why)),
            }
            if let Some(record) = records.next() {
                begin(&mut under_way, record);
            }
        }
        Ok(())
    }

    /// Says which record and why; never what is in it.
    fn left_out(&self, state: &mut SyncState, key: &str, why: &str) {
        tracing::warn!(kind = "integration.data_synchronization", code = LEFT_OUT, task = %self.account.name, sync = %self.plan.name, key, why, "a record was left out");
        state.left_out += 1;
        state.problem = Some(format!("the record `{key}` was left out: {why}").chars().take(MAX_PROBLEM).collect());
        state.problem_code = Some(LEFT_OUT.to_owned());
    }
}

/// Whether it was rung; what rings may have gone.
async fn rung(bell: &mut watch::Receiver<()>) -> bool {
    bell.changed().await.is_ok()
}

/// Where a reading begins; nothing: before everything.
fn begins(sync: &Described, cursor: &Cursor, state: &SyncState, began: i64) -> Option<String> {
    let back = |ms: i64| to_text(ms - i64::from(cursor.overlap_seconds) * 1000);
    match (state.changed_until.as_deref().and_then(from_text), &sync.backfill) {
        (Some(until), _) => Some(back(until)),
        (None, Backfill::Everything) => None,
        (None, Backfill::Days(days)) => Some(to_text(began - i64::from(*days) * 86_400_000)),
        (None, Backfill::Nothing(_)) => Some(back(began)),
    }
}

/// Times that are kept sort as texts.
fn latest(one: Option<String>, other: Option<String>) -> Option<String> {
    one.max(other)
}

/// What is taken of an item, or why it is no record.
fn pulled(sync: &Described, cursor: &Cursor, item: &Value) -> Result<Pulled, String> {
    let key = first(item, &sync.key).map(as_text).filter(|key| !key.is_empty());
    let key = key.ok_or_else(|| format!("it has no `{}`", sync.key))?;
    let changed = first(item, &cursor.at).map(as_text).and_then(|text| moment(&text)).map(to_text);
    let changed = changed.ok_or_else(|| format!("`{}` of `{key}` is no time", cursor.at))?;
    if let Deletes::Flag { at, is } = &sync.deletes
        && first(item, at).map(as_text).as_deref() == Some(is)
    {
        return Ok(Pulled { key, changed, fields: None, digest: String::new() });
    }
    let mut fields = Map::new();
    for (name, taken) in sync.fields.iter() {
        fields.insert(name.to_string(), first(item, &taken.at).map_or(Value::Null, |value| of_kind(value, taken.kind)));
    }
    let digest = digest(&fields, sync);
    Ok(Pulled { key, changed, fields: Some(fields), digest })
}

/// The same in every server.
fn digest(fields: &Map<String, Value>, sync: &Described) -> String {
    let values: Vec<Option<String>> = sync
        .fields
        .iter()
        .map(|(name, _)| fields.get(name.as_str()).filter(|value| !value.is_null()).map(as_text))
        .collect();
    sha256_hex(serde_json::to_string(&values).unwrap_or_default().as_bytes())
}

/// Providers write numbers as texts and say nothing by an empty one; what is of another kind is left for the check that refuses it.
fn of_kind(value: &Value, kind: Kind) -> Value {
    let text = match value {
        Value::String(text) => text.trim(),
        Value::Number(_) | Value::Bool(_) | Value::Null | Value::Array(_) | Value::Object(_) => return value.clone(),
    };
    let number = || text.parse::<i64>().map_or_else(|_| Value::String(text.to_owned()), Value::from);
    match kind {
        _ if text.is_empty() => Value::Null,
        Kind::Integer => number(),
        Kind::Boolean => text.parse::<bool>().map_or_else(|_| Value::String(text.to_owned()), Value::from),
        _ => Value::String(text.to_owned()),
    }
}

/// A word, a sentence, and how long to wait at least, in milliseconds.
fn told(stopped: Stopped, title: &str) -> (String, String, Option<i64>) {
    let ms = |wait: Option<Duration>| wait.and_then(|wait| i64::try_from(wait.as_millis()).ok());
    match stopped {
        Stopped::LeaseLost => ("lease_lost".to_owned(), "somebody else reads".to_owned(), None),
        Stopped::Database(error) => ("database".to_owned(), format!("the database: {error}"), None),
        Stopped::Later(why) => ("database".to_owned(), format!("a record could not be kept now: {why}"), None),
        Stopped::Provider(outcome) => {
            let (word, wait) = match &outcome {
                Outcome::RateLimited { wait, .. } => ("rate_limited", ms(*wait)),
                Outcome::Transient { wait, .. } => ("service_unavailable", ms(*wait)),
                Outcome::UnknownEffect { .. } | Outcome::Done { .. } => ("service_unavailable", None),
                Outcome::Authentication { .. } => ("credentials_refused", Some(60_000)),
                Outcome::Permanent { .. } => ("sync_refused", Some(60_000)),
            };
            let (message, code) = outcome.problem().unwrap_or(("it did not answer as it should", None));
            let code = code.map_or_else(String::new, |code| format!(" ({code})"));
            let problem: String = format!("{title}: {message}{code}").chars().take(MAX_PROBLEM).collect();
            (word.to_owned(), problem, wait)
        }
    }
}

fn now() -> i64 {
    Timestamp::now().as_millisecond()
}
