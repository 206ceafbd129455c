//! `services/<service type>-tracking.js`: what a visitor's page tells a provider, and what it gives our server so that both speak of the
//! same visit. Comes in: `browser.yaml` of the manifest in the plan; goes out: a module for the pages of the site, which no server runs.

use super::names::camel_case;
use super::script::{Expression, quoted};
use crate::render::render;
use manifest::browser::{Browser, BrowserCall, Consent};
use manifest::reference::Reference;
use manifest::template::Part;
use manifest::{Manifest, Template, Text};
use minijinja::{Value, context};
use plan::service::{ServicePlan, ValueSource};

/// Columns before the expressions of the template.
const DEPTH: usize = 4;

/// The module, where the provider is told anything by a page.
pub fn tracking(service: &ServicePlan) -> Option<String> {
    let browser = service.manifest.browser.as_ref()?;
    let page = Page { service, manifest: &service.manifest };
    let calls = |calls: &[BrowserCall]| calls.iter().map(|call| page.call(call, None)).collect::<Vec<_>>();
    let given: Vec<Value> = page.asked().map(|(name, title)| context! { name => camel_case(&name), title }).collect();
    let identifies = browser.identifies.iter().map(|(name, call)| {
        context! { name => name.as_str(), call => page.call(call, Some("resolve")) }
    });
    let points = browser.points.iter().map(|(event, point)| {
        context! { event => event.as_str(), calls => point.calls.iter().map(|call| page.call(call, None)).collect::<Vec<_>>() }
    });
    let text = render(
        "tracking.js",
        &context! {
            title => service.manifest.provider.title.as_str(),
            consent => consent(browser),
            known => page.known(),
            given,
            policy => policy(browser),
            scripts => browser.scripts.iter().map(|script| page.text(script)).collect::<Vec<_>>(),
            queues => browser.queues.iter().map(|(function, queue)| context! { function => function.as_str(), queue => queue.as_str() }).collect::<Vec<_>>(),
            start => calls(&browser.start),
            again => calls(&browser.again),
            stop => calls(&browser.stop),
            switched_off_by => browser.switched_off_by.as_ref().map(|name| page.text(name)),
            cookies => browser.cookies.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", "),
            identifies => identifies.collect::<Vec<_>>(),
            points => points.collect::<Vec<_>>(),
        },
    );
    Some(text)
}

/// What a visitor agrees to, in words.
pub fn consent(browser: &Browser) -> &'static str {
    match browser.consent {
        Consent::Statistics => "being counted",
        Consent::Marketing => "being recognised elsewhere",
    }
}

/// The directives as a content security policy has them.
pub fn directives(browser: &Browser) -> Vec<String> {
    browser.policy.iter().map(|(directive, sources)| format!("{directive} {}", sources.join(" "))).collect()
}

fn policy(browser: &Browser) -> String {
    let sources =
        |sources: &[String]| Expression::Array(sources.iter().map(|one| Expression::text(quoted(one))).collect());
    let entries = browser.policy.iter().map(|(directive, list)| (key(directive), sources(list)));
    Expression::Lines(entries.collect()).laid_out("export const contentSecurityPolicy = ".len(), 0, 1)
}

fn key(name: &str) -> String {
    let is_name = name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
    if is_name { name.to_owned() } else { quoted(name) }
}

struct Page<'a> {
    service: &'a ServicePlan,
    manifest: &'a Manifest,
}

