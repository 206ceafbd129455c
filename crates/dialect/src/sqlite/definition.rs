//! Tables as SQLite statements, and as SQLite's catalogue shows them.

use super::{WORDS, collation, literal, now, quote, sql_type};
use crate::relational::{self, indexed, touch_trigger, why_trigger};
use plan::database::{
    Check, CheckRule, Column, ColumnDefault, ColumnPresent, Execution, ForeignKey, Index, LockClass, Nullability,
    ObservedColumn, ObservedForeignKey, ObservedIndex, ObservedRule, ObservedTable, Statement, Table, Times, Undo,
    Uniqueness,
};
use vocab::ColumnName;

/// A new UUID of version 7: milliseconds since 1970, then randomness.
const NEW_ID: &str = "lower(substr(printf('%012x', CAST(unixepoch('subsec') * 1000 AS INTEGER)), 1, 8) || '-' || \
    substr(printf('%012x', CAST(unixepoch('subsec') * 1000 AS INTEGER)), 9, 4) || '-7' || substr(hex(randomblob(2)), 2) || '-' || \
    substr('89ab', 1 + (random() & 3), 1) || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6)))";

/// Tables, then their indexes and triggers. A key may lead to a table that comes later: SQLite looks when rows are written.
pub fn create_tables(tables: &[Table]) -> Vec<Statement> {
    let mut statements: Vec<Statement> = tables.iter().map(create_table).collect();
    for table in tables {
        statements.extend(table.rules.indexes.iter().map(|index| create_index(table, index)));
        statements.extend(create_triggers(table));
    }
    statements
}

/// `IF NOT EXISTS`, because several tasks of a workspace may share a table; the planner has compared it by then.
pub fn create_table(table: &Table) -> Statement {
    let mut lines: Vec<String> =
        table.columns.iter().map(|column| format!("  {}", column_definition(table, column))).collect();
    // Where SQLite counts, the key is said at its column.
    if !table.columns.iter().any(is_counted) {
        lines.push(format!("  PRIMARY KEY ({})", column_list(&table.primary_key)));
    }
    lines.extend(table.unique.iter().map(|unique| format!("  UNIQUE ({})", column_list(unique))));
    lines.extend(table.rules.foreign_keys.iter().map(|key| format!("  {}", foreign_key(key))));
    lines.extend(table.rules.checks.iter().map(|rule| format!("  {}", check_constraint(rule))));
    let name = quote(table.name.as_str());
    Statement {
        sql: format!("CREATE TABLE IF NOT EXISTS {name} (\n{}\n) STRICT", lines.join(",\n")),
        why: format!("{}: {}", table.name, table.comment),
        lock: LockClass::NewObject,
        undo: Undo::Statement(format!("DROP TABLE {name}")),
        unless: None,
        keeps: Vec::new(),
        execution: Execution::Together,
    }
}

pub fn create_index(table: &Table, index: &Index) -> Statement {
    let unique = match index.uniqueness {
        Uniqueness::Unique => "UNIQUE ",
        Uniqueness::Repeating => "",
    };
    let (name, on) = (quote(index.name.as_str()), quote(table.name.as_str()));
    Statement {
        sql: format!("CREATE {unique}INDEX IF NOT EXISTS {name} ON {on} ({})", indexed(WORDS, table, index).join(", ")),
        why: format!("{}: {}", index.name, index.why),
        lock: LockClass::Writes,
        undo: Undo::Statement(format!("DROP INDEX IF EXISTS {name}")),
        unless: None,
        keeps: Vec::new(),
        execution: Execution::Together,
    }
}

/// The statements that make the table's triggers.
pub fn create_triggers(table: &Table) -> impl Iterator<Item = Statement> {
    triggers(table).into_iter().map(|trigger| create_trigger(table, &trigger))
}

pub fn create_trigger(table: &Table, trigger: &ObservedRule) -> Statement {
    let name = quote(&trigger.name);
    Statement::new(
        format!("CREATE TRIGGER IF NOT EXISTS {name}\n{}", trigger.text),
        why_trigger(table, &trigger.name),
        LockClass::NewObject,
        Undo::Statement(format!("DROP TRIGGER IF EXISTS {name}")),
    )
}

