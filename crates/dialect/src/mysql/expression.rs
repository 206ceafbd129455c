//! Conditions and defaults as MariaDB and MySQL print them, brought to one form: MySQL puts everything in parentheses and says of which
//! character set each text is, MariaDB does neither; each has names of its own for some functions. The tree stays the same.

/// A text as it stands in a statement. A backslash means something in it.
#[must_use]
pub fn text(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

/// The expression in the one form; what is none that this file can read comes back as it was.
#[must_use]
pub fn expression_in_one_form(printed: &str) -> String {
    let unescaped = escaped_as_a_whole(printed).then(|| unescape(printed));
    let tokens = tokens(unescaped.as_deref().unwrap_or(printed));
    let read = tokens.as_deref().and_then(|tokens| {
        let mut reader = Reader { tokens, place: 0 };
        let node = reader.expression(0, 0)?;
        (reader.place == tokens.len()).then_some(node)
    });
    read.map_or_else(|| printed.to_owned(), |node| node.text)
}

/// MySQL's catalogue shows `_utf8mb4\'a\'`, the whole once more as a text.
fn escaped_as_a_whole(printed: &str) -> bool {
    printed.find('\'').is_some_and(|first| printed[..first].ends_with('\\'))
}

fn unescape(text: &str) -> String {
    let mut unescaped = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => unescaped.extend(characters.next().map(unescaped_character)),
            other => unescaped.push(other),
        }
    }
    unescaped
}

/// What a backslash makes of the character behind it.
fn unescaped_character(character: char) -> char {
    match character {
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        '0' => '\0',
        'b' => '\u{8}',
        'Z' => '\u{1a}',
        other => other,
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    /// A keyword or a function's name, in small letters.
    Word(String),
    /// A number, a text or a name in its quotes.
    Operand(String),
    Sign(&'static str),
}

const SIGNS: &[&str] = &["<=>", "<=", ">=", "<>", "!=", "+", "-", "*", "/", "%", "=", "<", ">", "(", ")", ","];

fn tokens(printed: &str) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut rest = printed.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '\'' => {
                let (value, length) = quoted(rest, '\'')?;
                // `_utf8mb4` in front of a text.
                if let Some(Token::Word(word)) = tokens.last()
                    && word.starts_with('_')
                {
                    tokens.pop();
                }
                tokens.push(Token::Operand(text(&value)));
                length
            }
            '`' => {
                let (name, length) = quoted(rest, '`')?;
                tokens.push(Token::Operand(super::quote(&name)));
                length
            }
            '0'..='9' => {
                let length = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
                tokens.push(Token::Operand(rest[..length].to_owned()));
                length
            }
            'a'..='z' | 'A'..='Z' | '_' => {
                let length = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
                tokens.push(Token::Word(one_name(&rest[..length].to_ascii_lowercase()).to_owned()));
                length
            }
            _ => {
                let sign = SIGNS.iter().find(|sign| rest.starts_with(**sign))?;
                tokens.push(Token::Sign(sign));
                sign.len()
            }
        };
        rest = rest[length..].trim_start();
    }
    Some(tokens)
}

/// What stands between two quotes, and how long it is with them.
fn quoted(text: &str, quote: char) -> Option<(String, usize)> {
    let mut value = String::new();
    let mut characters = text.char_indices().skip(1).peekable();
    while let Some((place, character)) = characters.next() {
        match character {
            '\\' if quote == '\'' => value.push(unescaped_character(characters.next()?.1)),
            _ if character != quote => value.push(character),
            _ if characters.peek().is_some_and(|(_, next)| *next == quote) => {
                characters.next();
                value.push(quote);
            }
            _ => return Some((value, place + 1)),
        }
    }
    None
}

/// One name for a function that has several.
fn one_name(name: &str) -> &str {
    match name {
        "lcase" => "lower",
        "ucase" => "upper",
        "substring" | "mid" => "substr",
        "character_length" => "char_length",
        other => other,
    }
}

/// A part of an expression, printed, with how tightly it holds together.
struct Node {
    text: String,
    binds: u8,
}

