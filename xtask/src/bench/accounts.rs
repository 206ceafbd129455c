//! `cargo xtask bench accounts`: people who sign in, on SQLite. Goes out: logins per second beside the bare hash, what asking a token costs,
//! whether the time of an answer tells if an address has an account, refreshes that race, mails per second. A wrong answer and there is no figure.

use super::load::{Load, Round, read_whole};
use super::{Programs, Scratch, build, mails, median, said, write};
use crate::repository::Repository;
use crate::server::Server;
use std::io::Write as _;
use std::net::SocketAddr;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

const TASK: &str = "task_id: accounts\ntask_type: setup_api\nspecifications:\n  api_requirements:\n    type: rest\n    rate_limiting: 50000000_requests_per_minute\n    endpoints:\n      - { path: /api/auth/login, method: POST, authentication: none }\n      - { path: /api/products, method: GET, authentication: none }\n      - { path: /api/articles, method: GET, authentication: jwt_token, access: authenticated }\n";
const PASSWORD: &str = "engine of analysis";
/// More than there are attempts of a kind, since few mails go to one address.
const PEOPLE: usize = 256;
/// Two for each core of a small machine: no more hashes are made at once than there are cores.
const SIGNING_IN: usize = 4;
const ASKING: usize = 16;
const WARM_UP: Duration = Duration::from_millis(500);
const MEASURED: Duration = Duration::from_secs(5);
/// Attempts of each kind whose times are compared.
const ATTEMPTS: usize = 240;
/// What is done behind an answer is over by then.
const SETTLED: Duration = Duration::from_millis(20);
const RACES: usize = 200;
const AT_ONCE: usize = 12;
const CHECKS_AIM: f64 = 100_000.0;

