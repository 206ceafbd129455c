//! A PostgreSQL server comes back from the copy of its data, and goes on in its log to the moment that is meant.

use super::{Reading, Until, different};
use crate::backups::making::{BASE, LOG};
use crate::backups::target::Target;
use crate::backups::trouble;
use crate::failure::Failure;
use backup::{Manifest, Repository};
use provision::{Instance, Recovery, RecoveryTarget, State, WritesFile};
use std::collections::BTreeMap;
use std::io::Write;
use std::time::{Duration, Instant};
use store::{Database, Server};

/// How long a server may take to come to the moment that is meant: as long as it took to write what is in its log.
const LONGEST_RECOVERY: Duration = Duration::from_secs(6 * 60 * 60);

pub fn bring_back(
    target: &Target,
    server: &Server,
    (manifest, until): (&Manifest, &Until),
    instance: &Instance,
) -> Result<Database, Box<Failure>> {
    let meant = match (&until.time, until.pieces.last()) {
        (Some(time), _) => RecoveryTarget::Time(time.clone()),
        (None, Some((_, last))) => RecoveryTarget::Point(point(last)?),
        (None, None) => RecoveryTarget::Point(point(manifest)?),
    };
    let different = |why: String| different(manifest, why);
    let version = manifest.engine_version.trim_start_matches(|letter: char| !letter.is_ascii_digit());
    let version: i32 = version.parse().map_err(|_| different("nobody knows the version of its server".to_owned()))?;
    let reading = Reading::default();
    let key = target.key.as_ref();
    let mut base = |to: &mut dyn Write| reading.give((&target.repository, manifest), BASE, key, to);
    // A later piece has more of a file that an earlier one has the beginning of.
    let mut newest: BTreeMap<&str, (&Repository, &Manifest)> = BTreeMap::new();
    let pieces = until.pieces.iter().map(|(repository, piece)| (repository, piece));
    for (repository, of) in std::iter::once((&target.repository, manifest)).chain(pieces) {
        let names = of.objects.iter().map(|object| object.name.as_str()).filter(|name| name.starts_with(LOG));
        newest.extend(names.map(|name| (name, (repository, of))));
    }
    let log = newest.into_iter().map(|(name, of)| {
        let reading = &reading;
        let file: WritesFile<'_> = Box::new(move |to: &mut dyn Write| reading.give(of, name, key, to));
        (name.trim_start_matches(LOG).to_owned(), file)
    });
    let mut recovery = Recovery { base: &mut base, log: log.collect(), target: meant };
    let recovered = instance.recover(version, &mut recovery);
    drop(recovery);
    recovered.map_err(|failure| reading.told(&failure))?;
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
    Ok(database)
}

fn point(manifest: &Manifest) -> Result<String, Box<Failure>> {
    let unnamed = || different(manifest, "its moment has no name".to_owned());
    manifest.point.clone().ok_or_else(unnamed)
}
