//! The database part: the tables wanted, what a server holds and what the active plan made come in, the migrations that make
//! the one of the other go out. What would lose something is done only where that is allowed, and named one by one; what may
//! have been renamed is asked about, never guessed.

mod compare;
mod migration;
mod rename;

pub use rename::{RenamedColumn, RenamedTable, Renames};

use crate::codes::{CHANGE_REFUSED, DATA_WOULD_BE_LOST, PERHAPS_RENAMED, TABLE_DIFFERS};
use crate::key::{Origin, RecordKey};
use compare::{Comparison, Sides, compare};
use dialect::change::{Change, Rows, TableChange};
use migration::Steps;
use plan::database::{
    Applied, Column, Connection, Nullability, ObservedRule, ObservedTable, Pool, Statement, Uniqueness,
};
use plan::{DatabasePlan, Decision, Observed, Phase, Table};
use vocab::{ColumnName, Diagnostic, Engine, FieldType, Place, TableName};

/// Where the tables are wanted, and by whom.
pub struct Target {
    pub engine: Engine,
    pub connection: Connection,
    pub pool: Pool,
}

/// What becomes of what the task no longer names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unnamed {
    /// It goes, if that is allowed.
    Goes,
    /// It stays, unless it may go: rows of an API outlive its endpoints.
    Stays,
}

/// What a plan may do to a database besides adding to it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Allowed {
    /// What was changed by hand.
    pub drift: Drift,
    /// What loses something.
    pub loss: Loss,
}

/// What becomes of a table that somebody has changed by hand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Drift {
    /// Nothing is built on it.
    #[default]
    Refused,
    /// It becomes as it should be.
    Mended,
}

/// What becomes of a change that loses something.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Loss {
    /// It is not made, and what would be lost is named.
    #[default]
    Refused,
    /// It is made.
    Allowed,
}

/// Everything a design is made from besides the tables.
pub struct Circumstances<'a> {
    pub target: Target,
    /// What becomes of what the active plan made and the task no longer names.
    pub unnamed: Unnamed,
    pub observed: &'a Observed,
    pub renames: &'a Renames,
    pub allowed: Allowed,
    pub place: &'a Place,
}

/// `further` are statements about tables that another task has made.
pub fn design(
    wanted: &[Table],
    further: Vec<Statement>,
    circumstances: Circumstances<'_>,
) -> Result<DatabasePlan, Vec<Diagnostic>> {
    let mut design =
        Design { on: &circumstances, problems: Vec::new(), steps: Steps::new(circumstances.target.engine) };
    let mut new = Vec::new();
    for table in wanted {
        let found = design.found(table);
        // A task that comes to a table of another one can make it alone as well, where nothing is there yet.
        if found.as_ref().is_none_or(|found| found.known.is_none()) {
            new.push(table.clone());
        }
        if let Some(found) = found {
            design.change(table, found);
        }
    }
    design.steps.create(&new);
    design.steps.further(further);
    design.drop_tables(wanted);
    let Design { problems, steps, .. } = design;
    if !problems.is_empty() {
        return Err(problems);
    }
    let Circumstances { target, observed, .. } = circumstances;
    let mut migrations = observed.active.as_ref().map_or_else(Vec::new, |plan| plan.migrations.clone());
    migrations.extend(steps.into_migrations(migrations.len()));
    let Target { engine, connection, pool } = target;
    Ok(DatabasePlan { engine, connection, tables: wanted.to_vec(), pool, migrations })
}

