//! The mails that a workspace knows, and what each says: an event comes in, the mail with made-up values goes out. Nothing is sent.

use crate::knowledge;
use crate::run::Stop;
use crate::settings::WorkspaceSettings;
use crate::workspace::{Workspace, WorkspaceFailure};
use catalog::MailTemplate;
use connect::mail::{Links, Rendered, rendered};
use serde::Serialize;
use serde_json::{Map, Value};
use vocab::suggestion::{closest, list};
use vocab::{Diagnostic, EventName};

/// Where a site is of which nobody has said where.
const SITE: &str = "https://example.com";
/// What stands where the token of a real mail would.
const TOKEN: &str = "#token=...";

/// A mail that events make.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ListedMail {
    /// The event.
    pub event: String,
    /// The languages it is written in; the first for everybody whose language is not among them.
    pub languages: Vec<String>,
    /// The page that its button leads to.
    pub link: Option<String>,
    /// Whether it goes to who has complained of mails too.
    pub essential: bool,
    /// The file of the workspace that says it; none where this build brings it.
    pub file: Option<String>,
}

/// Why no mail can be shown.
#[derive(Debug, thiserror::Error)]
pub enum MailsFailure {
    /// The workspace cannot be read.
    #[error(transparent)]
    Workspace(#[from] WorkspaceFailure),
    /// A file of the workspace is wrong.
    #[error("{}", .0.first().map(ToString::to_string).unwrap_or_default())]
    Wrong(Vec<Diagnostic>),
    /// No event of that name makes a mail.
    #[error("no event `{event}` makes a mail: {help}")]
    Unknown {
        /// What was asked for.
        event: String,
        /// What was meant, or what there is.
        help: String,
    },
    /// The mail is not written in that language.
    #[error("the mail of `{event}` is not written in `{language}`: it is in {known}")]
    Language {
        /// The event.
        event: EventName,
        /// What was asked for.
        language: String,
        /// What there is.
        known: String,
    },
}

impl From<Stop> for MailsFailure {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Workspace(failure) => Self::Workspace(failure),
            Stop::Invalid(diagnostics) => Self::Wrong(diagnostics),
            Stop::World(_) | Stop::Asks(_) => unreachable!("reading files asks nobody"),
        }
    }
}

/// Every mail that the workspace knows, by event.
///
/// # Errors
/// A file of the workspace cannot be read, or is wrong.
pub fn list_mails(workspace: &Workspace) -> Result<Vec<ListedMail>, MailsFailure> {
    let catalog = knowledge::with_own(workspace)?;
    let listed = |mail: &MailTemplate| ListedMail {
        event: mail.event.to_string(),
        languages: mail.texts.iter().map(|text| text.language.clone()).collect(),
        link: mail.link.as_ref().map(|link| link.path.clone()),
        essential: mail.essential,
        file: mail.file.clone(),
    };
    Ok(catalog.mails().map(listed).collect())
}

/// What the mail of an event says, with made-up values.
///
/// # Errors
/// As [`list_mails`], and where there is no such mail.
pub fn preview_mail(workspace: &Workspace, event: &str, language: Option<&str>) -> Result<Rendered, MailsFailure> {
    let catalog = knowledge::with_own(workspace)?;
    let names: Vec<&str> = catalog.mails().map(|mail| mail.event.as_str()).collect();
    let unknown = || {
        let help = closest(event, &names)
            .map_or_else(|| format!("those do: {}", list(&names)), |meant| format!("did you mean `{meant}`?"));
        MailsFailure::Unknown { event: event.to_owned(), help }
    };
    let template = EventName::parse(event).ok().and_then(|name| catalog.mail(&name)).ok_or_else(unknown)?;
    let texts = planner::mail_texts(template);
    let found = texts.iter().find(|text| language.is_none_or(|asked| text.language == asked));
    let text = found.ok_or_else(|| MailsFailure::Language {
        event: template.event.clone(),
        language: language.unwrap_or_default().to_owned(),
        known: list(&texts.iter().map(|text| text.language.as_str()).collect::<Vec<_>>()),
    })?;
    let site = WorkspaceSettings::read(workspace).ok().and_then(|settings| settings.public_url);
    let site = site.unwrap_or_else(|| SITE.to_owned());
    let link = template
        .link
        .as_ref()
        .map(|link| format!("{site}{}{}", link.path, link.token.as_ref().map(|_| TOKEN).unwrap_or_default()));
    let unsubscribe = template.unsubscribe.as_ref().map(|_| format!("{site}/api/newsletter/unsubscribe/..."));
    let made_up = |field: &str| match field {
        _ if field == template.to.field.as_str() => "ada@example.com".to_owned(),
        "name" => "Ada Lovelace".to_owned(),
        _ => format!("[{field}]"),
    };
    let payload: Map<String, Value> = template
        .names
        .iter()
        .map(|named| (named.field.to_string(), Value::String(made_up(named.field.as_str()))))
        .collect();
    let links = Links { link: link.unwrap_or_default(), unsubscribe: unsubscribe.unwrap_or_default() };
    Ok(rendered(text, &payload, &site, &links))
}
