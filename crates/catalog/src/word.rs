//! Words: what a field holds, from its name, where nobody says more.

use crate::entity::{Kind, field_type};
use serde::Deserialize;
use vocab::FieldType;

/// A rule about the words of a name.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "WordText")]
pub struct WordRule {
    begins: Vec<String>,
    ends: Vec<String>,
    is: Vec<String>,
    /// What such a field holds.
    pub field_type: FieldType,
    /// A value that could be real.
    pub example: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WordText {
    #[serde(default)]
    begins: Vec<String>,
    #[serde(default)]
    ends: Vec<String>,
    #[serde(default)]
    is: Vec<String>,
    #[serde(rename = "type")]
    kind: Kind,
    max: Option<u32>,
    example: String,
}

impl TryFrom<WordText> for WordRule {
    type Error = String;

    fn try_from(text: WordText) -> Result<Self, String> {
        let field_type = field_type(text.kind, text.max)?;
        Ok(Self { begins: text.begins, ends: text.ends, is: text.is, field_type, example: text.example })
    }
}

impl WordRule {
    /// Whether the rule is about such a name. A rule without words is about every name.
    #[must_use]
    pub fn fits(&self, name: &str) -> bool {
        let last_word = |end: &String| {
            name.strip_suffix(end.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.ends_with('_') || end.starts_with('_'))
        };
        (self.begins.is_empty() && self.ends.is_empty() && self.is.is_empty())
            || self.begins.iter().any(|begin| name.starts_with(begin.as_str()))
            || self.ends.iter().any(last_word)
            || self.is.iter().any(|word| word == name)
    }
}

#[cfg(test)]
mod tests {
    use crate::Catalog;
    use vocab::{FieldName, FieldType};

    const LINE: FieldType = FieldType::Line { max: 200 };
    const TEXT: FieldType = FieldType::Text { max: 5000 };

    const fn line(max: u32) -> FieldType {
        FieldType::Line { max }
    }

    #[test]
    fn the_words_of_a_name_tell_its_type() {
        let catalog = Catalog::built_in().unwrap();
        for (name, expected) in [
            ("work_email", FieldType::Email),
            ("email_address", FieldType::Email),
            ("email_verified", FieldType::Boolean),
            ("mobile_number", FieldType::Phone),
            ("company_website", FieldType::Url),
            ("device_uuid", FieldType::Uuid),
            ("published_at", FieldType::Timestamp),
            ("start_time", FieldType::Timestamp),
            ("preferred_time", line(100)),
            ("time", line(100)),
            ("due_date", line(40)),
            ("birthday", line(40)),
            ("last_update", LINE),
            ("is_open", FieldType::Boolean),
            ("has_email", FieldType::Boolean),
            ("marketing_consent", FieldType::Boolean),
            ("completed", FieldType::Boolean),
            ("tasks_completed", LINE),
            ("stock", FieldType::Integer),
            ("number_of_guests", FieldType::Integer),
            ("sort_order", FieldType::Integer),
            ("years_of_experience", FieldType::Integer),
            ("position", FieldType::Integer),
            ("job_position", LINE),
            ("discount", LINE),
            ("customer_id", LINE),
            ("title", LINE),
            ("page_slug", line(100)),
            ("username", line(50)),
            ("hair_colour", line(50)),
            ("country_code", line(5)),
            ("postal_code", line(20)),
            ("coupon_code", line(100)),
            ("currency", line(3)),
            ("language", line(35)),
            ("time_zone", line(64)),
            ("ip_address", line(45)),
            ("shipping_address", FieldType::Text { max: 500 }),
            ("opening_hours", FieldType::Text { max: 1000 }),
            ("profile_picture", line(2048)),
            ("profile", LINE),
            ("internal_notes", TEXT),
            ("cover_letter", TEXT),
        ] {
            let name = FieldName::parse(name).unwrap();
            assert_eq!(catalog.word_rule(&name).unwrap().field_type, expected, "{name}");
        }
    }
}
