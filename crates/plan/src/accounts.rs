//! Accounts: what an API that signs people in says of it once, for its servers, its documents and its proof.

use crate::api::ApiPlan;
use crate::database::permission::Owned;
use crate::query::Write;
use crate::system;
use serde::{Deserialize, Serialize};
use vocab::{ColumnName, RoleName, TableName};

/// How an API signs people in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accounts {
    /// Who makes its access tokens: their `iss` and `aud`.
    pub issuer: String,
    /// The table of the people.
    pub users: TableName,
    /// The tables that endpoints with [`crate::api::Endpoint::own_rows`] work on, and those by which it is told whose their rows are.
    #[serde(default, skip_serializing_if = "Owned::is_empty")]
    pub owned: Owned,
    /// What becomes of those whom another issuer proves; none where no endpoint takes its tokens for a user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newcomers: Option<Newcomers>,
}

/// What becomes of somebody whom another issuer proves and nobody knows here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Newcomers {
    /// They get a user: it needs no more than an address.
    Made,
    /// They get a user with the name that the token says.
    MadeWithName,
    /// They are refused: a user needs more than a token says. Whose proved address a user has is that user.
    Refused,
}

impl Newcomers {
    /// The columns that are filled of their user; none where they are refused.
    ///
    /// # Panics
    /// Never: the names are literals.
    #[must_use]
    pub fn columns(self) -> Vec<ColumnName> {
        let (own, name) = (USER_OF_NEWCOMER, NAME_OF_NEWCOMER);
        let names: Vec<&str> = match self {
            Self::Made => own.into(),
            Self::MadeWithName => own.into_iter().chain([name]).collect(),
            Self::Refused => Vec::new(),
        };
        names.into_iter().map(|name| ColumnName::parse(name).expect("a literal that is a name")).collect()
    }
}

/// A page to which the link of a mail leads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountPage {
    /// What is done there.
    pub does: AccountTask,
    /// The path of the endpoint that does it.
    pub calls: String,
}

/// What is done with a token that was mailed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountTask {
    /// An address is proved.
    Verify,
    /// Another password is set.
    ResetPassword,
    /// Another address takes its place.
    ConfirmEmail,
    /// Somebody who was invited makes an account.
    AcceptInvitation,
    /// A subscription to the newsletter is confirmed.
    ConfirmSubscription,
    /// It ends.
    EndSubscription,
}

impl AccountPage {
    /// Where the page is: where a mail program may end a subscription by itself, people who go there find the page that does it.
    #[must_use]
    pub fn path(&self) -> &str {
        match self.does {
            AccountTask::Verify => "/account/verify",
            AccountTask::ResetPassword => "/account/reset-password",
            AccountTask::ConfirmEmail => "/account/confirm-email",
            AccountTask::AcceptInvitation => "/account/accept-invitation",
            AccountTask::ConfirmSubscription => "/newsletter/confirm",
            AccountTask::EndSubscription => &self.calls,
        }
    }
}

impl AccountTask {
    /// The word that the page knows it by.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Verify => "verify",
            Self::ResetPassword => "reset_password",
            Self::ConfirmEmail => "confirm_email",
            Self::AcceptInvitation => "accept_invitation",
            Self::ConfirmSubscription => "confirm_subscription",
            Self::EndSubscription => "end_subscription",
        }
    }
}

/// Who calls in the cases of a plan; the seed makes the row.
pub const CASE_USER: &str = "01900000-0000-7000-8000-000000000001";
/// The session in which that user calls.
pub const CASE_SESSION: &str = "01900000-0000-7000-8000-000000000002";
/// Somebody else, who has none of that user's records.
pub const CASE_OTHER: &str = "01900000-0000-7000-8000-000000000003";
/// The session in which somebody else calls.
pub const CASE_OTHER_SESSION: &str = "01900000-0000-7000-8000-000000000004";
/// Who issues the tokens of [`crate::procedure::Scheme::Issued`] in the cases of a plan. Nobody is ever asked there.
pub const CASE_ISSUER: &str = "https://issuer.invalid";
/// For whom it does.
pub const CASE_AUDIENCE: &str = "https://api.invalid";
/// What the account of that user may do.
pub const CASE_ROLE: &str = "user";

/// Who calls in the cases of a plan in a role that its endpoints ask for; the seed makes the rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseCaller {
    /// The role.
    pub role: RoleName,
    /// The user.
    pub user: String,
    /// Its session.
    pub session: String,
}

/// What the cookie of such a session holds in the cases of a plan.
#[must_use]
pub fn case_session_token(session: &str) -> String {
    format!("session-of-the-cases-{session}")
}

/// One caller for each role that endpoints of the API ask for.
#[must_use]
pub fn case_callers(api: &ApiPlan) -> Vec<CaseCaller> {
    let caller = |(number, role): (usize, &RoleName)| {
        let id = |last: usize| format!("01900000-0000-7000-8000-{last:012}");
        CaseCaller { role: role.clone(), user: id(100 + 2 * number), session: id(101 + 2 * number) }
    };
    api.roles().into_iter().enumerate().map(caller).collect()
}

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

/// What is said of the user who is made for somebody whom an issuer proves.
pub const USER_OF_NEWCOMER: [&str; 5] = ["id", "email", "created_at", "updated_at", "row_version"];
/// What may be said besides.
pub const NAME_OF_NEWCOMER: &str = "name";
/// Longest name that is taken from a token, in characters; the rest is cut off.
pub const NAME_MAX: u32 = 100;

/// What somebody whom an issuer proves is known by: SHA-256, lower-case hex.
#[must_use]
pub fn identity_hash(issuer: &str, subject: &str) -> String {
    vocab::sha256_hex(format!("{issuer}\n{subject}").as_bytes())
}

/// How passwords are hashed.
pub const HASH: PasswordHash = PasswordHash { memory_kib: 19_456, passes: 2, lanes: 1, length: 32, salt: 16 };
/// How long an access token is good for, in seconds.
pub const ACCESS_LIFETIME: u32 = 900;
/// How long a session lives that nobody refreshes, in seconds: 30 days.
pub const SESSION_LIFETIME: u32 = 2_592_000;
/// The policy under which failed attempts count for the address that was tried.
pub const FAILED_LOGINS: &str = "failed_logins";
/// What stands for the session of a caller who has none.
pub const NO_SESSION: &str = "00000000-0000-0000-0000-000000000000";
/// The cookie of a session. Browsers take it of its own host alone, for every path, over TLS.
pub const SESSION_COOKIE: &str = "__Host-session";
/// The same on this machine itself without TLS, where some browsers take no cookie of that kind.
pub const LOOPBACK_SESSION_COOKIE: &str = "session";
/// How long a refresh token may be sent again after its first use, in seconds: two tabs that refresh at once, a reply that was lost.
pub const REUSE_WINDOW: u32 = 30;
/// The secret that the servers of a database share: it seals the keys that sign, and tells what follows a refresh token.
pub const SECRET: &str = "AUTH_SECRET";
/// The setting that names who issues the tokens of [`crate::procedure::Scheme::Issued`].
pub const ISSUER: &str = "OAUTH_ISSUER";
/// The setting that names for whom those tokens must have been issued.
pub const AUDIENCE: &str = "OAUTH_AUDIENCE";
/// Where it is said who issues them (RFC 9728).
pub const RESOURCE_PATH: &str = "/.well-known/oauth-protected-resource";
/// The domain of addresses that nobody has (RFC 2606).
pub const NOWHERE: &str = "account.invalid";
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
