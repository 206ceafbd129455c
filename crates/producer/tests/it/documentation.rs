//! The commands in the Markdown documents: a reader sets the variables as the document says, pastes a command, and is answered what
//! the document says. Each command runs in a shell, on both servers, over a database of its own. The collection for API clients is run by Postman's
//! own runner.

use crate::harness::Sample;
use crate::harness::server::{Kind, Server, node};
use crate::harness::workspace::{Workspace, end, files};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::process::Command;

crate::harness::on_both_servers!(
    the_commands_for_forms_are_answered_as_they_say,
    the_commands_for_records_are_answered_as_they_say,
    the_collection_is_answered_as_it_says
);

fn the_commands_for_forms_are_answered_as_they_say(kind: Kind) {
    check(kind, Sample::ContactNewsletter, 3);
}

fn the_commands_for_records_are_answered_as_they_say(kind: Kind) {
    check(kind, Sample::Products, 14);
}

/// Records, what stands in others, forms, files and a newsletter, from the first request to the last; then somebody who signs in.
fn the_collection_is_answered_as_it_says(kind: Kind) {
    if !Kind::Node.is_here() {
        return;
    }
    let prepared = Workspace::completed_with(Sample::Behaviours);
    let key = prepared.create_key();
    let all = asked(&prepared, &Server::start(kind, &prepared), &["--env-var", &format!("api_key={key}")]);
    assert!(all.contains("posts / remarks"), "{all}");
    let people = Workspace::completed_with(Sample::Accounts);
    let server = Server::start(kind, &people);
    asked(&people, &server, &["--folder", "POST /api/auth/register"]);
    asked(&people, &server, &["--folder", "POST /api/auth/login", "--folder", "users"]);
}

/// What the runner prints of the collection, whose every check must pass.
fn asked(workspace: &Workspace, server: &Server, words: &[&str]) -> String {
    let base_url = format!("base_url=http://{}", server.address);
    let run = ["node_modules/newman/bin/newman.js", "run", "documentation/postman-collection.json"];
    let ended = end(node(workspace, &run).args(["--color", "off", "--env-var", &base_url]).args(words));
    assert_eq!(ended.status, Some(0), "{}{}", ended.stdout, ended.stderr);
    ended.stdout
}

/// A command with what its document says comes back.
#[derive(Debug, Clone)]
struct Example {
    script: String,
    status: Option<u16>,
    body: Option<Json>,
}

/// A variable of a document: its name, what it is, and whose answer says it.
#[derive(Debug)]
struct Variable {
    name: String,
    is: String,
    from: String,
}

/// An answer as `curl --include` prints it.
struct Printed {
    status: u16,
    headers: BTreeMap<String, String>,
    body: String,
}

/// `least`: fewer commands than that mean that they were not found.
fn check(kind: Kind, sample: Sample, least: usize) {
    if !Command::new("curl").arg("--version").output().is_ok_and(|output| output.status.success()) {
        io::stderr().write_all(b"SKIPPED the commands in the documents: no `curl` on the path\n").unwrap();
        return;
    }
    let prepared = Workspace::completed_with(sample);
    let key = prepared.create_key();
    let mut examples = Vec::new();
    let mut variables = Vec::new();
    for (path, bytes) in files(&prepared.application) {
        if path.ends_with(".md") && (path.starts_with("apis/") || path.starts_with("documentation/")) {
            let text = String::from_utf8(bytes).unwrap();
            examples.extend(examples_in(&text));
            variables.extend(variables_in(&text));
        }
    }
    assert!(examples.len() >= least, "{} commands", examples.len());
    for example in &examples {
        let workspace = prepared.copy();
        let server = Server::start(kind, &workspace);
        let mut known = BTreeMap::from([
            ("BASE_URL".to_owned(), format!("http://{}", server.address)),
            ("API_KEY".to_owned(), key.clone()),
        ]);
        for variable in variables.iter().filter(|variable| example.script.contains(&format!("${}", variable.name))) {
            let source = examples.iter().find(|example| asks(example, &variable.from)).unwrap();
            // A page has another one behind it only where there are rows enough.
            let makers = examples.iter().filter(|other| other.status == Some(201) && !asks(other, &variable.from));
            for _ in 0..3 {
                makers.clone().for_each(|maker| drop(run(maker, &known)));
            }
            known.insert(variable.name.clone(), said(&run(source, &known), variable));
        }
        compare(kind, example, &run(example, &known));
    }
}

/// Whether the command is the one that the document calls `POST /api/products`.
fn asks(example: &Example, request: &str) -> bool {
    let (method, path) = request.split_once(' ').unwrap();
    example.script.contains(&format!("--request {method} \"$BASE_URL{path}\""))
        && example.status.is_some_and(|status| status < 300)
}

