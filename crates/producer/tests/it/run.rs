//! The command line: what `run` and its companions answer, make and leave alone.

use crate::harness::client::{Connection, ask, post};
use crate::harness::server::{Kind, Server, must_answer};
use crate::harness::workspace::{
    Ended, Workspace, change_times, end, end_with_input, files, producer, sample_with, task,
};
use crate::harness::{CONTACT_NEWSLETTER, MESSAGE, TASK_ID, repository};
use serde_json::{Value as Json, json};
use std::collections::BTreeSet;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

const CONTACT: (&str, &str) = ("/api/contact", "api_key");
const NEWSLETTER: (&str, &str) = ("/api/newsletter", "none");

#[test]
fn the_response_has_the_shape_of_the_contract() {
    let workspace = Workspace::new();
    let ended = workspace.run(&repository(CONTACT_NEWSLETTER)).must_end_with(0);
    let response = ended.response();
    for (pointer, expected) in [
        ("/status", json!("completed")),
        ("/task_id", json!(TASK_ID)),
        ("/output/format", json!("integration")),
        ("/output/location", json!(format!("{}/", workspace.application.display()))),
        ("/output/endpoints", json!(["http://127.0.0.1:8080/api/contact", "http://127.0.0.1:8080/api/newsletter"])),
        ("/output/serving/status", json!("not_listening")),
        ("/output/database/host", json!("embedded")),
        ("/output/database/status", json!("connected")),
        ("/output/metadata/api_version", json!("v1")),
        ("/output/metadata/security_level", json!("development")),
        ("/output/metadata/monitoring_enabled", json!(true)),
        ("/changed", json!(true)),
        ("/warnings", json!(["dependency `code_2025_001` is not known here and is taken to be done"])),
        ("/error", Json::Null),
    ] {
        assert_eq!(response.pointer(pointer).unwrap_or(&Json::Null), &expected, "{pointer}");
    }
    for pointer in ["/output/database/name", "/output/metadata/database_version", "/started_at", "/duration_ms"] {
        assert!(response.pointer(pointer).is_some(), "{pointer}");
    }
    let outcomes: BTreeSet<&str> = texts(&response["verification"], "/outcome");
    assert_eq!(outcomes, BTreeSet::from(["passed", "not_verified"]));

    let written = files(&workspace.application);
    let mut promised = texts(&response["files"], "");
    promised.insert("response.yaml");
    assert!(promised.into_iter().eq(written.keys()), "{:?}", written.keys());
    assert_eq!(format!("---\n{}", String::from_utf8_lossy(&written["response.yaml"])), ended.stdout);
    assert!(ended.stderr.starts_with("design_api_architecture: planning\n"), "{}", ended.stderr);
}

#[test]
fn a_second_run_changes_nothing() {
    // Made where it is: what a run notes of its folder is looked at.
    let workspace = Workspace::new();
    workspace.run(&repository(CONTACT_NEWSLETTER)).must_end_with(0);
    let state = |workspace: &Workspace| {
        let mut bytes = files(workspace.path());
        let mut times = change_times(workspace.path());
        let response = workspace.application.join("response.yaml");
        let response = response.strip_prefix(workspace.path()).unwrap().to_str().unwrap();
        bytes.remove(response).unwrap();
        times.remove(response).unwrap();
        // SQLite writes its file when it is opened.
        times.retain(|path, _| !path.starts_with(".producer/data/"));
        (bytes, times)
    };
    let before = state(&workspace);
    let response = workspace.run(&repository(CONTACT_NEWSLETTER)).must_end_with(0).response();
    assert_eq!(response["changed"], json!(false));
    assert!(state(&workspace) == before, "a file changed");
}

