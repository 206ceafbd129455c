//! Rows that a schema must take, and rows that it must not: from the tables of a plan come statements, each with what must come
//! of it. What the plan promises is thereby tried, on a scratch schema, one wrong row for each rule.

use plan::database::{Check, CheckRule, Column, ForeignKey, Nullability, OnDelete, Table, Times, Uniqueness};
use plan::query::{Assigned, OnConflict, Predicate, Write};
use plan::value::Comparison;
use plan::{DatabasePlan, Value};
use std::collections::BTreeMap;
use store::{Attempt, StoreError};
use vocab::{ColumnName, Datum, Decimal, FieldType, TableName};

/// One statement, and what must come of it.
pub struct Probe {
    pub attempt: Attempt,
    pub expected: Expected,
    /// Which promise it tries.
    pub promise: Promise,
    /// What it does: `orders: a row whose user_id leads nowhere`.
    pub what: String,
}

/// What must come of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// So many rows are changed.
    Changed(u64),
    /// It is refused.
    Refused,
}

/// What a plan promises of its tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Promise {
    RightRows,
    Required,
    Checks,
    Unique,
    Keys,
    Deletions,
    Times,
}

impl Promise {
    pub const ALL: [Self; 7] =
        [Self::RightRows, Self::Required, Self::Checks, Self::Unique, Self::Keys, Self::Deletions, Self::Times];

    /// The check as responses name it.
    pub fn check(self) -> &'static str {
        match self {
            Self::RightRows => "each table takes a right row",
            Self::Required => "a row without a required value is refused",
            Self::Checks => "a value that a check forbids is refused",
            Self::Unique => "a unique value is refused the second time",
            Self::Keys => "a key that leads nowhere is refused",
            Self::Deletions => "removing a row does to others what the plan says",
            Self::Times => "the database keeps times and versions by itself",
        }
    }
}

impl Probe {
    /// How the outcome is not what must come, in words.
    pub fn difference(&self, outcome: &Result<u64, StoreError>) -> Option<String> {
        match (self.expected, outcome) {
            (Expected::Changed(wanted), Ok(changed)) if wanted == *changed => None,
            // A statement that is wrong in itself would be refused too; the right rows were taken in the same form.
            (Expected::Refused, Err(StoreError::Refused(_) | StoreError::Conflict)) => None,
            (Expected::Changed(wanted), Ok(changed)) => {
                Some(format!("{}: {changed} rows were changed, not {wanted}", self.what))
            }
            (Expected::Refused, Ok(_)) => Some(format!("{}: was taken", self.what)),
            (_, Err(error)) => Some(format!("{}: {error}", self.what)),
        }
    }
}

/// The probes in order; each builds on those before it.
pub fn probes(plan: &DatabasePlan) -> Vec<Probe> {
    let mut prober = Prober { plan, probes: Vec::new(), rows: BTreeMap::new(), count: 0 };
    let order = in_order(&plan.tables);
    for table in &order {
        let row = prober.right_row(table, &BTreeMap::new());
        prober.insert(table, &row, Expected::Changed(1), Promise::RightRows, "a right row");
        prober.rows.insert(table.name.clone(), row);
    }
    for table in &order {
        prober.required(table);
        prober.checks(table);
        prober.unique(table);
        prober.keys(table);
        prober.times(table);
    }
    for table in &order {
        for key in &table.rules.foreign_keys {
            prober.deletion(table, key);
        }
    }
    prober.probes
}

type Row = Vec<(ColumnName, Datum)>;

struct Prober<'p> {
    plan: &'p DatabasePlan,
    probes: Vec<Probe>,
    /// A right row of each table.
    rows: BTreeMap<TableName, Row>,
    count: u32,
}

