//! Why a task did not come through, told to whoever sent it: an error of any crate comes in, one of the public kinds goes out,
//! with what failed, where, why, and how to mend it. It never says what the caller must keep secret: bodies, keys, rows.

use crate::account::Missing;
use crate::consent;
use crate::response::Verification;
use crate::settings::WrongSettings;
use crate::simulating::SimulateFailure;
use crate::workspace::WorkspaceFailure;
use apply::FileFailure;
use connect::answer::Outcome;
use plan::service::{ServicePlan, ValueSource};
use plan::trouble::Trouble;
use plan::{Base, Phase};
use provision::{PROGRAMS_VARIABLE, ProvisionFailure};
use secrets::{SecretFailure, SecretName};
use serde::Serialize;
use std::fmt;
use std::io;
use std::path::Path;
use store::{Database, StoreError};
use vocab::{Diagnostic, Engine, RoleName, Severity, TaskId};

/// The public kinds of failure that this program can meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum FailureKind {
    /// The task itself is wrong; its diagnostics say how.
    #[serde(rename = "task.invalid")]
    TaskInvalid,
    /// A task it depends on is not completed.
    #[serde(rename = "task.waiting")]
    TaskWaiting,
    /// An endpoint cannot be made, or does not do what it should.
    #[serde(rename = "api.endpoint_configuration")]
    EndpointConfiguration,
    /// A caller is let in who must not be, or the other way round.
    #[serde(rename = "api.authentication_setup")]
    AuthenticationSetup,
    /// A limit does not hold.
    #[serde(rename = "api.rate_limiting")]
    RateLimiting,
    /// What describes the API cannot be written, or is wrong.
    #[serde(rename = "api.documentation")]
    Documentation,
    /// The database cannot be opened or does not answer.
    #[serde(rename = "database.connection")]
    DatabaseConnection,
    /// The database cannot be brought to what the plan needs.
    #[serde(rename = "database.migration")]
    DatabaseMigration,
    /// The database is kept waiting, or keeps others waiting, for too long.
    #[serde(rename = "database.performance")]
    DatabasePerformance,
    /// A backup cannot be made or restored.
    #[serde(rename = "database.backup_recovery")]
    BackupRecovery,
    /// A provider does not let us in.
    #[serde(rename = "integration.authentication")]
    IntegrationAuthentication,
    /// A provider's calls do not arrive, or ours do not arrive there.
    #[serde(rename = "integration.webhook_delivery")]
    WebhookDelivery,
    /// A provider cannot be told what it is to be told.
    #[serde(rename = "integration.data_synchronization")]
    DataSynchronization,
    /// A provider does not answer.
    #[serde(rename = "integration.service_unavailable")]
    ServiceUnavailable,
}

impl FailureKind {
    /// What a check of that phase is about, unless it says more.
    pub(crate) fn of_phase(phase: Phase) -> Self {
        match phase {
            Phase::DesignApiArchitecture | Phase::ImplementEndpointLogic => Self::EndpointConfiguration,
            Phase::SetupAuthenticationMiddleware => Self::AuthenticationSetup,
            Phase::CreateApiDocumentation => Self::Documentation,
            Phase::ProvisionDatabaseInstance | Phase::SetupUserPermissions => Self::DatabaseConnection,
            Phase::CreateSchemaAndTables => Self::DatabaseMigration,
            Phase::ConfigureBackupProcedures => Self::BackupRecovery,
            Phase::AuthenticateWithServiceApi => Self::IntegrationAuthentication,
            Phase::ImplementIntegrationLogic
            | Phase::SetupErrorHandlingAndRetries
            | Phase::ConfigureMonitoringAndAlerts => Self::ServiceUnavailable,
        }
    }
}

