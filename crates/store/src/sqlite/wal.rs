//! What is committed to a SQLite file, as its write-ahead log has it: a place of the log comes in, the frames behind it go out as a log of
//! their own, which SQLite brings home into a copy of that place. A log that was begun anew while nobody kept it is never taken for one
//! that goes on. <https://www.sqlite.org/fileformat2.html#the_write_ahead_log>

use super::copy::{connect_to_copy, copy_read};
use crate::contents::Contents;
use crate::{Late, StoreError};
use jiff::Timestamp;
use rusqlite::Connection;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Bytes of a log's header.
const HEADER: usize = 32;
/// Bytes of a frame's.
const FRAME_HEADER: usize = 24;
/// How a log begins whose checksums are of words with the low byte first; with the high byte first it is one more.
const MAGIC: u32 = 0x377f_0682;

/// A place in the log of a file: behind so many frames. Two that are the same are behind the same commits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WalPlace {
    /// Which file.
    file: u64,
    /// Which log of it: SQLite chooses another number at random when it begins the log anew.
    salt: u64,
    /// At least 1.
    frame: u32,
    /// What the frames until there come to.
    checksum: u64,
}

/// The log of a file that others write to.
pub struct WriteAheadLog {
    path: PathBuf,
    log: PathBuf,
    control: Connection,
}

/// A reader of the file as it was at a place. For as long as there is one, what is committed behind that place stays in the log:
/// <https://www.sqlite.org/wal.html#ckpt>
pub struct HeldWal {
    reader: Connection,
    /// The place.
    pub place: WalPlace,
    /// When the file was there: everything that was committed until then, and nothing else.
    pub moment: Timestamp,
}

/// Whether somebody has held the log since the place that is gone on from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WalKept {
    /// A [`HeldWal`] of that place is there: where the log was begun anew, it was directly behind it.
    Held,
    /// Nobody has: then it must not have been begun anew.
    Loose,
}

/// The frames from one place to another.
pub struct WalCut {
    /// The other place.
    pub held: HeldWal,
    /// Whether they are all there: else the log has a gap, and what was written is worth nothing.
    pub is_whole: bool,
}

/// What was seen of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WalSeen {
    /// Which log.
    pub salt: u64,
    /// Frames that are committed.
    pub frames: u32,
}

impl WalPlace {
    /// How many frames a log that leads from here to `end` has when so many of that log are committed.
    #[must_use]
    pub fn frames_until(&self, seen: WalSeen, end: &Self) -> Option<u32> {
        match self.goes_on_to(end) {
            true => (seen.salt == self.salt).then(|| seen.frames.checked_sub(self.frame)).flatten(),
            false => (seen.salt == end.salt).then_some(seen.frames),
        }
    }

    /// Frames behind this place, when so many are committed.
    #[must_use]
    pub fn frames_behind(&self, seen: WalSeen) -> u32 {
        if seen.salt == self.salt { seen.frames.saturating_sub(self.frame) } else { seen.frames }
    }

    /// Frames of a log that leads from here to `end`.
    #[must_use]
    pub fn frames_to(&self, end: &Self) -> Option<u32> {
        self.frames_until(WalSeen { salt: end.salt, frames: end.frame }, end)
    }

    /// Whether the other is in the same log, and not before this one.
    fn goes_on_to(&self, end: &Self) -> bool {
        self.salt == end.salt && self.frame <= end.frame
    }
}

impl fmt::Display for WalPlace {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:x}.{:016x}.{}.{:016x}", self.file, self.salt, self.frame, self.checksum)
    }
}

impl FromStr for WalPlace {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.split('.');
        let mut part = || parts.next().ok_or(());
        let hex = |text: &str| u64::from_str_radix(text, 16).map_err(drop);
        let (file, salt) = (hex(part()?)?, hex(part()?)?);
        let (frame, checksum) = (part()?.parse().map_err(drop)?, hex(part()?)?);
        if parts.next().is_some() || frame == 0 { Err(()) } else { Ok(Self { file, salt, frame, checksum }) }
    }
}

