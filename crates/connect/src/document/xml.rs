//! XML as a document: an element is a member by its name without the prefix, several of one name are a list, an attribute is a member
//! with `@` before its name. An element that holds only text is that text. Nothing outside of the text is ever fetched: entities are the five
//! of XML itself.

use super::add;
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use serde_json::{Map, Value};

/// Deepest nesting.
const MAX_DEPTH: usize = 64;
/// Most elements.
const MAX_ELEMENTS: usize = 200_000;

/// An element that is not closed yet.
struct Open {
    name: String,
    attributes: Map<String, Value>,
    members: Map<String, Value>,
    text: String,
}

impl Open {
    fn value(self) -> Value {
        if self.members.is_empty() && (!self.text.is_empty() || self.attributes.is_empty()) {
            return Value::String(self.text);
        }
        let mut all = self.attributes;
        all.extend(self.members);
        Value::Object(all)
    }
}

/// Reads a document, or nothing where it is none.
pub(super) fn read(body: &[u8]) -> Option<Value> {
    let text = std::str::from_utf8(body).ok()?;
    let mut reader = Reader::from_str(text);
    let mut open: Vec<Open> = Vec::new();
    let mut document = Map::new();
    let mut elements = 0;
    loop {
        match reader.read_event().ok()? {
            Event::Start(start) => {
                elements += 1;
                open.push(begun(&start)?);
                if open.len() > MAX_DEPTH || elements > MAX_ELEMENTS {
                    return None;
                }
            }
            Event::Empty(start) => {
                elements += 1;
                close(begun(&start)?, &mut open, &mut document);
            }
            Event::End(_) => {
                let mut last = open.pop()?;
                // Between elements, white space is layout.
                if !last.members.is_empty() {
                    last.text.clear();
                }
                close(last, &mut open, &mut document);
            }
            Event::Text(text) => append(&mut open, &text.xml10_content()),
            Event::CData(text) => append(&mut open, &text.xml10_content()),
            Event::GeneralRef(name) => {
                let character = match name.resolve_char_ref().ok()? {
                    Some(character) => character.to_string(),
                    None => quick_xml::escape::resolve_xml_entity(&name)?.to_owned(),
                };
                append(&mut open, &character);
            }
            // A type declaration can define entities without end.
            Event::DocType(_) => return None,
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
            Event::Eof => break,
        }
    }
    (open.is_empty() && !document.is_empty()).then_some(Value::Object(document))
}

fn append(open: &mut [Open], text: &str) {
    if let Some(last) = open.last_mut() {
        last.text.push_str(text);
    }
}

fn begun(start: &BytesStart<'_>) -> Option<Open> {
    let local = |name: quick_xml::name::QName<'_>| name.local_name().as_ref().to_owned();
    let mut attributes = Map::new();
    for attribute in start.attributes() {
        let attribute = attribute.ok()?;
        let value = attribute.normalized_value(quick_xml::XmlVersion::Implicit1_0).ok()?;
        attributes.insert(format!("@{}", local(attribute.key)), Value::String(value.into_owned()));
    }
    Some(Open { name: local(start.name()), attributes, members: Map::new(), text: String::new() })
}

fn close(element: Open, open: &mut [Open], document: &mut Map<String, Value>) {
    let (name, value) = (element.name.clone(), element.value());
    match open.last_mut() {
        Some(around) => add(&mut around.members, name, value),
        None => add(document, name, value),
    }
}
