//! Counts of rate limits that outlive the process: every request that passed is one line of a file, written before the request
//! goes on. What the kernel was given it keeps when the process is killed, so that nobody gets a fresh quota by a crash; a
//! power cut may lose the last seconds, because no request waits for the disk (`docs/decisions/`).
//!
//! Lines carry times of the machine's own clock, which no correction of the wall clock moves; the first line says of which start
//! of the machine.

use crate::rate_limit::Limiter;
use arc_swap::ArcSwapOption;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The file is written anew when it has grown to this many bytes, or to twice what was left of it the last time.
const LEAST_TO_REWRITE: u64 = 4 * 1024 * 1024;
/// Keeps times of the machine's start before this one positive: fifty years.
const EPOCH: Duration = Duration::from_secs(50 * 365 * 24 * 3600);
/// How far two readings of the machine's clock may be apart (`/proc/uptime` counts hundredths).
const CLOCK_ERROR: Duration = Duration::from_millis(10);
/// Counts of policies that nobody serves are kept that long, should somebody serve them again.
const UNSERVED: Duration = Duration::from_secs(24 * 3600);

/// A clock that runs on while no process looks at it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    origin: Instant,
    at_origin: Duration,
}

/// Callers with the times at which their requests passed.
pub(crate) type Past = Vec<(String, Duration)>;

/// The file, and the limiters that write to it.
pub struct Counts {
    folder: PathBuf,
    clock: Clock,
    header: String,
    /// Absent while another server keeps the file.
    file: ArcSwapOption<File>,
    lock: Mutex<Option<File>>,
    written: AtomicU64,
    rewrite_at: AtomicU64,
    has_failed: AtomicBool,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    limiters: Vec<(String, Weak<Limiter>)>,
    /// By policy, of those that no limiter has taken yet.
    unclaimed: BTreeMap<String, Past>,
}

impl Clock {
    /// One that begins now.
    pub fn new() -> Self {
        Self { origin: Instant::now(), at_origin: EPOCH }
    }

    pub fn now(&self) -> Duration {
        self.at_origin + self.origin.elapsed()
    }
}

impl Counts {
    /// Takes up the counts in that folder, which is made where it is missing. Where another server keeps them, its counts up to
    /// now are taken over, and the file with them once that server is gone.
    ///
    /// # Errors
    /// When the folder cannot be made or a file in it cannot be read or written.
    pub fn open(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let (machine, boot) = machine_clock();
        let clock = Clock { origin: Instant::now(), at_origin: machine };
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let counts = Self {
            folder: folder.to_owned(),
            clock,
            header: format!("{boot} {}\n", (EPOCH + wall).saturating_sub(machine).as_nanos()),
            file: ArcSwapOption::empty(),
            lock: Mutex::new(None),
            written: AtomicU64::new(0),
            rewrite_at: AtomicU64::new(0),
            has_failed: AtomicBool::new(false),
            kept: Mutex::default(),
        };
        if !counts.take_over()? {
            tracing::warn!("another server keeps the counts of rate limits; this one's do not outlive it meanwhile");
            counts.adopt()?;
        }
        Ok(counts)
    }

    /// Gives a limiter what is known of its policy, and remembers it for when the file is written anew.
    pub(crate) fn keep(&self, limiter: &Arc<Limiter>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        limiter.recall(kept.unclaimed.remove(limiter.scope()).unwrap_or_default());
        kept.limiters.push((limiter.scope().to_owned(), Arc::downgrade(limiter)));
    }

    pub(crate) fn clock(&self) -> Clock {
        self.clock
    }

    /// Notes that a request passed. Called while the caller's count is locked, so that none is missed when the file is rewritten.
    pub(crate) fn note(&self, scope: &str, caller: &str, time: Duration) {
        let file = self.file.load();
        let Some(file) = file.as_deref() else { return };
        let line = line(scope, caller, time);
        self.written.fetch_add(line.len() as u64, Ordering::Relaxed);
        // One call: lines of other threads do not get in between.
        let mut writer: &File = file;
        if let Err(error) = writer.write_all(line.as_bytes())
            && !self.has_failed.swap(true, Ordering::Relaxed)
        {
            tracing::error!(error = %error, "counts of rate limits are not kept: they end with this process");
        }
    }

    /// Writes the file anew where it has grown too long, and takes it over where its server is gone; to be called now and then.
    pub(crate) fn upkeep(&self) {
        let done = match self.file.load().is_some() {
            true if self.written.load(Ordering::Relaxed) < self.rewrite_at.load(Ordering::Relaxed) => Ok(true),
            true => self.rewrite().map(|()| true),
            false => self.take_over(),
        };
        if let Err(error) = done {
            tracing::error!(error = %error, "the counts of rate limits cannot be written anew");
        }
    }

