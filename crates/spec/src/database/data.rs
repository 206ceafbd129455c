//! `data`: imports, exports and syncs as blocks come in, checked transfers go out; every table is one of the task's.

use super::connection::{self, Connection};
use super::{DatabaseType, Declared};
use crate::codes::{MISSING_FIELD, NOT_A_RULE, WRONG_KIND};
use crate::document::{Entry, Node, Value};
use crate::field::{Field, optional, required};
use crate::frequency::{self, Frequency, Pace};
use crate::location::{self, Location, LocationPart};
use crate::lower::{Block, Label, Lowering};
use crate::schema;
use crate::source::Spanned;
use crate::word::{Word, words};
use serde_json::{Value as Json, json};
use vocab::{ColumnName, Place, TableName};

/// The most imports, exports or syncs of one task.
pub const MAX_TRANSFERS: usize = 100;
/// The most columns that one transfer names.
const MAX_COLUMNS: usize = super::MAX_COLUMNS;

/// What comes into a database and goes out of it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Data {
    /// Files to read, in order.
    pub imports: Vec<Import>,
    /// Files to write.
    pub exports: Vec<Export>,
    /// Databases to keep in step with.
    pub syncs: Vec<Sync>,
}

/// A file to read into a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Import {
    /// The file.
    pub from: Spanned<Location>,
    /// The table.
    pub into: Spanned<TableName>,
    /// What the file is.
    pub format: DataFormat,
    /// What happens with rows that are there; `insert` when the task does not say.
    pub mode: ImportMode,
    /// The columns that tell rows apart; at least one with `upsert`.
    pub key: Vec<Spanned<ColumnName>>,
    /// Columns under other names: the file's name, and ours. Others keep their name.
    pub columns: Vec<(Spanned<String>, Spanned<ColumnName>)>,
    /// Where it stands.
    pub place: Place,
}

/// A table to write into a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Export {
    /// The table.
    pub from: Spanned<TableName>,
    /// The file.
    pub to: Spanned<Location>,
    /// What the file is.
    pub format: DataFormat,
    /// Its columns; empty: all.
    pub columns: Vec<Spanned<ColumnName>>,
    /// When it is written again; absent: once. Never `real_time`.
    pub schedule: Option<Spanned<Frequency>>,
    /// Where it stands.
    pub place: Place,
}

/// Another database to keep in step with.
#[derive(Debug, Clone, PartialEq)]
pub struct Sync {
    /// Which way rows go.
    pub direction: Direction,
    /// The other database.
    pub remote: Remote,
    /// The tables; empty: all.
    pub tables: Vec<Spanned<TableName>>,
    /// How often.
    pub frequency: Spanned<Frequency>,
    /// What is compared; `incremental` when the task does not say.
    pub mode: SyncMode,
    /// What happens with rows that are gone at the source; `keep` when the task does not say.
    pub deletes: Deletes,
    /// The column that grows whenever a row changes.
    pub cursor: Option<Spanned<ColumnName>>,
    /// Where it stands.
    pub place: Place,
}

/// Which way rows go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the other database into this one.
    From,
    /// From this database into the other one.
    To,
}

/// The other end of a sync.
#[derive(Debug, Clone, PartialEq)]
pub struct Remote {
    /// Its engine.
    pub kind: Spanned<DatabaseType>,
    /// Where it is.
    pub connection: Spanned<Connection>,
}

words! {
    /// What a file of rows is.
    DataFormat {
        /// A table as text, names in the first line.
        Csv = "csv";
        /// One JSON document per line.
        Ndjson = "ndjson";
        /// One JSON list.
        Json = "json";
    }
}

words! {
    /// What an import does with rows that are there.
    ImportMode {
        /// Adds rows; one that is there is an error, the default.
        Insert = "insert";
        /// Adds rows, and changes those that are there.
        Upsert = "upsert";
        /// Puts the file's rows in the place of all others.
        Replace = "replace";
    }
}

words! {
    /// What a sync compares.
    SyncMode {
        /// Rows that changed since the last time, the default.
        Incremental = "incremental";
        /// All rows.
        Full = "full";
    }
}

