//! How large the body of an endpoint may be: large enough for the longest value of every field, however it is escaped.

use plan::procedure::{Input, Item, Step};
use plan::shape::{Entries, ShapeField};
use vocab::FieldType;

/// Every endpoint takes that much, and limits are multiples of it.
const STEP: u64 = 64 * 1024;
/// No endpoint takes more. It holds a text of the greatest length that a task can ask for.
const MOST: u64 = 16 * 1024 * 1024;
/// A character outside the basic plane is twelve bytes where it is escaped: `\ud83d\ude00`.
const BYTES_OF_CHARACTER: u64 = 12;
/// Longest time, UUID or number as people write them, escaped.
const BYTES_OF_SHORT_VALUE: u64 = 64 * BYTES_OF_CHARACTER;
/// Quotes, colon, comma, and white space around them.
const BYTES_AROUND: u64 = 16;
/// A list of records is taken up to that.
const MOST_OF_LIST: u64 = 4 * 1024 * 1024;
/// White space elsewhere.
const SLACK: u64 = 4096;

/// What a sender may send, in bytes.
const MOST_OF_CALL: u64 = 1024 * 1024;

/// In bytes. An endpoint without a body gets the least.
pub fn max_body_bytes(procedure: &[Item]) -> u64 {
    if procedure.iter().any(|item| matches!(item, Item::Let(_, Step::Hear(_)))) {
        return MOST_OF_CALL;
    }
    let shapes = procedure.iter().filter_map(|item| match item {
        Item::Let(_, Step::Validate(input)) => input.shape_of_body(),
        _ => None,
    });
    let needed: u64 = shapes.flat_map(|shape| &shape.fields).map(bytes).sum();
    let lists = procedure.iter().filter_map(|item| match item {
        Item::Match(_, arms) => arms.iter().flat_map(|(_, body)| body).find_map(|item| match item {
            Item::Let(_, Step::Validate(Input::List(known))) => Some(entries(known).min(MOST_OF_LIST - SLACK)),
            _ => None,
        }),
        _ => None,
    });
    let needed = lists.fold(needed, u64::max);
    (needed + SLACK).next_multiple_of(STEP).min(MOST)
}

fn bytes(field: &ShapeField) -> u64 {
    let value = match &field.field_type {
        FieldType::Json if field.entries.is_some() => field.entries.iter().map(|known| entries(known)).sum(),
        // Nothing bounds it but the body.
        FieldType::Json => STEP,
        FieldType::Line { .. }
        | FieldType::Text { .. }
        | FieldType::Email
        | FieldType::Phone
        | FieldType::Url
        | FieldType::Choice { .. }
        | FieldType::Code { .. }
        | FieldType::Decimal { .. }
        | FieldType::Integer
        | FieldType::Boolean
        | FieldType::Date
        | FieldType::Timestamp
        | FieldType::Uuid => field
            .field_type
            .max_length()
            .map_or(BYTES_OF_SHORT_VALUE, |characters| u64::from(characters) * BYTES_OF_CHARACTER),
    };
    let name = field.name.as_str().len() as u64 * BYTES_OF_CHARACTER;
    name + value + BYTES_AROUND
}

fn entries(known: &Entries) -> u64 {
    let entry: u64 = known.shape.fields.iter().map(bytes).sum();
    (entry + BYTES_AROUND) * u64::from(known.max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use plan::procedure::Outcome;
    use plan::shape::{Presence, Shape};
    use vocab::{Bounds, FieldName, SlotName};

    #[test]
    fn the_longest_values_fit_and_the_bounds_hold() {
        let slot = || SlotName::parse("input").unwrap();
        let shape = |field_type| {
            let field = ShapeField {
                format: None,
                name: FieldName::parse("body").unwrap(),
                field_type,
                presence: Presence::Required,
                min_length: 1,
                max_length: None,
                bounds: Bounds::default(),
                default: None,
                entries: None,
                words: Vec::new(),
                description: String::new(),
            };
            Shape { name: "A".to_owned(), fields: vec![field] }
        };
        let brought = |input| Item::Let(slot(), Step::Validate(input));
        let of = |field_type| max_body_bytes(&[brought(Input::Body(shape(field_type)))]);
        let of_list = |max| {
            let list = Input::List(Entries { shape: shape(FieldType::Text { max: 5_000 }), max });
            let arms = vec![(Outcome::Single, Vec::new()), (Outcome::Several, vec![brought(list)])];
            max_body_bytes(&[Item::Match(slot(), arms)])
        };
        assert_eq!(max_body_bytes(&[]), 65_536);
        assert_eq!(of(FieldType::Boolean), 65_536);
        assert_eq!(of(FieldType::Text { max: 5_000 }), 65_536);
        assert_eq!(of(FieldType::Text { max: 50_000 }), 655_360);
        assert_eq!(of(FieldType::Text { max: 1_000_000 }), 12_058_624);
        assert_eq!(of(FieldType::Text { max: 4_000_000 }), MOST);
        assert_eq!(of_list(10), 655_360);
        assert_eq!(of_list(1_000), MOST_OF_LIST);
    }
}
