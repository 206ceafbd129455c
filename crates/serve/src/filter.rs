//! The `filter` of a list: comparisons that `and`, `or`, `not` and parentheses join, checked against what the plan lets a request ask.
//! `lib/filter.js` of the Node.js application reads the same.

use crate::validation::{Why, parameter_value};
use dialect::{Place, Wanted};
use plan::query::MAX_FILTER_LENGTH;
use vocab::expression::{Joints, Misread, Reader, SIGNS, Written};
use vocab::{ColumnName, Comparison, Datum, FieldType};

/// Most values of one `in`.
const MAX_VALUES: usize = 100;

/// What may be asked of one column.
pub(crate) struct Offer {
    pub column: ColumnName,
    pub field_type: FieldType,
    pub comparisons: Vec<Comparison>,
}

impl Offer {
    /// Whoever may ask what is equal may ask what is not.
    fn has(&self, comparison: Comparison) -> bool {
        let asked = if comparison == Comparison::NotEqual { Comparison::Equal } else { comparison };
        self.comparisons.contains(&asked)
    }

    /// Whether parts of it can be looked for.
    fn is_text(&self) -> bool {
        matches!(self.field_type, FieldType::Line { .. } | FieldType::Email | FieldType::Phone | FieldType::Url)
            && self.has(Comparison::Equal)
    }
}

/// What parts become that are joined.
const JOINTS: Joints<Wanted> =
    Joints { any: Wanted::Any, all: Wanted::All, not: |wanted| Wanted::Not(Box::new(wanted)) };

impl From<Misread> for Why {
    fn from(misread: Misread) -> Self {
        let code = match misread {
            Misread::Missing { .. } => "format",
            Misread::TooDeep | Misread::TooMany => "range",
        };
        Self::new(code, format!("must have {misread}"))
    }
}

/// What a filter asks, or the first thing that is wrong with it.
pub(crate) fn read(text: &str, offers: &[Offer]) -> Result<Wanted, Why> {
    if text.chars().count() > MAX_FILTER_LENGTH {
        return Err(Why::new("too_long", format!("must have at most {MAX_FILTER_LENGTH} characters")));
    }
    Reader::new(text, |letter| letter == ' ').whole(&JOINTS, &|reader| comparison(reader, offers))
}

fn comparison(reader: &mut Reader, offers: &[Offer]) -> Result<Wanted, Why> {
    let offer = reader.subject(|name| {
        let names = || offers.iter().map(|offer| offer.column.as_str()).collect::<Vec<_>>().join(", ");
        offers.iter().find(|offer| offer.column.as_str() == name).ok_or_else(|| format!("one of {}", names()))
    })?;
    let column = || offer.column.clone();
    if offer.has(Comparison::Equal) && reader.takes_word("in") {
        let mut values = Vec::new();
        reader.list(|reader| {
            values.push(typed(offer, &reader.value()?)?);
            match values.len() > MAX_VALUES {
                true => Err(Why::new("range", format!("must have at most {MAX_VALUES} values in one `in`"))),
                false => Ok(()),
            }
        })?;
        return Ok(Wanted::OneOf(column(), values));
    }
    for (word, place) in [("contains", Place::Anywhere), ("starts", Place::Beginning)] {
        if offer.is_text() && reader.takes_word(word) {
            let value = reader.value()?;
            return match (value.text.is_empty(), value.text.contains('\0')) {
                (true, _) => Err(Why::new("required", "is required").at(value.at)),
                (_, true) => Err(Why::new("invalid_character", "must not contain control characters").at(value.at)),
                (false, false) => Ok(Wanted::Holds(column(), place, Datum::Text(value.text))),
            };
        }
    }
    for (sign, comparison) in SIGNS {
        if offer.has(comparison) && reader.takes(sign) {
            let value = reader.value()?;
            if !value.is_quoted && value.text == "null" {
                return match comparison {
                    Comparison::Equal => Ok(Wanted::Null(column())),
                    Comparison::NotEqual => Ok(Wanted::Not(Box::new(Wanted::Null(column())))),
                    Comparison::Less | Comparison::AtMost | Comparison::Greater | Comparison::AtLeast => {
                        Err(Why::new("format", "must be a value, which null is not,").at(value.at))
                    }
                };
            }
            return Ok(Wanted::Compare(column(), comparison, typed(offer, &value)?));
        }
    }
    let mut words: Vec<&str> =
        SIGNS.iter().filter(|(_, comparison)| offer.has(*comparison)).map(|(sign, _)| *sign).collect();
    words.extend(offer.has(Comparison::Equal).then_some("in"));
    words.extend(offer.is_text().then_some(["contains", "starts"]).into_iter().flatten());
    Err(reader.missing(&format!("one of {}", words.join(", "))).into())
}

fn typed(offer: &Offer, value: &Written) -> Result<Datum, Why> {
    parameter_value(&offer.field_type, &value.text).map_err(|why| why.at(value.at))
}
