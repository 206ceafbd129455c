//! What becomes of a value on its way: one transformation, one value in, one out. What has nothing left is absent.

use super::amount::{self, Inexact};
use super::{FillError, Scope, as_text};
use crate::encode;
use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use manifest::Expression;
use manifest::reference::Reference;
use manifest::transformation::Transformation;
use md5::{Digest as _, Md5};
use serde_json::Value;

/// Sends a value through a transformation.
pub fn through(
    value: Option<Value>,
    transformation: &Transformation,
    of: &Expression,
    scope: &dyn Scope,
) -> Result<Option<Value>, FillError> {
    let Some(value) = value else {
        return Ok(match transformation {
            Transformation::Or(text) => Some(Value::String(text.clone())),
            Transformation::OrElse(name) => scope.value(name).filter(|value| !value.is_null()),
            _ => None,
        });
    };
    let at = At { of, scope };
    Ok(match transformation {
        Transformation::Or(_) | Transformation::OrElse(_) => Some(value),
        Transformation::Unless(other) => match scope.value(other).filter(|other| !other.is_null()) {
            Some(_) => None,
            None => Some(value),
        },
        Transformation::Trim => Some(at.text(&value)?.trim().into()),
        Transformation::Lowercase => Some(at.text(&value)?.to_lowercase().into()),
        Transformation::Uppercase => Some(at.text(&value)?.to_uppercase().into()),
        Transformation::Digits => filled(at.text(&value)?.chars().filter(char::is_ascii_digit).collect()),
        Transformation::Letters => filled(at.text(&value)?.chars().filter(|letter| letter.is_alphabetic()).collect()),
        Transformation::FirstWord => filled(at.text(&value)?.split_whitespace().take(1).collect()),
        Transformation::OtherWords => {
            let words: Vec<&str> = at.text(&value)?.split_whitespace().skip(1).collect();
            filled(words.join(" "))
        }
        Transformation::Truncate(length) => {
            Some(at.text(&value)?.chars().take(*length as usize).collect::<String>().into())
        }
        Transformation::After(text) => {
            at.text(&value)?.rsplit_once(text.as_str()).and_then(|(_, rest)| filled(rest.to_owned()))
        }
        Transformation::Before(text) => {
            at.text(&value)?.split_once(text.as_str()).and_then(|(rest, _)| filled(rest.to_owned()))
        }
        Transformation::Md5 => Some(hex(&Md5::digest(at.text(&value)?)).into()),
        Transformation::Sha256 => {
            Some(hex(digest::digest(&digest::SHA256, at.text(&value)?.as_bytes()).as_ref()).into())
        }
        Transformation::Base64 => Some(STANDARD.encode(at.text(&value)?).into()),
        Transformation::MinorUnits(currency) => {
            let digits = at.decimals(currency)?;
            let units = amount::to_units(&as_text(&value), digits).map_err(|why| at.inexact(why, digits))?;
            Some(units.into())
        }
        Transformation::MajorUnits(currency) => {
            let digits = at.decimals(currency)?;
            Some(amount::units_to_number(at.integer(&value)?, digits).into())
        }
        Transformation::Fixed(digits) => {
            Some(amount::fixed(&as_text(&value), *digits).map_err(|why| at.inexact(why, *digits))?.into())
        }
        Transformation::UnixSeconds => Some(at.time(&value)?.as_second().into()),
        Transformation::UnixMilliseconds => Some(at.time(&value)?.as_millisecond().into()),
        Transformation::UnixMicroseconds => Some(at.time(&value)?.as_microsecond().into()),
        Transformation::FromUnixSeconds => Some(at.moment(&value, Timestamp::from_second)?),
        Transformation::FromUnixMilliseconds => Some(at.moment(&value, Timestamp::from_millisecond)?),
        Transformation::Day => Some(at.time(&value)?.strftime("%Y-%m-%d").to_string().into()),
        Transformation::JsonText => Some(value.to_string().into()),
        Transformation::Text => Some(as_text(&value).into()),
        Transformation::Integer => Some(at.integer(&value)?.into()),
        Transformation::Count => {
            let items = value.as_array().ok_or_else(|| at.is_not("a list"))?;
            Some(items.len().into())
        }
        Transformation::Plus(other) => Some(at.whole(at.integer(&value)?.checked_add(at.other(other)?))?),
        Transformation::Minus(other) => Some(at.whole(at.integer(&value)?.checked_sub(at.other(other)?))?),
        Transformation::Times(other) => Some(at.times(&value, other)?),
        Transformation::Sum => {
            let items = value.as_array().ok_or_else(|| at.is_not("a list"))?;
            let numbers: Vec<i64> = items.iter().map(|item| at.integer(item)).collect::<Result<_, _>>()?;
            Some(at.whole(numbers.into_iter().try_fold(0, i64::checked_add))?)
        }
        Transformation::Equals(other) => {
            let other = scope.value(other).filter(|other| !other.is_null());
            Some(Value::Bool(other.is_some_and(|other| as_text(&other) == as_text(&value))))
        }
        Transformation::Positive => Some(at.integer(&value)?).filter(|number| *number > 0).map(Value::from),
        Transformation::WithParameter(other) => match scope.value(other).filter(|other| !other.is_null()) {
            Some(said) => Some(with_parameter(at.text(&value)?, &other.last_name(), &as_text(&said)).into()),
            None => Some(value),
        },
    })
}

