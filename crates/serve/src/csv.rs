//! Bodies of CSV (RFC 4180) as lists of records: bytes come in, objects whose members are texts go out; what an empty cell would be is null.
//! `lib/csv.js` of the Node.js application reads the same.

use crate::validation::{Why, Wrong, parameter_number};
use plan::shape::Shape;
use serde_json::{Map, Value as Json};
use vocab::FieldType;

/// Rows that are read: more than any list may have are too many however many there are.
const MOST_ROWS: usize = 1002;
/// Columns at most.
const MOST_COLUMNS: usize = 1000;

/// The rows behind the header row, or the first thing that is wrong.
pub(crate) fn records(bytes: &[u8]) -> Result<Json, Wrong> {
    let wrong = |pointer: &str, why: String| Wrong::at(pointer, Why::new("format", why));
    let text = std::str::from_utf8(bytes).map_err(|_| wrong("", "must be UTF-8".to_owned()))?;
    // Spreadsheets write it.
    let mut rest = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut header: Option<Vec<String>> = None;
    let mut records = Vec::new();
    while !rest.is_empty() && records.len() < MOST_ROWS {
        let place = if header.is_some() { format!("/{}", records.len()) } else { String::new() };
        let (cells, behind) = row(rest).map_err(|why| wrong(&place, why.to_owned()))?;
        rest = behind;
        let Some(names) = &header else {
            let is_doubled = cells.iter().enumerate().any(|(at, name)| cells[..at].contains(name));
            if is_doubled {
                return Err(wrong("", "must name each column once".to_owned()));
            }
            header = Some(cells);
            continue;
        };
        if cells.len() != names.len() {
            return Err(wrong(&place, format!("must have {} cells, as the header has", names.len())));
        }
        let cell = |text: String| if text.is_empty() { Json::Null } else { Json::String(text) };
        let record: Map<String, Json> = names.iter().cloned().zip(cells.into_iter().map(cell)).collect();
        records.push(Json::Object(record));
    }
    Ok(Json::Array(records))
}

/// The cells of the first row, and what stands behind it.
fn row(text: &str) -> Result<(Vec<String>, &str), &'static str> {
    let (mut cells, mut rest) = (Vec::new(), text);
    loop {
        if cells.len() == MOST_COLUMNS {
            return Err("must have at most 1000 cells");
        }
        let (cell, behind) = cell(rest)?;
        cells.push(cell);
        rest = match behind.strip_prefix(',') {
            Some(next) => next,
            None => {
                let behind = behind.strip_prefix("\r\n").or_else(|| behind.strip_prefix('\n')).unwrap_or(behind);
                return Ok((cells, behind));
            }
        };
    }
}

/// The first cell, and what stands behind it: a comma, the end of a line or nothing.
fn cell(text: &str) -> Result<(String, &str), &'static str> {
    let is_end = |rest: &str| rest.is_empty() || [",", "\n", "\r\n"].iter().any(|end| rest.starts_with(end));
    let Some(mut quoted) = text.strip_prefix('"') else {
        let end = text.char_indices().find(|(at, _)| is_end(&text[*at..])).map_or(text.len(), |(at, _)| at);
        let (cell, rest) = text.split_at(end);
        return if cell.contains('"') {
            Err("must have quotes around a cell that has one")
        } else {
            Ok((cell.to_owned(), rest))
        };
    };
    let mut cell = String::new();
    loop {
        let (part, rest) = quoted.split_once('"').ok_or("must end every quote")?;
        cell.push_str(part);
        match rest.strip_prefix('"') {
            Some(next) => {
                cell.push('"');
                quoted = next;
            }
            None if is_end(rest) => return Ok((cell, rest)),
            None => return Err("must have nothing between a quote's end and the comma"),
        }
    }
}

/// Has the texts of records be what JSON has for fields of their types; what is none stays as it is, and is told as such.
pub(crate) fn typed(records: &mut Json, shape: &Shape) {
    for record in records.as_array_mut().into_iter().flatten() {
        for field in &shape.fields {
            let Some(value) = record.get_mut(field.name.as_str()) else { continue };
            let Json::String(text) = &*value else { continue };
            let read = match field.field_type {
                FieldType::Integer => parameter_number(text).map(Json::from),
                FieldType::Boolean => text.parse::<bool>().ok().map(Json::from),
                FieldType::Json => serde_json::from_str(text).ok(),
                _ => None,
            };
            if let Some(read) = read {
                *value = read;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn rows_become_records() {
        for (text, expected) in [
            ("", json!([])),
            ("name,stock", json!([])),
            ("name,stock\r\nA,1\r\n", json!([{"name": "A", "stock": "1"}])),
            ("\u{feff}name,stock\nA,\n\"\",2", json!([{"name": "A", "stock": null}, {"name": null, "stock": "2"}])),
            ("name\n\"a, \"\"b\"\"\r\nc\"\n", json!([{"name": "a, \"b\"\r\nc"}])),
            ("name\né \r\n", json!([{"name": "é "}])),
            ("a,b\n,", json!([{"a": null, "b": null}])),
        ] {
            assert_eq!(records(text.as_bytes()).unwrap(), expected, "{text:?}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_its_row() {
        for (text, pointer, detail) in [
            ("a,a\n1,2", "", "must name each column once"),
            ("a,b\n1,2\n3", "/1", "must have 2 cells, as the header has"),
            ("a,b\n1,2\n\n", "/1", "must have 2 cells, as the header has"),
            ("a\n\"b", "/0", "must end every quote"),
            ("a\n\"b\"c", "/0", "must have nothing between a quote's end and the comma"),
            ("a\nb\"c", "/0", "must have quotes around a cell that has one"),
            ("\"a", "", "must end every quote"),
        ] {
            let wrong = records(text.as_bytes()).unwrap_err();
            assert_eq!(wrong, Wrong::at(pointer, Why::new("format", detail)), "{text:?}");
        }
        assert!(records(b"a\n\xff").is_err());
        let rows = records("a\n1".repeat(5000).as_bytes()).unwrap();
        assert_eq!(rows.as_array().unwrap().len(), MOST_ROWS);
        assert!(records(",".repeat(5000).as_bytes()).is_err());
    }
}
