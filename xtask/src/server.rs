//! A server as a child process: started, asked where it listens, stopped politely.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

const START: Duration = Duration::from_secs(20);
/// Longer than a server may take to finish what is under way.
const STOP: Duration = Duration::from_secs(15);
const KEPT_LINES: usize = 20;
/// `USER_HZ`, which is 100 on every Linux architecture.
const TICKS_A_SECOND: u64 = 100;
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
    /// Starts `command` and waits for `listening on http://ADDRESS` in what it writes.
    pub fn start(name: &'static str, command: &mut Command) -> Result<Self, String> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{name} did not start: {error}"))?;
        let lines = Arc::default();
        let announced = watch(&mut child, &lines);
        let unknown = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut server = Self { address: unknown, name, child, lines };
        let waited = announced.recv_timeout(START);
        server.address = waited.map_err(|_| format!("{name} said nowhere that it listens\n{}", server.last_words()))?;
        Ok(server)
    }

    /// Its resident memory in KiB, where the system tells.
    pub fn resident(&self) -> Option<u64> {
        self.memory("VmRSS:")
    }

    /// The most resident memory that it has had, in KiB, where the system tells.
    pub fn peak(&self) -> Option<u64> {
        self.memory("VmHWM:")
    }

    fn memory(&self, what: &str) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix(what))?;
        line.trim().strip_suffix(" kB")?.parse().ok()
    }

    /// The processor time it has used so far, where the system tells: user and system time of all its threads.
    pub fn processor_time(&self) -> Option<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).ok()?;
        // The name may hold spaces; it ends at the last bracket. Fields 14 and 15 of proc_pid_stat(5).
        let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
        let mut ticks = || fields.next()?.parse::<u64>().ok();
        Some(Duration::from_millis((ticks()? + ticks()?) * 1000 / TICKS_A_SECOND))
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

/// Reads both outputs to their end, so that the server never waits for a reader.
fn watch(child: &mut Child, lines: &Arc<Mutex<VecDeque<String>>>) -> Receiver<SocketAddr> {
    let (sender, announced) = mpsc::channel();
    if let Some(output) = child.stderr.take() {
        keep(output, lines, sender.clone());
    }
    if let Some(output) = child.stdout.take() {
        keep(output, lines, sender);
    }
    announced
}

fn keep(output: impl Read + Send + 'static, lines: &Arc<Mutex<VecDeque<String>>>, sender: Sender<SocketAddr>) {
    let kept = Arc::clone(lines);
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if let Some(address) = address_in(&line) {
                // Nobody waits any more once it has come.
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
