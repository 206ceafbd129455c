//! Templates of mails: the text of a file comes in, what a mail says in each language goes out, or every reason why not with its place.
//! Whether the event has the fields that a template names is asked by whoever knows the event.

use crate::codes::MAIL_FILE_WRONG;
use crate::own_file::{Form, OwnFile};
use manifest::Text;
use manifest::reference::Reference;
use serde::Deserialize;
use serde_saphyr::{Location, Spanned};
use vocab::{Diagnostic, EventName, FieldName, Place};

/// What those files are.
const FORM: Form = Form { code: MAIL_FILE_WRONG, one: "one mail", each: "each mail" };
/// Longest subject, in characters of the template.
const MAX_SUBJECT: usize = 200;
/// Longest line of text, in characters of the template.
const MAX_LINE: usize = 2_000;
/// Most paragraphs before and behind the button.
const MAX_PARAGRAPHS: usize = 50;

/// A mail that an event makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailTemplate {
    /// The event.
    pub event: EventName,
    /// Where that is said.
    pub at: Place,
    /// The field of the event that holds the address.
    pub to: Named,
    /// Where its button leads.
    pub link: Option<TemplateLink>,
    /// The field of the event that holds the id of the token with which it can be told to stop; none where nobody can wish it away.
    pub unsubscribe: Option<Named>,
    /// Whether it goes to who has complained of mails too.
    pub essential: bool,
    /// What it says, once for each language; the first where nobody says which.
    pub texts: Vec<TemplateText>,
    /// Every field of the event that its texts name.
    pub names: Vec<Named>,
    /// The file of the workspace that says it; none where this build brings it.
    pub file: Option<String>,
}

/// A field of the event, and where it is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The field.
    pub field: FieldName,
    /// Where.
    pub place: Place,
}

/// Where a mail's button leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateLink {
    /// The path of a page of the site.
    pub path: String,
    /// The field of the event that holds the id of a token.
    pub token: Option<Named>,
}

