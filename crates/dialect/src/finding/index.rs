//! Indexes that are missing, and indexes that are there twice.

use super::{
    About, Finding, INDEX_NOT_WHOLE, INDEX_TWICE, INDEX_UNUSED, KEY_WITHOUT_INDEX, LOOKUP_WITHOUT_INDEX, Mend,
    WantedIndex, counted, mend, sized,
};
use plan::database::{MeasuredIndex, ObservedForeignKey, ObservedTable};
use vocab::{Engine, Severity};

/// Keys whose rows nothing finds.
pub fn keys(about: &About<'_>) -> Vec<Finding> {
    let tables = about.condition.tables.iter();
    tables.flat_map(|table| open_keys(about, table).map(|key| key_without_index(about, table, key))).collect()
}

fn open_keys<'a>(
    about: &'a About<'_>,
    table: &'a ObservedTable,
) -> impl Iterator<Item = &'a ObservedForeignKey> + use<'a> {
    table.foreign_keys.iter().filter(|key| {
        !begins_with(&table.primary_key, &key.columns)
            && !about.condition.indexes_of(&table.name).any(|index| finds(index, &key.columns))
    })
}

/// Whether an index finds rows by the values of the columns: they come first in it, in whatever order. One that is not whole is said to
/// be so by [`not_whole`].
fn finds(index: &MeasuredIndex, columns: &[String]) -> bool {
    // A key that leads nowhere has no row to be found.
    let holds_all = index.rows.as_ref().is_none_or(|rows| match columns {
        [column] => {
            rows.trim_matches(['(', ')']).replace(['"', '`'], "").eq_ignore_ascii_case(&format!("{column} is not null"))
        }
        _ => false,
    });
    holds_all && begins_with(&index.columns, columns)
}

fn begins_with(index: &[String], columns: &[String]) -> bool {
    index.len() >= columns.len() && index[..columns.len()].iter().all(|first| columns.contains(first))
}

fn key_without_index(about: &About<'_>, table: &ObservedTable, key: &ObservedForeignKey) -> Finding {
    let rows = counted(about.rows(&table.name));
    let planned =
        about.wanted_indexes(&table.name).into_iter().find(|index| leads_with(about.engine, index, &key.columns));
    let words: Vec<&str> = [table.name.as_str()].into_iter().chain(key.columns.iter().map(String::as_str)).collect();
    let parts: Vec<String> = key.columns.iter().map(|column| mend::part(about.engine, column)).collect();
    let (name, parts, unique) = match planned {
        Some(index) => (index.name, index.parts, unique(index.is_unique)),
        None => (crate::name::joined(&words, "idx"), parts, ""),
    };
    Finding {
        code: KEY_WITHOUT_INDEX,
        severity: Severity::Warning,
        place: about.place(&table.name, &key.columns),
        message: format!("no index finds the rows of `{}` by their key to `{}`", table.name, key.table),
        why: format!("whoever removes a row of `{}`, or asks for what belongs to one, has all {rows} read", key.table),
        trial: Some(mend::trial(about, &table.name, &parts, false)),
        mend: Mend::Statements(vec![mend::create_index(about, &table.name, &name, &parts, unique)]),
    }
}

fn leads_with(engine: Engine, index: &WantedIndex, columns: &[String]) -> bool {
    let columns: Vec<String> = columns.iter().map(|column| crate::index_column(engine, column)).collect();
    begins_with(&index.columns, &columns)
}

fn unique(is_unique: bool) -> &'static str {
    if is_unique { "UNIQUE " } else { "" }
}

/// What endpoints and their lists look for, and what no index finds. What a key lacks is said by [`keys`].
pub fn lookups(about: &About<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for table in &about.condition.tables {
        let open: Vec<&ObservedForeignKey> = open_keys(about, table).collect();
        for wanted in about.wanted_indexes(&table.name) {
            let is_there = table.indexes.iter().any(|index| index.columns.starts_with(&wanted.columns));
            let of_key = |key: &&ObservedForeignKey| leads_with(about.engine, &wanted, &key.columns);
            if is_there || open.iter().any(of_key) {
                continue;
            }
            let (name, parts) = (&wanted.name, &wanted.parts);
            findings.push(Finding {
                code: LOOKUP_WITHOUT_INDEX,
                severity: Severity::Warning,
                place: about.place(&table.name, &wanted.columns),
                message: format!("the index `{name}` of a plan of the workspace is missing: {}", wanted.why),
                why: format!("each such request reads all {}", counted(about.rows(&table.name))),
                trial: Some(mend::trial(about, &table.name, parts, wanted.is_ordered)),
                mend: Mend::Statements(vec![mend::create_index(
                    about,
                    &table.name,
                    name,
                    parts,
                    unique(wanted.is_unique),
                )]),
            });
        }
    }
    findings
}

