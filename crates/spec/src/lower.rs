//! The steps that every block is checked with: a node and what it should be come in, a typed value goes out or one
//! diagnostic per mistake. Nothing here knows a particular field.

use crate::codes::{ALTERNATIVES, LISTED_TWICE, MISSING_FIELD, NOT_A_NAME, UNKNOWN_FIELD, UNKNOWN_WORD, WRONG_KIND};
use crate::document::{Entry, Node, Value};
use crate::source::{Source, Span, Spanned};
use crate::suggestion::{closest, list};
use crate::template;
use crate::word::Word;
use std::fmt;
use vocab::{Code, Diagnostic, InvalidName};

/// The checking of one document.
pub(crate) struct Lowering<'a> {
    pub source: &'a Source<'a>,
    pub diagnostics: &'a mut Vec<Diagnostic>,
}

/// What a value is called in a message, and how a line that holds it is written in a help.
#[derive(Clone, Copy)]
pub(crate) enum Label<'l> {
    /// The value of a field.
    Field(&'l str),
    /// An item of the list that a field holds.
    Item(&'l str),
}

impl Label<'_> {
    fn write(self, value: &str) -> String {
        match self {
            Self::Field(name) => format!("`{name}: {value}`"),
            Self::Item(_) => format!("`{value}`"),
        }
    }

    fn field(&self) -> &str {
        match self {
            Self::Field(name) | Self::Item(name) => name,
        }
    }
}

impl fmt::Display for Label<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(name) => write!(formatter, "`{name}`"),
            Self::Item(name) => write!(formatter, "an item of `{name}`"),
        }
    }
}

/// A block of fields, all of which are known.
pub(crate) struct Block<'n> {
    /// How messages call the block (`` `specifications` ``, `an endpoint`).
    title: &'static str,
    /// Where a missing field is reported.
    owner: Span,
    entries: &'n [Entry],
    /// Fields that were most likely meant by unknown ones.
    meant: Vec<&'static str>,
}

impl<'n> Block<'n> {
    pub fn entry(&self, name: &str) -> Option<&'n Entry> {
        self.entries.iter().find(|entry| entry.key == name)
    }

    pub fn node(&self, name: &str) -> Option<&'n Node> {
        self.entry(name).map(|entry| &entry.node)
    }

    /// Whether a misspelling of the field was already reported.
    pub fn is_misspelled(&self, name: &str) -> bool {
        self.meant.contains(&name)
    }
}

