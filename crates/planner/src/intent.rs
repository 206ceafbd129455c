//! What an endpoint does: what the task says, or the first rule of the catalogue that fits, or an error that shows the way out.

use crate::behaviour::{self, Behaviour, CONFIRM_NEWSLETTER, HEARS, LEAVE_NEWSLETTER, WorksOn};
use crate::codes::{BEHAVIOR_DOES_NOT_FIT, NOT_INFERRED, UNKNOWN_BEHAVIOR};
use crate::entity::snake_case;
use crate::incoming;
use catalog::{Catalog, Intent, PathKind};
use spec::{ApiRequirements, Endpoint, PathPattern, Segment, closest};
use vocab::{Diagnostic, EntityName, EventName, FieldName};

/// What an endpoint does, with the reason.
pub struct Inferred {
    pub behaviour: &'static Behaviour,
    /// What it does it with; none: what the path names.
    pub entity: Option<EntityName>,
    /// The event that tells of it; none: the entity's own.
    pub emits: Option<EventName>,
    pub reason: String,
}

/// The last name of a path, the key behind it, and the thing that it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target<'a> {
    pub segment: &'a str,
    pub key: Option<&'a FieldName>,
    pub parent: Option<Parent<'a>>,
}

/// What the things of a path belong to: `posts` and `post_id` of `/api/posts/{post_id}/comments`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parent<'a> {
    pub segment: &'a str,
    pub key: &'a FieldName,
}

impl Target<'_> {
    pub fn kind(&self) -> PathKind {
        if self.key.is_some() { PathKind::Item } else { PathKind::Collection }
    }
}

/// What a path ends in; `None` where it has keys elsewhere than at its end and right before its last name.
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
    let (parent, before) = match before {
        [outer @ .., Segment::Literal(segment), Segment::Parameter(key)] => (Some(Parent { segment, key }), outer),
        outer => (None, outer),
    };
    let plain = before.iter().all(|segment| matches!(segment, Segment::Literal(_)));
    plain.then_some(Target { segment, key, parent })
}

/// What the endpoint does.
///
/// # Errors
/// Where no rule tells, or the task names a behaviour that is not known or does not fit.
pub fn infer(endpoint: &Endpoint, requirements: &ApiRequirements, catalog: &Catalog) -> Result<Inferred, Diagnostic> {
    if endpoint.webhook.is_some() {
        HEARS
            .fits(endpoint)
            .map_err(|(why, help)| Diagnostic::error(BEHAVIOR_DOES_NOT_FIT, why, &endpoint.place).with_help(help))?;
        let stated = endpoint.entity.as_ref().map(|entity| entity.value.clone());
        let reason = match &stated {
            Some(entity) => format!("the task says `webhook` and `entity: {entity}`"),
            None => "the task says `webhook`, and no `entity`".to_owned(),
        };
        let entity = stated.or_else(|| EntityName::parse(incoming::ENTITY).ok());
        return Ok(Inferred { behaviour: HEARS, entity, emits: None, reason });
    }
    let rule = rule(endpoint, requirements, catalog);
    let stated_entity = endpoint.entity.as_ref().map(|entity| entity.value.clone());
    let of_entity = endpoint
        .entity
        .as_ref()
        .map_or_else(String::new, |entity| format!("; the task says `entity: {}`", entity.value));
    let Some(stated) = &endpoint.behavior else {
        let (intent, behaviour, reason) = rule.ok_or_else(|| refusal(endpoint, catalog))?;
        let own = stated_entity.is_none() || stated_entity == intent.entity;
        return Ok(Inferred {
            behaviour,
            entity: stated_entity.or_else(|| intent.entity.clone()),
            emits: intent.emits.clone().filter(|_| own),
            reason: format!("rule {}: {reason}{of_entity}", intent.rule),
        });
    };
    let behaviour = behaviour::find(stated.value.as_str()).ok_or_else(|| unknown(endpoint, stated))?;
    if let Err((why, help)) = behaviour.fits(endpoint) {
        return Err(Diagnostic::error(BEHAVIOR_DOES_NOT_FIT, why, &stated.place).with_help(help));
    }
    // A rule for the same behaviour still tells with what; else what all rules for that behaviour agree on.
    let rule = rule.map(|(intent, ..)| intent);
    let same = rule.filter(|intent| intent.behavior.as_str() == behaviour.name);
    let of_rule = same.or_else(|| agreed(behaviour, catalog));
    let entity = stated_entity.clone().or_else(|| of_rule.or(rule).and_then(|intent| intent.entity.clone()));
    let emits = of_rule.filter(|intent| intent.entity == entity).and_then(|intent| intent.emits.clone());
    Ok(Inferred { behaviour, entity, emits, reason: format!("the task says `behavior: {}`{of_entity}", stated.value) })
}

