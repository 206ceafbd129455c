//! The answer to a task, in the shape of the public contract. Its status words are computed from its verifications.

use crate::failure::{Failure, FailureKind};
use plan::Phase;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use vocab::Diagnostic;

/// The answer to one task.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Response {
    /// How the task ended.
    pub status: Status,
    /// The task; absent when it is so wrong that it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_id: Option<String>,
    /// What was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<Output>,
    /// `false` when everything was in place already.
    pub changed: bool,
    /// What somebody should look at.
    pub warnings: Vec<String>,
    /// What was tried, and how it came out.
    pub verification: Vec<Verification>,
    /// The files of the task's folder, by path.
    pub files: Vec<String>,
    /// When the run began, UTC.
    pub started_at: String,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Failure>,
}

/// How a task ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Made, and tried.
    Completed,
    /// Not made, or it did not pass what was tried.
    Failed,
    /// A task it depends on is not completed.
    Waiting,
    /// Something must be said first; the error says how.
    NeedsInput,
}

impl Status {
    /// The status as responses and lists show it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Waiting => "waiting",
            Self::NeedsInput => "needs_input",
        }
    }
}

/// What was made.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Output {
    /// Always `integration`.
    pub format: &'static str,
    /// The task's folder.
    pub location: String,
    /// The URLs of the endpoints.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub endpoints: Vec<String>,
    /// Whether somebody answers them at the moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serving: Option<ServingState>,
    /// The database.
    pub database: DatabaseState,
    /// The services that it is connected with.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub integrations: Vec<Integration>,
    /// What is known of the whole.
    pub metadata: Metadata,
}

/// Whether somebody answers the endpoints at the moment.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ServingState {
    /// `listening`, `outdated` (an older plan is served) or `not_listening`.
    pub status: &'static str,
    /// What changes that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
}

/// The database.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DatabaseState {
    /// Where it is.
    pub host: String,
    /// Its name or file.
    pub name: String,
    /// `connected` when it answered, `simulated` when a stand-in did.
    pub status: &'static str,
    /// What went through the pool in a short load, where one was tried; by its size, half and twice as many connections too.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pool: Vec<PoolFigures>,
}

/// What went through a pool of that size.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PoolFigures {
    /// Most connections.
    pub connections: u32,
    /// Transactions that read, a second.
    pub transactions_per_second: u64,
}

/// A service that it is connected with.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Integration {
    /// The provider.
    pub service: String,
    /// `active` when the provider took the credentials, `simulated` when a stand-in did, else `not_verified`.
    pub status: &'static str,
    /// Where its calls arrive, where it makes any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook_url: Option<String>,
    /// What else tells it from another one of the provider, as its manifest has it shown: `list_id`.
    #[serde(flatten)]
    pub settings: BTreeMap<String, String>,
}

/// What is known of the whole.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Metadata {
    /// From the paths, or `v1`; absent without an API.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// `sqlite_3.50`.
    pub database_version: String,
    /// `production_ready` when nothing of the list is missing, else `development`.
    pub security_level: &'static str,
    /// What keeps it from being `production_ready`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub security_missing: Vec<&'static str>,
    /// Whether the metrics counted what was tried.
    pub monitoring_enabled: bool,
}

/// One thing that was tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verification {
    /// The phase it belongs to.
    pub phase: Phase,
    /// What was tried.
    pub check: String,
    /// How it came out.
    pub outcome: CheckOutcome,
    /// What there is to say about it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// What kind of failure it is if it failed.
    #[serde(skip)]
    pub kind: FailureKind,
    /// Where that would be: a route, or the phase.
    #[serde(skip)]
    pub place: String,
}

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckOutcome {
    /// As it must.
    Passed,
    /// Not as it must.
    Failed,
    /// As it must, with a stand-in for what the task names.
    Simulated,
    /// Nobody could try it here.
    NotVerified,
}

impl CheckOutcome {
    /// The word as responses write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Simulated => "simulated",
            Self::NotVerified => "not_verified",
        }
    }
}

impl Verification {
    /// A check with its differences: passed when there are none.
    #[must_use]
    pub fn of(phase: Phase, check: impl Into<String>, differences: &[String]) -> Self {
        let outcome = if differences.is_empty() { CheckOutcome::Passed } else { CheckOutcome::Failed };
        Self::new(phase, check.into(), outcome, differences.join("; "))
    }

    /// A check that came out as it must, with what there is to say about it.
    #[must_use]
    pub fn passed(phase: Phase, check: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(phase, check.into(), CheckOutcome::Passed, detail.into())
    }

    /// A check of a stand-in, with what stands in.
    #[must_use]
    pub fn simulated(phase: Phase, check: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(phase, check.into(), CheckOutcome::Simulated, detail.into())
    }

    /// A check that nobody could try here, with the reason.
    #[must_use]
    pub fn not_verified(phase: Phase, check: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(phase, check.into(), CheckOutcome::NotVerified, detail.into())
    }

    fn new(phase: Phase, check: String, outcome: CheckOutcome, detail: String) -> Self {
        Self { phase, check, outcome, detail, kind: FailureKind::of_phase(phase), place: phase.to_string() }
    }

    /// Says more exactly what failed where if the check failed.
    #[must_use]
    pub fn about(self, kind: FailureKind, place: impl Into<String>) -> Self {
        Self { kind, place: place.into(), ..self }
    }
}

impl Response {
    /// A response that says why there is nothing else to say.
    #[must_use]
    pub fn failed(task_id: Option<String>, started_at: String, error: Failure) -> Self {
        Self {
            status: Status::Failed,
            task_id,
            output: None,
            changed: false,
            warnings: Vec::new(),
            verification: Vec::new(),
            files: Vec::new(),
            started_at,
            duration_ms: 0,
            error: Some(error),
        }
    }

    /// The response to a text that holds wrong tasks. There is at least one error among the diagnostics.
    #[must_use]
    pub fn invalid(diagnostics: Vec<Diagnostic>) -> Self {
        let now = crate::run::now();
        Self::failed(None, now, Failure::invalid(diagnostics))
    }

    /// What is wrong with the task, when that is why it failed.
    #[must_use]
    pub fn diagnostics(&self) -> Vec<Diagnostic> {
        self.error.as_ref().map_or_else(Vec::new, |error| error.diagnostics.clone())
    }

    /// The exit status of the command that ends with this response.
    #[must_use]
    pub fn exit_status(&self) -> u8 {
        match (&self.status, &self.error) {
            (Status::Completed, _) => 0,
            (Status::Waiting | Status::NeedsInput, _) => 3,
            (Status::Failed, Some(error)) if error.kind == FailureKind::TaskInvalid => 2,
            (Status::Failed, _) => 1,
        }
    }

    /// The response as YAML.
    ///
    /// # Errors
    /// Never in practice: a response is plain data.
    pub fn to_yaml(&self) -> Result<String, serde_saphyr::ser::Error> {
        serde_saphyr::to_string(self)
    }
}
