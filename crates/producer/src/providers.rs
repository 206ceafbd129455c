//! `producer providers`: what was asked comes in, an exit status goes out. Only `verify` speaks with a provider.

use crate::arguments::{Providers, ProvidersCommand, VerifyProvider};
use crate::pipeline::{COMPLETED, Ended, FAILED, INVALID, service_of};
use crate::show;
use orchestrator::{TryOptions, Workspace};

pub async fn command(asked: &Providers) -> Ended {
    match &asked.command {
        Some(ProvidersCommand::Lint { folder, place, format }) => {
            let findings = orchestrator::lint_providers(&Workspace::new(&place.workspace), folder.as_deref())?;
            show::findings_in_full(&findings, *format)?;
            return Ok(if vocab::diagnostic::has_errors(&findings) { INVALID } else { COMPLETED });
        }
        Some(ProvidersCommand::Verify(asked)) => return verify(asked).await,
        None => {}
    }
    let workspace = Workspace::new(&asked.place.workspace);
    match &asked.name {
        Some(name) => show::provider(&orchestrator::show_provider(&workspace, name)?, asked.format)?,
        None => show::providers(&orchestrator::list_providers(&workspace)?, asked.format)?,
    }
    Ok(COMPLETED)
}

async fn verify(asked: &VerifyProvider) -> Ended {
    let of = match &asked.task {
        None => None,
        Some(task) => match service_of(task, &asked.place)? {
            Ok(plan) => Some(plan),
            Err(status) => return Ok(status),
        },
    };
    let options = TryOptions { of, set: asked.set.clone(), is_test_account: asked.test_account };
    let tried = orchestrator::try_provider(&Workspace::new(&asked.place.workspace), &asked.name, &options).await?;
    show::tried(&tried, asked.format)?;
    Ok(if tried.has_failed() { FAILED } else { COMPLETED })
}
