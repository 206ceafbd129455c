//! From the outbox to the provider. What decides has no clock, no chance and no database of its own: the time and a seed come in,
//! rounds for the store and deliveries to begin go out ([`Dispatcher`]). Whoever carries a delivery is handed in too.

mod breaker;
mod budget;
mod chance;
mod dispatcher;
mod lane;
mod moment;

#[cfg(test)]
mod simulation;

pub use dispatcher::{Actions, Carried, Dispatcher, Outcome, Settings};
pub use lane::{LaneRules, RateBudget};
pub use moment::{from_text, to_text};
