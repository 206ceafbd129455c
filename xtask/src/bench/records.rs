//! `cargo xtask bench records`: a list with what its rows lead to, a thousand records that are made or changed by one request, and a
//! hundred thousand rows as CSV, on PostgreSQL; the native server and the Node.js application beside a hand-written one in turns.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use super::comparison::WARM_UP;
use super::load::Load;
use super::{Options, Programs, Scratch, build, median, said, write};
use crate::postgresql;
use crate::repository::Repository;
use crate::server::Server;

/// The native server is to reach this share of the hand-written one.
const AIM: f64 = 0.9;
const KEY: &str = "a key of the hand-written server";
const VARIABLE: &str = "BENCH_DATABASE_URL";
const ROWS: usize = 100_000;
const MERGED: usize = 1000;
const PATIENCE: Duration = Duration::from_secs(120);
const LIST: &str = "GET /api/items?active=true&stock%5Bgte%5D=500&include=category&limit=20";

const BASE: &str = r#"task_id: base
task_type: configure_database
specifications:
  database_config:
    type: postgresql
    connection: "${env:BENCH_DATABASE_URL}"
    schema_requirements:
      tables:
        - name: categories
          columns: { name: { type: line, required: true, max_length: 80 } }
        - name: items
          columns:
            category_id: { references: categories }
            sku: { type: line, required: true, max_length: 40, unique: true }
            name: { type: line, required: true, max_length: 80 }
            stock: { type: integer, required: true }
            active: boolean
"#;
const TASK: &str = r#"task_id: records
task_type: setup_api
dependencies: [base]
specifications:
  api_requirements:
    type: rest
    endpoints:
      - { path: /api/categories, method: GET, authentication: api_key }
      - { path: /api/items, method: GET, authentication: api_key }
      - { path: /api/items, method: POST, authentication: api_key }
      - { path: "/api/items/{id}", method: PATCH, authentication: api_key }
    rate_limiting: 50000000_requests_per_minute
"#;
/// The tables as the task has them, for the hand-written server.
const TABLES: &str = "
    CREATE TABLE categories (
        id uuid PRIMARY KEY, name text NOT NULL, created_at timestamptz(3) NOT NULL, updated_at timestamptz(3) NOT NULL,
        row_version bigint NOT NULL
    );
    CREATE TABLE items (
        id uuid PRIMARY KEY, category_id uuid REFERENCES categories (id), sku text NOT NULL UNIQUE, name text NOT NULL,
        stock bigint NOT NULL, active boolean, created_at timestamptz(3) NOT NULL, updated_at timestamptz(3) NOT NULL,
        row_version bigint NOT NULL
    );
    CREATE INDEX ON items (category_id);
