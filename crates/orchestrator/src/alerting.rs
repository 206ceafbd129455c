//! Whoever is to be told how an integration stands is told: looks again and again how it does, notes it in the database, and tells by an event
//! once it has stood otherwise for long enough. Sends nothing: mails, the webhook and whoever else listens get the event as any other.

use crate::account::found;
use crate::failure::Failure;
use crate::integrations::{IntegrationStatus, Stands, of_service};
use crate::workspace::Workspace;
use connect::alert_webhook::Target;
use connect::delivery::{from_text, to_text};
use jiff::Timestamp;
use plan::Plan;
use plan::alerts::{Alerts, Level};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use store::Store;
use store::alerting::AlertState;

/// How often it is looked, first and last; in between four times as often as anything is told.
const LOOKS: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(15)];

/// Looks how the service of a plan stands, as long as it is let.
pub(crate) async fn watch(store: Store, plan: Plan) {
    let Some(alerts) = plan.alerts() else { return };
    let [least, most] = LOOKS;
    let pause = (Duration::from_secs(alerts.after_seconds.into()) / 4).clamp(least, most);
    loop {
        if let Err(why) = look(&store, &plan, alerts, Timestamp::now().as_millisecond()).await {
            tracing::warn!(task = %plan.task_id, "how the integration stands is not known, and told to nobody: {why}");
        }
        tokio::time::sleep(pause).await;
    }
}

/// One look; `now` is in milliseconds since 1970.
async fn look(store: &Store, plan: &Plan, alerts: &Alerts, now: i64) -> Result<(), String> {
    let Some(status) = of_service(store, plan).await? else { return Ok(()) };
    let (integration, level, at) = (plan.task_id.as_str(), level(status.status), to_text(now));
    let known = store.alert_state(integration).await.map_err(said)?;
    match next(known.as_ref(), level, alerts.after_seconds, now) {
        Next::Begins => {
            store.alert_begins(integration, Level::Well.as_str(), level.as_str(), &at).await.map_err(said)?;
        }
        Next::Stands(before) => {
            store.alert_stands(integration, before, level.as_str(), &at).await.map_err(said)?;
        }
        Next::Tells(known) => {
            let payload = payload(plan, alerts, &status, &known.since);
            let told = store.alert_tells(integration, known, (level.event(), payload), &at).await.map_err(said)?;
            if told && level == Level::Well {
                tracing::info!(integration, "an integration works again");
            } else if told {
                tracing::warn!(integration, reasons = %status.reasons.join("; "), "an integration is {}", level.as_str());
            }
        }
        Next::Nothing => {}
    }
    Ok(())
}

fn said(error: store::StoreError) -> String {
    Failure::deliveries(&error).with_hint()
}

/// What is to be done behind a look.
#[derive(Debug, PartialEq)]
enum Next<'s> {
    /// Nobody has looked before.
    Begins,
    /// It stands otherwise than before.
    Stands(&'s AlertState),
    /// It has stood so for long enough, and otherwise was told.
    Tells(&'s AlertState),
    Nothing,
}

fn next(known: Option<&AlertState>, level: Level, after_seconds: u32, now: i64) -> Next<'_> {
    let Some(known) = known else { return Next::Begins };
    let has_lasted = || from_text(&known.since).is_some_and(|since| now - since >= i64::from(after_seconds) * 1000);
    if known.stands != level.as_str() {
        Next::Stands(known)
    } else if known.told != level.as_str() && has_lasted() {
        Next::Tells(known)
    } else {
        Next::Nothing
    }
}

fn level(stands: Stands) -> Level {
    match stands {
        Stands::Idle | Stands::Ok | Stands::FirstReading => Level::Well,
        Stands::NeedsAttention => Level::NeedsAttention,
        Stands::Late | Stands::Failing => Level::Failing,
    }
}

fn payload(plan: &Plan, alerts: &Alerts, status: &IntegrationStatus, since: &str) -> Value {
    let title = plan.service.as_ref().map(|service| service.manifest.provider.title.as_str());
    let reason = match status.reasons[..] {
        [] => "nothing has failed lately, and nothing waits for too long".to_owned(),
        _ => status.reasons.join("; "),
    };
    let mut payload = json!({
        "integration": status.integration,
        "service": title,
        "status": status.status.as_str(),
        "since": since,
        "reason": reason,
        "waiting": status.waiting,
        "given_up": status.given_up,
    });
    if let Some(email) = &alerts.email {
        payload["email"] = email.as_str().into();
    }
    payload
}

/// Where the messages of these plans are posted to, by integration.
///
/// # Errors
/// Where the secrets cannot be read.
pub(crate) fn targets<'p>(
    workspace: &Workspace,
    plans: impl Iterator<Item = &'p Plan>,
) -> Result<BTreeMap<String, Target>, Box<Failure>> {
    let mut targets = BTreeMap::new();
    for plan in plans {
        let Some(webhook) = plan.alerts().and_then(|alerts| alerts.webhook.as_ref()) else { continue };
        let mut target = Target::default();
        for (from, value) in [(Some(&webhook.url), &mut target.url), (webhook.secret.as_ref(), &mut target.secret)] {
            let Some(from) = from else { continue };
            *value = found(workspace, from)?;
            if value.is_none() && target.missing.is_none() {
                target.missing = from.variable().map(str::to_owned);
            }
        }
        targets.insert(plan.task_id.to_string(), target);
    }
    Ok(targets)
}

/// That nothing is posted to a webhook of the plan, because nobody has said what it needs.
///
/// # Errors
/// Where the secrets cannot be read.
pub(crate) fn warning(workspace: &Workspace, plan: &Plan) -> Result<Option<String>, Box<Failure>> {
    let mut targets = targets(workspace, std::iter::once(plan))?.into_values();
    Ok(targets.next().and_then(|target| target.missing).map(|name| {
        format!("nobody is told by the webhook of `alerts` yet: `producer secrets set {name}`, or the environment variable, says what it needs")
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000_000;

    fn state(told: Level, stands: Level, for_seconds: i64) -> AlertState {
        AlertState {
            told: told.as_str().to_owned(),
            stands: stands.as_str().to_owned(),
            since: to_text(NOW - for_seconds * 1000),
        }
    }

    #[test]
    fn what_has_lasted_is_told_once() {
        use Level::{Failing, NeedsAttention, Well};
        let of = |known: Option<&AlertState>, level| match next(known, level, 60, NOW) {
            Next::Begins => "begins",
            Next::Stands(_) => "stands",
            Next::Tells(_) => "tells",
            Next::Nothing => "nothing",
        };
        assert_eq!(of(None, Failing), "begins");
        assert_eq!(of(Some(&state(Well, Well, 900)), Failing), "stands");
        assert_eq!(of(Some(&state(Well, Failing, 59)), Failing), "nothing");
        assert_eq!(of(Some(&state(Well, Failing, 60)), Failing), "tells");
        // One that was told of, or that goes up and down, is not told again.
        assert_eq!(of(Some(&state(Failing, Failing, 900)), Failing), "nothing");
        assert_eq!(of(Some(&state(Well, Failing, 900)), Well), "stands");
        assert_eq!(of(Some(&state(Failing, NeedsAttention, 60)), NeedsAttention), "tells");
        assert_eq!(of(Some(&state(Failing, Well, 60)), Well), "tells");
    }
}
