//! A person agrees at a provider for the first time, or anew: the service of a task comes in, the address that the person opens goes out;
//! what the person comes back with is exchanged for tokens, which are kept sealed. Neither code nor token is ever shown.

use crate::account::gathered;
use crate::failure::Failure;
use crate::integration::{Speaking, reached};
use crate::run::{Stop, now};
use crate::settings::{WorkspaceSettings, WrongSettings};
use crate::tokens::agreement;
use crate::workspace::{Workspace, WorkspaceFailure};
use connect::account::Token;
use connect::answer::Outcome;
use connect::authentication::consent::{Consent, NoCode};
use connect::authentication::oauth2::Given;
use jiff::Timestamp;
use manifest::Provider;
use manifest::authentication::Oauth2;
use plan::service::{ServicePlan, System};
use secrets::SecretText;
use serve::{CameBack, come_back};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

/// Where a person comes back to on this machine.
const BACK: &str = "/oauth/callback";
/// How long a person may take.
const PATIENCE: Duration = Duration::from_secs(600);

/// How a person comes back.
#[derive(Debug, Clone)]
pub struct ConsentOptions {
    /// The address of this machine to which the person's browser is led.
    pub listen: String,
    /// Whether the browser is waited for there; else the person copies where it was led.
    pub waits: bool,
    /// What the provider knows as the address to come back to, where it is not the one that is listened at.
    pub redirect: Option<String>,
}

/// Why nobody has agreed.
#[derive(Debug, thiserror::Error)]
pub enum ConsentFailure {
    /// The provider asks for no agreement.
    #[error("{0} asks for nobody's agreement: `producer providers NAME` lists what it needs")]
    NotAsked(String),
    /// It is played for this task alone.
    #[error("{0} is only played for this task, and agrees by itself")]
    Played(String),
    /// The workspace cannot be used.
    #[error(transparent)]
    Workspace(#[from] WorkspaceFailure),
    /// Its settings are wrong.
    #[error(transparent)]
    Settings(#[from] WrongSettings),
    /// The address cannot be listened at.
    #[error(
        "cannot wait for your browser at `{address}`: {source}; name another address with `--listen`, which the provider must know, \
         or copy the address that it leads you to: `--paste`"
    )]
    Listen {
        /// The address.
        address: String,
        /// Why.
        source: std::io::Error,
    },
    /// What came back is no code.
    #[error(transparent)]
    NoCode(#[from] NoCode),
    /// Nobody came back.
    #[error("nobody has come back within {} minutes: begin again", PATIENCE.as_secs() / 60)]
    Nobody,
    /// The provider gave no token.
    #[error("{0} gave no token: {1}")]
    NoToken(String, String),
    /// Something must be given first, or cannot be done here.
    #[error("{}", .0.with_hint())]
    Failed(Box<Failure>),
}

impl From<Stop> for ConsentFailure {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Workspace(failure) => Self::Workspace(failure),
            other => Self::Failed(Box::new(other.into_parts().1)),
        }
    }
}

/// A question to a person that waits for its answer.
pub struct Asking {
    workspace: Workspace,
    speaking: Speaking,
    task: String,
    way: (String, Oauth2),
    consent: Consent,
    listener: Option<TcpListener>,
    /// Where the person comes back to, as the provider must know it.
    pub redirect: String,
    /// What the provider calls itself.
    pub title: String,
}

/// What an agreement has led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreed {
    /// When the token ends, UTC; none where nobody knows.
    pub ends_at: Option<String>,
    /// Whether the next token is got without anybody.
    pub is_renewed: bool,
    /// What the provider says to the token, where it can be asked: nothing is good.
    pub problem: Option<String>,
}

impl Asking {
    /// Begins to ask.
    ///
    /// # Errors
    /// [`ConsentFailure`] with the reason.
    pub async fn begin(
        workspace: &Workspace,
        plan: &ServicePlan,
        options: &ConsentOptions,
    ) -> Result<Self, ConsentFailure> {
        let title = plan.manifest.provider.title.clone();
        let (name, way) = way(&plan.manifest.provider).ok_or_else(|| ConsentFailure::NotAsked(title.clone()))?;
        let settings = WorkspaceSettings::read(workspace)?;
        let is_played = !settings.simulated.contains_key(plan.manifest.provider.provider.as_str());
        if plan.system == System::Simulated && is_played {
            return Err(ConsentFailure::Played(title));
        }
        let (given, missing) = gathered(workspace, plan).map_err(ConsentFailure::Failed)?;
        if !missing.is_empty() {
            return Err(ConsentFailure::Failed(Box::new(Failure::account(&title, &missing))));
        }
        let speaking = reached(plan, workspace, given, &settings)?;
        let listener = if options.waits { Some(listen(&options.listen).await?) } else { None };
        let here = listener.as_ref().and_then(|listener| listener.local_addr().ok());
        let here = here.map_or_else(|| options.listen.clone(), |here| here.to_string());
        let redirect = options.redirect.clone().unwrap_or_else(|| format!("http://{here}{BACK}"));
        let consent = Consent::ask(&speaking.account, way, &redirect);
        let consent = consent.map_err(|why| ConsentFailure::NoToken(title.clone(), why.to_string()))?;
        let (workspace, way) = (workspace.clone(), (name.to_owned(), way.clone()));
        Ok(Self { workspace, speaking, task: plan.task_id.to_string(), way, consent, listener, redirect, title })
    }

