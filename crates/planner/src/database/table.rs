//! A table by itself: a name whose columns the catalogue or its words tell, or a block that says them. Explicit columns win.

use super::draft::Draft;
use super::rules;
use crate::codes::{CANNOT_HOLD, UNKNOWN_COLUMN};
use crate::table::{self, column_name};
use catalog::{Catalog, Compared, Entity};
use plan::Table;
use plan::database::{
    Check, CheckRule, Column, ColumnDefault, ForeignKey, Nullability, OnDelete, Rules, Sensitivity, Times,
};
use spec::{ColumnType, ConstraintRule, DatabaseConfig, DefaultValue};
use vocab::{ColumnName, Datum, Decimal, FieldName, FieldType};

/// Longest text of a column that says nothing of its length.
const LINE_MAX: u32 = 200;
const TEXT_MAX: u32 = 5000;
/// Digits behind the point of a decimal column: those of money.
const SCALE: u8 = 2;

pub fn design(draft: &mut Draft, stated: &spec::Table, catalog: &Catalog) {
    let entity = catalog.entity_of_table(&stated.name.value);
    let (mut table, mut decision, reason) = match (stated.columns.is_empty() || stated.adds, entity) {
        (true, Some(entity)) => of_entity(stated, entity, catalog),
        (true, None) => of_name(stated),
        (false, _) => of_columns(draft, stated, catalog),
    };
    if stated.adds {
        let names = add_columns(draft, &mut table, stated, catalog);
        decision = format!("{decision}, and of the task {names}");
    }
    let key = stated.constraints.iter().find_map(|constraint| match &constraint.rule {
        ConstraintRule::PrimaryKey(columns) => Some(columns),
        ConstraintRule::Unique(_)
        | ConstraintRule::Range { .. }
        | ConstraintRule::OneOf { .. }
        | ConstraintRule::Against { .. }
        | ConstraintRule::NoOverlap { .. } => None,
    });
    if let Some(key) = key {
        let is_said = |name: &str| stated.columns.iter().any(|column| column.name.value.as_str() == name);
        let is_key = key.iter().any(|column| column.value.as_str() == "id");
        table.columns.retain(|column| column.name.as_str() != "id" || is_key || is_said("id"));
        table.primary_key = key.iter().map(|column| column.value.clone()).collect();
    }
    keep_times(&mut table);
    draft.decide(format!("columns of `{}`", table.name), decision, reason);
    if !draft.add(table, entity, &stated.name.place) {
        return;
    }
    for column in key.into_iter().flatten() {
        let missing = draft.find(&stated.name.value).is_some_and(|table| table.column(&column.value).is_none());
        if missing {
            let message = format!("`{}` has no column `{}`", stated.name.value, column.value);
            draft.refuse(UNKNOWN_COLUMN, message, &column.place, "add it to `columns`");
        }
    }
    key_is_there(draft, stated);
    if let Some(table) = draft.find_mut(&stated.name.value) {
        table.stated = stated.columns.iter().map(|column| column.name.value.clone()).collect();
        table.is_all_stated = !stated.columns.is_empty() && !stated.adds;
    }
}

/// Every row has a key, so no part of it may be absent.
fn key_is_there(draft: &mut Draft, stated: &spec::Table) {
    let Some(table) = draft.find_mut(&stated.name.value) else { return };
    let key = table.table.primary_key.clone();
    for column in table.table.columns.iter_mut().filter(|column| key.contains(&column.name)) {
        column.nullability = Nullability::NotNull;
    }
    for said in stated.columns.iter().filter(|said| key.contains(&said.name.value) && said.required == Some(false)) {
        let message =
            format!("`{}.{}` is the key, or a part of it, and is always there", stated.name.value, said.name.value);
        draft.refuse(CANNOT_HOLD, message, &said.name.place, "leave out that it may be absent");
    }
}

fn of_entity(stated: &spec::Table, entity: &Entity, catalog: &Catalog) -> (Table, String, String) {
    let table = Table { name: stated.name.value.clone(), ..table::of_entity(entity) };
    let table = bounded(table, entity);
    let mut reason = match (table.name == entity.table, &entity.file) {
        (true, None) => format!("the catalogue knows `{}`", entity.table),
        (false, None) => format!("the catalogue knows `{}`, and the name ends in that", entity.table),
        (true, Some(file)) => format!("`{file}` says them"),
        (false, Some(file)) => format!("`{file}` says those of `{}`, and the name ends in that", entity.table),
    };
    if entity.file.is_some() && catalog.is_built_in(&entity.entity) {
        reason.push_str("; the catalogue's own give way");
    }
    (table, format!("those of the entity `{}`", entity.entity), reason)
}

