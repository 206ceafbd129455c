//! A SQLite file is copied as one read transaction sees it; where its log is kept, that begins at a place of the log, and what is committed
//! behind it goes into pieces that are logs of SQLite's own, with the times at which somebody looked.

use super::{Copied, DATABASE, Piece, newest_before, next_id, not_copied};
use crate::backups::following;
use crate::backups::target::Target;
use crate::backups::{Saying, trouble};
use crate::failure::Failure;
use crate::run::timestamp;
use crate::workspace::Workspace;
use backup::{Manifest, Repository, Writing};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::path::{Path, PathBuf};
use store::{Frames, HeldWal, WalCut, WalPlace, WriteAheadLog};

/// How the object of a piece begins that is its frames; the place behind which they are follows.
pub const FRAMES: &str = "log-wal-";
/// The object that says when how much of them was committed.
pub const MOMENTS: &str = "moments";

/// A look at the log, in which more was committed than before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// Frames of the piece that were committed.
    pub frames: u32,
    /// Until when there were no more than the look before had seen, UTC.
    pub unchanged_until: String,
    /// When these were seen, UTC.
    pub seen: String,
}

/// Begins a copy, and ends the piece of the log that is under way at the same place: what is kept behind it follows both.
pub fn begin(
    workspace: &Workspace,
    target: &Target,
    file: &Path,
    scratch: &Path,
) -> Result<Option<HeldWal>, Box<Failure>> {
    if !target.plan.point_in_time {
        return Ok(None);
    }
    let not_copied = |error| not_copied(target, &error);
    let log = WriteAheadLog::open(file).map_err(not_copied)?;
    let Some((before, from)) = before(target)? else { return log.hold().map(Some).map_err(not_copied) };
    let mut frames = frames(scratch)?;
    let kept = following::kept(workspace, &target.task_id, &from);
    let WalCut { held, is_whole } = log.cut(&from, kept, &mut frames).map_err(not_copied)?;
    // Where it is not, the copy begins the log anew.
    if is_whole {
        keep(workspace, target, &before, &Cut::of(from, &held, frames)?)?;
    }
    Ok(Some(held))
}

pub fn copy(
    target: &Target,
    begun: Option<HeldWal>,
    writing: &mut Writing<'_>,
    scratch: &Path,
    say: Saying<'_>,
) -> Result<Copied<'static>, Box<Failure>> {
    let copy = scratch.join(DATABASE);
    say("copying the database");
    // What was committed before that is part of it.
    let moment = begun.as_ref().map_or_else(Timestamp::now, |held| held.moment);
    let contents = match &begun {
        Some(held) => held.copy(&copy),
        None => target.database.copy(&copy),
    };
    let contents = contents.map_err(|error| not_copied(target, &error))?;
    say("keeping the copy, and reading it back");
    let mut file = File::open(&copy).map_err(|error| Box::new(trouble::file(&copy, &error)))?;
    writing.add(DATABASE, &mut file).map_err(|failure| trouble::told(&failure))?;
    let point = begun.map(|held| held.place.to_string());
    Ok(Copied { contents, moment: timestamp(moment), point, origin: None, log: None })
}

/// Keeps what was committed since the log was kept last; nothing where no backup has begun it, or where it does not follow.
pub fn keep_log(
    workspace: &Workspace,
    target: &Target,
    file: &Path,
    scratch: &Path,
) -> Result<Option<Manifest>, Box<Failure>> {
    let not_copied = |error| not_copied(target, &error);
    let Some((before, from)) = before(target)? else { return Ok(None) };
    let log = WriteAheadLog::open(file).map_err(not_copied)?;
    let mut frames = frames(scratch)?;
    let kept = following::kept(workspace, &target.task_id, &from);
    let WalCut { held, is_whole } = log.cut(&from, kept, &mut frames).map_err(not_copied)?;
    if !is_whole {
        return Ok(None);
    }
    keep(workspace, target, &before, &Cut::of(from, &held, frames)?).map(Some)
}

/// What was kept last, and the place of the log that it ends at.
pub fn before(target: &Target) -> Result<Option<(Manifest, WalPlace)>, Box<Failure>> {
    let before = newest_before(target)?;
    let place = before.as_ref().and_then(|before| before.point.as_deref()?.parse().ok());
    Ok(before.zip(place))
}

/// A new file for frames.
pub fn frames(scratch: &Path) -> Result<Frames, Box<Failure>> {
    let path = scratch.join("log");
    Frames::new(path.clone()).map_err(|error| Box::new(trouble::file(&path, &error)))
}

/// Frames that were cut off the log, all of them.
pub struct Cut {
    pub from: WalPlace,
    pub end: WalPlace,
    pub moment: Timestamp,
    /// Their file.
    pub frames: PathBuf,
}

impl Cut {
    pub fn of(from: WalPlace, held: &HeldWal, frames: Frames) -> Result<Self, Box<Failure>> {
        let path = frames.path.clone();
        let frames = frames.finish().map_err(|error| Box::new(trouble::file(&path, &error)))?;
        Ok(Self { from, end: held.place.clone(), moment: held.moment, frames })
    }
}

/// Makes a piece of them.
pub fn keep(workspace: &Workspace, target: &Target, before: &Manifest, cut: &Cut) -> Result<Manifest, Box<Failure>> {
    let told = |failure| trouble::told(&failure);
    let id = next_id(target)?;
    let moments = following::moments(workspace, &target.task_id, (&cut.from, &cut.end), cut.moment);
    let moments = serde_json::to_vec(&moments).unwrap_or_default();
    let mut writing = target.log.begin(&id, target.key.as_ref()).map_err(told)?;
    let mut file = File::open(&cut.frames).map_err(|error| Box::new(trouble::file(&cut.frames, &error)))?;
    writing.add(&format!("{FRAMES}{}", cut.from), &mut file).map_err(told)?;
    writing.add(MOMENTS, &mut &moments[..]).map_err(told)?;
    let engine_version = before.engine_version.clone();
    let (moment, point) = (timestamp(cut.moment), cut.end.to_string());
    // A place says by itself of which file it is.
    let piece = Piece { id: &id, moment, point, origin: None, engine_version };
    let manifest = writing.finish(|objects| piece.manifest(target, objects)).map_err(told)?;
    following::forget_moments(workspace, &target.task_id, cut.moment);
    Ok(manifest)
}

/// Where a piece begins, and the object that is its frames.
pub fn begin_of(piece: &Manifest) -> Option<(&str, WalPlace)> {
    let of = |name: &str| name.strip_prefix(FRAMES)?.parse().ok();
    piece.objects.iter().find_map(|object| Some((object.name.as_str(), of(&object.name)?)))
}

/// Frames of a piece.
pub fn frames_of(piece: &Manifest) -> Option<u32> {
    let (_, begin) = begin_of(piece)?;
    begin.frames_to(&piece.point.as_deref()?.parse().ok()?)
}

/// Whether a piece that begins there leaves nothing out behind what was kept before it.
pub fn follows(before: &Manifest, begin: &WalPlace) -> bool {
    before.point.as_deref().and_then(|point| point.parse().ok()).as_ref() == Some(begin)
}

/// What a piece says of its moments.
pub fn moments_of(repository: &Repository, piece: &Manifest, target: &Target) -> Result<Vec<Moment>, Box<Failure>> {
    let mut bytes = Vec::new();
    repository.read(piece, MOMENTS, target.key.as_ref(), &mut bytes).map_err(|failure| trouble::told(&failure))?;
    serde_json::from_slice(&bytes).map_err(|error| Box::new(trouble::different(&piece.id, &[error.to_string()])))
}
