//! The form's rules, on the fast way and on the slow one.

use super::{FieldProblem, Place, check};
use crate::answer::Problem;

/// `pointer code` of each problem, or `ok`, or `malformed`.
fn outcome(body: &str) -> String {
    match check(body.as_bytes()) {
        Ok(_) => "ok".to_owned(),
        Err(Problem::ValidationFailed(problems)) => {
            let lines: Vec<String> =
                problems.iter().map(|problem| format!("{} {}", pointer(problem), problem.code)).collect();
            lines.join(", ")
        }
        Err(_) => "malformed".to_owned(),
    }
}

fn pointer(problem: &FieldProblem) -> &str {
    match &problem.place {
        Place::Pointer(pointer) => pointer,
        Place::Parameter(name) => panic!("parameter `{name}` of a body"),
    }
}

fn with(extra: &str) -> String {
    outcome(&format!(r#"{{"name":"Ada","email":"ada@example.com","message":"Hello"{extra}}}"#))
}

#[test]
fn good_bodies_pass() {
    assert_eq!(with(""), "ok");
    assert_eq!(with(r#","phone":"+44 (20) 7946-0958","company":null,"subject":"  ""#), "ok");
    assert_eq!(with(r#","name":"Grace","message":"two\nlines""#), "ok");
}

#[test]
fn what_is_trimmed_is_stored_trimmed() {
    let message = check(br#"{"name":" Ada\t","email":"ada@example.com","message":"m","subject":" "}"#).ok();
    let message = message.map(|message| (message.name, message.subject));
    assert_eq!(message, Some(("Ada".to_owned(), None)));
}

#[test]
fn every_wrong_field_is_named_in_order() {
    assert_eq!(outcome("{}"), "/name required, /email required, /message required");
    assert_eq!(
        with(r#","x~/y":1,"phone":5,"company":"a\u0000""#),
        "/phone type, /company invalid_character, /x~0~1y unknown_field"
    );
    assert_eq!(with(r#","phone":"12","email":"ada@example""#), "/email format, /phone format");
    assert_eq!(with(&format!(r#","subject":"{}""#, "é".repeat(201))), "/subject too_long");
    assert_eq!(with(&format!(r#","subject":"{}""#, "é".repeat(200))), "ok");
    assert_eq!(outcome("[]"), " type");
}

#[test]
fn what_is_not_json_is_malformed() {
    let deep = format!(r#","x":{}{}"#, "[".repeat(32), "]".repeat(32));
    assert_eq!(with(&deep), "malformed");
    for body in ["", "{", "{\"name\":\"\\ud800\"}", "\u{feff}{}", "{\"name\":1"] {
        assert_eq!(outcome(body), "malformed", "{body}");
    }
}
