//! Procedures made ready to run: slots become numbers, fields become positions, queries become the engine's statements.
//! Done once when a plan is loaded; what this server cannot run is refused here and never at request time.

use crate::account::Accounts;
use crate::body::{ACCEPT_CHANGES, ACCEPT_PATCH};
use crate::encode::Key;
use crate::identity::Identities;
use crate::issuer::Issuer;
use crate::kept::{Answers, Keeping, Version};
use crate::listing::{self, ListingCheck, SelectionCheck};
use crate::nested::{self, Nested};
use crate::page::Columns;
use crate::patch::PatchCheck;
use crate::rate_limit::Limiter;
use crate::validation::Check;
use crate::webhook::AccountScope;
use dialect::{AnswerStatements, Lowered, Unsupported};
use manifest::Entries;
use manifest::point::Given;
use plan::api::Endpoint;
use plan::procedure::{
    CALLER, Generated, Input, Item, LimitKey, Location, MAY, Outcome, Patchable, Procedure, RECORDS, Response,
    ResponseField, Roles, RowsFormat, Scheme, Step, Writes, entries_of,
};
use plan::query::{Cardinality, Holes, OnConflict, Order, Output, Predicate, Query, Write};
use plan::shape;
use plan::value::{Comparison, Condition, Preference, RequestValue, Value};
use plan::{Cache, DatabasePlan, Hearing, Plan, Problem, Scope, Shape, ShapeField, accounts, check, print, uses};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use store::{Row, Store};
use vocab::{Datum, FieldName, FieldType, PolicyName, ScopeToken, Secret, SlotName, TableName};

/// A procedure that can be run.
pub(crate) struct Program {
    pub operations: Arc<[Operation]>,
    pub slots: usize,
    /// Whether it is about the caller's own rows alone.
    pub own_rows: bool,
    /// As what changes may come, where it takes some.
    pub accept_patch: Option<&'static str>,
    /// How its answers are kept, where everybody is answered the same.
    pub keeping: Option<Keeping>,
    /// The tables that it may have written once it has committed.
    pub writes: Arc<[Version]>,
}

/// One item of a program.
pub(crate) enum Operation {
    Authorize {
        scope: Option<Scope>,
        failures: Option<Arc<Limiter>>,
    },
    AuthorizeUser {
        slot: Option<usize>,
        scheme: Scheme,
        accounts: Arc<Accounts>,
        role: Option<Roles>,
        failures: Option<Arc<Limiter>>,
        /// What failed passwords count against.
        tries: Option<Arc<Limiter>>,
    },
    AuthorizeIssued {
        slot: Option<usize>,
        asked: Box<AskedOfToken>,
    },
    Limit {
        limiter: Arc<Limiter>,
        by: CountedFor,
    },
    LimitEach {
        limiter: Arc<Limiter>,
        by: CountedFor,
        of: usize,
    },
    /// What comes with a record, in that field of it.
    Part {
        limiter: Arc<Limiter>,
        by: CountedFor,
        of: (usize, usize),
        scope: Option<Scope>,
    },
    Form {
        slot: Option<usize>,
        max_body_bytes: u64,
    },
    ValidateList {
        slot: Option<usize>,
        entries: shape::Entries,
        max_body_bytes: u64,
    },
    Spare {
        limiter: Arc<Limiter>,
        by: CountedFor,
    },
    SameOrigin,
    SetSession {
        token: Option<Expression>,
    },
    Claim,
    Recall {
        answers: Arc<AnswerStatements>,
    },
    Validate {
        slot: Option<usize>,
        check: Arc<Check>,
    },
    ValidateChanges {
        slot: Option<usize>,
        check: Arc<Check>,
    },
    ValidatePatch {
        slot: Option<usize>,
        check: Arc<PatchCheck>,
    },
    Patched {
        slot: Option<usize>,
        patch: usize,
        /// Where the row has each field of the record.
        row: Vec<(usize, usize)>,
        check: Arc<PatchCheck>,
    },
    ValidateListing {
        slot: Option<usize>,
        check: Arc<ListingCheck>,
    },
    ValidateSelection {
        slot: Option<usize>,
        check: Arc<SelectionCheck>,
    },
    ValidateParameters {
        slot: Option<usize>,
        check: Arc<Check>,
    },
    ValidateQuery {
        slot: Option<usize>,
        check: Arc<Check>,
    },
    May {
        slot: Option<usize>,
        method: Expression,
        path: Expression,
    },
    /// Reads a call of a sender.
    Hear(Box<Listening>),
    Received {
        slot: Option<usize>,
    },
    Ping,
    Uuid {
        slot: Option<usize>,
    },
    Address {
        slot: Option<usize>,
    },
    Token {
        slot: Option<usize>,
        bytes: u8,
    },
    Digest {
        slot: Option<usize>,
        value: Expression,
    },
    Successor {
        slot: Option<usize>,
        secret: Secret<String>,
        value: Expression,
    },
    HashPassword {
        slot: Option<usize>,
        value: Expression,
    },
    VerifyPassword {
        slot: Option<usize>,
        password: Expression,
        hash: Expression,
    },
    IssueToken {
        slot: Option<usize>,
        accounts: Arc<Accounts>,
        claims: Vec<(Arc<str>, Expression)>,
        lifetime_seconds: u32,
    },
    Evaluate {
        slot: Option<usize>,
        value: Expression,
    },
    Ask {
        slot: Option<usize>,
        condition: Question,
    },
    ReadOne {
        slot: Option<usize>,
        statement: Bound,
        types: Vec<FieldType>,
    },
    /// `plain` of the fields that `asked` may pick are the row's own; rows of others are behind them.
    ReadPicked {
        slot: Option<usize>,
        list: Arc<List>,
        asked: usize,
        plain: usize,
    },
    ReadMany {
        slot: Option<usize>,
        statement: Bound,
        types: Vec<FieldType>,
        names: Arc<[Arc<str>]>,
    },
    ReadPage {
        slot: Option<usize>,
        list: Arc<List>,
        asked: usize,
    },
    /// `ends` are accounts of which it may end a session.
    Write {
        slot: Option<usize>,
        statement: Bound,
        outcomes: Option<[Outcome; 2]>,
        ends: Option<Arc<Accounts>>,
    },
    Insert {
        slot: Option<usize>,
        statement: Bound,
    },
    Emit {
        id: Option<usize>,
        event: Arc<str>,
        payload: Vec<(Arc<str>, Expression)>,
        text: Arc<str>,
    },
    Await(Box<Waiting>),
    Transaction(Arc<[Operation]>),
    Each(Box<Each>),
    Promise(Box<AnswerParts>),
    Match {
        slot: usize,
        arms: Vec<(Outcome, Vec<Operation>)>,
    },
    Answer {
        answer: Box<AnswerParts>,
        writes: Writes,
    },
    Rows {
        slot: usize,
        columns: Columns,
        format: RowsFormat,
        /// Whether a caller may ask for another format.
        is_asked: bool,
        writes: Writes,
    },
    Records {
        status: u16,
        slot: usize,
        writes: Writes,
    },
    Problem {
        problem: Problem,
        writes: Writes,
    },
    UnknownReference {
        field: FieldName,
        writes: Writes,
    },
    Inconsistent {
        field: FieldName,
        detail: String,
        writes: Writes,
    },
    Entry {
        list: Option<FieldName>,
        field: FieldName,
        detail: Option<String>,
        writes: Writes,
    },
    Short {
        list: FieldName,
        field: FieldName,
        writes: Writes,
    },
    Done {
        writes: Writes,
    },
}

