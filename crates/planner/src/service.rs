//! What a task of `integrate_service` comes to: the task and the provider's manifest become a plan.

mod alerts;
pub mod checkout;
mod intake;
mod passing_on;
mod refund;
pub mod shop;
mod subscription;
mod sync;

use crate::api::{Designed, default_policy};
use crate::behaviour::field_name;
use crate::codes::{NAME_TAKEN, OVERRIDE_WITHOUT_MEANING, PROVIDER_NOT_DESCRIBED};
use catalog::Catalog;
use manifest::Manifest;
use manifest::operation::IfReplyIsLost;
use manifest::point::Point;
use manifest::provider::Check;
use manifest::sign_in::Identity;
use manifest::sync::Deletes;
use manifest::webhook::{Registration, Verification};
use plan::api::{ApiPlan, Cors, DocumentationFormat, Endpoint};
use plan::service::{AccountValue, Priority, ReturnPage, ServicePlan, ServicePoint, System, ValueSource};
use plan::{Decision, Phase, Table, TakenOver, system};
use shop::{Awaited, Brought};
use spec::{CredentialValue, Reference, ServiceIntegration};
use vocab::suggestion::{closest, list};
use vocab::{Diagnostic, EventName, FieldName, PolicyName, TaskId};

/// The service with the endpoints that it brings.
///
/// # Errors
/// As [`plan_service`], and where nobody has described the provider.
pub fn design(
    integration: &ServiceIntegration,
    task_id: &TaskId,
    catalog: &Catalog,
    held: &[Table],
    taken_over: &[TakenOver],
) -> Result<(Designed, ServicePlan), Vec<Diagnostic>> {
    let name = &integration.provider;
    let manifest = catalog.provider(&name.value).ok_or_else(|| {
        let message = format!("nobody has described the provider `{}` yet", name.value);
        let help = format!(
            "`producer providers` lists those that are; the folder `providers/{}` of the workspace would describe it",
            name.value
        );
        vec![Diagnostic::error(PROVIDER_NOT_DESCRIBED, message, &name.place).with_help(help)]
    })?;
    let taken = [(plan::mail::INTEGRATION, "mails"), (plan::alerts::INTEGRATION, "messages about integrations")];
    if let Some((_, what)) = taken.iter().find(|(name, _)| task_id.as_str() == *name) {
        let message = format!("`{task_id}` is what deliveries of {what} are called");
        let help = "give the task another `task_id`, after the provider";
        return Err(vec![Diagnostic::error(NAME_TAKEN, message, &integration.place).with_help(help)]);
    }
    let (mut service, mut decisions) = plan_service(integration, task_id, manifest, catalog)?;
    let mut tables = vec![system::outbox_events(), system::api_keys()];
    tables.extend(system::of_deliveries());
    if manifest.provider.consent().is_some() {
        tables.push(system::kept_tokens());
    }
    let mut events = Vec::new();
    if let Some(taken) = intake::intake(&service.manifest, task_id, catalog, held) {
        tables.push(system::inbox_events());
        tables.extend(taken.tables);
        decisions.extend(taken.decisions);
        events = taken.events;
        service.intake = Some(taken.intake);
    }
    let pulled = sync::pulled(integration, manifest, task_id, catalog, held);
    tables.extend(pulled.tables);
    decisions.extend(pulled.decisions);
    service.syncs = pulled.syncs;
    if let Some(said) = &integration.alerts {
        let told = alerts::alerts(said)?;
        tables.push(system::integration_alerts());
        decisions.push(alerts::decision(&told, &manifest.provider.title));
        events.extend(alerts::events(&told));
        service.alerts = Some(told);
    }
    let policy = default_policy();
    let mut endpoints = Vec::new();
    for (event, bring) in BRINGS {
        let Ok(event) = EventName::parse(event) else { continue };
        let Some(calls) = service.calls_at(&event).filter(|calls| !calls.gives.is_empty()) else { continue };
        let awaited = Awaited { by: task_id, event: &event, calls, title: &manifest.provider.title };
        match bring(awaited, catalog, held, &policy.name) {
            Ok(brought) => {
                let taken = taken_over.iter().find(|taken| taken.event == event);
                decisions.extend(brought.endpoints.iter().map(|endpoint| brings(endpoint, &event, taken)));
                endpoints.extend(brought.endpoints);
                if taken.is_some() {
                    continue;
                }
                let further = std::iter::once(system::idempotency_answers()).chain(brought.tables);
                further.for_each(|table| {
                    if !tables.contains(&table) {
                        tables.push(table)
                    }
                });
                events.push(brought.event);
            }
            Err(why) => decisions.push(brings_nothing(&event, why)),
        }
    }
    service.returns = returns(manifest, &service.account, &endpoints);
    plan::give_way(&mut endpoints, &mut service.returns, taken_over);
    decisions.extend(service.returns.iter().map(shows));
    let policies = if endpoints.is_empty() { Vec::new() } else { vec![policy] };
    let api = ApiPlan {
        name: name.value.as_str().replace('_', "-"),
        version: "v1".to_owned(),
        endpoints,
        policies,
        events,
        mails: Vec::new(),
        pages: Vec::new(),
        accounts: None,
        subscribers: None,
        cors: Cors::Off,
        documentation: DocumentationFormat::OpenApi31,
    };
    Ok((Designed { api, tables, lookups: Vec::new(), decisions, consents: None }, service))
}

