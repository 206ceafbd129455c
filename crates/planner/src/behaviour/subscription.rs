//! Those who are told of events at addresses of their own: how somebody subscribes, looks at it, changes and ends it, gets its secret and
//! another one, has it tried, sees what became of what was sent, and has it sent again. What brings events there is no endpoint.

use super::account::{body, input, insert, is, nothing, one, refused, row, said, told, update};
use super::{Behaved, Given, caller, column_name, field_name, slot};
use plan::database::Column;
use plan::procedure::{Generated, Input, Item, Location, Outcome, Response, ResponseField, RowsFormat, Step, Writes};
use plan::query::{Assigned, Cardinality, Direction, Holes, Order, Output, Page, Predicate, Query, RowLock, Write};
use plan::shape::{Presence, Shape, ShapeField};
use plan::subscribers::{BOTH_SECRETS, RATE, SECRET_PREFIX, TEST};
use plan::value::{Comparison, Condition, RequestValue};
use plan::{Problem, Table, Value, system};
use vocab::{Bounds, Datum, EventName, FieldName, FieldType};

const PAGE: Page = Page { default: 20, max: 100 };
/// Deliveries that may be begun in a second at most.
const MOST_RATE: i64 = 100;
/// What is seen of a subscription.
const SHOWN: [&str; 10] = [
    "id",
    "url",
    "events",
    "description",
    "status",
    "rate_limit",
    "failing_since",
    "disabled_at",
    "created_at",
    "updated_at",
];
/// What is seen of a delivery to one.
const OF_DELIVERY: [&str; 9] =
    ["id", "event_id", "event", "state", "attempts", "due_at", "problem", "created_at", "ended_at"];
/// Before everything.
const EVER: &str = "1970-01-01T00:00:00.000Z";
/// Events of a subscription that is an example.
const EXAMPLE: &str = "https://hooks.example.com/orders";

/// Makes one, and answers with its secret.
pub fn create(given: &Given<'_>) -> Behaved {
    let table = given.table();
    let mut values = vec![("id", Value::Slot(slot("id")))];
    values.extend(given.hears_own.then(|| ("user_id", caller())));
    values.extend(["url", "events", "description", "rate_limit"].map(|name| (name, input(name))));
    values.extend([
        ("status", text("active")),
        ("secret_id", Value::Slot(slot("secret_id"))),
        ("created_at", Value::Now),
        ("updated_at", Value::Now),
    ]);
    let mut answer: Vec<ResponseField> = ["id", "url", "events", "description", "status", "rate_limit", "created_at"]
        .map(|name| {
            let value = match name {
                "id" => Value::Slot(slot("id")),
                "status" => text("active"),
                "created_at" => Value::Now,
                name => input(name),
            };
            shown(&table, name, value)
        })
        .into();
    answer.push(secret_field(Value::Slot(slot("secret_digest"))));
    let mut items = given.guards();
    items.push(body("WebhookSubscription", fields(given, Presence::Required)));
    items.extend([
        Item::Let(slot("id"), Step::Generate(Generated::Uuid)),
        Item::Let(slot("secret_id"), Step::Generate(Generated::Uuid)),
    ]);
    items.extend(secret_of(Value::Slot(slot("secret_id"))));
    items.push(Item::Transaction(vec![
        insert(&table, values),
        Item::Exit(
            Response::Answer {
                status: 201,
                body: answer,
                tag: None,
                location: Some(Location { path: format!("{}/", given.path), key: Value::Slot(slot("id")) }),
            },
            Writes::Keep,
        ),
    ]));
    behaved(given, "subscribes an address to events, and answers with the secret that proves them", items)
        .with_example(serde_json::json!({ "url": EXAMPLE, "description": "orders", "rate_limit": RATE }))
}

/// Lists them, the newest first.
pub fn list(given: &Given<'_>) -> Behaved {
    let mut items = given.guards();
    items.extend(page(&given.table(), &SHOWN, owned(given), Vec::new()));
    behaved(given, "lists subscriptions to events", items)
}

/// Reads one.
pub fn get(given: &Given<'_>) -> Behaved {
    let mut items = given.guards();
    items.extend(found(given, "row", &SHOWN, RowLock::None));
    items.push(Item::Exit(record(given, "row"), Writes::Keep));
    behaved(given, "reads one subscription to events", items)
}

