//! What must hold among the parts of a manifest: a manifest comes in, everything that is wrong with it goes out, each with the
//! file and the path in it. Texts, lines and columns are not known here.

mod case;
mod operation;
mod place;
mod point;
mod provider;
mod scope;
mod simulated;
mod visitor;
mod webhook;

pub use place::{Finding, ManifestFile, Rule};

use crate::Manifest;
use crate::cases::Cases;
use place::Findings;

/// Everything that is wrong with a manifest, file by file.
#[must_use]
pub fn findings(manifest: &Manifest) -> Vec<Finding> {
    let mut findings = Findings::default();
    provider::check(manifest, &mut findings);
    operation::check(manifest, &mut findings);
    point::check(manifest, &mut findings);
    point::check_syncs(manifest, &mut findings);
    webhook::check(manifest, &mut findings);
    visitor::check(manifest, &mut findings);
    simulated::check(manifest, &mut findings);
    findings.into_list()
}

/// Everything that is wrong with the cases of a manifest.
#[must_use]
pub fn case_findings(manifest: &Manifest, cases: &Cases) -> Vec<Finding> {
    let mut findings = Findings::default();
    case::check(manifest, cases, &mut findings);
    findings.into_list()
}
