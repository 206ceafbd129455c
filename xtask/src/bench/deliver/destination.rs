//! Where deliveries go in a benchmark: servers on this machine that take parcels, each in the manner that it is told. Requests come in; what
//! has arrived, when and how often goes out. Nothing of a parcel is kept but its number, its key and the time.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Between two bytes of an answer that drips.
const DRIP: Duration = Duration::from_millis(300);
const LARGEST_REQUEST: usize = 64 * 1024;
/// A thread for each connection; there are many, and each does little.
const STACK: usize = 128 * 1024;
const GOOD: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{\"id\":\"p1\"}";
const FAILED: &[u8] = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n";

/// How a destination behaves.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(u8)]
pub enum Manner {
    /// It takes what comes and says so.
    Good,
    /// It takes what comes, and never answers.
    Hangs,
    /// It takes what comes, and its answer comes byte by byte.
    Drips,
    /// It takes nothing: 500.
    Fails,
}

impl Manner {
    const ALL: [Self; 4] = [Self::Good, Self::Hangs, Self::Drips, Self::Fails];
}

/// A server that takes parcels until the program ends.
pub struct Destination {
    /// Where it listens.
    pub address: SocketAddr,
    manner: Arc<AtomicU8>,
}

/// What has arrived at all destinations together, by the number of the parcel.
pub struct Arrivals {
    began: Instant,
    /// When each was sent and first arrived, in microseconds since the beginning; 0 where it has not.
    sent: Vec<AtomicU64>,
    arrived: Vec<AtomicU64>,
    /// A digest of the key under which it arrived first.
    keys: Vec<AtomicU64>,
    /// Arrivals that an earlier one of the same key had: what a destination that knows keys does not do again.
    repeated: AtomicU64,
    /// Arrivals under another key than the first one: the effect would be doubled.
    doubled: AtomicU64,
    total: AtomicU64,
    connections: AtomicU32,
}

impl Arrivals {
    /// For so many parcels.
    pub fn of(parcels: usize) -> Arc<Self> {
        let empty = || std::iter::repeat_with(AtomicU64::default).take(parcels).collect();
        Arc::new(Self {
            began: Instant::now(),
            sent: empty(),
            arrived: empty(),
            keys: empty(),
            repeated: AtomicU64::default(),
            doubled: AtomicU64::default(),
            total: AtomicU64::default(),
            connections: AtomicU32::default(),
        })
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX).max(1)
    }

    /// A parcel sets out.
    pub fn sets_out(&self, number: usize) {
        self.sent[number].store(self.now(), Ordering::Relaxed);
    }

    fn arrives(&self, number: usize, key: u64) {
        let Some(arrived) = self.arrived.get(number) else { return };
        match self.keys[number].compare_exchange(0, key, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => {
                arrived.store(self.now(), Ordering::Relaxed);
                self.total.fetch_add(1, Ordering::Relaxed);
            }
            Err(known) if known == key => drop(self.repeated.fetch_add(1, Ordering::Relaxed)),
            Err(_) => drop(self.doubled.fetch_add(1, Ordering::Relaxed)),
        }
    }

    /// How many parcels have arrived.
    pub fn total(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }

    /// How many have arrived again under their key.
    pub fn repeated(&self) -> u64 {
        self.repeated.load(Ordering::Relaxed)
    }

    /// How many have arrived again under another key.
    pub fn doubled(&self) -> u64 {
        self.doubled.load(Ordering::Relaxed)
    }

    /// Connections that were made so far.
    pub fn connections(&self) -> u32 {
        self.connections.load(Ordering::Relaxed)
    }

    /// Which of these parcels have not arrived.
    pub fn missing(&self, numbers: impl IntoIterator<Item = usize>) -> Vec<usize> {
        numbers.into_iter().filter(|number| self.arrived[*number].load(Ordering::Relaxed) == 0).collect()
    }

    /// From the first to the last of these parcels that have arrived.
    pub fn span(&self, numbers: impl IntoIterator<Item = usize>) -> Duration {
        let times = numbers.into_iter().map(|number| self.arrived[number].load(Ordering::Relaxed));
        let (mut first, mut last) = (u64::MAX, 0);
        for time in times.filter(|time| *time > 0) {
            (first, last) = (first.min(time), last.max(time));
        }
        Duration::from_micros(last.saturating_sub(first))
    }

    /// How long each of these parcels was on its way, of those that have arrived.
    pub fn times(&self, numbers: impl IntoIterator<Item = usize>) -> Vec<Duration> {
        let time = |number: usize| {
            let (sent, arrived) = (&self.sent[number], &self.arrived[number]);
            let (sent, arrived) = (sent.load(Ordering::Relaxed), arrived.load(Ordering::Relaxed));
            (sent > 0 && arrived > 0).then(|| Duration::from_micros(arrived.saturating_sub(sent)))
        };
        numbers.into_iter().filter_map(time).collect()
    }
}

