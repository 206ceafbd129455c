//! `producer mail`: what was asked comes in, mails as text, HTML or a list go out. Nothing is sent.

use crate::arguments::{MailCommand, MailForm};
use crate::pipeline::{COMPLETED, Ended};
use crate::show;
use orchestrator::Workspace;
use std::fs;
use std::io::Write as _;

pub fn command(asked: &MailCommand) -> Ended {
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
    }
    Ok(COMPLETED)
}
