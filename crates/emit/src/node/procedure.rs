//! Procedures as JavaScript: each endpoint becomes a function that reads like its procedure, one statement a step.
//! Comes in: a plan; goes out: the text of `endpoints.js` and what `middleware.js` must offer it. It decides nothing: a step
//! that it has no words for is an error.

use super::names::{Names, camel_case};
use super::script::{Expression, Script, quoted, template_literal};
use crate::error::EmitError;
use crate::outline::{Held, Outline, Slots, always_exits, bound_slots, flattened, used_slots};
use plan::procedure::{
    Generated, Input, Item, LimitKey, Outcome, Procedure, Response, ResponseField, Scheme, Step, Writes,
};
use plan::query::{Cardinality, OnConflict, Write};
use plan::shape::Shape;
use plan::value::{Comparison, Condition, RequestValue, Value};
use plan::{Plan, Problem, check, database::Nullability, print};
use std::collections::{BTreeMap, BTreeSet};
use vocab::{Datum, FieldName, PolicyName, SlotName, TableName};

/// `BODY_LIMIT` of `lib/body.js`, in bytes; a test compares them.
pub const DEFAULT_BODY_LIMIT: u64 = 65_536;
/// The largest whole number that JavaScript keeps exactly.
const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

/// What a module of endpoints may import from `lib/`, in the order of the paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Import {
    Authorize,
    Undo,
    Uuidv7,
    Problem,
    Anonymous,
    Respond,
    Validate,
}

impl Import {
    const ALL: [Self; 7] =
        [Self::Authorize, Self::Undo, Self::Uuidv7, Self::Problem, Self::Anonymous, Self::Respond, Self::Validate];

    fn symbol(self) -> &'static str {
        match self {
            Self::Authorize => "authorize",
            Self::Undo => "undo",
            Self::Uuidv7 => "uuidv7",
            Self::Problem => "Problem",
            Self::Anonymous => "anonymous",
            Self::Respond => "respond",
            Self::Validate => "validate",
        }
    }

    fn file(self) -> &'static str {
        match self {
            Self::Authorize => "authorization",
            Self::Undo => "database",
            Self::Uuidv7 => "identifiers",
            Self::Problem => "problem",
            Self::Anonymous => "request",
            Self::Respond => "response",
            Self::Validate => "validation",
        }
    }
}

/// What the endpoints of an API share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shared {
    /// Its API keys.
    Keys,
    /// Its rate limits.
    Limits,
    /// Its outbox.
    Outbox,
}

impl Shared {
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Keys => "keys",
            Self::Limits => "limits",
            Self::Outbox => "outbox",
        }
    }
}

/// A shape as a constant of `middleware.js`.
pub struct ShapeConstant<'a> {
    pub name: String,
    pub shape: &'a Shape,
    /// The endpoints that take such bodies: `POST /api/contact`.
    pub takers: Vec<String>,
}

/// The module of endpoints.
pub struct EndpointModule<'a> {
    /// The text of `endpoints.js`.
    pub text: String,
    pub shared: BTreeSet<Shared>,
    pub shapes: Vec<ShapeConstant<'a>>,
}

/// The endpoints of a plan as a module.
pub fn endpoint_module<'a>(plan: &'a Plan, outlines: &[Outline<'a>]) -> Result<EndpointModule<'a>, EmitError> {
    let mut module = Module::new(plan, outlines);
    let mut routes = Script::new();
    for outline in outlines {
        routes.blank();
        module.route(outline, &mut routes)?;
    }
    Ok(module.finish(&routes.into_text()))
}

/// What is gathered while procedures are written.
struct Module<'a> {
    plan: &'a Plan,
    names: Names,
    locals: BTreeMap<SlotName, String>,
    shapes: Vec<ShapeConstant<'a>>,
    /// Constants of `endpoints.js`: name and statement, in order of first use.
    statements: Vec<(String, String)>,
    imports: BTreeSet<Import>,
    shared: BTreeSet<Shared>,
}