words! {
    /// What a sync does with rows that are gone at the source.
    Deletes {
        /// Nothing, the default.
        Keep = "keep";
        /// Notes that they are gone.
        Mark = "mark";
        /// Removes them.
        Remove = "remove";
    }
}

const FIELDS: &[Field] = &[
    optional("imports", "Files to read into tables.", || schema::some(schema::block(IMPORT_FIELDS))),
    optional("exports", "Tables to write into files.", || schema::some(schema::block(EXPORT_FIELDS))),
    optional("syncs", "Other databases to keep in step with.", sync_schema),
];

const IMPORT_FIELDS: &[Field] = &[
    required("from", "The file: a path or a URL.", location::schema),
    required("into", "The table.", schema::identifier),
    optional("format", "What the file is; told by its ending when absent.", schema::word::<DataFormat>),
    optional("mode", "What happens with rows that are there; `insert` when absent.", schema::word::<ImportMode>),
    optional("key", "The columns that tell rows apart.", schema::some_identifiers),
    optional(
        "columns",
        "The file's names of columns that have another name here.",
        || json!({ "type": "object", "minProperties": 1, "additionalProperties": schema::identifier() }),
    ),
];

const EXPORT_FIELDS: &[Field] = &[
    required("from", "The table.", schema::identifier),
    required("to", "The file: a path or a URL.", location::schema),
    optional("format", "What the file is; told by its ending when absent.", schema::word::<DataFormat>),
    optional("columns", "Its columns; all of them when absent.", schema::some_identifiers),
    optional("schedule", "When it is written again; once when absent.", frequency::schema_of_times),
];

const SYNC_FIELDS: &[Field] = &[
    optional("from", "The other database, whose rows come here.", || schema::block(REMOTE_FIELDS)),
    optional("to", "The other database, where rows go.", || schema::block(REMOTE_FIELDS)),
    optional("tables", "The tables; all of them when absent.", schema::some_identifiers),
    required(
        "frequency",
        "How often: `real_time`, `every_15_minutes`, `hourly`, `daily`, or a cron expression in UTC.",
        frequency::schema,
    ),
    optional("mode", "Which rows are compared; `incremental` when absent.", schema::word::<SyncMode>),
    optional(
        "deletes",
        "What happens with rows that are gone at the source; `keep` when absent.",
        schema::word::<Deletes>,
    ),
    optional("cursor", "The column that grows whenever a row changes.", schema::identifier),
];

const REMOTE_FIELDS: &[Field] = &[
    required("type", "Its engine.", schema::word::<DatabaseType>),
    required("connection", "Where it is: `${env:NAME}`, or a URL without a password.", connection::schema),
];

pub(crate) fn schema() -> Json {
    schema::block(FIELDS)
}

fn sync_schema() -> Json {
    let mut sync = schema::block(SYNC_FIELDS);
    schema::merge(&mut sync, json!({ "oneOf": [{ "required": ["from"] }, { "required": ["to"] }] }));
    schema::some(sync)
}

/// Checks the value of `data`.
pub(crate) fn lower(lowering: &mut Lowering<'_>, entry: &Entry, declared: &Declared<'_>) -> Data {
    let block = lowering.block("`data`", &entry.node, entry.key_span, FIELDS);
    let Some(block) = block else { return Data::default() };
    Data {
        imports: transfers(lowering, &block, "imports", |lowering, item| import(lowering, item, declared)),
        exports: transfers(lowering, &block, "exports", |lowering, item| export(lowering, item, declared)),
        syncs: transfers(lowering, &block, "syncs", |lowering, item| sync(lowering, item, declared)),
    }
}

