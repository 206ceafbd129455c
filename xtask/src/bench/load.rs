//! The load: many connections, each sending one request after the other and checking every answer.
//! HTTP/1.1 with keep-alive and without pipelining. An answer of another status than the wanted one ends the round with an error.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(10);
const LARGEST_ANSWER: usize = 64 * 1024;

/// What to send, where, over how many connections.
pub struct Load {
    address: SocketAddr,
    connections: usize,
    /// Sent in turns.
    requests: Vec<Vec<u8>>,
    status: u16,
}

/// What one round saw.
#[derive(Debug, Default, PartialEq)]
pub struct Round {
    /// Answers within the measured time.
    pub counted: u64,
    /// All answers, the warm-up's and the last ones' among them.
    pub answered: u64,
}

impl Load {
    /// Requests as they go over the wire, to `address`, each to be answered with `status`.
    pub fn new(address: SocketAddr, requests: Vec<Vec<u8>>, status: u16, connections: usize) -> Self {
        Self { address, connections, requests, status }
    }

    /// Sends for `warm_up` and then `measured`; every answer must be the wanted one.
    pub fn run(&self, warm_up: Duration, measured: Duration) -> Result<Round, String> {
        let start = Instant::now() + warm_up;
        let end = start + measured;
        let answers: Vec<Result<Round, String>> = std::thread::scope(|scope| {
            let workers: Vec<_> =
                (0..self.connections).map(|nth| scope.spawn(move || self.one_connection(nth, start, end))).collect();
            let panicked = |_| Err("the load generator panicked".to_owned());
            workers.into_iter().map(|worker| worker.join().unwrap_or_else(panicked)).collect()
        });
        let wrong = answers.iter().filter(|answer| answer.is_err()).count();
        let mut sum = Round::default();
        for answer in answers {
            let round = answer.map_err(|error| format!("{wrong} of {} connections: {error}", self.connections))?;
            sum.counted += round.counted;
            sum.answered += round.answered;
        }
        Ok(sum)
    }

    fn one_connection(&self, nth: usize, start: Instant, end: Instant) -> Result<Round, String> {
        let mut connection = self.connect().map_err(|error| format!("cannot connect: {error}"))?;
        let mut round = Round::default();
        let mut answer = Vec::with_capacity(4096);
        // Connections begin at different requests.
        for request in self.requests.iter().cycle().skip(nth * self.requests.len() / self.connections) {
            connection.write_all(request).map_err(|error| format!("cannot send: {error}"))?;
            read_answer(&mut connection, &mut answer, self.status)?;
            round.answered += 1;
            let now = Instant::now();
            if now >= end {
                break;
            }
            if now >= start {
                round.counted += 1;
            }
        }
        Ok(round)
    }

    /// What each connection sends.
    pub fn request(&self) -> &[u8] {
        &self.requests[0]
    }

    /// One more connection.
    pub fn connect(&self) -> std::io::Result<TcpStream> {
        let connection = TcpStream::connect(self.address)?;
        connection.set_nodelay(true)?;
        connection.set_read_timeout(Some(PATIENCE))?;
        connection.set_write_timeout(Some(PATIENCE))?;
        Ok(connection)
    }
}

/// Reads one whole answer into `answer` and checks its status.
pub fn read_answer(connection: &mut impl Read, answer: &mut Vec<u8>, status: u16) -> Result<(), String> {
    match read_whole(connection, answer)? {
        found if found == status => Ok(()),
        _ => Err(format!("an answer that is not {status}:\n{}", String::from_utf8_lossy(answer))),
    }
}

/// Reads one whole answer into `answer` and gives its status.
pub fn read_whole(connection: &mut impl Read, answer: &mut Vec<u8>) -> Result<u16, String> {
    answer.clear();
    let mut piece = [0_u8; 4096];
    let mut whole = None;
    while whole.is_none_or(|length| answer.len() < length) {
        if answer.len() > LARGEST_ANSWER {
            return Err("an answer without an end".to_owned());
        }
        let length = connection.read(&mut piece).map_err(|error| format!("no answer: {error}"))?;
        if length == 0 {
            return Err("the connection was closed before the answer was whole".to_owned());
        }
        answer.extend_from_slice(&piece[..length]);
        if whole.is_none() {
            whole = whole_length(answer)?;
        }
    }
    if whole != Some(answer.len()) {
        return Err("more than one answer to one request".to_owned());
    }
    let status = answer.get(9..12).and_then(|status| std::str::from_utf8(status).ok()?.parse().ok());
    status.ok_or_else(|| format!("an answer without a status:\n{}", String::from_utf8_lossy(answer)))
}

/// Length of head and body together, once the head is whole.
fn whole_length(answer: &[u8]) -> Result<Option<usize>, String> {
    let Some(head) = answer.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Ok(None);
    };
    let text = String::from_utf8_lossy(&answer[..head]);
    let length = text
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.trim().parse::<usize>().ok());
    length.map(|length| Some(head + 4 + length)).ok_or_else(|| format!("an answer without a length:\n{text}"))
}
