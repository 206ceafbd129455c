//! The module of a provider, `services/<provider>-integration.js`: its operations as functions, what is called at which event, how its calls
//! are known, all from the manifest in the plan. What every provider has in common is written by hand in `lib/provider` and `lib/delivery`.
//! A manifest that asks for more than that can do gets no module, and the reason.

mod expression;
mod intake;
mod operation;
mod point;
mod provider;
mod sync;
mod webhook;

pub use intake::intake;
pub use sync::records;
pub use webhook::proof_of_sender;

use super::names::{Names, camel_case};
use super::script::{Expression, Script, quoted};
use expression::Writer;
use manifest::authentication::Authentication;
use manifest::reference::Reference;
use manifest::{Entries, Manifest};
use minijinja::{Value, context};
use plan::Plan;
use plan::service::{ServicePlan, System, ValueSource};
use plan::service_case::{ADDRESS, SIGNING};
use provider::{base_variable, needs_webhook_id, webhook_id_variable, webhook_variable};
use std::collections::BTreeMap;
use vocab::FieldName;

/// What the hand-written part cannot do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beyond(pub String);

type Written<T> = Result<T, Beyond>;

fn beyond<T>(what: impl Into<String>) -> Written<T> {
    Err(Beyond(what.into()))
}

/// A service of the application's database, with its module or why there is none.
#[derive(Clone)]
pub struct Integrated<'a> {
    /// The plan that integrates it.
    pub plan: &'a Plan,
    pub service: &'a ServicePlan,
    pub module: Result<ServiceModule, Beyond>,
    /// What its files are called: after the provider, and after the task too where another service has that name.
    pub stem: String,
}

impl<'a> Integrated<'a> {
    /// That of a plan, where it integrates one.
    pub fn of(plan: &'a Plan) -> Option<Self> {
        let service = plan.service.as_ref()?;
        let stem = service.manifest.provider.provider.to_string();
        Some(Self { plan, service, module: service_module(plan, service), stem })
    }

    /// The services of an application, each with a name of its own. The first of a provider keeps that name.
    pub fn told_apart(services: impl Iterator<Item = Self>) -> Vec<Self> {
        let mut apart: Vec<Self> = Vec::new();
        for one in services {
            let is_taken = apart.iter().any(|other| other.stem == one.stem);
            let stem = if is_taken { format!("{}-{}", one.stem, one.plan.task_id) } else { one.stem.clone() };
            apart.push(Self { stem, ..one });
        }
        apart
    }

    /// Whether it makes calls that the application takes in.
    pub fn listens(&self) -> bool {
        self.plan.intake().is_some() && self.service.manifest.webhooks.is_some()
    }

    /// Whether the application reads records of its provider.
    pub fn reads(&self) -> bool {
        self.module.is_ok() && !self.service.syncs.is_empty()
    }

    /// Whether the application gets tokens of its provider.
    pub fn gets_tokens(&self) -> bool {
        let mut ways = self.service.manifest.provider.authentication.iter();
        self.module.is_ok() && ways.any(|(_, way)| matches!(way, Authentication::Oauth2(_)))
    }
}

/// What documents and the application say of a service; `guide` is where more is said of it.
pub fn view(one: &Integrated<'_>, guide: &str) -> Value {
    let Integrated { plan, service, module: made, stem } = one;
    let provider = &service.manifest.provider;
    let name = provider.provider.as_str();
    let variables = service.account.iter().filter_map(|value| value.from.variable().map(str::to_owned));
    // Of those that end by themselves it is asked when they were set.
    let set_at = service.account.iter().filter_map(|value| {
        provider.credentials.get(value.name.as_str())?.ends_after_days?;
        Some(format!("{}_SET_AT", value.from.variable()?))
    });
    context! {
        provider => name,
        stem,
        title => provider.title.as_str(),
        guide,
        account => made.as_ref().ok().map(|module| module.name.as_str()),
        beyond => made.as_ref().err().map(|why| why.0.as_str()),
        intake => one.listens(),
        reads => !service.syncs.is_empty(),
        path => plan.intake().map(|intake| intake.path.as_str()),
        variables => variables.collect::<Vec<_>>(),
        set_at => set_at.collect::<Vec<_>>(),
        webhook_variable => webhook_variable(name),
        webhook_id_variable => needs_webhook_id(&service.manifest).then(|| webhook_id_variable(name)),
        base_variable => base_variable(name),
        tokens => one.gets_tokens(),
        simulated => service.system == System::Simulated,
    }
}

/// What the environment says of the account in the cases.
pub fn variables(service: &ServicePlan) -> Vec<(String, String)> {
    let provider = service.manifest.provider.provider.as_str();
    let values = service.account.iter().filter_map(|value| match &value.from {
        ValueSource::Environment(variable) | ValueSource::Secret(variable) => {
            Some((variable.clone(), service.case_value(&Reference::Credential(value.name.clone()))?))
        }
        ValueSource::Plain(_) | ValueSource::Default => None,
    });
    let of_address = [(webhook_variable(provider), SIGNING), (webhook_id_variable(provider), ADDRESS)];
    values.chain(of_address.map(|(variable, value)| (variable, value.to_owned()))).collect()
}

