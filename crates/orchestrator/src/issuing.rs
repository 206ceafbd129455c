//! Who issues the access tokens that a workspace's APIs take of another issuer: what its environment and its secrets say comes in, the
//! issuer goes out, or what has to be said first.

use crate::account::given_or_kept;
use crate::failure::Failure;
use crate::workspace::Workspace;
use plan::Plan;
use plan::accounts::{AUDIENCE, ISSUER};
use serve::Issuer;
use std::sync::Arc;

/// What is wrong with the settings.
pub(crate) enum Unsaid {
    /// Nothing is said under these names.
    Missing(Vec<&'static str>),
    /// Why it cannot be an issuer, as a part of a sentence.
    Wrong(String),
}

/// The issuer, where the API takes its tokens and it is known.
///
/// # Errors
/// Where the secrets cannot be read; inside, what has to be said first.
pub(crate) fn issuer(workspace: &Workspace, api: &Plan) -> Result<Option<Result<Arc<Issuer>, Unsaid>>, Box<Failure>> {
    if !api.api.takes_issued_tokens() {
        return Ok(None);
    }
    let (name, audience) = (given_or_kept(workspace, ISSUER)?, given_or_kept(workspace, AUDIENCE)?);
    Ok(Some(match (name, audience) {
        (Some(name), Some(audience)) => {
            Issuer::new(name.expose(), audience.expose()).map(Arc::new).map_err(Unsaid::Wrong)
        }
        (name, audience) => {
            let missing = [(ISSUER, name.is_none()), (AUDIENCE, audience.is_none())];
            Err(Unsaid::Missing(
                missing.into_iter().filter(|(_, is_missing)| *is_missing).map(|(name, _)| name).collect(),
            ))
        }
    }))
}

/// The issuer of these plans. Where it is not known the log says so, and their endpoints answer that no token can be checked.
///
/// # Errors
/// Where the secrets cannot be read.
pub(crate) fn of_plans(workspace: &Workspace, plans: &[&Plan]) -> Result<Option<Arc<Issuer>>, Box<Failure>> {
    let Some(plan) = plans.iter().find(|plan| plan.api.takes_issued_tokens()) else { return Ok(None) };
    match issuer(workspace, plan)? {
        None => Ok(None),
        Some(Ok(issuer)) => {
            tracing::info!(issuer = issuer.name(), "access tokens of this issuer are taken");
            Ok(Some(issuer))
        }
        Some(Err(unsaid)) => {
            tracing::error!("no access token can be checked: {}", told(&unsaid));
            Ok(None)
        }
    }
}

/// That somebody must say first who issues the tokens.
pub(crate) fn asked(unsaid: &Unsaid) -> Failure {
    Failure::issuer(&told(unsaid))
}

/// The same where the task is only tried.
pub(crate) fn warning(unsaid: &Unsaid) -> String {
    format!("no access token of an issuer can be checked yet: {}", told(unsaid))
}

fn told(unsaid: &Unsaid) -> String {
    match unsaid {
        Unsaid::Missing(names) => {
            let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
            format!("{} {} not set", names.join(" and "), if names.len() == 1 { "is" } else { "are" })
        }
        Unsaid::Wrong(why) => format!("`{ISSUER}` is wrong: {why}"),
    }
}
