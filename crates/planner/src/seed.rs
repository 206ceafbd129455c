//! What the cases of an API on a database task's tables take for granted: one row of every table that its records lead to, or
//! that leads to them. The rows stand in the plan as statements, since nobody but a scratch database is given them.

use crate::account;
use crate::entity::held::{example, unique};
use crate::key::RecordKey;
use crate::newsletter;
use catalog::Catalog;
use plan::api::{ApiPlan, Seed};
use plan::database::{Column, Nullability, OnDelete, Table};
use plan::procedure::Step;
use plan::query::{Assigned, Write};
use plan::{Item, database::Base};
use std::collections::{BTreeMap, BTreeSet};
use vocab::{ColumnName, Datum, Engine, TableName};

/// How many there are of what requests take: less than one request may ask for, and enough for all others.
const PILE: i64 = 50_000;

/// The rows that cases take for granted.
#[derive(Default)]
pub struct Seeded {
    /// The tables that have one.
    pub tables: Vec<Table>,
    /// What names the row of each of them, where one value does.
    keys: BTreeMap<TableName, Datum>,
    /// How they are made.
    pub seed: Seed,
}

impl Seeded {
    /// What names the row of the table.
    pub fn key_of(&self, table: &TableName) -> Option<&Datum> {
        self.keys.get(table)
    }
}

/// The seed of an API; `own` are the tables that it makes itself.
pub fn of(api: &ApiPlan, base: &Base, own: &[Table], shared: &[Table], catalog: &Catalog) -> Seeded {
    let engine = base.database.engine;
    let ordered = ordered(&base.database.tables);
    let seeded = seeded(api, &ordered, shared);
    let tables: Vec<&Table> = ordered.iter().copied().filter(|table| seeded.contains(&table.name)).collect();
    let users = api.accounts.as_ref().map(|accounts| &accounts.users);
    let said = |table: &Table| {
        let user = users.map_or_else(Vec::new, |users| account::seed_user(users, table));
        user.into_iter().chain(piles(api, table)).collect::<Vec<_>>()
    };
    let mut rows: Vec<String> =
        tables.iter().map(|table| row(engine, table, &said(table), &base.database.tables, catalog)).collect();
    rows.extend(tables.iter().filter_map(|table| dialect::sample::count_on(engine, table)));
    let key = |table: &&Table| {
        let key = RecordKey::of(table)?.column;
        let column = table.columns.iter().find(|column| column.name == key)?;
        let said = said(table).into_iter().find(|(name, _)| *name == key).map(|(_, datum)| datum);
        Some((table.name.clone(), said.unwrap_or_else(|| example(column, table, &base.database.tables, catalog))))
    };
    let keys = tables.iter().filter_map(key).collect();
    let is_system = |table: &&Table| catalog::OWN_TABLES.contains(&table.name.as_str());
    let all: Vec<&Table> = own.iter().filter(|table| !is_system(table)).chain(ordered.iter().copied()).collect();
    // Where nothing is taken for granted nothing is taken away: a plan that is read back is the same.
    let clear = if rows.is_empty() { Vec::new() } else { clear(engine, &all) };
    Seeded { tables: tables.into_iter().cloned().collect(), keys, seed: Seed { clear, rows } }
}

/// Numbers of which requests take something: there is enough for every case.
fn piles(api: &ApiPlan, table: &Table) -> Vec<(ColumnName, Datum)> {
    let written = api.endpoints.iter().flat_map(|endpoint| writes(&endpoint.procedure.body));
    let set = written.filter_map(|write| match write {
        Write::Update { table: known, set, .. } if *known == table.name => Some(set),
        Write::Insert { .. } | Write::Update { .. } | Write::Delete { .. } | Write::Add(_) => None,
    });
    let taken = set.flatten().filter(|(_, assigned)| matches!(assigned, Assigned::Less(_)));
    taken.map(|(column, _)| (column.clone(), Datum::Integer(PILE))).collect()
}

/// The tables so that each stands behind those which its rows must lead to.
fn ordered(tables: &[Table]) -> Vec<&Table> {
    let mut ordered: Vec<&Table> = Vec::new();
    let mut open: Vec<&Table> = tables.iter().collect();
    while !open.is_empty() {
        let is_ready = |table: &&Table| {
            required_keys(table).all(|other| *other == table.name || ordered.iter().any(|known| known.name == *other))
        };
        let (ready, rest): (Vec<&Table>, Vec<&Table>) = open.iter().copied().partition(is_ready);
        // A circle of required keys was refused when the schema was designed.
        if ready.is_empty() {
            break;
        }
        ordered.extend(ready);
        open = rest;
    }
    ordered
}