/// Changes one; one that is made active again is as good as new.
pub fn change(given: &Given<'_>) -> Behaved {
    let table = given.table();
    let status = FieldType::Choice { words: ["active", "disabled"].map(str::to_owned).into() };
    let mut asked = fields(given, Presence::Optional);
    asked.push(optional(said("status", status, None, 0, "Whether it is told of anything.")));
    let shape = Shape { name: "WebhookSubscription".to_owned(), fields: asked };
    let if_given = |name: &str| (column_name(name), Assigned::IfGiven(slot("input"), field_name(name)));
    let kept = |name: &str| {
        let value = Value::Else(Box::new(input(name)), Box::new(row("row", name)));
        (column_name(name), Assigned::Value(value))
    };
    let mut set = vec![kept("url"), kept("status")];
    set.extend(["events", "description", "rate_limit"].map(if_given));
    set.push((column_name("updated_at"), Assigned::Value(Value::Now)));
    let activates = Condition::Compare(input("status"), Comparison::Equal, text("active"));
    let anew = ["failing_since", "warned_at", "disabled_at"].map(|name| (name, Value::Literal(Datum::Null)));
    let anew = update(&table, anew.into(), this(given));
    let mut changes = found(given, "row", &SHOWN, RowLock::ForUpdate);
    changes.extend([
        Item::Do(Step::Write(Write::Update { table: table.name.clone(), set, filter: this(given) })),
        Item::Let(slot("activates"), Step::Check(activates)),
        Item::Match(slot("activates"), vec![(Outcome::Yes, vec![Item::Do(anew)]), (Outcome::No, Vec::new())]),
    ]);
    changes.extend(found(given, "fresh", &SHOWN, RowLock::None));
    changes.push(Item::Exit(record(given, "fresh"), Writes::Keep));
    let mut items = given.guards();
    items.push(Item::Let(slot("input"), Step::Validate(Input::Changes(shape))));
    items.push(Item::Transaction(changes));
    behaved(given, "changes one subscription to events, or lets it be told again", items)
        .with_example(serde_json::json!({ "url": EXAMPLE, "status": "active" }))
}

/// Ends one: what waits for it is given up.
pub fn end(given: &Given<'_>) -> Behaved {
    let table = given.table();
    let deliveries = system::deliveries();
    let given_up = update(
        &deliveries,
        vec![("state", text("dead")), ("ended_at", Value::Now), ("problem", text("the subscription was ended"))],
        vec![is("integration", row("row", "id")), is("state", text("waiting"))],
    );
    let mut items = given.guards();
    let mut changes = found(given, "row", &["id"], RowLock::ForUpdate);
    changes.extend([
        Item::Do(Step::Write(Write::Delete { table: table.name, filter: this(given) })),
        Item::Do(given_up),
        nothing(Writes::Keep),
    ]);
    items.push(Item::Transaction(changes));
    behaved(given, "ends one subscription to events", items)
}

/// Tells its secret.
pub fn secret(given: &Given<'_>) -> Behaved {
    let mut items = given.guards();
    items.extend(found(given, "parent", &["id", "secret_id", "old_secret_until"], RowLock::None));
    items.extend(secret_of(row("parent", "secret_id")));
    let until = shown(&given.table(), "old_secret_until", row("parent", "old_secret_until"));
    let answer = vec![secret_field(Value::Slot(slot("secret_digest"))), until];
    items.push(Item::Exit(Response::Answer { status: 200, body: answer, tag: None, location: None }, Writes::Keep));
    behaved(given, "tells the secret of a subscription", items)
}

/// Gives it another secret; the one before is good too for a day.
pub fn rotate(given: &Given<'_>) -> Behaved {
    let table = given.table();
    let mut changes = found(given, "parent", &["id", "secret_id"], RowLock::ForUpdate);
    let set = vec![
        ("old_secret_id", row("parent", "secret_id")),
        ("old_secret_until", Value::After(BOTH_SECRETS)),
        ("secret_id", Value::Slot(slot("secret_id"))),
        ("updated_at", Value::Now),
    ];
    let until = shown(&table, "old_secret_until", Value::After(BOTH_SECRETS));
    let answer = vec![secret_field(Value::Slot(slot("secret_digest"))), until];
    changes.extend([
        Item::Do(update(&table, set, this(given))),
        Item::Exit(Response::Answer { status: 200, body: answer, tag: None, location: None }, Writes::Keep),
    ]);
    let mut items = given.guards();
    items.push(Item::Let(slot("secret_id"), Step::Generate(Generated::Uuid)));
    items.extend(secret_of(Value::Slot(slot("secret_id"))));
    items.push(Item::Transaction(changes));
    behaved(given, "gives a subscription another secret; messages are signed with both for a day", items)
}

