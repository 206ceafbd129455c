//! From the outbox to the provider. What decides has no clock, no chance and no database of its own: the time and a seed come in,
//! rounds for the store and deliveries to begin go out ([`Dispatcher`]). Whoever carries a delivery is handed in too.

mod awaited;
mod breaker;
mod budget;
mod chance;
mod dispatcher;
mod lane;
mod listeners;
mod moment;
mod steps;
mod tally;
mod worker;

#[cfg(test)]
mod dispatcher_tests;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod worker_tests;

pub use awaited::{Awaited, awaited, ended};
pub use breaker::BreakerState;
pub use dispatcher::{Actions, Carried, Dispatcher, Outcome, Settings};
pub use lane::{LaneRules, RateBudget};
pub use listeners::{Carriers, Listeners};
pub use moment::{from_text, happened_at, to_text};
pub use steps::{Services, Steps, Told};
pub use tally::Snapshot;
pub use worker::{Carrier, Carrying, Deliveries, Hold, LaneSender, LeaseLost, Wiring};
