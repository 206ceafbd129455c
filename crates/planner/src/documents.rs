//! What a database of documents cannot hold yet: a task or a plan comes in, a refusal that names each thing goes out. Nothing is planned here.

use crate::codes::STANDS_ON_DOCUMENTS;
use dialect::Unsupported;
use plan::procedure::{Item, Step};
use plan::query::Cardinality;
use plan::{Observed, Plan};
use spec::{Specification, Task};
use std::collections::BTreeSet;
use vocab::{Diagnostic, Place};

const HELP: &str = "leave it out, name a PostgreSQL, MySQL or SQLite database among the `dependencies`, or carry the task out in another workspace";

/// A service brings events out of the database in ways that documents have no words for.
pub fn hold_no_service(task: &Task, observed: &Observed) -> Result<(), Vec<Diagnostic>> {
    let Specification::IntegrateService(integration) = &task.specification else { return Ok(()) };
    let Some(base) = observed.base.as_ref().filter(|base| base.database.engine.keeps_documents()) else {
        return Ok(());
    };
    let message = format!(
        "this producer puts a service on no {} database yet, and `{}` is one",
        base.database.engine, base.task_id
    );
    Err(vec![Diagnostic::error(STANDS_ON_DOCUMENTS, message, &integration.place).with_help(HELP)])
}

/// Everything that an API does must have words of the engine.
pub fn hold(plan: &Plan, place: &Place) -> Result<(), Vec<Diagnostic>> {
    if !plan.database.engine.keeps_documents() {
        return Ok(());
    }
    let mut found = BTreeSet::new();
    let parts = [
        (plan.api.accounts.is_some(), "people who sign in"),
        (plan.api.takes_issued_tokens(), "tokens of another issuer"),
        (!plan.api.mails.is_empty(), "mails"),
        (plan.api.subscribers.is_some(), "subscribers of events"),
    ];
    found.extend(parts.into_iter().filter(|(is_there, _)| *is_there).map(|(_, what)| what.to_owned()));
    for endpoint in &plan.api.endpoints {
        let procedure = &endpoint.procedure;
        for unsupported in unsupported(plan, &procedure.body) {
            found.insert(format!("{} (`{}`)", unsupported.what, procedure.name));
        }
    }
    if found.is_empty() {
        return Ok(());
    }
    let found: Vec<String> = found.into_iter().collect();
    let message = format!("this producer does not put on {} yet: {}", plan.database.engine, found.join(", "));
    Err(vec![Diagnostic::error(STANDS_ON_DOCUMENTS, message, place).with_help(HELP)])
}

fn unsupported(plan: &Plan, items: &[Item]) -> Vec<Unsupported> {
    let database = &plan.database;
    let step = |step: &Step| match step {
        Step::Read { query, cardinality: Cardinality::Many, filled_by: Some(_) } => {
            dialect::lower_listing_base(database, query).err()
        }
        Step::Read { query, .. } => dialect::lower_query(database, query).err(),
        Step::Write(write) => dialect::lower_write(database, write).err(),
        _ => None,
    };
    let mut found = Vec::new();
    for item in items {
        match item {
            Item::Let(_, one) | Item::Do(one) => found.extend(step(one)),
            Item::Transaction(inner) => found.extend(unsupported(plan, inner)),
            Item::Each(each) => found.extend(unsupported(plan, &each.body)),
            Item::Match(_, arms) => arms.iter().for_each(|(_, inner)| found.extend(unsupported(plan, inner))),
            Item::Exit(..) | Item::Promise(_) => {}
        }
    }
    found
}
