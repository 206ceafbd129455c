//! What a secret is called: text comes in, a checked newtype goes out.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The longest name.
const MAX_NAME: usize = 200;

/// A name of words parted by `/`: `STRIPE_KEY`, `shop/shop_app`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SecretName(String);

/// A text that names no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a secret's name is letters, digits, `_` and `-`, at most {MAX_NAME}; words may be parted by `/`, and a letter or `_` begins it"
)]
pub struct InvalidSecretName;

impl SecretName {
    /// Takes the text over when it is a name. It is not repeated otherwise: somebody may have given the value in its place.
    ///
    /// # Errors
    /// [`InvalidSecretName`] with the rule.
    pub fn parse(text: &str) -> Result<Self, InvalidSecretName> {
        let is_word = |word: &str| {
            !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
        };
        let begins = text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
        let is_name = text.len() <= MAX_NAME && begins && text.split('/').all(is_word);
        if is_name { Ok(Self(text.to_owned())) } else { Err(InvalidSecretName) }
    }

    /// The password of a task's database role. Task and role are names themselves; `_` goes before a task that begins with
    /// a digit.
    ///
    /// # Errors
    /// [`InvalidSecretName`] when the two are too long together.
    pub fn of_role(task: &str, role: &str) -> Result<Self, InvalidSecretName> {
        Self::parse(&format!("{task}/{role}")).or_else(|_| Self::parse(&format!("_{task}/{role}")))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SecretName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl TryFrom<String> for SecretName {
    type Error = InvalidSecretName;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<SecretName> for String {
    fn from(name: SecretName) -> Self {
        name.0
    }
}
