//! Texts of every kind there and back: what a manifest says is what a plan keeps.

use crate::outcome::Status;
use crate::pointer::Pointer;
use crate::template::{Expression, Template, Text};
use crate::transformation::NAMES;

#[test]
fn values_are_written_as_they_were_read() {
    for text in [
        "plain",
        "",
        "${credential.key}",
        "https://${setting.dc}.example/${value.version}",
        "${input.name | trim | truncate(40) | or('-')}",
        "${input.amount | minor_units(input.currency)}",
        "${page.next | or(input.cursor)}",
        "${input.text | after('|')}",
        "${body/links/[rel=approve,payer-action]/href | from_unix_seconds}",
        "${answer.create_order.url}${webhook.kinds}${header.X-Event-Id}${host.api}",
    ] {
        assert_eq!(Text::parse(text).map(|parsed| parsed.to_string()), Ok(text.to_owned()));
    }
}

#[test]
fn what_is_no_value_is_refused_with_what_was_meant() {
    for (text, expected) in [
        ("${credential.key", "`${credential.key` lacks its `}`"),
        ("${credentials.key}", "`credentials.key` names nothing: did you mean `credential`?"),
        ("${credential}", "`credential` lacks a name: `credential.NAME`"),
        (
            "${delivery.ids}",
            "there is no `delivery.ids`: there is `delivery.id`, `delivery.key`, `delivery.time`, `delivery.event`",
        ),
        ("${input.a | trimm}", "no transformation is called `trimm`: did you mean `trim`?"),
        ("${input.a | trim(2)}", "`trim` takes no brackets"),
        ("${input.a | truncate}", "write a whole number behind it: `truncate(2)`"),
        ("${input.a | truncate(x}", "`truncate(x` lacks its `)`"),
        ("${input.a | or('x)}", "`'x` lacks its quote"),
        ("${input.a | minor_units('EUR')}", "write the currency behind it: `minor_units(input.currency)`"),
        ("${body/a//b}", "`/a//b` is no path into a document: a step between two `/` is empty"),
    ] {
        assert_eq!(Text::parse(text), Err(expected.to_owned()), "{text}");
    }
}

/// A name that is listed is one that can be written, and the other way round.
#[test]
fn every_transformation_is_listed() {
    for name in NAMES {
        let forms = ["", "(2)", "('-')", "(input.currency)"];
        let read = forms.iter().filter_map(|form| Expression::parse(&format!("input.a | {name}{form}")).ok());
        let told: Vec<String> = read.map(|expression| expression.to_string()).collect();
        assert!(told.iter().any(|text| text.starts_with(&format!("input.a | {name}"))), "{name}");
    }
}

#[test]
fn paths_have_steps() {
    for path in ["", "/a", "/a/0/*/b", "/[rel=a,b]/href", "/Envelope/@type"] {
        assert_eq!(Pointer::parse(path).map(|parsed| parsed.to_string()), Ok(path.to_owned()));
    }
    for wrong in ["a", "/", "/a/", "/[a]", "/[=b]", "/[a=]", &"/a".repeat(21)] {
        assert!(Pointer::parse(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn statuses_are_one_or_a_hundred() {
    let status = |text: &str| serde_json::from_str::<Status>(text).ok();
    assert_eq!(status("\"429\""), Some(Status::Exactly(429)));
    assert_eq!(status("\"5xx\""), Some(Status::Hundred(5)));
    assert!(Status::Hundred(5).is(503) && !Status::Hundred(5).is(404) && !Status::Exactly(429).is(428));
    for wrong in ["\"42\"", "\"600\"", "\"6xx\"", "\"xx\"", "\"5x\""] {
        assert_eq!(status(wrong), None, "{wrong}");
    }
}

#[test]
fn a_repetition_has_a_list_and_what_an_item_becomes() {
    let template = |text: &str| serde_json::from_str::<Template>(text);
    let text = r#"{"items":{"$each":"input.items","$as":{"name":"${item.name}"}},"n":[1,true,null]}"#;
    assert_eq!(serde_json::to_string(&template(text).unwrap()).unwrap(), text);
    for wrong in [r#"{"$each":"input.items"}"#, r#"{"$each":1,"$as":2}"#, r#"{"$for":"input.items","$as":2}"#, "1.5"] {
        assert!(template(wrong).is_err(), "{wrong}");
    }
}
