//! The listener of a simulated provider: requests in, what it makes of them out; what it sends leaves when it is due. The
//! provider itself knows neither clock nor network.

use crate::listen::protocols;
use bytes::Bytes;
use connect::simulator::{Asked, Handled, Sender, Simulator};
use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinSet;

/// Bytes of a request's body.
const MAX_BODY: usize = 4 * 1024 * 1024;
/// How long a request that is never answered is held, so that connections do not pile up.
const LONGEST_HANG: Duration = Duration::from_secs(300);
/// How long to wait after the system refused a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How long nothing is sent where nothing is due.
const IDLE: Duration = Duration::from_secs(60);

/// A simulated provider that several hold.
pub type Played = Arc<Mutex<Simulator>>;

/// Why a connection ends without an answer: it was asked for.
#[derive(Debug, thiserror::Error)]
#[error("the answer is lost on purpose")]
struct Unanswered;

/// Serves until `end` is done. Requests under way are then cut off: nothing here is worth waiting for.
pub async fn simulate(listener: TcpListener, played: Played, end: impl Future<Output = ()>) {
    let builder = protocols();
    let changed = Arc::new(Notify::new());
    let mut tasks = JoinSet::new();
    tasks.spawn(send(Arc::clone(&played), Arc::clone(&changed)));
    tokio::pin!(end);
    loop {
        let accepted = tokio::select! {
            () = &mut end => break,
            accepted = listener.accept() => accepted,
        };
        // Those that have ended leave their place.
        while tasks.try_join_next().is_some() {}
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(error = %error, "a connection was not accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let _ = stream.set_nodelay(true);
        let (played, changed) = (Arc::clone(&played), Arc::clone(&changed));
        let service =
            service_fn(move |request: Request<Incoming>| answer(request, Arc::clone(&played), Arc::clone(&changed)));
        let connection = builder.serve_connection(TokioIo::new(stream), service).into_owned();
        tasks.spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(error = %error, "a connection ended early");
            }
        });
    }
    tasks.shutdown().await;
}

async fn answer(
    request: Request<Incoming>,
    played: Played,
    changed: Arc<Notify>,
) -> Result<Response<Full<Bytes>>, Unanswered> {
    let (head, body) = request.into_parts();
    let body = match Limited::new(body, MAX_BODY).collect().await {
        Ok(body) => body.to_bytes(),
        Err(_) => return Ok(plain(StatusCode::PAYLOAD_TOO_LARGE)),
    };
    let headers: Vec<(String, String)> = head
        .headers
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect();
    let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
    let asked = Asked { method: head.method.as_str(), target, headers: &headers, body: &body };
    let handled = held(&played).handle(&asked, now_ms());
    changed.notify_one();
    let answer = match handled {
        Handled::Answered(answer) => answer,
        Handled::Lost => return Err(Unanswered),
        Handled::Hangs => {
            tokio::time::sleep(LONGEST_HANG).await;
            return Err(Unanswered);
        }
    };
    let mut response = plain(StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR));
    for (name, value) in &answer.headers {
        // What a request made of a header may be none: then there is none.
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name.as_str()), HeaderValue::try_from(value.as_str())) {
            response.headers_mut().append(name, value);
        }
    }
    *response.body_mut() = Full::new(Bytes::from(answer.body));
    Ok(response)
}

fn plain(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}

/// Sends what is due, one after the other, for as long as it is let.
async fn send(played: Played, changed: Arc<Notify>) {
    let mut sender = Sender::default();
    loop {
        let next_ms = held(&played).next_webhook_ms();
        let wait = next_ms.map_or(IDLE, |at| Duration::from_millis(u64::try_from(at - now_ms()).unwrap_or(0)));
        tokio::select! {
            () = changed.notified() => {}
            () = tokio::time::sleep(wait) => {}
        }
        let due = held(&played).webhooks_due(now_ms());
        for call in due {
            let status = sender.send(&call).await;
            held(&played).was_sent(call.number, status, now_ms());
        }
    }
}

fn now_ms() -> i64 {
    Timestamp::now().as_millisecond()
}

/// A panic elsewhere has left it as it was: each call changes it in one go.
fn held(played: &Mutex<Simulator>) -> MutexGuard<'_, Simulator> {
    played.lock().unwrap_or_else(PoisonError::into_inner)
}