/// What tells how something stands, by the parameter that says which: each with the endpoint's path.
const TOLD_AT: [(&str, &str); 2] = [("order_id", checkout::PATH), ("subscription_id", subscription::PATH)];
/// The settings that say where people come back to, and whether they have paid then.
const COME_BACK: [(&str, bool); 2] = [("success_url", true), ("cancel_url", false)];

/// Our own pages to which people come back: none where the task names an address of its own.
fn returns(manifest: &Manifest, account: &[AccountValue], endpoints: &[Endpoint]) -> Vec<ReturnPage> {
    let is_there =
        |path: &str| endpoints.iter().any(|endpoint| endpoint.route().is_some_and(|(_, known)| known == path));
    let told = TOLD_AT.iter().filter(|(_, path)| is_there(path));
    let asks: Vec<(FieldName, String)> = told.map(|(name, path)| (field_name(name), format!("{path}/"))).collect();
    let page = |(setting, is_paid): &(&str, bool)| {
        let is_default = |value: &&AccountValue| value.name.as_str() == *setting && value.from == ValueSource::Default;
        account.iter().find(is_default)?;
        let default = manifest.provider.settings.get(setting)?.default.as_ref()?.to_string();
        let path = default.strip_prefix("${site.url}").filter(|path| path.len() > 1 && path.starts_with('/'))?;
        Some(ReturnPage { path: path.to_owned(), is_paid: *is_paid, asks: asks.clone() })
    };
    if asks.is_empty() { Vec::new() } else { COME_BACK.iter().filter_map(page).collect() }
}

fn shows(page: &ReturnPage) -> Decision {
    let (came, setting) = if page.is_paid { ("paid", "success_url") } else { ("not paid", "cancel_url") };
    Decision {
        phase: Phase::ImplementIntegrationLogic,
        subject: format!("GET {}", page.path),
        decision: format!("a page for whoever comes back and has {came}"),
        reason: format!("the task names no page of its own as `{setting}`"),
    }
}

/// The endpoints that come with a point: each with the event that it answers.
const BRINGS: [(&str, Bring); 6] = [
    (checkout::EVENT, checkout::checkout),
    (refund::EVENT, refund::refund),
    (subscription::BEGINS, subscription::begin),
    (subscription::ENDS, subscription::end),
    (subscription::ENDS_LATER, subscription::end_later),
    (subscription::RESUMES, subscription::resume),
];