impl<'a> Module<'a> {
    fn new(plan: &'a Plan, outlines: &[Outline<'a>]) -> Self {
        let mut taken: Vec<&str> = Import::ALL.map(Import::symbol).to_vec();
        taken.extend([Shared::Keys, Shared::Limits, Shared::Outbox].map(Shared::symbol));
        taken.extend(["application", "createMiddleware", "database", "metrics", "registerEndpoints"]);
        taken.extend(["request", "transaction"]);
        let mut names = Names::new(&taken);
        let shapes = shape_constants(outlines, &mut names);
        let slots: BTreeSet<SlotName> =
            outlines.iter().flat_map(|outline| bound_slots(&outline.endpoint.procedure.body)).collect();
        let locals = slots.into_iter().map(|slot| (slot.clone(), names.take(&camel_case(slot.as_str())))).collect();
        Self {
            plan,
            names,
            locals,
            shapes,
            statements: Vec::new(),
            imports: BTreeSet::new(),
            shared: BTreeSet::new(),
        }
    }

    fn route(&mut self, outline: &Outline<'a>, routes: &mut Script) -> Result<(), EmitError> {
        let procedure = &outline.endpoint.procedure;
        if let Some(why) = check::violations(procedure).into_iter().next() {
            return Err(EmitError::Malformed { procedure: procedure.name.to_string(), why });
        }
        let mut writer = Writer {
            names: self.names.clone(),
            module: self,
            procedure,
            slots: &outline.slots,
            max_body_bytes: outline.endpoint.max_body_bytes,
            principal: None,
            hoisted: BTreeSet::new(),
            waits: false,
        };
        let mut body = Script::new();
        writer.block(&mut body, &procedure.body, &BTreeSet::new(), Surroundings::Plain)?;
        let waits = if writer.waits { "async " } else { "" };
        let body = body.into_text();
        let parameter = if body.contains("request") { "(request)" } else { "()" };
        routes.comment(&describe(outline));
        let (method, path) = (quoted(outline.method), quoted(outline.path));
        routes.open(&format!("application.route({method}, {path}, {waits}{parameter} => {{"));
        routes.append(&body);
        routes.close("});");
        Ok(())
    }

    fn finish(self, routes: &str) -> EndpointModule<'a> {
        let mut script = Script::new();
        let api = &self.plan.api.name;
        script.comment(&format!(
            "The endpoints of the {api} API. Each is its procedure, step by step; a step that fails throws the problem \
             that the caller is answered with."
        ));
        script.blank();
        for import in &self.imports {
            script.line(&format!("import {{ {} }} from '../../lib/{}.js';", import.symbol(), import.file()));
        }
        let mut offered: Vec<&str> = self.shapes.iter().map(|constant| constant.name.as_str()).collect();
        offered.extend((!self.shared.is_empty()).then_some("createMiddleware"));
        offered.sort_unstable();
        import_from(&mut script, &offered, "./middleware.js");
        for (name, text) in &self.statements {
            script.blank();
            script.line(&format!("const {name} = {};", template_literal(text)));
        }
        script.blank();
        script.line("/** @param {{ database: import('../../lib/database.js').Database, metrics: object }} parts */");
        script.open("export function registerEndpoints(application, { database, metrics }) {");
        if !self.shared.is_empty() {
            let shared: Vec<&str> = self.shared.iter().map(|shared| shared.symbol()).collect();
            let shared = shared.join(", ");
            script.line(&format!("const {{ {shared} }} = createMiddleware({{ database, metrics }});"));
        }
        script.blank();
        script.append(routes);
        script.close("}");
        EndpointModule { text: script.into_text(), shared: self.shared, shapes: self.shapes }
    }

    /// The constant of a statement, named after what it does.
    fn statement(&mut self, verb: &str, table: &TableName, text: String) -> String {
        if let Some((name, _)) = self.statements.iter().find(|(_, known)| *known == text) {
            return name.clone();
        }
        let name = self.names.take(&camel_case(&format!("{verb}_{}", self.thing(table))));
        self.statements.push((name.clone(), text));
        name
    }

    /// The entity that the table holds, or the table's own name where no entity of the plan is called like it.
    fn thing(&self, table: &TableName) -> String {
        let table = table.as_str();
        let holds = |entity: &str| {
            let stem = entity.strip_suffix('y').map(|stem| format!("{stem}ies"));
            table == format!("{entity}s") || table == format!("{entity}es") || stem.is_some_and(|stem| stem == table)
        };
        let mut entities = self.plan.api.endpoints.iter().map(|endpoint| endpoint.entity.as_str());
        entities.find(|entity| holds(entity)).unwrap_or(table).to_owned()
    }
}

