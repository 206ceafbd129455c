//! API keys of the workspace's databases: made, listed, rotated, revoked. What a person typed goes in; what comes out never holds
//! a key, but for the one that was just made.

pub(crate) mod expiry;

use crate::failure::Failure;
use crate::located::Opened;
use crate::run::{now, timestamp};
use crate::workspace::{Workspace, WorkspaceFailure};
use expiry::{WrongExpiry, end_of_overlap, expiry};
use jiff::Timestamp;
use plan::Scope;
use plan::database::ObservedTable;
use plan::procedure::Scheme;
use plan::scope::EVERY_COLLECTION;
use serde::Serialize;
use serve::NewApiKey;
use std::collections::BTreeSet;
use store::{ApiKeyRow, Database, Store, StoreError};
use vocab::{TaskId, sha256_hex};

/// Characters of a key, or of a text that may be one, that may be shown.
const SHOWN: usize = 8;

/// Why a command about keys failed.
#[derive(Debug, thiserror::Error)]
pub enum KeyFailure {
    /// The workspace cannot be used.
    #[error(transparent)]
    Workspace(#[from] WorkspaceFailure),
    /// A database of it cannot be used.
    #[error("{}", .0.with_hint())]
    Database(Box<Failure>),
    /// There is no database yet.
    #[error("this workspace has no database yet: run a task first")]
    NoDatabase,
    /// The database has no place for what keys know today.
    #[error("the database of this workspace is older than this program: run its tasks once more")]
    OldDatabase,
    /// A task was planned when endpoints needed no scopes.
    #[error("the endpoints of task `{0}` know no scopes, for it was run by an older program: run it once more")]
    OldPlan(TaskId),
    /// The name is not one.
    #[error("a key needs a name of 1 to 100 characters")]
    Name,
    /// The expiry is not one.
    #[error(transparent)]
    Expiry(#[from] WrongExpiry),
    /// The overlap is not one.
    #[error("the overlap of two keys is a length of time such as `24h`, `7d` or `30m`, at most ten years, or `0`")]
    Overlap,
    /// No endpoint needs the scope.
    #[error("no endpoint of this workspace needs the scope `{scope}`; there are {known}{meant}")]
    Scope {
        /// The scope.
        scope: String,
        /// Those that there are.
        known: String,
        /// What may have been meant, as a question.
        meant: String,
    },
    /// No endpoint needs any scope.
    #[error("no endpoint of this workspace asks for an API key, so none needs a scope")]
    NoScopes,
    /// The system gives no randomness.
    #[error("the system gives no randomness: {0}")]
    Randomness(String),
    /// No good key has that id.
    #[error("no key that works has the id `{0}`, or begins so; `keys list` has them all")]
    Unknown(String),
    /// Several good keys begin like that.
    #[error("several keys begin with `{hint}`: name one by its id ({ids})")]
    Ambiguous {
        /// What was given.
        hint: String,
        /// The ids of the keys.
        ids: String,
    },
    /// The key was rotated before.
    #[error("key {old} was replaced by {new} already: rotate that one")]
    Replaced {
        /// The key that was to be rotated.
        old: String,
        /// The key in its place.
        new: String,
    },
}

/// A key as lists show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ListedKey {
    /// Names it.
    pub id: String,
    /// Who uses it.
    pub name: String,
    /// Its first characters.
    pub hint: String,
    /// Whether it works.
    pub status: KeyStatus,
    /// What it may be used for; `None`: everything.
    pub scopes: Option<Vec<String>>,
    /// When it was made.
    pub created_at: String,
    /// From when on it is no longer good.
    pub expires_at: Option<String>,
    /// When it was revoked.
    pub revoked_at: Option<String>,
    /// When it was used last, within a minute.
    pub last_used_at: Option<String>,
    /// The key that it was made to replace.
    pub replaces: Option<String>,
    /// The key that was made to replace it.
    pub replaced_by: Option<String>,
}

/// Whether a key works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyStatus {
    /// It works.
    Active,
    /// Its time is over.
    Expired,
    /// Somebody made it useless.
    Revoked,
    /// It works beside the one that replaces it, for a while.
    Rotating,
}

