//! Bodies as providers write them, and the documents that they are.

use super::read;
use manifest::provider::AnswerFormat;
use serde_json::{Value, json};

#[track_caller]
fn check(format: AnswerFormat, body: &str, expected: Option<Value>) {
    assert_eq!(read(format, body.as_bytes()).ok(), expected, "{body}");
}

#[test]
fn json_may_begin_with_a_byte_order_mark() {
    check(AnswerFormat::Json, "\u{feff}{\"a\":1}", Some(json!({ "a": 1 })));
    check(AnswerFormat::Json, " \n", Some(Value::Null));
    check(AnswerFormat::Json, "<html>", None);
}

#[test]
fn forms_and_text() {
    check(AnswerFormat::Form, "a=1&b=x%20y+z&a=2", Some(json!({ "a": ["1", "2"], "b": "x y z" })));
    check(AnswerFormat::Text, "1", Some(json!("1")));
}

/// The bodies that the Node.js application reads in its own tests.
#[test]
fn xml_is_read_as_the_application_reads_it() {
    let vectors = include_str!("../../../emit/node/lib/test/vectors/xml.json");
    let vectors: Vec<Value> = serde_json::from_str(vectors).unwrap();
    for vector in vectors {
        check(AnswerFormat::Xml, vector["body"].as_str().unwrap(), vector.get("document").cloned());
    }
    let deep = |depth| format!("{}{}", "<a>".repeat(depth), "</a>".repeat(depth));
    assert!(read(AnswerFormat::Xml, deep(64).as_bytes()).is_ok());
    check(AnswerFormat::Xml, &deep(65), None);
}
