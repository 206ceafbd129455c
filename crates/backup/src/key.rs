//! What backups are encrypted with: a text that somebody keeps comes in, recipient and identity of the age format go out. The text is
//! never part of a message. <https://age-encryption.org/v1>

use age::secrecy::SecretString;
use age::{scrypt, x25519};
use std::fmt;
use std::io::{Read, Write};
use std::iter::once;
use std::str::FromStr as _;

/// What `age-keygen` makes begins with that.
const IDENTITY: &str = "AGE-SECRET-KEY-";
/// The fewest characters of a passphrase: who has a copy has all the time in the world.
const LEAST_CHARACTERS: usize = 16;
/// How much work a guess is, as a power of two: about a second, wherever it was encrypted.
const WORK: u8 = 17;
/// The most that is done for a file that says it takes more.
const MOST_WORK: u8 = 20;

/// A key.
pub struct Key(Kind);

enum Kind {
    Identity(Box<x25519::Identity>),
    Passphrase(SecretString),
}

/// A text that is no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WrongKey {
    /// It begins as an identity does, and is none.
    #[error("it begins with `{IDENTITY}` and is no identity of age")]
    Identity,
    /// It is guessed too soon.
    #[error(
        "a passphrase has at least {LEAST_CHARACTERS} characters; `age-keygen` makes a key, and `openssl rand -base64 32` a passphrase"
    )]
    Short,
}

impl Key {
    /// An identity as `age-keygen` makes it, with its comments or without; else a passphrase.
    ///
    /// # Errors
    /// [`WrongKey`] when it is neither.
    pub fn parse(text: &str) -> Result<Self, WrongKey> {
        if let Some(line) = text.lines().map(str::trim).find(|line| line.starts_with(IDENTITY)) {
            let identity = x25519::Identity::from_str(line).map_err(|_| WrongKey::Identity)?;
            return Ok(Self(Kind::Identity(Box::new(identity))));
        }
        let text = text.trim();
        match text.chars().count() < LEAST_CHARACTERS {
            true => Err(WrongKey::Short),
            false => Ok(Self(Kind::Passphrase(SecretString::from(text.to_owned())))),
        }
    }

    pub(crate) fn encrypt<W: Write>(&self, to: W) -> std::io::Result<age::stream::StreamWriter<W>> {
        let encryptor = match &self.0 {
            Kind::Identity(identity) => age::Encryptor::with_recipients(once(&identity.to_public() as _)),
            Kind::Passphrase(passphrase) => {
                let mut recipient = scrypt::Recipient::new(passphrase.clone());
                recipient.set_work_factor(WORK);
                age::Encryptor::with_recipients(once(&recipient as _))
            }
        };
        encryptor.map_err(std::io::Error::other)?.wrap_output(to)
    }

    pub(crate) fn decrypt<R: Read>(&self, from: R) -> Result<age::stream::StreamReader<R>, age::DecryptError> {
        let decryptor = age::Decryptor::new(from)?;
        match &self.0 {
            Kind::Identity(identity) => decryptor.decrypt(once(&**identity as _)),
            Kind::Passphrase(passphrase) => {
                let mut identity = scrypt::Identity::new(passphrase.clone());
                identity.set_max_work_factor(MOST_WORK);
                decryptor.decrypt(once(&identity as _))
            }
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Key([redacted])")
    }
}