/// The table of a link that has fields of its own.
pub fn of_link(entity: &Entity) -> Table {
    let mut table = bounded(table::of_entity(entity), entity);
    keep_times(&mut table);
    table
}

/// With the checks of the entity's bounds, and of what stands to each other.
fn bounded(mut table: Table, entity: &Entity) -> Table {
    for field in entity.fields.iter().filter(|field| !field.bounds.is_empty()) {
        let (minimum, maximum) = (field.bounds.minimum.clone(), field.bounds.maximum.clone());
        let column = column_name(field.name.as_str());
        let name = rules::constraint_name(&table, &[&column], "range");
        table.rules.checks.push(Check { name, column, rule: CheckRule::Range { minimum, maximum } });
    }
    for Compared { field, comparator, other } in &entity.compares {
        let (column, other) = (column_name(field.as_str()), column_name(other.as_str()));
        let name = rules::against_name(&table, &column, *comparator, &other, "check");
        table.rules.checks.push(Check { name, column, rule: CheckRule::Against { comparator: *comparator, other } });
    }
    table
}

/// Of a name that says nothing more there is only this to know.
fn of_name(stated: &spec::Table) -> (Table, String, String) {
    let name = Column {
        name: column_name("name"),
        field_type: FieldType::Line { max: LINE_MAX },
        nullability: Nullability::NotNull,
        default: None,
        sensitivity: Sensitivity::Plain,
        comment: "What it is called.".to_owned(),
    };
    let help = format!(
        "the catalogue does not know `{0}`; `{{ name: {0}, columns: {{...}} }}` says what they have",
        stated.name.value
    );
    let comment = format!("one of the {}", stated.name.value.as_str().replace('_', " "));
    (assembled(stated, comment, vec![name]), "a `name`, and what belongs to it".to_owned(), help)
}

fn of_columns(draft: &mut Draft, stated: &spec::Table, catalog: &Catalog) -> (Table, String, String) {
    let columns = stated.columns.iter().map(|said| column(draft, said, catalog)).collect();
    let comment = format!("one of the {}", stated.name.value.as_str().replace('_', " "));
    let mut table = assembled(stated, comment, columns);
    keep_stated_rules(&mut table, stated);
    (table, "those of the task".to_owned(), "the task says them, which wins over the catalogue".to_owned())
}

/// Puts columns beside those that are known, before the times. One that is known under that name gives way, with what was known of it.
fn add_columns(draft: &mut Draft, table: &mut Table, stated: &spec::Table, catalog: &Catalog) -> String {
    for said in &stated.columns {
        let column = column(draft, said, catalog);
        table.unique.retain(|unique| !unique.contains(&column.name));
        table.rules.checks.retain(|check| !check.columns().any(|known| *known == column.name));
        match table.columns.iter_mut().find(|known| known.name == column.name) {
            Some(known) => *known = column,
            None => {
                let times = table::times();
                let is_time = |known: &Column| times.iter().any(|time| time.name == known.name);
                let at = table.columns.iter().position(is_time).unwrap_or(table.columns.len());
                table.columns.insert(at, column);
            }
        }
    }
    keep_stated_rules(table, stated);
    let names: Vec<String> = stated.columns.iter().map(|said| format!("`{}`", said.name.value)).collect();
    names.join(", ")
}

/// What the task says at its columns: whether values are unique, and how long they may be.
fn keep_stated_rules(table: &mut Table, stated: &spec::Table) {
    for said in stated.columns.iter().filter(|said| said.unique) {
        table.unique.push(vec![said.name.value.clone()]);
    }
    let lengths: Vec<Check> = stated.columns.iter().filter_map(|said| length(table, said)).collect();
    table.rules.checks.extend(lengths);
}

/// A length that the task states and the column's type does not carry.
fn length(table: &Table, said: &spec::Column) -> Option<Check> {
    let at_most = u32::try_from(said.max_length?).ok()?;
    let column = table.columns.iter().find(|column| column.name == said.name.value)?;
    let is_shorter = column.field_type.max_length().is_some_and(|of_type| at_most < of_type);
    let name = rules::constraint_name(table, &[&column.name], "length");
    is_shorter.then(|| Check { name, column: column.name.clone(), rule: CheckRule::Length { at_most } })
}

/// The columns between the key and the times, each of which the task may say itself.
fn assembled(stated: &spec::Table, comment: String, said: Vec<Column>) -> Table {
    let is_said = |name: &ColumnName| said.iter().any(|column| column.name == *name);
    let mut columns: Vec<Column> = Some(table::id()).into_iter().filter(|id| !is_said(&id.name)).collect();
    let times: Vec<Column> = table::times().into_iter().filter(|column| !is_said(&column.name)).collect();
    columns.extend(said);
    columns.extend(times);
    Table {
        name: stated.name.value.clone(),
        comment,
        columns,
        primary_key: vec![column_name("id")],
        unique: Vec::new(),
        rules: Rules::default(),
    }
}

