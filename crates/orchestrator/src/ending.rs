//! Credentials that end by themselves: the plan of a service comes in with what the workspace keeps, when each of them ends goes out,
//! and what to do before. No value is part of it.

use crate::integrations::CredentialEnd;
use crate::run::timestamp;
use crate::workspace::Workspace;
use jiff::{SignedDuration, Timestamp};
use manifest::authentication::{Authentication, Grant};
use plan::service::{ServicePlan, ValueSource};
use secrets::ListedSecret;
use std::fmt::Write as _;

/// How long before its end somebody is warned.
const SOON: SignedDuration = SignedDuration::from_hours(14 * 24);
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// Something that ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ending {
    /// The task.
    integration: String,
    /// Its name in the manifest.
    name: String,
    /// What it is, in words.
    title: String,
    ends_at: Timestamp,
    /// What to do.
    help: String,
}

impl Ending {
    /// As a status shows it.
    pub fn shown(&self) -> CredentialEnd {
        CredentialEnd { credential: self.name.clone(), ends_at: timestamp(self.ends_at) }
    }
}

/// Everything of a service that ends, as far as anybody knows: a credential so long after it was set as the manifest says, and a token
/// that leads to no other.
pub(crate) fn endings(workspace: &Workspace, plan: &ServicePlan) -> Vec<Ending> {
    // A store that cannot be read is said where its secrets are needed.
    let listed = workspace.secrets().list().unwrap_or_default();
    let mut endings = credentials(plan, &listed);
    endings.extend(tokens(workspace, plan, &listed));
    endings
}

fn credentials(plan: &ServicePlan, listed: &[ListedSecret]) -> Vec<Ending> {
    let provider = &plan.manifest.provider;
    let ending = |value: &plan::service::AccountValue| {
        let ValueSource::Secret(secret) = &value.from else { return None };
        let credential = provider.credentials.get(value.name.as_str())?;
        let days = i32::try_from(credential.ends_after_days?).ok()?;
        let set = listed.iter().find(|listed| listed.name.as_str() == secret)?;
        let set_at: Timestamp = set.changed_at.parse().ok()?;
        Some(Ending {
            integration: plan.task_id.to_string(),
            name: value.name.to_string(),
            title: format!("{} of {}", credential.title, provider.title),
            ends_at: set_at.checked_add(DAY * days).ok()?,
            help: format!("get another one ({}), then `producer secrets set {secret}`", credential.find),
        })
    };
    plan.account.iter().filter_map(ending).collect()
}

/// Tokens of somebody's agreement that bring no other.
fn tokens(workspace: &Workspace, plan: &ServicePlan, listed: &[ListedSecret]) -> Vec<Ending> {
    let provider = &plan.manifest.provider;
    let ways = provider.authentication.iter().filter(|(_, way)| match way {
        Authentication::Oauth2(way) => way.grant == Grant::AuthorizationCode,
        _ => false,
    });
    let ending = |name: &str| {
        let last = crate::tokens::kept_last(listed, plan.task_id.as_str(), name)?;
        let token = crate::tokens::read(workspace, &last).ok()??;
        Some(Ending {
            integration: plan.task_id.to_string(),
            name: name.to_owned(),
            title: format!("what was agreed to at {}", provider.title),
            ends_at: token.ends_at.filter(|_| token.refresh.is_none())?,
            help: format!("somebody has to agree again: `producer secrets connect {}`", plan.task_id),
        })
    };
    ways.filter_map(|(name, _)| ending(name.as_str())).collect()
}

/// What somebody should be told now.
pub(crate) fn warnings(endings: &[Ending], now: Timestamp) -> Vec<String> {
    let soon = endings.iter().filter(|ending| ending.ends_at.duration_since(now) < SOON);
    let said = |ending: &Ending| {
        let word = if ending.ends_at <= now { "ended" } else { "ends" };
        format!("{} {word} on {}: {}", ending.title, ending.ends_at.strftime("%Y-%m-%d"), ending.help)
    };
    soon.map(said).collect()
}

/// Whether a warning of an earlier time is about one of them.
pub(crate) fn is_about(endings: &[Ending], warning: &str) -> bool {
    endings.iter().any(|ending| warning.strip_prefix(&*ending.title).is_some_and(|rest| rest.starts_with(" end")))
}

/// The same as Prometheus text.
pub(crate) fn metrics(endings: &[Ending]) -> String {
    let name = "credential_ends_at_seconds";
    let mut text = format!("# HELP {name} When a credential ends, in seconds since 1970.\n# TYPE {name} gauge\n");
    for ending in endings {
        let _ = writeln!(
            text,
            "{name}{{integration=\"{}\",credential=\"{}\"}} {}",
            ending.integration,
            ending.name,
            ending.ends_at.as_second()
        );
    }
    text
}