fn transfers<T>(
    lowering: &mut Lowering<'_>,
    data: &Block<'_>,
    name: &str,
    mut read: impl FnMut(&mut Lowering<'_>, &Node) -> Option<T>,
) -> Vec<T> {
    let Some(node) = data.node(name) else { return Vec::new() };
    let example = match name {
        "imports" => "{ from: \"users.csv\", into: users }",
        "exports" => "{ from: users, to: \"users.csv\" }",
        _syncs => "{ from: { type: mysql, connection: \"${env:OLD_DATABASE_URL}\" }, frequency: hourly }",
    };
    let items = lowering.some_items(name, node, example, MAX_TRANSFERS).unwrap_or_default();
    items.iter().filter_map(|item| read(lowering, item)).collect()
}

fn import(lowering: &mut Lowering<'_>, node: &Node, declared: &Declared<'_>) -> Option<Import> {
    let block = lowering.own_block("an import", node, IMPORT_FIELDS)?;
    let from = lowering
        .required(&block, "from", "add `from: \"users.csv\"`")
        .and_then(|entry| location::lower(lowering, "from", &entry.node));
    let into = lowering
        .required(&block, "into", "add `into:` with a table")
        .and_then(|entry| declared.table(lowering, Label::Field("into"), &entry.node));
    let format = format(lowering, &block, from.as_ref(), "from");
    let mode = block.node("mode").and_then(|node| lowering.word::<ImportMode>(Label::Field("mode"), node));
    let mode = mode.map_or(ImportMode::Insert, |mode| mode.value);
    let key = block.node("key").map_or_else(Vec::new, |node| column_list(lowering, "key", node));
    if let (ImportMode::Upsert, None, false) = (mode, block.node("key"), block.is_misspelled("key")) {
        let message = "an import with `mode: upsert` needs `key`";
        lowering.error(
            MISSING_FIELD,
            message,
            node.beginning(),
            "add `key: [\"id\"]`, the columns that tell rows apart",
        );
    }
    let columns = block.node("columns").map_or_else(Vec::new, |node| renamed(lowering, node));
    let place = lowering.source.place(node.beginning());
    Some(Import { from: from?, into: into?, format: format?, mode, key, columns, place })
}

fn export(lowering: &mut Lowering<'_>, node: &Node, declared: &Declared<'_>) -> Option<Export> {
    let block = lowering.own_block("an export", node, EXPORT_FIELDS)?;
    let from = lowering
        .required(&block, "from", "add `from:` with a table")
        .and_then(|entry| declared.table(lowering, Label::Field("from"), &entry.node));
    let to = lowering
        .required(&block, "to", "add `to: \"users.csv\"`")
        .and_then(|entry| location::lower(lowering, "to", &entry.node));
    let format = format(lowering, &block, to.as_ref(), "to");
    let columns = block.node("columns").map_or_else(Vec::new, |node| column_list(lowering, "columns", node));
    let schedule =
        block.node("schedule").and_then(|node| frequency::lower(lowering, "schedule", node, Pace::AtTimesOnly));
    let place = lowering.source.place(node.beginning());
    Some(Export { from: from?, to: to?, format: format?, columns, schedule, place })
}

/// What the task says the file is, or what its ending says.
fn format(
    lowering: &mut Lowering<'_>,
    block: &Block<'_>,
    location: Option<&Spanned<Location>>,
    name: &str,
) -> Option<DataFormat> {
    if let Some(node) = block.node("format") {
        return lowering.word::<DataFormat>(Label::Field("format"), node).map(|format| format.value);
    }
    let ending = match location?.value.parts().last() {
        Some(LocationPart::Text(text)) => {
            let file = text.split(['?', '#']).next().unwrap_or(text);
            file.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase())
        }
        Some(LocationPart::Reference(_)) | None => None,
    };
    let format = ending.as_deref().map(|ending| if ending == "jsonl" { DataFormat::Ndjson.as_str() } else { ending });
    let format = format.and_then(DataFormat::from_word);
    if format.is_none() && !block.is_misspelled("format") {
        let span = block.node(name)?.span;
        let message = format!("the ending of `{name}` does not tell what the file is");
        lowering.error(MISSING_FIELD, message, span, "add `format: \"csv\"`, `\"ndjson\"` or `\"json\"`");
    }
    format
}

fn column_list(lowering: &mut Lowering<'_>, name: &str, node: &Node) -> Vec<Spanned<ColumnName>> {
    if lowering.some_items(name, node, "\"id\"", MAX_COLUMNS).is_none() {
        return Vec::new();
    }
    lowering.distinct(name, node, |lowering, label, item| lowering.name(label, item, ColumnName::parse))
}

