//! What is kept of the caller, in one document: the user, the account, its sessions, and the rows of every table that a foreign key gives to
//! the caller. Nothing that lets anybody in is part of it.

use super::super::{Behaved, Given, column_name, field_name, slot};
use super::{caller, is, one, refused, tables, told};
use crate::account::{Ownership, ownership};
use plan::database::Sensitivity;
use plan::procedure::{Item, Outcome, Response, ResponseField, Step, Writes};
use plan::query::{Cardinality, Direction, Holes, Order, Output, Query, RowLock};
use plan::{Problem, Table, Value};
use vocab::{ColumnName, FieldType, SlotName};

/// What is told of an account, and of a session.
const OF_ACCOUNT: [&str; 4] = ["role", "email_verified_at", "password_changed_at", "created_at"];
const OF_SESSION: [&str; 6] = ["id", "created_at", "refreshed_at", "expires_at", "revoked_at", "address"];

pub fn lower(given: &Given<'_>) -> Behaved {
    let [accounts, sessions, _] = tables();
    let users = given.table();
    let gone = |name: &str| {
        let missing = vec![refused(Problem::InvalidToken, Writes::Keep)];
        Item::Match(slot(name), vec![(Outcome::Found, Vec::new()), (Outcome::Missing, missing)])
    };
    let own = |column: &str| vec![is(column, caller("user_id"))];
    let shown: Vec<&str> = shown(&users).map(ColumnName::as_str).collect();
    let mut items = given.guards();
    items.extend([
        Item::Let(slot("user"), one(&users, &shown, own("id"), RowLock::None)),
        gone("user"),
        Item::Let(slot("account"), one(&accounts, &OF_ACCOUNT, own("user_id"), RowLock::None)),
        gone("account"),
        Item::Let(slot("sessions"), all(&sessions, &OF_SESSION, "user_id")),
    ]);
    let record = |name: &str, fields: &[&str]| {
        let field = |field: &&str| (field_name(field), Value::Field(slot(name), field_name(field)));
        Value::Record(fields.iter().map(field).collect())
    };
    let mut body = vec![
        told("user", record("user", &shown), FieldType::Json, "The user, as the table of users has it."),
        told("account", record("account", &OF_ACCOUNT), FieldType::Json, "What makes the user an account."),
        told("sessions", Value::Slot(slot("sessions")), FieldType::Json, "Where somebody was signed in."),
    ];
    for table in given.tables {
        let Ownership::Of(column) = ownership(table, given.tables, &users.name) else { continue };
        let Ok(name) = SlotName::parse(&format!("of_{}", table.name)) else { continue };
        let columns: Vec<&str> = self::shown(table).map(ColumnName::as_str).collect();
        items.push(Item::Let(name.clone(), all(table, &columns, column.as_str())));
        let description = format!("The rows of `{}` that belong to the user.", table.name);
        let field = ResponseField {
            name: field_name(table.name.as_str()),
            value: Value::Slot(name),
            field_type: FieldType::Json,
            entries: None,
            description,
        };
        if !body.iter().any(|known| known.name == field.name) {
            body.push(field);
        }
    }
    items.push(Item::Exit(Response::Answer { status: 200, body, tag: None, location: None }, Writes::Keep));
    Behaved {
        summary: "gives the caller everything that is kept of the caller".to_owned(),
        body: items,
        table: Some(users),
        events: Vec::new(),
        example: serde_json::Value::Null,
    }
}

/// Columns that may be shown to whose row it is.
fn shown(table: &Table) -> impl Iterator<Item = &ColumnName> {
    table.columns.iter().filter(|column| column.sensitivity != Sensitivity::Secret).map(|column| &column.name)
}

/// Every row of the caller's, oldest key first.
fn all(table: &Table, columns: &[&str], owner: &str) -> Step {
    let query = Query {
        from: table.name.clone(),
        outputs: columns
            .iter()
            .map(|name| Output::Column { column: column_name(name), field: field_name(name) })
            .collect(),
        filter: vec![is(owner, caller("user_id"))],
        order: table
            .primary_key
            .iter()
            .map(|column| Order { column: column.clone(), direction: Direction::Ascending })
            .collect(),
        holes: Holes::default(),
        lock: RowLock::None,
    };
    Step::Read { query, cardinality: Cardinality::Many, filled_by: None }
}
