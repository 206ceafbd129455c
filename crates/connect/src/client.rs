//! The one way out: a request comes in, and goes out is what became of it. Names are looked up here and every address is held against
//! the list of closed ones before it is connected to, and no other is. No redirect is followed, no proxy of the environment is asked, and no
//! answer is read longer or for longer than it may be.

use crate::address::is_public;
use crate::message::{HttpAnswer, HttpRequest};
use manifest::operation::Method;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect::Policy;
use std::error::Error;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// Longest wait for a name to be looked up, a connection made and its encryption agreed on.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// How much longer a request may take than a connection, so that what was late is always known.
const BEHIND_CONNECTING: Duration = Duration::from_secs(1);
/// Most addresses of a name.
const MAX_ADDRESSES: usize = 64;
/// Most connections to a host that wait for the next request, and for how long: as many as deliveries to it are under way at once, or
/// each wave of them would connect anew. Servers often let go after a minute; who is earlier never writes into a connection that is gone.
const MAX_IDLE_PER_HOST: usize = 32;
const IDLE_FOR: Duration = Duration::from_secs(20);
/// Most bytes of the headers of an answer in HTTP/2; HTTP/1.1 is bounded by the client itself.
const MAX_HEADER_BYTES: u32 = 64 * 1024;
/// What we call ourselves, where a manifest names nothing else: some providers refuse requests without a name.
const USER_AGENT: &str = concat!("integration-producer/", env!("CARGO_PKG_VERSION"));

/// How much of an answer is read, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// From the beginning to the last byte of the answer; never less than what a connection may take, and a second.
    pub within: Duration,
    /// Most bytes of the body.
    pub most_bytes: usize,
}

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    /// It never left: nothing can have happened.
    NeverConnected(Unreached),
    /// It left, or part of it, and no whole answer came: it may have happened. Says what was seen.
    BrokenBehindRequest(String),
    /// The answer.
    Answered(HttpAnswer),
}

/// Why a request never left.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreached {
    /// The address lies where nothing is to be called.
    #[error("`{host}` leads to {address}, which is no address of the public internet")]
    Closed {
        /// The host as it is called.
        host: String,
        /// Where it leads.
        address: IpAddr,
    },
    /// The request cannot be sent as it is.
    #[error("the request cannot be sent: {0}")]
    Malformed(String),
    /// The connection was not made.
    #[error("no connection to `{host}`: {why}")]
    NoConnection {
        /// The host.
        host: String,
        /// What was seen.
        why: String,
    },
}

impl Unreached {
    /// Whether trying again is of no use.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        match self {
            Self::Closed { .. } | Self::Malformed(_) => true,
            Self::NoConnection { .. } => false,
        }
    }
}

/// The guarded client. One for the whole process: it keeps connections.
#[derive(Clone)]
pub struct Client {
    inner: reqwest::Client,
    open: Arc<Open>,
}

/// What may be connected to.
struct Open {
    /// Addresses of our own that may be called all the same, unencrypted: simulated providers. Never by a name.
    ours: Vec<SocketAddr>,
    /// The host and the port that an operator has named, wherever they are.
    named: Option<(String, u16)>,
    is_open: fn(IpAddr) -> bool,
    in_clear: bool,
    /// What every request has at least, so that a connection that is not made is known as such.
    least: Duration,
}

/// A list of addresses that is still being looked up.
type Addresses = Pin<Box<dyn Future<Output = Result<Vec<IpAddr>, String>> + Send>>;
/// Looks a name up.
type LookUp = Arc<dyn Fn(String) -> Addresses + Send + Sync>;

/// Where a client is built, all that tests have otherwise.
struct Parts {
    look_up: LookUp,
    is_open: fn(IpAddr) -> bool,
    /// Whether what is not encrypted is called too.
    in_clear: bool,
    connect_within: Duration,
    roots: Vec<reqwest::Certificate>,
}

impl Client {
    /// A client that calls the public internet, and the simulated providers at these addresses.
    ///
    /// # Errors
    /// Why encrypted connections cannot be made on this machine.
    pub fn new(simulated: Vec<SocketAddr>) -> Result<Self, String> {
        let parts = Parts {
            look_up: Arc::new(|name| Box::pin(ask_the_system(name))),
            is_open: is_public,
            in_clear: false,
            connect_within: CONNECT_WITHIN,
            roots: Vec::new(),
        };
        Self::from_parts(simulated, None, parts)
    }

