//! A provider played on this machine: its name comes in, a listener that answers as its manifest says goes out, and somebody who agrees
//! there to what an account asks for. No provider is spoken to, and nothing is written.

use crate::providers::{ProvidersFailure, provider_manifest};
use crate::workspace::Workspace;
use connect::account::Account;
use connect::answer::Outcome;
use connect::authentication::consent::Consent;
use connect::call::Caller;
use connect::simulator::{NoMishap, NoSimulator, Simulator};
use jiff::Timestamp;
use serve::simulate;
use std::future::Future;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::TcpListener;
use vocab::Secret;

/// How a provider is to be played.
#[derive(Debug, Clone, Default)]
pub struct SimulateOptions {
    /// The address to listen at.
    pub listen: String,
    /// Addresses that events are sent to, beside those that are entered through the provider's API.
    pub webhooks_to: Vec<String>,
    /// Mishaps, each as `NAME`, `NAME:0.2` or `NAME:3`.
    pub faults: Vec<String>,
    /// What chance begins with; else nobody knows.
    pub seed: Option<u64>,
}

/// A provider that is ready to be played.
pub struct Simulating {
    listener: TcpListener,
    simulator: Arc<Mutex<Simulator>>,
    /// Where it listens.
    pub address: SocketAddr,
    /// What chance began with: the same again with `--seed`.
    pub seed: u64,
    /// What it calls itself.
    pub title: String,
    /// Credentials that it takes. They open nothing else.
    pub credentials: Vec<(String, Secret<String>)>,
    /// The addresses that events are sent to, with the secret that each is signed with, where the provider gives it one.
    pub webhooks: Vec<(String, Option<Secret<String>>)>,
}

/// Why a provider is not played.
#[derive(Debug, thiserror::Error)]
pub enum SimulateFailure {
    /// There is none of that name, or its manifest is wrong.
    #[error(transparent)]
    Provider(#[from] ProvidersFailure),
    /// Its manifest does not say how it behaves.
    #[error(transparent)]
    NoSimulator(#[from] NoSimulator),
    /// A mishap that it does not have.
    #[error("`--fault`: {0}")]
    Fault(#[from] NoMishap),
    /// The address cannot be listened at.
    #[error(
        "cannot listen at `{address}`: {source}; name another address with `--listen`, as 127.0.0.1:8090 (port 0 takes any free one)"
    )]
    Address {
        /// The address.
        address: String,
        /// Why.
        source: std::io::Error,
    },
}

impl Simulating {
    /// Binds the address and sets the provider up.
    ///
    /// # Errors
    /// [`SimulateFailure`] with the reason; then nothing listens.
    pub async fn bind(workspace: &Workspace, name: &str, options: &SimulateOptions) -> Result<Self, SimulateFailure> {
        let manifest = provider_manifest(workspace, name)?;
        connect::simulator::can_be_simulated(&manifest)?;
        let failure = |source| SimulateFailure::Address { address: options.listen.clone(), source };
        let listener = TcpListener::bind(&options.listen).await.map_err(failure)?;
        let address = listener.local_addr().map_err(failure)?;
        let seed = options.seed.unwrap_or_else(any_seed);
        let mut simulator = Simulator::new(manifest, &format!("http://{address}"), seed)?;
        simulator.let_happen(options.faults.iter().map(String::as_str))?;
        let webhooks = options.webhooks_to.iter().map(|url| (url.clone(), simulator.tell(url))).collect();
        let credentials = simulator.credentials();
        let credentials = credentials.map(|(name, secret)| (name.to_owned(), secret.clone())).collect();
        let title = simulator.title().to_owned();
        let simulator = Arc::new(Mutex::new(simulator));
        Ok(Self { listener, address, seed, title, credentials, webhooks, simulator })
    }

    /// Somebody who agrees to what it asks.
    pub(crate) fn person(&self) -> Person {
        Person(Arc::clone(&self.simulator))
    }

    /// Plays it until `end` is done.
    pub async fn run(self, end: impl Future<Output = ()>) {
        simulate(self.listener, self.simulator, end).await;
    }
}

/// Where that person is led back to. Nobody listens there: what stands in the address is all that is wanted.
const BACK: &str = "http://127.0.0.1/oauth/callback";

/// Somebody who agrees at once to whatever a provider asks that is played.
pub(crate) struct Person(Arc<Mutex<Simulator>>);

impl Person {
    /// Agrees to what the account asks for, where its provider wants that; the token is kept by the caller.
    ///
    /// # Errors
    /// Why there is no token.
    pub async fn agree(&self, account: &Account, caller: &Caller) -> Result<(), Outcome> {
        let Some((name, way)) = account.manifest.provider.consent() else { return Ok(()) };
        let failed = |message: String| Outcome::Permanent { code: None, message };
        let consent = Consent::ask(account, way, BACK).map_err(|why| failed(why.to_string()))?;
        let now_ms = Timestamp::now().as_millisecond();
        let led = self.0.lock().unwrap_or_else(PoisonError::into_inner).agree(&consent.url, now_ms);
        let led = led.ok_or_else(|| failed("nothing can be agreed to where it asks for that".to_owned()))?;
        let given = consent.came_back(&led).map_err(|why| failed(why.to_string()))?;
        caller.exchange(account, name, way, &given).await.map(drop)
    }
}

/// A number that nobody has chosen: what the standard library makes the order of its maps of.
fn any_seed() -> u64 {
    RandomState::new().build_hasher().finish()
}
