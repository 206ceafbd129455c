//! What can be named in a place: each `${...}` is looked up here, and what it holds is said.

use super::place::{At, Findings, Rule, meant};
use crate::entries::{Entries, Key};
use crate::kind::{Kind, Privacy};
use crate::operation::{Answered, Input};
use crate::reference::{DeliveryValue, MadeValue, Reference, WebhookValue};
use crate::template::{Expression, Part, Template, Text};
use crate::transformation::{CannotTake, Transformation};
use crate::{Manifest, authentication::Authentication};
use std::sync::LazyLock;
use vocab::FieldName;

/// What an item of `webhook.kinds` holds.
static KINDS: LazyLock<Entries<FieldName, Input>> = LazyLock::new(|| {
    let kind = Input {
        kind: Kind::Text,
        privacy: Privacy::Plain,
        required: true,
        max: None,
        choices: Vec::new(),
        of: Entries::default(),
    };
    FieldName::parse("kind").into_iter().map(|name| (name, kind.clone())).collect()
});

/// What a value is known to be. No kind: nobody knows before it is there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    pub kind: Option<Kind>,
    pub privacy: Privacy,
}

/// What can be named in a place.
#[derive(Clone)]
pub(super) struct Scope<'m> {
    manifest: &'m Manifest,
    /// Where the place is, as the message says it.
    place: &'static str,
    account: bool,
    host: bool,
    token: bool,
    site: bool,
    delivery: bool,
    page: bool,
    webhook: bool,
    body: bool,
    simulated: bool,
    remembered: bool,
    input: Option<&'m Entries<FieldName, Input>>,
    event: Option<&'m Entries<FieldName, Input>>,
    item: Option<&'m Entries<FieldName, Input>>,
    /// Whether items are of a list whose fields nobody declares: what a simulated provider was sent.
    any_item: bool,
    /// Whether there are earlier steps.
    steps: bool,
    answers: Vec<(&'m FieldName, &'m Entries<FieldName, Answered>)>,
    path: Vec<String>,
}

impl<'m> Scope<'m> {
    /// Nothing but values of the manifest itself.
    pub fn new(manifest: &'m Manifest, place: &'static str) -> Self {
        Self {
            manifest,
            place,
            account: false,
            host: false,
            token: false,
            site: false,
            delivery: false,
            page: false,
            webhook: false,
            body: false,
            simulated: false,
            remembered: false,
            input: None,
            event: None,
            item: None,
            any_item: false,
            steps: false,
            answers: Vec::new(),
            path: Vec::new(),
        }
    }

    /// Credentials and settings too.
    pub fn with_account(mut self) -> Self {
        self.account = true;
        self
    }

    /// What came with the access token too.
    pub fn with_token(mut self) -> Self {
        self.token = true;
        self
    }

    /// Hosts of the provider too.
    pub fn with_host(mut self) -> Self {
        self.host = true;
        self
    }

    pub fn with_site(mut self) -> Self {
        self.site = true;
        self
    }

    pub fn with_delivery(mut self) -> Self {
        self.delivery = true;
        self
    }

    pub fn with_page(mut self) -> Self {
        self.page = true;
        self
    }

    pub fn with_webhook(mut self) -> Self {
        self.webhook = true;
        self
    }

    /// What a provider sends.
    pub fn with_body(mut self) -> Self {
        self.body = true;
        self
    }

    pub fn with_remembered(mut self) -> Self {
        self.remembered = true;
        self
    }

    /// What a simulated provider knows.
    pub fn simulated(mut self, path: Vec<String>) -> Self {
        (self.simulated, self.body, self.site, self.path) = (true, true, true, path);
        self
    }

    pub fn with_input(mut self, input: &'m Entries<FieldName, Input>) -> Self {
        self.input = Some(input);
        self
    }

    pub fn with_event(mut self, event: &'m Entries<FieldName, Input>) -> Self {
        self.event = Some(event);
        self.with_steps()
    }

