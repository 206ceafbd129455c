//! The round trip of random schemas: planned, rehearsed, applied, read back, planned again on what was read, applied again, and
//! the whole schema loaded where nothing was; roles and grants go the same way. Every way must end at the same database, and
//! nothing may be left to do. Then one schema becomes another one, and goes back where it can (`pairs`).
//!
//! A schema that fails is printed with its seed, made as small as it can be. `ROUNDTRIP_SCHEMAS` says how many, `ROUNDTRIP_SEED`
//! where to begin; `cargo xtask roundtrip` sets them.

mod changes;
mod pairs;
mod permissions;
mod rows;
mod schemas;
mod smaller;

use crate::database::on_scratch;
use crate::response::CheckOutcome;
use catalog::Catalog;
use plan::database::{Execution, LockClass, ObservedTable, Undo};
use plan::{DatabaseTaskPlan, Migration, Observed, TaskPlan};
use planner::Allowed;
use schemas::Random;
use serde_json::Value as Json;
use std::env;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use store::{Database, MySqlServer, Server};
use tempfile::TempDir;
use vocab::{Diagnostic, Engine, TaskId};

/// How many schemas are tried where nobody says how many.
const SQLITE_SCHEMAS: u64 = 300;
const SERVER_SCHEMAS: u64 = 50;
/// The first seed where nobody says which.
const SEED: u64 = 20_260_000;
/// Of a hundred schemas so many may be refused, as long as each is refused clearly.
const REFUSED: u64 = 30;
/// MySQL has no keys over documents and long texts, and MariaDB's catalogue does not show every character.
const REFUSED_OF_MYSQL: u64 = 60;
/// When everything happens.
const NOW: &str = "2026-01-02T03:04:05.678Z";

#[test]
fn random_schemas_come_back_from_sqlite_as_they_went_in() {
    let folder = TempDir::new().unwrap();
    must_come_back(Engine::Sqlite, SQLITE_SCHEMAS, |case| Files { folder: &folder, case });
}

#[test]
fn random_schemas_come_back_from_postgresql_as_they_went_in() {
    let Ok(url) = env::var("TEST_POSTGRESQL_URL") else {
        use std::io::Write as _;
        let _ = writeln!(std::io::stderr(), "SKIPPED random schemas on PostgreSQL: `TEST_POSTGRESQL_URL` is not set");
        return;
    };
    let databases = Databases::make(&url, "schemas");
    must_come_back(Engine::PostgreSql, SERVER_SCHEMAS, |case| databases.schemas(case));
}

#[test]
fn random_changes_come_back_from_sqlite_as_they_went_in() {
    let folder = TempDir::new().unwrap();
    pairs::must_come_back(Engine::Sqlite, SQLITE_SCHEMAS, |case| Files { folder: &folder, case });
}

#[test]
fn random_changes_come_back_from_postgresql_as_they_went_in() {
    let Ok(url) = env::var("TEST_POSTGRESQL_URL") else {
        use std::io::Write as _;
        let _ = writeln!(std::io::stderr(), "SKIPPED random changes on PostgreSQL: `TEST_POSTGRESQL_URL` is not set");
        return;
    };
    let databases = Databases::make(&url, "changes");
    // The numbers of the single schemas are another test's; roles belong to the whole server.
    pairs::must_come_back(Engine::PostgreSql, SERVER_SCHEMAS, |case| databases.schemas(case + 2_000_000_000));
}

#[test]
fn random_schemas_come_back_from_mysql_as_they_went_in() {
    let Some(url) = mysql("random schemas") else { return };
    must_come_back(Engine::MySql, SERVER_SCHEMAS, |case| MySqlDatabases { url: &url, case, made: Vec::new() });
}

#[test]
fn random_changes_come_back_from_mysql_as_they_went_in() {
    let Some(url) = mysql("random changes") else { return };
    let place = |case| MySqlDatabases { url: &url, case: case + 2_000_000_000, made: Vec::new() };
    pairs::must_come_back(Engine::MySql, SERVER_SCHEMAS, place);
}

fn mysql(what: &str) -> Option<String> {
    use std::io::Write as _;
    let url = env::var("TEST_MYSQL_URL").ok();
    if url.is_none() {
        let _ = writeln!(std::io::stderr(), "SKIPPED {what} on MySQL: `TEST_MYSQL_URL` is not set");
    }
    url
}

/// Where a schema is made: an empty database for each name.
trait Place {
    fn empty(&mut self, name: &str) -> Database;
}

/// Files of a folder.
struct Files<'a> {
    folder: &'a TempDir,
    case: u64,
}

