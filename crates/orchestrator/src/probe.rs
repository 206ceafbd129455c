//! Rows that a schema must take, and rows that it must not: from the tables of a plan come statements, each with what must come
//! of it. What the plan promises is thereby tried, on a scratch schema, one wrong row for each rule.

mod value;

use plan::database::{ColumnDefault, ForeignKey, Nullability, OnDelete, Table, Times, Uniqueness};
use plan::query::{Assigned, OnConflict, Predicate, Write};
use plan::value::Comparison;
use plan::{DatabasePlan, Value};
use std::collections::BTreeMap;
use store::{Attempt, StoreError};
use vocab::{ColumnName, Datum, TableName};

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
    Overlaps,
    Keys,
    Deletions,
    Times,
}

impl Promise {
    pub const ALL: [Self; 8] = [
        Self::RightRows,
        Self::Required,
        Self::Checks,
        Self::Unique,
        Self::Overlaps,
        Self::Keys,
        Self::Deletions,
        Self::Times,
    ];

    /// The check as responses name it.
    pub fn check(self) -> &'static str {
        match self {
            Self::RightRows => "each table takes a right row",
            Self::Required => "a row without a required value is refused",
            Self::Checks => "a value that a check forbids is refused",
            Self::Unique => "a unique value is refused the second time",
            Self::Overlaps => "a time that another row has is refused",
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
            (
                Expected::Refused,
                Err(StoreError::Refused(_) | StoreError::Conflict | StoreError::Overlap | StoreError::Reference),
            ) => None,
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
        // Rows that lead to others need two of those, where a pair of keys must be another one for each row.
        let is_led_to =
            plan.tables.iter().flat_map(|other| &other.rules.foreign_keys).any(|key| key.table == table.name);
        for _ in 0..if is_led_to { 2 } else { 1 } {
            // Where the rules leave no row that another one does not contradict, nothing can be tried.
            let Some(row) = prober.right_row(table, &Row::new(), None) else { continue };
            prober.insert(table, &row, Expected::Changed(1), Promise::RightRows, "a right row");
            prober.rows.entry(&table.name).or_default().push(row);
        }
    }
    for table in &order {
        prober.required(table);
        prober.checks(table);
        prober.unique(table);
        prober.overlaps(table);
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

type Row = BTreeMap<ColumnName, Datum>;

/// How many rows are made up before there is taken to be none that fits.
const TRIES: u32 = 64;

struct Prober<'p> {
    plan: &'p DatabasePlan,
    probes: Vec<Probe>,
    /// The rows that each table holds while others are tried.
    rows: BTreeMap<&'p TableName, Vec<Row>>,
    count: u32,
}

impl<'p> Prober<'p> {
    /// A row that the table must take beside those it holds and beside `other`, with a value in every column that the database
    /// does not fill itself. `given` wins, and is not asked whether it fits.
    fn right_row(&mut self, table: &Table, given: &Row, other: Option<&Row>) -> Option<Row> {
        (0..TRIES).find_map(|attempt| {
            self.count += 1;
            let row = self.row(table, given, attempt)?;
            let held = self.rows.get(&table.name).into_iter().flatten().chain(other);
            let is_taken =
                held.into_iter().any(|held| agree(table, given, &row, held) || overlap(table, given, &row, held));
            (!is_taken).then_some(row)
        })
    }

    /// A row whose values are other ones for each count; none where a key has nowhere to lead. Each attempt leads to other rows;
    /// keys that may be absent are so in the second half of them.
    fn row(&self, table: &Table, given: &Row, attempt: u32) -> Option<Row> {
        let mut row = Row::new();
        let mut choice = attempt;
        for column in &table.columns {
            let value = if let Some(value) = given.get(&column.name) {
                value.clone()
            } else if column.default.is_some()
                && !is_unique(table, &column.name)
                && !is_compared(table, &column.name)
                && key_of(table, &column.name).is_none()
            {
                continue;
            } else if let Some(key) = key_of(table, &column.name) {
                let nth = usize::from(choice % 2 == 1);
                choice /= 2;
                let held =
                    || self.held(&key.table, &key.target[0], nth).filter(|value| value::keeps(table, column, value));
                match column.nullability {
                    Nullability::NotNull => held()?,
                    Nullability::Nullable if attempt < TRIES / 2 => held().unwrap_or(Datum::Null),
                    Nullability::Nullable => Datum::Null,
                }
            } else {
                value::right(table, column, self.count)?
            };
            row.insert(column.name.clone(), value);
        }
        value::arrange(table, &mut row, given).then_some(row)
    }

