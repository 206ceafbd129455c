//! An operation as a function: how its request is made, and what its answers mean.

use super::expression::Place;
use super::provider::retry;
use super::{Members, Module, Written, beyond, each, member, number, text, texts};
use crate::node::script::{Expression, Script};
use crate::render::capitalised;
use manifest::kind::Privacy;
use manifest::operation::{
    Answered, Batch, BatchOutcome, Body, Effect, HttpRequest, Idempotency, IfReplyIsLost, Input, LookUp, NextPage,
    Operation, Paging, Request,
};
use manifest::outcome::{BodyTest, ErrorRule, Status, When};
use manifest::provider::AnswerFormat;
use manifest::{Pointer, Text};
use vocab::FieldName;

impl Module<'_> {
    pub(super) fn operation(&mut self, name: &FieldName, operation: &Operation) -> Written<String> {
        let Request::Http(http) = &operation.request else {
            return beyond(format!("carry `{name}` out: it is no request of HTTP"));
        };
        let mut members = Members::default();
        members.add("name", text(name.as_str()));
        members.add("effect", text(operation.effect.as_str()));
        members.add("method", text(http.method.as_str()));
        members.maybe("host", http.host.as_ref().map(|host| text(host.as_str())));
        members.maybe("authentication", operation.authentication.as_ref().map(|way| text(way.as_str())));
        members.maybe("input", (!operation.input.is_empty()).then(|| each(&operation.input, input)));
        members.add("request", self.request(http, operation)?);
        members.maybe("answers", operation.answers.map(format_of).transpose()?);
        members.maybe("answer", (!operation.answer.is_empty()).then(|| each(&operation.answer, answered)));
        members.maybe("successWhen", operation.success_when.as_ref().map(when).transpose()?);
        members.maybe("errors", (!operation.errors.is_empty()).then(|| rules(&operation.errors)).transpose()?);
        members.maybe("idempotency", operation.idempotency.as_ref().and_then(idempotency));
        members.maybe("ifReplyIsLost", if_lost(name, operation)?);
        if let Some(IfReplyIsLost::LookUp(look_up)) = &operation.if_reply_is_lost {
            members.add("lookUp", self.look_up(look_up)?);
        }
        members.maybe("batch", operation.batch.as_ref().map(batch).transpose()?);
        members.maybe("paging", operation.paging.as_ref().map(paging));
        members.maybe("retry", operation.retry.as_ref().map(retry));
        self.writer.import("operation");
        let mut script = Script::new();
        script.line("");
        script.line(&format!("/** {}. */", capitalised(&operation.does)));
        let made = Expression::call("operation", [laid_open(members)]);
        script.statement(&format!("export const {} = ", self.functions[name.as_str()]), &made);
        Ok(script.into_text())
    }

    /// How the provider is asked whether it has happened. What a test compares with may be an input of what was lost.
    fn look_up(&mut self, look_up: &LookUp) -> Written<Expression> {
        let mut members = Members::default();
        let Some(function) = self.functions.get(look_up.operation.as_str()) else {
            return beyond(format!("ask by `{}`, which is no operation of it", look_up.operation));
        };
        members.add("operation", Expression::arrow("()", Expression::text(function)));
        let input = self.writer.function(|writer| {
            let fields = look_up.input.iter();
            let fields = fields.map(|(name, value)| Ok((name.to_string(), writer.text(value, Place::Plain)?)));
            Ok(Expression::Object(fields.collect::<Written<_>>()?))
        });
        members.add("input", input?);
        let found = self.writer.function(|writer| {
            let mut filled = |of: &Text| writer.text(of, Place::Plain);
            when_filled(&look_up.found_when, &mut filled)
        });
        members.add("foundWhen", found?);
        Ok(members.object())
    }

    fn request(&mut self, http: &HttpRequest, operation: &Operation) -> Written<Expression> {
        let place = Place::Request(operation);
        self.writer.import("path");
        self.writer.function(|writer| {
            let mut members = Members::default();
            members.add("path", writer.tagged("path", &http.path, place)?);
            if !http.query.is_empty() {
                let query = http.query.iter().map(|(name, value)| Ok(member(name, writer.text(value, place)?)));
                members.add("query", Expression::Object(query.collect::<Written<_>>()?));
            }
            if !http.headers.is_empty() {
                let headers = http.headers.iter().map(|(name, value)| Ok(member(name, writer.text(value, place)?)));
                members.add("headers", Expression::Object(headers.collect::<Written<_>>()?));
            }
            let Some(body) = &http.body else { return Ok(members.object()) };
            let (encoding, template, place) = match body {
                Body::Json(template) => ("json", template, Place::Json(operation)),
                Body::JsonLines(template) => ("jsonLines", template, Place::Json(operation)),
                Body::FormNested(template) => ("formNested", template, place),
                Body::FormRepeated(template) => ("formRepeated", template, place),
                Body::FormJson { name, json, base64 } => {
                    writer.import("formJson");
                    let mut arguments = vec![text(name), writer.document(json, Place::Json(operation))?];
                    if *base64 {
                        arguments.push(Expression::Object(vec![("base64".to_owned(), Expression::text("true"))]));
                    }
                    members.add("body", Expression::call("formJson", arguments));
                    return Ok(members.object());
                }
                Body::Xml(document) => {
                    writer.import("xml");
                    members.add("body", writer.tagged("xml", document, place)?);
                    return Ok(members.object());
                }
                Body::Bytes { of, media_type } => {
                    writer.import("bytes");
                    let arguments = [writer.text(of, place)?, writer.text(media_type, place)?];
                    members.add("body", Expression::call("bytes", arguments));
                    return Ok(members.object());
                }
            };
            writer.import(encoding);
            members.add("body", Expression::call(encoding, [writer.document(template, place)?]));
            Ok(members.object())
        })
    }
}

