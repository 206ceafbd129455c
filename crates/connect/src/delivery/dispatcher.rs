//! What a worker does next: the time, what the database said and what came of deliveries come in; rounds for the database and
//! deliveries to begin go out. It never waits, and never asks for the time itself.

use super::chance::{Chance, back_off};
use super::lane::{Lane, LaneRules};
use super::moment::{from_text, to_text};
use manifest::outcome::Retry;
use std::collections::BTreeMap;
use store::delivery::{Attempted, DeliveryState, Dispatched, Leased, Opening, Recorded, Remembered, Round, RoundDone};

/// Results that one round records at most.
const RECORDED_OF_ROUND: usize = 500;
/// How long a round that failed is waited behind, first and at most. In milliseconds.
const FIRST_PAUSE: i64 = 50;
const LONGEST_PAUSE: i64 = 5_000;
const HOUR: i64 = 3_600_000;
/// How far is looked back first for what others have overlooked, and from then on: clocks differ, and what is committed late is seen late.
const FIRST_LOOK_BACK: i64 = 72 * HOUR;
const LOOK_BACK: i64 = 60_000;

/// How a worker works. Times are in milliseconds.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where its chance begins.
    pub seed: u64,
    /// For how long it takes deliveries; it takes them again well before.
    pub lease_ms: i64,
    /// How often it looks for what others have left.
    pub poll_ms: i64,
    /// Most deliveries under way, to all destinations together.
    pub at_once: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self { seed: 0, lease_ms: 30_000, poll_ms: 1_000, at_once: 1_024 }
    }
}

/// What came of carrying a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Carried {
    /// In a word.
    pub outcome: Outcome,
    /// Whether something may have happened that nobody has seen the end of, in this attempt or in one before: who repeats what was in
    /// doubt, and is told no, knows nothing of the first time.
    pub in_doubt: bool,
    /// What later attempts need of this one, JSON.
    pub progress: Option<String>,
    /// The provider's own code of what went wrong.
    pub code: Option<String>,
    /// What went wrong, in words.
    pub problem: Option<String>,
    /// Requests and answers without secrets, JSON.
    pub record: Option<String>,
    /// What is kept from one event to the next.
    pub remembered: Vec<Remembered>,
    /// How what went wrong is tried again, where that is not as everything of the destination is.
    pub retry: Option<Retry>,
    /// Behind how long, in milliseconds, where that is no chance.
    pub wait_ms: Option<i64>,
}

/// What came of carrying a delivery, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is there.
    Delivered,
    /// It will never be taken.
    Permanent,
    /// It was not taken; later it may be.
    Transient,
    /// We were too fast; the destination may have said for how long to wait, in milliseconds.
    RateLimited(Option<i64>),
    /// The destination does not know us.
    Authentication,
    /// It may be there.
    UnknownEffect,
    /// It may be there, and only a person can tell.
    PutAside,
    /// Whoever carried it was stopped.
    Interrupted,
    /// It was not begun.
    Returned,
}

impl Outcome {
    /// All of them, for counters.
    pub const ALL: [Self; 9] = [
        Self::Delivered,
        Self::Permanent,
        Self::Transient,
        Self::RateLimited(None),
        Self::Authentication,
        Self::UnknownEffect,
        Self::PutAside,
        Self::Interrupted,
        Self::Returned,
    ];

    /// The word that is kept.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Permanent => "permanent",
            Self::Transient => "transient",
            Self::RateLimited(_) => "rate_limited",
            Self::Authentication => "authentication",
            Self::UnknownEffect => "unknown_effect",
            Self::PutAside => "put_aside",
            Self::Interrupted => "interrupted",
            Self::Returned => "returned",
        }
    }
}

impl Carried {
    /// An outcome about which there is nothing else to say.
    #[must_use]
    pub fn of(outcome: Outcome) -> Self {
        let (progress, code, problem, record) = (None, None, None, None);
        let in_doubt = matches!(outcome, Outcome::UnknownEffect | Outcome::PutAside | Outcome::Interrupted);
        Self { outcome, in_doubt, progress, code, problem, record, remembered: Vec::new(), retry: None, wait_ms: None }
    }

    /// Nothing is known of it but why it came to nothing.
    #[must_use]
    pub fn failed(outcome: Outcome, why: &str) -> Self {
        Self { problem: Some(why.to_owned()), in_doubt: false, ..Self::of(outcome) }
    }
}

