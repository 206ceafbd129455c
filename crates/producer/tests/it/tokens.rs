//! Tokens that rotate, among several processes: a provider that gives them comes in; how often it was asked, and that nothing was lost
//! of what it gave, is held against what was done there.

use crate::harness::client::{ask, get, post};
use crate::harness::granting::Granting;
use crate::harness::repository;
use crate::harness::server::{AUTH_SECRET, Kind, Server};
use crate::harness::workspace::{Ended, Workspace, end, end_with_input, files};
use std::fs;
use std::time::{Duration, Instant};

const MEMBERS: &str = "task_id: members\ntask_type: setup_api\nspecifications:\n  api_requirements:\n    type: rest\n    rate_limiting: 100000_requests_per_minute\n    endpoints:\n      - { path: /api/members, method: POST, authentication: none, validation: { user_id: { required: true, type: uuid }, email: email, name: string }, emits: [user_registration] }\n";
const CRM: &str = "task_id: crm\ntask_type: integrate_service\nspecifications:\n  service_integration:\n    service_type: crm\n    provider: salesforce\n    integration_points: [user_registration]\n    credentials:\n      client_id: \"${secret:CRM_ID}\"\n      client_secret: \"${secret:CRM_SECRET}\"\n      refresh_token: \"${secret:CRM_REFRESH}\"\n      domain: acme\n      external_id_field: Id__c\n      organization_id: 00D\n";
/// What the draft's grant becomes: somebody has agreed, and what that led to is good once.
const GRANT: &str = "      grant: authorization_code\n      authorize_url: \"https://${setting.domain}.my.salesforce.com/services/oauth2/authorize\"\n      refresh_token: \"${credential.refresh_token}\"\n";

fn set(workspace: &Workspace, name: &str, value: &str) {
    end_with_input(&mut workspace.command(&["secrets", "set", name]), value).must_end_with(0);
}

/// A workspace whose members are told to a provider with tokens that rotate.
fn workspace(granting: &Granting, repeated: &str) -> Workspace {
    let workspace = Workspace::new();
    let folder = workspace.path().join("providers/salesforce");
    fs::create_dir_all(&folder).unwrap();
    for (name, content) in files(&repository("crates/catalog/tests/manifests/salesforce")) {
        let text = String::from_utf8(content).unwrap();
        let text = text
            .replace("      grant: client_credentials\n", GRANT)
            .replace("credentials:\n  client_id", "credentials:\n  refresh_token: { title: Refresh token, secret: true, find: where somebody has agreed }\n  client_id")
            .replace("token: { keep", "token: { refresh_token: /refresh_token, keep")
            .replace("on_status: [401] }", &format!("on_status: [401], rotates: true, repeated: {repeated} }}"));
        fs::write(folder.join(name), text).unwrap();
    }
    end(&mut workspace.command(&["providers", "lint"])).must_end_with(0);
    fs::write(
        workspace.path().join("producer.toml"),
        format!("[simulated]\nsalesforce = \"http://{}\"\n", granting.address),
    )
    .unwrap();
    for (name, value) in [("CRM_ID", "our-id"), ("CRM_SECRET", "our-password"), ("CRM_REFRESH", "r0")] {
        set(&workspace, name, value);
    }
    workspace.run_text(MEMBERS).must_end_with(0);
    workspace
}

fn run(workspace: &Workspace) -> Ended {
    workspace.run_text(CRM)
}

/// Under the workspace's own secret, as its commands are: the servers of a database share it with them.
fn serve(workspace: &Workspace) -> Server {
    Server::of(&mut Server::command(Kind::Native, workspace))
}

fn register(server: &Server, numbers: std::ops::Range<u32>) {
    for number in numbers {
        let body = format!(
            r#"{{"user_id":"019c0f3e-7b1a-7c3d-8e5f-{number:012}","email":"ada{number}@example.com","name":"Ada"}}"#
        );
        assert_eq!(ask(server.address, &post("/api/members", None, &body), "").unwrap().status, 201);
    }
}

