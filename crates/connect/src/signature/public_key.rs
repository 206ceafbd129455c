//! A signature that a public key checks: the provider keeps what it signs with to itself.

use super::part::{Known, bytes};
use super::{Call, Refusal, Values, time, value};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey, VerificationAlgorithm,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use manifest::webhook::{PublicKey, SignatureAlgorithm};

/// Checks a signature by a public key.
///
/// # Errors
/// [`Refusal`] with the reason.
pub fn verify_public_key(way: &PublicKey, call: &Call<'_>, values: Values<'_>) -> Result<(), Refusal> {
    let text = value(values, &way.key)?;
    // PEM is the same with lines around it.
    let inside: String = text.expose().lines().filter(|line| !line.starts_with("-----")).map(str::trim).collect();
    let key = STANDARD.decode(inside).map_err(|_| Refusal::NotAKey(way.key.to_string()))?;
    let signature = call.header(&way.header)?.trim();
    let signature = STANDARD.decode(signature).map_err(|_| Refusal::HeaderUnreadable(way.header.clone()))?;
    let timestamp = match &way.timestamp {
        None => "",
        Some(rule) => {
            let header = rule.header.as_ref().unwrap_or(&way.header);
            let text = call.header(header)?;
            time::check(call, header, text, rule)?;
            text
        }
    };
    let known = Known { timestamp, without_parameters: !call.is_form(), ..Known::default() };
    let signed = bytes(call, &way.signed, values, &known)?;
    let algorithm: &'static dyn VerificationAlgorithm = match way.algorithm {
        SignatureAlgorithm::EcdsaP256Sha256 => &ECDSA_P256_SHA256_ASN1,
        SignatureAlgorithm::RsaSha256 => &RSA_PKCS1_2048_8192_SHA256,
    };
    UnparsedPublicKey::new(algorithm, key).verify(&signed, &signature).map_err(|_| Refusal::Wrong)
}
