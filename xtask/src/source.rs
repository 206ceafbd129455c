//! Rust source told apart: what is code, what is a string literal, what is only there for tests.
//! Comes in: a path and a text; goes out: the same text with everything else blanked, and its literals.
//! Knows tokens, not grammar: enough to scan without being fooled by comments and strings.

use std::ops::Range;

/// One string literal, decoded far enough to see how it begins.
#[derive(Debug, PartialEq)]
pub struct Literal {
    /// Line of its first character, from 1.
    pub line: usize,
    /// Its content; line continuations are joined.
    pub text: String,
}

/// One scanned file.
pub struct Source {
    /// Relative to the root.
    pub path: String,
    /// The text as written.
    pub text: String,
    /// Same length and lines as `text`; comments and the contents of literals are blanks.
    pub code: String,
    /// `code` with test-only items blanked; all blank for a test file.
    pub production_code: String,
    /// The string literals outside test-only items; none for a test file.
    pub production_literals: Vec<Literal>,
}

impl Source {
    /// Scans `text` as the file `path`.
    pub fn scan(path: &str, text: &str) -> Self {
        let (code, literals) = split(text);
        let tests = if is_test_file(path) { std::iter::once(0..text.len()).collect() } else { test_items(&code) };
        let mut production_code = code.clone();
        for range in &tests {
            production_code.replace_range(range.clone(), &blank(&code[range.clone()]));
        }
        let production_literals = literals
            .into_iter()
            .filter(|(start, _)| !tests.iter().any(|range| range.contains(start)))
            .map(|(start, content)| Literal { line: line_of(text, start), text: content })
            .collect();
        Self { path: path.to_owned(), text: text.to_owned(), code, production_code, production_literals }
    }

    /// `path:line` of a byte offset.
    pub fn place(&self, offset: usize) -> String {
        format!("{}:{}", self.path, line_of(&self.text, offset))
    }
}

/// Whether `byte` may stand inside an identifier.
pub fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

/// Offsets at which `needle` stands in `text` with no identifier character before it.
pub fn occurrences<'t>(text: &'t str, needle: &'t str) -> impl Iterator<Item = usize> + 't {
    text.match_indices(needle)
        .map(|(offset, _)| offset)
        .filter(|&offset| offset == 0 || !is_word(text.as_bytes()[offset - 1]))
}

fn is_test_file(path: &str) -> bool {
    let mut parts: Vec<&str> = path.split('/').collect();
    let name = parts.pop().unwrap_or_default();
    name == "tests.rs" || name.ends_with("_tests.rs") || parts.iter().any(|part| *part == "tests" || *part == "benches")
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + text.as_bytes()[..offset].iter().filter(|byte| **byte == b'\n').count()
}

/// The same bytes as blanks, line breaks kept.
fn blank(text: &str) -> String {
    text.bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }).collect()
}

/// Code with comments and literal contents blanked, and the string literals with their offsets.
fn split(text: &str) -> (String, Vec<(usize, String)>) {
    let bytes = text.as_bytes();
    let mut code = String::with_capacity(text.len());
    let mut literals = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let rest = &text[at..];
        at += match next_token(rest) {
            Token::Code(length) => {
                code.push_str(&rest[..length]);
                length
            }
            Token::Hidden(length) => {
                code.push_str(&blank(&rest[..length]));
                length
            }
            Token::Text { content, length, raw } => {
                let inside = &rest[content.clone()];
                literals.push((at, if raw { inside.to_owned() } else { decode(inside) }));
                code.push_str(&rest[..content.start]);
                code.push_str(&blank(inside));
                code.push_str(&rest[content.end..length]);
                length
            }
        };
    }
    (code, literals)
}

enum Token {
    /// Copied as it is.
    Code(usize),
    /// A comment or a character literal.
    Hidden(usize),
    /// A string literal: where its content is, and its whole length.
    Text { content: Range<usize>, length: usize, raw: bool },
}

