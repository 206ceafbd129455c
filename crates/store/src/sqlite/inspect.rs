//! What a SQLite database holds, read from its own catalogue.

mod checks;

use crate::StoreError;
use dialect::sqlite::COUNTED;
use plan::database::{
    Nullability, ObservedColumn, ObservedForeignKey, ObservedIndex, ObservedRule, ObservedTable, OnDelete, Uniqueness,
};
use rusqlite::{Connection, OptionalExtension};

/// The tables by name, without SQLite's own and without the ledger.
pub fn tables(connection: &Connection) -> Result<Vec<ObservedTable>, StoreError> {
    let mut statement = connection.prepare(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name NOT IN ('schema_migrations', 'schema_migration_steps') ORDER BY name",
    )?;
    let names: Vec<String> = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    names.into_iter().map(|name| table(connection, name)).collect()
}

/// Whether there is such a table.
pub fn has_table(connection: &Connection, name: &str) -> Result<bool, StoreError> {
    let found = connection
        .query_row("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?", [name], |_| Ok(()))
        .optional()?;
    Ok(found.is_some())
}

/// An index or a trigger that a statement of its own has made.
pub struct Addition {
    pub name: String,
    pub table: String,
    pub text: String,
}

/// All of them, in the order in which they were made.
pub fn additions(connection: &Connection) -> Result<Vec<Addition>, StoreError> {
    let mut statement = connection.prepare(
        "SELECT name, tbl_name, sql FROM sqlite_schema WHERE type IN ('index', 'trigger') AND sql IS NOT NULL ORDER BY rowid",
    )?;
    let rows =
        statement.query_map([], |row| Ok(Addition { name: row.get(0)?, table: row.get(1)?, text: row.get(2)? }))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Those of the tables that hold rows.
pub fn filled(connection: &Connection, tables: &[ObservedTable]) -> Result<Vec<String>, StoreError> {
    let mut filled = Vec::new();
    for table in tables {
        let name = table.name.replace('"', "\"\"");
        let look = format!("SELECT 1 FROM \"{name}\" LIMIT 1");
        if connection.query_row(&look, [], |_| Ok(())).optional()?.is_some() {
            filled.push(table.name.clone());
        }
    }
    Ok(filled)
}

fn table(connection: &Connection, name: String) -> Result<ObservedTable, StoreError> {
    let mut statement =
        connection.prepare("SELECT name, type, \"notnull\", pk, dflt_value FROM pragma_table_info(?) ORDER BY cid")?;
    let mut keyed: Vec<(i64, String)> = Vec::new();
    let mut columns = Vec::new();
    let mut rows = statement.query([&name])?;
    while let Some(row) = rows.next()? {
        let column: String = row.get(0)?;
        let position: i64 = row.get(3)?;
        if position > 0 {
            keyed.push((position, column.clone()));
        }
        let nullability = if row.get::<_, bool>(2)? { Nullability::NotNull } else { Nullability::Nullable };
        let collation = collation(connection, &name, &column)?;
        columns.push(ObservedColumn {
            name: column,
            sql_type: row.get(1)?,
            nullability,
            collation,
            default: row.get(4)?,
            comment: None,
        });
    }
    keyed.sort();
    let text: String =
        connection
            .query_row("SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = ?", [&name], |row| row.get(0))?;
    if let (true, [(_, key)]) = (checks::counts(&text), &keyed[..]) {
        for column in columns.iter_mut().filter(|column| column.name == *key) {
            column.default = Some(COUNTED.to_owned());
        }
    }
    Ok(ObservedTable {
        columns,
        primary_key: keyed.into_iter().map(|(_, column)| column).collect(),
        unique: unique(connection, &name)?,
        foreign_keys: foreign_keys(connection, &name)?,
        checks: checks::checks(&text),
        indexes: indexes(connection, &name)?,
        triggers: triggers(connection, &name)?,
        comment: None,
        name,
    })
}

fn foreign_keys(connection: &Connection, table: &str) -> Result<Vec<ObservedForeignKey>, StoreError> {
    let mut statement = connection.prepare(
        "SELECT id, \"from\", \"table\", \"to\", on_delete FROM pragma_foreign_key_list(?) ORDER BY id, seq",
    )?;
    let mut keys: Vec<(i64, ObservedForeignKey)> = Vec::new();
    let mut rows = statement.query([table])?;
    while let Some(row) = rows.next()? {
        let id: i64 = row.get(0)?;
        let column: String = row.get(1)?;
        let target: Option<String> = row.get(3)?;
        if keys.last().is_none_or(|(last, _)| *last != id) {
            let on_delete = match row.get::<_, String>(4)?.as_str() {
                "CASCADE" => Some(OnDelete::Cascade),
                "RESTRICT" => Some(OnDelete::Restrict),
                "SET NULL" => Some(OnDelete::SetNull),
                _ => None,
            };
            let key = ObservedForeignKey {
                name: String::new(),
                columns: Vec::new(),
                table: row.get(2)?,
                target: Vec::new(),
                on_delete,
            };
            keys.push((id, key));
        }
        if let Some((_, key)) = keys.last_mut() {
            key.columns.push(column);
            key.target.extend(target);
        }
    }
    let mut keys: Vec<ObservedForeignKey> = keys.into_iter().map(|(_, key)| key).collect();
    keys.sort();
    Ok(keys)
}

/// The indexes that somebody made; those of keys are part of the table.
fn indexes(connection: &Connection, table: &str) -> Result<Vec<ObservedIndex>, StoreError> {
    let mut statement =
        connection.prepare("SELECT name, \"unique\" FROM pragma_index_list(?) WHERE origin = 'c' ORDER BY name")?;
    let found = statement.query_map([table], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let found: Vec<(String, bool)> = found.collect::<Result<_, _>>()?;
    found
        .into_iter()
        .map(|(name, is_unique)| {
            let uniqueness = if is_unique { Uniqueness::Unique } else { Uniqueness::Repeating };
            Ok(ObservedIndex { columns: index_columns(connection, &name)?, name, uniqueness })
        })
        .collect()
}

fn index_columns(connection: &Connection, index: &str) -> Result<Vec<String>, StoreError> {
    let mut statement = connection.prepare("SELECT name FROM pragma_index_info(?) ORDER BY seqno")?;
    let columns = statement.query_map([index], |row| row.get::<_, Option<String>>(0))?;
    let columns: Vec<Option<String>> = columns.collect::<Result<_, _>>()?;
    if columns.iter().all(Option::is_some) {
        return Ok(columns.into_iter().flatten().collect());
    }
    // What is no column stands in the statement alone.
    let text: String =
        connection
            .query_row("SELECT sql FROM sqlite_schema WHERE type = 'index' AND name = ?", [index], |row| row.get(0))?;
    let written = checks::listed(&text).into_iter().map(Some).chain(std::iter::repeat(None));
    Ok(columns.into_iter().zip(written).map(|(name, written)| name.or(written).unwrap_or_default()).collect())
}

/// What stands behind the first line of the statement, which is the trigger's name.
fn triggers(connection: &Connection, table: &str) -> Result<Vec<ObservedRule>, StoreError> {
    let mut statement = connection
        .prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = ? ORDER BY name")?;
    let rules = statement.query_map([table], |row| {
        let (name, text): (String, String) = (row.get(0)?, row.get(1)?);
        let text = text.split_once('\n').map_or(text.clone(), |(_, body)| body.to_owned());
        Ok(ObservedRule { name, text })
    })?;
    Ok(rules.collect::<Result<_, _>>()?)
}

fn collation(connection: &Connection, table: &str, column: &str) -> Result<String, StoreError> {
    let (_, collation, ..) = connection.column_metadata(None, table, column)?;
    Ok(collation.map_or_else(String::new, |text| text.to_string_lossy().into_owned()))
}

fn unique(connection: &Connection, table: &str) -> Result<Vec<Vec<String>>, StoreError> {
    let mut statement = connection.prepare("SELECT name FROM pragma_index_list(?) WHERE origin = 'u'")?;
    let indexes: Vec<String> = statement.query_map([table], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let mut sets = Vec::new();
    for index in indexes {
        sets.push(index_columns(connection, &index)?);
    }
    sets.sort();
    Ok(sets)
}
