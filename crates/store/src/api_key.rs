//! A row of `api_keys`.

use crate::Row;
use vocab::Datum;

/// An API key as it is kept: never the key, only its hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKeyRow {
    /// Names the key in logs and limits.
    pub id: String,
    /// Who uses it.
    pub name: String,
    /// Its first characters.
    pub hint: String,
    /// SHA-256 of the key, lower-case hex.
    pub hash: String,
    /// When it was made.
    pub created_at: String,
    /// When it stopped being good.
    pub revoked_at: Option<String>,
    /// From when on it is no longer good.
    pub expires_at: Option<String>,
    /// What it may be used for, with a space between scopes; `None`: everything.
    pub scopes: Option<String>,
    /// When it was used last, within a minute.
    pub last_used_at: Option<String>,
    /// The key that it was made to replace.
    pub replaces: Option<String>,
    /// The first key of its line; `None`: itself.
    pub caller: Option<String>,
}

impl ApiKeyRow {
    /// Whom requests with this key are counted for: the same across rotations.
    #[must_use]
    pub fn caller(&self) -> &str {
        self.caller.as_deref().unwrap_or(&self.id)
    }

    /// A row of texts, in the order of the fields.
    pub(crate) fn read(row: Row) -> Self {
        let mut cells = row.into_iter().map(|datum| match datum {
            Datum::Text(text) => Some(text),
            Datum::Null | Datum::Boolean(_) | Datum::Integer(_) | Datum::Decimal(_) | Datum::Json(_) => None,
        });
        let mut next = || cells.next().flatten();
        Self {
            id: next().unwrap_or_default(),
            name: next().unwrap_or_default(),
            hint: next().unwrap_or_default(),
            hash: next().unwrap_or_default(),
            created_at: next().unwrap_or_default(),
            revoked_at: next(),
            expires_at: next(),
            scopes: next(),
            last_used_at: next(),
            replaces: next(),
            caller: next(),
        }
    }
}
