//! The one HTTP listener: persisted plans become a running API that behaves as `docs/http-manners.md` says.
//! It interprets procedures and knows no behaviours; it never sees a task or the catalogue.
#![allow(clippy::disallowed_methods)] // this crate does effects: clock, network

mod account;
mod account_page;
mod answer;
mod api_key;
mod at_work;
mod body;
mod certificate;
mod coding;
mod coming_back;
mod cors;
mod counts;
mod encode;
mod etag;
mod filter;
mod idempotency;
mod identity;
mod issuer;
mod listen;
mod listing;
mod metrics;
mod page;
mod password;
mod patient_stream;
mod program;
mod proxies;
mod rate_limit;
mod reference_page;
mod refusal_stream;
mod request;
mod response;
mod return_page;
mod run;
mod sealing;
mod service;
mod session_cookie;
mod simulate;
mod try_out;
mod validation;
mod webhook;

pub use account::{CaseTokens, successor};
pub use api_key::NewApiKey;
pub use certificate::{Certificate, WrongCertificate};
pub use coming_back::{CameBack, come_back};
pub use cors::{Origins, WrongOrigin};
pub use counts::Counts;
pub use issuer::{CaseIssuer, Issuer};
pub use listen::{Current, listen};
pub use program::UnservablePlan;
pub use proxies::{Peer, Proxies, WrongProxy};
pub use sealing::Sealing;
pub use service::{Served, Service, Settings};
pub use simulate::{Played, simulate};
pub use try_out::try_case;
pub use webhook::{AccountScope, Counterpart, no_account};
