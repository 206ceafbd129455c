//! What must hold in `operations.yaml`.

use super::place::{At, Findings, ManifestFile, Rule};
use super::provider;
use super::scope::{Scope, lists, names, not_below, required, texts};
use crate::kind::{Kind, Privacy};
use crate::operation::{
    BatchOutcome, Body, Effect, HttpRequest, Idempotency, IfReplyIsLost, Input, LookUp, Method, NextPage, Operation,
    Request,
};
use crate::reference::{DeliveryValue, Reference};
use crate::template::{Template, Text};
use crate::{Entries, Manifest};
use vocab::FieldName;

pub(super) fn check(manifest: &Manifest, findings: &mut Findings) {
    let file = At::file(ManifestFile::Operations);
    for (name, operation) in manifest.operations.iter() {
        let at = file.to(name);
        inputs(&at.to("input"), &operation.input, findings);
        sent(manifest, &at, operation, findings);
        goes_somewhere(&at.to("input"), operation, findings);
        answer(&at, operation, findings);
        repetition(manifest, &at, operation, findings);
        many(manifest, &at, operation, findings);
        let tested = Scope::new(manifest, "in a test of an answer").with_input(&operation.input);
        for (number, rule) in operation.errors.iter().enumerate() {
            let place = at.to("errors").to(number).to("when");
            provider::when(&place, &rule.when, &manifest.provider.errors, &tested, findings);
        }
        if let Some(good) = &operation.success_when {
            provider::when(&at.to("success_when"), good, &manifest.provider.errors, &tested, findings);
        }
        for (number, rate) in operation.rates.iter().enumerate() {
            let place = at.to("rates").to(number);
            findings.must_be_known(&place, "rate", rate.as_str(), &manifest.provider.rates.names());
        }
    }
}

pub(super) fn inputs(at: &At, inputs: &Entries<FieldName, Input>, findings: &mut Findings) {
    for (name, input) in inputs.iter() {
        let place = at.to(name);
        if input.privacy == Privacy::Card {
            let message = format!("`{name}` would be kept until it is delivered, and what pays is never kept");
            findings.add(&place.to("privacy"), Rule::Privacy, message, "take what the provider gives in its place");
        }
        match (input.kind, input.of.is_empty()) {
            (Kind::List, true) => {
                let help = "add `of: { name: { type: text, privacy: plain } }`";
                findings.add(&place, Rule::Contradiction, "nothing says what an item of the list holds", help);
            }
            (Kind::List, false) => self::inputs(&place.to("of"), &input.of, findings),
            (_, false) => findings.add(&place.to("of"), Rule::Contradiction, "only a list has items", "leave it out"),
            (_, true) => {}
        }
    }
}

/// Every text of what is sent, and every list it goes through.
fn parts(request: &Request) -> (Vec<&Text>, Vec<&Reference>) {
    match request {
        Request::Command(words) => (words.iter().collect(), Vec::new()),
        Request::Rows(rows) => {
            (std::iter::once(&rows.table).chain(rows.values.iter().map(|(_, value)| value)).collect(), Vec::new())
        }
        Request::Http(http) => {
            let mut all: Vec<&Text> = vec![&http.path];
            all.extend(http.query.iter().chain(http.headers.iter()).map(|(_, value)| value));
            let document = match &http.body {
                None => None,
                Some(Body::Xml(text)) => {
                    all.push(text);
                    None
                }
                Some(Body::Bytes { of, media_type }) => {
                    all.extend([of, media_type]);
                    None
                }
                Some(
                    Body::Json(document)
                    | Body::JsonLines(document)
                    | Body::FormNested(document)
                    | Body::FormRepeated(document)
                    | Body::FormJson { json: document, .. },
                ) => Some(document),
            };
            all.extend(document.into_iter().flat_map(texts));
            (all, document.into_iter().flat_map(lists).collect())
        }
    }
}

fn sent(manifest: &Manifest, at: &At, operation: &Operation, findings: &mut Findings) {
    let scope = Scope::new(manifest, "in a request").with_account().with_token().with_site().with_webhook();
    let mut scope = scope.with_input(&operation.input);
    if operation.effect.changes() {
        scope = scope.with_delivery();
    }
    if operation.paging.is_some() {
        scope = scope.with_page();
    }
    let at_request = at.to("request");
    match &operation.request {
        Request::Command(words) => {
            for (number, word) in words.iter().enumerate() {
                scope.text(&at_request.to("command").to(number), word, findings);
            }
        }
        Request::Rows(rows) => {
            let place = at_request.to("rows");
            scope.text(&place.to("table"), &rows.table, findings);
            for (name, value) in rows.values.iter() {
                scope.text(&place.to("values").to(name), value, findings);
            }
        }
        Request::Http(http) => http_request(manifest, &at_request.to("http"), http, &scope, findings),
    }
    if let Some(way) = &operation.authentication {
        let known = manifest.provider.authentication.names();
        findings.must_be_known(&at.to("authentication"), "way of authentication", way.as_str(), &known);
    }
}

