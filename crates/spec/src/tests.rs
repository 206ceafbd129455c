//! What the user sees: task text in, tasks and diagnostics out. Rejected tasks are folders in `tests/cases/rejected/`;
//! `UPDATE_GOLDEN=1` writes their `expected.txt` anew.
#![allow(clippy::disallowed_methods, reason = "tests read the case files and one environment variable")]

use super::*;
use std::fs;
use std::path::{Path, PathBuf};
use vocab::Severity;

fn cases(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/cases").join(folder)
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.sort();
    found
}

fn render(diagnostics: &[Diagnostic]) -> String {
    let line = |diagnostic: &Diagnostic| {
        let place = diagnostic.place.as_ref().unwrap();
        let severity = match diagnostic.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let help = diagnostic.help.as_ref().map(|help| format!(" (help: {help})")).unwrap_or_default();
        format!("{}:{} {} {severity} {}{help}\n", place.line, place.column, diagnostic.code, diagnostic.message)
    };
    diagnostics.iter().map(line).collect()
}

/// Diagnostics of a text, as the case files write them.
fn check(text: &str, expected: &str) {
    assert_eq!(render(&parse("task.yaml", text).diagnostics), expected);
}

/// The tasks of a text that must have no diagnostic.
fn accepted(text: &str) -> Vec<Task> {
    let parsed = parse("task.yaml", text);
    assert_eq!(render(&parsed.diagnostics), "");
    parsed.tasks
}

/// An API task with this inside `endpoints`.
fn api(endpoints: &str) -> String {
    format!("task_type: setup_api\nspecifications:\n  api_requirements:\n    type: rest\n    endpoints:\n{endpoints}")
}

fn only_api(text: &str) -> ApiRequirements {
    match accepted(text).remove(0).specification {
        Specification::SetupApi(api) => api,
        Specification::ConfigureDatabase | Specification::IntegrateService => panic!("not an API task"),
    }
}

