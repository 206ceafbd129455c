//! Migrations as files: the text that is printed is the text that is executed, and its checksum stands in the ledger.

use crate::{mongodb, mysql};
use plan::database::{Execution, Migration, Statement};
use std::borrow::Cow;
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
        let dashes = if mongodb::is_statement(&statement.sql) { "//" } else { "--" };
        let undo = statement.undo.to_string().replace('\n', &format!("\n{dashes}   "));
        let _ = writeln!(text, "{dashes} {}\n{dashes} locks: {}; undo: {undo}", statement.why, statement.lock);
        // Whoever runs the file reads these lines: `lib/migrations.js` of the emitted application.
        if let Some(there) = &statement.unless {
            let _ = writeln!(text, "-- unless {there}");
        }
        match statement.execution {
            Execution::Together => {}
            Execution::Alone => text.push_str("-- runs alone\n"),
            Execution::KeysChecked => text.push_str("-- keys are checked afterwards\n"),
        }
        if !statement.keeps.is_empty() {
            let _ = writeln!(text, "-- keeps: {}", statement.keeps.join(", "));
        }
        let _ = writeln!(text, "{}", ended(&statement.sql));
    }
    text
}

/// The statement as it stands in a file. The clients of MySQL take the first semicolon of a trigger for its end, unless they are told
/// what stands there; whoever runs the file without them leaves those lines out.
#[must_use]
pub fn ended(sql: &str) -> String {
    match mysql::has_block(sql) {
        true => format!("DELIMITER $$\n{sql}$$\nDELIMITER ;"),
        false => format!("{sql};"),
    }
}

/// The statement as it can run inside a transaction on an empty scratch, where nobody waits for it.
#[must_use]
pub fn rehearsed(statement: &Statement) -> Cow<'_, str> {
    match statement.execution {
        Execution::Together | Execution::KeysChecked => Cow::Borrowed(&statement.sql),
        Execution::Alone => Cow::Owned(statement.sql.replace(" CONCURRENTLY", "")),
    }
}

/// Whether the statement is a script of MongoDB's shell, and not SQL.
#[must_use]
pub fn is_script(statement: &str) -> bool {
    mongodb::is_statement(statement)
}

/// SHA-256 of [`text`], lower-case hex.
#[must_use]
pub fn checksum(migration: &Migration) -> String {
    sha256_hex(text(migration).as_bytes())
}
