//! The Node.js application: `lib/` as it is, endpoints and middleware from the procedures, and what starts, tests, packs and
//! watches it.

mod cases;
pub mod driver;
mod listing;
mod middleware;
mod module;
pub mod names;
mod procedure;
pub mod script;
pub mod service;
pub mod tracking;
mod value;
mod wiring;

pub use listing::filter_parameter;
pub use middleware::kind;

use crate::Files;
use crate::database;
use crate::error::EmitError;
use crate::outline::outlines;
use crate::render::{Comment, generated, render};
use minijinja::context;
use minijinja::value::Serde;
use plan::accounts::{AccountPage, CASE_OTHER, CASE_OTHER_SESSION, CASE_ROLE, CASE_SESSION, CASE_USER, case_callers};
use plan::accounts::{CASE_AUDIENCE, CASE_ISSUER};
use plan::alerts::Alerts;
use plan::api::Cors;
use plan::database::{Connection, LocationPart};
use plan::http_case::{ISSUED_TOKEN, OTHER_ISSUED_TOKEN, access_token_of, issued_token_of};
use plan::mail::{Mail, MailText, Written};
use plan::procedure::{Scheme, Trigger};
use plan::service::ValueSource;
use plan::subscribers::Offer;
use plan::{Migration, Plan, question};
use serde_json::{Value, json};
use service::Integrated;
use std::collections::BTreeMap;
use vocab::TaskId;
use wiring::Wiring;
pub use wiring::guide;

/// The hand-written part that travels with every application.
const LIB: &[(&str, &str)] = &[
    ("lib/api-keys.js", include_str!("../node/lib/api-keys.js")),
    ("lib/application.js", include_str!("../node/lib/application.js")),
    ("lib/authorization.js", include_str!("../node/lib/authorization.js")),
    ("lib/body.js", include_str!("../node/lib/body.js")),
    ("lib/certificate.js", include_str!("../node/lib/certificate.js")),
    ("lib/coding.js", include_str!("../node/lib/coding.js")),
    ("lib/cors.js", include_str!("../node/lib/cors.js")),
    ("lib/counts.js", include_str!("../node/lib/counts.js")),
    ("lib/csv.js", include_str!("../node/lib/csv.js")),
    ("lib/database.js", include_str!("../node/lib/database.js")),
    ("lib/decimal.js", include_str!("../node/lib/decimal.js")),
    ("lib/environment.js", include_str!("../node/lib/environment.js")),
    ("lib/etag.js", include_str!("../node/lib/etag.js")),
    ("lib/filter.js", include_str!("../node/lib/filter.js")),
    ("lib/selection.js", include_str!("../node/lib/selection.js")),
    ("lib/related.js", include_str!("../node/lib/related.js")),
    ("lib/summary.js", include_str!("../node/lib/summary.js")),
    ("lib/wanted.js", include_str!("../node/lib/wanted.js")),
    ("lib/idempotency.js", include_str!("../node/lib/idempotency.js")),
    ("lib/identifiers.js", include_str!("../node/lib/identifiers.js")),
    ("lib/json.js", include_str!("../node/lib/json.js")),
    ("lib/key-expiry.js", include_str!("../node/lib/key-expiry.js")),
    ("lib/keys-command.js", include_str!("../node/lib/keys-command.js")),
    ("lib/kept.js", include_str!("../node/lib/kept.js")),
    ("lib/listing.js", include_str!("../node/lib/listing.js")),
    ("lib/log.js", include_str!("../node/lib/log.js")),
    ("lib/metrics.js", include_str!("../node/lib/metrics.js")),
    ("lib/migrations.js", include_str!("../node/lib/migrations.js")),
    ("lib/operational-routes.js", include_str!("../node/lib/operational-routes.js")),
    ("lib/outbox.js", include_str!("../node/lib/outbox.js")),
    ("lib/page.js", include_str!("../node/lib/page.js")),
    ("lib/patch.js", include_str!("../node/lib/patch.js")),
    ("lib/preference.js", include_str!("../node/lib/preference.js")),
    ("lib/pressure.js", include_str!("../node/lib/pressure.js")),
    ("lib/problem.js", include_str!("../node/lib/problem.js")),
    ("lib/proxies.js", include_str!("../node/lib/proxies.js")),
    ("lib/rate-limit.js", include_str!("../node/lib/rate-limit.js")),
    ("lib/reference-page.js", include_str!("../node/lib/reference-page.js")),
    ("lib/reference-page/initialize.js", include_str!("../node/lib/reference-page/initialize.js")),
    ("lib/request.js", include_str!("../node/lib/request.js")),
    ("lib/response.js", include_str!("../node/lib/response.js")),
    ("lib/server.js", include_str!("../node/lib/server.js")),
    ("lib/shutdown.js", include_str!("../node/lib/shutdown.js")),
    ("lib/validation.js", include_str!("../node/lib/validation.js")),
];

