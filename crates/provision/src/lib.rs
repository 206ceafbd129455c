//! Private database servers of a workspace, from the programs that are installed on this machine: a folder comes in, a durable
//! server that only this machine reaches goes out. It never removes what a server has kept, and never shows a password.
#![allow(clippy::disallowed_methods)] // this crate does effects: files, processes

mod account;
mod copying;
mod dumping;
mod failure;
mod folder;
mod instance;
mod lock;
mod mysql;
mod postgresql;
mod programs;
mod unit;

#[cfg(test)]
mod tests;

pub use copying::Copier;
pub use dumping::{Dumper, LogFile, Replay, number_of};
pub use failure::ProvisionFailure;
pub use instance::{Begun, FirstUser, Instance, State, instances};
pub use postgresql::{Recovery, RecoveryTarget, WritesFile};
pub use programs::{PROGRAMS_VARIABLE, are_installed, superuser, way_to_install};

use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

/// How long a server that is there may take to take a connection.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);

/// Whether somebody listens at a port of this machine.
fn answers(port: u16) -> bool {
    TcpStream::connect_timeout(&(Ipv4Addr::LOCALHOST, port).into(), ANSWER_TIMEOUT).is_ok()
}
