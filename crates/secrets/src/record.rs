//! A secret as the file holds it: sealed, bound to its name, version and stage, so that no record can stand in the place of another.

use crate::key::Key;
use crate::{SecretFailure, SecretName, SecretText, secret};
use aws_lc_rs::aead::{Aad, NONCE_LEN, Nonce};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// Whether a value is in use, or about to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// It is in use.
    Current,
    /// A rotation is on its way: the other side may have it already or not yet.
    Next,
    /// Another one is in use, and this one is still taken for a while.
    Previous,
}

/// A sealed secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Its name.
    pub name: SecretName,
    /// Counts its values.
    pub version: u32,
    /// Whether it is in use.
    pub stage: Stage,
    /// When its first value was set, UTC.
    pub set_at: String,
    /// When this value was set, UTC.
    pub changed_at: String,
    /// Until when it is still taken, UTC, where another one is in use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    nonce: String,
    sealed: String,
}

/// What is told of a value beside itself.
pub struct Label {
    pub name: SecretName,
    pub version: u32,
    pub stage: Stage,
    pub set_at: String,
    pub changed_at: String,
    pub until: Option<String>,
}

impl Record {
    /// Seals a value.
    pub fn seal(key: &Key, label: Label, value: &str) -> Result<Self, SecretFailure> {
        let Label { name, version, stage, set_at, changed_at, until } = label;
        let (nonce, sealed) = (String::new(), String::new());
        let mut record = Self { name, version, stage, set_at, changed_at, until, nonce, sealed };
        // Encrypted in place: the clear text is gone afterwards. Room for the tag, so that no clear copy is left behind by growing.
        let mut text = Zeroizing::new(Vec::with_capacity(value.len() + 16));
        text.extend_from_slice(value.as_bytes());
        let nonce = key
            .sealing()
            .seal_in_place_append_tag(Aad::from(record.bound()), &mut *text)
            .map_err(|_| SecretFailure::Randomness)?;
        record.nonce = STANDARD.encode(nonce.as_ref());
        record.sealed = STANDARD.encode(text.as_slice());
        Ok(record)
    }

    /// The value; `None` when anything of the record was changed.
    pub fn open(&self, key: &Key) -> Option<SecretText> {
        let nonce: [u8; NONCE_LEN] = STANDARD.decode(&self.nonce).ok()?.try_into().ok()?;
        let mut text = Zeroizing::new(STANDARD.decode(&self.sealed).ok()?);
        let nonce = Nonce::assume_unique_for_key(nonce);
        let clear = key.sealing().open_in_place(nonce, Aad::from(self.bound()), text.as_mut_slice()).ok()?;
        String::from_utf8(clear.to_vec()).ok().map(secret)
    }

    /// The same under another key.
    pub fn under(&self, old: &Key, new: &Key) -> Result<Option<Self>, SecretFailure> {
        let Some(value) = self.open(old) else { return Ok(None) };
        Self::seal(new, self.label(self.stage), value.expose()).map(Some)
    }

    /// What is told of it, in another stage.
    pub fn label(&self, stage: Stage) -> Label {
        Label {
            name: self.name.clone(),
            version: self.version,
            stage,
            set_at: self.set_at.clone(),
            changed_at: self.changed_at.clone(),
            until: self.until.clone(),
        }
    }

    /// What the seal holds together: no name has a line break in it.
    fn bound(&self) -> Vec<u8> {
        let stage = match self.stage {
            Stage::Current => "current",
            Stage::Next => "next",
            Stage::Previous => "previous",
        };
        let until = self.until.iter().map(|until| format!("\n{until}")).collect::<String>();
        format!("1\n{}\n{}\n{stage}\n{}\n{}{until}", self.name, self.version, self.set_at, self.changed_at).into_bytes()
    }
}