impl HeldWal {
    /// Copies the file as it was at that place, and says what it held.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read, or the copy cannot be written.
    pub fn copy(&self, to: &Path) -> Result<Contents, StoreError> {
        copy_read(&self.reader, to)
    }
}

impl WriteAheadLog {
    /// The log of a file, which gets one where it has none.
    ///
    /// # Errors
    /// [`StoreError`] when there is no such file, or it keeps no log.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let path = fs::canonicalize(path).map_err(|error| unreadable(path, &error))?;
        let control = connect_to_copy(&path)?;
        let mode: String = control.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
        if mode != "wal" {
            return Err(StoreError::Refused(format!("the file keeps a journal of the kind `{mode}`, and no log")));
        }
        read(&control)?;
        let mut log = path.as_os_str().to_owned();
        log.push("-wal");
        Ok(Self { path, log: log.into(), control })
    }

    /// Holds the log from where it ends now. Writers wait for as long as that takes.
    ///
    /// # Errors
    /// [`StoreError`] when somebody writes for longer than one waits, or it cannot be read.
    pub fn hold(&self) -> Result<HeldWal, StoreError> {
        self.hold_still(&self.still()?)
    }

    /// The same where nobody needs what is in the log: all of it is brought home, and the log may begin anew.
    ///
    /// # Errors
    /// As [`Self::hold`].
    pub fn hold_anew(&self) -> Result<HeldWal, StoreError> {
        self.bring_home()?;
        let still = self.still()?;
        self.bring_home()?;
        self.hold_still(&still)
    }

    /// Leaves the log beside the file when this process ends, as one that is killed does: whoever keeps it next goes on in it. The last
    /// connection that is closed would remove it, and this one never is.
    pub fn leave(self) {
        std::mem::forget(self.control);
    }

    /// What is committed now; nothing where the log is just being begun anew.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    pub fn look(&self) -> Result<Option<WalSeen>, StoreError> {
        let before = self.header()?;
        let (frames, _) = self.ends()?;
        let after = self.header()?;
        let salt = |header: &Option<Header>| header.as_ref().map_or(0, |header| header.salt);
        Ok((salt(&before) == salt(&after)).then(|| WalSeen { salt: salt(&after), frames }))
    }

    /// Cuts off what is behind a place.
    ///
    /// # Errors
    /// [`StoreError`] when the log cannot be read or the frames cannot be written.
    pub fn cut(&self, from: &WalPlace, kept: WalKept, to: &mut Frames) -> Result<WalCut, StoreError> {
        let still = self.still()?;
        let held = self.hold_still(&still)?;
        // Where a reader keeps them, nobody need wait until they are copied.
        let still = (kept == WalKept::Loose).then_some(still);
        let is_whole = self.take(from, &held.place, kept, to)?;
        drop(still);
        Ok(WalCut { held, is_whole })
    }

    /// The same, and lets the log begin anew behind it: `before`, which has held it until now, goes. Writers wait for what was written
    /// since the first time it was looked at alone.
    ///
    /// # Errors
    /// As [`Self::cut`].
    pub fn cut_off(
        &self,
        from: &WalPlace,
        (kept, before): (WalKept, &mut Option<HeldWal>),
        to: &mut Frames,
    ) -> Result<WalCut, StoreError> {
        let first = self.cut(from, kept, to)?;
        if !first.is_whole {
            return Ok(first);
        }
        drop(before.take());
        self.bring_home()?;
        let still = self.still()?;
        let held = self.hold_still(&still)?;
        let is_whole = self.take(&first.held.place, &held.place, WalKept::Held, to)?;
        drop(first);
        self.bring_home()?;
        let (frames, home) = self.ends()?;
        // A reader who comes when all is at home reads the file alone, and keeps nobody from beginning the log anew; what is written
        // to that one is not brought home while he is there.
        let held = if frames == home { self.hold_still(&still)? } else { held };
        drop(still);
        Ok(WalCut { held, is_whole })
    }

    /// Brings home what nobody needs in the log any more, and keeps nobody from writing meanwhile.
    fn bring_home(&self) -> Result<(), StoreError> {
        Ok(self.control.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?)
    }

    /// Nobody writes for as long as the connection that is returned is there. The log has a frame then: an empty one has no number of its
    /// own yet, and would be taken for any other.
    fn still(&self) -> Result<Connection, StoreError> {
        let writer = connect_to_copy(&self.path)?;
        writer.execute_batch("BEGIN IMMEDIATE")?;
        if self.ends()?.0 == 0 {
            let version: i64 = writer.query_row("PRAGMA user_version", [], |row| row.get(0))?;
            // It stays what it was, and its page is written.
            writer.pragma_update(None, "user_version", version)?;
            writer.execute_batch("COMMIT; BEGIN IMMEDIATE")?;
        }
        Ok(writer)
    }

    fn hold_still(&self, _still: &Connection) -> Result<HeldWal, StoreError> {
        let reader = connect_to_copy(&self.path)?;
        reader.execute_batch("BEGIN")?;
        read(&reader)?;
        let moment = Timestamp::now();
        let (frame, _) = self.ends()?;
        let file = identity(&self.path)?;
        let gone = || StoreError::Unavailable("the log of the file is gone".to_owned());
        let header = self.header()?.filter(|_| frame > 0).ok_or_else(gone)?;
        let checksum = join(self.frame(&header, frame)?.checksum);
        Ok(HeldWal { reader, place: WalPlace { file, salt: header.salt, frame, checksum }, moment })
    }

    /// How many frames are committed, and how many of them are at home.
    fn ends(&self) -> Result<(u32, u32), StoreError> {
        let number = |row: &rusqlite::Row<'_>, index| row.get::<_, i64>(index).map(|number| u32::try_from(number).ok());
        let found = self
            .control
            .query_row("PRAGMA wal_checkpoint(NOOP)", [], |row| Ok(number(row, 1)?.zip(number(row, 2)?)))?;
        found.ok_or_else(|| StoreError::Late(Late::Lock, "nobody says where the log of the file ends".to_owned()))
    }

    fn header(&self) -> Result<Option<Header>, StoreError> {
        let failed = |error: io::Error| unreadable(&self.log, &error);
        let mut bytes = [0; HEADER];
        let read = File::open(&self.log).and_then(|mut file| file.read_exact(&mut bytes));
        match read {
            Ok(()) => Ok(Header::parse(&bytes)),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof) => Ok(None),
            Err(error) => Err(failed(error)),
        }
    }

    fn frame(&self, header: &Header, number: u32) -> Result<FrameHeader, StoreError> {
        let mut bytes = [0; FRAME_HEADER];
        let read = || {
            let mut file = File::open(&self.log)?;
            file.seek(SeekFrom::Start(header.offset(number)))?;
            file.read_exact(&mut bytes)
        };
        let mut read = read;
        read().map_err(|error| unreadable(&self.log, &error))?;
        Ok(FrameHeader::parse(&bytes))
    }

    /// Copies the frames from one place to another, where they are all there.
    fn take(&self, from: &WalPlace, end: &WalPlace, kept: WalKept, to: &mut Frames) -> Result<bool, StoreError> {
        if from.file != end.file {
            return Ok(false);
        }
        let goes_on = from.goes_on_to(end);
        if !goes_on && (kept == WalKept::Loose || from.salt == end.salt) {
            return Ok(false);
        }
        if goes_on && from.frame == end.frame {
            return Ok(from == end);
        }
        let Some(header) = self.header()?.filter(|header| header.salt == end.salt) else { return Ok(false) };
        let (first, mut checksum) = match goes_on {
            true => (from.frame + 1, self.frame(&header, from.frame)?.checksum),
            false => (1, header.checksum),
        };
        if goes_on && join(checksum) != from.checksum {
            return Ok(false);
        }
        let failed = |error: io::Error| unreadable(&self.log, &error);
        let mut log = BufReader::with_capacity(1 << 20, File::open(&self.log).map_err(failed)?);
        log.seek(SeekFrom::Start(header.offset(first))).map_err(failed)?;
        let mut bytes = vec![0; FRAME_HEADER + header.page_size as usize];
        let mut is_commit = false;
        for _ in first..=end.frame {
            log.read_exact(&mut bytes).map_err(failed)?;
            let (head, page) = bytes.split_at(FRAME_HEADER);
            let frame = FrameHeader::parse(head);
            checksum = summed(summed(checksum, &head[..8], header.is_high_first), page, header.is_high_first);
            if frame.salt != end.salt || frame.checksum != checksum {
                return Ok(false);
            }
            is_commit = frame.pages != 0;
            to.add(&header, &frame, page).map_err(|error| unreadable(&to.path, &error))?;
        }
        Ok(is_commit && join(checksum) == end.checksum)
    }
}

