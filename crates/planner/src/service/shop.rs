//! What the endpoints have in common that a provider brings to a shop: the point that they wait for, rows of its tables, steps that
//! end a request where something does not hold.

use super::intake::field_type;
use crate::behaviour::{field_name, slot};
use crate::body_size::max_body_bytes;
use manifest::point::{Calls, Given};
use plan::api::{Cache, Endpoint, EventDeclaration};
use plan::database::{Column, Nullability};
use plan::procedure::{Item, Outcome, Procedure, ResponseField, Step, Trigger};
use plan::query::{OnConflict, Write};
use plan::shape::{Presence, ShapeField};
use plan::value::Condition;
use plan::{Table, Value, check};
use vocab::{Bounds, ColumnName, Datum, EntityName, EventName, FieldName, FieldType, ProcedureName};

/// How long a caller waits for the provider before he is told where to ask again, in milliseconds.
pub(super) const WITHIN_MS: u32 = 8000;

/// Endpoints with the event that they tell of, and the tables that they stand on.
pub struct Brought {
    pub endpoints: Vec<Endpoint>,
    pub event: EventDeclaration,
    pub tables: Vec<Table>,
}

/// The point of a manifest that endpoints wait for.
#[derive(Clone, Copy)]
pub struct Awaited<'a> {
    pub event: &'a EventName,
    pub calls: &'a Calls,
    /// What the provider calls itself.
    pub title: &'a str,
}

impl Awaited<'_> {
    /// Waits for what is done at the event with that id.
    pub(super) fn wait(&self, id: Value, within_ms: u32) -> Step {
        let gives = self.calls.gives.iter().map(|(name, given)| (name.clone(), field_type(given.kind))).collect();
        Step::Await { id, event: self.event.clone(), gives, within_ms }
    }

    /// What the provider answers, out of the slot `page`.
    pub(super) fn given(&self) -> Vec<ResponseField> {
        let field = |(name, given): (&FieldName, &Given)| ResponseField {
            name: name.clone(),
            value: Value::Field(slot("page"), name.clone()),
            field_type: field_type(given.kind),
            description: given.about.clone().unwrap_or_else(|| format!("As {} says it.", self.title)),
        };
        self.calls.gives.iter().map(field).collect()
    }
}

/// An endpoint of a method and a path.
pub(super) fn endpoint(
    name: &str,
    (method, path): (&str, &str),
    body: Vec<Item>,
    entity: &EntityName,
    (summary, example): (String, serde_json::Value),
) -> Endpoint {
    let max_body_bytes = max_body_bytes(&body);
    let procedure = Procedure {
        name: ProcedureName::parse(name).expect("a literal that is a name"),
        trigger: Trigger::Request { method: method.to_owned(), path: path.to_owned() },
        body,
    };
    let violations = check::violations(&procedure);
    assert!(violations.is_empty(), "what a provider brings lowers to a well formed procedure: {violations:?}");
    Endpoint { procedure, entity: entity.clone(), summary, max_body_bytes, example, cache: Cache::NoStore }
}

/// A row of the table: what is known of a column, the times and the first version, and nothing where the database fills it.
pub(super) fn row(table: &Table, known: impl Fn(&str) -> Option<Value>) -> Result<Vec<(ColumnName, Value)>, String> {
    let mut row = Vec::new();
    for column in &table.columns {
        let name = column.name.as_str();
        let value = known(name).or_else(|| match name {
            "created_at" | "updated_at" => Some(Value::Now),
            "row_version" => Some(Value::Literal(Datum::Integer(1))),
            _ => None,
        });
        match value {
            Some(value) => row.push((column.name.clone(), value)),
            None if is_needed(table, &column.name) => {
                return Err(format!("nobody says `{name}` of a new row of `{}`", table.name));
            }
            None => {}
        }
    }
    Ok(row)
}

/// Whether a row must say the column.
pub(super) fn is_needed(table: &Table, name: &ColumnName) -> bool {
    let is_open = |column: &&Column| column.nullability == Nullability::NotNull && column.default.is_none();
    table.columns.iter().filter(is_open).any(|column| column.name == *name)
}

pub(super) fn column<'t>(table: &'t Table, name: &str) -> Option<&'t Column> {
    table.columns.iter().find(|column| column.name.as_str() == name)
}

pub(super) fn insert(table: &Table, values: Vec<(ColumnName, Value)>, on_conflict: OnConflict) -> Step {
    Step::Write(Write::Insert { table: table.name.clone(), values, on_conflict, made: None })
}

/// Goes on where the condition holds, and ends so where it does not.
pub(super) fn must(name: &str, condition: Condition, otherwise: Item) -> [Item; 2] {
    let arms = vec![(Outcome::Yes, Vec::new()), (Outcome::No, vec![otherwise])];
    [Item::Let(slot(name), Step::Check(condition)), Item::Match(slot(name), arms)]
}

pub(super) fn said(name: &str, field_type: FieldType, presence: Presence, description: &str) -> ShapeField {
    ShapeField {
        name: field_name(name),
        field_type,
        format: None,
        presence,
        min_length: 0,
        max_length: None,
        bounds: Bounds::default(),
        default: None,
        entries: None,
        description: description.to_owned(),
    }
}
