//! The entity behind an endpoint: one that the catalogue knows, or one made from the fields that the task names.

use crate::codes::{NOT_INFERRED, OVERRIDE_NOT_BUILT, SECRET_FIELD};
use crate::intent::{Inferred, infer, target};
use catalog::{Catalog, Entity, Field, Presence, Sensitivity};
use spec::{ApiRequirements, Endpoint, FieldRule, RuleValue};
use vocab::{Diagnostic, EntityName, FieldName, FieldType, TableName};

/// Columns that every table of an entity has besides its fields.
pub const OWN_COLUMNS: [&str; 4] = ["id", "created_at", "updated_at", "row_version"];
/// Longest text of a field that says nothing of its length.
const LINE_MAX: u32 = 200;
const TEXT_MAX: u32 = 5000;

/// The entity an endpoint works on, with what was decided about its fields and why.
pub struct Resolved {
    pub entity: Entity,
    /// Field, type and reason, for fields that the catalogue does not know.
    pub made: Vec<(FieldName, FieldType, String)>,
}

pub fn resolve(
    endpoint: &Endpoint,
    requirements: &ApiRequirements,
    inferred: &Inferred<'_>,
    catalog: &Catalog,
) -> Result<Resolved, Vec<Diagnostic>> {
    let segment = target(&endpoint.path).map_or("", |target| target.segment);
    let stated = stated_fields(segment, endpoint, requirements, inferred, catalog);
    let named = inferred.intent.entity.as_ref().and_then(|name| catalog.entity(name));
    match named.or_else(|| catalog.entity_of_segment(segment)) {
        Some(known) => extended(known, &stated, catalog),
        None => made_of_fields(segment, endpoint, &stated, catalog),
    }
}

/// What the endpoints of one name validate: together they describe one entity. An endpoint whose rule names its entity
/// describes that one alone.
fn stated_fields<'a>(
    segment: &str,
    endpoint: &'a Endpoint,
    requirements: &'a ApiRequirements,
    inferred: &Inferred<'_>,
    catalog: &Catalog,
) -> Vec<&'a FieldRule> {
    let is_same = |other: &&Endpoint| {
        target(&other.path).is_some_and(|target| target.segment == segment)
            && infer(other, catalog).is_ok_and(|other| other.intent.entity == inferred.intent.entity)
    };
    let mut rules: Vec<&FieldRule> = Vec::new();
    let others = requirements.endpoints.iter().filter(is_same).flat_map(|other| &other.validation);
    for rule in endpoint.validation.iter().chain(others) {
        match rules.iter_mut().find(|known| known.name.value == rule.name.value) {
            Some(known) if known.rules.is_empty() => *known = rule,
            Some(_) => {}
            None => rules.push(rule),
        }
    }
    rules
}

/// A known entity with the fields that the task adds to it. They may be empty: rows of other tasks do not have them.
fn extended(known: &Entity, stated: &[&FieldRule], catalog: &Catalog) -> Result<Resolved, Vec<Diagnostic>> {
    let mut entity = known.clone();
    let mut made = Vec::new();
    for rule in stated.iter().filter(|rule| !known.fields.iter().any(|field| field.name == rule.name.value)) {
        refuse(rule, catalog)?;
        let (field, reason) = field(rule, catalog);
        made.push((field.name.clone(), field.field_type, reason));
        entity.fields.push(Field { presence: Presence::Optional, ..field });
    }
    Ok(Resolved { entity, made })
}

/// Fields that a task cannot have: those the server keeps, and those that must not be kept as they come.
fn refuse(rule: &FieldRule, catalog: &Catalog) -> Result<(), Vec<Diagnostic>> {
    if catalog.is_secret(&rule.name.value) {
        let message = format!("`{}` would be stored and shown as it comes", rule.name.value);
        return Err(vec![
            Diagnostic::error(SECRET_FIELD, message, &rule.name.place)
                .with_help("leave it out: secrets need a behaviour that hashes them or never keeps them"),
        ]);
    }
    if !OWN_COLUMNS.contains(&rule.name.value.as_str()) {
        return Ok(());
    }
    let message = format!("`{}` is kept by the server", rule.name.value);
    Err(vec![
        Diagnostic::error(OVERRIDE_NOT_BUILT, message, &rule.name.place).with_help("leave it out of `validation`"),
    ])
}