/// What is to be done behind a round.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Actions {
    /// Deliveries to begin.
    pub begin: Vec<Leased>,
    /// Deliveries whose progress is durable now: their next step may go out.
    pub saved: Vec<String>,
    /// Deliveries that somebody else may have: nothing more of them may go out.
    pub lost: Vec<String>,
    /// Deliveries that were recorded, and in which state.
    pub recorded: Vec<(String, DeliveryState)>,
}

/// A delivery under way.
#[derive(Debug, Clone)]
struct UnderWay {
    lease: String,
    leased_until: i64,
    began_at: i64,
    integration: String,
    attempts: u32,
    in_doubt: bool,
    is_ordered: bool,
    tried_since: i64,
    progress: Option<String>,
    is_lost: bool,
}

/// Decides for one worker.
#[derive(Debug)]
pub struct Dispatcher {
    settings: Settings,
    chance: Chance,
    lanes: BTreeMap<String, Lane>,
    under_way: BTreeMap<String, UnderWay>,
    /// What is to be recorded, the oldest first.
    pending: Vec<Recorded>,
    /// Leases of rounds of which nobody knows whether they came about.
    abandoned: Vec<String>,
    /// Whether there may be new events.
    awaits_events: bool,
    /// From where on it is looked for what others have overlooked.
    looks_back: Dispatched,
    polls_at: i64,
    expires_at: i64,
    /// After rounds that failed.
    resumes_at: i64,
    failed_rounds: u32,
    is_in_round: bool,
    is_ending: bool,
    /// Which lane is asked first, so that none is always last.
    turn: usize,
}

impl Dispatcher {
    /// One that begins now.
    #[must_use]
    pub fn new(settings: Settings, now: i64) -> Self {
        Self {
            chance: Chance::new(settings.seed),
            settings,
            lanes: BTreeMap::new(),
            under_way: BTreeMap::new(),
            pending: Vec::new(),
            abandoned: Vec::new(),
            awaits_events: true,
            looks_back: Dispatched { at: to_text(now - FIRST_LOOK_BACK), id: String::new() },
            polls_at: now,
            expires_at: now,
            resumes_at: now,
            failed_rounds: 0,
            is_in_round: false,
            is_ending: false,
            turn: 0,
        }
    }

    /// Who there is to deliver to from now on. What is under way to somebody else ends as it began.
    pub fn follow(&mut self, lanes: impl IntoIterator<Item = (String, LaneRules)>, now: i64) {
        self.lanes(lanes, now);
        self.looks_back = Dispatched { at: to_text(now - FIRST_LOOK_BACK), id: String::new() };
    }

    /// The same where nobody is new who may have been overlooked.
    pub fn lanes(&mut self, lanes: impl IntoIterator<Item = (String, LaneRules)>, now: i64) {
        self.lanes.values_mut().for_each(|lane| lane.is_closing = true);
        for (integration, rules) in lanes {
            match self.lanes.get_mut(&integration) {
                Some(lane) => lane.follow(rules, now),
                None => drop(self.lanes.insert(integration, Lane::new(rules, now))),
            }
        }
        self.lanes.retain(|_, lane| !lane.is_closing || lane.under_way > 0);
    }

    /// There may be new events.
    pub fn wake(&mut self) {
        self.awaits_events = true;
    }

    /// Nothing more is begun.
    pub fn end(&mut self) {
        self.is_ending = true;
    }

