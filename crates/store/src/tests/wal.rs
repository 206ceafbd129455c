//! What is cut off the log of a SQLite file brings a copy to where the file was, and a log that was begun anew is not gone on from.

use crate::{Frames, HeldWal, WalCut, WalKept, WalReplay, WriteAheadLog};
use rusqlite::Connection;
use std::fs;
use std::path::{Path, PathBuf};

struct File {
    folder: tempfile::TempDir,
    writer: Connection,
}

impl File {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let writer = Connection::open(folder.path().join("file")).unwrap();
        writer.pragma_update(None, "journal_mode", "WAL").unwrap();
        // Who is in the way stays there.
        writer.busy_timeout(std::time::Duration::ZERO).unwrap();
        writer.execute_batch("CREATE TABLE entries (text TEXT)").unwrap();
        Self { folder, writer }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn log(&self) -> WriteAheadLog {
        WriteAheadLog::open(&self.path("file")).unwrap()
    }

    fn write(&self, text: &str) {
        self.writer.execute("INSERT INTO entries VALUES (?1)", [text]).unwrap();
    }

    /// Everything at home, and the log begun anew by the next who writes.
    fn begin_anew(&self) {
        self.writer.query_row("PRAGMA wal_checkpoint(RESTART)", [], |_| Ok(())).unwrap();
    }

    fn frames(&self, name: &str) -> Frames {
        Frames::new(self.path(name)).unwrap()
    }

    /// What a copy holds that goes on in these frames.
    fn replayed(&self, copy: &str, logs: &[(&str, Option<u32>)]) -> String {
        let path = self.path(copy);
        let replay = WalReplay::begin(&path).unwrap();
        for (log, frames) in logs {
            fs::copy(self.path(log), replay.log()).unwrap();
            replay.bring_home(*frames).unwrap();
        }
        replay.end().unwrap();
        assert!(!replay_log(&path).exists(), "nothing stays beside it");
        texts(&path)
    }
}

fn replay_log(path: &Path) -> PathBuf {
    path.with_file_name(format!("{}-wal", path.file_name().unwrap().to_str().unwrap()))
}

fn texts(path: &Path) -> String {
    let connection = Connection::open(path).unwrap();
    let sound: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(sound, "ok");
    let all = "SELECT coalesce(group_concat(text, ' '), '') FROM (SELECT text FROM entries ORDER BY rowid)";
    connection.query_row(all, [], |row| row.get(0)).unwrap()
}

fn cut(log: &WriteAheadLog, held: &HeldWal, kept: WalKept, mut frames: Frames) -> WalCut {
    let cut = log.cut(&held.place, kept, &mut frames).unwrap();
    frames.finish().unwrap();
    cut
}

#[test]
fn what_is_cut_off_brings_a_copy_to_each_commit() {
    let file = File::new();
    file.write("one");
    let log = file.log();
    let held = log.hold().unwrap();
    held.copy(&file.path("copy")).unwrap();
    fs::copy(file.path("copy"), file.path("other")).unwrap();
    file.write("two");
    let seen = log.look().unwrap().unwrap();
    let long = "x".repeat(20_000);
    file.write(&long);
    let second = cut(&log, &held, WalKept::Held, file.frames("first"));
    assert!(second.is_whole);
    file.write("three");
    let third = cut(&log, &second.held, WalKept::Loose, file.frames("second"));
    assert!(third.is_whole, "a log that nobody has begun anew goes on");
    assert_eq!(file.replayed("copy", &[("first", None), ("second", None)]), format!("one two {long} three"));
    let frames = held.place.frames_until(seen, &second.held.place);
    assert_eq!(frames, Some(1));
    assert_eq!(file.replayed("other", &[("first", frames)]), "one two");
}

#[test]
fn a_log_that_was_begun_anew_is_gone_on_from_only_where_it_was_held() {
    let file = File::new();
    file.write("one");
    let log = file.log();
    file.begin_anew();
    let held = log.hold().unwrap();
    held.copy(&file.path("copy")).unwrap();
    file.write("two");
    file.begin_anew();
    file.write("three");
    assert!(!cut(&log, &held, WalKept::Loose, file.frames("loose")).is_whole);
    let second = cut(&log, &held, WalKept::Held, file.frames("held"));
    assert!(second.is_whole);
    assert_eq!(file.replayed("copy", &[("held", None)]), "one two three");
    let place = second.held.place.clone();
    drop((held, second));
    file.begin_anew();
    file.write("four");
    let mut frames = file.frames("gap");
    assert!(!log.cut(&place, WalKept::Loose, &mut frames).unwrap().is_whole, "what was committed before is gone");
}

#[test]
fn an_empty_log_is_none_that_was_there_before() {
    let file = File::new();
    file.writer.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    let log = file.log();
    let held = log.hold().unwrap();
    let place = held.place.clone();
    drop(held);
    file.writer.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    file.write("one");
    file.writer.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    let again = log.hold().unwrap();
    assert_ne!(again.place, place);
    assert!(!log.cut(&place, WalKept::Loose, &mut file.frames("gap")).unwrap().is_whole);
    assert_eq!(log.hold().unwrap().place, again.place, "nothing is written to a log that has something");
}

#[test]
fn a_log_that_is_cut_off_begins_anew_and_stays_short() {
    let file = File::new();
    let log = file.log();
    let mut held = log.hold().unwrap();
    held.copy(&file.path("copy")).unwrap();
    let mut names = Vec::new();
    let mut written = String::new();
    for round in 0..6 {
        for number in 0..40 {
            file.write(&format!("{round}-{number}"));
            written.push_str(&format!(" {round}-{number}"));
        }
        let name = format!("piece{round}");
        let (from, mut frames) = (held.place.clone(), file.frames(&name));
        let mut before = Some(held);
        let off = log.cut_off(&from, (WalKept::Held, &mut before), &mut frames).unwrap();
        assert!(off.is_whole && before.is_none());
        frames.finish().unwrap();
        held = off.held;
        names.push(name);
    }
    file.write("last");
    let length = fs::metadata(file.path("file-wal")).unwrap().len();
    assert!(length < 60 * 4_200, "{length} bytes: it never began anew");
    let logs: Vec<(&str, Option<u32>)> = names.iter().map(|name| (name.as_str(), None)).collect();
    assert_eq!(file.replayed("copy", &logs), written.trim_start());
}

#[test]
fn frames_that_are_not_whole_are_refused() {
    let file = File::new();
    let log = file.log();
    let held = log.hold().unwrap();
    held.copy(&file.path("copy")).unwrap();
    file.write(&"x".repeat(20_000));
    cut(&log, &held, WalKept::Held, file.frames("piece"));
    let path = file.path("copy");
    for damage in [None, Some(2)] {
        let replay = WalReplay::begin(&path).unwrap();
        let mut bytes = fs::read(file.path("piece")).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= if damage.is_none() { 1 } else { 0 };
        fs::write(replay.log(), bytes).unwrap();
        let refused = replay.bring_home(damage).unwrap_err().to_string();
        assert!(refused.contains("frames of the log were kept"), "{refused}");
    }
}
