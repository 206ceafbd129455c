//! How a PostgreSQL database stands, as its catalogue and its statistics say. Everything is read in one transaction that can change
//! nothing.

use super::{Server, inspect, place};
use crate::StoreError;
use crate::blocking::blocking;
use dialect::finding::quoted;
use plan::database::{
    Condition, Counter, Measure, MeasuredIndex, MeasuredStatement, NumbersAsText, RowGuard, Statistics, Trial,
};
use tokio_postgres::{Client, Row, SimpleQueryMessage};
use vocab::Engine;

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
            let whole = client.query_one(WHOLE, &[]).await?;
            let mut condition = Condition {
                schema: place(&client).await?.schema,
                tables: inspect::tables(&client).await?,
                indexes: indexes.iter().map(index).collect::<Result<_, _>>()?,
                measures: measures.iter().map(measure).collect::<Result<_, _>>()?,
                counters: counters.iter().map(counter).collect::<Result<_, _>>()?,
                guards: guards.iter().map(guard).collect::<Result<_, _>>()?,
                counted_for: Some(number(&whole, 0)?),
                bytes: number(&whole, 1)?,
                ..Condition::default()
            };
            for row in client.query(SETTINGS, &[]).await? {
                condition.settings.insert(row.try_get(0)?, row.try_get(1)?);
            }
            for (table, column) in dialect::finding::columns_to_look_at(&condition.tables) {
                let (name, at) = (quoted(Engine::PostgreSql, &column), quoted(Engine::PostgreSql, &table));
                let may = "SELECT has_column_privilege($1::text, $2::text, 'SELECT')";
                if !client.query_one(may, &[&at, &column]).await?.try_get::<_, bool>(0)? {
                    continue;
                }
                let look = format!(
                    "SELECT count({name}), count(*) FILTER (WHERE {name} !~ '{NUMBER}') FROM (SELECT {name} FROM {at} LIMIT {LOOKED_AT}) looked_at"
                );
                let row = client.query_one(&look, &[]).await?;
                if number(&row, 1)? == 0 {
                    condition.numbers_as_text.push(NumbersAsText { table, column, values: number(&row, 0)? });
                }
            }
            match client.query_opt(STATEMENTS_AT, &[]).await? {
                Some(row) => {
                    let statements = STATEMENTS.replace("AT", &row.try_get::<_, String>(0)?);
                    let statements = client.query(&statements, &[]).await?;
                    condition.statements = statements.iter().map(statement).collect::<Result<_, _>>()?;
                }
                None => {
                    condition.unseen.push("slow statements: `pg_stat_statements` is not there to count them".to_owned())
                }
            }
            Ok(condition)
        })
    }
}

impl Server {
    /// What the statements of trials cost, with `hypopg` also with indexes that are not there. Where that is not in the database it is made
    /// for this transaction alone, which is undone.
    pub fn explain(&self, trials: &mut [&mut Trial]) -> Result<(), StoreError> {
        blocking(async {
            let client = self.connect().await?;
            client.batch_execute("BEGIN; SET LOCAL lock_timeout = '1s'; SAVEPOINT without").await?;
            let can_try = match client.query_opt(HYPOTHETICAL_AT, &[]).await? {
                Some(_) => true,
                None => client.batch_execute("CREATE EXTENSION hypopg").await.is_ok(),
            };
            let at = match can_try {
                true => {
                    client.query_opt(HYPOTHETICAL_AT, &[]).await?.map(|row| row.try_get::<_, String>(0)).transpose()?
                }
                false => {
                    client.batch_execute("ROLLBACK TO without").await?;
                    None
                }
            };
            for trial in trials {
                let plan = explained(&client, &trial.statement).await?;
                trial.reads_all = plan.contains("\"Seq Scan\"");
                trial.cost = cost(&plan);
                let Some(at) = &at else { continue };
                client.execute(&format!("SELECT {at}.hypopg_create_index($1)"), &[&trial.index]).await?;
                let plan = explained(&client, &trial.statement).await?;
                client.execute(&format!("SELECT {at}.hypopg_reset()"), &[]).await?;
                // It names what is not there by a number in such brackets.
                trial.cost_with_index = cost(&plan).filter(|_| plan.contains("\"Index Name\": \"<"));
            }
            client.batch_execute("ROLLBACK").await?;
            Ok(())
        })
    }
}

async fn explained(client: &Client, statement: &str) -> Result<String, StoreError> {
    let messages = client.simple_query(&format!("EXPLAIN (FORMAT JSON) {statement}")).await?;
    let text = |message: &SimpleQueryMessage| match message {
        SimpleQueryMessage::Row(row) => row.get(0).map(ToOwned::to_owned),
        _ => None,
    };
    Ok(messages.iter().filter_map(text).collect())
}

