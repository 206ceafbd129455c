//! Files from a plan: a complete Node.js application that serves the API, its migrations, its documents,
//! a client for front ends and a collection for API clients.
//! Comes in: a [`Plan`]; goes out: texts by path. Nothing here reads a task, touches a file, or decides what the API does.

mod client;
mod collection;
mod dashboard;
mod database;
mod documents;
mod error;
mod node;
mod openapi;
mod outline;
mod render;

#[cfg(test)]
mod tests;

pub use error::EmitError;

use node::service::Integrated;
use plan::database::permission::PermissionStatement;
use plan::{DatabaseTaskPlan, Plan};
use std::collections::BTreeMap;

/// Path below the task's folder, with `/` -> content, one trailing line feed.
pub type Files = BTreeMap<String, String>;

/// A service that a task integrates, with what every application on its database has of it: made once for all of them.
pub struct Beside<'p> {
    integrated: Integrated<'p>,
    guide: String,
}

impl<'p> Beside<'p> {
    /// Of that task; nothing where it integrates none.
    #[must_use]
    pub fn of(plan: &'p Plan) -> Option<Self> {
        let integrated = Integrated::of(plan)?;
        let guide = documents::guide(plan, integrated.service);
        Some(Self { integrated, guide })
    }

    /// The task's plan.
    #[must_use]
    pub fn plan(&self) -> &'p Plan {
        self.integrated.plan
    }
}

/// Every file of the task's folder but the response. `beside` are the services of other tasks on the same database: the application
/// speaks with those too.
///
/// # Errors
/// [`EmitError`] when a procedure asks for something the Node.js application cannot do.
pub fn files(plan: &Plan, beside: &[&Beside<'_>]) -> Result<Files, EmitError> {
    let mut files = documents::files(plan);
    let others = beside.iter().map(|other| other.integrated.clone());
    let services = Integrated::told_apart(Integrated::of(plan).into_iter().chain(others));
    // A service that brings no endpoints, and that the application cannot speak with, is no application.
    if plan.api.endpoints.is_empty() && !services.iter().any(|one| one.module.is_ok()) {
        return Ok(files);
    }
    for (one, other) in services.iter().filter(|one| one.plan.task_id != plan.task_id).zip(beside) {
        files.insert(node::guide(plan, one), other.guide.clone());
    }
    files.extend(node::files(plan, &services)?);
    if plan.api.has_clients() {
        files.extend(client::files(plan));
        files.insert("documentation/postman-collection.json".to_owned(), collection::collection(plan));
    }
    files.insert("monitoring/grafana-dashboard.json".to_owned(), dashboard::dashboard(plan));
    if node::delivers(plan, &services) {
        let reads = services.iter().any(Integrated::reads);
        files.insert("monitoring/integrations-dashboard.json".to_owned(), dashboard::of_integrations(plan, reads));
    }
    let brought = beside.iter().map(|other| other.plan()).filter(|plan| !plan.api.endpoints.is_empty());
    let answered: Vec<&Plan> = std::iter::once(plan).chain(brought).collect();
    files.insert("documentation/openapi.json".to_owned(), openapi(&answered));
    Ok(files)
}

/// Every file of the folder of a database task but the response. `granted` is what makes its roles what they are.
#[must_use]
pub fn database_files(plan: &DatabaseTaskPlan, granted: &[PermissionStatement]) -> Files {
    database::files(plan, granted)
}

/// One OpenAPI document for several APIs that are served together: their paths and the operational routes, pretty JSON.
/// It is version 3.0.3 when every task asked for 3.0, else 3.1.0.
#[must_use]
pub fn openapi(plans: &[&Plan]) -> String {
    openapi::document(plans)
}
