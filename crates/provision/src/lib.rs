//! Private database servers of a workspace, from the programs that are installed on this machine: a folder comes in, a durable
//! server that only this machine reaches goes out. It never removes what a server has kept, and never shows a password.
#![allow(clippy::disallowed_methods)] // this crate does effects: files, processes

mod account;
mod failure;
mod instance;
mod postgresql;
mod programs;
mod unit;

#[cfg(test)]
mod tests;

pub use failure::ProvisionFailure;
pub use instance::{Begun, Instance, State, instances};
pub use programs::{PROGRAMS_VARIABLE, are_installed, superuser};
