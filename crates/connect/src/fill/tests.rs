//! Templates with their values, and what they come to.

use super::{FillError, Scope, document, holds, text, value};
use manifest::outcome::BodyTest;
use manifest::provider::Currencies;
use manifest::reference::Reference;
use manifest::{Template, Text};
use serde_json::{Value, json};

struct Inputs(Value, Currencies);

impl Scope for Inputs {
    fn value(&self, name: &Reference) -> Option<Value> {
        match name {
            Reference::Input(field) => self.0.get(field.as_str()).cloned(),
            Reference::Body(pointer) => super::first(&self.0, pointer).cloned(),
            _ => None,
        }
    }

    fn currencies(&self) -> Option<&Currencies> {
        Some(&self.1)
    }
}

fn inputs(value: Value) -> Inputs {
    let codes = |code: &str| vec![code.to_owned()];
    let currencies =
        Currencies { without_decimals: codes("JPY"), with_three_decimals: codes("KWD"), not_taken: codes("UGX") };
    Inputs(value, currencies)
}

#[track_caller]
fn check(template: &str, given: Value, expected: Option<Value>) {
    let template = Text::parse(template).unwrap();
    assert_eq!(value(&template, &inputs(given)), Ok(expected), "{template}");
}

#[test]
fn a_value_alone_keeps_its_kind_and_text_around_it_makes_text() {
    check("${input.n}", json!({ "n": 3 }), Some(json!(3)));
    check("n ${input.n}", json!({ "n": 3 }), Some(json!("n 3")));
    check("${input.yes}!", json!({ "yes": true }), Some(json!("true!")));
}

#[test]
fn what_is_absent_makes_the_text_around_it_absent() {
    check("${input.no}", json!({}), None);
    check("a ${input.no}", json!({ "no": null }), None);
    check("${input.no | or('-')}", json!({}), Some(json!("-")));
    check("${input.no | or(input.other)}", json!({ "other": 1 }), Some(json!(1)));
    check("${input.no | lowercase}", json!({}), None);
}

#[test]
fn text_is_taken_apart() {
    let name = || json!({ "n": " Ada  King Lovelace " });
    check("${input.n | first_word}", name(), Some(json!("Ada")));
    check("${input.n | other_words}", name(), Some(json!("King Lovelace")));
    check("${input.n | other_words}", json!({ "n": "Ada" }), None);
    check("${input.n | trim | uppercase | truncate(3)}", name(), Some(json!("ADA")));
    check("${input.n | truncate(1)}", json!({ "n": "äö" }), Some(json!("ä")));
    check("${input.n | after('-')}", json!({ "n": "a-b-us6" }), Some(json!("us6")));
    check("${input.n | after('-')}", json!({ "n": "us6" }), None);
    check("${input.n | before('@')}", json!({ "n": "ada@x.org" }), Some(json!("ada")));
    check("${input.n | digits}", json!({ "n": "+49 (30) 1" }), Some(json!("49301")));
}

#[test]
fn an_address_takes_one_more_parameter() {
    let with = |url: &str| json!({ "u": url, "order_id": "a b&c" });
    check(
        "${input.u | with_parameter(input.order_id)}",
        with("https://x.org/y"),
        Some(json!("https://x.org/y?order_id=a%20b%26c")),
    );
    check(
        "${input.u | with_parameter(input.order_id)}",
        with("https://x.org/y?z=1#top"),
        Some(json!("https://x.org/y?z=1&order_id=a%20b%26c#top")),
    );
    check("${input.u | with_parameter(input.no)}", with("https://x.org/y"), Some(json!("https://x.org/y")));
}

#[test]
fn what_another_value_stands_for_is_absent() {
    check("${input.e | unless(input.c)}", json!({ "e": "ada@x.org", "c": "cus_1" }), None);
    check("${input.e | unless(input.c)}", json!({ "e": "ada@x.org", "c": null }), Some(json!("ada@x.org")));
    check("${input.e | unless(input.c)}", json!({ "e": "ada@x.org" }), Some(json!("ada@x.org")));
}

#[test]
fn what_is_not_above_zero_is_absent() {
    for (number, expected) in [(json!(14), Some(json!(14))), (json!(0), None), (json!(-1), None)] {
        check("${input.n | positive}", json!({ "n": number }), expected);
    }
}

/// Digests of the empty text and of `abc`: RFC 1321 and FIPS 180-2. Base64: RFC 4648.
#[test]
fn digests_are_those_of_their_standards() {
    check("${input.n | md5}", json!({ "n": "abc" }), Some(json!("900150983cd24fb0d6963f7d28e17f72")));
    let sha = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    check("${input.n | sha256}", json!({ "n": "abc" }), Some(json!(sha)));
    check("${input.n | base64}", json!({ "n": "fooba" }), Some(json!("Zm9vYmE=")));
}

#[test]
fn money_is_exact() {
    let amount = |amount: &str, currency: &str| json!({ "a": amount, "c": currency });
    let minor = "${input.a | minor_units(input.c)}";
    check(minor, amount("19.99", "EUR"), Some(json!(1999)));
    check(minor, amount("19.9", "eur"), Some(json!(1990)));
    check(minor, amount("500", "JPY"), Some(json!(500)));
    check(minor, amount("500.00", "JPY"), Some(json!(500)));
    check(minor, amount("1.234", "KWD"), Some(json!(1234)));
    check(minor, json!({ "a": 19.99, "c": "EUR" }), Some(json!(1999)));
    check("${input.a | major_units(input.c)}", json!({ "a": 1999, "c": "usd" }), Some(json!("19.99")));
    check("${input.a | major_units(input.c)}", json!({ "a": -5, "c": "usd" }), Some(json!("-0.05")));
    check("${input.a | major_units(input.c)}", json!({ "a": 500, "c": "jpy" }), Some(json!("500")));
    check("${input.a | fixed(2)}", json!({ "a": "007.5" }), Some(json!("7.50")));
}

