//! What a provider is, as plain data: how it is spoken to, what it can do, what is done at which point, what it sends. The
//! catalogue reads it from files and the plan carries it; neither a provider's name nor a value of its own stands in code.

pub mod authentication;
pub mod browser;
pub mod cases;
pub mod check;
pub mod entries;
pub mod kind;
pub mod operation;
pub mod outcome;
pub mod point;
pub mod pointer;
pub mod provider;
pub mod reference;
pub mod sign_in;
pub mod simulator;
pub mod sync;
pub mod template;
pub mod transformation;
pub mod webhook;

#[cfg(test)]
mod tests;

pub use entries::Entries;
pub use operation::Operation;
pub use pointer::Pointer;
pub use provider::Provider;
pub use template::{Expression, Template, Text};

use browser::Browser;
use point::Points;
use serde::{Deserialize, Serialize};
use sign_in::SignIn;
use simulator::Simulator;
use sync::Sync;
use vocab::FieldName;
use webhook::Webhooks;

/// A provider, file by file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// `provider.yaml`
    pub provider: Provider,
    /// `operations.yaml`
    pub operations: Entries<FieldName, Operation>,
    /// `points.yaml`
    pub points: Points,
    /// `syncs.yaml`
    pub syncs: Entries<FieldName, Sync>,
    /// `webhooks.yaml`
    pub webhooks: Option<Webhooks>,
    /// `sign_in.yaml`
    pub sign_in: Option<SignIn>,
    /// `browser.yaml`
    pub browser: Option<Browser>,
    /// `simulator.yaml`
    pub simulator: Option<Simulator>,
}