impl Place for Files<'_> {
    fn empty(&mut self, name: &str) -> Database {
        let file = self.folder.path().join(format!("{}_{name}.sqlite", self.case));
        // The first use of it finds none.
        let _ = std::fs::remove_file(&file);
        Database::Sqlite(file)
    }
}

/// A database of its own for each processor, gone with this value: whoever migrates one has it to himself, and nobody waits.
struct Databases {
    url: String,
    names: Vec<String>,
    free: Mutex<Vec<String>>,
}

impl Databases {
    fn make(url: &str, test: &str) -> Self {
        let count = thread::available_parallelism().map_or(1, usize::from);
        let name = |number| format!("roundtrip_{}_{test}_{number}", std::process::id());
        let names: Vec<String> = (0..count).map(name).collect();
        for name in &names {
            Database::PostgreSql(Server::parse(&in_database(url, name)).unwrap()).create().unwrap();
        }
        Self { url: url.to_owned(), free: Mutex::new(names.clone()), names }
    }

    fn schemas(&self, case: u64) -> Schemas<'_> {
        let name = self.free.lock().unwrap().pop().expect("no more at a time than there are processors");
        Schemas { url: in_database(&self.url, &name), case, made: Vec::new(), name, databases: self }
    }
}

impl Drop for Databases {
    fn drop(&mut self) {
        let place = Database::PostgreSql(Server::parse(&self.url).unwrap());
        for name in &self.names {
            let mut gone = whole(&format!("DROP DATABASE {name} WITH (FORCE)"));
            gone.statements[0].execution = Execution::Alone;
            place.migrate(name, &[gone], NOW).unwrap();
            let noted = format!("DELETE FROM schema_migrations WHERE scope = '{name}'");
            let steps = format!("DELETE FROM schema_migration_steps WHERE scope = '{name}'");
            place.migrate(name, &[whole(&steps), whole(&noted)], NOW).unwrap();
        }
    }
}

/// The same server, another database.
fn in_database(url: &str, name: &str) -> String {
    let (place, options) =
        url.split_once('?').map_or((url, String::new()), |(place, rest)| (place, format!("?{rest}")));
    let (server, _) = place.rsplit_once('/').unwrap();
    format!("{server}/{name}{options}")
}

/// Schemas of one of the databases, which go away with this value.
struct Schemas<'a> {
    url: String,
    case: u64,
    made: Vec<String>,
    name: String,
    databases: &'a Databases,
}

impl Schemas<'_> {
    fn run(&self, statement: &str) {
        let database = Database::PostgreSql(Server::parse(&self.url).unwrap());
        let numbered = format!("{statement}; -- {}", RUN.fetch_add(1, Ordering::Relaxed));
        database.migrate(&format!("roundtrip_{}", std::process::id()), &[whole(&numbered)], NOW).unwrap();
    }
}

/// Tells statements apart that say the same.
static RUN: AtomicU64 = AtomicU64::new(0);

impl Place for Schemas<'_> {
    fn empty(&mut self, name: &str) -> Database {
        let schema = format!("roundtrip_{}_{}_{name}", std::process::id(), self.case);
        self.run(&format!("DROP SCHEMA IF EXISTS {schema} CASCADE; CREATE SCHEMA {schema}"));
        let sign = if self.url.contains('?') { '&' } else { '?' };
        let server = Server::parse(&format!("{}{sign}options=-csearch_path%3D{schema}", self.url)).unwrap();
        self.made.push(schema);
        Database::PostgreSql(server)
    }
}

impl Drop for Schemas<'_> {
    fn drop(&mut self) {
        let gone: Vec<String> =
            self.made.iter().map(|schema| format!("DROP SCHEMA IF EXISTS {schema} CASCADE")).collect();
        let roles = format!(
            "DO $$ DECLARE r text; BEGIN FOR r IN SELECT rolname FROM pg_roles
             WHERE shobj_description(oid, 'pg_authid') LIKE '%schema roundtrip\\_{}\\_{}\\_%'
             LOOP EXECUTE format('DROP OWNED BY %I', r); EXECUTE format('DROP ROLE %I', r); END LOOP; END $$",
            std::process::id(),
            self.case
        );
        self.run(&[gone.join("; "), roles].join("; "));
        self.databases.free.lock().unwrap().push(self.name.clone());
    }
}

/// Databases of a MySQL server, which go away with this value.
struct MySqlDatabases<'a> {
    url: &'a str,
    case: u64,
    made: Vec<String>,
}

