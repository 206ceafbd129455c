//! The one HTTP listener: persisted plans become a running API that behaves as `docs/http-manners.md` says.
//! It interprets procedures and knows no behaviours; it never sees a task or the catalogue.
#![allow(clippy::disallowed_methods)] // this crate does effects: clock, network

mod answer;
mod api_key;
mod body;
mod listen;
mod listing;
mod metrics;
mod page;
mod program;
mod rate_limit;
mod refusal_stream;
mod run;
mod service;
mod try_out;
mod validation;

pub use api_key::NewApiKey;
pub use listen::{Current, listen};
pub use program::UnservablePlan;
pub use service::{Served, Service};
pub use try_out::try_case;
