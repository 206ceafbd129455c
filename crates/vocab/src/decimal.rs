//! Exact decimal numbers: a whole number of units, and how many digits of it stand behind the point. Text in, text out;
//! never a floating-point number, so `0.10` stays `0.10`.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// Digits of a decimal number, on both sides of the point together: what JSON readers that know only doubles, and SQLite's
/// integers in JavaScript (2^53), hold exactly.
pub const DIGITS: u8 = 15;
/// Most digits behind the point.
pub const MAX_SCALE: u8 = 10;

/// A decimal number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decimal {
    units: i64,
    scale: u8,
}

/// Why a text is no decimal number of some scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotADecimal {
    /// It is no number: `-`, digits, and perhaps a point with digits behind it.
    Form,
    /// It has more digits behind the point.
    Decimals,
    /// It has more digits before the point.
    TooLarge,
}

impl Decimal {
    /// That many units of the last digit: 1250 of scale 2 is `12.50`.
    #[must_use]
    pub fn new(units: i64, scale: u8) -> Self {
        Self { units, scale }
    }

    /// The number that the text says, with `scale` digits behind its point.
    ///
    /// # Errors
    /// [`NotADecimal`] where it is none, or has more digits than fit.
    pub fn parse(text: &str, scale: u8) -> Result<Self, NotADecimal> {
        let (is_negative, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
        let (whole, fraction) = match digits.split_once('.') {
            Some((whole, fraction)) if !fraction.is_empty() => (whole, fraction),
            Some(_) => return Err(NotADecimal::Form),
            None => (digits, ""),
        };
        if whole.is_empty() || !whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit()) {
            return Err(NotADecimal::Form);
        }
        if fraction.len() > usize::from(scale) {
            return Err(NotADecimal::Decimals);
        }
        if whole.len() > usize::from(DIGITS.saturating_sub(scale)) {
            return Err(NotADecimal::TooLarge);
        }
        let padded = format!("{whole}{fraction:0<width$}", width = usize::from(scale));
        let units: i64 = padded.parse().map_err(|_| NotADecimal::TooLarge)?;
        Ok(Self { units: if is_negative { -units } else { units }, scale })
    }

    /// The number in units of its last digit, as databases keep it.
    #[must_use]
    pub fn units(self) -> i64 {
        self.units
    }

    /// Digits behind the point.
    #[must_use]
    pub fn scale(self) -> u8 {
        self.scale
    }

    /// So many times the number, where that fits.
    #[must_use]
    pub fn times(self, factor: i64) -> Option<Self> {
        self.units.checked_mul(factor).and_then(|units| Self::fitting(units, self.scale))
    }

    /// The sum of two numbers with as many decimals, where that fits.
    #[must_use]
    pub fn plus(self, other: Self) -> Option<Self> {
        let units = self.units.checked_add(other.units).filter(|_| self.scale == other.scale)?;
        Self::fitting(units, self.scale)
    }

    fn fitting(units: i64, scale: u8) -> Option<Self> {
        (units.unsigned_abs() < 10_u64.pow(u32::from(DIGITS))).then_some(Self { units, scale })
    }

    /// The greatest number of a scale; its negative is the least.
    #[must_use]
    pub fn greatest(scale: u8) -> Self {
        Self { units: 10_i64.pow(u32::from(DIGITS)) - 1, scale }
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.units < 0 { "-" } else { "" };
        let scale = usize::from(self.scale);
        let digits = format!("{:0>width$}", self.units.unsigned_abs(), width = scale + 1);
        match digits.split_at(digits.len() - scale) {
            (whole, "") => write!(formatter, "{sign}{whole}"),
            (whole, fraction) => write!(formatter, "{sign}{whole}.{fraction}"),
        }
    }
}

impl Serialize for Decimal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Decimal {
    /// The text tells the scale.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let scale = text.split_once('.').map_or(0, |(_, fraction)| fraction.len());
        let scale = u8::try_from(scale).map_err(serde::de::Error::custom)?;
        Self::parse(&text, scale).map_err(|_| serde::de::Error::custom("not a decimal number"))
    }
}

#[cfg(test)]
mod tests {
    use super::{Decimal, NotADecimal};

    #[test]
    fn texts_become_units_and_units_texts() {
        for (text, scale, expected) in [
            ("12.5", 2, Ok("12.50")),
            ("12", 2, Ok("12.00")),
            ("-0.00", 2, Ok("0.00")),
            ("-0.01", 2, Ok("-0.01")),
            ("007", 1, Ok("7.0")),
            ("9999999999999.99", 2, Ok("9999999999999.99")),
            ("10000000000000", 2, Err(NotADecimal::TooLarge)),
            ("1.005", 2, Err(NotADecimal::Decimals)),
            ("1.500", 2, Err(NotADecimal::Decimals)),
            ("", 2, Err(NotADecimal::Form)),
            ("-", 2, Err(NotADecimal::Form)),
            (".5", 2, Err(NotADecimal::Form)),
            ("5.", 2, Err(NotADecimal::Form)),
            ("+5", 2, Err(NotADecimal::Form)),
            ("1e3", 2, Err(NotADecimal::Form)),
            ("1,50", 2, Err(NotADecimal::Form)),
            ("NaN", 2, Err(NotADecimal::Form)),
            ("1.2.3", 2, Err(NotADecimal::Form)),
        ] {
            let parsed = Decimal::parse(text, scale).map(|number| number.to_string());
            assert_eq!(parsed, expected.map(str::to_owned), "{text}");
        }
    }

    #[test]
    fn what_has_too_many_digits_is_no_product_and_no_sum() {
        let price = Decimal::new(2490, 2);
        assert_eq!(price.times(2), Some(Decimal::new(4980, 2)));
        assert_eq!(price.times(0).and_then(|none| none.plus(price)), Some(price));
        assert_eq!(price.plus(Decimal::new(1, 3)), None);
        let greatest = Decimal::greatest(2);
        assert_eq!((greatest.times(2), greatest.plus(Decimal::new(1, 2)), price.times(i64::MAX)), (None, None, None));
    }

    #[test]
    fn serialised_and_back() {
        let number = Decimal::new(-1250, 2);
        let text = serde_json::to_string(&number).unwrap();
        assert_eq!(text, "\"-12.50\"");
        assert_eq!(serde_json::from_str::<Decimal>(&text).unwrap(), number);
    }
}
