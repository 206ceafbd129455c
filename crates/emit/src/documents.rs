//! The Markdown documents as views over the plan: for the API's callers, for reference, for the database, for the reviewer
//! of the plan. They say what the procedures do and add nothing.

mod callers;
mod commands;
mod database;
mod diagram;
mod fields;
mod integration;
mod problems;
mod recovery;
mod reference;
mod review;

use crate::Files;
use crate::dashboard;
use crate::outline::outlines;
use crate::render::{Comment, capitalised, generated, generated_of, render};
pub use commands::record_variable;
pub use fields::described_type;
use plan::{DatabaseTaskPlan, Plan, ServicePlan};
use vocab::ColumnName;

pub fn files(plan: &Plan) -> Files {
    let outlines = outlines(plan);
    let mut documents = vec![
        (format!("apis/{}-api/documentation.md", plan.api.name), "documentation.md", callers::view(plan, &outlines)),
        ("documentation/api-reference.md".to_owned(), "api-reference.md", reference::view(plan, &outlines)),
        ("documentation/database-schema.md".to_owned(), "database-schema.md", database::view(plan)),
        ("plan.md".to_owned(), "plan.md", review::view(plan)),
    ];
    if let Some(service) = &plan.service {
        let path = "documentation/integration-guide.md".to_owned();
        documents.push((path, "integration-guide.md", integration::view(plan, service)));
    }
    if plan.api.endpoints.is_empty() {
        documents.retain(|(_, template, _)| ["integration-guide.md", "plan.md"].contains(template));
    }
    documents
        .into_iter()
        .map(|(path, template, view)| (path, generated(plan, Comment::Markup, &render(template, &view))))
        .collect()
}

/// The guide to the service that the plan integrates.
pub fn guide(plan: &Plan, service: &ServicePlan) -> String {
    let text = render("integration-guide.md", &integration::view(plan, service));
    generated(plan, Comment::Markup, &text)
}

/// The documents of a database without an API.
pub fn database_files(plan: &DatabaseTaskPlan) -> Files {
    let made = |template, view| generated_of(&plan.task_id, Comment::Markup, &render(template, &view));
    let schema = made("database-schema.md", database::stand_alone_view(plan));
    let review = made("plan.md", review::stand_alone_view(plan));
    let mut files =
        Files::from([("documentation/database-schema.md".to_owned(), schema), ("plan.md".to_owned(), review)]);
    if let Some(backup) = &plan.backup {
        let text = made("recovery.md", recovery::view(plan, backup));
        files.insert("documentation/recovery.md".to_owned(), text);
        let alerts = render("backup-alerts.yaml", &recovery::alerts(plan, backup));
        let alerts = generated_of(&plan.task_id, Comment::Hash, &alerts);
        files.insert("monitoring/backup-alerts.yaml".to_owned(), alerts);
        files.insert("monitoring/backup-dashboard.json".to_owned(), dashboard::of_backups(plan, backup));
    }
    files
}

fn column_list(columns: &[ColumnName]) -> String {
    columns.iter().map(|column| format!("`{column}`")).collect::<Vec<_>>().join(" + ")
}

fn sentence(text: &str) -> String {
    format!("{}.", capitalised(text).trim_end_matches('.'))
}

fn pretty(value: &serde_json::Value) -> String {
    serde_json::to_string_pretty(value).expect("plain data with text keys")
}
