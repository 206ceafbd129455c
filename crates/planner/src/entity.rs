//! The entity behind an endpoint: one that the catalogue knows, or one made from the fields that the task names.

use crate::behaviour::WorksOn;
use crate::codes::{NOT_INFERRED, OVERRIDE_NOT_BUILT, SECRET_FIELD};
use crate::intent::{Inferred, target};
use crate::subject::{Known, entity_name};
use catalog::{Catalog, Entity, Field, Presence, Sensitivity};
use spec::{Endpoint, FieldRule, RuleValue, closest};
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

pub fn resolve(endpoint: &Endpoint, inferred: &Inferred, known: &Known<'_>) -> Result<Resolved, Vec<Diagnostic>> {
    if inferred.behaviour.works_on == WorksOn::Nothing {
        return Ok(Resolved { entity: nothing(inferred.behaviour.name), made: Vec::new() });
    }
    let segment = target(&endpoint.path).map_or("", |target| target.segment);
    let name = entity_name(endpoint, inferred, known.catalog);
    let same = name.as_ref().map_or_else(Vec::new, |name| known.same(name));
    let stated = stated_fields(endpoint, &same);
    let mut resolved = match name.as_ref().and_then(|name| known.catalog.entity(name)) {
        Some(entity) => extended(entity, &stated, known.catalog)?,
        None => {
            let names = name.and_then(|name| Some((known.table_name(&name)?, name)));
            made_of_fields(segment, names, endpoint, &stated, known.catalog)?
        }
    };
    add_parents(&mut resolved, &same, known);
    Ok(resolved)
}

/// Stands where an endpoint has no entity; nothing is kept of it.
fn nothing(name: &str) -> Entity {
    Entity {
        entity: EntityName::parse(name).expect("a behaviour's name"),
        table: TableName::parse(name).expect("a behaviour's name"),
        comment: String::new(),
        unique: Vec::new(),
        fields: Vec::new(),
    }
}

/// What the endpoints of one entity validate: together they describe it.
fn stated_fields<'a>(endpoint: &'a Endpoint, same: &[&'a Endpoint]) -> Vec<&'a FieldRule> {
    let mut rules: Vec<&FieldRule> = Vec::new();
    for rule in endpoint.validation.iter().chain(same.iter().flat_map(|other| &other.validation)) {
        match rules.iter_mut().find(|known| known.name.value == rule.name.value) {
            Some(known) if known.rules.is_empty() => *known = rule,
            Some(_) => {}
            None => rules.push(rule),
        }
    }
    rules
}

/// What its records belong to, as the paths of the task say. It may be empty: other paths make records that belong to nothing.
fn add_parents(resolved: &mut Resolved, same: &[&Endpoint], known: &Known<'_>) {
    for other in same {
        let Some(parent) = target(&other.path).and_then(|target| target.parent) else { continue };
        let Some(name) = known.parent_field(parent) else { continue };
        if resolved.entity.fields.iter().any(|field| field.name == name) {
            continue;
        }
        // Whoever sends the key may have it from another system.
        let field_type = FieldType::Line { max: LINE_MAX };
        resolved.made.push((name.clone(), field_type, format!("the path `{}`", other.path)));
        resolved.entity.fields.push(Field {
            name,
            field_type,
            format: None,
            presence: Presence::Optional,
            min_length: 1,
            sensitivity: Sensitivity::Plain,
            description: format!(
                "The `id` of the {} it belongs to.",
                singular(&snake_case(parent.segment)).replace('_', " ")
            ),
            example: "019c0f3e-7b1a-7c3d-8e5f-0123456789ab".to_owned(),
        });
    }
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
    names: Option<(TableName, EntityName)>,
    endpoint: &Endpoint,
    stated: &[&FieldRule],
    catalog: &Catalog,
) -> Result<Resolved, Vec<Diagnostic>> {
    let (Some((table, entity)), false) = (names, stated.is_empty()) else {
        return Err(vec![no_fields(segment, endpoint, catalog)]);
    };
    let mut made = Vec::new();
    let mut fields = Vec::new();
    for rule in stated {
        refuse(rule, catalog)?;
        let (field, reason) = field(rule, catalog);
        made.push((field.name.clone(), field.field_type, reason));
        fields.push(field);
    }
    let comment = format!("what {} are is said by the task", table.as_str().replace('_', " "));
    Ok(Resolved { entity: Entity { entity, table, comment, unique: Vec::new(), fields }, made })
}

/// Nothing tells the fields. The names of the catalogue are near at hand, and so is `validation`.
fn no_fields(segment: &str, endpoint: &Endpoint, catalog: &Catalog) -> Diagnostic {
    let fields = "`validation: [\"title\", \"description\"]`";
    if let Some(stated) = &endpoint.entity {
        let known: Vec<&str> = catalog.entities().map(|entity| entity.entity.as_str()).collect();
        let meant = closest(stated.value.as_str(), &known)
            .map_or_else(String::new, |meant| format!("did you mean `entity: {meant}`? else "));
        let message = format!("nothing tells which fields `{}` has", stated.value);
        return Diagnostic::error(NOT_INFERRED, message, &stated.place)
            .with_help(format!("{meant}name them at the endpoint that creates it: {fields}"));
    }
    let claimed = catalog.claimed_entity(segment);
    let known = claimed.map_or_else(String::new, |entity| format!("add `entity: {entity}` if that is meant, or "));
    Diagnostic::error(NOT_INFERRED, format!("nothing tells which fields `{segment}` have"), &endpoint.place)
        .with_help(format!("{known}name them at the endpoint that creates them: {fields}"))
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
    let field = Field {
        name: rule.name.value.clone(),
        field_type,
        format: None,
        presence,
        min_length: length("min_length").unwrap_or(1),
        sensitivity: match field_type {
            FieldType::Email | FieldType::Phone => Sensitivity::Personal,
            _ => Sensitivity::Plain,
        },
        description: String::new(),
        example: example.unwrap_or_else(|| example_of(field_type).to_owned()),
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

/// Letters, digits and `_`, lower case.
pub fn snake_case(segment: &str) -> String {
    let text: String = segment
        .chars()
        .map(|letter| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '_' })
        .collect();
    text.trim_matches('_').to_owned()
}

/// `companies` -> `company`, `boxes` -> `box`, `orders` -> `order`; a word that is no plural stays.
pub fn singular(word: &str) -> String {
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