/// What brings endpoints, or says why it does not.
type Bring = fn(Awaited<'_>, &Catalog, &[Table], &PolicyName) -> Result<Brought, String>;

fn brings(endpoint: &Endpoint, event: &EventName, taken: Option<&TakenOver>) -> Decision {
    let subject = endpoint
        .route()
        .map_or_else(|| endpoint.procedure.name.to_string(), |(method, path)| format!("{method} {path}"));
    let (decision, reason) = match taken {
        Some(taken) => ("is not brought".to_owned(), format!("task `{}` answers it itself", taken.by)),
        None => (
            endpoint.summary.clone(),
            format!("whoever takes payments at `{event}` brings it; the database has what it works on"),
        ),
    };
    Decision { phase: Phase::ImplementIntegrationLogic, subject, decision, reason }
}

fn brings_nothing(event: &EventName, reason: String) -> Decision {
    let subject = format!("endpoints of `{event}`");
    Decision { phase: Phase::ImplementIntegrationLogic, subject, decision: "none are brought".to_owned(), reason }
}

/// Plans the integration of a service, and says why.
///
/// # Errors
/// Every reason why the task does not fit the provider, with its place.
pub fn plan_service(
    integration: &ServiceIntegration,
    task_id: &TaskId,
    manifest: &Manifest,
    catalog: &Catalog,
) -> Result<(ServicePlan, Vec<Decision>), Vec<Diagnostic>> {
    let unknown = unknown_credentials(integration, manifest);
    if !unknown.is_empty() {
        return Err(unknown);
    }
    if let Some(problem) = passing_on::paced(integration, manifest) {
        return Err(vec![problem]);
    }
    let chosen = passing_on::choose(integration, manifest)?;
    let unproved = unproved(integration, manifest);
    let webhooks = manifest.webhooks.clone().filter(|_| unproved.is_none());
    let told = Manifest { points: manifest.points.with_fields(&chosen.fields), webhooks, ..manifest.clone() };
    let manifest = &told;
    let (account, unanswered) = account(integration, manifest);
    let points = points(integration, manifest, catalog);
    let is_test = integration.sandbox.as_ref().is_some_and(|sandbox| sandbox.value);
    let mut decisions: Vec<Decision> = account.iter().map(|value| of_value(value, manifest)).collect();
    decisions.extend(points.iter().map(|point| of_point(point, manifest)));
    decisions.extend(chosen.decisions);
    decisions.extend(unproved.map(|name| hears_nothing(name, manifest)));
    let plan = ServicePlan {
        task_id: task_id.clone(),
        returns: Vec::new(),
        intake: None,
        syncs: Vec::new(),
        alerts: None,
        system: if is_test { System::Test } else { System::Live },
        priority: Priority::Normal,
        account,
        unanswered,
        manifest: used(manifest, &points),
        listens: listens(&points, manifest, catalog),
        points,
    };
    Ok((plan, decisions))
}

/// What the provider's calls are proved by, where the task may leave it out and does: then there are none.
fn unproved<'m>(integration: &ServiceIntegration, manifest: &'m Manifest) -> Option<&'m FieldName> {
    let webhooks = manifest.webhooks.as_ref()?;
    let is_given =
        |name: &FieldName| integration.credentials.iter().any(|given| given.name.value.as_str() == name.as_str());
    let optional = manifest.provider.credentials.iter().filter(|(_, credential)| credential.optional);
    let mut left_out = optional.map(|(name, _)| name).filter(|name| !is_given(name));
    left_out.find(|name| webhooks.is_proved_by(name))
}

fn hears_nothing(name: &FieldName, manifest: &Manifest) -> Decision {
    let provider = &manifest.provider;
    let secret = provider.secret_of(name);
    Decision {
        phase: Phase::ImplementIntegrationLogic,
        subject: format!("calls of {}", provider.title),
        decision: "none are taken in".to_owned(),
        reason: format!(
            "they are known by `{name}`, which the task does not name: `credentials: {{ {name}: \"${{secret:{secret}}}\" }}` would"
        ),
    }
}

/// Credentials of the task that the provider knows nothing of.
fn unknown_credentials(integration: &ServiceIntegration, manifest: &Manifest) -> Vec<Diagnostic> {
    let provider = &manifest.provider;
    let mut known = provider.credentials.names();
    known.extend(provider.settings.names());
    let unknown = integration.credentials.iter().filter(|given| !known.contains(&given.name.value.as_str()));
    unknown
        .map(|given| {
            let name = given.name.value.as_str();
            let help = closest(name, &known)
                .map_or_else(|| format!("it asks for {}", list(&known)), |meant| format!("did you mean `{meant}`?"));
            let message = format!("{} asks for no `{name}`", provider.title);
            Diagnostic::error(OVERRIDE_WITHOUT_MEANING, message, &given.name.place).with_help(help)
        })
        .collect()
}

