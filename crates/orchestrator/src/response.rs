//! The answer to a task, in the shape of the public contract. Its status words are computed from its verifications.

use plan::Phase;
use serde::Serialize;
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
}

impl Status {
    /// The status as responses and lists show it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Waiting => "waiting",
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
    pub endpoints: Vec<String>,
    /// Whether somebody answers them at the moment.
    pub serving: ServingState,
    /// The database.
    pub database: DatabaseState,
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
    /// `connected` when it answered.
    pub status: &'static str,
}

/// What is known of the whole.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Metadata {
    /// From the paths, or `v1`.
    pub api_version: String,
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
}

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckOutcome {
    /// As it must.
    Passed,
    /// Not as it must.
    Failed,
    /// Nobody could try it here.
    NotVerified,
}

/// Why a task failed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Failure {
    /// One of the public kinds.
    pub kind: &'static str,
    /// The code of the first diagnostic, or a word.
    pub code: String,
    /// What went wrong.
    pub message: String,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// Where.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Whether trying again may help.
    pub retryable: bool,
    /// Whether trying again can do harm.
    pub safe_to_retry: bool,
    /// Everything that is wrong with the task.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub diagnostics: Vec<Diagnostic>,
}

/// The kind of a failure that is the task's own.
pub const TASK_INVALID: &str = "task.invalid";

impl Verification {
    /// A check that came out as it must.
    #[must_use]
    pub fn passed(phase: Phase, check: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { phase, check: check.into(), outcome: CheckOutcome::Passed, detail: detail.into() }
    }

    /// A check with its differences: passed when there are none.
    #[must_use]
    pub fn of(phase: Phase, check: impl Into<String>, differences: &[String]) -> Self {
        let outcome = if differences.is_empty() { CheckOutcome::Passed } else { CheckOutcome::Failed };
        Self { phase, check: check.into(), outcome, detail: differences.join("; ") }
    }

    /// A check that nobody could try here, with the reason.
    #[must_use]
    pub fn not_verified(phase: Phase, check: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { phase, check: check.into(), outcome: CheckOutcome::NotVerified, detail: detail.into() }
    }
}

impl Failure {
    /// A failure of the world.
    #[must_use]
    pub fn new(kind: &'static str, code: &str, message: impl Into<String>) -> Self {
        Self {
            kind,
            code: code.to_owned(),
            message: message.into(),
            cause: None,
            place: None,
            hint: None,
            retryable: false,
            safe_to_retry: true,
            diagnostics: Vec::new(),
        }
    }

    /// The failure of a task that is itself wrong. There is at least one diagnostic.
    #[must_use]
    pub fn invalid(diagnostics: Vec<Diagnostic>) -> Self {
        let first = diagnostics.iter().find(|diagnostic| diagnostic.severity == vocab::Severity::Error);
        Self {
            place: first.and_then(|first| first.place.as_ref()).map(ToString::to_string),
            hint: first.and_then(|first| first.help.clone()),
            ..Self::new(
                TASK_INVALID,
                first.map_or("", |first| first.code.0),
                first.map_or_else(String::new, |first| first.message.clone()),
            )
        }
        .with_diagnostics(diagnostics)
    }

    fn with_diagnostics(mut self, diagnostics: Vec<Diagnostic>) -> Self {
        self.diagnostics = diagnostics;
        self
    }

    /// The kind of the first failed verification.
    #[must_use]
    pub fn of_verification(failed: &Verification) -> Self {
        let kind = match failed.phase {
            Phase::DesignApiArchitecture | Phase::ImplementEndpointLogic => "api.endpoint_configuration",
            Phase::SetupAuthenticationMiddleware => "api.authentication_setup",
            Phase::CreateApiDocumentation => "api.documentation",
            Phase::ProvisionDatabaseInstance | Phase::SetupUserPermissions => "database.connection",
            Phase::CreateSchemaAndTables => "database.migration",
            Phase::ConfigureBackupProcedures => "database.backup_recovery",
            Phase::AuthenticateWithServiceApi => "integration.authentication",
            Phase::ImplementIntegrationLogic | Phase::SetupErrorHandlingAndRetries => "integration.service_unavailable",
            Phase::ConfigureMonitoringAndAlerts => "api.endpoint_configuration",
        };
        let mut failure =
            Self::new(kind, "verification_failed", format!("`{}` did not come out as it must", failed.check));
        failure.cause = Some(failed.detail.clone());
        failure
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
            (Status::Waiting, _) => 3,
            (Status::Failed, Some(error)) if error.kind == TASK_INVALID => 2,
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
