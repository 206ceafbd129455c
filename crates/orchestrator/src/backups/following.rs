//! The log of a SQLite file while a workspace is served: a reader is held at the place until which it is kept, so that nothing that is
//! committed behind it goes; times come in by looking, pieces go out every minute and wherever the log grows long, and the log begins anew
//! when all of it is kept. Where it was begun anew in between, that is noticed, and a backup is asked for.

use super::history::{self, Event, EventKind};
use super::making::sqlite::{self, Cut, Moment};
use super::making::{alone_if_free, lock_path};
use super::target::Target;
use super::{BackupsFailure, trouble};
use crate::failure::Failure;
use crate::run::timestamp;
use crate::workspace::Workspace;
use jiff::Timestamp;
use plan::database::LOG_INTERVAL;
use std::fs::{self, File, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use store::{HeldWal, StoreError, WalCut, WalKept, WalPlace, WalSeen, WriteAheadLog};
use tempfile::TempDir;
use vocab::TaskId;

/// How far moments are apart that can be restored.
const LOOK: Duration = Duration::from_millis(200);
/// How long a look at the log may take at most for its time to be known.
const EXACT_MS: i64 = 10;
/// Frames that are not waited for longer with until the next piece is due: 16 MiB with pages of the usual size.
const LONG: u32 = 4_000;
/// Frames behind which a log begins anew when it is kept, as SQLite has it where nobody keeps it.
const LONG_ENOUGH: u32 = 1_000;
/// Frames that a log has at most when it cannot be kept: 256 MiB. Then it is given up, before it fills the disk.
const TOO_LONG: u32 = 64_000;
/// How far pieces are apart at most.
const IDLE: Duration = Duration::from_secs(LOG_INTERVAL as u64);
/// How long is waited after a failure, and where a backup is lacking.
const RETRY: Duration = Duration::from_secs(300);
const SOON: Duration = Duration::from_secs(2);
/// The most moments of a piece.
const MOST_MOMENTS: usize = 100_000;

/// A thread that keeps the log of a task's database until it is dropped.
pub struct Follower {
    ends: Arc<AtomicBool>,
    /// Whether the process ends with it.
    leaves: Arc<AtomicBool>,
    followed: Arc<Mutex<Followed>>,
    thread: Option<JoinHandle<()>>,
}

/// What has come of it.
#[derive(Debug, Clone, Default)]
pub struct Followed {
    /// When the log was kept last, in seconds since 1970.
    pub kept_at: Option<i64>,
    pub failures: u64,
    /// Whether the log can only go on from another backup.
    pub lacks_backup: bool,
}

impl Follower {
    pub fn start(workspace: &Workspace, task_id: &TaskId, file: &Path) -> Self {
        let [ends, leaves] = [(); 2].map(|()| Arc::new(AtomicBool::new(false)));
        let followed = Arc::new(Mutex::new(Followed::default()));
        let (of, task_id, file) = (workspace.clone(), task_id.clone(), file.to_owned());
        let (end, leave, told) = (Arc::clone(&ends), Arc::clone(&leaves), Arc::clone(&followed));
        let work = move || {
            let mut following = Following { workspace: of, task_id, file, leaves: leave, followed: told };
            while !end.load(Ordering::Relaxed) {
                if let Err(failure) = following.follow(&end) {
                    following.failed(&failure);
                    pause(RETRY, &end);
                }
            }
        };
        let thread = thread::Builder::new().name("sqlite-log-kept".to_owned()).spawn(work).ok();
        Self { ends, leaves, followed, thread }
    }

    pub fn followed(&self) -> Followed {
        self.followed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Somebody has made the backup that was lacking.
    pub fn has_backup(&self) {
        self.followed.lock().unwrap_or_else(PoisonError::into_inner).lacks_backup = false;
    }

    /// The process ends when this is dropped: the log stays beside the file, for whoever keeps it next.
    pub fn leaves_log(&self) {
        self.leaves.store(true, Ordering::Relaxed);
    }

    /// Whether its thread has gone.
    pub fn is_over(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }
}

impl Drop for Follower {
    /// Waits until what is committed is kept.
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("what keeps the log of a database panicked");
        }
    }
}