impl KeyStatus {
    /// As one word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::Rotating => "rotating",
        }
    }
}

/// What a rotation came to.
#[derive(Debug)]
pub struct RotatedKey {
    /// The key to use from now on.
    pub new: NewApiKey,
    /// The id of the one that it replaces.
    pub old: String,
    /// Until when that one works as well.
    pub until: String,
}

/// Makes a key and returns it; it is kept nowhere else. Without scopes it may be used for everything.
///
/// # Errors
/// [`KeyFailure`] when there is nothing to keep it in, or what is asked of it makes no sense.
pub fn create_key(
    workspace: &Workspace,
    name: &str,
    expires: Option<&str>,
    scopes: &[String],
) -> Result<NewApiKey, KeyFailure> {
    if !(1..=100).contains(&name.chars().count()) || name.chars().any(char::is_control) {
        return Err(KeyFailure::Name);
    }
    let created = Timestamp::now();
    let expires_at = expires.map(|text| expiry(text, created)).transpose()?.map(timestamp);
    let rings = Keyrings::current(workspace)?;
    let scopes = checked_scopes(workspace, scopes)?;
    let mut new = generate(name, created)?;
    new.row = ApiKeyRow { expires_at, scopes, ..new.row };
    rings.each(|store| store.insert_api_key(&new.row))?;
    Ok(new)
}

/// Makes a key that may do the same as another one, for as long as that one could from its beginning. The other one goes on
/// working until the overlap is over.
///
/// # Errors
/// [`KeyFailure`] when no good key is meant, or it was replaced before.
pub fn rotate_key(workspace: &Workspace, which: &str, overlap: &str) -> Result<RotatedKey, KeyFailure> {
    let created = Timestamp::now();
    let until = end_of_overlap(overlap, created).map(timestamp).map_err(|_| KeyFailure::Overlap)?;
    let rings = Keyrings::current(workspace)?;
    let rows = rings.rows()?;
    let old = named(&rows, which)?;
    match status(old, &rows, created) {
        KeyStatus::Active => {}
        KeyStatus::Rotating => return Err(replaced(old, &rows)),
        KeyStatus::Expired | KeyStatus::Revoked => return Err(KeyFailure::Unknown(shown(which))),
    }
    let unreadable = || KeyFailure::Unknown(old.id.clone());
    let expires_at = match &old.expires_at {
        Some(end) => Some(as_long(&old.created_at, end, created).map(timestamp).ok_or_else(unreadable)?),
        None => None,
    };
    let mut new = generate(&old.name, created)?;
    new.row = ApiKeyRow {
        expires_at,
        scopes: old.scopes.clone(),
        replaces: Some(old.id.clone()),
        caller: Some(old.caller().to_owned()),
        ..new.row
    };
    // A database that came after the key does not know it, and has nothing to replace.
    let done = rings.each(|store| store.replace_api_key(&old.id, &until, &new.row))?;
    if !done.contains(&true) {
        return Err(replaced(old, &rings.rows()?));
    }
    let until = old.expires_at.clone().filter(|end| *end < until).unwrap_or(until);
    Ok(RotatedKey { new, old: old.id.clone(), until })
}

/// All keys, oldest first, without the keys themselves.
///
/// # Errors
/// [`KeyFailure`] when there is no database.
pub fn list_keys(workspace: &Workspace) -> Result<Vec<ListedKey>, KeyFailure> {
    let rows = Keyrings::open(workspace)?.rows()?;
    let now = Timestamp::now();
    let listed = |row: &ApiKeyRow| ListedKey {
        id: row.id.clone(),
        name: row.name.clone(),
        hint: row.hint.clone(),
        status: status(row, &rows, now),
        scopes: row.scopes.as_ref().map(|scopes| scopes.split(' ').map(str::to_owned).collect()),
        created_at: row.created_at.clone(),
        expires_at: row.expires_at.clone(),
        revoked_at: row.revoked_at.clone(),
        last_used_at: row.last_used_at.clone(),
        replaces: row.replaces.clone(),
        replaced_by: newer(row, &rows).map(|newer| newer.id.clone()),
    };
    Ok(rows.iter().map(listed).collect())
}

