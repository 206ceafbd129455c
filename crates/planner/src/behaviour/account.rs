//! What people with an account do: come in, stay, look at themselves, leave. A user and its account are two rows: what proves somebody
//! is no part of the record that others read. Nothing here tells whether an address has an account.

pub mod deletion;
pub mod email_change;
pub mod export;
pub mod login;
pub mod logout;
pub mod mailed;
pub mod management;
pub mod may;
pub mod password_change;
pub mod password_reset;
pub mod profile;
pub mod refresh;
pub mod register;
pub mod sessions;
pub mod verify;

use super::{Given, column_name, field_name, slot};
use plan::procedure::{Input, Item, LimitKey, Outcome, Response, ResponseField, Step, Writes};
use plan::query::{Cardinality, Holes, OnConflict, Output, Predicate, RowLock, Write};
use plan::shape::{Presence, Shape, ShapeField};
use plan::value::Comparison;
use plan::{Problem, Query, Table, Value, accounts, system};
use vocab::{Bounds, ColumnName, Datum, FieldFormat, FieldName, FieldType, PolicyName};

/// The policy under which failed logins of one address count.
pub use plan::accounts::FAILED_LOGINS;
/// Longest password, in characters.
const PASSWORD_MAX: u32 = 256;
/// Shortest password that may be set, in characters.
const PASSWORD_MIN: u32 = 8;
/// Columns of a user that nobody may say of himself: what they say is up to others.
const UP_TO_OTHERS: [&str; 12] = [
    "status",
    "role",
    "roles",
    "is_admin",
    "is_staff",
    "is_active",
    "is_verified",
    "admin",
    "permissions",
    "plan",
    "credit_limit",
    "balance",
];

/// Whether people may say the field of themselves when they register and later.
pub fn is_own(name: &str) -> bool {
    !UP_TO_OTHERS.contains(&name)
}

/// The caller, as its token says.
fn caller(field: &str) -> Value {
    Value::Field(slot("caller"), field_name(field))
}

pub(super) fn input(field: &str) -> Value {
    Value::Field(slot("input"), field_name(field))
}

pub(super) fn row(of: &str, field: &str) -> Value {
    Value::Field(slot(of), field_name(field))
}

fn text(word: &str) -> Value {
    Value::Literal(Datum::Text(word.to_owned()))
}

/// One row, as far as its columns are named.
pub(super) fn one(from: &Table, columns: &[&str], filter: Vec<Predicate>, lock: RowLock) -> Step {
    let outputs =
        columns.iter().map(|name| Output::Column { column: column_name(name), field: field_name(name) }).collect();
    let query = Query { from: from.name.clone(), outputs, filter, order: Vec::new(), holes: Holes::default(), lock };
    Step::Read { query, cardinality: Cardinality::One, filled_by: None }
}

pub(super) fn is(column: &str, value: Value) -> Predicate {
    Predicate::Compare(column_name(column), Comparison::Equal, value)
}

pub(super) fn insert(table: &Table, values: Vec<(&str, Value)>) -> Item {
    let values: Vec<(ColumnName, Value)> = values.into_iter().map(|(name, value)| (column_name(name), value)).collect();
    Item::Do(Step::Write(Write::Insert {
        table: table.name.clone(),
        values,
        on_conflict: OnConflict::Fail,
        made: None,
    }))
}

pub(super) fn update(table: &Table, set: Vec<(&str, Value)>, filter: Vec<Predicate>) -> Step {
    let assigned = |(name, value)| (column_name(name), plan::query::Assigned::Value(value));
    Step::Write(Write::Update { table: table.name.clone(), set: set.into_iter().map(assigned).collect(), filter })
}

pub(super) fn refused(problem: Problem, writes: Writes) -> Item {
    Item::Exit(Response::Problem(problem), writes)
}

pub(super) fn nothing(writes: Writes) -> Item {
    Item::Exit(Response::Answer { status: 204, body: Vec::new(), tag: None, location: None }, writes)
}

pub(super) fn said(
    name: &str,
    field_type: FieldType,
    format: Option<FieldFormat>,
    min_length: u32,
    description: &str,
) -> ShapeField {
    ShapeField {
        name: field_name(name),
        field_type,
        format,
        presence: Presence::Required,
        min_length,
        max_length: None,
        bounds: Bounds::default(),
        default: None,
        entries: None,
        words: Vec::new(),
        description: description.to_owned(),
    }
}

