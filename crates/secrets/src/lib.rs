//! The workspace's secrets: names and values come in, an encrypted file holds them, values go out only to whoever asks for one by
//! its name. No value is ever part of an error, a log or a list.
#![allow(clippy::disallowed_methods)] // this crate does effects: environment, files, randomness

pub mod export;
mod failure;
mod key;
mod name;
mod record;
mod store;

#[cfg(test)]
mod tests;

pub use failure::SecretFailure;
pub use name::{InvalidSecretName, SecretName};
pub use record::Stage;
pub use store::{ListedSecret, SecretStore};

use vocab::Secret;
use zeroize::Zeroizing;

/// A value that is never printed, and is wiped from memory when it goes.
pub type SecretText = Secret<Zeroizing<String>>;

/// The most bytes of a value: a private key with its certificates fits.
pub const MAX_VALUE_BYTES: usize = 64 * 1024;

/// Wraps a value.
#[must_use]
pub fn secret(value: String) -> SecretText {
    Secret::new(Zeroizing::new(value))
}

/// Random bytes of a generated password: 192 bits.
const PASSWORD_BYTES: usize = 24;

/// A password nobody has thought of: 32 letters, digits, `-` and `_`, which need no quoting anywhere.
///
/// # Errors
/// [`SecretFailure::Randomness`] when the system gives none.
pub fn generate_password() -> Result<SecretText, SecretFailure> {
    use base64::Engine as _;
    let mut bytes = Zeroizing::new([0_u8; PASSWORD_BYTES]);
    key::fill(bytes.as_mut_slice())?;
    Ok(secret(base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes.as_slice())))
}
