//! The fences that read source text: each takes one scanned file and gives its findings, place in front.
//! Tests and the benchmark's baseline are free of the fences that keep rooms apart.

use std::collections::BTreeMap;

use super::Findings;
use crate::source::{Source, is_word, occurrences};

/// SQL may be written here; the baseline of the benchmark is no part of the product.
const SQL_ROOMS: &[&str] = &["crates/dialect/", "crates/store/", "crates/bench_baseline/"];
/// Engines may be told apart here.
const ENGINE_ROOMS: &[&str] = &[
    "crates/dialect/",
    "crates/store/",
    "crates/provision/",
    "crates/emit/src/node/driver.rs",
    "crates/bench_baseline/",
];
/// Where diagnostics are made.
const DIAGNOSTIC_ROOMS: &[&str] = &[
    "crates/catalog/src/",
    "crates/spec/src/",
    "crates/planner/src/",
    "crates/orchestrator/src/",
    "crates/dialect/src/",
];
/// A database engine is a provider too where it is one end of a sync, but its name is a word of ours.
const ENGINES: &[&str] = &["postgresql", "mysql", "mariadb", "mongodb", "sqlite"];
/// How a statement begins; `*` stands for one word.
const STATEMENTS: &[&[&str]] = &[
    &["SELECT"],
    &["INSERT", "INTO"],
    &["UPDATE", "*", "SET"],
    &["DELETE", "FROM"],
    &["CREATE", "TABLE"],
    &["ALTER", "TABLE"],
    &["DROP", "TABLE"],
    &["PRAGMA"],
];

/// String literals that begin like a statement.
pub fn sql(source: &Source) -> Findings {
    if outside_product(source) || inside(source, SQL_ROOMS) {
        return Vec::new();
    }
    let statements = source.production_literals.iter().filter(|literal| begins_a_statement(&literal.text));
    statements.map(|literal| format!("{}:{}: SQL text: {}", source.path, literal.line, brief(&literal.text))).collect()
}

fn begins_a_statement(text: &str) -> bool {
    let words: Vec<&str> = text.split_whitespace().collect();
    // A keyword that stands alone is a word; with a blank behind it, it is the first piece of a statement.
    let goes_on = words.len() > 1 || text.ends_with(char::is_whitespace);
    STATEMENTS.iter().any(|statement| {
        goes_on
            && words.len() >= statement.len()
            && statement.iter().zip(&words).all(|(expected, word)| *expected == "*" || expected == word)
    })
}

fn brief(text: &str) -> String {
    let line: Vec<&str> = text.split_whitespace().collect();
    line.join(" ").chars().take(60).collect()
}

/// Match arms whose pattern names a variant of `Engine`.
pub fn engine_match(source: &Source) -> Findings {
    if outside_product(source) || inside(source, ENGINE_ROOMS) {
        return Vec::new();
    }
    let code = &source.production_code;
    let arms = code.match_indices("=>").map(|(arrow, _)| (arrow, pattern_before(code, arrow)));
    arms.filter(|(_, pattern)| occurrences(pattern, "Engine::").next().is_some())
        .map(|(arrow, _)| format!("{}: `match` on `Engine`", source.place(arrow)))
        .collect()
}

/// The pattern of the match arm whose `=>` is at `arrow`, without its guard.
fn pattern_before(code: &str, arrow: usize) -> &str {
    let bytes = code.as_bytes();
    let (mut start, mut depth) = (arrow, 0_usize);
    while start > 0 {
        match bytes[start - 1] {
            b'}' if depth == 0 && !continues_a_pattern(&code[start..arrow]) => break,
            b')' | b']' | b'}' => depth += 1,
            b'(' | b'[' | b'{' if depth == 0 => break,
            b'(' | b'[' | b'{' => depth -= 1,
            b',' | b';' if depth == 0 => break,
            _ => {}
        }
        start -= 1;
    }
    let pattern = &code[start..arrow];
    pattern.split(" if ").next().unwrap_or(pattern)
}

