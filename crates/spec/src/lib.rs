//! The task language: text comes in, checked tasks go out together with every problem of the text, each with its place.
//! It never decides what a task leads to, never fills a gap silently, and stops at no first error.

mod access;
mod api;
mod codes;
mod condition;
mod credential;
mod cron;
mod database;
mod document;
mod duration;
mod endpoint;
mod field;
mod frequency;
mod location;
mod lower;
mod name;
mod path;
mod rate_limit;
mod reference;
mod schema;
mod service;
mod source;
mod subscribers;
mod task;
mod template;
mod validation;
mod webhook;
mod word;
mod yaml_error;

#[cfg(test)]
mod tests;

pub use access::{Access, Cache};
pub use api::{ApiKind, ApiRequirements, DocumentationFormat, SecurityFeature};
pub use codes::*;
pub use condition::{Operand, RowCondition, Subject};
pub use credential::{Credential, CredentialValue};
pub use cron::{Cron, DayRule};
pub use database::{
    Backup, Bound, Column, ColumnType, Connection, Constraint, ConstraintRule, Data, DataFormat, DatabaseConfig,
    DatabaseType, DefaultValue, Deletes, Direction, Environment, Export, ForeignKey, Import, ImportMode, Index,
    MAX_BACKUPS_KEPT, MAX_COLUMNS, MAX_CONNECTIONS, MAX_TABLES, MAX_TRANSFERS, Objectives, OnDelete, Pool, Provision,
    Relationship, RelationshipKind, Remote, Role, RoleAccess, Sync, SyncMode, Table,
};
pub use document::{MAX_DOCUMENT_BYTES, MAX_DOCUMENTS, MAX_NESTING, MAX_NODES};
pub use duration::MAX_DURATION_SECONDS;
pub use endpoint::{Authentication, Endpoint, MAX_ENDPOINTS, Method, ResponseFormat};
pub use frequency::{Frequency, MAX_INTERVAL_MINUTES};
pub use location::{Location, LocationPart, MAX_LOCATION_BYTES};
pub use name::{ConstraintName, CredentialName, DatabaseName, RoleName, SecretName, VariableName};
pub use path::{MAX_PATH_BYTES, PathPattern, Segment};
pub use rate_limit::{LimitBy, MAX_RATE_LIMIT, RateLimit};
pub use reference::Reference;
pub use schema::json_schema;
pub use service::{Alerts, MAX_SYNCED_FIELDS, Mapping, ServiceIntegration, ServiceType, known_providers};
pub use source::Spanned;
pub use subscribers::Subscribers;
pub use task::{Priority, Specification, Task};
pub use validation::{FieldRule, MAX_FIELD_LENGTH, RuleValue};
pub use vocab::closest;
pub use webhook::{Incoming, KeyEncoding, Signature, SignatureEncoding, SignatureHash};

use lower::Lowering;
use source::Source;
use std::collections::BTreeMap;
use vocab::{Diagnostic, TaskId, diagnostic::has_errors, suggestion};

/// What a text said.
#[derive(Debug, Clone, PartialEq)]
pub struct Parsed {
    /// The tasks whose documents have no error, in the text's order. Warnings may accompany them.
    pub tasks: Vec<Task>,
    /// Every problem found, in the text's order.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads all task documents of a text (YAML or JSON, several separated by `---`). `source_name` is a path or `-`; it
/// appears in places only. A document with errors does not keep the others from being read.
#[must_use]
pub fn parse(source_name: &str, text: &str) -> Parsed {
    let source = Source::new(source_name, text);
    let mut diagnostics = Vec::new();
    let mut tasks = Vec::new();
    let mut places_of_ids = BTreeMap::new();
    for range in document::split(&source, &mut diagnostics) {
        let mut problems = Vec::new();
        let task = document::read(&source, range, &mut problems).and_then(|root| {
            let mut lowering = Lowering { source: &source, diagnostics: &mut problems };
            let task = task::lower(&mut lowering, &root)?;
            check_id(&mut lowering, &task, &mut places_of_ids);
            Some(task)
        });
        tasks.extend(task.filter(|_| !has_errors(&problems)));
        diagnostics.append(&mut problems);
    }
    diagnostics.sort_by_key(|diagnostic| diagnostic.place.as_ref().map(|place| place.offset));
    limit(&mut diagnostics);
    Parsed { tasks, diagnostics }
}

/// The most diagnostics of one text.
pub const MAX_DIAGNOSTICS: usize = 1_000;
/// The longest message and the longest help, in bytes: both may quote the text.
const MAX_MESSAGE_BYTES: usize = 1_000;

fn limit(diagnostics: &mut Vec<Diagnostic>) {
    let excess = diagnostics.split_off(diagnostics.len().min(MAX_DIAGNOSTICS));
    if let Some(mut last) = excess.iter().min_by_key(|diagnostic| diagnostic.severity).cloned() {
        last.code = BOUND_EXCEEDED;
        last.message = format!("{} more problems follow", excess.len());
        last.help = Some("mend the first ones, then check again".to_owned());
        diagnostics.push(last);
    }
    for text in diagnostics.iter_mut().flat_map(|diagnostic| [Some(&mut diagnostic.message), diagnostic.help.as_mut()])
    {
        if let Some(text) = text.filter(|text| text.len() > MAX_MESSAGE_BYTES) {
            text.truncate(text.floor_char_boundary(MAX_MESSAGE_BYTES));
            text.push('…');
        }
    }
}

/// Two documents of one text that claim one id would overwrite each other's results.
fn check_id(lowering: &mut Lowering<'_>, task: &Task, lines: &mut BTreeMap<TaskId, u32>) {
    let (Some(id), Some(place)) = (&task.task_id, &task.task_id_place) else { return };
    match lines.get(id) {
        None => {
            lines.insert(id.clone(), place.line);
        }
        Some(line) => lowering.report(
            Diagnostic::error(TASK_ID_TWICE, format!("`{id}` is already the id of the task in line {line}"), place)
                .with_help("give each document an id of its own, or remove the line"),
        ),
    }
}
