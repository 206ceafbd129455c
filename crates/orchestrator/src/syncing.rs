//! What comes from providers into the tables of a workspace that is served: active plans come in, one reader for each kind of records
//! goes out.

use connect::account::Account;
use connect::authentication::tokens::Tokens;
use connect::call::Caller;
use connect::client::Client;
use connect::delivery::from_text;
use connect::syncing::{NotTaken, Pulled, Standing, Syncing, Taker, TakingIn};
use jiff::Timestamp;
use plan::Plan;
use serve::Current;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use store::Store;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use vocab::{FieldName, TaskId};

/// How each sync stands, whoever asks.
pub(crate) type Standings = Arc<Mutex<Vec<Arc<Mutex<Standing>>>>>;

/// A plan whose service has records that come in.
pub(crate) struct Read {
    pub plan: Plan,
    pub store: Store,
    pub account: Account,
}

/// The readers of a workspace.
pub(crate) struct Readers {
    running: Vec<JoinHandle<()>>,
    standings: Standings,
    bell: watch::Sender<()>,
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.running.iter().for_each(JoinHandle::abort);
    }
}

impl Readers {
    /// None yet. All of them look at once when `bell` rings.
    pub fn new(standings: Standings, bell: watch::Sender<()>) -> Self {
        Self { running: Vec::new(), standings, bell }
    }

    /// Reads for these plans, whatever was read for before. `simulated` are addresses of this machine that requests may go to.
    ///
    /// # Errors
    /// Why nothing can be sent from this machine.
    pub fn follow(
        &mut self,
        read: Vec<Read>,
        simulated: &[SocketAddr],
        tokens: &Tokens,
        current: &Current,
    ) -> Result<(), String> {
        // A reading that is dropped is read on from its last page.
        self.running.drain(..).for_each(|running| running.abort());
        let mut standings = Vec::new();
        for Read { plan, store, account } in read {
            for sync in plan.syncs() {
                let client = Client::new(simulated.to_vec())?;
                let standing =
                    Standing { integration: plan.task_id.to_string(), sync: sync.name.to_string(), state: None };
                let standing = Arc::new(Mutex::new(standing));
                let taker =
                    Served { current: Arc::clone(current), task: plan.task_id.clone(), sync: sync.name.clone() };
                let syncing = Syncing {
                    account: account.clone(),
                    caller: Caller::sharing(client, tokens.clone(), Arc::new(Timestamp::now)),
                    plan: sync.clone(),
                    store: store.clone(),
                    taker: Arc::new(taker),
                    bell: self.bell.subscribe(),
                    standing: Arc::clone(&standing),
                };
                standings.push(standing);
                self.running.push(tokio::spawn(syncing.run()));
            }
        }
        *self.standings.lock().unwrap_or_else(PoisonError::into_inner) = standings;
        Ok(())
    }
}

/// Puts records where the plan that is served says.
struct Served {
    current: Current,
    task: TaskId,
    sync: FieldName,
}

impl Taker for Served {
    fn take(&self, record: Pulled) -> TakingIn {
        let (service, task, sync) = (self.current.load_full(), self.task.clone(), self.sync.clone());
        Box::pin(async move {
            let taken: Result<(), NotTaken> = service.take(&task, &sync, &record).await;
            taken
        })
    }
}

/// How they stand, as Prometheus text.
pub(crate) fn metrics(standings: &Standings) -> String {
    let standings = standings.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let known: Vec<Standing> =
        standings.iter().map(|one| one.lock().unwrap_or_else(PoisonError::into_inner).clone()).collect();
    let known: Vec<_> = known.iter().filter_map(|one| Some((one, one.state.as_ref()?))).collect();
    let seconds = |time: &Option<String>| time.as_deref().and_then(from_text).unwrap_or_default() / 1000;
    let mut text = String::new();
    type Told<'s> = (&'s str, &'s str, &'s str, Box<dyn Fn(&store::sync::SyncState) -> i64>);
    let all: [Told<'_>; 5] = [
        ("sync_records_total", "counter", "Records that were read from a provider.", Box::new(|state| state.records)),
        (
            "sync_records_left_out_total",
            "counter",
            "Records that were read and could not be kept.",
            Box::new(|state| state.left_out),
        ),
        (
            "sync_last_success_timestamp_seconds",
            "gauge",
            "When everything that had changed at a provider was here last.",
            Box::new(move |state| seconds(&state.ended_at)),
        ),
        (
            "sync_failures",
            "gauge",
            "How often in a row reading from a provider has gone wrong.",
            Box::new(|state| state.failures),
        ),
        (
            "sync_first_reading",
            "gauge",
            "Whether not everything is here yet that was at a provider at first.",
            Box::new(|state| i64::from(state.changed_until.is_none())),
        ),
    ];
    for (name, kind, help, value) in all {
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (standing, state) in &known {
            let (integration, sync) = (&standing.integration, &standing.sync);
            let _ = writeln!(text, "{name}{{integration=\"{integration}\",sync=\"{sync}\"}} {}", value(state));
        }
    }
    text
}
