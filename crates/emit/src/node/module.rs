//! The module `endpoints.js` as a whole: its imports, its statements, its routes. Names are chosen here, so that no two
//! things of the module are called alike.

use super::driver::{Application, application};
use super::listing::description;
use super::names::{Names, camel_case};
use super::procedure::{Subject, Written, write_procedure};
use super::script::{Expression, Script, quoted, template_literal};
use crate::error::EmitError;
use crate::outline::{Body, Outline, body, bound_slots};
use plan::accounts::{KEYS_PATH, RESOURCE_PATH};
use plan::api::Cors;
use plan::procedure::{Input, Item, Step, flattened};
use plan::shape::Shape;
use plan::{Cache, Plan, check, uses};
use std::collections::{BTreeMap, BTreeSet};
use vocab::{ColumnName, SlotName, TableName};

/// What an API is made of, for editors.
pub const PARTS: [&str; 4] = [
    "/**",
    " * @param {{ database: import('../../lib/database.js').Database, metrics: object,",
    " *   counts?: import('../../lib/counts.js').Counts }} parts",
    " */",
];

/// What a module of endpoints may import from `lib/`, in the order of the paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Import {
    AuthorizeUser,
    RandomToken,
    RespondKeys,
    Authorize,
    RequireScopes,
    Awaited,
    IsList,
    Undo,
    Decimal,
    Sum,
    Times,
    Etag,
    IsCurrent,
    Hear,
    NumberOrNull,
    UuidOrNull,
    Uuidv7,
    AuthorizeIssued,
    RespondResource,
    KeptAnswer,
    ReadPage,
    ValidateListing,
    RespondCsv,
    RespondNdjson,
    RespondPage,
    RespondList,
    HashPassword,
    VerifyPassword,
    ValidatePatch,
    AsksFor,
    Prefers,
    Problem,
    Tried,
    Anonymous,
    Respond,
    Picked,
    ReadRecord,
    TagOf,
    ValidateSelection,
    DigestOf,
    Inconsistent,
    UnknownReference,
    Validate,
    ValidateChanges,
    ValidateList,
    ValidateParameters,
    ValidateQuery,
    OutOfStock,
    WrongEntry,
}

impl Import {
    const ALL: [Self; 49] = [
        Self::AuthorizeUser,
        Self::RandomToken,
        Self::RespondKeys,
        Self::Authorize,
        Self::RequireScopes,
        Self::Awaited,
        Self::IsList,
        Self::Undo,
        Self::Decimal,
        Self::Sum,
        Self::Times,
        Self::Etag,
        Self::IsCurrent,
        Self::Hear,
        Self::NumberOrNull,
        Self::UuidOrNull,
        Self::Uuidv7,
        Self::AuthorizeIssued,
        Self::RespondResource,
        Self::KeptAnswer,
        Self::ReadPage,
        Self::ValidateListing,
        Self::RespondCsv,
        Self::RespondNdjson,
        Self::RespondPage,
        Self::RespondList,
        Self::HashPassword,
        Self::VerifyPassword,
        Self::ValidatePatch,
        Self::AsksFor,
        Self::Prefers,
        Self::Problem,
        Self::Tried,
        Self::Anonymous,
        Self::Respond,
        Self::Picked,
        Self::ReadRecord,
        Self::TagOf,
        Self::ValidateSelection,
        Self::DigestOf,
        Self::Inconsistent,
        Self::UnknownReference,
        Self::Validate,
        Self::ValidateChanges,
        Self::ValidateList,
        Self::ValidateParameters,
        Self::ValidateQuery,
        Self::OutOfStock,
        Self::WrongEntry,
    ];

