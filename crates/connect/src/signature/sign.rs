//! The provider's side of a signature, for one that is simulated: what verifies a call comes in, the address and the headers that
//! prove it go out. It holds what only the provider has, so nothing that speaks with a real one may use it.

use super::hmac::key;
use super::part::{Known, bytes};
use super::{Call, Refusal, Values, value};
use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use aws_lc_rs::{digest, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use manifest::webhook::{
    Digest, Encoding, HashAlgorithm, Hmac, PublicKey, SignatureAlgorithm, SignatureForm, TimeUnit, Timestamp,
};
use std::sync::OnceLock;

/// A call that was signed: it is sent to this address with these headers beside its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// The address.
    pub url: String,
    /// The headers.
    pub headers: Vec<(String, String)>,
}

/// The pair that stands for the provider's in the cases of plans: made when it is asked for first, and known to this process alone.
#[must_use]
pub fn case_key(algorithm: SignatureAlgorithm) -> Option<&'static PrivateKey> {
    static ECDSA: OnceLock<Option<PrivateKey>> = OnceLock::new();
    static RSA: OnceLock<Option<PrivateKey>> = OnceLock::new();
    let made = match algorithm {
        SignatureAlgorithm::EcdsaP256Sha256 => &ECDSA,
        SignatureAlgorithm::RsaSha256 => &RSA,
    };
    made.get_or_init(|| PrivateKey::make(algorithm)).as_ref()
}

/// The private half of a key that was made for a provider that is simulated.
pub enum PrivateKey {
    /// Of ECDSA over P-256.
    Ecdsa(Box<EcdsaKeyPair>),
    /// Of RSA.
    Rsa(Box<RsaKeyPair>),
}

impl PrivateKey {
    /// Makes one; None where this machine gives no randomness.
    #[must_use]
    pub fn make(algorithm: SignatureAlgorithm) -> Option<Self> {
        match algorithm {
            SignatureAlgorithm::EcdsaP256Sha256 => {
                EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).ok().map(|pair| Self::Ecdsa(Box::new(pair)))
            }
            SignatureAlgorithm::RsaSha256 => {
                RsaKeyPair::generate(KeySize::Rsa2048).ok().map(|pair| Self::Rsa(Box::new(pair)))
            }
        }
    }

    /// The public half: SubjectPublicKeyInfo in Base64.
    #[must_use]
    pub fn public(&self) -> Option<String> {
        let der = match self {
            Self::Ecdsa(pair) => pair.public_key().as_der().ok()?,
            Self::Rsa(pair) => pair.public_key().as_der().ok()?,
        };
        Some(STANDARD.encode(der.as_ref()))
    }

    fn sign(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let random = SystemRandom::new();
        match self {
            Self::Ecdsa(pair) => pair.sign(&random, bytes).ok().map(|signature| signature.as_ref().to_vec()),
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, bytes, &mut signature).ok().map(|()| signature)
            }
        }
    }
}

/// Signs with a keyed digest. The time is that of the call.
///
/// # Errors
/// [`Refusal`] where a value is not there.
pub fn sign_hmac(way: &Hmac, call: &Call<'_>, values: Values<'_>) -> Result<Signed, Refusal> {
    let key = key(way, values)?;
    let without_parameters = !call.is_form();
    let url = match way.body_digest_parameter.as_ref().filter(|_| without_parameters && !call.body.is_empty()) {
        None => call.url.to_owned(),
        Some(parameter) => {
            let between = if call.url.contains('?') { '&' } else { '?' };
            let digest = hex(digest::digest(&digest::SHA256, call.body).as_ref());
            format!("{}{between}{parameter}={digest}", call.url)
        }
    };
    let (timestamp, mut headers) = stamp(way.timestamp.as_ref(), call);
    let known = Known { timestamp: &timestamp, url: Some(&url), without_parameters, ..Known::default() };
    let call = &Call { headers: &[call.headers, &headers].concat(), ..*call };
    let signed = bytes(call, &way.signed, values, &known)?;
    let tag = hmac::sign(&key, &signed);
    let tag = written(tag.as_ref(), way.encoding);
    let holds = match &way.form {
        SignatureForm::Plain => tag,
        SignatureForm::Behind(text) => format!("{text}{tag}"),
        SignatureForm::Pairs { signature, timestamp: None } => format!("{signature}={tag}"),
        SignatureForm::Pairs { signature, timestamp: Some(name) } => format!("{name}={timestamp},{signature}={tag}"),
        SignatureForm::Versions(version) => format!("{version},{tag}"),
    };
    headers.push((way.header.clone(), holds));
    Ok(Signed { url, headers })
}

/// Signs with a digest that has the secret in it.
///
/// # Errors
/// [`Refusal`] where a value is not there.
pub fn sign_digest(way: &Digest, call: &Call<'_>, values: Values<'_>) -> Result<Signed, Refusal> {
    let secret = value(values, &way.secret)?;
    let known = Known { secret: secret.expose(), without_parameters: !call.is_form(), ..Known::default() };
    let over = match way.algorithm {
        HashAlgorithm::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
        HashAlgorithm::Sha256 => &digest::SHA256,
        HashAlgorithm::Sha512 => &digest::SHA512,
    };
    let tag = digest::digest(over, &bytes(call, &way.signed, values, &known)?);
    let header = (way.header.clone(), written(tag.as_ref(), way.encoding));
    Ok(Signed { url: call.url.to_owned(), headers: vec![header] })
}

/// Signs with a private key. The time is that of the call.
///
/// # Errors
/// [`Refusal`] where a value is not there, or the key does not sign.
pub fn sign_with_key(
    way: &PublicKey,
    key: &PrivateKey,
    call: &Call<'_>,
    values: Values<'_>,
) -> Result<Signed, Refusal> {
    let (timestamp, mut headers) = stamp(way.timestamp.as_ref(), call);
    let known = Known { timestamp: &timestamp, without_parameters: !call.is_form(), ..Known::default() };
    let call = &Call { headers: &[call.headers, &headers].concat(), ..*call };
    let signed = bytes(call, &way.signed, values, &known)?;
    let signature = key.sign(&signed).ok_or_else(|| Refusal::NotAKey(way.key.to_string()))?;
    headers.push((way.header.clone(), STANDARD.encode(signature)));
    Ok(Signed { url: call.url.to_owned(), headers })
}

/// The time as it is written, and the header of its own that it may have.
fn stamp(rule: Option<&Timestamp>, call: &Call<'_>) -> (String, Vec<(String, String)>) {
    let Some(rule) = rule else { return (String::new(), Vec::new()) };
    let text = match rule.unit {
        TimeUnit::Seconds => (call.arrived_ms / 1_000).to_string(),
        TimeUnit::Milliseconds => call.arrived_ms.to_string(),
    };
    let header = rule.header.iter().map(|name| (name.clone(), text.clone())).collect();
    (text, header)
}

fn written(bytes: &[u8], encoding: Encoding) -> String {
    match encoding {
        Encoding::Hex => hex(bytes),
        Encoding::Base64 => STANDARD.encode(bytes),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|digit| char::from(b"0123456789abcdef"[usize::from(digit)]))
        .collect()
}