/// The members of an operation stand one a line, however few they are.
fn laid_open(members: Members) -> Expression {
    Expression::Lines(members.0)
}

fn input(input: &Input) -> Expression {
    let mut members = Members::default();
    members.add("type", text(input.kind.as_str()));
    members.maybe("required", input.required.then(|| Expression::text("true")));
    members.maybe("max", input.max.map(number));
    members.maybe("choices", (!input.choices.is_empty()).then(|| texts(&input.choices)));
    members.maybe("of", (!input.of.is_empty()).then(|| each(&input.of, self::input)));
    members.object()
}

fn answered(field: &Answered) -> Expression {
    let mut members = Members::default();
    members.maybe("at", field.at.as_ref().map(|pointer| text(&pointer.to_string())));
    members.maybe("header", field.header.as_ref().map(|name| text(name)));
    members.add("type", text(field.kind.as_str()));
    members.maybe("privacy", (field.privacy != Privacy::Plain).then(|| text(field.privacy.as_str())));
    members.maybe("required", field.required.then(|| Expression::text("true")));
    members.object()
}

pub(super) fn format_of(format: AnswerFormat) -> Written<Expression> {
    match format {
        AnswerFormat::Json => Ok(text("json")),
        AnswerFormat::Form => Ok(text("form")),
        AnswerFormat::Text => Ok(text("text")),
        AnswerFormat::Xml => Ok(text("xml")),
        AnswerFormat::Rows => beyond("read an answer of rows"),
    }
}

pub(super) fn statuses(list: &[Status]) -> Expression {
    let status = |status: &Status| match status {
        Status::Exactly(number) => Expression::text(number.to_string()),
        Status::Hundred(_) => text(&status.to_string()),
    };
    Expression::Array(list.iter().map(status).collect())
}

/// What is written for a text of a test.
type Filled<'f> = &'f mut dyn FnMut(&Text) -> Written<Expression>;

pub(super) fn when(when: &When) -> Written<Expression> {
    when_filled(when, &mut literal)
}

fn when_filled(when: &When, filled: Filled<'_>) -> Written<Expression> {
    let mut members = Members::default();
    members.maybe("status", (!when.status.is_empty()).then(|| statuses(&when.status)));
    members.maybe("code", (!when.code.is_empty()).then(|| texts(&when.code)));
    let headers = || Expression::Object(when.header.iter().map(|(name, values)| member(name, texts(values))).collect());
    members.maybe("header", (!when.header.is_empty()).then(headers));
    let body = when.body.iter().map(|one| test(one, filled)).collect::<Written<Vec<_>>>()?;
    members.maybe("body", (!body.is_empty()).then_some(Expression::Array(body)));
    Ok(members.object())
}

/// Tests of a body.
pub(super) fn tests(list: &[BodyTest]) -> Written<Expression> {
    Ok(Expression::Array(list.iter().map(|one| test(one, &mut literal)).collect::<Written<_>>()?))
}

