//! The hand-written server that the native one is measured against: a contact form and the reading of products, and the same work
//! for each request. Comes in: `--database URL --key KEY`; goes out: HTTP as `docs/http-manners.md` describes it. With `--fill ROWS` it
//! puts products into the database instead, its own or the native server's, and ends; with `--hashes SECONDS` it tells how many passwords
//! it can hash.
//! No part of the product: it shares no code with it, so that the comparison means something.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a server does effects; its hash maps never decide an order"
)]

mod admission;
mod answer;
mod contact;
mod database;
mod hashes;
mod keys;
mod limit;
mod metrics;
mod products;
mod records;
mod validation;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use answer::{Problem, RequestId, add_limit};
use database::{Database, Failure};
use keys::Keys;
use limit::{Count, Limiter};
use metrics::Metrics;
use records::Records;

const USAGE: &str = "usage: bench_baseline --database FILE|URL --key KEY [--listen 127.0.0.1:0] [--limit 50000000] [--fill ROWS] [--records true]\n       bench_baseline --hashes SECONDS";

/// What every request shares.
struct Service {
    database: Arc<Database>,
    keys: Keys,
    limiter: Limiter,
    metrics: Metrics,
}

/// The command line.
struct Options {
    database: String,
    key: String,
    listen: SocketAddr,
    limit: usize,
    fill: Option<u32>,
    /// Whether it has records of two tables besides.
    records: bool,
}

impl Service {
    /// States the limit in an answer and counts it.
    fn finish(&self, mut response: Response, count: &Count, start: Instant) -> Response {
        add_limit(&mut response, count);
        self.metrics.record(response.status(), start.elapsed());
        response
    }
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [first, seconds] = &words[..]
        && first == "--hashes"
    {
        println!("{:.1}", hashes::per_second(Duration::from_secs(seconds.parse()?))?);
        return Ok(());
    }
    let options = Options::parse(words.into_iter())?;
    let database = Arc::new(Database::open(&options.database).await?);
    if let Some(rows) = options.fill {
        return database.fill(rows).await;
    }
    database.add_key(&keys::hash(&options.key)).await?;
    let service = Arc::new(Service {
        keys: Keys::new(Arc::clone(&database)),
        database,
        limiter: Limiter::new(options.limit, Duration::from_secs(60)),
        metrics: Metrics::default(),
    });
    let listener = TcpListener::bind(options.listen).await?;
    eprintln!("listening on http://{}", listener.local_addr()?);
    let mut routes = routes(Arc::clone(&service));
    if options.records {
        let records = Arc::new(Records::open(&options.database).await?);
        let items = Router::new().route("/api/items", get(records::list).post(records::merge));
        routes = routes.merge(items.with_state((service, records)));
    }
    let routes = routes.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(
        axum::serve::ListenerExt::tap_io(listener, |connection| {
            // Small answers must not wait for more to come; a connection that refuses works all the same.
            let _ = connection.set_nodelay(true);
        }),
        routes,
    )
    .with_graceful_shutdown(stop_signal()?)
    .await?;
    Ok(())
}

fn routes(service: Arc<Service>) -> Router {
    Router::new()
        .route("/api/contact", post(contact::submit))
        .route("/api/products", get(products::list))
        .route("/api/products/{id}", get(products::read))
        .route("/metrics", get(async |State(service): State<Arc<Service>>| service.metrics.text()))
        .fallback(async |id: RequestId| id.problem(&Problem::NotFound))
        .method_not_allowed_fallback(async |id: RequestId| id.problem(&Problem::MethodNotAllowed))
        .with_state(service)
}

/// Resolves at SIGTERM or SIGINT.
fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

impl Options {
    fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, Failure> {
        let (mut database, mut key) = (None, None);
        let mut listen = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut limit = 50_000_000;
        let (mut fill, mut records) = (None, false);
        while let Some(word) = words.next() {
            let value = words.next().ok_or(USAGE)?;
            match word.as_str() {
                "--database" => database = Some(value),
                "--key" => key = Some(value),
                "--listen" => listen = value.parse()?,
                "--limit" => limit = value.parse()?,
                "--fill" => fill = Some(value.parse()?),
                "--records" => records = value.parse()?,
                _ => return Err(USAGE.into()),
            }
        }
        Ok(Self { database: database.ok_or(USAGE)?, key: key.ok_or(USAGE)?, listen, limit, fill, records })
    }
}
