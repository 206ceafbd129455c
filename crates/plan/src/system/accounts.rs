//! The tables of people who sign in: what proves them, their sessions, the tokens that keep a session alive, the keys that sign.

use super::{column_name, index, indexed, optional, required, table_name};
use crate::database::{Column, ForeignKey, Nullability, OnDelete, Rules, Sensitivity, Table};
use vocab::{ConstraintName, FieldType};

/// What makes a row of `users` an account.
///
/// # Panics
/// Never: the names are literals and a test builds the table.
#[must_use]
pub fn accounts() -> Table {
    Table {
        name: table_name("auth_accounts"),
        comment: "what makes a user an account; passwords only by their hash".to_owned(),
        columns: vec![
            required("user_id", FieldType::Uuid, Sensitivity::Plain, "the user"),
            Column {
                nullability: Nullability::Nullable,
                ..required("password_hash", FieldType::Line { max: 255 }, Sensitivity::Secret, "Argon2id, PHC string")
            },
            required("role", FieldType::Line { max: 63 }, Sensitivity::Plain, "what the account may do: user, admin"),
            optional("email_verified_at", FieldType::Timestamp, "when the address was proved"),
            optional("disabled_at", FieldType::Timestamp, "from when on it may not be used"),
            optional("password_changed_at", FieldType::Timestamp, "when the password was set"),
            required("created_at", FieldType::Timestamp, Sensitivity::Plain, "when it was made"),
        ],
        primary_key: vec![column_name("user_id")],
        unique: Vec::new(),
        rules: leading("auth_accounts", "user_id", "users", "id", "an account is nothing without its user"),
    }
}

/// Sessions: each login begins one.
///
/// # Panics
/// Never: the names are literals and a test builds the table.
#[must_use]
pub fn sessions() -> Table {
    let rules =
        leading("auth_sessions", "user_id", "auth_accounts", "user_id", "a session is nothing without its account");
    Table {
        name: table_name("auth_sessions"),
        comment: "sessions: each login begins one; access tokens are good while theirs lives".to_owned(),
        columns: vec![
            required("id", FieldType::Uuid, Sensitivity::Plain, "sorts by time"),
            required("user_id", FieldType::Uuid, Sensitivity::Plain, "whose"),
            required("created_at", FieldType::Timestamp, Sensitivity::Plain, "when it began"),
            required("refreshed_at", FieldType::Timestamp, Sensitivity::Plain, "when it was refreshed last"),
            required("expires_at", FieldType::Timestamp, Sensitivity::Plain, "when it ends if nobody refreshes it"),
            optional("revoked_at", FieldType::Timestamp, "when it was ended"),
            Column {
                nullability: Nullability::Nullable,
                ..required("revoked_because", FieldType::Line { max: 30 }, Sensitivity::Plain, "why it was ended")
            },
            Column {
                nullability: Nullability::Nullable,
                ..required("address", FieldType::Line { max: 45 }, Sensitivity::Personal, "where it began")
            },
            Column {
                nullability: Nullability::Nullable,
                ..required(
                    "token_hash",
                    FieldType::Line { max: 64 },
                    Sensitivity::Secret,
                    "SHA-256 of the token in its cookie, lower-case hex",
                )
            },
        ],
        primary_key: vec![column_name("id")],
        unique: Vec::new(),
        rules: Rules {
            indexes: vec![
                index("auth_sessions", &["user_id", "id"], "the sessions of a user"),
                index("auth_sessions", &["token_hash"], "the session of a cookie"),
                index("auth_sessions", &["expires_at"], "those that are over"),
            ],
            ..rules
        },
    }
}

/// Refresh tokens: each is good once.
///
/// # Panics
/// Never: the names are literals and a test builds the table.
#[must_use]
pub fn refresh_tokens() -> Table {
    let why = "a token is nothing without its session";
    Table {
        name: table_name("auth_refresh_tokens"),
        comment: "refresh tokens by their hash, each good once; used ones are kept so that a copy is known".to_owned(),
        columns: vec![
            required("hash", FieldType::Line { max: 64 }, Sensitivity::Secret, "SHA-256, lower-case hex"),
            required("session_id", FieldType::Uuid, Sensitivity::Plain, "the session that it keeps alive"),
            required("created_at", FieldType::Timestamp, Sensitivity::Plain, "when it was made"),
            optional("used_at", FieldType::Timestamp, "when it was used first"),
            optional("reusable_until", FieldType::Timestamp, "until when its use may be repeated"),
        ],
        primary_key: vec![column_name("hash")],
        unique: Vec::new(),
        rules: Rules {
            indexes: vec![
                index("auth_refresh_tokens", &["session_id"], "the tokens of a session"),
                index("auth_refresh_tokens", &["used_at"], "those that were used long ago"),
            ],
            ..leading("auth_refresh_tokens", "session_id", "auth_sessions", "id", why)
        },
    }
}

