//! A text of the dialect with its values as a command. The words that stand in it beside values are those of decision 0063:
//! `$bind`, `$made`, `$date`.

use super::value::{bson, date, stored};
use crate::StoreError;
use ::mongodb::bson::{Bson, DateTime, Document, doc};
use serde_json::{Map, Value};
use vocab::Datum;

/// Words by which a value is compared.
const COMPARED: [&str; 6] = ["$eq", "$ne", "$lt", "$lte", "$gt", "$gte"];

/// What the values of one text are made of.
pub struct Values<'v> {
    pub bound: &'v [Datum],
    /// The next number, where the text asks for one.
    pub counted: Option<i64>,
}

/// What a place in a text comes to.
enum Placed {
    Is(Bson),
    /// There is no value: a document lacks the field, and nothing compares to it.
    Nothing,
    /// The field stays as it is.
    LeftOut,
}

impl Values<'_> {
    /// The object with its values.
    pub fn document(&self, template: &Map<String, Value>) -> Result<Document, StoreError> {
        let mut document = Document::new();
        for (name, value) in template {
            if name == "u" && value.is_object() {
                document.insert(name, self.change(value)?);
                continue;
            }
            match self.placed(value)? {
                Placed::Is(value) => {
                    document.insert(name, value);
                }
                // To null nothing compares.
                Placed::Nothing if COMPARED.contains(&name.as_str()) => return Ok(doc! { "$in": [] }),
                Placed::Nothing | Placed::LeftOut => {}
            }
        }
        Ok(document)
    }

    /// What becomes of a document: a field without a value goes.
    fn change(&self, template: &Value) -> Result<Document, StoreError> {
        let (mut change, mut gone) = (Document::new(), Document::new());
        for (operator, fields) in template.as_object().into_iter().flatten() {
            let mut set = Document::new();
            for (name, value) in fields.as_object().into_iter().flatten() {
                match self.placed(value)? {
                    Placed::Is(value) => {
                        set.insert(name, value);
                    }
                    Placed::Nothing if operator == "$set" => {
                        gone.insert(name, "");
                    }
                    Placed::Nothing | Placed::LeftOut => {}
                }
            }
            if !set.is_empty() {
                change.insert(operator, set);
            }
        }
        if !gone.is_empty() {
            change.insert("$unset", gone);
        }
        // A change without operators would be taken for a document in the place of the other.
        if change.is_empty() {
            change.insert("$set", Document::new());
        }
        Ok(change)
    }

    fn placed(&self, template: &Value) -> Result<Placed, StoreError> {
        let Some(fields) = template.as_object() else {
            let Some(items) = template.as_array() else { return Ok(Placed::Is(bson(template))) };
            let mut list = Vec::new();
            for item in items {
                if let Placed::Is(value) = self.placed(item)? {
                    list.push(value);
                }
            }
            return Ok(Placed::Is(Bson::Array(list)));
        };
        if fields.contains_key("$bind") {
            return self.bound(fields);
        }
        if let Some(what) = fields.get("$made").and_then(Value::as_str) {
            return self.made(what).map(Placed::Is);
        }
        if let (1, Some(text)) = (fields.len(), fields.get("$date").and_then(Value::as_str)) {
            return date(text).map(Placed::Is).ok_or_else(|| refused("a plan says a time that is none"));
        }
        self.document(fields).map(|document| Placed::Is(Bson::Document(document)))
    }

    fn bound(&self, place: &Map<String, Value>) -> Result<Placed, StoreError> {
        if let Some(asked) = place.get("if").and_then(Value::as_u64) {
            match self.datum(asked)? {
                Datum::Boolean(true) | Datum::Integer(1) => {}
                _ => return Ok(Placed::LeftOut),
            }
        }
        let datum = self.datum(place.get("$bind").and_then(Value::as_u64).unwrap_or(u64::MAX))?;
        if *datum == Datum::Null {
            return Ok(if place.contains_key("known") { Placed::LeftOut } else { Placed::Nothing });
        }
        let value = match (place.get("as").and_then(Value::as_str), datum) {
            (Some("date"), Datum::Text(text)) => match date(text) {
                Some(value) => value,
                None => return Err(refused("a text that is no time")),
            },
            (Some("folded"), Datum::Text(text)) => Bson::String(text.to_ascii_uppercase()),
            // A text is looked for as it stands: nothing in it is a sign of a pattern.
            (Some("pattern"), Datum::Text(text)) => Bson::String(as_pattern(text)),
            (Some("beginning"), Datum::Text(text)) => Bson::String(format!("^{}", as_pattern(text))),
            (Some("negated"), Datum::Integer(number)) => Bson::Int64(-number),
            (Some("negated"), Datum::Decimal(number)) => Bson::Int64(-number.units()),
            (_, datum) => stored(datum),
        };
        Ok(Placed::Is(value))
    }

    fn datum(&self, index: u64) -> Result<&Datum, StoreError> {
        let index = usize::try_from(index).unwrap_or(usize::MAX);
        self.bound.get(index).ok_or_else(|| refused("a command asks for a value that is not given"))
    }

    fn made(&self, what: &str) -> Result<Bson, StoreError> {
        match what {
            "now" => Ok(Bson::DateTime(DateTime::now())),
            "today" => Ok(Bson::String(jiff::Timestamp::now().strftime("%Y-%m-%d").to_string())),
            "id" => Ok(Bson::String(uuid::Uuid::now_v7().to_string())),
            "count" => self.counted.map(Bson::Int64).ok_or_else(|| refused("nobody has counted")),
            _ => Err(refused("a command asks for what nobody can make")),
        }
    }
}

fn refused(why: &str) -> StoreError {
    StoreError::Refused(why.to_owned())
}

/// The regular expression that finds the text itself.
fn as_pattern(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter.is_ascii() && !letter.is_ascii_alphanumeric() {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
    pattern
}
