//! Examples of fields that are compared: they come in each right by itself, and go out right together, so that what is made of them
//! is a record that a server takes.

use catalog::{Compared, Field};
use vocab::comparator::beyond;
use vocab::{Comparator, Datum, FieldName};

/// Moves the examples that do not stand to each other as they must.
pub fn agree(fields: &mut [Field], compares: &[Compared]) {
    // Each round mends one pair; where they ask for each other's contrary there is no end.
    for _ in 0..=compares.len() {
        let Some((at, example)) = compares.iter().find_map(|compared| moved(fields, compared)) else { return };
        fields[at].example = example.plain();
    }
}

/// The field whose example must move so that the pair is right, and where to.
fn moved(fields: &[Field], Compared { field, comparator, other }: &Compared) -> Option<(usize, Datum)> {
    let find = |name: &FieldName| fields.iter().position(|field| field.name == *name);
    let (own, theirs) = (find(field)?, find(other)?);
    let ordering = fields[own].example_value().compare(&fields[theirs].example_value())?;
    if comparator.holds(ordering) {
        return None;
    }
    let (greater, less) = match comparator {
        Comparator::MoreThan | Comparator::AtLeast => (own, theirs),
        Comparator::LessThan | Comparator::AtMost => (theirs, own),
    };
    let step = |from: usize, to: usize, by| {
        let value = beyond(&fields[from].example_value(), by, &fields[to].field_type)?;
        fields[to].bounds.allow(&value).then_some((to, value))
    };
    step(less, greater, 1).or_else(|| step(greater, less, -1))
}
