//! The table of an entity: one function for the tables that an API makes and for those of a database task, so that an API can
//! later stand on tables that a database task made. What relates tables to each other is decided elsewhere.

use catalog::Entity;
pub use catalog::OWN_COLUMNS;
use plan::Table;
use plan::database::{
    Column, ColumnDefault, Compared, Index, NoOverlap, Nullability, Released, Rules, Sensitivity, Uniqueness,
};
use vocab::{ColumnName, ConstraintName, FieldName, FieldType};

pub fn of_entity(entity: &Entity) -> Table {
    let mut columns = vec![id()];
    columns.extend(entity.fields.iter().map(column));
    columns.extend(times());
    Table {
        name: entity.table.clone(),
        comment: entity.comment.clone(),
        columns,
        primary_key: vec![column_name("id")],
        unique: entity
            .unique
            .iter()
            .map(|fields| fields.iter().map(|field| column_name(field.as_str())).collect())
            .collect(),
        rules: Rules::default(),
    }
}

/// The rules about times that the entity has for the columns of the table: one for each that says what is taken.
pub fn overlaps(table: &Table, entity: &Entity) -> Vec<NoOverlap> {
    let has = |name: &FieldName| table.columns.iter().any(|column| column.name.as_str() == name.as_str());
    let rules = entity.no_overlap.iter().filter(|taken| has(&taken.from) && has(&taken.until)).flat_map(|taken| {
        let within = taken.one_of.iter().filter(|name| has(name));
        let unless = taken
            .unless
            .as_ref()
            .filter(|released| has(&released.field))
            .map(|released| Released { column: column_name(released.field.as_str()), words: released.words.clone() });
        within.map(move |name| {
            let within = vec![column_name(name.as_str())];
            let (from, until) = (column_name(taken.from.as_str()), column_name(taken.until.as_str()));
            NoOverlap { name: overlap_name(table, &within), within, from, until, unless: unless.clone() }
        })
    });
    rules.collect()
}

/// The name of a rule about times that nobody has named.
pub fn overlap_name(table: &Table, within: &[ColumnName]) -> ConstraintName {
    let words: Vec<&str> = [table.name.as_str()].into_iter().chain(within.iter().map(ColumnName::as_str)).collect();
    ConstraintName::parse(&dialect::name::joined(&words, "no_overlap")).expect("made of names")
}

/// Takes the rule up with an index that finds the rows of one thing by their times, unless the same is there.
pub fn keep_apart(table: &mut Table, rule: NoOverlap) {
    let is_same = |known: &NoOverlap| {
        (&known.within, &known.from, &known.until, &known.unless)
            == (&rule.within, &rule.from, &rule.until, &rule.unless)
    };
    if table.rules.overlaps.iter().any(is_same) {
        return;
    }
    let columns: Vec<ColumnName> = rule.within.iter().chain([&rule.from]).cloned().collect();
    if !table.rules.indexes.iter().any(|index| index.columns.starts_with(&columns)) {
        table.rules.indexes.push(Index {
            name: crate::database::index_name(&table.name, &columns, "idx"),
            columns,
            uniqueness: Uniqueness::Repeating,
            compared: Compared::Values,
            why: "finds the rows whose times may overlap".to_owned(),
        });
    }
    table.rules.overlaps.push(rule);
}

/// The key of every table.
pub fn id() -> Column {
    plain("id", FieldType::Uuid, "made by the server; sorts by time")
}

/// What every table keeps of its rows' changes.
pub fn times() -> [Column; 3] {
    [
        plain("created_at", FieldType::Timestamp, "when the row was made"),
        plain("updated_at", FieldType::Timestamp, "when it was last changed"),
        plain("row_version", FieldType::Integer, "raised by each change; the tag of the record"),
    ]
}

fn column(field: &catalog::Field) -> Column {
    Column {
        name: column_name(field.name.as_str()),
        field_type: field.field_type.clone(),
        // What the entity leaves open stays nullable even where this task asks for it: another task may not.
        nullability: match (field.presence, &field.default) {
            (catalog::Presence::Required, _) | (catalog::Presence::Optional, Some(_)) => Nullability::NotNull,
            (catalog::Presence::Optional, None) => Nullability::Nullable,
        },
        default: field.default.clone().map(ColumnDefault::Value),
        sensitivity: match field.sensitivity {
            catalog::Sensitivity::Plain => Sensitivity::Plain,
            catalog::Sensitivity::Personal => Sensitivity::Personal,
            catalog::Sensitivity::Secret => Sensitivity::Secret,
        },
        comment: field.description.clone(),
    }
}

fn plain(name: &str, field_type: FieldType, comment: &str) -> Column {
    Column {
        name: column_name(name),
        field_type,
        nullability: Nullability::NotNull,
        default: None,
        sensitivity: Sensitivity::Plain,
        comment: comment.to_owned(),
    }
}

pub fn column_name(text: &str) -> ColumnName {
    ColumnName::parse(text).expect("a field's name is a column's name")
}
