//! How the integrations of a workspace stand: its databases are asked what waits, what was tried within an hour and what was read, one
//! record an integration goes out. Changes nothing and starts no server.

use crate::ending;
use crate::failure::Failure;
use crate::located::Opened;
use crate::mailing::sends;
use crate::status::TaskStatus;
use crate::workspace::Workspace;
use connect::delivery::{Outcome, from_text};
use connect::syncing::{FIELDS_MISSING, LEFT_OUT};
use jiff::Timestamp;
use plan::{Plan, alerts, mail, subscribers};
use serde::Serialize;
use std::collections::BTreeSet;
use std::time::Duration;
use store::delivery::{DeliveryStanding, LateAttempt};
use store::sync::SyncState;
use store::{Store, StoreError};
use vocab::TaskId;

/// How long a database may take to say how its integrations stand.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);
/// Attempts of that long ago still count, in milliseconds.
const LATELY_MS: i64 = 3_600_000;
/// What has waited longer is late, in milliseconds; the alerts that are emitted say the same.
const LATE_MS: i64 = 3_600_000;
/// A reading that nobody has begun so long after it was due is late, in milliseconds; the alerts say the same.
const READING_LATE_MS: i64 = 1_800_000;

/// So many attempts that failed one after the other say that nothing gets there now, however well it went before.
const IN_A_ROW: usize = 3;

/// How an integration or a sync stands. The later word counts where several hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stands {
    /// Nothing has happened yet.
    #[default]
    Idle,
    /// What was to be done is done, or under way.
    Ok,
    /// Not everything is here yet that was there at first.
    FirstReading,
    /// Deliveries were given up, or records left out: a person has to look.
    NeedsAttention,
    /// Something waits for too long.
    Late,
    /// What was tried last has failed.
    Failing,
}

impl Stands {
    /// The word that lists show.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Ok => "ok",
            Self::FirstReading => "first_reading",
            Self::NeedsAttention => "needs_attention",
            Self::Late => "late",
            Self::Failing => "failing",
        }
    }
}

/// How an integration stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct IntegrationStatus {
    /// Whose deliveries: the task that integrates a service, `mail` or `subscribers`.
    pub integration: String,
    /// The provider.
    pub service: String,
    /// The worst of what is known.
    pub status: Stands,
    /// When a delivery came out well last, UTC.
    pub last_success: Option<String>,
    /// Attempts that ended within an hour; of very many the newest 1000.
    pub attempts: usize,
    /// Which part of them failed, from 0 to 1; none without any.
    pub error_rate: Option<f64>,
    /// How long an attempt took, in milliseconds: half of them less.
    pub latency_ms: Option<i64>,
    /// The same: 95 of 100 less.
    pub latency_p95_ms: Option<i64>,
    /// Deliveries that wait or are under way.
    pub waiting: i64,
    /// When the oldest of them was made, UTC.
    pub oldest: Option<String>,
    /// Deliveries that were given up.
    pub given_up: i64,
    /// What went wrong last within the hour.
    pub problem: Option<String>,
    /// Why it does not stand well, for whoever is told of it: numbers and codes, and nothing of anybody.
    #[serde(skip)]
    pub reasons: Vec<String>,
    /// Credentials and tokens that end.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ends: Vec<CredentialEnd>,
    /// Records that come in.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub syncs: Vec<SyncStatus>,
}

/// When a credential ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CredentialEnd {
    /// Its name in the manifest.
    pub credential: String,
    /// When, UTC.
    pub ends_at: String,
}

/// How records of a provider come in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct SyncStatus {
    /// Which records.
    pub sync: String,
    /// The worst of what is known.
    pub status: Stands,
    /// When everything that had changed was here last, UTC.
    pub last_success: Option<String>,
    /// Changes up to then are here, UTC.
    pub changed_until: Option<String>,
    /// When it is read next, UTC.
    pub due_at: Option<String>,
    /// Records that were read.
    pub records: i64,
    /// Of those, the ones that could not be kept.
    pub left_out: i64,
    /// How often in a row it went wrong.
    pub failures: i64,
    /// What went wrong last.
    pub problem: Option<String>,
    /// The same in one word.
    #[serde(skip)]
    pub problem_code: Option<String>,
}

