//! The table of what was told of integrations.

use super::{column_name, optional, required, table_name};
use crate::alerts::Level;
use crate::database::{Rules, Sensitivity, Table};
use vocab::FieldType;

/// Longest name of an integration: that of a task.
const TASK_ID: u32 = 100;

/// How each integration stands and what was told of it, so that of many servers one tells.
///
/// # Panics
/// Never: the names are literals and a test builds the table.
#[must_use]
pub fn integration_alerts() -> Table {
    let plain = |name: &str, kind, comment: &str| required(name, kind, Sensitivity::Plain, comment);
    let level = || FieldType::Choice { words: Level::ALL.map(|level| level.as_str().to_owned()).into() };
    Table {
        name: table_name("integration_alerts"),
        comment: "how integrations stand, and what was told of that".to_owned(),
        columns: vec![
            plain("integration", FieldType::Line { max: TASK_ID }, "the task that integrates the service"),
            plain("told", level(), "what was told last; `well` where nothing was"),
            plain("stands", level(), "how it stands"),
            plain("since", FieldType::Timestamp, "since when"),
            optional("told_at", FieldType::Timestamp, "when something was told last"),
        ],
        primary_key: vec![column_name("integration")],
        unique: Vec::new(),
        rules: Rules::default(),
    }
}