    /// Takes the file over unless another server keeps it.
    fn take_over(&self) -> io::Result<bool> {
        let mut lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        let file = private().append(true).open(self.folder.join("lock"))?;
        if file.try_lock().is_err() {
            return Ok(false);
        }
        *lock = Some(file);
        drop(lock);
        self.adopt()?;
        self.rewrite()?;
        Ok(true)
    }

    /// Adds what the files say to what is known.
    fn adopt(&self) -> io::Result<()> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        // A server that was killed while it rewrote leaves two files, and some lines in both.
        for name in ["counts.new", "counts"] {
            let text = match fs::read(self.folder.join(name)) {
                Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            for (scope, past) in self.read(&text) {
                let served = kept.limiters.iter().filter(|(known, _)| *known == scope);
                match served.filter_map(|(_, limiter)| limiter.upgrade()).next_back() {
                    Some(limiter) => limiter.recall(past),
                    None => kept.unclaimed.entry(scope).or_default().extend(past),
                }
            }
        }
        Ok(())
    }

    /// What a file says, in times of this start of the machine; a line always becomes the same time. A line that is not whole is of
    /// a request that never went on.
    fn read(&self, text: &str) -> BTreeMap<String, Past> {
        let mut found: BTreeMap<String, Past> = BTreeMap::new();
        let Some((header, lines)) = text.split_once('\n') else { return found };
        let now = self.clock.now();
        let same_start = header.split(' ').next() == self.header.split(' ').next();
        let shift = |header: &str| header.trim_end().split(' ').nth(1)?.parse::<i128>().ok();
        let shift = match (same_start, shift(header), shift(&self.header)) {
            (false, Some(then), Some(here)) => then - here,
            (true, ..) | (_, None, _) | (.., None) => 0,
        };
        for line in lines.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')) {
            let mut words = line.split(' ');
            let (Some(time), Some(scope), Some(caller), None) =
                (words.next(), words.next(), words.next(), words.next())
            else {
                continue;
            };
            let Some(nanos) = time.parse::<i128>().ok().and_then(|nanos| u64::try_from(nanos + shift).ok()) else {
                continue;
            };
            let time = match Duration::from_nanos(nanos) + CLOCK_ERROR {
                time if time <= now + 2 * CLOCK_ERROR => time,
                // The wall clock was set back between two starts of the machine. Times stay apart: each is a request.
                _ => self.clock.at_origin + Duration::from_nanos(nanos % 1_000_000),
            };
            found.entry(scope.to_owned()).or_default().push((caller.to_owned(), time));
        }
        found
    }

    /// Writes what is known into a new file, which then takes the old one's place. Requests go on meanwhile: from the first moment
    /// they are noted in the new file, and a start reads both.
    fn rewrite(&self) -> io::Result<()> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let path = self.folder.join("counts.new");
        let mut file = private().append(true).truncate(false).open(&path)?;
        file.set_len(0)?;
        file.write_all(self.header.as_bytes())?;
        let file = Arc::new(file);
        self.file.store(Some(Arc::clone(&file)));
        let now = self.clock.now();
        kept.limiters.retain(|(_, limiter)| limiter.strong_count() > 0);
        kept.unclaimed.values_mut().for_each(|past| past.retain(|(_, time)| *time + UNSERVED > now));
        let mut length = 0;
        let mut write = |text: &str| -> io::Result<()> {
            length += text.len() as u64;
            (&*file).write_all(text.as_bytes())
        };
        for limiter in kept.limiters.iter().filter_map(|(_, limiter)| limiter.upgrade()) {
            for text in limiter.parts(|past| lines(limiter.scope(), past.into_iter())) {
                write(&text)?;
            }
        }
        for (scope, past) in &kept.unclaimed {
            write(&lines(scope, past.iter().map(|(caller, time)| (caller.as_str(), *time))))?;
        }
        fs::rename(&path, self.folder.join("counts"))?;
        self.written.store(length, Ordering::Relaxed);
        self.rewrite_at.store(LEAST_TO_REWRITE.max(2 * length), Ordering::Relaxed);
        Ok(())
    }
}

fn line(scope: &str, caller: &str, time: Duration) -> String {
    format!("{} {scope} {caller}\n", time.as_nanos())
}

fn lines<'a>(scope: &str, past: impl Iterator<Item = (&'a str, Duration)>) -> String {
    past.fold(String::new(), |mut text, (caller, time)| {
        let _ = write!(text, "{}", line(scope, caller, time));
        text
    })
}

