//! Proof that a plan works, before it touches anything: its statements make an empty scratch database, its API answers the
//! plan's cases over it, and what should have been stored is read back.

use crate::failure::FailureKind;
use crate::response::{CheckOutcome, Verification};
use connect::fill::Scope;
use connect::signature::{PrivateKey, case_key};
use jiff::Timestamp;
use manifest::reference::Reference;
use plan::http_case::{ANY, CaseKeys, CaseRequest, Expectation, HttpCase, MAX_REPEAT};
use plan::query::{OnConflict, Write};
use plan::{Item, Phase, Plan, ServicePlan, Step, Trigger};
use serve::{CaseIssuer, Counterpart, NewApiKey, Served, Service, Settings, try_case};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use store::{ApiKeyRow, Database, Ended, Scratch, Store};
use vocab::{Secret, TableName};

/// What every verification that cannot be made fails with.
type Broken = String;

/// Tries the plan on a scratch database.
pub(crate) async fn on_scratch(plan: &Plan, database: &Database, openapi: &str, now: &str) -> Vec<Verification> {
    match try_scratch(plan, database, openapi, now).await {
        Ok(verifications) => verifications,
        Err(why) => vec![Verification::of(Phase::ImplementEndpointLogic, "the plan can be tried", &[why])],
    }
}

async fn try_scratch(plan: &Plan, database: &Database, openapi: &str, now: &str) -> Result<Vec<Verification>, Broken> {
    let scratch = Scratch::beside(database).map_err(broken)?;
    let store = scratch.store.clone();
    let mut migrated = plan.migrations().map(|(scope, migrations)| store.migrate(scope.as_str(), migrations, now));
    let made = match migrated.find_map(Result::err) {
        None => store.differences(&plan.database).map_err(broken)?,
        Some(error) => vec![error.to_string()],
    };
    let schema = "the statements make the schema on an empty database";
    let mut verifications = vec![Verification::of(Phase::CreateSchemaAndTables, schema, &made)];
    if !made.is_empty() {
        return Ok(verifications);
    }
    let issuer = CaseIssuer::new()?;
    let service = service(plan, &store, openapi, &issuer)?;
    let keys = keys(plan, &store, &service, &issuer, now).await?;
    let growing = Growing::of(plan);
    for case in &plan.cases {
        service.forget_callers();
        seed(plan, &store).await?;
        let tables = growing.at(&service, &case.request.path);
        let before = store.count_rows(tables).await.map_err(broken)?;
        let heard_before = heard(case, &store).await?;
        let mut differences = try_case(&service, case, &keys).await.map_err(broken)?;
        let after = store.count_rows(tables).await.map_err(broken)?;
        let heard = heard(case, &store).await? - heard_before;
        if let Some(wanted) = case.expect.heard.map(i64::from).filter(|wanted| *wanted != heard) {
            differences.push(format!("{heard} events were kept instead of {wanted}"));
        }
        let is_first = case.before.is_empty() && case.parent.is_none();
        if case.expect.status >= 400 && is_first && after != before {
            differences.push("a refused request was stored".to_owned());
        }
        let stored = (is_first && after > before).then(|| format!("stored {} rows", after - before));
        let mut verification = case_verification(case, &differences);
        if verification.outcome == CheckOutcome::Passed {
            verification.detail = stored.unwrap_or_default();
        }
        verifications.push(verification);
    }
    if plan.api.endpoints.is_empty() {
        return Ok(verifications);
    }
    verifications.extend(untried_limits(plan));
    verifications.push(twice(plan, &store, (openapi, &issuer), &keys).await?);
    verifications.extend(documents(plan, &store, (openapi, &issuer), &keys).await?);
    Ok(verifications)
}