    /// A client that calls whatever it is told to, unencrypted too, because an operator allows it: subscribers of this machine or of a private
    /// network.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn anywhere() -> Result<Self, String> {
        let parts = Parts {
            look_up: Arc::new(|name| Box::pin(ask_the_system(name))),
            is_open: |_| true,
            in_clear: true,
            connect_within: CONNECT_WITHIN,
            roots: Vec::new(),
        };
        Self::from_parts(Vec::new(), None, parts)
    }

    /// A client that calls the public internet, and the host of this address wherever it is, since an operator has named it: an issuer of
    /// tokens inside of a company. It is called unencrypted on this machine itself alone.
    ///
    /// # Errors
    /// Why nobody can be called there, as a part of a sentence.
    pub fn naming(url: &str) -> Result<Self, String> {
        let known =
            reqwest::Url::parse(url).map_err(|_| "it is no address such as `https://issuer.example.com`".to_owned())?;
        let host = known.host_str().ok_or("it names no host")?.to_owned();
        if !known.username().is_empty() || known.password().is_some() {
            return Err("a name or a password stands in it".to_owned());
        }
        if !(known.scheme() == "https" || known.scheme() == "http" && is_this_machine(&host)) {
            return Err("it must begin with `https://`; `http://` will do on this machine alone".to_owned());
        }
        let port = known.port_or_known_default().unwrap_or_default();
        let parts = Parts {
            look_up: Arc::new(|name| Box::pin(ask_the_system(name))),
            is_open: is_public,
            in_clear: false,
            connect_within: CONNECT_WITHIN,
            roots: Vec::new(),
        };
        Self::from_parts(Vec::new(), Some((host, port)), parts)
    }

    fn from_parts(ours: Vec<SocketAddr>, named: Option<(String, u16)>, parts: Parts) -> Result<Self, String> {
        let least = parts.connect_within + BEHIND_CONNECTING;
        let name = named.as_ref().map(|(host, _)| host.clone());
        let names = Names { look_up: parts.look_up, is_open: parts.is_open, named: name };
        let inner = reqwest::Client::builder()
            .dns_resolver(names)
            .redirect(Policy::none())
            .no_proxy()
            .referer(false)
            .user_agent(USER_AGENT)
            .connect_timeout(parts.connect_within)
            .pool_max_idle_per_host(MAX_IDLE_PER_HOST)
            .pool_idle_timeout(IDLE_FOR)
            .http2_max_header_list_size(MAX_HEADER_BYTES)
            .tls_certs_merge(parts.roots)
            .build()
            .map_err(|error| seen(&error))?;
        Ok(Self {
            inner,
            open: Arc::new(Open { ours, named, is_open: parts.is_open, in_clear: parts.in_clear, least }),
        })
    }

    /// Sends a request and reads the answer.
    pub async fn send(&self, request: &HttpRequest, bounds: Bounds) -> Sent {
        let (host, prepared) = match self.prepared(request) {
            Ok(prepared) => prepared,
            Err(why) => return Sent::NeverConnected(why),
        };
        let bounds = Bounds { within: bounds.within.max(self.open.least), ..bounds };
        let end = Instant::now() + bounds.within;
        match timeout_at(end, self.inner.execute(prepared)).await {
            Err(_) => Sent::BrokenBehindRequest(too_late(bounds)),
            Ok(Err(error)) => failed(host, &error),
            Ok(Ok(response)) => match timeout_at(end, read(response, bounds.most_bytes)).await {
                Err(_) => Sent::BrokenBehindRequest(too_late(bounds)),
                Ok(Err(error)) => Sent::BrokenBehindRequest(seen(&error)),
                Ok(Ok(answer)) => Sent::Answered(answer),
            },
        }
    }

    /// The request for the client underneath, with its host.
    fn prepared(&self, request: &HttpRequest) -> Result<(String, reqwest::Request), Unreached> {
        let malformed = |why: &str| Unreached::Malformed(why.to_owned());
        let url = reqwest::Url::parse(&request.url).map_err(|error| Unreached::Malformed(error.to_string()))?;
        let host = url.host_str().ok_or_else(|| malformed("its address names no host"))?.to_owned();
        if !url.username().is_empty() || url.password().is_some() {
            return Err(malformed("a name or a password stands in its address"));
        }
        self.is_open(&url, &host)?;
        let mut headers = HeaderMap::with_capacity(request.headers.len());
        for (name, value) in &request.headers {
            let refused = || Unreached::Malformed(format!("the header `{name}` cannot be written"));
            let known = HeaderName::from_bytes(name.as_bytes()).map_err(|_| refused())?;
            headers.append(known, HeaderValue::from_bytes(value.as_bytes()).map_err(|_| refused())?);
        }
        let mut prepared = reqwest::Request::new(method(request.method), url);
        *prepared.headers_mut() = headers;
        if !request.body.is_empty() {
            *prepared.body_mut() = Some(request.body.clone().into());
        } else if matches!(request.method, Method::Post | Method::Put | Method::Patch) {
            // Some servers wait for a body, or refuse, where nobody says that there is none.
            prepared.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        Ok((host, prepared))
    }

    /// Whether the address may be called. A name is asked again when it is looked up; numbers never are, so here is the only place.
    fn is_open(&self, url: &reqwest::Url, host: &str) -> Result<(), Unreached> {
        let number = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().ok();
        let port = url.port_or_known_default().unwrap_or_default();
        if let Some((_, at)) = self.open.named.as_ref().filter(|(name, _)| name == host) {
            let is_named = *at == port && (url.scheme() == "https" || is_this_machine(host));
            return match is_named {
                true => Ok(()),
                false => {
                    Err(Unreached::Malformed(format!("`{host}` is called at another port than it was named with")))
                }
            };
        }
        match number {
            Some(address) if self.open.ours.contains(&SocketAddr::new(address, port)) => Ok(()),
            Some(address) if !(self.open.is_open)(address) => Err(Unreached::Closed { host: host.to_owned(), address }),
            _ if url.scheme() == "https" || self.open.in_clear && url.scheme() == "http" => Ok(()),
            _ => Err(Unreached::Malformed(format!("`{}` is not encrypted", url.scheme()))),
        }
    }
}

