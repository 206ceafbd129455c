//! Roles on a real PostgreSQL server, met with `psql` as a person would: each may do what the plan says and nothing more, what was
//! changed by hand is mended, passwords are nowhere but in the secret store.

use crate::harness::client::{ask, get, post};
use crate::harness::postgresql::{PASSWORD_ONLY, PrivateServer, psql};
use crate::harness::server::{Kind, Server};
use crate::harness::workspace::{Ended, Workspace, end, end_with_input, files};
use plan::http_case::CaseRequest;
use serde_json::Value as Json;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::thread;
use std::time::Duration;

/// A database of a test's own on the server that tests share; gone afterwards with its roles.
pub(super) struct Home {
    server: String,
    pub(super) name: String,
}

impl Home {
    pub(super) fn new(test: &str) -> Option<Self> {
        let server = std::env::var("TEST_POSTGRESQL_URL").ok().filter(|server| psql(server, "SELECT 1").is_ok());
        let Some(server) = server else {
            let why = "`TEST_POSTGRESQL_URL` is not set, or no `psql` is installed";
            let _ = writeln!(std::io::stderr(), "SKIPPED {test} with roles: {why}");
            return None;
        };
        let home = Self { server, name: format!("{test}_{}", std::process::id()) };
        home.superuser("postgres", &format!("CREATE DATABASE {}", home.name)).unwrap();
        Some(home)
    }

    pub(super) fn url(&self, user: &str, password: &str) -> String {
        let (_, rest) = self.server.split_once('@').unwrap();
        let (address, _) = rest.split_once('/').unwrap();
        format!("postgresql://{user}:{password}@{address}/{}", self.name)
    }

    /// As the superuser, in one of the databases.
    pub(super) fn superuser(&self, database: &str, statement: &str) -> Result<String, String> {
        let (server, _) = self.server.rsplit_once('/').unwrap();
        psql(&format!("{server}/{database}"), statement)
    }

    pub(super) fn execute(&self, statement: &str) {
        self.superuser(&self.name, statement).unwrap();
    }

    pub(super) fn admin_url(&self) -> String {
        let (server, _) = self.server.rsplit_once('/').unwrap();
        format!("{server}/{}", self.name)
    }

    pub(super) fn role(&self, end: &str) -> String {
        format!("{}_{end}", self.name)
    }

    /// The statement as one of the task's roles.
    pub(super) fn as_role(&self, workspace: &Workspace, end: &str, statement: &str) -> Result<String, String> {
        psql(&self.url(&self.role(end), &password(workspace, &self.role(end))), statement)
    }

    pub(super) fn run(&self, workspace: &Workspace, roles: &str) -> Ended {
        self.run_at(workspace, &self.admin_url(), roles)
    }

    fn run_at(&self, workspace: &Workspace, url: &str, roles: &str) -> Ended {
        let mut run = workspace.command(&["run", "-"]);
        end_with_input(run.env("SHOP_URL", url).env("REPORTING_PASSWORD", "it's 100% secret"), &task(roles))
    }

    /// A command that reads a task.
    pub(super) fn read(&self, workspace: &Workspace, words: &[&str], task: &str) -> Ended {
        end_with_input(workspace.command(words).env("SHOP_URL", self.admin_url()), task)
    }

    /// A command that reads the shop.
    fn with_task(&self, workspace: &Workspace, words: &[&str]) -> Ended {
        self.read(workspace, words, &task(""))
    }

    /// How what the roles may differs from the task, as `db diff` tells it.
    pub(super) fn drift(&self, workspace: &Workspace) -> Vec<String> {
        differences(&self.with_task(workspace, &["db", "diff", "-", "--format", "json"]))
    }

    fn must_change(&self, workspace: &Workspace, why: &str) {
        assert_eq!(self.run(workspace, "").must_end_with(0).response()["changed"], true, "{why}");
        assert_eq!(self.run(workspace, "").must_end_with(0).response()["changed"], false, "{why}");
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = self.superuser("postgres", &format!("DROP DATABASE {} WITH (FORCE)", self.name));
        let list = format!("SELECT rolname FROM pg_roles WHERE starts_with(rolname, '{}_')", self.name);
        for role in self.superuser("postgres", &list).unwrap_or_default().lines() {
            let _ = self.superuser("postgres", &format!("DROP ROLE {role}"));
        }
    }
}

pub(super) fn task(roles: &str) -> String {
    format!(
        "task_id: shop\ntask_type: configure_database\nspecifications:\n  database_config:\n    type: postgresql\n    connection: ${{env:SHOP_URL}}\n    schema_requirements:\n      tables: [users, orders, products]\n      relationships: [users_to_orders, orders_to_products]\n{roles}"
    )
}

/// What `db diff --format json` says of permissions; its exit status goes with it.
pub(super) fn differences(ended: &Ended) -> Vec<String> {
    let found: Json = serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("{}", ended.stderr));
    let differences = found["permissions"].as_array().unwrap();
    assert_eq!(ended.status, Some(if differences.is_empty() { 0 } else { 4 }), "{}", ended.stdout);
    differences.iter().map(|difference| difference["what"].as_str().unwrap().to_owned()).collect()
}

