//! An API on the database of another task: the tables that the API needs come in; those that the task has made go out as they are
//! there, those that it has not go out to be made. Nothing of the other task's is ever changed.

use crate::lookup::{self, Lookup};
use plan::database::{Base, Chosen, Column, Index, Nullability, Statement, Table};
use plan::{Decision, Observed, Phase};
use vocab::Engine;

/// The tables of an API.
pub struct Divided {
    /// To be made by the API's own migrations.
    pub own: Vec<Table>,
    /// Made by the task that the API stands on, with those that their keys lead to.
    pub shared: Vec<Table>,
}

pub fn divide(wanted: Vec<Table>, base: Option<&Base>) -> Divided {
    let Some(base) = base else { return Divided { own: wanted, shared: Vec::new() } };
    let known = &base.database.tables;
    let holder = |table: &Table| known.iter().find(|known| known.name == table.name && holds(known, table)).cloned();
    let mut divided = Divided { own: Vec::new(), shared: Vec::new() };
    for table in wanted {
        match holder(&table) {
            Some(known) => divided.shared.push(known),
            None => divided.own.push(table),
        }
    }
    let mut next = 0;
    while let Some(table) = divided.shared.get(next) {
        let targets =
            table.rules.foreign_keys.iter().filter_map(|key| known.iter().find(|other| other.name == key.table));
        let new: Vec<Table> = targets.filter(|other| !divided.shared.contains(other)).cloned().collect();
        divided.shared.extend(new);
        next += 1;
    }
    divided
}

/// A table of the other task, with the indexes that the API's lists need beside those that it has.
pub struct Shared {
    table: Table,
    pub indexes: Vec<Index>,
    /// Makes those of them that are not there.
    pub statements: Vec<Statement>,
}

impl Shared {
    pub fn of(engine: Engine, table: Table, lookups: &[Lookup], observed: &Observed) -> Self {
        let indexes = lookup::with_kept(lookup::indexes(engine, &table, lookups), &table, observed);
        let found = observed.tables.iter().find(|found| found.name == table.name.as_str());
        let is_there = |index: &&Index| {
            found.is_some_and(|found| found.indexes.iter().any(|other| other.name == index.name.as_str()))
        };
        let new = indexes.iter().filter(|index| !is_there(index));
        let statements = new.map(|index| dialect::create_index(engine, &table, index)).collect();
        Self { table, indexes, statements }
    }

    /// As it is before the API's migration.
    pub fn there(&self) -> Table {
        self.table.clone()
    }

    /// As it is afterwards.
    pub fn whole(self) -> Table {
        let mut table = self.table;
        table.rules.indexes.extend(self.indexes);
        table
    }
}

/// Whether rows as the API writes them fit into the table that is there.
fn holds(known: &Table, wanted: &Table) -> bool {
    let fits = |column: &Column| {
        let same = |other: &&Column| other.name == column.name;
        known
            .columns
            .iter()
            .find(same)
            .is_some_and(|other| other.field_type == column.field_type && other.nullability == column.nullability)
    };
    let is_filled = |column: &Column| {
        column.nullability == Nullability::Nullable
            || column.default.is_some()
            || wanted.columns.iter().any(|other| other.name == column.name)
    };
    known.primary_key == wanted.primary_key
        && wanted.unique.iter().all(|unique| known.unique.contains(unique))
        && wanted.columns.iter().all(fits)
        && known.columns.iter().all(is_filled)
}

/// Which database the API uses, what of it is another task's, and why.
pub fn decisions(observed: &Observed, shared: &[Table]) -> Vec<Decision> {
    let decide = |phase, subject: String, decision: String, reason: &str| Decision {
        phase,
        subject,
        decision,
        reason: reason.to_owned(),
    };
    let Some(base) = &observed.base else {
        let reason = match observed.chosen {
            Chosen::OnlyOne | Chosen::Dependency => "no database task and no connection was given",
            Chosen::Kept => "it holds rows of this API, which are not left without a word",
        };
        let decision = "the embedded SQLite database of the workspace".to_owned();
        return vec![decide(Phase::ProvisionDatabaseInstance, "database".to_owned(), decision, reason)];
    };
    let reason = match observed.chosen {
        Chosen::OnlyOne => "the workspace has no other database task",
        Chosen::Dependency => "it is among the `dependencies`",
        Chosen::Kept => "the API stands there already",
    };
    let decision = format!("the {} database of task `{}`", base.database.engine, base.task_id);
    let mut decisions = vec![decide(Phase::ProvisionDatabaseInstance, "database".to_owned(), decision, reason)];
    decisions.extend(shared.iter().map(|table| {
        let (subject, decision) = (format!("table `{}`", table.name), format!("that of task `{}`", base.task_id));
        decide(Phase::CreateSchemaAndTables, subject, decision, "it is there, and holds what the API needs")
    }));
    decisions
}
