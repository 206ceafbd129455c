//! Databases that were not there before: private servers from installed programs, which outlive the run and a crash, servers in
//! containers that somebody starts, databases made on a server that exists.

use super::postgresql::run;
use crate::harness::mysql::{PrivateServer as PrivateMariaDb, mysql};
use crate::harness::postgresql::{PASSWORD, PASSWORD_ONLY, PrivateServer, is_root, psql};
use crate::harness::workspace::{Ended, Workspace, end, end_with_input, files};
use plan::Migration;
use plan::database::{LockClass, Undo};
use serde_json::{Value, json};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;
use store::{Database, Server};
use vocab::Engine;

const TABLES: &str = "schema_requirements: { tables: [{ name: rooms, columns: { number: integer } }] }";

fn task(lines: &str) -> String {
    task_of(&POSTGRESQL, lines)
}

fn task_of(kind: &Kind, lines: &str) -> String {
    let engine = kind.engine;
    format!(
        "task_id: rooms\ntask_type: configure_database\nspecifications:\n  database_config:\n    type: {engine}\n    name: rooms\n    {lines}\n    {TABLES}\n"
    )
}

/// What differs between the engines that have private servers.
struct Kind {
    engine: Engine,
    /// Who may do everything on such a server.
    superuser: &'static str,
    /// Who runs it where root asks for it.
    account: &'static str,
    is_possible: fn() -> bool,
    client: fn(&str, &str) -> Result<String, String>,
    /// Fails where the condition does not hold.
    must_hold: fn(&str) -> String,
    /// The file with its process.
    process: &'static str,
    /// What holds of it: durable, for this machine alone, in UTF-8, nobody gets in but with a password.
    holds: &'static [&'static str],
    /// What its packages are called.
    packages: &'static str,
    /// What a run that was killed leaves, beside what it leaves in the folder `data`.
    left: &'static [&'static str],
    elsewhere: &'static str,
}

const POSTGRESQL: Kind = Kind {
    engine: Engine::PostgreSql,
    superuser: "postgres",
    account: "postgres",
    is_possible: PrivateServer::is_possible,
    client: psql,
    must_hold: |condition| format!("DO $$ BEGIN ASSERT {condition}; END $$"),
    process: "postmaster.pid",
    holds: &[
        "current_setting('fsync') = 'on'",
        "current_setting('synchronous_commit') = 'on'",
        "current_setting('full_page_writes') = 'on'",
        "current_setting('listen_addresses') = '127.0.0.1'",
        "current_setting('data_checksums') = 'on'",
        "current_setting('server_encoding') = 'UTF8'",
        "current_setting('password_encryption') = 'scram-sha-256'",
    ],
    packages: "apt-get install postgresql",
    left: &["data/PG_VERSION", "password"],
    elsewhere: "postgresql://ada@db.invalid/rooms?sslmode=verify-full",
};

const MYSQL: Kind = Kind {
    engine: Engine::MySql,
    superuser: "root",
    account: "mysql",
    is_possible: PrivateMariaDb::is_possible,
    client: mysql,
    must_hold: |condition| format!("DO IF({condition}, 1, (SELECT 1 UNION ALL SELECT 2))"),
    process: "server.pid",
    holds: &[
        "@@innodb_flush_log_at_trx_commit = 1",
        "CAST(@@innodb_doublewrite AS CHAR) IN ('1', 'ON')",
        "@@bind_address = '127.0.0.1'",
        "@@socket = ''",
        "@@character_set_server = 'utf8mb4'",
        "@@time_zone = '+00:00'",
        "@@log_bin = 0",
        "@@local_infile = 0",
        "(SELECT COUNT(*) FROM mysql.user WHERE user = '') = 0",
        "(SELECT GROUP_CONCAT(host) FROM mysql.user WHERE user = 'root') = '127.0.0.1'",
        "(SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name = 'test') = 0",
    ],
    packages: "apt-get install mariadb-server",
    left: &["data/ibdata1", "setup.sql"],
    elsewhere: "mysql://ada@db.invalid/rooms?ssl-mode=VERIFY_IDENTITY",
};