fn made_of_fields(
    segment: &str,
    endpoint: &Endpoint,
    stated: &[&FieldRule],
    catalog: &Catalog,
) -> Result<Resolved, Vec<Diagnostic>> {
    let table = snake_case(segment);
    let names = TableName::parse(&table).ok().zip(EntityName::parse(&singular(&table)).ok());
    let (Some((table, entity)), false) = (names, stated.is_empty()) else {
        let message = format!("nothing tells which fields `{segment}` have");
        return Err(vec![
            Diagnostic::error(NOT_INFERRED, message, &endpoint.place)
                .with_help("name them at the endpoint that creates them: `validation: [\"title\", \"description\"]`"),
        ]);
    };
    let mut made = Vec::new();
    let mut fields = Vec::new();
    for rule in stated {
        refuse(rule, catalog)?;
        let (field, reason) = field(rule, catalog);
        made.push((field.name.clone(), field.field_type, reason));
        fields.push(field);
    }
    let comment = format!("what {segment} are is said by the task");
    Ok(Resolved { entity: Entity { entity, table, comment, unique: Vec::new(), fields }, made })
}

/// A field from its rules, or from the words of its name. A field in a list must be there; one in a map says so itself.
fn field(rule: &FieldRule, catalog: &Catalog) -> (Field, String) {
    let text = |word: &str| {
        rule.rules.iter().find(|(known, _)| known.value == word).and_then(|(_, value)| match &value.value {
            RuleValue::Text(text) => Some(text.as_str()),
            RuleValue::Boolean(_) | RuleValue::Integer(_) => None,
        })
    };
    let length = |word: &str| {
        rule.rules.iter().find(|(known, _)| known.value == word).and_then(|(_, value)| match &value.value {
            RuleValue::Integer(number) => u32::try_from(*number).ok(),
            RuleValue::Boolean(_) | RuleValue::Text(_) => None,
        })
    };
    let required =
        rule.rules.iter().any(|(word, value)| word.value == "required" && value.value == RuleValue::Boolean(true));
    let stated = text("format").or_else(|| text("type")).and_then(|word| stated_type(word, length("max_length")));
    let by_word = catalog.word_rule(&rule.name.value);
    let (field_type, reason) = match (stated, by_word) {
        (Some(stated), _) => (stated, "the task says so".to_owned()),
        (None, Some(word)) => {
            (with_length(word.field_type, length("max_length")), format!("the words of `{}`", rule.name.value))
        }
        (None, None) => (FieldType::Line { max: LINE_MAX }, "nothing says more".to_owned()),
    };
    let example = by_word.filter(|word| word.field_type == field_type).map(|word| word.example.clone());
    let presence = if rule.rules.is_empty() || required { Presence::Required } else { Presence::Optional };
    let min_length = length("min_length").unwrap_or(1);
    let field = Field {
        name: rule.name.value.clone(),
        field_type,
        presence,
        min_length,
        sensitivity: match field_type {
            FieldType::Email | FieldType::Phone => Sensitivity::Personal,
            _ => Sensitivity::Plain,
        },
        description: String::new(),
        example: fitting(&example.unwrap_or_else(|| example_of(field_type).to_owned()), field_type, min_length),
    };
    (field, reason)
}

fn stated_type(word: &str, max: Option<u32>) -> Option<FieldType> {
    Some(match word {
        "line" => FieldType::Line { max: max.unwrap_or(LINE_MAX) },
        "text" => FieldType::Text { max: max.unwrap_or(TEXT_MAX) },
        "email" => FieldType::Email,
        "phone" => FieldType::Phone,
        "url" => FieldType::Url,
        "integer" => FieldType::Integer,
        "boolean" => FieldType::Boolean,
        "timestamp" => FieldType::Timestamp,
        "uuid" => FieldType::Uuid,
        _ => return None,
    })
}

