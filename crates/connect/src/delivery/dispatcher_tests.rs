//! What one worker decides, told by hand what the database and destinations answer: waits that are asked for, credentials, urgency, leases.

use super::dispatcher::{Carried, Dispatcher, Outcome, Settings};
use super::lane::LaneRules;
use super::moment::to_text;
use manifest::outcome::Retry;
use std::collections::BTreeSet;
use store::delivery::{DeliveryState, Leased, RoundDone};

const START: i64 = 1_767_225_600_000;
const SECOND: i64 = 1_000;
const HOUR: i64 = 3_600 * SECOND;

fn id(number: u64) -> String {
    format!("00000000-0000-7000-8000-{number:012}")
}

/// A destination that asks for a wait is left alone for that time, and no longer than is allowed.
#[test]
fn a_wait_that_is_asked_for_is_kept_and_bounded() {
    let mut dispatcher = Dispatcher::new(Settings::default(), START);
    let rules = LaneRules { at_once: 4, longest_wait_ms: 60 * SECOND, ..LaneRules::default() };
    dispatcher.follow([("shop".to_owned(), rules)], START);
    for (asked, kept) in [(7 * SECOND, 7 * SECOND), (3 * HOUR, 60 * SECOND)] {
        let now = START + asked * 10;
        let round = dispatcher.round(now, id(1)).unwrap();
        let done = RoundDone { leased: vec![leased(2, now), leased(3, now)], ..RoundDone::default() };
        assert_eq!(dispatcher.seen(now, &round, Some(done)).begin.len(), 2);
        dispatcher.carried(now, &id(2), Carried::of(Outcome::RateLimited(Some(asked))), None);
        let round = dispatcher.round(now, id(4)).unwrap();
        assert_eq!(round.openings, [], "{asked}");
        let waits = &round.recorded[0];
        // It was no attempt in vain, though there would have been only one more.
        assert_eq!((waits.state, waits.attempts, &waits.due_at), (DeliveryState::Waiting, 19, &to_text(now + kept)));
        let held = BTreeSet::from([id(2)]);
        dispatcher.seen(now, &round, Some(RoundDone { held, ..RoundDone::default() }));
        dispatcher.carried(now + kept, &id(3), Carried::of(Outcome::Transient), None);
        let round = dispatcher.round(now + kept, id(5)).unwrap();
        assert_eq!((round.openings.len(), round.recorded[0].state), (1, DeliveryState::Dead));
        let held = BTreeSet::from([id(3)]);
        dispatcher.seen(now + kept, &round, Some(RoundDone { held, ..RoundDone::default() }));
    }
}

/// Each of those that are due later is looked for when it is due, not only the first of them.
#[test]
fn every_time_that_is_known_is_kept() {
    let mut dispatcher = Dispatcher::new(Settings { poll_ms: HOUR, ..Settings::default() }, START);
    dispatcher.follow([("mail".to_owned(), LaneRules::default())], START);
    let round = dispatcher.round(START, id(1)).unwrap();
    let awaited = [400, 100, 250].map(|wait| ("mail".to_owned(), to_text(START + wait))).to_vec();
    dispatcher.seen(START, &round, Some(RoundDone { awaited, ..RoundDone::default() }));
    for (number, wait) in [(2, 100), (3, 260), (4, 400)] {
        assert_eq!(dispatcher.wakes_at(START + wait - 1), START + wait);
        let round = dispatcher.round(START + wait, id(number)).unwrap();
        assert_eq!(round.openings.len(), 1, "{wait}");
        dispatcher.seen(START + wait, &round, Some(RoundDone::default()));
    }
}

/// A delivery to the shop that was tried nineteen times.
fn leased(number: u64, now: i64) -> Leased {
    Leased {
        id: id(number),
        event_id: id(number),
        event: "order_created".to_owned(),
        integration: "shop".to_owned(),
        attempts: 19,
        in_doubt: false,
        progress: None,
        tried_since: to_text(now),
        is_ordered: false,
        payload: "null".to_owned(),
        lease: id(1),
    }
}

/// Who is not known waits behind the breaker, however often it is tried; with another credential it goes on at once.
#[test]
fn another_credential_is_tried_at_once() {
    let mut dispatcher = Dispatcher::new(Settings::default(), START);
    let rules =
        |known_as: &str| [("shop".to_owned(), LaneRules { known_as: known_as.to_owned(), ..LaneRules::default() })];
    dispatcher.follow(rules("one"), START);
    let round = dispatcher.round(START, id(1)).unwrap();
    let done = RoundDone { leased: vec![leased(2, START)], ..RoundDone::default() };
    dispatcher.seen(START, &round, Some(done));
    dispatcher.carried(START, &id(2), Carried::of(Outcome::Authentication), None);
    let round = dispatcher.round(START, id(3)).unwrap();
    assert_eq!(
        (round.openings.len(), round.recorded[0].state, round.recorded[0].attempts),
        (0, DeliveryState::Waiting, 19)
    );
    let held = || RoundDone { held: BTreeSet::from([id(2)]), ..RoundDone::default() };
    dispatcher.seen(START, &round, Some(held()));
    dispatcher.follow(rules("one"), START);
    assert!(dispatcher.wakes_at(START) > START, "nothing is different");
    dispatcher.follow(rules("another"), START);
    assert_eq!(dispatcher.round(START, id(4)).unwrap().openings.len(), 1);
}

