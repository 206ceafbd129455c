//! What `application.js` puts together: the endpoints of the plan and those that its services bring, and the services of its database,
//! each under a name that nothing else has there.

use super::names::{Names, camel_case, pascal_case};
use super::service::{self, Integrated};
use minijinja::value::merge_maps;
use minijinja::{Value, context};
use plan::Plan;
use std::collections::BTreeSet;

/// What `application.js` calls its own.
const OWN: [&str; 28] = [
    "account",
    "accounts",
    "addAccountPages",
    "addDeliveryMetrics",
    "addReturnPages",
    "addSyncMetrics",
    "addWebhookRoutes",
    "alertWebhook",
    "alerts",
    "allowedOrigins",
    "application",
    "buildApplication",
    "carrierOf",
    "closed",
    "counts",
    "createApplication",
    "createMetrics",
    "database",
    "deliveries",
    "mailer",
    "mails",
    "metrics",
    "openAccount",
    "openAlertWebhook",
    "openMailer",
    "openapi",
    "subscribers",
    "syncs",
];

/// The parts, by their names.
pub struct Wiring {
    /// What the module of the plan's own endpoints is called.
    pub module: String,
    /// The services.
    pub services: Vec<Value>,
    /// Endpoints that services beside the plan bring: the module's name and folder, and the task.
    pub brought: Vec<Value>,
    /// Where the providers send people back to.
    pub returns: Vec<Value>,
}

impl Wiring {
    pub fn of(plan: &Plan, services: &[Integrated<'_>]) -> Self {
        let mut names = Names::new(&OWN);
        ["readFileSync", "Alerting", "Deliveries", "Subscribers", "Sync"].iter().for_each(|name| {
            names.take(name);
        });
        // An API that a service brings is called like the service.
        let module = names.take(&match &plan.service {
            Some(_) => "endpoints".to_owned(),
            None => camel_case(&plan.api.name),
        });
        let brought = beside_with_endpoints(plan, services);
        let brought = brought.map(|one| {
            let name = names.take(&format!("{}Endpoints", camel_case(&one.plan.api.name)));
            context! { name, folder => folder(plan, one), task => one.plan.task_id.as_str() }
        });
        let brought = brought.collect();
        let services_of = services.iter().map(|one| named(plan, one, &mut names)).collect();
        let mut paths = BTreeSet::new();
        let pages = services.iter().flat_map(|one| &one.service.returns);
        // Several services may send people to the same page.
        let pages = pages.filter(|page| paths.insert(page.path.as_str()));
        let returns =
            pages.map(|page| context! { path => page.path.as_str(), came => page.came(), asks => page.asked() });
        Self { module, services: services_of, brought, returns: returns.collect() }
    }
}

/// Services that another task integrates, and that bring endpoints.
pub fn beside_with_endpoints<'s, 'a>(
    plan: &Plan,
    services: &'s [Integrated<'a>],
) -> impl Iterator<Item = &'s Integrated<'a>> {
    services.iter().filter(|one| one.plan.task_id != plan.task_id && !one.plan.api.endpoints.is_empty())
}

/// The folder of the endpoints that a service brings, below `apis/`.
pub fn folder(plan: &Plan, one: &Integrated<'_>) -> String {
    match one.plan.api.name == plan.api.name {
        true => format!("{}-service-api", one.plan.api.name),
        false => format!("{}-api", one.plan.api.name),
    }
}

/// Where it is said what a service is told and tells.
pub fn guide(plan: &Plan, one: &Integrated<'_>) -> String {
    match one.plan.task_id == plan.task_id {
        true => "documentation/integration-guide.md".to_owned(),
        false => format!("documentation/{}-integration-guide.md", one.stem),
    }
}

fn named(plan: &Plan, one: &Integrated<'_>, names: &mut Names) -> Value {
    let view = service::view(one, &guide(plan, one));
    let Ok(module) = &one.module else { return view };
    let provider = one.service.manifest.provider.provider.as_str();
    let called = names.take(&module.name);
    let imported = if called == module.name { called.clone() } else { format!("{} as {called}", module.name) };
    let opened = names.take(&format!("{}Account", camel_case(provider)));
    let create_intake = names.take(&format!("create{}Intake", pascal_case(provider)));
    let create_records = names.take(&format!("create{}Records", pascal_case(provider)));
    merge_maps([context! { imported, called, opened, create_intake, create_records }, view])
}
