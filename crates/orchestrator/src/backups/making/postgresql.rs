//! A PostgreSQL server is copied whole, by its own programs, and its log behind that copy: until a moment at which nobody was writing, and
//! from there on in pieces.

use super::{BASE, Copied, LOG, Piece, Uncopied, Wanted, is_of, newest_before, not_copied};
use crate::backups::target::Target;
use crate::backups::{Saying, trouble};
use crate::failure::Failure;
use backup::{Manifest, Writing};
use jiff::Timestamp;
use provision::Copier;
use std::fs::File;
use std::path::Path;
use store::{Server, StillPoint, StoreError};
use vocab::sha256_hex;

/// The server keeps its log while its data is copied, and until a moment behind that at which nobody was writing: a restore goes on
/// to that moment, so that what comes back can be compared with what was there.
pub fn copy<'s>(
    target: &Target,
    server: &'s Server,
    writing: &mut Writing<'_>,
    scratch: &Path,
    say: Saying<'_>,
) -> Result<Copied<'s>, Box<Failure>> {
    let not_copied = |error| not_copied(target, &error);
    let version = server.major_version().map_err(not_copied)?;
    let environment = server.for_programs().map_err(not_copied)?;
    let copier = Copier::find(version, environment).map_err(|failure| trouble::program(&failure))?;
    let origin = Some(server.origin().map_err(not_copied)?);
    let slot = slot(target);
    // What goes on from one backup to the next is kept until it was fetched; else one that was killed has left its own.
    let goes_on = target.plan.point_in_time && server.keeps_log(&slot).map_err(not_copied)?;
    if !goes_on {
        server.forget_log(&slot).map_err(not_copied)?;
        server.keep_log(&slot).map_err(not_copied)?;
    }
    let mut log = KeptLog { server, slot: slot.clone(), goes_on };
    say("copying the server's data");
    copier.base(|data| writing.add(BASE, data).map_err(Uncopied::Backup)).map_err(|uncopied| uncopied.told(target))?;
    say("waiting for a moment at which nobody writes, and counting what is there");
    let name = format!("producer_{}", Timestamp::now().as_millisecond());
    let StillPoint { lsn, moment, contents } = server.still_point(&name).map_err(not_copied)?;
    // A server that keeps less than was written meanwhile has given up on us, and would begin again where it is now.
    if !server.keeps_log(&slot).map_err(not_copied)? {
        let why = "it threw its log away while its data was copied: raise `max_slot_wal_keep_size`";
        return Err(not_copied(StoreError::Refused(why.to_owned())));
    }
    say("copying the server's log until then");
    // What is fetched and not kept in the end would leave a gap.
    log.goes_on = false;
    add_log(&copier, (&slot, &lsn), writing, scratch)?;
    Ok(Copied { contents, moment, point: Some(name), origin, log: Some(log) })
}

/// What the server's log is kept under.
fn slot(target: &Target) -> String {
    format!("producer_backup_{}", &sha256_hex(target.task_id.as_str().as_bytes())[..16])
}

/// Keeps the log from where it was fetched last until that place.
fn add_log(
    copier: &Copier,
    (slot, lsn): (&str, &str),
    writing: &mut Writing<'_>,
    scratch: &Path,
) -> Result<(), Box<Failure>> {
    let files = copier.log(slot, lsn, &scratch.join("log")).map_err(|failure| trouble::program(&failure))?;
    for path in files {
        let file_name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        // The last one is not full, and has zeros behind what there is.
        let name = format!("{LOG}{}", file_name.trim_end_matches(".partial"));
        let mut file = File::open(&path).map_err(|error| Box::new(trouble::file(&path, &error)))?;
        writing.add(&name, &mut file).map_err(|failure| trouble::told(&failure))?;
    }
    Ok(())
}

