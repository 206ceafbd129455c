//! What endpoints do over several requests: tables that are read page by page, remarks of many posts, subscriptions that end and
//! begin again, further events, and a database that does not answer.

use crate::harness::Sample;
use crate::harness::client::{ask, get, post};
use crate::harness::server::{Kind, Server};
use crate::harness::workspace::Workspace;
use plan::http_case::{Answer, CaseRequest};
use serde_json::{Value as Json, json};

crate::harness::on_both_servers!(
    a_table_is_read_page_by_page,
    lines_are_read_page_by_page,
    remarks_are_those_of_their_post,
    a_subscription_ends_and_begins_again,
    further_events_are_told_with_the_first,
    health_notices_a_database_that_is_gone,
    what_everybody_may_keep_is_kept_until_it_is_written,
);

struct Api {
    server: Server,
    key: String,
    workspace: Workspace,
}

impl Api {
    fn start(kind: Kind) -> Self {
        let workspace = Workspace::completed_with(Sample::Behaviours);
        Self { server: Server::start(kind, &workspace), key: workspace.create_key(), workspace }
    }

    fn ask(&self, request: &CaseRequest) -> Answer {
        ask(self.server.address, request, &self.key).unwrap()
    }

    fn get(&self, path: &str) -> Answer {
        self.ask(&get(path))
    }

    fn post(&self, path: &str, body: &Json) -> Answer {
        self.ask(&post(path, Some(&self.key), &body.to_string()))
    }

    /// The id of what is made.
    fn make(&self, path: &str, body: &Json) -> String {
        let made = self.post(path, body);
        assert_eq!(made.status, 201, "{}", String::from_utf8_lossy(&made.body));
        made.key().unwrap().as_str().unwrap().to_owned()
    }

    /// All pages from that one on, as texts, by following the links.
    fn pages(&self, path: &str, query: &str) -> Vec<String> {
        let mut pages = Vec::new();
        let mut query = query.to_owned();
        loop {
            let answer = self.get(&format!("{path}{query}"));
            assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
            pages.push(String::from_utf8(answer.body).unwrap());
            let Some(link) = answer.headers.get("link") else { return pages };
            let next = link.strip_prefix('<').and_then(|link| link.strip_suffix(">; rel=\"next\"")).unwrap();
            query = next.to_owned();
            assert!(pages.len() < 20, "the links never end");
        }
    }

    fn events(&self) -> Vec<(String, Json)> {
        let rows = self.workspace.query("SELECT name, payload FROM outbox_events ORDER BY id");
        let event = |row: Vec<String>| (row[0].clone(), serde_json::from_str(&row[1]).unwrap());
        rows.into_iter().map(event).collect()
    }

    fn event_names(&self) -> Vec<String> {
        self.events().into_iter().map(|(name, _)| name).collect()
    }
}

fn a_table_is_read_page_by_page(kind: Kind) {
    let api = Api::start(kind);
    let post = api.make("/api/posts", &json!({"title": "First"}));
    let path = format!("/api/posts/{post}/remarks");
    for remark in [
        json!({"author": "a, b", "text": "one\ntwo", "rating": -5}),
        json!({"author": "=HYPERLINK(\"x\")", "phone": "+44 20 7946 0018"}),
        json!({"author": "say \"x\"", "text": "@here"}),
        json!({"author": "plain"}),
        json!({"author": "-1 + 1"}),
    ] {
        api.make(&path, &remark);
    }
    let pages = api.pages("/api/remarks", "?limit=2&sort=author");
    assert_eq!(pages.len(), 3);
    let header = "id,text,author,phone,rating,post_id,created_at,updated_at\r\n";
    assert!(pages.iter().all(|page| page.starts_with(header)), "{pages:?}");
    let rows: Vec<String> = pages.iter().map(|page| page[header.len()..].to_owned()).collect();
    // Between the id and the post.
    let inner = |row: &str| row[37..row.find(&post).unwrap() - 1].to_owned();
    let inners: Vec<String> = rows.iter().flat_map(|page| page.split_terminator("Z\r\n")).map(inner).collect();
    assert_eq!(
        inners,
        [
            ",'-1 + 1,,",
            ",\"'=HYPERLINK(\"\"x\"\")\",+44 20 7946 0018,",
            "\"one\ntwo\",\"a, b\",,-5",
            ",plain,,",
            "'@here,\"say \"\"x\"\"\",,"
        ]
    );
    let first = api.get("/api/remarks?limit=2&sort=author");
    let tag = first.headers["etag"].clone();
    let mut again = get("/api/remarks?limit=2&sort=author");
    again.headers.insert("if-none-match".to_owned(), tag.clone());
    assert_eq!(api.ask(&again).status, 304);
    // The last page is the same, and there is one behind it now.
    let last = api.get("/api/remarks?limit=5&sort=author");
    api.make(&path, &json!({"author": "zoe"}));
    let longer = api.get("/api/remarks?limit=5&sort=author");
    assert_eq!(last.body, longer.body);
    assert_ne!(last.headers["etag"], longer.headers["etag"]);
    assert!(!last.headers.contains_key("link") && longer.headers.contains_key("link"));
}

