//! The condition of an `access`: which rows an endpoint has to do with. The language is that of the `filter` of lists, and knows the caller
//! and the time besides; columns and values are the planner's to check.

use crate::codes::NOT_A_CONDITION;
use crate::document::Node;
use crate::lower::Lowering;
use crate::source::Spanned;
use vocab::ColumnName;

/// How deep parentheses and `not` may stand in each other.
const MAX_DEPTH: usize = 8;
/// Most comparisons in one condition.
const MAX_COMPARISONS: usize = 32;

/// What must hold of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowCondition {
    /// Every one of them.
    All(Vec<RowCondition>),
    /// At least one of them.
    Any(Vec<RowCondition>),
    /// Not that.
    Not(Box<RowCondition>),
    /// A column, or the caller's role, stands so to a value.
    Compare(Subject, Operator, Operand),
    /// A column, or the caller's role, is one of these words.
    OneOf(Subject, Vec<String>),
    /// A column is null.
    Null(ColumnName),
}

impl RowCondition {
    /// The words with which the caller's role is compared.
    #[must_use]
    pub fn roles(&self) -> Vec<&str> {
        match self {
            Self::All(inner) | Self::Any(inner) => inner.iter().flat_map(Self::roles).collect(),
            Self::Not(inner) => inner.roles(),
            Self::Compare(Subject::CallerRole, _, Operand::Literal(role)) => vec![role],
            Self::OneOf(Subject::CallerRole, roles) => roles.iter().map(String::as_str).collect(),
            Self::Compare(..) | Self::OneOf(..) | Self::Null(_) => Vec::new(),
        }
    }
}

/// What is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// A column of the row.
    Column(ColumnName),
    /// `caller.role`.
    CallerRole,
}

/// What it is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operand {
    /// A value as it is written.
    Literal(String),
    /// `caller.id`: the user who calls.
    CallerId,
    /// `caller.role`: the role of the caller's account.
    CallerRole,
    /// `now`: the time at which the request arrived, or its day.
    Now,
}

/// How.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    Greater,
    /// `>=`
    AtLeast,
}

/// Of two signs that begin alike the longer one first.
const SIGNS: [(&str, Operator); 6] = [
    ("=", Operator::Equal),
    ("!=", Operator::NotEqual),
    ("<=", Operator::AtMost),
    ("<", Operator::Less),
    (">=", Operator::AtLeast),
    (">", Operator::Greater),
];
const CALLER_ID: &str = "caller.id";
const CALLER_ROLE: &str = "caller.role";
const NOW: &str = "now";
const NULL: &str = "null";

/// Checks the value of `where`.
pub(crate) fn lower(lowering: &mut Lowering<'_>, text: &str, node: &Node) -> Option<Spanned<RowCondition>> {
    let mut reader = Reader { letters: text.chars().collect(), at: 0, comparisons: 0, depth: 0 };
    let read = reader.any().and_then(|read| match reader.is_over() {
        true => Ok(read),
        false => Err(reader.missing("`and`, `or` or the end")),
    });
    match read {
        Ok(condition) => Some(lowering.source.spanned(condition, node.span)),
        Err(why) => {
            let help = "write comparisons as `status = published and user_id = caller.id`, joined by `and`, `or`, `not` and parentheses";
            lowering.error(NOT_A_CONDITION, format!("the condition must have {why}"), node.span, help);
            None
        }
    }
}

struct Reader {
    letters: Vec<char>,
    at: usize,
    comparisons: usize,
    depth: usize,
}

/// A word, or a text between quotes.
struct Written {
    text: String,
    is_quoted: bool,
}

type Read<T> = Result<T, String>;

impl Reader {
    fn any(&mut self) -> Read<RowCondition> {
        self.joined("or", Self::all, RowCondition::Any)
    }

    fn all(&mut self) -> Read<RowCondition> {
        self.joined("and", Self::one, RowCondition::All)
    }

