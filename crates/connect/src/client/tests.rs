//! The client against servers that do what servers do, on this machine. Here every address of `127/8` but `127.0.0.1` counts as one of
//! the public internet, so that a closed neighbour can be told from it.

use super::{Bounds, Client, LookUp, Parts, Sent, Unreached};
use crate::message::{HttpAnswer, HttpRequest};
use crate::testbed::served;
use manifest::operation::Method;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

const FAR: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const NEAR: Ipv4Addr = Ipv4Addr::LOCALHOST;
const BOUNDS: Bounds = Bounds { within: Duration::ZERO, most_bytes: 1000 };

fn is_open(address: IpAddr) -> bool {
    !matches!(address, IpAddr::V4(address) if address == NEAR)
        && (address.is_loopback() || crate::address::is_public(address))
}

fn look_up(answers: impl Fn(usize) -> Vec<Ipv4Addr> + Send + Sync + 'static) -> LookUp {
    let asked = AtomicUsize::new(0);
    Arc::new(move |name| {
        let found = answers(asked.fetch_add(1, Ordering::SeqCst)).into_iter().map(IpAddr::V4).collect();
        Box::pin(async move { if name == "nowhere.example" { Err("no such name".to_owned()) } else { Ok(found) } })
    })
}

fn client(ours: &[SocketAddr], look_up: LookUp, roots: Vec<reqwest::Certificate>) -> Client {
    let connect_within = Duration::from_millis(400);
    Client::from_parts(ours.to_vec(), None, Parts { look_up, is_open, in_clear: false, connect_within, roots }).unwrap()
}

fn to(address: SocketAddr) -> Client {
    client(&[address], look_up(|_| vec![FAR]), Vec::new())
}

fn post(url: impl Into<String>) -> HttpRequest {
    let headers = vec![("X-Test".to_owned(), "1".to_owned())];
    HttpRequest { method: Method::Post, url: url.into(), headers, body: b"hello".to_vec() }
}

async fn listen(at: Ipv4Addr) -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind((at, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Reads a request with its body of five bytes, and gives its text.
async fn taken(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> String {
    let mut text = Vec::new();
    let mut piece = [0; 1024];
    while !text.ends_with(b"\r\n\r\nhello") {
        let length = stream.read(&mut piece).await.unwrap();
        assert!(length > 0, "the client let go of {:?}", String::from_utf8_lossy(&text));
        text.extend_from_slice(&piece[..length]);
    }
    String::from_utf8(text).unwrap()
}

/// A server that takes one request and then does something with the connection.
async fn server<F>(behave: impl FnOnce(TcpStream) -> F + Send + 'static) -> SocketAddr
where
    F: Future<Output = ()> + Send,
{
    let (listener, address) = listen(NEAR).await;
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        taken(&mut stream).await;
        behave(stream).await;
    });
    address
}

async fn after(behave: &'static [u8]) -> Sent {
    let address = server(move |mut stream| async move { stream.write_all(behave).await.unwrap() }).await;
    to(address).send(&post(format!("http://{address}/a?b=c")), BOUNDS).await
}

fn answered(sent: Sent) -> HttpAnswer {
    match sent {
        Sent::Answered(answer) => answer,
        other => panic!("{other:?}"),
    }
}

fn is_closed(sent: &Sent) -> bool {
    matches!(sent, Sent::NeverConnected(why @ Unreached::Closed { .. }) if why.is_permanent())
}

#[tokio::test]
async fn an_answer_comes_back_as_it_is() {
    let (listener, address) = listen(NEAR).await;
    let seen = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let request = taken(&mut stream).await;
        stream.write_all(b"HTTP/1.1 402 Pay\r\nX-One: 1\r\nContent-Length: 2\r\n\r\n\xff\x00").await.unwrap();
        request
    });
    let answer = answered(to(address).send(&post(format!("http://{address}/a%2Fb?c[0]=d%20e")), BOUNDS).await);
    assert_eq!((answer.status, answer.header("x-one"), answer.is_cut), (402, Some("1"), false));
    assert_eq!(answer.body, b"\xff\x00");
    let request = seen.await.unwrap();
    assert!(request.starts_with("POST /a%2Fb?c[0]=d%20e HTTP/1.1\r\n"), "{request}");
    assert!(request.contains("x-test: 1\r\n") && request.contains("content-length: 5\r\n"), "{request}");
}

