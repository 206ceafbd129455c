//! Statements as text: one check a feature.

mod permission;

use crate::{
    Listing, Wanted, add_column, create_table, finds, lower_emit, lower_listing, lower_listing_base, lower_query,
    lower_write, migration, stores,
};
use expect_test::{Expect, expect};
use plan::DatabasePlan;
use plan::database::{Column, Connection, Migration, Nullability, Rules, Sensitivity, Table};
use plan::query::{
    Assigned, Cardinality, Direction, Holes, OnConflict, Order, Output, Page, Predicate, Query, Related, RowLock,
    Through, Write,
};
use plan::value::{Comparison, Value};
use vocab::{ColumnName, Datum, Engine, FieldName, FieldType, TableName};

fn table() -> Table {
    let column = |name: &str, field_type, nullability| Column {
        name: ColumnName::parse(name).unwrap(),
        field_type,
        nullability,
        default: None,
        sensitivity: Sensitivity::Plain,
        comment: "a column".into(),
    };
    Table {
        name: TableName::parse("order").unwrap(),
        comment: "one purchase".into(),
        columns: vec![
            column("id", FieldType::Uuid, Nullability::NotNull),
            column("email", FieldType::Email, Nullability::NotNull),
            column("note", FieldType::Text { max: 100 }, Nullability::Nullable),
        ],
        primary_key: vec![ColumnName::parse("id").unwrap()],
        unique: vec![vec![ColumnName::parse("email").unwrap()]],
        rules: Rules::default(),
    }
}

fn database() -> DatabasePlan {
    let connection = Connection::Embedded;
    DatabasePlan {
        engine: Engine::Sqlite,
        connection,
        tables: vec![table()],
        pool: plan::database::Pool::default(),
        migrations: Vec::new(),
    }
}

fn name(text: &str) -> ColumnName {
    ColumnName::parse(text).unwrap()
}

fn literal(text: &str) -> Value {
    Value::Literal(Datum::Text(text.into()))
}

fn check_write(write: &Write, expected: &Expect) {
    let lowered = lower_write(&database(), write).unwrap();
    assert_eq!(lowered.text.matches('?').count(), lowered.binds.len());
    expected.assert_eq(&lowered.text);
}