/// The table's triggers as the catalogue shows them.
pub fn triggers(table: &Table) -> Vec<ObservedRule> {
    let touch = match table.rules.times {
        Times::KeptByWriter => None,
        Times::KeptByDatabase => Some(ObservedRule { name: touch_trigger(table), text: trigger_body(table) }),
    };
    let mut triggers: Vec<ObservedRule> = touch.into_iter().chain(super::overlap::triggers(table)).collect();
    triggers.sort();
    triggers
}

/// An update that leaves `updated_at` as it was is followed by one that sets it; a trigger does not fire itself.
fn trigger_body(table: &Table) -> String {
    let name = quote(table.name.as_str());
    let key: Vec<String> =
        table.primary_key.iter().map(|column| format!("{0} = NEW.{0}", quote(column.as_str()))).collect();
    format!(
        "AFTER UPDATE ON {name} FOR EACH ROW WHEN NEW.updated_at = OLD.updated_at\nBEGIN\n  UPDATE {name} SET updated_at = {}, row_version = OLD.row_version + 1 WHERE {};\nEND",
        now(),
        key.join(" AND ")
    )
}

/// SQLite has no `ADD COLUMN IF NOT EXISTS`, so whoever runs the statement looks first.
pub fn add_column(table: &Table, column: &Column) -> Vec<Statement> {
    let name = quote(table.name.as_str());
    let mut definition = column_definition(table, column);
    for key in table.rules.foreign_keys.iter().filter(|key| key.columns[..] == [column.name.clone()]) {
        definition.push_str(&format!(
            " CONSTRAINT {} {}",
            quote(key.name.as_str()),
            relational::references(quote, key)
        ));
    }
    for rule in table.rules.checks.iter().filter(|rule| rule.column == column.name) {
        definition.push(' ');
        definition.push_str(&check_constraint(rule));
    }
    vec![Statement {
        sql: format!("ALTER TABLE {name} ADD COLUMN {definition}"),
        why: format!("{}.{}: {}", table.name, column.name, column.comment),
        lock: LockClass::Writes,
        undo: Undo::Statement(format!("ALTER TABLE {name} DROP COLUMN {}", quote(column.name.as_str()))),
        unless: Some(ColumnPresent { table: table.name.clone(), column: column.name.clone() }),
        execution: Execution::Together,
        keeps: Vec::new(),
    }]
}

/// `INTEGER` that is the whole key would number its rows by itself, whoever forgets the value; `INT` does not,
/// <https://sqlite.org/lang_createtable.html#rowid>.
fn column_type(table: &Table, column: &Column) -> &'static str {
    match sql_type(&column.field_type) {
        "INTEGER" if is_counted(column) => "INTEGER",
        "INTEGER" if table.primary_key[..] == [column.name.clone()] => "INT",
        other => other,
    }
}

/// Whether the database counts its rows by the column, which is the whole key then.
pub fn is_counted(column: &Column) -> bool {
    column.default == Some(ColumnDefault::Counted)
}

fn column_definition(table: &Table, column: &Column) -> String {
    let mut text = format!("{} {}", quote(column.name.as_str()), column_type(table, column));
    match column.nullability {
        Nullability::NotNull => text.push_str(" NOT NULL"),
        Nullability::Nullable => {}
    }
    match &column.default {
        None => {}
        Some(ColumnDefault::Value(value)) => text.push_str(&format!(" DEFAULT {}", literal(value))),
        Some(ColumnDefault::Now | ColumnDefault::NewId) => {
            text.push_str(&format!(" DEFAULT ({})", default(column).unwrap_or_default()));
        }
        // Without the word a number that was given once would be given again when its row is gone.
        Some(ColumnDefault::Counted) => text.push_str(&format!(" PRIMARY KEY {COUNTED}")),
    }
    if collation(&column.field_type) != "BINARY" {
        text.push_str(" COLLATE ");
        text.push_str(collation(&column.field_type));
    }
    text
}

/// The default as it stands in an expression.
pub fn default_expression(column: &Column) -> Option<String> {
    default(column).filter(|_| !is_counted(column)).map(|default| format!("({default})"))
}