/// What a mail says in one language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateText {
    /// The language: `en`.
    pub language: String,
    /// One line.
    pub subject: Text,
    /// What stands before the button.
    pub paragraphs: Vec<Text>,
    /// What stands on the button.
    pub button: Option<String>,
    /// What stands behind it.
    pub closing: Vec<Text>,
    /// What the link is called that makes it stop.
    pub unsubscribe: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MailFile {
    mail: Spanned<EventName>,
    to: Spanned<FieldName>,
    link: Option<LinkFile>,
    unsubscribe: Option<Spanned<FieldName>>,
    essential: Option<Spanned<bool>>,
    texts: Spanned<Vec<TextFile>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LinkFile {
    path: Spanned<String>,
    token: Option<Spanned<FieldName>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TextFile {
    language: Spanned<String>,
    subject: Spanned<Text>,
    paragraphs: Spanned<Vec<Spanned<Text>>>,
    button: Option<Spanned<String>>,
    #[serde(default)]
    closing: Vec<Spanned<Text>>,
    unsubscribe: Option<Spanned<String>>,
}

impl MailTemplate {
    /// Another file has the mail of the same event.
    pub(crate) fn stands_twice(&self, other: &str) -> Diagnostic {
        let message = format!("`{}` is the mail of `{other}` already", self.event);
        Diagnostic::error(MAIL_FILE_WRONG, message, &self.at).with_help("keep one of the two")
    }
}

impl OwnFile {
    /// Reads a template; `is_own` where it is a file of the workspace.
    pub(crate) fn mail(&self, is_own: bool) -> Result<MailTemplate, Vec<Diagnostic>> {
        let MailFile { mail, to, link, unsubscribe, essential, texts } =
            self.read(FORM).map_err(|problem| vec![problem])?;
        let mut problems = Vec::new();
        let mut wrong = |at: Location, message: &str, help: &str| {
            problems.push(self.problem(FORM, at, message.to_owned(), help));
        };
        if texts.value.is_empty() {
            wrong(
                texts.referenced,
                "a mail says nothing",
                "add a text: `- { language: en, subject: ..., paragraphs: [...] }`",
            );
        }
        if let Some(LinkFile { path, .. }) = &link
            && !is_path(&path.value)
        {
            wrong(path.referenced, "this is no path of a page of the site", "write it as `/account/verify`");
        }
        let is_essential = essential.as_ref().is_some_and(|essential| essential.value);
        if let Some(essential) = essential.filter(|_| is_essential && unsubscribe.is_some()) {
            wrong(
                essential.referenced,
                "what can be told to stop does not have to be known",
                "leave out `essential` or `unsubscribe`",
            );
        }
        let mut languages: Vec<&str> = Vec::new();
        for text in &texts.value {
            let language = text.language.value.as_str();
            if !(2..=3).contains(&language.len()) || !language.bytes().all(|byte| byte.is_ascii_lowercase()) {
                wrong(text.language.referenced, "this is no language", "write two or three letters: `en`, `de`");
            }
            if languages.contains(&language) {
                wrong(text.language.referenced, "this language stands twice", "keep one of the two");
            }
            languages.push(language);
            match (&text.button, &link) {
                (Some(button), None) => {
                    wrong(
                        button.referenced,
                        "the button leads nowhere",
                        "add `link: { path: /a/page }`, or leave it out",
                    );
                }
                (None, Some(_)) => {
                    wrong(text.language.referenced, "the link has no button", "add `button: ...` to the text");
                }
                (Some(button), Some(_))
                    if button.value.trim().is_empty() || button.value.contains(char::is_control) =>
                {
                    wrong(button.referenced, "nothing, or more than a line, stands on the button", "");
                }
                (Some(_), Some(_)) | (None, None) => {}
            }
            match (&text.unsubscribe, &unsubscribe) {
                (Some(label), None) => wrong(
                    label.referenced,
                    "nothing says what this makes stop",
                    "add `unsubscribe: FIELD` to the mail, the field of the event that holds the id of the token; or leave it out",
                ),
                (None, Some(_)) => wrong(
                    text.language.referenced,
                    "nothing says in this text that it can be told to stop",
                    "add `unsubscribe: Unsubscribe` to the text: what the link is called",
                ),
                (Some(label), Some(_)) if label.value.trim().is_empty() || label.value.contains(char::is_control) => {
                    wrong(label.referenced, "the link is called nothing, or more than a line", "");
                }
                (Some(_), Some(_)) | (None, None) => {}
            }
            for (at, message, help) in text.problems() {
                wrong(at, &message, help);
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let named = |name: Spanned<FieldName>| Named { place: self.place(name.referenced), field: name.value };
        let names = texts.value.iter().flat_map(|text| text.names());
        let names = names.map(|(field, at)| Named { field, place: self.place(at) }).collect();
        let link = link.map(|link| TemplateLink { path: link.path.value, token: link.token.map(named) });
        Ok(MailTemplate {
            at: self.place(mail.referenced),
            event: mail.value,
            to: named(to),
            link,
            unsubscribe: unsubscribe.map(named),
            essential: is_essential,
            names,
            texts: texts.value.into_iter().map(TextFile::text).collect(),
            file: is_own.then(|| self.name.clone()),
        })
    }
}

/// A path of this site and of no other: without a parameter, and without a part behind a `#`, where the token stands.
fn is_path(path: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte);
    path.starts_with('/') && !path.starts_with("//") && path.bytes().all(is_plain)
}

impl TextFile {
    fn lines(&self) -> impl Iterator<Item = &Spanned<Text>> {
        std::iter::once(&self.subject).chain(&self.paragraphs.value).chain(&self.closing)
    }

    fn problems(&self) -> Vec<(Location, String, &'static str)> {
        let mut problems = Vec::new();
        for line in self.lines() {
            if line.value.as_literal().is_some_and(|text| text.trim().is_empty()) {
                problems.push((line.referenced, "this says nothing".to_owned(), "leave it out, or write something"));
            }
            for expression in line.value.expressions() {
                let is_known = matches!(expression.from, Reference::Event(_) | Reference::Site);
                if !is_known || !expression.through.is_empty() {
                    let help =
                        "there is `${event.NAME}`, a field of the event, and `${site.url}`; both stand as they are";
                    problems.push((line.referenced, format!("a mail knows no `${{{expression}}}`"), help));
                }
            }
        }
        let subject = self.subject.value.to_string();
        if subject.chars().count() > MAX_SUBJECT || subject.contains(char::is_control) {
            let why = format!("a subject is one line of at most {MAX_SUBJECT} characters");
            problems.push((self.subject.referenced, why, "make it shorter"));
        }
        let long = self.lines().find(|line| line.value.to_string().chars().count() > MAX_LINE);
        if let Some(line) = long {
            let why = format!("a paragraph has at most {MAX_LINE} characters");
            problems.push((line.referenced, why, "make two of it"));
        }
        if self.paragraphs.value.is_empty() || self.lines().count() > MAX_PARAGRAPHS {
            let why = format!("a mail has at least one paragraph, and at most {MAX_PARAGRAPHS}");
            problems.push((self.paragraphs.referenced, why, ""));
        }
        problems
    }

    fn names(&self) -> impl Iterator<Item = (FieldName, Location)> {
        self.lines().flat_map(|line| {
            line.value.expressions().filter_map(move |expression| match &expression.from {
                Reference::Event(field) => Some((field.clone(), line.referenced)),
                _ => None,
            })
        })
    }

    fn text(self) -> TemplateText {
        let plain = |lines: Vec<Spanned<Text>>| lines.into_iter().map(|line| line.value).collect();
        TemplateText {
            language: self.language.value,
            subject: self.subject.value,
            paragraphs: plain(self.paragraphs.value),
            button: self.button.map(|button| button.value),
            closing: plain(self.closing),
            unsubscribe: self.unsubscribe.map(|label| label.value),
        }
    }
}
