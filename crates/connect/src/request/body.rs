//! The bytes of a body and what they are: a body of a manifest comes in with what its names stand for.

use super::{RequestError, xml_text};
use crate::authentication::in_body;
use crate::encode::{form_nested, form_repeated, percent};
use crate::fill::{self, Scope};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use manifest::authentication::Authentication;
use manifest::operation::Body;
use serde_json::Value;

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";

/// A body with its media type.
pub(super) fn of(
    body: Option<&Body>,
    way: &Authentication,
    scope: &dyn Scope,
    numbers: &dyn Scope,
) -> Result<(Vec<u8>, Option<String>), RequestError> {
    let absent = || RequestError::Absent("the body".to_owned());
    let document = |template, scope: &dyn Scope| -> Result<Value, RequestError> {
        in_body(way, fill::document(template, scope)?.ok_or_else(absent)?, scope)
    };
    let Some(body) = body else {
        return match way {
            Authentication::Body(_) => {
                let document = in_body(way, Value::Object(serde_json::Map::new()), scope)?;
                Ok((document.to_string().into_bytes(), Some(JSON.to_owned())))
            }
            _ => Ok((Vec::new(), None)),
        };
    };
    let (text, media_type) = match body {
        Body::Json(template) => (document(template, numbers)?.to_string(), JSON.to_owned()),
        Body::JsonLines(template) => {
            let lines = match document(template, numbers)? {
                Value::Array(items) => items,
                one => vec![one],
            };
            let lines: String = lines.iter().map(|line| format!("{line}\n")).collect();
            (lines, "application/x-ndjson".to_owned())
        }
        Body::FormNested(template) => (form_nested(&document(template, scope)?), FORM.to_owned()),
        Body::FormRepeated(template) => (form_repeated(&document(template, scope)?), FORM.to_owned()),
        Body::FormJson { name, json, base64 } => {
            let text = document(json, numbers)?.to_string();
            let text = if *base64 { STANDARD.encode(text) } else { text };
            (format!("{}={}", percent(name), percent(&text)), FORM.to_owned())
        }
        Body::Xml(text) => (xml_text(text, scope)?.ok_or_else(absent)?, "application/xml; charset=utf-8".to_owned()),
        Body::Bytes { of, media_type } => {
            let bytes = fill::text(of, scope)?.ok_or_else(absent)?;
            let media_type =
                fill::text(media_type, scope)?.ok_or_else(|| RequestError::Absent("the media type".to_owned()))?;
            (bytes, media_type)
        }
    };
    Ok((text.into_bytes(), Some(media_type)))
}
