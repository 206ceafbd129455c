//! The steps that every block is checked with: a node and what it should be come in, a typed value goes out or one
//! diagnostic per mistake. Nothing here knows a particular field.

use crate::codes::{
    ALTERNATIVES, BOUND_EXCEEDED, EMPTY_LIST, FIELDS_EXCLUDE, LISTED_TWICE, MISSING_FIELD, NOT_A_NAME, NOT_A_RULE,
    NOT_DECLARED, UNKNOWN_FIELD, UNKNOWN_WORD, WRONG_KIND,
};
use crate::document::{Entry, Node, Value};
use crate::field::{self, Field};
use crate::source::{Source, Span, Spanned};
use crate::suggestion::{closest, list};
use crate::template;
use crate::word::Word;
use std::fmt;
use std::ops::RangeInclusive;
use vocab::{Code, Diagnostic, InvalidName, Place};

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
    fields: &'static [Field],
    entries: &'n [Entry],
    /// Fields that were most likely meant by unknown ones.
    meant: Vec<&'static str>,
}

/// Fields of other tools, by the block in which they are looked for, with how the same is said here.
const SAID_ELSEWHERE: &[(&str, &[&str], &str)] = &[
    ("a column", &["primary_key", "primary"], KEY),
    ("a table", &["primary_key"], KEY),
    ("a column", &["values", "enum", "options", "choices"], "write `one_of: [a, b]`, with `type: line`"),
    (
        "a column",
        &["check", "checks", "min", "max", "minimum", "maximum"],
        "write the bound itself: `at_least: 0`, `more_than: 0`, `at_most: 10`, `less_than: 10`, or `one_of: [a, b]`",
    ),
    ("a table", &["check", "checks"], "write `constraints: [{ check: { column: name, at_least: 0 } }]`"),
    ("a table", &["unique", "uniques"], "write `constraints: [{ unique: [name] }]`"),
    ("a relationship", &["type", "cardinality"], "write `kind: one_to_many`, or what else it is"),
    ("a column", &["index", "indexed"], "write `indexes: [[name]]` at its table"),
    ("a column", &["foreign_key", "fk"], "write `references: table`"),
    ("a table", &["foreign_keys", "references"], "write `references: table` at the column that leads there"),
];

const KEY: &str = "write `constraints: [{ primary_key: [name] }]` at the table; without it the key is a column `id`";

