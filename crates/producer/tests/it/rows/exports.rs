//! Lists in one long answer, as CSV or NDJSON: more rows than are read at once.

use super::{Caller, id};
use crate::harness::client::{get, post};
use crate::harness::workspace::Workspace;
use flate2::read::GzDecoder;
use plan::http_case::{Answer, CaseRequest};
use serde_json::{Value as Json, json};
use std::io::Read as _;

const ROWS: usize = 1203;

impl Caller<'_> {
    fn makes_rows(&self, path: &str, rows: &[Json]) -> Vec<Json> {
        let lists = rows.chunks(1000).map(|list| post(path, None, &json!(list).to_string()));
        let made = lists.map(|request| self.told(request, 201));
        made.flat_map(|list| list.as_array().unwrap().clone()).collect()
    }

    fn exports(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self.answer(CaseRequest { method: method.to_owned(), headers, ..get(path) })
    }

    fn lines(&self, path: &str, accept: &str) -> Vec<String> {
        let answer = self.exports("GET", path, &[("accept", accept)]);
        let text = String::from_utf8(answer.body).unwrap();
        assert_eq!(answer.status, 200, "{:?} {path}: {text}", self.kind);
        text.lines().map(str::to_owned).collect()
    }
}

pub fn are_one_answer(people: &[Caller<'_>; 3]) {
    let [ada, bob, _] = people;
    let kind = ada.kind;
    let title = |number: usize| format!("{number:04} \"é\"");
    let board = ada.makes("/api/boards", &json!({ "title": "long" }));
    let pin = |title: String| json!({ "title": title, "board_id": id(&board) });
    ada.makes_rows("/api/pins", &(0..ROWS).map(|number| pin(title(number))).collect::<Vec<_>>());
    bob.makes_rows("/api/pins", &[pin("of somebody else".to_owned())]);

    let pins = format!("/api/pins?fields=title&board_id={}", id(&board));
    let path = &format!("{pins}&limit=5000&sort=title");
    let expected: Vec<String> = (0..ROWS).map(|number| format!("\"{number:04} \"\"é\"\"\"")).collect();
    let table = ada.lines(path, "text/csv");
    assert_eq!(
        (table[0].as_str(), &table[1..]),
        ("title", &expected[..]),
        "{kind:?}: each row once, the caller's alone"
    );
    let answer = ada.exports("GET", path, &[("accept", "text/csv"), ("accept-encoding", "gzip")]);
    assert_eq!(answer.headers["content-encoding"], "gzip", "{kind:?}");
    for absent in ["etag", "link", "content-length"] {
        assert!(!answer.headers.contains_key(absent), "{kind:?}: {absent}");
    }
    let mut text = String::new();
    GzDecoder::new(&answer.body[..]).read_to_string(&mut text).unwrap();
    assert!(text.lines().eq(&table), "{kind:?}: {}", text.len());
    let head = ada.exports("HEAD", path, &[("accept", "text/csv")]);
    assert_eq!((head.status, head.body.len()), (200, 0), "{kind:?}");

    for (query, count, last) in [
        ("limit=1001&sort=-title", 1001, 202),
        ("limit=2000&offset=200&sort=title", 1003, 1202),
        ("limit=1203&sort=title", 1203, 1202),
        ("limit=2000&sort=title&filter=title%20starts%20'00'", 100, 99),
    ] {
        let lines = ada.lines(&format!("{pins}&{query}"), "application/x-ndjson");
        assert_eq!(lines.len(), count, "{kind:?} {query}");
        let row: Json = serde_json::from_str(&lines[count - 1]).unwrap();
        assert_eq!(row, json!({ "title": title(last) }), "{kind:?} {query}");
    }
    for (limit, accept, most) in [(101, "application/json", 100), (1_000_001, "text/csv", 1_000_000)] {
        let refused = ada.exports("GET", &format!("/api/pins?limit={limit}"), &[("accept", accept)]);
        let body: Json = serde_json::from_slice(&refused.body).unwrap();
        assert_eq!(body["errors"][0]["detail"], format!("must be between 1 and {most}"), "{kind:?}: {body}");
    }
}

/// Rows of others come with those that are read behind the first ones, too.
pub fn have_rows_of_others(nobody: &Caller<'_>, workspace: &Workspace) {
    let keyed = nobody.with(workspace.create_key());
    let racks: Vec<Json> =
        (0..1001).map(|number| json!({ "title": format!("{}-{number:04}", nobody.mark()) })).collect();
    let made = keyed.makes_rows("/api/racks", &racks);
    keyed.makes(&format!("/api/racks/{}/slots", id(&made[1000])), &json!({ "title": "in the last" }));
    let filter = format!("filter=title%20starts%20'{}-'", nobody.mark());
    let lines =
        keyed.lines(&format!("/api/racks?limit=1001&sort=title&include=slots&{filter}"), "application/x-ndjson");
    let row: Json = serde_json::from_str(&lines[1000]).unwrap();
    assert_eq!(row["slots"][0]["title"], "in the last", "{:?}: {row}", nobody.kind);
    assert_eq!(keyed.lines(&format!("/api/racks?limit=5&{filter}"), "application/x-ndjson").len(), 5);
}
