//! The refund that a payment provider brings to a shop: what was paid for an order is given back, whole or in part. The provider is
//! called behind the transaction, and its own call makes the order refunded, as it would where somebody gives the money back there.

use super::shop::{Awaited, Brought, WITHIN_MS, column, endpoint, must, said};
use crate::behaviour::{field_name, slot};
use crate::key::RecordKey;
use crate::table::column_name;
use catalog::Catalog;
use plan::api::EventDeclaration;
use plan::procedure::{Generated, Input, Item, LimitKey, Outcome, Response, ResponseField, Scheme, Step, Writes};
use plan::query::{Cardinality, Holes, Output, Predicate, RowLock};
use plan::shape::{Presence, Shape, ShapeField};
use plan::value::{Comparison, Condition, RequestValue};
use plan::{Access, Problem, Query, Scope, Table, Value};
use vocab::{Bounds, Datum, Decimal, EntityName, FieldName, FieldType, PolicyName};

/// Where what was paid is given back.
const PATH: &str = "/api/orders/{id}/refunds";
/// The event of a refund, and the point of the manifest that answers it.
pub const EVENT: &str = "order_refund";
/// What an order can be of which something can be given back.
const PAID: [&str; 4] = ["paid", "processing", "shipped", "delivered"];

/// The refunds of the shop, or why there are none.
pub fn refund(awaited: Awaited<'_>, catalog: &Catalog, held: &[Table], policy: &PolicyName) -> Result<Brought, String> {
    let order = EntityName::parse("order").ok().and_then(|name| catalog.entity(&name));
    let order = order.ok_or("nobody has described what an `order` is")?;
    let orders = held.iter().find(|table| table.name == order.table);
    let orders = orders.ok_or_else(|| format!("the database of the workspace has no table `{}`", order.table))?;
    if RecordKey::of(orders).is_none_or(|key| key.field_type != FieldType::Uuid || key.column.as_str() != "id") {
        return Err(format!("the key of `{}` is no UUID `id`", orders.name));
    }
    let total = column(orders, "total").ok_or_else(|| format!("`{}` has no column `total`", orders.name))?;
    let FieldType::Decimal { scale } = total.field_type else {
        return Err("what an order costs is no decimal number".to_owned());
    };
    for name in ["status", "currency"] {
        column(orders, name).ok_or_else(|| format!("`{}` has no column `{name}`", orders.name))?;
    }
    let fields = vec![
        (field_name("order_id"), FieldType::Uuid),
        (field_name("currency"), FieldType::Code { letters: 3 }),
        (field_name("amount"), FieldType::Decimal { scale }),
    ];
    let event = EventDeclaration { also: catalog.generalisations(awaited.event), fields, name: awaited.event.clone() };
    let summary = format!("gives back what {} took for an order, whole or in part", awaited.title);
    let said =
        (summary, serde_json::json!({ "amount": Decimal::new(10_i64.pow(u32::from(scale)), scale).to_string() }));
    let body = procedure(awaited, orders, scale, policy);
    let endpoint = endpoint("post_api_orders_by_id_refunds", ("POST", PATH), body, &order.entity, said);
    Ok(Brought { endpoints: vec![endpoint], event, tables: vec![orders.clone()] })
}

fn procedure(awaited: Awaited<'_>, orders: &Table, scale: u8, policy: &PolicyName) -> Vec<Item> {
    let scope = Scope { collection: orders.name.clone(), access: Access::Write };
    let failures = Some(policy.clone());
    let id = || Value::Slot(slot("id"));
    let gives = |status, given: Vec<ResponseField>| answer(status, scale, given);
    vec![
        Item::Do(Step::Authorize { scheme: Scheme::ApiKey, scope: Some(scope), role: None, grant: None, failures }),
        Item::Do(Step::Limit { policy: policy.clone(), by: LimitKey::Principal }),
        Item::Let(slot("claim"), Step::Claim),
        Item::Let(slot("input"), Step::Validate(Input::Body(shape(scale)))),
        Item::Let(slot("id"), Step::Generate(Generated::Uuid)),
        Item::Transaction(told(awaited, orders, answer(202, scale, Vec::new()))),
        Item::Let(slot("page"), awaited.wait(id(), WITHIN_MS)),
        Item::Match(
            slot("page"),
            vec![
                (
                    Outcome::Answered,
                    vec![Item::Transaction(vec![Item::Exit(gives(201, awaited.given()), Writes::Keep)])],
                ),
                (Outcome::Refused, vec![Item::Exit(Response::Problem(Problem::ServiceRefused), Writes::Keep)]),
                (Outcome::Unknown, vec![Item::Exit(gives(202, Vec::new()), Writes::Keep)]),
            ],
        ),
    ]
}

