//! A task as a whole: the document's tree comes in, a checked [`Task`] goes out.
//! What a specification block says is checked by the block's own file.

use crate::api::{self, ApiRequirements};
use crate::codes::{BLOCK_MISSING, BLOCK_UNUSED, DEPENDS_ON_ITSELF, NOT_A_TASK};
use crate::database::{self, DatabaseConfig};
use crate::document::{Entry, Node, Value};
use crate::field::{self, Field, optional, required};
use crate::lower::{Block, Label, Lowering, kind};
use crate::schema;
use crate::service::{self, ServiceIntegration};
use crate::source::{Span, Spanned};
use crate::word::{Word, words};
use serde_json::{Map, Value as Json, json};
use vocab::{Diagnostic, Place, TaskId};

/// A task without errors.
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    /// The id the task gives itself; without one, the workspace gives it one.
    pub task_id: Option<TaskId>,
    /// Where the id stands.
    pub task_id_place: Option<Place>,
    /// What to make.
    pub specification: Specification,
    /// Tasks that must be completed first.
    pub dependencies: Vec<TaskId>,
    /// How urgent it is among queued tasks.
    pub priority: Priority,
    /// Where the document's first field stands.
    pub place: Place,
    /// The content for hashing: JSON without `task_id`, the fields of every block in the order of their names, lists in
    /// the document's order. Comments, quotes, layout and the order of fields leave no trace in it.
    pub text: String,
}

/// What a task asks for, by its `task_type`.
#[expect(clippy::large_enum_variant, reason = "there is one per task")]
#[derive(Debug, Clone, PartialEq)]
pub enum Specification {
    /// `setup_api`.
    SetupApi(ApiRequirements),
    /// `configure_database`.
    ConfigureDatabase(DatabaseConfig),
    /// `integrate_service`.
    IntegrateService(ServiceIntegration),
}

words! {
    /// How urgent a task is.
    Priority {
        /// Before the others.
        High = "high";
        /// The default.
        Normal = "normal";
        /// After the others.
        Low = "low";
    }
}

words! {
    /// The three kinds of tasks.
    TaskType {
        /// An API.
        SetupApi = "setup_api";
        /// A database.
        ConfigureDatabase = "configure_database";
        /// A provider.
        IntegrateService = "integrate_service";
    }
}

words! {
    /// What tasks of this producer put out.
    OutputFormat {
        /// The only format.
        Integration = "integration";
    }
}

const TASK_FIELDS: &[Field] = &[
    optional(
        "task_id",
        "The task's name, unique in its workspace, which gives one to a task without.",
        schema::task_id,
    ),
    required(
        "task_type",
        "What to make; it names the block of `specifications` that counts.",
        schema::word::<TaskType>,
    ),
    required("specifications", "What it must be: the one block that `task_type` names.", blocks_schema),
    optional("dependencies", "Ids of tasks that must be completed first.", schema::list_of_task_ids),
    optional("output_format", "Always `integration`.", schema::word::<OutputFormat>),
    optional("priority", "How urgent the task is among queued ones; `normal` when absent.", schema::word::<Priority>),
];

/// The blocks of all task types. One that the task does not use is not read, so that its value is not bound here.
const SPECIFICATION_FIELDS: &[Field] = &[
    optional(API, "What the API must be.", || json!({})),
    optional(DATABASE, "What the database must be.", || json!({})),
    optional(SERVICE, "What the provider is needed for.", || json!({})),
];

const API: &str = "api_requirements";
const DATABASE: &str = "database_config";
const SERVICE: &str = "service_integration";

impl TaskType {
    fn block(self) -> &'static str {
        match self {
            Self::SetupApi => API,
            Self::ConfigureDatabase => DATABASE,
            Self::IntegrateService => SERVICE,
        }
    }

    fn schema(self) -> Json {
        match self {
            Self::SetupApi => api::schema(),
            Self::ConfigureDatabase => database::schema(),
            Self::IntegrateService => service::schema(),
        }
    }
}

fn blocks_schema() -> Json {
    schema::block(SPECIFICATION_FIELDS)
}

/// The schema of a document: its fields, and for each `task_type` the block that it needs.
pub(crate) fn schema() -> Json {
    let mut task = schema::block(TASK_FIELDS);
    let needs = |(word, task_type): &(&str, TaskType)| {
        let block = task_type.block();
        let reference = json!({ "$ref": format!("#/$defs/{block}") });
        json!({
            "if": { "properties": { "task_type": { "const": word } }, "required": ["task_type"] },
            "then": {
                "properties": { "specifications": { "properties": { block: reference }, "required": [block] } },
            },
        })
    };
    let definition = |(_, task_type): &(&str, TaskType)| (task_type.block().to_owned(), task_type.schema());
    let definitions: Map<String, Json> = TaskType::SPELLINGS.iter().map(definition).collect();
    let needs: Vec<Json> = TaskType::SPELLINGS.iter().map(needs).collect();
    schema::merge(&mut task, json!({ "allOf": needs, "$defs": definitions }));
    task
}

