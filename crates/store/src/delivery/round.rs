//! One round of a worker, as one transaction: record, give back, extend, take from those who have gone, lease, make deliveries of
//! events. Each part is a few statements however many deliveries there are.

use super::words::{BatchRow, Change, HELD_BY, ID, Kind, Member, Words, member, row};
use super::{
    DeliveryState, Dispatched, EVENTS_OF_ROUND, EXPIRED_OF_ROUND, Leased, NewDelivery, Opening, OutboxEvent, Recorded,
    Round, RoundDone, Routes,
};
use crate::read_row::{flag, number, optional_text, text};
use crate::{Ended, Row, Store, StoreError, Transaction};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use vocab::Datum;

const LEASE: Member = member("lease", Kind::Id);
const STATE: Member = member("state", Kind::Text);
const IN_DOUBT: Member = member("in_doubt", Kind::Flag);
const ATTEMPTS: Member = member("attempts", Kind::Number);
const DUE_AT: Member = member("due_at", Kind::Time);
const PROGRESS: Member = member("progress", Kind::Document);
const PROBLEM: Member = member("problem", Kind::Text);
const LEASED_AT: Member = member("leased_at", Kind::Time);
const LEASED_UNTIL: Member = member("leased_until", Kind::Time);
const ENDED_AT: Member = member("ended_at", Kind::Time);
const EVENT_ID: Member = member("event_id", Kind::Id);
const INTEGRATION: Member = member("integration", Kind::Text);
const PLACES: Member = member("places", Kind::Number);

const RESULT: &[Member] =
    &[ID, STATE, ATTEMPTS, DUE_AT, IN_DOUBT, PROGRESS, PROBLEM, LEASE, LEASED_AT, LEASED_UNTIL, ENDED_AT];
const ATTEMPT: &[Member] = &[
    ID,
    member("delivery_id", Kind::Id),
    member("started_at", Kind::Time),
    ENDED_AT,
    member("outcome", Kind::Text),
    member("code", Kind::Text),
    PROBLEM,
    member("record", Kind::Document),
];
const REMEMBERED: &[Member] = &[
    INTEGRATION,
    member("name", Kind::Text),
    member("whose", Kind::Text),
    member("value", Kind::Document),
    member("updated_at", Kind::Time),
];
const LEASING: &[Member] = &[ID, STATE, LEASE, LEASED_AT, LEASED_UNTIL];
const EXTENDING: &[Member] = &[ID, LEASED_UNTIL];
const INTERRUPTED: &[Member] = &[ID, STATE, ATTEMPTS, DUE_AT, IN_DOUBT, PROBLEM, LEASE, LEASED_AT, LEASED_UNTIL];
const NEW: &[Member] = &[
    ID,
    EVENT_ID,
    member("event", Kind::Text),
    INTEGRATION,
    member("provider", Kind::Text),
    member("priority", Kind::Number),
    member("order_key", Kind::Text),
    STATE,
    ATTEMPTS,
    DUE_AT,
    LEASE,
    LEASED_AT,
    LEASED_UNTIL,
    IN_DOUBT,
    member("created_at", Kind::Time),
    member("tried_since", Kind::Time),
];
const DISPATCHED: &[Member] = &[ID, member("dispatched_at", Kind::Time)];

/// Before every id.
const NO_ID: &str = "00000000-0000-0000-0000-000000000000";
/// What is said of an attempt whose worker has gone.
const GONE: &str = "whoever worked on it has gone, and nobody knows how far it came";

impl Store {
    /// Does a round.
    ///
    /// # Errors
    /// [`StoreError`] when a statement is refused or the database does not answer. Where it was the commit that was not answered
    /// nobody knows whether the round came about: the next one names its lease as abandoned, and records again what this one did.
    pub async fn deliver(&self, round: Arc<Round>, routes: Arc<dyn Routes>) -> Result<RoundDone, StoreError> {
        let words = Words(self.engine());
        let work = self.transaction(move |transaction| {
            Box::pin(async move {
                let mut work = Work { transaction, words, round: &round, routes: &*routes, done: RoundDone::default() };
                words.follow_indexes(&mut work.transaction).await?;
                work.record().await?;
                work.give_back().await?;
                work.extend().await?;
                work.expire().await?;
                work.look_back().await?;
                work.lease().await?;
                Ok(Ended::Commit(work.done))
            })
        });
        work.await
    }
}

