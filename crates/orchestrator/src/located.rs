//! Where the database of a plan is on this machine: references are looked up here, and nowhere else. What is missing becomes a
//! question that says how to answer it.

use crate::failure::Failure;
use crate::workspace::Workspace;
use plan::DatabasePlan;
use plan::database::{Connection, LocationPart};
use std::path::Path;
use store::{Database, Store};
use vocab::Engine;

/// A place, or what must be known to have one.
pub(crate) enum Located {
    At(Database),
    Asks(Box<Failure>),
}

pub(crate) fn locate(workspace: &Workspace, engine: Engine, connection: &Connection) -> Result<Located, Box<Failure>> {
    let text = match connection {
        Connection::Embedded => return Ok(Located::At(Database::Sqlite(workspace.database_file()))),
        Connection::File { name } => return Ok(Located::At(Database::Sqlite(workspace.named_database_file(name)))),
        Connection::Missing => return Ok(Located::Asks(Box::new(Failure::no_connection(engine)))),
        Connection::Location(parts) => match text(parts) {
            Ok(text) => text,
            Err(name) => return Ok(Located::Asks(Box::new(Failure::no_variable(&name)))),
        },
    };
    Database::parse(engine, &text, |path| workspace.root().join(Path::new(path)))
        .map(Located::At)
        .map_err(|why| Box::new(Failure::no_location(engine, why)))
}

/// The databases that were opened, each once however many plans stand on it.
#[derive(Default)]
pub(crate) struct Opened(Vec<(Database, Store)>);

impl Opened {
    /// The database of a plan.
    pub fn store(&mut self, workspace: &Workspace, plan: &DatabasePlan) -> Result<Store, Box<Failure>> {
        let database = match locate(workspace, plan.engine, &plan.connection)? {
            Located::At(database) => database,
            Located::Asks(failure) => return Err(failure),
        };
        if let Some((_, store)) = self.0.iter().find(|(known, _)| *known == database) {
            return Ok(store.clone());
        }
        let failed = |error| Box::new(Failure::database(&error, Path::new(&database.place())));
        let store = database.open().map_err(failed)?;
        self.0.push((database, store.clone()));
        Ok(store)
    }

    /// All that were opened.
    pub fn into_all(self) -> Vec<(Database, Store)> {
        self.0
    }
}

/// The whole text, or the name of the variable that is not set.
fn text(parts: &[LocationPart]) -> Result<String, String> {
    parts
        .iter()
        .map(|part| match part {
            LocationPart::Text(text) => Ok(text.clone()),
            LocationPart::Environment(name) => {
                std::env::var(name).ok().filter(|value| !value.is_empty()).ok_or_else(|| name.clone())
            }
            // The planner refuses these.
            LocationPart::Secret(name) => Err(name.clone()),
        })
        .collect()
}
