//! Deliveries in the database: events become deliveries exactly once, each is leased by one worker at a time, and what came of it is
//! recorded only by whoever has the lease. Time, names and decisions are handed in; a round is one transaction, whatever it does.

mod read;
mod round;
mod standing;
pub(crate) mod words;

pub use read::{AttemptRow, Backlog, DeliveryFilter, DeliveryRow, Replayed};
pub(crate) use round::deliver_to;
pub use standing::{ATTEMPTS_READ, DeliveryStanding, LateAttempt};

use std::collections::BTreeSet;

/// Events that are looked at in one round.
pub const EVENTS_OF_ROUND: u32 = 500;
/// Deliveries that one round takes from workers that have gone.
pub const EXPIRED_OF_ROUND: u32 = 500;

/// An event of which no deliveries were made yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxEvent {
    /// Its id, which sorts by time.
    pub id: String,
    /// What happened.
    pub name: String,
    /// What there is to know about it, JSON.
    pub payload: String,
    /// When.
    pub occurred_at: String,
}

/// A delivery to be made of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDelivery {
    /// Its id.
    pub id: String,
    /// To whom.
    pub integration: String,
    /// Whose service that is.
    pub provider: String,
    /// The lower ones go first.
    pub priority: i64,
    /// Deliveries of an integration with the same text go one behind the other.
    pub order_key: Option<String>,
    /// Before that it is not begun; none: at once.
    pub due_at: Option<String>,
}

/// Who listens to which event.
pub trait Routes: Send + Sync {
    /// The deliveries of an event, at most one for an integration.
    fn deliveries(&self, event: &OutboxEvent) -> Vec<NewDelivery>;
    /// Integrations of which somebody else who makes deliveries may know nothing, and the events that each is told of.
    fn overlooked(&self) -> Vec<(&str, Vec<&str>)> {
        Vec::new()
    }
    /// A new id, later than those before.
    fn new_id(&self) -> String;
}

/// Where a delivery is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DeliveryState {
    /// Until it is due, and somebody has time for it.
    Waiting,
    /// Somebody is at it.
    Working,
    /// It has come out well.
    Delivered,
    /// It is given up.
    Dead,
}

impl DeliveryState {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Waiting, Self::Working, Self::Delivered, Self::Dead];

    /// The word that stands in the table.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Working => "working",
            Self::Delivered => "delivered",
            Self::Dead => "dead",
        }
    }

    /// The state of that word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

/// A delivery that somebody has leased.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leased {
    /// Its id: the key by which a provider knows a repetition.
    pub id: String,
    /// The event's id.
    pub event_id: String,
    /// The event's name.
    pub event: String,
    /// To whom.
    pub integration: String,
    /// How often it was tried in vain.
    pub attempts: u32,
    /// Whether the last attempt may have had an effect.
    pub in_doubt: bool,
    /// What the attempts before have left, JSON.
    pub progress: Option<String>,
    /// From when on it counts how long it was tried.
    pub tried_since: String,
    /// Whether others go behind it, and not before it has ended.
    pub is_ordered: bool,
    /// What there is to know about the event, JSON.
    pub payload: String,
    /// The lease.
    pub lease: String,
}

/// How far one delivery has come, told by whoever has leased it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// The delivery.
    pub id: String,
    /// The lease.
    pub lease: String,
    /// Where it is now; still `Working` where a step is done and others follow.
    pub state: DeliveryState,
    /// How often it was tried in vain.
    pub attempts: u32,
    /// Before that it is not tried again.
    pub due_at: String,
    /// Whether the last attempt may have had an effect.
    pub in_doubt: bool,
    /// What later attempts need of this one, JSON.
    pub progress: Option<String>,
    /// What went wrong.
    pub problem: Option<String>,
    /// The attempt, to be kept for people; none where nothing was tried.
    pub attempt: Option<Attempted>,
    /// What is kept from one event to the next.
    pub remembered: Vec<Remembered>,
}

/// An attempt that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempted {
    /// Its id.
    pub id: String,
    /// When it began.
    pub started_at: String,
    /// What came of it, a word.
    pub outcome: String,
    /// The provider's own code of what went wrong.
    pub code: Option<String>,
    /// What went wrong.
    pub problem: Option<String>,
    /// Requests and answers without secrets, JSON.
    pub record: Option<String>,
}

/// Something that is kept from one event to the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remembered {
    /// The integration.
    pub integration: String,
    /// What it is.
    pub name: String,
    /// Of whom or what: a digest.
    pub whose: String,
    /// What is kept, JSON.
    pub value: String,
}

/// How many deliveries of an integration may be begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    /// The integration.
    pub integration: String,
    /// How many.
    pub places: u32,
    /// Whether there may be deliveries of it that wait; else it is for new events alone.
    pub looks: bool,
}

/// What a worker does with the database at once. All of it stays, or nothing.
#[derive(Debug, Clone, Default)]
pub struct Round {
    /// The time.
    pub now: String,
    /// The lease under which it takes deliveries: its own, and no other round's.
    pub lease: String,
    /// Until when it takes them, and keeps those that it extends.
    pub leased_until: String,
    /// What came of deliveries.
    pub recorded: Vec<Recorded>,
    /// Deliveries that are still being worked on, each with its lease.
    pub extended: Vec<(String, String)>,
    /// Leases of rounds of which nobody knows whether they came about: nothing was begun under them.
    pub abandoned: Vec<String>,
    /// Whether leases that have run out are looked for.
    pub expires: bool,
    /// What may be begun. The places of those that are looked for are no more than `at_most` together.
    pub openings: Vec<Opening>,
    /// How many deliveries may be begun of all integrations together.
    pub at_most: u32,
    /// Whether new events are looked for.
    pub dispatches: bool,
    /// From where on those are looked for of which somebody else has made the deliveries; none where they are not.
    pub looks_back: Option<Dispatched>,
}

/// A place among the events of which the deliveries were made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dispatched {
    /// When.
    pub at: String,
    /// The event, of those that were at the same time; nothing: before all of them.
    pub id: String,
}

/// What came of a round.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RoundDone {
    /// Of those that were recorded or extended, the ones whose lease was still good. Nothing was written of the others.
    pub held: BTreeSet<String>,
    /// What the worker has now.
    pub leased: Vec<Leased>,
    /// The integrations of which there may be more that is due.
    pub more_of: BTreeSet<String>,
    /// Whether there may be more new events.
    pub more_events: bool,
    /// Where to look back further, where there may be more that others have overlooked.
    pub looked_back_to: Option<Dispatched>,
    /// Integrations that have got something to wait for.
    pub awakened: BTreeSet<String>,
    /// Those of which a new delivery is not due before a time.
    pub awaited: Vec<(String, String)>,
}