/// What travels besides with one that brings events to somebody.
const LIB_OF_DELIVERIES: &[(&str, &str)] = &[
    AWAITED,
    ("lib/delivery/lane.js", include_str!("../node/lib/delivery/lane.js")),
    ("lib/delivery/metrics.js", include_str!("../node/lib/delivery/metrics.js")),
    ("lib/delivery/rounds.js", include_str!("../node/lib/delivery/rounds.js")),
    ("lib/delivery/worker.js", include_str!("../node/lib/delivery/worker.js")),
];

/// What travels besides with one that sends mails, and the packages that it stands on.
const LIB_OF_MAILS: &[(&str, &str)] = &[
    ("lib/mail/conversation.js", include_str!("../node/lib/mail/conversation.js")),
    ("lib/mail/mailer.js", include_str!("../node/lib/mail/mailer.js")),
    ("lib/mail/message.js", include_str!("../node/lib/mail/message.js")),
    ("lib/mail/server.js", include_str!("../node/lib/mail/server.js")),
    ("lib/mail/suppressions.js", include_str!("../node/lib/mail/suppressions.js")),
    SUCCESSOR,
];
const MAIL_PACKAGE: &str = include_str!("../node/mail/package.json");

/// What travels besides with one that tells subscribers of events.
const LIB_OF_SUBSCRIBERS: &[(&str, &str)] = &[
    ("lib/delivery/subscribers.js", include_str!("../node/lib/delivery/subscribers.js")),
    ("lib/provider/client.js", include_str!("../node/lib/provider/client.js")),
    SIGNED_MESSAGE,
    SUCCESSOR,
];

/// What travels besides with one that tells how integrations stand, and with one that posts that to a webhook.
const LIB_OF_ALERTS: &[(&str, &str)] =
    &[("lib/delivery/alerting.js", include_str!("../node/lib/delivery/alerting.js"))];
const LIB_OF_ALERT_WEBHOOK: &[(&str, &str)] =
    &[("lib/delivery/alert-webhook.js", include_str!("../node/lib/delivery/alert-webhook.js")), SIGNED_MESSAGE];

/// What writes and signs messages by webhook.
const SIGNED_MESSAGE: (&str, &str) =
    ("lib/delivery/signed-message.js", include_str!("../node/lib/delivery/signed-message.js"));

/// What calculates tokens, wherever it is done.
const SUCCESSOR: (&str, &str) = ("lib/successor.js", include_str!("../node/lib/successor.js"));

/// What travels besides with one that integrates a service.
const LIB_OF_SERVICES: &[(&str, &str)] = &[
    ("lib/delivery/steps.js", include_str!("../node/lib/delivery/steps.js")),
    ("lib/provider/account.js", include_str!("../node/lib/provider/account.js")),
    ("lib/provider/answer.js", include_str!("../node/lib/provider/answer.js")),
    ("lib/provider/batch.js", include_str!("../node/lib/provider/batch.js")),
    ("lib/provider/call.js", include_str!("../node/lib/provider/call.js")),
    ("lib/provider/certificate.js", include_str!("../node/lib/provider/certificate.js")),
    ("lib/provider/client.js", include_str!("../node/lib/provider/client.js")),
    ("lib/provider/document.js", include_str!("../node/lib/provider/document.js")),
    ("lib/provider/encode.js", include_str!("../node/lib/provider/encode.js")),
    ("lib/provider/input.js", include_str!("../node/lib/provider/input.js")),
    ("lib/provider/paging.js", include_str!("../node/lib/provider/paging.js")),
    ("lib/provider/place.js", include_str!("../node/lib/provider/place.js")),
    ("lib/provider/proof.js", include_str!("../node/lib/provider/proof.js")),
    ("lib/provider/record.js", include_str!("../node/lib/provider/record.js")),
    ("lib/provider/request.js", include_str!("../node/lib/provider/request.js")),
    ("lib/provider/signature.js", include_str!("../node/lib/provider/signature.js")),
    ("lib/provider/transformations.js", include_str!("../node/lib/provider/transformations.js")),
    ("lib/provider/values.js", include_str!("../node/lib/provider/values.js")),
    ("lib/provider/webhook.js", include_str!("../node/lib/provider/webhook.js")),
    ("lib/webhooks.js", include_str!("../node/lib/webhooks.js")),
];

