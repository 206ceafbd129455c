//! The `filter` of a list: comparisons that `and`, `or`, `not` and parentheses join, checked against what the plan lets a request ask.
//! `lib/filter.js` of the Node.js application reads the same.

use crate::validation::{Why, parameter_value};
use dialect::{Place, Wanted};
use plan::query::MAX_FILTER_LENGTH;
use plan::value::Comparison;
use vocab::{ColumnName, Datum, FieldType};

/// Most comparisons in one filter.
const MAX_COMPARISONS: usize = 32;
/// How deep parentheses and `not` may stand in each other.
const MAX_DEPTH: usize = 8;
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

/// What a filter asks, or the first thing that is wrong with it.
pub(crate) fn read(text: &str, offers: &[Offer]) -> Result<Wanted, Why> {
    let letters: Vec<char> = text.chars().collect();
    if letters.len() > MAX_FILTER_LENGTH {
        return Err(Why::new("too_long", format!("must have at most {MAX_FILTER_LENGTH} characters")));
    }
    let mut reader = Reader { letters, at: 0, offers, comparisons: 0, depth: 0 };
    let wanted = reader.any()?;
    match reader.is_over() {
        true => Ok(wanted),
        false => Err(reader.missing("`and`, `or` or the end")),
    }
}

/// A value as it is written.
struct Written {
    text: String,
    is_quoted: bool,
    at: usize,
}

struct Reader<'o> {
    letters: Vec<char>,
    at: usize,
    offers: &'o [Offer],
    comparisons: usize,
    depth: usize,
}

