//! Tables as MySQL and MariaDB statements, and as their catalogue shows them once it is brought to one form.

use super::{
    BINARY, CHARACTER_BYTES, IF_EXISTS, IF_NOT_EXISTS, INDEX_BYTES, ROW_BYTES, bytes, character_clause, characters,
    collation, literal, quote, sql_type, text, unbounded,
};
use crate::change::is_volatile;
use crate::relational::{self, column_comment, touch_trigger, why_trigger};
use plan::database::{
    Check, CheckRule, Column, ColumnDefault, ColumnPresent, Execution, ForeignKey, Index, LockClass, Nullability,
    ObservedColumn, ObservedForeignKey, ObservedIndex, ObservedRule, ObservedTable, OnDelete, Statement, Table, Times,
    Undo, Uniqueness,
};
use vocab::{ColumnName, ConstraintName, FieldType, TableName};

/// A new UUID of version 7: milliseconds since 1970, then digests of the server's own UUIDs. Neither server lets a default call a
/// function of ours, and MariaDB asks `random_bytes` once for all rows of a statement.
const NEW_ID: &str = "lower(insert(insert(insert(insert(concat(\
    lpad(hex(timestampdiff(microsecond,'1970-01-01',utc_timestamp(3)) div 1000),12,'0'),\
    '7',left(sha2(uuid(),256),3),substr('89ab',1 + floor(rand() * 4),1),left(sha2(uuid(),256),15)),\
    21,0,'-'),17,0,'-'),13,0,'-'),9,0,'-'))";

/// The tables with everything that belongs to them, keys that could not be part of one, triggers.
pub fn create_tables(tables: &[Table]) -> Vec<Statement> {
    let mut statements = Vec::new();
    let mut made: Vec<&TableName> = Vec::new();
    let mut late = Vec::new();
    for table in tables {
        // A key to a table that comes later is added when that is there; one to a table of an older migration is not late.
        let is_late = |key: &&ForeignKey| {
            key.table != table.name && !made.contains(&&key.table) && tables.iter().any(|other| other.name == key.table)
        };
        statements.push(create(table, &|key| !is_late(&key)));
        late.extend(table.rules.foreign_keys.iter().filter(is_late).map(|key| add_key(&table.name, key)));
        made.push(&table.name);
    }
    statements.extend(late);
    statements.extend(tables.iter().flat_map(create_triggers));
    statements
}

/// The table with all of its keys.
pub fn create_table(table: &Table) -> Statement {
    create(table, &|_| true)
}

/// Indexes and comments are part of it: each statement is a step that stays, so fewer steps are fewer places to be interrupted at.
fn create(table: &Table, is_part: &dyn Fn(&ForeignKey) -> bool) -> Statement {
    let mut lines: Vec<String> =
        table.columns.iter().map(|column| format!("  {}", column_definition(column))).collect();
    lines.push(format!("  PRIMARY KEY ({})", column_list(&table.primary_key)));
    lines.extend(
        table.unique.iter().map(|set| format!("  UNIQUE KEY {} ({})", quote(&set_name(table, set)), column_list(set))),
    );
    lines.extend(table.rules.indexes.iter().map(|index| format!("  {}", index_part(table, index))));
    let keys = table.rules.foreign_keys.iter().filter(|key| is_part(key));
    lines.extend(keys.map(|key| format!("  {}", foreign_key(key))));
    lines.extend(checks(table).map(|check| format!("  {}", check_constraint(check))));
    let name = quote(table.name.as_str());
    Statement {
        sql: format!(
            "CREATE TABLE IF NOT EXISTS {name} (\n{}\n) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 {} COMMENT={}",
            lines.join(",\n"),
            BINARY.clause(),
            text(&table.comment)
        ),
        why: format!("{}: {}", table.name, table.comment),
        lock: LockClass::NewObject,
        undo: Undo::Statement(format!("DROP TABLE IF EXISTS {name}")),
        unless: None,
        keeps: Vec::new(),
        execution: Execution::Together,
    }
}

fn add_key(table: &TableName, key: &ForeignKey) -> Statement {
    let name = quote(table.as_str());
    Statement {
        sql: format!("ALTER TABLE {name} ADD {}", foreign_key(key)),
        why: format!("{table}: {}", key.why),
        lock: LockClass::Writes,
        undo: Undo::Statement(format!("ALTER TABLE {name} DROP FOREIGN KEY {IF_EXISTS} {}", quote(key.name.as_str()))),
        unless: None,
        keeps: Vec::new(),
        execution: Execution::Together,
    }
}

