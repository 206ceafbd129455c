//! Serving the workspace: every active plan behind one listener.

use crate::account;
use crate::alerting;
use crate::backups::{self, Keeper, Standings};
use crate::delivering::{self, Delivered, Players, Workers};
use crate::ending::{self, Ending};
use crate::failure::Failure;
use crate::issuing;
use crate::located::Opened;
use crate::mailing;
use crate::senders;
use crate::settings::{WorkspaceSettings, WrongSettings};
use crate::syncing::{self, Read, Readers};
use crate::tokens::{KeptTokens, is_token};
use crate::workspace::{RunningServer, Workspace, WorkspaceFailure};
use connect::account::Account;
use connect::call::Caller;
use connect::client::Client;
use connect::proof::Prover;
use jiff::Timestamp;
use plan::{Plan, TakenOver};
use secrets::ListedSecret;
use serve::{
    AccountScope, Certificate, Counterpart, Counts, Current, Origins, Proxies, Served, Service, Settings,
    UnservablePlan, WrongCertificate, WrongOrigin, WrongProxy, listen, no_account,
};
use std::collections::BTreeMap;
use std::fmt::Display;
use std::future::Future;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use store::Store;
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use vocab::{Secret, TaskId};

/// How often a server looks for plans that became active.
const LOOK_PAUSE: Duration = Duration::from_millis(250);
/// How long a server on this machine may take to say that it is alive.
const ALIVE_TIMEOUT: Duration = Duration::from_secs(1);

/// What the environment says of how a workspace is served, as it stands there; what is empty says nothing.
#[derive(Debug, Default)]
pub struct ServerSettings {
    /// `CORS_ORIGINS`: whose pages may call the APIs that allow other origins.
    pub origins: String,
    /// `TRUSTED_PROXIES`: which proxies are believed.
    pub proxies: String,
    /// `TLS_CERTIFICATE` and `TLS_KEY`: files of the certificate and its key.
    pub certificate: [String; 2],
}

/// How an alert of TLS begins: its type, and the version that all versions write there.
const ALERT: &[u8] = &[0x15, 0x03];

/// A listener that is bound, and what it will serve.
pub struct Serving {
    listener: TcpListener,
    certificate: Option<Certificate>,
    service: Service,
    opened: Opened,
    players: Players,
    workers: Workers,
    readers: Readers,
    /// What is read when it is served.
    to_read: Vec<Read>,
    simulated: Vec<SocketAddr>,
    workspace: Workspace,
    address: SocketAddr,
    /// Where it listens: `http://127.0.0.1:8080`.
    pub url: String,
    /// The routes with their methods, sorted: `POST /api/contact`.
    pub routes: Vec<String>,
    /// Providers that are played beside it, each with its address.
    pub played: Vec<(String, SocketAddr)>,
    plans: Vec<(TaskId, String)>,
    secrets: Vec<ListedSecret>,
    endings: Endings,
    backups: Standings,
}

/// When credentials end of those that are served.
type Endings = Arc<Mutex<Vec<Ending>>>;

