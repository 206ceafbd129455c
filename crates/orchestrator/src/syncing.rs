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
use store::sync::SyncState;
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
                let standing = Standing {
                    integration: plan.task_id.to_string(),
                    sync: sync.name.to_string(),
                    ..Standing::default()
                };
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

/// How they stand, as Prometheus text; nothing where nothing is read.
pub(crate) fn metrics(standings: &Standings) -> String {
    let standings = standings.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let known: Vec<Standing> =
        standings.iter().map(|one| one.lock().unwrap_or_else(PoisonError::into_inner).clone()).collect();
    let known: Vec<(&Standing, &SyncState)> = known.iter().filter_map(|one| Some((one, one.state.as_ref()?))).collect();
    let mut text = String::new();
    if known.is_empty() {
        return text;
    }
    for Metric { name, kind, help, values } in METRICS {
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (standing, state) in &known {
            let (integration, sync) = (&standing.integration, &standing.sync);
            for (label, value) in values(standing, state) {
                let _ = writeln!(text, "{name}{{integration=\"{integration}\",sync=\"{sync}\"{label}}} {value}");
            }
        }
    }
    text
}

/// What is told of each sync; a value with the label that it has beside the others.
struct Metric {
    name: &'static str,
    kind: &'static str,
    help: &'static str,
    values: fn(&Standing, &SyncState) -> Vec<(&'static str, String)>,
}

const METRICS: [Metric; 9] = [
    Metric {
        name: "sync_records_total",
        kind: "counter",
        help: "Records that were read from a provider, by whichever server.",
        values: |_, state| one(state.records),
    },
    Metric {
        name: "sync_records_left_out_total",
        kind: "counter",
        help: "Records that were read and could not be kept, by whichever server.",
        values: |_, state| one(state.left_out),
    },
    Metric {
        name: "sync_last_success_timestamp_seconds",
        kind: "gauge",
        help: "When everything that had changed at a provider was here last; 0: never yet.",
        values: |_, state| one(seconds(state.ended_at.as_deref())),
    },
    Metric {
        name: "sync_changed_until_timestamp_seconds",
        kind: "gauge",
        help: "Changes at a provider up to then are here; 0: not everything is yet that was there at first.",
        values: |_, state| one(seconds(state.changed_until.as_deref())),
    },
    Metric {
        name: "sync_due_timestamp_seconds",
        kind: "gauge",
        help: "When a provider is read next, or was to be.",
        values: |_, state| one(seconds(Some(&state.due_at))),
    },
    Metric {
        name: "sync_failures",
        kind: "gauge",
        help: "How often in a row reading from a provider has gone wrong.",
        values: |_, state| one(state.failures),
    },
    Metric {
        name: "sync_first_reading",
        kind: "gauge",
        help: "Whether not everything is here yet that was at a provider at first.",
        values: |_, state| one(i64::from(state.changed_until.is_none())),
    },
    Metric {
        name: "sync_readings_total",
        kind: "counter",
        help: "Readings from a provider that ended in this process, by outcome.",
        values: |standing, _| {
            let (completed, failed) = (standing.completed.to_string(), standing.failed.to_string());
            vec![(",outcome=\"completed\"", completed), (",outcome=\"failed\"", failed)]
        },
    },
    Metric {
        name: "sync_reading_seconds_total",
        kind: "counter",
        help: "How long they have taken together.",
        values: |standing, _| vec![("", format!("{:.3}", standing.took.as_secs_f64()))],
    },
];

fn one(value: i64) -> Vec<(&'static str, String)> {
    vec![("", value.to_string())]
}

fn seconds(time: Option<&str>) -> i64 {
    time.and_then(from_text).unwrap_or_default() / 1000
}
