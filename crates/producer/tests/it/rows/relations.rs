//! Rows of other tables beside those that are read: `include`, on both servers. They are what the other endpoint shows, and nobody else's.

use super::{Caller, id};
use crate::harness::client::{get, post};
use crate::harness::workspace::{Workspace, end};
use plan::http_case::Answer;
use serde_json::{Value as Json, json};

pub fn come_with_a_row(caller: &Caller<'_>, workspace: &Workspace) {
    let tray = caller.makes("/api/trays", &json!({ "title": "upper" }));
    let good = caller.makes("/api/goods", &json!({ "title": "abacus", "tray_id": id(&tray) }));
    let bare = caller.makes("/api/goods", &json!({ "title": "bare" }));
    let remarks = format!("/api/goods/{}/remarks", id(&good));
    let whole = json!({
        "words": "two\nlines, \"quoted\" \\ \t and \u{1f9ee}", "price": "-12.500", "stars": 9_007_199_254_740_991_i64, "is_true": true,
        "day": "2024-02-29", "heard_at": "2026-01-02T03:04:05.678Z", "document": { "z": [1, "1", null], "a": { "b": 1.5 } },
    });
    for remark in [
        &whole,
        &json!({ "words": "nothing else" }),
        &json!({ "words": "f", "price": "0.050", "is_true": false, "stars": -1, "document": [] }),
        &json!({ "words": "not for everybody", "status": "hidden" }),
    ] {
        caller.makes(&remarks, remark);
    }
    let marks: Vec<Json> = ["old", "new"].map(|title| caller.makes("/api/marks", &json!({ "title": title }))).into();
    caller.makes("/api/marks", &json!({ "title": "of nothing" }));
    for mark in &marks {
        let columns = "good_id, mark_id";
        workspace.query(&format!("INSERT INTO good_marks ({columns}) VALUES ('{}', '{}')", id(&good), id(mark)));
    }

    let path = format!("/api/goods/{}", id(&good));
    let plain = caller.answer(get(&path));
    let with = caller.answer(get(&format!("{path}?include=tray,remarks,marks")));
    assert!(plain.headers.contains_key("etag") && !with.headers.contains_key("etag"), "{:?}", caller.kind);
    let plain: Json = serde_json::from_slice(&plain.body).unwrap();
    let with: Json = serde_json::from_slice(&with.body).unwrap();
    let shown = caller.reads(&remarks)["items"].clone();
    assert_eq!(shown.as_array().unwrap().len(), 3, "{shown}");
    let mut expected = plain.clone();
    expected["tray"] = caller.reads(&format!("/api/trays/{}", id(&tray)));
    expected["remarks"] = shown.clone();
    expected["marks"] = json!([marks[1], marks[0]]);
    // Not only the values are the same, but also the order of the fields.
    assert_eq!(with.to_string(), expected.to_string(), "{:?}", caller.kind);

    let page = caller.reads("/api/goods?include=marks,tray&limit=2&count=exact");
    assert_eq!(page["items"][1]["marks"], expected["marks"], "{page}");
    assert_eq!(page["items"][1]["tray"], expected["tray"], "{page}");
    assert_eq!((&page["items"][0]["marks"], &page["items"][0]["tray"]), (&json!([]), &Json::Null), "{page}");
    let some = caller.reads("/api/goods?fields=title&include=remarks&limit=2");
    assert_eq!(some["items"][1], json!({ "title": "abacus", "remarks": shown }), "{:?}", caller.kind);
    let one = caller.reads(&format!("/api/goods/{}?include=tray&fields=title", id(&bare)));
    assert_eq!(one, json!({ "title": "bare", "tray": null }));
    let back = caller.reads(&format!("{remarks}?include=good&limit=1"));
    assert_eq!(back["items"][0]["good"], plain, "{back}");

    for _ in 0..30 {
        caller.makes(&remarks, &json!({ "words": "more" }));
    }
    let many = caller.reads(&format!("{path}?include=remarks"));
    assert_eq!(many["remarks"], caller.reads(&format!("{remarks}?limit=20"))["items"], "{:?}", caller.kind);
    are_what_is_asked_of_them(caller, id(&good), &remarks);
}

