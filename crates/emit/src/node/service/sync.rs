//! Records of the provider that come into tables of ours: how they are read, and `services/<provider>-records.js`, which puts one each where
//! it belongs.

use super::intake::{function, function_name};
use super::{Members, Module as ServiceModule, Script, Written, number, text};
use crate::error::EmitError;
use crate::node::middleware;
use crate::node::module::Module;
use crate::node::names::camel_case;
use crate::node::script::Expression;
use manifest::sync::{Backfill, Deletes, Sync};
use plan::Plan;
use plan::database::Schedule;
use plan::service::{Pace, SyncPlan};
use std::collections::BTreeSet;
use vocab::{FieldName, SlotName};

/// The text of the module that puts records where they belong.
///
/// # Errors
/// [`EmitError`] where a procedure asks for something the Node.js application cannot do.
pub fn records(plan: &Plan, title: &str) -> Result<String, EmitError> {
    let mut module = Module::new(plan, &[])?;
    let procedures = || plan.syncs().iter().flat_map(SyncPlan::all);
    let slots: BTreeSet<SlotName> =
        procedures().flat_map(|procedure| crate::outline::bound_slots(&procedure.body)).collect();
    for slot in slots {
        let name = module.names.take(&camel_case(slot.as_str()));
        module.locals.insert(slot, name);
    }
    let mut functions = Script::at(2);
    for sync in plan.syncs() {
        function(&mut module, &format!("A record of `{}` as it is there.", sync.name), &sync.take, &mut functions)?;
        function(&mut module, &format!("A record of `{}` that is gone there.", sync.name), &sync.gone, &mut functions)?;
    }
    let mut script = Script::new();
    script.comment(&format!(
        "Where the records of {title} belong: the row that a record has led to takes it over, else the row of the same, else it is a new one. \
         Whichever side has changed a row last has it, and nobody is told, so that nothing goes back."
    ));
    script.blank();
    module.import_lines(&mut script, "../lib");
    module.statement_lines(&mut script);
    script.blank();
    script.line("/** @param {{ database: import('../lib/database.js').Database }} parts */");
    script.open("export function createRecords({ database }) {");
    script.open("return {");
    script.append(&functions.into_text());
    script.close("};");
    script.close("}");
    Ok(script.into_text())
}

impl ServiceModule<'_> {
    /// How they are read.
    pub(super) fn syncs(&mut self, script: &mut Script) -> Written<()> {
        let service = self.service;
        if service.syncs.is_empty() {
            return Ok(());
        }
        let mut all = Vec::new();
        for sync in &service.syncs {
            let Some(known) = self.manifest.syncs.get(sync.name.as_str()) else { continue };
            all.push(self.sync(sync, known));
        }
        script.blank();
        let title = &self.manifest.provider.title;
        script.line(&format!(
            "/** What of {title} comes into tables of ours, and how it is read. Times are in milliseconds. */"
        ));
        script.statement("const syncs = ", &Expression::Array(all));
        Ok(())
    }

    fn sync(&mut self, sync: &SyncPlan, known: &Sync) -> Expression {
        let mut members = Members::default();
        members.add("name", text(sync.name.as_str()));
        members.add("take", text(&function_name(&sync.take)));
        members.add("gone", text(&function_name(&sync.gone)));
        members.add("read", self.later(&known.read));
        members.add("key", text(&known.key.to_string()));
        let fields = known.fields.iter().map(|(name, taken)| {
            let mut of = Members::default();
            of.add("at", text(&taken.at.to_string()));
            of.add("type", text(taken.kind.as_str()));
            (name.to_string(), of.object())
        });
        members.add("fields", Expression::Object(fields.collect()));
        members.add("shape", Expression::Array(sync.shape.fields.iter().map(middleware::rules).collect()));
        if let Some(cursor) = &known.cursor {
            let mut of = Members::default();
            of.add("at", text(&cursor.at.to_string()));
            of.add("into", text(cursor.into.as_str()));
            of.add("overlap", number(u64::from(cursor.overlap_seconds) * 1000));
            of.add("narrows", Expression::text(cursor.most_records.is_some().to_string()));
            members.add("cursor", of.object());
        }
        members.add(
            "backfill",
            match &known.backfill {
                Backfill::Everything => text("everything"),
                Backfill::Days(days) => number(*days),
                Backfill::Nothing(_) => text("nothing"),
            },
        );
        let mut deletes = Members::default();
        match &known.deletes {
            Deletes::Read { operation, key } => {
                deletes.add("operation", self.later(operation));
                deletes.add("key", text(&key.to_string()));
            }
            Deletes::Flag { at, is } => {
                deletes.add("at", text(&at.to_string()));
                deletes.add("is", text(is));
            }
            Deletes::FullScan { .. } | Deletes::Unseen(_) => {}
        }
        members.add("deletes", deletes.object());
        if let Some(fields) = &self.manifest.provider.drift.fields {
            let mut of = Members::default();
            of.add("operation", self.later(&fields.operation));
            of.add("names", text(fields.names.as_str()));
            members.add("drift", of.object());
        }
        members.add("pause", number(u64::try_from(known.pause(self.manifest).as_millis()).unwrap_or(u64::MAX)));
        members.add("pace", self.pace(&sync.pace));
        Expression::Lines(members.0)
    }

    /// An operation, which may stand further down.
    fn later(&self, operation: &FieldName) -> Expression {
        Expression::arrow("()", Expression::text(&self.functions[operation.as_str()]))
    }

    fn pace(&mut self, pace: &Pace) -> Expression {
        let (name, argument) = match pace {
            Pace::RealTime => ("everyMinutes", number(1_u64)),
            Pace::At(Schedule::Every(minutes)) => ("everyMinutes", number(*minutes)),
            Pace::At(Schedule::Cron(cron)) => {
                let set = |numbers: &BTreeSet<u8>| {
                    Expression::Array(numbers.iter().map(|number| Expression::text(number.to_string())).collect())
                };
                let mut of = Members::default();
                of.add("minutes", set(&cron.minutes));
                of.add("hours", set(&cron.hours));
                of.add("days", set(&cron.days));
                of.add("months", set(&cron.months));
                of.add("weekdays", set(&cron.weekdays));
                of.add("both", Expression::text(cron.both.to_string()));
                ("atTimes", of.object())
            }
        };
        self.writer.import(name);
        Expression::call(name, [argument])
    }
}