fn with_length(field_type: FieldType, max: Option<u32>) -> FieldType {
    match (field_type, max) {
        (FieldType::Line { .. }, Some(max)) => FieldType::Line { max },
        (FieldType::Text { .. }, Some(max)) => FieldType::Text { max },
        (other, _) => other,
    }
}

fn example_of(field_type: FieldType) -> &'static str {
    match field_type {
        FieldType::Line { .. } | FieldType::Json => "Something",
        FieldType::Text { .. } => "A few words.",
        FieldType::Email => "ada@example.com",
        FieldType::Phone => "+44 20 7946 0018",
        FieldType::Url => "https://example.com",
        FieldType::Integer => "3",
        FieldType::Boolean => "true",
        FieldType::Timestamp => "2026-01-02T03:04:05.678Z",
        FieldType::Uuid => "019c0f3e-7b1a-7c3d-8e5f-0123456789ab",
    }
}

/// The example, made longer or shorter where its field asks for it.
fn fitting(example: &str, field_type: FieldType, min_length: u32) -> String {
    let missing = (min_length as usize).saturating_sub(example.chars().count());
    match field_type {
        FieldType::Line { max } | FieldType::Text { max } => {
            let cut: String = example.chars().take(max as usize).collect();
            // White space at the end would be dropped.
            let kept = cut.trim_end();
            let missing = (min_length as usize).saturating_sub(kept.chars().count());
            format!("{kept}{}", "x".repeat(missing))
        }
        FieldType::Email => "x".repeat(missing) + example,
        FieldType::Url if missing > 0 => format!("{example}/{}", "x".repeat(missing)),
        FieldType::Phone => example.replacen(' ', &" ".repeat(missing + 1), 1),
        FieldType::Url
        | FieldType::Integer
        | FieldType::Boolean
        | FieldType::Timestamp
        | FieldType::Uuid
        | FieldType::Json => example.to_owned(),
    }
}

/// Letters, digits and `_`, lower case.
pub fn snake_case(segment: &str) -> String {
    let text: String = segment
        .chars()
        .map(|letter| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '_' })
        .collect();
    text.trim_matches('_').to_owned()
}

/// `companies` -> `company`, `boxes` -> `box`, `orders` -> `order`; a word that is no plural stays.
fn singular(word: &str) -> String {
    if let Some(stem) = word.strip_suffix("ies").filter(|stem| stem.len() > 1) {
        return format!("{stem}y");
    }
    for ending in ["sses", "shes", "ches", "xes"] {
        if word.ends_with(ending) {
            return word[..word.len() - 2].to_owned();
        }
    }
    match word.strip_suffix('s') {
        Some(stem) if !stem.ends_with('s') && stem.len() > 1 => stem.to_owned(),
        Some(_) | None => word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{FieldType, example_of, fitting};

    #[test]
    fn examples_fit_their_fields() {
        for (field_type, min_length, expected) in [
            (FieldType::Line { max: 200 }, 1, "Something"),
            (FieldType::Line { max: 5 }, 2, "Somet"),
            (FieldType::Line { max: 200 }, 12, "Somethingxxx"),
            (FieldType::Text { max: 2 }, 1, "A"),
            (FieldType::Text { max: 200 }, 14, "A few words.xx"),
            (FieldType::Email, 17, "xxada@example.com"),
            (FieldType::Url, 21, "https://example.com/xx"),
            (FieldType::Phone, 18, "+44   20 7946 0018"),
            (FieldType::Integer, 1, "3"),
        ] {
            assert_eq!(fitting(example_of(field_type), field_type, min_length), expected);
        }
    }

    #[test]
    fn singulars() {
        for (plural, expected) in [
            ("companies", "company"),
            ("boxes", "box"),
            ("classes", "class"),
            ("orders", "order"),
            ("staff", "staff"),
            ("glass", "glass"),
        ] {
            assert_eq!(super::singular(plural), expected);
        }
    }
}