impl Page<'_> {
    /// What the page must be told of the account: a secret store or the environment know it, and a page has neither.
    fn asked(&self) -> impl Iterator<Item = (String, String)> {
        self.named().into_iter().filter(|name| self.plain(name).is_none()).map(|name| {
            let provider = &self.manifest.provider;
            let title = provider.credentials.get(&name).map(|known| known.title.clone());
            let title = title.or_else(|| provider.settings.get(&name).map(|known| known.title.clone()));
            (name, title.unwrap_or_default())
        })
    }

    /// What the task says of the account.
    fn known(&self) -> Vec<Value> {
        let of = |name: String| {
            let value = self.plain(&name)?;
            Some(context! { name => camel_case(&name), value => quoted(&value) })
        };
        self.named().into_iter().filter_map(of).collect()
    }

    fn plain(&self, name: &str) -> Option<String> {
        let value = self.service.account.iter().find(|value| value.name.as_str() == name)?;
        match &value.from {
            ValueSource::Plain(text) => Some(text.clone()),
            ValueSource::Default => {
                self.manifest.provider.settings.get(name)?.default.as_ref()?.as_literal().map(str::to_owned)
            }
            ValueSource::Environment(_) | ValueSource::Secret(_) => None,
        }
    }

    /// The credentials and settings that the page speaks of, each once.
    fn named(&self) -> Vec<String> {
        let Some(browser) = &self.manifest.browser else { return Vec::new() };
        let mut texts: Vec<&Text> = browser.scripts.iter().chain(&browser.switched_off_by).collect();
        let points = browser.points.iter().flat_map(|(_, point)| &point.calls);
        let calls = browser.start.iter().chain(&browser.again).chain(&browser.stop).chain(points);
        let identities = browser.identifies.iter().map(|(_, call)| call);
        calls.chain(identities).flat_map(|call| &call.arguments).for_each(|argument| texts_of(argument, &mut texts));
        let mut names: Vec<String> = Vec::new();
        for part in texts.into_iter().flat_map(Text::parts) {
            if let Part::Value(expression) = part
                && let Reference::Credential(name) | Reference::Setting(name) = &expression.from
                && !names.iter().any(|known| known == name.as_str())
            {
                names.push(name.to_string());
            }
        }
        names
    }

    /// A call of a function of the page; `last` stands behind what it is given.
    fn call(&self, call: &BrowserCall, last: Option<&str>) -> String {
        let mut arguments: Vec<Expression> = call.arguments.iter().map(|argument| self.template(argument)).collect();
        arguments.extend(call.with_time.then(|| Expression::text("new Date()")));
        arguments.extend(last.map(Expression::text));
        Expression::call(format!("window.{}", call.function), arguments).laid_out(DEPTH, DEPTH, 1)
    }

    fn template(&self, template: &Template) -> Expression {
        match template {
            // The checks of the manifest let no list be repeated in a page.
            Template::Null | Template::Each { .. } => Expression::text("null"),
            Template::Boolean(value) => Expression::text(value.to_string()),
            Template::Number(value) => Expression::text(value.to_string()),
            Template::Text(text) => Expression::text(self.text(text)),
            Template::List(items) => Expression::Array(items.iter().map(|item| self.template(item)).collect()),
            Template::Fields(fields) => {
                Expression::Object(fields.iter().map(|(name, value)| (key(name), self.template(value))).collect())
            }
        }
    }

    fn text(&self, text: &Text) -> String {
        if let Some(literal) = text.as_literal() {
            return quoted(literal);
        }
        if let Some(expression) = text.as_expression() {
            return self.value(&expression.from);
        }
        let parts = text.parts().iter().map(|part| match part {
            Part::Literal(text) => text.replace('\\', "\\\\").replace('`', "\\`").replace("${", "\\${"),
            Part::Value(expression) => format!("${{{}}}", self.value(&expression.from)),
        });
        format!("`{}`", parts.collect::<String>())
    }

    fn value(&self, reference: &Reference) -> String {
        match reference {
            Reference::Credential(name) | Reference::Setting(name) => format!("account.{}", camel_case(name.as_str())),
            Reference::Event(name) => format!("event.{name}"),
            Reference::Value(name) => {
                quoted(self.manifest.provider.values.get(name.as_str()).map_or("", String::as_str))
            }
            // The checks of the manifest let a page know nothing else.
            _ => "undefined".to_owned(),
        }
    }
}

fn texts_of<'t>(template: &'t Template, found: &mut Vec<&'t Text>) {
    match template {
        Template::Null | Template::Boolean(_) | Template::Number(_) | Template::Each { .. } => {}
        Template::Text(text) => found.push(text),
        Template::List(items) => items.iter().for_each(|item| texts_of(item, found)),
        Template::Fields(fields) => fields.iter().for_each(|(_, value)| texts_of(value, found)),
    }
}
