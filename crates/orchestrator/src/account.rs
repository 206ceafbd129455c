//! The account of a service: where each credential and setting comes from goes in, its value comes out, or what somebody must say
//! first. No provider is spoken to, and no value is ever part of what is said.

use crate::consent;
use crate::failure::Failure;
use crate::run::now;
use crate::tokens;
use crate::workspace::Workspace;
use connect::account::{Account, WebhookAddress};
use jiff::Timestamp;
use manifest::Text;
use manifest::provider::{Characters, Form};
use manifest::reference::{Reference, WebhookValue};
use manifest::webhook::{SignedPart, Verification};
use plan::accounts;
use plan::service::{AccountValue, ServicePlan, System, ValueSource};
use secrets::{SecretFailure, SecretName, generate_password};
use std::collections::BTreeMap;
use std::env;
use std::sync::Arc;
use vocab::{FieldName, Secret};

/// What the user gives a provider, by its name in the manifest. What has a default in the manifest stands there.
pub(crate) type Given = BTreeMap<FieldName, Secret<String>>;

/// Something that somebody must give.
pub(crate) struct Missing {
    /// What the provider calls it.
    pub title: String,
    /// Where to find it.
    pub find: Option<String>,
    /// What gives it.
    pub give: String,
    /// What is wrong with what was given; nothing where nothing was.
    pub wrong: Option<String>,
}

/// What was given for a service.
///
/// # Errors
/// What is missing or has another form, as one question.
pub(crate) fn given(workspace: &Workspace, plan: &ServicePlan) -> Result<Given, Box<Failure>> {
    let (given, mut missing) = gathered(workspace, plan)?;
    missing.extend(agreement(workspace, plan, &given)?);
    match missing.is_empty() {
        true => Ok(given),
        false => Err(Box::new(Failure::account(&plan.manifest.provider.title, &missing))),
    }
}

/// The value that is there, if it is.
///
/// # Errors
/// Where the secrets cannot be read.
pub(crate) fn found(workspace: &Workspace, from: &ValueSource) -> Result<Option<Secret<String>>, Box<Failure>> {
    match from {
        ValueSource::Plain(text) => Ok(Some(Secret::new(text.clone()))),
        ValueSource::Environment(name) => Ok(env::var(name).ok().filter(|text| !text.is_empty()).map(Secret::new)),
        ValueSource::Secret(name) => secret(workspace, name),
        ValueSource::Default => Ok(None),
    }
}

/// What was given for a service, and what is missing or has another form.
///
/// # Errors
/// Where the secrets cannot be read.
pub(crate) fn gathered(workspace: &Workspace, plan: &ServicePlan) -> Result<(Given, Vec<Missing>), Box<Failure>> {
    let (mut given, mut missing) = (Given::new(), Vec::new());
    for value in &plan.account {
        if value.from == ValueSource::Default {
            continue;
        }
        let found = found(workspace, &value.from)?;
        let wrong = found.as_ref().and_then(|found| misfit(plan, value, found));
        match found {
            Some(found) if wrong.is_none() => {
                given.insert(value.name.clone(), found);
            }
            Some(_) | None => missing.push(asked(plan, value, wrong)),
        }
    }
    missing.extend(plan.unanswered.iter().map(|name| unanswered(plan, name)));
    Ok((given, missing))
}

/// Somebody's agreement, where the provider asks for one, and neither was it given here nor has anybody brought what it led to.
fn agreement(workspace: &Workspace, plan: &ServicePlan, given: &Given) -> Result<Option<Missing>, Box<Failure>> {
    let provider = &plan.manifest.provider;
    let Some((name, way)) = consent::way(provider) else { return Ok(None) };
    let is_given = |reference: &Reference| match reference {
        Reference::Credential(name) => given.contains_key(name),
        _ => true,
    };
    let is_brought = |text: &Text| text.expressions().all(|part| part.references().all(is_given));
    let listed = workspace.secrets().list();
    let listed = listed.map_err(|error| Box::new(Failure::secrets(&error, &workspace.secrets().file())))?;
    let is_there = way.refresh_token.as_ref().is_some_and(is_brought)
        || tokens::kept_last(&listed, plan.task_id.as_str(), name).is_some();
    Ok((!is_there).then(|| Missing {
        title: format!("somebody who agrees at {}", provider.title),
        find: None,
        give: format!("`producer secrets connect {}`, with the task's file where it never ran,", plan.task_id),
        wrong: None,
    }))
}

