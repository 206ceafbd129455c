//! What becomes of a provider's calls: each kind of event that means something becomes a procedure, which keeps the event once, tells
//! of it in the outbox and changes the record that it is about, all in one transaction.

use super::shop::Shelves;
use crate::behaviour::{field_name, slot};
use crate::table::column_name;
use catalog::{Catalog, Change};
use manifest::Manifest;
use manifest::webhook::ProviderEvent;
use plan::api::EventDeclaration;
use plan::procedure::{Generated, Item, Outcome, Procedure, Response, Step, Trigger, Writes};
use plan::query::{Assigned, OnConflict, Predicate, Write};
use plan::service::{HEARD, Intake, field_type};
use plan::value::{Comparison, Condition};
use plan::{Decision, Phase, Table, Value, check, system};
use vocab::{Datum, FieldName, FieldType, ProcedureName, SuppressionReason, TaskId};

/// The largest call that is taken in, in bytes.
const MAX_CALL: u64 = 1024 * 1024;

/// What a service takes in, the events that come of it, and why.
pub struct TakenIn {
    pub intake: Intake,
    pub events: Vec<EventDeclaration>,
    /// Tables of that database whose rows change.
    pub tables: Vec<Table>,
    pub decisions: Vec<Decision>,
}

/// What the provider's calls come to; nothing where it makes none. `held` are the tables of the database that the task stands on.
pub fn intake(manifest: &Manifest, task_id: &TaskId, catalog: &Catalog, held: &[Table]) -> Option<TakenIn> {
    let webhooks = manifest.webhooks.as_ref()?;
    let provider = &manifest.provider.provider;
    let mut taken = Taken {
        task_id,
        provider: provider.as_str(),
        catalog,
        held,
        events: Vec::new(),
        tables: Vec::new(),
        decisions: Vec::new(),
    };
    let path = format!("/webhooks/{provider}");
    let trigger = Trigger::Webhook { provider: provider.clone(), path: path.clone() };
    let procedures = webhooks.events.iter().map(|event| taken.procedure(event, &trigger)).collect();
    let aside = taken.kept("aside", &trigger, Vec::new(), &[], Vec::new(), Some(HEARD.body));
    let intake = Intake { path, max_body_bytes: MAX_CALL, procedures, aside };
    Some(TakenIn { intake, events: taken.events, tables: taken.tables, decisions: taken.decisions })
}

struct Taken<'a> {
    task_id: &'a TaskId,
    provider: &'a str,
    catalog: &'a Catalog,
    held: &'a [Table],
    events: Vec<EventDeclaration>,
    tables: Vec<Table>,
    decisions: Vec<Decision>,
}