/// Where rows of the table must lead.
fn required_keys(table: &Table) -> impl Iterator<Item = &TableName> {
    let is_required = |column: &ColumnName| {
        table.columns.iter().any(|known| known.name == *column && known.nullability == Nullability::NotNull)
    };
    let keys = table.rules.foreign_keys.iter();
    keys.filter(move |key| key.columns.iter().all(is_required)).map(|key| &key.table)
}

/// The tables that get a row: those the API works on with those they lead to, and those whose rows keep one of its records. A
/// row that would leave no room for those of requests is not made.
fn seeded<'t>(api: &ApiPlan, tables: &[&'t Table], shared: &'t [Table]) -> BTreeSet<&'t TableName> {
    let written: Vec<&Write> = api.endpoints.iter().flat_map(|endpoint| writes(&endpoint.procedure.body)).collect();
    let is_deleted =
        |name: &TableName| written.iter().any(|write| matches!(write, Write::Delete { table, .. } if table == name));
    let is_inserted =
        |name: &TableName| written.iter().any(|write| matches!(write, Write::Insert { table, .. } if table == name));
    let has_room = |table: &&Table| {
        let leads = |column: &ColumnName| table.rules.foreign_keys.iter().any(|key| key.columns.contains(column));
        !is_inserted(&table.name) || !unique(table).any(|columns| columns.iter().all(leads))
    };
    let keeps = |table: &&Table| {
        let mut keys = table.rules.foreign_keys.iter();
        keys.any(|key| key.on_delete == OnDelete::Restrict && is_deleted(&key.table) && key.table != table.name)
    };
    let targets: BTreeSet<&TableName> =
        shared.iter().flat_map(|table| table.rules.foreign_keys.iter().map(|key| &key.table)).collect();
    let is_wanted = |table: &&Table| {
        targets.contains(&table.name)
            || has_room(table) && (keeps(table) || shared.iter().any(|shared| shared.name == table.name))
    };
    let mut seeded: BTreeSet<&TableName> = tables.iter().copied().filter(is_wanted).map(|table| &table.name).collect();
    // What a seeded row must lead to stands before it.
    for table in tables.iter().rev().filter(|table| required_keys(table).next().is_some()) {
        if seeded.contains(&table.name) {
            seeded.extend(required_keys(table));
        }
    }
    seeded
}

fn writes(items: &[Item]) -> Vec<&Write> {
    let of = |item| match item {
        &Item::Let(_, Step::Write(ref write)) | &Item::Do(Step::Write(ref write)) => vec![write],
        Item::Each(each) => writes(&each.body),
        Item::Let(..) | Item::Do(_) | Item::Promise(_) | Item::Exit(..) => Vec::new(),
        Item::Transaction(body) => writes(body),
        Item::Match(_, arms) => arms.iter().flat_map(|(_, body)| writes(body)).collect(),
    };
    items.iter().flat_map(of).collect()
}