/// The account, as far as it is there. `site` is the address by which others know the workspace's server.
pub(crate) fn account(
    workspace: &Workspace,
    plan: &ServicePlan,
    given: Given,
    site: Option<&str>,
) -> Result<Account, Box<Failure>> {
    let webhooks = plan.manifest.webhooks.iter();
    let kinds = webhooks.flat_map(|webhooks| &webhooks.events).filter(|event| event.emits.is_some());
    let mut known: Vec<String> = kinds.flat_map(|event| event.kinds.clone()).collect();
    known.sort();
    known.dedup();
    let url = site.zip(plan.intake.as_ref()).map(|(site, intake)| format!("{site}{}", intake.path));
    let webhook_secret = secret(workspace, &webhook_secret(plan))?;
    let id = match webhook_id(plan) {
        Some(name) => secret(workspace, name.as_str())?.map(|id| id.expose().clone()),
        None => None,
    };
    let agreed = consent::way(&plan.manifest.provider).map(|(way, _)| tokens::agreement(plan.task_id.as_str(), way));
    let agreed = match agreed {
        Some(Ok(name)) => secret(workspace, name.as_str())?.map(|when| when.expose().clone()),
        Some(Err(_)) | None => None,
    };
    Ok(Account {
        name: plan.task_id.to_string(),
        manifest: Arc::new(plan.manifest.clone()),
        system: plan.system,
        values: given,
        site_url: site.map(ToOwned::to_owned),
        instead: None,
        webhook: WebhookAddress { url, id, secret: webhook_secret, kinds: known },
        agreed,
    })
}

/// The secret that holds what the provider signs its calls with.
pub(crate) fn webhook_secret(plan: &ServicePlan) -> String {
    plan.manifest.provider.webhook_secret()
}

/// The secret that holds the id of our address there, where the provider's calls are proved by it.
pub(crate) fn webhook_id(plan: &ServicePlan) -> Option<SecretName> {
    let names_it = |text: &Text| {
        let mut references = text.expressions().flat_map(|part| part.references());
        references.any(|name| *name == Reference::Webhook(WebhookValue::Id))
    };
    let is_proof = plan.manifest.webhooks.as_ref()?.verify.iter().any(|way| match way {
        Verification::Certificate(way) => way.signed.iter().any(|part| match part {
            SignedPart::Value(text) => names_it(text),
            _ => false,
        }),
        Verification::Ask { .. } => true,
        _ => false,
    });
    let name = format!("{}_WEBHOOK_ID", plan.manifest.provider.provider).to_ascii_uppercase();
    is_proof.then(|| SecretName::parse(&name).ok()).flatten()
}

/// The account as it was before somebody replaced secrets of it, and until when it is still taken where the provider's calls come in.
pub(crate) fn before(
    workspace: &Workspace,
    plan: &ServicePlan,
    account: &Account,
) -> Result<Option<(Account, Timestamp)>, Box<Failure>> {
    let (mut before, mut ends) = (account.clone(), Vec::new());
    let failure = |error: SecretFailure| Box::new(Failure::secrets(&error, &workspace.secrets().file()));
    let mut previous = |name: &str| -> Result<Option<Secret<String>>, Box<Failure>> {
        let Ok(name) = SecretName::parse(name) else { return Ok(None) };
        let found = workspace.secrets().previous(&name, &now()).map_err(failure)?;
        Ok(found.map(|(text, until)| {
            ends.extend(until.parse::<Timestamp>());
            Secret::new(text.expose().to_string())
        }))
    };
    for value in &plan.account {
        if let ValueSource::Secret(name) = &value.from
            && let Some(text) = previous(name)?
        {
            before.values.insert(value.name.clone(), text);
        }
    }
    if let Some(text) = previous(&webhook_secret(plan))? {
        before.webhook.secret = Some(text);
    }
    Ok(ends.into_iter().min().map(|until| (before, until)))
}

/// What the task itself says: a provider that is played for this alone asks for nothing else.
pub(crate) fn plain(plan: &ServicePlan) -> Given {
    let values = plan.account.iter().filter_map(|value| match &value.from {
        ValueSource::Plain(text) => Some((value.name.clone(), Secret::new(text.clone()))),
        ValueSource::Environment(_) | ValueSource::Secret(_) | ValueSource::Default => None,
    });
    values.collect()
}

/// What the servers of this workspace share where people sign in: from the environment, else from the secret store, where it is made
/// when it is asked for first. It opens the keys that sign tokens.
pub(crate) fn shared_secret(workspace: &Workspace) -> Result<Secret<String>, Box<Failure>> {
    if let Some(found) = given_or_kept(workspace, accounts::SECRET)? {
        return Ok(found);
    }
    let store = workspace.secrets();
    let failed = |error: SecretFailure| Box::new(Failure::secrets(&error, &store.file()));
    let name = SecretName::parse(accounts::SECRET).map_err(|error| failed(error.into()))?;
    let made = generate_password().map_err(failed)?;
    store.set(&name, made.expose(), &now()).map_err(failed)?;
    Ok(Secret::new(made.expose().to_string()))
}

/// What the environment says under a name, else the secret store.
pub(crate) fn given_or_kept(workspace: &Workspace, name: &str) -> Result<Option<Secret<String>>, Box<Failure>> {
    let given = env::var(name).ok().filter(|text| !text.is_empty());
    given.map_or_else(|| secret(workspace, name), |text| Ok(Some(Secret::new(text))))
}

fn secret(workspace: &Workspace, name: &str) -> Result<Option<Secret<String>>, Box<Failure>> {
    let Ok(name) = SecretName::parse(name) else { return Ok(None) };
    let found = workspace
        .secrets()
        .get(&name)
        .map_err(|error| Box::new(Failure::secrets(&error, &workspace.secrets().file())))?;
    Ok(found.map(|text| Secret::new(text.expose().to_string())))
}

