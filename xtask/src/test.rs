//! `cargo xtask test`: gets what the tests need, runs every runner, ends with one line of sums.
//! A part that cannot be had here is skipped loudly; with `CI=true` it is a failure.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use serde_json::{Map, Value, json};

use crate::repository::Repository;
use crate::runner::{Runner, Tally};
use crate::schemathesis::{self, Extent};
use crate::{installed, mariadb, mongodb, postgresql, squawk, stripe_mock};

const OLDEST_NODE: u32 = 20;
/// Names the packages of the emitted application.
pub const MANIFEST: &str = "crates/emit/node/package.json";
/// Each names the driver of one database engine, or what an application of accounts or mails stands on; the tests get them all.
const FURTHER_MANIFESTS: [&str; 7] = [
    "crates/emit/node/accounts/package.json",
    "crates/emit/node/issuer/package.json",
    "crates/emit/node/mail/package.json",
    "crates/emit/node/sqlite/package.json",
    "crates/emit/node/postgresql/package.json",
    "crates/emit/node/mysql/package.json",
    "crates/emit/node/mongodb/package.json",
];
/// What the tests need beside the application's own packages: a compiler, providers' own packages for their simulators, a provider at
/// which somebody agrees and a client of such, a mail server with somebody who reads mails, and what runs collections of API clients.
const TEST_PACKAGES: [(&str, &str); 10] = [
    ("typescript", "5.9.3"),
    ("stripe", "23.1.0"),
    ("@hubspot/api-client", "13.5.0"),
    ("@mailchimp/mailchimp_marketing", "3.0.80"),
    ("oidc-provider", "8.8.1"),
    ("oauth4webapi", "3.8.8"),
    ("smtp-server", "3.21.6"),
    ("mailparser", "3.14.2"),
    ("newman", "6.2.2"),
    ("standardwebhooks", "1.1.1"),
];
const LIB: &str = "crates/emit/node/lib";
const BREACHED: &str = "crates/vocab/src/password/breached.txt";
const NODE_FOLDER: &str = "target/node";

/// Runs everything; the last line on standard output is `N passed, M failed, K skipped`.
pub fn run(repository: &Repository) -> ExitCode {
    let tally = tally(repository);
    tally.print();
    if tally.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What stands between applications and PostgreSQL where somebody puts it there.
const POOLER: &str = "pgbouncer";

/// Runs everything and hands the sums back unprinted. The binary is the one that the Rust tests are built with: one that is built by itself
/// has other features of its dependencies, and so compiles most of them once more.
pub fn tally(repository: &Repository) -> Tally {
    let mut tally = Tally::default();
    let node = obtain_node(repository);
    let (postgresql, mariadb) = (postgresql::Server::obtain(), mariadb::Server::obtain());
    let mongodb = mongodb::Server::obtain(repository);
    let servers = [
        Server {
            name: "PostgreSQL",
            variable: postgresql::VARIABLE,
            found: postgresql.as_ref().map(|server| (&*server.url, &*server.origin)).map_err(|why| &**why),
        },
        Server {
            name: "MariaDB",
            variable: mariadb::VARIABLE,
            found: mariadb.as_ref().map(|server| (&*server.url, &*server.origin)).map_err(|why| &**why),
        },
        Server {
            name: "MongoDB",
            variable: mongodb::VARIABLE,
            found: mongodb.as_ref().map(|server| (&*server.url, &*server.origin)).map_err(|why| &**why),
        },
    ];
    test_crates(repository, &node, &servers, &mut tally);
    for server in &servers {
        if let Err(why) = server.found {
            tally.skip(format!("the tests on {}: {why}", server.name));
        }
    }
    match &node {
        Node::Ready { .. } => test_lib(repository, &servers, &mut tally),
        Node::Missing(why) => tally.skip(format!("the tests of `{LIB}` and of the emitted app: {why}")),
        Node::Broken(why) => tally.fail(why),
    }
    schemathesis::tally(repository, Extent::Bounded, &node, &mut tally);
    match &postgresql {
        Ok(server) => squawk::tally(repository, server, &mut tally),
        Err(why) => tally.skip(format!("Squawk: {why}")),
    }
    print_parts(&node, &servers);
    nothing_skipped_in_ci(&mut tally);
    tally
}

/// A database server for the tests.
struct Server<'s> {
    name: &'static str,
    variable: &'static str,
    /// Its URL and where it came from, or why there is none.
    found: Result<(&'s str, &'s str), &'s str>,
}

/// On a machine that has to have everything, what was skipped is a failure.
pub fn nothing_skipped_in_ci(tally: &mut Tally) {
    if std::env::var("CI").is_ok_and(|value| value == "true") && tally.skipped > 0 {
        tally.fail("with `CI=true` nothing may be skipped");
    }
}

