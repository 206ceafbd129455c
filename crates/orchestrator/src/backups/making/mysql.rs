//! A MariaDB database is dumped by its own programs, from a snapshot that stands while nobody writes; its binary log is kept in pieces from
//! the place at which that was.

use super::{Copied, DUMP, LOG, Piece, Uncopied, Wanted, is_of, not_copied};
use crate::backups::target::Target;
use crate::backups::{Saying, trouble};
use crate::failure::Failure;
use backup::{Manifest, Writing};
use provision::{Dumper, number_of};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use store::{Database, LogPlace, MySqlServer, StillDatabase, StoreError};

/// The object that makes whoever may do something in the database.
pub const USERS: &str = "users.sql";

/// The programs for that server, and that they are there.
pub fn dumper(server: &MySqlServer, database: &Database) -> Result<Dumper, Box<Failure>> {
    let (words, password) = server.for_programs().map_err(|error| Box::new(trouble::not_copied(&error, database)))?;
    Dumper::find(words, password).map_err(|failure| trouble::program(&failure))
}

pub fn copy(
    target: &Target,
    server: &MySqlServer,
    writing: &mut Writing<'_>,
    say: Saying<'_>,
) -> Result<Copied<'static>, Box<Failure>> {
    let hindrances = server.hindrances(target.plan.point_in_time).map_err(|error| not_copied(target, &error))?;
    if !hindrances.is_empty() {
        return Err(Box::new(trouble::hindered(&hindrances, &target.database)));
    }
    let dumper = dumper(server, &target.database)?;
    say("waiting for a moment at which nobody writes, and dumping the database");
    let still = server.still(target.plan.point_in_time, |stands| {
        dumper.dump(&server.name, |statements| {
            let mut seen = Seen { statements, stands };
            writing.add(DUMP, &mut seen).map_err(Uncopied::Backup)
        })
    });
    let StillDatabase { moment, place, users, contents } = still.map_err(|uncopied| uncopied.told(target))?;
    writing.add(USERS, &mut users.as_bytes()).map_err(|failure| trouble::told(&failure))?;
    let known = place.map(|place| Ok((server.with_transactions(place)?, server.origin()?))).transpose();
    let (place, origin) = known.map_err(|error: StoreError| not_copied(target, &error))?.unzip();
    Ok(Copied { contents, moment, point: place.as_ref().map(point), origin, log: None })
}

/// The snapshot of whoever gives something stands: nobody need be kept from writing any more.
struct Seen<'a> {
    statements: &'a mut dyn Read,
    stands: &'a dyn Fn(),
}

impl Read for Seen<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.statements.read(buffer);
        (self.stands)();
        read
    }
}

