//! Which rows of other tables a read may show beside its own (`include=category,reviews`): the endpoints of an API and the tables' keys come
//! in, outputs of queries go out. Rows are shown as an endpoint that lists or reads them shows them, to whom it shows them, and no others.

use crate::behaviour::MAX_PAGE;
use crate::condition::asks_for_caller;
use plan::api::{ApiPlan, Endpoint};
use plan::database::ForeignKey;
use plan::database::permission::Owned;
use plan::procedure::{Item, Response, Scheme, Step, Trigger};
use plan::query::{Cardinality, Choice, Holes, Output, Page, Predicate, Query, Related, RowLock, Through};
use plan::value::{RequestValue, Value};
use plan::{Decision, Phase, Scope, Table};
use std::collections::{BTreeMap, BTreeSet};
use vocab::{ColumnName, FieldName, TableName};

/// What asks for rows of others. A column that is called so is asked for by its name.
const PARAMETER: &str = "include";
/// The slot that holds who calls.
const CALLER: &str = "caller";
/// The slot that holds what the path says the rows belong to.
pub const PARENT: &str = "parent";

/// Adds to every read what it may show of others, and gives what was decided. `tables` are those whose keys lead to each other.
pub fn offer(api: &mut ApiPlan, tables: &[Table]) -> Vec<Decision> {
    let nobodys = Owned::new();
    let owned = api.accounts.as_ref().map_or(&nobodys, |accounts| &accounts.owned);
    let users = api.accounts.as_ref().map(|accounts| &accounts.users);
    let mut shown: BTreeMap<TableName, Vec<Shown>> = BTreeMap::new();
    for of in api.endpoints.iter().filter_map(Shown::of) {
        shown.entry(of.query.from.clone()).or_default().push(of);
    }
    let keys = Keys::of(tables);
    let mut decisions = Vec::new();
    for endpoint in &mut api.endpoints {
        let known = Shown::of(endpoint).map_or_else(Vec::new, |shown| shown.known());
        let reader = Reader { guard: Guard::of(endpoint), known, own_rows: endpoint.own_rows, owned, users };
        let Some(query) = read_of(&mut endpoint.procedure.body) else { continue };
        let ways = keys.ways(&query.from);
        let related: Vec<Related> = ways.into_iter().filter_map(|way| way.related(&shown, &reader, query)).collect();
        if related.is_empty() {
            continue;
        }
        let names: Vec<String> = related.iter().map(|related| format!("`{}`", related.field)).collect();
        query.outputs.extend(related.into_iter().map(|related| Output::Related(Box::new(related))));
        decisions.push(Decision {
            phase: Phase::ImplementEndpointLogic,
            subject: subject_of(endpoint),
            decision: format!("shows {} beside its own rows where `{PARAMETER}` asks for them", names.join(", ")),
            reason: "keys lead there, and other endpoints show the same rows to the same callers".to_owned(),
        });
    }
    decisions
}

pub fn subject_of(endpoint: &Endpoint) -> String {
    match &endpoint.procedure.trigger {
        Trigger::Request { method, path } => format!("{method} {path}"),
        _ => endpoint.procedure.name.to_string(),
    }
}

/// The query of a read of which a request may choose the outputs.
fn read_of(body: &mut [Item]) -> Option<&mut Query> {
    body.iter_mut().find_map(|item| match item {
        Item::Let(_, Step::Read { query, filled_by: Some(_), .. }) if query.holes.selection == Choice::Open => {
            Some(query)
        }
        _ => None,
    })
}

/// Who may call.
#[derive(Default)]
pub struct Guard {
    authorize: Option<Step>,
    /// Whether the procedure knows which user that is, by the name that all of them use.
    knows_caller: bool,
}

