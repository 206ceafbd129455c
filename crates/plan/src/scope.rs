//! Scopes: what an endpoint needs of a key, and what a key was given. The planner decides the first, whoever makes the key the
//! other; both servers compare them in the same way.

use crate::procedure::{Item, StepPlace};
use serde::{Deserialize, Serialize};
use std::fmt;
use vocab::TableName;

/// In the scopes of a key: every collection.
pub const EVERY_COLLECTION: &str = "*";

/// What an endpoint needs of the key that it is called with: `products:write`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Scope {
    /// The table of its entity.
    pub collection: TableName,
    /// What it does there.
    pub access: Access,
}

/// What is done with a collection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// It is only looked at.
    Read,
    /// It is changed, or something else is.
    Write,
}

impl Scope {
    /// Whether a key with these scopes, with a space between them, may be used. The right to write does not include that to read.
    #[must_use]
    pub fn is_within(&self, scopes: &str) -> bool {
        scopes.split(' ').filter_map(|scope| scope.split_once(':')).any(|(collection, access)| {
            access == self.access.as_str() && (collection == EVERY_COLLECTION || collection == self.collection.as_str())
        })
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.collection, self.access.as_str())
    }
}

impl Access {
    /// As it stands in a scope.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
        }
    }

    /// What a procedure does: it writes as soon as one of its steps leaves something behind.
    #[must_use]
    pub fn of(body: &[Item]) -> Self {
        let writes = |items: &Vec<Item>| Self::of(items) == Self::Write;
        let is_writing = body.iter().any(|item| match item {
            Item::Let(_, step) | Item::Do(step) => step.place() == StepPlace::Inside,
            Item::Transaction(body) => writes(body),
            Item::Match(_, arms) => arms.iter().any(|(_, body)| writes(body)),
            Item::Each(each) => writes(&each.body),
            Item::Promise(_) | Item::Exit(..) => false,
        });
        if is_writing { Self::Write } else { Self::Read }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_within_those_that_name_it_or_every_collection() {
        let scope = |access| Scope { collection: TableName::parse("products").unwrap(), access };
        assert_eq!(scope(Access::Write).to_string(), "products:write");
        for (scopes, read, write) in [
            ("products:read", true, false),
            ("orders:write products:write", false, true),
            ("*:read orders:write", true, false),
            ("*:write", false, true),
            ("*:*", false, false),
            ("products", false, false),
            ("product:read productss:read", false, false),
            ("", false, false),
        ] {
            assert_eq!(scope(Access::Read).is_within(scopes), read, "{scopes}");
            assert_eq!(scope(Access::Write).is_within(scopes), write, "{scopes}");
        }
    }
}