/// The token that `rest`, which is not empty, begins with.
fn next_token(rest: &str) -> Token {
    let bytes = rest.as_bytes();
    match bytes[0] {
        b'/' if rest.starts_with("//") => Token::Hidden(rest.find('\n').unwrap_or(rest.len())),
        b'/' if rest.starts_with("/*") => Token::Hidden(block_comment(bytes)),
        b'"' => text_token(bytes, 0),
        b'\'' => character(rest),
        first if is_word(first) => {
            let length = bytes.iter().take_while(|byte| is_word(**byte)).count();
            match (&rest[..length], bytes.get(length)) {
                ("b" | "c", Some(b'"')) => text_token(bytes, length),
                ("r" | "br" | "cr", Some(b'"' | b'#')) => raw_text(rest, length).unwrap_or(Token::Code(length)),
                _ => Token::Code(length),
            }
        }
        _ => Token::Code(1),
    }
}

fn block_comment(bytes: &[u8]) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < bytes.len() {
        if bytes[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if bytes[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    bytes.len()
}

/// A string whose opening quote is at `quote`.
fn text_token(bytes: &[u8], quote: usize) -> Token {
    let mut at = quote + 1;
    while at < bytes.len() && bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    let end = at.min(bytes.len());
    Token::Text { content: quote + 1..end, length: (end + 1).min(bytes.len()), raw: false }
}

/// A raw string after a prefix of `prefix` bytes; `None` for a raw identifier.
fn raw_text(rest: &str, prefix: usize) -> Option<Token> {
    let hashes = rest.as_bytes()[prefix..].iter().take_while(|byte| **byte == b'#').count();
    let start = prefix + hashes + 1;
    if rest.as_bytes().get(start - 1) != Some(&b'"') {
        return None;
    }
    let closing = format!("\"{}", "#".repeat(hashes));
    let end = rest[start..].find(&closing).map_or(rest.len(), |offset| start + offset);
    Some(Token::Text { content: start..end, length: (end + closing.len()).min(rest.len()), raw: true })
}

/// A character literal, or the quote of a lifetime.
fn character(rest: &str) -> Token {
    let mut characters = rest.char_indices().skip(1);
    match characters.next() {
        Some((_, '\\')) => {
            let closing = rest[3..].find('\'').map_or(rest.len(), |offset| offset + 4);
            Token::Hidden(closing)
        }
        Some(_) => match characters.next() {
            Some((offset, '\'')) => Token::Hidden(offset + 1),
            _ => Token::Code(1),
        },
        None => Token::Code(1),
    }
}

/// Escapes that matter to a scan: white space and joined lines; others keep their letter.
fn decode(inside: &str) -> String {
    let mut decoded = String::with_capacity(inside.len());
    let mut characters = inside.chars().peekable();
    while let Some(character) = characters.next() {
        if character != '\\' {
            decoded.push(character);
            continue;
        }
        match characters.next() {
            Some('n') => decoded.push('\n'),
            Some('t') => decoded.push('\t'),
            Some('r') => decoded.push('\r'),
            Some('\n') => while characters.next_if(|next| next.is_whitespace()).is_some() {},
            Some(other) => decoded.push(other),
            None => {}
        }
    }
    decoded
}

/// The ranges of items behind `#[cfg(test)]` or `#[test]`.
fn test_items(code: &str) -> Vec<Range<usize>> {
    let mut ranges: Vec<Range<usize>> = Vec::new();
    for (start, _) in code.match_indices("#[") {
        let inside_earlier = ranges.last().is_some_and(|range| range.contains(&start));
        let length = balanced(&code.as_bytes()[start + 1..]);
        let attribute: String = code[start..start + 1 + length].split_whitespace().collect();
        if !inside_earlier && is_test_attribute(&attribute) {
            let after = start + 1 + length;
            ranges.push(start..after + item_length(&code[after..]));
        }
    }
    ranges
}

fn is_test_attribute(attribute: &str) -> bool {
    matches!(attribute, "#[test]" | "#[cfg(test)]" | "#[tokio::test]")
        || attribute.starts_with("#[cfg(all(test,")
        || attribute.starts_with("#[cfg(any(test,")
}

/// Length of one item: further attributes, then up to its `;` or its closing brace.
fn item_length(code: &str) -> usize {
    let bytes = code.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b';' => return at + 1,
            b'{' => return at + balanced(&bytes[at..]),
            b'(' | b'[' => at += balanced(&bytes[at..]),
            _ => at += 1,
        }
    }
    at
}

/// Length of the bracketed text that `bytes` begins with, brackets included.
fn balanced(bytes: &[u8]) -> usize {
    let mut depth = 0_i32;
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests;