fn read(connection: &Connection) -> Result<(), StoreError> {
    Ok(connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?)
}

fn unreadable(path: &Path, error: &io::Error) -> StoreError {
    StoreError::Unavailable(format!("{}: {error}", path.display()))
}

/// Another file under the same name is another one.
fn identity(path: &Path) -> Result<u64, StoreError> {
    let found = fs::metadata(path).map_err(|error| unreadable(path, &error))?;
    #[cfg(unix)]
    return Ok(std::os::unix::fs::MetadataExt::ino(&found));
    #[cfg(not(unix))]
    return Ok(u64::from(!found.is_file()));
}

struct Header {
    is_high_first: bool,
    page_size: u32,
    salt: u64,
    checksum: (u32, u32),
}

impl Header {
    /// What stands at the beginning of a log; nothing where that is none.
    fn parse(bytes: &[u8; HEADER]) -> Option<Self> {
        let magic = word(bytes, 0);
        let (salt, checksum) = (join((word(bytes, 16), word(bytes, 20))), (word(bytes, 24), word(bytes, 28)));
        let header = Self { is_high_first: magic & 1 == 1, page_size: word(bytes, 8), salt, checksum };
        let is_one = magic & !1 == MAGIC && header.page_size.is_power_of_two();
        (is_one && summed((0, 0), &bytes[..24], header.is_high_first) == checksum).then_some(header)
    }

