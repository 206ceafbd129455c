//! How long commands take from start to answer, and what an idle server holds.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use super::deliver::Workspace;
use super::load::Load;
use super::{Programs, Scratch, max, median, min, said, write};
use crate::server::Server;

const TIMES: usize = 10;
const RUN_AIM: f64 = 0.5;
const CHECK_AIM: f64 = 0.2;
const START_AIM: f64 = 0.15;
const MEMORY_AIM_MIB: u64 = 20;
const BUSY_MEMORY_AIM_MIB: u64 = 60;
const CONNECTIONS: usize = 100;
/// Kinds of records in the task that is checked, with five endpoints each.
const KINDS: usize = 200;
/// Those of the task that is carried out, each a table with two endpoints.
const TABLES: usize = 1_000;
const LARGE_RUN_AIM: f64 = 60.0;
const LARGE_START_AIM: f64 = 1.0;
/// Services that tasks of a workspace integrate before another one does.
const SERVICES: usize = 100;
const ANOTHER_SERVICE_AIM: f64 = 1.0;
const IDLE: Duration = Duration::from_secs(1);

/// Measures and prints.
pub fn measure(programs: &Programs, scratch: &Scratch) -> Result<(), String> {
    let mut seconds = Vec::new();
    for time in 0..TIMES {
        let start = Instant::now();
        scratch.workspace(&format!("run-{time}"), programs)?;
        seconds.push(start.elapsed().as_secs_f64());
    }
    print("producer run, start to response, empty workspace", &seconds, RUN_AIM);

    let workspace = scratch.folder("check")?;
    let task = write(&workspace.join("large.yaml"), &large_task(KINDS, EndpointsOfKind::All))?;
    let mut seconds = Vec::new();
    for _ in 0..TIMES {
        let start = Instant::now();
        said(programs.producer(&["check"], &workspace).arg(&task))?;
        seconds.push(start.elapsed().as_secs_f64());
    }
    print(&format!("producer check, {} endpoints", KINDS * 5), &seconds, CHECK_AIM);

    let workspace = scratch.workspace("start", programs)?;
    let key = said(&mut programs.producer(&["keys", "create", "--name", "bench"], &workspace))?;
    let mut resident = None;
    let mut peak = None;
    let seconds = starts(programs, &workspace, |server| {
        thread::sleep(IDLE);
        resident = server.resident();
        let request = format!("GET /api/products HTTP/1.1\r\nHost: bench\r\nX-API-Key: {key}\r\n\r\n").into_bytes();
        Load::new(server.address, vec![request], 200, CONNECTIONS).run(Duration::ZERO, IDLE)?;
        peak = server.peak();
        Ok(())
    })?;
    print("producer serve, start to first answer", &seconds, START_AIM);
    for (what, kibibytes, aim) in [
        ("idle, resident memory", resident, MEMORY_AIM_MIB),
        ("peak memory with 100 connections", peak, BUSY_MEMORY_AIM_MIB),
    ] {
        if let Some(kibibytes) = kibibytes {
            println!("producer serve, {what}\n  {:.1} MiB   aim {aim} MiB or less", mebibytes(kibibytes));
        }
    }
    large(programs, scratch)?;
    services(programs, scratch)
}

/// A task of many tables.
fn large(programs: &Programs, scratch: &Scratch) -> Result<(), String> {
    let workspace = scratch.folder("large")?;
    let task = write(&workspace.join("task.yaml"), &large_task(TABLES, EndpointsOfKind::MakeAndList))?;
    let start = Instant::now();
    said(programs.producer(&["run"], &workspace).arg(&task))?;
    let what = format!("producer run, {TABLES} tables and {} endpoints", TABLES * 2);
    print(&what, &[start.elapsed().as_secs_f64()], LARGE_RUN_AIM);
    let mut resident = None;
    let seconds = starts(programs, &workspace, |server| {
        thread::sleep(IDLE);
        resident = server.resident();
        Ok(())
    })?;
    print(&format!("producer serve of {TABLES} tables, start to first answer"), &seconds, LARGE_START_AIM);
    if let Some(kibibytes) = resident {
        println!("producer serve of {TABLES} tables, idle, resident memory\n  {:.1} MiB", mebibytes(kibibytes));
    }
    Ok(())
}