/// The module of the plan's provider.
#[derive(Clone)]
pub struct ServiceModule {
    /// Its text.
    pub text: String,
    /// What its account is called in it.
    pub name: String,
}

/// What everything in the module shares.
struct Module<'a> {
    service: &'a ServicePlan,
    manifest: &'a Manifest,
    writer: Writer<'a>,
    /// The function of each operation.
    functions: BTreeMap<&'a str, String>,
}

/// The module, or why there is none.
///
/// # Errors
/// [`Beyond`] with what the application cannot do.
pub fn service_module(plan: &Plan, service: &ServicePlan) -> Result<ServiceModule, Beyond> {
    let manifest = &service.manifest;
    let mut names = Names::new(&expression::OWN_NAMES);
    let functions: BTreeMap<&str, String> =
        manifest.operations.iter().map(|(name, _)| (name.as_str(), names.take(&camel_case(name.as_str())))).collect();
    let name = names.take(&camel_case(manifest.provider.provider.as_str()));
    let mut module = Module { service, manifest, writer: Writer::new(manifest), functions };
    let body = module.body(plan, &name)?;
    let mut script = Script::new();
    script.comment(&module.opening());
    script.blank();
    module.writer.imports(&mut script);
    script.blank();
    script.append(body.trim_start_matches('\n'));
    Ok(ServiceModule { text: script.into_text(), name })
}

impl Module<'_> {
    fn opening(&self) -> String {
        let provider = &self.manifest.provider;
        let specification = &provider.specification;
        format!(
            "{} {}. What the application does there: each operation with its request and its answer, what is called at which \
             event, and how calls that come in are known. From {}, read on {}. How requests are sent, answers judged and deliveries \
             tried again stands in `lib/provider/` and `lib/delivery/`.",
            provider.title, provider.about, specification.source, specification.read_on
        )
    }

    fn body(&mut self, plan: &Plan, name: &str) -> Written<String> {
        let mut script = Script::new();
        self.constants(&mut script);
        let needed = point::operations(self.manifest);
        for (name, operation) in self.manifest.operations.iter() {
            match self.operation(name, operation) {
                Ok(text) => script.append(&text),
                // Nothing calls it by itself.
                Err(_) if !needed.contains(&name.as_str()) => {}
                Err(why) => return Err(why),
            }
        }
        self.points(&mut script)?;
        if let (Some(webhooks), Some(intake)) = (&self.manifest.webhooks, plan.intake()) {
            self.webhooks(&mut script, webhooks, intake)?;
        }
        self.syncs(&mut script)?;
        self.provider(&mut script, name, plan)?;
        Ok(script.into_text())
    }

    /// What stands in the module once and is used everywhere.
    fn constants(&self, script: &mut Script) {
        let provider = &self.manifest.provider;
        if !provider.values.is_empty() {
            let values = provider.values.iter().map(|(name, value)| (name.to_string(), text(value))).collect();
            script.blank();
            script.statement("const values = ", &Expression::Object(values));
        }
        if let Some(currencies) = &provider.currencies {
            let codes = |codes: &[String]| Expression::Array(codes.iter().map(|code| text(code)).collect());
            let lists = [
                ("withoutDecimals", &currencies.without_decimals),
                ("withThreeDecimals", &currencies.with_three_decimals),
                ("notTaken", &currencies.not_taken),
            ];
            let known = lists.into_iter().filter(|(_, list)| !list.is_empty());
            let object = Expression::Object(known.map(|(name, list)| (name.to_owned(), codes(list))).collect());
            script.blank();
            script.line("/** How amounts of money are counted there: every other currency has two decimals. */");
            script.statement("const currencies = ", &object);
        }
    }
}

/// A text as a literal.
fn text(text: &str) -> Expression {
    Expression::text(quoted(text))
}

/// A member of an object, whose name is quoted where it must be.
fn member(name: &str, value: Expression) -> (String, Expression) {
    let is_plain = name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_' || letter == '$')
        && !name.starts_with(|letter: char| letter.is_ascii_digit())
        && !name.is_empty();
    (if is_plain { name.to_owned() } else { quoted(name) }, value)
}

fn texts(list: &[String]) -> Expression {
    Expression::Array(list.iter().map(|one| text(one)).collect())
}

fn number(number: impl Into<u64>) -> Expression {
    Expression::text(super::value::grouped(number.into()))
}

/// Members that are there only where they say something.
#[derive(Default)]
struct Members(Vec<(String, Expression)>);

impl Members {
    fn add(&mut self, name: &str, value: Expression) {
        self.0.push(member(name, value));
    }

    fn maybe(&mut self, name: &str, value: Option<Expression>) {
        if let Some(value) = value {
            self.add(name, value);
        }
    }

    fn object(self) -> Expression {
        Expression::Object(self.0)
    }
}

/// Entries as the members of an object.
fn each<V>(entries: &Entries<FieldName, V>, written: impl Fn(&V) -> Expression) -> Expression {
    Expression::Object(entries.iter().map(|(name, value)| (name.to_string(), written(value))).collect())
}
