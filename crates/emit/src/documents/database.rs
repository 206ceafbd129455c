//! `database-schema.md`: the tables as diagrams and one by one, and the events that tell of their changes.

use super::{column_list, diagram};
use crate::render::capitalised;
use minijinja::{Value, context};
use plan::database::permission::{Access, Login, Role};
use plan::database::{CheckRule, Column, Nullability, OnDelete, Sensitivity, Table, Times, Uniqueness};
use plan::{DatabasePlan, DatabaseTaskPlan, EventDeclaration, Plan};
use vocab::FieldType;

pub fn view(plan: &Plan) -> Value {
    let events: Vec<Value> = plan.api.events.iter().map(event_view).collect();
    let applied = "the server applies them when it starts";
    let roles: Vec<Value> = Vec::new();
    context! { events, applied, roles, ..tables(&plan.api.name, &plan.database) }
}

/// Of a database without an API: nobody tells of changes.
pub fn stand_alone_view(plan: &DatabaseTaskPlan) -> Value {
    let events: Vec<Value> = Vec::new();
    let applied = "`producer run` applies them";
    let roles: Vec<Value> = plan.permissions.roles.iter().map(role_view).collect();
    context! { events, applied, roles, ..tables(plan.task_id.as_str(), &plan.database) }
}

fn role_view(role: &Role) -> Value {
    let tables: Vec<String> = role.tables.iter().map(|table| format!("`{table}`")).collect();
    let within = if tables.is_empty() { "every table".to_owned() } else { tables.join(", ") };
    let may = match role.access {
        Access::Owner => "everything; it owns the tables".to_owned(),
        Access::Migrate => "become the owner".to_owned(),
        Access::ReadWrite => format!("read, add, change and remove rows of {within}"),
        Access::ReadOnly => format!("read rows of {within}"),
        Access::Backup => "read everything".to_owned(),
    };
    let login = match &role.login {
        Login::Never => "no".to_owned(),
        Login::Generated => "yes".to_owned(),
        Login::Environment(name) => format!("with `${{env:{name}}}`"),
        Login::Secret(name) => format!("with `${{secret:{name}}}`"),
    };
    context! { name => role.name.as_str(), may, login, why => role.why.as_str() }
}

fn tables(title: &str, database: &DatabasePlan) -> Value {
    let tables: Vec<Value> = database.tables.iter().map(table_view).collect();
    context! { api => title, engine => database.engine.as_str(), tables, ..diagram::view(&database.tables) }
}

/// The rules of a table as sentences.
fn rules_view(table: &Table) -> Vec<String> {
    let mut rules: Vec<String> = Vec::new();
    for key in &table.rules.foreign_keys {
        let then = match key.on_delete {
            OnDelete::Cascade => "goes with it",
            OnDelete::Restrict => "keeps it from going",
            OnDelete::SetNull => "stays without it",
        };
        rules.push(format!(
            "{} leads to {} of `{}` and {then}: {}",
            column_list(&key.columns),
            column_list(&key.target),
            key.table,
            key.why
        ));
    }
    for check in &table.rules.checks {
        let column = &check.column;
        match &check.rule {
            CheckRule::Range { minimum, maximum } => {
                let bounds = vocab::Bounds { minimum: minimum.clone(), maximum: maximum.clone() };
                rules.push(format!("`{column}` is {}", bounds.describe().unwrap_or_default()));
            }
            CheckRule::OneOf(words) => {
                let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
                rules.push(format!("`{column}` is one of {}", words.join(", ")));
            }
            CheckRule::Length { at_most } => {
                let known = table.columns.iter().find(|known| known.name == *column);
                let said_by_type = known.is_some_and(|known| match &known.field_type {
                    FieldType::Code { .. } => true,
                    other => other.max_length() == Some(*at_most),
                });
                if !said_by_type {
                    rules.push(format!("`{column}` has at most {at_most} characters"));
                }
            }
            // The type says it.
            CheckRule::Capitals { .. } => {}
            CheckRule::NotBlank => rules.push(format!("`{column}` is more than spaces")),
            CheckRule::Against { comparator, other } => {
                let field_type =
                    table.columns.iter().find(|known| known.name == *column).map(|known| &known.field_type);
                let words = comparator.describe(&format!("`{other}`"), field_type.unwrap_or(&FieldType::Integer));
                rules.push(format!("`{column}` {words}, where both are there"));
            }
        }
    }
    for rule in &table.rules.overlaps {
        let of = match &rule.within[..] {
            [] => String::new(),
            within => format!(" that agree in {}", column_list(within)),
        };
        let unless = rule.unless.as_ref().map_or_else(String::new, |released| {
            let words: Vec<String> = released.words.iter().map(|word| format!("`{word}`")).collect();
            format!("; one whose `{}` is {} takes none", released.column, words.join(" or "))
        });
        rules.push(format!("no two rows{of} share any time from `{}` until `{}`{unless}", rule.from, rule.until));
    }
    for index in &table.rules.indexes {
        let unique = match index.uniqueness {
            Uniqueness::Unique => "unique index",
            Uniqueness::Repeating => "index",
        };
        rules.push(format!("{unique} `{}` on {}: {}", index.name, column_list(&index.columns), index.why));
    }
    match table.rules.times {
        Times::KeptByWriter => {}
        Times::KeptByDatabase => rules.push(
            "the database sets `updated_at` and raises `row_version` with every change that does not do so itself"
                .to_owned(),
        ),
    }
    rules
}

fn table_view(table: &Table) -> Value {
    let columns: Vec<Value> = table.columns.iter().map(column_view).collect();
    let rules = rules_view(table);
    let unique: String = table.unique.iter().map(|unique| format!(" Unique: {}.", column_list(unique))).collect();
    context! {
        name => table.name.as_str(),
        comment => capitalised(&table.comment),
        columns,
        primary_key => column_list(&table.primary_key),
        unique,
        rules,
    }
}

fn column_view(column: &Column) -> Value {
    context! {
        name => column.name.as_str(),
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