#[test]
fn times_are_those_of_utc() {
    let at = || json!({ "t": "2026-01-31T23:59:59.5+01:00" });
    check("${input.t | unix_seconds}", at(), Some(json!(1_769_900_399)));
    check("${input.t | unix_milliseconds}", at(), Some(json!(1_769_900_399_500_i64)));
    check("${input.t | day}", at(), Some(json!("2026-01-31")));
    check("${input.t | from_unix_seconds}", json!({ "t": 0 }), Some(json!("1970-01-01T00:00:00Z")));
    check("${input.t | from_unix_milliseconds}", json!({ "t": "1500" }), Some(json!("1970-01-01T00:00:01.5Z")));
}

#[test]
fn what_cannot_be_is_said_without_the_value() {
    let refused = |template: &str, given: Value| {
        let error = value(&Text::parse(template).unwrap(), &inputs(given)).unwrap_err().to_string();
        assert!(!error.contains("4711"), "{error}");
        error
    };
    let minor = "${input.a | minor_units(input.c)}";
    assert_eq!(
        refused(minor, json!({ "a": "4711.999", "c": "EUR" })),
        "`${input.a | minor_units(input.c)}` has more than 2 digits behind the point"
    );
    assert!(refused(minor, json!({ "a": "4711", "c": "UGX" })).contains("not in a currency"));
    assert!(refused(minor, json!({ "a": "4711" })).contains("not in a currency"));
    assert!(refused(minor, json!({ "a": "1e4711", "c": "EUR" })).contains("is not a number"));
    assert!(refused(minor, json!({ "a": "99999999999999994711", "c": "EUR" })).contains("digits"));
    assert!(refused("${input.a | lowercase}", json!({ "a": 4711 })).contains("is not text"));
    assert!(refused("${input.a | unix_seconds}", json!({ "a": "4711" })).contains("is not a point in time"));
}

#[test]
fn documents_keep_their_order_and_leave_out_what_is_absent() {
    let yaml = r#"{ "z": "${input.z}", "a": { "no": "${input.no}", "b": true }, "l": ["${input.no}", 1, null],
        "items": { "$each": "input.items", "$as": { "n": "${item.name}", "c": "${input.z}", "q": "${item.q}" } },
        "none": { "$each": "input.no", "$as": 1 } }"#;
    let template: Template = serde_json::from_str(yaml).unwrap();
    let given = inputs(json!({ "z": "Z", "items": [{ "name": "x" }, { "q": 2 }] }));
    let filled = document(&template, &given).unwrap().unwrap().to_string();
    assert_eq!(filled, r#"{"z":"Z","a":{"b":true},"l":[1,null],"items":[{"n":"x","c":"Z"},{"c":"Z","q":2}]}"#);
    let wrong = document(&template, &inputs(json!({ "items": "no list" })));
    assert_eq!(wrong, Err(FillError::Kind { expression: "input.items".to_owned(), wanted: "a list" }));
}

#[test]
fn paths_lead_to_members_choices_and_all_items() {
    let body = || json!({ "links": [{ "rel": "self", "href": 1 }, { "rel": "payer-action", "href": 2 }], "r": [{ "n": 1 }, {}, { "n": 3 }] });
    check("${body/links/[rel=approve,payer-action]/href}", body(), Some(json!(2)));
    check("${body/links/0/href}", body(), Some(json!(1)));
    check("${body/links/2/href}", body(), None);
    check("${body/r/*/n}", body(), Some(json!(1)));
    let found = super::at(&body(), &manifest::Pointer::parse("/r/*/n").unwrap()).len();
    assert_eq!(found, 2);
}

#[test]
fn tests_of_a_body() {
    let test = |yaml: &str, body: Value| {
        let test: BodyTest = serde_json::from_str(yaml).unwrap();
        holds(&test, &body, &inputs(json!({ "mine": "x" }))).unwrap()
    };
    assert!(test(r#"{ "at": "/a", "is": ["1", "2"] }"#, json!({ "a": 2 })));
    assert!(!test(r#"{ "at": "/a", "is": ["1", "2"] }"#, json!({})), "what is absent is nothing");
    assert!(test(r#"{ "at": "/a", "is_not": ["1"] }"#, json!({})));
    assert!(test(r#"{ "at": "/a", "is": ["${input.mine}"] }"#, json!({ "a": "x" })));
    assert!(!test(r#"{ "at": "/a/*", "is": ["1"] }"#, json!({ "a": [1, 2] })));
    assert!(test(r#"{ "at": "/a/*", "some": true, "is": ["1"] }"#, json!({ "a": [1, 2] })));
    assert!(!test(r#"{ "at": "/a", "present": true }"#, json!({ "a": null })));
    assert!(test(r#"{ "at": "/a", "present": false }"#, json!({ "a": null })));
    assert!(test(r#"{ "at": "/a", "contains": "b" }"#, json!({ "a": "abc" })));
    for (number, is) in [("5", true), ("4.99", false), ("5.01", true), ("x", false), ("-1", false)] {
        assert_eq!(test(r#"{ "at": "/a", "at_least": 5 }"#, json!({ "a": number })), is, "{number}");
    }
    assert!(!test(r#"{ "at": "/a", "at_least": 0 }"#, json!({ "a": "-0.5" })));
}

#[test]
fn text_of_a_list_is_its_json() {
    let filled = text(&Text::parse("${input.l | json_text} ${input.l | count}").unwrap(), &inputs(json!({ "l": [1] })));
    assert_eq!(filled, Ok(Some("[1] 1".to_owned())));
}
