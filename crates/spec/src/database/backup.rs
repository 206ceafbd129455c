//! `backup`: a block comes in, when copies are made, where they go and how long they are kept goes out.

use crate::credential;
use crate::document::Entry;
use crate::duration;
use crate::field::{Field, optional, required};
use crate::frequency::{self, Frequency, Pace};
use crate::location::{self, Location};
use crate::lower::{Label, Lowering};
use crate::reference::{self, Reference};
use crate::schema;
use crate::source::Spanned;
use serde_json::Value as Json;
use vocab::Place;

/// The most copies that a task may ask to keep.
pub const MAX_BACKUPS_KEPT: u32 = 10_000;

/// How copies of a database are made; what is absent is left to the planner.
#[derive(Debug, Clone, PartialEq)]
pub struct Backup {
    /// When a copy is made; never `real_time`.
    pub schedule: Spanned<Frequency>,
    /// Seconds after which a copy is removed.
    pub keep_for: Option<u32>,
    /// Copies that are kept however old they are, from 1.
    pub keep_at_least: Option<u32>,
    /// Where copies go.
    pub destination: Option<Spanned<Location>>,
    /// Where the key is that copies are encrypted with.
    pub encryption_key: Option<Spanned<Reference>>,
    /// Whether every moment can be restored, not only those of copies.
    pub point_in_time: Option<Spanned<bool>>,
    /// When a copy is restored to see that it can be; never `real_time`.
    pub drill: Option<Spanned<Frequency>>,
    /// What must be met.
    pub objectives: Objectives,
    /// Where `backup` stands.
    pub place: Place,
}

/// What must be met when everything else is lost; what is absent is only measured.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Objectives {
    /// Seconds of work that may be lost.
    pub recovery_point: Option<Spanned<u32>>,
    /// Seconds that restoring may take.
    pub recovery_time: Option<Spanned<u32>>,
}

const FIELDS: &[Field] = &[
    required(
        "schedule",
        "When a copy is made: `daily`, `every_30_minutes`, or a cron expression in UTC.",
        frequency::schema_of_times,
    ),
    optional("keep_for", "How long a copy is kept: `30_days`.", duration::schema),
    optional("keep_at_least", "How many copies are kept however old they are.", || {
        schema::whole_number(1..=MAX_BACKUPS_KEPT.into())
    }),
    optional("destination", "Where copies go: a folder or a URL without a password.", location::schema),
    optional("encryption_key", "Where the key is: `${env:NAME}` or `${secret:NAME}`.", reference::schema),
    optional("point_in_time", "Whether every moment can be restored, not only those of copies.", schema::boolean),
    optional("drill", "When a copy is restored to see that it can be.", frequency::schema_of_times),
    optional("objectives", "How much work may be lost, and how long restoring may take.", || schema::block(OBJECTIVES)),
];

const OBJECTIVES: &[Field] = &[
    optional("rpo", "How much of the latest work may be lost: `1_hour`.", duration::schema),
    optional("rto", "How long restoring may take: `30_minutes`.", duration::schema),
];

pub(crate) fn schema() -> Json {
    schema::block(FIELDS)
}

/// Checks the value of `backup`.
pub(crate) fn lower(lowering: &mut Lowering<'_>, entry: &Entry) -> Option<Backup> {
    let block = lowering.block("`backup`", &entry.node, entry.key_span, FIELDS)?;
    let schedule = lowering
        .required(&block, "schedule", "add `schedule: \"daily\"`")
        .and_then(|entry| frequency::lower(lowering, "schedule", &entry.node, Pace::AtTimesOnly));
    let keep_for = block.node("keep_for").and_then(|node| duration::lower(lowering, "keep_for", node));
    let keep_at_least = block
        .node("keep_at_least")
        .and_then(|node| lowering.number_in(Label::Field("keep_at_least"), node, 1..=MAX_BACKUPS_KEPT.into()));
    let destination = block.node("destination").and_then(|node| location::lower(lowering, "destination", node));
    let encryption_key =
        block.node("encryption_key").and_then(|node| credential::lower_reference(lowering, "encryption_key", node));
    let point_in_time = block.node("point_in_time").and_then(|node| {
        let value = lowering.boolean(Label::Field("point_in_time"), node)?;
        Some(lowering.source.spanned(value, node.span))
    });
    let drill = block.node("drill").and_then(|node| frequency::lower(lowering, "drill", node, Pace::AtTimesOnly));
    let objectives = block.entry("objectives").map(|entry| objectives(lowering, entry)).unwrap_or_default();
    Some(Backup {
        schedule: schedule?,
        keep_for: keep_for.map(|time| time.value),
        keep_at_least: keep_at_least.and_then(|count| u32::try_from(count).ok()),
        destination,
        encryption_key,
        point_in_time,
        drill,
        objectives,
        place: lowering.source.place(entry.key_span),
    })
}

fn objectives(lowering: &mut Lowering<'_>, entry: &Entry) -> Objectives {
    let Some(block) = lowering.block("`objectives`", &entry.node, entry.key_span, OBJECTIVES) else {
        return Objectives::default();
    };
    let mut time = |name| block.node(name).and_then(|node| duration::lower(lowering, name, node));
    Objectives { recovery_point: time("rpo"), recovery_time: time("rto") }
}