/// What an answer says of the variable.
fn said(answer: &Printed, variable: &Variable) -> String {
    let named = variable.is.split('`').nth(1).unwrap();
    match answer.headers.get(&named.to_ascii_lowercase()) {
        Some(value) => value.clone(),
        None => {
            let body: Json = serde_json::from_str(&answer.body).unwrap();
            body[named].as_str().unwrap_or_else(|| panic!("no `{named}` in {body}")).to_owned()
        }
    }
}

fn run(example: &Example, known: &BTreeMap<String, String>) -> Printed {
    let mut command = Command::new("sh");
    command.args(["-c", &example.script]).envs(known).env_remove("http_proxy").env("no_proxy", "*");
    let ended = end(&mut command).must_end_with(0);
    let (head, body) = ended.stdout.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{}", ended.stdout));
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok()).unwrap();
    let headers = lines.filter_map(|line| line.split_once(": "));
    let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
    Printed { status, headers, body: body.to_owned() }
}

fn compare(kind: Kind, example: &Example, answer: &Printed) {
    let context = format!("{kind:?}\n{}\n{}", example.script, answer.body);
    assert_eq!(Some(answer.status), example.status, "{context}");
    match &example.body {
        None if answer.status == 204 || answer.status == 304 => assert_eq!(answer.body, "", "{context}"),
        None => {}
        Some(wanted) => {
            let body: Json = serde_json::from_str(&answer.body).unwrap();
            if let Some(difference) = difference("", wanted, &body) {
                panic!("{difference}\n{context}");
            }
        }
    }
}

/// Where an answer has another shape than its example. A problem says the same every time, but for its request.
fn difference(pointer: &str, wanted: &Json, got: &Json) -> Option<String> {
    match (wanted, got) {
        (Json::Object(wanted), Json::Object(got)) => {
            let is_problem = wanted.contains_key("request_id");
            let keys = || wanted.keys().chain(got.keys());
            keys()
                .find(|key| !wanted.contains_key(*key) || !got.contains_key(*key))
                .map(|key| format!("{pointer}/{key}"))
                .or_else(|| {
                    keys().find_map(|key| match is_problem && key != "request_id" && wanted[key] != got[key] {
                        true => Some(format!("{pointer}/{key}: {} instead of {}", got[key], wanted[key])),
                        false => difference(&format!("{pointer}/{key}"), &wanted[key], &got[key]),
                    })
                })
        }
        (Json::Array(wanted), Json::Array(got)) => {
            got.iter().find_map(|got| difference(&format!("{pointer}/-"), wanted.first().unwrap_or(&Json::Null), got))
        }
        // The last page has no next one.
        (_, Json::Null) | (Json::Null, _) => None,
        (wanted, got) => {
            let is_same = std::mem::discriminant(wanted) == std::mem::discriminant(got);
            (!is_same).then(|| format!("{pointer}: {got} instead of something like {wanted}"))
        }
    }
}

/// Every fenced command that calls, with the status and the JSON that follow it before the next command.
fn examples_in(text: &str) -> Vec<Example> {
    let mut examples: Vec<Example> = Vec::new();
    let mut lines = text.lines();
    let mut is_answer_open = false;
    while let Some(line) = lines.next() {
        let mut block = || lines.by_ref().take_while(|line| *line != "```").collect::<Vec<_>>().join("\n");
        match line {
            "```sh" => {
                let script = block();
                is_answer_open = script.contains("curl ");
                if is_answer_open {
                    examples.push(Example { script, status: None, body: None });
                }
            }
            "```json" => {
                let body = serde_json::from_str(&block()).unwrap();
                if let Some(example) = examples.last_mut().filter(|_| is_answer_open) {
                    example.body = Some(body);
                    is_answer_open = false;
                }
            }
            _ if line.starts_with("Answer ") && is_answer_open => {
                let example = examples.last_mut().unwrap();
                example.status = line["Answer ".len()..].get(..3).and_then(|status| status.parse().ok());
                // An example of the answer follows a colon.
                is_answer_open = line.ends_with(':') && example.status.is_some();
            }
            _ => {}
        }
    }
    examples
}

/// The rows of the table of variables.
fn variables_in(text: &str) -> Vec<Variable> {
    let table = text.lines().skip_while(|line| !line.starts_with("| variable | is |")).skip(2);
    table
        .take_while(|line| line.starts_with('|'))
        .map(|row| {
            let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
            let plain = |cell: &str| cell.trim_matches('`').to_owned();
            Variable { name: plain(cells[0]), is: cells[1].to_owned(), from: plain(cells[2]) }
        })
        .collect()
}
