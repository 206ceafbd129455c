//! What may come with a new record: rows of other tables that belong to it, in lists of its body. The endpoints of an API and the tables'
//! keys come in, and the procedures that make records are written on. Such rows are made as the endpoint that makes them alone makes
//! them, for whoever may call that one, and not otherwise.

use crate::behaviour::{named_slot, slot};
use crate::body_size::max_body_bytes;
use crate::condition::asks_for_caller;
use crate::relations::{Guard, Keys, PARENT, Way, subject_of};
use plan::api::{ApiPlan, Endpoint};
use plan::procedure::{Each, Input, Item, LimitKey, Outcome, RecordList, Response, ResponseField, Step, Writes};
use plan::query::{Cardinality, Predicate, Query, Write};
use plan::shape::{Entries, Presence, Shape, ShapeField};
use plan::value::{Condition, RequestValue, Value};
use plan::{Decision, Phase, Table, check};
use std::collections::BTreeSet;
use vocab::{Bounds, ColumnName, FieldName, FieldType, PolicyName, SlotName, TableName};

/// Most rows of one list.
const MOST: u32 = 100;
/// What a record is called with what comes with it.
const WHOLE: &str = "Whole";
/// The slot that holds what a request brings.
const INPUT: &str = "input";

/// Lets every new record bring what belongs to it, and gives what was decided. `tables` are those whose keys lead to each other.
pub fn offer(api: &mut ApiPlan, tables: &[Table]) -> Vec<Decision> {
    let makers: Vec<Maker> = api.endpoints.iter().filter_map(Maker::of).collect();
    let keys = Keys::of(tables);
    let owned = api.accounts.as_ref().map(|accounts| &accounts.owned);
    let mut decisions = Vec::new();
    for endpoint in &mut api.endpoints {
        let Some(own) = Maker::of(endpoint) else { continue };
        let is_kept = |table: &TableName| owned.is_some_and(|owned| owned.contains_key(table));
        let is_offered = |maker: &&Maker| {
            maker.guard.lets_through(&own.guard) && (maker.own_rows == own.own_rows || !is_kept(&maker.table))
        };
        let mut names = Vec::new();
        for way in keys.ways(&own.table) {
            let mut fitting = makers.iter().filter(|maker| maker.table == way.table).filter(is_offered);
            let Some(part) = fitting.find_map(|maker| maker.part(&way, &endpoint.procedure.body)) else { continue };
            if part.come_with(&mut endpoint.procedure.body).is_some() {
                names.push(format!("`{}`", way.field));
            }
        }
        if names.is_empty() {
            continue;
        }
        endpoint.max_body_bytes = max_body_bytes(&endpoint.procedure.body);
        let violations = check::violations(&endpoint.procedure);
        assert!(violations.is_empty(), "what comes with a record leaves its procedure well formed: {violations:?}");
        decisions.push(Decision {
            phase: Phase::ImplementEndpointLogic,
            subject: subject_of(endpoint),
            decision: format!("makes {} together with the record where the body brings them", names.join(", ")),
            reason: "keys lead there, and other endpoints make the same rows for the same callers".to_owned(),
        });
    }
    decisions
}

/// An endpoint that makes rows of a table, one or several at once.
struct Maker {
    table: TableName,
    subject: String,
    guard: Guard,
    own_rows: bool,
    entries: Entries,
    policy: PolicyName,
    by: LimitKey,
    /// What the thing that its path names must be.
    parent: Option<Query>,
    item: SlotName,
    checks: Vec<Item>,
    stores: Vec<Item>,
    fields: Vec<ResponseField>,
}

impl Maker {
    fn of(endpoint: &Endpoint) -> Option<Self> {
        let body = endpoint.procedure.body.iter().find_map(|item| match item {
            Item::Match(_, arms) => arms.iter().find(|(outcome, _)| *outcome == Outcome::Several).map(|(_, body)| body),
            _ => None,
        })?;
        let entries = body.iter().find_map(|item| match item {
            Item::Let(_, Step::Validate(Input::List(entries))) => Some(entries.clone()),
            _ => None,
        })?;
        let (policy, by) = body.iter().find_map(|item| match item {
            Item::Do(Step::LimitEach { policy, by, .. }) => Some((policy.clone(), by.clone())),
            _ => None,
        })?;
        let changes = transaction_of(body)?;
        let Some(Item::Exit(Response::Records { slot, fields, .. }, _)) = changes.last() else { return None };
        let (made, checked): (Vec<&Each>, Vec<&Each>) =
            changes.iter().filter_map(each_of).partition(|each| each.into == *slot);
        let [made] = made[..] else { return None };
        let (table, _) = inserted(&made.body)?;
        let parent = changes.iter().find_map(|item| match item {
            Item::Let(slot, Step::Read { query, .. }) if slot.as_str() == PARENT => Some(query.clone()),
            _ => None,
        });
        Some(Self {
            table: table.clone(),
            subject: subject_of(endpoint),
            guard: Guard::of(endpoint),
            own_rows: endpoint.own_rows,
            entries,
            policy,
            by,
            parent,
            item: made.item.clone(),
            checks: checked.iter().flat_map(|each| each.body.clone()).collect(),
            stores: made.body.clone(),
            fields: fields.clone(),
        })
    }

