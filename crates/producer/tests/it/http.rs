//! Every case of `tests/cases/http`, asked of both servers. The cases are `docs/http-manners.md` as examples.
//!
//! Beside the placeholders of [`plan::http_case`] a case may use `${repeat:<text>:<number>}` anywhere, and in expected headers
//! `${seconds}` (a whole number from 1 to 60) and `${uuid}` (a UUIDv7).

use crate::harness::client;
use crate::harness::repository;
use crate::harness::server::{Kind, Server, node};
use crate::harness::workspace::{Workspace, end};
use plan::http_case::{ANY, Answer, Expectation, HttpCase};
use serde_json::Value as Json;
use std::fs;

const FOLDER: &str = "tests/cases/http";
/// Requests after which a server's limiter has too much of a past for the next case.
const MOST_REQUESTS: u32 = 80;

/// Makes one test of every file for each server.
macro_rules! files {
    ($($name:ident),* $(,)?) => {
        const FILES: &[&str] = &[$(stringify!($name)),*];
        $(fn $name(kind: Kind) {
            check(kind, stringify!($name));
        })*
        crate::harness::on_both_servers!($($name),*);
    };
}

files!(bodies, contact, formats, keys, limits, newsletter, operations, request_ids, routes, validation);

#[test]
fn every_file_of_cases_is_in_the_list() {
    let mut found: Vec<String> = fs::read_dir(repository(FOLDER))
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    found.sort();
    assert_eq!(found, FILES);
}

#[test]
fn the_emitted_application_passes_its_own_tests() {
    if Kind::Node.is_here() {
        let workspace = Workspace::completed();
        let tests = end(&mut node(&workspace, &["--test", "test/api.test.js"])).must_end_with(0);
        let cases: Vec<Json> =
            serde_json::from_slice(&fs::read(workspace.application.join("test/cases.json")).unwrap()).unwrap();
        assert!(tests.stdout.contains(&format!("# pass {}\n", cases.len())), "{}", tests.stdout);
    }
}

/// Asks a server everything in a file, and fails with all differences at once.
fn check(kind: Kind, file: &str) {
    let prepared = Workspace::completed();
    let key = prepared.create_key();
    let mut running: Option<Running> = None;
    let mut found = Vec::new();
    for case in read(file) {
        let server = match running.take() {
            Some(server) if server.can_still_answer(&case) => server,
            Some(_) | None => Running::start(kind, &prepared),
        };
        found.extend(
            server
                .differences(&case, &key)
                .into_iter()
                .map(|difference| format!("{kind:?} {file}.yaml `{}`: {difference}", case.name)),
        );
        running = Some(Running { requests: server.requests + case.repeat, ..server });
    }
    let log = running.map(|running| running.server.log()).unwrap_or_default();
    assert!(found.is_empty(), "\n{}\n\nlog of the last server:\n{log}", found.join("\n"));
}

/// A server over a database of its own.
struct Running {
    server: Server,
    _workspace: Workspace,
    requests: u32,
}

impl Running {
    fn start(kind: Kind, prepared: &Workspace) -> Self {
        let workspace = prepared.copy();
        Self { server: Server::start(kind, &workspace), _workspace: workspace, requests: 0 }
    }

    /// What looks at counts needs a server that nobody has asked yet.
    fn can_still_answer(&self, case: &HttpCase) -> bool {
        let counts =
            |(name, value): (&String, &String)| matches!(name.as_str(), "ratelimit" | "retry-after") && value != ANY;
        case.repeat == 1 && self.requests < MOST_REQUESTS && !case.expect.headers.iter().any(counts)
    }

    fn differences(&self, case: &HttpCase, key: &str) -> Vec<String> {
        let ask = || client::ask(self.server.address, &case.request, key);
        let answers: Result<Vec<Answer>, _> = (0..case.repeat).map(|_| ask()).collect();
        match answers {
            Ok(answers) => {
                let last = answers.last().unwrap();
                filled(&case.expect, last).differences(last, None)
            }
            Err(error) => vec![format!("no answer: {error}")],
        }
    }
}

fn read(file: &str) -> Vec<HttpCase> {
    let text = fs::read_to_string(repository(FOLDER).join(file).with_extension("yaml")).unwrap();
    let cases: Vec<Json> = serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{file}.yaml: {error}"));
    let case = |case| serde_json::from_value(expanded(case)).unwrap_or_else(|error| panic!("{file}.yaml: {error}"));
    cases.into_iter().map(case).collect()
}

/// The same with every `${repeat:<text>:<number>}` written out.
fn expanded(value: Json) -> Json {
    match value {
        Json::String(text) => Json::String(repeated(&text)),
        Json::Array(values) => values.into_iter().map(expanded).collect(),
        Json::Object(values) => values.into_iter().map(|(key, value)| (key, expanded(value))).collect(),
        Json::Null | Json::Bool(_) | Json::Number(_) => value,
    }
}

fn repeated(text: &str) -> String {
    let Some((before, rest)) = text.split_once("${repeat:") else { return text.to_owned() };
    // The text may hold colons and braces itself: the first `:<number>}` ends it.
    let ends = rest.match_indices(':').find_map(|(colon, _)| {
        let (number, after) = rest[colon + 1..].split_once('}')?;
        Some((&rest[..colon], number.parse().ok()?, after))
    });
    let (unit, number, after): (&str, usize, &str) = ends.unwrap_or_else(|| panic!("`{text}` is never closed"));
    format!("{before}{}{}", unit.repeat(number), repeated(after))
}

/// The same with what came back in the place of placeholders that allow it.
fn filled(expect: &Expectation, answer: &Answer) -> Expectation {
    let mut filled = expect.clone();
    for (name, wanted) in &mut filled.headers {
        if let Some(got) = answer.headers.get(name).filter(|got| is_allowed(wanted, got)) {
            wanted.clone_from(got);
        }
    }
    filled
}

fn is_allowed(pattern: &str, got: &str) -> bool {
    let part = |placeholder: &str| {
        let (before, after) = pattern.split_once(placeholder)?;
        got.strip_prefix(before)?.strip_suffix(after)
    };
    let is_seconds = |text: &str| text.parse().is_ok_and(|seconds: u8| (1..=60).contains(&seconds));
    part("${seconds}").is_some_and(is_seconds) || part("${uuid}").is_some_and(is_uuid)
}

fn is_uuid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
        && groups[2].starts_with('7')
        && groups.concat().bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}
