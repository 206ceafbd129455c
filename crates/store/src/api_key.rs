//! A row of `api_keys`.

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
}