#[test]
fn an_edited_file_is_never_overwritten() {
    let workspace = Workspace::completed();
    let path = "apis/contact-newsletter-api/endpoints.js";
    let (file, beside) = (workspace.application.join(path), workspace.application.join(format!("{path}.new")));
    let generated = fs::read_to_string(&file).unwrap();
    let edited = format!("{generated}\n// ours\n");
    fs::write(&file, &edited).unwrap();

    let response = workspace.run(&repository(CONTACT_NEWSLETTER)).must_end_with(0).response();
    assert_eq!((fs::read_to_string(&file).unwrap(), beside.exists()), (edited.clone(), false));
    assert!(texts(&response["warnings"], "").contains(format!("`{path}` was edited and is kept").as_str()));

    let response = workspace.run_text(&sample_with(r#""none""#, r#""api_key""#)).must_end_with(0).response();
    assert_eq!(fs::read_to_string(&file).unwrap(), edited);
    let new = fs::read_to_string(&beside).unwrap();
    assert!(new != generated && new.matches("authorize(request").count() == 2, "{new}");
    let warning = format!("`{path}` was edited and is kept; its new version is `{path}.new`");
    assert!(texts(&response["warnings"], "").contains(warning.as_str()), "{response}");
    assert_eq!(response["changed"], json!(true));
}

#[test]
fn a_plan_is_shown_and_nothing_is_made() {
    let sample = repository(CONTACT_NEWSLETTER);
    let workspace = Workspace::new();
    let shown = end(workspace.command(&["run", "--plan"]).arg(&sample)).must_end_with(0);
    assert!(shown.stdout.contains("POST /api/contact") && shown.stdout.contains("because"), "{}", shown.stdout);
    let json = end(workspace.command(&["run", "--plan", "--format", "json"]).arg(&sample)).must_end_with(0);
    let plan: Json = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(plan["task_id"], json!(TASK_ID));
    assert_eq!(fs::read_dir(workspace.path()).unwrap().count(), 0);

    let missing = workspace.path().join("missing");
    end(producer(&["run", "--plan"]).arg(&sample).arg("--workspace").arg(&missing)).must_end_with(0);
    end(producer(&["check"]).arg(&sample).arg("--workspace").arg(&missing)).must_end_with(0);
    assert!(!missing.exists());
}

#[test]
fn the_plan_of_a_change_leaves_a_workspace_as_it_is() {
    let workspace = Workspace::completed();
    let before = files(workspace.path());
    let changed = sample_with("100_requests", "50_requests");
    let shown = end_with_input(&mut workspace.command(&["run", "--plan", "-"]), &changed).must_end_with(0);
    assert!(shown.stdout.contains("at most 50 requests"), "{}", shown.stdout);
    assert!(files(workspace.path()) == before);
}

#[test]
fn a_response_comes_as_json_too() {
    let workspace = Workspace::new();
    let run = &mut workspace.command(&["run", "--format", "json"]);
    let ended = end(run.arg(repository(CONTACT_NEWSLETTER))).must_end_with(0);
    let response: Json = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!((&response["status"], &response["changed"]), (&json!("completed"), &json!(true)));
}

#[test]
fn a_wrong_task_is_told_with_its_line() {
    let workspace = Workspace::new();
    let ended = workspace.run_text(&task("priorty: high", &[CONTACT], "")).must_end_with(2);
    let response = ended.response();
    assert_eq!(response["status"], json!("failed"));
    assert_eq!(
        (&response["error"]["kind"], &response["error"]["code"], &response["error"]["place"]),
        (&json!("task.invalid"), &json!("IP101"), &json!("-:1:1"))
    );
    assert_eq!(response["error"]["diagnostics"].as_array().map(Vec::len), Some(1));
    for part in ["IP101", "priorty: high", "help: did you mean `priority`?", "producer explain"] {
        assert!(ended.stderr.contains(part), "no `{part}` in\n{}", ended.stderr);
    }
    assert_eq!(fs::read_dir(workspace.path()).unwrap().count(), 0);
}

#[test]
fn a_right_task_is_carried_out_beside_a_wrong_one() {
    let workspace = Workspace::new();
    let text = format!("{}---\n{}", task("priorty: high", &[NEWSLETTER], ""), task("task_id: right", &[CONTACT], ""));
    let ended = workspace.run_text(&text).must_end_with(2);
    let responses: Vec<Json> = ended
        .stdout
        .split("---\n")
        .skip(1)
        .map(|response| serde_saphyr::from_str(response).unwrap_or_else(|error| panic!("{error}\n{response}")))
        .collect();
    let statuses: Vec<&Json> = responses.iter().map(|response| &response["status"]).collect();
    assert_eq!(statuses, [&json!("failed"), &json!("completed")]);
}

#[test]
fn what_is_not_built_yet_is_refused_plainly() {
    let file = repository("tests/cases/refused/a-provider-is-not-described/task.yaml");
    let workspace = Workspace::new();
    let checked = end(workspace.command(&["check"]).arg(&file)).must_end_with(2);
    assert!(checked.stdout.contains("IP201: nobody has described the provider `intercom` yet"), "{}", checked.stdout);
    let response = workspace.run(&file).must_end_with(2).response();
    assert_eq!(response["error"]["kind"], json!("task.invalid"));
    assert_eq!(response["error"]["diagnostics"].as_array().unwrap().len(), 1);
}

/// The sample as it is: what it does not name comes with it, proved as the rest is.
#[test]
fn a_login_brings_what_belongs_to_it() {
    let workspace = Workspace::new();
    let response = workspace.run(&repository("tests/cases/tasks/user-accounts-api.yaml")).must_end_with(0).response();
    assert_eq!(response["status"], "completed");
    let warnings = response["warnings"].as_array().unwrap();
    assert!(
        matches!(&warnings[..], [only] if only.as_str().unwrap().starts_with("no mail leaves this machine yet")),
        "{warnings:?}"
    );
    let verification = response["verification"].as_array().unwrap();
    for check in ["POST /api/auth/register answers a right request", "DELETE /api/auth/sessions/{id} asks for a token"]
    {
        let found = verification.iter().find(|made| made["check"] == json!(check));
        assert_eq!(found.map(|made| &made["outcome"]), Some(&json!("passed")), "{check}");
    }
    let again = workspace.run(&repository("tests/cases/tasks/user-accounts-api.yaml")).must_end_with(0).response();
    assert_eq!(again["changed"], json!(false));
}

#[test]
fn a_code_is_explained() {
    let page = end(&mut producer(&["explain", "IP104"])).must_end_with(0).stdout;
    assert_eq!(page, fs::read_to_string(repository("docs/errors/IP104.md")).unwrap());
    assert_eq!(end(&mut producer(&["explain", "ip104"])).must_end_with(0).stdout, page);
    let unknown = end(&mut producer(&["explain", "IP999"])).must_end_with(1);
    assert_eq!(unknown.stdout, "");
    assert!(unknown.stderr.contains("IP999") && unknown.stderr.contains("IP104"), "{}", unknown.stderr);
}

#[test]
fn a_task_without_an_id_keeps_the_one_it_gets() {
    let workspace = Workspace::new();
    let text = task("", &[CONTACT], "");
    let id = |ended: Ended| ended.must_end_with(0).response()["task_id"].as_str().unwrap().to_owned();
    let first = id(workspace.run_text(&text));
    assert!(first.starts_with("integration_2") && first.ends_with("_001"), "{first}");
    assert_eq!(id(workspace.run_text(&text)), first);
    let as_json = r#"{"task_type": "setup_api", "specifications": {"api_requirements": {"type": "rest", "endpoints":
        [{"path": "/api/newsletter", "method": "POST", "authentication": "none"}]}}}"#;
    assert_eq!(id(workspace.run_text(as_json)), first.replace("_001", "_002"));
}

