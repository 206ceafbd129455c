//! What an endpoint does: the first rule of the catalogue that fits, or an error that shows the way out.

use crate::codes::NOT_INFERRED;
use catalog::{Catalog, Intent};
use spec::Endpoint;
use vocab::Diagnostic;

/// A rule that fits, with its reason.
pub struct Inferred<'a> {
    pub intent: &'a Intent,
    pub reason: String,
}

pub fn infer<'a>(endpoint: &Endpoint, catalog: &'a Catalog) -> Result<Inferred<'a>, Diagnostic> {
    let method = endpoint.method.as_str();
    let last_segment = match endpoint.path.segments() {
        segments if endpoint.path.parameters().next().is_some() || segments.is_empty() => None,
        _ => endpoint.path.literals().last(),
    };
    last_segment
        .and_then(|segment| {
            catalog.intents().iter().find_map(|intent| {
                intent
                    .reason(method, segment)
                    .map(|reason| Inferred { intent, reason: format!("rule {}: {reason}", intent.rule) })
            })
        })
        .ok_or_else(|| refusal(endpoint, catalog))
}

fn refusal(endpoint: &Endpoint, catalog: &Catalog) -> Diagnostic {
    let known: Vec<String> = catalog
        .intents()
        .iter()
        .map(|intent| {
            let segment = intent.last_segment.first().map_or("", String::as_str);
            format!("`{} .../{segment}` ({})", intent.method, intent.behavior)
        })
        .collect();
    let message = format!("nothing tells what `{} {}` does", endpoint.method.as_str(), endpoint.path.as_str());
    Diagnostic::error(NOT_INFERRED, message, &endpoint.place)
        .with_help(format!("use a method and path that a rule knows: {}", known.join(", ")))
}