impl MySqlDatabases<'_> {
    fn prefix(&self) -> String {
        format!("rt{}_{}_", std::process::id(), self.case)
    }

    fn run(&self, statement: &str) {
        let database = Database::MySql(MySqlServer::parse(self.url).unwrap());
        let numbered = format!("{statement}; -- {}", RUN.fetch_add(1, Ordering::Relaxed));
        database.migrate(&format!("roundtrip_{}", std::process::id()), &[whole(&numbered)], NOW).unwrap();
    }
}

impl Place for MySqlDatabases<'_> {
    fn empty(&mut self, name: &str) -> Database {
        // Short, so that the names of users begin with it.
        let database = format!("{}{}", self.prefix(), &name[..1]);
        self.run(&format!("DROP DATABASE IF EXISTS {database}; CREATE DATABASE {database}"));
        let server = MySqlServer::parse(&format!("{}/{database}", self.url.rsplit_once('/').unwrap().0)).unwrap();
        self.made.push(database);
        Database::MySql(server)
    }
}

impl Drop for MySqlDatabases<'_> {
    fn drop(&mut self) {
        let databases = self.made.iter().map(|database| format!("DROP DATABASE IF EXISTS {database}"));
        let users = format!(
            "SET group_concat_max_len = 100000; SET @users = (SELECT COALESCE(CONCAT('DROP USER ', GROUP_CONCAT(QUOTE(User), '@', \
             QUOTE(Host))), 'DO 0') FROM mysql.user WHERE User LIKE '{}%'); PREPARE gone FROM @users; EXECUTE gone",
            self.prefix().replace('_', "\\_")
        );
        let noted = format!("DELETE FROM schema_migrations WHERE scope = 'roundtrip_{}'", std::process::id());
        self.run(&databases.chain([users, noted]).collect::<Vec<_>>().join("; "));
    }
}

/// What came back as something else once, or was refused without need.
const ONCE_BROKEN: &[&str] = &[
    // Few values, more rows than those that are tried.
    r#"{"tables":[{"name":"rooms","columns":{"is_so":{"type":"boolean","unique":true},"day":{"type":"date","unique":true}}},"halls"],"relationships":[{"from":"rooms","to":"rooms","kind":"one_to_one"},"halls_to_rooms"]}"#,
    // SQLite numbers the rows of such a key by itself.
    r#"{"tables":[{"name":"rooms","columns":{"number":"integer"},"constraints":[{"primary_key":["number"]}]}]}"#,
    // One rule, said several times.
    r#"{"tables":[{"name":"rooms","columns":{"number":{"type":"integer","unique":true}},"constraints":[{"primary_key":["number"]},{"unique":["number"]}],"indexes":[{"columns":["number"],"unique":true},"number","number"]}]}"#,
    r#"{"tables":[{"name":"rooms","columns":{"number":"integer"},"constraints":[{"check":{"column":"number","at_least":1}},{"check":{"column":"number","at_most":9}}]}]}"#,
    // Names that are too long together.
    r#"{"tables":["aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","baaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"],"relationships":[{"from":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","to":"baaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","kind":"many_to_many"}]}"#,
    // Numbers that PostgreSQL writes out.
    r#"{"tables":[{"name":"rooms","columns":{"extra":{"type":"json","default":[1e-7,-1.5e-9,1e30,1.25e21,-0.0,0.1,100.0]}}}]}"#,
    // Bounds far from nothing.
    r#"{"tables":[{"name":"rooms","columns":{"price":"decimal"},"constraints":[{"check":{"column":"price","at_most":90}}]}]}"#,
    // Columns that other rules bind are not kept by the database.
    r#"{"tables":[{"name":"days","columns":{"id":"timestamp"}},{"name":"rooms","columns":{"updated_at":{"type":"timestamp","references":"days"}}}]}"#,
    // Shorter than its type, and a key with a default.
    r#"{"tables":[{"name":"rooms","columns":{"mail":{"type":"email","max_length":9,"unique":true},"link":{"type":"url","max_length":1}}}]}"#,
];

/// How a schema fared.
enum Fate {
    CameBack,
    /// What was said, one diagnostic a line.
    Refused(String),
}

/// What is tried many times: how a case is made of a random number, how it is tried, and how it is shown to whoever mends it.
struct Trial<'t, P> {
    what: &'t str,
    engine: Engine,
    make: &'t (dyn Fn(&mut Random) -> Json + Sync),
    run: &'t (dyn Fn(&Json, &mut P) -> Result<Fate, String> + Sync),
    show: &'t (dyn Fn(&Json) -> String + Sync),
    /// Of a hundred cases so many may be refused, as long as each is refused clearly.
    refused: u64,
}