    /// Whether nothing is left to be done for what was begun.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.under_way.is_empty() && self.pending.is_empty() && !self.is_in_round && self.abandoned.is_empty()
    }

    /// The deliveries under way.
    #[must_use]
    pub fn under_way(&self) -> Vec<String> {
        self.under_way.keys().cloned().collect()
    }

    /// How each destination's breaker stands.
    pub fn breakers(&self, now: i64) -> impl Iterator<Item = (&str, super::breaker::BreakerState)> {
        self.lanes.iter().map(move |(integration, lane)| (integration.as_str(), lane.state(now)))
    }

    /// The next round, under a lease of its own; none where there is nothing to do, or the last one has not ended.
    pub fn round(&mut self, now: i64, lease: String) -> Option<Round> {
        if self.is_in_round || now < self.resumes_at {
            return None;
        }
        let polls = self.polls_at <= now;
        if polls {
            self.polls_at = now + self.settings.poll_ms;
            self.awaits_events = true;
            self.lanes.values_mut().for_each(|lane| lane.looks = true);
        }
        let dispatches = self.awaits_events && !self.is_ending;
        let under_way = u32::try_from(self.under_way.len()).unwrap_or(u32::MAX);
        let at_most = if self.is_ending { 0 } else { self.settings.at_once.saturating_sub(under_way) };
        let openings = self.openings(now, dispatches, at_most);
        let expires = self.expires_at <= now;
        let extended: Vec<(String, String)> =
            self.ending_leases(now).map(|(id, one)| (id.clone(), one.lease.clone())).collect();
        let looks = openings.iter().any(|opening| opening.looks);
        if !(dispatches || looks || expires)
            && extended.is_empty()
            && self.pending.is_empty()
            && self.abandoned.is_empty()
        {
            return None;
        }
        if dispatches {
            self.awaits_events = false;
        }
        if expires {
            self.expires_at = now + self.settings.lease_ms / 6;
        }
        for opening in openings.iter().filter(|opening| opening.looks) {
            if let Some(lane) = self.lanes.get_mut(&opening.integration) {
                lane.looked(now);
            }
        }
        self.is_in_round = true;
        Some(Round {
            now: to_text(now),
            lease,
            leased_until: to_text(now + self.settings.lease_ms),
            recorded: self.pending.iter().take(RECORDED_OF_ROUND).cloned().collect(),
            extended,
            abandoned: self.abandoned.clone(),
            expires,
            openings,
            at_most,
            dispatches,
            looks_back: (polls && !self.is_ending).then(|| self.looks_back.clone()),
        })
    }

    /// What may be begun, by lane: those of a lower number first, and among them beginning with another one each time. Lanes of which
    /// something may wait share out what is left, and the last of them look in another round: of new events nobody knows yet whose
    /// they are.
    fn openings(&mut self, now: i64, dispatches: bool, at_most: u32) -> Vec<Opening> {
        let mut left = at_most;
        let mut openings = Vec::new();
        self.turn = (self.turn + 1) % self.lanes.len().max(1);
        let mut lanes: Vec<(&String, &mut Lane)> = self.lanes.iter_mut().collect();
        let turn = self.turn.min(lanes.len());
        lanes.rotate_left(turn);
        lanes.sort_by_key(|(_, lane)| lane.rules.priority);
        for (integration, lane) in lanes {
            let looks = lane.wants_to_look(now) && left > 0;
            let most = if looks { left } else { at_most };
            let places = if looks || dispatches { lane.places(now).min(most) } else { 0 };
            if places > 0 {
                left -= if looks { places } else { 0 };
                openings.push(Opening { integration: integration.clone(), places, looks });
            }
        }
        openings
    }

    /// Those whose lease has less than two thirds of its time.
    fn ending_leases(&self, now: i64) -> impl Iterator<Item = (&String, &UnderWay)> {
        let soon = now + self.settings.lease_ms * 2 / 3;
        self.under_way.iter().filter(move |(_, one)| one.leased_until < soon && !one.is_lost)
    }

    /// How the round ended.
    pub fn seen(&mut self, now: i64, round: &Round, ended: Option<RoundDone>) -> Actions {
        self.is_in_round = false;
        let Some(done) = ended else {
            self.failed(now, round);
            return self.overdue(now);
        };
        self.failed_rounds = 0;
        self.abandoned.clear();
        let mut actions = self.settle(round, &done);
        self.awaits_events |= done.more_events;
        if round.looks_back.is_some() {
            let newest = || Dispatched { at: to_text(now - LOOK_BACK), id: String::new() };
            self.looks_back = done.looked_back_to.clone().unwrap_or_else(newest);
        }
        for integration in done.more_of.iter().chain(&done.awakened) {
            if let Some(lane) = self.lanes.get_mut(integration) {
                lane.looks = true;
            }
        }
        for (integration, due) in &done.awaited {
            if let Some(lane) = self.lanes.get_mut(integration) {
                lane.awaits(from_text(due).unwrap_or(now));
            }
        }
        let leased_until = from_text(&round.leased_until).unwrap_or(now);
        for leased in done.leased {
            self.take(now, leased, leased_until, &mut actions);
        }
        actions
    }

    /// Nobody knows whether it came about. What it was to record is recorded again; what it may have leased is given back.
    fn failed(&mut self, now: i64, round: &Round) {
        self.failed_rounds = self.failed_rounds.saturating_add(1);
        self.resumes_at = now + 1 + back_off(&mut self.chance, FIRST_PAUSE, LONGEST_PAUSE, self.failed_rounds);
        self.awaits_events |= round.dispatches;
        if round.expires {
            self.expires_at = now;
        }
        for opening in round.openings.iter().filter(|opening| opening.looks) {
            if let Some(lane) = self.lanes.get_mut(&opening.integration) {
                lane.looks = true;
            }
        }
        if !round.openings.is_empty() {
            self.abandoned.push(round.lease.clone());
        }
    }

    /// While the database does not answer leases may run out: what is under way may then be somebody else's.
    fn overdue(&mut self, now: i64) -> Actions {
        let mut actions = Actions::default();
        for (id, one) in self.under_way.iter_mut().filter(|(_, one)| one.leased_until <= now && !one.is_lost) {
            one.is_lost = true;
            actions.lost.push(id.clone());
        }
        actions
    }

    /// What was recorded, and what has kept its lease.
    fn settle(&mut self, round: &Round, done: &RoundDone) -> Actions {
        let mut actions = Actions::default();
        let recorded = round.recorded.len().min(self.pending.len());
        for recorded in self.pending.drain(..recorded) {
            match (recorded.state, done.held.contains(&recorded.id)) {
                (DeliveryState::Working, true) => actions.saved.push(recorded.id),
                (DeliveryState::Working, false) => {
                    if let Some(one) = self.under_way.get_mut(&recorded.id) {
                        one.is_lost = true;
                    }
                    actions.lost.push(recorded.id);
                }
                (state, true) => actions.recorded.push((recorded.id, state)),
                // Somebody else has it, or an earlier round has recorded it after all.
                (_, false) => {}
            }
        }
        let leased_until = from_text(&round.leased_until);
        for (id, _) in &round.extended {
            let Some(one) = self.under_way.get_mut(id) else { continue };
            match done.held.contains(id) {
                true => one.leased_until = leased_until.unwrap_or(one.leased_until),
                false => {
                    one.is_lost = true;
                    actions.lost.push(id.clone());
                }
            }
        }
        actions
    }

    fn take(&mut self, now: i64, leased: Leased, leased_until: i64, actions: &mut Actions) {
        let Some(lane) = self.lanes.get_mut(&leased.integration) else { return };
        lane.begun(now);
        let one = UnderWay {
            lease: leased.lease.clone(),
            leased_until,
            began_at: now,
            integration: leased.integration.clone(),
            attempts: leased.attempts,
            in_doubt: leased.in_doubt,
            is_ordered: leased.is_ordered,
            tried_since: from_text(&leased.tried_since).unwrap_or(now),
            progress: leased.progress.clone(),
            is_lost: false,
        };
        // What ends whoever carries it must not do so for ever.
        let is_hopeless = leased.in_doubt && leased.attempts >= lane.rules.retry.attempts;
        self.under_way.insert(leased.id.clone(), one);
        match is_hopeless {
            true => {
                let problem =
                    Some(format!("it was given up after {} attempts that nobody saw the end of", leased.attempts));
                let carried = Carried { problem, ..Carried::of(Outcome::PutAside) };
                self.carried(now, &leased.id, carried, None);
            }
            false => actions.begin.push(leased),
        }
    }

    /// A step of a delivery is done and others follow: what it left is to be durable first.
    pub fn progressed(&mut self, now: i64, delivery: &str, progress: String, remembered: Vec<Remembered>) {
        let Some(one) = self.under_way.get_mut(delivery) else { return };
        one.progress = Some(progress);
        self.pending.push(Recorded {
            id: delivery.to_owned(),
            lease: one.lease.clone(),
            state: DeliveryState::Working,
            attempts: one.attempts,
            due_at: to_text(now),
            in_doubt: one.in_doubt,
            progress: one.progress.clone(),
            problem: None,
            attempt: None,
            remembered,
        });
    }

    /// What came of a delivery. The attempt is kept under the id, where there is one.
    pub fn carried(&mut self, now: i64, delivery: &str, carried: Carried, attempt: Option<String>) {
        let Some(one) = self.under_way.remove(delivery) else { return };
        let Some(lane) = self.lanes.get_mut(&one.integration) else { return };
        lane.under_way -= 1;
        match carried.outcome {
            Outcome::Delivered | Outcome::Permanent => lane.breaker.well(),
            Outcome::Transient | Outcome::UnknownEffect => lane.breaker.failed(now, &mut self.chance),
            Outcome::Authentication => lane.breaker.trip(now, &mut self.chance),
            Outcome::RateLimited(_) | Outcome::PutAside | Outcome::Interrupted | Outcome::Returned => {
                lane.breaker.unknown();
            }
        }
        let (state, attempts, due) = next(now, &one, &carried, lane, &mut self.chance);
        if state == DeliveryState::Waiting {
            lane.awaits(due);
        } else {
            lane.looks |= one.is_ordered;
        }
        if lane.is_closing && lane.under_way == 0 {
            self.lanes.remove(&one.integration);
        }
        let attempted = attempt.map(|id| Attempted {
            id,
            started_at: to_text(one.began_at),
            outcome: carried.outcome.as_str().to_owned(),
            code: carried.code,
            problem: carried.problem.clone(),
            record: carried.record,
        });
        let in_doubt = match carried.outcome {
            Outcome::Returned => one.in_doubt,
            Outcome::Delivered => false,
            Outcome::Permanent
            | Outcome::Transient
            | Outcome::RateLimited(_)
            | Outcome::Authentication
            | Outcome::UnknownEffect
            | Outcome::PutAside
            | Outcome::Interrupted => carried.in_doubt,
        };
        self.pending.push(Recorded {
            id: delivery.to_owned(),
            lease: one.lease,
            state,
            attempts,
            due_at: to_text(due),
            in_doubt,
            progress: carried.progress.or(one.progress),
            problem: carried.problem,
            attempt: attempted,
            remembered: carried.remembered,
        });
    }

    /// When there is something to do next, if nothing happens before.
    pub fn wakes_at(&mut self, now: i64) -> i64 {
        let mut at = self.polls_at.min(self.expires_at);
        if !self.pending.is_empty() || !self.abandoned.is_empty() || (self.awaits_events && !self.is_ending) {
            at = now;
        }
        if !self.is_ending {
            let lanes = self.lanes.values_mut().filter_map(|lane| lane.wakes_at(now));
            at = lanes.fold(at, i64::min);
        }
        let lease = self.settings.lease_ms;
        let extends = self.under_way.values().filter(|one| !one.is_lost).map(|one| one.leased_until - lease * 2 / 3);
        extends.fold(at, i64::min).max(self.resumes_at).max(now)
    }
}

