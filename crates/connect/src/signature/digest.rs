//! A digest over a text that holds the secret: an old way, weaker than a keyed digest, that some providers still have.

use super::part::{Known, bytes, decoded};
use super::{Call, Refusal, Values, value};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest;
use manifest::webhook::{Digest, HashAlgorithm};

/// Checks a digest with the secret in it.
///
/// # Errors
/// [`Refusal`] with the reason.
pub fn verify_digest(way: &Digest, call: &Call<'_>, values: Values<'_>) -> Result<(), Refusal> {
    let secret = value(values, &way.secret)?;
    let told = call.header(&way.header)?.trim();
    let told = decoded(told, way.encoding).ok_or_else(|| Refusal::HeaderUnreadable(way.header.clone()))?;
    let known = Known { secret: secret.expose(), without_parameters: !call.is_form(), ..Known::default() };
    let algorithm = match way.algorithm {
        HashAlgorithm::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
        HashAlgorithm::Sha256 => &digest::SHA256,
        HashAlgorithm::Sha512 => &digest::SHA512,
    };
    let is = digest::digest(algorithm, &bytes(call, &way.signed, values, &known)?);
    verify_slices_are_equal(is.as_ref(), &told).map_err(|_| Refusal::Wrong)
}