impl SyncStatus {
    /// Why it does not stand well, in numbers and codes.
    fn reason(&self) -> Option<String> {
        let code = || coded(self.problem_code.as_deref());
        match self.status {
            Stands::Idle | Stands::Ok | Stands::FirstReading => None,
            Stands::NeedsAttention => Some(format!(
                "of {} records of `{}` {} were left out ({})",
                self.records,
                self.sync,
                self.left_out,
                code()
            )),
            Stands::Late => {
                let due = self.due_at.as_deref().unwrap_or_default();
                Some(format!("`{}` should have been read at {due}", self.sync))
            }
            Stands::Failing => Some(format!(
                "reading `{}` has failed {} times in a row, the last time with {}",
                self.sync,
                self.failures,
                code()
            )),
        }
    }
}

/// A word that stands for what went wrong. What is longer or has other characters may be a sentence with something of somebody in it.
fn coded(code: Option<&str>) -> String {
    let is_word = |code: &&str| {
        (1..=64).contains(&code.len())
            && code.chars().all(|letter| letter.is_ascii_alphanumeric() || "_.-".contains(letter))
    };
    code.filter(is_word).map_or_else(|| "no code".to_owned(), |code| format!("`{code}`"))
}

/// Asks the databases of these tasks how their integrations stand. What a database does not say becomes a warning.
pub async fn look_at_integrations(workspace: &Workspace, tasks: &mut [TaskStatus]) {
    let mut opened = Opened::default();
    for task in tasks {
        // What cannot be read was said already.
        let Some(plan) = TaskId::parse(&task.task_id)
            .ok()
            .and_then(|task_id| workspace.active_plan(&task_id).ok().flatten())
            .and_then(|active| active.plan.into_api())
        else {
            continue;
        };
        let known = integrated(&plan);
        if known.is_empty() || plan.database.engine.keeps_documents() {
            continue;
        }
        if let Some(server) = task.server.as_ref().filter(|server| server.state != "running") {
            task.warnings.push(format!(
                "how its integrations stand is not known: {} is {}, `producer db start` starts it",
                server.name, server.state
            ));
            continue;
        }
        let found = match opened.store(workspace, &plan.database) {
            Ok(store) => asked(&store, &plan, &known).await,
            Err(failure) => Err(failure.with_hint()),
        };
        match found {
            Ok(integrations) => task.integrations = integrations,
            Err(why) => task.warnings.push(format!("how its integrations stand is not known: {why}")),
        }
        let endings = plan.service.as_ref().map(|service| ending::endings(workspace, service)).unwrap_or_default();
        if let Some(service) = task.integrations.first_mut() {
            service.ends = endings.iter().map(ending::Ending::shown).collect();
        }
    }
}

/// What of a plan has deliveries or syncs: the service first, by its integration and its provider.
fn integrated(plan: &Plan) -> Vec<(String, String)> {
    let service = plan.service.as_ref();
    let service = service.map(|service| (plan.task_id.to_string(), service.manifest.provider.provider.to_string()));
    let own = |is_there: bool, name: &str| is_there.then(|| (name.to_owned(), name.to_owned()));
    let mails = own(sends(plan), mail::INTEGRATION);
    let subscribers = own(plan.api.subscribers.is_some(), subscribers::INTEGRATION);
    let has_webhook = plan.alerts().is_some_and(|alerts| alerts.webhook.is_some());
    let webhook = own(has_webhook, alerts::INTEGRATION);
    service.into_iter().chain(mails).chain(subscribers).chain(webhook).collect()
}

/// How the service of a plan stands now; none where the plan has none.
///
/// # Errors
/// Why it is not known.
pub(crate) async fn of_service(store: &Store, plan: &Plan) -> Result<Option<IntegrationStatus>, String> {
    let known: Vec<(String, String)> = integrated(plan).into_iter().take(usize::from(plan.service.is_some())).collect();
    Ok(asked(store, plan, &known).await?.pop())
}