    /// Its rows as they come with a record that `body` makes, which the way leads to them from.
    fn part(&self, way: &Way, body: &[Item]) -> Option<Part> {
        if way.cardinality != Cardinality::Many || way.through.is_some() {
            return None;
        }
        let (whole, values) = inserted(transaction_of(body)?)?;
        if !self.parent.as_ref().is_none_or(|parent| parent.from == *whole && is_callers_too(parent, values)) {
            return None;
        }
        let known = |values: &[(ColumnName, Value)], column: &ColumnName| {
            values.iter().find(|(name, _)| name == column).map(|(_, value)| value.clone())
        };
        let key = known(values, &way.local).or_else(|| made_key(transaction_of(body)?, &way.local))?;
        let said = known(inserted(&self.stores)?.1, &way.foreign)?;
        let field_said = match &said {
            Value::Field(slot, field) if *slot == self.item => Some(field.clone()),
            _ => None,
        };
        let bound = self.bound();
        let inlined = Inlined { list: &way.field, bound: &bound, said: &said, key: &key };
        let mut shape = self.entries.shape.clone();
        shape.fields.retain(|field| Some(&field.name) != field_said.as_ref());
        let fields = self
            .fields
            .iter()
            .map(|field| Some(ResponseField { value: inlined.value(&field.value)?, ..field.clone() }));
        let each = |items: &[Item], gives, into: &str| {
            Some(Item::Each(Box::new(Each {
                of: slot(INPUT),
                list: way.field.clone(),
                item: named_slot(&way.field, self.item.as_str()),
                body: inlined.items(items)?,
                gives,
                into: named_slot(&way.field, into),
            })))
        };
        let fields: Vec<ResponseField> = fields.collect::<Option<_>>()?;
        let gives = fields.iter().map(|field| (field.name.clone(), field.value.clone())).collect();
        let checks = match &self.checks[..] {
            [] => None,
            checks => Some(each(checks, Vec::new(), "checked")?),
        };
        Some(Part {
            list: way.field.clone(),
            shape,
            max: self.entries.max.min(MOST),
            subject: self.subject.clone(),
            step: Step::Part {
                of: slot(INPUT),
                list: way.field.clone(),
                scope: self.guard.scope().cloned(),
                policy: self.policy.clone(),
                by: self.by.clone(),
            },
            checks,
            stores: each(&self.stores, gives, "made")?,
            fields,
        })
    }

    /// Every slot of its own that stands for something of one row.
    fn bound(&self) -> BTreeSet<SlotName> {
        let mut found: BTreeSet<SlotName> = [self.item.clone()].into();
        bound(&self.checks, &mut found);
        bound(&self.stores, &mut found);
        found
    }
}

/// The rows of a table that come with a record.
struct Part {
    list: FieldName,
    shape: Shape,
    max: u32,
    /// The endpoint that makes them alone.
    subject: String,
    step: Step,
    checks: Option<Item>,
    stores: Item,
    fields: Vec<ResponseField>,
}

impl Part {
    /// Writes the procedure on; nothing where the record has something of that name already.
    fn come_with(self, body: &mut Vec<Item>) -> Option<()> {
        let Self { list, mut shape, max, subject, step, checks, stores, fields } = self;
        let input = body.iter().position(|item| matches!(item, Item::Let(_, Step::Validate(Input::Body(_)))))?;
        let Item::Let(_, Step::Validate(Input::Body(whole))) = &mut body[input] else { return None };
        if whole.fields.iter().any(|field| field.name == list) {
            return None;
        }
        let of = whole.name.trim_start_matches(WHOLE).to_owned();
        whole.name = format!("{WHOLE}{of}");
        shape.name = format!("{}Of{of}", shape.name);
        let records = RecordList { name: format!("{}Record", shape.name), fields };
        whole.fields.push(ShapeField {
            name: list.clone(),
            field_type: FieldType::Json,
            format: None,
            presence: Presence::Optional,
            min_length: 0,
            max_length: None,
            bounds: Bounds::default(),
            default: None,
            entries: Some(Box::new(Entries { shape, max })),
            words: Vec::new(),
            description: format!("Made together with it, each as `{subject}` makes it."),
        });
        body.insert(input + 1, Item::Do(step));
        let changes = body.iter_mut().find_map(|item| match item {
            Item::Transaction(changes) => Some(changes),
            _ => None,
        })?;
        for item in changes.iter_mut() {
            refuse_merged(item, &list);
            if let Item::Exit(Response::Answer { body, .. }, _) = item {
                body.push(ResponseField {
                    name: list.clone(),
                    value: Value::Slot(named_slot(&list, "made")),
                    field_type: FieldType::Json,
                    entries: Some(records.clone()),
                    description: "What was made together with it.".to_owned(),
                });
            }
        }
        // Behind the record and what is told of it.
        let made = changes.iter().position(is_insert)? + 1;
        let told =
            changes[made..].iter().take_while(|item| matches!(item, Item::Do(Step::Emit { .. } | Step::Write(_))));
        let place = made + told.count();
        let place = place + changes[place..].iter().take_while(|item| each_of(item).is_some()).count();
        changes.insert(place, stores);
        // Whether all are right is known before the first is stored.
        checks.into_iter().for_each(|checks| changes.insert(1, checks));
        Some(())
    }
}