    fn symbol(self) -> &'static str {
        match self {
            Self::AuthorizeUser => "authorizeUser",
            Self::AuthorizeIssued => "authorizeIssued",
            Self::RespondResource => "respondResource",
            Self::DigestOf => "digestOf",
            Self::RandomToken => "randomToken",
            Self::RespondKeys => "respondKeys",
            Self::Tried => "tried",
            Self::HashPassword => "hashPassword",
            Self::VerifyPassword => "verifyPassword",
            Self::Authorize => "authorize",
            Self::RequireScopes => "requireScopes",
            Self::Awaited => "awaited",
            Self::Undo => "undo",
            Self::Decimal => "Decimal",
            Self::Sum => "sum",
            Self::Times => "times",
            Self::Etag => "etag",
            Self::IsCurrent => "isCurrent",
            Self::Hear => "hear",
            Self::Inconsistent => "inconsistent",
            Self::UnknownReference => "unknownReference",
            Self::NumberOrNull => "numberOrNull",
            Self::UuidOrNull => "uuidOrNull",
            Self::Uuidv7 => "uuidv7",
            Self::ReadPage => "readPage",
            Self::RespondCsv => "respondCsv",
            Self::RespondNdjson => "respondNdjson",
            Self::RespondPage => "respondPage",
            Self::RespondList => "respondList",
            Self::ValidateListing => "validateListing",
            Self::Problem => "Problem",
            Self::Anonymous => "anonymous",
            Self::Respond => "respond",
            Self::Picked => "picked",
            Self::ReadRecord => "readRecord",
            Self::TagOf => "tagOf",
            Self::KeptAnswer => "keptAnswer",
            Self::ValidateSelection => "validateSelection",
            Self::Validate => "validate",
            Self::ValidateChanges => "validateChanges",
            Self::ValidatePatch => "validatePatch",
            Self::ValidateList => "validateList",
            Self::IsList => "isList",
            Self::AsksFor => "asksFor",
            Self::Prefers => "prefers",
            Self::ValidateParameters => "validateParameters",
            Self::ValidateQuery => "validateQuery",
            Self::OutOfStock => "outOfStock",
            Self::WrongEntry => "wrongEntry",
        }
    }

    fn file(self) -> &'static str {
        match self {
            Self::AuthorizeUser | Self::RandomToken | Self::RespondKeys => "accounts",
            Self::DigestOf => "successor",
            Self::Tried => "rate-limit",
            Self::AuthorizeIssued | Self::RespondResource => "issuer",
            Self::HashPassword | Self::VerifyPassword => "passwords",
            Self::Authorize | Self::RequireScopes => "authorization",
            Self::Awaited => "delivery/awaited",
            Self::Undo => "database",
            Self::Decimal | Self::Sum | Self::Times => "decimal",
            Self::Etag | Self::IsCurrent => "etag",
            Self::Hear => "hearing",
            Self::NumberOrNull | Self::UuidOrNull | Self::Uuidv7 => "identifiers",
            Self::KeptAnswer => "kept",
            Self::ReadPage | Self::ValidateListing => "listing",
            Self::RespondCsv | Self::RespondList | Self::RespondNdjson | Self::RespondPage => "page",
            Self::ValidatePatch => "patch",
            Self::IsList => "body",
            Self::AsksFor | Self::Prefers => "preference",
            Self::Problem => "problem",
            Self::Anonymous => "request",
            Self::Respond => "response",
            Self::Picked | Self::ReadRecord | Self::TagOf | Self::ValidateSelection => "selection",
            Self::Inconsistent
            | Self::UnknownReference
            | Self::Validate
            | Self::ValidateChanges
            | Self::ValidateList
            | Self::ValidateParameters
            | Self::ValidateQuery
            | Self::OutOfStock
            | Self::WrongEntry => "validation",
        }
    }
}

/// What the endpoints of an API share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shared {
    /// Its accounts.
    Accounts,
    /// Its API keys.
    Keys,
    /// Its rate limits.
    Limits,
    /// The answers it keeps for idempotency keys.
    Idempotency,
    /// Whom it knows by tokens of another issuer.
    Identities,
    /// Who issues those.
    Issuer,
    /// Its outbox.
    Outbox,
    /// What calculates its tokens.
    Tokens,
}

