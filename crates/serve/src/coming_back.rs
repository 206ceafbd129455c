//! Where a person comes back to who was led elsewhere: requests to one path come in, what they brought goes out, and whoever takes it
//! says what the person reads. Only on this machine, only GET, and nothing is kept.

use crate::listen::protocols;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE, REFERRER_POLICY};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

/// How long to wait after the system refused a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How long the last page may take on its way.
const LAST_PAGE: Duration = Duration::from_secs(1);
/// Most connections at once: a browser makes a few.
const MAX_CONNECTIONS: usize = 16;

/// A person who has come back.
pub struct CameBack {
    /// The path with its query.
    pub target: String,
    reader: oneshot::Sender<(StatusCode, String)>,
}

impl CameBack {
    /// Tells the person that it was good, or why not. The request ends with it.
    pub fn tell(self, outcome: Result<&str, &str>) {
        let (status, title, text) = match outcome {
            Ok(text) => (StatusCode::OK, "Connected", text),
            Err(text) => (StatusCode::BAD_REQUEST, "Not connected", text),
        };
        let text = text.replace('&', "&amp;").replace('<', "&lt;");
        let page = format!("<!doctype html><meta charset=utf-8><title>{title}</title><h1>{title}</h1><p>{text}</p>");
        // Whoever has gone away reads nothing.
        let _ = self.reader.send((status, page));
    }
}

/// Hands over everybody who comes back to the path, until nobody takes them any more; the last page is sent before it ends.
pub async fn come_back(listener: TcpListener, path: &'static str, to: mpsc::Sender<CameBack>) {
    let builder = protocols();
    let mut tasks = JoinSet::new();
    loop {
        while tasks.try_join_next().is_some() {}
        if tasks.len() >= MAX_CONNECTIONS {
            tasks.join_next().await;
        }
        let accepted = tokio::select! {
            () = to.closed() => break,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let to = to.clone();
        let service = service_fn(move |request: Request<Incoming>| answer(request, path, to.clone()));
        let connection = builder.serve_connection(TokioIo::new(stream), service).into_owned();
        tasks.spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(error = %error, "a connection ended early");
            }
        });
    }
    // Who keeps a connection open has read everything by then.
    let _ = tokio::time::timeout(LAST_PAGE, async { while tasks.join_next().await.is_some() {} }).await;
}

async fn answer(
    request: Request<Incoming>,
    path: &str,
    to: mpsc::Sender<CameBack>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    if request.method() != Method::GET || request.uri().path() != path {
        return Ok(page(StatusCode::NOT_FOUND, String::new()));
    }
    let target = request.uri().path_and_query().map_or_else(String::new, ToString::to_string);
    let (reader, told) = oneshot::channel();
    let is_taken = to.send(CameBack { target, reader }).await.is_ok();
    Ok(match told.await {
        Ok((status, text)) if is_taken => page(status, text),
        _ => page(StatusCode::GONE, String::new()),
    })
}

fn page(status: StatusCode, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    // The address holds the code.
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}
