//! What endpoints can do. Each behaviour is a file that lowers to a procedure, and a line in the list.

mod form_submission;
mod newsletter_subscribe;
mod record_create;
mod record_delete;
mod record_get;
mod record_list;
mod record_replace;
mod record_update;

use catalog::{Entity, Field};
use plan::database::{Column, Nullability, Sensitivity};
use plan::procedure::{Generated, Input, Item, LimitKey, Outcome, Response, ResponseField, Scheme, Step, Writes};
use plan::query::{Assigned, Cardinality, Holes, Output, Predicate, RowLock, Write};
use plan::shape::{Presence, Shape, ShapeField};
use plan::value::{Comparison, Condition, RequestValue};
use plan::{Problem, Query, Table, Value};
use vocab::{BehaviorName, ColumnName, Datum, EventName, FieldName, FieldType, PolicyName, SlotName};

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
    /// The event that tells of it, with its payload.
    pub event: Option<(EventName, Vec<(FieldName, FieldType)>)>,
    pub example: serde_json::Value,
}

/// What a behaviour is given.
pub struct Given<'a> {
    pub entity: &'a Entity,
    /// The entity's fields as requests may bring them.
    pub asked: &'a [Field],
    /// The event that tells of it, where the rule names one.
    pub emits: Option<&'a EventName>,
    /// Fields that the task asks for although the entity does not.
    pub required: &'a [FieldName],
    pub guarded: &'a Guarded,
    /// The endpoint's path.
    pub path: &'a str,
    /// The parameter that holds a record's key.
    pub key: Option<&'a FieldName>,
}

