//! A database task: names of tables and how they belong together come in, a normalised schema with a reason for each decision
//! goes out, or diagnostics that say why not.

mod backup;
mod connection;
mod cycle;
mod document;
mod draft;
mod names;
mod overlap;
mod relationship;
mod role;
mod rules;
mod superfluous;
mod table;
mod unbuilt;

pub use backup::schedule;
pub use overlap::keepable;
pub use rules::index_name;

use crate::codes;
use crate::schema::{self, Allowed, Circumstances, RenamedColumn, RenamedTable, Renames, Unnamed};
use catalog::Catalog;
use draft::Draft;
use plan::database::Connection;
use plan::{DatabaseTaskPlan, Observed};
use spec::DatabaseConfig;
use vocab::{Diagnostic, Engine, TaskId};

/// The engine and the place of the database.
pub fn place(config: &DatabaseConfig) -> (Engine, Connection) {
    let target = connection::target(config, &mut Draft::default(), None);
    (target.engine, target.connection)
}

/// What the engine has no room for.
fn limits(draft: &mut Draft, engine: Engine) {
    let problems: Vec<_> = draft
        .tables
        .iter()
        .flat_map(|table| dialect::limits(engine, &table.table).into_iter().map(|why| (why, table.place.clone())))
        .collect();
    for (why, place) in problems {
        draft.refuse(codes::ENGINE_LIMIT, why, &place, "give a text column a smaller `max_length`, or leave it out");
    }
}

/// Plans the database.
pub fn plan(
    config: &DatabaseConfig,
    task_id: &TaskId,
    catalog: &Catalog,
    observed: &Observed,
    allowed: Allowed,
) -> Result<DatabaseTaskPlan, Vec<Diagnostic>> {
    unbuilt::check(config)?;
    let mut draft = Draft::default();
    let target = connection::target(config, &mut draft, observed.most_connections);
    for table in &config.tables {
        table::design(&mut draft, table, catalog);
    }
    table::take_types(&mut draft, config);
    table::references(&mut draft, config);
    for relationship in &config.relationships {
        relationship::design(&mut draft, relationship, catalog);
    }
    relationship::implied(&mut draft, catalog);
    relationship::alone(&mut draft);
    superfluous::leave_out(&mut draft, config, catalog);
    cycle::open(&mut draft);
    for table in &config.tables {
        rules::stated(&mut draft, table);
    }
    overlap::of_catalogue(&mut draft, catalog, target.engine, observed);
    for table in &config.tables {
        overlap::stated(&mut draft, table, target.engine, observed);
    }
    for table in &config.tables {
        table::make_keys(&mut draft, table);
    }
    rules::complete(&mut draft);
    if target.engine.keeps_documents() {
        document::embed(&mut draft);
    }
    limits(&mut draft, target.engine);
    let permissions = role::permissions(&mut draft, config, target.engine, task_id, observed);
    let backup = backup::plan(&mut draft, config);
    let Draft { tables, mut decisions, problems, .. } = draft;
    if !problems.is_empty() {
        return Err(problems);
    }
    let tables: Vec<plan::Table> = tables.into_iter().map(|table| table.table).collect();
    let renames = renames(config);
    let target_engine = target.engine;
    let circumstances =
        Circumstances { target, unnamed: Unnamed::Goes, observed, renames: &renames, allowed, place: &config.place };
    let database = schema::design(&tables, Vec::new(), circumstances)?;
    decisions.extend(schema::decisions(&tables));
    decisions.extend(rules::decisions(target_engine, &tables));
    decisions.sort_by_key(|decision| decision.phase);
    Ok(DatabaseTaskPlan {
        task_id: task_id.clone(),
        environment: config.environment.as_str().to_owned(),
        database,
        permissions,
        backup,
        decisions,
    })
}

/// What the task says was called otherwise.
fn renames(config: &DatabaseConfig) -> Renames {
    let mut renames = Renames::default();
    for table in &config.tables {
        let to = &table.name.value;
        if let Some(from) = &table.renamed_from {
            renames.tables.push(RenamedTable { from: from.value.clone(), to: to.clone() });
        }
        for column in &table.columns {
            let Some(from) = &column.renamed_from else { continue };
            let (from, name) = (from.value.clone(), column.name.value.clone());
            renames.columns.push(RenamedColumn { table: to.clone(), from, to: name });
        }
    }
    renames
}