impl Prober<'_> {
    /// A row with a value in every column that the database does not fill itself. `given` wins over what keys would hold.
    fn right_row(&mut self, table: &Table, given: &BTreeMap<ColumnName, Datum>) -> Row {
        self.count += 1;
        let filled = |column: &&Column| column.default.is_none() || table.primary_key.contains(&column.name);
        let value = |column: &Column| match (given.get(&column.name), key_of(table, &column.name)) {
            (Some(value), _) => value.clone(),
            (None, Some((key, position))) => self.held(&key.table, &key.target[position]).unwrap_or(Datum::Null),
            (None, None) => right_value(table, column, self.count),
        };
        table.columns.iter().filter(filled).map(|column| (column.name.clone(), value(column))).collect()
    }

    /// What the right row of a table holds.
    fn held(&self, table: &TableName, column: &ColumnName) -> Option<Datum> {
        value_of(self.rows.get(table)?, column).cloned()
    }

    fn insert(&mut self, table: &Table, row: &Row, expected: Expected, promise: Promise, what: &str) {
        let values = row.iter().map(|(name, value)| (name.clone(), Value::Literal(value.clone()))).collect();
        let write = Write::Insert { table: table.name.clone(), values, on_conflict: OnConflict::Fail };
        self.push(table, &write, expected, promise, what);
    }

    fn push(&mut self, table: &Table, write: &Write, expected: Expected, promise: Promise, what: &str) {
        let lowered = dialect::lower_write(self.plan, write);
        let literal = |value: &Value| match value {
            Value::Literal(datum) => datum.clone(),
            _ => unreachable!("a probe binds literals only"),
        };
        let attempt = Attempt { text: lowered.text, parameters: lowered.binds.iter().map(literal).collect() };
        self.probes.push(Probe { attempt, expected, promise, what: format!("{}: {what}", table.name) });
    }

    fn with(&mut self, table: &Table, column: &ColumnName, value: Datum) -> Row {
        let mut row = self.right_row(table, &BTreeMap::new());
        match row.iter_mut().find(|(name, _)| name == column) {
            Some((_, held)) => *held = value,
            None => row.push((column.clone(), value)),
        }
        row
    }

    fn required(&mut self, table: &Table) {
        for column in &table.columns {
            match column.nullability {
                Nullability::NotNull => {}
                Nullability::Nullable => continue,
            }
            let row = self.with(table, &column.name, Datum::Null);
            self.insert(table, &row, Expected::Refused, Promise::Required, &format!("no `{}`", column.name));
        }
    }

    fn checks(&mut self, table: &Table) {
        for check in &table.rules.checks {
            for value in wrong_values(check) {
                let row = self.with(table, &check.column, value);
                self.insert(table, &row, Expected::Refused, Promise::Checks, check.name.as_str());
            }
        }
    }

    fn unique(&mut self, table: &Table) {
        let indexes = table.rules.indexes.iter().filter(|index| index.uniqueness == Uniqueness::Unique);
        let sets = [&table.primary_key].into_iter().chain(&table.unique).chain(indexes.map(|index| &index.columns));
        for columns in sets.cloned().collect::<Vec<_>>() {
            let held: Option<BTreeMap<ColumnName, Datum>> =
                columns.iter().map(|column| Some((column.clone(), self.held(&table.name, column)?))).collect();
            // Nulls are equal to nothing, and what the database fills is not known here.
            let Some(held) = held.filter(|held| held.values().all(|value| *value != Datum::Null)) else { continue };
            let row = self.right_row(table, &held);
            let names: Vec<&str> = columns.iter().map(ColumnName::as_str).collect();
            let what = format!("the same {} again", names.join(" and "));
            self.insert(table, &row, Expected::Refused, Promise::Unique, &what);
        }
    }

    fn keys(&mut self, table: &Table) {
        for key in &table.rules.foreign_keys {
            let Some(target) = self.plan.column(&key.table, &key.target[0]).cloned() else { continue };
            let Some(other) = self.plan.tables.iter().find(|other| other.name == key.table) else { continue };
            // A value that no row of the other table has.
            self.count += 1;
            let nowhere = right_value(other, &target, self.count);
            let row = self.with(table, &key.columns[0], nowhere);
            let what = format!("a `{}` that leads nowhere", key.columns[0]);
            self.insert(table, &row, Expected::Refused, Promise::Keys, &what);
        }
    }

    fn times(&mut self, table: &Table) {
        match table.rules.times {
            Times::KeptByDatabase => {}
            Times::KeptByWriter => return,
        }
        let Some(row) = self.rows.get(&table.name) else { return };
        let mut filter: Vec<Predicate> =
            table.primary_key.iter().filter_map(|column| Some(equal(column, value_of(row, column)?.clone()))).collect();
        let named = |name: &str| table.columns.iter().find(|column| column.name.as_str() == name);
        let (Some(version), Some(created)) = (named("row_version"), named("created_at")) else { return };
        let created = created.name.clone();
        let change = |filter: &[Predicate]| Write::Update {
            table: table.name.clone(),
            set: vec![(created.clone(), Assigned::Value(Value::Literal(Datum::Text(MOMENT.to_owned()))))],
            filter: filter.to_vec(),
        };
        self.push(table, &change(&filter), Expected::Changed(1), Promise::Times, "a change that leaves the version");
        filter.push(equal(&version.name, Datum::Integer(2)));
        self.push(table, &change(&filter), Expected::Changed(1), Promise::Times, "a change of the second version");
    }

    /// A row that another one leads to is removed.
    fn deletion(&mut self, table: &Table, key: &ForeignKey) {
        let ([column], [target]) = (&key.columns[..], &key.target[..]) else { return };
        let Some(other) = self.plan.tables.iter().find(|other| other.name == key.table).cloned() else { return };
        let parent = self.right_row(&other, &BTreeMap::new());
        let Some(held) = value_of(&parent, target).cloned() else { return };
        let child = self.right_row(table, &BTreeMap::from([(column.clone(), held)]));
        let promise = Promise::Deletions;
        self.insert(&other, &parent, Expected::Changed(1), promise, "a row to lead to");
        self.insert(table, &child, Expected::Changed(1), promise, "a row that leads there");
        let (removed, left) = match key.on_delete {
            OnDelete::Restrict => (Expected::Refused, 1),
            OnDelete::Cascade => (Expected::Changed(1), 0),
            OnDelete::SetNull => (Expected::Changed(1), 1),
        };
        let delete = |of: &Table, row: &Row| Write::Delete {
            table: of.name.clone(),
            filter: of
                .primary_key
                .iter()
                .filter_map(|column| Some(equal(column, value_of(row, column)?.clone())))
                .collect(),
        };
        let what = format!("removing a row that `{}.{column}` leads to", table.name);
        self.push(&other, &delete(&other, &parent), removed, promise, &what);
        self.push(
            table,
            &delete(table, &child),
            Expected::Changed(left),
            promise,
            "what is left of the row that led there",
        );
    }
}

