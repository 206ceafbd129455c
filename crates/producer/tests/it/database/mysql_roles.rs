//! Users and grants on a real MySQL or MariaDB server, met with the engine's own client as a person would.

use super::roles::{password, verified};
use crate::harness::workspace::{Ended, Workspace, end, end_with_input};
use std::io::Write as _;
use std::process::{Command, Stdio};

/// A database of a test's own on the server that tests share; gone afterwards with its users.
struct Home {
    server: String,
    name: String,
}

impl Home {
    fn new(test: &str) -> Option<Self> {
        let server = std::env::var("TEST_MYSQL_URL").ok().filter(|server| client(server, "", "SELECT 1").is_ok());
        let Some(server) = server else {
            let why = "`TEST_MYSQL_URL` is not set, or no `mariadb` client is installed";
            let _ = writeln!(std::io::stderr(), "SKIPPED {test} with users: {why}");
            return None;
        };
        let home = Self { server, name: format!("{test}_{}", std::process::id()) };
        home.execute(&format!("CREATE DATABASE {}", home.name));
        Some(home)
    }

    fn execute(&self, statements: &str) {
        client(&self.server, "", statements).unwrap();
    }

    fn url(&self) -> String {
        format!("{}/{}", self.server.rsplit_once('/').unwrap().0, self.name)
    }

    fn role(&self, end: &str) -> String {
        format!("{}_{end}", self.name)
    }

    fn as_role(&self, workspace: &Workspace, end: &str, statements: &str) -> Result<String, String> {
        let (user, secret) = (self.role(end), password(workspace, &self.role(end)));
        let (_, address) = self.server.rsplit_once('@').unwrap();
        client(&format!("mysql://{user}:{secret}@{address}"), &self.name, statements)
    }

    fn run(&self, workspace: &Workspace, roles: &str) -> Ended {
        let mut run = workspace.command(&["run", "-"]);
        end_with_input(run.env("SHOP_URL", self.url()), &super::roles::task(roles).replace("postgresql", "mysql"))
    }
}

impl Home {
    /// A command that reads the task.
    fn with_task(&self, workspace: &Workspace, words: &[&str]) -> Ended {
        let mut command = workspace.command(words);
        end_with_input(command.env("SHOP_URL", self.url()), &super::roles::task("").replace("postgresql", "mysql"))
    }

    /// How what the users may differs from the task, as `db diff` tells it.
    fn drift(&self, workspace: &Workspace) -> Vec<String> {
        super::roles::differences(&self.with_task(workspace, &["db", "diff", "-", "--format", "json"]))
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = client(&self.server, "", &format!("DROP DATABASE {}", self.name));
        for end in ["migrator", "app", "readonly", "backup", "reporting"] {
            let _ = client(&self.server, "", &format!("DROP USER IF EXISTS '{}'@'%'", self.role(end)));
        }
        let _ = client(&self.server, "", &format!("DROP ROLE IF EXISTS {}", self.role("group")));
    }
}

/// What the engine's own client says to statements, a row a line.
fn client(url: &str, database: &str, statements: &str) -> Result<String, String> {
    let (user, address) = url.strip_prefix("mysql://").unwrap().rsplit_once('@').unwrap();
    let (user, secret) = user.split_once(':').unwrap();
    let (host, port) = address.split('/').next().unwrap().split_once(':').unwrap();
    let mut command = Command::new("mariadb");
    command.args(["--no-defaults", "-N", "-B", "--protocol=tcp", "-h", host, "-P", port, "-u", user]);
    command.arg(format!("-p{secret}")).args(["-e", statements]).stdin(Stdio::null());
    if !database.is_empty() {
        command.arg(database);
    }
    let output = command.output().map_err(|error| error.to_string())?;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
}

const A_USER: &str = "INSERT INTO users (name, email) VALUES ('Ada', 'ada@example.com')";

