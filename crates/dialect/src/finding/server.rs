//! Settings of a server: what may be lost by them, and whether they go with the machine and with what is kept.

use super::{CUT_SILENTLY, Finding, MEMORY_SET_WRONG, Mend, NOBODY_CLEARS, NOT_DURABLE, READERS_WAIT, digits, sized};
use plan::database::Condition;
use vocab::{Code, Engine, Severity};

/// What could be better.
pub fn findings(engine: Engine, condition: &Condition, memory: Option<u64>) -> Vec<Finding> {
    let mut findings = match engine {
        Engine::PostgreSql => postgresql(condition),
        Engine::MySql => mysql(condition),
        Engine::Sqlite | Engine::MongoDb => sqlite(condition),
    };
    if let Some(memory) = memory {
        findings.extend(match engine {
            Engine::PostgreSql => memory_of_postgresql(condition, memory),
            Engine::MySql => memory_of_mysql(condition, memory),
            Engine::Sqlite | Engine::MongoDb => Vec::new(),
        });
    }
    findings
}

fn finding(code: Code, severity: Severity, place: &str, message: String, why: String, wanted: &str) -> Finding {
    let mend = Mend::Setting(format!("{place} = {wanted}"));
    Finding { code, severity, place: place.to_owned(), message, why, mend, trial: None }
}

fn setting<'c>(condition: &'c Condition, name: &str) -> Option<&'c str> {
    condition.settings.get(name).map(String::as_str)
}

fn size(condition: &Condition, name: &str) -> Option<u64> {
    setting(condition, name)?.parse().ok()
}

