//! The checks of a table, and what an index lists beside columns, which SQLite keeps in the text of its statement and nowhere else:
//! that text comes in, each check with its name and condition goes out.

use dialect::sqlite::COUNTED;
use plan::database::ObservedRule;
use vocab::ColumnName;

/// The checks, sorted by name; one without a name has an empty one.
pub fn checks(statement: &str) -> Vec<ObservedRule> {
    let tokens = tokens(statement);
    let mut found = Vec::new();
    for (index, token) in tokens.iter().enumerate() {
        let Token::Word(word) = token else { continue };
        let Some(Token::Open(start)) = tokens.get(index + 1) else { continue };
        if !word.eq_ignore_ascii_case("check") {
            continue;
        }
        let Some(end) = closing(&tokens[index + 1..]) else { continue };
        let name = match index.checked_sub(2).map(|before| &tokens[before..index]) {
            Some([Token::Word(word), Token::Word(name)]) if word.eq_ignore_ascii_case("constraint") => unquoted(name),
            _ => String::new(),
        };
        found.push(ObservedRule { name, text: plain(statement[start + 1..end].trim()) });
    }
    found.sort();
    found
}

/// What an index lists between its first parentheses, as it is written there.
pub fn listed(statement: &str) -> Vec<String> {
    let mut parts = Vec::new();
    let mut depth = 0;
    let mut start = 0;
    for token in tokens(statement) {
        match token {
            Token::Open(at) => {
                depth += 1;
                if depth == 1 {
                    start = at + 1;
                }
            }
            Token::Close(at) if depth == 1 => {
                parts.push(plain(statement[start..at].trim()));
                return parts;
            }
            Token::Close(_) => depth -= 1,
            Token::Comma(at) if depth == 1 => {
                parts.push(plain(statement[start..at].trim()));
                start = at + 1;
            }
            Token::Word(_) | Token::Comma(_) | Token::Sign => {}
        }
    }
    parts
}

/// Whether the table's key is counted, and no number of it ever given twice.
pub fn counts(statement: &str) -> bool {
    let is_word = |token: &Token<'_>| matches!(token, Token::Word(word) if word.eq_ignore_ascii_case(COUNTED));
    tokens(statement).iter().any(is_word)
}

/// SQLite quotes the name that a column is given by `RENAME`, whether it needs that or not; here a name is quoted as it is when a
/// table is made.
fn plain(condition: &str) -> String {
    let mut text = String::with_capacity(condition.len());
    let mut rest = condition;
    while let Some(start) = rest.find(['\'', '"']) {
        let quote = &rest[start..=start];
        let Some(length) = rest[start + 1..].find(quote) else { break };
        let (name, end) = (&rest[start + 1..start + 1 + length], start + length + 2);
        text.push_str(&rest[..start]);
        match quote == "\"" && ColumnName::parse(name).is_ok() {
            true => text.push_str(&dialect::sqlite::quote(name)),
            false => text.push_str(&rest[start..end]),
        }
        rest = &rest[end..];
    }
    text + rest
}

enum Token<'a> {
    /// A word, a quoted name or a literal.
    Word(&'a str),
    /// `(`, and where it stands.
    Open(usize),
    /// `)`, and where it stands.
    Close(usize),
    /// `,`, and where it stands.
    Comma(usize),
    /// Anything else.
    Sign,
}

fn tokens(text: &str) -> Vec<Token<'_>> {
    let bytes = text.as_bytes();
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80;
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let end = match byte {
            b'(' => {
                tokens.push(Token::Open(at));
                at + 1
            }
            b')' => {
                tokens.push(Token::Close(at));
                at + 1
            }
            b',' => {
                tokens.push(Token::Comma(at));
                at + 1
            }
            b'\'' | b'"' | b'`' | b'[' => {
                let closing = if byte == b'[' { b']' } else { byte };
                // A doubled quote ends one word and begins the next, which changes nothing here.
                let length = bytes[at + 1..].iter().position(|other| *other == closing);
                let end = length.map_or(bytes.len(), |length| at + length + 2);
                tokens.push(Token::Word(&text[at..end]));
                end
            }
            _ if is_word(byte) => {
                let length = bytes[at..].iter().position(|other| !is_word(*other)).unwrap_or(bytes.len() - at);
                tokens.push(Token::Word(&text[at..at + length]));
                at + length
            }
            b' ' | b'\n' | b'\t' | b'\r' => at + 1,
            _ => {
                tokens.push(Token::Sign);
                at + 1
            }
        };
        at = end;
    }
    tokens
}

/// Where the first parenthesis is closed.
fn closing(tokens: &[Token<'_>]) -> Option<usize> {
    let mut depth = 0;
    for token in tokens {
        match token {
            Token::Open(_) => depth += 1,
            Token::Close(at) if depth == 1 => return Some(*at),
            Token::Close(_) => depth -= 1,
            Token::Word(_) | Token::Comma(_) | Token::Sign => {}
        }
    }
    None
}

fn unquoted(name: &str) -> String {
    name.trim_matches(['"', '`', '[', ']']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::checks;

    #[test]
    fn checks_are_found_whatever_stands_around_them() {
        let statement = "CREATE TABLE t (a TEXT DEFAULT ')check(', \"check\" INTEGER CHECK (\"check\" > 0), \
                         CONSTRAINT t_a_words CHECK (a IN ('it''s (\"a\"', 'b')), CONSTRAINT \"in\" CHECK (length(\"a\") <= 5)) STRICT";
        let found: Vec<String> =
            checks(statement).into_iter().map(|rule| format!("{}: {}", rule.name, rule.text)).collect();
        assert_eq!(found, [": \"check\" > 0", "in: length(a) <= 5", "t_a_words: a IN ('it''s (\"a\"', 'b')"]);
    }
}
