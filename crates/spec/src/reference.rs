//! References to values that a task must not hold: `${env:NAME}` and `${secret:NAME}` come in, a [`Reference`] goes out.
//! The value itself is never looked up here.

use crate::codes::NOT_A_REFERENCE;
use crate::lower::Lowering;
use crate::name::{SecretName, VariableName};
use crate::schema;
use crate::source::Span;
use serde_json::Value as Json;
use std::fmt;

/// Where a value is to be found when it is needed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reference {
    /// `${env:NAME}`: an environment variable of the producer.
    Environment(VariableName),
    /// `${secret:NAME}`: an entry of the workspace's secret store.
    Secret(SecretName),
}

impl fmt::Display for Reference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment(name) => write!(formatter, "${{env:{name}}}"),
            Self::Secret(name) => write!(formatter, "${{secret:{name}}}"),
        }
    }
}

impl Reference {
    /// The reference that the whole text is.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let inner = text.strip_prefix("${")?.strip_suffix('}')?;
        match inner.split_once(':')? {
            ("env", name) => VariableName::parse(name).ok().map(Self::Environment),
            ("secret", name) => SecretName::parse(name).ok().map(Self::Secret),
            _ => None,
        }
    }
}

pub(crate) const PATTERN: &str = r"\$\{(env|secret):[A-Za-z_][A-Za-z0-9_]{0,99}\}";

pub(crate) fn schema() -> Json {
    schema::pattern(PATTERN)
}

/// Whether somebody meant a reference, in this notation or in that of another tool: `$NAME`, `${NAME}`, `{{ NAME }}`,
/// `env:NAME`, `process.env.NAME`.
pub(crate) fn is_meant(text: &str) -> bool {
    BEGINNINGS.iter().any(|beginning| text.trim_start().starts_with(beginning))
}

const BEGINNINGS: &[&str] = &["$", "{{", "env:", "secret:", "process.env."];

/// A reference, or a text that means none.
pub(crate) fn schema_of_values() -> Json {
    let escaped = |beginning: &&str| beginning.replace('$', r"\$").replace('{', r"\{").replace('.', r"\.");
    let beginnings: Vec<String> = BEGINNINGS.iter().map(escaped).collect();
    schema::either([schema(), schema::pattern(&format!(r"(?!\s*({}))[\s\S]*\S[\s\S]*", beginnings.join("|")))])
}

/// Reports a text that means a reference and is none. The text is not quoted, because it may be a secret after all.
pub(crate) fn refuse(lowering: &mut Lowering<'_>, subject: &str, span: Span, text: &str) {
    let help = match meant(text) {
        Some(reference) => format!("did you mean `{reference}`?"),
        None => "write `${env:NAME}` or `${secret:NAME}`".to_owned(),
    };
    lowering.error(NOT_A_REFERENCE, format!("{subject} holds a reference that cannot be read"), span, help);
}

fn meant(text: &str) -> Option<Reference> {
    let is_word = |character: char| character.is_ascii_alphanumeric() || character == '_';
    let mut words = text.split(|character| !is_word(character)).filter(|word| !word.is_empty());
    let name = words.next_back()?;
    // Outside of brackets only what is written in capitals is a name; anything else could be the value.
    let is_enclosed = text.starts_with("${") || text.starts_with("{{");
    let is_name = is_enclosed
        || name.chars().any(|character| character.is_ascii_uppercase())
            && !name.chars().any(|character| character.is_ascii_lowercase());
    let names_the_store =
        words.any(|word| ["secret", "secrets", "vault"].contains(&word.to_ascii_lowercase().as_str()));
    match (is_name, names_the_store) {
        (true, false) => VariableName::parse(name).ok().map(Reference::Environment),
        (true, true) => SecretName::parse(name).ok().map(Reference::Secret),
        (false, _) => None,
    }
}