/// Why a credential cannot be the one that is meant.
fn misfit(plan: &ServicePlan, value: &AccountValue, found: &Secret<String>) -> Option<String> {
    let credential = plan.manifest.provider.credentials.get(value.name.as_str())?;
    let text = found.expose();
    if let Some(wrong) = wrong_form(&credential.form, text) {
        return Some(wrong);
    }
    let is_test = credential.test_starts_with.iter().any(|start| text.starts_with(start.as_str()));
    let tells = !credential.test_starts_with.is_empty();
    (plan.system == System::Test && tells && !is_test).then(|| {
        let starts = starts(&credential.test_starts_with);
        format!("it is of the live system, and one of the test system is asked for, which begins with {starts}")
    })
}

fn starts(starts: &[String]) -> String {
    starts.iter().map(|start| format!("`{start}`")).collect::<Vec<_>>().join(" or ")
}

fn wrong_form(form: &Form, text: &str) -> Option<String> {
    let length = text.chars().count();
    if !form.starts_with.is_empty() && !form.starts_with.iter().any(|start| text.starts_with(start.as_str())) {
        return Some(format!("it begins with {}", starts(&form.starts_with)));
    }
    if let Some(least) = form.min_length.filter(|least| length < *least as usize) {
        return Some(format!("it has at least {least} characters"));
    }
    if let Some(most) = form.max_length.filter(|most| length > *most as usize) {
        return Some(format!("it has at most {most} characters"));
    }
    let (fits, what): (fn(char) -> bool, &str) = match form.characters? {
        Characters::Digits => (|character| character.is_ascii_digit(), "digits"),
        Characters::Hex => (|character| character.is_ascii_hexdigit(), "digits of hex"),
        Characters::Word => (
            |character| character.is_ascii_alphanumeric() || "_-.".contains(character),
            "letters, digits, `_`, `-` and `.`",
        ),
        Characters::Base64 => (|character| character.is_ascii_alphanumeric() || "+/=".contains(character), "Base64"),
        Characters::Pem => {
            let is_pem = text.trim_start().starts_with("-----BEGIN ");
            return (!is_pem).then(|| "it is a block of PEM, which begins with `-----BEGIN`".to_owned());
        }
    };
    (!text.chars().all(fits)).then(|| format!("it is made of {what}"))
}

fn asked(plan: &ServicePlan, value: &AccountValue, wrong: Option<String>) -> Missing {
    let provider = &plan.manifest.provider;
    let name = value.name.as_str();
    let credential = provider.credentials.get(name);
    let setting = provider.settings.get(name);
    let title = credential.map(|known| &known.title).or_else(|| setting.map(|known| &known.title));
    let page = credential.and_then(|known| known.page.as_ref()).map(|page| format!(" ({page})")).unwrap_or_default();
    let find = credential.map(|known| known.find.clone()).or_else(|| setting.and_then(|known| known.find.clone()));
    Missing {
        title: title.cloned().unwrap_or_else(|| name.to_owned()),
        find: find.map(|find| format!("{}{page}", find.trim_end_matches('.'))),
        give: match &value.from {
            ValueSource::Environment(variable) => format!("set `{variable}` where the producer runs"),
            ValueSource::Secret(secret) => format!("`producer secrets set {secret}`"),
            ValueSource::Plain(_) | ValueSource::Default => format!("`credentials: {{ {name}: ... }}` in the task"),
        },
        wrong,
    }
}

fn unanswered(plan: &ServicePlan, name: &FieldName) -> Missing {
    let setting = plan.manifest.provider.settings.get(name.as_str());
    Missing {
        title: setting.map_or_else(|| name.to_string(), |known| known.title.clone()),
        find: setting.and_then(|known| known.find.clone()),
        give: format!("`credentials: {{ {name}: ... }}` in the task"),
        wrong: None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Characters, Form, wrong_form};

    #[test]
    fn a_credential_has_its_form() {
        let form = Form {
            starts_with: vec!["sk_live_".to_owned(), "sk_test_".to_owned()],
            min_length: Some(12),
            max_length: Some(20),
            characters: Some(Characters::Word),
        };
        assert_eq!(wrong_form(&form, "sk_test_1234"), None);
        for (wrong, says) in [
            ("pk_test_12345", "it begins with `sk_live_` or `sk_test_`"),
            ("sk_test_123", "it has at least 12 characters"),
            ("sk_test_1234567890123", "it has at most 20 characters"),
            ("sk_test_12 34", "it is made of letters, digits, `_`, `-` and `.`"),
        ] {
            assert_eq!(wrong_form(&form, wrong).as_deref(), Some(says));
        }
        let pem = Form { characters: Some(Characters::Pem), ..Form::default() };
        assert!(wrong_form(&pem, "MIIE").is_some() && wrong_form(&pem, "-----BEGIN PRIVATE KEY-----\n").is_none());
    }
}
