//! The secret store as its users meet it: values go in by standard input and come out where somebody asked for them, and nowhere
//! else.

use crate::harness::workspace::{Ended, Workspace, end, end_with_input, files, query};
use std::fs;

const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

fn set(workspace: &Workspace, name: &str, value: &str) -> Ended {
    end_with_input(&mut workspace.command(&["secrets", "set", name]), value)
}

fn run(workspace: &Workspace, words: &[&str]) -> Ended {
    let words: Vec<&str> = ["secrets"].iter().chain(words).copied().collect();
    end(&mut workspace.command(&words))
}

/// No file of the workspace holds the text.
fn must_stand_nowhere(workspace: &Workspace, text: &str) {
    for (path, content) in files(workspace.path()) {
        assert!(!content.windows(text.len()).any(|window| window == text.as_bytes()), "{path} holds {text}");
    }
}

#[test]
fn a_secret_is_set_listed_exported_and_forgotten() {
    let workspace = Workspace::new();
    let nothing = run(&workspace, &["list"]).must_end_with(0);
    assert!(nothing.stdout.contains("secrets set"), "{}", nothing.stdout);
    run(&workspace, &["export", "--stdout"]).must_end_with(1);
    assert!(files(workspace.path()).is_empty(), "looking makes nothing");

    for (name, value) in
        [("STRIPE_KEY", "hunter2 hunter2\n"), ("shop/app", "hunter3"), ("STRIPE_KEY", "hunter4 $5\r\n")]
    {
        let ended = set(&workspace, name, value).must_end_with(0);
        assert!(!format!("{}{}", ended.stdout, ended.stderr).contains("hunter"), "{}", ended.stderr);
    }
    must_stand_nowhere(&workspace, "hunter");
    let listed = run(&workspace, &["list", "--format", "json"]).must_end_with(0).stdout;
    let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
    assert_eq!((&listed[0]["name"], &listed[0]["version"]), (&"STRIPE_KEY".into(), &2.into()));
    assert_eq!((&listed[1]["name"], &listed[1]["version"]), (&"shop/app".into(), &1.into()));
    let table = run(&workspace, &["list"]).must_end_with(0).stdout;
    assert!(table.starts_with("NAME") && table.contains("shop/app") && !table.contains("hunter"), "{table}");

    run(&workspace, &["export"]).must_end_with(2);
    let shown = run(&workspace, &["export", "--stdout"]).must_end_with(0).stdout;
    assert_eq!(shown, "STRIPE_KEY='hunter4 $5'\nSHOP_APP=hunter3\n");
    let target = workspace.path().join("deployment.json");
    let to = target.to_str().unwrap();
    let ended = run(&workspace, &["export", "shop/app", "--to", to, "--format", "json"]).must_end_with(0);
    assert_eq!(ended.stdout, "");
    assert_eq!(fs::read_to_string(&target).unwrap(), "{\n  \"shop/app\": \"hunter3\"\n}\n");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        for path in [&target, &workspace.path().join(".producer/secrets")] {
            assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600, "{}", path.display());
        }
    }

    run(&workspace, &["remove", "shop/app"]).must_end_with(0);
    let gone = run(&workspace, &["export", "shop/app", "--stdout"]).must_end_with(1);
    assert!(gone.stderr.contains("has no `shop/app`"), "{}", gone.stderr);
    run(&workspace, &["remove", "shop/app"]).must_end_with(1);
    // A value in the place of the name is not repeated.
    let wrong = set(&workspace, "p@ss word", "x").must_end_with(1);
    assert!(!wrong.stderr.contains("p@ss"), "{}", wrong.stderr);
    assert!(set(&workspace, "EMPTY", "\n").must_end_with(1).stderr.contains("is empty"));
}

#[test]
fn the_store_opens_with_its_key_alone_and_takes_another() {
    let workspace = Workspace::new();
    set(&workspace, "A", "hunter2").must_end_with(0);
    let other =
        end(workspace.command(&["secrets", "export", "--stdout"]).env("PRODUCER_SECRET_KEY", KEY)).must_end_with(1);
    assert!(other.stderr.contains("set the right key") && !other.stderr.contains(KEY), "{}", other.stderr);
    let none =
        end(workspace.command(&["secrets", "export", "--stdout"]).env("PRODUCER_SECRET_KEY", "abc")).must_end_with(1);
    assert!(none.stderr.contains("32 random bytes"), "{}", none.stderr);

    // From the key file to the variable: the file is gone, and the variable is needed.
    end(workspace.command(&["secrets", "rekey"]).env("PRODUCER_SECRET_KEY", KEY)).must_end_with(0);
    let shown = end(workspace.command(&["secrets", "export", "--stdout"]).env("PRODUCER_SECRET_KEY", KEY));
    assert_eq!(shown.must_end_with(0).stdout, "A=hunter2\n");
    assert!(run(&workspace, &["export", "--stdout"]).must_end_with(1).stderr.contains("set `PRODUCER_SECRET_KEY`"));
    assert!(files(&workspace.path().join("config")).is_empty());
    must_stand_nowhere(&workspace, "hunter2");
}

#[test]
fn a_connection_takes_what_it_needs_from_the_store() {
    let workspace = Workspace::new();
    let task = "task_id: rooms\ntask_type: configure_database\nspecifications:\n  database_config:\n    type: sqlite\n    environment: production\n    connection: ${secret:ROOMS_FILE}\n    schema_requirements:\n      tables: [{ name: rooms, columns: { number: integer } }]\n";
    let asked = workspace.run_text(task).must_end_with(3).response();
    assert_eq!((&asked["status"], &asked["error"]["code"]), (&"needs_input".into(), &"secret_missing".into()));
    assert!(asked["error"]["hint"].as_str().unwrap().contains("producer secrets set ROOMS_FILE"), "{asked}");
    let place = workspace.path().join("elsewhere/rooms.sqlite");
    set(&workspace, "ROOMS_FILE", &format!("file:{}", place.display())).must_end_with(0);
    workspace.run_text(task).must_end_with(0);
    assert_eq!(query(&place, "SELECT count(*) FROM rooms"), [["0"]]);

    let other = end_with_input(workspace.command(&["run", "-"]).env("PRODUCER_SECRET_KEY", KEY), task).must_end_with(1);
    let error = other.response()["error"].clone();
    assert_eq!((&error["kind"], &error["code"]), (&"database.connection".into(), &"secret_store".into()));
}