#[test]
fn a_migration_file_says_why_and_how_to_undo() {
    let migration = Migration { name: "0001_initial".into(), statements: vec![create_table(Engine::Sqlite, &table())] };
    expect![[r#"
        -- order: one purchase
        -- locks: nothing; undo: DROP TABLE "order"
        CREATE TABLE IF NOT EXISTS "order" (
          id TEXT NOT NULL,
          email TEXT NOT NULL COLLATE NOCASE,
          note TEXT,
          PRIMARY KEY (id),
          UNIQUE (email)
        ) STRICT;
    "#]]
    .assert_eq(&migration::text(&migration));
}

#[test]
fn a_column_is_added_unless_it_is_there() {
    let statements = add_column(Engine::Sqlite, &table(), &table().columns[2]);
    expect![[r#"
        -- order.note: a column
        -- locks: writes, for a moment; undo: ALTER TABLE "order" DROP COLUMN note
        -- unless order has note
        ALTER TABLE "order" ADD COLUMN note TEXT;
    "#]]
    .assert_eq(&migration::text(&Migration { name: "0002_additions".into(), statements }));
}

#[test]
fn writes() {
    let order = TableName::parse("order").unwrap();
    let values = vec![(name("id"), literal("1")), (name("email"), literal("a@b.c"))];
    let insert = |on_conflict| Write::Insert { table: order.clone(), values: values.clone(), on_conflict, made: None };
    check_write(&insert(OnConflict::Fail), &expect![[r#"INSERT INTO "order" (id, email) VALUES (?, ?)"#]]);
    check_write(
        &insert(OnConflict::Keep { unique: vec![name("email")] }),
        &expect![[r#"INSERT INTO "order" (id, email) VALUES (?, ?) ON CONFLICT (email) DO NOTHING"#]],
    );
    check_write(
        &insert(OnConflict::Replace { unique: vec![name("email")], columns: vec![name("id")] }),
        &expect![[
            r#"INSERT INTO "order" (id, email) VALUES (?, ?) ON CONFLICT (email) DO UPDATE SET id = excluded.id"#
        ]],
    );
    let filter = vec![
        Predicate::Any(vec![
            Predicate::Null(name("note")),
            Predicate::Compare(name("id"), Comparison::Less, literal("9")),
        ]),
        Predicate::Not(Box::new(Predicate::Compare(name("email"), Comparison::Equal, literal("x")))),
    ];
    let set = vec![(name("note"), Assigned::Value(Value::Now)), (name("tries"), Assigned::Plus(-1))];
    check_write(
        &Write::Update { table: order.clone(), set, filter: filter.clone() },
        &expect![[
            r#"UPDATE "order" SET note = ?, tries = tries + (-1) WHERE (note IS NULL OR id < ?) AND NOT (email = ?)"#
        ]],
    );
    check_write(
        &Write::Delete { table: order, filter },
        &expect![[r#"DELETE FROM "order" WHERE (note IS NULL OR id < ?) AND NOT (email = ?)"#]],
    );
}

#[test]
fn queries() {
    let mut query = Query {
        from: TableName::parse("order").unwrap(),
        outputs: vec![
            Output::Column { column: name("id"), field: FieldName::parse("id").unwrap() },
            Output::Column { column: name("note"), field: FieldName::parse("remark").unwrap() },
        ],
        filter: vec![Predicate::Compare(name("email"), Comparison::Equal, literal("a@b.c"))],
        order: vec![Order { column: name("id"), direction: Direction::Descending }],
        holes: Holes::default(),
        lock: RowLock::ForUpdate,
    };
    expect![[r#"SELECT id, note AS remark FROM "order" WHERE email = ? ORDER BY id DESC"#]]
        .assert_eq(&lower_query(&database(), &query).unwrap().text);
    let asked = Listing {
        filters: vec![Wanted::Compare(name("note"), Comparison::AtLeast, Datum::Text("m".into()))],
        order: vec![
            Order { column: name("note"), direction: Direction::Descending },
            Order { column: name("id"), direction: Direction::Ascending },
        ],
        after: Some(vec![Datum::Text("x".into()), Datum::Text("7".into())]),
        offset: 0,
        limit: 21,
    };
    let base = lower_listing_base(&database(), &query).unwrap();
    let (text, binds) = lower_listing(&database(), &query, &base.text, &asked);
    assert_eq!(text.matches('?').count(), base.binds.len() + binds.len());
    expect![[r#"SELECT id, note AS remark FROM "order" WHERE email = ? AND note >= ? AND (note < ? OR note = ? AND id > ?) ORDER BY note DESC, id LIMIT 21"#]].assert_eq(&text);
    let passed = lower_listing(&database(), &query, &base.text, &Listing { after: None, offset: 40, ..asked.clone() });
    assert!(passed.0.ends_with(" LIMIT 21 OFFSET 40"), "{}", passed.0);
    let (count, binds) = crate::lower_count(&database(), &query, &base.text, &asked, None);
    expect![[r#"SELECT COUNT(*) AS total FROM "order" WHERE email = ? AND note >= ?"#]].assert_eq(&count);
    let (some, _) = crate::lower_count(&database(), &query, &base.text, &asked, Some(11));
    expect![[r#"SELECT COUNT(*) AS total FROM (SELECT 1 AS counted FROM "order" WHERE email = ? AND note >= ? LIMIT 11) AS counted_rows"#]].assert_eq(&some);
    assert_eq!(binds.len(), 1, "where a page begins says nothing of how many rows there are");
    query.holes.page = Some(Page { default: 1, max: 2 });
    assert!(lower_query(&database(), &query).is_err(), "a hole is not lowered quietly");
}

/// The values of a row's own condition come behind those of the rows with it, as their placeholders do.
#[test]
fn rows_of_others_come_with_a_row() {
    let column = |column: &str| Output::Column { column: name(column), field: FieldName::parse(column).unwrap() };
    let query = |outputs, filter, page| Query {
        from: TableName::parse("order").unwrap(),
        outputs,
        filter,
        order: vec![Order { column: name("id"), direction: Direction::Descending }],
        holes: Holes { page, ..Holes::default() },
        lock: RowLock::None,
    };
    let is = |column: &str, text: &str| Predicate::Compare(name(column), Comparison::Equal, literal(text));
    let page = Some(Page { default: 20, max: 100 });
    let many = Related {
        field: FieldName::parse("orders").unwrap(),
        local: name("email"),
        foreign: name("id"),
        cardinality: Cardinality::Many,
        through: Some(Through {
            table: TableName::parse("pairs").unwrap(),
            local: name("first"),
            foreign: name("second"),
            filter: vec![is("kind", "2")],
        }),
        scopes: Vec::new(),
        query: query(vec![column("id"), column("note")], vec![is("email", "1")], page),
    };
    let one = Related {
        field: FieldName::parse("before").unwrap(),
        cardinality: Cardinality::One,
        through: None,
        query: query(vec![column("id")], Vec::new(), None),
        ..many.clone()
    };
    let outputs = vec![column("id"), Output::Related(Box::new(one)), Output::Related(Box::new(many))];
    let query = query(outputs, vec![is("note", "3")], None);
    let lowered = lower_query(&database(), &query).unwrap();
    assert_eq!(lowered.binds, ["1", "2", "3"].map(literal));
    expect![[r#"SELECT id, (SELECT group_concat(line, char(10)) FROM (SELECT json_array(id) AS line FROM "order" AS other_rows WHERE other_rows.id = "order".email ORDER BY id DESC LIMIT 1) AS all_lines) AS "before", (SELECT group_concat(line, char(10)) FROM (SELECT json_array(id, note) AS line FROM "order" AS other_rows WHERE email = ? AND other_rows.id IN (SELECT link_rows.second FROM pairs AS link_rows WHERE kind = ? AND link_rows."first" = "order".email) ORDER BY id DESC LIMIT 20) AS all_lines) AS orders FROM "order" WHERE note = ? ORDER BY id DESC"#]].assert_eq(&lowered.text);
    let database = DatabasePlan { engine: Engine::PostgreSql, ..database() };
    let lowered = lower_query(&database, &query).unwrap();
    expect![[r#"SELECT id, (SELECT string_agg(line, chr(10)) FROM (SELECT json_build_array(id::text)::text AS line FROM "order" AS other_rows WHERE other_rows.id = "order".email ORDER BY id DESC LIMIT 1) AS all_lines) AS before, (SELECT string_agg(line, chr(10)) FROM (SELECT json_build_array(id::text, note::text)::text AS line FROM "order" AS other_rows WHERE email = $1 AND other_rows.id IN (SELECT link_rows.second FROM pairs AS link_rows WHERE kind = $2 AND link_rows.first = "order".email) ORDER BY id DESC LIMIT 20) AS all_lines) AS orders FROM "order" WHERE note = $3 ORDER BY id DESC"#]].assert_eq(&lowered.text);
    let database = DatabasePlan { engine: Engine::MySql, ..database };
    let lowered = lower_query(&database, &query).unwrap();
    expect!["SELECT `id`, (SELECT SUBSTRING_INDEX(GROUP_CONCAT(JSON_ARRAY(CONVERT(`id` USING utf8mb4) COLLATE utf8mb4_bin) ORDER BY `id` DESC SEPARATOR 0x0A /*M! LIMIT 1 */), CHAR(10 USING utf8mb4), 1) FROM `order` AS other_rows WHERE other_rows.`id` = `order`.`email`) AS `before`, (SELECT SUBSTRING_INDEX(GROUP_CONCAT(JSON_ARRAY(CONVERT(`id` USING utf8mb4) COLLATE utf8mb4_bin, CONVERT(`note` USING utf8mb4) COLLATE utf8mb4_bin) ORDER BY `id` DESC SEPARATOR 0x0A /*M! LIMIT 20 */), CHAR(10 USING utf8mb4), 20) FROM `order` AS other_rows WHERE `email` = ? AND other_rows.`id` IN (SELECT link_rows.`second` FROM `pairs` AS link_rows WHERE `kind` = ? AND link_rows.`first` = `order`.`email`)) AS `orders` FROM `order` WHERE `note` = ? ORDER BY `id` DESC"].assert_eq(&lowered.text);
    assert!(lower_query(&database, &query.of_columns()).unwrap().binds == [literal("3")]);
}

#[test]
fn keywords_are_sorted_so_that_the_search_finds_them() {
    assert!(crate::sqlite::KEYWORDS.is_sorted());
}

#[test]
fn rows_of_one_statement_are_stored_together() {
    let statement = |engine, rows| {
        let one = lower_emit(engine);
        let (several, count) = stores(&one, rows);
        (several.rsplit_once("VALUES ").unwrap().1.to_owned(), count)
    };
    assert_eq!(statement(Engine::Sqlite, 9), ("(?, ?, ?, ?)".to_owned(), 1));
    let (numbered, count) = statement(Engine::PostgreSql, 99);
    assert_eq!(count, 10);
    assert!(numbered.starts_with("($1, $2, $3, $4), ($5, $6, $7, $8), ($9, $10, $11, $12), "), "{numbered}");
    assert!(numbered.ends_with("($37, $38, $39, $40)"), "{numbered}");
    let (counted, count) = statement(Engine::MySql, 250);
    assert_eq!((count, counted.matches('?').count()), (100, 400));
    // What cannot take as many values takes fewer rows, and what is looked at, or is no statement, takes one.
    let wide = format!("INSERT INTO wide (a) VALUES ({}?)", "?, ".repeat(399));
    assert_eq!(stores(&wide, 100).1, 10);
    for single in ["INSERT INTO t (a) VALUES (?) RETURNING a", "UPDATE t SET a = ?", r#"{"insert": "t"}"#] {
        assert_eq!(stores(single, 100), (single.into(), 1));
    }
}

#[test]
fn values_of_one_column_are_looked_for_together() {
    let together = |statement: &str, values| finds(statement, values).map(|(text, count)| format!("{count}: {text}"));
    let sqlite = "SELECT sku FROM parts WHERE sku = ?";
    assert_eq!(together(sqlite, 0), None);
    assert_eq!(together(sqlite, 9).unwrap(), "1: SELECT sku FROM parts WHERE sku IN (?)");
    assert_eq!(finds(sqlite, 99).unwrap().1, 10);
    let numbered = together("SELECT \"id\" FROM \"a\" WHERE \"id\" = $1", 10).unwrap();
    assert_eq!(numbered, "10: SELECT \"id\" FROM \"a\" WHERE \"id\" IN ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)");
    let held = "SELECT a::text, b FROM t WHERE a = $1::uuid AND (b = $2 OR c > $3) FOR UPDATE";
    assert_eq!(
        finds(held, 10).unwrap().0,
        "SELECT a::text, b FROM t WHERE a IN ($1::uuid, $2::uuid, $3::uuid, $4::uuid, $5::uuid, $6::uuid, $7::uuid, $8::uuid, $9::uuid, \
         $10::uuid) AND (b = $11 OR c > $12) FOR UPDATE"
    );
    assert_eq!(
        together("SELECT a FROM t WHERE a = ? FOR UPDATE", 3).unwrap(),
        "1: SELECT a FROM t WHERE a IN (?) FOR UPDATE"
    );
    for other in [
        "SELECT a FROM t WHERE a > ?",
        "SELECT a FROM t WHERE (b = ? OR a = ?)",
        "SELECT a FROM t WHERE a IS NULL AND b = ?",
        "SELECT a FROM t",
        r#"{"find": "t"}"#,
    ] {
        assert_eq!(finds(other, 10), None, "{other}");
    }
}