fn http_request(manifest: &Manifest, at: &At, http: &HttpRequest, scope: &Scope<'_>, findings: &mut Findings) {
    if let Some(host) = &http.host {
        findings.must_be_known(&at.to("host"), "host", host.as_str(), &manifest.provider.hosts.names());
    }
    let path = http.path.to_string();
    if !(path.is_empty() || path.starts_with('/') || path.starts_with("${")) {
        let message = format!("`{path}` is no path behind a host");
        findings.add(&at.to("path"), Rule::Contradiction, message, format!("write `/{path}`"));
    }
    if path.contains('?') {
        let message = "parameters of the address do not stand in its path";
        findings.add(&at.to("path"), Rule::Contradiction, message, "write them under `query`");
    }
    scope.text(&at.to("path"), &http.path, findings);
    for (member, texts) in [("query", &http.query), ("headers", &http.headers)] {
        for (name, value) in texts.iter() {
            scope.text(&at.to(member).to(name), value, findings);
        }
    }
    let Some(body) = &http.body else { return };
    if matches!(http.method, Method::Get | Method::Head) {
        let message = format!("a `{}` request has no body", http.method.as_str());
        findings.add(&at.to("body"), Rule::Contradiction, message, "write its members under `query`");
    }
    let place = at.to("body");
    let document = |member: &str, template: &Template, findings: &mut Findings| {
        scope.template(&place.to(member), template, findings);
    };
    match body {
        Body::Json(template) => document("json", template, findings),
        Body::JsonLines(template) => document("json_lines", template, findings),
        Body::FormNested(template) => document("form_nested", template, findings),
        Body::FormRepeated(template) => document("form_repeated", template, findings),
        Body::FormJson { json, .. } => {
            scope.template(&place.to("form_json").to("json"), json, findings);
        }
        Body::Xml(text) => {
            scope.text(&place.to("xml"), text, findings);
        }
        Body::Bytes { of, media_type } => {
            scope.text(&place.to("bytes").to("of"), of, findings);
            scope.text(&place.to("bytes").to("media_type"), media_type, findings);
        }
    }
    let is_form = matches!(body, Body::FormNested(_) | Body::FormRepeated(_));
    if is_form && !matches!(body, Body::FormNested(Template::Fields(_)) | Body::FormRepeated(Template::Fields(_))) {
        findings.add(&place, Rule::Contradiction, "a form is a block of names", "write `name: value` under it");
    }
}

/// An input that nothing is made of is a mistake, or a relic.
fn goes_somewhere(at: &At, operation: &Operation, findings: &mut Findings) {
    let (texts, lists) = parts(&operation.request);
    for (name, _) in operation.input.iter() {
        let is_named = |reference: &Reference| matches!(reference, Reference::Input(named) if named == name);
        if !texts.iter().any(|text| names(text, is_named)) && !lists.iter().any(|list| is_named(list)) {
            let message = format!("nothing of the request is made of `{name}`");
            findings.add(
                &at.to(name),
                Rule::Contradiction,
                message,
                format!("use it: `${{input.{name}}}`, or leave it out"),
            );
        }
    }
}

fn answer(at: &At, operation: &Operation, findings: &mut Findings) {
    for (name, field) in operation.answer.iter() {
        let place = at.to("answer").to(name);
        if field.at.is_some() == field.header.is_some() {
            let help = "write `at: /data/id` or `header: X-Message-Id`";
            findings.add(&place, Rule::Contradiction, "a value stands in the body or in a header", help);
        }
    }
}

