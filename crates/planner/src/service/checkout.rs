//! The checkout that a payment provider brings to a shop: the tables of the shop and the provider's point come in, two endpoints go
//! out, one that makes an order and answers with where it is paid, one that tells how it stands. What things cost is read from the
//! shop and never believed; the provider is called behind the transaction, through the outbox, and never twice.

use super::shop::{
    Awaited, Brought, Buyer, Shelves, column, described, endpoint, given_up, insert, is_needed, must, row, said, stock,
};
use crate::behaviour::{field_name, shape_field, slot};
use crate::deletion;
use crate::entity::held;
use crate::key::{Origin, RecordKey};
use crate::table::column_name;
use catalog::{Catalog, Entity, Field};
use plan::api::EventDeclaration;
use plan::database::{Column, ColumnDefault, Nullability};
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
    let selling = Selling::of(awaited, catalog, held, |orders| Buyer::of(orders, held))?;
    let guards = vec![Item::Do(Step::Limit { policy: policy.clone(), by: LimitKey::Address })];
    let counter = Counter { path: PATH, guards, required: &[] };
    let (entity, told) = (&selling.order.entity, format!("{PATH}/{{id}}"));
    let sells = (selling.sells(), selling.example());
    let tells = (selling.tells(), serde_json::Value::Null);
    let endpoints = vec![
        endpoint("post_api_checkout", ("POST", PATH), selling.sell(&counter), entity, sells),
        endpoint("get_api_checkout_by_id", ("GET", &told), selling.tell(&counter), entity, tells),
    ];
    Ok(Brought { endpoints, event: selling.event(), tables: selling.tables() })
}

/// Where a shop sells, and to whom.
pub struct Counter<'a> {
    /// The path of the checkout, without its last slash.
    pub path: &'a str,
    /// Who may call, and how often.
    pub guards: Vec<Item>,
    /// What a buyer must say that could be left out elsewhere.
    pub required: &'a [FieldName],
}

/// A shop that sells: its tables, who buys, and whoever takes the payments.
pub struct Selling<'a> {
    order: &'a Entity,
    pub orders: &'a Table,
    items: &'a Table,
    products: &'a Table,
    buyer: Buyer<'a>,
    catalog: &'a Catalog,
    held: &'a [Table],
    awaited: Awaited<'a>,
}

impl<'a> Selling<'a> {
    /// The shop that the tables make, sold to whom `buyer` finds.
    ///
    /// # Errors
    /// Why nothing can be sold there.
    pub fn of(
        awaited: Awaited<'a>,
        catalog: &'a Catalog,
        held: &'a [Table],
        buyer: impl FnOnce(&'a Table) -> Result<Buyer<'a>, String>,
    ) -> Result<Self, String> {
        let of = |name: &str| {
            let entity = EntityName::parse(name).ok().and_then(|name| catalog.entity(&name));
            let entity = entity.ok_or_else(|| format!("nobody has described what an `{name}` is"))?;
            let table = held.iter().find(|table| table.name == entity.table);
            let table =
                table.ok_or_else(|| format!("the database of the workspace has no table `{}`", entity.table))?;
            Ok::<_, String>((entity, table))
        };
        let ((order, orders), (_, items), (_, products)) = (of("order")?, of("order_item")?, of("product")?);
        let selling = Self { order, orders, items, products, buyer: buyer(orders)?, catalog, held, awaited };
        selling.fits()?;
        Ok(selling)
    }

    /// The tables that it works on.
    pub fn tables(&self) -> Vec<Table> {
        let own = [self.orders, self.items, self.products].into_iter();
        own.chain(self.buyer.table).chain(self.buyer.users).cloned().collect()
    }

    /// What the checkout does, without its subject.
    pub fn sells(&self) -> String {
        format!("makes an order, and answers with where {} takes its payment", self.awaited.title)
    }

    /// What the way to an order does, without its subject.
    pub fn tells(&self) -> String {
        format!("tells how an order stands, and where {} takes its payment", self.awaited.title)
    }

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
        self.buyer.find()?;
        self.order_row()?;
        self.each()?;
        Ok(())
    }

    /// Fields of an order that a buyer says.
    fn said(&self) -> Vec<&Field> {
        let has = |field: &&Field| column(self.orders, field.name.as_str()).is_some();
        self.order.fields.iter().filter(|field| SAID.contains(&field.name.as_str())).filter(has).collect()
    }

