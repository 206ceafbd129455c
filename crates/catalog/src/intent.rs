//! Intents: rules that tell from method and path what an endpoint does.

use crate::segment::spelled;
use serde::Deserialize;
use vocab::{BehaviorName, EntityName, EventName};

/// A rule.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Intent {
    /// Its name, printed with every decision it makes.
    pub rule: String,
    /// The method it is for, upper case.
    pub method: String,
    /// The last segments of a path it is for, in lower case with hyphens; paths may spell them otherwise. None: any.
    #[serde(default)]
    pub last_segment: Vec<String>,
    /// Whether the path ends in a name or in a key.
    #[serde(default)]
    pub path: PathKind,
    /// Whether the path has no other name: `/api/health`, and not `/api/orders/health`.
    #[serde(default)]
    pub alone: bool,
    /// What the other names of the path must be among, in the spelling of `last_segment`. None: anything.
    #[serde(default)]
    pub within: Vec<String>,
    /// Whether fields that the task names, and the entity does not have, say that something else is meant.
    #[serde(default)]
    pub unless_fields: bool,
    /// What the endpoint does.
    pub behavior: BehaviorName,
    /// What it does it with. None: what the path names.
    pub entity: Option<EntityName>,
    /// The event that tells of it. None: the entity's own.
    pub emits: Option<EventName>,
    /// The reason in words; `{segment}` stands for the segment that fitted.
    pub because: String,
}

/// What a path ends in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PathKind {
    /// A name: `/api/orders`.
    #[default]
    Collection,
    /// A key behind a name: `/api/orders/{id}`.
    Item,
}

impl Intent {
    /// The reason, when the rule is for such an endpoint. `segment` is the last name of the path.
    #[must_use]
    pub fn reason(&self, method: &str, path: PathKind, segment: &str) -> Option<String> {
        let fits = self.method == method && self.path == path;
        let fits = fits && (self.last_segment.is_empty() || self.claims(segment));
        fits.then(|| self.because.replace("{segment}", segment))
    }

    /// Whether the other names of a path let the rule be meant.
    #[must_use]
    pub fn is_within<'n>(&self, mut others: impl Iterator<Item = &'n str>) -> bool {
        self.within.is_empty() || others.all(|name| self.within.contains(&spelled(name)))
    }

    /// Whether the rule lists the segment, in whatever spelling.
    pub(crate) fn claims(&self, segment: &str) -> bool {
        let spelled = spelled(segment);
        self.last_segment.contains(&spelled)
    }
}
