//! A provider's manifest is tried at the provider itself, with an account for tests: a name comes in, how each operation came out goes
//! out, and is kept in the workspace. A credential that is not known to be one for tests changes nothing there; none is ever shown.

use crate::account::{Missing, gathered};
use crate::failure::Failure;
use crate::integration::reached;
use crate::providers::{ProvidersFailure, cases, provider_manifest};
use crate::response::CheckOutcome;
use crate::run::{Stop, now};
use crate::settings::{WorkspaceSettings, WrongSettings};
use crate::workspace::{Workspace, WorkspaceFailure};
use connect::trying::{Came, try_at};
use manifest::Manifest;
use manifest::provider::TestSystem;
use plan::service::{AccountValue, Priority, ServicePlan, System, ValueSource};
use serde::{Deserialize, Serialize};
use vocab::{FieldName, TaskId, closest, sha256_hex};

/// Whose account it is where no task is named: tokens are kept under it.
const NOBODYS_TASK: &str = "providers_verify";
/// Where customers would come back to, where nobody says where the server is known.
const SITE: &str = "https://example.com";

/// How a provider is to be tried.
#[derive(Debug, Clone, Default)]
pub struct TryOptions {
    /// The service whose account it is; without one the credentials are the secrets that a task takes by itself.
    pub of: Option<ServicePlan>,
    /// Settings, each as `NAME=VALUE`.
    pub set: Vec<String>,
    /// Somebody says that the account is one for tests.
    pub is_test_account: bool,
}

/// How a provider's manifest came out when it was tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TriedProvider {
    /// The provider.
    pub provider: String,
    /// When, UTC.
    pub at: String,
    /// At what: the provider, its test system, or what stood in for it.
    pub against: String,
    /// Whether something stood in for the provider.
    pub simulated: bool,
    /// The digest of the manifest that was tried.
    pub manifest: String,
    /// The credential first, then operations as they were tried.
    pub tried: Vec<TriedOperation>,
}

/// How an operation came out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TriedOperation {
    /// The operation; none where the credential was tried.
    pub operation: Option<String>,
    /// How it came out.
    pub outcome: CheckOutcome,
    /// What there is to say about it.
    pub detail: String,
}

impl TriedProvider {
    /// How many came out so.
    #[must_use]
    pub fn count(&self, outcome: CheckOutcome) -> usize {
        self.tried.iter().filter(|tried| tried.outcome == outcome).count()
    }

    /// Whether anything came out otherwise than the manifest says.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.count(CheckOutcome::Failed) > 0
    }

    /// All of it in one line.
    #[must_use]
    pub fn in_short(&self) -> String {
        let good = self.count(CheckOutcome::Passed) + self.count(CheckOutcome::Simulated);
        let (failed, untried) = (self.count(CheckOutcome::Failed), self.count(CheckOutcome::NotVerified));
        format!("{} at {}: {good} as said, {failed} otherwise, {untried} not tried", self.at, self.against)
    }
}

