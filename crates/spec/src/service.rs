//! `service_integration`: the block's node comes in, a checked [`ServiceIntegration`] goes out.
//! What the provider does at a point is not decided here, and a provider that nobody knows is not wrong.

mod alerts;
mod provider;

pub use alerts::Alerts;

use crate::codes::{ANOTHER_SERVICE_TYPE, NOT_A_NAME};
use crate::credential::{self, Credential};
use crate::document::{Entry, Node};
use crate::field::{Field, optional, required};
use crate::frequency::{self, Frequency, Pace};
use crate::lower::{Label, Lowering};
use crate::schema;
use crate::source::Spanned;
use crate::suggestion::{closest, list};
use crate::word::words;
use serde_json::{Value as Json, json};
use vocab::{EventName, FieldName, Place, ProviderName};

/// The most fields that one task passes on.
pub const MAX_SYNCED_FIELDS: usize = 1_000;
/// The most integration points of one task.
const MAX_POINTS: usize = 1_000;
/// The longest name of a provider's field, in bytes.
const MAX_PROPERTY_BYTES: usize = 255;

/// What a provider is needed for.
#[derive(Debug, Clone, PartialEq)]
pub struct ServiceIntegration {
    /// What kind of service; a provider of the list belongs to it.
    pub service_type: Spanned<ServiceType>,
    /// The provider, under its one name where the list knows it.
    pub provider: Spanned<ProviderName>,
    /// The events that concern it, in the task's order; at least one, none twice.
    pub integration_points: Vec<Spanned<EventName>>,
    /// How often it is told; absent when the task leaves it to the planner.
    pub data_sync_frequency: Option<Spanned<Frequency>>,
    /// The fields that it is told; empty when the task leaves them to the planner.
    pub fields_to_sync: Vec<Spanned<FieldName>>,
    /// What it asks for to let us in, in the task's order; nothing secret.
    pub credentials: Vec<Credential>,
    /// Fields that have another name there. Where `fields_to_sync` is not empty, each is one of it.
    pub mapping: Vec<Mapping>,
    /// Whether its test system is meant; absent when the task leaves it to the producer.
    pub sandbox: Option<Spanned<bool>>,
    /// Who is told when it fails and when it works again; nobody when absent.
    pub alerts: Option<Alerts>,
    /// Where `service_integration` stands.
    pub place: Place,
}

/// A field under another name.
#[derive(Debug, Clone, PartialEq)]
pub struct Mapping {
    /// Our field.
    pub field: Spanned<FieldName>,
    /// What the provider calls it.
    pub property: Spanned<String>,
}

words! {
    /// A kind of service.
    ServiceType {
        /// Takes money.
        Payment = "payment";
        /// Sends e-mail.
        Email = "email";
        /// Reaches people by e-mail, message or chat.
        Communication = "communication";
        /// Counts what people do.
        Analytics = "analytics";
        /// Keeps customers, or passes them on.
        Crm = "crm";
        /// Proves who people are.
        Authentication = "authentication";
        /// Keeps data.
        Storage = "storage";
    }
}

/// The providers that the task language knows by name, with the service types they belong to.
#[must_use]
pub fn known_providers() -> Vec<(&'static ProviderName, Vec<&'static str>)> {
    let types =
        |provider: &'static provider::Provider| provider.service_types.iter().map(|kind| kind.as_str()).collect();
    provider::all().iter().map(|provider| (&provider.name, types(provider))).collect()
}