impl Shared {
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Accounts => "accounts",
            Self::Keys => "keys",
            Self::Limits => "limits",
            Self::Idempotency => "idempotency",
            Self::Identities => "identities",
            Self::Issuer => "issuer",
            Self::Outbox => "outbox",
            Self::Tokens => "tokens",
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

/// What a list may be asked, as a constant of `middleware.js`.
pub struct ListingConstant {
    pub name: String,
    pub description: Expression,
    /// The endpoints that answer with such lists: `GET /api/products`.
    pub takers: Vec<String>,
}

/// The module of endpoints.
pub struct EndpointModule<'a> {
    /// The text of `endpoints.js`.
    pub text: String,
    pub shared: BTreeSet<Shared>,
    pub shapes: Vec<ShapeConstant<'a>>,
    pub listings: Vec<ListingConstant>,
}

/// The endpoints of a plan as a module, with what each asks before it does anything, where callers are told so.
pub fn endpoint_module<'a>(
    plan: &'a Plan,
    outlines: &[Outline<'a>],
    questions: &[Outline<'a>],
) -> Result<EndpointModule<'a>, EmitError> {
    let mut module = Module::new(plan, outlines)?;
    let mut routes = Script::at(1);
    for outline in outlines {
        routes.blank();
        routes.comment(&describe(outline));
        module.route("route", outline, &mut routes)?;
    }
    if !questions.is_empty() {
        routes.blank();
        routes.comment(
            "What the endpoints ask before they do anything: callers are told by it what they may do. Whatever the body \
             brings is taken to be right.",
        );
        for question in questions {
            module.route("question", question, &mut routes)?;
        }
    }
    Ok(module.finish(&routes.into_text()))
}

/// What is gathered while procedures are written.
pub struct Module<'a> {
    pub plan: &'a Plan,
    pub application: Application,
    pub names: Names,
    pub locals: BTreeMap<SlotName, String>,
    pub shapes: Vec<ShapeConstant<'a>>,
    pub listings: Vec<ListingConstant>,
    /// Constants of `endpoints.js`: name and statement, in order of first use.
    statements: Vec<(String, String)>,
    pub imports: BTreeSet<Import>,
    pub shared: BTreeSet<Shared>,
    /// The tables that kept answers tell of.
    pub kept: BTreeSet<TableName>,
}

