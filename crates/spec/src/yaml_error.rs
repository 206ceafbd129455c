//! Why a document is no YAML, in our words: the library's error comes in, a diagnostic goes out.
//! The library's text only selects a line of the table; it never reaches the user.

use crate::codes::{BOUND_EXCEEDED, NOT_YAML, TAB, TAG, UNKNOWN_ALIAS};
use crate::document::{MAX_NESTING, MAX_NODES};
use crate::source::{Source, Span};
use std::ops::Range;
use vocab::{Code, Diagnostic};

struct Explanation {
    /// A part of the library's message; the first line of the table that matches decides.
    fragment: &'static str,
    code: Code,
    message: &'static str,
    help: &'static str,
}

const fn line(fragment: &'static str, code: Code, message: &'static str, help: &'static str) -> Explanation {
    Explanation { fragment, code, message, help }
}

const ALIASES: &str = "aliases repeat too much of this document";
const WRITE_OUT: &str = "write the repeated parts out, or split the task";
const QUOTE: &str = "put the value in quotes";

const TABLE: &[Explanation] = &[
    line("unsupported tag", TAG, "tasks do not use YAML tags", "remove the word that starts with `!`"),
    line("unknown anchor", UNKNOWN_ALIAS, "this alias has no anchor", "put a text that starts with `*` in quotes"),
    line("recursive", BOUND_EXCEEDED, "an alias repeats the block it stands in", "remove the alias"),
    line("budget breached", BOUND_EXCEEDED, ALIASES, WRITE_OUT),
    line("alias", BOUND_EXCEEDED, ALIASES, WRITE_OUT),
    line("tab", TAB, "a tab indents this line", "indent with spaces"),
    line(
        "mapping values are not allowed",
        NOT_YAML,
        "no field can begin here",
        "put a value that contains `: ` in quotes, and indent the fields of one block alike",
    ),
    line("unclosed quote", NOT_YAML, "this quoted text is never closed", "add the closing quote"),
    line("document indicator", NOT_YAML, "this quoted text is never closed", "add the closing quote"),
    line("unclosed bracket", NOT_YAML, "this bracket is never closed", "add the closing bracket"),
    line("misplaced bracket", NOT_YAML, "this bracket closes nothing", "remove it, or put the value in quotes"),
    line(
        "illegal placement of ':'",
        NOT_YAML,
        "a field begins while a bracket is still open",
        "close the bracket of the lines above",
    ),
    line("flow sequence", NOT_YAML, "this list is not closed", "separate items with `,` and end the list with `]`"),
    line("flow mapping", NOT_YAML, "this block is not closed", "separate fields with `,` and end the block with `}`"),
    line(
        "trailing content",
        NOT_YAML,
        "something follows the closing quote",
        "remove it, or double a quote that belongs to the text",
    ),
    line("simple key", NOT_YAML, "a field's name needs a `:`", "write `name: value`"),
    line("did not find expected key", NOT_YAML, "a field was expected here", "indent the fields of one block alike"),
    line("'-' indicator", NOT_YAML, "an item of the list was expected here", "begin it with `- `, or indent it less"),
    line("block sequence entries", NOT_YAML, "a list cannot begin here", "begin the list on a line of its own"),
    line("document start", NOT_YAML, "this line is indented less than the first one", "indent the fields alike"),
    line("escape", NOT_YAML, "unknown escape in a quoted text", "write `\\\\` for a backslash"),
    line("surrogate", NOT_YAML, "unknown escape in a quoted text", "write the character itself"),
    line("hexadecimal", NOT_YAML, "unknown escape in a quoted text", "write `\\\\` for a backslash"),
    line("unexpected character", NOT_YAML, "no value can begin with this character", QUOTE),
    line("block scalar", NOT_YAML, "the lines of this text block are not in order", QUOTE),
    line("invalid ", TAG, "the value does not fit its YAML tag", "remove the word that starts with `!`"),
];