/// What is asked of a token of another issuer.
pub(crate) struct AskedOfToken {
    /// None where the server was not told who issues them.
    pub issuer: Option<Arc<Issuer>>,
    /// Where a user must call.
    pub users: Option<Arc<Identities>>,
    pub role: Option<Roles>,
    pub grant: Option<ScopeToken>,
    pub failures: Option<Arc<Limiter>>,
}

/// Whom a request is counted for.
pub(crate) enum CountedFor {
    Principal,
    Address,
    Field(usize, usize),
}

/// What is done for every record of a list.
pub(crate) struct Each {
    /// The record that holds the list, and where.
    pub of: (usize, usize),
    pub item: usize,
    /// The fields of a record of the list.
    pub fields: Vec<(Arc<str>, FieldType)>,
    /// What is asked for all records together first.
    pub ahead: Vec<Ahead>,
    pub body: Vec<Operation>,
    pub gives: Vec<(Arc<str>, Expression)>,
    pub into: usize,
}

/// A read of [`plan::Ahead`].
pub(crate) struct Ahead {
    /// The statement for one record.
    pub text: Arc<str>,
    /// Which field of the record it compares, and where a row has it.
    pub field: usize,
    pub output: usize,
    /// What it compares besides.
    pub rest: Vec<Expression>,
    /// Whether it holds for one record alone.
    pub changes: bool,
}

/// What is waited for, and how long.
pub(crate) struct Waiting {
    pub slot: Option<usize>,
    pub id: Expression,
    pub integration: String,
    pub gives: Entries<FieldName, Given>,
    /// The order in which the slot holds them.
    pub names: Vec<FieldName>,
    pub account: AccountScope,
    pub within: Duration,
}

/// What an endpoint knows of the calls of a sender.
pub(crate) struct Listening {
    pub slot: Option<usize>,
    pub hearing: Hearing,
    pub check: Check,
    pub failures: Arc<Limiter>,
    /// Where the secrets are.
    pub account: AccountScope,
}

/// What an answer is made of.
pub(crate) struct AnswerParts {
    pub status: u16,
    pub body: Vec<(Key, Expression)>,
    pub tag: Option<Expression>,
    pub location: Option<(String, Expression)>,
    /// The slot that says which fields of the body are wanted, and how many are the record's own: those that are there where it says
    /// nothing. None where it is all of them.
    pub asked: Option<(usize, usize)>,
}

/// A query that a request completes.
pub(crate) struct List {
    pub database: Arc<DatabasePlan>,
    pub query: Query,
    /// The same where the request asks for nothing in particular.
    pub of_columns: Query,
    /// The statement of that.
    pub base: Bound,
    /// What the columns hold.
    pub types: Vec<FieldType>,
    /// The rows of others that it may ask for, which are behind the columns.
    pub related: Vec<RelatedRows>,
}

/// Rows of others that may come with a row.
pub(crate) struct RelatedRows {
    pub nested: Nested,
    pub binds: Vec<Expression>,
}

impl List {
    /// How many of the outputs are columns: the first.
    pub fn columns(&self) -> usize {
        self.types.len()
    }

    /// The query that gives these fields and what it is in the order of.
    pub fn narrowed(&self, fields: &[usize], order: &[Order]) -> Query {
        let names: Vec<FieldName> = fields.iter().map(|field| self.query.outputs[*field].field().clone()).collect();
        dialect::narrowed(&self.query, &names, order)
    }

    /// Where the outputs of a narrower query are among its own.
    pub fn places(&self, query: &Query) -> Vec<usize> {
        let place = |output: &Output| self.query.outputs.iter().position(|known| known.field() == output.field());
        query.outputs.iter().filter_map(place).collect()
    }

    /// A row of which the outputs stand at these places, in the types of those, with what is asked of rows of others.
    pub fn typed(&self, places: &[usize], asked: &listing::Nested, row: Row) -> Result<Row, Problem> {
        let held = |(place, datum): (&usize, Datum)| match self.types.get(*place) {
            Some(field_type) => Ok(nested::typed(datum, field_type)),
            None => {
                let rows = self.related[place - self.columns()].nested.read(&datum)?;
                let name = self.query.outputs[*place].field();
                let fields = asked.fields.iter().find(|(known, _)| known == name);
                Ok(fields.map_or_else(|| rows.clone(), |(_, fields)| nested::picked(&rows, fields)))
            }
        };
        places.iter().zip(row).map(held).collect()
    }
}

