//! Workers, destinations and a database on a clock of their own: seeded faults over many events, with the real store (SQLite in
//! memory) and the real decisions. What must hold whatever happens is looked at at the end; the same seed gives the same run.

use super::chance::Chance;
use super::dispatcher::{Actions, Carried, Dispatcher, Outcome, Settings};
use super::lane::LaneRules;
use super::moment::to_text;
use manifest::outcome::Retry;
use plan::{Migration, system};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use store::delivery::{DeliveryFilter, DeliveryState, Leased, NewDelivery, OutboxEvent, Round, RoundDone, Routes};
use store::{Ended, Location, Store};
use vocab::{Datum, Engine};

const START: i64 = 1_767_225_600_000;
const SECOND: i64 = 1_000;
const HOUR: i64 = 3_600 * SECOND;

/// What a destination does about a request that it has had before.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    /// It knows it by its key.
    KnowsKeys,
    /// It can be asked.
    CanBeAsked,
    /// It knows nothing.
    KnowsNothing,
}

/// How often of a thousand requests something goes wrong, by what it is.
#[derive(Debug, Clone, Copy, Default)]
struct Faults {
    hangs: i64,
    drips: i64,
    fails: i64,
    limits: i64,
    loses: i64,
    refuses: i64,
}

struct Destination {
    kind: Kind,
    faults: Faults,
    is_ordered: bool,
    /// Effects by the id of their event, with the time of the first.
    effects: BTreeMap<String, (u32, i64)>,
    /// Ids of events in the order of their effects.
    log: Vec<String>,
}

/// What happens at a time.
#[derive(Debug, Clone)]
enum Happening {
    Emit,
    Effect { integration: String, event: String },
    CarryEnds { worker: usize, delivery: String, carried: Carried },
    RoundEnds { worker: usize, round: Box<Round>, done: Option<Box<RoundDone>> },
    Turn { worker: usize },
    Kill { worker: usize },
}

struct Everybody {
    lanes: Vec<(String, bool)>,
    number: Arc<AtomicU64>,
}

fn id(number: u64) -> String {
    format!("00000000-0000-7000-8000-{number:012}")
}

impl Routes for Everybody {
    fn deliveries(&self, event: &OutboxEvent) -> Vec<NewDelivery> {
        let key: String = serde_json::from_str(&event.payload).unwrap();
        let delivery = |(integration, is_ordered): &(String, bool)| NewDelivery {
            id: self.new_id(),
            integration: integration.clone(),
            provider: "acme".to_owned(),
            priority: 0,
            order_key: is_ordered.then(|| key.clone()),
            due_at: None,
        };
        // One of a thousand integrations listens to every event; the others share them.
        let number: usize = event.id[24..].parse().unwrap();
        match self.lanes.len() {
            0..=9 => self.lanes.iter().map(delivery).collect(),
            many => vec![delivery(&self.lanes[number % many])],
        }
    }

    fn new_id(&self) -> String {
        id(self.number.fetch_add(1, Ordering::Relaxed))
    }
}

struct World {
    now: i64,
    chance: Chance,
    store: Store,
    runtime: tokio::runtime::Runtime,
    destinations: BTreeMap<String, Destination>,
    routes: Arc<Everybody>,
    workers: Vec<Dispatcher>,
    /// A number for each life of a worker: what happened to an earlier one says nothing to it.
    lives: Vec<u64>,
    /// When each is to look what there is to do.
    turns: Vec<Option<i64>>,
    happenings: BTreeMap<(i64, u64), (Happening, u64)>,
    emitted: Vec<(String, i64)>,
    keys_of: BTreeMap<String, String>,
    events: usize,
    every: i64,
    keys: i64,
    kills_every: Option<i64>,
    /// Of a thousand rounds those that come about and those that do not, of which nobody hears.
    breaks: i64,
    sent: u64,
    doubled: u64,
}

