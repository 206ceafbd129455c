//! `producer db optimize` on each engine: nothing is said of a database just made, everything that was spoilt by hand is found, and what
//! is printed for the engine's client mends it.

use crate::harness::schema::Schema;
use crate::harness::server::Kind;
use crate::harness::workspace::{Ended, Workspace, end, end_with_input};
use crate::harness::{Sample, mysql, postgresql, repository};
use crate::http;
use serde_json::Value as Json;
use std::fs;
use std::io::Write as _;
use std::process::Command;
use vocab::Engine;

const ENGINES: [Engine; 3] = [Engine::Sqlite, Engine::PostgreSql, Engine::MySql];

/// A workspace with an API on a database of its own.
struct Shop {
    engine: Engine,
    workspace: Workspace,
    _place: Option<Schema>,
}

impl Shop {
    /// None where there is no server, which is said.
    fn made(engine: Engine, test: &str) -> Option<Self> {
        let sample = Sample::Workshop;
        if engine == Engine::Sqlite {
            return Some(Self { engine, workspace: Workspace::completed_with(sample), _place: None });
        }
        let place = Schema::empty(engine, test)?;
        let workspace = Workspace::completed_on(sample, place.url());
        Some(Self { engine, workspace, _place: Some(place) })
    }

    /// On a server of the test's own.
    fn made_at(engine: Engine, url: &str) -> Self {
        Self { engine, workspace: Workspace::completed_on(Sample::Workshop, url.to_owned()), _place: None }
    }

    fn optimize(&self, words: &[&str]) -> Ended {
        end(self.workspace.command(&["db", "optimize", "workshop_2025_001"]).args(words))
    }

    fn found(&self) -> Json {
        let ended = self.optimize(&["--format", "json"]);
        serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {}", ended.stderr))
    }

    /// The code and the place of each finding, without the schema.
    fn findings(&self) -> Vec<String> {
        self.listed(&self.found()["findings"])
    }

    fn listed(&self, findings: &Json) -> Vec<String> {
        let finding = |finding: &Json| {
            let place = finding["place"].as_str().unwrap();
            let place =
                place.split_once('.').filter(|_| self.engine == Engine::PostgreSql).map_or(place, |(_, place)| place);
            format!("{} {place}", finding["code"].as_str().unwrap())
        };
        findings.as_array().unwrap().iter().map(finding).collect()
    }

    /// Has the engine's own client run statements.
    fn client(&self, statements: &str) {
        let url = self.workspace.url.clone().unwrap_or_default();
        let mut client = match self.engine {
            Engine::Sqlite => {
                let run = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).executescript(sys.stdin.read())";
                let mut client = Command::new("python3");
                client.args(["-c", run]).arg(self.workspace.database_file());
                client
            }
            Engine::PostgreSql => postgresql::client(&url),
            Engine::MySql | Engine::MongoDb => mysql::client(&url),
        };
        end_with_input(&mut client, statements).must_end_with(0);
    }
}

/// Statements that spoil something, with what is then found.
struct Spoilt {
    engines: &'static [Engine],
    statements: &'static str,
    found: &'static str,
}