/// Makes a key useless, within a second everywhere. It is named by its id, its beginning, or itself. Returns its id.
///
/// # Errors
/// [`KeyFailure::Unknown`] when no good key is meant.
pub fn revoke_key(workspace: &Workspace, which: &str) -> Result<String, KeyFailure> {
    let rings = Keyrings::open(workspace)?;
    let rows = rings.rows()?;
    let key = named(&rows, which)?;
    let now = now();
    if rings.each(|store| store.revoke_api_key(&key.id, &now))?.contains(&true) {
        Ok(key.id.clone())
    } else {
        Err(KeyFailure::Unknown(shown(which)))
    }
}

fn generate(name: &str, created: Timestamp) -> Result<NewApiKey, KeyFailure> {
    NewApiKey::generate(name, &timestamp(created)).map_err(|error| KeyFailure::Randomness(error.to_string()))
}

/// The key that was not revoked and has that id or beginning. Whoever found a leaked key may also name it by itself.
fn named<'k>(rows: &'k [ApiKeyRow], which: &str) -> Result<&'k ApiKeyRow, KeyFailure> {
    let hash = sha256_hex(which.as_bytes());
    let good: Vec<&ApiKeyRow> = rows.iter().filter(|row| row.revoked_at.is_none()).collect();
    if let Some(row) = good.iter().find(|row| row.id == which || row.hash == hash) {
        return Ok(row);
    }
    let begun: Vec<&ApiKeyRow> = good.into_iter().filter(|row| row.hint == which).collect();
    match begun.as_slice() {
        [] => Err(KeyFailure::Unknown(shown(which))),
        [row] => Ok(row),
        several => {
            let ids = several.iter().map(|row| row.id.as_str()).collect::<Vec<_>>().join(", ");
            Err(KeyFailure::Ambiguous { hint: which.to_owned(), ids })
        }
    }
}

/// A text that was typed in the place of an id may be a key.
fn shown(which: &str) -> String {
    let is_key = which.starts_with("ipk_") && which.chars().count() > SHOWN;
    if is_key { format!("{}...", which.chars().take(SHOWN).collect::<String>()) } else { which.to_owned() }
}

/// As the servers see it: a time that nobody can read is over.
fn status(row: &ApiKeyRow, rows: &[ApiKeyRow], now: Timestamp) -> KeyStatus {
    let is_good = row.expires_at.as_ref().is_none_or(|end| end.parse::<Timestamp>().is_ok_and(|end| now < end));
    if row.revoked_at.is_some() {
        KeyStatus::Revoked
    } else if !is_good {
        KeyStatus::Expired
    } else if newer(row, rows).is_some() {
        KeyStatus::Rotating
    } else {
        KeyStatus::Active
    }
}

fn newer<'k>(row: &ApiKeyRow, rows: &'k [ApiKeyRow]) -> Option<&'k ApiKeyRow> {
    rows.iter().find(|newer| newer.replaces.as_ref() == Some(&row.id))
}

fn replaced(old: &ApiKeyRow, rows: &[ApiKeyRow]) -> KeyFailure {
    match newer(old, rows) {
        Some(new) => KeyFailure::Replaced { old: old.id.clone(), new: new.id.clone() },
        None => KeyFailure::Unknown(old.id.clone()),
    }
}

/// The end of a time that begins now and is as long as the one that was given.
fn as_long(begin: &str, end: &str, now: Timestamp) -> Option<Timestamp> {
    let length = end.parse::<Timestamp>().ok()?.duration_since(begin.parse().ok()?);
    now.checked_add(length).ok()
}

/// The scopes as a row keeps them, once each endpoint they could be for was looked for.
fn checked_scopes(workspace: &Workspace, asked: &[String]) -> Result<Option<String>, KeyFailure> {
    if asked.is_empty() {
        return Ok(None);
    }
    let known = known_scopes(workspace)?;
    if known.is_empty() {
        return Err(KeyFailure::NoScopes);
    }
    let words: Vec<&str> = known.iter().map(String::as_str).collect();
    if let Some(wrong) = asked.iter().find(|scope| !known.contains(scope)) {
        let meant = spec::closest(wrong, &words).map(|scope| format!("; did you mean `{scope}`?")).unwrap_or_default();
        let known = words.iter().map(|scope| format!("`{scope}`")).collect::<Vec<_>>().join(", ");
        return Err(KeyFailure::Scope { scope: shown(wrong), known, meant });
    }
    let asked: BTreeSet<&str> = asked.iter().map(String::as_str).collect();
    Ok(Some(asked.into_iter().collect::<Vec<_>>().join(" ")))
}