/// A workspace to which the user that runs servers has a way. Its servers end with it.
struct Place(Workspace, &'static Kind);

impl Place {
    /// None where no programs are installed, which is said.
    fn new(test: &str, kind: &'static Kind) -> Option<Self> {
        if !(kind.is_possible)() {
            let _ = writeln!(std::io::stderr(), "SKIPPED {test}: no programs of {} are installed", kind.engine);
            return None;
        }
        let workspace = Workspace::new();
        #[cfg(unix)]
        fs::set_permissions(workspace.path(), std::os::unix::fs::PermissionsExt::from_mode(0o711)).unwrap();
        Some(Self(workspace, kind))
    }

    /// The task with those lines.
    fn task(&self, lines: &str) -> String {
        task_of(self.1, lines)
    }

    fn run(&self, lines: &str) -> Ended {
        self.0.run_text(&self.task(lines))
    }

    fn command(&self, words: &[&str]) -> Ended {
        end(&mut self.0.command(words))
    }

    fn name(&self) -> String {
        format!("{}_rooms", self.1.engine)
    }

    fn server(&self) -> Value {
        let status = self.command(&["status", "rooms", "--format", "json"]).must_end_with(0).stdout;
        serde_json::from_str::<Value>(&status).unwrap()["server"].clone()
    }

    fn address(&self) -> String {
        self.server()["address"].as_str().unwrap().to_owned()
    }

    /// The password as a deployment gets it.
    fn password(&self) -> String {
        let name = format!("servers/{}/{}", self.name(), self.1.superuser);
        let exported = self.command(&["secrets", "export", &name, "--stdout", "--format", "json"]);
        let exported: Value = serde_json::from_str(&exported.must_end_with(0).stdout).unwrap();
        exported.as_object().unwrap().values().next().unwrap().as_str().unwrap().to_owned()
    }

    /// The database for somebody.
    fn database(&self, user: &str, password: &str) -> Database {
        let url = format!("{}://{user}:{password}@{}/rooms", self.1.engine, self.address());
        Database::parse(self.1.engine, &url, |path| path.into()).unwrap()
    }

    fn execute(&self, text: &str) {
        let statement =
            plan::Statement::new(text, "a test", LockClass::Writes, Undo::Impossible("it is a test".to_owned()));
        let migration = Migration { name: vocab::sha256_hex(text.as_bytes()), statements: vec![statement] };
        let database = self.database(self.1.superuser, &self.password());
        let done = database.migrate("by hand", &[migration], "2026-01-02T03:04:05.678Z");
        assert!(done.is_ok(), "{text}: {done:?}");
    }

    /// `when` makes it a check of its own.
    fn holds(&self, condition: &str, when: &str) {
        self.execute(&format!("{} -- {when}", (self.1.must_hold)(condition)));
    }

    fn folder(&self) -> PathBuf {
        self.0.path().join(".producer/servers").join(self.name())
    }

    fn kill_server(&self) {
        let process = fs::read_to_string(self.folder().join("data").join(self.1.process)).unwrap();
        assert!(Command::new("kill").args(["-9", process.lines().next().unwrap()]).status().unwrap().success());
        // Its other processes see that it is gone.
        thread::sleep(Duration::from_millis(500));
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = end(&mut self.0.command(&["db", "stop"]));
    }
}

/// Makes a test for each engine out of a function that takes its kind.
macro_rules! on_both_engines {
    ($($name:ident),* $(,)?) => {
        mod on_postgresql {
            $(#[test]
            fn $name() {
                super::$name(&super::POSTGRESQL);
            })*
        }
        mod on_mysql {
            $(#[test]
            fn $name() {
                super::$name(&super::MYSQL);
            })*
        }
    };
}

on_both_engines!(
    a_private_server_is_made_once_and_outlives_the_run_a_stop_and_a_crash,
    the_password_of_a_private_server_is_kept_by_the_secret_store_alone,
    a_unit_for_the_service_manager_starts_the_same_server,
    a_machine_that_cannot_run_a_private_server_is_told_what_to_do,
    a_port_that_somebody_else_has_taken_meanwhile_is_named,
    a_server_that_was_not_made_whole_is_made_anew,
    a_run_that_makes_a_server_may_be_killed_at_any_moment,
    a_sandbox_keeps_to_this_machine_and_says_so,
);

fn a_private_server_is_made_once_and_outlives_the_run_a_stop_and_a_crash(kind: &'static Kind) {
    let Some(place) = Place::new("local", kind) else { return };
    let production = "environment: production\n    provision: local";
    let ended = place.run(production).must_end_with(0);
    let response = ended.response();
    assert_eq!(response["changed"], true);
    assert_eq!(response["output"]["database"]["status"], "connected");
    assert_eq!(response["output"]["database"]["name"], "rooms");
    for check in super::verified(&ended) {
        assert!(check.ends_with(": passed") || check.starts_with("a backup"), "{check}");
    }
    assert_eq!(place.server()["state"], "running");
    assert_eq!(place.run(production).must_end_with(0).response()["changed"], false);

    place.execute("INSERT INTO rooms (number) VALUES (7)");
    for condition in kind.holds {
        place.holds(condition, "once");
    }
    let address = place.address();
    for (user, password) in [(kind.superuser, "hunter2"), (kind.superuser, ""), ("ada", ""), ("", "")] {
        assert!(place.database(user, password).look("rooms").is_err(), "`{user}` gets in with `{password}`");
    }

    // A deployment gets in as the application.
    let exported = place.command(&["secrets", "export", "--for", "rooms", "--stdout"]).must_end_with(0).stdout;
    let url = exported.trim_end().strip_prefix("DATABASE_URL=").unwrap();
    assert!((kind.client)(url, "SELECT current_user").unwrap().starts_with("rooms_app"));
    (kind.client)(url, "DROP TABLE rooms").unwrap_err();

    let name = place.name();
    let stopped = place.command(&["db", "stop"]).must_end_with(0).stdout;
    assert!(stopped.contains(&format!("{name}  stopped")), "{stopped}");
    assert!(place.command(&["status"]).stdout.contains(&format!("{name}  stopped")));
    place.command(&["db", "stop", &name]).must_end_with(0);
    // A run needs it, and starts it.
    assert_eq!(place.run(production).must_end_with(0).response()["changed"], false);
    assert_eq!(place.address(), address, "the port stays the same");
    place.holds("(SELECT number FROM rooms) = 7", "after a stop");

    place.kill_server();
    assert_eq!(place.server()["state"], "stopped");
    let started = place.command(&["db", "start", "--format", "json"]).must_end_with(0).stdout;
    assert_eq!(serde_json::from_str::<Value>(&started).unwrap()[0]["state"], "running");
    place.holds("(SELECT number FROM rooms) = 7", "after a crash");
    place.kill_server();
    assert_eq!(place.run(production).must_end_with(0).response()["changed"], false);
    let unknown = place.command(&["db", "start", "shop"]).must_end_with(1).stderr;
    assert!(unknown.contains(&format!("no server `shop`; it has `{name}`")), "{unknown}");
}

fn the_password_of_a_private_server_is_kept_by_the_secret_store_alone(kind: &'static Kind) {
    let Some(place) = Place::new("local", kind) else { return };
    let ended = place.run("provision: local").must_end_with(0);
    let password = place.password();
    assert!(password.len() >= 32, "{} characters", password.len());
    place.command(&["db", "stop"]).must_end_with(0);
    assert!(!format!("{}{}", ended.stdout, ended.stderr).contains(&password));
    for (path, content) in files(place.0.path()) {
        assert!(!content.windows(password.len()).any(|part| part == password.as_bytes()), "{path} holds the password");
    }
}

fn a_unit_for_the_service_manager_starts_the_same_server(kind: &'static Kind) {
    let Some(place) = Place::new("local", kind) else { return };
    place.run("provision: local").must_end_with(0);
    let unit = place.folder().join(format!("{}.service", place.name()));
    let text = fs::read_to_string(&unit).unwrap();
    let run = text.lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap();
    assert!(run.contains(&place.folder().join("data").display().to_string()), "{run}");
    assert_eq!(text.contains(&format!("\nUser={}\n", kind.account)), is_root(), "{text}");
    if let Ok(verified) = Command::new("systemd-analyze").arg("verify").arg(&unit).output() {
        assert!(verified.status.success() && verified.stderr.is_empty(), "{verified:?}");
    }
    // As a service manager would: the words, that user, no environment.
    place.command(&["db", "stop"]).must_end_with(0);
    let line =
        format!("exec {}", run.replace("%%", "%").replace("unix_socket_directories=", "unix_socket_directories=''"));
    let mut service = match is_root() {
        true => Command::new("runuser"),
        false => Command::new("sh"),
    };
    let words: &[&str] = if is_root() { &["-u", kind.account, "--", "sh", "-c"] } else { &["-c"] };
    let service = service.args(words).arg(&line).current_dir("/").stdin(Stdio::null()).stdout(Stdio::null());
    let mut service = service.stderr(Stdio::null()).spawn().unwrap();
    for _ in 0..100 {
        if place.server()["state"] == "running" {
            break;
        }
        thread::sleep(Duration::from_millis(100));
    }
    place.execute("INSERT INTO rooms (number) VALUES (1)");
    assert_eq!(place.run("provision: local").must_end_with(0).response()["changed"], false);
    place.command(&["db", "stop"]).must_end_with(0);
    service.wait().unwrap();
}

fn a_machine_that_cannot_run_a_private_server_is_told_what_to_do(kind: &'static Kind) {
    let workspace = Workspace::new();
    let local = task_of(kind, "provision: local");
    let mut run = workspace.command(&["run", "-"]);
    let ended = end_with_input(run.env("PRODUCER_SERVER_PROGRAMS", workspace.path()), &local);
    let response = ended.must_end_with(3).response();
    assert_eq!((&response["status"], &response["error"]["code"]), (&json!("needs_input"), &json!("not_installed")));
    assert_eq!(response["error"]["kind"], "database.connection");
    for way in [kind.packages, "provision: container", "connection", "PRODUCER_SERVER_PROGRAMS"] {
        assert!(response["error"]["hint"].as_str().unwrap().contains(way), "{way}: {response}");
    }
    assert!(!workspace.path().join(".producer/secrets").exists(), "a password was made for nothing");
    if !is_root() || !(kind.is_possible)() {
        return;
    }
    #[cfg(unix)]
    fs::set_permissions(workspace.path(), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    let response = workspace.run_text(&local).must_end_with(3).response();
    assert_eq!(response["error"]["code"], "out_of_reach");
    let hint = response["error"]["hint"].as_str().unwrap();
    assert!(hint.contains(&format!("chmod o+x {}", workspace.path().display())), "{hint}");
}

fn a_port_that_somebody_else_has_taken_meanwhile_is_named(kind: &'static Kind) {
    let Some(place) = Place::new("local", kind) else { return };
    place.run("provision: local").must_end_with(0);
    let address = place.address();
    place.command(&["db", "stop"]).must_end_with(0);
    let other = std::net::TcpListener::bind(&address).unwrap();
    assert_eq!(place.server()["state"], "stopped", "another program is not our server");
    let started = place.command(&["db", "start"]).must_end_with(1).stderr;
    assert!(started.contains(address.rsplit(':').next().unwrap()) && started.contains("server.json"), "{started}");
    let error = place.run("provision: local").must_end_with(1).response()["error"].clone();
    assert_eq!((&error["kind"], &error["code"]), (&json!("database.connection"), &json!("port_taken")));
    drop(other);
    place.run("provision: local").must_end_with(0);
}

fn a_server_that_was_not_made_whole_is_made_anew(kind: &'static Kind) {
    let Some(place) = Place::new("local", kind) else { return };
    fs::create_dir_all(place.folder().join("data")).unwrap();
    for left in kind.left {
        fs::write(place.folder().join(left), "left behind").unwrap();
    }
    place.run("provision: local").must_end_with(0);
    for left in kind.left {
        let now = fs::read(place.folder().join(left)).unwrap_or_default();
        assert_ne!(now, b"left behind", "{left}");
    }
}

/// Moments of a run that makes a server, in milliseconds: from before the first file to after the last.
const MOMENTS: [u64; 5] = [120, 350, 700, 1100, 1600];

fn a_run_that_makes_a_server_may_be_killed_at_any_moment(kind: &'static Kind) {
    for moment in MOMENTS {
        let Some(place) = Place::new("killed", kind) else { return };
        let mut run = place.0.command(&["run", "-"]);
        let run = run.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut run = run.spawn().unwrap();
        run.stdin.take().unwrap().write_all(place.task("provision: local").as_bytes()).unwrap();
        thread::sleep(Duration::from_millis(moment));
        run.kill().unwrap();
        run.wait().unwrap();
        place.run("provision: local").must_end_with(0);
        assert_eq!(place.run("provision: local").must_end_with(0).response()["changed"], false, "{moment}");
        for left in &kind.left[1..] {
            assert!(!place.folder().join(left).exists(), "{moment}: {left}");
        }
        // One server, and no second one that waits for the first to end.
        place.command(&["db", "stop"]).must_end_with(0);
        thread::sleep(Duration::from_millis(300));
        assert_eq!(place.server()["state"], "stopped", "{moment}");
    }
}

/// The description of a container that nobody has started, the file with its password, and its port.
fn described(workspace: &Workspace, kind: &Kind, port_inside: u16) -> (Value, String, u16) {
    let container = task_of(kind, "provision: container");
    let response = workspace.run_text(&container).must_end_with(3).response();
    assert_eq!(
        (&response["status"], &response["error"]["code"]),
        (&json!("needs_input"), &json!("container_not_started"))
    );
    let compose = workspace.path().join("output/integration/task_rooms/databases/compose.yaml");
    let password_file = workspace.path().join(format!(".producer/servers/{}_rooms/password", kind.engine));
    let command = format!(
        "DATABASE_PASSWORD_FILE={} docker compose --file {} up --detach --wait",
        password_file.display(),
        compose.display()
    );
    assert!(response["error"]["hint"].as_str().unwrap().contains(&command), "{response}");
    assert_eq!(workspace.run_text(&container).must_end_with(3).response()["changed"], false);

    let text = fs::read_to_string(&compose).unwrap();
    let described: Value = serde_saphyr::from_str(&text).unwrap();
    let service = described["services"]["database"].clone();
    let password = fs::read_to_string(&password_file).unwrap();
    assert!(!text.contains(&password), "the password is written down");
    assert_eq!(
        described["secrets"]["database_password"]["file"].as_str().unwrap().split(':').next(),
        Some("${DATABASE_PASSWORD_FILE")
    );
    assert_eq!(service["secrets"], json!(["database_password"]));
    let port = service["ports"][0].as_str().unwrap();
    let inside = format!(":{port_inside}");
    let port = port.strip_prefix("127.0.0.1:").unwrap().strip_suffix(&inside).unwrap().parse().unwrap();
    #[cfg(unix)]
    {
        let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&password_file).unwrap().permissions());
        assert_eq!(mode & 0o777, 0o600);
    }
    (service, password, port)
}