/// A record that is there already is changed by itself: what comes with new ones cannot come with it.
fn refuse_merged(item: &mut Item, list: &FieldName) {
    let Item::Match(_, arms) = item else { return };
    for (outcome, body) in arms {
        if *outcome == Outcome::Found
            && body.iter().any(|item| matches!(item, Item::Do(Step::Write(Write::Update { .. }))))
        {
            let given = named_slot(list, "given");
            let detail = "cannot come with a record that is there already".to_owned();
            let refused = Response::Inconsistent { field: list.clone(), detail };
            let asked = Condition::Present(Value::Field(slot(INPUT), list.clone()));
            let arms = vec![(Outcome::Yes, vec![Item::Exit(refused, Writes::Undo)]), (Outcome::No, Vec::new())];
            let check = [Item::Let(given.clone(), Step::Check(asked)), Item::Match(given, arms)];
            body.splice(0..0, check);
        } else {
            body.iter_mut().for_each(|item| refuse_merged(item, list));
        }
    }
}

/// What one endpoint does for a row, as part of what another one does.
struct Inlined<'a> {
    list: &'a FieldName,
    /// The slots that stand for something of one row.
    bound: &'a BTreeSet<SlotName>,
    /// What the row says it belongs to, where it is made alone.
    said: &'a Value,
    /// What it belongs to here.
    key: &'a Value,
}

