//! What is signed: the pieces that a manifest names come in, the bytes that were signed go out.

use super::{Call, Refusal, Values, value};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use manifest::webhook::{Encoding, SignedPart};

/// What only some mechanisms know.
#[derive(Default)]
pub(super) struct Known<'k> {
    /// The time, as it was sent.
    pub timestamp: &'k str,
    /// The secret, where it is part of the text.
    pub secret: &'k str,
    /// The address, where it may be written in another way; else that of the call.
    pub url: Option<&'k str>,
    /// Whether the parameters of the body are left out.
    pub without_parameters: bool,
}

/// The bytes that were signed.
pub(super) fn bytes(
    call: &Call<'_>,
    parts: &[SignedPart],
    values: Values<'_>,
    known: &Known<'_>,
) -> Result<Vec<u8>, Refusal> {
    let mut signed = Vec::with_capacity(call.body.len() + call.url.len());
    for part in parts {
        match part {
            SignedPart::Body => signed.extend_from_slice(call.body),
            SignedPart::Url => signed.extend_from_slice(known.url.unwrap_or(call.url).as_bytes()),
            SignedPart::Method => signed.extend_from_slice(call.method.as_bytes()),
            SignedPart::Timestamp => signed.extend_from_slice(known.timestamp.as_bytes()),
            SignedPart::SortedParameters if known.without_parameters => {}
            SignedPart::SortedParameters => signed.extend_from_slice(sorted_parameters(call.body).as_bytes()),
            SignedPart::Secret => signed.extend_from_slice(known.secret.as_bytes()),
            SignedPart::Crc32OfBody => signed.extend_from_slice(crc32fast::hash(call.body).to_string().as_bytes()),
            SignedPart::Text(text) => signed.extend_from_slice(text.as_bytes()),
            SignedPart::Header(name) => signed.extend_from_slice(call.header(name)?.as_bytes()),
            SignedPart::Value(text) => signed.extend_from_slice(value(values, text)?.expose().as_bytes()),
        }
    }
    Ok(signed)
}

/// Names and values of a form, sorted by name, nothing between them. A name that stands there more than once has its values sorted,
/// each once.
fn sorted_parameters(body: &[u8]) -> String {
    let mut pairs: Vec<_> = form_urlencoded::parse(body).collect();
    pairs.sort();
    pairs.dedup();
    pairs.iter().map(|(name, value)| format!("{name}{value}")).collect()
}

/// The signature that a text holds.
pub(super) fn decoded(text: &str, encoding: Encoding) -> Option<Vec<u8>> {
    match encoding {
        Encoding::Base64 => STANDARD.decode(text).ok(),
        Encoding::Hex => from_hex(text),
    }
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pair = |pair: &[u8]| match pair {
        [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
        _ => None,
    };
    text.as_bytes().chunks(2).map(pair).collect()
}