    /// What a right row of a table holds; the first where there is no second.
    fn held(&self, table: &TableName, column: &ColumnName, nth: usize) -> Option<Datum> {
        let rows = self.rows.get(table)?;
        rows.get(nth).or(rows.first())?.get(column).cloned()
    }

    fn insert(&mut self, table: &Table, row: &Row, expected: Expected, promise: Promise, what: &str) {
        let in_order = table.columns.iter().filter_map(|column| Some((&column.name, row.get(&column.name)?)));
        let values = in_order.map(|(name, value)| (name.clone(), Value::Literal(value.clone()))).collect();
        let write = Write::Insert { table: table.name.clone(), values, on_conflict: OnConflict::Fail, made: None };
        self.push(table, &write, expected, promise, what);
    }

    fn push(&mut self, table: &Table, write: &Write, expected: Expected, promise: Promise, what: &str) {
        let Ok(lowered) = dialect::lower_write(self.plan, write) else { return };
        let literal = |value: &Value| match value {
            Value::Literal(datum) => datum.clone(),
            _ => unreachable!("a probe binds literals only"),
        };
        let attempt = Attempt { text: lowered.text, parameters: lowered.binds.iter().map(literal).collect() };
        self.probes.push(Probe { attempt, expected, promise, what: format!("{}: {what}", table.name) });
    }

    /// A row that is right but for these values must be refused.
    fn refused(&mut self, table: &Table, given: &Row, promise: Promise, what: &str) {
        if let Some(row) = self.right_row(table, given, None) {
            self.insert(table, &row, Expected::Refused, promise, what);
        }
    }

    fn required(&mut self, table: &Table) {
        for column in &table.columns {
            match column.nullability {
                Nullability::NotNull => {}
                Nullability::Nullable => continue,
            }
            // SQLite and MySQL take none for the next number.
            if column.default == Some(ColumnDefault::Counted) {
                continue;
            }
            let none = Row::from([(column.name.clone(), Datum::Null)]);
            self.refused(table, &none, Promise::Required, &format!("no `{}`", column.name));
        }
    }

    fn checks(&mut self, table: &Table) {
        for check in &table.rules.checks {
            for wrong in value::wrong(check) {
                let wrong = Row::from([(check.column.clone(), wrong)]);
                self.refused(table, &wrong, Promise::Checks, check.name.as_str());
            }
            let right = self.right_row(table, &Row::new(), None);
            if let Some(wrong) = right.and_then(|right| value::wrong_pair(table, check, &right)) {
                self.refused(table, &wrong, Promise::Checks, check.name.as_str());
            }
        }
    }

    fn unique(&mut self, table: &Table) {
        for columns in unique_sets(table) {
            let held = |column: &ColumnName| Some((column.clone(), self.held(&table.name, column, 0)?));
            let held: Option<Row> = columns.iter().map(held).collect();
            // Nulls are equal to nothing.
            let Some(held) = held.filter(|held| held.values().all(|value| *value != Datum::Null)) else { continue };
            let names: Vec<&str> = columns.iter().map(ColumnName::as_str).collect();
            self.refused(table, &held, Promise::Unique, &format!("the same {} again", names.join(" and ")));
        }
    }

