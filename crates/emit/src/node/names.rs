//! Names in JavaScript: the plan's names in camel case, clear of reserved words, of what a module imports, and of each other.

use std::collections::BTreeSet;

/// Reserved words and literals, <https://tc39.es/ecma262/#prod-ReservedWord>, with those reserved in modules and the globals
/// that emitted code uses.
const RESERVED: &[&str] = &[
    "arguments",
    "await",
    "break",
    "case",
    "catch",
    "class",
    "const",
    "continue",
    "debugger",
    "default",
    "delete",
    "do",
    "else",
    "enum",
    "eval",
    "export",
    "extends",
    "false",
    "finally",
    "for",
    "function",
    "if",
    "implements",
    "import",
    "in",
    "instanceof",
    "interface",
    "let",
    "new",
    "null",
    "package",
    "private",
    "protected",
    "public",
    "return",
    "static",
    "super",
    "switch",
    "this",
    "throw",
    "true",
    "try",
    "typeof",
    "undefined",
    "var",
    "void",
    "while",
    "with",
    "yield",
    "async",
    "of",
    "get",
    "set",
];

/// The names that are taken in a module.
#[derive(Debug, Clone)]
pub struct Names {
    taken: BTreeSet<String>,
}

impl Names {
    pub fn new(taken: &[&str]) -> Self {
        Self { taken: RESERVED.iter().chain(taken).map(|name| (*name).to_owned()).collect() }
    }

    pub fn is_taken(&self, name: &str) -> bool {
        self.taken.contains(name)
    }

    /// The wanted name, or the nearest one that is free: `default` becomes `defaultValue`, a second `event` `event2`.
    pub fn take(&mut self, wanted: &str) -> String {
        let reserved = RESERVED.contains(&wanted);
        let base = if reserved { format!("{wanted}Value") } else { wanted.to_owned() };
        let mut name = base.clone();
        let mut number = 2;
        while !self.taken.insert(name.clone()) {
            name = format!("{base}{number}");
            number += 1;
        }
        name
    }
}

/// `contact_message`, `contact-message` and `ContactMessage` as `contactMessage`. A name that would begin with a digit gets
/// an `n` before it.
pub fn camel_case(name: &str) -> String {
    let mut camel = String::new();
    for word in name.split(['_', '-']).filter(|word| !word.is_empty()) {
        let mut letters = word.chars();
        let first = letters.next().into_iter();
        if camel.is_empty() {
            camel.extend(first.flat_map(char::to_lowercase));
        } else {
            camel.extend(first.flat_map(char::to_uppercase));
        }
        camel.extend(letters);
    }
    if camel.starts_with(|letter: char| letter.is_ascii_digit()) { format!("n{camel}") } else { camel }
}

/// The same with a capital letter: `ContactMessage`.
pub fn pascal_case(name: &str) -> String {
    let camel = camel_case(name);
    let mut letters = camel.chars();
    letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect()
}
