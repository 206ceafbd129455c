//! Checkouts that a task names itself: who takes their payments, what they sell and to whom, and the endpoint that belongs to another.
//! Without a service that takes payments, or a shop, there is no checkout, and the diagnostic says what would make one.

use crate::api::Payments;
use crate::behaviour::{CHECKOUT, CHECKOUT_STATUS};
use crate::codes::{CANNOT_SELL, NOBODY_TAKES_PAYMENTS};
use crate::intent::infer;
use crate::service::checkout::{EVENT, Selling};
use crate::service::shop::{Awaited, Buyer};
use crate::table::column_name;
use catalog::Catalog;
use manifest::point::Calls;
use plan::Table;
use plan::service::ServicePlan;
use spec::{ApiRequirements, Endpoint, Method, PathPattern, RuleValue, Spanned, closest};
use vocab::{BehaviorName, Diagnostic, EventName, FieldName};

/// The requirements with the endpoint that a checkout needs beside it, guarded as it is: one sells, one tells how it stands.
pub fn with_companions(mut requirements: ApiRequirements, catalog: &Catalog) -> ApiRequirements {
    let does = |endpoint| infer(endpoint, &requirements, catalog).ok().map(|inferred| inferred.behaviour.name);
    let done: Vec<_> = requirements.endpoints.iter().map(does).collect();
    let find = |name| requirements.endpoints.iter().zip(&done).find(|(_, does)| **does == Some(name)).map(|(of, _)| of);
    let brought = match (find(CHECKOUT), find(CHECKOUT_STATUS)) {
        (Some(sells), None) => {
            companion(sells, Method::Get, format!("{}/{{id}}", sells.path.as_str()), CHECKOUT_STATUS)
        }
        (None, Some(tells)) => {
            let path = tells.path.as_str().rsplit_once('/').map_or("", |(path, _)| path);
            companion(tells, Method::Post, path.to_owned(), CHECKOUT)
        }
        (Some(_), Some(_)) | (None, None) => None,
    };
    let is_taken = |other: &Endpoint| {
        brought.as_ref().is_some_and(|own| own.method == other.method && own.path.as_str() == other.path.as_str())
    };
    if !requirements.endpoints.iter().any(is_taken) {
        requirements.endpoints.extend(brought);
    }
    requirements
}

fn companion(like: &Endpoint, method: Method, path: String, behavior: &str) -> Option<Endpoint> {
    let behavior = Spanned { value: BehaviorName::parse(behavior).ok()?, place: like.place.clone() };
    Some(Endpoint {
        path: PathPattern::of(&path)?,
        method,
        authentication: like.authentication,
        authentication_place: like.authentication_place.clone(),
        validation: Vec::new(),
        response_format: None,
        behavior: Some(behavior),
        entity: None,
        rate_limiting: None,
        emits: Vec::new(),
        filters: None,
        sorts: None,
        access: like.access.clone(),
        condition: None,
        hidden: Vec::new(),
        webhook: None,
        cache: None,
        place: like.place.clone(),
    })
}

/// A checkout of a task.
pub struct Sold<'a> {
    pub endpoint: &'a Endpoint,
    /// The field that says whose an order is, where callers have to do with their own alone.
    pub owner: Option<&'a FieldName>,
    /// The people who sign in, where one of them calls.
    pub caller: Option<&'a Table>,
    /// The tables of the database that the API stands on.
    pub held: &'a [Table],
}

