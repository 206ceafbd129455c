//! Members of the body that say who we are. A document comes in, one with those members before all others goes out.

use crate::fill::{self, Scope};
use crate::request::RequestError;
use manifest::authentication::{Authentication, BodyAuthentication, BodyPlace};
use serde_json::{Map, Value};

/// The document with what says who we are, where the way puts that into bodies.
pub(crate) fn in_body(way: &Authentication, document: Value, scope: &dyn Scope) -> Result<Value, RequestError> {
    let Authentication::Body(way) = way else { return Ok(document) };
    let no_room = || RequestError::Proof("the body has no place for what says who we are".to_owned());
    let Value::Object(members) = document else { return Err(no_room()) };
    match way.into {
        BodyPlace::Top => Ok(Value::Object(before(way, members, scope)?)),
        BodyPlace::OnlyMember => {
            let mut all = members.into_iter();
            match (all.next(), all.next()) {
                (Some((name, Value::Object(inside))), None) => {
                    Ok(Value::Object(Map::from_iter([(name, Value::Object(before(way, inside, scope)?))])))
                }
                _ => Err(no_room()),
            }
        }
    }
}

fn before(
    way: &BodyAuthentication,
    members: Map<String, Value>,
    scope: &dyn Scope,
) -> Result<Map<String, Value>, RequestError> {
    let mut all = Map::new();
    for (name, template) in way.fields.iter() {
        if let Some(value) = fill::document(template, scope)? {
            all.insert(name.clone(), value);
        }
    }
    all.extend(members);
    Ok(all)
}
