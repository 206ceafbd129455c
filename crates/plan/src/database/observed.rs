//! What a server was seen to hold, in the server's own words, and how that differs from what is wanted.

use super::{DatabasePlan, Nullability, OnDelete, Table, Uniqueness};
use crate::TakenOver;
use crate::service::ServicePlan;
use serde::{Deserialize, Serialize};
use vocab::TaskId;

/// What is there before planning: an argument of the planner, so that planning needs no connection.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Observed {
    /// The tables a server holds.
    pub tables: Vec<ObservedTable>,
    /// Those of them that may hold rows, by name.
    #[serde(default)]
    pub filled: Vec<String>,
    /// The database part of the plan that is active now. Of one that was stopped half way, the migrations that were applied.
    pub active: Option<DatabasePlan>,
    /// How far that plan's migrations are applied.
    #[serde(default)]
    pub applied: Applied,
    /// Tables that other tasks of the workspace want in the same database.
    #[serde(default)]
    pub others: Vec<Table>,
    /// The database task that an API stands on; without one it stands on the embedded database.
    pub base: Option<Base>,
    /// Why it stands there.
    pub chosen: Chosen,
    /// The services that are integrated on the same database.
    #[serde(default)]
    pub services: Vec<ServicePlan>,
    /// What other APIs answer instead of the task's own service.
    #[serde(default)]
    pub taken_over: Vec<TakenOver>,
    /// The other task on the same database whose API has what belongs to accounts: people sign in there.
    #[serde(default)]
    pub accounts_of: Option<TaskId>,
    /// What the database is called there, where an engine has a name for it and the server has said so.
    pub place: Option<DatabasePlace>,
    /// The most connections that the server gives whoever connects, where it counts them.
    #[serde(default)]
    pub most_connections: Option<u32>,
}

/// What a database is called on its server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatabasePlace {
    /// The database.
    pub database: String,
    /// The schema in which tables are made.
    pub schema: String,
    /// Who connects.
    pub user: String,
    /// Whether single values and times can be compared in one index there: `btree_gist` of PostgreSQL.
    #[serde(default)]
    pub keeps_apart: bool,
}

/// How far the migrations of a plan are applied to a database.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Applied {
    /// All.
    #[default]
    Wholly,
    /// A run was stopped: some, and what they were to make is not all there.
    HalfWay,
    /// None; they run before any that is added.
    Not,
}

/// A database task that was carried out, for an API to stand on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Base {
    /// The task.
    pub task_id: TaskId,
    /// What it made, and where.
    pub database: DatabasePlan,
}

/// Why an API stands on the database that it stands on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Chosen {
    /// There is no other.
    #[default]
    OnlyOne,
    /// The task that made it is among the API's dependencies.
    Dependency,
    /// The API stands there already.
    Kept,
}

/// A table as the server describes it. Everything but the columns is sorted by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObservedTable {
    /// Its name.
    pub name: String,
    /// Its columns in order.
    pub columns: Vec<ObservedColumn>,
    /// The columns of the primary key.
    pub primary_key: Vec<String>,
    /// Sets of columns whose values together are unique, without the primary key, sorted.
    pub unique: Vec<Vec<String>>,
    /// The keys to other tables.
    pub foreign_keys: Vec<ObservedForeignKey>,
    /// The checks.
    pub checks: Vec<ObservedRule>,
    /// The indexes that belong to no key.
    pub indexes: Vec<ObservedIndex>,
    /// The triggers.
    pub triggers: Vec<ObservedRule>,
    /// What it says about itself, where the engine keeps that.
    pub comment: Option<String>,
}

/// A column as the server describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObservedColumn {
    /// Its name.
    pub name: String,
    /// Its type, in the server's words.
    pub sql_type: String,
    /// Whether it may be null.
    pub nullability: Nullability,
    /// How texts are compared, in the server's words; empty where that does not apply.
    pub collation: String,
    /// What a row holds that was written without it, in the server's words.
    pub default: Option<String>,
    /// What it says about itself, where the engine keeps that.
    pub comment: Option<String>,
}

/// A key to another table as the server describes it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ObservedForeignKey {
    /// Its name; empty where the engine forgets names.
    pub name: String,
    /// The columns here.
    pub columns: Vec<String>,
    /// The other table.
    pub table: String,
    /// Its columns.
    pub target: Vec<String>,
    /// What happens when the other row goes; none of the three we know: `None`.
    pub on_delete: Option<OnDelete>,
}

/// An index as the server describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObservedIndex {
    /// Its name.
    pub name: String,
    /// Its columns in order; an expression in the server's words.
    pub columns: Vec<String>,
    /// Whether no two rows may agree.
    pub uniqueness: Uniqueness,
}

/// A check or a trigger as the server describes it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ObservedRule {
    /// Its name.
    pub name: String,
    /// What it says, in the server's words.
    pub text: String,
}

