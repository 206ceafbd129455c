//! Rows for a scratch database, as statements without placeholders: what cases take for granted is made, and taken away again.

use crate::{mongodb, mysql, postgresql, quoted as quote, sqlite};
use plan::Table;
use plan::database::ColumnDefault;
use vocab::{ColumnName, Datum, Engine};

/// The statement that makes one row of the table. Columns that it does not name have their defaults.
#[must_use]
pub fn row(engine: Engine, table: &Table, values: &[(ColumnName, Datum)]) -> String {
    if engine == Engine::MongoDb {
        return mongodb::lowering::row(table, values);
    }
    let kind = |column: &ColumnName| table.columns.iter().find(|known| known.name == *column);
    let value = |(column, datum): &(ColumnName, Datum)| match (engine, kind(column)) {
        (Engine::PostgreSql, Some(column)) => postgresql::literal(datum, &column.field_type),
        (Engine::MySql, column) => mysql::value(datum, column.map(|column| &column.field_type)),
        (Engine::Sqlite | Engine::MongoDb, _) | (Engine::PostgreSql, None) => sqlite::literal(datum),
    };
    let columns: Vec<String> = values.iter().map(|(column, _)| quote(engine, column.as_str())).collect();
    let values: Vec<String> = values.iter().map(value).collect();
    let table = quote(engine, table.name.as_str());
    format!("INSERT INTO {table} ({}) VALUES ({})", columns.join(", "), values.join(", "))
}

/// The statement after which the database counts on behind rows that brought their own numbers; none where it does so by itself.
#[must_use]
pub fn count_on(engine: Engine, table: &Table) -> Option<String> {
    let counted = table.columns.iter().find(|column| column.default == Some(ColumnDefault::Counted))?;
    match engine {
        Engine::PostgreSql => Some(postgresql::definition::count_on(table.name.as_str(), counted.name.as_str())),
        Engine::Sqlite | Engine::MySql | Engine::MongoDb => None,
    }
}

/// The statement that empties the columns in every row of the table.
#[must_use]
pub fn emptied(engine: Engine, table: &Table, columns: &[&ColumnName]) -> String {
    if engine == Engine::MongoDb {
        return mongodb::lowering::emptied(table, columns);
    }
    let set: Vec<String> = columns.iter().map(|column| format!("{} = NULL", quote(engine, column.as_str()))).collect();
    format!("UPDATE {} SET {}", quote(engine, table.name.as_str()), set.join(", "))
}

/// The statement that takes every row of the table away.
#[must_use]
pub fn cleared(engine: Engine, table: &Table) -> String {
    if engine == Engine::MongoDb {
        return mongodb::lowering::cleared(table);
    }
    format!("DELETE FROM {}", quote(engine, table.name.as_str()))
}