impl Taken<'_> {
    fn procedure(&mut self, event: &ProviderEvent, trigger: &Trigger) -> Option<Procedure> {
        let name = event.emits.as_ref()?;
        let fields: Vec<(FieldName, FieldType)> =
            event.fields.iter().map(|(name, given)| (name.clone(), field_type(given.kind))).collect();
        if !self.events.iter().any(|declared| declared.name == *name) {
            let also = self.catalog.generalisations(name);
            self.events.push(EventDeclaration { name: name.clone(), also, fields: fields.clone() });
        }
        let payload =
            fields.iter().map(|(name, _)| (name.clone(), Value::Field(slot("event"), name.clone()))).collect();
        let mut body = vec![Item::Do(Step::Emit { id: None, event: name.clone(), payload })];
        let change =
            self.catalog.change_of(name).filter(|change| fields.iter().any(|(name, _)| *name == change.found_by));
        let changed = change.and_then(|change| self.change(change, &fields));
        let what = match (change, &changed) {
            (Some(change), Some(_)) => format!("; the {} it is about becomes `{}`", change.entity, change.to),
            (Some(_) | None, _) => String::new(),
        };
        body.extend(changed.into_iter().flatten());
        let suppressed = self.catalog.suppression_of(name).and_then(|reason| self.suppress(reason, &fields));
        let stops = if suppressed.is_some() { "; no mail goes to its `email` any more" } else { "" };
        body.extend(suppressed.into_iter().flatten());
        let names: Vec<&FieldName> = event.remember.iter().map(|(name, _)| name).collect();
        body.extend(names.iter().flat_map(|name| self.remember(name)));
        self.decide(event, format!("becomes `{name}`{what}{stops}"));
        let number = self.decisions.len();
        Some(self.kept(&format!("{name}_{number}"), trigger, fields, &names, body, None))
    }

    fn decide(&mut self, event: &ProviderEvent, decision: String) {
        self.decisions.push(Decision {
            phase: Phase::ImplementIntegrationLogic,
            subject: event.kinds.join(", "),
            decision,
            reason: "the manifest says what it is; it is kept once, in the transaction of what comes of it".to_owned(),
        });
    }

    /// `let event = receive`, then all of it or nothing: the event is kept, and what it means is done, unless it was kept before.
    fn kept(
        &self,
        name: &str,
        trigger: &Trigger,
        fields: Vec<(FieldName, FieldType)>,
        remembers: &[&FieldName],
        means: Vec<Item>,
        body: Option<&str>,
    ) -> Procedure {
        let said = |name: &str| Value::Field(slot("event"), field_name(name));
        let inbox = system::inbox_events();
        let mut values = vec![
            (column_name("id"), Value::Slot(slot("id"))),
            (column_name("integration"), Value::Literal(Datum::Text(self.task_id.to_string()))),
            (column_name("dedup"), said(HEARD.dedup)),
            (column_name("kind"), said(HEARD.kind)),
            (column_name("happened_at"), said(HEARD.time)),
            (column_name("received_at"), Value::Now),
        ];
        values.extend(body.map(|body| (column_name("body"), said(body))));
        let on_conflict = OnConflict::Keep { unique: vec![column_name("integration"), column_name("dedup")] };
        let write = Step::Write(Write::Insert { table: inbox.name, values, on_conflict, made: None });
        let mut record = fields;
        record.extend(HEARD.all().map(|(name, kind)| (field_name(name), kind)));
        for name in remembers {
            record.push((kept_name("whose", name), FieldType::Line { max: 64 }));
            record.push((kept_name("kept", name), FieldType::Json));
        }
        let transaction = vec![
            Item::Let(slot("kept"), write),
            Item::Match(slot("kept"), vec![(Outcome::Inserted, means), (Outcome::Present, Vec::new())]),
        ];
        let procedure = Procedure {
            name: procedure_name(self.provider, name),
            trigger: trigger.clone(),
            body: vec![
                Item::Let(slot("event"), Step::Received(record)),
                Item::Let(slot("id"), Step::Generate(Generated::Uuid)),
                Item::Transaction(transaction),
                Item::Exit(Response::Done, Writes::Keep),
            ],
        };
        let violations = check::violations(&procedure);
        assert!(violations.is_empty(), "a call lowers to a well formed procedure: {violations:?}");
        procedure
    }

    /// What the event says of somebody is kept for later calls of ours, where it says it.
    fn remember(&self, name: &FieldName) -> [Item; 2] {
        let said = |word: &str| Value::Field(slot("event"), kept_name(word, name));
        let text = |text: &str| Value::Literal(Datum::Text(text.to_owned()));
        let unique = ["integration", "name", "whose"].map(column_name).to_vec();
        let columns = ["value", "updated_at"].map(column_name).to_vec();
        let write = Step::Write(Write::Insert {
            table: system::remembered_values().name,
            values: vec![
                (column_name("integration"), text(self.task_id.as_str())),
                (column_name("name"), text(name.as_str())),
                (column_name("whose"), said("whose")),
                (column_name("value"), said("kept")),
                (column_name("updated_at"), Value::Now),
            ],
            on_conflict: OnConflict::Replace { unique, columns },
            made: None,
        });
        let given = slot(&dialect::name::joined(&[name.as_str()], "given"));
        [
            Item::Let(given.clone(), Step::Check(Condition::Present(said("kept")))),
            Item::Match(given, vec![(Outcome::Yes, vec![Item::Do(write)]), (Outcome::No, Vec::new())]),
        ]
    }

    /// The address that the event is about is not written to any more; what was known of it before stays.
    fn suppress(&mut self, reason: SuppressionReason, fields: &[(FieldName, FieldType)]) -> Option<[Item; 2]> {
        let said = |name: &str| {
            fields
                .iter()
                .find(|(known, _)| known.as_str() == name)
                .map(|(name, _)| Value::Field(slot("event"), name.clone()))
        };
        let table = system::mail_suppressions();
        let mut values = vec![
            (column_name("address"), said("email")?),
            (column_name("reason"), Value::Literal(Datum::Text(reason.as_str().to_owned()))),
            (column_name("suppressed_at"), happened()),
        ];
        values.extend(said("reason").map(|reason| (column_name("said"), reason)));
        let on_conflict = OnConflict::Keep { unique: table.primary_key.clone() };
        self.stand_on(&table);
        let write = Step::Write(Write::Insert { table: table.name, values, on_conflict, made: None });
        let arms = [Outcome::Inserted, Outcome::Present].map(|outcome| (outcome, Vec::new()));
        Some([Item::Let(slot("suppressed"), write), Item::Match(slot("suppressed"), arms.to_vec())])
    }

    /// What the lines of an order had taken is there again, where it is counted.
    fn put_back(&mut self, order: Value) -> Option<Vec<Item>> {
        let shelves = Shelves::of(self.catalog, self.held)?;
        let put_back = shelves.put_back(order)?;
        [shelves.items, shelves.products].into_iter().for_each(|table| self.stand_on(table));
        Some(put_back)
    }

    fn stand_on(&mut self, table: &Table) {
        if !self.tables.contains(table) {
            self.tables.push(table.clone());
        }
    }

    /// The record becomes what the event says, from what it can have been before: an event that comes late undoes nothing.
    fn change(&mut self, change: &Change, fields: &[(FieldName, FieldType)]) -> Option<Vec<Item>> {
        let entity = self.catalog.entity(&change.entity)?;
        let table = self.held.iter().find(|table| table.name == entity.table)?;
        let column = |name: &str| table.columns.iter().find(|column| column.name.as_str() == name);
        let FieldType::Choice { words } = &column(change.column.as_str())?.field_type else { return None };
        if !words.contains(&change.to) || column("id")?.field_type != FieldType::Uuid {
            return None;
        }
        let said = |name: &FieldName| Value::Field(slot("event"), name.clone());
        let mut set = vec![(
            column_name(change.column.as_str()),
            Assigned::Value(Value::Literal(Datum::Text(change.to.clone()))),
        )];
        let taken = change.takes.iter().filter(|name| column(name.as_str()).is_some());
        let taken = taken.filter(|name| fields.iter().any(|(field, _)| field == *name));
        set.extend(taken.map(|name| (column_name(name.as_str()), Assigned::Known(said(name)))));
        let mut filter = vec![Predicate::Compare(column_name("id"), Comparison::Equal, said(&change.found_by))];
        let as_of = change.as_of.as_ref().filter(|name| column(name.as_str()).is_some());
        if let Some(as_of) = as_of {
            filter.push(is_older(as_of, Comparison::AtMost));
            set.push((column_name(as_of.as_str()), Assigned::Value(happened())));
        }
        if column("updated_at").is_some() {
            set.push((column_name("updated_at"), Assigned::Value(Value::Now)));
        }
        if column("row_version").is_some() {
            set.push((column_name("row_version"), Assigned::Plus(1)));
        }
        let write = |change: &Change| {
            let filter = filter.iter().cloned().chain([was(change, words, as_of)]).collect();
            Step::Write(Write::Update { table: table.name.clone(), set: set.clone(), filter })
        };
        let is_back = |word: &String| change.puts_back_from.contains(word);
        let (back, gone): (Vec<String>, _) = change.from.iter().cloned().partition(is_back);
        let put_back = if back.is_empty() { None } else { self.put_back(said(&change.found_by)) };
        self.stand_on(table);
        let written = match put_back {
            None => vec![Item::Do(write(change))],
            Some(put_back) => {
                let back = write(&Change { from: back, from_before: Vec::new(), ..change.clone() });
                let has_others = !gone.is_empty() || !change.from_before.is_empty();
                let others = has_others.then(|| Item::Do(write(&Change { from: gone, ..change.clone() })));
                let arms = vec![(Outcome::Changed, put_back), (Outcome::Unchanged, others.into_iter().collect())];
                vec![Item::Let(slot("changed"), back), Item::Match(slot("changed"), arms)]
            }
        };
        Some(match &change.only_if {
            None => written,
            Some(field) => {
                let yes = Value::Literal(Datum::Boolean(true));
                let asked = Condition::Compare(Value::Field(slot("event"), field.clone()), Comparison::Equal, yes);
                vec![
                    Item::Let(slot("whole"), Step::Check(asked)),
                    Item::Match(slot("whole"), vec![(Outcome::Yes, written), (Outcome::No, Vec::new())]),
                ]
            }
        })
    }
}