impl Guard {
    pub fn of(endpoint: &Endpoint) -> Self {
        let guard = endpoint.procedure.body.iter().find_map(|item| match item {
            Item::Let(slot, step @ Step::Authorize { .. }) => {
                Some(Self { authorize: Some(step.clone()), knows_caller: slot.as_str() == CALLER })
            }
            Item::Do(step @ Step::Authorize { .. }) => {
                Some(Self { authorize: Some(step.clone()), knows_caller: false })
            }
            _ => None,
        });
        guard.unwrap_or_default()
    }

    /// Whether everybody whom the other lets through is let through here too, but for the scope of an API key: each key is asked for that.
    pub fn lets_through(&self, other: &Self) -> bool {
        match (&self.authorize, &other.authorize) {
            (None, _) => true,
            (
                Some(Step::Authorize { scheme, role, grant, .. }),
                Some(Step::Authorize { scheme: other_scheme, role: other_role, grant: other_grant, .. }),
            ) => {
                scheme == other_scheme
                    && (other.knows_caller || !self.knows_caller)
                    && (role.is_none() || role == other_role)
                    && (grant.is_none() || grant == other_grant)
            }
            (Some(_), _) => false,
        }
    }

    pub fn scope(&self) -> Option<&Scope> {
        match &self.authorize {
            Some(Step::Authorize { scheme: Scheme::ApiKey, scope, .. }) => scope.as_ref(),
            _ => None,
        }
    }
}

/// An endpoint that may show rows of others beside its own.
struct Reader<'a> {
    guard: Guard,
    /// The columns that its callers know of its rows.
    known: Vec<ColumnName>,
    /// Whether the database shows it the caller's own rows alone, of the tables that are owned.
    own_rows: bool,
    owned: &'a Owned,
    /// The table of the people who sign in, where anybody does.
    users: Option<&'a TableName>,
}

/// What an endpoint shows of a table.
struct Shown {
    query: Query,
    cardinality: Cardinality,
    guard: Guard,
    own_rows: bool,
    /// The columns that its path says something of.
    of_path: Vec<ColumnName>,
    /// What its rows belong to is the caller's: that table, and what of it must hold.
    parent: Option<(TableName, Vec<Predicate>)>,
}

impl Shown {
    fn of(endpoint: &Endpoint) -> Option<Self> {
        let body = &endpoint.procedure.body;
        let answered: Option<Vec<&FieldName>> = body.iter().find_map(|item| match item {
            Item::Exit(Response::Record { body, .. }, _) => Some(body.iter().map(|field| &field.name).collect()),
            _ => None,
        });
        let (query, cardinality) = body.iter().find_map(|item| match item {
            Item::Let(_, Step::Read { query, cardinality, filled_by: Some(_) }) => Some((query, *cardinality)),
            _ => None,
        })?;
        let is_shown = |output: &&Output| answered.as_ref().is_none_or(|names| names.contains(&output.field()));
        let parent = body.iter().find_map(|item| match item {
            Item::Let(slot, Step::Read { query, .. }) if slot.as_str() == PARENT => {
                let owned: Vec<Predicate> =
                    query.filter.iter().filter(|asked| asks_for_caller(asked)).cloned().collect();
                (!owned.is_empty()).then(|| (query.from.clone(), owned))
            }
            _ => None,
        });
        let (of_path, filter): (Vec<&Predicate>, Vec<&Predicate>) =
            query.filter.iter().partition(|asked| column_of_path(asked).is_some());
        let shown = Query {
            from: query.from.clone(),
            outputs: query.outputs.iter().filter(is_shown).cloned().collect(),
            filter: filter.into_iter().cloned().collect(),
            order: query.order.clone(),
            holes: query.holes.clone(),
            lock: RowLock::None,
        };
        (query.holes.selection == Choice::Open).then(|| Self {
            query: shown,
            cardinality,
            guard: Guard::of(endpoint),
            own_rows: endpoint.own_rows,
            of_path: of_path.into_iter().filter_map(column_of_path).cloned().collect(),
            parent,
        })
    }