struct Work<'r, 't> {
    transaction: Transaction<'t>,
    words: Words,
    round: &'r Round,
    routes: &'r dyn Routes,
    done: RoundDone,
}

fn time(text: &str) -> Datum {
    Datum::Text(text.to_owned())
}

fn given(text: &str) -> Option<Value> {
    Some(text.into())
}

impl Work<'_, '_> {
    /// What came of deliveries. A worker whose lease is gone writes nothing.
    async fn record(&mut self) -> Result<(), StoreError> {
        let (round, words) = (self.round, self.words);
        let results = round.recorded.iter().map(|ended| self.result(ended)).collect();
        let held = words.change_held(&mut self.transaction, RESULT, results).await?;
        let kept = || round.recorded.iter().filter(|ended| held.contains(&ended.id));
        let attempts: Vec<BatchRow> = kept().filter_map(|ended| attempt(ended, &round.now)).collect();
        words.change(&mut self.transaction, Change::Insert("outbox_attempts"), ATTEMPT, &attempts).await?;
        let remembered = kept().flat_map(|ended| &ended.remembered);
        let remembered: BTreeMap<_, BatchRow> = remembered
            .map(|kept| {
                let row = row([
                    ("integration", given(&kept.integration)),
                    ("name", given(&kept.name)),
                    ("whose", given(&kept.whose)),
                    ("value", given(&kept.value)),
                    ("updated_at", given(&round.now)),
                ]);
                ((&kept.integration, &kept.name, &kept.whose), row)
            })
            .collect();
        let remembered: Vec<BatchRow> = remembered.into_values().collect();
        words.change(&mut self.transaction, Change::Remember, REMEMBERED, &remembered).await?;
        self.done.held.extend(held);
        Ok(())
    }

    fn result(&self, ended: &Recorded) -> BatchRow {
        let is_working = ended.state == DeliveryState::Working;
        let working = |text: &str| is_working.then(|| text.into());
        let is_over = matches!(ended.state, DeliveryState::Delivered | DeliveryState::Dead);
        row([
            ("id", given(&ended.id)),
            ("state", given(ended.state.as_str())),
            ("attempts", Some(ended.attempts.into())),
            ("due_at", given(&ended.due_at)),
            ("in_doubt", Some(self.words.flag(ended.in_doubt))),
            ("progress", ended.progress.as_deref().map(Value::from)),
            ("problem", ended.problem.as_deref().map(Value::from)),
            ("lease", working(&ended.lease)),
            ("leased_at", working(&self.round.now)),
            ("leased_until", working(&self.round.leased_until)),
            ("ended_at", is_over.then(|| self.round.now.as_str().into())),
            (HELD_BY.name, given(&ended.lease)),
        ])
    }

    /// What was leased by a round whose end nobody saw was never begun.
    async fn give_back(&mut self) -> Result<(), StoreError> {
        for lease in &self.round.abandoned {
            let free = self.words.text(
                "UPDATE outbox_deliveries SET state = 'waiting', lease = NULL, leased_at = NULL, leased_until = NULL WHERE state = 'working' AND lease = ?",
            );
            self.transaction.execute(&free, &[Datum::Text(lease.clone())]).await?;
        }
        Ok(())
    }

    async fn extend(&mut self) -> Result<(), StoreError> {
        let round = self.round;
        let rows = round.extended.iter().map(|(id, lease)| {
            row([("id", given(id)), ("leased_until", given(&round.leased_until)), (HELD_BY.name, given(lease))])
        });
        let held = self.words.change_held(&mut self.transaction, EXTENDING, rows.collect()).await?;
        self.done.held.extend(held);
        Ok(())
    }

