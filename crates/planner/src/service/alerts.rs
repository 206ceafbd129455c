//! Who is told when an integration fails: the block of a task becomes the plan's, with the events that tell of it.

use crate::behaviour::field_name;
use crate::codes::ALERTS_DO_NOT_FIT;
use plan::alerts::{AlertWebhook, Alerts, Level};
use plan::api::EventDeclaration;
use plan::service::ValueSource;
use plan::{Decision, Phase};
use spec::{CredentialValue, Spanned};
use vocab::{Diagnostic, EventName, FieldType};

/// How many seconds an integration stands otherwise until that is told, where a task does not say it.
const AFTER: u32 = 300;
/// Longest address of a mailbox (RFC 5321, 4.5.3.1.3) and of a webhook.
const MAX_MAILBOX: usize = 254;
const MAX_URL: usize = 2_048;

/// Who is told.
///
/// # Errors
/// What is no address, and a block that names nobody.
pub fn alerts(said: &spec::Alerts) -> Result<Alerts, Vec<Diagnostic>> {
    let mut problems = Vec::new();
    let mut refused = |message: &str, help: &str, place| {
        problems.push(Diagnostic::error(ALERTS_DO_NOT_FIT, message.to_owned(), place).with_help(help));
    };
    let spec::Alerts { email, webhook, webhook_secret, after, place } = said;
    if email.is_none() && webhook.is_none() {
        refused("`alerts` tells nobody", "add `email: \"ops@example.com\"`, or `webhook:` with a URL", place);
    }
    if let Some(email) = email.as_ref().filter(|email| !is_mailbox(&email.value)) {
        refused("this is no e-mail address", "write one address: `ops@example.com`", &email.place);
    }
    if let Some(Spanned { value: CredentialValue::Plain(url), place }) = webhook
        && let Some((message, help)) = wrong_url(url)
    {
        refused(message, help, place);
    }
    if let Some(secret) = webhook_secret.as_ref().filter(|_| webhook.is_none()) {
        refused("a secret signs messages to a webhook, and there is none", "add `webhook:` with a URL", &secret.place);
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let webhook = webhook.as_ref().map(|url| AlertWebhook {
        url: super::source(&url.value),
        secret: webhook_secret.as_ref().map(|secret| super::referred(&secret.value)),
    });
    let email = email.as_ref().map(|email| email.value.clone());
    Ok(Alerts { email, webhook, after_seconds: after.as_ref().map_or(AFTER, |after| after.value) })
}

fn is_mailbox(text: &str) -> bool {
    let is_plain = |letter: char| !letter.is_whitespace() && !letter.is_control() && !"<>,;:\"()[]\\".contains(letter);
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let is_domain = domain.split('.').count() > 1 && domain.split('.').all(|label| !label.is_empty());
    text.len() <= MAX_MAILBOX && !local.is_empty() && !local.contains('@') && is_domain && text.chars().all(is_plain)
}

/// What is wrong with an address, and what mends it.
fn wrong_url(url: &str) -> Option<(&'static str, &'static str)> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")).unwrap_or_default();
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return Some((
            "this holds a password, and a task is no place for secrets",
            "write `webhook: \"${env:ALERT_WEBHOOK}\"`",
        ));
    }
    let is_plain = url.len() <= MAX_URL && !url.contains(|letter: char| letter.is_whitespace() || letter.is_control());
    (authority.is_empty() || !is_plain)
        .then_some(("this is no URL that messages can be posted to", "write `https://` and what follows it"))
}

/// What tells of it, for mails, the webhook, and whatever else listens in the workspace.
pub fn events(alerts: &Alerts) -> Vec<EventDeclaration> {
    let fields = [
        ("integration", FieldType::Line { max: 100 }),
        ("service", FieldType::Line { max: 100 }),
        ("status", FieldType::Line { max: 20 }),
        ("since", FieldType::Timestamp),
        ("reason", FieldType::Text { max: 2000 }),
        ("waiting", FieldType::Integer),
        ("given_up", FieldType::Integer),
    ];
    let email = alerts.email.is_some().then_some(("email", FieldType::Email));
    let fields: Vec<_> = fields.into_iter().chain(email).map(|(name, kind)| (field_name(name), kind)).collect();
    let event = |level: &Level| EventDeclaration {
        name: EventName::parse(level.event()).expect("a literal that is a name"),
        also: Vec::new(),
        fields: fields.clone(),
    };
    Level::ALL.iter().map(event).collect()
}

/// What was decided.
pub fn decision(alerts: &Alerts, title: &str) -> Decision {
    let email = alerts.email.iter().map(|email| format!("a mail to `{email}`"));
    let webhook = alerts.webhook.iter().map(|webhook| {
        let signed = if webhook.secret.is_some() { "signed" } else { "unsigned" };
        let to = match &webhook.url {
            ValueSource::Plain(url) => format!("`{url}`"),
            ValueSource::Environment(name) | ValueSource::Secret(name) => format!("the address in `{name}`"),
            ValueSource::Default => "nobody".to_owned(),
        };
        format!("a message to {to}, {signed}")
    });
    Decision {
        phase: Phase::ConfigureMonitoringAndAlerts,
        subject: format!("how {title} stands"),
        decision: format!("is told by {}", email.chain(webhook).collect::<Vec<_>>().join(" and ")),
        reason: format!(
            "the task names them; each once, when it has stood so for {} seconds, by whichever server is first",
            alerts.after_seconds
        ),
    }
}
