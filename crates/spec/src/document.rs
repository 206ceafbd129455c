//! Text comes in, one tree of nodes per document goes out, each node with its span; problems of the text are collected.
//! A value keeps the kind it was written with: nothing is coerced.

use crate::codes::{BOUND_EXCEEDED, EMPTY, FIELD_NAME_NOT_TEXT, FIELD_TWICE};
use crate::source::{Source, Span};
use crate::{template, yaml_error};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value as Json};
use serde_saphyr::options::{DuplicateKeyPolicy, MergeKeyPolicy, NonFiniteFloatPolicy};
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use vocab::Diagnostic;

/// The longest document, in bytes.
pub const MAX_DOCUMENT_BYTES: usize = 1024 * 1024;
/// The most documents of one text.
pub const MAX_DOCUMENTS: usize = 1_000;
/// How deep blocks and lists may be nested.
pub const MAX_NESTING: usize = 64;
/// The most fields, items and values of one document, aliases written out.
pub const MAX_NODES: usize = 100_000;
/// The most parser events that aliases may repeat in one document.
const MAX_ALIAS_EVENTS: usize = 20_000;

/// A value of a document.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub span: Span,
    pub value: Value,
}

/// What a value is, as it was written.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Null,
    Boolean(bool),
    Number(Number),
    Text(String),
    Sequence(Vec<Node>),
    Mapping(Vec<Entry>),
}

/// A field of a block.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub key: String,
    pub key_span: Span,
    pub node: Node,
}

impl Node {
    /// Where a block that nobody named begins: its first field, else the value itself.
    pub fn beginning(&self) -> Span {
        match &self.value {
            Value::Mapping(entries) => entries.first().map_or(self.span, |entry| entry.key_span),
            Value::Null | Value::Boolean(_) | Value::Number(_) | Value::Text(_) | Value::Sequence(_) => self.span,
        }
    }

    /// The value as JSON, fields in the order they were written.
    pub fn to_json(&self) -> Json {
        match &self.value {
            Value::Null => Json::Null,
            Value::Boolean(value) => Json::Bool(*value),
            Value::Number(value) => Json::Number(value.clone()),
            Value::Text(value) => Json::String(value.clone()),
            Value::Sequence(items) => items.iter().map(Self::to_json).collect(),
            Value::Mapping(entries) => Json::Object(
                entries.iter().map(|entry| (entry.key.clone(), entry.node.to_json())).collect::<Map<_, _>>(),
            ),
        }
    }
}

/// Finds the documents of a text. YAML forbids a line that starts with `---` inside any value, so cutting at such lines
/// is exact, and one broken document cannot swallow the next.
pub(crate) fn split(source: &Source<'_>, diagnostics: &mut Vec<Diagnostic>) -> Vec<Range<usize>> {
    let mut documents = Vec::new();
    let (mut start, mut offset, mut has_content) = (0, 0, false);
    for line in source.text.split_inclusive('\n') {
        if is_marker(line, "---") {
            if has_content {
                documents.push(start..offset);
                start = offset;
            }
            has_content = true;
        } else {
            // Comments and directives before the first marker belong to the document that follows.
            let text = line.trim_start_matches('\u{feff}').trim();
            has_content |= !(text.is_empty() || text.starts_with('#') || text.starts_with('%'));
        }
        offset += line.len();
        if is_marker(line, "...") && has_content {
            documents.push(start..offset);
            (start, has_content) = (offset, false);
        }
    }
    if has_content {
        documents.push(start..offset);
    }
    if documents.is_empty() {
        let place = source.place(Span { offset: 0, length: 0 });
        diagnostics.push(Diagnostic::error(EMPTY, "there is no task in this text", &place).with_help(EMPTY_HELP));
    }
    if let Some(first_excess) = documents.get(MAX_DOCUMENTS) {
        let message = format!("{} documents in one text, at most {MAX_DOCUMENTS} are read", documents.len());
        let place = source.place(Span { offset: first_excess.start, length: 3 });
        diagnostics.push(Diagnostic::error(BOUND_EXCEEDED, message, &place).with_help("split the text"));
        documents.truncate(MAX_DOCUMENTS);
    }
    documents
}

const EMPTY_HELP: &str = "begin with `task_type: \"setup_api\"`";

fn is_marker(line: &str, marker: &str) -> bool {
    line.strip_prefix(marker).is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']))
}