    /// The address that the person opens.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.consent.url
    }

    /// Waits until the person comes back. Who answers another question is told so, and it is waited on.
    ///
    /// # Errors
    /// [`ConsentFailure`] with the reason.
    pub async fn wait(mut self) -> Result<Agreed, ConsentFailure> {
        let Some(listener) = self.listener.take() else { return Err(ConsentFailure::Nobody) };
        let (to, mut came) = mpsc::channel(1);
        let waiting = tokio::spawn(come_back(listener, BACK, to));
        let agreed = tokio::time::timeout(PATIENCE, self.first(&mut came)).await.unwrap_or(Err(ConsentFailure::Nobody));
        drop(came);
        // It has nothing to say: it ends when its last page was sent.
        let _ = waiting.await;
        agreed
    }

    async fn first(&self, came: &mut mpsc::Receiver<CameBack>) -> Result<Agreed, ConsentFailure> {
        while let Some(back) = came.recv().await {
            let given = match self.consent.came_back(&back.target) {
                Ok(given) => given,
                Err(why @ (NoCode::OtherQuestion | NoCode::Nothing)) => {
                    tracing::warn!("somebody came back who does not count: {why}");
                    back.tell(Err(&why.to_string()));
                    continue;
                }
                Err(why @ NoCode::Refused(_)) => {
                    back.tell(Err(&why.to_string()));
                    return Err(why.into());
                }
            };
            let agreed = self.exchanged(&given).await;
            match &agreed {
                Ok(_) => back.tell(Ok("You may close this page; the terminal says what comes of it.")),
                Err(why) => back.tell(Err(&why.to_string())),
            }
            return agreed;
        }
        Err(ConsentFailure::Nobody)
    }

    /// Takes what the person has copied.
    ///
    /// # Errors
    /// [`ConsentFailure`] with the reason.
    pub async fn copied(self, text: &SecretText) -> Result<Agreed, ConsentFailure> {
        let given = self.consent.copied(text.expose())?;
        self.exchanged(&given).await
    }

    async fn exchanged(&self, given: &Given) -> Result<Agreed, ConsentFailure> {
        let Speaking { account, caller, .. } = &self.speaking;
        let (name, way) = &self.way;
        let words = |outcome: &Outcome| match outcome.problem() {
            Some((message, Some(code))) => format!("{message} ({code})"),
            Some((message, None)) => message.to_owned(),
            None => String::new(),
        };
        let token = caller.exchange(account, name, way, given).await;
        let token = token.map_err(|why| ConsentFailure::NoToken(self.title.clone(), words(&why)))?;
        // Servers that run see by it that there is another agreement.
        let agreed = agreement(&self.task, name).map_err(|why| ConsentFailure::NoToken(self.title.clone(), why))?;
        let kept = self.workspace.secrets().set(&agreed, &now(), &now());
        kept.map_err(|error| Box::new(Failure::secrets(&error, &self.workspace.secrets().file())))
            .map_err(ConsentFailure::Failed)?;
        let Token { ends_at, refresh, .. } = token;
        let tried = caller.check(account).await;
        Ok(Agreed {
            ends_at: ends_at.map(|end: Timestamp| crate::run::timestamp(end)),
            is_renewed: refresh.is_some(),
            problem: tried.as_ref().map(words).filter(|words| !words.is_empty()),
        })
    }
}

/// The way of a provider by which a person agrees.
pub(crate) fn way(provider: &Provider) -> Option<(&str, &Oauth2)> {
    provider.consent()
}

async fn listen(address: &str) -> Result<TcpListener, ConsentFailure> {
    let failure = |source| ConsentFailure::Listen { address: address.to_owned(), source };
    let listener = TcpListener::bind(address).await.map_err(failure)?;
    // What comes back opens an account: it is taken on this machine alone.
    match listener.local_addr().map_err(failure)?.ip().is_loopback() {
        true => Ok(listener),
        false => Err(failure(std::io::Error::other("it can be reached from other machines"))),
    }
}