impl Lowering<'_> {
    pub fn report(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    pub fn error(&mut self, code: Code, message: impl Into<String>, span: Span, help: impl Into<String>) {
        let place = self.source.place(span);
        self.report(Diagnostic::error(code, message, &place).with_help(help));
    }

    /// The fields of a block. Unknown ones are reported here.
    pub fn block<'n>(
        &mut self,
        title: &'static str,
        node: &'n Node,
        owner: Span,
        fields: &'static [&'static str],
    ) -> Option<Block<'n>> {
        let Value::Mapping(entries) = &node.value else {
            let help = format!("write its fields: {}", list(fields));
            let message = format!("{title} must be a block of fields, not {}", kind(&node.value));
            self.error(WRONG_KIND, message, self.visible(node, owner), help);
            return None;
        };
        let mut block = Block { title, owner, entries, meant: Vec::new() };
        for entry in entries.iter().filter(|entry| !fields.contains(&entry.key.as_str())) {
            let help = match closest(&entry.key, fields) {
                Some(meant) => {
                    block.meant.push(meant);
                    format!("did you mean `{meant}`?")
                }
                None => format!("remove it, or use one of {}", list(fields)),
            };
            self.error(UNKNOWN_FIELD, format!("{title} has no field `{}`", entry.key), entry.key_span, help);
        }
        Some(block)
    }

    /// A field that the block must have.
    pub fn required<'n>(&mut self, block: &Block<'n>, name: &'static str, help: &str) -> Option<&'n Entry> {
        let entry = block.entry(name);
        if entry.is_none() && !block.is_misspelled(name) {
            self.error(MISSING_FIELD, format!("{} needs `{name}`", block.title), block.owner, help);
        }
        entry
    }

    pub fn text<'n>(&mut self, label: Label<'_>, node: &'n Node) -> Option<&'n str> {
        match &node.value {
            Value::Text(text) if !text.trim().is_empty() => return Some(text),
            Value::Text(_) => {
                self.error(WRONG_KIND, format!("{label} is empty"), node.span, "give it a value, or remove it");
            }
            Value::Boolean(_) | Value::Number(_) => {
                let written = label.write(&format!("\"{}\"", self.source.slice(node.span)));
                self.wrong_kind(label, "text", node, &format!("put it in quotes: {written}"));
            }
            Value::Null | Value::Sequence(_) | Value::Mapping(_) => {
                self.wrong_kind(label, "text", node, &format!("write {}", label.write("\"...\"")));
            }
        }
        None
    }

    pub fn list<'n>(&mut self, name: &str, node: &'n Node) -> Option<&'n [Node]> {
        if let Value::Sequence(items) = &node.value {
            return Some(items);
        }
        let help = match &node.value {
            Value::Text(text) => format!("put it in brackets: `{name}: [\"{text}\"]`"),
            Value::Mapping(_) => "begin each item with `- `".to_owned(),
            Value::Null | Value::Boolean(_) | Value::Number(_) | Value::Sequence(_) => {
                format!("write `{name}: [...]`, or remove the line")
            }
        };
        self.wrong_kind(Label::Field(name), "a list", node, &help);
        None
    }

    pub fn whole_number(&mut self, label: Label<'_>, node: &Node) -> Option<u64> {
        if let Value::Number(number) = &node.value {
            if let Some(value) = number.as_u64() {
                return Some(value);
            }
            let message = format!("{label} must be a whole number, not `{}`", self.source.slice(node.span));
            self.error(WRONG_KIND, message, node.span, format!("write {}", label.write("100")));
            return None;
        }
        let help = match &node.value {
            Value::Text(text) if text.parse::<u64>().is_ok() => format!("remove the quotes: {}", label.write(text)),
            Value::Null
            | Value::Boolean(_)
            | Value::Number(_)
            | Value::Text(_)
            | Value::Sequence(_)
            | Value::Mapping(_) => format!("write {}", label.write("100")),
        };
        self.wrong_kind(label, "a whole number", node, &help);
        None
    }

    pub fn boolean(&mut self, label: Label<'_>, node: &Node) -> Option<bool> {
        if let Value::Boolean(value) = &node.value {
            return Some(*value);
        }
        self.wrong_kind(label, "`true` or `false`", node, &format!("write {}", label.write("true")));
        None
    }

    /// The text where one of `words` belongs.
    pub fn word_text<'n>(&mut self, label: Label<'_>, node: &'n Node, words: &[&str]) -> Option<&'n str> {
        if let Value::Text(text) = &node.value {
            return Some(text);
        }
        let help = match words {
            [only] => format!("write `{only}`"),
            words => format!("write one of {}", list(words)),
        };
        self.wrong_kind(label, "a word", node, &help);
        None
    }

    /// A word of a closed list, exactly as the list spells it.
    pub fn word<W: Word>(&mut self, label: Label<'_>, node: &Node) -> Option<Spanned<W>> {
        let text = self.word_text(label, node, &W::words())?;
        let word = W::from_word(text);
        if word.is_none() {
            self.unknown_word(label, node.span, text, &W::words());
        }
        word.map(|word| self.source.spanned(word, node.span))
    }

    pub fn unknown_word(&mut self, label: Label<'_>, span: Span, text: &str, words: &[&str]) {
        if let Some((first, _)) = text.split_once(" | ") {
            let (message, help) = template::choose(label.field(), first);
            return self.error(ALTERNATIVES, message, span, help);
        }
        let place = self.source.place(span);
        let known = match words {
            [only] => format!("{label} is always `{only}`, not `{text}`"),
            words => format!("{label} is one of {}, not `{text}`", list(words)),
        };
        let diagnostic = Diagnostic::error(UNKNOWN_WORD, known, &place);
        self.report(match (closest(text, words), words) {
            (Some(meant), _) => diagnostic.with_help(format!("did you mean `{meant}`?")),
            (None, [only]) => {
                diagnostic.with_help(format!("write {}, or remove it", label.write(&format!("\"{only}\""))))
            }
            (None, _) => diagnostic,
        });
    }

    /// A name, checked by its own rule.
    pub fn name<N>(
        &mut self,
        label: Label<'_>,
        node: &Node,
        parse: fn(&str) -> Result<N, InvalidName>,
    ) -> Option<Spanned<N>> {
        let text = self.text(label, node)?;
        self.parse_name(text, node.span, parse)
    }

    pub fn parse_name<N>(
        &mut self,
        text: &str,
        span: Span,
        parse: fn(&str) -> Result<N, InvalidName>,
    ) -> Option<Spanned<N>> {
        match parse(text) {
            Ok(name) => Some(self.source.spanned(name, span)),
            Err(error) => {
                let place = self.source.place(span);
                let diagnostic = Diagnostic::error(NOT_A_NAME, error.to_string(), &place);
                let proposal = snake_case(text);
                self.report(match parse(&proposal) {
                    Ok(_) => diagnostic.with_help(format!("write `{proposal}`")),
                    Err(_) => diagnostic,
                });
                None
            }
        }
    }

    /// A list without repetition: a repeated item is a warning and is dropped.
    pub fn distinct<T: PartialEq>(
        &mut self,
        name: &str,
        node: &Node,
        mut read: impl FnMut(&mut Self, Label<'_>, &Node) -> Option<Spanned<T>>,
    ) -> Vec<Spanned<T>> {
        let mut found: Vec<Spanned<T>> = Vec::new();
        for item in self.list(name, node).unwrap_or_default() {
            let Some(value) = read(self, Label::Item(name), item) else { continue };
            if found.iter().any(|earlier| earlier.value == value.value) {
                let message = format!("`{name}` lists this twice");
                self.report(
                    Diagnostic::warning(LISTED_TWICE, message, &value.place).with_help("remove one of the two"),
                );
                continue;
            }
            found.push(value);
        }
        found
    }

    pub fn wrong_kind(&mut self, label: Label<'_>, expected: &str, node: &Node, help: &str) {
        let message = match &node.value {
            Value::Null => format!("{label} has no value"),
            value => format!("{label} must be {expected}, not {}", kind(value)),
        };
        self.error(WRONG_KIND, message, node.span, help);
    }

    /// The node's own span, or its owner's when the node is nothing.
    fn visible(&self, node: &Node, owner: Span) -> Span {
        match node.value {
            Value::Null => owner,
            Value::Boolean(_) | Value::Number(_) | Value::Text(_) | Value::Sequence(_) | Value::Mapping(_) => node.span,
        }
    }
}

/// What a value is, with its article.
pub(crate) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Boolean(_) => "`true` or `false`",
        Value::Number(_) => "a number",
        Value::Text(_) => "text",
        Value::Sequence(_) => "a list",
        Value::Mapping(_) => "a block of fields",
    }
}

/// The text as a lower-case name: `userId` and `User-ID` become `user_id`.
pub(crate) fn snake_case(text: &str) -> String {
    let mut name = String::with_capacity(text.len() + 4);
    let mut after_lower_case = false;
    for character in text.trim().chars() {
        if character.is_ascii_uppercase() && after_lower_case {
            name.push('_');
        }
        after_lower_case = character.is_ascii_lowercase() || character.is_ascii_digit();
        let separates = matches!(character, '-' | ' ' | '.' | '/');
        name.push(if separates { '_' } else { character.to_ascii_lowercase() });
    }
    name.trim_matches('_').to_owned()
}
