//! Deliveries on every engine: one suite. SQLite always; PostgreSQL and MariaDB where `TEST_POSTGRESQL_URL` and `TEST_MYSQL_URL` name
//! servers. Two workers are two connections to one database.

use crate::alerting::AlertState;
use crate::delivery::{
    Attempted, Backlog, DeliveryFilter, DeliveryStanding, DeliveryState, Dispatched, EVENTS_OF_ROUND, Leased,
    NewDelivery, Opening, OutboxEvent, Recorded, Remembered, Round, RoundDone, Routes,
};
use crate::mail_suppression::MailSuppression;
use crate::{Database, Ended, Location, MySqlServer, Scratch, Server, Store};
use plan::database::Migration;
use plan::system;
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use vocab::{Datum, Engine, SuppressionReason};

/// Two workers' ways to one database, and what goes with it.
struct Place {
    workers: [Store; 2],
    name: &'static str,
    /// A URL to the server, where it is one.
    url: Option<String>,
    _scratch: Option<Scratch>,
    _folder: Option<tempfile::TempDir>,
}

fn database(url: &str) -> Database {
    match url.starts_with("mysql") {
        true => Database::MySql(MySqlServer::parse(url).unwrap()),
        false => Database::PostgreSql(Server::parse(url).unwrap()),
    }
}

/// One on each engine. `application` is what its connections are called on PostgreSQL.
fn places(application: &str) -> Vec<Place> {
    let folder = tempfile::tempdir().unwrap();
    let open = || Store::open(&Location::File(folder.path().join("test.sqlite"))).unwrap();
    let workers = [open(), open()];
    let mut places = vec![Place { workers, name: "SQLite", url: None, _scratch: None, _folder: Some(folder) }];
    for (name, variable) in [("PostgreSQL", "TEST_POSTGRESQL_URL"), ("MySQL", "TEST_MYSQL_URL")] {
        let Ok(url) = std::env::var(variable) else {
            let _ = writeln!(std::io::stderr(), "SKIPPED deliveries on {name}: `{variable}` is not set");
            continue;
        };
        let sign = if url.contains('?') { '&' } else { '?' };
        let named = match name {
            "PostgreSQL" => format!("{url}{sign}application_name={application}"),
            _ => url.clone(),
        };
        let scratch = Scratch::beside(&database(&named)).unwrap();
        let workers = [scratch.store.clone(), scratch.store.clone()];
        places.push(Place { workers, name, url: Some(url), _scratch: Some(scratch), _folder: None });
    }
    for place in &places {
        let [store, _] = &place.workers;
        let mut tables = vec![system::outbox_events(), system::mail_suppressions(), system::integration_alerts()];
        tables.extend(system::of_deliveries());
        let statements = dialect::create_tables(store.engine(), &tables);
        store
            .migrate("task", &[Migration { name: "0001_initial".into(), statements }], "2026-01-01T00:00:00.000Z")
            .unwrap();
    }
    places
}

/// Who finds out first tells; whoever has found out the same tells nothing.
#[tokio::test]
async fn how_an_integration_stands_is_told_once() {
    for place in places("alerts") {
        let [first, second] = &place.workers;
        let known = async |store: &Store| store.alert_state("crm").await.unwrap();
        assert_eq!(known(first).await, None, "{}", place.name);
        for (store, second) in [(first, 1), (second, 2)] {
            store.alert_begins("crm", "well", "failing", &at(second)).await.unwrap();
        }
        let state = |told: &str, stands: &str, since: u32| AlertState {
            told: told.to_owned(),
            stands: stands.to_owned(),
            since: at(since),
        };
        let failing = state("well", "failing", 1);
        assert_eq!(known(second).await, Some(failing.clone()), "{}", place.name);
        let told = |payload: &str| ("crm_fails", Value::from(payload));
        let tells = async |store: &Store, what| store.alert_tells("crm", &failing, told(what), &at(9)).await.unwrap();
        let (one, other) = tokio::join!(tells(first, "a"), tells(second, "b"));
        assert!(one != other, "{}: {one} and {other}", place.name);
        assert_eq!(known(first).await, Some(state("failing", "failing", 1)), "{}", place.name);
        // What stands otherwise by now is not told any more.
        first.alert_stands("crm", &failing, "well", &at(10)).await.unwrap();
        second.alert_stands("crm", &failing, "well", &at(11)).await.unwrap();
        assert_eq!(known(second).await, Some(state("failing", "well", 10)), "{}", place.name);
        let late = state("failing", "failing", 1);
        assert!(!first.alert_tells("crm", &late, told("c"), &at(12)).await.unwrap(), "{}", place.name);
        let events = "SELECT COUNT(*) FROM outbox_events WHERE name = 'crm_fails'";
        let rows = first.read(events.into(), Vec::new()).await.unwrap();
        assert_eq!(rows, [vec![Datum::Integer(1)]], "{}", place.name);
    }
}

