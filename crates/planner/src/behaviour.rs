//! What endpoints can do. Each behaviour is a file that lowers to a procedure, and a line in the list.

mod form_submission;
mod newsletter_subscribe;

use catalog::Entity;
use plan::database::{Column, Nullability, Sensitivity};
use plan::procedure::{Generated, Input, Item, LimitKey, Scheme, Step};
use plan::shape::{Presence, Shape, ShapeField};
use plan::{Table, Value};
use vocab::{BehaviorName, ColumnName, EventName, FieldName, FieldType, PolicyName, SlotName};

/// Who may call, and how often.
pub struct Guarded {
    pub scheme: Option<Scheme>,
    pub policy: PolicyName,
    pub by: LimitKey,
}

/// What a behaviour comes to.
pub struct Behaved {
    /// One sentence without its subject: `stores a contact message`.
    pub summary: String,
    pub body: Vec<Item>,
    pub table: Table,
    pub event_fields: Vec<(FieldName, FieldType)>,
    pub example: serde_json::Value,
}

/// What a behaviour is given.
struct Given<'a> {
    entity: &'a Entity,
    emits: &'a EventName,
    /// The entity's fields, with those the task names made required.
    shape: Shape,
    guarded: &'a Guarded,
}

type Lower = fn(&Given<'_>) -> Behaved;

const BEHAVIOURS: &[(&str, Lower)] =
    &[("form_submission", form_submission::lower), ("newsletter_subscribe", newsletter_subscribe::lower)];

/// The procedure of a behaviour, or `None` when there is no such behaviour.
pub fn lower(
    name: &BehaviorName,
    entity: &Entity,
    emits: &EventName,
    required: &[FieldName],
    guarded: &Guarded,
) -> Option<Behaved> {
    let (_, lower) = BEHAVIOURS.iter().find(|(known, _)| *known == name.as_str())?;
    Some(lower(&Given { entity, emits, shape: shape(entity, required), guarded }))
}

impl Given<'_> {
    /// The steps before the work: authorize, limit, validate, and the new row's id.
    fn opening(&self) -> Vec<Item> {
        let policy = self.guarded.policy.clone();
        let mut items = Vec::new();
        if let Some(scheme) = self.guarded.scheme {
            items.push(Item::Do(Step::Authorize { scheme, failures: Some(policy.clone()) }));
        }
        items.push(Item::Do(Step::Limit { policy, by: self.guarded.by }));
        items.push(Item::Let(slot("input"), Step::Validate(Input::Body(self.shape.clone()))));
        items.push(Item::Let(slot("id"), Step::Generate(Generated::Uuid)));
        items
    }

    /// The new row: id, the fields of the request, the time.
    fn row(&self) -> Vec<(ColumnName, Value)> {
        let table = self.table();
        table.columns.into_iter().map(|column| (column.name.clone(), self.value(column.name.as_str()))).collect()
    }

    /// The event's payload: the whole row.
    fn emit(&self) -> Item {
        let payload =
            self.event_fields().into_iter().map(|(name, _)| (name.clone(), self.value(name.as_str()))).collect();
        Item::Do(Step::Emit { event: self.emits.clone(), payload })
    }

    fn value(&self, name: &str) -> Value {
        match name {
            "id" => Value::Slot(slot("id")),
            "created_at" => Value::Now,
            field => Value::Field(slot("input"), field_name(field)),
        }
    }

    fn event_fields(&self) -> Vec<(FieldName, FieldType)> {
        self.table().columns.into_iter().map(|column| (field_name(column.name.as_str()), column.field_type)).collect()
    }

    fn table(&self) -> Table {
        let plain = |name: &str, field_type, comment: &str| Column {
            name: column_name(name),
            field_type,
            nullability: Nullability::NotNull,
            sensitivity: Sensitivity::Plain,
            comment: comment.to_owned(),
        };
        let mut columns = vec![plain("id", FieldType::Uuid, "made by the server; sorts by time")];
        columns.extend(self.entity.fields.iter().map(|field| Column {
            name: column_name(field.name.as_str()),
            field_type: field.field_type,
            // What the entity leaves open stays nullable even where this task asks for it: another task may not.
            nullability: match field.presence {
                catalog::Presence::Required => Nullability::NotNull,
                catalog::Presence::Optional => Nullability::Nullable,
            },
            sensitivity: match field.sensitivity {
                catalog::Sensitivity::Plain => Sensitivity::Plain,
                catalog::Sensitivity::Personal => Sensitivity::Personal,
            },
            comment: field.description.clone(),
        }));
        columns.push(plain("created_at", FieldType::Timestamp, "when the request arrived"));
        Table {
            name: self.entity.table.clone(),
            comment: self.entity.comment.clone(),
            columns,
            primary_key: vec![column_name("id")],
            unique: self
                .entity
                .unique
                .iter()
                .map(|fields| fields.iter().map(|field| column_name(field.as_str())).collect())
                .collect(),
        }
    }

    /// A body with an example value in every field.
    fn example(&self) -> serde_json::Value {
        let fields = self.entity.fields.iter();
        fields.map(|field| (field.name.to_string(), serde_json::Value::from(field.example.as_str()))).collect()
    }
}

fn shape(entity: &Entity, required: &[FieldName]) -> Shape {
    let fields = entity
        .fields
        .iter()
        .map(|field| {
            let presence = match field.presence {
                catalog::Presence::Required => Presence::Required,
                catalog::Presence::Optional if required.contains(&field.name) => Presence::Required,
                catalog::Presence::Optional => Presence::Optional,
            };
            ShapeField {
                name: field.name.clone(),
                field_type: field.field_type,
                presence,
                min_length: 1,
                description: field.description.clone(),
            }
        })
        .collect();
    Shape { name: upper_camel_case(entity.entity.as_str()), fields }
}

fn upper_camel_case(name: &str) -> String {
    name.split('_')
        .map(|word| {
            let (first, rest) = word.split_at(word.len().min(1));
            first.to_ascii_uppercase() + rest
        })
        .collect()
}

fn slot(text: &str) -> SlotName {
    SlotName::parse(text).expect("a literal that is a name")
}

fn field_name(text: &str) -> FieldName {
    FieldName::parse(text).expect("a column's name is a field's name")
}

fn column_name(text: &str) -> ColumnName {
    ColumnName::parse(text).expect("a field's name is a column's name")
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_behaviour_of_the_catalogue_is_in_the_list() {
        let known: Vec<&str> = super::BEHAVIOURS.iter().map(|(name, _)| *name).collect();
        for behavior in catalog::Catalog::built_in().unwrap().behaviors() {
            assert!(known.contains(&behavior.as_str()), "{behavior}");
        }
    }
}
