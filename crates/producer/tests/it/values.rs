//! Decimal numbers, dates and choices in lists: the order is that of values and not of their texts, filters compare values, and pages
//! lead from one to the next, also when each is asked of another server over the same database.

use crate::harness::Sample;
use crate::harness::client::{ask, get, post};
use crate::harness::server::{Kind, Server};
use crate::harness::workspace::Workspace;
use plan::http_case::CaseRequest;
use serde_json::{Value as Json, json};

const INVOICES: &str = "/api/invoices";

/// One database with every server that can be had over it.
struct Servers {
    servers: Vec<Server>,
    _workspace: Workspace,
}

impl Servers {
    fn start() -> Self {
        let workspace = Workspace::completed_with(Sample::Invoices);
        let servers: Vec<Server> = Kind::all_here().into_iter().map(|kind| Server::start(kind, &workspace)).collect();
        let this = Self { servers, _workspace: workspace };
        // Texts of these numbers are in another order than the numbers.
        for (turn, (total, day, status)) in [
            ("9.50", "2026-01-31", "paid"),
            ("10.00", "2026-02-01", "draft"),
            ("100.00", "2025-12-31", "sent"),
            ("9.05", "2026-02-28", "paid"),
            ("0.00", "0999-01-01", "void"),
            ("10.00", "2026-02-01", "paid"),
        ]
        .into_iter()
        .enumerate()
        {
            let body = json!({
                "invoice_number": format!("{turn}"), "customer_name": "Ada", "issued_on": day, "total": total, "status": status,
            });
            let answer = this.ask(turn, &post(INVOICES, None, &body.to_string()), 201);
            assert_eq!(answer["total"], total);
        }
        this
    }

    /// `turn` tells of whom it is asked.
    fn ask(&self, turn: usize, request: &CaseRequest, status: u16) -> Json {
        let answer = ask(self.servers[turn % self.servers.len()].address, request, "").unwrap();
        assert_eq!(answer.status, status, "{}: {}", request.path, String::from_utf8_lossy(&answer.body));
        serde_json::from_slice(&answer.body).unwrap()
    }

    /// The numbers of the invoices that a query gives, the same of every server.
    fn found(&self, query: &str) -> String {
        let request = get(&format!("{INVOICES}?{query}"));
        let pages: Vec<Json> = (0..self.servers.len()).map(|turn| self.ask(turn, &request, 200)).collect();
        assert!(pages.iter().all(|page| *page == pages[0]), "{query}: {pages:?}");
        numbers(&pages[0])
    }
}

fn numbers(page: &Json) -> String {
    page["items"].as_array().unwrap().iter().map(|item| item["invoice_number"].as_str().unwrap()).collect()
}

#[test]
fn filters_compare_values() {
    let servers = Servers::start();
    for (query, expected) in [
        ("total=9.5", "0"),
        ("total=10", "15"),
        ("total[ne]=10.00", "0234"),
        ("total[gt]=9.5", "125"),
        ("total[gte]=9.50", "0125"),
        ("total[lt]=9.5", "34"),
        ("total[lte]=-0.00", "4"),
        ("total[gt]=9.05&total[lt]=100", "015"),
        ("issued_on=2026-02-01", "15"),
        ("issued_on[lt]=2026-01-01", "24"),
        ("issued_on[gte]=2026-01-31&issued_on[lte]=2026-02-01", "015"),
        ("status=paid", "035"),
        ("status[ne]=paid", "124"),
        ("currency=eur", "012345"),
        ("currency[ne]=EUR", ""),
    ] {
        assert_eq!(servers.found(&format!("sort=invoice_number&{query}")), expected, "{query}");
    }
}

#[test]
fn pages_follow_the_order_of_values() {
    let servers = Servers::start();
    for (sort, expected) in [
        ("total", "430152"),
        ("-total", "251034"),
        ("issued_on", "420153"),
        ("-issued_on", "351024"),
        ("status", "103524"),
        ("-currency", "543210"),
    ] {
        assert_eq!(servers.found(&format!("sort={sort}")), expected, "{sort}");
        let mut query = format!("{INVOICES}?sort={sort}&limit=1");
        let mut walked = String::new();
        for turn in 0.. {
            let page = servers.ask(turn, &get(&query), 200);
            walked.push_str(&numbers(&page));
            let Some(next) = page["next"].as_str() else { break };
            query = format!("{INVOICES}?sort={sort}&limit=1&cursor={next}");
            assert!(turn < 10, "{sort}: {walked}");
        }
        assert_eq!(walked, expected, "{sort}");
    }
}
