//! How far records of providers were read: of many servers one reads, and what it notes is durable together. Times are handed in.

use crate::delivery::words::Words;
use crate::read_row::{number, optional_text, text};
use crate::{Ended, Row, Store, StoreError};
use vocab::{Datum, Engine};

const COLUMNS: &str = "integration, sync, changed_until, reading_since, page, records, left_out, problem, problem_code, failures, due_at, ended_at, gone_read_at";

/// How far a sync has come.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SyncState {
    /// The task that integrates the service.
    pub integration: String,
    /// Which records.
    pub sync: String,
    /// Changes up to then are here; none: not everything is yet.
    pub changed_until: Option<String>,
    /// What the reading that is under way has come to.
    pub reading_since: Option<String>,
    /// What leads to its next page, JSON.
    pub page: Option<String>,
    /// Records that were read, and seen anew.
    pub records: i64,
    /// Of those, the ones that could not be kept.
    pub left_out: i64,
    /// What went wrong last.
    pub problem: Option<String>,
    /// The same in one word.
    pub problem_code: Option<String>,
    /// How often in a row it went wrong.
    pub failures: i64,
    /// Before that nothing is read.
    pub due_at: String,
    /// When everything that had changed was here last.
    pub ended_at: Option<String>,
    /// When it was read last what is gone there.
    pub gone_read_at: Option<String>,
}

impl Store {
    /// How far all that is read into the database has come.
    ///
    /// # Errors
    /// [`StoreError`] when the database does not answer.
    pub async fn sync_states(&self) -> Result<Vec<SyncState>, StoreError> {
        let query = format!("SELECT {COLUMNS} FROM sync_states ORDER BY integration, sync");
        let rows = self.read(query.into(), Vec::new()).await?;
        rows.iter().map(state).collect()
    }

    /// How far one of them has come; none: nobody has begun.
    ///
    /// # Errors
    /// [`StoreError`] when the database does not answer.
    pub async fn sync_state(&self, (integration, sync): (&str, &str)) -> Result<Option<SyncState>, StoreError> {
        let query = format!("SELECT {COLUMNS} FROM sync_states WHERE integration = ? AND sync = ?");
        let parameters = [integration, sync].map(|text| Datum::Text(text.to_owned())).to_vec();
        let rows = self.read(Words(self.engine()).text(&query).into(), parameters).await?;
        rows.first().map(state).transpose()
    }

    /// Takes a sync until then, unless somebody else has it or it is not due: without `waits` it is due whenever it is asked for. What
    /// nobody has begun yet begins.
    ///
    /// # Errors
    /// [`StoreError`] when the database does not answer.
    pub async fn lease_sync(
        &self,
        (integration, sync): (&str, &str),
        lease: &str,
        (now, until): (&str, &str),
        waits: bool,
    ) -> Result<Option<SyncState>, StoreError> {
        let words = Words(self.engine());
        let time = words.time();
        let (insert, otherwise) = match self.engine() {
            Engine::Sqlite | Engine::PostgreSql => ("INSERT", " ON CONFLICT (integration, sync) DO NOTHING"),
            Engine::MySql | Engine::MongoDb => ("INSERT IGNORE", ""),
        };
        let add = words.text(&format!(
            "{insert} INTO sync_states (integration, sync, records, left_out, failures, due_at) VALUES (?, ?, 0, 0, 0, {time}){otherwise}"
        ));
        let due = if waits { format!(" AND due_at <= {time}") } else { String::new() };
        let take = words.text(&format!(
            "UPDATE sync_states SET lease = ?, leased_until = {time} WHERE integration = ? AND sync = ? AND (leased_until IS NULL OR leased_until < {time}){due}"
        ));
        let find = words.text(&format!("SELECT {COLUMNS} FROM sync_states WHERE integration = ? AND sync = ?"));
        let of = |text: &str| Datum::Text(text.to_owned());
        let added = [of(integration), of(sync), of(now)];
        let mut taken = vec![of(lease), of(until), of(integration), of(sync), of(now)];
        taken.extend(waits.then(|| of(now)));
        let found = [of(integration), of(sync)];
        let work = self.transaction(move |mut transaction| {
            Box::pin(async move {
                if transaction.execute(&take, &taken).await? == 0 {
                    let is_new = transaction.execute(&add, &added).await? > 0;
                    if !is_new || transaction.execute(&take, &taken).await? == 0 {
                        return Ok(Ended::Commit(None));
                    }
                }
                let rows = transaction.read(&find, &found).await?;
                Ok(Ended::Commit(rows.first().map(state).transpose()?))
            })
        });
        work.await
    }

