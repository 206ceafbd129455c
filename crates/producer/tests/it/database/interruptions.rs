//! Runs of database tasks that are killed, and servers that are killed under them: somebody else's transaction holds each of them where
//! it is to be killed, so that nothing depends on how fast a machine is. The next run finishes the work: the database, the ledger and
//! the files are those of a run that nobody has disturbed, and every role opens the database with the password of the store.

use crate::harness::postgresql::{PASSWORD_ONLY, PrivateServer, Session, psql};
use crate::harness::workspace::{Ended, Workspace, difference, end, end_with_input, files};
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use store::{Database, Server};

/// How long a condition may take to come true.
const PATIENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(20);

const FIRST: &str = "halls, { name: rooms, columns: { number: { type: integer, required: true }, note: line, hall_id: { type: uuid, references: halls } } }";
/// A statement that locks a table, and two that run alone: an index over rows, and a unique rule.
const SECOND: &str = "halls, { name: rooms, columns: { number: { type: integer, required: true, unique: true }, note: line, seats: { type: integer, default: 4 }, hall_id: { type: uuid, references: halls } }, indexes: [note] }";
const ROWS: &str = "INSERT INTO halls (name) VALUES ('h'); INSERT INTO rooms (number, note, hall_id) SELECT n, 'n', id FROM halls, generate_series(1, 50) n";

/// A server of the test's own with one database, which is made anew for each moment.
struct Site {
    server: PrivateServer,
}

impl Site {
    fn start(test: &str) -> Option<Self> {
        Some(Self { server: PrivateServer::start(test, PASSWORD_ONLY, "")? })
    }

    fn url(&self) -> String {
        self.server.url().replace("/postgres", "/rooms").replace("://rooms", "://postgres")
    }

    /// As the superuser, beside the database.
    fn beside(&self, statement: &str) -> String {
        psql(&self.server.url(), statement).unwrap()
    }

    fn ask(&self, statement: &str) -> String {
        psql(&self.url(), statement).unwrap().trim().to_owned()
    }

    /// No database, and none of its roles.
    fn clean(&self) {
        self.beside("DROP DATABASE IF EXISTS rooms WITH (FORCE)");
        self.beside("DO $$ DECLARE role name; BEGIN FOR role IN SELECT rolname FROM pg_roles WHERE rolname LIKE 'rooms%' LOOP EXECUTE format('DROP ROLE %I', role); END LOOP; END $$");
    }

    fn task(tables: &str) -> String {
        format!(
            "task_id: rooms\ntask_type: configure_database\nspecifications:\n  database_config:\n    type: postgresql\n    connection: ${{env:ROOMS_URL}}\n    schema_requirements:\n      tables: [{tables}]\n"
        )
    }

    fn command(&self, workspace: &Workspace, words: &[&str]) -> Command {
        let mut command = workspace.command(words);
        command.env("ROOMS_URL", self.url());
        command
    }

    fn with_task(&self, workspace: &Workspace, words: &[&str], tables: &str) -> Ended {
        end_with_input(&mut self.command(workspace, words), &Self::task(tables))
    }

    fn run(&self, workspace: &Workspace, tables: &str) -> Ended {
        self.with_task(workspace, &["run", "-"], tables)
    }

    /// A command at work, with the task on its standard input.
    fn begin(&self, workspace: &Workspace, words: &[&str], tables: &str) -> Running {
        let mut command = self.command(workspace, words);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(Self::task(tables).as_bytes()).unwrap();
        let progress = BufReader::new(child.stderr.take().unwrap());
        Running { child, progress }
    }

    /// A workspace with the first form of the task and rows, on a new database.
    fn furnished(&self) -> Workspace {
        self.clean();
        let workspace = Workspace::new();
        self.run(&workspace, FIRST).must_end_with(0);
        self.ask(ROWS);
        workspace
    }

    /// Until the server says that a process of the product waits for somebody's lock.
    fn until_something_waits(&self) {
        let waiting = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'integration_producer' AND wait_event_type = 'Lock'";
        until(|| self.beside(waiting).trim() != "0");
    }

