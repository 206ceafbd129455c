//! The statements that mend findings, as each engine says them. Names come from a catalogue that anybody may have written into, so
//! every one is quoted for what it may hold.

use super::About;
use crate::{mysql, postgresql, sqlite};
use plan::database::{Counter, MeasuredIndex, Nullability, ObservedTable, Trial};
use vocab::Engine;

/// A name that nobody has checked, as it stands in a statement.
pub fn quote(engine: Engine, name: &str) -> String {
    match engine {
        Engine::PostgreSql => postgresql::permission::quote_any(name),
        Engine::MySql => mysql::quote(&name.replace('`', "``")),
        Engine::Sqlite | Engine::MongoDb => {
            let is_plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            let begins = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
            if is_plain && begins { sqlite::quote(name) } else { format!("\"{}\"", name.replace('"', "\"\"")) }
        }
    }
}

/// An index of a table that holds rows and is at work. `parts` are columns as the engine's catalogue writes them.
pub fn create_index(about: &About<'_>, table: &str, name: &str, parts: &[String], unique: &str) -> String {
    let (name, on, parts) = (quote(about.engine, name), about.table(table), parts.join(", "));
    match about.engine {
        Engine::PostgreSql => format!("CREATE {unique}INDEX CONCURRENTLY IF NOT EXISTS {name} ON {on} ({parts})"),
        Engine::Sqlite | Engine::MongoDb => format!("CREATE {unique}INDEX IF NOT EXISTS {name} ON {on} ({parts})"),
        Engine::MySql => format!("CREATE {unique}INDEX {name} ON {on} ({parts})"),
    }
}

/// A column as [`create_index`] wants it.
pub fn part(engine: Engine, column: &str) -> String {
    quote(engine, column)
}

/// A statement that such an index serves: rows with one value of the first part, or the first page in its order.
pub fn trial(about: &About<'_>, table: &str, parts: &[String], is_ordered: bool) -> Trial {
    let (on, all) = (about.table(table), parts.join(", "));
    let first = parts.first().map_or("", String::as_str);
    let statement = match is_ordered {
        true => format!("SELECT * FROM {on} ORDER BY {all} LIMIT 20"),
        false => format!("SELECT * FROM {on} WHERE {first} = (SELECT {first} FROM {on} LIMIT 1)"),
    };
    Trial { statement, index: format!("CREATE INDEX ON {on} ({all})"), ..Trial::default() }
}

/// The index goes.
pub fn drop_index(about: &About<'_>, index: &MeasuredIndex) -> String {
    let name = quote(about.engine, &index.name);
    match about.engine {
        Engine::PostgreSql => {
            format!("DROP INDEX CONCURRENTLY {}.{name}", quote(about.engine, &about.condition.schema))
        }
        Engine::Sqlite | Engine::MongoDb => format!("DROP INDEX {name}"),
        Engine::MySql => format!("DROP INDEX {name} ON {}", about.table(&index.table)),
    }
}

/// The index is made anew in its place, beside those at work.
pub fn remake_index(about: &About<'_>, index: &MeasuredIndex) -> String {
    let schema = quote(about.engine, &about.condition.schema);
    format!("REINDEX INDEX CONCURRENTLY {schema}.{}", quote(about.engine, &index.name))
}

/// The column becomes of another type, with everything else as it is; `using` is what its values become, where the engine does not
/// know that. None where the engine has no statement for it.
pub fn change_type(about: &About<'_>, table: &ObservedTable, name: &str, to: &str, using: &str) -> Option<String> {
    let (on, column) = (about.table(&table.name), quote(about.engine, name));
    match about.engine {
        Engine::PostgreSql => {
            let using = using.replace('?', &column);
            let using = if using.is_empty() { using } else { format!(" USING {using}") };
            Some(format!("ALTER TABLE {on} ALTER COLUMN {column} TYPE {to}{using}"))
        }
        Engine::MySql => {
            let known = table.columns.iter().find(|column| column.name == name)?;
            let required = if known.nullability == Nullability::NotNull { " NOT NULL" } else { " NULL" };
            let default = match known.default.as_deref() {
                None => String::new(),
                Some(made) if made.eq_ignore_ascii_case("auto_increment") => " AUTO_INCREMENT".to_owned(),
                // What the server calculates is in no words that a statement takes.
                Some(made) if made.to_ascii_lowercase().ends_with(" generated") => return None,
                Some(default) => format!(" DEFAULT {default}"),
            };
            let comment = known.comment.as_deref().filter(|comment| !comment.is_empty());
            let comment = comment.map_or_else(String::new, |comment| format!(" COMMENT {}", mysql::text(comment)));
            Some(format!("ALTER TABLE {on} MODIFY COLUMN {column} {to}{required}{default}{comment}"))
        }
        Engine::Sqlite | Engine::MongoDb => None,
    }
}