    /// What a buyer says.
    pub fn shape(&self, required: &[FieldName]) -> Shape {
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
        let address = said("email", FieldType::Email, Presence::Required, "Where to write to whoever buys.");
        let mut fields: Vec<ShapeField> = self.buyer.users.is_none().then_some(address).into_iter().collect();
        fields.extend([
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
        ]);
        fields.extend(self.said().into_iter().map(|field| {
            let must = is_needed(self.orders, &column_name(field.name.as_str()));
            shape_field(field, if must { Presence::Required } else { Presence::Optional })
        }));
        for field in fields.iter_mut().filter(|field| required.contains(&field.name)) {
            field.presence = Presence::Required;
            field.default = None;
        }
        Shape { name: "Checkout".to_owned(), fields }
    }

    fn default_currency(&self) -> Option<Datum> {
        match &column(self.products, "currency")?.default {
            Some(ColumnDefault::Value(value)) => Some(value.clone()),
            Some(ColumnDefault::Counted | ColumnDefault::Now | ColumnDefault::NewId) | None => None,
        }
    }

    /// `POST`: an order is made with what its things cost today, and brought to the provider.
    pub fn sell(&self, counter: &Counter<'_>) -> Vec<Item> {
        const FITS: &str = "what does not fit was refused";
        let mut made = vec![Item::Do(Step::Recall(slot("claim")))];
        made.extend(self.buyer.find().expect(FITS));
        made.push(Item::Do(insert(self.orders, self.order_row().expect(FITS), OnConflict::Fail)));
        made.push(Item::Each(Box::new(self.each().expect(FITS))));
        made.extend(self.sum_up());
        made.push(Item::Do(Step::Emit {
            id: Some(slot("id")),
            event: self.awaited.event.clone(),
            payload: self.payload(),
        }));
        let answer = |status, given| self.answer(counter.path, status, given);
        made.push(Item::Promise(answer(202, Vec::new())));
        let mut body = counter.guards.clone();
        body.extend([
            Item::Let(slot("claim"), Step::Claim),
            Item::Let(slot("input"), Step::Validate(Input::Body(self.shape(counter.required)))),
            Item::Let(slot("id"), Step::Generate(Generated::Uuid)),
            Item::Transaction(made),
        ]);
        let shelves = Shelves { items: self.items, products: self.products };
        let put_back = shelves.put_back(Value::Slot(slot("id")));
        body.extend(self.awaited.waited(given_up(self.orders, ("pending", "cancelled"), put_back), &answer));
        body
    }

    /// `GET`: how an order stands, for the page to which its buyer comes back. Who signs in sees his own.
    pub fn tell(&self, counter: &Counter<'_>) -> Vec<Item> {
        let names = ["id", "status", "total", "currency"];
        let row = |name: &&str| self.described(name, Value::Field(slot("row"), field_name(name)));
        let fields: Vec<ResponseField> = names.iter().filter_map(row).collect();
        let whose = self.buyer.column.filter(|_| self.buyer.users.is_some() && self.buyer.table.is_none());
        let mut body = counter.guards.clone();
        body.extend(self.awaited.standing(self.orders, whose, &names, &fields));
        body
    }

