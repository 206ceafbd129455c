//! `plan.md`: what was decided and why, what each request does, and the migrations, for whoever reviews a plan.

use crate::render::capitalised;
use minijinja::{Value, context};
use plan::database::{LockClass, Undo};
use plan::{Phase, Plan};

pub fn view(plan: &Plan) -> Value {
    let mut order: Vec<Phase> = Vec::new();
    for decision in &plan.decisions {
        if !order.contains(&decision.phase) {
            order.push(decision.phase);
        }
    }
    let phases: Vec<Value> = order
        .into_iter()
        .map(|phase| {
            let decisions = plan.decisions.iter().filter(|decision| decision.phase == phase);
            let decisions: Vec<Value> = decisions
                .map(|made| context! { subject => made.subject.as_str(), decision => made.decision.as_str(), reason => made.reason.as_str() })
                .collect();
            context! { name => capitalised(&phase.as_str().replace('_', " ")), decisions }
        })
        .collect();
    let endpoints = plan.api.endpoints.iter();
    let procedures: Vec<String> =
        endpoints.map(|endpoint| plan::print::procedure(&endpoint.procedure).trim_end().to_owned()).collect();
    let migrations: Vec<Value> = plan
        .database
        .migrations
        .iter()
        .map(|migration| {
            let statements: Vec<Value> = migration
                .statements
                .iter()
                .map(|statement| {
                    let lock = match statement.lock {
                        LockClass::NewObject => "nothing",
                        LockClass::Writes => "writing, for a moment",
                    };
                    let undo = match &statement.undo {
                        Undo::Statement(sql) => format!("`{sql}`"),
                        Undo::Impossible(why) => format!("none: {why}"),
                    };
                    context! { why => statement.why.as_str(), lock, undo }
                })
                .collect();
            context! { name => migration.name.as_str(), statements }
        })
        .collect();
    context! { task => plan.task_id.as_str(), phases, procedures, migrations }
}