/// The diagnostic of an error in the document at `range`.
pub(crate) fn explain(source: &Source<'_>, range: &Range<usize>, error: &serde_saphyr::Error) -> Diagnostic {
    let original = error.to_string();
    let offset = mistake(source.text, &original, offset_of(source, range, error));
    let (offset, original) = match unclosed_quote(source.text, range, &original, offset) {
        Some(quote) => (quote, "unclosed quote".to_owned()),
        None => (offset, original),
    };
    let span = |offset: usize| {
        let length = source.text[offset..range.end].chars().next().map_or(0, char::len_utf8);
        source.place(Span { offset, length })
    };
    if let Some(tab) = tab_in_indentation(source.text, offset) {
        return Diagnostic::error(TAB, "a tab indents this line", &span(tab)).with_help("indent with spaces");
    }
    if let Some(reference) = unquoted_reference(source.text, range, offset) {
        return Diagnostic::error(NOT_YAML, "inside of brackets a value with `{` needs quotes", &span(reference))
            .with_help("put it in quotes: `\"${env:NAME}\"`");
    }
    let place = span(offset);
    if original.contains("Depth") || original.contains("recursion limit") {
        return Diagnostic::error(BOUND_EXCEEDED, format!("nested deeper than {MAX_NESTING} levels"), &place);
    }
    if original.contains("Nodes") {
        let message = format!("more than {MAX_NODES} values in one document");
        return Diagnostic::error(BOUND_EXCEEDED, message, &place).with_help(WRITE_OUT);
    }
    match TABLE.iter().find(|line| original.contains(line.fragment)) {
        Some(line) => Diagnostic::error(line.code, line.message, &place).with_help(line.help),
        None => Diagnostic::error(NOT_YAML, "this is not valid YAML", &place),
    }
}

/// The library knows a byte for errors of values, and only line and column (in characters) for errors of the text.
fn offset_of(source: &Source<'_>, range: &Range<usize>, error: &serde_saphyr::Error) -> usize {
    let Some(location) = error.location() else { return range.start };
    let document = &source.text[range.clone()];
    let count = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let offset = location.span().byte_offset().map_or_else(
        || {
            let line = count(location.line()).saturating_sub(1);
            let start: usize = document.split_inclusive('\n').take(line).map(str::len).sum();
            let column = count(location.column()).saturating_sub(1);
            start + document[start..].chars().take(column).map(char::len_utf8).sum::<usize>()
        },
        count,
    );
    range.start + document.floor_char_boundary(offset)
}

/// A tag is reported at the value behind it; the mistake is the tag.
fn mistake(text: &str, original: &str, offset: usize) -> usize {
    let start = line_start(text, offset);
    let tag = text[start..offset].rfind('!').filter(|_| original.contains("tag"));
    tag.map_or(offset, |tag| start + tag)
}

/// A quote that was forgotten is reported where the next quoted text ends it. When a line has closed a quote that it did
/// not open, this is the quote that opened it.
fn unclosed_quote(text: &str, range: &Range<usize>, original: &str, offset: usize) -> Option<usize> {
    if !original.contains("trailing content") {
        return None;
    }
    let start = line_start(text, offset).max(range.start);
    let quote = text[start..offset].trim_end().chars().next_back().filter(|last| matches!(last, '"' | '\''))?;
    let is_odd = |line: &str| line.matches(quote).count() % 2 == 1;
    if !is_odd(&text[start..offset]) {
        return None;
    }
    let mut end = start;
    for line in text[range.start..start].split_inclusive('\n').rev() {
        end -= line.len();
        if is_odd(line) {
            return line.rfind(quote).map(|at| end + at);
        }
    }
    None
}

/// Where the line of `offset`, up to there, has a reference without quotes inside of a block in brackets.
fn unquoted_reference(text: &str, range: &Range<usize>, offset: usize) -> Option<usize> {
    let start = line_start(text, offset).max(range.start);
    let line = text[start..range.end].lines().next().unwrap_or_default();
    line.match_indices("${").map(|(at, _)| at).find_map(|at| {
        let before = line[..at].trim_end();
        let is_value = before.ends_with([':', ',', '[']) && before.contains(['{', '[']);
        (is_value && start + at <= offset).then_some(start + at)
    })
}

fn line_start(text: &str, offset: usize) -> usize {
    text[..offset].rfind('\n').map_or(0, |found| found + 1)
}

/// The first tab among the white space that begins the line of `offset`.
fn tab_in_indentation(text: &str, offset: usize) -> Option<usize> {
    let start = line_start(text, offset);
    let indentation = text[start..].bytes().take_while(|byte| matches!(byte, b' ' | b'\t'));
    indentation.enumerate().find(|(_, byte)| *byte == b'\t').map(|(position, _)| start + position)
}
