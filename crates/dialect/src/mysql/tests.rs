//! Statements of MySQL and MariaDB as text, and what the servers show of them: one check a feature.

use crate::{add_column, create_index, create_tables, described, limits, lower_query, lower_write};
use expect_test::expect;
use plan::DatabasePlan;
use plan::database::{
    Check, CheckRule, Column, ColumnDefault, Compared, Connection, ForeignKey, Index, Nullability, OnDelete, Rules,
    Sensitivity, Table, Times, Uniqueness,
};
use plan::query::{Holes, OnConflict, Output, Predicate, Query, RowLock, Write};
use plan::value::{Comparison, Value};
use vocab::{ColumnName, ConstraintName, Datum, Engine, FieldName, FieldType, IndexName, TableName};

fn name(text: &str) -> ColumnName {
    ColumnName::parse(text).unwrap()
}

fn column(text: &str, field_type: FieldType, default: Option<ColumnDefault>) -> Column {
    let nullability = if default.is_some() { Nullability::NotNull } else { Nullability::Nullable };
    let (sensitivity, comment) = (Sensitivity::Plain, format!("the {text}"));
    Column { name: name(text), field_type, nullability, default, sensitivity, comment }
}

fn index(text: &str, columns: &[&str], uniqueness: Uniqueness) -> Index {
    let columns = columns.iter().map(|column| name(column)).collect();
    Index {
        name: IndexName::parse(text).unwrap(),
        columns,
        uniqueness,
        compared: Compared::Values,
        why: "the task says so".into(),
    }
}

fn check(text: &str, column: &str, rule: CheckRule) -> Check {
    Check { name: ConstraintName::parse(text).unwrap(), column: name(column), rule }
}

fn table(text: &str, columns: Vec<Column>) -> Table {
    Table {
        name: TableName::parse(text).unwrap(),
        comment: "a thing".into(),
        columns,
        primary_key: vec![name("id")],
        unique: Vec::new(),
        rules: Rules::default(),
    }
}

/// Two tables that lead to each other.
fn circle() -> Vec<Table> {
    let key = |text: &str, to: &str| ForeignKey {
        name: ConstraintName::parse(text).unwrap(),
        columns: vec![name("other_id")],
        table: TableName::parse(to).unwrap(),
        target: vec![name("id")],
        on_delete: OnDelete::SetNull,
        why: "it belongs there".into(),
    };
    let columns = vec![
        column("id", FieldType::Uuid, Some(ColumnDefault::NewId)),
        column("other_id", FieldType::Uuid, None),
        column("email", FieldType::Email, None),
        column("note", FieldType::Text { max: 5000 }, Some(ColumnDefault::Value(Datum::Text("it's \\".into())))),
        column("updated_at", FieldType::Timestamp, Some(ColumnDefault::Now)),
        column("row_version", FieldType::Integer, Some(ColumnDefault::Value(Datum::Integer(1)))),
    ];
    let mut first = table("first", columns.clone());
    first.unique = vec![vec![name("email")]];
    first.rules = Rules {
        overlaps: Vec::new(),
        embedded: Vec::new(),
        foreign_keys: vec![key("first_other_id_fkey", "second")],
        checks: vec![
            check("first_email_length", "email", CheckRule::Length { at_most: 254 }),
            check("first_note_length", "note", CheckRule::Length { at_most: 5000 }),
        ],
        indexes: vec![index("first_note_idx", &["note", "email"], Uniqueness::Repeating)],
        times: Times::KeptByDatabase,
    };
    let mut second = table("second", columns[..2].to_vec());
    second.rules.foreign_keys = vec![key("second_other_id_fkey", "first")];
    vec![first, second]
}