/// <https://www.postgresql.org/docs/current/runtime-config-wal.html>
fn postgresql(condition: &Condition) -> Vec<Finding> {
    let off = |name: &str, code, why: &str| {
        let message = format!("`{name}` is off");
        let is_off = setting(condition, name) == Some("off");
        is_off.then(|| finding(code, Severity::Warning, name, message, why.to_owned(), "on"))
    };
    let damaged = "when the machine stops, the database may be damaged beyond repair";
    let lost = "when the server stops, what was committed in the last moment may be gone";
    let grows = "rows that are gone are never cleared: tables grow, and at last nothing can be written";
    [
        off("fsync", NOT_DURABLE, damaged),
        off("full_page_writes", NOT_DURABLE, damaged),
        off("synchronous_commit", NOT_DURABLE, lost),
        off("autovacuum", NOBODY_CLEARS, grows),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// <https://dev.mysql.com/doc/refman/8.4/en/innodb-parameters.html>
fn mysql(condition: &Condition) -> Vec<Finding> {
    let mut findings = Vec::new();
    let name = "innodb_flush_log_at_trx_commit";
    if let Some(value) = setting(condition, name).filter(|value| *value != "1") {
        let message = format!("`{name}` is {value}");
        let why = "when the machine stops, what was committed in the last second may be gone".to_owned();
        findings.push(finding(NOT_DURABLE, Severity::Warning, name, message, why, "1"));
    }
    let name = "innodb_doublewrite";
    if setting(condition, name).is_some_and(|value| matches!(value, "0" | "OFF")) {
        let why = "when the machine stops within a write, a page may be damaged beyond repair".to_owned();
        findings.push(finding(NOT_DURABLE, Severity::Warning, name, format!("`{name}` is off"), why, "ON"));
    }
    if let Some(modes) = setting(condition, "sql_mode").filter(|modes| !modes.contains("STRICT_")) {
        let message = "the server cuts values that do not fit".to_owned();
        let why =
            "a text that is too long, or a number that is too large, is stored as something else without an error"
                .to_owned();
        let wanted = ["STRICT_TRANS_TABLES", modes].into_iter().filter(|mode| !mode.is_empty()).collect::<Vec<_>>();
        findings.push(finding(CUT_SILENTLY, Severity::Warning, "sql_mode", message, why, &wanted.join(",")));
    }
    findings
}

/// <https://www.sqlite.org/wal.html>
fn sqlite(condition: &Condition) -> Vec<Finding> {
    let is_open = setting(condition, "journal_mode") == Some("delete");
    let why = format!("of {} nobody reads while somebody writes, and the other way round", sized(condition.bytes));
    let finding = || Finding {
        code: READERS_WAIT,
        severity: Severity::Advice,
        place: "journal_mode".to_owned(),
        message: "readers and writers of the file wait for each other".to_owned(),
        why,
        mend: Mend::Statements(vec!["PRAGMA journal_mode = WAL".to_owned()]),
        trial: None,
    };
    is_open.then(finding).into_iter().collect()
}

/// A share of the machine that a server with little to do otherwise may have for what it keeps in memory, and more than it should take.
const USUAL_PART: u64 = 4;
const SMALL_PART: u64 = 8;

/// <https://www.postgresql.org/docs/current/runtime-config-resource.html>: a quarter of the memory is where to begin, and more than
/// 40 % hardly ever helps.
fn memory_of_postgresql(condition: &Condition, memory: u64) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut push = |severity, place: &str, message: String, why: String, wanted: u64| {
        let wanted = format!("{}MB", (wanted >> 20).max(1));
        findings.push(finding(MEMORY_SET_WRONG, severity, place, message, why, &wanted));
    };
    let Some(buffers) = size(condition, "shared_buffers") else { return findings };
    let machine = format!("the machine has {}", sized(memory));
    if let Some(why) = too_small(condition, buffers, memory) {
        push(
            Severity::Advice,
            "shared_buffers",
            "the server keeps little in memory".to_owned(),
            why,
            memory / USUAL_PART,
        );
    } else if buffers > memory / 2 {
        let message = "the server takes most of the memory".to_owned();
        let why = format!("{} of {}; the system reads files through the rest", sized(buffers), sized(memory));
        push(Severity::Warning, "shared_buffers", message, why, memory / USUAL_PART);
    }
    if let Some(cache) = size(condition, "effective_cache_size").filter(|cache| *cache > memory) {
        let message = "statements are planned for memory that is not there".to_owned();
        push(Severity::Advice, "effective_cache_size", message, format!("{}; {machine}", sized(cache)), memory / 4 * 3);
    }
    let both = size(condition, "work_mem").zip(size(condition, "max_connections"));
    if let Some((work, connections)) = both.filter(|(work, connections)| work * connections > memory) {
        let message = "all connections together may sort in more memory than there is".to_owned();
        let (each, all) = (sized(work), sized(work * connections));
        let why = format!("{} connections with {each} for each sort are {all}; {machine}", digits(connections));
        push(Severity::Warning, "work_mem", message, why, memory / 2 / connections.max(1));
    }
    findings
}

/// <https://dev.mysql.com/doc/refman/8.4/en/innodb-buffer-pool-resize.html>
fn memory_of_mysql(condition: &Condition, memory: u64) -> Vec<Finding> {
    let name = "innodb_buffer_pool_size";
    let Some(pool) = size(condition, name) else { return Vec::new() };
    let (severity, message, why, part) = match too_small(condition, pool, memory) {
        Some(why) => (Severity::Advice, "the server keeps little in memory", why, USUAL_PART),
        None if pool > memory / 10 * 9 => {
            let why = format!("{} of {}; connections need some besides", sized(pool), sized(memory));
            (Severity::Warning, "the server takes all of the memory", why, 2)
        }
        None => return Vec::new(),
    };
    let wanted = (((memory / part) >> 20) << 20).to_string();
    vec![finding(MEMORY_SET_WRONG, severity, name, message.to_owned(), why, &wanted)]
}

/// Why what a server keeps in memory is too little: it keeps less than there is to keep, and the machine has much more.
fn too_small(condition: &Condition, kept: u64, memory: u64) -> Option<String> {
    let (of, machine) = (sized(condition.bytes), sized(memory));
    (kept < condition.bytes && kept < memory / SMALL_PART)
        .then(|| format!("{} for a database of {of}, and the machine has {machine}", sized(kept)))
}