fn test(test: &BodyTest, filled: Filled<'_>) -> Written<Expression> {
    let mut members = Members::default();
    members.add("at", text(&test.at.to_string()));
    members.maybe("some", test.some.then(|| Expression::text("true")));
    for (name, list) in [("is", &test.is), ("isNot", &test.is_not)] {
        if !list.is_empty() {
            members.add(name, Expression::Array(list.iter().map(&mut *filled).collect::<Written<_>>()?));
        }
    }
    members.maybe("contains", test.contains.as_ref().map(|part| text(part)));
    members.maybe("atLeast", test.at_least.map(|least| Expression::text(least.to_string())));
    members.maybe("present", test.present.map(|present| Expression::text(present.to_string())));
    Ok(members.object())
}

/// A text in which nothing has to be filled in.
fn literal(of: &Text) -> Written<Expression> {
    match of.as_literal() {
        Some(literal) => Ok(text(literal)),
        None => beyond(format!("compare with `{of}`")),
    }
}

fn batch(batch: &Batch) -> Written<Expression> {
    let pointer = |pointer: &Pointer| text(&pointer.to_string());
    let mut of = Members::default();
    let kind = match &batch.outcome {
        BatchOutcome::Together => None,
        BatchOutcome::InOrder { at, success_when, code } => {
            of.add("at", pointer(at));
            of.add("successWhen", tests(success_when)?);
            of.maybe("code", code.as_ref().map(pointer));
            Some("inOrder")
        }
        BatchOutcome::ByName { at, name, item, message } => {
            of.add("at", pointer(at));
            of.add("name", pointer(name));
            of.add("item", text(item.as_str()));
            of.maybe("message", message.as_ref().map(pointer));
            Some("byName")
        }
        BatchOutcome::Failures { at, position, message } => {
            of.add("at", pointer(at));
            of.add("position", pointer(position));
            of.maybe("message", message.as_ref().map(pointer));
            Some("failures")
        }
    };
    let mut members = Members::default();
    members.add("list", text(batch.list.as_str()));
    members.add("outcome", Expression::Object(kind.map(|kind| (kind.to_owned(), of.object())).into_iter().collect()));
    Ok(members.object())
}

fn paging(paging: &Paging) -> Expression {
    let pointer = |pointer: &Pointer| text(&pointer.to_string());
    let mut of = Members::default();
    let (kind, next) = match &paging.next {
        NextPage::Cursor { at, more } => {
            of.add("at", pointer(at));
            of.maybe("more", more.as_ref().map(pointer));
            ("cursor", of.object())
        }
        NextPage::LastItem { at, more } => {
            of.add("at", pointer(at));
            of.add("more", pointer(more));
            ("lastItem", of.object())
        }
        NextPage::Address(at) => ("address", pointer(at)),
        NextPage::LinkHeader => ("linkHeader", Expression::text("true")),
        NextPage::Offset { page_size } => {
            of.add("pageSize", number(*page_size));
            ("offset", of.object())
        }
        NextPage::Number { first } => {
            of.add("first", number(*first));
            ("number", of.object())
        }
    };
    let mut members = Members::default();
    members.add("items", pointer(&paging.items));
    members.add("next", Expression::Object(vec![(kind.to_owned(), next)]));
    members.add("mostPages", number(paging.most_pages));
    members.object()
}

pub(super) fn rules(rules: &[ErrorRule]) -> Written<Expression> {
    let rule = |rule: &ErrorRule| {
        let mut members = Members::default();
        members.add("when", when(&rule.when)?);
        members.add("means", text(rule.means.as_str()));
        members.maybe("because", rule.because.as_ref().map(|why| text(why)));
        Ok(members.object())
    };
    Ok(Expression::Array(rules.iter().map(rule).collect::<Written<_>>()?))
}

fn idempotency(known: &Idempotency) -> Option<Expression> {
    match known {
        Idempotency::Key { max_length, kept_hours } => {
            let mut members = Members::default();
            members.add("keyMaxLength", number(*max_length));
            members.maybe("keptHours", kept_hours.map(number));
            Some(members.object())
        }
        Idempotency::Natural(_) | Idempotency::None(_) => None,
    }
}

fn if_lost(name: &FieldName, operation: &Operation) -> Written<Option<Expression>> {
    match (&operation.if_reply_is_lost, operation.effect) {
        (_, Effect::Link) => beyond(format!("make the address of `{name}`")),
        (Some(IfReplyIsLost::Repeat), _) => Ok(Some(text("repeat"))),
        (Some(IfReplyIsLost::Stop), _) => Ok(Some(text("stop"))),
        (Some(IfReplyIsLost::LookUp(_)) | None, _) => Ok(None),
    }
}
