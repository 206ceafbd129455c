//! Which fields of its events a service is told: what the task says comes in with what the provider's manifest offers, and each field
//! goes out with what the provider calls it, or a diagnostic says why not. What is not chosen is never sent.

use crate::codes::{FIELD_NOT_TAKEN, FREQUENCY_NOT_BUILT};
use manifest::kind::{Kind, Privacy};
use manifest::point::PassedOn;
use manifest::{Entries, Manifest, Text};
use plan::{Decision, Phase};
use spec::{Frequency, Mapping, ServiceIntegration};
use vocab::suggestion::{closest, list};
use vocab::{Diagnostic, FieldName};

/// The fields that are passed on, in the task's order, and why.
pub struct Chosen {
    pub fields: Entries<FieldName, PassedOn>,
    pub decisions: Vec<Decision>,
}

/// Chooses.
///
/// # Errors
/// Fields that the provider takes none of, with their places.
pub fn choose(integration: &ServiceIntegration, manifest: &Manifest) -> Result<Chosen, Vec<Diagnostic>> {
    let offered = &manifest.points.fields;
    let asked = integration.fields_to_sync.iter().map(|field| &field.value);
    let mapped = integration.mapping.iter().map(|mapping| &mapping.field.value);
    let mut names: Vec<&FieldName> = Vec::new();
    let required = offered.iter().filter(|(_, field)| field.required || integration.fields_to_sync.is_empty());
    for name in required.map(|(name, _)| name).chain(asked).chain(mapped) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let problems: Vec<Diagnostic> = unknown(integration, manifest);
    if !problems.is_empty() {
        return Err(problems);
    }
    let chosen = names.into_iter().map(|name| {
        let mapping = integration.mapping.iter().find(|mapping| mapping.field.value == *name);
        (name.clone(), passed_on(name, offered.get(name.as_str()), mapping))
    });
    let fields: Entries<FieldName, PassedOn> = chosen.collect();
    let decisions = fields.iter().map(|(name, field)| decision(name, field, integration, manifest)).collect();
    Ok(Chosen { fields, decisions })
}

/// Fields that the provider offers nothing for, and that have no other name there.
fn unknown(integration: &ServiceIntegration, manifest: &Manifest) -> Vec<Diagnostic> {
    let (offered, title) = (&manifest.points.fields, &manifest.provider.title);
    if offered.is_empty() {
        let fields = integration.fields_to_sync.iter().map(|field| &field.place);
        let first = fields.chain(integration.mapping.iter().map(|mapping| &mapping.field.place)).next();
        let message = format!("{title} is told what its points need, and takes no other fields");
        let help = "leave `fields_to_sync` and `mapping` out: the plan shows what it is told";
        return first
            .map(|place| Diagnostic::error(FIELD_NOT_TAKEN, message, place).with_help(help))
            .into_iter()
            .collect();
    }
    let is_mapped = |name: &FieldName| integration.mapping.iter().any(|mapping| mapping.field.value == *name);
    let unknown = integration
        .fields_to_sync
        .iter()
        .filter(|field| offered.get(field.value.as_str()).is_none() && !is_mapped(&field.value));
    unknown
        .map(|field| {
            let name = &field.value;
            let message = format!("what `{name}` is at {title} is not known");
            let help = match closest(name.as_str(), &offered.names()) {
                Some(meant) => format!("did you mean `{meant}`? Else say its name there: `mapping: {{ {name}: ... }}`"),
                None => {
                    format!("say its name there: `mapping: {{ {name}: ... }}`; known are {}", list(&offered.names()))
                }
            };
            Diagnostic::error(FIELD_NOT_TAKEN, message, &field.place).with_help(help)
        })
        .collect()
}

/// What a field is at the provider. Under another name it is one text, whatever it was before, and the user has that name already.
fn passed_on(name: &FieldName, offered: Option<&PassedOn>, mapping: Option<&Mapping>) -> PassedOn {
    let whole = Text::parse(&format!("${{event.{name} | text}}")).expect("a field's name in an expression");
    let known = offered.cloned().unwrap_or_else(|| PassedOn {
        kind: Kind::Text,
        privacy: Privacy::Personal,
        required: false,
        is: Entries::default(),
        made_known_by: None,
    });
    let Some(mapping) = mapping else { return known };
    let value = match known.is.first() {
        Some((_, value)) if known.is.len() == 1 => value.clone(),
        Some(_) | None => whole,
    };
    let is = std::iter::once((mapping.property.value.clone(), value)).collect();
    PassedOn { is, made_known_by: None, ..known }
}

fn decision(name: &FieldName, field: &PassedOn, integration: &ServiceIntegration, manifest: &Manifest) -> Decision {
    let title = &manifest.provider.title;
    let is: Vec<String> = field.is.iter().map(|(property, value)| format!("`{property}`: {value}")).collect();
    let is_mapped = integration.mapping.iter().any(|mapping| mapping.field.value == *name);
    let is_asked = integration.fields_to_sync.iter().any(|asked| asked.value == *name);
    let reason = match (is_mapped, &field.made_known_by) {
        (true, _) => "`mapping` says so".to_owned(),
        (false, Some(_)) => {
            format!("{title} has nothing of its own for it: it is made there when the service is integrated")
        }
        (false, None) if is_asked => format!("`fields_to_sync` names it, and that is what {title} calls it"),
        (false, None) if field.required => format!("{title} knows people by it"),
        (false, None) => "the task names no fields, so all that are known there are passed on".to_owned(),
    };
    let subject = format!("field `{name}`");
    let is = if is.is_empty() { "says whom it is about".to_owned() } else { is.join(", ") };
    Decision { phase: Phase::ImplementIntegrationLogic, subject, decision: is, reason }
}

/// How often records are read from the service; it is told at once, and nothing else is built.
pub fn paced(integration: &ServiceIntegration, manifest: &Manifest) -> Option<Diagnostic> {
    let asked = integration.data_sync_frequency.as_ref().filter(|_| !super::sync::comes_in(manifest))?;
    match asked.value {
        Frequency::RealTime => None,
        Frequency::EveryMinutes(_) | Frequency::Hourly | Frequency::Daily | Frequency::Cron(_) => {
            let message =
                format!("{} is told at once whenever something happens, and not at times", manifest.provider.title);
            let help = "write `data_sync_frequency: \"real_time\"`";
            Some(Diagnostic::error(FREQUENCY_NOT_BUILT, message, &asked.place).with_help(help))
        }
    }
}
