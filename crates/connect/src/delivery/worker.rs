//! The worker: the clock, the database and the tasks that carry deliveries, around what [`Dispatcher`] decides. It sleeps until there
//! is something to do. When it is killed nothing is lost; when it is stopped nothing is left in doubt that could be waited for.

use super::awaited;
use super::dispatcher::{Actions, Carried, Dispatcher, Outcome, Settings};
use super::lane::LaneRules;
use super::moment::to_text;
use super::tally::{Snapshot, Tally};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use store::delivery::{DeliveryState, Leased, Remembered, Round, RoundDone, Routes};
use store::{Store, StoreError};
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::task::{AbortHandle, JoinHandle};

/// How long it is waited for deliveries under way when the worker ends.
const GRACE: Duration = Duration::from_secs(10);
/// How long the last results may take to be recorded behind that.
const LAST_RECORDS: Duration = Duration::from_secs(5);
/// How often it is counted what waits.
const COUNTING: Duration = Duration::from_secs(10);
/// How often, and how old, deliveries are forgotten that came out well.
const FORGETTING: Duration = Duration::from_secs(3600);
const KEPT_MS: i64 = 30 * 24 * 3_600_000;
/// What tasks may have told that nobody has heard yet.
const MESSAGES: usize = 1024;

/// What carrying comes to.
pub type Carrying<'a> = Pin<Box<dyn Future<Output = Carried> + Send + 'a>>;

/// Whoever brings a delivery to where it belongs.
pub trait Carrier: Send + Sync {
    /// Does what is left to do of the delivery. It may be dropped at any await.
    fn carry<'a>(&'a self, delivery: &'a Leased, hold: &'a Hold) -> Carrying<'a>;
}

/// Who there is to deliver to.
#[derive(Clone)]
pub struct Wiring {
    /// Each integration, and how it is treated.
    pub lanes: Vec<(String, LaneRules)>,
    /// Who listens to what.
    pub routes: Arc<dyn Routes>,
    /// Who carries.
    pub carrier: Arc<dyn Carrier>,
}

/// The lease is gone: somebody else may be at the delivery, and nothing more of it may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the lease of this delivery is gone")]
pub struct LeaseLost;

/// A delivery as long as its worker has it.
pub struct Hold {
    delivery: String,
    messages: mpsc::Sender<Message>,
}

impl Hold {
    /// Keeps what the steps so far have left, durable when this returns. The next step goes out behind that.
    ///
    /// # Errors
    /// [`LeaseLost`] where somebody else may have the delivery.
    pub async fn save(&self, progress: String, remembered: Vec<Remembered>) -> Result<(), LeaseLost> {
        let (saved, waiting) = oneshot::channel();
        let delivery = self.delivery.clone();
        let message = Message::Progressed { delivery, progress, remembered, saved };
        self.messages.send(message).await.map_err(|_| LeaseLost)?;
        waiting.await.map_err(|_| LeaseLost)
    }
}

enum Message {
    Carried { delivery: String, carried: Carried },
    Progressed { delivery: String, progress: String, remembered: Vec<Remembered>, saved: oneshot::Sender<()> },
    Follow(Wiring),
    Lanes(Vec<(String, LaneRules)>),
}

/// Tells a worker whom else there is to deliver to, beside those of its wiring.
#[derive(Clone)]
pub struct LaneSender(mpsc::Sender<Message>);

impl LaneSender {
    /// Those, and none of those that were told before.
    pub async fn follow(&self, lanes: Vec<(String, LaneRules)>) {
        // A worker that has ended delivers to nobody.
        let _ = self.0.send(Message::Lanes(lanes)).await;
    }
}

/// A worker that runs. It ends when this is dropped, at once; [`Deliveries::stop`] lets it finish.
pub struct Deliveries {
    messages: mpsc::Sender<Message>,
    news: Arc<Notify>,
    ends: watch::Sender<bool>,
    tally: Arc<Tally>,
    worker: JoinHandle<()>,
}

impl Deliveries {
    /// Starts one for the deliveries of a database.
    #[must_use]
    pub fn start(store: Store, wiring: Wiring, settings: Settings) -> Self {
        let (messages, inbox) = mpsc::channel(MESSAGES);
        let (ends, ending) = watch::channel(false);
        let (news, tally) = (Arc::new(Notify::new()), Arc::new(Tally::default()));
        let now = Timestamp::now().as_millisecond();
        let mut dispatcher = Dispatcher::new(settings, now);
        dispatcher.follow(wiring.lanes.iter().cloned(), now);
        let worker = Worker {
            store,
            wiring,
            dispatcher,
            further: Vec::new(),
            messages: messages.clone(),
            tasks: BTreeMap::new(),
            saves: BTreeMap::new(),
            tally: Arc::clone(&tally),
        };
        let worker = tokio::spawn(worker.run(inbox, Arc::clone(&news), ending));
        Self { messages, news, ends, tally, worker }
    }

