//! Rules that are there and do not hold: policies that are off or passed by, constraints that rows were not held against.

use super::{About, Finding, Mend, OWNER_PASSES_BY, POLICIES_OFF, RULE_NOT_VALID, counted, mend};
use crate::change::UNFINISHED;
use plan::database::RowGuard;
use vocab::Severity;

/// Policies about rows that do not hold.
pub fn rows(about: &About<'_>) -> Vec<Finding> {
    let finding = |guard: &RowGuard| {
        let many = if guard.policies == 1 { "a policy" } else { "policies" };
        let (code, message, why, statement) = match (guard.is_on, guard.is_forced) {
            (false, _) => (
                POLICIES_OFF,
                format!("`{}` has {many} about its rows, and row security is off", guard.table),
                format!("all {} are open to whoever may read the table", counted(about.rows(&guard.table))),
                mend::enable_policies(about, &guard.table),
            ),
            (true, false) if guard.owner_is_at_work && guard.policies > 0 => (
                OWNER_PASSES_BY,
                format!("the policies of `{}` do not hold for its owner, and `{}` logs in", guard.table, guard.owner),
                format!("a program at work as `{}` sees all {}", guard.owner, counted(about.rows(&guard.table))),
                mend::force_policies(about, &guard.table),
            ),
            (true, _) => return None,
        };
        let place = about.place(&guard.table, &[]);
        let mend = Mend::Statements(vec![statement]);
        Some(Finding { code, severity: Severity::Warning, place, message, why, mend, trial: None })
    };
    about.condition.guards.iter().filter_map(finding).collect()
}

/// Constraints that were added without looking at the rows that were there.
pub fn rules(about: &About<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for table in &about.condition.tables {
        let keys = table.foreign_keys.iter().filter(|key| key.target.last().is_some_and(|last| last == UNFINISHED));
        let checks = table.checks.iter().filter(|check| check.text.ends_with(" NOT VALID"));
        for name in keys.map(|key| &key.name).chain(checks.map(|check| &check.name)) {
            findings.push(Finding {
                code: RULE_NOT_VALID,
                severity: Severity::Warning,
                place: about.place(&table.name, std::slice::from_ref(name)),
                message: format!("the rows of `{}` were never held against `{name}`", table.name),
                why: format!(
                    "some of {} may break it, and nobody plans by it; the statement fails while one does",
                    counted(about.rows(&table.name))
                ),
                mend: Mend::Statements(vec![mend::validate(about, &table.name, name)]),
                trial: None,
            });
        }
    }
    findings
}