fn pause(time: Duration, ends: &AtomicBool) {
    let begun = Instant::now();
    while begun.elapsed() < time && !ends.load(Ordering::Relaxed) {
        thread::sleep(LOOK.min(time));
    }
}

struct Following {
    workspace: Workspace,
    task_id: TaskId,
    file: PathBuf,
    leaves: Arc<AtomicBool>,
    followed: Arc<Mutex<Followed>>,
}

/// Frames that are no longer in the log, and in no piece yet.
struct Pending {
    cut: Cut,
    _folder: TempDir,
}

impl Following {
    /// Until the end, or a failure of the database.
    fn follow(&mut self, ends: &AtomicBool) -> Result<(), Box<Failure>> {
        let Some(mut lock) = self.only_one()? else {
            // Somebody else does it.
            pause(RETRY, ends);
            return Ok(());
        };
        let read = |error| Box::new(Failure::database(&error, &store::Database::Sqlite(self.file.clone())));
        let log = WriteAheadLog::open(&self.file).map_err(read)?;
        let mut held = Some(log.hold().map_err(read)?);
        self.publish(&mut lock, held.as_ref())?;
        let mut pending = None;
        let mut looks = Looks::new(&self.workspace, &self.task_id);
        let (mut due, mut has_failed) = (Instant::now(), false);
        let mut idle = Duration::ZERO;
        loop {
            let (is_last, before) = (ends.load(Ordering::Relaxed), Timestamp::now());
            let seen = log.look().map_err(read)?;
            if let Some(seen) = seen {
                looks.note(before, Timestamp::now(), seen);
            }
            let unkept = seen.zip(held.as_ref()).map_or(0, |(seen, held)| held.place.frames_behind(seen));
            let cannot = has_failed || self.now().lacks_backup;
            // Where nothing is new, moments that nothing happened in are kept now and then.
            let is_due = Instant::now() >= if unkept > 0 { due } else { due + idle };
            if is_last || is_due || unkept >= LONG && !cannot {
                let kept = self.keep(&log, (&mut held, &mut lock), &mut pending, seen);
                has_failed = kept.is_err();
                let wait;
                (wait, idle) = match kept {
                    Ok(Some(interval)) => (interval, IDLE.saturating_sub(interval)),
                    Ok(None) => (SOON, Duration::ZERO),
                    Err(failure) => {
                        self.failed(&failure);
                        (RETRY, Duration::ZERO)
                    }
                };
                due = Instant::now() + wait;
            }
            if unkept >= TOO_LONG && cannot {
                self.publish(&mut lock, None)?;
                drop(held.take());
                pending = None;
                held = Some(log.hold_anew().map_err(read)?);
                tracing::error!(task = %self.task_id, "the log of the database was given up: it cannot be kept, and grew too long");
            }
            if held.is_none() {
                held = Some(log.hold().map_err(read)?);
            }
            self.publish(&mut lock, held.as_ref())?;
            if is_last {
                if self.leaves.load(Ordering::Relaxed) {
                    log.leave();
                }
                return Ok(());
            }
            thread::sleep(LOOK);
        }
    }

