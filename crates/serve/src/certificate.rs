//! The certificate with which the server speaks TLS, taken anew when its files change.

use arc_swap::ArcSwap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject as _};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, ServerConfig};
use tokio_rustls::{Accept, TlsAcceptor};

/// What may be spoken behind the handshake (RFC 7301), the liked one first.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum WrongCertificate {
    /// One of the two is missing.
    #[error("`TLS_CERTIFICATE` and `TLS_KEY` are files that belong together: set both, or none")]
    Half,
    /// A file cannot be read, or does not hold what it should.
    #[error("`{variable}`: {file}: {why}")]
    File {
        /// The setting.
        variable: &'static str,
        /// Where.
        file: String,
        /// What is wrong with it.
        why: String,
    },
    /// The two do not fit.
    #[error("`TLS_CERTIFICATE` and `TLS_KEY`: {0}")]
    Pair(#[from] rustls::Error),
}

/// A certificate with its key, and the files that they are in.
pub struct Certificate {
    /// Of the chain, and of the key.
    files: [PathBuf; 2],
    /// What the files held when they were looked at last, good or bad.
    seen: Mutex<[Vec<u8>; 2]>,
    acceptor: ArcSwap<ServerConfig>,
}

impl Certificate {
    /// Reads the files that `TLS_CERTIFICATE` (the chain, the server's own first) and `TLS_KEY` name, in PEM; `None` where neither does.
    ///
    /// # Errors
    /// [`WrongCertificate`] where there is one without the other, or they are not what they should be.
    pub fn open(chain: &str, key: &str) -> Result<Option<Self>, WrongCertificate> {
        let files = match (chain, key) {
            ("", "") => return Ok(None),
            ("", _) | (_, "") => return Err(WrongCertificate::Half),
            (chain, key) => [PathBuf::from(chain), PathBuf::from(key)],
        };
        let held = read(&files)?;
        let acceptor = ArcSwap::from_pointee(configuration(&files, &held)?);
        Ok(Some(Self { files, seen: Mutex::new(held), acceptor }))
    }

    /// The handshake with a client that connected.
    pub(crate) fn accept<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: S) -> Accept<S> {
        TlsAcceptor::from(self.acceptor.load_full()).accept(stream)
    }

    /// Takes what the files hold now, if that is something else; to be called every few seconds. What cannot be used is said in the log,
    /// once, and the server goes on with what it has.
    pub(crate) fn renew(&self) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        // Between a file that was taken away and its successor there is nothing to be said.
        let Ok(held) = read(&self.files) else { return };
        if *seen == held {
            return;
        }
        match configuration(&self.files, &held) {
            Ok(new) => {
                self.acceptor.store(Arc::new(new));
                tracing::info!("another certificate is used from now on");
            }
            Err(error) => tracing::error!(error = %error, "the new certificate cannot be used; the one before is"),
        }
        *seen = held;
    }
}

fn read([chain, key]: &[PathBuf; 2]) -> Result<[Vec<u8>; 2], WrongCertificate> {
    let read = |variable, file: &Path| {
        std::fs::read(file).map_err(|error: io::Error| WrongCertificate::File {
            variable,
            file: file.display().to_string(),
            why: error.to_string(),
        })
    };
    Ok([read("TLS_CERTIFICATE", chain)?, read("TLS_KEY", key)?])
}

fn configuration(files: &[PathBuf; 2], [chain, key]: &[Vec<u8>; 2]) -> Result<ServerConfig, WrongCertificate> {
    let wrong =
        |variable, file: &Path, why: String| WrongCertificate::File { variable, file: file.display().to_string(), why };
    let of_chain =
        |error: pem::Error| wrong("TLS_CERTIFICATE", &files[0], format!("not a certificate in PEM: {error}"));
    let chain: Vec<CertificateDer<'static>> =
        CertificateDer::pem_slice_iter(chain).collect::<Result<_, _>>().map_err(of_chain)?;
    if chain.is_empty() {
        return Err(wrong("TLS_CERTIFICATE", &files[0], "holds no certificate in PEM".to_owned()));
    }
    let key = PrivateKeyDer::from_pem_slice(key)
        .map_err(|_| wrong("TLS_KEY", &files[1], "holds no private key in PEM without a password".to_owned()))?;
    let mut configuration = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    configuration.alpn_protocols = PROTOCOLS.iter().map(|name| name.to_vec()).collect();
    Ok(configuration)
}
