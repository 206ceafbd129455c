//! Each fence finds what it is there for, and leaves alone what only looks like it.

use super::{engine_match, header, pages, provider_names, sql, undone};
use crate::source::Source;

const SERVE: &str = "crates/serve/src/route.rs";

fn scan(path: &str, text: &str) -> Source {
    Source::scan(path, text)
}

#[test]
fn sql_is_found_where_it_begins_a_literal() {
    for statement in [
        "SELECT 1",
        "SELECT ",
        "INSERT INTO",
        "\\n  SELECT id\\n FROM t",
        "INSERT INTO t VALUES (1)",
        "UPDATE {table} SET a = 1",
        "DELETE FROM t",
        "CREATE TABLE t (a)",
        "ALTER TABLE t ADD a",
        "DROP TABLE t",
        "PRAGMA journal_mode",
    ] {
        let findings = sql(&scan(SERVE, &format!("fn f() {{\n g(\"{statement}\") }}")));
        assert_eq!(findings.len(), 1, "{statement}");
        assert!(findings[0].starts_with("crates/serve/src/route.rs:2: SQL text: "), "{findings:?}");
    }
}

#[test]
fn sql_words_in_prose_tests_and_its_own_rooms_are_free() {
    for innocent in ["Select one", "SELECT", "the SELECT 1 statement", "UPDATE your settings", "CREATE, ALTER"] {
        assert!(sql(&scan(SERVE, &format!("const A: &str = \"{innocent}\";"))).is_empty(), "{innocent}");
    }
    let statement = "const A: &str = \"SELECT 1\";";
    assert!(sql(&scan("crates/dialect/src/sqlite.rs", statement)).is_empty());
    assert!(sql(&scan("crates/store/src/lib.rs", statement)).is_empty());
    assert!(sql(&scan("crates/serve/src/tests.rs", statement)).is_empty());
    assert!(sql(&scan(SERVE, "// \"SELECT 1\"")).is_empty());
}

#[test]
fn a_match_on_the_engine_is_found_in_any_pattern() {
    for arm in [
        "Engine::Sqlite => 1,",
        "vocab::Engine::Mysql | vocab::Engine::Sqlite => 1,",
        "(Engine::Sqlite, true) if x == 1 => 1,",
        "Some(Engine::Sqlite) => 1,",
        "A { engine: Engine::Sqlite } => 1,",
        "A { b } | C { d: Engine::Sqlite } => 1,",
        "X => { y() } Engine::Sqlite => 1,",
    ] {
        let findings = engine_match(&scan(SERVE, &format!("match e {{\n{arm}\n_ => 2 }}")));
        assert_eq!(findings, ["crates/serve/src/route.rs:2: `match` on `Engine`"], "{arm}");
    }
}

#[test]
fn the_engine_as_a_value_and_in_its_own_rooms_is_free() {
    for innocent in [
        "A => Engine::Sqlite, B => Engine::Mysql, C => 1,",
        "A => { f(Engine::Sqlite) } B => 1,",
        "a if a == Engine::Sqlite => 1,",
        "SearchEngine::Fast => 1,",
    ] {
        let findings = engine_match(&scan(SERVE, &format!("match e {{ {innocent} }}")));
        assert!(findings.is_empty(), "{innocent}: {findings:?}");
    }
    let arm = "match e { Engine::Sqlite => 1 }";
    assert!(engine_match(&scan("crates/emit/src/node/driver.rs", arm)).is_empty());
    assert!(engine_match(&scan("crates/store/src/lib.rs", arm)).is_empty());
    assert_eq!(engine_match(&scan("crates/emit/src/node.rs", arm)).len(), 1);
}

#[test]
fn a_provider_is_found_by_name() {
    let names = ["acme".to_owned(), "wide-net".to_owned(), "mysql".to_owned()];
    let findings = |literal: &str| provider_names(&scan(SERVE, &format!("\nf(\"{literal}\")")), &names);
    assert_eq!(findings("acme"), ["crates/serve/src/route.rs:2: the provider `acme` is named in code"]);
    for named in ["Acme", "acme-integration.js", "api.acme.com", "wide_net", "ACME_SECRET"] {
        assert_eq!(findings(named).len(), 1, "{named}");
    }
    for free in ["acmes", "the acme way", "https://acme.com/docs", "mysql"] {
        assert!(findings(free).is_empty(), "{free}");
    }
    assert!(provider_names(&scan("crates/serve/src/tests.rs", "f(\"acme\")"), &names).is_empty());
}

#[test]
fn a_file_without_a_header_is_found() {
    assert_eq!(header(&scan(SERVE, "use a;\n//! late")), ["crates/serve/src/route.rs:1: does not open with `//!`"]);
    assert!(header(&scan(SERVE, "//! Routes.\n")).is_empty());
    assert!(header(&scan("crates/serve/build.rs", "fn main() {}")).is_empty());
}

#[test]
fn ignored_tests_and_undone_code_are_found_in_tests_too() {
    let text = "#[test]\n#[ignore = \"slow\"]\nfn a() { todo!() }\nfn b() { unimplemented!(\"c\") }";
    let expected = [
        "crates/serve/src/tests.rs:2: `#[ignore`",
        "crates/serve/src/tests.rs:3: `todo!`",
        "crates/serve/src/tests.rs:4: `unimplemented!`",
    ];
    assert_eq!(undone(&scan("crates/serve/src/tests.rs", text)), expected);
    assert!(undone(&scan(SERVE, "// todo!\nfn my_todo!() { f(\"todo!\") }")).is_empty());
}

#[test]
fn codes_and_pages_must_match_both_ways() {
    let source =
        scan("crates/spec/src/check.rs", "//! IPv4 and ZIP12 are no codes\n const A: &str = \"IP104\"; // IP105");
    let known =
        ["docs/errors/IP104.md".to_owned(), "docs/errors/IP105.md".to_owned(), "docs/errors/README.md".to_owned()];
    assert!(pages(std::slice::from_ref(&source), &known).is_empty());
    let findings = pages(&[source], &["docs/errors/IP104.md".to_owned(), "docs/errors/IP999.md".to_owned()]);
    let expected = [
        "crates/spec/src/check.rs:2: `IP105` has no page `docs/errors/IP105.md`",
        "docs/errors/IP999.md:1: no diagnostic has the code `IP999`",
    ];
    assert_eq!(findings, expected);
}
