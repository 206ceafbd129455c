//! `cargo xtask bench overload`: what the native server still does when four times as much is asked of it as it can do. Goes out:
//! answers of 201 per second with their share of the most it does, how long they took, and how long `/healthz` took meanwhile.

use super::comparison::{WARM_UP, native_with_forms};
use super::load::{Load, read_whole};
use super::{Options, Programs, Scratch, build, percentile};
use crate::repository::Repository;
use std::io::Write as _;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Times of what the server does at most.
const FACTOR: f64 = 4.0;
/// Connections that ask, each at its own times: four times what the server works on at once.
const CONNECTIONS: usize = 1024;
/// The server is to go on doing this share of the most it does.
const SHARE_AIM: f64 = 0.5;
/// The slowest of a hundred that were let in is to be answered within that.
const PATIENCE_AIM: Duration = Duration::from_millis(500);

/// What one connection saw.
#[derive(Default)]
struct Seen {
    accepted: Vec<Duration>,
    shed: Vec<Duration>,
}

/// Builds the server, measures, prints.
pub fn run(repository: &Repository, options: &[&str]) -> Result<ExitCode, String> {
    let options = Options::parse(options)?;
    let (programs, target) = build(repository)?;
    let scratch = Scratch::new(&target)?;
    overload(&programs, &scratch, &options)?;
    Ok(ExitCode::SUCCESS)
}

fn overload(programs: &Programs, scratch: &Scratch, options: &Options) -> Result<(), String> {
    let (server, load) = native_with_forms(programs, scratch, options.connections)?;
    let measured = Duration::from_secs(options.seconds);
    let most = load.run(WARM_UP, measured)?.counted as f64 / measured.as_secs_f64();
    let pause = Duration::from_secs_f64(CONNECTIONS as f64 / (FACTOR * most));
    let is_over = AtomicBool::new(false);
    let (seen, slowest_health) = std::thread::scope(|scope| {
        let health = scope.spawn(|| slowest_health(&load, &is_over));
        let asking: Vec<_> = (0..CONNECTIONS)
            .map(|index| {
                scope.spawn({
                    let load = &load;
                    move || ask(load, index, pause, measured)
                })
            })
            .collect();
        let seen: Vec<Result<Seen, String>> = asking.into_iter().map(|one| one.join().expect("no panic")).collect();
        is_over.store(true, Ordering::Relaxed);
        (seen, health.join().expect("no panic"))
    });
    let mut all = Seen::default();
    for seen in seen {
        let seen = seen?;
        all.accepted.extend(seen.accepted);
        all.shed.extend(seen.shed);
    }
    let rate = |answers: &[Duration]| answers.len() as f64 / measured.as_secs_f64();
    let share = rate(&all.accepted) / most;
    println!(
        "POST /api/contact, {} connections asking without pause: {most:.0} answers of 201 per second",
        options.connections
    );
    println!("the same, {CONNECTIONS} connections asking for {FACTOR} times as much, {} s", options.seconds);
    println!("  201 per second {:8.0}   share {share:.2}   aim {SHARE_AIM} or more", rate(&all.accepted));
    println!("  503 per second {:8.0}", rate(&all.shed));
    println!(
        "  201 in ms: median {:.1}   99 of 100 within {:.1}   aim {} or less",
        millis(percentile(&mut all.accepted, 0.5)),
        millis(percentile(&mut all.accepted, 0.99)),
        PATIENCE_AIM.as_millis()
    );
    println!("  503 in ms: median {:.1}", millis(percentile(&mut all.shed, 0.5)));
    println!("  /healthz, slowest in ms: {:.1}", millis(slowest_health?));
    server.stop()
}

/// Asks at its own times, whatever the server does; who is answered late asks at the next one.
fn ask(load: &Load, index: usize, pause: Duration, measured: Duration) -> Result<Seen, String> {
    let mut connection = load.connect().map_err(|error| format!("cannot connect: {error}"))?;
    let begun = Instant::now() + WARM_UP;
    let mut due = begun + pause.mul_f64(index as f64 / CONNECTIONS as f64);
    let mut seen = Seen::default();
    let mut answer = Vec::with_capacity(4096);
    while due < begun + measured {
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let sent = Instant::now();
        connection.write_all(load.request()).map_err(|error| format!("cannot send: {error}"))?;
        let status = read_whole(&mut connection, &mut answer)?;
        match status {
            201 => seen.accepted.push(sent.elapsed()),
            503 => seen.shed.push(sent.elapsed()),
            other => return Err(format!("an answer of {other}")),
        }
        while due < Instant::now() {
            due += pause;
        }
    }
    Ok(seen)
}

/// Asks for `/healthz` every now and then.
fn slowest_health(load: &Load, is_over: &AtomicBool) -> Result<Duration, String> {
    let mut slowest = Duration::ZERO;
    let mut answer = Vec::new();
    let mut connection = load.connect().map_err(|error| format!("cannot connect: {error}"))?;
    while !is_over.load(Ordering::Relaxed) {
        let sent = Instant::now();
        connection.write_all(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n").map_err(|error| error.to_string())?;
        if read_whole(&mut connection, &mut answer)? != 200 {
            return Err("`/healthz` was not answered 200".to_owned());
        }
        slowest = slowest.max(sent.elapsed());
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(slowest)
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
