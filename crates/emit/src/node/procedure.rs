//! Procedures as JavaScript: each endpoint becomes a function that reads like its procedure, one statement a step.
//! It decides nothing: a step that it has no words for is an error.

use super::driver::{Ids, Types};
use super::listing::{description, fields};
use super::middleware::type_rules;
use super::module::{Import, Module, Shared};
use super::names::{Names, camel_case};
use super::script::{Expression, Script, quoted, template_literal};
use super::service::proof_of_sender;
use super::value::grouped;
use crate::error::EmitError;
use crate::outline::{Body, Held, Listing, Slots, bound_slots, filled_query, parameters_in, used_slots};
use manifest::Entries;
use manifest::point::Given;
use manifest::reference::Reference;
use manifest::webhook::Source;
use plan::accounts::NOWHERE;
use plan::database::Nullability;
use plan::procedure::{
    Each, Generated, Input, Item, LimitKey, Location, Outcome, Patchable, Procedure, RECORDS, Response, ResponseField,
    Roles, RowsFormat, Scheme, Step, Writes, always_exits, flattened,
};
use plan::query::{Assigned, Cardinality, Holes, OnConflict, Output, Predicate, Query, Related, Write};
use plan::shape::Shape;
use plan::value::{Condition, Preference, Value};
use plan::{Cache, Hearing, Problem, Scope, accounts, print, uses};
use std::collections::BTreeSet;
use vocab::{ColumnName, FieldName, FieldType, PolicyName, ScopeToken, SlotName, TableName, TaskId};

/// `BODY_LIMIT` of `lib/body.js`, in bytes; a test compares them.
pub const DEFAULT_BODY_LIMIT: u64 = 65_536;
/// How deep a procedure stands in its module: in a route in a function.
const DEPTH: usize = 2;

/// A procedure's function, without what encloses it.
pub struct Written {
    pub text: String,
    /// Whether it waits for something.
    pub waits: bool,
}

/// What is written.
#[derive(Clone, Copy)]
pub struct Subject<'s, 'a> {
    pub procedure: &'a Procedure,
    pub slots: &'s Slots,
    /// The path of its request.
    pub path: &'a str,
    /// What its list may be asked.
    pub listing: Option<Listing<'a>>,
    pub max_body_bytes: u64,
    /// Whether it is about the caller's own rows alone.
    pub own_rows: bool,
    /// Who may keep its answers.
    pub cache: Cache,
}

/// Writes a procedure, and notes in the module what it needs there.
pub fn write_procedure<'a>(module: &mut Module<'a>, subject: Subject<'_, 'a>) -> Result<Written, EmitError> {
    let Subject { procedure, slots, path, listing, max_body_bytes, own_rows, cache } = subject;
    let own_rows = own_rows && module.application.keeps_rows;
    let mut writer = Writer {
        names: module.names.clone(),
        module,
        procedure,
        slots,
        path,
        listing,
        max_body_bytes,
        own_rows,
        kept_for: match cache {
            Cache::Public(seconds) => Some(seconds),
            Cache::Private(_) | Cache::NoStore => None,
        },
        database: "database".to_owned(),
        principal: None,
        hoisted: BTreeSet::new(),
        keeps: None,
        index: None,
        goes_through: false,
        waits: false,
        related: None,
    };
    let mut script = Script::at(DEPTH);
    writer.block(&mut script, &procedure.body, &BTreeSet::new(), Surroundings::Plain)?;
    Ok(Written { waits: writer.waits, text: script.into_text() })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Surroundings {
    Plain,
    Transaction,
}

/// The values of a statement, and what it asks for.
#[derive(Clone, Copy)]
struct Asked<'q> {
    binds: &'q [Value],
    table: &'q TableName,
    filter: &'q [Predicate],
}

/// Writes one procedure.
pub struct Writer<'m, 'a> {
    pub(super) module: &'m mut Module<'a>,
    procedure: &'a Procedure,
    pub(super) slots: &'m Slots,
    path: &'a str,
    listing: Option<Listing<'a>>,
    max_body_bytes: u64,
    /// Names inside this function.
    names: Names,
    /// Whether it asks for the caller's own rows alone, of a database that keeps to that.
    own_rows: bool,
    /// For how many seconds an answer is kept, until what is kept was asked for.
    kept_for: Option<u32>,
    /// The variable that holds the database.
    database: String,
    /// The variable that holds who calls.
    principal: Option<String>,
    /// Slots declared before the block that binds them, because they are used behind it.
    hoisted: BTreeSet<SlotName>,
    /// The variable of the claim whose answer the transaction around keeps.
    keeps: Option<String>,
    /// The variable that says where in a list it is.
    index: Option<String>,
    /// Whether it goes through a list.
    goes_through: bool,
    waits: bool,
    /// The variable that says what may come with the rows that are read.
    related: Option<String>,
}

