//! Tables as PostgreSQL statements, and as PostgreSQL's catalogue shows them.

use super::overlap::{EXTENSION, constraint_text};
use super::{BY_BYTES, CASE_INSENSITIVE, WORDS, collation, literal, quote, sql_type, text};
use crate::relational::{self, column_comment, indexed, touch_trigger};
use plan::database::{
    Check, CheckRule, Column, ColumnDefault, Execution, ForeignKey, Index, LockClass, Nullability, ObservedColumn,
    ObservedForeignKey, ObservedIndex, ObservedRule, ObservedTable, Statement, Table, Times, Undo, Uniqueness,
};
use vocab::{ColumnName, FieldType, TableName};

/// What the tables need that is not part of one, the tables, keys that could not be part of them, indexes, triggers, comments.
pub fn create_tables(tables: &[Table]) -> Vec<Statement> {
    let mut statements = helpers(tables);
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
    for table in tables {
        statements.extend(table.rules.indexes.iter().map(|index| create_index(table, index)));
        statements.extend(create_trigger(table));
        statements.push(comments(table));
    }
    statements
}

/// The table with all of its keys.
pub fn create_table(table: &Table) -> Statement {
    create(table, &|_| true)
}

fn create(table: &Table, is_part: &dyn Fn(&ForeignKey) -> bool) -> Statement {
    let mut lines: Vec<String> =
        table.columns.iter().map(|column| format!("  {}", column_definition(column))).collect();
    lines.push(format!("  PRIMARY KEY ({})", column_list(&table.primary_key)));
    lines.extend(table.unique.iter().map(|unique| {
        let columns: Vec<String> = unique.iter().map(ToString::to_string).collect();
        let name = super::change::unique_name(table.name.as_str(), &columns);
        format!("  CONSTRAINT {} UNIQUE ({})", quote(&name), column_list(unique))
    }));
    let keys = table.rules.foreign_keys.iter().filter(|key| is_part(key));
    lines.extend(keys.map(|key| format!("  {}", foreign_key(key))));
    lines.extend(table.rules.checks.iter().map(|check| format!("  {}", check_constraint(table, check))));
    let overlaps = table.rules.overlaps.iter();
    lines.extend(
        overlaps.map(|rule| format!("  CONSTRAINT {} {}", quote(rule.name.as_str()), constraint_text(table, rule))),
    );
    let name = quote(table.name.as_str());
    Statement {
        sql: format!("CREATE TABLE IF NOT EXISTS {name} (\n{}\n)", lines.join(",\n")),
        why: format!("{}: {}", table.name, table.comment),
        lock: LockClass::NewObject,
        undo: Undo::Statement(format!("DROP TABLE {name}")),
        unless: None,
        keeps: Vec::new(),
        execution: Execution::Together,
    }
}

/// What several tables share, made once.
pub fn helpers(tables: &[Table]) -> Vec<Statement> {
    let statement = |sql: &str, why: &str| Statement {
        sql: sql.to_owned(),
        why: why.to_owned(),
        lock: LockClass::NewObject,
        undo: Undo::Kept("tables of other tasks may use it".to_owned()),
        unless: None,
        keeps: Vec::new(),
        execution: Execution::Together,
    };
    let mut columns = tables.iter().flat_map(|table| &table.columns);
    let mut statements = Vec::new();
    if columns.clone().any(|column| column.field_type == FieldType::Email) {
        let sql = format!(
            "CREATE COLLATION IF NOT EXISTS {CASE_INSENSITIVE} (provider = icu, locale = 'und-u-ks-level2', deterministic = false)"
        );
        statements.push(statement(&sql, "e-mail addresses are compared without regard to case"));
    }
    if columns.any(|column| column.default == Some(ColumnDefault::NewId)) {
        statements
            .push(statement(NEW_ID, "new ids sort by time; this PostgreSQL has no function for UUIDs of version 7"));
    }
    if tables.iter().flat_map(|table| &table.rules.overlaps).any(|rule| !rule.within.is_empty()) {
        statements.push(statement(EXTENSION, "times and what they are taken of are compared in one index"));
    }
    if tables.iter().any(|table| table.rules.times == Times::KeptByDatabase) {
        statements.push(statement(TOUCH, "keeps `updated_at` and `row_version`, unless the writer has changed them"));
    }
    statements
}