/// No container here: a server with that password at that port is what the task sees of one.
fn is_worked_on(workspace: &Workspace, kind: &Kind, port: u16) {
    let container = task_of(kind, "provision: container");
    let response = workspace.run_text(&container).must_end_with(0).response();
    assert_eq!(response["output"]["database"]["host"], json!(format!("127.0.0.1:{port}")));
    assert_eq!(workspace.run_text(&container).must_end_with(0).response()["changed"], false);
}

#[test]
fn a_postgresql_container_is_described_and_asked_for_and_then_worked_on() {
    let workspace = Workspace::new();
    let (service, password, port) = described(&workspace, &POSTGRESQL, 5432);
    assert_eq!(service["environment"]["POSTGRES_PASSWORD_FILE"], "/run/secrets/database_password");
    assert_eq!(service["environment"]["POSTGRES_DB"], "rooms");
    assert_eq!(service["healthcheck"]["test"][1], "pg_isready");
    assert_eq!(service["volumes"], json!(["data:/var/lib/postgresql/data"]));
    let Some(mut server) = PrivateServer::make_with("container", PASSWORD_ONLY, &password) else { return };
    server.port = port;
    server.launch("");
    is_worked_on(&workspace, &POSTGRESQL, port);
}

#[test]
fn a_mysql_container_is_described_and_asked_for_and_then_worked_on() {
    let workspace = Workspace::new();
    let (service, password, port) = described(&workspace, &MYSQL, 3306);
    assert_eq!(service["environment"]["MARIADB_ROOT_PASSWORD_FILE"], "/run/secrets/database_password");
    assert_eq!(service["environment"]["MARIADB_DATABASE"], "rooms");
    assert_eq!(service["healthcheck"]["test"][1], "healthcheck.sh");
    assert_eq!(service["volumes"], json!(["data:/var/lib/mysql"]));
    let Some(_server) = PrivateMariaDb::start(port, "rooms", &password, &[]) else { return };
    is_worked_on(&workspace, &MYSQL, port);
}