/// The index as part of a table's statement.
pub(super) fn index_part(table: &Table, index: &Index) -> String {
    let kind = match index.uniqueness {
        Uniqueness::Unique => "UNIQUE KEY",
        Uniqueness::Repeating => "KEY",
    };
    format!("{kind} {} ({})", quote(index.name.as_str()), indexed(table, index, quote).join(", "))
}

/// Others may write meanwhile; where the server cannot have that, it refuses.
pub fn create_index(table: &Table, index: &Index) -> Statement {
    let unique = match index.uniqueness {
        Uniqueness::Unique => "UNIQUE ",
        Uniqueness::Repeating => "",
    };
    let (name, on) = (quote(index.name.as_str()), quote(table.name.as_str()));
    let columns = indexed(table, index, quote).join(", ");
    Statement {
        sql: format!("CREATE {unique}INDEX {IF_NOT_EXISTS} {name} ON {on} ({columns}) ALGORITHM=INPLACE LOCK=NONE"),
        why: format!("{}: {}", index.name, index.why),
        lock: LockClass::SchemaChanges,
        undo: Undo::Statement(format!("DROP INDEX {IF_EXISTS} {name} ON {on}")),
        unless: None,
        keeps: Vec::new(),
        execution: Execution::Together,
    }
}

/// The statements that make the table's triggers.
pub(super) fn create_triggers(table: &Table) -> impl Iterator<Item = Statement> {
    triggers(table).into_iter().map(|trigger| create_trigger(table, &trigger))
}

pub(super) fn create_trigger(table: &Table, trigger: &ObservedRule) -> Statement {
    let name = quote(&trigger.name);
    let (moment, body) = trigger.text.split_once('\n').unwrap_or((&trigger.text, ""));
    let on = quote(table.name.as_str());
    Statement::new(
        format!("CREATE TRIGGER IF NOT EXISTS {name} {moment} ON {on} FOR EACH ROW\n{body}"),
        why_trigger(table, &trigger.name),
        LockClass::NewObject,
        Undo::Statement(format!("DROP TRIGGER IF EXISTS {name}")),
    )
}

/// The table's triggers as the servers show them.
pub(super) fn triggers(table: &Table) -> Vec<ObservedRule> {
    let touch = match table.rules.times {
        Times::KeptByWriter => None,
        Times::KeptByDatabase => {
            Some(ObservedRule { name: touch_trigger(table), text: format!("BEFORE UPDATE\n{TOUCH}") })
        }
    };
    let mut triggers: Vec<ObservedRule> = touch.into_iter().chain(super::overlap::triggers(table)).collect();
    triggers.sort();
    triggers
}

/// One statement without a block, so that every client can load it. The version is looked at first: it depends on the time.
const TOUCH: &str = "SET NEW.`row_version` = IF(NEW.`updated_at` <=> OLD.`updated_at`, OLD.`row_version` + 1, NEW.`row_version`), \
    NEW.`updated_at` = IF(NEW.`updated_at` <=> OLD.`updated_at`, UTC_TIMESTAMP(3), NEW.`updated_at`)";

/// The column with its key and its checks, in one statement, which is done whole or not at all. Neither server can be asked to do
/// it unless it is done, so whoever runs it looks first.
pub fn add_column(table: &Table, column: &Column) -> Vec<Statement> {
    let name = quote(table.name.as_str());
    let mut parts = vec![format!("ADD COLUMN {}", column_definition(column))];
    let keys = table.rules.foreign_keys.iter().filter(|key| key.columns[..] == [column.name.clone()]);
    parts.extend(keys.map(|key| format!("ADD {}", foreign_key(key))));
    let own = checks(table).filter(|check| check.column == column.name);
    parts.extend(own.map(|check| format!("ADD {}", check_constraint(check))));
    vec![Statement {
        sql: format!("ALTER TABLE {name} {}", parts.join(", ")),
        why: format!("{}.{}: {}", table.name, column.name, column.comment),
        // A column alone is noted in the dictionary; a key, a check or a value that each row computes makes a copy of the table.
        lock: match parts.len() == 1 && !is_volatile(column.default.as_ref()) {
            true => LockClass::Everything,
            false => LockClass::WritesWhileRead,
        },
        undo: Undo::Statement(format!("ALTER TABLE {name} DROP COLUMN {IF_EXISTS} {}", quote(column.name.as_str()))),
        unless: Some(ColumnPresent { table: table.name.clone(), column: column.name.clone() }),
        execution: Execution::Together,
        keeps: Vec::new(),
    }]
}