    /// Until such a process waits for that transaction.
    fn until_waits_for(&self, session: &Session) {
        let waiting =
            format!("SELECT count(*) FROM pg_stat_activity WHERE {} = ANY(pg_blocking_pids(pid))", session.process);
        until(|| self.beside(&waiting).trim() != "0");
    }

    /// What an index that was being made leaves.
    fn unfinished_indexes(&self) -> String {
        self.ask("SELECT string_agg(indexrelid::regclass::text, ' ') FROM pg_index WHERE NOT indisvalid")
    }

    /// Everything of the database and the task's folder that is the same wherever and whenever it is made.
    fn outcome(&self, workspace: &Workspace) -> BTreeMap<String, Vec<u8>> {
        let mut made = files(&workspace.path().join("output"));
        made.retain(|path, _| !path.ends_with("/response.yaml") && !path.ends_with(".tmp"));
        let seen = Database::PostgreSql(Server::parse(&self.url()).unwrap()).look("rooms").unwrap();
        made.insert("tables".to_owned(), format!("{:#?}", seen.tables).into_bytes());
        made.insert("ledger".to_owned(), format!("{:#?} {:#?}", seen.applied, seen.begun).into_bytes());
        let roles = "SELECT rolname, rolcanlogin, shobj_description(oid, 'pg_authid') FROM pg_roles WHERE rolname LIKE 'rooms%' ORDER BY 1";
        made.insert("roles".to_owned(), self.beside(roles).into_bytes());
        made.insert("rows".to_owned(), self.ask("SELECT count(*), max(number) FROM rooms").into_bytes());
        made
    }

    /// The next run makes what an undisturbed one makes, and the one after it finds nothing to do.
    fn must_be_finished(&self, workspace: &Workspace, tables: &str, whole: &BTreeMap<String, Vec<u8>>, at: &str) {
        let ended = self.run(workspace, tables);
        assert_eq!(ended.status, Some(0), "{at}: {}", ended.stdout);
        let logins = super::verified(&ended).into_iter().filter(|check| check.starts_with("connected as `rooms_"));
        assert_eq!(logins.filter(|check| check.ends_with(": passed")).count(), 4, "{at}: {}", ended.stdout);
        assert_eq!(difference(&self.outcome(workspace), whole), [""; 0], "{at}");
        assert_eq!(self.run(workspace, tables).must_end_with(0).response()["changed"], false, "{at}");
        self.with_task(workspace, &["db", "diff", "-"], tables).must_end_with(0);
    }
}

/// A command that works.
struct Running {
    child: Child,
    progress: BufReader<ChildStderr>,
}

impl Running {
    /// Until it says that it is at that.
    fn until_it_says(&mut self, what: &str) {
        let mut line = String::new();
        while !line.contains(what) {
            line.clear();
            assert!(self.progress.read_line(&mut line).unwrap() > 0, "it has never been at `{what}`");
        }
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        let status = self.child.wait().unwrap();
        assert!(status.code().is_none(), "it has ended before: {status}");
    }

    fn ended(self) -> Ended {
        let output = self.child.wait_with_output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Ended { status: output.status.code(), stdout: text(output.stdout), stderr: String::new() }
    }
}

fn until(mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "it has never come to that");
        thread::sleep(POLL);
    }
}