/// What `secrets export` gives for a role.
pub(super) fn password(workspace: &Workspace, role: &str) -> String {
    let name = format!("shop/{role}");
    let words = ["secrets", "export", &name, "--stdout", "--format", "json"];
    let exported = end(&mut workspace.command(&words)).must_end_with(0).stdout;
    let exported: Json = serde_json::from_str(&exported).unwrap();
    exported[&name].as_str().unwrap().to_owned()
}

/// The verifications of the roles, as `check: outcome`.
pub(super) fn verified(response: &Json) -> Vec<String> {
    let all = response["verification"].as_array().unwrap().iter();
    let of_roles = all.filter(|one| one["phase"] == "setup_user_permissions");
    of_roles.map(|one| format!("{}: {}", one["check"].as_str().unwrap(), one["outcome"].as_str().unwrap())).collect()
}

const A_USER: &str = "INSERT INTO users (name, email) VALUES ('Ada', 'ada@example.com')";

#[test]
fn each_role_may_do_what_it_is_for_and_nothing_more() {
    let Some(home) = Home::new("each_role") else { return };
    let workspace = Workspace::new();
    let response = home.run(&workspace, "").must_end_with(0).response();
    let checks = verified(&response);
    assert_eq!(checks.len(), 6, "{checks:?}");
    assert!(checks.iter().all(|check| check.ends_with(": passed")), "{checks:?}");
    let missing = response["output"]["metadata"]["security_missing"].to_string();
    assert!(!missing.contains("roles"), "{missing}");
    assert_eq!(home.run(&workspace, "").must_end_with(0).response()["changed"], false);

    let app = |statement: &str| home.as_role(&workspace, "app", statement);
    app(A_USER).unwrap();
    app("UPDATE users SET name = 'Grace'").unwrap();
    assert_eq!(app("SELECT name FROM users").unwrap(), "Grace\n");
    for statement in [
        "DROP TABLE users CASCADE",
        "CREATE TABLE mine ()",
        "ALTER TABLE users ADD COLUMN x text",
        "TRUNCATE users CASCADE",
        "DELETE FROM schema_migrations",
        "CREATE ROLE x",
    ] {
        let refused = app(statement).unwrap_err();
        assert!(refused.contains("permission denied") || refused.contains("must be owner"), "{statement}: {refused}");
    }
    let reader = |statement: &str| home.as_role(&workspace, "readonly", statement);
    assert_eq!(reader("SELECT count(*) FROM users").unwrap(), "1\n");
    for statement in [A_USER, "UPDATE users SET name = 'x'", "DELETE FROM users", "DROP TABLE users CASCADE"] {
        reader(statement).unwrap_err();
    }
    let backup = |statement: &str| home.as_role(&workspace, "backup", statement);
    assert_eq!(backup("SELECT (SELECT count(*) FROM users), count(*) FROM schema_migrations").unwrap(), "1|1\n");
    backup(A_USER).unwrap_err();

    // What the migrator makes is the owner's, and within reach of the others at once.
    home.as_role(&workspace, "migrator", "CREATE TABLE later (id integer); ALTER TABLE users ADD COLUMN nickname text")
        .unwrap();
    assert_eq!(app("INSERT INTO later VALUES (1); SELECT count(*) FROM later").unwrap().lines().last(), Some("1"));
    // Which of its columns are secret nobody has said, so nobody reads it who reads no secrets.
    reader("SELECT count(*) FROM later").unwrap_err();
    assert_eq!(backup("SELECT count(*) FROM later").unwrap(), "1\n");
    home.as_role(&workspace, "migrator", "DROP TABLE later; ALTER TABLE users DROP COLUMN nickname").unwrap();
    let owner = psql(&home.url(&home.role("owner"), "x"), "SELECT 1").unwrap_err();
    assert!(owner.contains("FATAL"), "{owner}");
    assert_eq!(home.run(&workspace, "").must_end_with(0).response()["changed"], false);
}

/// An API on the shop's database.
fn api(endpoints: &str) -> String {
    format!(
        "task_id: api\ntask_type: setup_api\ndependencies: [shop]\nspecifications:\n  api_requirements:\n    type: rest\n    endpoints:\n      - {{ path: /api/products, method: GET, authentication: none }}\n{endpoints}"
    )
}

const CONTACT: &str = "      - { path: /api/contact, method: POST, authentication: api_key }\n";
const CHANGES: &str = "      - { path: \"/api/products/{id}\", method: PATCH, authentication: api_key }\n      - { path: \"/api/products/{id}\", method: DELETE, authentication: api_key }\n";