/// Builds the servers, measures, prints.
pub fn run(repository: &Repository, options: &[&str]) -> Result<ExitCode, String> {
    if !options.is_empty() {
        return Err("`bench accounts` takes nothing else".to_owned());
    }
    let (programs, target) = build(repository)?;
    let scratch = Scratch::new(&target)?;
    let workspace = scratch.folder("accounts")?;
    let task = write(&workspace.join("task.yaml"), TASK)?;
    said(programs.producer(&["run"], &workspace).arg(task))?;
    let server =
        Server::start("the native server", &mut programs.producer(&["serve", "--listen", "127.0.0.1:0"], &workspace))?;
    let bench = Bench { address: server.address };
    for number in 0..PEOPLE {
        let body = format!(r#"{{"email":"{}","name":"Ada","password":"{PASSWORD}"}}"#, person(number));
        bench.wanted(&bench.post("/api/auth/register", &body, ""), 202)?;
    }
    logins(&bench, &programs)?;
    checks(&bench, &server)?;
    timing(&bench)?;
    races(&bench)?;
    server.stop()?;
    mails::run(&programs, &scratch)?;
    Ok(ExitCode::SUCCESS)
}

fn person(number: usize) -> String {
    format!("person{number}@example.com")
}

struct Bench {
    address: SocketAddr,
}

impl Bench {
    fn post(&self, path: &str, body: &str, headers: &str) -> Vec<u8> {
        let length = body.len();
        format!("POST {path} HTTP/1.1\r\nHost: {}\r\n{headers}Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}", self.address)
            .into_bytes()
    }

    fn get(&self, path: &str, headers: &str) -> Vec<u8> {
        format!("GET {path} HTTP/1.1\r\nHost: {}\r\n{headers}\r\n", self.address).into_bytes()
    }

    /// The answer's status, its bytes, and how long it took.
    fn ask(&self, request: &[u8]) -> Result<(u16, String, Duration), String> {
        let load = Load::new(self.address, Vec::new(), 200, 1);
        let mut connection = load.connect().map_err(|error| format!("cannot connect: {error}"))?;
        let mut answer = Vec::new();
        let began = Instant::now();
        connection.write_all(request).map_err(|error| format!("cannot send: {error}"))?;
        let status = read_whole(&mut connection, &mut answer)?;
        Ok((status, String::from_utf8_lossy(&answer).into_owned(), began.elapsed()))
    }

    fn wanted(&self, request: &[u8], status: u16) -> Result<(String, Duration), String> {
        match self.ask(request)? {
            (found, answer, took) if found == status => Ok((answer, took)),
            (_, answer, _) => Err(format!("an answer that is not {status}:\n{answer}")),
        }
    }

    fn login(&self, number: usize) -> Vec<u8> {
        let body = format!(r#"{{"email":"{}","password":"{PASSWORD}"}}"#, person(number));
        self.post("/api/auth/login", &body, "")
    }

    /// The access token and the refresh token of a login.
    fn signed_in(&self, number: usize) -> Result<(String, String), String> {
        tokens(&self.wanted(&self.login(number), 200)?.0)
    }
}

fn tokens(answer: &str) -> Result<(String, String), String> {
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    let body: serde_json::Value =
        serde_json::from_str(body).map_err(|error| format!("no tokens: {error}\n{answer}"))?;
    let token = |name: &str| body[name].as_str().map(ToOwned::to_owned).ok_or_else(|| format!("no `{name}`: {body}"));
    Ok((token("access_token")?, token("refresh_token")?))
}

fn logins(bench: &Bench, programs: &Programs) -> Result<(), String> {
    let requests = (0..PEOPLE).map(|number| bench.login(number)).collect();
    let load = Load::new(bench.address, requests, 200, SIGNING_IN);
    let (mut rates, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        rates.push(load.run(WARM_UP, MEASURED)?.counted as f64 / MEASURED.as_secs_f64());
        let seconds = MEASURED.as_secs().to_string();
        let hashes = said(Command::new(&programs.baseline).args(["--hashes", &seconds]))?;
        bare.push(hashes.parse::<f64>().map_err(|error| format!("`{hashes}` are no hashes: {error}"))?);
    }
    let (rate, bare) = (median(&rates), median(&bare));
    println!("logins: {rate:.1} a second; the bare hash {bare:.1}; {:.2} of it", rate / bare);
    Ok(())
}

/// The same list is asked for with a token and without: what a token costs is the difference in processor time.
fn checks(bench: &Bench, server: &Server) -> Result<(), String> {
    let bearer: Result<Vec<String>, String> =
        (0..PEOPLE).map(|number| Ok(format!("Authorization: Bearer {}\r\n", bench.signed_in(number)?.0))).collect();
    let open = vec![bench.get("/api/products", "")];
    let asked = bearer?.iter().map(|header| bench.get("/api/articles", header)).collect();
    let loads = [Load::new(bench.address, open, 200, ASKING), Load::new(bench.address, asked, 200, ASKING)];
    let mut costs = [Vec::new(), Vec::new()];
    let mut rates = [Vec::new(), Vec::new()];
    for _ in 0..5 {
        for (index, load) in loads.iter().enumerate() {
            let before = server.processor_time();
            let Round { counted, answered } = load.run(WARM_UP, Duration::from_secs(2))?;
            rates[index].push(counted as f64 / 2.0);
            if let (Some(before), Some(after)) = (before, server.processor_time()) {
                costs[index].push((after.saturating_sub(before)).as_secs_f64() * 1e6 / answered as f64);
            }
        }
    }
    println!(
        "a list without a token {:.0} requests a second, with one {:.0}, {:.2} of it",
        median(&rates[0]),
        median(&rates[1]),
        median(&rates[1]) / median(&rates[0])
    );
    if costs.iter().all(|costs| !costs.is_empty()) {
        let (open, asked) = (median(&costs[0]), median(&costs[1]));
        let cost = asked - open;
        print!("  processor time a request {open:.1} us and {asked:.1} us");
        match cost > 0.0 {
            true => println!(": {:.0} tokens a second and core   aim {CHECKS_AIM:.0}", 1e6 / cost),
            false => println!(": what a token costs is below what can be told"),
        }
    }
    Ok(())
}

/// Whether the time of an answer tells if somebody has the address: how often one with an account takes longer than one without, of all
/// pairs. Half of them where it tells nothing. What is done behind an answer slows the next one, and may tell as much: that is the list.
fn timing(bench: &Bench) -> Result<(), String> {
    let kinds = [
        ("a wrong password", "/api/auth/login", 401),
        ("a lost password", "/api/auth/forgot-password", 202),
        ("a registration", "/api/auth/register", 202),
    ];
    let list = bench.get("/api/products", "");
    // Xorshift: what comes first must not follow a pattern that a slow moment could have as well.
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    for (what, path, status) in kinds {
        let mut answers = [Vec::new(), Vec::new()];
        let mut behind = [Vec::new(), Vec::new()];
        for attempt in 0..ATTEMPTS {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let number = attempt % PEOPLE;
            for turn in 0..2 {
                let is_nobody = (turn == 1) != (random & 1 == 1);
                // A registration makes somebody of nobody: each is another one.
                let email = match is_nobody {
                    true if path == "/api/auth/register" => format!("another{attempt}@example.com"),
                    true => format!("nobody{number}@example.com"),
                    false => person(number),
                };
                let body = match path {
                    "/api/auth/login" => format!(r#"{{"email":"{email}","password":"some other words"}}"#),
                    "/api/auth/register" => {
                        format!(r#"{{"email":"{email}","name":"Eve","password":"some other words"}}"#)
                    }
                    _ => format!(r#"{{"email":"{email}"}}"#),
                };
                let kind = usize::from(is_nobody);
                answers[kind].push(bench.wanted(&bench.post(path, &body, ""), status)?.1.as_secs_f64() * 1e3);
                behind[kind].push(bench.wanted(&list, 200)?.1.as_secs_f64() * 1e3);
                std::thread::sleep(SETTLED);
            }
        }
        for (what, times) in [(what, answers), ("  the list behind it", behind)] {
            let [known, unknown] = times;
            println!(
                "{what}: {:.2} ms with an account, {:.2} ms without; {:.1} standard deviations from alike   aim within 3",
                median(&known),
                median(&unknown),
                apart(&known, &unknown)
            );
        }
    }
    Ok(())
}

/// How far from alike two kinds of times are: the rank-sum statistic over all pairs, in standard deviations.
fn apart(known: &[f64], unknown: &[f64]) -> f64 {
    let pairs = (known.len() * unknown.len()) as f64;
    let longer = known.iter().map(|known| unknown.iter().filter(|unknown| known > unknown).count()).sum::<usize>();
    let noise = ((known.len() + unknown.len() + 1) as f64 / (12.0 * pairs)).sqrt();
    (longer as f64 / pairs - 0.5).abs() / noise
}

fn races(bench: &Bench) -> Result<(), String> {
    let (_, mut token) = bench.signed_in(0)?;
    let refresh = |token: &str| bench.post("/api/auth/refresh", &format!(r#"{{"refresh_token":"{token}"}}"#), "");
    let began = Instant::now();
    for race in 0..RACES {
        let request = refresh(&token);
        let answers: Vec<Result<(String, Duration), String>> = std::thread::scope(|scope| {
            let running: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(|| bench.wanted(&request, 200))).collect();
            let panicked = |_| Err("a race panicked".to_owned());
            running.into_iter().map(|thread| thread.join().unwrap_or_else(panicked)).collect()
        });
        let mut next = Vec::new();
        for answer in answers {
            next.push(tokens(&answer.map_err(|error| format!("race {race}, signed out: {error}"))?.0)?.1);
        }
        next.dedup();
        let [only] = &next[..] else { return Err(format!("race {race}: {} successors", next.len())) };
        token.clone_from(only);
    }
    let took = began.elapsed().as_secs_f64();
    println!("{RACES} races of {AT_ONCE} refreshes at once in {took:.1} s: nobody signed out, one successor each");
    Ok(())
}
