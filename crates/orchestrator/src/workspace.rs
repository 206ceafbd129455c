//! The workspace on disk: `.producer/` with the tasks it knows, their persisted plans, its files ledger and the embedded
//! database. Every file is written whole; the mark that makes a plan the active one is written last.

use crate::serving::url;
use apply::{FileLedger, write_atomically, write_by_way_of};
use plan::PersistedPlan;
use plan::persisted::UnreadablePlan;
use secrets::SecretStore;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use vocab::{ProviderName, TaskId};

/// A workspace. Cheap to clone; holds no lock.
#[derive(Debug, Clone)]
pub struct Workspace {
    root: PathBuf,
    read: Option<ReadPlans>,
}

/// Active plans that were read, with their numbers: a plan that is persisted never changes.
type ReadPlans = Arc<Mutex<BTreeMap<TaskId, (String, Arc<PersistedPlan>)>>>;

/// Why a workspace cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum WorkspaceFailure {
    /// A file of it cannot be read or written.
    #[error(
        "`{path}` cannot be used: {source}; see that this user may read and write it, or name another `--workspace`"
    )]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file of it is not what this program wrote.
    #[error("`{path}` is damaged: {why}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
}

/// What the workspace remembers of a task between runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct TaskRecord {
    /// SHA-256 of the content, so that the same content without an id keeps the id it got.
    content_hash: String,
}

/// Whether a run changed anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changed {
    /// Something.
    Something,
    /// Everything was in place.
    Nothing,
}

/// How the last run of a task ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskEnd {
    /// The response's status.
    pub status: String,
    /// Since when it stands like that, UTC.
    pub at: String,
    /// Why it failed or waits, in one line.
    pub error: Option<String>,
    /// What somebody should look at.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// The task's folder; an older producer did not note it.
    pub folder: Option<PathBuf>,
}

/// Held while a run changes the workspace; the operating system lets it go when the process dies.
pub struct WorkspaceLock {
    _file: fs::File,
}

