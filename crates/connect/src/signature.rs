//! Signatures of calls that come in, over the bytes as they came. Each mechanism is a file; none of them knows a company, reads a
//! clock or fetches anything: secrets, certificates and the time are handed in.

mod certificate;
mod digest;
mod fixed;
mod hmac;
mod part;
mod public_key;
mod sign;
mod time;

#[cfg(test)]
pub(crate) mod tests;

pub use certificate::{certificate_url, verify_certificate};
pub use digest::verify_digest;
pub use fixed::{verify_basic, verify_fixed_header, verify_secret_path};
pub use hmac::verify_hmac;
pub use public_key::verify_public_key;
pub use sign::{PrivateKey, Signed, case_key, sign_digest, sign_hmac, sign_with_key};

use manifest::Text;
use vocab::Secret;

/// A call that came in.
#[derive(Debug, Clone, Copy)]
pub struct Call<'c> {
    /// Its method, upper case.
    pub method: &'c str,
    /// Its address as the provider has called it: scheme, host, path and parameters, whatever stands before us.
    pub url: &'c str,
    /// Its headers in order, names of either case.
    pub headers: &'c [(String, String)],
    /// Its body, byte for byte.
    pub body: &'c [u8],
    /// When it came, in milliseconds since 1970.
    pub arrived_ms: i64,
}

/// What a manifest's texts come to for the account whose calls these are: a secret, a setting.
pub type Values<'v> = &'v dyn Fn(&Text) -> Option<Secret<String>>;

/// Why a call is not known to be the provider's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A header that proves it is not there.
    #[error("the header `{0}` is missing")]
    HeaderMissing(String),
    /// A header stands there more than once, and nobody knows which is meant.
    #[error("the header `{0}` stands there more than once")]
    HeaderTwice(String),
    /// What the header holds is no signature, time, address or certificate.
    #[error("the header `{0}` cannot be read")]
    HeaderUnreadable(String),
    /// The secret, or another value of ours, is not there.
    #[error("`{0}` has no value")]
    NoValue(String),
    /// A key of ours is none.
    #[error("`{0}` is no key")]
    NotAKey(String),
    /// It was signed too long ago: perhaps somebody sends again what he has overheard.
    #[error("it was signed {seconds} s ago, and {allowed} s are allowed")]
    TooOld {
        /// How long ago.
        seconds: i64,
        /// How long is allowed.
        allowed: u32,
    },
    /// It was signed in the future: one of the clocks is wrong.
    #[error("it was signed {seconds} s ahead of this machine's clock, and {allowed} s are allowed")]
    TooNew {
        /// How far ahead.
        seconds: i64,
        /// How far is allowed.
        allowed: u32,
    },
    /// The certificate is from elsewhere, has ended, or nobody we trust stands behind it.
    #[error("the certificate is not to be trusted: {0}")]
    Certificate(&'static str),
    /// The provider was asked, and says that it is not its own.
    #[error("the provider says that it is not its own")]
    Denied,
    /// The signature is of something else, or by somebody else.
    #[error("the signature is wrong")]
    Wrong,
}

impl Call<'_> {
    /// What the header holds.
    fn header(&self, name: &str) -> Result<&str, Refusal> {
        let mut found = self.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        match (found.next(), found.next()) {
            (Some((_, value)), None) => Ok(value),
            (Some(_), Some(_)) => Err(Refusal::HeaderTwice(name.to_owned())),
            (None, _) => Err(Refusal::HeaderMissing(name.to_owned())),
        }
    }

    /// Whether the body is a form, as its header says.
    fn is_form(&self) -> bool {
        let media_type = self.header("content-type").unwrap_or_default();
        let essence = media_type.split(';').next().unwrap_or_default().trim();
        essence.eq_ignore_ascii_case("application/x-www-form-urlencoded")
    }
}

/// The value of a text of the manifest.
fn value(values: Values<'_>, text: &Text) -> Result<Secret<String>, Refusal> {
    let found = match text.as_literal() {
        Some(literal) => Some(Secret::new(literal.to_owned())),
        None => values(text),
    };
    found.filter(|value| !value.expose().is_empty()).ok_or_else(|| Refusal::NoValue(text.to_string()))
}