fn equal(column: &ColumnName, value: Datum) -> Predicate {
    Predicate::Compare(column.clone(), Comparison::Equal, Value::Literal(value))
}

fn value_of<'r>(row: &'r Row, column: &ColumnName) -> Option<&'r Datum> {
    row.iter().find(|(name, _)| name == column).map(|(_, value)| value)
}

fn key_of<'t>(table: &'t Table, column: &ColumnName) -> Option<(&'t ForeignKey, usize)> {
    table.rules.foreign_keys.iter().find_map(|key| Some((key, key.columns.iter().position(|known| known == column)?)))
}

/// Tables after those that their required keys lead to; the planner has opened every circle.
fn in_order(tables: &[Table]) -> Vec<&Table> {
    let mut order: Vec<&Table> = Vec::new();
    let mut open: Vec<&Table> = tables.iter().collect();
    while !open.is_empty() {
        let is_ready = |table: &&Table| {
            let needed = table.rules.foreign_keys.iter().filter(|key| {
                key.table != table.name
                    && table
                        .columns
                        .iter()
                        .any(|column| key.columns.contains(&column.name) && column.nullability == Nullability::NotNull)
            });
            needed.into_iter().all(|key| order.iter().any(|done| done.name == key.table))
        };
        let Some(next) = open.iter().position(is_ready) else { break };
        order.push(open.remove(next));
    }
    order
}

/// A moment that no clock shows.
const MOMENT: &str = "2001-02-03T04:05:06.789Z";

