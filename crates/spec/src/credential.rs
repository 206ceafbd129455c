//! Credentials: references are taken as they are, and a secret that stands in the task is refused without being quoted.

use crate::codes::SECRET_IN_TASK;
use crate::document::{Entry, Node, Value};
use crate::lower::{Label, Lowering, snake_case};
use crate::name::CredentialName;
use crate::reference::{self, Reference};
use crate::schema;
use crate::source::{Span, Spanned};
use serde_json::{Value as Json, json};

/// The most credentials of one task.
const MAX_CREDENTIALS: usize = 50;

/// A value that a provider asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct Credential {
    /// What the provider calls it.
    pub name: Spanned<CredentialName>,
    /// The value, or where it is.
    pub value: Spanned<CredentialValue>,
}

/// The value of a credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CredentialValue {
    /// Kept elsewhere.
    Reference(Reference),
    /// In the task: nothing secret, such as a region or the number of an account.
    Plain(String),
}

/// Words in a name that say that the value is secret.
const SECRET_WORDS: &[&str] = &[
    "key",
    "keys",
    "secret",
    "token",
    "password",
    "passphrase",
    "passwd",
    "pwd",
    "private",
    "signature",
    "credential",
];
/// Last words of names whose values look like secrets and are none.
const PLAIN_WORDS: &[&str] = &["id", "sid", "url", "uri", "host", "region", "email", "version"];
/// Shortest text of letters and digits that is taken for a secret.
const SECRET_LENGTH: usize = 20;

pub(crate) fn schema() -> Json {
    let mut schema = schema::map(schema::IDENTIFIER, reference::schema_of_values());
    schema::merge(&mut schema, json!({ "minProperties": 1 }));
    schema
}

/// Checks the value of `credentials`.
pub(crate) fn lower(lowering: &mut Lowering<'_>, node: &Node, owner: &str) -> Vec<Credential> {
    let example = "api_key: \"${env:API_KEY}\"";
    let entries = lowering.some_entries("credentials", node, example, MAX_CREDENTIALS).unwrap_or_default();
    entries.iter().filter_map(|entry| credential(lowering, entry, owner)).collect()
}

fn credential(lowering: &mut Lowering<'_>, entry: &Entry, owner: &str) -> Option<Credential> {
    let name = lowering.parse_name(&entry.key, entry.key_span, CredentialName::parse);
    let text = secret_text(lowering, &entry.key, &entry.node)?;
    let value = match Reference::parse(text) {
        Some(reference) => CredentialValue::Reference(reference),
        None if reference::is_meant(text) => {
            reference::refuse(lowering, &format!("`{}`", entry.key), entry.node.span, text);
            return None;
        }
        None if is_named_secret(&entry.key) => {
            refuse_secret(lowering, &entry.key, "holds a secret", entry.node.span, owner);
            return None;
        }
        None if looks_secret(&entry.key, text) => {
            refuse_secret(lowering, &entry.key, "holds what looks like a secret", entry.node.span, owner);
            return None;
        }
        None => CredentialValue::Plain(text.to_owned()),
    };
    Some(Credential { name: name?, value: lowering.source.spanned(value, entry.node.span) })
}

/// Checks the value of a field that is always secret.
pub(crate) fn lower_reference(lowering: &mut Lowering<'_>, name: &str, node: &Node) -> Option<Spanned<Reference>> {
    let text = secret_text(lowering, name, node)?;
    match Reference::parse(text) {
        Some(reference) => return Some(lowering.source.spanned(reference, node.span)),
        None if reference::is_meant(text) => {
            reference::refuse(lowering, &format!("`{name}`"), node.span, text);
        }
        None => refuse_secret(lowering, name, "holds a secret", node.span, ""),
    }
    None
}

/// The text of a field that may hold a secret: a number or a word like `true` is not quoted in the help, as other fields
/// do it.
fn secret_text<'n>(lowering: &mut Lowering<'_>, name: &str, node: &'n Node) -> Option<&'n str> {
    match &node.value {
        Value::Text(_) => lowering.text(Label::Field(name), node),
        Value::Null | Value::Boolean(_) | Value::Number(_) | Value::Sequence(_) | Value::Mapping(_) => {
            let help = format!("write `{name}: \"{}\"`", variable("", name));
            lowering.wrong_kind(Label::Field(name), "text", node, &help);
            None
        }
    }
}

fn refuse_secret(lowering: &mut Lowering<'_>, name: &str, found: &str, span: Span, owner: &str) {
    let message = format!("`{name}` {found}, and a task is no place for secrets");
    let help = format!(
        "replace the secret if others have seen it, put it into an environment variable and write `{name}: \"{}\"`",
        variable(owner, name)
    );
    lowering.error(SECRET_IN_TASK, message, span, help);
}

/// The reference to propose for a credential of `owner`.
fn variable(owner: &str, name: &str) -> String {
    let separator = if owner.is_empty() { "" } else { "_" };
    let name = snake_case(&format!("{owner}{separator}{name}")).to_ascii_uppercase();
    format!("${{env:{name}}}")
}

fn is_named_secret(name: &str) -> bool {
    snake_case(name).split('_').any(|word| SECRET_WORDS.contains(&word))
}

/// Whether a text is long and such that nobody could have thought of it.
fn looks_secret(name: &str, text: &str) -> bool {
    if text.contains("PRIVATE KEY") {
        return true;
    }
    let name = snake_case(name);
    let is_named_plain = name.rsplit('_').next().is_some_and(|word| PLAIN_WORDS.contains(&word));
    let has = |kind: fn(&char) -> bool| text.chars().any(|character| kind(&character));
    !is_named_plain
        && text.len() >= SECRET_LENGTH
        && !text.contains(char::is_whitespace)
        && has(char::is_ascii_digit)
        && has(char::is_ascii_alphabetic)
}
