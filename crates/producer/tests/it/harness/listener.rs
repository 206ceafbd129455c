//! A server of this machine that plays somebody on the internet: each request comes in whole, and what is answered goes back.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;

/// A request as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Came {
    pub line: String,
    /// By their names in small letters.
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

/// A status, a media type and a body.
pub type Answered = (u16, &'static str, String);

/// Answers every request so, on as many connections as there are; where it listens.
pub fn listen(answer: impl Fn(&Came) -> Answered + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, answer) = (listener.local_addr().unwrap(), Arc::new(answer));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (stream, answer) = (stream.unwrap(), Arc::clone(&answer));
            // A process that is killed ends in the middle of it.
            std::thread::spawn(move || drop(serve(&stream, &*answer)));
        }
    });
    address
}

fn serve(stream: &TcpStream, answer: &dyn Fn(&Came) -> Answered) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let mut headers = BTreeMap::new();
        loop {
            let mut header = String::new();
            reader.read_line(&mut header)?;
            let Some((name, value)) = header.trim_end().split_once(": ") else { break };
            headers.insert(name.to_ascii_lowercase(), value.to_owned());
        }
        let mut body = vec![0; headers.get("content-length").map_or(0, |length| length.parse().unwrap())];
        reader.read_exact(&mut body)?;
        let came = Came { line: line.trim_end().to_owned(), headers, body: String::from_utf8(body).unwrap() };
        let (status, kind, text) = answer(&came);
        let head = format!("HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n", text.len());
        (&mut &*stream).write_all(format!("{head}{text}").as_bytes())?;
    }
}
