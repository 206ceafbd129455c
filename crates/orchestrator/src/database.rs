//! What is tried of a database task: rehearsed on a scratch schema before anything is made, looked at afterwards. Nothing but the
//! scratch is written to, and no row of the database is ever touched.

use crate::probe::{self, Promise};
use crate::response::{CheckOutcome, Verification};
use plan::{DatabasePlan, Phase};
use store::{Database, Lack};

/// The migrations make the schema from nothing, and each rule of it refuses a wrong row.
pub(crate) fn on_scratch(plan: &DatabasePlan, database: &Database) -> Vec<Verification> {
    let probes = probe::probes(plan);
    let attempts: Vec<_> = probes.iter().map(|probe| probe.attempt.clone()).collect();
    let made = "the statements make the schema on an empty database";
    let rehearsal = match database.rehearse(&plan.migrations, &attempts) {
        Ok(rehearsal) => rehearsal,
        Err(error) => return vec![Verification::of(Phase::CreateSchemaAndTables, made, &[error.to_string()])],
    };
    let differences = store::differences(plan, &rehearsal.tables);
    let mut verifications = vec![Verification::of(Phase::CreateSchemaAndTables, made, &differences)];
    for promise in Promise::ALL {
        let tried: Vec<_> =
            probes.iter().zip(&rehearsal.outcomes).filter(|(probe, _)| probe.promise == promise).collect();
        if tried.is_empty() {
            continue;
        }
        let check = match promise {
            Promise::Times if plan.engine.keeps_documents() => "a change raises times and versions, whatever it sets",
            _ => promise.check(),
        };
        let stands_on_validators = matches!(promise, Promise::Required | Promise::Checks);
        if stands_on_validators && rehearsal.lacks.contains(&Lack::Validators) {
            let why = "the server was asked to refuse a document by a validator, and took it: one that keeps validators would tell";
            verifications.push(Verification::not_verified(Phase::CreateSchemaAndTables, promise.check(), why));
            continue;
        }
        let differences: Vec<String> = tried.iter().filter_map(|(probe, outcome)| probe.difference(outcome)).collect();
        let mut verification = Verification::of(Phase::CreateSchemaAndTables, check, &differences);
        if verification.outcome == CheckOutcome::Passed {
            verification.detail = format!("{} statements", tried.len());
        }
        verifications.push(verification);
    }
    if rehearsal.lacks.contains(&Lack::Transactions) {
        let why = "the server was asked to take back what a transaction had written, and could not: a member of a replica set would tell";
        let check = "changes of several documents come about together or not at all";
        verifications.push(Verification::not_verified(Phase::CreateSchemaAndTables, check, why));
    }
    if plan.engine.keeps_documents() {
        let why = "users and roles of MongoDB are not made by this producer yet";
        let check = "each role may do what it must, and nothing else";
        verifications.push(Verification::not_verified(Phase::SetupUserPermissions, check, why));
    }
    verifications
}

/// Whoever asks has just been answered by the database.
pub(crate) fn on_live() -> Vec<Verification> {
    vec![Verification::of(Phase::ProvisionDatabaseInstance, "the database answers", &[])]
}
