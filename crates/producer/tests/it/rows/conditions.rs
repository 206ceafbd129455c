//! Endpoints that have to do with rows alone of which a condition holds: over the row, the caller and the time, on every engine and both
//! servers.

use super::{Caller, id};
use crate::harness::client::get;
use plan::http_case::{Answer, CaseRequest};
use serde_json::{Value as Json, json};

impl Caller<'_> {
    fn makes_note(&self, mut note: Json) -> String {
        note["title"] = format!("{}-{}", self.mark(), note["title"].as_str().unwrap()).into();
        id(&self.makes("/api/notes", &note)).to_owned()
    }

    /// The titles that its list shows, sorted.
    fn sees(&self) -> String {
        let page = self.reads("/api/notes?sort=title");
        let items = page["items"].as_array().unwrap_or_else(|| panic!("{page}"));
        let titles = items.iter().map(|item| item["title"].as_str().unwrap());
        titles.filter_map(|title| title.strip_prefix(&format!("{}-", self.mark()))).collect::<Vec<_>>().join(" ")
    }

    fn status(&self, method: &str, id: &str, body: Option<Json>) -> u16 {
        let request = CaseRequest { method: method.to_owned(), body, ..get(&format!("/api/notes/{id}")) };
        self.answer(request).status
    }
}

pub fn hold(people: &[Caller<'_>; 3]) {
    let [ada, bob, eve] = people;
    let kind = ada.kind;
    let draft = ada.makes_note(json!({ "title": "a-draft", "place": 3 }));
    let published = ada.makes_note(json!({ "title": "b-published", "status": "published", "place": 30 }));
    let soon = ada.makes_note(json!({ "title": "c-soon", "status": "published", "opens_at": "2999-01-01T00:00:00Z" }));
    let open = ada.makes_note(json!({ "title": "d-open", "status": "published", "opens_at": "2020-01-01T00:00:00Z" }));
    assert_eq!(ada.sees(), "a-draft b-published c-soon d-open", "{kind:?}: what is the caller's");
    assert_eq!(bob.sees(), "b-published d-open", "{kind:?}: what is for everybody");
    assert_eq!(eve.sees(), "a-draft b-published c-soon d-open", "{kind:?}: what a role sees");

    for (id, seen) in [(&draft, 404), (&published, 200), (&soon, 404), (&open, 200)] {
        assert_eq!(bob.status("GET", id, None), seen, "{kind:?}");
        assert_eq!((ada.status("GET", id, None), eve.status("GET", id, None)), (200, 200), "{kind:?}");
    }
    // What is hidden is in no answer, and nobody finds it out by asking for it.
    let page = bob.reads("/api/notes?limit=1");
    let fields: Vec<&str> = page["items"][0].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(fields, ["id", "board_id", "title", "status", "opens_at", "created_at", "updated_at"], "{kind:?}");
    for query in ["place=30", "sort=user_id", "fields=place", "filter=place%3E1", "user_id[ne]=x"] {
        assert_eq!(bob.answer(get(&format!("/api/notes?{query}"))).status, 422, "{kind:?}: {query}");
    }
    let whole = ada.reads(&format!("/api/notes/{published}"));
    assert_eq!(whole["place"], 30, "{kind:?}: where it is not hidden");
    let unknown = bob.answer(get("/api/notes/01900000-0000-7000-8000-00000000dead"));
    let hidden = bob.answer(get(&format!("/api/notes/{draft}")));
    let without_id = |answer: &Answer| {
        let mut problem: Json = serde_json::from_slice(&answer.body).unwrap();
        problem.as_object_mut().unwrap().remove("request_id");
        (answer.status, problem)
    };
    assert_eq!(without_id(&unknown), without_id(&hidden), "a refusal does not tell that a row is there");

    // Drafts, and these of their owner alone; what one becomes may be something else.
    let publish = || Some(json!({ "status": "published" }));
    assert_eq!(bob.status("PATCH", &draft, publish()), 404, "{kind:?}");
    assert_eq!(ada.status("PATCH", &published, Some(json!({ "title": "x" }))), 404, "{kind:?}");
    assert_eq!(ada.status("PATCH", &draft, publish()), 200, "{kind:?}");
    assert_eq!(ada.status("PATCH", &draft, publish()), 404, "{kind:?}");
    assert_eq!(bob.sees(), "a-draft b-published d-open", "{kind:?}");

    // What is compared with null is neither true nor false.
    assert_eq!(ada.status("DELETE", &draft, None), 403, "{kind:?}");
    let deleted = [&draft, &published, &soon].map(|id| eve.status("DELETE", id, None));
    assert_eq!(deleted, [204, 404, 404], "{kind:?}");
    assert_eq!(ada.sees(), "b-published c-soon d-open", "{kind:?}");
}
