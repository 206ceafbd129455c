//! A file that a workspace or this build brings as data: its text comes in, what it says or why it cannot be read goes out, with
//! the place.

use serde::de::DeserializeOwned;
use serde_saphyr::{Error, Location};
use vocab::suggestion::{closest, list};
use vocab::{Code, Diagnostic, Place};

/// A text with its name, as diagnostics show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnFile {
    /// `entities/abacus.yaml`
    pub name: String,
    /// The text.
    pub text: String,
}

/// What a file should hold, for what is said when it does not.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Form {
    /// The code of everything that is wrong with it.
    pub code: Code,
    /// `one entity`
    pub one: &'static str,
    /// `each entity`
    pub each: &'static str,
}

impl OwnFile {
    /// Reads the text.
    pub(crate) fn read<T: DeserializeOwned>(&self, form: Form) -> Result<T, Diagnostic> {
        let options = serde_saphyr::options! { with_snippet: false };
        serde_saphyr::from_str_with_options(&self.text, options).map_err(|error| self.unreadable(form, &error))
    }

    /// Something that is wrong at a place.
    pub(crate) fn problem(&self, form: Form, at: Location, message: String, help: impl Into<String>) -> Diagnostic {
        let problem = Diagnostic::error(form.code, message, &self.place(at));
        match help.into() {
            help if help.is_empty() => problem,
            help => problem.with_help(help),
        }
    }

    /// Where something stands, as diagnostics show it.
    pub(crate) fn place(&self, at: Location) -> Place {
        let count = |number: Option<u64>| number.and_then(|number| usize::try_from(number).ok()).unwrap_or(0);
        let line = |number: u64| u32::try_from(number).unwrap_or(u32::MAX).max(1);
        Place {
            source: self.name.clone(),
            line: line(at.line()),
            column: line(at.column()),
            offset: count(at.span().byte_offset()),
            length: count(at.span().byte_len()),
        }
    }

    /// Why the text is none of this form, in our words where the library's are for programmers.
    fn unreadable(&self, form: Form, error: &Error) -> Diagnostic {
        let at = error.location().unwrap_or(Location::UNKNOWN);
        match error {
            Error::SerdeUnknownField { field, expected, .. } => {
                self.problem(form, at, format!("no field is called `{field}` here"), meant(field, expected))
            }
            Error::SerdeUnknownVariant { variant, expected, .. } => self.problem(
                form,
                at,
                format!("`{variant}` is none of the words that can stand here"),
                meant(variant, expected),
            ),
            Error::SerdeMissingField { field, .. } => {
                self.problem(form, at, format!("`{field}` is missing"), format!("add `{field}: ...`"))
            }
            Error::MultipleDocuments { .. } => self.problem(
                form,
                at,
                format!("a file holds {}", form.one),
                format!("give {} a file of its own", form.each),
            ),
            Error::DuplicateMappingKey { key, .. } => {
                let key = key.as_deref().unwrap_or("a field");
                self.problem(form, at, format!("`{key}` stands twice"), "keep one of the two")
            }
            Error::Message { msg, .. } => self.problem(form, at, msg.clone(), ""),
            Error::InvalidScalar { .. } => {
                let help = "numbers are written in digits, yes and no as `true` and `false`";
                self.problem(form, at, "a value of another kind stands here".to_owned(), help)
            }
            other => {
                let told = other.to_string();
                let first = told.lines().next().unwrap_or_default();
                let why = first.split(" at line ").next().unwrap_or(first);
                let help = format!("compare it with the example of `producer explain {}`", form.code);
                self.problem(form, at, format!("this cannot be read: {why}"), help)
            }
        }
    }
}

/// What was meant, or what there is.
pub(crate) fn meant(word: &str, known: &[&str]) -> String {
    match closest(word, known) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("it is one of {}", list(known)),
    }
}
