//! How far the log is followed behind a backup: the moment that is asked for comes in, the pieces that lead there go out, each of which
//! follows the one before it.

use super::{RestoreAsked, moment};
use crate::backups::making::{follows, sqlite};
use crate::backups::target::Target;
use crate::backups::trouble;
use crate::failure::Failure;
use crate::run::timestamp;
use backup::{Kept, Manifest, Repository};
use jiff::{RoundMode, Timestamp, Unit};
use store::Database;

/// A moment between a backup and where its log ends; another one each time.
pub fn any_moment_behind(target: &Target, manifest: &Manifest) -> Result<Option<Timestamp>, Box<Failure>> {
    let newest = target.log.newest().map_err(|failure| trouble::told(&failure))?;
    let moments = newest.filter(|piece| piece.id > manifest.id).and_then(|last| moment(manifest).zip(moment(&last)));
    let Some((first, last)) = moments else { return Ok(None) };
    // Its log may know whole seconds, and the first of them is that of the backup.
    let (first, last) = (first.as_second() + 1, last.as_second());
    let by_chance = i64::from(Timestamp::now().subsec_nanosecond() / 1_000);
    let between = (last >= first).then(|| first + by_chance % (last - first + 1));
    Ok(between.and_then(|second| Timestamp::from_second(second).ok()))
}

/// How far the log is followed.
pub struct Until {
    /// To that time, UTC; without one to the last moment that is there.
    pub time: Option<String>,
    /// What was kept of it behind the backup, the oldest first, and where.
    pub pieces: Vec<(Repository, Manifest)>,
    /// Frames of the last piece that are meant, where not all are: of a file.
    pub frames: Option<u32>,
}

impl Until {
    /// To the moment of the backup itself.
    pub fn of_backup() -> Self {
        Self { time: None, pieces: Vec::new(), frames: None }
    }

    /// The moment whose state that is, UTC.
    pub fn moment(&self, manifest: &Manifest) -> String {
        match (&self.time, self.pieces.last()) {
            (Some(time), _) => time.clone(),
            (None, Some((_, piece))) => piece.moment.clone(),
            (None, None) => manifest.moment.clone(),
        }
    }
}

/// To the moment that is asked for; without one to the last there is; where the log was not kept, to that of the backup.
pub fn until(asked: &RestoreAsked, target: &Target, manifest: &Manifest) -> Result<Until, Box<Failure>> {
    let of_backup = || Ok(Until::of_backup());
    let start = moment(manifest);
    if asked.backup.is_some() || asked.to.is_some_and(|to| start.is_some_and(|start| to <= start)) {
        return of_backup();
    }
    let told = |failure| trouble::told(&failure);
    let of_log = target.log.names().map_err(told)?.into_iter().map(|id| (&target.log, id));
    // A later backup holds the log that was fetched for it, and nothing is known to be committed behind that.
    let of_backups = target.repository.names().map_err(told)?.into_iter().map(|id| (&target.repository, id));
    let of_backups = of_backups.filter(|_| matches!(target.database, Database::PostgreSql(_)));
    let mut all: Vec<(&Repository, String)> = of_log.chain(of_backups).collect();
    all.retain(|(_, id)| *id > manifest.id);
    all.sort_by(|(_, left), (_, right)| left.cmp(right));
    let is_of_backup = |repository: &Repository| *repository == target.repository;
    while all.pop_if(|(repository, _)| is_of_backup(repository)).is_some() {}
    let mut pieces = Vec::new();
    // There may be thousands: no more of them are looked at than are needed.
    for (repository, id) in all {
        let piece = match repository.find(&id) {
            Some(Kept::Whole(piece)) => piece,
            Some(Kept::Damaged(failure)) => return Err(trouble::told(&failure)),
            None => continue,
        };
        let is_late = asked.to.is_some_and(|to| moment(&piece).is_some_and(|moment| moment >= to));
        let is_last = is_late && *repository == target.log;
        pieces.push((repository.clone(), piece));
        if is_last {
            break;
        }
    }
    while pieces.pop_if(|(repository, _)| is_of_backup(repository)).is_some() {}
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
    let time = match asked.to {
        Some(to) if moment(last).is_some_and(|last| to <= last) => Some(match &target.database {
            Database::Sqlite(_) => return seen_until(to, target, manifest, pieces),
            // Its log knows seconds.
            Database::MySql(_) => {
                let second = jiff::TimestampRound::new().smallest(Unit::Second).mode(RoundMode::Floor);
                timestamp(to.round(second).unwrap_or(to))
            }
            Database::PostgreSql(_) | Database::MongoDb(_) => timestamp(to),
        }),
        // Nobody knows what was committed behind the last piece.
        Some(to) => {
            let message = format!("the log is kept until {}, and the state of {to} is wanted", last.moment);
            return Err(Box::new(trouble::none(
                message,
                "name an earlier moment, or leave `--to` out for the last there is",
            )));
        }
        None => None,
    };
    Ok(Until { time, pieces, frames: None })
}

