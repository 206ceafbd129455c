//! Tokens of providers as the workspace keeps them: each is a sealed entry of the secret store, and a file of its own is locked while
//! one is renewed. The operating system lets the lock go when its holder dies; no token is part of an error or a log.

use crate::workspace::Workspace;
use connect::account::Token;
use connect::authentication::tokens::{TokenKeeper, Waiting};
use jiff::Timestamp;
use secrets::{ListedSecret, SecretName};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use vocab::{Secret, sha256_hex};
use zeroize::Zeroizing;

/// What the names of tokens begin with among the secrets.
const PREFIX: &str = "token/";
/// The same of what says when somebody has agreed.
const AGREEMENTS: &str = "agreement/";
/// How long another process may take to renew a token: longer than it waits for an answer.
const LONGEST_RENEWAL: Duration = Duration::from_secs(60);
/// How often it is looked whether the other one is done.
const LOOK: Duration = Duration::from_millis(20);

/// Keeps the tokens of a workspace; those of a provider that this process plays are not of the workspace.
pub(crate) struct KeptTokens {
    workspace: Workspace,
    played: PlayedTokens,
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
    let sealed: Sealed = serde_json::from_str(found.expose())
        .map_err(|_| format!("what is kept as `{name}` is no token: `producer secrets remove {name}`"))?;
    Ok(Some(Token {
        access: Secret::new(sealed.access.to_string()),
        ends_at: sealed.ends_at.and_then(|second| Timestamp::from_second(second).ok()),
        refresh: sealed.refresh.map(|text| Secret::new(text.to_string())),
        kept: sealed.kept,
    }))
}

impl KeptTokens {
    pub fn new(workspace: &Workspace, played: PlayedTokens) -> Self {
        Self { workspace: workspace.clone(), played }
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
            let (workspace, name) = (self.workspace.clone(), secret(name)?);
            done(tokio::task::spawn_blocking(move || read(&workspace, &name)).await)
        })
    }

    fn save<'k>(&'k self, name: &'k str, token: &'k Token) -> Waiting<'k, ()> {
        if self.played.has(name) {
            return self.played.save(name, token);
        }
        Box::pin(async move {
            let (workspace, name) = (self.workspace.clone(), secret(name)?);
            let sealed = Sealed {
                access: Zeroizing::new(token.access.expose().clone()),
                ends_at: token.ends_at.map(Timestamp::as_second),
                refresh: token.refresh.as_ref().map(|text| Zeroizing::new(text.expose().clone())),
                kept: token.kept.clone(),
            };
            let write = move || {
                let text = Zeroizing::new(serde_json::to_string(&sealed).map_err(|error| error.to_string())?);
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