/// The first rule that fits, what it says, and why it fits.
fn rule<'a>(
    endpoint: &Endpoint,
    requirements: &ApiRequirements,
    catalog: &'a Catalog,
) -> Option<(&'a Intent, &'static Behaviour, String)> {
    let target = target(&endpoint.path)?;
    let is_alone = names(&endpoint.path).count() == 1;
    catalog.intents().iter().find_map(|intent| {
        // A rule for any name is no rule for an action: `/api/auth/login`, `/api/users/profile`.
        if intent.last_segment.is_empty() && endpoint.path.literals().any(|segment| catalog.is_action(segment)) {
            return None;
        }
        let behaviour = behaviour::find(intent.behavior.as_str())?;
        if target.parent.is_some() && !behaviour.in_parents || intent.alone && !is_alone {
            return None;
        }
        if !intent.is_within(names(&endpoint.path).filter(|name| *name != target.segment)) {
            return None;
        }
        let reason = intent.reason(endpoint.method.as_str(), target.kind(), target.segment)?;
        let overruled = intent.unless_fields && names_other_fields(target.segment, intent, requirements, catalog);
        (!overruled).then_some((intent, behaviour, reason))
    })
}

/// The names of a path, without `api` and the version.
fn names(path: &PathPattern) -> impl Iterator<Item = &str> {
    path.literals().filter(|segment| *segment != "api" && !is_version(segment))
}

pub fn is_version(segment: &str) -> bool {
    segment
        .strip_prefix('v')
        .is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Whether the task names fields of such things that the rule's entity does not have.
fn names_other_fields(segment: &str, intent: &Intent, requirements: &ApiRequirements, catalog: &Catalog) -> bool {
    let Some(entity) = intent.entity.as_ref().and_then(|name| catalog.entity(name)) else { return false };
    let same = requirements
        .endpoints
        .iter()
        .filter(|other| target(&other.path).is_some_and(|target| target.segment == segment));
    let mut stated = same.flat_map(|other| &other.validation);
    stated.any(|rule| !entity.fields.iter().any(|field| field.name == rule.name.value))
}

/// A rule for the behaviour, where all of them have one entity.
fn agreed<'a>(behaviour: &Behaviour, catalog: &'a Catalog) -> Option<&'a Intent> {
    let mut rules = catalog.intents().iter().filter(|intent| intent.behavior.as_str() == behaviour.name);
    let first = rules.next()?;
    rules.all(|other| other.entity == first.entity).then_some(first)
}

fn unknown(endpoint: &Endpoint, stated: &spec::Spanned<vocab::BehaviorName>) -> Diagnostic {
    let known: Vec<&str> = behaviour::all().iter().map(|behaviour| behaviour.name).collect();
    let meant =
        closest(stated.value.as_str(), &known).map_or_else(String::new, |meant| format!("did you mean `{meant}`? "));
    let fitting: Vec<String> = ways_out(endpoint).iter().map(|name| format!("`{name}`")).collect();
    let list: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
    let fitting = match fitting.is_empty() {
        true => String::new(),
        false => format!("; of these, {} fit `{} {}`", fitting.join(", "), endpoint.method.as_str(), endpoint.path),
    };
    Diagnostic::error(UNKNOWN_BEHAVIOR, format!("no behavior is called `{}`", stated.value), &stated.place)
        .with_help(format!("{meant}known are {}{fitting}", list.join(", ")))
}

/// What is done with accounts, what a shop does and what takes a mailed token has names of its own.
fn is_proposed(behaviour: &Behaviour, endpoint: &Endpoint) -> bool {
    let takes_token = [CONFIRM_NEWSLETTER, LEAVE_NEWSLETTER].contains(&behaviour.name);
    let is_common =
        !takes_token && !matches!(behaviour.works_on, WorksOn::Account | WorksOn::Shop | WorksOn::Subscriptions);
    is_common && behaviour.fits(endpoint).is_ok()
}

