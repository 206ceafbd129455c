//! The text with its name: byte positions come in, places with line and column in characters go out.
//! It never reads the text's meaning.

use vocab::Place;

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub place: Place,
}

/// Bytes of the whole text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub offset: usize,
    pub length: usize,
}

impl Span {
    /// The bytes of a place.
    pub fn of(place: &Place) -> Self {
        Self { offset: place.offset, length: place.length }
    }
}

/// A text whose lines and columns are found without reading it again from the start.
pub(crate) struct Source<'a> {
    pub text: &'a str,
    name: &'a str,
    marks: Vec<Mark>,
}

/// A character whose line and column are known.
struct Mark {
    offset: usize,
    line: u32,
    column: u32,
}

/// Bytes between two marks on one line: a task written as one long line of JSON stays quick.
const MARK_DISTANCE: usize = 1024;

const BYTE_ORDER_MARK: char = '\u{feff}';

impl<'a> Source<'a> {
    pub fn new(name: &'a str, text: &'a str) -> Self {
        let start = if text.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len_utf8() } else { 0 };
        let mut marks = vec![Mark { offset: start, line: 1, column: 1 }];
        let (mut line, mut column, mut marked) = (1, 1, start);
        for (position, character) in text[start..].char_indices() {
            let after = start + position + character.len_utf8();
            let breaks = character == '\n' || (character == '\r' && !text[after..].starts_with('\n'));
            (line, column) = if breaks { (line + 1, 1) } else { (line, column + 1) };
            if breaks || after - marked >= MARK_DISTANCE {
                marks.push(Mark { offset: after, line, column });
                marked = after;
            }
        }
        Self { text, name, marks }
    }

    pub fn place(&self, span: Span) -> Place {
        let next = self.marks.partition_point(|mark| mark.offset <= span.offset);
        let mark = &self.marks[next.saturating_sub(1)];
        let between = self.text.get(mark.offset..span.offset).map_or(0, |text| text.chars().count());
        Place {
            source: self.name.to_owned(),
            line: mark.line,
            column: mark.column + u32::try_from(between).unwrap_or(u32::MAX),
            offset: span.offset,
            length: span.length,
        }
    }

    pub fn spanned<T>(&self, value: T, span: Span) -> Spanned<T> {
        Spanned { value, place: self.place(span) }
    }

    /// The text of a span, or nothing when it is none.
    pub fn slice(&self, span: Span) -> &'a str {
        self.text.get(span.offset..span.offset + span.length).unwrap_or_default()
    }
}