/// What the machine has for the JavaScript half.
#[derive(Debug)]
pub enum Node {
    /// Versions, where the programs are, and the installed packages.
    Ready { node: String, npm: String, modules: PathBuf, packages: &'static str },
    /// Cannot be had here, and why.
    Missing(String),
    /// The repository itself is wrong.
    Broken(String),
}

pub fn obtain_node(repository: &Repository) -> Node {
    let Some((node, node_version)) = program("node") else {
        return Node::Missing(format!("no `node` on the path (Node.js {OLDEST_NODE} or newer is needed)"));
    };
    if major(&node_version).is_none_or(|major| major < OLDEST_NODE) {
        return Node::Missing(format!("`node` is {node_version}, Node.js {OLDEST_NODE} or newer is needed"));
    }
    let Some((npm, npm_version)) = program("npm") else {
        return Node::Missing("no `npm` on the path".to_owned());
    };
    let package = match test_package(repository) {
        Ok(package) => package,
        Err(why) => return Node::Broken(why),
    };
    match install(&repository.root.join(NODE_FOLDER), &package) {
        Ok(packages) => Node::Ready {
            node: format!("{node_version} ({})", node.display()),
            npm: format!("{npm_version} ({})", npm.display()),
            modules: modules(repository),
            packages,
        },
        Err(why) => Node::Missing(why),
    }
}

/// The folder with what the emitted application and its tests need.
pub fn install_application_packages(repository: &Repository) -> Result<PathBuf, String> {
    install(&repository.root.join(NODE_FOLDER), &test_package(repository)?)?;
    Ok(modules(repository))
}

fn modules(repository: &Repository) -> PathBuf {
    repository.root.join(NODE_FOLDER).join("node_modules")
}

/// A program's place on the path and what it says to `--version`.
pub fn program(name: &str) -> Option<(PathBuf, String)> {
    let output = Command::new(name).arg("--version").output().ok().filter(|output| output.status.success())?;
    let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let place = std::env::split_paths(&folders).map(|folder| folder.join(name)).find(|path| path.is_file())?;
    Some((place, version))
}

/// `20` of `v20.1.0`.
fn major(version: &str) -> Option<u32> {
    version.trim_start_matches('v').split('.').next()?.parse().ok()
}

/// A package with the emitted app's dependencies and nothing else.
fn test_package(repository: &Repository) -> Result<String, String> {
    let emitted = manifest(repository, MANIFEST)?;
    let mut dependencies = Map::new();
    dependencies.extend(dependencies_in(&emitted, MANIFEST)?);
    for driver in FURTHER_MANIFESTS {
        dependencies.extend(dependencies_in(&manifest(repository, driver)?, driver)?);
    }
    let kind = emitted.get("type").cloned().unwrap_or_else(|| json!("module"));
    let mut package =
        json!({ "name": "emitted-app-tests", "private": true, "type": kind, "dependencies": dependencies });
    package["scarfSettings"] = emitted.get("scarfSettings").cloned().unwrap_or_default();
    package["devDependencies"] = json!(TEST_PACKAGES.iter().copied().collect::<BTreeMap<_, _>>());
    Ok(format!("{package:#}\n"))
}

fn manifest(repository: &Repository, path: &str) -> Result<Value, String> {
    serde_json::from_str(&repository.read(path)?).map_err(|error| format!("`{path}` is not JSON: {error}"))
}

fn dependencies_in(manifest: &Value, path: &str) -> Result<Map<String, Value>, String> {
    let found = manifest.get("dependencies").and_then(Value::as_object);
    found.cloned().ok_or_else(|| format!("`{path}` has no `dependencies` object"))
}

/// Installs `package` in `folder` unless the stamp there says that this very text is installed.
pub fn install(folder: &Path, package: &str) -> Result<&'static str, String> {
    let stamp = folder.join("installed.json");
    let modules = folder.join("node_modules");
    if modules.is_dir() && fs::read_to_string(&stamp).is_ok_and(|installed| installed == package) {
        return Ok("already there");
    }
    let write =
        |path: &Path| fs::write(path, package).map_err(|error| format!("cannot write `{}`: {error}", path.display()));
    fs::create_dir_all(folder).map_err(|error| format!("cannot make `{}`: {error}", folder.display()))?;
    write(&folder.join("package.json"))?;
    // Not `npm --prefix`, which may install nothing: npm works in the folder itself.
    let status = Command::new("npm").args(["install", "--no-audit", "--no-fund"]).current_dir(folder).status();
    if !status.is_ok_and(|status| status.success()) || !modules.is_dir() {
        return Err("`npm install` of the emitted app's packages failed".to_owned());
    }
    write(&stamp)?;
    Ok("installed now")
}

