//! Deliveries of a workspace as commands use them: what is asked for goes in, what its databases hold of it comes out. Records of
//! attempts hold no secret and no personal value in clear, and neither does anything here.

use crate::failure::Failure;
use crate::located::Opened;
use crate::run::now;
use crate::workspace::{Workspace, WorkspaceFailure};
use plan::Plan;
use plan::database::Connection;
use serde::Serialize;
use store::Store;
use store::delivery::{AttemptRow, DeliveryFilter, DeliveryRow, DeliveryState};
use vocab::{Engine, closest};

/// Most deliveries that a list shows of one database.
const LISTED: u32 = 1000;

/// Why a command about deliveries failed.
#[derive(Debug, thiserror::Error)]
pub enum DeliveriesFailure {
    /// The workspace cannot be used.
    #[error(transparent)]
    Workspace(#[from] WorkspaceFailure),
    /// A database of it cannot be opened or does not answer.
    #[error("{}", .0.with_hint())]
    Database(Box<Failure>),
    /// There is no such state.
    #[error("no delivery can be `{0}`: it is `waiting`, `working`, `delivered` or `dead`{1}")]
    State(String, String),
    /// There is no such delivery.
    #[error("no delivery has the id `{0}`: `producer deliveries list` shows those that there are")]
    Unknown(String),
    /// Nothing was asked for.
    #[error("say which: an id, or `--all` for every dead one of the filter")]
    Nothing,
}

/// Which deliveries are meant.
#[derive(Debug, Clone, Default)]
pub struct DeliveriesAsked {
    /// In that state.
    pub state: Option<String>,
    /// Of that task.
    pub integration: Option<String>,
    /// Of that provider.
    pub provider: Option<String>,
    /// Of events of that name.
    pub event: Option<String>,
}

/// A delivery, as a list shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ListedDelivery {
    /// Its id.
    pub id: String,
    /// `waiting`, `working`, `delivered` or `dead`.
    pub state: &'static str,
    /// Whose service.
    pub provider: String,
    /// The task that integrates it.
    pub integration: String,
    /// The event.
    pub event: String,
    /// How often it was tried in vain.
    pub attempts: u32,
    /// Whether it may have had its effect.
    pub in_doubt: bool,
    /// When it was made of its event.
    pub created_at: String,
    /// Before that it is not tried.
    pub due_at: String,
    /// When it was delivered or given up.
    pub ended_at: Option<String>,
    /// What went wrong last.
    pub problem: Option<String>,
}

/// A delivery with what was tried.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ShownDelivery {
    /// The delivery.
    #[serde(flatten)]
    pub delivery: ListedDelivery,
    /// What was tried, the first one first.
    pub tried: Vec<ShownAttempt>,
}

/// An attempt.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ShownAttempt {
    /// When it began.
    pub started_at: String,
    /// When it ended.
    pub ended_at: String,
    /// What came of it.
    pub outcome: String,
    /// The provider's own code of what went wrong.
    pub code: Option<String>,
    /// What went wrong.
    pub problem: Option<String>,
    /// Requests and answers, without secrets.
    pub record: serde_json::Value,
}

/// What came of another chance.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct ReplayedDeliveries {
    /// Those that wait again.
    pub replayed: u64,
    /// Those that were left, because they may have had their effect.
    pub in_doubt: u64,
}

/// Deliveries, the newest first.
///
/// # Errors
/// [`DeliveriesFailure`] when a database does not answer, or the filter is none.
pub async fn list_deliveries(
    workspace: &Workspace,
    asked: &DeliveriesAsked,
) -> Result<Vec<ListedDelivery>, DeliveriesFailure> {
    let filter = filter(asked)?;
    let mut found = Vec::new();
    for store in stores(workspace, Plan::has_deliveries)? {
        let rows = store.deliveries(&filter, LISTED).await.map_err(|error| unanswered(&error))?;
        found.extend(rows.into_iter().map(listed));
    }
    found.sort_by(|left, right| right.id.cmp(&left.id));
    Ok(found)
}