    /// Makes a piece of what is behind the last one; says how long one waits for the next. Nothing where somebody is at it, or a backup is
    /// lacking.
    fn keep(
        &self,
        log: &WriteAheadLog,
        (held, lock): (&mut Option<HeldWal>, &mut Published),
        pending: &mut Option<Pending>,
        seen: Option<WalSeen>,
    ) -> Result<Option<Duration>, Box<Failure>> {
        let Some(_alone) = alone_if_free(&self.workspace, "backup", &self.task_id)? else { return Ok(None) };
        let target = Target::of_task(&self.workspace, self.task_id.as_str()).map_err(|failure| match failure {
            BackupsFailure::Failed(failure) => failure,
            BackupsFailure::Unknown(unknown) => Box::new(trouble::gap(unknown.to_string(), AGAIN)),
        })?;
        let lacks = || {
            self.change(|followed| followed.lacks_backup = true);
            Ok(None)
        };
        let Some((mut before, mut from)) = sqlite::before(&target)? else { return lacks() };
        if let Some(Pending { cut, .. }) = pending.as_ref().filter(|pending| pending.cut.from == from) {
            before = sqlite::keep(&self.workspace, &target, &before, cut)?;
            from = cut.end.clone();
        }
        *pending = None;
        let not_copied = |error| Box::new(trouble::not_copied(&error, &target.database));
        let kept = match held.as_ref() {
            Some(held) if held.place == from => WalKept::Held,
            Some(_) | None => WalKept::Loose,
        };
        let folder = self.workspace.scratch().map_err(|failure| Box::new(Failure::workspace(&failure)))?;
        let mut frames = sqlite::frames(folder.path())?;
        let is_long = seen.is_some_and(|seen| seen.frames >= LONG_ENOUGH);
        let cut = match is_long {
            true => {
                self.publish(lock, None)?;
                log.cut_off(&from, (kept, held), &mut frames)
            }
            false => log.cut(&from, kept, &mut frames),
        };
        let WalCut { held: now, is_whole } = match cut {
            Ok(cut) => cut,
            // Somebody has written for longer than one waits: that ends.
            Err(StoreError::Late(..)) if held.is_some() => return Ok(None),
            Err(error) => return Err(not_copied(error)),
        };
        if !is_whole {
            self.publish(lock, Some(&now))?;
            *held = Some(now);
            return lacks();
        }
        let cut = Cut::of(from, &now, frames)?;
        let result = sqlite::keep(&self.workspace, &target, &before, &cut);
        if result.is_ok() || held.is_none() {
            self.publish(lock, Some(&now))?;
            // The log may have them no more: then they are kept here until there is a piece of them.
            *pending = (result.is_err()).then_some(Pending { cut, _folder: folder });
            *held = Some(now);
        }
        result?;
        self.change(|followed| {
            followed.kept_at = Some(Timestamp::now().as_second());
            followed.lacks_backup = false;
        });
        Ok(Some(Duration::from_secs(target.plan.log_interval().into())))
    }

    fn now(&self) -> Followed {
        self.followed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn change(&self, how: impl FnOnce(&mut Followed)) {
        how(&mut self.followed.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn failed(&self, failure: &Failure) {
        self.change(|followed| followed.failures += 1);
        tracing::error!(task = %self.task_id, code = failure.code, "{}", failure.with_hint());
        if let Err(failure) =
            history::note(&self.workspace, &self.task_id, &Event::of(EventKind::Log, None, Err(failure)))
        {
            tracing::error!(task = %self.task_id, "{}", failure.with_hint());
        }
    }

    /// Two that hold the log of one file would keep it from beginning anew.
    fn only_one(&self) -> Result<Option<Published>, Box<Failure>> {
        let Some(lock) = alone_if_free(&self.workspace, HOLDING, &self.task_id)? else { return Ok(None) };
        // One that was killed has left what it said.
        let path = lock_path(&self.workspace, HOLDING, &self.task_id);
        lock.set_len(0).map_err(|error| Box::new(trouble::file(&path, &error)))?;
        Ok(Some(Published { lock, place: None }))
    }

    /// Says to others, for as long as the lock is there, from where on the log is held: as soon as it is, and no longer than it is.
    fn publish(&self, published: &mut Published, held: Option<&HeldWal>) -> Result<(), Box<Failure>> {
        let place = held.map(|held| held.place.clone());
        if published.place == place {
            return Ok(());
        }
        let text = place.as_ref().map(ToString::to_string).unwrap_or_default();
        let mut write = || {
            published.lock.set_len(0)?;
            published.lock.rewind()?;
            published.lock.write_all(text.as_bytes())
        };
        let path = lock_path(&self.workspace, HOLDING, &self.task_id);
        write().map_err(|error: io::Error| Box::new(trouble::file(&path, &error)))?;
        published.place = place;
        Ok(())
    }
}

/// From where on the log is held, for others to read.
struct Published {
    lock: File,
    place: Option<WalPlace>,
}

const HOLDING: &str = "log";
const AGAIN: &str = "a backup begins it anew";

/// Whether somebody holds the log of a task's database since that place.
pub fn kept(workspace: &Workspace, task_id: &TaskId, from: &WalPlace) -> WalKept {
    let path = lock_path(workspace, HOLDING, task_id);
    let published = || {
        let mut file = File::open(&path).ok()?;
        let mut text = String::new();
        file.read_to_string(&mut text).ok()?;
        // It is looked at behind the text: whoever wrote that is still there.
        matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)).then(|| text.parse().ok()).flatten()
    };
    if published().as_ref() == Some(from) { WalKept::Held } else { WalKept::Loose }
}

/// Looks at the log that somebody took, in a file of the workspace until a piece takes them along.
struct Looks {
    path: PathBuf,
    last: Option<(WalSeen, i64)>,
}

impl Looks {
    fn new(workspace: &Workspace, task_id: &TaskId) -> Self {
        Self { path: workspace.backup_moments_file(task_id), last: None }
    }