/// What travels besides with one that senders call.
const LIB_OF_SENDERS: &[(&str, &str)] = &[
    ("lib/delivery/rounds.js", include_str!("../node/lib/delivery/rounds.js")),
    ("lib/hearing.js", include_str!("../node/lib/hearing.js")),
    ("lib/provider/place.js", include_str!("../node/lib/provider/place.js")),
    ("lib/provider/signature.js", include_str!("../node/lib/provider/signature.js")),
    ("lib/provider/values.js", include_str!("../node/lib/provider/values.js")),
];

/// What travels besides with one into whose tables records of a provider come.
const LIB_OF_SYNCS: &[(&str, &str)] = &[
    ("lib/provider/pace.js", include_str!("../node/lib/provider/pace.js")),
    ("lib/provider/sync.js", include_str!("../node/lib/provider/sync.js")),
];

/// What travels besides with one that gets tokens of a provider.
const LIB_OF_TOKENS: &[(&str, &str)] = &[
    SUCCESSOR,
    ("lib/provider/assertion.js", include_str!("../node/lib/provider/assertion.js")),
    ("lib/provider/tokens.js", include_str!("../node/lib/provider/tokens.js")),
];

/// What travels besides with one that people sign in to, and the packages that it stands on.
const LIB_OF_ACCOUNTS: &[(&str, &str)] = &[
    SUCCESSOR,
    ("lib/accounts.js", include_str!("../node/lib/accounts.js")),
    ("lib/ended-accounts.js", include_str!("../node/lib/ended-accounts.js")),
    ("lib/session-cookie.js", include_str!("../node/lib/session-cookie.js")),
    ("lib/passwords.js", include_str!("../node/lib/passwords.js")),
    ("lib/weak-passwords.js", include_str!("../node/lib/weak-passwords.js")),
];

/// What travels besides with one to whose pages the links of mails lead.
const ACCOUNT_PAGE: &[(&str, &str)] = &[
    ("lib/account-page.js", include_str!("../node/lib/account-page.js")),
    ("lib/account-page/page.js", include_str!("../node/lib/account-page/page.js")),
];
const ACCOUNT_PAGE_AS_IT_IS: &[(&str, &str)] = &[
    ("lib/account-page/page.html", include_str!("../node/lib/account-page/page.html")),
    ("lib/account-page/page.css", include_str!("../node/lib/account-page/page.css")),
];
const ACCOUNTS_AS_THEY_ARE: &[(&str, &str)] = &[("lib/breached-passwords.txt", vocab::password::BREACHED)];
/// What travels besides with one that takes tokens of another issuer, and the packages that it stands on.
const LIB_OF_ISSUER: &[(&str, &str)] = &[
    ("lib/issuer.js", include_str!("../node/lib/issuer.js")),
    ("lib/identities.js", include_str!("../node/lib/identities.js")),
    ("lib/provider/client.js", include_str!("../node/lib/provider/client.js")),
];
const ISSUER_PACKAGE: &str = include_str!("../node/issuer/package.json");
const ACCOUNTS_PACKAGE: &str = include_str!("../node/accounts/package.json");

/// What travels besides with one whose endpoints wait for a delivery, or that carries any.
const AWAITED: (&str, &str) = ("lib/delivery/awaited.js", include_str!("../node/lib/delivery/awaited.js"));

