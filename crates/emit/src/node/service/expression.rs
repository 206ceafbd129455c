//! Templates of a manifest as JavaScript expressions. What may be shown of a value is said around it where a request is made.

use super::{Script, Written, beyond, member, quoted, text};
use crate::node::names::camel_case;
use crate::node::script::Expression;
use manifest::kind::{Kind, Privacy};
use manifest::operation::{Input, Operation};
use manifest::reference::{DeliveryValue, Reference, WebhookValue};
use manifest::template::Part;
use manifest::transformation::Transformation;
use manifest::{Manifest, Template, Text};
use std::collections::BTreeSet;

/// What a module may import, with the file of `lib/` it is from.
const IMPORTS: [(&str, &str); 70] = [
    ("operation", "call"),
    ("verifyCertificate", "certificate"),
    ("bytes", "encode"),
    ("formJson", "encode"),
    ("formNested", "encode"),
    ("formRepeated", "encode"),
    ("json", "encode"),
    ("jsonLines", "encode"),
    ("path", "encode"),
    ("xml", "encode"),
    ("atTimes", "pace"),
    ("everyMinutes", "pace"),
    ("at", "place"),
    ("basic", "request"),
    ("mustBeConfirmed", "signature"),
    ("verifyBasic", "signature"),
    ("verifyDigest", "signature"),
    ("verifyHeader", "signature"),
    ("verifyHmac", "signature"),
    ("verifyPublicKey", "signature"),
    ("verifySecretPath", "signature"),
    ("after", "transformations"),
    ("asString", "transformations"),
    ("base64", "transformations"),
    ("before", "transformations"),
    ("count", "transformations"),
    ("day", "transformations"),
    ("digits", "transformations"),
    ("equals", "transformations"),
    ("firstWord", "transformations"),
    ("fixed", "transformations"),
    ("fromUnixMilliseconds", "transformations"),
    ("fromUnixSeconds", "transformations"),
    ("integer", "transformations"),
    ("jsonNumber", "transformations"),
    ("jsonText", "transformations"),
    ("letters", "transformations"),
    ("lowercase", "transformations"),
    ("majorUnits", "transformations"),
    ("md5", "transformations"),
    ("minorUnits", "transformations"),
    ("minus", "transformations"),
    ("otherWords", "transformations"),
    ("plus", "transformations"),
    ("positive", "transformations"),
    ("sha256", "transformations"),
    ("sum", "transformations"),
    ("times", "transformations"),
    ("trim", "transformations"),
    ("truncate", "transformations"),
    ("unixMicroseconds", "transformations"),
    ("unixMilliseconds", "transformations"),
    ("unixSeconds", "transformations"),
    ("unless", "transformations"),
    ("uppercase", "transformations"),
    ("withParameter", "transformations"),
    ("NULL", "values"),
    ("personal", "values"),
    ("plainText", "values"),
    ("secret", "values"),
    ("text", "values"),
    // What the module declares itself, or takes as a parameter.
    ("values", ""),
    ("currencies", ""),
    ("points", ""),
    ("errors", ""),
    ("syncs", ""),
    ("webhooks", ""),
    ("verifyWebhook", ""),
    ("call", ""),
    ("item", ""),
];

/// The names that no operation may have in the module.
pub const OWN_NAMES: [&str; IMPORTS.len()] = {
    let mut names = [""; IMPORTS.len()];
    let mut index = 0;
    while index < IMPORTS.len() {
        names[index] = IMPORTS[index].0;
        index += 1;
    }
    names
};

/// Where an expression stands.
#[derive(Clone, Copy)]
pub enum Place<'o> {
    /// In the request of an operation.
    Request(&'o Operation),
    /// In the same, in a JSON document: a decimal number is one there.
    Json(&'o Operation),
    /// In what proves who we are.
    Proof,
    /// Where nothing is sent or shown.
    Plain,
}

/// Writes expressions, and notes what they need.
pub struct Writer<'a> {
    manifest: &'a Manifest,
    imports: BTreeSet<&'static str>,
    /// The roots that the function around takes.
    roots: BTreeSet<&'static str>,
}

