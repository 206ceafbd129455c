//! Templates: text and documents with `${...}` in them come in, checked parts go out. Nothing is filled in here.

use crate::entries::Entries;
use crate::reference::Reference;
use crate::transformation::{Argument, Transformation};
use serde::de::{Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// Most transformations of one value.
const MAX_TRANSFORMATIONS: usize = 10;
/// The member that makes a block a repetition: the list it goes through.
pub const EACH: &str = "$each";
/// The member that says what becomes of each item.
pub const AS: &str = "$as";

/// A value with what becomes of it: `input.email | trim | lowercase`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expression {
    /// The value.
    pub from: Reference,
    /// What becomes of it, one after the other.
    pub through: Vec<Transformation>,
}

/// Text with values in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Text(Vec<Part>);

/// A piece of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// As it is.
    Literal(String),
    /// A value.
    Value(Expression),
}

/// A document with values in it. A member whose value is absent is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Template {
    /// Nothing.
    Null,
    /// True or false.
    Boolean(bool),
    /// A whole number.
    Number(i64),
    /// Text; one value alone keeps its kind.
    Text(Text),
    /// Items in order.
    List(Vec<Template>),
    /// Members in order.
    Fields(Entries<String, Template>),
    /// An item for each item of a list.
    Each {
        /// The list.
        list: Reference,
        /// What each item becomes.
        item: Box<Template>,
    },
}

impl Expression {
    /// Reads what stands between `${` and `}`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut pieces = split_outside_quotes(text, '|').into_iter();
        let from = Reference::parse(pieces.next().unwrap_or_default().trim())?;
        let through: Vec<Transformation> =
            pieces.map(|piece| transformation(piece.trim())).collect::<Result<_, _>>()?;
        if through.len() > MAX_TRANSFORMATIONS {
            return Err(format!("a value goes through at most {MAX_TRANSFORMATIONS} transformations"));
        }
        Ok(Self { from, through })
    }

    /// Every value it names.
    pub fn references(&self) -> impl Iterator<Item = &Reference> {
        std::iter::once(&self.from).chain(self.through.iter().filter_map(Transformation::reference))
    }
}

fn transformation(text: &str) -> Result<Transformation, String> {
    let Some((name, rest)) = text.split_once('(') else { return Transformation::of(text, None) };
    let inside = rest.strip_suffix(')').ok_or_else(|| format!("`{text}` lacks its `)`"))?.trim();
    let argument = match (inside.strip_prefix('\''), inside.parse()) {
        (Some(quoted), _) => {
            let text = quoted.strip_suffix('\'').filter(|text| !text.contains('\''));
            Argument::Text(text.ok_or_else(|| format!("`{inside}` lacks its quote"))?.to_owned())
        }
        (None, Ok(number)) => Argument::Number(number),
        (None, Err(_)) => Argument::Value(Reference::parse(inside)?),
    };
    Transformation::of(name.trim(), Some(argument))
}

fn split_outside_quotes(text: &str, at: char) -> Vec<&str> {
    let mut is_quoted = false;
    text.split(|character: char| {
        is_quoted ^= character == '\'';
        character == at && !is_quoted
    })
    .collect()
}

impl Text {
    /// Reads text with `${...}` in it.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once("${") {
            let (inside, after) = behind.split_once('}').ok_or_else(|| format!("`${{{behind}` lacks its `}}`"))?;
            if !before.is_empty() {
                parts.push(Part::Literal(before.to_owned()));
            }
            parts.push(Part::Value(Expression::parse(inside)?));
            rest = after;
        }
        if !rest.is_empty() || parts.is_empty() {
            parts.push(Part::Literal(rest.to_owned()));
        }
        Ok(Self(parts))
    }

    /// Its pieces in order.
    #[must_use]
    pub fn parts(&self) -> &[Part] {
        &self.0
    }

    /// The value, where there is nothing else: it keeps its kind.
    #[must_use]
    pub fn as_expression(&self) -> Option<&Expression> {
        match &self.0[..] {
            [Part::Value(expression)] => Some(expression),
            _ => None,
        }
    }

    /// The text, where no value stands in it.
    #[must_use]
    pub fn as_literal(&self) -> Option<&str> {
        match &self.0[..] {
            [Part::Literal(text)] => Some(text),
            _ => None,
        }
    }

    /// The values in it.
    pub fn expressions(&self) -> impl Iterator<Item = &Expression> {
        self.0.iter().filter_map(|part| match part {
            Part::Value(expression) => Some(expression),
            Part::Literal(_) => None,
        })
    }
}

impl TryFrom<String> for Text {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl From<Text> for String {
    fn from(text: Text) -> String {
        text.to_string()
    }
}

impl fmt::Display for Text {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|part| match part {
            Part::Literal(text) => formatter.write_str(text),
            Part::Value(expression) => write!(formatter, "${{{expression}}}"),
        })
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.from)?;
        self.through.iter().try_for_each(|transformation| write!(formatter, " | {transformation}"))
    }
}

impl Serialize for Template {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Boolean(value) => value.serialize(serializer),
            Self::Number(value) => value.serialize(serializer),
            Self::Text(text) => text.serialize(serializer),
            Self::List(items) => items.serialize(serializer),
            Self::Fields(fields) => fields.serialize(serializer),
            Self::Each { list, item } => {
                let list = Self::Text(Text(vec![Part::Literal(list.to_string())]));
                let pair = [(EACH.to_owned(), list), (AS.to_owned(), (**item).clone())];
                Entries::from_iter(pair).serialize(serializer)
            }
        }
    }
}

impl<'de> Deserialize<'de> for Template {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TemplateVisitor)
    }
}

struct TemplateVisitor;

impl<'de> Visitor<'de> for TemplateVisitor {
    type Value = Template;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("text, a whole number, true or false, a list or a block")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Template, E> {
        Ok(Template::Boolean(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Template, E> {
        Ok(Template::Number(value))
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Template, E> {
        i64::try_from(value).map(Template::Number).map_err(|_| E::custom("the number is too large"))
    }

    fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<Template, E> {
        Err(E::custom("a number with a point is not exact: write it in quotes"))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Template, E> {
        Text::parse(text).map(Template::Text).map_err(E::custom)
    }

    fn visit_unit<E>(self) -> Result<Template, E> {
        Ok(Template::Null)
    }

    fn visit_none<E>(self) -> Result<Template, E> {
        Ok(Template::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Template, D::Error> {
        Template::deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Template, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = sequence.next_element()? {
            items.push(item);
        }
        Ok(Template::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Template, A::Error> {
        let mut fields: Vec<(String, Template)> = Vec::new();
        while let Some(field) = map.next_entry()? {
            fields.push(field);
        }
        if !fields.iter().any(|(name, _)| name.starts_with('$')) {
            return Ok(Template::Fields(fields.into_iter().collect()));
        }
        let form = "a repetition has two members: `$each: input.items` and `$as:` with what an item becomes";
        let Ok([(each, list), (becomes, item)]) = <[_; 2]>::try_from(fields) else {
            return Err(A::Error::custom(form));
        };
        let list = match &list {
            Template::Text(text) => text.as_literal(),
            _ => None,
        };
        match list {
            Some(list) if each == EACH && becomes == AS => {
                let list = Reference::parse(list).map_err(A::Error::custom)?;
                Ok(Template::Each { list, item: Box::new(item) })
            }
            _ => Err(A::Error::custom(form)),
        }
    }
}
