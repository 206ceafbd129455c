//! Lists with rows: what filters keep, in which order rows come, and pages that lead from one to the next, also when each is asked
//! of another server.

use crate::harness::Sample;
use crate::harness::client::{ask, get, post};
use crate::harness::schema::Schema;
use crate::harness::server::{Kind, Server};
use crate::harness::workspace::Workspace;
use plan::http_case::{Answer, CaseRequest};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use vocab::Engine;

const PRODUCTS: &str = "/api/products";
/// Every order that can be asked for, but those of `updated_at`, in which nothing differs from `created_at` here.
const SORTS: &[&str] =
    &["id", "-id", "name", "-name", "stock", "-stock", "created_at", "-created_at", "-stock,name", "stock,-name,stock"];

/// One database with every server that can be had over it.
struct Servers {
    servers: Vec<Server>,
    key: String,
    _workspace: Workspace,
}

impl Servers {
    fn start() -> Self {
        Self::over(Workspace::completed_with(Sample::Products))
    }

    fn over(workspace: Workspace) -> Self {
        let servers = Kind::all_here().into_iter().map(|kind| Server::start(kind, &workspace)).collect();
        Self { servers, key: workspace.create_key(), _workspace: workspace }
    }

    /// Has a product made; `turn` tells by whom.
    fn make(&self, turn: usize, product: &Json) -> Json {
        let request = post(PRODUCTS, Some(&self.key), &product.to_string());
        let answer = ask(self.servers[turn % self.servers.len()].address, &request, &self.key).unwrap();
        assert_eq!(answer.status, 201, "{}", String::from_utf8_lossy(&answer.body));
        serde_json::from_slice(&answer.body).unwrap()
    }

    /// What one of them answers; `turn` tells which.
    fn answer(&self, turn: usize, request: &CaseRequest) -> Answer {
        ask(self.servers[turn % self.servers.len()].address, request, &self.key).unwrap()
    }

    /// The page that every one of them answers, in the same bytes.
    fn page(&self, query: &str) -> Json {
        let request = get(&format!("{PRODUCTS}?{query}"));
        let answers: Vec<Answer> = (0..self.servers.len()).map(|turn| self.answer(turn, &request)).collect();
        let text = String::from_utf8_lossy(&answers[0].body);
        assert_eq!(answers[0].status, 200, "{query}: {text}");
        for other in &answers[1..] {
            assert_eq!(text, String::from_utf8_lossy(&other.body), "{query}");
            assert_eq!(answers[0].headers["etag"], other.headers["etag"], "{query}");
        }
        serde_json::from_slice(&answers[0].body).unwrap()
    }