fn cost(plan: &str) -> Option<u64> {
    let plan: serde_json::Value = serde_json::from_str(plan).ok()?;
    let cost = plan[0]["Plan"]["Total Cost"].as_f64()?;
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a cost is no less than nothing
    Some(cost.round() as u64)
}

/// Rows that are looked at of one table.
const LOOKED_AT: u32 = 10_000;
const NUMBER: &str = "^-?[0-9]+([.][0-9]+)?$";

const HYPOTHETICAL_AT: &str = "SELECT quote_ident(n.nspname) FROM pg_extension e
JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'hypopg'";

/// Parts have what tells them apart from others behind them: operators, collation, direction. An index that is being made counts as whole: it is about to be.
const INDEXES: &str = "SELECT t.relname::text, i.relname::text,
  ARRAY(SELECT COALESCE(a.attname::text, '') FROM generate_series(0, x.indnkeyatts - 1) place
    LEFT JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = x.indkey[place] AND x.indkey[place] <> 0 ORDER BY place),
  ARRAY(SELECT format('%s %s %s %s', pg_get_indexdef(x.indexrelid, place + 1, true), x.indclass[place], x.indcollation[place], x.indoption[place])
    FROM generate_series(0, x.indnkeyatts - 1) place ORDER BY place),
  format('%s %s', (SELECT m.amname FROM pg_am m WHERE m.oid = i.relam), x.indkey[x.indnkeyatts]),
  pg_get_expr(x.indpred, x.indrelid), x.indisunique,
  x.indisreplident OR EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = x.indexrelid),
  x.indisvalid OR EXISTS (SELECT FROM pg_stat_progress_create_index p WHERE p.index_relid = x.indexrelid),
  pg_stat_get_numscans(x.indexrelid), pg_relation_size(x.indexrelid)
FROM pg_index x JOIN pg_class t ON t.oid = x.indrelid JOIN pg_class i ON i.oid = x.indexrelid
WHERE t.relnamespace = current_schema()::regnamespace AND t.relkind IN ('r', 'p')
ORDER BY t.relname, i.relname";

/// Of a table that nobody has analysed the rows are known from what was written.
const MEASURES: &str = "SELECT c.relname::text, GREATEST(c.reltuples::bigint, pg_stat_get_live_tuples(c.oid), 0),
  COALESCE(pg_stat_get_dead_tuples(c.oid), 0), pg_total_relation_size(c.oid),
  c.reltuples >= 0, COALESCE(pg_stat_get_mod_since_analyze(c.oid), 0)
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

/// Nobody says since when a server that was never told to begin anew has counted: since it was started at least.
const WHOLE: &str = "SELECT extract(epoch FROM now() - COALESCE(d.stats_reset, pg_postmaster_start_time()))::bigint,
  pg_database_size(d.datid)
FROM pg_stat_database d WHERE d.datname = current_database()";

const SETTINGS: &str = "SELECT name, CASE unit WHEN '8kB' THEN (setting::bigint * 8192)::text WHEN 'kB' THEN (setting::bigint * 1024)::text
  ELSE setting END
FROM pg_settings WHERE name IN ('shared_buffers', 'effective_cache_size', 'work_mem', 'max_connections', 'fsync',
  'full_page_writes', 'synchronous_commit', 'autovacuum')";

/// It is in the schema that somebody has put it into, and answers only where the server has loaded it.
const STATEMENTS_AT: &str = "SELECT format('%I.pg_stat_statements', n.nspname)
FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
WHERE e.extname = 'pg_stat_statements' AND current_setting('shared_preload_libraries') LIKE '%pg_stat_statements%'";

/// Those that read and write rows: others may have a password in them.
const STATEMENTS: &str = "SELECT query, calls, mean_exec_time::bigint FROM AT
WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND query ~* '^\\s*(select|insert|update|delete|with)\\M' AND query NOT LIKE '%pg_catalog%'
  AND calls >= 10 AND mean_exec_time >= 100
ORDER BY total_exec_time DESC LIMIT 5";

fn statement(row: &Row) -> Result<MeasuredStatement, StoreError> {
    Ok(MeasuredStatement { text: row.try_get(0)?, calls: number(row, 1)?, milliseconds: number(row, 2)? })
}

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
        uses: Some(number(row, 9)?),
        bytes: number(row, 10)?,
    })
}

fn measure(row: &Row) -> Result<Measure, StoreError> {
    Ok(Measure {
        table: row.try_get(0)?,
        rows: number(row, 1)?,
        dead_rows: number(row, 2)?,
        bytes: number(row, 3)?,
        statistics: Some(Statistics { is_known: row.try_get(4)?, changed: number(row, 5)? }),
        ..Measure::default()
    })
}
