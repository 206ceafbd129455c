//! Every case of `tests/cases/http`, asked of both servers, on SQLite, PostgreSQL and MySQL or MariaDB, and on MongoDB where it holds what they
//! are about. The cases are `docs/http-manners.md` as
//! examples: those of the folder itself about the API of the first sample task, those of its folders about those of the others.
//!
//! Beside the placeholders of [`plan::http_case`] a case may use `${repeat:<text>:<number>}` anywhere, `{ "${times:<number>}": <entry> }` for
//! that many entries of a list, in which `${index}` counts from 0, and in expected headers `${seconds}` (a whole number from 1 to 60), `${uuid}`
//! (a UUIDv7), `${cookie:<name>}` (the cookie with a token) and `${absent}` (no such header).

use crate::harness::Sample;
use crate::harness::client;
use crate::harness::schema::{self, Schema};
use crate::harness::server::{Kind, Server, node};
use crate::harness::workspace::{Workspace, end};
use plan::http_case::{ANY, Answer, CaseKeys, CaseRequest, Expectation, HttpCase, Known};
use serde_json::Value as Json;
use std::fs;
use vocab::Engine;

/// In an expected header: none of that name.
const ABSENT: &str = "${absent}";

/// Makes a module of a sample's cases: one test of every file for each server on SQLite, one of all files for each other engine.
macro_rules! files {
    ($module:ident: $sample:expr, [$($name:ident),* $(,)?]) => {
        mod $module {
            use crate::harness::server::Kind;

            $(fn $name(kind: Kind) {
                let prepared = crate::harness::workspace::Workspace::completed_with($sample);
                super::check(kind, $sample, &prepared, stringify!($name));
            })*
            crate::harness::on_both_servers!($($name),*);

            #[test]
            fn on_postgresql() {
                super::check_on_server(vocab::Engine::PostgreSql, $sample);
            }

            #[test]
            fn on_mysql() {
                super::check_on_server(vocab::Engine::MySql, $sample);
            }

            #[test]
            fn the_emitted_application_passes_its_own_tests() {
                super::own_tests($sample);
            }

            #[test]
            fn every_file_of_cases_is_in_the_list() {
                assert_eq!(super::files_of($sample), [$(stringify!($name)),*]);
            }
        }
    };
}

files!(contact_newsletter: crate::harness::Sample::ContactNewsletter, [
    bodies, codings, contact, formats, headers, idempotency, keys, limits, newsletter, operations, request_ids, routes,
    validation,
]);
files!(behaviours: crate::harness::Sample::Behaviours, [
    caching, files, forms, health, nesting, subscriptions, tables,
]);
files!(products: crate::harness::Sample::Products, [
    articles, changes, codings, cors, creation, deletion, fields, filters, lists, patches, preferences, reading, repetitions,
    replacement, several,
]);
files!(accounts: crate::harness::Sample::Accounts, [accounts, newsletter]);
files!(of_users: crate::harness::Sample::Notes, [owners, permissions]);
files!(of_orders: crate::harness::Sample::Orders, [cancelling]);
files!(sessions: crate::harness::Sample::Sessions, [passwords, sessions]);
files!(on_tables: crate::harness::Sample::Workshop, [order, overlaps, references, rules]);
files!(on_keys: crate::harness::Sample::Depot, [counted, csv, deleted, given, leading, merged, several, together]);
files!(senders: crate::harness::Sample::Senders, [calls, proofs]);
files!(invoices: crate::harness::Sample::Invoices, [choices, dates, decimals, queries]);

/// What documents hold of it.
mod on_mongodb {
    use super::check_on_server;
    use crate::harness::Sample;
    use vocab::Engine::MongoDb;

    #[test]
    fn contact_newsletter() {
        check_on_server(MongoDb, Sample::ContactNewsletter);
    }

    #[test]
    fn products() {
        check_on_server(MongoDb, Sample::Products);
    }

    #[test]
    fn on_keys() {
        check_on_server(MongoDb, Sample::Depot);
    }

    #[test]
    fn senders() {
        check_on_server(MongoDb, Sample::Senders);
    }
}

/// The names of a sample's files, sorted.
pub fn files_of(sample: Sample) -> Vec<String> {
    let mut found: Vec<String> = fs::read_dir(sample.cases())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    found.sort();
    found
}