/// Why a task failed. Shown as one line: what, where, why.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Failure {
    /// Which of the public kinds.
    pub kind: FailureKind,
    /// The code of the first diagnostic, or a word.
    pub code: String,
    /// What went wrong.
    pub message: String,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// Where: a place in the task, a file, a route.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Whether trying again as it is may help.
    pub retryable: bool,
    /// Whether trying again does no harm.
    pub safe_to_retry: bool,
    /// Everything that is wrong with the task.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub diagnostics: Vec<Diagnostic>,
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)?;
        if let Some(place) = &self.place {
            write!(formatter, " ({place})")?;
        }
        if let Some(cause) = &self.cause {
            write!(formatter, ": {}", cause.replace('\n', " "))?;
        }
        Ok(())
    }
}

/// How the world keeps a file from being written or read, as far as somebody can do something about it.
pub(crate) struct FileTrouble {
    pub code: &'static str,
    pub hint: String,
    pub retryable: bool,
}

impl FileTrouble {
    /// `option` is what names another folder on the command line.
    pub(crate) fn of(error: &io::Error, option: &str) -> Self {
        let (code, hint, retryable) = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                ("disk_full", "free some space there and run the task again".to_owned(), true)
            }
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => (
                "not_writable",
                format!("make that folder writable for this user, or name another one with `{option}`"),
                false,
            ),
            io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists | io::ErrorKind::IsADirectory => (
                "in_the_way",
                format!("move away what stands in the way, or name another folder with `{option}`"),
                false,
            ),
            _ => ("file", format!("see that the path can be used, or name another folder with `{option}`"), true),
        };
        Self { code, hint, retryable }
    }
}

const WAYS_TO_A_FILE: &str = "add `connection: \"file:/srv/data/shop.sqlite\"`, or `connection: \"${env:DATABASE_URL}\"` and set that \
    variable; for a file of the workspace write `environment: development`";
fn ways_to_a_server(engine: Engine) -> String {
    format!(
        "add `connection: \"${{env:DATABASE_URL}}\"` and set that variable to `{engine}://user:password@host/name`, \
         or write the URL itself with the password elsewhere: `{engine}://user:${{env:DATABASE_PASSWORD}}@host/name`; or \
         `provision: local` for a private server from programs installed on this machine, or `provision: container` for one in a container"
    )
}

fn ways_to_programs(engine: Engine) -> String {
    format!(
        "install them ({}), or name their folder in `{PROGRAMS_VARIABLE}`; or write `provision: container`, or the `connection` of a \
         server that exists",
        provision::way_to_install(engine)
    )
}

/// The word that tells a trouble apart.
fn coded(trouble: Trouble) -> &'static str {
    trouble.code().expect("every trouble that a failure is about has a word")
}

