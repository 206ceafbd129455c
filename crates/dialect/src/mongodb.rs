//! MongoDB: a table is a collection with a validator, a statement is a command of the server as JSON. A value that is bound stands in it
//! as `{"$bind": 0}`; `store` and `lib/database/mongodb.js` of the emitted application put the values in, and know a few words more
//! (decision 0063).

pub(crate) mod change;
pub(crate) mod definition;
pub(crate) mod lowering;

#[cfg(test)]
mod tests;

pub use definition::{described_validator, is_set_index, set_index_name};

use plan::Table;
use serde_json::{Value, json};
use vocab::{ColumnName, FieldType};

/// The field by which addresses are compared and sorted, beside the field that holds one as it was written.
const FOLDED: &str = "_folded_";
/// The field that holds a document's key, whatever the column is called.
pub const ID: &str = "_id";
/// The most documents that are embedded in one: a document has at most 16 MB
/// (<https://www.mongodb.com/docs/manual/reference/limits/>).
pub const EMBEDDED_MAX: u32 = 1000;

/// The command as a statement of MongoDB's own shell, which runs the files of migrations as they are.
pub(crate) fn run(command: &Value) -> String {
    format!("{RUN}{}{END}", serde_json::to_string_pretty(command).unwrap_or_default())
}

const RUN: &str = "db.runCommand(";
const END: &str = ")";

/// The commands of a statement, each as JSON.
#[must_use]
pub fn commands(statement: &str) -> Vec<&str> {
    let parts = statement.split(SEPARATOR).map(|part| part.trim().trim_end_matches(';'));
    parts.filter_map(|part| part.strip_prefix(RUN)?.strip_suffix(END)).collect()
}

/// Between commands that are one statement.
const SEPARATOR: &str = ";\n";

/// Whether a statement is one of MongoDB's.
pub(crate) fn is_statement(statement: &str) -> bool {
    statement.starts_with(RUN)
}

/// Several commands as one statement.
pub(crate) fn run_all(commands: &[Value]) -> String {
    commands.iter().map(run).collect::<Vec<_>>().join(SEPARATOR)
}

/// Where the value of a column stands.
pub fn field(table: &Table, column: &ColumnName) -> String {
    if table.primary_key[..] == [column.clone()] { ID.to_owned() } else { column.to_string() }
}

/// By what the column is compared, sorted and found.
fn compared_field(table: &Table, column: &ColumnName) -> String {
    match is_folded(table, column) {
        true => format!("{FOLDED}{column}"),
        false => field(table, column),
    }
}

fn is_folded(table: &Table, column: &ColumnName) -> bool {
    table.columns.iter().any(|known| known.name == *column && known.field_type == FieldType::Email)
}

/// The column of a field of a collection whose key is that column.
#[must_use]
pub fn column_of(field: &str, key: Option<&str>) -> String {
    match (field.strip_prefix(FOLDED), key) {
        (Some(column), _) => column.to_owned(),
        (None, Some(key)) if field == ID => key.to_owned(),
        (None, _) => field.to_owned(),
    }
}

/// What the engine cannot hold of the table.
pub(crate) fn limits(table: &Table) -> Vec<String> {
    let mut limits = Vec::new();
    let is_nullable = |name: &ColumnName| {
        table
            .columns
            .iter()
            .any(|column| column.name == *name && column.nullability == plan::database::Nullability::Nullable)
    };
    for unique in table.unique.iter().filter(|unique| unique.len() > 1 && unique.iter().any(is_nullable)) {
        let names: Vec<&str> = unique.iter().map(ColumnName::as_str).collect();
        limits.push(format!(
            "table `{}`: {} together are unique and one of them may be absent, which to MongoDB is a value like another",
            table.name,
            names.join(" and ")
        ));
    }
    for key in table.rules.foreign_keys.iter().filter(|key| key.columns.len() > 1) {
        limits.push(format!("table `{}`: `{}` leads to another table by several columns", table.name, key.name));
    }
    limits
}

/// A value as a document holds it.
pub(crate) fn literal(datum: &vocab::Datum, field_type: &FieldType) -> Value {
    match (datum, field_type) {
        (vocab::Datum::Text(text), FieldType::Timestamp) => json!({ "$date": text }),
        (vocab::Datum::Decimal(number), _) => json!(number.units()),
        (datum, _) => datum.to_json(),
    }
}
