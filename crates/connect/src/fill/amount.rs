//! Exact decimal numbers as text: the point is moved, nothing is rounded.

use manifest::provider::Currencies;

/// How many digits a currency has behind the point. None where the provider does not take it, or it is no code.
pub fn decimals(currency: &str, currencies: Option<&Currencies>) -> Option<u32> {
    let code = currency.to_ascii_uppercase();
    let is_code = code.len() == 3 && code.bytes().all(|letter| letter.is_ascii_uppercase());
    let among = |codes: &[String]| codes.contains(&code);
    match currencies {
        _ if !is_code => None,
        Some(known) if among(&known.not_taken) => None,
        Some(known) if among(&known.without_decimals) => Some(0),
        Some(known) if among(&known.with_three_decimals) => Some(3),
        Some(_) | None => Some(2),
    }
}

/// Why a number cannot be written so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inexact {
    /// It is no decimal number.
    NoNumber,
    /// Digits would be lost.
    TooManyDigits,
}

/// A number with exactly so many digits behind the point: `19.9` with two is `19.90`.
pub fn fixed(number: &str, digits: u32) -> Result<String, Inexact> {
    let (sign, whole, fraction) = parts(number)?;
    let digits = digits as usize;
    let kept = fraction.trim_end_matches('0');
    if kept.len() > digits {
        return Err(Inexact::TooManyDigits);
    }
    let point = if digits == 0 { "" } else { "." };
    Ok(format!("{sign}{whole}{point}{kept:0<digits$}"))
}

/// A number as whole units of which ten to the power of `digits` make one: `19.99` with two is 1999.
pub fn to_units(number: &str, digits: u32) -> Result<i64, Inexact> {
    fixed(number, digits)?.replace('.', "").parse().map_err(|_| Inexact::TooManyDigits)
}

/// The opposite of [`to_units`]: 1999 with two is `19.99`.
pub fn units_to_number(units: i64, digits: u32) -> String {
    let digits = digits as usize;
    let sign = if units < 0 { "-" } else { "" };
    let text = format!("{:0>width$}", units.unsigned_abs(), width = digits + 1);
    let (whole, fraction) = text.split_at(text.len() - digits);
    let point = if digits == 0 { "" } else { "." };
    format!("{sign}{whole}{point}{fraction}")
}

/// Sign, digits before the point without zeros in front, digits behind it.
fn parts(number: &str) -> Result<(&str, &str, &str), Inexact> {
    let (sign, rest) = match number.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", number),
    };
    let (whole, fraction) = rest.split_once('.').unwrap_or((rest, "0"));
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_digits(whole) || !is_digits(fraction) {
        return Err(Inexact::NoNumber);
    }
    let trimmed = whole.trim_start_matches('0');
    Ok((sign, if trimmed.is_empty() { "0" } else { trimmed }, fraction))
}
