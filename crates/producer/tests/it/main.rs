//! The product as its users meet it: tasks and requests go in, files, rows, answers and exit statuses come out. Everything runs
//! in processes of its own, on real sockets and real files.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests do effects, and end where something is not as it must be"
)]

mod accounts;
mod behaviours;
mod certificates;
mod checkout;
mod consents;
mod credentials;
mod database;
mod deliveries;
mod disks;
mod documentation;
mod golden;
mod harness;
mod hostile;
mod http;
mod idempotency;
mod integrations;
mod interruptions;
mod issuers;
mod keys;
mod lists;
mod lookups;
mod mails;
mod manners;
mod monitoring;
mod own_entities;
mod progress;
mod providers;
mod raw;
mod reading;
mod records;
mod reference_page;
mod refused;
mod rows;
mod run;
mod secrets;
mod senders;
mod simulators;
mod standing;
mod status;
mod subscribers;
mod tokens;
mod typed_client;
mod values;
