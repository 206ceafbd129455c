//! What is spoken with providers: a request goes out to a guarded address and its answer comes back; a call that comes in is known to be
//! the provider's or is refused with the reason. No secret is ever part of a reason.

// Effects live here: waits have an end on the clock.
#![allow(clippy::disallowed_methods)]

mod address;
pub mod client;
pub mod delivery;
pub mod fill;
pub mod message;
pub mod signature;