/// What a run is made of.
struct Plan {
    seed: u64,
    destinations: Vec<(&'static str, Kind, Faults, bool)>,
    events: usize,
    every: i64,
    workers: usize,
    kills_every: Option<i64>,
    breaks: i64,
}

impl World {
    fn new(plan: Plan) -> Self {
        let store = Store::open(&Location::Memory).unwrap();
        let [deliveries, attempts, remembered] = system::of_deliveries();
        let tables = [system::outbox_events(), deliveries, attempts, remembered];
        let statements = dialect::create_tables(Engine::Sqlite, &tables);
        store.migrate("task", &[Migration { name: "0001_initial".into(), statements }], &to_text(START)).unwrap();
        let destinations: BTreeMap<String, Destination> = plan
            .destinations
            .into_iter()
            .map(|(name, kind, faults, is_ordered)| {
                let (effects, log) = (BTreeMap::new(), Vec::new());
                (name.to_owned(), Destination { kind, faults, is_ordered, effects, log })
            })
            .collect();
        let lanes = destinations.iter().map(|(name, one)| (name.clone(), one.is_ordered)).collect();
        let number = Arc::new(AtomicU64::new(1));
        let mut world = Self {
            now: START,
            chance: Chance::new(plan.seed),
            store,
            runtime: tokio::runtime::Builder::new_current_thread().build().unwrap(),
            destinations,
            routes: Arc::new(Everybody { lanes, number }),
            workers: Vec::new(),
            lives: vec![0; plan.workers],
            turns: vec![Some(START); plan.workers],
            happenings: BTreeMap::new(),
            emitted: Vec::new(),
            keys_of: BTreeMap::new(),
            events: plan.events,
            every: plan.every,
            keys: 5,
            kills_every: plan.kills_every,
            breaks: plan.breaks,
            sent: 0,
            doubled: 0,
        };
        for worker in 0..plan.workers {
            let dispatcher = world.dispatcher(plan.seed + worker as u64);
            world.workers.push(dispatcher);
            world.at(0, Happening::Turn { worker }, 0);
        }
        world.at(1, Happening::Emit, 0);
        if let Some(every) = plan.kills_every {
            world.at(every, Happening::Kill { worker: 0 }, 0);
        }
        world
    }

    fn dispatcher(&self, seed: u64) -> Dispatcher {
        let mut dispatcher = Dispatcher::new(Settings { seed, poll_ms: 20 * SECOND, ..Settings::default() }, self.now);
        let retry = Retry { for_hours: 2, most_wait_seconds: 60, ..Retry::default() };
        let rules = LaneRules { at_once: 32, retry, longest_wait_ms: 60 * SECOND, ..LaneRules::default() };
        dispatcher.follow(self.destinations.keys().map(|name| (name.clone(), rules.clone())), self.now);
        dispatcher
    }

    fn at(&mut self, after: i64, happening: Happening, life: u64) {
        let number = self.routes.number.fetch_add(1, Ordering::Relaxed);
        self.happenings.insert((self.now + after, number), (happening, life));
    }

    fn is_over(&self) -> bool {
        let lives = |happening: &Happening| !matches!(happening, Happening::Turn { .. } | Happening::Kill { .. });
        self.emitted.len() == self.events
            && !self.happenings.values().any(|(happening, _)| lives(happening))
            && self.unended() == 0
    }

    fn unended(&self) -> i64 {
        let backlog = self.runtime.block_on(self.store.delivery_backlog()).unwrap();
        let unended =
            backlog.iter().filter(|backlog| backlog.state != DeliveryState::Dead).map(|backlog| backlog.count);
        unended.sum::<i64>() + self.runtime.block_on(self.store.undispatched_events()).unwrap()
    }

    fn run(&mut self) {
        let mut turns = 0_u64;
        while let Some(((now, _), (happening, life))) = self.happenings.pop_first() {
            self.now = now;
            assert!(now < START + 100 * HOUR, "it does not come to an end: {} left", self.unended());
            self.happens(happening, life);
            turns += 1;
            if turns.is_multiple_of(64) && self.is_over() {
                return;
            }
        }
    }