    /// What nobody works on any more waits again. Nobody knows what became of it, so it is told that it is in doubt.
    async fn expire(&mut self) -> Result<(), StoreError> {
        if !self.round.expires {
            return Ok(());
        }
        let (now, words) = (&self.round.now, self.words);
        let query = words.text(&format!(
            "SELECT id, integration, attempts, leased_at FROM outbox_deliveries WHERE state = 'working' AND leased_until < {} ORDER BY leased_until LIMIT {EXPIRED_OF_ROUND}{}",
            words.time(),
            words.locking_free()
        ));
        let found = self.transaction.read(&query, &[time(now)]).await?;
        if found.is_empty() {
            return Ok(());
        }
        let (mut waiting, mut attempts) = (Vec::new(), Vec::new());
        for found in &found {
            let (id, tried) = (text(found, 0)?, number(found, 2)?);
            waiting.push(row([
                ("id", given(&id)),
                ("state", given(DeliveryState::Waiting.as_str())),
                ("attempts", Some((tried + 1).into())),
                ("due_at", given(now)),
                ("in_doubt", Some(words.flag(true))),
                ("problem", given(GONE)),
                ("lease", None),
                ("leased_at", None),
                ("leased_until", None),
            ]));
            attempts.push(row([
                ("id", given(&self.routes.new_id())),
                ("delivery_id", given(&id)),
                ("started_at", Some(optional_text(found, 3)?.unwrap_or_else(|| now.clone()).into())),
                ("ended_at", given(now)),
                ("outcome", given("interrupted")),
                ("problem", given(GONE)),
            ]));
            self.done.awakened.insert(text(found, 1)?);
        }
        words.change(&mut self.transaction, Change::Update("outbox_deliveries"), INTERRUPTED, &waiting).await?;
        words.change(&mut self.transaction, Change::Insert("outbox_attempts"), ATTEMPT, &attempts).await
    }

    /// Whoever makes the deliveries of an event may know nothing of one integration: its own are made behind it. They wait, and are leased
    /// like all others.
    async fn look_back(&mut self) -> Result<(), StoreError> {
        let (round, routes) = (self.round, self.routes);
        let Some(from) = &round.looks_back else { return Ok(()) };
        for (integration, names) in routes.overlooked() {
            self.look_back_for(from, integration, names).await?;
        }
        Ok(())
    }

    async fn look_back_for(
        &mut self,
        from: &Dispatched,
        integration: &str,
        names: Vec<&str>,
    ) -> Result<(), StoreError> {
        let (round, words, routes) = (self.round, self.words, self.routes);
        let time = words.time();
        let query = words.text(&format!(
            "SELECT e.id, e.name, e.payload, e.occurred_at, e.dispatched_at FROM outbox_events AS e WHERE e.dispatched_at >= {time} AND (e.dispatched_at > {time} OR e.id > ?) \
             AND e.name IN ({}) AND NOT EXISTS (SELECT 1 FROM outbox_deliveries AS d WHERE d.event_id = e.id AND d.integration = ?) ORDER BY e.dispatched_at, e.id LIMIT {EVENTS_OF_ROUND}",
            vec!["?"; names.len()].join(", ")
        ));
        let first = if from.id.is_empty() { NO_ID } else { &from.id };
        let given = [&from.at, &from.at, first].into_iter().chain(names).chain([integration]);
        let given: Vec<Datum> = given.map(|text| Datum::Text(text.to_owned())).collect();
        let rows = self.transaction.read(&query, &given).await?;
        if let Some(last) = rows.last().filter(|_| rows.len() == EVENTS_OF_ROUND as usize) {
            let last = Dispatched { at: text(last, 4)?, id: text(last, 0)? };
            // Of several the one goes on who has come least far.
            let known = self.done.looked_back_to.take();
            let is_behind = |known: &Dispatched| (&known.at, &known.id) <= (&last.at, &last.id);
            self.done.looked_back_to = Some(known.filter(is_behind).unwrap_or(last));
        }
        let events = rows.iter().map(event).collect::<Result<Vec<_>, _>>()?;
        let wanted: Vec<(&OutboxEvent, NewDelivery)> = events
            .iter()
            .filter_map(|event| {
                Some((event, routes.deliveries(event).into_iter().find(|one| one.integration == integration)?))
            })
            .collect();
        // Others may look back at the same time.
        let lock = words.text(&format!("SELECT id FROM outbox_events WHERE id = ?{}", words.locking()));
        for (event, _) in &wanted {
            self.transaction.read(&lock, &[Datum::Text(event.id.clone())]).await?;
        }
        let known = known(&mut self.transaction, words, &wanted).await?;
        let new = wanted.iter().filter(|(event, one)| !known.contains(&(event.id.clone(), one.integration.clone())));
        let new: Vec<BatchRow> = new.map(|(event, delivery)| new_row(event, delivery, false, round, words)).collect();
        if !new.is_empty() {
            self.done.awakened.insert(integration.to_owned());
        }
        self.done.awaited.extend(wanted.into_iter().filter_map(|(_, one)| Some((one.integration, one.due_at?))));
        words.change(&mut self.transaction, Change::Insert("outbox_deliveries"), NEW, &new).await
    }