    fn frame_length(&self) -> u64 {
        FRAME_HEADER as u64 + u64::from(self.page_size)
    }

    /// Where a frame begins; the first is 1.
    fn offset(&self, number: u32) -> u64 {
        HEADER as u64 + u64::from(number - 1) * self.frame_length()
    }
}

struct FrameHeader {
    page: u32,
    /// Pages of the file, where the frame ends a transaction; else none.
    pages: u32,
    salt: u64,
    checksum: (u32, u32),
}

impl FrameHeader {
    fn parse(bytes: &[u8]) -> Self {
        Self {
            page: word(bytes, 0),
            pages: word(bytes, 4),
            salt: join((word(bytes, 8), word(bytes, 12))),
            checksum: (word(bytes, 16), word(bytes, 20)),
        }
    }
}

fn word(bytes: &[u8], at: usize) -> u32 {
    bytes[at..].first_chunk().copied().map_or(0, u32::from_be_bytes)
}

fn join((high, low): (u32, u32)) -> u64 {
    u64::from(high) << 32 | u64::from(low)
}

/// SQLite's checksum goes on over more bytes, eight at a time.
fn summed((mut first, mut second): (u32, u32), bytes: &[u8], is_high_first: bool) -> (u32, u32) {
    let of = if is_high_first { u32::from_be_bytes } else { u32::from_le_bytes };
    for pair in bytes.as_chunks::<8>().0 {
        let [a, b, c, d, e, f, g, h] = *pair;
        first = first.wrapping_add(of([a, b, c, d])).wrapping_add(second);
        second = second.wrapping_add(of([e, f, g, h])).wrapping_add(first);
    }
    (first, second)
}

/// Frames that were cut off, as a log of their own in a new file. Without frames the file is empty.
pub struct Frames {
    /// The file.
    pub path: PathBuf,
    to: BufWriter<File>,
    checksum: Option<(u32, u32)>,
}

impl Frames {
    /// A new file.
    ///
    /// # Errors
    /// When there is one, or it cannot be made.
    pub fn new(path: PathBuf) -> io::Result<Self> {
        Ok(Self { to: BufWriter::with_capacity(1 << 20, File::create_new(&path)?), path, checksum: None })
    }

