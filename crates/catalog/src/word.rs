//! Words: what a field holds, from its name, where nobody says more.

use crate::entity::{Kind, Precision, Sensitivity, bounds, field_type};
use serde::Deserialize;
use vocab::{Bounds, FieldType};

/// A rule about the words of a name.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "WordText")]
pub struct WordRule {
    begins: Vec<String>,
    ends: Vec<String>,
    is: Vec<String>,
    /// What such a field holds.
    pub field_type: FieldType,
    /// The least and the greatest number.
    pub bounds: Bounds,
    /// Who may see it.
    pub sensitivity: Sensitivity,
    /// The reason in words.
    pub because: String,
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
    scale: Option<u8>,
    minimum: Option<String>,
    maximum: Option<String>,
    #[serde(default)]
    sensitivity: Sensitivity,
    because: String,
    example: String,
}

impl TryFrom<WordText> for WordRule {
    type Error = String;

    fn try_from(text: WordText) -> Result<Self, String> {
        let field_type = field_type(text.kind, Precision { max: text.max, scale: text.scale, words: None })?;
        let bounds = bounds(&field_type, text.minimum.as_deref(), text.maximum.as_deref())?;
        Ok(Self {
            begins: text.begins,
            ends: text.ends,
            is: text.is,
            field_type,
            bounds,
            sensitivity: text.sensitivity,
            because: text.because,
            example: text.example,
        })
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
    use crate::{Catalog, Sensitivity};
    use vocab::{FieldName, FieldType};

    const LINE: FieldType = FieldType::Line { max: 200 };
    const TEXT: FieldType = FieldType::Text { max: 5000 };

    const fn line(max: u32) -> FieldType {
        FieldType::Line { max }
    }

    const MONEY: FieldType = decimal(2);

    const fn decimal(scale: u8) -> FieldType {
        FieldType::Decimal { scale }
    }

    fn check(names: &[(&str, FieldType)]) {
        let catalog = Catalog::built_in().unwrap();
        for (name, expected) in names {
            let name = FieldName::parse(name).unwrap();
            assert_eq!(catalog.word_rule(&name).unwrap().field_type, *expected, "{name}");
        }
    }

    #[test]
    fn the_words_of_a_name_tell_its_type() {
        check(&[
            ("work_email", FieldType::Email),
            ("email_address", FieldType::Email),
            ("mobile_number", FieldType::Phone),
            ("company_website", FieldType::Url),
            ("device_uuid", FieldType::Uuid),
            ("customer_id", FieldType::Uuid),
            ("stripe_customer_id", LINE),
            ("published_at", FieldType::Timestamp),
            ("start_time", FieldType::Timestamp),
            ("preferred_time", line(100)),
            ("time", line(100)),
            ("due_date", FieldType::Date),
            ("birthday", FieldType::Date),
            ("hired_on", FieldType::Date),
            ("is_open", FieldType::Boolean),
            ("has_email", FieldType::Boolean),
            ("marketing_consent", FieldType::Boolean),
            ("completed", FieldType::Boolean),
            ("stock", FieldType::Integer),
            ("view_count", FieldType::Integer),
            ("number_of_guests", FieldType::Integer),
            ("sort_order", FieldType::Integer),
            ("years_of_experience", FieldType::Integer),
            ("position", FieldType::Integer),
            ("rating", FieldType::Integer),
            ("average_rating", MONEY),
            ("price", MONEY),
            ("unit_price", MONEY),
            ("amount_due", MONEY),
            ("shipping_cost", MONEY),
            ("discount_percent", MONEY),
            ("tax_rate", decimal(4)),
            ("latitude", decimal(6)),
            ("weight_kg", decimal(3)),
            ("title", LINE),
            ("page_slug", line(100)),
            ("username", line(50)),
            ("hair_colour", line(50)),
            ("country_code", FieldType::Code { letters: 2 }),
            ("country", line(100)),
            ("currency", FieldType::Code { letters: 3 }),
            ("postal_code", line(20)),
            ("coupon_code", line(100)),
            ("status", line(50)),
            ("language", line(35)),
            ("time_zone", line(64)),
            ("ip_address", line(45)),
            ("shipping_address", FieldType::Text { max: 500 }),
            ("opening_hours", FieldType::Text { max: 1000 }),
            ("profile_picture", line(2048)),
            ("tags", FieldType::Json),
            ("internal_notes", TEXT),
            ("cover_letter", TEXT),
        ]);
    }

    #[test]
    fn a_word_inside_of_another_says_nothing() {
        check(&[
            ("issue", LINE),
            ("history", LINE),
            ("island", LINE),
            ("hashtag", LINE),
            ("candidate", LINE),
            ("discount_code", line(100)),
            ("country_count", FieldType::Integer),
            ("account", LINE),
            ("headcount_plan", LINE),
            ("email_subject", LINE),
            ("email_verified", FieldType::Boolean),
            ("price_list_name", LINE),
            ("price_count", FieldType::Integer),
            ("total_count", FieldType::Integer),
            ("surprise", LINE),
            ("last_update", LINE),
            ("caption", LINE),
            ("season", LINE),
            ("based_on", LINE),
            ("add_on", LINE),
            ("what", LINE),
            ("bat", LINE),
            ("latest_version", LINE),
            ("flat", LINE),
            ("melon", LINE),
            ("percentile", LINE),
            ("stage", LINE),
            ("page", LINE),
            ("tooltip", LINE),
            ("syntax", LINE),
            ("valid", LINE),
            ("paid_by", LINE),
            ("idea", LINE),
            ("tax_id", LINE),
            ("tasks_completed", LINE),
            ("job_position", LINE),
            ("profile", LINE),
            ("year_text", TEXT),
        ]);
    }

    #[test]
    fn numbers_are_bounded_and_people_are_recognised() {
        let catalog = Catalog::built_in().unwrap();
        let rule = |text| catalog.word_rule(&FieldName::parse(text).unwrap()).unwrap();
        let bounds = |text| rule(text).bounds.describe();
        assert_eq!(bounds("price").as_deref(), Some("at least 0.00"));
        assert_eq!(bounds("balance"), None);
        assert_eq!(bounds("stock").as_deref(), Some("at least 0"));
        assert_eq!(bounds("rating").as_deref(), Some("between 1 and 5"));
        assert_eq!(bounds("discount_percent").as_deref(), Some("between 0.00 and 100.00"));
        assert_eq!(bounds("longitude").as_deref(), Some("between -180.000000 and 180.000000"));
        for name in ["date_of_birth", "salary", "last_name", "home_address", "phone"] {
            assert_eq!(rule(name).sensitivity, Sensitivity::Personal, "{name}");
        }
        assert_eq!(rule("price").sensitivity, Sensitivity::Plain);
    }
}
