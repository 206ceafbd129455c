//! What comes in while deliveries go out: parcels posted to the API, at a rate or as fast as they are delivered, and calls of a provider
//! with its signature. Every answer is held against the one that is wanted.

use super::super::load::read_answer;
use super::database::TEXT_LENGTH;
use super::destination::Arrivals;
use super::workspace::{KEY, SENDER, name};
use sha2::{Digest, Sha256};
use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::scope;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Connections that post.
const CONNECTIONS: usize = 16;
/// Parcels that may be on their way where the rate follows the deliveries.
const ON_THEIR_WAY: u64 = 2_000;
const PATIENCE: Duration = Duration::from_secs(10);
/// The share of a wanted rate that must have come about.
const ACHIEVED: f64 = 0.95;

/// Where parcels are posted, and the numbers that they have.
pub struct Traffic<'a> {
    pub address: SocketAddr,
    pub arrivals: &'a Arrivals,
    pub destinations: usize,
    /// The next parcel.
    pub next: &'a AtomicUsize,
    pub most: usize,
}

impl Traffic<'_> {
    /// Posts as fast as is delivered, and gives the parcels.
    pub fn at_most(&self, time: Duration) -> Result<Range<usize>, String> {
        let first = self.next.load(Ordering::Relaxed);
        let (before, end) = (self.arrivals.total(), Instant::now() + time);
        let post = |_| {
            let mut connection = connect(self.address)?;
            let mut answer = Vec::new();
            while Instant::now() < end {
                let posted = (self.next.load(Ordering::Relaxed) - first) as u64;
                if posted.saturating_sub(self.arrivals.total() - before) > ON_THEIR_WAY {
                    std::thread::sleep(Duration::from_millis(1));
                    continue;
                }
                self.post(&mut connection, &mut answer)?;
            }
            Ok(())
        };
        everywhere(post)?;
        Ok(first..self.next.load(Ordering::Relaxed))
    }

    /// Posts so many a second, and gives the parcels.
    pub fn at(&self, rate: f64, time: Duration) -> Result<Range<usize>, String> {
        let first = self.next.load(Ordering::Relaxed);
        let pause = Duration::from_secs_f64(CONNECTIONS as f64 / rate);
        let begun = Instant::now();
        let post = |index: usize| {
            let mut connection = connect(self.address)?;
            let mut answer = Vec::new();
            let mut due = begun + pause.mul_f64(index as f64 / CONNECTIONS as f64);
            while due < begun + time {
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
                self.post(&mut connection, &mut answer)?;
                due += pause;
            }
            Ok(())
        };
        everywhere(post)?;
        let posted = first..self.next.load(Ordering::Relaxed);
        let achieved = posted.len() as f64 / begun.elapsed().as_secs_f64();
        if achieved < rate * ACHIEVED {
            return Err(format!("{rate:.0} parcels a second were to be posted, and {achieved:.0} were"));
        }
        Ok(posted)
    }

    fn post(&self, connection: &mut TcpStream, answer: &mut Vec<u8>) -> Result<(), String> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        if number >= self.most {
            return Err("there are no more numbers for parcels".to_owned());
        }
        let body = format!("{{\"number\":{number},\"text\":\"{}\"}}", "ab".repeat(TEXT_LENGTH / 2));
        let request = request(&format!("/api/{}", name(number % self.destinations)), "", &body);
        self.arrivals.sets_out(number);
        connection.write_all(request.as_bytes()).map_err(|error| format!("cannot send: {error}"))?;
        read_answer(connection, answer, 201)
    }
}

/// Calls of a provider, each of another event; how many were answered 200.
pub fn calls(address: SocketAddr, connections: usize, time: Duration) -> Result<u64, String> {
    let end = Instant::now() + time;
    let answered: Vec<Result<u64, String>> = scope(|scope| {
        let one = |index: usize| {
            move || {
                let mut connection = connect(address)?;
                let (mut answer, mut answered) = (Vec::new(), 0);
                while Instant::now() < end {
                    let text = "ab".repeat(TEXT_LENGTH / 2);
                    let body = format!(
                        "{{\"id\":\"{index}-{answered}\",\"type\":\"parcel.returned\",\"number\":{answered},\"text\":\"{text}\"}}"
                    );
                    let at = SystemTime::now().duration_since(UNIX_EPOCH).map_err(|error| error.to_string())?.as_secs();
                    let signature = hmac_sha256(KEY.as_bytes(), format!("{at}.{body}").as_bytes());
                    let header = format!("Parcel-Signature: t={at},v1={signature}\r\n");
                    let request = request(&format!("/webhooks/{}", name(SENDER)), &header, &body);
                    connection.write_all(request.as_bytes()).map_err(|error| format!("cannot send: {error}"))?;
                    read_answer(&mut connection, &mut answer, 200)?;
                    answered += 1;
                }
                Ok(answered)
            }
        };
        let threads: Vec<_> = (0..connections).map(|index| scope.spawn(one(index))).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    answered.into_iter().sum()
}

/// A parcel as a destination gets it, of a client that keeps nothing.
pub fn bare_request() -> Vec<u8> {
    let body = format!("{{\"number\":{},\"text\":\"{}\"}}", u32::MAX, "ab".repeat(TEXT_LENGTH / 2));
    request("/parcels", "Idempotency-Key: bare\r\n", &body).into_bytes()
}

fn request(path: &str, headers: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n{headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn connect(address: SocketAddr) -> Result<TcpStream, String> {
    let made = || {
        let connection = TcpStream::connect(address)?;
        connection.set_nodelay(true)?;
        connection.set_read_timeout(Some(PATIENCE))?;
        Ok(connection)
    };
    made().map_err(|error: std::io::Error| format!("cannot connect: {error}"))
}

fn everywhere(post: impl Fn(usize) -> Result<(), String> + Sync) -> Result<(), String> {
    let post = &post;
    scope(|scope| {
        let threads: Vec<_> = (0..CONNECTIONS).map(|index| scope.spawn(move || post(index))).collect();
        let ended: Vec<Result<(), String>> =
            threads.into_iter().map(|thread| thread.join().expect("no panic")).collect();
        ended.into_iter().collect()
    })
}

/// RFC 2104, of a key that is no longer than a block.
fn hmac_sha256(key: &[u8], message: &[u8]) -> String {
    let padded = |pad: u8| {
        let mut block = [pad; 64];
        block.iter_mut().zip(key).for_each(|(byte, key)| *byte ^= key);
        block
    };
    let inner = Sha256::new().chain_update(padded(0x36)).chain_update(message).finalize();
    let digest = Sha256::new().chain_update(padded(0x5c)).chain_update(inner).finalize();
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    /// RFC 4231, test case 2.
    #[test]
    fn a_signature_is_that_of_the_standard() {
        let signature = super::hmac_sha256(b"Jefe", b"what do ya want for nothing?");
        assert_eq!(signature, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    }
}
