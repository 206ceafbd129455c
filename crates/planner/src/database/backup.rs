//! Backups: the task's `backup` and what the database is for come in, how copies are made goes out, each choice with its reason. A task
//! without that block gets none.

use super::draft::Draft;
use crate::codes::BACKUPS_CONTRADICT;
use plan::database::{Backup, Cron, Destination, LEAST_LOSS, LOG_INTERVAL, LocationPart, Objectives, Schedule, spoken};
use plan::{Decision, Phase};
use spec::{DatabaseConfig, DatabaseType, DayRule, Environment, Frequency, Location, Reference};

const DAY: u32 = 24 * 60 * 60;
/// How long a copy is kept where the task does not say.
const KEPT: u32 = 14 * DAY;
const KEPT_IN_DEVELOPMENT: u32 = 7 * DAY;
/// How many stay however old they are.
const KEPT_AT_LEAST: u32 = 3;
/// Where the key of production's copies is.
const KEY: &str = "BACKUP_KEY";

pub fn plan(draft: &mut Draft, config: &DatabaseConfig) -> Option<Backup> {
    let asked = config.backup.as_ref()?;
    let is_production = config.environment == Environment::Production;
    let is_development = config.environment == Environment::Development;
    let says_so = || "the task says so".to_owned();

    let schedule = schedule(&asked.schedule.value);
    let point_in_time = asked.point_in_time.as_ref().is_some_and(|asked| asked.value);
    let longest = schedule.longest_wait();
    let (wait, usual) = if point_in_time { (LEAST_LOSS, LOG_INTERVAL) } else { (longest, longest) };
    decide(draft, "copies", format!("one {schedule}"), says_so());

    let keep_for = asked.keep_for.unwrap_or(if is_development { KEPT_IN_DEVELOPMENT } else { KEPT });
    let keep_at_least = asked.keep_at_least.unwrap_or(KEPT_AT_LEAST);
    let decision = format!("for {}, the newest {keep_at_least} however old they are", spoken(keep_for));
    let reason = match asked.keep_for {
        Some(_) => says_so(),
        None => format!("what was damaged without anybody's notice is found within that, in {}", config.environment),
    };
    decide(draft, "retention", decision, reason);

    let destination = match &asked.destination {
        Some(location) => Destination::Named(parts(&location.value)),
        None => Destination::Workspace,
    };
    let reason = match &asked.destination {
        Some(_) => says_so(),
        None => "the task names no `destination`; whatever takes this disk takes the copies along".to_owned(),
    };
    decide(draft, "destination", destination.to_string(), reason);

    let encryption_key = match &asked.encryption_key {
        Some(key) => Some(reference(&key.value)),
        None => is_production.then(|| LocationPart::Secret(KEY.to_owned())),
    };
    let decision = match &encryption_key {
        Some(key) => format!("with `{key}`, in the format of age"),
        None => "none".to_owned(),
    };
    let reason = match (&asked.encryption_key, is_production) {
        (Some(_), _) => says_so(),
        (None, true) => "production data is not left lying about; the key is yours to keep elsewhere".to_owned(),
        (None, false) => format!("{} data, and the task names no `encryption_key`", config.environment),
    };
    decide(draft, "encryption", decision, reason);

    let (drill, reason) = match &asked.drill {
        Some(drill) => (self::schedule(&drill.value), says_so()),
        None => (weekly(), "a copy that was never restored is a hope".to_owned()),
    };
    decide(draft, "drill", format!("the newest copy is restored and compared {drill}"), reason);

    let recovery_point = asked.objectives.recovery_point.as_ref();
    if let Some(objective) = recovery_point.filter(|objective| objective.value < wait) {
        let message = format!(
            "no more than {} of work may be lost, and copies are up to {} apart",
            spoken(objective.value),
            spoken(wait)
        );
        let help = "make copies more often, or raise `rpo`";
        draft.refuse(BACKUPS_CONTRADICT, message, &objective.place, help);
    }
    let objectives = Objectives {
        recovery_point: recovery_point.map_or(usual, |objective| objective.value),
        recovery_time: asked.objectives.recovery_time.as_ref().map(|objective| objective.value),
    };
    let time = objectives.recovery_time.map(|time| format!("; restoring takes at most {}", spoken(time)));
    let decision = format!("at most {} of work is lost{}", spoken(objectives.recovery_point), time.unwrap_or_default());
    let reason = match recovery_point {
        Some(_) => says_so(),
        None => "as far apart as copies are made; each drill measures it".to_owned(),
    };
    decide(draft, "objectives", decision, reason);
    let backup =
        Backup { schedule, keep_for, keep_at_least, destination, encryption_key, drill, point_in_time, objectives };
    if point_in_time {
        let every = spoken(backup.log_interval());
        let decision = format!("kept every {every}, so that every moment between copies can be restored");
        let keeps = match config.kind.value {
            DatabaseType::MySql => "the server keeps its binary log for as long as it is set to",
            DatabaseType::Sqlite => "its log is begun anew when nobody holds it",
            DatabaseType::PostgreSql | DatabaseType::MongoDb => "the server keeps its log until it is fetched",
        };
        let reason = format!("the task says `point_in_time`; {keeps}: have a server run");
        decide(draft, "log", decision, reason);
    }
    Some(backup)
}

fn decide(draft: &mut Draft, what: &str, decision: String, reason: String) {
    let subject = format!("backup: {what}");
    draft.decisions.push(Decision { phase: Phase::ConfigureBackupProcedures, subject, decision, reason });
}

pub fn schedule(frequency: &Frequency) -> Schedule {
    match frequency {
        Frequency::EveryMinutes(minutes) => Schedule::Every(*minutes),
        Frequency::Hourly => times("0 * * * *", [0].into(), (0..=23).collect(), (0..=6).collect()),
        // Most people sleep then, or work on something else.
        Frequency::Daily => times("0 3 * * *", [0].into(), [3].into(), (0..=6).collect()),
        Frequency::Cron(cron) => Schedule::Cron(Cron {
            text: cron.text.clone(),
            minutes: cron.minutes.clone(),
            hours: cron.hours.clone(),
            days: cron.days.clone(),
            months: cron.months.clone(),
            weekdays: cron.weekdays.clone(),
            both: cron.day_rule == DayRule::Both,
        }),
        // The language has no copies that are made at once.
        Frequency::RealTime => Schedule::Every(1),
    }
}

fn weekly() -> Schedule {
    times("0 5 * * 0", [0].into(), [5].into(), [0].into())
}

type Numbers = std::collections::BTreeSet<u8>;

fn times(text: &str, minutes: Numbers, hours: Numbers, weekdays: Numbers) -> Schedule {
    let (days, months) = ((1..=31).collect(), (1..=12).collect());
    Schedule::Cron(Cron { text: text.to_owned(), minutes, hours, days, months, weekdays, both: true })
}

fn parts(location: &Location) -> Vec<LocationPart> {
    let part = |part: &spec::LocationPart| match part {
        spec::LocationPart::Text(text) => LocationPart::Text(text.clone()),
        spec::LocationPart::Reference(part) => reference(part),
    };
    location.parts().iter().map(part).collect()
}

fn reference(reference: &Reference) -> LocationPart {
    match reference {
        Reference::Environment(name) => LocationPart::Environment(name.to_string()),
        Reference::Secret(name) => LocationPart::Secret(name.to_string()),
    }
}
