//! What the language of tasks has and this build has not: each is refused in a sentence, none is passed over.

use crate::codes::DATABASE_PART_NOT_BUILT;
use spec::{ColumnType, DatabaseConfig, DatabaseType, Spanned};
use vocab::{Diagnostic, Place};

pub fn check(config: &DatabaseConfig) -> Result<(), Vec<Diagnostic>> {
    let mut problems = Vec::new();
    let mut refuse = |what: String, place: &Place, help: &str| {
        let message = format!("this producer does not build {what} yet");
        problems.push(Diagnostic::error(DATABASE_PART_NOT_BUILT, message, place).with_help(help));
    };
    if config.kind.value == DatabaseType::MongoDb
        && let Some(Spanned { place, .. }) = &config.provision
    {
        let help = "start a server yourself, and name it: `connection: \"${env:DATABASE_URL}\"`";
        refuse("MongoDB servers of its own".to_owned(), place, help);
    }
    for (is_there, word) in [(config.backup.is_some(), "backup"), (config.data != spec::Data::default(), "data")] {
        if is_there {
            refuse(format!("`{word}`"), &config.place, "remove it, and do without it");
        }
    }
    for kind in config.tables.iter().flat_map(|table| &table.columns).filter_map(|column| column.kind.as_ref()) {
        if kind.value == ColumnType::Binary {
            let help = "keep the bytes elsewhere, and their URL here";
            refuse("columns of type `binary`".to_owned(), &kind.place, help);
        }
    }
    if config.tables.is_empty() {
        refuse("databases without tables".to_owned(), &config.place, "add `schema_requirements` with `tables`");
    }
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}
