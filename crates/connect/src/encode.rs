//! How values are written into addresses, forms and XML. Values come in, encoded text goes out; nothing is left out here.

use crate::fill::as_text;
use serde_json::Value;
use std::fmt::Write as _;

/// Everything but letters, digits, `-`, `.`, `_` and `~` of ASCII as `%XX`, RFC 3986.
pub(crate) fn percent(text: &str) -> String {
    but(text, "")
}

/// The same, `[` and `]` as they are: so forms and parameters with brackets are written by those who invented them.
pub(crate) fn percent_but_brackets(text: &str) -> String {
    but(text, "[]")
}

/// The same, `/` as it is: a name that is a path.
pub(crate) fn percent_but_slashes(text: &str) -> String {
    but(text, "/")
}

fn but(text: &str, left: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut encoded, byte| {
        let character = char::from(byte);
        if byte.is_ascii_alphanumeric() || "-._~".contains(character) || left.contains(character) {
            encoded.push(character);
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
        encoded
    })
}

/// Text inside of an element or an attribute of XML. What XML cannot hold at all is left out.
pub(crate) fn xml(text: &str) -> String {
    let allowed = |character: &char| !character.is_control() || matches!(character, '\t' | '\n' | '\r');
    text.chars().filter(allowed).fold(String::with_capacity(text.len()), |mut encoded, character| {
        match character {
            '&' => encoded.push_str("&amp;"),
            '<' => encoded.push_str("&lt;"),
            '>' => encoded.push_str("&gt;"),
            '"' => encoded.push_str("&quot;"),
            '\'' => encoded.push_str("&apos;"),
            '\r' => encoded.push_str("&#13;"),
            other => encoded.push(other),
        }
        encoded
    })
}

/// `a[b][0]=c`: what is nested by brackets, items by their numbers.
pub(crate) fn form_nested(document: &Value) -> String {
    let mut pairs = Vec::new();
    nested("", document, &mut pairs);
    pairs.join("&")
}

fn nested(name: &str, value: &Value, pairs: &mut Vec<String>) {
    let inside = |member: &str| if name.is_empty() { member.to_owned() } else { format!("{name}[{member}]") };
    match value {
        Value::Object(members) => members.iter().for_each(|(member, value)| nested(&inside(member), value, pairs)),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(number, item)| nested(&inside(&number.to_string()), item, pairs));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            pairs.push(format!("{}={}", percent_but_brackets(name), percent_but_brackets(&scalar(value))));
        }
    }
}

/// `a=b&a=c`: an item of a list each, under the same name.
pub(crate) fn form_repeated(document: &Value) -> String {
    let pair = |name: &str, value: &Value| format!("{}={}", percent(name), percent(&scalar(value)));
    let members = document.as_object().into_iter().flatten();
    let pairs: Vec<String> = members
        .flat_map(|(name, value)| match value {
            Value::Array(items) => items.iter().map(|item| pair(name, item)).collect(),
            one => vec![pair(name, one)],
        })
        .collect();
    pairs.join("&")
}

/// Nothing is written as no text.
fn scalar(value: &Value) -> String {
    if value.is_null() { String::new() } else { as_text(value) }
}

#[cfg(test)]
mod tests {
    use super::{form_nested, form_repeated, percent, percent_but_brackets, xml};
    use serde_json::json;

    #[test]
    fn addresses() {
        assert_eq!(percent("a b+c/d[é]'!~"), "a%20b%2Bc%2Fd%5B%C3%A9%5D%27%21~");
        assert_eq!(percent_but_brackets("created[gte]>"), "created[gte]%3E");
    }

    #[test]
    fn forms() {
        let document = json!({ "a": [{ "b": 1, "c": null }, { "b": true }], "d": { "e f": "g&h" }, "i": [] });
        assert_eq!(form_nested(&document), "a[0][b]=1&a[0][c]=&a[1][b]=true&d[e%20f]=g%26h");
        assert_eq!(form_repeated(&json!({ "To": "+1", "Url": ["a", "b"], "No": [] })), "To=%2B1&Url=a&Url=b");
    }

    #[test]
    fn xml_holds_no_markup_of_a_value() {
        assert_eq!(xml("<a b=\"c\" d='&'>\u{0}\n"), "&lt;a b=&quot;c&quot; d=&apos;&amp;&apos;&gt;\n");
    }
}