/// Sends it something.
pub fn test(given: &Given<'_>) -> Behaved {
    let event = EventName::parse(TEST).expect("a literal that is a name");
    let held = [("subscription_id", FieldType::Uuid), ("sent_at", FieldType::Timestamp)];
    let payload = vec![(field_name("subscription_id"), row("parent", "id")), (field_name("sent_at"), Value::Now)];
    let mut changes = found(given, "parent", &["id"], RowLock::None);
    changes.push(Item::Do(Step::Emit { id: None, event: event.clone(), payload }));
    changes.push(Item::Exit(super::newsletter_subscribe::accepted(), Writes::Keep));
    let mut items = given.guards();
    items.push(Item::Transaction(changes));
    let events = vec![(event, held.map(|(name, kind)| (field_name(name), kind)).into())];
    Behaved { events, ..behaved(given, "sends a test event to a subscription", items) }
}

/// Lists what was sent to it, and what came of that, the newest first.
pub fn deliveries(given: &Given<'_>) -> Behaved {
    let mut items = given.guards();
    let parent = found(given, "parent", &["id"], RowLock::None);
    let of_parent = vec![is("integration", row("parent", "id"))];
    items.extend(page(&system::deliveries(), &OF_DELIVERY, of_parent, parent));
    behaved(given, "lists the deliveries to a subscription with their outcome", items)
}

/// Has a delivery sent again, or all that were given up since a time.
pub fn replay(given: &Given<'_>) -> Behaved {
    let deliveries = system::deliveries();
    let asked = vec![
        optional(said("delivery_id", FieldType::Uuid, None, 0, "The delivery; all that were given up when absent.")),
        optional(said("since", FieldType::Timestamp, None, 0, "Those made since then alone; all when absent.")),
    ];
    let again = |filter: Vec<Predicate>| {
        let set = vec![
            ("state", text("waiting")),
            ("attempts", Value::Literal(Datum::Integer(0))),
            ("due_at", Value::Now),
            ("tried_since", Value::Now),
            ("in_doubt", Value::Literal(Datum::Boolean(false))),
            ("ended_at", Value::Literal(Datum::Null)),
        ];
        let own = std::iter::once(is("integration", row("parent", "id"))).chain(filter);
        update(&deliveries, set, own.collect())
    };
    let since = Value::Else(Box::new(input("since")), Box::new(text(EVER)));
    let all = again(vec![
        is("state", text("dead")),
        Predicate::Compare(column_name("created_at"), Comparison::AtLeast, since),
    ]);
    let ended = Predicate::Any(vec![is("state", text("dead")), is("state", text("delivered"))]);
    let single = again(vec![is("id", input("delivery_id")), ended]);
    let none = vec![refused(Problem::NotFound, Writes::Undo)];
    let of_one = vec![
        Item::Let(slot("again"), single),
        Item::Match(slot("again"), vec![(Outcome::Changed, Vec::new()), (Outcome::Unchanged, none)]),
    ];
    let mut changes = found(given, "parent", &["id"], RowLock::None);
    changes.extend([
        Item::Let(slot("is_one"), Step::Check(Condition::Present(input("delivery_id")))),
        Item::Match(slot("is_one"), vec![(Outcome::Yes, of_one), (Outcome::No, vec![Item::Do(all)])]),
        Item::Exit(super::newsletter_subscribe::accepted(), Writes::Keep),
    ]);
    let mut items = given.guards();
    items.push(body("WebhookReplay", asked));
    items.push(Item::Transaction(changes));
    behaved(given, "sends a subscription again what it did not take", items)
        .with_example(serde_json::json!({ "since": "2026-05-04T09:00:00.000Z" }))
}

impl Behaved {
    fn with_example(self, example: serde_json::Value) -> Self {
        Self { example, ..self }
    }
}

fn behaved(given: &Given<'_>, summary: &str, body: Vec<Item>) -> Behaved {
    Behaved {
        summary: summary.to_owned(),
        body,
        table: Some(given.table()),
        events: Vec::new(),
        example: serde_json::Value::Null,
    }
}