type Lower = fn(&Given<'_>) -> Behaved;

const BEHAVIOURS: &[(&str, Lower)] = &[
    ("form_submission", form_submission::lower),
    ("newsletter_subscribe", newsletter_subscribe::lower),
    ("record_create", record_create::lower),
    ("record_list", record_list::lower),
    ("record_get", record_get::lower),
    ("record_replace", record_replace::lower),
    ("record_update", record_update::lower),
    ("record_delete", record_delete::lower),
];

/// The procedure of a behaviour, or `None` when there is no such behaviour.
pub fn lower(name: &BehaviorName, given: &Given<'_>) -> Option<Behaved> {
    let (_, lower) = BEHAVIOURS.iter().find(|(known, _)| *known == name.as_str())?;
    Some(lower(given))
}

impl Given<'_> {
    /// Who may call, and how often.
    fn guards(&self) -> Vec<Item> {
        let policy = self.guarded.policy.clone();
        let mut items = Vec::new();
        if let Some(scheme) = self.guarded.scheme {
            items.push(Item::Do(Step::Authorize { scheme, failures: Some(policy.clone()) }));
        }
        items.push(Item::Do(Step::Limit { policy, by: self.guarded.by }));
        items
    }

    /// The steps before a new row: who may call, what comes in, and the row's id.
    fn opening(&self) -> Vec<Item> {
        let mut items = self.guards();
        items.push(Item::Let(slot("input"), Step::Validate(Input::Body(self.shape()))));
        items.push(Item::Let(slot("id"), Step::Generate(Generated::Uuid)));
        items
    }

    /// The new row: id, the fields of the request, the times, the first version.
    fn row(&self) -> Vec<(ColumnName, Value)> {
        let columns = self.table().columns.into_iter();
        columns.map(|column| (column.name.clone(), self.new_value(column.name.as_str()))).collect()
    }

    fn new_value(&self, name: &str) -> Value {
        match name {
            "id" => Value::Slot(slot("id")),
            "created_at" | "updated_at" => Value::Now,
            "row_version" => Value::Literal(Datum::Integer(1)),
            field => Value::Field(slot("input"), field_name(field)),
        }
    }

    /// The event of a new row: what it was asked for and when.
    fn emit_new(&self, event: &EventName) -> Item {
        let payload =
            self.new_event_fields().into_iter().map(|(name, _)| (name.clone(), self.new_value(name.as_str())));
        Item::Do(Step::Emit { event: event.clone(), payload: payload.collect() })
    }

    fn new_event_fields(&self) -> Vec<(FieldName, FieldType)> {
        let unsaid = ["updated_at", "row_version"];
        self.columns_as_fields(|name| !unsaid.contains(&name))
    }

    fn columns_as_fields(&self, wanted: impl Fn(&str) -> bool) -> Vec<(FieldName, FieldType)> {
        let columns = self.table().columns.into_iter().filter(|column| wanted(column.name.as_str()));
        columns.map(|column| (field_name(column.name.as_str()), column.field_type.clone())).collect()
    }

    /// What callers see of a record: everything but the version, which is its tag.
    fn representation(&self) -> Vec<(FieldName, FieldType)> {
        self.columns_as_fields(|name| name != "row_version")
    }

    /// The answer's fields, each with its value.
    fn answer(&self, value: impl Fn(&FieldName) -> Value) -> Vec<ResponseField> {
        let described = |name: &FieldName| {
            let field = self.entity.fields.iter().find(|field| field.name == *name);
            match (field, name.as_str()) {
                (Some(field), _) => field.description.clone(),
                (None, "id") => "Names the record; sorts by time.".to_owned(),
                (None, "created_at") => "When it was created.".to_owned(),
                (None, _) => "When it was last changed.".to_owned(),
            }
        };
        self.representation()
            .into_iter()
            .map(|(name, field_type)| ResponseField {
                value: value(&name),
                description: described(&name),
                name,
                field_type,
            })
            .collect()
    }

    /// The record with the key of the path; the transaction holds it until its end.
    fn find(&self, columns: impl Fn(&str) -> bool, lock: RowLock) -> Query {
        let outputs = self
            .columns_as_fields(columns)
            .into_iter()
            .map(|(field, _)| Output::Column { column: column_name(field.as_str()), field });
        Query {
            from: self.entity.table.clone(),
            outputs: outputs.collect(),
            filter: self.has_key(),
            order: Vec::new(),
            holes: Holes::default(),
            lock,
        }
    }

    fn has_key(&self) -> Vec<Predicate> {
        let key = self.key.cloned().unwrap_or_else(|| field_name("id"));
        let given = Value::Request(RequestValue::Path(key));
        vec![Predicate::Compare(column_name("id"), Comparison::Equal, given)]
    }

    /// `let row = ...` of the version that is there, 404 where there is none, 412 where the caller has seen another one.
    fn find_current(&self) -> Vec<Item> {
        let query = self.find(|name| name == "id" || name == "row_version", RowLock::ForUpdate);
        let version = Value::Field(slot("row"), field_name("row_version"));
        vec![
            Item::Let(slot("row"), Step::Read { query, cardinality: Cardinality::One, filled_by: None }),
            unless_found("row", Problem::NotFound),
            Item::Let(slot("current"), Step::Check(Condition::Current(version))),
            Item::Match(
                slot("current"),
                vec![
                    (Outcome::Yes, Vec::new()),
                    (Outcome::No, vec![Item::Exit(Response::Problem(Problem::PreconditionFailed), Writes::Undo)]),
                ],
            ),
        ]
    }

    /// Changes the record of the path and answers with what it has become.
    fn change(&self, input: Input, assigned: impl Fn(&FieldName) -> Assigned, summary: String) -> Behaved {
        let table = self.table();
        let mut set: Vec<(ColumnName, Assigned)> =
            self.entity.fields.iter().map(|field| (column_name(field.name.as_str()), assigned(&field.name))).collect();
        set.push((column_name("updated_at"), Assigned::Value(Value::Now)));
        set.push((column_name("row_version"), Assigned::Plus(1)));
        let mut changes = self.find_current();
        changes.push(Item::Do(Step::Write(Write::Update { table: table.name.clone(), set, filter: self.has_key() })));
        let fresh = self.find(|_| true, RowLock::None);
        changes.push(Item::Let(
            slot("fresh"),
            Step::Read { query: fresh, cardinality: Cardinality::One, filled_by: None },
        ));
        changes.push(unless_found("fresh", Problem::InternalError));
        let event = self.own_event("updated");
        let fields = self.representation();
        let payload =
            fields.iter().map(|(name, _)| (name.clone(), Value::Field(slot("fresh"), name.clone()))).collect();
        changes.push(Item::Do(Step::Emit { event: event.clone(), payload }));
        let mut body = self.guards();
        body.push(Item::Let(slot("input"), Step::Validate(input)));
        body.push(Item::Transaction(changes));
        body.push(Item::Exit(
            Response::Answer {
                status: 200,
                body: self.answer(|name| Value::Field(slot("fresh"), name.clone())),
                tag: Some(Value::Field(slot("fresh"), field_name("row_version"))),
                location: None,
            },
            Writes::Keep,
        ));
        Behaved { summary, body, table, event: Some((event, fields)), example: self.example() }
    }

    /// `product_created`, unless the rule names an event.
    fn own_event(&self, what: &str) -> EventName {
        let entity = self.entity.entity.as_str();
        let short = &entity[..entity.len().min(vocab::MAX_IDENTIFIER_LENGTH - what.len() - 1)];
        let own = || EventName::parse(&format!("{short}_{what}")).expect("an entity's name and a word");
        self.emits.cloned().unwrap_or_else(own)
    }

    /// The entity's name as words.
    fn thing(&self) -> String {
        self.entity.entity.as_str().replace('_', " ")
    }

    /// With its article: `an invoice`.
    fn a_thing(&self) -> String {
        let thing = self.thing();
        let article = if thing.starts_with(['a', 'e', 'i', 'o']) { "an" } else { "a" };
        format!("{article} {thing}")
    }

    fn shape(&self) -> Shape {
        shape(self.entity, self.asked, self.required)
    }

    fn table(&self) -> Table {
        let plain = |name: &str, field_type, comment: &str| Column {
            name: column_name(name),
            field_type,
            nullability: Nullability::NotNull,
            default: None,
            sensitivity: Sensitivity::Plain,
            comment: comment.to_owned(),
        };
        let mut columns = vec![plain("id", FieldType::Uuid, "made by the server; sorts by time")];
        columns.extend(self.entity.fields.iter().map(|field| Column {
            name: column_name(field.name.as_str()),
            field_type: field.field_type.clone(),
            // What the entity leaves open stays nullable even where this task asks for it: another task may not.
            nullability: match (field.presence, &field.default) {
                (catalog::Presence::Required, _) | (catalog::Presence::Optional, Some(_)) => Nullability::NotNull,
                (catalog::Presence::Optional, None) => Nullability::Nullable,
            },
            default: field.default.clone(),
            sensitivity: match field.sensitivity {
                catalog::Sensitivity::Plain => Sensitivity::Plain,
                catalog::Sensitivity::Personal => Sensitivity::Personal,
            },
            comment: field.description.clone(),
        }));
        columns.push(plain("created_at", FieldType::Timestamp, "when the row was made"));
        columns.push(plain("updated_at", FieldType::Timestamp, "when it was last changed"));
        columns.push(plain("row_version", FieldType::Integer, "raised by each change; the tag of the record"));
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
        self.asked.iter().map(|field| (field.name.to_string(), field.example_value().to_json())).collect()
    }
}

/// Ends with the problem where the read found nothing.
fn unless_found(name: &str, problem: Problem) -> Item {
    Item::Match(
        slot(name),
        vec![
            (Outcome::Found, Vec::new()),
            (Outcome::Missing, vec![Item::Exit(Response::Problem(problem), Writes::Undo)]),
        ],
    )
}

fn shape(entity: &Entity, asked: &[Field], required: &[FieldName]) -> Shape {
    let fields = asked
        .iter()
        .map(|field| {
            let presence = match field.presence {
                catalog::Presence::Required => Presence::Required,
                catalog::Presence::Optional if required.contains(&field.name) => Presence::Required,
                catalog::Presence::Optional => Presence::Optional,
            };
            ShapeField {
                name: field.name.clone(),
                field_type: field.field_type.clone(),
                presence,
                min_length: field.min_length,
                max_length: field.max_length,
                bounds: field.bounds.clone(),
                default: field.default.clone().filter(|_| presence == Presence::Optional),
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