impl Destination {
    /// Begins to listen.
    pub fn start(arrivals: &Arc<Arrivals>) -> Result<Self, String> {
        let failed = |error: std::io::Error| format!("a destination cannot listen: {error}");
        let listener = TcpListener::bind("127.0.0.1:0").map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let manner = Arc::new(AtomicU8::new(Manner::Good as u8));
        let (known, arrivals) = (Arc::clone(&manner), Arc::clone(arrivals));
        let listen = move || {
            for connection in listener.incoming().map_while(Result::ok) {
                let (manner, arrivals) = (Arc::clone(&known), Arc::clone(&arrivals));
                arrivals.connections.fetch_add(1, Ordering::Relaxed);
                // A connection that ends in the middle is its client's affair.
                let serve = move || drop(serve(connection, &manner, &arrivals));
                if std::thread::Builder::new().stack_size(STACK).spawn(serve).is_err() {
                    return;
                }
            }
        };
        std::thread::Builder::new().stack_size(STACK).spawn(listen).map_err(failed)?;
        Ok(Self { address, manner })
    }

    /// How it behaves from now on.
    pub fn behaves(&self, manner: Manner) {
        self.manner.store(manner as u8, Ordering::Relaxed);
    }
}

fn manner(known: &AtomicU8) -> Manner {
    Manner::ALL[usize::from(known.load(Ordering::Relaxed))]
}

fn serve(mut connection: TcpStream, known: &AtomicU8, arrivals: &Arrivals) -> std::io::Result<()> {
    connection.set_nodelay(true)?;
    let mut bytes = Vec::with_capacity(4096);
    while let Some(length) = read_request(&mut connection, &mut bytes)? {
        let behaves = manner(known);
        if behaves != Manner::Fails
            && let Some((number, key)) = parcel(&bytes[..length])
        {
            arrivals.arrives(number, key);
        }
        bytes.drain(..length);
        match behaves {
            Manner::Good => connection.write_all(GOOD)?,
            Manner::Fails => connection.write_all(FAILED)?,
            Manner::Drips => {
                for byte in GOOD {
                    connection.write_all(&[*byte])?;
                    std::thread::sleep(DRIP);
                }
            }
            Manner::Hangs => {
                // Until the client lets go.
                while connection.read(&mut [0; 512])? > 0 {}
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Reads until a whole request stands at the beginning, and gives its length; none where the client has gone.
fn read_request(connection: &mut TcpStream, bytes: &mut Vec<u8>) -> std::io::Result<Option<usize>> {
    let mut piece = [0_u8; 4096];
    loop {
        if let Some(length) = whole_length(bytes) {
            if bytes.len() >= length {
                return Ok(Some(length));
            }
        } else if bytes.len() > LARGEST_REQUEST {
            return Ok(None);
        }
        match connection.read(&mut piece)? {
            0 => return Ok(None),
            length => bytes.extend_from_slice(&piece[..length]),
        }
    }
}

fn whole_length(bytes: &[u8]) -> Option<usize> {
    let head = find(bytes, b"\r\n\r\n")?;
    let length = header(&bytes[..head], "content-length").and_then(|value| value.parse::<usize>().ok());
    Some(head + 4 + length.unwrap_or_default())
}

fn header<'h>(head: &'h [u8], name: &str) -> Option<&'h str> {
    let lines = std::str::from_utf8(head).ok()?.split("\r\n").filter_map(|line| line.split_once(':'));
    let mut known = lines.filter(|(known, _)| known.eq_ignore_ascii_case(name));
    known.next().map(|(_, value)| value.trim())
}

/// The number of a parcel and a digest of its key.
fn parcel(request: &[u8]) -> Option<(usize, u64)> {
    let key = header(&request[..find(request, b"\r\n\r\n")?], "idempotency-key")?;
    let number = &request[find(request, b"\"number\":")? + 9..];
    let digits: String = number.iter().map(|byte| char::from(*byte)).take_while(char::is_ascii_digit).collect();
    Some((digits.parse().ok()?, digest(key.as_bytes())))
}

/// FNV-1a, never 0.
fn digest(bytes: &[u8]) -> u64 {
    let hash = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, hash).max(1)
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn send(connection: &mut TcpStream, number: usize, key: &str) {
        let body = format!("{{\"number\":{number},\"text\":\"a\"}}");
        let head =
            format!("POST /parcels HTTP/1.1\r\nidempotency-key: {key}\r\ncontent-length: {}\r\n\r\n", body.len());
        connection.write_all((head + &body).as_bytes()).unwrap();
    }

    #[test]
    fn what_arrives_is_counted_once_and_a_second_key_is_seen() {
        let arrivals = Arrivals::of(3);
        let destination = Destination::start(&arrivals).unwrap();
        let mut connection = TcpStream::connect(destination.address).unwrap();
        arrivals.sets_out(1);
        for (number, key) in [(1, "a"), (1, "a"), (2, "b"), (2, "c")] {
            send(&mut connection, number, key);
            let mut answer = [0; GOOD.len()];
            connection.read_exact(&mut answer).unwrap();
            assert_eq!(answer, GOOD);
        }
        assert_eq!((arrivals.total(), arrivals.repeated(), arrivals.doubled()), (2, 1, 1));
        assert_eq!(arrivals.missing(0..3), [0]);
        assert_eq!(arrivals.times(0..3).len(), 1, "of one it is known when it set out");
        destination.behaves(Manner::Fails);
        send(&mut connection, 0, "d");
        connection.read_exact(&mut [0; FAILED.len()]).unwrap();
        assert_eq!(arrivals.missing(0..3), [0], "who fails has taken nothing");
        destination.behaves(Manner::Hangs);
        send(&mut connection, 0, "d");
        connection.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        assert!(connection.read(&mut [0; 1]).is_err(), "nothing is answered");
        assert_eq!(arrivals.missing(0..3), [0; 0], "and it is taken all the same");
    }
}