/// How to open files that hold addresses of callers.
fn private() -> fs::OpenOptions {
    let mut options = File::options();
    options.create(true).read(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// How long the machine has been up, counted from [`EPOCH`], and which start of it this is. Where the system does not say, the wall
/// clock has to do.
fn machine_clock() -> (Duration, String) {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok();
    let uptime = fs::read_to_string("/proc/uptime").ok();
    let seconds = uptime.as_deref().and_then(|text| text.split(' ').next()?.parse::<f64>().ok());
    match (boot, seconds) {
        (Some(boot), Some(seconds)) => (EPOCH + Duration::from_secs_f64(seconds), boot.trim().to_owned()),
        (None, _) | (_, None) => {
            let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            (EPOCH + wall, "unknown".to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rate_limit::Verdict;
    use plan::RateLimitPolicy;
    use vocab::{PolicyName, TaskId};

    fn limiter(counts: &Arc<Counts>, quota: u32) -> Arc<Limiter> {
        let policy = RateLimitPolicy { name: PolicyName::parse("default").unwrap(), quota, window_seconds: 60 };
        Limiter::kept(&policy, &TaskId::parse("task").unwrap(), Some(counts))
    }

    fn passing(limiter: &Limiter, times: usize) -> usize {
        (0..times).filter(|_| limiter.take("key:1").verdict == Verdict::Pass).count()
    }

    /// Neither is told that it ends: what a kill leaves is there after every request.
    #[test]
    fn what_passed_counts_after_any_end() {
        let folder = tempfile::tempdir().unwrap();
        for (asked, passed) in [(3, 3), (4, 4), (5, 3), (1, 0)] {
            let counts = Arc::new(Counts::open(folder.path()).unwrap());
            assert_eq!(passing(&limiter(&counts, 10), asked), passed);
        }
    }

    #[test]
    fn a_file_that_is_rewritten_under_load_loses_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let counts = Arc::new(Counts::open(folder.path()).unwrap());
        let kept = limiter(&counts, 1_000_000);
        std::thread::scope(|scope| {
            (0..4).for_each(|_| drop(scope.spawn(|| passing(&kept, 500))));
            (0..20).for_each(|_| counts.rewrite().unwrap());
        });
        drop((kept, counts));
        let counts = Arc::new(Counts::open(folder.path()).unwrap());
        assert_eq!(passing(&limiter(&counts, 2001), 5), 1);
    }

    #[test]
    fn two_files_of_an_unfinished_rewrite_count_once() {
        let folder = tempfile::tempdir().unwrap();
        let counts = Arc::new(Counts::open(folder.path()).unwrap());
        passing(&limiter(&counts, 10), 4);
        drop(counts);
        fs::copy(folder.path().join("counts"), folder.path().join("counts.new")).unwrap();
        let counts = Arc::new(Counts::open(folder.path()).unwrap());
        assert_eq!(passing(&limiter(&counts, 10), 20), 6);
    }

    #[test]
    fn a_second_server_counts_what_the_first_let_pass_and_takes_over() {
        let folder = tempfile::tempdir().unwrap();
        let first = Arc::new(Counts::open(folder.path()).unwrap());
        let of_first = limiter(&first, 10);
        passing(&of_first, 4);
        let second = Arc::new(Counts::open(folder.path()).unwrap());
        let of_second = limiter(&second, 10);
        assert_eq!(passing(&of_second, 2), 2);
        passing(&of_first, 1);
        drop((of_first, first));
        second.upkeep();
        assert_eq!(passing(&of_second, 20), 3, "4 and 1 of the first, 2 of its own");
        drop((of_second, second));
        let third = Arc::new(Counts::open(folder.path()).unwrap());
        assert_eq!(passing(&limiter(&third, 10), 1), 0);
    }

    #[test]
    fn lines_that_are_damaged_or_of_another_start_harm_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let counts = Arc::new(Counts::open(folder.path()).unwrap());
        let now = counts.clock.now().as_nanos();
        let shift: u128 = counts.header.trim_end().split(' ').nth(1).unwrap().parse().unwrap();
        drop(counts);
        // Ten seconds ago, on a machine that was up for an hour less.
        let hour = 3_600_000_000_000;
        let time = now - hour - 10_000_000_000;
        let lines = format!("other {}\n{time} task:default key:1\n\0\0\nx y z\n{time} task:default", shift + hour);
        fs::write(folder.path().join("counts"), lines).unwrap();
        let counts = Arc::new(Counts::open(folder.path()).unwrap());
        let standing = limiter(&counts, 2).take("key:1");
        assert_eq!(standing.remaining, 0);
        assert!((49..=51).contains(&standing.reset_seconds), "{standing:?}");
    }
}
