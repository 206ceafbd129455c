//! The subscriptions that a payment provider brings: the tables of plans and subscriptions and the provider's points come in, endpoints
//! go out. One makes a subscription and answers with where its first payment is made, one tells how it stands, others end it, at once
//! or with the period that is paid, or take that back. What a plan costs is read from the plans and never believed; how a subscription stands is said by the provider's calls alone.

use super::shop::{
    Awaited, Brought, Buyer, WITHIN_MS, column, described, endpoint, find, given_up, insert, must, one, row, said,
};
use crate::behaviour::{field_name, slot};
use crate::entity::held;
use crate::key::{Origin, RecordKey};
use catalog::{Catalog, Entity};
use plan::api::{Endpoint, EventDeclaration};
use plan::procedure::{
    Generated, Input, Item, LimitKey, Location, Outcome, Response, ResponseField, Scheme, Step, Writes,
};
use plan::query::{OnConflict, RowLock};
use plan::shape::{Presence, Shape, ShapeField};
use plan::value::{Comparison, Condition, RequestValue};
use plan::{Access, Problem, Query, Scope, Table, Value};
use vocab::{Bounds, ColumnName, Datum, EntityName, FieldName, FieldType, PolicyName};

/// Where somebody subscribes.
pub const PATH: &str = "/api/subscriptions/checkout";
/// The events of subscriptions, and the points of the manifest that answer them.
pub const BEGINS: &str = "subscription_start";
pub const ENDS: &str = "subscription_end";
pub const ENDS_LATER: &str = "subscription_end_at_period";
pub const RESUMES: &str = "subscription_resume";
/// What it is until it is paid for the first time, and what becomes of it where it never is.
const UNPAID: &str = "incomplete";
const GIVEN_UP: &str = "expired";
/// What a subscription can be that can be ended.
const RUNNING: [&str; 4] = ["trialing", "active", "past_due", "paused"];
/// Most seats of one subscription.
const MOST_SEATS: i64 = 100_000;
/// What is told of a subscription.
const TOLD: [&str; 7] = ["id", "status", "plan_id", "price", "currency", "interval", "quantity"];
/// What the provider tells of it afterwards.
const TOLD_LATER: [&str; 2] = ["current_period_ends_on", "cancel_at_period_end"];
/// What names the price of a plan that was made at the provider.
const PROVIDER_PRICE: &str = "provider_price_id";

/// Somebody subscribes, or why nobody can.
pub fn begin(awaited: Awaited<'_>, catalog: &Catalog, held: &[Table], policy: &PolicyName) -> Result<Brought, String> {
    let ((subscription, subscriptions), (_, plans)) =
        (known("subscription", catalog, held)?, known("plan", catalog, held)?);
    let buyer = Buyer::of(subscriptions, held)?;
    let offer = Offer { subscription, subscriptions, plans, buyer, catalog, held, awaited, policy };
    offer.fits()?;
    let tables = [subscriptions, plans].into_iter().chain(offer.buyer.table).cloned().collect();
    Ok(Brought { endpoints: vec![offer.sell()?, offer.tell()], event: offer.event(), tables })
}

/// A subscription is ended at once, or why none can be.
pub fn end(awaited: Awaited<'_>, catalog: &Catalog, held: &[Table], policy: &PolicyName) -> Result<Brought, String> {
    let summary = format!("ends a subscription at once; {} takes nothing for it from then on", awaited.title);
    turn(awaited, catalog, held, policy, ("cancel", summary))
}

/// A subscription ends with the period that is paid, or why none can.
pub fn end_later(
    awaited: Awaited<'_>,
    catalog: &Catalog,
    held: &[Table],
    policy: &PolicyName,
) -> Result<Brought, String> {
    let summary = format!("ends a subscription with the period that {} was paid for", awaited.title);
    turn(awaited, catalog, held, policy, ("cancel-at-period-end", summary))
}

/// A subscription that would end with its period goes on, or why none can.
pub fn resume(awaited: Awaited<'_>, catalog: &Catalog, held: &[Table], policy: &PolicyName) -> Result<Brought, String> {
    let summary = "lets a subscription go on that would end with its period".to_owned();
    turn(awaited, catalog, held, policy, ("resume", summary))
}

/// Something is asked of the provider for a subscription that runs; what becomes of it the provider's call says.
fn turn(
    awaited: Awaited<'_>,
    catalog: &Catalog,
    held: &[Table],
    policy: &PolicyName,
    (word, summary): (&str, String),
) -> Result<Brought, String> {
    let (subscription, subscriptions) = known("subscription", catalog, held)?;
    is_named_by_us(subscriptions)?;
    column(subscriptions, "status").ok_or_else(|| format!("`{}` has no column `status`", subscriptions.name))?;
    let fields = vec![(field_name("subscription_id"), FieldType::Uuid)];
    let event = EventDeclaration { also: catalog.generalisations(awaited.event), fields, name: awaited.event.clone() };
    let body = turned(awaited, subscriptions, policy);
    let said = (summary, serde_json::Value::Null);
    let name = format!("post_api_subscriptions_by_id_{}", word.replace('-', "_"));
    let path = format!("/api/subscriptions/{{id}}/{word}");
    let endpoint = endpoint(&name, ("POST", &path), body, &subscription.entity, said);
    Ok(Brought { endpoints: vec![endpoint], event, tables: vec![subscriptions.clone()] })
}

