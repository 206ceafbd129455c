//! `pool`: a block comes in, how many connections are kept and how long things may take goes out.

use crate::codes::NOT_A_RULE;
use crate::document::Entry;
use crate::duration;
use crate::field::{Field, optional};
use crate::lower::{Label, Lowering};
use crate::schema;
use crate::source::Spanned;
use serde_json::Value as Json;

/// The fewest that a pool may have at most: one for reads, one for a transaction.
const LEAST_CONNECTIONS: u32 = 2;
/// The most connections of one pool.
pub const MAX_CONNECTIONS: u32 = 10_000;

/// The largest budget of a plan.
const MAX_BUDGET: u64 = 1_000_000_000_000;

/// How many connections are kept; what is absent is left to the planner.
#[derive(Debug, Clone, PartialEq)]
pub struct Pool {
    /// Connections that stay open without work, at most `max`.
    pub min: Option<u32>,
    /// Most connections, from 2.
    pub max: Option<u32>,
    /// Seconds after which a connection without work is closed.
    pub idle_timeout: Option<u32>,
    /// Seconds that a request waits for a connection.
    pub acquire_timeout: Option<u32>,
    /// Seconds that one statement may take.
    pub statement_timeout: Option<u32>,
    /// Most that the plan of one read may cost, and where that stands.
    pub plan_budget: Option<Spanned<u64>>,
    /// Whether reads go to the replicas among the hosts of the URL, and where that stands.
    pub read_replicas: Option<Spanned<bool>>,
}

const FIELDS: &[Field] = &[
    optional("min", "Connections that stay open without work.", || schema::whole_number(0..=MAX_CONNECTIONS.into())),
    optional("max", "Most connections.", || schema::whole_number(LEAST_CONNECTIONS.into()..=MAX_CONNECTIONS.into())),
    optional("idle_timeout", "After how long a connection without work is closed.", duration::schema),
    optional("acquire_timeout", "How long a request waits for a connection.", duration::schema),
    optional("statement_timeout", "How long one statement may take.", duration::schema),
    optional("plan_budget", "Most that the plan of one read may cost, on PostgreSQL only.", || {
        schema::whole_number(1..=MAX_BUDGET)
    }),
    optional("read_replicas", "Whether reads go to the replicas among the hosts of the URL.", schema::boolean),
];

pub(crate) fn schema() -> Json {
    schema::block(FIELDS)
}

/// Checks the value of `pool`.
pub(crate) fn lower(lowering: &mut Lowering<'_>, entry: &Entry) -> Option<Pool> {
    let block = lowering.block("`pool`", &entry.node, entry.key_span, FIELDS)?;
    let mut number = |name: &'static str, least: u64| {
        let node = block.node(name)?;
        let number = lowering.number_in(Label::Field(name), node, least..=MAX_CONNECTIONS.into())?;
        u32::try_from(number).ok()
    };
    let (min, max) = (number("min", 0), number("max", LEAST_CONNECTIONS.into()));
    if let (Some(least), Some(most), Some(entry)) = (min, max, block.entry("max"))
        && least > most
    {
        let message = format!("`max` {most} is less than `min` {least}");
        lowering.error(NOT_A_RULE, message, entry.node.span, "exchange the two");
    }
    let plan_budget = block.entry("plan_budget").and_then(|entry| {
        let value = lowering.number_in(Label::Field("plan_budget"), &entry.node, 1..=MAX_BUDGET)?;
        Some(Spanned { value, place: lowering.source.place(entry.node.span) })
    });
    let read_replicas = block.entry("read_replicas").and_then(|entry| {
        let value = lowering.boolean(Label::Field("read_replicas"), &entry.node)?;
        Some(Spanned { value, place: lowering.source.place(entry.node.span) })
    });
    let mut seconds =
        |name: &str| block.node(name).and_then(|node| duration::lower(lowering, name, node)).map(|time| time.value);
    Some(Pool {
        min,
        max,
        idle_timeout: seconds("idle_timeout"),
        acquire_timeout: seconds("acquire_timeout"),
        statement_timeout: seconds("statement_timeout"),
        plan_budget,
        read_replicas,
    })
}