/// Where each value comes from, and the settings that nobody has given. A credential that the task does not mention is looked for in
/// the workspace's secrets.
fn account(integration: &ServiceIntegration, manifest: &Manifest) -> (Vec<AccountValue>, Vec<FieldName>) {
    let provider = &manifest.provider;
    let given = |name: &FieldName| {
        let found = integration.credentials.iter().find(|given| given.name.value.as_str() == name.as_str());
        found.map(|given| source(&given.value.value))
    };
    let (mut account, mut unanswered) = (Vec::new(), Vec::new());
    for (name, credential) in provider.credentials.iter() {
        match given(name) {
            Some(from) => account.push(AccountValue { name: name.clone(), from }),
            None if credential.optional => {}
            None => {
                account.push(AccountValue { name: name.clone(), from: ValueSource::Secret(provider.secret_of(name)) })
            }
        }
    }
    for (name, setting) in provider.settings.iter() {
        match given(name) {
            Some(from) => account.push(AccountValue { name: name.clone(), from }),
            None if setting.default.is_some() => {
                account.push(AccountValue { name: name.clone(), from: ValueSource::Default });
            }
            None if setting.optional => {}
            None => unanswered.push(name.clone()),
        }
    }
    (account, unanswered)
}

fn source(value: &CredentialValue) -> ValueSource {
    match value {
        CredentialValue::Plain(text) => ValueSource::Plain(text.clone()),
        CredentialValue::Reference(reference) => referred(reference),
    }
}

fn referred(reference: &Reference) -> ValueSource {
    match reference {
        Reference::Environment(name) => ValueSource::Environment(name.as_str().to_owned()),
        Reference::Secret(name) => ValueSource::Secret(name.as_str().to_owned()),
    }
}

/// What the task asks for, each once, with what comes along.
fn points(integration: &ServiceIntegration, manifest: &Manifest, catalog: &Catalog) -> Vec<ServicePoint> {
    let mut events: Vec<EventName> = Vec::new();
    for asked in &integration.integration_points {
        let meant = catalog.points_meant(&asked.value);
        let along =
            |(number, event): &(usize, EventName)| *number == 0 || manifest.points.points.get(event.as_str()).is_some();
        for (_, event) in meant.into_iter().enumerate().filter(along) {
            if !events.contains(&event) {
                events.push(event);
            }
        }
    }
    events.iter().map(|event| point(event, manifest, catalog)).collect()
}

/// The point of the manifest that answers an event: its own, else that of a more general event.
fn point(event: &EventName, manifest: &Manifest, catalog: &Catalog) -> ServicePoint {
    let known = &manifest.points.points;
    let own = known.get(event.as_str()).map(|_| event.clone());
    let general = || catalog.generalisations(event).into_iter().find(|general| known.get(general.as_str()).is_some());
    ServicePoint { event: event.clone(), answered_by: own.or_else(general) }
}

/// The events that the provider is told of: those that are asked for, and those that count as one of them; the nearest name decides.
fn listens(points: &[ServicePoint], manifest: &Manifest, catalog: &Catalog) -> Vec<(EventName, EventName)> {
    let asked = points.iter().map(|point| &point.event).filter(|event| !catalog.events().any(|known| known == *event));
    let heard = |event: &EventName| {
        let names = std::iter::once(event.clone()).chain(catalog.generalisations(event));
        let mut found = names.filter_map(|name| points.iter().find(|point| point.event == name));
        let answered = found.next()?.answered_by.clone()?;
        match manifest.points.points.get(answered.as_str())? {
            Point::Calls(_) => Some((event.clone(), answered)),
            Point::Nothing(_) | Point::InBrowser(_) => None,
        }
    };
    asked.chain(catalog.events()).filter_map(heard).collect()
}

