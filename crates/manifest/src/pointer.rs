//! Where something stands in a document that a provider sends: a path comes in, its checked steps go out.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Most steps of a path.
const MAX_STEPS: usize = 20;

/// A path into a document: `/payment_link/url`, `/links/[rel=approve]/href`, `/errors/0/code`, `/results/*/name`. The empty path is
/// the whole document. In XML a step is the name of an element.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pointer(Vec<PathStep>);

/// A step of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PathStep {
    /// The member of that name, or the item of that number.
    Name(String),
    /// The first item of a list whose member holds one of the texts; what stands alone is a list of one.
    Where {
        /// The member.
        member: String,
        /// The texts.
        is: Vec<String>,
    },
    /// Every item of a list.
    Each,
}

/// Why a text is no path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no path into a document: {rule}")]
pub struct InvalidPointer {
    text: String,
    rule: &'static str,
}

impl Pointer {
    /// Reads a path.
    ///
    /// # Errors
    /// [`InvalidPointer`] with the rule that was broken.
    pub fn parse(text: &str) -> Result<Self, InvalidPointer> {
        let wrong = |rule| InvalidPointer { text: text.to_owned(), rule };
        let Some(rest) = text.strip_prefix('/') else {
            return if text.is_empty() { Ok(Self::default()) } else { Err(wrong("it begins with `/`, as `/data/id`")) };
        };
        let steps: Vec<PathStep> = rest.split('/').map(step).collect::<Result<_, _>>().map_err(wrong)?;
        if steps.len() > MAX_STEPS { Err(wrong("it has more than 20 steps")) } else { Ok(Self(steps)) }
    }

    /// Its steps in order.
    #[must_use]
    pub fn steps(&self) -> &[PathStep] {
        &self.0
    }
}

fn step(text: &str) -> Result<PathStep, &'static str> {
    match text.strip_prefix('[') {
        None if text.is_empty() => Err("a step between two `/` is empty"),
        None if text == "*" => Ok(PathStep::Each),
        None => Ok(PathStep::Name(text.to_owned())),
        Some(rest) => {
            let rule = "a choice is written `[member=text]`, or `[member=text,text]`";
            let (member, texts) = rest.strip_suffix(']').and_then(|rest| rest.split_once('=')).ok_or(rule)?;
            let is: Vec<String> = texts.split(',').map(ToOwned::to_owned).collect();
            let is_whole = !member.is_empty() && is.iter().all(|text| !text.is_empty());
            if is_whole { Ok(PathStep::Where { member: member.to_owned(), is }) } else { Err(rule) }
        }
    }
}

impl TryFrom<String> for Pointer {
    type Error = InvalidPointer;
    fn try_from(text: String) -> Result<Self, InvalidPointer> {
        Self::parse(&text)
    }
}

impl From<Pointer> for String {
    fn from(pointer: Pointer) -> String {
        pointer.to_string()
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|step| match step {
            PathStep::Name(name) => write!(formatter, "/{name}"),
            PathStep::Where { member, is } => write!(formatter, "/[{member}={}]", is.join(",")),
            PathStep::Each => formatter.write_str("/*"),
        })
    }
}