    /// `before` and `after` are times before and after it was looked.
    fn note(&mut self, before: Timestamp, after: Timestamp, seen: WalSeen) {
        let before = before.as_millisecond();
        if let Some((_, until)) = self.last.as_mut().filter(|(last, _)| *last == seen) {
            *until = before;
            return;
        }
        // More may have been committed by the end of a look that took long: the next one will know.
        if after.as_millisecond() - before > EXACT_MS {
            return;
        }
        // Nobody knows how it was before somebody looked first.
        let unchanged_until = self.last.map_or(0, |(_, until)| until);
        self.last = Some((seen, before));
        // It is there by the end of this millisecond.
        let now = after.as_millisecond() + 1;
        let line = format!("{:x} {} {unchanged_until} {now}\n", seen.salt, seen.frames);
        let written = File::options().create(true).append(true).open(&self.path);
        // Where that is not to be had, moments are further apart.
        let _ = written.and_then(|mut file| file.write_all(line.as_bytes()));
    }
}

fn looks(path: &Path) -> Vec<(WalSeen, i64, i64, String)> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let of = |line: &str| {
        let mut words = line.split(' ');
        let salt = u64::from_str_radix(words.next()?, 16).ok()?;
        let frames = words.next()?.parse().ok()?;
        let (until, seen) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        Some((WalSeen { salt, frames }, until, seen, line.to_owned()))
    };
    text.lines().filter_map(of).collect()
}

/// The moments between two places that somebody has seen, the first first.
pub fn moments(
    workspace: &Workspace,
    task_id: &TaskId,
    (from, end): (&WalPlace, &WalPlace),
    until: Timestamp,
) -> Vec<Moment> {
    let utc = |millisecond| Timestamp::from_millisecond(millisecond).map(timestamp).unwrap_or_default();
    let mut moments: Vec<Moment> = Vec::new();
    for (seen, unchanged_until, at, _) in looks(&workspace.backup_moments_file(task_id)) {
        let Some(frames) = from.frames_until(seen, end).filter(|frames| *frames > 0) else { continue };
        let is_later = moments.last().is_none_or(|last| last.frames < frames);
        if is_later && at <= until.as_millisecond() && moments.len() < MOST_MOMENTS {
            moments.push(Moment { frames, unchanged_until: utc(unchanged_until), seen: utc(at) });
        }
    }
    moments
}

/// Forgets those until then, which are in a piece.
pub fn forget_moments(workspace: &Workspace, task_id: &TaskId, until: Timestamp) {
    let path = workspace.backup_moments_file(task_id);
    let mut looks = looks(&path);
    looks.retain(|(_, _, seen, _)| *seen > until.as_millisecond());
    let text: String = looks.into_iter().map(|(.., line)| line + "\n").collect();
    // Those that stay are of another place, and do no harm.
    let _ = apply::write_atomically(&path, text.as_bytes());
}
