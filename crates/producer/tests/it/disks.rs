//! Disks that are full, read-only or not there: the failure has its public kind and says where, what was there stays usable, nothing
//! is half written, and the next run on a good disk finishes the work.

use crate::harness::client::{ask, post};
use crate::harness::server::Server;
use crate::harness::workspace::{
    Ended, Workspace, difference, end, end_with_input, files, outcome, producer, sample_with, task,
};
use crate::harness::{CONTACT_NEWSLETTER, MESSAGE, repository};
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// A file system of its own, which only processes beside its holder see; it is gone with the holder.
struct Disk {
    holder: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
    folder: tempfile::TempDir,
    /// Where the test sees its files.
    path: PathBuf,
}

impl Disk {
    const KIBIBYTES: usize = 4096;

    /// `None` where this machine lets nobody make one, which is said.
    fn new() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let size = Self::KIBIBYTES;
        let script = format!(
            "mount -t tmpfs -o size={size}k disk {folder} && echo made && while read -r line; do eval \"$line\" && echo done; done",
            folder = folder.path().display()
        );
        let mut holder = Command::new("unshare")
            .args(["--map-root-user", "--mount", "sh", "-c", &script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let (commands, answers) = (holder.stdin.take().unwrap(), holder.stdout.take().unwrap());
        let path = PathBuf::from(format!("/proc/{}/root{}", holder.id(), folder.path().display()));
        let mut disk = Self { holder, commands, answers: BufReader::new(answers), folder, path };
        if disk.answer() == "made\n" {
            return Some(disk);
        }
        io::stderr().write_all(b"SKIPPED full and read-only disks: nobody may mount one here\n").unwrap();
        None
    }

    fn answer(&mut self) -> String {
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        line
    }

    /// Has the holder do something, and returns what that says.
    fn tell(&mut self, command: &str) -> String {
        writeln!(self.commands, "{command} {}", self.folder.path().display()).unwrap();
        let said = self.answer();
        if said != "done\n" {
            assert_eq!(self.answer(), "done\n");
        }
        said
    }

    fn remount(&mut self, how: &str) {
        self.tell(&format!("mount -o remount,{how}"));
    }

    /// Fills the disk until that many KiB are free.
    fn leave_free(&mut self, kibibytes: usize) {
        let blocks = self.tell("stat --file-system --format='%a %S'");
        let free = blocks.split_whitespace().map(|number| number.parse::<usize>().unwrap()).product::<usize>() / 1024;
        assert!(free <= Self::KIBIBYTES, "that is another disk");
        fs::write(self.path.join("ballast"), vec![0; (free - kibibytes) * 1024]).unwrap();
    }

    fn free_again(&self) {
        fs::remove_file(self.path.join("ballast")).unwrap();
    }

    /// A command of the binary beside the holder.
    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        let holder = self.holder.id().to_string();
        command.args(["--target", &holder, "--user", "--mount", "--preserve-credentials"]);
        command.arg(env!("CARGO_BIN_EXE_producer")).args(words).env_remove("PRODUCER_LOG").stdin(Stdio::null());
        command
    }

    /// The same in the workspace that the disk holds.
    fn in_workspace(&self, words: &[&str]) -> Command {
        let mut command = self.command(words);
        command.arg("--workspace").arg(self.folder.path());
        command
    }

    fn run(&self, task: &str) -> Ended {
        end_with_input(&mut self.in_workspace(&["run", "-"]), task)
    }

    fn create_key(&self) -> String {
        let made = end(&mut self.in_workspace(&["keys", "create", "--name", "a"])).must_end_with(0);
        made.stdout.trim_end().to_owned()
    }

    fn must_serve_contact(&self, key: &str) {
        must_serve_contact(&mut self.in_workspace(&["serve", "--listen", "127.0.0.1:0"]), key);
    }

