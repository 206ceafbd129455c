//! A newsletter that goes to nobody who has not confirmed it. Who asks for it is kept apart from the subscribers and gets a mail; who sends its
//! token back becomes one; who sends the token of a later mail back is none any more. Nobody learns who reads it.

use super::account::mailed;
use super::account::{body, insert, is, nothing, one, refused, row, update};
use super::newsletter_subscribe::{accepted, told_of_new};
use super::{Behaved, Given, column_name, field_name, slot};
use crate::key::{Origin, RecordKey};
use crate::newsletter::{SEED_TOKEN, own_columns};
use plan::procedure::{Generated, Input, Item, Outcome, Step, Writes};
use plan::query::{OnConflict, Predicate, RowLock, Write};
use plan::value::{Comparison, RequestValue};
use plan::{Problem, Table, Value};
use vocab::{ColumnName, Datum, EventName, FieldName, FieldType};

/// How long a link is good for that confirms, in seconds: a week. As long is kept who has asked and not confirmed.
const LIFETIME: u32 = 604_800;
/// What mails the link.
const ASKED: &str = "newsletter_confirmation";
/// What stands in the outbox where nobody is mailed, so that it takes as long.
const NOBODY: &str = "newsletter_confirmation_unmatched";
/// Tells of a subscription that was confirmed.
const SUBSCRIBED: &str = "newsletter_signup";
/// Tells the subscriber of it.
const WELCOME: &str = "newsletter_welcome";
/// Tells of one that has ended.
const ENDED: &str = "newsletter_unsubscribed";
/// Fields by which a mail knows its language.
const LANGUAGES: [&str; 3] = ["language", "locale", "preferred_language"];

/// Asks for the newsletter: a mail goes to the address, unless it has the newsletter already.
pub fn ask(given: &Given<'_>, consents: &Table) -> Behaved {
    let key = given.record_key();
    let email = || Value::Field(slot("input"), field_name("email"));
    let own: Vec<ColumnName> = own_columns(given.table, &key).map(|column| column.name.clone()).collect();
    let values = |expires_at| {
        let mut values = vec![
            ("consent_id", Value::Slot(slot("token_id"))),
            ("consent_hash", Value::Slot(slot("token_hash"))),
            ("leave_id", Value::Slot(slot("leave_id"))),
            ("leave_hash", Value::Slot(slot("leave_hash"))),
            ("asked_at", Value::Now),
            ("expires_at", expires_at),
        ];
        values.extend(own.iter().map(|name| (name.as_str(), given.new_value(name.as_str()))));
        values
    };
    let over = vec![
        Predicate::Compare(column_name("expires_at"), Comparison::AtMost, Value::Now),
        Predicate::Null(column_name("consented_at")),
    ];
    let spoken = LANGUAGES.iter().filter(|name| own.iter().any(|column| column.as_str() == **name));
    let mut payload = vec![(field_name("email"), email()), (field_name("token"), Value::Slot(slot("token_id")))];
    let mut held = vec![(field_name("email"), FieldType::Email), (field_name("token"), FieldType::Uuid)];
    for name in spoken {
        payload.push((field_name(name), given.new_value(name)));
        let column = given.table.columns.iter().find(|column| column.name.as_str() == *name);
        held.extend(column.map(|column| (field_name(name), column.field_type.clone())));
    }
    let kept = |expires_at, event: &str, payload| {
        vec![
            Item::Do(Step::Write(Write::Delete { table: consents.name.clone(), filter: over.clone() })),
            insert(consents, values(expires_at)),
            Item::Do(Step::Emit { id: None, event: named(event), payload }),
        ]
    };
    let mails = kept(Value::After(LIFETIME), ASKED, payload);
    // It takes as long: what is kept is good for nothing, and the event says nothing.
    let known = kept(Value::Now, NOBODY, Vec::new());
    let table = given.table();
    let mut items = given.write_guards();
    items.push(Item::Let(slot("input"), Step::Validate(Input::Body(given.shape()))));
    items.extend(given.consistent(|name| given.given(name)));
    items.push(mailed::counted());
    items.extend(mailed::made());
    items.extend([
        Item::Let(slot("leave_id"), Step::Generate(Generated::Uuid)),
        Item::Let(slot("leave_token"), Step::Successor(Value::Slot(slot("leave_id")))),
        Item::Let(slot("leave_hash"), Step::Digest(Value::Slot(slot("leave_token")))),
    ]);
    let changes = vec![
        Item::Let(slot("known"), one(&table, &["email"], vec![is("email", email())], RowLock::None)),
        Item::Match(slot("known"), vec![(Outcome::Found, known), (Outcome::Missing, mails)]),
    ];
    items.push(given.once(changes, accepted()));
    Behaved {
        summary:
            "mails an address what confirms its subscription to the newsletter, and says the same where it has one"
                .to_owned(),
        body: items,
        table: Some(table),
        events: vec![(named(ASKED), held), mailed::told_of_nobody(NOBODY)],
        example: given.example(),
    }
}

