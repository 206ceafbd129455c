//! Randomness from a seed: the same seed gives the same ids, keys and mishaps.

use manifest::provider::{Characters, Credential};

/// How many characters follow the beginning of a credential that is made up.
const CREDENTIAL_LENGTH: usize = 32;
const WORD: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const HEX: &[u8] = b"0123456789abcdef";
const DIGITS: &[u8] = b"0123456789";

/// Where chance comes from.
pub(super) struct Chance(fastrand::Rng);

impl Chance {
    pub fn new(seed: u64) -> Self {
        Self(fastrand::Rng::with_seed(seed))
    }

    /// So many letters and digits.
    pub fn word(&mut self, length: usize) -> String {
        self.of(WORD, length)
    }

    /// Whether something happens that is as likely as that.
    pub fn happens(&mut self, probability: f64) -> bool {
        self.0.f64() < probability
    }

    /// A credential that the manifest would take, of the test system where that can be seen.
    pub fn credential(&mut self, known: &Credential) -> String {
        let begins = known.test_starts_with.first().or_else(|| known.form.starts_with.first());
        let begins = begins.cloned().unwrap_or_default();
        let least = known.form.min_length.unwrap_or(0) as usize;
        let most = known.form.max_length.unwrap_or(u32::MAX) as usize;
        let length = (begins.len() + CREDENTIAL_LENGTH).max(least).min(most).saturating_sub(begins.len());
        let characters = match known.form.characters {
            Some(Characters::Digits) => DIGITS,
            Some(Characters::Hex) => HEX,
            Some(Characters::Word | Characters::Base64 | Characters::Pem) | None => WORD,
        };
        begins + &self.of(characters, length)
    }

    fn of(&mut self, characters: &[u8], length: usize) -> String {
        (0..length).map(|_| char::from(characters[self.0.usize(..characters.len())])).collect()
    }
}
