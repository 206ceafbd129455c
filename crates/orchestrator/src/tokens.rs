//! Tokens of providers: in the database of the task, sealed and leased by whoever renews one, so that every server of it has the same; and
//! as sealed entries of the workspace's secret store, with a locked file, until there is a database. No token is part of an error or a log.

use crate::account::shared_secret;
use crate::failure::Failure;
use crate::run::timestamp;
use crate::workspace::Workspace;
use connect::account::Token;
use connect::authentication::tokens::{TokenKeeper, Waiting};
use jiff::Timestamp;
use plan::Plan;
use secrets::{ListedSecret, SecretName};
use serde::{Deserialize, Serialize};
use serve::Sealing;
use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use store::Store;
use tokio::time::Instant;
use vocab::{Secret, sha256_hex};
use zeroize::Zeroizing;

/// What the names of tokens begin with among the secrets.
const PREFIX: &str = "token/";
/// The same of what says when somebody has agreed.
const AGREEMENTS: &str = "agreement/";
/// How long another process may take to renew a token: longer than it waits for an answer.
const LONGEST_RENEWAL: Duration = Duration::from_secs(60);
/// For how long a token of a database is leased, and how often that is said again while the provider is asked: whoever is killed meanwhile has
/// others wait no longer than that, and clocks may be eight seconds apart.
const LEASE: Duration = Duration::from_secs(10);
const HEARTBEAT: Duration = Duration::from_secs(2);
/// How often it is looked whether the other one is done.
const LOOK: Duration = Duration::from_millis(20);

/// Keeps the tokens of a workspace: in the databases of its tasks, where other servers find them too, and as its own. Those of a provider
/// that this process plays are nobody else's.
#[derive(Clone)]
pub(crate) struct KeptTokens {
    workspace: Workspace,
    played: PlayedTokens,
    databases: Arc<Mutex<BTreeMap<String, Shared>>>,
}

/// Where the servers of a database find the tokens of a task.
#[derive(Clone)]
struct Shared {
    store: Store,
    sealing: Sealing,
}

/// Tokens of providers that this process plays: they are of no use to anybody else, and end with it.
#[derive(Clone, Default)]
pub(crate) struct PlayedTokens(Arc<Mutex<BTreeMap<String, Token>>>, Arc<tokio::sync::Mutex<()>>);

impl PlayedTokens {
    fn all(&self) -> MutexGuard<'_, BTreeMap<String, Token>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn has(&self, name: &str) -> bool {
        self.all().contains_key(name)
    }
}

impl TokenKeeper for PlayedTokens {
    fn lock<'k>(&'k self, _: &'k str) -> Waiting<'k, Box<dyn Send>> {
        Box::pin(async { Ok(Box::new(Arc::clone(&self.1).lock_owned().await) as Box<dyn Send>) })
    }

    fn load<'k>(&'k self, name: &'k str) -> Waiting<'k, Option<Token>> {
        Box::pin(async { Ok(self.all().get(name).cloned()) })
    }

    fn save<'k>(&'k self, name: &'k str, token: &'k Token) -> Waiting<'k, ()> {
        Box::pin(async {
            self.all().insert(name.to_owned(), token.clone());
            Ok(())
        })
    }
}

/// Whether a secret is a token that a provider has given.
pub(crate) fn is_token(name: &SecretName) -> bool {
    name.as_str().starts_with(PREFIX)
}

/// Whether it is of no use but in this workspace: a token, or what says when somebody has agreed.
pub(crate) fn is_of_this_workspace(name: &SecretName) -> bool {
    is_token(name) || name.as_str().starts_with(AGREEMENTS)
}

/// What says when somebody has agreed to what a task does at its provider.
pub(crate) fn agreement(task: &str, way: &str) -> Result<SecretName, String> {
    SecretName::parse(&format!("{AGREEMENTS}{task}/{way}")).map_err(|error| error.to_string())
}

/// The token of a task's way that was kept last.
pub(crate) fn kept_last(listed: &[ListedSecret], task: &str, way: &str) -> Option<SecretName> {
    let prefix = format!("{PREFIX}{task}/{way}/");
    let kept = listed.iter().filter(|listed| listed.name.as_str().starts_with(&prefix));
    kept.max_by(|one, other| one.changed_at.cmp(&other.changed_at)).map(|listed| listed.name.clone())
}

