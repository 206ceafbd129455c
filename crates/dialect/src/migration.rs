//! Migrations as files: the text that is printed is the text that is executed, and its checksum stands in the ledger.

use plan::database::{LockClass, Migration, Undo};
use std::fmt::Write as _;
use vocab::sha256_hex;

/// The migration's file. The ledger's checksum is over these bytes.
#[must_use]
pub fn text(migration: &Migration) -> String {
    let mut text = String::new();
    for (index, statement) in migration.statements.iter().enumerate() {
        if index > 0 {
            text.push('\n');
        }
        let lock = match statement.lock {
            LockClass::NewObject => "nothing",
            LockClass::Writes => "writes, for a moment",
        };
        let undo = match &statement.undo {
            Undo::Statement(sql) => sql.clone(),
            Undo::Impossible(why) => format!("none, {why}"),
        };
        let _ = writeln!(text, "-- {}\n-- locks: {lock}; undo: {undo}", statement.why);
        // Whoever runs the file reads this line: `store`, and `lib/migrations.js` of the emitted application.
        if let Some(there) = &statement.unless {
            let _ = writeln!(text, "-- unless {there}");
        }
        let _ = writeln!(text, "{};", statement.sql);
    }
    text
}

/// SHA-256 of [`text`], lower-case hex.
#[must_use]
pub fn checksum(migration: &Migration) -> String {
    sha256_hex(text(migration).as_bytes())
}
