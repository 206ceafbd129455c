//! The requests with which the application is tested: those of the plan, and calls of the providers of other services; and how calls are
//! signed there, with values in it that open nothing.

use super::service::Integrated;
use super::service::variables;
use manifest::Text;
use manifest::provider::Characters;
use manifest::webhook::Verification;
use plan::api::Endpoint;
use plan::http_case::HttpCase;
use plan::service::ServicePlan;
use plan::{Hearing, Plan, hearing, service_case};
use serde_json::{Map, Value, json};

/// Of the plan, and calls for the services beside it.
pub fn all<'a>(plan: &'a Plan, services: &[Integrated<'a>]) -> Vec<&'a HttpCase> {
    let is_signed = |case: &&HttpCase| case.request.signed.is_some();
    // Calls of the plan's own provider come with those of the others.
    let is_own = |case: &&HttpCase| !is_signed(case) || sender(plan, &case.request.path).is_some();
    let own = plan.cases.iter().filter(is_own);
    own.chain(heard(services).flat_map(|one| one.plan.cases.iter().filter(is_signed))).collect()
}

/// What is known of the sender that calls at a path.
fn sender<'a>(plan: &'a Plan, path: &str) -> Option<&'a Hearing> {
    let is_there = |endpoint: &&Endpoint| endpoint.route().is_some_and(|(_, known)| known == path);
    plan.api.endpoints.iter().find(is_there)?.hearing()
}

/// How providers and other senders sign, by the path that they call, and what the application is told of their secrets; none where
/// nobody calls.
pub fn signatures(plan: &Plan, services: &[Integrated<'_>]) -> Option<Value> {
    let (mut ways, mut environment) = (Map::new(), Map::new());
    for endpoint in &plan.api.endpoints {
        let (Some(hearing), Some((_, path))) = (endpoint.hearing(), endpoint.route()) else { continue };
        let mut way = serde_json::to_value(&hearing.proofs.first()?.way).ok()?;
        fill(&hearing::case_text, &mut way)?;
        ways.insert(path.to_owned(), vec![way].into());
        environment.extend(hearing.proofs.iter().map(|proof| (proof.secret.clone(), service_case::SIGNING.into())));
    }
    for one in heard(services).filter(|one| one.plan.cases.iter().any(|case| case.request.signed.is_some())) {
        let webhooks = one.service.manifest.webhooks.as_ref()?;
        let signs = webhooks.verify.iter().map(|way| way_of(one.service, way)).collect::<Option<Vec<Value>>>()?;
        ways.insert(one.plan.intake()?.path.clone(), signs.into());
        environment.extend(variables(one.service).into_iter().map(|(name, value)| (name, value.into())));
    }
    (!ways.is_empty()).then(|| json!({ "environment": environment, "ways": ways }))
}

/// Those whose calls the application takes in.
fn heard<'s, 'a>(services: &'s [Integrated<'a>]) -> impl Iterator<Item = &'s Integrated<'a>> {
    services.iter().filter(|one| one.module.is_ok() && one.listens())
}

fn way_of(service: &ServicePlan, way: &Verification) -> Option<Value> {
    if let Verification::SecretPath(_) = way {
        return Some(json!({ "secret_path": service_case::SIGNING }));
    }
    let is_key = matches!(way, Verification::PublicKey(_));
    let mut way = serde_json::to_value(way).ok()?;
    if is_key {
        // The application is told the public half of a pair that is made there.
        let (_, name, variable) = service.case_key()?;
        let credential = service.manifest.provider.credentials.get(name.as_str())?;
        let rule = way["public_key"].as_object_mut()?;
        rule.remove("key");
        rule.insert("variable".to_owned(), variable.into());
        rule.insert("is_pem".to_owned(), (credential.form.characters == Some(Characters::Pem)).into());
    }
    fill(&|text| service.case_text(text), &mut way)?;
    Some(way)
}

/// Puts the values in.
fn fill(said: &dyn Fn(&Text) -> Option<String>, document: &mut Value) -> Option<()> {
    match document {
        Value::String(text) => {
            if let Ok(of) = Text::parse(text) {
                *text = said(&of)?;
            }
            Some(())
        }
        Value::Array(items) => items.iter_mut().try_for_each(|item| fill(said, item)),
        Value::Object(members) => members.values_mut().try_for_each(|member| fill(said, member)),
        Value::Null | Value::Bool(_) | Value::Number(_) => Some(()),
    }
}
