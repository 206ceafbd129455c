//! `producer secrets`: what was asked comes in, an exit status goes out. A value is read from standard input or from the terminal,
//! and is printed only where `export --stdout` asks for it.

use crate::arguments::{Export, ExportFormat, SecretsCommand};
use crate::pipeline::{COMPLETED, Ended};
use crate::secret_input::read_value;
use crate::show;
use orchestrator::{ExportForm, Workspace};
use std::io::{self, Write as _};

pub fn command(asked: &SecretsCommand) -> Ended {
    match asked {
        SecretsCommand::Set { name, overlap, place } => {
            let value = read_value(name)?;
            orchestrator::set_secret(&Workspace::new(&place.workspace), name, &value, overlap.as_deref())?;
            eprintln!("`{name}` is set; tasks use it as `${{secret:{name}}}`");
        }
        SecretsCommand::List { place, format } => {
            show::secrets(&orchestrator::list_secrets(&Workspace::new(&place.workspace))?, *format)?;
        }
        SecretsCommand::Rotate { name, place } => {
            let role = orchestrator::rotate_secret(&Workspace::new(&place.workspace), name)?;
            eprintln!("the role `{role}` has a new password, on the server and as `{name}` in the store");
        }
        SecretsCommand::Export(export) => hand_out(export)?,
        SecretsCommand::Remove { name, place } => {
            orchestrator::remove_secret(&Workspace::new(&place.workspace), name)?;
            eprintln!("`{name}` is forgotten");
        }
        SecretsCommand::Rekey { place } => match orchestrator::rekey_secrets(&Workspace::new(&place.workspace))? {
            Some(key) => eprintln!("the store is locked with key {key}; the key before opens it no longer"),
            None => eprintln!("no secret was set here yet, so there is nothing to lock"),
        },
    }
    Ok(COMPLETED)
}

fn hand_out(export: &Export) -> Result<(), Box<dyn std::error::Error>> {
    let form = match export.format {
        ExportFormat::Env => ExportForm::Env,
        ExportFormat::Json => ExportForm::Json,
    };
    let workspace = Workspace::new(&export.place.workspace);
    match orchestrator::export_secrets(
        &workspace,
        &export.names,
        export.deployment.as_deref(),
        form,
        export.to.as_deref(),
    )? {
        Some(text) => io::stdout().lock().write_all(text.expose().as_bytes())?,
        None => eprintln!("written, in clear, for this user alone: remove the file when it has done its work"),
    }
    Ok(())
}