#[test]
fn rejected_tasks_say_what_is_wrong_and_where() {
    let update = std::env::var("UPDATE_GOLDEN").is_ok();
    let mut wrong = Vec::new();
    for case in entries(&cases("rejected")) {
        let text = fs::read_to_string(case.join("task.yaml")).unwrap();
        let actual = render(&parse("task.yaml", &text).diagnostics);
        assert!(!actual.is_empty(), "{} is not rejected", case.display());
        let golden = case.join("expected.txt");
        if update {
            fs::write(&golden, &actual).unwrap();
        } else if fs::read_to_string(&golden).unwrap_or_default() != actual {
            wrong.push(format!("{}\n{actual}", case.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_code_has_its_page_and_a_case() {
    let pages = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/errors");
    let cases: String =
        entries(&cases("rejected")).iter().map(|case| fs::read_to_string(case.join("expected.txt")).unwrap()).collect();
    for code in ALL_CODES {
        assert!(pages.join(format!("{code}.md")).is_file(), "{code} has no page");
        assert!(cases.contains(&format!(" {code} ")), "{code} has no case");
    }
    let mut sorted = ALL_CODES.to_vec();
    sorted.sort();
    sorted.dedup();
    assert_eq!(sorted, ALL_CODES, "codes are in order, none twice");
}

#[test]
fn the_example_of_a_page_provokes_its_code() {
    let pages = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/errors");
    for code in ALL_CODES {
        let page = fs::read_to_string(pages.join(format!("{code}.md"))).unwrap();
        assert!(page.lines().count() <= 15, "the page of {code} is too long");
        let example = page.split("```yaml\n").nth(1).unwrap().split("```").next().unwrap();
        let diagnostics = parse("task.yaml", example).diagnostics;
        assert!(diagnostics.iter().any(|diagnostic| diagnostic.code == *code), "{code}:\n{}", render(&diagnostics));
    }
}

#[test]
fn the_sample_tasks_are_accepted() {
    let samples = entries(&cases("tasks"));
    assert_eq!(samples.len(), 5);
    for sample in samples {
        assert_eq!(accepted(&fs::read_to_string(sample).unwrap()).len(), 1);
    }
}

#[test]
fn a_sample_is_read_whole() {
    let text = fs::read_to_string(cases("tasks").join("contact-newsletter-api.yaml")).unwrap();
    let task = accepted(&text).remove(0);
    assert_eq!(task.task_id.as_ref().unwrap().as_str(), "integration_2025_001");
    assert_eq!(task.dependencies[0].as_str(), "code_2025_001");
    assert_eq!(task.priority, Priority::High);
    assert_eq!((task.place.line, task.place.column, task.place.length), (1, 1, 7));
    let api = only_api(&text);
    assert_eq!(api.kind.value, ApiKind::Rest);
    assert_eq!(api.rate_limiting.unwrap().value, RateLimit { limit: 100, window_seconds: 60, by: None });
    assert_eq!(api.documentation_format, DocumentationFormat::OpenApi31);
    let [contact, newsletter] = &api.endpoints[..] else { panic!("two endpoints") };
    assert_eq!((contact.path.as_str(), contact.method.as_str()), ("/api/contact", "POST"));
    assert_eq!(contact.authentication, Authentication::ApiKey);
    assert_eq!((contact.place.line, contact.place.column), (7, 15));
    assert_eq!(contact.authentication_place.as_ref().unwrap().line, 9);
    assert_eq!(newsletter.authentication, Authentication::None);
}

#[test]
fn everything_an_endpoint_can_say_is_read() {
    let api = only_api(&api("      - path: /api/orders/:order_id/lines/{id}
        method: patch
        authentication: jwt
        validation:
          email: email
          note: { type: string, max_length: 200, required: false }
        response_format: ndjson
        behavior: update_record
        entity: order_line
        access: owner
        cache: \"60 seconds\"
        rate_limiting: { limit: 5, per: second, by: key }
        emits: [order_changed]
"));
    let endpoint = &api.endpoints[0];
    assert_eq!(endpoint.path.as_str(), "/api/orders/{order_id}/lines/{id}");
    assert_eq!(endpoint.path.literals().collect::<Vec<_>>(), ["api", "orders", "lines"]);
    assert_eq!(endpoint.path.parameters().map(vocab::FieldName::as_str).collect::<Vec<_>>(), ["order_id", "id"]);
    assert_eq!((endpoint.method, endpoint.authentication), (Method::Patch, Authentication::Jwt));
    assert_eq!(endpoint.response_format, ResponseFormat::Ndjson);
    assert_eq!(endpoint.behavior.as_ref().unwrap().value.as_str(), "update_record");
    assert_eq!(endpoint.entity.as_ref().unwrap().value.as_str(), "order_line");
    assert_eq!(endpoint.access.as_ref().unwrap().value, "owner");
    assert_eq!(endpoint.cache.as_ref().unwrap().value, "60 seconds");
    assert_eq!(endpoint.emits[0].value.as_str(), "order_changed");
    let limit = RateLimit { limit: 5, window_seconds: 1, by: Some(LimitBy::Key) };
    assert_eq!(endpoint.rate_limiting.as_ref().unwrap().value, limit);
    let rules: Vec<_> = endpoint
        .validation
        .iter()
        .map(|field| {
            let rules: Vec<_> =
                field.rules.iter().map(|(rule, value)| (rule.value.as_str(), value.value.clone())).collect();
            (field.name.value.as_str(), rules)
        })
        .collect();
    let text = |text: &str| RuleValue::Text(text.to_owned());
    assert_eq!(rules[0], ("email", vec![("type", text("email"))]));
    let note =
        vec![("type", text("text")), ("required", RuleValue::Boolean(false)), ("max_length", RuleValue::Integer(200))];
    assert_eq!(rules[1], ("note", note));
}

#[test]
fn the_root_path_is_a_path() {
    let api = only_api(&api("      - { path: /, method: GET, authentication: none }\n"));
    assert_eq!(api.endpoints[0].path.as_str(), "/");
}

#[test]
fn json_indented_with_tabs_is_accepted() {
    let text =
        "{\n\t\"task_type\": \"configure_database\",\n\t\"specifications\": {\n\t\t\"database_config\": {}\n\t}\n}\n";
    assert_eq!(accepted(text)[0].specification, Specification::ConfigureDatabase);
}

#[test]
fn what_is_not_said_leaves_no_trace_in_the_text() {
    let one = "# a comment\ntask_id: a\ntask_type: 'integrate_service'\nspecifications:\n    service_integration: {a: [1, x]}\n";
    let other =
        "{\"task_type\": \"integrate_service\", \"specifications\": {\"service_integration\": {\"a\": [1, \"x\"]}}}";
    let expected = r#"{"task_type":"integrate_service","specifications":{"service_integration":{"a":[1,"x"]}}}"#;
    assert_eq!(accepted(one)[0].text, expected);
    assert_eq!(accepted(other)[0].text, expected);
}

#[test]
fn a_broken_document_does_not_hide_the_others() {
    let good = "task_type: configure_database\nspecifications:\n  database_config: {}\n";
    let text =
        format!("%YAML 1.2\n---\n{good}---\ntask_type: \"setup_api\nspecifications:\n---\n{good}...\n# the end\n");
    let parsed = parse("-", &text);
    assert_eq!(parsed.tasks.len(), 2);
    assert_eq!(parsed.tasks.iter().map(|task| task.place.line).collect::<Vec<_>>(), [3, 10]);
    assert_eq!(
        render(&parsed.diagnostics),
        "7:12 IP002 error this quoted text is never closed (help: add the closing quote)\n"
    );
}

#[test]
fn columns_are_characters() {
    check("{ \"größe\": 1, приоритет: 2, task_typ: 3, specifications: {} }", "\
1:3 IP101 error a task has no field `größe` (help: remove it, or use one of `task_id`, `task_type`, `specifications`, `dependencies`, `output_format`, `priority`)
1:15 IP101 error a task has no field `приоритет` (help: remove it, or use one of `task_id`, `task_type`, `specifications`, `dependencies`, `output_format`, `priority`)
1:29 IP101 error a task has no field `task_typ` (help: did you mean `task_type`?)
");
}

#[test]
fn places_survive_a_byte_order_mark_windows_lines_and_one_long_line() {
    check(
        "\u{feff}task_type: setup_api\r\nspecifications:\r\n  api_requirement: {}\r\n",
        "\
3:3 IP101 error `specifications` has no field `api_requirement` (help: did you mean `api_requirements`?)
",
    );
    let long = format!("{{\"task_id\": \"{}\", \"prioritie\": 1}}", "é".repeat(3_000));
    let diagnostics = parse("-", &long).diagnostics;
    let place =
        diagnostics.iter().find(|diagnostic| diagnostic.message.contains("prioritie")).unwrap().place.clone().unwrap();
    assert_eq!((place.line, place.column), (1, 3_017));
    assert_eq!(&long[place.offset..place.offset + place.length], "\"prioritie\"");
}

#[test]
fn too_much_is_refused_in_one_line() {
    let one_code = |text: &str, code: vocab::Code| {
        let codes: Vec<_> = parse("-", text).diagnostics.into_iter().map(|diagnostic| diagnostic.code).collect();
        assert_eq!(codes, [code]);
    };
    one_code(&format!("a: \"{}\"", "x".repeat(MAX_DOCUMENT_BYTES)), BOUND_EXCEEDED);
    one_code(&format!("a: [{}]", "1,".repeat(MAX_NODES)), BOUND_EXCEEDED);
    let endpoint = "      - { path: /a, method: GET, authentication: none }\n";
    one_code(&api(&endpoint.repeat(MAX_ENDPOINTS + 1)), BOUND_EXCEEDED);
    let documents =
        "---\ntask_type: configure_database\nspecifications:\n  database_config: {}\n".repeat(MAX_DOCUMENTS + 1);
    one_code(&documents, BOUND_EXCEEDED);
    assert_eq!(parse("-", &documents).tasks.len(), MAX_DOCUMENTS);
    one_code("\u{7}", NOT_YAML);
    let wrong = "      - { path: /a, method: GET, authentication: nobody }\n";
    let diagnostics = parse("-", &api(&wrong.repeat(MAX_DIAGNOSTICS + 9))).diagnostics;
    assert_eq!(diagnostics.len(), MAX_DIAGNOSTICS + 1);
    assert_eq!(diagnostics[MAX_DIAGNOSTICS].message, "9 more problems follow");
    let long = format!("task_type: {}\nspecifications: {{}}", "ö".repeat(10_000));
    assert!(parse("-", &long).diagnostics[0].message.len() < 2_000);
}

#[test]
fn no_text_makes_it_panic() {
    let sample = fs::read_to_string(cases("tasks").join("user-accounts-api.yaml")).unwrap();
    for (position, _) in sample.char_indices().step_by(4) {
        for inserted in ["", "\t", "\"", "é|", "[", "\n---\n", ": ", "\u{0}", "- ", "*"] {
            // Cut short, and with something in the way.
            let text = format!("{}{inserted}", &sample[..position]);
            let _ = parse("-", &text);
            let _ = parse("-", &format!("{text}{}", &sample[position..]));
        }
    }
}