impl<P: Place> Trial<'_, P> {
    /// Tries those first that were wrong once, then so many, on all processors.
    fn all_come_back(&self, once_broken: &[&str], cases: u64, place: impl Fn(u64) -> P + Sync) {
        let number = |name: &str, otherwise| env::var(name).map_or(otherwise, |text| text.parse().unwrap());
        let (cases, seed) = (number("ROUNDTRIP_SCHEMAS", cases), number("ROUNDTRIP_SEED", SEED));
        for (number, case) in (1_000_000_000..).zip(once_broken) {
            match (self.run)(&serde_json::from_str(case).unwrap(), &mut place(number)) {
                Ok(Fate::CameBack) => {}
                Ok(Fate::Refused(why)) | Err(why) => panic!("{case}\n{why}"),
            }
        }
        let next = AtomicU64::new(0);
        let failed = Mutex::new(Vec::new());
        let refused = AtomicU64::new(0);
        let work = || {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= cases || !failed.lock().unwrap().is_empty() {
                    return;
                }
                let case = (self.make)(&mut Random(seed + number));
                let try_one = |case: &Json| (self.run)(case, &mut place(number));
                match try_one(&case) {
                    Ok(Fate::CameBack) => {}
                    Ok(Fate::Refused(why)) => {
                        refused.fetch_add(1, Ordering::Relaxed);
                        if env::var_os("ROUNDTRIP_SHOW").is_some() {
                            eprintln!("{why}");
                        }
                    }
                    Err(_) => {
                        let smallest = smaller::smallest(case, |case| try_one(case).is_err());
                        let why = try_one(&smallest).err().unwrap_or_default();
                        let again = format!("ROUNDTRIP_SEED={} ROUNDTRIP_SCHEMAS=1", seed + number);
                        failed.lock().unwrap().push(format!("{again}\n{}\n{why}", (self.show)(&smallest)));
                    }
                }
            }
        };
        thread::scope(|scope| {
            for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
                scope.spawn(work);
            }
        });
        let failed = failed.into_inner().unwrap();
        assert!(failed.is_empty(), "\n{}", failed.join("\n\n"));
        let refused = refused.into_inner();
        println!("{}: {cases} {} from seed {seed}, {refused} of them refused", self.engine, self.what);
        assert!(refused * 100 <= cases * self.refused, "{refused} of {cases} were refused");
    }
}

/// Single schemas.
fn must_come_back<P: Place>(engine: Engine, schemas: u64, place: impl Fn(u64) -> P + Sync) {
    let catalog = Catalog::built_in().unwrap();
    let names: Vec<String> = catalog.entities().map(|entity| entity.table.to_string()).collect();
    let trial = Trial {
        what: "schemas",
        engine,
        make: &|random| schemas::schema(random, &names),
        run: &|schema, place: &mut P| round_trip(engine, schema, &catalog, place),
        show: &|schema| task(engine, schema),
        refused: if engine == Engine::MySql { REFUSED_OF_MYSQL } else { REFUSED },
    };
    trial.all_come_back(ONCE_BROKEN, schemas, place);
}

fn task(engine: Engine, schema: &Json) -> String {
    let roles = match engine.has_roles() {
        true => format!("    roles: {}\n", permissions::roles(schema)),
        false => String::new(),
    };
    // YAML takes these only as escapes.
    let schema = schema.to_string().replace('\u{7f}', "\\u007f").replace('\u{feff}', "\\ufeff");
    format!(
        "task_id: random\ntask_type: configure_database\nspecifications:\n  database_config:\n    type: {engine}\n    schema_requirements: {schema}\n{roles}"
    )
}