/// What may be asked of their own endpoint may be asked of them, with the same answer.
fn are_what_is_asked_of_them(caller: &Caller<'_>, good: &str, remarks: &str) {
    for asked in [
        "limit=2&sort=id",
        "limit=25&fields=id",
        "sort=-created_at,id&limit=3&fields=words,stars",
        "filter=stars%20>%200%20and%20not%20price%20>%201",
        "filter=price%20in%20(0.050,-12.5)%20or%20is_true%20=%20true&sort=id&fields=price,heard_at",
        "filter=heard_at%20<=%202026-01-02T03:04:05.678Z%20and%20day%20!=%20null&fields=document",
        "filter=stars%20=%207",
    ] {
        let asked = asked.replace('<', "%3C").replace('>', "%3E");
        let dotted: Vec<String> = asked.split('&').map(|parameter| format!("remarks.{parameter}")).collect();
        let own = caller.reads(&format!("{remarks}?{asked}"))["items"].to_string();
        let path = format!("include=remarks,marks&{}", dotted.join("&"));
        let one = caller.reads(&format!("/api/goods/{good}?{path}"));
        assert_eq!(one["remarks"].to_string(), own, "{:?} {path}", caller.kind);
        let page = caller.reads(&format!("/api/goods?{path}&filter=title%20=%20abacus&limit=1&count=exact"));
        assert_eq!(page["items"][0]["remarks"].to_string(), own, "{:?} {path}", caller.kind);
        assert_eq!(page["items"][0]["marks"], one["marks"], "{:?} {path}", caller.kind);
    }
    let path = "include=marks,tray&marks.filter=title%20starts%20%22O%22&marks.fields=title&tray.fields=title";
    let with = caller.reads(&format!("/api/goods/{good}?{path}&fields=title"));
    assert_eq!(with, json!({ "title": "abacus", "marks": [{ "title": "old" }], "tray": { "title": "upper" } }));
}

pub fn are_refused(caller: &Caller<'_>) {
    for (path, parameter, code) in [
        ("/api/goods?include=title", "include", "format"),
        ("/api/goods?include=", "include", "format"),
        ("/api/goods?include=tray,crates", "include", "format"),
        ("/api/goods?include=tray&include=marks", "include", "repeated"),
        ("/api/goods?fields=tray", "fields", "format"),
        ("/api/goods?include=remarks&remarks.limit=101", "remarks.limit", "range"),
        ("/api/goods?include=remarks&remarks.filter=title%20=%201", "remarks.filter", "format"),
        ("/api/goods?include=remarks&remarks.sort=words", "remarks.sort", "format"),
        ("/api/goods?include=remarks&remarks.fields=title", "remarks.fields", "format"),
        ("/api/goods?include=remarks&remarks.cursor=00", "remarks.cursor", "unknown_parameter"),
        ("/api/goods?include=tray&tray.limit=1", "tray.limit", "unknown_parameter"),
        ("/api/goods?crates.limit=1", "crates.limit", "unknown_parameter"),
        ("/api/goods/00000000-0000-0000-0000-000000000000?include=nothing", "include", "format"),
    ] {
        let told = caller.told(get(path), 422);
        assert_eq!(
            (&told["errors"][0]["parameter"], &told["errors"][0]["code"]),
            (&json!(parameter), &json!(code)),
            "{path}"
        );
    }
    caller.told(get("/api/goods/00000000-0000-0000-0000-000000000000?include=tray"), 404);
}

