//! Servers side by side: the same requests, the same rows, in turns; what comes out are requests per second, processor time per
//! request, and their ratios.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::ground::{Ground, Held};
use super::load::{Load, Round};
use super::{Options, Programs, Scratch, max, median, min, said};
use crate::server::Server;

/// The native server is to reach this share of the hand-written one.
const RATIO_AIM: f64 = 0.9;
/// The same of what is written with sqlx, for one record and for a list.
const SQLX_AIMS: (f64, f64) = (1.5, 1.65);
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

    fn load(self, words: Words, address: SocketAddr, key: &str, connections: usize) -> Load {
        if words == Words::GraphQl {
            return self.load_of_graphql(address, connections);
        }
        let head = |line: &str| format!("{line} HTTP/1.1\r\nHost: {address}\r\nX-API-Key: {key}\r\n");
        let (requests, status): (Vec<String>, u16) = match self {
            Self::Post => {
                let head = head("POST /api/contact");
                let length = BODY.len();
                (vec![format!("{head}Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{BODY}")], 201)
            }
            Self::Get => (ids().map(|id| head(&format!("GET /api/products/{id}")) + "\r\n").collect(), 200),
            Self::List => (vec![head("GET /api/products?limit=20") + "\r\n"], 200),
        };
        Load::new(address, requests.into_iter().map(String::into_bytes).collect(), status, connections)
    }

    /// The same in the words that a server makes of the tables.
    fn load_of_graphql(self, address: SocketAddr, connections: usize) -> Load {
        const FIELDS: &str = "id name stock active releasedAt notes createdAt updatedAt";
        let request = |query: String, variables: serde_json::Value| {
            let body = serde_json::json!({"query": query, "variables": variables}).to_string();
            let length = body.len();
            format!(
                "POST /graphql HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
            )
        };
        let requests: Vec<String> = match self {
            Self::Post => {
                let mut message: serde_json::Value = serde_json::from_str(BODY).unwrap_or_default();
                message["createdAt"] = "2026-01-02T03:04:05.678Z".into();
                let mutation = "mutation($m: ContactMessageInput!) { createContactMessage(input: {contactMessage: $m}) { contactMessage { id createdAt } } }";
                vec![request(mutation.to_owned(), serde_json::json!({ "m": message }))]
            }
            Self::Get => {
                let query = format!("query($id: UUID!) {{ productById(id: $id) {{ {FIELDS} }} }}");
                ids().map(|id| request(query.clone(), serde_json::json!({ "id": id }))).collect()
            }
            Self::List => {
                let query = format!(
                    "{{ allProducts(first: 20, orderBy: ID_DESC) {{ nodes {{ {FIELDS} }} pageInfo {{ hasNextPage endCursor }} }} }}"
                );
                vec![request(query, serde_json::Value::Null)]
            }
        };
        Load::new(address, requests.into_iter().map(String::into_bytes).collect(), 200, connections)
    }
}

/// How a server is asked.
#[derive(Clone, Copy, PartialEq)]
enum Words {
    /// By the task's paths.
    Paths,
    GraphQl,
}

/// Ids of products that are there.
fn ids() -> impl Iterator<Item = String> {
    (0..ASKED).map(|number| format!("01900000-0000-7000-8000-{:012}", number * ROWS / ASKED))
}

/// One server under load.
struct Side {
    name: &'static str,
    server: Server,
    held: Held,
    words: Words,
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

/// Measures on one engine, and prints.
pub fn measure(programs: &Programs, scratch: &Scratch, ground: &Ground, options: &Options) -> Result<(), String> {
    println!("{ground}");
    let mut sides = vec![native(programs, scratch, ground)?, baseline(programs, scratch, ground, HAND_WRITTEN)?];
    if ground.has_sqlx() {
        sides.push(baseline(programs, scratch, ground, SQLX)?);
    }
    if let Some(modules) = &programs.node_modules {
        sides.push(node(programs, scratch, ground, modules)?);
    }
    compare_all(sides, options)
}

/// The same beside servers that others have written, on PostgreSQL.
pub fn measure_peers(
    programs: &Programs,
    scratch: &Scratch,
    peers: &Path,
    ground: &Ground,
    options: &Options,
) -> Result<(), String> {
    println!("{ground}");
    let mut sides = vec![native(programs, scratch, ground)?, baseline(programs, scratch, ground, HAND_WRITTEN)?];
    for (name, file, words) in
        [("Fastify and pg", "fastify", Words::Paths), ("PostGraphile", "postgraphile", Words::GraphQl)]
    {
        let held = ground.make(scratch, file)?;
        fill(programs, &held)?;
        held.make_keys()?;
        let mut command = Command::new("node");
        command.arg(format!("{file}.js")).current_dir(peers);
        command.env("DATABASE_URL", held.url()).env("KEY", KEY).env("NODE_ENV", "production");
        sides.push(Side { words, ..Side::start(name, &mut command, held, KEY.to_owned())? });
    }
    compare_all(sides, options)
}

fn compare_all(mut sides: Vec<Side>, options: &Options) -> Result<(), String> {
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
        let aim = match (side.name, work) {
            (HAND_WRITTEN, _) => format!("   aim {RATIO_AIM} or more"),
            (SQLX, Work::Get) => format!("   aim {} or more", SQLX_AIMS.0),
            (SQLX, Work::List) => format!("   aim {} or more", SQLX_AIMS.1),
            _ => String::new(),
        };
        println!("  native / {}: requests/s {rate:.2}{aim}{cost}", side.name);
    }
    Ok(())
}