async fn asked(store: &Store, plan: &Plan, known: &[(String, String)]) -> Result<Vec<IntegrationStatus>, String> {
    let asking = async {
        let now = Timestamp::now().as_millisecond();
        let states = if plan.syncs().is_empty() { Vec::new() } else { store.sync_states().await? };
        let mut found = Vec::new();
        for (integration, service) in known {
            let standing = match plan.has_deliveries() {
                true => {
                    store.delivery_standing(integration, u64::try_from(now - LATELY_MS).unwrap_or_default()).await?
                }
                false => DeliveryStanding::default(),
            };
            let of_service = plan.syncs().iter().filter(|_| *integration == plan.task_id.as_str());
            let syncs = of_service.map(|sync| {
                let of = |state: &&SyncState| state.integration == *integration && state.sync == sync.name.as_str();
                sync_status(sync.name.as_str(), states.iter().find(of), now)
            });
            found.push(status(integration, service, standing, syncs.collect(), now));
        }
        Ok::<_, StoreError>(found)
    };
    match tokio::time::timeout(ANSWERS_WITHIN, asking).await {
        Ok(Ok(found)) => Ok(found),
        Ok(Err(error)) => Err(Failure::deliveries(&error).with_hint()),
        Err(_) => Err(format!("the database has not answered within {} s", ANSWERS_WITHIN.as_secs())),
    }
}

fn status(
    integration: &str,
    service: &str,
    standing: DeliveryStanding,
    syncs: Vec<SyncStatus>,
    now: i64,
) -> IntegrationStatus {
    let has_ended = |attempt: &&LateAttempt| {
        let unended = [Outcome::Returned.as_str(), Outcome::Interrupted.as_str()];
        !unended.contains(&attempt.outcome.as_str())
    };
    let tried: Vec<&LateAttempt> = standing.attempts.iter().filter(has_ended).collect();
    let failed: Vec<&&LateAttempt> =
        tried.iter().filter(|attempt| attempt.outcome != Outcome::Delivered.as_str()).collect();
    let mut took: Vec<i64> = tried
        .iter()
        .filter_map(|attempt| Some(from_text(&attempt.ended_at)? - from_text(&attempt.started_at)?))
        .collect();
    took.sort_unstable();
    let waits_since = standing.oldest.as_deref().and_then(from_text);
    // What has come out well since has not failed.
    let mut seen = BTreeSet::new();
    let last: Vec<&&LateAttempt> = tried.iter().filter(|attempt| seen.insert(attempt.delivery_id.as_str())).collect();
    let failed_last: Vec<&&LateAttempt> =
        last.iter().copied().filter(|attempt| attempt.outcome != Outcome::Delivered.as_str()).collect();
    let mut reasons = Vec::new();
    let in_a_row = tried.iter().take_while(|attempt| attempt.outcome != Outcome::Delivered.as_str()).count();
    let stands = if failed_last.len() * 2 > last.len() || in_a_row >= IN_A_ROW {
        Stands::Failing
    } else if waits_since.is_some_and(|since| now - since > LATE_MS) {
        Stands::Late
    } else if standing.dead > 0 {
        Stands::NeedsAttention
    } else if standing.delivered_at.is_some() {
        Stands::Ok
    } else {
        Stands::Idle
    };
    if let Some(newest) = failed_last.first() {
        let code = coded(newest.code.as_deref().or(Some(&newest.outcome)));
        reasons.push(format!(
            "{} of {} deliveries that were tried within an hour have failed, the last one with {code}",
            failed_last.len(),
            last.len()
        ));
    }
    if in_a_row >= IN_A_ROW {
        reasons.push(format!("the last {in_a_row} attempts were all in vain"));
    }
    if let (Stands::Late, Some(since)) = (stands, &standing.oldest) {
        reasons.push(format!("{} deliveries wait, the oldest since {since}", standing.waiting));
    }
    if standing.dead > 0 {
        reasons.push(format!("{} deliveries were given up", standing.dead));
    }
    reasons.extend(syncs.iter().filter_map(SyncStatus::reason));
    let worst = syncs.iter().map(|sync| sync.status).max().unwrap_or_default();
    let rate = |failed: usize, tried: usize| (tried > 0).then(|| failed as f64 / tried as f64);
    IntegrationStatus {
        integration: integration.to_owned(),
        service: service.to_owned(),
        status: stands.max(worst),
        last_success: standing.delivered_at,
        attempts: tried.len(),
        error_rate: rate(failed.len(), tried.len()),
        latency_ms: took.get(took.len() / 2).copied(),
        latency_p95_ms: took.get(took.len() * 95 / 100).copied(),
        waiting: standing.waiting,
        oldest: standing.oldest,
        given_up: standing.dead,
        problem: failed.first().and_then(|attempt| attempt.problem.clone()),
        reasons,
        ends: Vec::new(),
        syncs,
    }
}

