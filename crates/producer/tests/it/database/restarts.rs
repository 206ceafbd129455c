//! A database server that is restarted under load, with both servers over it: reads are answered, and of writes no other is refused
//! than one whose connection ended while it was being committed, which is said.

use crate::harness::client::{ask, get};
use crate::harness::rooms::{self, room};
use crate::harness::schema::Schema;
use crate::harness::server::{Kind, Server};
use crate::harness::workspace::Workspace;
use crate::harness::{mysql, postgresql};
use std::collections::BTreeSet;
use std::fs;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::Duration;
use vocab::Engine;

const POOL: &str = "{ acquire_timeout: 12_seconds }";

const RESTARTS: usize = 3;
/// Who reads, and who writes, of each server.
const CALLERS: u32 = 4;
const UNCERTAIN: &str = "the database was lost while this was stored, so it may be stored or not";

/// What came of requests to one server.
#[derive(Debug, Default)]
struct Tally {
    read: u32,
    /// Numbers that were stored, and those of which nobody knows.
    stored: BTreeSet<u32>,
    uncertain: BTreeSet<u32>,
    refused: Vec<String>,
}

/// Asks until it is over.
fn load(server: &Server, next: &AtomicU32, is_over: &AtomicBool) -> Tally {
    let read = || {
        let mut tally = Tally::default();
        while !is_over.load(Ordering::Relaxed) {
            let answer = ask(server.address, &get("/api/rooms?limit=1"), "").unwrap();
            match answer.status {
                200 => tally.read += 1,
                _ => tally.refused.push(String::from_utf8_lossy(&answer.body).into_owned()),
            }
            thread::sleep(Duration::from_millis(2));
        }
        tally
    };
    let write = || {
        let mut tally = Tally::default();
        while !is_over.load(Ordering::Relaxed) {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let answer = ask(server.address, &room(number), "").unwrap();
            let body = String::from_utf8_lossy(&answer.body).into_owned();
            match answer.status {
                201 => drop(tally.stored.insert(number)),
                503 if body.contains(UNCERTAIN) => drop(tally.uncertain.insert(number)),
                _ => tally.refused.push(body),
            }
            thread::sleep(Duration::from_millis(2));
        }
        tally
    };
    thread::scope(|scope| {
        let readers: Vec<_> = (0..CALLERS).map(|_| scope.spawn(read)).collect();
        let writers: Vec<_> = (0..CALLERS).map(|_| scope.spawn(write)).collect();
        readers.into_iter().chain(writers).fold(Tally::default(), |mut all, one| {
            let one = one.join().unwrap();
            all.read += one.read;
            all.stored.extend(one.stored);
            all.uncertain.extend(one.uncertain);
            all.refused.extend(one.refused);
            all
        })
    })
}

fn restarted_under_load(engine: Engine, url: String, mut restart: impl FnMut()) {
    let mut workspace = Workspace::new();
    workspace.url = Some(url);
    workspace.run_text(&rooms::tasks(engine, POOL)).must_end_with(0);
    let servers: Vec<_> = Kind::all_here().into_iter().map(|kind| (kind, Server::start(kind, &workspace))).collect();
    let (next, is_over) = (&AtomicU32::new(1), &AtomicBool::new(false));
    let tallies: Vec<(Kind, Tally)> = thread::scope(|scope| {
        let loads: Vec<_> =
            servers.iter().map(|(kind, server)| (*kind, scope.spawn(move || load(server, next, is_over)))).collect();
        for _ in 0..RESTARTS {
            thread::sleep(Duration::from_millis(400));
            restart();
        }
        thread::sleep(Duration::from_millis(400));
        is_over.store(true, Ordering::Relaxed);
        loads.into_iter().map(|(kind, load)| (kind, load.join().unwrap())).collect()
    });
    let kept: Vec<u32> =
        workspace.query("SELECT number FROM rooms").into_iter().map(|row| row[0].parse().unwrap()).collect();
    let single: BTreeSet<u32> = kept.iter().copied().collect();
    assert_eq!(kept.len(), single.len(), "nothing is stored twice");
    for (kind, tally) in tallies {
        let Tally { read, stored, uncertain, refused } = &tally;
        println!(
            "{engine} {kind:?}: {RESTARTS} restarts, {read} read, {} stored, {} uncertain, {} refused",
            stored.len(),
            uncertain.len(),
            refused.len()
        );
        assert!(refused.is_empty(), "{kind:?}: {refused:?}");
        assert!(*read > 5 && stored.len() > 5, "{kind:?}: too slow to show anything");
        assert!(uncertain.len() <= RESTARTS * CALLERS as usize, "{kind:?}: {uncertain:?}");
        assert!(stored.is_subset(&single), "{kind:?}: what was answered is there");
    }
}