    /// What earlier steps were answered too.
    pub fn with_steps(mut self) -> Self {
        self.steps = true;
        self
    }

    pub fn with_answer(&mut self, step: &'m FieldName, answer: &'m Entries<FieldName, Answered>) {
        self.answers.push((step, answer));
    }

    fn with_item(&self, item: &'m Entries<FieldName, Input>) -> Self {
        Self { item: Some(item), ..self.clone() }
    }

    /// The fields of the items of a list.
    pub fn items(&self, list: &Reference) -> Option<&'m Entries<FieldName, Input>> {
        let (fields, name) = match list {
            Reference::Input(name) => (self.input?, name),
            Reference::Event(name) => (self.event?, name),
            Reference::Item(name) => (self.item?, name),
            Reference::Webhook(WebhookValue::Kinds) if self.webhook => return Some(&KINDS),
            _ => return None,
        };
        fields.get(name.as_str()).filter(|field| field.kind == Kind::List).map(|field| &field.of)
    }

    /// Whether it may be a list, and nobody knows of what: a part of what a simulated provider was sent or keeps.
    fn is_undeclared_list(&self, list: &Reference) -> bool {
        match list {
            Reference::Body(_) | Reference::Object(_) => self.simulated,
            Reference::Item(_) => self.any_item,
            _ => false,
        }
    }

    /// Checks every value of a text, and says how carefully it is to be handled.
    pub fn text(&self, at: &At, text: &Text, findings: &mut Findings) -> Known {
        let is_alone = text.as_expression().is_some();
        let mut privacy = Privacy::Plain;
        let is_address = |part: &Part| matches!(part, Part::Literal(text) if text.contains("://"));
        let mut kind = Some(if text.parts().first().is_some_and(is_address) { Kind::Url } else { Kind::Text });
        for (number, expression) in text.expressions().enumerate() {
            let known = self.expression(at, expression, findings);
            let begins = number == 0 && matches!(text.parts().first(), Some(Part::Value(_)));
            if begins && known.kind == Some(Kind::Url) {
                kind = Some(Kind::Url);
            }
            privacy = privacy.max(known.privacy);
            if is_alone {
                kind = known.kind;
            } else if let Some(part) = known.kind.filter(|kind| !kind.is_scalar()) {
                let message = format!("`{expression}` is a {}, which cannot stand inside of a text", part.as_str());
                findings.add(at, Rule::Kind, message, "write `| json_text` behind it, or let it stand alone");
            }
        }
        Known { kind, privacy }
    }

    /// The same, for a text that must be of a kind.
    pub fn text_of(&self, at: &At, text: &Text, wanted: Kind, findings: &mut Findings) -> Known {
        let known = self.text(at, text, findings);
        if let Some(kind) = known.kind.filter(|kind| !kind.fits(wanted)) {
            let is_read = text.as_literal().is_some_and(|literal| reads_as(literal, wanted));
            if !is_read {
                let message = format!("`{text}` is {}, and {} is asked for", article(kind), article(wanted));
                findings.add(at, Rule::Kind, message, "give another value, or turn it into one with `|`");
            }
        }
        known
    }

    fn expression(&self, at: &At, expression: &Expression, findings: &mut Findings) -> Known {
        let mut known = Known { kind: None, privacy: Privacy::Plain };
        for reference in expression.references() {
            match self.find(reference) {
                Ok(found) => {
                    known.privacy = known.privacy.max(found.privacy);
                    if reference == &expression.from {
                        known.kind = found.kind;
                    }
                }
                Err((message, help)) => findings.add(at, Rule::Reference, message, help),
            }
        }
        for transformation in &expression.through {
            let counts_money = matches!(transformation, Transformation::MinorUnits(_) | Transformation::MajorUnits(_));
            if counts_money && self.manifest.provider.currencies.is_none() {
                let help = "add `currencies` to `provider.yaml`";
                findings.add(at, Rule::Contradiction, "nothing says how the provider counts money", help);
            }
            match transformation.gives(known.kind) {
                Ok(kind) => known.kind = kind,
                Err(CannotTake) => {
                    let taken = known.kind.map_or("this", Kind::as_str);
                    let message = format!("`{transformation}` takes no {taken}");
                    findings.add(at, Rule::Kind, message, format!("look at what `{}` is", expression.from));
                    return Known { kind: None, ..known };
                }
            }
        }
        known
    }

    /// Checks every value of a document, and says how carefully it is to be handled.
    pub fn template(&self, at: &At, template: &Template, findings: &mut Findings) -> Privacy {
        match template {
            Template::Null | Template::Boolean(_) | Template::Number(_) => Privacy::Plain,
            Template::Text(text) => self.text(at, text, findings).privacy,
            Template::List(items) => {
                let of = |(number, item): (usize, &Template)| self.template(&at.to(number), item, findings);
                items.iter().enumerate().map(of).max().unwrap_or(Privacy::Plain)
            }
            Template::Fields(fields) => {
                let of = |(name, value): (&String, &Template)| self.template(&at.to(name), value, findings);
                fields.iter().map(of).max().unwrap_or(Privacy::Plain)
            }
            Template::Each { list, item } => {
                let place = at.to(crate::template::AS);
                match self.items(list) {
                    Some(fields) => self.with_item(fields).template(&place, item, findings),
                    None if self.is_undeclared_list(list) => {
                        Self { any_item: true, ..self.clone() }.template(&place, item, findings)
                    }
                    None => {
                        self.no_list(&at.to(crate::template::EACH), list, findings);
                        Privacy::Plain
                    }
                }
            }
        }
    }

    pub fn no_list(&self, at: &At, list: &Reference, findings: &mut Findings) {
        match self.find(list) {
            Ok(_) => findings.add(at, Rule::Kind, format!("`{list}` is no list"), "name one: `input.items`"),
            Err((message, help)) => findings.add(at, Rule::Reference, message, help),
        }
    }

    /// Checks a document that becomes an input.
    pub fn given(&self, at: &At, template: &Template, input: &Input, findings: &mut Findings) -> Privacy {
        match template {
            Template::Text(text) => match text.as_expression().filter(|alone| alone.through.is_empty()) {
                Some(alone) if input.kind == Kind::List => self.whole_list(at, &alone.from, input, findings),
                _ => self.text_of(at, text, input.kind, findings).privacy,
            },
            Template::Each { list, item } if input.kind == Kind::List => match self.items(list) {
                Some(fields) => self.with_item(fields).item(&at.to(crate::template::AS), item, &input.of, findings),
                None => {
                    self.no_list(&at.to(crate::template::EACH), list, findings);
                    Privacy::Plain
                }
            },
            Template::List(items) if input.kind == Kind::List => {
                let of = |(number, item): (usize, &Template)| self.item(&at.to(number), item, &input.of, findings);
                items.iter().enumerate().map(of).max().unwrap_or(Privacy::Plain)
            }
            other => {
                let fits = match other {
                    Template::Null => !input.required,
                    Template::Boolean(_) => Kind::Boolean.fits(input.kind),
                    Template::Number(_) => Kind::Integer.fits(input.kind),
                    Template::Text(_) | Template::List(_) | Template::Fields(_) | Template::Each { .. } => {
                        input.kind == Kind::Json
                    }
                };
                if !fits {
                    let message = format!("{} is asked for", article(input.kind));
                    findings.add(at, Rule::Kind, message, "give a value of that kind");
                }
                self.template(at, other, findings)
            }
        }
    }

    /// An item of a list that is given.
    fn item(&self, at: &At, item: &Template, fields: &Entries<FieldName, Input>, findings: &mut Findings) -> Privacy {
        let Template::Fields(given) = item else {
            findings.add(at, Rule::Kind, "an item is a block of fields", "write `name: ${item.name}`");
            return Privacy::Plain;
        };
        let mut privacy = Privacy::Plain;
        for (name, value) in given.iter() {
            if findings.must_be_known(&at.to(name), "field of the item", name, &fields.names())
                && let Some(field) = fields.get(name)
            {
                let found = self.given(&at.to(name), value, field, findings);
                not_below(&at.to(name), name, found, field.privacy, findings);
                privacy = privacy.max(found);
            }
        }
        required(at, "the item", fields, &given.names(), findings);
        privacy
    }

    /// A list that is handed on as it is: what its items must have, they have.
    fn whole_list(&self, at: &At, list: &Reference, input: &Input, findings: &mut Findings) -> Privacy {
        let Some(fields) = self.items(list) else {
            self.no_list(at, list, findings);
            return Privacy::Plain;
        };
        for (name, wanted) in input.of.iter() {
            match fields.get(name.as_str()) {
                Some(field) if !field.kind.fits(wanted.kind) => {
                    let (has, asks) = (article(field.kind), article(wanted.kind));
                    let message = format!("`{name}` of the items is {has}, and {asks} is asked for");
                    findings.add(at, Rule::Kind, message, "write each item with `$each` and `$as`");
                }
                Some(field) => not_below(at, name.as_str(), field.privacy, wanted.privacy, findings),
                None if wanted.required => {
                    let message = format!("the items of `{list}` have no `{name}`");
                    findings.add(at, Rule::Name, message, "write each item with `$each` and `$as`");
                }
                None => {}
            }
        }
        fields.iter().map(|(_, field)| field.privacy).max().unwrap_or(Privacy::Plain)
    }

    /// What a reference names, or what is wrong with it and what to do.
    pub fn find(&self, reference: &Reference) -> Result<Known, (String, String)> {
        let plain = |kind| Ok(Known { kind: Some(kind), privacy: Privacy::Plain });
        let secret = Ok(Known { kind: Some(Kind::Text), privacy: Privacy::Secret });
        let unknown = Ok(Known { kind: None, privacy: Privacy::Plain });
        match reference {
            Reference::Credential(name) if self.account => {
                let known = found(reference, name, &self.manifest.provider.credentials)?;
                let privacy = if known.secret { Privacy::Secret } else { Privacy::Plain };
                Ok(Known { kind: Some(Kind::Text), privacy })
            }
            Reference::Setting(name) if self.account => {
                plain(found(reference, name, &self.manifest.provider.settings)?.kind)
            }
            Reference::Value(name) => {
                found(reference, name, &self.manifest.provider.values)?;
                plain(Kind::Text)
            }
            Reference::Host(name) if self.host => {
                found(reference, name, &self.manifest.provider.hosts)?;
                plain(Kind::Url)
            }
            Reference::Token(name) if self.token => {
                let kept = self.manifest.provider.authentication.iter().filter_map(|(_, way)| match way {
                    Authentication::Oauth2(way) => Some(way.token.keep.names()),
                    _ => None,
                });
                let kept: Vec<&str> = kept.flatten().collect();
                if kept.contains(&name.as_str()) {
                    plain(Kind::Text)
                } else {
                    Err((
                        format!("there is no `{reference}`"),
                        format!("`keep` of a token: {}", meant(name.as_str(), &kept)),
                    ))
                }
            }
            Reference::Input(name) if self.input.is_some() => field(reference, name, self.input),
            Reference::Event(name) if self.event.is_some() => field(reference, name, self.event),
            Reference::Item(name) if self.item.is_some() => field(reference, name, self.item),
            Reference::Item(_) if self.any_item => unknown,
            Reference::Answer(step, name) if self.steps => self.answer(reference, step, name),
            Reference::Remembered(name) if self.remembered => {
                let known = found(reference, name, &self.manifest.points.remembers)?;
                Ok(Known { kind: Some(known.kind), privacy: known.privacy })
            }
            Reference::Delivery(DeliveryValue::Id | DeliveryValue::Key) if self.delivery => plain(Kind::Text),
            Reference::Delivery(DeliveryValue::Time) if self.delivery => plain(Kind::Timestamp),
            Reference::Delivery(DeliveryValue::Event) if self.delivery && self.event.is_some() => plain(Kind::Text),
            Reference::NextPage if self.page => unknown,
            Reference::Webhook(WebhookValue::Url) if self.webhook => plain(Kind::Url),
            Reference::Webhook(WebhookValue::Id) if self.webhook => plain(Kind::Text),
            Reference::Webhook(WebhookValue::Kinds) if self.webhook => plain(Kind::List),
            Reference::Webhook(WebhookValue::Secret) if self.webhook => secret,
            Reference::Site if self.site => plain(Kind::Url),
            Reference::Body(_) if self.body => unknown,
            Reference::Header(_) if self.body => plain(Kind::Text),
            Reference::Made(MadeValue::Id | MadeValue::Kind) if self.simulated => plain(Kind::Text),
            Reference::Made(MadeValue::Secret) if self.simulated => secret,
            Reference::Made(MadeValue::Time) if self.simulated => plain(Kind::Integer),
            Reference::Made(MadeValue::List | MadeValue::Refused) | Reference::MadeObject(_) | Reference::Object(_)
                if self.simulated =>
            {
                unknown
            }
            Reference::ProblemPlace if self.simulated => plain(Kind::Text),
            Reference::Path(name) if self.simulated => {
                let known: Vec<&str> = self.path.iter().map(String::as_str).collect();
                match known.contains(&name.as_str()) {
                    true => plain(Kind::Text),
                    false => Err((format!("there is no `{reference}`"), meant(name.as_str(), &known))),
                }
            }
            Reference::Credential(_)
            | Reference::Setting(_)
            | Reference::Host(_)
            | Reference::Token(_)
            | Reference::Input(_)
            | Reference::Event(_)
            | Reference::Item(_)
            | Reference::Answer(..)
            | Reference::Remembered(_)
            | Reference::Fields
            | Reference::Delivery(_)
            | Reference::NextPage
            | Reference::Webhook(_)
            | Reference::Site
            | Reference::Body(_)
            | Reference::Header(_)
            | Reference::Made(_)
            | Reference::MadeObject(_)
            | Reference::Object(_)
            | Reference::ProblemPlace
            | Reference::Path(_) => {
                Err((format!("`{reference}` is not known {}", self.place), format!("there is {}", self.roots())))
            }
        }
    }

    fn answer(&self, reference: &Reference, step: &FieldName, name: &FieldName) -> Result<Known, (String, String)> {
        let steps: Vec<&str> = self.answers.iter().map(|(step, _)| step.as_str()).collect();
        let Some((_, answer)) = self.answers.iter().find(|(known, _)| *known == step) else {
            return Err((format!("no earlier step is called `{step}`"), meant(step.as_str(), &steps)));
        };
        let known = found(reference, name, answer)?;
        Ok(Known { kind: Some(known.kind), privacy: known.privacy })
    }

    fn roots(&self) -> String {
        let there = [
            (self.account, "`credential.NAME`, `setting.NAME`"),
            (true, "`value.NAME`"),
            (self.host, "`host.NAME`"),
            (self.token, "`token.NAME`"),
            (self.input.is_some(), "`input.NAME`"),
            (self.event.is_some(), "`event.NAME`"),
            (self.steps, "`answer.STEP.NAME`"),
            (self.item.is_some(), "`item.NAME`"),
            (self.remembered, "`remembered.NAME`"),
            (self.delivery, "`delivery.id`, `delivery.key`, `delivery.time`"),
            (self.page, "`page.next`"),
            (self.webhook, "`webhook.url`, `webhook.id`, `webhook.secret`, `webhook.kinds`"),
            (self.site, "`site.url`"),
            (self.body, "`body/PATH`, `header.NAME`"),
            (self.simulated, "`object/PATH`, `made.id`, `path.NAME`"),
        ];
        there.iter().filter(|(is_there, _)| *is_there).map(|(_, words)| *words).collect::<Vec<_>>().join(", ")
    }
}