impl<'a> Writer<'_, 'a> {
    pub(super) fn cannot<T>(&self, what: &str) -> Result<T, EmitError> {
        Err(EmitError::Step { procedure: self.procedure.name.to_string(), what: what.to_owned() })
    }

    pub(super) fn malformed<T>(&self, why: String) -> Result<T, EmitError> {
        Err(EmitError::Malformed { procedure: self.procedure.name.to_string(), why })
    }

    /// What reads and writes here.
    fn connection(&self, surroundings: Surroundings) -> String {
        match surroundings {
            Surroundings::Plain => self.database.clone(),
            Surroundings::Transaction => "transaction".to_owned(),
        }
    }

    pub(super) fn has_parameter(&self, name: &FieldName) -> bool {
        parameters_in(self.path).any(|known| known == name.as_str())
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
                    // Whether there is a slot says here who may call.
                    let is_asked = matches!(step, Step::Authorize { scheme: Scheme::Issued, .. });
                    let slot = (needed.contains(slot) || is_asked).then_some(slot);
                    if let Step::Read { .. } = step
                        && surroundings == Surroundings::Plain
                        && let Some(seconds) = self.kept_for.take()
                    {
                        self.ask_what_is_kept(script, seconds);
                    }
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
                Item::Each(each) => self.each(script, each, &needed, surroundings)?,
                Item::Promise(response) => self.promise(script, response)?,
                Item::Match(slot, arms) => self.arms(script, slot, arms, &needed, surroundings)?,
                Item::Exit(response, writes) => self.exit(script, response, *writes, surroundings)?,
            }
        }
        Ok(())
    }

    /// Whoever asks what somebody has asked is answered the same.
    fn ask_what_is_kept(&mut self, script: &mut Script, seconds: u32) {
        self.module.imports.insert(Import::KeptAnswer);
        let tables = uses::reads(&self.module.plan.database.tables, self.procedure);
        let tables = tables.iter().map(|table| Expression::text(quoted(table.as_str()))).collect();
        let keeping = vec![
            ("seconds".to_owned(), Expression::text(grouped(seconds.into()))),
            ("tables".to_owned(), Expression::Array(tables)),
        ];
        let kept = self.names.take("kept");
        let found = Expression::call("keptAnswer", [Expression::text("request"), Expression::Object(keeping)]);
        script.statement(&format!("const {kept} = "), &found);
        script.line(&format!("if ({kept}) return {kept};"));
    }

    fn step(
        &mut self,
        script: &mut Script,
        slot: Option<&SlotName>,
        step: &'a Step,
        surroundings: Surroundings,
    ) -> Result<(), EmitError> {
        match step {
            Step::Authorize { scheme: Scheme::ApiKey, scope, role: _, grant: _, failures } => {
                self.authorize(script, slot, failures.as_ref(), scope.as_ref())?;
            }
            Step::Authorize {
                scheme: scheme @ (Scheme::AccessToken | Scheme::Session | Scheme::SignedIn | Scheme::Basic),
                scope: _,
                role,
                grant: _,
                failures,
            } => self.authorize_user(script, slot, *scheme, failures.as_ref(), role.as_ref())?,
            Step::Authorize { scheme: Scheme::Issued, scope: _, role, grant, failures } => {
                self.authorize_issued(script, slot, failures.as_ref(), role.as_ref(), grant.as_ref())?;
            }
            Step::SameOrigin => {
                self.module.shared.insert(Shared::Accounts);
                script.line("accounts.refuseOtherOrigins(request);");
            }
            Step::SetSession(token) => {
                self.module.shared.insert(Shared::Accounts);
                let mut arguments = vec![Expression::text("request")];
                arguments.extend(token.as_ref().map(|token| self.value(token)).transpose()?);
                script.statement("", &Expression::call("accounts.setSession", arguments));
            }
            Step::Limit { policy, by } => {
                let (limit, caller) = (self.limit(policy)?, self.counted_for(by)?);
                let take = Expression::call(format!("{limit}.take"), [Expression::text("request"), caller]);
                script.statement("", &take);
            }
            Step::LimitEach { policy, by, of } => {
                let (limit, caller) = (self.limit(policy)?, self.counted_for(by)?);
                let more = Expression::text(format!("{}.{RECORDS}.length - 1", self.local(of)));
                let take =
                    Expression::call(format!("{limit}.takeSeveral"), [Expression::text("request"), caller, more]);
                script.statement("", &take);
            }
            Step::Part { of, list, scope, policy, by } => {
                let (limit, caller) = (self.limit(policy)?, self.counted_for(by)?);
                let part = format!("{}.{list}", self.local(of));
                script.open(&format!("if ({part}) {{"));
                if let Some(scope) = scope {
                    self.module.imports.insert(Import::RequireScopes);
                    script.line(&format!("requireScopes(request, [{}]);", quoted(&scope.to_string())));
                }
                let count = Expression::text(format!("{part}.length"));
                let arguments = [Expression::text("request"), caller, count];
                script.statement("", &Expression::call(format!("{limit}.takeSeveral"), arguments));
                script.close("}");
            }
            Step::Form => {
                self.module.imports.insert(Import::IsList);
                let mut arguments = vec![Expression::text("request")];
                arguments.extend(self.bounds(Vec::new()));
                let call = self.awaited("isList", arguments);
                self.bind(script, slot, &call);
            }
            Step::Validate(Input::List(entries)) => {
                self.module.imports.insert(Import::ValidateList);
                let maximum = ("maximum".to_owned(), Expression::text(grouped(u64::from(entries.max))));
                let mut arguments = vec![Expression::text("request"), Expression::text(self.constant(&entries.shape))];
                arguments.extend(self.bounds(vec![maximum]));
                let call = self.awaited("validateList", arguments);
                self.bind(script, slot, &call);
            }
            Step::Spare { policy, by } => {
                let (limit, caller) = (self.limit(policy)?, self.counted_for(by)?);
                let spare = Expression::call(format!("{limit}.spare"), [Expression::text("request"), caller]);
                script.statement("", &spare);
            }
            Step::Claim => {
                self.module.shared.insert(Shared::Idempotency);
                let caller = self.caller();
                let call = self.awaited("idempotency.claim", vec![Expression::text("request"), caller]);
                self.bind(script, slot, &call);
            }
            Step::Recall(claim) => {
                let claim = self.local(claim);
                let known = self.names.take("known");
                let call = self.awaited(format!("{claim}.recall"), vec![Expression::text("transaction")]);
                script.statement(&format!("const {known} = "), &call);
                script.line(&format!("if ({known}) return {known};"));
                self.keeps = Some(claim);
            }
            Step::Validate(Input::Body(shape)) => {
                let call = self.validation(Body::Record(shape));
                self.bind(script, slot, &call);
            }
            Step::Validate(Input::Changes(shape)) => {
                let call = self.validation(Body::Changes(shape));
                self.bind(script, slot, &call);
            }
            Step::Validate(Input::Patch(patchable)) => {
                let call = self.patch_validation(patchable);
                self.bind(script, slot, &call);
            }
            Step::Patched { patch, row } => {
                let callee = format!("{}.changesOf", self.local(patch));
                let row = Expression::text(self.local(row));
                self.bind(script, slot, &Expression::call(callee, [row]));
            }
            Step::Validate(Input::Listing(holes)) => {
                let related = self.related_rows(script, slot)?;
                let call = self.listing_validation(holes, related)?;
                self.bind(script, slot, &call);
            }
            Step::Validate(Input::Selection(_)) => {
                self.module.imports.insert(Import::ValidateSelection);
                let body = flattened(&self.procedure.body).into_iter().find_map(|item| match item {
                    Item::Exit(Response::Record { body, .. }, _) => Some(body),
                    _ => None,
                });
                let Some(body) = body else { return self.cannot(print::step_name(step)) };
                let names = fields(body.iter().map(|field| &field.name));
                let related = self.related_rows(script, slot)?;
                let arguments = [Expression::text("request"), names].into_iter().chain(related);
                let call = Expression::call("validateSelection", arguments);
                self.bind(script, slot, &call);
            }
            Step::Validate(Input::Parameters(shape)) => {
                let call = self.parameter_validation(shape);
                self.bind(script, slot, &call);
            }
            Step::Validate(Input::Query(shape)) => {
                let call = self.query_validation(shape);
                self.bind(script, slot, &call);
            }
            Step::May { method, path } => {
                let values = vec![Expression::text("request"), self.value(method)?, self.value(path)?];
                let call = self.awaited("application.may", values);
                self.bind(script, slot, &call);
            }
            Step::Ping => {
                let ping = self.awaited("database.ping", Vec::new());
                script.statement("", &ping);
            }
            Step::Generate(Generated::Uuid) => {
                if slot.is_some() {
                    self.module.imports.insert(Import::Uuidv7);
                    self.bind(script, slot, &Expression::text("uuidv7()"));
                }
            }
            Step::Generate(Generated::Address) => {
                self.module.imports.insert(Import::Uuidv7);
                self.bind(script, slot, &Expression::text(format!("`deleted-${{uuidv7()}}@{NOWHERE}`")));
            }
            Step::Generate(Generated::Token { bytes }) => {
                self.module.imports.insert(Import::RandomToken);
                self.bind(script, slot, &Expression::text(format!("randomToken({bytes})")));
            }
            Step::Digest(value) => {
                self.module.imports.insert(Import::DigestOf);
                let value = self.value(value)?;
                self.bind(script, slot, &Expression::call("digestOf", [value]));
            }
            Step::Successor(value) => {
                self.module.shared.insert(Shared::Tokens);
                let value = self.value(value)?;
                self.bind(script, slot, &Expression::call("tokens.successor", [value]));
            }
            Step::HashPassword(value) => {
                self.module.imports.insert(Import::HashPassword);
                let value = self.value(value)?;
                let call = self.awaited("hashPassword", vec![value]);
                self.bind(script, slot, &call);
            }
            Step::VerifyPassword { password, hash } => {
                self.module.imports.insert(Import::VerifyPassword);
                let arguments = vec![self.value(password)?, self.value(hash)?];
                let call = self.awaited("verifyPassword", arguments);
                self.bind(script, slot, &call);
            }
            Step::IssueToken { claims, lifetime_seconds } => {
                self.module.shared.insert(Shared::Accounts);
                let lifetime = Expression::text(lifetime_seconds.to_string());
                let arguments = vec![self.record(claims)?, lifetime, Expression::text("request.receivedAt")];
                let call = self.awaited("accounts.issue", arguments);
                self.bind(script, slot, &call);
            }
            Step::Evaluate(value) => {
                if slot.is_some() {
                    let value = self.value(value)?;
                    self.bind(script, slot, &value);
                }
            }
            Step::Check(condition) => {
                if slot.is_some() {
                    let asked = self.question(condition)?;
                    self.bind(script, slot, &asked);
                }
            }
            Step::Read { query, cardinality: Cardinality::One, filled_by: Some(asked) } if self.related.is_some() => {
                let read = self.read_record(query, asked, surroundings)?;
                self.bind(script, slot, &read);
            }
            Step::Read { query, cardinality, filled_by } if filled_by.is_none() || *cardinality == Cardinality::One => {
                let lowered = dialect::lower_query(&self.module.plan.database, query)?;
                let (verb, method) = match cardinality {
                    Cardinality::One if self.goes_through => ("find", "lookUp"),
                    Cardinality::One => ("find", "optional"),
                    Cardinality::Many => ("list", "many"),
                };
                let constant = self.module.statement(verb, &query.from, self.only_column(query), lowered.text);
                let asked = Asked { binds: &lowered.binds, table: &query.from, filter: &query.filter };
                let kinds = self.kinds(query);
                let read = self.execution(surroundings, method, constant, asked, kinds)?;
                self.bind(script, slot, &read);
            }
            Step::Read { query, filled_by: Some(asked), .. } => {
                let read = self.page(query, asked, surroundings)?;
                self.bind(script, slot, &read);
            }
            Step::Write(write) => self.write(script, slot, write, surroundings)?,
            Step::Hear(hearing) => {
                let way = self.hearing(hearing)?;
                let call = self.awaited("hear", vec![Expression::text("request"), way]);
                self.bind(script, slot, &call);
                if let Some(slot) = slot.filter(|_| !hearing.accepts.is_empty()) {
                    self.module.imports.insert(Import::Respond);
                    script.line(&format!("if ({} === undefined) return respond(204);", self.local(slot)));
                }
            }
            // The function is given it, under the slot's name.
            Step::Received(_) => {}
            Step::Emit { id, event, payload } => {
                if !self.module.plan.api.events.iter().any(|declared| declared.name == *event) {
                    return self.malformed(format!("event `{event}` is not declared"));
                }
                self.emit(script, id.as_ref(), event.as_str(), payload)?;
            }
            Step::Await { id, by, gives, within_ms, .. } => {
                let call = self.wait(id, by, gives, *within_ms)?;
                self.bind(script, slot, &call);
            }
            Step::Read { filled_by: None, .. } | Step::Fetch { .. } | Step::Presign { .. } => {
                return self.cannot(print::step_name(step));
            }
        }
        Ok(())
    }

    /// What an endpoint knows of the calls of its sender.
    fn hearing(&mut self, hearing: &Hearing) -> Result<Expression, EmitError> {
        self.module.imports.insert(Import::Hear);
        let text = |text: &str| Expression::text(quoted(text));
        let place = |source: &Source| {
            let (name, place) = match source {
                Source::Header(name) => ("header", text(name)),
                Source::Body(pointer) => ("at", text(&pointer.to_string())),
                Source::Says(said) => ("says", text(said)),
            };
            Expression::Object(vec![(name.to_owned(), place)])
        };
        let proof = hearing.proofs.first().and_then(|proof| proof_of_sender(&proof.way));
        let Some(proof) = proof else { return self.cannot("a proof that only a provider makes") };
        // What is old is forgotten with statements.
        let forgets = !self.module.plan.database.engine.keeps_documents();
        let database = forgets.then(|| ("database".to_owned(), Expression::text(self.database.clone())));
        let mut members: Vec<(String, Expression)> = database.into_iter().collect();
        members.extend([
            ("sender".to_owned(), text(&hearing.title)),
            ("secrets".to_owned(), Expression::Array(hearing.proofs.iter().map(|proof| text(&proof.secret)).collect())),
            ("proof".to_owned(), proof),
        ]);
        members.extend(hearing.id.iter().map(|source| ("id".to_owned(), place(source))));
        members.extend(hearing.kind.iter().map(|source| ("type".to_owned(), place(source))));
        if !hearing.accepts.is_empty() {
            let accepts = hearing.accepts.iter().map(|kind| text(kind)).collect();
            members.push(("accepts".to_owned(), Expression::Array(accepts)));
        }
        let fields = hearing.fields.iter().map(|(name, source)| (name.to_string(), place(source)));
        members.push(("fields".to_owned(), Expression::Object(fields.collect())));
        members.push(("shape".to_owned(), Expression::text(self.constant(&hearing.shape))));
        members.push(("failures".to_owned(), Expression::text(self.limit(&hearing.failures)?)));
        members.push(("limit".to_owned(), Expression::text(grouped(self.max_body_bytes))));
        Ok(Expression::Lines(members))
    }

    fn authorize(
        &mut self,
        script: &mut Script,
        slot: Option<&SlotName>,
        failures: Option<&PolicyName>,
        scope: Option<&Scope>,
    ) -> Result<(), EmitError> {
        self.module.imports.insert(Import::Authorize);
        self.module.shared.insert(Shared::Keys);
        let mut arguments = vec![Expression::text("request"), Expression::text("keys")];
        match (failures, scope) {
            (Some(policy), _) => arguments.push(Expression::text(self.limit(policy)?)),
            (None, Some(_)) => arguments.push(Expression::text("undefined")),
            (None, None) => {}
        }
        arguments.extend(scope.map(|scope| Expression::text(quoted(&scope.to_string()))));
        let call = self.awaited("authorize", arguments);
        match slot {
            Some(slot) => {
                self.principal = Some(self.local(slot));
                self.bind(script, Some(slot), &call);
            }
            None if self.counts_callers() => {
                let caller = self.names.take("caller");
                script.statement(&format!("const {caller} = "), &call);
                self.principal = Some(caller);
            }
            None => script.statement("", &call),
        }
        Ok(())
    }

    /// The same of somebody who signs in. Where nobody needs to know who calls, the slot still says it to the limit.
    fn authorize_user(
        &mut self,
        script: &mut Script,
        slot: Option<&SlotName>,
        scheme: Scheme,
        failures: Option<&PolicyName>,
        role: Option<&Roles>,
    ) -> Result<(), EmitError> {
        self.module.imports.insert(Import::AuthorizeUser);
        self.module.shared.insert(Shared::Accounts);
        let mut arguments = vec![Expression::text("request"), Expression::text("accounts")];
        let by = match scheme {
            Scheme::ApiKey | Scheme::AccessToken | Scheme::Issued => None,
            Scheme::Session => Some("['session']"),
            Scheme::SignedIn => Some("['token', 'session']"),
            Scheme::Basic => Some("['password']"),
        };
        let by = by.map(|by| ("by".to_owned(), Expression::text(by)));
        let mut asked: Vec<_> = by.into_iter().chain(role.map(asked_role)).collect();
        if scheme == Scheme::Basic {
            let policy = PolicyName::parse(accounts::FAILED_LOGINS).expect("a literal that is a name");
            asked.push(("tries".to_owned(), Expression::text(self.limit(&policy)?)));
        }
        match (failures, asked.is_empty()) {
            (Some(policy), _) => arguments.push(Expression::text(self.limit(policy)?)),
            (None, false) => arguments.push(Expression::text("undefined")),
            (None, true) => {}
        }
        if !asked.is_empty() {
            arguments.push(Expression::Object(asked));
        }
        let call = self.awaited("authorizeUser", arguments);
        self.bind_caller(script, slot, &call);
        Ok(())
    }

    /// Whether something is counted for who calls.
    fn counts_callers(&self) -> bool {
        flattened(&self.procedure.body).into_iter().any(|item| {
            matches!(item, Item::Let(_, step) | Item::Do(step)
                if matches!(step, Step::Claim | Step::Limit { by: LimitKey::Principal, .. }))
        })
    }

    /// The call binds who calls, and from here on the database may be that user's.
    fn bind_caller(&mut self, script: &mut Script, slot: Option<&SlotName>, call: &Expression) {
        match slot {
            Some(slot) => {
                self.principal = Some(self.local(slot));
                self.bind(script, Some(slot), call);
            }
            None if self.own_rows || self.counts_callers() => {
                let caller = self.names.take("caller");
                script.statement(&format!("const {caller} = "), call);
                self.principal = Some(caller);
            }
            None => script.statement("", call),
        }
        if let Some(principal) = self.principal.as_ref().filter(|_| self.own_rows) {
            let own = self.names.take("ownRows");
            script.line(&format!("const {own} = database.of({principal}.user_id);"));
            self.database = own;
        }
    }

    /// A slot asks for a user; without one whoever the token is about may call.
    fn authorize_issued(
        &mut self,
        script: &mut Script,
        slot: Option<&SlotName>,
        failures: Option<&PolicyName>,
        role: Option<&Roles>,
        grant: Option<&ScopeToken>,
    ) -> Result<(), EmitError> {
        self.module.imports.insert(Import::AuthorizeIssued);
        self.module.shared.insert(Shared::Issuer);
        let mut asked = Vec::new();
        if slot.is_some() {
            self.module.shared.extend([Shared::Accounts, Shared::Identities]);
            asked.push(("users".to_owned(), Expression::text("identities")));
        }
        asked.extend(role.map(asked_role));
        asked.extend(grant.map(|grant| ("scope".to_owned(), Expression::text(quoted(grant.as_str())))));
        let limit = match failures {
            Some(policy) => self.limit(policy)?,
            None => "undefined".to_owned(),
        };
        let mut arguments = vec![Expression::text("request"), Expression::text("issuer"), Expression::text(limit)];
        if !asked.is_empty() {
            arguments.push(Expression::Object(asked));
        }
        let call = self.awaited("authorizeIssued", arguments);
        self.bind_caller(script, slot, &call);
        Ok(())
    }

    fn counted_for(&mut self, by: &LimitKey) -> Result<Expression, EmitError> {
        match (by, &self.principal) {
            (LimitKey::Principal, Some(principal)) => Ok(Expression::text(principal)),
            (LimitKey::Principal, None) => self.malformed("it limits by principal and never asks who calls".to_owned()),
            (LimitKey::Address, _) => Ok(self.anonymous()),
            (LimitKey::Field(slot, field), _) => {
                self.module.imports.insert(Import::Tried);
                let value = self.value(&Value::Field(slot.clone(), field.clone()))?;
                Ok(Expression::call("tried", [value]))
            }
        }
    }

    /// Who calls: the principal where one was made.
    fn caller(&mut self) -> Expression {
        self.principal.as_ref().map(Expression::text).unwrap_or_else(|| self.anonymous())
    }

    fn anonymous(&mut self) -> Expression {
        self.module.imports.insert(Import::Anonymous);
        Expression::text("anonymous(request)")
    }

    fn limit(&mut self, policy: &PolicyName) -> Result<String, EmitError> {
        if self.module.plan.api.policy(policy).is_none() {
            return self.malformed(format!("policy `{policy}` is not declared"));
        }
        self.module.shared.insert(Shared::Limits);
        Ok(format!("limits.{}", camel_case(policy.as_str())))
    }

    fn validation(&mut self, body: Body<'_>) -> Expression {
        let (import, callee) = match body {
            Body::Record(_) => (Import::Validate, "validate"),
            Body::Changes(_) => (Import::ValidateChanges, "validateChanges"),
        };
        self.module.imports.insert(import);
        let mut arguments = vec![Expression::text("request"), Expression::text(self.constant(body.shape()))];
        if self.max_body_bytes != DEFAULT_BODY_LIMIT {
            let limit = Expression::text(grouped(self.max_body_bytes));
            arguments.push(Expression::Object(vec![("limit".to_owned(), limit)]));
        }
        self.awaited(callee, arguments)
    }

    /// How much a body may be, beside other options.
    fn bounds(&self, mut options: Vec<(String, Expression)>) -> Option<Expression> {
        if self.max_body_bytes != DEFAULT_BODY_LIMIT {
            options.push(("limit".to_owned(), Expression::text(grouped(self.max_body_bytes))));
        }
        (!options.is_empty()).then_some(Expression::Object(options))
    }

    /// A patch may look at more than it changes.
    fn patch_validation(&mut self, patchable: &Patchable) -> Expression {
        self.module.imports.insert(Import::ValidatePatch);
        let kept = patchable.kept.iter().map(|field| Expression::text(quoted(field.as_str()))).collect();
        let mut options = vec![("kept".to_owned(), Expression::Array(kept))];
        if self.max_body_bytes != DEFAULT_BODY_LIMIT {
            options.push(("limit".to_owned(), Expression::text(grouped(self.max_body_bytes))));
        }
        let shape = Expression::text(self.constant(&patchable.shape));
        self.awaited("validatePatch", vec![Expression::text("request"), shape, Expression::Object(options)])
    }

    /// A call whose result is waited for.
    fn awaited(&mut self, callee: impl Into<String>, arguments: Vec<Expression>) -> Expression {
        self.waits = true;
        Expression::call(format!("await {}", callee.into()), arguments)
    }

    fn parameter_validation(&mut self, shape: &Shape) -> Expression {
        self.module.imports.insert(Import::ValidateParameters);
        let arguments = [Expression::text("request"), Expression::text(self.constant(shape))];
        Expression::call("validateParameters", arguments)
    }

    fn query_validation(&mut self, shape: &Shape) -> Expression {
        self.module.imports.insert(Import::ValidateQuery);
        let arguments = [Expression::text("request"), Expression::text(self.constant(shape))];
        Expression::call("validateQuery", arguments)
    }

    fn constant(&self, shape: &Shape) -> String {
        let constant = self.module.shapes.iter().find(|constant| constant.shape == shape);
        constant.map(|constant| constant.name.clone()).expect("every shape of the plan was collected")
    }

    /// `const related = ...`: what may come with the rows of the read that the slot fills; the name, where anything may.
    fn related_rows(&mut self, script: &mut Script, slot: Option<&SlotName>) -> Result<Option<Expression>, EmitError> {
        let items = flattened(&self.procedure.body);
        let Some(query) = slot.and_then(|slot| filled_query(&items, slot)) else { return Ok(None) };
        let mut rows = Vec::new();
        for related in query.related() {
            let lowered = dialect::lower_related(&self.module.plan.database, &query.from, related)?;
            let constant = self.module.statement("related", &related.query.from, None, lowered.text);
            let mut keys = Vec::new();
            self.keys_in(&related.query.from, &related.query.filter, &mut keys);
            related.through.iter().for_each(|through| self.keys_in(&through.table, &through.filter, &mut keys));
            let mut parts = vec![("select".to_owned(), Expression::text(constant))];
            if !lowered.binds.is_empty() {
                parts.push(("values".to_owned(), self.values_by(&lowered.binds, &keys)?));
            }
            if related.cardinality == Cardinality::Many {
                parts.push(("isList".to_owned(), Expression::text("true")));
                let listing = Listing { holes: &related.query.holes, query: &related.query };
                parts.push(("listing".to_owned(), Expression::text(self.listing_constant(Some(listing))?)));
            }
            let columns = related.query.outputs.iter().filter_map(|output| match output {
                Output::Column { column, field } => {
                    let column = self.module.plan.database.column(&related.query.from, column)?;
                    let mut rules = type_rules(&column.field_type);
                    rules.retain(|(name, _)| name == "kind" || name == "scale");
                    Some((field.to_string(), Expression::Object(rules)))
                }
                Output::Related(_) => None,
            });
            parts.push(("columns".to_owned(), Expression::Object(columns.collect())));
            if !related.scopes.is_empty() {
                let scopes = related.scopes.iter().map(|scope| Expression::text(quoted(&scope.to_string())));
                parts.push(("scopes".to_owned(), Expression::Array(scopes.collect())));
            }
            rows.push((related.field.to_string(), Expression::Object(parts)));
        }
        if rows.is_empty() {
            return Ok(None);
        }
        let name = self.names.take("related");
        script.statement(&format!("const {name} = "), &Expression::Object(rows));
        self.related = Some(name.clone());
        Ok(Some(Expression::text(name)))
    }

    /// The record with what was asked for besides.
    fn read_record(
        &mut self,
        query: &Query,
        asked: &SlotName,
        surroundings: Surroundings,
    ) -> Result<Expression, EmitError> {
        let related = self.related.clone().unwrap_or_default();
        let columns = query.of_columns();
        let lowered = dialect::lower_listing_base(&self.module.plan.database, &columns)?;
        let constant = self.module.statement("find", &query.from, self.only_column(&columns), lowered.text);
        self.module.imports.insert(Import::ReadRecord);
        let values = Asked { binds: &lowered.binds, table: &query.from, filter: &query.filter };
        let names = [self.connection(surroundings), self.local(asked), related, constant].map(Expression::text);
        let kinds = Expression::Object(self.kinds(&columns));
        let arguments = names.into_iter().chain([self.column_values(values)?, kinds]).collect();
        Ok(self.awaited("readRecord", arguments))
    }

    fn listing_validation(&mut self, holes: &Holes, related: Option<Expression>) -> Result<Expression, EmitError> {
        let constant = self.listing_constant(self.listing.filter(|listing| listing.holes == holes))?;
        self.module.imports.insert(Import::ValidateListing);
        let arguments = [Expression::text("request"), Expression::text(constant)].into_iter().chain(related);
        Ok(Expression::call("validateListing", arguments))
    }

    /// Lists of which the same may be asked share a constant, whatever table they read.
    fn listing_constant(&self, listing: Option<Listing<'_>>) -> Result<String, EmitError> {
        let description = match listing {
            Some(listing) => Some(description(self.module.plan, &self.procedure.name, listing)?.flat()),
            None => None,
        };
        let constant = self.module.listings.iter().find(|constant| Some(constant.description.flat()) == description);
        match constant {
            Some(constant) => Ok(constant.name.clone()),
            None => self.malformed("what is asked of a list fills no query".to_owned()),
        }
    }

    /// A page of the list that the slot asks for; the rest of the statement is composed when it is known.
    fn page(&mut self, query: &Query, asked: &SlotName, surroundings: Surroundings) -> Result<Expression, EmitError> {
        let base = dialect::lower_listing_base(&self.module.plan.database, &query.of_columns())?;
        let constant = self.module.statement("list", &query.from, None, base.text);
        self.module.imports.insert(Import::ReadPage);
        let mut arguments = vec![
            Expression::text(self.connection(surroundings)),
            Expression::text(self.local(asked)),
            Expression::text(constant),
        ];
        if !query.filter.is_empty() {
            let asked = Asked { binds: &base.binds, table: &query.from, filter: &query.filter };
            arguments.push(self.column_values(asked)?);
        }
        Ok(self.awaited("readPage", arguments))
    }

    /// The columns of a query that the engine keeps in another type.
    fn kinds(&self, query: &Query) -> Vec<(String, Expression)> {
        match self.module.application.types {
            Types::All => return Vec::new(),
            Types::Few => {}
        }
        let outputs = query.outputs.iter().filter_map(|output| match output {
            Output::Column { column, field } => {
                Some((field, &self.module.plan.database.column(&query.from, column)?.field_type))
            }
            Output::Related(_) => None,
        });
        let kept_otherwise = outputs.filter(|(_, field_type)| match field_type {
            FieldType::Boolean | FieldType::Decimal { .. } | FieldType::Json => true,
            FieldType::Line { .. }
            | FieldType::Text { .. }
            | FieldType::Email
            | FieldType::Phone
            | FieldType::Url
            | FieldType::Choice { .. }
            | FieldType::Code { .. }
            | FieldType::Integer
            | FieldType::Date
            | FieldType::Timestamp
            | FieldType::Uuid => false,
        });
        kept_otherwise
            .map(|(field, field_type)| (field.to_string(), Expression::Object(type_rules(field_type))))
            .collect()
    }

    fn write(
        &mut self,
        script: &mut Script,
        slot: Option<&SlotName>,
        write: &Write,
        surroundings: Surroundings,
    ) -> Result<(), EmitError> {
        let lowered = dialect::lower_write(&self.module.plan.database, write)?;
        let (verb, table, method) = match write {
            Write::Insert { table, on_conflict: OnConflict::Keep { .. }, .. } if slot.is_some() => {
                ("insert", table, "insert")
            }
            Write::Insert { table, made: Some(_), .. } => ("insert", table, "insertForKey"),
            // Rows of a list are stored together.
            Write::Insert { table, on_conflict: OnConflict::Fail, .. } if self.goes_through => ("insert", table, "add"),
            Write::Insert { table, .. } => ("insert", table, "run"),
            Write::Update { table, set, .. } => (self.verb_of(set), table, "run"),
            Write::Delete { table, .. } => ("delete", table, "run"),
            Write::Add(add) => ("addTo", &add.table, "run"),
        };
        let constant = self.module.statement(verb, table, None, lowered.text);
        let (table, filter) = write.filter();
        let asked = Asked { binds: &lowered.binds, table, filter };
        let call = self.execution(surroundings, method, constant, asked, Vec::new())?;
        let outcome = match (write, call) {
            (Write::Update { .. } | Write::Delete { .. } | Write::Add(_), Expression::Call(callee, arguments))
                if slot.is_some() =>
            {
                Expression::Followed(Box::new(Expression::Call(format!("({callee}"), arguments)), ") > 0")
            }
            (Write::Insert { .. } | Write::Update { .. } | Write::Delete { .. } | Write::Add(_), call) => call,
        };
        self.bind(script, slot, &outcome);
        if accounts::ends_sessions(write) && surroundings == Surroundings::Transaction {
            self.module.shared.insert(Shared::Accounts);
            script.line("transaction.whenCommitted(() => accounts.forget());");
        }
        Ok(())
    }

    /// What an update does: it replaces a record by the body, changes what was given, or something else.
    fn verb_of(&self, set: &[(ColumnName, Assigned)]) -> &'static str {
        if set.iter().any(|(_, assigned)| matches!(assigned, Assigned::IfGiven(..))) {
            return "change";
        }
        let is_set = |slot: &SlotName, field: &FieldName| {
            set.iter().any(|(_, assigned)| {
                matches!(assigned, Assigned::Value(Value::Field(from, name)) if from == slot && name == field)
            })
        };
        let replaces = flattened(&self.procedure.body).into_iter().any(|item| match item {
            Item::Let(slot, Step::Validate(Input::Body(shape))) => {
                shape.fields.iter().all(|field| is_set(slot, &field.name))
            }
            _ => false,
        });
        if replaces { "replace" } else { "update" }
    }

    /// The payload stands in a variable of its own where the call would be too long with it.
    fn emit(
        &mut self,
        script: &mut Script,
        id: Option<&SlotName>,
        event: &str,
        payload: &[(FieldName, Value)],
    ) -> Result<(), EmitError> {
        self.module.shared.insert(Shared::Outbox);
        let payload = self.record(payload)?;
        let whole = self.emitted(id, event, payload.clone());
        if script.fits("", &whole) {
            script.statement("", &whole);
        } else {
            let name = self.names.take("event");
            script.statement(&format!("const {name} = "), &payload);
            let call = self.emitted(id, event, Expression::text(name));
            script.statement("", &call);
        }
        Ok(())
    }

    fn emitted(&mut self, id: Option<&SlotName>, event: &str, payload: Expression) -> Expression {
        let (event, at) = (Expression::text(quoted(event)), Expression::text("request.receivedAt"));
        let mut arguments = vec![Expression::text("transaction"), event, payload, at];
        arguments.extend(id.map(|id| Expression::text(self.local(id))));
        self.awaited("outbox.emit", arguments)
    }

    /// What a service has answered to an event.
    fn wait(
        &mut self,
        id: &Value,
        by: &TaskId,
        given: &Entries<FieldName, Given>,
        within_ms: u32,
    ) -> Result<Expression, EmitError> {
        let mut gives = Vec::new();
        for (name, given) in given.iter() {
            let given = given.value.as_expression().filter(|expression| expression.through.is_empty());
            let Some(Reference::Answer(step, field)) = given.map(|expression| &expression.from) else {
                return self.cannot("give what a service did not answer as it stands");
            };
            let place = [step.as_str(), field.as_str()].map(|part| Expression::text(quoted(part)));
            gives.push((name.to_string(), Expression::Array(place.into())));
        }
        self.module.imports.insert(Import::Awaited);
        let integration = Expression::text(quoted(by.as_str()));
        let asked = vec![
            ("event".to_owned(), self.value(id)?),
            ("integration".to_owned(), integration),
            ("gives".to_owned(), Expression::Object(gives)),
            ("within".to_owned(), Expression::text(grouped(u64::from(within_ms)))),
        ];
        Ok(self.awaited("awaited", vec![Expression::text("database"), Expression::Object(asked)]))
    }

    /// What the records of a list lead to is looked for together.
    fn look_ahead(&mut self, script: &mut Script, each: &'a Each, list: &str) -> Result<bool, EmitError> {
        let mut looks_ahead = false;
        for plan::Ahead { slot: _, query, field, output, changes } in each.ahead() {
            let lowered = dialect::lower_query(&self.module.plan.database, query)?;
            if dialect::finds(&lowered.text, 1).is_none() {
                continue;
            }
            let rest = Asked { binds: &lowered.binds[1..], table: &query.from, filter: &query.filter[1..] };
            let mut asked = vec![("by".to_owned(), Expression::text(quoted(query.outputs[output].field().as_str())))];
            if !rest.binds.is_empty() {
                asked.push(("rest".to_owned(), self.column_values(rest)?));
            }
            let kinds = self.kinds(query);
            if !kinds.is_empty() {
                asked.push(("columns".to_owned(), Expression::Object(kinds)));
            }
            if changes {
                asked.push(("once".to_owned(), Expression::text("true")));
            }
            let constant = self.module.statement("find", &query.from, self.only_column(query), lowered.text);
            let values = format!("{list}.map((entry) => entry.{field})");
            let arguments = vec![Expression::text(constant), Expression::text(values), Expression::Object(asked)];
            let look = self.awaited("transaction.lookAhead", arguments);
            script.statement("", &look);
            looks_ahead = true;
        }
        Ok(looks_ahead)
    }

    /// `for` over the records of a list; what comes of each is pushed into another.
    fn each(
        &mut self,
        script: &mut Script,
        each: &'a Each,
        after: &BTreeSet<SlotName>,
        surroundings: Surroundings,
    ) -> Result<(), EmitError> {
        let (into, item) = (self.local(&each.into), self.local(&each.item));
        let is_used = after.contains(&each.into);
        if is_used {
            let start = if self.hoisted.contains(&each.into) { "" } else { "const " };
            script.line(&format!("{start}{into} = [];"));
        }
        let names_entry = |item: &&Item| matches!(item, Item::Exit(Response::Entry { .. } | Response::Short { .. }, _));
        let list = format!("{}.{}", self.local(&each.of), each.list);
        let may_be_absent = self.slots.field(&each.of, &each.list).map(|field| field.nullability);
        let bare = if may_be_absent == Some(Nullability::Nullable) { format!("{list} ?? []") } else { list.clone() };
        let list = if bare == list { list } else { format!("({bare})") };
        let looks_ahead = self.look_ahead(script, each, &list)?;
        let (outer, went_through) = (self.index.take(), std::mem::replace(&mut self.goes_through, true));
        if flattened(&each.body).iter().any(names_entry) {
            let index = self.names.take("index");
            script.open(&format!("for (const [{index}, {item}] of {list}.entries()) {{"));
            self.index = Some(index);
        } else {
            script.open(&format!("for (const {item} of {bare}) {{"));
        }
        let mut needed = BTreeSet::new();
        each.gives.iter().filter(|_| is_used).for_each(|(_, value)| value.slots(&mut needed));
        self.block(script, &each.body, &needed, surroundings)?;
        if is_used {
            let given = self.record(&each.gives)?;
            script.statement("", &Expression::call(format!("{into}.push"), [given]));
        }
        script.close("}");
        if looks_ahead {
            script.line("transaction.forget();");
        }
        (self.index, self.goes_through) = (outer, went_through);
        Ok(())
    }

    /// The answer is kept until another one takes its place.
    fn promise(&mut self, script: &mut Script, response: &Response) -> Result<(), EmitError> {
        let (Some(claim), Response::Answer { status, body, tag, location }) = (self.keeps.clone(), response) else {
            return self.malformed("it promises an answer that nobody keeps".to_owned());
        };
        let answer = self.answer(*status, body, tag.as_ref(), location.as_ref())?;
        let keep = self.awaited(format!("{claim}.keep"), vec![Expression::text("transaction"), answer]);
        script.statement("", &keep);
        Ok(())
    }

    fn execution(
        &mut self,
        surroundings: Surroundings,
        method: &str,
        constant: String,
        asked: Asked<'_>,
        kinds: Vec<(String, Expression)>,
    ) -> Result<Expression, EmitError> {
        let mut arguments = vec![Expression::text(constant)];
        if !asked.binds.is_empty() || !kinds.is_empty() {
            arguments.push(self.column_values(asked)?);
        }
        if !kinds.is_empty() {
            arguments.push(Expression::Object(kinds));
        }
        Ok(self.awaited(format!("{}.{method}", self.connection(surroundings)), arguments))
    }

    fn column_values(&mut self, asked: Asked<'_>) -> Result<Expression, EmitError> {
        let mut keys = Vec::new();
        self.keys_in(asked.table, asked.filter, &mut keys);
        self.values_by(asked.binds, &keys)
    }

    fn values_by(&mut self, binds: &[Value], keys: &[(&Value, FieldType)]) -> Result<Expression, EmitError> {
        let mut values = Vec::new();
        for value in binds {
            let column_value = self.column_value(value)?;
            values.push(match keys.iter().find(|(known, _)| *known == value) {
                Some((_, FieldType::Uuid)) if self.module.application.ids == Ids::Uuids => {
                    self.module.imports.insert(Import::UuidOrNull);
                    Expression::call("uuidOrNull", [column_value])
                }
                Some((_, FieldType::Integer)) => {
                    self.module.imports.insert(Import::NumberOrNull);
                    Expression::call("numberOrNull", [column_value])
                }
                Some(_) | None => column_value,
            });
        }
        Ok(Expression::Array(values))
    }

    /// What is compared with a column and need not be of its type, with that.
    fn keys_in<'f>(&self, table: &TableName, filter: &'f [Predicate], keys: &mut Vec<(&'f Value, FieldType)>) {
        for predicate in filter {
            match predicate {
                Predicate::Compare(column, _, value) => {
                    let column = self.module.plan.database.column(table, column);
                    let others = column.filter(|column| self.slots.may_be_another(value, &column.field_type));
                    keys.extend(others.map(|column| (value, column.field_type.clone())));
                }
                Predicate::Any(inner) | Predicate::All(inner) => self.keys_in(table, inner, keys),
                Predicate::Not(inner) => self.keys_in(table, std::slice::from_ref(inner), keys),
                Predicate::Test(..) | Predicate::Null(_) => {}
            }
        }
    }

    /// A transaction that may end the procedure hands the answer out; one that always does is the answer.
    fn transaction(
        &mut self,
        script: &mut Script,
        body: &'a [Item],
        after: &BTreeSet<SlotName>,
    ) -> Result<(), EmitError> {
        self.hoist(script, bound_slots(body).intersection(after).cloned().collect());
        let recalls = |item: &Item| matches!(item, Item::Let(_, Step::Recall(_)) | Item::Do(Step::Recall(_)));
        let exits = flattened(body).into_iter().any(|item| returns(item) || recalls(item));
        let done = (exits && !always_exits(body)).then(|| self.names.take("done"));
        let start = match &done {
            Some(done) => format!("const {done} = await "),
            None if exits => "return ".to_owned(),
            None => "await ".to_owned(),
        };
        self.waits = true;
        script.open(&format!("{start}{}.transaction(async (transaction) => {{", self.database));
        let tables = uses::writes(&self.module.plan.database.tables, self.procedure);
        let told: Vec<String> = tables.intersection(&self.module.kept).map(|name| quoted(name.as_str())).collect();
        if !told.is_empty() {
            script.line(&format!("transaction.changes({});", told.join(", ")));
        }
        self.block(script, body, after, Surroundings::Transaction)?;
        let merges = |item: &&Item| matches!(item, Item::Let(_, Step::Check(Condition::Prefers(Preference::Merge))));
        let merges = flattened(body).iter().any(merges);
        if !flattened(body).into_iter().any(|item| matches!(item, Item::Promise(_))) {
            self.keeps = None;
        }
        // What was not there a moment ago is there now, and can be changed.
        if merges {
            self.module.imports.insert(Import::AsksFor);
            let merge = quoted(Preference::Merge.as_str());
            script.close(&format!("}}, {{ again: asksFor(request, {merge}) }});"));
        } else {
            script.close("});");
        }
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
            return self.several_arms(script, slot, arms, after, surroundings);
        };
        let (holds, fails) = (self.outcome(slot, *first), self.outcome(slot, *second));
        let nothing = BTreeSet::new();
        if always_exits(no) {
            self.conditional(script, &fails, no, &nothing, surroundings)?;
            return self.block(script, yes, after, surroundings);
        }
        if always_exits(yes) {
            self.conditional(script, &holds, yes, &nothing, surroundings)?;
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

    /// Arms that end the procedure, one after the other; there is nothing to be done in the others.
    fn several_arms(
        &mut self,
        script: &mut Script,
        slot: &SlotName,
        arms: &'a [(Outcome, Vec<Item>)],
        after: &BTreeSet<SlotName>,
        surroundings: Surroundings,
    ) -> Result<(), EmitError> {
        let last = arms.iter().all(|(_, body)| always_exits(body)).then(|| arms.last()).flatten();
        for (outcome, body) in arms.iter().filter(|(_, body)| !body.is_empty()) {
            if last.is_some_and(|(known, _)| known == outcome) {
                self.block(script, body, after, surroundings)?;
                continue;
            }
            if !always_exits(body) {
                return self.cannot("a match with more than two arms that go on");
            }
            let asked = self.outcome(slot, *outcome);
            self.conditional(script, &asked, body, after, surroundings)?;
        }
        Ok(())
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
            Outcome::Found | Outcome::Yes | Outcome::Changed | Outcome::Several => local,
            Outcome::Missing | Outcome::No | Outcome::Unchanged | Outcome::Single => format!("!{local}"),
            Outcome::Inserted | Outcome::Present => format!("{local} === {}", quoted(print::outcome_name(outcome))),
            Outcome::Answered | Outcome::Refused | Outcome::Unknown => {
                format!("{local}.outcome === {}", quoted(print::outcome_name(outcome)))
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
            Response::Answer { status, body, tag, location } => {
                let answer = self.answer(*status, body, tag.as_ref(), location.as_ref())?;
                self.return_answer(script, answer, writes, surroundings);
            }
            Response::Record { asked, body, tag } => {
                self.module.imports.insert(Import::Picked);
                let whole = self.record_fields(body, asked)?;
                let part = Expression::call("picked", [whole, Expression::text(self.local(asked))]);
                let answer = match self.related.clone() {
                    None => self.answer_with(200, Some(part), Some(tag), None)?,
                    Some(related) => {
                        self.module.imports.extend([Import::Respond, Import::TagOf]);
                        let asked = [self.local(asked), related].map(Expression::text);
                        let tag = std::iter::once(self.value(tag)?).chain(asked);
                        let headers = Expression::call("tagOf", tag);
                        Expression::call("respond", [Expression::text("200"), part, headers])
                    }
                };
                self.return_answer(script, answer, writes, surroundings);
            }
            Response::Rows { slot, format } => {
                let rows = self.local(slot);
                let is_asked = matches!(self.slots.get(slot), Some(Held::Page));
                let page = match self.slots.get(slot) {
                    Some(Held::Page) => Expression::text(rows),
                    Some(Held::Rows) => Expression::Object(vec![
                        ("items".to_owned(), Expression::text(rows)),
                        ("next".to_owned(), Expression::text("null")),
                    ]),
                    _ => return self.malformed(format!("slot `{slot}` holds no rows")),
                };
                let mut arguments = vec![Expression::text("request"), page];
                let (import, callee) = match format {
                    RowsFormat::Json if is_asked => {
                        arguments.push(Expression::text(self.listed_columns()?));
                        (Import::RespondList, "respondList")
                    }
                    RowsFormat::Json => (Import::RespondPage, "respondPage"),
                    RowsFormat::Ndjson => (Import::RespondNdjson, "respondNdjson"),
                    RowsFormat::Csv => {
                        arguments.push(Expression::text(self.listed_columns()?));
                        (Import::RespondCsv, "respondCsv")
                    }
                };
                self.module.imports.insert(import);
                self.return_answer(script, Expression::call(callee, arguments), writes, surroundings);
            }
            Response::Records { status, slot, fields: _ } => {
                self.module.imports.insert(Import::Respond);
                let arguments = [Expression::text(status.to_string()), Expression::text(self.local(slot))];
                self.return_answer(script, Expression::call("respond", arguments), writes, surroundings);
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
            Response::Inconsistent { field, detail } => {
                self.module.imports.insert(Import::Inconsistent);
                let arguments = [field.as_str(), detail].map(|text| Expression::text(quoted(text)));
                script.statement("throw ", &Expression::call("inconsistent", arguments));
            }
            Response::Entry { list, field, detail } => {
                let Some(index) = self.index.clone() else {
                    return self.malformed("it speaks of a record of a list that it is not at".to_owned());
                };
                self.module.imports.insert(Import::WrongEntry);
                let list = list.as_ref().map_or_else(|| "undefined".to_owned(), |list| quoted(list.as_str()));
                let place = [list, index, quoted(field.as_str())].map(Expression::text);
                let detail = detail.as_ref().map(|detail| Expression::text(quoted(detail)));
                script.statement("throw ", &Expression::call("wrongEntry", place.into_iter().chain(detail)));
            }
            Response::Short { list, field } => {
                let Some(index) = self.index.clone() else {
                    return self.malformed("it speaks of a record of a list that it is not at".to_owned());
                };
                self.module.imports.insert(Import::OutOfStock);
                let place = [quoted(list.as_str()), index, quoted(field.as_str())].map(Expression::text);
                script.statement("throw ", &Expression::call("outOfStock", place));
            }
            Response::UnknownReference(field) => {
                self.module.imports.insert(Import::UnknownReference);
                let name = Expression::text(quoted(field.as_str()));
                script.statement("throw ", &Expression::call("unknownReference", [name]));
            }
            Response::Redirect(_) => return self.cannot("redirect"),
            Response::Done => script.line("return;"),
        }
        Ok(())
    }

    /// The constant whose columns are those of the rows.
    fn listed_columns(&self) -> Result<String, EmitError> {
        let Some(listing) = self.listing else { return self.cannot("write rows that nobody asks for as CSV") };
        let gives = |wanted: &ColumnName| {
            listing
                .query
                .outputs
                .iter()
                .any(|output| matches!(output, Output::Column { column, .. } if column == wanted))
        };
        if listing.holes.filters.iter().any(|(column, _)| !gives(column)) {
            return self.cannot("write rows as CSV that do not give what they are filtered by");
        }
        self.listing_constant(Some(listing))
    }

    fn return_answer(&mut self, script: &mut Script, answer: Expression, writes: Writes, surroundings: Surroundings) {
        match (surroundings, writes) {
            (Surroundings::Transaction, Writes::Undo) => {
                self.module.imports.insert(Import::Undo);
                script.statement("return ", &Expression::call("undo", [answer]));
            }
            (Surroundings::Plain, _) => script.statement("return ", &answer),
            (Surroundings::Transaction, Writes::Keep) => {
                let answer = match &self.keeps {
                    Some(claim) => Expression::call(format!("{claim}.keep"), [Expression::text("transaction"), answer]),
                    None => answer,
                };
                script.statement("return ", &answer);
            }
        }
    }

    fn answer(
        &mut self,
        status: u16,
        body: &[ResponseField],
        tag: Option<&Value>,
        location: Option<&Location>,
    ) -> Result<Expression, EmitError> {
        let body = if body.is_empty() { None } else { Some(self.fields_of(body)?) };
        self.answer_with(status, body, tag, location)
    }

    /// The record, with what may come with it.
    fn record_fields(&mut self, body: &[ResponseField], asked: &SlotName) -> Result<Expression, EmitError> {
        let read = flattened(&self.procedure.body).into_iter().find_map(|item| match item {
            Item::Let(row, Step::Read { query, filled_by: Some(slot), .. }) if slot == asked => Some((row, query)),
            _ => None,
        });
        let mut fields = body.iter().map(|field| (&field.name, field.value.clone())).collect::<Vec<_>>();
        if let Some((row, query)) = read {
            let value = |related: &Related| Value::Field(row.clone(), related.field.clone());
            fields.extend(query.related().map(|related| (&related.field, value(related))));
        }
        let fields = fields.into_iter().map(|(name, value)| Ok((name.to_string(), self.value(&value)?)));
        Ok(Expression::Object(fields.collect::<Result<_, EmitError>>()?))
    }

    fn fields_of(&mut self, body: &[ResponseField]) -> Result<Expression, EmitError> {
        let fields = body.iter().map(|field| Ok((field.name.to_string(), self.value(&field.value)?)));
        Ok(Expression::Object(fields.collect::<Result<_, EmitError>>()?))
    }

    fn answer_with(
        &mut self,
        status: u16,
        body: Option<Expression>,
        tag: Option<&Value>,
        location: Option<&Location>,
    ) -> Result<Expression, EmitError> {
        self.module.imports.insert(Import::Respond);
        let mut headers = Vec::new();
        if let Some(tag) = tag {
            self.module.imports.insert(Import::Etag);
            headers.push(("ETag".to_owned(), Expression::call("etag", [self.value(tag)?])));
        }
        if let Some(Location { path, key }) = location {
            let path = self.filled(path)?;
            let path = path.trim_end_matches('`');
            let value = self.value(key)?.flat();
            // What was generated here fits into a path as it is.
            let key = match key {
                Value::Slot(_) => value,
                _ => format!("encodeURIComponent({value})"),
            };
            headers.push(("Location".to_owned(), Expression::text(format!("{path}${{{key}}}`"))));
        }
        let mut arguments = vec![Expression::text(status.to_string())];
        if let Some(body) = body {
            arguments.push(body);
        } else if !headers.is_empty() {
            arguments.push(Expression::text("undefined"));
        }
        if !headers.is_empty() {
            arguments.push(Expression::Object(headers));
        }
        Ok(Expression::call("respond", arguments))
    }

    /// The path as a template literal, with the parameters of the request in it.
    fn filled(&self, path: &str) -> Result<String, EmitError> {
        let mut filled = template_literal(path);
        for name in parameters_in(path) {
            if !parameters_in(self.path).any(|known| known == name) {
                return self.malformed(format!("its path has no parameter `{name}`"));
            }
            let parameter = format!("${{encodeURIComponent(request.parameters.{name})}}");
            filled = filled.replace(&format!("{{{name}}}"), &parameter);
        }
        Ok(filled)
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

    /// The column of a query that reads no other beside the key.
    fn only_column<'q>(&self, query: &'q Query) -> Option<&'q ColumnName> {
        let table = self.module.plan.database.tables.iter().find(|table| table.name == query.from);
        let is_key = |column: &ColumnName| table.is_some_and(|table| table.primary_key.contains(column));
        let mut columns = query.outputs.iter().filter_map(|output| match output {
            Output::Column { column, .. } if is_key(column) => None,
            Output::Column { column, .. } => Some(column),
            Output::Related(_) => None,
        });
        columns.next().filter(|_| columns.next().is_none())
    }

    pub(super) fn local(&self, slot: &SlotName) -> String {
        self.module.locals.get(slot).cloned().unwrap_or_else(|| camel_case(slot.as_str()))
    }
}

/// Whether the item ends a transaction by returning an answer; a problem that undoes the writes is thrown.
fn returns(item: &Item) -> bool {
    match item {
        Item::Exit(Response::Problem(_), Writes::Undo)
        | Item::Exit(
            Response::UnknownReference(_)
            | Response::Inconsistent { .. }
            | Response::Entry { .. }
            | Response::Short { .. },
            _,
        ) => false,
        Item::Exit(..) => true,
        Item::Let(..) | Item::Do(_) | Item::Transaction(_) | Item::Each(_) | Item::Promise(_) | Item::Match(..) => {
            false
        }
    }
}

/// The name in `lib/problem.js`.
fn problem_name(problem: Problem) -> String {
    problem.name().replace('-', "_")
}

/// What the account of who calls must be, as an option of whoever asks.
fn asked_role(roles: &Roles) -> (String, Expression) {
    let names: Vec<String> = roles.names().iter().map(|name| quoted(name.as_str())).collect();
    let asked = if let [only] = &names[..] { only.clone() } else { format!("[{}]", names.join(", ")) };
    ("role".to_owned(), Expression::text(asked))
}