fn said_elsewhere(title: &str, field: &str) -> Option<&'static str> {
    let is_meant = |(block, fields, _): &&(&str, &[&str], &'static str)| *block == title && fields.contains(&field);
    SAID_ELSEWHERE.iter().find(is_meant).map(|(_, _, help)| *help)
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
        fields: &'static [Field],
    ) -> Option<Block<'n>> {
        let names = field::names(fields);
        let Value::Mapping(entries) = &node.value else {
            let help = format!("write its fields: {}", list(&names));
            let message = format!("{title} must be a block of fields, not {}", kind(&node.value));
            self.error(WRONG_KIND, message, self.visible(node, owner), help);
            return None;
        };
        let mut block = Block { title, owner, fields, entries, meant: Vec::new() };
        for entry in entries.iter().filter(|entry| !names.contains(&entry.key.as_str())) {
            let help = match (said_elsewhere(title, &entry.key), closest(&entry.key, &names)) {
                (Some(help), _) => help.to_owned(),
                (None, Some(meant)) => {
                    block.meant.push(meant);
                    format!("did you mean `{meant}`?")
                }
                (None, None) => format!("remove it, or use one of {}", list(&names)),
            };
            self.error(UNKNOWN_FIELD, format!("{title} has no field `{}`", entry.key), entry.key_span, help);
        }
        Some(block)
    }

    /// A block that no field names, such as an item of a list.
    pub fn own_block<'n>(
        &mut self,
        title: &'static str,
        node: &'n Node,
        fields: &'static [Field],
    ) -> Option<Block<'n>> {
        self.block(title, node, node.beginning(), fields)
    }

    /// A field that the block must have.
    pub fn required<'n>(&mut self, block: &Block<'n>, name: &'static str, help: &str) -> Option<&'n Entry> {
        let is_declared = block.fields.iter().any(|field| field.name == name && field.is_required);
        debug_assert!(is_declared, "`{name}` is declared as optional");
        let entry = block.entry(name);
        if entry.is_none() && !block.is_misspelled(name) {
            self.error(MISSING_FIELD, format!("{} needs `{name}`", block.title), block.owner, help);
        }
        entry
    }

    /// Reports a block that has both of two fields.
    pub fn exclude(&mut self, block: &Block<'_>, [first, second]: [&str; 2], help: &str) {
        if let (Some(_), Some(entry)) = (block.entry(first), block.entry(second)) {
            let message = format!("{} has `{first}` and `{second}`, which exclude each other", block.title);
            self.error(FIELDS_EXCLUDE, message, entry.key_span, help);
        }
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
            Value::Text(text) => {
                let items: Vec<String> = text.split(',').map(|item| format!("\"{}\"", item.trim())).collect();
                format!("put it in brackets: `{name}: [{}]`", items.join(", "))
            }
            Value::Mapping(entries) => match &entries[..] {
                [Entry { key, node: Node { value: Value::Mapping(_) | Value::Null, .. }, .. }, ..] => {
                    format!("begin each item with `- `, and say what `{key}` is in it: `- name: {key}`")
                }
                _ => "begin each item with `- `".to_owned(),
            },
            Value::Null | Value::Boolean(_) | Value::Number(_) | Value::Sequence(_) => {
                format!("write `{name}: [...]`, or remove the line")
            }
        };
        self.wrong_kind(Label::Field(name), "a list", node, &help);
        None
    }

    /// The items of a list with at least one and at most `most`. `example` is one item as the writer may write it.
    pub fn some_items<'n>(&mut self, name: &str, node: &'n Node, example: &str, most: usize) -> Option<&'n [Node]> {
        let items = self.list(name, node)?;
        self.is_some_but_not_too_many(name, node, example, most, items.iter().map(|item| item.span)).then_some(items)
    }

    /// The entries of a block whose field names the writer chooses, likewise.
    pub fn some_entries<'n>(&mut self, name: &str, node: &'n Node, example: &str, most: usize) -> Option<&'n [Entry]> {
        let Value::Mapping(entries) = &node.value else {
            self.wrong_kind(Label::Field(name), "a block of fields", node, &format!("write `{name}: {{ {example} }}`"));
            return None;
        };
        let spans = entries.iter().map(|entry| entry.key_span);
        self.is_some_but_not_too_many(name, node, example, most, spans).then_some(entries)
    }

    fn is_some_but_not_too_many(
        &mut self,
        name: &str,
        node: &Node,
        example: &str,
        most: usize,
        mut spans: impl ExactSizeIterator<Item = Span>,
    ) -> bool {
        let count = spans.len();
        if count == 0 {
            self.error(
                EMPTY_LIST,
                format!("`{name}` is empty"),
                node.span,
                format!("write at least one, like `{example}`"),
            );
            return false;
        }
        if let Some(excess) = spans.nth(most) {
            let message = format!("`{name}` has {count}, at most {most} fit in one task");
            self.error(BOUND_EXCEEDED, message, excess, "split the task");
            return false;
        }
        true
    }

    /// A whole number inside of a range.
    pub fn number_in(&mut self, label: Label<'_>, node: &Node, range: RangeInclusive<u64>) -> Option<u64> {
        let number = self.whole_number(label, node)?;
        if !range.contains(&number) {
            let message = format!("{label} is a number from {} to {}", range.start(), range.end());
            self.error(NOT_A_RULE, message, node.span, "change the number");
            return None;
        }
        Some(number)
    }

    /// Reports a name that `list` does not declare; `kind` is what it should name.
    pub fn not_declared(&mut self, kind: &str, list: &str, span: Span, name: &str, declared: &[&str]) {
        let help = match closest(name, declared) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("add `{name}` to `{list}`, or name another {kind}"),
        };
        self.error(NOT_DECLARED, format!("there is no {kind} `{name}` in `{list}`"), span, help);
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
        if text.contains(" | ") {
            return self.offers_alternatives(label, span, text);
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

    /// Reports a value such as `high | low`.
    pub fn offers_alternatives(&mut self, label: Label<'_>, span: Span, text: &str) {
        let first = text.split(" | ").next().unwrap_or(text);
        let (message, help) = template::choose(label.field(), first);
        self.error(ALTERNATIVES, message, span, help);
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
            match found.iter().any(|earlier| earlier.value == value.value) {
                true => self.listed_twice(name, &value.place),
                false => found.push(value),
            }
        }
        found
    }

    /// Warns of an item that the list has already.
    pub fn listed_twice(&mut self, name: &str, place: &Place) {
        let message = format!("`{name}` lists this twice");
        self.report(Diagnostic::warning(LISTED_TWICE, message, place).with_help("remove one of the two"));
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