/// The default as SQLite's catalogue shows it.
fn default(column: &Column) -> Option<String> {
    column.default.as_ref().map(|default| match default {
        ColumnDefault::Value(value) => literal(value),
        ColumnDefault::Now => now(),
        ColumnDefault::NewId => NEW_ID.to_owned(),
        ColumnDefault::Counted => COUNTED.to_owned(),
    })
}

/// What stands in the place of a default where the database counts.
pub const COUNTED: &str = "AUTOINCREMENT";

fn foreign_key(key: &ForeignKey) -> String {
    relational::foreign_key(quote, key)
}

fn check_constraint(check: &Check) -> String {
    format!("CONSTRAINT {} CHECK ({})", quote(check.name.as_str()), condition(check))
}

fn condition(check: &Check) -> String {
    let column = quote(check.column.as_str());
    match &check.rule {
        CheckRule::Range { minimum, maximum } => {
            let least = minimum.as_ref().map(|least| format!("{column} >= {}", literal(least)));
            let most = maximum.as_ref().map(|most| format!("{column} <= {}", literal(most)));
            least.into_iter().chain(most).collect::<Vec<_>>().join(" AND ")
        }
        CheckRule::OneOf(words) => {
            let words: Vec<String> = words.iter().map(|word| super::text(word)).collect();
            format!("{column} IN ({})", words.join(", "))
        }
        CheckRule::Length { at_most } => format!("length({column}) <= {at_most}"),
        CheckRule::Capitals { letters } => format!("{column} GLOB '{}'", "[A-Z]".repeat(usize::from(*letters))),
        CheckRule::NotBlank => format!("trim({column}) <> ''"),
        CheckRule::Against { comparator, other } => {
            format!("{column} {} {}", comparator.operator(), quote(other.as_str()))
        }
    }
}

/// As SQLite's catalogue shows them: names as they are, other things as they were written.
fn index_columns(table: &Table, index: &Index) -> Vec<String> {
    let plain = index.columns.iter().map(|name| (name, quote(name.as_str())));
    let written = indexed(WORDS, table, index);
    plain
        .zip(written)
        .map(|((name, plain), written)| if plain == written { name.to_string() } else { written })
        .collect()
}

pub fn column_list(columns: &[ColumnName]) -> String {
    relational::column_list(quote, columns)
}

pub fn described(table: &Table) -> ObservedTable {
    let texts = |columns: &[ColumnName]| columns.iter().map(ToString::to_string).collect::<Vec<_>>();
    let mut unique: Vec<Vec<String>> = table.unique.iter().map(|columns| texts(columns)).collect();
    unique.sort();
    let rules = &table.rules;
    let mut foreign_keys: Vec<ObservedForeignKey> = rules
        .foreign_keys
        .iter()
        .map(|key| ObservedForeignKey {
            name: String::new(),
            columns: texts(&key.columns),
            table: key.table.to_string(),
            target: texts(&key.target),
            on_delete: Some(key.on_delete),
        })
        .collect();
    foreign_keys.sort();
    let rule = |name: &str, text| ObservedRule { name: name.to_owned(), text };
    let mut checks: Vec<ObservedRule> =
        rules.checks.iter().map(|check| rule(check.name.as_str(), condition(check))).collect();
    checks.sort();
    let mut indexes: Vec<ObservedIndex> = rules
        .indexes
        .iter()
        .map(|index| ObservedIndex {
            name: index.name.to_string(),
            columns: index_columns(table, index),
            uniqueness: index.uniqueness,
        })
        .collect();
    indexes.sort_by(|left, right| left.name.cmp(&right.name));
    ObservedTable {
        name: table.name.to_string(),
        columns: table
            .columns
            .iter()
            .map(|column| ObservedColumn {
                name: column.name.to_string(),
                sql_type: column_type(table, column).to_owned(),
                nullability: column.nullability,
                collation: collation(&column.field_type).to_owned(),
                default: default(column),
                comment: None,
            })
            .collect(),
        primary_key: texts(&table.primary_key),
        unique,
        foreign_keys,
        checks,
        indexes,
        triggers: triggers(table),
        comment: None,
    }
}