/// A value must not be handled less carefully where it goes than where it comes from.
pub(super) fn not_below(at: &At, name: &str, from: Privacy, to: Privacy, findings: &mut Findings) {
    if from > to {
        let message = format!("`{name}` is `{}`, and what it is given is `{}`", to.as_str(), from.as_str());
        findings.add(at, Rule::Privacy, message, format!("declare `{name}` with `privacy: {}`", from.as_str()));
    }
}

/// Fields that must be given are given.
pub(super) fn required(
    at: &At,
    what: &str,
    fields: &Entries<FieldName, Input>,
    given: &[&str],
    findings: &mut Findings,
) {
    for (name, _) in fields.iter().filter(|(name, field)| field.required && !given.contains(&name.as_str())) {
        findings.add(at, Rule::Name, format!("{what} needs `{name}`"), format!("add `{name}: ...`"));
    }
}

fn field(
    reference: &Reference,
    name: &FieldName,
    fields: Option<&Entries<FieldName, Input>>,
) -> Result<Known, (String, String)> {
    let empty = Entries::default();
    let known = found(reference, name, fields.unwrap_or(&empty))?;
    Ok(Known { kind: Some(known.kind), privacy: known.privacy })
}

fn found<'e, K: Key, V>(
    reference: &Reference,
    name: &FieldName,
    known: &'e Entries<K, V>,
) -> Result<&'e V, (String, String)> {
    let help = || meant(name.as_str(), &known.names());
    known.get(name.as_str()).ok_or_else(|| (format!("there is no `{reference}`"), help()))
}

