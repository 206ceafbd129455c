//! Which database an API stands on: that of the database task among its dependencies, else that of the only database task of the
//! workspace, else the embedded one. Where two could be meant the task is asked, and rows are never left without a word.

use crate::failure::Failure;
use crate::located::{Located, locate};
use crate::run::Stop;
use crate::workspace::Workspace;
use plan::database::{Base, Chosen, Connection};
use plan::{Plan, TaskPlan};
use spec::{Specification, Task};
use store::Database;
use vocab::{Code, Diagnostic, Engine, TaskId};

/// An API could stand on several databases.
pub const SEVERAL_DATABASES: Code = Code("IP303");

/// Where an API stands, and why.
#[derive(Default)]
pub(crate) struct Standing {
    /// On the database of this task; on the embedded one without.
    pub base: Option<Base>,
    pub chosen: Chosen,
    /// What somebody should know who expected something else.
    pub warning: Option<String>,
}

/// Where the task stands; everything but an API on nothing. `earlier` are plans that the same command made and did not carry out.
pub(crate) fn standing(
    task: &Task,
    task_id: &TaskId,
    workspace: &Workspace,
    earlier: &[TaskPlan],
) -> Result<Standing, Stop> {
    match &task.specification {
        Specification::SetupApi(_) | Specification::IntegrateService(_) => {}
        Specification::ConfigureDatabase(_) => return Ok(Standing::default()),
    }
    let databases = databases(workspace, earlier)?;
    // A plan that this program cannot read is planned anew, and stands nowhere yet.
    let current = workspace.active_plan(task_id).ok().flatten().and_then(|persisted| persisted.plan.into_api());
    let Some(current) = current else { return choose(task, databases, None) };
    let held = held(workspace, &current)?;
    let mut standing = choose(task, databases, Some((&current, held.rows)))?;
    let (engine, connection) = planner::standing_on(standing.base.as_ref());
    if !is_at(workspace, &held, &current, engine, &connection)? {
        if held.rows > 0 {
            let failure = Failure::rows_elsewhere(held.rows, &held.place, standing.base.as_ref());
            return Err(Stop::Asks(Box::new(failure)));
        }
        standing.warning = Some(format!("this API leaves {}, which holds no rows of it", held.place));
    }
    Ok(standing)
}

/// `current` is the plan that is active, with the rows that its tables hold.
fn choose(task: &Task, databases: Vec<Base>, current: Option<(&Plan, i64)>) -> Result<Standing, Stop> {
    let (mut named, mut others): (Vec<Base>, Vec<Base>) =
        databases.into_iter().partition(|base| task.dependencies.contains(&base.task_id));
    if named.len() > 1 {
        return Err(several(task, &named));
    }
    if let Some(base) = named.pop() {
        return Ok(Standing { base: Some(base), chosen: Chosen::Dependency, warning: None });
    }
    let is_on =
        |base: &Base| current.is_some_and(|(plan, _)| plan.base.as_ref().is_some_and(|on| on.task_id == base.task_id));
    if others.len() > 1
        && let Some(base) = others.iter().find(|base| is_on(base))
    {
        return Ok(Standing { base: Some(base.clone()), chosen: Chosen::Kept, warning: None });
    }
    if let (Some((Plan { base: None, .. }, 1..)), Some(other)) = (current, others.first()) {
        let warning = format!(
            "this API stays on the embedded database, which holds rows of it; `dependencies: [{0}]` asks for that of task `{0}`",
            other.task_id
        );
        return Ok(Standing { base: None, chosen: Chosen::Kept, warning: Some(warning) });
    }
    if others.len() > 1 {
        return Err(several(task, &others));
    }
    Ok(Standing { base: others.pop(), chosen: Chosen::OnlyOne, warning: None })
}

fn several(task: &Task, bases: &[Base]) -> Stop {
    let names: Vec<String> = bases.iter().map(|base| format!("`{}`", base.task_id)).collect();
    let message = format!("an API stands on one database, and it could be that of {}", names.join(" or "));
    let help = format!("name the one that is meant: `dependencies: [{}]`", bases[0].task_id);
    Stop::Invalid(vec![Diagnostic::error(SEVERAL_DATABASES, message, &task.place).with_help(help)])
}

/// The database tasks that were completed, by id.
fn databases(workspace: &Workspace, earlier: &[TaskPlan]) -> Result<Vec<Base>, Stop> {
    let base = |plan: &TaskPlan| match plan {
        TaskPlan::Database(plan) => Some(Base { task_id: plan.task_id.clone(), database: plan.database.clone() }),
        TaskPlan::Api(_) => None,
    };
    let mut bases: Vec<Base> = earlier.iter().filter_map(base).collect();
    for task_id in workspace.task_ids()? {
        if !bases.iter().any(|base| base.task_id == task_id) {
            bases.extend(workspace.seen_plan(&task_id).ok().flatten().and_then(|persisted| base(&persisted.plan)));
        }
    }
    bases.sort_by(|left, right| left.task_id.cmp(&right.task_id));
    Ok(bases)
}

/// What an API's database holds of it.
struct Held {
    database: Database,
    place: String,
    rows: i64,
}

fn held(workspace: &Workspace, plan: &Plan) -> Result<Held, Stop> {
    let database = match locate(workspace, plan.database.engine, &plan.database.connection)? {
        Located::At(database) => database,
        Located::Asks(failure) => return Err(Stop::Asks(failure)),
    };
    // Answers that are kept for a day are no reason to stay.
    let kept = plan::system::idempotency_answers().name;
    let tables: Vec<_> =
        plan.database.tables.iter().map(|table| &table.name).filter(|name| **name != kept).cloned().collect();
    let failed = |error| Failure::database(&error, &database);
    let rows = database.count_rows(&tables).map_err(failed)?;
    let place = match &plan.base {
        Some(base) => format!("the database of task `{}`", base.task_id),
        None => "the embedded database".to_owned(),
    };
    Ok(Held { database, place, rows })
}

/// Whether the database that an API is to stand on is the one that it stands on.
fn is_at(
    workspace: &Workspace,
    held: &Held,
    current: &Plan,
    engine: Engine,
    connection: &Connection,
) -> Result<bool, Stop> {
    if (engine, connection) == (current.database.engine, &current.database.connection) {
        return Ok(true);
    }
    Ok(match locate(workspace, engine, connection)? {
        Located::At(database) => database == held.database,
        // Asked when the plan is carried out.
        Located::Asks(_) => false,
    })
}
