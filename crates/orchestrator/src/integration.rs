//! A service in its workspace: what of it can be tried, what nobody tells it, and how a response shows it. Plans come in,
//! verifications, warnings and status words go out. The only effect is that a provider is asked whether it takes the credentials.

use crate::account::{self, Given};
use crate::failure::Failure;
use crate::located::Opened;
use crate::providers::{cases, manifest, origins};
use crate::response::{CheckOutcome, Integration, Verification};
use crate::run::Stop;
use crate::settings::{FILE, WorkspaceSettings};
use crate::simulating::{SimulateOptions, Simulating};
use crate::tokens::KeptTokens;
use crate::trying::last_tried;
use crate::workspace::{Workspace, WorkspaceFailure};
use catalog::Catalog;
use connect::account::Account;
use connect::answer::Outcome;
use connect::authentication::tokens::{KeepNothing, TokenKeeper};
use connect::call::Caller;
use connect::client::Client;
use jiff::Timestamp;
use manifest::point::{Calls, Point};
use manifest::provider::Check;
use plan::service::{AccountValue, ServicePlan, ServicePoint, System, ValueSource};
use plan::{EventDeclaration, Phase, TaskPlan};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use vocab::{EventName, FieldName};

/// Events that plans of the workspace emit.
pub(crate) fn emitted(workspace: &Workspace, own: &TaskPlan) -> Result<Vec<EventDeclaration>, WorkspaceFailure> {
    let mut events: Vec<EventDeclaration> = own.api().map(|plan| plan.api.events.clone()).unwrap_or_default();
    for task_id in workspace.task_ids()? {
        if let Some(active) = workspace.seen_plan(&task_id)?.filter(|active| active.plan.task_id() != own.task_id()) {
            events.extend(active.plan.api().map(|plan| plan.api.events.clone()).unwrap_or_default());
        }
    }
    Ok(events)
}

/// Adds what only the tasks of the workspace know: their own events that count as one that the service is told of.
pub(crate) fn listen(plan: &mut TaskPlan, workspace: &Workspace, earlier: &[TaskPlan]) -> Result<(), WorkspaceFailure> {
    if plan.service().is_none() {
        return Ok(());
    }
    let mut events = emitted(workspace, plan)?;
    events.extend(earlier.iter().filter_map(TaskPlan::api).flat_map(|plan| plan.api.events.clone()));
    let TaskPlan::Api(plan) = plan else { return Ok(()) };
    if let Some(service) = &mut plan.service {
        hear(service, events.iter());
    }
    Ok(())
}

/// Notes which of the events of the workspace's tasks count as one that the service is told of; its own come first.
pub(crate) fn hear<'e>(service: &mut ServicePlan, events: impl Iterator<Item = &'e EventDeclaration>) {
    for declared in events {
        let is_known = service.listens.iter().any(|(event, _)| *event == declared.name);
        let mut names = std::iter::once(&declared.name).chain(&declared.also);
        let asked = names.find_map(|name| service.points.iter().find(|point| point.event == *name));
        let answered =
            asked.and_then(|point| point.answered_by.clone()).filter(|by| calls(service, Some(by)).is_some());
        if let (false, Some(by)) = (is_known, answered) {
            service.listens.push((declared.name.clone(), by));
        }
    }
    // Whoever was planned first.
    service.listens.sort();
}

/// What somebody should know who expects the service to be told.
pub(crate) fn warnings(plan: &ServicePlan, emitted: &[EventDeclaration], catalog: &Catalog) -> Vec<String> {
    plan.points.iter().filter_map(|point| unheard(plan, point, emitted, catalog)).collect()
}