pub(super) fn column_definition(column: &Column) -> String {
    let kind = &column.field_type;
    let mut definition = format!("{} {}{}", quote(column.name.as_str()), sql_type(kind), character_clause(kind));
    match column.nullability {
        Nullability::NotNull => definition.push_str(" NOT NULL"),
        Nullability::Nullable => {}
    }
    if column.default == Some(ColumnDefault::Counted) {
        definition.push_str(&format!(" {COUNTED}"));
    } else if let Some(default) = default(column) {
        // MySQL wants every default in parentheses that is no plain value, and those of long texts too.
        let is_plain = match &column.default {
            Some(ColumnDefault::Value(_)) => !unbounded(&column.field_type) && column.field_type != FieldType::Json,
            Some(ColumnDefault::Now | ColumnDefault::NewId | ColumnDefault::Counted) | None => false,
        };
        definition.push_str(&if is_plain { format!(" DEFAULT {default}") } else { format!(" DEFAULT ({default})") });
    }
    definition.push_str(&format!(" COMMENT {}", text(&column_comment(column))));
    definition
}

/// The default in the one form of both servers.
fn default(column: &Column) -> Option<String> {
    column.default.as_ref().map(|default| match (default, &column.field_type) {
        (ColumnDefault::Value(value), _) => literal(value),
        (ColumnDefault::Now, FieldType::Date) => "utc_date()".to_owned(),
        (ColumnDefault::Now, _) => "utc_timestamp(3)".to_owned(),
        (ColumnDefault::NewId, _) => NEW_ID.to_owned(),
        (ColumnDefault::Counted, _) => COUNTED.to_owned(),
    })
}

/// What stands in the place of a default where the database counts.
pub(super) const COUNTED: &str = "auto_increment";

/// The name of the index behind a set of columns that are unique together.
pub(super) fn set_name(table: &Table, set: &[ColumnName]) -> String {
    let columns: Vec<&str> = set.iter().map(ColumnName::as_str).collect();
    set_index_name(table.name.as_str(), &columns)
}

pub(super) fn set_index_name(table: &str, columns: &[&str]) -> String {
    crate::name::joined(&[&[table], columns].concat(), "unique")
}

/// Whether the unique index stands for a set of columns that are unique together; the servers know no other difference between
/// such a set and an index that has a name of its own.
#[must_use]
pub fn is_set_index(table: &str, index: &str, columns: &[&str]) -> bool {
    index == set_index_name(table, columns)
}

/// The index's columns, `quoted` or as they are; a long text with the number of characters that the index looks at.
fn indexed(table: &Table, index: &Index, quoted: fn(&str) -> String) -> Vec<String> {
    let types: Vec<Option<&FieldType>> = index.columns.iter().map(|name| type_of(table, name)).collect();
    let is_long = |kind: &&FieldType| unbounded(kind);
    let whole: u32 = types.iter().flatten().map(|kind| bytes(kind)).fold(0, u32::saturating_add);
    let is_whole = whole <= INDEX_BYTES && !types.iter().flatten().any(is_long);
    let texts: Vec<u32> = types.iter().flatten().filter_map(|kind| characters(kind)).collect();
    let rest = INDEX_BYTES.saturating_sub(whole.saturating_sub(texts.iter().map(|most| most * CHARACTER_BYTES).sum()));
    let share = rest / CHARACTER_BYTES / u32::try_from(texts.len().max(1)).unwrap_or(u32::MAX);
    let part = |kind: &FieldType| characters(kind).filter(|most| !is_whole && *most > share).map(|_| share);
    index
        .columns
        .iter()
        .zip(types)
        .map(|(name, kind)| match kind.and_then(part) {
            Some(length) => format!("{}({length})", quoted(name.as_str())),
            None => quoted(name.as_str()),
        })
        .collect()
}

fn type_of<'t>(table: &'t Table, name: &ColumnName) -> Option<&'t FieldType> {
    table.columns.iter().find(|column| column.name == *name).map(|column| &column.field_type)
}

pub(super) fn foreign_key(key: &ForeignKey) -> String {
    relational::foreign_key(quote, key)
}

