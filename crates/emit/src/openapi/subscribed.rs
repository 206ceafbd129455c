//! What subscribers are sent, as OpenAPI 3.1 tells it: a plan comes in, its `webhooks` go out. OpenAPI 3.0 has no words for them.

use super::schema::type_schema;
use plan::Plan;
use plan::api::EventDeclaration;
use plan::subscribers::TEST;
use serde_json::{Map, Value, json};
use vocab::FieldName;

/// The messages by the name of their event.
pub fn messages(plans: &[&Plan]) -> Map<String, Value> {
    let mut messages = Map::new();
    for plan in plans {
        let Some(subscribers) = &plan.api.subscribers else { continue };
        for event in &plan.api.events {
            let offer = subscribers.offers.iter().find(|offer| offer.event == event.name);
            if event.name.as_str() == TEST || offer.is_some() {
                let without = offer.map_or(&[][..], |offer| &offer.without);
                messages.insert(event.name.to_string(), message(&plan.api.name, event, without));
            }
        }
    }
    messages
}

fn message(api: &str, event: &EventDeclaration, without: &[FieldName]) -> Value {
    let told = event.fields.iter().filter(|(name, _)| !without.contains(name));
    let fields = told.map(|(name, field_type)| {
        // What is not known is null.
        (name.to_string(), json!({"anyOf": [type_schema(field_type), {"type": "null"}]}))
    });
    let schema = json!({
        "type": "object",
        "required": ["type", "timestamp", "data"],
        "properties": {
            "type": {"const": event.name.as_str()},
            "timestamp": {"type": "string", "format": "date-time", "description": "When it happened."},
            "data": {"type": "object", "properties": fields.collect::<Map<_, _>>()},
        },
    });
    let header = |name: &str, description: &str| json!({"name": name, "in": "header", "required": true, "description": description, "schema": {"type": "string"}});
    json!({"post": {
        "operationId": format!("on_{}", event.name),
        "tags": [api],
        "summary": format!("A subscriber is told of `{}`.", event.name),
        "description": "Sent to the address of each subscription that hears of it, signed as Standard Webhooks has it. What is not answered 2xx within 20 seconds is sent again.",
        "parameters": [
            header("webhook-id", "Names the message: the same where it comes again."),
            header("webhook-timestamp", "When it was sent, in seconds since 1970."),
            header("webhook-signature", "`v1,` and the Base64 of HMAC-SHA256 over id, timestamp and body, with points between; several while the secret is replaced."),
        ],
        "requestBody": {"required": true, "content": {super::JSON: {"schema": schema}}},
        "responses": {"2XX": {"description": "It was taken."}, "410": {"description": "Nothing more is wanted: the subscription is disabled."}},
    }})
}