/// A list of names from one module, on one line where it fits.
fn import_from(script: &mut Script, names: &[&str], module: &str) {
    if names.is_empty() {
        return;
    }
    let line = format!("import {{ {} }} from '{module}';", names.join(", "));
    if line.len() <= 120 {
        script.line(&line);
        return;
    }
    script.open("import {");
    names.iter().for_each(|name| script.line(&format!("{name},")));
    script.close(&format!("}} from '{module}';"));
}

/// Equal shapes are one constant; another shape of the same name gets a number.
fn shape_constants<'a>(outlines: &[Outline<'a>], names: &mut Names) -> Vec<ShapeConstant<'a>> {
    let mut constants: Vec<ShapeConstant<'a>> = Vec::new();
    for outline in outlines {
        for item in flattened(&outline.endpoint.procedure.body) {
            let (Item::Let(_, Step::Validate(Input::Body(shape))) | Item::Do(Step::Validate(Input::Body(shape)))) = item
            else {
                continue;
            };
            let taker = format!("{} {}", outline.method, outline.path);
            match constants.iter_mut().find(|constant| constant.shape == shape) {
                Some(constant) => constant.takers.push(taker),
                None => {
                    let name = names.take(&camel_case(&shape.name));
                    constants.push(ShapeConstant { name, shape, takers: vec![taker] });
                }
            }
        }
    }
    constants
}

fn describe(outline: &Outline<'_>) -> String {
    let events: Vec<String> = outline.events.iter().map(|event| format!("`{event}`")).collect();
    let emits = if events.is_empty() { String::new() } else { format!(" and emits {}", events.join(", ")) };
    format!("{} {}: {}{emits}.", outline.method, outline.path, outline.endpoint.summary)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Surroundings {
    Plain,
    Transaction,
}

impl Surroundings {
    /// What reads and writes here.
    fn connection(self) -> &'static str {
        match self {
            Self::Plain => "database",
            Self::Transaction => "transaction",
        }
    }
}

/// Writes one procedure.
struct Writer<'m, 'a> {
    module: &'m mut Module<'a>,
    procedure: &'a Procedure,
    slots: &'m Slots,
    max_body_bytes: u64,
    /// Names inside this function.
    names: Names,
    /// The variable that holds who calls.
    principal: Option<String>,
    /// Slots declared before the block that binds them, because they are used behind it.
    hoisted: BTreeSet<SlotName>,
    waits: bool,
}

