//! Restoring: a backup becomes a file beside where it is to be, is compared there, and only then gets its name. What has that name is
//! never written over; where it is to go it is put aside and kept.

use super::comparing::{compare, lacking};
use super::history::{self, Event, EventKind};
use super::making::{BASE, DATABASE, DEFINITION, Definition, LOG, alone};
use super::target::{KEY_VARIABLE, Target};
use super::{BackupsFailure, Drilled, Saying, trouble};
use crate::failure::Failure;
use crate::run::timestamp;
use crate::serving::running_server;
use crate::workspace::{Workspace, WorkspaceFailure, forget_old};
use backup::{Kept, Manifest, Repository};
use jiff::Timestamp;
use plan::PersistedPlan;
use plan::database::spoken;
use provision::{Instance, Recovery, RecoveryTarget, State, WritesFile};
use serde::Serialize;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use store::{Database, Server};
use vocab::TaskId;

/// How long a server may take to come to the moment that is meant: as long as it took to write what is in its log.
const LONGEST_RECOVERY: Duration = Duration::from_secs(6 * 60 * 60);

/// How the names of folders begin in which something comes back beside where it is to be.
const BESIDE: &str = ".restoring-";

/// What somebody wants restored.
#[derive(Debug, Clone, Default)]
pub struct RestoreAsked {
    /// The task whose database it is.
    pub task: String,
    /// The folder of backups, if not where the plan says: needed where the workspace does not know the task.
    pub from: Option<PathBuf>,
    /// The moment whose state is wanted; the newest there is without.
    pub to: Option<Timestamp>,
    /// The backup.
    pub backup: Option<String>,
    /// A new file for it.
    pub into: Option<PathBuf>,
    /// The name of the database whose place it takes.
    pub over: Option<String>,
    /// Whether it is only said what would be done.
    pub is_only_shown: bool,
}

/// What was or would be restored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Restored {
    /// The backup.
    pub id: String,
    /// The moment whose state it is, UTC.
    pub moment: String,
    /// The last moment that could be restored, UTC.
    pub last_moment: String,
    /// The file, or the folder of the server.
    pub file: PathBuf,
    /// Where the server listens, where it is one.
    pub address: Option<String>,
    /// What was there, and is kept.
    pub put_aside: Option<PathBuf>,
    /// Tables and rows; none while it is only shown.
    pub tables: usize,
    /// All of them.
    pub rows: u64,
    /// Milliseconds.
    pub took_ms: u64,
    /// Tasks that the workspace did not know, and knows now.
    pub tasks: Vec<TaskId>,
    /// What the plans of the workspace need and the state that was restored has not.
    pub lacking: Vec<String>,
}

pub fn restore(asked: &RestoreAsked, workspace: &Workspace, say: Saying<'_>) -> Result<Restored, BackupsFailure> {
    let mut tasks = Vec::new();
    if let (Some(from), Ok(task_id)) = (&asked.from, TaskId::parse(&asked.task))
        && workspace.seen_plan(&task_id)?.is_none()
    {
        tasks = made_known(asked, &task_id, from, workspace, say)?;
    }
    let target = Target::of_task(workspace, &asked.task, asked.from.as_deref())?;
    let manifest = choose(&target, asked.backup.as_deref(), asked.to)?;
    let result = match &target.database {
        Database::PostgreSql(server) => into_server(asked, workspace, &target, server, &manifest, say),
        Database::Sqlite(_) | Database::MySql(_) | Database::MongoDb(_) => place(asked, workspace, &target, &manifest)
            .and_then(|place| into_place(asked, workspace, &target, &manifest, &place, say)),
    };
    if !asked.is_only_shown {
        let told = result.as_ref().map(|restored| restored.file.display().to_string());
        let event = Event::of(EventKind::Restore, Some(&manifest.id), told.map_err(|failure| &**failure));
        history::note(workspace, &target.task_id, &event)?;
    }
    Ok(Restored { tasks, ..result? })
}