/// Of a file somebody has looked at the log from time to time: what was committed by the last look until then is meant, and the moment is
/// the last at which there was no more.
fn seen_until(
    to: Timestamp,
    target: &Target,
    manifest: &Manifest,
    pieces: Vec<(Repository, Manifest)>,
) -> Result<Until, Box<Failure>> {
    let Some((repository, last)) = pieces.last() else { return Ok(Until::of_backup()) };
    if moment(last) == Some(to) {
        return Ok(Until { time: None, pieces, frames: None });
    }
    let moments = sqlite::moments_of(repository, last, target)?;
    let before = pieces.iter().rev().nth(1).map_or(manifest, |(_, piece)| piece);
    let is_seen = |text: &str| text.parse().is_ok_and(|seen: Timestamp| seen <= to);
    let count = moments.iter().take_while(|moment| is_seen(&moment.seen)).count();
    let (frames, seen) = match count.checked_sub(1).and_then(|index| moments.get(index)) {
        Some(seen) => (seen.frames, seen.seen.clone()),
        None => (0, before.moment.clone()),
    };
    let unchanged_until = match moments.get(count) {
        Some(next) => next.unchanged_until.clone(),
        None if sqlite::frames_of(last) == Some(frames) => last.moment.clone(),
        // Nobody has seen when the rest came.
        None => seen.clone(),
    };
    let time = timestamp(to).min(seen.max(unchanged_until));
    Ok(Until { time: Some(time), pieces, frames: Some(frames) })
}

/// Pieces of the log follow each other; whoever restores over a gap gets less than he believes.
fn must_be_without_gaps(manifest: &Manifest, pieces: &[(Repository, Manifest)]) -> Result<(), Box<Failure>> {
    let mut before = manifest;
    for (_, piece) in pieces {
        if !follows(before, piece) {
            let message = format!("the log has a gap before its piece {}", piece.id);
            let hint = "name a moment before it, or one behind a later backup";
            return Err(Box::new(trouble::gap(message, hint)));
        }
        before = piece;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backups::making::LOG;
    use backup::Object;
    use std::collections::BTreeMap;
    use vocab::{Engine, TaskId};

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
            origin: None,
            objects: files.iter().map(object).collect(),
        }
    }

    #[test]
    fn a_gap_in_the_log_is_seen() {
        let base = piece("1", &["0000000100000000000000FE", "0000000100000000000000FF"]);
        let next = piece("2", &["0000000100000000000000FF", "000000010000000100000000"]);
        let then = piece("3", &["000000010000000100000001", "00000002.history"]);
        let of_another_line = piece("3", &["00000002.history", "000000020000000100000001"]);
        let of = |origin: &str, piece: &Manifest| Manifest { origin: Some(origin.to_owned()), ..piece.clone() };
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

        assert!(must_be_without_gaps(&base, &kept(&[&next, &of_another_line])).is_err(), "another server took over");
        assert!(must_be_without_gaps(&of("7", &base), &kept(&[&of("7", &next), &of("7", &then)])).is_ok());
        assert!(must_be_without_gaps(&of("7", &base), &kept(&[&of("7", &next), &of("8", &then)])).is_err());
        assert!(
            must_be_without_gaps(&base, &kept(&[&of("7", &next)])).is_ok(),
            "earlier ones do not say whose they are"
        );

        let at = |point: &str, piece: Manifest| Manifest { point: Some(point.to_owned()), ..piece };
        let base = at("binlog.000007/500", piece("1", &[]));
        let next = at("binlog.000008/90", piece("2", &["binlog.000007@400", "binlog.000008@4"]));
        let then = at("binlog.000008/95", piece("3", &["binlog.000008@90"]));
        assert!(must_be_without_gaps(&base, &kept(&[&next, &then])).is_ok());
        assert!(must_be_without_gaps(&base, &kept(&[&then])).is_err());
        assert!(must_be_without_gaps(&next, &kept(&[&piece("4", &["binlog.000008@91"])])).is_err());
    }
}
