//! `database-schema.md`: the tables as a diagram and one by one, and the events that tell of their changes.

use super::column_list;
use crate::node::kind;
use crate::render::capitalised;
use minijinja::{Value, context};
use plan::database::{Column, Nullability, Sensitivity, Table};
use plan::{EventDeclaration, Plan};

pub fn view(plan: &Plan) -> Value {
    let tables: Vec<Value> = plan.database.tables.iter().map(table_view).collect();
    let events: Vec<Value> = plan.api.events.iter().map(event_view).collect();
    context! { api => plan.api.name.as_str(), engine => plan.database.engine.as_str(), tables, events }
}

fn table_view(table: &Table) -> Value {
    let columns: Vec<Value> = table.columns.iter().map(|column| column_view(table, column)).collect();
    let unique: String = table.unique.iter().map(|unique| format!(" Unique: {}.", column_list(unique))).collect();
    context! {
        name => table.name.as_str(),
        comment => capitalised(&table.comment),
        columns,
        primary_key => column_list(&table.primary_key),
        unique,
    }
}

fn column_view(table: &Table, column: &Column) -> Value {
    let mut keys: Vec<&str> = Vec::new();
    if table.primary_key.contains(&column.name) {
        keys.push("PK");
    }
    if table.unique.iter().any(|unique| unique.contains(&column.name)) {
        keys.push("UK");
    }
    let keys = if keys.is_empty() { String::new() } else { format!(" {}", keys.join(", ")) };
    context! {
        name => column.name.as_str(),
        word => kind(&column.field_type),
        keys,
        quoted => column.comment.replace('"', "'"),
        type => column.field_type.describe(),
        null => match column.nullability {
            Nullability::NotNull => "no",
            Nullability::Nullable => "yes",
        },
        sensitivity => match column.sensitivity {
            Sensitivity::Plain => "plain",
            Sensitivity::Personal => "personal",
            Sensitivity::Secret => "secret",
        },
        comment => column.comment.as_str(),
    }
}

fn event_view(event: &EventDeclaration) -> Value {
    let also: Vec<String> = event.also.iter().map(|name| format!("`{name}`")).collect();
    let also = if also.is_empty() {
        "It counts as no other event.".to_owned()
    } else {
        format!("It also counts as {}: who listens to that hears of this too.", also.join(", "))
    };
    let fields: Vec<Value> = event
        .fields
        .iter()
        .map(|(name, field_type)| context! { name => name.as_str(), type => field_type.describe() })
        .collect();
    context! { name => event.name.as_str(), also, fields }
}
