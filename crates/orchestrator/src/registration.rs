//! A provider gets to know where its calls go: what is entered there already is found and kept, what is missing is entered, and a secret
//! that is shown once is kept in the same step. Names that it does not bring, and is to be told by, are made known there too.

use crate::account::{webhook_id, webhook_secret};
use crate::failure::FailureKind;
use crate::integration::Speaking;
use crate::response::Verification;
use crate::workspace::Workspace;
use connect::account::{Account, Delivery, Inputs};
use connect::answer::Outcome;
use connect::call::Asked;
use connect::fill::{FillError, as_text, document, first};
use jiff::Timestamp;
use manifest::webhook::{Registration, ThroughApi};
use plan::Phase;
use plan::service::ServicePlan;
use secrets::SecretName;
use serde_json::Value;
use vocab::{FieldName, sha256_hex};

/// What became of a registration.
pub(crate) struct Registered {
    pub verification: Verification,
    /// Whether anything was entered there.
    pub changed: bool,
}

/// Has the provider's calls come here; nothing where it makes none.
pub(crate) async fn register(
    plan: &ServicePlan,
    speaking: Option<&Speaking>,
    workspace: &Workspace,
) -> Option<Registered> {
    let webhooks = plan.manifest.webhooks.as_ref()?;
    let title = &plan.manifest.provider.title;
    let check = format!("{title} knows where its calls go");
    let phase = Phase::ImplementIntegrationLogic;
    let untried = |why: String| Registered {
        verification: Verification::not_verified(phase, check.clone(), why),
        changed: false,
    };
    let api = match &webhooks.registration {
        Registration::ThroughApi(api) => api,
        Registration::ByHand { page, steps } => {
            // Every other secret is a credential, and asked for as such.
            let has_path =
                webhooks.verify.iter().any(|way| matches!(way, manifest::webhook::Verification::SecretPath(_)));
            let then = if has_path {
                format!("; then `producer secrets set {}`", webhook_secret(plan))
            } else {
                String::new()
            };
            return Some(untried(format!("enter it by hand at {page}: {steps}{then}")));
        }
        Registration::WithEachRequest(why) => return Some(untried(why.clone())),
    };
    let Some(speaking) = speaking else {
        return Some(untried(format!("`--sandbox`: {title} is told when `producer serve` plays it")));
    };
    let Some(url) = &speaking.account.webhook.url else {
        return Some(untried(
            "`public_url` in `producer.toml` says where this server can be reached from outside".to_owned(),
        ));
    };
    Some(match entered(api, speaking, url, plan, workspace).await {
        Ok((detail, changed)) => {
            let verification = match &speaking.stands_in {
                None => Verification { detail, ..Verification::of(phase, check, &[]) },
                Some(_) => Verification::simulated(phase, check, detail),
            };
            Registered { verification, changed }
        }
        Err((why, changed)) => {
            let failed = Verification::of(phase, check, &[why]);
            Registered { verification: failed.about(FailureKind::WebhookDelivery, url.clone()), changed }
        }
    })
}

/// What the provider is told by names that it does not bring is made known there: one for each field that needs it.
pub(crate) async fn make_known(plan: &ServicePlan, speaking: Option<&Speaking>) -> Vec<Registered> {
    let title = &plan.manifest.provider.title;
    let phase = Phase::ImplementIntegrationLogic;
    let mut made = Vec::new();
    for (field, passed_on) in plan.manifest.points.fields.iter() {
        let Some(making) = &passed_on.made_known_by else { continue };
        let names = passed_on.is.names().join("`, `");
        let check = format!("{title} knows `{names}`, where `{field}` goes");
        let Some(speaking) = speaking else {
            let why = format!("`--sandbox`: {title} is played, and knows every name");
            made.push(Registered { verification: Verification::not_verified(phase, check, why), changed: false });
            continue;
        };
        let account = &speaking.account;
        let given = making.input.iter().map(|(name, value)| Ok((name.to_string(), document(value, account)?)));
        let given: Result<Vec<_>, FillError> = given.collect();
        let answer = match given {
            Ok(given) => {
                let inputs = given.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
                call_with(speaking, account, &making.operation, &inputs).await
            }
            Err(error) => Err(error.to_string()),
        };
        made.push(match answer {
            // An answer without anything in it says that it was there before.
            Ok(answer) => {
                let detail = if answer.is_empty() { "it was there before" } else { "it was made" }.to_owned();
                let verification = match &speaking.stands_in {
                    None => Verification::passed(phase, check, detail),
                    Some(_) => Verification::simulated(phase, check, detail),
                };
                Registered { verification, changed: !answer.is_empty() }
            }
            Err(why) => {
                let why = format!("{why}; `mapping: {{ {field}: ... }}` in the task names one that is there");
                let failed = Verification::of(phase, check, &[why]);
                Registered { verification: failed.about(FailureKind::DataSynchronization, names), changed: false }
            }
        });
    }
    made
}