/// Looks names up and lets no closed address through.
struct Names {
    look_up: LookUp,
    is_open: fn(IpAddr) -> bool,
    /// Who may be anywhere.
    named: Option<String>,
}

/// A name leads to a closed address.
#[derive(Debug, thiserror::Error)]
#[error("leads to {0}, which is no address of the public internet")]
struct LeadsToClosed(IpAddr);

impl Resolve for Names {
    fn resolve(&self, name: Name) -> Resolving {
        let (asked, is_open) = ((self.look_up)(name.as_str().to_owned()), self.is_open);
        let is_named = self.named.as_deref() == Some(name.as_str());
        Box::pin(async move {
            let found = asked.await?;
            // One closed address is enough: who mixes them has something in mind.
            if let Some(closed) = found.iter().find(|address| !is_named && !is_open(**address)) {
                return Err(LeadsToClosed(*closed).into());
            }
            // These, and no others, are connected to: nobody is asked twice.
            let found: Addrs = Box::new(found.into_iter().map(|address| SocketAddr::new(address, 0)));
            Ok(found)
        })
    }
}

/// Whether the host is this machine, as a number or by the name that always means it (RFC 6761).
fn is_this_machine(host: &str) -> bool {
    let number = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().ok();
    host == "localhost" || number.is_some_and(|address| address.is_loopback())
}

async fn ask_the_system(name: String) -> Result<Vec<IpAddr>, String> {
    let found = tokio::net::lookup_host((name, 0)).await.map_err(|error| error.to_string())?;
    Ok(found.map(|address| address.ip()).take(MAX_ADDRESSES).collect())
}

fn method(method: Method) -> reqwest::Method {
    match method {
        Method::Get => reqwest::Method::GET,
        Method::Head => reqwest::Method::HEAD,
        Method::Post => reqwest::Method::POST,
        Method::Put => reqwest::Method::PUT,
        Method::Patch => reqwest::Method::PATCH,
        Method::Delete => reqwest::Method::DELETE,
    }
}

fn too_late(bounds: Bounds) -> String {
    format!("no whole answer within {} ms", bounds.within.as_millis())
}

fn failed(host: String, error: &reqwest::Error) -> Sent {
    let closed = causes(error).find_map(|cause| cause.downcast_ref::<LeadsToClosed>());
    match closed {
        Some(LeadsToClosed(address)) => Sent::NeverConnected(Unreached::Closed { host, address: *address }),
        None if error.is_connect() => Sent::NeverConnected(Unreached::NoConnection { host, why: seen(error) }),
        None if error.is_builder() => Sent::NeverConnected(Unreached::Malformed(seen(error))),
        None => Sent::BrokenBehindRequest(seen(error)),
    }
}

/// The innermost reason. What stands around it names the address, and with it what a query may hold.
fn seen(error: &reqwest::Error) -> String {
    causes(error).last().map_or_else(|| "the client failed".to_owned(), ToString::to_string)
}

fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    std::iter::successors(error.source(), |cause| (*cause).source())
}

/// Reads an answer as far as it may be read. What is left of it is never taken from the network: the connection is dropped.
async fn read(mut response: reqwest::Response, most_bytes: usize) -> Result<HttpAnswer, reqwest::Error> {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers = response.headers().iter().map(|(name, value)| (name.to_string(), text(value))).collect();
    let mut answer = HttpAnswer { status: response.status().as_u16(), headers, ..HttpAnswer::default() };
    while let Some(chunk) = response.chunk().await? {
        let room = most_bytes - answer.body.len();
        answer.body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if chunk.len() > room {
            answer.is_cut = true;
            break;
        }
    }
    Ok(answer)
}

#[cfg(test)]
mod tests;
