//! What is wrong with a task: a code, a place, a sentence, and how to mend it. Collected, never thrown one by one.

use serde::Serialize;
use std::fmt;

/// A diagnostic code such as `IP104`. Each has a page in `docs/errors/` and a rejected case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Code(pub &'static str);

impl fmt::Display for Code {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0)
    }
}

/// How much a diagnostic weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The task cannot be carried out.
    Error,
    /// The task is carried out; somebody should look.
    Warning,
    /// Nothing is wrong; something could be better.
    Advice,
}

/// Where in a source text something stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// The source's name: a path, or `-` for standard input.
    pub source: String,
    /// First line, from 1.
    pub line: u32,
    /// First column in characters, from 1.
    pub column: u32,
    /// First byte, from 0.
    pub offset: usize,
    /// Bytes covered.
    pub length: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}:{}", self.source, self.line, self.column)
    }
}

/// One thing that is wrong with a task, or worth a warning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// Which rule.
    pub code: Code,
    /// How much it weighs.
    pub severity: Severity,
    /// What is wrong: lower case, no full stop, literals in backticks.
    pub message: String,
    /// Where, if it stands in a source text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// What to do about it: an action.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

impl Diagnostic {
    /// An error at a place.
    #[must_use]
    pub fn error(code: Code, message: impl Into<String>, place: &Place) -> Self {
        Self { code, severity: Severity::Error, message: message.into(), place: Some(place.clone()), help: None }
    }

    /// A warning at a place.
    #[must_use]
    pub fn warning(code: Code, message: impl Into<String>, place: &Place) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, message, place) }
    }

    /// The same with a help that is an action.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Some(place) => write!(formatter, "{place}: {}: {}", self.code, self.message),
            None => write!(formatter, "{}: {}", self.code, self.message),
        }
    }
}

/// Whether any of them forbids going on.
#[must_use]
pub fn has_errors(diagnostics: &[Diagnostic]) -> bool {
    diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
}