/// Each case over a file of its own.
fn own_tests(sample: Sample) {
    if Kind::Node.is_here() {
        passes_its_own_tests(&Workspace::completed_with(sample), None);
    }
}

/// Each case in a schema or a database of its own.
#[test]
fn the_emitted_application_passes_its_own_tests_on_servers() {
    for engine in [Engine::PostgreSql, Engine::MySql, Engine::MongoDb] {
        let Some(place) = Schema::empty(engine, "the application's own tests").filter(|_| Kind::Node.is_here()) else {
            continue;
        };
        passes_its_own_tests(&Workspace::completed_on(Sample::ContactNewsletter, place.url()), Some(place.url()));
    }
}

fn passes_its_own_tests(workspace: &Workspace, url: Option<String>) {
    let mut tests = node(workspace, &["--test", "test/api.test.js"]);
    let tests = end(tests.envs(url.map(|url| ("DATABASE_URL", url)))).must_end_with(0);
    let cases: Vec<Json> =
        serde_json::from_slice(&fs::read(workspace.application.join("test/cases.json")).unwrap()).unwrap();
    assert!(tests.stdout.contains(&format!("# pass {}\n", cases.len())), "{}", tests.stdout);
}

/// All files of a sample in one place: to complete the task there takes longer than to ask what a file asks.
fn check_on_server(engine: Engine, sample: Sample) {
    let Some(schema) = Schema::empty(engine, &format!("the cases of {sample:?}")) else { return };
    let prepared = Workspace::completed_on(sample, schema.url());
    for file in files_of(sample) {
        for kind in Kind::all_here() {
            check(kind, sample, &prepared, &file);
        }
    }
}

/// Asks a server everything in a file, and fails with all differences at once.
pub fn check(kind: Kind, sample: Sample, prepared: &Workspace, file: &str) {
    let keys = prepared.case_keys();
    let mut running: Option<Running> = None;
    let mut found = Vec::new();
    for case in read(sample, file) {
        let server = match running.take() {
            Some(server) if server.can_still_answer(&case) => server,
            Some(_) | None => Running::start(kind, sample, prepared),
        };
        found.extend(
            server
                .differences(&case, &keys)
                .into_iter()
                .map(|difference| format!("{kind:?} {file}.yaml `{}`: {difference}", case.name)),
        );
        running = Some(Running { requests: server.requests + 1 + case.repeat, ..server });
    }
    let log = running.map(|running| running.server.log()).unwrap_or_default();
    assert!(found.is_empty(), "\n{}\n\nlog of the last server:\n{log}", found.join("\n"));
}

/// A server over a database of its own.
struct Running {
    server: Server,
    workspace: Workspace,
    requests: u32,
    most_requests: u32,
}

impl Running {
    fn start(kind: Kind, sample: Sample, prepared: &Workspace) -> Self {
        let workspace = prepared.copy();
        if let Some(url) = &workspace.url {
            schema::clear(url);
        }
        Self { server: Server::start(kind, &workspace), workspace, requests: 0, most_requests: sample.most_requests() }
    }

    /// What looks at counts needs a server that nobody has asked yet. Servers count alike on every engine: over a file it is looked at,
    /// and elsewhere where a list counts for many.
    fn can_still_answer(&self, case: &HttpCase) -> bool {
        let counts = |(name, value): (&String, &String)| {
            matches!(name.as_str(), "ratelimit" | "retry-after") && value != ANY && value != ABSENT
        };
        let mut requests = case.parent.iter().chain(&case.before).chain([&case.request]);
        let is_looked_at =
            self.workspace.url.is_none() || requests.any(|request| request.body.as_ref().is_some_and(Json::is_array));
        let is_counted = is_looked_at && case.expect.headers.iter().any(counts);
        case.repeat == 1 && self.requests < self.most_requests && !is_counted
    }

    fn differences(&self, case: &HttpCase, keys: &CaseKeys) -> Vec<String> {
        let mut expect = case.expect.clone();
        if self.requests > 0
            && let Some(left) = expect.headers.get_mut("ratelimit").filter(|left| *left != ABSENT)
        {
            ANY.clone_into(left);
        }
        self.last_answer(case, keys).map_or_else(
            |problem| vec![problem],
            |(answer, known)| filled(&expect, &answer).differences(&answer, &known),
        )
    }