const SPOILT: &[Spoilt] = &[
    Spoilt {
        // MySQL keeps an index behind every key.
        engines: &[Engine::Sqlite, Engine::PostgreSql],
        statements: "DROP INDEX benches_owner_id_idx;",
        found: "IP350 benches.owner_id",
    },
    Spoilt { engines: &ENGINES, statements: "CREATE TABLE visits (note varchar(100));", found: "IP351 visits" },
    Spoilt {
        engines: &[Engine::Sqlite, Engine::PostgreSql],
        statements: "DROP INDEX products_status_idx;",
        found: "IP352 products.status,id",
    },
    Spoilt {
        engines: &[Engine::MySql],
        statements: "DROP INDEX products_status_idx ON products;",
        found: "IP352 products.status,id",
    },
    Spoilt {
        engines: &ENGINES,
        statements: "CREATE INDEX benches_again ON benches (built_on);",
        found: "IP353 benches.benches_again",
    },
    Spoilt {
        engines: &[Engine::PostgreSql],
        statements: "CREATE TABLE tickets (id serial PRIMARY KEY, note text); SELECT setval('tickets_id_seq', 1900000000);
            CREATE TABLE stubs (ticket_id integer PRIMARY KEY REFERENCES tickets);",
        found: "IP355 tickets.id",
    },
    Spoilt {
        engines: &[Engine::MySql],
        statements: "CREATE TABLE tickets (id int AUTO_INCREMENT PRIMARY KEY, note text) AUTO_INCREMENT = 1900000000;",
        found: "IP355 tickets.id",
    },
    Spoilt {
        engines: SERVERS,
        statements: "ALTER TABLE benches ADD COLUMN rent_total double precision NULL;",
        found: "IP358 benches.rent_total",
    },
    Spoilt {
        engines: &[Engine::PostgreSql],
        statements: "ALTER TABLE benches ADD COLUMN painted_at timestamp(3) DEFAULT now();",
        found: "IP359 benches.painted_at",
    },
    Spoilt {
        engines: &[Engine::PostgreSql],
        statements: "ALTER TABLE benches ADD COLUMN stamp char(12) DEFAULT 'none';",
        found: "IP360 benches.stamp",
    },
    Spoilt {
        engines: &[Engine::MySql],
        statements: "ALTER TABLE benches ADD COLUMN motto varchar(50) CHARACTER SET utf8mb3 DEFAULT 'sit' COMMENT 'what it''s';",
        found: "IP362 benches.motto",
    },
    Spoilt {
        engines: &[Engine::PostgreSql],
        statements: "CREATE TABLE badges (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY);
            SELECT setval(pg_get_serial_sequence('badges', 'id'), 300000000);",
        found: "IP363 badges.id",
    },
    Spoilt {
        engines: &[Engine::MySql],
        statements: "CREATE TABLE badges (id int unsigned AUTO_INCREMENT PRIMARY KEY) AUTO_INCREMENT = 500000000;",
        found: "IP363 badges.id",
    },
    Spoilt {
        engines: &[Engine::PostgreSql],
        statements: "CREATE TABLE sales (id bigint PRIMARY KEY, total text, fee varchar(9));
            INSERT INTO sales SELECT n, n || '.50', CASE n WHEN 7 THEN 'none' ELSE n::text END FROM generate_series(1, 150) n;",
        found: "IP364 sales.total",
    },
    Spoilt {
        engines: &[Engine::MySql],
        statements: "CREATE TABLE sales (id bigint PRIMARY KEY, total varchar(20), fee varchar(9));
            INSERT INTO sales SELECT seq, CONCAT(seq, '.50'), IF(seq = 7, 'none', seq) FROM seq_1_to_150;",
        found: "IP364 sales.total",
    },
    Spoilt {
        engines: &[Engine::PostgreSql],
        statements: "CREATE TABLE diaries (id bigint PRIMARY KEY, writer text); CREATE POLICY own ON diaries USING (writer = current_user);",
        found: "IP365 diaries",
    },
    Spoilt {
        engines: &[Engine::PostgreSql],
        statements: "ALTER TABLE benches ADD CONSTRAINT benches_few CHECK (number < 1000000) NOT VALID;",
        found: "IP367 benches.benches_few",
    },
    Spoilt {
        engines: &[Engine::PostgreSql],
        statements: "ALTER TABLE diaries ADD COLUMN follows bigint; CREATE INDEX CONCURRENTLY diaries_follows ON diaries (follows);
            ALTER TABLE diaries ADD FOREIGN KEY (follows) REFERENCES diaries NOT VALID;",
        found: "IP367 diaries.diaries_follows_fkey",
    },
    Spoilt {
        engines: &[Engine::PostgreSql],
        // As a making that was stopped leaves it.
        statements: "CREATE TABLE seats (id bigint PRIMARY KEY, row_name text); CREATE INDEX seats_row ON seats (row_name);
            UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'seats_row'::regclass;",
        found: "IP368 seats.seats_row",
    },
    Spoilt {
        engines: &[Engine::PostgreSql],
        statements: "INSERT INTO seats VALUES (1, 'a'), (2, 'a');
            DO $$ BEGIN EXECUTE 'CREATE UNIQUE INDEX seats_once ON seats (row_name) WHERE id > 2'; END $$;
            UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'seats_once'::regclass;",
        found: "IP368 seats.seats_once",
    },
    Spoilt {
        engines: &[Engine::PostgreSql],
        statements: "CREATE TABLE leaves (id bigint PRIMARY KEY) WITH (autovacuum_enabled = off); INSERT INTO leaves SELECT generate_series(1, 30000);
            SELECT pg_stat_force_next_flush(); ANALYZE leaves; DELETE FROM leaves WHERE id > 17000;",
        found: "IP356 leaves",
    },
    Spoilt {
        engines: &[Engine::Sqlite],
        statements: "CREATE TABLE leaves (id INTEGER PRIMARY KEY, shape BLOB);
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40)
              INSERT INTO leaves SELECT i, zeroblob(1000000) FROM n;
            DELETE FROM leaves;",
        found: "IP356 ",
    },
    Spoilt {
        engines: &[Engine::MySql],
        statements: "CREATE TABLE leaves (id int PRIMARY KEY, shape longblob);
            INSERT INTO leaves SELECT seq, REPEAT('x', 1000000) FROM seq_1_to_40; DELETE FROM leaves;",
        found: "IP356 leaves",
    },
    Spoilt {
        engines: &[Engine::PostgreSql],
        statements: "CREATE TABLE guests (id bigint PRIMARY KEY) WITH (autovacuum_enabled = off); INSERT INTO guests SELECT generate_series(1, 12000);",
        found: "IP357 guests",
    },
    Spoilt {
        engines: &[Engine::Sqlite],
        statements: "CREATE TABLE guests (id INTEGER PRIMARY KEY);
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 12000) INSERT INTO guests SELECT i FROM n;",
        found: "IP357 guests",
    },
];