/// What is done so that nothing happens twice.
fn repetition(manifest: &Manifest, at: &At, operation: &Operation, findings: &mut Findings) {
    let (texts, _) = parts(&operation.request);
    let uses_key =
        texts.iter().any(|text| names(text, |reference| matches!(reference, Reference::Delivery(DeliveryValue::Key))));
    let (idempotency, lost) = (&operation.idempotency, &operation.if_reply_is_lost);
    if !operation.effect.changes() {
        for (member, is_there) in [("idempotency", idempotency.is_some()), ("if_reply_is_lost", lost.is_some())] {
            if is_there {
                let message = "nothing changes, so it can be repeated at any time";
                findings.add(&at.to(member), Rule::Contradiction, message, "leave it out");
            }
        }
        return;
    }
    match idempotency {
        None => {
            let help = "add `idempotency` with `key`, `natural` or `none`";
            findings.add(at, Rule::Contradiction, "nothing says what makes a repetition harmless", help);
        }
        Some(Idempotency::Key { .. }) if !uses_key => {
            let message = "the request does not hold the key";
            let help = "write `${delivery.key}` where the provider looks for it";
            findings.add(&at.to("idempotency"), Rule::Contradiction, message, help);
        }
        Some(Idempotency::Natural(_) | Idempotency::None(_)) if uses_key => {
            let message = "the request holds `${delivery.key}`, and this says that the provider knows no key";
            findings.add(&at.to("idempotency"), Rule::Contradiction, message, "write `key: { max_length: 255 }`");
        }
        Some(Idempotency::None(_)) if *lost == Some(IfReplyIsLost::Repeat) => {
            let message = "it would happen twice";
            let help = "write `stop`, or `look_up` with the operation that tells whether it has happened";
            findings.add(&at.to("if_reply_is_lost"), Rule::Contradiction, message, help);
        }
        Some(_) => {}
    }
    match lost {
        None => {
            let help = "add `if_reply_is_lost: repeat`, `stop`, or `look_up`";
            findings.add(at, Rule::Contradiction, "nothing says what is done when a reply is lost", help);
        }
        Some(IfReplyIsLost::LookUp(look_up)) => {
            looked_up(manifest, &at.to("if_reply_is_lost").to("look_up"), operation, look_up, findings);
        }
        Some(IfReplyIsLost::Repeat | IfReplyIsLost::Stop) => {}
    }
}

fn looked_up(manifest: &Manifest, at: &At, lost: &Operation, look_up: &LookUp, findings: &mut Findings) {
    let known = manifest.operations.names();
    let scope = Scope::new(manifest, "here").with_account().with_input(&lost.input).with_delivery().with_webhook();
    provider::when(&at.to("found_when"), &look_up.found_when, &manifest.provider.errors, &scope, findings);
    if !findings.must_be_known(&at.to("operation"), "operation", look_up.operation.as_str(), &known) {
        return;
    }
    let Some(asked) = manifest.operations.get(look_up.operation.as_str()) else { return };
    if asked.effect != Effect::Read {
        let message = format!("`{}` changes something", look_up.operation);
        findings.add(&at.to("operation"), Rule::Contradiction, message, "name an operation with `effect: read`");
    }
    for (name, value) in look_up.input.iter() {
        let place = at.to("input").to(name);
        let what = format!("input of `{}`", look_up.operation);
        if findings.must_be_known(&place, &what, name.as_str(), &asked.input.names())
            && let Some(input) = asked.input.get(name.as_str())
        {
            let given = scope.text_of(&place, value, input.kind, findings);
            not_below(&place, name.as_str(), given.privacy, input.privacy, findings);
        }
    }
    required(at, &format!("`{}`", look_up.operation), &asked.input, &look_up.input.names(), findings);
}

/// Batches and pages.
fn many(manifest: &Manifest, at: &At, operation: &Operation, findings: &mut Findings) {
    if let Some(batch) = &operation.batch {
        let place = at.to("batch");
        let lists: Vec<&str> = operation
            .input
            .iter()
            .filter(|(_, input)| input.kind == Kind::List)
            .map(|(name, _)| name.as_str())
            .collect();
        findings.must_be_known(&place.to("list"), "list of the input", batch.list.as_str(), &lists);
        if batch.most == 0 {
            findings.add(
                &place.to("most"),
                Rule::Contradiction,
                "nothing goes into the batch",
                "give it a number above 0",
            );
        }
        if let BatchOutcome::InOrder { success_when, .. } = &batch.outcome {
            let scope = Scope::new(manifest, "in a test of an item");
            provider::tests(&place.to("outcome").to("in_order").to("success_when"), success_when, &scope, findings);
        }
        if let BatchOutcome::ByName { item, .. } = &batch.outcome {
            let fields = operation.input.get(batch.list.as_str()).map(|list| list.of.names()).unwrap_or_default();
            let place = place.to("outcome").to("by_name").to("item");
            findings.must_be_known(&place, "field of the items", item.as_str(), &fields);
        }
    }
    let (texts, _) = parts(&operation.request);
    let uses_next = texts.iter().any(|text| names(text, |reference| *reference == Reference::NextPage));
    if let Some(paging) = &operation.paging {
        let place = at.to("paging");
        let leads_itself = matches!(paging.next, NextPage::Address(_) | NextPage::LinkHeader);
        if uses_next == leads_itself {
            let (message, help) = match leads_itself {
                true => {
                    ("the answer holds the whole address of the next page", "take `${page.next}` out of the request")
                }
                false => ("nothing in the request leads to the next page", "write `${page.next}` where it belongs"),
            };
            findings.add(&place.to("next"), Rule::Contradiction, message, help);
        }
        if paging.most_pages == 0 {
            findings.add(&place.to("most_pages"), Rule::Contradiction, "no page is read", "give it a number above 0");
        }
        if operation.effect != Effect::Read {
            findings.add(&place, Rule::Contradiction, "only what is read has pages", "leave it out");
        }
    }
}