/// What a subscription says.
fn fields(given: &Given<'_>, url: Presence) -> Vec<ShapeField> {
    let address = said("url", FieldType::Url, None, 0, "Where events are sent with POST: `https://` alone.");
    let events = said("events", FieldType::Json, None, 0, "What it hears of; everything that is offered when absent.");
    let description = said("description", FieldType::Line { max: 200 }, None, 0, "What you call it.");
    let rate = said("rate_limit", FieldType::Integer, None, 0, "How many deliveries are begun in a second at most.");
    vec![
        ShapeField { presence: url, ..address },
        ShapeField { words: given.offers.iter().map(ToString::to_string).collect(), ..optional(events) },
        optional(description),
        ShapeField {
            bounds: Bounds { minimum: Some(Datum::Integer(1)), maximum: Some(Datum::Integer(MOST_RATE)) },
            ..optional(rate)
        },
    ]
}

fn optional(field: ShapeField) -> ShapeField {
    ShapeField { presence: Presence::Optional, ..field }
}

/// The subscriptions that the caller has to do with.
fn owned(given: &Given<'_>) -> Vec<Predicate> {
    given.hears_own.then(|| is("user_id", caller())).into_iter().collect()
}

/// The one that the path names.
fn this(given: &Given<'_>) -> Vec<Predicate> {
    let mut filter = vec![is("id", Value::Request(RequestValue::Path(key(given))))];
    filter.extend(owned(given));
    filter
}

fn key(given: &Given<'_>) -> FieldName {
    given.key.cloned().unwrap_or_else(|| field_name("id"))
}

/// `let <name> = ...` of the one that the path names; 404 where there is none.
fn found(given: &Given<'_>, name: &str, columns: &[&str], lock: RowLock) -> Vec<Item> {
    let missing = vec![refused(Problem::NotFound, Writes::Undo)];
    vec![
        Item::Let(slot(name), one(&given.table(), columns, this(given), lock)),
        Item::Match(slot(name), vec![(Outcome::Found, Vec::new()), (Outcome::Missing, missing)]),
    ]
}

/// Answers with a page of rows, once it is known of what.
fn page(table: &Table, columns: &[&str], filter: Vec<Predicate>, of: Vec<Item>) -> Vec<Item> {
    let output = |name: &&str| Output::Column { column: column_name(name), field: field_name(name) };
    let query = Query {
        from: table.name.clone(),
        outputs: columns.iter().map(output).collect(),
        filter,
        order: vec![Order { column: column_name("id"), direction: Direction::Descending }],
        holes: Holes { page: Some(PAGE), ..Holes::default() },
        lock: RowLock::None,
    };
    let mut items = vec![Item::Let(slot("asked"), Step::Validate(Input::Listing(query.holes.clone())))];
    items.extend(of);
    items.extend([
        Item::Let(slot("rows"), Step::Read { query, cardinality: Cardinality::Many, filled_by: Some(slot("asked")) }),
        Item::Exit(Response::Rows { slot: slot("rows"), format: RowsFormat::Json }, Writes::Keep),
    ]);
    items
}

fn record(given: &Given<'_>, name: &str) -> Response {
    let table = given.table();
    let body = SHOWN.map(|column| shown(&table, column, row(name, column))).into();
    Response::Answer { status: 200, body, tag: None, location: None }
}

/// A column, as it is told.
fn shown(table: &Table, name: &str, value: Value) -> ResponseField {
    let column: Option<&Column> = table.columns.iter().find(|column| column.name.as_str() == name);
    let (kind, comment) = column.map_or((FieldType::Json, ""), |column| (column.field_type.clone(), &column.comment));
    let mut letters = comment.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    told(name, value, kind, &format!("{first}{}.", letters.as_str()))
}

/// `let secret_digest = ...`: what follows the id under the secret of the servers, as Base64 has it: 64 digits of hex are 48 bytes of it.
fn secret_of(id: Value) -> [Item; 2] {
    [
        Item::Let(slot("secret_text"), Step::Successor(id)),
        Item::Let(slot("secret_digest"), Step::Digest(Value::Slot(slot("secret_text")))),
    ]
}

fn secret_field(digest: Value) -> ResponseField {
    let value = Value::Prefixed(SECRET_PREFIX.to_owned(), Box::new(digest));
    told("secret", value, FieldType::Line { max: 100 }, "What messages are signed with (Standard Webhooks).")
}

fn text(word: &str) -> Value {
    Value::Literal(Datum::Text(word.to_owned()))
}
