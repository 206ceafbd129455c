//! Deliveries of a workspace that is served: active plans come in, a worker for each of their databases goes out, which brings what
//! their outboxes hold to the services that the plans integrate. Providers that are only played on this machine are played here.

use crate::account::{self, Given};
use crate::alerting::watch;
use crate::failure::Failure;
use crate::run::timestamp;
use crate::settings::WorkspaceSettings;
use crate::simulating::{Person, SimulateOptions, Simulating};
use crate::tokens::KeptTokens;
use crate::workspace::Workspace;
use connect::account::Account;
use connect::alert_webhook::{AlertWebhook, Target};
use connect::authentication::tokens::Tokens;
use connect::call::Caller;
use connect::client::Client;
use connect::delivery::{
    BreakerState, Carriers, Deliveries, LaneRules, Listeners, Services, Settings, Snapshot, Steps, Told, Wiring,
    from_text,
};
use connect::mail::{Mailer, Mails, Sending, Successor};
use connect::subscribers::Subscribers;
use jiff::{SignedDuration, Timestamp};
use manifest::point::Point;
use plan::database::Connection;
use plan::mail::INTEGRATION;
use plan::service::{Priority, ServicePlan, System};
use plan::{Plan, hearing};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use store::Store;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use vocab::{Engine, EventName, FieldName, Secret, TaskId, sha256_hex};

/// How often it is forgotten what providers have told.
const FORGETTING: Duration = Duration::from_secs(3600);

/// Providers that are played while the workspace is served, each by its name.
pub(crate) struct Players {
    /// The address at which this server listens.
    site: String,
    playing: BTreeMap<String, Playing>,
    /// Tasks whose provider was first played just now, and knows nothing.
    begun: Vec<TaskId>,
    /// Tasks for which somebody has agreed.
    agreed: BTreeSet<TaskId>,
    kept: KeptTokens,
}

struct Playing {
    title: String,
    address: SocketAddr,
    credentials: Vec<(String, Secret<String>)>,
    webhook_secret: Option<Secret<String>>,
    person: Person,
    player: JoinHandle<()>,
}

impl Drop for Playing {
    fn drop(&mut self) {
        self.player.abort();
    }
}

impl Players {
    /// The address by which others know the server.
    pub fn site(&self, settings: &WorkspaceSettings) -> String {
        settings.public_url.clone().unwrap_or_else(|| self.site.clone())
    }

    /// `site` is the address at which the server listens: `http://127.0.0.1:8080`.
    pub fn new(site: String, kept: KeptTokens) -> Self {
        let (playing, begun, agreed) = (BTreeMap::new(), Vec::new(), BTreeSet::new());
        Self { site, playing, begun, agreed, kept }
    }

    /// What keeps the tokens of everybody.
    pub fn kept(&self) -> KeptTokens {
        self.kept.clone()
    }

    /// The account of a service, as far as it is there. What is missing of it by now is said in the log; what needs it is refused.
    ///
    /// # Errors
    /// Where the secrets cannot be read, or the provider cannot be played.
    pub async fn account(
        &mut self,
        workspace: &Workspace,
        settings: &WorkspaceSettings,
        plan: &ServicePlan,
    ) -> Result<Account, Box<Failure>> {
        let name = plan.manifest.provider.provider.as_str();
        let site = self.site(settings);
        if let (System::Simulated, None) = (plan.system, settings.simulated.get(name)) {
            let playing = self.playing(workspace, plan).await?;
            let mut given = account::plain(plan);
            let named =
                |(name, secret): &(String, Secret<String>)| Some((FieldName::parse(name).ok()?, secret.clone()));
            given.extend(playing.credentials.iter().filter_map(named));
            let mut account = account::account(workspace, plan, given, Some(&site))?;
            account.instead = Some(format!("http://{}", playing.address));
            account.webhook.secret.clone_from(&playing.webhook_secret);
            self.agree(plan, &account).await?;
            return Ok(account);
        }
        let given = account::given(workspace, plan).unwrap_or_else(|failure| {
            tracing::warn!(task = %plan.task_id, "{}", failure.with_hint());
            Given::new()
        });
        let account = account::account(workspace, plan, given, Some(&site))?;
        Ok(Account { instead: settings.simulated.get(name).map(|instead| instead.url()), ..account })
    }

