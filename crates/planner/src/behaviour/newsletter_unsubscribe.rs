//! The end of a subscription. The row is deleted: an address that nobody writes to any more is not kept, and whoever subscribes
//! again starts anew. The answer is the same whether the address was known or not, so that nobody can find out who reads it.

use super::newsletter_subscribe::accepted;
use super::{Behaved, Given, column_name, field_name, newsletter_consent, slot};
use plan::procedure::{Input, Item, Outcome, Step};
use plan::query::{Predicate, Write};
use plan::shape::Shape;
use plan::value::{Comparison, Value};
use vocab::{FieldName, FieldType};

pub fn lower(given: &Given<'_>) -> Behaved {
    let table = given.table();
    let event = given.own_event("unsubscribed");
    let shape = shape(given);
    let fields = shape.fields.iter().map(|field| (field.name.clone(), field.field_type.clone()));
    let fields: Vec<(FieldName, FieldType)> =
        fields.chain([(field_name("unsubscribed_at"), FieldType::Timestamp)]).collect();
    let payload = fields.iter().map(|(name, _)| {
        let value = match name.as_str() {
            "unsubscribed_at" => Value::Now,
            _ => Value::Field(slot("input"), name.clone()),
        };
        (name.clone(), value)
    });
    let emit = Item::Do(Step::Emit { id: None, event: event.clone(), payload: payload.collect() });
    let address = Value::Field(slot("input"), field_name("email"));
    let filter = vec![Predicate::Compare(column_name("email"), Comparison::Equal, address.clone())];
    let mut body = given.write_guards();
    let example = example(given, &shape);
    body.push(Item::Let(slot("input"), Step::Validate(Input::Body(shape))));
    // A link that was mailed before would subscribe it again.
    let over = given.consents.map(|consents| newsletter_consent::over(consents, address.clone()));
    let ended = vec![
        Item::Let(slot("subscription"), Step::Write(Write::Delete { table: table.name.clone(), filter })),
        Item::Match(slot("subscription"), vec![(Outcome::Changed, vec![emit]), (Outcome::Unchanged, Vec::new())]),
    ];
    body.push(given.once(ended.into_iter().chain(over).collect(), accepted()));
    Behaved {
        summary: "deletes the subscription of an address, so that nothing of it is kept".to_owned(),
        body,
        table: Some(table),
        events: vec![(event, fields)],
        example,
    }
}

/// The address, and what else this endpoint asks for: it travels with the event.
fn shape(given: &Given<'_>) -> Shape {
    let mut shape = given.shape();
    shape.fields.retain(|field| field.name.as_str() == "email" || given.named.contains(&field.name));
    shape.name.push_str("Leaving");
    shape
}

fn example(given: &Given<'_>, shape: &Shape) -> serde_json::Value {
    let whole = given.example();
    let fields = shape.fields.iter();
    fields.filter_map(|field| Some((field.name.to_string(), whole.get(field.name.as_str())?.clone()))).collect()
}