impl ObservedTable {
    /// Every way in which `found` is not what `self` describes, in words; empty when it is. What else is there does no
    /// harm, unless a row could not be written for it.
    #[must_use]
    pub fn differences(&self, found: &Self) -> Vec<String> {
        let mut differences = self.lacking(found);
        let unknown = found.columns.iter().filter(|other| {
            other.nullability == Nullability::NotNull
                && other.default.is_none()
                && !self.columns.iter().any(|column| column.name == other.name)
        });
        differences
            .extend(unknown.map(|column| format!("column `{}` is not known and must have a value", column.name)));
        // Rules that nobody planned refuse rows that the plan would write.
        for check in found.checks.iter().filter(|check| !self.checks.iter().any(|known| known.name == check.name)) {
            differences.push(format!("check `{}` is not known", check.name));
        }
        differences
    }

    /// What is there and `self` does not describe, in words.
    #[must_use]
    pub fn strangers(&self, found: &Self) -> Vec<String> {
        let mut strangers = Vec::new();
        let columns = found.columns.iter().map(|column| column.name.as_str());
        let known: Vec<&str> = self.columns.iter().map(|column| column.name.as_str()).collect();
        strangers.extend(columns.filter(|name| !known.contains(name)).map(|name| format!("column `{name}`")));
        for unique in found.unique.iter().filter(|unique| !self.unique.contains(unique)) {
            strangers.push(format!("the rule that `{}` is unique", unique.join(", ")));
        }
        let is_known = |key: &&ObservedForeignKey| {
            self.foreign_keys.iter().any(|known| (&known.name, &known.columns) == (&key.name, &key.columns))
        };
        for key in found.foreign_keys.iter().filter(|key| !is_known(key)) {
            strangers.push(format!("the key from `{}` to `{}`", key.columns.join(", "), key.table));
        }
        let names = |rules: &[ObservedRule]| rules.iter().map(|rule| rule.name.clone()).collect::<Vec<_>>();
        for (kind, wanted, found) in [
            ("check", names(&self.checks), names(&found.checks)),
            ("trigger", names(&self.triggers), names(&found.triggers)),
            (
                "index",
                self.indexes.iter().map(|index| index.name.clone()).collect(),
                found.indexes.iter().map(|index| index.name.clone()).collect(),
            ),
        ] {
            strangers.extend(found.iter().filter(|name| !wanted.contains(name)).map(|name| format!("{kind} `{name}`")));
        }
        strangers
    }

    /// Every way in which `found` lacks what `self` describes, or has another in its place.
    #[must_use]
    pub fn lacking(&self, found: &Self) -> Vec<String> {
        let mut differences = self.column_differences(found);
        if self.primary_key != found.primary_key {
            differences.push("its primary key is another one".to_owned());
        }
        for unique in self.unique.iter().filter(|unique| !found.unique.contains(unique)) {
            differences.push(format!("`{}` is not unique", unique.join(", ")));
        }
        for key in &self.foreign_keys {
            if !found.foreign_keys.contains(key) {
                differences.push(format!("`{}` is no key to `{}` as it was", key.columns.join(", "), key.table));
            }
        }
        for (kind, wanted, found) in
            [("check", &self.checks, &found.checks), ("trigger", &self.triggers, &found.triggers)]
        {
            for rule in wanted.iter().filter(|rule| !found.contains(rule)) {
                let how =
                    if found.iter().any(|other| other.name == rule.name) { "is another one" } else { "is missing" };
                differences.push(format!("{kind} `{}` {how}", rule.name));
            }
        }
        for index in self.indexes.iter().filter(|index| !found.indexes.contains(index)) {
            let is_there = found.indexes.iter().any(|other| other.name == index.name);
            let how = if is_there { "is another one" } else { "is missing" };
            differences.push(format!("index `{}` {how}", index.name));
        }
        if self.comment.is_some() && self.comment != found.comment {
            differences.push("its comment is another one".to_owned());
        }
        differences
    }

    fn column_differences(&self, found: &Self) -> Vec<String> {
        let mut differences = Vec::new();
        for column in &self.columns {
            match found.columns.iter().find(|other| other.name == column.name) {
                None => differences.push(format!("column `{}` is missing", column.name)),
                Some(other) => differences.extend(column.difference(other)),
            }
        }
        differences
    }
}

impl ObservedColumn {
    fn difference(&self, found: &Self) -> Option<String> {
        if (&self.sql_type, self.nullability, &self.collation) != (&found.sql_type, found.nullability, &found.collation)
        {
            return Some(format!("column `{}` is of another kind", self.name));
        }
        if self.default != found.default {
            return Some(format!("column `{}` has another default", self.name));
        }
        (self.comment.is_some() && self.comment != found.comment)
            .then(|| format!("column `{}` has another comment", self.name))
    }
}