#[test]
fn each_user_may_do_what_it_is_for_and_nothing_more() {
    let Some(home) = Home::new("users") else { return };
    let workspace = Workspace::new();
    let response = home.run(&workspace, "").must_end_with(0).response();
    let checks = verified(&response);
    assert!(checks.len() == 5 && checks.iter().all(|check| check.ends_with(": passed")), "{checks:?}");
    assert_eq!(home.run(&workspace, "").must_end_with(0).response()["changed"], false);
    let app = |statement: &str| home.as_role(&workspace, "app", statement);
    app(A_USER).unwrap();
    assert_eq!(app("UPDATE users SET name = 'Grace'; SELECT name FROM users").unwrap(), "Grace\n");
    for statement in
        ["DROP TABLE orders", "CREATE TABLE mine (a INT)", "ALTER TABLE users ADD x INT", "TRUNCATE orders"]
    {
        assert!(app(statement).unwrap_err().contains("denied"), "{statement}");
    }
    let reader = |statement: &str| home.as_role(&workspace, "readonly", statement);
    assert_eq!(reader("SELECT COUNT(*) FROM users").unwrap(), "1\n");
    assert!(reader(A_USER).unwrap_err().contains("denied"));
    home.as_role(&workspace, "migrator", "CREATE TABLE later (a INT)").unwrap();
    assert_eq!(app("INSERT INTO later VALUES (1); SELECT a FROM later").unwrap(), "1\n");
    home.as_role(&workspace, "migrator", "DROP TABLE later").unwrap();
    assert_eq!(home.run(&workspace, "").must_end_with(0).response()["changed"], false);
}

#[test]
fn a_secret_column_is_read_by_the_application_and_by_who_copies_alone() {
    let Some(home) = Home::new("users_secret") else { return };
    let workspace = Workspace::new();
    let accounts = "{ name: accounts, columns: { login: line, password_hash: line } }, ";
    let with = |table: &str| {
        super::roles::task("").replace("postgresql", "mysql").replace("tables: [", &format!("tables: [{table}"))
    };
    let command = |words: &[&str], table: &str| {
        end_with_input(workspace.command(words).env("SHOP_URL", home.url()), &with(table))
    };
    let checks = verified(&command(&["run", "-"], accounts).must_end_with(0).response());
    assert!(checks.iter().all(|check| check.ends_with(": passed")), "{checks:?}");
    let secret = "SELECT password_hash FROM accounts";
    let may = |end: &str, statement: &str| home.as_role(&workspace, end, statement).is_ok();
    for (end, may_read) in [("app", true), ("migrator", true), ("backup", true), ("readonly", false)] {
        assert_eq!(may(end, secret), may_read, "{end}");
        assert!(may(end, "SELECT login, COUNT(*) FROM accounts GROUP BY login"), "{end}");
    }
    let grown = accounts.replace("login: line,", "login: line, note: line, recovery_token: line,");
    command(&["run", "-"], &grown).must_end_with(0);
    assert!(may("readonly", "SELECT note FROM accounts") && !may("readonly", "SELECT recovery_token FROM accounts"));
    home.execute(&format!("GRANT SELECT ON {}.accounts TO '{}'@'%'", home.name, home.role("readonly")));
    assert!(may("readonly", secret));
    let diff = command(&["db", "diff", "-"], &grown).must_end_with(4).stdout;
    assert!(diff.contains(&format!("~ user `{}` may SELECT table `accounts`\n", home.role("readonly"))), "{diff}");
    command(&["db", "migrate", "-"], &grown).must_end_with(0);
    assert!(!may("readonly", secret) && may("readonly", "SELECT note, login FROM accounts"));
    assert_eq!(command(&["run", "-"], &grown).must_end_with(0).response()["changed"], false);
    // A column that is gone leaves its grants behind.
    command(&["db", "migrate", "-", "--allow-destructive"], accounts).must_end_with(0);
    assert_eq!(command(&["db", "diff", "-"], accounts).must_end_with(0).status, Some(0));
    assert_eq!(command(&["run", "-"], accounts).must_end_with(0).response()["changed"], false);
}

