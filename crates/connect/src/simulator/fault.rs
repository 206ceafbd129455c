//! Mishaps on purpose: which, and on which occasion. `rate_limit` is every time, `rate_limit:0.2` is a chance, `rate_limit:3` is
//! the third time and no other.

use super::chance::Chance;
use manifest::simulator::Fault;
use std::fmt;

/// A mishap and when it happens.
#[derive(Debug, Clone, PartialEq)]
pub struct Mishap {
    fault: Fault,
    when: Occasion,
    /// Occasions so far.
    seen: u64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Occasion {
    Always,
    Chance(f64),
    Nth(u64),
}

/// A text that names no mishap.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoMishap {
    /// There is none of that name.
    #[error("`{asked}` is no fault of this provider: it has {known}")]
    Unknown {
        /// What was asked.
        asked: String,
        /// What there is.
        known: String,
    },
    /// What stands behind it says nothing.
    #[error("`{0}` is no occasion: write a chance such as `0.2`, or a number such as `3` for the third time")]
    Occasion(String),
}

impl Mishap {
    /// Reads `NAME`, `NAME:0.2` or `NAME:3`.
    ///
    /// # Errors
    /// [`NoMishap`] with what could stand there.
    pub fn parse(text: &str, known: &[Fault]) -> Result<Self, NoMishap> {
        let (name, when) = text.split_once(':').map_or((text, None), |(name, when)| (name, Some(when)));
        let fault = known.iter().find(|fault| fault.as_str() == name).copied().ok_or_else(|| NoMishap::Unknown {
            asked: name.to_owned(),
            known: known.iter().map(|fault| format!("`{}`", fault.as_str())).collect::<Vec<_>>().join(", "),
        })?;
        let wrong = || NoMishap::Occasion(when.unwrap_or_default().to_owned());
        let when = match when {
            None => Occasion::Always,
            Some(text) if text.contains('.') => {
                Occasion::Chance(text.parse().ok().filter(|chance| (0.0..=1.0).contains(chance)).ok_or_else(wrong)?)
            }
            Some(text) => Occasion::Nth(text.parse().ok().filter(|number| *number > 0).ok_or_else(wrong)?),
        };
        Ok(Self { fault, when, seen: 0 })
    }
}

impl fmt::Display for Mishap {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.when {
            Occasion::Always => formatter.write_str(self.fault.as_str()),
            Occasion::Chance(chance) => write!(formatter, "{}:{chance:?}", self.fault.as_str()),
            Occasion::Nth(number) => write!(formatter, "{}:{number}", self.fault.as_str()),
        }
    }
}

/// Whether one happens now. Each occasion counts.
pub(super) fn happens(mishaps: &mut [Mishap], fault: Fault, chance: &mut Chance) -> bool {
    let mut happens = false;
    for mishap in mishaps.iter_mut().filter(|mishap| mishap.fault == fault) {
        mishap.seen += 1;
        happens |= match mishap.when {
            Occasion::Always => true,
            Occasion::Chance(probability) => chance.happens(probability),
            Occasion::Nth(number) => mishap.seen == number,
        };
    }
    happens
}
