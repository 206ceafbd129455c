//! The worker over a real SQLite file: what it delivers, what it leaves when it is stopped or dropped, and what it is told.

use super::awaited::ended;
use super::*;
use plan::{Migration, system};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use store::delivery::{DeliveryFilter, DeliveryState, Leased, NewDelivery, OutboxEvent, Routes};
use store::{Ended, Location, Store};
use vocab::{Datum, Engine};

struct ToShop;

impl Routes for ToShop {
    fn deliveries(&self, _: &OutboxEvent) -> Vec<NewDelivery> {
        let (integration, provider) = ("shop".to_owned(), "acme".to_owned());
        vec![NewDelivery { id: self.new_id(), integration, provider, priority: 0, order_key: None, due_at: None }]
    }

    fn new_id(&self) -> String {
        uuid::Uuid::now_v7().to_string()
    }
}

/// Counts how often each event was carried; `slow` is waited for before it has any effect.
#[derive(Default)]
struct Counting {
    effects: Mutex<BTreeMap<String, u32>>,
    slow: Option<Duration>,
}

impl Carrier for Counting {
    fn carry<'a>(&'a self, delivery: &'a Leased, hold: &'a Hold) -> Carrying<'a> {
        Box::pin(async move {
            if let Some(slow) = self.slow {
                tokio::time::sleep(slow).await;
            }
            if delivery.payload.contains("two steps")
                && hold.save("{\"first\":true}".to_owned(), Vec::new()).await.is_err()
            {
                return Carried::of(Outcome::Interrupted);
            }
            *self.effects.lock().unwrap().entry(delivery.event_id.clone()).or_default() += 1;
            Carried::of(Outcome::Delivered)
        })
    }
}

fn database() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&Location::File(folder.path().join("test.sqlite"))).unwrap();
    let mut tables = vec![system::outbox_events()];
    tables.extend(system::of_deliveries());
    let statements = dialect::create_tables(Engine::Sqlite, &tables);
    store
        .migrate("task", &[Migration { name: "0001_initial".into(), statements }], "2026-01-01T00:00:00.000Z")
        .unwrap();
    (folder, store)
}

async fn emit(store: &Store, payload: &str) -> String {
    let event = uuid::Uuid::now_v7().to_string();
    let at = to_text(jiff::Timestamp::now().as_millisecond());
    let parameters = [&event, "order_created", payload, &at].map(|text| Datum::Text(text.to_owned()));
    let work = store.transaction(move |mut transaction| {
        let text = dialect::lower_emit(Engine::Sqlite);
        Box::pin(async move { Ok(Ended::Commit(transaction.execute(&text, &parameters).await?)) })
    });
    work.await.unwrap();
    event
}

fn start(store: &Store, carrier: &Arc<Counting>, settings: Settings) -> Deliveries {
    let retry = manifest::outcome::Retry { first_wait_ms: 10, ..Default::default() };
    let rules = LaneRules { at_once: 16, retry, longest_wait_ms: 1000, ..LaneRules::default() };
    let lanes = vec![("shop".to_owned(), rules)];
    let wiring = Wiring { lanes, routes: Arc::new(ToShop), carrier: Arc::clone(carrier) as Arc<dyn Carrier> };
    Deliveries::start(store.clone(), wiring, settings)
}

async fn in_state(store: &Store, state: DeliveryState) -> usize {
    let filter = DeliveryFilter { state: Some(state), ..DeliveryFilter::default() };
    store.deliveries(&filter, 1000).await.unwrap().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_committed_is_delivered_once_and_told_to_whoever_waits() {
    let (_folder, store) = database();
    let carrier = Arc::new(Counting::default());
    let deliveries = start(&store, &carrier, Settings::default());
    let mut last = String::new();
    for number in 0..200 {
        last = emit(&store, if number % 10 == 0 { "\"two steps\"" } else { "\"one\"" }).await;
        deliveries.wake();
    }
    let row = ended(&store, &last, "shop", Duration::from_secs(10)).await.unwrap().unwrap();
    assert_eq!(row.state, DeliveryState::Delivered);
    while in_state(&store, DeliveryState::Delivered).await < 200 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    deliveries.stop().await;
    let effects = carrier.effects.lock().unwrap().clone();
    assert!(effects.len() == 200 && effects.values().all(|count| *count == 1));
    let kept = store.deliveries(&DeliveryFilter::default(), 1000).await.unwrap();
    assert_eq!(kept.iter().filter(|row| row.progress.is_some()).count(), 20);
}

/// Who only looks sees it 252 ms after it began, and then after 452: what takes 300 ms is told earlier by a worker of the same process.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_waits_is_told_by_a_worker_of_the_same_process() {
    let (_folder, store) = database();
    let slow = Arc::new(Counting { slow: Some(Duration::from_millis(300)), ..Counting::default() });
    let deliveries = start(&store, &slow, Settings::default());
    let mut waits = Vec::new();
    for _ in 0..5 {
        let event = emit(&store, "\"one\"").await;
        deliveries.wake();
        let (store, began) = (store.clone(), tokio::time::Instant::now());
        waits.push(tokio::spawn(async move {
            let row = ended(&store, &event, "shop", Duration::from_secs(10)).await.unwrap().unwrap();
            (row.state, began.elapsed())
        }));
    }
    let mut soonest = Duration::MAX;
    for wait in waits {
        let (state, took) = wait.await.unwrap();
        assert_eq!(state, DeliveryState::Delivered);
        soonest = soonest.min(took);
    }
    assert!(soonest < Duration::from_millis(440), "{soonest:?}");
    deliveries.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_stopped_finishes_and_who_is_dropped_is_followed_by_the_next() {
    let (_folder, store) = database();
    let slow = Arc::new(Counting { slow: Some(Duration::from_millis(300)), ..Counting::default() });
    let deliveries = start(&store, &slow, Settings::default());
    emit(&store, "\"one\"").await;
    deliveries.wake();
    while in_state(&store, DeliveryState::Working).await == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    deliveries.stop().await;
    assert_eq!((in_state(&store, DeliveryState::Delivered).await, slow.effects.lock().unwrap().len()), (1, 1));

    let hangs = Arc::new(Counting { slow: Some(Duration::from_secs(600)), ..Counting::default() });
    let settings = Settings { lease_ms: 600, poll_ms: 50, ..Settings::default() };
    let deliveries = start(&store, &hangs, settings.clone());
    let event = emit(&store, "\"two\"").await;
    deliveries.wake();
    while in_state(&store, DeliveryState::Working).await == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    drop(deliveries);
    let well = Arc::new(Counting::default());
    let next = start(&store, &well, settings);
    let row = ended(&store, &event, "shop", Duration::from_secs(10)).await.unwrap().unwrap();
    assert_eq!((row.state, row.attempts), (DeliveryState::Delivered, 1));
    let outcomes: Vec<String> =
        store.delivery_attempts(&row.id).await.unwrap().into_iter().map(|attempt| attempt.outcome).collect();
    assert_eq!(outcomes, ["interrupted", "delivered"]);
    next.stop().await;
}