    fn happens(&mut self, happening: Happening, life: u64) {
        match happening {
            Happening::Emit => self.emit(),
            Happening::Effect { integration, event } => self.effect(&integration, &event),
            Happening::CarryEnds { worker, delivery, carried } if life == self.lives[worker] => {
                let attempt = self.routes.new_id();
                self.workers[worker].carried(self.now, &delivery, carried, Some(attempt));
                self.turn(worker);
            }
            Happening::RoundEnds { worker, round, done } if life == self.lives[worker] => {
                let actions = self.workers[worker].seen(self.now, &round, done.map(|done| *done));
                self.act(worker, actions);
                self.turn(worker);
            }
            Happening::Turn { worker } if life == self.lives[worker] && self.turns[worker] == Some(self.now) => {
                self.turns[worker] = None;
                self.turn(worker);
            }
            Happening::Kill { worker } => self.kill(worker),
            Happening::CarryEnds { .. } | Happening::RoundEnds { .. } | Happening::Turn { .. } => {}
        }
    }

    fn emit(&mut self) {
        let number = self.emitted.len() as u64;
        let event = id(1_000_000_000 + number);
        let payload = format!("\"key{}\"", self.chance.up_to(self.keys - 1));
        self.keys_of.insert(event.clone(), payload.clone());
        let parameters = [event.clone(), "order_created".to_owned(), payload, to_text(self.now)].map(Datum::Text);
        let work = self.store.transaction(move |mut transaction| {
            let text = dialect::lower_emit(Engine::Sqlite);
            Box::pin(async move { Ok(Ended::Commit(transaction.execute(&text, &parameters).await?)) })
        });
        self.runtime.block_on(work).unwrap();
        self.emitted.push((event, self.now));
        if self.emitted.len() < self.events {
            self.at(self.every, Happening::Emit, 0);
        }
        // The process that has committed it tells its own worker, the others find it.
        self.workers[0].wake();
        self.turn(0);
    }

    /// It comes about once at who knows the key, and every time elsewhere.
    fn effect(&mut self, integration: &str, event: &str) {
        let now = self.now;
        let destination = self.destinations.get_mut(integration).unwrap();
        if let Some((count, _)) = destination.effects.get_mut(event) {
            self.doubled += 1;
            *count += u32::from(destination.kind != Kind::KnowsKeys);
            return;
        }
        destination.effects.insert(event.to_owned(), (1, now));
        destination.log.push(event.to_owned());
    }

    /// `kill -9`: nothing that the worker knew is left. What it had sent arrives all the same. Another one begins.
    fn kill(&mut self, worker: usize) {
        self.lives[worker] += 1;
        let seed = self.lives[worker] * 1_000 + worker as u64;
        self.workers[worker] = self.dispatcher(seed);
        let life = self.lives[worker];
        self.turns[worker] = Some(self.now + 200);
        self.at(200, Happening::Turn { worker }, life);
        if let Some(every) = self.kills_every.filter(|_| self.emitted.len() < self.events) {
            let next = (worker + 1) % self.workers.len();
            let after = every / 2 + self.chance.up_to(every);
            self.at(after, Happening::Kill { worker: next }, 0);
        }
    }

    fn turn(&mut self, worker: usize) {
        let (now, life) = (self.now, self.lives[worker]);
        let lease = self.routes.new_id();
        let Some(round) = self.workers[worker].round(now, lease) else {
            let at = self.workers[worker].wakes_at(now);
            if at > now && self.turns[worker].is_none_or(|turn| at < turn) {
                self.turns[worker] = Some(at);
                self.at(at - now, Happening::Turn { worker }, life);
            }
            return;
        };
        // The database takes a while, and now and then it ends before or behind the commit.
        let fate = self.chance.up_to(999);
        let done = match fate {
            fate if fate < self.breaks / 2 => None,
            fate => {
                let done =
                    self.runtime.block_on(self.store.deliver(Arc::new(round.clone()), self.routes.clone())).unwrap();
                (fate >= self.breaks).then(|| Box::new(done))
            }
        };
        let after = 1 + self.chance.up_to(6);
        self.at(after, Happening::RoundEnds { worker, round: Box::new(round), done }, life);
    }

