//! What is worked out of the rows that an endpoint shows to whoever asks.

use super::Caller;
use crate::harness::client::{get, post};
use plan::http_case::CaseRequest;
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

const SALES: &str = "/api/sales";

impl Caller<'_> {
    fn works_out(&self, query: &str) -> String {
        let answer = self.answer(get(&format!("{SALES}?{query}")));
        let text = String::from_utf8(answer.body).unwrap();
        assert_eq!(answer.status, 200, "{:?} {query}: {text}", self.kind);
        text
    }

    fn is_told(&self, query: &str) -> String {
        let refused = self.told(get(&format!("{SALES}?{query}")), 422);
        let error = &refused["errors"][0];
        format!(
            "{} {} {}",
            error["parameter"].as_str().unwrap(),
            error["code"].as_str().unwrap(),
            error["detail"].as_str().unwrap()
        )
    }
}

pub fn are_of_the_rows_that_are_shown(people: &[Caller<'_>; 3]) {
    let [ada, bob, _] = people;
    let kind = ada.kind;
    for sale in [
        json!({ "title": "a", "status": "open", "total": "10.00", "pieces": 1, "sold_on": "2026-01-05", "sold_at": "2026-01-31T23:30:00-01:00", "is_paid": true }),
        json!({ "title": "b", "status": "open", "total": "20.05", "pieces": 2, "sold_on": "2026-01-20", "sold_at": "2025-12-31T23:59:59.999Z", "is_paid": false }),
        json!({ "title": "c", "status": "closed", "total": "-0.10", "sold_on": "2026-02-01" }),
        json!({ "title": "d", "status": "closed", "pieces": 5, "is_paid": true }),
    ] {
        ada.makes(SALES, &sale);
    }
    bob.makes(SALES, &json!({ "title": "of somebody else", "status": "open", "total": "1000.00" }));

    for (query, items) in [
        ("aggregate=count", r#"{"count":4}"#),
        (
            "aggregate=count,sum(total),avg(total),min(total),max(sold_on)&group=status",
            r#"{"status":"closed","count":2,"sum(total)":"-0.10","avg(total)":"-0.100000","min(total)":"-0.10","max(sold_on)":"2026-02-01"},{"status":"open","count":2,"sum(total)":"30.05","avg(total)":"15.025000","min(total)":"10.00","max(sold_on)":"2026-01-20"}"#,
        ),
        (
            "aggregate=sum(pieces),avg(pieces),max(pieces)",
            r#"{"sum(pieces)":8,"avg(pieces)":"2.6667","max(pieces)":5}"#,
        ),
        (
            "aggregate=count&group=month(sold_on)",
            r#"{"month(sold_on)":"2026-01","count":2},{"month(sold_on)":"2026-02","count":1},{"month(sold_on)":null,"count":1}"#,
        ),
        (
            "aggregate=max(sold_at)&group=day(sold_at)&filter=sold_at!=null",
            r#"{"day(sold_at)":"2025-12-31","max(sold_at)":"2025-12-31T23:59:59.999Z"},{"day(sold_at)":"2026-02-01","max(sold_at)":"2026-02-01T00:30:00.000Z"}"#,
        ),
        (
            "group=year(sold_on),is_paid&aggregate=count&sort=-count,is_paid&limit=2",
            r#"{"year(sold_on)":"2026","is_paid":false,"count":1},{"year(sold_on)":"2026","is_paid":true,"count":1}"#,
        ),
        ("aggregate=sum(total)&group=status&sort=-sum(total)&limit=1", r#"{"status":"open","sum(total)":"30.05"}"#),
        ("aggregate=count,count&filter=total%3E0&pieces[lt]=2", r#"{"count":1}"#),
        (
            "aggregate=count,sum(total),avg(total),min(pieces)&pieces=99",
            r#"{"count":0,"sum(total)":null,"avg(total)":null,"min(pieces)":null}"#,
        ),
        ("aggregate=count&group=status&pieces=99", ""),
    ] {
        assert_eq!(ada.works_out(query), format!("{{\"items\":[{items}],\"next\":null}}"), "{kind:?} {query}");
    }
    let headers = BTreeMap::from([("accept".to_owned(), "text/csv".to_owned())]);
    let path = format!("{SALES}?aggregate=count,avg(pieces)&group=status");
    let table = ada.answer(CaseRequest { headers, ..get(&path) });
    let expected = "status,count,avg(pieces)\r\nclosed,2,5.0000\r\nopen,2,1.5000\r\n";
    assert_eq!(String::from_utf8(table.body).unwrap(), expected, "{kind:?}");

    let together = "inconsistent must not be given together with `aggregate`";
    for (query, told) in [
        ("group=status", "group inconsistent must be given together with `aggregate`".to_owned()),
        ("aggregate=count&cursor=aa", format!("cursor {together}")),
        ("aggregate=count&fields=title", format!("fields {together}")),
        ("aggregate=count&offset=1&count=exact", format!("offset {together}")),
        ("aggregate=count&sort=total", "sort format must be one of count, or several with commas between".to_owned()),
        ("aggregate=count&limit=1001", "limit range must be between 1 and 1000".to_owned()),
        ("aggregate=count&aggregate=count", "aggregate repeated must be given once".to_owned()),
        ("aggregate=count&colour=red", "colour unknown_parameter is not a known parameter".to_owned()),
        ("aggregate=count&user_id=1", "user_id unknown_parameter is not a known parameter".to_owned()),
    ] {
        assert_eq!(ada.is_told(query), told, "{kind:?} {query}");
    }
    let told = ada.is_told("aggregate=median(total)");
    let begins = "aggregate format must be one of count, sum(total), avg(total), sum(pieces), avg(pieces), min(total), max(total)";
    assert!(told.starts_with(begins), "{kind:?} {told}");
    let told = ada.is_told("aggregate=count&group=total");
    assert!(
        told.starts_with("group format must be one of title, status, pieces, sold_on, is_paid, year(sold_on)"),
        "{kind:?} {told}"
    );

    let much = json!([{ "title": "e", "total": "9999999999999.99" }, { "title": "f", "total": "9999999999999.99" }]);
    ada.told(post(SALES, None, &much.to_string()), 201);
    assert_eq!(
        ada.is_told("aggregate=sum(total)"),
        "aggregate range must be of fewer rows: a sum has too many digits",
        "{kind:?}"
    );

    let many: Vec<Json> = (0..1001).map(|number| json!({ "title": format!("{number:04}") })).collect();
    for list in many.chunks(1000) {
        ada.told(post(SALES, None, &json!(list).to_string()), 201);
    }
    let told = ada.is_told("aggregate=count&group=title");
    assert!(told.starts_with("group range must make at most 1000 groups"), "{kind:?} {told}");
    let few = ada.works_out("aggregate=count&group=title&limit=2&sort=-title");
    assert_eq!(few, r#"{"items":[{"title":"f","count":1},{"title":"e","count":1}],"next":null}"#, "{kind:?}");
}