#[test]
fn a_postgresql_that_restarts_refuses_no_request() {
    let Some(server) = postgresql::PrivateServer::start("restarts", postgresql::PASSWORD_ONLY, "") else { return };
    restarted_under_load(Engine::PostgreSql, server.url(), || {
        server.stop();
        server.launch("");
    });
}

/// The second server takes over from the first, which is a replica's place until then.
#[test]
fn of_several_hosts_the_one_that_takes_changes_is_asked() {
    let Some(first) = postgresql::PrivateServer::start("several hosts", postgresql::PASSWORD_ONLY, "") else { return };
    let mut workspace = Workspace::new();
    workspace.url = Some(first.url());
    workspace.run_text(&rooms::tasks(Engine::PostgreSql, POOL)).must_end_with(0);
    first.stop();
    let second = first.copy();
    fs::write(second.path("data/standby.signal"), "").unwrap();
    first.launch("");
    second.launch("");
    let place = |server: &postgresql::PrivateServer| server.url().split(['@', '/']).nth(3).unwrap().to_owned();
    workspace.url = Some(first.url().replace(&place(&first), &format!("{},{}", place(&second), place(&first))));
    let servers: Vec<_> = Kind::all_here().into_iter().map(|kind| Server::start(kind, &workspace)).collect();
    let must_take = |number: u32| {
        for server in &servers {
            let made = ask(server.address, &room(number), "").unwrap();
            assert_eq!(made.status, 201, "{}", String::from_utf8_lossy(&made.body));
            assert_eq!(ask(server.address, &get("/api/rooms"), "").unwrap().status, 200);
        }
    };
    let rooms =
        |server: &postgresql::PrivateServer| postgresql::psql(&server.url(), "SELECT count(*) FROM rooms").unwrap();
    let count = u32::try_from(servers.len()).unwrap();
    must_take(1);
    assert_eq!((rooms(&first), rooms(&second)), (format!("{count}\n"), "0\n".to_owned()));
    first.stop();
    second.promote();
    must_take(2);
    assert_eq!(rooms(&second), format!("{count}\n"));
}

#[test]
fn of_several_hosts_of_mysql_one_that_is_away_is_passed_over() {
    let Some(place) = Schema::empty(Engine::MySql, "several hosts") else { return };
    let mut workspace = Workspace::new();
    workspace.url = Some(place.url().replace('@', "@127.0.0.1:1,"));
    workspace.run_text(&rooms::tasks(Engine::MySql, POOL)).must_end_with(0);
    for kind in Kind::all_here() {
        let server = Server::start(kind, &workspace);
        assert_eq!(ask(server.address, &room(1), "").unwrap().status, 201);
    }
}

#[test]
fn a_mysql_that_restarts_refuses_no_request() {
    let (port, password) = (mysql::free_port(), "private-to-this-test");
    let Some(mut server) = mysql::PrivateServer::start(port, "shop", password, &[]) else { return };
    restarted_under_load(Engine::MySql, format!("mysql://root:{password}@127.0.0.1:{port}/shop"), || server.restart());
}
