//! What becomes of the provider's events: `services/<provider>-events.js`, each event a function that reads like its procedure.

use crate::error::EmitError;
use crate::node::module::{Module, Shared};
use crate::node::names::camel_case;
use crate::node::procedure::{Subject, Written, write_procedure};
use crate::node::script::Script;
use crate::outline::Slots;
use manifest::webhook::Webhooks;
use plan::procedure::{Item, Procedure, Step};
use plan::service::Intake;
use plan::{Cache, Plan, check};
use std::collections::BTreeSet;
use vocab::SlotName;

/// How the function of a procedure is called.
pub fn function_name(procedure: &Procedure) -> String {
    match procedure.name.as_str().rsplit_once("_aside") {
        Some((_, "")) => "aside".to_owned(),
        _ => camel_case(procedure.name.as_str()),
    }
}

/// The text of the module.
///
/// # Errors
/// [`EmitError`] where a procedure asks for something the Node.js application cannot do.
pub fn intake(plan: &Plan, title: &str, webhooks: &Webhooks, intake: &Intake) -> Result<String, EmitError> {
    let mut module = Module::new(plan, &[])?;
    let slots: BTreeSet<SlotName> =
        intake.all().flat_map(|procedure| crate::outline::bound_slots(&procedure.body)).collect();
    for slot in slots {
        let name = module.names.take(&camel_case(slot.as_str()));
        module.locals.insert(slot, name);
    }
    let mut functions = Script::at(2);
    let events = webhooks.events.iter().map(|event| event.kinds.join(", "));
    for (kinds, procedure) in events.zip(&intake.procedures) {
        if let Some(procedure) = procedure {
            function(&mut module, &kinds, procedure, &mut functions)?;
        }
    }
    function(&mut module, "What nobody has described is kept for a person.", &intake.aside, &mut functions)?;
    let mut script = Script::new();
    script.comment(&format!(
        "What becomes of {title}'s events: each is kept once with everything that comes of it, or not at all. An event that comes again \
         changes nothing."
    ));
    script.blank();
    module.import_lines(&mut script, "../lib");
    if module.shared.contains(&Shared::Outbox) {
        script.line("import { Outbox } from '../lib/outbox.js';");
    }
    module.statement_lines(&mut script);
    script.blank();
    script.line("/** @param {{ database: import('../lib/database.js').Database, metrics: object }} parts */");
    script.open("export function createIntake({ database, metrics }) {");
    if module.shared.contains(&Shared::Outbox) {
        script.line("const outbox = new Outbox({ onEmitted: (event) => metrics.outboxEvents.inc({ event }) });");
        script.blank();
    }
    script.open("return {");
    script.append(&functions.into_text());
    script.close("};");
    script.close("}");
    Ok(script.into_text())
}

pub(super) fn function<'a>(
    module: &mut Module<'a>,
    what: &str,
    procedure: &'a Procedure,
    script: &mut Script,
) -> Result<(), EmitError> {
    if let Some(why) = check::violations(procedure).into_iter().next() {
        return Err(EmitError::Malformed { procedure: procedure.name.to_string(), why });
    }
    let slots = Slots::of(module.plan, &procedure.body);
    let subject = Subject {
        procedure,
        slots: &slots,
        path: "",
        listing: None,
        max_body_bytes: 0,
        own_rows: false,
        cache: Cache::NoStore,
    };
    let Written { text, waits } = write_procedure(module, subject)?;
    let event = procedure.body.iter().find_map(|item| match item {
        Item::Let(slot, Step::Received(_)) => Some(module.locals[slot].as_str()),
        _ => None,
    });
    let waits = if waits { "async " } else { "" };
    script.blank();
    script.line(&format!("/** {what} */"));
    script.open(&format!("{waits}{}(request, {}) {{", function_name(procedure), event.unwrap_or("event")));
    // Procedures are written two deep, and these stand three deep.
    for line in text.trim_end().trim_end_matches("return;").trim_end().lines() {
        match line.strip_prefix("    ") {
            Some(rest) => script.line(rest),
            None => script.blank(),
        }
    }
    script.close("},");
    Ok(())
}
