//! Values as the bytes of a JSON answer, written straight: no tree is built on the way. The bytes are those that
//! `Datum::to_json` would give.

use vocab::Datum;

/// An object of these fields.
pub(crate) fn object<'a>(out: &mut Vec<u8>, fields: impl Iterator<Item = (&'a str, &'a Datum)>) {
    out.push(b'{');
    for (index, (name, datum)) in fields.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        text(out, name);
        out.push(b':');
        value(out, datum);
    }
    out.push(b'}');
}

/// A page of a list.
pub(crate) fn page<R: AsRef<[Datum]>, N: AsRef<str>>(fields: &[N], rows: &[R], next: Option<&str>) -> Vec<u8> {
    let mut out = Vec::with_capacity(64 + rows.len() * fields.len() * 32);
    out.extend_from_slice(b"{\"items\":[");
    for (index, row) in rows.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        object(&mut out, fields.iter().map(AsRef::as_ref).zip(row.as_ref()));
    }
    out.extend_from_slice(b"],\"next\":");
    match next {
        Some(next) => text(&mut out, next),
        None => out.extend_from_slice(b"null"),
    }
    out.push(b'}');
    out
}

fn value(out: &mut Vec<u8>, datum: &Datum) {
    match datum {
        Datum::Text(value) => text(out, value),
        // Small, or a document that is a tree already.
        Datum::Null | Datum::Boolean(_) | Datum::Integer(_) | Datum::Decimal(_) => {
            out.extend_from_slice(datum.to_json().to_string().as_bytes());
        }
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
    use super::page;
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
            assert_eq!(String::from_utf8(page(&fields, &rows, next)).unwrap(), expected);
        }
    }
}
