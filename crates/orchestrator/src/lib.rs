//! Tasks in, responses out: plans them, proves the plan on a scratch database, carries it out, verifies, answers.
//! The order is in [`run::run_task`]; each step is done by the crate whose job it is.
#![allow(clippy::disallowed_methods)] // this crate does effects: clock, files

mod account;
mod alerting;
mod backups;
mod base;
mod beside;
mod change;
mod consent;
mod database;
mod deliveries;
mod delivering;
mod ending;
mod failure;
mod granted;
mod instances;
mod integration;
mod integrations;
mod interrupted;
mod issuing;
mod keys;
mod knowledge;
mod located;
mod mailing;
mod mails;
mod observe;
mod optimize;
pub mod order;
mod people;
mod pool_proof;
mod probe;
mod providers;
mod provisioning;
mod reach;
mod read;
mod registration;
pub mod response;
mod roles;
mod run;
mod sandbox;
mod secret_commands;
mod senders;
mod serving;
mod settings;
mod simulating;
mod status;
mod suppressions;
mod syncing;
mod tokens;
mod trying;
mod verify;
mod workspace;

#[cfg(test)]
mod tests;

pub use backups::{
    BackupsFailure, Drilled, Event, EventKind, EventOutcome, ListedBackup, ListedBackups, MadeBackup, Pruned, Pruning,
    RestoreAsked, Restored, back_up, drill, keep_log, list_backups, prune, restore,
};
pub use change::{
    ChangeFailure, Difference, DifferenceKind, Differences, Inspection, Pending, PermissionDifference, Undo, Undone,
    active_service, differences, id_of, inspect, inspect_known, pending, undo,
};
pub use consent::{Agreed, Asking, ConsentFailure, ConsentOptions};
pub use deliveries::{
    DeliveriesAsked, DeliveriesFailure, ListedDelivery, ReplayedDeliveries, ShownAttempt, ShownDelivery,
    list_deliveries, replay_deliveries, show_delivery,
};
pub use dialect::finding::{Finding, Mend};
pub use failure::{Failure, FailureKind};
pub use instances::{ServerFailure, ServerStatus, servers, start_servers, stop_servers};
pub use integrations::{CredentialEnd, IntegrationStatus, Stands, SyncStatus, look_at_integrations};
pub use keys::{KeyFailure, KeyStatus, ListedKey, RotatedKey, create_key, list_keys, revoke_key, rotate_key};
pub use mails::{ListedMail, MailsFailure, list_mails, preview_mail};
pub use optimize::{Optimization, optimize, optimize_known};
pub use people::{PeopleFailure, set_role};
pub use planner::{Allowed, Drift, Loss};
pub use providers::{
    ListedPoint, ListedProvider, ListedWebhooks, Need, Origin, ProviderState, ProvidersFailure, lint_providers,
    list_providers, show_provider,
};
pub use read::{ReadFailure, Source, parse, read_sources};
pub use response::{CheckOutcome, Response};
pub use run::{Planned, Progress, RunOptions, UnknownDependencies, plan_task, run_task};
pub use sandbox::Sandbox;
pub use secret_commands::{
    SecretsFailure, export_secrets, list_secrets, rekey_secrets, remove_secret, rotate_secret, set_secret,
};
pub use serving::{ServeFailure, ServerSettings, Serving};
pub use settings::{WorkspaceSettings, WrongSettings};
pub use simulating::{SimulateFailure, SimulateOptions, Simulating};
pub use status::{StatusFailure, TaskStatus, status, statuses};
pub use suppressions::{SuppressedAddress, SuppressionsFailure, add_suppressed, list_suppressed, remove_suppressed};
pub use trying::{TriedOperation, TriedProvider, TryFailure, TryOptions, try_provider};
pub use workspace::{Workspace, WorkspaceFailure};

pub use connect::simulator::CONTROL as SIMULATOR_CONTROL;
pub use secrets::export::ExportForm;
pub use secrets::{ListedSecret, SecretText, secret};
pub use serve::NewApiKey;
pub use vocab::SuppressionReason;

pub use spec::{Parsed, Task, json_schema};