fn of_value(value: &AccountValue, manifest: &Manifest) -> Decision {
    let provider = &manifest.provider;
    let find = provider.credentials.get(value.name.as_str()).map(|known| known.find.clone());
    let (decision, reason) = match &value.from {
        ValueSource::Plain(_) => ("as the task says".to_owned(), "the task gives it".to_owned()),
        ValueSource::Environment(name) => {
            (format!("from the environment variable `{name}`"), "the task says so".to_owned())
        }
        ValueSource::Secret(name) => (
            format!("from the secret `{name}`"),
            format!("`producer secrets set {name}` sets it; it is found at {}", find.unwrap_or_default()),
        ),
        ValueSource::Default => ("the default of the manifest".to_owned(), "the task does not say it".to_owned()),
    };
    Decision { phase: Phase::AuthenticateWithServiceApi, subject: value.name.to_string(), decision, reason }
}

fn of_point(point: &ServicePoint, manifest: &Manifest) -> Decision {
    let what = point.answered_by.as_ref().and_then(|event| manifest.points.points.get(event.as_str()));
    let (decision, reason) = match what {
        None => ("nothing".to_owned(), format!("nobody has described what {} does then", manifest.provider.title)),
        Some(Point::Nothing(why)) => ("nothing".to_owned(), why.clone()),
        Some(Point::InBrowser(why)) => ("the visitor's page tells it".to_owned(), why.clone()),
        Some(Point::Calls(calls)) => {
            let operations = calls.steps.iter().filter_map(|call| manifest.operations.get(call.operation.as_str()));
            let does: Vec<&str> = operations.map(|operation| operation.does.as_str()).collect();
            let general = point.answered_by.as_ref().filter(|event| **event != point.event);
            let reason = general.map_or_else(
                || "the manifest says it for this point".to_owned(),
                |general| format!("it counts as `{general}`, for which the manifest says it"),
            );
            (does.join(", then "), reason)
        }
    };
    Decision { phase: Phase::ImplementIntegrationLogic, subject: point.event.to_string(), decision, reason }
}

/// The manifest with what these points use and no more. A provider is simulated by its own manifest, not by a plan.
fn used(manifest: &Manifest, points: &[ServicePoint]) -> Manifest {
    let mut used = manifest.clone();
    let asked = |event: &EventName| points.iter().any(|point| point.answered_by.as_ref() == Some(event));
    used.points.points.retain(|event, _| asked(event));
    used.simulator = None;
    let mut names = operations_of(&used);
    // What is looked up when a reply is lost is used too.
    let mut read = 0;
    while let Some(operation) = names.get(read).and_then(|name| used.operations.get(name.as_str())) {
        if let Some(IfReplyIsLost::LookUp(look_up)) = &operation.if_reply_is_lost {
            names.push(look_up.operation.clone());
        }
        read += 1;
    }
    used.operations.retain(|name, _| names.contains(name));
    used
}

fn operations_of(manifest: &Manifest) -> Vec<FieldName> {
    let provider = &manifest.provider;
    let mut names: Vec<FieldName> = Vec::new();
    if let Check::Operation(name) = &provider.check {
        names.push(name.clone());
    }
    let making = manifest.points.fields.iter().filter_map(|(_, field)| field.made_known_by.as_ref());
    names.extend(making.map(|making| making.operation.clone()));
    names.extend(provider.drift.fields.iter().map(|fields| fields.operation.clone()));
    for (_, point) in manifest.points.points.iter() {
        if let Point::Calls(calls) = point {
            names.extend(calls.steps.iter().map(|call| call.operation.clone()));
        }
    }
    for (_, sync) in manifest.syncs.iter() {
        names.push(sync.read.clone());
        if let Deletes::Read { operation, .. } = &sync.deletes {
            names.push(operation.clone());
        }
    }
    if let Some(webhooks) = &manifest.webhooks {
        if let Registration::ThroughApi(api) = &webhooks.registration {
            names.extend([&api.list, &api.create, &api.delete].map(Clone::clone));
            names.extend(api.update.clone());
            names.extend(api.refresh.as_ref().map(|refresh| refresh.operation.clone()));
        }
        names.extend(webhooks.then_read.iter().map(|then| then.operation.clone()));
        names.extend(webhooks.verify.iter().filter_map(|way| match way {
            Verification::Ask { operation, .. } => Some(operation.clone()),
            _ => None,
        }));
    }
    if let Some(Identity::Operations { who, email_from, .. }) = manifest.sign_in.as_ref().map(|known| &known.identity) {
        names.push(who.clone());
        names.extend(email_from.clone());
    }
    names
}
