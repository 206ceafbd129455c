//! What the senders of calls prove them with: the environment and the secrets of a workspace come in, what stands for the names of a plan goes
//! out, or what has to be said first. No value is ever part of what is said.

use crate::account::given_or_kept;
use crate::failure::Failure;
use crate::workspace::Workspace;
use connect::fill::Scope;
use manifest::reference::Reference;
use plan::hearing::secret_name;
use plan::{Endpoint, Plan};
use serde_json::Value;
use serve::AccountScope;
use std::collections::BTreeMap;
use std::sync::Arc;
use vocab::Secret;

/// The secrets of an API's senders by their names in the plan, as far as they are there.
///
/// # Errors
/// Where the secrets cannot be read.
pub(crate) fn secrets(workspace: &Workspace, api: &Plan) -> Result<BTreeMap<String, Secret<String>>, Box<Failure>> {
    let mut found = BTreeMap::new();
    for variable in api.api.senders_secrets() {
        if let Some(secret) = given_or_kept(workspace, variable)? {
            found.insert(secret_name(variable), secret);
        }
    }
    Ok(found)
}

/// Endpoints of which no secret is there, each with the names of those that would do.
///
/// # Errors
/// Where the secrets cannot be read.
pub(crate) fn unsaid(workspace: &Workspace, api: &Plan) -> Result<Vec<String>, Box<Failure>> {
    let known = secrets(workspace, api)?;
    let missing = |endpoint: &Endpoint| {
        let (hearing, (_, path)) = (endpoint.hearing()?, endpoint.route()?);
        let names: Vec<&str> = hearing.proofs.iter().map(|proof| proof.secret.as_str()).collect();
        let is_known = names.iter().any(|name| known.contains_key(&secret_name(name)));
        let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
        (!is_known).then(|| format!("{} for `{path}`", names.join(" or ")))
    };
    Ok(api.api.endpoints.iter().filter_map(missing).collect())
}

/// That somebody must say first what the senders prove their calls with.
pub(crate) fn asked(unsaid: &[String]) -> Failure {
    Failure::sender(&unsaid.join(", "))
}

/// The same where the task is only tried.
pub(crate) fn warning(unsaid: &[String]) -> String {
    format!("every call is refused until its sender's secret is there: {}", unsaid.join(", "))
}

/// What the names of a plan stand for, with the secrets of its senders.
pub(crate) fn scope(account: AccountScope, secrets: &BTreeMap<String, Secret<String>>) -> AccountScope {
    if secrets.is_empty() {
        return account;
    }
    Arc::new(OfSenders { account, secrets: secrets.clone() })
}

struct OfSenders {
    account: AccountScope,
    secrets: BTreeMap<String, Secret<String>>,
}

impl Scope for OfSenders {
    fn value(&self, name: &Reference) -> Option<Value> {
        match name {
            Reference::Credential(name) if self.secrets.contains_key(name.as_str()) => {
                self.secrets.get(name.as_str()).map(|secret| Value::String(secret.expose().clone()))
            }
            other => self.account.value(other),
        }
    }

    fn currencies(&self) -> Option<&manifest::provider::Currencies> {
        self.account.currencies()
    }
}
