//! A plan as it is kept: `serve` runs persisted plans and nothing else, so upgrading the binary never changes a live API quietly.

use crate::TaskPlan;
use serde::{Deserialize, Serialize};

/// The format this build writes and reads. Raised with every change that an older reader would misunderstand.
pub const FORMAT: u32 = 1;

/// A plan with what it was made from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PersistedPlan {
    /// The format of `plan`.
    pub format: u32,
    /// The version of the planner that made it.
    pub planner_version: String,
    /// SHA-256 of the task's content, lower-case hex.
    pub task_hash: String,
    /// The plan.
    pub plan: TaskPlan,
}

/// Why a persisted plan cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum UnreadablePlan {
    /// Written by another version of the producer.
    #[error("the plan has format {found}, this producer reads format {FORMAT}")]
    Format {
        /// The format that was found.
        found: u64,
    },
    /// Not a plan, or damaged.
    #[error("the plan is damaged: {0}")]
    Damaged(#[from] serde_json::Error),
}

impl PersistedPlan {
    /// The plan as text, one trailing line feed.
    ///
    /// # Panics
    /// Never: a plan is plain data with text keys.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("a plan is plain data");
        text.push('\n');
        text
    }

    /// Reads what [`Self::to_text`] wrote.
    ///
    /// # Errors
    /// [`UnreadablePlan`] when the format is another one or the text is damaged.
    pub fn from_text(text: &str) -> Result<Self, UnreadablePlan> {
        /// What is read of a plan of any format.
        #[derive(Deserialize)]
        struct Head {
            format: Option<serde_json::Value>,
        }
        let head: Head = serde_json::from_str(text)?;
        match head.format.as_ref().and_then(serde_json::Value::as_u64) {
            Some(found) if found != u64::from(FORMAT) => Err(UnreadablePlan::Format { found }),
            _ => Ok(serde_json::from_str(text)?),
        }
    }
}