/// The expression that is worked on.
struct At<'e> {
    of: &'e Expression,
    scope: &'e dyn Scope,
}

impl At<'_> {
    fn is_not(&self, wanted: &'static str) -> FillError {
        FillError::Kind { expression: self.of.to_string(), wanted }
    }

    fn inexact(&self, why: Inexact, digits: u32) -> FillError {
        match why {
            Inexact::NoNumber => self.is_not("a number"),
            Inexact::TooManyDigits => FillError::NotExact { expression: self.of.to_string(), digits },
        }
    }

    fn text<'v>(&self, value: &'v Value) -> Result<&'v str, FillError> {
        value.as_str().ok_or_else(|| self.is_not("text"))
    }

    fn integer(&self, value: &Value) -> Result<i64, FillError> {
        as_text(value).trim().parse().map_err(|_| self.is_not("a whole number"))
    }

    /// The number that another name stands for; nothing counts as zero.
    fn other(&self, name: &Reference) -> Result<i64, FillError> {
        self.scope.value(name).filter(|value| !value.is_null()).map_or(Ok(0), |value| self.integer(&value))
    }

    fn whole(&self, number: Option<i64>) -> Result<Value, FillError> {
        number.map(Value::from).ok_or_else(|| self.is_not("a number that can be counted with"))
    }

    /// A number times another; or the items of a list, each times its fellow of another list.
    fn times(&self, value: &Value, name: &Reference) -> Result<Value, FillError> {
        let product =
            |(left, right): (&Value, &Value)| self.whole(self.integer(left)?.checked_mul(self.integer(right)?));
        match (value, self.scope.value(name)) {
            (Value::Array(left), Some(Value::Array(right))) if left.len() == right.len() => {
                Ok(Value::Array(left.iter().zip(&right).map(product).collect::<Result<_, _>>()?))
            }
            (Value::Array(_), _) => Err(self.is_not("a list as long as the other one")),
            (_, right) => product((value, &right.unwrap_or_default())),
        }
    }

    fn time(&self, value: &Value) -> Result<Timestamp, FillError> {
        self.text(value)?.parse().map_err(|_| self.is_not("a point in time"))
    }

    fn moment(&self, value: &Value, made: fn(i64) -> Result<Timestamp, jiff::Error>) -> Result<Value, FillError> {
        let time = made(self.integer(value)?).map_err(|_| self.is_not("a point in time"))?;
        Ok(Value::String(time.to_string()))
    }

    fn decimals(&self, currency: &Reference) -> Result<u32, FillError> {
        let code = self.scope.value(currency).map(|value| as_text(&value)).unwrap_or_default();
        let wrong = || FillError::Currency { expression: self.of.to_string() };
        amount::decimals(&code, self.scope.currencies()).ok_or_else(wrong)
    }
}

/// The address with one more parameter, in front of its fragment.
fn with_parameter(address: &str, name: &str, said: &str) -> String {
    let (address, fragment) = address.find('#').map_or((address, ""), |mark| address.split_at(mark));
    let mark = if address.contains('?') { '&' } else { '?' };
    format!("{address}{mark}{name}={}{fragment}", encode::percent(said))
}

fn filled(text: String) -> Option<Value> {
    (!text.is_empty()).then_some(Value::String(text))
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|digit| char::from(b"0123456789abcdef"[usize::from(digit)]))
        .collect()
}