/// Restores a backup where nobody sees it and compares it; nothing of it stays.
pub fn drill(
    workspace: &Workspace,
    target: &Target,
    manifest: &Manifest,
    say: Saying<'_>,
) -> Result<Drilled, Box<Failure>> {
    let begun = Instant::now();
    let recovery_point_s = last_moment(target, manifest).parse().map_or(0, |last: Timestamp| {
        u64::try_from(Timestamp::now().duration_since(last).as_secs()).unwrap_or_default()
    });
    let scratch = workspace.scratch().map_err(|failure| Box::new(Failure::workspace(&failure)))?;
    say("restoring where nobody sees it");
    let definition = match &target.database {
        Database::PostgreSql(server) => {
            let folder = workspace.drills_folder(&target.task_id);
            let _alone = alone(workspace, "drill", &target.task_id)?;
            // One that was killed has left its own.
            for left in provision::instances(&folder).map_err(|failure| trouble::program(&failure))? {
                left.discard().map_err(|failure| trouble::program(&failure))?;
            }
            let instance = Instance::of_database(target.database.engine(), &manifest.id, &folder);
            instance.discard().map_err(|failure| trouble::program(&failure))?;
            let _gone = Discarded(&instance);
            let until = Until { target: RecoveryTarget::Point(point(manifest)?), pieces: Vec::new() };
            bring_server_back(target, server, (manifest, &until), &instance, say)?.0
        }
        Database::Sqlite(_) | Database::MySql(_) | Database::MongoDb(_) => {
            bring_back(target, manifest, &scratch.path().join(DATABASE), say)?
        }
    };
    let recovery_time_ms = millis(begun);
    let objectives = &target.plan.objectives;
    let mut missed = Vec::new();
    if recovery_point_s > u64::from(objectives.recovery_point) {
        missed.push(format!(
            "{recovery_point_s} s of work would be lost, and no more than {} may be",
            spoken(objectives.recovery_point)
        ));
    }
    if let Some(most) = objectives.recovery_time.filter(|most| recovery_time_ms > u64::from(*most) * 1_000) {
        missed.push(format!("restoring took {recovery_time_ms} ms, and may take {}", spoken(most)));
    }
    Ok(Drilled {
        id: manifest.id.clone(),
        moment: manifest.moment.clone(),
        tables: definition.contents.tables.len(),
        rows: definition.contents.rows(),
        recovery_point_s,
        recovery_time_ms,
        missed,
    })
}

/// A server that is gone when this is dropped.
struct Discarded<'i>(&'i Instance);

impl Drop for Discarded<'_> {
    fn drop(&mut self) {
        if let Err(failure) = self.0.discard() {
            tracing::error!(server = self.0.name(), "a server that nobody was to see is still there: {failure}");
        }
    }
}

/// The backup of that name; else the newest of that moment or an earlier one. One that is damaged is never passed over without a word.
pub fn choose(target: &Target, id: Option<&str>, to: Option<Timestamp>) -> Result<Manifest, Box<Failure>> {
    let folder = target.repository.folder().display();
    let kept = target.repository.list().map_err(|failure| trouble::told(&failure))?;
    if let Some(id) = id {
        return match kept.into_iter().find(|(known, _)| known == id) {
            Some((_, Kept::Whole(manifest))) => Ok(manifest),
            Some((_, Kept::Damaged(failure))) => Err(trouble::told(&failure)),
            None => {
                let message = format!("there is no backup {id} in {folder}");
                Err(Box::new(trouble::none(message, "`producer db backups TASK` lists those that there are")))
            }
        };
    }
    let is_early = |(id, kept): &(String, Kept)| match (to, kept) {
        (None, _) => true,
        (Some(to), Kept::Whole(manifest)) => moment(manifest).is_some_and(|moment| moment <= to),
        // Its name says when it was made.
        (Some(to), Kept::Damaged(_)) => *id <= to.strftime("%Y%m%dT%H%M%S%.3fZ").to_string(),
    };
    let first = kept.first().map(|(id, kept)| match kept {
        Kept::Whole(manifest) => manifest.moment.clone(),
        Kept::Damaged(_) => id.clone(),
    });
    match (kept.into_iter().rfind(is_early), to, first) {
        (Some((_, Kept::Whole(manifest))), ..) => Ok(manifest),
        (Some((_, Kept::Damaged(failure))), ..) => Err(trouble::told(&failure)),
        (None, Some(to), Some(first)) => {
            let message = format!("no backup in {folder} holds the state of {to}: the first is of {first}");
            Err(Box::new(trouble::none(message, "name a later moment, or leave `--to` out for the newest")))
        }
        (None, ..) => {
            let message = format!("there is no backup in {folder}");
            Err(Box::new(trouble::none(message, "`producer db backup TASK` makes one")))
        }
    }
}

