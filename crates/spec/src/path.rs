//! The path of an endpoint: text comes in, a [`PathPattern`] in its one normal form goes out, or the rule it broke.

use crate::codes::NOT_A_PATH;
use crate::document::Node;
use crate::lower::{Label, Lowering, snake_case};
use crate::schema;
use crate::source::Spanned;
use serde_json::Value as Json;
use std::collections::BTreeSet;
use std::fmt;
use vocab::FieldName;

/// The longest path, in bytes.
pub const MAX_PATH_BYTES: usize = 512;

/// A path with parameters, such as `/api/orders/{id}`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PathPattern {
    segments: Vec<Segment>,
    text: String,
}

/// What stands between two slashes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Segment {
    /// The text itself.
    Literal(String),
    /// Any text, under a name.
    Parameter(FieldName),
}

/// Why a text is not a path, and what to write instead.
struct Refusal {
    message: String,
    help: String,
}

impl PathPattern {
    /// The path that a text is, where it is one.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        parse(text).ok()
    }

    /// The normal form: `/api/orders/{id}`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// All segments, in order.
    #[must_use]
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// The literal segments, in order.
    pub fn literals(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::Literal(text) => Some(text.as_str()),
            Segment::Parameter(_) => None,
        })
    }

    /// The parameters' names, in order; none stands twice.
    pub fn parameters(&self) -> impl Iterator<Item = &FieldName> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::Literal(_) => None,
            Segment::Parameter(name) => Some(name),
        })
    }

    /// The path without its parameters' names: two paths of one shape answer the same requests.
    pub(crate) fn shape(&self) -> String {
        let segment = |segment: &Segment| match segment {
            Segment::Literal(text) => format!("/{text}"),
            Segment::Parameter(_) => "/{}".to_owned(),
        };
        self.segments.iter().map(segment).collect()
    }

    fn new(segments: Vec<Segment>) -> Self {
        let text: String = segments
            .iter()
            .map(|segment| match segment {
                Segment::Literal(text) => format!("/{text}"),
                Segment::Parameter(name) => format!("/{{{name}}}"),
            })
            .collect();
        Self { text: if text.is_empty() { "/".to_owned() } else { text }, segments }
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

pub(crate) fn schema() -> Json {
    let name = schema::IDENTIFIER;
    let segment = format!(r"/(?!\.{{1,2}}(/|$))([A-Za-z0-9._~-]+|\{{{name}\}}|:{name})");
    let mut schema = schema::pattern(&format!("/|({segment})+"));
    schema::merge(&mut schema, serde_json::json!({ "maxLength": MAX_PATH_BYTES }));
    schema
}

/// Checks the value of `path`.
pub(crate) fn lower(lowering: &mut Lowering<'_>, node: &Node) -> Option<Spanned<PathPattern>> {
    let text = lowering.text(Label::Field("path"), node)?;
    match parse(text) {
        Ok(path) => Some(lowering.source.spanned(path, node.span)),
        Err(refusal) => {
            lowering.error(NOT_A_PATH, refusal.message, node.span, refusal.help);
            None
        }
    }
}

fn parse(text: &str) -> Result<PathPattern, Refusal> {
    if text.len() > MAX_PATH_BYTES {
        let message = format!("a path of {} bytes, at most {MAX_PATH_BYTES} are accepted", text.len());
        return Err(Refusal { message, help: "shorten it".to_owned() });
    }
    let Some(rest) = text.strip_prefix('/') else {
        let path = text.split_once("://").map_or(text, |(_, rest)| rest.find('/').map_or("", |slash| &rest[slash..]));
        let message = format!("the path `{text}` does not begin with `/`");
        return Err(Refusal { message, help: format!("write `/{}`", path.trim_start_matches('/')) });
    };
    if let Some(at) = rest.find(['?', '#']) {
        let message = format!("the path `{text}` contains a query");
        return Err(Refusal { message, help: format!("write `/{}`; clients add the query", &rest[..at]) });
    }
    if rest.is_empty() {
        return Ok(PathPattern::new(Vec::new()));
    }
    if rest.split('/').any(str::is_empty) {
        let kept: Vec<&str> = rest.split('/').filter(|segment| !segment.is_empty()).collect();
        let message = format!("the path `{text}` has an empty segment");
        return Err(Refusal { message, help: format!("write `/{}`", kept.join("/")) });
    }
    let segments = rest.split('/').map(|part| segment(text, part)).collect::<Result<Vec<_>, _>>()?;
    let path = PathPattern::new(segments);
    let mut names = BTreeSet::new();
    if let Some(name) = path.parameters().find(|name| !names.insert(*name)) {
        let message = format!("the path `{text}` has two parameters `{name}`");
        return Err(Refusal { message, help: "give each parameter a name of its own".to_owned() });
    }
    Ok(path)
}

fn segment(path: &str, part: &str) -> Result<Segment, Refusal> {
    let braced = part.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
    if let Some(name) = braced.or_else(|| part.strip_prefix(':')) {
        return FieldName::parse(name).map(Segment::Parameter).map_err(|error| {
            let proposal = snake_case(name);
            let help = match FieldName::parse(&proposal) {
                Ok(_) => format!("write `{{{proposal}}}`"),
                Err(_) => "write it like `{id}`".to_owned(),
            };
            Refusal { message: format!("`{name}` in the path is not a parameter name: {}", error.rule), help }
        });
    }
    if part == "." || part == ".." {
        let message = format!("the path `{path}` contains `{part}`");
        return Err(Refusal { message, help: "write the path out".to_owned() });
    }
    let allowed = |character: char| character.is_ascii_alphanumeric() || matches!(character, '-' | '_' | '.' | '~');
    match part.chars().find(|character| !allowed(*character)) {
        None => Ok(Segment::Literal(part.to_owned())),
        Some('{' | '}' | ':') => Err(Refusal {
            message: format!("in the path `{path}` a parameter does not fill its segment"),
            help: "put the parameter between two slashes, like `/{id}/`".to_owned(),
        }),
        Some('*') => Err(Refusal {
            message: format!("the path `{path}` contains a wildcard"),
            help: "name the part that varies, like `{id}`".to_owned(),
        }),
        Some(character) => Err(Refusal {
            message: format!("the path `{path}` contains `{character}`"),
            help: "use letters, digits, `-`, `_`, `.` and `~`".to_owned(),
        }),
    }
}