    /// First what waits, then new events.
    async fn lease(&mut self) -> Result<(), StoreError> {
        let round = self.round;
        let mut places: BTreeMap<&str, u32> =
            round.openings.iter().map(|opening| (opening.integration.as_str(), opening.places)).collect();
        let looks: Vec<&Opening> =
            round.openings.iter().filter(|opening| opening.looks && opening.places > 0).collect();
        for row in self.waiting(&looks).await? {
            let leased = leased(&row, &round.lease)?;
            if let Some(left) = places.get_mut(leased.integration.as_str()) {
                *left = left.saturating_sub(1);
            }
            self.done.leased.push(leased);
        }
        let full = looks.into_iter().filter(|opening| places[opening.integration.as_str()] == 0);
        self.done.more_of.extend(full.map(|opening| opening.integration.clone()));
        let leasing = self.done.leased.iter().map(|leased| {
            row([
                ("id", given(&leased.id)),
                ("state", given(DeliveryState::Working.as_str())),
                ("lease", given(&self.round.lease)),
                ("leased_at", given(&self.round.now)),
                ("leased_until", given(&self.round.leased_until)),
            ])
        });
        let leasing: Vec<BatchRow> = leasing.collect();
        let change = Change::Update("outbox_deliveries");
        self.words.change(&mut self.transaction, change, LEASING, &leasing).await?;
        if self.round.dispatches { self.dispatch(places).await } else { Ok(()) }
    }

    /// Deliveries that are due. Of those with one key only the first can be had, and only when nothing before it is under way.
    async fn waiting(&mut self, openings: &[&Opening]) -> Result<Vec<Row>, StoreError> {
        let words = self.words;
        let due = |integration: &str, limit: &str| {
            format!(
                "SELECT d.id, d.event_id, d.event, d.integration, d.attempts, d.in_doubt, d.progress, d.tried_since, d.order_key, \
                 (SELECT e.payload FROM outbox_events AS e WHERE e.id = d.event_id) AS payload FROM outbox_deliveries AS d \
                 WHERE d.integration = {integration} AND d.state = 'waiting' AND d.due_at <= {} AND (d.order_key IS NULL OR NOT EXISTS \
                 (SELECT 1 FROM outbox_deliveries AS b WHERE b.order_key = d.order_key AND b.integration = d.integration \
                 AND b.state IN ('waiting', 'working') AND b.event_id < d.event_id)) \
                 ORDER BY d.priority, d.due_at, d.id LIMIT {limit}{}",
                words.time(),
                words.locking_free()
            )
        };
        let asked = openings.iter().map(|opening| {
            row([(INTEGRATION.name, given(&opening.integration)), (PLACES.name, Some(opening.places.into()))])
        });
        let asked: Vec<BatchRow> = asked.collect();
        words.each(&mut self.transaction, due, &[INTEGRATION, PLACES], &asked, &time(&self.round.now)).await
    }

