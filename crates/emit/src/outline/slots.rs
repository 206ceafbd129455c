//! What the slots of a procedure hold, and whether a value of theirs may be null.

use super::table_of;
use manifest::point::Given;
use plan::Plan;
use plan::database::Nullability;
use plan::hearing::{HEARD_DEDUP, HEARD_KIND};
use plan::procedure::{CALLER, Input, Item, MAY, Patchable, Scheme, Step, entries_of, flattened};
use plan::query::{Cardinality, Output, Query, Write};
use plan::service::field_type;
use plan::shape::{Presence, Shape, ShapeField};
use plan::value::{RequestValue, Value};
use std::collections::BTreeMap;
use vocab::{Datum, FieldName, FieldType, SlotName};

/// What the slots of a procedure hold.
pub struct Slots(BTreeMap<SlotName, Held>);

/// What a slot holds.
pub enum Held {
    /// Who calls.
    Principal,
    /// A record with these fields.
    Record(Vec<HeldField>),
    /// A record of changes: a field that was not given is undefined.
    Changes(Vec<HeldField>),
    /// A list of records.
    Rows,
    /// A page of records with the cursor of the next.
    Page,
    /// What a service has answered, where it has.
    Answer(Vec<HeldField>),
    /// One value that is never null.
    Plain,
    /// Only how its step came out.
    Outcome,
}

/// A field of a record.
pub struct HeldField {
    pub name: FieldName,
    pub nullability: Nullability,
    /// Where one is known.
    pub field_type: Option<FieldType>,
}

impl Slots {
    pub fn of(plan: &Plan, body: &[Item]) -> Self {
        let held = flattened(body).into_iter().flat_map(|item| match item {
            Item::Let(slot, Step::Patched { patch, .. }) => {
                let patched = patchable(body, patch).map_or_else(Vec::new, |patched| changes_of(&patched.shape));
                vec![(slot.clone(), Held::Changes(patched))]
            }
            Item::Let(slot, step) => vec![(slot.clone(), held(plan, step))],
            Item::Each(each) => {
                let entry = entries_of(body, &each.of, &each.list);
                let entry = entry.map_or_else(Vec::new, |entries| fields_of(&entries.shape));
                vec![(each.item.clone(), Held::Record(entry)), (each.into.clone(), Held::Rows)]
            }
            Item::Do(_) | Item::Transaction(_) | Item::Promise(_) | Item::Match(..) | Item::Exit(..) => Vec::new(),
        });
        Self(held.collect())
    }

    pub fn get(&self, slot: &SlotName) -> Option<&Held> {
        self.0.get(slot)
    }

    /// The field of the record in the slot.
    pub fn field(&self, slot: &SlotName, name: &FieldName) -> Option<&HeldField> {
        match self.0.get(slot)? {
            Held::Record(fields) | Held::Changes(fields) | Held::Answer(fields) => {
                fields.iter().find(|field| field.name == *name)
            }
            Held::Principal | Held::Rows | Held::Page | Held::Plain | Held::Outcome => None,
        }
    }

    /// Whether the value may be null.
    pub fn nullability(&self, value: &Value) -> Nullability {
        match value {
            Value::Literal(Datum::Null) => Nullability::Nullable,
            Value::Else(_, second) => self.nullability(second),
            Value::Field(slot, name) => self.field(slot, name).map_or(Nullability::Nullable, |field| field.nullability),
            Value::Prefixed(_, inner) => self.nullability(inner),
            Value::Changed(..) => Nullability::Nullable,
            // A procedure asks whether there is one before it uses it.
            Value::Times(..) | Value::Sum(..) => Nullability::NotNull,
            Value::Literal(
                Datum::Boolean(_) | Datum::Integer(_) | Datum::Decimal(_) | Datum::Text(_) | Datum::Json(_),
            )
            | Value::Slot(_)
            | Value::Given(..)
            | Value::Now
            | Value::Today
            | Value::After(_)
            | Value::Request(_)
            | Value::Record(_) => Nullability::NotNull,
        }
    }

    /// Whether the value is a text of the caller's that need not be one of the type.
    pub fn may_be_another(&self, value: &Value, wanted: &FieldType) -> bool {
        match value {
            Value::Request(RequestValue::Path(_) | RequestValue::Query(_) | RequestValue::Cookie(_)) => true,
            Value::Field(slot, name) => {
                self.field(slot, name).and_then(|field| field.field_type.as_ref()) != Some(wanted)
            }
            Value::Else(first, second) => self.may_be_another(first, wanted) || self.may_be_another(second, wanted),
            Value::Changed(changes, name, _) => {
                self.field(changes, name).and_then(|field| field.field_type.as_ref()) != Some(wanted)
            }
            Value::Request(RequestValue::Address | RequestValue::Id)
            | Value::Literal(_)
            | Value::Slot(_)
            | Value::Given(..)
            | Value::Now
            | Value::Today
            | Value::After(_)
            | Value::Times(..)
            | Value::Sum(..)
            | Value::Prefixed(..)
            | Value::Record(_) => false,
        }
    }
}

