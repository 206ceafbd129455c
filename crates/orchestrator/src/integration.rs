//! A service in its workspace: what of it can be tried, what nobody tells it, and how a response shows it. Plans come in,
//! verifications, warnings and status words go out.

use crate::account::Given;
use crate::response::{Integration, Verification};
use crate::workspace::{Workspace, WorkspaceFailure};
use manifest::point::{Calls, Point};
use plan::service::{ServicePlan, ServicePoint, System};
use plan::{EventDeclaration, Phase, TaskPlan};
use vocab::EventName;

/// Events that plans of the workspace emit.
pub(crate) fn emitted(workspace: &Workspace, own: &TaskPlan) -> Result<Vec<EventDeclaration>, WorkspaceFailure> {
    let mut events: Vec<EventDeclaration> = own.api().map(|plan| plan.api.events.clone()).unwrap_or_default();
    for task_id in workspace.task_ids()? {
        if let Some(active) = workspace.active_plan(&task_id)?.filter(|active| active.plan.task_id() != own.task_id()) {
            events.extend(active.plan.api().map(|plan| plan.api.events.clone()).unwrap_or_default());
        }
    }
    Ok(events)
}

/// What somebody should know who expects the service to be told.
pub(crate) fn warnings(plan: &ServicePlan, emitted: &[EventDeclaration]) -> Vec<String> {
    plan.points.iter().filter_map(|point| unheard(plan, point, emitted)).collect()
}

fn unheard(plan: &ServicePlan, point: &ServicePoint, emitted: &[EventDeclaration]) -> Option<String> {
    let title = &plan.manifest.provider.title;
    let calls = calls(plan, point.answered_by.as_ref())?;
    let event = &point.event;
    let heard: Vec<&EventDeclaration> =
        emitted.iter().filter(|declared| declared.name == *event || declared.also.contains(event)).collect();
    if heard.is_empty() {
        return Some(format!(
            "nothing in this workspace emits `{event}`, so {title} is told nothing there: an endpoint with `emits: [{event}]` would"
        ));
    }
    let lacking = heard.iter().find_map(|declared| {
        let needed = calls.takes.iter().filter(|(_, taken)| taken.required);
        let mut missing = needed.filter(|(name, _)| !declared.fields.iter().any(|(field, _)| field == *name));
        missing.next().map(|(name, _)| (&declared.name, name))
    });
    lacking.map(|(declared, field)| {
        format!("`{declared}` does not say `{field}`, which {title} needs at `{event}`: it is not told of it")
    })
}

fn calls<'p>(plan: &'p ServicePlan, event: Option<&EventName>) -> Option<&'p Calls> {
    match plan.manifest.points.points.get(event?.as_str())? {
        Point::Calls(calls) => Some(calls),
        Point::Nothing(_) | Point::InBrowser(_) => None,
    }
}

/// What is tried of the service before anything is made.
pub(crate) fn verify(plan: &ServicePlan, given: &Given) -> Vec<Verification> {
    let title = &plan.manifest.provider.title;
    let check = format!("{title} takes the credentials");
    let phase = Phase::AuthenticateWithServiceApi;
    match plan.system {
        System::Simulated => {
            vec![Verification::simulated(phase, check, "`--sandbox`: a simulated provider asks for none")]
        }
        System::Live | System::Test => {
            let detail = format!("{} were given and have the form of one; they were not tried", given.len());
            vec![Verification::not_verified(phase, check, detail)]
        }
    }
}

/// How the response shows it.
pub(crate) fn shown(plan: &ServicePlan, verification: &[Verification]) -> Integration {
    use crate::response::CheckOutcome;
    let outcome_of = |phase| verification.iter().filter(move |check| check.phase == phase).map(|check| check.outcome);
    let tried: Vec<CheckOutcome> = outcome_of(Phase::AuthenticateWithServiceApi).collect();
    let status = match plan.system {
        System::Simulated => "simulated",
        System::Live | System::Test if tried.iter().all(|outcome| *outcome == CheckOutcome::Passed) => "active",
        System::Live | System::Test => "not_verified",
    };
    Integration { service: plan.manifest.provider.provider.to_string(), status }
}
