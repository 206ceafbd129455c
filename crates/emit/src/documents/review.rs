//! `plan.md`: what was decided and why, what each request does, and the migrations, for whoever reviews a plan.

use crate::render::capitalised;
use minijinja::{Value, context};
use plan::database::Undo;
use plan::{DatabasePlan, DatabaseTaskPlan, Decision, Phase, Plan};
use vocab::TaskId;

pub fn view(plan: &Plan) -> Value {
    let endpoints = plan.api.endpoints.iter();
    let procedures: Vec<String> =
        endpoints.map(|endpoint| plan::print::procedure(&endpoint.procedure).trim_end().to_owned()).collect();
    context! { procedures, ..decided(&plan.task_id, &plan.decisions, &plan.database) }
}

/// Of a database without an API: there are no requests.
pub fn stand_alone_view(plan: &DatabaseTaskPlan) -> Value {
    let procedures: Vec<String> = Vec::new();
    context! { procedures, ..decided(&plan.task_id, &plan.decisions, &plan.database) }
}

fn decided(task_id: &TaskId, decided: &[Decision], database: &DatabasePlan) -> Value {
    let mut order: Vec<Phase> = Vec::new();
    for decision in decided {
        if !order.contains(&decision.phase) {
            order.push(decision.phase);
        }
    }
    let phases: Vec<Value> = order
        .into_iter()
        .map(|phase| {
            let decisions = decided.iter().filter(|decision| decision.phase == phase);
            let decisions: Vec<Value> = decisions
                .map(|made| context! { subject => made.subject.as_str(), decision => made.decision.as_str(), reason => made.reason.as_str() })
                .collect();
            context! { name => capitalised(&phase.as_str().replace('_', " ")), decisions }
        })
        .collect();
    let migrations: Vec<Value> = database
        .migrations
        .iter()
        .map(|migration| {
            let statements: Vec<Value> = migration
                .statements
                .iter()
                .map(|statement| {
                    let lock = statement.lock.to_string();
                    let undo = match &statement.undo {
                        Undo::Statement(sql) | Undo::OldName(sql) => {
                            format!("`{}`", sql.split_whitespace().collect::<Vec<_>>().join(" "))
                        }
                        Undo::Kept(_) | Undo::Impossible(_) => statement.undo.to_string(),
                    };
                    context! { why => statement.why.as_str(), lock, undo }
                })
                .collect();
            context! { name => migration.name.as_str(), statements }
        })
        .collect();
    context! { task => task_id.as_str(), phases, migrations }
}
