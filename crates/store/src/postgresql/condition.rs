//! How a PostgreSQL database stands, as its catalogue and its statistics say. Everything is read in one transaction that can change
//! nothing.

use super::{Server, inspect, place};
use crate::StoreError;
use crate::blocking::blocking;
use plan::database::{Condition, Measure, MeasuredIndex};
use tokio_postgres::Row;

impl Server {
    /// How it stands.
    pub fn condition(&self) -> Result<Condition, StoreError> {
        blocking(async {
            let client = self.connect().await?;
            client.batch_execute("BEGIN READ ONLY").await?;
            let indexes = client.query(INDEXES, &[]).await?;
            let measures = client.query(MEASURES, &[]).await?;
            Ok(Condition {
                schema: place(&client).await?.schema,
                tables: inspect::tables(&client).await?,
                indexes: indexes.iter().map(index).collect::<Result<_, _>>()?,
                measures: measures.iter().map(measure).collect::<Result<_, _>>()?,
            })
        })
    }
}

/// Parts have what tells them apart from others behind them: operators, collation, direction.
const INDEXES: &str = "SELECT t.relname::text, i.relname::text,
  ARRAY(SELECT COALESCE(a.attname::text, '') FROM generate_series(0, x.indnkeyatts - 1) place
    LEFT JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = x.indkey[place] AND x.indkey[place] <> 0 ORDER BY place),
  ARRAY(SELECT format('%s %s %s %s', pg_get_indexdef(x.indexrelid, place + 1, true), x.indclass[place], x.indcollation[place], x.indoption[place])
    FROM generate_series(0, x.indnkeyatts - 1) place ORDER BY place),
  format('%s %s', (SELECT m.amname FROM pg_am m WHERE m.oid = i.relam), x.indkey[x.indnkeyatts]),
  pg_get_expr(x.indpred, x.indrelid), x.indisunique,
  x.indisreplident OR EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = x.indexrelid), x.indisvalid
FROM pg_index x JOIN pg_class t ON t.oid = x.indrelid JOIN pg_class i ON i.oid = x.indexrelid
WHERE t.relnamespace = current_schema()::regnamespace AND t.relkind IN ('r', 'p')
ORDER BY t.relname, i.relname";

/// Of a table that nobody has analysed the rows are known from what was written.
const MEASURES: &str = "SELECT c.relname::text, GREATEST(c.reltuples::bigint, pg_stat_get_live_tuples(c.oid), 0)
FROM pg_class c
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p')
ORDER BY c.relname";

fn index(row: &Row) -> Result<MeasuredIndex, StoreError> {
    Ok(MeasuredIndex {
        table: row.try_get(0)?,
        name: row.try_get(1)?,
        columns: row.try_get(2)?,
        parts: row.try_get(3)?,
        kind: row.try_get(4)?,
        rows: row.try_get(5)?,
        is_unique: row.try_get(6)?,
        is_needed: row.try_get(7)?,
        is_whole: row.try_get(8)?,
    })
}

fn measure(row: &Row) -> Result<Measure, StoreError> {
    let rows = u64::try_from(row.try_get::<_, i64>(1)?).unwrap_or_default();
    Ok(Measure { table: row.try_get(0)?, rows, made_by: Vec::new() })
}
