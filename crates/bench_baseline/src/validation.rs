//! The contact form: bytes in, a checked message out, or every field that is wrong.
//! A good body is read straight into its struct; only a body that does not fit is looked at value by value.

use serde::{Deserialize, Serialize};
use serde_json::error::Category;
use serde_json::{Map, Value};

use crate::answer::Problem;

const DEEPEST: usize = 32;
const MOST_PROBLEMS: usize = 100;
const LONGEST_EMAIL: usize = 254;
const FIELDS: [&str; 6] = ["name", "email", "phone", "company", "subject", "message"];

/// A message that may be stored.
#[derive(Debug, PartialEq, Serialize)]
pub struct Message {
    /// 1 to 200 characters.
    pub name: String,
    /// As sent.
    pub email: String,
    /// A telephone number.
    pub phone: Option<String>,
    /// Up to 200 characters.
    pub company: Option<String>,
    /// Up to 200 characters.
    pub subject: Option<String>,
    /// 1 to 5000 characters, several lines.
    pub message: String,
}

/// One wrong field or parameter.
#[derive(Debug, PartialEq, Serialize)]
pub struct FieldProblem {
    #[serde(flatten)]
    place: Place,
    code: &'static str,
    detail: String,
}

#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Place {
    Pointer(String),
    Parameter(String),
}

/// A field of a body is wrong.
pub fn wrong_field(pointer: &str, code: &'static str, detail: impl Into<String>) -> FieldProblem {
    FieldProblem { place: Place::Pointer(pointer.to_owned()), code, detail: detail.into() }
}

/// A parameter of the query string is wrong.
pub fn wrong_parameter(name: &str, code: &'static str, detail: impl Into<String>) -> FieldProblem {
    FieldProblem { place: Place::Parameter(name.to_owned()), code, detail: detail.into() }
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    name: Option<String>,
    email: Option<String>,
    phone: Option<String>,
    company: Option<String>,
    subject: Option<String>,
    message: Option<String>,
}

/// What a field may hold.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Line,
    Lines,
    Email,
    Telephone,
}

