//! What an operation is given is held against what it declares, before anything is sent. Values come in, the first that is wrong goes
//! out by its name; never what it is.

use crate::account::Inputs;
use manifest::Entries;
use manifest::kind::Kind;
use manifest::operation::Input;
use serde_json::Value;
use vocab::FieldName;

/// Why an input is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the input `{name}` {wrong}")]
pub struct InputError {
    /// Its name; of a field of a list's item with the number of the item.
    pub name: String,
    /// What is wrong with it.
    pub wrong: String,
}

/// Holds inputs against what is declared.
///
/// # Errors
/// The first that is wrong.
pub fn check(inputs: &Inputs, declared: &Entries<FieldName, Input>) -> Result<(), InputError> {
    fields(inputs, declared, "")
}

fn fields(inputs: &Inputs, declared: &Entries<FieldName, Input>, before: &str) -> Result<(), InputError> {
    let wrong = |name: &str, wrong: String| InputError { name: format!("{before}{name}"), wrong };
    if let Some(unknown) = inputs.keys().find(|name| declared.get(name.as_str()).is_none()) {
        return Err(wrong(unknown, "is none that the operation takes".to_owned()));
    }
    for (name, input) in declared.iter() {
        match inputs.get(name.as_str()).filter(|value| !value.is_null()) {
            None if input.required => return Err(wrong(name.as_str(), "is missing".to_owned())),
            None => {}
            Some(value) => one(&format!("{before}{name}"), value, input)?,
        }
    }
    Ok(())
}

fn one(name: &str, value: &Value, input: &Input) -> Result<(), InputError> {
    let wrong = |wrong: String| Err(InputError { name: name.to_owned(), wrong });
    if !is(value, input.kind) {
        return wrong(format!("is not of the type `{}`", input.kind.as_str()));
    }
    let most = input.max.map_or(usize::MAX, |max| max as usize);
    match value {
        Value::String(text) if text.chars().count() > most => return wrong(format!("has more than {most} characters")),
        Value::Array(items) if items.len() > most => return wrong(format!("has more than {most} items")),
        Value::String(text) if !input.choices.is_empty() && !input.choices.contains(text) => {
            return wrong(format!("is none of {}", input.choices.join(", ")));
        }
        Value::Array(items) if !input.of.is_empty() => {
            for (number, item) in items.iter().enumerate() {
                let Value::Object(item) = item else { return wrong(format!("has no fields in item {number}")) };
                fields(item, &input.of, &format!("{name}[{number}]."))?;
            }
        }
        _ => {}
    }
    Ok(())
}

/// Whether a value is of that kind. An e-mail address or a telephone number is looked at by the provider, not here.
pub(crate) fn is(value: &Value, kind: Kind) -> bool {
    let text = |fits: fn(&str) -> bool| value.as_str().is_some_and(fits);
    match kind {
        Kind::Json => true,
        Kind::List => value.is_array(),
        Kind::Boolean => value.is_boolean(),
        Kind::Integer => value.is_i64() || value.is_u64(),
        Kind::Decimal => value.is_number() || text(is_decimal),
        Kind::Text | Kind::Phone => value.is_string(),
        Kind::Email => text(|text| text.contains('@')),
        Kind::Url => text(|text| text.starts_with("https://") || text.starts_with("http://")),
        Kind::Uuid => {
            text(|text| text.len() == 36 && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-'))
        }
        Kind::Currency => text(|text| text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_alphabetic())),
        Kind::Country => text(|text| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_alphabetic())),
        Kind::Date => text(|text| text.parse::<jiff::civil::Date>().is_ok()),
        Kind::Timestamp => text(|text| text.parse::<jiff::Timestamp>().is_ok()),
    }
}

fn is_decimal(text: &str) -> bool {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, "0"));
    [whole, fraction].iter().all(|digits| !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit()))
}
