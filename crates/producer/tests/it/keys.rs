//! API keys through their lives, on both servers: made with the command line of either, used, rotated, revoked, expired.

use crate::harness::client::{ask, post};
use crate::harness::server::{Kind, Server, node};
use crate::harness::workspace::{Ended, Workspace, end, files};
use crate::harness::{CONTACT_NEWSLETTER, MESSAGE, Sample, TASK_ID, repository};
use jiff::{SignedDuration, Timestamp};
use plan::http_case::Answer;
use plan::{Item, Migration, PersistedPlan, Plan, Statement, Step, TaskPlan};
use serde_json::{Value as Json, json};
use std::fs;
use std::thread;
use std::time::{Duration, Instant};
use store::AppliedMigration;

crate::harness::on_both_servers!(
    a_key_expires_exactly_while_it_is_in_use,
    a_key_is_held_to_its_scopes,
    a_key_of_either_command_works_and_is_listed,
    a_revoked_key_stops_within_a_second,
    a_rotated_key_and_its_successor_are_one_caller,
    it_is_known_when_a_key_was_used_last,
    nothing_that_is_printed_holds_a_key,
    what_makes_no_sense_is_refused,
);

/// As long as a server may go on believing what it knows of a key.
const MEMORY: Duration = Duration::from_secs(1);
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// The command that goes with a server, on the workspace's database: `producer keys`, or that of the application.
fn keys(kind: Kind, workspace: &Workspace, words: &[&str]) -> Ended {
    match kind {
        Kind::Native => end(&mut workspace.command(&[&["keys"], words].concat())),
        Kind::Node => {
            let database = format!("file:{}", workspace.database_file().display());
            end(node(workspace, &["lib/keys-command.js"]).args(words).env("DATABASE_URL", database))
        }
    }
}

fn make(kind: Kind, workspace: &Workspace, words: &[&str]) -> String {
    let made = keys(kind, workspace, words).must_end_with(0);
    let key = made.stdout.trim_end().to_owned();
    assert!(made.stdout == format!("{key}\n") && key.starts_with("ipk_") && key.len() == 34, "{}", made.stdout);
    assert!(!made.stderr.contains(&key));
    key
}

fn listed(kind: Kind, workspace: &Workspace) -> Vec<Json> {
    serde_json::from_str(&keys(kind, workspace, &["list", "--format", "json"]).must_end_with(0).stdout).unwrap()
}

fn column(keys: &[Json], name: &str) -> Vec<Json> {
    keys.iter().map(|key| key[name].clone()).collect()
}

fn time(key: &Json, name: &str) -> Timestamp {
    key[name].as_str().unwrap().parse().unwrap()
}

fn send(server: &Server, key: &str) -> Answer {
    ask(server.address, &post("/api/contact", Some(key), MESSAGE), "").unwrap()
}

fn requests_left(answer: &Answer) -> u32 {
    answer.headers["ratelimit"].split("r=").nth(1).unwrap().split(';').next().unwrap().parse().unwrap()
}

fn a_key_of_either_command_works_and_is_listed(kind: Kind) {
    let workspace = Workspace::completed();
    let server = Server::start(kind, &workspace);
    let made = |kind, name: &str| {
        make(
            kind,
            &workspace,
            &["create", "--name", name, "--expires", "90d", "--scope", "*:write", "--scope", "contact_messages:write"],
        )
    };
    for kind in Kind::all_here() {
        assert_eq!(send(&server, &made(kind, "website")).status, 201, "{kind:?}");
    }
    make(kind, &workspace, &["create", "--name", "everything"]);
    let lists: Vec<Vec<Json>> = Kind::all_here().into_iter().map(|kind| listed(kind, &workspace)).collect();
    assert!(lists.iter().all(|list| list == &lists[0]), "{lists:?}");
    let first = &lists[0][0];
    assert_eq!((&first["name"], &first["status"]), (&json!("website"), &json!("active")));
    assert_eq!(first["scopes"], json!(["*:write", "contact_messages:write"]));
    assert_eq!(time(first, "expires_at").duration_since(time(first, "created_at")), DAY * 90);
    let table = keys(kind, &workspace, &["list"]).must_end_with(0).stdout;
    let last = table.lines().last().unwrap();
    assert!(last.contains(" active ") && last.contains(" everything ") && last.ends_with(" everything"), "{table}");
    assert!(table.lines().nth(1).unwrap().contains(" *:write,contact_messages:write "), "{table}");
}