/// The token that a workspace keeps under that name.
pub(crate) fn read(workspace: &Workspace, name: &SecretName) -> Result<Option<Token>, String> {
    let found = workspace.secrets().get(name).map_err(|error| error.to_string())?;
    let Some(found) = found else { return Ok(None) };
    let token = opened_token(found.expose().as_bytes());
    let wrong = || format!("what is kept as `{name}` is no token: `producer secrets remove {name}`");
    token.map(Some).ok_or_else(wrong)
}

fn opened_token(text: &[u8]) -> Option<Token> {
    let sealed: Sealed = serde_json::from_slice(text).ok()?;
    Some(Token {
        access: Secret::new(sealed.access.to_string()),
        ends_at: sealed.ends_at.and_then(|second| Timestamp::from_second(second).ok()),
        refresh: sealed.refresh.map(|text| Secret::new(text.to_string())),
        kept: sealed.kept,
    })
}

/// As it is sealed.
fn as_text(token: &Token) -> Result<Zeroizing<String>, String> {
    let sealed = Sealed {
        access: Zeroizing::new(token.access.expose().clone()),
        ends_at: token.ends_at.map(Timestamp::as_second),
        refresh: token.refresh.as_ref().map(|text| Zeroizing::new(text.expose().clone())),
        kept: token.kept.clone(),
    };
    serde_json::to_string(&sealed).map(Zeroizing::new).map_err(|error| error.to_string())
}

impl KeptTokens {
    pub fn new(workspace: &Workspace) -> Self {
        Self { workspace: workspace.clone(), played: PlayedTokens::default(), databases: Arc::default() }
    }

    /// Those of providers that this process plays.
    pub fn played(&self) -> PlayedTokens {
        self.played.clone()
    }

    /// Has the tokens of a plan's service kept in its database.
    ///
    /// # Errors
    /// Where the secret that seals them cannot be read.
    pub fn keep_in(&self, plan: &Plan, store: &Store) -> Result<(), Box<Failure>> {
        if plan.keeps_tokens() {
            let sealing = Sealing::of_tokens(&shared_secret(&self.workspace)?);
            self.all_shared().insert(plan.task_id.to_string(), Shared { store: store.clone(), sealing });
        }
        Ok(())
    }

    fn all_shared(&self) -> MutexGuard<'_, BTreeMap<String, Shared>> {
        self.databases.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn shared(&self, name: &str) -> Option<Shared> {
        self.all_shared().get(name.split('/').next()?).cloned()
    }

    async fn of_workspace(&self, name: &str) -> Result<Option<Token>, String> {
        let (workspace, name) = (self.workspace.clone(), secret(name)?);
        done(tokio::task::spawn_blocking(move || read(&workspace, &name)).await)
    }
}

impl Shared {
    /// Waits until nobody else renews the token.
    async fn lease(self, name: &str) -> Result<Lease, String> {
        let id = uuid::Uuid::now_v7().to_string();
        let end = Instant::now() + LONGEST_RENEWAL;
        loop {
            let now = Timestamp::now();
            let (until, now) = (timestamp(now + LEASE), timestamp(now));
            match self.store.lease_token(name, &id, &now, &until).await.map_err(|error| error.to_string())? {
                true => return Ok(Lease::held(self.store, name.to_owned(), id)),
                false if Instant::now() < end => tokio::time::sleep(LOOK).await,
                false => return Err(format!("another server has been renewing it for {LONGEST_RENEWAL:?}")),
            }
        }
    }

    async fn load(&self, name: &str) -> Result<Option<Token>, String> {
        let sealed = self.store.kept_token(name).await.map_err(|error| error.to_string())?;
        let Some(sealed) = sealed else { return Ok(None) };
        let opened = self.sealing.open(name, &sealed).map(Zeroizing::new);
        let opened = opened.ok_or_else(|| {
            format!("it was sealed with another {}: give every server of the database the same", plan::accounts::SECRET)
        })?;
        opened_token(&opened).map(Some).ok_or_else(|| "what the database keeps of it is no token".to_owned())
    }

    async fn save(&self, name: &str, token: &Token) -> Result<(), String> {
        let text = as_text(token)?;
        let sealed = self.sealing.seal(name, text.as_bytes()).map_err(|_| "it cannot be sealed".to_owned())?;
        self.store.keep_token(name, &sealed, &crate::run::now()).await.map_err(|error| error.to_string())
    }
}