impl Inlined<'_> {
    /// Nothing where it does what cannot be done here.
    fn items(&self, items: &[Item]) -> Option<Vec<Item>> {
        let mut inlined = Vec::new();
        // What it belongs to is there: it was just made.
        let mut settled = BTreeSet::new();
        for item in items {
            match item {
                Item::Let(slot, step) if self.looks_for_whole(step) => drop(settled.insert(slot)),
                Item::Match(slot, _) if settled.contains(slot) => {}
                Item::Let(slot, step) => inlined.push(Item::Let(self.slot(slot), self.step(step)?)),
                Item::Do(step) => inlined.push(Item::Do(self.step(step)?)),
                Item::Match(slot, arms) => {
                    let arms = arms.iter().map(|(outcome, body)| Some((*outcome, self.items(body)?)));
                    inlined.push(Item::Match(self.slot(slot), arms.collect::<Option<_>>()?));
                }
                Item::Exit(Response::Entry { list: None, field, detail }, writes) => {
                    let (list, field, detail) = (Some(self.list.clone()), field.clone(), detail.clone());
                    inlined.push(Item::Exit(Response::Entry { list, field, detail }, *writes));
                }
                Item::Transaction(_) | Item::Each(_) | Item::Promise(_) | Item::Exit(..) => return None,
            }
        }
        Some(inlined)
    }

    fn looks_for_whole(&self, step: &Step) -> bool {
        match step {
            Step::Check(Condition::Present(value)) => value == self.said,
            Step::Read { query, .. } => {
                query.filter.iter().any(|asked| matches!(asked, Predicate::Compare(_, _, value) if value == self.said))
            }
            _ => false,
        }
    }

    fn slot(&self, slot: &SlotName) -> SlotName {
        if self.bound.contains(slot) { named_slot(self.list, slot.as_str()) } else { slot.clone() }
    }

    fn step(&self, step: &Step) -> Option<Step> {
        Some(match step {
            Step::Generate(generated) => Step::Generate(*generated),
            Step::Check(condition) => Step::Check(self.condition(condition)?),
            Step::Read { query, cardinality, filled_by: None } => {
                let filter = query.filter.iter().map(|asked| self.predicate(asked)).collect::<Option<_>>()?;
                let (query, cardinality) = (Query { filter, ..query.clone() }, *cardinality);
                Step::Read { query, cardinality, filled_by: None }
            }
            Step::Write(Write::Insert { table, values, on_conflict, made }) => {
                let values = values.iter().map(|(name, value)| Some((name.clone(), self.value(value)?)));
                let (table, on_conflict, made) = (table.clone(), on_conflict.clone(), made.clone());
                Step::Write(Write::Insert { table, values: values.collect::<Option<_>>()?, on_conflict, made })
            }
            Step::Emit { id: None, event, payload } => {
                let payload = payload.iter().map(|(name, value)| Some((name.clone(), self.value(value)?)));
                Step::Emit { id: None, event: event.clone(), payload: payload.collect::<Option<_>>()? }
            }
            _ => return None,
        })
    }

    fn condition(&self, condition: &Condition) -> Option<Condition> {
        Some(match condition {
            Condition::Compare(first, comparison, second) => {
                Condition::Compare(self.value(first)?, *comparison, self.value(second)?)
            }
            Condition::Present(value) => Condition::Present(self.value(value)?),
            _ => return None,
        })
    }

    fn predicate(&self, predicate: &Predicate) -> Option<Predicate> {
        match predicate {
            Predicate::Compare(column, comparison, value) => {
                Some(Predicate::Compare(column.clone(), *comparison, self.value(value)?))
            }
            Predicate::Null(column) => Some(Predicate::Null(column.clone())),
            _ => None,
        }
    }

    fn value(&self, value: &Value) -> Option<Value> {
        if value == self.said {
            return Some(self.key.clone());
        }
        let both = |first: &Value, second: &Value| Some((Box::new(self.value(first)?), Box::new(self.value(second)?)));
        Some(match value {
            Value::Slot(slot) => Value::Slot(self.slot(slot)),
            // What its path says is said nowhere here.
            Value::Field(slot, _) if slot.as_str() == PARENT => return None,
            Value::Field(slot, field) => Value::Field(self.slot(slot), field.clone()),
            Value::Else(first, second) => both(first, second).map(|(first, second)| Value::Else(first, second))?,
            Value::Times(first, second) => both(first, second).map(|(first, second)| Value::Times(first, second))?,
            Value::Request(RequestValue::Path(_)) => return None,
            Value::Literal(_) | Value::Now | Value::Today | Value::After(_) | Value::Request(_) => value.clone(),
            Value::Prefixed(text, inner) => Value::Prefixed(text.clone(), Box::new(self.value(inner)?)),
            Value::Given(..) | Value::Changed(..) | Value::Sum(..) | Value::Record(_) => return None,
        })
    }
}

fn bound(items: &[Item], found: &mut BTreeSet<SlotName>) {
    for item in items {
        match item {
            Item::Let(slot, _) => drop(found.insert(slot.clone())),
            Item::Match(_, arms) => arms.iter().for_each(|(_, body)| bound(body, found)),
            Item::Do(_) | Item::Transaction(_) | Item::Each(_) | Item::Promise(_) | Item::Exit(..) => {}
        }
    }
}

fn each_of(item: &Item) -> Option<&Each> {
    match item {
        Item::Each(each) => Some(each),
        _ => None,
    }
}

fn transaction_of(body: &[Item]) -> Option<&[Item]> {
    body.iter().find_map(|item| match item {
        Item::Transaction(changes) => Some(&changes[..]),
        _ => None,
    })
}

fn is_insert(item: &Item) -> bool {
    inserted(std::slice::from_ref(item)).is_some()
}

/// The table that the items make a row of, with what it holds.
fn inserted(items: &[Item]) -> Option<(&TableName, &[(ColumnName, Value)])> {
    items.iter().find_map(|item| match item {
        Item::Let(_, Step::Write(Write::Insert { table, values, .. }))
        | Item::Do(Step::Write(Write::Insert { table, values, .. })) => Some((table, &values[..])),
        _ => None,
    })
}

/// The key of that column which the database makes.
fn made_key(items: &[Item], column: &ColumnName) -> Option<Value> {
    items.iter().find_map(|item| match item {
        Item::Let(slot, Step::Write(Write::Insert { made: Some(made), .. })) if made == column => {
            Some(Value::Slot(slot.clone()))
        }
        _ => None,
    })
}

/// Where the thing must be the caller's, it is made so.
fn is_callers_too(parent: &Query, values: &[(ColumnName, Value)]) -> bool {
    parent.filter.iter().filter(|asked| asks_for_caller(asked)).all(|asked| match asked {
        Predicate::Compare(column, _, value) => values.iter().any(|(name, made)| name == column && made == value),
        _ => false,
    })
}
