//! API keys: made, recognised by shape and checksum before anybody asks the database, looked up with a memory of one second.

#![allow(clippy::disallowed_types)] // keys are looked up by hash; their order never shows

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
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
/// Answers that are remembered at once.
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
    /// Makes a key for a user of that name. `now` is kept as the time it was made.
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
}

/// What the database said of a key, and when it was asked.
struct Remembered {
    asked: Instant,
    found: Option<String>,
}

impl ApiKeys {
    pub fn new(store: Store) -> Self {
        Self { store, remembered: Mutex::new(HashMap::new()) }
    }

    /// The id of a good key, `None` for any other text.
    pub async fn find(&self, key: &str) -> Result<Option<String>, StoreError> {
        if !is_well_formed(key) {
            return Ok(None);
        }
        let hash = sha256_hex(key.as_bytes());
        if let Some(known) = self.recall(&hash) {
            return Ok(known);
        }
        let asked = Instant::now();
        let found = self.store.find_api_key(hash.clone()).await?.map(|row| row.id);
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        if remembered.len() >= REMEMBERED {
            remembered.clear();
        }
        remembered.insert(hash, Remembered { asked, found: found.clone() });
        Ok(found)
    }

    fn recall(&self, hash: &str) -> Option<Option<String>> {
        let remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        remembered.get(hash).filter(|known| known.asked.elapsed() < MEMORY).map(|known| known.found.clone())
    }
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

    #[test]
    fn the_unknown_key_of_the_cases_is_well_formed() {
        assert!(is_well_formed(plan::http_case::UNKNOWN_API_KEY));
    }
}