/// There and back; what is not as it must be is the error.
fn round_trip(engine: Engine, schema: &Json, catalog: &Catalog, place: &mut impl Place) -> Result<Fate, String> {
    let planned = |observed: &Observed| planned(engine, schema, catalog, observed, Allowed::default());
    let failed = |what: &'static str| move |error: store::StoreError| format!("{what}: {error}");
    let database = place.empty("applied");
    let there = database.look("random").map_err(failed("look at nothing"))?.place;
    let plan = match planned(&Observed { place: there.clone(), ..Observed::default() }) {
        Ok(plan) => plan,
        Err(problems) => return refusal(&problems),
    };
    must_be_kept(&plan)?;
    let files = emit::database_files(&plan, &[]);

    let rehearsed = on_scratch(&plan.database, &database);
    if let Some(check) = rehearsed.iter().find(|check| check.outcome == CheckOutcome::Failed) {
        return Err(format!("rehearsal: {}: {}", check.check, check.detail));
    }
    database.migrate("random", &plan.database.migrations, NOW).map_err(failed("apply"))?;
    let seen = database.look("random").map_err(failed("look"))?.tables;
    let differences = store::differences(&plan.database, &seen);
    if !differences.is_empty() {
        return Err(format!("what was read back differs: {}", differences.join("; ")));
    }
    let active = Some(plan.database.clone());
    let observed = Observed { tables: seen.clone(), active, place: there, ..Observed::default() };
    let again = planned(&observed).map_err(|problems| format!("planned again: {problems:?}"))?;
    if again != plan {
        return Err(format!("the second plan is another one: {:?}", again.database.migrations));
    }
    let applied = database.migrate("random", &again.database.migrations, NOW).map_err(failed("apply again"))?;
    if !applied.is_empty() {
        return Err(format!("applied again: {applied:?}"));
    }
    let roles = permissions::make(&plan, &database)?;
    permissions::take_away(roles, &plan, &database)?;
    permissions::mend(&plan, &database)?;
    let loaded = place.empty("loaded");
    loaded.migrate("random", &[whole(&files["databases/schema.sql"])], NOW).map_err(failed("load schema.sql"))?;
    let loaded = loaded.look("random").map_err(failed("look at what was loaded"))?.tables;
    if let Some((made, loaded)) = differing(&seen, &loaded) {
        return Err(format!("schema.sql makes another table:\n{made:?}\n{loaded:?}"));
    }
    let undone = database.undo("random", &plan.database.migrations, NOW).map_err(failed("undo"))?;
    let left = database.look("random").map_err(failed("look at what is left"))?.tables;
    if undone.len() != plan.database.migrations.len() || !left.is_empty() {
        return Err(format!("undone: {undone:?}; left: {left:?}"));
    }
    database.migrate("random", &plan.database.migrations, NOW).map_err(failed("apply after undo"))?;
    permissions::mend(&plan, &database)?;
    let seen_again = database.look("random").map_err(failed("look again"))?.tables;
    match differing(&seen, &seen_again) {
        None => Ok(Fate::CameBack),
        Some((before, after)) => Err(format!("made again after undo it is another table:\n{before:?}\n{after:?}")),
    }
}

/// What the schema comes to where this was seen.
fn planned(
    engine: Engine,
    schema: &Json,
    catalog: &Catalog,
    observed: &Observed,
    allowed: Allowed,
) -> Result<Box<DatabaseTaskPlan>, Vec<Diagnostic>> {
    let parsed = spec::parse("random.yaml", &task(engine, schema));
    let [task] = &parsed.tasks[..] else { return Err(parsed.diagnostics) };
    match planner::plan_allowing(task, &TaskId::parse("random").unwrap(), catalog, observed, allowed)? {
        TaskPlan::Database(plan) => Ok(plan),
        TaskPlan::Api(_) => unreachable!("the task is one of a database"),
    }
}

/// A refusal says where and how to mend it.
fn refusal(problems: &[Diagnostic]) -> Result<Fate, String> {
    match problems.iter().find(|problem| problem.place.is_none() || problem.help.is_none()) {
        Some(problem) => Err(format!("refused without place or help: {problem:?}")),
        None => {
            let lines: Vec<String> =
                problems.iter().map(|problem| format!("{}: {}", problem.code.0, problem.message)).collect();
            Ok(Fate::Refused(lines.join("\n")))
        }
    }
}

/// What is persisted is what was planned.
fn must_be_kept(plan: &DatabaseTaskPlan) -> Result<(), String> {
    let text = serde_json::to_string(plan).map_err(|error| error.to_string())?;
    let read: DatabaseTaskPlan =
        serde_json::from_str(&text).map_err(|error| format!("the plan cannot be read: {error}"))?;
    if read == *plan { Ok(()) } else { Err("the plan is not what was persisted".to_owned()) }
}

/// A text of statements as one migration, without what clients of MySQL are told about where a statement ends.
fn whole(text: &str) -> Migration {
    let text = &text.replace("DELIMITER $$\n", "").replace("$$\nDELIMITER ;\n", ";\n");
    let undo = Undo::Impossible("it is a test".to_owned());
    let statement = plan::Statement::new(text, "the whole text", LockClass::NewObject, undo);
    Migration { name: vocab::sha256_hex(text.as_bytes()), statements: vec![statement] }
}

fn differing<'t>(
    left: &'t [ObservedTable],
    right: &'t [ObservedTable],
) -> Option<(Option<&'t ObservedTable>, Option<&'t ObservedTable>)> {
    let length = left.len().max(right.len());
    (0..length).map(|at| (left.get(at), right.get(at))).find(|(left, right)| left != right)
}
