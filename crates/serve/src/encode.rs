//! Values as the bytes of a JSON answer, written straight: no tree is built on the way. The bytes are those that
//! `Datum::to_json` would give.

use crate::listing::Counting;
use plan::query::MOST_COUNTED;
use std::sync::Arc;
use vocab::Datum;

/// A field's name as it stands in an object, with the colon behind it.
#[derive(Clone)]
pub(crate) struct Key(Arc<[u8]>);

impl Key {
    pub fn new(name: &str) -> Self {
        let mut key = Vec::with_capacity(name.len() + 3);
        text(&mut key, name);
        key.push(b':');
        Self(key.into())
    }
}

/// An object of these fields, each written by its own.
pub(crate) fn object<'k, V>(
    out: &mut Vec<u8>,
    fields: impl Iterator<Item = (&'k Key, V)>,
    mut written: impl FnMut(&mut Vec<u8>, V),
) {
    let mut before = b'{';
    for (key, of) in fields {
        out.push(before);
        out.extend_from_slice(&key.0);
        written(out, of);
        before = b',';
    }
    if before == b'{' {
        out.push(b'{');
    }
    out.push(b'}');
}

/// An object of a row.
pub(crate) fn row(out: &mut Vec<u8>, keys: &[Key], row: &[Datum]) {
    object(out, keys.iter().zip(row), value);
}

/// A page of a list.
pub(crate) fn page<R: AsRef<[Datum]>>(
    keys: &[Key],
    rows: &[R],
    next: Option<&str>,
    total: Option<(i64, Counting)>,
) -> Vec<u8> {
    let mut out = Vec::with_capacity(64 + rows.len() * keys.len() * 32);
    out.extend_from_slice(b"{\"items\":[");
    for (index, of) in rows.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        row(&mut out, keys, of.as_ref());
    }
    out.extend_from_slice(b"],\"next\":");
    match next {
        Some(next) => text(&mut out, next),
        None => out.extend_from_slice(b"null"),
    }
    if let Some((total, counting)) = total {
        out.extend_from_slice(b",\"total\":");
        let most = i64::from(MOST_COUNTED);
        match counting {
            Counting::Exact => write(&mut out, &total),
            Counting::Estimated => {
                write(&mut out, &total.min(most));
                let is = if total > most { "at_least" } else { "exact" };
                out.extend_from_slice(format!(",\"total_is\":\"{is}\"").as_bytes());
            }
        }
    }
    out.push(b'}');
    out
}

pub(crate) fn value(out: &mut Vec<u8>, datum: &Datum) {
    match datum {
        Datum::Text(value) => text(out, value),
        Datum::Null => out.extend_from_slice(b"null"),
        Datum::Boolean(value) => write(out, value),
        Datum::Integer(value) => write(out, value),
        Datum::Decimal(_) => write(out, &datum.to_json()),
        // A tree already.
        Datum::Json(value) => write(out, value),
    }
}

fn text(out: &mut Vec<u8>, text: &str) {
    write(out, text);
}

/// Neither text nor a tree of JSON fails, nor does a vector.
fn write(out: &mut Vec<u8>, value: &(impl serde::Serialize + ?Sized)) {
    serde_json::to_writer(out, value).unwrap_or_else(|error| unreachable!("JSON into memory: {error}"));
}

#[cfg(test)]
mod tests {
    use super::{Key, page};
    use crate::listing::Counting;
    use serde_json::json;
    use vocab::Datum;

    #[test]
    fn the_bytes_are_those_of_the_tree() {
        let row = vec![
            Datum::Text("a \"b\" \\ \u{1} \u{e9} \u{1f600}\n".to_owned()),
            Datum::Integer(-7),
            Datum::Boolean(true),
            Datum::Null,
            Datum::Json(json!({"z": [1, "x"], "a": null})),
        ];
        let fields = ["text", "num\"ber", "boolean", "nothing", "document"];
        let item: serde_json::Value =
            fields.iter().zip(&row).map(|(name, datum)| ((*name).to_owned(), datum.to_json())).collect();
        for (rows, items, next) in
            [(vec![], json!([]), None), (vec![row.clone(), row], json!([item, item]), Some("ab"))]
        {
            let expected = json!({"items": items, "next": next}).to_string();
            assert_eq!(String::from_utf8(page(&fields.map(Key::new), &rows, next, None)).unwrap(), expected);
            for (found, counting, told) in [
                (12_000, Counting::Exact, json!({"total": 12_000})),
                (10_000, Counting::Estimated, json!({"total": 10_000, "total_is": "exact"})),
                (10_001, Counting::Estimated, json!({"total": 10_000, "total_is": "at_least"})),
            ] {
                let mut expected = json!({"items": items, "next": next});
                expected.as_object_mut().unwrap().extend(told.as_object().unwrap().clone());
                let counted = page(&fields.map(Key::new), &rows, next, Some((found, counting)));
                assert_eq!(String::from_utf8(counted).unwrap(), expected.to_string());
            }
        }
    }
}