/// What keeps a run where it is to be killed.
enum Hold {
    /// The lock of those who migrate.
    Migrating,
    /// Somebody makes a table of that name.
    Table,
    /// Nobody can change roles.
    Roles,
    /// The line of progress itself is waited for, and nothing else.
    Line(&'static str),
}

#[test]
fn a_run_that_makes_a_database_may_be_killed_in_each_of_its_steps() {
    let Some(site) = Site::start("killed_runs") else { return };
    let whole = {
        site.clean();
        let workspace = Workspace::new();
        site.run(&workspace, FIRST).must_end_with(0);
        site.outcome(&workspace)
    };
    for hold in [
        Hold::Line("looking for the database"),
        Hold::Line("rehearsing"),
        Hold::Migrating,
        Hold::Table,
        Hold::Roles,
        Hold::Line("writing files"),
        Hold::Line("reading back"),
    ] {
        site.clean();
        let workspace = Workspace::new();
        let (session, at) = match hold {
            Hold::Line(line) => (None, line),
            Hold::Migrating | Hold::Table => {
                site.beside("CREATE DATABASE rooms");
                // As if the run had made it.
                site.beside("COMMENT ON DATABASE rooms IS 'made by producer'");
                let (statement, at) = match hold {
                    Hold::Migrating => ("SELECT pg_advisory_lock(5241713205)", "migrating the database"),
                    Hold::Table | Hold::Roles | Hold::Line(_) => ("CREATE TABLE rooms ()", "migrating the database"),
                };
                (Some(Session::holding(&site.url(), statement)), at)
            }
            // Reading them is let.
            Hold::Roles => {
                (Some(Session::holding(&site.server.url(), "LOCK TABLE pg_authid IN SHARE MODE")), "who may do what")
            }
        };
        let mut run = site.begin(&workspace, &["run", "-"], FIRST);
        run.until_it_says(at);
        if let Hold::Table | Hold::Roles = hold {
            site.until_something_waits();
        }
        run.kill();
        if let Some(session) = session {
            session.end();
        }
        if let Hold::Migrating | Hold::Table = hold {
            assert_eq!(site.ask("SELECT count(*) FROM pg_tables WHERE tablename IN ('halls', 'rooms')"), "0", "{at}");
        }
        if let Hold::Roles = hold {
            // What the server does not know yet is in the store already.
            assert_eq!(site.beside("SELECT count(*) FROM pg_roles WHERE rolname LIKE 'rooms%'").trim(), "0");
            let known = end(&mut site.command(&workspace, &["secrets", "list"])).must_end_with(0).stdout;
            assert_eq!(known.matches("rooms/rooms_").count(), 4, "{known}");
        }
        site.must_be_finished(&workspace, FIRST, &whole, at);
    }
}

/// What a transaction must have done for a statement to wait for its end: one that changes the table, one that makes an index.
const READS: &str = "SELECT count(*) FROM rooms";
const SEES_AS_IT_WAS: &str = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT 1";

/// A run of the second form of the task that waits in that statement of its migrations, with whoever it waits for.
fn held_in(site: &Site, workspace: &Workspace, words: &[&str], statement: usize) -> (Running, Session) {
    let holds = [READS, SEES_AS_IT_WAS, READS, SEES_AS_IT_WAS];
    // Whom the first waits for keeps it from all that follows, the second one lets it pass.
    let first = statement.min(1);
    let mut session = Session::holding(&site.url(), holds[first]);
    let mut run = site.begin(workspace, words, SECOND);
    run.until_it_says("migrating the database");
    site.until_waits_for(&session);
    for hold in holds.iter().take(statement + 1).skip(first + 1) {
        let next = Session::holding(&site.url(), hold);
        std::mem::replace(&mut session, next).end();
        site.until_waits_for(&session);
    }
    (run, session)
}

const STATEMENTS: [(&str, &str); 4] =
    [("a column", ""), ("a unique index", "rooms_number_key"), ("the rule on it", ""), ("an index", "rooms_note_idx")];

#[test]
fn a_migration_under_rows_may_be_killed_in_each_of_its_statements() {
    let Some(site) = Site::start("killed_migrations") else { return };
    let whole = {
        let workspace = site.furnished();
        site.run(&workspace, SECOND).must_end_with(0);
        site.outcome(&workspace)
    };
    for (statement, (what, leaves)) in STATEMENTS.into_iter().enumerate() {
        for words in [["run", "-"].as_slice(), &["db", "migrate", "-"]] {
            let workspace = site.furnished();
            let (run, session) = held_in(&site, &workspace, words, statement);
            run.kill();
            // The server notices that nobody waits for its answer any more.
            until(|| site.ask(PROCESSES) == "0");
            session.end();
            assert_eq!(site.unfinished_indexes(), leaves, "{what}");
            let differs = site.with_task(&workspace, &["db", "diff", "-"], SECOND);
            assert_eq!(differs.status, Some(4), "{what}: {}", differs.stderr);
            site.must_be_finished(&workspace, SECOND, &whole, what);
        }
        // The server goes on for a moment with what it was told, and nobody notes it.
        let workspace = site.furnished();
        let (run, session) = held_in(&site, &workspace, &["run", "-"], statement);
        run.kill();
        session.end();
        site.must_be_finished(&workspace, SECOND, &whole, what);
    }
}

const PROCESSES: &str = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'integration_producer'";

#[test]
fn what_a_killed_migration_has_done_can_be_given_up() {
    let Some(site) = Site::start("given_up") else { return };
    let whole = {
        let workspace = site.furnished();
        site.outcome(&workspace)
    };
    for (statement, (what, _)) in STATEMENTS.into_iter().enumerate() {
        let workspace = site.furnished();
        let (run, session) = held_in(&site, &workspace, &["run", "-"], statement);
        run.kill();
        session.end();
        until(|| site.ask(PROCESSES) == "0");
        site.with_task(&workspace, &["db", "migrate", "-", "--allow-destructive"], FIRST).must_end_with(0);
        site.with_task(&workspace, &["db", "diff", "-"], FIRST).must_end_with(0);
        let (found, whole) = (site.outcome(&workspace), &whole);
        assert_eq!(found["tables"], whole["tables"], "{what}");
    }
}

#[test]
fn a_server_may_be_killed_under_a_migration() {
    let Some(site) = Site::start("killed_servers") else { return };
    let whole = {
        let workspace = site.furnished();
        site.run(&workspace, SECOND).must_end_with(0);
        site.outcome(&workspace)
    };
    for (statement, (what, _)) in STATEMENTS.into_iter().enumerate() {
        let workspace = site.furnished();
        let (run, session) = held_in(&site, &workspace, &["run", "-"], statement);
        site.server.kill();
        let error = run.ended().must_end_with(1).response()["error"].clone();
        let kind = error["kind"].as_str().unwrap();
        assert!(matches!(kind, "database.migration" | "database.connection"), "{what}: {error}");
        assert_eq!((&error["retryable"], &error["safe_to_retry"]), (&true.into(), &true.into()), "{what}: {error}");
        drop(session);
        let still = site.run(&workspace, SECOND).must_end_with(1).response()["error"].clone();
        assert_eq!((&still["kind"], &still["code"]), (&"database.connection".into(), &"refused".into()));
        site.server.launch("");
        site.must_be_finished(&workspace, SECOND, &whole, what);
    }
}

#[test]
fn a_rotation_that_is_killed_loses_no_password() {
    let Some(site) = Site::start("killed_rotation") else { return };
    let workspace = site.furnished();
    let whole = site.outcome(&workspace);
    let password = || {
        let mut export = site.command(&workspace, &["secrets", "export", "rooms/rooms_app", "--stdout"]);
        let line = end(&mut export).must_end_with(0).stdout;
        line.trim().split_once('=').unwrap().1.trim_matches(['"', '\'']).to_owned()
    };
    let opens = |password: &str| {
        let url = site
            .url()
            .replace(&format!("postgres:{}", crate::harness::postgresql::PASSWORD), &format!("rooms_app:{password}"));
        psql(&url, "SELECT count(*) FROM rooms").is_ok()
    };
    let old = password();
    assert!(opens(&old));
    let session = Session::holding(&site.server.url(), "LOCK TABLE pg_authid IN SHARE MODE");
    let rotation = site.begin(&workspace, &["secrets", "rotate", "rooms/rooms_app"], FIRST);
    site.until_something_waits();
    rotation.kill();
    until(|| site.ask(PROCESSES) == "0");
    session.end();
    assert_eq!(password(), old);
    assert!(opens(&old), "the server has the old one, and so has the store");
    let ended = site.run(&workspace, FIRST).must_end_with(0);
    assert_eq!(ended.response()["changed"], true);
    let new = password();
    assert!(new != old && opens(&new) && !opens(&old), "the run has ended the rotation");
    assert_eq!(difference(&site.outcome(&workspace), &whole), [""; 0]);
}