#[test]
fn a_database_that_is_missing_is_made_on_its_server_if_the_role_may() {
    let Some(server) = PrivateServer::start("create", PASSWORD_ONLY, "") else { return };
    let by_hand = |text: &str| run(&Server::parse(&server.url()).unwrap(), "by hand", text);
    by_hand("CREATE ROLE maker LOGIN PASSWORD 'hunter2' CREATEDB; CREATE ROLE ada LOGIN PASSWORD 'hunter2'");
    let workspace = Workspace::new();
    let at = |user: &str, name: &str| {
        let mut run = workspace.command(&["run", "-"]);
        run.env("ROOMS_URL", format!("postgresql://{user}:hunter2@127.0.0.1:{}/{name}", server.port));
        end_with_input(&mut run, &task("connection: ${env:ROOMS_URL}"))
    };
    let error = at("ada", "rooms").must_end_with(1).response()["error"].clone();
    assert_eq!((&error["kind"], &error["code"]), (&json!("database.connection"), &json!("database_missing")));
    assert!(error["hint"].as_str().unwrap().contains("ALTER ROLE name CREATEDB"), "{error}");

    let ended = at("maker", "rooms\"; drop %26 Räume").must_end_with(0);
    assert_eq!(ended.response()["changed"], true);
    let made = "the database was made on its server: passed".to_owned();
    assert!(super::verified(&ended).contains(&made), "{:?}", super::verified(&ended));
    let ended = at("maker", "rooms\"; drop %26 Räume").must_end_with(0);
    assert_eq!(ended.response()["changed"], false);
    assert!(!super::verified(&ended).contains(&made));
    by_hand(
        "DO $$ BEGIN ASSERT (SELECT pg_encoding_to_char(encoding) FROM pg_database WHERE datname = 'rooms\"; drop & Räume') = 'UTF8'; END $$",
    );
    let url = server.url();
    assert!(
        !url.is_empty() && Database::PostgreSql(Server::parse(&url).unwrap()).look("rooms").unwrap().tables.is_empty()
    );
    assert!(!ended.stdout.contains(PASSWORD));
}