/// Why a provider is not tried.
#[derive(Debug, thiserror::Error)]
pub enum TryFailure {
    /// There is none of that name, or its manifest is wrong.
    #[error(transparent)]
    Provider(#[from] ProvidersFailure),
    /// The workspace cannot be used.
    #[error(transparent)]
    Workspace(#[from] WorkspaceFailure),
    /// Its settings are wrong.
    #[error(transparent)]
    Settings(#[from] WrongSettings),
    /// The task is of another provider.
    #[error("the task integrates `{0}`")]
    OtherProvider(String),
    /// Something that is set is no setting of it.
    #[error("`--set {text}`: {why}")]
    Set {
        /// What was written.
        text: String,
        /// What is wrong with it.
        why: String,
    },
    /// Somebody must give something first.
    #[error("{0}")]
    Missing(String),
    /// It cannot be done here.
    #[error("{}", .0.with_hint())]
    Failed(Box<Failure>),
}

impl From<Stop> for TryFailure {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Workspace(failure) => Self::Workspace(failure),
            other => Self::Failed(Box::new(other.into_parts().1)),
        }
    }
}

/// Tries a provider's manifest, and keeps how it came out.
///
/// # Errors
/// [`TryFailure`] with the reason; then nothing was sent.
pub async fn try_provider(
    workspace: &Workspace,
    name: &str,
    options: &TryOptions,
) -> Result<TriedProvider, TryFailure> {
    let manifest = provider_manifest(workspace, name)?;
    let tries = cases(workspace, &manifest.provider.provider).map(|cases| cases.tries).unwrap_or_default();
    let settings = WorkspaceSettings::read(workspace)?;
    let plan = service(&manifest, options)?;
    let (given, missing) = gathered(workspace, &plan).map_err(TryFailure::Failed)?;
    if !missing.is_empty() {
        return Err(TryFailure::Missing(asked(&manifest.provider.title, &missing)));
    }
    let mut speaking = reached(&plan, workspace, given, &settings)?;
    // A task's tokens are those of the system that it means; a test system with hosts of its own is never the live one.
    if let (Some(of), false) = (&options.of, manifest.provider.test_system == TestSystem::Hosts) {
        speaking.account.system = of.system;
    }
    speaking.account.site_url.get_or_insert_with(|| SITE.to_owned());
    let simulated = speaking.stands_in.is_some();
    let untouched = if simulated || options.is_test_account { None } else { unknown_to_be_a_test(&manifest) };
    let outcomes = try_at(&speaking.caller, &speaking.account, &tries, untouched).await;
    let outcome = |came| match came {
        Came::AsSaid if simulated => CheckOutcome::Simulated,
        Came::AsSaid => CheckOutcome::Passed,
        Came::Otherwise => CheckOutcome::Failed,
        Came::Untried => CheckOutcome::NotVerified,
    };
    let tried = outcomes.into_iter().map(|tried| TriedOperation {
        operation: tried.operation.map(|name| name.to_string()),
        outcome: outcome(tried.came),
        detail: tried.detail,
    });
    let title = &manifest.provider.title;
    let tried = TriedProvider {
        provider: name.to_owned(),
        at: now(),
        against: match (&speaking.account.instead, manifest.provider.test_system) {
            (Some(instead), _) => format!("a simulator ({instead})"),
            (None, TestSystem::Hosts | TestSystem::Credential) => format!("the test system of {title}"),
            (None, TestSystem::Account | TestSystem::None) => title.clone(),
        },
        simulated,
        manifest: digest(&manifest),
        tried: tried.collect(),
    };
    // Where not even the credential was taken, nothing is known of the manifest that was not known before.
    if tried.tried.first().is_some_and(|credential| credential.outcome != CheckOutcome::Failed) {
        workspace.keep_tried_provider(&manifest.provider.provider, &tried)?;
    }
    Ok(tried)
}

/// How the manifest came out when it was last tried, and whether it is still that one.
pub(crate) fn last_tried(
    workspace: &Workspace,
    manifest: &Manifest,
) -> Result<Option<(TriedProvider, bool)>, WorkspaceFailure> {
    let tried: Option<TriedProvider> = workspace.tried_provider(&manifest.provider.provider)?;
    let current = digest(manifest);
    Ok(tried.map(|tried| {
        let is_current = tried.manifest == current;
        (tried, is_current)
    }))
}

/// What tells a manifest from every other.
fn digest(manifest: &Manifest) -> String {
    sha256_hex(serde_json::to_string(manifest).unwrap_or_default().as_bytes())
}

/// Why nothing may be changed at an account of which nobody says that it is for tests.
fn unknown_to_be_a_test(manifest: &Manifest) -> Option<&'static str> {
    let provider = &manifest.provider;
    let is_known = match provider.test_system {
        TestSystem::Hosts => provider.hosts.iter().all(|(_, host)| host.sandbox.is_some()),
        TestSystem::Credential => provider.credentials.iter().any(|(_, known)| !known.test_starts_with.is_empty()),
        TestSystem::Account | TestSystem::None => false,
    };
    (!is_known).then_some(
        "nothing tells an account for tests from another: where it is one, `--test-account` lets something be changed there",
    )
}

