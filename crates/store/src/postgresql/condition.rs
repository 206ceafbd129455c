//! How a PostgreSQL database stands, as its catalogue and its statistics say. Everything is read in one transaction that can change
//! nothing.

use super::{Server, inspect, place};
use crate::StoreError;
use crate::blocking::blocking;
use plan::database::{Condition, Counter, Measure, MeasuredIndex, RowGuard};
use tokio_postgres::Row;

impl Server {
    /// How it stands.
    pub fn condition(&self) -> Result<Condition, StoreError> {
        blocking(async {
            let client = self.connect().await?;
            client.batch_execute("BEGIN READ ONLY").await?;
            let indexes = client.query(INDEXES, &[]).await?;
            let measures = client.query(MEASURES, &[]).await?;
            let counters = client.query(COUNTERS, &[]).await?;
            let guards = client.query(GUARDS, &[]).await?;
            Ok(Condition {
                schema: place(&client).await?.schema,
                tables: inspect::tables(&client).await?,
                indexes: indexes.iter().map(index).collect::<Result<_, _>>()?,
                measures: measures.iter().map(measure).collect::<Result<_, _>>()?,
                counters: counters.iter().map(counter).collect::<Result<_, _>>()?,
                guards: guards.iter().map(guard).collect::<Result<_, _>>()?,
            })
        })
    }
}

/// Parts have what tells them apart from others behind them: operators, collation, direction. An index that is being made counts as whole: it is about to be.
const INDEXES: &str = "SELECT t.relname::text, i.relname::text,
  ARRAY(SELECT COALESCE(a.attname::text, '') FROM generate_series(0, x.indnkeyatts - 1) place
    LEFT JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = x.indkey[place] AND x.indkey[place] <> 0 ORDER BY place),
  ARRAY(SELECT format('%s %s %s %s', pg_get_indexdef(x.indexrelid, place + 1, true), x.indclass[place], x.indcollation[place], x.indoption[place])
    FROM generate_series(0, x.indnkeyatts - 1) place ORDER BY place),
  format('%s %s', (SELECT m.amname FROM pg_am m WHERE m.oid = i.relam), x.indkey[x.indnkeyatts]),
  pg_get_expr(x.indpred, x.indrelid), x.indisunique,
  x.indisreplident OR EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = x.indexrelid),
  x.indisvalid OR EXISTS (SELECT FROM pg_stat_progress_create_index p WHERE p.index_relid = x.indexrelid)
FROM pg_index x JOIN pg_class t ON t.oid = x.indrelid JOIN pg_class i ON i.oid = x.indexrelid
WHERE t.relnamespace = current_schema()::regnamespace AND t.relkind IN ('r', 'p')
ORDER BY t.relname, i.relname";

/// Of a table that nobody has analysed the rows are known from what was written.
const MEASURES: &str = "SELECT c.relname::text, GREATEST(c.reltuples::bigint, pg_stat_get_live_tuples(c.oid), 0)
FROM pg_class c
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p')
ORDER BY c.relname";

/// Sequences that belong to a column, count upwards and do not begin anew. That of an identity changes with its column.
const COUNTERS: &str = "SELECT t.relname::text, a.attname::text, CASE WHEN d.deptype = 'a' THEN s.relname::text END,
  COALESCE(pg_sequence_last_value(q.seqrelid), 0), LEAST(q.seqmax, CASE a.atttypid WHEN 'int2'::regtype THEN 32767
    WHEN 'int4'::regtype THEN 2147483647 ELSE 9223372036854775807 END),
  a.atttypid IN ('int2'::regtype, 'int4'::regtype) OR q.seqmax < 9223372036854775807
FROM pg_sequence q JOIN pg_class s ON s.oid = q.seqrelid
JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = s.oid AND d.refclassid = 'pg_class'::regclass
  AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i')
JOIN pg_class t ON t.oid = d.refobjid JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid
WHERE t.relnamespace = current_schema()::regnamespace AND q.seqincrement > 0 AND NOT q.seqcycle
ORDER BY t.relname, a.attnum";

const GUARDS: &str = "SELECT c.relname::text, (SELECT count(*) FROM pg_policy p WHERE p.polrelid = c.oid),
  c.relrowsecurity, c.relforcerowsecurity, r.rolname::text, r.rolcanlogin AND NOT r.rolsuper AND NOT r.rolbypassrls
FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p')
  AND (c.relrowsecurity OR EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid))
ORDER BY c.relname";

fn counter(row: &Row) -> Result<Counter, StoreError> {
    Ok(Counter {
        table: row.try_get(0)?,
        column: row.try_get(1)?,
        sequence: row.try_get(2)?,
        last: number(row, 3)?,
        most: number(row, 4)?,
        can_grow: row.try_get(5)?,
    })
}

fn guard(row: &Row) -> Result<RowGuard, StoreError> {
    Ok(RowGuard {
        table: row.try_get(0)?,
        policies: number(row, 1)?,
        is_on: row.try_get(2)?,
        is_forced: row.try_get(3)?,
        owner: row.try_get(4)?,
        owner_is_at_work: row.try_get(5)?,
    })
}

/// A number that is never less than nothing.
fn number(row: &Row, place: usize) -> Result<u64, StoreError> {
    Ok(u64::try_from(row.try_get::<_, i64>(place)?).unwrap_or_default())
}

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
    Ok(Measure { table: row.try_get(0)?, rows: number(row, 1)?, made_by: Vec::new() })
}
