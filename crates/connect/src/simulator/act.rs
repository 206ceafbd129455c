//! What happens at a provider without a request of ours: somebody pays. An object and an act come in, the object as it is then
//! goes out, and events are on their way.

use super::Simulator;
use super::given::Given;
use super::serving::{Part, change, first_failing, make, new_id};
use crate::fill::FillError;
use serde_json::Value;

/// Why an act does not happen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoAct {
    /// There is none of that name.
    #[error("nothing called `{asked}` happens at this provider: there is {known}")]
    Unknown {
        /// What was asked.
        asked: String,
        /// What there is.
        known: String,
    },
    /// There is no such object.
    #[error("there is no {kind} `{id}`")]
    NoObject {
        /// Which kind.
        kind: String,
        /// Which id.
        id: String,
    },
    /// The object is not such that it could happen.
    #[error("it cannot happen to `{id}`, because of what stands at `{at}`")]
    NotNow {
        /// Which one.
        id: String,
        /// Where.
        at: String,
    },
    /// The manifest's own words come to nothing.
    #[error(transparent)]
    Fill(#[from] FillError),
}

impl Simulator {
    /// Whether the object is such that an act could happen to it now.
    pub(super) fn can_happen(&self, name: &str, object: &Value) -> bool {
        let Some(act) = self.setup.plays.acts.get(name) else { return false };
        let given = Given { setup: Some(&self.setup), object: Some(object), ..Given::default() };
        matches!(first_failing(&act.needs, object, &given), Ok(None))
    }

    /// Lets something happen to an object; the object as it is then.
    ///
    /// # Errors
    /// [`NoAct`] with the reason; then nothing has changed.
    pub fn act(&mut self, name: &str, id: &str, now_ms: i64) -> Result<Value, NoAct> {
        let Some(act) = self.setup.plays.acts.get(name).cloned() else {
            let known = self.setup.plays.acts.names();
            let known = known.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            return Err(NoAct::Unknown { asked: name.to_owned(), known });
        };
        let kind = act.object.as_str();
        let Some(mut object) = self.shelves.get(kind, id).cloned() else {
            return Err(NoAct::NoObject { kind: kind.to_owned(), id: id.to_owned() });
        };
        let given = Given {
            setup: Some(&self.setup),
            shown: Some(&self.shown),
            seconds: Some(now_ms / 1_000),
            ..Given::default()
        };
        if let Some(at) = first_failing(&act.needs, &object, &Given { object: Some(&object), ..given })? {
            return Err(NoAct::NotNow { id: id.to_owned(), at });
        }
        // Ids first: the object may tell of what comes to be, which tells of the object as it is then.
        let ids: Vec<String> =
            act.makes.iter().map(|kind| new_id(&self.setup, &mut self.chance, kind.as_str())).collect();
        change(&mut object, &act.set, Given { id: ids.first().map(String::as_str), ..given })?;
        let given = Given { object: Some(&object), ..given };
        let mut made = Vec::new();
        for (kind, id) in act.makes.iter().zip(ids) {
            made.push(make(&self.setup, &mut self.chance, kind.as_str(), id, given)?);
        }
        self.shelves.replace(kind, id, object.clone());
        for part in &made {
            self.shelves.put(&part.kind, &part.id, part.value.clone());
        }
        let changed = Part { kind: kind.to_owned(), id: id.to_owned(), value: object };
        let shown = self.setup.shown(&changed, false);
        let parts: Vec<Part> = std::iter::once(changed).chain(made).collect();
        self.send(&act.sends, &parts, now_ms);
        Ok(shown)
    }
}
