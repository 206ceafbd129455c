//! Accounts: what an API that signs people in says of it once, for its servers, its documents and its proof.

use crate::query::Write;
use crate::system;
use serde::{Deserialize, Serialize};
use vocab::{ColumnName, TableName};

/// How an API signs people in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accounts {
    /// Who makes its access tokens: their `iss` and `aud`.
    pub issuer: String,
    /// The table of the people.
    pub users: TableName,
}

/// Who calls in the cases of a plan; the seed makes the row.
pub const CASE_USER: &str = "01900000-0000-7000-8000-000000000001";
/// The session in which that user calls.
pub const CASE_SESSION: &str = "01900000-0000-7000-8000-000000000002";
/// Somebody else, who has none of that user's records.
pub const CASE_OTHER: &str = "01900000-0000-7000-8000-000000000003";
/// The session in which somebody else calls.
pub const CASE_OTHER_SESSION: &str = "01900000-0000-7000-8000-000000000004";
/// What the account of that user may do.
pub const CASE_ROLE: &str = "user";

/// How passwords are hashed: Argon2id, version 19, as the OWASP Password Storage Cheat Sheet has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PasswordHash {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes over it.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
    /// Length of the hash in bytes.
    pub length: usize,
    /// Length of the salt in bytes.
    pub salt: usize,
}

/// How passwords are hashed.
pub const HASH: PasswordHash = PasswordHash { memory_kib: 19_456, passes: 2, lanes: 1, length: 32, salt: 16 };
/// How long an access token is good for, in seconds.
pub const ACCESS_LIFETIME: u32 = 900;
/// How long a session lives that nobody refreshes, in seconds: 30 days.
pub const SESSION_LIFETIME: u32 = 2_592_000;
/// How long a refresh token may be sent again after its first use, in seconds: two tabs that refresh at once, a reply that was lost.
pub const REUSE_WINDOW: u32 = 30;
/// The secret that the servers of a database share: it seals the keys that sign, and tells what follows a refresh token.
pub const SECRET: &str = "AUTH_SECRET";
/// Where the public keys are that prove an access token (RFC 7517).
pub const KEYS_PATH: &str = "/.well-known/jwks.json";
/// How long a key signs, in seconds: 90 days.
pub const KEY_SIGNS: u32 = 7_776_000;
/// How long a key is public before it signs, in seconds: as long as anybody may keep the set of public keys.
pub const KEY_SETTLES: u32 = 3_600;

/// Whether sessions may end by the write, or be worth something else: what a server remembers of them is not believed any longer.
#[must_use]
pub fn ends_sessions(write: &Write) -> bool {
    let of_accounts = |table: &TableName| [system::sessions().name, system::accounts().name].contains(table);
    match write {
        Write::Insert { .. } => false,
        Write::Update { table, set, .. } => {
            let ends = |column: &ColumnName| ["revoked_at", "disabled_at", "role"].contains(&column.as_str());
            of_accounts(table) && set.iter().any(|(column, _)| ends(column))
        }
        Write::Delete { table, .. } => of_accounts(table),
        Write::Add(_) => false,
    }
}