#[tokio::test]
async fn a_redirect_is_an_answer() {
    let sent = after(b"HTTP/1.1 307 Go\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n").await;
    assert_eq!(answered(sent).status, 307);
}

#[tokio::test]
async fn what_breaks_behind_the_request_may_have_happened() {
    for behave in [
        &b""[..],
        b"HTTP/1.1 20",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        b"what is this\r\n\r\n",
    ] {
        let sent = after(behave).await;
        assert!(matches!(sent, Sent::BrokenBehindRequest(_)), "{}: {sent:?}", String::from_utf8_lossy(behave));
    }
}

#[tokio::test]
async fn who_hangs_is_left() {
    let address = server(|stream| async move {
        tokio::time::sleep(Duration::from_secs(60)).await;
        drop(stream);
    })
    .await;
    let began = Instant::now();
    let sent = to(address).send(&post(format!("http://{address}/")), BOUNDS).await;
    assert!(matches!(sent, Sent::BrokenBehindRequest(_)), "{sent:?}");
    assert!(began.elapsed() < Duration::from_secs(5));
}

/// Each byte comes in time, the answer does not.
#[tokio::test]
async fn who_drips_is_left() {
    let address = server(|mut stream| async move {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n").await.unwrap();
        while stream.write_all(b".").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    })
    .await;
    let began = Instant::now();
    let sent = to(address).send(&post(format!("http://{address}/")), BOUNDS).await;
    assert!(matches!(sent, Sent::BrokenBehindRequest(_)), "{sent:?}");
    assert!(began.elapsed() < Duration::from_secs(5));
}

/// What is announced does not count, and neither does what still comes: 1,000 bytes are kept, and the server finds nobody there.
#[tokio::test]
async fn a_long_answer_is_cut() {
    let (report, reported) = tokio::sync::oneshot::channel();
    let address = server(|mut stream| async move {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10737418240\r\n\r\n").await.unwrap();
        let block = vec![b'x'; 65536];
        let mut written = 0_u64;
        while stream.write_all(&block).await.is_ok() {
            written += 65536;
        }
        report.send(written).unwrap();
    })
    .await;
    let answer = answered(to(address).send(&post(format!("http://{address}/")), BOUNDS).await);
    assert_eq!((answer.status, answer.body.len(), answer.is_cut), (200, 1000, true));
    assert!(reported.await.unwrap() < 64 * 1024 * 1024);
}

#[tokio::test]
async fn an_answer_of_just_that_length_is_whole() {
    let address = server(|mut stream| async move {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n").await.unwrap();
        stream.write_all(&[b'x'; 1000]).await.unwrap();
    })
    .await;
    let answer = answered(to(address).send(&post(format!("http://{address}/")), BOUNDS).await);
    assert_eq!((answer.body.len(), answer.is_cut), (1000, false));
}

#[tokio::test]
async fn headers_without_end_are_not_read() {
    let address = server(|mut stream| async move {
        stream.write_all(b"HTTP/1.1 200 OK\r\n").await.unwrap();
        while stream.write_all(b"X-More: ........................................\r\n").await.is_ok() {}
    })
    .await;
    let sent = to(address).send(&post(format!("http://{address}/")), BOUNDS).await;
    assert!(matches!(sent, Sent::BrokenBehindRequest(_)), "{sent:?}");
}