fn held(plan: &Plan, step: &Step) -> Held {
    match step {
        Step::Authorize { scheme: Scheme::ApiKey, .. } => Held::Principal,
        Step::Authorize {
            scheme: Scheme::AccessToken | Scheme::Session | Scheme::SignedIn | Scheme::Basic | Scheme::Issued,
            ..
        } => {
            let field = |name: &&str| HeldField {
                name: FieldName::parse(name).expect("a literal that is a name"),
                nullability: Nullability::NotNull,
                field_type: None,
            };
            Held::Record(CALLER.iter().map(field).collect())
        }
        Step::Validate(Input::Body(shape) | Input::Parameters(shape) | Input::Query(shape)) => {
            Held::Record(fields_of(shape))
        }
        Step::May { .. } => {
            let field = |name: &&str| HeldField {
                name: FieldName::parse(name).expect("a literal that is a name"),
                nullability: if *name == MAY[0] { Nullability::NotNull } else { Nullability::Nullable },
                field_type: None,
            };
            Held::Record(MAY.iter().map(field).collect())
        }
        Step::Validate(Input::Changes(shape)) => Held::Changes(changes_of(shape)),
        Step::Read { query, cardinality: Cardinality::One, .. } => Held::Record(row(plan, query)),
        Step::Read { cardinality: Cardinality::Many, filled_by: None, .. } => Held::Rows,
        Step::Read { cardinality: Cardinality::Many, filled_by: Some(_), .. } => Held::Page,
        Step::Await { gives, .. } => {
            let field = |(name, given): (&FieldName, &Given)| HeldField {
                name: name.clone(),
                nullability: Nullability::NotNull,
                field_type: Some(field_type(given.kind)),
            };
            Held::Answer(gives.iter().map(field).collect())
        }
        // What a provider says is of no type before a column takes it.
        Step::Received(fields) => Held::Record(
            fields
                .iter()
                .map(|(name, _)| HeldField { name: name.clone(), nullability: Nullability::Nullable, field_type: None })
                .collect(),
        ),
        Step::Hear(hearing) => {
            let mut fields = fields_of(&hearing.shape);
            let heard = |name: &&str| HeldField {
                name: FieldName::parse(name).expect("a literal that is a name"),
                nullability: Nullability::NotNull,
                field_type: None,
            };
            fields.extend([HEARD_DEDUP, HEARD_KIND].iter().map(heard));
            Held::Record(fields)
        }
        Step::Write(Write::Insert { made: Some(_), .. }) => Held::Plain,
        Step::Check(_) | Step::Form | Step::Write(_) | Step::VerifyPassword { .. } => Held::Outcome,
        Step::Limit { .. }
        | Step::LimitEach { .. }
        | Step::Part { .. }
        | Step::Spare { .. }
        | Step::Claim
        | Step::SameOrigin
        | Step::SetSession(_)
        | Step::Ping
        | Step::Recall(_)
        | Step::Validate(Input::Patch(_) | Input::List(_) | Input::Listing(_) | Input::Selection(_))
        | Step::Patched { .. }
        | Step::Generate(_)
        | Step::Evaluate(_)
        | Step::Digest(_)
        | Step::Successor(_)
        | Step::HashPassword(_)
        | Step::Emit { .. }
        | Step::Fetch { .. }
        | Step::IssueToken { .. }
        | Step::Presign { .. } => Held::Plain,
    }
}

fn fields_of(shape: &Shape) -> Vec<HeldField> {
    let field = |field: &ShapeField| HeldField {
        name: field.name.clone(),
        field_type: Some(field.field_type.clone()),
        nullability: match (field.presence, &field.default) {
            (Presence::Required, _) | (Presence::Optional, Some(_)) => Nullability::NotNull,
            (Presence::Optional, None) => Nullability::Nullable,
        },
    };
    shape.fields.iter().map(field).collect()
}

fn changes_of(shape: &Shape) -> Vec<HeldField> {
    let field = |declared: &ShapeField| HeldField {
        name: declared.name.clone(),
        nullability: Nullability::Nullable,
        field_type: Some(declared.field_type.clone()),
    };
    shape.fields.iter().map(field).collect()
}

/// What the body in the slot patches.
fn patchable<'a>(body: &'a [Item], patch: &SlotName) -> Option<&'a Patchable> {
    body.iter().find_map(|item| match item {
        Item::Let(slot, Step::Validate(Input::Patch(patchable))) if slot == patch => Some(patchable),
        _ => None,
    })
}

fn row(plan: &Plan, query: &Query) -> Vec<HeldField> {
    let columns = table_of(plan, &query.from).map_or(&[][..], |table| &table.columns);
    query
        .outputs
        .iter()
        .map(|output| match output {
            Output::Column { column, field } => {
                let known = columns.iter().find(|known| known.name == *column);
                HeldField {
                    name: field.clone(),
                    nullability: known.map_or(Nullability::Nullable, |known| known.nullability),
                    field_type: known.map(|known| known.field_type.clone()),
                }
            }
            Output::Related(related) => {
                HeldField { name: related.field.clone(), nullability: Nullability::Nullable, field_type: None }
            }
        })
        .collect()
}
