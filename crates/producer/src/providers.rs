//! `producer providers`: what was asked comes in, an exit status goes out. Files are read; no provider is spoken to.

use crate::arguments::{Providers, ProvidersCommand};
use crate::pipeline::{COMPLETED, Ended, INVALID};
use crate::show;
use orchestrator::Workspace;

pub fn command(asked: &Providers) -> Ended {
    if let Some(ProvidersCommand::Lint { folder, place, format }) = &asked.command {
        let findings = orchestrator::lint_providers(&Workspace::new(&place.workspace), folder.as_deref())?;
        show::findings_in_full(&findings, *format)?;
        return Ok(if vocab::diagnostic::has_errors(&findings) { INVALID } else { COMPLETED });
    }
    let workspace = Workspace::new(&asked.place.workspace);
    match &asked.name {
        Some(name) => show::provider(&orchestrator::show_provider(&workspace, name)?, asked.format)?,
        None => show::providers(&orchestrator::list_providers(&workspace)?, asked.format)?,
    }
    Ok(COMPLETED)
}
