//! The program on one screen: texts become tasks, tasks become plans, plans are carried out, responses are answered.
//! Each function ends with the exit status of its command.

use crate::arguments::{Check, Format, Listing, Place, Run, Servers, Status};
use crate::db;
use crate::progress::{Outcome, Steps};
use crate::show;
use orchestrator::{
    Allowed, Drift, Planned, Response, RunOptions, Sandbox, ServerSettings, Serving, Source, Task, UnknownDependencies,
    Workspace, order,
};
use plan::TaskPlan;
use plan::service::ServicePlan;
use std::error::Error;

/// Everything is as it should be.
pub const COMPLETED: u8 = 0;
/// It was tried and failed.
pub const FAILED: u8 = 1;
/// The task is wrong.
pub const INVALID: u8 = 2;

pub type Ended = Result<u8, Box<dyn Error>>;

pub async fn run(run: &Run) -> Ended {
    let mut options = options(&run.place, run.output.as_deref(), &run.listen.listen);
    if run.require_dependencies {
        options.unknown_dependencies = UnknownDependencies::WaitedFor;
    }
    if run.sandbox {
        options.sandbox = Sandbox::On;
    }
    options.allowed = db::allowed(Drift::Refused, run.allow_destructive);
    let mut status = COMPLETED;
    let mut tasks: Vec<(Source, Task)> = Vec::new();
    for source in orchestrator::read_sources(&run.tasks)? {
        let parsed = orchestrator::parse(&source);
        show::diagnostics(&source, &parsed.diagnostics);
        if vocab::diagnostic::has_errors(&parsed.diagnostics) {
            status = status.max(answer(&Response::invalid(parsed.diagnostics), run.format)?);
        }
        tasks.extend(parsed.tasks.into_iter().map(|task| (source.clone(), task)));
    }
    let order = match order::order(&tasks.iter().map(|(_, task)| task).collect::<Vec<_>>()) {
        Ok(order) => order,
        Err(problems) => {
            show::diagnostics_of(tasks.iter().map(|(source, _)| source), &problems);
            return answer(&Response::invalid(problems), run.format);
        }
    };
    let mut planned = Vec::new();
    for (source, task) in order.into_iter().map(|index| &tasks[index]) {
        status = status.max(match run.plan {
            true => show_plan(task, source, &options, run.format, &mut planned)?,
            false => answer_task(task, source, &options, run.format).await?,
        });
    }
    if run.serve && !run.plan && status == COMPLETED {
        return serve_workspace(&options.workspace, &run.listen.listen).await;
    }
    Ok(status)
}

/// The tasks of one text, or the exit status where there are none.
pub type Read = Result<(Source, Vec<Task>), u8>;

/// Reads one text.
pub fn read_task(path: &str, format: Format) -> Result<Read, Box<dyn Error>> {
    let source = orchestrator::read_sources(&[path.to_owned()])?.remove(0);
    let parsed = orchestrator::parse(&source);
    show::diagnostics(&source, &parsed.diagnostics);
    match vocab::diagnostic::has_errors(&parsed.diagnostics) {
        true => Ok(Err(answer(&Response::invalid(parsed.diagnostics), format)?)),
        false => Ok(Ok((source, parsed.tasks))),
    }
}

/// The service that a task integrates, which is an id of the workspace or a file; or the exit status where there is no such task.
pub fn service_of(task: &str, place: &Place) -> Result<Result<ServicePlan, u8>, Box<dyn Error>> {
    let options = options(place, None, "127.0.0.1:8080");
    if !db::is_file(task) {
        return Ok(Ok(orchestrator::active_service(&options.workspace, task)?));
    }
    let (source, tasks) = match read_task(task, Format::Yaml)? {
        Ok(read) => read,
        Err(status) => return Ok(Err(status)),
    };
    let (mut earlier, mut services) = (Vec::new(), Vec::new());
    for task in &tasks {
        match orchestrator::plan_task(task, &options, &earlier) {
            Ok(planned) => {
                services.extend(planned.plan.service().cloned());
                earlier.push(planned.plan);
            }
            Err(response) => {
                show::response_diagnostics(&source, &response);
                return Ok(Err(answer(&response, Format::Yaml)?));
            }
        }
    }
    match (services.pop(), services.is_empty()) {
        (Some(service), true) => Ok(Ok(service)),
        (Some(_), false) => Err(format!("`{task}` integrates more than one service: name the task by its id").into()),
        (None, _) => Err(format!("`{task}` integrates no service").into()),
    }
}

pub async fn answer_task(task: &Task, source: &Source, options: &RunOptions, format: Format) -> Ended {
    let steps = Steps::new();
    let response = orchestrator::run_task(task, options, &|phase, doing| steps.begin(phase, doing)).await;
    steps.end(if response.error.is_none() { Outcome::Good } else { Outcome::Bad });
    show::response_diagnostics(source, &response);
    answer(&response, format)
}

pub fn answer(response: &Response, format: Format) -> Ended {
    show::response(response, format)?;
    Ok(response.exit_status())
}

/// The plans before it may be what this one builds upon.
fn show_plan(task: &Task, source: &Source, options: &RunOptions, format: Format, earlier: &mut Vec<TaskPlan>) -> Ended {
    match orchestrator::plan_task(task, options, earlier) {
        Ok(Planned { plan, warnings, .. }) => {
            show::plan(&plan, format)?;
            show::warnings(&warnings);
            earlier.push(plan);
            Ok(COMPLETED)
        }
        Err(response) => {
            show::response_diagnostics(source, &response);
            answer(&response, format)
        }
    }
}