/// Reads only: the database that is there answers, and the API over it is alive.
pub(crate) async fn on_live(plan: &Plan, database: &Database, openapi: &str) -> Vec<Verification> {
    let service = match database
        .open(plan.database.pool)
        .map_err(broken)
        .and_then(|store| service(plan, &store, openapi, &CaseIssuer::new()?))
    {
        Ok(service) => service,
        Err(why) => {
            return vec![Verification::of(Phase::ImplementEndpointLogic, "the API over the database is alive", &[why])];
        }
    };
    let mut verifications = Vec::new();
    let no_keys = CaseKeys::default();
    for (phase, check, path, body) in [
        (Phase::ImplementEndpointLogic, "the API over the database is alive", "/healthz", r#"{"status":"ok"}"#),
        (Phase::ProvisionDatabaseInstance, "the database answers", "/readyz", r#"{"status":"ready"}"#),
    ] {
        let case = get(path, serde_json::from_str(body).ok());
        let differences = try_case(&service, &case, &no_keys).await.unwrap_or_else(|error| vec![error.to_string()]);
        verifications.push(Verification::of(phase, check, &differences));
    }
    verifications
}

/// What this run cannot try, by name.
pub(crate) fn not_tried() -> Vec<Verification> {
    vec![
        Verification::not_verified(
            Phase::ImplementEndpointLogic,
            "the Node.js application",
            "`npm install && npm test` in the folder tries the same requests on it",
        ),
        Verification::not_verified(
            Phase::ImplementEndpointLogic,
            "the container images",
            "`docker compose build` in the folder builds that of the Node.js application",
        ),
    ]
}

fn service(plan: &Plan, store: &Store, openapi: &str, issuer: &CaseIssuer) -> Result<Service, Broken> {
    // The keys of a scratch database are opened by nobody else.
    let secret = Secret::new(plan.task_id.to_string());
    let counterpart = match &plan.service {
        Some(service) => Counterpart { account: Arc::new(OfCases(service.clone())), ..serve::no_account() },
        None => Counterpart { account: Arc::new(OfSenders), ..serve::no_account() },
    };
    let served = [Served { plan, store: store.clone(), counterpart, secret: Some(secret) }];
    let settings = Settings { issuer: Some(Arc::clone(&issuer.issuer)), ..Settings::default() };
    Service::with_settings(&served, openapi.to_owned(), settings).map_err(broken)
}

/// The tables whose rows are counted around a request. Of a large schema they are few: those that the endpoints of its path insert into
/// or delete from, and the producer's own.
struct Growing<'p> {
    /// By the path as the plan has it.
    of_paths: BTreeMap<&'p str, Vec<TableName>>,
    /// Those of a request that no endpoint answers.
    all: Vec<TableName>,
}

impl<'p> Growing<'p> {
    fn of(plan: &'p Plan) -> Self {
        let tables = &plan.database.tables;
        let keys = plan::system::api_keys().name;
        let all: Vec<TableName> = tables.iter().map(|table| table.name.clone()).filter(|name| *name != keys).collect();
        let users = plan.api.accounts.as_ref().map(|accounts| &accounts.users);
        let is_own = |name: &&TableName| catalog::OWN_TABLES.contains(&name.as_str()) || users == Some(*name);
        let own: BTreeSet<TableName> = all.iter().filter(is_own).cloned().collect();
        let mut of_paths: BTreeMap<&str, BTreeSet<TableName>> = BTreeMap::new();
        for endpoint in &plan.api.endpoints {
            let Trigger::Request { path, .. } = &endpoint.procedure.trigger else { continue };
            let uses = plan::uses::of_procedure(tables, &endpoint.procedure);
            let grown = uses.into_iter().filter(|(_, used)| !used.inserts.is_empty() || used.deletes);
            of_paths.entry(path).or_insert_with(|| own.clone()).extend(grown.map(|(name, _)| name));
        }
        let of_paths = of_paths.into_iter().map(|(path, tables)| (path, tables.into_iter().collect())).collect();
        Self { of_paths, all }
    }

    fn at(&self, service: &Service, path: &str) -> &[TableName] {
        let path = path.split_once('?').map_or(path, |(path, _)| path);
        service.route(path).and_then(|route| self.of_paths.get(route)).unwrap_or(&self.all)
    }
}

/// An account at a provider that opens nothing.
struct OfCases(ServicePlan);

impl Scope for OfCases {
    fn value(&self, name: &Reference) -> Option<serde_json::Value> {
        let key = self.0.case_key().filter(|(_, of, _)| *name == Reference::Credential((*of).clone()));
        let value = match key {
            Some((way, ..)) => case_key(way.algorithm).and_then(PrivateKey::public),
            None => self.0.case_value(name),
        };
        value.map(serde_json::Value::String)
    }
}

/// What stands for the secrets of senders.
struct OfSenders;

impl Scope for OfSenders {
    fn value(&self, name: &Reference) -> Option<serde_json::Value> {
        plan::hearing::case_value(name).map(serde_json::Value::from)
    }
}

/// What was kept of calls of providers, where the case says something of it.
async fn heard(case: &HttpCase, store: &Store) -> Result<i64, Broken> {
    match case.expect.heard {
        Some(_) => store.count_rows(&[plan::system::inbox_events().name]).await.map_err(broken),
        None => Ok(0),
    }
}

/// A key that is good, one that no longer is, and one that is good for nothing.
async fn keys(
    plan: &Plan,
    store: &Store,
    service: &Service,
    issuer: &CaseIssuer,
    now: &str,
) -> Result<CaseKeys, Broken> {
    let make = |change: &dyn Fn(&mut ApiKeyRow)| -> Result<String, Broken> {
        let mut new = NewApiKey::generate("verification", now).map_err(broken)?;
        change(&mut new.row);
        store.insert_api_key(&new.row).map_err(broken)?;
        Ok(new.key.expose().clone())
    };
    let tokens = service.tokens_of_cases(&plan.api).await?;
    Ok(CaseKeys {
        access_token: tokens.good,
        expired_access_token: tokens.expired,
        other_access_token: tokens.other,
        of_roles: tokens.of_roles,
        issued: issuer.tokens(&plan.api, Timestamp::now())?,
        good: make(&|_| {})?,
        expired: make(&|row| row.expires_at = Some(now.to_owned()))?,
        powerless: make(&|row| row.scopes = Some(String::new()))?,
    })
}

/// Brings the scratch to where the cases begin; nothing where they take nothing for granted.
async fn seed(plan: &Plan, store: &Store) -> Result<(), Broken> {
    if plan.seed.is_empty() {
        return Ok(());
    }
    let statements: Vec<String> = plan.seed.clear.iter().chain(&plan.seed.rows).cloned().collect();
    let work = store.transaction(move |mut transaction| {
        Box::pin(async move {
            for statement in &statements {
                transaction.execute(statement, &[]).await?;
            }
            Ok(Ended::Commit(()))
        })
    });
    work.await.map_err(|error| format!("the rows that the requests take for granted were not made: {error}"))
}

/// A limit that is too high to be reached in a moment is not tried, and said so.
fn untried_limits(plan: &Plan) -> impl Iterator<Item = Verification> {
    let high = plan.api.policies.iter().filter(|policy| policy.quota >= MAX_REPEAT);
    high.map(|policy| {
        Verification::not_verified(
            Phase::SetupAuthenticationMiddleware,
            format!("policy `{}` refuses request {}", policy.name, u64::from(policy.quota) + 1),
            "that many requests would take too long",
        )
    })
}

/// A right request that was answered before: each endpoint stores again, or keeps what it has, as its procedure says.
async fn twice(
    plan: &Plan,
    store: &Store,
    (openapi, issuer): (&str, &CaseIssuer),
    keys: &CaseKeys,
) -> Result<Verification, Broken> {
    let service = service(plan, store, openapi, issuer)?;
    let growing = Growing::of(plan);
    let mut differences = Vec::new();
    for endpoint in &plan.api.endpoints {
        let Trigger::Request { method, path } = &endpoint.procedure.trigger else { continue };
        if !inserts(&endpoint.procedure.body) {
            continue;
        }
        let right = plan
            .cases
            .iter()
            .find(|case| case.expect.status < 300 && case.request.method == *method && case.request.path == *path);
        let Some(case) = right else { continue };
        service.forget_callers();
        seed(plan, store).await?;
        // Another case may have undone what this one did.
        differences.extend(try_case(&service, case, keys).await.map_err(broken)?);
        let keeps = endpoint.hearing().is_some() || keeps_known_rows(&endpoint.procedure.body);
        // The rows of a seed may leave room for one such record only.
        if !keeps {
            seed(plan, store).await?;
        }
        let tables = growing.at(&service, path);
        let before = store.count_rows(tables).await.map_err(broken)?;
        differences.extend(try_case(&service, case, keys).await.map_err(broken)?);
        let grown = store.count_rows(tables).await.map_err(broken)? - before;
        match (keeps, grown) {
            (true, 0) => {}
            (true, _) => differences.push(format!("{method} {path} stored {grown} more rows")),
            (false, 0) => differences.push(format!("{method} {path} stored nothing")),
            (false, _) => {}
        }
    }
    Ok(Verification::of(
        Phase::ImplementEndpointLogic,
        "a repeated request is stored as its endpoint says",
        &differences,
    ))
}

fn inserts(items: &[Item]) -> bool {
    has_write(items, &|write| matches!(write, Write::Insert { .. }))
}

/// Whether there is nothing that it inserts again.
fn keeps_known_rows(items: &[Item]) -> bool {
    let keeps = |write: &Write| matches!(write, Write::Insert { on_conflict: OnConflict::Keep { .. }, .. });
    !has_write(items, &|write| matches!(write, Write::Insert { .. }) && !keeps(write))
}

fn has_write(items: &[Item], wanted: &dyn Fn(&Write) -> bool) -> bool {
    items.iter().any(|item| match item {
        Item::Let(_, Step::Write(write)) | Item::Do(Step::Write(write)) => wanted(write),
        Item::Let(..) | Item::Do(_) | Item::Promise(_) => false,
        Item::Transaction(body) => has_write(body, wanted),
        Item::Each(each) => has_write(&each.body, wanted),
        Item::Match(_, arms) => arms.iter().any(|(_, body)| has_write(body, wanted)),
        Item::Exit(..) => false,
    })
}

/// The document is served and names every endpoint; the metrics have counted.
async fn documents(
    plan: &Plan,
    store: &Store,
    (openapi, issuer): (&str, &CaseIssuer),
    keys: &CaseKeys,
) -> Result<Vec<Verification>, Broken> {
    let service = service(plan, store, openapi, issuer)?;
    let mut paths = serde_json::Map::new();
    for endpoint in &plan.api.endpoints {
        if let Trigger::Request { method, path } = &endpoint.procedure.trigger {
            paths.insert(path.clone(), serde_json::json!({ (method.to_ascii_lowercase()): ANY }));
        }
    }
    let document = get("/openapi.json", Some(serde_json::json!({ "openapi": ANY, "paths": paths })));
    let described = try_case(&service, &document, keys).await.map_err(broken)?;
    let mut uncounted = try_case(&service, &get("/metrics", None), keys).await.map_err(broken)?;
    let metrics = service.metrics();
    let line = r#"http_requests_total{method="GET",route="/openapi.json",status="200"} 1"#;
    if !metrics.lines().any(|found| found == line) {
        uncounted.push("the metrics did not count a request that was made".to_owned());
    }
    Ok(vec![
        Verification::of(
            Phase::CreateApiDocumentation,
            "the OpenAPI document is served and names every endpoint",
            &described,
        )
        .about(FailureKind::Documentation, "GET /openapi.json"),
        Verification::of(Phase::ConfigureMonitoringAndAlerts, "the metrics count requests", &uncounted)
            .about(FailureKind::EndpointConfiguration, "GET /metrics"),
    ])
}

fn get(path: &str, body: Option<serde_json::Value>) -> HttpCase {
    HttpCase {
        name: path.to_owned(),
        repeat: 1,
        parent: None,
        before: Vec::new(),
        request: CaseRequest {
            method: "GET".to_owned(),
            path: path.to_owned(),
            headers: BTreeMap::new(),
            body: None,
            text: None,
            signed: None,
        },
        expect: Expectation { status: 200, headers: BTreeMap::new(), body, text: None, heard: None },
    }
}

/// A case belongs to what its answer is about: who is let in, how often, or the work itself. Every answer also states the limit.
fn case_verification(case: &HttpCase, differences: &[String]) -> Verification {
    let (phase, kind) = match case.expect.status {
        401 | 403 => (Phase::SetupAuthenticationMiddleware, FailureKind::AuthenticationSetup),
        429 => (Phase::SetupAuthenticationMiddleware, FailureKind::RateLimiting),
        _ => (Phase::ImplementEndpointLogic, FailureKind::EndpointConfiguration),
    };
    let is_of_limit = |difference: &String| difference.starts_with("header `ratelimit");
    let is_limit_alone = !differences.is_empty() && differences.iter().all(is_of_limit);
    let kind = if is_limit_alone { FailureKind::RateLimiting } else { kind };
    let place = format!("{} {}", case.request.method, case.request.path);
    Verification::of(phase, &case.name, differences).about(kind, place)
}

fn broken(error: impl std::fmt::Display) -> Broken {
    error.to_string()
}
