//! What an endpoint does: the first rule of the catalogue that fits, or an error that shows the way out.

use crate::codes::NOT_INFERRED;
use catalog::{Catalog, Intent, PathKind};
use spec::{Endpoint, PathPattern, Segment};
use vocab::{Diagnostic, FieldName};

/// A rule that fits, with its reason.
pub struct Inferred<'a> {
    pub intent: &'a Intent,
    pub reason: String,
}

/// The last name of a path, and the key behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target<'a> {
    pub segment: &'a str,
    pub key: Option<&'a FieldName>,
}

/// What a path ends in; `None` where it has keys elsewhere, which no rule knows yet.
pub fn target(path: &PathPattern) -> Option<Target<'_>> {
    let (last, rest) = path.segments().split_last()?;
    let (segment, key, before) = match last {
        Segment::Literal(segment) => (segment, None, rest),
        Segment::Parameter(key) => {
            let (name, before) = rest.split_last()?;
            let Segment::Literal(segment) = name else { return None };
            (segment, Some(key), before)
        }
    };
    let plain = before.iter().all(|segment| matches!(segment, Segment::Literal(_)));
    plain.then_some(Target { segment, key })
}

pub fn infer<'a>(endpoint: &Endpoint, catalog: &'a Catalog) -> Result<Inferred<'a>, Diagnostic> {
    let method = endpoint.method.as_str();
    target(&endpoint.path)
        .and_then(|target| {
            let kind = if target.key.is_some() { PathKind::Item } else { PathKind::Collection };
            catalog.intents().iter().find_map(|intent| {
                // A rule for any name is no rule for an action.
                if intent.last_segment.is_empty() && names_an_action(endpoint, catalog) {
                    return None;
                }
                let reason = intent.reason(method, kind, target.segment)?;
                Some(Inferred { intent, reason: format!("rule {}: {reason}", intent.rule) })
            })
        })
        .ok_or_else(|| refusal(endpoint, catalog))
}

/// `/api/auth/login`, `/api/users/profile`: a record of that name would be a misunderstanding.
fn names_an_action(endpoint: &Endpoint, catalog: &Catalog) -> bool {
    endpoint.path.literals().any(|segment| catalog.is_action(segment))
}

fn refusal(endpoint: &Endpoint, catalog: &Catalog) -> Diagnostic {
    // One way to each behaviour; the many spellings of forms would bury the others.
    let mut shown: Vec<&Intent> = Vec::new();
    for intent in catalog.intents() {
        if !shown.iter().any(|known| known.behavior == intent.behavior) {
            shown.push(intent);
        }
    }
    let known: Vec<String> = shown
        .into_iter()
        .map(|intent| {
            let segment = intent.last_segment.first().map_or("<things>", String::as_str);
            let key = match intent.path {
                PathKind::Collection => "",
                PathKind::Item => "/{id}",
            };
            format!("`{} .../{segment}{key}` ({})", intent.method, intent.behavior)
        })
        .collect();
    let message = format!("nothing tells what `{} {}` does", endpoint.method.as_str(), endpoint.path.as_str());
    Diagnostic::error(NOT_INFERRED, message, &endpoint.place)
        .with_help(format!("use a method and path that a rule knows: {}", known.join(", ")))
}