impl Reader<'_> {
    fn any(&mut self) -> Result<Wanted, Why> {
        self.joined("or", Self::all, Wanted::Any)
    }

    fn all(&mut self) -> Result<Wanted, Why> {
        self.joined("and", Self::one, Wanted::All)
    }

    fn joined(
        &mut self,
        word: &str,
        part: fn(&mut Self) -> Result<Wanted, Why>,
        join: fn(Vec<Wanted>) -> Wanted,
    ) -> Result<Wanted, Why> {
        let first = part(self)?;
        let mut parts = vec![first];
        while self.takes_word(word) {
            parts.push(part(self)?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { join(parts) })
    }

    fn one(&mut self) -> Result<Wanted, Why> {
        if self.takes_word("not") {
            return Ok(Wanted::Not(Box::new(self.deeper(Self::one)?)));
        }
        if self.takes("(") {
            let inner = self.deeper(Self::any)?;
            return if self.takes(")") { Ok(inner) } else { Err(self.missing("`and`, `or` or `)`")) };
        }
        self.comparison()
    }

    fn deeper(&mut self, part: fn(&mut Self) -> Result<Wanted, Why>) -> Result<Wanted, Why> {
        if self.depth == MAX_DEPTH {
            return Err(Why::new("range", format!("must have `not` and `(` at most {MAX_DEPTH} deep")));
        }
        self.depth += 1;
        let inner = part(self)?;
        self.depth -= 1;
        Ok(inner)
    }

    fn comparison(&mut self) -> Result<Wanted, Why> {
        self.skip();
        let begin = self.at;
        let name = self.word();
        let Some(offer) = self.offers.iter().find(|offer| offer.column.as_str() == name) else {
            self.at = begin;
            let names: Vec<&str> = self.offers.iter().map(|offer| offer.column.as_str()).collect();
            return Err(self.missing(&format!("one of {}", names.join(", "))));
        };
        self.comparisons += 1;
        if self.comparisons > MAX_COMPARISONS {
            return Err(Why::new("range", format!("must have at most {MAX_COMPARISONS} comparisons")));
        }
        let column = || offer.column.clone();
        if offer.has(Comparison::Equal) && self.takes_word("in") {
            return Ok(Wanted::OneOf(column(), self.values(offer)?));
        }
        for (word, place) in [("contains", Place::Anywhere), ("starts", Place::Beginning)] {
            if offer.is_text() && self.takes_word(word) {
                let value = self.value()?;
                return match (value.text.is_empty(), value.text.contains('\0')) {
                    (true, _) => Err(Why::new("required", "is required").at(value.at)),
                    (_, true) => Err(Why::new("invalid_character", "must not contain control characters").at(value.at)),
                    (false, false) => Ok(Wanted::Holds(column(), place, Datum::Text(value.text))),
                };
            }
        }
        for (sign, comparison) in SIGNS {
            if offer.has(comparison) && self.takes(sign) {
                let value = self.value()?;
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
        Err(self.missing(&format!("one of {}", words.join(", "))))
    }

    fn values(&mut self, offer: &Offer) -> Result<Vec<Datum>, Why> {
        if !self.takes("(") {
            return Err(self.missing("`(`"));
        }
        let mut values = Vec::new();
        loop {
            let value = self.value()?;
            values.push(typed(offer, &value)?);
            if values.len() > MAX_VALUES {
                return Err(Why::new("range", format!("must have at most {MAX_VALUES} values in one `in`")));
            }
            if self.takes(")") {
                return Ok(values);
            }
            if !self.takes(",") {
                return Err(self.missing("`,` or `)`"));
            }
        }
    }

    /// A word, or a text between quotes in which a quote is written twice.
    fn value(&mut self) -> Result<Written, Why> {
        self.skip();
        let at = self.at;
        let Some(quote) = self.letters.get(at).copied().filter(|letter| matches!(letter, '"' | '\'')) else {
            let text = self.word();
            return if text.is_empty() {
                Err(self.missing("a value"))
            } else {
                Ok(Written { text, is_quoted: false, at })
            };
        };
        let mut text = String::new();
        let mut next = at + 1;
        loop {
            match (self.letters.get(next), self.letters.get(next + 1)) {
                (None, _) => {
                    self.at = next;
                    return Err(self.missing("the quote that ends a text"));
                }
                (Some(letter), Some(behind)) if *letter == quote && *behind == quote => {
                    text.push(quote);
                    next += 2;
                }
                (Some(letter), _) if *letter == quote => break,
                (Some(letter), _) => {
                    text.push(*letter);
                    next += 1;
                }
            }
        }
        self.at = next + 1;
        Ok(Written { text, is_quoted: true, at })
    }

    fn word(&mut self) -> String {
        let rest = &self.letters[self.at..];
        let word: String = rest.iter().take_while(|letter| is_of_word(**letter)).collect();
        // Words are ASCII: as many characters as bytes.
        self.at += word.len();
        word
    }

    fn takes_word(&mut self, word: &str) -> bool {
        let begin = self.at;
        self.skip();
        if self.word() == word {
            return true;
        }
        self.at = begin;
        false
    }

    /// Signs are asked for with the longer of two that begin alike first.
    fn takes(&mut self, sign: &str) -> bool {
        self.skip();
        let is_here =
            sign.chars().enumerate().all(|(index, letter)| self.letters.get(self.at + index) == Some(&letter));
        if is_here {
            self.at += sign.len();
        }
        is_here
    }

    fn skip(&mut self) {
        while self.letters.get(self.at).is_some_and(|letter| *letter == ' ') {
            self.at += 1;
        }
    }

    fn is_over(&mut self) -> bool {
        self.skip();
        self.at == self.letters.len()
    }

    fn missing(&mut self, what: &str) -> Why {
        self.skip();
        Why::new("format", format!("must have {what}")).at(self.at)
    }
}

/// How comparisons are written; of two that begin alike the longer one first.
const SIGNS: [(&str, Comparison); 6] = [
    ("=", Comparison::Equal),
    ("!=", Comparison::NotEqual),
    ("<=", Comparison::AtMost),
    ("<", Comparison::Less),
    (">=", Comparison::AtLeast),
    (">", Comparison::Greater),
];

fn is_of_word(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, '_' | '.' | ':' | '+' | '-')
}

fn typed(offer: &Offer, value: &Written) -> Result<Datum, Why> {
    parameter_value(&offer.field_type, &value.text).map_err(|why| why.at(value.at))
}
