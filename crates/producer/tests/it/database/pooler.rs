//! PgBouncer as a task emits it, between both servers and PostgreSQL; and one that is told to mix sessions.

use crate::harness::client::{ask, get};
use crate::harness::postgresql::{PASSWORD_ONLY, PrivateServer, is_root, psql};
use crate::harness::rooms::{self, room};
use crate::harness::server::{Kind, Server};
use crate::harness::workspace::Workspace;
use std::fs;
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;
use vocab::Engine;

struct Bouncer(Child);

impl Bouncer {
    fn start(folder: &Path, port: u16) -> Self {
        let ini = folder.join("pgbouncer.ini");
        // As a server does, it refuses to run as root.
        let mut command = Command::new("pgbouncer");
        if is_root() {
            assert!(Command::new("chown").args(["-R", "postgres"]).arg(folder).status().unwrap().success());
            command.args(["-u", "postgres"]);
        }
        let quiet =
            command.arg(ini).current_dir(folder).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let bouncer = Self(quiet.spawn().unwrap());
        for _ in 0..200 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return bouncer;
            }
            thread::sleep(Duration::from_millis(20));
        }
        panic!("PgBouncer does not listen");
    }
}

impl Drop for Bouncer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn what_is_emitted_for_pgbouncer_carries_both_servers() {
    if Command::new("pgbouncer").arg("--version").output().is_err() {
        let _ = writeln!(std::io::stderr(), "SKIPPED PgBouncer: no `pgbouncer` is installed");
        return;
    }
    let Some(server) = PrivateServer::start("pooler", PASSWORD_ONLY, "") else { return };
    let base = rooms::database(Engine::PostgreSql, "{ max: 3 }");
    let mut workspace = Workspace::new();
    workspace.url = Some(server.url());
    workspace.run_text(&base).must_end_with(0);
    workspace.run_text(rooms::API).must_end_with(0);

    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let address = server.url().split(['@', '/']).nth(3).unwrap().to_owned();
    let emitted = workspace.path().join("output/integration/task_base/databases/pgbouncer.ini");
    let emitted = fs::read_to_string(emitted).unwrap();
    let query = emitted.lines().find_map(|line| line.split_once("psql -XAt -c \"")?.1.split_once("\" >")).unwrap().0;
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("userlist.txt"), psql(&server.url(), &query.replace("\\\"", "\"")).unwrap()).unwrap();
    let ini = emitted
        .replace("host=127.0.0.1 port=5432", &address.replace(':', " port=").replace("127", "host=127"))
        .replace("listen_port = 6432", &format!("listen_port = {port}"));
    fs::write(folder.path().join("pgbouncer.ini"), &ini).unwrap();
    let bouncer = Bouncer::start(folder.path(), port);
    workspace.url = Some(server.url().replace(&address, &format!("127.0.0.1:{port}")));
    for kind in Kind::all_here() {
        let server = Server::start(kind, &workspace);
        thread::scope(|scope| {
            for number in 0..8 {
                let address = server.address;
                scope.spawn(move || {
                    assert_eq!(ask(address, &room(number), "").unwrap().status, 201);
                    assert_eq!(ask(address, &get("/api/rooms"), "").unwrap().status, 200);
                });
            }
        });
    }
    let through = psql(workspace.url.as_deref().unwrap(), "SELECT count(*) > 0 FROM rooms").unwrap();
    assert_eq!(through, "t\n");
    workspace.run_text(&base).must_end_with(0);

    // One that gives each transaction another session would show people each other's rows.
    drop(bouncer);
    fs::write(folder.path().join("pgbouncer.ini"), ini.replace("pool_mode = session", "pool_mode = transaction"))
        .unwrap();
    let _bouncer = Bouncer::start(folder.path(), port);
    let error = workspace.run_text(&base).must_end_with(1).response()["error"].clone();
    assert_eq!((&error["kind"], &error["code"]), (&"database.connection".into(), &"sessions_shared".into()), "{error}");
}
