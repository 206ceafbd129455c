//! How a connection to PostgreSQL is encrypted and whom it trusts: `sslmode` and `sslrootcert` of a URL come in, as libpq means
//! them, what the driver wants goes out. A certificate that should be verified is never let pass because that would be easier.

use crate::StoreError;
use crate::error::Trouble;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use std::path::PathBuf;
use std::sync::Arc;
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;

/// What a URL says about encryption.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tls {
    mode: Mode,
    roots: Roots,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Disable,
    /// Where the server offers it; libpq's default.
    Prefer,
    /// Always, whoever the server is.
    Require,
    /// Its certificate leads to a root.
    VerifyCa,
    /// That, and it is for this host.
    VerifyFull,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Roots {
    System,
    File(PathBuf),
}

impl Tls {
    /// The URL without the parameters that only this file understands, and what they say.
    pub(super) fn take_from(url: &str) -> Result<(String, Self), String> {
        let (address, parameters) = url.split_once('?').unwrap_or((url, ""));
        let (mut mode, mut roots, mut others) = (None, None, Vec::new());
        for parameter in parameters.split('&').filter(|parameter| !parameter.is_empty()) {
            match parameter.split_once('=') {
                Some(("sslmode", value)) => mode = Some(Mode::parse(value)?),
                Some(("sslrootcert", "system")) => roots = Some(Roots::System),
                Some(("sslrootcert", value)) => roots = Some(Roots::File(PathBuf::from(decoded(value)?))),
                Some(("sslcert" | "sslkey" | "sslpassword" | "sslcrl", _)) => {
                    return Err("this producer shows no certificate of its own: log in with a password".to_owned());
                }
                Some(_) | None => others.push(parameter),
            }
        }
        let mode = match (mode, &roots) {
            // Both as libpq has it: the roots of the system are only good together with the host's name, and whoever names a
            // file of roots wants it used.
            (None, Some(Roots::System)) => Mode::VerifyFull,
            (Some(Mode::Require), Some(Roots::File(_))) => Mode::VerifyCa,
            (mode, _) => mode.unwrap_or(Mode::Prefer),
        };
        let url = if others.is_empty() { address.to_owned() } else { format!("{address}?{}", others.join("&")) };
        Ok((url, Self { mode, roots: roots.unwrap_or(Roots::System) }))
    }

    /// What the driver calls it.
    pub(super) fn mode(&self) -> SslMode {
        match self.mode {
            Mode::Disable => SslMode::Disable,
            Mode::Prefer => SslMode::Prefer,
            Mode::Require | Mode::VerifyCa | Mode::VerifyFull => SslMode::Require,
        }
    }

    /// The same in the words of libpq, with the file of roots.
    pub(super) fn for_programs(&self) -> (&'static str, Option<String>) {
        let mode = match self.mode {
            Mode::Disable => "disable",
            Mode::Prefer => "prefer",
            Mode::Require => "require",
            Mode::VerifyCa => "verify-ca",
            Mode::VerifyFull => "verify-full",
        };
        let roots = match &self.roots {
            // Whoever verifies nothing needs none.
            Roots::System => matches!(self.mode, Mode::VerifyCa | Mode::VerifyFull).then(|| "system".to_owned()),
            Roots::File(path) => Some(path.display().to_string()),
        };
        (mode, roots)
    }

    /// What makes the encrypted connections.
    pub(super) fn connector(&self) -> Result<MakeRustlsConnect, StoreError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let trust = match self.mode {
            Mode::Disable | Mode::Prefer | Mode::Require => Trust::Anybody,
            Mode::VerifyCa => Trust::Roots(self.verifier(&provider)?),
            Mode::VerifyFull => Trust::RootsAndName(self.verifier(&provider)?),
        };
        let verifier = Arc::new(Verifier { trust, provider: Arc::clone(&provider) });
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| no_roots(error.to_string()))?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        Ok(MakeRustlsConnect::new(config))
    }

    fn verifier(&self, provider: &Arc<CryptoProvider>) -> Result<Chain, StoreError> {
        let certificates = self.certificates()?;
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(certificates.iter().cloned());
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
            .build()
            .map_err(|error| no_roots(error.to_string()))?;
        Ok(Chain { verifier, certificates })
    }

    fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, StoreError> {
        match &self.roots {
            Roots::System => {
                let found = rustls_native_certs::load_native_certs();
                match found.certs.is_empty() {
                    true => Err(no_roots("this system has no list of certificate authorities".to_owned())),
                    false => Ok(found.certs),
                }
            }
            Roots::File(path) => {
                let unreadable = |why: String| no_roots(format!("`{}`: {why}", path.display()));
                let certificates: Result<Vec<_>, _> =
                    CertificateDer::pem_file_iter(path).map_err(|error| unreadable(error.to_string()))?.collect();
                let certificates = certificates.map_err(|error| unreadable(error.to_string()))?;
                match certificates.is_empty() {
                    true => Err(unreadable("no certificate is in it".to_owned())),
                    false => Ok(certificates),
                }
            }
        }
    }
}