/// What travels besides with one to which a provider sends people back.
const RETURN_PAGE: &[(&str, &str)] = &[
    ("lib/return-page.js", include_str!("../node/lib/return-page.js")),
    ("lib/return-page/page.js", include_str!("../node/lib/return-page/page.js")),
];
const RETURN_PAGE_AS_IT_IS: &[(&str, &str)] = &[
    ("lib/return-page/page.html", include_str!("../node/lib/return-page/page.html")),
    ("lib/return-page/page.css", include_str!("../node/lib/return-page/page.css")),
];

/// What starts the application, and its packages: the one place that names their versions.
const SIGNATURES: &str = include_str!("../node/test/signatures.js");
const SERVER: &str = include_str!("../node/server.js");
const PACKAGE: &str = include_str!("../node/package.json");

#[cfg(test)]
pub fn default_body_limit() -> String {
    value::grouped(procedure::DEFAULT_BODY_LIMIT)
}

/// `services` are those of the plan's database, its own first.
pub fn files(plan: &Plan, services: &[Integrated<'_>]) -> Result<Files, EmitError> {
    refuse_other_triggers(plan)?;
    let mut files = Files::new();
    let mut script = |path: String, text: &str| files.insert(path, generated(plan, Comment::Slashes, text));
    let application = driver::application(plan.database.engine);
    for (path, text) in LIB.iter().chain(application.lib) {
        script((*path).to_owned(), text);
    }
    script("server.js".to_owned(), SERVER);
    let mut with_endpoints = Vec::new();
    if !plan.api.endpoints.is_empty() {
        with_endpoints.push((plan, format!("{}-api", plan.api.name)));
    }
    let brought = wiring::beside_with_endpoints(plan, services);
    with_endpoints.extend(brought.map(|one| (one.plan, wiring::folder(plan, one))));
    let answers_questions = with_endpoints.iter().any(|(of, _)| of.api.answers_questions());
    for (of, folder) in &with_endpoints {
        let asking = answers_questions.then(|| question::of_plan(of));
        let questions = asking.as_ref().map_or_else(Vec::new, outlines);
        let module = module::endpoint_module(of, &outlines(of), &questions)?;
        script(format!("apis/{folder}/middleware.js"), &middleware::middleware(of, &module)?);
        script(format!("apis/{folder}/endpoints.js"), &module.text);
    }
    if with_endpoints.iter().any(|(of, _)| of.api.endpoints.iter().any(|endpoint| endpoint.awaits().is_some())) {
        script(AWAITED.0.to_owned(), AWAITED.1);
    }
    let mails = mails(plan, services);
    let has_accounts = plan.api.accounts.is_some();
    let speaks = services.iter().any(|one| one.module.is_ok());
    let alerts = alerts(services);
    let has_return_page = services.iter().any(|one| !one.service.returns.is_empty());
    for (is_needed, part) in [
        (has_accounts, LIB_OF_ACCOUNTS),
        (!plan.api.pages.is_empty(), ACCOUNT_PAGE),
        (plan.api.takes_issued_tokens(), LIB_OF_ISSUER),
        (!mails.is_empty(), LIB_OF_MAILS),
        (speaks || !mails.is_empty() || plan.api.subscribers.is_some(), LIB_OF_DELIVERIES),
        (plan.api.subscribers.is_some(), LIB_OF_SUBSCRIBERS),
        (speaks, LIB_OF_SERVICES),
        (!alerts.is_empty(), LIB_OF_ALERTS),
        (posts_alerts(services), LIB_OF_ALERT_WEBHOOK),
        (!plan.api.senders_secrets().is_empty(), LIB_OF_SENDERS),
        (services.iter().any(Integrated::gets_tokens), LIB_OF_TOKENS),
        (services.iter().any(Integrated::reads), LIB_OF_SYNCS),
        (has_return_page, RETURN_PAGE),
    ] {
        for (path, text) in part.iter().filter(|_| is_needed) {
            script((*path).to_owned(), text);
        }
    }
    for (path, text) in service_files(services)? {
        script(path, &text);
    }
    if has_return_page {
        files.extend(RETURN_PAGE_AS_IT_IS.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())));
    }
    if !plan.api.pages.is_empty() {
        files.extend(ACCOUNT_PAGE_AS_IT_IS.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())));
    }
    if has_accounts {
        files.extend(ACCOUNTS_AS_THEY_ARE.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())));
    }
    files.insert("package.json".to_owned(), package(plan, !mails.is_empty()));
    if !mails.is_empty() {
        files.insert("mails.json".to_owned(), pretty(&mails));
    }
    if !alerts.is_empty() {
        files.insert("alerts.json".to_owned(), pretty(&alerts));
    }
    if let Some(subscribers) = &plan.api.subscribers {
        let offer = |offer: &Offer| {
            let told = json!({ "owner": offer.owner.as_ref(), "without": &offer.without });
            (offer.event.as_str().to_owned(), told)
        };
        let offers: serde_json::Map<_, _> = subscribers.offers.iter().map(offer).collect();
        let told = json!({ "offers": offers, "disableAfter": subscribers.disable_after_seconds });
        files.insert("subscribers.json".to_owned(), pretty(&told));
    }
    let cases = cases::all(plan, services);
    if let Some(signatures) = cases::signatures(plan, services) {
        files.insert("test/signatures.js".to_owned(), generated(plan, Comment::Slashes, SIGNATURES));
        files.insert("test/signatures.json".to_owned(), pretty(&signatures));
    }
    files.insert("test/cases.json".to_owned(), pretty(&cases));
    if !plan.seed.is_empty() {
        files.insert("test/seed.json".to_owned(), pretty(&plan.seed.rows));
    }
    rendered(plan, services, &application, &mut files);
    database::sql(&plan.task_id, &plan.database, &mut files);
    if let Some(base) = &plan.base {
        database::migrations("databases/base", &base.database.migrations, &mut files);
    }
    for (scope, migrations) in migrations_beside(plan, services) {
        database::migrations(&format!("databases/beside/{scope}"), migrations, &mut files);
    }
    Ok(files)
}

