//! JavaScript as text: expressions with their layout, statements with their indentation. A line that passes 120 columns is
//! broken at its outermost brackets, one element a line, as Prettier does it.

const COLUMNS: usize = 120;
const INDENT: usize = 2;

/// An expression.
#[derive(Debug, Clone)]
pub enum Expression {
    /// Text that is never broken.
    Text(String),
    /// `{ key: value }`.
    Object(Vec<(String, Expression)>),
    /// The same, each entry on a line of its own however short they are.
    Lines(Vec<(String, Expression)>),
    /// `[element]`.
    Array(Vec<Expression>),
    /// `callee(argument)`; what stands before the callee (`await`, `new`) is part of it.
    Call(String, Vec<Expression>),
    /// `(parameters) => value`.
    Arrow(String, Box<Expression>),
    /// Operands with one operator between them.
    Joined(&'static str, Vec<Expression>),
    /// An expression and what follows it: ` > 0`.
    Followed(Box<Expression>, &'static str),
}

impl Expression {
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    pub fn call(callee: impl Into<String>, arguments: impl IntoIterator<Item = Expression>) -> Self {
        Self::Call(callee.into(), arguments.into_iter().collect())
    }

    pub fn arrow(parameters: impl Into<String>, value: Expression) -> Self {
        Self::Arrow(parameters.into(), Box::new(value))
    }

    /// On one line.
    pub fn flat(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Object(entries) | Self::Lines(entries) if entries.is_empty() => "{}".to_owned(),
            Self::Object(entries) | Self::Lines(entries) => {
                let entries: Vec<String> = entries.iter().map(|(key, value)| entry(key, &value.flat())).collect();
                format!("{{ {} }}", entries.join(", "))
            }
            Self::Array(elements) => format!("[{}]", flat_list(elements)),
            Self::Call(callee, arguments) => format!("{callee}({})", flat_list(arguments)),
            Self::Arrow(parameters, value) => match &**value {
                Self::Object(_) | Self::Lines(_) => format!("{parameters} => ({})", value.flat()),
                _ => format!("{parameters} => {}", value.flat()),
            },
            Self::Joined(operator, operands) => {
                let operands: Vec<String> = operands.iter().map(Self::flat).collect();
                operands.join(&format!(" {operator} "))
            }
            Self::Followed(inner, rest) => format!("{}{rest}", inner.flat()),
        }
    }

    /// Whether it stands on several lines however short it is.
    fn breaks(&self) -> bool {
        match self {
            Self::Lines(entries) => !entries.is_empty(),
            Self::Text(_) => false,
            Self::Object(entries) => entries.iter().any(|(_, value)| value.breaks()),
            Self::Array(list) | Self::Call(_, list) | Self::Joined(_, list) => list.iter().any(Self::breaks),
            Self::Arrow(_, value) | Self::Followed(value, _) => value.breaks(),
        }
    }

    /// On as many lines as it takes, the first one beginning after `before` columns, all others `indent` deep at least.
    pub fn laid_out(&self, before: usize, indent: usize, after: usize) -> String {
        let flat = self.flat();
        if before + width(&flat) + after <= COLUMNS && !self.breaks() {
            return flat;
        }
        let inner = indent + INDENT;
        match self {
            Self::Text(text) => text.clone(),
            Self::Object(entries) | Self::Lines(entries) => {
                let lines =
                    entries.iter().map(|(key, value)| entry(key, &value.laid_out(inner + width(key) + 2, inner, 1)));
                bracketed("{", lines, "}", indent)
            }
            Self::Array(elements) => {
                bracketed("[", elements.iter().map(|element| element.laid_out(inner, inner, 1)), "]", indent)
            }
            Self::Call(callee, arguments) => call_laid_out(callee, arguments, before, indent),
            Self::Arrow(parameters, value) => {
                let head = before + width(parameters) + 4;
                match &**value {
                    Self::Object(_) | Self::Lines(_) => {
                        format!("{parameters} => ({})", value.laid_out(head + 1, indent, after + 1))
                    }
                    _ => format!("{parameters} => {}", value.laid_out(head, indent, after)),
                }
            }
            Self::Joined(operator, operands) => {
                let lines: Vec<String> = operands.iter().map(|operand| operand.laid_out(inner, inner, 3)).collect();
                lines.join(&format!(" {operator}\n{}", spaces(indent)))
            }
            Self::Followed(expression, rest) => {
                format!("{}{rest}", expression.laid_out(before, indent, after + rest.len()))
            }
        }
    }
}

/// The last argument is broken where it has brackets of its own and the others fit before it; else all of them are.
fn call_laid_out(callee: &str, arguments: &[Expression], before: usize, indent: usize) -> String {
    if let Some((
        last @ (Expression::Object(_)
        | Expression::Lines(_)
        | Expression::Array(_)
        | Expression::Call(..)
        | Expression::Arrow(..)),
        others,
    )) = arguments.split_last()
    {
        let head = format!("{callee}({}", others.iter().map(|other| format!("{}, ", other.flat())).collect::<String>());
        if before + width(&head) < COLUMNS {
            return format!("{head}{})", last.laid_out(before + width(&head), indent, 2));
        }
    }
    let inner = indent + INDENT;
    bracketed(&format!("{callee}("), arguments.iter().map(|argument| argument.laid_out(inner, inner, 1)), ")", indent)
}

fn bracketed(open: &str, lines: impl Iterator<Item = String>, close: &str, indent: usize) -> String {
    let lines: String = lines.map(|line| format!("{}{line},\n", spaces(indent + INDENT))).collect();
    format!("{open}\n{lines}{}{close}", spaces(indent))
}

fn flat_list(list: &[Expression]) -> String {
    list.iter().map(Expression::flat).collect::<Vec<_>>().join(", ")
}

fn entry(key: &str, value: &str) -> String {
    if key == value { key.to_owned() } else { format!("{key}: {value}") }
}

fn width(text: &str) -> usize {
    text.chars().count()
}

fn spaces(count: usize) -> String {
    " ".repeat(count)
}

/// A text as a string literal.
pub fn quoted(text: &str) -> String {
    let mut literal = String::from("'");
    for letter in text.chars() {
        match letter {
            '\'' | '\\' => literal.extend(['\\', letter]),
            '\n' => literal.push_str("\\n"),
            '\r' => literal.push_str("\\r"),
            '\t' => literal.push_str("\\t"),
            letter if letter.is_control() => literal.push_str(&format!("\\u{{{:x}}}", u32::from(letter))),
            letter => literal.push(letter),
        }
    }
    literal.push('\'');
    literal
}

/// A text as a template literal without substitutions, the form that SQL has in this code.
pub fn template_literal(text: &str) -> String {
    format!("`{}`", text.replace('\\', "\\\\").replace('`', "\\`").replace("${", "\\${"))
}

/// Statements, line by line.
#[derive(Default)]
pub struct Script {
    text: String,
    depth: usize,
}

impl Script {
    pub fn new() -> Self {
        Self::default()
    }

