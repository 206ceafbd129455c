//! A new record that may be there already. Where the caller asks for it, one with the same unique fields is changed instead of made: what
//! the request says of it is stored, what it says nothing of stays.

use super::{Given, column_name, field_name, slot, unless_found};
use plan::procedure::{Item, Outcome, Response, Step, Writes};
use plan::query::{Assigned, Cardinality, Output, Predicate, Query, RowLock, Write};
use plan::value::{Comparison, Condition, Preference, Value};
use plan::{Problem, Table};
use vocab::{ColumnName, Datum, EventName, FieldName, FieldType};

/// What a record is known by among others, to whoever says its fields.
pub struct Merge<'g, 'a> {
    given: &'g Given<'a>,
    unique: Vec<ColumnName>,
}

impl<'a> Given<'a> {
    /// How records are merged, where whoever makes them may change them too, and every request says what they are known by.
    pub(super) fn merge(&self) -> Option<Merge<'_, 'a>> {
        if !self.merges || self.emits.is_some() || self.shelves.is_some() {
            return None;
        }
        let is_said = |column: &ColumnName| {
            let name = column.as_str();
            let required = |field: &catalog::Field| {
                field.presence == catalog::Presence::Required || self.required.contains(&field.name)
            };
            self.is_parent(name)
                || self.is_owner(name)
                || self.own_fields().any(|field| field.name.as_str() == name && required(field))
        };
        let Table { primary_key, unique, .. } = self.table;
        let unique = std::iter::once(primary_key).chain(unique).find(|columns| columns.iter().all(is_said))?.clone();
        Some(Merge { given: self, unique })
    }
}

impl Merge<'_, '_> {
    /// The event of a record that was changed, and what it tells.
    pub fn event(&self) -> (EventName, Vec<(FieldName, FieldType)>) {
        (self.given.own_event("updated"), self.given.representation())
    }

    /// Where the caller wants it: the one that is there is changed and answered. `minimal` is for whoever prefers little of that.
    pub fn of_one(&self) -> [Item; 2] {
        let answer = Response::Answer {
            status: 200,
            body: self.given.answer(|name| Value::Field(slot("fresh"), name.clone())),
            tag: Some(Value::Field(slot("fresh"), field_name("row_version"))),
            location: None,
        };
        let (fresh, [told, ended]) = (self.read("fresh", RowLock::None), self.told("fresh"));
        let mut there = self.given.consistent_as("merged_wrong", |name| self.becomes(name));
        there.extend([self.update(), fresh, told, ended, Item::Exit(answer, Writes::Keep)]);
        let arms = vec![(Outcome::Found, there), (Outcome::Missing, Vec::new())];
        wanted(vec![self.read("known", RowLock::ForUpdate), Item::Match(slot("known"), arms)])
    }

    /// The same of a record of a list; `made` is what is done with one that is not there. Nothing that it writes is looked at, so that all goes
    /// out together.
    pub fn of_each(&self, made: Vec<Item>) -> Vec<Item> {
        let mut there = super::in_list(self.given.consistent_as("merged_wrong", |name| self.becomes(name)));
        there.push(self.update());
        let arms = vec![(Outcome::Found, there), (Outcome::Missing, made)];
        vec![self.read("known", RowLock::ForUpdate), Item::Match(slot("known"), arms)]
    }

    /// The record as it is stored now, whoever has made it. Of one that has had a version before, it is told that it was changed.
    pub fn stored(&self) -> Vec<Item> {
        let [found, told] = self.told("stored");
        let version = Value::Field(slot("stored"), field_name("row_version"));
        let is_changed = Condition::Compare(version, Comparison::Greater, Value::Literal(Datum::Integer(1)));
        let arms = vec![(Outcome::Yes, vec![told]), (Outcome::No, Vec::new())];
        let asks = Item::Let(slot("was_there"), Step::Check(is_changed));
        vec![self.read("stored", RowLock::None), found, asks, Item::Match(slot("was_there"), arms)]
    }

    fn read(&self, name: &str, lock: RowLock) -> Item {
        let same = |column: &ColumnName| {
            Predicate::Compare(column.clone(), Comparison::Equal, self.given.new_value(column.as_str()))
        };
        let is_own = |column: &&ColumnName| {
            let name = column.as_str();
            !self.given.is_parent(name) && !self.given.is_owner(name)
        };
        let outputs = self.given.columns().map(|column| {
            let field = field_name(column.name.as_str());
            Output::Column { column: column.name.clone(), field }
        });
        let query = Query {
            from: self.given.entity.table.clone(),
            outputs: outputs.collect(),
            filter: self.unique.iter().filter(is_own).map(same).chain(self.given.within()).collect(),
            order: Vec::new(),
            holes: plan::query::Holes::default(),
            lock,
        };
        Item::Let(slot(name), Step::Read { query, cardinality: Cardinality::One, filled_by: None })
    }

    /// What the request says of a field, or what is there.
    fn becomes(&self, name: &FieldName) -> Value {
        let (said, known) = (Value::Field(slot("input"), name.clone()), Value::Field(slot("known"), name.clone()));
        Value::Else(Box::new(said), Box::new(known))
    }

    fn update(&self) -> Item {
        let key = self.given.record_key();
        let fields = self.given.own_fields().filter(|field| field.name != key.field());
        let mut set: Vec<(ColumnName, Assigned)> = fields
            .map(|field| (column_name(field.name.as_str()), Assigned::Value(self.becomes(&field.name))))
            .collect();
        set.push((column_name("updated_at"), Assigned::Value(Value::Now)));
        set.push((column_name("row_version"), Assigned::Plus(1)));
        let is_known =
            Predicate::Compare(key.column.clone(), Comparison::Equal, Value::Field(slot("known"), key.field()));
        Item::Do(Step::Write(Write::Update { table: self.given.entity.table.clone(), set, filter: vec![is_known] }))
    }

    fn told(&self, record: &str) -> [Item; 2] {
        let (event, fields) = self.event();
        let payload = fields.into_iter().map(|(name, _)| (name.clone(), Value::Field(slot(record), name))).collect();
        [unless_found(record, Problem::InternalError), Item::Do(Step::Emit { id: None, event, payload })]
    }
}

/// Where the caller wants records to be merged.
pub fn wanted(body: Vec<Item>) -> [Item; 2] {
    let arms = vec![(Outcome::Yes, body), (Outcome::No, Vec::new())];
    [Item::Let(slot("merges"), Step::Check(Condition::Prefers(Preference::Merge))), Item::Match(slot("merges"), arms)]
}
