//! The servers speaking TLS themselves: what they negotiate, certificates that change under them, settings that fit nothing.

use crate::harness::server::{Kind, Server};
use crate::harness::workspace::{Workspace, end};
use crate::harness::{Sample, on_both_servers};
use rcgen::{CertificateParams, KeyPair};
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

on_both_servers!(
    a_server_with_a_certificate_speaks_tls_alone_and_takes_the_next_one,
    a_certificate_that_is_none_ends_the_start,
);

/// How long the servers may take to see that a file changed: they look every five seconds.
const PATIENCE: Duration = Duration::from_secs(15);

/// A certificate for `localhost` that signs itself, with its key.
struct Issued {
    pem: String,
    key: String,
    der: CertificateDer<'static>,
}

impl Issued {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
        Self { pem: certificate.pem(), key: key.serialize_pem(), der: certificate.der().clone() }
    }
}

/// The files that the settings name.
struct Files {
    chain: PathBuf,
    key: PathBuf,
}

impl Files {
    fn of(workspace: &Workspace) -> Self {
        Self { chain: workspace.path().join("tls.crt"), key: workspace.path().join("tls.key") }
    }

    fn hold(&self, issued: &Issued) {
        fs::write(&self.chain, &issued.pem).unwrap();
        fs::write(&self.key, &issued.key).unwrap();
    }
}

type Encrypted = StreamOwned<ClientConnection, TcpStream>;

/// A connection to a server whose certificate is this one.
fn connected(server: &Server, issued: &Issued, protocols: &[&str]) -> io::Result<Encrypted> {
    let mut roots = RootCertStore::empty();
    roots.add(issued.der.clone()).unwrap();
    let mut configuration = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    configuration.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    let client = ClientConnection::new(Arc::new(configuration), "localhost".try_into().unwrap()).unwrap();
    let mut stream = StreamOwned::new(client, TcpStream::connect(server.address)?);
    stream.sock.set_read_timeout(Some(Duration::from_secs(10)))?;
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock)?;
    }
    Ok(stream)
}

/// What `/healthz` is answered, head and body.
fn healthy(mut stream: Encrypted) -> String {
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    // An end without a goodbye is one too.
    let _ = stream.read_to_string(&mut answer);
    answer.to_ascii_lowercase()
}

fn a_server_with_a_certificate_speaks_tls_alone_and_takes_the_next_one(kind: Kind) {
    let workspace = Workspace::completed_with(Sample::Products);
    let (files, first, second) = (Files::of(&workspace), Issued::new(), Issued::new());
    files.hold(&first);
    let mut command = Server::command(kind, &workspace);
    let server = Server::of(command.env("TLS_CERTIFICATE", &files.chain).env("TLS_KEY", &files.key));
    assert!(server.log().contains(&format!("listening on https://{}", server.address)), "{}", server.log());

    let spoken = |offered: &[&str]| {
        let stream = connected(&server, &first, offered).unwrap();
        stream.conn.alpn_protocol().map(|name| String::from_utf8_lossy(name).into_owned())
    };
    let liked = if kind == Kind::Native { "h2" } else { "http/1.1" };
    assert_eq!(spoken(&["h2", "http/1.1"]).as_deref(), Some(liked));
    assert_eq!(spoken(&["http/1.1"]).as_deref(), Some("http/1.1"));

    let answer = healthy(connected(&server, &first, &["http/1.1"]).unwrap());
    assert!(answer.starts_with("http/1.1 200 ") && answer.ends_with("{\"status\":\"ok\"}"), "{answer}");
    assert!(answer.contains("strict-transport-security: max-age=31536000\r\n"), "{answer}");

    let mut plain = TcpStream::connect(server.address).unwrap();
    plain.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut bytes = Vec::new();
    let _ = plain.read_to_end(&mut bytes);
    assert!(!String::from_utf8_lossy(&bytes).contains("200 OK"), "{bytes:?}");

    if kind == Kind::Native {
        let status = end(&mut workspace.command(&["status"])).must_end_with(0);
        assert!(status.stdout.contains(&format!("https://{}", server.address)), "{}", status.stdout);
    }

    assert!(connected(&server, &second, &[]).is_err(), "the second is not there yet");
    files.hold(&second);
    let begun = Instant::now();
    while connected(&server, &second, &[]).is_err() {
        assert!(begun.elapsed() < PATIENCE, "the new certificate is not taken:\n{}", server.log());
        thread::sleep(Duration::from_millis(100));
    }

    fs::write(&files.chain, &first.pem).unwrap();
    let begun = Instant::now();
    while !server.log().contains("the new certificate cannot be used") {
        assert!(begun.elapsed() < PATIENCE, "nobody says that the files do not fit:\n{}", server.log());
        thread::sleep(Duration::from_millis(100));
    }
    assert!(healthy(connected(&server, &second, &[]).unwrap()).starts_with("http/1.1 200 "));
}

fn a_certificate_that_is_none_ends_the_start(kind: Kind) {
    let workspace = Workspace::completed_with(Sample::Products);
    let (files, issued) = (Files::of(&workspace), Issued::new());
    files.hold(&issued);
    let other = workspace.path().join("other.key");
    fs::write(&other, Issued::new().key).unwrap();
    let (nowhere, text) = (workspace.path().join("nowhere.pem"), workspace.path().join("text.pem"));
    fs::write(&text, "no PEM").unwrap();
    let none = PathBuf::new();
    for (chain, key, said) in [
        (&files.chain, &none, "`TLS_CERTIFICATE` and `TLS_KEY` are files that belong together: set both, or none"),
        (&nowhere, &files.key, "`TLS_CERTIFICATE`: "),
        (&text, &files.key, "`TLS_CERTIFICATE`: "),
        (&files.chain, &text, "`TLS_KEY`: "),
        (&files.chain, &other, "`TLS_CERTIFICATE` and `TLS_KEY`: "),
    ] {
        let ended = end(Server::command(kind, &workspace).env("TLS_CERTIFICATE", chain).env("TLS_KEY", key));
        assert_eq!(ended.status, Some(1), "{said}");
        assert!(ended.stderr.contains(said), "{said}: {}", ended.stderr);
        assert!(!ended.stderr.contains("PRIVATE KEY"), "{}", ended.stderr);
    }
}
