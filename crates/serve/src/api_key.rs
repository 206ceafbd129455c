//! API keys: made, recognised by shape and checksum before anybody asks the database, looked up with a memory of one second.
//! A request never waits for a write: when keys were used is noted in memory and written every now and then.

#![allow(clippy::disallowed_types)] // keys are looked up by hash; their order never shows

use crate::run::timestamp;
use jiff::Timestamp;
use plan::Scope;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use store::{ApiKeyRow, Store, StoreError};
use vocab::{Secret, sha256_hex};

/// Recognisable for people and for scanners that look for leaked secrets.
const PREFIX: &str = "ipk_";
/// Characters of randomness: 142 bits.
const RANDOM_LENGTH: usize = 24;
/// Characters of checksum.
const CHECKSUM_LENGTH: usize = 6;
/// Characters that lists show.
const HINT_LENGTH: usize = 8;
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// How long an answer of the database is believed: a revoked key works no longer than that.
const MEMORY: Duration = Duration::from_secs(1);
/// Answers, and uses not yet written, that are remembered at once.
const REMEMBERED: usize = 10_000;

/// A new key: what its owner gets, and what is kept.
#[derive(Debug)]
pub struct NewApiKey {
    /// The key, shown once.
    pub key: Secret<String>,
    /// The row without it.
    pub row: ApiKeyRow,
}

impl NewApiKey {
    /// Makes a key for a user of that name, good for everything and for ever until its row says otherwise. `now` is kept as the
    /// time it was made.
    ///
    /// # Errors
    /// When the operating system gives no randomness.
    pub fn generate(name: &str, now: &str) -> Result<Self, getrandom::Error> {
        let mut key = PREFIX.to_owned();
        while key.len() < PREFIX.len() + RANDOM_LENGTH {
            let mut bytes = [0; 32];
            getrandom::fill(&mut bytes)?;
            // 248 is the largest multiple of 62 in a byte: taking the rest away keeps every character as likely.
            let fair = bytes.iter().filter(|byte| **byte < 248);
            let missing = PREFIX.len() + RANDOM_LENGTH - key.len();
            key.extend(fair.take(missing).map(|byte| char::from(ALPHABET[usize::from(*byte) % 62])));
        }
        key.push_str(&checksum(&key));
        let row = ApiKeyRow {
            id: uuid::Uuid::now_v7().to_string(),
            name: name.to_owned(),
            hint: key[..HINT_LENGTH].to_owned(),
            hash: sha256_hex(key.as_bytes()),
            created_at: now.to_owned(),
            revoked_at: None,
            expires_at: None,
            scopes: None,
            last_used_at: None,
            replaces: None,
            caller: None,
        };
        Ok(Self { key: Secret::new(key), row })
    }
}

fn checksum(text: &str) -> String {
    let mut number = crc32fast::hash(text.as_bytes());
    let mut digits = [b'0'; CHECKSUM_LENGTH];
    for digit in digits.iter_mut().rev() {
        *digit = ALPHABET[(number % 62) as usize];
        number /= 62;
    }
    digits.iter().map(|digit| char::from(*digit)).collect()
}

fn is_well_formed(key: &str) -> bool {
    let length = PREFIX.len() + RANDOM_LENGTH;
    key.len() == length + CHECKSUM_LENGTH
        && key.starts_with(PREFIX)
        && key.bytes().all(|byte| byte == b'_' || byte.is_ascii_alphanumeric())
        && key[length..] == checksum(&key[..length])
}

/// The keys of one database.
pub(crate) struct ApiKeys {
    store: Store,
    remembered: Mutex<HashMap<String, Remembered>>,
    /// When keys were used since that was written last, by id.
    uses: Mutex<HashMap<String, String>>,
}

/// What the database said of a key, and when it was asked.
struct Remembered {
    asked: Instant,
    found: Option<Arc<Known>>,
}

/// A key that was not revoked.
pub(crate) struct Known {
    id: String,
    /// Whom its requests are counted for: rotating a key gives nobody a second quota.
    pub principal: String,
    expires_at: Option<Timestamp>,
    scopes: Option<String>,
}

impl Known {
    fn of(row: ApiKeyRow) -> Self {
        // A time that nobody can read is none that a key could be trusted until.
        let time = |text: &String| text.parse().unwrap_or(Timestamp::MIN);
        Self {
            principal: format!("key:{}", row.caller()),
            expires_at: row.expires_at.as_ref().map(time),
            id: row.id,
            scopes: row.scopes,
        }
    }

    /// Whether it may be used for what needs the scope.
    pub fn may(&self, scope: &Scope) -> bool {
        self.scopes.as_ref().is_none_or(|scopes| scope.is_within(scopes))
    }
}

impl ApiKeys {
    pub fn new(store: Store) -> Self {
        Self { store, remembered: Mutex::default(), uses: Mutex::default() }
    }

    /// Whether these are the keys of that database.
    pub fn are_of(&self, store: &Store) -> bool {
        self.store.is(store)
    }

    /// The key, if it is a good one at that time, `None` for any other text.
    pub async fn find(&self, key: &str, now: Timestamp) -> Result<Option<Arc<Known>>, StoreError> {
        if !is_well_formed(key) {
            return Ok(None);
        }
        let hash = sha256_hex(key.as_bytes());
        let found = match self.recall(&hash) {
            Some(found) => found,
            None => self.look_up(hash, now).await?,
        };
        Ok(found.filter(|known| known.expires_at.is_none_or(|end| now < end)))
    }

    fn recall(&self, hash: &str) -> Option<Option<Arc<Known>>> {
        let remembered = locked(&self.remembered);
        remembered.get(hash).filter(|known| known.asked.elapsed() < MEMORY).map(|known| known.found.clone())
    }