/// Every scope that an endpoint of the workspace needs, sorted, and those for every collection. An endpoint of an older plan
/// would let every key in, so there must be none.
fn known_scopes(workspace: &Workspace) -> Result<Vec<String>, KeyFailure> {
    let mut needed: BTreeSet<Scope> = BTreeSet::new();
    for task_id in workspace.task_ids()? {
        let active = workspace.active_plan(&task_id)?;
        let apis = active.iter().filter_map(|persisted| persisted.plan.api());
        for endpoint in apis.flat_map(|plan| &plan.api.endpoints) {
            match endpoint.authorization() {
                Some((Scheme::ApiKey, Some(scope))) => needed.extend([scope.clone()]),
                Some((Scheme::ApiKey, None)) => return Err(KeyFailure::OldPlan(task_id)),
                Some((
                    Scheme::AccessToken | Scheme::Session | Scheme::SignedIn | Scheme::Basic | Scheme::Issued,
                    _,
                ))
                | None => {}
            }
        }
    }
    let accesses: BTreeSet<_> = needed.iter().map(|scope| scope.access).collect();
    let named = needed.iter().map(ToString::to_string);
    Ok(named.chain(accesses.iter().map(|access| format!("{EVERY_COLLECTION}:{}", access.as_str()))).collect())
}

/// Where the keys of a workspace are: in every database from which one of its APIs is served. A key is made, rotated and revoked in
/// all of them, so that it is good for the whole workspace.
struct Keyrings(Vec<(Database, Store)>);

impl Keyrings {
    fn open(workspace: &Workspace) -> Result<Self, KeyFailure> {
        let mut opened = Opened::default();
        for task_id in workspace.task_ids()? {
            let active = workspace.active_plan(&task_id)?;
            if let Some(plan) = active.as_ref().and_then(|active| active.plan.api()) {
                opened.store(workspace, &plan.database).map_err(KeyFailure::Database)?;
            }
        }
        let rings = opened.into_all();
        if rings.is_empty() { Err(KeyFailure::NoDatabase) } else { Ok(Self(rings)) }
    }

    /// The same, once each has a place for all that a new key knows.
    fn current(workspace: &Workspace) -> Result<Self, KeyFailure> {
        let rings = Self::open(workspace)?;
        let wanted = plan::system::api_keys();
        let is_current = |tables: Vec<ObservedTable>| {
            let found = tables.into_iter().find(|table| table.name == wanted.name.as_str());
            let is_there = |name: &str| found.iter().flat_map(|table| &table.columns).any(|column| column.name == name);
            wanted.columns.iter().all(|column| is_there(column.name.as_str()))
        };
        match rings.each(Store::inspect)?.into_iter().all(is_current) {
            true => Ok(rings),
            false => Err(KeyFailure::OldDatabase),
        }
    }

    /// Has each do something, in an order that is always the same.
    fn each<T>(&self, mut work: impl FnMut(&Store) -> Result<T, StoreError>) -> Result<Vec<T>, KeyFailure> {
        let failed = |database: &Database, error| KeyFailure::Database(Box::new(Failure::database(&error, database)));
        self.0.iter().map(|(database, store)| work(store).map_err(|error| failed(database, error))).collect()
    }

    /// All keys, oldest first. One that several databases know is there once, with its last use.
    fn rows(&self) -> Result<Vec<ApiKeyRow>, KeyFailure> {
        let mut rows: Vec<ApiKeyRow> = Vec::new();
        for row in self.each(Store::api_keys)?.into_iter().flatten() {
            match rows.iter_mut().find(|known| known.id == row.id) {
                Some(known) => known.last_used_at = known.last_used_at.take().max(row.last_used_at),
                None => rows.push(row),
            }
        }
        rows.sort_by(|left, right| left.id.cmp(&right.id));
        Ok(rows)
    }
}