fn password(name: &str, description: &str) -> ShapeField {
    said(name, FieldType::Line { max: PASSWORD_MAX }, Some(FieldFormat::Password), 1, description)
}

fn new_password(name: &str) -> ShapeField {
    let description = "At least 8 characters; one that is easily guessed is refused.";
    said(name, FieldType::Line { max: PASSWORD_MAX }, Some(FieldFormat::NewPassword), PASSWORD_MIN, description)
}

fn address() -> ShapeField {
    said("email", FieldType::Email, None, 1, "The address of the account.")
}

pub(super) fn body(shape: &str, fields: Vec<ShapeField>) -> Item {
    Item::Let(slot("input"), Step::Validate(Input::Body(Shape { name: shape.to_owned(), fields })))
}

pub(super) fn told(name: &str, value: Value, field_type: FieldType, description: &str) -> ResponseField {
    ResponseField { name: field_name(name), value, field_type, entries: None, description: description.to_owned() }
}

/// Attempts that fail count for what is tried, whether anybody has that address or not: the answers tell nothing.
fn failure(field: &str) -> (PolicyName, LimitKey) {
    let policy = PolicyName::parse(FAILED_LOGINS).expect("a literal that is a name");
    (policy, LimitKey::Field(slot("input"), field_name(field)))
}

/// Ends with 401 unless that field of the request is the caller's password; what fails counts against the caller.
fn proved_by_password(field: &str) -> Vec<Item> {
    let [accounts, ..] = tables();
    let own = vec![is("user_id", caller("user_id"))];
    let policy = || PolicyName::parse(FAILED_LOGINS).expect("a literal that is a name");
    let gone = vec![refused(Problem::InvalidToken, Writes::Keep)];
    let wrong = vec![
        Item::Do(Step::Limit { policy: policy(), by: LimitKey::Principal }),
        refused(Problem::WrongCredentials, Writes::Keep),
    ];
    vec![
        Item::Do(Step::Spare { policy: policy(), by: LimitKey::Principal }),
        Item::Let(slot("account"), one(&accounts, &["password_hash"], own, RowLock::None)),
        Item::Match(slot("account"), vec![(Outcome::Found, Vec::new()), (Outcome::Missing, gone)]),
        Item::Let(
            slot("right"),
            Step::VerifyPassword { password: input(field), hash: row("account", "password_hash") },
        ),
        Item::Match(slot("right"), vec![(Outcome::Yes, Vec::new()), (Outcome::No, wrong)]),
    ]
}

/// A session that has begun: two tokens.
fn tokens(refresh_token: Value) -> Response {
    let body = vec![
        told(
            "access_token",
            Value::Slot(slot("access")),
            FieldType::Text { max: 4096 },
            "Goes into `Authorization: Bearer` of other requests.",
        ),
        told("token_type", text("Bearer"), FieldType::Line { max: 20 }, "Always `Bearer`."),
        told(
            "expires_in",
            Value::Literal(Datum::Integer(i64::from(accounts::ACCESS_LIFETIME))),
            FieldType::Integer,
            "For how many seconds the access token is good.",
        ),
        told(
            "refresh_token",
            refresh_token,
            FieldType::Line { max: 100 },
            "Gets the next two tokens, once; keep it where no script of another origin reads it.",
        ),
    ];
    Response::Answer { status: 200, body, tag: None, location: None }
}

/// `let access = ...`: a token that says who calls in which session.
fn access(user: Value, session: Value, role: Value) -> Item {
    let claims = vec![(field_name("sub"), user), (field_name("sid"), session), (field_name("role"), role)];
    Item::Let(slot("access"), Step::IssueToken { claims, lifetime_seconds: accounts::ACCESS_LIFETIME })
}

impl Given<'_> {
    /// The columns that people say of themselves.
    fn said_of_oneself(&self) -> impl Iterator<Item = &catalog::Field> {
        let is_needed = |field: &&catalog::Field| {
            field.presence == catalog::Presence::Required || field.sensitivity == catalog::Sensitivity::Personal
        };
        self.own_fields().filter(|field| is_own(field.name.as_str())).filter(is_needed)
    }
}

/// The names of a record's fields with their types, for an event.
fn fields(pairs: &[(&str, FieldType)]) -> Vec<(FieldName, FieldType)> {
    pairs.iter().map(|(name, field_type)| (field_name(name), field_type.clone())).collect()
}

/// The rows that make somebody an account, and those of their sessions.
fn tables() -> [Table; 3] {
    [system::accounts(), system::sessions(), system::refresh_tokens()]
}