/// The database makes ids and times itself, whoever writes the row.
fn keep_times(table: &mut Table) {
    let mut kept = 0;
    for column in &mut table.columns {
        let default = match (column.name.as_str(), &column.field_type) {
            ("id", FieldType::Uuid) => ColumnDefault::NewId,
            ("created_at", FieldType::Timestamp) => ColumnDefault::Now,
            ("updated_at", FieldType::Timestamp) => {
                kept += 1;
                ColumnDefault::Now
            }
            ("row_version", FieldType::Integer) => {
                kept += 1;
                ColumnDefault::Value(Datum::Integer(1))
            }
            _ => continue,
        };
        column.default.get_or_insert(default);
    }
    if kept == 2 {
        table.rules.times = Times::KeptByDatabase;
    }
}

/// Who makes the key, where it is one column that leads nowhere and has no default: a UUID is made as every `id` is; a whole
/// number is counted, unless it is bound, or its column says that each row brings it.
pub fn make_keys(draft: &mut Draft, stated: &spec::Table) {
    let Some(table) = draft.find_mut(&stated.name.value) else { return };
    let [key] = &table.table.primary_key[..] else { return };
    let key = key.clone();
    let rules = &table.table.rules;
    let is_bound = rules.checks.iter().any(|check| check.column == key)
        || rules.foreign_keys.iter().any(|other| other.columns.contains(&key));
    let is_brought = stated.columns.iter().any(|said| said.name.value == key && said.required == Some(true));
    let Some(column) = table.column_mut(&key).filter(|column| column.default.is_none() && !is_bound) else { return };
    let (default, decision, reason) = match column.field_type {
        FieldType::Uuid => {
            (ColumnDefault::NewId, "a UUIDv7 that is made with the row", "it is the key and leads nowhere")
        }
        FieldType::Integer if key.as_str() == "id" || !is_brought => (
            ColumnDefault::Counted,
            "counted by the database",
            "a whole number that alone is the key; `required: true` at a column of another name than `id` leaves it to whoever makes the row",
        ),
        _ => return,
    };
    column.default = Some(default);
    draft.decide(format!("key `{key}` of `{}`", stated.name.value), decision.to_owned(), reason);
}

/// What the type or the words of the name tell.
fn sensitivity(said: &spec::Column, field_type: &FieldType, catalog: &Catalog) -> Sensitivity {
    let name = FieldName::parse(said.name.value.as_str()).expect("a column's name is a field's name");
    let is_personal = catalog.word_rule(&name).is_some_and(|rule| rule.sensitivity == catalog::Sensitivity::Personal);
    match field_type {
        _ if catalog.is_secret(&name) => Sensitivity::Secret,
        FieldType::Email | FieldType::Phone => Sensitivity::Personal,
        _ if is_personal => Sensitivity::Personal,
        _ => Sensitivity::Plain,
    }
}

/// Where the task leaves the type to the column that this one leads to, [`take_types`] sees to it once all tables are there.
fn column(draft: &mut Draft, said: &spec::Column, catalog: &Catalog) -> Column {
    let max = said.max_length.and_then(|max| u32::try_from(max).ok());
    let scale = said.scale.unwrap_or(SCALE);
    let field_type = match said.kind.as_ref().map_or(ColumnType::Uuid, |kind| kind.value) {
        ColumnType::Line => FieldType::Line { max: max.unwrap_or(LINE_MAX) },
        // What is binary was refused.
        ColumnType::Text | ColumnType::Binary => FieldType::Text { max: max.unwrap_or(TEXT_MAX) },
        ColumnType::Email => FieldType::Email,
        ColumnType::Phone => FieldType::Phone,
        ColumnType::Url => FieldType::Url,
        ColumnType::Integer => FieldType::Integer,
        ColumnType::Decimal => FieldType::Decimal { scale },
        ColumnType::Boolean => FieldType::Boolean,
        ColumnType::Date => FieldType::Date,
        ColumnType::Timestamp => FieldType::Timestamp,
        ColumnType::Uuid => FieldType::Uuid,
        ColumnType::Json => FieldType::Json,
    };
    let default = said.default.as_ref().and_then(|default| {
        let value = match &default.value {
            DefaultValue::Boolean(value) => Datum::Boolean(*value),
            DefaultValue::Integer(value) => Datum::Integer(*value),
            DefaultValue::Decimal(text) => match Decimal::parse(text, scale) {
                Ok(value) => Datum::Decimal(value),
                Err(_) => {
                    let message =
                        format!("`default` has more than {scale} digits behind its point, or too many before it");
                    draft.refuse(CANNOT_HOLD, message, &default.place, "shorten it");
                    return None;
                }
            },
            DefaultValue::Text(text) => Datum::Text(text.clone()),
            DefaultValue::Json(value) => Datum::Json(value.clone()),
            DefaultValue::Now => return Some(ColumnDefault::Now),
        };
        Some(ColumnDefault::Value(value))
    });
    // As SQL has it: what nobody asks for may be absent.
    let must = said.required.unwrap_or(default.is_some() || said.name.value.as_str() == "id");
    Column {
        name: said.name.value.clone(),
        nullability: if must { Nullability::NotNull } else { Nullability::Nullable },
        default,
        sensitivity: sensitivity(said, &field_type, catalog),
        comment: said.name.value.as_str().replace('_', " "),
        field_type,
    }
}