    /// What may be asked of its rows where they come with another one: fields, and of a list which, how many and in which order.
    fn holes_of(&self, page: Option<Page>) -> Holes {
        let fields = Holes { selection: Choice::Open, ..Holes::default() };
        match page {
            None => fields,
            Some(page) => {
                let Holes { filters, sorts, .. } = self.query.holes.clone();
                // However many rows its list writes by itself.
                let page = Page { max: page.max.min(MAX_PAGE), ..page };
                Holes { filters, sorts, page: Some(page), ..fields }
            }
        }
    }

    /// The columns that callers know: what leads from one row to another tells what they hold.
    fn known(&self) -> Vec<ColumnName> {
        let column = |output: &Output| match output {
            Output::Column { column, .. } => Some(column.clone()),
            Output::Related(_) => None,
        };
        self.query.outputs.iter().filter_map(column).chain(self.of_path.iter().cloned()).collect()
    }

    /// Whether it shows the rows of the table that `column` of a row of `query` leads to, and that column, to everybody who may read by that query.
    fn shows(&self, (table, column): (&TableName, &ColumnName), reader: &Reader<'_>, query: &Query) -> bool {
        // What its path says must be what the row says that leads there.
        let is_led_to = self.of_path.iter().all(|said| said == column);
        let knows = reader.guard.knows_caller || !self.query.filter.iter().any(asks_for_caller);
        let is_of_parent = self.parent.as_ref().is_none_or(|(parent, owned)| {
            query.from == *parent
                && self.of_path.contains(column)
                && owned.iter().all(|predicate| query.filter.contains(predicate))
        });
        let is_seen = !reader.own_rows || self.own_rows || !reader.owned.contains_key(table);
        self.query.from == *table
            && is_led_to
            && self.known().contains(column)
            && knows
            && is_of_parent
            && is_seen
            && self.guard.lets_through(&reader.guard)
    }
}

/// The column that must be what the path says.
fn column_of_path(predicate: &Predicate) -> Option<&ColumnName> {
    match predicate {
        Predicate::Compare(column, _, Value::Request(RequestValue::Path(_))) => Some(column),
        _ => None,
    }
}

/// A way from the rows of a table to those of another one.
pub struct Way {
    pub field: FieldName,
    pub table: TableName,
    pub local: ColumnName,
    pub foreign: ColumnName,
    pub cardinality: Cardinality,
    /// The table in between, with its columns that lead back and on.
    pub through: Option<(TableName, ColumnName, ColumnName)>,
    /// Whether that holds pairs and nothing else: no endpoint can show it by itself.
    is_pairs: bool,
}

impl Way {
    /// What is shown at its end, where anything is.
    fn related(self, shown: &BTreeMap<TableName, Vec<Shown>>, reader: &Reader<'_>, query: &Query) -> Option<Related> {
        if !reader.known.contains(&self.local) {
            return None;
        }
        let list = |shown: &&Shown| shown.cardinality == Cardinality::Many;
        let rows = shown.get(&self.table)?.iter().find(|shown| {
            (list(shown) || self.cardinality == Cardinality::One)
                && shown.query.outputs.len() <= dialect::MOST_NESTED_COLUMNS
                && shown.shows((&self.table, &self.foreign), reader, query)
        })?;
        let links = match &self.through {
            None => None,
            // Who belongs to what is nobody's to see where it is not shown as such.
            Some(_)
                if self.is_pairs && reader.users.is_none_or(|users| ![&self.table, &query.from].contains(&users)) =>
            {
                None
            }
            Some((table, back, on)) => {
                let mut lists = shown.get(table)?.iter().filter(list);
                Some(lists.find(|shown| shown.shows((table, back), reader, query) && shown.known().contains(on))?)
            }
        };
        let mut scopes: Vec<Scope> =
            [Some(rows), links].into_iter().flatten().filter_map(|shown| shown.guard.scope()).cloned().collect();
        scopes.retain(|scope| reader.guard.scope() != Some(scope));
        let page = match self.cardinality {
            Cardinality::One => None,
            Cardinality::Many => Some(rows.query.holes.page?),
        };
        let filter = links.map_or_else(Vec::new, |links| links.query.filter.clone());
        let through = self.through.map(|(table, local, foreign)| Through { table, local, foreign, filter });
        Some(Related {
            field: self.field,
            local: self.local,
            foreign: self.foreign,
            cardinality: self.cardinality,
            through,
            scopes,
            query: Query { holes: rows.holes_of(page), ..rows.query.clone() },
        })
    }
}