impl Mode {
    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "disable" => Ok(Self::Disable),
            "prefer" => Ok(Self::Prefer),
            "require" => Ok(Self::Require),
            "verify-ca" => Ok(Self::VerifyCa),
            "verify-full" => Ok(Self::VerifyFull),
            _ => Err("`sslmode` is `disable`, `prefer`, `require`, `verify-ca` or `verify-full`".to_owned()),
        }
    }
}

fn decoded(value: &str) -> Result<String, String> {
    percent_encoding::percent_decode_str(value)
        .decode_utf8()
        .map(std::borrow::Cow::into_owned)
        .map_err(|_| "`sslrootcert` is no text".to_owned())
}

fn no_roots(why: String) -> StoreError {
    StoreError::NotConnected(Trouble::NoRoots, why)
}

/// Which servers are believed to be what they say.
#[derive(Debug)]
enum Trust {
    Anybody,
    Roots(Chain),
    RootsAndName(Chain),
}

#[derive(Debug)]
struct Chain {
    verifier: Arc<WebPkiServerVerifier>,
    certificates: Vec<CertificateDer<'static>>,
}

#[derive(Debug)]
struct Verifier {
    trust: Trust,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let (chain, wants_name) = match &self.trust {
            Trust::Anybody => return Ok(ServerCertVerified::assertion()),
            Trust::Roots(chain) => (chain, false),
            Trust::RootsAndName(chain) => (chain, true),
        };
        // The one of the server itself in the file of roots, as PostgreSQL's manual makes it: nobody else has signed it, and
        // the verifier would want to know why an authority serves.
        if chain.certificates.iter().any(|trusted| trusted == certificate) {
            if wants_name {
                rustls::client::verify_server_name(&ParsedCertificate::try_from(certificate)?, name)?;
            }
            return Ok(ServerCertVerified::assertion());
        }
        match chain.verifier.verify_server_cert(certificate, between, name, ocsp, now) {
            // The name is looked at last: everything else is right.
            Err(error) if !wants_name && is_other_name(&error) => Ok(ServerCertVerified::assertion()),
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

fn is_other_name(error: &Error) -> bool {
    matches!(
        error,
        Error::InvalidCertificate(CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. })
    )
}

/// What went wrong with the certificate, or with the encryption.
pub(super) fn trouble(error: &Error) -> Trouble {
    match error {
        Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature) => {
            Trouble::UnknownAuthority
        }
        // A certificate that signed itself and calls itself an authority. The verifier's error has no variant for it here.
        Error::InvalidCertificate(CertificateError::Other(why)) if why.to_string().contains("CaUsedAsEndEntity") => {
            Trouble::UnknownAuthority
        }
        error if is_other_name(error) => Trouble::OtherName,
        Error::InvalidCertificate(_) => Trouble::BadCertificate,
        _ => Trouble::Tls,
    }
}

#[cfg(test)]
mod tests {
    use super::{Mode, Roots, Tls};
    use std::path::PathBuf;

    #[test]
    fn parameters_mean_what_they_mean_to_libpq() {
        let file = |path: &str| Roots::File(PathBuf::from(path));
        for (url, rest, mode, roots) in [
            ("postgresql://a@b/c", "postgresql://a@b/c", Mode::Prefer, Roots::System),
            (
                "postgresql://a@b/c?sslmode=disable&options=-cx%3Dy",
                "postgresql://a@b/c?options=-cx%3Dy",
                Mode::Disable,
                Roots::System,
            ),
            (
                "postgresql://a@b/c?connect_timeout=1&sslmode=require",
                "postgresql://a@b/c?connect_timeout=1",
                Mode::Require,
                Roots::System,
            ),
            (
                "postgresql://a@b/c?sslmode=require&sslrootcert=/a%20b.pem",
                "postgresql://a@b/c",
                Mode::VerifyCa,
                file("/a b.pem"),
            ),
            ("postgresql://a@b/c?sslrootcert=system", "postgresql://a@b/c", Mode::VerifyFull, Roots::System),
            ("postgresql://a@b/c?sslmode=verify-ca&sslrootcert=x", "postgresql://a@b/c", Mode::VerifyCa, file("x")),
        ] {
            assert_eq!(Tls::take_from(url), Ok((rest.to_owned(), Tls { mode, roots })), "{url}");
        }
        assert!(Tls::take_from("postgresql://a@b/c?sslmode=allow").is_err());
        assert!(Tls::take_from("postgresql://a@b/c?sslcert=x").is_err());
    }
}