impl Node {
    /// In parentheses where something binds tighter than it.
    fn within(self, binds: u8) -> String {
        if self.binds < binds { format!("({})", self.text) } else { self.text }
    }
}

const NOT: u8 = 4;
const COMPARISON: u8 = 5;
const SIGNED: u8 = 8;
const WHOLE: u8 = 9;

/// How tightly an operator of two sides binds.
fn binary(token: &Token) -> Option<(u8, &str)> {
    match token {
        Token::Word(word) => match word.as_str() {
            "or" => Some((1, word)),
            "xor" => Some((2, word)),
            "and" => Some((3, word)),
            "in" | "like" | "regexp" | "is" => Some((COMPARISON, word)),
            "div" | "mod" => Some((7, word)),
            _ => None,
        },
        Token::Sign(sign) => match *sign {
            "<=>" | "<=" | ">=" | "<>" | "!=" | "=" | "<" | ">" => Some((COMPARISON, sign)),
            "+" | "-" => Some((6, sign)),
            "*" | "/" | "%" => Some((7, sign)),
            _ => None,
        },
        Token::Operand(_) => None,
    }
}

/// How deep parentheses may stand in each other.
const MAX_DEPTH: usize = 64;

struct Reader<'t> {
    tokens: &'t [Token],
    place: usize,
}

