//! Those who are told of events at addresses of their own: what a task says of them becomes the endpoints by which they are managed, and what
//! an API offers. An event that says nothing of whose it is goes to no subscription of a user.

use crate::account;
use crate::api::subject_of;
use crate::behaviour::field_name;
use crate::codes::SUBSCRIBERS_DO_NOT_FIT;
use plan::api::EventDeclaration;
use plan::subscribers::{DISABLED, FAILING, Offer, TEST};
use spec::{Access, ApiRequirements, Authentication, Endpoint, Method, PathPattern, Spanned, closest};
use std::collections::BTreeMap;
use vocab::suggestion::list;
use vocab::{BehaviorName, Diagnostic, EventName, FieldName, FieldType};

/// Where subscriptions are managed, where a task does not say it.
const PATH: &str = "/api/webhooks";
/// Behind how many seconds of failures alone a subscription is disabled, where a task does not say it: five days.
const DISABLE_AFTER: u32 = 432_000;
/// How a subscription is managed: what does it, by which method, and what stands behind the path.
const MANAGED: [(&str, Method, &str); 10] = [
    ("webhook_subscribe", Method::Post, ""),
    ("webhook_subscriptions", Method::Get, ""),
    ("webhook_subscription", Method::Get, "/{id}"),
    ("webhook_subscription_change", Method::Patch, "/{id}"),
    ("webhook_unsubscribe", Method::Delete, "/{id}"),
    ("webhook_secret", Method::Get, "/{id}/secret"),
    ("webhook_secret_rotate", Method::Post, "/{id}/secret"),
    ("webhook_test", Method::Post, "/{id}/test"),
    ("webhook_deliveries", Method::Get, "/{id}/deliveries"),
    ("webhook_replay", Method::Post, "/{id}/replay"),
];

/// The requirements with the endpoints by which subscriptions are managed, and which these are.
pub fn with_companions(mut requirements: ApiRequirements) -> (ApiRequirements, Vec<String>) {
    let (Some(subscribers), Some(first)) = (requirements.subscribers.clone(), requirements.endpoints.first()) else {
        return (requirements, Vec::new());
    };
    let like = Endpoint { place: subscribers.place.clone(), ..first.clone() };
    let base = path_of(&requirements);
    let by = subscribers.authentication;
    let mut brought = Vec::new();
    for (behaviour, method, behind) in MANAGED {
        let path = PathPattern::of(&format!("{base}{behind}"));
        let (Some(path), Ok(behavior)) = (path, BehaviorName::parse(behaviour)) else { continue };
        if requirements.endpoints.iter().any(|other| other.method == method && other.path == path) {
            continue;
        }
        let endpoint = Endpoint {
            access: subscribers.access.clone(),
            authentication_place: Some(by.place.clone()),
            ..account::companion(&like, method, path, by.value, behavior)
        };
        brought.push(subject_of(&endpoint));
        requirements.endpoints.push(endpoint);
    }
    (requirements, brought)
}

fn path_of(requirements: &ApiRequirements) -> String {
    let said = requirements.subscribers.as_ref().and_then(|subscribers| subscribers.path.as_ref());
    said.map_or_else(|| PATH.to_owned(), |path| path.value.as_str().to_owned())
}

/// Whether each user has to do with the own subscriptions and the own events alone.
pub fn hears_own(requirements: &ApiRequirements) -> bool {
    let Some(subscribers) = &requirements.subscribers else { return false };
    let is_user = match subscribers.authentication.value {
        Authentication::Jwt | Authentication::Session | Authentication::Basic | Authentication::OAuth => true,
        Authentication::None | Authentication::ApiKey | Authentication::Signature => false,
    };
    let access = subscribers.access.as_ref().map(|access| &access.value);
    is_user && matches!(access, None | Some(Access::Owner))
}