fn wait_until_delivered(workspace: &Workspace, count: u32, servers: &[&Server]) {
    let states = || workspace.query("SELECT state, count(*) FROM outbox_deliveries GROUP BY state");
    let begun = Instant::now();
    while states() != [["delivered", &count.to_string()]] {
        let logs: String = servers.iter().map(|server| server.log()).collect();
        assert!(begun.elapsed().as_secs() < 60, "{:?}\n{logs}", states());
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn processes_ask_for_one_token_and_none_is_lost() {
    let granting = Granting::start();
    let workspace = workspace(&granting, "accepted");
    run(&workspace).must_end_with(0);
    let asked = || granting.look(|granted| granted.asked_with.clone());
    assert_eq!(asked(), ["r0"]);
    let (one, other) = (serve(&workspace), serve(&workspace));
    // Each time the token ends while both servers have much to tell, and somebody runs the task.
    for round in 1..=3_u32 {
        granting.revoke();
        std::thread::scope(|scope| {
            scope.spawn(|| register(&one, round * 100..round * 100 + 20));
            scope.spawn(|| register(&other, round * 100 + 20..round * 100 + 40));
            scope.spawn(|| run(&workspace).must_end_with(0));
        });
        wait_until_delivered(&workspace, round * 40, &[&one, &other]);
        let all: Vec<String> = (0..=round).map(|number| format!("r{number}")).collect();
        assert_eq!(asked(), all, "once for all of them");
    }
    granting.look(|granted| {
        assert!(granted.used_up.is_empty());
        let tokens: std::collections::BTreeSet<&String> = granted.done.values().flatten().collect();
        assert_eq!(tokens.len(), 4, "{tokens:?}");
    });
    // Kept where nobody reads them, and no part of what is handed on.
    let listed = end(&mut workspace.command(&["secrets", "list"])).must_end_with(0).stdout;
    assert!(listed.contains("token/crm/client_credentials/"), "{listed}");
    let exported = end(&mut workspace.command(&["secrets", "export", "--stdout"])).must_end_with(0).stdout;
    assert!(exported.contains("our-password") && !exported.to_lowercase().contains("token_crm"), "{exported}");
    for server in [&one, &other] {
        assert!(!server.log().contains("our-password"));
    }
    let kept = fs::read_to_string(workspace.path().join(".producer/secrets")).unwrap();
    assert!(!kept.contains("instance_url") && !kept.contains("salesforce.com"));
}

/// Killed before it could keep what was given: who comes next asks with the old one, which the provider answers as before, and waits ten seconds
/// for that, not longer. While the one lives it is waited for, however long the provider takes.
#[test]
fn a_process_that_is_killed_before_it_keeps_a_token_loses_none() {
    let granting = Granting::start();
    let workspace = workspace(&granting, "accepted");
    run(&workspace).must_end_with(0);
    let server = serve(&workspace);
    granting.revoke();
    granting.hold("token");
    register(&server, 0..5);
    granting.wait_for_held();
    let other = serve(&workspace);
    register(&other, 5..10);
    std::thread::sleep(Duration::from_secs(11));
    granting.look(|granted| assert_eq!(granted.asked_with, ["r0", "r1"], "the one that has leased it lives"));
    // `kill -9`.
    drop(server);
    granting.let_go();
    let begun = Instant::now();
    while granting.look(|granted| granted.asked_with.len()) < 3 {
        assert!(begun.elapsed().as_secs() < 13, "{}", other.log());
        std::thread::sleep(Duration::from_millis(50));
    }
    wait_until_delivered(&workspace, 10, &[&other]);
    granting.look(|granted| assert_eq!(granted.asked_with, ["r0", "r1", "r1"]));
}

/// Killed behind that, before it was used: it is there.
#[test]
fn a_token_is_kept_before_it_is_used() {
    let granting = Granting::start();
    let workspace = workspace(&granting, "accepted");
    run(&workspace).must_end_with(0);
    let server = serve(&workspace);
    granting.revoke();
    granting.hold("call");
    register(&server, 0..5);
    granting.wait_for_held();
    drop(server);
    granting.let_go();
    let server = serve(&workspace);
    wait_until_delivered(&workspace, 5, &[&server]);
    granting.look(|granted| assert_eq!(granted.asked_with, ["r0", "r1"], "nothing is asked for twice"));
}

/// What somebody has agreed to outlives a password of ours, and the servers go on with the new one by themselves.
#[test]
fn another_password_needs_no_new_agreement() {
    let granting = Granting::start();
    let workspace = workspace(&granting, "accepted");
    run(&workspace).must_end_with(0);
    let server = serve(&workspace);
    granting.revoke();
    granting.look(|granted| granted.has_new_password = true);
    register(&server, 0..5);
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(granting.look(|granted| granted.done.len()), 1, "what `run` has asked");
    set(&workspace, "CRM_SECRET", "another");
    wait_until_delivered(&workspace, 5, &[&server]);
    granting.look(|granted| assert_eq!(granted.asked_with, ["r0", "r1"]));
}

/// A credential that ends soon is said by whoever is asked, until another one is there.
#[test]
fn a_credential_that_ends_soon_is_said() {
    let granting = Granting::start();
    let mut workspace = workspace(&granting, "accepted");
    let manifest = workspace.path().join("providers/salesforce/provider.yaml");
    let text = fs::read_to_string(&manifest).unwrap();
    let says = |workspace: &Workspace, days: u32| {
        let ends = text.replace(
            "client_secret: { title: Consumer Secret,",
            &format!("client_secret: {{ title: Consumer Secret, ends_after_days: {days},"),
        );
        assert_ne!(ends, text);
        fs::write(&manifest, ends).unwrap();
        let response = run(workspace).must_end_with(0).response();
        let status = end(&mut workspace.command(&["status", "crm"])).must_end_with(0).stdout;
        (response["warnings"].to_string(), status)
    };
    let server_says = "Consumer Secret of Salesforce ends on 20";
    let (warnings, status) = says(&workspace, 10);
    assert!(warnings.contains(server_says) && warnings.contains("`producer secrets set CRM_SECRET`"), "{warnings}");
    assert!(status.contains(server_says), "{status}");
    let server = serve(&workspace);
    assert!(server.log().contains(server_says), "{}", server.log());
    let metrics = String::from_utf8(ask(server.address, &get("/metrics"), "").unwrap().body).unwrap();
    let ends = metrics.lines().find_map(|line| {
        line.strip_prefix("credential_ends_at_seconds{integration=\"crm\",credential=\"client_secret\"} ")
    });
    let left = ends.unwrap().parse::<i64>().unwrap() - jiff::Timestamp::now().as_second();
    assert!((9 * 86_400..=10 * 86_400).contains(&left), "{left}");
    drop(server);
    ends_in_the_application_too(&mut workspace);
    let (warnings, status) = says(&workspace, 90);
    assert!(!warnings.contains(server_says) && !status.contains(server_says), "{warnings}\n{status}");
}

/// It is told there when the secret was set.
fn ends_in_the_application_too(workspace: &mut Workspace) {
    if !Kind::Node.is_here() {
        return;
    }
    workspace.application = workspace.path().join("output/integration/task_crm");
    let example = fs::read_to_string(workspace.application.join(".env.example")).unwrap();
    assert!(example.contains("\nCRM_SECRET_SET_AT=\n") && !example.contains("CRM_ID_SET_AT"), "{example}");
    let mut command = Server::command(Kind::Node, workspace);
    let server = Server::of(command.env("CRM_SECRET_SET_AT", "2026-11-01").env("AUTH_SECRET", AUTH_SECRET));
    let metrics = String::from_utf8(ask(server.address, &get("/metrics"), "").unwrap().body).unwrap();
    let ends = "credential_ends_at_seconds{integration=\"crm\",credential=\"client_secret\"} 1794355200\n";
    assert!(metrics.contains(ends), "{metrics}\n{}", server.log());
}

/// The provider answers a refresh token once: where that answer is lost a person has to agree again, and is told so.
#[test]
fn a_lost_answer_that_cannot_be_had_again_is_said() {
    let granting = Granting::start();
    let workspace = workspace(&granting, "refused");
    set(&workspace, "CRM_REFRESH", "r7");
    let error = run(&workspace).must_end_with(1).response()["error"].clone();
    assert_eq!(
        (&error["kind"], &error["code"]),
        (&"integration.authentication".into(), &"credentials_refused".into()),
        "{error}"
    );
    assert!(error.to_string().contains("somebody has to agree again"), "{error}");
    // With what another agreement has led to it goes on.
    set(&workspace, "CRM_REFRESH", "r0");
    run(&workspace).must_end_with(0);
}