impl Reader<'_> {
    fn next(&mut self) -> Option<&Token> {
        self.place += 1;
        self.tokens.get(self.place - 1)
    }

    fn takes(&mut self, sign: &str) -> bool {
        let is_there = matches!(self.tokens.get(self.place), Some(Token::Sign(found)) if *found == sign);
        self.place += usize::from(is_there);
        is_there
    }

    /// An expression whose operators bind tighter than `least`.
    fn expression(&mut self, least: u8, depth: usize) -> Option<Node> {
        if depth > MAX_DEPTH {
            return None;
        }
        let mut left = self.operand(depth)?;
        while let Some((binds, operator)) = self.tokens.get(self.place).and_then(binary) {
            if binds <= least {
                break;
            }
            let operator = operator.to_owned();
            self.place += 1;
            let right = match operator.as_str() {
                "in" if self.takes("(") => format!("({})", self.list(depth)?),
                "in" => return None,
                _ => self.expression(binds, depth + 1)?.within(binds + 1),
            };
            left = Node { text: format!("{} {operator} {right}", left.within(binds)), binds };
        }
        Some(left)
    }

    fn operand(&mut self, depth: usize) -> Option<Node> {
        match self.next()?.clone() {
            Token::Operand(text) => Some(Node { text, binds: WHOLE }),
            Token::Word(word) if word == "not" => {
                let inner = self.expression(NOT, depth + 1)?.within(NOT);
                Some(Node { text: format!("not {inner}"), binds: NOT })
            }
            Token::Word(word) if word == "convert" && self.takes("(") => self.converted(depth),
            Token::Word(word) if word == "regexp_like" && self.takes("(") => self.matching(depth),
            Token::Word(word) if self.takes("(") => {
                Some(Node { text: format!("{word}({})", self.list(depth)?), binds: WHOLE })
            }
            Token::Word(word) => Some(Node { text: word, binds: WHOLE }),
            Token::Sign("-") => {
                let inner = self.expression(SIGNED, depth + 1)?.within(WHOLE);
                Some(Node { text: format!("-{inner}"), binds: WHOLE })
            }
            Token::Sign("(") => {
                let inner = self.expression(0, depth + 1)?;
                self.takes(")").then_some(inner)
            }
            Token::Sign(_) => None,
        }
    }

    /// The value alone: MariaDB adds the conversion when a session of another character set changes the table.
    fn converted(&mut self, depth: usize) -> Option<Node> {
        let value = self.expression(0, depth + 1)?;
        let ours = ["using", "utf8mb4"].map(|word| Token::Word(word.to_owned()));
        let rest = self.tokens.get(self.place..)?;
        if !rest.starts_with(&ours) {
            return None;
        }
        self.place += ours.len();
        self.takes(")").then_some(value)
    }

    /// As an operator: MySQL makes a function of it.
    fn matching(&mut self, depth: usize) -> Option<Node> {
        let text = self.expression(0, depth + 1)?.within(COMPARISON);
        let pattern = self.takes(",").then(|| self.expression(0, depth + 1))??.within(COMPARISON + 1);
        self.takes(")").then(|| Node { text: format!("{text} regexp {pattern}"), binds: COMPARISON })
    }

    /// What stands between commas, up to the closing parenthesis.
    fn list(&mut self, depth: usize) -> Option<String> {
        if self.takes(")") {
            return Some(String::new());
        }
        let mut items = Vec::new();
        loop {
            items.push(self.expression(0, depth + 1)?.text);
            if self.takes(")") {
                return Some(items.join(","));
            }
            if !self.takes(",") {
                return None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::expression_in_one_form as one_form;

    #[test]
    fn what_both_servers_print_of_one_expression_is_one_text() {
        for (mariadb, mysql, one) in [
            (
                "`total` >= -90.25 and `total` <= 90",
                "((`total` >= -(90.25)) and (`total` <= 90))",
                "`total` >= -90.25 and `total` <= 90",
            ),
            (
                "`status` in ('it\\'s','b')",
                "(`status` in (_utf8mb4\\'it\\\\\\'s\\',_utf8mb4\\'b\\'))",
                "`status` in ('it''s','b')",
            ),
            ("char_length(`note`) <= 5000", "(char_length(`note`) <= 5000)", "char_length(`note`) <= 5000"),
            (
                "lcase(substr('89ab',1 + floor(rand() * 4),1))",
                "lower(substr(_utf8mb4\\'89ab\\',(1 + floor((rand() * 4))),1))",
                "lower(substr('89ab',1 + floor(rand() * 4),1))",
            ),
            (
                "timestampdiff(MICROSECOND,'1970-01-01',utc_timestamp(3)) DIV 1000",
                "(timestampdiff(MICROSECOND,_utf8mb4\\'1970-01-01\\',utc_timestamp(3)) DIV 1000)",
                "timestampdiff(microsecond,'1970-01-01',utc_timestamp(3)) div 1000",
            ),
            (
                "char_length(`currency`) = 3 and `currency` regexp '^[A-Z]{3}$'",
                "((char_length(`currency`) = 3) and regexp_like(`currency`,_utf8mb4\\'^[A-Z]{3}$\\'))",
                "char_length(`currency`) = 3 and `currency` regexp '^[A-Z]{3}$'",
            ),
            ("convert(lcase('A') using utf8mb4)", "lower(_utf8mb4\\'A\\')", "lower('A')"),
            ("'it''s \\\\ x'", "_utf8mb4\\'it\\\\\\'s \\\\\\\\ x\\'", "'it''s \\\\ x'"),
        ] {
            assert_eq!(one_form(mariadb), one);
            assert_eq!(one_form(mysql), one);
            assert_eq!(one_form(one), one);
        }
    }

    #[test]
    fn parentheses_that_mean_something_stay() {
        for same in [
            "(`a` = 1 or `b` = 2) and `c` = 3",
            "`a` - (`b` - `c`)",
            "not (`a` = 1 and `b` = 2)",
            "-(`a` + 1) * 2",
            "`a` = 1 = (`b` = 2)",
        ] {
            assert_eq!(one_form(same), same);
        }
        assert_eq!(one_form("(((`a` = 1) or (`b` = 2)) and (`c` = 3))"), "(`a` = 1 or `b` = 2) and `c` = 3");
        assert_ne!(one_form("`a` = 1 or (`b` = 2 and `c` = 3)"), one_form("(`a` = 1 or `b` = 2) and `c` = 3"));
        assert_ne!(one_form("'A'"), one_form("'a'"));
    }

    #[test]
    fn what_cannot_be_read_comes_back_as_it_was() {
        for odd in [
            "convert(`a` using latin1)",
            "case when `a` then 1 end",
            "`a` ->> '$.b'",
            "'open",
            "(",
            &"(".repeat(100_000),
        ] {
            assert_eq!(one_form(odd), odd);
        }
    }
}
