//! An HTTP/1.1 client that adds nothing to what it is told to send, and keeps apart what came back.

use plan::http_case::{API_KEY, Answer, CaseRequest, distinct};
use std::collections::BTreeMap;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Longer than any answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// One connection.
pub struct Connection {
    pub stream: TcpStream,
    /// What was received and not yet given out.
    received: Vec<u8>,
}

/// Asks once, on a connection of its own. `key` takes the place of the cases' API key.
pub fn ask(address: SocketAddr, request: &CaseRequest, key: &str) -> io::Result<Answer> {
    let mut connection = Connection::open(address)?;
    let (head, body) = bytes(request, key);
    if request.headers.contains_key("expect") {
        connection.send(&head)?;
        let (status, headers) = connection.head()?;
        if status != 100 {
            return connection.rest_of_answer(&request.method, status, headers);
        }
        connection.send(&body)?;
    } else {
        // A server may answer and hang up before it has taken everything: then its answer counts, not our failure.
        match connection.send(&[head, body].concat()) {
            Err(error) if is_hangup(&error) => {}
            sent => sent?,
        }
    }
    connection.answer(&request.method)
}

/// A request without headers of its own.
pub fn get(path: &str) -> CaseRequest {
    CaseRequest {
        method: "GET".to_owned(),
        path: path.to_owned(),
        headers: BTreeMap::new(),
        body: None,
        text: None,
        signed: None,
    }
}

/// A request with a JSON body; `key` goes into `X-API-Key`.
pub fn post(path: &str, key: Option<&str>, body: &str) -> CaseRequest {
    let mut request = CaseRequest { method: "POST".to_owned(), ..get(path) }.with_text(body);
    request.headers.extend(key.map(|key| ("x-api-key".to_owned(), key.to_owned())));
    request
}

/// A request as it is sent, for who sends it by hand.
pub fn on_the_wire(request: &CaseRequest) -> Vec<u8> {
    let (head, body) = bytes(request, "");
    [head, body].concat()
}

fn bytes(request: &CaseRequest, key: &str) -> (Vec<u8>, Vec<u8>) {
    let (body, media_type) = match (&request.body, &request.text) {
        (Some(body), _) => (Some(distinct(&body.to_string(), number())), Some("application/json")),
        (None, text) => (text.clone(), None),
    };
    let mut head = format!("{} {} HTTP/1.1\r\n", request.method, request.path);
    let mut add = |name: &str, value: &str| head.push_str(&format!("{name}: {value}\r\n"));
    add("host", "localhost");
    for (name, value) in &request.headers {
        add(name, &value.replace(API_KEY, key));
    }
    if let (Some(media_type), false) = (media_type, request.headers.contains_key("content-type")) {
        add("content-type", media_type);
    }
    if let Some(body) = &body {
        add("content-length", &body.len().to_string());
    }
    head.push_str("\r\n");
    (head.into_bytes(), body.unwrap_or_default().into_bytes())
}

/// Another one each time.
fn number() -> u64 {
    static NUMBER: AtomicU64 = AtomicU64::new(1);
    NUMBER.fetch_add(1, Ordering::Relaxed)
}

fn is_hangup(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
}

type Head = (u16, BTreeMap<String, String>);

impl Connection {
    pub fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, received: Vec::new() })
    }

    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// The next final answer; interim ones are skipped. `method` is that of the request.
    pub fn answer(&mut self, method: &str) -> io::Result<Answer> {
        loop {
            let (status, headers) = self.head()?;
            if !(100..200).contains(&status) {
                return self.rest_of_answer(method, status, headers);
            }
        }
    }

    /// The next status with its headers, interim or final.
    pub fn head(&mut self) -> io::Result<Head> {
        let status_line = self.line()?;
        let status = status_line
            .strip_prefix("HTTP/1.1 ")
            .and_then(|rest| rest.get(..3)?.parse().ok())
            .ok_or_else(|| wrong(format!("no status line: `{status_line}`")))?;
        Ok((status, self.headers()?))
    }

    /// Everything that still comes until the server hangs up.
    pub fn rest(&mut self) -> io::Result<Vec<u8>> {
        while self.receive()? > 0 {}
        Ok(std::mem::take(&mut self.received))
    }

    fn rest_of_answer(&mut self, method: &str, status: u16, headers: BTreeMap<String, String>) -> io::Result<Answer> {
        let length = headers.get("content-length").map(|length| length.parse::<usize>().map_err(wrong)).transpose()?;
        let body = match length {
            _ if method == "HEAD" || matches!(status, 204 | 304) => Vec::new(),
            _ if headers.get("transfer-encoding").is_some_and(|coding| coding == "chunked") => self.chunks()?,
            Some(length) => self.exactly(length)?,
            None => self.rest()?,
        };
        Ok(Answer { status, headers, body })
    }

    fn headers(&mut self) -> io::Result<BTreeMap<String, String>> {
        let mut headers: BTreeMap<String, String> = BTreeMap::new();
        loop {
            let line = self.line()?;
            if line.is_empty() {
                return Ok(headers);
            }
            let (name, value) = line.split_once(':').ok_or_else(|| wrong(format!("no header: `{line}`")))?;
            let values = headers.entry(name.to_ascii_lowercase()).or_default();
            if !values.is_empty() {
                values.push_str(", ");
            }
            values.push_str(value.trim());
        }
    }

    fn chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = self.line()?;
            let size = line.split(';').next().unwrap_or_default();
            let size = usize::from_str_radix(size.trim(), 16).map_err(wrong)?;
            if size == 0 {
                self.headers()?;
                return Ok(body);
            }
            body.extend(self.exactly(size)?);
            self.line()?;
        }
    }

    fn line(&mut self) -> io::Result<String> {
        loop {
            if let Some(end) = self.received.windows(2).position(|pair| pair == b"\r\n") {
                let line = self.received.drain(..end + 2).take(end).collect();
                return String::from_utf8(line).map_err(wrong);
            }
            self.receive_more()?;
        }
    }

    fn exactly(&mut self, length: usize) -> io::Result<Vec<u8>> {
        while self.received.len() < length {
            self.receive_more()?;
        }
        Ok(self.received.drain(..length).collect())
    }

    fn receive_more(&mut self) -> io::Result<()> {
        if self.receive()? > 0 {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&self.received).into_owned();
        Err(io::Error::new(io::ErrorKind::UnexpectedEof, format!("the answer ends early: `{text}`")))
    }

    fn receive(&mut self) -> io::Result<usize> {
        let mut buffer = [0; 16 * 1024];
        let count = self.stream.read(&mut buffer)?;
        self.received.extend_from_slice(&buffer[..count]);
        Ok(count)
    }
}

fn wrong(what: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
