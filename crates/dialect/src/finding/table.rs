//! What a table as a whole lacks.

use super::{About, Finding, Mend, NO_PRIMARY_KEY, counted, mend};
use plan::database::{Nullability, ObservedTable};
use vocab::Severity;

/// Tables whose rows nothing tells apart.
pub fn without_key(about: &About<'_>) -> Vec<Finding> {
    let tables = about.condition.tables.iter().filter(|table| table.primary_key.is_empty());
    let finding = |table: &ObservedTable| {
        let known = table.unique.iter().find(|columns| columns.iter().all(|column| is_required(table, column)));
        let statements = mend::add_primary_key(about, table, known);
        Finding {
            code: NO_PRIMARY_KEY,
            severity: Severity::Warning,
            place: about.place(&table.name, &[]),
            message: format!("`{}` has no primary key", table.name),
            why: format!(
                "nothing names one of its {}: none can be changed, removed, replicated or led to for certain",
                counted(about.rows(&table.name))
            ),
            mend: match statements.is_empty() {
                false => Mend::Statements(statements),
                true => Mend::ByHand("make the table anew with a primary key".to_owned()),
            },
            trial: None,
        }
    };
    tables.map(finding).collect()
}

fn is_required(table: &ObservedTable, name: &str) -> bool {
    let column = table.columns.iter().find(|column| column.name == name);
    column.is_some_and(|column| column.nullability == Nullability::NotNull)
}
