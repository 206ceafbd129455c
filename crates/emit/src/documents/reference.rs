//! `api-reference.md`: the same API as tables.

use super::fields::{answer_fields, body_fields, parameters};
use super::problems::when;
use crate::outline::{Body, Content, Outline, of_callers};
use minijinja::{Value, context};
use plan::procedure::{RowsFormat, Scheme};
use plan::{Plan, Problem};
use std::collections::BTreeSet;

pub fn view(plan: &Plan, outlines: &[Outline<'_>]) -> Value {
    let policies: Vec<Value> = plan
        .api
        .policies
        .iter()
        .map(|policy| {
            context! { name => policy.name.as_str(), quota => policy.quota, window_seconds => policy.window_seconds }
        })
        .collect();
    let parameters: Vec<Value> = outlines
        .iter()
        .filter_map(|outline| {
            let parameters = parameters(plan, outline);
            (!parameters.is_empty()).then(|| context! { title => title(outline), parameters })
        })
        .collect();
    let given = of_callers(outlines);
    let problems: Vec<Value> = Problem::ALL
        .into_iter()
        .filter(|problem| given.contains(problem))
        .map(|problem| {
            let (status, name, title) = (problem.status(), problem.name(), problem.title());
            context! { status, name, title, when => when(problem) }
        })
        .collect();
    context! {
        api => plan.api.name.as_str(),
        version => plan.api.version.as_str(),
        endpoints => outlines.iter().map(endpoint).collect::<Vec<_>>(),
        policies,
        parameters,
        preferring => outlines.iter().any(Outline::has_preferences),
        patched => outlines.iter().any(|outline| outline.patchable.is_some()),
        shapes => shapes(outlines),
        answers => answers(outlines),
        problems,
        credentials => credentials(outlines),
    }
}

/// The headers that prove who calls, as far as an endpoint asks for them.
fn credentials(outlines: &[Outline<'_>]) -> Vec<Value> {
    let asks = |wanted: &[Scheme]| outlines.iter().any(|outline| outline.scheme.is_some_and(|it| wanted.contains(&it)));
    let rows = [
        (&[Scheme::ApiKey][..], "`X-API-Key`, `Authorization: Bearer`", "the API key"),
        (&[Scheme::AccessToken, Scheme::SignedIn], "`Authorization: Bearer`", "the access token of a login"),
        (&[Scheme::Issued], "`Authorization: Bearer`", "the access token of the issuer"),
        (&[Scheme::Session, Scheme::SignedIn], "`Cookie`", "the session of a login"),
        (&[Scheme::Basic], "`Authorization: Basic`", "address and password of an account"),
    ];
    rows.into_iter().filter(|(schemes, ..)| asks(schemes)).map(|(_, header, what)| context! { header, what }).collect()
}

fn title(outline: &Outline<'_>) -> String {
    format!("{} {}", outline.method, outline.path)
}

fn endpoint(outline: &Outline<'_>) -> Value {
    let mut successes: BTreeSet<u16> = outline.answers.iter().map(|answer| answer.status).collect();
    successes.extend(outline.is_spared().then_some(304));
    let errors: BTreeSet<u16> = outline.problems.iter().map(|problem| problem.status()).collect();
    context! {
        method => outline.method,
        path => outline.path,
        summary => outline.endpoint.summary.as_str(),
        key => match (outline.scheme, outline.endpoint.scope()) {
            (Some(_), Some(scope)) => format!("`{scope}`"),
            (Some(_), None) => "yes".to_owned(),
            (None, _) if outline.endpoint.hearing().is_some() => "a signature".to_owned(),
            (None, _) => "no".to_owned(),
        },
        limit => outline.counts_by().map_or_else(String::new, |(policy, _)| format!("`{policy}`")),
        success => join(successes),
        errors => join(errors),
    }
}

/// Bodies, each once, with the endpoints that take it.
fn shapes(outlines: &[Outline<'_>]) -> Vec<Value> {
    let mut bodies: Vec<(Body<'_>, Vec<String>)> = Vec::new();
    for outline in outlines {
        let Some(body) = outline.body else { continue };
        let several = outline.several.map_or_else(String::new, |several| match &outline.alone()[..] {
            [] => format!(", alone or as one of at most {}", several.max),
            names => format!(", alone or, without {}, as one of at most {}", names.join(" and "), several.max),
        });
        let taker = format!("`{}`{several}, at most {} bytes", title(outline), outline.endpoint.max_body_bytes);
        match bodies.iter_mut().find(|(known, _)| *known == body) {
            Some((_, takers)) => takers.push(taker),
            None => bodies.push((body, vec![taker])),
        }
    }
    let view = |(body, takers): (Body<'_>, Vec<String>)| {
        context! { name => body.name(), takers => takers.join(", and of "), fields => body_fields(body) }
    };
    bodies.into_iter().map(view).collect()
}

/// The fields of answers, each set once, with the endpoints that give it.
fn answers(outlines: &[Outline<'_>]) -> Vec<Value> {
    let mut sets: Vec<(Vec<Value>, Vec<String>)> = Vec::new();
    for outline in outlines {
        for answer in &outline.answers {
            let fields = answer_fields(outline, answer);
            let part = match answer.content {
                Content::Nothing => continue,
                Content::Record(_) => "",
                Content::Records(_) => "each record of the list of ",
                Content::Page(_, RowsFormat::Json) => "each of the `items` of ",
                Content::Page(_, RowsFormat::Csv) => "each row of ",
                Content::Page(_, RowsFormat::Ndjson) => "each line of ",
            };
            let place = format!("{part}`{}` ({})", title(outline), answer.status);
            match sets.iter_mut().find(|(known, _)| *known == fields) {
                Some((_, places)) => places.push(place),
                None => sets.push((fields, vec![place])),
            }
        }
    }
    sets.into_iter().map(|(fields, places)| context! { places => places.join(", "), fields }).collect()
}

fn join(statuses: BTreeSet<u16>) -> String {
    statuses.into_iter().map(|status| status.to_string()).collect::<Vec<_>>().join(", ")
}