/// What the services beside the plan need in the database and the plan itself does not make: the task and its migrations.
fn migrations_beside<'a>(plan: &Plan, services: &[Integrated<'a>]) -> Vec<(&'a TaskId, &'a [Migration])> {
    let own: Vec<&TaskId> = plan.migrations().map(|(scope, _)| scope).collect();
    let mut beside: Vec<(&TaskId, &[Migration])> = Vec::new();
    for (scope, migrations) in services.iter().flat_map(|one| one.plan.migrations()) {
        if !own.contains(&scope) && !beside.iter().any(|(known, _)| *known == scope) {
            beside.push((scope, migrations));
        }
    }
    beside
}

/// What speaks with the services, where the application can.
fn service_files(services: &[Integrated<'_>]) -> Result<Files, EmitError> {
    let mut files = Files::new();
    for Integrated { plan, service, module, stem } in services {
        if let Some(text) = tracking::tracking(service) {
            let types = service.manifest.provider.service_types.first();
            let path = format!("services/{}-tracking.js", types.map_or(stem.as_str(), |one| one.as_str()));
            let path = if files.contains_key(&path) { format!("services/{stem}-tracking.js") } else { path };
            files.insert(path, text);
        }
        let Ok(module) = module else { continue };
        let provider = &service.manifest.provider;
        files.insert(format!("services/{stem}-integration.js"), module.text.clone());
        if let (Some(intake), Some(webhooks)) = (plan.intake(), &service.manifest.webhooks) {
            let text = service::intake(plan, &provider.title, webhooks, intake)?;
            files.insert(format!("services/{stem}-events.js"), text);
        }
        if !service.syncs.is_empty() {
            files.insert(format!("services/{stem}-records.js"), service::records(plan, &provider.title)?);
        }
    }
    Ok(files)
}

fn refuse_other_triggers(plan: &Plan) -> Result<(), EmitError> {
    for endpoint in &plan.api.endpoints {
        let what = match &endpoint.procedure.trigger {
            Trigger::Request { .. } => continue,
            Trigger::GraphQl { .. } => "answer GraphQL",
            Trigger::Event { .. } => "run on an event",
            Trigger::Schedule { .. } => "run on a schedule",
            Trigger::Webhook { .. } => "take a provider's call",
            Trigger::Pulled { .. } => "read a provider's records",
        };
        return Err(EmitError::Step { procedure: endpoint.procedure.name.to_string(), what: what.to_owned() });
    }
    Ok(())
}

/// The files that have a template.
fn rendered(plan: &Plan, services: &[Integrated<'_>], application: &driver::Application, files: &mut Files) {
    let wiring = Wiring::of(plan, services);
    let sent = sent(plan, services);
    let driver = driver::driver(plan.database.engine);
    let asks_for_keys = outlines(plan).iter().any(|outline| outline.scheme == Some(Scheme::ApiKey));
    let needed_scope = plan.api.endpoints.iter().find_map(|endpoint| endpoint.scope()).map(ToString::to_string);
    let view = context! {
        api => plan.api.name.as_str(),
        module => wiring.module,
        scope => plan.task_id.as_str(),
        database_module => application.module,
        pool => application.server.as_ref().map(|_| Serde(&plan.database.pool)),
        server => application.server.as_ref().map(|server| server.name),
        scratch => application.server.as_ref().map(|server| server.scratch.0),
        scratch_at => application.server.as_ref().map(|server| server.scratch.1),
        service => application.server.as_ref().map(|server| render(server.service, &context! {}).trim_end().to_owned()),
        service_url => application.server.as_ref().map(|server| server.service_url),
        variables => variables(&plan.database.connection),
        base => plan.base.as_ref().map(|base| base.task_id.as_str()),
        default_url => driver.default_url,
        url_form => driver.url_form,
        asks_for_keys,
        needed_scope,
        cors => plan.api.cors == Cors::On,
        cookies => outlines(plan).iter().any(|outline| outline.scheme.is_some_and(Scheme::takes_cookies)),
        seeded => !plan.seed.is_empty(),
        accounts => plan.api.accounts.as_ref().map(|accounts| accounts.issuer.as_str()),
        issued => plan.api.takes_issued_tokens().then(|| issued(plan)),
        account_pages => account_pages(plan),
        caller => context! { sub => CASE_USER, sid => CASE_SESSION, role => CASE_ROLE },
        roles => case_callers(&plan.api).iter().map(|caller| context! {
            placeholder => access_token_of(caller.role.as_str()),
            role => caller.role.as_str(),
            sub => caller.user.as_str(),
            sid => caller.session.as_str(),
        }).collect::<Vec<_>>(),
        other => context! { sub => CASE_OTHER, sid => CASE_OTHER_SESSION, role => CASE_ROLE },
        endpoints => !plan.api.endpoints.is_empty(),
        mails => !sent.is_empty(),
        alerts => services.iter().any(|one| told(one).is_some()),
        alert_webhook => posts_alerts(services),
        alert_variables => alert_variables(services),
        subscribers => plan.api.subscribers.is_some(),
        delivers => delivers(plan, services),
        suppresses => plan.has_suppressions() || services.iter().any(|one| one.plan.has_suppressions()),
        shares_secret => plan.shares_secret() || services.iter().any(|one| one.plan.keeps_tokens()),
        mail_languages => languages(sent.iter().copied()),
        mail_rows => sent.iter().map(|mail| context! {
            event => mail.event.as_str(),
            to => mail.to.as_str(),
            languages => languages(std::iter::once(*mail)),
            link => mail.link.as_ref().map_or_else(|| "-".to_owned(), |link| format!("`{}`", link.path)),
        }).collect::<Vec<_>>(),
        services => wiring.services,
        clients => plan.api.has_clients(),
        senders_secrets => plan.api.senders_secrets().into_iter().map(str::to_owned).collect::<Vec<_>>(),
        brought => wiring.brought,
        returns => wiring.returns,
        calls => cases::signatures(plan, services).is_some(),
        listens => services.iter().any(|one| one.module.is_ok() && one.listens()),
        inner => if plan.api.cors == Cors::On { "closed" } else { "application" },
        speaks => services.iter().any(|one| one.module.is_ok()),
        tokens => services.iter().any(Integrated::gets_tokens),
        reads => services.iter().any(Integrated::reads),
        beside => migrations_beside(plan, services).iter().map(|(scope, _)| scope.to_string()).collect::<Vec<_>>(),
    };
    let templates = [
        ("application.js", "application.js", Comment::Slashes),
        ("databases/connection-config.js", "connection-config.js", Comment::Slashes),
        ("test/scratch-database.js", application.scratch, Comment::Slashes),
        ("test/api.test.js", "api.test.js", Comment::Slashes),
        (".env.example", "env.example", Comment::Hash),
        (".gitignore", "gitignore", Comment::Hash),
        ("Dockerfile", "Dockerfile", Comment::Hash),
        ("Dockerfile.native", "Dockerfile.native", Comment::Hash),
        (".dockerignore", "dockerignore", Comment::Hash),
        ("compose.yaml", "compose.yaml", Comment::Hash),
        ("monitoring/prometheus.yaml", "prometheus.yaml", Comment::Hash),
        ("monitoring/alerts.yaml", "alerts.yaml", Comment::Hash),
        ("README.md", "README.md", Comment::Markup),
    ];
    for (path, template, comment) in templates {
        files.insert(path.to_owned(), generated(plan, comment, &render(template, &view)));
    }
}

/// Whether anything leaves the outbox: to services, to subscribers, as mails.
pub fn delivers(plan: &Plan, services: &[Integrated<'_>]) -> bool {
    plan.api.subscribers.is_some() || !plan.api.mails.is_empty() || !services.is_empty()
}

/// The mails that the application sends: its own, and those that tell how a service of its database stands. Each event makes one.
fn sent<'a>(plan: &'a Plan, services: &[Integrated<'a>]) -> Vec<&'a Mail> {
    let mut sent: Vec<&Mail> = plan.api.mails.iter().collect();
    for mail in services.iter().filter(|one| told(one).is_some()).flat_map(|one| &one.plan.api.mails) {
        if !sent.iter().any(|known| known.event == mail.event) {
            sent.push(mail);
        }
    }
    sent
}

/// Who is told how a service stands that the application speaks with.
fn told<'a>(one: &Integrated<'a>) -> Option<&'a Alerts> {
    one.service.alerts.as_ref().filter(|_| one.module.is_ok())
}

/// Whether messages that tell it go to a webhook.
fn posts_alerts(services: &[Integrated<'_>]) -> bool {
    services.iter().filter_map(told).any(|alerts| alerts.webhook.is_some())
}

/// The variables that say where those go, and what they are signed with.
fn alert_variables(services: &[Integrated<'_>]) -> Vec<String> {
    let webhooks = services.iter().filter_map(told).filter_map(|alerts| alerts.webhook.as_ref());
    let sources = webhooks.flat_map(|webhook| std::iter::once(&webhook.url).chain(&webhook.secret));
    let mut variables = Vec::new();
    for variable in sources.filter_map(ValueSource::variable) {
        if !variables.iter().any(|known| known == variable) {
            variables.push(variable.to_owned());
        }
    }
    variables
}

/// Who is told how which integration stands.
fn alerts(services: &[Integrated<'_>]) -> BTreeMap<String, Value> {
    let source = |from: &ValueSource| match from {
        ValueSource::Plain(text) => json!({ "value": text }),
        ValueSource::Environment(name) | ValueSource::Secret(name) => json!({ "variable": name }),
        ValueSource::Default => json!({}),
    };
    let told = |one: &Integrated<'_>| {
        let alerts = told(one)?;
        let mut said = json!({
            "service": one.service.manifest.provider.title,
            "after": alerts.after_seconds,
            "reads": one.reads(),
        });
        if let Some(email) = &alerts.email {
            said["email"] = json!(email);
        }
        if let Some(webhook) = &alerts.webhook {
            said["webhook"] = json!({ "url": source(&webhook.url) });
            if let Some(secret) = &webhook.secret {
                said["webhook"]["secret"] = source(secret);
            }
        }
        Some((one.plan.task_id.to_string(), said))
    };
    services.iter().filter_map(told).collect()
}

/// What the application sends at which event, as pieces: it only puts values in.
fn mails<'a>(plan: &'a Plan, services: &[Integrated<'a>]) -> BTreeMap<&'a str, Value> {
    let mail = |mail: &Mail| {
        let text = |text: &MailText| {
            let Written { subject, text: plain, html } = text.written();
            json!({ "language": text.language, "subject": subject, "text": plain, "html": html })
        };
        let texts: Vec<Value> = mail.texts.iter().map(text).collect();
        let mut told = json!({ "to": mail.to });
        if let Some(language) = &mail.language {
            told["language"] = json!(language);
        }
        if let Some(link) = &mail.link {
            told["link"] = json!(link);
        }
        if let Some(unsubscribe) = &mail.unsubscribe {
            told["unsubscribe"] = json!(unsubscribe);
        }
        if mail.essential {
            told["essential"] = json!(true);
        }
        told["texts"] = json!(texts);
        told
    };
    sent(plan, services).into_iter().map(|one| (one.event.as_str(), mail(one))).collect()
}

/// Whose tokens of another issuer the cases ask for.
fn issued(plan: &Plan) -> minijinja::Value {
    let callers = case_callers(&plan.api);
    let of_roles = callers.iter().map(|caller| (issued_token_of(caller.role.as_str()), caller.user.as_str()));
    let own = [(ISSUED_TOKEN.to_owned(), CASE_USER), (OTHER_ISSUED_TOKEN.to_owned(), CASE_OTHER)];
    let tokens = own.into_iter().chain(of_roles).map(|(placeholder, sub)| context! { placeholder, sub });
    let grants: Vec<&str> = plan.api.endpoints.iter().filter_map(|endpoint| Some(endpoint.grant()?.as_str())).collect();
    context! { issuer => CASE_ISSUER, audience => CASE_AUDIENCE, tokens => tokens.collect::<Vec<_>>(), scope => grants.join(" ") }
}

/// The languages of mails: `en`, `de`.
fn languages<'m>(mails: impl Iterator<Item = &'m Mail>) -> String {
    let mut languages: Vec<String> = Vec::new();
    for text in mails.flat_map(|mail| &mail.texts) {
        let language = format!("`{}`", text.language);
        if !languages.contains(&language) {
            languages.push(language);
        }
    }
    languages.join(", ")
}

/// The pages to which the links of mails lead.
fn account_pages(plan: &Plan) -> Vec<minijinja::Value> {
    let pages = plan.api.pages.iter();
    let page =
        |page: &AccountPage| context! { path => page.path(), does => page.does.as_str(), calls => page.calls.as_str() };
    pages.map(page).collect()
}

/// What the native server finds the database by.
fn variables(connection: &Connection) -> Vec<String> {
    match connection {
        Connection::Location(parts) => parts.iter().filter_map(|part| match part {
            LocationPart::Environment(name) => Some(name.clone()),
            LocationPart::Text(_) | LocationPart::Secret(_) => None,
        }),
        Connection::Embedded
        | Connection::File { .. }
        | Connection::Local { .. }
        | Connection::Container { .. }
        | Connection::Missing => return Vec::new(),
    }
    .collect()
}

/// The reference's manifest under this API's name and version: dependencies are kept in one place.
fn package(plan: &Plan, sends: bool) -> String {
    let mut package: Value = serde_json::from_str(PACKAGE).expect("the reference's manifest is JSON");
    let (driver, version) = driver::driver(plan.database.engine).package;
    if let Some(dependencies) = package["dependencies"].as_object_mut() {
        dependencies.insert(driver.to_owned(), version().into());
        for (manifest, is_needed) in [
            (ACCOUNTS_PACKAGE, plan.api.accounts.is_some()),
            (ISSUER_PACKAGE, plan.api.takes_issued_tokens()),
            (MAIL_PACKAGE, sends),
        ] {
            let manifest: Value = serde_json::from_str(manifest).expect("the manifest is JSON");
            if let Some(more) = manifest["dependencies"].as_object().filter(|_| is_needed) {
                dependencies.extend(more.clone());
            }
        }
        dependencies.sort_keys();
    }
    package["name"] = plan.api.name.as_str().into();
    package["version"] = format!("{}.0.0", plan.api.version.trim_start_matches('v')).into();
    pretty(&package)
}

pub fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

pub fn pretty(value: &impl serde::Serialize) -> String {
    let mut text = serde_json::to_string_pretty(value).expect("plain data with text keys");
    text.push('\n');
    text
}