/// Reads one document. Its tree is absent when the text is no YAML or holds nothing.
pub(crate) fn read(source: &Source<'_>, range: Range<usize>, diagnostics: &mut Vec<Diagnostic>) -> Option<Node> {
    if range.len() > MAX_DOCUMENT_BYTES {
        let message = format!("a document of {} bytes, at most {MAX_DOCUMENT_BYTES} are read", range.len());
        let place = source.place(Span { offset: range.start, length: 0 });
        diagnostics.push(Diagnostic::error(BOUND_EXCEEDED, message, &place).with_help("split it into several tasks"));
        return None;
    }
    let tree = match serde_saphyr::from_str_with_options(&source.text[range.clone()], options()) {
        Ok(tree) => tree,
        Err(error) => {
            let problem = yaml_error::explain(source, &range, &error);
            template::explain(source, &range, problem, diagnostics);
            return None;
        }
    };
    let mut reader = Reader { source, base: range.start, diagnostics };
    let root = reader.node(tree);
    if root.value == Value::Null {
        let place = source.place(Span { offset: first_content(source.text, &range), length: 0 });
        diagnostics.push(
            Diagnostic::error(EMPTY, "this document is empty", &place)
                .with_help("write a task here, or remove the `---`"),
        );
        return None;
    }
    Some(root)
}

/// Where an empty document begins: its `---`, else its first byte.
fn first_content(text: &str, range: &Range<usize>) -> usize {
    let document = &text[range.clone()];
    let marker = if document.starts_with("---") { Some(0) } else { document.find("\n---").map(|found| found + 1) };
    range.start + marker.unwrap_or(0)
}

fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: MAX_NESTING,
            flow_nesting_limit: MAX_NESTING,
            max_nodes: MAX_NODES,
        },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: MAX_ALIAS_EVENTS },
        // Repeated fields are reported with both lines, and they do not end the reading.
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        merge_keys: MergeKeyPolicy::AsOrdinary,
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        reject_unsupported_tags: true,
        non_finite_float_policy: NonFiniteFloatPolicy::AsString,
        with_snippet: false,
    }
}

struct Reader<'r, 's> {
    source: &'r Source<'s>,
    /// Where the document begins in the text.
    base: usize,
    diagnostics: &'r mut Vec<Diagnostic>,
}

impl Reader<'_, '_> {
    fn node(&mut self, raw: SpannedRaw) -> Node {
        let span = self.span(&raw);
        let value = match raw.value {
            Raw::Null => Value::Null,
            Raw::Boolean(value) => Value::Boolean(value),
            Raw::Number(value) => Value::Number(value),
            Raw::Text(value) => Value::Text(value),
            Raw::Sequence(items) => Value::Sequence(items.into_iter().map(|item| self.node(item)).collect()),
            Raw::Mapping(entries) => Value::Mapping(self.entries(entries)),
        };
        Node { span, value }
    }

    fn entries(&mut self, raw: Vec<(SpannedRaw, SpannedRaw)>) -> Vec<Entry> {
        let mut lines = BTreeMap::new();
        let mut entries = Vec::with_capacity(raw.len());
        for (key, value) in raw {
            let key_span = self.span(&key);
            let node = self.node(value);
            let Some(key) = self.key(key, key_span) else { continue };
            let place = self.source.place(key_span);
            if let Some(line) = lines.get(&key) {
                let message = format!("`{key}` stands twice in this block, first in line {line}");
                self.diagnostics.push(Diagnostic::error(FIELD_TWICE, message, &place).with_help("keep one of the two"));
                continue;
            }
            lines.insert(key.clone(), place.line);
            entries.push(Entry { key, key_span, node });
        }
        entries
    }

    fn key(&mut self, raw: SpannedRaw, span: Span) -> Option<String> {
        let (message, help) = match raw.value {
            Raw::Text(key) => return Some(key),
            Raw::Null => ("a field has no name".to_owned(), "write a name before the `:`".to_owned()),
            Raw::Boolean(_) | Raw::Number(_) => {
                let written = self.source.slice(span);
                (format!("the field name `{written}` is not text"), format!("put it in quotes: `\"{written}\"`"))
            }
            Raw::Sequence(_) | Raw::Mapping(_) => {
                ("a field name is a list or a block".to_owned(), "use a text as the name".to_owned())
            }
        };
        self.diagnostics
            .push(Diagnostic::error(FIELD_NAME_NOT_TEXT, message, &self.source.place(span)).with_help(help));
        None
    }

    /// Where a value is written; for an alias, where the alias stands.
    fn span(&self, raw: &SpannedRaw) -> Span {
        let span = raw.referenced.span();
        let bytes = |count: Option<u64>| count.and_then(|count| usize::try_from(count).ok()).unwrap_or(0);
        Span { offset: self.base + bytes(span.byte_offset()), length: bytes(span.byte_len()) }
    }
}

type SpannedRaw = serde_saphyr::Spanned<Raw>;

/// The tree as the YAML library delivers it.
enum Raw {
    Null,
    Boolean(bool),
    Number(Number),
    Text(String),
    Sequence(Vec<SpannedRaw>),
    Mapping(Vec<(SpannedRaw, SpannedRaw)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Boolean(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Raw, E> {
        Ok(Raw::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Raw, E> {
        Ok(Raw::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Raw, E> {
        Ok(Number::from_f64(value).map_or(Raw::Null, Raw::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Raw, E> {
        Ok(Raw::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Raw::Sequence(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = access.next_entry()? {
            entries.push(entry);
        }
        Ok(Raw::Mapping(entries))
    }
}