    /// Has somebody agree to what a task asks of the provider that is played for it.
    async fn agree(&mut self, plan: &ServicePlan, account: &Account) -> Result<(), Box<Failure>> {
        let Some(playing) = self.playing.get(plan.manifest.provider.provider.as_str()) else { return Ok(()) };
        if self.agreed.contains(&plan.task_id) {
            return Ok(());
        }
        let client = Client::new(vec![playing.address]).map_err(|why| Box::new(Failure::no_encryption(&why)))?;
        let caller = Caller::new(client, Arc::new(self.kept.played()), Arc::new(Timestamp::now));
        let agreed = playing.person.agree(account, &caller).await;
        agreed.map_err(|outcome| Box::new(Failure::provider(plan, &outcome)))?;
        self.agreed.insert(plan.task_id.clone());
        Ok(())
    }

    async fn playing(&mut self, workspace: &Workspace, plan: &ServicePlan) -> Result<&Playing, Box<Failure>> {
        let provider = &plan.manifest.provider;
        let name = provider.provider.to_string();
        if !self.playing.contains_key(&name) {
            let webhooks_to: Vec<String> =
                plan.intake.iter().map(|intake| format!("{}{}", self.site, intake.path)).collect();
            let options =
                SimulateOptions { listen: "127.0.0.1:0".to_owned(), webhooks_to, ..SimulateOptions::default() };
            let bound = Simulating::bind(workspace, &name, &options).await;
            let played = bound.map_err(|error| Box::new(Failure::not_played(&provider.title, &error)))?;
            let playing = Playing {
                title: provider.title.clone(),
                address: played.address,
                credentials: played.credentials.clone(),
                webhook_secret: played.webhooks.first().and_then(|(_, secret)| secret.clone()),
                person: played.person(),
                player: tokio::spawn(played.run(std::future::pending())),
            };
            self.playing.insert(name.clone(), playing);
            self.begun.push(plan.task_id.clone());
        }
        Ok(&self.playing[&name])
    }

    /// Whether the provider of that task has just begun to be played; asked again, it has not.
    pub fn has_begun(&mut self, task_id: &TaskId) -> bool {
        let before = self.begun.len();
        self.begun.retain(|begun| begun != task_id);
        self.begun.len() < before
    }

    /// What is played, by what it calls itself, and where.
    pub fn played(&self) -> Vec<(String, SocketAddr)> {
        self.playing.values().map(|playing| (playing.title.clone(), playing.address)).collect()
    }

    /// The addresses of this machine that requests may go to.
    pub fn simulated(&self, settings: &WorkspaceSettings) -> Vec<SocketAddr> {
        let ours = self.playing.values().map(|playing| playing.address);
        ours.chain(settings.simulated.values().map(|instead| instead.address)).collect()
    }
}

/// A plan with what delivering it needs.
pub(crate) struct Delivered<'a> {
    pub plan: &'a Plan,
    pub store: &'a Store,
    pub account: Option<&'a Account>,
    /// Since when the task is there, in milliseconds since 1970.
    pub since_ms: i64,
}

/// What a worker counts.
type Counting = Box<dyn Fn() -> Snapshot + Send + Sync>;
/// What each worker counts, whoever asks.
pub(crate) type Counts = Arc<Mutex<Vec<Counting>>>;

