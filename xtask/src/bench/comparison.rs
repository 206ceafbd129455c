//! Servers side by side: the same requests, the same rows, in turns; what comes out are requests per second, processor time per
//! request, and their ratios.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::load::{Load, Round};
use super::{Options, Programs, Scratch, max, median, min, said};
use crate::server::Server;

/// The native server is to reach this share of the hand-written one.
const RATIO_AIM: f64 = 0.9;
pub const WARM_UP: Duration = Duration::from_millis(500);
/// Products in each database, and how many of them are asked for by id.
const ROWS: usize = 1000;
const ASKED: usize = 100;
const BODY: &str = r#"{"name":"Ada Lovelace","email":"ada@example.com","phone":"+44 20 7946 0958","company":"Analytical Engines","subject":"A question","message":"How long does the difference engine take for one polynomial, and who turns the crank?"}"#;

/// What is asked.
#[derive(Clone, Copy, PartialEq)]
enum Work {
    Post,
    Get,
    List,
}

impl Work {
    const ALL: [Self; 3] = [Self::Post, Self::Get, Self::List];

    fn name(self) -> &'static str {
        match self {
            Self::Post => "POST /api/contact",
            Self::Get => "GET /api/products/{id}",
            Self::List => "GET /api/products?limit=20",
        }
    }

    fn load(self, address: SocketAddr, key: &str, connections: usize) -> Load {
        let head = |line: &str| format!("{line} HTTP/1.1\r\nHost: {address}\r\nX-API-Key: {key}\r\n");
        let (requests, status): (Vec<String>, u16) = match self {
            Self::Post => {
                let head = head("POST /api/contact");
                let length = BODY.len();
                (vec![format!("{head}Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{BODY}")], 201)
            }
            Self::Get => {
                let id = |number: usize| format!("01900000-0000-7000-8000-{:012}", number * ROWS / ASKED);
                ((0..ASKED).map(|number| head(&format!("GET /api/products/{}", id(number))) + "\r\n").collect(), 200)
            }
            Self::List => (vec![head("GET /api/products?limit=20") + "\r\n"], 200),
        };
        Load::new(address, requests.into_iter().map(String::into_bytes).collect(), status, connections)
    }
}

/// One server under load.
struct Side {
    name: &'static str,
    server: Server,
    folder: PathBuf,
    key: String,
    /// Answers of 201 so far.
    stored: u64,
}

/// What the rounds of one kind of work gave.
#[derive(Default)]
struct Figures {
    rates: Vec<f64>,
    /// Microseconds of processor time a request, user and system.
    costs: Vec<f64>,
}

/// Measures and prints.
pub fn measure(programs: &Programs, scratch: &Scratch, options: &Options) -> Result<(), String> {
    let mut sides = vec![native(programs, scratch)?, baseline(programs, scratch)?];
    if let Some(modules) = &programs.node_modules {
        sides.push(node(programs, scratch, modules)?);
    }
    for work in Work::ALL {
        for connections in [options.connections, 1] {
            compare(&mut sides, work, connections, options)?;
        }
    }
    for side in sides {
        println!("{}", side.finish()?);
    }
    Ok(())
}

fn compare(sides: &mut [Side], work: Work, connections: usize, options: &Options) -> Result<(), String> {
    let mut figures: Vec<Figures> = sides.iter().map(|_| Figures::default()).collect();
    for round in 0..options.rounds {
        // Each begins as often as it ends.
        for turn in 0..sides.len() {
            let index = if round % 2 == 0 { turn } else { sides.len() - 1 - turn };
            sides[index].round(work, connections, options, &mut figures[index])?;
        }
    }
    println!("{}, {connections} connections, {} rounds of {} s in turns", work.name(), options.rounds, options.seconds);
    for (side, Figures { rates, costs }) in sides.iter().zip(&figures) {
        let cost =
            if costs.is_empty() { String::new() } else { format!("{:7.1} us of processor a request", median(costs)) };
        println!(
            "  {:20} {:8.0} requests/s (min {:.0}, max {:.0}) {cost}",
            side.name,
            median(rates),
            min(rates),
            max(rates)
        );
    }
    for (side, other) in sides.iter().zip(&figures).skip(1) {
        let native = &figures[0];
        let rate = median(&native.rates) / median(&other.rates);
        let cost = match native.costs.is_empty() || other.costs.is_empty() {
            true => String::new(),
            false => format!(", processor time {:.2}", median(&native.costs) / median(&other.costs)),
        };
        let aim = if side.name == HAND_WRITTEN { format!("   aim {RATIO_AIM} or more") } else { String::new() };
        println!("  native / {}: requests/s {rate:.2}{aim}{cost}", side.name);
    }
    Ok(())
}

const HAND_WRITTEN: &str = "hand-written";

