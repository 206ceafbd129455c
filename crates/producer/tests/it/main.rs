//! The product as its users meet it: tasks and requests go in, files, rows, answers and exit statuses come out. Everything runs
//! in processes of its own, on real sockets and real files.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests do effects, and end where something is not as it must be"
)]

mod behaviours;
mod golden;
mod harness;
mod http;
mod lists;
mod raw;
mod records;
mod refused;
mod run;