fn test_crates(repository: &Repository, node: &Node, servers: &[Server<'_>], tally: &mut Tally) {
    let mut command = repository.cargo(&["test", "--workspace", "--no-fail-fast"]);
    match node {
        Node::Ready { modules, .. } => command.env("NODE_MODULES", modules),
        Node::Missing(_) | Node::Broken(_) => command.env_remove("NODE_MODULES"),
    };
    hand_over(servers, &mut command);
    // Without these the tests that ask for them say that they are skipped.
    if program(POOLER).is_none()
        && let Err(why) = installed::install(POOLER, POOLER, "install PgBouncer")
    {
        println!("{why}");
    }
    match stripe_mock::obtain(repository) {
        Ok(program) => command.env(stripe_mock::VARIABLE, program),
        Err(why) => {
            println!("the official specification of Stripe is not asked: {why}");
            command.env_remove(stripe_mock::VARIABLE)
        }
    };
    command.env("TMPDIR", installed::scratch());
    // They wait for servers about a third of the time.
    if let (Ok(cores), Err(_)) = (std::thread::available_parallelism(), std::env::var("RUST_TEST_THREADS")) {
        command.env("RUST_TEST_THREADS", (cores.get() + cores.get().div_ceil(2)).to_string());
    }
    tally.run("`cargo test`", Runner::Cargo, &mut command);
}

fn hand_over(servers: &[Server<'_>], command: &mut Command) {
    for server in servers {
        match server.found {
            Ok((url, _)) => command.env(server.variable, url),
            Err(_) => command.env_remove(server.variable),
        };
    }
}

/// The lib is copied beside `node_modules` first: ES modules are resolved from where a file really is.
fn test_lib(repository: &Repository, servers: &[Server<'_>], tally: &mut Tally) {
    let folder = repository.root.join(NODE_FOLDER);
    let tests = copy_lib(repository, &folder).and_then(|()| lib_tests(repository));
    match tests {
        Ok(tests) => {
            let mut command = Command::new("node");
            command.current_dir(&folder).args(["--test", "--test-reporter=spec"]).args(tests);
            hand_over(servers, &mut command);
            tally.run("`node --test`", Runner::Node, &mut command);
        }
        Err(why) => tally.fail(why),
    }
}

fn copy_lib(repository: &Repository, folder: &Path) -> Result<(), String> {
    let target = folder.join("lib");
    if target.is_dir() {
        fs::remove_dir_all(&target).map_err(|error| format!("cannot clear `{}`: {error}", target.display()))?;
    }
    for path in repository.files(LIB, "")? {
        let inside = path.strip_prefix(LIB).unwrap_or(&path).trim_start_matches('/');
        let copy = target.join(inside);
        let parent = copy.parent().unwrap_or(&target);
        fs::create_dir_all(parent)
            .and_then(|()| fs::copy(repository.root.join(&path), &copy))
            .map_err(|error| format!("cannot copy `{path}`: {error}"))?;
    }
    // It travels with the lib too, and is the native server's.
    let copied = fs::copy(repository.root.join(BREACHED), target.join("breached-passwords.txt"));
    copied.map(drop).map_err(|error| format!("cannot copy `{BREACHED}`: {error}"))
}

/// The test files, named one by one: what `node --test <folder>` means differs between versions.
fn lib_tests(repository: &Repository) -> Result<Vec<String>, String> {
    let folder = format!("{LIB}/test");
    let scripts: Vec<String> = repository
        .files(&folder, "js")?
        .into_iter()
        .filter(|path| path.ends_with(".js") || path.ends_with(".mjs"))
        .map(|path| format!("lib{}", path.strip_prefix(LIB).unwrap_or(&path)))
        .collect();
    let named = |path: &String| path.ends_with(".test.js") || path.ends_with(".test.mjs");
    let tests: Vec<String> = scripts.iter().filter(|path| named(path)).cloned().collect();
    match (tests.is_empty(), scripts.is_empty()) {
        (false, _) => Ok(tests),
        (true, false) => Ok(scripts),
        (true, true) => Err(format!("no test file in `{folder}`")),
    }
}

fn print_parts(node: &Node, servers: &[Server<'_>]) {
    println!("\nexternal parts:");
    match node {
        Node::Ready { node, npm, modules, packages } => {
            println!("  node          {node}");
            println!("  npm           {npm}");
            println!("  npm packages  {} ({packages})", modules.display());
        }
        Node::Missing(why) | Node::Broken(why) => println!("  node          not used: {why}"),
    }
    for server in servers {
        match server.found {
            Ok((_, origin)) => println!("  {:<12}  {origin}", server.name),
            Err(why) => println!("  {:<12}  not used: {why}", server.name),
        }
    }
}