/// Keeps another piece of the server's log; nothing where no backup has begun it, or where it does not follow what was kept before.
pub fn keep_log(
    target: &Target,
    server: &Server,
    scratch: &Path,
    (id, wanted): (&str, Wanted),
) -> Result<Option<Manifest>, Box<Failure>> {
    let not_copied = |error| not_copied(target, &error);
    let slot = slot(target);
    if !server.keeps_log(&slot).map_err(not_copied)? {
        return Ok(None);
    }
    let version = server.major_version().map_err(not_copied)?;
    let environment = server.for_programs().map_err(not_copied)?;
    let copier = Copier::find(version, environment).map_err(|failure| trouble::program(&failure))?;
    let origin = Some(server.origin().map_err(not_copied)?);
    let before = newest_before(target)?.filter(|before| is_of(before, origin.as_deref()));
    let Some(before) = before else { return Ok(None) };
    if wanted.is_met_by(&before) && !server.has_log_behind(&slot).map_err(not_copied)? {
        return Ok(Some(before));
    }
    let name = format!("producer_{}", Timestamp::now().as_millisecond());
    let (lsn, moment) = server.log_point(&name).map_err(not_copied)?;
    let told = |failure| trouble::told(&failure);
    let mut writing = target.log.begin(id, target.key.as_ref()).map_err(told)?;
    // What was fetched and is not kept in the end leaves a gap: then a backup begins anew.
    let log = KeptLog { server, slot: slot.clone(), goes_on: false };
    add_log(&copier, (&slot, &lsn), &mut writing, scratch)?;
    let piece = Piece { id, moment, point: name, origin, engine_version: format!("postgresql_{version}") };
    let manifest = writing.finish(|objects| piece.manifest(target, objects)).map_err(told)?;
    if !follows(&before, &manifest) {
        return Ok(None);
    }
    log.goes_on();
    Ok(Some(manifest))
}

/// Whether a piece of a log begins where what was kept before it ends, by the names of files, and in the same line of time: a server that
/// took over from another one begins its own, and nobody knows what the other one had committed behind that. Soon after it took over a piece
/// may begin with the file in which it did, of the line before too: what was kept has that file in the new line, to which the old one leads.
pub fn follows(before: &Manifest, piece: &Manifest) -> bool {
    let files = |manifest: &Manifest| -> Vec<(u64, String)> {
        let names = manifest.objects.iter().filter_map(|object| object.name.strip_prefix(LOG));
        names.filter_map(|name| Some((number_of_file(name)?, name.get(..8)?.to_owned()))).collect()
    };
    let (before, piece) = (files(before), files(piece));
    let ends = (before.iter().max(), piece.iter().min(), piece.iter().max());
    let (Some((last, line)), Some((first, _)), Some((_, of))) = ends else { return false };
    *first <= last + 1
        && line == of
        && piece.iter().all(|(number, of)| of == line || before.contains(&(*number, line.clone())))
}

/// The number of a file of the log among its like: `000000010000000A000000FE` with the usual 16 MiB a file, 256 of which make the
/// middle part count one up, behind the line of time.
fn number_of_file(name: &str) -> Option<u64> {
    let high = u64::from_str_radix(name.get(8..16)?, 16).ok()?;
    let low = u64::from_str_radix(name.get(16..24)?, 16).ok()?;
    Some(high << 8 | low)
}

/// The log that a server keeps for us; dropped before it is said to go on, it is kept no more: for nobody it would fill the disk.
pub struct KeptLog<'s> {
    server: &'s Server,
    slot: String,
    goes_on: bool,
}

impl KeptLog<'_> {
    pub fn goes_on(mut self) {
        self.goes_on = true;
    }
}

impl Drop for KeptLog<'_> {
    fn drop(&mut self) {
        if self.goes_on {
            return;
        }
        if let Err(error) = self.server.forget_log(&self.slot) {
            tracing::error!(slot = self.slot, error = %error, "the server still keeps its log; the next backup has it forget");
        }
    }
}