#[test]
fn a_server_that_starts_is_waited_for() {
    // A replica that takes nobody until it is promoted says what a server says that is starting.
    let Some(primary) = PrivateServer::make("starts", PASSWORD_ONLY) else { return };
    let starting = primary.copy();
    fs::write(starting.path("data/standby.signal"), "").unwrap();
    starting.launch("-c hot_standby=off");
    let absent = primary.copy();
    for server in [&starting, &absent] {
        let workspace = Workspace::new();
        let url = server.url();
        std::thread::scope(|scope| {
            let ended = scope.spawn(|| {
                let mut run = workspace.command(&["run", "-"]);
                end_with_input(run.env("ROOMS_URL", &url), &task("connection: ${env:ROOMS_URL}"))
            });
            std::thread::sleep(Duration::from_secs(1));
            match server.path("data/standby.signal").exists() {
                true => server.promote(),
                false => server.launch(""),
            }
            let ended = ended.join().unwrap().must_end_with(0);
            assert!(ended.stderr.contains("waiting for the database server: 127.0.0.1:"), "{}", ended.stderr);
        });
    }
}

#[test]
fn data_that_is_not_for_development_is_never_sent_in_the_clear() {
    let workspace = Workspace::new();
    for (parameters, wanted) in [
        ("", "encryption_required"),
        ("?sslmode=disable", "encryption_required"),
        ("?sslmode=prefer", "encryption_required"),
        ("?sslmode=require", "unknown_host"),
        ("?sslmode=verify-full", "unknown_host"),
    ] {
        let mut run = workspace.command(&["run", "-"]);
        run.env("ROOMS_URL", format!("postgresql://ada:hunter2@nowhere.invalid/rooms{parameters}"));
        let staging = task("environment: staging\n    connection: ${env:ROOMS_URL}");
        let error = end_with_input(&mut run, &staging).must_end_with(1).response()["error"].clone();
        assert_eq!((&error["kind"], &error["code"]), (&json!("database.connection"), &json!(wanted)), "{parameters}");
    }
}

