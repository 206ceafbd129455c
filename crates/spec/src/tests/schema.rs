//! The JSON Schema against a real validator, and against the parser: it refuses nothing that the parser accepts, and
//! accepts of what the parser refuses only what no schema can see.

use super::*;
use jsonschema::Validator;
use serde_json::Value as Json;

/// Codes about the text and not about the values in it. A schema never sees the text.
const ABOUT_THE_TEXT: &[vocab::Code] =
    &[EMPTY, NOT_YAML, TAB, FIELD_TWICE, TEMPLATE, FIELD_NAME_NOT_TEXT, TAG, UNKNOWN_ALIAS];

/// Codes about values that a schema cannot refuse, and why.
const INEXPRESSIBLE: &[(vocab::Code, &str)] = &[
    (BOUND_EXCEEDED, "bounds count what is spread over the document"),
    (ENDPOINT_TWICE, "compares two items of a list by some of their fields"),
    (DEPENDS_ON_ITSELF, "compares the values of two fields"),
    (TASK_ID_TWICE, "compares two documents"),
    (NAMED_TWICE, "compares two items of a list by some of their fields"),
    (NOT_DECLARED, "compares a name with a list elsewhere"),
    (SECRET_IN_TASK, "what is a secret depends on the shape of the text and the name of the field"),
    (ANOTHER_SERVICE_TYPE, "the letter case of spellings makes no difference"),
];

/// Single rules that a schema cannot express, behind codes that it can: a part of the message tells them apart.
const INEXPRESSIBLE_RULES: &[(vocab::Code, &str, &str)] = &[
    (NOT_A_RELATIONSHIP, "can be read in two ways", "where a text may be cut depends on a list elsewhere"),
    (NOT_A_LOCATION, "a URL of", "which URLs fit depends on another field"),
    (NOT_A_LOCATION, "leads to", "which URLs fit depends on another field"),
    (NOT_A_LOCATION, "begins with", "which URLs fit depends on another field"),
    (NOT_A_FREQUENCY, "counts from", "numbers inside of a text have no bounds"),
    (NOT_A_FREQUENCY, "the cron expression", "numbers inside of a text have no bounds"),
    (NOT_A_DURATION, "is not between", "numbers inside of a text have no bounds"),
    (NOT_A_RULE, "is less than", "compares the values of two fields"),
    (NOT_A_RULE, "has no `", "depends on the value of another field"),
    (NOT_A_RULE, "`default`", "depends on the value of another field"),
    (NOT_A_RULE, "`on_delete: set_null`", "depends on the value of another field"),
    (NOT_A_RULE, "`mode: full`", "depends on the value of another field"),
    (MISSING_FIELD, "does not tell what the file is", "depends on the ending of a text"),
    (MISSING_FIELD, "`mode: upsert` needs `key`", "depends on the value of another field"),
    (NOT_A_NAME, "is not a provider name", "a user's own provider may be spelled in many ways"),
    (ALTERNATIVES, "`provider` offers", "a user's own provider may be spelled in many ways"),
];

fn validator() -> Validator {
    let schema: Json = serde_json::from_str(&json_schema()).unwrap();
    assert!(jsonschema::meta::is_valid(&schema), "not a schema");
    jsonschema::draft202012::new(&schema).unwrap()
}

/// What the parser says of one document: its value, if it can be read, and the errors.
fn documents(text: &str) -> Vec<(Option<Json>, Vec<Diagnostic>)> {
    let source = Source::new("task.yaml", text);
    document::split(&source, &mut Vec::new())
        .into_iter()
        .map(|range| {
            let mut diagnostics = Vec::new();
            let root = document::read(&source, range, &mut diagnostics);
            if let Some(root) = &root {
                task::lower(&mut Lowering { source: &source, diagnostics: &mut diagnostics }, root);
            }
            diagnostics.retain(|diagnostic| diagnostic.severity == Severity::Error);
            (root.map(|root| root.to_json()), diagnostics)
        })
        .collect()
}

/// Whether a schema can see the mistake.
fn is_expressible(diagnostic: &Diagnostic) -> bool {
    let is_hidden = ABOUT_THE_TEXT.contains(&diagnostic.code)
        || INEXPRESSIBLE.iter().any(|(code, _)| *code == diagnostic.code)
        || INEXPRESSIBLE_RULES
            .iter()
            .any(|(code, part, _)| *code == diagnostic.code && diagnostic.message.contains(part));
    !is_hidden
}

fn full_tasks() -> Vec<PathBuf> {
    let full = entries(&cases("tasks").join("full"));
    assert_eq!(full.len(), 3);
    full
}

#[test]
fn the_schema_is_the_same_at_every_call_and_describes_every_field() {
    assert_eq!(json_schema(), json_schema());
    fn check(schema: &Json, path: &str) {
        if let Some(properties) = schema.get("properties").and_then(Json::as_object)
            && schema.get("additionalProperties") == Some(&Json::Bool(false))
        {
            for (name, property) in properties {
                let about = property["description"].as_str().unwrap_or_default();
                assert!(about.ends_with('.') || about.ends_with('`'), "{path}/{name}: {about:?}");
            }
        }
        match schema {
            Json::Object(fields) => fields.iter().for_each(|(name, value)| check(value, &format!("{path}/{name}"))),
            Json::Array(items) => items.iter().for_each(|item| check(item, path)),
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
        }
    }
    check(&serde_json::from_str(&json_schema()).unwrap(), "");
}