    fn order_row(&self) -> Result<Vec<(ColumnName, Value)>, String> {
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
                "customer_email" | "email" => self.buyer.address(),
                "customer_name" => Value::Else(Box::new(self.buyer.name()), Box::new(self.buyer.address())),
                _ if Some(&known.name) == self.buyer.column => self.buyer.id(),
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
        let columns = wanted.iter().filter_map(|name| column(self.products, name)).chain(stock(self.products));
        let query = Query {
            from: self.products.name.clone(),
            outputs: columns
                .map(|column| Output::Column { column: column.name.clone(), field: field_name(column.name.as_str()) })
                .collect(),
            filter: std::iter::once(Predicate::Compare(key.column.clone(), Comparison::Equal, entry("product_id")))
                .chain(deletion::column(self.products).cloned().map(Predicate::Null))
                .collect(),
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
        // First of all: rows that lead to the product would hold it against others who take of it.
        body.extend(self.take(&key.column));
        let taken = match stock(self.products) {
            Some(_) => Value::Slot(slot("stock_taken")),
            None => Value::Literal(Datum::Integer(0)),
        };
        let line = row(self.items, |name| {
            Some(match name {
                "id" => Value::Slot(slot("item_id")),
                "order_id" => Value::Slot(slot("id")),
                "product_id" => product(key.column.as_str()),
                "quantity" => entry("quantity"),
                "stock_taken" => taken.clone(),
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

    /// What an entry asks for is taken from what is there, in one statement: whoever else asks at the same time waits for it. How much
    /// that was is in slot `stock_taken` then.
    fn take(&self, key: &ColumnName) -> Vec<Item> {
        let Some(stock) = stock(self.products) else { return Vec::new() };
        let quantity = || Value::Field(slot("entry"), field_name("quantity"));
        let mut set = vec![(stock.name.clone(), Assigned::Less(quantity()))];
        set.extend(column(self.products, "updated_at").map(|at| (at.name.clone(), Assigned::Value(Value::Now))));
        set.extend(column(self.products, "row_version").map(|version| (version.name.clone(), Assigned::Plus(1))));
        let product = |name: &ColumnName| Value::Field(slot("product"), field_name(name.as_str()));
        let filter = vec![
            Predicate::Compare(key.clone(), Comparison::Equal, product(key)),
            Predicate::Compare(stock.name.clone(), Comparison::AtLeast, quantity()),
        ];
        let write = Step::Write(Write::Update { table: self.products.name.clone(), set, filter });
        let short = Response::Short { list: field_name("items"), field: field_name("quantity") };
        let short = Item::Exit(short, Writes::Undo);
        let took = |value| Item::Let(slot("stock_taken"), Step::Evaluate(value));
        let unchanged = match stock.nullability {
            Nullability::NotNull => vec![short],
            Nullability::Nullable => {
                let is_counted = Condition::Present(product(&stock.name));
                let mut uncounted: Vec<Item> = must("is_uncounted", Condition::Not(Box::new(is_counted)), short).into();
                uncounted.push(took(Value::Literal(Datum::Integer(0))));
                uncounted
            }
        };
        let arms = vec![(Outcome::Changed, vec![took(quantity())]), (Outcome::Unchanged, unchanged)];
        vec![Item::Let(slot("taken"), write), Item::Match(slot("taken"), arms)]
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

    fn answer(&self, path: &str, status: u16, given: Vec<ResponseField>) -> Response {
        let value = |name: &str| match name {
            "id" => Value::Slot(slot("id")),
            "status" => Value::Literal(Datum::Text("pending".to_owned())),
            "total" => Value::Slot(slot("total")),
            _ => Value::Field(slot("input"), field_name(name)),
        };
        let own = ["id", "status", "total", "currency"];
        let body = own.iter().filter_map(|name| self.described(name, value(name))).chain(given).collect();
        let location = Some(Location { path: format!("{path}/"), key: Value::Slot(slot("id")) });
        Response::Answer { status, body, tag: None, location }
    }

    fn described(&self, name: &str, value: Value) -> Option<ResponseField> {
        described(self.orders, self.order, name, value)
    }

    fn payload(&self) -> Vec<(FieldName, Value)> {
        let input = |name: &str| Value::Field(slot("input"), field_name(name));
        let mut payload = vec![
            (field_name("order_id"), Value::Slot(slot("id"))),
            (field_name("email"), self.buyer.address()),
            (field_name("name"), self.buyer.name()),
            (field_name("currency"), input("currency")),
            (field_name("total"), Value::Slot(slot("total"))),
            (field_name("items"), Value::Slot(slot("lines"))),
        ];
        payload.extend(self.buyer.column.map(|column| (field_name(column.as_str()), self.buyer.id())));
        payload
    }

    /// What is told of a checkout.
    pub fn event(&self) -> EventDeclaration {
        let price =
            column(self.products, "price").map_or(FieldType::Decimal { scale: 2 }, |price| price.field_type.clone());
        let fields = self.payload().into_iter().map(|(name, _)| {
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

    /// A body that is accepted.
    pub fn example(&self) -> serde_json::Value {
        let key = RecordKey::of(self.products).and_then(|key| column(self.products, key.column.as_str()));
        let product = key.map(|key| held::example(key, self.products, self.held, self.catalog).to_json());
        let mut example = serde_json::json!({
            "email": "ada@example.com",
            "name": "Ada Lovelace",
            "items": [{ "product_id": product, "quantity": 2 }],
            "currency": self.default_currency().map_or("USD".into(), |currency| currency.to_json()),
        });
        if self.buyer.users.is_some() {
            example.as_object_mut().map(|fields| fields.remove("email"));
        }
        for field in self.said() {
            example[field.name.as_str()] = field.example_value().to_json();
        }
        example
    }
}

/// Something is wrong with an entry of the list.
fn wrong(field: &str, detail: Option<&str>) -> Item {
    let (list, field) = (field_name("items"), field_name(field));
    Item::Exit(Response::Entry { list: Some(list), field, detail: detail.map(str::to_owned) }, Writes::Undo)
}