const FIELDS: &[Field] = &[
    required("service_type", "What kind of service the provider is needed for.", schema::word::<ServiceType>),
    required("provider", "The provider; one of your own may be named too.", provider_schema),
    required(
        "integration_points",
        "The events that concern it, such as `contact_form` or `checkout`.",
        schema::some_identifiers,
    ),
    optional(
        "data_sync_frequency",
        "How often it is told: `real_time`, `every_15_minutes`, `hourly`, `daily`, or a cron expression in UTC.",
        frequency::schema,
    ),
    optional("fields_to_sync", "The fields that it is told.", schema::some_identifiers),
    optional("credentials", "What it asks for, each as `${env:NAME}` or `${secret:NAME}`.", credential::schema),
    optional("mapping", "Fields that have another name there: `company: organization`.", mapping_schema),
    optional("sandbox", "Whether its test system is meant.", schema::boolean),
    optional("alerts", "Who is told when it fails, and when it works again.", alerts::schema),
];

pub(crate) fn schema() -> Json {
    let mut schema = schema::block(FIELDS);
    let belongs = |provider: &provider::Provider| {
        let mut names = vec![provider.name.as_str()];
        names.extend(provider.spellings.iter().map(String::as_str));
        let types: Vec<&str> = provider.service_types.iter().map(|kind| kind.as_str()).collect();
        json!({
            "if": { "properties": { "provider": { "enum": names } }, "required": ["provider"] },
            "then": { "properties": { "service_type": { "enum": types } } },
        })
    };
    schema::merge(&mut schema, json!({ "allOf": provider::all().iter().map(belongs).collect::<Vec<_>>() }));
    schema
}

/// Known names for editors to propose; every other name is a user's own.
fn provider_schema() -> Json {
    let names: Vec<&str> = provider::all().iter().map(|provider| provider.name.as_str()).collect();
    schema::either([json!({ "enum": names }), schema::text()])
}

fn mapping_schema() -> Json {
    let mut property = schema::text();
    schema::merge(&mut property, json!({ "maxLength": MAX_PROPERTY_BYTES }));
    let mut schema = schema::map(schema::IDENTIFIER, property);
    schema::merge(&mut schema, json!({ "minProperties": 1 }));
    schema
}

/// Checks `service_integration`.
pub(crate) fn lower(lowering: &mut Lowering<'_>, entry: &Entry) -> Option<ServiceIntegration> {
    let block = lowering.block("`service_integration`", &entry.node, entry.key_span, FIELDS)?;
    let service_type = lowering
        .required(&block, "service_type", "add `service_type: \"payment\"` or another type")
        .and_then(|entry| lowering.word::<ServiceType>(Label::Field("service_type"), &entry.node));
    let provider = lowering
        .required(&block, "provider", "add `provider:` with the provider's name")
        .and_then(|entry| provider(lowering, &entry.node, service_type.as_ref()));
    let integration_points = lowering
        .required(&block, "integration_points", "add `integration_points: [\"contact_form\"]`")
        .and_then(|entry| {
            lowering.some_items("integration_points", &entry.node, "\"contact_form\"", MAX_POINTS)?;
            let read = |lowering: &mut Lowering<'_>, label: Label<'_>, item: &Node| {
                lowering.name(label, item, EventName::parse)
            };
            Some(lowering.distinct("integration_points", &entry.node, read))
        });
    let data_sync_frequency = block
        .node("data_sync_frequency")
        .and_then(|node| frequency::lower(lowering, "data_sync_frequency", node, Pace::RealTimeToo));
    let fields_to_sync = block.node("fields_to_sync").map_or_else(Vec::new, |node| fields_to_sync(lowering, node));
    let owner = provider.as_ref().map_or("", |provider| provider.value.as_str());
    let credentials = block.node("credentials").map_or_else(Vec::new, |node| credential::lower(lowering, node, owner));
    let mapping = block.node("mapping").map_or_else(Vec::new, |node| mapping(lowering, node, &fields_to_sync));
    let sandbox = block.node("sandbox").and_then(|node| {
        let value = lowering.boolean(Label::Field("sandbox"), node)?;
        Some(lowering.source.spanned(value, node.span))
    });
    let alerts = block.node("alerts").and_then(|node| alerts::lower(lowering, node));
    Some(ServiceIntegration {
        service_type: service_type?,
        provider: provider?,
        integration_points: integration_points?,
        data_sync_frequency,
        fields_to_sync,
        credentials,
        mapping,
        sandbox,
        alerts,
        place: lowering.source.place(entry.key_span),
    })
}