impl Failure {
    fn new(kind: FailureKind, code: &str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            kind,
            code: code.to_owned(),
            message: message.into(),
            cause: None,
            place: None,
            hint: Some(hint.into()),
            retryable: false,
            // Each step of a run can be repeated, wherever the one before stopped.
            safe_to_retry: true,
            diagnostics: Vec::new(),
        }
    }

    /// A backup cannot be made or restored.
    pub(crate) fn backup(code: &str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(FailureKind::BackupRecovery, code, message, hint)
    }

    /// The one line, and what to do.
    pub(crate) fn with_hint(&self) -> String {
        let hint = self.hint.as_ref().map(|hint| format!("; {hint}"));
        format!("{self}{}", hint.unwrap_or_default())
    }

    /// The failure of a task that is itself wrong. There is at least one diagnostic.
    pub(crate) fn invalid(diagnostics: Vec<Diagnostic>) -> Self {
        let first = diagnostics.iter().find(|diagnostic| diagnostic.severity == Severity::Error);
        Self {
            kind: FailureKind::TaskInvalid,
            code: first.map_or_else(String::new, |first| first.code.to_string()),
            message: first.map_or_else(String::new, |first| first.message.clone()),
            cause: None,
            place: first.and_then(|first| first.place.as_ref()).map(ToString::to_string),
            hint: first.and_then(|first| first.help.clone()),
            retryable: false,
            safe_to_retry: true,
            diagnostics,
        }
    }

    /// A dependency is not completed.
    pub(crate) fn waiting(on: &TaskId) -> Self {
        let message = format!("`{on}` is not completed");
        Self {
            place: Some("dependencies".to_owned()),
            retryable: true,
            ..Self::new(FailureKind::TaskWaiting, "dependency", message, format!("run the task `{on}` first"))
        }
    }

    /// Two tasks of a workspace want one route.
    pub(crate) fn route_taken(route: &str, other: &TaskId) -> Self {
        let hint = "leave the endpoint out where that answer will do, give it another path, or use another workspace";
        let message = format!("`{route}` is served by task `{other}` already");
        Self {
            place: Some(route.to_owned()),
            ..Self::new(FailureKind::EndpointConfiguration, "route_taken", message, hint)
        }
    }

    /// The workspace's state cannot be read or written.
    pub(crate) fn workspace(failure: &WorkspaceFailure) -> Self {
        let kind = FailureKind::EndpointConfiguration;
        match failure {
            WorkspaceFailure::File { path, source } => {
                let trouble = FileTrouble::of(source, "--workspace");
                Self {
                    cause: Some(source.to_string()),
                    place: Some(path.display().to_string()),
                    retryable: trouble.retryable,
                    ..Self::new(
                        kind,
                        trouble.code,
                        "the state of the workspace cannot be read or written",
                        trouble.hint,
                    )
                }
            }
            WorkspaceFailure::Damaged { path, why } => Self {
                cause: Some(why.clone()),
                place: Some(path.display().to_string()),
                ..Self::new(
                    kind,
                    "damaged",
                    "the state of the workspace is damaged",
                    "bring that file back from a copy, or move it away and run the task again",
                )
            },
        }
    }

    /// An API is asked to stand on another database than the one that holds its rows.
    pub(crate) fn rows_elsewhere(rows: i64, place: &str, wanted: Option<&Base>) -> Self {
        let (wanted, stay) = match wanted {
            Some(base) => (
                format!("the database of task `{}`", base.task_id),
                format!("take `{}` out of `dependencies`", base.task_id),
            ),
            None => ("the embedded database".to_owned(), "name the task of that database in `dependencies`".to_owned()),
        };
        let hint = format!(
            "{stay} to stay there; to move, copy the rows and empty those tables, or delete them, and run again"
        );
        Self {
            cause: Some(format!("its tables hold {rows} rows in {place}")),
            place: Some("dependencies".to_owned()),
            ..Self::new(
                FailureKind::DatabaseMigration,
                "rows_elsewhere",
                format!("the API would leave its rows and stand on {wanted}"),
                hint,
            )
        }
    }

    /// Nobody has said where the database is.
    pub(crate) fn no_connection(engine: Engine) -> Self {
        Self {
            place: Some("database_config.connection".to_owned()),
            ..Self::new(
                FailureKind::DatabaseConnection,
                "connection_missing",
                "the task does not say where the database is",
                if engine.keeps_files() { WAYS_TO_A_FILE.to_owned() } else { ways_to_a_server(engine) },
            )
        }
    }

    /// Somebody must say what lets us in at a provider.
    pub(crate) fn account(title: &str, missing: &[Missing]) -> Self {
        let told = |missing: &Missing| {
            let wrong = missing.wrong.as_ref().map(|wrong| format!(", and what is there cannot be one: {wrong}"));
            format!("{}{}", missing.title, wrong.unwrap_or_default())
        };
        let way = |missing: &Missing| match &missing.find {
            Some(find) => format!("{} gives it; it is found at {find}", missing.give),
            None => format!("{} gives it", missing.give),
        };
        let (names, ways): (Vec<String>, Vec<String>) = missing.iter().map(|one| (told(one), way(one))).unzip();
        let ways = format!("{}; `--sandbox` plays {title} on this machine", ways.join("; "));
        let message = format!("{title} needs: {}", names.join("; "));
        Self {
            place: Some("service_integration.credentials".to_owned()),
            ..Self::new(FailureKind::IntegrationAuthentication, coded(Trouble::CredentialsMissing), message, ways)
        }
    }

    /// Somebody must say who issues the access tokens of an API.
    pub(crate) fn issuer(why: &str) -> Self {
        let message = format!("the API takes access tokens of an issuer: {why}");
        let hint = "`producer secrets set OAUTH_ISSUER` gives what its tokens say as `iss`, as https://issuer.example.com, and `producer secrets set OAUTH_AUDIENCE` what they say as `aud`; variables of the environment with these names win over them";
        Self {
            place: Some("api_requirements.endpoints".to_owned()),
            ..Self::new(FailureKind::AuthenticationSetup, "issuer_missing", message, hint)
        }
    }

    /// Somebody must say what the senders of calls prove them with.
    pub(crate) fn sender(missing: &str) -> Self {
        let message = format!("the API is called by senders, and what they prove it with is not there: {missing}");
        let hint = "`producer secrets set NAME` gives it, with the secret that the sender shows or is told; a variable of the environment with that name wins over it";
        Self {
            place: Some("api_requirements.endpoints".to_owned()),
            ..Self::new(FailureKind::AuthenticationSetup, "sender_secret_missing", message, hint)
        }
    }

    /// The settings of the workspace are wrong.
    pub(crate) fn settings(error: &WrongSettings) -> Self {
        let hint = "mend it, and run the task again";
        Self::new(FailureKind::EndpointConfiguration, "settings_wrong", error.to_string(), hint)
    }

    /// A provider cannot be played on this machine.
    pub(crate) fn not_played(title: &str, error: &SimulateFailure) -> Self {
        let message = format!("{title} cannot be played on this machine");
        let hint = "run the task without `--sandbox`, with the credentials of an account for tests";
        Self {
            cause: Some(error.to_string()),
            ..Self::new(FailureKind::ServiceUnavailable, "not_simulated", message, hint)
        }
    }

    /// Nothing can be sent from this machine.
    pub(crate) fn no_encryption(why: &str) -> Self {
        let message = "encrypted connections cannot be made on this machine";
        let hint = "install the system's certificates (`ca-certificates`)";
        Self {
            cause: Some(why.to_owned()),
            ..Self::new(FailureKind::ServiceUnavailable, "no_encryption", message, hint)
        }
    }

    /// A provider was asked whether it takes the credentials, and said something else than yes.
    pub(crate) fn provider(plan: &ServicePlan, outcome: &Outcome) -> Self {
        let title = &plan.manifest.provider.title;
        let ways: Vec<String> = plan
            .account
            .iter()
            .filter_map(|value| match &value.from {
                ValueSource::Secret(name) => Some(format!("`producer secrets set {name}`")),
                ValueSource::Environment(name) => Some(format!("the environment variable `{name}`")),
                ValueSource::Plain(_) | ValueSource::Default => None,
            })
            .collect();
        let agreeing = consent::way(&plan.manifest.provider)
            .map(|_| format!("`producer secrets connect {}` has somebody agree anew; ", plan.task_id));
        let given = format!("{}{} gives another one", agreeing.unwrap_or_default(), ways.join(" or "));
        let of = |kind, code: &str, says: &str, cause: &str, hint: String, retryable| Self {
            cause: Some(cause.to_owned()),
            retryable,
            ..Self::new(kind, code, format!("{title} {says}"), hint)
        };
        let refused = FailureKind::IntegrationAuthentication;
        let away = FailureKind::ServiceUnavailable;
        let later = "nothing was changed; run the task again later".to_owned();
        match outcome {
            Outcome::Authentication { message, .. } => {
                of(refused, coded(Trouble::CredentialsRefused), "does not take the credentials", message, given, false)
            }
            Outcome::Permanent { message, .. } => {
                let hint = format!("see whether the credential may do that; {given}");
                of(
                    refused,
                    coded(Trouble::CheckRefused),
                    "refuses what the credentials are tried with",
                    message,
                    hint,
                    false,
                )
            }
            Outcome::RateLimited { message, .. } => {
                of(away, coded(Trouble::RateLimited), "asks to wait", message, later, true)
            }
            Outcome::Transient { message, .. } | Outcome::UnknownEffect { message, .. } => {
                of(away, coded(Trouble::ServiceUnavailable), "does not answer as it should", message, later, true)
            }
            Outcome::Done { .. } => unreachable!("a credential that was taken is no failure"),
        }
    }

    /// The database of deliveries does not answer.
    pub(crate) fn deliveries(error: &StoreError) -> Self {
        Self {
            cause: Some(error.to_string()),
            retryable: error.is_retryable(),
            ..Self::new(
                FailureKind::DatabaseConnection,
                "deliveries_unread",
                "the deliveries of a database cannot be read or changed",
                "`producer status` says how the databases are; run the task again if it was made by an older program",
            )
        }
    }

    /// The database that says to whom no mail goes does not answer.
    pub(crate) fn suppressions(error: &StoreError) -> Self {
        Self {
            cause: Some(error.to_string()),
            retryable: error.is_retryable(),
            ..Self::new(
                FailureKind::DatabaseConnection,
                "suppressions_unread",
                "to whom no mail goes cannot be read or changed",
                "`producer status` says how the databases are",
            )
        }
    }

    /// An environment variable that the task names is not set.
    pub(crate) fn no_variable(name: &str) -> Self {
        let message = format!("the environment variable `{name}` is not set");
        Self {
            place: Some("database_config.connection".to_owned()),
            ..Self::new(
                FailureKind::DatabaseConnection,
                "variable_missing",
                message,
                format!("set it where the producer runs: `{name}=... producer run TASK`"),
            )
        }
    }

    /// A server of the workspace's own that no run has made yet.
    pub(crate) fn not_made(database: &str) -> Self {
        let message = format!("the server of `{database}` was not made yet");
        Self {
            place: Some("database_config.provision".to_owned()),
            ..Self::new(FailureKind::DatabaseConnection, "server_missing", message, "run the task that makes it")
        }
    }

    /// A server of the workspace's own cannot be made, started or stopped.
    pub(crate) fn provision(failure: &ProvisionFailure) -> Self {
        let (code, hint) = match failure {
            ProvisionFailure::NotInstalled(engine) => ("not_installed", ways_to_programs(*engine)),
            ProvisionFailure::NoAccount { engine, account } => (
                "no_account",
                format!(
                    "run the producer as a user that is not root, or make the user `{account}` as {engine}'s packages do: \
                     `useradd --system {account}`"
                ),
            ),
            ProvisionFailure::OutOfReach { account, folder } => (
                "out_of_reach",
                format!(
                    "let `{account}` pass through it: `chmod o+x {}`; or use a workspace elsewhere, or run the producer as a \
                     user that is not root",
                    folder.display()
                ),
            ),
            ProvisionFailure::PortTaken { record, .. } => (
                "port_taken",
                format!(
                    "stop what listens there, or write another port into `{}` and tell everybody who connects",
                    record.display()
                ),
            ),
            ProvisionFailure::Program { log, .. } => {
                ("server_program", format!("do what the cause asks for; more is said in `{}`", log.display()))
            }
            ProvisionFailure::File { source, .. } => {
                let trouble = FileTrouble::of(source, "--workspace");
                (trouble.code, trouble.hint)
            }
            ProvisionFailure::Damaged { .. } => {
                ("damaged", "bring that file back from a copy: the data beside it is as it was".to_owned())
            }
        };
        Self {
            cause: Some(failure.to_string()),
            place: Some("database_config.provision".to_owned()),
            ..Self::new(FailureKind::DatabaseConnection, code, "there is no private server", hint)
        }
    }

    /// Nobody has started the container yet.
    pub(crate) fn container_not_started(address: &str, command: &str) -> Self {
        Self {
            cause: Some(format!("nobody listens at {address}")),
            place: Some("database_config.provision".to_owned()),
            retryable: true,
            ..Self::new(
                FailureKind::DatabaseConnection,
                "container_not_started",
                "the container of the database is described and does not run",
                format!("start it, and run the task again: `{command}`"),
            )
        }
    }

    /// A pooler between mixes what programs say of their sessions, such as whose rows they are about.
    pub(crate) fn sessions_shared(database: &Database) -> Self {
        let hint = "have the pooler keep sessions (`pool_mode = session` of PgBouncer; `databases/pgbouncer.ini` of a database task is made so), or connect \
                    to the server itself";
        Self {
            place: Some(database.place()),
            ..Self::new(
                FailureKind::DatabaseConnection,
                "sessions_shared",
                "a pooler gives each transaction another session, and programs would get the settings of others",
                hint,
            )
        }
    }

    /// The pool asks for more connections than there are.
    pub(crate) fn pool_too_large(wanted: u32, most: u32, database: &Database) -> Self {
        let message = format!("the pool may open {wanted} connections, and the server gives this role at most {most}");
        Self {
            place: Some(database.place()),
            ..Self::new(
                FailureKind::DatabaseConnection,
                "pool_too_large",
                message,
                format!("lower `pool.max`, or raise {}", database.connection_limits()),
            )
        }
    }

    /// A secret that the task names was not set.
    pub(crate) fn no_secret(name: &str) -> Self {
        let message = format!("the secret `{name}` is not set");
        Self {
            place: Some("database_config.connection".to_owned()),
            ..Self::new(
                FailureKind::DatabaseConnection,
                "secret_missing",
                message,
                format!("set it in this workspace: `producer secrets set {name}`"),
            )
        }
    }

    /// Passwords and rows would travel in clear.
    pub(crate) fn not_encrypted(environment: &str, database: &Database) -> Self {
        let message = format!("a {environment} database on another machine is connected to without encryption");
        let hint = format!("{}; `docs/database-connections.md` says more", database.way_to_encrypt());
        Self {
            place: Some(database.place()),
            ..Self::new(FailureKind::DatabaseConnection, "encryption_required", message, hint)
        }
    }

    /// A role of the plan's name is there, and nobody of this workspace has made it.
    pub(crate) fn role_taken(role: &str, way: &str, place: &str) -> Self {
        let message = format!("the server has a role `{role}` that this task did not make");
        let hint = format!("remove or rename that role, or hand it over to the task: `{way}`");
        Self {
            place: Some(place.to_owned()),
            ..Self::new(FailureKind::DatabaseConnection, "role_taken", message, hint)
        }
    }

    /// A role was made from elsewhere, and its password is there.
    pub(crate) fn password_unknown(role: &RoleName, secret: &SecretName, place: &str) -> Self {
        let message = format!("the password of the role `{role}` is not in the secret store of this workspace");
        let hint = format!(
            "bring it from where the role was made, or give it a new one: `producer secrets set {secret}`; the next run sees to it that \
             the server has the same"
        );
        Self {
            place: Some(place.to_owned()),
            ..Self::new(FailureKind::DatabaseConnection, "password_unknown", message, hint)
        }
    }

    /// The connection's user may not make the roles that the task asks for.
    pub(crate) fn may_not_make_roles(role: &RoleName, why: &str, place: &str) -> Self {
        let message = format!("the role `{role}` of the task cannot be made");
        let hint =
            "connect as a user who may, have `databases/permissions.sql` run by one, or remove `roles` from the task";
        Self {
            cause: Some(why.to_owned()),
            place: Some(place.to_owned()),
            ..Self::new(FailureKind::DatabaseConnection, "roles_not_allowed", message, hint)
        }
    }

    /// A statement about roles failed; none of them was carried out.
    pub(crate) fn permissions(error: &StoreError, database: &Database) -> Self {
        if let StoreError::NotConnected(..) = error {
            return Self::database(error, database);
        }
        let hint =
            "do what the cause asks for, or have `databases/permissions.sql` run by somebody who may, and run again";
        Self {
            cause: Some(error.to_string()),
            place: Some(database.place()),
            retryable: error.is_retryable(),
            ..Self::new(FailureKind::DatabaseConnection, "permissions", "no role was changed", hint)
        }
    }

    /// The secret store of the workspace, which is that file, cannot be used.
    pub(crate) fn secrets(failure: &SecretFailure, file: &Path) -> Self {
        Self {
            cause: Some(failure.to_string()),
            place: Some(file.display().to_string()),
            ..Self::new(
                FailureKind::DatabaseConnection,
                "secret_store",
                "the secret store cannot be used",
                "do what the cause asks for, and run again",
            )
        }
    }

    /// What a reference holds leads nowhere. It is not repeated, because it may hold a password.
    pub(crate) fn no_location(engine: Engine, why: String) -> Self {
        let message = format!("`connection` does not lead to a {engine} database");
        let hint = "change what the variable holds, or write the place into `connection` itself";
        Self {
            cause: Some(why),
            place: Some("database_config.connection".to_owned()),
            ..Self::new(FailureKind::DatabaseConnection, "location", message, hint)
        }
    }

    /// The database cannot be opened or looked at.
    pub(crate) fn database(error: &StoreError, database: &Database) -> Self {
        if let StoreError::Locked { way, .. } = error {
            return Self {
                cause: Some(error.to_string()),
                place: Some(database.place()),
                retryable: true,
                ..Self::new(FailureKind::DatabasePerformance, "locked", "somebody else keeps the database waiting", way)
            };
        }
        if let StoreError::Late(late, _) = error {
            return Self {
                cause: Some(error.to_string()),
                place: Some(database.place()),
                retryable: true,
                ..Self::new(
                    FailureKind::DatabasePerformance,
                    late.code(),
                    "the database does not answer in time",
                    "see who keeps it busy, let that end, and run again",
                )
            };
        }
        let is_file = matches!(database, Database::Sqlite(_));
        let (code, message, hint) = match error {
            StoreError::NotConnected(trouble, _) => {
                let (code, hint) = database.way_in(*trouble);
                (code, "the database cannot be connected to", hint)
            }
            StoreError::Unavailable(_) | StoreError::Contended(_) if is_file => (
                "unavailable",
                "the database does not answer",
                "see that its folder is writable and has space, and that no other program holds the file, then run again",
            ),
            StoreError::Unavailable(_)
            | StoreError::Contended(_)
            | StoreError::Lost(_)
            | StoreError::Uncertain(_)
            | StoreError::Late(..) => (
                "unavailable",
                "the database does not answer",
                "see that its server runs, has space and is not kept busy by others, then run again; its log says more",
            ),
            StoreError::Refused(_)
            | StoreError::Locked { .. }
            | StoreError::MigrationChanged { .. }
            | StoreError::HalfDone { .. }
            | StoreError::Conflict
            | StoreError::Overlap
            | StoreError::Reference => (
                "unusable",
                "the database cannot be used",
                match is_file {
                    true => "bring the file back from a copy, or move it away: the next run makes a new one",
                    false => "change what the cause names in the database, or name another one in `connection`",
                },
            ),
        };
        Self {
            cause: Some(error.to_string()),
            place: Some(database.place()),
            retryable: error.is_retryable(),
            ..Self::new(FailureKind::DatabaseConnection, code, message, hint)
        }
    }

    /// The database cannot be migrated; it is as it was before the migration that failed, or the message does not say so.
    pub(crate) fn migration(error: &StoreError, database: &Database) -> Self {
        if let StoreError::NotConnected(..) = error {
            return Self::database(error, database);
        }
        let mut message = "the database was not changed";
        let (code, hint) = match error {
            StoreError::HalfDone { .. } => {
                message = "the database was changed in part";
                (
                    "half_done",
                    "mend what the cause names and run again: it goes on where it was; or `producer db undo TASK_ID` takes back what is done",
                )
            }
            StoreError::Locked { way, .. } => ("locked", way.as_str()),
            StoreError::Unavailable(_)
            | StoreError::Contended(_)
            | StoreError::Lost(_)
            | StoreError::Uncertain(_)
            | StoreError::Late(..)
            | StoreError::NotConnected(..) => {
                message = "the database was not migrated to the end";
                (
                    "unavailable",
                    "see that the database runs, has space, and is held by no other program, then run again: its ledger says what is done, \
                     and the next run goes on there",
                )
            }
            StoreError::MigrationChanged { .. } => (
                "migration_changed",
                "bring the migration back as it was applied; further changes get a migration of their own",
            ),
            StoreError::Refused(_) | StoreError::Conflict | StoreError::Overlap | StoreError::Reference => {
                ("refused", "change what the cause names in the database, or in the task, and run again")
            }
        };
        Self {
            cause: Some(error.to_string()),
            place: Some(database.place()),
            retryable: error.is_retryable(),
            ..Self::new(FailureKind::DatabaseMigration, code, message, hint)
        }
    }

    /// A file of the task's folder cannot be written: a document, who is let in, or another part of the application.
    pub(crate) fn file(failure: &FileFailure, folder: &Path) -> Self {
        let path = failure.path.strip_prefix(folder).unwrap_or(&failure.path);
        let is_document = path.starts_with("documentation") || path.extension().is_some_and(|end| end == "md");
        let (kind, what) = if is_document {
            (FailureKind::Documentation, "a document of the API cannot be written")
        } else if path.file_name().is_some_and(|name| name == "middleware.js") {
            (FailureKind::AuthenticationSetup, "the file of authentication and limits cannot be written")
        } else {
            (FailureKind::EndpointConfiguration, "a file of the application cannot be written")
        };
        let trouble = FileTrouble::of(&failure.source, "--output");
        Self {
            cause: Some(failure.source.to_string()),
            place: Some(failure.path.display().to_string()),
            retryable: trouble.retryable,
            ..Self::new(kind, trouble.code, what, trouble.hint)
        }
    }

    /// The plan holds what the Node.js application cannot do.
    pub(crate) fn application(error: &emit::EmitError) -> Self {
        Self {
            cause: Some(error.to_string()),
            place: Some("the plan".to_owned()),
            ..Self::new(
                FailureKind::EndpointConfiguration,
                "application",
                "the Node.js application cannot be written",
                "take out what the cause names, and report it: a task that is accepted should not end like this",
            )
        }
    }

    /// A check failed before anything was touched: the plan does not do what it says.
    pub(crate) fn unproved(failed: &Verification) -> Self {
        let hint = "nothing was changed; `producer run --plan` shows the plan: report it together with the task";
        Self { code: "plan_not_proved".to_owned(), ..Self::of_check(failed, hint) }
    }

    /// A check of what was made failed; the plan that was active stays so.
    pub(crate) fn not_live(failed: &Verification, database: &Path) -> Self {
        let hint = "see that nothing else changes the database meanwhile, and run the task again";
        Self {
            code: "not_as_made".to_owned(),
            place: Some(database.display().to_string()),
            retryable: true,
            ..Self::of_check(failed, hint)
        }
    }

    fn of_check(failed: &Verification, hint: &str) -> Self {
        let message = format!("`{}` did not come out as it must", failed.check);
        Self {
            cause: Some(failed.detail.clone()),
            place: Some(failed.place.clone()),
            ..Self::new(failed.kind, "", message, hint)
        }
    }
}
