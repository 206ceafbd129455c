//! A person agrees at a provider, RFC 6749 section 4.1 with RFC 7636: an account comes in, the address that the person opens goes out; what
//! the person comes back with comes in, the code goes out. Nothing is sent here, and neither code nor state is ever part of an error.

#[cfg(test)]
mod tests;

use super::needed;
use super::oauth2::Given;
use crate::account::Account;
use crate::answer::clean;
use crate::encode::percent;
use crate::form;
use crate::request::{RequestError, checked_address};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use manifest::authentication::{Oauth2, Pkce};
use vocab::Secret;

/// Bytes of chance in what binds an answer to its question.
const CHANCE: usize = 32;

/// A question to a person that waits for its answer.
#[derive(Debug)]
pub struct Consent {
    /// The address that the person opens.
    pub url: String,
    redirect: String,
    state: Secret<String>,
    verifier: Option<Secret<String>>,
}

/// Why there is no code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoCode {
    /// It answers another question than this.
    #[error("this answers another question than the one that was asked now: open the address that was printed last")]
    OtherQuestion,
    /// The person, or the provider, said no.
    #[error("the provider says no: {0}")]
    Refused(String),
    /// Nothing of it can be used.
    #[error(
        "there is no `code` in it: what is wanted is the whole address to which the provider has led back, or the code alone"
    )]
    Nothing,
}

impl Consent {
    /// Asks for an agreement; the person comes back to `redirect`.
    ///
    /// # Errors
    /// What is missing.
    pub fn ask(account: &Account, way: &Oauth2, redirect: &str) -> Result<Self, RequestError> {
        let missing = || RequestError::Proof("the manifest has no `authorize_url`".to_owned());
        let url = needed(way.authorize_url.as_ref().ok_or_else(missing)?, account)?;
        let (address, fixed) = url.split_once('?').map_or((url.as_str(), None), |(url, query)| (url, Some(query)));
        let address = match &account.instead {
            Some(instead) => {
                let behind = address.split_once("://").map_or("", |(_, rest)| rest);
                format!("{instead}{}", behind.find('/').map_or("", |slash| &behind[slash..]))
            }
            None => checked_address(address, "authorize_url", &way.token_within)?,
        };
        let (state, verifier) = (by_chance()?, by_chance()?);
        let mut parameters = vec![
            ("response_type", "code".to_owned()),
            ("client_id", needed(&way.client_id, account)?),
            ("redirect_uri", redirect.to_owned()),
            ("state", state.clone()),
        ];
        if !way.scopes.is_empty() {
            parameters.push(("scope", way.scopes.join(" ")));
        }
        let is_bound = way.pkce != Pkce::Off;
        if is_bound {
            let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()));
            parameters.extend([("code_challenge", challenge), ("code_challenge_method", "S256".to_owned())]);
        }
        let own = parameters.iter().map(|(name, value)| format!("{name}={}", percent(value)));
        let query: Vec<String> = fixed.map(ToOwned::to_owned).into_iter().chain(own).collect();
        Ok(Self {
            url: format!("{address}?{}", query.join("&")),
            redirect: redirect.to_owned(),
            state: Secret::new(state),
            verifier: is_bound.then(|| Secret::new(verifier)),
        })
    }

    /// What is given for a token, of the address to which the person was led back, or of its query.
    ///
    /// # Errors
    /// [`NoCode`] with the reason.
    pub fn came_back(&self, address: &str) -> Result<Given, NoCode> {
        let query = address.split_once('?').map_or("", |(_, query)| query);
        let query = query.split('#').next().unwrap_or_default();
        let pairs = form::pairs(query.as_bytes());
        let value = |name: &str| pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        let state = value("state").unwrap_or_default();
        let is_answer = verify_slices_are_equal(state.as_bytes(), self.state.expose().as_bytes()).is_ok();
        match (value("error"), value("code")) {
            (None, None) => Err(NoCode::Nothing),
            _ if !is_answer => Err(NoCode::OtherQuestion),
            (Some(error), _) => {
                let described = value("error_description").map(|words| format!("{} ({})", clean(words), clean(error)));
                Err(NoCode::Refused(described.unwrap_or_else(|| clean(error))))
            }
            (None, Some(code)) => Ok(self.given(code)),
        }
    }

    /// What is given for a token, of what a person has copied: the address to which the provider has led back, or the code alone, which no
    /// state binds to the question; the verifier does where there is one.
    ///
    /// # Errors
    /// [`NoCode`] with the reason.
    pub fn copied(&self, text: &str) -> Result<Given, NoCode> {
        let text = text.trim();
        let is_code = !text.is_empty() && !text.contains("://") && !text.contains(['?', '&', ' ', '=']);
        match is_code && self.verifier.is_some() {
            true => Ok(self.given(text)),
            false => self.came_back(text),
        }
    }

    fn given(&self, code: &str) -> Given {
        Given::Code {
            code: Secret::new(code.to_owned()),
            redirect: self.redirect.clone(),
            verifier: self.verifier.clone(),
        }
    }
}

fn by_chance() -> Result<String, RequestError> {
    let mut bytes = [0; CHANCE];
    let failed = |_| RequestError::Proof("this machine has no chance to give".to_owned());
    aws_lc_rs::rand::fill(&mut bytes).map_err(failed)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}
