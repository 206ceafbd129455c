//! The mails of an API: for each event that it emits and somebody has written a mail for. A template names fields; the event must have them.

use crate::api::Designed;
use catalog::{Catalog, MAIL_FILE_WRONG, MailTemplate, Named, TemplateLink, TemplateText};
use plan::accounts::{AccountPage, AccountTask};
use plan::api::EventDeclaration;
use plan::mail::{Mail, MailLink, MailText, Unsubscribe};
use plan::{Decision, Phase, system};
use vocab::suggestion::{closest, list};
use vocab::{Diagnostic, FieldName, FieldType};

/// Fields of an event that say in which language somebody is written to.
const LANGUAGES: [&str; 3] = ["language", "locale", "preferred_language"];

/// Adds the mails that the events of an API make, and why.
///
/// # Errors
/// A template of the workspace names what the event has not.
pub fn add(designed: &mut Designed, catalog: &Catalog) -> Result<(), Vec<Diagnostic>> {
    let mut problems = Vec::new();
    // Where a token that ends a subscription is taken: the path, as far as the token.
    let leaving = designed.api.pages.iter().find(|page| page.does == AccountTask::EndSubscription);
    let leaving = leaving.and_then(|AccountPage { calls, .. }| Some(calls.split_once('{')?.0.to_owned()));
    for event in &designed.api.events {
        let Some(template) = catalog.mail(&event.name) else { continue };
        let mut wrong = misfits(template, event);
        wrong.extend(template.unsubscribe.as_ref().filter(|_| leaving.is_none()).map(nothing_to_leave));
        match (wrong.is_empty(), &template.file) {
            (true, _) => {
                let mail = mail(template, event, leaving.as_deref());
                designed.decisions.push(decision(&mail, template));
                designed.api.mails.push(mail);
            }
            (false, Some(_)) => problems.extend(wrong),
            // The task has given another event a name for which this build has a mail.
            (false, None) => designed.decisions.push(left_out(event, &wrong)),
        }
    }
    if !designed.api.mails.is_empty() {
        designed.tables.push(system::mail_suppressions());
        designed.decisions.push(asks_first());
    }
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

/// That not everybody is written to.
fn asks_first() -> Decision {
    Decision {
        phase: Phase::ImplementEndpointLogic,
        subject: "mails".to_owned(),
        decision: "go to no address of `mail_suppressions`: one that nobody has, that has complained, or that was put there by hand".to_owned(),
        reason: "who writes to them all the same is soon not let through to anybody".to_owned(),
    }
}

/// What the template names and the event has not, once for each place.
fn misfits(template: &MailTemplate, event: &EventDeclaration) -> Vec<Diagnostic> {
    let token = template.link.as_ref().and_then(|link| link.token.as_ref());
    let asked = std::iter::once((&template.to, Some((FieldType::Email, "an e-mail address"))))
        .chain(
            token
                .into_iter()
                .chain(&template.unsubscribe)
                .map(|token| (token, Some((FieldType::Uuid, "the id of a token")))),
        )
        .chain(template.names.iter().map(|name| (name, None)));
    let mut problems: Vec<Diagnostic> = Vec::new();
    for (Named { field, place }, wanted) in asked {
        let found = event.fields.iter().find(|(name, _)| name == field).map(|(_, field_type)| field_type);
        let problem = match (found, wanted) {
            (Some(found), Some((wanted, what))) if *found != wanted => {
                let message = format!("`{field}` of event `{}` is {}, not {what}", event.name, found.describe());
                Diagnostic::error(MAIL_FILE_WRONG, message, place)
            }
            (Some(_), _) => continue,
            (None, _) => {
                let message = format!("event `{}` has no field `{field}`", event.name);
                Diagnostic::error(MAIL_FILE_WRONG, message, place).with_help(meant(field, event))
            }
        };
        if !problems.contains(&problem) {
            problems.push(problem);
        }
    }
    problems
}

fn nothing_to_leave(named: &Named) -> Diagnostic {
    let message = "this API has no newsletter that is confirmed, so there is nothing to unsubscribe from".to_owned();
    Diagnostic::error(MAIL_FILE_WRONG, message, &named.place)
        .with_help("leave `unsubscribe` out, or name the endpoint that confirms: `POST /api/newsletter/confirm`")
}

fn meant(field: &FieldName, event: &EventDeclaration) -> String {
    let known: Vec<&str> = event.fields.iter().map(|(name, _)| name.as_str()).collect();
    match closest(field.as_str(), &known) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("it has {}", list(&known)),
    }
}

/// What a template says, as a plan has it.
#[must_use]
pub fn mail_texts(template: &MailTemplate) -> Vec<MailText> {
    let text = |text: &TemplateText| MailText {
        language: text.language.clone(),
        subject: text.subject.clone(),
        paragraphs: text.paragraphs.clone(),
        button: text.button.clone(),
        closing: text.closing.clone(),
        unsubscribe: text.unsubscribe.clone(),
    };
    template.texts.iter().map(text).collect()
}

fn mail(template: &MailTemplate, event: &EventDeclaration, leaving: Option<&str>) -> Mail {
    let has = |name: &&str| event.fields.iter().any(|(field, _)| field.as_str() == *name);
    let link = |link: &TemplateLink| MailLink {
        path: link.path.clone(),
        token: link.token.as_ref().map(|token| token.field.clone()),
    };
    Mail {
        event: template.event.clone(),
        to: template.to.field.clone(),
        language: LANGUAGES.iter().find(|name| has(name)).and_then(|name| FieldName::parse(name).ok()),
        link: template.link.as_ref().map(link),
        unsubscribe: template
            .unsubscribe
            .as_ref()
            .zip(leaving)
            .map(|(token, path)| Unsubscribe { path: path.to_owned(), token: token.field.clone() }),
        essential: template.essential,
        texts: mail_texts(template),
    }
}

fn decision(mail: &Mail, template: &MailTemplate) -> Decision {
    let languages: Vec<String> = mail.texts.iter().map(|text| format!("`{}`", text.language)).collect();
    let link = mail.link.as_ref().map(|link| format!(", with a link to `{}`", link.path)).unwrap_or_default();
    let essential = if mail.essential { "; also to who has complained" } else { "" };
    Decision {
        phase: Phase::ImplementEndpointLogic,
        subject: format!("event `{}`", mail.event),
        decision: format!("a mail goes to its `{}`, in {}{link}{essential}", mail.to, languages.join(" and ")),
        reason: match &template.file {
            Some(file) => format!("as `{file}` says"),
            None => "this build has a mail for it; a file in `mails` of the workspace would take its place".to_owned(),
        },
    }
}

fn left_out(event: &EventDeclaration, wrong: &[Diagnostic]) -> Decision {
    let why: Vec<&str> = wrong.iter().map(|problem| problem.message.as_str()).collect();
    Decision {
        phase: Phase::ImplementEndpointLogic,
        subject: format!("event `{}`", event.name),
        decision: "makes no mail".to_owned(),
        reason: format!("this build has one for it that does not fit: {}", why.join("; ")),
    }
}