    /// What tells it whom else there is to deliver to.
    #[must_use]
    pub fn lanes(&self) -> LaneSender {
        LaneSender(self.messages.clone())
    }

    /// Says that this process has committed events.
    pub fn wake(&self) {
        self.news.notify_one();
    }

    /// What [`Self::wake`] rings, for who has no worker in hand.
    #[must_use]
    pub fn bell(&self) -> Arc<Notify> {
        Arc::clone(&self.news)
    }

    /// What counts, for who has no worker in hand.
    pub fn counts(&self) -> impl Fn() -> Snapshot + Send + Sync + use<> {
        let tally = Arc::clone(&self.tally);
        move || tally.snapshot()
    }

    /// Goes on with others to deliver to.
    pub async fn follow(&self, wiring: Wiring) {
        // A worker that has ended follows nobody.
        let _ = self.messages.send(Message::Follow(wiring)).await;
    }

    /// What was counted.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.tally.snapshot()
    }

    /// Begins nothing more, waits a while for what is under way, and gives the rest back.
    pub async fn stop(mut self) {
        // One that has ended by itself has nothing to give back.
        let _ = self.ends.send(true);
        let _ = (&mut self.worker).await;
    }
}

impl Drop for Deliveries {
    fn drop(&mut self) {
        self.worker.abort();
    }
}

struct Worker {
    store: Store,
    wiring: Wiring,
    dispatcher: Dispatcher,
    /// To whom there is to deliver besides those of the wiring.
    further: Vec<(String, LaneRules)>,
    messages: mpsc::Sender<Message>,
    tasks: BTreeMap<String, AbortHandle>,
    saves: BTreeMap<String, oneshot::Sender<()>>,
    tally: Arc<Tally>,
}

type Rounding = Pin<Box<dyn Future<Output = (Arc<Round>, Result<RoundDone, StoreError>)> + Send>>;

impl Worker {
    async fn run(mut self, mut inbox: mpsc::Receiver<Message>, news: Arc<Notify>, mut ending: watch::Receiver<bool>) {
        let upkeep = tokio::spawn(keep_up(self.store.clone(), Arc::clone(&self.tally)));
        let mut rounding: Option<Rounding> = None;
        let mut deadline: Option<tokio::time::Instant> = None;
        loop {
            if rounding.is_none() {
                rounding = self.round();
            }
            if deadline.is_some() && self.dispatcher.is_done() {
                break;
            }
            let pause = match rounding {
                Some(_) => LONG,
                None => self.pause(),
            };
            tokio::select! {
                biased;
                (round, ended) = ended(&mut rounding) => {
                    rounding = None;
                    self.seen(&round, ended);
                }
                Some(message) = inbox.recv() => {
                    self.hear(message);
                    while let Ok(message) = inbox.try_recv() {
                        self.hear(message);
                    }
                }
                () = news.notified() => self.dispatcher.wake(),
                changed = ending.changed(), if deadline.is_none() => {
                    // Whoever has dropped the handle has aborted this task as well.
                    let _ = changed;
                    self.dispatcher.end();
                    deadline = Some(tokio::time::Instant::now() + GRACE);
                }
                () = until(deadline) => {
                    if self.tasks.is_empty() {
                        break;
                    }
                    self.give_up();
                    deadline = Some(tokio::time::Instant::now() + LAST_RECORDS);
                }
                () = tokio::time::sleep(pause) => {}
            }
        }
        upkeep.abort();
    }

    fn round(&mut self) -> Option<Rounding> {
        let lease = uuid::Uuid::now_v7().to_string();
        let round = Arc::new(self.dispatcher.round(now(), lease)?);
        let (store, routes) = (self.store.clone(), Arc::clone(&self.wiring.routes));
        Some(Box::pin(async move {
            let done = store.deliver(Arc::clone(&round), routes).await;
            (round, done)
        }))
    }

    fn pause(&mut self) -> Duration {
        let now = now();
        Duration::from_millis(u64::try_from(self.dispatcher.wakes_at(now) - now).unwrap_or_default().max(1))
    }