    fn act(&mut self, worker: usize, actions: Actions) {
        for leased in actions.begin {
            self.carry(worker, &leased);
        }
    }

    fn carry(&mut self, worker: usize, leased: &Leased) {
        let life = self.lives[worker];
        let destination = &self.destinations[&leased.integration];
        let (kind, faults) = (destination.kind, destination.faults);
        let has_happened = destination.effects.contains_key(&leased.event_id);
        // What one attempt was told says nothing about the one before, which nobody saw the end of.
        let was_in_doubt = leased.in_doubt && kind == Kind::KnowsKeys;
        let end = |world: &mut Self, after: i64, carried: Carried| {
            let carried = Carried { in_doubt: carried.in_doubt || was_in_doubt, ..carried };
            let delivery = leased.id.clone();
            world.at(after, Happening::CarryEnds { worker, delivery, carried }, life);
        };
        if leased.in_doubt && kind == Kind::KnowsNothing {
            return end(self, 1, Carried::of(Outcome::PutAside));
        }
        if leased.in_doubt && kind == Kind::CanBeAsked && has_happened {
            return end(self, 10, Carried::of(Outcome::Delivered));
        }
        self.sent += 1;
        let delay = 5 + self.chance.up_to(45);
        let mut fate = self.chance.up_to(999);
        let mut is = |part: i64| {
            fate -= part;
            fate < 0
        };
        let effect = |world: &mut Self| {
            let (integration, event) = (leased.integration.clone(), leased.event_id.clone());
            world.at(delay / 2, Happening::Effect { integration, event }, 0);
        };
        if is(faults.hangs) {
            end(self, 30 * SECOND, Carried::of(Outcome::UnknownEffect));
        } else if is(faults.drips) {
            effect(self);
            end(self, 25 * SECOND, Carried::of(Outcome::Delivered));
        } else if is(faults.fails) {
            end(self, delay, Carried::of(Outcome::Transient));
        } else if is(faults.limits) {
            end(self, delay, Carried::of(Outcome::RateLimited(Some(7 * SECOND))));
        } else if is(faults.loses) {
            effect(self);
            end(self, delay, Carried::of(Outcome::UnknownEffect));
        } else if is(faults.refuses) {
            end(self, delay, Carried::of(Outcome::Permanent));
        } else {
            effect(self);
            end(self, delay, Carried::of(Outcome::Delivered));
        }
    }

    /// What must hold at the end, whatever has happened.
    fn check(&self, seed: u64) {
        let listens = if self.destinations.len() < 10 { self.destinations.len() } else { 1 };
        let rows = self.runtime.block_on(self.store.deliveries(&DeliveryFilter::default(), 1_000_000)).unwrap();
        assert_eq!(rows.len(), self.events * listens, "seed {seed}: each event has its deliveries, once");
        let (mut delivered, mut dead) = (0, 0);
        for row in &rows {
            let effects = self.destinations[&row.integration].effects.get(&row.event_id).map_or(0, |(count, _)| *count);
            assert!(effects <= 1, "seed {seed}: {effects} effects of {row:?}");
            match row.state {
                DeliveryState::Delivered => {
                    delivered += 1;
                    assert_eq!(effects, 1, "seed {seed}: delivered without effect: {row:?}");
                }
                DeliveryState::Dead => {
                    dead += 1;
                    assert!(row.in_doubt || effects == 0, "seed {seed}: given up for sure, with its effect: {row:?}");
                }
                DeliveryState::Waiting | DeliveryState::Working => panic!("seed {seed}: not ended: {row:?}"),
            }
        }
        assert_eq!(delivered + dead, rows.len());
        for (name, destination) in self.destinations.iter().filter(|(_, one)| one.is_ordered) {
            self.check_order(seed, name, destination);
        }
    }