#[test]
fn a_task_waits_for_a_dependency_that_is_not_completed() {
    let workspace = Workspace::new();
    let first = task("task_id: first", &[CONTACT], "");
    let second = task("task_id: second\ndependencies: [first]", &[NEWSLETTER], "");
    // The first comes as far as its files: where its folder should be there is a file.
    let in_the_way = workspace.path().join("in_the_way");
    fs::write(&in_the_way, "").unwrap();
    let run = &mut workspace.command(&["run", "-"]);
    let failed = end_with_input(run.arg("--output").arg(&in_the_way), &first).must_end_with(1).response();
    assert_eq!(
        (&failed["error"]["kind"], &failed["error"]["code"]),
        (&json!("api.endpoint_configuration"), &json!("in_the_way"))
    );

    let waiting = workspace.run_text(&second).must_end_with(3).response();
    assert_eq!(waiting["status"], json!("waiting"));
    assert_eq!(waiting["error"]["message"], json!("`first` is not completed"));
    assert_eq!(waiting["error"]["hint"], json!("run the task `first` first"));

    workspace.run_text(&first).must_end_with(0);
    workspace.run_text(&second).must_end_with(0);
    assert_eq!(workspace.migrations(), ["first 0001_initial", "second 0001_initial"]);
}

#[test]
fn a_task_may_be_changed_after_a_run_that_failed() {
    let workspace = Workspace::new();
    let in_the_way = workspace.path().join("in_the_way");
    fs::write(&in_the_way, "").unwrap();
    let run = &mut workspace.command(&["run", "-"]);
    let both = task("task_id: first", &[CONTACT, NEWSLETTER], "");
    end_with_input(run.arg("--output").arg(&in_the_way), &both).must_end_with(1);
    workspace.run_text(&task("task_id: first", &[CONTACT], "")).must_end_with(0);
}