/// The time, some seconds after noon.
fn at(second: u32) -> String {
    format!("2026-01-02T12:{:02}:{:02}.000Z", second / 60, second % 60)
}

static NUMBER: AtomicU64 = AtomicU64::new(1);

fn id() -> String {
    format!("00000000-0000-7000-8000-{:012}", NUMBER.fetch_add(1, Ordering::Relaxed))
}

/// Everything goes to `shop`; those whose payload is a text in the order of that text.
struct ToShop;

impl Routes for ToShop {
    fn deliveries(&self, event: &OutboxEvent) -> Vec<NewDelivery> {
        let order_key = serde_json::from_str::<String>(&event.payload).ok();
        let (integration, provider) = ("shop".to_owned(), "acme".to_owned());
        vec![NewDelivery { id: id(), integration, provider, priority: 0, order_key, due_at: None }]
    }

    fn new_id(&self) -> String {
        id()
    }
}

async fn emit(store: &Store, payload: &str) -> String {
    let event = id();
    let parameters = [&event, "order_created", payload, &at(0)].map(|text| Datum::Text(text.to_owned()));
    let statement = dialect::lower_emit(store.engine());
    let work = store.transaction(move |mut transaction| {
        Box::pin(async move { Ok(Ended::Commit(transaction.execute(&statement, &parameters).await?)) })
    });
    work.await.unwrap();
    event
}

fn round(second: u32, places: u32) -> Round {
    Round {
        now: at(second),
        lease: id(),
        leased_until: at(second + 30),
        expires: true,
        openings: vec![Opening { integration: "shop".to_owned(), places, looks: true }],
        at_most: places,
        dispatches: true,
        ..Round::default()
    }
}

async fn deliver(store: &Store, round: &Round) -> RoundDone {
    loop {
        match store.deliver(Arc::new(round.clone()), Arc::new(ToShop)).await {
            Ok(done) => return done,
            Err(error) if error.is_retryable() => {}
            Err(error) => panic!("{error}"),
        }
    }
}