/// Checks a document. The task is absent when a part that it cannot do without has errors.
pub(crate) fn lower(lowering: &mut Lowering<'_>, root: &Node) -> Option<Task> {
    let first = first_field(lowering, root)?;
    let block = lowering.block("a task", root, first, TASK_FIELDS)?;
    let task_id = block.node("task_id").and_then(|node| lowering.name(Label::Field("task_id"), node, TaskId::parse));
    let specification = specification(lowering, &block);
    let dependencies = dependencies(lowering, &block, task_id.as_ref());
    if let Some(node) = block.node("output_format") {
        lowering.word::<OutputFormat>(Label::Field("output_format"), node);
    }
    let priority = block.node("priority").and_then(|node| lowering.word(Label::Field("priority"), node));
    let (task_id, task_id_place) = task_id.map(|id| (id.value, id.place)).unzip();
    Some(Task {
        task_id,
        task_id_place,
        specification: specification?,
        dependencies,
        priority: priority.map_or(Priority::Normal, |priority| priority.value),
        place: lowering.source.place(first),
        text: content(root),
    })
}

/// Where the first field stands; a document that is no block of fields has none.
fn first_field(lowering: &mut Lowering<'_>, root: &Node) -> Option<Span> {
    let help = match &root.value {
        Value::Mapping(entries) => return Some(entries.first().map_or(root.span, |entry| entry.key_span)),
        Value::Sequence(_) => "write each task as a document of its own, separated by `---`",
        Value::Null | Value::Boolean(_) | Value::Number(_) | Value::Text(_) => "begin with `task_type: \"setup_api\"`",
    };
    let message = format!("a task is a block of fields, not {}", kind(&root.value));
    let start = Span { offset: root.span.offset, length: root.span.length.min(1) };
    lowering.error(NOT_A_TASK, message, start, help);
    None
}

fn specification(lowering: &mut Lowering<'_>, task: &Block<'_>) -> Option<Specification> {
    let task_type = lowering
        .required(
            task,
            "task_type",
            "add `task_type: \"setup_api\"`, `\"configure_database\"` or `\"integrate_service\"`",
        )
        .and_then(|entry| lowering.word::<TaskType>(Label::Field("task_type"), &entry.node));
    let entry =
        lowering.required(task, "specifications", "add `specifications:` with the block that `task_type` names")?;
    let block = lowering.block("`specifications`", &entry.node, entry.key_span, SPECIFICATION_FIELDS)?;
    let Some(task_type) = task_type else {
        // What the task is cannot be told; its blocks can be checked all the same.
        for (_, task_type) in TaskType::SPELLINGS {
            block.entry(task_type.block()).and_then(|entry| lower_block(lowering, *task_type, entry));
        }
        return None;
    };
    let name = task_type.value.block();
    let Some(wanted) = block.entry(name) else {
        if !block.is_misspelled(name) {
            let message = format!("`specifications` lacks `{name}`, which `{}` needs", task_type.value);
            lowering.error(BLOCK_MISSING, message, entry.key_span, add_block(&block, name));
        }
        return None;
    };
    unused_blocks(lowering, &block, &task_type);
    lower_block(lowering, task_type.value, wanted)
}

fn lower_block(lowering: &mut Lowering<'_>, task_type: TaskType, entry: &Entry) -> Option<Specification> {
    match task_type {
        TaskType::SetupApi => api::lower(lowering, entry).map(Specification::SetupApi),
        TaskType::ConfigureDatabase => database::lower(lowering, entry).map(Specification::ConfigureDatabase),
        TaskType::IntegrateService => service::lower(lowering, entry).map(Specification::IntegrateService),
    }
}

/// How to get the block that the task type names; a block of another type tells which type was meant.
fn add_block(block: &Block<'_>, name: &str) -> String {
    let other = TaskType::SPELLINGS.iter().find(|(_, other)| block.entry(other.block()).is_some());
    match other {
        Some((word, _)) => format!("write `task_type: \"{word}\"`, or add `{name}:` with its fields"),
        None => format!("add `{name}:` with its fields"),
    }
}

fn unused_blocks(lowering: &mut Lowering<'_>, block: &Block<'_>, task_type: &Spanned<TaskType>) {
    for name in field::names(SPECIFICATION_FIELDS).into_iter().filter(|name| *name != task_type.value.block()) {
        if let Some(entry) = block.entry(name) {
            let message = format!("`{name}` is not used, because `task_type` is `{}`", task_type.value);
            let place = lowering.source.place(entry.key_span);
            lowering.report(
                Diagnostic::warning(BLOCK_UNUSED, message, &place)
                    .with_help("remove it, or move it into a task of its own"),
            );
        }
    }
}

fn dependencies(lowering: &mut Lowering<'_>, task: &Block<'_>, task_id: Option<&Spanned<TaskId>>) -> Vec<TaskId> {
    let Some(node) = task.node("dependencies") else { return Vec::new() };
    let found =
        lowering.distinct("dependencies", node, |lowering, label, item| lowering.name(label, item, TaskId::parse));
    if let Some(own) = found.iter().find(|dependency| task_id.is_some_and(|id| id.value == dependency.value)) {
        let message = format!("`{}` depends on itself", own.value);
        lowering.report(Diagnostic::error(DEPENDS_ON_ITSELF, message, &own.place).with_help("remove it from the list"));
    }
    found.into_iter().map(|dependency| dependency.value).collect()
}

fn content(root: &Node) -> String {
    let mut json = root.to_json();
    if let Json::Object(fields) = &mut json {
        fields.shift_remove("task_id");
    }
    json.sort_all_objects();
    json.to_string()
}