impl<'a> Sold<'a> {
    /// The shop with whoever takes its payments.
    pub fn by(&self, payments: Payments<'a>, catalog: &'a Catalog) -> Result<Selling<'a>, Vec<Diagnostic>> {
        let refused = |code, message: String, help: String| {
            vec![Diagnostic::error(code, message, &self.endpoint.place).with_help(help)]
        };
        let (service, event, calls) =
            self.service(payments).map_err(|(message, help)| refused(NOBODY_TAKES_PAYMENTS, message, help))?;
        let awaited = Awaited { by: &service.task_id, event, calls, title: &service.manifest.provider.title };
        let owner = self.owner.map(|owner| column_name(owner.as_str()));
        let buyer = |orders| match self.caller {
            Some(users) => Buyer::caller(orders, owner.as_ref(), users, self.held),
            None => Buyer::of(orders, self.held),
        };
        let selling = Selling::of(awaited, catalog, self.held, buyer).map_err(|why| {
            let message = format!("a checkout has nothing to sell: {why}");
            let help = "a task `configure_database` with `tables: [users, orders, products]` and `relationships: [users_to_orders, orders_to_products]` makes a shop; name it in `dependencies`";
            refused(CANNOT_SELL, message, help.to_owned())
        })?;
        let wrong = self.wrong_fields(&selling);
        if wrong.is_empty() { Ok(selling) } else { Err(wrong) }
    }

    /// Whoever answers a checkout, and what is called there.
    fn service(&self, payments: Payments<'a>) -> Result<(&'a ServicePlan, &'a EventName, &'a Calls), (String, String)> {
        let taking = payments.services.iter().filter_map(|service| {
            let event = service.points.iter().map(|point| &point.event).find(|event| event.as_str() == EVENT)?;
            let calls = service.calls_at(event).filter(|calls| !calls.gives.is_empty())?;
            Some((service, event, calls))
        });
        let mut taking: Vec<_> = taking.collect();
        if taking.len() > 1 {
            let is_named = |(service, ..): &(&ServicePlan, _, _)| payments.dependencies.contains(&service.task_id);
            if taking.iter().filter(|taken| is_named(taken)).count() == 1 {
                taking.retain(is_named);
            }
        }
        match &taking[..] {
            [one] => Ok(*one),
            [] => Err((
                "a checkout needs somebody who takes payments, and no task of this workspace integrates one on its database".to_owned(),
                "complete a task `integrate_service` with `service_type: \"payment\"`, `provider: \"stripe\"` and `integration_points: [\"checkout\"]` first; in one command, name it in this task's `dependencies`".to_owned(),
            )),
            [(first, ..), ..] => {
                let names: Vec<String> = taking.iter().map(|(service, ..)| format!("`{}`", service.task_id)).collect();
                Err((
                    format!("the payments of a checkout could be taken by {}", names.join(" or ")),
                    format!("name the one that is meant: `dependencies: [{}]`", first.task_id),
                ))
            }
        }
    }

    /// Fields of the task that a checkout does not take, and rules that it does not know.
    fn wrong_fields(&self, selling: &Selling<'_>) -> Vec<Diagnostic> {
        let shape = selling.shape(&[]);
        let known: Vec<&str> = shape.fields.iter().map(|field| field.name.as_str()).collect();
        let known = if self.endpoint.method == Method::Post { known } else { Vec::new() };
        let mut problems = Vec::new();
        for rule in &self.endpoint.validation {
            let name = rule.name.value.as_str();
            if !known.contains(&name) {
                let meant = closest(name, &known).map_or_else(String::new, |meant| format!("did you mean `{meant}`? "));
                let help = match known.is_empty() {
                    true => "it takes nothing but the order's id".to_owned(),
                    false => {
                        format!("{meant}it takes {}; what things cost is read from the products", known.join(", "))
                    }
                };
                let message = format!("a checkout takes no `{name}`");
                problems.push(Diagnostic::error(CANNOT_SELL, message, &rule.name.place).with_help(help));
            }
            let is_other = |(word, value): &&(Spanned<String>, Spanned<RuleValue>)| {
                word.value != "required" || !matches!(value.value, RuleValue::Boolean(_))
            };
            problems.extend(rule.rules.iter().find(is_other).map(|(word, _)| {
                let message = format!("`{}` cannot be asked of a field of a checkout", word.value);
                Diagnostic::error(CANNOT_SELL, message, &word.place)
                    .with_help("say `required: true`, or leave the rules out: what a field holds is known")
            }));
        }
        problems
    }
}