/// How tables lead to each other.
pub struct Keys<'t> {
    tables: BTreeMap<&'t TableName, &'t Table>,
    /// What leads to a table, in the order of the tables.
    leading: BTreeMap<&'t TableName, Vec<&'t Table>>,
}

impl<'t> Keys<'t> {
    pub fn of(tables: &'t [Table]) -> Self {
        let mut leading: BTreeMap<&TableName, Vec<&Table>> = BTreeMap::new();
        for table in tables {
            let reached: BTreeSet<&TableName> = single(table).into_iter().map(|(.., key)| &key.table).collect();
            reached.into_iter().for_each(|other| leading.entry(other).or_default().push(table));
        }
        Self { tables: tables.iter().map(|table| (&table.name, table)).collect(), leading }
    }

    /// Every way that has a name of its own: where the table's own keys lead, then what leads to it.
    pub fn ways(&self, from: &TableName) -> Vec<Way> {
        let Some(own) = self.tables.get(from) else { return Vec::new() };
        if own.columns.iter().any(|column| column.name.as_str() == PARAMETER) {
            return Vec::new();
        }
        let mut found: Vec<Way> = Vec::new();
        let mut add =
            |name: &str, (table, local, foreign), cardinality, through: Option<(TableName, ColumnName, ColumnName)>| {
                let Ok(field) = FieldName::parse(name) else { return };
                let is_taken = own.columns.iter().any(|column| column.name.as_str() == name)
                    || found.iter().any(|known| known.field == field);
                if !is_taken {
                    let (table, local, foreign): (&TableName, &ColumnName, &ColumnName) = (table, local, foreign);
                    let (table, local, foreign) = (table.clone(), local.clone(), foreign.clone());
                    let is_pairs = through
                        .as_ref()
                        .is_some_and(|(table, ..)| self.tables.get(table).is_some_and(|known| is_pairs(known)));
                    found.push(Way { field, table, local, foreign, cardinality, through, is_pairs });
                }
            };
        for (column, target, key) in single(own) {
            if let Some(name) = column.as_str().strip_suffix("_id") {
                add(name, (&key.table, column, target), Cardinality::One, None);
            }
        }
        for table in self.leading.get(from).into_iter().flatten() {
            let keys = single(table);
            let (here, others): (Vec<_>, Vec<_>) = keys.into_iter().partition(|(_, _, key)| key.table == *from);
            let [(column, target, _)] = here[..] else { continue };
            add(table.name.as_str(), (&table.name, target, column), Cardinality::Many, None);
            // What leads to two tables and to nothing else brings rows of both together.
            if let [(there, reached, other)] = others[..] {
                let through = (table.name.clone(), column.clone(), there.clone());
                add(other.table.as_str(), (&other.table, target, reached), Cardinality::Many, Some(through));
            }
        }
        found
    }
}

/// The table's keys of one column, with that and what it leads to.
fn single<'t>(table: &'t Table) -> Vec<(&'t ColumnName, &'t ColumnName, &'t ForeignKey)> {
    let one = |key: &'t ForeignKey| match key {
        ForeignKey { columns, target, .. } if columns.len() == 1 && target.len() == 1 => {
            Some((&columns[0], &target[0], key))
        }
        _ => None,
    };
    table.rules.foreign_keys.iter().filter_map(one).collect()
}

/// Whether a row of the table is named by what it leads to.
fn is_pairs(table: &Table) -> bool {
    table.primary_key.len() == 2
        && table.primary_key.iter().all(|column| single(table).iter().any(|(known, ..)| *known == column))
}
