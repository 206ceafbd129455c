//! `cargo xtask bench deliver`: what happens in an API is delivered to a hundred destinations, on SQLite and on PostgreSQL, each commit on
//! the disk. Goes out: deliveries per second, how long they take, what bad destinations cost the others, memory, and calls taken in per
//! second, each beside its aim. A parcel that is lost, or arrives under two keys, and there is no figure.

mod database;
mod destination;
mod traffic;
mod workspace;

use super::load::Load;
use super::{Scratch, build_producer, median, percentile};
use crate::postgresql;
use crate::repository::Repository;
use crate::server::Server;
use database::Database;
use destination::{Arrivals, Destination, Manner};
use std::fs::File;
use std::io::Write as _;
use std::net::SocketAddr;
use std::ops::Range;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use traffic::Traffic;
pub(super) use workspace::Workspace;

const DESTINATIONS: usize = 100;
/// Those that are bad for a while, and how.
const BAD: [(usize, Manner); 3] = [(13, Manner::Hangs), (47, Manner::Drips), (81, Manner::Fails)];
/// Numbers that there are for parcels of one engine.
const PARCELS: usize = 2_000_000;
const BACKLOG: usize = 20_000;
const BACKLOGS: usize = 3;
const WARM_UP: Duration = Duration::from_secs(2);
/// Connections of a client that keeps nothing: what one destination is given at once.
const BARE_CONNECTIONS: usize = 32;
const CALLING_CONNECTIONS: usize = 32;
/// How long deliveries may take that nothing is wrong with, and those whose destination was bad.
const PATIENCE: Duration = Duration::from_secs(120);
const RECOVERY: Duration = Duration::from_secs(300);
/// Pages that are written where it is found out what the disk does.
const PAGE: [u8; 4096] = [7; 4096];

const RATE_AIM: f64 = 5_000.0;
const P99_AIM_MS: f64 = 50.0;
const COST_AIM: f64 = 1.1;
const MEMORY_AIM_MIB: f64 = 150.0;

/// What may be chosen on the command line.
struct Options {
    seconds: u64,
    rounds: usize,
    engine: Option<&'static str>,
}

impl Options {
    fn parse(words: &[&str]) -> Result<Self, String> {
        let mut options = Self { seconds: 6, rounds: 3, engine: None };
        for pair in words.chunks(2) {
            let number = || pair.get(1).and_then(|word| word.parse::<u64>().ok()).filter(|number| *number > 0);
            match (pair[0], pair.get(1), number()) {
                ("--seconds", _, Some(seconds)) => options.seconds = seconds,
                ("--rounds", _, Some(rounds)) => options.rounds = rounds as usize,
                ("--engine", Some(&"sqlite"), _) => options.engine = Some("sqlite"),
                ("--engine", Some(&"postgresql"), _) => options.engine = Some("postgresql"),
                _ => return Err(format!("`bench deliver` does not take `{}`", pair.join(" "))),
            }
        }
        Ok(options)
    }
}

/// Builds the server, measures, prints.
pub fn run(repository: &Repository, options: &[&str]) -> Result<ExitCode, String> {
    let options = Options::parse(options)?;
    let (producer, target) = build_producer(repository)?;
    let scratch = Scratch::new(&target)?;
    println!("disk: {:.0} commits of a page a second", commits_a_second(&scratch)?);
    if options.engine.is_none_or(|engine| engine == "sqlite") {
        println!("SQLite, durable; {DESTINATIONS} destinations, events of 1 KB");
        Bench::of(&producer, &scratch, &options, None)?.measure()?;
    }
    if options.engine.is_none_or(|engine| engine == "postgresql") {
        let server = postgresql::Server::durable()?;
        println!("PostgreSQL {}, durable; {DESTINATIONS} destinations, events of 1 KB", server.origin);
        Bench::of(&producer, &scratch, &options, Some(server.url.clone()))?.measure()?;
    }
    Ok(ExitCode::SUCCESS)
}

/// How often a page can be made durable in a second, one behind the other.
fn commits_a_second(scratch: &Scratch) -> Result<f64, String> {
    let failed = |error: std::io::Error| format!("the disk: {error}");
    let mut file = File::create(scratch.folder("disk")?.join("pages")).map_err(failed)?;
    let (begun, mut commits) = (Instant::now(), 0_u32);
    while begun.elapsed() < Duration::from_secs(1) {
        file.write_all(&PAGE).and_then(|()| file.sync_data()).map_err(failed)?;
        commits += 1;
    }
    Ok(f64::from(commits) / begun.elapsed().as_secs_f64())
}

