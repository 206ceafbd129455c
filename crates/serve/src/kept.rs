//! Answers that everybody may keep, kept here too: whoever asks the same is answered without the database, until a procedure of this
//! process has written what they tell of, or they are too old.

use crate::answer::Answer;
use crate::metrics::Metrics;
use crate::program::Operation;
use crate::request::header;
use crate::run::Facts;
use http::HeaderMap;
use moka::sync::Cache;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use store::Store;
use vocab::TableName;

/// What all kept answers may take together, in bytes.
const MOST_BYTES: u64 = 32 << 20;
/// The longest answer that is kept, in bytes.
const MOST_OF_ONE: usize = 1 << 20;
/// What an answer takes beside its body and what was asked, about.
const ASIDE: usize = 512;

/// How often a table was written.
pub(crate) type Version = Arc<AtomicU64>;

/// The answers of a server.
pub(crate) struct Answers {
    kept: Cache<(Arc<str>, String), Arc<KeptAnswer>>,
    /// By database.
    tables: Mutex<Vec<(Store, BTreeMap<TableName, Version>)>>,
}

/// What is known of an endpoint whose answers are kept.
pub(crate) struct Keeping {
    /// Its operations before the first that reads.
    pub before: usize,
    lifetime: Duration,
    /// The tables that it tells of.
    tables: Vec<Version>,
    /// Its path.
    path: Arc<str>,
}

struct KeptAnswer {
    answer: Answer,
    made: Instant,
    /// How often each table was written when the endpoint began to read.
    versions: Vec<u64>,
}

/// What an answer is kept under.
pub(crate) struct Asking {
    key: (Arc<str>, String),
    versions: Vec<u64>,
}

impl Default for Answers {
    fn default() -> Self {
        let weight = |(_, asked): &(Arc<str>, String), kept: &Arc<KeptAnswer>| {
            u32::try_from(asked.len() + kept.answer.body.len() + ASIDE).unwrap_or(u32::MAX)
        };
        let kept = Cache::builder().max_capacity(MOST_BYTES).weigher(weight).build();
        Self { kept, tables: Mutex::default() }
    }
}

impl Answers {
    /// The tables of a database, to be told of and to be written.
    pub fn versions<'t>(&self, store: &Store, tables: impl IntoIterator<Item = &'t TableName>) -> Vec<Version> {
        let mut known = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        let at = known.iter().position(|(known, _)| known.is(store)).unwrap_or_else(|| {
            known.push((store.clone(), BTreeMap::new()));
            known.len() - 1
        });
        tables.into_iter().map(|table| Arc::clone(known[at].1.entry(table.clone()).or_default())).collect()
    }

    /// The answer to what is asked, where there is a good one; else what another is kept under.
    pub fn find(
        &self,
        keeping: &Keeping,
        facts: &Facts,
        headers: &HeaderMap,
        metrics: &Metrics,
    ) -> Result<Answer, Asking> {
        let target = facts.uri.path_and_query().map_or("", |target| target.as_str());
        let said = |name| header(headers, name).unwrap_or_default();
        let key = (Arc::clone(&keeping.path), format!("{target}\n{}\n{}", said("accept"), said("prefer")));
        let versions = keeping.tables.iter().map(|version| version.load(Ordering::Acquire)).collect();
        let known = self.kept.get(&key).filter(|known| known.versions == versions);
        let known = known.map(|known| (known.made.elapsed(), known)).filter(|(age, _)| *age < keeping.lifetime);
        metrics.kept(known.is_some());
        match known {
            Some((age, known)) => {
                let mut answer = known.answer.clone();
                answer.headers.push(("age", age.as_secs().to_string()));
                Ok(answer)
            }
            None => Err(Asking { key, versions }),
        }
    }

    /// Keeps a whole answer; others are as if nobody had asked.
    pub fn keep(&self, asking: Asking, answer: &Answer) {
        if answer.status == 200 && answer.rows.is_none() && answer.body.len() <= MOST_OF_ONE {
            let kept = KeptAnswer { answer: answer.clone(), made: Instant::now(), versions: asking.versions };
            self.kept.insert(asking.key, Arc::new(kept));
        }
    }
}

impl Keeping {
    /// How the answers of these operations are kept; none where nothing is read outside of a transaction.
    pub fn of(operations: &[Operation], path: &str, seconds: u32, tables: Vec<Version>) -> Option<Self> {
        let reads = |operation: &Operation| {
            matches!(
                operation,
                Operation::ReadOne { .. }
                    | Operation::ReadPicked { .. }
                    | Operation::ReadMany { .. }
                    | Operation::ReadPage { .. }
            )
        };
        let before = operations.iter().position(reads)?;
        Some(Self { before, lifetime: Duration::from_secs(seconds.into()), tables, path: path.into() })
    }
}

/// The tables were written: what was told of them is no longer so.
pub(crate) fn written(tables: &[Version]) {
    for version in tables {
        version.fetch_add(1, Ordering::AcqRel);
    }
}