/// The workers of a workspace, one for each database that has an outbox.
pub(crate) struct Workers {
    running: Vec<((Engine, Connection), Deliveries)>,
    /// What looks who subscribes, and how integrations stand.
    watching: Vec<JoinHandle<()>>,
    /// Those whose database nobody serves any more.
    ending: Vec<JoinHandle<()>>,
    bells: Arc<Mutex<Vec<Arc<Notify>>>>,
    counts: Counts,
    tokens: Tokens,
    ringer: JoinHandle<()>,
    /// Forgets what providers have told long ago.
    forgetter: Option<JoinHandle<()>>,
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.ringer.abort();
        self.forgetter.iter().chain(&self.watching).for_each(JoinHandle::abort);
    }
}

impl Workers {
    /// None yet. All of them look for events when `news` rings, and share the tokens of the workspace.
    pub fn new(kept: KeptTokens, news: Arc<Notify>, counts: Counts) -> Self {
        let bells: Arc<Mutex<Vec<Arc<Notify>>>> = Arc::default();
        let heard = Arc::clone(&bells);
        let ringer = tokio::spawn(async move {
            loop {
                news.notified().await;
                let bells = heard.lock().unwrap_or_else(PoisonError::into_inner);
                bells.iter().for_each(|bell| bell.notify_one());
            }
        });
        let tokens = Tokens::new(Arc::new(kept));
        Self {
            running: Vec::new(),
            watching: Vec::new(),
            ending: Vec::new(),
            bells,
            counts,
            tokens,
            ringer,
            forgetter: None,
        }
    }

