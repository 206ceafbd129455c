//! The checkout that a payment provider brings to a shop: the tables of the shop and the provider's point come in, two endpoints go
//! out, one that makes an order and answers with where it is paid, one that tells how it stands. What things cost is read from the
//! shop and never believed; the provider is called behind the transaction, through the outbox, and never twice.

use super::shop::{Awaited, Brought, Buyer, column, described, endpoint, given_up, insert, is_needed, must, row, said};
use crate::behaviour::{field_name, shape_field, slot};
use crate::entity::held;
use crate::key::{Origin, RecordKey};
use crate::table::column_name;
use catalog::{Catalog, Entity, Field};
use plan::api::{Endpoint, EventDeclaration};
use plan::database::{Column, ColumnDefault};
use plan::procedure::{
    Each, Generated, Input, Item, LimitKey, Location, Outcome, Response, ResponseField, Step, Writes,
};
use plan::query::{Assigned, Cardinality, Holes, OnConflict, Output, Predicate, RowLock, Write};
use plan::shape::{Entries, Presence, Shape, ShapeField};
use plan::value::{Comparison, Condition};
use plan::{Query, Table, Value};
use vocab::{Bounds, ColumnName, Datum, EntityName, FieldName, FieldType, PolicyName};

/// Where a shop sells.
pub const PATH: &str = "/api/checkout";
/// The event of a checkout, and the point of the manifest that answers it.
pub const EVENT: &str = "checkout";
/// Most entries of one order.
const MOST_ITEMS: u32 = 100;
/// Most of one thing in an order.
const MOST_OF_ONE: i64 = 100_000;
/// What a buyer may say of an order.
const SAID: [&str; 3] = ["shipping_address", "billing_address", "notes"];

/// The checkout of the shop, or why there is none.
pub fn checkout(
    awaited: Awaited<'_>,
    catalog: &Catalog,
    held: &[Table],
    policy: &PolicyName,
) -> Result<Brought, String> {
    let of = |name: &str| {
        let entity = EntityName::parse(name).ok().and_then(|name| catalog.entity(&name));
        let entity = entity.ok_or_else(|| format!("nobody has described what an `{name}` is"))?;
        let table = held.iter().find(|table| table.name == entity.table);
        let table = table.ok_or_else(|| format!("the database of the workspace has no table `{}`", entity.table))?;
        Ok::<_, String>((entity, table))
    };
    let ((order, orders), (_, items), (_, products)) = (of("order")?, of("order_item")?, of("product")?);
    let shop = Shop { order, orders, items, products, catalog, held, awaited, policy };
    shop.fits()?;
    let buyer = Buyer::of(orders, held)?;
    let event = shop.event(&buyer);
    let tables = [orders, items, products].into_iter().chain(buyer.table).cloned().collect();
    let endpoints = vec![shop.sell(&buyer)?, shop.tell()];
    Ok(Brought { endpoints, event, tables })
}

/// The tables of a shop.
struct Shop<'a> {
    order: &'a Entity,
    orders: &'a Table,
    items: &'a Table,
    products: &'a Table,
    catalog: &'a Catalog,
    held: &'a [Table],
    awaited: Awaited<'a>,
    policy: &'a PolicyName,
}

