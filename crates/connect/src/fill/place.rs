//! Where something stands in a document, and tests of what stands there. Documents come in, what was found goes out.

use super::{FillError, Scope, as_text, text};
use manifest::Pointer;
use manifest::outcome::BodyTest;
use manifest::pointer::PathStep;
use serde_json::Value;

/// Everything that stands there.
#[must_use]
pub fn at<'d>(document: &'d Value, pointer: &Pointer) -> Vec<&'d Value> {
    pointer
        .steps()
        .iter()
        .fold(vec![document], |found, step| found.into_iter().flat_map(|value| behind(value, step)).collect())
}

/// The first thing that stands there; null is nothing.
#[must_use]
pub fn first<'d>(document: &'d Value, pointer: &Pointer) -> Option<&'d Value> {
    at(document, pointer).into_iter().find(|value| !value.is_null())
}

fn behind<'d>(value: &'d Value, step: &PathStep) -> Vec<&'d Value> {
    match step {
        PathStep::Name(name) => match value {
            Value::Object(members) => members.get(name).into_iter().collect(),
            Value::Array(items) => name.parse().ok().and_then(|number: usize| items.get(number)).into_iter().collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
        },
        PathStep::Where { member, is } => {
            let fits = |item: &&Value| item.get(member).is_some_and(|told| is.contains(&as_text(told)));
            // What stands alone is a list of one.
            let alone = Some(value).filter(|value| value.is_object());
            alone.into_iter().chain(items(value)).find(fits).into_iter().collect()
        }
        PathStep::Each => items(value).iter().collect(),
    }
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// Whether a test holds. A test that asks what a value is fails where there is none; one that asks what it is not holds.
///
/// # Errors
/// [`FillError`] where a text of the test cannot be filled in.
pub fn holds(test: &BodyTest, document: &Value, scope: &dyn Scope) -> Result<bool, FillError> {
    let found: Vec<&Value> = at(document, &test.at).into_iter().filter(|value| !value.is_null()).collect();
    if test.present.is_some_and(|present| present == found.is_empty()) {
        return Ok(false);
    }
    let filled = |texts: &[manifest::Text]| -> Result<Vec<String>, FillError> {
        let texts: Vec<Option<String>> = texts.iter().map(|of| text(of, scope)).collect::<Result<_, _>>()?;
        Ok(texts.into_iter().flatten().collect())
    };
    let (is, is_not) = (filled(&test.is)?, filled(&test.is_not)?);
    let asks_what_it_is = !test.is.is_empty() || test.contains.is_some() || test.at_least.is_some();
    if found.is_empty() {
        return Ok(!asks_what_it_is);
    }
    let passes = |value: &&Value| {
        let told = as_text(value);
        (test.is.is_empty() || is.contains(&told))
            && !is_not.contains(&told)
            && test.contains.as_ref().is_none_or(|part| told.contains(part.as_str()))
            && test.at_least.is_none_or(|least| is_at_least(&told, least))
    };
    Ok(if test.some { found.iter().any(passes) } else { found.iter().all(passes) })
}

/// Whether a number is not below another: what stands behind its point only matters where it is negative.
fn is_at_least(number: &str, least: i64) -> bool {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let has_fraction = fraction.bytes().any(|digit| digit != b'0');
    let is_number = fraction.bytes().all(|digit| digit.is_ascii_digit());
    match whole.parse::<i128>() {
        Ok(whole_number) if is_number => {
            let below = whole.starts_with('-') && has_fraction;
            whole_number - i128::from(below) >= i128::from(least)
        }
        Ok(_) | Err(_) => false,
    }
}