    fn overlaps(&mut self, table: &Table) {
        for rule in &table.rules.overlaps {
            let taken = rule.within.iter().chain([&rule.from, &rule.until]);
            let held: Option<Row> =
                taken.map(|column| Some((column.clone(), self.held(&table.name, column, 0)?))).collect();
            let Some(mut given) = held.filter(|held| held.values().all(|value| *value != Datum::Null)) else {
                continue;
            };
            if let Some(released) = &rule.unless {
                let Some(column) = table.columns.iter().find(|column| column.name == released.column) else { continue };
                let default = match &column.default {
                    Some(ColumnDefault::Value(value)) => Some(value.clone()),
                    Some(ColumnDefault::Now | ColumnDefault::NewId | ColumnDefault::Counted) | None => None,
                };
                let takes = |value: &Datum| !matches!(value, Datum::Text(word) if released.words.contains(word));
                let first = self.held(&table.name, &column.name, 0).or(default);
                let mut numbers = self.count..self.count + TRIES;
                let word = numbers.find_map(|number| value::right(table, column, number).filter(takes));
                let (true, Some(word)) = (first.as_ref().is_none_or(takes), word) else { continue };
                given.insert(column.name.clone(), word);
            }
            self.refused(table, &given, Promise::Overlaps, rule.name.as_str());
        }
    }

    fn keys(&mut self, table: &Table) {
        for key in &table.rules.foreign_keys {
            let Some(other) = self.table(&key.table) else { continue };
            let Some(target) = other.columns.iter().find(|column| column.name == key.target[0]) else { continue };
            let held = [0, 1].map(|nth| self.held(&key.table, &key.target[0], nth));
            let mut numbers = self.count..self.count + TRIES;
            let other_value =
                |number| value::right(other, target, number).filter(|value| !held.contains(&Some(value.clone())));
            let Some(nowhere) = numbers.find_map(other_value) else { continue };
            // In a table that leads to itself it must not be the row's own key either.
            let given = Row::from([(key.columns[0].clone(), nowhere.clone())]);
            self.count += TRIES;
            let row = self.right_row(table, &given, None);
            if let Some(row) = row.filter(|row| other.name != table.name || row.get(&target.name) != Some(&nowhere)) {
                let what = format!("a `{}` that leads nowhere", key.columns[0]);
                self.insert(table, &row, Expected::Refused, Promise::Keys, &what);
            }
        }
    }

    fn times(&mut self, table: &Table) {
        match table.rules.times {
            Times::KeptByDatabase => {}
            Times::KeptByWriter => return,
        }
        let Some(row) = self.rows.get(&table.name).and_then(|rows| rows.first()) else { return };
        let Some(column) = table.columns.iter().find(|column| column.name.as_str() == "row_version") else { return };
        let first = match (row.get(&column.name), &column.default) {
            (Some(Datum::Integer(first)), _) | (None, Some(ColumnDefault::Value(Datum::Integer(first)))) => *first,
            _ => return,
        };
        let second = Datum::Integer(first.saturating_add(1));
        if !value::keeps(table, column, &second)
            || !value::keeps(table, column, &Datum::Integer(first.saturating_add(2)))
        {
            return;
        }
        let mut filter = identity(table, row);
        let change = |filter: &[Predicate]| Write::Update {
            table: table.name.clone(),
            set: vec![(column.name.clone(), Assigned::Plus(0))],
            filter: filter.to_vec(),
        };
        self.push(table, &change(&filter), Expected::Changed(1), Promise::Times, "a change that leaves the version");
        filter.push(equal(&column.name, second));
        self.push(table, &change(&filter), Expected::Changed(1), Promise::Times, "a change of the second version");
    }

