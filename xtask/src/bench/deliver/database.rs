//! The database under a benchmark of deliveries, asked with the programs of the engine: events that nobody has delivered yet go in, and what
//! has become of them comes out.

use super::super::said;
use std::ops::Range;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

/// Characters beside the number, so that an event has about 1 KB.
pub const TEXT_LENGTH: usize = 960;
const POLL: Duration = Duration::from_millis(100);
/// Statements come as arguments; what a query answers is printed.
const PYTHON: &str = "import sqlite3, sys\nc = sqlite3.connect(sys.argv[1], timeout=30, isolation_level=None)\nfor row in c.execute(sys.argv[2]): print('|'.join(str(v) for v in row))";

/// Where the events are.
pub enum Database {
    /// A file of SQLite.
    Sqlite(PathBuf),
    /// A database of a PostgreSQL server, by its URL.
    PostgreSql(String),
}

impl Database {
    fn ask(&self, statement: &str) -> Result<String, String> {
        match self {
            Self::Sqlite(file) => said(Command::new("python3").args(["-c", PYTHON]).arg(file).arg(statement)),
            Self::PostgreSql(url) => {
                said(Command::new("psql").args(["-qAt", "-v", "ON_ERROR_STOP=1", "-d", url, "-c", statement]))
            }
        }
    }

    fn number(&self, query: &str) -> Result<u64, String> {
        let answer = self.ask(query)?;
        answer.trim().parse().map_err(|_| format!("`{query}` answered `{answer}`"))
    }

    /// Commits an event for each of these parcels, to the destinations in turn.
    pub fn put(&self, parcels: &Range<usize>, destinations: usize) -> Result<(), String> {
        let (first, last) = (parcels.start, parcels.end - 1);
        self.ask(&match self {
            Self::Sqlite(_) => format!(
                "WITH RECURSIVE n(n) AS (VALUES ({first}) UNION ALL SELECT n + 1 FROM n WHERE n < {last}), \
                 at(ms) AS (SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER)) \
                 INSERT INTO outbox_events (id, name, payload, occurred_at) \
                 SELECT printf('%08x-%04x-7000-8000-%012x', ms >> 16, ms & 65535, n), printf('parcel_%02d', n % {destinations}), \
                 printf('{{\"number\":%d,\"text\":\"%s\"}}', n, replace(hex(zeroblob({TEXT_LENGTH} / 2)), '00', 'ab')), \
                 strftime('%Y-%m-%dT%H:%M:%fZ', 'now') FROM n, at"
            ),
            Self::PostgreSql(_) => format!(
                "INSERT INTO outbox_events (id, name, payload, occurred_at) \
                 SELECT (lpad(to_hex((extract(epoch FROM now()) * 1000)::bigint), 12, '0') || '70008000' || lpad(to_hex(n), 12, '0'))::uuid, \
                 'parcel_' || lpad((n % {destinations})::text, 2, '0'), json_build_object('number', n, 'text', repeat('ab', {TEXT_LENGTH} / 2))::jsonb, now() \
                 FROM generate_series({first}, {last}) AS n"
            ),
        })
        .map(drop)
    }

    /// Events and deliveries that have not come out well.
    pub fn unfinished(&self) -> Result<u64, String> {
        self.number("SELECT (SELECT count(*) FROM outbox_events WHERE dispatched_at IS NULL) + (SELECT count(*) FROM outbox_deliveries WHERE state <> 'delivered')")
    }

    /// Deliveries that were given up.
    pub fn dead(&self) -> Result<u64, String> {
        self.number("SELECT count(*) FROM outbox_deliveries WHERE state = 'dead'")
    }

    /// Events that came from outside and were kept.
    pub fn received(&self) -> Result<u64, String> {
        self.number("SELECT count(*) FROM inbox_events")
    }

    /// Until everything has come out well, and how long that took.
    pub fn finishes(&self, within: Duration) -> Result<Duration, String> {
        let begun = Instant::now();
        loop {
            let left = self.unfinished()?;
            match left {
                0 => return Ok(begun.elapsed()),
                _ if begun.elapsed() > within => {
                    let dead = self.dead()?;
                    return Err(format!(
                        "{left} deliveries have not come out well after {within:?}, {dead} were given up"
                    ));
                }
                _ => std::thread::sleep(POLL),
            }
        }
    }
}