/// Whether a column holds numbers that are not exact, and the type of those that are, with what a value becomes there.
pub fn exact_type(engine: Engine, sql_type: &str) -> Option<(&'static str, &'static str)> {
    let word = sql_type.split(['(', ' ']).next().unwrap_or_default().to_ascii_lowercase();
    matches!(word.as_str(), "real" | "float" | "double").then(|| number_type(engine))
}

/// The type of exact numbers, with what a value becomes there.
pub fn number_type(engine: Engine) -> (&'static str, &'static str) {
    match engine {
        Engine::PostgreSql => ("numeric", "?::numeric"),
        Engine::MySql | Engine::Sqlite | Engine::MongoDb => ("decimal(30,10)", ""),
    }
}

/// A type with a zone for one without, with what a value becomes there: it is taken to be UTC.
pub fn zoned_type(engine: Engine, sql_type: &str) -> Option<(String, &'static str)> {
    match engine {
        Engine::PostgreSql => {
            let before = sql_type.strip_suffix("without time zone").filter(|before| before.starts_with("timestamp"))?;
            Some((format!("{before}with time zone"), "? AT TIME ZONE 'UTC'"))
        }
        // Whoever is at work with the producer's own connections has UTC there.
        Engine::MySql | Engine::Sqlite | Engine::MongoDb => None,
    }
}

/// A type that does not fill up with blanks for one that does.
pub fn unpadded_type(engine: Engine, sql_type: &str) -> Option<String> {
    match engine {
        Engine::PostgreSql => {
            let length = sql_type.strip_prefix("character(").filter(|length| *length != "1)")?;
            Some(format!("character varying({length}"))
        }
        Engine::MySql | Engine::Sqlite | Engine::MongoDb => None,
    }
}

/// The same type with room for every character, where the column's collation says that it has none.
pub fn whole_unicode(engine: Engine, sql_type: &str, collation: &str) -> Option<String> {
    let is_short = collation.starts_with("utf8mb3_") || collation.starts_with("utf8_");
    (engine == Engine::MySql && is_short).then(|| format!("{sql_type} CHARACTER SET utf8mb4"))
}

/// Key and counter get 64 bits, with the keys that lead there.
pub fn grow(about: &About<'_>, counter: &Counter) -> Option<Vec<String>> {
    let tables = &about.condition.tables;
    let own = tables.iter().find(|table| table.name == counter.table).filter(|_| counter.can_grow)?;
    let type_of = |table: &ObservedTable, name: &str| {
        let column = table.columns.iter().find(|column| column.name == name);
        column.map(|column| if column.sql_type.contains("unsigned") { "bigint unsigned" } else { "bigint" })
    };
    let mut statements = vec![change_type(about, own, &counter.column, type_of(own, &counter.column)?, "")?];
    for table in tables {
        for key in table.foreign_keys.iter().filter(|key| key.table == counter.table) {
            let pairs = key.columns.iter().zip(&key.target);
            for (column, _) in pairs.filter(|(_, target)| **target == counter.column) {
                statements.push(change_type(about, table, column, type_of(table, column)?, "")?);
            }
        }
    }
    match (about.engine, &counter.sequence) {
        (Engine::PostgreSql, Some(sequence)) => {
            statements.push(format!("ALTER SEQUENCE {} AS bigint NO MAXVALUE", about.table(sequence)));
        }
        // It changes no column that a key leads to, and what else the key says is not known here.
        (Engine::MySql, _) if statements.len() > 1 => return None,
        (Engine::PostgreSql | Engine::MySql | Engine::Sqlite | Engine::MongoDb, _) => {}
    }
    Some(statements)
}

/// Room is given back; of one table, or of the whole file where the engine keeps it there.
pub fn give_back(about: &About<'_>, table: &str) -> String {
    match about.engine {
        Engine::PostgreSql => format!("VACUUM (ANALYZE) {}", about.table(table)),
        Engine::MySql => format!("OPTIMIZE TABLE {}", about.table(table)),
        Engine::Sqlite | Engine::MongoDb => "VACUUM".to_owned(),
    }
}

/// What statements are planned by is looked at anew.
pub fn analyze(about: &About<'_>, table: &str) -> String {
    match about.engine {
        Engine::PostgreSql | Engine::Sqlite | Engine::MongoDb => format!("ANALYZE {}", about.table(table)),
        Engine::MySql => format!("ANALYZE TABLE {}", about.table(table)),
    }
}