    /// Makes deliveries of new events, and leases those for which there is a place. The rows of the events are kept from everybody
    /// else meanwhile, so that each event is seen by one round alone, and earlier ones before later ones.
    async fn dispatch(&mut self, mut places: BTreeMap<&str, u32>) -> Result<(), StoreError> {
        let (round, words) = (self.round, self.words);
        let query = words.text(&format!(
            "SELECT id, name, payload, occurred_at FROM outbox_events WHERE dispatched_at IS NULL ORDER BY dispatched_at, id LIMIT {EVENTS_OF_ROUND}{}",
            words.locking()
        ));
        let rows = self.transaction.read(&query, &[]).await?;
        if rows.is_empty() {
            return Ok(());
        }
        let events = rows.iter().map(event).collect::<Result<Vec<_>, _>>()?;
        self.done.more_events = events.len() == EVENTS_OF_ROUND as usize;
        let wanted: Vec<(&OutboxEvent, NewDelivery)> = events
            .iter()
            .flat_map(|event| self.routes.deliveries(event).into_iter().map(move |delivery| (event, delivery)))
            .collect();
        let known = known(&mut self.transaction, words, &wanted).await?;
        let mut new = Vec::new();
        let mut free = (round.at_most as usize).saturating_sub(self.done.leased.len());
        for (event, delivery) in wanted {
            if known.contains(&(event.id.clone(), delivery.integration.clone())) {
                continue;
            }
            let place = places.get_mut(delivery.integration.as_str()).filter(|left| **left > 0 && free > 0);
            // Whether something goes before it only a query can tell.
            let place = place.filter(|_| delivery.order_key.is_none() && delivery.due_at.is_none());
            new.push(new_row(event, &delivery, place.is_some(), round, words));
            match place {
                Some(left) => {
                    (*left, free) = (*left - 1, free - 1);
                    self.done.leased.push(first_leased(event, &delivery, round));
                }
                None => match delivery.due_at {
                    Some(due) => self.done.awaited.push((delivery.integration, due)),
                    None => drop(self.done.awakened.insert(delivery.integration)),
                },
            }
        }
        words.change(&mut self.transaction, Change::Insert("outbox_deliveries"), NEW, &new).await?;
        let seen = events.iter().map(|event| row([("id", given(&event.id)), ("dispatched_at", given(&round.now))]));
        let seen: Vec<BatchRow> = seen.collect();
        words.change(&mut self.transaction, Change::Update("outbox_events"), DISPATCHED, &seen).await
    }
}

/// Makes deliveries of an event to whom there is none yet; they wait. Returns how many.
pub(crate) async fn deliver_to(
    transaction: &mut Transaction<'_>,
    words: Words,
    event: &OutboxEvent,
    wanted: &[NewDelivery],
    now: &str,
) -> Result<usize, StoreError> {
    // Others may be at it at the same time.
    let lock = words.text(&format!("SELECT id FROM outbox_events WHERE id = ?{}", words.locking()));
    transaction.read(&lock, &[Datum::Text(event.id.clone())]).await?;
    let wanted: Vec<(&OutboxEvent, NewDelivery)> = wanted.iter().map(|one| (event, one.clone())).collect();
    let known = known(transaction, words, &wanted).await?;
    let round = Round { now: now.to_owned(), ..Round::default() };
    let new = wanted.iter().filter(|(event, one)| !known.contains(&(event.id.clone(), one.integration.clone())));
    let new: Vec<BatchRow> = new.map(|(event, delivery)| new_row(event, delivery, false, &round, words)).collect();
    words.change(transaction, Change::Insert("outbox_deliveries"), NEW, &new).await?;
    Ok(new.len())
}

