//! What takes too long on a database that answers, on both servers over PostgreSQL and MariaDB: rows that others keep, a pool whose
//! connections are all at work, a statement that does not end, and on PostgreSQL a read that would look at too much. The caller
//! hears which it was, and so does the log.

use crate::harness::client::{ask, get, post};
use crate::harness::rooms::{self, room};
use crate::harness::schema::Schema;
use crate::harness::server::{Kind, Server};
use crate::harness::workspace::Workspace;
use crate::harness::{mysql, postgresql};
use plan::http_case::{Answer, CaseRequest};
use std::thread;
use std::time::{Duration, Instant};
use vocab::Engine;

fn pool(engine: Engine) -> &'static str {
    match engine {
        Engine::PostgreSql => {
            "{ max: 2, acquire_timeout: 1_seconds, statement_timeout: 4_seconds, plan_budget: 1000000 }"
        }
        Engine::MySql | Engine::Sqlite | Engine::MongoDb => {
            "{ max: 2, acquire_timeout: 1_seconds, statement_timeout: 4_seconds }"
        }
    }
}

/// Longer than a statement may take.
const SLOW: &str = "ALTER TABLE rooms RENAME TO slow_rooms; CREATE VIEW rooms AS SELECT slow_rooms.* FROM slow_rooms";

/// A list that counts a thousand million rows first.
const OVER_BUDGET: &str = "CREATE OR REPLACE VIEW rooms AS SELECT slow_rooms.* FROM slow_rooms WHERE (SELECT count(*) FROM generate_series(1, 1000000000)) > 0";

fn detail(answer: &Answer) -> String {
    assert_eq!((answer.status, answer.headers["retry-after"].as_str()), (503, "1"));
    let problem: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(problem["type"], "urn:problem-type:unavailable");
    problem["detail"].as_str().unwrap().to_owned()
}

/// What becomes of as many changes of a row at once.
fn at_once(server: &Server, path: &str, count: usize) -> Vec<Answer> {
    let change = CaseRequest { method: "PATCH".to_owned(), ..post(path, None, r#"{"number":2}"#) };
    thread::scope(|scope| {
        let asked: Vec<_> = (0..count).map(|_| scope.spawn(|| ask(server.address, &change, "").unwrap())).collect();
        asked.into_iter().map(|asked| asked.join().unwrap()).collect()
    })
}

fn must_log(server: &Server, code: &str) {
    let begun = Instant::now();
    let is_said = |log: String| log.lines().any(|line| line.contains("database.performance") && line.contains(code));
    while !is_said(server.log()) {
        assert!(begun.elapsed() < Duration::from_secs(2), "{code}: {}", server.log());
        thread::sleep(Duration::from_millis(10));
    }
}

fn what_takes_too_long_is_said(engine: Engine) {
    let Some(place) = Schema::empty(engine, "what takes too long") else { return };
    let mut workspace = Workspace::new();
    workspace.url = Some(place.url());
    let told = workspace.run_text(&rooms::tasks(engine, pool(engine))).must_end_with(0).stdout;
    assert!(told.contains("a short load went through the pool") && told.contains("transactions_per_second"), "{told}");
    let servers: Vec<Server> = Kind::all_here().into_iter().map(|kind| Server::start(kind, &workspace)).collect();
    let made = ask(servers[0].address, &room(1), "").unwrap();
    assert_eq!(made.status, 201);
    let path = &made.headers["location"];
    let everywhere = |asked: &(dyn Fn(&Server) + Sync)| {
        thread::scope(|scope| servers.iter().for_each(|server| drop(scope.spawn(move || asked(server)))));
    };

    // A pool of two: what waits for the row keeps the connections from the others.
    let locked = |asked: &(dyn Fn(&Server) + Sync)| {
        let change = "UPDATE rooms SET number = 3";
        match engine {
            Engine::MySql => {
                let session = mysql::Session::holding(&place.url(), &format!("BEGIN; {change}"));
                everywhere(asked);
                session.end();
            }
            Engine::PostgreSql | Engine::Sqlite | Engine::MongoDb => {
                let session = postgresql::Session::holding(&place.url(), change);
                everywhere(asked);
                session.end();
            }
        }
    };
    locked(&|server| {
        let details: Vec<String> = at_once(server, path, 3).iter().map(detail).collect();
        let is_said = |wanted: &str| details.iter().any(|detail| detail == wanted);
        assert!(is_said("others kept what this request needs for too long"), "{details:?}");
        assert!(is_said("all connections to the database are at work"), "{details:?}");
        must_log(server, "lock_timeout");
        must_log(server, "pool_exhausted");
    });
    everywhere(&|server| assert_eq!(at_once(server, path, 1)[0].status, 200));

    match engine {
        Engine::MySql => drop(mysql::mysql(&place.url(), &format!("{SLOW} WHERE SLEEP(8) = 0")).unwrap()),
        Engine::PostgreSql | Engine::Sqlite | Engine::MongoDb => {
            let view = format!("{SLOW}, pg_sleep(8); GRANT SELECT ON rooms TO PUBLIC");
            drop(postgresql::psql(&place.url(), &view).unwrap());
        }
    }
    everywhere(&|server| {
        let answer = ask(server.address, &get("/api/rooms"), "").unwrap();
        assert_eq!(detail(&answer), "the database took too long for this request");
        must_log(server, "statement_timeout");
    });

    // Never begun, so that nobody waits for it.
    if engine != Engine::PostgreSql {
        return;
    }
    postgresql::psql(&place.url(), OVER_BUDGET).unwrap();
    everywhere(&|server| {
        let begun = Instant::now();
        let answer = ask(server.address, &get("/api/rooms"), "").unwrap();
        assert_eq!(detail(&answer), "the database would have to look at too much for this request");
        assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
        must_log(server, "plan_over_budget");
        ask(server.address, &get("/api/rooms?number[gte]=0"), "").unwrap();
        let says = ["(number) may keep it within", r#""columns":"number""#];
        let begun = Instant::now();
        while !says.iter().any(|index| server.log().contains(index)) {
            assert!(begun.elapsed() < Duration::from_secs(2), "{}", server.log());
            thread::sleep(Duration::from_millis(10));
        }
    });
}

#[test]
fn what_takes_too_long_is_said_on_postgresql() {
    what_takes_too_long_is_said(Engine::PostgreSql);
}

#[test]
fn what_takes_too_long_is_said_on_mysql() {
    what_takes_too_long_is_said(Engine::MySql);
}