    /// [`outcome`] of the workspace that the disk holds.
    fn outcome(&self) -> BTreeMap<String, Vec<u8>> {
        let copy = tempfile::tempdir().unwrap();
        for (path, content) in files(&self.path) {
            let target = copy.path().join(path);
            fs::create_dir_all(target.parent().unwrap()).unwrap();
            fs::write(target, content).unwrap();
        }
        outcome(copy.path())
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // It may have ended before.
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

fn contact_alone() -> String {
    task("task_id: shop", &[("/api/contact", "api_key")], "")
}

fn both() -> String {
    task("task_id: shop", &[("/api/contact", "api_key"), ("/api/newsletter", "none")], "")
}

/// The failure with its kind and code; it must say where and how to mend it.
#[track_caller]
fn must_fail(ended: Ended) -> (String, String) {
    let response = ended.must_end_with(1).response();
    let error = &response["error"];
    for part in ["message", "cause", "place", "hint"] {
        assert!(error[part].as_str().is_some_and(|text| !text.is_empty()), "no {part}: {error}");
    }
    let text = |part: &str| error[part].as_str().unwrap().to_owned();
    (text("kind"), text("code"))
}

fn must_serve_contact(serve: &mut Command, key: &str) {
    let server = Server::of(serve);
    assert_eq!(ask(server.address, &post("/api/contact", Some(key), MESSAGE), "").unwrap().status, 201);
}

/// Wherever the space ends, from the first file to the last.
#[test]
fn a_run_on_a_full_disk_leaves_what_was_there() {
    let undisturbed = Workspace::new();
    undisturbed.run_text(&contact_alone()).must_end_with(0);
    let old = files(&undisturbed.path().join("output"));
    undisturbed.run_text(&both()).must_end_with(0);
    let new = files(&undisturbed.path().join("output"));
    let mut kinds = BTreeSet::new();
    for kibibytes in [0, 8, 24, 40, 64, 80, 100, 120, 140, 160, 180, 200, 220, 240, 260, 280, 320] {
        let Some(mut disk) = Disk::new() else { return };
        disk.run(&contact_alone()).must_end_with(0);
        let key = disk.create_key();
        disk.leave_free(kibibytes);
        let ended = disk.run(&both());
        if ended.status == Some(0) {
            assert!(kibibytes > 100, "{kibibytes} KiB are too little");
            continue;
        }
        let (kind, code) = must_fail(ended);
        assert!(["disk_full", "unavailable"].contains(&code.as_str()), "{kibibytes} KiB: {kind} {code}");
        kinds.insert(kind);
        for (path, content) in files(&disk.path.join("output")) {
            assert!(!path.ends_with(".tmp"), "{path} with {kibibytes} KiB");
            let is_whole = old.get(&path) == Some(&content) || new.get(&path) == Some(&content);
            assert!(is_whole || path.ends_with("response.yaml"), "{path} with {kibibytes} KiB");
        }
        disk.free_again();
        disk.must_serve_contact(&key);
        disk.run(&both()).must_end_with(0);
        assert_eq!(difference(&disk.outcome(), &outcome(undisturbed.path())), [""; 0], "{kibibytes} KiB");
    }
    assert!(kinds.len() >= 3, "the space ended in few places: {kinds:?}");
}

#[test]
fn a_run_on_a_read_only_disk_says_so() {
    let Some(mut disk) = Disk::new() else { return };
    disk.run(&contact_alone()).must_end_with(0);
    let key = disk.create_key();
    let before = files(&disk.path);
    disk.remount("ro");
    let kind_and_code = must_fail(disk.run(&both()));
    assert_eq!(kind_and_code, ("api.endpoint_configuration".to_owned(), "not_writable".to_owned()));
    assert!(files(&disk.path) == before);
    disk.remount("rw");
    disk.must_serve_contact(&key);
    disk.run(&both()).must_end_with(0);

    // The state can be written, the folder of the files cannot.
    let workspace = Workspace::completed();
    disk.remount("ro");
    let mut run = disk.command(&["run", "-", "--workspace"]);
    run.arg(workspace.path()).arg("--output").arg(disk.folder.path().join("output"));
    let (kind, code) = must_fail(end_with_input(&mut run, &sample_with("100_requests", "50_requests")));
    assert_eq!((kind.as_str(), code.as_str()), ("api.endpoint_configuration", "not_writable"));
    must_serve_contact(&mut workspace.command(&["serve", "--listen", "127.0.0.1:0"]), &workspace.create_key());
}

/// Where nobody may mount a disk: a process that may not write more than that into one file.
#[test]
fn a_file_that_may_not_grow_is_no_disaster() {
    let workspace = Workspace::completed();
    let key = workspace.create_key();
    let script = "trap '' XFSZ; ulimit -f 8; exec \"$0\" run - --workspace \"$1\"";
    let mut limited = Command::new("sh");
    limited.args(["-c", script, env!("CARGO_BIN_EXE_producer")]).arg(workspace.path());
    let (kind, code) = must_fail(end_with_input(&mut limited, &sample_with("100_requests", "50_requests")));
    assert_eq!((kind.as_str(), code.as_str()), ("api.endpoint_configuration", "disk_full"));
    must_serve_contact(&mut workspace.command(&["serve", "--listen", "127.0.0.1:0"]), &key);
    workspace.run_text(&sample_with("100_requests", "50_requests")).must_end_with(0);
}

#[test]
fn a_folder_that_is_missing_is_made() {
    let workspace = Workspace::new();
    let (state, output) = (workspace.path().join("a/b"), workspace.path().join("c/d"));
    let mut run = producer(&["run"]);
    run.arg(repository(CONTACT_NEWSLETTER)).arg("--workspace").arg(&state).arg("--output").arg(&output);
    end(&mut run).must_end_with(0);
    assert!(state.join(".producer").is_dir() && output.join("task_integration_2025_001/server.js").is_file());
    // It may go missing afterwards too.
    fs::remove_dir_all(&output).unwrap();
    assert_eq!(end(&mut run).must_end_with(0).response()["changed"], json!(true));
    assert!(output.join("task_integration_2025_001/server.js").is_file());
}

/// A file stands where a folder should be, and the other way round: each kind of file has its kind of failure.
#[test]
fn what_stands_in_the_way_is_told_by_kind() {
    for (in_the_way, is_folder, kind) in [
        ("", false, "api.endpoint_configuration"),
        ("documentation", false, "api.documentation"),
        ("plan.md", true, "api.documentation"),
        ("apis/contact-newsletter-api/middleware.js", true, "api.authentication_setup"),
        ("server.js", true, "api.endpoint_configuration"),
    ] {
        let workspace = Workspace::new();
        let path = match in_the_way {
            "" => workspace.application.clone(),
            path => workspace.application.join(path),
        };
        fs::create_dir_all(if is_folder { &path } else { path.parent().unwrap() }).unwrap();
        if !is_folder {
            fs::write(&path, "ours").unwrap();
        }
        let ended = workspace.run(&repository(CONTACT_NEWSLETTER));
        let response: Json = ended.response();
        let place = response["error"]["place"].as_str().unwrap_or_default().to_owned();
        assert_eq!(must_fail(ended), (kind.to_owned(), "in_the_way".to_owned()), "{in_the_way}");
        assert!(place.starts_with(path.to_str().unwrap()), "{place}");
        // Nothing became active: there is nothing to serve.
        end(&mut workspace.command(&["serve", "--listen", "127.0.0.1:0"])).must_end_with(1);
        if is_folder {
            fs::remove_dir(&path).unwrap()
        } else {
            fs::remove_file(&path).unwrap()
        }
        workspace.run(&repository(CONTACT_NEWSLETTER)).must_end_with(0);
    }
}

/// The file of the database is none, or somebody else holds it.
#[test]
fn a_database_that_cannot_be_used_is_told_by_kind() {
    let workspace = Workspace::completed();
    let changed = sample_with("\"none\"", "\"api_key\"");
    let good = fs::read(workspace.database_file()).unwrap();
    fs::write(workspace.database_file(), "this is no database, and it is long enough to look like none").unwrap();
    let (kind, code) = must_fail(workspace.run_text(&changed));
    assert_eq!((kind.as_str(), code.as_str()), ("database.connection", "unusable"));
    fs::write(workspace.database_file(), good).unwrap();
    workspace.run_text(&changed).must_end_with(0);
}