/// Where a delivery is behind an attempt, how often it was tried in vain then, and when it is due.
fn next(
    now: i64,
    one: &UnderWay,
    carried: &Carried,
    lane: &mut Lane,
    chance: &mut Chance,
) -> (DeliveryState, u32, i64) {
    let retry = carried.retry.as_ref().unwrap_or(&lane.rules.retry);
    let failed = one.attempts + 1;
    let is_late = now - one.tried_since >= i64::from(retry.for_hours) * HOUR;
    let most = i64::from(retry.most_wait_seconds) * 1000;
    let mut wait = |failures| back_off(chance, i64::from(retry.first_wait_ms), most, failures);
    let (attempts, due) = match carried.outcome {
        Outcome::Delivered => return (DeliveryState::Delivered, one.attempts, now),
        Outcome::Permanent | Outcome::PutAside => return (DeliveryState::Dead, failed, now),
        Outcome::Returned => return (DeliveryState::Waiting, one.attempts, now),
        Outcome::Transient | Outcome::UnknownEffect if failed >= retry.attempts => {
            return (DeliveryState::Dead, failed, now);
        }
        Outcome::Transient | Outcome::UnknownEffect => (failed, now + carried.wait_ms.unwrap_or_else(|| wait(failed))),
        Outcome::Interrupted => (failed, now),
        // Nothing was wrong with it: it is no attempt in vain.
        Outcome::RateLimited(asked) => {
            let wait = asked.unwrap_or_else(|| wait(failed)).clamp(0, lane.rules.longest_wait_ms);
            lane.paused_until = lane.paused_until.max(now + wait);
            (one.attempts, now + wait)
        }
        // The breaker has it wait; with another credential it may go at once.
        Outcome::Authentication => (one.attempts, now),
    };
    match is_late {
        true => (DeliveryState::Dead, failed, now),
        false => (DeliveryState::Waiting, attempts, due),
    }
}