/// Milliseconds since 1970 in the first 48 bits, then randomness; version and variant come with it or are set.
const NEW_ID: &str = "CREATE OR REPLACE FUNCTION uuid_v7() RETURNS uuid LANGUAGE sql VOLATILE AS $$
  SELECT encode(
    set_bit(set_bit(
      overlay(uuid_send(gen_random_uuid())
        PLACING substring(int8send((extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3) FROM 1 FOR 6),
      52, 1), 53, 1), 'hex')::uuid
$$";

const TOUCH: &str = "CREATE OR REPLACE FUNCTION touch_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.updated_at IS NOT DISTINCT FROM OLD.updated_at THEN
    NEW.updated_at := clock_timestamp();
    NEW.row_version := OLD.row_version + 1;
  END IF;
  RETURN NEW;
END
$$";

fn add_key(table: &TableName, key: &ForeignKey) -> Statement {
    let name = quote(table.as_str());
    Statement {
        sql: format!("ALTER TABLE {name} ADD {}", foreign_key(key)),
        why: format!("{table}: {}", key.why),
        lock: LockClass::Writes,
        undo: Undo::Statement(format!("ALTER TABLE {name} DROP CONSTRAINT {}", quote(key.name.as_str()))),
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

pub fn create_trigger(table: &Table) -> Option<Statement> {
    match table.rules.times {
        Times::KeptByWriter => return None,
        Times::KeptByDatabase => {}
    }
    let definition = trigger(table);
    Some(Statement {
        sql: definition.replacen("CREATE TRIGGER", "CREATE OR REPLACE TRIGGER", 1),
        why: format!("{}: the database itself keeps `updated_at` and `row_version`, whoever writes", table.name),
        lock: LockClass::NewObject,
        undo: Undo::Statement(format!(
            "DROP TRIGGER {} ON {}",
            quote(&touch_trigger(table)),
            quote(table.name.as_str())
        )),
        unless: None,
        keeps: Vec::new(),
        execution: Execution::Together,
    })
}

fn trigger(table: &Table) -> String {
    format!(
        "CREATE TRIGGER {} BEFORE UPDATE ON {} FOR EACH ROW EXECUTE FUNCTION touch_row()",
        quote(&touch_trigger(table)),
        quote(table.name.as_str())
    )
}

/// What tables and columns mean, for whoever looks at them with a client.
fn comments(table: &Table) -> Statement {
    let name = quote(table.name.as_str());
    let mut lines = vec![format!("COMMENT ON TABLE {name} IS {}", text(&table.comment))];
    for column in &table.columns {
        lines.push(format!(
            "COMMENT ON COLUMN {name}.{} IS {}",
            quote(column.name.as_str()),
            text(&column_comment(column))
        ));
    }
    Statement {
        sql: lines.join(";\n"),
        why: format!("{}: what it and its columns mean, and how carefully they are handled", table.name),
        lock: LockClass::NewObject,
        undo: Undo::Statement(format!("COMMENT ON TABLE {name} IS NULL")),
        unless: None,
        keeps: Vec::new(),
        execution: Execution::Together,
    }
}

/// The column, then what holds for it: rows that are there are checked without keeping others from writing meanwhile.
pub fn add_column(table: &Table, column: &Column) -> Vec<Statement> {
    let name = quote(table.name.as_str());
    let of_column = quote(column.name.as_str());
    let alter = |sql: String, why: String, undo: String| Statement {
        sql: format!("ALTER TABLE {name} {sql}"),
        why,
        lock: LockClass::Everything,
        undo: Undo::Statement(format!("ALTER TABLE {name} {undo}")),
        unless: None,
        keeps: Vec::new(),
        execution: Execution::Together,
    };
    let mut statements = vec![alter(
        format!("ADD COLUMN IF NOT EXISTS {}", column_definition(column)),
        format!("{}.{}: {}", table.name, column.name, column.comment),
        format!("DROP COLUMN {of_column}"),
    )];
    let keys = table.rules.foreign_keys.iter().filter(|key| key.columns[..] == [column.name.clone()]);
    let keys = keys.map(|key| (foreign_key(key), key.name.as_str()));
    let checks = table.rules.checks.iter().filter(|check| check.column == column.name);
    let checks = checks.map(|check| (check_constraint(table, check), check.name.as_str()));
    for (definition, constraint) in keys.chain(checks) {
        let constraint_name = quote(constraint);
        statements.push(alter(
            format!("ADD {definition} NOT VALID"),
            format!("{constraint}: holds for new rows from now on"),
            format!("DROP CONSTRAINT {constraint_name}"),
        ));
        statements.push(alter(
            format!("VALIDATE CONSTRAINT {constraint_name}"),
            format!("{constraint}: holds for the rows that were there"),
            format!("DROP CONSTRAINT IF EXISTS {constraint_name}"),
        ));
    }
    statements.push(Statement {
        sql: format!("COMMENT ON COLUMN {name}.{of_column} IS {}", text(&column_comment(column))),
        why: format!("{}.{}: what it means", table.name, column.name),
        lock: LockClass::Writes,
        undo: Undo::Statement(format!("COMMENT ON COLUMN {name}.{of_column} IS NULL")),
        unless: None,
        keeps: Vec::new(),
        execution: Execution::Together,
    });
    statements
}

pub fn column_definition(column: &Column) -> String {
    let mut definition = format!("{} {}", quote(column.name.as_str()), sql_type(&column.field_type));
    match collation(&column.field_type) {
        "" => {}
        BY_BYTES => definition.push_str(" COLLATE \"C\""),
        other => definition.push_str(&format!(" COLLATE {other}")),
    }
    match column.nullability {
        Nullability::NotNull => definition.push_str(" NOT NULL"),
        Nullability::Nullable => {}
    }
    match default(column) {
        Some(default) if default == COUNTED => definition.push_str(&format!(" {default}")),
        Some(default) => definition.push_str(&format!(" DEFAULT {default}")),
        None => {}
    }
    definition
}

/// What stands in the place of a default where the database counts; rows that bring their own number are taken, as on the other
/// engines.
pub const COUNTED: &str = "GENERATED BY DEFAULT AS IDENTITY";

/// Has the database count on behind the numbers that are there.
pub fn count_on(table: &str, column: &str) -> String {
    let (name, of_column) = (quote(table), quote(column));
    format!(
        "SELECT setval(pg_get_serial_sequence({}, {}), greatest(max({of_column}), 0) + 1, false) FROM {name}",
        text(&name),
        text(column)
    )
}

/// The default as PostgreSQL itself writes it.
pub fn default(column: &Column) -> Option<String> {
    column.default.as_ref().map(|default| match (default, &column.field_type) {
        (ColumnDefault::Value(value), field_type) => literal(value, field_type),
        (ColumnDefault::Now, FieldType::Date) => "CURRENT_DATE".to_owned(),
        (ColumnDefault::Now, _) => "now()".to_owned(),
        (ColumnDefault::NewId, _) => "uuid_v7()".to_owned(),
        (ColumnDefault::Counted, _) => COUNTED.to_owned(),
    })
}

pub fn foreign_key(key: &ForeignKey) -> String {
    relational::foreign_key(quote, key)
}

fn check_constraint(table: &Table, check: &Check) -> String {
    format!("CONSTRAINT {} {}", quote(check.name.as_str()), check_text(table, check))
}

/// The check as PostgreSQL itself writes it.
pub fn check_text(table: &Table, check: &Check) -> String {
    let column = quote(check.column.as_str());
    let field_type = table.columns.iter().find(|known| known.name == check.column).map(|known| &known.field_type);
    let field_type = field_type.unwrap_or(&FieldType::Integer);
    let condition = match &check.rule {
        CheckRule::Range { minimum, maximum } => {
            let least = minimum.as_ref().map(|least| format!("{column} >= {}", literal(least, field_type)));
            let most = maximum.as_ref().map(|most| format!("{column} <= {}", literal(most, field_type)));
            match (least, most) {
                (Some(least), Some(most)) => format!("({least}) AND ({most})"),
                (least, most) => least.or(most).unwrap_or_else(|| "true".to_owned()),
            }
        }
        CheckRule::OneOf(words) => {
            let words: Vec<String> = words.iter().map(|word| format!("{}::text", text(word))).collect();
            format!("{column} = ANY (ARRAY[{}])", words.join(", "))
        }
        CheckRule::Length { at_most } => format!("char_length({column}) <= {at_most}"),
        CheckRule::Capitals { letters } => format!("{column} ~ '^[A-Z]{{{letters}}}$'::text"),
        // To the collation of addresses a text of marks alone is as good as none.
        CheckRule::NotBlank if collation(field_type) == CASE_INSENSITIVE => {
            format!("btrim(({column} COLLATE \"C\")) <> ''::text")
        }
        CheckRule::NotBlank => format!("btrim({column}) <> ''::text"),
        CheckRule::Against { comparator, other } => {
            format!("{column} {} {}", comparator.operator(), quote(other.as_str()))
        }
    };
    format!("CHECK (({condition}))")
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
            name: key.name.to_string(),
            columns: texts(&key.columns),
            table: key.table.to_string(),
            target: texts(&key.target),
            on_delete: Some(key.on_delete),
        })
        .collect();
    foreign_keys.sort();
    let mut checks: Vec<ObservedRule> = rules
        .checks
        .iter()
        .map(|check| ObservedRule { name: check.name.to_string(), text: check_text(table, check) })
        .collect();
    let overlaps = rules.overlaps.iter();
    checks
        .extend(overlaps.map(|rule| ObservedRule { name: rule.name.to_string(), text: constraint_text(table, rule) }));
    checks.sort();
    let mut indexes: Vec<ObservedIndex> = rules
        .indexes
        .iter()
        .map(|index| ObservedIndex {
            name: index.name.to_string(),
            columns: indexed(WORDS, table, index),
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
                sql_type: sql_type(&column.field_type),
                nullability: column.nullability,
                collation: collation(&column.field_type).to_owned(),
                default: default(column),
                // An empty comment is none.
                comment: Some(column_comment(column)).filter(|comment| !comment.is_empty()),
            })
            .collect(),
        primary_key: texts(&table.primary_key),
        unique,
        foreign_keys,
        checks,
        indexes,
        triggers: match rules.times {
            Times::KeptByWriter => Vec::new(),
            Times::KeptByDatabase => vec![ObservedRule { name: touch_trigger(table), text: trigger(table) }],
        },
        comment: Some(table.comment.clone()),
    }
}
