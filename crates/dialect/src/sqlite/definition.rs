//! Tables as SQLite statements, and as SQLite's catalogue shows them.

use super::{collation, literal, quote, sql_type};
use plan::database::{
    Column, ColumnPresent, LockClass, Nullability, ObservedColumn, ObservedTable, Statement, Table, Undo,
};
use vocab::{ColumnName, TableName};

/// `IF NOT EXISTS`, because several tasks of a workspace may share a table; the planner has compared it by then.
pub fn create_table(table: &Table) -> Statement {
    let mut lines: Vec<String> =
        table.columns.iter().map(|column| format!("  {}", column_definition(column))).collect();
    lines.push(format!("  PRIMARY KEY ({})", column_list(&table.primary_key)));
    lines.extend(table.unique.iter().map(|unique| format!("  UNIQUE ({})", column_list(unique))));
    let name = quote(table.name.as_str());
    Statement {
        sql: format!("CREATE TABLE IF NOT EXISTS {name} (\n{}\n) STRICT", lines.join(",\n")),
        why: format!("{}: {}", table.name, table.comment),
        lock: LockClass::NewObject,
        undo: Undo::Statement(format!("DROP TABLE {name}")),
        unless: None,
    }
}

/// SQLite has no `ADD COLUMN IF NOT EXISTS`, so whoever runs the statement looks first.
pub fn add_column(table: &TableName, column: &Column) -> Statement {
    let name = quote(table.as_str());
    Statement {
        sql: format!("ALTER TABLE {name} ADD COLUMN {}", column_definition(column)),
        why: format!("{table}.{}: {}", column.name, column.comment),
        lock: LockClass::Writes,
        undo: Undo::Statement(format!("ALTER TABLE {name} DROP COLUMN {}", quote(column.name.as_str()))),
        unless: Some(ColumnPresent { table: table.clone(), column: column.name.clone() }),
    }
}

fn column_definition(column: &Column) -> String {
    let mut text = format!("{} {}", quote(column.name.as_str()), sql_type(&column.field_type));
    match column.nullability {
        Nullability::NotNull => text.push_str(" NOT NULL"),
        Nullability::Nullable => {}
    }
    if let Some(default) = &column.default {
        text.push_str(" DEFAULT ");
        text.push_str(&literal(default));
    }
    if collation(&column.field_type) != "BINARY" {
        text.push_str(" COLLATE ");
        text.push_str(collation(&column.field_type));
    }
    text
}

pub fn column_list(columns: &[ColumnName]) -> String {
    columns.iter().map(|column| quote(column.as_str())).collect::<Vec<_>>().join(", ")
}

pub fn described(table: &Table) -> ObservedTable {
    let texts = |columns: &[ColumnName]| columns.iter().map(ToString::to_string).collect::<Vec<_>>();
    let mut unique: Vec<Vec<String>> = table.unique.iter().map(|columns| texts(columns)).collect();
    unique.sort();
    ObservedTable {
        name: table.name.to_string(),
        columns: table
            .columns
            .iter()
            .map(|column| ObservedColumn {
                name: column.name.to_string(),
                sql_type: sql_type(&column.field_type).to_owned(),
                nullability: column.nullability,
                collation: collation(&column.field_type).to_owned(),
            })
            .collect(),
        primary_key: texts(&table.primary_key),
        unique,
    }
}