/// Why a workspace cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ServeFailure {
    /// The workspace cannot be used.
    #[error(transparent)]
    Workspace(#[from] WorkspaceFailure),
    /// A database of it cannot be opened.
    #[error("{}", .0.with_hint())]
    Database(Box<Failure>),
    /// What opens an account at a provider cannot be read, or the provider cannot be played.
    #[error("{}", .0.with_hint())]
    Account(Box<Failure>),
    /// The settings of the workspace are wrong.
    #[error(transparent)]
    Settings(#[from] WrongSettings),
    /// Nothing can be sent from this machine.
    #[error(
        "encrypted connections cannot be made on this machine: {0}; install the system's certificates (`ca-certificates`)"
    )]
    Sending(String),
    /// Nothing was completed.
    #[error("this workspace has no completed API: run a task first")]
    Nothing,
    /// A plan cannot be served.
    #[error(transparent)]
    Plan(#[from] UnservablePlan),
    /// The setting names what is no origin.
    #[error("`CORS_ORIGINS`: {0}")]
    Origins(#[from] WrongOrigin),
    /// The setting names what is no proxy.
    #[error("`TRUSTED_PROXIES`: {0}")]
    Proxies(#[from] WrongProxy),
    /// The files that the settings name make no certificate.
    #[error(transparent)]
    Certificate(#[from] WrongCertificate),
    /// The counts of rate limits cannot be kept.
    #[error("the counts of rate limits in {folder} cannot be kept: {source}")]
    Counts {
        /// Where they are.
        folder: std::path::PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The address cannot be listened at.
    #[error(
        "cannot listen at `{address}`: {source}; name another address with `--listen`, as 127.0.0.1:8081 \
         (port 0 takes any free one)"
    )]
    Address {
        /// The address.
        address: String,
        /// Why.
        source: std::io::Error,
    },
}

impl Serving {
    /// Loads every active plan of the workspace and binds the address. Migrates nothing: a plan became active only after its
    /// database was.
    ///
    /// # Errors
    /// [`ServeFailure`] when there is nothing to serve, or no way to.
    pub async fn bind(workspace: &Workspace, address: &str, asked: &ServerSettings) -> Result<Self, ServeFailure> {
        let failure = |source| ServeFailure::Address { address: address.to_owned(), source };
        let listener = TcpListener::bind(address).await.map_err(failure)?;
        let bound = listener.local_addr().map_err(failure)?;
        let [chain, key] = &asked.certificate;
        let certificate = Certificate::open(chain, key)?;
        let here = url(certificate.is_some(), bound);
        let (mut opened, mut players) = (Opened::default(), Players::new(here.clone(), KeptTokens::new(workspace)));
        // Looked at before the plans are: what is set in between is seen as new.
        let secrets = secrets(workspace)?;
        let active = ActivePlans::load(workspace, &mut opened, &mut players).await?;
        let (origins, proxies) = (Origins::parse(&asked.origins)?, Proxies::parse(&asked.proxies)?);
        let folder = workspace.counts_folder();
        let counts = Counts::open(&folder).map_err(|source| ServeFailure::Counts { folder, source })?;
        let (news, heard) = (Arc::new(Notify::new()), watch::Sender::default());
        let read = syncing::Standings::default();
        let readings = Arc::clone(&read);
        let counts = Some(Arc::new(counts));
        let site = active.settings.public_url.clone();
        let delivered = delivering::Counts::default();
        let asked = Arc::clone(&delivered);
        let endings = Endings::default();
        let told = Arc::clone(&endings);
        let backups = Standings::default();
        let standings = Arc::clone(&backups);
        let apis: Vec<&Plan> = active.plans.iter().map(|active| &active.plan).collect();
        let issuer = issuing::of_plans(workspace, &apis).map_err(ServeFailure::Account)?;
        let settings = Settings {
            origins,
            proxies,
            issuer,
            counts,
            site,
            news: Arc::clone(&news),
            heard: heard.clone(),
            counted_by_others: Some(Arc::new(move || {
                let endings = told.lock().unwrap_or_else(PoisonError::into_inner);
                delivering::metrics(&asked)
                    + &syncing::metrics(&readings)
                    + &ending::metrics(&endings)
                    + &backups::metrics(&standings)
            })),
        };
        let service = Service::with_settings(&active.served(), active.openapi(), settings)?;
        let mut workers = Workers::new(players.kept(), news, delivered);
        active.deliver(workspace, &mut workers, &players).await?;
        let readers = Readers::new(read, heard);
        let to_read = active.read();
        active.tell(workspace, &endings);
        let simulated = players.simulated(&active.settings);
        let routes = active.routes();
        let workspace = workspace.clone();
        let plans = active.versions;
        let played = players.played();
        Ok(Self {
            listener,
            certificate,
            service,
            opened,
            players,
            workers,
            readers,
            to_read,
            simulated,
            workspace,
            address: bound,
            url: here,
            routes,
            played,
            plans,
            secrets,
            endings,
            backups,
        })
    }

    /// Serves until `end` is done, then finishes what is under way. A plan that becomes active meanwhile is served from the next
    /// request on; requests under way end as they began.
    ///
    /// # Errors
    /// [`ServeFailure`] when the workspace cannot be told who serves it.
    pub async fn run(mut self, end: impl Future<Output = ()>) -> Result<(), ServeFailure> {
        let mut server = RunningServer {
            address: self.address.to_string(),
            is_encrypted: self.certificate.is_some(),
            plans: self.plans,
        };
        self.workspace.announce_server(&server)?;
        let keeper = Keeper::start(&self.workspace, &self.backups);
        let current: Current = Arc::new(Arc::new(self.service).into());
        let tokens = self.workers.tokens();
        self.readers.follow(self.to_read, &self.simulated, &tokens, &current).map_err(ServeFailure::Sending)?;
        let listening = listen(self.listener, Arc::clone(&current), self.certificate, end);
        tokio::pin!(listening);
        let mut look = tokio::time::interval(LOOK_PAUSE);
        let (mut known, mut apis) = ((server.plans.clone(), self.secrets), Known::new());
        loop {
            tokio::select! {
                () = &mut listening => break,
                _ = look.tick() => {}
            }
            // Nothing that goes wrong from here on stops what is served.
            let Ok(secrets) = secrets(&self.workspace) else { continue };
            let found = (versions(&self.workspace, &mut apis).unwrap_or_default(), secrets);
            if found.0.is_empty() || found == known {
                continue;
            }
            known = found;
            let (opened, players, workers) = (&mut self.opened, &mut self.players, &mut self.workers);
            match successor(&current.load(), &self.workspace, opened, players, workers).await {
                Ok((active, service)) => {
                    active.tell(&self.workspace, &self.endings);
                    let (plans, to_read) = (active.versions.clone(), active.read());
                    tracing::info!(plans = plans.len(), "serving what became active");
                    current.store(Arc::new(service));
                    let simulated = self.players.simulated(&active.settings);
                    if let Err(error) = self.readers.follow(to_read, &simulated, &tokens, &current) {
                        tracing::error!(error, "nothing is read from providers any more");
                    }
                    if server.plans != plans {
                        server.plans = plans;
                        self.workspace.announce_server(&server)?;
                    }
                }
                Err(error) => {
                    tracing::error!(error = %error, "what became active cannot be served");
                }
            }
        }
        drop(self.readers);
        drop(keeper);
        self.workers.stop().await;
        self.workspace.retract_server(&server);
        Ok(())
    }
}

/// The service of what is active now, in the place of the one that is there.
async fn successor(
    current: &Service,
    workspace: &Workspace,
    opened: &mut Opened,
    players: &mut Players,
    workers: &mut Workers,
) -> Result<(ActivePlans, Service), ServeFailure> {
    let active = ActivePlans::load(workspace, opened, players).await?;
    let service = current.succeeded_by(&active.served(), active.openapi())?;
    active.deliver(workspace, workers, players).await?;
    Ok((active, service))
}

/// The active plans of a workspace with their databases, and their numbers.
struct ActivePlans {
    plans: Vec<Active>,
    settings: WorkspaceSettings,
    versions: Vec<(TaskId, String)>,
}

/// An active plan with what it is served with.
struct Active {
    plan: Plan,
    store: Store,
    /// The account at the provider whose service it integrates.
    account: Option<Account>,
    /// The account before a secret of it was replaced, for as long as that one is taken.
    before: Option<(Account, Timestamp)>,
    /// What senders of calls prove them with.
    senders: BTreeMap<String, Secret<String>>,
    /// What the servers share, where people sign in.
    secret: Option<Secret<String>>,
    /// What brings what proves the provider's calls, where that does not come with them.
    prover: Option<Arc<Prover>>,
}

impl ActivePlans {
    async fn load(workspace: &Workspace, opened: &mut Opened, players: &mut Players) -> Result<Self, ServeFailure> {
        let settings = WorkspaceSettings::read(workspace)?;
        let mut plans = Vec::new();
        let versions = versions(workspace, &mut Known::new())?;
        for (task_id, _) in &versions {
            let Some(plan) = workspace.active_plan(task_id)?.and_then(|active| active.plan.into_api()) else {
                continue;
            };
            let store = opened.store(workspace, &plan.database).map_err(ServeFailure::Database)?;
            let (mut account, mut before, mut prover) = (None, None, None);
            players.kept().keep_in(&plan, &store).map_err(ServeFailure::Account)?;
            if let Some(service) = &plan.service {
                let known = players.account(workspace, &settings, service).await.map_err(ServeFailure::Account)?;
                // What was kept of the one that was played before means nothing to this one.
                if players.has_begun(&service.task_id)
                    && let Err(error) = store.forget_remembered(service.task_id.as_str()).await
                {
                    tracing::warn!(task = %service.task_id, error = %error, "what an earlier player had said is still kept");
                }
                before = account::before(workspace, service, &known).map_err(ServeFailure::Account)?;
                if service.manifest.webhooks.as_ref().is_some_and(Prover::is_needed) {
                    let client = Client::new(players.simulated(&settings)).map_err(ServeFailure::Sending)?;
                    let keeper = Arc::new(players.kept());
                    let caller = Caller::new(client.clone(), keeper, Arc::new(Timestamp::now));
                    prover = Some(Arc::new(Prover::new(client, caller, known.clone())));
                }
                account = Some(known);
            }
            let secret = match plan.api.shares_secret() {
                true => Some(account::shared_secret(workspace).map_err(ServeFailure::Account)?),
                false => None,
            };
            let senders = senders::secrets(workspace, &plan).map_err(ServeFailure::Account)?;
            plans.push(Active { plan, store, account, before, prover, senders, secret });
        }
        if plans.is_empty() {
            return Err(ServeFailure::Nothing);
        }
        let taken = |of: &Active| Plan::taken_over(plans.iter().map(|active| &active.plan), &of.plan.task_id);
        let taken: Vec<Vec<TakenOver>> = plans.iter().map(taken).collect();
        plans.iter_mut().zip(taken).for_each(|(active, taken)| active.plan.give_way(&taken));
        Ok(Self { plans, settings, versions })
    }

    fn served(&self) -> Vec<Served<'_>> {
        let scope = |account: &Account| Arc::new(account.clone()) as AccountScope;
        let counterpart = |active: &Active| match &active.account {
            Some(account) => Counterpart {
                account: scope(account),
                before: active.before.as_ref().map(|(before, until)| (scope(before), *until)),
                prover: active.prover.clone(),
            },
            None => {
                let account = self.awaited(&active.plan).map_or_else(|| no_account().account, scope);
                Counterpart { account: senders::scope(account, &active.senders), before: None, prover: None }
            }
        };
        let served = self.plans.iter();
        served
            .map(|active| Served {
                plan: &active.plan,
                store: active.store.clone(),
                counterpart: counterpart(active),
                secret: active.secret.clone(),
            })
            .collect()
    }

    /// What comes in from services.
    fn read(&self) -> Vec<Read> {
        let reading = self.plans.iter().filter(|active| !active.plan.syncs().is_empty());
        let read = reading.filter_map(|active| {
            let account = active.account.clone()?;
            Some(Read { plan: active.plan.clone(), store: active.store.clone(), account })
        });
        read.collect()
    }

    /// The account at the provider for whose answers an API waits that integrates none itself.
    fn awaited(&self, plan: &Plan) -> Option<&Account> {
        let by = plan.api.endpoints.iter().find_map(|endpoint| endpoint.awaits())?.1;
        self.plans.iter().find(|active| active.plan.task_id == *by)?.account.as_ref()
    }

    /// Has the workers bring what happens to the services.
    async fn deliver(
        &self,
        workspace: &Workspace,
        workers: &mut Workers,
        players: &Players,
    ) -> Result<(), ServeFailure> {
        let delivered = self.plans.iter().map(|Active { plan, store, account, .. }| {
            let since_ms = workspace.known_since(&plan.task_id);
            Delivered { plan, store, account: account.as_ref(), since_ms }
        });
        let delivered: Vec<Delivered<'_>> = delivered.collect();
        let mailed: Vec<&Plan> =
            self.plans.iter().map(|active| &active.plan).filter(|plan| mailing::sends(plan)).collect();
        let sending = match mailed.is_empty() {
            true => None,
            false => Some(
                mailing::sending(workspace, &mailed, &players.site(&self.settings)).map_err(ServeFailure::Account)?,
            ),
        };
        sending.iter().for_each(mailing::tell);
        let subscribing = match self.plans.iter().any(|active| active.plan.api.subscribers.is_some()) {
            true => Some(mailing::subscribing(workspace).map_err(ServeFailure::Account)?),
            false => None,
        };
        let targets = alerting::targets(workspace, self.plans.iter().map(|active| &active.plan));
        let targets = targets.map_err(ServeFailure::Account)?;
        let following =
            workers.follow(&delivered, players, &self.settings, sending.as_ref(), subscribing.as_ref(), &targets);
        following.await.map_err(ServeFailure::Sending)
    }

    /// Tells when credentials end: who asks for metrics, and who reads the log.
    fn tell(&self, workspace: &Workspace, told: &Endings) {
        let services = self.plans.iter().filter_map(|active| active.plan.service.as_ref());
        let endings: Vec<Ending> = services.flat_map(|service| ending::endings(workspace, service)).collect();
        for warning in ending::warnings(&endings, Timestamp::now()) {
            tracing::warn!("{warning}");
        }
        *told.lock().unwrap_or_else(PoisonError::into_inner) = endings;
    }

    fn openapi(&self) -> String {
        emit::openapi(&self.plans.iter().map(|active| &active.plan).collect::<Vec<_>>())
    }

    fn routes(&self) -> Vec<String> {
        let mut routes: Vec<String> = self.plans.iter().flat_map(|active| routes(&active.plan)).collect();
        routes.sort();
        routes
    }
}

/// Whether the plan of that number is one of an API, of tasks that were looked at: a plan never changes, and there may be many to read.
type Known = BTreeMap<TaskId, (String, bool)>;

/// The secrets that a person sets, without their values: a change of them is a change of the accounts.
fn secrets(workspace: &Workspace) -> Result<Vec<ListedSecret>, ServeFailure> {
    let failure = |error| ServeFailure::Account(Box::new(Failure::secrets(&error, &workspace.secrets().file())));
    let mut secrets = workspace.secrets().list().map_err(failure)?;
    secrets.retain(|listed| !is_token(&listed.name));
    Ok(secrets)
}

/// The tasks with an active API, and its number.
fn versions(workspace: &Workspace, known: &mut Known) -> Result<Vec<(TaskId, String)>, WorkspaceFailure> {
    let mut versions = Vec::new();
    for task_id in workspace.task_ids()? {
        let Some(version) = workspace.active_version(&task_id)? else { continue };
        let is_api = match known.get(&task_id) {
            Some((seen, is_api)) if *seen == version => *is_api,
            Some(_) | None => match workspace.active_plan(&task_id) {
                Ok(active) => {
                    let is_api = active.is_some_and(|active| active.plan.api().is_some());
                    known.insert(task_id.clone(), (version.clone(), is_api));
                    is_api
                }
                // What cannot be read is reported when it is loaded.
                Err(_) => true,
            },
        };
        if is_api {
            versions.push((task_id, version));
        }
    }
    Ok(versions)
}

pub(crate) fn routes(plan: &plan::Plan) -> Vec<String> {
    let calls = plan.intake().map(|intake| format!("POST {}", intake.path));
    let endpoints = plan.api.endpoints.iter().filter_map(|endpoint| match &endpoint.procedure.trigger {
        plan::Trigger::Request { method, path } => Some(format!("{method} {path}")),
        plan::Trigger::GraphQl { .. }
        | plan::Trigger::Event { .. }
        | plan::Trigger::Schedule { .. }
        | plan::Trigger::Webhook { .. }
        | plan::Trigger::Pulled { .. } => None,
    });
    endpoints.chain(calls).collect()
}

/// The server that announced itself, if it answers.
pub(crate) fn running_server(workspace: &Workspace) -> Option<RunningServer> {
    let server = workspace.announced_server().ok().flatten()?;
    is_alive(&server).then_some(server)
}

/// The address of a server with its scheme: `https://127.0.0.1:8443`.
pub(crate) fn url(is_encrypted: bool, address: impl Display) -> String {
    let scheme = if is_encrypted { "https" } else { "http" };
    format!("{scheme}://{address}")
}

/// Asks `/healthz`: the announcement may be older than the process. One that speaks TLS is asked in the clear too, and says in TLS that
/// it does not (RFC 8446, 6: an alert): that is life enough, and no certificate has to be believed for it.
fn is_alive(server: &RunningServer) -> bool {
    let ask = || -> std::io::Result<bool> {
        let address: SocketAddr = server.address.parse().map_err(std::io::Error::other)?;
        let mut stream = TcpStream::connect_timeout(&address, ALIVE_TIMEOUT)?;
        stream.set_read_timeout(Some(ALIVE_TIMEOUT))?;
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let expected = if server.is_encrypted { ALERT } else { b"HTTP/1.1 200" };
        let mut head = vec![0; expected.len()];
        stream.read_exact(&mut head)?;
        Ok(head == expected)
    };
    ask().unwrap_or(false)
}
