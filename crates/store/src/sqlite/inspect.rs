//! What a SQLite database holds, read from its own catalogue.

use crate::StoreError;
use plan::database::{Nullability, ObservedColumn, ObservedTable};
use rusqlite::Connection;

/// The tables by name, without SQLite's own and without the ledger.
pub fn tables(connection: &Connection) -> Result<Vec<ObservedTable>, StoreError> {
    let mut statement = connection.prepare(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name <> 'schema_migrations' ORDER BY name",
    )?;
    let names: Vec<String> = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    names.into_iter().map(|name| table(connection, name)).collect()
}

fn table(connection: &Connection, name: String) -> Result<ObservedTable, StoreError> {
    let mut statement =
        connection.prepare("SELECT name, type, \"notnull\", pk FROM pragma_table_info(?) ORDER BY cid")?;
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
        columns.push(ObservedColumn { name: column, sql_type: row.get(1)?, nullability, collation });
    }
    keyed.sort();
    let unique = unique(connection, &name)?;
    Ok(ObservedTable { name, columns, primary_key: keyed.into_iter().map(|(_, column)| column).collect(), unique })
}

fn collation(connection: &Connection, table: &str, column: &str) -> Result<String, StoreError> {
    let (_, collation, ..) = connection.column_metadata(None, table, column)?;
    Ok(collation.map_or_else(String::new, |text| text.to_string_lossy().into_owned()))
}

fn unique(connection: &Connection, table: &str) -> Result<Vec<Vec<String>>, StoreError> {
    let mut statement =
        connection.prepare("SELECT name FROM pragma_index_list(?) WHERE \"unique\" = 1 AND origin <> 'pk'")?;
    let indexes: Vec<String> = statement.query_map([table], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let mut sets = Vec::new();
    for index in indexes {
        let mut statement = connection.prepare("SELECT name FROM pragma_index_info(?) ORDER BY seqno")?;
        sets.push(statement.query_map([&index], |row| row.get(0))?.collect::<Result<Vec<String>, _>>()?);
    }
    sets.sort();
    Ok(sets)
}

/// How the wanted table differs from what is there, in words.
pub fn difference(wanted: &ObservedTable, observed: &[ObservedTable]) -> Option<String> {
    let Some(found) = observed.iter().find(|table| table.name == wanted.name) else {
        return Some(format!("table `{}` is missing", wanted.name));
    };
    if let Some(column) = wanted.columns.iter().find(|column| !found.columns.contains(column)) {
        return Some(format!("column `{}.{}` is missing or of another kind", wanted.name, column.name));
    }
    let same_keys =
        wanted.primary_key == found.primary_key && wanted.unique.iter().all(|unique| found.unique.contains(unique));
    (!same_keys).then(|| format!("the keys of table `{}` differ", wanted.name))
}
