//! What is spoken with providers: a request goes out to a guarded address and its answer comes back; a call that comes in is known to be
//! the provider's or is refused with the reason. No secret is ever part of a reason.

// Effects live here: waits have an end on the clock.
#![allow(clippy::disallowed_methods)]

pub mod account;
mod address;
pub mod alert_webhook;
pub mod answer;
pub mod authentication;
pub mod call;
pub mod cases;
pub mod client;
pub mod delivery;
pub mod document;
mod encode;
pub mod fill;
mod form;
pub mod input;
pub mod mail;
pub mod message;
pub mod paging;
pub mod proof;
pub mod request;
pub mod signature;
mod signed_message;
pub mod simulator;
pub mod subscribers;
pub mod syncing;
#[cfg(test)]
mod testbed;
pub mod trying;
pub mod webhook;