#[test]
fn an_api_is_served_as_the_application_which_may_do_what_the_api_does() {
    let Some(home) = Home::new("served") else { return };
    let workspace = Workspace::new();
    home.run(&workspace, "").must_end_with(0);
    let app = |statement: &str| home.as_role(&workspace, "app", statement);
    app("SELECT count(*) FROM users").unwrap();
    let run = |endpoints: &str| home.read(&workspace, &["run", "-"], &api(endpoints)).must_end_with(0).response();
    let pending = home.read(&workspace, &["db", "migrate", "-", "--plan"], &api(CONTACT)).must_end_with(0).stdout;
    assert!(
        pending.contains(&format!(
            "GRANT INSERT (id, name, occurred_at, payload), UPDATE (dispatched_at) ON outbox_events TO {}",
            home.role("app")
        )),
        "{pending}"
    );
    let checks = verified(&run(CONTACT));
    assert!(checks.len() == 2 && checks.iter().all(|check| check.ends_with(": passed")), "{checks:?}");
    assert_eq!(run(CONTACT)["changed"], false, "the first run of an API leaves nothing to the second");
    assert_eq!(home.run(&workspace, "").must_end_with(0).response()["changed"], false);
    assert_eq!(home.drift(&workspace), Vec::<String>::new());

    let mut create = workspace.command(&["keys", "create", "--name", "test"]);
    let key = end(create.env("SHOP_URL", home.admin_url())).must_end_with(0).stdout;
    let server = Server::of(Server::command(Kind::Native, &workspace).env("SHOP_URL", home.admin_url()));
    let send = |request: CaseRequest| ask(server.address, &request, "").unwrap();
    let message = r#"{"name":"Ada","email":"ada@example.com","message":"hello"}"#;
    assert_eq!(send(post("/api/contact", Some(key.trim_end()), message)).status, 201, "{}", server.log());
    let who =
        "SELECT DISTINCT usename FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    assert_eq!(home.superuser(&home.name, who).unwrap(), format!("{}\n", home.role("app")));

    let refused = |statement: &str| {
        let said = app(statement).unwrap_err();
        assert!(said.contains("permission denied"), "{statement}: {said}");
    };
    let product = "INSERT INTO products (name, price) VALUES ('Cup', 5)";
    home.execute(product);
    app("SELECT id, name FROM products").unwrap();
    for statement in [
        "SELECT 1 FROM contact_messages",
        "UPDATE contact_messages SET name = 'x'",
        "DELETE FROM contact_messages",
        "SELECT 1 FROM users",
        "UPDATE outbox_events SET name = 'x'",
        "TRUNCATE outbox_events",
        "DELETE FROM api_keys",
        "UPDATE api_keys SET scopes = NULL",
        product,
        "UPDATE products SET price = 1",
        "DELETE FROM products",
    ] {
        refused(statement);
    }
    let reader = |statement: &str| home.as_role(&workspace, "readonly", statement);
    assert_eq!(reader("SELECT count(*) FROM contact_messages").unwrap(), "1\n");
    reader("SELECT name FROM api_keys").unwrap();
    reader("SELECT hash FROM api_keys").unwrap_err();
    home.as_role(&workspace, "backup", "SELECT hash FROM api_keys").unwrap();

    // The API grows, and shrinks again, and so does what it may.
    run(&[CONTACT, CHANGES].concat());
    let id = home.superuser(&home.name, "SELECT id FROM products").unwrap();
    let change = |method: &str, body: &str| {
        let request = post(&format!("/api/products/{}", id.trim_end()), Some(key.trim_end()), body);
        let mut request = CaseRequest { method: method.to_owned(), ..request };
        request.headers.insert("if-match".to_owned(), "*".to_owned());
        send(request).status
    };
    assert_eq!(change("PATCH", r#"{"name":"Mug"}"#), 200, "{}", server.log());
    refused("UPDATE products SET id = gen_random_uuid()");
    refused("UPDATE contact_messages SET name = 'x'");
    assert_eq!(change("DELETE", ""), 204, "{}", server.log());
    run(CONTACT);
    refused("DELETE FROM products");
    assert_eq!(send(post("/api/contact", Some(key.trim_end()), message)).status, 201, "{}", server.log());
    assert_eq!(run(CONTACT)["changed"], false);
    assert_eq!(home.run(&workspace, "").must_end_with(0).response()["changed"], false);

    // A task that says itself what the application may is taken at its word.
    home.run(&workspace, "    roles: [{ name: app, access: read_write }]\n").must_end_with(0);
    app("DELETE FROM users").unwrap();
}

/// The statements of `permissions.sql` that have a word in them.
fn granted(workspace: &Workspace, word: &str) -> Vec<String> {
    let file = workspace.path().join("output/integration/task_shop/databases/permissions.sql");
    let text = fs::read_to_string(file).unwrap();
    text.lines().filter(|line| !line.starts_with("--") && line.contains(word)).map(str::to_owned).collect()
}

#[test]
fn permissions_sql_says_what_is_granted_and_the_end_of_an_api_takes_back_what_it_needed() {
    let Some(home) = Home::new("granted") else { return };
    home.superuser("postgres", &format!("DROP DATABASE {} WITH (FORCE)", home.name)).unwrap();
    let workspace = Workspace::new();
    home.run(&workspace, "").must_end_with(0);
    let app = home.role("app");
    let on_rows = format!("GRANT DELETE, INSERT, SELECT, UPDATE ON order_items, orders, products, users TO {app};");
    let wide = granted(&workspace, &format!("TO {app}"));
    assert!(wide.contains(&on_rows), "{wide:?}");
    assert_eq!(
        granted(&workspace, "FROM PUBLIC"),
        [
            format!("REVOKE CONNECT, TEMPORARY ON DATABASE {} FROM PUBLIC;", home.name),
            "REVOKE CREATE ON SCHEMA public FROM PUBLIC;".to_owned()
        ]
    );

    home.read(&workspace, &["run", "-"], &api(CONTACT)).must_end_with(0);
    let narrow = granted(&workspace, &format!("TO {app}"));
    assert!(narrow.contains(&format!("GRANT INSERT ON contact_messages TO {app};")), "{narrow:?}");
    assert!(!narrow.iter().any(|grant| grant.contains("users") || grant.contains("DEFAULT")), "{narrow:?}");
    assert_eq!(home.run(&workspace, "").must_end_with(0).response()["changed"], false, "the file is as it was left");

    let undo = ["db", "undo", "api"];
    let undone = end(workspace.command(&undo).env("SHOP_URL", home.admin_url())).must_end_with(0);
    assert_eq!(undone.stderr, "");
    assert_eq!(home.drift(&workspace), Vec::<String>::new());
    home.as_role(&workspace, "app", A_USER).unwrap();
    assert_eq!(granted(&workspace, &format!("TO {app}")), wide);
    assert_eq!(home.run(&workspace, "").must_end_with(0).response()["changed"], false);
}

/// A table with a secret.
const ACCOUNTS: &str = "{ name: accounts, columns: { login: line, password_hash: line } }, ";

#[test]
fn a_secret_column_is_read_by_the_application_and_by_who_copies_alone() {
    let Some(home) = Home::new("secret") else { return };
    let workspace = Workspace::new();
    let with = |table: &str| task("").replace("tables: [", &format!("tables: [{table}"));
    let run = |table: &str| home.read(&workspace, &["run", "-"], &with(table)).must_end_with(0).response();
    let checks = verified(&run(ACCOUNTS));
    assert!(checks.iter().all(|check| check.ends_with(": passed")), "{checks:?}");
    let secret = "SELECT password_hash FROM accounts";
    let may = |end: &str, statement: &str| home.as_role(&workspace, end, statement).is_ok();
    for (end, may_read) in [("app", true), ("migrator", true), ("backup", true), ("readonly", false)] {
        assert_eq!(may(end, secret), may_read, "{end}");
        assert_eq!(may(end, "SELECT * FROM accounts"), may_read, "{end}");
        assert!(may(end, "SELECT login, count(*) FROM accounts GROUP BY login"), "{end}");
    }
    let grown = ACCOUNTS.replace("login: line,", "login: line, note: line, recovery_token: line,");
    run(&grown);
    assert!(may("readonly", "SELECT note FROM accounts") && !may("readonly", "SELECT recovery_token FROM accounts"));
    // A grant on the whole table, and what was granted by the column beside it.
    home.execute(&format!("GRANT SELECT ON accounts TO {}", home.role("readonly")));
    assert!(may("readonly", secret));
    let diff = home.read(&workspace, &["db", "diff", "-"], &with(&grown)).must_end_with(4).stdout;
    assert!(diff.contains(&format!("~ role `{}` may SELECT table `accounts`\n", home.role("readonly"))), "{diff}");
    home.read(&workspace, &["db", "migrate", "-"], &with(&grown)).must_end_with(0);
    assert!(!may("readonly", secret) && may("readonly", "SELECT note, login FROM accounts"));
    assert_eq!(run(&grown)["changed"], false);
}

#[test]
fn what_was_granted_or_taken_by_hand_is_mended() {
    let Some(home) = Home::new("by_hand") else { return };
    let workspace = Workspace::new();
    home.run(&workspace, "").must_end_with(0);
    let (app, owner, readonly) = (home.role("app"), home.role("owner"), home.role("readonly"));
    assert_eq!(home.drift(&workspace), Vec::<String>::new());
    let (makes, hands_on) = (format!("tables that `{owner}` will make"), "and hand that on");
    for (change, seen) in [
        (format!("REVOKE INSERT ON users FROM {app}"), format!("role `{app}` may not INSERT table `users`")),
        (format!("GRANT TRUNCATE ON users TO {app}"), format!("role `{app}` may TRUNCATE table `users`")),
        (
            format!("GRANT SELECT ON orders TO {readonly} WITH GRANT OPTION"),
            format!("role `{readonly}` may SELECT table `orders` {hands_on}"),
        ),
        (
            format!("GRANT UPDATE (email) ON users TO {readonly}"),
            format!("role `{readonly}` may UPDATE column `users.email`"),
        ),
        (format!("GRANT CREATE ON SCHEMA public TO {app}"), format!("role `{app}` may CREATE the schema")),
        (
            format!("REVOKE USAGE ON SCHEMA public FROM {readonly}"),
            format!("role `{readonly}` may not USAGE the schema"),
        ),
        (format!("REVOKE CREATE ON SCHEMA public FROM {owner}"), format!("role `{owner}` may not CREATE the schema")),
        (format!("GRANT {owner} TO {app}"), format!("role `{app}` is a member of `{owner}`")),
        (format!("ALTER ROLE {app} CREATEDB"), format!("role `{app}` has CREATEDB")),
        (format!("ALTER ROLE {app} SUPERUSER"), format!("role `{app}` has SUPERUSER")),
        (format!("ALTER ROLE {app} NOLOGIN"), format!("role `{app}` may not log in")),
        (format!("ALTER ROLE {owner} LOGIN"), format!("role `{owner}` may log in")),
        ("ALTER TABLE users OWNER TO CURRENT_USER".to_owned(), "table `users` is owned by `postgres`".to_owned()),
        ("GRANT CREATE ON SCHEMA public TO PUBLIC".to_owned(), "everybody may CREATE the schema".to_owned()),
        ("GRANT SELECT ON users TO PUBLIC".to_owned(), "everybody may SELECT table `users`".to_owned()),
        ("GRANT UPDATE (name) ON users TO PUBLIC".to_owned(), "everybody may UPDATE column `users.name`".to_owned()),
        (
            format!("ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA public REVOKE INSERT ON TABLES FROM {app}"),
            format!("role `{app}` may not INSERT {makes}"),
        ),
        (
            format!("ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA public GRANT SELECT ON TABLES TO PUBLIC"),
            format!("everybody may SELECT {makes}"),
        ),
        (
            format!("ALTER ROLE {} IN DATABASE {} RESET role", home.role("migrator"), home.name),
            format!("role `{}` has another setting: role={owner}", home.role("migrator")),
        ),
        (format!("DROP OWNED BY {readonly}; DROP ROLE {readonly}"), format!("role `{readonly}` is missing")),
    ] {
        home.execute(&change);
        let found = home.drift(&workspace);
        assert!(found.contains(&seen), "{change}: {found:?}");
        let changed = home.run(&workspace, "").must_end_with(0);
        assert_eq!(changed.response()["changed"], true, "{change}");
        assert!(changed.stdout.contains(&seen), "{change}: the response tells what was mended");
        assert_eq!(home.drift(&workspace), Vec::<String>::new(), "{change}");
    }
    // No server tells whether a password is the one that is kept.
    home.execute(&format!("ALTER ROLE {app} PASSWORD 'another'"));
    assert_eq!(home.run(&workspace, "").must_end_with(0).response()["changed"], true);
    assert_eq!(home.run(&workspace, "").must_end_with(0).response()["changed"], false);
    home.as_role(&workspace, "app", A_USER).unwrap();
    // What is nobody's business here is left alone.
    home.execute(&format!(
        "CREATE TABLE theirs (); GRANT ALL ON theirs TO {app}; ALTER ROLE {app} SET statement_timeout TO '9s'"
    ));
    assert_eq!(home.run(&workspace, "").must_end_with(0).response()["changed"], false);
}

#[test]
fn what_hides_rows_is_shown_and_stays_until_somebody_says_otherwise() {
    let Some(home) = Home::new("hidden") else { return };
    let workspace = Workspace::new();
    home.run(&workspace, "").must_end_with(0);
    home.execute(
        "ALTER TABLE users ENABLE ROW LEVEL SECURITY; CREATE POLICY mine ON users FOR SELECT USING (name = 'Ada')",
    );
    home.execute("CREATE TABLE theirs (); ALTER TABLE theirs ENABLE ROW LEVEL SECURITY");
    let seen = ["table `users` hides the rows that no policy shows", "table `users` has the policy `mine`"];
    assert_eq!(home.drift(&workspace), seen);
    assert_eq!(home.run(&workspace, "").must_end_with(0).response()["changed"], false);
    assert_eq!(home.drift(&workspace), seen);
    let inspected = home.with_task(&workspace, &["db", "inspect", "-"]).must_end_with(0).stdout;
    assert!(
        inspected.contains("row security of users: on\n  policy mine: allows SELECT for public, rows "),
        "{inspected}"
    );
    let allowed = ["db", "migrate", "-", "--allow-destructive"];
    let planned = home.with_task(&workspace, &[&allowed[..], &["--plan"]].concat()).must_end_with(0).stdout;
    assert!(planned.contains("CREATE POLICY mine ON users AS PERMISSIVE FOR SELECT TO PUBLIC USING"), "{planned}");
    assert_eq!(home.with_task(&workspace, &allowed).must_end_with(0).response()["changed"], true);
    assert_eq!(home.drift(&workspace), Vec::<String>::new());
    assert_eq!(home.with_task(&workspace, &allowed).must_end_with(0).response()["changed"], false);
}

#[test]
fn what_the_roles_may_is_shown_before_and_after() {
    let Some(home) = Home::new("shown") else { return };
    let workspace = Workspace::new();
    let plan = ["db", "migrate", "-", "--plan"];
    let planned = home.with_task(&workspace, &plan).must_end_with(0).stdout;
    for statement in [
        format!("CREATE ROLE {} LOGIN;", home.role("app")),
        format!("ALTER TABLE users OWNER TO {}", home.role("owner")),
        format!("-- undo: REVOKE CONNECT ON DATABASE {} FROM {}", home.name, home.role("app")),
    ] {
        assert!(planned.contains(&statement), "{statement} in {planned}");
    }
    assert!(home.drift(&workspace).contains(&format!("role `{}` is missing", home.role("app"))));
    home.run(&workspace, "").must_end_with(0);
    assert_eq!(home.with_task(&workspace, &plan).must_end_with(0).stdout, "nothing is to be done\n");
    home.execute(&format!("CREATE ROLE {} NOLOGIN; GRANT SELECT ON users TO {0}", home.role("stranger")));
    let words = ["db", "inspect", "-", "--format", "json"];
    let inspected = home.with_task(&workspace, &words).must_end_with(0).stdout;
    let inspected: Json = serde_json::from_str(&inspected).unwrap();
    let role = |end: &str| {
        let roles = inspected["permissions"]["roles"].as_array().unwrap().iter();
        roles.clone().find(|role| role["name"] == home.role(end)).unwrap_or_else(|| panic!("{end} is missing"))
    };
    assert_eq!(role("owner")["may_log_in"], false);
    assert_eq!(role("migrator")["member_of"], serde_json::json!([home.role("owner")]));
    let read = serde_json::json!({ "on": { "table": "users" }, "privilege": "SELECT", "may_be_handed_on": false });
    for end in ["app", "backup", "stranger"] {
        assert!(role(end)["grants"].as_array().unwrap().contains(&read), "{end}");
    }
}

#[test]
fn a_password_is_rotated_and_an_interruption_loses_nothing() {
    let Some(home) = Home::new("rotation") else { return };
    let workspace = Workspace::new();
    home.run(&workspace, "").must_end_with(0);
    let (app, other) = (home.role("app"), home.role("away"));
    let name = format!("shop/{app}");
    let first = password(&workspace, &app);
    let rotate = || end(workspace.command(&["secrets", "rotate", &name]).env("SHOP_URL", home.admin_url()));
    rotate().must_end_with(0);
    let second = password(&workspace, &app);
    assert_ne!(first, second);
    assert!(psql(&home.url(&app, &first), "SELECT 1").unwrap_err().contains("authentication failed"));
    home.as_role(&workspace, "app", "SELECT 1").unwrap();
    assert_eq!(home.run(&workspace, "").must_end_with(0).response()["changed"], false);

    // What a deployment gets reaches the database with the application's role.
    let mut export = workspace.command(&["secrets", "export", "--for", "shop", "--stdout"]);
    let exported = end(export.env("SHOP_URL", home.admin_url())).must_end_with(0).stdout;
    let url = exported.trim_end().strip_prefix("DATABASE_URL=").unwrap();
    assert_eq!(psql(url, "SELECT current_user").unwrap(), format!("{app}\n"));

    // The server does not take the new one: the old one is good, and what was begun is ended by the next run.
    home.execute(&format!("ALTER ROLE {app} RENAME TO {other}"));
    rotate().must_end_with(1);
    assert_eq!(password(&workspace, &app), second);
    let listed = end(&mut workspace.command(&["secrets", "list"])).must_end_with(0).stdout;
    assert!(listed.lines().any(|line| line.contains(&name) && line.contains("a rotation is to be ended")), "{listed}");
    home.execute(&format!("ALTER ROLE {other} RENAME TO {app}"));
    // A name is part of what an MD5 password is made of, and of no SCRAM verifier.
    home.as_role(&workspace, "app", "SELECT 1").unwrap();
    home.must_change(&workspace, "the rotation is ended");
    assert_ne!(password(&workspace, &app), second);
    home.as_role(&workspace, "app", "SELECT 1").unwrap();

    end_with_input(&mut workspace.command(&["secrets", "set", "STRIPE"]), "x").must_end_with(0);
    let no_role = end(&mut workspace.command(&["secrets", "rotate", "STRIPE"])).must_end_with(1);
    assert!(no_role.stderr.contains("secrets set STRIPE"), "{}", no_role.stderr);
}

#[test]
fn a_rotation_under_a_running_server_fails_no_request() {
    let Some(home) = Home::new("under_load") else { return };
    let workspace = Workspace::new();
    home.run(&workspace, "").must_end_with(0);
    // So many that each request reaches the database.
    let task = format!("{}    rate_limiting: 100000_requests_per_minute\n", api(CONTACT));
    home.read(&workspace, &["run", "-"], &task).must_end_with(0);
    let mut create = workspace.command(&["keys", "create", "--name", "test"]);
    let key = end(create.env("SHOP_URL", home.admin_url())).must_end_with(0).stdout;
    let server = Server::of(Server::command(Kind::Native, &workspace).env("SHOP_URL", home.admin_url()));
    let message = r#"{"name":"Ada","email":"ada@example.com","message":"hello"}"#;
    let send_many = |requests: usize| {
        for number in 0..requests {
            let status = match number % 2 {
                0 => ask(server.address, &get("/api/products"), "").unwrap().status,
                _ => ask(server.address, &post("/api/contact", Some(key.trim_end()), message), "").unwrap().status,
            };
            assert!(matches!(status, 200 | 201), "{status}: {}", server.log());
        }
    };
    let sessions = format!("FROM pg_stat_activity WHERE usename = '{}'", home.role("app"));
    let (name, first) = (format!("shop/{}", home.role("app")), password(&workspace, &home.role("app")));
    let rotate =
        || end(workspace.command(&["secrets", "rotate", &name]).env("SHOP_URL", home.admin_url())).must_end_with(0);
    // A few connections are open, and stay; more are needed under load, and so while passwords change.
    send_many(2);
    for _ in 0..3 {
        thread::scope(|scope| {
            let senders: Vec<_> = (0..8).map(|_| scope.spawn(|| send_many(40))).collect();
            rotate();
            senders.into_iter().for_each(|sender| sender.join().unwrap());
        });
        // None of those that were let in by the password before is left.
        home.execute(&format!("SELECT pg_terminate_backend(pid) {sessions}"));
        thread::sleep(Duration::from_millis(200));
        thread::scope(|scope| {
            (0..8).for_each(|_| drop(scope.spawn(|| send_many(10))));
        });
    }
    assert!(psql(&home.url(&home.role("app"), &first), "SELECT 1").unwrap_err().contains("authentication failed"));
}

#[test]
fn a_role_of_somebody_elses_is_asked_about_and_nothing_is_touched() {
    let Some(home) = Home::new("taken") else { return };
    let workspace = Workspace::new();
    let app = home.role("app");
    home.execute(&format!("CREATE ROLE {app} LOGIN PASSWORD 'theirs'"));
    let asked = home.run(&workspace, "").must_end_with(3).response();
    assert_eq!((&asked["status"], &asked["error"]["code"]), (&"needs_input".into(), &"role_taken".into()), "{asked}");
    assert_eq!(
        home.superuser(&home.name, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").unwrap(),
        "0\n"
    );
    let hint = asked["error"]["hint"].as_str().unwrap();
    home.execute(hint.split('`').nth(1).unwrap());
    let asked = home.run(&workspace, "").must_end_with(3).response();
    assert_eq!(asked["error"]["code"], "password_unknown");
    let set = ["secrets", "set", &format!("shop/{app}")];
    end_with_input(&mut workspace.command(&set), "theirs").must_end_with(0);
    home.run(&workspace, "").must_end_with(0);
    psql(&home.url(&app, "theirs"), A_USER).unwrap();
}

#[test]
fn roles_of_the_task_get_the_tables_and_the_passwords_it_says() {
    let Some(home) = Home::new("stated") else { return };
    let workspace = Workspace::new();
    let roles = "    roles:\n      - { name: reporting, access: read_only, tables: [products], password: \"${env:REPORTING_PASSWORD}\" }\n      - { name: clerk, access: read_write, tables: [orders], password: \"${secret:CLERK}\" }\n";
    let asked = home.run(&workspace, roles).must_end_with(3).response();
    assert_eq!(
        (&asked["error"]["code"], &asked["error"]["place"]),
        (&"secret_missing".into(), &"database_config.roles".into())
    );
    end_with_input(&mut workspace.command(&["secrets", "set", "CLERK"]), "p@ss/w:rd#1").must_end_with(0);
    let checks = verified(&home.run(&workspace, roles).must_end_with(0).response());
    assert_eq!(checks.len(), 8, "{checks:?}");
    assert!(checks.iter().all(|check| check.ends_with(": passed")), "{checks:?}");
    let reporting = home.url(&home.role("reporting"), "it%27s%20100%25%20secret");
    assert_eq!(psql(&reporting, "SELECT count(*) FROM products").unwrap(), "0\n");
    psql(&reporting, "SELECT count(*) FROM users").unwrap_err();
    let clerk = home.url(&home.role("clerk"), "p%40ss%2Fw%3Ard%231");
    psql(&clerk, "DELETE FROM orders").unwrap();
    psql(&clerk, "SELECT count(*) FROM products").unwrap_err();
    assert_eq!(home.run(&workspace, roles).must_end_with(0).response()["changed"], false);
    // A connection may be one of them: its password stands in no URL, and holds what means something there.
    let (_, rest) = home.server.split_once('@').unwrap();
    let (address, _) = rest.split_once('/').unwrap();
    let by_secret = task("").replace(
        "${env:SHOP_URL}",
        &format!("\"postgresql://{}:${{secret:CLERK}}@{address}/{}\"", home.role("clerk"), home.name),
    );
    let planned = end_with_input(&mut workspace.command(&["run", "--plan", "-"]), &by_secret);
    assert_ne!(planned.status, Some(3), "{}", planned.stdout);
    assert!(!planned.stdout.contains("authentication"), "{}", planned.stdout);
}

#[test]
fn whoever_may_not_make_roles_hears_it_and_somebody_else_can_make_them() {
    let Some(home) = Home::new("limited") else { return };
    let workspace = Workspace::new();
    let limited = home.role("limited");
    home.execute(&format!(
        "CREATE ROLE {limited} LOGIN PASSWORD 'limited'; ALTER DATABASE {} OWNER TO {limited}",
        home.name
    ));
    home.execute(&format!("GRANT ALL ON SCHEMA public TO {limited}"));
    let url = home.url(&limited, "limited");
    let response = home.run_at(&workspace, &url, "").must_end_with(0).response();
    assert!(response["warnings"].to_string().contains("may not make roles"), "{response}");
    assert_eq!(verified(&response), ["database roles: not_verified"]);
    assert!(response["output"]["metadata"]["security_missing"].to_string().contains("roles"));
    let named = "    roles: [{ name: reporting, access: read_only }]\n";
    let refused = home.run_at(&workspace, &url, named).must_end_with(3).response();
    assert_eq!(refused["error"]["code"], "roles_not_allowed", "{refused}");

    // Somebody who may runs the file; the passwords come into the store by hand.
    let script = workspace.path().join("output/integration/task_shop/databases/permissions.sql");
    home.execute(&fs::read_to_string(script).unwrap());
    for end_of_name in ["app", "migrator", "readonly", "backup"] {
        let role = home.role(end_of_name);
        home.execute(&format!("ALTER ROLE {role} PASSWORD 'by-hand'"));
        let set = ["secrets", "set", &format!("shop/{role}")];
        end_with_input(&mut workspace.command(&set), "by-hand").must_end_with(0);
    }
    let checks = verified(&home.run_at(&workspace, &url, "").must_end_with(0).response());
    assert!(checks.len() == 6 && checks.iter().all(|check| check.ends_with(": passed")), "{checks:?}");
    home.as_role(&workspace, "app", A_USER).unwrap();
}

#[test]
fn a_user_who_may_make_roles_and_nothing_else_makes_them() {
    let Some(home) = Home::new("maker") else { return };
    let workspace = Workspace::new();
    let maker = home.role("maker");
    home.execute(&format!(
        "CREATE ROLE {maker} LOGIN CREATEROLE PASSWORD 'maker'; ALTER DATABASE {} OWNER TO {maker}",
        home.name
    ));
    home.execute(&format!("ALTER SCHEMA public OWNER TO {maker}"));
    let url = home.url(&maker, "maker");
    let checks = verified(&home.run_at(&workspace, &url, "").must_end_with(0).response());
    assert!(checks.len() == 6 && checks.iter().all(|check| check.ends_with(": passed")), "{checks:?}");
    assert_eq!(home.run_at(&workspace, &url, "").must_end_with(0).response()["changed"], false);
    home.as_role(&workspace, "app", A_USER).unwrap();
    home.as_role(&workspace, "app", "DROP TABLE users CASCADE").unwrap_err();
}

#[test]
fn no_password_is_in_a_file_an_answer_or_the_servers_log() {
    let Some(server) =
        PrivateServer::start("roles", PASSWORD_ONLY, "-c log_statement=all -c log_min_error_statement=debug1")
    else {
        return;
    };
    let workspace = Workspace::new();
    let mut said = String::new();
    for words in
        [["run", "-"].as_slice(), &["run", "-"], &["run", "--plan", "-"], &["run", "--plan", "--format", "json", "-"]]
    {
        let ended = end_with_input(workspace.command(words).env("SHOP_URL", server.url()), &task("")).must_end_with(0);
        said.push_str(&ended.stdout);
        said.push_str(&ended.stderr);
    }
    let mut rotate = workspace.command(&["secrets", "rotate", "shop/postgres_app"]);
    let ended = end(rotate.env("SHOP_URL", server.url()).env("PRODUCER_LOG", "trace")).must_end_with(0);
    said.push_str(&ended.stderr);
    let log = fs::read_to_string(server.path("log")).unwrap();
    assert!(log.contains("SCRAM-SHA-256$4096:"), "the log shows what the server keeps");
    for role in ["app", "migrator", "readonly", "backup"] {
        let secret = password(&workspace, &format!("postgres_{role}"));
        assert_eq!(secret.len(), 32);
        assert!(!said.contains(&secret) && !log.contains(&secret), "{role}");
        must_stand_nowhere(workspace.path(), &secret);
    }
}

fn must_stand_nowhere(folder: &Path, text: &str) {
    for (path, content) in files(folder) {
        assert!(!content.windows(text.len()).any(|window| window == text.as_bytes()), "{path} holds a password");
    }
}

/// A database that a run has made is entered by its roles alone; one that was there lets in whomever it let in.
#[test]
fn only_its_own_roles_enter_a_database_that_was_made() {
    let (Some(there), Some(made)) = (Home::new("was_there"), Home::new("was_made")) else { return };
    let enters = |home: &Home| {
        let may = |privilege| {
            let asked = format!("SELECT has_database_privilege('public', current_database(), '{privilege}')");
            home.superuser(&home.name, &asked).unwrap().trim().to_owned()
        };
        ["CONNECT", "TEMPORARY"].map(may)
    };
    there.run(&Workspace::new(), "").must_end_with(0);
    assert_eq!(enters(&there), ["t", "t"]);
    made.superuser("postgres", &format!("DROP DATABASE {} WITH (FORCE)", made.name)).unwrap();
    let workspace = Workspace::new();
    made.run(&workspace, "").must_end_with(0);
    assert_eq!(enters(&made), ["f", "f"]);
    assert_eq!(made.as_role(&workspace, "app", "SELECT 1").unwrap().trim(), "1");
    assert_eq!(made.run(&workspace, "").must_end_with(0).response()["changed"], false);
    assert_eq!(made.drift(&workspace), Vec::<String>::new());
    made.execute(&format!("GRANT CONNECT ON DATABASE {} TO PUBLIC", made.name));
    let drift = made.drift(&workspace);
    assert!(drift.len() == 1 && drift[0].contains("CONNECT"), "{drift:?}");
    made.must_change(&workspace, "everybody may enter");
    assert_eq!(enters(&made), ["f", "f"]);
}