fn a_rotated_key_and_its_successor_are_one_caller(kind: Kind) {
    let workspace = Workspace::completed();
    let server = Server::start(kind, &workspace);
    let scope = ["--scope", "contact_messages:write"];
    let old = make(kind, &workspace, &[&["create", "--name", "website", "--expires", "90d"][..], &scope].concat());
    assert_eq!(requests_left(&send(&server, &old)), 99);
    let new = make(kind, &workspace, &["rotate", &old[..8]]);
    let answers = [send(&server, &new), send(&server, &old), send(&server, &new)];
    assert_eq!(answers.each_ref().map(|answer| answer.status), [201; 3]);
    assert_eq!(answers.each_ref().map(requests_left), [98, 97, 96]);

    let list = listed(kind, &workspace);
    assert_eq!(column(&list, "status"), ["rotating", "active"]);
    assert_eq!(column(&list, "replaced_by"), [list[1]["id"].clone(), Json::Null]);
    assert_eq!(column(&list, "replaces"), [Json::Null, list[0]["id"].clone()]);
    assert_eq!((&list[1]["name"], &list[1]["scopes"]), (&list[0]["name"], &list[0]["scopes"]));
    let made = time(&list[1], "created_at");
    assert_eq!(time(&list[1], "expires_at").duration_since(made), DAY * 90);
    assert!((time(&list[0], "expires_at").duration_since(made) - DAY).abs() < SignedDuration::from_secs(1));
    let again = keys(kind, &workspace, &["rotate", list[0]["id"].as_str().unwrap()]);
    assert!(
        again.status != Some(0) && again.stdout.is_empty() && again.stderr.contains("replaced"),
        "{}",
        again.stderr
    );

    let newest = make(kind, &workspace, &["rotate", list[1]["id"].as_str().unwrap(), "--overlap", "0"]);
    thread::sleep(MEMORY);
    assert_eq!(
        (send(&server, &new).status, send(&server, &old).status, send(&server, &newest).status),
        (401, 201, 201)
    );
    assert_eq!(column(&listed(kind, &workspace), "status"), ["rotating", "expired", "active"]);
}

fn a_revoked_key_stops_within_a_second(kind: Kind) {
    let workspace = Workspace::completed();
    let server = Server::start(kind, &workspace);
    let [first, second, third] = [(); 3].map(|()| make(kind, &workspace, &["create", "--name", "website"]));
    assert_eq!([&first, &second, &third].map(|key| send(&server, key).status), [201; 3]);
    let ids = column(&listed(kind, &workspace), "id");
    // By its id, by its beginning, by itself.
    for which in [ids[0].as_str().unwrap(), &second[..8], &third] {
        keys(kind, &workspace, &["revoke", which]).must_end_with(0);
    }
    thread::sleep(MEMORY);
    assert_eq!([&first, &second, &third].map(|key| send(&server, key).status), [401; 3]);
    assert_eq!(column(&listed(kind, &workspace), "status"), ["revoked"; 3]);
    let again = keys(kind, &workspace, &["revoke", &first[..8]]);
    assert!(again.status != Some(0) && again.stderr.contains("no key that works"), "{}", again.stderr);
}

