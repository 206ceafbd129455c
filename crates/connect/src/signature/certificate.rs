//! A signature that a certificate checks, whose address comes with the call. The address decides whom we ask and the certificate whom
//! we believe, so both must lie in the provider's own domains, and somebody we trust must stand behind the certificate now.

use super::part::{Known, bytes};
use super::{Call, Refusal, Values};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use manifest::webhook::{Certificate, SignatureAlgorithm};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm, UnixTime};
use std::time::Duration;
use webpki::{ALL_VERIFICATION_ALGS, EndEntityCert, KeyUsage, anchor_from_trusted_cert, aws_lc_rs};

/// Most certificates of one file.
const MAX_CERTIFICATES: usize = 10;

/// The address that the certificate is to be fetched from: HTTPS, at its usual port, in a domain of the provider.
///
/// # Errors
/// [`Refusal`] when it lies anywhere else.
pub fn certificate_url<'c>(way: &Certificate, call: &'c Call<'_>) -> Result<&'c str, Refusal> {
    let url = call.header(&way.certificate_url_header)?.trim();
    let refused = Refusal::Certificate("its address is not the provider's");
    let Some(rest) = url.strip_prefix("https://") else { return Err(refused) };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    // A name and nothing else: no user, no port, no backslash that some read as a slash.
    let host = &rest[..end];
    let is_name = host.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.');
    if is_name && is_within(host, &way.within) { Ok(url) } else { Err(refused) }
}

/// Checks a signature by a certificate. `file` is what was fetched, PEM, the certificate first and those that lead to one of
/// `trusted` behind it.
///
/// # Errors
/// [`Refusal`] with the reason.
pub fn verify_certificate(
    way: &Certificate,
    call: &Call<'_>,
    values: Values<'_>,
    file: &[u8],
    trusted: &[CertificateDer<'_>],
) -> Result<(), Refusal> {
    certificate_url(way, call)?;
    let unreadable = Refusal::Certificate("it cannot be read");
    let certificates: Vec<CertificateDer<'_>> = CertificateDer::pem_slice_iter(file)
        .take(MAX_CERTIFICATES)
        .collect::<Result<_, _>>()
        .map_err(|_| unreadable.clone())?;
    let [first, others @ ..] = &certificates[..] else { return Err(unreadable) };
    let certificate = EndEntityCert::try_from(first).map_err(|_| unreadable)?;
    believe(way, &certificate, others, trusted, call.arrived_ms)?;
    let signature = call.header(&way.header)?.trim();
    let signature = STANDARD.decode(signature).map_err(|_| Refusal::HeaderUnreadable(way.header.clone()))?;
    let known = Known { without_parameters: !call.is_form(), ..Known::default() };
    let signed = bytes(call, &way.signed, values, &known)?;
    certificate.verify_signature(algorithm(way.algorithm), &signed, &signature).map_err(|_| Refusal::Wrong)
}

fn algorithm(algorithm: SignatureAlgorithm) -> &'static dyn SignatureVerificationAlgorithm {
    match algorithm {
        SignatureAlgorithm::EcdsaP256Sha256 => aws_lc_rs::ECDSA_P256_SHA256,
        SignatureAlgorithm::RsaSha256 => aws_lc_rs::RSA_PKCS1_2048_8192_SHA256,
    }
}

/// It is the provider's, it holds at the time, and it leads to somebody we trust.
fn believe(
    way: &Certificate,
    certificate: &EndEntityCert<'_>,
    others: &[CertificateDer<'_>],
    trusted: &[CertificateDer<'_>],
    now_ms: i64,
) -> Result<(), Refusal> {
    if !certificate.valid_dns_names().any(|name| is_within(name, &way.within)) {
        return Err(Refusal::Certificate("the name in it is not the provider's"));
    }
    let anchors: Vec<_> = trusted.iter().filter_map(|known| anchor_from_trusted_cert(known).ok()).collect();
    let since_1970 = Duration::from_millis(u64::try_from(now_ms).unwrap_or(0));
    let now = UnixTime::since_unix_epoch(since_1970);
    certificate
        .verify_for_usage(ALL_VERIFICATION_ALGS, &anchors, others, now, KeyUsage::server_auth(), None, None)
        .map(|_| ())
        .map_err(|error| match error {
            webpki::Error::CertExpired { .. } => Refusal::Certificate("it has ended"),
            webpki::Error::CertNotValidYet { .. } => Refusal::Certificate("it does not hold yet"),
            _ => Refusal::Certificate("nobody we trust stands behind it"),
        })
}

/// Whether a name is one of the domains or lies in one.
fn is_within(name: &str, domains: &[String]) -> bool {
    let name = name.to_ascii_lowercase();
    domains
        .iter()
        .map(|domain| domain.to_ascii_lowercase())
        .any(|domain| name.strip_suffix(&domain).is_some_and(|before| before.is_empty() || before.ends_with('.')))
}