    /// Every key in use is looked up once a second, and only then its use is noted: requests that the memory answers cost nothing.
    async fn look_up(&self, hash: String, now: Timestamp) -> Result<Option<Arc<Known>>, StoreError> {
        let asked = Instant::now();
        let found = self.store.find_api_key(hash.clone()).await?.map(|row| Arc::new(Known::of(row)));
        let mut remembered = locked(&self.remembered);
        if remembered.len() >= REMEMBERED {
            remembered.clear();
        }
        remembered.insert(hash, Remembered { asked, found: found.clone() });
        drop(remembered);
        if let Some(known) = found.as_ref().filter(|known| known.expires_at.is_none_or(|end| now < end)) {
            self.note(&known.id, timestamp(now));
        }
        Ok(found)
    }

    fn note(&self, id: &str, at: String) {
        let mut uses = locked(&self.uses);
        if uses.len() < REMEMBERED || uses.contains_key(id) {
            uses.insert(id.to_owned(), at);
        }
    }

    /// Writes when keys were used since the last time, in one transaction; what cannot be written now is kept for the next time.
    pub async fn write_uses(&self) {
        let uses: Vec<(String, String)> = locked(&self.uses).drain().collect();
        if uses.is_empty() {
            return;
        }
        if let Err(error) = self.store.note_api_key_uses(uses.clone()).await {
            tracing::warn!(error = %error, keys = uses.len(), "when keys were used last was not written");
            let mut newer = locked(&self.uses);
            for (id, at) in uses {
                newer.entry(id).or_insert(at);
            }
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_key_is_well_formed_and_a_typing_error_is_seen() {
        let new = NewApiKey::generate("website", "now").unwrap();
        let key = new.key.expose();
        assert!(is_well_formed(key));
        assert_eq!(new.row.hint, key[..8]);
        assert_eq!(new.row.hash.len(), 64);
        let mut wrong = key.clone().into_bytes();
        wrong[10] = if wrong[10] == b'a' { b'b' } else { b'a' };
        assert!(!is_well_formed(std::str::from_utf8(&wrong).unwrap()));
        for bad in ["", "ipk_", "wrong", "ipk_00000000000000000000000éabcd"] {
            assert!(!is_well_formed(bad), "{bad}");
        }
    }

    fn store() -> Store {
        let store = Store::open(&store::Location::Memory).unwrap();
        let statements = vec![dialect::create_table(vocab::Engine::Sqlite, &plan::system::api_keys())];
        store.migrate("task", &[plan::Migration { name: "0001_initial".into(), statements }], "now").unwrap();
        store
    }

    fn add(store: &Store, change: impl Fn(&mut ApiKeyRow)) -> NewApiKey {
        let mut new = NewApiKey::generate("website", "2026-01-01T00:00:00.000Z").unwrap();
        change(&mut new.row);
        store.insert_api_key(&new.row).unwrap();
        new
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[tokio::test]
    async fn expiry_is_exact_while_a_key_is_remembered() {
        let store = store();
        let new = add(&store, |row| row.expires_at = Some("2026-01-02T03:04:05.678Z".into()));
        let unreadable = add(&store, |row| row.expires_at = Some("soon".into()));
        let keys = ApiKeys::new(store);
        let key = new.key.expose();
        for (now, is_good) in [
            ("2026-01-02T03:04:05.677Z", true),
            ("2026-01-02T03:04:05.678Z", false),
            ("2026-01-02T03:04:05.677Z", true),
        ] {
            assert_eq!(keys.find(key, at(now)).await.unwrap().is_some(), is_good, "{now}");
        }
        assert!(keys.find(unreadable.key.expose(), at("2026-01-01T00:00:00Z")).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn a_key_and_its_successor_are_one_caller() {
        let store = store();
        let old = add(&store, |_| {});
        let new = add(&store, |row| {
            row.caller = Some(old.row.id.clone());
            row.scopes = Some("products:read".into());
        });
        let keys = ApiKeys::new(store);
        let now = at("2026-01-02T00:00:00Z");
        let (old, new) =
            (keys.find(old.key.expose(), now).await.unwrap(), keys.find(new.key.expose(), now).await.unwrap());
        let (old, new) = (old.unwrap(), new.unwrap());
        assert_eq!(old.principal, new.principal);
        let scope = Scope { collection: vocab::TableName::parse("products").unwrap(), access: plan::Access::Write };
        assert_eq!((old.may(&scope), new.may(&scope)), (true, false));
    }

    #[tokio::test]
    async fn uses_are_noted_with_look_ups_and_written_together() {
        let store = store();
        let new = add(&store, |_| {});
        let over = add(&store, |row| row.expires_at = Some("2026-01-01T00:00:00.001Z".into()));
        let keys = ApiKeys::new(store.clone());
        let used = || store.api_keys().unwrap().into_iter().map(|row| row.last_used_at).collect::<Vec<_>>();
        for now in ["2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z"] {
            keys.find(new.key.expose(), at(now)).await.unwrap();
            keys.find(over.key.expose(), at(now)).await.unwrap();
        }
        assert_eq!(used(), [None, None]);
        keys.write_uses().await;
        // The second time the memory answered, within the same second of the clock that never runs back.
        assert_eq!(used(), [Some("2026-01-02T00:00:00.000Z".to_owned()), None]);
        assert!(locked(&keys.uses).is_empty());
    }

    #[test]
    fn the_unknown_key_of_the_cases_is_well_formed() {
        assert!(is_well_formed(plan::http_case::UNKNOWN_API_KEY));
    }
}
