//! How mails and messages to subscribers leave a workspace: what its environment and its secrets say comes in, a way to send goes out. Where nobody has said how, mails
//! become files of the workspace, and nothing claims that they were sent.

use crate::account;
use crate::delivering::Subscribing;
use crate::failure::Failure;
use crate::workspace::Workspace;
use connect::mail::{Sender, Sending, Server, Successor, Way};
use plan::Plan;
use plan::mail::Mail;
use std::path::PathBuf;
use std::sync::Arc;
use vocab::Secret;

/// The mail server, as an address.
pub(crate) const SERVER: &str = "SMTP_URL";
/// Who writes.
pub(crate) const FROM: &str = "MAIL_FROM";
/// The language of those of whom nobody knows one.
pub(crate) const LANGUAGE: &str = "MAIL_LANGUAGE";

/// `allow`: subscribers may be where nothing public is.
pub(crate) const PRIVATE_ADDRESSES: &str = "WEBHOOK_PRIVATE_ADDRESSES";

/// What is given of that.
struct Given {
    server: Option<Secret<String>>,
    from: Option<Secret<String>>,
    language: Option<Secret<String>>,
}

/// Whether an API sends mails.
pub(crate) fn sends(plan: &Plan) -> bool {
    !plan.api.mails.is_empty()
}

/// How mails of these plans leave the workspace that others know under that address.
///
/// # Errors
/// Where the secrets cannot be read.
pub(crate) fn sending(workspace: &Workspace, plans: &[&Plan], site: &str) -> Result<Sending, Box<Failure>> {
    let given = Given {
        server: account::given_or_kept(workspace, SERVER)?,
        from: account::given_or_kept(workspace, FROM)?,
        language: account::given_or_kept(workspace, LANGUAGE)?,
    };
    let has_token = plans.iter().flat_map(|plan| &plan.api.mails).any(Mail::has_token);
    let successor: Option<Successor> = match has_token {
        true => {
            let secret = account::shared_secret(workspace)?;
            Some(Arc::new(move |id: &str| serve::successor(&secret, id)))
        }
        false => None,
    };
    let (way, from) = way(&given, workspace.mail_folder());
    let language = given.language.map(|language| language.expose().clone());
    Ok(Sending { site: site.to_owned(), from, language, way, successor })
}

/// How messages to subscribers leave the workspace.
///
/// # Errors
/// Where the secrets cannot be read.
pub(crate) fn subscribing(workspace: &Workspace) -> Result<Subscribing, Box<Failure>> {
    let secret = account::shared_secret(workspace)?;
    let anywhere = std::env::var(PRIVATE_ADDRESSES).is_ok_and(|said| said.trim() == "allow");
    if anywhere {
        tracing::warn!(
            "`{PRIVATE_ADDRESSES}=allow`: messages to subscribers may go to addresses of this machine and of private networks"
        );
    }
    Ok(Subscribing { successor: Arc::new(move |id: &str| serve::successor(&secret, id)), anywhere })
}

/// That no mail will leave, where an API sends any and nobody has said by which server.
///
/// # Errors
/// Where the secrets cannot be read.
pub(crate) fn warning(workspace: &Workspace, plan: &Plan) -> Result<Option<String>, Box<Failure>> {
    if !sends(plan) || account::given_or_kept(workspace, SERVER)?.is_some() {
        return Ok(None);
    }
    let events: Vec<String> = plan.api.mails.iter().map(|mail| format!("`{}`", mail.event)).collect();
    Ok(Some(format!(
        "no mail leaves this machine yet (at {}): each becomes a file in `.producer/mail`; `producer secrets set {SERVER}` and `producer secrets set {FROM}` say by which server and from whom",
        events.join(", ")
    )))
}

/// Says in the log where mails go that do not leave, or why they wait.
pub(crate) fn tell(sending: &Sending) {
    match &sending.way {
        Way::Server(server) => tracing::info!(server = %server, "mails leave by this server"),
        Way::Folder(folder) => tracing::warn!(
            folder = %folder.display(),
            "no mail leaves this machine: `{SERVER}` is not set, so each becomes a file; `producer secrets set {SERVER}` mends it"
        ),
        Way::Wrong(why) => tracing::error!("mails wait: {why}"),
    }
}

fn way(given: &Given, folder: PathBuf) -> (Way, Sender) {
    let from = given.from.as_ref().map(|text| Sender::parse(text.expose()));
    let server = given.server.as_ref().map(|text| Server::parse(text.expose()));
    match (server, from) {
        (_, Some(Err(why))) => (Way::Wrong(format!("`{FROM}`: {why}")), Sender::nobody()),
        (Some(Err(why)), _) => (Way::Wrong(format!("`{SERVER}`: {why}")), Sender::nobody()),
        (Some(Ok(server)), Some(Ok(from))) => (Way::Server(Box::new(server)), from),
        (Some(Ok(server)), None) => {
            // Who signs in with an address mostly writes from it.
            let user = server.credentials.as_ref().and_then(|(user, _)| Sender::parse(user).ok());
            match user {
                Some(from) => (Way::Server(Box::new(server)), from),
                None => {
                    let why = format!(
                        "`{FROM}` is not set: `producer secrets set {FROM}` says who writes the mails, as `The shop <shop@example.com>`"
                    );
                    (Way::Wrong(why), Sender::nobody())
                }
            }
        }
        (None, Some(Ok(from))) => (Way::Folder(folder), from),
        (None, None) => (Way::Folder(folder), Sender::nobody()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mails_leave_where_server_and_sender_are_known() {
        let shown = |server: Option<&str>, from: Option<&str>| {
            let secret = |text: Option<&str>| text.map(|text| Secret::new(text.to_owned()));
            let given = Given { server: secret(server), from: secret(from), language: None };
            match way(&given, PathBuf::from("/mails")) {
                (Way::Server(server), _) => server.to_string(),
                (Way::Folder(folder), _) => folder.display().to_string(),
                (Way::Wrong(why), _) => why.split(':').next().unwrap_or_default().to_owned(),
            }
        };
        assert_eq!(shown(None, None), "/mails");
        assert_eq!(shown(None, Some("a@x.example")), "/mails");
        assert_eq!(shown(None, Some("a")), "`MAIL_FROM`");
        assert_eq!(shown(Some("smtp://u:p@h.example"), Some("A <a@x.example>")), "smtp://h.example:587");
        assert_eq!(shown(Some("smtp://u%40x.example:p@h.example"), None), "smtp://h.example:587");
        assert_eq!(shown(Some("smtp://u:p@h.example"), None), "`MAIL_FROM` is not set");
        assert_eq!(shown(Some("h.example"), Some("a@x.example")), "`SMTP_URL`");
    }
}