/// Whether a text that stands there as it is can be read as a value of the kind.
fn reads_as(literal: &str, kind: Kind) -> bool {
    match kind {
        Kind::Text | Kind::Json => true,
        Kind::Url => literal.contains("://"),
        Kind::Email => literal.contains('@'),
        Kind::Currency => literal.len() == 3,
        Kind::Country => literal.len() == 2,
        Kind::Integer => literal.parse::<i64>().is_ok(),
        Kind::Decimal => literal.parse::<f64>().is_ok_and(f64::is_finite),
        Kind::Boolean => matches!(literal, "true" | "false"),
        Kind::Phone | Kind::Uuid | Kind::Date | Kind::Timestamp | Kind::List => false,
    }
}

fn article(kind: Kind) -> String {
    let word = kind.as_str();
    let article = if word.starts_with(['a', 'e', 'i', 'o']) { "an" } else { "a" };
    format!("{article} {word}")
}

/// Whether a text names something.
pub(super) fn names(text: &Text, wanted: impl Fn(&Reference) -> bool) -> bool {
    let of_part = |part: &Part| match part {
        Part::Value(expression) => expression.references().any(&wanted),
        Part::Literal(_) => false,
    };
    text.parts().iter().any(of_part)
}

/// Every text of a document.
pub(super) fn texts(template: &Template) -> Vec<&Text> {
    match template {
        Template::Null | Template::Boolean(_) | Template::Number(_) => Vec::new(),
        Template::Text(text) => vec![text],
        Template::List(items) => items.iter().flat_map(texts).collect(),
        Template::Fields(fields) => fields.iter().flat_map(|(_, value)| texts(value)).collect(),
        Template::Each { item, .. } => texts(item),
    }
}

/// Every list that a document goes through.
pub(super) fn lists(template: &Template) -> Vec<&Reference> {
    match template {
        Template::Null | Template::Boolean(_) | Template::Number(_) | Template::Text(_) => Vec::new(),
        Template::List(items) => items.iter().flat_map(lists).collect(),
        Template::Fields(fields) => fields.iter().flat_map(|(_, value)| lists(value)).collect(),
        Template::Each { list, item } => std::iter::once(list).chain(lists(item)).collect(),
    }
}