/// The behaviours that fit the method and the path, nearest first.
fn ways_out(endpoint: &Endpoint) -> Vec<&'static str> {
    behaviour::all()
        .iter()
        .filter(|behaviour| is_proposed(behaviour, endpoint))
        .map(|behaviour| behaviour.name)
        .collect()
}

/// What nobody can infer, with the lines that settle it in this task.
fn refusal(endpoint: &Endpoint, catalog: &Catalog) -> Diagnostic {
    let (method, path) = (endpoint.method.as_str(), endpoint.path.as_str());
    let message = format!("nothing tells what `{method} {path}` does");
    Diagnostic::error(NOT_INFERRED, message, &endpoint.place).with_help(help(endpoint, catalog))
}

fn help(endpoint: &Endpoint, catalog: &Catalog) -> String {
    let Some(found) = target(&endpoint.path) else { return unnest(endpoint) };
    let path = endpoint.path.as_str();
    if let Some(meant) = misspelled(endpoint, &found, catalog) {
        return meant;
    }
    let lines: Vec<String> = behaviour::all()
        .iter()
        .filter(|behaviour| is_proposed(behaviour, endpoint))
        .map(|behaviour| format!("`behavior: {}` ({})", behaviour.name, behaviour.does))
        .collect();
    if !lines.is_empty() {
        return format!("add one line beside `path: {path}`: {}", lines.join(", or "));
    }
    match (endpoint.method, found.key) {
        (spec::Method::Put | spec::Method::Patch, None) => {
            format!(
                "name the record that changes: `path: {path}/{{id}}`; for the one and only `{}`, keep it as a record with a key of its own",
                found.segment
            )
        }
        (spec::Method::Post, Some(_)) => {
            let collection = path.rsplit_once('/').map_or(path, |(collection, _)| collection);
            format!("create with `path: {collection}`, or change what is there with `method: PUT` or `method: PATCH`")
        }
        (spec::Method::Delete, None) => format!("name the record that goes: `path: {path}/{{id}}`"),
        (spec::Method::Get | spec::Method::Post, None) | (_, Some(_)) => {
            "take a path that ends in a name, such as `/api/contact`".to_owned()
        }
    }
}

/// More than one level of things in things: the innermost level can have a path of its own.
fn unnest(endpoint: &Endpoint) -> String {
    let segments = endpoint.path.segments();
    let is_literal = |segment: &Segment| matches!(segment, Segment::Literal(_));
    let literals: Vec<usize> = (0..segments.len()).filter(|at| is_literal(&segments[*at])).collect();
    let (Some(last), true) = (literals.last(), endpoint.path.parameters().count() > 1) else {
        return "take a path that ends in a name, or in a name and a key: `/api/contact`, `/api/products/{id}`"
            .to_owned();
    };
    // The parent is a name with a key right behind it.
    let parent = literals.iter().rev().nth(1).filter(|at| segments.get(**at + 1).is_some_and(|next| !is_literal(next)));
    let inner = parent.map_or(*last, |parent| if parent + 2 == *last { *parent } else { *last });
    let prefix = segments
        .iter()
        .take_while(|segment| matches!(segment, Segment::Literal(text) if text == "api" || is_version(text)));
    let short: String = prefix
        .chain(&segments[inner..])
        .map(|segment| match segment {
            Segment::Literal(text) => format!("/{text}"),
            Segment::Parameter(name) => format!("/{{{name}}}"),
        })
        .collect();
    format!("things may belong to one other thing, as in `/api/posts/{{post_id}}/comments`: use `path: {short}`")
}

/// A name that a rule would know, were it spelled so.
fn misspelled(endpoint: &Endpoint, found: &Target<'_>, catalog: &Catalog) -> Option<String> {
    let rules = catalog.intents().iter().filter(|intent| {
        intent.method == endpoint.method.as_str() && intent.path == found.kind() && !intent.last_segment.is_empty()
    });
    let known: Vec<String> =
        rules.flat_map(|intent| &intent.last_segment).map(|segment| segment.replace('-', "_")).collect();
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    let word = snake_case(found.segment);
    let meant = closest(&word, &known).filter(|meant| *meant != word)?.replace('_', "-");
    let path = endpoint.path.as_str();
    let path = match path.rfind(found.segment) {
        Some(at) => format!("{}{meant}{}", &path[..at], &path[at + found.segment.len()..]),
        None => return None,
    };
    Some(format!("did you mean `path: {path}`?"))
}