#[tokio::test]
async fn who_is_not_there_was_never_reached() {
    let (listener, address) = listen(NEAR).await;
    drop(listener);
    let sent = to(address).send(&post(format!("http://{address}/?secret=s")), BOUNDS).await;
    let Sent::NeverConnected(why @ Unreached::NoConnection { .. }) = sent else { panic!("{sent:?}") };
    assert!(!why.is_permanent() && !why.to_string().contains("secret"), "{why}");

    let sent = to(address).send(&post("https://nowhere.example/?secret=s"), BOUNDS).await;
    let Sent::NeverConnected(why @ Unreached::NoConnection { .. }) = sent else { panic!("{sent:?}") };
    assert_eq!(why.to_string(), "no connection to `nowhere.example`: no such name");
}

/// The connection is taken, and then nobody speaks: the request was never written.
#[tokio::test]
async fn encryption_that_is_never_agreed_on_is_no_connection() {
    let (listener, address) = listen(FAR).await;
    let taken = tokio::spawn(async move {
        let connection = listener.accept().await.unwrap();
        tokio::time::sleep(Duration::from_secs(60)).await;
        drop(connection);
    });
    let client = client(&[], look_up(|_| vec![FAR]), Vec::new());
    let sent = client.send(&post(format!("https://far.example:{}/", address.port())), BOUNDS).await;
    assert!(matches!(sent, Sent::NeverConnected(Unreached::NoConnection { .. })), "{sent:?}");
    taken.abort();
}

/// A server with a certificate that it has made itself for `far.example`.
async fn encrypted(protocol: &[u8]) -> (SocketAddr, reqwest::Certificate) {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["far.example".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(signing_key.serialize_der()));
    let provider = Arc::new(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    config.alpn_protocols = vec![protocol.to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let (listener, address) = listen(FAR).await;
    let is_http2 = protocol == b"h2";
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            if is_http2 {
                let mut connection = h2::server::handshake(stream).await.unwrap();
                while let Some(Ok((_, mut respond))) = connection.accept().await {
                    let answer = http::Response::builder().status(202).body(()).unwrap();
                    let mut body = respond.send_response(answer, false).unwrap();
                    body.send_data(bytes::Bytes::from_static(b"two"), true).unwrap();
                }
            } else {
                taken(&mut stream).await;
                stream.write_all(b"HTTP/1.1 202 OK\r\nContent-Length: 3\r\n\r\none").await.unwrap();
            }
        }
    });
    (address, reqwest::Certificate::from_der(cert.der()).unwrap())
}

#[tokio::test]
async fn a_certificate_must_be_known_and_bear_the_name() {
    for (protocol, expected) in [(&b"http/1.1"[..], b"one"), (b"h2", b"two")] {
        let (address, root) = encrypted(protocol).await;
        let send = |roots: Vec<reqwest::Certificate>, host: &str| {
            let client = client(&[], look_up(|_| vec![FAR]), roots);
            let request = post(format!("https://{host}:{}/", address.port()));
            async move { client.send(&request, BOUNDS).await }
        };
        let answer = answered(send(vec![root.clone()], "far.example").await);
        assert_eq!((answer.status, &answer.body[..]), (202, &expected[..]));
        for (roots, host) in [(vec![], "far.example"), (vec![root], "other.example")] {
            let sent = send(roots, host).await;
            assert!(
                matches!(&sent, Sent::NeverConnected(Unreached::NoConnection { why, .. }) if why.contains("certificate")),
                "{sent:?}"
            );
        }
    }
}

/// Every spelling of an address of this machine and its neighbours.
#[tokio::test]
async fn closed_addresses_are_not_called() {
    let client = Client::new(Vec::new()).unwrap();
    for host in [
        "localhost",
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "0",
        "0.0.0.0",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "2852039166",
        "100.64.0.1",
        "224.0.0.1",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[fc00::1]",
        "[fe80::1]",
        "[64:ff9b::a9fe:a9fe]",
        "１２７.0.0.1",
    ] {
        let sent = client.send(&post(format!("https://{host}:9/")), BOUNDS).await;
        assert!(is_closed(&sent), "{host}: {sent:?}");
    }
}

