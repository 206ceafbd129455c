//! The JSON Schema of a task: the declarations of fields and words that the parser reads by come in, the document that
//! editors complete and check by goes out. It accepts every task that the parser accepts; it adds no rule of its own.

use crate::field::Field;
use crate::task;
use crate::word::Word;
use serde_json::{Map, Value as Json, json};
use std::ops::RangeInclusive;

/// The JSON Schema (draft 2020-12) of one task document, pretty, the same bytes at every call.
#[must_use]
pub fn json_schema() -> String {
    let mut schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Integration Producer task",
        "description": "One task: an API to set up, a database to configure, or a service to integrate.",
    });
    merge(&mut schema, task::schema());
    format!("{schema:#}\n")
}

/// A block with exactly these fields.
pub(crate) fn block(fields: &[Field]) -> Json {
    let property = |field: &Field| {
        let mut property = json!({ "description": field.about });
        merge(&mut property, (field.schema)());
        (field.name.to_owned(), property)
    };
    let properties: Map<String, Json> = fields.iter().map(property).collect();
    let required: Vec<&str> = fields.iter().filter(|field| field.is_required).map(|field| field.name).collect();
    let mut schema = json!({ "type": "object", "properties": properties });
    if !required.is_empty() {
        merge(&mut schema, json!({ "required": required }));
    }
    merge(&mut schema, json!({ "additionalProperties": false }));
    schema
}

/// One of a closed list of words.
pub(crate) fn word<W: Word>() -> Json {
    json!({ "enum": W::words() })
}

/// A list of such words.
pub(crate) fn list_of_words<W: Word>() -> Json {
    list(word::<W>())
}

/// The words of a list as alternatives inside a pattern.
pub(crate) fn alternatives<W: Word>() -> String {
    format!("({})", W::words().join("|"))
}

/// A lower-case name, as `vocab` reads it.
pub(crate) const IDENTIFIER: &str = "[a-z][a-z0-9_]{0,62}";

pub(crate) fn identifier() -> Json {
    pattern(IDENTIFIER)
}

pub(crate) fn list_of_identifiers() -> Json {
    list(identifier())
}

pub(crate) fn some_identifiers() -> Json {
    some(identifier())
}

pub(crate) fn task_id() -> Json {
    pattern("[A-Za-z0-9_-]{1,100}")
}

pub(crate) fn list_of_task_ids() -> Json {
    list(task_id())
}

/// A text that matches as a whole.
pub(crate) fn pattern(pattern: &str) -> Json {
    json!({ "type": "string", "pattern": format!("^(?:{pattern})$") })
}

/// A text that is not blank.
pub(crate) fn text() -> Json {
    json!({ "type": "string", "pattern": "\\S" })
}

pub(crate) fn boolean() -> Json {
    json!({ "type": "boolean" })
}

pub(crate) fn whole_number(range: RangeInclusive<u64>) -> Json {
    json!({ "type": "integer", "minimum": range.start(), "maximum": range.end() })
}

pub(crate) fn list(item: Json) -> Json {
    json!({ "type": "array", "items": item })
}

/// A list with at least one item.
pub(crate) fn some(item: Json) -> Json {
    json!({ "type": "array", "items": item, "minItems": 1 })
}

/// A block whose field names the writer chooses.
pub(crate) fn map(name: &str, value: Json) -> Json {
    json!({ "type": "object", "propertyNames": pattern(name), "additionalProperties": value })
}

pub(crate) fn either(alternatives: impl IntoIterator<Item = Json>) -> Json {
    json!({ "anyOf": alternatives.into_iter().collect::<Vec<_>>() })
}

/// Refuses blocks that have both fields.
pub(crate) fn not_both(schema: &mut Json, fields: [&str; 2]) {
    merge(schema, json!({ "not": { "required": fields } }));
}

/// Adds the keywords of `other`, which `schema` must not have yet.
pub(crate) fn merge(schema: &mut Json, other: Json) {
    let (Json::Object(schema), Json::Object(other)) = (schema, other) else { unreachable!("schemas are objects") };
    for (keyword, value) in other {
        let earlier = schema.insert(keyword, value);
        assert!(earlier.is_none(), "a keyword stands once in a schema");
    }
}