/// The native server, and the load of forms for it.
pub fn native_with_forms(programs: &Programs, scratch: &Scratch, connections: usize) -> Result<(Server, Load), String> {
    let Side { server, key, .. } = native(programs, scratch)?;
    let load = Work::Post.load(server.address, &key, connections);
    Ok((server, load))
}

fn native(programs: &Programs, scratch: &Scratch) -> Result<Side, String> {
    let (workspace, key) = completed(programs, scratch, "native")?;
    let mut serve = programs.producer(&["serve", "--listen", "127.0.0.1:0"], &workspace);
    Side::start("native", &mut serve, workspace, key)
}

fn node(programs: &Programs, scratch: &Scratch, modules: &Path) -> Result<Side, String> {
    let (workspace, key) = completed(programs, scratch, "node")?;
    let application = workspace.join("output/integration/task_bench");
    #[cfg(unix)]
    std::os::unix::fs::symlink(modules, application.join("node_modules"))
        .map_err(|error| format!("cannot link the packages: {error}"))?;
    let database = format!("file:{}", database(&workspace).display());
    let mut command = Command::new("node");
    command.arg("server.js").current_dir(&application);
    command.env("HOST", "127.0.0.1").env("PORT", "0").env("DATABASE_URL", database).env("NODE_ENV", "production");
    Side::start("Node.js application", &mut command, workspace, key)
}

fn baseline(programs: &Programs, scratch: &Scratch) -> Result<Side, String> {
    let folder = scratch.folder("baseline")?;
    let key = "a key of the hand-written server".to_owned();
    let file = folder.join("baseline.db");
    fill(programs, &file)?;
    let mut command = Command::new(&programs.baseline);
    command.arg("--database").arg(file).arg("--key").arg(&key);
    Side::start(HAND_WRITTEN, &mut command, folder, key)
}

/// A workspace with rows and a key.
fn completed(programs: &Programs, scratch: &Scratch, name: &str) -> Result<(PathBuf, String), String> {
    let workspace = scratch.workspace(name, programs)?;
    fill(programs, &database(&workspace))?;
    let key = said(&mut programs.producer(&["keys", "create", "--name", "bench"], &workspace))?;
    Ok((workspace, key))
}

fn database(workspace: &Path) -> PathBuf {
    workspace.join(".producer/data/embedded.sqlite")
}

fn fill(programs: &Programs, database: &Path) -> Result<(), String> {
    let mut command = Command::new(&programs.baseline);
    command.arg("--database").arg(database).args(["--key", "none", "--fill", &ROWS.to_string()]);
    said(&mut command).map(|_| ())
}

impl Side {
    fn start(name: &'static str, command: &mut Command, folder: PathBuf, key: String) -> Result<Self, String> {
        Ok(Self { name, server: Server::start(name, command)?, folder, key, stored: 0 })
    }

    fn round(
        &mut self,
        work: Work,
        connections: usize,
        options: &Options,
        figures: &mut Figures,
    ) -> Result<(), String> {
        let load = work.load(self.server.address, &self.key, connections);
        let before = self.server.processor_time();
        let Round { counted, answered } = load
            .run(WARM_UP, Duration::from_secs(options.seconds))
            .map_err(|error| format!("no figure: {}: {error}\n{}", self.name, self.server.last_words()))?;
        figures.rates.push(counted as f64 / options.seconds as f64);
        if let (Some(before), Some(after)) = (before, self.server.processor_time()) {
            figures.costs.push((after - before).as_secs_f64() * 1e6 / answered as f64);
        }
        if work == Work::Post {
            self.stored += answered;
        }
        Ok(())
    }

    /// Stops the server and compares the rows in its database with the answers it gave.
    fn finish(self) -> Result<String, String> {
        self.server.stop()?;
        match stored_rows(&self.folder) {
            Some(rows) if rows == self.stored => {
                Ok(format!("{}: {rows} answers of 201, as many rows stored", self.name))
            }
            Some(rows) => Err(format!("{}: {} answers of 201 but {rows} rows stored", self.name, self.stored)),
            None => Ok(format!(
                "{}: {} answers of 201; rows not checked (no `sqlite3` command, or no table found)",
                self.name, self.stored
            )),
        }
    }
}

/// Rows in the first database under `folder` that has the table.
fn stored_rows(folder: &Path) -> Option<u64> {
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).ok()?.filter_map(|entry| Some(entry.ok()?.path())) {
            if path.is_symlink() {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if let Some(rows) = rows_in(&path) {
                return Some(rows);
            }
        }
    }
    None
}

fn rows_in(path: &Path) -> Option<u64> {
    if !fs::read(path).ok()?.starts_with(b"SQLite format 3\0") {
        return None;
    }
    let mut command = Command::new("sqlite3");
    command.arg(path).arg("SELECT count(*) FROM contact_messages");
    said(&mut command).ok()?.parse().ok()
}
