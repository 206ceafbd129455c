//! `producer mail`: what was asked comes in; mails as text, HTML or a list, and to whom none goes, go out. Nothing is sent.

use crate::arguments::{MailCommand, MailForm, Reason, SuppressedCommand};
use crate::pipeline::{COMPLETED, Ended};
use crate::show;
use orchestrator::{SuppressionReason, Workspace};
use std::fs;
use std::io::Write as _;

pub async fn command(asked: &MailCommand) -> Ended {
    match asked {
        MailCommand::List { place, format } => {
            show::mails(&orchestrator::list_mails(&Workspace::new(&place.workspace))?, *format)?;
        }
        MailCommand::Preview { event, language, form, output, place } => {
            let workspace = Workspace::new(&place.workspace);
            let mail = orchestrator::preview_mail(&workspace, event, language.as_deref())?;
            let text = match form {
                MailForm::Text => format!("{}\n\n{}", mail.subject, mail.text),
                MailForm::Html => mail.html,
            };
            match output {
                Some(file) => {
                    fs::write(file, text).map_err(|error| format!("`{}` cannot be written: {error}", file.display()))?
                }
                None => std::io::stdout().write_all(text.as_bytes())?,
            }
        }
        MailCommand::Suppressed(asked) => return suppressed(asked).await,
    }
    Ok(COMPLETED)
}

async fn suppressed(asked: &SuppressedCommand) -> Ended {
    match asked {
        SuppressedCommand::List { reason, place, format } => {
            let workspace = Workspace::new(&place.workspace);
            show::suppressed(&orchestrator::list_suppressed(&workspace, reason.map(of)).await?, *format)?;
        }
        SuppressedCommand::Add { addresses, reason, said, place } => {
            let workspace = Workspace::new(&place.workspace);
            let added = orchestrator::add_suppressed(&workspace, addresses, of(*reason), said.as_deref()).await?;
            match added {
                1 => eprintln!("no mail goes to 1 address more"),
                count => eprintln!("no mail goes to {count} addresses more"),
            }
        }
        SuppressedCommand::Remove { addresses, place } => {
            orchestrator::remove_suppressed(&Workspace::new(&place.workspace), addresses).await?;
            eprintln!("mails go there again; `producer deliveries replay ID` sends one that was kept back");
        }
    }
    Ok(COMPLETED)
}

fn of(reason: Reason) -> SuppressionReason {
    match reason {
        Reason::Bounce => SuppressionReason::Bounce,
        Reason::Complaint => SuppressionReason::Complaint,
        Reason::Manual => SuppressionReason::Manual,
    }
}