fn a_sandbox_keeps_to_this_machine_and_says_so(kind: &'static Kind) {
    let engine = kind.engine;
    let elsewhere = task_of(kind, &format!("environment: production\n    connection: \"{}\"", kind.elsewhere));
    // Without programs of the engine an embedded file does.
    let workspace = Workspace::new();
    let mut run = workspace.command(&["run", "-", "--sandbox"]);
    let ended = end_with_input(run.env("PRODUCER_SERVER_PROGRAMS", workspace.path()), &elsewhere).must_end_with(0);
    let response = ended.response();
    assert_eq!(response["output"]["database"]["status"], "simulated");
    let file = response["output"]["database"]["name"].as_str().unwrap();
    assert!(file.ends_with(".producer/data/sandbox_rooms.sqlite"), "{file}");
    let said = |response: &Value| {
        let checks = response["verification"].as_array().unwrap();
        let check = checks.iter().find(|check| check["outcome"] == "simulated").unwrap().clone();
        (check["check"].as_str().unwrap().to_owned(), check["detail"].as_str().unwrap().to_owned())
    };
    let (check, detail) = said(&response);
    assert_eq!(check, format!("a database of this machine stands in for the production {engine}"));
    assert!(detail.contains(&format!("no programs of {engine} are installed")), "{detail}");

    let Some(place) = Place::new("sandbox", kind) else { return };
    let mut run = place.0.command(&["run", "-", "--sandbox"]);
    let response = end_with_input(&mut run, &elsewhere).must_end_with(0).response();
    assert_eq!(response["output"]["database"]["status"], "simulated");
    assert_eq!(response["output"]["database"]["name"], "sandbox_rooms");
    assert!(response["output"]["database"]["host"].as_str().unwrap().starts_with("127.0.0.1:"));
    assert!(said(&response).1.contains(&format!("a private {engine} server")), "{response}");
    let mut run = place.0.command(&["run", "-", "--sandbox"]);
    assert_eq!(end_with_input(&mut run, &elsewhere).must_end_with(0).response()["changed"], false);
}

