//! The interface description pasted as a task: its lines offer alternatives (`"rest" | "graphql"`), which is no YAML.
//! A document that failed to parse comes in, the diagnostics that say so go out.

use crate::codes::{ALTERNATIVES, TEMPLATE};
use crate::source::{Source, Span};
use std::ops::Range;
use vocab::Diagnostic;

/// Lines with alternatives from which the document as a whole is called a template.
const LINES_OF_A_TEMPLATE: usize = 2;

/// Reports the lines that offer alternatives; `problem`, what the parser stopped at, only when it is something else.
pub(crate) fn explain(
    source: &Source<'_>,
    range: &Range<usize>,
    problem: Diagnostic,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let lines = alternatives(source, range);
    if lines.len() >= LINES_OF_A_TEMPLATE {
        let place = source.place(first_word(source.text, range));
        diagnostics.push(
            Diagnostic::error(TEMPLATE, "this is a template with alternatives, not a task yet", &place)
                .with_help("choose one value on each line with a `|`, and keep only the block that `task_type` names"),
        );
    }
    let problem_line = problem.place.as_ref().map(|place| place.line);
    let explained = lines.iter().any(|line| line.place.as_ref().map(|place| place.line) == problem_line);
    diagnostics.extend(lines);
    if !explained {
        diagnostics.push(problem);
    }
}

/// What to say about a field that offers alternatives: the message and the help.
pub(crate) fn choose(field: &str, first: &str) -> (String, String) {
    let first = first.trim().trim_matches(['"', '\'']);
    (format!("`{field}` offers alternatives"), format!("keep one: `{field}: \"{first}\"`"))
}

fn alternatives(source: &Source<'_>, range: &Range<usize>) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let mut start = range.start;
    for line in source.text[range.clone()].split_inclusive('\n') {
        let bars: Vec<usize> =
            line.match_indices('|').map(|(at, _)| at).filter(|at| is_between_quotes(line, *at)).collect();
        if let (Some(first), Some(last)) = (bars.first(), bars.last()) {
            let (field, value) = line[..*first].split_once(':').unwrap_or(("value", &line[..*first]));
            let (message, help) = choose(field.trim().trim_start_matches("- ").trim_matches('"'), value);
            let place = source.place(Span { offset: start + first, length: last + 1 - first });
            found.push(Diagnostic::error(ALTERNATIVES, message, &place).with_help(help));
        }
        start += line.len();
    }
    found
}

/// Whether the bar at `at` separates two quoted words, outside of a comment.
fn is_between_quotes(line: &str, at: usize) -> bool {
    let (before, after) = (&line[..at], &line[at + 1..]);
    let quoted = before.trim_end().ends_with(['"', '\'']) && after.trim_start().starts_with(['"', '\'']);
    quoted && before.ends_with(' ') && !before.contains(" #") && !before.trim_start().starts_with('#')
}

fn first_word(text: &str, range: &Range<usize>) -> Span {
    let mut start = range.start;
    for line in text[range.clone()].split_inclusive('\n') {
        let word = line.trim_start_matches(['\u{feff}', ' ', '\t']);
        if !(word.trim().is_empty() || word.starts_with(['#', '%']) || word.starts_with("---")) {
            let length = word.find([':', ' ', '\n']).unwrap_or(word.len());
            return Span { offset: start + line.len() - word.len(), length };
        }
        start += line.len();
    }
    Span { offset: range.start, length: 0 }
}
