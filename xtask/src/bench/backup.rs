//! `cargo xtask bench backup`: how long backups and restores take beside the engine's own programs and gzip on the same data, how much
//! memory the producer needs for them, what a drill measures, and how much would be lost while somebody writes. Comes in: engines and
//! sizes; goes out: figures. What is restored is compared with what was backed up, or there is no figure.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use super::{ENGINES, Scratch, build_producer, max, median, said, write};
use crate::installed::{as_user, free_port, is_root};
use crate::repository::Repository;
use crate::{mariadb, postgresql};

/// MiB of the text in the rows.
const SIZES: [u64; 2] = [128, 1_024];
/// Bytes of the text in a row.
const ROW: u64 = 256;
/// The variable that the task takes its connection from.
const VARIABLE: &str = "BENCH_DATABASE_URL";
/// How often it is looked how much memory a process has.
const LOOK: Duration = Duration::from_millis(10);
/// How often it is looked what would be lost, and how far apart: now before the log is kept and now behind.
const LOSSES: u32 = 40;
const BETWEEN: Duration = Duration::from_millis(700);
/// How long a server may take until it keeps the log.
const PATIENCE: Duration = Duration::from_secs(90);
/// How often each is timed; the fastest counts, for everything else that a machine does only makes it slower.
const ROUNDS: usize = 2;

/// A database, and the programs that are measured.
struct Ground {
    engine: &'static str,
    producer: PathBuf,
    workspace: PathBuf,
    /// Of a server.
    url: Option<String>,
}

/// Builds, measures, prints.
pub fn run(repository: &Repository, options: &[&str]) -> Result<ExitCode, String> {
    let (mut engines, mut sizes) = (ENGINES.to_vec(), SIZES.to_vec());
    for pair in options.chunks(2) {
        match pair {
            ["--engine", name] => engines.retain(|engine| engine == name),
            ["--mib", size] => sizes = vec![size.parse().map_err(|_| "`--mib` needs a number".to_owned())?],
            _ => return Err(format!("`bench backup` does not know `{}`", pair.join(" "))),
        }
    }
    let (producer, target) = build_producer(repository)?;
    for engine in engines {
        let mut memory = Vec::new();
        for size in &sizes {
            let scratch = Scratch::new(&target)?;
            memory.push(measure(engine, *size, &producer, &scratch)?);
        }
        println!("{engine}: peak memory of the producer for a backup and a restore, {}", memory.join("; "));
    }
    Ok(ExitCode::SUCCESS)
}

fn measure(engine: &'static str, mib: u64, producer: &Path, scratch: &Scratch) -> Result<String, String> {
    let rows = mib * 1_024 * 1_024 / ROW;
    let (postgresql, mariadb) = match engine {
        "postgresql" => (Some(postgresql::Server::durable()?), None),
        "mysql" => (None, Some(mariadb::Server::durable()?)),
        _ => (None, None),
    };
    let url =
        postgresql.as_ref().map(|server| server.url.clone()).or(mariadb.as_ref().map(|server| server.url.clone()));
    let workspace = scratch.folder("workspace")?;
    let ground = Ground { engine, producer: producer.to_owned(), workspace, url };
    let task = write(&ground.workspace.join("task.yaml"), &ground.task(""))?;
    said(ground.producer(&["run"]).arg(task))?;
    ground.fill(rows)?;

    let (mut bare, mut bare_restored, mut bare_size) = (f64::INFINITY, f64::INFINITY, 0);
    let (mut made, mut restored): (Option<Timed>, Option<Timed>) = (None, None);
    for _ in 0..ROUNDS {
        let (seconds, size) = ground.bare(scratch)?;
        (bare, bare_size) = (bare.min(seconds), size);
        faster(&mut made, ground.timed(&["db", "backup", "bench", "--format", "json"])?);
        let brought = ground.timed(&["db", "restore", "bench", "--format", "json"])?;
        ground.forget(&brought.said)?;
        faster(&mut restored, brought);
        bare_restored = bare_restored.min(ground.bare_restore(scratch)?);
    }
    let (made, restored) = made.zip(restored).ok_or("nothing was timed")?;
    let drilled = ground.timed(&["db", "drill", "bench", "--format", "json"])?;

    let rate = |seconds: f64| mib as f64 / seconds;
    println!(
        "{engine}, {mib} MiB of text: backup {:.1} s ({:.0} MiB/s, {} MiB kept), the engine's program and gzip {bare:.1} s ({:.0} MiB/s, {} MiB): {:.2} of its throughput (aim: 0.95)",
        made.seconds,
        rate(made.seconds),
        made.said["size"].as_u64().unwrap_or_default() >> 20,
        rate(bare),
        bare_size >> 20,
        bare / made.seconds
    );
    println!(
        "  restore, each row compared: {:.1} s ({:.0} MiB/s), by the engine's program, not compared, {bare_restored:.1} s: {:.2} of its throughput; a drill measures an RTO of {:.1} s (aim for a GiB: 60)",
        restored.seconds,
        rate(restored.seconds),
        bare_restored / restored.seconds,
        drilled.said["recovery_time_ms"].as_u64().unwrap_or_default() as f64 / 1_000.0,
    );
    if mib == SIZES[0] {
        let lost = ground.losses()?;
        println!(
            "  while somebody writes, for an RPO of 5 s: {:.1} s of work would be lost in the middle, {:.1} s at most",
            median(&lost),
            max(&lost)
        );
    }
    Ok(format!("{mib} MiB: {} and {} MiB", made.peak_kib >> 10, restored.peak_kib >> 10))
}