/// The checks that say more than the columns' types: `varchar(200)` takes no longer text by itself.
fn checks(table: &Table) -> impl Iterator<Item = &Check> {
    table.rules.checks.iter().filter(|check| match &check.rule {
        CheckRule::Length { at_most } => {
            let kind = type_of(table, &check.column);
            !kind.is_some_and(|kind| !unbounded(kind) && characters(kind) == Some(*at_most))
        }
        CheckRule::Range { .. }
        | CheckRule::OneOf(_)
        | CheckRule::Capitals { .. }
        | CheckRule::NotBlank
        | CheckRule::Against { .. } => true,
    })
}

/// The same, as they are made.
pub(super) fn planned_checks(table: &Table) -> Vec<Check> {
    checks(table).cloned().collect()
}

pub(super) fn check_constraint(check: &Check) -> String {
    format!("CONSTRAINT {} CHECK ({})", quote(check.name.as_str()), condition(check))
}

/// The check's condition in the one form of both servers.
pub(super) fn condition(check: &Check) -> String {
    let column = quote(check.column.as_str());
    match &check.rule {
        CheckRule::Range { minimum, maximum } => {
            let least = minimum.as_ref().map(|least| format!("{column} >= {}", literal(least)));
            let most = maximum.as_ref().map(|most| format!("{column} <= {}", literal(most)));
            least.into_iter().chain(most).collect::<Vec<_>>().join(" and ")
        }
        CheckRule::OneOf(words) => {
            let words: Vec<String> = words.iter().map(|word| text(word)).collect();
            match &words[..] {
                // As MariaDB itself has it then.
                [only] => format!("{column} = {only}"),
                words => format!("{column} in ({})", words.join(",")),
            }
        }
        CheckRule::Length { at_most } => format!("char_length({column}) <= {at_most}"),
        // `$` is also before a line feed at the end.
        CheckRule::Capitals { letters } => {
            format!("char_length({column}) = {letters} and {column} regexp '^[A-Z]{{{letters}}}$'")
        }
        // Two texts that differ in spaces at their ends are equal here, so their lengths are compared.
        CheckRule::NotBlank => format!("char_length(trim({column})) > 0"),
        CheckRule::Against { comparator, other } => {
            format!("{column} {} {}", comparator.operator(), quote(other.as_str()))
        }
    }
}

fn column_list(columns: &[ColumnName]) -> String {
    relational::column_list(quote, columns)
}

/// A type as a server names it, without the width that MariaDB shows and nothing regards.
#[must_use]
pub fn type_in_one_form(named: &str) -> String {
    let whole = ["bigint", "int", "mediumint", "smallint"];
    match named.split_once('(') {
        Some((kind, rest)) if whole.contains(&kind) => {
            let besides = rest.split_once(')').map_or("", |(_, besides)| besides);
            format!("{kind}{besides}")
        }
        _ => named.to_owned(),
    }
}

/// What the servers cannot hold of the table, each in a sentence.
pub fn limits(table: &Table) -> Vec<String> {
    let mut problems = Vec::new();
    let in_row: u32 = table
        .columns
        .iter()
        .map(|column| if unbounded(&column.field_type) { 0 } else { bytes(&column.field_type) })
        .fold(0, u32::saturating_add);
    if in_row > ROW_BYTES {
        problems.push(format!(
            "the columns of a row of `{}` take up to {in_row} bytes, and MySQL keeps {ROW_BYTES} of them; \
             a text of more than {} characters is kept beside the row",
            table.name,
            super::ROW_TEXT_MAX
        ));
    }
    let keys = [&table.primary_key].into_iter().chain(&table.unique);
    let mut documents: Vec<&ColumnName> = keys
        .chain(table.rules.indexes.iter().map(|index| &index.columns))
        .flatten()
        .filter(|name| type_of(table, name) == Some(&FieldType::Json))
        .collect();
    documents.dedup();
    problems.extend(documents.into_iter().map(|name| {
        format!("`{name}` of `{}` is a document, and MySQL has neither keys nor indexes over documents", table.name)
    }));
    problems.extend(unshown(table).map(|name| {
        format!(
            "a default or a check of `{name}` of `{}` holds a character beyond U+FFFF, which MariaDB's own catalogue shows as `?`",
            table.name
        )
    }));
    problems.extend(emptied_and_checked(table).map(|(column, check)| {
        format!(
            "`{column}` of `{}` is emptied when what it leads to goes, and check `{check}` looks at it: MySQL takes no check of such a column, so write `on_delete: restrict`, or leave the check out",
            table.name
        )
    }));
    let unique = table.rules.indexes.iter().filter(|index| index.uniqueness == Uniqueness::Unique);
    let sets = [&table.primary_key].into_iter().chain(&table.unique).chain(unique.map(|index| &index.columns));
    for columns in sets {
        let taken = columns.iter().filter_map(|name| type_of(table, name)).map(bytes).fold(0, u32::saturating_add);
        if taken > INDEX_BYTES {
            let names: Vec<&str> = columns.iter().map(ColumnName::as_str).collect();
            problems.push(format!(
                "`{}` of `{}` takes up to {taken} bytes, and MySQL knows only {INDEX_BYTES} of them apart: that is {} characters",
                names.join(", "),
                table.name,
                INDEX_BYTES / CHARACTER_BYTES
            ));
        }
    }
    problems
}