fn lines_are_read_page_by_page(kind: Kind) {
    let api = Api::start(kind);
    let post = api.make("/api/posts", &json!({"title": "First"}));
    let path = format!("/api/posts/{post}/remarks");
    for rating in 0..5 {
        api.make(&path, &json!({"author": "a > b & c", "rating": rating}));
    }
    let pages = api.pages(&path, "?author=a%20%3E%20b%20%26%20c&rating[gte]=1&limit=3");
    let ratings = |page: &String| -> Vec<i64> {
        let rows = page.lines().map(|line| serde_json::from_str::<Json>(line).unwrap());
        rows.map(|row| row["rating"].as_i64().unwrap()).collect()
    };
    assert_eq!(pages.iter().map(ratings).collect::<Vec<_>>(), [vec![4, 3, 2], vec![1]]);
    // JSON lists lead on in the same way.
    api.make("/api/posts", &json!({"title": "Second"}));
    assert_eq!(api.pages("/api/posts", "?limit=1").len(), 2);
}

fn remarks_are_those_of_their_post(kind: Kind) {
    let api = Api::start(kind);
    let posts = ["First", "Second"].map(|title| api.make("/api/posts", &json!({"title": title})));
    for (author, post) in [("Ada", &posts[0]), ("Bob", &posts[1]), ("Cy", &posts[0])] {
        api.make(&format!("/api/posts/{post}/remarks"), &json!({"author": author}));
    }
    let authors = |post: &str| {
        let text = api.pages(&format!("/api/posts/{post}/remarks"), "?sort=author&limit=1").concat();
        let rows = text.lines().map(|line| serde_json::from_str::<Json>(line).unwrap());
        rows.map(|row| row["author"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(authors(&posts[0]), ["Ada", "Cy"]);
    assert_eq!(authors(&posts[1]), ["Bob"]);
    assert_eq!(api.workspace.count("remarks"), 3);
}

fn a_subscription_ends_and_begins_again(kind: Kind) {
    let api = Api::start(kind);
    let (on, off) = ("/api/newsletter/subscribe", "/api/newsletter/unsubscribe");
    let address = json!({"email": "ada@example.com"});
    for (path, body, subscribers) in [
        (off, &address, 0),
        (on, &address, 1),
        (on, &address, 1),
        (off, &json!({"email": "ADA@example.com", "reason": "Too many"}), 0),
        (off, &address, 0),
        (on, &address, 1),
    ] {
        let answer = api.post(path, body);
        assert_eq!((answer.status, String::from_utf8_lossy(&answer.body).as_ref()), (202, r#"{"status":"accepted"}"#));
        assert_eq!(api.workspace.count("newsletter_subscribers"), subscribers, "{path}");
    }
    let events = api.events();
    let names: Vec<&str> = events.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["newsletter_signup", "newsletter_unsubscribed", "newsletter_signup"]);
    let ended = &events[1].1;
    assert_eq!((&ended["email"], &ended["reason"]), (&json!("ADA@example.com"), &json!("Too many")));
    assert!(ended["unsubscribed_at"].is_string(), "{ended}");
}

fn further_events_are_told_with_the_first(kind: Kind) {
    let api = Api::start(kind);
    let post = api.make("/api/posts", &json!({"title": "First"}));
    let remark = json!({"author": "Ada"});
    let id = api.make(&format!("/api/posts/{post}/remarks"), &remark);
    let events = api.events();
    let names: Vec<&str> = events.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["story_created", "content_changed", "remark_created", "content_changed"]);
    assert_eq!(events[2].1, events[3].1);
    assert_eq!((&events[3].1["id"], &events[3].1["post_id"]), (&json!(id), &json!(post)));
    // What is refused tells of nothing.
    let nobody = "/api/posts/00000000-0000-7000-8000-000000000000/remarks";
    assert_eq!(api.post(nobody, &remark).status, 404);
    assert_eq!(api.event_names().len(), 4);
}

fn what_everybody_may_keep_is_kept_until_it_is_written(kind: Kind) {
    let api = Api::start(kind);
    let titles = |answer: &Answer| {
        let listed: Json = serde_json::from_slice(&answer.body).unwrap();
        listed["items"].as_array().unwrap().iter().map(|story| story["title"].to_string()).collect::<Vec<_>>()
    };
    let id = api.make("/api/posts", &json!({ "title": "First" }));
    let first = api.get("/api/posts");
    let again = api.get("/api/posts");
    assert!(!first.headers.contains_key("age"), "{:?}", first.headers);
    assert_eq!((again.headers["age"].as_str(), &again.body), ("0", &first.body));
    for same in ["cache-control", "content-type", "etag"] {
        assert_eq!(again.headers[same], first.headers[same]);
    }
    // Another question has another answer, and a wrong one is refused as ever.
    assert!(!api.get("/api/posts?limit=1").headers.contains_key("age"));
    assert_eq!(api.get("/api/posts?limit=0").status, 422);
    let mut known = get("/api/posts");
    known.headers.insert("if-none-match".to_owned(), first.headers["etag"].clone());
    let unchanged = api.ask(&known);
    assert_eq!((unchanged.status, unchanged.headers["age"].as_str()), (304, "0"));
    // What is only its caller's is asked for each time.
    for _ in 0..2 {
        let mut own = get(&format!("/api/posts/{id}"));
        own.headers.insert("x-api-key".to_owned(), api.key.clone());
        assert!(!api.ask(&own).headers.contains_key("age"));
    }
    api.make("/api/posts", &json!({ "title": "Second" }));
    let fresh = api.get("/api/posts");
    assert!(!fresh.headers.contains_key("age") && titles(&fresh).len() == 2, "{:?}", fresh.headers);
    // A refused write changes nothing, and what writes other tables neither.
    assert_eq!(api.post("/api/posts", &json!({})).status, 422);
    api.make(&format!("/api/posts/{id}/remarks"), &json!({ "text": "Well", "author": "Ada" }));
    assert!(api.get("/api/posts").headers.contains_key("age"));
    let metrics = String::from_utf8(api.get("/metrics").body).unwrap();
    assert!(metrics.contains("kept_answers_total{found=\"hit\"} 3"), "{metrics}");
}

fn health_notices_a_database_that_is_gone(kind: Kind) {
    let api = Api::start(kind);
    assert_eq!(api.get("/api/health").status, 200);
    // The ledger is what the servers look at.
    api.workspace.query("ALTER TABLE schema_migrations RENAME TO lost");
    let answer = api.get("/api/health");
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    assert_eq!((answer.status, answer.headers.get("retry-after").map(String::as_str)), (503, Some("1")), "{text}");
    assert!(text.contains("urn:problem-type:unavailable"), "{text}");
    assert_eq!(api.get("/readyz").status, 503);
    api.workspace.query("ALTER TABLE lost RENAME TO schema_migrations");
    assert_eq!(api.get("/api/health").status, 200);
}