/// The entity of that name, with its table in the database.
fn known<'a>(name: &str, catalog: &'a Catalog, held: &'a [Table]) -> Result<(&'a Entity, &'a Table), String> {
    let entity = EntityName::parse(name).ok().and_then(|name| catalog.entity(&name));
    let entity = entity.ok_or_else(|| format!("nobody has described what a `{name}` is"))?;
    let table = held.iter().find(|table| table.name == entity.table);
    let table = table.ok_or_else(|| format!("the database of the workspace has no table `{}`", entity.table))?;
    Ok((entity, table))
}

fn is_named_by_us(subscriptions: &Table) -> Result<(), String> {
    let key = RecordKey::of(subscriptions);
    let is_ours = |key: &RecordKey| {
        key.field_type == FieldType::Uuid && key.origin == Origin::Server && key.column.as_str() == "id"
    };
    match key.as_ref().is_some_and(is_ours) {
        true => Ok(()),
        false => Err(format!("the key of `{}` is no UUID `id` that the server makes", subscriptions.name)),
    }
}

/// What can be subscribed to.
struct Offer<'a> {
    subscription: &'a Entity,
    subscriptions: &'a Table,
    plans: &'a Table,
    buyer: Buyer<'a>,
    catalog: &'a Catalog,
    held: &'a [Table],
    awaited: Awaited<'a>,
    policy: &'a PolicyName,
}

