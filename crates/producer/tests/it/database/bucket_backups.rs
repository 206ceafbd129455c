//! Backups in a bucket of a server that verifies signatures: they go there in parts, are read back, and come back on a machine that has
//! nothing but the keys.

use crate::harness::bucket::{Buckets, KEY};
use crate::harness::workspace::{Ended, Workspace, end, end_with_input, query};
use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

/// What `age-keygen` made once.
const AGE: &str = "AGE-SECRET-KEY-1GQ9778VQXMMJVE8SK7J6VT8UJ4HDQAJUVSFCWCM02D8GEWQ72PVQ2Y5J33";

/// What is refused, and how it comes about.
type Damage<'d> = (&'d str, &'d dyn Fn(&Path));

fn task() -> String {
    let backup = "    backup: { schedule: hourly, destination: \"s3://kept/shop/production\", encryption_key: \"${env:BACKUP_KEY}\", keep_for: 1_second, keep_at_least: 1 }";
    super::task(super::ROOMS, backup)
}

#[test]
fn backups_in_a_bucket_are_signed_for_read_back_and_enough_for_another_machine() {
    let (buckets, workspace) = (Buckets::start(), Workspace::new());
    let by = |workspace: &Workspace, words: &[&str], key: &str| -> Ended {
        let mut command = workspace.command(words);
        end_with_input(buckets.tell(command.env("BACKUP_KEY", AGE), key), &task())
    };
    let db = |words: &[&str]| by(&workspace, &[&["db"], words].concat(), KEY);

    let asks = end_with_input(workspace.command(&["run", "-"]).env("BACKUP_KEY", AGE), &task()).must_end_with(3);
    let asks = asks.response();
    assert_eq!(asks["error"]["code"], "IP393", "{asks}");
    let elsewhere = "http://objects.example.com";
    let mut run = workspace.command(&["run", "-"]);
    let plain = buckets.tell(run.env("BACKUP_KEY", AGE), KEY).env("AWS_ENDPOINT_URL", elsewhere);
    let plain = end_with_input(plain, &task()).must_end_with(3).response();
    assert!(plain["error"]["cause"].as_str().unwrap().contains("is not `https:`"), "{plain}");
    let wrong = by(&workspace, &["run", "-"], "another key").must_end_with(1);
    assert_eq!(wrong.response()["error"]["code"], "IP386");
    assert!(
        wrong.stdout.contains("SignatureDoesNotMatch") && !wrong.stdout.contains("another key"),
        "{}",
        wrong.stdout
    );
    assert!(buckets.objects(&buckets.folder()).is_empty(), "nobody without the key has put anything there");

    buckets.fill(true);
    let full = by(&workspace, &["run", "-"], KEY).must_end_with(1).response()["error"].clone();
    assert_eq!((&full["kind"], &full["code"]), (&"database.backup_recovery".into(), &"IP386".into()), "{full}");
    assert!(full["cause"].as_str().unwrap().contains("there is no room left"), "{full}");
    assert!(buckets.objects(&buckets.folder()).is_empty());
    buckets.fill(false);

    let ended = by(&workspace, &["run", "-"], KEY).must_end_with(0);
    assert!(super::verified(&ended).contains(&"a backup was restored: passed".to_owned()));
    assert_eq!(buckets.parts(), 0);
    // What is not kept as it was given is no backup, and leaves nothing.
    let before = buckets.objects(&buckets.folder());
    buckets.lie(true);
    let refused = db(&["backup", "rooms"]).must_end_with(1).stderr;
    assert!(refused.contains("IP386: what was written to `s3://kept/shop/production/rooms/"), "{refused}");
    buckets.lie(false);
    assert_eq!(buckets.objects(&buckets.folder()), before);

    db(&["backup", "rooms"]).must_end_with(0);
    let listed = db(&["backups", "rooms"]).must_end_with(0).stdout;
    assert_eq!(listed.lines().count(), 3, "{listed}");
    db(&["drill", "rooms"]).must_end_with(0);
    thread::sleep(Duration::from_millis(1_100));
    db(&["prune", "rooms"]).must_end_with(0);
    let left = buckets.objects(&buckets.folder());
    let first = before[0].parent().unwrap();
    assert!(!left.is_empty() && !left.iter().any(|path| path.starts_with(first)), "{left:?}");

    // More than goes there at once, and cannot be made smaller.
    query(&super::file(&workspace), "CREATE TABLE large (bytes BLOB)");
    query(&super::file(&workspace), "INSERT INTO large VALUES (randomblob(9000000))");
    query(&super::file(&workspace), "INSERT INTO rooms (number) VALUES (7), (8)");
    db(&["backup", "rooms"]).must_end_with(0);
    assert_eq!(buckets.parts(), 2, "nine megabytes go there in two parts");

    // Another machine has the keys and nothing else.
    let other = Workspace::new();
    let from = ["db", "restore", "rooms", "--from", "s3://kept/shop/production"];
    let restored = by(&other, &from, KEY).must_end_with(0).stdout;
    assert!(restored.contains("task rooms is known to this workspace now"), "{restored}");
    let file = other.path().join(".producer/data/rooms.sqlite");
    assert_eq!(query(&file, "SELECT number FROM rooms ORDER BY number"), [["7"], ["8"]]);
    let mut stranger = Workspace::new().command(&from);
    let stranger = end(buckets.tell(&mut stranger, KEY).env("BACKUP_KEY", "a passphrase of somebody else"));
    assert!(stranger.must_end_with(1).stderr.contains("IP385: "));

    // The bucket gives back something else, less, or nothing.
    let newest = buckets.objects(&buckets.folder().join("shop/production/rooms"));
    let object = newest.iter().rfind(|path| path.ends_with("database.gz.age")).unwrap();
    let whole = fs::read(object).unwrap();
    let damages: [Damage<'_>; 3] = [
        ("IP382", &|path| fs::write(path, &whole[..whole.len() - 1]).unwrap()),
        ("IP382", &|path| fs::write(path, [&whole[1..], &whole[..1]].concat()).unwrap()),
        ("IP383", &|path| fs::remove_file(path).unwrap()),
    ];
    for (code, damage) in damages {
        damage(object);
        let refused = db(&["restore", "rooms"]).must_end_with(1).stderr;
        assert!(refused.contains(&format!("{code}: ")), "{code}: {refused}");
    }
    fs::write(object, &whole).unwrap();
}
