//! The module `endpoints.js` as a whole: its imports, its statements, its routes. Names are chosen here, so that no two
//! things of the module are called alike.

use super::names::{Names, camel_case};
use super::procedure::{Written, write_procedure};
use super::script::{Script, quoted, template_literal};
use crate::error::EmitError;
use crate::outline::{Outline, bound_slots, flattened};
use plan::procedure::{Input, Item, Step};
use plan::shape::Shape;
use plan::{Plan, check};
use std::collections::{BTreeMap, BTreeSet};
use vocab::{SlotName, TableName};

/// What a module of endpoints may import from `lib/`, in the order of the paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Import {
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
    let mut routes = Script::at(1);
    for outline in outlines {
        routes.blank();
        module.route(outline, &mut routes)?;
    }
    Ok(module.finish(&routes.into_text()))
}

/// What is gathered while procedures are written.
pub struct Module<'a> {
    pub plan: &'a Plan,
    pub names: Names,
    pub locals: BTreeMap<SlotName, String>,
    pub shapes: Vec<ShapeConstant<'a>>,
    /// Constants of `endpoints.js`: name and statement, in order of first use.
    statements: Vec<(String, String)>,
    pub imports: BTreeSet<Import>,
    pub shared: BTreeSet<Shared>,
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
        Self { plan, names, locals, shapes, statements: Vec::new(), imports: BTreeSet::new(), shared: BTreeSet::new() }
    }

    fn route(&mut self, outline: &Outline<'a>, routes: &mut Script) -> Result<(), EmitError> {
        let procedure = &outline.endpoint.procedure;
        if let Some(why) = check::violations(procedure).into_iter().next() {
            return Err(EmitError::Malformed { procedure: procedure.name.to_string(), why });
        }
        let Written { text, waits } = write_procedure(self, outline)?;
        let waits = if waits { "async " } else { "" };
        let parameter = if text.contains("request") { "(request)" } else { "()" };
        routes.comment(&describe(outline));
        let (method, path) = (quoted(outline.method), quoted(outline.path));
        routes.open(&format!("application.route({method}, {path}, {waits}{parameter} => {{"));
        routes.append(&text);
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
    pub fn statement(&mut self, verb: &str, table: &TableName, text: String) -> String {
        if let Some((name, _)) = self.statements.iter().find(|(_, known)| *known == text) {
            return name.clone();
        }
        let thing = if verb == "list" { table.to_string() } else { self.thing(table) };
        let name = self.names.take(&camel_case(&format!("{verb}_{thing}")));
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
            let (Item::Let(_, Step::Validate(Input::Body(shape))) | Item::Do(Step::Validate(Input::Body(shape)))) =
                item
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
    let emits = if events.is_empty() { String::new() } else { format!(" Emits {}.", events.join(", ")) };
    format!("{} {}: {}.{emits}", outline.method, outline.path, outline.endpoint.summary)
}