/// `now` is in milliseconds since 1970.
fn sync_status(name: &str, state: Option<&SyncState>, now: i64) -> SyncStatus {
    let Some(state) = state else {
        return SyncStatus { sync: name.to_owned(), ..SyncStatus::default() };
    };
    let is_late = from_text(&state.due_at).is_some_and(|due| now - due > READING_LATE_MS);
    let is_seen_to = matches!(state.problem_code.as_deref(), Some(LEFT_OUT | FIELDS_MISSING));
    let status = if state.failures > 0 {
        Stands::Failing
    } else if is_late {
        Stands::Late
    } else if is_seen_to {
        Stands::NeedsAttention
    } else if state.changed_until.is_none() {
        Stands::FirstReading
    } else {
        Stands::Ok
    };
    SyncStatus {
        sync: name.to_owned(),
        status,
        last_success: state.ended_at.clone(),
        changed_until: state.changed_until.clone(),
        due_at: Some(state.due_at.clone()),
        records: state.records,
        left_out: state.left_out,
        failures: state.failures,
        problem: state.problem.clone(),
        problem_code: state.problem_code.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use connect::delivery::to_text;
    use uuid::Uuid;

    const NOW: i64 = 1_800_000_000_000;

    fn attempt(outcome: &str, took: i64) -> LateAttempt {
        let problem = (outcome != "delivered").then(|| format!("it was {outcome}"));
        LateAttempt {
            delivery_id: Uuid::now_v7().to_string(),
            outcome: outcome.to_owned(),
            started_at: to_text(NOW - took),
            ended_at: to_text(NOW),
            code: None,
            problem,
        }
    }

    fn of(standing: DeliveryStanding) -> IntegrationStatus {
        status("crm", "acme", standing, Vec::new(), NOW)
    }

    #[test]
    fn deliveries_stand_as_the_worst_of_what_is_known() {
        assert_eq!(of(DeliveryStanding::default()).status, Stands::Idle);
        let good = DeliveryStanding { delivered_at: Some(to_text(NOW)), ..DeliveryStanding::default() };
        assert_eq!(of(good.clone()).status, Stands::Ok);
        let dead = DeliveryStanding { dead: 1, ..good.clone() };
        assert_eq!(of(dead.clone()).status, Stands::NeedsAttention);
        let waits = |since: i64| DeliveryStanding { oldest: Some(to_text(NOW - since)), waiting: 1, ..dead.clone() };
        assert_eq!(of(waits(LATE_MS)).status, Stands::NeedsAttention);
        assert_eq!(of(waits(LATE_MS + 1)).status, Stands::Late);
        // Whoever stops has tried nothing.
        let attempts = ["transient", "returned", "delivered", "interrupted", "delivered"].map(|one| attempt(one, 30));
        let told = of(DeliveryStanding { attempts: attempts.to_vec(), ..good.clone() });
        assert_eq!((told.status, told.attempts), (Stands::Ok, 3));
        assert!(told.error_rate.is_some_and(|rate| (rate - 1.0 / 3.0).abs() < 1e-9));
        assert_eq!(told.problem.as_deref(), Some("it was transient"));
        let attempts = ["permanent", "delivered", "transient"].map(|one| attempt(one, 30));
        let told = of(DeliveryStanding { attempts: attempts.to_vec(), ..waits(LATE_MS + 1) });
        assert_eq!((told.status, told.problem.as_deref()), (Stands::Failing, Some("it was permanent")));
    }

    #[test]
    fn what_has_come_out_well_since_has_not_failed() {
        let one = |outcome: &str| LateAttempt { delivery_id: "one".to_owned(), ..attempt(outcome, 30) };
        let attempts = vec![one("delivered"), one("transient"), one("transient")];
        let delivered_at = Some(to_text(NOW));
        let told = of(DeliveryStanding { attempts, delivered_at, ..DeliveryStanding::default() });
        assert_eq!((told.status, told.reasons), (Stands::Ok, Vec::new()));
        assert!(told.error_rate.is_some_and(|rate| rate > 0.6));
    }

    #[test]
    fn what_gets_nowhere_now_fails_however_well_it_went_before() {
        let stands = |in_vain: usize| {
            let one = LateAttempt { delivery_id: "one".to_owned(), ..attempt("transient", 30) };
            let before = (0..50).map(|_| attempt("delivered", 30));
            let attempts = std::iter::repeat_n(one, in_vain).chain(before).collect();
            of(DeliveryStanding { attempts, delivered_at: Some(to_text(NOW)), ..DeliveryStanding::default() })
        };
        assert_eq!(stands(IN_A_ROW - 1).status, Stands::Ok);
        let told = stands(IN_A_ROW);
        assert_eq!((told.status, told.reasons[1].as_str()), (Stands::Failing, "the last 3 attempts were all in vain"));
    }

    #[test]
    fn reasons_are_numbers_and_codes() {
        let refused = |code: &str| LateAttempt { code: Some(code.to_owned()), ..attempt("permanent", 30) };
        let attempts = vec![refused("INVALID_EMAIL"), attempt("delivered", 30), refused("no ada@shop.example")];
        let told = of(DeliveryStanding { attempts: attempts.clone(), dead: 2, ..DeliveryStanding::default() });
        let failed = "2 of 3 deliveries that were tried within an hour have failed, the last one with `INVALID_EMAIL`";
        assert_eq!(told.reasons, [failed, "2 deliveries were given up"]);
        let attempts = attempts.into_iter().rev().collect();
        let told = of(DeliveryStanding { attempts, ..DeliveryStanding::default() });
        assert!(told.reasons[0].ends_with("the last one with no code"), "{:?}", told.reasons);
        let state = SyncState { failures: 3, problem_code: Some("unauthorized".to_owned()), ..SyncState::default() };
        let sync = sync_status("contacts", Some(&state), NOW);
        let failed = "reading `contacts` has failed 3 times in a row, the last time with `unauthorized`";
        assert_eq!(sync.reason().as_deref(), Some(failed));
    }

    #[test]
    fn latencies_are_those_of_most_attempts() {
        let attempts: Vec<LateAttempt> = (1..=100).rev().map(|took| attempt("delivered", took)).collect();
        let told = of(DeliveryStanding { attempts, ..DeliveryStanding::default() });
        assert_eq!((told.latency_ms, told.latency_p95_ms), (Some(51), Some(96)));
        assert_eq!((of(DeliveryStanding::default()).latency_ms, told.error_rate), (None, Some(0.0)));
    }

    #[test]
    fn a_sync_stands_as_its_last_reading_left_it() {
        let stands = |state: Option<&SyncState>| sync_status("contacts", state, NOW).status;
        assert_eq!(stands(None), Stands::Idle);
        let begun = SyncState { due_at: to_text(NOW), ..SyncState::default() };
        assert_eq!(stands(Some(&begun)), Stands::FirstReading);
        let read = SyncState { changed_until: Some(to_text(NOW)), ..begun };
        assert_eq!(stands(Some(&read)), Stands::Ok);
        let left = SyncState { problem_code: Some(LEFT_OUT.to_owned()), ..read.clone() };
        assert_eq!(stands(Some(&left)), Stands::NeedsAttention);
        let late = SyncState { due_at: to_text(NOW - READING_LATE_MS - 1), ..left };
        assert_eq!(stands(Some(&late)), Stands::Late);
        let failed = SyncState { failures: 1, ..late };
        assert_eq!(stands(Some(&failed)), Stands::Failing);
        let sync = sync_status("contacts", Some(&failed), NOW);
        assert_eq!(status("crm", "acme", DeliveryStanding::default(), vec![sync], NOW).status, Stands::Failing);
    }
}
