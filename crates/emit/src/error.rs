//! Why a plan cannot become a Node.js application.

/// What stands in the way. It is found before any file is written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EmitError {
    /// The emitted application has no words for it.
    #[error("procedure `{procedure}`: the Node.js application cannot do `{what}`")]
    Step {
        /// The procedure.
        procedure: String,
        /// What it would have to do.
        what: String,
    },
    /// The procedure contradicts itself or its plan.
    #[error("procedure `{procedure}` is malformed: {why}")]
    Malformed {
        /// The procedure.
        procedure: String,
        /// How.
        why: String,
    },
    /// The engine has no statement for a query.
    #[error(transparent)]
    Query(#[from] dialect::Unsupported),
}
