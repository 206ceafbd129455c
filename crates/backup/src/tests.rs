//! Backups in a folder of their own: whole ones come back, and each way to be less than whole is seen.

use crate::{BackupFailure, Kept, Key, Manifest, Repository};
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use vocab::{Engine, TaskId};

const ID: &str = "20260102T030405.678Z";
const IDENTITY: &str = "AGE-SECRET-KEY-1GQ9778VQXMMJVE8SK7J6VT8UJ4HDQAJUVSFCWCM02D8GEWQ72PVQ2Y5J33";

struct Made {
    folder: tempfile::TempDir,
    repository: Repository,
    manifest: Manifest,
}

impl Made {
    fn with(key: Option<&Key>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let repository = Repository::new(folder.path().join("shop"));
        let mut writing = repository.begin(ID, key).unwrap();
        writing.add("database", &mut &content()[..]).unwrap();
        writing.add("definition", &mut &b"{}"[..]).unwrap();
        let manifest = writing.finish(|objects| manifest(ID, objects)).unwrap();
        Self { folder, repository, manifest }
    }

    fn read(&self, key: Option<&Key>) -> Result<Vec<u8>, BackupFailure> {
        let mut got = Vec::new();
        self.repository.read(&self.manifest, "database", key, &mut got).map(|()| got)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join("shop").join(ID).join(name)
    }
}

fn content() -> Vec<u8> {
    (0..200_000_u32).flat_map(u32::to_le_bytes).collect()
}

fn manifest(id: &str, objects: Vec<crate::Object>) -> Manifest {
    Manifest {
        id: id.to_owned(),
        task_id: TaskId::parse("shop").unwrap(),
        engine: Engine::Sqlite,
        engine_version: "sqlite_3.50".to_owned(),
        moment: "2026-01-02T03:04:05.678Z".to_owned(),
        completed_at: "2026-01-02T03:04:06.678Z".to_owned(),
        plans: BTreeMap::new(),
        point: None,
        origin: None,
        objects,
    }
}

#[test]
fn what_was_kept_comes_back() {
    let made = Made::with(None);
    assert!(made.read(None).unwrap() == content());
    let listed = made.repository.list().unwrap();
    assert!(matches!(&listed[..], [(id, Kept::Whole(found))] if id == ID && *found == made.manifest));
    assert!(made.manifest.stored_size() < 800_000, "it is compressed");
    assert_eq!(made.repository.newest().unwrap(), Some(made.manifest));
}

#[test]
fn what_is_compressed_in_many_blocks_is_one_file_for_everybody() {
    let folder = tempfile::tempdir().unwrap();
    let repository = Repository::new(folder.path().join("shop"));
    for (number, size) in [0, 1, (1 << 20) - 1, 1 << 20, (5 << 20) + 7].into_iter().enumerate() {
        let id = format!("20260102T030405.{number:03}Z");
        let bytes: Vec<u8> = (0..size).map(|at| (at % 251) as u8 ^ (at >> 13) as u8).collect();
        let mut writing = repository.begin(&id, None).unwrap();
        writing.add("database", &mut &bytes[..]).unwrap();
        let manifest = writing.finish(|objects| manifest(&id, objects)).unwrap();
        let mut got = Vec::new();
        repository.read(&manifest, "database", None, &mut got).unwrap();
        assert!(got == bytes, "{size}");
        let file = folder.path().join("shop").join(&id).join("database.gz");
        let said = std::process::Command::new("gzip").args(["-dc"]).arg(file).output().unwrap();
        assert!(said.status.success() && said.stdout == bytes, "{size}: {}", String::from_utf8_lossy(&said.stderr));
    }
}

/// Gives its bytes, and behind the first of them has another file stand where they are written.
struct Lying<'l> {
    bytes: &'l [u8],
    file: PathBuf,
    instead: &'l [u8],
}

impl std::io::Read for Lying<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.bytes.read(buffer)?;
        if read == 0 {
            fs::rename(&self.file, self.file.with_extension("written"))?;
            fs::write(&self.file, self.instead)?;
        }
        Ok(read)
    }
}

