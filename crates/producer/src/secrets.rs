//! `producer secrets`: what was asked comes in, an exit status goes out. A value is read from standard input or from the terminal,
//! and is printed only where `export --stdout` asks for it. `connect` waits for a person who agrees at a provider.

use crate::arguments::{Connect, Export, ExportFormat, SecretsCommand};
use crate::pipeline::{COMPLETED, Ended, FAILED, service_of};
use crate::secret_input::{read_once, read_value};
use crate::show;
use orchestrator::{Asking, ConsentOptions, ExportForm, Workspace};
use std::io::{self, Write as _};

pub async fn command(asked: &SecretsCommand) -> Ended {
    match asked {
        SecretsCommand::Connect(connect) => return self::connect(connect).await,
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

async fn connect(asked: &Connect) -> Ended {
    let workspace = Workspace::new(&asked.place.workspace);
    let plan = match service_of(&asked.task, &asked.place)? {
        Ok(plan) => plan,
        Err(status) => return Ok(status),
    };
    let (listen, redirect) = (asked.listen.clone(), asked.redirect.clone());
    let options = ConsentOptions { listen, waits: !asked.paste, redirect };
    let asking = Asking::begin(&workspace, &plan, &options).await?;
    let title = asking.title.clone();
    eprintln!("{title} must know {} as an address to come back to; then open, and agree:", asking.redirect);
    println!("{}", asking.url());
    let agreed = match asked.paste {
        true => {
            eprintln!("then paste the address to which the browser was led, or the code in it");
            asking.copied(&read_once()?).await?
        }
        false => asking.wait().await?,
    };
    show::agreed(&title, &agreed);
    Ok(if agreed.problem.is_none() { COMPLETED } else { FAILED })
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
