//! A mail is written: what it says comes in with what is known of the event, the bytes that a mail server takes go out. A value of the
//! event never becomes a header, a second line of one, or markup.

use super::Successor;
use crate::fill::as_text;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::{Address, Message};
use plan::mail::{Mail, MailLink, MailText, Piece, Unsubscribe, escaped};
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

/// Whether that can be written to.
#[must_use]
pub fn is_address(text: &str) -> bool {
    text.parse::<Address>().is_ok()
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

/// Where a mail leads; nothing stands where it leads nowhere.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Links {
    /// Its button.
    pub link: String,
    /// What makes it stop.
    pub unsubscribe: String,
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
    let links = links(mail, payload, around)?;
    let said = rendered(text, payload, around.site, &links);
    let id = format!("<{}@{}>", around.id, around.from.address().domain());
    let mut builder = Message::builder()
        .message_id(Some(id.clone()))
        .date_now()
        .from(around.from.0.clone())
        .to(Mailbox::new(None, to.clone()))
        .subject(said.subject)
        // RFC 3834: whoever is away does not answer.
        .raw_header(header("Auto-Submitted", "auto-generated"));
    if mail.unsubscribe.is_some() {
        // RFC 8058: mail programs show a button, and post there when it is pressed.
        builder = builder
            .raw_header(header("List-Unsubscribe", &format!("<{}>", links.unsubscribe)))
            .raw_header(header("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"));
    }
    let built = builder.multipart(MultiPart::alternative_plain_html(said.text, said.html));
    let message = built.map_err(|error| format!("the mail cannot be written: {error}"))?;
    Ok(Outgoing { id, from: around.from.address().clone(), to, bytes: message.formatted() })
}

/// A name and a value of ours.
fn header(name: &'static str, value: &str) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned())
}

/// Where a mail leads. The button's token stands behind the `#`, which no browser sends to any server by itself; the one that makes it
/// stop stands in the path, since mail programs post there.
fn links(mail: &Mail, payload: &Map<String, Value>, around: &Surroundings<'_>) -> Result<Links, String> {
    let token = |field: &FieldName| {
        let id = payload.get(field.as_str()).and_then(Value::as_str);
        let id = id.ok_or_else(|| format!("`{field}` of the event is no id of a token"))?;
        let successor = around.successor.ok_or("tokens are made of `AUTH_SECRET`, and this server has none")?;
        Ok::<String, String>(successor(id))
    };
    let mut links = Links::default();
    if let Some(MailLink { path, token: field }) = &mail.link {
        links.link = format!("{}{path}", around.site);
        if let Some(field) = field {
            links.link.push_str(&format!("#token={}", token(field)?));
        }
    }
    if let Some(Unsubscribe { path, token: field }) = &mail.unsubscribe {
        links.unsubscribe = format!("{}{path}{}", around.site, token(field)?);
    }
    Ok(links)
}

/// What a mail says of an event.
#[must_use]
pub fn rendered(text: &MailText, payload: &Map<String, Value>, site: &str, links: &Links) -> Rendered {
    let written = text.written();
    let filled = |pieces: &[Piece], becomes: fn(&str) -> String| {
        let piece = |piece: &Piece| match piece {
            Piece::Words(words) => words.clone(),
            Piece::Field(field) => payload.get(field.as_str()).map(|value| becomes(&shown(value))).unwrap_or_default(),
            Piece::Site => becomes(site),
            Piece::Link => becomes(&links.link),
            Piece::Unsubscribe => becomes(&links.unsubscribe),
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