/// Nobody else renews a token until this is dropped.
struct Lease {
    store: Store,
    name: String,
    id: String,
    beating: tokio::task::JoinHandle<()>,
}

impl Lease {
    fn held(store: Store, name: String, id: String) -> Self {
        let (beats, of, by) = (store.clone(), name.clone(), id.clone());
        let beating = tokio::spawn(async move {
            loop {
                tokio::time::sleep(HEARTBEAT).await;
                // The next one may be in time.
                let _ = beats.extend_token(&of, &by, &timestamp(Timestamp::now() + LEASE)).await;
            }
        });
        Self { store, name, id, beating }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.beating.abort();
        let (store, name, id) = (self.store.clone(), self.name.clone(), self.id.clone());
        // Where it cannot be given back it runs out.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { store.release_token(&name, &id).await });
        }
    }
}

/// A token as it is sealed.
#[derive(Serialize, Deserialize)]
struct Sealed {
    access: Zeroizing<String>,
    #[serde(default)]
    /// In seconds since 1970.
    ends_at: Option<i64>,
    #[serde(default)]
    refresh: Option<Zeroizing<String>>,
    #[serde(default)]
    kept: BTreeMap<String, String>,
}

impl TokenKeeper for KeptTokens {
    fn lock<'k>(&'k self, name: &'k str) -> Waiting<'k, Box<dyn Send>> {
        if self.played.has(name) {
            return self.played.lock(name);
        }
        if let Some(shared) = self.shared(name) {
            return Box::pin(async move { Ok(Box::new(shared.lease(name).await?) as Box<dyn Send>) });
        }
        Box::pin(async move {
            let folder = self.workspace.locks_folder();
            let path = folder.join(format!("token-{}", &sha256_hex(name.as_bytes())[..16]));
            let file = opened(&folder, &path).map_err(|error| format!("{}: {error}", path.display()))?;
            let end = Instant::now() + LONGEST_RENEWAL;
            loop {
                match file.try_lock() {
                    Ok(()) => return Ok(Box::new(file) as Box<dyn Send>),
                    Err(TryLockError::WouldBlock) if Instant::now() < end => tokio::time::sleep(LOOK).await,
                    Err(TryLockError::WouldBlock) => {
                        return Err(format!("another process has been renewing it for {LONGEST_RENEWAL:?}"));
                    }
                    Err(TryLockError::Error(error)) => return Err(format!("{}: {error}", path.display())),
                }
            }
        })
    }

    fn load<'k>(&'k self, name: &'k str) -> Waiting<'k, Option<Token>> {
        if self.played.has(name) {
            return self.played.load(name);
        }
        Box::pin(async move {
            let kept = match self.shared(name) {
                Some(shared) => shared.load(name).await?,
                None => None,
            };
            // It was agreed to before there was a database.
            match kept {
                Some(token) => Ok(Some(token)),
                None => self.of_workspace(name).await,
            }
        })
    }

    fn save<'k>(&'k self, name: &'k str, token: &'k Token) -> Waiting<'k, ()> {
        if self.played.has(name) {
            return self.played.save(name, token);
        }
        Box::pin(async move {
            if let Some(shared) = self.shared(name) {
                shared.save(name, token).await?;
            }
            let (workspace, name, text) = (self.workspace.clone(), secret(name)?, as_text(token)?);
            let write = move || {
                workspace.make_state().map_err(|error| error.to_string())?;
                workspace.secrets().set(&name, &text, &crate::run::now()).map_err(|error| error.to_string())
            };
            done(tokio::task::spawn_blocking(write).await)
        })
    }
}

fn secret(name: &str) -> Result<SecretName, String> {
    SecretName::parse(&format!("{PREFIX}{name}")).map_err(|error| error.to_string())
}

fn opened(folder: &Path, path: &Path) -> std::io::Result<File> {
    fs::create_dir_all(folder)?;
    File::options().create(true).append(true).open(path)
}

fn done<T>(ended: Result<Result<T, String>, tokio::task::JoinError>) -> Result<T, String> {
    ended.unwrap_or_else(|_| Err("the process is ending".to_owned()))
}
