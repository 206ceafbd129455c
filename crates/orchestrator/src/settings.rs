//! `producer.toml` of a workspace: how it is known from outside. A text comes in, checked settings or a sentence that says what is
//! wrong where goes out.

use crate::workspace::Workspace;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::{fs, io};

/// The file, in the workspace's folder.
pub const FILE: &str = "producer.toml";

/// What a workspace says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkspaceSettings {
    /// The address by which others know the server, without a slash at its end: `https://api.example.com`.
    #[serde(default)]
    pub public_url: Option<String>,
    /// Providers that are played on this machine, by name: nothing is sent to the real ones.
    #[serde(default)]
    pub simulated: BTreeMap<String, SimulatedAt>,
}

/// Where a provider is played: `http://127.0.0.1:8090`, as `producer simulate` prints it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct SimulatedAt {
    /// The address, of this machine.
    pub address: SocketAddr,
}

impl SimulatedAt {
    /// The beginning of every address there.
    #[must_use]
    pub fn url(self) -> String {
        format!("http://{}", self.address)
    }
}

impl TryFrom<String> for SimulatedAt {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let address = text.strip_prefix("http://").map(|rest| rest.trim_end_matches('/'));
        let address: Option<SocketAddr> = address.and_then(|address| address.parse().ok());
        let found = address.filter(|address| address.ip().is_loopback());
        found
            .map(|address| Self { address })
            .ok_or("a provider is played on this machine, at an address such as `http://127.0.0.1:8090`")
    }
}

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("`{FILE}`: {0}")]
pub struct WrongSettings(String);

impl WorkspaceSettings {
    /// Reads the workspace's settings; those of a workspace without the file are empty.
    ///
    /// # Errors
    /// [`WrongSettings`] with what is wrong where.
    pub fn read(workspace: &Workspace) -> Result<Self, WrongSettings> {
        match fs::read_to_string(workspace.root().join(FILE)) {
            Ok(text) => Self::parse(&text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(WrongSettings(format!("it cannot be read: {error}"))),
        }
    }

    fn parse(text: &str) -> Result<Self, WrongSettings> {
        let mut settings: Self = toml::from_str(text).map_err(|error| WrongSettings(error.to_string()))?;
        if let Some(url) = &mut settings.public_url {
            let is_url = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")).is_some_and(is_host);
            if !is_url {
                let example = "write it as `public_url = \"https://api.example.com\"`";
                return Err(WrongSettings(format!("`public_url` is no address: {example}")));
            }
            *url = url.trim_end_matches('/').to_owned();
        }
        Ok(settings)
    }
}

/// A host with what may stand behind it, and nothing that a request adds itself.
fn is_host(rest: &str) -> bool {
    let host = rest.split('/').next().unwrap_or_default();
    let is_plain = |character: char| character.is_ascii_graphic() && !"?#@\"'<>\\^`{|}".contains(character);
    !host.is_empty() && !host.starts_with(':') && rest.chars().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::WorkspaceSettings;

    #[test]
    fn an_address_is_taken_without_its_last_slash() {
        let read = |text: &str| WorkspaceSettings::parse(text).map(|settings| settings.public_url);
        assert_eq!(read("").unwrap(), None);
        let url = read("public_url = \"https://api.example.com/v1/\"").unwrap();
        assert_eq!(url.as_deref(), Some("https://api.example.com/v1"));
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, says) in [
            ("public_url = \"api.example.com\"", "is no address"),
            ("public_url = \"https://\"", "is no address"),
            ("public_url = \"https://user@example.com\"", "is no address"),
            ("public_url = \"https://example.com?x=1\"", "is no address"),
            ("public_ulr = \"https://example.com\"", "public_ulr"),
            ("public_url = 1", "invalid type"),
            ("public_url", "line 1"),
            ("[simulated]\nstripe = \"http://192.168.0.1:80\"", "on this machine"),
            ("[simulated]\nstripe = \"https://127.0.0.1\"", "on this machine"),
        ] {
            let wrong = WorkspaceSettings::parse(text).unwrap_err().to_string();
            assert!(wrong.contains(says), "{wrong}");
        }
    }
}
