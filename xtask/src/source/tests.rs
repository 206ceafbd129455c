//! Scanning must not be fooled by comments, strings, characters and lifetimes.

use super::Source;

fn literals(text: &str) -> Vec<(usize, String)> {
    let source = Source::scan("crates/a/src/lib.rs", text);
    source.production_literals.into_iter().map(|literal| (literal.line, literal.text)).collect()
}

#[test]
fn comments_characters_and_lifetimes_are_not_strings() {
    let text = "// \"no\"\n/* \"no\" /* \"no\" */ */ fn f<'a>(x: &'a str) { let c = '\"'; let d = '\\''; g(\"yes\") }";
    assert_eq!(literals(text), [(2, "yes".to_owned())]);
}

#[test]
fn raw_byte_and_continued_strings_are_read() {
    let text = "let a = r#\"one \"quoted\"\"#; let r#type = b\"two\";\nlet c = \"thr\\\n     ee\";";
    let expected = [(1, "one \"quoted\"".to_owned()), (1, "two".to_owned()), (2, "three".to_owned())];
    assert_eq!(literals(text), expected);
}

#[test]
fn test_items_and_test_files_are_left_out() {
    let text = "const A: &str = \"a\";\n#[cfg(test)]\n#[allow(x)]\nmod tests { const B: &str = \"b\"; }\nconst C: &str = \"c\";";
    assert_eq!(literals(text), [(1, "a".to_owned()), (5, "c".to_owned())]);
    assert!(Source::scan("crates/a/src/x/tests.rs", text).production_literals.is_empty());
    assert!(Source::scan("crates/a/tests/http.rs", text).production_literals.is_empty());
}

#[test]
fn blanking_keeps_offsets_and_lines() {
    let text = "let a = \"é\n\"; // ü\nlet b = 1;";
    let source = Source::scan("crates/a/src/lib.rs", text);
    assert_eq!(source.code.len(), text.len());
    assert_eq!(source.code.find("let b"), text.find("let b"));
    assert_eq!(source.place(text.find("let b").unwrap()), "crates/a/src/lib.rs:3");
}
