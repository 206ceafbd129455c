//! From statements with their stages to migrations: what can run in one transaction is one; what takes as long as a table is
//! large comes after it, on its own; what loses something comes last, when all else has come through.

use dialect::change::{Change, Stage, Staged, TableChange};
use plan::{Migration, Statement, Table};
use vocab::Engine;

/// Statements under way.
pub struct Steps {
    engine: Engine,
    staged: Vec<Staged>,
    /// Whether nothing but additions came.
    only_adds: bool,
}

impl Steps {
    pub fn new(engine: Engine) -> Self {
        Self { engine, staged: Vec::new(), only_adds: true }
    }

    pub fn create(&mut self, tables: &[Table]) {
        let statements = dialect::create_tables(self.engine, tables).into_iter();
        self.staged.extend(statements.map(|statement| Staged { stage: Stage::Create, statement }));
    }

    /// Statements that come when all else is there.
    pub fn further(&mut self, statements: Vec<Statement>) {
        self.staged.extend(statements.into_iter().map(|statement| Staged { stage: Stage::Tighten, statement }));
    }

    pub fn change(&mut self, change: &TableChange<'_>) {
        let is_addition = |part: &Change| match part {
            Change::AddColumn(_) | Change::AddIndex { was: None, .. } => true,
            Change::AddKey { was, .. } => was.is_none(),
            Change::AddCheck { was, .. } => was.is_none(),
            Change::AlterColumn(_)
            | Change::DropColumn { .. }
            | Change::AddUnique(_)
            | Change::DropUnique { .. }
            | Change::DropKey { .. }
            | Change::DropCheck { .. }
            | Change::AddIndex { .. }
            | Change::DropIndex { .. }
            | Change::SetTrigger { .. }
            | Change::DropTrigger { .. }
            | Change::SetComment { .. } => false,
        };
        let keeps_names = change.renamed_from.is_none() && change.renamed_columns.is_empty();
        self.only_adds = self.only_adds && keeps_names && change.changes.iter().all(is_addition);
        self.staged.extend(dialect::change::change_table(self.engine, change));
    }

    pub fn drop_tables(&mut self, tables: &[&str]) {
        self.only_adds = false;
        let statement = dialect::change::drop_tables(self.engine, tables);
        self.staged.push(Staged { stage: Stage::Drop, statement });
    }

    /// `before` is how many migrations there are already.
    pub fn into_migrations(mut self, before: usize) -> Vec<Migration> {
        self.staged.sort_by_key(|staged| staged.stage);
        let is_patient = self.staged.iter().any(|staged| staged.stage == Stage::Patient);
        let first = match (before, self.only_adds) {
            (0, _) => "initial",
            (_, true) => "additions",
            (_, false) => "changes",
        };
        let mut parts: [(&str, Vec<Statement>); 3] = [(first, Vec::new()), ("rows", Vec::new()), ("drops", Vec::new())];
        for Staged { stage, statement } in self.staged {
            let part = match stage {
                Stage::Rename | Stage::Loosen | Stage::Create | Stage::Alter | Stage::Tighten => 0,
                Stage::Patient => 1,
                Stage::Drop if is_patient => 2,
                Stage::Drop => 0,
            };
            // Two tables may need one thing that belongs to neither.
            if !parts[part].1.contains(&statement) {
                parts[part].1.push(statement);
            }
        }
        let parts = parts.into_iter().filter(|(_, statements)| !statements.is_empty());
        parts
            .zip(before + 1..)
            .map(|((word, statements), number)| Migration { name: format!("{number:04}_{word}"), statements })
            .collect()
    }
}