    fn names(&self, query: &str) -> String {
        let page = self.page(query);
        page["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item["name"].as_str().unwrap())
            .collect::<Vec<_>>()
            .join(" ")
    }
}

#[test]
fn filters_keep_what_they_name() {
    filters_keep(&Servers::start());
}

#[test]
fn filters_keep_what_they_name_on_servers() {
    for engine in [Engine::PostgreSql, Engine::MySql, Engine::MongoDb] {
        let Some(place) = Schema::empty(engine, "filters") else { continue };
        filters_keep(&Servers::over(Workspace::completed_on(Sample::Products, place.url())));
    }
}

fn filters_keep(servers: &Servers) {
    for (turn, product) in [
        json!({"name": "A", "stock": -3, "active": true, "released_at": "2026-01-01T00:00:00Z", "notes": "x"}),
        json!({"name": "B", "stock": 5, "active": false, "released_at": "2026-02-01T00:00:00.5Z"}),
        json!({"name": "C", "stock": 5}),
        json!({"name": "D", "stock": 40, "active": true, "released_at": "2026-03-01T00:00:00Z"}),
        json!({"name": "é & +%", "stock": 0}),
    ]
    .iter()
    .enumerate()
    {
        servers.make(turn, product);
    }
    for (query, names) in [
        ("", "A B C D é & +%"),
        ("name=B", "B"),
        ("name=%20B%20", "B"),
        ("name=b", ""),
        ("name=%C3%A9+%26+%2B%25", "é & +%"),
        ("name[ne]=B", "A C D é & +%"),
        ("stock=5", "B C"),
        ("stock=-3", "A"),
        ("stock=-0", "é & +%"),
        ("stock[ne]=5", "A D é & +%"),
        ("stock[lt]=5", "A é & +%"),
        ("stock[lte]=5", "A B C é & +%"),
        ("stock[gt]=5", "D"),
        ("stock[gte]=5", "B C D"),
        ("stock[gt]=-3&stock[lt]=40&stock[ne]=0", "B C"),
        ("active=true", "A D"),
        ("active=false", "B"),
        ("released_at=2026-01-01T00:00:00Z", "A"),
        ("released_at=2026-01-01T01:00:00.000%2B01:00", "A"),
        ("released_at[ne]=2026-01-01T00:00:00Z", "B D"),
        ("released_at[lt]=2026-02-01T00:00:00.5Z", "A"),
        ("released_at[lte]=2026-02-01T00:00:00.500Z", "A B"),
        ("released_at[gt]=2026-02-01T00:00:00.5Z", "D"),
        ("released_at[gte]=2026-02-01T00:00:00.5Z", "B D"),
        ("released_at[gte]=2026-02-28T23:30:00-00:30", "D"),
        ("created_at[gt]=2020-01-01T00:00:00Z&updated_at[lt]=2020-01-01T00:00:00Z", ""),
        ("created_at[gte]=2020-01-01T00:00:00Z&updated_at[ne]=2020-01-01T00:00:00Z", "A B C D é & +%"),
        ("active=true&stock[gt]=0", "D"),
        ("filter=name=B", "B"),
        ("filter=name='B'&stock=5", "B"),
        ("filter=name=%22%C3%A9%20%26%20%2B%25%22", "é & +%"),
        ("filter=stock%3E=5%20and%20stock%3C40", "B C"),
        ("filter=stock=-3%20or%20name=D%20and%20active=false", "A"),
        ("filter=(stock=-3%20or%20name=D)%20and%20active=true", "A D"),
        ("filter=not%20stock=5", "A D é & +%"),
        // What is compared with null is neither true nor false, and so is what is not that.
        ("filter=active=true", "A D"),
        ("filter=not%20active=true", "B"),
        ("filter=not%20(active=true%20or%20stock=40)", "B"),
        ("filter=not%20(active=true%20and%20stock=40)", "A B C é & +%"),
        ("filter=active=null", "C é & +%"),
        ("filter=active!=null", "A B D"),
        ("filter=not(released_at=null)and(stock%3C40)", "A B"),
        ("filter=name%20in%20(A,%20'D',%20%22none%22)", "A D"),
        ("filter=not%20name%20in%20(A,D)", "B C é & +%"),
        ("filter=active%20in%20(true,false)", "A B D"),
        ("filter=not%20active%20in%20(true)", "B"),
        ("filter=released_at%20in%20(2026-01-01T01:00:00.000%2B01:00)", "A"),
        ("filter=released_at%3E2026-01-31T00:00:00Z", "B D"),
        ("filter=name%20contains%20b", "B"),
        ("filter=name%20contains%20'%26'", "é & +%"),
        // Nothing in it is a sign of a pattern.
        ("filter=name%20contains%20'%25'", "é & +%"),
        ("filter=name%20contains%20'_'", ""),
        ("filter=name%20contains%20'.'", ""),
        ("filter=name%20starts%20a%20or%20name%20starts%20'%C3%A9%20'", "A é & +%"),
        ("filter=not%20name%20contains%20b%20and%20not%20name%20starts%20A", "C D é & +%"),
        ("filter=name='%5C'%20or%20name='x''y%22'", ""),
        ("sort=stock,-name&filter=stock%3C6", "A é & +% C B"),
        ("sort=-stock,name", "D B C é & +% A"),
        ("sort=stock,name,stock", "A é & +% B C D"),
    ] {
        let sort = if query.starts_with("sort=") { "" } else { "sort=name&" };
        assert_eq!(servers.names(&format!("{sort}{query}")), names, "{query}");
    }
    fields_are_picked(servers);
    rows_are_counted(servers);
    rows_are_written_as_asked(servers);
}

/// By every server in the same bytes, page after page.
fn rows_are_written_as_asked(servers: &Servers) {
    let ask = |turn: usize, accept: &str, query: &str| {
        let headers = BTreeMap::from([("accept".to_owned(), accept.to_owned())]);
        let answer = servers.answer(turn, &CaseRequest { headers, ..get(&format!("{PRODUCTS}?{query}")) });
        assert!(answer.headers["vary"].split(", ").any(|name| name == "Accept"), "{:?}", answer.headers);
        answer
    };
    for turn in 0..servers.servers.len() {
        for (accept, media_type, expected) in [
            ("text/csv", "text/csv; charset=utf-8; header=present", "name,stock\r\nA,-3\r\n"),
            ("application/json;q=0.1, application/x-ndjson", "application/x-ndjson", "{\"name\":\"A\",\"stock\":-3}\n"),
            ("text/html, */*;q=0.8", "application/json", "{\"items\":[{\"name\":\"A\",\"stock\":-3}],\"next\":"),
            ("image/png", "application/json", "{\"items\":[{\"name\":\"A\",\"stock\":-3}],\"next\":"),
        ] {
            let answer = ask(turn, accept, "fields=name,stock&sort=name&limit=1");
            let text = String::from_utf8(answer.body).unwrap();
            assert!(answer.headers["content-type"] == media_type && text.starts_with(expected), "{accept}: {text}");
            assert!(answer.headers["link"].ends_with("rel=\"next\""), "{:?}", answer.headers);
            let [whole, known] = [turn, 0].map(|turn| ask(turn, accept, "sort=name"));
            assert_eq!((&whole.body, &whole.headers["etag"]), (&known.body, &known.headers["etag"]), "{accept}");
        }
        let headers = BTreeMap::from([("accept".to_owned(), "text/csv".to_owned())]);
        let refused = servers.answer(turn, &CaseRequest { headers, ..get(&format!("{PRODUCTS}?limit=0")) });
        assert_eq!((refused.status, refused.headers["content-type"].as_str()), (422, "application/problem+json"));
    }
}

/// However many a page has, and wherever it begins.
fn rows_are_counted(servers: &Servers) {
    for (query, names, total) in [
        ("count=exact&sort=name&limit=2", "A B", 5),
        ("count=exact&sort=name&limit=2&offset=3", "D é & +%", 5),
        ("count=exact&sort=name&offset=5", "", 5),
        ("count=exact&sort=name&stock=5&limit=1", "B", 2),
        ("count=exact&sort=name&filter=name%20contains%20b%20or%20stock%3E=40&offset=1", "D", 2),
        ("count=exact&name=nobody", "", 0),
        ("count=exact&fields=name&sort=-stock,name&offset=1&limit=1", "B", 5),
    ] {
        assert_eq!(servers.names(query), names, "{query}");
        assert_eq!(servers.page(query)["total"], total, "{query}");
        let estimated = servers.page(&query.replace("exact", "estimated"));
        assert_eq!((&estimated["total"], &estimated["total_is"]), (&json!(total), &json!("exact")), "{query}");
    }
    // The page behind one that was passed over to is found by its cursor, and knows as many.
    let next = servers.page("count=exact&sort=name&limit=2&offset=1")["next"].as_str().unwrap().to_owned();
    let query = format!("count=exact&sort=name&limit=2&cursor={next}");
    assert_eq!((servers.names(&query).as_str(), &servers.page(&query)["total"]), ("D é & +%", &json!(5)));
}

/// A row holds what was asked for, in that order, also where the page behind it is found by what was not.
fn fields_are_picked(servers: &Servers) {
    let mut query = "fields=active,name,active&sort=-stock,name&limit=3".to_owned();
    let mut rows = String::new();
    loop {
        let next = servers.page(&query)["next"].as_str().map(str::to_owned);
        let answer = servers.answer(0, &get(&format!("{PRODUCTS}?{query}")));
        let text = String::from_utf8(answer.body).unwrap();
        rows.push_str(text.split_once('[').and_then(|(_, rest)| rest.split_once(']')).unwrap().0);
        let Some(next) = next else { break };
        query = format!("fields=active,name,active&sort=-stock,name&limit=3&cursor={next}");
    }
    assert_eq!(
        rows,
        r#"{"active":true,"name":"D"},{"active":false,"name":"B"},{"active":null,"name":"C"}{"active":null,"name":"é & +%"},{"active":true,"name":"A"}"#
    );
}

#[test]
fn a_list_has_a_tag_of_its_bytes() {
    let servers = Servers::start();
    servers.make(0, &json!({"name": "A", "stock": 1}));
    for turn in 0..servers.servers.len() {
        let known = servers.answer(turn, &get(PRODUCTS));
        let tag = known.headers["etag"].clone();
        assert_eq!(tag.len(), 34, "{tag}");
        let with = |header: &str| CaseRequest {
            headers: BTreeMap::from([("if-none-match".to_owned(), header.to_owned())]),
            ..get(PRODUCTS)
        };
        for header in [tag.clone(), format!("W/{tag}"), format!("\"x\", {tag}"), "*".to_owned()] {
            // Whoever gave the tag, both know it.
            for other in 0..servers.servers.len() {
                let again = servers.answer(other, &with(&header));
                assert_eq!((again.status, &again.headers["etag"]), (304, &tag), "{header}");
                assert!(!again.headers.contains_key("content-type"), "{:?}", again.headers);
            }
        }
        assert_eq!(servers.answer(turn, &with("\"x\"")).status, 200);
        servers.make(turn, &json!({"name": "B", "stock": 1}));
        let changed = servers.answer(turn, &with(&tag));
        assert!(changed.status == 200 && changed.headers["etag"] != tag);
    }
}

#[test]
fn without_a_sort_the_newest_come_first() {
    let servers = Servers::start();
    for (turn, name) in ["A", "B", "C"].into_iter().enumerate() {
        // Made in turns: ids of both servers have one order.
        std::thread::sleep(std::time::Duration::from_millis(5));
        servers.make(turn, &json!({"name": name, "stock": 1}));
    }
    assert_eq!(servers.names("limit=5"), "C B A");
    let page = servers.page("limit=2");
    assert!(page["items"].as_array().unwrap().len() == 2 && page["next"].is_string(), "{page}");
    assert_eq!(servers.names(&format!("limit=2&cursor={}", page["next"].as_str().unwrap())), "A");
    assert_eq!(servers.page("limit=3")["next"], Json::Null);
}

#[test]
fn pages_hold_every_row_once_in_every_order() {
    const ROWS: usize = 45;
    let servers = Servers::start();
    // Equal values, and texts that a cursor must carry unharmed.
    let names = ["Zebra", "apple", "Ärger", "quote\"s \\ and / more", "🦆 & <b>", "Zebra ", "\u{2028}line"];
    let rows: Vec<Json> = (0..ROWS)
        .map(|turn| {
            let product = json!({"name": names[turn % names.len()], "stock": i64::try_from(turn % 4).unwrap() - 1});
            servers.make(turn, &product)
        })
        .collect();
    for (offset, sort) in SORTS.iter().enumerate() {
        let level = |level: &'static str| level.strip_prefix('-').map_or((level, false), |name| (name, true));
        let mut levels: Vec<(&str, bool)> = sort.split(',').take(2).map(level).collect();
        levels.push(("id", levels.last().unwrap().1));
        let mut expected = rows.clone();
        expected.sort_by(|left, right| {
            levels.iter().fold(std::cmp::Ordering::Equal, |known, (name, is_reverse)| {
                let order = compare(&left[name], &right[name]);
                known.then(if *is_reverse { order.reverse() } else { order })
            })
        });
        let mut got = Vec::new();
        let mut cursor = String::new();
        // Seven does not divide the number of rows; nine does, and the last page is full.
        let limit = if offset % 2 == 0 { 7 } else { 9 };
        for turn in offset.. {
            let request = get(&format!("{PRODUCTS}?limit={limit}&sort={sort}{cursor}"));
            let answer = servers.answer(turn, &request);
            let mut page: Json = serde_json::from_slice(&answer.body).unwrap();
            assert_eq!(answer.status, 200, "{sort}: {page}");
            let Json::Array(items) = page["items"].take() else { panic!("{sort}: {page}") };
            let is_full = items.len() == limit;
            got.extend(items);
            let Some(next) = page["next"].as_str() else { break };
            assert!(is_full && got.len() < ROWS, "{sort}: a page ends early, or never");
            cursor = format!("&cursor={next}");
        }
        let ids = |rows: &[Json]| rows.iter().map(|row| row["id"].to_string()).collect::<Vec<_>>();
        assert_eq!(ids(&got), ids(&expected), "{sort}");
        assert_eq!(got, expected, "{sort}");
    }
}

#[test]
fn a_page_and_a_filter_go_together() {
    let servers = Servers::start();
    for turn in 0..12 {
        servers.make(turn, &json!({"name": format!("N{turn:02}"), "stock": turn % 3, "active": turn % 2 == 0}));
    }
    let mut names = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = servers.page(&format!("active=true&stock[lt]=2&sort=-stock&limit=1{cursor}"));
        names.extend(page["items"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap().to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    names.sort();
    assert_eq!(names, ["N00", "N04", "N06", "N10"]);
}

/// Numbers as numbers, texts by their bytes.
fn compare(left: &Json, right: &Json) -> std::cmp::Ordering {
    match (left.as_i64(), right.as_i64()) {
        (Some(left), Some(right)) => left.cmp(&right),
        _ => left.as_str().unwrap().as_bytes().cmp(right.as_str().unwrap().as_bytes()),
    }
}
