//! Names that only tasks use: text comes in, a checked newtype goes out.

use std::fmt;
use vocab::{InvalidName, TableName};

/// The rule of `vocab` for identifiers, under another kind of name.
fn identifier(text: &str, kind: &'static str) -> Result<(), InvalidName> {
    TableName::parse(text).map(|_| ()).map_err(|error| InvalidName { kind, ..error })
}

/// Longest name of an environment variable or a stored secret.
const MAX_REFERENCE_NAME: usize = 100;
const REFERENCE_RULE: &str = "letters, digits and `_`, not starting with a digit, at most 100";

fn reference(text: &str, kind: &'static str) -> Result<(), InvalidName> {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let is_name = (1..=MAX_REFERENCE_NAME).contains(&text.len())
        && text.bytes().all(is_word)
        && !text.as_bytes()[0].is_ascii_digit();
    if is_name { Ok(()) } else { Err(InvalidName { text: text.to_owned(), kind, rule: REFERENCE_RULE }) }
}

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident, $kind:literal, $check:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
        pub struct $name(String);

        impl $name {
            /// Takes the text over when it is a valid name.
            ///
            /// # Errors
            /// [`InvalidName`] with the rule that was broken.
            pub fn parse(text: &str) -> Result<Self, InvalidName> {
                $check(text, $kind).map(|()| Self(text.to_owned()))
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }
    )*};
}

names! {
    /// A database on its server.
    DatabaseName, "a database name", identifier;
    /// A role: of callers of an API, or of a database.
    RoleName, "a role name", identifier;
    /// A constraint of a table.
    ConstraintName, "a constraint name", identifier;
    /// What a provider calls a credential (`api_key`).
    CredentialName, "a credential name", identifier;
    /// An environment variable.
    VariableName, "a variable name", reference;
    /// A secret of the workspace's secret store.
    SecretName, "a secret's name", reference;
}
