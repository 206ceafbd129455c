//! A database that is a file comes back beside where it is to be, is compared there, and only then gets its name. What has that name is
//! never written over; where it is to go it is put aside and kept.

use super::log::{Until, any_moment_behind, until};
use super::{RestoreAsked, Restored, definition, millis, planned};
use crate::backups::comparing::{compare, lacking, sound};
use crate::backups::making::{DATABASE, Definition, alone, sqlite};
use crate::backups::target::Target;
use crate::backups::{Saying, trouble};
use crate::failure::Failure;
use crate::serving::running_server;
use crate::workspace::{Workspace, forget_old};
use backup::Manifest;
use jiff::Timestamp;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;
use store::{Database, StoreError, WalReplay};

/// How the names of folders begin in which something comes back beside where it is to be.
const BESIDE: &str = ".restoring-";

/// A new file, or the one in whose place it comes.
pub fn restore(
    asked: &RestoreAsked,
    workspace: &Workspace,
    target: &Target,
    manifest: &Manifest,
    say: Saying<'_>,
) -> Result<Restored, Box<Failure>> {
    let place = place(asked, workspace, target, manifest)?;
    into_place(asked, workspace, target, manifest, &place, say)
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
    let until = until(asked, target, manifest)?;
    let planned = planned(target, manifest, until.moment(manifest), place.file.clone());
    let mut restored = Restored { put_aside: put_aside.clone(), ..planned };
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
    let definition = bring_back(target, (manifest, &until), &file, say)?;
    let scratch = Database::Sqlite(file.clone());
    let contents = match until.pieces.is_empty() {
        true => definition.contents,
        false => scratch.contents().unwrap_or(definition.contents),
    };
    (restored.tables, restored.rows) = (contents.tables.len(), contents.rows());
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

/// One that nobody sees, as the backup has it, and where its log is kept once more to any moment behind that, which is said; nothing of
/// them stays. Milliseconds are those of the slower one.
pub fn drill(
    workspace: &Workspace,
    target: &Target,
    manifest: &Manifest,
    say: Saying<'_>,
) -> Result<(Definition, Option<String>, u64), Box<Failure>> {
    let tried = |until: &Until| -> Result<(Definition, u64), Box<Failure>> {
        let scratch = workspace.scratch().map_err(|failure| Box::new(Failure::workspace(&failure)))?;
        let begun = Instant::now();
        let definition = bring_back(target, (manifest, until), &scratch.path().join(DATABASE), say)?;
        Ok((definition, millis(begun)))
    };
    let (definition, took) = tried(&Until::of_backup())?;
    let Some(to) = any_moment_behind(target, manifest)? else { return Ok((definition, None, took)) };
    let until = until(&RestoreAsked { to: Some(to), ..RestoreAsked::default() }, target, manifest)?;
    say("restoring to a moment of its log");
    let (_, took_by_log) = tried(&until)?;
    Ok((definition, Some(until.moment(manifest)), took.max(took_by_log)))
}

/// Brings a backup back as a new file, goes on in its log, and compares it. Where that fails the file is worth nothing.
fn bring_back(
    target: &Target,
    (manifest, until): (&Manifest, &Until),
    file: &Path,
    say: Saying<'_>,
) -> Result<Definition, Box<Failure>> {
    let definition = definition(&target.repository, manifest, target.key.as_ref())?;
    let mut to = new_file(file)?;
    let read = target.repository.read(manifest, DATABASE, target.key.as_ref(), &mut to);
    read.map_err(|failure| trouble::told(&failure))?;
    drop(to);
    let database = Database::Sqlite(file.to_owned());
    if until.pieces.is_empty() {
        say("comparing it with what was backed up");
        compare(&manifest.id, &database, &definition)?;
        return Ok(definition);
    }
    say("doing again what the log says");
    let different = |error: StoreError| Box::new(trouble::different(&manifest.id, &[error.to_string()]));
    let replay = WalReplay::begin(file).map_err(different)?;
    let last = until.pieces.len() - 1;
    for (index, (repository, piece)) in until.pieces.iter().enumerate() {
        let Some((name, _)) = sqlite::begin_of(piece) else {
            return Err(Box::new(trouble::different(&piece.id, &["it is no piece of a log".to_owned()])));
        };
        let mut log = new_file(&replay.log())?;
        let read = repository.read(piece, name, target.key.as_ref(), &mut log);
        read.map_err(|failure| trouble::told(&failure))?;
        drop(log);
        replay.bring_home(until.frames.filter(|_| index == last)).map_err(different)?;
    }
    replay.end().map_err(different)?;
    say("comparing it with what was backed up");
    // What it held at that moment nobody has counted.
    sound(&manifest.id, &database)?;
    Ok(definition)
}

/// That only this user reads.
fn new_file(path: &Path) -> Result<File, Box<Failure>> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map_err(|error| Box::new(trouble::file(path, &error)))
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