impl<'a> Module<'a> {
    pub fn new(plan: &'a Plan, outlines: &[Outline<'a>]) -> Result<Self, EmitError> {
        let mut taken: Vec<&str> = Import::ALL.map(Import::symbol).to_vec();
        taken.extend(
            [Shared::Keys, Shared::Limits, Shared::Idempotency, Shared::Outbox, Shared::Identities, Shared::Issuer]
                .map(Shared::symbol),
        );
        taken.extend(["application", "counts", "createMiddleware", "database", "metrics", "registerEndpoints"]);
        taken.extend(["request", "transaction"]);
        let mut names = Names::new(&taken);
        let shapes = shape_constants(outlines, &mut names);
        let listings = listing_constants(plan, outlines, &mut names)?;
        let slots: BTreeSet<SlotName> =
            outlines.iter().flat_map(|outline| bound_slots(&outline.endpoint.procedure.body)).collect();
        let locals = slots.into_iter().map(|slot| (slot.clone(), names.take(&camel_case(slot.as_str())))).collect();
        let (statements, imports, shared) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
        let (application, kept) = (application(plan.database.engine), uses::kept(plan));
        Ok(Self { plan, application, names, locals, shapes, listings, statements, imports, shared, kept })
    }

    fn route(&mut self, kind: &str, outline: &Outline<'a>, routes: &mut Script) -> Result<(), EmitError> {
        let procedure = &outline.endpoint.procedure;
        if let Some(why) = check::violations(procedure).into_iter().next() {
            return Err(EmitError::Malformed { procedure: procedure.name.to_string(), why });
        }
        let subject = Subject {
            procedure,
            slots: &outline.slots,
            path: outline.path,
            listing: outline.listing,
            max_body_bytes: outline.endpoint.max_body_bytes,
            own_rows: outline.endpoint.own_rows,
            cache: outline.endpoint.cache,
        };
        let Written { text, waits } = write_procedure(self, subject)?;
        let waits = if waits { "async " } else { "" };
        let kept = kept(outline);
        let parameter = if text.contains("request") || !kept.is_empty() { "(request)" } else { "()" };
        let (method, path) = (quoted(outline.method), quoted(outline.path));
        routes.open(&format!("application.{kind}({method}, {path}, {waits}{parameter} => {{"));
        routes.append(&kept);
        routes.append(&text);
        routes.close("});");
        let types = outline.media_types();
        if kind == "route" && self.plan.api.cors == Cors::On && types.len() > 1 {
            let types: Vec<String> = types.into_iter().map(quoted).collect();
            routes.line(&format!("application.acceptsPatches({path}, [{}]);", types.join(", ")));
        }
        Ok(())
    }

    fn finish(mut self, routes: &str) -> EndpointModule<'a> {
        let mut script = Script::new();
        let api = &self.plan.api.name;
        script.comment(&format!(
            "The endpoints of the {api} API. Each is its procedure, step by step; a step that fails throws the problem \
             that the caller is answered with."
        ));
        script.blank();
        if self.shared.contains(&Shared::Accounts) {
            self.imports.insert(Import::RespondKeys);
        }
        if self.shared.contains(&Shared::Issuer) {
            self.imports.insert(Import::RespondResource);
        }
        self.import_lines(&mut script, "../../lib");
        let mut offered: Vec<&str> = self.shapes.iter().map(|constant| constant.name.as_str()).collect();
        offered.extend(self.listings.iter().map(|constant| constant.name.as_str()));
        offered.extend((!self.shared.is_empty()).then_some("createMiddleware"));
        offered.sort_unstable();
        import_from(&mut script, &offered, "./middleware.js");
        self.statement_lines(&mut script);
        script.blank();
        PARTS.into_iter().for_each(|line| script.line(line));
        script.open("export function registerEndpoints(application, { database, metrics, counts }) {");
        if !self.shared.is_empty() {
            let shared: Vec<&str> = self.shared.iter().map(|shared| shared.symbol()).collect();
            let shared = shared.join(", ");
            script.line(&format!("const {{ {shared} }} = createMiddleware({{ database, metrics, counts }});"));
        }
        script.blank();
        if self.shared.contains(&Shared::Accounts) {
            script.comment("What proves the tokens of this API.");
            script.line(&format!(
                "application.route('GET', {}, (request) => respondKeys(request, accounts));",
                quoted(KEYS_PATH)
            ));
            script.blank();
        }
        if self.shared.contains(&Shared::Issuer) {
            let endpoints = self.plan.api.endpoints.iter();
            let grants: BTreeSet<String> =
                endpoints.filter_map(|endpoint| Some(quoted(endpoint.grant()?.as_str()))).collect();
            let grants = grants.into_iter().collect::<Vec<_>>().join(", ");
            script.comment("Who issues the tokens that it takes.");
            script.line(&format!(
                "application.route('GET', {}, (request) => respondResource(request, issuer, [{grants}]));",
                quoted(RESOURCE_PATH)
            ));
            script.blank();
        }
        script.append(routes);
        script.close("}");
        let (shared, shapes, listings) = (self.shared, self.shapes, self.listings);
        EndpointModule { text: script.into_text(), shared, shapes, listings }
    }

    /// What is needed of `lib/`.
    pub fn import_lines(&self, script: &mut Script, lib: &str) {
        let mut files: Vec<(&str, Vec<&str>)> = Vec::new();
        for import in &self.imports {
            match files.last_mut() {
                Some((file, symbols)) if *file == import.file() => symbols.push(import.symbol()),
                Some(_) | None => files.push((import.file(), vec![import.symbol()])),
            }
        }
        for (file, symbols) in files {
            import_from(script, &symbols, &format!("{lib}/{file}.js"));
        }
    }

    /// The statements as constants.
    pub fn statement_lines(&self, script: &mut Script) {
        for (name, text) in &self.statements {
            script.blank();
            script.line(&format!("const {name} = {};", template_literal(text)));
        }
    }

    /// The constant of a statement, named after what it does. A second one that reads one column is named after that too.
    pub fn statement(&mut self, verb: &str, table: &TableName, only: Option<&ColumnName>, text: String) -> String {
        // `lib/` quotes names as the standard has it, whatever the engine: a grave accent ends a template literal.
        let text = text.replace('`', "\"");
        if let Some((name, _)) = self.statements.iter().find(|(_, known)| *known == text) {
            return name.clone();
        }
        let thing = if verb == "list" { table.to_string() } else { self.thing(table) };
        let plain = camel_case(&format!("{verb}_{thing}"));
        let name = match only {
            Some(column) if self.names.is_taken(&plain) => camel_case(&format!("{verb}_{thing}_{column}")),
            Some(_) | None => plain,
        };
        let name = self.names.take(&name);
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
pub fn import_from(script: &mut Script, names: &[&str], module: &str) {
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

/// Equal shapes are one constant, whether records or changes are checked against it; another shape of the same name gets a
/// number.
fn shape_constants<'a>(outlines: &[Outline<'a>], names: &mut Names) -> Vec<ShapeConstant<'a>> {
    let mut bodies: Vec<(Body<'a>, String)> = Vec::new();
    for outline in outlines {
        for item in flattened(&outline.endpoint.procedure.body) {
            let (Item::Let(_, step) | Item::Do(step)) = item else { continue };
            let checked = match step {
                Step::Validate(Input::Parameters(shape) | Input::Query(shape)) => Some(Body::Record(shape)),
                Step::Validate(Input::List(entries)) => Some(Body::Record(&entries.shape)),
                Step::Hear(hearing) => Some(Body::Record(&hearing.shape)),
                step => body(step),
            };
            bodies.extend(checked.map(|body| (body, takes(outline))));
        }
    }
    // A shape that records are checked against too is named after them.
    bodies.sort_by_key(|(body, _)| matches!(body, Body::Changes(_)));
    let mut constants: Vec<ShapeConstant<'a>> = Vec::new();
    for (body, taker) in bodies {
        match constants.iter_mut().find(|constant| constant.shape == body.shape()) {
            Some(constant) => constant.takers.push(taker),
            None => {
                let name = names.take(&camel_case(&body.name()));
                constants.push(ShapeConstant { name, shape: body.shape(), takers: vec![taker] });
            }
        }
    }
    constants
}