    /// The file, when all is in it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(mut self) -> io::Result<PathBuf> {
        self.to.flush()?;
        Ok(self.path)
    }

    fn add(&mut self, of: &Header, frame: &FrameHeader, page: &[u8]) -> io::Result<()> {
        let before = match self.checksum {
            Some(checksum) => checksum,
            None => {
                let mut header = [0; HEADER];
                header[..4].copy_from_slice(&(MAGIC | u32::from(of.is_high_first)).to_be_bytes());
                header[4..8].copy_from_slice(&3_007_000_u32.to_be_bytes());
                header[8..12].copy_from_slice(&of.page_size.to_be_bytes());
                header[16..24].copy_from_slice(&of.salt.to_be_bytes());
                let checksum = summed((0, 0), &header[..24], of.is_high_first);
                header[24..].copy_from_slice(&join(checksum).to_be_bytes());
                self.to.write_all(&header)?;
                checksum
            }
        };
        let mut head = [0; FRAME_HEADER];
        head[..4].copy_from_slice(&frame.page.to_be_bytes());
        head[4..8].copy_from_slice(&frame.pages.to_be_bytes());
        head[8..16].copy_from_slice(&of.salt.to_be_bytes());
        let checksum = summed(summed(before, &head[..8], of.is_high_first), page, of.is_high_first);
        head[16..].copy_from_slice(&join(checksum).to_be_bytes());
        self.checksum = Some(checksum);
        self.to.write_all(&head)?;
        self.to.write_all(page)
    }
}

/// A copy of a file that goes on in what was cut off its log. Nobody else has it open.
pub struct WalReplay<'f> {
    file: &'f Path,
}

impl<'f> WalReplay<'f> {
    /// Makes the copy a file with a log.
    ///
    /// # Errors
    /// [`StoreError`] when it is no database.
    pub fn begin(file: &'f Path) -> Result<Self, StoreError> {
        let connection = connect_to_copy(file)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.close().map_err(|(_, error)| error)?;
        Ok(Self { file })
    }

    /// Where the next frames are to be put, as a file that is not there yet.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        let mut log = self.file.as_os_str().to_owned();
        log.push("-wal");
        log.into()
    }

    /// Brings home the frames that were put there, or so many of them.
    ///
    /// # Errors
    /// [`StoreError`] when not all of them are of transactions that are whole.
    pub fn bring_home(&self, frames: Option<u32>) -> Result<(), StoreError> {
        let (log, failed) = (self.log(), |error: io::Error| unreadable(&self.log(), &error));
        let mut file = File::options().read(true).write(true).open(&log).map_err(failed)?;
        let length = file.metadata().map_err(failed)?.len();
        if length == 0 || frames == Some(0) {
            return fs::remove_file(&log).map_err(failed);
        }
        let mut bytes = [0; HEADER];
        file.read_exact(&mut bytes).map_err(failed)?;
        let other = || StoreError::Refused("what was kept of the log is no log of SQLite".to_owned());
        let header = Header::parse(&bytes).ok_or_else(other)?;
        let all = u32::try_from((length - HEADER as u64) / header.frame_length()).map_err(|_| other())?;
        let wanted = frames.unwrap_or(all);
        if wanted > all {
            return Err(other());
        }
        file.set_len(header.offset(wanted + 1)).map_err(failed)?;
        drop(file);
        let connection = connect_to_copy(self.file)?;
        // It is brought to the disk when all is done.
        connection.pragma_update(None, "synchronous", "OFF")?;
        read(&connection)?;
        let brought: (i64, i64, i64) = connection
            .query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        connection.close().map_err(|(_, error)| error)?;
        match brought == (0, wanted.into(), wanted.into()) {
            true => Ok(()),
            false => Err(StoreError::Refused(format!("{wanted} frames of the log were kept, and {} count", brought.2))),
        }
    }

    /// Makes it a file with nothing beside it again.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be written.
    pub fn end(self) -> Result<(), StoreError> {
        let connection = connect_to_copy(self.file)?;
        connection.pragma_update(None, "journal_mode", "DELETE")?;
        connection.close().map_err(|(_, error)| error)?;
        File::open(self.file).and_then(|file| file.sync_all()).map_err(|error| unreadable(self.file, &error))
    }
}