#[test]
fn a_server_may_be_ended_as_soon_as_it_listens() {
    let workspace = Workspace::completed();
    for kind in Kind::all_here() {
        for _ in 0..5 {
            let server = Server::start(kind, &workspace);
            server.terminate();
            assert_eq!(server.wait().code(), Some(0), "{kind:?}");
        }
    }
}

#[test]
fn a_server_that_ends_takes_back_only_its_own_announcement() {
    let workspace = Workspace::completed();
    let first = Server::start(Kind::Native, &workspace);
    let _second = Server::start(Kind::Native, &workspace);
    first.terminate();
    assert_eq!(first.wait().code(), Some(0));
    let response = workspace.run(&repository(CONTACT_NEWSLETTER)).must_end_with(0).response();
    assert_eq!(response["output"]["serving"], json!({"status": "listening"}));
}

#[test]
fn two_tasks_cannot_answer_one_route() {
    let workspace = Workspace::new();
    workspace.run_text(&task("task_id: first", &[CONTACT], "")).must_end_with(0);
    let taken = workspace.run_text(&task("task_id: second", &[NEWSLETTER, CONTACT], "")).must_end_with(1).response();
    assert_eq!(taken["error"]["kind"], json!("api.endpoint_configuration"));
    assert_eq!(taken["error"]["message"], json!("`POST /api/contact` is served by task `first` already"));
    workspace.run_text(&task("task_id: second", &[NEWSLETTER], "")).must_end_with(0);
    let server = Server::start(Kind::Native, &workspace);
    must_answer(&server, &workspace, 201, 202);
}

#[test]
fn two_kinds_of_records_may_have_the_same_fields() {
    let fields = "validation: { name: { type: line, required: true } }";
    let endpoints: String = ["widgets", "gadgets"]
        .iter()
        .map(|kind| {
            format!(
                "      - {{ path: /api/{kind}, method: POST, authentication: none, {fields} }}
      - {{ path: /api/{kind}, method: GET, authentication: none }}\n"
            )
        })
        .collect();
    Workspace::new().run_text(&task("task_id: alike", &[], &endpoints)).must_end_with(0);
}

#[test]
fn a_key_is_shown_once_and_kept_nowhere() {
    let workspace = Workspace::completed();
    let made = end(&mut workspace.command(&["keys", "create", "--name", "website"])).must_end_with(0);
    let key = made.stdout.trim_end();
    assert_eq!(made.stdout, format!("{key}\n"));
    assert!(key.starts_with("ipk_") && key.len() == 34 && key[4..].bytes().all(|byte| byte.is_ascii_alphanumeric()));
    assert!(!made.stderr.contains(key));
    let server = Server::start(Kind::Native, &workspace);
    assert_eq!(ask(server.address, &post("/api/contact", Some(key), MESSAGE), "").unwrap().status, 201);
    let listed = end(&mut workspace.command(&["keys", "list"])).must_end_with(0).stdout;
    assert!(listed.contains(&key[..8]) && listed.contains("website") && !listed.contains(key), "{listed}");

    let hash = workspace.query("SELECT hash FROM api_keys").remove(0).remove(0);
    let holds = |bytes: &[u8], text: &str| bytes.windows(text.len()).any(|part| part == text.as_bytes());
    for (path, bytes) in files(workspace.path()) {
        assert!(!holds(&bytes, key), "the key is in {path}");
        assert!(!holds(&bytes, &hash) || path.starts_with(".producer/data/embedded.sqlite"), "the hash is in {path}");
    }
    assert!(!listed.contains(&hash) && !server.log().contains(key));
}