const HAND_WRITTEN: &str = "hand-written";
/// Of servers that take any.
const KEY: &str = "a key of the hand-written server";
const SQLX: &str = "hand-written, sqlx";

/// The native server on SQLite, and the load of forms for it.
pub fn native_with_forms(programs: &Programs, scratch: &Scratch, connections: usize) -> Result<(Server, Load), String> {
    let Side { server, key, .. } = native(programs, scratch, &Ground::Sqlite)?;
    let load = Work::Post.load(Words::Paths, server.address, &key, connections);
    Ok((server, load))
}

fn native(programs: &Programs, scratch: &Scratch, ground: &Ground) -> Result<Side, String> {
    let (workspace, held, key) = completed(programs, scratch, ground, "native")?;
    let mut serve = programs.producer(&["serve", "--listen", "127.0.0.1:0"], &workspace);
    ground.tell(&mut serve, &held);
    Side::start("native", &mut serve, held, key)
}

fn node(programs: &Programs, scratch: &Scratch, ground: &Ground, modules: &Path) -> Result<Side, String> {
    let (workspace, held, key) = completed(programs, scratch, ground, "node")?;
    let application = workspace.join("output/integration/task_bench");
    #[cfg(unix)]
    std::os::unix::fs::symlink(modules, application.join("node_modules"))
        .map_err(|error| format!("cannot link the packages: {error}"))?;
    let mut command = Command::new("node");
    command.arg("server.js").current_dir(&application);
    command.env("HOST", "127.0.0.1").env("PORT", "0").env("DATABASE_URL", held.url()).env("NODE_ENV", "production");
    Side::start("Node.js application", &mut command, held, key)
}

fn baseline(programs: &Programs, scratch: &Scratch, ground: &Ground, name: &'static str) -> Result<Side, String> {
    let held = match name {
        SQLX => ground.make(scratch, "sqlx")?,
        _ => ground.make(scratch, "baseline")?,
    };
    fill(programs, &held)?;
    let mut command = Command::new(&programs.baseline);
    let driver = if name == SQLX { "sqlx+" } else { "" };
    command.arg("--database").arg(format!("{driver}{}", held.place())).args(["--key", KEY]);
    Side::start(name, &mut command, held, KEY.to_owned())
}

/// A workspace with rows and a key.
fn completed(
    programs: &Programs,
    scratch: &Scratch,
    ground: &Ground,
    name: &str,
) -> Result<(PathBuf, Held, String), String> {
    let (workspace, held) = ground.workspace(programs, scratch, name)?;
    fill(programs, &held)?;
    let mut create = programs.producer(&["keys", "create", "--name", "bench"], &workspace);
    ground.tell(&mut create, &held);
    let key = said(&mut create)?;
    Ok((workspace, held, key))
}

fn fill(programs: &Programs, held: &Held) -> Result<(), String> {
    let mut command = Command::new(&programs.baseline);
    command.arg("--database").arg(held.place()).args(["--key", "none", "--fill", &ROWS.to_string()]);
    said(&mut command).map(|_| ())
}

impl Side {
    fn start(name: &'static str, command: &mut Command, held: Held, key: String) -> Result<Self, String> {
        Ok(Self { name, server: Server::start(name, command)?, held, words: Words::Paths, key, stored: 0 })
    }

    fn round(
        &mut self,
        work: Work,
        connections: usize,
        options: &Options,
        figures: &mut Figures,
    ) -> Result<(), String> {
        let load = work.load(self.words, self.server.address, &self.key, connections);
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
        match self.held.messages() {
            Ok(rows) if rows == self.stored => Ok(format!("{}: {rows} answers of 201, as many rows stored", self.name)),
            Ok(rows) => Err(format!("{}: {} answers of 201 but {rows} rows stored", self.name, self.stored)),
            Err(why) => Ok(format!("{}: {} answers of 201; rows not counted: {why}", self.name, self.stored)),
        }
    }
}
