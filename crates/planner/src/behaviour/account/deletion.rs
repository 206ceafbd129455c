//! The end of an account, asked for with its password: its sessions, its tokens and the user go. Where other records must keep the user (an
//! order its customer), what is personal of the row goes, and nothing leads from it to anybody.

use super::super::{Behaved, Given, column_name, field_name, slot};
use super::{body, caller, is, mailed, nothing, one, password, refused, row, tables, text};
use crate::account::SEED_PASSWORD;
use plan::database::{Nullability, OnDelete};
use plan::procedure::{Generated, Item, Outcome, Step, Writes};
use plan::query::{Assigned, RowLock, Write};
use plan::{Problem, Table, Value, system};
use vocab::{Datum, FieldType, TableName};

/// Tells of it: the address for the last time.
const EVENT: &str = "account_deleted";
/// What stands where something must stand.
const DELETED: &str = "deleted";

pub fn lower(given: &Given<'_>) -> Behaved {
    let [accounts, ..] = tables();
    let users = given.table();
    let gone = vec![refused(Problem::InvalidToken, Writes::Undo)];
    let keepers = keepers(&users, given.tables);
    let mut ends = vec![
        Item::Let(slot("user"), one(&users, &["email"], vec![is("id", caller("user_id"))], RowLock::ForUpdate)),
        Item::Match(slot("user"), vec![(Outcome::Found, Vec::new()), (Outcome::Missing, gone)]),
        delete(&accounts, "user_id"),
    ];
    let summary = match keepers[..] {
        [] => {
            ends.push(delete(&users, "id"));
            "ends the caller's account and removes everything of it".to_owned()
        }
        [..] => {
            ends.push(delete(&system::mailed_tokens(), "user_id"));
            ends.extend(rest(&users, given.tables));
            ends.push(Item::Let(slot("nobody"), Step::Generate(Generated::Address)));
            ends.push(Item::Do(Step::Write(emptied(given, &users))));
            let names: Vec<String> = keepers.iter().map(|name| format!("`{name}`")).collect();
            format!(
                "ends the caller's account and removes what is personal of it; because of {} the row of the user stays, and leads to nobody",
                names.join(" and ")
            )
        }
    };
    ends.push(mailed::noticed(EVENT, caller("user_id"), row("user", "email")));
    ends.push(nothing(Writes::Keep));
    let mut items = given.guards();
    items.push(body("AccountDeletion", vec![password("password", "The password of the account.")]));
    items.extend(super::proved_by_password("password"));
    items.push(Item::Transaction(ends));
    Behaved {
        summary,
        body: items,
        table: Some(users),
        events: vec![mailed::told_as_notice(EVENT)],
        example: serde_json::json!({ "password": SEED_PASSWORD }),
    }
}

/// Tables that do not let a row of this one go: theirs lead to it, or to what would go with it, and must not be without.
fn keepers<'t>(table: &'t Table, tables: &'t [Table]) -> Vec<&'t TableName> {
    let leads = |from: &Table, to: &TableName, on_delete: OnDelete| {
        from.rules.foreign_keys.iter().any(|key| key.table == *to && key.on_delete == on_delete)
    };
    let mut going = vec![&table.name];
    let mut at = 0;
    while let Some(gone) = going.get(at).copied() {
        let with_it = tables.iter().filter(|from| leads(from, gone, OnDelete::Cascade)).map(|from| &from.name);
        let more: Vec<&TableName> = with_it.filter(|name| !going.contains(name)).collect();
        going.extend(more);
        at += 1;
    }
    let keeps = |from: &&Table| going.iter().any(|gone| leads(from, gone, OnDelete::Restrict));
    tables.iter().filter(keeps).map(|from| &from.name).collect()
}

/// What goes with a user, and can go although the user cannot: the caller's rows of those tables.
fn rest(users: &Table, tables: &[Table]) -> Vec<Item> {
    let of_user = |table: &Table| {
        let mut keys = table.rules.foreign_keys.iter();
        let key = keys.find(|key| key.table == users.name && key.on_delete == OnDelete::Cascade)?;
        keepers(table, tables).is_empty().then(|| delete(table, key.columns[0].as_str()))
    };
    tables.iter().filter(|table| table.name != users.name).filter_map(of_user).collect()
}

fn delete(table: &Table, column: &str) -> Item {
    let filter = vec![is(column, caller("user_id"))];
    Item::Do(Step::Write(Write::Delete { table: table.name.clone(), filter }))
}

/// The row without what is personal of it.
fn emptied(given: &Given<'_>, users: &Table) -> Write {
    let personal = given.own_fields().filter(|field| field.sensitivity != catalog::Sensitivity::Plain);
    let empty = |field: &catalog::Field| {
        let name = column_name(field.name.as_str());
        let column = users.columns.iter().find(|column| column.name == name)?;
        let value = match (&column.nullability, &column.field_type) {
            (_, FieldType::Email) if name.as_str() == "email" => Value::Slot(slot("nobody")),
            (Nullability::Nullable, _) => Value::Literal(Datum::Null),
            (Nullability::NotNull, FieldType::Line { .. } | FieldType::Text { .. }) => text(DELETED),
            (Nullability::NotNull, _) => return None,
        };
        Some((name, Assigned::Value(value)))
    };
    let mut set: Vec<_> = personal.filter_map(empty).collect();
    set.push((column_name("updated_at"), Assigned::Value(Value::Now)));
    set.push((column_name("row_version"), Assigned::Plus(1)));
    Write::Update {
        table: users.name.clone(),
        set,
        filter: vec![is("id", Value::Field(slot("caller"), field_name("user_id")))],
    }
}
