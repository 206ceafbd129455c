//! A mail is written: what it says comes in with what is known of the event, the bytes that a mail server takes go out. A value of the
//! event never becomes a header, a second line of one, or markup.

use super::Successor;
use crate::fill::as_text;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::{Address, Message};
use plan::mail::{Mail, MailText, Piece, escaped};
use serde_json::{Map, Value};
use vocab::FieldName;

/// Longest value of an event that stands in a mail, in characters.
const MAX_VALUE: usize = 10_000;

/// Who writes the mails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender(Mailbox);

impl Sender {
    /// Reads `shop@example.com` or `The shop <shop@example.com>`.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.chars().any(char::is_control) {
            return Err("more than one line stands in it".to_owned());
        }
        text.parse()
            .map(Self)
            .map_err(|_| "it is no address: write `shop@example.com` or `The shop <shop@example.com>`".to_owned())
    }

    /// Who writes where nobody has said who: an address that cannot be answered.
    ///
    /// # Panics
    /// Never: the address is a literal.
    #[must_use]
    pub fn nobody() -> Self {
        let address = Address::new("no-reply", "localhost").expect("a literal that is an address");
        Self(Mailbox::new(None, address))
    }

    pub(super) fn address(&self) -> &Address {
        &self.0.email
    }
}

/// What is known where a mail is written.
pub(super) struct Surroundings<'s> {
    pub site: &'s str,
    pub from: &'s Sender,
    pub language: Option<&'s str>,
    pub successor: Option<&'s Successor>,
    /// The delivery: the same in every attempt.
    pub id: &'s str,
}

/// A mail as it is sent.
pub(super) struct Outgoing {
    /// Its `Message-ID`.
    pub id: String,
    pub from: Address,
    pub to: Address,
    pub bytes: Vec<u8>,
}

/// What a mail says to somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// The subject, one line.
    pub subject: String,
    /// Plain text.
    pub text: String,
    /// HTML.
    pub html: String,
}

/// Writes the mail of an event.
///
/// # Errors
/// Why it can be sent to nobody, in words that name no value.
pub(super) fn written(
    mail: &Mail,
    payload: &Map<String, Value>,
    around: &Surroundings<'_>,
) -> Result<Outgoing, String> {
    let field = |name: &FieldName| payload.get(name.as_str()).filter(|value| !value.is_null()).map(as_text);
    let to = field(&mail.to).and_then(|text| text.trim().parse::<Address>().ok());
    let to = to.ok_or_else(|| format!("`{}` of the event is no address that can be written to", mail.to))?;
    let language = mail.language.as_ref().and_then(field).or_else(|| around.language.map(ToOwned::to_owned));
    let text = mail.text_in(&language.unwrap_or_default()).ok_or("the mail says nothing")?;
    let link = link(mail, payload, around)?;
    let said = rendered(text, payload, around.site, link.as_deref().unwrap_or_default());
    let id = format!("<{}@{}>", around.id, around.from.address().domain());
    let built = Message::builder()
        .message_id(Some(id.clone()))
        .date_now()
        .from(around.from.0.clone())
        .to(Mailbox::new(None, to.clone()))
        .subject(said.subject)
        // RFC 3834: whoever is away does not answer.
        .raw_header(HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned()))
        .multipart(MultiPart::alternative_plain_html(said.text, said.html));
    let message = built.map_err(|error| format!("the mail cannot be written: {error}"))?;
    Ok(Outgoing { id, from: around.from.address().clone(), to, bytes: message.formatted() })
}

/// Where the button leads. The token stands behind the `#`, which no browser sends to any server by itself.
fn link(mail: &Mail, payload: &Map<String, Value>, around: &Surroundings<'_>) -> Result<Option<String>, String> {
    let Some(link) = &mail.link else { return Ok(None) };
    let page = format!("{}{}", around.site, link.path);
    let Some(token) = &link.token else { return Ok(Some(page)) };
    let id = payload.get(token.as_str()).and_then(Value::as_str);
    let id = id.ok_or_else(|| format!("`{token}` of the event is no id of a token"))?;
    let successor = around.successor.ok_or("tokens are made of `AUTH_SECRET`, and this server has none")?;
    Ok(Some(format!("{page}#token={}", successor(id))))
}

/// What a mail says of an event.
#[must_use]
pub fn rendered(text: &MailText, payload: &Map<String, Value>, site: &str, link: &str) -> Rendered {
    let written = text.written();
    let filled = |pieces: &[Piece], becomes: fn(&str) -> String| {
        let piece = |piece: &Piece| match piece {
            Piece::Words(words) => words.clone(),
            Piece::Field(field) => payload.get(field.as_str()).map(|value| becomes(&shown(value))).unwrap_or_default(),
            Piece::Site => becomes(site),
            Piece::Link => becomes(link),
        };
        pieces.iter().map(piece).collect::<String>()
    };
    Rendered {
        subject: one_line(&filled(&written.subject, str::to_owned)),
        text: filled(&written.text, str::to_owned),
        html: filled(&written.html, |text| escaped(text).replace('\n', "<br>")),
    }
}

/// A value for people: without characters that steer something, and not without end.
fn shown(value: &Value) -> String {
    if value.is_null() {
        return String::new();
    }
    let text = as_text(value).replace("\r\n", "\n").replace('\r', "\n");
    let is_plain = |character: &char| !character.is_control() || matches!(character, '\n' | '\t');
    text.chars().filter(is_plain).take(MAX_VALUE).collect()
}

/// The same on one line.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