/// What belongs to a crate is its owner's, whoever may look at the crate.
pub fn are_the_callers(people: &[Caller<'_>; 3]) {
    let people = people.iter().zip(["ada's", "bob's"]);
    for (person, title) in people.clone() {
        let held = person.makes("/api/crates", &json!({ "title": title }));
        person.makes(&format!("/api/crates/{}/memos", id(&held)), &json!({ "words": title }));
    }
    for (person, title) in people {
        let own = person.reads("/api/own/crates?include=memos");
        assert_eq!(own["items"].as_array().unwrap().len(), 1, "{own}");
        assert_eq!(own["items"][0]["memos"][0]["words"], title, "{own}");
        person.told(get("/api/crates?include=memos"), 422);
    }
}

/// With a board come the rows that its reader sees at their own endpoint, with the fields that they have there: neither those of which the
/// condition does not hold, nor another one's, nor what is a role's.
pub fn are_what_the_caller_sees_there(people: &[Caller<'_>; 3]) {
    let [ada, bob, eve] = people;
    let board = id(&ada.makes("/api/boards", &json!({ "title": "board" }))).to_owned();
    for note in [
        json!({ "title": "draft", "place": 7 }),
        json!({ "title": "published", "status": "published", "place": 8 }),
        json!({ "title": "soon", "status": "published", "opens_at": "2999-01-01T00:00:00Z" }),
    ] {
        let mut note = note;
        note["board_id"] = board.as_str().into();
        ada.makes("/api/notes", &note);
    }
    for (person, title) in people.iter().zip(["ada's", "bob's", "eve's"]) {
        person.makes("/api/pins", &json!({ "title": title, "board_id": board }));
    }
    eve.makes("/api/checks", &json!({ "title": "checked", "board_id": board }));
    for (person, notes) in people.iter().zip([3, 1, 3]) {
        let path = "/api/boards?include=notes,pins&fields=title&limit=1";
        let with = &person.reads(path)["items"][0];
        let of_board = |path: &str| person.reads(&format!("{path}?board_id={board}"))["items"].clone();
        let expected = json!({ "title": "board", "notes": of_board("/api/notes"), "pins": of_board("/api/pins") });
        assert_eq!(with.to_string(), expected.to_string(), "{:?}", person.kind);
        let count = |of: &str| with[of].as_array().unwrap().len();
        assert_eq!((count("notes"), count("pins")), (notes, 1), "{with}");
        assert!(with["notes"][0].get("place").is_none() && with["notes"][0].get("user_id").is_none(), "{with}");
        person.told(get("/api/boards?include=checks"), 422);
    }
    let checked = &eve.reads("/api/checked/boards?include=checks&limit=1")["items"][0];
    assert_eq!(checked["checks"][0]["title"], "checked", "{checked}");
    bob.told(get("/api/checked/boards?include=checks"), 403);
}

pub fn ask_the_key(caller: &Caller<'_>, workspace: &Workspace) {
    let key = |scopes: &[&str]| {
        let scopes = scopes.iter().flat_map(|scope| ["--scope", scope]);
        let words: Vec<&str> = ["keys", "create", "--name", "test"].into_iter().chain(scopes).collect();
        caller.with(end(&mut workspace.command(&words)).must_end_with(0).stdout.trim_end().to_owned())
    };
    let all = key(&[]);
    let rack = all.makes("/api/racks", &json!({ "title": "rack" }));
    let slot = all.makes(&format!("/api/racks/{}/slots", id(&rack)), &json!({ "title": "slot" }));
    for able in [&all, &key(&["racks:read", "slots:read"]), &key(&["*:read"])] {
        assert_eq!(able.reads("/api/racks?include=slots&limit=1")["items"][0]["slots"], json!([slot]));
    }
    let other = key(&["racks:read"]);
    other.reads("/api/racks");
    let refused = other.answer(get("/api/racks?include=slots"));
    assert_eq!(refused.status, 403, "{:?}", caller.kind);
    assert!(refused.headers["www-authenticate"].ends_with("scope=\"slots:read\""), "{:?}", refused.headers);
    // What comes with a new record counts like what is made alone, and asks the key for as much.
    let together = json!({ "title": "rack", "slots": [{ "title": "one" }, { "title": "two" }] });
    let left = |answer: Answer| {
        let standing = answer.headers["ratelimit"].split_once("r=").unwrap().1;
        standing.split(';').next().unwrap().parse::<u64>().unwrap()
    };
    let able = key(&["racks:write", "slots:write"]);
    let before = left(able.answer(post("/api/racks", None, r#"{"title":"rack"}"#)));
    let made = able.makes("/api/racks", &together);
    assert_eq!(all.reads(&format!("/api/racks/{}/slots", id(&made)))["items"].as_array().unwrap().len(), 2);
    assert_eq!(left(able.answer(post("/api/racks", None, r#"{"title":"rack"}"#))), before - 4, "{:?}", caller.kind);
    let other = key(&["racks:write"]);
    other.makes("/api/racks", &json!({ "title": "alone" }));
    let refused = other.answer(post("/api/racks", None, &together.to_string()));
    assert_eq!(refused.status, 403, "{:?}", caller.kind);
    assert!(refused.headers["www-authenticate"].ends_with("scope=\"slots:write\""), "{:?}", refused.headers);
}