impl Shop<'_> {
    /// What a checkout cannot do without.
    fn fits(&self) -> Result<(), String> {
        let is_uuid = |table: &Table| {
            RecordKey::of(table).is_some_and(|key| key.field_type == FieldType::Uuid && key.origin == Origin::Server)
        };
        if !is_uuid(self.orders) {
            return Err(format!("the key of `{}` is no UUID that the server makes", self.orders.name));
        }
        if RecordKey::of(self.products).is_none() {
            return Err(format!("a product of `{}` is not named by one value", self.products.name));
        }
        for (table, name) in
            [(self.products, "name"), (self.products, "price"), (self.items, "quantity"), (self.items, "unit_price")]
        {
            column(table, name).ok_or_else(|| format!("`{}` has no column `{name}`", table.name))?;
        }
        let price = column(self.products, "price").map(|price| &price.field_type);
        if !matches!(price, Some(FieldType::Decimal { .. }))
            || column(self.items, "unit_price").map(|unit| &unit.field_type) != price
        {
            return Err("prices are no decimal numbers with as many decimals in products and in items".to_owned());
        }
        Ok(())
    }

    /// Fields of an order that a buyer says.
    fn said(&self) -> Vec<&Field> {
        let has = |field: &&Field| column(self.orders, field.name.as_str()).is_some();
        self.order.fields.iter().filter(|field| SAID.contains(&field.name.as_str())).filter(has).collect()
    }

    fn guards(&self) -> Item {
        Item::Do(Step::Limit { policy: self.policy.clone(), by: LimitKey::Address })
    }

    fn shape(&self) -> Shape {
        let product = RecordKey::of(self.products).map_or(FieldType::Uuid, |key| key.field_type);
        let entry = Shape {
            name: "CheckoutItem".to_owned(),
            fields: vec![
                said("product_id", product, Presence::Required, "The product."),
                ShapeField {
                    bounds: Bounds { minimum: Some(Datum::Integer(1)), maximum: Some(Datum::Integer(MOST_OF_ONE)) },
                    ..said("quantity", FieldType::Integer, Presence::Required, "How many.")
                },
            ],
        };
        let currency = Some(Datum::Text("USD".to_owned()));
        let mut fields = vec![
            said("email", FieldType::Email, Presence::Required, "Where to write to whoever buys."),
            said("name", FieldType::Line { max: 200 }, Presence::Optional, "Who buys."),
            ShapeField {
                entries: Some(Box::new(Entries { shape: entry, max: MOST_ITEMS })),
                ..said("items", FieldType::Json, Presence::Required, "What is bought, each product once.")
            },
            ShapeField {
                default: self.default_currency().or(currency),
                ..said(
                    "currency",
                    FieldType::Code { letters: 3 },
                    Presence::Optional,
                    "What it is paid in, ISO 4217: the currency of every product.",
                )
            },
        ];
        fields.extend(self.said().into_iter().map(|field| {
            let must = is_needed(self.orders, &column_name(field.name.as_str()));
            shape_field(field, if must { Presence::Required } else { Presence::Optional })
        }));
        Shape { name: "Checkout".to_owned(), fields }
    }

    fn default_currency(&self) -> Option<Datum> {
        match &column(self.products, "currency")?.default {
            Some(ColumnDefault::Value(value)) => Some(value.clone()),
            Some(ColumnDefault::Counted | ColumnDefault::Now | ColumnDefault::NewId) | None => None,
        }
    }

    /// `POST`: an order is made with what its things cost today, and brought to the provider.
    fn sell(&self, buyer: &Buyer<'_>) -> Result<Endpoint, String> {
        let mut made = vec![Item::Do(Step::Recall(slot("claim")))];
        made.extend(buyer.find()?);
        made.push(Item::Do(insert(self.orders, self.order_row(buyer)?, OnConflict::Fail)));
        made.push(Item::Each(Box::new(self.each()?)));
        made.extend(self.sum_up());
        made.push(Item::Do(Step::Emit {
            id: Some(slot("id")),
            event: self.awaited.event.clone(),
            payload: self.payload(buyer),
        }));
        made.push(Item::Promise(self.answer(202, Vec::new())));
        let mut body = vec![
            self.guards(),
            Item::Let(slot("claim"), Step::Claim),
            Item::Let(slot("input"), Step::Validate(Input::Body(self.shape()))),
            Item::Let(slot("id"), Step::Generate(Generated::Uuid)),
            Item::Transaction(made),
        ];
        let answer = |status, given| self.answer(status, given);
        body.extend(self.awaited.waited(given_up(self.orders, "pending", "cancelled"), &answer));
        let summary = format!("makes an order, and answers with where {} takes its payment", self.awaited.title);
        let entity = &self.order.entity;
        Ok(endpoint("post_api_checkout", ("POST", PATH), body, entity, (summary, self.example())))
    }

    /// `GET`: how an order stands, for the page to which its buyer comes back.
    fn tell(&self) -> Endpoint {
        let names = ["id", "status", "total", "currency"];
        let row = |name: &&str| self.described(name, Value::Field(slot("row"), field_name(name)));
        let fields: Vec<ResponseField> = names.iter().filter_map(row).collect();
        let mut body = vec![self.guards()];
        body.extend(self.awaited.standing(self.orders, &names, &fields));
        let path = format!("{PATH}/{{id}}");
        let summary = format!("tells how an order stands, and where {} takes its payment", self.awaited.title);
        let said = (summary, serde_json::Value::Null);
        endpoint("get_api_checkout_by_id", ("GET", &path), body, &self.order.entity, said)
    }

    fn order_row(&self, buyer: &Buyer<'_>) -> Result<Vec<(ColumnName, Value)>, String> {
        let input = |name: &str| Value::Field(slot("input"), field_name(name));
        let nothing_yet = |column: &Column| match column.field_type {
            FieldType::Decimal { scale } => Value::Literal(Datum::Decimal(vocab::Decimal::new(0, scale))),
            _ => Value::Literal(Datum::Null),
        };
        row(self.orders, |name| {
            let known = column(self.orders, name)?;
            let is_needed = is_needed(self.orders, &known.name);
            Some(match name {
                "id" => Value::Slot(slot("id")),
                "status" => Value::Literal(Datum::Text("pending".to_owned())),
                "total" | "subtotal" => nothing_yet(known),
                "currency" => input("currency"),
                "placed_at" => Value::Now,
                "order_number" if is_needed => Value::Slot(slot("id")),
                "customer_email" | "email" => input("email"),
                "customer_name" => Value::Else(Box::new(input("name")), Box::new(input("email"))),
                _ if Some(&known.name) == buyer.column => Value::Field(slot("buyer"), field_name("id")),
                _ if self.said().iter().any(|field| field.name.as_str() == name) => input(name),
                _ => return None,
            })
        })
    }

    /// What is done for every entry: its product is looked up, what it costs is worked out and kept.
    fn each(&self) -> Result<Each, String> {
        let key = RecordKey::of(self.products).ok_or("products have no key")?;
        let entry = |name: &str| Value::Field(slot("entry"), field_name(name));
        let product = |name: &str| Value::Field(slot("product"), field_name(name));
        let wanted = [key.column.as_str(), "name", "price", "sku", "currency", "status"];
        let columns = wanted.iter().filter_map(|name| column(self.products, name));
        let query = Query {
            from: self.products.name.clone(),
            outputs: columns
                .map(|column| Output::Column { column: column.name.clone(), field: field_name(column.name.as_str()) })
                .collect(),
            filter: vec![Predicate::Compare(key.column.clone(), Comparison::Equal, entry("product_id"))],
            order: Vec::new(),
            holes: Holes::default(),
            lock: RowLock::None,
        };
        let mut body = vec![
            Item::Let(slot("product"), Step::Read { query, cardinality: Cardinality::One, filled_by: None }),
            Item::Match(
                slot("product"),
                vec![(Outcome::Found, Vec::new()), (Outcome::Missing, vec![wrong("product_id", None)])],
            ),
        ];
        let active = || Datum::Text("active".to_owned());
        if let Some(FieldType::Choice { words }) = column(self.products, "status").map(|column| &column.field_type)
            && words.iter().any(|word| word == "active")
        {
            let is_sold = Condition::Compare(product("status"), Comparison::Equal, Value::Literal(active()));
            body.extend(must("is_sold", is_sold, wrong("product_id", Some("must be sold at present"))));
        }
        if column(self.products, "currency").is_some() {
            let is_same = Condition::Compare(
                product("currency"),
                Comparison::Equal,
                Value::Field(slot("input"), field_name("currency")),
            );
            let detail = "must be sold in the currency of the order";
            body.extend(must("is_in_currency", is_same, wrong("product_id", Some(detail))));
        }
        let times = Value::Times(Box::new(product("price")), Box::new(entry("quantity")));
        body.push(Item::Let(slot("cost"), Step::Evaluate(times)));
        let cost = Value::Slot(slot("cost"));
        let detail = "must come to an amount that can be paid";
        body.extend(must("is_payable", Condition::Present(cost.clone()), wrong("quantity", Some(detail))));
        let line = row(self.items, |name| {
            Some(match name {
                "id" => Value::Slot(slot("item_id")),
                "order_id" => Value::Slot(slot("id")),
                "product_id" => product(key.column.as_str()),
                "quantity" => entry("quantity"),
                "unit_price" => product("price"),
                "total" => cost.clone(),
                "product_name" => product("name"),
                "sku" if column(self.products, "sku").is_some() => product("sku"),
                "currency" => Value::Field(slot("input"), field_name("currency")),
                _ => return None,
            })
        })?;
        body.push(Item::Let(slot("item_id"), Step::Generate(Generated::Uuid)));
        let once = ["order_id", "product_id"].map(column_name).to_vec();
        let is_once = |unique: &Vec<ColumnName>| unique.len() == 2 && once.iter().all(|name| unique.contains(name));
        let unique = std::iter::once(&self.items.primary_key).chain(&self.items.unique).find(|unique| is_once(unique));
        match unique {
            None => body.push(Item::Do(insert(self.items, line, OnConflict::Fail))),
            Some(unique) => body.extend([
                Item::Let(slot("kept"), insert(self.items, line, OnConflict::Keep { unique: unique.clone() })),
                Item::Match(
                    slot("kept"),
                    vec![
                        (Outcome::Inserted, Vec::new()),
                        (Outcome::Present, vec![wrong("product_id", Some("must be in the list once"))]),
                    ],
                ),
            ]),
        }
        Ok(Each {
            of: slot("input"),
            list: field_name("items"),
            item: slot("entry"),
            body,
            gives: vec![
                (field_name("product_id"), product(key.column.as_str())),
                (field_name("name"), product("name")),
                (field_name("unit_price"), product("price")),
                (field_name("quantity"), entry("quantity")),
                (field_name("total"), cost),
            ],
            into: slot("lines"),
        })
    }

    /// The order costs what its lines cost together.
    fn sum_up(&self) -> Vec<Item> {
        let total = Value::Slot(slot("total"));
        let sums = ["total", "subtotal"].iter().filter_map(|name| column(self.orders, name));
        let set: Vec<(ColumnName, Assigned)> =
            sums.map(|column| (column.name.clone(), Assigned::Value(total.clone()))).collect();
        let detail = "must come to an amount that can be paid".to_owned();
        let refused = Response::Inconsistent { field: field_name("items"), detail };
        let sum = Value::Sum(slot("lines"), field_name("total"));
        let mut items = vec![Item::Let(slot("total"), Step::Evaluate(sum))];
        items.extend(must("has_total", Condition::Present(total), Item::Exit(refused, Writes::Undo)));
        if !set.is_empty() {
            let filter = vec![Predicate::Compare(column_name("id"), Comparison::Equal, Value::Slot(slot("id")))];
            items.push(Item::Do(Step::Write(Write::Update { table: self.orders.name.clone(), set, filter })));
        }
        items
    }

    fn answer(&self, status: u16, given: Vec<ResponseField>) -> Response {
        let value = |name: &str| match name {
            "id" => Value::Slot(slot("id")),
            "status" => Value::Literal(Datum::Text("pending".to_owned())),
            "total" => Value::Slot(slot("total")),
            _ => Value::Field(slot("input"), field_name(name)),
        };
        let own = ["id", "status", "total", "currency"];
        let body = own.iter().filter_map(|name| self.described(name, value(name))).chain(given).collect();
        let location = Some(Location { path: format!("{PATH}/"), key: Value::Slot(slot("id")) });
        Response::Answer { status, body, tag: None, location }
    }

    fn described(&self, name: &str, value: Value) -> Option<ResponseField> {
        described(self.orders, self.order, name, value)
    }

    fn payload(&self, buyer: &Buyer<'_>) -> Vec<(FieldName, Value)> {
        let input = |name: &str| Value::Field(slot("input"), field_name(name));
        let mut payload = vec![
            (field_name("order_id"), Value::Slot(slot("id"))),
            (field_name("email"), input("email")),
            (field_name("name"), input("name")),
            (field_name("currency"), input("currency")),
            (field_name("total"), Value::Slot(slot("total"))),
            (field_name("items"), Value::Slot(slot("lines"))),
        ];
        payload.extend(
            buyer.column.map(|column| (field_name(column.as_str()), Value::Field(slot("buyer"), field_name("id")))),
        );
        payload
    }

    fn event(&self, buyer: &Buyer<'_>) -> EventDeclaration {
        let price =
            column(self.products, "price").map_or(FieldType::Decimal { scale: 2 }, |price| price.field_type.clone());
        let fields = self.payload(buyer).into_iter().map(|(name, _)| {
            let field_type = match name.as_str() {
                "email" => FieldType::Email,
                "name" => FieldType::Line { max: 200 },
                "currency" => FieldType::Code { letters: 3 },
                "total" => price.clone(),
                "items" => FieldType::Json,
                _ => FieldType::Uuid,
            };
            (name, field_type)
        });
        let name = self.awaited.event.clone();
        EventDeclaration { also: self.catalog.generalisations(&name), fields: fields.collect(), name }
    }

    fn example(&self) -> serde_json::Value {
        let key = RecordKey::of(self.products).and_then(|key| column(self.products, key.column.as_str()));
        let product = key.map(|key| held::example(key, self.products, self.held, self.catalog).to_json());
        let mut example = serde_json::json!({
            "email": "ada@example.com",
            "name": "Ada Lovelace",
            "items": [{ "product_id": product, "quantity": 2 }],
            "currency": self.default_currency().map_or("USD".into(), |currency| currency.to_json()),
        });
        for field in self.said() {
            example[field.name.as_str()] = field.example_value().to_json();
        }
        example
    }
}

/// Something is wrong with an entry of the list.
fn wrong(field: &str, detail: Option<&str>) -> Item {
    let (list, field) = (field_name("items"), field_name(field));
    Item::Exit(Response::Entry { list, field, detail: detail.map(str::to_owned) }, Writes::Undo)
}