const SERVERS: &[Engine] = &[Engine::PostgreSql, Engine::MySql];

#[test]
fn nothing_is_said_of_a_database_just_made() {
    let trades =
        ["clinic", "crm", "school", "shop", "support_desk"].map(|name| format!("tests/cases/trades/{name}.yaml"));
    let sample = "tests/cases/tasks/shop-database.yaml".to_owned();
    let connected = "type: postgresql\n    connection: ${env:TRADES_DATABASE_URL}";
    for engine in ENGINES {
        for task in trades.iter().chain([&sample]) {
            let workspace = Workspace::new();
            let place = match engine {
                Engine::Sqlite => None,
                Engine::PostgreSql | Engine::MySql | Engine::MongoDb => {
                    match Schema::empty(engine, "a database just made") {
                        None => continue,
                        place => place,
                    }
                }
            };
            let text = fs::read_to_string(repository(task))
                .unwrap()
                .replace("type: \"postgresql\"", connected)
                .replace("type: postgresql", &format!("type: {engine}"));
            let text = match &place {
                Some(_) => text,
                None => text
                    .replace("    connection: ${env:TRADES_DATABASE_URL}\n", "")
                    .replace("production", "development"),
            };
            let url = place.as_ref().map(Schema::url).unwrap_or_default();
            let run = |words: &[&str]| end_with_input(workspace.command(words).env("TRADES_DATABASE_URL", &url), &text);
            run(&["run", "-"]).must_end_with(0);
            let found: Json = serde_json::from_str(&run(&["db", "optimize", "-", "--format", "json"]).stdout).unwrap();
            assert_eq!(found["findings"], Json::Array(Vec::new()), "{engine} {task}");
        }
    }
}

#[test]
fn what_was_spoilt_is_found_and_mended_on_sqlite() {
    check(Engine::Sqlite);
}

#[test]
fn what_was_spoilt_is_found_and_mended_on_postgresql() {
    check(Engine::PostgreSql);
}

#[test]
fn what_was_spoilt_is_found_and_mended_on_mysql() {
    check(Engine::MySql);
}

/// All at once, so that what mends one must leave the others alone.
fn check(engine: Engine) {
    let Some(shop) = Shop::made(engine, "what was spoilt") else { return };
    assert_eq!(shop.findings(), [""; 0]);
    let spoilt: Vec<&Spoilt> = SPOILT.iter().filter(|spoilt| spoilt.engines.contains(&engine)).collect();
    spoilt.iter().for_each(|spoilt| shop.client(spoilt.statements));
    let mut expected: Vec<&str> = spoilt.iter().map(|spoilt| spoilt.found).collect();
    expected.sort_unstable();
    // What was removed is free once the server has cleared it, in its own time.
    for _ in 0..60 {
        if shop.findings().len() < expected.len() {
            std::thread::sleep(std::time::Duration::from_millis(500));
        }
    }
    assert_eq!(shop.findings(), expected);
    let told = shop.optimize(&[]).must_end_with(5).stdout;
    for code in expected.iter().map(|found| found.split(' ').next().unwrap()) {
        assert!(told.contains(code), "no {code} in\n{told}");
    }
    shop.client(&shop.optimize(&["--format", "sql"]).must_end_with(5).stdout);
    assert_eq!(shop.findings(), [""; 0]);
    for file in http::files_of(Sample::Workshop) {
        http::check(Kind::Native, Sample::Workshop, &shop.workspace, &file);
    }
}