/// What came of a command, and what it took.
struct Timed {
    said: Value,
    seconds: f64,
    peak_kib: u64,
}

fn faster(best: &mut Option<Timed>, now: Timed) {
    if best.as_ref().is_none_or(|best| now.seconds < best.seconds) {
        *best = Some(now);
    }
}

impl Ground {
    fn task(&self, more: &str) -> String {
        let connection = match self.url {
            Some(_) => format!("connection: ${{env:{VARIABLE}}}"),
            None => "name: bench".to_owned(),
        };
        format!(
            "task_id: bench\ntask_type: configure_database\nspecifications:\n  database_config:\n    type: {}\n    {connection}\n    schema_requirements:\n      tables: [{{ name: entries, columns: {{ text: {{ type: text, required: true }} }} }}]\n    backup: {{ schedule: daily, destination: kept{more} }}\n",
            self.engine
        )
    }

    fn producer(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.producer);
        command.args(words).arg("--workspace").arg(&self.workspace).current_dir(&self.workspace);
        command.envs(self.url.as_ref().map(|url| (VARIABLE, url)));
        command
    }

    fn timed(&self, words: &[&str]) -> Result<Timed, String> {
        let begun = Instant::now();
        let mut command = self.producer(words);
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = child.map_err(|error| format!("{command:?} did not start: {error}"))?;
        let status = format!("/proc/{}/status", child.id());
        let mut peak_kib = 0;
        let status = loop {
            let text = fs::read_to_string(&status).unwrap_or_default();
            let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let now = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
            peak_kib = peak_kib.max(now.unwrap_or(0));
            if let Some(status) = child.try_wait().map_err(|error| error.to_string())? {
                break status;
            }
            thread::sleep(LOOK);
        };
        let seconds = begun.elapsed().as_secs_f64();
        let output = child.wait_with_output().map_err(|error| error.to_string())?;
        let said = serde_json::from_slice(&output.stdout).unwrap_or_default();
        // A drill that has missed an objective has measured too.
        match status.success() || status.code() == Some(4) {
            true => Ok(Timed { said, seconds, peak_kib }),
            false => Err(format!("{command:?} failed, {status}: {}", String::from_utf8_lossy(&output.stderr))),
        }
    }

    /// What came back is there no more.
    fn forget(&self, restored: &Value) -> Result<(), String> {
        let file = PathBuf::from(restored["file"].as_str().ok_or("nobody says what was restored")?);
        if file.is_file() {
            return fs::remove_file(&file).map_err(|error| error.to_string());
        }
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        said(&mut self.producer(&["db", "stop", &name]))?;
        fs::remove_dir_all(&file).map_err(|error| error.to_string())
    }

    fn file(&self) -> PathBuf {
        self.workspace.join(".producer/data/bench.sqlite")
    }

    fn fill(&self, rows: u64) -> Result<(), String> {
        let text = "hex(randomblob(64)) || ' ordered, paid, packed, sent, delivered and returned by somebody, who has asked why it took as long as it took, twice'";
        match &self.url {
            None => said(Command::new("sqlite3").args(["-cmd", ".timeout 5000"]).arg(self.file()).arg(format!(
                "INSERT INTO entries (text) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows}) SELECT {text} FROM n"
            ))),
            Some(url) if self.engine == "postgresql" => said(Command::new("psql").args(["-q", "-d", url, "-c"]).arg(format!(
                "INSERT INTO entries (text) SELECT md5(random()::text) || md5(random()::text) || md5(random()::text) || md5(random()::text) || ' ordered, paid, packed, sent, delivered and returned by somebody, who has asked why it took as long as it took, twice' FROM generate_series(1, {rows})"
            ))),
            Some(url) => said(client("mariadb", url)?.arg("-e").arg(format!(
                "INSERT INTO entries (text) SELECT CONCAT(MD5(RAND()), MD5(RAND()), MD5(RAND()), MD5(RAND()), ' ordered, paid, packed, sent, delivered and returned by somebody, who has asked why it took as long as it took, twice') FROM seq_1_to_{rows}"
            ))),
        }
        .map(drop)
    }

    /// Seconds of work that would be lost if everything but the backups were lost now, again and again while a row after the other is
    /// committed and a server keeps the log.
    fn losses(&self) -> Result<Vec<f64>, String> {
        // A server needs something to serve.
        let form = "task_id: form\ntask_type: setup_api\nspecifications:\n  api_requirements:\n    type: rest\n    endpoints: [{ path: /api/contact, method: POST, authentication: none }]\n";
        for (name, text) in
            [("form.yaml", form), ("task.yaml", &self.task(", point_in_time: true, objectives: { rpo: 5_seconds }"))]
        {
            said(self.producer(&["run"]).arg(write(&self.workspace.join(name), text)?))?;
        }
        let mut serve = self.producer(&["serve", "--listen", "127.0.0.1:0"]);
        serve.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut server = serve.spawn().map_err(|error| format!("{serve:?} did not start: {error}"))?;
        let mut lost = Vec::new();
        let looked = (|| {
            // Until it keeps the log.
            let first = self.kept_until()?;
            let begun = Instant::now();
            while self.kept_until()? == first {
                self.fill(1)?;
                if begun.elapsed() > PATIENCE {
                    return Err("the server does not keep the log".to_owned());
                }
            }
            for _ in 0..LOSSES {
                let begun = Instant::now();
                while begun.elapsed() < BETWEEN {
                    self.fill(1)?;
                }
                let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(|error| error.to_string())?;
                lost.push(now.as_secs_f64() - self.kept_until()?);
            }
            Ok(())
        })();
        // What it has not kept by now is not asked for.
        let _ = server.kill();
        let _ = server.wait();
        looked.map(|()| lost)
    }

    /// The moment of the last that was kept, in seconds since 1970.
    fn kept_until(&self) -> Result<f64, String> {
        let mut all = Vec::new();
        for folder in ["kept/bench", "kept/bench.log"] {
            let entries = fs::read_dir(self.workspace.join(folder)).into_iter().flatten();
            all.extend(entries.filter_map(|entry| Some(entry.ok()?.path().join("manifest.json"))));
        }
        all.sort_by(|left, right| left.parent().map(Path::file_name).cmp(&right.parent().map(Path::file_name)));
        let text = all.iter().rev().find_map(|manifest| fs::read(manifest).ok()).ok_or("nothing was kept")?;
        let manifest: Value = serde_json::from_slice(&text).map_err(|error| error.to_string())?;
        let moment = manifest["manifest"]["moment"].as_str().unwrap_or_default();
        let seconds = said(Command::new("date").args(["-u", "+%s.%N", "-d", moment]))?;
        seconds.parse().map_err(|_| format!("`{moment}` is no moment"))
    }

    /// Seconds of the engine's own program with gzip, and the bytes that it comes to.
    fn bare(&self, scratch: &Scratch) -> Result<(f64, u64), String> {
        let folder = scratch.folder("bare")?;
        let script = match &self.url {
            None => {
                format!("sqlite3 '{}' '.backup copy' && gzip -6 < copy > kept.gz && rm copy", self.file().display())
            }
            Some(url) if self.engine == "postgresql" => {
                format!("pg_basebackup -d '{url}' -D - -Ft -X fetch -c fast | gzip -6 > kept.gz")
            }
            Some(url) => {
                format!("{} | gzip -6 > kept.gz", words(&client("mariadb-dump", url)?, "--single-transaction"))
            }
        };
        let begun = Instant::now();
        self.shell(&format!("{script} && sync kept.gz"), &folder)?;
        let seconds = begun.elapsed().as_secs_f64();
        let size = fs::metadata(folder.join("kept.gz")).map_err(|error| error.to_string())?.len();
        Ok((seconds, size))
    }

    fn bare_restore(&self, scratch: &Scratch) -> Result<f64, String> {
        let folder = scratch.folder("bare")?;
        let script = match &self.url {
            None => "gunzip < kept.gz > restored && sync restored".to_owned(),
            Some(_) if self.engine == "postgresql" => return self.bare_server(&folder),
            Some(url) => {
                let name = "bench_restored";
                let make = format!("DROP DATABASE IF EXISTS {name}; CREATE DATABASE {name}");
                said(client("mariadb", url)?.args(["-e", &make]))?;
                let moved = url.rsplit_once('/').map_or(url.clone(), |(server, _)| format!("{server}/{name}"));
                format!("gunzip < kept.gz | {}", words(&client("mariadb", &moved)?, ""))
            }
        };
        let begun = Instant::now();
        self.shell(&script, &folder)?;
        Ok(begun.elapsed().as_secs_f64())
    }

    /// A server of its own, until it takes connections.
    fn bare_server(&self, folder: &Path) -> Result<f64, String> {
        let programs = postgresql::installed_programs()?;
        let (data, port) = (folder.join("data"), free_port()?);
        // Whoever runs it may come to no other folder of this one's.
        let owner = if is_root() { "chown -R postgres data && " } else { "" };
        let begun = Instant::now();
        self.shell(
            &format!("mkdir data && gunzip < kept.gz | tar -x -C data && {owner}chmod 700 data && sync"),
            folder,
        )?;
        let mut control = as_user("postgres", &programs.join("pg_ctl"));
        control.arg("-D").arg(&data).args(["-w", "-l", "/dev/null", "-o"]);
        control.arg(format!("-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories=''")).arg("start");
        let started = crate::installed::quiet(&mut control).status();
        let seconds = begun.elapsed().as_secs_f64();
        let mut stop = as_user("postgres", &programs.join("pg_ctl"));
        said(stop.arg("-D").arg(&data).args(["-w", "-m", "immediate", "stop"]))?;
        fs::remove_dir_all(&data).map_err(|error| error.to_string())?;
        match started {
            Ok(status) if status.success() => Ok(seconds),
            _ => Err("the server that the engine's program has copied does not start".to_owned()),
        }
    }

    fn shell(&self, script: &str, folder: &Path) -> Result<(), String> {
        let mut shell = Command::new("bash");
        shell.args(["-o", "pipefail", "-ec", script]).current_dir(folder);
        if let Some(password) = self.url.as_deref().and_then(password) {
            shell.env("MYSQL_PWD", password);
        }
        said(&mut shell).map(drop)
    }
}

fn password(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    rest.split_once('@')?.0.split_once(':').map(|(_, password)| password)
}

/// A client of MariaDB for a URL.
fn client(program: &str, url: &str) -> Result<Command, String> {
    let parts = || {
        let (_, rest) = url.split_once("://")?;
        let (user, place) = rest.split_once('@')?;
        let (user, password) = user.split_once(':')?;
        let (address, name) = place.split_once('/')?;
        let (host, port) = address.split_once(':')?;
        Some((user, password, host, port, name))
    };
    let (user, password, host, port, name) = parts().ok_or("the server's URL has another form")?;
    let mut command = Command::new(program);
    command.env("MYSQL_PWD", password).args(["-h", host, "-P", port, "-u", user, name]);
    Ok(command)
}

/// A command for a shell.
fn words(command: &Command, option: &str) -> String {
    let words = command.get_args().map(|word| word.to_string_lossy().into_owned());
    format!("{} {option} {}", command.get_program().to_string_lossy(), words.collect::<Vec<_>>().join(" "))
}