fn a_key_expires_exactly_while_it_is_in_use(kind: Kind) {
    let workspace = Workspace::completed();
    let server = Server::start(kind, &workspace);
    let key = make(kind, &workspace, &["create", "--name", "website", "--expires", "30m"]);
    let lifetime = Duration::from_millis(1500);
    let begun = Instant::now();
    // Both clocks run from a moment in between, so what lies clearly on one side of the end is asserted.
    workspace
        .query("UPDATE api_keys SET expires_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '+1.5 seconds') RETURNING id");
    let latest = Instant::now() + lifetime;
    let (mut good, mut over) = (0, 0);
    while over < 5 {
        let sent = Instant::now();
        let status = send(&server, &key).status;
        if sent > latest {
            assert_eq!(status, 401, "{:?} after the end", sent - latest);
            over += 1;
        } else if begun.elapsed() < lifetime {
            assert_eq!(status, 201);
            good += 1;
        }
        thread::sleep(Duration::from_millis(30));
    }
    assert!(good > 5, "{good}");
    assert_eq!(listed(kind, &workspace)[0]["status"], json!("expired"));
}

fn a_key_is_held_to_its_scopes(kind: Kind) {
    let workspace = Workspace::completed_with(Sample::Products);
    let server = Server::start(kind, &workspace);
    let make = |scope: &str| make(kind, &workspace, &["create", "--name", "website", "--scope", scope]);
    let ask = |path: &str, key: &str, body: &str| ask(server.address, &post(path, Some(key), body), "").unwrap();
    for (scope, products, articles) in
        [("products:write", 201, 403), ("articles:write", 403, 201), ("*:write", 201, 201)]
    {
        let key = make(scope);
        let product = ask("/api/products", &key, r#"{"name":"Abacus","stock":3}"#);
        let article = format!(r#"{{"title":"Abacus","body":"Wood","slug":"{products}-{articles}"}}"#);
        let article = ask("/api/articles", &key, &article);
        assert_eq!((product.status, article.status), (products, articles), "{scope}");
    }
    // What the caller sent is not repeated.
    let refused = ask("/api/products", &make("articles:write"), "nonsense");
    let body = String::from_utf8(refused.body.clone()).unwrap();
    assert!(body.contains("products:write") && !body.contains("articles") && !body.contains("nonsense"), "{body}");
    assert!(refused.headers["www-authenticate"].ends_with("error=\"insufficient_scope\", scope=\"products:write\""));

    for (words, expected) in [
        (&["--scope", "product:write"][..], &["`product:write`", "`articles:write`, `products:write`, `*:write`"][..]),
        (&["--scope", "*:read"], &["needs the scope `*:read`"]),
        (&["--scope", "products:write", "--scope", ""], &["needs the scope ``"]),
    ] {
        let ended = keys(kind, &workspace, &[&["create", "--name", "website"], words].concat());
        assert!(ended.status != Some(0) && ended.stdout.is_empty());
        assert!(expected.iter().all(|part| ended.stderr.contains(part)), "{}", ended.stderr);
    }
    assert_eq!(workspace.count("api_keys"), 4);
}

fn it_is_known_when_a_key_was_used_last(kind: Kind) {
    let workspace = Workspace::completed();
    let server = Server::start(kind, &workspace);
    let [used, _unused] = [(); 2].map(|()| make(kind, &workspace, &["create", "--name", "website"]));
    assert_eq!(send(&server, &used).status, 201);
    assert_eq!(
        column(&listed(kind, &workspace), "last_used_at"),
        [Json::Null, Json::Null],
        "no request waits for a write"
    );
    let asked = Timestamp::now();
    server.terminate();
    assert_eq!(server.wait().code(), Some(0));
    let list = listed(kind, &workspace);
    let behind = asked.duration_since(time(&list[0], "last_used_at"));
    assert!(behind.abs() < SignedDuration::from_secs(60), "{behind}");
    assert_eq!(list[1]["last_used_at"], Json::Null);
}

fn what_makes_no_sense_is_refused(kind: Kind) {
    let workspace = Workspace::completed();
    let key = make(kind, &workspace, &["create", "--name", "website"]);
    for (words, expected) in [
        (&["create", "--name", "a", "--expires", "soon"][..], "such as `90d`, `12h` or `30m`"),
        (&["create", "--name", "a", "--expires", "11000d"], "at most ten years"),
        (&["create", "--name", "a", "--expires", "2020-01-01T00:00:00Z"], "in the future"),
        (&["create", "--name", ""], "a name of 1 to 100 characters"),
        (&["create", "--name", "a\nb"], "a name of 1 to 100 characters"),
        (&["rotate", &key[..8], "--overlap", "soon"], "such as `24h`, `7d` or `30m`"),
        (&["rotate", "nobody"], "no key that works has the id `nobody`"),
        (&["revoke", "nobody"], "no key that works has the id `nobody`"),
    ] {
        let ended = keys(kind, &workspace, words);
        assert!(ended.status != Some(0) && ended.stdout.is_empty(), "{words:?}");
        assert!(ended.stderr.contains(expected), "{words:?}: {}", ended.stderr);
    }
    let statement = "UPDATE api_keys SET expires_at = '2026-01-02T03:04:05.678Z' RETURNING id";
    workspace.query(statement);
    let expired = keys(kind, &workspace, &["rotate", &key[..8]]);
    assert!(expired.status != Some(0) && expired.stdout.is_empty(), "{}", expired.stderr);
    // Two keys that begin alike are told apart by their ids.
    make(kind, &workspace, &["create", "--name", "other"]);
    workspace.query("UPDATE api_keys SET hint = 'ipk_same', expires_at = NULL RETURNING id");
    let ambiguous = keys(kind, &workspace, &["revoke", "ipk_same"]);
    assert!(ambiguous.stderr.contains("several keys begin with `ipk_same`"), "{}", ambiguous.stderr);
    assert_eq!(column(&listed(kind, &workspace), "status"), ["active"; 2]);
}

fn nothing_that_is_printed_holds_a_key(kind: Kind) {
    let workspace = Workspace::completed();
    let server = Server::start(kind, &workspace);
    let old = make(kind, &workspace, &["create", "--name", "website", "--expires", "90d"]);
    let new = make(kind, &workspace, &["rotate", &old]);
    send(&server, &new);
    let mistyped = format!("{old}x");
    let mut printed = String::new();
    for words in [
        &["list"][..],
        &["list", "--format", "json"],
        &["rotate", &old],
        &["rotate", &mistyped],
        &["revoke", &mistyped],
        &["create", "--name", "a", "--scope", &old],
        &["revoke", &old],
        &["revoke", &old],
    ] {
        let ended = keys(kind, &workspace, words);
        printed = [printed, ended.stdout, ended.stderr].concat();
    }
    server.terminate();
    let log = server.log();
    server.wait();
    for key in [&old, &new] {
        assert!(!printed.contains(key.as_str()) && !log.contains(key.as_str()), "{printed}{log}");
        let holds = |bytes: &[u8]| bytes.windows(key.len()).any(|part| part == key.as_bytes());
        let written = files(workspace.path()).into_iter().find(|(_, bytes)| holds(bytes)).map(|(path, _)| path);
        assert_eq!(written, None);
    }
    for hash in workspace.query("SELECT hash FROM api_keys").into_iter().flatten() {
        assert!(!printed.contains(&hash) && !log.contains(&hash));
    }
}

fn api_of(plan: &mut TaskPlan) -> &mut Plan {
    match plan {
        TaskPlan::Api(plan) => plan,
        TaskPlan::Database(_) => panic!("a task with an API"),
    }
}

/// Makes a workspace what it would be, had an older producer made it: the table of keys knew nothing of what came later.
fn make_older(workspace: &Workspace, tasks: &[&str]) {
    const LATER: [&str; 5] = ["expires_at", "scopes", "last_used_at", "replaces", "caller"];
    for task in tasks {
        let path = workspace.path().join(format!(".producer/tasks/{task}/plans/1.json"));
        let mut persisted = PersistedPlan::from_text(&fs::read_to_string(&path).unwrap()).unwrap();
        let plan = api_of(&mut persisted.plan);
        let database = &mut plan.database;
        let keys = database.tables.iter_mut().find(|table| table.name.as_str() == "api_keys").unwrap();
        keys.columns.truncate(keys.columns.len() - LATER.len());
        for item in plan.api.endpoints.iter_mut().flat_map(|endpoint| &mut endpoint.procedure.body) {
            if let Item::Do(Step::Authorize { scope, .. }) = item {
                *scope = None;
            }
        }
        let migration: &mut Migration = &mut database.migrations[0];
        let creates_keys = |statement: &&mut Statement| statement.sql.contains(" api_keys ");
        let statement = migration.statements.iter_mut().find(creates_keys).unwrap();
        for column in LATER {
            statement.sql = statement.sql.replace(&format!("  {column} TEXT,\n"), "");
        }
        let AppliedMigration { checksum, .. } = AppliedMigration::from(&*migration);
        fs::write(&path, persisted.to_text()).unwrap();
        let change =
            format!("UPDATE schema_migrations SET checksum = '{checksum}' WHERE scope = '{task}' RETURNING name");
        assert_eq!(workspace.query(&change), [["0001_initial"]]);
    }
    for column in LATER {
        workspace.query(&format!("ALTER TABLE api_keys DROP COLUMN {column}"));
    }
}

#[test]
fn a_workspace_of_an_older_producer_is_brought_up_to_date_by_the_next_run() {
    let second = "task_id: second\ntask_type: setup_api\nspecifications:\n  api_requirements:\n    type: rest\n    endpoints:\n      - { path: /api/articles, method: POST, authentication: api_key }\n";
    let third = second.replace("second", "third").replace("articles", "feedback");
    let workspace = Workspace::completed();
    workspace.run_text(second).must_end_with(0);
    let key = make(Kind::Native, &workspace, &["create", "--name", "website"]);
    make_older(&workspace, &[TASK_ID, "second"]);

    // Before: what worked goes on working, what has no place is refused.
    let server = Server::start(Kind::Native, &workspace);
    assert_eq!(send(&server, &key).status, 201);
    assert_eq!(column(&listed(Kind::Native, &workspace), "status"), ["active"]);
    let early = keys(Kind::Native, &workspace, &["create", "--name", "website"]).must_end_with(1);
    assert!(early.stderr.contains("run its tasks once more"), "{}", early.stderr);

    // A task that is new, one of the older ones, and the other one, which finds the columns there.
    workspace.run_text(&third).must_end_with(0);
    assert_eq!(send(&server, &key).status, 201);
    let early =
        keys(Kind::Native, &workspace, &["create", "--name", "a", "--scope", "feedback:write"]).must_end_with(1);
    assert!(early.stderr.contains("know no scopes"), "an endpoint would let it in: {}", early.stderr);
    for _ in 0..2 {
        workspace.run(&repository(CONTACT_NEWSLETTER)).must_end_with(0);
        workspace.run_text(second).must_end_with(0);
    }
    assert_eq!(workspace.run_text(second).must_end_with(0).response()["changed"], json!(false));
    let expected = ["0001_initial", "0002_additions"].map(|name| format!("{TASK_ID} {name}"));
    let mut expected: Vec<String> = expected.into_iter().collect();
    expected.extend(["second 0001_initial", "second 0002_additions", "third 0001_initial"].map(str::to_owned));
    assert_eq!(workspace.migrations(), expected);
    let limited =
        make(Kind::Native, &workspace, &["create", "--name", "a", "--expires", "1d", "--scope", "articles:write"]);
    assert_eq!((send(&server, &key).status, send(&server, &limited).status), (201, 403));

    if Kind::Node.is_here() {
        // On the same database, and on a new one that its own migrations make.
        let server = Server::start(Kind::Node, &workspace);
        assert_eq!((send(&server, &key).status, send(&server, &limited).status), (201, 403));
        assert_eq!(workspace.migrations(), expected, "the ledger is shared");
        end(&mut node(&workspace, &["--test", "test/api.test.js"])).must_end_with(0);
    }
}