    fn seen(&mut self, round: &Round, ended: Result<RoundDone, StoreError>) {
        if let Err(error) = &ended {
            match error.is_retryable() {
                true => tracing::warn!(error = %error, "deliveries wait for the database"),
                false => tracing::error!(error = %error, "the database refuses what deliveries need"),
            }
        }
        let actions = self.dispatcher.seen(now(), round, ended.ok());
        self.act(actions);
        self.tally.breakers(self.dispatcher.breakers(now()));
    }

    fn act(&mut self, actions: Actions) {
        let has_ended = |state: &DeliveryState| matches!(state, DeliveryState::Delivered | DeliveryState::Dead);
        awaited::ring(actions.recorded.iter().filter(|(_, state)| has_ended(state)).map(|(delivery, _)| delivery));
        for delivery in actions.saved {
            if let Some(saved) = self.saves.remove(&delivery) {
                // Whoever was to hear it has been stopped.
                let _ = saved.send(());
            }
        }
        for delivery in actions.lost {
            tracing::warn!(delivery, "the lease of a delivery was lost");
            self.interrupt(&delivery);
        }
        for leased in actions.begin {
            self.begin(leased);
        }
    }

    fn begin(&mut self, leased: Leased) {
        let (carrier, messages) = (Arc::clone(&self.wiring.carrier), self.messages.clone());
        let delivery = leased.id.clone();
        self.tally.begun(&delivery, &leased.integration);
        let task = tokio::spawn(async move {
            let hold = Hold { delivery: leased.id.clone(), messages: messages.clone() };
            let carried = carrier.carry(&leased, &hold).await;
            // The worker has ended: whoever comes next finds the lease.
            let _ = messages.send(Message::Carried { delivery: leased.id, carried }).await;
        });
        self.tasks.insert(delivery, task.abort_handle());
    }

    fn hear(&mut self, message: Message) {
        match message {
            Message::Carried { delivery, carried } => {
                if self.tasks.remove(&delivery).is_some() {
                    self.ended(&delivery, carried);
                }
            }
            Message::Progressed { delivery, progress, remembered, saved } => {
                self.dispatcher.progressed(now(), &delivery, progress, remembered);
                self.saves.insert(delivery, saved);
            }
            Message::Follow(wiring) => {
                self.dispatcher.follow(wiring.lanes.iter().chain(&self.further).cloned(), now());
                self.wiring = wiring;
                self.dispatcher.wake();
            }
            Message::Lanes(further) => {
                self.dispatcher.lanes(self.wiring.lanes.iter().chain(&further).cloned(), now());
                self.further = further;
            }
        }
    }

    fn ended(&mut self, delivery: &str, carried: Carried) {
        self.saves.remove(delivery);
        self.tally.ended(delivery, carried.outcome, now());
        let attempt = match carried.outcome {
            Outcome::Returned => None,
            _ => Some(uuid::Uuid::now_v7().to_string()),
        };
        self.dispatcher.carried(now(), delivery, carried, attempt);
    }

    fn interrupt(&mut self, delivery: &str) {
        if let Some(task) = self.tasks.remove(delivery) {
            task.abort();
            self.ended(delivery, Carried::of(Outcome::Interrupted));
        }
    }

    /// What has not ended in time is left to whoever comes next, who is told that it is in doubt.
    fn give_up(&mut self) {
        for delivery in self.tasks.keys().cloned().collect::<Vec<_>>() {
            self.interrupt(&delivery);
        }
    }
}

/// As good as for ever.
const LONG: Duration = Duration::from_secs(3600);

fn now() -> i64 {
    Timestamp::now().as_millisecond()
}

async fn ended(rounding: &mut Option<Rounding>) -> (Arc<Round>, Result<RoundDone, StoreError>) {
    match rounding {
        Some(rounding) => rounding.await,
        None => std::future::pending().await,
    }
}

async fn until(deadline: Option<tokio::time::Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// Counts what waits, and forgets what is old.
async fn keep_up(store: Store, tally: Arc<Tally>) {
    let mut forget = tokio::time::Instant::now();
    loop {
        match store.delivery_backlog().await {
            Ok(backlog) => tally.waits(backlog),
            Err(error) => tracing::debug!(error = %error, "what waits was not counted"),
        }
        if tokio::time::Instant::now() >= forget {
            forget = tokio::time::Instant::now() + FORGETTING;
            let before = to_text(now() - KEPT_MS);
            while store.forget_deliveries(&before).await.is_ok_and(|forgotten| forgotten > 0) {}
            while store.forget_events(&before).await.is_ok_and(|forgotten| forgotten > 0) {}
        }
        tokio::time::sleep(COUNTING).await;
    }
}
