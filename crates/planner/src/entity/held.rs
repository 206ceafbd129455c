//! The entity behind an endpoint whose rows a table of a database task holds: the table says what a record is. Nothing of it is
//! changed; what it has not is refused, with the line that settles it.

use super::Resolved;
use super::agreement::agree;
use super::field::{described, narrowed, with_example};
use crate::behaviour::{Reference, WorksOn};
use crate::codes::{OVERRIDE_NOT_BUILT, TABLE_NOT_SERVED, UNKNOWN_COLUMN};
use crate::intent::{Inferred, target};
use crate::key::{Origin, RecordKey};
use crate::subject::Known;
use catalog::{Catalog, Compared, Entity, Field, Presence, Sensitivity, example_of};
use plan::Table;
use plan::database::{Check, CheckRule, Column, ColumnDefault, Nullability, Uniqueness};
use spec::{Endpoint, FieldRule, closest};
use vocab::{Bounds, ColumnName, Datum, Decimal, Diagnostic, EntityName, FieldName, FieldType};

/// The id of the rows that the cases take for granted. It is older than any that a server makes, so that it stands last in lists.
const SEED: &str = "01900000-0000-7000-8000-000000000001";
/// The same where a database counts.
const FIRST: i64 = 1;
/// What tells of a record's changes, and is said by no request.
const KEPT_COLUMNS: [&str; 3] = ["created_at", "updated_at", "row_version"];