#[tokio::test]
async fn a_name_with_one_closed_address_is_closed() {
    let (listener, address) = listen(FAR).await;
    for answers in [vec![FAR, NEAR], vec![NEAR, FAR], vec![NEAR]] {
        let client = client(&[], look_up(move |_| answers.clone()), Vec::new());
        let sent = client.send(&post(format!("https://mixed.example:{}/", address.port())), BOUNDS).await;
        assert!(is_closed(&sent), "{sent:?}");
    }
    assert!(tokio::time::timeout(Duration::from_millis(50), listener.accept()).await.is_err(), "somebody called");
}

/// A name that leads elsewhere as soon as it was looked at: what was looked at is what is called. And when a new connection
/// is made, it is looked at again.
#[tokio::test]
async fn the_address_that_was_checked_is_the_one_that_is_called() {
    let (address, root) = encrypted(b"http/1.1").await;
    let near = TcpListener::bind((NEAR, address.port())).await.unwrap();
    let asked = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&asked);
    let names = look_up(move |times| {
        *counted.lock().unwrap() = times + 1;
        if times == 0 { vec![FAR] } else { vec![NEAR] }
    });
    let client = client(&[], names, vec![root]);
    let request = post(format!("https://far.example:{}/", address.port()));
    assert_eq!(answered(client.send(&request, BOUNDS).await).status, 202);
    assert_eq!(*asked.lock().unwrap(), 1);
    // The server has let go of the connection, or the client finds out now; either way a new one is needed.
    tokio::time::sleep(Duration::from_millis(50)).await;
    let sent = client.send(&request, BOUNDS).await;
    assert!(is_closed(&sent), "{sent:?}");
    assert!(tokio::time::timeout(Duration::from_millis(50), near.accept()).await.is_err(), "somebody called");
}

#[tokio::test]
async fn only_what_is_ours_is_called_unencrypted_and_only_by_its_number() {
    let (listener, address) = listen(NEAR).await;
    let client = client(&[address], look_up(|_| vec![NEAR]), Vec::new());
    for (url, closed) in [
        (format!("http://sim.example:{}/", address.port()), false),
        (format!("https://sim.example:{}/", address.port()), true),
        (format!("http://127.0.0.1:{}/", address.port() ^ 1), true),
        (format!("http://127.0.0.2:{}/", address.port()), false),
        (format!("ftp://127.0.0.2:{}/", address.port()), false),
    ] {
        let sent = client.send(&post(&url), BOUNDS).await;
        let is_malformed = matches!(sent, Sent::NeverConnected(Unreached::Malformed(_)));
        assert!(if closed { is_closed(&sent) } else { is_malformed }, "{url}: {sent:?}");
    }
    assert!(tokio::time::timeout(Duration::from_millis(50), listener.accept()).await.is_err(), "somebody called");
}

#[tokio::test]
async fn a_request_that_cannot_be_written_is_not_sent() {
    let client = to(SocketAddr::from((NEAR, 1)));
    for (url, value) in [("https://far.example/", "a\r\nb: c"), ("https://u:p@far.example/", "a"), ("no address", "a")]
    {
        let request = HttpRequest { headers: vec![("X-Test".to_owned(), value.to_owned())], ..post(url) };
        let sent = client.send(&request, BOUNDS).await;
        assert!(matches!(sent, Sent::NeverConnected(Unreached::Malformed(_))), "{sent:?}");
    }
}

#[tokio::test]
async fn a_request_that_changes_something_says_that_it_has_no_body() {
    for (method, says) in [(Method::Post, true), (Method::Put, true), (Method::Get, false), (Method::Delete, false)] {
        let (client, at) = served(|request| (200, request.to_owned())).await;
        let request = HttpRequest { method, body: Vec::new(), ..post(at) };
        let text = String::from_utf8(answered(client.send(&request, BOUNDS).await).body).unwrap();
        assert_eq!(text.contains("content-length: 0\r\n"), says, "{text}");
    }
}
