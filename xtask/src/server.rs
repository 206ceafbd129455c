//! A server as a child process: started, asked where it listens, stopped politely.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

const START: Duration = Duration::from_secs(20);
/// Longer than a server may take to finish what is under way.
const STOP: Duration = Duration::from_secs(15);
const KEPT_LINES: usize = 20;
const MARK: &str = "listening on http://";

/// A running server; killed when dropped.
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    name: &'static str,
    child: Child,
    lines: Arc<Mutex<VecDeque<String>>>,
}

impl Server {
    /// Starts `command` and waits until it says `listening on http://ADDRESS`.
    pub fn start(name: &'static str, command: &mut Command) -> Result<Self, String> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{name} did not start: {error}"))?;
        let lines = Arc::default();
        let (sender, announced) = mpsc::channel();
        watch(child.stdout.take(), &sender, &lines);
        watch(child.stderr.take(), &sender, &lines);
        let unknown = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut server = Self { address: unknown, name, child, lines };
        let waited = announced.recv_timeout(START);
        server.address = waited.map_err(|_| format!("{name} said nowhere that it listens\n{}", server.last_words()))?;
        Ok(server)
    }

    /// The last lines it wrote.
    pub fn last_words(&self) -> String {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().map(|line| format!("  | {line}\n")).collect()
    }

    /// Asks it to stop, as a service manager would, and waits.
    pub fn stop(mut self) -> Result<(), String> {
        let asked = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        if !asked.is_ok_and(|status| status.success()) {
            return Err(format!("{} could not be asked to stop", self.name));
        }
        let start = Instant::now();
        while start.elapsed() < STOP {
            if let Ok(Some(status)) = self.child.try_wait() {
                return match status.success() {
                    true => Ok(()),
                    false => Err(format!("{} stopped with {status}\n{}", self.name, self.last_words())),
                };
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Err(format!("{} does not stop", self.name))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads an output to its end, so that the server never waits for a reader.
fn watch(
    output: Option<impl Read + Send + 'static>,
    sender: &Sender<SocketAddr>,
    lines: &Arc<Mutex<VecDeque<String>>>,
) {
    let Some(output) = output else { return };
    let (sender, kept) = (sender.clone(), Arc::clone(lines));
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if let Some(address) = address_in(&line) {
                // Nobody waits any more when the server was too slow.
                let _ = sender.send(address);
            }
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            if kept.len() == KEPT_LINES {
                kept.pop_front();
            }
            kept.push_back(line);
        }
    });
}

/// The address in a line that holds `listening on http://127.0.0.1:8080`, whatever follows it.
pub fn address_in(line: &str) -> Option<SocketAddr> {
    let (_, rest) = line.split_once(MARK)?;
    let end = rest.find(|character: char| !character.is_ascii_digit() && !".:[]".contains(character));
    rest[..end.unwrap_or(rest.len())].parse().ok()
}
