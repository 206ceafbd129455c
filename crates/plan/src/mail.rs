//! Mails: which event of an API makes one, to whom it goes, and what it says. A mail has one source, a few lines of text; what is sent of it,
//! as plain text and as HTML, is made here as pieces, so that every server writes the same bytes. No value of anybody's stands here.

use manifest::Text;
use manifest::reference::Reference;
use manifest::template::Part;
use serde::{Deserialize, Serialize};
use vocab::{EventName, FieldName};

/// What deliveries of mails are called among those of integrations.
pub const INTEGRATION: &str = "mail";

/// A mail that an event makes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mail {
    /// The event.
    pub event: EventName,
    /// The field of the event that holds the address.
    pub to: FieldName,
    /// The field of the event that says in which language; none where the event does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<FieldName>,
    /// Where its button leads; none where it has no button.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<MailLink>,
    /// Where it can be told to stop: such a mail goes to people because they have asked for it, and to nobody who does not want it any
    /// more. None: it tells of what somebody has just done, and nobody can wish it away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unsubscribe: Option<Unsubscribe>,
    /// Whether it goes to who has complained of mails too: what the owner of an account has to know of it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub essential: bool,
    /// What it says, once for each language; the first where nobody says which.
    pub texts: Vec<MailText>,
}

/// How somebody ends what a mail is a part of, with a click in the mail program (RFC 8058) or on a page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unsubscribe {
    /// The path of the endpoint that takes the token, with its last slash; the token stands behind it.
    pub path: String,
    /// The field of the event that holds the id of the token.
    pub token: FieldName,
}

/// Where the button of a mail leads: to a page of the site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailLink {
    /// The path of the page.
    pub path: String,
    /// The field of the event that holds the id of a token. What follows that id is the token, and stands behind a `#token=`: so nothing that
    /// opens anything is in the outbox, in a log of a server, or in what a browser tells others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<FieldName>,
}

/// What a mail says in one language. Values in it are fields of the event, and `site.url`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailText {
    /// The language: `en`.
    pub language: String,
    /// One line.
    pub subject: Text,
    /// What stands before the button.
    pub paragraphs: Vec<Text>,
    /// What stands on the button, where the mail has a link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub button: Option<String>,
    /// What stands behind it, small.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub closing: Vec<Text>,
    /// What the link is called that ends it all, where the mail has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unsubscribe: Option<String>,
}

/// A piece of what is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Piece {
    /// As it is.
    Words(String),
    /// What that field of the event says, written as where it stands asks for it.
    Field(FieldName),
    /// The address of the site.
    Site,
    /// Where the button leads.
    Link,
    /// Where it can be told to stop.
    Unsubscribe,
}

/// What is sent of a mail, in one language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The subject: each value becomes a part of one line.
    pub subject: Vec<Piece>,
    /// Plain text: values stand as they are.
    pub text: Vec<Piece>,
    /// HTML: in values the five characters that mean something there are written otherwise, and an end of a line as `<br>`.
    pub html: Vec<Piece>,
}

impl Mail {
    /// Whether tokens stand in it.
    #[must_use]
    pub fn has_token(&self) -> bool {
        self.unsubscribe.is_some() || self.link.as_ref().is_some_and(|link| link.token.is_some())
    }

    /// The text for a language, else the first.
    #[must_use]
    pub fn text_in(&self, language: &str) -> Option<&MailText> {
        let spoken = language.split(['-', '_']).next().unwrap_or_default();
        let found = self.texts.iter().find(|text| text.language.eq_ignore_ascii_case(spoken));
        found.or_else(|| self.texts.first())
    }
}

impl MailText {
    /// What is sent of it.
    #[must_use]
    pub fn written(&self) -> Written {
        Written { subject: pieces(&self.subject, str::to_owned), text: self.plain(), html: self.html() }
    }

    fn plain(&self) -> Vec<Piece> {
        let mut page = Page::default();
        let blank = "\n\n";
        for (index, paragraph) in self.paragraphs.iter().enumerate() {
            page.words(if index == 0 { "" } else { blank });
            page.pieces(pieces(paragraph, str::to_owned));
        }
        if let Some(button) = &self.button {
            page.words(&format!("{blank}{button}:\n"));
            page.pieces(vec![Piece::Link]);
        }
        for closing in &self.closing {
            page.words(blank);
            page.pieces(pieces(closing, str::to_owned));
        }
        if let Some(unsubscribe) = &self.unsubscribe {
            page.words(&format!("{blank}{unsubscribe}:\n"));
            page.pieces(vec![Piece::Unsubscribe]);
        }
        page.words("\n");
        page.0
    }

    /// Tables and styles in place are what mail programs of every age show alike; nothing is fetched from anywhere.
    fn html(&self) -> Vec<Piece> {
        let mut page = Page::default();
        page.words(&format!(
            "<!doctype html>\n<html lang=\"{}\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>",
            escaped(&self.language)
        ));
        page.pieces(pieces(&self.subject, escaped));
        page.words(HEAD);
        for paragraph in &self.paragraphs {
            page.words("<p style=\"margin:0 0 16px\">");
            page.pieces(pieces(paragraph, escaped));
            page.words("</p>\n");
        }
        if let Some(button) = &self.button {
            page.words("<p style=\"margin:24px 0\"><a href=\"");
            page.pieces(vec![Piece::Link]);
            page.words(&format!("\" style=\"{BUTTON}\">{}</a></p>\n<p style=\"{SMALL}\">", escaped(button)));
            page.pieces(vec![Piece::Link]);
            page.words("</p>\n");
        }
        for closing in &self.closing {
            page.words(&format!("<p style=\"{SMALL}\">"));
            page.pieces(pieces(closing, escaped));
            page.words("</p>\n");
        }
        if let Some(unsubscribe) = &self.unsubscribe {
            page.words(&format!("<p style=\"{SMALL}\"><a href=\""));
            page.pieces(vec![Piece::Unsubscribe]);
            page.words(&format!("\" style=\"color:#5b6270\">{}</a></p>\n", escaped(unsubscribe)));
        }
        page.words("</td></tr></table>\n</td></tr></table>\n</body>\n</html>\n");
        page.0
    }

