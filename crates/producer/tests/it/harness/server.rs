//! The two servers that answer alike, each as a process on a port of its own. None outlives its test.

use super::client::{ask, post};
use super::workspace::Workspace;
use super::{MESSAGE, SENDERS, SUBSCRIPTION};
use std::io::{self, BufRead as _, BufReader, Read, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// How long a server may take to listen.
const START: Duration = Duration::from_secs(30);
/// How long a server may take to end: what is under way has ten seconds.
const END: Duration = Duration::from_secs(15);

/// Which server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `producer serve`.
    Native,
    /// `node server.js` in the task's folder.
    Node,
}

/// A running server.
pub struct Server {
    child: Child,
    pub address: SocketAddr,
    log: Arc<Mutex<String>>,
}

impl Kind {
    /// Whether the server can be had here; if not, says so.
    pub fn is_here(self) -> bool {
        match self {
            Self::Native => true,
            Self::Node if node_modules().is_some() => true,
            Self::Node => {
                // Not `eprintln!`: what a test prints is shown only when it fails.
                let line = b"SKIPPED the Node.js application: NODE_MODULES names no folder with its packages\n";
                io::stderr().write_all(line).unwrap();
                false
            }
        }
    }

    /// Both, or the native one alone where the other cannot be had.
    pub fn all_here() -> Vec<Self> {
        [Self::Native, Self::Node].into_iter().filter(|kind| kind.is_here()).collect()
    }
}

/// The packages of emitted applications, where they are installed.
pub fn node_modules() -> Option<PathBuf> {
    std::env::var_os("NODE_MODULES").map(PathBuf::from).filter(|folder| folder.is_dir())
}

/// `node` in the folder of the emitted application, with its packages.
pub fn node(workspace: &Workspace, words: &[&str]) -> Command {
    let link = workspace.application.join("node_modules");
    if !link.exists() {
        std::os::unix::fs::symlink(node_modules().unwrap(), link).unwrap();
    }
    let mut command = Command::new("node");
    command.args(words).current_dir(&workspace.application).env_remove("NODE_OPTIONS").stdin(Stdio::null());
    command
}

/// What servers of one database share.
pub const AUTH_SECRET: &str = "a secret of the tests";

impl Server {
    /// Starts a server over the workspace's database.
    pub fn start(kind: Kind, workspace: &Workspace) -> Self {
        Self::of(Self::command(kind, workspace).env("AUTH_SECRET", AUTH_SECRET))
    }

    /// The command that starts it.
    pub fn command(kind: Kind, workspace: &Workspace) -> Command {
        match kind {
            Kind::Native => workspace.command(&["serve", "--listen", "127.0.0.1:0"]),
            Kind::Node => {
                let mut command = node(workspace, &["server.js"]);
                let file = || format!("file:{}", workspace.database_file().display());
                let database = workspace.url.clone().unwrap_or_else(file);
                command.env("HOST", "127.0.0.1").env("PORT", "0").env("DATABASE_URL", database).envs(SENDERS);
                command
            }
        }
    }

    /// The server that a command becomes.
    pub fn of(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let (sender, listening) = mpsc::channel();
        keep_log(child.stdout.take().unwrap(), &log, sender.clone());
        keep_log(child.stderr.take().unwrap(), &log, sender);
        let mut server = Self { child, address: ([127, 0, 0, 1], 0).into(), log };
        server.address =
            listening.recv_timeout(START).unwrap_or_else(|_| panic!("the server does not listen:\n{}", server.log()));
        server
    }

    /// What it wrote so far.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Asks it to end.
    pub fn terminate(&self) {
        self.signal("TERM");
    }

    pub fn signal(&self, name: &str) {
        let command = format!("kill -{name} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &command]).status().unwrap().success());
    }

    /// Waits for its end.
    pub fn wait(mut self) -> ExitStatus {
        let asked = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(asked.elapsed() < END, "the server does not end:\n{}", self.log());
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended before.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asks both endpoints of the first sample.
#[track_caller]
pub fn must_answer(server: &Server, workspace: &Workspace, contact: u16, newsletter: u16) {
    let key = workspace.create_key();
    let status = |path, key, body| ask(server.address, &post(path, key, body), "").unwrap().status;
    assert_eq!(status("/api/contact", Some(key.as_str()), MESSAGE), contact);
    assert_eq!(status("/api/newsletter", None, SUBSCRIPTION), newsletter);
}

/// Passes everything into the log, and the address to whoever waits for it.
fn keep_log(output: impl Read + Send + 'static, log: &Arc<Mutex<String>>, sender: Sender<SocketAddr>) {
    let log = Arc::clone(log);
    thread::spawn(move || {
        for line in BufReader::new(output).lines() {
            let Ok(line) = line else { return };
            // Whoever is told the address finds the line that tells it.
            log.lock().unwrap().push_str(&format!("{line}\n"));
            let listening = line.strip_prefix("listening on ").and_then(|url| url.split_once("://"));
            if let Some((_, address)) = listening {
                // Nobody waits any more when the server was too slow.
                let _ = sender.send(address.parse().unwrap());
            }
        }
    });
}