/// Indexes that hold what another one holds. One that a plan wants stays: a run would make it again.
pub fn twice(about: &About<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for table in &about.condition.tables {
        let planned: Vec<String> = about.wanted_indexes(&table.name).into_iter().map(|index| index.name).collect();
        for index in about.condition.indexes_of(&table.name) {
            if index.is_needed || !index.is_whole || planned.contains(&index.name) {
                continue;
            }
            let others = about.condition.indexes_of(&table.name).filter(|other| other.name != index.name);
            let Some(other) = others.filter(|other| other.is_whole).find(|other| does_the_same(index, other)) else {
                continue;
            };
            let how = if other.parts == index.parts { "holds the same" } else { "begins with the same" };
            findings.push(Finding {
                code: INDEX_TWICE,
                severity: Severity::Advice,
                place: about.place(&table.name, std::slice::from_ref(&index.name)),
                message: format!("the index `{}` is there twice: `{}` {how}", index.name, other.name),
                why: format!(
                    "every write of `{}` ({}) keeps both, and nothing is found by it that the other does not find",
                    table.name,
                    counted(about.rows(&table.name))
                ),
                mend: Mend::Statements(vec![mend::drop_index(about, index)]),
                trial: None,
            });
        }
    }
    findings
}

/// Whether `other` does everything that `index` does. Of two that are the same, the one that something needs stays, else the one
/// whose name comes first.
fn does_the_same(index: &MeasuredIndex, other: &MeasuredIndex) -> bool {
    if (&index.kind, &index.rows) != (&other.kind, &other.rows) || !other.parts.starts_with(&index.parts) {
        return false;
    }
    match (index.parts.len() == other.parts.len(), index.is_unique, other.is_unique) {
        (true, false, true) => true,
        (true, true, false) => false,
        (true, ..) => other.is_needed || index.name > other.name,
        (false, is_unique, _) => !is_unique,
    }
}

/// Indexes whose making was stopped: every write keeps them, and no reader uses them.
pub fn not_whole(about: &About<'_>) -> Vec<Finding> {
    let indexes = about.condition.indexes.iter().filter(|index| !index.is_whole);
    let finding = |index: &MeasuredIndex| {
        let rows = counted(about.rows(&index.table));
        let (why, statement) = match index.is_unique {
            true => ("rows may contradict it: make it again once they do not", mend::drop_index(about, index)),
            false => ("it is made anew beside those at work", mend::remake_index(about, index)),
        };
        Finding {
            code: INDEX_NOT_WHOLE,
            severity: Severity::Warning,
            place: about.place(&index.table, std::slice::from_ref(&index.name)),
            message: format!("the making of index `{}` was stopped, and it is not read from", index.name),
            why: format!("every write of `{}` ({rows}) keeps it for nothing; {why}", index.table),
            mend: Mend::Statements(vec![statement]),
            trial: None,
        }
    };
    indexes.map(finding).collect()
}

/// Rows below which an index that nobody uses costs nothing that could be measured.
const ROWS_WORTH_AN_INDEX: u64 = 1000;

/// Indexes by which nothing was found, as far as that was counted for long enough. One that finds the rows of a key stays: it is
/// needed when a row goes, however seldom. So does one that a plan wants, and one that keeps values unique.
pub fn unused(about: &About<'_>, unused_after: u64) -> Vec<Finding> {
    let Some(counted_for) = about.condition.counted_for.filter(|seconds| *seconds >= unused_after) else {
        return Vec::new();
    };
    let mut findings = Vec::new();
    for table in &about.condition.tables {
        let planned = about.wanted_indexes(&table.name);
        let rows = about.rows(&table.name);
        for index in about.condition.indexes_of(&table.name) {
            let serves_key = table.foreign_keys.iter().any(|key| finds(index, &key.columns));
            let is_planned = planned.iter().any(|wanted| wanted.name == index.name);
            let is_kept = index.is_unique || index.is_needed || !index.is_whole || serves_key || is_planned;
            if is_kept || index.uses != Some(0) || rows < ROWS_WORTH_AN_INDEX {
                continue;
            }
            findings.push(Finding {
                code: INDEX_UNUSED,
                severity: Severity::Advice,
                place: about.place(&table.name, std::slice::from_ref(&index.name)),
                message: format!("nothing was found by the index `{}`", index.name),
                why: format!(
                    "in {} days of counting, on this server, since it was made; every write of `{}` ({}) keeps it{}",
                    counted_for / 86_400,
                    table.name,
                    counted(rows),
                    if index.bytes > 0 { format!(", and it takes {}", sized(index.bytes)) } else { String::new() }
                ),
                mend: Mend::Statements(vec![mend::drop_index(about, index)]),
                trial: None,
            });
        }
    }
    findings
}