    /// The answer to compare, with what the answers before said.
    fn last_answer(&self, case: &HttpCase, keys: &CaseKeys) -> Result<(Answer, Known), String> {
        let mut known = Known::default();
        let ask = |request: &CaseRequest, known: &Known| {
            let mut request = request.clone();
            request.path = known.filled(&request.path);
            request.body = request.body.map(|body| known.filled_body(&body));
            request.headers.values_mut().for_each(|value| *value = keys.filled(&known.filled(value)));
            client::ask(self.server.address, &request, "").map_err(|error| format!("no answer: {error}"))
        };
        let make = |request: &CaseRequest, known: &Known| {
            let made = ask(request, known)?;
            if !(200..300).contains(&made.status) {
                let body = String::from_utf8_lossy(&made.body).into_owned();
                return Err(format!("the request before was answered {}: {body}", made.status));
            }
            Ok(made)
        };
        if let Some(parent) = &case.parent {
            known.note_parent(&make(parent, &known)?);
        }
        for before in &case.before {
            known.note(&make(before, &known)?);
        }
        let mut answer = ask(&case.request, &known)?;
        for _ in 1..case.repeat {
            answer = ask(&case.request, &known)?;
        }
        Ok((answer, known))
    }
}

fn read(sample: Sample, file: &str) -> Vec<HttpCase> {
    let text = fs::read_to_string(sample.cases().join(file).with_extension("yaml")).unwrap();
    let cases: Vec<Json> = serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{file}.yaml: {error}"));
    let case = |case| serde_json::from_value(expanded(case)).unwrap_or_else(|error| panic!("{file}.yaml: {error}"));
    cases.into_iter().map(case).collect()
}

/// The same with every `${repeat:<text>:<number>}` written out.
fn expanded(value: Json) -> Json {
    match value {
        Json::String(text) => Json::String(repeated(&text)),
        Json::Array(values) => values.into_iter().flat_map(listed).map(expanded).collect(),
        Json::Object(values) => values.into_iter().map(|(key, value)| (key, expanded(value))).collect(),
        Json::Null | Json::Bool(_) | Json::Number(_) => value,
    }
}

/// An entry of a list, as often as `${times:<number>}` says, each with its `${index}`.
fn listed(entry: Json) -> Vec<Json> {
    let times = |key: &str| key.strip_prefix("${times:")?.strip_suffix('}')?.parse().ok();
    let several = entry.as_object().and_then(|entry| entry.iter().find_map(|(key, value)| Some((times(key)?, value))));
    let Some((times, value)) = several else { return vec![entry] };
    let text = value.to_string();
    (0_u32..times).map(|index| serde_json::from_str(&text.replace("${index}", &index.to_string())).unwrap()).collect()
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
    filled.headers.retain(|name, wanted| wanted != ABSENT || answer.headers.contains_key(name));
    for (name, wanted) in &mut filled.headers {
        if let Some(got) = answer.headers.get(name).filter(|got| is_allowed(wanted, got)) {
            wanted.clone_from(got);
        }
    }
    filled
}

fn is_allowed(pattern: &str, got: &str) -> bool {
    let is_seconds = |text: &str| text.parse().is_ok_and(|seconds: u8| (1..=60).contains(&seconds));
    let part = |placeholder: &str| {
        let (before, after) = pattern.split_once(placeholder)?;
        got.strip_prefix(before)?.strip_suffix(after)
    };
    let is_token =
        |text: &str| text.len() == 43 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    let cookie = |name: &str| part(&format!("${{cookie:{name}}}"))?.strip_prefix(name)?.strip_prefix('=');
    if ["session", "__Host-session"].into_iter().find_map(cookie).is_some_and(is_token) {
        return true;
    }
    part("${seconds}").is_some_and(is_seconds) || is_with_uuids(pattern, got)
}

/// Every `${uuid}` of the pattern stands for a UUIDv7.
fn is_with_uuids(pattern: &str, got: &str) -> bool {
    let Some((before, after)) = pattern.split_once("${uuid}") else { return pattern == got };
    let rest = got.strip_prefix(before).and_then(|rest| rest.split_at_checked(36));
    rest.is_some_and(|(id, rest)| is_uuid(id) && is_with_uuids(after, rest))
}

fn is_uuid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
        && groups[2].starts_with('7')
        && groups.concat().bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}
