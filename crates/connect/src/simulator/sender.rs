//! Sends what a simulated provider sends: a signed call comes in, the status of the answer goes out. It calls this machine and nothing
//! else, whatever address was entered.

use super::Outgoing;
use crate::client::{Bounds, Client, Sent};
use crate::message::HttpRequest;
use manifest::operation::Method;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

/// How long a call may take, and how much of its answer is read.
const BOUNDS: Bounds = Bounds { within: Duration::from_secs(10), most_bytes: 64 * 1024 };
const SCHEME: &str = "http://";

/// The way out.
#[derive(Default)]
pub struct Sender {
    clients: BTreeMap<SocketAddr, Client>,
}

impl Sender {
    /// Makes a call; the status of its answer, where there was one.
    pub async fn send(&mut self, call: &Outgoing) -> Option<u16> {
        let (address, url) = on_this_machine(&call.url)?;
        let client = match self.clients.entry(address) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => place.insert(Client::new(vec![address]).ok()?),
        };
        let (headers, body) = (call.headers.clone(), call.body.clone());
        match client.send(&HttpRequest { method: Method::Post, url, headers, body }, BOUNDS).await {
            Sent::Answered(answer) => Some(answer.status),
            Sent::NeverConnected(_) | Sent::BrokenBehindRequest(_) => None,
        }
    }
}

/// Where a call goes, by number; none where that is another machine.
fn on_this_machine(url: &str) -> Option<(SocketAddr, String)> {
    let rest = url.strip_prefix(SCHEME)?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port.parse().ok()?),
        Some(_) | None => (authority, 80),
    };
    let address = match host {
        "localhost" => IpAddr::V4(Ipv4Addr::LOCALHOST),
        _ => host.trim_start_matches('[').trim_end_matches(']').parse().ok()?,
    };
    let address = SocketAddr::new(address, port);
    address.ip().is_loopback().then(|| (address, format!("{SCHEME}{address}{path}")))
}

#[cfg(test)]
mod tests {
    use super::on_this_machine;

    #[test]
    fn nothing_leaves_this_machine() {
        let address = |url| on_this_machine(url).map(|(_, url)| url);
        assert_eq!(
            address("http://localhost:8080/webhooks/a?b=c").as_deref(),
            Some("http://127.0.0.1:8080/webhooks/a?b=c")
        );
        assert_eq!(address("http://[::1]:8080").as_deref(), Some("http://[::1]:8080"));
        assert_eq!(address("http://127.0.0.1").as_deref(), Some("http://127.0.0.1:80"));
        for elsewhere in [
            "https://localhost/",
            "http://10.0.0.1/",
            "http://shop.example/",
            "http://localhost.example/",
            "http://127.0.0.1@a.example/",
        ] {
            assert_eq!(address(elsewhere), None, "{elsewhere}");
        }
    }
}