/// Tokens that were mailed: each proves once that its bearer reads the mail of an address.
///
/// # Panics
/// Never: the names are literals and a test builds the table.
#[must_use]
pub fn mailed_tokens() -> Table {
    let nullable = |column: Column| Column { nullability: Nullability::Nullable, ..column };
    let role =
        required("role", FieldType::Line { max: 63 }, Sensitivity::Plain, "what an invitation makes of its guest");
    Table {
        name: table_name("auth_mailed_tokens"),
        comment:
            "tokens that were mailed, by their hash: each proves once that its bearer reads the mail of an address"
                .to_owned(),
        columns: vec![
            required("id", FieldType::Uuid, Sensitivity::Plain, "what the token is made of, with the servers' secret"),
            required("hash", FieldType::Line { max: 64 }, Sensitivity::Secret, "SHA-256, lower-case hex"),
            required("purpose", FieldType::Line { max: 30 }, Sensitivity::Plain, "what it may be used for"),
            nullable(required("user_id", FieldType::Uuid, Sensitivity::Plain, "whose; null: a guest's")),
            required("email", FieldType::Email, Sensitivity::Personal, "where it was mailed to"),
            nullable(role),
            required("created_at", FieldType::Timestamp, Sensitivity::Plain, "when it was made"),
            required("expires_at", FieldType::Timestamp, Sensitivity::Plain, "from when on it is good for nothing"),
            optional("used_at", FieldType::Timestamp, "when it was used"),
        ],
        primary_key: vec![column_name("id")],
        unique: vec![vec![column_name("hash")]],
        rules: Rules {
            indexes: vec![
                index("auth_mailed_tokens", &["user_id", "purpose"], "the tokens of a user"),
                index("auth_mailed_tokens", &["email"], "those of an address"),
                index("auth_mailed_tokens", &["expires_at"], "those that are over"),
            ],
            ..leading("auth_mailed_tokens", "user_id", "users", "id", "a token is nothing without its user")
        },
    }
}

/// The keys that sign access tokens.
///
/// # Panics
/// Never: the names are literals and a test builds the table.
#[must_use]
pub fn signing_keys() -> Table {
    Table {
        name: table_name("auth_signing_keys"),
        comment: "keys that sign access tokens; the private half is sealed".to_owned(),
        columns: vec![
            required("id", FieldType::Uuid, Sensitivity::Plain, "the `kid` of its tokens; sorts by time"),
            required("algorithm", FieldType::Line { max: 20 }, Sensitivity::Plain, "as in JOSE: EdDSA"),
            required("public_key", FieldType::Line { max: 100 }, Sensitivity::Plain, "base64url"),
            required(
                "private_key",
                FieldType::Line { max: 255 },
                Sensitivity::Secret,
                "AES-256-GCM under the servers' secret: nonce and text, base64url",
            ),
            required("created_at", FieldType::Timestamp, Sensitivity::Plain, "when it was made public"),
            required("signs_from", FieldType::Timestamp, Sensitivity::Plain, "from when on it signs"),
            required("signs_until", FieldType::Timestamp, Sensitivity::Plain, "until when"),
        ],
        primary_key: vec![column_name("id")],
        unique: Vec::new(),
        rules: indexed(Vec::new()),
    }
}

/// Who is a user here by the tokens of another issuer.
///
/// # Panics
/// Never: the names are literals and a test builds the table.
#[must_use]
pub fn identities() -> Table {
    let longest = FieldType::Line { max: 255 };
    Table {
        name: table_name("auth_identities"),
        comment: "who is a user here by the tokens of another issuer".to_owned(),
        columns: vec![
            required(
                "hash",
                FieldType::Line { max: 64 },
                Sensitivity::Plain,
                "SHA-256 of issuer and subject, lower-case hex",
            ),
            required("issuer", longest.clone(), Sensitivity::Plain, "`iss` of the tokens"),
            required("subject", longest, Sensitivity::Personal, "`sub` of the tokens"),
            required("user_id", FieldType::Uuid, Sensitivity::Plain, "the user"),
            required("created_at", FieldType::Timestamp, Sensitivity::Plain, "when the first token came"),
        ],
        primary_key: vec![column_name("hash")],
        unique: Vec::new(),
        rules: Rules {
            indexes: vec![index("auth_identities", &["user_id"], "by what a user is known")],
            ..leading("auth_identities", "user_id", "users", "id", "an identity is nothing without its user")
        },
    }
}

/// Those of every API with accounts, in the order in which their keys lead to each other.
#[must_use]
pub fn of_accounts() -> [Table; 5] {
    [accounts(), sessions(), refresh_tokens(), mailed_tokens(), signing_keys()]
}

pub(super) fn leading(table: &str, column: &str, to: &str, target: &str, why: &str) -> Rules {
    let key = ForeignKey {
        name: ConstraintName::parse(&format!("{table}_{column}_fkey")).expect("a literal that is a name"),
        columns: vec![column_name(column)],
        table: table_name(to),
        target: vec![column_name(target)],
        on_delete: OnDelete::Cascade,
        why: why.to_owned(),
    };
    Rules { foreign_keys: vec![key], ..Rules::default() }
}