/// Keeps another piece of the binary log; nothing where no backup has begun it, or where the server has it no more.
pub fn keep_log(
    target: &Target,
    server: &MySqlServer,
    scratch: &Path,
    (id, wanted): (&str, Wanted),
) -> Result<Option<Manifest>, Box<Failure>> {
    let told = |failure| trouble::told(&failure);
    let not_copied = |error| not_copied(target, &error);
    let of_log = target.log.newest().map_err(told)?;
    let of_backup = target.repository.newest().map_err(told)?;
    // Where the server has thrown away what follows the last piece, or counts from the beginning again, a later backup begins the log anew.
    let mut begun = None;
    let end_of = |manifest: &Option<Manifest>| manifest.as_ref().and_then(|manifest| place(manifest.point.as_deref()?));
    let is_counted_anew = match (end_of(&of_log), end_of(&of_backup)) {
        (Some(of_log), Some(of_backup)) => order(&of_backup) < order(&of_log),
        (None, _) | (_, None) => false,
    };
    let is_later = of_log.as_ref().map(|log| &log.id) < of_backup.as_ref().map(|backup| &backup.id);
    let of_log = of_log.filter(|_| !(is_later && is_counted_anew));
    let origin = Some(server.origin().map_err(not_copied)?);
    for before in [of_log, of_backup].into_iter().flatten() {
        let Some(place) = before.point.as_deref().and_then(place) else { continue };
        // Another server has another log, whatever its files are called.
        if !is_of(&before, origin.as_deref()) {
            continue;
        }
        if server.has_log_from(&place).map_err(not_copied)? {
            begun = Some((before, place));
            break;
        }
    }
    let Some((before, place)) = begun else { return Ok(None) };
    let (end, moment) = server.log_end().map_err(not_copied)?;
    if wanted.is_met_by(&before) && order(&end) == order(&place) {
        return Ok(Some(before));
    }
    let dumper = dumper(server, &target.database)?;
    let program = |failure| trouble::program(&failure);
    let files = dumper.log(&place.file, place.position, &scratch.join("log")).map_err(program)?;
    let last = files.last().map(|file| LogPlace { file: file.name.clone(), position: file.end, transactions: None });
    let Some(last) = last.filter(|last| order(last) >= order(&end)) else {
        let message = format!("the server's log goes until {}, and not all of it came", point(&end));
        return Err(Box::new(trouble::gap(message, "it is tried again")));
    };
    let mut writing = target.log.begin(id, target.key.as_ref()).map_err(told)?;
    for file in files {
        let mut copy = File::open(&file.path).map_err(|error| Box::new(trouble::file(&file.path, &error)))?;
        writing.add(&format!("{LOG}{}@{}", file.name, file.start), &mut copy).map_err(told)?;
    }
    let last = server.with_transactions(last).map_err(not_copied)?;
    let piece = Piece { id, moment, point: point(&last), origin, engine_version: before.engine_version };
    writing.finish(|objects| piece.manifest(target, objects)).map(Some).map_err(told)
}

/// As manifests have it: `binlog.000007/12345/0-1-99`, the last where it is known.
pub fn point(place: &LogPlace) -> String {
    let transactions = place.transactions.as_ref().map(|transactions| format!("/{transactions}")).unwrap_or_default();
    format!("{}/{}{transactions}", place.file, place.position)
}

pub fn place(point: &str) -> Option<LogPlace> {
    let mut parts = point.split('/');
    let (file, position) = (parts.next()?.to_owned(), parts.next()?.parse().ok()?);
    Some(LogPlace { file, position, transactions: parts.next().map(str::to_owned) })
}

/// Where a piece begins: the earliest of its files, at the place in their names.
pub fn begin(piece: &Manifest) -> Option<LogPlace> {
    files(piece).into_iter().map(|(_, place)| place).min_by_key(order)
}

/// The objects of a piece that are files of the log, the first first.
pub fn files(piece: &Manifest) -> Vec<(&str, LogPlace)> {
    let of = |name: &str| {
        let (file, position) = name.strip_prefix(LOG)?.rsplit_once('@')?;
        Some(LogPlace { file: file.to_owned(), position: position.parse().ok()?, transactions: None })
    };
    let objects = piece.objects.iter();
    let mut files: Vec<_> =
        objects.filter_map(|object| of(&object.name).map(|place| (object.name.as_str(), place))).collect();
    files.sort_by_key(|(_, place)| order(place));
    files
}

fn order(place: &LogPlace) -> (Option<u64>, u64) {
    (number_of(&place.file), place.position)
}

/// Whether a piece that begins there leaves nothing out behind what was kept before it.
pub fn follows(before: &Manifest, begin: &LogPlace) -> bool {
    before.point.as_deref().and_then(place).is_some_and(|end| order(begin) <= order(&end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_in_a_log_are_in_the_order_of_its_files() {
        let of = |text: &str| place(text).unwrap();
        for text in ["binlog.000007/12345", "binlog.000007/12345/0-1-99,1-2-7"] {
            assert_eq!(point(&of(text)), text);
        }
        assert!(order(&of("binlog.000010/4")) > order(&of("binlog.000009/99999")));
        assert!(order(&of("binlog.1000000/4")) > order(&of("binlog.999999/5")));
        assert_eq!(place("producer_1795807797000"), None);
    }
}
