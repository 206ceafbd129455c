//! Random database tasks: a seed comes in, the schema of a task goes out as JSON, which is YAML too. The same seed gives the same
//! schema. Most are right; some are wrong in ways that must be refused clearly.

use serde_json::{Map, Value as Json, json};

/// The numbers of <https://prng.di.unimi.it/splitmix64.c>: quality does not matter, but that a seed means the same for ever.
pub struct Random(pub u64);

impl Random {
    fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.number() % end.max(1) as u64).unwrap()
    }

    /// So often of a hundred times.
    pub fn percent(&mut self, share: usize) -> bool {
        self.below(100) < share
    }

    pub fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())].clone()
    }

    fn whole(&mut self) -> i64 {
        let small = i64::try_from(self.below(2_000)).unwrap() - 1_000;
        self.pick(&[0, 1, -1, small, i64::from(i32::MAX), i64::from(i32::MIN), i64::from(i32::MAX) + 1, -5_000_000_000])
    }
}

/// What a table has that others may lead to, and columns that rules may name.
pub struct Known {
    pub name: String,
    /// The column that keys lead to and the type it holds; none where the key has several.
    pub key: Option<(String, &'static str)>,
}

/// A schema: the value of `schema_requirements`.
pub fn schema(random: &mut Random, catalogue: &[String]) -> Json {
    let mut known: Vec<Known> = Vec::new();
    let mut tables = Vec::new();
    for _ in 0..=random.below(5) {
        let name = table_name(random, catalogue, &known);
        if known.iter().any(|table| table.name == name) {
            continue;
        }
        if random.percent(35) {
            tables.push(json!(name));
            known.push(Known { name, key: Some(("id".to_owned(), "uuid")) });
        } else {
            let (table, key) = table(random, &name, &known);
            tables.push(table);
            known.push(Known { name, key });
        }
    }
    let relationships = relationships(random, &known);
    match relationships.is_empty() {
        true => json!({ "tables": tables }),
        false => json!({ "tables": tables, "relationships": relationships }),
    }
}

/// Words of SQL, and what engines keep for themselves somewhere else.
const RESERVED: &[&str] = &[
    "order",
    "user",
    "group",
    "select",
    "table",
    "index",
    "key",
    "values",
    "check",
    "default",
    "end",
    "position",
    "current_user",
    "rank",
    "rows",
    "system",
    "lateral",
    "window",
    "primary",
    "references",
    "constraint",
    "offset",
    "limit",
    "to",
    "from",
    "where",
    "is",
    "not",
    "null",
    "new",
    "old",
    "trigger",
    "time",
    "timestamp",
    "date",
    "interval",
    "char",
    "int",
    "bigint",
    "text",
    "json",
    "uuid",
    "boolean",
    "condition",
    "schema",
    "database",
    "role",
    "grant",
    "analyze",
    "rowid",
    "oid",
    "version",
    "value",
    "name",
    "type",
    "level",
    "change",
    "interval_",
    "when",
    "notnull",
    "isnull",
    "collation",
    "unique",
    "all",
    "any",
    "some",
    "array",
    "case",
    "cast",
    "column",
    "cross",
    "excluded",
    "conflict",
    "xmin",
    "ctid",
    "sqlite_x",
    "pg_x",
    "schema_migrations",
    "do",
    "glob",
    "regexp",
    "match",
    "raise",
    "abort",
    "begin",
    "commit",
    "public",
];

pub fn table_name(random: &mut Random, catalogue: &[String], others: &[Known]) -> String {
    match random.below(11) {
        // What an engine or the producer would call something of another table.
        10 if !others.is_empty() => {
            let ending = random.pick(&["pkey", "touch", "id_key", "name_idx", "a", "links"]);
            format!("{}_{ending}", random.pick(&others.iter().map(|other| &other.name).collect::<Vec<_>>()))
                .chars()
                .take(63)
                .collect()
        }
        0..=3 => random.pick(catalogue),
        4 | 5 => random.pick(RESERVED).to_owned(),
        6 => long_name(random),
        7 => format!("{}_of_{}", random.pick(catalogue), random.pick(RESERVED)).chars().take(63).collect(),
        8 => random
            .pick(&["a_pkey", "a_b_key", "a", "a_to_b", "b", "touch_row", "uuid_v7", "x__", "t1", "a_touch"])
            .to_owned(),
        _ => word(random),
    }
}

fn word(random: &mut Random) -> String {
    let length = 1 + random.below(12);
    let mut word = String::from(char::from(b'a' + u8::try_from(random.below(26)).unwrap()));
    (0..length).for_each(|_| word.push(char::from(random.pick(b"abcdefghijklmnopqrstuvwxyz0123456789__"))));
    word
}

/// As long as a name may be; two of them often differ in the last letter only.
fn long_name(random: &mut Random) -> String {
    let beginning = random.pick(&["a", "order", "measurement_of_temperature"]);
    let mut name: String = format!("{beginning}_").repeat(63);
    name.truncate(62);
    name.push(random.pick(&['a', 'b', '_', '7']));
    name
}

pub fn column_name(random: &mut Random) -> String {
    match random.below(10) {
        0..=2 => random.pick(RESERVED).to_owned(),
        3 => long_name(random),
        4 => random.pick(&["id", "created_at", "updated_at", "row_version", "name", "email", "parent_id"]).to_owned(),
        5 => random.pick(&["a", "b", "c"]).to_owned(),
        _ => word(random),
    }
}

pub const TYPES: &[&str] =
    &["line", "text", "email", "phone", "url", "integer", "decimal", "boolean", "date", "timestamp", "uuid", "json"];
const TEXTS: &[&str] = &["line", "text", "email", "phone", "url"];

/// A table in a block, and what leads to its rows.
pub fn table(random: &mut Random, name: &str, others: &[Known]) -> (Json, Option<(String, &'static str)>) {
    let mut columns: Map<String, Json> = Map::new();
    let mut types: Vec<(String, &'static str)> = Vec::new();
    for _ in 0..=random.below(6) {
        let column = column_name(random);
        if columns.contains_key(&column) {
            continue;
        }
        let (said, kind) = match random.percent(20) {
            true => reference(random, others).unwrap_or_else(|| a_column(random)),
            false => a_column(random),
        };
        columns.insert(column.clone(), said);
        types.push((column, kind));
    }
    let mut constraints = Vec::new();
    let mut key = match types.iter().find(|(name, _)| name == "id") {
        Some((name, kind)) => Some((name.clone(), *kind)),
        None => Some(("id".to_owned(), "uuid")),
    };
    if random.percent(12) {
        let names = some_columns(random, &types);
        key = match &names[..] {
            [only] => types.iter().find(|(name, _)| name == only).cloned(),
            _ => None,
        };
        for name in &names {
            // A key that may be absent, and a default that breaks a check, are refused; a few of them are enough.
            if let Some(said) = columns[name].as_object_mut().filter(|_| random.percent(90)) {
                said.retain(|rule, _| rule != "required" && rule != "nullable");
            }
        }
        constraints.push(json!({ "primary_key": names }));
    }
    let few: Vec<(String, &str)> = types
        .iter()
        .filter(|(name, _)| columns[name].get("default").is_none() || random.percent(10))
        .cloned()
        .collect();
    for _ in 0..random.below(3) {
        constraints.extend(constraint(random, &types, &few));
    }
    let mut table = json!({ "name": name, "columns": columns });
    let indexes: Vec<Json> = (0..random.below(3)).map(|_| index(random, &types)).collect();
    if !constraints.is_empty() {
        table["constraints"] = json!(constraints);
    }
    if !indexes.is_empty() {
        table["indexes"] = json!(indexes);
    }
    (table, key)
}

pub fn a_column(random: &mut Random) -> (Json, &'static str) {
    let kind = random.pick(TYPES);
    if random.percent(30) {
        return (json!(kind), kind);
    }
    let mut said = json!({ "type": kind });
    match random.below(5) {
        0 => said["required"] = json!(random.percent(60)),
        1 => said["nullable"] = json!(random.percent(60)),
        _ => {}
    }
    if random.percent(20) && kind != "json" {
        said["unique"] = json!(random.percent(90));
    }
    let has_length = TEXTS.contains(&kind) && random.percent(40);
    if random.percent(35) {
        said["default"] = default(random, kind);
    }
    if has_length {
        let shortest = said["default"].as_str().map_or(1, |text| text.chars().count().max(1));
        let longer = random.below(300);
        said["max_length"] = json!(random.pick(&[shortest, shortest + 1, shortest + longer, 10_000]));
    }
    (said, kind)
}

fn default(random: &mut Random, kind: &str) -> Json {
    match kind {
        "line" => json!(odd_text(random).replace(char::is_control, " ")),
        "text" | "email" | "phone" | "url" => json!(odd_text(random)),
        "integer" => json!(random.whole()),
        "decimal" => {
            random.pick(&[json!(0), json!(-1.5), json!(12.25), json!("-0.01"), json!("9999999999999.99"), json!(5000)])
        }
        "boolean" => json!(random.percent(50)),
        "date" | "timestamp" => json!("now"),
        "uuid" => json!("019C0F3E-7b1a-7c3d-8e5f-0123456789ab"),
        _ => match document(random, 2) {
            Json::Null => json!({}),
            document => document,
        },
    }
}

/// Texts that end a literal, a comment or a statement early where they are written down carelessly.
const ODD: &[&str] = &[
    "",
    "x",
    "it's",
    "''",
    "'",
    "\\",
    "\\'",
    "a\\nb",
    "$$",
    "$1",
    "?",
    "?::text",
    "--",
    "/*",
    "*/",
    ";",
    "\n",
    "a\n-- b",
    "\t",
    "\"",
    "`",
    "%s",
    "NULL",
    "now()",
    "CURRENT_DATE",
    "{}",
    "[]",
    "größe",
    "数",
    "😀",
    "e\u{301}",
    "\u{a0}",
    "\r\n",
    ")",
    "(",
    "E'x'",
    ":name",
    "@x",
    "\u{7f}",
    "\u{feff}",
    "true",
    "0",
    " leading",
    "trailing ",
];

fn odd_text(random: &mut Random) -> String {
    (0..=random.below(3)).map(|_| random.pick(ODD)).collect()
}

/// A JSON document with everything that JSON has.
fn document(random: &mut Random, depth: usize) -> Json {
    match random.below(if depth == 0 { 6 } else { 9 }) {
        0 => Json::Null,
        1 => json!(random.percent(50)),
        2 => json!(random.whole()),
        3 => random.pick(&[
            json!(1.5),
            json!(-0.25),
            json!(100.0),
            json!(1e30),
            json!(1.0e-7),
            json!(u64::MAX),
            json!(0.1),
        ]),
        4 | 5 => json!(odd_text(random)),
        6 => Json::Array((0..random.below(4)).map(|_| document(random, depth - 1)).collect()),
        _ => {
            let fields = (0..random.below(4)).map(|_| (odd_text(random), document(random, depth - 1)));
            Json::Object(fields.collect())
        }
    }
}

/// A column that leads to another table.
fn reference(random: &mut Random, others: &[Known]) -> Option<(Json, &'static str)> {
    let led_to: Vec<&Known> = others.iter().filter(|other| other.key.is_some()).collect();
    if led_to.is_empty() {
        return None;
    }
    let other = random.pick(&led_to);
    let (column, kind) = other.key.clone()?;
    let reference = match random.below(3) {
        0 => json!(other.name),
        1 => json!(format!("{}.{column}", other.name)),
        _ => {
            let mut reference = json!({ "table": other.name });
            if random.percent(70) {
                reference["on_delete"] = random.pick(&[json!("cascade"), json!("restrict"), json!("set_null")]);
            }
            reference
        }
    };
    let is_emptied = reference["on_delete"] == "set_null";
    let mut said = json!({ "type": kind, "references": reference });
    if random.percent(40) {
        said["required"] = json!(!is_emptied && random.percent(60));
    }
    if random.percent(10) {
        said["unique"] = json!(true);
    }
    Some((said, kind))
}

fn some_columns(random: &mut Random, types: &[(String, &'static str)]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for _ in 0..=random.below(3) {
        let (name, kind) = random.pick(types);
        if !names.contains(&name) && kind != "json" {
            names.push(name);
        }
    }
    if names.is_empty() { vec![types[0].0.clone()] } else { names }
}

fn rule_name(random: &mut Random) -> String {
    if random.percent(20) { long_name(random) } else { word(random) }
}

pub fn index(random: &mut Random, types: &[(String, &'static str)]) -> Json {
    let columns = some_columns(random, types);
    match random.below(4) {
        0 => json!(columns[0]),
        1 => json!(columns),
        2 => json!({ "columns": columns, "unique": random.percent(30) }),
        _ => json!({ "name": rule_name(random), "columns": columns, "unique": random.percent(30) }),
    }
}

/// A rule for some of the columns; checks only for `few`.
pub fn constraint(
    random: &mut Random,
    types: &[(String, &'static str)],
    few: &[(String, &'static str)],
) -> Option<Json> {
    let is_unique = few.is_empty() || random.percent(30);
    let (column, kind) = random.pick(if is_unique { types } else { few });
    let beside: Vec<&String> =
        types.iter().filter(|(other, of)| *of == kind && *other != column).map(|(name, _)| name).collect();
    if ["date", "timestamp"].contains(&kind) && !beside.is_empty() && random.percent(40) {
        let until = random.pick(&beside).clone();
        return Some(no_overlap(random, types, &column, &until));
    }
    if ORDERED.contains(&kind) && !beside.is_empty() && random.percent(50) {
        let word = random.pick(&["more_than", "at_least", "less_than", "at_most"]);
        return Some(json!({ "check": { "column": column, word: random.pick(&beside) } }));
    }
    let mut rule = match (kind, is_unique) {
        (_, true) => json!({ "unique": some_columns(random, types) }),
        ("integer", _) => {
            let (one, other) = (random.whole(), random.whole());
            json!({ "check": range(random, &column, json!(one.min(other)), json!(one.max(other))) })
        }
        ("decimal", _) => {
            let (least, most) =
                random.pick(&[(json!(0), json!(100)), (json!(-90.25), json!(90)), (json!(0.01), json!(0.02))]);
            json!({ "check": range(random, &column, least, most) })
        }
        (kind, _) if TEXTS.contains(&kind) => {
            let mut words: Vec<String> = Vec::new();
            for _ in 0..=random.below(4) {
                let text = odd_text(random);
                if !text.is_empty() && !words.contains(&text) {
                    words.push(text);
                }
            }
            if words.is_empty() {
                return None;
            }
            json!({ "check": { "column": column, "one_of": words } })
        }
        _ => return None,
    };
    if random.percent(25) {
        rule["name"] = json!(rule_name(random));
    }
    Some(rule)
}

/// Two columns that say from when until when, of what some of the others name.
fn no_overlap(random: &mut Random, types: &[(String, &'static str)], from: &str, until: &str) -> Json {
    let of = |kinds: &[&str]| -> Vec<&String> {
        types.iter().filter(|(_, kind)| kinds.contains(kind)).map(|(name, _)| name).collect()
    };
    let (within, words) = (of(&["uuid", "integer", "line"]), of(TEXTS));
    let mut rule = json!({ "from": from, "until": until });
    if !within.is_empty() && random.percent(80) {
        rule["within"] = json!([random.pick(&within)]);
    }
    if !words.is_empty() && random.percent(40) {
        rule["unless"] = json!({ "column": random.pick(&words), "one_of": ["x", "it's", "größe"] });
    }
    let mut constraint = json!({ "no_overlap": rule });
    if random.percent(25) {
        constraint["name"] = json!(rule_name(random));
    }
    constraint
}

/// Types whose values have an order.
const ORDERED: [&str; 4] = ["integer", "decimal", "date", "timestamp"];

fn range(random: &mut Random, column: &str, least: Json, most: Json) -> Json {
    match random.below(3) {
        0 => json!({ "column": column, "at_least": least }),
        1 => json!({ "column": column, "at_most": most }),
        _ => json!({ "column": column, "at_least": least, "at_most": most }),
    }
}

pub fn relationships(random: &mut Random, known: &[Known]) -> Vec<Json> {
    let mut pairs: Vec<(String, String)> = Vec::new();
    let mut relationships = Vec::new();
    let led_to: Vec<&Known> = known.iter().filter(|table| table.key.is_some() || random.percent(10)).collect();
    if led_to.is_empty() {
        return relationships;
    }
    for _ in 0..random.below(5) {
        let (from, to) = (random.pick(&led_to), random.pick(&led_to));
        let pair = (from.name.clone(), to.name.clone());
        if pairs.contains(&pair) {
            continue;
        }
        let phrase = format!("{}_to_{}", from.name, to.name);
        // More than one way to cut it, or none where the words run into each other.
        let is_clear = !from.name.contains("_to") && !to.name.contains("to_") && from.name != to.name;
        relationships.push(match is_clear && random.percent(40) {
            true => json!(phrase),
            false => {
                let kind = random.pick(&["one_to_one", "one_to_many", "many_to_many"]);
                let mut said = json!({ "from": from.name, "to": to.name });
                if from.name == to.name || random.percent(70) {
                    said["kind"] = json!(kind);
                }
                if random.percent(50) {
                    let words: &[&str] = match said["kind"] == "many_to_many" {
                        true => &["cascade", "restrict"],
                        false => &["cascade", "restrict", "set_null"],
                    };
                    said["on_delete"] = json!(random.pick(words));
                }
                said
            }
        });
        pairs.push(pair);
    }
    relationships
}