fn recorded(leased: &Leased, state: DeliveryState, due_at: String) -> Recorded {
    let attempt = Attempted {
        id: id(),
        started_at: at(0),
        outcome: "done".to_owned(),
        code: Some("no_such".to_owned()),
        problem: None,
        record: Some(r#"{"status":200}"#.to_owned()),
    };
    Recorded {
        id: leased.id.clone(),
        lease: leased.lease.clone(),
        state,
        attempts: leased.attempts + 1,
        due_at,
        in_doubt: false,
        progress: Some(r#"{"a":1}"#.to_owned()),
        problem: Some("it's so".to_owned()),
        attempt: Some(attempt),
        remembered: Vec::new(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_workers_make_one_delivery_of_each_event_and_share_them() {
    for place in places("deliveries") {
        let mut events = BTreeSet::new();
        for _ in 0..200 {
            events.insert(emit(&place.workers[0], "{}").await);
        }
        let workers = place.workers.clone().map(|store| {
            tokio::spawn(async move {
                let mut mine = Vec::new();
                loop {
                    let done = deliver(&store, &round(0, 7)).await;
                    mine.extend(done.leased.into_iter().map(|leased| leased.event_id));
                    let waits = |backlog: &Backlog| backlog.state == DeliveryState::Waiting;
                    let is_none = store.undispatched_events().await.unwrap() == 0;
                    if is_none && !store.delivery_backlog().await.unwrap().iter().any(waits) {
                        return mine;
                    }
                }
            })
        });
        let mut all = Vec::new();
        for worker in workers {
            all.extend(worker.await.unwrap());
        }
        assert_eq!(all.len(), 200, "{}", place.name);
        assert_eq!(all.into_iter().collect::<BTreeSet<_>>(), events, "{}", place.name);
        let [store, _] = &place.workers;
        assert_eq!(store.deliveries(&DeliveryFilter::default(), 500).await.unwrap().len(), 200, "{}", place.name);
        assert_eq!(store.undispatched_events().await.unwrap(), 0);
        let backlog = store.delivery_backlog().await.unwrap();
        assert_eq!((backlog.len(), backlog[0].count, backlog[0].state), (1, 200, DeliveryState::Working));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_lost_the_lease_records_nothing_and_the_next_one_is_told_of_the_doubt() {
    for place in places("deliveries") {
        let [first, second] = &place.workers;
        emit(first, r#"{"who":"ü 😀"}"#).await;
        let lost = deliver(first, &round(0, 5)).await.leased.remove(0);
        assert_eq!((lost.attempts, lost.in_doubt), (0, false));
        // Still good: nobody else gets it, and it can be extended.
        assert_eq!(deliver(second, &round(29, 5)).await.leased, []);
        let extension = Round { extended: vec![(lost.id.clone(), lost.lease.clone())], ..round(29, 0) };
        assert!(deliver(first, &extension).await.held.contains(&lost.id));
        assert_eq!(deliver(second, &round(31, 5)).await.leased, []);
        // It has run out.
        let taken = deliver(second, &round(60, 5)).await.leased.remove(0);
        assert_eq!((taken.id.as_str(), taken.attempts, taken.in_doubt), (lost.id.as_str(), 1, true), "{}", place.name);
        assert_eq!(serde_json::from_str::<serde_json::Value>(&taken.payload).unwrap()["who"], "ü 😀");
        let late = Round { recorded: vec![recorded(&lost, DeliveryState::Dead, at(61))], ..round(61, 0) };
        assert_eq!(deliver(first, &late).await.held, BTreeSet::new(), "{}", place.name);
        let late = Round { extended: vec![(lost.id.clone(), lost.lease.clone())], ..round(61, 0) };
        assert_eq!(deliver(first, &late).await.held, BTreeSet::new());
        let good = Round { recorded: vec![recorded(&taken, DeliveryState::Delivered, at(61))], ..round(61, 0) };
        assert_eq!(deliver(second, &good).await.held, BTreeSet::from([taken.id.clone()]));
        // Once is enough.
        assert_eq!(deliver(second, &good).await.held, BTreeSet::new());
        let row = first
            .deliveries(&DeliveryFilter { id: Some(taken.id.clone()), ..Default::default() }, 2)
            .await
            .unwrap()
            .remove(0);
        assert_eq!((row.state, row.attempts, row.in_doubt), (DeliveryState::Delivered, 2, false), "{}", place.name);
        assert_eq!((row.leased_at, row.ended_at), (None, Some(at(61))));
        let attempts = first.delivery_attempts(&taken.id).await.unwrap();
        let outcomes: Vec<&str> = attempts.iter().map(|attempt| attempt.outcome.as_str()).collect();
        assert_eq!(outcomes, ["interrupted", "done"], "{}", place.name);
        assert_eq!((attempts[0].started_at.as_str(), attempts[0].ended_at.as_str()), (&*at(0), &*at(60)));
        emit(first, "{}").await;
        deliver(first, &round(70, 0)).await;
        let standing = first.delivery_standing("shop", 0).await.unwrap();
        let outcomes: Vec<&str> = standing.attempts.iter().map(|attempt| attempt.outcome.as_str()).collect();
        assert_eq!(outcomes, ["done", "interrupted"], "{}", place.name);
        assert_eq!((standing.waiting, standing.oldest, standing.dead), (1, Some(at(70)), 0), "{}", place.name);
        assert_eq!(standing.delivered_at, Some(at(61)), "{}", place.name);
        assert_eq!(first.delivery_standing("shop", 1).await.unwrap().attempts, [], "{}", place.name);
        let nobody = first.delivery_standing("nobody", 0).await.unwrap();
        assert_eq!(nobody, DeliveryStanding::default(), "{}", place.name);
        let record: serde_json::Value = serde_json::from_str(attempts[1].record.as_ref().unwrap()).unwrap();
        assert_eq!((record["status"].as_i64(), attempts[1].code.as_deref()), (Some(200), Some("no_such")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_leased_by_a_round_whose_end_nobody_saw_is_given_back_without_doubt() {
    for place in places("deliveries") {
        let [store, _] = &place.workers;
        emit(store, "{}").await;
        let unseen = round(0, 5);
        deliver(store, &unseen).await;
        let next = Round { abandoned: vec![unseen.lease.clone()], ..round(1, 5) };
        let leased = deliver(store, &next).await.leased.remove(0);
        assert_eq!((leased.attempts, leased.in_doubt), (0, false), "{}", place.name);
    }
}

/// Somebody has made an event new again: a backup that was restored, a hand that slipped.
#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_is_new_again_gets_no_second_delivery_and_holds_nobody_up() {
    for place in places("deliveries") {
        let [store, _] = &place.workers;
        let event = emit(store, "{}").await;
        assert_eq!(deliver(store, &round(0, 5)).await.leased.len(), 1);
        let again = store.transaction(|mut transaction| {
            Box::pin(async move {
                let anew = "UPDATE outbox_events SET dispatched_at = NULL";
                Ok(Ended::Commit(transaction.execute(anew, &[]).await?))
            })
        });
        again.await.unwrap();
        let behind = emit(store, "{}").await;
        let leased = deliver(store, &round(1, 5)).await.leased;
        assert_eq!(leased.iter().map(|leased| &leased.event_id).collect::<Vec<_>>(), [&behind], "{}", place.name);
        let known = store.deliveries(&DeliveryFilter { event_id: Some(event), ..Default::default() }, 5).await.unwrap();
        assert_eq!((known.len(), store.undispatched_events().await.unwrap()), (1, 0), "{}", place.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn those_of_one_key_go_one_behind_the_other_whoever_works() {
    for place in places("deliveries") {
        let [first, second] = &place.workers;
        let mut events = Vec::new();
        for key in ["ann", "ann", "bob", "ann"] {
            events.push(emit(first, &format!("\"{key}\"")).await);
        }
        deliver(first, &round(0, 0)).await;
        let mut leased = deliver(first, &round(0, 5)).await.leased;
        leased.sort_by(|left, right| left.event_id.cmp(&right.event_id));
        let ids: Vec<&String> = leased.iter().map(|leased| &leased.event_id).collect();
        assert_eq!(ids, [&events[0], &events[2]], "{}", place.name);
        assert_eq!(deliver(second, &round(1, 5)).await.leased, []);
        // Tried in vain: what is behind it goes on waiting, though it is due.
        let again = Round { recorded: vec![recorded(&leased[0], DeliveryState::Waiting, at(20))], ..round(2, 5) };
        assert_eq!(deliver(first, &again).await.leased, []);
        let leased = deliver(second, &round(20, 5)).await.leased.remove(0);
        assert_eq!(leased.event_id, events[0]);
        let progress: serde_json::Value = serde_json::from_str(leased.progress.as_ref().unwrap()).unwrap();
        assert_eq!((progress["a"].as_i64(), leased.attempts), (Some(1), 1), "{}", place.name);
        let ended = Round { recorded: vec![recorded(&leased, DeliveryState::Delivered, at(21))], ..round(21, 5) };
        let next = deliver(second, &ended).await.leased;
        assert_eq!(next.iter().map(|leased| &leased.event_id).collect::<Vec<_>>(), [&events[1]], "{}", place.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_new_ones_are_begun_than_there_is_room_for() {
    for place in places("deliveries") {
        let [store, _] = &place.workers;
        for _ in 0..3 {
            emit(store, "{}").await;
        }
        let done = deliver(store, &Round { at_most: 2, ..round(0, 5) }).await;
        assert_eq!((done.leased.len(), done.awakened.len()), (2, 1), "{}", place.name);
    }
}

/// Everything goes to `shop`, and not before ten seconds after noon.
struct LaterToShop;

impl Routes for LaterToShop {
    fn deliveries(&self, event: &OutboxEvent) -> Vec<NewDelivery> {
        ToShop.deliveries(event).into_iter().map(|one| NewDelivery { due_at: Some(at(10)), ..one }).collect()
    }

    fn new_id(&self) -> String {
        id()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_due_later_waits_and_is_told() {
    for place in places("deliveries") {
        let [store, _] = &place.workers;
        emit(store, "{}").await;
        let made = store.deliver(Arc::new(round(0, 5)), Arc::new(LaterToShop)).await.unwrap();
        assert_eq!((made.leased, made.awaited), (vec![], vec![("shop".to_owned(), at(10))]), "{}", place.name);
        for (second, had) in [(9, 0), (10, 1)] {
            let done = deliver(store, &round(second, 5)).await;
            assert_eq!(done.leased.len(), had, "{} at {second}", place.name);
        }
    }
}

async fn execute(store: &Store, text: &'static str) {
    let work = store.transaction(move |mut transaction| {
        Box::pin(async move { Ok(Ended::Commit(transaction.execute(text, &[]).await?)) })
    });
    work.await.unwrap();
}

/// Statistics say that all events are new, as they do behind a time in which nobody delivered.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_new_is_found_without_reading_what_was_delivered_whatever_statistics_say() {
    for place in places("deliveries").iter().filter(|place| place.name == "PostgreSQL") {
        let [store, _] = &place.workers;
        for _ in 0..10 {
            emit(store, "{}").await;
        }
        execute(store, "ANALYZE outbox_events").await;
        assert_eq!(deliver(store, &round(0, 10)).await.leased.len(), 10);
        execute(
            store,
            "INSERT INTO outbox_events (id, name, payload, occurred_at, dispatched_at) \
             SELECT ('00000000-0000-6000-8000-' || lpad(n::text, 12, '0'))::uuid, 'a', '{}', now(), now() FROM generate_series(1, 5000) AS n",
        )
        .await;
        emit(store, "{}").await;
        assert_eq!(deliver(store, &round(1, 10)).await.leased.len(), 1);
        // A session tells at most once a second what it has read, and with its next transaction.
        tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
        deliver(store, &round(2, 10)).await;
        let read = "SELECT coalesce(sum(seq_tup_read + idx_tup_fetch), 0)::bigint FROM pg_stat_user_tables WHERE relname = 'outbox_events' AND schemaname = current_schema()";
        let rows = store.read(read.into(), Vec::new()).await.unwrap();
        let rows_read = crate::read_row::number(&rows[0], 0).unwrap();
        assert!(rows_read < 1000, "{rows_read} rows were read");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_ones_get_another_chance_and_old_ones_are_forgotten() {
    for place in places("deliveries") {
        let [store, _] = &place.workers;
        for _ in 0..3 {
            emit(store, "{}").await;
        }
        let leased = deliver(store, &round(0, 5)).await.leased;
        let kept = |value: &str| Remembered {
            integration: "shop".to_owned(),
            name: "customer".to_owned(),
            whose: "digest".to_owned(),
            value: value.to_owned(),
        };
        let doubted = Recorded { in_doubt: true, ..recorded(&leased[0], DeliveryState::Dead, at(1)) };
        let dead = Recorded { remembered: vec![kept("\"cus_0\"")], ..recorded(&leased[1], DeliveryState::Dead, at(1)) };
        let good =
            Recorded { remembered: vec![kept("\"cus_1\"")], ..recorded(&leased[2], DeliveryState::Delivered, at(1)) };
        let done = deliver(store, &Round { recorded: vec![doubted, dead, good], ..round(1, 5) }).await;
        assert_eq!((done.held.len(), done.leased.len()), (3, 0), "{}", place.name);
        let again = Round { now: at(2), lease: id(), leased_until: at(32), ..Round::default() };
        deliver(store, &again).await;
        assert_eq!(store.remembered("shop", "customer", "digest").await.unwrap().as_deref(), Some("\"cus_1\""));
        assert_eq!(store.remembered("shop", "customer", "other").await.unwrap(), None);

        let of_shop = DeliveryFilter { provider: Some("acme".to_owned()), ..Default::default() };
        let replayed = store.replay_deliveries(&of_shop, false, &at(40)).await.unwrap();
        assert_eq!((replayed.replayed, replayed.in_doubt), (1, 1), "{}", place.name);
        let forced = store.replay_deliveries(&of_shop, true, &at(40)).await.unwrap();
        assert_eq!((forced.replayed, forced.in_doubt), (1, 0));
        let mut again = deliver(store, &round(41, 5)).await.leased;
        again.sort_by_key(|leased| leased.id.clone());
        assert_eq!(again.iter().map(|leased| leased.in_doubt).collect::<Vec<_>>(), [true, false], "{}", place.name);
        assert!(again.iter().all(|leased| leased.attempts == 0 && leased.tried_since == at(40)));

        assert_eq!(store.forget_deliveries(&at(1)).await.unwrap(), 0);
        assert_eq!(store.forget_deliveries(&at(2)).await.unwrap(), 1);
        assert_eq!(store.delivery_attempts(&leased[2].id).await.unwrap(), []);
        assert_eq!(store.deliveries(&of_shop, 9).await.unwrap().len(), 2);

        // Of an event something must be left: two are still to be delivered, and one was never looked at.
        emit(store, "{}").await;
        let events = async || {
            let counted = store.read("SELECT COUNT(*) FROM outbox_events".into(), Vec::new()).await.unwrap();
            crate::read_row::number(&counted[0], 0).unwrap()
        };
        assert_eq!((store.forget_events(&at(0)).await.unwrap(), events().await), (0, 4), "{}", place.name);
        assert_eq!((store.forget_events(&at(60)).await.unwrap(), events().await), (1, 3), "{}", place.name);
    }
}

/// What was understood is forgotten when it is old, of one integration at a time; what a person is to look at stays.
#[tokio::test]
async fn what_was_heard_long_ago_is_forgotten() {
    for place in places("heard") {
        let [store, _] = &place.workers;
        let statements = dialect::create_tables(store.engine(), &[system::inbox_events()]);
        let migration = Migration { name: "0001_initial".into(), statements };
        store.migrate("another", &[migration], "2026-01-01T00:00:00.000Z").unwrap();
        for (integration, second, body) in
            [("pay", 1, None), ("pay", 2, Some("{}")), ("pay", 9, None), ("other", 1, None)]
        {
            let body = body.map_or("NULL".to_owned(), |body| format!("'{body}'"));
            let time = at(second).replace('T', " ").replace('Z', "");
            let time = if store.engine() == Engine::Sqlite { at(second) } else { time };
            let (id, dedup) = (id(), id());
            let text = format!(
                "INSERT INTO inbox_events (id, integration, dedup, kind, received_at, body) VALUES ('{id}', '{integration}', '{dedup}', 'paid', '{time}', {body})"
            );
            let work = store.transaction(move |mut transaction| {
                Box::pin(async move { Ok(Ended::Commit(transaction.execute(&text, &[]).await?)) })
            });
            work.await.unwrap();
        }
        assert_eq!(store.forget_heard("pay", &at(5)).await.unwrap(), 1, "{}", place.name);
        assert_eq!(store.forget_heard("pay", &at(5)).await.unwrap(), 0);
        let left = store.read("SELECT COUNT(*) FROM inbox_events".into(), Vec::new()).await.unwrap();
        assert_eq!(crate::read_row::number(&left[0], 0).unwrap(), 3, "{}", place.name);
    }
}

/// Has the connections to the database ended once, while somebody makes deliveries.
struct Ends {
    url: String,
    database: String,
    is_done: AtomicBool,
}

impl Routes for Ends {
    fn deliveries(&self, event: &OutboxEvent) -> Vec<NewDelivery> {
        if !self.is_done.swap(true, Ordering::Relaxed) {
            let (url, database) = (self.url.clone(), self.database.clone());
            let end = move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(end_connections(&url, &database));
            };
            std::thread::spawn(end).join().unwrap();
        }
        ToShop.deliveries(event)
    }

    fn new_id(&self) -> String {
        id()
    }
}

/// Those of the scratch, whose name tells them from everybody else's.
async fn end_connections(url: &str, scratch: &str) {
    let database = database(url);
    let store = database.open(plan::database::Pool::default()).unwrap();
    match store.engine() {
        Engine::MySql | Engine::MongoDb => {
            let query = format!("SELECT id FROM information_schema.processlist WHERE db = '{scratch}'");
            for row in store.read(query.into(), Vec::new()).await.unwrap() {
                let Datum::Integer(thread) = row[0] else { panic!("{row:?}") };
                let _ = store.read(format!("KILL {thread}").into(), Vec::new()).await;
            }
        }
        Engine::PostgreSql => {
            let query = format!(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '{scratch}' AND state = 'idle in transaction' AND query LIKE '%outbox_events%'"
            );
            assert_eq!(store.read(query.into(), Vec::new()).await.unwrap().len(), 1);
        }
        Engine::Sqlite => unreachable!("a file has no connections"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_round_whose_connection_ends_leaves_nothing_and_can_be_repeated() {
    for place in places("deliveries_end") {
        let Some(url) = &place.url else { continue };
        let [store, _] = &place.workers;
        let event = emit(store, "{}").await;
        let database = match store.engine() {
            Engine::MySql | Engine::MongoDb => {
                match &store.read("SELECT DATABASE()".into(), Vec::new()).await.unwrap()[0][0] {
                    Datum::Text(name) => name.clone(),
                    other => panic!("{other:?}"),
                }
            }
            Engine::PostgreSql | Engine::Sqlite => "deliveries_end".to_owned(),
        };
        let ends = Ends { url: url.clone(), database, is_done: AtomicBool::new(false) };
        let broken = store.deliver(Arc::new(round(0, 5)), Arc::new(ends)).await;
        assert!(broken.as_ref().is_err_and(|error| error.is_retryable()), "{}: {broken:?}", place.name);
        assert_eq!(store.deliveries(&DeliveryFilter::default(), 5).await.unwrap(), [], "{}", place.name);
        let leased = deliver(store, &round(1, 5)).await.leased;
        assert_eq!(leased.iter().map(|leased| &leased.event_id).collect::<Vec<_>>(), [&event], "{}", place.name);
    }
}

#[tokio::test]
async fn an_address_is_suppressed_once_for_each_reason_however_it_is_written() {
    for place in places("suppressed") {
        let [store, other] = &place.workers;
        let suppression = |address: &str, reason, second| MailSuppression {
            address: address.to_owned(),
            reason,
            suppressed_at: at(second),
            said: Some(format!("said at {second}")),
        };
        let kept = |address: &'static str, reason, second| {
            let suppression = suppression(address, reason, second);
            async move { other.suppress_mail(&suppression).await.unwrap() }
        };
        assert!(kept("Ada@Shop.example", SuppressionReason::Bounce, 1).await, "{}", place.name);
        assert!(!kept("ada@shop.example", SuppressionReason::Bounce, 2).await, "{}", place.name);
        assert!(kept("ada@shop.example", SuppressionReason::Complaint, 3).await, "{}", place.name);
        assert!(kept("bob@shop.example", SuppressionReason::Manual, 4).await, "{}", place.name);
        let known = store.mail_suppressions_of("ADA@shop.example").await.unwrap();
        let expected = [
            suppression("ada@shop.example", SuppressionReason::Bounce, 1),
            suppression("ada@shop.example", SuppressionReason::Complaint, 3),
        ];
        assert_eq!(known, expected, "{}", place.name);
        let listed = store.mail_suppressions(None, 2).await.unwrap();
        let listed: Vec<&str> = listed.iter().map(|one| one.address.as_str()).collect();
        assert_eq!(listed, ["bob@shop.example", "ada@shop.example"], "{}", place.name);
        let bounced = store.mail_suppressions(Some(SuppressionReason::Bounce), 9).await.unwrap();
        assert_eq!(bounced, expected[..1], "{}", place.name);
        assert_eq!(store.unsuppress_mail("Ada@shop.example").await.unwrap(), 2, "{}", place.name);
        assert_eq!(store.mail_suppressions_of("ada@shop.example").await.unwrap(), [], "{}", place.name);
    }
}

/// The same, of which whoever makes other deliveries may know nothing.
struct Overlooked;

impl Routes for Overlooked {
    fn deliveries(&self, event: &OutboxEvent) -> Vec<NewDelivery> {
        ToShop.deliveries(event)
    }

    fn overlooked(&self) -> Vec<(&str, Vec<&str>)> {
        vec![("shop", vec!["order_cancelled", "order_created"])]
    }

    fn new_id(&self) -> String {
        id()
    }
}

#[tokio::test]
async fn what_whoever_dispatched_an_event_has_overlooked_is_made_behind_it() {
    for place in places("overlooked") {
        let [store, other] = &place.workers;
        let older = emit(store, "{}").await;
        let dispatched = async |event: Option<&str>, second| {
            let time = crate::delivery::words::Words(store.engine());
            let (condition, id) = event.map_or(("1 = 1", None), |event| ("id = ?", Some(event)));
            let text = format!(
                "UPDATE outbox_events SET dispatched_at = {} WHERE dispatched_at IS NULL AND {condition}",
                time.time()
            );
            let values: Vec<Datum> = [Some(at(second).as_str()), id]
                .into_iter()
                .flatten()
                .map(|text| Datum::Text(text.to_owned()))
                .collect();
            let text = time.text(&text);
            let work = store.transaction(move |mut transaction| {
                Box::pin(async move { Ok(Ended::Commit(transaction.execute(&text, &values).await?)) })
            });
            work.await.unwrap();
        };
        dispatched(Some(&older), 1).await;
        for _ in 0..=EVENTS_OF_ROUND {
            emit(store, "{}").await;
        }
        dispatched(None, 20).await;
        let look = async |store: &Store, from: Option<Dispatched>| {
            let round = Round { looks_back: from, dispatches: false, ..round(30, 0) };
            store.deliver(Arc::new(round), Arc::new(Overlooked)).await.unwrap()
        };
        assert_eq!(look(store, None).await.awakened, BTreeSet::new(), "{}", place.name);
        let from = Dispatched { at: at(10), id: String::new() };
        let (left, right) = tokio::join!(look(store, Some(from.clone())), look(other, Some(from)));
        let further = left.looked_back_to.or(right.looked_back_to).expect("more than a round looks for");
        assert_eq!(further.at, at(20), "{}", place.name);
        assert_eq!(look(store, Some(further)).await.looked_back_to, None, "{}", place.name);
        let waits = store.deliveries(&DeliveryFilter::default(), 1000).await.unwrap();
        assert_eq!(waits.len(), EVENTS_OF_ROUND as usize + 1, "{}", place.name);
        assert!(waits.iter().all(|one| one.event_id != older), "{}", place.name);
    }
}