impl Offer<'_> {
    /// What nobody can subscribe without.
    fn fits(&self) -> Result<(), String> {
        is_named_by_us(self.subscriptions)?;
        for name in ["name", "price", "currency", "interval"] {
            column(self.plans, name).ok_or_else(|| format!("`{}` has no column `{name}`", self.plans.name))?;
        }
        if !matches!(self.price(), FieldType::Decimal { .. }) {
            return Err(format!("what one of `{}` costs is no decimal number", self.plans.name));
        }
        self.plan_key()?;
        let is_word = |word: &str| match column(self.subscriptions, "status").map(|status| &status.field_type) {
            Some(FieldType::Choice { words }) => words.iter().any(|known| known == word),
            _ => false,
        };
        match [UNPAID, "active", GIVEN_UP].into_iter().find(|word| !is_word(word)) {
            None => Ok(()),
            Some(word) => Err(format!("`status` of `{}` cannot be `{word}`", self.subscriptions.name)),
        }
    }

    fn plan_key(&self) -> Result<RecordKey, String> {
        RecordKey::of(self.plans).ok_or_else(|| format!("a plan of `{}` is not named by one value", self.plans.name))
    }

    fn price(&self) -> FieldType {
        column(self.plans, "price").map_or(FieldType::Decimal { scale: 2 }, |price| price.field_type.clone())
    }

    fn has_seats(&self) -> bool {
        column(self.subscriptions, "quantity").is_some()
    }

    fn guards(&self) -> Item {
        Item::Do(Step::Limit { policy: self.policy.clone(), by: LimitKey::Address })
    }

    fn shape(&self) -> Result<Shape, String> {
        let mut fields = vec![
            said("email", FieldType::Email, Presence::Required, "Where to write to whoever pays."),
            said("name", FieldType::Line { max: 200 }, Presence::Optional, "Who pays."),
            said("plan_id", self.plan_key()?.field_type, Presence::Required, "The plan."),
        ];
        if self.has_seats() {
            let most = Some(Datum::Integer(MOST_SEATS));
            fields.push(ShapeField {
                bounds: Bounds { minimum: Some(Datum::Integer(1)), maximum: most },
                default: Some(Datum::Integer(1)),
                ..said("quantity", FieldType::Integer, Presence::Optional, "How many seats.")
            });
        }
        Ok(Shape { name: "SubscriptionCheckout".to_owned(), fields })
    }

    /// `POST`: a subscription is made that runs as soon as it is paid, and brought to the provider.
    fn sell(&self) -> Result<Endpoint, String> {
        let mut made = vec![Item::Do(Step::Recall(slot("claim")))];
        made.extend(self.find_plan()?);
        made.extend(self.buyer.find()?);
        made.push(Item::Do(insert(self.subscriptions, self.row()?, OnConflict::Fail)));
        let payload = self.payload();
        made.push(Item::Do(Step::Emit { id: Some(slot("id")), event: self.awaited.event.clone(), payload }));
        made.push(Item::Promise(self.answer(202, Vec::new())));
        let mut body = vec![
            self.guards(),
            Item::Let(slot("claim"), Step::Claim),
            Item::Let(slot("input"), Step::Validate(Input::Body(self.shape()?))),
            Item::Let(slot("id"), Step::Generate(Generated::Uuid)),
            Item::Transaction(made),
        ];
        let answer = |status, given| self.answer(status, given);
        body.extend(self.awaited.waited(given_up(self.subscriptions, (UNPAID, GIVEN_UP), None), &answer));
        let summary = format!("makes a subscription, and answers with where {} takes its payment", self.awaited.title);
        let said = (summary, self.example()?);
        Ok(endpoint("post_api_subscriptions_checkout", ("POST", PATH), body, &self.subscription.entity, said))
    }

    /// `GET`: how a subscription stands, for the page to which whoever pays comes back.
    fn tell(&self) -> Endpoint {
        let names: Vec<&str> = TOLD.into_iter().chain(TOLD_LATER).collect();
        let field = |name: &&str| self.described(name, Value::Field(slot("row"), field_name(name)));
        let fields: Vec<ResponseField> = names.iter().filter_map(field).collect();
        let mut body = vec![self.guards()];
        body.extend(self.awaited.standing(self.subscriptions, None, &names, &fields));
        let title = self.awaited.title;
        let summary = format!("tells how a subscription stands, and where {title} takes its payment");
        let path = format!("{PATH}/{{id}}");
        let said = (summary, serde_json::Value::Null);
        let name = "get_api_subscriptions_checkout_by_id";
        endpoint(name, ("GET", &path), body, &self.subscription.entity, said)
    }

    /// `let plan = ...`: the plan that is asked for, which must be on offer.
    fn find_plan(&self) -> Result<Vec<Item>, String> {
        let key = self.plan_key()?;
        let wanted =
            [key.column.as_str(), "name", "price", "currency", "interval", "trial_days", "active", PROVIDER_PRICE];
        let asked = Value::Field(slot("input"), field_name("plan_id"));
        let unknown = Item::Exit(Response::UnknownReference(field_name("plan_id")), Writes::Undo);
        let mut items: Vec<Item> = find("plan", one(self.plans, &wanted, key.column.as_str(), asked), unknown).into();
        if column(self.plans, "active").is_some_and(|active| active.field_type == FieldType::Boolean) {
            let yes = Value::Literal(Datum::Boolean(true));
            let is_offered = Condition::Compare(of_plan("active"), Comparison::Equal, yes);
            let detail = "must be on offer at present".to_owned();
            let refused = Response::Inconsistent { field: field_name("plan_id"), detail };
            items.extend(must("is_offered", is_offered, Item::Exit(refused, Writes::Undo)));
        }
        Ok(items)
    }

    fn row(&self) -> Result<Vec<(ColumnName, Value)>, String> {
        let key = self.plan_key()?;
        row(self.subscriptions, |name| {
            let known = column(self.subscriptions, name)?;
            Some(match name {
                "id" => Value::Slot(slot("id")),
                "status" => Value::Literal(Datum::Text(UNPAID.to_owned())),
                "plan_id" => of_plan(key.column.as_str()),
                "plan_name" => of_plan("name"),
                "price" | "currency" | "interval" => of_plan(name),
                "quantity" => self.seats(),
                "starts_on" => Value::Today,
                "customer_email" | "email" => Value::Field(slot("input"), field_name("email")),
                _ if Some(&known.name) == self.buyer.column => self.buyer.id(),
                _ => return None,
            })
        })
    }

    fn seats(&self) -> Value {
        match self.has_seats() {
            true => Value::Field(slot("input"), field_name("quantity")),
            false => Value::Literal(Datum::Integer(1)),
        }
    }

    fn answer(&self, status: u16, given: Vec<ResponseField>) -> Response {
        let value = |name: &str| match name {
            "id" => Value::Slot(slot("id")),
            "status" => Value::Literal(Datum::Text(UNPAID.to_owned())),
            "plan_id" => Value::Field(slot("input"), field_name("plan_id")),
            "quantity" => self.seats(),
            _ => of_plan(name),
        };
        let own = TOLD.iter().filter_map(|name| self.described(name, value(name)));
        let location = Some(Location { path: format!("{PATH}/"), key: Value::Slot(slot("id")) });
        Response::Answer { status, body: own.chain(given).collect(), tag: None, location }
    }

    fn described(&self, name: &str, value: Value) -> Option<ResponseField> {
        described(self.subscriptions, self.subscription, name, value)
    }

    fn payload(&self) -> Vec<(FieldName, Value)> {
        let input = |name: &str| (field_name(name), Value::Field(slot("input"), field_name(name)));
        let mut payload = vec![
            (field_name("subscription_id"), Value::Slot(slot("id"))),
            input("email"),
            input("name"),
            (field_name("plan"), of_plan("name")),
            (field_name("price"), of_plan("price")),
            (field_name("currency"), of_plan("currency")),
            (field_name("interval"), of_plan("interval")),
            (field_name("quantity"), self.seats()),
        ];
        let further = ["trial_days", PROVIDER_PRICE].into_iter().filter(|name| column(self.plans, name).is_some());
        payload.extend(further.map(|name| (field_name(name), of_plan(name))));
        payload.extend(self.buyer.column.map(|column| (field_name(column.as_str()), self.buyer.id())));
        payload
    }

    fn event(&self) -> EventDeclaration {
        let fields = self.payload().into_iter().map(|(name, _)| {
            let field_type = match name.as_str() {
                "email" => FieldType::Email,
                "name" | "plan" | PROVIDER_PRICE => FieldType::Line { max: 200 },
                "price" => self.price(),
                "currency" => FieldType::Code { letters: 3 },
                "interval" => FieldType::Line { max: 20 },
                "quantity" | "trial_days" => FieldType::Integer,
                _ => FieldType::Uuid,
            };
            (name, field_type)
        });
        let name = self.awaited.event.clone();
        EventDeclaration { also: self.catalog.generalisations(&name), fields: fields.collect(), name }
    }

    fn example(&self) -> Result<serde_json::Value, String> {
        let key = self.plan_key()?;
        let plan = column(self.plans, key.column.as_str());
        let plan = plan.map(|key| held::example(key, self.plans, self.held, self.catalog).to_json());
        let mut example = serde_json::json!({ "email": "ada@example.com", "name": "Ada Lovelace", "plan_id": plan });
        if self.has_seats() {
            example["quantity"] = 2.into();
        }
        Ok(example)
    }
}

