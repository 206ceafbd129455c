//! The condition of an `access`: which rows an endpoint has to do with. The language is that of the `filter` of lists, and knows the caller
//! and the time besides; columns and values are the planner's to check.

use crate::codes::NOT_A_CONDITION;
use crate::document::Node;
use crate::lower::Lowering;
use crate::source::Spanned;
use vocab::expression::{Joints, Misread, Reader, SIGNS};
use vocab::{ColumnName, Comparison};

/// What must hold of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowCondition {
    /// Every one of them.
    All(Vec<RowCondition>),
    /// At least one of them.
    Any(Vec<RowCondition>),
    /// Not that.
    Not(Box<RowCondition>),
    /// A column, or the caller's role, stands so to a value.
    Compare(Subject, Comparison, Operand),
    /// A column, or the caller's role, is one of these words.
    OneOf(Subject, Vec<String>),
    /// A column is null.
    Null(ColumnName),
}

impl RowCondition {
    /// The words with which the caller's role is compared.
    #[must_use]
    pub fn roles(&self) -> Vec<&str> {
        match self {
            Self::All(inner) | Self::Any(inner) => inner.iter().flat_map(Self::roles).collect(),
            Self::Not(inner) => inner.roles(),
            Self::Compare(Subject::CallerRole, _, Operand::Literal(role)) => vec![role],
            Self::OneOf(Subject::CallerRole, roles) => roles.iter().map(String::as_str).collect(),
            Self::Compare(..) | Self::OneOf(..) | Self::Null(_) => Vec::new(),
        }
    }
}

/// What is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// A column of the row.
    Column(ColumnName),
    /// `caller.role`.
    CallerRole,
}

/// What it is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operand {
    /// A value as it is written.
    Literal(String),
    /// `caller.id`: the user who calls.
    CallerId,
    /// `caller.role`: the role of the caller's account.
    CallerRole,
    /// `now`: the time at which the request arrived, or its day.
    Now,
}

const CALLER_ID: &str = "caller.id";
const CALLER_ROLE: &str = "caller.role";
const NOW: &str = "now";
const NULL: &str = "null";

/// What parts become that are joined.
const JOINTS: Joints<RowCondition> =
    Joints { any: RowCondition::Any, all: RowCondition::All, not: |condition| RowCondition::Not(Box::new(condition)) };

/// Checks the value of `where`.
pub(crate) fn lower(lowering: &mut Lowering<'_>, text: &str, node: &Node) -> Option<Spanned<RowCondition>> {
    let read = Reader::new(text, char::is_whitespace).whole(&JOINTS, &comparison);
    match read {
        Ok(condition) => Some(lowering.source.spanned(condition, node.span)),
        Err(Wrong(why)) => {
            let help = "write comparisons as `status = published and user_id = caller.id`, joined by `and`, `or`, `not` and parentheses";
            lowering.error(NOT_A_CONDITION, format!("the condition must have {why}"), node.span, help);
            None
        }
    }
}

/// What is wrong with a condition, behind `must have`.
struct Wrong(String);

impl From<Misread> for Wrong {
    fn from(misread: Misread) -> Self {
        Self(misread.to_string())
    }
}

fn comparison(reader: &mut Reader) -> Result<RowCondition, Wrong> {
    let subject = reader.subject(|name| match ColumnName::parse(name) {
        _ if name == CALLER_ROLE => Ok(Subject::CallerRole),
        Ok(column) => Ok(Subject::Column(column)),
        Err(_) => Err("a column or `caller.role`".to_owned()),
    })?;
    if reader.takes_word("in") {
        let mut values = Vec::new();
        reader.list(|reader| -> Result<(), Wrong> {
            values.push(reader.value()?.text);
            Ok(())
        })?;
        return Ok(RowCondition::OneOf(subject, values));
    }
    for (sign, comparison) in SIGNS {
        if !reader.takes(sign) {
            continue;
        }
        let value = reader.value()?;
        let operand = match value.text.as_str() {
            NULL if !value.is_quoted => return null(subject, comparison),
            CALLER_ID if !value.is_quoted => Operand::CallerId,
            CALLER_ROLE if !value.is_quoted => Operand::CallerRole,
            NOW if !value.is_quoted => Operand::Now,
            _ => Operand::Literal(value.text),
        };
        return Ok(RowCondition::Compare(subject, comparison, operand));
    }
    let signs: Vec<&str> = SIGNS.iter().map(|(sign, _)| *sign).collect();
    Err(reader.missing(&format!("one of {}, in", signs.join(", "))).into())
}

fn null(subject: Subject, comparison: Comparison) -> Result<RowCondition, Wrong> {
    match (subject, comparison) {
        (Subject::Column(column), Comparison::Equal) => Ok(RowCondition::Null(column)),
        (Subject::Column(column), Comparison::NotEqual) => Ok(RowCondition::Not(Box::new(RowCondition::Null(column)))),
        _ => Err(Wrong("a value where `null` stands: only a column is compared with it, by `=` or `!=`".to_owned())),
    }
}