fn moment(manifest: &Manifest) -> Option<Timestamp> {
    manifest.moment.parse().ok()
}

fn millis(begun: Instant) -> u64 {
    u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// Where something goes.
struct Place {
    file: PathBuf,
    /// What is there goes aside first.
    is_over: bool,
}

fn place(
    asked: &RestoreAsked,
    workspace: &Workspace,
    target: &Target,
    manifest: &Manifest,
) -> Result<Place, Box<Failure>> {
    let Some(own) = target.database.file() else {
        return Err(Box::new(trouble::engine_without_backups(&target.database)));
    };
    let stem = own.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    if let Some(into) = &asked.into {
        return match into.exists() {
            true => {
                let message = format!("`{}` is there already", into.display());
                Err(Box::new(trouble::in_the_way(message, "name a file that is not there; nothing is written over")))
            }
            false => Ok(Place { file: into.clone(), is_over: false }),
        };
    }
    let wants_own_place = match &asked.over {
        Some(name) if *name == stem || Path::new(name) == own => true,
        Some(name) => {
            let message = format!("the database is called `{stem}`, and not `{name}`");
            let hint = format!("`--over {stem}` puts it aside, and restores in its place");
            return Err(Box::new(trouble::in_the_way(message, hint)));
        }
        None => !own.exists(),
    };
    if !wants_own_place {
        let name = format!("{stem}-{}.sqlite", manifest.id);
        let file = own.with_file_name(name);
        if file.exists() {
            let message = format!("`{}` is there already", file.display());
            let hint = "it was restored before; name another file with `--into`";
            return Err(Box::new(trouble::in_the_way(message, hint)));
        }
        return Ok(Place { file, is_over: false });
    }
    if let Some(server) = running_server(workspace) {
        let message = format!("the server at {} has the database open", server.address);
        return Err(Box::new(trouble::in_the_way(message, "stop it first: what it writes meanwhile would be lost")));
    }
    Ok(Place { file: own.to_owned(), is_over: true })
}

fn into_place(
    asked: &RestoreAsked,
    workspace: &Workspace,
    target: &Target,
    manifest: &Manifest,
    place: &Place,
    say: Saying<'_>,
) -> Result<Restored, Box<Failure>> {
    let begun = Instant::now();
    let put_aside = aside(place);
    let mut restored = Restored {
        id: manifest.id.clone(),
        moment: manifest.moment.clone(),
        last_moment: last_moment(target, manifest),
        file: place.file.clone(),
        address: None,
        put_aside: put_aside.clone(),
        tables: 0,
        rows: 0,
        took_ms: 0,
        tasks: Vec::new(),
        lacking: Vec::new(),
    };
    if asked.is_only_shown {
        return Ok(restored);
    }
    let _alone = alone(workspace, "backup", &target.task_id)?;
    let failed = |error: io::Error| Box::new(trouble::file(&place.file, &error));
    let folder = place.file.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(failed)?;
    forget_old(folder, BESIDE);
    // On the same file system, so that it gets its name at once.
    let beside = tempfile::Builder::new().prefix(BESIDE).tempdir_in(folder).map_err(failed)?;
    let file = beside.path().join(DATABASE);
    say("restoring beside where it is to be");
    let definition = bring_back(target, manifest, &file, say)?;
    restored.tables = definition.contents.tables.len();
    restored.rows = definition.contents.rows();
    let scratch = Database::Sqlite(file.clone());
    for task in &definition.tasks {
        if let Ok(Some(active)) = workspace.seen_plan(&task.task_id) {
            restored.lacking.extend(lacking(&scratch, &active).unwrap_or_default());
        }
    }
    File::open(&file).and_then(|file| file.sync_all()).map_err(failed)?;
    if let Some(aside) = &put_aside {
        say("putting aside what is there");
        let there = Database::Sqlite(place.file.clone());
        there.must_be_closed().map_err(|error| {
            let message = format!("somebody has `{}` open: {error}", place.file.display());
            Box::new(trouble::in_the_way(message, "stop whoever that is, and try again"))
        })?;
        moved(&place.file, aside).map_err(failed)?;
    }
    if let Err(error) = named(&file, &place.file) {
        if let Some(aside) = &put_aside {
            moved(aside, &place.file).map_err(failed)?;
        }
        return Err(failed(error));
    }
    #[cfg(unix)]
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
    restored.took_ms = millis(begun);
    Ok(restored)
}

/// A private server of the workspace's own that goes on.
fn into_server(
    asked: &RestoreAsked,
    workspace: &Workspace,
    target: &Target,
    server: &Server,
    manifest: &Manifest,
    say: Saying<'_>,
) -> Result<Restored, Box<Failure>> {
    let begun = Instant::now();
    if asked.over.is_some() || asked.into.is_some() {
        let option = if asked.over.is_some() { "--over" } else { "--into" };
        return Err(Box::new(trouble::of_files(option)));
    }
    let of_name = |name: &str| Instance::of_database(target.database.engine(), name, &workspace.servers_folder());
    let own = target.own_server.as_deref().map(of_name);
    // A private server that is gone comes back where it was.
    let lost = own.filter(|own| own.address().is_ok_and(|address| address.is_none()));
    let instance = lost.unwrap_or_else(|| of_name(&format!("{}-{}", server.name, manifest.id)));
    let made = instance.address().map_err(|failure| trouble::program(&failure))?;
    if made.is_some() {
        let message = format!("`{}` is there already", instance.folder().display());
        let hint = format!("it was restored before; `producer db start {}` starts it", instance.name());
        return Err(Box::new(trouble::in_the_way(message, hint)));
    }
    let until = until(asked, target, manifest)?;
    let moment = match (&until.target, until.pieces.last()) {
        (RecoveryTarget::Time(time), _) => time.clone(),
        (RecoveryTarget::Point(_), Some((_, piece))) => piece.moment.clone(),
        (RecoveryTarget::Point(_), None) => manifest.moment.clone(),
    };
    let mut restored = Restored {
        id: manifest.id.clone(),
        moment,
        last_moment: last_moment(target, manifest),
        file: instance.folder().to_owned(),
        address: None,
        put_aside: None,
        tables: 0,
        rows: 0,
        took_ms: 0,
        tasks: Vec::new(),
        lacking: Vec::new(),
    };
    if asked.is_only_shown {
        return Ok(restored);
    }
    let _alone = alone(workspace, "backup", &target.task_id)?;
    say("restoring into a private server of its own");
    let brought = bring_server_back(target, server, (manifest, &until), &instance, say);
    let (definition, database) = match brought {
        Ok(brought) => brought,
        Err(failure) => {
            drop(Discarded(&instance));
            return Err(failure);
        }
    };
    restored.address = Some(database.place());
    let contents = database.contents().unwrap_or(definition.contents);
    (restored.tables, restored.rows) = (contents.tables.len(), contents.rows());
    for task in &definition.tasks {
        if let Ok(Some(active)) = workspace.seen_plan(&task.task_id) {
            restored.lacking.extend(lacking(&database, &active).unwrap_or_default());
        }
    }
    restored.took_ms = millis(begun);
    Ok(restored)
}

/// How far the log is followed.
struct Until {
    target: RecoveryTarget,
    /// What was kept of it behind the backup, the oldest first, and where.
    pieces: Vec<(Repository, Manifest)>,
}

/// To the moment that is asked for; without one to the last there is; where the log was not kept, to that of the backup.
fn until(asked: &RestoreAsked, target: &Target, manifest: &Manifest) -> Result<Until, Box<Failure>> {
    let of_backup = || Ok(Until { target: RecoveryTarget::Point(point(manifest)?), pieces: Vec::new() });
    let start = moment(manifest);
    if asked.backup.is_some() || asked.to.is_some_and(|to| start.is_some_and(|start| to <= start)) {
        return of_backup();
    }
    let told = |failure| trouble::told(&failure);
    let of_log = target.log.list().map_err(told)?.into_iter().map(|kept| (&target.log, kept));
    // A later backup holds the log that was fetched for it, and nothing is known to be committed behind that.
    let of_backups = target.repository.list().map_err(told)?.into_iter().map(|kept| (&target.repository, kept));
    let mut all: Vec<(&Repository, (String, Kept))> = of_log.chain(of_backups).collect();
    all.retain(|(_, (id, _))| *id > manifest.id);
    all.sort_by(|(_, (left, _)), (_, (right, _))| left.cmp(right));
    while all.pop_if(|(repository, _)| **repository == target.repository).is_some() {}
    let mut pieces = Vec::new();
    for (repository, (_, kept)) in all {
        let piece = match kept {
            Kept::Whole(piece) => piece,
            Kept::Damaged(failure) => return Err(trouble::told(&failure)),
        };
        let is_late = asked.to.is_some_and(|to| moment(&piece).is_some_and(|moment| moment >= to));
        let is_last = is_late && *repository == target.log;
        pieces.push((repository.clone(), piece));
        if is_last {
            break;
        }
    }
    let Some((_, last)) = pieces.last() else {
        return match (asked.to, target.plan.point_in_time) {
            (Some(to), true) => {
                let message =
                    format!("the log behind backup {} was not kept, and the state of {to} is wanted", manifest.id);
                let hint = format!("`--to {}` is the moment of the backup", manifest.moment);
                Err(Box::new(trouble::none(message, hint)))
            }
            (Some(_) | None, _) => of_backup(),
        };
    };
    must_be_without_gaps(manifest, &pieces)?;
    let target = match asked.to {
        Some(to) if moment(last).is_some_and(|last| to <= last) => RecoveryTarget::Time(timestamp(to)),
        // Nobody knows what was committed behind the last piece.
        Some(to) => {
            let message = format!("the log is kept until {}, and the state of {to} is wanted", last.moment);
            return Err(Box::new(trouble::none(
                message,
                "name an earlier moment, or leave `--to` out for the last there is",
            )));
        }
        None => RecoveryTarget::Point(point(last)?),
    };
    Ok(Until { target, pieces })
}

/// Files of the log follow each other by their names; whoever restores over a gap gets less than he believes.
fn must_be_without_gaps(manifest: &Manifest, pieces: &[(Repository, Manifest)]) -> Result<(), Box<Failure>> {
    let of = |manifest: &Manifest| -> Vec<u64> {
        let names = manifest.objects.iter().filter_map(|object| object.name.strip_prefix(LOG));
        names.filter_map(number_of_file).collect()
    };
    let mut known = of(manifest).into_iter().max();
    for (_, piece) in pieces {
        let files = of(piece);
        let (first, last) = (files.iter().min(), files.iter().max());
        match (known, first) {
            (Some(before), Some(first)) if *first <= before + 1 => {}
            _ => {
                let message = format!("the log has a gap before its piece {}", piece.id);
                let hint = "name a moment before it, or one behind a later backup";
                return Err(Box::new(trouble::gap(message, hint)));
            }
        }
        known = known.max(last.copied());
    }
    Ok(())
}

/// The number of a file of the log among its like: `000000010000000A000000FE` with the usual 16 MiB a file, 256 of which make the
/// middle part count one up.
fn number_of_file(name: &str) -> Option<u64> {
    let high = u64::from_str_radix(name.get(8..16)?, 16).ok()?;
    let low = u64::from_str_radix(name.get(16..24)?, 16).ok()?;
    Some(high << 8 | low)
}

fn point(manifest: &Manifest) -> Result<String, Box<Failure>> {
    let unnamed = || Box::new(trouble::different(&manifest.id, &["its moment has no name".to_owned()]));
    manifest.point.clone().ok_or_else(unnamed)
}

/// Brings a backup back as a server that runs, and compares the database with what it held.
fn bring_server_back(
    target: &Target,
    server: &Server,
    (manifest, until): (&Manifest, &Until),
    instance: &Instance,
    say: Saying<'_>,
) -> Result<(Definition, Database), Box<Failure>> {
    let definition = definition(&target.repository, manifest, target.key.as_ref())?;
    let different = |why: String| Box::new(trouble::different(&manifest.id, &[why]));
    let version = manifest.engine_version.trim_start_matches(|letter: char| !letter.is_ascii_digit());
    let version: i32 = version.parse().map_err(|_| different("nobody knows the version of its server".to_owned()))?;
    // Why an object could not be read is told, and not that somebody else did not get it.
    let unread: RefCell<Option<Box<Failure>>> = RefCell::new(None);
    let give = |repository: &Repository, of: &Manifest, name: &str, to: &mut dyn Write| {
        repository.read(of, name, target.key.as_ref(), to).map_err(|failure| {
            let said = io::Error::other(failure.to_string());
            *unread.borrow_mut() = Some(trouble::told(&failure));
            said
        })
    };
    let mut base = |to: &mut dyn Write| give(&target.repository, manifest, BASE, to);
    // A later piece has more of a file that an earlier one has the beginning of.
    let mut newest: BTreeMap<&str, (&Repository, &Manifest)> = BTreeMap::new();
    let pieces = until.pieces.iter().map(|(repository, piece)| (repository, piece));
    for (repository, of) in std::iter::once((&target.repository, manifest)).chain(pieces) {
        let names = of.objects.iter().map(|object| object.name.as_str()).filter(|name| name.starts_with(LOG));
        newest.extend(names.map(|name| (name, (repository, of))));
    }
    let log = newest.into_iter().map(|(name, (repository, of))| {
        let give = &give;
        let file: WritesFile<'_> = Box::new(move |to: &mut dyn Write| give(repository, of, name, to));
        (name.trim_start_matches(LOG).to_owned(), file)
    });
    let mut recovery = Recovery { base: &mut base, log: log.collect(), target: until.target.clone() };
    let recovered = instance.recover(version, &mut recovery);
    drop(recovery);
    if let Err(failure) = recovered {
        return Err(unread.take().unwrap_or_else(|| trouble::program(&failure)));
    }
    let gone = || different("the server that came back is not there".to_owned());
    let address = instance.address().map_err(|failure| trouble::program(&failure))?.ok_or_else(gone)?;
    let database = server.moved_to(address).map(Database::PostgreSql).map_err(|error| different(error.to_string()))?;
    // It takes connections when it has come to that moment.
    let begun = Instant::now();
    while let Err(error) = database.wait(&|_| ()) {
        if begun.elapsed() > LONGEST_RECOVERY || instance.state().is_ok_and(|state| state != State::Running) {
            return Err(different(error.to_string()));
        }
    }
    say("comparing it with what was backed up");
    match until.pieces.is_empty() {
        true => compare(&manifest.id, &database, &definition)?,
        // What it held at that moment nobody has counted.
        false => {
            let found = database.check().map_err(|error| different(error.to_string()))?;
            if !found.is_empty() {
                return Err(Box::new(trouble::different(&manifest.id, &found)));
            }
        }
    }
    Ok((definition, database))
}

/// A database, with what stands beside it, gets another name.
fn moved(from: &Path, to: &Path) -> io::Result<()> {
    for ending in ["-journal", "-shm", "-wal", ""] {
        match fs::rename(with_ending(from, ending), with_ending(to, ending)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

/// A file gets a name that nothing has. Unlike a new name, a second one never takes the place of what is there; some file systems have none.
fn named(file: &Path, name: &Path) -> io::Result<()> {
    match fs::hard_link(file, name) {
        Err(error) if error.kind() == io::ErrorKind::Unsupported && !name.exists() => fs::rename(file, name),
        linked => linked,
    }
}

/// Where what is there goes.
fn aside(place: &Place) -> Option<PathBuf> {
    let is_needed = place.is_over && place.file.exists();
    let name = format!("-replaced-{}", Timestamp::now().strftime("%Y%m%dT%H%M%S%.3fZ"));
    is_needed.then(|| with_ending(&place.file, &name))
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// The last moment that can be restored: that of the newest backup, or of what was kept of the log behind it.
fn last_moment(target: &Target, known: &Manifest) -> String {
    let of = |repository| newest(repository).map(|newest| newest.moment);
    let last = of(&target.repository).max(of(&target.log));
    last.unwrap_or_else(|| known.moment.clone())
}

pub fn newest(repository: &Repository) -> Option<Manifest> {
    let kept = repository.list().ok()?;
    kept.into_iter().rev().find_map(|(_, kept)| match kept {
        Kept::Whole(manifest) => Some(manifest),
        Kept::Damaged(_) => None,
    })
}

/// Brings a backup back as a new file, and compares it. Where that fails the file is worth nothing.
fn bring_back(target: &Target, manifest: &Manifest, file: &Path, say: Saying<'_>) -> Result<Definition, Box<Failure>> {
    let definition = definition(&target.repository, manifest, target.key.as_ref())?;
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut to = options.open(file).map_err(|error| Box::new(trouble::file(file, &error)))?;
    let read = target.repository.read(manifest, DATABASE, target.key.as_ref(), &mut to);
    read.map_err(|failure| trouble::told(&failure))?;
    drop(to);
    say("comparing it with what was backed up");
    compare(&manifest.id, &Database::Sqlite(file.to_owned()), &definition)?;
    Ok(definition)
}

fn definition(
    repository: &Repository,
    manifest: &Manifest,
    key: Option<&backup::Key>,
) -> Result<Definition, Box<Failure>> {
    let mut bytes = Vec::new();
    repository.read(manifest, DEFINITION, key, &mut bytes).map_err(|failure| trouble::told(&failure))?;
    serde_json::from_slice(&bytes).map_err(|error| Box::new(trouble::different(&manifest.id, &[error.to_string()])))
}

/// Has a workspace that does not know the task know everything that stands on its database.
fn made_known(
    asked: &RestoreAsked,
    task_id: &TaskId,
    from: &Path,
    workspace: &Workspace,
    say: Saying<'_>,
) -> Result<Vec<TaskId>, BackupsFailure> {
    let repository = Repository::new(from.join(task_id.as_str()));
    let Some(manifest) = newest(&repository) else {
        let message = format!("there is no backup in {}", repository.folder().display());
        let hint = "name the folder that holds a folder for each task";
        return Err(Box::new(trouble::none(message, hint)).into());
    };
    let key = key_of_stranger(&manifest)?;
    let definition = definition(&repository, &manifest, key.as_ref())?;
    if asked.is_only_shown {
        let message =
            format!("this workspace does not know task `{task_id}`, which backup {} brings along", manifest.id);
        let hint = "leave `--plan` out: nothing that is there is written over";
        return Err(Box::new(trouble::none(message, hint)).into());
    }
    say("making its tasks known");
    let lock = workspace.lock(|| say("waiting for another run in this workspace"))?;
    let mut known = Vec::new();
    for task in definition.tasks {
        if workspace.seen_plan(&task.task_id)?.is_some() {
            continue;
        }
        let plan = PersistedPlan::from_text(&task.plan).map_err(|error| WorkspaceFailure::Damaged {
            path: repository.folder().join(&manifest.id),
            why: error.to_string(),
        })?;
        workspace.remember(&task.task_id, &task.text, &plan.task_hash)?;
        let version = workspace.persist(&task.task_id, &plan)?;
        workspace.activate(&task.task_id, version)?;
        known.push(task.task_id);
    }
    drop(lock);
    Ok(known)
}

/// Nobody knows yet what the plan says of it.
fn key_of_stranger(manifest: &Manifest) -> Result<Option<backup::Key>, Box<Failure>> {
    if !manifest.objects.iter().any(|object| object.is_encrypted) {
        return Ok(None);
    }
    let text = std::env::var(KEY_VARIABLE).unwrap_or_default();
    let reference = plan::database::LocationPart::Environment(KEY_VARIABLE.to_owned());
    backup::Key::parse(&text).map(Some).map_err(|wrong| Box::new(trouble::no_key(&reference, &wrong)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use backup::Object;
    use vocab::Engine;

    fn piece(id: &str, files: &[&str]) -> Manifest {
        let object = |file: &&str| Object {
            name: format!("{LOG}{file}"),
            file: format!("{LOG}{file}.gz"),
            is_encrypted: false,
            size: 0,
            sha256: String::new(),
            stored_size: 0,
            stored_sha256: String::new(),
        };
        Manifest {
            id: id.to_owned(),
            task_id: TaskId::parse("shop").unwrap(),
            engine: Engine::PostgreSql,
            engine_version: "postgresql_15".to_owned(),
            moment: "2026-01-02T03:04:05.678Z".to_owned(),
            completed_at: "2026-01-02T03:04:06.678Z".to_owned(),
            plans: BTreeMap::new(),
            point: None,
            objects: files.iter().map(object).collect(),
        }
    }

    #[test]
    fn a_gap_in_the_log_is_seen() {
        let base = piece("1", &["0000000100000000000000FE", "0000000100000000000000FF"]);
        let next = piece("2", &["0000000100000000000000FF", "000000010000000100000000"]);
        let then = piece("3", &["000000010000000100000001", "00000002.history"]);
        let kept = |pieces: &[&Manifest]| -> Vec<(Repository, Manifest)> {
            pieces.iter().map(|piece| (Repository::new("log".into()), (*piece).clone())).collect()
        };
        assert!(must_be_without_gaps(&base, &kept(&[&next, &then])).is_ok());
        let gap = must_be_without_gaps(&base, &kept(&[&then])).unwrap_err();
        assert_eq!((gap.code.as_str(), gap.message.as_str()), ("IP383", "the log has a gap before its piece 3"));
        assert!(
            must_be_without_gaps(&base, &kept(&[&next, &piece("4", &[])])).is_err(),
            "a piece without files is one"
        );
    }
}