impl Workspace {
    /// The workspace in that folder. Nothing is made before the first write.
    #[must_use]
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned(), read: None }
    }

    /// The same workspace for a command that looks at the plans of all tasks again and again: it keeps those that it has read.
    #[must_use]
    pub fn remembering(&self) -> Self {
        Self { root: self.root.clone(), read: Some(ReadPlans::default()) }
    }

    /// Its folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where artefacts go unless the command says otherwise.
    #[must_use]
    pub fn default_output(&self) -> PathBuf {
        self.root.join("output").join("integration")
    }

    fn state(&self) -> PathBuf {
        self.root.join(".producer")
    }

    fn task_folder(&self, task_id: &TaskId) -> PathBuf {
        self.state().join("tasks").join(task_id.as_str())
    }

    /// The file of the embedded database.
    #[must_use]
    pub fn database_file(&self) -> PathBuf {
        self.state().join("data").join("embedded.sqlite")
    }

    /// The file of another SQLite database of the workspace.
    #[must_use]
    pub fn named_database_file(&self, name: &str) -> PathBuf {
        self.state().join("data").join(format!("{name}.sqlite"))
    }

    /// The folder of the servers that the producer runs for this workspace, as a path that is good everywhere.
    #[must_use]
    pub fn servers_folder(&self) -> PathBuf {
        let folder = self.state().join("servers");
        std::path::absolute(&folder).unwrap_or(folder)
    }

    /// The folder of what the server counts for rate limits.
    #[must_use]
    pub fn counts_folder(&self) -> PathBuf {
        self.state().join("limits")
    }

    /// The folder of mails that leave no other way.
    #[must_use]
    pub fn mail_folder(&self) -> PathBuf {
        self.state().join("mail")
    }

    /// The folder of backups that go nowhere else.
    #[must_use]
    pub fn backups_folder(&self) -> PathBuf {
        self.state().join("backups")
    }

    /// The folder of a task's servers that come back where nobody sees them.
    #[must_use]
    pub fn drills_folder(&self, task_id: &TaskId) -> PathBuf {
        let folder = self.state().join(format!("drills-{task_id}"));
        std::path::absolute(&folder).unwrap_or(folder)
    }

    /// What was done with the backups of a task's database.
    #[must_use]
    pub fn backup_history_file(&self, task_id: &TaskId) -> PathBuf {
        self.state().join("backup-history").join(format!("{task_id}.jsonl"))
    }

    /// When somebody has looked at the log of a task's database, since a piece of it was kept.
    #[must_use]
    pub fn backup_moments_file(&self, task_id: &TaskId) -> PathBuf {
        self.state().join("backup-history").join(format!("{task_id}.moments"))
    }

    /// A folder that is gone when it is dropped.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn scratch(&self) -> Result<tempfile::TempDir, WorkspaceFailure> {
        self.make_state()?;
        let folder = self.state().join("scratch");
        let made = fs::create_dir_all(&folder).and_then(|()| {
            forget_old(&folder, "");
            tempfile::tempdir_in(&folder)
        });
        made.map_err(|source| WorkspaceFailure::File { path: folder, source })
    }

    /// What is locked while only one process may do something.
    #[must_use]
    pub fn locks_folder(&self) -> PathBuf {
        self.state().join("locks")
    }

    /// What was kept of how a provider's manifest was tried.
    ///
    /// # Errors
    /// [`WorkspaceFailure`] when it cannot be read.
    pub fn tried_provider<T: serde::de::DeserializeOwned>(
        &self,
        name: &ProviderName,
    ) -> Result<Option<T>, WorkspaceFailure> {
        read_json(&self.tried_file(name))
    }

    /// Keeps how a provider's manifest was tried, in the place of the time before.
    ///
    /// # Errors
    /// [`WorkspaceFailure`] when it cannot be written.
    pub fn keep_tried_provider<T: Serialize>(&self, name: &ProviderName, tried: &T) -> Result<(), WorkspaceFailure> {
        self.make_state()?;
        let path = self.tried_file(name);
        let folder = path.parent().unwrap_or(&path);
        fs::create_dir_all(folder).map_err(|source| WorkspaceFailure::File { path: folder.to_owned(), source })?;
        write_json(&path, tried)
    }

    fn tried_file(&self, name: &ProviderName) -> PathBuf {
        self.state().join("providers").join(format!("{name}.json"))
    }

    /// The secrets of the workspace. What sets one must see to the state folder first.
    #[must_use]
    pub fn secrets(&self) -> SecretStore {
        SecretStore::new(&self.state())
    }

    /// Waits until no other run changes the workspace. `waiting` is called when there is one.
    ///
    /// # Errors
    /// When the lock's file cannot be made.
    pub fn lock(&self, waiting: impl FnOnce()) -> Result<WorkspaceLock, WorkspaceFailure> {
        let path = self.state().join("lock");
        let failure = |source| WorkspaceFailure::File { path: path.clone(), source };
        self.make_state()?;
        let file = fs::File::options().create(true).append(true).open(&path).map_err(failure)?;
        if file.try_lock().is_err() {
            waiting();
            file.lock().map_err(failure)?;
        }
        Ok(WorkspaceLock { _file: file })
    }

    /// Makes the folder of the state where there is none. It holds what people sent and what opens the API: nobody else on the
    /// machine reads it, and it stays out of version control.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn make_state(&self) -> Result<(), WorkspaceFailure> {
        let state = self.state();
        if state.is_dir() {
            return Ok(());
        }
        let make = || {
            fs::create_dir_all(&state)?;
            #[cfg(unix)]
            fs::set_permissions(&state, std::os::unix::fs::PermissionsExt::from_mode(0o700))?;
            fs::write(state.join(".gitignore"), "*\n")
        };
        make().map_err(|source| WorkspaceFailure::File { path: state.clone(), source })
    }

    /// Whether the workspace knows a task of that id.
    #[must_use]
    pub fn knows(&self, task_id: &TaskId) -> bool {
        self.task_folder(task_id).is_dir()
    }

    /// The ids of all tasks, sorted.
    ///
    /// # Errors
    /// When the folder of tasks cannot be read.
    pub fn task_ids(&self) -> Result<Vec<TaskId>, WorkspaceFailure> {
        let path = self.state().join("tasks");
        let entries = match fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(WorkspaceFailure::File { path, source }),
        };
        let mut ids: Vec<TaskId> =
            entries.filter_map(|entry| TaskId::parse(entry.ok()?.file_name().to_str()?).ok()).collect();
        ids.sort();
        Ok(ids)
    }

    /// The id for a task that brings none: the one its content got before, else the next number of the year.
    ///
    /// # Errors
    /// When the workspace cannot be read.
    pub fn give_id(&self, content_hash: &str, year: i16) -> Result<TaskId, WorkspaceFailure> {
        let ids = self.task_ids()?;
        for id in &ids {
            let record: Option<TaskRecord> = read_json(&self.task_folder(id).join("record.json"))?;
            if record.is_some_and(|record| record.content_hash == content_hash) {
                return Ok(id.clone());
            }
        }
        let prefix = format!("integration_{year}_");
        let taken = ids.iter().filter_map(|id| id.as_str().strip_prefix(&prefix)?.parse::<u32>().ok()).max();
        let id = format!("{prefix}{:03}", taken.unwrap_or(0) + 1);
        TaskId::parse(&id)
            .map_err(|error| WorkspaceFailure::Damaged { path: self.root.clone(), why: error.to_string() })
    }

    /// Remembers the task's text and content.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn remember(&self, task_id: &TaskId, text: &str, content_hash: &str) -> Result<(), WorkspaceFailure> {
        let folder = self.task_folder(task_id);
        write(&folder.join("task.json"), text.as_bytes())?;
        write_json(&folder.join("record.json"), &TaskRecord { content_hash: content_hash.to_owned() })
    }

    /// What somebody sent as that task.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn task_text(&self, task_id: &TaskId) -> Result<Option<String>, WorkspaceFailure> {
        read(&self.task_folder(task_id).join("task.json"))
    }

    /// Remembers how a run of a known task ended. A run that found everything in place, or failed as the one before, leaves
    /// what was noted.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn note_end(&self, task_id: &TaskId, end: &TaskEnd, changed: Changed) -> Result<(), WorkspaceFailure> {
        let noted = self.last_end(task_id)?;
        let stands = noted.is_some_and(|noted| TaskEnd { at: end.at.clone(), ..noted } == *end);
        if !self.knows(task_id) || (stands && changed == Changed::Nothing) {
            return Ok(());
        }
        write_json(&self.task_folder(task_id).join("end.json"), end)
    }

    /// How the last run of a task ended; `None` while none has.
    ///
    /// # Errors
    /// When the file is damaged.
    pub fn last_end(&self, task_id: &TaskId) -> Result<Option<TaskEnd>, WorkspaceFailure> {
        read_json(&self.task_folder(task_id).join("end.json"))
    }

    /// The plan that is active, if one is.
    ///
    /// # Errors
    /// [`WorkspaceFailure::Damaged`] when it cannot be read by this program.
    pub fn active_plan(&self, task_id: &TaskId) -> Result<Option<PersistedPlan>, WorkspaceFailure> {
        Ok(self.seen_plan(task_id)?.map(Arc::unwrap_or_clone))
    }

    /// The same for whoever only looks at it.
    ///
    /// # Errors
    /// As [`Self::active_plan`].
    pub fn seen_plan(&self, task_id: &TaskId) -> Result<Option<Arc<PersistedPlan>>, WorkspaceFailure> {
        let Some(version) = self.active_version(task_id)? else { return Ok(None) };
        let mut known = self.read.as_ref().map(|read| read.lock().unwrap_or_else(PoisonError::into_inner));
        if let Some((_, plan)) = known.as_ref().and_then(|known| known.get(task_id)).filter(|(of, _)| *of == version) {
            return Ok(Some(Arc::clone(plan)));
        }
        let plan = Arc::new(self.plan(task_id, &version)?);
        if let Some(known) = &mut known {
            known.insert(task_id.clone(), (version, Arc::clone(&plan)));
        }
        Ok(Some(plan))
    }

    fn plan(&self, task_id: &TaskId, version: &str) -> Result<PersistedPlan, WorkspaceFailure> {
        let path = self.task_folder(task_id).join("plans").join(format!("{version}.json"));
        let text = read(&path)?.ok_or_else(|| WorkspaceFailure::Damaged {
            path: path.clone(),
            why: "the active plan is missing".to_owned(),
        })?;
        PersistedPlan::from_text(&text).map_err(|error: UnreadablePlan| WorkspaceFailure::Damaged {
            path,
            why: format!("{error}; run the task again to plan it anew"),
        })
    }

    /// The number of the active plan.
    ///
    /// # Errors
    /// When the mark cannot be read.
    pub fn active_version(&self, task_id: &TaskId) -> Result<Option<String>, WorkspaceFailure> {
        Ok(read(&self.task_folder(task_id).join("active"))?.map(|version| version.trim().to_owned()))
    }

    /// The plans that were persisted with their numbers, newest first. Those newer than the active one belong to runs that did not come through.
    /// One that this program cannot read is left out.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn persisted_plans(&self, task_id: &TaskId) -> Result<Vec<(u32, PersistedPlan)>, WorkspaceFailure> {
        let mut plans = Vec::new();
        for version in self.versions(task_id)?.into_iter().rev() {
            let text = read(&self.task_folder(task_id).join("plans").join(format!("{version}.json")))?;
            let plan = text.and_then(|text| PersistedPlan::from_text(&text).ok());
            plans.extend(plan.map(|plan| (version, plan)));
        }
        Ok(plans)
    }

    /// The numbers of the persisted plans, ascending.
    fn versions(&self, task_id: &TaskId) -> Result<Vec<u32>, WorkspaceFailure> {
        let path = self.task_folder(task_id).join("plans");
        let entries = match fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(WorkspaceFailure::File { path, source }),
        };
        let number = |entry: fs::DirEntry| entry.file_name().to_str()?.strip_suffix(".json")?.parse().ok();
        let mut versions: Vec<u32> = entries.filter_map(|entry| number(entry.ok()?)).collect();
        versions.sort_unstable();
        Ok(versions)
    }

    /// When the first plan of the task was persisted, in milliseconds since 1970; 0 where nobody knows.
    #[must_use]
    pub fn known_since(&self, task_id: &TaskId) -> i64 {
        let first = self.versions(task_id).ok().and_then(|versions| versions.first().copied());
        let path = first.map(|first| self.task_folder(task_id).join("plans").join(format!("{first}.json")));
        let made = path.and_then(|path| fs::metadata(path).ok()?.modified().ok());
        let since = made.and_then(|made| made.duration_since(std::time::UNIX_EPOCH).ok());
        since.and_then(|since| i64::try_from(since.as_millis()).ok()).unwrap_or_default()
    }

    /// Writes a plan as the next version. It is not active yet. Returns its number.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn persist(&self, task_id: &TaskId, plan: &PersistedPlan) -> Result<u32, WorkspaceFailure> {
        let version = self.versions(task_id)?.last().copied().unwrap_or(0) + 1;
        let path = self.task_folder(task_id).join("plans").join(format!("{version}.json"));
        write(&path, plan.to_text().as_bytes())?;
        Ok(version)
    }

    /// Makes a persisted plan the active one.
    ///
    /// # Errors
    /// When the mark cannot be written.
    pub fn activate(&self, task_id: &TaskId, version: u32) -> Result<(), WorkspaceFailure> {
        write(&self.task_folder(task_id).join("active"), format!("{version}\n").as_bytes())
    }

    /// No plan of the task is active any more.
    ///
    /// # Errors
    /// When the mark cannot be removed.
    pub fn deactivate(&self, task_id: &TaskId) -> Result<(), WorkspaceFailure> {
        let path = self.task_folder(task_id).join("active");
        match fs::remove_file(&path) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(source) => Err(WorkspaceFailure::File { path, source }),
        }
    }

    /// What was written for the task so far.
    ///
    /// # Errors
    /// When the ledger is damaged.
    pub fn file_ledger(&self, task_id: &TaskId) -> Result<FileLedger, WorkspaceFailure> {
        Ok(read_json(&self.task_folder(task_id).join("files.json"))?.unwrap_or_default())
    }

    /// Keeps the ledger.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn keep_file_ledger(&self, task_id: &TaskId, ledger: &FileLedger) -> Result<(), WorkspaceFailure> {
        write_json(&self.task_folder(task_id).join("files.json"), ledger)
    }

    /// Says who serves the workspace and where, for other commands to find.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn announce_server(&self, server: &RunningServer) -> Result<(), WorkspaceFailure> {
        let path = self.state().join("serve.json");
        let temporary = self.state().join(format!(".serve.json.{}.tmp", std::process::id()));
        let content = json(&path, server)?;
        write_by_way_of(&temporary, &path, &content).map_err(|source| WorkspaceFailure::File { path, source })
    }

    /// Takes back what [`Self::announce_server`] said, unless another server has announced itself since.
    pub fn retract_server(&self, server: &RunningServer) {
        if self.announced_server().is_ok_and(|announced| announced.as_ref() == Some(server)) {
            // Readers ask the address before they believe the file; one that stays behind does no harm.
            let _ = fs::remove_file(self.state().join("serve.json"));
        }
    }

    /// Who said last that it serves the workspace. It may be gone.
    ///
    /// # Errors
    /// When the file is damaged.
    pub fn announced_server(&self) -> Result<Option<RunningServer>, WorkspaceFailure> {
        read_json(&self.state().join("serve.json"))
    }
}