/// Lists of which the same may be asked are one constant.
fn listing_constants(
    plan: &Plan,
    outlines: &[Outline<'_>],
    names: &mut Names,
) -> Result<Vec<ListingConstant>, EmitError> {
    let mut constants: Vec<ListingConstant> = Vec::new();
    for outline in outlines {
        let own = outline.listing.map(|listing| (outline.endpoint.entity.to_string(), listing));
        let related = outline.related.iter().filter_map(|rows| Some((rows.name.to_string(), rows.listing()?)));
        for (of, listing) in own.into_iter().chain(related) {
            let description = description(plan, &outline.endpoint.procedure.name, listing)?;
            let known = constants.iter_mut().find(|constant| constant.description.flat() == description.flat());
            match known {
                Some(constant) if constant.takers.last() == Some(&takes(outline)) => {}
                Some(constant) => constant.takers.push(takes(outline)),
                None => {
                    let name = names.take(&camel_case(&format!("{of}_list")));
                    constants.push(ListingConstant { name, description, takers: vec![takes(outline)] });
                }
            }
        }
    }
    Ok(constants)
}

/// Says at the top of an endpoint how long its answers may be kept.
fn kept(outline: &Outline<'_>) -> String {
    match outline.endpoint.cache {
        Cache::NoStore => String::new(),
        cache @ (Cache::Private(_) | Cache::Public(_)) => {
            let mut script = Script::at(2);
            script.line(&format!("request.cacheControl = {};", quoted(&cache.header())));
            script.into_text()
        }
    }
}

/// The endpoint as the comments of `middleware.js` call it.
fn takes(outline: &Outline<'_>) -> String {
    format!("{} {}", outline.method, outline.path)
}

fn describe(outline: &Outline<'_>) -> String {
    let events: Vec<String> = outline.events.iter().map(|event| format!("`{event}`")).collect();
    let emits = if events.is_empty() { String::new() } else { format!(" Emits {}.", events.join(", ")) };
    format!("{} {}: {}.{emits}", outline.method, outline.path, outline.endpoint.summary)
}
