//! An operation as a function: how its request is made, and what its answers mean.

use super::expression::{Place, literals};
use super::{Members, Module, Written, beyond, each, member, number, text, texts};
use crate::node::script::{Expression, Script};
use crate::render::capitalised;
use manifest::kind::Privacy;
use manifest::operation::{Answered, Body, Effect, HttpRequest, Idempotency, IfReplyIsLost, Input, Operation, Request};
use manifest::outcome::{BodyTest, ErrorRule, Status, When};
use manifest::provider::AnswerFormat;
use vocab::FieldName;

impl Module<'_> {
    pub(super) fn operation(&mut self, name: &FieldName, operation: &Operation) -> Written<String> {
        let Request::Http(http) = &operation.request else {
            return beyond(format!("carry `{name}` out: it is no request of HTTP"));
        };
        if operation.batch.is_some() {
            return beyond(format!("tell how each item of `{name}` came out"));
        }
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
        let answer_within = operation
            .retry
            .as_ref()
            .map(|retry| Expression::Object(vec![("answerWithin".to_owned(), number(retry.answer_within_ms))]));
        members.maybe("retry", answer_within);
        self.writer.import("operation");
        let mut script = Script::new();
        script.line("");
        script.line(&format!("/** {}. */", capitalised(&operation.does)));
        let made = Expression::call("operation", [laid_open(members)]);
        script.statement(&format!("export const {} = ", self.functions[name.as_str()]), &made);
        Ok(script.into_text())
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
                Body::Xml(_) | Body::Bytes { .. } => return beyond("write a body of XML or of bytes"),
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
        AnswerFormat::Xml | AnswerFormat::Rows => beyond("read an answer of XML or of rows"),
    }
}

pub(super) fn when(when: &When) -> Written<Expression> {
    let mut members = Members::default();
    let status = |status: &Status| match status {
        Status::Exactly(number) => Expression::text(number.to_string()),
        Status::Hundred(_) => text(&status.to_string()),
    };
    let statuses = || Expression::Array(when.status.iter().map(status).collect());
    members.maybe("status", (!when.status.is_empty()).then(statuses));
    members.maybe("code", (!when.code.is_empty()).then(|| texts(&when.code)));
    let headers = || Expression::Object(when.header.iter().map(|(name, values)| member(name, texts(values))).collect());
    members.maybe("header", (!when.header.is_empty()).then(headers));
    members.maybe("body", (!when.body.is_empty()).then(|| tests(&when.body)).transpose()?);
    Ok(members.object())
}

/// Tests of a body.
pub(super) fn tests(list: &[BodyTest]) -> Written<Expression> {
    Ok(Expression::Array(list.iter().map(test).collect::<Written<_>>()?))
}

fn test(test: &BodyTest) -> Written<Expression> {
    let mut members = Members::default();
    members.add("at", text(&test.at.to_string()));
    members.maybe("some", test.some.then(|| Expression::text("true")));
    members.maybe("is", (!test.is.is_empty()).then(|| literals(&test.is).map(|list| texts(&list))).transpose()?);
    members.maybe(
        "isNot",
        (!test.is_not.is_empty()).then(|| literals(&test.is_not).map(|list| texts(&list))).transpose()?,
    );
    members.maybe("contains", test.contains.as_ref().map(|part| text(part)));
    members.maybe("atLeast", test.at_least.map(|least| Expression::text(least.to_string())));
    members.maybe("present", test.present.map(|present| Expression::text(present.to_string())));
    Ok(members.object())
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
        (Some(IfReplyIsLost::LookUp(_)), _) => {
            beyond(format!("ask whether `{name}` has happened when its answer is lost"))
        }
        (None, _) => Ok(None),
    }
}