impl<'a> Writer<'a> {
    pub fn new(manifest: &'a Manifest) -> Self {
        Self { manifest, imports: BTreeSet::new(), roots: BTreeSet::new() }
    }

    /// Notes that the module needs something of `lib/`.
    pub fn import(&mut self, name: &str) {
        let known = IMPORTS.iter().find(|(known, _)| *known == name);
        self.imports.extend(known.map(|(known, _)| *known));
    }

    pub fn imports(&self, script: &mut Script) {
        let mut files: Vec<(&str, Vec<&str>)> = Vec::new();
        for (name, file) in IMPORTS.iter().filter(|(name, _)| self.imports.contains(name)) {
            match files.last_mut() {
                Some((known, names)) if known == file => names.push(name),
                Some(_) | None => files.push((file, vec![name])),
            }
        }
        for (file, names) in files {
            crate::node::module::import_from(script, &names, &format!("../lib/provider/{file}.js"));
        }
    }

    /// A function of what its body names: `({ input }) => ...`.
    pub fn function(&mut self, body: impl FnOnce(&mut Self) -> Written<Expression>) -> Written<Expression> {
        let around = std::mem::take(&mut self.roots);
        let value = body(self);
        let roots = std::mem::replace(&mut self.roots, around);
        let names: Vec<&str> = roots.into_iter().collect();
        let parameters = if names.is_empty() { "()".to_owned() } else { format!("({{ {} }})", names.join(", ")) };
        Ok(Expression::arrow(parameters, value?))
    }

