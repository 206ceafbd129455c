//! A page of rows as an answer: JSON, CSV or NDJSON, with its tag and the link to the page behind it. Rows come in, bytes go out.

use crate::answer::Answer;
use crate::coding::weight;
use crate::encode::{self, Key};
use crate::export::{Rest, Rows};
use crate::listing::Counting;
use plan::procedure::RowsFormat;
use std::borrow::Cow;
use std::sync::Arc;
use store::Row;
use vocab::{Datum, FieldType, sha256_hex};

/// Characters of a list's digest that make its tag.
const TAG_LENGTH: usize = 32;

/// Some rows of a list, and the cursor to those behind them.
#[derive(Clone)]
pub(crate) struct Page {
    pub rows: Vec<Row>,
    pub next: Option<String>,
    /// Which of the list's fields the rows hold, in this order; none where it is all of its own.
    pub fields: Option<Vec<usize>>,
    /// How many there are on all pages together, where that was asked.
    pub total: Option<(i64, Counting)>,
    /// How they are to be written, where the caller says so.
    pub format: Option<RowsFormat>,
    /// What the rows are made of, where it is nothing of the list's own.
    pub columns: Option<Columns>,
    /// The rows behind them, where they are to come in the same answer.
    pub rest: Option<Arc<Rest>>,
}

/// What a row is made of.
#[derive(Clone)]
pub(crate) struct Columns {
    pub names: Vec<Arc<str>>,
    pub keys: Vec<Key>,
    pub types: Vec<FieldType>,
    /// How many of them there are where nothing was asked for: the first.
    pub plain: usize,
}

impl Columns {
    /// Those alone, in that order.
    fn picked(&self, fields: &[usize]) -> Self {
        Self {
            names: fields.iter().map(|field| Arc::clone(&self.names[*field])).collect(),
            keys: fields.iter().map(|field| self.keys[*field].clone()).collect(),
            types: fields.iter().map(|field| self.types[*field].clone()).collect(),
            plain: fields.len(),
        }
    }
}

/// Of the three ways to write rows the one that the caller likes best: JSON among equals, and where none of them is liked (RFC 9110, 12.5.1).
pub(crate) fn accepted(accept: &str) -> RowsFormat {
    let weights: Vec<(String, u16)> = accept.split(',').filter_map(weight).collect();
    let stated = |range: &str| weights.iter().find(|(known, _)| known == range).map(|(_, weight)| *weight);
    // The range that says most of a type counts.
    let of = |format: &RowsFormat| {
        let media_type = format.media_type();
        let group = media_type.split('/').next().unwrap_or_default();
        stated(media_type).or_else(|| stated(&format!("{group}/*"))).or_else(|| stated("*/*")).unwrap_or(0)
    };
    let formats = [RowsFormat::Ndjson, RowsFormat::Csv, RowsFormat::Json];
    formats.into_iter().max_by_key(of).unwrap_or(RowsFormat::Json)
}

/// The answer with a page of a list with these columns. `query` is the query string that asked for it.
pub(crate) fn answer(page: &Page, columns: &Columns, format: RowsFormat, query: &str) -> Answer {
    let columns = page.columns.as_ref().unwrap_or(columns);
    let picked = page.fields.as_ref().map(|fields| columns.picked(fields));
    let columns = picked.as_ref().unwrap_or(columns);
    let body = match format {
        RowsFormat::Json => encode::page(&columns.keys, &page.rows, page.next.as_deref(), page.total),
        RowsFormat::Csv => [header(columns).into_bytes(), lines(page, columns, format)].concat(),
        RowsFormat::Ndjson => lines(page, columns, format),
    };
    // What it will be in the end nobody knows yet.
    if let Some(rest) = &page.rest {
        let rows = Rows { rest: Arc::clone(rest), columns: columns.clone(), format };
        let content_type = format.content_type();
        return Answer {
            status: 200,
            content_type,
            headers: Vec::new(),
            body: body.into(),
            rows: Some(Box::new(rows)),
        };
    }
    let next = page.next.as_deref().unwrap_or_default();
    let digest = match format {
        RowsFormat::Json => sha256_hex(&body),
        // The cursor does not stand in the body, and a list that has grown behind this page has another answer.
        RowsFormat::Csv | RowsFormat::Ndjson => sha256_hex(&[&body, next.as_bytes()].concat()),
    };
    let mut headers = vec![("etag", format!("\"{}\"", &digest[..TAG_LENGTH]))];
    if page.next.is_some() {
        headers.push(("link", link(query, next)));
    }
    Answer { status: 200, content_type: format.content_type(), headers, body: body.into(), rows: None }
}

/// RFC 8288. The target is a query alone: it holds wherever the path was published.
fn link(query: &str, cursor: &str) -> String {
    let kept = form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name != "cursor" && name != "offset");
    let target =
        form_urlencoded::Serializer::new(String::new()).extend_pairs(kept).append_pair("cursor", cursor).finish();
    format!("<?{target}>; rel=\"next\"")
}