/// What a process that was killed has left half done stays for so long: nobody works on anything for longer.
const LEFT: Duration = Duration::from_secs(24 * 60 * 60);

/// Takes away folders that somebody has left half done in another, by how their names begin.
pub(crate) fn forget_old(folder: &Path, prefix: &str) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let is_meant = |name: &std::ffi::OsStr| name.to_str().is_some_and(|name| name.starts_with(prefix));
    for entry in entries.filter(|entry| is_meant(&entry.file_name())) {
        let age = entry.metadata().and_then(|found| found.modified()).ok().and_then(|time| time.elapsed().ok());
        if age.is_some_and(|age| age > LEFT) {
            // What cannot be taken away is tried again the next time.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// A server as it announces itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunningServer {
    /// Where it listens: `127.0.0.1:8080`.
    pub address: String,
    /// Whether it speaks TLS there.
    #[serde(default)]
    pub is_encrypted: bool,
    /// The tasks it serves, with the number of the plan.
    pub plans: Vec<(TaskId, String)>,
}

impl RunningServer {
    /// Its address with the scheme: `http://127.0.0.1:8080`.
    #[must_use]
    pub fn url(&self) -> String {
        url(self.is_encrypted, &self.address)
    }
}

fn read(path: &Path) -> Result<Option<String>, WorkspaceFailure> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(WorkspaceFailure::File { path: path.to_owned(), source }),
    }
}

fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<Option<T>, WorkspaceFailure> {
    let damaged =
        |error: serde_json::Error| WorkspaceFailure::Damaged { path: path.to_owned(), why: error.to_string() };
    read(path)?.map(|text| serde_json::from_str(&text).map_err(damaged)).transpose()
}

/// Writes only what differs, so that a run that changes nothing leaves every file as old as it was.
fn write(path: &Path, content: &[u8]) -> Result<(), WorkspaceFailure> {
    if fs::read(path).is_ok_and(|found| found == content) {
        return Ok(());
    }
    write_atomically(path, content).map_err(|source| WorkspaceFailure::File { path: path.to_owned(), source })
}

fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<(), WorkspaceFailure> {
    write(path, &json(path, value)?)
}

fn json<T: Serialize>(path: &Path, value: &T) -> Result<Vec<u8>, WorkspaceFailure> {
    let mut text = serde_json::to_vec_pretty(value)
        .map_err(|error| WorkspaceFailure::Damaged { path: path.to_owned(), why: error.to_string() })?;
    text.push(b'\n');
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_content_keeps_its_id_and_new_content_gets_the_next_number() {
        let folder = tempfile::tempdir().unwrap();
        let workspace = Workspace::new(folder.path());
        let first = workspace.give_id("aa", 2026).unwrap();
        assert_eq!(first.as_str(), "integration_2026_001");
        workspace.remember(&first, "{}", "aa").unwrap();
        assert_eq!(workspace.give_id("aa", 2027).unwrap(), first);
        assert_eq!(workspace.give_id("bb", 2026).unwrap().as_str(), "integration_2026_002");
        assert_eq!(workspace.give_id("bb", 2027).unwrap().as_str(), "integration_2027_001");
    }
}