#[test]
fn keys_need_a_database_and_a_name() {
    let empty = end(&mut Workspace::new().command(&["keys", "create", "--name", "a"])).must_end_with(1);
    assert_eq!((empty.stdout.as_str(), empty.stderr.contains("run a task first")), ("", true));
    let workspace = Workspace::completed();
    let nameless = end(&mut workspace.command(&["keys", "create", "--name", ""])).must_end_with(1);
    assert!(nameless.stderr.contains("a name of 1 to 100 characters"), "{}", nameless.stderr);
    let unknown = end(&mut workspace.command(&["keys", "revoke", "nobody"])).must_end_with(1);
    assert!(unknown.stderr.contains("no key that works has the id `nobody`"), "{}", unknown.stderr);
}

#[test]
fn there_must_be_something_to_serve() {
    let workspace = Workspace::new();
    let ended = end(&mut workspace.command(&["serve", "--listen", "127.0.0.1:0"])).must_end_with(1);
    assert_eq!(ended.stderr, "producer: this workspace has no completed API: run a task first\n");
    assert_eq!(fs::read_dir(workspace.path()).unwrap().count(), 0);
}

#[test]
fn the_response_knows_who_serves() {
    let workspace = Workspace::new();
    let run = &mut workspace.command(&["run", "--serve", "--listen", "127.0.0.1:0"]);
    let server = Server::of(run.arg(repository(CONTACT_NEWSLETTER)));
    must_answer(&server, &workspace, 201, 202);
    let serving = |text: &str| workspace.run_text(text).must_end_with(0).response()["output"].take();
    let same = serving(&sample_with("", ""));
    assert_eq!(same["serving"], json!({"status": "listening"}));
    assert_eq!(same["endpoints"][0], json!(format!("http://{}/api/contact", server.address)));
    let changed = serving(&sample_with("100_requests", "50_requests"));
    assert_eq!(changed["serving"], json!({"status": "listening"}), "the server has taken the new plan over");
    server.terminate();
    assert_eq!(server.wait().code(), Some(0));
    assert_eq!(serving(&sample_with("100_requests", "50_requests"))["serving"]["status"], json!("not_listening"));
}

/// The texts at that pointer in every element of a list.
fn texts<'a>(list: &'a Json, pointer: &str) -> BTreeSet<&'a str> {
    list.as_array().unwrap().iter().map(|element| element.pointer(pointer).unwrap().as_str().unwrap()).collect()
}

/// The routes change under load: no request is dropped, and what was counted against a limit stays counted.
#[test]
fn a_server_takes_over_what_becomes_active() {
    let workspace = Workspace::new();
    workspace.run_text(&task("task_id: first", &[CONTACT], "")).must_end_with(0);
    let server = Server::start(Kind::Native, &workspace);
    let ask = |method: &str, path: &str| {
        let mut connection = Connection::open(server.address).unwrap();
        let request = format!("{method} {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        connection.send(request.as_bytes()).unwrap();
        connection.answer(method).unwrap()
    };
    assert_eq!(ask("POST", "/api/newsletter").status, 404);
    let before = ask("POST", "/api/contact").headers["ratelimit"].clone();
    let is_done = AtomicBool::new(false);
    let (asked, refused) = thread::scope(|scope| {
        let load = scope.spawn(|| {
            let mut asked = 0;
            let mut refused = 0;
            while !is_done.load(Ordering::Relaxed) {
                asked += 1;
                refused += usize::from(ask("GET", "/healthz").status != 200);
            }
            (asked, refused)
        });
        let second = workspace.run_text(&task("task_id: second", &[NEWSLETTER], "")).must_end_with(0).response();
        assert_eq!(second["output"]["serving"], json!({"status": "listening"}));
        is_done.store(true, Ordering::Relaxed);
        load.join().unwrap()
    });
    assert!(asked > 10, "{asked}");
    assert_eq!(refused, 0);
    assert_eq!(ask("POST", "/api/newsletter").status, 400);
    let after = ask("POST", "/api/contact").headers["ratelimit"].clone();
    let left = |header: &str| header.split("r=").nth(1).unwrap().split(';').next().unwrap().parse::<u32>().unwrap();
    assert_eq!(left(&after) + 1, left(&before), "{before} {after}");
}

/// A service manager may ask a server to end as soon as it says that it listens.
#[test]
fn a_server_that_has_just_begun_ends_well() {
    let workspace = Workspace::completed();
    for _ in 0..5 {
        let server = Server::start(Kind::Native, &workspace);
        server.terminate();
        assert_eq!(server.wait().code(), Some(0));
    }
}
