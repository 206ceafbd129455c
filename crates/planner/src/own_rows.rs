//! Which tables a database keeps for each user by itself: endpoints that show callers their own rows alone come in, with the tables
//! they work on; out goes how it is told whose a row of those tables is. Which endpoints those are is decided elsewhere.

use crate::account::{Ownership, ownership};
use plan::Table;
use plan::api::Endpoint;
use plan::database::permission::{Owned, OwnedBy};
use plan::uses;
use std::collections::{BTreeMap, BTreeSet};
use vocab::{ProcedureName, TableName};

/// Those tables, with what they belong through and what belongs to a user through them. `worked_on` is the table of each endpoint
/// with own rows. One that has to do with rows of somebody else besides is none any longer: it looks after that by its own statements.
pub fn keep(
    endpoints: &mut [Endpoint],
    worked_on: &BTreeMap<ProcedureName, TableName>,
    tables: &[Table],
    users: &TableName,
) -> Owned {
    let all: Owned =
        tables.iter().filter_map(|table| Some((table.name.clone(), owned_by(table, tables, users)?))).collect();
    let roots: BTreeMap<&TableName, &TableName> =
        all.keys().filter_map(|table| Some((table, root(table, &all)?))).collect();
    for endpoint in endpoints.iter_mut().filter(|endpoint| endpoint.own_rows) {
        let root = worked_on.get(&endpoint.procedure.name).and_then(|table| roots.get(table));
        let touched = uses::of_procedure(tables, &endpoint.procedure);
        let is_anothers = |table: &TableName| roots.get(table).is_some_and(|other| Some(other) != root);
        endpoint.own_rows = root.is_some() && !touched.keys().any(is_anothers);
    }
    let kept = endpoints.iter().filter(|endpoint| endpoint.own_rows);
    let kept: BTreeSet<&TableName> =
        kept.filter_map(|endpoint| roots.get(worked_on.get(&endpoint.procedure.name)?)).copied().collect();
    let is_kept = |table: &TableName| roots.get(table).is_some_and(|root| kept.contains(root));
    all.iter().filter(|(table, _)| is_kept(table)).map(|(table, by)| (table.clone(), by.clone())).collect()
}

fn owned_by(table: &Table, tables: &[Table], users: &TableName) -> Option<OwnedBy> {
    match ownership(table, tables, users) {
        Ownership::Of(column) => Some(OwnedBy::User(column)),
        Ownership::Through(other) => {
            let mut keys = table.rules.foreign_keys.iter().filter(|key| key.columns.len() == 1);
            let key = keys.find(|key| key.table == other)?;
            let (column, target) = (key.columns.first()?.clone(), key.target.first()?.clone());
            Some(OwnedBy::Row { column, table: other, key: target })
        }
        Ownership::Several(_) | Ownership::SeveralWays(_) | Ownership::Themselves | Ownership::Nobody => None,
    }
}

/// The table at the end of the way that names a user; none where the way goes in a circle, or ends elsewhere.
fn root<'t>(table: &'t TableName, all: &'t Owned) -> Option<&'t TableName> {
    let mut at = table;
    for _ in 0..=all.len() {
        match all.get(at)? {
            OwnedBy::User(_) => return Some(at),
            OwnedBy::Row { table, .. } => at = table,
        }
    }
    None
}