fn provider(
    lowering: &mut Lowering<'_>,
    node: &Node,
    service_type: Option<&Spanned<ServiceType>>,
) -> Option<Spanned<ProviderName>> {
    let label = Label::Field("provider");
    let text = lowering.text(label, node)?;
    if text.contains(" | ") {
        lowering.offers_alternatives(label, node.span, text);
        return None;
    }
    let Some(known) = provider::find(text) else {
        let name = provider::normal(text);
        return match ProviderName::parse(&name) {
            Ok(name) => Some(lowering.source.spanned(name, node.span)),
            Err(_) => lowering.parse_name(text, node.span, ProviderName::parse),
        };
    };
    if let Some(given) = service_type.filter(|given| !known.service_types.contains(&given.value)) {
        another_service_type(lowering, node, known, given.value);
        return None;
    }
    Some(lowering.source.spanned(known.name.clone(), node.span))
}

fn another_service_type(lowering: &mut Lowering<'_>, node: &Node, known: &provider::Provider, given: ServiceType) {
    let types: Vec<&str> = known.service_types.iter().map(|kind| kind.as_str()).collect();
    let of_the_type: Vec<&str> = provider::all()
        .iter()
        .filter(|provider| provider.service_types.contains(&given))
        .map(|provider| provider.name.as_str())
        .collect();
    let right = types.first().copied().unwrap_or_default();
    let help = match closest(known.name.as_str(), &of_the_type) {
        Some(meant) => format!("write `service_type: \"{right}\"`, or did you mean `provider: \"{meant}\"`?"),
        None => format!("write `service_type: \"{right}\"`, or a provider of type `{given}`: {}", list(&of_the_type)),
    };
    let message = format!("`{}` is a provider of type {}, not `{given}`", known.name, types_in_words(&types));
    lowering.error(ANOTHER_SERVICE_TYPE, message, node.span, help);
}

fn types_in_words(types: &[&str]) -> String {
    types.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(" or ")
}

fn fields_to_sync(lowering: &mut Lowering<'_>, node: &Node) -> Vec<Spanned<FieldName>> {
    if lowering.some_items("fields_to_sync", node, "\"email\"", MAX_SYNCED_FIELDS).is_none() {
        return Vec::new();
    }
    lowering.distinct("fields_to_sync", node, |lowering, label, item| lowering.name(label, item, FieldName::parse))
}

fn mapping(lowering: &mut Lowering<'_>, node: &Node, fields: &[Spanned<FieldName>]) -> Vec<Mapping> {
    let entries =
        lowering.some_entries("mapping", node, "company: organization", MAX_SYNCED_FIELDS).unwrap_or_default();
    let known: Vec<&str> = fields.iter().map(|field| field.value.as_str()).collect();
    entries.iter().filter_map(|entry| mapped(lowering, entry, &known)).collect()
}

fn mapped(lowering: &mut Lowering<'_>, entry: &Entry, known: &[&str]) -> Option<Mapping> {
    let field = lowering.parse_name(&entry.key, entry.key_span, FieldName::parse);
    let label = Label::Field(&entry.key);
    let property = lowering.text(label, &entry.node)?;
    if property.len() > MAX_PROPERTY_BYTES {
        let message = format!("{label} is longer than {MAX_PROPERTY_BYTES} bytes");
        lowering.error(NOT_A_NAME, message, entry.node.span, "write the provider's name of the field");
        return None;
    }
    let field = field?;
    if !known.is_empty() && !known.contains(&field.value.as_str()) {
        lowering.not_declared("field", "fields_to_sync", entry.key_span, field.value.as_str(), known);
        return None;
    }
    Some(Mapping { field, property: lowering.source.spanned(property.to_owned(), entry.node.span) })
}