/// A service more, where there are many.
fn services(programs: &Programs, scratch: &Scratch) -> Result<(), String> {
    // Nobody listens there: nothing is sent when a task is carried out.
    let addresses = vec![SocketAddr::from(([127, 0, 0, 1], 1)); SERVICES + 1];
    let start = Instant::now();
    let workspace = Workspace::make(&programs.producer, scratch, ("sqlite", None), &addresses)?;
    let all = start.elapsed().as_secs_f64();
    let what = format!("producer run of a service, {SERVICES} before it (all of them: {all:.1} s)");
    print(&what, &[workspace.last_run.as_secs_f64()], ANOTHER_SERVICE_AIM);
    Ok(())
}

/// Starts it some times; the first one is looked at.
fn starts(
    programs: &Programs,
    workspace: &Path,
    mut look: impl FnMut(&Server) -> Result<(), String>,
) -> Result<Vec<f64>, String> {
    let mut seconds = Vec::new();
    for time in 0..TIMES {
        let start = Instant::now();
        let server =
            Server::start("native server", &mut programs.producer(&["serve", "--listen", "127.0.0.1:0"], workspace))?;
        first_answer(&server)?;
        seconds.push(start.elapsed().as_secs_f64());
        if time == 0 {
            look(&server)?;
        }
        server.stop()?;
    }
    Ok(seconds)
}

fn mebibytes(kibibytes: u64) -> f64 {
    kibibytes as f64 / 1024.0
}

fn print(what: &str, seconds: &[f64], aim: f64) {
    println!("{what}, {} times", seconds.len());
    let (median, least, most) = (median(seconds), min(seconds), max(seconds));
    println!("  median {median:.3} s   min {least:.3}   max {most:.3}   aim {aim} s or less");
}

fn first_answer(server: &Server) -> Result<(), String> {
    let ask = || -> std::io::Result<[u8; 12]> {
        let mut connection = TcpStream::connect(server.address)?;
        connection.write_all(b"GET /healthz HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n")?;
        let mut head = [0; 12];
        connection.read_exact(&mut head)?;
        Ok(head)
    };
    match ask() {
        Ok(head) if &head == b"HTTP/1.1 200" => Ok(()),
        Ok(head) => Err(format!("the first answer begins `{}`", String::from_utf8_lossy(&head))),
        Err(error) => Err(format!("no first answer: {error}")),
    }
}

enum EndpointsOfKind {
    MakeAndList,
    All,
}

fn large_task(kinds: usize, of_kind: EndpointsOfKind) -> String {
    let endpoints = match of_kind {
        EndpointsOfKind::MakeAndList => 2,
        EndpointsOfKind::All => 5,
    };

    let mut task =
        "task_id: large\ntask_type: setup_api\nspecifications:\n  api_requirements:\n    type: rest\n    endpoints:\n"
            .to_owned();
    for kind in 0..kinds {
        let path = format!("/api/things{kind:03}");
        let validation = "validation: { name: { type: line, required: true }, stock: { type: integer } }";
        for (path, method, more) in [
            (path.clone(), "POST", format!(", {validation}")),
            (path.clone(), "GET", String::new()),
            (format!("{path}/:id"), "GET", String::new()),
            (format!("{path}/:id"), "PATCH", String::new()),
            (format!("{path}/:id"), "DELETE", String::new()),
        ]
        .into_iter()
        .take(endpoints)
        {
            // Writing to a string cannot fail.
            let _ = writeln!(task, "      - {{ path: \"{path}\", method: {method}, authentication: api_key{more} }}");
        }
    }
    task
}
