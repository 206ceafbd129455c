//! Every problem that a procedure can end with, read off its steps. It never asks what a behaviour is called.

use super::{Outline, table_of};
use plan::database::OnDelete;
use plan::procedure::Scheme;
use plan::procedure::{Input, Item, Response, Step};
use plan::query::{Assigned, OnConflict, Write};
use plan::value::Value;
use plan::{Plan, Problem};
use std::collections::BTreeSet;
use vocab::{ColumnName, TableName};

/// Every problem the procedure can end with, and that of bytes which are no request.
pub fn problems(plan: &Plan, method: &str, items: &[&Item]) -> BTreeSet<Problem> {
    let changes = method != "GET";
    let mut found = BTreeSet::from([Problem::MalformedRequest, Problem::InternalError, Problem::Overloaded]);
    for item in items {
        match item {
            Item::Let(_, step) | Item::Do(step) => {
                found.extend(problems_of_step(plan, items, changes, step));
                let is_user = matches!(item, Item::Let(_, Step::Authorize { scheme: Scheme::Issued, .. }));
                found.extend(is_user.then_some([Problem::UnknownUser, Problem::AccountDisabled]).into_iter().flatten());
            }
            Item::Transaction(_) => {
                found.insert(Problem::Unavailable);
            }
            Item::Exit(Response::Problem(problem), _) => {
                found.insert(*problem);
            }
            Item::Exit(Response::UnknownReference(_) | Response::Inconsistent { .. } | Response::Entry { .. }, _) => {
                found.insert(Problem::ValidationFailed);
            }
            Item::Exit(Response::Short { .. }, _) => {
                found.insert(Problem::OutOfStock);
            }
            Item::Each(_) | Item::Promise(_) | Item::Match(..) | Item::Exit(..) => {}
        }
    }
    found
}