/// Policies that are there hold.
pub fn enable_policies(about: &About<'_>, table: &str) -> String {
    format!("ALTER TABLE {} ENABLE ROW LEVEL SECURITY", about.table(table))
}

/// Policies hold for the owner as well.
pub fn force_policies(about: &About<'_>, table: &str) -> String {
    format!("ALTER TABLE {} FORCE ROW LEVEL SECURITY", about.table(table))
}

/// The rows that are there are held against a rule.
pub fn validate(about: &About<'_>, table: &str, rule: &str) -> String {
    format!("ALTER TABLE {} VALIDATE CONSTRAINT {}", about.table(table), quote(about.engine, rule))
}

/// Columns that tell rows apart already become the table's key; without such, every row gets a number.
pub fn add_primary_key(about: &About<'_>, table: &ObservedTable, known: Option<&Vec<String>>) -> Vec<String> {
    let name = about.table(&table.name);
    let number = if table.columns.iter().any(|column| column.name == "id") { "row_number" } else { "id" };
    let number = quote(about.engine, number);
    let known = known.map(|columns| columns.iter().map(|column| quote(about.engine, column)).collect::<Vec<_>>());
    match (about.engine, known) {
        (Engine::PostgreSql | Engine::MySql, Some(columns)) => {
            vec![format!("ALTER TABLE {name} ADD PRIMARY KEY ({})", columns.join(", "))]
        }
        (Engine::PostgreSql, None) => {
            vec![format!("ALTER TABLE {name} ADD COLUMN {number} bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY")]
        }
        (Engine::MySql, None) => {
            vec![format!("ALTER TABLE {name} ADD COLUMN {number} bigint NOT NULL AUTO_INCREMENT PRIMARY KEY FIRST")]
        }
        (Engine::Sqlite | Engine::MongoDb, known) => {
            let made_by = about.condition.measure(&table.name).map_or(&[][..], |measure| &measure.made_by);
            let (column, rule) = match known {
                Some(columns) => (String::new(), format!(", PRIMARY KEY ({})", columns.join(", "))),
                None => (format!("{number} INTEGER PRIMARY KEY, "), String::new()),
            };
            anew(table, made_by, &column, &rule)
        }
    }
}

/// SQLite makes a table anew for what no statement of it changes, as <https://www.sqlite.org/lang_altertable.html#otheralter> says: a
/// column before its own ones, a rule behind them, its rows, and what was put onto it.
fn anew(table: &ObservedTable, made_by: &[String], column: &str, rule: &str) -> Vec<String> {
    let Some((made, besides)) = made_by.split_first() else { return Vec::new() };
    let Some((open, close)) = body(made) else { return Vec::new() };
    let name = quote(Engine::Sqlite, &table.name);
    let new = quote(Engine::Sqlite, &format!("{}_new", table.name));
    let columns: Vec<String> = table.columns.iter().map(|column| quote(Engine::Sqlite, &column.name)).collect();
    let columns = columns.join(", ");
    let (inside, behind) = (&made[open + 1..close], &made[close..]);
    let mut statements = vec![
        "PRAGMA foreign_keys = OFF".to_owned(),
        "BEGIN IMMEDIATE".to_owned(),
        format!("CREATE TABLE {new} ({column}{}{rule}{behind}", inside.trim_end()),
        format!("INSERT INTO {new} ({columns}) SELECT {columns} FROM {name}"),
        format!("DROP TABLE {name}"),
        format!("ALTER TABLE {new} RENAME TO {name}"),
    ];
    statements.extend(besides.iter().cloned());
    statements.extend(["COMMIT".to_owned(), "PRAGMA foreign_keys = ON".to_owned()]);
    statements
}

/// Where the body of a `CREATE TABLE` begins and ends: its first bracket outside quotes, and the one that closes it.
fn body(made: &str) -> Option<(usize, usize)> {
    let (mut quoted, mut depth, mut open) = (None, 0_usize, None);
    for (place, character) in made.char_indices() {
        match (quoted, character) {
            (Some(end), character) if character == end => quoted = None,
            (Some(_), _) => {}
            (None, '"' | '\'' | '`') => quoted = Some(character),
            (None, '[') => quoted = Some(']'),
            (None, '(') => {
                depth += 1;
                open = open.or(Some(place));
            }
            (None, ')') => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some((open?, place));
                }
            }
            (None, _) => {}
        }
    }
    None
}
