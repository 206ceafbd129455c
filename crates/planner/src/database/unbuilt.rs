//! What the language of tasks has and this build has not: each is refused in a sentence, none is passed over.

use crate::codes::DATABASE_PART_NOT_BUILT;
use spec::{ColumnType, DatabaseConfig, DatabaseType, Provision, Spanned};
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
    if config.data != spec::Data::default() {
        refuse("`data`".to_owned(), &config.place, "remove it, and do without it");
    }
    if let Some(backup) = &config.backup {
        if config.kind.value == DatabaseType::MongoDb {
            let what = format!("backups of {} databases", config.kind.value.as_str());
            refuse(what, &backup.place, "remove `backup`, and use the engine's own programs");
        }
        let is_container = config.provision.as_ref().is_some_and(|asked| asked.value == Provision::Container);
        let every_moment = backup.point_in_time.as_ref().filter(|asked| asked.value);
        let help = "remove it, and have copies made more often: `schedule: \"every_5_minutes\"`";
        if let Some(Spanned { place, .. }) = every_moment {
            match config.kind.value {
                DatabaseType::PostgreSql | DatabaseType::Sqlite => {}
                DatabaseType::MySql if !is_container => {}
                DatabaseType::MySql => {
                    refuse("backups of every moment of a MySQL server in a container".to_owned(), place, help);
                }
                DatabaseType::MongoDb => {
                    refuse("backups of every moment of such a database".to_owned(), place, help);
                }
            }
        }
        if let Some(Spanned { value, place }) = &backup.destination
            && let Some(scheme) = value.scheme().filter(|scheme| !matches!(*scheme, "file" | "s3"))
        {
            let help =
                "name a bucket (`s3://bucket/shop`), or a folder, of a file system that is mounted from elsewhere";
            refuse(format!("backups to `{scheme}:`"), place, help);
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
