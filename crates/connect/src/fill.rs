//! Templates are filled in: a text or a document of a manifest comes in with a scope that knows what its names stand for, a value goes
//! out. What is absent is left out, nothing is rounded, and no value is ever part of an error.

mod amount;
mod place;
mod transform;

#[cfg(test)]
mod tests;

pub use place::{at, first, holds};

use jiff::Timestamp;
use manifest::provider::Currencies;
use manifest::reference::Reference;
use manifest::template::Part;
use manifest::{Expression, Template, Text};
use serde_json::{Map, Value};

/// Most items that a repetition makes.
const MAX_ITEMS: usize = 100_000;

/// What names stand for. Times are RFC 3339 text, decimal numbers are text; null is the same as nothing.
pub trait Scope {
    /// What the name stands for, where it stands for anything.
    fn value(&self, name: &Reference) -> Option<Value>;

    /// How the provider counts amounts of money.
    fn currencies(&self) -> Option<&Currencies> {
        None
    }

    /// What an expression is written as where it stands, once it has its value: encoded, or hidden.
    fn becomes(&self, _of: &Expression, value: Value) -> Value {
        value
    }
}

/// Why a template cannot be filled in. It names the expression, never what it stood for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FillError {
    /// A value is of another kind than its transformation takes.
    #[error("`${{{expression}}}` is not {wanted}")]
    Kind {
        /// The expression.
        expression: String,
        /// What it should have been.
        wanted: &'static str,
    },
    /// A number has more digits behind the point than there is room for, and nothing is rounded.
    #[error("`${{{expression}}}` has more than {digits} digits behind the point")]
    NotExact {
        /// The expression.
        expression: String,
        /// How many there may be.
        digits: u32,
    },
    /// An amount is in a currency that the provider does not take, or in none.
    #[error("`${{{expression}}}` is not in a currency that is taken there")]
    Currency {
        /// The expression.
        expression: String,
    },
    /// A list is longer than any that is sent.
    #[error("`{list}` has more than {MAX_ITEMS} items")]
    TooLong {
        /// The list.
        list: String,
    },
}

/// Fills a text in. None where a value in it is absent.
///
/// # Errors
/// [`FillError`] where a value is not what its transformation takes.
pub fn text(text: &Text, scope: &dyn Scope) -> Result<Option<String>, FillError> {
    let mut filled = String::new();
    for part in text.parts() {
        match part {
            Part::Literal(literal) => filled.push_str(literal),
            Part::Value(of) => match expression(of, scope)? {
                Some(value) => filled.push_str(&as_text(&value)),
                None => return Ok(None),
            },
        }
    }
    Ok(Some(filled))
}

/// Fills a text in; a value alone keeps its kind. None where a value in it is absent.
///
/// # Errors
/// As [`text`].
pub fn value(of: &Text, scope: &dyn Scope) -> Result<Option<Value>, FillError> {
    match of.as_expression() {
        Some(alone) => expression(alone, scope),
        None => Ok(text(of, scope)?.map(Value::String)),
    }
}

/// Fills a document in, its members in order. None where it is one value that is absent.
///
/// # Errors
/// As [`text`], and where a repetition goes through something that is no list, or a very long one.
pub fn document(template: &Template, scope: &dyn Scope) -> Result<Option<Value>, FillError> {
    Ok(Some(match template {
        Template::Null => Value::Null,
        Template::Boolean(value) => Value::Bool(*value),
        Template::Number(value) => Value::from(*value),
        Template::Text(text) => return value(text, scope),
        Template::List(items) => {
            let filled: Vec<Option<Value>> =
                items.iter().map(|item| document(item, scope)).collect::<Result<_, _>>()?;
            Value::Array(filled.into_iter().flatten().collect())
        }
        Template::Fields(fields) => {
            let mut filled = Map::new();
            for (name, field) in fields.iter() {
                if let Some(value) = document(field, scope)? {
                    filled.insert(name.clone(), value);
                }
            }
            Value::Object(filled)
        }
        Template::Each { list, item } => {
            let items = match scope.value(list) {
                None | Some(Value::Null) => return Ok(None),
                Some(Value::Array(items)) => items,
                Some(_) => return Err(FillError::Kind { expression: list.to_string(), wanted: "a list" }),
            };
            if items.len() > MAX_ITEMS {
                return Err(FillError::TooLong { list: list.to_string() });
            }
            let each = |of: Value| document(item, &ItemScope { item: of, around: scope });
            let filled: Vec<Option<Value>> = items.into_iter().map(each).collect::<Result<_, _>>()?;
            Value::Array(filled.into_iter().flatten().collect())
        }
    }))
}

fn expression(of: &Expression, scope: &dyn Scope) -> Result<Option<Value>, FillError> {
    let mut value = scope.value(&of.from).filter(|value| !value.is_null());
    for transformation in &of.through {
        value = transform::through(value, transformation, of, scope)?;
    }
    Ok(value.map(|value| scope.becomes(of, value)))
}

/// A scope inside of a repetition.
struct ItemScope<'s> {
    item: Value,
    around: &'s dyn Scope,
}

impl Scope for ItemScope<'_> {
    fn value(&self, name: &Reference) -> Option<Value> {
        match name {
            Reference::Item(field) => self.item.get(field.as_str()).cloned(),
            _ => self.around.value(name),
        }
    }

    fn currencies(&self) -> Option<&Currencies> {
        self.around.currencies()
    }

    fn becomes(&self, of: &Expression, value: Value) -> Value {
        self.around.becomes(of, value)
    }
}

/// Numbers above this are milliseconds: as seconds they would be in the year 5138.
const MILLISECONDS_FROM: i64 = 100_000_000_000;

/// A point in time as a provider may write it, of RFC 3339 or in seconds or milliseconds since 1970, in milliseconds since 1970.
pub(crate) fn moment(text: &str) -> Option<i64> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Some(time.as_millisecond());
    }
    let number = text.parse::<i64>().ok()?;
    Some(if number.unsigned_abs() < MILLISECONDS_FROM.unsigned_abs() { number * 1000 } else { number })
}

/// A value as text: what is text is itself, a document is JSON.
#[must_use]
pub fn as_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}
