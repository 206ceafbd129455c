//! `points.yaml`: what a provider does when something happens in the API. Plain data.

use crate::entries::Entries;
use crate::kind::{Kind, Privacy};
use crate::operation::Input;
use crate::reference::Reference;
use crate::template::{Template, Text};
use serde::{Deserialize, Serialize};
use vocab::{EventName, FieldName};

/// What is done at which point.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Points {
    /// What is kept from one time to the next, as `remembered.NAME`.
    #[serde(default)]
    pub remembers: Entries<FieldName, Remembered>,
    /// Fields of events that a task chooses among: what it has passed on stands where a step says `${fields}`.
    #[serde(default, skip_serializing_if = "Entries::is_empty")]
    pub fields: Entries<FieldName, PassedOn>,
    /// The points.
    pub points: Entries<EventName, Point>,
}

/// Something that is kept from one time to the next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Remembered {
    /// The field of the event that says of whom or of what: it stands in `takes` of every point that uses it.
    pub of: FieldName,
    /// What it is.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// How carefully it is handled.
    pub privacy: Privacy,
}

/// A field of an event that a task may have passed on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PassedOn {
    /// What it is in the event.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// How carefully it is handled.
    pub privacy: Privacy,
    /// Whether it must be there: then it is passed on whatever the task says.
    #[serde(default)]
    pub required: bool,
    /// What it is there: the provider's names, each with its value.
    pub is: Entries<String, Text>,
    /// What makes such a name known there, where the provider does not bring it; done when the service is integrated.
    #[serde(default)]
    pub made_known_by: Option<Making>,
}

/// An operation that makes something known at the provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Making {
    /// The operation.
    pub operation: FieldName,
    /// What it is given.
    #[serde(default)]
    pub input: Entries<FieldName, Template>,
}

impl Points {
    /// The points with these fields where their steps say `${fields}`; each takes them of its event.
    #[must_use]
    pub fn with_fields(&self, fields: &Entries<FieldName, PassedOn>) -> Self {
        let filled = |point: &Point| match point {
            Point::Calls(calls) if calls.passes_fields_on() && !fields.is_empty() => {
                Point::Calls(calls.with_fields(fields))
            }
            Point::Calls(_) | Point::Nothing(_) | Point::InBrowser(_) => point.clone(),
        };
        let points = self.points.iter().map(|(event, point)| (event.clone(), filled(point))).collect();
        Self { remembers: self.remembers.clone(), fields: fields.clone(), points }
    }
}

/// What is done at a point.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Point {
    /// Nothing; why.
    Nothing(String),
    /// Operations are called.
    Calls(Calls),
    /// A page in a browser tells it, as `browser.yaml` says.
    InBrowser(String),
}

/// Operations that are called at a point.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calls {
    /// What is needed of the event.
    pub takes: Entries<FieldName, Input>,
    /// Events with the same text are delivered one after the other.
    #[serde(default)]
    pub in_order_of: Option<Text>,
    /// The calls, one after the other.
    pub steps: Vec<Call>,
    /// What whoever made the request is answered; then it waits for the calls.
    #[serde(default)]
    pub gives: Entries<FieldName, Given>,
}

impl Calls {
    /// Whether a step says `${fields}`.
    fn passes_fields_on(&self) -> bool {
        self.steps.iter().any(|call| call.input.iter().any(|(_, given)| names_fields(given)))
    }

    fn with_fields(&self, fields: &Entries<FieldName, PassedOn>) -> Self {
        let members = fields.iter().flat_map(|(_, field)| field.is.iter());
        let members: Entries<String, Template> =
            members.map(|(name, value)| (name.clone(), Template::Text(value.clone()))).collect();
        let taken = fields.iter().filter(|(name, _)| self.takes.get(name.as_str()).is_none());
        let taken = taken.map(|(name, field)| (name.clone(), field.taken()));
        let step = |call: &Call| {
            let input = call.input.iter().map(|(name, given)| (name.clone(), put_fields(given, &members)));
            Call { input: input.collect(), ..call.clone() }
        };
        Self {
            takes: self.takes.iter().map(|(name, input)| (name.clone(), input.clone())).chain(taken).collect(),
            steps: self.steps.iter().map(step).collect(),
            ..self.clone()
        }
    }
}

impl PassedOn {
    /// What a point takes of an event for it.
    fn taken(&self) -> Input {
        Input {
            kind: self.kind,
            privacy: self.privacy,
            required: self.required,
            max: None,
            choices: Vec::new(),
            of: Entries::default(),
        }
    }
}

fn is_fields(text: &Text) -> bool {
    text.as_expression().is_some_and(|alone| alone.from == Reference::Fields && alone.through.is_empty())
}

fn names_fields(template: &Template) -> bool {
    match template {
        Template::Null | Template::Boolean(_) | Template::Number(_) => false,
        Template::Text(text) => is_fields(text),
        Template::List(items) => items.iter().any(names_fields),
        Template::Fields(fields) => fields.iter().any(|(_, value)| names_fields(value)),
        Template::Each { item, .. } => names_fields(item),
    }
}

fn put_fields(template: &Template, members: &Entries<String, Template>) -> Template {
    match template {
        Template::Text(text) if is_fields(text) => Template::Fields(members.clone()),
        Template::Null | Template::Boolean(_) | Template::Number(_) | Template::Text(_) => template.clone(),
        Template::List(items) => Template::List(items.iter().map(|item| put_fields(item, members)).collect()),
        Template::Fields(fields) => {
            Template::Fields(fields.iter().map(|(name, value)| (name.clone(), put_fields(value, members))).collect())
        }
        Template::Each { list, item } => {
            Template::Each { list: list.clone(), item: Box::new(put_fields(item, members)) }
        }
    }
}

/// A call of an operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// The operation.
    pub operation: FieldName,
    /// What later steps call it, where it is not the operation's name.
    #[serde(default)]
    pub name: Option<FieldName>,
    /// It is left out where this has a value.
    #[serde(default)]
    pub unless: Option<Text>,
    /// It is left out where this has none.
    #[serde(default)]
    pub only_if: Option<Text>,
    /// What the operation is given.
    #[serde(default)]
    pub input: Entries<FieldName, Template>,
    /// What is kept of its answer.
    #[serde(default)]
    pub remember: Entries<FieldName, Text>,
}

impl Call {
    /// What later steps call it.
    #[must_use]
    pub fn step(&self) -> &FieldName {
        self.name.as_ref().unwrap_or(&self.operation)
    }
}

/// A value that somebody is given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Given {
    /// The value.
    pub value: Text,
    /// What it is.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// How carefully it is handled.
    pub privacy: Privacy,
    /// Whether it must be there.
    #[serde(default)]
    pub required: bool,
    /// One sentence for whoever gets it.
    #[serde(default)]
    pub about: Option<String>,
}
