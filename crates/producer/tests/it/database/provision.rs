//! Databases that were not there before: private servers from installed programs, which outlive the run and a crash, servers in
//! containers that somebody starts, databases made on a server that exists.

use super::postgresql::run;
use crate::harness::postgresql::{PASSWORD, PASSWORD_ONLY, PrivateServer, is_root, psql};
use crate::harness::workspace::{Ended, Workspace, end, end_with_input, files};
use serde_json::json;
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;
use store::{Database, Server};

const TABLES: &str = "schema_requirements: { tables: [{ name: rooms, columns: { number: integer } }] }";

fn task(lines: &str) -> String {
    format!(
        "task_id: rooms\ntask_type: configure_database\nspecifications:\n  database_config:\n    type: postgresql\n    name: rooms\n    {lines}\n    {TABLES}\n"
    )
}

/// A workspace to which the user that runs servers has a way. Its servers end with it.
struct Place(Workspace);

impl Place {
    /// None where no programs are installed, which is said.
    fn new(test: &str) -> Option<Self> {
        if !provision_is_possible() {
            let _ = writeln!(std::io::stderr(), "SKIPPED {test}: no `initdb` of PostgreSQL is installed");
            return None;
        }
        let workspace = Workspace::new();
        #[cfg(unix)]
        fs::set_permissions(workspace.path(), std::os::unix::fs::PermissionsExt::from_mode(0o711)).unwrap();
        Some(Self(workspace))
    }

    fn run(&self, task: &str) -> Ended {
        self.0.run_text(task)
    }

    fn command(&self, words: &[&str]) -> Ended {
        end(&mut self.0.command(words))
    }

    fn server(&self) -> serde_json::Value {
        let status = self.command(&["status", "rooms", "--format", "json"]).must_end_with(0).stdout;
        serde_json::from_str::<serde_json::Value>(&status).unwrap()["server"].clone()
    }

    /// The password as a deployment gets it.
    fn password(&self) -> String {
        let exported =
            self.command(&["secrets", "export", "servers/postgresql_rooms/postgres", "--stdout", "--format", "json"]);
        let exported: serde_json::Value = serde_json::from_str(&exported.must_end_with(0).stdout).unwrap();
        exported.as_object().unwrap().values().next().unwrap().as_str().unwrap().to_owned()
    }

    fn database(&self) -> Server {
        let address = self.server()["address"].as_str().unwrap().to_owned();
        Server::parse(&format!("postgresql://postgres:{}@{address}/rooms", self.password())).unwrap()
    }

    fn execute(&self, statement: &str) {
        run(&self.database(), "by hand", statement);
    }

    fn data(&self) -> PathBuf {
        self.0.path().join(".producer/servers/postgresql_rooms/data")
    }

    fn process(&self) -> String {
        fs::read_to_string(self.data().join("postmaster.pid")).unwrap().lines().next().unwrap().to_owned()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = end(&mut self.0.command(&["db", "stop"]));
    }
}

fn provision_is_possible() -> bool {
    PrivateServer::is_possible()
}

#[test]
fn a_private_server_is_made_once_and_outlives_the_run_a_stop_and_a_crash() {
    let Some(place) = Place::new("local") else { return };
    let production = task("environment: production\n    provision: local");
    let response = place.run(&production).must_end_with(0).response();
    assert_eq!(response["changed"], true);
    assert_eq!(response["output"]["database"]["status"], "connected");
    assert_eq!(response["output"]["database"]["name"], "rooms");
    assert_eq!(place.server()["state"], "running");
    assert_eq!(place.run(&production).must_end_with(0).response()["changed"], false);

    place.execute("INSERT INTO rooms (number) VALUES (7)");
    let seven = "DO $$ BEGIN ASSERT (SELECT number FROM rooms) = 7; END $$";
    // Durable, for this machine alone, in UTF-8, with checksums.
    for (setting, value) in [
        ("fsync", "on"),
        ("synchronous_commit", "on"),
        ("full_page_writes", "on"),
        ("listen_addresses", "127.0.0.1"),
        ("data_checksums", "on"),
        ("server_encoding", "UTF8"),
        ("password_encryption", "scram-sha-256"),
    ] {
        place.execute(&format!("DO $$ BEGIN ASSERT current_setting('{setting}') = '{value}', '{setting}'; END $$"));
    }
    let address = place.server()["address"].clone();
    let wrong = Server::parse(&format!("postgresql://postgres:hunter2@{}/rooms", address.as_str().unwrap())).unwrap();
    assert!(wrong.look("rooms").is_err(), "any password opens it");

    // A deployment gets in as the application.
    let exported = place.command(&["secrets", "export", "--for", "rooms", "--stdout"]).must_end_with(0).stdout;
    let url = exported.trim_end().strip_prefix("DATABASE_URL=").unwrap();
    assert_eq!(psql(url, "SELECT current_user").unwrap(), "rooms_app\n");
    psql(url, "DROP TABLE rooms").unwrap_err();

    let stopped = place.command(&["db", "stop"]).must_end_with(0).stdout;
    assert!(stopped.contains("postgresql_rooms  stopped"), "{stopped}");
    assert!(place.command(&["status"]).stdout.contains("postgresql_rooms  stopped"));
    place.command(&["db", "stop", "postgresql_rooms"]).must_end_with(0);
    // A run needs it, and starts it.
    assert_eq!(place.run(&production).must_end_with(0).response()["changed"], false);
    assert_eq!(place.server()["address"], address, "the port stays the same");
    place.execute(&format!("{seven} -- after a stop"));

    assert!(Command::new("kill").args(["-9", &place.process()]).status().unwrap().success());
    // Its other processes see that it is gone.
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(place.server()["state"], "stopped");
    let started = place.command(&["db", "start", "--format", "json"]).must_end_with(0).stdout;
    assert_eq!(serde_json::from_str::<serde_json::Value>(&started).unwrap()[0]["state"], "running");
    place.execute(&format!("{seven} -- after a crash"));
    let unknown = place.command(&["db", "start", "shop"]).must_end_with(1).stderr;
    assert!(unknown.contains("no server `shop`; it has `postgresql_rooms`"), "{unknown}");
}

