//! Intents: rules that tell from method and path what an endpoint does.

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
    /// The last segments of a path it is for.
    pub last_segment: Vec<String>,
    /// What the endpoint does.
    pub behavior: BehaviorName,
    /// What it does it with.
    pub entity: EntityName,
    /// The event that tells of it.
    pub emits: EventName,
    /// The reason in words; `{segment}` stands for the segment that fitted.
    pub because: String,
}

impl Intent {
    /// The reason, when the rule is for such an endpoint.
    #[must_use]
    pub fn reason(&self, method: &str, last_segment: &str) -> Option<String> {
        let fits = self.method == method && self.last_segment.iter().any(|segment| segment == last_segment);
        fits.then(|| self.because.replace("{segment}", last_segment))
    }
}