/// Columns whose type the task leaves to the column that they lead to. That one may itself be one of them.
pub fn take_types(draft: &mut Draft, config: &DatabaseConfig) {
    let untyped: Vec<_> = config
        .tables
        .iter()
        .flat_map(|table| table.columns.iter().map(move |column| (&table.name.value, column)))
        .filter(|(_, column)| column.kind.is_none())
        .collect();
    for _ in 0..=untyped.len() {
        let mut changed = false;
        for (table, column) in &untyped {
            let Some(theirs) = column.references.as_ref().and_then(|key| target_type(draft, &key.value)) else {
                continue;
            };
            let own = draft.find_mut(table).and_then(|table| table.column_mut(&column.name.value));
            if let Some(own) = own.filter(|own| own.field_type != theirs) {
                own.field_type = theirs;
                changed = true;
            }
        }
        if !changed {
            return;
        }
    }
}

fn target_type(draft: &Draft, key: &spec::ForeignKey) -> Option<FieldType> {
    let table = draft.find(&key.table)?;
    let column = key.column.as_ref().or(table.table.primary_key.first())?;
    table.column(column).map(|column| column.field_type.clone())
}

/// The keys that columns of the task name themselves.
pub fn references(draft: &mut Draft, config: &DatabaseConfig) {
    for stated in &config.tables {
        for said in &stated.columns {
            let Some(reference) = &said.references else { continue };
            let key = &reference.value;
            let on_delete = key.on_delete.map_or(OnDelete::Restrict, rules::on_delete);
            let (many, column) = (&stated.name.value, &said.name.value);
            let Some(other) = draft.find(&key.table) else { continue };
            let target = match (&key.column, &other.table.primary_key[..]) {
                (Some(column), _) => column.clone(),
                (None, [only]) => only.clone(),
                (None, _) => {
                    let message = format!("the key of `{}` has more than one column", key.table);
                    draft.refuse(CANNOT_HOLD, message, &reference.place, "name the column: `table.column`");
                    continue;
                }
            };
            let is_unique = other.table.primary_key == [target.clone()]
                || other.table.unique.contains(&vec![target.clone()])
                || rules::is_unique_by(config, &key.table, &target);
            let types = other.column(&target).map(|column| column.field_type.clone());
            let own = draft.find(many).and_then(|table| table.column(column)).map(|column| column.field_type.clone());
            match (types, own) {
                (None, _) => {
                    let message = format!("`{}` has no column `{target}`", key.table);
                    draft.refuse(UNKNOWN_COLUMN, message, &reference.place, "name one that it has");
                }
                (Some(theirs), Some(own)) if theirs != own => {
                    let message = format!(
                        "`{many}.{column}` holds {}, and `{}.{target}` holds {}",
                        own.describe(),
                        key.table,
                        theirs.describe()
                    );
                    let place = said.kind.as_ref().map_or(&said.name.place, |kind| &kind.place);
                    draft.refuse(CANNOT_HOLD, message, place, "give both one type");
                }
                (Some(_), _) if !is_unique => {
                    let message = format!("`{}.{target}` is not unique, so no row can be meant by it", key.table);
                    draft.refuse(CANNOT_HOLD, message, &reference.place, "lead to its key, or make it `unique`");
                }
                (Some(_), _) => {
                    let reason = match key.on_delete {
                        Some(_) => "the task says so",
                        None => "the task says where it leads; nothing vanishes by accident",
                    };
                    let foreign = ForeignKey {
                        name: rules::key_name(many, column),
                        columns: vec![column.clone()],
                        table: key.table.clone(),
                        target: vec![target.clone()],
                        on_delete,
                        why: reason.to_owned(),
                    };
                    let decision = format!("leads to `{}.{target}`, {}", key.table, rules::describe(on_delete));
                    draft.decide(format!("`{many}.{column}`"), decision, reason);
                    if let Some(table) = draft.find_mut(many) {
                        table.table.rules.foreign_keys.push(foreign);
                    }
                }
            }
        }
    }
}