    /// The roots that were named, for who writes the function around by itself.
    pub fn take_roots(&mut self) -> Vec<&'static str> {
        std::mem::take(&mut self.roots).into_iter().collect()
    }

    pub fn reference(&mut self, name: &Reference) -> Written<String> {
        let mut of = |root: &'static str, rest: &str| {
            self.roots.insert(root);
            Ok(format!("{root}.{rest}"))
        };
        match name {
            Reference::Credential(name) => of("credential", name.as_str()),
            Reference::Setting(name) => of("setting", name.as_str()),
            Reference::Value(name) => Ok(format!("values.{name}")),
            Reference::Input(name) => of("input", name.as_str()),
            Reference::Item(name) => Ok(format!("item.{name}")),
            Reference::Event(name) => of("event", name.as_str()),
            Reference::Answer(step, name) => of("answer", &format!("{step}?.{name}")),
            Reference::Remembered(name) => of("remembered", name.as_str()),
            Reference::Delivery(DeliveryValue::Id) => of("delivery", "id"),
            Reference::Delivery(DeliveryValue::Key) => of("delivery", "key"),
            Reference::Delivery(DeliveryValue::Time) => of("delivery", "time"),
            Reference::Delivery(DeliveryValue::Event) => of("delivery", "event"),
            Reference::NextPage => of("page", "next"),
            Reference::Webhook(WebhookValue::Url) => of("webhook", "url"),
            Reference::Webhook(WebhookValue::Id) => of("webhook", "id"),
            Reference::Webhook(WebhookValue::Secret) => of("webhook", "secret"),
            Reference::Webhook(WebhookValue::Kinds) => of("webhook", "kinds"),
            Reference::Site => of("site", "url"),
            Reference::Body(pointer) => {
                self.roots.insert("body");
                if pointer.steps().is_empty() {
                    return Ok("body".to_owned());
                }
                self.import("at");
                Ok(format!("at(body, {})", quoted(&pointer.to_string())))
            }
            Reference::Header(name) => {
                self.roots.insert("header");
                Ok(format!("header({})", quoted(name)))
            }
            Reference::Token(name) => of("token", name.as_str()),
            Reference::Host(name) => of("host", name.as_str()),
            Reference::Fields
            | Reference::Made(_)
            | Reference::MadeObject(_)
            | Reference::Path(_)
            | Reference::Object(_)
            | Reference::ProblemPlace => beyond(format!("use `{name}`")),
        }
    }

    fn expression(&mut self, of: &manifest::Expression, place: Place<'_>) -> Written<Expression> {
        let mut value = Expression::text(self.reference(&of.from)?);
        for transformation in &of.through {
            value = self.through(value, transformation)?;
        }
        if let Place::Json(operation) = place
            && is_number(of, operation)
        {
            self.import("jsonNumber");
            value = Expression::call("jsonNumber", [value]);
        }
        let privacy = match place {
            Place::Plain => Privacy::Plain,
            Place::Request(operation) | Place::Json(operation) => self.privacy(of, Some(operation)),
            Place::Proof => self.privacy(of, None),
        };
        let around = match privacy {
            Privacy::Plain => return Ok(value),
            Privacy::Personal => "personal",
            Privacy::Secret | Privacy::Card => "secret",
        };
        self.import(around);
        Ok(Expression::call(around, [value]))
    }

    fn through(&mut self, value: Expression, transformation: &Transformation) -> Written<Expression> {
        let mut arguments = vec![value];
        let name = match transformation {
            Transformation::Or(otherwise) => {
                return Ok(Expression::text(format!("({} ?? {})", arguments[0].flat(), quoted(otherwise))));
            }
            Transformation::OrElse(other) => {
                let other = self.reference(other)?;
                return Ok(Expression::text(format!("({} ?? {other})", arguments[0].flat())));
            }
            Transformation::Text => "asString".to_owned(),
            Transformation::Truncate(length) | Transformation::Fixed(length) => {
                arguments.push(Expression::text(length.to_string()));
                function_of(transformation)
            }
            Transformation::After(mark) | Transformation::Before(mark) => {
                arguments.push(text(mark));
                function_of(transformation)
            }
            Transformation::MinorUnits(other) | Transformation::MajorUnits(other) => {
                arguments.push(Expression::text(self.reference(other)?));
                if self.manifest.provider.currencies.is_some() {
                    arguments.push(Expression::text("currencies"));
                }
                function_of(transformation)
            }
            Transformation::Plus(other)
            | Transformation::Minus(other)
            | Transformation::Times(other)
            | Transformation::Unless(other)
            | Transformation::Equals(other) => {
                arguments.push(Expression::text(self.reference(other)?));
                function_of(transformation)
            }
            Transformation::WithParameter(other) => {
                arguments.push(text(&other.last_name()));
                arguments.push(Expression::text(self.reference(other)?));
                function_of(transformation)
            }
            Transformation::Positive
            | Transformation::Trim
            | Transformation::Lowercase
            | Transformation::Uppercase
            | Transformation::Digits
            | Transformation::Letters
            | Transformation::FirstWord
            | Transformation::OtherWords
            | Transformation::Md5
            | Transformation::Sha256
            | Transformation::Base64
            | Transformation::UnixSeconds
            | Transformation::UnixMilliseconds
            | Transformation::UnixMicroseconds
            | Transformation::FromUnixSeconds
            | Transformation::FromUnixMilliseconds
            | Transformation::Day
            | Transformation::JsonText
            | Transformation::Integer
            | Transformation::Count
            | Transformation::Sum => function_of(transformation),
        };
        self.import(&name);
        Ok(Expression::call(name, arguments))
    }

    /// A text; one value alone keeps its kind.
    pub fn text(&mut self, of: &Text, place: Place<'_>) -> Written<Expression> {
        if let Some(literal) = of.as_literal() {
            return Ok(text(literal));
        }
        if let Some(alone) = of.as_expression() {
            return self.expression(alone, place);
        }
        let tag = match place {
            Place::Plain => "plainText",
            Place::Request(_) | Place::Json(_) | Place::Proof => "text",
        };
        self.import(tag);
        self.tagged(tag, of, place)
    }

    /// A template literal behind its tag.
    pub fn tagged(&mut self, tag: &str, of: &Text, place: Place<'_>) -> Written<Expression> {
        let mut literal = format!("{tag}`");
        for part in of.parts() {
            match part {
                Part::Literal(text) => {
                    literal.push_str(&text.replace('\\', "\\\\").replace('`', "\\`").replace("${", "\\${"));
                }
                Part::Value(value) => {
                    literal.push_str(&format!("${{{}}}", self.expression(value, place)?.flat()));
                }
            }
        }
        literal.push('`');
        Ok(Expression::text(literal))
    }

    pub fn document(&mut self, template: &Template, place: Place<'_>) -> Written<Expression> {
        Ok(match template {
            Template::Null => {
                self.import("NULL");
                Expression::text("NULL")
            }
            Template::Boolean(value) => Expression::text(value.to_string()),
            Template::Number(value) => Expression::text(value.to_string()),
            Template::Text(of) => self.text(of, place)?,
            Template::List(items) => {
                Expression::Array(items.iter().map(|item| self.document(item, place)).collect::<Written<_>>()?)
            }
            Template::Fields(fields) => {
                // JavaScript puts members that are numbers before all others.
                if let Some((name, _)) = fields.iter().find(|(name, _)| name.parse::<u32>().is_ok()) {
                    return beyond(format!("write the member `{name}` in its order"));
                }
                let fields = fields.iter().map(|(name, field)| Ok(member(name, self.document(field, place)?)));
                Expression::Object(fields.collect::<Written<_>>()?)
            }
            Template::Each { list, item } => {
                let list = self.reference(list)?;
                Expression::call(format!("{list}?.map"), [Expression::arrow("(item)", self.document(item, place)?)])
            }
        })
    }

    /// How carefully a value of a request is handled.
    fn privacy(&self, of: &manifest::Expression, operation: Option<&Operation>) -> Privacy {
        let one = |name: &Reference| match name {
            Reference::Credential(name) => match self.manifest.provider.credentials.get(name.as_str()) {
                Some(known) if !known.secret => Privacy::Plain,
                Some(_) | None => Privacy::Secret,
            },
            Reference::Input(name) => {
                operation.and_then(|operation| operation.input.get(name.as_str())).map_or(Privacy::Secret, with_items)
            }
            Reference::Item(name) => {
                let lists = operation.into_iter().flat_map(|operation| operation.input.iter());
                lists
                    .filter_map(|(_, list)| list.of.get(name.as_str()))
                    .map(|field| field.privacy)
                    .max()
                    .unwrap_or(Privacy::Plain)
            }
            Reference::Webhook(WebhookValue::Secret) => Privacy::Secret,
            _ => Privacy::Plain,
        };
        of.references().map(one).max().unwrap_or(Privacy::Plain)
    }
}

/// A list is handled as carefully as its items.
fn with_items(input: &Input) -> Privacy {
    input.of.iter().map(|(_, field)| field.privacy).fold(input.privacy, Privacy::max)
}

/// Whether a value stands in JSON as a number, though it is kept as text.
fn is_number(of: &manifest::Expression, operation: &Operation) -> bool {
    if matches!(of.through.last(), Some(Transformation::MajorUnits(_))) {
        return true;
    }
    let is_left = of.through.iter().all(|step| matches!(step, Transformation::OrElse(_)));
    let is_decimal = match &of.from {
        Reference::Input(name) => operation.input.get(name.as_str()).is_some_and(|input| input.kind == Kind::Decimal),
        Reference::Item(name) => operation
            .input
            .iter()
            .any(|(_, list)| list.of.get(name.as_str()).is_some_and(|field| field.kind == Kind::Decimal)),
        _ => false,
    };
    is_left && is_decimal
}

/// The function of `lib/provider/transformations.js`: the name of the transformation as JavaScript has it.
fn function_of(transformation: &Transformation) -> String {
    let name = transformation.to_string();
    camel_case(name.split('(').next().unwrap_or(&name))
}