    fn joined(
        &mut self,
        word: &str,
        part: fn(&mut Self) -> Read<RowCondition>,
        join: fn(Vec<RowCondition>) -> RowCondition,
    ) -> Read<RowCondition> {
        let mut parts = vec![part(self)?];
        while self.takes_word(word) {
            parts.push(part(self)?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { join(parts) })
    }

    fn one(&mut self) -> Read<RowCondition> {
        if self.takes_word("not") {
            return Ok(RowCondition::Not(Box::new(self.deeper(Self::one)?)));
        }
        if self.takes("(") {
            let inner = self.deeper(Self::any)?;
            return if self.takes(")") { Ok(inner) } else { Err(self.missing("`and`, `or` or `)`")) };
        }
        self.comparison()
    }

    fn deeper(&mut self, part: fn(&mut Self) -> Read<RowCondition>) -> Read<RowCondition> {
        if self.depth == MAX_DEPTH {
            return Err(format!("`not` and `(` at most {MAX_DEPTH} deep"));
        }
        self.depth += 1;
        let inner = part(self)?;
        self.depth -= 1;
        Ok(inner)
    }

    fn comparison(&mut self) -> Read<RowCondition> {
        self.skip();
        let begin = self.at;
        let name = self.word();
        let subject = match ColumnName::parse(&name) {
            _ if name == CALLER_ROLE => Subject::CallerRole,
            Ok(column) => Subject::Column(column),
            Err(_) => {
                self.at = begin;
                return Err(self.missing("a column or `caller.role`"));
            }
        };
        self.comparisons += 1;
        if self.comparisons > MAX_COMPARISONS {
            return Err(format!("at most {MAX_COMPARISONS} comparisons"));
        }
        if self.takes_word("in") {
            return Ok(RowCondition::OneOf(subject, self.values()?));
        }
        for (sign, operator) in SIGNS {
            if !self.takes(sign) {
                continue;
            }
            let value = self.value()?;
            let operand = match value.text.as_str() {
                NULL if !value.is_quoted => return self.null(subject, operator),
                CALLER_ID if !value.is_quoted => Operand::CallerId,
                CALLER_ROLE if !value.is_quoted => Operand::CallerRole,
                NOW if !value.is_quoted => Operand::Now,
                _ => Operand::Literal(value.text),
            };
            return Ok(RowCondition::Compare(subject, operator, operand));
        }
        let signs: Vec<&str> = SIGNS.iter().map(|(sign, _)| *sign).collect();
        Err(self.missing(&format!("one of {}, in", signs.join(", "))))
    }

    fn null(&mut self, subject: Subject, operator: Operator) -> Read<RowCondition> {
        match (subject, operator) {
            (Subject::Column(column), Operator::Equal) => Ok(RowCondition::Null(column)),
            (Subject::Column(column), Operator::NotEqual) => {
                Ok(RowCondition::Not(Box::new(RowCondition::Null(column))))
            }
            _ => Err("a value where `null` stands: only a column is compared with it, by `=` or `!=`".to_owned()),
        }
    }

    fn values(&mut self) -> Read<Vec<String>> {
        if !self.takes("(") {
            return Err(self.missing("`(`"));
        }
        let mut values = Vec::new();
        loop {
            values.push(self.value()?.text);
            if self.takes(")") {
                return Ok(values);
            }
            if !self.takes(",") {
                return Err(self.missing("`,` or `)`"));
            }
        }
    }

    /// A word, or a text between quotes in which a quote is written twice.
    fn value(&mut self) -> Read<Written> {
        self.skip();
        let Some(quote) = self.letters.get(self.at).copied().filter(|letter| matches!(letter, '"' | '\'')) else {
            let text = self.word();
            return if text.is_empty() { Err(self.missing("a value")) } else { Ok(Written { text, is_quoted: false }) };
        };
        let mut text = String::new();
        self.at += 1;
        while let Some(letter) = self.letters.get(self.at).copied() {
            self.at += 1;
            if letter == quote {
                if self.letters.get(self.at) != Some(&quote) {
                    return Ok(Written { text, is_quoted: true });
                }
                self.at += 1;
            }
            text.push(letter);
        }
        Err(self.missing("the quote that ends a text"))
    }

    fn word(&mut self) -> String {
        let is_of_word = |letter: &&char| letter.is_ascii_alphanumeric() || "_.:+-".contains(**letter);
        let word: String = self.letters[self.at..].iter().take_while(is_of_word).collect();
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
        while self.letters.get(self.at).is_some_and(|letter| letter.is_whitespace()) {
            self.at += 1;
        }
    }

    fn is_over(&mut self) -> bool {
        self.skip();
        self.at == self.letters.len()
    }

    fn missing(&mut self, what: &str) -> String {
        self.skip();
        format!("{what} at character {}", self.at + 1)
    }
}