#[test]
fn the_password_of_a_private_server_is_kept_by_the_secret_store_alone() {
    let Some(place) = Place::new("local") else { return };
    let ended = place.run(&task("provision: local")).must_end_with(0);
    let password = place.password();
    assert!(password.len() >= 32, "{} characters", password.len());
    place.command(&["db", "stop"]).must_end_with(0);
    assert!(!format!("{}{}", ended.stdout, ended.stderr).contains(&password));
    for (path, content) in files(place.0.path()) {
        assert!(!content.windows(password.len()).any(|part| part == password.as_bytes()), "{path} holds the password");
    }
}

#[test]
fn a_unit_for_the_service_manager_starts_the_same_server() {
    let Some(place) = Place::new("local") else { return };
    place.run(&task("provision: local")).must_end_with(0);
    let unit = place.data().with_file_name("postgresql_rooms.service");
    let text = fs::read_to_string(&unit).unwrap();
    let run = text.lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap();
    assert!(run.contains(&format!("-D {}", place.data().display())), "{run}");
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
    let words: &[&str] = if is_root() { &["-u", "postgres", "--", "sh", "-c"] } else { &["-c"] };
    let service = service.args(words).arg(&line).current_dir("/").stdin(Stdio::null()).stdout(Stdio::null());
    let mut service = service.stderr(Stdio::null()).spawn().unwrap();
    for _ in 0..100 {
        if place.server()["state"] == "running" {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    place.execute("INSERT INTO rooms (number) VALUES (1)");
    assert_eq!(place.run(&task("provision: local")).must_end_with(0).response()["changed"], false);
    place.command(&["db", "stop"]).must_end_with(0);
    service.wait().unwrap();
}

#[test]
fn a_machine_that_cannot_run_a_private_server_is_told_what_to_do() {
    let workspace = Workspace::new();
    let mut run = workspace.command(&["run", "-"]);
    let ended = end_with_input(run.env("PRODUCER_SERVER_PROGRAMS", workspace.path()), &task("provision: local"));
    let response = ended.must_end_with(3).response();
    assert_eq!((&response["status"], &response["error"]["code"]), (&json!("needs_input"), &json!("not_installed")));
    assert_eq!(response["error"]["kind"], "database.connection");
    for way in ["apt-get install postgresql", "provision: container", "connection", "PRODUCER_SERVER_PROGRAMS"] {
        assert!(response["error"]["hint"].as_str().unwrap().contains(way), "{way}: {response}");
    }
    assert!(!workspace.path().join(".producer/secrets").exists(), "a password was made for nothing");
    if !is_root() || !provision_is_possible() {
        return;
    }
    #[cfg(unix)]
    fs::set_permissions(workspace.path(), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    let response = workspace.run_text(&task("provision: local")).must_end_with(3).response();
    assert_eq!(response["error"]["code"], "out_of_reach");
    let hint = response["error"]["hint"].as_str().unwrap();
    assert!(hint.contains(&format!("chmod o+x {}", workspace.path().display())), "{hint}");
}

#[test]
fn a_port_that_somebody_else_has_taken_meanwhile_is_named() {
    let Some(place) = Place::new("local") else { return };
    place.run(&task("provision: local")).must_end_with(0);
    let address = place.server()["address"].as_str().unwrap().to_owned();
    place.command(&["db", "stop"]).must_end_with(0);
    let other = std::net::TcpListener::bind(&address).unwrap();
    assert_eq!(place.server()["state"], "stopped", "another program is not our server");
    let started = place.command(&["db", "start"]).must_end_with(1).stderr;
    assert!(started.contains(address.rsplit(':').next().unwrap()) && started.contains("server.json"), "{started}");
    let error = place.run(&task("provision: local")).must_end_with(1).response()["error"].clone();
    assert_eq!((&error["kind"], &error["code"]), (&json!("database.connection"), &json!("port_taken")));
    drop(other);
    place.run(&task("provision: local")).must_end_with(0);
}

#[test]
fn a_server_that_was_not_made_whole_is_made_anew() {
    let Some(place) = Place::new("local") else { return };
    fs::create_dir_all(place.data()).unwrap();
    fs::write(place.data().join("PG_VERSION"), "15\n").unwrap();
    fs::write(place.data().with_file_name("password"), "left behind").unwrap();
    place.run(&task("provision: local")).must_end_with(0);
    assert!(!place.data().with_file_name("password").exists());
}

#[test]
fn a_container_is_described_and_asked_for_and_then_worked_on() {
    let workspace = Workspace::new();
    let container = task("provision: container");
    let response = workspace.run_text(&container).must_end_with(3).response();
    assert_eq!(
        (&response["status"], &response["error"]["code"]),
        (&json!("needs_input"), &json!("container_not_started"))
    );
    let compose = workspace.path().join("output/integration/task_rooms/databases/compose.yaml");
    let password_file = workspace.path().join(".producer/servers/postgresql_rooms/password");
    let command = format!(
        "DATABASE_PASSWORD_FILE={} docker compose --file {} up --detach --wait",
        password_file.display(),
        compose.display()
    );
    assert!(response["error"]["hint"].as_str().unwrap().contains(&command), "{response}");
    assert_eq!(workspace.run_text(&container).must_end_with(3).response()["changed"], false);

    let text = fs::read_to_string(&compose).unwrap();
    let described: serde_json::Value = serde_saphyr::from_str(&text).unwrap();
    let service = &described["services"]["database"];
    let password = fs::read_to_string(&password_file).unwrap();
    assert!(!text.contains(&password), "the password is written down");
    assert_eq!(service["environment"]["POSTGRES_PASSWORD_FILE"], "/run/secrets/database_password");
    assert_eq!(service["environment"]["POSTGRES_DB"], "rooms");
    assert_eq!(service["healthcheck"]["test"][1], "pg_isready");
    assert_eq!(service["volumes"], json!(["data:/var/lib/postgresql/data"]));
    let port = service["ports"][0].as_str().unwrap();
    let port = port.strip_prefix("127.0.0.1:").unwrap().strip_suffix(":5432").unwrap().parse().unwrap();
    #[cfg(unix)]
    {
        let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&password_file).unwrap().permissions());
        assert_eq!(mode & 0o777, 0o600);
    }

    // No container here: a server with that password at that port is what the task sees of one.
    let Some(mut server) = PrivateServer::make_with("container", PASSWORD_ONLY, &password) else { return };
    server.port = port;
    server.launch("");
    let response = workspace.run_text(&container).must_end_with(0).response();
    assert_eq!(response["output"]["database"]["host"], json!(format!("127.0.0.1:{port}")));
    assert_eq!(workspace.run_text(&container).must_end_with(0).response()["changed"], false);
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

#[test]
fn a_sandbox_keeps_to_this_machine_and_says_so() {
    let elsewhere =
        task("environment: production\n    connection: \"postgresql://ada@db.invalid/rooms?sslmode=verify-full\"");
    // Without programs of the engine an embedded file does.
    let workspace = Workspace::new();
    let mut run = workspace.command(&["run", "-", "--sandbox"]);
    let ended = end_with_input(run.env("PRODUCER_SERVER_PROGRAMS", workspace.path()), &elsewhere).must_end_with(0);
    let response = ended.response();
    assert_eq!(response["output"]["database"]["status"], "simulated");
    let file = response["output"]["database"]["name"].as_str().unwrap();
    assert!(file.ends_with(".producer/data/sandbox_rooms.sqlite"), "{file}");
    let said = |response: &serde_json::Value| {
        let checks = response["verification"].as_array().unwrap();
        let check = checks.iter().find(|check| check["outcome"] == "simulated").unwrap().clone();
        (check["check"].as_str().unwrap().to_owned(), check["detail"].as_str().unwrap().to_owned())
    };
    let (check, detail) = said(&response);
    assert_eq!(check, "a database of this machine stands in for the production postgresql");
    assert!(detail.contains("no programs of postgresql are installed"), "{detail}");

    let Some(place) = Place::new("sandbox") else { return };
    let mut run = place.0.command(&["run", "-", "--sandbox"]);
    let response = end_with_input(&mut run, &elsewhere).must_end_with(0).response();
    assert_eq!(response["output"]["database"]["status"], "simulated");
    assert_eq!(response["output"]["database"]["name"], "sandbox_rooms");
    assert!(response["output"]["database"]["host"].as_str().unwrap().starts_with("127.0.0.1:"));
    assert!(said(&response).1.contains("a private postgresql server"), "{response}");
    let mut run = place.0.command(&["run", "-", "--sandbox"]);
    assert_eq!(end_with_input(&mut run, &elsewhere).must_end_with(0).response()["changed"], false);
}