/// Tables of another task must be there as that task made them.
pub fn check_drift(
    engine: Engine,
    tables: &[Table],
    observed: &Observed,
    place: &Place,
) -> Result<(), Vec<Diagnostic>> {
    let mut problems = Vec::new();
    for table in tables {
        let Some(found) = observed.tables.iter().find(|found| found.name == table.name.as_str()) else { continue };
        let differences = drift(engine, Some(table), table, found);
        if !differences.is_empty() {
            problems.push(differs(&table.name, &differences.join("; "), place));
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

fn differs(table: &TableName, how: &str, place: &Place) -> Diagnostic {
    Diagnostic::error(TABLE_DIFFERS, format!("table `{table}` is there and differs: {how}"), place).with_help(MEND)
}

const MEND: &str =
    "`producer db diff TASK` shows it, and `producer db migrate TASK` makes it as it should be; or change it back";

struct Design<'c> {
    on: &'c Circumstances<'c>,
    problems: Vec<Diagnostic>,
    steps: Steps,
}

/// A table that is there, under the names it will have.
struct Found {
    table: ObservedTable,
    known: Option<Table>,
    renamed_from: Option<TableName>,
    old_triggers: Vec<ObservedRule>,
    renamed_columns: Vec<(ColumnName, ColumnName)>,
    /// How it is not as the active plan has it, under the names it has now.
    drift: Vec<String>,
}

impl<'c> Design<'c> {
    fn before(&self) -> &'c [Table] {
        self.on.observed.active.as_ref().map_or(&[], |plan| &plan.tables)
    }

    /// The table as it is; `None` where it is to be made.
    fn found(&mut self, wanted: &Table) -> Option<Found> {
        let observed = self.on.observed;
        let engine = self.on.target.engine;
        let mut renamed_from = self.on.renames.of_table(&wanted.name).map(|renamed| renamed.from.clone());
        let is = |table: &Table, name: &TableName| table.name == *name;
        let known_as = |name: &TableName| self.before().iter().find(|table| is(table, name)).cloned();
        let seen_as = |name: &TableName| observed.tables.iter().find(|table| table.name == name.as_str()).cloned();
        // The line that tells of a rename stays in the task after it was done.
        let is_done = |_: &TableName| seen_as(&wanted.name).is_some() || known_as(&wanted.name).is_some();
        renamed_from =
            renamed_from.filter(|from| !is_done(from) && (seen_as(from).is_some() || known_as(from).is_some()));
        let name = renamed_from.as_ref().unwrap_or(&wanted.name);
        let known = known_as(name);
        let seen = match (seen_as(name), observed.applied, &known) {
            (Some(seen), _, _) => Some(seen),
            // The migrations of the plan are still to run, before any that is added now.
            (None, Applied::Not, Some(known)) => Some(dialect::described(engine, known)),
            (None, _, _) => None,
        };
        let Some(mut table) = seen else {
            if known.is_some() && self.on.allowed.drift == Drift::Refused && observed.applied == Applied::Wholly {
                let message = format!("table `{}` is missing", wanted.name);
                self.problems.push(Diagnostic::error(TABLE_DIFFERS, message, self.on.place).with_help(MEND));
            }
            return None;
        };
        let drift = drift(engine, known.as_ref(), wanted, &table);
        let ours = known.as_ref().map_or_else(Vec::new, |known| naming(engine, known));
        let mut known = known;
        table.name = wanted.name.to_string();
        if let Some(known) = &mut known {
            known.name = wanted.name.clone();
        }
        let renamed_columns = self.on.renames.apply(engine, wanted, &mut table, known.as_mut());
        let names_old = |trigger: &ObservedRule| {
            let named = ours.iter().find(|(known, _)| known == trigger);
            named.is_some_and(|(_, columns)| {
                renamed_from.is_some() || renamed_columns.iter().any(|(from, _)| columns.contains(from))
            })
        };
        let (old_triggers, others) = std::mem::take(&mut table.triggers).into_iter().partition(names_old);
        table.triggers = others;
        Some(Found { table, known, renamed_from, old_triggers, renamed_columns, drift })
    }

    fn change(&mut self, wanted: &Table, found: Found) {
        let Found { table, known, renamed_from, old_triggers, renamed_columns, drift } = found;
        let engine = self.on.target.engine;
        let observed = self.on.observed;
        if self.on.allowed.drift == Drift::Refused && observed.applied != Applied::HalfWay && !drift.is_empty() {
            return self.problems.push(differs(&wanted.name, &drift.join("; "), self.on.place));
        }
        for (from, to) in renamed_columns.iter().filter(|(_, to)| !dialect::change::renames_to(engine, to)) {
            let message = format!("table `{}` would have to change: {engine} renames no column to `{to}`", wanted.name);
            let help = format!("leave it `{from}`, or give it another name");
            self.problems.push(Diagnostic::error(CHANGE_REFUSED, message, self.on.place).with_help(help));
        }
        let old_name = renamed_from.as_ref().unwrap_or(&wanted.name).as_str();
        let rows = if observed.filled.iter().any(|name| name == old_name) { Rows::Perhaps } else { Rows::None };
        let sides = Sides { engine, wanted, found: &table, known: known.as_ref(), rows };
        let mut comparison = compare(&sides);
        let strangers = self.strangers(&wanted.name, &mut comparison);
        self.spare(&mut comparison, &table);
        self.refuse(wanted, &comparison, known.as_ref());
        let change = TableChange {
            wanted,
            found: table,
            known,
            rows,
            renamed_from,
            old_triggers,
            renamed_columns,
            changes: comparison.changes,
        };
        if !strangers.is_empty() && dialect::change::makes_anew(engine, &change) {
            let message = format!(
                "table `{}` would have to be made anew, and somebody has added to it: {}",
                wanted.name,
                strangers.join(", ")
            );
            self.problems.push(Diagnostic::error(CHANGE_REFUSED, message, self.on.place).with_help(
                "name it in the task, or take it away by hand, or let `producer db migrate TASK --allow-destructive` do so",
            ));
        }
        self.steps.change(&change);
    }

    /// What nobody planned stays, unless it may go or is in the way. Returns what stays and is part of the table itself: indexes and
    /// triggers outlive one that is made anew.
    fn strangers(&mut self, table: &TableName, comparison: &mut Comparison) -> Vec<String> {
        let others: Vec<&Table> = self.on.observed.others.iter().filter(|other| other.name == *table).collect();
        let may_go = self.on.allowed.loss == Loss::Allowed && self.on.allowed.drift == Drift::Mended;
        let mut staying = Vec::new();
        let can_be_kept = dialect::sqlite::can_be_kept;
        let outlives = |change: &Change| {
            matches!(change, Change::DropIndex { index, .. } if can_be_kept(&index.name))
                || matches!(change, Change::DropTrigger { trigger, .. } if can_be_kept(&trigger.name))
        };
        for stranger in std::mem::take(&mut comparison.strangers) {
            let is_of_another_task = others.iter().any(|other| {
                let described = dialect::described(self.on.target.engine, other);
                has(&described, &stranger.change)
            });
            if is_of_another_task {
                staying.extend(Some(stranger.what).filter(|_| !outlives(&stranger.change)));
            } else if may_go && self.on.unnamed == Unnamed::Goes {
                comparison.changes.push(stranger.change);
            } else {
                if let Some(harm) = stranger.harm
                    && self.on.allowed.drift == Drift::Mended
                {
                    let message = format!("{} of table `{table}` was added by hand: {harm}", stranger.what);
                    self.problems.push(Diagnostic::error(DATA_WOULD_BE_LOST, message, self.on.place).with_help(
                        "name it in the task, or take it away by hand; `--allow-destructive` takes it away with what it holds",
                    ));
                }
                staying.extend(Some(stranger.what).filter(|_| !outlives(&stranger.change)));
            }
        }
        staying
    }

    /// What the task no longer names stays where rows outlive it.
    fn spare(&self, comparison: &mut Comparison, found: &ObservedTable) {
        if self.on.unnamed == Unnamed::Goes || self.on.allowed.loss == Loss::Allowed {
            return;
        }
        let is_spared = |change: &Change| match change {
            Change::DropColumn { name, .. } => found.columns.iter().any(|column| {
                column.name == *name && (column.nullability == Nullability::Nullable || column.default.is_some())
            }),
            Change::DropIndex { .. } | Change::DropTrigger { .. } => true,
            Change::AddColumn(_)
            | Change::AlterColumn(_)
            | Change::AddUnique(_)
            | Change::DropUnique { .. }
            | Change::AddKey { .. }
            | Change::DropKey { .. }
            | Change::AddCheck { .. }
            | Change::DropCheck { .. }
            | Change::AddIndex { .. }
            | Change::SetTrigger { .. }
            | Change::SetComment { .. } => false,
        };
        comparison.changes.retain(|change| !is_spared(change));
        let goes = |name: &str| {
            comparison
                .changes
                .iter()
                .any(|change| matches!(change, Change::DropColumn { name: gone, .. } if gone == name))
        };
        comparison.losses.retain(|loss| loss.column.as_deref().is_none_or(goes));
    }

    fn refuse(&mut self, wanted: &Table, comparison: &Comparison, known: Option<&Table>) {
        let place = self.on.place;
        for why in &comparison.refusals {
            let message = format!("table `{}` would have to change: {why}", wanted.name);
            let help = "give a new column a `default`, or leave it optional; what becomes another kind gets a new name";
            self.problems.push(Diagnostic::error(CHANGE_REFUSED, message, place).with_help(help));
        }
        if self.on.allowed.loss == Loss::Allowed {
            return;
        }
        for loss in &comparison.losses {
            let candidates =
                loss.column.as_ref().map_or_else(Vec::new, |gone| rename::candidates(gone, wanted, known, comparison));
            let (code, message, help) = match (&loss.column, &candidates[..]) {
                (Some(gone), [_, ..]) => (
                    PERHAPS_RENAMED,
                    format!(
                        "column `{gone}` of table `{}` is no longer named, and {} new: was it renamed?",
                        wanted.name,
                        listed(&candidates)
                    ),
                    format!(
                        "if so, say it: `{}: {{ type: ..., renamed_from: {gone} }}`; if not, `--allow-destructive` drops `{gone}` with what it holds",
                        candidates[0]
                    ),
                ),
                (_, _) => (
                    DATA_WOULD_BE_LOST,
                    format!("{} would be lost", loss.what),
                    "leave it in the task, or allow the loss with `--allow-destructive`".to_owned(),
                ),
            };
            // Whoever adds to a table of the catalogue and says `columns` says all of them.
            let adds = match comparison.losses.len() > 2 {
                true => "; to add to the columns that the catalogue knows, write `more_columns` instead of `columns`",
                false => "",
            };
            self.problems.push(Diagnostic::error(code, message, place).with_help(format!("{help}{adds}")));
        }
        let narrowed = wanted.columns.iter().find(|column| {
            let before = known.and_then(|known| known.columns.iter().find(|other| other.name == column.name));
            before.is_some_and(|before| narrows(&before.field_type, &column.field_type))
        });
        let narrowed = narrowed.map(|column| format!("column `{}` becomes another kind", column.name));
        if self.on.unnamed == Unnamed::Stays
            && let Some(what) = narrowed.or_else(|| comparison.changes.iter().find_map(beyond_adding))
        {
            let message = format!("table `{}` would have to change: {what}", wanted.name);
            let help = "tables of an API are only added to; allow more with `--allow-destructive`, or start a task with another id";
            self.problems.push(Diagnostic::error(CHANGE_REFUSED, message, place).with_help(help));
        }
    }

    /// The tables that the active plan made and the task no longer names.
    fn drop_tables(&mut self, wanted: &[Table]) {
        if self.on.unnamed == Unnamed::Stays {
            return;
        }
        let observed = self.on.observed;
        let renamed: Vec<&TableName> = self.on.renames.tables.iter().map(|renamed| &renamed.from).collect();
        let gone: Vec<&Table> = self
            .before()
            .iter()
            .filter(|table| !wanted.iter().any(|other| other.name == table.name))
            .filter(|table| !renamed.contains(&&table.name))
            .filter(|table| !observed.others.iter().any(|other| other.name == table.name))
            .collect();
        let new: Vec<&Table> = wanted
            .iter()
            .filter(|table| !self.before().iter().any(|other| other.name == table.name))
            .filter(|table| !observed.tables.iter().any(|other| other.name == table.name.as_str()))
            .collect();
        let mut problems = Vec::new();
        if self.on.allowed.loss == Loss::Refused {
            for table in &gone {
                let names =
                    |table: &Table| table.columns.iter().map(|column| column.name.to_string()).collect::<Vec<_>>();
                let like = new.iter().find(|other| names(other) == names(table));
                let problem = match like {
                    Some(other) => Diagnostic::error(
                        PERHAPS_RENAMED,
                        format!("table `{}` is no longer named, and `{}` is new and has its columns: was it renamed?", table.name, other.name),
                        self.on.place,
                    )
                    .with_help(format!(
                        "if so, say it: `{{ name: {}, renamed_from: {} }}`; if not, `--allow-destructive` drops `{}` with its rows",
                        other.name, table.name, table.name
                    )),
                    None => Diagnostic::error(
                        DATA_WOULD_BE_LOST,
                        format!("table `{}` with its rows would be lost", table.name),
                        self.on.place,
                    )
                    .with_help("leave it in the task, or allow the loss with `--allow-destructive`"),
                };
                problems.push(problem);
            }
        }
        let names: Vec<&str> = gone.iter().map(|table| table.name.as_str()).collect();
        if !names.is_empty() {
            self.steps.drop_tables(&names);
        }
        self.problems.extend(problems);
    }
}

fn listed(names: &[String]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    format!("{} {}", quoted.join(", "), if names.len() == 1 { "is" } else { "are" })
}

/// Whether a column of an API, of which no check of the database tells, may hold what it must not hold from now on.
fn narrows(before: &FieldType, after: &FieldType) -> bool {
    match (before, after) {
        (FieldType::Choice { words: before }, FieldType::Choice { words: after }) => {
            before.iter().any(|word| !after.contains(word))
        }
        (FieldType::Line { max: before }, FieldType::Line { max: after } | FieldType::Text { max: after })
        | (FieldType::Text { max: before }, FieldType::Text { max: after }) => before > after,
        (before, after) => before != after,
    }
}

/// The triggers of the table, each with the columns that it names besides the key's other than by the times that it keeps.
fn naming(engine: Engine, table: &Table) -> Vec<(ObservedRule, Vec<ColumnName>)> {
    let columns = |trigger: &ObservedRule| {
        let mut rules = table.rules.overlaps.iter();
        let rule = rules.find(|rule| dialect::overlap_triggers(rule).contains(&trigger.name));
        rule.map_or_else(Vec::new, |rule| rule.columns().chain(&table.primary_key).cloned().collect())
    };
    let triggers = dialect::described(engine, table).triggers.into_iter();
    triggers.map(|trigger| (trigger.clone(), columns(&trigger))).collect()
}

/// Whether the table has what the change takes away.
fn has(table: &ObservedTable, change: &Change) -> bool {
    match change {
        Change::DropColumn { name, .. } => table.columns.iter().any(|column| column.name == *name),
        Change::DropUnique { columns, .. } => table.unique.contains(columns),
        Change::DropKey { key, .. } => table.foreign_keys.contains(key),
        Change::DropCheck { check, .. } => table.checks.contains(check),
        Change::DropIndex { index, .. } => table.indexes.contains(index),
        Change::DropTrigger { trigger, .. } => table.triggers.contains(trigger),
        Change::AddColumn(_)
        | Change::AlterColumn(_)
        | Change::AddUnique(_)
        | Change::AddKey { .. }
        | Change::AddCheck { .. }
        | Change::AddIndex { .. }
        | Change::SetTrigger { .. }
        | Change::SetComment { .. } => false,
    }
}

/// What a change is, if it is more than an addition that refuses no row.
fn beyond_adding(change: &Change) -> Option<String> {
    match change {
        Change::AddColumn(_)
        | Change::AddIndex { .. }
        | Change::SetTrigger { .. }
        | Change::SetComment { .. }
        | Change::AddKey { .. }
        | Change::AddCheck { .. }
        | Change::DropIndex { .. }
        | Change::DropTrigger { .. } => None,
        Change::DropColumn { name, .. } => {
            Some(format!("column `{name}` must have a value and is no longer given one"))
        }
        Change::AlterColumn(name) => Some(format!("column `{name}` becomes another kind")),
        Change::AddUnique(_) | Change::DropUnique { .. } => Some("what is unique changes".to_owned()),
        Change::DropKey { .. } => Some("its keys to other tables change".to_owned()),
        Change::DropCheck { .. } => Some("what its rows must hold changes".to_owned()),
    }
}

/// What is there must be what was made, but for what will be added; a table that somebody changed by hand is not built upon.
fn drift(engine: Engine, known: Option<&Table>, wanted: &Table, found: &ObservedTable) -> Vec<String> {
    let mut expected = dialect::described(engine, known.unwrap_or(wanted));
    if known.is_none() {
        // Another task of the workspace has made it, without what only this one needs.
        let is_missing = |column: &Column| !found.columns.iter().any(|other| other.name == column.name.as_str());
        let may_come = |column: &&Column| column.nullability == Nullability::Nullable && is_missing(column);
        let coming: Vec<&Column> = wanted.columns.iter().filter(may_come).collect();
        expected.columns.retain(|column| !coming.iter().any(|other| other.name.as_str() == column.name));
        // So may indexes that refuse no row.
        let is_there = |name: &str| found.indexes.iter().any(|other| other.name == name);
        expected.indexes.retain(|index| index.uniqueness == Uniqueness::Unique || is_there(&index.name));
    }
    expected.differences(found)
}

/// What is said of each table.
pub fn decisions(wanted: &[Table]) -> Vec<Decision> {
    let mut decisions = Vec::new();
    for table in wanted {
        let list = |columns: &[ColumnName]| columns.iter().map(ToString::to_string).collect::<Vec<_>>().join(" + ");
        let unique: Vec<String> = table.unique.iter().map(|columns| list(columns)).collect();
        let unique = if unique.is_empty() { String::new() } else { format!(", unique by {}", unique.join(" and ")) };
        let origin = RecordKey::of(table).map(|key| key.origin);
        let made = match origin {
            Some(Origin::Server) => " (UUIDv7)",
            Some(Origin::Database) => " (counted by the database)",
            Some(Origin::Client) | None => "",
        };
        let key = format!("`{}`{made}", list(&table.primary_key));
        decisions.push(Decision {
            phase: Phase::CreateSchemaAndTables,
            subject: format!("table `{}`", table.name),
            decision: format!("{} columns, primary key {key}{unique}", table.columns.len()),
            reason: table.comment.clone(),
        });
    }
    decisions
}