pub fn check(check: &Check) -> Ended {
    let options = options(&check.place, None, "127.0.0.1:8080");
    let parsed: Vec<_> = orchestrator::read_sources(&check.tasks)?
        .into_iter()
        .map(|source| {
            let parsed = orchestrator::parse(&source);
            (source, parsed)
        })
        .collect();
    let tasks: Vec<&Task> = parsed.iter().flat_map(|(_, parsed)| &parsed.tasks).collect();
    let (order, mut disorder) = match order::order(&tasks) {
        Ok(order) => (order, Vec::new()),
        Err(problems) => ((0..tasks.len()).collect(), problems),
    };
    let mut refused = vec![Vec::new(); tasks.len()];
    let mut earlier = Vec::new();
    for index in order {
        match orchestrator::plan_task(tasks[index], &options, &earlier) {
            Ok(planned) => earlier.push(planned.plan),
            Err(response) => refused[index] = response.diagnostics(),
        }
    }
    let mut refused = refused.into_iter();
    let mut findings = Vec::new();
    for (source, parsed) in &parsed {
        let mut found = parsed.diagnostics.clone();
        found.extend(refused.by_ref().take(parsed.tasks.len()).flatten());
        show::diagnostics(source, &found);
        findings.extend(found);
    }
    show::diagnostics_of(parsed.iter().map(|(source, _)| source), &disorder);
    findings.append(&mut disorder);
    show::findings(&findings, check.format)?;
    Ok(if vocab::diagnostic::has_errors(&findings) { INVALID } else { COMPLETED })
}

pub async fn status(asked: &Status) -> Ended {
    let workspace = Workspace::new(&asked.place.workspace);
    match &asked.task_id {
        Some(id) => {
            let mut task = orchestrator::status(&workspace, id)?;
            orchestrator::look_at_integrations(&workspace, std::slice::from_mut(&mut task)).await;
            show::status(&task, asked.format)?;
        }
        None => {
            let mut tasks = orchestrator::statuses(&workspace)?;
            orchestrator::look_at_integrations(&workspace, &mut tasks).await;
            show::statuses(&tasks, asked.format)?;
        }
    }
    Ok(COMPLETED)
}

pub async fn serve(place: &Place, listen: &str) -> Ended {
    serve_workspace(&Workspace::new(&place.workspace), listen).await
}

async fn serve_workspace(workspace: &Workspace, listen: &str) -> Ended {
    let setting = |name: &str| std::env::var(name).unwrap_or_default();
    let settings = ServerSettings {
        origins: setting("CORS_ORIGINS"),
        proxies: setting("TRUSTED_PROXIES"),
        certificate: [setting("TLS_CERTIFICATE"), setting("TLS_KEY")],
    };
    let serving = Serving::bind(workspace, listen, &settings).await?;
    let end = asked_to_end()?;
    show::listening(&serving);
    serving.run(end).await?;
    Ok(COMPLETED)
}

pub fn start_servers(asked: &Servers) -> Ended {
    let servers = orchestrator::start_servers(&Workspace::new(&asked.place.workspace), asked.server.as_deref())?;
    show::servers(&servers, asked.format)?;
    Ok(COMPLETED)
}

pub fn stop_servers(asked: &Servers) -> Ended {
    let servers = orchestrator::stop_servers(&Workspace::new(&asked.place.workspace), asked.server.as_deref())?;
    show::servers(&servers, asked.format)?;
    Ok(COMPLETED)
}

pub fn create_key(place: &Place, name: &str, expires: Option<&str>, scopes: &[String]) -> Ended {
    let new = orchestrator::create_key(&Workspace::new(&place.workspace), name, expires, scopes)?;
    show::new_key(&new)?;
    Ok(COMPLETED)
}

pub fn list_keys(place: &Place, format: Listing) -> Ended {
    show::keys(&orchestrator::list_keys(&Workspace::new(&place.workspace))?, format)?;
    Ok(COMPLETED)
}

pub fn rotate_key(place: &Place, id: &str, overlap: &str) -> Ended {
    show::rotated_key(&orchestrator::rotate_key(&Workspace::new(&place.workspace), id, overlap)?)?;
    Ok(COMPLETED)
}

pub fn revoke_key(place: &Place, id: &str) -> Ended {
    let revoked = orchestrator::revoke_key(&Workspace::new(&place.workspace), id)?;
    show::revoked_key(&revoked);
    Ok(COMPLETED)
}

pub async fn set_role(place: &Place, email: &str, role: &str) -> Ended {
    orchestrator::set_role(&Workspace::new(&place.workspace), email, role).await?;
    show::role_given(email, role);
    Ok(COMPLETED)
}

pub fn options(place: &Place, output: Option<&std::path::Path>, listen: &str) -> RunOptions {
    let workspace = Workspace::new(&place.workspace).remembering();
    let output = output.map_or_else(|| workspace.default_output(), ToOwned::to_owned);
    let unknown_dependencies = UnknownDependencies::TakenToBeDone;
    let allowed = Allowed::default();
    let sandbox = Sandbox::Off;
    RunOptions { workspace, output, listen: listen.to_owned(), unknown_dependencies, allowed, sandbox }
}

/// SIGINT or SIGTERM, from the moment of the call on: whoever reads the address may ask for the end at once.
#[cfg(unix)]
pub fn asked_to_end() -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

#[cfg(not(unix))]
pub fn asked_to_end() -> std::io::Result<impl Future<Output = ()>> {
    Ok(async {
        let _ = tokio::signal::ctrl_c().await;
    })
}