/// Columns that a key empties, with a check of each: what a key does by itself would pass by the check.
fn emptied_and_checked(table: &Table) -> impl Iterator<Item = (&ColumnName, &ConstraintName)> {
    let emptied = table.rules.foreign_keys.iter().filter(|key| key.on_delete == OnDelete::SetNull);
    emptied.flat_map(|key| &key.columns).filter_map(|column| {
        let check = checks(table).find(|check| check.columns().any(|other| other == column))?;
        Some((column, &check.name))
    })
}

/// The columns of which nobody could read back what was written: the catalogue is kept in three bytes a character.
fn unshown(table: &Table) -> impl Iterator<Item = &ColumnName> {
    let is_beyond = |text: &str| text.chars().any(|character| u32::from(character) > 0xFFFF);
    let defaults = table.columns.iter().filter(move |column| default(column).is_some_and(|text| is_beyond(&text)));
    let checks = table.rules.checks.iter().filter(move |check| is_beyond(&condition(check)));
    defaults.map(|column| &column.name).chain(checks.map(|check| &check.column))
}

pub fn described(table: &Table) -> ObservedTable {
    let texts = |columns: &[ColumnName]| columns.iter().map(ToString::to_string).collect::<Vec<_>>();
    let rules = &table.rules;
    let mut unique: Vec<Vec<String>> = table.unique.iter().map(|columns| texts(columns)).collect();
    let mut indexes = Vec::new();
    for index in &rules.indexes {
        let columns = indexed(table, index, str::to_owned);
        let names: Vec<&str> = columns.iter().map(String::as_str).collect();
        match index.uniqueness {
            Uniqueness::Unique if is_set_index(table.name.as_str(), index.name.as_str(), &names) => {
                unique.push(columns);
            }
            uniqueness @ (Uniqueness::Unique | Uniqueness::Repeating) => {
                indexes.push(ObservedIndex { name: index.name.to_string(), columns, uniqueness });
            }
        }
    }
    unique.sort();
    indexes.sort_by(|left, right| left.name.cmp(&right.name));
    let mut foreign_keys: Vec<ObservedForeignKey> = rules.foreign_keys.iter().map(described_key).collect();
    foreign_keys.sort();
    let mut checks: Vec<ObservedRule> =
        checks(table).map(|check| ObservedRule { name: check.name.to_string(), text: condition(check) }).collect();
    checks.sort();
    ObservedTable {
        name: table.name.to_string(),
        columns: table.columns.iter().map(described_column).collect(),
        primary_key: texts(&table.primary_key),
        unique,
        foreign_keys,
        checks,
        indexes,
        triggers: triggers(table),
        comment: Some(table.comment.clone()),
    }
}

pub(super) fn described_column(column: &Column) -> ObservedColumn {
    ObservedColumn {
        name: column.name.to_string(),
        sql_type: sql_type(&column.field_type),
        nullability: column.nullability,
        collation: collation(&column.field_type).to_owned(),
        default: default(column),
        comment: Some(column_comment(column)),
    }
}

pub(super) fn described_key(key: &ForeignKey) -> ObservedForeignKey {
    let texts = |columns: &[ColumnName]| columns.iter().map(ToString::to_string).collect();
    ObservedForeignKey {
        name: key.name.to_string(),
        columns: texts(&key.columns),
        table: key.table.to_string(),
        target: texts(&key.target),
        on_delete: Some(key.on_delete),
    }
}
