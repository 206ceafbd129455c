//! Who called, and how: what the connection says, and what proxies before the server say of it, as far as they are believed.

use http::{HeaderMap, HeaderValue};
use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr};

const CLIENTS: &str = "x-forwarded-for";
const SCHEME: &str = "x-forwarded-proto";

/// The other end of a connection.
#[derive(Debug, Clone, Copy)]
pub struct Peer {
    /// Its address.
    pub address: IpAddr,
    /// Whether it speaks TLS with this server.
    pub is_encrypted: bool,
}

impl From<IpAddr> for Peer {
    /// Of a connection in the clear.
    fn from(address: IpAddr) -> Self {
        Self { address, is_encrypted: false }
    }
}

/// The proxies that are believed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Proxies {
    /// Nobody said which: the client is whoever connected. What says that a request came over TLS is taken of anybody, because it
    /// makes an answer stricter and no more.
    #[default]
    Unknown,
    /// These.
    Listed(Vec<IpNet>),
}

/// A text that is no address of a proxy.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no address and no network; write them as `10.0.0.7` or `172.16.0.0/12`, several with commas between")]
pub struct WrongProxy(String);

impl Proxies {
    /// Reads a list with commas between; an empty one says nothing.
    ///
    /// # Errors
    /// [`WrongProxy`] for the first that is neither an address nor a network.
    pub fn parse(text: &str) -> Result<Self, WrongProxy> {
        let written: Vec<&str> = text.split(',').map(str::trim).filter(|word| !word.is_empty()).collect();
        let network = |word: &&str| {
            let alone = word.parse::<IpAddr>().map(IpNet::from);
            alone.or_else(|_| word.parse::<IpNet>()).map_err(|_| WrongProxy((*word).to_owned()))
        };
        let listed = written.iter().map(network).collect::<Result<Vec<_>, _>>()?;
        Ok(if listed.is_empty() { Self::Unknown } else { Self::Listed(listed) })
    }

    fn has(&self, address: IpAddr) -> bool {
        match self {
            Self::Unknown => false,
            Self::Listed(listed) => listed.iter().any(|network| network.contains(&address)),
        }
    }

    /// The client's address. `headers` are left saying what is so: nobody who looks at them later has to ask who sent them.
    pub(crate) fn client(&self, peer: Peer, headers: &mut HeaderMap) -> IpAddr {
        let address = peer.address.to_canonical();
        if self.has(address) {
            if peer.is_encrypted && !headers.contains_key(SCHEME) {
                headers.insert(SCHEME, HeaderValue::from_static("https"));
            }
            return self.farthest(address, headers);
        }
        if peer.is_encrypted {
            headers.insert(SCHEME, HeaderValue::from_static("https"));
        } else if let Self::Listed(_) = self {
            headers.remove(SCHEME);
        }
        address
    }

    /// Each proxy writes whom it was called by behind what it was sent: the last address that is no proxy's is the client's, and
    /// what stands before it anybody may have made up. What is no address ends the way.
    fn farthest(&self, nearest: IpAddr, headers: &HeaderMap) -> IpAddr {
        let lines: Vec<&str> = headers.get_all(CLIENTS).iter().map(|line| line.to_str().unwrap_or_default()).collect();
        let mut found = nearest;
        for word in lines.iter().rev().flat_map(|line| line.rsplit(',')) {
            let Some(address) = address(word.trim()) else { break };
            found = address;
            if !self.has(address) {
                break;
            }
        }
        found
    }
}

/// An address, with a port or without it.
fn address(word: &str) -> Option<IpAddr> {
    let bare = word.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(word);
    let with_port = || word.parse::<SocketAddr>().ok().map(|address| address.ip());
    bare.parse::<IpAddr>().ok().or_else(with_port).map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(headers: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, text) in headers {
            map.append(*name, HeaderValue::from_static(text));
        }
        map
    }

    #[test]
    fn lists_of_proxies() {
        assert_eq!(Proxies::parse(" , ").unwrap(), Proxies::Unknown);
        assert!(Proxies::parse("127.0.0.1, 10.0.0.0/8, ::1, fd00::/8").is_ok());
        for wrong in ["proxy", "10.0.0.0/33", "10.0.0.1:80", "10.0.0", "*", "127.0.0.1 ::1"] {
            assert!(Proxies::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_client_is_the_last_that_is_no_proxy() {
        let proxies = Proxies::parse("127.0.0.0/8, 10.0.0.0/8, fd00::/8").unwrap();
        let client = |peer: &str, lines: &[&'static str]| {
            let lines: Vec<_> = lines.iter().map(|line| (CLIENTS, *line)).collect();
            proxies.client(peer.parse::<IpAddr>().unwrap().into(), &mut of(&lines)).to_string()
        };
        for (peer, lines, expected) in [
            ("127.0.0.1", &["203.0.113.7"][..], "203.0.113.7"),
            ("::ffff:127.0.0.1", &["::ffff:203.0.113.7"], "203.0.113.7"),
            ("127.0.0.1", &["198.51.100.1, 203.0.113.7, 10.1.2.3"], "203.0.113.7"),
            ("127.0.0.1", &["198.51.100.1", "203.0.113.7,10.1.2.3"], "203.0.113.7"),
            ("127.0.0.1", &["203.0.113.7:4711"], "203.0.113.7"),
            ("fd00::1", &["[2001:db8::7]:4711"], "2001:db8::7"),
            ("fd00::1", &["[2001:db8::7]"], "2001:db8::7"),
            ("127.0.0.1", &["203.0.113.7, unknown, 10.1.2.3"], "10.1.2.3"),
            ("127.0.0.1", &["10.1.2.3, 10.1.2.4"], "10.1.2.3"),
            ("127.0.0.1", &[""], "127.0.0.1"),
            ("127.0.0.1", &[], "127.0.0.1"),
            ("203.0.113.9", &["198.51.100.1"], "203.0.113.9"),
        ] {
            assert_eq!(client(peer, lines), expected, "{peer} {lines:?}");
        }
    }

    #[test]
    fn the_scheme_is_what_whoever_is_believed_says() {
        let scheme = |proxies: &str, is_encrypted: bool, said: Option<&'static str>| {
            let mut headers = of(&said.map(|said| (SCHEME, said)).into_iter().collect::<Vec<_>>());
            let peer = Peer { address: "127.0.0.1".parse().unwrap(), is_encrypted };
            Proxies::parse(proxies).unwrap().client(peer, &mut headers);
            headers.get(SCHEME).map(|said| said.to_str().unwrap().to_owned())
        };
        for (proxies, is_encrypted, said, expected) in [
            ("", false, None, None),
            ("", false, Some("https"), Some("https")),
            ("", true, Some("http"), Some("https")),
            ("10.0.0.1", false, Some("https"), None),
            ("10.0.0.1", true, Some("http"), Some("https")),
            ("127.0.0.1", false, Some("https"), Some("https")),
            ("127.0.0.1", true, Some("http"), Some("http")),
            ("127.0.0.1", true, None, Some("https")),
        ] {
            assert_eq!(scheme(proxies, is_encrypted, said).as_deref(), expected, "{proxies} {is_encrypted} {said:?}");
        }
    }
}