struct Bench<'o> {
    options: &'o Options,
    workspace: Workspace,
    database: Database,
    destinations: Vec<Destination>,
    arrivals: Arc<Arrivals>,
    next: AtomicUsize,
}

impl<'o> Bench<'o> {
    fn of(producer: &Path, scratch: &Scratch, options: &'o Options, url: Option<String>) -> Result<Self, String> {
        let arrivals = Arrivals::of(PARCELS);
        let started = std::iter::repeat_with(|| Destination::start(&arrivals)).take(DESTINATIONS);
        let destinations = started.collect::<Result<Vec<_>, String>>()?;
        let addresses: Vec<SocketAddr> = destinations.iter().map(|destination| destination.address).collect();
        let engine = if url.is_some() { "postgresql" } else { "sqlite" };
        let workspace = Workspace::make(producer, scratch, (engine, url.clone()), &addresses)?;
        let database = url.map_or_else(|| Database::Sqlite(workspace.database_file()), Database::PostgreSql);
        Ok(Self { options, workspace, database, destinations, arrivals, next: AtomicUsize::new(0) })
    }

    fn serve(&self) -> Result<Server, String> {
        Server::start("native", &mut self.workspace.command(&["serve", "--listen", "127.0.0.1:0"]))
    }

    fn traffic(&self, server: &Server) -> Traffic<'_> {
        let (address, arrivals, next) = (server.address, &*self.arrivals, &self.next);
        Traffic { address, arrivals, destinations: DESTINATIONS, next, most: PARCELS }
    }

    fn measure(&self) -> Result<(), String> {
        let bare = self.bare()?;
        println!("  a client that keeps nothing, {BARE_CONNECTIONS} connections: {bare:.0} requests a second");
        self.backlogs(bare)?;
        let server = self.serve()?;
        let most = self.most(&server)?;
        println!("  posted and delivered at once: {most:.0} a second");
        self.half(&server, most / 2.0)?;
        self.calls(&server)?;
        match server.peak() {
            Some(kib) => {
                println!("  memory of `serve`, peak: {:.0} MiB   aim {MEMORY_AIM_MIB} or less", kib as f64 / 1024.0)
            }
            None => println!("  memory of `serve`: not told by this system"),
        }
        server.stop()?;
        println!(
            "  {} parcels, none lost, none twice; {} were sent again under their key; {} connections",
            self.arrivals.total(),
            self.arrivals.repeated(),
            self.arrivals.connections()
        );
        Ok(())
    }

    /// Requests of the same size, of a client without a database.
    fn bare(&self) -> Result<f64, String> {
        let load = Load::new(self.destinations[0].address, vec![traffic::bare_request()], 200, BARE_CONNECTIONS);
        let measured = Duration::from_secs(2);
        Ok(load.run(Duration::from_millis(300), measured)?.counted as f64 / measured.as_secs_f64())
    }

    /// Events that were committed before the server begins.
    fn backlogs(&self, bare: f64) -> Result<(), String> {
        let (mut rates, mut processor) = (Vec::new(), Vec::new());
        for _ in 0..BACKLOGS {
            let first = self.next.fetch_add(BACKLOG, Ordering::Relaxed);
            let parcels = first..first + BACKLOG;
            self.database.put(&parcels, DESTINATIONS)?;
            let server = self.serve()?;
            let before = server.processor_time();
            self.arrive(&server, &parcels)?;
            rates.push(BACKLOG as f64 / self.arrivals.span(parcels).as_secs_f64());
            self.database.finishes(PATIENCE)?;
            let used = server.processor_time().zip(before).map(|(after, before)| after.saturating_sub(before));
            processor.extend(used.map(|time| time.as_micros() as f64 / BACKLOG as f64));
            self.must_be_single()?;
            server.stop()?;
        }
        let rate = median(&rates);
        println!(
            "  a backlog of {BACKLOG}: {rate:.0} deliveries a second   aim {RATE_AIM}; {:.2} of the client that keeps nothing; {:.0} us of `serve` each",
            rate / bare,
            if processor.is_empty() { 0.0 } else { median(&processor) }
        );
        Ok(())
    }

    /// The rate at which is posted and delivered.
    fn most(&self, server: &Server) -> Result<f64, String> {
        let traffic = self.traffic(server);
        let warm = traffic.at_most(WARM_UP)?;
        let time = Duration::from_secs(self.options.seconds);
        let before = self.arrivals.total();
        let parcels = traffic.at_most(time)?;
        let rate = (self.arrivals.total() - before) as f64 / time.as_secs_f64();
        self.arrive(server, &(warm.start..parcels.end))?;
        Ok(rate)
    }

    /// Half of what can be done, with every destination well, and with three that are not.
    fn half(&self, server: &Server, rate: f64) -> Result<(), String> {
        let (mut well, mut beside) = (Vec::new(), Vec::new());
        let mut all_well = Vec::new();
        for _ in 0..self.options.rounds {
            let mut times = self.healthy_times(server, rate)?;
            well.push(millis(percentile(&mut times, 0.99)));
            all_well.extend(times);
            for (destination, manner) in BAD {
                self.destinations[destination].behaves(manner);
            }
            let mut times = self.healthy_times(server, rate)?;
            beside.push(millis(percentile(&mut times, 0.99)));
            for (destination, _) in BAD {
                self.destinations[destination].behaves(Manner::Good);
            }
        }
        println!(
            "  half of it, {rate:.0} a second, from the request to the destination: median {:.1} ms, 99 of 100 within {:.1} ms   aim {P99_AIM_MS}",
            millis(percentile(&mut all_well, 0.5)),
            median(&well)
        );
        println!(
            "  the same with 3 bad ones among {DESTINATIONS}, the others: 99 of 100 within {:.1} ms, {:.2} of that   aim {COST_AIM} or less",
            median(&beside),
            median(&beside) / median(&well)
        );
        let took = self.database.finishes(RECOVERY)?;
        self.must_be_single()?;
        println!("  the bad ones have everything {:.1} s after they are well", took.as_secs_f64());
        Ok(())
    }

    /// How long parcels to destinations that are well were on their way.
    fn healthy_times(&self, server: &Server, rate: f64) -> Result<Vec<Duration>, String> {
        let traffic = self.traffic(server);
        traffic.at(rate, WARM_UP)?;
        let parcels = traffic.at(rate, Duration::from_secs(self.options.seconds))?;
        let is_healthy = |number: &usize| BAD.iter().all(|(bad, _)| number % DESTINATIONS != *bad);
        let begun = Instant::now();
        loop {
            let missing = self.arrivals.missing(parcels.clone().filter(is_healthy));
            match missing.len() {
                0 => return Ok(self.arrivals.times(parcels.filter(is_healthy))),
                count if begun.elapsed() > PATIENCE => return Err(lost(count, server)),
                _ => std::thread::sleep(Duration::from_millis(50)),
            }
        }
    }

    fn calls(&self, server: &Server) -> Result<(), String> {
        let time = Duration::from_secs(self.options.seconds);
        let before = self.database.received()?;
        let answered = traffic::calls(server.address, CALLING_CONNECTIONS, time)?;
        let kept = self.database.received()? - before;
        if kept != answered {
            return Err(format!("{answered} calls were answered 200, and {kept} are kept"));
        }
        println!(
            "  signed calls taken in, {CALLING_CONNECTIONS} connections: {:.0} a second",
            answered as f64 / time.as_secs_f64()
        );
        Ok(())
    }

    /// Until all of them are there.
    fn arrive(&self, server: &Server, parcels: &Range<usize>) -> Result<(), String> {
        let begun = Instant::now();
        let mut from = parcels.start;
        loop {
            // Most arrive in order: what has arrived is not looked at again.
            match self.arrivals.missing(from..parcels.end).first() {
                None => return Ok(()),
                Some(first) => from = *first,
            }
            if begun.elapsed() > PATIENCE {
                return Err(lost(self.arrivals.missing(from..parcels.end).len(), server));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn must_be_single(&self) -> Result<(), String> {
        match self.arrivals.doubled() {
            0 => Ok(()),
            doubled => Err(format!("{doubled} parcels arrived under two keys")),
        }
    }
}

fn lost(count: usize, server: &Server) -> String {
    format!("{count} parcels have not arrived after {PATIENCE:?}\n{}", server.last_words())
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