/// The order is looked at and held, and what is asked for is told, in one transaction with its first answer.
fn told(awaited: Awaited<'_>, orders: &Table, promised: Response) -> Vec<Item> {
    let row = |name: &str| Value::Field(slot("row"), field_name(name));
    let amount = || Value::Field(slot("input"), field_name("amount"));
    let names = ["id", "status", "total", "currency"];
    let outputs = names.map(|name| Output::Column { column: column_name(name), field: field_name(name) });
    let key = Value::Request(RequestValue::Path(field_name("id")));
    let query = Query {
        from: orders.name.clone(),
        outputs: outputs.into(),
        filter: vec![Predicate::Compare(column_name("id"), Comparison::Equal, key)],
        order: Vec::new(),
        holes: Holes::default(),
        lock: RowLock::ForUpdate,
    };
    let is = |word: &str| {
        let word = Value::Literal(Datum::Text(word.to_owned()));
        Condition::Compare(row("status"), Comparison::Equal, word)
    };
    let unpaid = Item::Exit(Response::Problem(Problem::WrongState), Writes::Undo);
    let detail = "must be at most what the order costs".to_owned();
    let too_much = Item::Exit(Response::Inconsistent { field: field_name("amount"), detail }, Writes::Undo);
    let is_more = Condition::Compare(amount(), Comparison::Greater, row("total"));
    let payload = vec![
        (field_name("order_id"), row("id")),
        (field_name("currency"), row("currency")),
        (field_name("amount"), amount()),
    ];
    let mut items = vec![
        Item::Do(Step::Recall(slot("claim"))),
        Item::Let(slot("row"), Step::Read { query, cardinality: Cardinality::One, filled_by: None }),
        Item::Match(
            slot("row"),
            vec![
                (Outcome::Found, Vec::new()),
                (Outcome::Missing, vec![Item::Exit(Response::Problem(Problem::NotFound), Writes::Undo)]),
            ],
        ),
    ];
    items.extend(must("is_paid", Condition::Any(PAID.map(is).into()), unpaid));
    items.extend(must("is_within", Condition::Not(Box::new(is_more)), too_much));
    items.push(Item::Do(Step::Emit { id: Some(slot("id")), event: awaited.event.clone(), payload }));
    items.push(Item::Promise(promised));
    items
}

fn shape(scale: u8) -> Shape {
    let description = "How much is given back; all of it where nothing is said.";
    let least = Datum::Decimal(Decimal::new(1, scale));
    let amount = ShapeField {
        bounds: Bounds { minimum: Some(least), maximum: None },
        ..said("amount", FieldType::Decimal { scale }, Presence::Optional, description)
    };
    Shape { name: "Refund".to_owned(), fields: vec![amount] }
}

fn answer(status: u16, scale: u8, given: Vec<ResponseField>) -> Response {
    let field = |name: &str, value: Value, field_type: FieldType, description: &str| ResponseField {
        name: FieldName::parse(name).expect("a literal that is a name"),
        value,
        field_type,
        entries: None,
        description: description.to_owned(),
    };
    let (order, asked) =
        (Value::Request(RequestValue::Path(field_name("id"))), Value::Field(slot("input"), field_name("amount")));
    let own = [
        field("id", Value::Slot(slot("id")), FieldType::Uuid, "Names the refund; sorts by time."),
        field("order_id", order, FieldType::Uuid, "The order of which something is given back."),
        field("amount", asked, FieldType::Decimal { scale }, "How much; null for all of it."),
    ];
    let body = own.into_iter().chain(given).collect();
    Response::Answer { status, body, tag: None, location: None }
}