/// It stands among the statements as a comment.
#[test]
fn what_no_statement_mends_is_said() {
    let Some(shop) = Shop::made(Engine::Sqlite, "what no statement mends") else { return };
    shop.client(
        "CREATE TABLE tickets (id INTEGER PRIMARY KEY AUTOINCREMENT, fee REAL); INSERT INTO tickets VALUES (8000000000000000000, 0.1);
         CREATE TABLE sales (id INTEGER PRIMARY KEY, total TEXT, fee TEXT);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 150)
           INSERT INTO sales SELECT i, i || '.50', CASE i WHEN 7 THEN '2-3' ELSE i END FROM n;",
    );
    assert_eq!(shop.findings(), ["IP355 tickets.id", "IP358 tickets.fee", "IP364 sales.total"]);
    let printed = shop.optimize(&["--format", "sql"]).must_end_with(5).stdout;
    assert_eq!(printed.lines().count(), 6, "{printed}");
    assert!(printed.lines().all(|line| line.starts_with("-- ")), "{printed}");
}

/// Programs that are at work as the owner of a table are held to its policies only where it says so.
#[test]
fn policies_that_the_owner_passes_by_are_found() {
    let Some(shop) = Shop::made(Engine::PostgreSql, "policies") else { return };
    let role = format!("of_owner_{}", std::process::id());
    shop.client(&format!(
        "CREATE TABLE diaries (id bigint PRIMARY KEY, writer text); CREATE POLICY own ON diaries USING (writer = current_user);
         ALTER TABLE diaries ENABLE ROW LEVEL SECURITY; CREATE ROLE {role} LOGIN;"
    ));
    assert_eq!(shop.findings(), [""; 0], "a superuser is held to nothing");
    shop.client(&format!("ALTER TABLE diaries OWNER TO {role};"));
    assert_eq!(shop.findings(), ["IP366 diaries"]);
    shop.client(&shop.optimize(&["--format", "sql"]).must_end_with(5).stdout);
    assert_eq!(shop.findings(), [""; 0]);
    shop.client(&format!("DROP TABLE diaries; DROP ROLE {role};"));
}

/// What the settings of a server are worth, and what it counts, on one of the test's own: there is nothing else at work on it.
#[test]
fn settings_and_counts_of_a_postgresql_server_are_judged() {
    let options = "-c shared_buffers=1MB -c work_mem=100GB -c effective_cache_size=10TB -c full_page_writes=off -c autovacuum=off \
        -c synchronous_commit=off -c shared_preload_libraries=pg_stat_statements";
    let Some(server) = postgresql::PrivateServer::start("settings", postgresql::PASSWORD_ONLY, options) else { return };
    let shop = Shop::made_at(Engine::PostgreSql, &server.url());
    let found = shop.found();
    assert_eq!(found["findings"], Json::Array(Vec::new()));
    let expected = [
        "IP370 effective_cache_size",
        "IP370 shared_buffers",
        "IP370 work_mem",
        "IP371 fsync",
        "IP371 full_page_writes",
        "IP371 synchronous_commit",
        "IP373 autovacuum",
    ];
    assert_eq!(shop.listed(&found["server"]), expected);
    let unseen = found["unseen"].to_string();
    assert!(unseen.contains("slow statements") && unseen.contains("unused indexes"), "{unseen}");
    shop.client(
        "CREATE EXTENSION pg_stat_statements; CREATE TABLE notes (id bigint PRIMARY KEY, note text);
         INSERT INTO notes SELECT n, n::text FROM generate_series(1, 2000) n; ANALYZE notes; CREATE INDEX notes_note ON notes (note);
         DO $$ BEGIN FOR n IN 1..10 LOOP PERFORM pg_sleep(0.12); END LOOP; END $$;",
    );
    shop.client(&"SELECT id FROM notes, pg_sleep(0.12) WHERE id = 7;\n".repeat(10));
    assert_eq!(shop.findings(), ["IP369 public"], "it was not counted for long enough");
    let found: Json =
        serde_json::from_str(&shop.optimize(&["--unused-after", "0", "--format", "json"]).stdout).unwrap();
    assert_eq!(shop.listed(&found["findings"]), ["IP354 notes.notes_note", "IP369 public"]);
    assert!(found["findings"][1]["message"].to_string().contains("WHERE id = $"), "{found}");
    shop.client("SELECT id FROM notes WHERE note = '7';");
    let found: Json =
        serde_json::from_str(&shop.optimize(&["--unused-after", "0", "--format", "json"]).stdout).unwrap();
    assert_eq!(shop.listed(&found["findings"]), ["IP369 public"], "somebody has used it");
}

