//! Records of a provider that come into a table of ours: an entry of `syncs` that names an entity becomes a table and two procedures, which
//! put one record each where it belongs. Whichever side changed a row last has it; nothing is told of it, so nothing goes back.

use super::shop::{self, one};
use crate::behaviour::{field_name, slot};
use crate::database::schedule;
use crate::table::{self, column_name};
use catalog::{Catalog, Entity};
use manifest::Manifest;
use manifest::sync::{Deletes, Rows, Sync};
use plan::database::Schedule;
use plan::procedure::{Generated, Item, Outcome, Procedure, Response, Step, Trigger, Writes};
use plan::query::{Assigned, Cardinality, OnConflict, Predicate, Write};
use plan::service::{PULLED, Pace, SyncPlan};
use plan::shape::{Presence, Shape};
use plan::value::{Comparison, Condition};
use plan::{Decision, Phase, Query, Table, Value, check, system};
use spec::{Frequency, ServiceIntegration};
use vocab::{ColumnName, Datum, FieldName, FieldType, ProcedureName, TaskId};

/// What comes in, with its tables, and why.
#[derive(Default)]
pub struct PulledIn {
    pub syncs: Vec<SyncPlan>,
    pub tables: Vec<Table>,
    pub decisions: Vec<Decision>,
}

/// Whether records of the provider become rows of ours.
pub fn comes_in(manifest: &Manifest) -> bool {
    manifest.syncs.iter().any(|(_, sync)| sync.into.is_some())
}

/// What of the provider's records comes into which tables. `held` are the tables of the database that the task stands on.
pub fn pulled(
    integration: &ServiceIntegration,
    manifest: &Manifest,
    task_id: &TaskId,
    catalog: &Catalog,
    held: &[Table],
) -> PulledIn {
    let mut pulled = PulledIn::default();
    let pace = match integration.data_sync_frequency.as_ref().map(|asked| &asked.value) {
        None | Some(Frequency::RealTime) => Pace::RealTime,
        Some(times) => Pace::At(schedule(times)),
    };
    for (name, sync) in manifest.syncs.iter() {
        let Some(into) = &sync.into else { continue };
        let Some(entity) = catalog.entity(&into.entity) else {
            let why = format!("nobody has described what a `{}` is", into.entity);
            pulled.decisions.push(decision(name, "stay there".to_owned(), why));
            continue;
        };
        let known = held.iter().find(|table| table.name == entity.table);
        let table = known.cloned().unwrap_or_else(|| table::of_entity(entity));
        let record = Record { manifest, task_id, name, sync, into, table: &table };
        match record.plan(pace.clone(), entity) {
            Ok(plan) => {
                pulled.decisions.extend(record.decisions(entity, &plan));
                pulled.syncs.push(plan);
                pulled.tables.push(table);
            }
            Err(why) => pulled.decisions.push(decision(name, "stay there".to_owned(), why)),
        }
    }
    if !pulled.syncs.is_empty() {
        pulled.tables.extend(system::of_syncs());
    }
    pulled
}

fn decision(name: &FieldName, decision: String, reason: String) -> Decision {
    let subject = format!("records of `{name}`");
    Decision { phase: Phase::ImplementIntegrationLogic, subject, decision, reason }
}

/// What there is to know of an entry.
struct Record<'a> {
    manifest: &'a Manifest,
    task_id: &'a TaskId,
    name: &'a FieldName,
    sync: &'a Sync,
    into: &'a Rows,
    table: &'a Table,
}