fn renamed(lowering: &mut Lowering<'_>, node: &Node) -> Vec<(Spanned<String>, Spanned<ColumnName>)> {
    let entries = lowering.some_entries("columns", node, "\"E-mail\": email", MAX_COLUMNS).unwrap_or_default();
    entries
        .iter()
        .filter_map(|entry| {
            let column = lowering.name(Label::Field(&entry.key), &entry.node, ColumnName::parse)?;
            Some((lowering.source.spanned(entry.key.clone(), entry.key_span), column))
        })
        .collect()
}

fn sync(lowering: &mut Lowering<'_>, node: &Node, declared: &Declared<'_>) -> Option<Sync> {
    let block = lowering.own_block("a sync", node, SYNC_FIELDS)?;
    let remote = end(lowering, node, &block);
    let tables = block.node("tables").map_or_else(Vec::new, |node| declared.some_tables(lowering, node));
    let frequency = lowering
        .required(&block, "frequency", "add `frequency: \"hourly\"`")
        .and_then(|entry| frequency::lower(lowering, "frequency", &entry.node, Pace::RealTimeToo));
    let mode = block.node("mode").and_then(|node| lowering.word::<SyncMode>(Label::Field("mode"), node));
    let deletes = block.node("deletes").and_then(|node| lowering.word::<Deletes>(Label::Field("deletes"), node));
    let cursor = block.node("cursor").and_then(|node| lowering.name(Label::Field("cursor"), node, ColumnName::parse));
    let mode = mode.map_or(SyncMode::Incremental, |mode| mode.value);
    if let (SyncMode::Full, Some(entry)) = (mode, block.entry("cursor")) {
        let message = "a sync with `mode: full` compares all rows and has no `cursor`";
        lowering.error(NOT_A_RULE, message, entry.key_span, "remove it, or write `mode: incremental`");
    }
    let (direction, remote) = remote?;
    Some(Sync {
        direction,
        remote,
        tables,
        frequency: frequency?,
        mode,
        deletes: deletes.map_or(Deletes::Keep, |deletes| deletes.value),
        cursor,
        place: lowering.source.place(node.beginning()),
    })
}

/// The other end: exactly one of `from` and `to`.
fn end(lowering: &mut Lowering<'_>, node: &Node, block: &Block<'_>) -> Option<(Direction, Remote)> {
    lowering.exclude(block, ["from", "to"], "one end of a sync is this database: keep the other one only");
    match (block.node("from"), block.node("to")) {
        (Some(from), None) => remote(lowering, from).map(|remote| (Direction::From, remote)),
        (None, Some(to)) => remote(lowering, to).map(|remote| (Direction::To, remote)),
        (Some(_), Some(_)) => None,
        (None, None) => {
            if !block.is_misspelled("from") && !block.is_misspelled("to") {
                let help = "add `from:` or `to:` with its `type` and `connection`";
                lowering.error(MISSING_FIELD, "a sync needs the other database", node.beginning(), help);
            }
            None
        }
    }
}

fn remote(lowering: &mut Lowering<'_>, node: &Node) -> Option<Remote> {
    if let Value::Text(_) = node.value {
        let help = "write `{ type: mysql, connection: \"${env:OLD_DATABASE_URL}\" }`";
        lowering.error(WRONG_KIND, "the other database must be a block of fields, not text", node.span, help);
        return None;
    }
    let block = lowering.own_block("the other database", node, REMOTE_FIELDS)?;
    let kind = lowering
        .required(&block, "type", "add `type: \"mysql\"` or another engine")
        .and_then(|entry| lowering.word::<DatabaseType>(Label::Field("type"), &entry.node));
    let engine = kind.as_ref().map(|kind| kind.value);
    let connection = lowering
        .required(&block, "connection", "add `connection: \"${env:OLD_DATABASE_URL}\"`")
        .and_then(|entry| connection::lower(lowering, &entry.node, engine));
    Some(Remote { kind: kind?, connection: connection? })
}