#[test]
fn what_was_granted_or_taken_by_hand_is_mended_and_a_password_rotated() {
    let Some(home) = Home::new("users_hand") else { return };
    let workspace = Workspace::new();
    home.run(&workspace, "").must_end_with(0);
    home.execute(&format!("CREATE ROLE {}", home.role("group")));
    let (app, readonly) = (home.role("app"), home.role("readonly"));
    let pattern = home.name.replace('_', "\\_");
    assert_eq!(home.drift(&workspace), Vec::<String>::new());
    for (change, seen) in [
        (
            format!("REVOKE INSERT ON `{pattern}`.* FROM '{app}'@'%'"),
            format!("user `{app}` may not INSERT the database"),
        ),
        (format!("GRANT DROP ON `{pattern}`.* TO '{app}'@'%'"), format!("user `{app}` may DROP the database")),
        (
            format!("GRANT UPDATE ON {}.users TO '{readonly}'@'%'", home.name),
            format!("user `{readonly}` may UPDATE table `users`"),
        ),
        (
            format!("GRANT UPDATE (email) ON {}.users TO '{readonly}'@'%'", home.name),
            format!("user `{readonly}` may UPDATE column `users.email`"),
        ),
        (format!("GRANT CREATE USER ON *.* TO '{app}'@'%'"), format!("user `{app}` has CREATE USER")),
        (format!("ALTER USER '{app}'@'%' ACCOUNT LOCK"), format!("user `{app}` may not log in")),
        (
            format!("GRANT {} TO '{app}'@'%'", home.role("group")),
            format!("user `{app}` is a member of `{}`", home.role("group")),
        ),
        (format!("DROP USER '{readonly}'@'%'"), format!("user `{readonly}` is missing")),
    ] {
        home.execute(&change);
        let found = home.drift(&workspace);
        assert!(found.contains(&seen), "{change}: {found:?}");
        let changed = home.run(&workspace, "").must_end_with(0);
        assert_eq!(changed.response()["changed"], true, "{change}");
        assert!(changed.stdout.contains(&seen), "{change}: the response tells what was mended");
        assert_eq!(home.drift(&workspace), Vec::<String>::new(), "{change}");
    }
    home.execute(&format!("ALTER USER '{app}'@'%' IDENTIFIED BY 'another'"));
    assert_eq!(home.run(&workspace, "").must_end_with(0).response()["changed"], true);
    assert_eq!(home.run(&workspace, "").must_end_with(0).response()["changed"], false);
    home.as_role(&workspace, "app", A_USER).unwrap();

    let before = password(&workspace, &app);
    let name = format!("shop/{app}");
    end(workspace.command(&["secrets", "rotate", &name]).env("SHOP_URL", home.url())).must_end_with(0);
    assert_ne!(password(&workspace, &app), before);
    assert_eq!(home.as_role(&workspace, "app", "SELECT COUNT(*) FROM users").unwrap(), "1\n");
}

/// The engine itself leaves a grant where its table was.
#[test]
fn what_was_granted_on_a_table_goes_with_it() {
    let Some(home) = Home::new("gone") else { return };
    let workspace = Workspace::new();
    let task = super::roles::task("").replace("postgresql", "mysql");
    let with_more = task.replace("orders, products]", "orders, products, coupons]");
    let run = |task: &str| {
        end_with_input(workspace.command(&["run", "-"]).env("SHOP_URL", home.url()), task).must_end_with(0);
    };
    let undo = || {
        let words = ["db", "undo", "shop", "--allow-destructive"];
        end(workspace.command(&words).env("SHOP_URL", home.url())).must_end_with(0)
    };
    let granted = || {
        let asked = format!("SHOW GRANTS FOR '{}'@'%'", home.role("readonly"));
        let found = client(&home.server, "", &asked).unwrap();
        found.lines().filter(|grant| grant.contains("coupons")).count()
    };
    run(&task);
    run(&with_more);
    assert_eq!(granted(), 1);
    assert_eq!(undo().stderr, "");
    assert_eq!(granted(), 0);
    assert_eq!(home.drift(&workspace), Vec::<String>::new());
    undo();
    let asked = format!("SHOW GRANTS FOR '{}'@'%'", home.role("readonly"));
    assert_eq!(client(&home.server, "", &asked).unwrap().lines().count(), 1, "nothing is left to read");
}

#[test]
fn a_user_of_the_task_gets_the_tables_it_says_and_a_strangers_is_asked_about() {
    let Some(home) = Home::new("users_said") else { return };
    let workspace = Workspace::new();
    home.execute(&format!("CREATE USER '{}'@'%' IDENTIFIED BY 'theirs'", home.role("reporting")));
    let roles = "    roles: [{ name: reporting, access: read_only, tables: [products] }]\n";
    let asked = home.run(&workspace, roles).must_end_with(3).response();
    assert_eq!(asked["error"]["code"], "password_unknown", "{asked}");
    let set = ["secrets", "set", &format!("shop/{}", home.role("reporting"))];
    end_with_input(&mut workspace.command(&set), "theirs").must_end_with(0);
    let checks = verified(&home.run(&workspace, roles).must_end_with(0).response());
    assert!(checks.len() == 6 && checks.iter().all(|check| check.ends_with(": passed")), "{checks:?}");
    assert_eq!(home.as_role(&workspace, "reporting", "SELECT COUNT(*) FROM products").unwrap(), "0\n");
    assert!(home.as_role(&workspace, "reporting", "SELECT COUNT(*) FROM users").unwrap_err().contains("denied"));
}
