//! What the current schema of a PostgreSQL database holds, read from its own catalogue.

use super::locks::IMPATIENT;
use crate::StoreError;
use dialect::change::UNFINISHED;
use plan::database::{
    Nullability, ObservedColumn, ObservedForeignKey, ObservedIndex, ObservedRule, ObservedTable, OnDelete, Uniqueness,
};
use std::collections::BTreeMap;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Row};

/// The tables by name, without the ledger. The catalogue is asked once for each kind of thing, however many tables there are.
pub async fn tables(client: &Client) -> Result<Vec<ObservedTable>, StoreError> {
    let mut tables: BTreeMap<String, ObservedTable> = BTreeMap::new();
    for row in client.query(TABLES, &[]).await? {
        let name: String = row.try_get(0)?;
        let table = ObservedTable {
            name: name.clone(),
            columns: Vec::new(),
            primary_key: Vec::new(),
            unique: Vec::new(),
            foreign_keys: Vec::new(),
            checks: Vec::new(),
            indexes: Vec::new(),
            triggers: Vec::new(),
            comment: row.try_get(1)?,
        };
        tables.insert(name, table);
    }
    for (question, take) in QUESTIONS {
        for row in client.query(*question, &[]).await? {
            let name: String = row.try_get(0)?;
            if let Some(table) = tables.get_mut(&name) {
                take(&row, table)?;
            }
        }
    }
    let mut tables: Vec<ObservedTable> = tables.into_values().collect();
    for table in &mut tables {
        table.unique.sort();
        table.foreign_keys.sort();
        table.checks.sort();
        table.triggers.sort();
        table.indexes.sort_by(|left, right| left.name.cmp(&right.name));
    }
    Ok(tables)
}

/// Whether the current schema has such a table.
pub async fn has_table(client: &Client, name: &str) -> Result<bool, StoreError> {
    Ok(client.query_one("SELECT to_regclass($1) IS NOT NULL", &[&name]).await?.try_get(0)?)
}

/// The tables that may hold rows: those for which the server keeps any page.
pub async fn filled(client: &Client) -> Result<Vec<String>, StoreError> {
    // Asking for the size of a table waits for whoever has locked it; one that is locked may as well hold rows.
    client.batch_execute("SET lock_timeout = '1s'").await?;
    let asked = client.query(FILLED, &[]).await;
    client.batch_execute(IMPATIENT).await?;
    let rows = match asked {
        Err(error) if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) => client.query(TABLES, &[]).await?,
        asked => asked?,
    };
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

const FILLED: &str = "SELECT c.relname::text FROM pg_class c
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND (c.relkind = 'p' OR pg_relation_size(c.oid) > 0)
  AND c.relname NOT IN ('schema_migrations', 'schema_migration_steps')
ORDER BY c.relname";

type Take = fn(&Row, &mut ObservedTable) -> Result<(), StoreError>;

const QUESTIONS: &[(&str, Take)] =
    &[(COLUMNS, column), (CONSTRAINTS, constraint), (INDEXES, index), (TRIGGERS, trigger)];

const TABLES: &str = "SELECT c.relname::text, obj_description(c.oid, 'pg_class')
FROM pg_class c
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND c.relname NOT IN ('schema_migrations', 'schema_migration_steps')
ORDER BY c.relname";

const COLUMNS: &str = "SELECT c.relname::text, a.attname::text, format_type(a.atttypid, a.atttypmod), a.attnotnull,
  CASE WHEN a.attcollation = 0 THEN '' ELSE (SELECT l.collname::text FROM pg_collation l WHERE l.oid = a.attcollation) END,
  pg_get_expr(d.adbin, d.adrelid), col_description(c.oid, a.attnum)
FROM pg_class c
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p')
ORDER BY c.relname, a.attnum";

const CONSTRAINTS: &str =
    "SELECT c.relname::text, k.conname::text, k.contype::text, k.confdeltype::text, pg_get_constraintdef(k.oid),
  ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY u(number, place)
    JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.number ORDER BY u.place),
  (SELECT o.relname::text FROM pg_class o WHERE o.oid = k.confrelid),
  ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY u(number, place)
    JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.number ORDER BY u.place), k.convalidated
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
WHERE c.relnamespace = current_schema()::regnamespace
ORDER BY c.relname, k.conname";

const INDEXES: &str = "SELECT t.relname::text, i.relname::text, x.indisunique,
  ARRAY(SELECT pg_get_indexdef(x.indexrelid, place, true) FROM generate_series(1, x.indnkeyatts) place ORDER BY place), x.indisvalid
FROM pg_index x JOIN pg_class t ON t.oid = x.indrelid JOIN pg_class i ON i.oid = x.indexrelid
WHERE t.relnamespace = current_schema()::regnamespace
  AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = x.indexrelid AND k.contype IN ('p', 'u', 'x'))
ORDER BY t.relname, i.relname";

const TRIGGERS: &str = "SELECT c.relname::text, g.tgname::text, pg_get_triggerdef(g.oid, true)
FROM pg_trigger g JOIN pg_class c ON c.oid = g.tgrelid
WHERE c.relnamespace = current_schema()::regnamespace AND NOT g.tgisinternal
ORDER BY c.relname, g.tgname";

fn column(row: &Row, table: &mut ObservedTable) -> Result<(), StoreError> {
    table.columns.push(ObservedColumn {
        name: row.try_get(1)?,
        sql_type: row.try_get(2)?,
        nullability: if row.try_get(3)? { Nullability::NotNull } else { Nullability::Nullable },
        collation: row.try_get(4)?,
        default: row.try_get(5)?,
        comment: row.try_get(6)?,
    });
    Ok(())
}

fn constraint(row: &Row, table: &mut ObservedTable) -> Result<(), StoreError> {
    let name: String = row.try_get(1)?;
    let columns: Vec<String> = row.try_get(5)?;
    match row.try_get::<_, String>(2)?.as_str() {
        "p" => table.primary_key = columns,
        "u" => table.unique.push(columns),
        "c" => table.checks.push(ObservedRule { name, text: row.try_get(4)? }),
        "f" => {
            let on_delete = match row.try_get::<_, String>(3)?.as_str() {
                "c" => Some(OnDelete::Cascade),
                "r" => Some(OnDelete::Restrict),
                "n" => Some(OnDelete::SetNull),
                _ => None,
            };
            let (other, mut target): (_, Vec<String>) =
                (row.try_get::<_, Option<String>>(6)?.unwrap_or_default(), row.try_get(7)?);
            if !row.try_get::<_, bool>(8)? {
                target.push(UNFINISHED.to_owned());
            }
            table.foreign_keys.push(ObservedForeignKey { name, columns, table: other, target, on_delete });
        }
        _ => {}
    }
    Ok(())
}

fn index(row: &Row, table: &mut ObservedTable) -> Result<(), StoreError> {
    let uniqueness = if row.try_get(2)? { Uniqueness::Unique } else { Uniqueness::Repeating };
    let mut columns: Vec<String> = row.try_get(3)?;
    if !row.try_get::<_, bool>(4)? {
        columns.push(UNFINISHED.to_owned());
    }
    table.indexes.push(ObservedIndex { name: row.try_get(1)?, columns, uniqueness });
    Ok(())
}

fn trigger(row: &Row, table: &mut ObservedTable) -> Result<(), StoreError> {
    table.triggers.push(ObservedRule { name: row.try_get(1)?, text: row.try_get(2)? });
    Ok(())
}