/// A statement with the expressions behind its placeholders.
pub(crate) struct Bound {
    pub text: Arc<str>,
    pub binds: Vec<Expression>,
}

/// Where a value comes from.
pub(crate) enum Expression {
    Literal(Datum),
    Slot(usize),
    Field(usize, usize),
    Given(usize, usize),
    /// Whether it was given, what was given, and what stands where it was not.
    Changed(Box<[Expression; 3]>),
    Path(Arc<str>),
    /// What is compared with an id: null where it is none.
    Id(Box<Expression>),
    /// What is compared with a whole number: null where it is none.
    Number(Box<Expression>),
    Now,
    Today,
    After(u32),
    Else(Box<Expression>, Box<Expression>),
    Times(Box<Expression>, Box<Expression>),
    /// A text with a value behind it.
    Prefixed(Arc<str>, Box<Expression>),
    /// The position of the field in the records of the list.
    Sum(usize, usize),
    Address,
    RequestId,
    Record(Vec<(Arc<str>, Expression)>),
}

/// A condition.
pub(crate) enum Question {
    Compare(Expression, Comparison, Expression),
    Present(Expression),
    Current(Expression),
    Prefers(Preference),
    All(Vec<Question>),
    Any(Vec<Question>),
    Not(Box<Question>),
}

/// Why a plan cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum UnservablePlan {
    /// A step of the plan is not one this server runs.
    #[error("procedure `{procedure}`: this server does not run `{what}`")]
    Step {
        /// The procedure.
        procedure: String,
        /// What it would have to do.
        what: String,
    },
    /// The procedure contradicts itself.
    #[error("procedure `{procedure}` is malformed: {why}")]
    Malformed {
        /// The procedure.
        procedure: String,
        /// How.
        why: String,
    },
    /// The engine has no statement for a query.
    #[error(transparent)]
    Query(#[from] Unsupported),
    /// Two endpoints want one path.
    #[error("{method} {path} is served by two tasks")]
    RouteTaken {
        /// The method.
        method: String,
        /// The path.
        path: String,
    },
}

/// The limiters of an API by policy: endpoints of one policy share one.
pub(crate) type Limiters = BTreeMap<PolicyName, Arc<Limiter>>;

/// What the servers of a database have in common.
#[derive(Clone, Copy)]
pub(crate) struct Shared<'a> {
    /// The plan's database, for all lists of it.
    pub database: &'a Arc<DatabasePlan>,
    /// Who signs in.
    pub accounts: Option<&'a Arc<Accounts>>,
    /// Who issues the tokens of others.
    pub issuer: Option<&'a Arc<Issuer>>,
    /// What tokens are calculated with.
    pub secret: Option<&'a Secret<String>>,
    /// Where answers are kept, and the database that they tell of.
    pub kept: (&'a Answers, &'a Store),
}

pub(crate) fn compile(
    plan: &Plan,
    account: &AccountScope,
    shared: Shared<'_>,
    endpoint: &Endpoint,
    limiters: &Limiters,
) -> Result<Program, UnservablePlan> {
    let program = compile_procedure(plan, account, shared, &endpoint.procedure, endpoint.max_body_bytes, limiters)?;
    let keeping = match (endpoint.cache, endpoint.route()) {
        (Cache::Public(seconds), Some((_, path))) => {
            let tables = uses::reads(&plan.database.tables, &endpoint.procedure);
            let (answers, store) = shared.kept;
            Keeping::of(&program.operations, path, seconds, answers.versions(store, &tables))
        }
        (Cache::Public(_) | Cache::Private(_) | Cache::NoStore, _) => None,
    };
    Ok(Program { own_rows: endpoint.own_rows, keeping, ..program })
}

/// The same of a procedure that no request of a client starts.
pub(crate) fn compile_procedure(
    plan: &Plan,
    account: &AccountScope,
    shared: Shared<'_>,
    procedure: &Procedure,
    max_body_bytes: u64,
    limiters: &Limiters,
) -> Result<Program, UnservablePlan> {
    if let Some(why) = check::violations(procedure).into_iter().next() {
        return Err(UnservablePlan::Malformed { procedure: procedure.name.to_string(), why });
    }
    let mut compiler = Compiler { procedure, plan, account, shared, max_body_bytes, limiters, slots: BTreeMap::new() };
    let operations = compiler.block(&procedure.body)?;
    let accept_patch = procedure.body.iter().find_map(|item| match item {
        Item::Let(_, Step::Validate(Input::Patch(_))) => Some(ACCEPT_PATCH),
        Item::Let(_, Step::Validate(Input::Changes(_))) => Some(ACCEPT_CHANGES),
        _ => None,
    });
    let (answers, store) = shared.kept;
    let writes = answers.versions(store, &uses::writes(&plan.database.tables, procedure)).into();
    let operations = operations.into();
    Ok(Program { operations, slots: compiler.slots.len(), own_rows: false, accept_patch, keeping: None, writes })
}

struct Compiler<'a> {
    procedure: &'a Procedure,
    plan: &'a Plan,
    account: &'a AccountScope,
    shared: Shared<'a>,
    max_body_bytes: u64,
    limiters: &'a Limiters,
    /// Each slot's number and the fields of the record it holds.
    slots: BTreeMap<SlotName, (usize, Vec<FieldName>)>,
}