/// What the manifest says of an operation counts for its failures, not what it says of all.
#[test]
fn an_operation_may_be_tried_otherwise_than_all_others() {
    let tried = |retry: Option<Retry>| {
        let mut dispatcher = Dispatcher::new(Settings::default(), START);
        dispatcher.follow([("shop".to_owned(), LaneRules::default())], START);
        let round = dispatcher.round(START, id(1)).unwrap();
        let done = RoundDone { leased: vec![leased(2, START)], ..RoundDone::default() };
        dispatcher.seen(START, &round, Some(done));
        dispatcher.carried(START, &id(2), Carried { retry, ..Carried::of(Outcome::Transient) }, None);
        let recorded = dispatcher.round(START, id(3)).unwrap().recorded.remove(0);
        (recorded.state, recorded.due_at)
    };
    assert_eq!(tried(None).0, DeliveryState::Dead);
    let patient = Retry { attempts: 30, first_wait_ms: 1, most_wait_seconds: 1, ..Retry::default() };
    let (state, due) = tried(Some(patient));
    assert_eq!(state, DeliveryState::Waiting);
    assert!(due <= to_text(START + SECOND), "{due}");
}

/// Where there is no room for all, those of a lower number go first, whoever's turn it is.
#[test]
fn what_is_urgent_goes_first() {
    let mut dispatcher = Dispatcher::new(Settings { at_once: 2, ..Settings::default() }, START);
    let rules = |priority| LaneRules { at_once: 1, priority, ..LaneRules::default() };
    let lanes = [("a", 2), ("b", 1), ("c", 0), ("d", 1)];
    dispatcher.follow(lanes.map(|(name, priority)| (name.to_owned(), rules(priority))), START);
    let mut seconds = BTreeSet::new();
    for turn in 0..4 {
        let now = START + turn * 60 * SECOND;
        let round = dispatcher.round(now, id(1)).unwrap();
        let asked = round.openings.iter().filter(|opening| opening.looks);
        let asked: Vec<&str> = asked.map(|opening| opening.integration.as_str()).collect();
        assert_eq!((asked.len(), asked[0]), (2, "c"));
        seconds.insert(asked[1].to_owned());
        dispatcher.seen(now, &round, Some(RoundDone::default()));
    }
    assert_eq!(seconds, BTreeSet::from(["b".to_owned(), "d".to_owned()]));
}

/// Nobody knows yet whose new events are: each destination may have them, and all together no more than there is room for.
#[test]
fn new_events_find_a_place_at_each_of_many_destinations() {
    let mut dispatcher = Dispatcher::new(Settings { at_once: 3, ..Settings::default() }, START);
    let rules = LaneRules { at_once: 2, ..LaneRules::default() };
    dispatcher.follow(["a", "b", "c", "d"].map(|name| (name.to_owned(), rules.clone())), START);
    while let Some(round) = dispatcher.round(START, id(1)) {
        let looks = round.openings.iter().filter(|opening| opening.looks);
        assert!(looks.map(|opening| opening.places).sum::<u32>() <= round.at_most);
        dispatcher.seen(START, &round, Some(RoundDone::default()));
    }
    dispatcher.wake();
    let round = dispatcher.round(START, id(2)).unwrap();
    let places: Vec<u32> = round.openings.iter().map(|opening| opening.places).collect();
    assert_eq!((places, round.at_most), (vec![2; 4], 3));
}

/// While the database does not answer a lease may run out: whoever has it then, nothing more goes out from here, and that is said once.
#[test]
fn a_lease_that_runs_out_while_the_database_is_away_is_lost() {
    let settings = Settings::default();
    let mut dispatcher = Dispatcher::new(settings.clone(), START);
    dispatcher.follow([("shop".to_owned(), LaneRules::default())], START);
    let round = dispatcher.round(START, id(1)).unwrap();
    let done = RoundDone { leased: vec![leased(2, START), leased(3, START)], ..RoundDone::default() };
    dispatcher.seen(START, &round, Some(done));
    dispatcher.carried(START + SECOND, &id(3), Carried::of(Outcome::Delivered), Some(id(4)));

    let (mut now, mut lost) = (START, Vec::new());
    while now < START + 3 * settings.lease_ms {
        now = dispatcher.wakes_at(now).max(now + 1);
        if let Some(round) = dispatcher.round(now, id(5)) {
            assert!(lost.is_empty() || round.extended.is_empty(), "nobody asks for a lease that is lost");
            lost.extend(dispatcher.seen(now, &round, None).lost.into_iter().map(|delivery| (now, delivery)));
        }
    }
    let [(at, delivery)] = &lost[..] else { panic!("{lost:?}") };
    let late = at - (START + settings.lease_ms);
    assert!(*delivery == id(2) && (0..=5 * SECOND).contains(&late), "{delivery} {late} ms late");

    // The worker stops it. What is known of it then is told under the old lease: nothing is written where somebody else has it.
    dispatcher.carried(now, &id(2), Carried::of(Outcome::Interrupted), Some(id(6)));
    let round = dispatcher.round(now + 5 * SECOND, id(7)).unwrap();
    let recorded: Vec<_> = round.recorded.iter().map(|one| (&*one.id, &*one.lease, one.state, one.in_doubt)).collect();
    let (first, second) = (id(3), id(2));
    let lease = id(1);
    assert_eq!(
        recorded,
        [(&*first, &*lease, DeliveryState::Delivered, false), (&*second, &*lease, DeliveryState::Waiting, true)]
    );
}
