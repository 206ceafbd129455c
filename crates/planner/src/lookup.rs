//! How the lists of an API find their rows: filters, orders and what nested paths belong to come in, indexes go out. One that a
//! key or another index serves already is not made twice.

use crate::database::index_name;
use plan::database::{Column, Compared, Index, Table, Uniqueness};
use plan::procedure::{Item, Step};
use plan::query::{Holes, Predicate, Query};
use plan::value::Comparison;
use plan::{Decision, Observed, Phase};
use spec::Endpoint;
use vocab::{ColumnName, Engine, FieldType, TableName};

/// Rows that some requests look for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lookup {
    pub table: TableName,
    /// By what they are found. The key behind it gives pages their order.
    pub columns: Vec<ColumnName>,
    /// Whether they are found by values or by their place in an order.
    pub compared: Compared,
    /// Who looks for them.
    pub why: String,
}

/// What the list of an endpoint looks for, and which of its filters and orders nobody has declared.
pub fn of_list(endpoint: &Endpoint, items: &[Item], table: &Table) -> (Vec<Lookup>, Option<Decision>) {
    let Some((query, holes)) = listing(items) else { return (Vec::new(), None) };
    let subject = format!("{} {}", endpoint.method.as_str(), endpoint.path.as_str());
    let lookup = |columns: Vec<ColumnName>, compared, does: &str| {
        let why = format!("`{subject}` {does}");
        Lookup { table: query.from.clone(), columns, compared, why }
    };
    let within: Vec<ColumnName> = query.filter.iter().filter_map(compared).cloned().collect();
    let behind = |column: &ColumnName| within.iter().chain([column]).chain(&table.primary_key).cloned().collect();
    let mut lookups = Vec::new();
    if !within.is_empty() {
        lookups.push(lookup(within.clone(), Compared::Values, "lists what belongs to one thing"));
    }
    // The key serves it itself, unless the engine would sort it otherwise.
    lookups.push(lookup(table.primary_key.clone(), Compared::Order, "sorts by the key"));
    let mut open = Vec::new();
    for (column, _) in &holes.filters {
        match endpoint.filters.is_some() || finds_few(table, column) && within.is_empty() {
            true => lookups.push(lookup(behind(column), Compared::Values, "filters by it")),
            false => open.push(column),
        }
    }
    for column in holes.sorts.iter().filter(|column| table.primary_key != [(*column).clone()]) {
        match endpoint.sorts.is_some() {
            true => lookups.push(lookup(behind(column), Compared::Order, "sorts by it")),
            false => open.push(column),
        }
    }
    open.retain(|column| {
        !lookups.iter().any(|lookup| lookup.columns.contains(column))
            && !is_served(table, std::slice::from_ref(*column), Compared::Values)
    });
    let mut names: Vec<String> = Vec::new();
    for name in open.iter().map(|column| format!("`{column}`")) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let decision = (!names.is_empty()).then(|| Decision {
        phase: Phase::CreateSchemaAndTables,
        subject: format!("indexes for `{subject}`"),
        decision: format!("none for {}", names.join(", ")),
        reason: "each costs every write; `filters` and `sorts` at the endpoint declare which are worth it".to_owned(),
    });
    (lookups, decision)
}

/// The query of the list, and what a request may ask of it.
fn listing(items: &[Item]) -> Option<(&Query, &Holes)> {
    items.iter().find_map(|item| match item {
        Item::Let(_, Step::Read { query, filled_by: Some(_), .. }) => Some((query, &query.holes)),
        Item::Let(..)
        | Item::Do(_)
        | Item::Transaction(_)
        | Item::Each(_)
        | Item::Promise(_)
        | Item::Match(..)
        | Item::Exit(..) => None,
    })
}