/// A service with the whole manifest, whose credential must be one of the test system.
fn service(manifest: &Manifest, options: &TryOptions) -> Result<ServicePlan, TryFailure> {
    let provider = &manifest.provider;
    let of_task = |plan: &ServicePlan| (plan.task_id.clone(), plan.account.clone(), plan.unanswered.clone());
    let (task_id, mut account, mut unanswered) = match &options.of {
        Some(plan) if plan.manifest.provider.provider != provider.provider => {
            return Err(TryFailure::OtherProvider(plan.manifest.provider.provider.to_string()));
        }
        Some(plan) => of_task(plan),
        None => by_itself(manifest),
    };
    for text in &options.set {
        let failure = |why: String| TryFailure::Set { text: text.clone(), why };
        let (name, value) = text.split_once('=').ok_or_else(|| failure("write it as `NAME=VALUE`".to_owned()))?;
        let known = provider.settings.names();
        let Some(name) = FieldName::parse(name).ok().filter(|name| known.contains(&name.as_str())) else {
            let help = match closest(name, &known) {
                _ if provider.credentials.get(name).is_some() => "a credential is a secret, never an argument",
                Some(meant) => &format!("did you mean `{meant}`?"),
                None => &format!("the settings are {}", known.join(", ")),
            };
            return Err(failure(format!("`{name}` is no setting of {}: {help}", provider.title)));
        };
        account.retain(|known| known.name != name);
        unanswered.retain(|known| *known != name);
        account.push(AccountValue { name, from: ValueSource::Plain(value.to_owned()) });
    }
    if let Some(name) = unanswered.first() {
        let title = provider.settings.get(name.as_str()).map(|known| known.title.as_str()).unwrap_or_default();
        return Err(TryFailure::Missing(format!("{} needs: {title}; `--set {name}=...` gives it", provider.title)));
    }
    Ok(ServicePlan {
        alerts: None,
        task_id,
        system: System::Test,
        priority: Priority::Normal,
        account,
        unanswered,
        points: Vec::new(),
        listens: Vec::new(),
        returns: Vec::new(),
        syncs: Vec::new(),
        intake: None,
        manifest: manifest.clone(),
    })
}

/// What a task takes that says nothing of credentials.
fn by_itself(manifest: &Manifest) -> (TaskId, Vec<AccountValue>, Vec<FieldName>) {
    let provider = &manifest.provider;
    let (mut account, mut unanswered) = (Vec::new(), Vec::new());
    for (name, _) in provider.credentials.iter().filter(|(_, known)| !known.optional) {
        account.push(AccountValue { name: name.clone(), from: ValueSource::Secret(provider.secret_of(name)) });
    }
    for (name, setting) in provider.settings.iter() {
        match (&setting.default, setting.optional) {
            (Some(_), _) => account.push(AccountValue { name: name.clone(), from: ValueSource::Default }),
            (None, true) => {}
            (None, false) => unanswered.push(name.clone()),
        }
    }
    (TaskId::parse(NOBODYS_TASK).expect("a name of ours"), account, unanswered)
}

fn asked(title: &str, missing: &[Missing]) -> String {
    let one = |missing: &Missing| {
        let wrong = missing.wrong.as_ref().map(|wrong| format!(", and what is there cannot be one: {wrong}"));
        let find = missing.find.as_ref().map(|find| format!("; it is found at {find}"));
        let (wrong, find) = (wrong.unwrap_or_default(), find.unwrap_or_default());
        format!("{}{wrong}; {} gives it{find}", missing.title, missing.give)
    };
    format!("{title} needs: {}", missing.iter().map(one).collect::<Vec<_>>().join("; "))
}