/// The folders of backups, the oldest first.
fn backups_of(folder: &Path) -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    all.sort();
    all
}

/// Backed up while somebody writes, compared, restored beside the server, and where nothing is left of it.
#[test]
fn what_a_private_server_keeps_comes_back_as_another_one() {
    let Some(place) = Place::new("backups", &POSTGRESQL) else { return };
    let backup = "provision: local\n    backup: { schedule: hourly, destination: kept, point_in_time: true }";
    let ended = place.run(backup).must_end_with(0);
    assert!(super::verified(&ended).contains(&"a backup was restored: passed".to_owned()));
    place.execute("INSERT INTO rooms (number) VALUES (7), (8)");
    let url = |address: &str| format!("postgresql://postgres:{}@{address}/rooms", place.password());
    let (own, writing) = (url(&place.address()), AtomicBool::new(true));
    let backed_up = thread::scope(|scope| {
        scope.spawn(|| {
            while writing.load(Ordering::Relaxed) {
                psql(&own, "INSERT INTO rooms (number) VALUES (9)").unwrap();
            }
        });
        let ended = place.command(&["db", "backup", "rooms"]);
        writing.store(false, Ordering::Relaxed);
        ended
    });
    backed_up.must_end_with(0);
    // Who may not copy a server is told what to ask for, before anything is made.
    psql(&own, "CREATE ROLE ada LOGIN CREATEROLE PASSWORD 'ada'").unwrap();
    psql(&own, "CREATE DATABASE halls OWNER ada").unwrap();
    let of_ada = format!("postgresql://ada:ada@{}/halls", place.address());
    let workspace = Workspace::new();
    let task = place.task("connection: \"${env:DATABASE_OF_TEST}\"\n    backup: { schedule: hourly }");
    let mut run = workspace.command(&["run", "-"]);
    let asks = end_with_input(run.env("DATABASE_OF_TEST", of_ada), &task).must_end_with(3).response();
    assert_eq!(asks["error"]["code"], "IP392");
    let cause = asks["error"]["cause"].as_str().unwrap();
    for wanted in ["`ALTER ROLE ada REPLICATION`", "GRANT EXECUTE ON FUNCTION pg_create_restore_point(text) TO ada"] {
        assert!(cause.contains(wanted), "{cause}");
    }

    let drills = place.0.path().join(".producer/drills-rooms");
    assert!(!drills.read_dir().unwrap().any(|_| true), "nothing of a drill stays");
    // What was not kept of the log cannot be had.
    let now = "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')";
    let moment = psql(&own, now).unwrap().trim().to_owned();
    let unkept = place.command(&["db", "restore", "rooms", "--to", &moment]).must_end_with(1).stderr;
    assert!(unkept.contains("IP388: the log behind backup"), "{unkept}");
    let written = backups_of(&place.0.path().join("kept/rooms")).remove(1);
    let written = written.file_name().unwrap().to_str().unwrap();
    for option in [["--over", "rooms"], ["--into", "rooms.sqlite"]] {
        let refused = place.command(&[&["db", "restore", "rooms"][..], &option].concat()).must_end_with(1).stderr;
        assert!(refused.contains("IP391: "), "{refused}");
    }

    // A file of the log is cut off: nothing comes back, and no server is left behind.
    let kept = place.0.path().join("kept");
    let all = backups_of(&kept.join("rooms"));
    let [_, newest] = &all[..] else { panic!("a run made one, and a command") };
    let log = fs::read_dir(newest)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("log-"));
    let log = log.max().unwrap();
    let whole = fs::read(&log).unwrap();
    fs::write(&log, &whole[..whole.len() - 1]).unwrap();
    let refused = place.command(&["db", "drill", "rooms"]).must_end_with(1).stderr;
    assert!(refused.contains("IP382: object `log-"), "{refused}");
    assert!(!drills.read_dir().unwrap().any(|_| true));
    fs::write(&log, whole).unwrap();

    // Another machine has the folder of backups, and the key of the secrets that are in it.
    let other = Place::new("backups", &POSTGRESQL).unwrap();
    for (path, key) in files(&place.0.path().join("config")) {
        let copy = other.0.path().join("config").join(path);
        fs::create_dir_all(copy.parent().unwrap()).unwrap();
        fs::write(&copy, key).unwrap();
        #[cfg(unix)]
        fs::set_permissions(&copy, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    }
    let from = ["db", "restore", "rooms", "--from", kept.to_str().unwrap(), "--backup", written];
    other.command(&from).must_end_with(0);
    let came_back = psql(&url(&other.address()), "SELECT count(*) FROM rooms WHERE number IN (7, 8)").unwrap();
    assert_eq!(came_back.trim(), "2");
    let again = other.run("provision: local").must_end_with(0);
    assert!(super::verified(&again).contains(&"the schema was read back from the database: passed".to_owned()));
}

