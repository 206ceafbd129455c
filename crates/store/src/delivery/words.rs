//! How each engine is given many rows. A server gets a document of them with the statement, in which they stand as a table: one statement
//! and one way there and back, however many there are. The embedded one, to which there is no way, gets a prepared statement for each.

use crate::read_row::text;
use crate::{StoreError, Transaction};
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use serde_json::Value;
use std::collections::BTreeSet;
use vocab::{Datum, Engine};

/// A column of a batch.
#[derive(Clone, Copy)]
pub(crate) struct Member {
    pub name: &'static str,
    pub kind: Kind,
}

/// What a column of a batch holds.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    Id,
    Text,
    Number,
    Flag,
    Time,
    /// A document, which stands in the batch as its text.
    Document,
}

/// A member of that name.
pub(crate) const fn member(name: &'static str, kind: Kind) -> Member {
    Member { name, kind }
}

/// What a row is named by.
pub(crate) const ID: Member = member("id", Kind::Id);
/// The lease under which somebody has a delivery.
pub(crate) const HELD_BY: Member = member("held_by", Kind::Id);

/// A row of a batch; what is null does not stand in it.
pub(crate) struct BatchRow(Vec<(&'static str, Value)>);

/// A row with these members.
pub(crate) fn row<const N: usize>(members: [(&'static str, Option<Value>); N]) -> BatchRow {
    BatchRow(members.into_iter().filter_map(|(name, value)| Some((name, value?))).collect())
}

impl BatchRow {
    fn id(&self) -> Option<String> {
        let (_, id) = self.0.iter().find(|(name, _)| *name == ID.name)?;
        id.as_str().map(ToOwned::to_owned)
    }

    /// The values of these members, for the placeholders of a statement.
    fn values(&self, members: &[Member]) -> Vec<Datum> {
        let value = |member: &Member| self.0.iter().find(|(name, _)| *name == member.name);
        let datum = |found: Option<&(_, Value)>| match found.map(|(_, value)| value) {
            None | Some(Value::Null) => Datum::Null,
            Some(Value::String(text)) => Datum::Text(text.clone()),
            Some(Value::Bool(value)) => Datum::Boolean(*value),
            Some(Value::Number(number)) => number.as_i64().map_or(Datum::Null, Datum::Integer),
            Some(document @ (Value::Array(_) | Value::Object(_))) => Datum::Json(document.clone()),
        };
        members.iter().map(|member| datum(value(member))).collect()
    }
}

impl Serialize for BatchRow {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// The rows as the one parameter that carries them.
fn batch(rows: &[BatchRow]) -> Result<Datum, StoreError> {
    let text = serde_json::to_string(rows).map_err(|error| StoreError::Refused(error.to_string()))?;
    Ok(Datum::Text(text))
}

/// What is done with the rows of a batch.
#[derive(Clone, Copy)]
pub(crate) enum Change {
    /// They are new in the table.
    Insert(&'static str),
    /// Those of the table that they name by `id` are changed.
    Update(&'static str),
    /// What they hold is kept from one event to the next.
    Remember,
}

/// An engine's own words for statements over batches.
#[derive(Clone, Copy)]
pub(crate) struct Words(pub Engine);

impl Words {
    /// The statement with the engine's placeholders.
    pub fn text(self, text: &str) -> String {
        dialect::placeholders(self.0, text)
    }

    pub fn quote(self, name: &str) -> String {
        dialect::quoted(self.0, name)
    }

    /// The batch as a table called `v`; its one placeholder is the document.
    fn table(self, members: &[Member]) -> String {
        match self.0 {
            // Its rows come one by one.
            Engine::Sqlite => String::new(),
            Engine::PostgreSql => {
                let columns = members
                    .iter()
                    .map(|member| format!("{} {}", self.quote(member.name), postgresql_type(member.kind)));
                format!("json_to_recordset(?) AS v ({})", columns.collect::<Vec<_>>().join(", "))
            }
            Engine::MySql | Engine::MongoDb => {
                let columns = members.iter().map(|member| {
                    format!("{} {} PATH '$.{}'", self.quote(member.name), mysql_type(member.kind), member.name)
                });
                format!("JSON_TABLE(?, '$[*]' COLUMNS ({})) AS v", columns.collect::<Vec<_>>().join(", "))
            }
        }
    }

    /// The same for PostgreSQL, read once, before a statement that names it `v`.
    fn with(self, members: &[Member]) -> String {
        format!("WITH v AS (SELECT * FROM {})", self.table(members))
    }

    /// The rows of `t` that PostgreSQL finds for the batch: by the index that begins with the member, whatever it believes of how many
    /// rows there are. As a mere join a plan that was made of an empty table reads all of it until statistics are taken again.
    fn found_by(self, member: Member) -> String {
        let name = self.quote(member.name);
        format!("t.{name} = v.{name} AND t.{name} = ANY (ARRAY (SELECT v.{name} FROM v))")
    }

    /// A member as a value of its column.
    pub fn value(self, member: Member) -> String {
        let Member { name, kind } = member;
        let named = format!("v.{}", self.quote(name));
        match self.0 {
            Engine::Sqlite => "?".to_owned(),
            Engine::PostgreSql if kind == Kind::Document => format!("{named}::jsonb"),
            Engine::PostgreSql => named,
            Engine::MySql | Engine::MongoDb => match kind {
                // The column's own character set, or its index would not be used.
                Kind::Id => format!("CONVERT({named} USING ascii)"),
                Kind::Time => format!("CAST(LEFT({named}, 23) AS DATETIME(3))"),
                Kind::Text | Kind::Number | Kind::Flag | Kind::Document => named,
            },
        }
    }

    /// The placeholder of a point in time.
    pub fn time(self) -> &'static str {
        match self.0 {
            Engine::Sqlite | Engine::PostgreSql => "?",
            Engine::MySql | Engine::MongoDb => "CAST(LEFT(?, 23) AS DATETIME(3))",
        }
    }

    /// What stands behind a query whose rows are to be had by nobody else until the transaction ends.
    pub fn locking(self) -> &'static str {
        match self.0 {
            Engine::Sqlite => "",
            Engine::PostgreSql | Engine::MySql | Engine::MongoDb => " FOR UPDATE",
        }
    }

    /// The same, leaving out rows that somebody else has.
    pub fn locking_free(self) -> &'static str {
        match self.0 {
            Engine::Sqlite => "",
            Engine::PostgreSql | Engine::MySql | Engine::MongoDb => " FOR UPDATE SKIP LOCKED",
        }
    }

    /// A member as it stands in a batch.
    pub fn flag(self, value: bool) -> Value {
        match self.0 {
            Engine::Sqlite | Engine::MySql | Engine::MongoDb => i64::from(value).into(),
            Engine::PostgreSql => value.into(),
        }
    }

    /// Has the transaction's statements follow indexes. Tables of a queue are never as their statistics say: what waited when they were
    /// taken has gone, and PostgreSQL would read all that was ever delivered to find what is new.
    pub async fn follow_indexes(self, transaction: &mut Transaction<'_>) -> Result<(), StoreError> {
        match self.0 {
            Engine::PostgreSql => {
                let text = "SELECT set_config('enable_seqscan', 'off', true), set_config('enable_sort', 'off', true)";
                transaction.execute(text, &[]).await.map(drop)
            }
            Engine::Sqlite | Engine::MySql | Engine::MongoDb => Ok(()),
        }
    }

    /// Does it with all of the rows.
    pub async fn change(
        self,
        transaction: &mut Transaction<'_>,
        change: Change,
        members: &[Member],
        rows: &[BatchRow],
    ) -> Result<(), StoreError> {
        if rows.is_empty() {
            return Ok(());
        }
        let statement = self.text(&match change {
            Change::Insert(table) => self.insert(table, members),
            Change::Update(table) => self.update(table, members),
            Change::Remember => self.remember(members),
        });
        match self.0 {
            Engine::Sqlite => {
                let members = in_order(change, members);
                for row in rows {
                    transaction.execute(&statement, &row.values(&members)).await?;
                }
            }
            Engine::PostgreSql | Engine::MySql | Engine::MongoDb => {
                transaction.execute(&statement, &[batch(rows)?]).await?;
            }
        }
        Ok(())
    }

    /// The same with deliveries, each only where the lease that stands in its row as [`HELD_BY`] is still good: of which ones it was.
    /// Nobody else can take those until the transaction ends.
    pub async fn change_held(
        self,
        transaction: &mut Transaction<'_>,
        members: &[Member],
        rows: Vec<BatchRow>,
    ) -> Result<BTreeSet<String>, StoreError> {
        if rows.is_empty() {
            return Ok(BTreeSet::new());
        }
        let table = "outbox_deliveries";
        // Only what somebody works on has a lease.
        let good = format!("t.lease = {}", self.value(HELD_BY));
        let with_lease: Vec<Member> = members.iter().copied().chain([HELD_BY]).collect();
        match self.0 {
            Engine::Sqlite => {
                let statement = format!("{} AND {good}", self.update(table, members));
                let mut given = in_order(Change::Update(table), members);
                given.push(HELD_BY);
                let mut held = BTreeSet::new();
                for row in &rows {
                    if transaction.execute(&statement, &row.values(&given)).await? > 0 {
                        held.extend(row.id());
                    }
                }
                Ok(held)
            }
            Engine::PostgreSql => {
                let (with, set, found) = (self.with(&with_lease), self.set(members, ""), self.found_by(ID));
                let statement =
                    format!("{with} UPDATE {table} AS t SET {set} FROM v WHERE {found} AND {good} RETURNING t.id");
                let held = transaction.read(&self.text(&statement), &[batch(&rows)?]).await?;
                held.iter().map(|row| text(row, 0)).collect()
            }
            Engine::MySql | Engine::MongoDb => {
                let same = format!("t.id = {} AND {good}", self.value(ID));
                // A batch has no rows that could be kept.
                let batch_of = self.table(&[ID, HELD_BY]);
                let query = format!("SELECT t.id FROM {batch_of} STRAIGHT_JOIN {table} AS t ON {same} FOR UPDATE");
                let held = transaction.read(&self.text(&query), &[batch(&rows)?]).await?;
                let held: BTreeSet<String> = held.iter().map(|row| text(row, 0)).collect::<Result<_, _>>()?;
                let kept: Vec<BatchRow> =
                    rows.into_iter().filter(|row| row.id().is_some_and(|id| held.contains(&id))).collect();
                self.change(transaction, Change::Update(table), members, &kept).await?;
                Ok(held)
            }
        }
    }

    /// The rows of a table, as `t`, of which a member is one of these.
    pub async fn of(
        self,
        transaction: &mut Transaction<'_>,
        outputs: &str,
        table: &str,
        of: Member,
        rows: &[BatchRow],
    ) -> Result<Vec<crate::Row>, StoreError> {
        let same = format!("t.{} = {}", of.name, self.value(of));
        match self.0 {
            Engine::Sqlite => {
                let query = format!("SELECT {outputs} FROM {table} AS t WHERE {same}");
                let mut found = Vec::new();
                for row in rows {
                    found.extend(transaction.read(&query, &row.values(&[of])).await?);
                }
                Ok(found)
            }
            Engine::PostgreSql => {
                let (with, found) = (self.with(&[of]), self.found_by(of));
                let query = self.text(&format!("{with} SELECT {outputs} FROM v JOIN {table} AS t ON {found}"));
                transaction.read(&query, &[batch(rows)?]).await
            }
            Engine::MySql | Engine::MongoDb => {
                let batch_of = self.table(&[of]);
                let query = format!("SELECT {outputs} FROM {batch_of} STRAIGHT_JOIN {table} AS t ON {same}");
                transaction.read(&self.text(&query), &[batch(rows)?]).await
            }
        }
    }

    /// What a query finds for each of the rows, which has two members: `query` is told how it finds them, and `between` is the value
    /// of its own placeholder, which stands between theirs.
    pub async fn each(
        self,
        transaction: &mut Transaction<'_>,
        query: impl Fn(&str, &str) -> String,
        members: &[Member; 2],
        rows: &[BatchRow],
        between: &Datum,
    ) -> Result<Vec<crate::Row>, StoreError> {
        let mut found = Vec::new();
        match self.0 {
            // One way there and back, however many there are.
            Engine::PostgreSql if !rows.is_empty() => {
                let [first, second] = members.map(|member| format!("v.{}", self.quote(member.name)));
                let query = query(&first, &second);
                let statement = format!("SELECT f.* FROM {} CROSS JOIN LATERAL ({query}) AS f", self.table(members));
                found = transaction.read(&self.text(&statement), &[batch(rows)?, between.clone()]).await?;
            }
            Engine::PostgreSql | Engine::Sqlite | Engine::MySql | Engine::MongoDb => {
                let statement = query("?", "?");
                for row in rows {
                    let mut values = row.values(members);
                    values.insert(1, between.clone());
                    found.extend(transaction.read(&statement, &values).await?);
                }
            }
        }
        Ok(found)
    }

    fn insert(self, table: &str, members: &[Member]) -> String {
        let columns: Vec<String> = members.iter().map(|member| self.quote(member.name)).collect();
        let values: Vec<String> = members.iter().map(|member| self.value(*member)).collect();
        let (columns, values) = (columns.join(", "), values.join(", "));
        match self.0 {
            Engine::Sqlite => format!("INSERT INTO {table} ({columns}) VALUES ({values})"),
            Engine::PostgreSql | Engine::MySql | Engine::MongoDb => {
                format!("INSERT INTO {table} ({columns}) SELECT {values} FROM {}", self.table(members))
            }
        }
    }

    /// Keeps the values of a batch, in the place of those that were kept of the same.
    fn remember(self, members: &[Member]) -> String {
        let insert = self.insert("outbox_remembered", members);
        let value = self.quote("value");
        match self.0 {
            Engine::Sqlite | Engine::PostgreSql => format!(
                "{insert} ON CONFLICT (integration, name, whose) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at"
            ),
            Engine::MySql | Engine::MongoDb => {
                format!("{insert} ON DUPLICATE KEY UPDATE {value} = VALUES({value}), updated_at = VALUES(updated_at)")
            }
        }
    }

    fn update(self, table: &str, members: &[Member]) -> String {
        let same = format!("t.id = {}", self.value(ID));
        match self.0 {
            Engine::Sqlite => format!("UPDATE {table} AS t SET {} WHERE {same}", self.set(members, "")),
            Engine::PostgreSql => {
                let (with, found) = (self.with(members), self.found_by(ID));
                format!("{with} UPDATE {table} AS t SET {} FROM v WHERE {found}", self.set(members, ""))
            }
            Engine::MySql | Engine::MongoDb => format!(
                "UPDATE {} STRAIGHT_JOIN {table} AS t ON {same} SET {}",
                self.table(members),
                self.set(members, "t.")
            ),
        }
    }

    fn set(self, members: &[Member], of: &str) -> String {
        let changed = members.iter().filter(|member| member.name != ID.name);
        let set = changed.map(|member| format!("{of}{} = {}", self.quote(member.name), self.value(*member)));
        set.collect::<Vec<_>>().join(", ")
    }
}

/// The members in the order in which a statement for one row has its placeholders.
fn in_order(change: Change, members: &[Member]) -> Vec<Member> {
    match change {
        Change::Insert(_) | Change::Remember => members.to_vec(),
        Change::Update(_) => members.iter().copied().filter(|member| member.name != ID.name).chain([ID]).collect(),
    }
}

fn postgresql_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Id => "uuid",
        Kind::Text | Kind::Document => "text",
        Kind::Number => "bigint",
        Kind::Flag => "boolean",
        Kind::Time => "timestamptz",
    }
}

fn mysql_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Id => "char(36)",
        Kind::Text | Kind::Document => "longtext",
        Kind::Number => "bigint",
        Kind::Flag => "tinyint",
        Kind::Time => "char(24)",
    }
}