pub fn resolve(
    endpoint: &Endpoint,
    inferred: &Inferred,
    name: &EntityName,
    table: &Table,
    known: &Known<'_>,
) -> Result<Resolved, Vec<Diagnostic>> {
    let unserved = unserved(table).map(|(why, help)| {
        let message = format!("`{}` cannot be served: {why}", table.name);
        Diagnostic::error(TABLE_NOT_SERVED, message, &endpoint.place).with_help(help)
    });
    if let Some(problem) = unserved.or_else(|| wrong_parent(endpoint, table, known)) {
        return Err(vec![problem]);
    }
    let key = RecordKey::of(table);
    let is_field = |column: &&Column| is_field(column, key.as_ref());
    let fields: Vec<Field> =
        table.columns.iter().filter(is_field).map(|column| field(column, table, known.tables, known.catalog)).collect();
    let mut asked: Vec<Field> = fields.iter().map(|field| checked(field, table)).collect();
    let mut decided = Vec::new();
    let mut problems = Vec::new();
    // What a behaviour that only ends something names beside its record is no column.
    let own = if inferred.behaviour.works_on == WorksOn::Entity { &endpoint.validation[..] } else { &[] };
    for rule in own.iter().chain(known.same(name).into_iter().flat_map(|other| &other.validation)) {
        match narrow(&mut asked, rule, table, known.catalog.entity_of_table(&table.name)) {
            Ok(Some(narrower)) => decided.push(narrower),
            Ok(None) => {}
            Err(found) => {
                problems.extend(found.into_iter().filter(|problem| !problems.contains(problem)).collect::<Vec<_>>())
            }
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let entity = Entity {
        entity: name.clone(),
        table: table.name.clone(),
        comment: table.comment.clone(),
        also: Vec::new(),
        unique: unique(table).map(|columns| columns.iter().map(field_name).collect()).collect(),
        compares: compares(table),
        no_overlap: Vec::new(),
        fields,
        file: None,
    };
    Ok(Resolved { entity, asked, decided, held: Some(table.clone()), references: references(table), now: now(table) })
}

/// Sets of columns whose values together are unique, by a key that nobody makes or by an index.
pub fn unique(table: &Table) -> impl Iterator<Item = &Vec<ColumnName>> {
    let indexes = table.rules.indexes.iter().filter(|index| index.uniqueness == Uniqueness::Unique);
    let is_given = |_: &&Vec<ColumnName>| RecordKey::of(table).is_none_or(|key| key.origin == Origin::Client);
    let key = Some(&table.primary_key).filter(is_given);
    key.into_iter().chain(&table.unique).chain(indexes.map(|index| &index.columns))
}

/// Whether requests say the column: what names a record only where nobody else makes it, and never when it came and changed.
fn is_field(column: &Column, key: Option<&RecordKey>) -> bool {
    match key.filter(|key| key.column == column.name) {
        Some(key) => key.origin == Origin::Client,
        None => !KEPT_COLUMNS.contains(&column.name.as_str()),
    }
}

/// How the values of a row stand to each other, as the checks of the table say.
fn compares(table: &Table) -> Vec<Compared> {
    let compared = |check: &Check| match &check.rule {
        CheckRule::Against { comparator, other } => {
            Some(Compared { field: field_name(&check.column), comparator: *comparator, other: field_name(other) })
        }
        CheckRule::Range { .. }
        | CheckRule::OneOf(_)
        | CheckRule::Length { .. }
        | CheckRule::Capitals { .. }
        | CheckRule::NotBlank => None,
    };
    table.rules.checks.iter().filter_map(compared).collect()
}

/// Why records of the table cannot be named, or told from their older versions, and what would help.
fn unserved(table: &Table) -> Option<(String, String)> {
    let wanted = |name: &str| match name {
        "row_version" => FieldType::Integer,
        _ => FieldType::Timestamp,
    };
    let keeps = |name: &str| {
        table.columns.iter().any(|column| {
            column.name.as_str() == name
                && column.field_type == wanted(name)
                && column.nullability == Nullability::NotNull
        })
    };
    if RecordKey::of(table).is_none() {
        let key: Vec<String> = table.primary_key.iter().map(|column| described_key(table, column)).collect();
        let unique: Vec<&str> = table.primary_key.iter().map(ColumnName::as_str).collect();
        let why = format!(
            "its key is {}, and a path names a record by one UUID, whole number or text of a line",
            key.join(" and ")
        );
        let help = match table.rules.foreign_keys.len() >= 2 && table.primary_key.len() >= 2 {
            true => format!(
                "list it among the `tables` of its database task as a table of its own, with columns that `references` both sides and `constraints: [{{ unique: [{}] }}]`, and leave the relationship out",
                unique.join(", ")
            ),
            false => format!(
                "in its database task leave the `primary_key` and any `id` of its own out, and write `constraints: [{{ unique: [{}] }}]`",
                unique.join(", ")
            ),
        };
        return Some((why, help));
    }
    let lacking = KEPT_COLUMNS.into_iter().find(|name| !keeps(name))?;
    let why = format!("an API keeps {} in `{lacking}`", wanted(lacking).describe());
    Some((why, format!("leave `{lacking}` out of its `columns` in the database task: it comes by itself")))
}

/// A column of a key, with what it holds where it is the whole key.
fn described_key(table: &Table, name: &ColumnName) -> String {
    let column = table.columns.iter().find(|column| column.name == *name).filter(|_| table.primary_key.len() == 1);
    column.map_or_else(|| format!("`{name}`"), |column| format!("`{name}` ({})", column.field_type.describe()))
}

/// A path that nests records under something which no column of theirs leads to.
fn wrong_parent(endpoint: &Endpoint, table: &Table, known: &Known<'_>) -> Option<Diagnostic> {
    let parent = target(&endpoint.path)?.parent?;
    let field = known.parent_field_of(endpoint, parent)?;
    let has_key = known.held_by_word(parent.segment).is_none_or(|other| RecordKey::of(other).is_some());
    if has_key && table.columns.iter().any(|column| column.name.as_str() == field.as_str()) {
        return None;
    }
    let message = format!("no column of `{}` leads to the `{}` of the path", table.name, parent.segment);
    let help = format!(
        "add `{}_to_{}` to the `relationships` of the database task, or take a path of its own",
        crate::entity::snake_case(parent.segment),
        table.name
    );
    Some(Diagnostic::error(TABLE_NOT_SERVED, message, &endpoint.place).with_help(help))
}

/// The column as a field, as the table keeps it.
fn field(column: &Column, table: &Table, tables: &[Table], catalog: &Catalog) -> Field {
    let name = field_name(&column.name);
    let led_to = led_to(column, table, tables);
    let of_catalog = catalog.entity_of_table(&table.name);
    let of_entity = of_catalog
        .and_then(|entity| entity.fields.iter().find(|field| field.name == name))
        .filter(|field| field.field_type == column.field_type);
    let of_words = catalog.word_rule(&name).filter(|rule| rule.field_type == column.field_type);
    let example = match (led_to, of_entity, of_words) {
        (Some((target, other)), ..) => example(target, other, tables, catalog).plain(),
        (None, Some(field), _) => field.example.clone(),
        (None, None, Some(rule)) => rule.example.clone(),
        (None, None, None) => example_of(&column.field_type),
    };
    let default = match &column.default {
        Some(ColumnDefault::Value(value)) => Some(value.clone()),
        Some(ColumnDefault::Now | ColumnDefault::NewId | ColumnDefault::Counted) | None => None,
    };
    let must = column.nullability == Nullability::NotNull && column.default.is_none();
    Field {
        format: of_entity.and_then(|field| field.format),
        presence: if must { Presence::Required } else { Presence::Optional },
        min_length: 1,
        max_length: None,
        bounds: Bounds::default(),
        default,
        sensitivity: match column.sensitivity {
            plan::database::Sensitivity::Plain => Sensitivity::Plain,
            plan::database::Sensitivity::Personal => Sensitivity::Personal,
            plan::database::Sensitivity::Secret => Sensitivity::Secret,
        },
        stands_for: Vec::new(),
        description: column.comment.clone(),
        example,
        field_type: column.field_type.clone(),
        name,
    }
}

/// The column that the values of a column name, with its table.
fn led_to<'t>(column: &Column, table: &Table, tables: &'t [Table]) -> Option<(&'t Column, &'t Table)> {
    let key = table.rules.foreign_keys.iter().find(|key| key.columns == [column.name.clone()])?;
    let other = tables.iter().find(|other| other.name == key.table)?;
    let target = other.columns.iter().find(|known| key.target == [known.name.clone()])?;
    (other.name != table.name || target.name != column.name).then_some((target, other))
}

/// The value of a column in the row that cases take for granted.
pub fn example(column: &Column, table: &Table, tables: &[Table], catalog: &Catalog) -> Datum {
    if let Some((target, other)) = led_to(column, table, tables) {
        return example(target, other, tables, catalog);
    }
    match RecordKey::of(table).filter(|key| key.column == column.name).map(|key| key.origin) {
        Some(Origin::Server) => return Datum::Text(SEED.to_owned()),
        Some(Origin::Database) => return Datum::Integer(FIRST),
        Some(Origin::Client) | None => {}
    }
    let checked = |column: &Column| checked(&field(column, table, tables, catalog), table);
    // What others lead to depends on no value that leads elsewhere, perhaps back here.
    let own = table.columns.iter().filter(|column| led_to(column, table, tables).is_none());
    let mut fields: Vec<Field> = own.map(checked).collect();
    agree(&mut fields, &compares(table));
    let Some(field) = fields.into_iter().find(|field| field.name.as_str() == column.name.as_str()) else {
        return Datum::Null;
    };
    let example = field.example_value();
    match unique(table).any(|columns| columns.contains(&column.name)) {
        true => another(&field, &example).unwrap_or(example),
        false => example,
    }
}

/// A value beside the example, so that the row leaves room for a record that is made of examples; `None` where requests have
/// another one each time anyway, or there is none.
fn another(field: &Field, example: &Datum) -> Option<Datum> {
    let bounded = |value: Datum| field.bounds.allow(&value).then_some(value);
    let text = |text: &str| Some(Datum::Text(text.to_owned()));
    match (&field.field_type, example) {
        (FieldType::Integer, Datum::Integer(number)) => {
            bounded(Datum::Integer(number + 1)).or_else(|| bounded(Datum::Integer(number - 1)))
        }
        (FieldType::Decimal { .. }, Datum::Decimal(number)) => {
            let beside = |step| bounded(Datum::Decimal(Decimal::new(number.units() + step, number.scale())));
            beside(1).or_else(|| beside(-1))
        }
        (FieldType::Boolean, Datum::Boolean(value)) => Some(Datum::Boolean(!value)),
        (FieldType::Choice { words }, example) => {
            words.iter().find(|word| **word != example.plain()).and_then(|word| text(word))
        }
        (FieldType::Code { letters }, _) => text(&"Z".repeat(usize::from(*letters))),
        (FieldType::Phone, _) => text("+44 20 7946 0999"),
        (FieldType::Date, _) => text("2019-12-31"),
        (FieldType::Timestamp, _) => text("2019-12-31T23:59:59.999Z"),
        _ => None,
    }
}

/// The field as the checks of its column let requests bring it.
fn checked(field: &Field, table: &Table) -> Field {
    let mut field = field.clone();
    for check in table.rules.checks.iter().filter(|check| check.column.as_str() == field.name.as_str()) {
        match &check.rule {
            CheckRule::Range { minimum, maximum } => {
                field.bounds.minimum = tighter(field.bounds.minimum, minimum.clone(), std::cmp::Ordering::Less);
                field.bounds.maximum = tighter(field.bounds.maximum, maximum.clone(), std::cmp::Ordering::Greater);
            }
            CheckRule::OneOf(words) => {
                let words = match &field.field_type {
                    FieldType::Choice { words: known } => {
                        known.iter().filter(|word| words.contains(word)).cloned().collect()
                    }
                    _ => words.clone(),
                };
                field.field_type = FieldType::Choice { words };
                field.format = None;
            }
            CheckRule::Length { at_most } => match &mut field.field_type {
                FieldType::Line { max } | FieldType::Text { max } => *max = (*max).min(*at_most),
                other => {
                    let is_shorter = other.max_length().is_some_and(|max| *at_most < max);
                    field.max_length = if is_shorter { Some(*at_most) } else { field.max_length };
                }
            },
            // Requests are held to the first two by the type of a code and by what a blank text is; to the third as a whole.
            CheckRule::Capitals { .. } | CheckRule::NotBlank | CheckRule::Against { .. } => {}
        }
    }
    with_example(field)
}

/// Of two bounds the one that lets less through; `looser` is how a looser one compares with another.
fn tighter(known: Option<Datum>, other: Option<Datum>, looser: std::cmp::Ordering) -> Option<Datum> {
    match (known, other) {
        (Some(known), Some(other)) if known.compare(&other) == Some(looser) => Some(other),
        (Some(known), _) => Some(known),
        (None, other) => other,
    }
}

/// What a rule of the task makes of a field, where it makes anything of it.
fn narrow(
    asked: &mut [Field],
    rule: &FieldRule,
    table: &Table,
    of_catalog: Option<&Entity>,
) -> Result<Option<(FieldName, String, String)>, Vec<Diagnostic>> {
    let name = &rule.name.value;
    let Some(at) = asked.iter().position(|field| field.name == *name) else {
        if table.columns.iter().any(|column| column.name.as_str() == name.as_str()) {
            let message = format!("`{name}` is kept by the server");
            let problem = Diagnostic::error(OVERRIDE_NOT_BUILT, message, &rule.name.place);
            return Err(vec![problem.with_help("leave it out of `validation`")]);
        }
        let names: Vec<&str> = asked.iter().map(|field| field.name.as_str()).collect();
        let list: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        let known = of_catalog.and_then(|entity| entity.fields.iter().find(|field| field.name == *name));
        let key = known.and_then(|known| known.stands_for.iter().find(|key| names.contains(&key.as_str())));
        let help = match (key, closest(name.as_str(), &names)) {
            (Some(key), _) => format!("`{key}` leads to the row that says it: write `{key}`"),
            (None, Some(meant)) => format!("did you mean `{meant}`?"),
            (None, None) => format!("it has {}; a new one is added in its database task", list.join(", ")),
        };
        let message = format!("`{}` has no column `{name}`", table.name);
        return Err(vec![Diagnostic::error(UNKNOWN_COLUMN, message, &rule.name.place).with_help(help)]);
    };
    if asked[at].sensitivity == Sensitivity::Secret {
        return Err(vec![super::secret(rule)]);
    }
    let narrower = narrowed(&asked[at], rule)?;
    if narrower == asked[at] {
        return Ok(None);
    }
    let said = (name.clone(), described(&narrower), "the task says so".to_owned());
    asked[at] = narrower;
    Ok(Some(said))
}

/// The fields whose values name a row of another table.
fn references(table: &Table) -> Vec<Reference> {
    let keys = table.rules.foreign_keys.iter().filter_map(|key| match (&key.columns[..], &key.target[..]) {
        ([column], [target]) => {
            Some(Reference { field: field_name(column), table: key.table.clone(), column: target.clone() })
        }
        _ => None,
    });
    keys.collect()
}

/// The fields that hold the time at which the record is made, where nothing else is said.
fn now(table: &Table) -> Vec<FieldName> {
    let key = RecordKey::of(table);
    let columns = table.columns.iter().filter(|column| is_field(column, key.as_ref()));
    columns.filter(|column| column.default == Some(ColumnDefault::Now)).map(|column| field_name(&column.name)).collect()
}

fn field_name(column: &ColumnName) -> FieldName {
    FieldName::parse(column.as_str()).expect("a column's name is a field's name")
}
