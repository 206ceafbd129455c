//! The accounts of people in the workspace's databases, for whoever runs it: which role one has. What a person typed goes in, what was
//! changed comes out; a password or a token is never looked at.

use crate::failure::Failure;
use crate::instances;
use crate::located::{Located, locate};
use crate::workspace::{Workspace, WorkspaceFailure};
use plan::accounts::CASE_ROLE;
use plan::query::{Assigned, Holes, Output, Predicate, RowLock, Write};
use plan::value::Comparison;
use plan::{DatabasePlan, Plan, Query, Value, system};
use std::collections::BTreeSet;
use std::sync::Arc;
use store::{Ended, Store, StoreError};
use vocab::{ColumnName, Datum, FieldName, SlotName};

/// Why a command about accounts failed.
#[derive(Debug, thiserror::Error)]
pub enum PeopleFailure {
    /// The workspace cannot be used.
    #[error(transparent)]
    Workspace(#[from] WorkspaceFailure),
    /// A database of it cannot be used.
    #[error("{}", .0.with_hint())]
    Database(Box<Failure>),
    /// A database of it does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Nobody signs in.
    #[error("nobody signs in to the APIs of this workspace: run a task with `POST /api/auth/login` first")]
    NoAccounts,
    /// No endpoint asks for the role.
    #[error("no endpoint of this workspace asks for the role `{role}`; there are {known}{meant}")]
    Role {
        /// The role.
        role: String,
        /// Those that there are.
        known: String,
        /// What may have been meant, as a question.
        meant: String,
    },
    /// Nobody has that address.
    #[error("nobody with the address `{0}` has an account: it registers with `POST /api/auth/register`")]
    Unknown(String),
}

/// Gives the account with that address a role, in every database of the workspace that knows it; the servers know it within a second.
///
/// # Errors
/// [`PeopleFailure`] when there is no such account or no such role.
pub async fn set_role(workspace: &Workspace, email: &str, role: &str) -> Result<(), PeopleFailure> {
    let mut places: Vec<(Plan, Store)> = Vec::new();
    let mut roles = BTreeSet::from([CASE_ROLE.to_owned()]);
    for task_id in workspace.task_ids()? {
        let active = workspace.active_plan(&task_id)?;
        let Some(plan) = active.as_ref().and_then(|active| active.plan.api()) else { continue };
        roles.extend(plan.api.meant_roles().iter().map(ToString::to_string));
        if plan.api.accounts.is_some() {
            // As whoever owns the tables: the application may change no role that its endpoints do not.
            let store = owned(workspace, &plan.database).map_err(PeopleFailure::Database)?;
            places.push((plan.clone(), store));
        }
    }
    if places.is_empty() {
        return Err(PeopleFailure::NoAccounts);
    }
    if !roles.contains(role) {
        return Err(unknown_role(role, &roles));
    }
    let mut found = false;
    for (plan, store) in &places {
        found |= set_role_in(plan, store, email, role).await?;
    }
    if found { Ok(()) } else { Err(PeopleFailure::Unknown(email.to_owned())) }
}

fn owned(workspace: &Workspace, plan: &DatabasePlan) -> Result<Store, Box<Failure>> {
    instances::start(workspace, plan.engine, &plan.connection, &|_| ())?;
    match locate(workspace, plan.engine, &plan.connection)? {
        Located::At(database) => {
            database.open(plan.pool).map_err(|error| Box::new(Failure::database(&error, &database)))
        }
        Located::Asks(failure) => Err(failure),
    }
}

/// Whether an account of that database has the address.
async fn set_role_in(plan: &Plan, store: &Store, email: &str, role: &str) -> Result<bool, PeopleFailure> {
    let Some(accounts) = &plan.api.accounts else { return Ok(false) };
    let column = |name: &str| ColumnName::parse(name).expect("a literal that is a name");
    let asked = || Value::Slot(SlotName::parse("asked").expect("a literal that is a name"));
    let is = |name: &str| vec![Predicate::Compare(column(name), Comparison::Equal, asked())];
    let query = Query {
        from: accounts.users.clone(),
        outputs: vec![Output::Column {
            column: column("id"),
            field: FieldName::parse("id").expect("a literal that is a name"),
        }],
        filter: is("email"),
        order: Vec::new(),
        holes: Holes::default(),
        lock: RowLock::None,
    };
    let text = dialect::lower_query(&plan.database, &query).expect("every engine finds a row by its address").text;
    let rows = store.read(Arc::from(text), vec![Datum::Text(email.to_owned())]).await?;
    let Some([user]) = rows.first().map(Vec::as_slice) else { return Ok(false) };
    let write = Write::Update {
        table: system::accounts().name,
        set: vec![(column("role"), Assigned::Value(asked()))],
        filter: is("user_id"),
    };
    let text = dialect::lower_write(&plan.database, &write).expect("every engine adds one row").text;
    let values = vec![Datum::Text(role.to_owned()), user.clone()];
    let changed = store.transaction(move |mut transaction| {
        Box::pin(async move { Ok(Ended::Commit(transaction.execute(&text, &values).await?)) })
    });
    Ok(changed.await? > 0)
}

fn unknown_role(role: &str, roles: &BTreeSet<String>) -> PeopleFailure {
    let words: Vec<&str> = roles.iter().map(String::as_str).collect();
    let meant = spec::closest(role, &words).map(|role| format!("; did you mean `{role}`?")).unwrap_or_default();
    let known = words.iter().map(|role| format!("`{role}`")).collect::<Vec<_>>().join(", ");
    PeopleFailure::Role { role: role.to_owned(), known, meant }
}