/// What was done, and whether anything there is other than before.
async fn entered(
    api: &ThroughApi,
    speaking: &Speaking,
    url: &str,
    plan: &ServicePlan,
    workspace: &Workspace,
) -> Result<(String, bool), (String, bool)> {
    let untouched = |why: String| (why, false);
    let known = listed(api, speaking, url).await.map_err(untouched)?;
    let has_secret = api.secret.is_none() || speaking.account.webhook.secret.is_some();
    let (kept, surplus) = match known.split_first() {
        Some((first, others)) if has_secret => (Some(first), others),
        Some(_) | None => (None, &known[..]),
    };
    let mut changed = false;
    // Without its secret an entry is of no use, and a second one would have everything sent twice.
    for id in surplus {
        let account = with_id(&speaking.account, id);
        call(speaking, &account, &api.delete).await.map_err(|why| (why, changed))?;
        changed = true;
    }
    let keep = |id: &str| match webhook_id(plan) {
        Some(name) => workspace.secrets().set(&name, id, &crate::run::now()).map_err(|error| error.to_string()),
        None => Ok(()),
    };
    if let Some(id) = kept {
        if speaking.account.webhook.id.as_ref() != Some(id) {
            keep(id).map_err(|why| (why, changed))?;
        }
        return Ok((format!("{url} was entered there before"), changed));
    }
    let answer = call(speaking, &speaking.account, &api.create).await.map_err(|why| (why, changed))?;
    let id = answer.get(api.id.as_str()).map(as_text).unwrap_or_default();
    keep(&id).map_err(|why| (why, true))?;
    if let Some(field) = &api.secret {
        let secret = answer.get(field.as_str()).map(as_text).unwrap_or_default();
        let name = SecretName::parse(&webhook_secret(plan)).map_err(|error| (error.to_string(), true))?;
        workspace.secrets().set(&name, &secret, &crate::run::now()).map_err(|error| (error.to_string(), true))?;
        return Ok((format!("{url} was entered, and what it signs with is kept as the secret `{name}`"), true));
    }
    Ok((format!("{url} was entered"), true))
}

/// The ids of the entries that lead to our address.
async fn listed(api: &ThroughApi, speaking: &Speaking, url: &str) -> Result<Vec<String>, String> {
    let inputs = Inputs::new();
    let asked = Asked { account: &speaking.account, operation: &api.list, inputs: &inputs, delivery: None };
    let is_ours = |item: &&Value| first(item, &api.url_at).is_some_and(|found| as_text(found) == url);
    let mut ids = Vec::new();
    let mut pages = speaking.caller.pages(asked);
    while let Some(page) = pages.next().await {
        let page = page.map_err(|called| said(&called.outcome))?;
        ids.extend(page.items.iter().filter(is_ours).filter_map(|item| first(item, &api.id_at)).map(as_text));
    }
    Ok(ids)
}

async fn call(speaking: &Speaking, account: &Account, operation: &FieldName) -> Result<Inputs, String> {
    call_with(speaking, account, operation, &Inputs::new()).await
}

async fn call_with(
    speaking: &Speaking,
    account: &Account,
    operation: &FieldName,
    inputs: &Inputs,
) -> Result<Inputs, String> {
    let now = Timestamp::now();
    let url = account.webhook.url.as_deref().unwrap_or_default();
    let key = sha256_hex(format!("{}\n{url}\n{operation}\n{}", account.name, now.as_nanosecond()).as_bytes());
    let delivery = Delivery { id: key.clone(), key, time: now };
    let asked = Asked { account, operation, inputs, delivery: Some(&delivery) };
    match speaking.caller.call(&asked).await.outcome {
        Outcome::Done { answer } => Ok(answer),
        other => Err(said(&other)),
    }
}

fn with_id(account: &Account, id: &str) -> Account {
    let mut account = account.clone();
    account.webhook.id = Some(id.to_owned());
    account
}

fn said(outcome: &Outcome) -> String {
    outcome.problem().map(|(message, _)| message.to_owned()).unwrap_or_default()
}