fn compared(predicate: &Predicate) -> Option<&ColumnName> {
    match predicate {
        Predicate::Compare(column, Comparison::Equal, _) => Some(column),
        Predicate::Compare(..)
        | Predicate::Test(..)
        | Predicate::Null(_)
        | Predicate::Any(_)
        | Predicate::All(_)
        | Predicate::Not(_) => None,
    }
}

/// Whether one value of the column finds few of the rows, and people ask so: keys, addresses, states, days and times of the thing
/// itself.
fn finds_few(table: &Table, column: &ColumnName) -> bool {
    let is_own = crate::table::OWN_COLUMNS.contains(&column.as_str());
    let known = table.columns.iter().find(|known| known.name == *column).filter(|_| !is_own);
    known.is_some_and(|column| match column.field_type {
        FieldType::Uuid | FieldType::Email | FieldType::Choice { .. } | FieldType::Date | FieldType::Timestamp => true,
        FieldType::Line { .. }
        | FieldType::Text { .. }
        | FieldType::Phone
        | FieldType::Url
        | FieldType::Code { .. }
        | FieldType::Integer
        | FieldType::Decimal { .. }
        | FieldType::Boolean
        | FieldType::Json => false,
    })
}

/// What the lookups need beside what the table has.
pub fn indexes(engine: Engine, table: &Table, lookups: &[Lookup]) -> Vec<Index> {
    let mut known = table.clone();
    let mut new = Vec::new();
    for lookup in lookups.iter().filter(|lookup| lookup.table == table.name) {
        let before_key = lookup.columns.strip_suffix(&table.primary_key[..]).filter(|before| !before.is_empty());
        let by = before_key.unwrap_or(&lookup.columns);
        let is_sorted_otherwise = |column: &Column| {
            lookup.columns.contains(&column.name) && dialect::sorted_by(engine, &column.field_type).is_some()
        };
        let compared = match lookup.compared {
            Compared::Order if table.columns.iter().any(is_sorted_otherwise) => Compared::Order,
            Compared::Order | Compared::Values => Compared::Values,
        };
        if is_served(&known, by, compared) {
            continue;
        }
        let ending = match compared {
            Compared::Values => "idx",
            Compared::Order => "order_idx",
        };
        let (name, uniqueness) = (index_name(&table.name, by, ending), Uniqueness::Repeating);
        let index = Index { name, columns: lookup.columns.clone(), uniqueness, compared, why: lookup.why.clone() };
        known.rules.indexes.push(index.clone());
        new.push(index);
    }
    new
}

/// The indexes with those that an older plan of the task has made and that nobody needs any more: nothing is taken away.
pub fn with_kept(mut indexes: Vec<Index>, table: &Table, observed: &Observed) -> Vec<Index> {
    let before = observed.active.iter().flat_map(|plan| &plan.tables).find(|known| known.name == table.name);
    for index in before.iter().flat_map(|known| &known.rules.indexes) {
        let is_known = |known: &Index| known.name == index.name;
        if !indexes.iter().any(is_known) && !table.rules.indexes.iter().any(is_known) {
            indexes.push(index.clone());
        }
    }
    indexes
}

/// Whether a key or an index begins with the columns and compares the same of them.
fn is_served(table: &Table, columns: &[ColumnName], compared: Compared) -> bool {
    let begins = |known: &Vec<ColumnName>| known.starts_with(columns);
    let is_key = compared == Compared::Values && (begins(&table.primary_key) || table.unique.iter().any(begins));
    is_key || table.rules.indexes.iter().any(|index| index.compared == compared && begins(&index.columns))
}

/// What each index is for.
pub fn decisions(indexes: &[Index]) -> Vec<Decision> {
    let decide = |index: &Index| {
        let columns: Vec<&str> = index.columns.iter().map(ColumnName::as_str).collect();
        Decision {
            phase: Phase::CreateSchemaAndTables,
            subject: format!("index `{}`", index.name),
            decision: format!("on {}", columns.join(", ")),
            reason: index.why.clone(),
        }
    };
    indexes.iter().map(decide).collect()
}