/// One delivery with its attempts.
///
/// # Errors
/// [`DeliveriesFailure`] when there is none of that id, or a database does not answer.
pub async fn show_delivery(workspace: &Workspace, id: &str) -> Result<ShownDelivery, DeliveriesFailure> {
    let filter = DeliveryFilter { id: Some(id.to_owned()), ..DeliveryFilter::default() };
    for store in stores(workspace, Plan::has_deliveries)? {
        let found = store.deliveries(&filter, 1).await.map_err(|error| unanswered(&error))?.pop();
        if let Some(delivery) = found {
            let attempts = store.delivery_attempts(id).await.map_err(|error| unanswered(&error))?;
            return Ok(ShownDelivery { delivery: listed(delivery), tried: attempts.into_iter().map(shown).collect() });
        }
    }
    Err(DeliveriesFailure::Unknown(id.to_owned()))
}

/// Gives dead deliveries another chance: the one of the id, or all that fit. Those that may have had their effect only with `force`.
///
/// # Errors
/// [`DeliveriesFailure`] when there is none of that id, nothing was asked for, or a database does not answer.
pub async fn replay_deliveries(
    workspace: &Workspace,
    id: Option<&str>,
    all: bool,
    asked: &DeliveriesAsked,
    force: bool,
) -> Result<ReplayedDeliveries, DeliveriesFailure> {
    let filter = match (id, all) {
        (Some(id), _) => {
            show_delivery(workspace, id).await?;
            DeliveryFilter { id: Some(id.to_owned()), ..DeliveryFilter::default() }
        }
        (None, true) => filter(asked)?,
        (None, false) => return Err(DeliveriesFailure::Nothing),
    };
    let mut total = ReplayedDeliveries::default();
    for store in stores(workspace, Plan::has_deliveries)? {
        let replayed = store.replay_deliveries(&filter, force, &now()).await.map_err(|error| unanswered(&error))?;
        total.replayed += replayed.replayed;
        total.in_doubt += replayed.in_doubt;
    }
    Ok(total)
}

fn filter(asked: &DeliveriesAsked) -> Result<DeliveryFilter, DeliveriesFailure> {
    let state = asked.state.as_deref().map(|word| {
        DeliveryState::parse(word).ok_or_else(|| {
            let words: Vec<&str> = DeliveryState::ALL.iter().map(|state| state.as_str()).collect();
            let meant = closest(word, &words).map_or_else(String::new, |meant| format!("; did you mean `{meant}`?"));
            DeliveriesFailure::State(word.to_owned(), meant)
        })
    });
    Ok(DeliveryFilter {
        state: state.transpose()?,
        integration: asked.integration.clone(),
        provider: asked.provider.clone(),
        event: asked.event.clone(),
        ..DeliveryFilter::default()
    })
}

/// The databases of those plans of the workspace that are wanted, each once.
pub(crate) fn stores(
    workspace: &Workspace,
    is_wanted: impl Fn(&Plan) -> bool,
) -> Result<Vec<Store>, DeliveriesFailure> {
    let (mut opened, mut stores) = (Opened::default(), Vec::new());
    let mut places: Vec<(Engine, Connection)> = Vec::new();
    for task_id in workspace.task_ids()? {
        let Some(plan) = workspace.active_plan(&task_id)?.and_then(|active| active.plan.into_api()) else { continue };
        let place = (plan.database.engine, plan.database.connection.clone());
        if is_wanted(&plan) && !places.contains(&place) {
            stores.push(opened.store(workspace, &plan.database).map_err(DeliveriesFailure::Database)?);
            places.push(place);
        }
    }
    Ok(stores)
}

fn unanswered(error: &store::StoreError) -> DeliveriesFailure {
    DeliveriesFailure::Database(Box::new(Failure::deliveries(error)))
}

fn listed(row: DeliveryRow) -> ListedDelivery {
    ListedDelivery {
        id: row.id,
        state: row.state.as_str(),
        provider: row.provider,
        integration: row.integration,
        event: row.event,
        attempts: row.attempts,
        in_doubt: row.in_doubt,
        created_at: row.created_at,
        due_at: row.due_at,
        ended_at: row.ended_at,
        problem: row.problem,
    }
}

fn shown(row: AttemptRow) -> ShownAttempt {
    let record = row.record.and_then(|record| serde_json::from_str(&record).ok()).unwrap_or_default();
    ShownAttempt {
        started_at: row.started_at,
        ended_at: row.ended_at,
        outcome: row.outcome,
        code: row.code,
        problem: row.problem,
        record,
    }
}