/// Whether a `}` before `rest` closes a struct pattern and not the arm before.
fn continues_a_pattern(rest: &str) -> bool {
    let rest = rest.trim_start();
    rest.is_empty() || rest.starts_with('|') || rest.starts_with("if ")
}

/// String literals that are a provider's name, or an identifier, file or host with that name in it.
pub fn provider_names(source: &Source, names: &[String]) -> Findings {
    if outside_product(source) || source.path.starts_with("crates/bench_baseline/") {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for literal in &source.production_literals {
        let named = names.iter().find(|name| !ENGINES.contains(&name.as_str()) && names_provider(&literal.text, name));
        if let Some(name) = named {
            findings.push(format!("{}:{}: the provider `{name}` is named in code", source.path, literal.line));
        }
    }
    findings
}

/// Prose and links may hold such a word by chance; a single word without white space does not.
fn names_provider(text: &str, name: &str) -> bool {
    let text = text.to_ascii_lowercase().replace('-', "_");
    let name = name.to_ascii_lowercase().replace('-', "_");
    if text.contains(char::is_whitespace) || text.contains("://") {
        return false;
    }
    text.match_indices(&name).any(|(start, _)| {
        let letter = |character: char| character.is_alphanumeric();
        let before = text[..start].chars().next_back().is_some_and(letter);
        let after = text[start + name.len()..].chars().next().is_some_and(letter);
        !before && !after
    })
}

/// A source file that does not say first what it is.
pub fn header(source: &Source) -> Findings {
    if !source.path.contains("/src/") || source.text.starts_with("//!") {
        return Vec::new();
    }
    vec![format!("{}:1: does not open with `//!`", source.path)]
}

/// Tests switched off and code left undone.
pub fn undone(source: &Source) -> Findings {
    let marks = ["#[ignore", "todo!", "unimplemented!"];
    let places = marks.iter().flat_map(|mark| occurrences(&source.code, mark).map(move |offset| (offset, mark)));
    places.map(|(offset, mark)| format!("{}: `{mark}`", source.place(offset))).collect()
}

/// Diagnostic codes without a page in `docs/errors/`, and pages without a code.
pub fn pages(sources: &[Source], pages: &[String]) -> Findings {
    let mut codes: BTreeMap<String, String> = BTreeMap::new();
    for source in sources.iter().filter(|source| inside(source, DIAGNOSTIC_ROOMS)) {
        for (offset, code) in diagnostic_codes(&source.text) {
            codes.entry(code).or_insert_with(|| source.place(offset));
        }
    }
    let page = |code: &str| format!("docs/errors/{code}.md");
    let missing = codes.iter().filter(|(code, _)| !pages.contains(&page(code)));
    let mut findings: Findings =
        missing.map(|(code, place)| format!("{place}: `{code}` has no page `{}`", page(code))).collect();
    for path in pages {
        let name = path.trim_start_matches("docs/errors/").trim_end_matches(".md");
        let is_code = diagnostic_codes(name).first().is_some_and(|(_, code)| code == name);
        if is_code && !codes.contains_key(name) {
            findings.push(format!("{path}:1: no diagnostic has the code `{name}`"));
        }
    }
    findings
}

/// Every `IP` + digits that stands as a word of its own.
fn diagnostic_codes(text: &str) -> Vec<(usize, String)> {
    let code_at = |offset: usize| {
        let rest = &text[offset..];
        let digits = rest[2..].bytes().take_while(u8::is_ascii_digit).count();
        let ends = !rest.as_bytes().get(2 + digits).copied().is_some_and(is_word);
        (digits > 0 && ends).then(|| (offset, rest[..2 + digits].to_owned()))
    };
    occurrences(text, "IP").filter_map(code_at).collect()
}

fn inside(source: &Source, rooms: &[&str]) -> bool {
    rooms.iter().any(|room| source.path.starts_with(room))
}

fn outside_product(source: &Source) -> bool {
    !source.path.starts_with("crates/")
}

#[cfg(test)]
mod tests;