/// When the event happened, as far as its provider says it.
fn happened() -> Value {
    Value::Else(Box::new(Value::Field(slot("event"), field_name(HEARD.time))), Box::new(Value::Now))
}

/// What is known of the record is older than the event, or nobody has said as of when it is.
fn is_older(as_of: &FieldName, comparison: Comparison) -> Predicate {
    let column = column_name(as_of.as_str());
    Predicate::Any(vec![Predicate::Null(column.clone()), Predicate::Compare(column, comparison, happened())])
}

/// What the record must have been: some states only where the event is the later one.
fn was(change: &Change, words: &[String], as_of: Option<&FieldName>) -> Predicate {
    let column = column_name(change.column.as_str());
    let is = |word: &String| {
        Predicate::Compare(column.clone(), Comparison::Equal, Value::Literal(Datum::Text(word.clone())))
    };
    let known =
        |list: &[String]| -> Vec<Predicate> { list.iter().filter(|word| words.contains(word)).map(is).collect() };
    let (mut any, before) = (known(&change.from), known(&change.from_before));
    match as_of {
        None => any.extend(before),
        Some(as_of) if !before.is_empty() => {
            any.push(Predicate::All(vec![Predicate::Any(before), is_older(as_of, Comparison::Less)]));
        }
        Some(_) => {}
    }
    Predicate::Any(any)
}

/// `whose_payment`, `kept_payment`.
fn kept_name(word: &str, name: &FieldName) -> FieldName {
    field_name(&dialect::name::joined(&[word], name.as_str()))
}

fn procedure_name(provider: &str, name: &str) -> ProcedureName {
    let text = dialect::name::joined(&["receive", provider], name);
    ProcedureName::parse(&text).expect("names joined by `_`")
}