/// Without backups of every moment it keeps no log; with them it does, from then on, and when it has come back too.
#[test]
fn a_private_server_of_mariadb_keeps_its_log_where_every_moment_is_to_come_back() {
    let Some(place) = Place::new("every moment", &MYSQL) else { return };
    place.run("provision: local").must_end_with(0);
    place.execute("INSERT INTO rooms (number) VALUES (7)");
    let every_moment = "provision: local\n    backup: { schedule: hourly, destination: kept, point_in_time: true }";
    let ended = place.run(every_moment).must_end_with(0);
    assert_eq!(ended.response()["changed"], true);
    assert!(super::verified(&ended).contains(&"a backup was restored: passed".to_owned()));
    assert_eq!(place.run(every_moment).must_end_with(0).response()["changed"], false);
    place.holds("@@log_bin = 1 AND @@sync_binlog = 1 AND @@binlog_format = 'ROW'", "asked for");
    let unit = fs::read_to_string(place.folder().join("mysql_rooms.service")).unwrap();
    assert!(unit.contains("--log-bin=binlog") && !unit.contains("--skip-log-bin"), "{unit}");

    place.execute("INSERT INTO rooms (number) VALUES (8)");
    // Its log knows seconds.
    let second = || thread::sleep(Duration::from_millis(1_100));
    second();
    let moment = jiff::Timestamp::now().to_string();
    second();
    place.execute("DELETE FROM rooms");
    place.command(&["db", "backup", "rooms", "--log"]).must_end_with(0);
    let password = place.password();
    let numbers = |restored: Ended| {
        let restored: Value = serde_json::from_str(&restored.must_end_with(0).stdout).unwrap();
        let url = format!("mysql://root:{password}@{}", restored["address"].as_str().unwrap());
        mysql(&url, "SELECT GROUP_CONCAT(number ORDER BY number) FROM rooms").unwrap().trim().to_owned()
    };
    let restore = ["db", "restore", "rooms", "--to", &moment, "--format", "json"];
    assert_eq!(numbers(place.command(&restore)), "7,8");

    // Gone, it comes back where it was.
    place.command(&["db", "stop"]).must_end_with(0);
    fs::remove_dir_all(place.folder()).unwrap();
    let listed = place.command(&["db", "backups", "rooms", "--format", "json"]).must_end_with(0).stdout;
    assert!(listed.contains(r#""a private server that is gone, rooms""#), "{listed}");
    let refused = place.command(&["db", "backup", "rooms"]).must_end_with(1).stderr;
    assert!(refused.contains("the server of `rooms` was not made yet"), "{refused}");
    assert_eq!(numbers(place.command(&restore)), "7,8");
    place.holds("@@log_bin = 1", "come back");
    // Its log is another one now: a backup begins it anew.
    let refused = place.command(&["db", "backup", "rooms", "--log"]).must_end_with(1).stderr;
    assert!(refused.contains("IP388: "), "{refused}");
    place.command(&["db", "backup", "rooms"]).must_end_with(0);
    place.command(&["db", "backup", "rooms", "--log"]).must_end_with(0);

    // Nobody needs it any more.
    place.run("provision: local").must_end_with(0);
    place.command(&["db", "stop", &place.name()]).must_end_with(0);
    place.command(&["db", "start", &place.name()]).must_end_with(0);
    place.holds("@@log_bin = 0", "no longer asked for");
}