    /// Has deliveries made for these plans, whatever was delivered for before. `sending` says how mails leave, where any are sent, and
    /// `subscribing` how messages to subscribers do; `targets` are told how the integrations of that name stand.
    ///
    /// # Errors
    /// Why nothing can be sent from this machine.
    pub async fn follow(
        &mut self,
        delivered: &[Delivered<'_>],
        players: &Players,
        settings: &WorkspaceSettings,
        sending: Option<&Sending>,
        subscribing: Option<&Subscribing>,
        targets: &BTreeMap<String, Target>,
    ) -> Result<(), String> {
        self.watching.drain(..).for_each(|watching| watching.abort());
        let mut databases: Vec<(Engine, Connection)> = Vec::new();
        // On documents nothing is there that could be delivered: the planner refuses services and mails.
        let may_deliver =
            |one: &&Delivered<'_>| one.plan.has_deliveries() && !one.plan.database.engine.keeps_documents();
        for one in delivered.iter().filter(may_deliver) {
            let place = place(one.plan);
            if !databases.contains(&place) {
                databases.push(place);
            }
        }
        let (kept, gone) =
            std::mem::take(&mut self.running).into_iter().partition(|(known, _)| databases.contains(known));
        self.running = kept;
        // They finish what is under way while others are served.
        self.ending.extend(gone.into_iter().map(|(_, deliveries)| tokio::spawn(deliveries.stop())));
        for database in databases {
            let here: Vec<&Delivered<'_>> = delivered.iter().filter(|one| place(one.plan) == database).collect();
            let Some(store) = here.first().map(|one| one.store.clone()) else { continue };
            let client = Client::new(players.simulated(settings))?;
            let caller = Caller::sharing(client, self.tokens.clone(), Arc::new(Timestamp::now));
            let subscribers = match subscribing {
                Some(subscribing) => subscribing.of(&here, &store)?,
                None => None,
            };
            if let Some(subscribers) = &subscribers
                && let Err(error) = subscribers.look().await
            {
                tracing::warn!(error = %error, "who subscribes to events was not read");
            }
            let told = here.iter().filter(|one| one.plan.alerts().is_some());
            self.watching.extend(told.map(|one| tokio::spawn(watch(one.store.clone(), one.plan.clone()))));
            let alerts = alert_webhook(&here, targets)?;
            let beside = Beside { sending, subscribers: subscribers.clone(), alerts };
            let wiring = wiring(&here, delivered, caller, store.clone(), beside);
            let lanes = match self.running.iter().find(|(known, _)| *known == database) {
                Some((_, deliveries)) => {
                    deliveries.follow(wiring).await;
                    deliveries.lanes()
                }
                None => {
                    let settings = Settings { seed: seed(), ..Settings::default() };
                    let deliveries = Deliveries::start(store, wiring, settings);
                    let lanes = deliveries.lanes();
                    self.running.push((database, deliveries));
                    lanes
                }
            };
            self.watching.extend(subscribers.map(|subscribers| tokio::spawn(subscribers.watch(lanes))));
        }
        let heard = delivered.iter().flat_map(Heard::of).collect();
        if let Some(before) = self.forgetter.replace(tokio::spawn(forget(heard))) {
            before.abort();
        }
        let running = || self.running.iter().map(|(_, deliveries)| deliveries);
        *self.bells.lock().unwrap_or_else(PoisonError::into_inner) = running().map(Deliveries::bell).collect();
        *self.counts.lock().unwrap_or_else(PoisonError::into_inner) =
            running().map(|deliveries| Box::new(deliveries.counts()) as Counting).collect();
        Ok(())
    }

    /// The tokens of the workspace.
    pub fn tokens(&self) -> Tokens {
        self.tokens.clone()
    }

    /// Finishes what is under way and gives the rest back.
    pub async fn stop(mut self) {
        self.watching.drain(..).for_each(|watching| watching.abort());
        for (_, deliveries) in std::mem::take(&mut self.running) {
            deliveries.stop().await;
        }
        for ending in std::mem::take(&mut self.ending) {
            // One that has been stopped already has nothing to say.
            let _ = ending.await;
        }
        // A token that is on its way here may be the only one that leads to the next.
        self.tokens.settled().await;
    }
}

/// Who is told how the integrations of one database stand.
fn alert_webhook(
    here: &[&Delivered<'_>],
    targets: &BTreeMap<String, Target>,
) -> Result<Option<Arc<AlertWebhook>>, String> {
    let of = |one: &&Delivered<'_>| {
        let name = one.plan.task_id.to_string();
        Some((name.clone(), targets.get(&name)?.clone()))
    };
    // Whoever writes the task says where that is.
    Ok(AlertWebhook::of(here.iter().filter_map(of).collect(), Client::anywhere()?).map(Arc::new))
}

/// How messages to subscribers leave.
pub(crate) struct Subscribing {
    /// What makes a secret of its id.
    pub successor: Successor,
    /// Whether addresses that are not public are called too.
    pub anywhere: bool,
}

impl Subscribing {
    /// Those of the plans of one database.
    fn of(&self, here: &[&Delivered<'_>], store: &Store) -> Result<Option<Arc<Subscribers>>, String> {
        let client = if self.anywhere { Client::anywhere()? } else { Client::new(Vec::new())? };
        let offered = here.iter().filter_map(|one| one.plan.api.subscribers.as_ref());
        let subscribers = Subscribers::of(offered, store.clone(), client, Arc::clone(&self.successor));
        Ok(subscribers.map(Arc::new))
    }
}

/// What providers and senders tell, and for how long they may say it again.
struct Heard {
    store: Store,
    integration: String,
    kept: SignedDuration,
}

impl Heard {
    fn of(delivered: &Delivered<'_>) -> impl Iterator<Item = Self> {
        let of_days = |integration: &str, days: u32| Self {
            store: delivered.store.clone(),
            integration: integration.to_owned(),
            kept: SignedDuration::from_hours(i64::from(days) * 24),
        };
        let service = delivered.plan.service.as_ref().filter(|service| service.intake.is_some());
        let webhooks = service.and_then(|service| service.manifest.webhooks.as_ref());
        let provider = webhooks.map(|webhooks| of_days(delivered.plan.task_id.as_str(), webhooks.dedup.keep_days));
        let is_called = !delivered.plan.api.senders_secrets().is_empty();
        provider.into_iter().chain(is_called.then(|| of_days(hearing::INTEGRATION, hearing::KEEP_DAYS)))
    }
}

/// Forgets what was heard too long ago to be heard again, now and then.
async fn forget(heard: Vec<Heard>) {
    loop {
        for Heard { store, integration, kept } in &heard {
            let before = Timestamp::now().checked_sub(*kept).map(timestamp);
            let Ok(before) = before else { continue };
            while store.forget_heard(integration, &before).await.is_ok_and(|forgotten| forgotten > 0) {}
        }
        tokio::time::sleep(FORGETTING).await;
    }
}

fn place(plan: &Plan) -> (Engine, Connection) {
    (plan.database.engine, plan.database.connection.clone())
}

/// Two servers that are started together must not wait equally long.
fn seed() -> u64 {
    u64::from(std::process::id()) << 32 | u64::from(Timestamp::now().subsec_nanosecond().unsigned_abs())
}

/// Who is told of events besides services.
struct Beside<'a> {
    sending: Option<&'a Sending>,
    subscribers: Option<Arc<Subscribers>>,
    alerts: Option<Arc<AlertWebhook>>,
}

/// `here` are the plans of one database; whoever is integrated in the workspace may want to hear of what happens in it.
fn wiring(
    here: &[&Delivered<'_>],
    all: &[Delivered<'_>],
    caller: Caller,
    store: Store,
    Beside { sending, subscribers, alerts }: Beside<'_>,
) -> Wiring {
    let mut also: BTreeMap<EventName, Vec<EventName>> = BTreeMap::new();
    for event in here.iter().flat_map(|one| &one.plan.api.events) {
        also.entry(event.name.clone()).or_default().extend(event.also.clone());
    }
    let services = all.iter().filter_map(|one| Some((one.plan.service.as_ref()?, one.account?, one.since_ms)));
    let services: Vec<(&ServicePlan, &Account, i64)> = services.collect();
    let lanes = services.iter().map(|(plan, account, _)| {
        let calls = plan.manifest.points.points.iter().map(|(_, point)| match point {
            Point::Calls(calls) => calls.steps.len(),
            Point::Nothing(_) | Point::InBrowser(_) => 0,
        });
        let calls = u32::try_from(calls.max().unwrap_or_default()).unwrap_or(u32::MAX);
        let rules = LaneRules::of(&plan.manifest.provider, plan.system != System::Live, calls);
        (account.name.clone(), LaneRules { priority: priority(plan), known_as: known_as(account), ..rules })
    });
    let mut lanes: Vec<(String, LaneRules)> = lanes.collect();
    let mails = here.iter().flat_map(|one| one.plan.api.mails.iter().map(|mail| (mail.clone(), one.since_ms)));
    let mails = Arc::new(Mails::new(mails));
    let sending = sending.filter(|_| !mails.is_empty());
    lanes.extend(sending.map(|sending| (INTEGRATION.to_owned(), sending.lane())));
    lanes.extend(subscribers.iter().map(|subscribers| subscribers.lane()));
    lanes.extend(alerts.iter().map(|alerts| alerts.lane()));
    let told = services.into_iter().map(|(plan, account, since_ms)| Told {
        account: account.clone(),
        points: plan.points.clone(),
        priority: priority(plan),
        since_ms,
    });
    let services = Arc::new(Services::new(told, also));
    let has_suppressions = here.iter().any(|one| one.plan.has_suppressions());
    let suppressions = has_suppressions.then(|| store.clone());
    let steps = Steps::new(Arc::clone(&services), caller, store);
    let mailer = sending.map(|sending| Mailer::new(Arc::clone(&mails), sending.clone(), suppressions));
    let carrier = Arc::new(Carriers { steps, mailer, subscribers: subscribers.clone(), alerts: alerts.clone() });
    Wiring { lanes, routes: Arc::new(Listeners { services, mails, subscribers, alerts }), carrier }
}

/// Where deliveries of a task stand among others.
fn priority(plan: &ServicePlan) -> i64 {
    match plan.priority {
        Priority::High => 0,
        Priority::Normal => 1,
        Priority::Low => 2,
    }
}

fn known_as(account: &Account) -> String {
    let values = account.values.iter().map(|(name, value)| format!("{name}={}\n", value.expose()));
    let (instead, agreed) = (account.instead.as_deref(), account.agreed.as_deref());
    let (instead, agreed) = (instead.unwrap_or_default(), agreed.unwrap_or_default());
    sha256_hex(format!("{instead}\n{agreed}\n{}", values.collect::<String>()).as_bytes())
}

/// What the workers have counted, as Prometheus text. Workers of several databases count for one integration together.
pub(crate) fn metrics(counts: &Counts) -> String {
    let snapshots: Vec<Snapshot> =
        counts.lock().unwrap_or_else(PoisonError::into_inner).iter().map(|snapshot| snapshot()).collect();
    let now = Timestamp::now().as_millisecond();
    let (mut waiting, mut oldest) = (BTreeMap::<String, i64>::new(), BTreeMap::<String, i64>::new());
    let (mut attempts, mut breakers) = (BTreeMap::<String, i64>::new(), BTreeMap::<String, i64>::new());
    let (mut took, mut delivered) = (BTreeMap::<String, f64>::new(), BTreeMap::<String, i64>::new());
    for snapshot in &snapshots {
        for of in &snapshot.backlog {
            let labels = format!("integration=\"{}\",state=\"{}\"", of.integration, of.state.as_str());
            *waiting.entry(labels.clone()).or_default() += of.count;
            let age = from_text(&of.oldest).map_or(0, |made| (now - made) / 1000);
            let known = oldest.entry(labels).or_default();
            *known = age.max(*known);
        }
        for ((integration, outcome), count) in &snapshot.attempts {
            let labels = format!("integration=\"{integration}\",outcome=\"{outcome}\"");
            *attempts.entry(labels).or_default() += i64::try_from(*count).unwrap_or(i64::MAX);
        }
        for (integration, of) in &snapshot.took {
            *took.entry(format!("integration=\"{integration}\"")).or_default() += of.as_secs_f64();
        }
        for (integration, at_ms) in &snapshot.delivered_at {
            let known = delivered.entry(format!("integration=\"{integration}\"")).or_default();
            *known = (at_ms / 1000).max(*known);
        }
        for (integration, state) in &snapshot.breakers {
            let is_open = i64::from(*state != BreakerState::Closed);
            let known = breakers.entry(format!("integration=\"{integration}\"")).or_default();
            *known = is_open.max(*known);
        }
    }
    let whole =
        |lines: BTreeMap<String, i64>| lines.into_iter().map(|(labels, value)| (labels, value.to_string())).collect();
    let took = took.into_iter().map(|(labels, seconds)| (labels, format!("{seconds:.3}"))).collect();
    let mut text = String::new();
    let all: [(_, _, _, Vec<(String, String)>); 6] = [
        (
            "deliveries",
            "gauge",
            "Deliveries that have not come out well yet, by integration and state.",
            whole(waiting),
        ),
        ("delivery_oldest_seconds", "gauge", "How long ago the oldest of them was made of its event.", whole(oldest)),
        (
            "delivery_attempts_total",
            "counter",
            "Attempts to deliver that ended, by integration and outcome.",
            whole(attempts),
        ),
        (
            "delivery_attempt_seconds_total",
            "counter",
            "How long the attempts of an integration have taken together.",
            took,
        ),
        (
            "delivery_last_success_timestamp_seconds",
            "gauge",
            "When a delivery to an integration came out well last, since this process began.",
            whole(delivered),
        ),
        ("delivery_breaker_open", "gauge", "Whether an integration is spared because it fails.", whole(breakers)),
    ];
    for (name, kind, help, lines) in all {
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (labels, value) in lines {
            let _ = writeln!(text, "{name}{{{labels}}} {value}");
        }
    }
    text
}