fn of_plan(name: &str) -> Value {
    Value::Field(slot("plan"), field_name(name))
}

/// The subscription is looked at and held, what is asked is told, and what the provider says of it is answered.
fn turned(awaited: Awaited<'_>, subscriptions: &Table, policy: &PolicyName) -> Vec<Item> {
    let scope = Scope { collection: subscriptions.name.clone(), access: Access::Write };
    let id = || Value::Slot(slot("id"));
    let key = || Value::Request(RequestValue::Path(field_name("id")));
    let answer = |status: u16, given: Vec<ResponseField>| {
        let own = ResponseField {
            name: field_name("subscription_id"),
            value: key(),
            field_type: FieldType::Uuid,
            entries: None,
            description: "The subscription that it is about.".to_owned(),
        };
        Response::Answer { status, body: [own].into_iter().chain(given).collect(), tag: None, location: None }
    };
    let query = Query { lock: RowLock::ForUpdate, ..one(subscriptions, &["id", "status"], "id", key()) };
    let is = |word: &str| {
        let word = Value::Literal(Datum::Text(word.to_owned()));
        Condition::Compare(Value::Field(slot("row"), field_name("status")), Comparison::Equal, word)
    };
    let problem = |problem| Item::Exit(Response::Problem(problem), Writes::Undo);
    let mut told = vec![Item::Do(Step::Recall(slot("claim")))];
    told.extend(find("row", query, problem(Problem::NotFound)));
    told.extend(must("is_running", Condition::Any(RUNNING.map(is).into()), problem(Problem::WrongState)));
    let payload = vec![(field_name("subscription_id"), Value::Field(slot("row"), field_name("id")))];
    told.push(Item::Do(Step::Emit { id: Some(slot("id")), event: awaited.event.clone(), payload }));
    told.push(Item::Promise(answer(202, Vec::new())));
    let answered = vec![Item::Transaction(vec![Item::Exit(answer(200, awaited.given()), Writes::Keep)])];
    let refused = vec![Item::Exit(Response::Problem(Problem::ServiceRefused), Writes::Keep)];
    let unknown = vec![Item::Exit(answer(202, Vec::new()), Writes::Keep)];
    vec![
        Item::Do(Step::Authorize {
            scheme: Scheme::ApiKey,
            scope: Some(scope),
            role: None,
            grant: None,
            failures: Some(policy.clone()),
        }),
        Item::Do(Step::Limit { policy: policy.clone(), by: LimitKey::Principal }),
        Item::Let(slot("claim"), Step::Claim),
        Item::Let(slot("id"), Step::Generate(Generated::Uuid)),
        Item::Transaction(told),
        Item::Let(slot("page"), awaited.wait(id(), WITHIN_MS)),
        Item::Match(
            slot("page"),
            vec![(Outcome::Answered, answered), (Outcome::Refused, refused), (Outcome::Unknown, unknown)],
        ),
    ]
}