type Checked = Result<Option<String>, (&'static str, String)>;

/// The message in `body`.
pub fn check(body: &[u8]) -> Result<Message, Problem> {
    match serde_json::from_slice::<Form>(body) {
        Ok(form) => checked(form, &[], Vec::new()),
        Err(error) if error.classify() == Category::Data => check_value(body),
        Err(_) => Err(Problem::MalformedBody),
    }
}

/// The slow way: the body is JSON of another shape, or repeats a key.
fn check_value(body: &[u8]) -> Result<Message, Problem> {
    let value: Value = serde_json::from_slice(body).map_err(|_| Problem::MalformedBody)?;
    if depth(&value) > DEEPEST {
        return Err(Problem::MalformedBody);
    }
    let Value::Object(mut values) = value else {
        return Err(Problem::ValidationFailed(vec![problem("", "type", "must be an object")]));
    };
    let mut wrong = Vec::new();
    let mut take = |field: &'static str| take_text(&mut values, field, &mut wrong);
    let form = Form {
        name: take("name"),
        email: take("email"),
        phone: take("phone"),
        company: take("company"),
        subject: take("subject"),
        message: take("message"),
    };
    let unknown = values.keys().map(|field| {
        let pointer = field.replace('~', "~0").replace('/', "~1");
        problem(&format!("/{pointer}"), "unknown_field", "is not a known field")
    });
    checked(form, &wrong, unknown.collect())
}

/// The text of a field; a field of another type is noted as wrong.
fn take_text(values: &mut Map<String, Value>, field: &'static str, wrong: &mut Vec<&'static str>) -> Option<String> {
    match values.shift_remove(field)? {
        Value::Null => None,
        Value::String(text) => Some(text),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            wrong.push(field);
            None
        }
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(values) => 1 + values.iter().map(depth).max().unwrap_or(0),
        Value::Object(values) => 1 + values.values().map(depth).max().unwrap_or(0),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

/// Checks the fields in their declared order; `not_text` are those of a wrong type, `unknown` comes last.
fn checked(form: Form, not_text: &[&str], unknown: Vec<FieldProblem>) -> Result<Message, Problem> {
    let fields: [Checked; 6] = [
        required(form.name, Kind::Line, 200),
        required(form.email, Kind::Email, LONGEST_EMAIL),
        optional(form.phone, Kind::Telephone, 200),
        optional(form.company, Kind::Line, 200),
        optional(form.subject, Kind::Line, 200),
        required(form.message, Kind::Lines, 5_000),
    ];
    match fields {
        [Ok(Some(name)), Ok(Some(email)), Ok(phone), Ok(company), Ok(subject), Ok(Some(message))]
            if not_text.is_empty() && unknown.is_empty() =>
        {
            Ok(Message { name, email, phone, company, subject, message })
        }
        fields => Err(Problem::ValidationFailed(problems(fields, not_text, unknown))),
    }
}

fn problems(fields: [Checked; 6], not_text: &[&str], unknown: Vec<FieldProblem>) -> Vec<FieldProblem> {
    let declared = FIELDS.into_iter().zip(fields).filter_map(|(field, checked)| {
        let pointer = format!("/{field}");
        if not_text.contains(&field) {
            return Some(problem(&pointer, "type", "must be a string"));
        }
        checked.err().map(|(code, detail)| FieldProblem { place: Place::Pointer(pointer), code, detail })
    });
    declared.chain(unknown).take(MOST_PROBLEMS).collect()
}

fn problem(pointer: &str, code: &'static str, detail: &str) -> FieldProblem {
    FieldProblem { place: Place::Pointer(pointer.to_owned()), code, detail: detail.to_owned() }
}

fn required(text: Option<String>, kind: Kind, longest: usize) -> Checked {
    match optional(text, kind, longest) {
        Ok(None) => Err(("required", "is required".to_owned())),
        checked => checked,
    }
}

/// The trimmed text, or nothing where it is empty.
fn optional(text: Option<String>, kind: Kind, longest: usize) -> Checked {
    let Some(text) = text else { return Ok(None) };
    let trimmed = text.trim_matches(|character| matches!(character, ' ' | '\t'..='\r'));
    if trimmed.is_empty() {
        return Ok(None);
    }
    let allowed = |character| kind == Kind::Lines && matches!(character, '\t' | '\n' | '\r');
    if trimmed.chars().any(|character| character.is_ascii_control() && !allowed(character)) {
        return Err(("invalid_character", "must not contain control characters".to_owned()));
    }
    // Bytes are never fewer than characters.
    if trimmed.len() > longest && trimmed.chars().count() > longest {
        return Err(("too_long", format!("must have at most {longest} characters")));
    }
    match kind {
        Kind::Email if !is_email(trimmed) => Err(("format", "must be an e-mail address".to_owned())),
        Kind::Telephone if !is_telephone(trimmed) => Err(("format", "must be a telephone number".to_owned())),
        Kind::Line | Kind::Lines | Kind::Email | Kind::Telephone => {
            Ok(Some(if trimmed.len() == text.len() { text } else { trimmed.to_owned() }))
        }
    }
}

/// <https://html.spec.whatwg.org/multipage/input.html#valid-e-mail-address>, with a dot in the domain.
fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else { return false };
    let local_byte = |byte: u8| byte.is_ascii_alphanumeric() || b".!#$%&'*+/=?^_`{|}~-".contains(&byte);
    !local.is_empty() && local.bytes().all(local_byte) && domain.contains('.') && domain.split('.').all(is_label)
}

fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

fn is_telephone(text: &str) -> bool {
    let digits = text.strip_prefix('+').unwrap_or(text);
    let count = digits.bytes().filter(u8::is_ascii_digit).count();
    (5..=20).contains(&count) && digits.bytes().all(|byte| byte.is_ascii_digit() || b" -.()".contains(&byte))
}

#[cfg(test)]
mod tests;