    fn check_order(&self, seed: u64, name: &str, destination: &Destination) {
        let mut last: BTreeMap<&str, &str> = BTreeMap::new();
        for event in &destination.log {
            let key = self.keys_of[event].as_str();
            let before = last.insert(key, event);
            assert!(
                before.is_none_or(|before| before < event.as_str()),
                "seed {seed}: {name}: {event} behind {before:?}"
            );
        }
    }

    /// From the event to its effect, at those destinations, in order.
    fn latencies(&self, of: impl Fn(&str) -> bool) -> Vec<i64> {
        let emitted: BTreeMap<&String, i64> = self.emitted.iter().map(|(event, at)| (event, *at)).collect();
        let destinations = self.destinations.iter().filter(|(name, _)| of(name));
        let effects = destinations.flat_map(|(_, one)| &one.effects);
        let mut latencies: Vec<i64> = effects.map(|(event, (_, at))| at - emitted[event]).collect();
        latencies.sort_unstable();
        latencies
    }
}

const ALL: Faults = Faults { hangs: 10, drips: 10, fails: 60, limits: 20, loses: 60, refuses: 5 };

fn everything(seed: u64, events: usize) -> Plan {
    let destinations = vec![
        ("asked", Kind::CanBeAsked, ALL, false),
        ("keyed", Kind::KnowsKeys, ALL, false),
        ("keyed in order", Kind::KnowsKeys, ALL, true),
        ("nothing", Kind::KnowsNothing, ALL, false),
        ("well", Kind::KnowsKeys, Faults::default(), true),
    ];
    Plan { seed, destinations, events, every: 40, workers: 3, kills_every: Some(4 * SECOND), breaks: 40 }
}

#[test]
fn whatever_goes_wrong_each_event_ends_once_with_one_effect_and_in_order() {
    let (mut sent, mut doubled) = (0, 0);
    for seed in 0..5 {
        let mut world = World::new(everything(seed, 200));
        world.run();
        world.check(seed);
        sent += world.sent;
        doubled += world.doubled;
    }
    // The faults were there: who knows keys was sent a good deal twice.
    assert!(sent > 5 * 5 * 200 && doubled > 50, "{sent} {doubled}");
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let run = || {
        let mut world = World::new(everything(3, 40));
        world.run();
        (world.now, world.sent, world.doubled, world.latencies(|_| true))
    };
    assert_eq!(run(), run());
}

/// 100 destinations; three of them hang, fail and drip.
fn hundred(faults: [Faults; 3]) -> World {
    let name = |number: usize| -> &'static str { Box::leak(format!("lane{number:02}").into_boxed_str()) };
    let destinations = (0..100_usize)
        .map(|number| (name(number), Kind::KnowsKeys, faults.get(number).copied().unwrap_or_default(), false))
        .collect();
    let mut world =
        World::new(Plan { seed: 5, destinations, events: 600, every: 15, workers: 1, kills_every: None, breaks: 0 });
    world.run();
    world.check(5);
    world
}

#[test]
fn three_bad_destinations_of_a_hundred_do_not_slow_the_others() {
    let bad = [
        Faults { hangs: 1000, ..Faults::default() },
        Faults { fails: 1000, ..Faults::default() },
        Faults { drips: 1000, ..Faults::default() },
    ];
    let healthy = |name: &str| name > "lane02";
    let (without, with) = (hundred([Faults::default(); 3]).latencies(healthy), hundred(bad).latencies(healthy));
    assert_eq!(without.len(), with.len());
    for part in [50, 90, 99] {
        let of = |latencies: &[i64]| latencies[latencies.len() * part / 100];
        assert!(of(&with) * 10 <= of(&without) * 11, "p{part}: {} with bad ones, {} without", of(&with), of(&without));
    }
}
