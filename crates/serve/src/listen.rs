//! The listener: connections in, requests to the service of the moment, a graceful end.

use crate::certificate::Certificate;
use crate::patient_stream::PatientStream;
use crate::proxies::Peer;
use crate::refusal_stream::RefusalStream;
use crate::service::Service;
use arc_swap::ArcSwap;
use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

/// Connections at once; more wait to be accepted.
const MAX_CONNECTIONS: usize = 10_000;
/// How long a client may take to send the head of a request.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the handshake of TLS may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of the head of a request, and fields in it.
const MAX_HEAD: usize = 64 * 1024;
const MAX_FIELDS: usize = 100;
/// Requests of one HTTP/2 connection at once.
const MAX_STREAMS: u32 = 128;
/// Requests of one HTTP/2 connection that its client took back before they were looked at, and those that were refused: past that
/// the connection ends (the rapid reset attack, CVE-2023-44487).
const MAX_RESETS: usize = 20;
const MAX_REFUSED: usize = 256;
/// How long an HTTP/2 connection may be quiet before its client is asked whether it is there, and how long it may take to say so.
const PING_AFTER: Duration = Duration::from_secs(15);
const PING_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of answers that wait for one HTTP/2 request's client.
const MAX_SEND_BUFFER: usize = 64 * 1024;
/// How long requests under way may take once the end was asked for.
const DRAIN: Duration = Duration::from_secs(10);
/// How often measurements are moved into their buckets.
const UPKEEP: Duration = Duration::from_secs(5);
/// How often it is written when API keys were used last, which lists of keys are accurate to twice of, and how often answers
/// that were kept long enough are forgotten.
const HOUSEKEEPING: Duration = Duration::from_secs(30);
/// How often sessions and tokens of accounts that are over are forgotten.
const FORGETTING: Duration = Duration::from_secs(3600);
/// How long to wait after the system refused a connection, so that a full table does not become a busy loop.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The service of the moment: it can be exchanged while requests are under way.
pub type Current = Arc<ArcSwap<Service>>;

/// Serves until `end` is done, then finishes what is under way; over TLS where there is a certificate.
pub async fn listen(
    listener: TcpListener,
    current: Current,
    certificate: Option<Certificate>,
    end: impl Future<Output = ()>,
) {
    let builder = Arc::new(protocols());
    let certificate = certificate.map(Arc::new);
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut upkeep = tokio::time::interval(UPKEEP);
    let mut housekeeping = tokio::time::interval(HOUSEKEEPING);
    let mut forgetting = tokio::time::interval(FORGETTING);
    tokio::pin!(end);
    loop {
        let accepted = tokio::select! {
            () = &mut end => break,
            _ = upkeep.tick() => {
                let (service, certificate) = (current.load_full(), certificate.clone());
                // It may read and write files; nobody waits for it.
                drop(tokio::task::spawn_blocking(move || {
                    service.upkeep();
                    certificate.iter().for_each(|certificate| certificate.renew());
                }));
                continue;
            }
            _ = housekeeping.tick() => {
                let service = current.load_full();
                tokio::spawn(async move {
                    service.write_key_uses().await;
                    service.forget_answers().await;
                });
                continue;
            }
            _ = forgetting.tick() => {
                let service = current.load_full();
                tokio::spawn(async move { service.forget_ended_accounts().await });
                continue;
            }
            accepted = accept(&listener, &places) => accepted,
        };
        let Some((stream, address, place)) = accepted else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let (address, stream) = (address.ip(), PatientStream::new(stream));
        let connections = Connections { builder: Arc::clone(&builder), current: Arc::clone(&current) };
        let (certificate, watcher) = (certificate.clone(), graceful.watcher());
        tokio::spawn(async move {
            match certificate {
                None => connections.serve(stream, Peer { address, is_encrypted: false }, watcher).await,
                Some(certificate) => {
                    // Who does not get through the handshake is nobody to answer to.
                    match tokio::time::timeout(HANDSHAKE_TIMEOUT, certificate.accept(stream)).await {
                        Ok(Ok(stream)) => {
                            connections.serve(stream, Peer { address, is_encrypted: true }, watcher).await;
                        }
                        Ok(Err(error)) => tracing::debug!(error = %error, "a handshake failed"),
                        Err(_) => tracing::debug!("a handshake took too long"),
                    }
                }
            }
            drop(place);
        });
    }
    drop(listener);
    if tokio::time::timeout(DRAIN, graceful.shutdown()).await.is_err() {
        tracing::warn!("requests were still under way after {} s", DRAIN.as_secs());
    }
    current.load().write_key_uses().await;
}

/// What a connection is served with.
struct Connections {
    builder: Arc<auto::Builder<TokioExecutor>>,
    current: Current,
}

impl Connections {
    async fn serve<S>(self, stream: S, peer: Peer, watcher: Watcher)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let current = self.current;
        let service = service_fn(move |request: Request<Incoming>| {
            let service = current.load_full();
            async move { Ok::<_, Infallible>(service.handle(request, peer).await) }
        });
        let connection = self.builder.serve_connection(TokioIo::new(RefusalStream::new(stream)), service).into_owned();
        // A connection fails when its client goes away or does not speak HTTP: nothing for the log.
        if let Err(error) = watcher.watch(connection).await {
            tracing::debug!(error = %error, "a connection ended early");
        }
    }
}

/// HTTP/1.1 and HTTP/2, told apart by the first bytes, with the bounds of both.
pub(crate) fn protocols() -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(MAX_HEAD)
        .max_headers(MAX_FIELDS);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(MAX_HEAD as u32)
        .max_pending_accept_reset_streams(MAX_RESETS)
        .max_local_error_reset_streams(MAX_REFUSED)
        .max_send_buf_size(MAX_SEND_BUFFER)
        .keep_alive_interval(PING_AFTER)
        .keep_alive_timeout(PING_TIMEOUT);
    builder
}

type Accepted = (tokio::net::TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit);

async fn accept(listener: &TcpListener, places: &Arc<Semaphore>) -> Option<Accepted> {
    let place = Arc::clone(places).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, address)) => {
            // Answers are written whole; waiting for more only delays them.
            let _ = stream.set_nodelay(true);
            Some((stream, address, place))
        }
        Err(error) => {
            tracing::warn!(error = %error, "a connection was not accepted");
            None
        }
    }
}
