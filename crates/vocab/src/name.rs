//! Names: text in, a checked newtype out. A name that exists is a valid one, so nothing downstream checks again.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The longest identifier every engine accepts whole: PostgreSQL cuts at 63 bytes.
pub const MAX_IDENTIFIER_LENGTH: usize = 63;

/// Why a text is not a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {kind}: {rule}")]
pub struct InvalidName {
    /// The text that was refused.
    pub text: String,
    /// What it should have been, with its article (`a table name`).
    pub kind: &'static str,
    /// The rule it broke.
    pub rule: &'static str,
}

const IDENTIFIER_RULE: &str = "lower-case letters, digits and `_`, starting with a letter, at most 63";
const SCOPE_TOKEN_RULE: &str = "visible ASCII characters but `\"` and `\\`, at most 200";
const TASK_ID_RULE: &str = "letters, digits, `_` and `-`, at most 100";

fn is_identifier(text: &str) -> bool {
    let starts_with_letter = text.as_bytes().first().is_some_and(u8::is_ascii_lowercase);
    starts_with_letter
        && text.len() <= MAX_IDENTIFIER_LENGTH
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

fn is_task_id(text: &str) -> bool {
    (1..=100).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

fn is_scope_token(text: &str) -> bool {
    (1..=200).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\')
}

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident, $kind:literal, $check:ident, $rule:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Takes the text over when it is a valid name.
            ///
            /// # Errors
            /// [`InvalidName`] with the rule that was broken.
            pub fn parse(text: &str) -> Result<Self, InvalidName> {
                if $check(text) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(InvalidName { text: text.to_owned(), kind: $kind, rule: $rule })
                }
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidName;
            fn try_from(text: String) -> Result<Self, InvalidName> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
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
    /// A table of a relational database or a collection of a document database.
    TableName, "a table name", is_identifier, IDENTIFIER_RULE;
    /// A column of a table.
    ColumnName, "a column name", is_identifier, IDENTIFIER_RULE;
    /// An index of a table.
    IndexName, "an index name", is_identifier, IDENTIFIER_RULE;
    /// A constraint of a table.
    ConstraintName, "a constraint name", is_identifier, IDENTIFIER_RULE;
    /// A role of a database server.
    RoleName, "a role name", is_identifier, IDENTIFIER_RULE;
    /// A field of a request, a response or an event.
    FieldName, "a field name", is_identifier, IDENTIFIER_RULE;
    /// A kind of thing the catalogue knows (`contact_message`).
    EntityName, "an entity name", is_identifier, IDENTIFIER_RULE;
    /// Something that happened (`contact_form`).
    EventName, "an event name", is_identifier, IDENTIFIER_RULE;
    /// A binding inside a procedure.
    SlotName, "a slot name", is_identifier, IDENTIFIER_RULE;
    /// A procedure of a plan.
    ProcedureName, "a procedure name", is_identifier, IDENTIFIER_RULE;
    /// A rate limit policy.
    PolicyName, "a policy name", is_identifier, IDENTIFIER_RULE;
    /// What an endpoint does (`form_submission`).
    BehaviorName, "a behavior name", is_identifier, IDENTIFIER_RULE;
    /// A provider's folder name in the catalogue.
    ProviderName, "a provider name", is_identifier, IDENTIFIER_RULE;
    /// A scope of an access token (RFC 6749, 3.3).
    ScopeToken, "a scope", is_scope_token, SCOPE_TOKEN_RULE;
    /// A task, unique in its workspace.
    TaskId, "a task id", is_task_id, TASK_ID_RULE;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_lower_case_and_start_with_a_letter() {
        for good in ["a", "contact_messages", "line_2"] {
            assert!(TableName::parse(good).is_ok(), "{good}");
        }
        let too_long = "a".repeat(MAX_IDENTIFIER_LENGTH + 1);
        for bad in ["", "2a", "_a", "Users", "a-b", "a b", "größe", &too_long] {
            assert!(TableName::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_task_id_cannot_leave_its_folder() {
        assert!(TaskId::parse("integration_2025_001").is_ok());
        for bad in ["", "..", "a/b", "a.b"] {
            assert!(TaskId::parse(bad).is_err(), "{bad}");
        }
    }
}