    /// Every field of the event that stands in it.
    pub fn fields(&self) -> impl Iterator<Item = &FieldName> {
        let lines = std::iter::once(&self.subject).chain(&self.paragraphs).chain(&self.closing);
        lines.flat_map(Text::expressions).filter_map(|expression| match &expression.from {
            Reference::Event(field) => Some(field),
            _ => None,
        })
    }
}

const HEAD: &str = "</title>\n</head>\n<body style=\"margin:0;padding:0;background:#f4f5f7\">\n\
    <table role=\"presentation\" width=\"100%\" cellpadding=\"0\" cellspacing=\"0\" style=\"background:#f4f5f7\"><tr><td align=\"center\" style=\"padding:32px 16px\">\n\
    <table role=\"presentation\" width=\"100%\" cellpadding=\"0\" cellspacing=\"0\" style=\"max-width:560px;background:#ffffff;border-radius:8px\"><tr><td style=\"padding:32px;font-family:Helvetica,Arial,sans-serif;font-size:16px;line-height:24px;color:#1f2430\">\n";
const BUTTON: &str = "display:inline-block;padding:12px 24px;border-radius:6px;background:#1d4ed8;color:#ffffff;font-weight:bold;text-decoration:none";
const SMALL: &str = "margin:0 0 12px;font-size:13px;line-height:20px;color:#5b6270;word-break:break-word";

/// Pieces one after the other; words that follow words are one piece.
#[derive(Default)]
struct Page(Vec<Piece>);

impl Page {
    fn words(&mut self, text: &str) {
        match self.0.last_mut() {
            _ if text.is_empty() => {}
            Some(Piece::Words(known)) => known.push_str(text),
            Some(Piece::Field(_) | Piece::Site | Piece::Link | Piece::Unsubscribe) | None => {
                self.0.push(Piece::Words(text.to_owned()))
            }
        }
    }

    fn pieces(&mut self, pieces: Vec<Piece>) {
        for piece in pieces {
            match piece {
                Piece::Words(text) => self.words(&text),
                Piece::Field(_) | Piece::Site | Piece::Link | Piece::Unsubscribe => self.0.push(piece),
            }
        }
    }
}

/// The pieces of a line, its words written as where they stand asks for it. Whoever reads templates lets no other value in.
fn pieces(text: &Text, written: impl Fn(&str) -> String) -> Vec<Piece> {
    let piece = |part: &Part| match part {
        Part::Literal(words) => Some(Piece::Words(written(words))),
        Part::Value(expression) => match &expression.from {
            Reference::Event(field) => Some(Piece::Field(field.clone())),
            Reference::Site => Some(Piece::Site),
            _ => None,
        },
    };
    text.parts().iter().filter_map(piece).collect()
}

/// Text as it stands in HTML, in an attribute too.
#[must_use]
pub fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    fn shown(pieces: &[Piece]) -> String {
        let shown = pieces.iter().map(|piece| match piece {
            Piece::Words(words) => words.clone(),
            Piece::Field(field) => format!("[{field}]"),
            Piece::Site => "[site]".to_owned(),
            Piece::Link => "[link]".to_owned(),
            Piece::Unsubscribe => "[unsubscribe]".to_owned(),
        });
        shown.collect()
    }

    fn text(words: &str) -> Text {
        Text::parse(words).unwrap()
    }

    #[test]
    fn one_source_makes_text_and_html() {
        let mail = MailText {
            language: "en".to_owned(),
            subject: text("Hats & ${event.name}"),
            paragraphs: vec![text("Hello ${event.name},"), text("<1> hat at ${site.url}.")],
            button: Some("See \"it\"".to_owned()),
            closing: vec![text("Bye.")],
            unsubscribe: Some("No <more>".to_owned()),
        };
        let written = mail.written();
        assert_eq!(shown(&written.subject), "Hats & [name]");
        expect![[r#"
            Hello [name],

            <1> hat at [site].

            See "it":
            [link]

            Bye.

            No <more>:
            [unsubscribe]
        "#]]
        .assert_eq(&shown(&written.text));
        let html = shown(&written.html);
        for part in [
            "<title>Hats &amp; [name]</title>",
            "&lt;1&gt; hat",
            "href=\"[link]\"",
            ">See &quot;it&quot;</a>",
            "<a href=\"[unsubscribe]\"",
            "No &lt;more&gt;",
        ] {
            assert!(html.contains(part), "{part} in {html}");
        }
        assert_eq!(mail.fields().map(FieldName::as_str).collect::<Vec<_>>(), ["name", "name"]);
    }

    #[test]
    fn a_language_is_found_by_its_first_part_and_the_first_text_is_for_all_others() {
        let of = |language: &str| MailText {
            language: language.to_owned(),
            subject: text("s"),
            paragraphs: Vec::new(),
            button: None,
            closing: Vec::new(),
            unsubscribe: None,
        };
        let event = EventName::parse("e").unwrap();
        let to = FieldName::parse("email").unwrap();
        let texts = vec![of("en"), of("de")];
        let mail = Mail { event, to, language: None, link: None, unsubscribe: None, essential: false, texts };
        let found = |asked: &str| mail.text_in(asked).unwrap().language.clone();
        assert_eq!(
            [found("de"), found("de-AT"), found("DE_ch"), found("fr"), found("")],
            ["de", "de", "de", "en", "en"]
        );
    }
}