/// RFC 4180.
fn header(columns: &Columns) -> String {
    let names: Vec<&str> = columns.names[..columns.plain].iter().map(AsRef::as_ref).collect();
    format!("{}\r\n", names.join(","))
}

/// The rows one after the other, as CSV (RFC 4180) or as objects of JSON.
pub(crate) fn lines(page: &Page, columns: &Columns, format: RowsFormat) -> Vec<u8> {
    let mut lines = Vec::new();
    for row in &page.rows {
        match format {
            RowsFormat::Csv => {
                for (at, (datum, of)) in row.iter().zip(&columns.types).enumerate() {
                    if at > 0 {
                        lines.push(b',');
                    }
                    cell(&mut lines, datum, of);
                }
                lines.extend_from_slice(b"\r\n");
            }
            RowsFormat::Json | RowsFormat::Ndjson => {
                encode::row(&mut lines, &columns.keys, row);
                lines.push(b'\n');
            }
        }
    }
    lines
}

fn cell(line: &mut Vec<u8>, datum: &Datum, field_type: &FieldType) {
    let text = match datum {
        Datum::Null => return,
        Datum::Text(text) if may_be_run(field_type) && text.starts_with(['=', '+', '-', '@', '\t', '\r']) => {
            Cow::Owned(format!("'{text}"))
        }
        Datum::Text(text) => Cow::Borrowed(text.as_str()),
        Datum::Boolean(_) | Datum::Integer(_) | Datum::Decimal(_) | Datum::Json(_) => Cow::Owned(datum.plain()),
    };
    if text.bytes().any(|byte| matches!(byte, b'"' | b',' | b'\r' | b'\n')) {
        line.extend_from_slice(format!("\"{}\"", text.replace('"', "\"\"")).as_bytes());
    } else {
        line.extend_from_slice(text.as_bytes());
    }
}

/// Whether a spreadsheet may take a value of the type for a formula (OWASP, CSV injection). A telephone number begins with `+`
/// and holds nothing that can be called.
fn may_be_run(field_type: &FieldType) -> bool {
    *field_type != FieldType::Phone
}

#[cfg(test)]
mod tests {
    use super::*;
    use vocab::Decimal;

    #[test]
    fn cells() {
        let line = FieldType::Line { max: 200 };
        for (given, field_type, expected) in [
            (Datum::Null, line.clone(), ""),
            (Datum::Text("plain".to_owned()), line.clone(), "plain"),
            (Datum::Text("a,b".to_owned()), line.clone(), "\"a,b\""),
            (Datum::Text("say \"x\"\nthen".to_owned()), line.clone(), "\"say \"\"x\"\"\nthen\""),
            (Datum::Text("=1+1".to_owned()), line.clone(), "'=1+1"),
            (Datum::Text("=HYPERLINK(\"x\")".to_owned()), line.clone(), "\"'=HYPERLINK(\"\"x\"\")\""),
            (Datum::Text("@x".to_owned()), FieldType::Email, "'@x"),
            (Datum::Text("+44 20".to_owned()), FieldType::Phone, "+44 20"),
            (Datum::Integer(-3), FieldType::Integer, "-3"),
            (Datum::Decimal(Decimal::new(-1250, 2)), FieldType::Decimal { scale: 2 }, "-12.50"),
            (Datum::Boolean(true), FieldType::Boolean, "true"),
        ] {
            let mut line = Vec::new();
            cell(&mut line, &given, &field_type);
            assert_eq!(String::from_utf8(line).unwrap(), expected, "{given:?}");
        }
    }

    #[test]
    fn the_caller_says_how_rows_are_written() {
        for (accept, expected) in [
            ("", RowsFormat::Json),
            ("*/*", RowsFormat::Json),
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", RowsFormat::Json),
            ("text/csv", RowsFormat::Csv),
            ("Text/CSV; header=present", RowsFormat::Csv),
            ("text/*, */*;q=0.1", RowsFormat::Csv),
            ("application/json;q=0.5, application/x-ndjson", RowsFormat::Ndjson),
            ("application/json;q=0, */*", RowsFormat::Csv),
            ("text/csv;q=0, */*;q=0.5, application/x-ndjson;q=0.6", RowsFormat::Ndjson),
            ("image/png", RowsFormat::Json),
            ("text/csv;q=2", RowsFormat::Json),
        ] {
            assert_eq!(accepted(accept), expected, "{accept}");
        }
    }

    #[test]
    fn the_link_keeps_everything_but_the_cursor() {
        assert_eq!(link("limit=2&cursor=aa&name=a%20%3Eb", "ff"), "<?limit=2&name=a+%3Eb&cursor=ff>; rel=\"next\"");
        assert_eq!(link("offset=4&limit=2", "ff"), "<?limit=2&cursor=ff>; rel=\"next\"");
        assert_eq!(link("", "ff"), "<?cursor=ff>; rel=\"next\"");
    }
}