impl Record<'_> {
    /// Or why its records cannot become rows of the table.
    fn plan(&self, pace: Pace, entity: &Entity) -> Result<SyncPlan, String> {
        let lacks = |name: &str| format!("`{}` has no column `{name}`", self.table.name);
        let kind = |name: &str| {
            let column = self.table.columns.iter().find(|column| column.name.as_str() == name);
            column.map(|column| column.field_type.clone()).ok_or_else(|| lacks(name))
        };
        let is_ours = kind("id")? == FieldType::Uuid && self.table.primary_key == [column_name("id")];
        if !is_ours {
            return Err(format!("the key of `{}` is no UUID `id`", self.table.name));
        }
        for name in ["created_at", "updated_at", self.into.gone.as_str()] {
            if kind(name)? != FieldType::Timestamp {
                return Err(format!("`{name}` of `{}` is no time", self.table.name));
            }
        }
        kind("row_version")?;
        let taken = self.sync.fields.iter().map(|(name, _)| Ok((name.clone(), kind(name.as_str())?)));
        let fields = taken.collect::<Result<Vec<_>, String>>()?;
        let (take, gone) = (self.take(&fields), self.gone());
        let (name, table) = (self.name.clone(), self.table.name.clone());
        Ok(SyncPlan { name, table, pace, shape: self.shape(&fields, entity), take, gone })
    }

    fn procedure(&self, name: &str, record: Vec<(FieldName, FieldType)>, transaction: Vec<Item>) -> Procedure {
        let provider = &self.manifest.provider.provider;
        let words = dialect::name::joined(&[name, provider.as_str()], self.name.as_str());
        let procedure = Procedure {
            name: ProcedureName::parse(&words).expect("names joined by `_`"),
            trigger: Trigger::Pulled { provider: provider.clone(), sync: self.name.clone() },
            body: vec![
                Item::Let(slot("record"), Step::Received(record)),
                Item::Let(slot("id"), Step::Generate(Generated::Uuid)),
                Item::Transaction(transaction),
                Item::Exit(Response::Done, Writes::Keep),
            ],
        };
        let violations = check::violations(&procedure);
        assert!(violations.is_empty(), "a record lowers to a well formed procedure: {violations:?}");
        procedure
    }

    /// What is taken of a record. Without what it is known by it is none.
    fn shape(&self, fields: &[(FieldName, FieldType)], entity: &Entity) -> Shape {
        let field = |(name, field_type): &(FieldName, FieldType)| {
            let presence = if *name == self.into.by { Presence::Required } else { Presence::Optional };
            let known = entity.fields.iter().find(|known| known.name == *name);
            let description = known.map_or("", |known| known.description.as_str());
            shop::said(name.as_str(), field_type.clone(), presence, description)
        };
        Shape { name: entity.entity.to_string(), fields: fields.iter().map(field).collect() }
    }

    /// What a record holds that is there.
    fn record(&self, fields: &[(FieldName, FieldType)]) -> Vec<(FieldName, FieldType)> {
        let mut record = vec![
            (field_name(PULLED.key), FieldType::Line { max: system::REMOTE_KEY }),
            (field_name(PULLED.changed), FieldType::Timestamp),
            (field_name(PULLED.digest), FieldType::Line { max: 64 }),
        ];
        record.extend(fields.iter().cloned());
        record
    }

    /// The row that the record has led to takes it over, else the row of the same person or thing, else it is a new one.
    fn take(&self, fields: &[(FieldName, FieldType)]) -> Procedure {
        let link = |name: &str| Value::Field(slot("link"), field_name(name));
        let is_same = Condition::All(vec![
            Condition::Compare(link("digest"), Comparison::Equal, said(PULLED.digest)),
            Condition::Not(Box::new(Condition::Present(link("gone_at")))),
        ]);
        let noted = vec![
            (column_name("digest"), Assigned::Value(said(PULLED.digest))),
            (column_name("changed_at"), Assigned::Value(said(PULLED.changed))),
            (column_name("gone_at"), Assigned::Value(nothing())),
        ];
        let known = vec![
            Item::Let(slot("same"), Step::Check(is_same)),
            Item::Match(
                slot("same"),
                vec![
                    (Outcome::Yes, Vec::new()),
                    (
                        Outcome::No,
                        vec![Item::Do(self.taken_over(fields, link("row_id"))), Item::Do(self.note(noted, Vec::new()))],
                    ),
                ],
            ),
        ];
        let by = self.into.by.as_str();
        let there = Value::Field(slot("row"), field_name("id"));
        let found = vec![Item::Do(self.taken_over(fields, there.clone())), Item::Do(self.linked(there))];
        let made = vec![Item::Do(self.made(fields)), Item::Do(self.linked(Value::Slot(slot("id"))))];
        let unknown = vec![
            self.read("row", one(self.table, &["id"], by, said(by))),
            Item::Match(slot("row"), vec![(Outcome::Found, found), (Outcome::Missing, made)]),
        ];
        let transaction = vec![
            self.read("link", self.link(&["row_id", "digest", "gone_at"])),
            Item::Match(slot("link"), vec![(Outcome::Found, known), (Outcome::Missing, unknown)]),
        ];
        self.procedure("take", self.record(fields), transaction)
    }

    /// The row is marked, and stays.
    fn gone(&self) -> Procedure {
        let gone = column_name(self.into.gone.as_str());
        let row = Value::Field(slot("link"), field_name("row_id"));
        let set = vec![
            (gone.clone(), Assigned::Value(said(PULLED.changed))),
            (column_name("updated_at"), Assigned::Value(Value::Now)),
            (column_name("row_version"), Assigned::Plus(1)),
        ];
        let filter = vec![equal("id", row), Predicate::Null(gone)];
        let mark = Write::Update { table: self.table.name.clone(), set, filter };
        let noted = vec![(column_name("gone_at"), Assigned::Value(said(PULLED.changed)))];
        let marked = vec![
            Item::Do(Step::Write(mark)),
            Item::Do(self.note(noted, vec![Predicate::Null(column_name("gone_at"))])),
        ];
        let transaction = vec![
            self.read("link", self.link(&["row_id"])),
            Item::Match(slot("link"), vec![(Outcome::Found, marked), (Outcome::Missing, Vec::new())]),
        ];
        let record = vec![
            (field_name(PULLED.key), FieldType::Line { max: system::REMOTE_KEY }),
            (field_name(PULLED.changed), FieldType::Timestamp),
        ];
        self.procedure("mark_gone", record, transaction)
    }

    fn read(&self, name: &str, query: Query) -> Item {
        Item::Let(slot(name), Step::Read { query, cardinality: Cardinality::One, filled_by: None })
    }

    /// The row of `sync_links`.
    fn link(&self, names: &[&str]) -> Query {
        let mut query = one(&system::sync_links(), names, "remote_key", said(PULLED.key));
        query.filter.extend(self.own());
        query
    }

    fn own(&self) -> [Predicate; 2] {
        [equal("integration", text(self.task_id.as_str())), equal("sync", text(self.name.as_str()))]
    }

    fn note(&self, set: Vec<(ColumnName, Assigned)>, further: Vec<Predicate>) -> Step {
        let filter = self.own().into_iter().chain([equal("remote_key", said(PULLED.key))]).chain(further).collect();
        Step::Write(Write::Update { table: system::sync_links().name, set, filter })
    }

    fn linked(&self, row: Value) -> Step {
        let values = vec![
            (column_name("integration"), text(self.task_id.as_str())),
            (column_name("sync"), text(self.name.as_str())),
            (column_name("remote_key"), said(PULLED.key)),
            (column_name("row_id"), row),
            (column_name("digest"), said(PULLED.digest)),
            (column_name("changed_at"), said(PULLED.changed)),
        ];
        Step::Write(Write::Insert {
            table: system::sync_links().name,
            values,
            on_conflict: OnConflict::Fail,
            made: None,
        })
    }

    fn made(&self, fields: &[(FieldName, FieldType)]) -> Step {
        let mut values = vec![(column_name("id"), Value::Slot(slot("id")))];
        values.extend(fields.iter().map(|(name, _)| (column_name(name.as_str()), said(name.as_str()))));
        values.push((column_name("created_at"), Value::Now));
        values.push((column_name("updated_at"), said(PULLED.changed)));
        values.push((column_name("row_version"), Value::Literal(Datum::Integer(1))));
        let table = self.table.name.clone();
        Step::Write(Write::Insert { table, values, on_conflict: OnConflict::Fail, made: None })
    }

    /// Unless the row was changed here behind that.
    fn taken_over(&self, fields: &[(FieldName, FieldType)], row: Value) -> Step {
        let taken = fields.iter().map(|(name, _)| (column_name(name.as_str()), Assigned::Value(said(name.as_str()))));
        let mut set: Vec<(ColumnName, Assigned)> = taken.collect();
        set.push((column_name(self.into.gone.as_str()), Assigned::Value(nothing())));
        set.push((column_name("updated_at"), Assigned::Value(said(PULLED.changed))));
        set.push((column_name("row_version"), Assigned::Plus(1)));
        let is_older = Predicate::Compare(column_name("updated_at"), Comparison::AtMost, said(PULLED.changed));
        let filter = vec![equal("id", row), is_older];
        Step::Write(Write::Update { table: self.table.name.clone(), set, filter })
    }

    fn decisions(&self, entity: &Entity, plan: &SyncPlan) -> Vec<Decision> {
        let title = &self.manifest.provider.title;
        let names: Vec<String> = plan.shape.fields.iter().map(|field| format!("`{}`", field.name)).collect();
        let (table, by, gone) = (&plan.table, &self.into.by, &self.into.gone);
        let deletes = match &self.sync.deletes {
            Deletes::Read { .. } | Deletes::Flag { .. } => (
                "their rows stay, with the time in `".to_owned() + gone.as_str() + "`",
                format!("nothing of ours is deleted because {title} deletes"),
            ),
            Deletes::FullScan { .. } | Deletes::Unseen(_) => {
                ("are not noticed".to_owned(), "the provider does not tell".to_owned())
            }
        };
        let of = |subject: &str, decision: String, reason: String| Decision {
            phase: Phase::ImplementIntegrationLogic,
            subject: format!("{subject} of `{}`", self.name),
            decision,
            reason,
        };
        vec![
            of("records", format!("come into `{table}`: {}", names.join(", ")), format!("the manifest says that each is a `{}`; one that is new here finds its row by `{by}`", entity.entity)),
            of("looking for changes", plan.pace.to_string(), pace_reason(&plan.pace)),
            of("two sides that change one record", format!("the later change stays, as `updated_at` and {title} say it"), "each side's newest word is what somebody meant last; what comes in tells nobody, so it never goes back".to_owned()),
            of("records that are gone there,", deletes.0, deletes.1),
            of("values that do not fit,", "their records are left out, counted and told in the log".to_owned(), "nothing is guessed, and the others go on".to_owned()),
        ]
    }
}

fn pace_reason(pace: &Pace) -> String {
    match pace {
        Pace::RealTime => "`data_sync_frequency` says so, or nothing".to_owned(),
        Pace::At(Schedule::Every(_) | Schedule::Cron(_)) => "`data_sync_frequency` says so".to_owned(),
    }
}

fn said(name: &str) -> Value {
    Value::Field(slot("record"), field_name(name))
}

fn nothing() -> Value {
    Value::Literal(Datum::Null)
}

fn text(text: &str) -> Value {
    Value::Literal(Datum::Text(text.to_owned()))
}

fn equal(name: &str, value: Value) -> Predicate {
    Predicate::Compare(column_name(name), Comparison::Equal, value)
}