    /// A row that another one leads to is removed. Nothing of it is left for the next.
    fn deletion(&mut self, table: &Table, key: &ForeignKey) {
        let ([column], [target]) = (&key.columns[..], &key.target[..]) else { return };
        let Some(other) = self.table(&key.table) else { return };
        let Some(parent) = self.right_row(other, &Row::new(), None) else { return };
        let Some(held) = parent.get(target).cloned() else { return };
        if !table.columns.iter().any(|own| own.name == *column && value::keeps(table, own, &held)) {
            return;
        }
        let beside = (other.name == table.name).then_some(&parent);
        let Some(child) = self.right_row(table, &Row::from([(column.clone(), held)]), beside) else { return };
        let promise = Promise::Deletions;
        self.insert(other, &parent, Expected::Changed(1), promise, "a row to lead to");
        self.insert(table, &child, Expected::Changed(1), promise, "a row that leads there");
        let (removed, left, is_kept) = match key.on_delete {
            OnDelete::Restrict => (Expected::Refused, 1, true),
            OnDelete::Cascade => (Expected::Changed(1), 0, false),
            OnDelete::SetNull => (Expected::Changed(1), 1, false),
        };
        let delete = |of: &Table, row: &Row| Write::Delete { table: of.name.clone(), filter: identity(of, row) };
        let what = format!("removing a row that `{}.{column}` leads to", table.name);
        self.push(other, &delete(other, &parent), removed, promise, &what);
        let what = "what is left of the row that led there";
        self.push(table, &delete(table, &child), Expected::Changed(left), promise, what);
        if is_kept {
            self.push(
                other,
                &delete(other, &parent),
                Expected::Changed(1),
                promise,
                "removing it when nothing leads there",
            );
        }
    }

    fn table(&self, name: &TableName) -> Option<&'p Table> {
        self.plan.tables.iter().find(|table| table.name == *name)
    }
}

/// Sets of columns in which no two rows may agree.
fn unique_sets(table: &Table) -> impl Iterator<Item = &Vec<ColumnName>> {
    let indexes = table.rules.indexes.iter().filter(|index| index.uniqueness == Uniqueness::Unique);
    [&table.primary_key].into_iter().chain(&table.unique).chain(indexes.map(|index| &index.columns))
}

fn is_unique(table: &Table, column: &ColumnName) -> bool {
    unique_sets(table).any(|columns| columns.contains(column))
}

/// Whether a check compares the column with another one.
fn is_compared(table: &Table, column: &ColumnName) -> bool {
    table.rules.checks.iter().any(|check| check.columns().count() > 1 && check.columns().any(|known| known == column))
}

/// Whether two rows agree where they must not; a set of which all is given is meant to.
fn agree(table: &Table, given: &Row, row: &Row, held: &Row) -> bool {
    let same = |column: &ColumnName| {
        let value = row.get(column);
        value.is_some_and(|value| *value != Datum::Null) && value == held.get(column)
    };
    unique_sets(table)
        .any(|columns| !columns.iter().all(|column| given.contains_key(column)) && columns.iter().all(same))
}

/// Whether a rule about times keeps the two rows apart, beside what is `given`.
fn overlap(table: &Table, given: &Row, row: &Row, held: &Row) -> bool {
    let text = |row: &Row, column: &ColumnName| match row.get(column) {
        Some(Datum::Text(text)) => Some(text.clone()),
        Some(Datum::Null | Datum::Boolean(_) | Datum::Integer(_) | Datum::Decimal(_) | Datum::Json(_)) | None => None,
    };
    table.rules.overlaps.iter().any(|rule| {
        let mut columns = rule.within.iter().chain([&rule.from, &rule.until]);
        let is_same = rule.within.iter().all(|column| row.get(column) == held.get(column));
        let is_before = |one: &Row, other: &Row| text(one, &rule.from) < text(other, &rule.until);
        !columns.all(|column| given.contains_key(column)) && is_same && is_before(row, held) && is_before(held, row)
    })
}

/// What finds this row and no other.
fn identity(table: &Table, row: &Row) -> Vec<Predicate> {
    table.primary_key.iter().filter_map(|column| Some(equal(column, row.get(column)?.clone()))).collect()
}

fn equal(column: &ColumnName, value: Datum) -> Predicate {
    Predicate::Compare(column.clone(), Comparison::Equal, Value::Literal(value))
}

fn key_of<'t>(table: &'t Table, column: &ColumnName) -> Option<&'t ForeignKey> {
    table.rules.foreign_keys.iter().find(|key| key.columns[..] == [column.clone()])
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