/// Confirms with the token of the mail. A link that is opened twice confirms the same twice.
pub fn confirm(given: &Given<'_>) -> Behaved {
    let consents = &consents(given);
    let table = given.table();
    let key = given.record_key();
    let own: Vec<ColumnName> = own_columns(given.table, &key).map(|column| column.name.clone()).collect();
    let columns: Vec<&str> = own.iter().map(ColumnName::as_str).chain(["leave_id"]).collect();
    let good = vec![
        is("consent_hash", Value::Slot(slot("hash"))),
        Predicate::Compare(column_name("expires_at"), Comparison::Greater, Value::Now),
    ];
    let insert = Write::Insert {
        table: table.name.clone(),
        values: row_of(given, &key),
        on_conflict: OnConflict::Keep { unique: vec![column_name("email")] },
        made: None,
    };
    let event = named(SUBSCRIBED);
    let fields = given.new_event_fields();
    let payload = fields.iter().map(|(name, _)| (name.clone(), confirmed_value(&key, name.as_str()))).collect();
    let emit = Item::Do(Step::Emit { id: None, event: event.clone(), payload });
    let mut subscribed = told_of_new(given, emit, row("consent", "email"));
    let (welcome, held) = welcome(&own, given);
    subscribed.push(welcome);
    let mut items = given.guards();
    items.extend([body("MailedToken", vec![mailed::sent_back()]), mailed::digested()]);
    if key.origin == Origin::Server {
        items.push(Item::Let(slot("id"), Step::Generate(Generated::Uuid)));
    }
    items.push(Item::Transaction(vec![
        Item::Let(slot("consent"), one(consents, &columns, good.clone(), RowLock::ForUpdate)),
        mailed::unless_expired("consent"),
        Item::Do(update(consents, vec![("consented_at", Value::Now)], good)),
        Item::Let(slot("subscription"), Step::Write(insert)),
        Item::Match(slot("subscription"), vec![(Outcome::Inserted, subscribed), (Outcome::Present, Vec::new())]),
        nothing(Writes::Keep),
    ]));
    Behaved {
        summary: "confirms a subscription to the newsletter with the token that was mailed".to_owned(),
        body: items,
        table: Some(table),
        events: vec![(event, fields), (named(WELCOME), held)],
        example: serde_json::json!({ "token": SEED_TOKEN }),
    }
}

/// Ends a subscription with the token of a mail, which stands in the path: a mail program posts there by itself (RFC 8058). It may be
/// repeated, and is good for as long as anybody keeps the mail.
pub fn leave(given: &Given<'_>) -> Behaved {
    let consents = &consents(given);
    let table = given.table();
    let email = || row("consent", "email");
    let parameter = given.key.cloned().unwrap_or_else(|| field_name("token"));
    let of_token = vec![is("leave_hash", Value::Slot(slot("hash")))];
    let unknown = vec![refused(Problem::NotFound, Writes::Undo)];
    let payload = vec![(field_name("email"), email()), (field_name("unsubscribed_at"), Value::Now)];
    let told = Item::Do(Step::Emit { id: None, event: named(ENDED), payload });
    let ended = Write::Delete { table: table.name.clone(), filter: vec![is("email", email())] };
    let mut items = given.guards();
    items.push(Item::Let(slot("hash"), Step::Digest(Value::Request(RequestValue::Path(parameter)))));
    items.push(Item::Transaction(vec![
        Item::Let(slot("consent"), one(consents, &["email"], of_token, RowLock::None)),
        Item::Match(slot("consent"), vec![(Outcome::Found, Vec::new()), (Outcome::Missing, unknown)]),
        Item::Let(slot("subscription"), Step::Write(ended)),
        Item::Match(slot("subscription"), vec![(Outcome::Changed, vec![told]), (Outcome::Unchanged, Vec::new())]),
        over(consents, email()),
        nothing(Writes::Keep),
    ]));
    Behaved {
        summary: "ends a subscription to the newsletter with the token of a mail, and may be repeated".to_owned(),
        body: items,
        table: Some(table),
        events: vec![(
            named(ENDED),
            vec![(field_name("email"), FieldType::Email), (field_name("unsubscribed_at"), FieldType::Timestamp)],
        )],
        example: serde_json::Value::Null,
    }
}

/// No link confirms for the address any more.
pub fn over(consents: &Table, email: Value) -> Item {
    let filter =
        vec![is("email", email), Predicate::Compare(column_name("expires_at"), Comparison::Greater, Value::Now)];
    Item::Do(update(consents, vec![("expires_at", Value::Now)], filter))
}

fn consents(given: &Given<'_>) -> Table {
    given.consents.cloned().expect("an endpoint that takes a token of a newsletter has the table of them")
}

/// The new row of a subscriber, of what was asked for.
fn row_of(given: &Given<'_>, key: &RecordKey) -> Vec<(ColumnName, Value)> {
    let is_said = |name: &ColumnName| key.origin != Origin::Database || *name != key.column;
    let columns = given.columns().map(|column| column.name.clone()).filter(is_said);
    columns.map(|name| (name.clone(), confirmed_value(key, name.as_str()))).collect()
}

fn confirmed_value(key: &RecordKey, name: &str) -> Value {
    match name {
        name if name == key.column.as_str() && key.origin != Origin::Client => Value::Slot(slot("id")),
        "created_at" | "updated_at" => Value::Now,
        "row_version" => Value::Literal(Datum::Integer(1)),
        name => row("consent", name),
    }
}

/// Greets the new subscriber, with what the mail needs to be told to stop.
fn welcome(own: &[ColumnName], given: &Given<'_>) -> (Item, Vec<(FieldName, FieldType)>) {
    let mut held = vec![(field_name("email"), FieldType::Email), (field_name("unsubscribe_token"), FieldType::Uuid)];
    let mut payload = vec![
        (field_name("email"), row("consent", "email")),
        (field_name("unsubscribe_token"), row("consent", "leave_id")),
    ];
    for name in own.iter().filter(|name| LANGUAGES.contains(&name.as_str())) {
        let column = given.table.columns.iter().find(|column| column.name == *name);
        held.extend(column.map(|column| (field_name(name.as_str()), column.field_type.clone())));
        payload.push((field_name(name.as_str()), row("consent", name.as_str())));
    }
    (Item::Do(Step::Emit { id: None, event: named(WELCOME), payload }), held)
}

fn named(event: &str) -> EventName {
    EventName::parse(event).expect("a literal that is a name")
}
