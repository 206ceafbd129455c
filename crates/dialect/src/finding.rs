//! What could be better in a database: how it stands comes in, with the tables that plans want in it; findings go out, each with what
//! was measured and with the statement that mends it. Nothing is claimed that the facts do not show.

mod counter;
mod guard;
mod index;
mod kind;
mod mend;
mod room;
mod server;
mod statement;
mod table;

#[cfg(test)]
mod tests;

use crate::relational;
pub use kind::columns_to_look_at;
pub use mend::quote as quoted;

use plan::database::{Compared, Condition, Table, Trial, Uniqueness};
use serde::Serialize;
use vocab::{Code, Engine, Severity};

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal;)*) => {
        $($(#[$doc])* pub const $name: Code = Code($code);)*

        /// Every code of a finding, in order.
        pub const ALL_CODES: &[Code] = &[$($name),*];
    };
}

codes! {
    /// Nothing finds the rows that lead to another one.
    KEY_WITHOUT_INDEX = "IP350";
    /// Nothing tells two rows of a table apart.
    NO_PRIMARY_KEY = "IP351";
    /// An index that a plan of the workspace wants is not there.
    LOOKUP_WITHOUT_INDEX = "IP352";
    /// Another index does what this one does.
    INDEX_TWICE = "IP353";
    /// Nothing is found by an index.
    INDEX_UNUSED = "IP354";
    /// What is counted comes to its end.
    COUNTER_ENDS = "IP355";
    /// Room that is taken by what is gone.
    ROOM_WASTED = "IP356";
    /// Statements are planned by what was never looked at, or long ago.
    STATISTICS_OLD = "IP357";
    /// Money or a quantity as a number that is not exact.
    NOT_EXACT = "IP358";
    /// A time of which nobody knows the zone.
    TIME_WITHOUT_ZONE = "IP359";
    /// Texts that are filled up with blanks.
    PADDED_TEXT = "IP360";
    /// Values that do not fit are cut without a word.
    CUT_SILENTLY = "IP361";
    /// Texts that not every character fits into.
    NOT_EVERY_CHARACTER = "IP362";
    /// A key of 32 bits of which much is used.
    SMALL_KEY = "IP363";
    /// Numbers that are kept as texts.
    NUMBER_AS_TEXT = "IP364";
    /// Policies that do not hold.
    POLICIES_OFF = "IP365";
    /// Policies that whoever is at work passes by.
    OWNER_PASSES_BY = "IP366";
    /// A rule that rows were not held against.
    RULE_NOT_VALID = "IP367";
    /// An index whose making was stopped.
    INDEX_NOT_WHOLE = "IP368";
    /// A statement that takes long.
    STATEMENT_SLOW = "IP369";
    /// Memory that does not go with the machine or with what is kept.
    MEMORY_SET_WRONG = "IP370";
    /// What was committed may be lost, or be damaged.
    NOT_DURABLE = "IP371";
    /// Readers wait for the one who writes.
    READERS_WAIT = "IP372";
    /// Nobody clears what is gone.
    NOBODY_CLEARS = "IP373";
}

/// Something that could be better.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Which rule.
    pub code: Code,
    /// How much it weighs.
    pub severity: Severity,
    /// Where: a table, a column of one, with the schema where there is one.
    pub place: String,
    /// What, in a sentence.
    pub message: String,
    /// Why that matters, with what was measured.
    pub why: String,
    /// What to do.
    pub mend: Mend,
    /// A statement that the mending serves, for the engine to explain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trial: Option<Trial>,
}

/// What makes a finding go away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mend {
    /// Statements for the engine's own client, in order.
    Statements(Vec<String>),
    /// A setting of the server, as its file has it.
    Setting(String),
    /// Something that no statement does, in words.
    ByHand(String),
}

