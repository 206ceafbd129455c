//! Pages as providers give them, and where they lead.

use super::{Lead, LeadsElsewhere, Page, Reading};
use crate::testbed::answered;
use manifest::operation::Paging;
use serde_json::{Value, json};

const URL: &str = "https://api.example/v1/things?limit=2";

fn paging(next: Value) -> Paging {
    serde_json::from_value(json!({ "items": "/data", "next": next, "most_pages": 3 })).unwrap()
}

/// What the pages lead to, one after the other.
fn leads(next: Value, documents: &[Value]) -> Vec<Option<Lead>> {
    let (paging, mut reading) = (paging(next), Reading::default());
    let page = |document| reading.page(&paging, URL, &answered(200, &[], ""), document).unwrap().next;
    documents.iter().map(page).collect()
}

fn value(value: impl Into<Value>) -> Option<Lead> {
    Some(Lead::Value(value.into()))
}

#[test]
fn a_cursor_leads_on_until_it_is_absent_or_says_so() {
    let cursor = json!({ "cursor": { "at": "/next" } });
    let pages = [json!({ "data": [1], "next": "b" }), json!({ "data": [2], "next": null })];
    assert_eq!(leads(cursor.clone(), &pages), [value("b"), None]);
    assert_eq!(leads(cursor.clone(), &[json!({ "data": [], "next": "" })]), [None]);
    let circle = [json!({ "data": [1], "next": "b" }), json!({ "data": [2], "next": "b" })];
    assert_eq!(leads(cursor, &circle), [value("b"), None], "a circle is an end");
    let more = json!({ "cursor": { "at": "/cursor", "more": "/more" } });
    let pages = [json!({ "data": [1], "cursor": 5, "more": true }), json!({ "data": [], "cursor": 6, "more": false })];
    assert_eq!(leads(more, &pages), [value(5), None]);
}

#[test]
fn the_last_item_leads_on_while_there_are_more() {
    let last = json!({ "last_item": { "at": "/id", "more": "/has_more" } });
    let pages = [
        json!({ "data": [{ "id": "a" }, { "id": "b" }], "has_more": true }),
        json!({ "data": [{ "id": "c" }], "has_more": false }),
    ];
    assert_eq!(leads(last.clone(), &pages), [value("b"), None]);
    assert_eq!(leads(last, &[json!({ "data": [], "has_more": true })]), [None]);
}

#[test]
fn counting_ends_with_a_page_that_is_not_full() {
    let pages = [json!({ "data": [1, 2] }), json!({ "data": [3, 4] }), json!({ "data": [5] })];
    assert_eq!(leads(json!({ "offset": { "page_size": 2 } }), &pages), [value(2), value(4), None]);
    let pages = [json!({ "data": [1] }), json!({ "data": [2] }), json!({ "data": [] })];
    assert_eq!(leads(json!({ "number": { "first": 0 } }), &pages), [value(1), value(2), None]);
}

#[test]
fn addresses_lead_to_the_same_host_only() {
    let address = paging(json!({ "address": "/next" }));
    let lead = |next: Value| {
        let page =
            Reading::default().page(&address, URL, &answered(200, &[], ""), &json!({ "data": [1], "next": next }));
        page.map(|page| page.next)
    };
    let to = |url: &str| Ok(Some(Lead::Address(url.to_owned())));
    assert_eq!(lead(json!("/v1/things?after=2")), to("https://api.example/v1/things?after=2"));
    assert_eq!(lead(json!("https://api.example:443/x")), to("https://api.example/x"));
    assert_eq!(lead(Value::Null), Ok(None));
    for elsewhere in [
        "https://evil.example/",
        "//evil.example/",
        "http://api.example/",
        "https://api.example:8443/",
        "https://u@api.example/",
        "https://169.254.169.254/",
    ] {
        assert_eq!(lead(json!(elsewhere)), Err(LeadsElsewhere), "{elsewhere}");
    }
}

#[test]
fn a_header_may_lead_on() {
    let paging = paging(json!("link_header"));
    let lead = |header: &str| {
        let answer = answered(200, &[("link", header)], "");
        Reading::default().page(&paging, URL, &answer, &json!({ "data": [1] })).unwrap().next
    };
    let to = Some(Lead::Address("https://api.example/v1/things?page=2".to_owned()));
    assert_eq!(lead("<https://api.example/v1/things?page=9>; rel=\"last\", <?page=2>; rel=\"next\""), to);
    assert_eq!(lead("<?page=2>; rel=prev"), None);
    assert_eq!(lead("nonsense"), None);
}

#[test]
fn it_is_enough_where_the_manifest_says_so() {
    let (paging, mut reading) = (paging(json!({ "cursor": { "at": "/next" } })), Reading::default());
    let mut page = |next: &str| {
        reading.page(&paging, URL, &answered(200, &[], ""), &json!({ "data": [1], "next": next })).unwrap()
    };
    assert!(page("a").next.is_some() && page("b").next.is_some());
    assert_eq!(page("c"), Page { items: vec![json!(1)], next: None, is_cut: true });
}