/// Deliveries that are there already, of events that somebody has made new again.
async fn known(
    transaction: &mut Transaction<'_>,
    words: Words,
    wanted: &[(&OutboxEvent, NewDelivery)],
) -> Result<BTreeSet<(String, String)>, StoreError> {
    let ids: BTreeSet<&str> = wanted.iter().map(|(event, _)| event.id.as_str()).collect();
    let asked: Vec<BatchRow> = ids.into_iter().map(|id| row([("event_id", given(id))])).collect();
    if asked.is_empty() {
        return Ok(BTreeSet::new());
    }
    let outputs = "t.event_id, t.integration";
    let rows = words.of(transaction, outputs, "outbox_deliveries", EVENT_ID, &asked).await?;
    rows.iter().map(|row| Ok((text(row, 0)?, text(row, 1)?))).collect()
}

fn attempt(ended: &Recorded, now: &str) -> Option<BatchRow> {
    let attempt = ended.attempt.as_ref()?;
    Some(row([
        ("id", given(&attempt.id)),
        ("delivery_id", given(&ended.id)),
        ("started_at", given(&attempt.started_at)),
        ("ended_at", given(now)),
        ("outcome", given(&attempt.outcome)),
        ("code", attempt.code.as_deref().map(Value::from)),
        ("problem", attempt.problem.as_deref().map(Value::from)),
        ("record", attempt.record.as_deref().map(Value::from)),
    ]))
}

fn new_row(event: &OutboxEvent, delivery: &NewDelivery, is_leased: bool, round: &Round, words: Words) -> BatchRow {
    let leased = |text: &str| is_leased.then(|| text.into());
    let state = if is_leased { DeliveryState::Working } else { DeliveryState::Waiting };
    row([
        ("id", given(&delivery.id)),
        ("event_id", given(&event.id)),
        ("event", given(&event.name)),
        ("integration", given(&delivery.integration)),
        ("provider", given(&delivery.provider)),
        ("priority", Some(delivery.priority.into())),
        ("order_key", delivery.order_key.as_deref().map(Value::from)),
        ("state", given(state.as_str())),
        ("attempts", Some(0.into())),
        ("due_at", given(delivery.due_at.as_ref().unwrap_or(&round.now))),
        ("lease", leased(&round.lease)),
        ("leased_at", leased(&round.now)),
        ("leased_until", leased(&round.leased_until)),
        ("in_doubt", Some(words.flag(false))),
        ("created_at", given(&round.now)),
        ("tried_since", given(&round.now)),
    ])
}

fn first_leased(event: &OutboxEvent, delivery: &NewDelivery, round: &Round) -> Leased {
    Leased {
        id: delivery.id.clone(),
        event_id: event.id.clone(),
        event: event.name.clone(),
        integration: delivery.integration.clone(),
        attempts: 0,
        in_doubt: false,
        progress: None,
        tried_since: round.now.clone(),
        is_ordered: false,
        payload: event.payload.clone(),
        lease: round.lease.clone(),
    }
}

fn event(row: &Row) -> Result<OutboxEvent, StoreError> {
    Ok(OutboxEvent { id: text(row, 0)?, name: text(row, 1)?, payload: text(row, 2)?, occurred_at: text(row, 3)? })
}

fn leased(row: &Row, lease: &str) -> Result<Leased, StoreError> {
    Ok(Leased {
        id: text(row, 0)?,
        event_id: text(row, 1)?,
        event: text(row, 2)?,
        integration: text(row, 3)?,
        attempts: u32::try_from(number(row, 4)?).unwrap_or(u32::MAX),
        in_doubt: flag(row, 5)?,
        progress: optional_text(row, 6)?,
        tried_since: text(row, 7)?,
        is_ordered: optional_text(row, 8)?.is_some(),
        // An event that somebody has removed meanwhile says nothing.
        payload: optional_text(row, 9)?.unwrap_or_else(|| "null".to_owned()),
        lease: lease.to_owned(),
    })
}