impl Compiler<'_> {
    fn unsupported(&self, what: &str) -> UnservablePlan {
        UnservablePlan::Step { procedure: self.procedure.name.to_string(), what: what.to_owned() }
    }

    fn malformed(&self, why: String) -> UnservablePlan {
        UnservablePlan::Malformed { procedure: self.procedure.name.to_string(), why }
    }

    fn block(&mut self, items: &[Item]) -> Result<Vec<Operation>, UnservablePlan> {
        items.iter().map(|item| self.item(item)).collect()
    }

    fn item(&mut self, item: &Item) -> Result<Operation, UnservablePlan> {
        match item {
            Item::Let(slot, step) => {
                let fields = match step {
                    Step::Patched { patch, .. } => self.patchable(patch).map_or_else(Vec::new, fields_of_patch),
                    step => fields(step),
                };
                let number = self.bind(slot, fields);
                self.step(step, Some(number))
            }
            Item::Do(step) => self.step(step, None),
            Item::Transaction(body) => Ok(Operation::Transaction(self.block(body)?.into())),
            Item::Each(each) => self.each(each),
            Item::Promise(Response::Answer { status, body, tag, location }) => {
                Ok(Operation::Promise(Box::new(self.answer(*status, body, tag.as_ref(), location.as_ref())?)))
            }
            Item::Promise(_) => Err(self.unsupported("a promise of this kind of answer")),
            Item::Match(slot, arms) => {
                let arms = arms
                    .iter()
                    .map(|(outcome, body)| Ok((*outcome, self.block(body)?)))
                    .collect::<Result<_, UnservablePlan>>()?;
                Ok(Operation::Match { slot: self.slot(slot)?, arms })
            }
            Item::Exit(Response::Answer { status, body, tag, location }, writes) => {
                let answer = Box::new(self.answer(*status, body, tag.as_ref(), location.as_ref())?);
                Ok(Operation::Answer { answer, writes: *writes })
            }
            Item::Exit(Response::Record { asked, body, tag }, writes) => {
                let mut answer = self.answer(200, body, Some(tag), None)?;
                answer.asked = Some((self.slot(asked)?, body.len()));
                if let Some((slot, query)) = self.filled_by(asked) {
                    let related = query.related().map(|related| {
                        let (number, position) = self.field(slot, &related.field)?;
                        Ok((Key::new(related.field.as_str()), Expression::Field(number, position)))
                    });
                    answer.body.extend(related.collect::<Result<Vec<_>, UnservablePlan>>()?);
                }
                let answer = Box::new(answer);
                Ok(Operation::Answer { answer, writes: *writes })
            }
            Item::Exit(Response::Rows { slot, format }, writes) => {
                let number = self.slot(slot)?;
                let names = self.slots.get(slot).map_or_else(Vec::new, |(_, fields)| {
                    fields.iter().map(|field| Arc::from(field.as_str())).collect()
                });
                let read = self.procedure.body.iter().find_map(|item| match item {
                    Item::Let(bound, Step::Read { query, filled_by, .. }) if bound == slot => Some((query, filled_by)),
                    _ => None,
                });
                let (query, asked) = read.ok_or_else(|| self.unsupported("rows that no read gives"))?;
                let related = query.related().map(|_| FieldType::Json);
                let mut types = self.types(query)?;
                let plain = types.len();
                types.extend(related);
                Ok(Operation::Rows {
                    slot: number,
                    columns: Columns { keys: names.iter().map(|name| Key::new(name)).collect(), names, types, plain },
                    format: *format,
                    is_asked: *format == RowsFormat::Json && asked.is_some(),
                    writes: *writes,
                })
            }
            Item::Exit(Response::Records { status, slot, fields: _ }, writes) => {
                Ok(Operation::Records { status: *status, slot: self.slot(slot)?, writes: *writes })
            }
            Item::Exit(Response::Problem(problem), writes) => {
                Ok(Operation::Problem { problem: *problem, writes: *writes })
            }
            Item::Exit(Response::UnknownReference(field), writes) => {
                Ok(Operation::UnknownReference { field: field.clone(), writes: *writes })
            }
            Item::Exit(Response::Inconsistent { field, detail }, writes) => {
                Ok(Operation::Inconsistent { field: field.clone(), detail: detail.clone(), writes: *writes })
            }
            Item::Exit(Response::Entry { list, field, detail }, writes) => Ok(Operation::Entry {
                list: list.clone(),
                field: field.clone(),
                detail: detail.clone(),
                writes: *writes,
            }),
            Item::Exit(Response::Short { list, field }, writes) => {
                Ok(Operation::Short { list: list.clone(), field: field.clone(), writes: *writes })
            }
            Item::Exit(Response::Done, writes) => Ok(Operation::Done { writes: *writes }),
            Item::Exit(Response::Redirect(_), _) => Err(self.unsupported("this kind of answer")),
        }
    }

    fn answer(
        &self,
        status: u16,
        body: &[ResponseField],
        tag: Option<&Value>,
        location: Option<&Location>,
    ) -> Result<AnswerParts, UnservablePlan> {
        let body = body
            .iter()
            .map(|field| Ok((Key::new(field.name.as_str()), self.value(&field.value)?)))
            .collect::<Result<_, UnservablePlan>>()?;
        let tag = tag.map(|tag| self.value(tag)).transpose()?;
        let location = match location {
            Some(location) => Some((location.path.clone(), self.value(&location.key)?)),
            None => None,
        };
        Ok(AnswerParts { status, body, tag, location, asked: None })
    }

    fn each(&mut self, each: &plan::procedure::Each) -> Result<Operation, UnservablePlan> {
        let of = self.field(&each.of, &each.list)?;
        let entries = entries_of(&self.procedure.body, &each.of, &each.list);
        let shape = &entries.ok_or_else(|| self.unsupported("a list that no body brings"))?.shape;
        let names = shape.fields.iter().map(|field| field.name.clone()).collect();
        let item = self.bind(&each.item, names);
        let ahead = each.ahead().iter().map(|ahead| self.ahead(ahead, shape)).collect::<Result<_, _>>()?;
        let body = self.block(&each.body)?;
        let gives = self.record(&each.gives)?;
        let into = self.bind(&each.into, each.gives.iter().map(|(name, _)| name.clone()).collect());
        let field = |field: &ShapeField| (Arc::from(field.name.as_str()), field.field_type.clone());
        let fields = shape.fields.iter().map(field).collect();
        Ok(Operation::Each(Box::new(Each { of, item, fields, ahead, body, gives, into })))
    }

    fn ahead(&self, ahead: &plan::Ahead<'_>, shape: &Shape) -> Result<Ahead, UnservablePlan> {
        let plan::Ahead { slot: _, query, field, output, changes } = *ahead;
        let lowered = dialect::lower_query(&self.plan.database, query)?;
        let Bound { text, mut binds } = self.bound(lowered, &query.from, &query.filter)?;
        let place = shape.fields.iter().position(|known| known.name == *field);
        let field = place.ok_or_else(|| self.malformed(format!("a list has no `{field}`")))?;
        Ok(Ahead { text, field, output, rest: binds.split_off(1), changes })
    }

    /// The number of a slot. A name that two arms bind is one slot.
    fn bind(&mut self, slot: &SlotName, fields: Vec<FieldName>) -> usize {
        let next = self.slots.len();
        let number = self.slots.get(slot).map_or(next, |(number, _)| *number);
        self.slots.insert(slot.clone(), (number, fields));
        number
    }

    fn step(&mut self, step: &Step, slot: Option<usize>) -> Result<Operation, UnservablePlan> {
        match step {
            Step::Authorize { scheme: Scheme::ApiKey, scope, role: _, grant: _, failures } => {
                let failures = failures.as_ref().map(|policy| self.limiter(policy)).transpose()?;
                Ok(Operation::Authorize { scope: scope.clone(), failures })
            }
            Step::Authorize {
                scheme: scheme @ (Scheme::AccessToken | Scheme::Session | Scheme::SignedIn | Scheme::Basic),
                scope: _,
                role,
                grant: _,
                failures,
            } => {
                let failures = failures.as_ref().map(|policy| self.limiter(policy)).transpose()?;
                let (scheme, role) = (*scheme, role.clone());
                let policy =
                    (scheme == Scheme::Basic).then(|| PolicyName::parse(accounts::FAILED_LOGINS).ok()).flatten();
                let tries = policy.as_ref().map(|policy| self.limiter(policy)).transpose()?;
                Ok(Operation::AuthorizeUser { slot, scheme, accounts: self.accounts()?, role, failures, tries })
            }
            Step::Authorize { scheme: Scheme::Issued, scope: _, role, grant, failures } => {
                let users = match slot {
                    Some(_) => Some(self.identities()?),
                    None => None,
                };
                let failures = failures.as_ref().map(|policy| self.limiter(policy)).transpose()?;
                let (issuer, role, grant) = (self.shared.issuer.cloned(), role.clone(), grant.clone());
                let asked = Box::new(AskedOfToken { issuer, users, role, grant, failures });
                Ok(Operation::AuthorizeIssued { slot, asked })
            }
            Step::Limit { policy, by } => {
                Ok(Operation::Limit { limiter: self.limiter(policy)?, by: self.counted_for(by)? })
            }
            Step::LimitEach { policy, by, of } => Ok(Operation::LimitEach {
                limiter: self.limiter(policy)?,
                by: self.counted_for(by)?,
                of: self.slot(of)?,
            }),
            Step::Part { of, list, scope, policy, by } => Ok(Operation::Part {
                limiter: self.limiter(policy)?,
                by: self.counted_for(by)?,
                of: self.field(of, list)?,
                scope: scope.clone(),
            }),
            Step::Form => Ok(Operation::Form { slot, max_body_bytes: self.max_body_bytes }),
            Step::Validate(Input::List(entries)) => {
                let (entries, max_body_bytes) = (entries.clone(), self.max_body_bytes);
                Ok(Operation::ValidateList { slot, entries, max_body_bytes })
            }
            Step::Spare { policy, by } => {
                Ok(Operation::Spare { limiter: self.limiter(policy)?, by: self.counted_for(by)? })
            }
            Step::SameOrigin => Ok(Operation::SameOrigin),
            Step::SetSession(token) => {
                Ok(Operation::SetSession { token: token.as_ref().map(|token| self.value(token)).transpose()? })
            }
            Step::Claim => Ok(Operation::Claim),
            Step::Recall(_) => {
                Ok(Operation::Recall { answers: Arc::new(dialect::lower_answers(self.plan.database.engine)?) })
            }
            Step::Validate(Input::Body(shape)) => {
                Ok(Operation::Validate { slot, check: Arc::new(Check::new(shape, self.max_body_bytes)) })
            }
            Step::Validate(Input::Changes(shape)) => {
                Ok(Operation::ValidateChanges { slot, check: Arc::new(Check::new(shape, self.max_body_bytes)) })
            }
            Step::Validate(Input::Patch(patchable)) => {
                Ok(Operation::ValidatePatch { slot, check: Arc::new(PatchCheck::new(patchable, self.max_body_bytes)) })
            }
            Step::Patched { patch, row } => {
                let patchable = self.patchable(patch).ok_or_else(|| self.unsupported("a patch that no body brings"))?;
                let row =
                    PatchCheck::fields(patchable).map(|field| self.field(row, field)).collect::<Result<_, _>>()?;
                let check = Arc::new(PatchCheck::new(patchable, self.max_body_bytes));
                Ok(Operation::Patched { slot, patch: self.slot(patch)?, row, check })
            }
            Step::Validate(Input::Listing(holes)) => {
                let query = self.filled_query(holes).ok_or_else(|| self.unsupported("a list without its query"))?;
                let check = ListingCheck::new(query, holes, &self.plan.database)
                    .ok_or_else(|| self.malformed("a list names columns that its table does not have".to_owned()))?;
                Ok(Operation::ValidateListing { slot, check: Arc::new(check) })
            }
            Step::Validate(Input::Selection(holes)) => {
                let body = self.procedure.body.iter().find_map(|item| match item {
                    Item::Exit(Response::Record { body, .. }, _) => Some(body),
                    _ => None,
                });
                let body = body.ok_or_else(|| self.unsupported(print::step_name(step)))?;
                let names = body.iter().map(|field| field.name.clone()).collect();
                let of = |query| {
                    let related = listing::related(query, &self.plan.database);
                    related.ok_or_else(|| self.malformed("rows of others that have no page or no key".to_owned()))
                };
                let related = self.filled_query(holes).map(of).transpose()?.unwrap_or_default();
                let check = SelectionCheck { names, related };
                Ok(Operation::ValidateSelection { slot, check: Arc::new(check) })
            }
            Step::Validate(Input::Parameters(shape)) => {
                Ok(Operation::ValidateParameters { slot, check: Arc::new(Check::new(shape, self.max_body_bytes)) })
            }
            Step::Validate(Input::Query(shape)) => {
                Ok(Operation::ValidateQuery { slot, check: Arc::new(Check::new(shape, self.max_body_bytes)) })
            }
            Step::May { method, path } => {
                Ok(Operation::May { slot, method: self.value(method)?, path: self.value(path)? })
            }
            Step::Received(_) => Ok(Operation::Received { slot }),
            Step::Hear(hearing) => Ok(Operation::Hear(Box::new(Listening {
                slot,
                check: Check::new(&hearing.shape, self.max_body_bytes),
                failures: self.limiter(&hearing.failures)?,
                hearing: (**hearing).clone(),
                account: Arc::clone(self.account),
            }))),
            Step::Ping => Ok(Operation::Ping),
            Step::Generate(Generated::Uuid) => Ok(Operation::Uuid { slot }),
            Step::Generate(Generated::Address) => Ok(Operation::Address { slot }),
            Step::Generate(Generated::Token { bytes }) => Ok(Operation::Token { slot, bytes: *bytes }),
            Step::Digest(value) => Ok(Operation::Digest { slot, value: self.value(value)? }),
            Step::Successor(value) => {
                let secret = self.shared.secret.cloned();
                let secret =
                    secret.ok_or_else(|| self.malformed("it calculates tokens without a secret".to_owned()))?;
                Ok(Operation::Successor { slot, secret, value: self.value(value)? })
            }
            Step::HashPassword(value) => Ok(Operation::HashPassword { slot, value: self.value(value)? }),
            Step::VerifyPassword { password, hash } => {
                Ok(Operation::VerifyPassword { slot, password: self.value(password)?, hash: self.value(hash)? })
            }
            Step::IssueToken { claims, lifetime_seconds } => Ok(Operation::IssueToken {
                slot,
                accounts: self.accounts()?,
                claims: self.record(claims)?,
                lifetime_seconds: *lifetime_seconds,
            }),
            Step::Evaluate(value) => Ok(Operation::Evaluate { slot, value: self.value(value)? }),
            Step::Check(condition) => Ok(Operation::Ask { slot, condition: self.condition(condition)? }),
            Step::Read { query, cardinality: Cardinality::One, filled_by: Some(asked) }
                if query.related().count() > 0 =>
            {
                let answered = self.procedure.body.iter().find_map(|item| match item {
                    Item::Exit(Response::Record { body, .. }, _) => Some(body.len()),
                    _ => None,
                });
                let plain = answered.ok_or_else(|| self.unsupported(print::step_name(step)))?;
                let lowered = dialect::lower_query(&self.plan.database, &query.of_columns())?;
                Ok(Operation::ReadPicked { slot, list: self.list(query, lowered)?, asked: self.slot(asked)?, plain })
            }
            Step::Read { query, cardinality: Cardinality::One, filled_by: _ } => {
                let lowered = dialect::lower_query(&self.plan.database, query)?;
                let statement = self.bound(lowered, &query.from, &query.filter)?;
                Ok(Operation::ReadOne { slot, statement, types: self.types(query)? })
            }
            Step::Read { query, cardinality: Cardinality::Many, filled_by: None } => {
                let lowered = dialect::lower_query(&self.plan.database, query)?;
                let statement = self.bound(lowered, &query.from, &query.filter)?;
                let names = fields(step).iter().map(|name| Arc::from(name.as_str())).collect();
                Ok(Operation::ReadMany { slot, statement, types: self.types(query)?, names })
            }
            Step::Read { query, cardinality: Cardinality::Many, filled_by: Some(asked) } => {
                let lowered = dialect::lower_listing_base(&self.plan.database, &query.of_columns())?;
                Ok(Operation::ReadPage { slot, list: self.list(query, lowered)?, asked: self.slot(asked)? })
            }
            Step::Write(write) => {
                let (table, filter) = write.filter();
                let statement = self.bound(dialect::lower_write(&self.plan.database, write)?, table, filter)?;
                if let Write::Insert { made: Some(_), .. } = write {
                    return Ok(Operation::Insert { slot, statement });
                }
                let ends = self.shared.accounts.filter(|_| accounts::ends_sessions(write)).cloned();
                Ok(Operation::Write { slot, statement, outcomes: outcomes(write), ends })
            }
            Step::Emit { id, event, payload } => {
                if !self.plan.api.events.iter().any(|declared| declared.name == *event) {
                    return Err(self.malformed(format!("event `{event}` is not declared")));
                }
                let payload = self.record(payload)?;
                let text = Arc::from(dialect::lower_emit(self.plan.database.engine));
                let id = id.as_ref().map(|id| self.slot(id)).transpose()?;
                Ok(Operation::Emit { id, event: Arc::from(event.as_str()), payload, text })
            }
            Step::Await { id, event: _, by, gives, within_ms } => Ok(Operation::Await(Box::new(Waiting {
                slot,
                id: self.value(id)?,
                integration: by.to_string(),
                gives: gives.clone(),
                names: gives.iter().map(|(name, _)| name.clone()).collect(),
                account: Arc::clone(self.account),
                within: Duration::from_millis(u64::from(*within_ms)),
            }))),
            Step::Fetch { .. } | Step::Presign { .. } => Err(self.unsupported(print::step_name(step))),
        }
    }

    /// What the body in the slot patches.
    fn patchable(&self, patch: &SlotName) -> Option<&Patchable> {
        self.procedure.body.iter().find_map(|item| match item {
            Item::Let(slot, Step::Validate(Input::Patch(patchable))) if slot == patch => Some(patchable),
            _ => None,
        })
    }

    fn identities(&self) -> Result<Arc<Identities>, UnservablePlan> {
        let missing = || self.malformed("it takes users that its API has not".to_owned());
        let accounts = self.accounts()?;
        let declared = self.plan.api.accounts.as_ref().ok_or_else(missing)?;
        let newcomers = declared.newcomers.ok_or_else(missing)?;
        let store = accounts.store();
        Ok(Arc::new(Identities::new(store, &self.plan.database, &declared.users, newcomers, &accounts)?))
    }

    fn accounts(&self) -> Result<Arc<Accounts>, UnservablePlan> {
        let accounts = self.shared.accounts.cloned();
        accounts.ok_or_else(|| self.malformed("it asks for accounts that its API has not".to_owned()))
    }

    fn counted_for(&self, by: &LimitKey) -> Result<CountedFor, UnservablePlan> {
        Ok(match by {
            LimitKey::Principal => CountedFor::Principal,
            LimitKey::Address => CountedFor::Address,
            LimitKey::Field(slot, field) => {
                let (slot, field) = self.field(slot, field)?;
                CountedFor::Field(slot, field)
            }
        })
    }

    /// The query that a listing of these holes fills.
    fn filled_query(&self, holes: &Holes) -> Option<&Query> {
        self.procedure.body.iter().find_map(|item| match item {
            Item::Let(_, Step::Read { query, filled_by: Some(_), .. }) if query.holes == *holes => Some(query),
            _ => None,
        })
    }

    /// The query of the read that the slot fills, and where its row goes.
    fn filled_by(&self, asked: &SlotName) -> Option<(&SlotName, &Query)> {
        self.procedure.body.iter().find_map(|item| match item {
            Item::Let(row, Step::Read { query, filled_by: Some(slot), .. }) if slot == asked => Some((row, query)),
            _ => None,
        })
    }

    /// The query with what its rows of others need; `lowered` is what gives its columns.
    fn list(&self, query: &Query, lowered: Lowered) -> Result<Arc<List>, UnservablePlan> {
        let related = query.related().map(|related| {
            let nested = Nested {
                names: related.query.outputs.iter().map(|output| output.field().to_string()).collect(),
                types: self.types(&related.query)?,
                cardinality: related.cardinality,
            };
            let lowered = dialect::lower_related(&self.plan.database, &query.from, related)?;
            let mut keys = Vec::new();
            self.keys_in(&related.query.from, &related.query.filter, &mut keys);
            related.through.iter().for_each(|through| self.keys_in(&through.table, &through.filter, &mut keys));
            Ok(RelatedRows { nested, binds: self.bound_by(lowered, &keys)?.binds })
        });
        Ok(Arc::new(List {
            database: Arc::clone(self.shared.database),
            query: query.clone(),
            of_columns: query.of_columns(),
            base: self.bound(lowered, &query.from, &query.filter)?,
            types: self.types(query)?,
            related: related.collect::<Result<_, UnservablePlan>>()?,
        }))
    }

    /// What each column of a query holds: engines without a type for it keep it in another.
    fn types(&self, query: &Query) -> Result<Vec<FieldType>, UnservablePlan> {
        let columns = query.outputs.iter().filter_map(|output| match output {
            Output::Column { column, .. } => Some(column),
            Output::Related(_) => None,
        });
        let held = |column| {
            let known = self.plan.database.column(&query.from, column).map(|column| column.field_type.clone());
            known.ok_or_else(|| self.malformed(format!("table `{}` has no column `{column}`", query.from)))
        };
        columns.map(held).collect()
    }

    fn limiter(&self, policy: &PolicyName) -> Result<Arc<Limiter>, UnservablePlan> {
        self.limiters.get(policy).cloned().ok_or_else(|| self.malformed(format!("policy `{policy}` is not declared")))
    }

    fn slot(&self, slot: &SlotName) -> Result<usize, UnservablePlan> {
        self.slots
            .get(slot)
            .map(|(number, _)| *number)
            .ok_or_else(|| self.malformed(format!("slot `{slot}` is not bound")))
    }

    fn field(&self, slot: &SlotName, field: &FieldName) -> Result<(usize, usize), UnservablePlan> {
        let known = self.slots.get(slot);
        known
            .and_then(|(number, fields)| Some((*number, fields.iter().position(|known| known == field)?)))
            .ok_or_else(|| self.malformed(format!("slot `{slot}` has no field `{field}`")))
    }

    fn bound(&self, lowered: Lowered, table: &TableName, filter: &[Predicate]) -> Result<Bound, UnservablePlan> {
        let mut keys = Vec::new();
        self.keys_in(table, filter, &mut keys);
        self.bound_by(lowered, &keys)
    }

    fn bound_by(&self, lowered: Lowered, keys: &[(&Value, FieldType)]) -> Result<Bound, UnservablePlan> {
        let bind = |value: &Value| {
            let expression = self.value(value)?;
            Ok(match keys.iter().find(|(known, _)| *known == value) {
                Some((_, FieldType::Uuid)) => Expression::Id(Box::new(expression)),
                Some((_, FieldType::Integer)) => Expression::Number(Box::new(expression)),
                Some(_) | None => expression,
            })
        };
        let binds = lowered.binds.iter().map(bind).collect::<Result<_, UnservablePlan>>()?;
        Ok(Bound { text: lowered.text.into(), binds })
    }

    /// What is compared with a column, and what that holds. A text that is no UUID in lower case, or no whole number as it is
    /// written, is equal to none, however the engine compares them.
    fn keys_in<'f>(&self, table: &TableName, filter: &'f [Predicate], keys: &mut Vec<(&'f Value, FieldType)>) {
        for predicate in filter {
            match predicate {
                Predicate::Compare(column, _, value) => {
                    let column = self.plan.database.column(table, column);
                    keys.extend(column.map(|column| (value, column.field_type.clone())));
                }
                Predicate::Any(inner) | Predicate::All(inner) => self.keys_in(table, inner, keys),
                Predicate::Not(inner) => self.keys_in(table, std::slice::from_ref(inner), keys),
                Predicate::Test(..) | Predicate::Null(_) => {}
            }
        }
    }

    fn record(&self, fields: &[(FieldName, Value)]) -> Result<Vec<(Arc<str>, Expression)>, UnservablePlan> {
        fields.iter().map(|(name, value)| Ok((Arc::from(name.as_str()), self.value(value)?))).collect()
    }

    fn value(&self, value: &Value) -> Result<Expression, UnservablePlan> {
        Ok(match value {
            Value::Literal(datum) => Expression::Literal(datum.clone()),
            Value::Slot(slot) => Expression::Slot(self.slot(slot)?),
            Value::Field(slot, field) => {
                let (number, position) = self.field(slot, field)?;
                Expression::Field(number, position)
            }
            Value::Given(slot, field) => {
                let (number, position) = self.field(slot, field)?;
                Expression::Given(number, position)
            }
            Value::Changed(changes, field, row) => {
                let given = self.value(&Value::Given(changes.clone(), field.clone()))?;
                let change = self.value(&Value::Field(changes.clone(), field.clone()))?;
                let kept = self.value(&Value::Field(row.clone(), field.clone()))?;
                Expression::Changed(Box::new([given, change, kept]))
            }
            Value::Now => Expression::Now,
            Value::Request(RequestValue::Path(name)) => Expression::Path(Arc::from(name.as_str())),
            Value::Today => Expression::Today,
            Value::After(seconds) => Expression::After(*seconds),
            Value::Else(first, second) => Expression::Else(Box::new(self.value(first)?), Box::new(self.value(second)?)),
            Value::Times(first, second) => {
                Expression::Times(Box::new(self.value(first)?), Box::new(self.value(second)?))
            }
            Value::Prefixed(text, inner) => {
                Expression::Prefixed(Arc::from(text.as_str()), Box::new(self.value(inner)?))
            }
            Value::Sum(slot, field) => {
                let (number, position) = self.field(slot, field)?;
                Expression::Sum(number, position)
            }
            Value::Request(RequestValue::Address) => Expression::Address,
            Value::Request(RequestValue::Id) => Expression::RequestId,
            Value::Request(RequestValue::Query(_) | RequestValue::Cookie(_)) => {
                return Err(self.unsupported("this part of a request"));
            }
            Value::Record(fields) => Expression::Record(self.record(fields)?),
        })
    }

    fn condition(&self, condition: &Condition) -> Result<Question, UnservablePlan> {
        let several = |list: &[Condition]| list.iter().map(|one| self.condition(one)).collect::<Result<Vec<_>, _>>();
        Ok(match condition {
            Condition::Compare(left, comparison, right) => {
                Question::Compare(self.value(left)?, *comparison, self.value(right)?)
            }
            Condition::Present(value) => Question::Present(self.value(value)?),
            Condition::Prefers(preference) => Question::Prefers(*preference),
            Condition::Current(tag) => Question::Current(self.value(tag)?),
            Condition::All(list) => Question::All(several(list)?),
            Condition::Any(list) => Question::Any(several(list)?),
            Condition::Not(inner) => Question::Not(Box::new(self.condition(inner)?)),
        })
    }
}

