//! Readings of a CRM that is played, at their edges: both sides change one record, a search ends before everything was shown, a field is there
//! no more, and both servers read at once. The CRM is HubSpot's manifest with times that the test says, and with less of everything.

use super::{CLIENT_SECRET, PEOPLE, at, command, heard, holds, hubspot_of, stands_at, tells};
use crate::harness::client::{ask, get, post};
use crate::harness::played::Played;
use crate::harness::repository;
use crate::harness::server::{Kind, Server};
use crate::harness::workspace::{Workspace, end_with_input};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::fs;
use std::time::{Duration, Instant};

/// Records that are there at first, with a search that shows 60 and pages of 20.
const PEOPLE_THERE: usize = 400;

/// A workspace with a HubSpot of its own, and that one played.
fn with_own_hubspot(more: &[(&str, &str)]) -> (Workspace, Played) {
    let workspace = Workspace::new();
    let folder = workspace.path().join("providers/hubspot");
    fs::create_dir_all(&folder).unwrap();
    for entry in fs::read_dir(repository("crates/catalog/providers/hubspot")).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), folder.join(entry.file_name())).unwrap();
    }
    let changed = |file: &str, pairs: &[(&str, &str)]| {
        let text = fs::read_to_string(folder.join(file)).unwrap();
        let text = pairs.iter().fold(text, |text, (from, to)| {
            assert!(text.contains(from), "no `{from}` in {file}");
            text.replace(from, to)
        });
        fs::write(folder.join(file), text).unwrap();
    };
    let now = "updatedAt: \"${made.time | from_unix_seconds}\"";
    let said = "updatedAt: \"${body/properties/changed}\"";
    changed("simulator.yaml", &[&[(now, said), ("most: 200 }", "most: 20 }")], more].concat());
    changed("syncs.yaml", &[("most_records: 10000", "most_records: 60")]);
    changed("operations.yaml", &[("limit: 200", "limit: 20")]);
    let rates = [
        ("limit: 100, per_seconds: 10", "limit: 1000, per_seconds: 1"),
        ("limit: 5, per_seconds: 1", "limit: 500, per_seconds: 1"),
    ];
    changed("provider.yaml", &rates);
    // The cases are about the manifest as it is.
    fs::remove_file(folder.join("cases.yaml")).unwrap();
    let played = Played::start(&workspace, "hubspot", &[]);
    hubspot_of(workspace, played)
}

/// Somebody whom HubSpot's users change, by that time.
fn is_changed(played: &Played, people: &[(String, &str, Timestamp)]) {
    for people in people.chunks(100) {
        let input = |(email, name, changed): &(String, &str, Timestamp)| {
            let changed = changed.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string();
            json!({ "id": email, "idProperty": "email", "properties": { "email": email, "firstname": name, "changed": changed } })
        };
        let inputs: Vec<Value> = people.iter().map(input).collect();
        let mut request = post("/crm/v3/objects/contacts/batch/upsert", None, &json!({ "inputs": inputs }).to_string());
        request.headers.insert("Authorization".to_owned(), format!("Bearer {}", played.told("access_token")));
        assert_eq!(at(played, &request)["status"], "COMPLETE");
    }
}

fn ago(seconds: i64) -> Timestamp {
    Timestamp::now() - SignedDuration::from_secs(seconds)
}

fn reads(kind: Kind, workspace: &mut Workspace, played: &Played) -> Server {
    let mut command = command(kind, "task_people", workspace, played);
    Server::of(command.env("HUBSPOT_CLIENT_SECRET", CLIENT_SECRET))
}

/// Each kind of server reads alone first, with the other one beside it then.
#[test]
fn readings_hold_at_their_edges() {
    std::thread::scope(|scope| {
        for kind in Kind::all_here() {
            scope.spawn(move || holds_at_its_edges(kind));
        }
    });
}

fn holds_at_its_edges(kind: Kind) {
    let (mut workspace, played) = with_own_hubspot(&[]);
    integrated(&workspace);
    let key = workspace.create_key();
    // Of those there are more than a search shows, and many with one time.
    let began = ago(86_400);
    let people: Vec<(String, &str, Timestamp)> = (0..PEOPLE_THERE)
        .map(|number| {
            let at = began + SignedDuration::from_secs(i64::try_from(number / 30).unwrap());
            (format!("p{number}@example.com"), "Before", at)
        })
        .collect();
    is_changed(&played, &people);
    let server = reads(kind, &mut workspace, &played);
    let all = "SELECT count(*), count(DISTINCT email), max(row_version) FROM crm_people";
    holds(&workspace, &server, all, &[&["400", "400", "1"]]);
    let is_over = "SELECT failures, left_out FROM sync_states WHERE reading_since IS NULL AND ended_at IS NOT NULL";
    holds(&workspace, &server, is_over, &[&["0", "0"]]);
    both_sides_change(&workspace, &server, &played, &key);
    both_servers_read(kind, &mut workspace, &played, &server);
    fields_go(kind);
}