/// A value of the column that keeps its checks and is another one for each number.
fn right_value(table: &Table, column: &Column, number: u32) -> Datum {
    let checks = table.rules.checks.iter().filter(|check| check.column == column.name);
    let mut range = (None, None);
    for check in checks {
        match &check.rule {
            CheckRule::OneOf(words) => return Datum::Text(words.first().cloned().unwrap_or_default()),
            CheckRule::Range { minimum, maximum } => range = (minimum.clone(), maximum.clone()),
            CheckRule::Length { .. } => {}
        }
    }
    let number_text = number.to_string();
    match &column.field_type {
        FieldType::Line { max } | FieldType::Text { max } => {
            Datum::Text(number_text.chars().take(usize::try_from(*max).unwrap_or(usize::MAX)).collect())
        }
        FieldType::Email => Datum::Text(format!("probe{number}@example.com")),
        FieldType::Phone => Datum::Text(format!("+44 20 {number:07}")),
        FieldType::Url => Datum::Text(format!("https://example.com/{number}")),
        FieldType::Choice { words } => Datum::Text(words.first().cloned().unwrap_or_default()),
        FieldType::Code { letters } => {
            let letter =
                |place: u8| char::from(b'A' + u8::try_from(number / 26_u32.pow(u32::from(place)) % 26).unwrap_or(0));
            Datum::Text((0..*letters).map(letter).collect())
        }
        FieldType::Integer => match range {
            (Some(Datum::Integer(least)), Some(Datum::Integer(most))) => Datum::Integer(within(least, most, number)),
            (Some(Datum::Integer(least)), _) => Datum::Integer(within(least, i64::MAX, number)),
            (None, Some(Datum::Integer(most))) => Datum::Integer(within(most.saturating_sub(MANY), most, number)),
            _ => Datum::Integer(i64::from(number)),
        },
        FieldType::Decimal { scale } => match range {
            (Some(Datum::Decimal(least)), Some(Datum::Decimal(most))) => {
                Datum::Decimal(Decimal::new(within(least.units(), most.units(), number), least.scale()))
            }
            (Some(Datum::Decimal(least)), _) => {
                Datum::Decimal(Decimal::new(within(least.units(), i64::MAX, number), least.scale()))
            }
            (None, Some(Datum::Decimal(most))) => Datum::Decimal(Decimal::new(
                within(most.units().saturating_sub(MANY), most.units(), number),
                most.scale(),
            )),
            _ => Datum::Decimal(Decimal::new(i64::from(number), *scale)),
        },
        FieldType::Boolean => Datum::Boolean(true),
        FieldType::Date => Datum::Text("2001-02-03".to_owned()),
        FieldType::Timestamp => Datum::Text(MOMENT.to_owned()),
        FieldType::Uuid => Datum::Text(format!("00000000-0000-7000-8000-{number:012x}")),
        FieldType::Json => Datum::Json(serde_json::json!({ "number": number })),
    }
}

/// More numbers than there are probes.
const MANY: i64 = 1_000_000;

/// A number within the bounds that is another one for each probe, as long as there is room.
fn within(least: i64, most: i64, number: u32) -> i64 {
    let room = most.saturating_sub(least).saturating_add(1).clamp(1, MANY);
    least.saturating_add(i64::from(number) % room)
}

/// Values on the wrong side of each edge of a check.
fn wrong_values(check: &Check) -> Vec<Datum> {
    let beyond = |bound: &Datum, by: i64| match bound {
        Datum::Integer(number) => number.checked_add(by).map(Datum::Integer),
        Datum::Decimal(number) => {
            number.units().checked_add(by).map(|units| Datum::Decimal(Decimal::new(units, number.scale())))
        }
        Datum::Null | Datum::Boolean(_) | Datum::Text(_) | Datum::Json(_) => None,
    };
    match &check.rule {
        CheckRule::Range { minimum, maximum } => {
            let below = minimum.as_ref().and_then(|least| beyond(least, -1));
            let above = maximum.as_ref().and_then(|most| beyond(most, 1));
            below.into_iter().chain(above).collect()
        }
        CheckRule::OneOf(words) => vec![Datum::Text(words.concat() + "?")],
        CheckRule::Length { at_most } => {
            vec![Datum::Text("x".repeat(usize::try_from(*at_most).unwrap_or(usize::MAX).saturating_add(1)))]
        }
    }
}