#[test]
fn a_table_is_one_statement_and_a_key_to_a_later_one_another() {
    let statements = create_tables(Engine::MySql, &circle());
    let texts: Vec<String> = statements.into_iter().map(|statement| statement.sql).collect();
    expect![[r#"
        CREATE TABLE IF NOT EXISTS `first` (
          `id` char(36) CHARACTER SET ascii NOT NULL DEFAULT (lower(insert(insert(insert(insert(concat(lpad(hex(timestampdiff(microsecond,'1970-01-01',utc_timestamp(3)) div 1000),12,'0'),'7',left(sha2(uuid(),256),3),substr('89ab',1 + floor(rand() * 4),1),left(sha2(uuid(),256),15)),21,0,'-'),17,0,'-'),13,0,'-'),9,0,'-'))) COMMENT 'the id',
          `other_id` char(36) CHARACTER SET ascii COMMENT 'the other_id',
          `email` varchar(254) COLLATE /*M! utf8mb4_general_nopad_ci */ /*!80017 utf8mb4_general_ci */ COMMENT 'the email',
          `note` text NOT NULL DEFAULT ('it''s \\') COMMENT 'the note',
          `updated_at` datetime(3) NOT NULL DEFAULT (utc_timestamp(3)) COMMENT 'the updated_at',
          `row_version` bigint NOT NULL DEFAULT 1 COMMENT 'the row_version',
          PRIMARY KEY (`id`),
          UNIQUE KEY `first_email_unique` (`email`),
          KEY `first_note_idx` (`note`(384), `email`),
          CONSTRAINT `first_note_length` CHECK (char_length(`note`) <= 5000)
        ) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE /*M! utf8mb4_nopad_bin */ /*!80017 utf8mb4_0900_bin */ COMMENT='a thing'
        CREATE TABLE IF NOT EXISTS `second` (
          `id` char(36) CHARACTER SET ascii NOT NULL DEFAULT (lower(insert(insert(insert(insert(concat(lpad(hex(timestampdiff(microsecond,'1970-01-01',utc_timestamp(3)) div 1000),12,'0'),'7',left(sha2(uuid(),256),3),substr('89ab',1 + floor(rand() * 4),1),left(sha2(uuid(),256),15)),21,0,'-'),17,0,'-'),13,0,'-'),9,0,'-'))) COMMENT 'the id',
          `other_id` char(36) CHARACTER SET ascii COMMENT 'the other_id',
          PRIMARY KEY (`id`),
          CONSTRAINT `second_other_id_fkey` FOREIGN KEY (`other_id`) REFERENCES `first` (`id`) ON DELETE SET NULL
        ) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE /*M! utf8mb4_nopad_bin */ /*!80017 utf8mb4_0900_bin */ COMMENT='a thing'
        ALTER TABLE `first` ADD CONSTRAINT `first_other_id_fkey` FOREIGN KEY (`other_id`) REFERENCES `second` (`id`) ON DELETE SET NULL
        CREATE TRIGGER IF NOT EXISTS `first_touch` BEFORE UPDATE ON `first` FOR EACH ROW
        SET NEW.`row_version` = IF(NEW.`updated_at` <=> OLD.`updated_at`, OLD.`row_version` + 1, NEW.`row_version`), NEW.`updated_at` = IF(NEW.`updated_at` <=> OLD.`updated_at`, UTC_TIMESTAMP(3), NEW.`updated_at`)
    "#]]
    .assert_eq(&format!("{}\n", texts.join("\n")));
}

#[test]
fn a_column_comes_with_what_holds_for_it_and_an_index_keeps_nobody_from_writing() {
    let [first, _] = &circle()[..] else { unreachable!("two tables") };
    let [statement] = &add_column(Engine::MySql, first, &first.columns[1])[..] else { unreachable!("one statement") };
    expect!["ALTER TABLE `first` ADD COLUMN `other_id` char(36) CHARACTER SET ascii COMMENT 'the other_id', ADD CONSTRAINT `first_other_id_fkey` FOREIGN KEY (`other_id`) REFERENCES `second` (`id`) ON DELETE SET NULL"].assert_eq(&statement.sql);
    assert_eq!(statement.unless.as_ref().map(ToString::to_string), Some("first has other_id".to_owned()));
    let made = create_index(Engine::MySql, first, &first.rules.indexes[0]);
    expect!["CREATE INDEX /*M! IF NOT EXISTS */ `first_note_idx` ON `first` (`note`(384), `email`) ALGORITHM=INPLACE LOCK=NONE"]
        .assert_eq(&made.sql);
}

#[test]
fn what_is_shown_of_a_table_tells_sets_that_are_unique_from_unique_indexes() {
    let mut first = circle().remove(0);
    first.rules.indexes.push(index("by_version", &["row_version"], Uniqueness::Unique));
    // By its name and columns the servers cannot tell this one from a set.
    first.rules.indexes.push(index("first_row_version_unique", &["row_version"], Uniqueness::Unique));
    let shown = described(Engine::MySql, &first);
    assert_eq!(shown.unique, [["email"], ["row_version"]]);
    let names: Vec<&str> = shown.indexes.iter().map(|index| index.name.as_str()).collect();
    assert_eq!(names, ["by_version", "first_note_idx"]);
    assert_eq!(shown.indexes[1].columns, ["note(384)", "email"]);
    assert_eq!(shown.checks.len(), 1, "a `varchar` takes no longer text by itself");
}

#[test]
fn what_does_not_fit_is_said() {
    let long = |text: &str| column(text, FieldType::Line { max: 768 }, None);
    let mut wide = table("wide", (0..22).map(|number| long(&format!("c{number}"))).collect());
    wide.unique = vec![vec![name("c0")], vec![name("c0"), name("c1")]];
    let problems = limits(Engine::MySql, &wide);
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(problems[0].contains("67584 bytes") && problems[1].contains("`c0, c1`"), "{problems:?}");
    wide.columns.truncate(21);
    wide.unique.truncate(1);
    assert_eq!(limits(Engine::MySql, &wide), Vec::<String>::new());
    wide.columns.push(column("papers", FieldType::Json, None));
    wide.rules.indexes = vec![index("by_papers", &["papers"], Uniqueness::Repeating)];
    let problems = limits(Engine::MySql, &wide);
    assert!(matches!(&problems[..], [only] if only.contains("`papers` of `wide` is a document")), "{problems:?}");
    wide.rules.indexes.clear();
    assert_eq!(limits(Engine::PostgreSql, &wide), Vec::<String>::new());
}

#[test]
fn values_become_their_columns_types_and_conflicts_of_other_keys_stay_errors() {
    let tables = circle();
    let from = tables[0].name.clone();
    let connection = Connection::Missing;
    let database = DatabasePlan {
        engine: Engine::MySql,
        connection,
        tables,
        migrations: Vec::new(),
        pool: plan::database::Pool::default(),
    };
    let given = |text: &str| Value::Literal(Datum::Text(text.into()));
    let query = Query {
        from: from.clone(),
        outputs: vec![Output::Column { column: name("note"), field: FieldName::parse("remark").unwrap() }],
        filter: vec![Predicate::Compare(name("updated_at"), Comparison::Less, given("2026-01-02T03:04:05.678Z"))],
        order: Vec::new(),
        holes: Holes::default(),
        lock: RowLock::ForUpdate,
    };
    expect!["SELECT `note` AS `remark` FROM `first` WHERE `updated_at` < CAST(LEFT(?, 23) AS DATETIME(3)) FOR UPDATE"]
        .assert_eq(&lower_query(&database, &query).unwrap().text);
    let values = vec![(name("id"), given("1")), (name("email"), given("a@b.c"))];
    let on_conflict = OnConflict::Keep { unique: vec![name("email")] };
    let kept = lower_write(&database, &Write::Insert { table: from, values, on_conflict, made: None }).unwrap();
    expect!["INSERT INTO `first` (`id`, `email`) SELECT ?, ? FROM DUAL WHERE NOT EXISTS (SELECT 1 FROM `first` WHERE `email` = ?)"]
        .assert_eq(&kept.text);
    assert_eq!(kept.binds, [given("1"), given("a@b.c"), given("a@b.c")]);
    let (unique, columns) = (vec![name("email")], vec![name("id"), name("email")]);
    let values = vec![(name("id"), given("1")), (name("email"), given("a@b.c"))];
    let on_conflict = OnConflict::Replace { unique, columns };
    let from = TableName::parse("first").unwrap();
    let replaced = lower_write(&database, &Write::Insert { table: from, values, on_conflict, made: None }).unwrap();
    expect!["INSERT INTO `first` (`id`, `email`) VALUES (?, ?) ON DUPLICATE KEY UPDATE `email` = IF(`email` = VALUES(`email`), `email`, (SELECT 1 UNION ALL SELECT 2)), `id` = VALUES(`id`), `email` = VALUES(`email`)"]
        .assert_eq(&replaced.text);
}