#[test]
fn settings_and_counts_of_a_mysql_server_are_judged() {
    let options =
        ["--performance-schema=ON", "--innodb-buffer-pool-size=6M", "--sql-mode=", "--skip-innodb-doublewrite"];
    let port = mysql::free_port();
    let Some(_server) = mysql::PrivateServer::start(port, "shop", "private", &options) else {
        let _ = std::io::stderr().write_all(b"SKIPPED settings of MariaDB: no `mariadbd` is installed\n");
        return;
    };
    let shop = Shop::made_at(Engine::MySql, &format!("mysql://root:private@127.0.0.1:{port}/shop"));
    shop.client(
        "CREATE TABLE notes (id bigint PRIMARY KEY, note varchar(100), shape longblob, KEY notes_note (note));
         INSERT INTO notes SELECT seq, seq, REPEAT('x', 5000) FROM seq_1_to_2000;",
    );
    shop.client(&"SELECT id, SLEEP(0.12) FROM notes WHERE id = 7;\n".repeat(10));
    shop.client("ANALYZE TABLE notes;");
    let found: Json =
        serde_json::from_str(&shop.optimize(&["--unused-after", "0", "--format", "json"]).stdout).unwrap();
    assert_eq!(shop.listed(&found["findings"]), ["IP354 notes.notes_note", "IP369 "]);
    let expected = [
        "IP361 sql_mode",
        "IP370 innodb_buffer_pool_size",
        "IP371 innodb_doublewrite",
        "IP371 innodb_flush_log_at_trx_commit",
    ];
    assert_eq!(shop.listed(&found["server"]), expected);
    assert_eq!(shop.findings(), ["IP369 "], "it was not counted for long enough");
    shop.client("SELECT id FROM notes WHERE note = '7';");
    let found: Json =
        serde_json::from_str(&shop.optimize(&["--unused-after", "0", "--format", "json"]).stdout).unwrap();
    assert_eq!(shop.listed(&found["findings"]), ["IP369 "], "somebody has used it");
}

#[test]
fn a_file_whose_readers_wait_is_judged_apart() {
    let Some(shop) = Shop::made(Engine::Sqlite, "a journal") else { return };
    shop.client("PRAGMA journal_mode = DELETE;");
    let found = shop.found();
    assert_eq!((shop.findings(), shop.listed(&found["server"])), (Vec::new(), vec!["IP372 journal_mode".to_owned()]));
    shop.client(&shop.optimize(&["--format", "sql"]).must_end_with(5).stdout);
    shop.optimize(&[]).must_end_with(0);
}

/// What an index is good for is shown by the engine's own plan, on PostgreSQL with an index that is not there.
#[test]
fn the_engine_itself_shows_what_an_index_is_good_for() {
    for engine in ENGINES {
        let Some(shop) = Shop::made(engine, "what an index is good for") else { continue };
        let (drop, fill) = match engine {
            Engine::Sqlite => (
                "DROP INDEX benches_built_on_idx",
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
                 INSERT INTO benches (number, built_on) SELECT i, date('2020-01-01', '+' || (i % 1000) || ' days') FROM n; ANALYZE",
            ),
            Engine::PostgreSql => (
                "ANALYZE benches; DROP INDEX benches_built_on_idx",
                "INSERT INTO benches (number, built_on) SELECT i, date '2020-01-01' + i % 1000 FROM generate_series(1, 20000) i",
            ),
            Engine::MySql | Engine::MongoDb => (
                "DROP INDEX benches_built_on_idx ON benches",
                "INSERT INTO benches (number, built_on)
                 SELECT seq, DATE_ADD('2020-01-01', INTERVAL seq % 1000 DAY) FROM seq_1_to_20000; ANALYZE TABLE benches",
            ),
        };
        // What a session has written is counted at its end.
        shop.client(&format!("{fill};"));
        shop.client(&format!("{drop};"));
        let found = shop.found();
        assert_eq!(shop.listed(&found["findings"]), ["IP352 benches.built_on,id"], "{engine}");
        let trial = &found["findings"][0]["trial"];
        assert_eq!(trial["reads_all"], true, "{engine} {trial}");
        if engine == Engine::PostgreSql {
            let url = shop.workspace.url.clone().unwrap();
            let asked = |what: &str| postgresql::psql(&url, what).unwrap().trim().to_owned();
            assert_eq!(asked("SELECT count(*) FROM pg_extension WHERE extname = 'hypopg'"), "0", "it is left");
            if asked("SELECT count(*) FROM pg_available_extensions WHERE name = 'hypopg'") == "0" {
                let _ = std::io::stderr().write_all(b"SKIPPED indexes that are not there: no `hypopg` is installed\n");
                continue;
            }
            let (cost, with_index) = (trial["cost"].as_u64().unwrap(), trial["cost_with_index"].as_u64().unwrap());
            assert!(cost > 3 * with_index, "{trial}");
            assert!(shop.optimize(&[]).stdout.contains("with the index (hypopg)"));
        }
    }
}
