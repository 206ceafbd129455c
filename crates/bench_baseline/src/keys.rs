//! API keys: found by their SHA-256, remembered for a second so that a revoked key stops working within one.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use crate::database::{Database, Failure};

const REMEMBERED: Duration = Duration::from_secs(1);
/// Only keys that work are remembered, so guessing does not fill this.
const MOST_REMEMBERED: usize = 10_000;

/// The keys in the database, those of the last second at hand.
pub struct Keys {
    database: Arc<Database>,
    recent: Mutex<HashMap<String, (i64, Instant)>>,
}

impl Keys {
    /// The keys of this database.
    pub fn new(database: Arc<Database>) -> Self {
        Self { database, recent: Mutex::default() }
    }

    /// The row of a key that works.
    pub async fn find(&self, key: &str) -> Result<Option<i64>, Failure> {
        let hash = hash(key);
        if let Some(row) = self.recent(&hash) {
            return Ok(Some(row));
        }
        let found = self.database.find_key(hash.clone()).await?;
        if let Some(row) = found {
            self.remember(hash, row);
        }
        Ok(found)
    }

    fn recent(&self, hash: &str) -> Option<i64> {
        let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.get(hash).filter(|(_, since)| since.elapsed() < REMEMBERED).map(|(row, _)| *row)
    }

    fn remember(&self, hash: String, row: i64) {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if recent.len() >= MOST_REMEMBERED {
            recent.retain(|_, (_, since)| since.elapsed() < REMEMBERED);
        }
        recent.insert(hash, (row, Instant::now()));
    }
}

/// SHA-256 in lower-case hex.
pub fn hash(key: &str) -> String {
    hex(&Sha256::digest(key.as_bytes()))
}

/// Bytes in lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut hex, byte| {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