fn unheard(
    plan: &ServicePlan,
    point: &ServicePoint,
    emitted: &[EventDeclaration],
    catalog: &Catalog,
) -> Option<String> {
    let title = &plan.manifest.provider.title;
    let calls = calls(plan, point.answered_by.as_ref())?;
    let event = &point.event;
    let heard: Vec<&EventDeclaration> =
        emitted.iter().filter(|declared| declared.name == *event || declared.also.contains(event)).collect();
    if heard.is_empty() {
        let endpoint = catalog.endpoint_of(event).map(|endpoint| format!("`{endpoint}`, or ")).unwrap_or_default();
        return Some(format!(
            "nothing in this workspace emits `{event}`, so {title} is told nothing there: {endpoint}an endpoint with `emits: [{event}]` would"
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

/// Somebody who can be spoken to: the provider, or what stands in for it.
pub(crate) struct Speaking {
    pub account: Account,
    pub caller: Caller,
    /// What stands in for what.
    pub stands_in: Option<String>,
}

impl Speaking {
    fn to(
        account: Account,
        simulated: Vec<SocketAddr>,
        stands_in: Option<String>,
        keeper: Arc<dyn TokenKeeper>,
    ) -> Result<Self, Stop> {
        let client = Client::new(simulated).map_err(|why| Failure::no_encryption(&why))?;
        let caller = Caller::new(client, keeper, Arc::new(Timestamp::now));
        Ok(Self { account, caller, stands_in })
    }
}

/// The provider as the workspace reaches it; nothing where it is only played while a task is carried out.
///
/// # Errors
/// What somebody must say first.
pub(crate) fn speaking(plan: &ServicePlan, workspace: &Workspace) -> Result<Option<Speaking>, Stop> {
    let settings = WorkspaceSettings::read(workspace).map_err(|error| Failure::settings(&error))?;
    let instead = settings.simulated.get(plan.manifest.provider.provider.as_str());
    if plan.system == System::Simulated && instead.is_none() {
        return Ok(None);
    }
    let given = account::given(workspace, plan).map_err(Stop::Asks)?;
    reached(plan, workspace, given, &settings).map(Some)
}

/// The provider, or what the workspace's settings have stand in for it.
///
/// # Errors
/// Where the secrets cannot be read, or nothing can be sent from this machine.
pub(crate) fn reached(
    plan: &ServicePlan,
    workspace: &Workspace,
    given: Given,
    settings: &WorkspaceSettings,
) -> Result<Speaking, Stop> {
    let provider = &plan.manifest.provider;
    let account = account::account(workspace, plan, given, settings.public_url.as_deref())?;
    let kept = KeptTokens::new(workspace);
    // Servers that run have the tokens there.
    if let Some(active) = workspace.active_plan(&plan.task_id)?.and_then(|active| active.plan.into_api())
        && active.keeps_tokens()
    {
        kept.keep_in(&active, &Opened::default().store(workspace, &active.database)?)?;
    }
    let keeper = Arc::new(kept);
    let Some(instead) = settings.simulated.get(provider.provider.as_str()) else {
        return Speaking::to(account, Vec::new(), None, keeper);
    };
    let stands_in = format!("`{FILE}`: {} is played at {}", provider.title, instead.url());
    let account = Account { instead: Some(instead.url()), ..account };
    Speaking::to(account, vec![instead.address], Some(stands_in), keeper)
}

/// What the service needs is there, and the provider takes it.
///
/// # Errors
/// What somebody must say first, or why the provider does not take it.
pub(crate) async fn tried(plan: &ServicePlan, workspace: &Workspace) -> Result<Vec<Verification>, Stop> {
    let title = &plan.manifest.provider.title;
    let (outcome, stands_in) = match speaking(plan, workspace)? {
        Some(speaking) => (speaking.caller.check(&speaking.account).await, speaking.stands_in),
        None => (played(plan, workspace).await?, Some(format!("`--sandbox`: {title} is played on this machine"))),
    };
    let check = format!("{title} takes the credentials");
    let phase = Phase::AuthenticateWithServiceApi;
    let credentials = match (outcome, stands_in) {
        (Some(Outcome::Done { .. }), None) => Verification::of(phase, check, &[]),
        (Some(Outcome::Done { .. }), Some(detail)) => Verification::simulated(phase, check, detail),
        (Some(other), _) => return Err(Failure::provider(plan, &other).into()),
        (None, _) => {
            let why = match &plan.manifest.provider.check {
                Check::Form(why) => why.as_str(),
                Check::Operation(_) | Check::Token => "nothing can be asked without an effect",
            };
            Verification::not_verified(phase, check, why)
        }
    };
    Ok(vec![credentials, as_described(plan, workspace)?])
}

/// Whether anybody but the manifest says that the provider is as the manifest says.
fn as_described(plan: &ServicePlan, workspace: &Workspace) -> Result<Verification, Stop> {
    let provider = &plan.manifest.provider;
    let (phase, check) = (Phase::ImplementIntegrationLogic, format!("{} is as its manifest says", provider.title));
    let whole = manifest(workspace, &provider.provider).ok().flatten();
    let tried = whole.map(|whole| last_tried(workspace, &whole)).transpose()?.flatten();
    let origins = origins(cases(workspace, &provider.provider));
    Ok(match tried.filter(|(tried, is_current)| *is_current && !tried.simulated) {
        Some((tried, _)) if tried.has_failed() => Verification::not_verified(phase, check, tried.in_short()),
        Some((tried, _)) => Verification::passed(phase, check, tried.in_short()),
        None if origins.is_empty() => {
            let by = format!("`producer providers verify {}` tries it with an account for tests", provider.provider);
            Verification::not_verified(phase, check, format!("nobody else says so: {by}"))
        }
        None => Verification::passed(phase, check, format!("so says {}", origins.join(", "))),
    })
}

/// What a provider says to its own credentials that is played for this alone.
async fn played(plan: &ServicePlan, workspace: &Workspace) -> Result<Option<Outcome>, Stop> {
    let provider = &plan.manifest.provider;
    let options = SimulateOptions { listen: "127.0.0.1:0".to_owned(), ..SimulateOptions::default() };
    let bound = Simulating::bind(workspace, provider.provider.as_str(), &options).await;
    let played = bound.map_err(|error| Failure::not_played(&provider.title, &error))?;
    let named = |(name, secret): &(String, _)| Some((FieldName::parse(name).ok()?, Clone::clone(secret)));
    let mut given = account::plain(plan);
    given.extend(played.credentials.iter().filter_map(named));
    let address = played.address;
    let account = account::account(workspace, plan, given, None)?;
    let account = Account { instead: Some(format!("http://{address}")), ..account };
    let speaking = Speaking::to(account, vec![address], None, Arc::new(KeepNothing))?;
    let person = played.person();
    let playing = tokio::spawn(played.run(std::future::pending()));
    let outcome = match person.agree(&speaking.account, &speaking.caller).await {
        Ok(()) => speaking.caller.check(&speaking.account).await,
        Err(refused) => Some(refused),
    };
    playing.abort();
    Ok(outcome)
}

/// How the response shows it.
pub(crate) fn shown(plan: &ServicePlan, verification: &[Verification], site: &str) -> Integration {
    let outcome_of = |phase| verification.iter().filter(move |check| check.phase == phase).map(|check| check.outcome);
    let tried: Vec<CheckOutcome> = outcome_of(Phase::AuthenticateWithServiceApi).collect();
    let status = match &tried[..] {
        _ if tried.contains(&CheckOutcome::Simulated) => "simulated",
        [] => "not_verified",
        _ if tried.iter().all(|outcome| *outcome == CheckOutcome::Passed) => "active",
        _ => "not_verified",
    };
    let webhook_url = plan.intake.as_ref().map(|intake| format!("{site}{}", intake.path));
    Integration {
        service: plan.manifest.provider.provider.to_string(),
        status,
        webhook_url,
        settings: shown_settings(plan),
    }
}

/// What the manifest has shown of what the task says; where a secret store or the environment say it, it is nobody's to read.
fn shown_settings(plan: &ServicePlan) -> BTreeMap<String, String> {
    let shown = |value: &AccountValue| {
        let setting = plan.manifest.provider.settings.get(value.name.as_str())?;
        match &value.from {
            ValueSource::Plain(text) => Some((setting.shown_as.as_ref()?.to_string(), text.clone())),
            ValueSource::Environment(_) | ValueSource::Secret(_) | ValueSource::Default => None,
        }
    };
    plan.account.iter().filter_map(shown).collect()
}
