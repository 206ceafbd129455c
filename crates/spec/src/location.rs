//! Places outside of the producer: a path or a URL comes in, a [`Location`] goes out in which every secret part is a
//! reference. A password that stands in the text is refused, and never quoted.

use crate::codes::{NOT_A_LOCATION, SECRET_IN_TASK};
use crate::document::Node;
use crate::lower::{Label, Lowering};
use crate::reference::{self, Reference};
use crate::schema;
use crate::source::Spanned;
use serde_json::Value as Json;
use std::fmt;

/// The longest path or URL, in bytes.
pub const MAX_LOCATION_BYTES: usize = 2_048;

/// A path or a URL. Its text holds no password, so it may be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    parts: Vec<LocationPart>,
}

/// A piece of a location.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LocationPart {
    /// Text as it stands in the task.
    Text(String),
    /// A value that takes this place when the location is used.
    Reference(Reference),
}

impl Location {
    /// The pieces, in order; at least one.
    #[must_use]
    pub fn parts(&self) -> &[LocationPart] {
        &self.parts
    }

    /// The reference, where the location is nothing else.
    #[must_use]
    pub fn as_reference(&self) -> Option<&Reference> {
        match &self.parts[..] {
            [LocationPart::Reference(reference)] => Some(reference),
            _ => None,
        }
    }

    /// The scheme of a URL (`https`); none for a path or a reference.
    #[must_use]
    pub fn scheme(&self) -> Option<&str> {
        let Some(LocationPart::Text(text)) = self.parts.first() else { return None };
        let (scheme, _) = text.split_once(':')?;
        let is_scheme = scheme.len() > 1
            && scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme.chars().all(|character| character.is_ascii_alphanumeric() || "+-.".contains(character));
        is_scheme.then_some(scheme)
    }

    /// Whether the text itself holds a password, not a reference to one.
    fn has_password(&self) -> bool {
        let text = self.text_with(|_| HIDDEN.to_string());
        let Some((_, rest)) = text.split_once("://") else { return false };
        is_password_before_host(rest) || is_password_in_query(rest)
    }

    fn text_with(&self, show: impl Fn(&Reference) -> String) -> String {
        let part = |part: &LocationPart| match part {
            LocationPart::Text(text) => text.clone(),
            LocationPart::Reference(reference) => show(reference),
        };
        self.parts.iter().map(part).collect()
    }
}

impl fmt::Display for Location {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text_with(Reference::to_string))
    }
}

/// Stands for a reference; no location contains it itself.
const HIDDEN: char = '\u{0}';

/// `user:password@host`. People leave `/`, `?` and `#` in passwords unescaped, so the last `@` ends them, unless what
/// stands before it is plainly `host:port/...`.
fn is_password_before_host(rest: &str) -> bool {
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let user = match authority.rsplit_once('@') {
        Some((user, _)) => user,
        None => match rest.rsplit_once('@') {
            Some((before, _)) => before,
            None => return false,
        },
    };
    let Some((_, password)) = user.split_once(':') else { return false };
    let port = password.split('/').next().unwrap_or_default();
    let is_port = !authority.contains('@') && !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    !is_port && password.chars().any(|character| character != HIDDEN)
}

/// `?password=...` and the like.
fn is_password_in_query(rest: &str) -> bool {
    let Some((_, query)) = rest.split_once('?') else { return false };
    query.split(['&', ';']).filter_map(|pair| pair.split_once('=')).any(|(name, value)| {
        let name = name.to_ascii_lowercase();
        let is_secret = ["password", "secret", "token", "signature", "key"].iter().any(|word| name.ends_with(word));
        is_secret && value.chars().any(|character| character != HIDDEN)
    })
}

pub(crate) fn schema() -> Json {
    // One line without blanks around it, in which every reference can be read.
    let reference = reference::PATTERN;
    let line = r"(?!\s)(?!.*\s$)(?!\{\{)(?!\$(?!\{))";
    let mut schema = schema::pattern(&format!(r"{line}([^$\x00-\x1f\x7f]|\$(?!\{{)|{reference})+"));
    schema::merge(&mut schema, serde_json::json!({ "maxLength": MAX_LOCATION_BYTES }));
    schema
}

/// Checks the value of a field that holds a path, a URL or a reference.
pub(crate) fn lower(lowering: &mut Lowering<'_>, name: &str, node: &Node) -> Option<Spanned<Location>> {
    let text = lowering.text(Label::Field(name), node)?;
    let is_clean = text.len() <= MAX_LOCATION_BYTES && text.trim() == text && !text.contains(char::is_control);
    if !is_clean {
        let message = format!("`{name}` must be one line of at most {MAX_LOCATION_BYTES} bytes");
        lowering.error(NOT_A_LOCATION, message, node.span, "remove blanks around it and line breaks in it");
        return None;
    }
    let Some(parts) = parts(text) else {
        reference::refuse(lowering, &format!("`{name}`"), node.span, first_wrong_reference(text));
        return None;
    };
    let location = Location { parts };
    if location.has_password() {
        let message = format!("`{name}` holds a password, and a task is no place for secrets");
        let help = format!(
            "put the whole URL into an environment variable and write `{name}: \"${{env:{}}}\"`, or only its secret part as `${{env:NAME}}`",
            variable(name)
        );
        lowering.error(SECRET_IN_TASK, message, node.span, help);
        return None;
    }
    Some(lowering.source.spanned(location, node.span))
}

fn variable(field: &str) -> String {
    if field == "connection" { "DATABASE_URL".to_owned() } else { format!("{}_URL", field.to_ascii_uppercase()) }
}

/// The first reference that cannot be read, to propose a spelling for.
fn first_wrong_reference(text: &str) -> &str {
    let first_wrong = text.match_indices("${").map(|(at, _)| {
        let rest = &text[at..];
        &rest[..rest.find('}').map_or(rest.len(), |end| end + 1)]
    });
    first_wrong.into_iter().find(|reference| Reference::parse(reference).is_none()).unwrap_or(text)
}

/// The text cut at its references; absent when one of them cannot be read.
fn parts(text: &str) -> Option<Vec<LocationPart>> {
    let is_other_notation = text.starts_with("$") && !text.starts_with("${") || text.starts_with("{{");
    if is_other_notation {
        return None;
    }
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let end = start + rest[start..].find('}')? + 1;
        if start > 0 {
            parts.push(LocationPart::Text(rest[..start].to_owned()));
        }
        parts.push(LocationPart::Reference(Reference::parse(&rest[start..end])?));
        rest = &rest[end..];
    }
    if !rest.is_empty() {
        parts.push(LocationPart::Text(rest.to_owned()));
    }
    Some(parts)
}
