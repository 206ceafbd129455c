//! A keyed digest, RFC 2104: over any order of body, address, time and parameters. Compared in constant time.

use super::part::{Known, bytes, decoded};
use super::{Call, Refusal, Values, time, value};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::{digest, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use manifest::webhook::{HashAlgorithm, Hmac, KeyForm, SignatureForm};

/// Most signatures of one header: while a secret is changed, a provider signs with both.
const MAX_SIGNATURES: usize = 10;

/// Checks a keyed digest.
///
/// # Errors
/// [`Refusal`] with the reason; never what was expected.
pub fn verify_hmac(way: &Hmac, call: &Call<'_>, values: Values<'_>) -> Result<(), Refusal> {
    let key = key(way, values)?;
    let found = Found::in_header(way, call)?;
    let timestamp = match &way.timestamp {
        None => "",
        Some(rule) => {
            let (header, text) = match &rule.header {
                Some(header) => (header, call.header(header)?),
                None => (&way.header, found.timestamp),
            };
            time::check(call, header, text, rule)?;
            text
        }
    };
    let without_parameters = !call.is_form();
    if let Some(parameter) = way.body_digest_parameter.as_ref().filter(|_| without_parameters && !call.body.is_empty())
    {
        body_is_that_of(call, parameter)?;
    }
    let addresses = if way.port_either_way { either_way(call.url) } else { vec![call.url.to_owned()] };
    let mut is_right = false;
    for url in &addresses {
        let known = Known { timestamp, url: Some(url), without_parameters, ..Known::default() };
        let signed = bytes(call, &way.signed, values, &known)?;
        // Every one is tried, so that the time taken does not tell which was nearly right.
        is_right |= found.signatures.iter().fold(false, |any, tag| hmac::verify(&key, &signed, tag).is_ok() | any);
    }
    if is_right { Ok(()) } else { Err(Refusal::Wrong) }
}

/// The key that a text stands for.
pub(super) fn key(way: &Hmac, values: Values<'_>) -> Result<hmac::Key, Refusal> {
    let secret = value(values, &way.key)?;
    let text = secret.expose().as_str();
    let base64 = |text: &str| STANDARD.decode(text).map_err(|_| Refusal::NotAKey(way.key.to_string()));
    let bytes = match &way.key_form {
        KeyForm::Text => text.as_bytes().to_vec(),
        KeyForm::Base64 => base64(text)?,
        KeyForm::Base64Behind(before) => base64(text.strip_prefix(before.as_str()).unwrap_or(text))?,
    };
    Ok(hmac::Key::new(algorithm(way.algorithm), &bytes))
}

fn algorithm(algorithm: HashAlgorithm) -> hmac::Algorithm {
    match algorithm {
        HashAlgorithm::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        HashAlgorithm::Sha256 => hmac::HMAC_SHA256,
        HashAlgorithm::Sha512 => hmac::HMAC_SHA512,
    }
}

/// What the header holds.
struct Found<'f> {
    signatures: Vec<Vec<u8>>,
    timestamp: &'f str,
}

impl<'f> Found<'f> {
    fn in_header(way: &Hmac, call: &'f Call<'_>) -> Result<Self, Refusal> {
        let unreadable = || Refusal::HeaderUnreadable(way.header.clone());
        let header = call.header(&way.header)?.trim();
        let (texts, timestamp) = match &way.form {
            SignatureForm::Plain => (vec![header], ""),
            SignatureForm::Behind(text) => {
                let (before, rest) = header.split_at_checked(text.len()).ok_or_else(unreadable)?;
                let is_there = before.eq_ignore_ascii_case(text);
                (if is_there { vec![rest] } else { Vec::new() }, "")
            }
            SignatureForm::Pairs { signature, timestamp } => {
                let pairs = || header.split(',').filter_map(|pair| pair.trim().split_once('='));
                let signatures = pairs().filter(|(name, _)| name == signature).map(|(_, text)| text);
                let time = pairs().find(|(name, _)| timestamp.as_deref() == Some(*name)).map(|(_, text)| text);
                (signatures.take(MAX_SIGNATURES).collect(), time.unwrap_or_default())
            }
            SignatureForm::Versions(version) => {
                let signatures = header.split(' ').filter_map(|one| one.split_once(','));
                let signatures = signatures.filter(|(word, _)| word == version).map(|(_, text)| text);
                (signatures.take(MAX_SIGNATURES).collect(), "")
            }
        };
        let signatures: Vec<Vec<u8>> = texts.into_iter().filter_map(|text| decoded(text, way.encoding)).collect();
        if signatures.is_empty() { Err(unreadable()) } else { Ok(Self { signatures, timestamp }) }
    }
}

/// The body is the one whose digest stands in the address.
fn body_is_that_of(call: &Call<'_>, parameter: &str) -> Result<(), Refusal> {
    let query = call.url.split_once('?').map_or("", |(_, query)| query);
    let told = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == parameter).map(|(_, value)| value);
    let told = told.and_then(|text| decoded(&text, manifest::webhook::Encoding::Hex)).ok_or(Refusal::Wrong)?;
    let is = digest::digest(&digest::SHA256, call.body);
    verify_slices_are_equal(is.as_ref(), &told).map_err(|_| Refusal::Wrong)
}

/// The address as it is, and with its port the other way: written out where it was not, left out where it was.
fn either_way(url: &str) -> Vec<String> {
    let mut addresses = vec![url.to_owned()];
    let Some((scheme, rest)) = url.split_once("://") else { return addresses };
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let port = if scheme == "https" { 443 } else { 80 };
    addresses.push(match authority.rsplit_once(':') {
        Some((host, _)) => format!("{scheme}://{host}{path}"),
        None => format!("{scheme}://{authority}:{port}{path}"),
    });
    addresses
}
