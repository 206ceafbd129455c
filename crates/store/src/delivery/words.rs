//! How each engine is given many rows at once: a document of them comes in with the statement, and they stand in it as a table.
//! One statement and one way there and back for a batch, however many rows it has.

use serde_json::{Map, Value};
use vocab::{Datum, Engine};

/// A column of a batch.
#[derive(Clone, Copy)]
pub(super) struct Member {
    pub name: &'static str,
    pub kind: Kind,
}

/// What a column of a batch holds.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Kind {
    Id,
    Text,
    Number,
    Flag,
    Time,
    /// A document, which stands in the batch as its text.
    Document,
}

/// A member of that name.
pub(super) const fn member(name: &'static str, kind: Kind) -> Member {
    Member { name, kind }
}

/// A row of a batch; what is null does not stand in it.
pub(super) fn row<const N: usize>(members: [(&str, Option<Value>); N]) -> Value {
    let given = members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(given.collect::<Map<_, _>>())
}

/// The rows as the one parameter that carries them.
pub(super) fn batch(rows: Vec<Value>) -> Datum {
    Datum::Text(Value::Array(rows).to_string())
}

/// An engine's own words for statements over batches.
#[derive(Clone, Copy)]
pub(super) struct Words(pub Engine);

impl Words {
    /// The statement with the engine's placeholders.
    pub fn text(self, text: &str) -> String {
        dialect::placeholders(self.0, text)
    }

    pub fn quote(self, name: &str) -> String {
        dialect::quoted(self.0, name)
    }

    /// The batch as a table called `v`; its one placeholder is the document.
    pub fn table(self, members: &[Member]) -> String {
        match self.0 {
            Engine::Sqlite => "json_each(?) AS v".to_owned(),
            Engine::PostgreSql => {
                let columns = members
                    .iter()
                    .map(|member| format!("{} {}", self.quote(member.name), postgresql_type(member.kind)));
                format!("json_to_recordset(?) AS v ({})", columns.collect::<Vec<_>>().join(", "))
            }
            Engine::MySql => {
                let columns = members.iter().map(|member| {
                    format!("{} {} PATH '$.{}'", self.quote(member.name), mysql_type(member.kind), member.name)
                });
                format!("JSON_TABLE(?, '$[*]' COLUMNS ({})) AS v", columns.collect::<Vec<_>>().join(", "))
            }
        }
    }

    /// A member as a value of its column.
    pub fn value(self, member: Member) -> String {
        let Member { name, kind } = member;
        let named = format!("v.{}", self.quote(name));
        match self.0 {
            // Whether is 0 or 1 there.
            Engine::Sqlite => format!("v.value ->> '$.{name}'"),
            Engine::PostgreSql if kind == Kind::Document => format!("{named}::jsonb"),
            Engine::PostgreSql => named,
            Engine::MySql => match kind {
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
            Engine::MySql => "CAST(LEFT(?, 23) AS DATETIME(3))",
        }
    }

    /// What stands behind a query whose rows are to be had by nobody else until the transaction ends.
    pub fn locking(self) -> &'static str {
        match self.0 {
            Engine::Sqlite => "",
            Engine::PostgreSql | Engine::MySql => " FOR UPDATE",
        }
    }

    /// The same, leaving out rows that somebody else has.
    pub fn locking_free(self) -> &'static str {
        match self.0 {
            Engine::Sqlite => "",
            Engine::PostgreSql | Engine::MySql => " FOR UPDATE SKIP LOCKED",
        }
    }

    /// The same for the rows of one table of several.
    pub fn locking_of(self, table: &str) -> String {
        match self.0 {
            Engine::Sqlite => String::new(),
            Engine::PostgreSql => format!(" FOR UPDATE OF {table}"),
            // A batch has no rows that could be kept.
            Engine::MySql => " FOR UPDATE".to_owned(),
        }
    }

    /// A member as it stands in a batch.
    pub fn flag(self, value: bool) -> Value {
        match self.0 {
            Engine::Sqlite | Engine::MySql => i64::from(value).into(),
            Engine::PostgreSql => value.into(),
        }
    }

    /// Inserts the rows of a batch.
    pub fn insert(self, table: &str, members: &[Member]) -> String {
        self.text(&self.inserted(table, members))
    }

    fn inserted(self, table: &str, members: &[Member]) -> String {
        let columns: Vec<String> = members.iter().map(|member| self.quote(member.name)).collect();
        let values: Vec<String> = members.iter().map(|member| self.value(*member)).collect();
        let (columns, values) = (columns.join(", "), values.join(", "));
        format!("INSERT INTO {table} ({columns}) SELECT {values} FROM {}", self.table(members))
    }

    /// Keeps the values of a batch, in the place of those that were kept of the same.
    pub fn remember(self, members: &[Member]) -> String {
        let insert = self.inserted("outbox_remembered", members);
        let value = self.quote("value");
        self.text(&match self.0 {
            // Without a condition SQLite would read the rest as that of a join.
            Engine::Sqlite | Engine::PostgreSql => format!(
                "{insert} WHERE true ON CONFLICT (integration, name, whose) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at"
            ),
            Engine::MySql => {
                format!("{insert} ON DUPLICATE KEY UPDATE {value} = VALUES({value}), updated_at = VALUES(updated_at)")
            }
        })
    }

    /// Changes the rows of a table that a batch names by `id`.
    pub fn update(self, table: &str, members: &[Member]) -> String {
        let id = member("id", Kind::Id);
        let set = |of: &str| {
            let changed = members.iter().filter(|member| member.name != "id");
            changed
                .map(|member| format!("{of}{} = {}", self.quote(member.name), self.value(*member)))
                .collect::<Vec<_>>()
        };
        let (rows, same) = (self.table(members), format!("t.id = {}", self.value(id)));
        self.text(&match self.0 {
            Engine::Sqlite | Engine::PostgreSql => {
                format!("UPDATE {table} AS t SET {} FROM {rows} WHERE {same}", set("").join(", "))
            }
            Engine::MySql => format!("UPDATE {rows} STRAIGHT_JOIN {table} AS t ON {same} SET {}", set("t.").join(", ")),
        })
    }

    /// Rows of a table, as `t`, that a batch names by one of its members.
    pub fn joined(self, outputs: &str, table: &str, members: &[Member], on: &str) -> String {
        let rows = self.table(members);
        let join = match self.0 {
            Engine::Sqlite => "CROSS JOIN",
            Engine::PostgreSql => "JOIN",
            Engine::MySql => "STRAIGHT_JOIN",
        };
        format!("SELECT {outputs} FROM {rows} {join} {table} AS t ON {on}")
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