#[test]
fn the_schema_accepts_every_task_that_the_parser_accepts() {
    let validator = validator();
    for path in samples().into_iter().chain(full_tasks()) {
        let text = fs::read_to_string(&path).unwrap();
        for (json, errors) in documents(&text) {
            assert_eq!(render(&errors), "", "{}", path.display());
            let problems: Vec<String> = validator
                .iter_errors(&json.unwrap())
                .map(|error| format!("{}: {error}", error.instance_path()))
                .collect();
            assert_eq!(problems, Vec::<String>::new(), "{}", path.display());
        }
    }
}

#[test]
fn the_schema_refuses_every_rejected_case_that_it_can_express() {
    let validator = validator();
    let (mut refused, mut wrong) = (0, Vec::new());
    for case in entries(&cases("rejected")) {
        let text = fs::read_to_string(case.join("task.yaml")).unwrap();
        for (json, errors) in documents(&text) {
            let Some(json) = json else { continue };
            let is_valid = validator.is_valid(&json);
            let is_expected = errors.iter().any(is_expressible);
            refused += usize::from(!is_valid);
            if is_valid && is_expected {
                wrong.push(format!("{} is accepted:\n{}", case.display(), render(&errors)));
            }
            if !is_valid && errors.is_empty() {
                wrong.push(format!("{} is refused:\n{json}", case.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(refused >= 60, "{refused}");
}

/// Codes that a schema can express in part; the part that it can is shown here.
#[test]
fn the_schema_refuses_what_it_can_of_secrets_and_providers() {
    let validator = validator();
    let is_valid = |text: &str| validator.is_valid(&documents(text).remove(0).0.unwrap());
    let service = |provider: &str| {
        format!(
            "task_type: integrate_service\nspecifications:\n  service_integration: {{ service_type: email, provider: {provider}, integration_points: [checkout] }}\n"
        )
    };
    assert!(is_valid(&service("mailchimp")) && is_valid(&service("mine")) && !is_valid(&service("stripe")));
    let database = |password: &str| {
        format!(
            "task_type: configure_database\nspecifications:\n  database_config: {{ type: mysql, roles: [{{ name: app, access: owner, password: \"{password}\" }}] }}\n"
        )
    };
    assert!(is_valid(&database("${env:APP_PASSWORD}")) && !is_valid(&database("hunter2")));
}

/// Every value of full tasks is removed, renamed, and replaced by values of other kinds: parser and schema must agree each
/// time.
#[test]
fn the_schema_and_the_parser_agree_on_broken_tasks() {
    let validator = validator();
    let mut wrong = Vec::new();
    let mut count = 0;
    for path in samples().into_iter().chain(full_tasks()) {
        let text = fs::read_to_string(&path).unwrap();
        let original = documents(&text).remove(0).0.unwrap();
        for broken in broken_versions(&original) {
            count += 1;
            let (_, errors) = documents(&broken.to_string()).remove(0);
            let is_valid = validator.is_valid(&broken);
            let agrees = if is_valid { !errors.iter().any(is_expressible) } else { !errors.is_empty() };
            if !agrees {
                wrong.push(format!("valid: {is_valid}\n{}{broken}", render(&errors)));
            }
        }
    }
    assert!(count > 1_000, "{count}");
    assert!(wrong.is_empty(), "{} of {count}\n{}", wrong.len(), wrong[..wrong.len().min(8)].join("\n"));
}

fn broken_versions(original: &Json) -> Vec<Json> {
    let replacements = [
        Json::Null,
        Json::Bool(true),
        3.into(),
        0.into(),
        (-2.5).into(),
        "".into(),
        "other".into(),
        "Other Thing".into(),
        "${env:NAME}".into(),
        "5_minutes".into(),
        "a_to_b".into(),
        serde_json::json!([]),
        serde_json::json!(["other"]),
        serde_json::json!({}),
        serde_json::json!({ "other": "other" }),
    ];
    let mut broken = Vec::new();
    for (index, pointer) in pointers(original, "").into_iter().enumerate() {
        // A third of them, each time another third: all together take as long as all other tests of the crate.
        for replacement in replacements.iter().skip(index % 3).step_by(3) {
            let mut copy = original.clone();
            *copy.pointer_mut(&pointer).unwrap() = replacement.clone();
            broken.push(copy);
        }
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        let mut removed = original.clone();
        match removed.pointer_mut(parent).unwrap() {
            Json::Object(fields) => {
                let name = name.replace("~1", "/").replace("~0", "~");
                let value = fields.shift_remove(&name).unwrap();
                let mut renamed = original.clone();
                let fields = renamed.pointer_mut(parent).unwrap().as_object_mut().unwrap();
                fields.shift_remove(&name);
                fields.insert("Odd Name".to_owned(), value);
                broken.push(renamed);
            }
            Json::Array(items) => {
                items.remove(name.parse().unwrap());
            }
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => unreachable!("parents have children"),
        }
        broken.push(removed);
    }
    broken
}

fn pointers(value: &Json, path: &str) -> Vec<String> {
    let children: Vec<(String, &Json)> = match value {
        Json::Object(fields) => {
            fields.iter().map(|(name, value)| (name.replace('~', "~0").replace('/', "~1"), value)).collect()
        }
        Json::Array(items) => items.iter().enumerate().map(|(index, item)| (index.to_string(), item)).collect(),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => Vec::new(),
    };
    children
        .into_iter()
        .flat_map(|(name, child)| {
            let path = format!("{path}/{name}");
            let below = pointers(child, &path);
            std::iter::once(path).chain(below)
        })
        .collect()
}

#[test]
fn the_reasons_are_about_codes_that_exist() {
    let codes = INEXPRESSIBLE.iter().map(|(code, _)| code).chain(INEXPRESSIBLE_RULES.iter().map(|(code, ..)| code));
    for code in codes.chain(ABOUT_THE_TEXT) {
        assert!(ALL_CODES.contains(code), "{code}");
    }
}
