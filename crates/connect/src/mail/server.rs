//! The mail server, as an address says it: `smtp://user:password@host:587` comes in, where to connect and how comes out. Who gives a
//! password gets an encrypted connection or none; the password is no part of what is said of it.

use percent_encoding::percent_decode_str;
use reqwest::Url;
use std::fmt;
use std::net::IpAddr;
use vocab::{Secret, sha256_hex};

/// The ports where the address names none: that of TLS from the beginning, and that of submission.
const TLS_PORT: u16 = 465;
const SUBMISSION_PORT: u16 = 587;

/// A mail server.
#[derive(Debug, Clone)]
pub struct Server {
    /// Its name or address.
    pub host: String,
    /// The port.
    pub port: u16,
    /// How what is said to it is kept from others.
    pub encryption: Encryption,
    /// Who we are there, and what proves it.
    pub credentials: Option<(String, Secret<String>)>,
}

/// How a conversation is kept from others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encryption {
    /// From the beginning.
    Tls,
    /// From `STARTTLS` on; without it nothing is said.
    StartTls,
    /// Not at all.
    None,
}

/// Why a text is no address of a mail server. The text is no part of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}; write it as `smtp://user:password@host:587` or `smtps://user:password@host:465`")]
pub struct WrongServer(String);

impl Server {
    /// Reads `smtp://` (encrypted by `STARTTLS`; on this machine plain) or `smtps://` (encrypted from the beginning). What stands in name and
    /// password otherwise than letters and digits is written as in any address: `%40` for `@`. `?tls=none` and `?tls=required` overrule.
    ///
    /// # Errors
    /// [`WrongServer`] with what is wrong, without what was given.
    pub fn parse(text: &str) -> Result<Self, WrongServer> {
        let wrong = |why: &str| WrongServer(why.to_owned());
        let url = Url::parse(text).map_err(|error| WrongServer(format!("it is no address: {error}")))?;
        let is_from_the_beginning = match url.scheme() {
            "smtps" => true,
            "smtp" => false,
            _ => return Err(wrong("it begins with neither `smtp://` nor `smtps://`")),
        };
        if !matches!(url.path(), "" | "/") || url.fragment().is_some() {
            return Err(wrong("something stands behind the host"));
        }
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or_else(|| wrong("it names no host"))?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let mut asked = None;
        for (name, value) in url.query_pairs() {
            match (&*name, &*value) {
                ("tls", "none" | "required") => asked = Some(value == "required"),
                ("tls", _) => return Err(wrong("`tls` is `none` or `required`")),
                (_, _) => return Err(wrong("`tls` is all that can stand behind a `?`")),
            }
        }
        let encryption = match (is_from_the_beginning, asked) {
            (true, Some(false)) => {
                return Err(wrong("`smtps` is encrypted from the beginning, and `tls=none` says it is not"));
            }
            (true, Some(true) | None) => Encryption::Tls,
            (false, Some(true)) => Encryption::StartTls,
            (false, Some(false)) => Encryption::None,
            (false, None) if is_here(&host) => Encryption::None,
            (false, None) => Encryption::StartTls,
        };
        let decoded = |text: &str| percent_decode_str(text).decode_utf8().map(|text| text.into_owned());
        let credentials = match (url.username(), url.password()) {
            ("", None) => None,
            ("", Some(_)) => return Err(wrong("it names a password and no user")),
            (_, None) => return Err(wrong("it names a user and no password")),
            (user, Some(password)) => match (decoded(user), decoded(password)) {
                (Ok(user), Ok(password)) => Some((user, Secret::new(password))),
                (_, _) => return Err(wrong("user or password is no text")),
            },
        };
        let port = url.port().unwrap_or(if is_from_the_beginning { TLS_PORT } else { SUBMISSION_PORT });
        Ok(Self { host, port, encryption, credentials })
    }

    /// What tells one server, and who we are there, from others: a digest.
    #[must_use]
    pub(super) fn known_as(&self) -> String {
        let (user, password) = match &self.credentials {
            Some((user, password)) => (user.as_str(), password.expose().as_str()),
            None => ("", ""),
        };
        sha256_hex(format!("{self}\n{:?}\n{user}\n{password}", self.encryption).as_bytes())
    }
}

/// Without who we are there.
impl fmt::Display for Server {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.encryption == Encryption::Tls { "smtps" } else { "smtp" };
        match self.host.contains(':') {
            true => write!(formatter, "{scheme}://[{}]:{}", self.host, self.port),
            false => write!(formatter, "{scheme}://{}:{}", self.host, self.port),
        }
    }
}

/// Whether the host is this machine, so that nothing that is said leaves it.
fn is_here(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_says_how_a_server_is_spoken_with() {
        for (text, shown, encryption, user) in [
            ("smtp://ann:a%40b@mail.example", "smtp://mail.example:587", Encryption::StartTls, Some("ann")),
            (
                "smtps://ann%40x.example:p@mail.example/",
                "smtps://mail.example:465",
                Encryption::Tls,
                Some("ann@x.example"),
            ),
            ("smtp://mail.example:25?tls=none", "smtp://mail.example:25", Encryption::None, None),
            ("smtp://127.0.0.1:1025", "smtp://127.0.0.1:1025", Encryption::None, None),
            ("smtp://localhost:1025", "smtp://localhost:1025", Encryption::None, None),
            ("smtp://[::1]:1025", "smtp://[::1]:1025", Encryption::None, None),
            ("smtp://localhost:1025?tls=required", "smtp://localhost:1025", Encryption::StartTls, None),
            ("smtp://mailhost", "smtp://mailhost:587", Encryption::StartTls, None),
        ] {
            let server = Server::parse(text).unwrap();
            assert_eq!((server.to_string().as_str(), server.encryption), (shown, encryption), "{text}");
            assert_eq!(server.credentials.map(|(user, _)| user).as_deref(), user, "{text}");
        }
        let (_, password) = Server::parse("smtp://ann:a%40b@mail.example").unwrap().credentials.unwrap();
        assert_eq!(password.expose(), "a@b");
    }

    #[test]
    fn what_is_wrong_with_an_address_is_said_without_it() {
        for (text, says) in [
            ("mail.example:587", "neither"),
            ("http://mail.example", "neither"),
            ("smtp://", "no host"),
            ("smtp://ann@mail.example", "no password"),
            ("smtp://:geheim@mail.example", "no user"),
            ("smtp://ann:geheim@mail.example/inbox", "behind the host"),
            ("smtp://ann:geheim@mail.example?tls=off", "`none` or `required`"),
            ("smtp://ann:geheim@mail.example?user=x", "all that can stand"),
            ("smtps://ann:geheim@mail.example?tls=none", "from the beginning"),
            ("smtp://ann:geheim@mail.example:port", "no address"),
        ] {
            let wrong = Server::parse(text).unwrap_err().to_string();
            assert!(wrong.contains(says) && !wrong.contains("geheim"), "{text}: {wrong}");
        }
        let debugged = format!("{:?}", Server::parse("smtp://ann:geheim@mail.example").unwrap());
        assert!(!debugged.contains("geheim"), "{debugged}");
    }
}
