//! A MariaDB database comes back on a new server, from its dump, and goes on in what was kept of its binary log.

use super::{Reading, Until, different};
use crate::backups::making::DUMP;
use crate::backups::making::mysql::{USERS, files, place};
use crate::backups::target::Target;
use crate::backups::{Saying, trouble};
use crate::failure::Failure;
use crate::workspace::Workspace;
use backup::Manifest;
use dialect::permission::first_user;
use provision::{Dumper, FirstUser, Instance, LogFile, Replay, number_of};
use std::fs::File;
use std::path::Path;
use store::{Database, LogPlace, MySqlServer};
use zeroize::Zeroizing;

pub fn bring_back(
    workspace: &Workspace,
    (target, server): (&Target, &MySqlServer),
    (manifest, until): (&Manifest, &Until),
    instance: &Instance,
    say: Saying<'_>,
) -> Result<Database, Box<Failure>> {
    let different = |why: String| different(manifest, why);
    let program = |failure| trouble::program(&failure);
    let scratch = workspace.scratch().map_err(|failure| Box::new(Failure::workspace(&failure)))?;
    // What cannot be put together is refused before anything is made.
    let log = match until.pieces.is_empty() {
        true => None,
        false => {
            let unplaced = || different("its moment has no place in the log".to_owned());
            let place = manifest.point.as_deref().and_then(place).ok_or_else(unplaced)?;
            Some((log(target, until, &place, scratch.path())?, place.position))
        }
    };
    let (user, password) = server.user_and_password().map_err(|error| different(error.to_string()))?;
    let statements = Zeroizing::new(first_user(instance.engine(), &user, &password));
    instance.make(&FirstUser { password: &password, statements: &statements }).map_err(program)?;
    instance.start().map_err(program)?;
    let gone = || different("the server that came back is not there".to_owned());
    let address = instance.address().map_err(program)?.ok_or_else(gone)?;
    let restored = server.moved_to(address).map_err(|error| different(error.to_string()))?;
    let (words, password) = restored.for_programs().map_err(|error| different(error.to_string()))?;
    let dumper = Dumper::find(words, password).map_err(program)?;
    dumper.admit_long_values().map_err(program)?;
    let reading = Reading::default();
    for name in [DUMP, USERS] {
        let key = target.key.as_ref();
        let loaded = dumper.load(&mut |to| reading.give((&target.repository, manifest), name, key, to));
        loaded.map_err(|failure| reading.told(&failure))?;
    }
    if let Some((files, from)) = log {
        say("doing again what the log says");
        let replay = Replay { files: &files, from, until: until.time.as_deref() };
        dumper.replay(&server.name, &replay).map_err(program)?;
    }
    Ok(Database::MySql(restored))
}

/// The files of the log from that place on, each put together from its pieces.
fn log(target: &Target, until: &Until, from: &LogPlace, folder: &Path) -> Result<Vec<LogFile>, Box<Failure>> {
    let program = |failure| trouble::program(&failure);
    let mut all: Vec<LogFile> = Vec::new();
    for (index, (repository, piece)) in until.pieces.iter().enumerate() {
        for (name, place) in files(piece) {
            if number_of(&place.file) < number_of(&from.file) {
                continue;
            }
            let path = folder.join(format!("{index}-{}", place.file));
            let mut file = File::create(&path).map_err(|error| Box::new(trouble::file(&path, &error)))?;
            repository.read(piece, name, target.key.as_ref(), &mut file).map_err(|failure| trouble::told(&failure))?;
            let part = LogFile::of(path, place.file, place.position).map_err(program)?;
            match all.last_mut() {
                Some(last) if last.name == part.name => last.extend(&part).map_err(program)?,
                Some(_) | None => all.push(part),
            }
        }
    }
    Ok(all)
}