    /// For lines that stand that deep in what they will be part of.
    pub fn at(depth: usize) -> Self {
        Self { text: String::new(), depth }
    }

    pub fn into_text(self) -> String {
        self.text
    }

    pub fn line(&mut self, line: &str) {
        self.text.push_str(&spaces(self.depth * INDENT));
        self.text.push_str(line);
        self.text.push('\n');
    }

    /// An empty line, never twice and never first in a block.
    pub fn blank(&mut self) {
        let starts_block = self.text.is_empty() || self.text.ends_with("{\n") || self.text.ends_with("\n\n");
        if !starts_block {
            self.text.push('\n');
        }
    }

    pub fn open(&mut self, line: &str) {
        self.line(line);
        self.depth += 1;
    }

    pub fn close(&mut self, line: &str) {
        self.depth -= 1;
        self.line(line);
    }

    /// Ends one block and opens the next: `} else {`.
    pub fn reopen(&mut self, line: &str) {
        self.close(line);
        self.depth += 1;
    }

    /// `start`, the expression, and a semicolon.
    pub fn statement(&mut self, start: &str, expression: &Expression) {
        let indent = self.depth * INDENT;
        let joined = matches!(expression, Expression::Joined(..));
        if joined && indent + width(start) + width(&expression.flat()) + 1 > COLUMNS {
            let inner = indent + INDENT;
            self.line(start.trim_end());
            self.line(&format!("{}{};", spaces(INDENT), expression.laid_out(inner, inner, 1)));
        } else {
            self.line(&format!("{start}{};", expression.laid_out(indent + width(start), indent, 1)));
        }
    }

    /// Whether the statement stays on one line.
    pub fn fits(&self, start: &str, expression: &Expression) -> bool {
        self.depth * INDENT + width(start) + width(&expression.flat()) < COLUMNS
    }

    /// A comment of as many lines as it takes.
    pub fn comment(&mut self, text: &str) {
        let room = COLUMNS - self.depth * INDENT - 3;
        let mut line = String::new();
        for word in text.split_whitespace() {
            if !line.is_empty() && width(&line) + 1 + width(word) > room {
                self.line(&format!("// {line}"));
                line.clear();
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        self.line(&format!("// {line}"));
    }

    /// Lines that were written at their depth.
    pub fn append(&mut self, lines: &str) {
        self.text.push_str(lines);
    }
}
