//! Files across several runs, with a user who edits between them.

use crate::{FileLedger, FileOutcome, remove_stale, write_files};
use std::collections::BTreeMap;
use std::fs;

struct Folder {
    folder: tempfile::TempDir,
    ledger: FileLedger,
}

impl Folder {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), ledger: FileLedger::default() }
    }

    fn run(&mut self, content: &str) -> FileOutcome {
        let files = BTreeMap::from([("a/x.js".to_owned(), content.to_owned())]);
        self.ledger.announce(&files);
        let mut outcomes = write_files(self.folder.path(), &files, &self.ledger).unwrap();
        self.ledger.settle(&files);
        outcomes.remove("a/x.js").unwrap()
    }

    fn edit(&self, content: &str) {
        fs::write(self.folder.path().join("a/x.js"), content).unwrap();
    }

    fn content(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.folder.path().join(path)).ok()
    }
}

#[test]
fn a_second_run_changes_nothing() {
    let mut folder = Folder::new();
    assert_eq!(folder.run("one"), FileOutcome::Written);
    assert_eq!(folder.run("one"), FileOutcome::Unchanged);
    assert_eq!(folder.run("two"), FileOutcome::Written);
    assert_eq!(folder.content("a/x.js").unwrap(), "two");
}

#[test]
fn an_edited_file_is_kept_and_a_new_version_lands_beside_it() {
    let mut folder = Folder::new();
    folder.run("one");
    folder.edit("mine");
    assert_eq!(folder.run("one"), FileOutcome::Kept);
    assert_eq!(folder.run("two"), FileOutcome::Beside("a/x.js.new".to_owned()));
    assert_eq!(folder.content("a/x.js").unwrap(), "mine");
    assert_eq!(folder.content("a/x.js.new").unwrap(), "two");
    assert_eq!(folder.run("two"), FileOutcome::Kept, "the user has been told once");
}

#[test]
fn a_file_that_was_there_before_the_first_run_is_the_users() {
    let mut folder = Folder::new();
    fs::create_dir(folder.folder.path().join("a")).unwrap();
    folder.edit("mine");
    assert_eq!(folder.run("one"), FileOutcome::Beside("a/x.js.new".to_owned()));
    assert_eq!(folder.content("a/x.js").unwrap(), "mine");
}

#[test]
fn a_run_that_was_killed_between_two_files_still_knows_its_own() {
    let mut folder = Folder::new();
    folder.run("one");
    // Announced and written, never settled.
    let files = BTreeMap::from([("a/x.js".to_owned(), "two".to_owned())]);
    folder.ledger.announce(&files);
    write_files(folder.folder.path(), &files, &folder.ledger).unwrap();
    assert_eq!(folder.run("three"), FileOutcome::Written);
}

#[test]
fn what_the_plan_dropped_is_removed_unless_it_was_edited() {
    let mut folder = Folder::new();
    folder.run("one");
    let nothing = BTreeMap::new();
    assert_eq!(remove_stale(folder.folder.path(), &nothing, &mut folder.ledger).unwrap(), ["a/x.js"]);
    assert_eq!(folder.content("a/x.js"), None);
    folder.run("one");
    folder.edit("mine");
    assert_eq!(remove_stale(folder.folder.path(), &nothing, &mut folder.ledger).unwrap(), Vec::<String>::new());
    assert_eq!(folder.content("a/x.js").unwrap(), "mine");
}