    /// Notes how far a sync has come, and has the lease last until then; none: it is given back. Whether the lease was still good: else
    /// nothing is noted.
    ///
    /// # Errors
    /// [`StoreError`] when the database does not answer; it may be noted all the same.
    pub async fn note_sync(&self, state: &SyncState, lease: &str, until: Option<&str>) -> Result<bool, StoreError> {
        let words = Words(self.engine());
        let time = words.time();
        let lasts = if until.is_some() {
            format!("leased_until = {time}")
        } else {
            "lease = NULL, leased_until = NULL".to_owned()
        };
        let note = words.text(&format!(
            "UPDATE sync_states SET changed_until = {time}, reading_since = {time}, page = ?, records = ?, left_out = ?, problem = ?, \
             problem_code = ?, failures = ?, due_at = {time}, ended_at = {time}, gone_read_at = {time}, {lasts} \
             WHERE integration = ? AND sync = ? AND lease = ?"
        ));
        let of = |text: &str| Datum::Text(text.to_owned());
        let maybe = |text: &Option<String>| text.as_deref().map_or(Datum::Null, of);
        let mut parameters = vec![
            maybe(&state.changed_until),
            maybe(&state.reading_since),
            maybe(&state.page),
            Datum::Integer(state.records),
            Datum::Integer(state.left_out),
            maybe(&state.problem),
            maybe(&state.problem_code),
            Datum::Integer(state.failures),
            of(&state.due_at),
            maybe(&state.ended_at),
            maybe(&state.gone_read_at),
        ];
        parameters.extend(until.map(of));
        parameters.extend([of(&state.integration), of(&state.sync), of(lease)]);
        let work = self.transaction(move |mut transaction| {
            Box::pin(async move { Ok(Ended::Commit(transaction.execute(&note, &parameters).await? > 0)) })
        });
        work.await
    }

    /// Has a lease last until then.
    ///
    /// # Errors
    /// [`StoreError`] when the database does not answer.
    pub async fn extend_sync(
        &self,
        (integration, sync): (&str, &str),
        lease: &str,
        until: &str,
    ) -> Result<(), StoreError> {
        let words = Words(self.engine());
        let time = words.time();
        let extend = words.text(&format!(
            "UPDATE sync_states SET leased_until = {time} WHERE integration = ? AND sync = ? AND lease = ?"
        ));
        let parameters = [until, integration, sync, lease].map(|text| Datum::Text(text.to_owned()));
        let work = self.transaction(move |mut transaction| {
            Box::pin(async move { Ok(Ended::Commit(transaction.execute(&extend, &parameters).await?)) })
        });
        work.await.map(drop)
    }
}

fn state(row: &Row) -> Result<SyncState, StoreError> {
    Ok(SyncState {
        integration: text(row, 0)?,
        sync: text(row, 1)?,
        changed_until: optional_text(row, 2)?,
        reading_since: optional_text(row, 3)?,
        page: optional_text(row, 4)?,
        records: number(row, 5)?,
        left_out: number(row, 6)?,
        problem: optional_text(row, 7)?,
        problem_code: optional_text(row, 8)?,
        failures: number(row, 9)?,
        due_at: text(row, 10)?,
        ended_at: optional_text(row, 11)?,
        gone_read_at: optional_text(row, 12)?,
    })
}