/// An API whose people the CRM keeps too, and which hears of its calls.
fn integrated(workspace: &Workspace) {
    end_with_input(&mut workspace.command(&["secrets", "set", "HUBSPOT_CLIENT_SECRET"]), CLIENT_SECRET)
        .must_end_with(0);
    let given = "    credentials: { client_secret: \"${secret:HUBSPOT_CLIENT_SECRET}\" }\n";
    workspace.run_text(PEOPLE).must_end_with(0);
    workspace.run_text(&heard(given)).must_end_with(0);
}

/// Whichever side has changed a record last has it.
fn both_sides_change(workspace: &Workspace, server: &Server, played: &Played, key: &str) {
    let id = |email: &str| workspace.query(&format!("SELECT id FROM crm_people WHERE email = '{email}'"))[0][0].clone();
    let changes = |email: &str, phone: &str| {
        let path = format!("/api/crm-people/{}", id(email));
        let mut patch = post(&path, Some(key), &json!({ "phone": phone }).to_string());
        patch.method = "PATCH".to_owned();
        assert_eq!(ask(server.address, &patch, "").unwrap().status, 200, "{}", server.log());
    };
    changes("p1@example.com", "+1 1");
    changes("p2@example.com", "+1 2");
    let of = |number: usize, name, at| (format!("p{number}@example.com"), name, at);
    // Before ours, behind ours, and one that nobody has changed here.
    is_changed(played, &[of(1, "Earlier", ago(60)), of(2, "Later", ago(-60)), of(3, "Alone", ago(60))]);
    assert_eq!(tells(server, CLIENT_SECRET, "contact.propertyChange"), 200, "{}", server.log());
    let names = "SELECT first_name, coalesce(phone, '-') FROM crm_people WHERE email IN ('p1@example.com', 'p2@example.com', 'p3@example.com') ORDER BY email";
    holds(workspace, server, names, &[&["Before", "+1 1"], &["Later", "-"], &["Alone", "-"]]);
    // What stayed stays, also when it is read again.
    let read = || workspace.query("SELECT records FROM sync_states")[0][0].parse::<i64>().unwrap();
    let before = read();
    assert_eq!(tells(server, CLIENT_SECRET, "contact.propertyChange"), 200, "{}", server.log());
    let begun = Instant::now();
    while read() == before {
        assert!(begun.elapsed() < Duration::from_secs(30), "{}", server.log());
        std::thread::sleep(Duration::from_millis(20));
    }
    holds(workspace, server, names, &[&["Before", "+1 1"], &["Later", "-"], &["Alone", "-"]]);
}

/// One of the two reads, nothing is doubled, and both tell the same of it.
fn both_servers_read(kind: Kind, workspace: &mut Workspace, played: &Played, server: &Server) {
    let others: Vec<Server> = Kind::all_here()
        .into_iter()
        .filter(|other| *other != kind)
        .map(|other| reads(other, workspace, played))
        .collect();
    let of = |number: usize| {
        (format!("q{number}@example.com"), "New", ago(30) + SignedDuration::from_millis(i64::try_from(number).unwrap()))
    };
    is_changed(played, &(0..200).map(of).collect::<Vec<_>>());
    for one in others.iter().chain([server]) {
        assert_eq!(tells(one, CLIENT_SECRET, "contact.creation"), 200, "{}", one.log());
    }
    let new = "SELECT count(*), count(DISTINCT email), max(row_version) FROM crm_people WHERE email LIKE 'q%'";
    holds(workspace, server, new, &[&["200", "200", "1"]]);
    let linked = "SELECT count(*), count(DISTINCT row_id) FROM sync_links";
    holds(workspace, server, linked, &[&["600", "600"]]);
    let begun = Instant::now();
    loop {
        let told: Vec<Option<String>> = others.iter().chain([server]).map(records_told).collect();
        let noted = workspace.query("SELECT records FROM sync_states")[0][0].clone();
        if told.iter().all(|told| *told == Some(noted.clone())) {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "{told:?} {noted}\n{}", server.log());
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn records_told(server: &Server) -> Option<String> {
    let text = String::from_utf8(ask(server.address, &get("/metrics"), "").unwrap().body).unwrap();
    let line = text.lines().find(|line| line.starts_with("sync_records_total{"))?;
    Some(line.rsplit_once(' ')?.1.to_owned())
}

/// HubSpot's users have taken a property away: that is told, and everything else is read.
fn fields_go(kind: Kind) {
    let (mut workspace, played) = with_own_hubspot(&[(", { name: phone }", "")]);
    integrated(&workspace);
    is_changed(&played, &[("late@example.com".to_owned(), "Late", ago(20))]);
    let server = reads(kind, &mut workspace, &played);
    holds(&workspace, &server, "SELECT first_name FROM crm_people", &[&["Late"]]);
    let noted = "SELECT problem_code, failures FROM sync_states WHERE ended_at IS NOT NULL";
    holds(&workspace, &server, noted, &[&["fields_missing", "0"]]);
    let [crm] = &stands_at(&workspace, "crm")[..] else { panic!("one integration") };
    assert_eq!(crm["status"], "needs_attention", "{crm}");
    assert!(crm["syncs"][0]["problem"].as_str().unwrap().contains("`phone`"), "{crm}");
}
