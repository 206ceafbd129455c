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

#[test]
fn elements_are_members_without_their_prefix() {
    let body = r#"<?xml version="1.0"?><s:List xmlns:s="urn:x"><Name>a&amp;b &#65;</Name>
        <Contents><Key>1</Key></Contents><!-- no --><Contents><Key><![CDATA[<2>]]></Key></Contents><Empty/><With a="1"/></s:List>"#;
    let expected = json!({ "List": {
        "@s": "urn:x", "Name": "a&b A", "Contents": [{ "Key": "1" }, { "Key": "<2>" }], "Empty": "", "With": { "@a": "1" } } });
    check(AnswerFormat::Xml, body, Some(expected));
}

#[test]
fn xml_that_could_do_harm_is_none() {
    let deep = format!("{}{}", "<a>".repeat(65), "</a>".repeat(65));
    for body in ["<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>", "<a>&unknown;</a>", "<a><b></a>", "<a>", "text", &deep] {
        check(AnswerFormat::Xml, body, None);
    }
}
