//! What the servers of a database keep in it that nobody may read who only has the database: bytes come in, text goes out that the secret of
//! these servers opens, each kind under a key of its own. The Node.js application seals alike.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use vocab::Secret;

/// Seals one kind of thing.
#[derive(Clone)]
pub struct Sealing(hmac::Key);

impl Sealing {
    /// Keys that sign access tokens.
    pub(crate) fn of_keys(secret: &[u8]) -> Self {
        Self(derived(secret, "signing keys"))
    }

    /// Tokens of providers.
    #[must_use]
    pub fn of_tokens(secret: &Secret<String>) -> Self {
        Self(derived(secret.expose().as_bytes(), "provider tokens"))
    }

    /// What can be opened under the same name alone.
    ///
    /// # Errors
    /// Where this machine has no chance to give.
    pub fn seal(&self, name: &str, bytes: &[u8]) -> Result<String, Unspecified> {
        let mut nonce = [0; NONCE_LEN];
        getrandom::fill(&mut nonce).map_err(|_| Unspecified)?;
        let mut bytes = bytes.to_vec();
        let nonce_of = Nonce::assume_unique_for_key(nonce);
        self.key()?.seal_in_place_append_tag(nonce_of, Aad::from(name.as_bytes()), &mut bytes)?;
        Ok(URL_SAFE_NO_PAD.encode([&nonce[..], &bytes].concat()))
    }

    /// What was sealed; nothing where another secret has sealed it, or under another name.
    #[must_use]
    pub fn open(&self, name: &str, sealed: &str) -> Option<Vec<u8>> {
        let bytes = URL_SAFE_NO_PAD.decode(sealed).ok()?;
        let (nonce, text) = bytes.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut text = text.to_vec();
        let opened = self.key().ok()?.open_in_place(nonce, Aad::from(name.as_bytes()), &mut text).ok()?;
        Some(opened.to_vec())
    }

    fn key(&self) -> Result<LessSafeKey, Unspecified> {
        UnboundKey::new(&AES_256_GCM, hmac::sign(&self.0, b"seal").as_ref()).map(LessSafeKey::new)
    }
}

/// A key for one purpose alone.
pub(crate) fn derived(secret: &[u8], purpose: &str) -> hmac::Key {
    let shared = hmac::Key::new(hmac::HMAC_SHA256, secret);
    hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&shared, purpose.as_bytes()).as_ref())
}