/// What is offered, and behind how many seconds of failures a subscription is disabled. `owners` says by which field of an event it is
/// known whose it is, `hidden` which of its fields an endpoint hides.
///
/// # Errors
/// What cannot be offered, or to nobody.
pub fn offered(
    requirements: &ApiRequirements,
    events: &[EventDeclaration],
    owners: &BTreeMap<EventName, FieldName>,
    hidden: impl Fn(&EventName) -> Vec<FieldName>,
) -> Result<Option<plan::Subscribers>, Vec<Diagnostic>> {
    let Some(subscribers) = &requirements.subscribers else { return Ok(None) };
    let mut problems = Vec::new();
    let refused = |message: String, help: String, place| {
        Diagnostic::error(SUBSCRIBERS_DO_NOT_FIT, message, place).with_help(help)
    };
    let by = &subscribers.authentication;
    if matches!(by.value, Authentication::None | Authentication::Signature) {
        let message = "whoever subscribes gets to know what happens here, and nobody would ask who that is".to_owned();
        let help = "write `authentication: \"jwt_token\"` where users subscribe, or `\"api_key\"` where programs do";
        problems.push(refused(message, help.to_owned(), &by.place));
    }
    let own = hears_own(requirements);
    let mut offers = Vec::new();
    for Spanned { value: name, place } in &subscribers.events {
        let known = events.iter().find(|event| event.name == *name);
        let token = known.and_then(|event| event.fields.iter().find(|(field, _)| is_token(field)));
        let owner = owners
            .get(name)
            .filter(|owner| known.is_some_and(|event| event.fields.iter().any(|(field, _)| field == *owner)));
        match (known, token) {
            (None, _) => {
                let names: Vec<&str> = events.iter().filter(|event| is_offerable(event)).map(name_of).collect();
                let help = match closest(name.as_str(), &names) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => format!("its endpoints tell of {}", list(&names)),
                };
                problems.push(refused(format!("no endpoint of this API tells of `{name}`"), help, place));
            }
            (Some(_), Some((field, _))) => problems.push(refused(
                format!("`{name}` is for one person alone: its `{field}` stands for a mailed token"),
                "leave it out".to_owned(),
                place,
            )),
            (Some(_), None) if own && owner.is_none() => problems.push(refused(
                format!("whose a `{name}` is cannot be told, so no user may subscribe to it"),
                "leave it out, or let those subscribe who may hear of everybody's: `access: \"role:admin\"`, or `authentication: \"api_key\"`".to_owned(),
                place,
            )),
            (Some(event), None) => {
                let mut without = hidden(name);
                without.retain(|field| event.fields.iter().any(|(known, _)| known == field));
                offers.push(Offer { event: name.clone(), owner: owner.filter(|_| own).cloned(), without });
            }
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let disable_after_seconds = subscribers.disable_after.as_ref().map_or(DISABLE_AFTER, |after| after.value);
    Ok(Some(plan::Subscribers { path: path_of(requirements), offers, disable_after_seconds }))
}

/// That an endpoint manages subscriptions of an API that offers nothing.
pub fn unoffered(endpoint: &Endpoint) -> Diagnostic {
    let message = format!("`{}` manages subscriptions, and the API offers no event", subject_of(endpoint));
    Diagnostic::error(SUBSCRIBERS_DO_NOT_FIT, message, &endpoint.place).with_help(
        "add `subscribers: { events: [order_created], authentication: \"api_key\" }`, which brings its endpoints",
    )
}

/// What is told of subscriptions themselves, for whoever listens in the workspace.
pub fn events() -> [EventDeclaration; 2] {
    [FAILING, DISABLED].map(|name| EventDeclaration {
        name: EventName::parse(name).expect("a literal that is a name"),
        also: Vec::new(),
        fields: [
            ("subscription_id", FieldType::Uuid),
            ("user_id", FieldType::Uuid),
            ("url", FieldType::Url),
            ("failing_since", FieldType::Timestamp),
        ]
        .map(|(field, kind)| (field_name(field), kind))
        .into(),
    })
}

fn name_of(event: &EventDeclaration) -> &str {
    event.name.as_str()
}

fn is_offerable(event: &EventDeclaration) -> bool {
    event.name.as_str() != TEST && !event.fields.iter().any(|(field, _)| is_token(field))
}

fn is_token(field: &FieldName) -> bool {
    field.as_str() == "token" || field.as_str().ends_with("_token")
}