#[test]
fn a_folder_that_gives_back_something_else_keeps_no_backup() {
    let folder = tempfile::tempdir().unwrap();
    let repository = Repository::new(folder.path().join("shop"));
    for instead in [&b""[..], b"something else"] {
        let mut writing = repository.begin(ID, None).unwrap();
        let file = folder.path().join("shop").join(ID).join("database.gz");
        let failure = writing.add("database", &mut Lying { bytes: b"what is to be kept", file, instead }).unwrap_err();
        assert!(matches!(failure, BackupFailure::NotKept { .. }), "{failure}");
        drop(writing);
        assert!(repository.names().unwrap().is_empty());
    }
}

#[test]
fn a_truncated_a_flipped_and_a_missing_object_are_seen() {
    let made = Made::with(None);
    let file = made.file("database.gz");
    let whole = fs::read(&file).unwrap();
    fs::write(&file, &whole[..whole.len() - 1]).unwrap();
    assert!(matches!(made.read(None), Err(BackupFailure::Damaged { object, .. }) if object == "database"));
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    fs::write(&file, flipped).unwrap();
    assert!(matches!(made.read(None), Err(BackupFailure::Damaged { .. })));
    fs::remove_file(&file).unwrap();
    assert!(matches!(made.read(None), Err(BackupFailure::Missing { .. })));
}

#[test]
fn a_manifest_that_was_changed_is_not_believed() {
    let made = Made::with(None);
    let file = made.file("manifest.json");
    let text = fs::read_to_string(&file).unwrap();
    for wrong in [text.replace("03:04:05.678", "03:04:05.679"), text[..text.len() / 2].to_owned(), String::new()] {
        fs::write(&file, wrong).unwrap();
        let listed = made.repository.list().unwrap();
        assert!(matches!(&listed[..], [(_, Kept::Damaged(BackupFailure::Manifest { .. }))]));
        assert_eq!(made.repository.newest().unwrap(), None);
    }
}

#[test]
fn what_was_not_finished_is_no_backup_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let repository = Repository::new(folder.path().join("shop"));
    let mut writing = repository.begin(ID, None).unwrap();
    writing.add("database", &mut &b"half"[..]).unwrap();
    assert!(repository.list().unwrap().is_empty());
    assert_eq!(repository.unfinished().unwrap(), [ID]);
    drop(writing);
    assert!(repository.unfinished().unwrap().is_empty());
    assert!(
        matches!(Made::with(None).repository.begin(ID, None), Err(BackupFailure::File { .. })),
        "one is not begun twice"
    );
}

#[test]
fn what_is_taken_away_is_no_backup() {
    let made = Made::with(None);
    made.repository.remove(ID).unwrap();
    assert!(made.repository.list().unwrap().is_empty() && made.repository.unfinished().unwrap().is_empty());
}

#[test]
fn what_is_encrypted_opens_with_its_key_alone() {
    let key = Key::parse(&format!("# created: today\n{IDENTITY}\n")).unwrap();
    let made = Made::with(Some(&key));
    assert!(made.read(Some(&key)).unwrap() == content());
    let stored = fs::read(made.file("database.gz.age")).unwrap();
    assert!(stored.starts_with(b"age-encryption.org/v1"), "a person opens it with `age`");
    let other = Key::parse("a passphrase of somebody else").unwrap();
    for key in [None, Some(&other)] {
        assert!(matches!(made.read(key), Err(BackupFailure::Key { .. })));
    }
}

#[test]
fn a_passphrase_does_too() {
    let key = Key::parse("correct horse battery staple\n").unwrap();
    let made = Made::with(Some(&key));
    assert!(made.read(Some(&Key::parse("correct horse battery staple").unwrap())).unwrap() == content());
    assert!(matches!(
        made.read(Some(&Key::parse("correct horse battery stable").unwrap())),
        Err(BackupFailure::Key { .. })
    ));
}

#[test]
fn a_key_that_is_none_is_refused_and_not_repeated() {
    for text in ["short", "AGE-SECRET-KEY-1QQQ", ""] {
        let said = Key::parse(text).unwrap_err().to_string();
        assert!(text.is_empty() || !said.contains(text), "{said}");
    }
}