/// Everything that could be better in a database, by code and place. `wanted` are the tables of every plan of the workspace on it; an
/// index is unused once that was counted for `unused_after` seconds.
#[must_use]
pub fn findings(engine: Engine, condition: &Condition, wanted: &[Table], unused_after: u64) -> Vec<Finding> {
    let about = About { engine, condition, wanted };
    let mut findings = index::keys(&about);
    findings.extend(table::without_key(&about));
    findings.extend(index::lookups(&about));
    findings.extend(index::twice(&about));
    findings.extend(index::not_whole(&about));
    findings.extend(index::unused(&about, unused_after));
    findings.extend(counter::ending(&about));
    findings.extend(room::wasted(&about));
    findings.extend(room::statistics(&about));
    findings.extend(statement::slow(&about));
    findings.extend(kind::lossy(&about));
    findings.extend(kind::numbers_as_text(&about));
    findings.extend(guard::rows(&about));
    findings.extend(guard::rules(&about));
    findings.sort_by(|left, right| (left.code, &left.place).cmp(&(right.code, &right.place)));
    findings
}

/// Everything that could be better in the settings of its server. `memory` is that of the machine, in bytes, where it is this one.
#[must_use]
pub fn of_server(engine: Engine, condition: &Condition, memory: Option<u64>) -> Vec<Finding> {
    let mut findings = server::findings(engine, condition, memory);
    findings.sort_by(|left, right| (left.code, &left.place).cmp(&(right.code, &right.place)));
    findings
}

/// What is judged.
struct About<'a> {
    engine: Engine,
    condition: &'a Condition,
    wanted: &'a [Table],
}

impl About<'_> {
    /// Where something is.
    fn place(&self, table: &str, within: &[String]) -> String {
        let within = within.join(",");
        let parts = [self.condition.schema.as_str(), table, &within].into_iter().filter(|part| !part.is_empty());
        parts.collect::<Vec<_>>().join(".")
    }

    /// A table as it stands in a statement for somebody who may be in any schema.
    fn table(&self, table: &str) -> String {
        match self.condition.schema.as_str() {
            "" => mend::quote(self.engine, table),
            schema => format!("{}.{}", mend::quote(self.engine, schema), mend::quote(self.engine, table)),
        }
    }

    fn rows(&self, table: &str) -> u64 {
        self.condition.measure(table).map_or(0, |measure| measure.rows)
    }

    /// The indexes that plans want of a table, with the columns in the words of the engine's catalogue.
    fn wanted_indexes(&self, table: &str) -> Vec<WantedIndex> {
        let tables = self.wanted.iter().filter(|wanted| wanted.name.as_str() == table);
        let mut indexes = Vec::new();
        for wanted in tables {
            let described = crate::described(self.engine, wanted).indexes;
            for index in &wanted.rules.indexes {
                if let Some(found) = described.iter().find(|found| found.name == index.name.as_str()) {
                    indexes.push(WantedIndex {
                        name: found.name.clone(),
                        columns: found.columns.clone(),
                        parts: relational::indexed(crate::words(self.engine), wanted, index),
                        why: index.why.clone(),
                        is_ordered: index.compared == Compared::Order,
                        is_unique: index.uniqueness == Uniqueness::Unique,
                    });
                }
            }
        }
        indexes.sort_by(|left, right| left.name.cmp(&right.name));
        indexes.dedup_by(|left, right| left.name == right.name);
        indexes
    }
}

/// An index that a plan wants.
struct WantedIndex {
    name: String,
    /// Its columns as the engine's catalogue shows them.
    columns: Vec<String>,
    /// The same as they stand in a statement.
    parts: Vec<String>,
    why: String,
    /// Whether rows are found by their order in it, and not by values.
    is_ordered: bool,
    is_unique: bool,
}

/// A number of rows as people read it.
fn counted(rows: u64) -> String {
    match rows {
        1 => "1 row".to_owned(),
        rows => format!("{} rows", digits(rows)),
    }
}

/// A number with its thousands apart.
fn digits(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A size as people read it.
fn sized(bytes: u64) -> String {
    match bytes {
        0..1_048_576 => format!("{} kB", bytes / 1024),
        1_048_576..10_737_418_240 => format!("{} MB", digits(bytes >> 20)),
        _ => format!("{} GB", digits(bytes >> 30)),
    }
}
