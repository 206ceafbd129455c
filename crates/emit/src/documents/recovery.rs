//! `recovery.md` and the alerts of backups: what somebody does when the database is damaged or gone, in commands that work as they are pasted. It says what the
//! plan says and adds nothing.

use minijinja::{Value, context};
use plan::DatabaseTaskPlan;
use plan::database::{Backup, Connection, LOG_INTERVAL, LocationPart, spoken};

/// A backup is late by so many seconds at most before it is told: large ones take their time.
const MOST_GRACE: u32 = 24 * 60 * 60;
/// Pieces of a log that may be missing before it is told.
const LATE_PIECES: u32 = 5;

pub fn view(plan: &DatabaseTaskPlan, backup: &Backup) -> Value {
    context! {
        task => plan.task_id.as_str(),
        name => name(&plan.database.connection),
        engine => plan.database.engine.as_str(),
        is_file => plan.database.engine.keeps_files(),
        is_local => matches!(plan.database.connection, Connection::Local { .. }),
        schedule => backup.schedule.to_string(),
        drill => backup.drill.to_string(),
        point_in_time => backup.point_in_time.then(|| spoken(backup.log_interval())),
        keep_for => spoken(backup.keep_for),
        keep_at_least => backup.keep_at_least,
        destination => backup.destination.to_string(),
        is_bucket => backup.destination.to_string().starts_with("`s3:"),
        key => backup.encryption_key.as_ref().map(ToString::to_string),
        recovery_point => spoken(backup.objectives.recovery_point),
        recovery_time => backup.objectives.recovery_time.map(spoken),
    }
}

pub fn alerts(plan: &DatabaseTaskPlan, backup: &Backup) -> Value {
    let wait = backup.schedule.longest_wait();
    context! {
        task => plan.task_id.as_str(),
        schedule => backup.schedule.to_string(),
        late => wait.saturating_add(wait.min(MOST_GRACE)),
        point_in_time => backup.point_in_time,
        log_late => LATE_PIECES * LOG_INTERVAL,
        recovery_point => backup.objectives.recovery_point,
        recovery_time => backup.objectives.recovery_time,
        spoken_point => spoken(backup.objectives.recovery_point),
        spoken_time => backup.objectives.recovery_time.map(spoken),
    }
}

/// What the database is called where it is restored over: its file without folder and ending.
fn name(connection: &Connection) -> String {
    match connection {
        Connection::Embedded => "embedded".to_owned(),
        Connection::File { name } | Connection::Local { name } | Connection::Container { name, .. } => name.clone(),
        Connection::Location(parts) => match parts.last() {
            Some(LocationPart::Text(text)) => {
                let file = text.rsplit('/').next().unwrap_or_default();
                file.rsplit_once('.').map_or(file, |(stem, _)| stem).to_owned()
            }
            Some(LocationPart::Environment(_) | LocationPart::Secret(_)) | None => "NAME".to_owned(),
        },
        Connection::Missing => "NAME".to_owned(),
    }
}