/// The fields of the record that a step leaves in its slot.
fn fields(step: &Step) -> Vec<FieldName> {
    match step {
        Step::Validate(Input::Body(shape) | Input::Changes(shape) | Input::Parameters(shape) | Input::Query(shape)) => {
            shape.fields.iter().map(|field| field.name.clone()).collect()
        }
        Step::Validate(Input::List(_)) => named(&[RECORDS]),
        Step::Authorize { scheme, .. } if scheme.is_user() => named(&CALLER),
        Step::May { .. } => named(&MAY),
        Step::Received(fields) => fields.iter().map(|(name, _)| name.clone()).collect(),
        Step::Hear(hearing) => hearing.names().collect(),
        Step::Await { gives, .. } => gives.iter().map(|(name, _)| name.clone()).collect(),
        Step::Read { query: Query { outputs, .. }, .. } => {
            outputs.iter().map(|output| output.field().clone()).collect()
        }
        _ => Vec::new(),
    }
}

fn fields_of_patch(patchable: &Patchable) -> Vec<FieldName> {
    patchable.shape.fields.iter().map(|field| field.name.clone()).collect()
}

fn named(fields: &[&str]) -> Vec<FieldName> {
    fields.iter().map(|name| FieldName::parse(name).expect("a literal that is a name")).collect()
}

/// How many rows were changed tells which of the two it was.
fn outcomes(write: &Write) -> Option<[Outcome; 2]> {
    match write {
        Write::Insert { on_conflict: OnConflict::Keep { .. }, .. } => Some([Outcome::Inserted, Outcome::Present]),
        Write::Insert { on_conflict: OnConflict::Fail | OnConflict::Replace { .. }, .. } => None,
        Write::Update { .. } | Write::Delete { .. } | Write::Add(_) => Some([Outcome::Changed, Outcome::Unchanged]),
    }
}