";
const FILL: &str = "
    INSERT INTO categories (id, name, created_at, updated_at, row_version)
    SELECT ('01900000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, 'Category ' || n, now(), now(), 1
    FROM generate_series(0, 9) AS n;
    INSERT INTO items (id, category_id, sku, name, stock, active, created_at, updated_at, row_version)
    SELECT ('01900000-0000-7000-9000-' || lpad(n::text, 12, '0'))::uuid,
        ('01900000-0000-7000-8000-' || lpad((n % 10)::text, 12, '0'))::uuid,
        'sku-' || n, 'Item ' || n, n % 1000, n % 2 = 0, now(), now(), 1
    FROM generate_series(1, 100000) AS n;
    ANALYZE;
";

/// One server, and the database it stands on.
struct Side {
    name: &'static str,
    server: Server,
    database: String,
    key: String,
}

/// Builds, measures, prints.
pub fn run(repository: &Repository, words: &[&str]) -> Result<ExitCode, String> {
    let options = Options::parse(words)?;
    let (programs, target) = build(repository)?;
    let (scratch, ground) = (Scratch::new(&target)?, postgresql::Server::durable()?);
    println!("PostgreSQL, private, durable, of {}; {ROWS} rows", ground.origin);
    let mut sides = vec![native(&programs, &scratch, &ground)?, hand_written(&programs, &ground)?];
    if let Some(modules) = &programs.node_modules {
        sides.push(node(&programs, &scratch, &ground, modules)?);
    }
    lists(&sides, &options)?;
    merges(&sides, &options)?;
    exports(&sides, &options)?;
    for side in sides {
        side.server.stop()?;
    }
    Ok(ExitCode::SUCCESS)
}

fn native(programs: &Programs, scratch: &Scratch, ground: &postgresql::Server) -> Result<Side, String> {
    let (workspace, database, key) = completed(programs, scratch, ground, "native")?;
    let mut serve = programs.producer(&["serve", "--listen", "127.0.0.1:0"], &workspace);
    let server = Server::start("native", serve.env(VARIABLE, &database))?;
    Ok(Side { name: "native", server, database, key })
}

fn node(
    programs: &Programs,
    scratch: &Scratch,
    ground: &postgresql::Server,
    modules: &std::path::Path,
) -> Result<Side, String> {
    let (workspace, database, key) = completed(programs, scratch, ground, "node")?;
    let application = workspace.join("output/integration/task_records");
    #[cfg(unix)]
    std::os::unix::fs::symlink(modules, application.join("node_modules"))
        .map_err(|error| format!("cannot link the packages: {error}"))?;
    let mut command = Command::new("node");
    command.arg("server.js").current_dir(&application);
    command.env("HOST", "127.0.0.1").env("PORT", "0").env("DATABASE_URL", &database).env("NODE_ENV", "production");
    let server = Server::start("Node.js application", &mut command)?;
    Ok(Side { name: "Node.js application", server, database, key })
}

fn hand_written(programs: &Programs, ground: &postgresql::Server) -> Result<Side, String> {
    let database = ground.database("baseline");
    psql(&ground.url, "CREATE DATABASE baseline")?;
    psql(&database, TABLES)?;
    psql(&database, FILL)?;
    let mut command = Command::new(&programs.baseline);
    command.args(["--database", &database, "--key", KEY, "--records", "true"]);
    let server = Server::start("hand-written", &mut command)?;
    Ok(Side { name: "hand-written", server, database, key: KEY.to_owned() })
}

/// A workspace in which both tasks were completed, its database with rows, and a key.
fn completed(
    programs: &Programs,
    scratch: &Scratch,
    ground: &postgresql::Server,
    name: &str,
) -> Result<(PathBuf, String, String), String> {
    let (workspace, database) = (scratch.folder(name)?, ground.database(name));
    for (file, text) in [("base.yaml", BASE), ("task.yaml", TASK)] {
        let task = write(&workspace.join(file), text)?;
        said(programs.producer(&["run"], &workspace).arg(task).env(VARIABLE, &database))?;
    }
    psql(&database, FILL)?;
    let mut create = programs.producer(&["keys", "create", "--name", "bench"], &workspace);
    let key = said(create.env(VARIABLE, &database))?;
    Ok((workspace, database, key))
}

/// Requests per second, and processor time of the server.
fn lists(sides: &[Side], options: &Options) -> Result<(), String> {
    for side in sides {
        let body = side.ask(LIST, &[], b"", 200)?;
        let page: serde_json::Value =
            serde_json::from_slice(&body).map_err(|error| format!("no figure: {}: {error}", side.name))?;
        let items = page["items"].as_array().map_or(&[][..], Vec::as_slice);
        let is_right = |item: &serde_json::Value| item["active"] == true && item["category"]["name"].is_string();
        if items.len() != 20 || !items.iter().all(is_right) {
            return Err(format!("no figure: {} lists something else: {page}", side.name));
        }
    }
    for connections in [options.connections, 1] {
        let mut figures = vec![(Vec::new(), Vec::new()); sides.len()];
        in_turns(sides, options, |index, side| {
            let head = format!("{LIST} HTTP/1.1\r\nHost: {}\r\nX-API-Key: {}\r\n\r\n", side.server.address, side.key);
            let load = Load::new(side.server.address, vec![head.into_bytes()], 200, connections);
            let before = side.server.processor_time();
            let round = load.run(WARM_UP, Duration::from_secs(options.seconds));
            let round = round.map_err(|error| format!("no figure: {}: {error}", side.name))?;
            figures[index].0.push(options.seconds as f64 / round.counted as f64);
            if let (Some(before), Some(after)) = (before, side.server.processor_time()) {
                figures[index].1.push((after - before).as_secs_f64() * 1e6 / round.answered as f64);
            }
            Ok(())
        })?;
        println!("{LIST}, {connections} connections, {} rounds of {} s in turns", options.rounds, options.seconds);
        let seconds: Vec<f64> = figures.iter().map(|(seconds, _)| median(seconds)).collect();
        let detail = |index: usize| {
            let cost = &figures[index].1;
            let cost = if cost.is_empty() { String::new() } else { format!(", {:.1} us of processor", median(cost)) };
            format!("{:8.0} requests/s{cost}", 1.0 / seconds[index])
        };
        compare(sides, &seconds, detail);
    }
    Ok(())
}

/// Seconds of a request with a thousand records: all new, then all of them there.
fn merges(sides: &[Side], options: &Options) -> Result<(), String> {
    for (what, fresh) in [("new", true), ("changed", false)] {
        let mut seconds = vec![Vec::new(); sides.len()];
        let mut round = 0;
        in_turns(sides, options, |index, side| {
            round += 1;
            let mark = if fresh { format!("{round}-") } else { String::new() };
            let record = |number| serde_json::json!({"sku": format!("sku-{mark}{number}"), "name": format!("{what} {round}"), "stock": number, "active": true});
            let body = serde_json::Value::Array((1..=MERGED).map(record).collect()).to_string();
            let headers = ["content-type: application/json", "prefer: resolution=merge-duplicates"];
            let begun = Instant::now();
            let answer = side.ask("POST /api/items", &headers, body.as_bytes(), 200)?;
            seconds[index].push(begun.elapsed().as_secs_f64());
            let stored: serde_json::Value =
                serde_json::from_slice(&answer).map_err(|error| format!("no figure: {}: {error}", side.name))?;
            let wanted = format!("{what} {round}");
            let is_stored = |record: &serde_json::Value| record["name"] == wanted.as_str();
            let found = psql(&side.database, &format!("SELECT count(*) FROM items WHERE name = '{wanted}'"))?;
            let counted = stored.as_array().filter(|list| list.iter().all(is_stored)).map(Vec::len);
            match (counted, found.parse::<usize>()) {
                (Some(MERGED), Ok(MERGED)) => Ok(()),
                (counted, found) => {
                    Err(format!("no figure: {} tells {counted:?} records and holds {found:?}", side.name))
                }
            }
        })?;
        println!("POST /api/items, a list of {MERGED} that are {what}, merged, {} times in turns", options.rounds);
        let seconds: Vec<f64> = seconds.iter().map(|seconds| median(seconds)).collect();
        compare(sides, &seconds, |index| format!("{:8.3} s", seconds[index]));
    }
    Ok(())
}

/// Seconds of a whole export, and what it takes of memory.
fn exports(sides: &[Side], options: &Options) -> Result<(), String> {
    let mut seconds = vec![Vec::new(); sides.len()];
    let before: Vec<Option<u64>> = sides.iter().map(|side| side.server.resident()).collect();
    let asked = format!("GET /api/items?limit={ROWS}");
    in_turns(sides, options, |index, side| {
        let begun = Instant::now();
        let body = side.ask(&asked, &["accept: text/csv"], b"", 200)?;
        seconds[index].push(begun.elapsed().as_secs_f64());
        match body.iter().filter(|byte| **byte == b'\n').count() {
            lines if lines == ROWS + 1 => Ok(()),
            lines => Err(format!("no figure: {} wrote {lines} lines", side.name)),
        }
    })?;
    println!("{asked} as CSV, {} times in turns", options.rounds);
    let seconds: Vec<f64> = seconds.iter().map(|seconds| median(seconds)).collect();
    compare(sides, &seconds, |index| {
        let memory = match (before[index], sides[index].server.peak()) {
            (Some(before), Some(peak)) => format!(", {} MB before and {} MB at most", before / 1024, peak / 1024),
            (None, _) | (_, None) => String::new(),
        };
        format!("{:8.3} s, {:.0} rows/s{memory}", seconds[index], ROWS as f64 / seconds[index])
    });
    Ok(())
}

/// Each begins as often as it ends.
fn in_turns(
    sides: &[Side],
    options: &Options,
    mut work: impl FnMut(usize, &Side) -> Result<(), String>,
) -> Result<(), String> {
    for round in 0..options.rounds {
        for turn in 0..sides.len() {
            let index = if round % 2 == 0 { turn } else { sides.len() - 1 - turn };
            work(index, &sides[index])?;
        }
    }
    Ok(())
}

/// Prints every side, and how the first stands to the others: `seconds` of one piece of work.
fn compare(sides: &[Side], seconds: &[f64], detail: impl Fn(usize) -> String) {
    for (index, side) in sides.iter().enumerate() {
        println!("  {:20} {}", side.name, detail(index));
    }
    for (side, other) in sides.iter().zip(seconds).skip(1) {
        let aim = if side.name == "hand-written" { format!("   aim {AIM} or more") } else { String::new() };
        println!("  native / {}: {:.2}{aim}", side.name, other / seconds[0]);
    }
}

impl Side {
    /// One request on a connection of its own; the whole body of the answer.
    fn ask(&self, line: &str, headers: &[&str], body: &[u8], status: u16) -> Result<Vec<u8>, String> {
        let address = self.server.address;
        let further: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
        let (key, length) = (&self.key, body.len());
        let head = format!(
            "{line} HTTP/1.1\r\nHost: {address}\r\nX-API-Key: {key}\r\nConnection: close\r\nContent-Length: {length}\r\n{further}\r\n"
        );
        let answer = exchanged(address, &[head.as_bytes(), body].concat());
        let answer = answer.map_err(|error| format!("no figure: {}: {error}", self.name))?;
        let told = || format!("{}: {line}:\n{}", self.name, String::from_utf8_lossy(&answer[..answer.len().min(2000)]));
        let end = answer.windows(4).position(|window| window == b"\r\n\r\n").ok_or_else(told)?;
        let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
        if !head.starts_with(&format!("http/1.1 {status}")) {
            return Err(told());
        }
        let body = &answer[end + 4..];
        if head.contains("transfer-encoding: chunked") { unchunked(body).ok_or_else(told) } else { Ok(body.to_vec()) }
    }
}

fn exchanged(address: SocketAddr, request: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut connection = TcpStream::connect(address)?;
    connection.set_nodelay(true)?;
    connection.set_read_timeout(Some(PATIENCE))?;
    connection.write_all(request)?;
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer)?;
    Ok(answer)
}

/// What a chunked body holds; nothing where its end is missing.
fn unchunked(mut body: &[u8]) -> Option<Vec<u8>> {
    let mut whole = Vec::with_capacity(body.len());
    loop {
        let end = body.windows(2).position(|window| window == b"\r\n")?;
        let length = usize::from_str_radix(std::str::from_utf8(&body[..end]).ok()?.trim(), 16).ok()?;
        if length == 0 {
            return Some(whole);
        }
        whole.extend_from_slice(body.get(end + 2..end + 2 + length)?);
        body = body.get(end + 2 + length + 2..)?;
    }
}

fn psql(url: &str, statements: &str) -> Result<String, String> {
    said(Command::new("psql").args(["-qAt", "-v", "ON_ERROR_STOP=1", "-d", url, "-c", statements]))
}
