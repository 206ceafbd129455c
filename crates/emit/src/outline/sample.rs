//! Examples of answers: what the endpoint's example says of a field, else a sample of the field's type.

use super::{Content, Outline, Success};
use plan::procedure::{ResponseField, RowsFormat};
use plan::value::Value;
use vocab::{Decimal, FieldType};

/// A value of the type, for examples in documents.
pub fn sample(field_type: &FieldType) -> serde_json::Value {
    match field_type {
        FieldType::Line { .. } | FieldType::Text { .. } => "text".into(),
        FieldType::Email => "ada@example.com".into(),
        FieldType::Phone => "+44 20 7946 0018".into(),
        FieldType::Url => "https://example.com/".into(),
        FieldType::Choice { words } => words.first().map_or("text", String::as_str).into(),
        FieldType::Code { letters } => "XYZ".chars().cycle().take(usize::from(*letters)).collect::<String>().into(),
        FieldType::Integer => 1.into(),
        FieldType::Decimal { scale } => Decimal::new(10_i64.pow(u32::from(*scale)), *scale).to_string().into(),
        FieldType::Boolean => true.into(),
        FieldType::Date => "2026-01-02".into(),
        FieldType::Timestamp => "2026-01-02T03:04:05.678Z".into(),
        FieldType::Uuid => "019c0f3e-7b1a-7c3d-8e5f-0123456789ab".into(),
        FieldType::Json => serde_json::json!({}),
    }
}

/// What the answers of these endpoints are, for the first sentence of a document.
pub fn answer_formats(outlines: &[Outline<'_>]) -> &'static str {
    let is_text =
        |answer: &Success<'_>| matches!(answer.content, Content::Page(_, RowsFormat::Csv | RowsFormat::Ndjson));
    match outlines.iter().flat_map(|outline| &outline.answers).any(is_text) {
        true => "Bodies are JSON, and so are answers where an endpoint says nothing else.",
        false => "Bodies and answers are JSON.",
    }
}

/// One row, as text where the page is no JSON document.
fn sample_page(row: serde_json::Map<String, serde_json::Value>, format: RowsFormat) -> serde_json::Value {
    match format {
        RowsFormat::Json => serde_json::json!({"items": [row], "next": null}),
        RowsFormat::Ndjson => format!("{}\n", serde_json::Value::Object(row)).into(),
        RowsFormat::Csv => {
            let cell = |value: &serde_json::Value| {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                if text.contains([',', '"']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
            };
            let names: Vec<&str> = row.keys().map(String::as_str).collect();
            let cells: Vec<String> = row.values().map(cell).collect();
            format!("{}\r\n{}\r\n", names.join(","), cells.join(",")).into()
        }
    }
}

impl Outline<'_> {
    /// An answer's body as an example, if it has one.
    pub fn sample_content(&self, content: &Content<'_>) -> Option<serde_json::Value> {
        match content {
            Content::Nothing => None,
            Content::Record(body) => Some(self.sample_answer(body)),
            Content::Records(body) => Some(std::iter::once(self.sample_answer(body)).collect()),
            Content::Page(fields, format) => {
                let fields = fields.iter().map(|field| {
                    let known = self.example.get(field.name.as_str()).cloned();
                    (field.name.to_string(), known.unwrap_or_else(|| sample(&field.column.field_type)))
                });
                Some(sample_page(fields.collect(), *format))
            }
        }
    }

    /// An answer's body as an example: literals as they are, the rest as a sample of its type.
    fn sample_answer(&self, body: &[ResponseField]) -> serde_json::Value {
        let fields = body.iter().map(|field| {
            let value = match &field.value {
                _ if field.entries.is_some() => serde_json::json!([]),
                Value::Literal(datum) => datum.to_json(),
                Value::Field(_, name) => {
                    self.example.get(name.as_str()).cloned().unwrap_or_else(|| sample(&field.field_type))
                }
                Value::Else(first, _) => match &**first {
                    Value::Field(_, name) => {
                        self.example.get(name.as_str()).cloned().unwrap_or_else(|| sample(&field.field_type))
                    }
                    _ => sample(&field.field_type),
                },
                Value::Slot(_)
                | Value::Given(..)
                | Value::Changed(..)
                | Value::Times(..)
                | Value::Sum(..)
                | Value::Prefixed(..)
                | Value::Now
                | Value::Today
                | Value::After(_)
                | Value::Request(_)
                | Value::Record(_) => sample(&field.field_type),
            };
            (field.name.to_string(), value)
        });
        serde_json::Value::Object(fields.collect())
    }
}