/// The same with somebody who calls, where the API knows its callers.
pub fn with_caller(seeded: Seeded, api: &ApiPlan, engine: Engine, tables: &[Table], catalog: &Catalog) -> Seeded {
    let Some(accounts) = &api.accounts else { return seeded };
    let Some(users) = tables.iter().find(|table| table.name == accounts.users) else { return seeded };
    let Seeded { tables: mut known, mut keys, mut seed } = seeded;
    let people = account::seed_rows();
    let is_system = |table: &&Table| catalog::OWN_TABLES.contains(&table.name.as_str());
    if seed.clear.is_empty() {
        let own: Vec<&Table> = ordered(tables).into_iter().filter(|table| !is_system(table)).collect();
        seed.clear = clear(engine, &own);
    }
    // Before the people whose they are.
    let accounts_first = clear(engine, &people.iter().map(|(table, _)| table).collect::<Vec<_>>());
    seed.clear.splice(0..0, accounts_first);
    if !known.iter().any(|table| table.name == users.name) {
        seed.rows.push(row(engine, users, &account::seed_user(&users.name, users), tables, catalog));
        keys.insert(users.name.clone(), Datum::Text(plan::accounts::CASE_USER.to_owned()));
        known.push(users.clone());
    }
    seed.rows.extend(people.iter().map(|(table, values)| dialect::sample::row(engine, table, values)));
    let identity = |user: &str| {
        let (table, values) = account::identity_seed_row(user);
        accounts.newcomers.map(|_| dialect::sample::row(engine, &table, &values))
    };
    if accounts.newcomers.is_some() {
        seed.clear.insert(0, dialect::sample::cleared(engine, &plan::system::identities()));
    }
    seed.rows.extend(identity(plan::accounts::CASE_USER));
    if account::can_be_two(users) {
        seed.rows.push(row(engine, users, &account::other_seed_user(), tables, catalog));
        let (table, values) = account::guest_seed_row();
        seed.rows.push(row(engine, users, &account::guest_seed_user(), tables, catalog));
        seed.rows.push(dialect::sample::row(engine, &table, &values));
        keys.insert(plan::system::accounts().name, Datum::Text(plan::accounts::CASE_OTHER.to_owned()));
        let others = account::other_seed_rows();
        seed.rows.extend(others.iter().map(|(table, values)| dialect::sample::row(engine, table, values)));
        seed.rows.extend(identity(plan::accounts::CASE_OTHER));
        for caller in plan::accounts::case_callers(api) {
            seed.rows.push(row(engine, users, &account::role_seed_user(&caller), tables, catalog));
            let theirs = account::role_seed_rows(&caller);
            seed.rows.extend(theirs.iter().map(|(table, values)| dialect::sample::row(engine, table, values)));
            seed.rows.extend(identity(&caller.user));
        }
    }
    Seeded { tables: known, keys, seed }
}

/// The same with somebody who has asked for the newsletter and not confirmed it yet, where that is kept.
pub fn with_reader(
    seeded: Seeded,
    consents: Option<&Table>,
    engine: Engine,
    tables: &[Table],
    catalog: &Catalog,
) -> Seeded {
    let Some(consents) = consents else { return seeded };
    let mut seed = seeded.seed;
    if seed.clear.is_empty() {
        let is_system = |table: &&Table| catalog::OWN_TABLES.contains(&table.name.as_str());
        let own: Vec<&Table> = ordered(tables).into_iter().filter(|table| !is_system(table)).collect();
        seed.clear = clear(engine, &own);
    }
    seed.rows.push(row(engine, consents, &newsletter::seed(consents), tables, catalog));
    Seeded { seed, ..seeded }
}

/// `said` is what stands in the row whatever the examples say.
fn row(engine: Engine, table: &Table, said: &[(ColumnName, Datum)], tables: &[Table], catalog: &Catalog) -> String {
    let is_needed = |column: &&Column| {
        table.primary_key.contains(&column.name)
            || said.iter().any(|(name, _)| *name == column.name)
            || column.nullability == Nullability::NotNull && column.default.is_none()
            || is_target(&column.name, table, tables)
            || table
                .rules
                .checks
                .iter()
                .any(|check| check.columns().count() > 1 && check.columns().any(|known| *known == column.name))
    };
    let columns = table.columns.iter().filter(is_needed);
    let value = |column: &Column| {
        let said = said.iter().find(|(name, _)| *name == column.name).map(|(_, datum)| datum.clone());
        said.unwrap_or_else(|| example(column, table, tables, catalog))
    };
    let values: Vec<(ColumnName, Datum)> = columns.map(|column| (column.name.clone(), value(column))).collect();
    dialect::sample::row(engine, table, &values)
}

/// Whether rows of other tables are told by the column.
fn is_target(column: &ColumnName, table: &Table, tables: &[Table]) -> bool {
    let keys = tables.iter().flat_map(|other| &other.rules.foreign_keys);
    keys.filter(|key| key.table == table.name).any(|key| key.target.contains(column))
}

/// Takes every row away, whichever leads to which.
fn clear(engine: Engine, tables: &[&Table]) -> Vec<String> {
    let mut statements = Vec::new();
    for table in tables {
        let optional: Vec<&ColumnName> = table
            .rules
            .foreign_keys
            .iter()
            .flat_map(|key| &key.columns)
            .filter(|column| {
                table.columns.iter().any(|known| known.name == **column && known.nullability == Nullability::Nullable)
            })
            .collect();
        if !optional.is_empty() {
            statements.push(dialect::sample::emptied(engine, table, &optional));
        }
    }
    statements.extend(tables.iter().rev().map(|table| dialect::sample::cleared(engine, table)));
    statements
}
