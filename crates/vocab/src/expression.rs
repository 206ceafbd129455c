//! How expressions over columns are written, in tasks and in requests: comparisons that `and`, `or` (which binds weaker), `not` and parentheses
//! join. What may be compared with what is the business of whoever reads one.

use crate::Comparison;
use std::fmt;

/// Most comparisons in one expression.
const MAX_COMPARISONS: usize = 32;
/// How deep parentheses and `not` may stand in each other.
const MAX_DEPTH: usize = 8;

/// How comparisons are written; of two that begin alike the longer one first.
pub const SIGNS: [(&str, Comparison); 6] = [
    ("=", Comparison::Equal),
    ("!=", Comparison::NotEqual),
    ("<=", Comparison::AtMost),
    ("<", Comparison::Less),
    (">=", Comparison::AtLeast),
    (">", Comparison::Greater),
];

/// What an expression must have, and has not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Misread {
    /// Something at a place.
    Missing {
        /// What.
        what: String,
        /// The character, 0 being the first.
        at: usize,
    },
    /// Fewer levels.
    TooDeep,
    /// Fewer comparisons.
    TooMany,
}

impl fmt::Display for Misread {
    /// What stands behind `must have`; people count characters from 1.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { what, at } => write!(formatter, "{what} at character {}", at + 1),
            Self::TooDeep => write!(formatter, "`not` and `(` at most {MAX_DEPTH} deep"),
            Self::TooMany => write!(formatter, "at most {MAX_COMPARISONS} comparisons"),
        }
    }
}

/// What becomes of parts that are joined.
pub struct Joints<T> {
    /// At least one of them.
    pub any: fn(Vec<T>) -> T,
    /// Every one of them.
    pub all: fn(Vec<T>) -> T,
    /// Not that.
    pub not: fn(T) -> T,
}

/// A value as it is written.
pub struct Written {
    /// Without quotes around it.
    pub text: String,
    /// Whether there were some.
    pub is_quoted: bool,
    /// The character at which it begins, 0 being the first.
    pub at: usize,
}

/// Reads an expression from its beginning to its end.
pub struct Reader {
    letters: Vec<char>,
    is_space: fn(char) -> bool,
    at: usize,
    comparisons: usize,
    depth: usize,
}

impl Reader {
    /// Of a text; `is_space` are characters between words.
    #[must_use]
    pub fn new(text: &str, is_space: fn(char) -> bool) -> Self {
        Self { letters: text.chars().collect(), is_space, at: 0, comparisons: 0, depth: 0 }
    }

    /// The whole text; `comparison` reads one of its comparisons.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn whole<T, E: From<Misread>>(
        &mut self,
        joints: &Joints<T>,
        comparison: &dyn Fn(&mut Self) -> Result<T, E>,
    ) -> Result<T, E> {
        let read = self.any(joints, comparison)?;
        self.skip();
        match self.at == self.letters.len() {
            true => Ok(read),
            false => Err(self.missing("`and`, `or` or the end").into()),
        }
    }

    fn any<T, E: From<Misread>>(
        &mut self,
        joints: &Joints<T>,
        comparison: &dyn Fn(&mut Self) -> Result<T, E>,
    ) -> Result<T, E> {
        self.joined("or", joints.any, &|reader| {
            reader.joined("and", joints.all, &|reader| reader.one(joints, comparison))
        })
    }

    fn joined<T, E>(
        &mut self,
        word: &str,
        join: fn(Vec<T>) -> T,
        part: &dyn Fn(&mut Self) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut parts = vec![part(self)?];
        while self.takes_word(word) {
            parts.push(part(self)?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { join(parts) })
    }

    fn one<T, E: From<Misread>>(
        &mut self,
        joints: &Joints<T>,
        comparison: &dyn Fn(&mut Self) -> Result<T, E>,
    ) -> Result<T, E> {
        if self.takes_word("not") {
            return Ok((joints.not)(self.deeper(&|reader| reader.one(joints, comparison))?));
        }
        if self.takes("(") {
            let inner = self.deeper(&|reader| reader.any(joints, comparison))?;
            return if self.takes(")") { Ok(inner) } else { Err(self.missing("`and`, `or` or `)`").into()) };
        }
        comparison(self)
    }

    fn deeper<T, E: From<Misread>>(&mut self, part: &dyn Fn(&mut Self) -> Result<T, E>) -> Result<T, E> {
        if self.depth == MAX_DEPTH {
            return Err(Misread::TooDeep.into());
        }
        self.depth += 1;
        let inner = part(self)?;
        self.depth -= 1;
        Ok(inner)
    }

    /// The name with which a comparison begins; `named` says what it stands for, or what there should have been.
    ///
    /// # Errors
    /// It stands for nothing, or there are too many comparisons.
    pub fn subject<T>(&mut self, named: impl FnOnce(&str) -> Result<T, String>) -> Result<T, Misread> {
        self.skip();
        let at = self.at;
        let name = self.word();
        let subject = named(&name).map_err(|what| Misread::Missing { what, at })?;
        self.comparisons += 1;
        if self.comparisons > MAX_COMPARISONS { Err(Misread::TooMany) } else { Ok(subject) }
    }

    /// Values between parentheses, with commas between; `each` reads one.
    ///
    /// # Errors
    /// A sign is missing, or `each` finds something wrong.
    pub fn list<E: From<Misread>>(&mut self, mut each: impl FnMut(&mut Self) -> Result<(), E>) -> Result<(), E> {
        if !self.takes("(") {
            return Err(self.missing("`(`").into());
        }
        loop {
            each(self)?;
            if self.takes(")") {
                return Ok(());
            }
            if !self.takes(",") {
                return Err(self.missing("`,` or `)`").into());
            }
        }
    }

    /// A word, or a text between quotes in which a quote is written twice.
    ///
    /// # Errors
    /// There is none, or it does not end.
    pub fn value(&mut self) -> Result<Written, Misread> {
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
        self.at += 1;
        while let Some(letter) = self.letters.get(self.at).copied() {
            self.at += 1;
            if letter == quote {
                if self.letters.get(self.at) != Some(&quote) {
                    return Ok(Written { text, is_quoted: true, at });
                }
                self.at += 1;
            }
            text.push(letter);
        }
        Err(self.missing("the quote that ends a text"))
    }

    /// Whether the word comes next; if so, it is read.
    pub fn takes_word(&mut self, word: &str) -> bool {
        let begin = self.at;
        self.skip();
        if self.word() == word {
            return true;
        }
        self.at = begin;
        false
    }

    /// Whether the sign comes next; if so, it is read. Of two that begin alike the longer one is asked for first.
    pub fn takes(&mut self, sign: &str) -> bool {
        self.skip();
        let is_here =
            sign.chars().enumerate().all(|(index, letter)| self.letters.get(self.at + index) == Some(&letter));
        if is_here {
            self.at += sign.len();
        }
        is_here
    }

    /// What should come next.
    #[must_use]
    pub fn missing(&mut self, what: &str) -> Misread {
        self.skip();
        Misread::Missing { what: what.to_owned(), at: self.at }
    }

    fn word(&mut self) -> String {
        let is_of_word =
            |letter: &&char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '.' | ':' | '+' | '-');
        let word: String = self.letters[self.at..].iter().take_while(is_of_word).collect();
        // Words are ASCII: as many characters as bytes.
        self.at += word.len();
        word
    }

    fn skip(&mut self) {
        while self.letters.get(self.at).is_some_and(|letter| (self.is_space)(*letter)) {
            self.at += 1;
        }
    }
}