impl<'a> Writer<'_, 'a> {
    fn cannot<T>(&self, what: &str) -> Result<T, EmitError> {
        Err(EmitError::Step { procedure: self.procedure.name.to_string(), what: what.to_owned() })
    }

    fn malformed<T>(&self, why: String) -> Result<T, EmitError> {
        Err(EmitError::Malformed { procedure: self.procedure.name.to_string(), why })
    }

    /// `after`: the slots used behind this block.
    fn block(
        &mut self,
        script: &mut Script,
        items: &'a [Item],
        after: &BTreeSet<SlotName>,
        surroundings: Surroundings,
    ) -> Result<(), EmitError> {
        for (index, item) in items.iter().enumerate() {
            let rest = &items[index + 1..];
            let mut needed = used_slots(rest);
            needed.extend(after.iter().cloned());
            match item {
                Item::Let(slot, step) => {
                    let slot = needed.contains(slot).then_some(slot);
                    self.step(script, slot, step, surroundings)?;
                }
                Item::Do(step) => self.step(script, None, step, surroundings)?,
                Item::Transaction(body) => {
                    script.blank();
                    self.transaction(script, body, &needed)?;
                    if !rest.is_empty() {
                        script.blank();
                    }
                }
                Item::Match(slot, arms) => self.arms(script, slot, arms, &needed, surroundings)?,
                Item::Exit(response, writes) => self.exit(script, response, *writes, surroundings)?,
            }
        }
        Ok(())
    }

    fn step(
        &mut self,
        script: &mut Script,
        slot: Option<&SlotName>,
        step: &'a Step,
        surroundings: Surroundings,
    ) -> Result<(), EmitError> {
        match step {
            Step::Authorize { scheme: Scheme::ApiKey, failures } => {
                self.authorize(script, slot, failures.as_ref())?;
            }
            Step::Limit { policy, by } => {
                let limit = self.limit(policy)?;
                let caller = match (by, &self.principal) {
                    (LimitKey::Principal, Some(principal)) => Expression::text(principal),
                    (LimitKey::Principal, None) => {
                        return self.malformed("it limits by principal and never asks who calls".to_owned());
                    }
                    (LimitKey::Address, _) => {
                        self.module.imports.insert(Import::Anonymous);
                        Expression::text("anonymous(request)")
                    }
                };
                let take = Expression::call(format!("{limit}.take"), [Expression::text("request"), caller]);
                script.statement("", &take);
            }
            Step::Validate(Input::Body(shape)) => {
                let call = self.validation(shape);
                self.bind(script, slot, &call);
            }
            Step::Generate(Generated::Uuid) => {
                if slot.is_some() {
                    self.module.imports.insert(Import::Uuidv7);
                    self.bind(script, slot, &Expression::text("uuidv7()"));
                }
            }
            Step::Check(condition) => {
                if slot.is_some() {
                    let asked = self.condition(condition)?.0;
                    self.bind(script, slot, &asked);
                }
            }
            Step::Read { query, cardinality, filled_by: None } => {
                let lowered = dialect::lower_query(self.module.plan.database.engine, query)?;
                let (verb, method) = match cardinality {
                    Cardinality::One => ("find", "optional"),
                    Cardinality::Many => ("list", "many"),
                };
                let constant = self.module.statement(verb, &query.from, lowered.text);
                let read = self.execution(surroundings, method, constant, &lowered.binds)?;
                self.bind(script, slot, &read);
            }
            Step::Write(write) => self.write(script, slot, write, surroundings)?,
            Step::Emit { event, payload } => {
                if !self.module.plan.api.events.iter().any(|declared| declared.name == *event) {
                    return self.malformed(format!("event `{event}` is not declared"));
                }
                self.emit(script, event.as_str(), payload)?;
            }
            Step::Authorize { scheme: Scheme::AccessToken, .. }
            | Step::Validate(Input::Parameters(_) | Input::Listing(_) | Input::Selection(_))
            | Step::Generate(Generated::Token { .. })
            | Step::Digest(_)
            | Step::HashPassword(_)
            | Step::VerifyPassword { .. }
            | Step::Read { filled_by: Some(_), .. }
            | Step::Enqueue { .. }
            | Step::Await { .. }
            | Step::Fetch { .. }
            | Step::VerifySignature { .. }
            | Step::IssueToken { .. }
            | Step::Presign { .. } => return self.cannot(print::step_name(step)),
        }
        Ok(())
    }

    fn authorize(
        &mut self,
        script: &mut Script,
        slot: Option<&SlotName>,
        failures: Option<&PolicyName>,
    ) -> Result<(), EmitError> {
        self.module.imports.insert(Import::Authorize);
        self.module.shared.insert(Shared::Keys);
        let mut arguments = vec![Expression::text("request"), Expression::text("keys")];
        if let Some(policy) = failures {
            arguments.push(Expression::text(self.limit(policy)?));
        }
        let call = Expression::call("authorize", arguments);
        let is_counted = flattened(&self.procedure.body).into_iter().any(|item| {
            matches!(item, Item::Let(_, step) | Item::Do(step)
                if matches!(step, Step::Limit { by: LimitKey::Principal, .. }))
        });
        match slot {
            Some(slot) => {
                self.principal = Some(self.local(slot));
                self.bind(script, Some(slot), &call);
            }
            None if is_counted => {
                let caller = self.names.take("caller");
                script.statement(&format!("const {caller} = "), &call);
                self.principal = Some(caller);
            }
            None => script.statement("", &call),
        }
        Ok(())
    }

    fn limit(&mut self, policy: &PolicyName) -> Result<String, EmitError> {
        if self.module.plan.api.policy(policy).is_none() {
            return self.malformed(format!("policy `{policy}` is not declared"));
        }
        self.module.shared.insert(Shared::Limits);
        Ok(format!("limits.{}", camel_case(policy.as_str())))
    }

    fn validation(&mut self, shape: &Shape) -> Expression {
        self.module.imports.insert(Import::Validate);
        self.waits = true;
        let constant = self.module.shapes.iter().find(|constant| constant.shape == shape);
        let constant = constant.map(|constant| constant.name.clone()).expect("every shape of the plan was collected");
        let mut arguments = vec![Expression::text("request"), Expression::text(constant)];
        if self.max_body_bytes != DEFAULT_BODY_LIMIT {
            let limit = Expression::text(grouped(self.max_body_bytes));
            arguments.push(Expression::Object(vec![("limit".to_owned(), limit)]));
        }
        Expression::call("await validate", arguments)
    }

    fn write(
        &mut self,
        script: &mut Script,
        slot: Option<&SlotName>,
        write: &Write,
        surroundings: Surroundings,
    ) -> Result<(), EmitError> {
        let lowered = dialect::lower_write(self.module.plan.database.engine, write);
        let (verb, table, method) = match write {
            Write::Insert { table, on_conflict: OnConflict::Keep { .. }, .. } if slot.is_some() => {
                ("insert", table, "insert")
            }
            Write::Insert { table, .. } => ("insert", table, "run"),
            Write::Update { table, .. } => ("update", table, "run"),
            Write::Delete { table, .. } => ("delete", table, "run"),
        };
        let constant = self.module.statement(verb, table, lowered.text);
        let call = self.execution(surroundings, method, constant, &lowered.binds)?;
        let outcome = match write {
            Write::Update { .. } | Write::Delete { .. } if slot.is_some() => {
                Expression::Followed(Box::new(call), " > 0")
            }
            Write::Insert { .. } | Write::Update { .. } | Write::Delete { .. } => call,
        };
        self.bind(script, slot, &outcome);
        Ok(())
    }

    /// The payload stands in a variable of its own where the call would be too long with it.
    fn emit(&mut self, script: &mut Script, event: &str, payload: &[(FieldName, Value)]) -> Result<(), EmitError> {
        self.module.shared.insert(Shared::Outbox);
        let payload = self.record(payload)?;
        let call = |payload| {
            let event = Expression::text(quoted(event));
            let arguments =
                [Expression::text("transaction"), event, payload, Expression::text("request.receivedAt")];
            Expression::call("outbox.emit", arguments)
        };
        let whole = call(payload.clone());
        if script.fits("", &whole) {
            script.statement("", &whole);
        } else {
            let name = self.names.take("event");
            script.statement(&format!("const {name} = "), &payload);
            script.statement("", &call(Expression::text(name)));
        }
        Ok(())
    }

    fn execution(
        &self,
        surroundings: Surroundings,
        method: &str,
        constant: String,
        binds: &[Value],
    ) -> Result<Expression, EmitError> {
        let mut arguments = vec![Expression::text(constant)];
        if !binds.is_empty() {
            let binds = binds.iter().map(|value| self.column_value(value)).collect::<Result<_, _>>()?;
            arguments.push(Expression::Array(binds));
        }
        Ok(Expression::call(format!("{}.{method}", surroundings.connection()), arguments))
    }

    /// A transaction that may end the procedure hands the answer out; one that always does is the answer.
    fn transaction(
        &mut self,
        script: &mut Script,
        body: &'a [Item],
        after: &BTreeSet<SlotName>,
    ) -> Result<(), EmitError> {
        self.hoist(script, bound_slots(body).intersection(after).cloned().collect());
        let exits = flattened(body).into_iter().any(|item| matches!(item, Item::Exit(..)));
        let done = (exits && !always_exits(body)).then(|| self.names.take("done"));
        let start = match &done {
            Some(done) => format!("const {done} = "),
            None if exits => "return ".to_owned(),
            None => String::new(),
        };
        script.open(&format!("{start}database.transaction((transaction) => {{"));
        self.block(script, body, after, Surroundings::Transaction)?;
        script.close("});");
        if let Some(done) = done {
            script.line(&format!("if ({done}) return {done};"));
        }
        Ok(())
    }

    /// An arm that always exits comes first, and what follows stands beside it instead of inside an `else`.
    fn arms(
        &mut self,
        script: &mut Script,
        slot: &SlotName,
        arms: &'a [(Outcome, Vec<Item>)],
        after: &BTreeSet<SlotName>,
        surroundings: Surroundings,
    ) -> Result<(), EmitError> {
        let [(first, yes), (second, no)] = arms else {
            return self.cannot("a match with other than two arms");
        };
        let (holds, fails) = (self.outcome(slot, *first), self.outcome(slot, *second));
        if always_exits(no) {
            self.conditional(script, &fails, no, after, surroundings)?;
            return self.block(script, yes, after, surroundings);
        }
        if always_exits(yes) {
            self.conditional(script, &holds, yes, after, surroundings)?;
            return self.block(script, no, after, surroundings);
        }
        let bound: BTreeSet<SlotName> = bound_slots(yes).union(&bound_slots(no)).cloned().collect();
        self.hoist(script, bound.intersection(after).cloned().collect());
        match (yes.is_empty(), no.is_empty()) {
            (true, true) => Ok(()),
            (false, true) => self.conditional(script, &holds, yes, after, surroundings),
            (true, false) => self.conditional(script, &fails, no, after, surroundings),
            (false, false) => {
                script.open(&format!("if ({holds}) {{"));
                self.block(script, yes, after, surroundings)?;
                script.reopen("} else {");
                self.block(script, no, after, surroundings)?;
                script.close("}");
                Ok(())
            }
        }
    }

    /// `if (asked) exit;` on one line where the block is one short statement.
    fn conditional(
        &mut self,
        script: &mut Script,
        asked: &str,
        body: &'a [Item],
        after: &BTreeSet<SlotName>,
        surroundings: Surroundings,
    ) -> Result<(), EmitError> {
        let start = format!("if ({asked}) ");
        if let [Item::Exit(response, writes)] = body {
            let mut exit = Script::new();
            self.exit(&mut exit, response, *writes, surroundings)?;
            let exit = exit.into_text();
            let exit = exit.trim_end();
            if !exit.contains('\n') && script.fits(&start, &Expression::text(exit)) {
                script.line(&format!("{start}{exit}"));
                return Ok(());
            }
        }
        script.open(&format!("{start}{{"));
        self.block(script, body, after, surroundings)?;
        script.close("}");
        Ok(())
    }

    /// The question whether the slot's step came out so.
    fn outcome(&self, slot: &SlotName, outcome: Outcome) -> String {
        let local = self.local(slot);
        match outcome {
            Outcome::Found | Outcome::Yes | Outcome::Changed => local,
            Outcome::Missing | Outcome::No | Outcome::Unchanged => format!("!{local}"),
            Outcome::Inserted | Outcome::Present | Outcome::Answered | Outcome::Refused | Outcome::Unknown => {
                format!("{local} === {}", quoted(print::outcome_name(outcome)))
            }
        }
    }

    /// Inside a transaction a returned problem keeps the writes, a thrown one undoes them.
    fn exit(
        &mut self,
        script: &mut Script,
        response: &Response,
        writes: Writes,
        surroundings: Surroundings,
    ) -> Result<(), EmitError> {
        match response {
            Response::Answer { status, body } => {
                self.module.imports.insert(Import::Respond);
                let answer = self.answer(*status, body)?;
                match (surroundings, writes) {
                    (Surroundings::Transaction, Writes::Undo) => {
                        self.module.imports.insert(Import::Undo);
                        script.statement("return ", &Expression::call("undo", [answer]));
                    }
                    (Surroundings::Transaction, Writes::Keep) | (Surroundings::Plain, _) => {
                        script.statement("return ", &answer);
                    }
                }
            }
            Response::Problem(problem) => {
                // Its detail names a fact that only the step which makes such problems knows.
                if problem.detail().is_none() {
                    return self.cannot(&format!("respond {} {}", problem.status(), problem.name()));
                }
                self.module.imports.insert(Import::Problem);
                let word = match (surroundings, writes) {
                    (Surroundings::Transaction, Writes::Keep) => "return ",
                    (Surroundings::Transaction, Writes::Undo) | (Surroundings::Plain, _) => "throw ",
                };
                let name = Expression::text(quoted(&problem_name(*problem)));
                script.statement(word, &Expression::call("new Problem", [name]));
            }
            Response::Rows { .. } => return self.cannot("respond with the rows of a list"),
            Response::Redirect(_) => return self.cannot("redirect"),
            Response::Done => return self.cannot("end without an answer"),
        }
        Ok(())
    }

    fn answer(&self, status: u16, body: &[ResponseField]) -> Result<Expression, EmitError> {
        let fields = body.iter().map(|field| Ok((field.name.to_string(), self.value(&field.value)?)));
        let fields = fields.collect::<Result<_, EmitError>>()?;
        Ok(Expression::call("respond", [Expression::text(status.to_string()), Expression::Object(fields)]))
    }

    fn hoist(&mut self, script: &mut Script, slots: BTreeSet<SlotName>) {
        for slot in slots {
            if self.hoisted.insert(slot.clone()) {
                script.line(&format!("let {};", self.local(&slot)));
            }
        }
    }

    /// The value as the slot's variable, or as a statement of its own where nobody needs it.
    fn bind(&self, script: &mut Script, slot: Option<&SlotName>, value: &Expression) {
        let start = match slot {
            None => String::new(),
            Some(slot) if self.hoisted.contains(slot) => format!("{} = ", self.local(slot)),
            Some(slot) => format!("const {} = ", self.local(slot)),
        };
        script.statement(&start, value);
    }

    fn local(&self, slot: &SlotName) -> String {
        self.module.locals.get(slot).cloned().unwrap_or_else(|| camel_case(slot.as_str()))
    }

    fn record(&self, fields: &[(FieldName, Value)]) -> Result<Expression, EmitError> {
        let fields = fields.iter().map(|(name, value)| Ok((name.to_string(), self.value(value)?)));
        Ok(Expression::Object(fields.collect::<Result<_, EmitError>>()?))
    }

    /// As a placeholder takes it: documents as text.
    fn column_value(&self, value: &Value) -> Result<Expression, EmitError> {
        match value {
            Value::Literal(Datum::Json(document)) => Ok(Expression::text(quoted(&document.to_string()))),
            value => self.value(value),
        }
    }

    fn value(&self, value: &Value) -> Result<Expression, EmitError> {
        Ok(match value {
            Value::Literal(datum) => self.literal(datum)?,
            Value::Slot(slot) => match self.slots.get(slot) {
                Some(Held::Principal) => Expression::text(format!("{}.id", self.local(slot))),
                Some(Held::Record(_) | Held::Rows | Held::Plain | Held::Outcome) => Expression::text(self.local(slot)),
                None => return self.malformed(format!("slot `{slot}` is not bound")),
            },
            Value::Field(slot, field) => {
                if self.slots.field(slot, field).is_none() {
                    return self.malformed(format!("slot `{slot}` has no field `{field}`"));
                }
                Expression::text(format!("{}.{field}", self.local(slot)))
            }
            Value::Now => Expression::text("request.receivedAt"),
            Value::After(seconds) => Expression::text(format!("request.after({seconds})")),
            Value::Request(RequestValue::Address) => Expression::text("request.address"),
            Value::Request(RequestValue::Id) => Expression::text("request.id"),
            Value::Request(RequestValue::Path(_)) => return self.cannot("use a path parameter"),
            Value::Request(RequestValue::Query(_)) => return self.cannot("use a query parameter"),
            Value::Request(RequestValue::Cookie(_)) => return self.cannot("use a cookie"),
            Value::Request(RequestValue::RawBody) => return self.cannot("use the raw body"),
            Value::Record(fields) => self.record(fields)?,
        })
    }

    fn literal(&self, datum: &Datum) -> Result<Expression, EmitError> {
        Ok(match datum {
            Datum::Null => Expression::text("null"),
            Datum::Boolean(value) => Expression::text(value.to_string()),
            Datum::Integer(number) if number.unsigned_abs() > MAX_SAFE_INTEGER => {
                return self.cannot(&format!("use the number {number}: JavaScript does not keep it exactly"));
            }
            Datum::Integer(number) => Expression::text(number.to_string()),
            Datum::Text(text) => Expression::text(quoted(text)),
            Datum::Json(document) => json_literal(document),
        })
    }

    /// The condition and how tightly its outermost operator binds.
    fn condition(&self, asked: &Condition) -> Result<(Expression, Binding), EmitError> {
        match asked {
            Condition::Compare(left, comparison, right) => self.comparison(left, *comparison, right),
            Condition::Present(value) => {
                Ok((Expression::text(format!("{} !== null", self.value(value)?.flat())), Binding::Comparison))
            }
            Condition::All(list) => self.joined("&&", list, Binding::And, "true"),
            Condition::Any(list) => self.joined("||", list, Binding::Or, "false"),
            Condition::Not(inner) => match inner.as_ref() {
                Condition::Present(value) => {
                    Ok((Expression::text(format!("{} === null", self.value(value)?.flat())), Binding::Comparison))
                }
                inner => {
                    let (inner, _) = self.condition(inner)?;
                    Ok((Expression::text(format!("!({})", inner.flat())), Binding::Unary))
                }
            },
        }
    }

    fn joined(
        &self,
        operator: &'static str,
        list: &[Condition],
        binding: Binding,
        of_none: &str,
    ) -> Result<(Expression, Binding), EmitError> {
        if let [only] = list {
            return self.condition(only);
        }
        let mut operands = Vec::new();
        for condition in list {
            let (operand, inner) = self.condition(condition)?;
            operands.push(match operand {
                Expression::Joined(same, nested) if same == operator => Expression::Joined(same, nested),
                operand if inner < binding => Expression::text(format!("({})", operand.flat())),
                operand => operand,
            });
        }
        match operands.is_empty() {
            true => Ok((Expression::text(of_none), Binding::Unary)),
            false => Ok((Expression::Joined(operator, operands), binding)),
        }
    }

    /// `null` compares false with everything; JavaScript takes it for 0, and for equal to itself.
    fn comparison(
        &self,
        left: &Value,
        comparison: Comparison,
        right: &Value,
    ) -> Result<(Expression, Binding), EmitError> {
        let null = Value::Literal(Datum::Null);
        if *left == null || *right == null {
            return Ok((Expression::text("false"), Binding::Unary));
        }
        let mut nullable: Vec<&Value> = [left, right]
            .into_iter()
            .filter(|value| self.slots.nullability(value) == Nullability::Nullable)
            .collect();
        if comparison == Comparison::Equal {
            // Of two values only one of which may be null, equality tells by itself.
            nullable.truncate(if nullable.len() == 2 { 1 } else { 0 });
        }
        let mut operands = Vec::new();
        for value in nullable {
            operands.push(Expression::text(format!("{} !== null", self.value(value)?.flat())));
        }
        let operator = match comparison {
            Comparison::Equal => "===",
            Comparison::NotEqual => "!==",
            Comparison::Less => "<",
            Comparison::AtMost => "<=",
            Comparison::Greater => ">",
            Comparison::AtLeast => ">=",
        };
        let compared = format!("{} {operator} {}", self.value(left)?.flat(), self.value(right)?.flat());
        if operands.is_empty() {
            return Ok((Expression::text(compared), Binding::Comparison));
        }
        operands.push(Expression::text(compared));
        Ok((Expression::Joined("&&", operands), Binding::And))
    }
}

/// Operators from loose to tight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Binding {
    Or,
    And,
    Comparison,
    Unary,
}

/// The name in `lib/problem.js`.
fn problem_name(problem: Problem) -> String {
    problem.name().replace('-', "_")
}

fn json_literal(document: &serde_json::Value) -> Expression {
    match document {
        serde_json::Value::String(text) => Expression::text(quoted(text)),
        serde_json::Value::Array(elements) => Expression::Array(elements.iter().map(json_literal).collect()),
        serde_json::Value::Object(entries) => Expression::Object(
            entries
                .iter()
                .map(|(key, value)| {
                    let is_plain = camel_case(key) == *key
                        && key.chars().all(|letter| letter.is_ascii_alphanumeric())
                        && !key.is_empty();
                    (if is_plain { key.clone() } else { quoted(key) }, json_literal(value))
                })
                .collect(),
        ),
        serde_json::Value::Null | serde_json::Value::Bool(_) | serde_json::Value::Number(_) => {
            Expression::text(document.to_string())
        }
    }
}

/// `65_536`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    if digits.len() < 5 {
        return digits;
    }
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            text.push('_');
        }
        text.push(digit);
    }
    text
}