/// Every problem that a caller of these endpoints may be answered with: theirs, and those of requests that reach none.
pub fn of_callers(outlines: &[Outline<'_>]) -> BTreeSet<Problem> {
    let mut known: BTreeSet<Problem> = outlines.iter().flat_map(|outline| outline.problems.iter().copied()).collect();
    known.extend([
        Problem::MalformedRequest,
        Problem::NotFound,
        Problem::MethodNotAllowed,
        Problem::UriTooLong,
        Problem::HeaderFieldsTooLarge,
        Problem::InternalError,
        Problem::Unavailable,
        Problem::Overloaded,
    ]);
    known
}

fn problems_of_step(plan: &Plan, items: &[&Item], changes: bool, step: &Step) -> Vec<Problem> {
    match step {
        Step::Authorize { scheme, scope, role, grant, failures } => {
            let mut found = match scheme {
                Scheme::ApiKey => vec![Problem::MissingCredentials, Problem::InvalidCredentials],
                Scheme::AccessToken => vec![Problem::MissingToken, Problem::InvalidToken],
                Scheme::Session => vec![Problem::MissingSession, Problem::InvalidSession],
                Scheme::SignedIn => vec![Problem::MissingSession, Problem::InvalidSession, Problem::InvalidToken],
                Scheme::Issued => vec![Problem::MissingToken, Problem::InvalidToken, Problem::IssuerUnavailable],
                Scheme::Basic => vec![
                    Problem::MissingPassword,
                    Problem::InvalidPassword,
                    Problem::AccountDisabled,
                    Problem::RateLimited,
                ],
            };
            found.push(Problem::Unavailable);
            found.extend((scheme.is_added_by_browsers() && changes).then_some(Problem::CrossOrigin));
            found.extend(grant.is_some().then_some(Problem::InsufficientScope));
            found.extend(scope.is_some().then_some(Problem::InsufficientScope));
            found.extend(role.is_some().then_some(Problem::InsufficientRole));
            found.extend(failures.is_some().then_some(Problem::RateLimited));
            found
        }
        Step::Limit { .. } | Step::LimitEach { .. } | Step::Spare { .. } => vec![Problem::RateLimited],
        Step::Part { scope, .. } => {
            [Problem::RateLimited].into_iter().chain(scope.as_ref().map(|_| Problem::InsufficientScope)).collect()
        }
        Step::SameOrigin => vec![Problem::CrossOrigin],
        Step::HashPassword(_) | Step::VerifyPassword { .. } => vec![Problem::Overloaded],
        Step::Claim => vec![Problem::MalformedIdempotencyKey, Problem::RequestInProgress],
        Step::Recall(_) => vec![Problem::IdempotencyKeyReused, Problem::Unavailable],
        Step::Patched { .. } => vec![Problem::PatchFailed],
        Step::Hear(_) => vec![
            Problem::InvalidSignature,
            Problem::RateLimited,
            Problem::MalformedBody,
            Problem::RequestTimeout,
            Problem::BodyTooLarge,
            Problem::ValidationFailed,
        ],
        Step::Form | Step::Validate(Input::Body(_) | Input::Changes(_) | Input::Patch(_) | Input::List(_)) => vec![
            Problem::MalformedBody,
            Problem::RequestTimeout,
            Problem::BodyTooLarge,
            Problem::UnsupportedMediaType,
            Problem::ValidationFailed,
        ],
        Step::Validate(Input::Parameters(_) | Input::Query(_) | Input::Listing(_) | Input::Selection(_)) => {
            vec![Problem::ValidationFailed]
        }
        Step::Read { .. } | Step::Ping | Step::May { .. } => vec![Problem::Unavailable],
        Step::Write(write) => {
            let conflict = may_conflict(plan, items, write).then_some(Problem::Conflict);
            let overlap = may_overlap(plan, write).then_some(Problem::Overlap);
            let in_use = may_be_in_use(plan, write).then_some(Problem::InUse);
            std::iter::once(Problem::Unavailable).chain(conflict).chain(overlap).chain(in_use).collect()
        }
        Step::Await { .. } => vec![Problem::Unavailable],
        Step::Generate(_)
        | Step::Evaluate(_)
        | Step::Check(_)
        | Step::Digest(_)
        | Step::Successor(_)
        | Step::SetSession(_)
        | Step::Emit { .. }
        | Step::Fetch { .. }
        | Step::Received(_)
        | Step::IssueToken { .. }
        | Step::Presign { .. } => Vec::new(),
    }
}

/// Whether the write brings a time that another row may have.
fn may_overlap(plan: &Plan, write: &Write) -> bool {
    let (table, columns): (_, Vec<&ColumnName>) = match write {
        Write::Insert { table, values, .. } => (table, values.iter().map(|(column, _)| column).collect()),
        Write::Update { table, set, .. } => (table, set.iter().map(|(column, _)| column).collect()),
        Write::Delete { .. } | Write::Add(_) => return false,
    };
    let overlaps = table_of(plan, table).into_iter().flat_map(|table| &table.rules.overlaps);
    overlaps.flat_map(plan::database::NoOverlap::columns).any(|column| columns.contains(&column))
}

/// Whether rows of other tables may keep the row from going, or a row that it leads to may go meanwhile.
fn may_be_in_use(plan: &Plan, write: &Write) -> bool {
    match write {
        Write::Delete { table, .. } => may_be_kept(plan, table, &mut BTreeSet::new()),
        Write::Insert { table, .. } | Write::Update { table, .. } => {
            table_of(plan, table).is_some_and(|table| !table.rules.foreign_keys.is_empty())
        }
        Write::Add(_) => false,
    }
}

/// Whether a row of the table, or one that goes with it, may be kept from going.
fn may_be_kept<'a>(plan: &'a Plan, table: &'a TableName, seen: &mut BTreeSet<&'a TableName>) -> bool {
    let tables = plan.base.iter().flat_map(|base| &base.database.tables).chain(&plan.database.tables);
    let is_new = seen.insert(table);
    is_new
        && tables.flat_map(|other| other.rules.foreign_keys.iter().map(move |key| (&other.name, key))).any(
            |(other, key)| {
                key.table == *table
                    && match key.on_delete {
                        OnDelete::Restrict => true,
                        OnDelete::Cascade => may_be_kept(plan, other, seen),
                        OnDelete::SetNull => false,
                    }
            },
        )
}

/// Whether a unique value that the write brings may be taken, with nothing said about what happens then.
fn may_conflict(plan: &Plan, items: &[&Item], write: &Write) -> bool {
    type Brought<'a> = (&'a ColumnName, Option<&'a Value>);
    let (table, columns, settled): (_, Vec<Brought<'_>>, Option<&[ColumnName]>) = match write {
        Write::Insert { table, values, on_conflict, .. } => {
            let settled = match on_conflict {
                OnConflict::Fail => None,
                OnConflict::Keep { unique } | OnConflict::Replace { unique, .. } => Some(unique.as_slice()),
            };
            (table, values.iter().map(|(column, value)| (column, Some(value))).collect(), settled)
        }
        Write::Update { table, set, .. } => {
            let set = set.iter().filter_map(|(column, assigned)| match assigned {
                Assigned::Value(value) | Assigned::Known(value) => Some((column, Some(value))),
                Assigned::IfGiven(..) => Some((column, None)),
                Assigned::Plus(_) | Assigned::Less(_) => None,
            });
            (table, set.collect(), None)
        }
        Write::Delete { .. } | Write::Add(_) => return false,
    };
    let Some(table) = table_of(plan, table) else { return true };
    let is_fresh = |value: &Value| match value {
        Value::Slot(slot) => {
            items.iter().any(|item| matches!(item, Item::Let(bound, Step::Generate(_)) if bound == slot))
        }
        _ => false,
    };
    std::iter::once(&table.primary_key).chain(&table.unique).any(|unique| {
        let mut brought = columns.iter().filter(|(column, _)| unique.contains(column)).peekable();
        settled != Some(unique.as_slice())
            && brought.peek().is_some()
            && !brought.any(|(_, value)| value.is_some_and(is_fresh))
    })
}
